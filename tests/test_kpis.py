"""Headline figures: defined once, from columns that exist, with honest quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft.contracts.tables import Tables
from lineshaft.kpis import MEASURES, SERIES, Kpi, measure, named
from lineshaft.line import Outcome


def test_names_are_unique_and_columns_exist() -> None:
    assert len({m.name for m in MEASURES}) == len(MEASURES)
    for what in MEASURES:
        assert what.unit and what.meaning and what.columns
        for column in what.columns:
            table, name = column.split(".")
            assert name in {c.name for c in Tables.types()[table].columns()}


def test_a_kpi_without_draws_has_no_quantiles() -> None:
    kpi = Kpi.of(MEASURES[0], np.array([5.0]))
    assert kpi.value == 5 and kpi.quantiles == {} and kpi.p50_se is None


def test_draws_without_an_answer_are_left_out() -> None:
    draws = np.concatenate([[1.0], np.arange(100.0), [np.nan] * 10])
    kpi = Kpi.of(MEASURES[0], draws)
    assert kpi.quantiles["p50"] == pytest.approx(49.5)
    assert kpi.p50_se == pytest.approx(5, abs=1)


def test_the_standard_error_of_the_median_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(400, 256))
    spread = np.median(samples, axis=1).std()
    errors = [Kpi.of(MEASURES[0], np.concatenate([[0.0], row])).p50_se for row in samples]
    assert np.mean([e for e in errors if e is not None]) == pytest.approx(spread, rel=0.15)


def test_figures_agree_with_the_tables(gigawatt: Outcome) -> None:
    x = gigawatt.tables
    assert gigawatt["build.energised_mw"].value == x.energised.it_w[-1].sum() / 1e6
    assert gigawatt["oversee.daa"].value == x.accepted.daa_b[-1].sum()
    assert gigawatt["value.revenue_usd"].value == pytest.approx(x.worth.revenue_usd[-12:].sum())
    states = x.states
    left = states.installed - states.leased - states.training - states.broken
    idle = states.headroom + states.empty
    assert gigawatt["serve.empty_share"].value == pytest.approx(idle[-12:].sum() / left[-12:].sum())


def test_daily_active_agents_never_exceed_the_fielded(gigawatt_drawn: Outcome) -> None:
    daa, fielded = (gigawatt_drawn[n].draws for n in ("oversee.daa", "agents.fielded"))
    assert (daa <= fielded * (1 + 1e-12)).all()
    assert (gigawatt_drawn["oversee.daa_a"].draws <= daa * (1 + 1e-12)).all()


def test_an_unknown_figure_is_named(gigawatt: Outcome) -> None:
    with pytest.raises(KeyError, match=r"there is build\.energised_mw"):
        gigawatt["build.energized"]
    assert "oversee.daa" in repr(gigawatt)


def test_bands_hold_the_median_case_and_quantiles(gigawatt_drawn: Outcome) -> None:
    assert [b.name for b in gigawatt_drawn.bands] == [s.name for s in SERIES]
    for band in gigawatt_drawn.bands:
        assert band.quantiles.shape == (5, 120)
        assert (np.diff(band.quantiles, axis=0) >= 0).all()


def test_every_measure_gives_one_value_a_draw(gigawatt: Outcome) -> None:
    assert all(values.shape == (1,) for _, values in measure(gigawatt.tables))


def test_a_figure_can_end_earlier(gigawatt: Outcome) -> None:
    x = gigawatt.tables
    revenue = named("value.revenue_usd").of(x, end=40)
    assert revenue[0] == pytest.approx(x.worth.revenue_usd[28:40].sum())
    assert named("oversee.daa").of(x, end=40)[0] == pytest.approx(x.accepted.daa_b[39].sum())
    assert named("value.lowest_cash_usd").of(x, end=1)[0] == x.worth.cash_usd[0, 0]


def test_only_kinds_with_agents_count_as_tasks(gigawatt: Outcome) -> None:
    x, kinds = gigawatt.tables, gigawatt.tables.dims.labels["kind"]
    year = x.accepted.accepted[-12:, :, 0].sum(axis=0)
    own = [tasks for kind, tasks in zip(kinds, year, strict=True) if kind != "api"]
    assert gigawatt["oversee.accepted_tasks"].value == pytest.approx(sum(own))
    assert year[kinds.index("api")] > 0


def test_what_has_no_bottom_has_no_value(claimed: Outcome) -> None:
    for name in ("serve.empty_share", "plant.pue", "value.usd_per_task", "train.goodput"):
        assert np.isnan(claimed[name].value)
