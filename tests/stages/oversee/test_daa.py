"""DAA from rates, its ratios, and the ceiling that reviewers set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.stages.oversee import (
    daa_memoryless,
    daa_regular,
    review_limited_daa,
    review_limited_tasks,
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


def test_review_ceiling() -> None:
    tasks = review_limited_tasks(1000, 480, 0.7, [1.0, 0.1, 0.0], 12.6)
    np.testing.assert_allclose(tasks, [26_666.67, 266_666.7, np.inf], rtol=1e-6)
    assert review_limited_daa(1000, 480, 0.7, 1.0, 12.6, 4.0) == pytest.approx(tasks[0] / 4)
    assert review_limited_tasks(1000, 480, 0.7, 1.0, 12.6, 0.5, 25.2) == pytest.approx(tasks[0] / 2)
