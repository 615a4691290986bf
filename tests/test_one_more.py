"""What one more is worth: laws that it must follow, and honest steps."""

from __future__ import annotations

import numpy as np
import pytest

import lineshaft
from lineshaft.asking import Ask, solve_all
from lineshaft.kpis import VALUE
from lineshaft.one_more import OneMore, Shift, Thing, _changed, _sooner, one_more, scarce
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario
from lineshaft.stages.value.monthly import after_losses

LEASED = """
name = "leased halls"
months = 48

[capital]
opening_cash_usd = "4 GUSD"

[[build.campus]]
name = "north"

[[build.phase]]
name = "1"
campus = "north"
it_w = "100 MW"
cost_usd_per_w = "12 USD/W"
grid = "2027-10"

[[build.accelerators]]
name = "spare"
campus = "north"
accelerator = "GB200"
count = 100
first = "2028-01"

[build]
samples = 16

[[plant.site]]
name = "north"
grid_w = "1 GW"

[[value.power_lease]]
name = "all of it"
site = "north"
power_w = "100 MW"
usd_per_kw_month = "150 USD/kW/month"
start = "2026-01"
"""
"""A campus whose halls are let as soon as they are on, and wait for the grid."""


def by_name(rows: tuple[OneMore, ...]) -> dict[str, OneMore]:
    return {row.what: row for row in rows}


def thing(scenario: Scenario, what: str) -> Thing:
    return next(t for t in scarce(scenario) if t.what == what)


def change_of_value(scenario: Scenario, what: Thing, steps: float) -> float:
    drawn = draw(scenario, 0, scenario.seed)
    changed = _changed(scenario, drawn, what.change(steps))
    assert changed is not None
    before, after = solve_all([Ask(scenario, drawn), changed])
    assert before is not None and after is not None
    return float(after[VALUE][0] - before[VALUE][0])


@pytest.fixture(scope="module")
def site() -> dict[str, OneMore]:
    return by_name(one_more(lineshaft.read("warehouse")))


@pytest.fixture(scope="module")
def campus() -> dict[str, OneMore]:
    return by_name(one_more(lineshaft.read(LEASED)))


def test_every_scarce_thing_of_a_campus_is_there(campus: dict[str, OneMore]) -> None:
    trades = ("concrete", "steel", "electrical", "pipe", "hvac", "other")
    wanted = {f"one more {trade} worker" for trade in trades}
    wanted |= {"one more MW of IT power at north", "one more MW from the grid at north"}
    wanted |= {"the grid a month earlier at north", "one more GB200, spare", "capex 1 % lower"}
    assert set(campus) == wanted
    for row in campus.values():
        assert np.isfinite(row.value_usd) and row.step and row.se_usd is None
        assert row.down_usd is not None
        central = (row.up_usd - row.down_usd) / 2
        assert row.value_usd == pytest.approx(row.up_usd if row.note else central)


def test_the_grid_a_month_earlier_is_worth_a_month_of_rent(campus: dict[str, OneMore]) -> None:
    """Before tax a month of rent, at the discount of the month in which the halls come on."""
    outcome = lineshaft.solve(lineshaft.read(LEASED))
    on = int(outcome["build.first_power_month"].value)
    wacc = float(outcome.tables.valuation.wacc[0])
    rent = 100e3 * 150 * (1 + wacc) ** -outcome.parameters.calendar.years[on]
    assert 0.6 * rent < campus["the grid a month earlier at north"].value_usd < 1.1 * rent


def test_what_is_not_used_costs_what_it_costs(campus: dict[str, OneMore]) -> None:
    """All power is let: an accelerator more stays in store. A grid of ten times the load is no
    help, and construction that waits for the grid needs no more workers at its end."""
    spare = campus["one more GB200, spare"]
    assert -100e3 < spare.value_usd < -30e3 and not spare.kink
    grid = campus["one more MW from the grid at north"]
    assert (grid.value_usd, grid.up_usd, grid.down_usd, grid.kink) == (0, 0, 0, False)


def test_a_firm_without_a_campus_has_people_robots_and_capex(site: dict[str, OneMore]) -> None:
    kinds = ("stowing", "carrying", "last mile")
    assert set(site) == {
        *("one more reviewer", "one more operator", "capex 1 % lower"),
        *(f"one more robot for {kind}" for kind in kinds),
    }


def test_nothing_scarce_nothing_told() -> None:
    assert one_more(lineshaft.read("claimed-9t")) == ()


def test_lower_capex_is_worth_its_present_value_after_tax(site: dict[str, OneMore]) -> None:
    """With robots 1 % cheaper and all else the same, month by month: 1 % of the capex and of the
    upkeep is saved, and taxed, because depreciation and upkeep are smaller by 1 %; after the last
    month the worth goes with the profit. Days that suppliers wait for the upkeep are left out."""
    outcome = lineshaft.solve(lineshaft.read("warehouse"))
    w, valuation, p = outcome.tables.worth, outcome.tables.valuation, outcome.parameters.value
    wacc, years = float(valuation.wacc[0]), outcome.parameters.calendar.years

    def worth(saved: float) -> float:
        profit = w.revenue_usd - w.opex_usd - w.depreciation_usd
        profit = profit + saved * (w.maintenance_usd + w.depreciation_usd)
        losses, tax = np.zeros(1), []
        for month in profit:
            taxable, losses = after_losses(month, losses, p.loss_limit)
            tax.append(taxable * p.tax_rate)
        flow = w.receipts_usd - w.payments_usd - w.capex_usd - np.array(tax)
        flow = flow + saved * (w.maintenance_usd + w.capex_usd)
        last = profit[-12:].sum() / (w.revenue_usd - w.opex_usd - w.depreciation_usd)[-12:].sum()
        after = valuation.terminal_value_usd[0] * last
        return float((flow[:, 0] * (1 + wacc) ** -years).sum() + after)

    assert worth(0.0) == pytest.approx(float(valuation.enterprise_value_usd[0]), rel=1e-9)
    law = worth(0.01) - worth(0.0)
    assert site["capex 1 % lower"].value_usd == pytest.approx(law, rel=0.01)
    capex = 0.01 * float((w.capex_usd[:, 0] * (1 + wacc) ** -years).sum())
    assert law > (1 - float(p.tax_rate.max())) * capex
    assert not site["capex 1 % lower"].kink


