"""Sampling plans against published plans, the index rule, detection from seeded defects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.oversee import (
    choose_reviews,
    csp1_aoq,
    csp1_aoql,
    csp1_fraction,
    detection_interval,
    lot_acceptance,
    lot_aoq,
    lot_aoql,
    lot_tolerance,
    review_index,
)


def test_csp1_fraction() -> None:
    assert csp1_fraction(0.02, 0.1, 50) == pytest.approx(0.233780, abs=5e-7)
    assert csp1_fraction([0.0, 1.0], 0.1, 50) == pytest.approx([0.1, 1.0])


def test_csp1_against_a_simulation() -> None:
    rng = np.random.default_rng(3)
    p, f, i = 0.03, 0.2, 20
    bad, draw = (rng.random(200_000) < p).tolist(), rng.random(200_000).tolist()
    run, seen, escaped = 0, 0, 0
    for defect, u in zip(bad, draw, strict=True):
        if run < i or u < f:
            seen += 1
            run = 0 if defect else run + 1
        else:
            escaped += defect
    assert seen / 200_000 == pytest.approx(float(csp1_fraction(p, f, i)), abs=0.01)
    assert escaped / 200_000 == pytest.approx(float(csp1_aoq(p, f, i)), abs=0.001)


def test_csp1_worst_case() -> None:
    worst, at = csp1_aoql(0.1, 50)
    grid = np.linspace(0, 1, 100_001)
    assert worst >= csp1_aoq(grid, 0.1, 50).max() - 1e-15
    assert csp1_aoq(at, 0.1, 50) == pytest.approx(worst)
    # A reviewer who sees four of five defects lets a fifth through whatever the plan.
    assert csp1_aoql(0.1, 50, detection=0.8) == pytest.approx((0.2, 1.0))


@given(p=st.floats(0, 1), f=st.floats(0.01, 1), i=st.integers(0, 200), e=st.floats(0, 1))
def test_no_plan_beats_its_reviewers(p: float, f: float, i: int, e: float) -> None:
    assert csp1_aoq(p, f, i, e) >= p * (1 - e) - 1e-12


@pytest.mark.parametrize(
    ("lot", "sample", "accept", "law", "percent"),
    [
        (5000, 65, 3, "hypergeometric", 2.952),
        (5000, 65, 3, "binomial", 2.951),
        (10_000, 89, 2, "hypergeometric", 1.524),
        (10_000, 89, 2, "binomial", 1.525),
        (10_000, 89, 2, "poisson", 1.527),
    ],
)
def test_aoql(lot: int, sample: int, accept: int, law: str, percent: float) -> None:
    worst = lot_aoql(sample, accept, lot, law)  # type: ignore[arg-type]
    assert 100 * worst == pytest.approx(percent, abs=5e-4)


def test_tolerance_and_iso_2859() -> None:
    assert 100 * lot_tolerance(65, 3) == pytest.approx(9.99, abs=0.005)
    assert lot_acceptance(0.0065, 80, 1) == pytest.approx(0.904158, abs=5e-7)


def test_hypergeometric_counts() -> None:
    # 2 bad of 10, 3 drawn, none bad: C(8,3)/C(10,3) = 56/120.
    assert lot_acceptance(0.2, 3, 0, 10, "hypergeometric") == pytest.approx(56 / 120)
    assert lot_aoq(0.2, 3, 0, 10, "hypergeometric") == pytest.approx(0.2 * 56 / 120 * 0.7)


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(InputError):
        lot_acceptance(0.1, 5, 5)
    with pytest.raises(InputError):
        lot_acceptance(0.1, 50, 1, 20, "hypergeometric")
    with pytest.raises(InputError):
        lot_tolerance(50, 1, law="hypergeometric")


def test_index_rule() -> None:
    index = review_index([0.1, 0.5, 0.01], [100.0, 60.0, 10.0], [10.0, 10.0, 5.0], 0.8)
    np.testing.assert_allclose(index, [0.8, 2.4, 0.016])
    share, price = choose_reviews(index, [10.0, 10.0, 5.0], 15.0, 30.0)
    # Wage 0.5 a minute: the second whole, half of the first, never the third.
    np.testing.assert_allclose(share, [0.5, 1.0, 0.0])
    assert price == pytest.approx(60 * 0.8 - 30)
    share, price = choose_reviews(index, [10.0, 10.0, 5.0], 99.0, 30.0, [False, False, True])
    np.testing.assert_allclose(share, 1.0)
    assert price == 0.0


@settings(deadline=None)
@given(st.data())
def test_index_rule_is_optimal(data: st.DataObject) -> None:
    """No other split of the minutes avoids more loss net of wages (linear programme)."""
    from scipy.optimize import linprog

    n = data.draw(st.integers(1, 6))
    gain = np.array(data.draw(st.lists(st.floats(0, 5), min_size=n, max_size=n)))
    minutes = np.array(data.draw(st.lists(st.floats(0.5, 20), min_size=n, max_size=n)))
    budget = data.draw(st.floats(0, 60))
    share, _ = choose_reviews(gain, minutes, budget, 60.0)
    net = (gain - 1.0) * minutes
    best = linprog(-net, A_ub=[minutes], b_ub=[budget], bounds=[(0, 1)] * n)
    assert share @ minutes <= budget + 1e-9
    assert share @ net == pytest.approx(-best.fun, abs=1e-7)


def test_detection_interval() -> None:
    low, high = detection_interval([0, 8, 10], 10)
    assert low[0] == 0.0 and high[2] == 1.0
    assert low[1] < 0.8 < high[1]
    assert high[1] - low[1] == pytest.approx(0.46, abs=0.03)
    wide = detection_interval(8, 10, 0.99)
    assert wide[0] < low[1] and wide[1] > high[1]
