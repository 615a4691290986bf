"""METR's logistic: published relations, the refit of per-task results, the doubling time."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.agents import (
    PUBLIC_TREND,
    HorizonTrend,
    fit_horizon,
    fit_trend,
    horizon_ratio,
    success_probability,
    trend_log2_horizon,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "agents"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no published measurements here")


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.shared
@needs_data
@pytest.mark.parametrize(
    ("agent", "slope", "intercept", "p50", "p80"),
    [
        ("GPT-5.4", 0.58300, 4.87813, 330.2, 63.5),
        ("Claude Mythos Preview", 0.47504, 4.91554, 1303.0, 172.4),
    ],
)
def test_refit_of_metr_tasks(
    agent: str, slope: float, intercept: float, p50: float, p80: float
) -> None:
    own = [row for row in rows("metr_task_results_th11.csv") if row["agent"] == agent]
    minutes, wins, runs, weight = (
        [float(row[c]) for row in own]
        for c in ("human_minutes", "n_successes", "n_runs", "task_weight")
    )
    fit = fit_horizon(minutes, wins, runs, weight)
    assert fit.slope == pytest.approx(slope, abs=1e-5)
    assert fit.intercept == pytest.approx(intercept, abs=1e-5)
    assert fit.horizon_min() == pytest.approx(p50, abs=0.05)
    assert fit.horizon_min(0.8) == pytest.approx(p80, abs=0.05)


@pytest.mark.shared
@needs_data
@pytest.mark.parametrize(("suite", "models", "days"), [("th11", 6, 143.247), ("th10", 11, 176.265)])
def test_doubling_time(suite: str, models: int, days: float) -> None:
    own = [
        row
        for row in rows(f"metr_published_horizons_{suite}.csv")
        if row["sota"] == "True" and row["release"] >= "2023"
    ]
    trend = fit_trend([row["release"] for row in own], [float(row["p50"]) for row in own])
    assert len(own) == models
    assert trend.doubling_days == pytest.approx(days, abs=1e-3)


def test_published_coefficients_give_published_horizons() -> None:
    # METR: -0.557 and 5.583 per task data of Mythos Preview, p50 17.41 h and p80 185.9 min.
    assert pytest.approx(17.41, rel=0.01) == 2 ** (5.583 / 0.557) / 60
    p50 = 17.41 * 60
    assert p50 * horizon_ratio(0.8, 0.557) == pytest.approx(185.9, rel=0.01)


def test_ladder_below_p50() -> None:
    ladder = 1.0 / horizon_ratio(np.array([0.5, 0.8, 0.95, 0.99]))
    np.testing.assert_allclose(ladder, [1.0, 6.35, 50.7, 457.0], rtol=0.005)


@given(p50=st.floats(0.1, 1e5), q=st.floats(0.01, 0.99), slope=st.floats(0.2, 2.0))
def test_horizon_ratio_inverts_the_logistic(p50: float, q: float, slope: float) -> None:
    at = p50 * horizon_ratio(q, slope)
    assert success_probability(at, p50, slope) == pytest.approx(q, rel=1e-9)


@given(slope=st.floats(0.3, 1.0), log2_p50=st.floats(2.0, 9.0))
def test_fit_recovers_exact_shares(slope: float, log2_p50: float) -> None:
    minutes = np.geomspace(0.1, 5000.0, 60)
    share = success_probability(minutes, 2**log2_p50, slope)
    fit = fit_horizon(minutes, 1000 * share, np.full(60, 1000.0), l2=0.0)
    assert fit.slope == pytest.approx(slope, rel=1e-6)
    assert math.log2(fit.horizon_min()) == pytest.approx(log2_p50, rel=1e-6)
    np.testing.assert_allclose(fit.probability(minutes), share, atol=1e-7)


def test_trend_doubles_and_is_capped() -> None:
    trend = HorizonTrend(np.datetime64("2025-01-01"), 60.0, 100.0)
    log2_min, capped = trend_log2_horizon(["2025-01-01", "2025-04-11", "2027-01-01"], trend)
    assert log2_min[1] - log2_min[0] == pytest.approx(1.0)
    assert capped.tolist() == [False, False, True]
    assert log2_min[2] == pytest.approx(math.log2(960))
    free, never = trend_log2_horizon("2027-01-01", trend, math.inf)
    assert free > 12 and not never


def test_public_trend_is_metr() -> None:
    log2_min, _ = trend_log2_horizon(PUBLIC_TREND.date)
    assert 2**log2_min == pytest.approx(320.4)


@pytest.mark.parametrize(
    ("minutes", "wins", "runs"), [([], [], []), ([0.0], [1], [1]), ([1.0], [2], [1])]
)
def test_bad_tasks_are_refused(minutes: list[float], wins: list[int], runs: list[int]) -> None:
    with pytest.raises(InputError, match="task"):
        fit_horizon(minutes, wins, runs)


def test_separable_tasks_without_penalty_are_refused() -> None:
    with pytest.raises(InputError, match="converge"):
        fit_horizon([1.0, 1000.0], [5, 0], [5, 5], l2=0.0)


def test_one_day_has_no_trend() -> None:
    with pytest.raises(InputError, match="two different days"):
        fit_trend(["2025-01-01", "2025-01-01"], [1.0, 2.0])
