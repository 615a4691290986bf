"""The line at a glance."""

from __future__ import annotations

import copy

from lineshaft.line import LINE, Outcome
from lineshaft.stations import binding_by_year, concerns, stations


def test_nine_stations_in_order(gigawatt: Outcome) -> None:
    found = stations(gigawatt.tables)
    assert tuple(s.stage for s in found) == LINE
    assert all(s.headline and "nan" not in s.headline for s in found)


def test_a_scenario_without_a_plant_says_nothing_of_its_pue(claimed: Outcome) -> None:
    assert not any("nan" in s.headline for s in stations(claimed.tables))
    assert binding_by_year(claimed.tables) == {}


def test_training_runs_are_counted_where_there_are_any(
    gigawatt: Outcome, warehouse: Outcome
) -> None:
    with_runs, without = (stations(outcome.tables)[2] for outcome in (gigawatt, warehouse))
    assert "runs ended, horizon" in with_runs.headline
    assert not warehouse.tables.dims.labels["run"]
    assert without.headline.startswith("horizon ")


def test_every_year_with_demand_has_its_reasons(gigawatt: Outcome) -> None:
    found = binding_by_year(gigawatt.tables)
    assert list(found) == [str(year) for year in range(2026, 2036)]
    assert "100% of the value not done" in found["2026"]
    assert "construction" in found["2026"]


def test_a_plan_that_runs_out_of_money_is_told(gigawatt: Outcome) -> None:
    assert not any("money runs out" in text for text in concerns(gigawatt.tables))
    poor = copy.deepcopy(gigawatt.tables)
    poor.worth.cash_usd[30:] -= 1e12
    text = concerns(poor)[0]
    assert "2028-07" in text


def test_work_at_a_loss_is_told_and_no_other(gigawatt: Outcome, warehouse: Outcome) -> None:
    (text,) = concerns(gigawatt.tables)
    x, kinds = gigawatt.tables, gigawatt.tables.dims.labels["kind"]
    done = x.accepted.accepted[-12:, :, 0]
    margin = ((x.fielded.price_usd - x.task_costs.usd_per_task)[-12:, :, 0] * done).sum(axis=0)
    for kind, left in zip(kinds, margin, strict=True):
        assert (f"{kind} (costs" in text) == (left < 0)
    assert concerns(warehouse.tables) == ()