def test_people_whom_nobody_needs_are_worth_their_wages() -> None:
    plenty = lineshaft.read(
        "warehouse", overrides=["months=24", "oversee.role.operator.headcount=500"]
    )
    row = by_name(one_more(plenty))["one more operator"]
    assert not row.kink and row.value_usd < 0
    paid = lineshaft.solve(plenty).tables.worth.people_usd.sum() / 502
    assert -2 * paid < row.value_usd < -0.3 * paid


def test_workers_beyond_what_the_plan_takes_are_worth_nothing() -> None:
    crews = "".join(
        f'[[build.crew]]\nname = "{trade}"\nheadcount = 20000\n' for trade in ("electrical", "pipe")
    )
    found = by_name(one_more(lineshaft.read(LEASED + crews)))
    for trade in ("electrical", "pipe"):
        row = found[f"one more {trade} worker"]
        assert (row.value_usd, row.up_usd, row.down_usd, row.kink) == (0, 0, 0, False)


def test_without_a_kink_two_steps_are_twice_one(site: dict[str, OneMore]) -> None:
    scenario = lineshaft.read("warehouse")
    for what in ("one more robot for stowing", "capex 1 % lower"):
        assert not site[what].kink
        one = change_of_value(scenario, thing(scenario, what), 1.0)
        assert change_of_value(scenario, thing(scenario, what), 2.0) == pytest.approx(2 * one, 0.05)
        assert one / thing(scenario, what).size == pytest.approx(site[what].up_usd)


def test_a_kink_is_where_the_slopes_differ(site: dict[str, OneMore]) -> None:
    for row in site.values():
        assert row.down_usd is not None
        right, left = row.up_usd, -row.down_usd
        assert row.kink == (abs(right - left) > 0.1 * max(abs(right), abs(left)))
    reviewer = site["one more reviewer"]
    assert reviewer.up_usd < 0 and reviewer.down_usd is not None and reviewer.down_usd < 0
    assert reviewer.kink and reviewer.note == "worse both ways"
    assert reviewer.value_usd == reviewer.up_usd


def test_grid_dates_move_by_months_or_weeks() -> None:
    moved = _sooner({"a": "2027-01", "b": (20.0, 40.0), "c": (1.0, 2.0)}, 1.0)
    assert moved["a"] == "2026-12"
    assert moved["b"] == pytest.approx([20 - 365.25 / 84, 40 - 365.25 / 84], rel=1e-3)
    assert min(moved["c"]) > 0
    assert _sooner({"a": "2026-12"}, -1.0)["a"] == "2027-01"


def test_a_trade_without_a_row_keeps_its_default_crew() -> None:
    """The change of a step of 0 is no change: the written crew is the one that was there."""
    scenario = lineshaft.read(LEASED)
    for trade in ("steel", "hvac"):
        assert change_of_value(scenario, thing(scenario, f"one more {trade} worker"), 0.0) == 0


def test_a_number_and_its_draws_shift_together() -> None:
    scenario = lineshaft.read("warehouse")
    drawn = draw(scenario, 8, scenario.seed)
    path = "floor.robots.stowing.price_usd"
    changed = _changed(scenario, drawn, {path: Shift(0.99)})
    assert changed is not None
    other, rows = changed.scenario, changed.drawn
    np.testing.assert_allclose(rows[path], 0.99 * drawn[path])
    price = scenario.floor.robots[0].price_usd
    assert price is not None and other.floor.robots[0].price_usd is not None
    assert other.floor.robots[0].price_usd.median == pytest.approx(0.99 * price.median)
    assert all(np.array_equal(rows[p], drawn[p]) for p in drawn if p != path)


def test_what_a_field_does_not_allow_is_left_out() -> None:
    scenario = lineshaft.read("warehouse")
    drawn = draw(scenario, 0, scenario.seed)
    assert _changed(scenario, drawn, {"oversee.role.operator.headcount": Shift(term=-9)}) is None


def test_where_nothing_can_be_taken_away_only_more_is_asked() -> None:
    scenario = lineshaft.read(
        "warehouse", overrides=["months=24", "oversee.role.reviewer.headcount=0.5"]
    )
    row = by_name(one_more(scenario))["one more reviewer"]
    assert row.down_usd is None and not row.kink
    assert row.value_usd == row.up_usd and row.note.startswith("upwards only")


def test_draws_give_a_mean_and_its_error() -> None:
    scenario = lineshaft.read("warehouse", overrides=["months=24"])
    drawn = by_name(one_more(scenario, draws=32))
    row, median = drawn["capex 1 % lower"], by_name(one_more(scenario))["capex 1 % lower"]
    assert row.se_usd is not None and 0 < row.se_usd < 0.2 * row.value_usd
    assert row.value_usd == pytest.approx(median.value_usd, rel=0.2)
