"""DAA from rates, its ratios, and the ceiling that reviewers set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.stages.oversee import (
    autonomy,
    autonomy_of_time,
    cost_per_accepted_task,
    daa_memoryless,
    daa_regular,
    effective_daa,
    fte_equivalent,
    leverage,
    oversight_minutes_per_task,
    review_limited_daa,
    review_limited_tasks,
    tasks_per_agent,
    value_per_daa,
)


def test_memoryless_against_draws() -> None:
    rng = np.random.default_rng(0)
    for k in (0.5, 2.0):
        tasks = rng.poisson(rng.gamma(k, 1.5 / k, 200_000))
        assert daa_memoryless(200_000, 1.5, k) == pytest.approx((tasks > 0).sum(), rel=0.01)


@given(n=st.floats(1, 1e9), m=st.just(0.0) | st.floats(1e-12, 50), k=st.floats(0.05, 1e9))
def test_daa_bounds(n: float, m: float, k: float) -> None:
    spread, alike = daa_memoryless(n, m, k), daa_memoryless(n, m)
    assert 0 <= spread <= alike * (1 + 1e-12) <= daa_regular(n, m) * (1 + 2e-12)


def test_daa_limits() -> None:
    np.testing.assert_allclose(daa_memoryless(100.0, [0.0, 1.0]), [0.0, 100 * (1 - np.exp(-1))])
    assert daa_memoryless(1e9, 1e-12, 3.0) == pytest.approx(1e-3, rel=1e-9)
    assert daa_memoryless(100.0, 1.0, 1e12) == pytest.approx(100 * (1 - np.exp(-1)), rel=1e-9)
    np.testing.assert_allclose(daa_regular(100.0, [0.3, 2.0]), [30.0, 100.0])


def test_ratios() -> None:
    assert tasks_per_agent(300.0, 100.0) == 3.0
    assert np.isnan(tasks_per_agent(0.0, 0.0))
    assert autonomy(60, 100) == 0.6
    assert autonomy_of_time([10, 200], 100).tolist() == [0.9, -1.0]
    assert oversight_minutes_per_task(10, 5, 3, 2, 4) == 5.0
    assert cost_per_accepted_task(50.0, 60.0, 30.0, 20.0, 10.0) == 10.0
    assert value_per_daa(500.0, 100.0) == 5.0
    assert leverage(480.0, 12.0) == 40.0
    assert fte_equivalent(960.0) == 2.0


def test_effective_daa() -> None:
    assert effective_daa([1.0] + [0.0] * 1000) == 1.0
    assert effective_daa(np.full((2, 7), 1e200)).tolist() == [7.0, 7.0]
    assert effective_daa([0.0, 0.0]) == 0.0
    assert 1 < effective_daa([3.0, 1.0, 1.0]) < 3


def test_review_ceiling() -> None:
    tasks = review_limited_tasks(1000, 480, 0.7, [1.0, 0.1, 0.0], 12.6)
    np.testing.assert_allclose(tasks, [26_666.67, 266_666.7, np.inf], rtol=1e-6)
    assert review_limited_daa(1000, 480, 0.7, 1.0, 12.6, 4.0) == pytest.approx(tasks[0] / 4)
    assert review_limited_tasks(1000, 480, 0.7, 1.0, 12.6, 0.5, 25.2) == pytest.approx(tasks[0] / 2)
