"""The latent probability of a task: moments against quadrature, pass^k against its definition."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from lineshaft.stages.agents import latent_moment, pass_k, retry_outcome

inside = st.floats(0.05, 0.95)


@given(inside, st.floats(0.1, 0.8), st.integers(0, 3), st.integers(0, 3), st.floats(0.0, 0.4))
@settings(max_examples=30, deadline=None)
def test_a_moment_with_a_slip_is_the_integral(
    mean: float, rho: float, i: int, j: int, slip: float
) -> None:
    size = (1.0 - rho) / rho
    beta = stats.beta(mean * size, (1.0 - mean) * size)
    # over quantiles, because the density may be infinite at its ends
    value, _ = quad(
        lambda u: ((1 - slip) * beta.ppf(u)) ** i * (1 - (1 - slip) * beta.ppf(u)) ** j,
        0.0,
        1.0,
        limit=200,
    )
    assert float(latent_moment(mean, rho, i, j, slip)) == pytest.approx(value, abs=2e-5)


@given(inside, st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_moments_of_all_outcomes_sum_to_one(mean: float, rho: float, slip: float) -> None:
    three = (1, 3, 3, 1)
    total = sum(n * float(latent_moment(mean, rho, i, 3 - i, slip)) for i, n in enumerate(three))
    assert total == pytest.approx(1.0)


@given(inside, st.floats(0.0, 1.0), st.floats(0.0, 0.3))
def test_pass_k_keeps_the_two_that_it_was_told(p1: float, rho: float, slip: float) -> None:
    p2 = p1 * p1 + rho * p1 * (1.0 - p1)
    assert float(pass_k(p1, p2, 1, slip)) == pytest.approx(p1)
    assert float(pass_k(p1, p2, 2, slip)) == pytest.approx(p2, abs=1e-9)
    told = [float(pass_k(p1, p2, k, slip)) for k in range(1, 7)]
    assert all(a >= b - 1e-12 for a, b in pairwise(told))
    # of the same mean and variance, no distribution has a lower third moment: Cauchy-Schwarz
    assert told[2] >= p2 * p2 / p1 - 1e-9


def test_a_slip_takes_from_tasks_that_never_fail() -> None:
    plain, slipping = (pass_k(0.8, 0.7, 4, slip) for slip in (0.0, 0.05))
    assert float(slipping) < float(plain)
    # where two passes leave no room for it, there is none
    assert float(pass_k(0.98, 0.979, 4, 0.05)) == pytest.approx(
        float(pass_k(0.98, 0.979, 4, 0.0)), abs=2e-3
    )


def test_a_slip_lowers_one_attempt_by_its_share() -> None:
    passed, correct, tried = retry_outcome([0.3, 0.9], 0.5, 1, 1.0, 1.0, slip=0.2)
    assert passed == pytest.approx([0.24, 0.72])
    assert correct == pytest.approx(1.0) and tried == pytest.approx(1.0)


def test_a_slip_is_mended_by_another_attempt() -> None:
    certain, _, tried = retry_outcome([1.0], 0.5, 3, 1.0, 1.0, slip=0.2)
    assert certain[0] == pytest.approx(1.0 - 0.2**3)
    assert tried[0] == pytest.approx(1.0 + 0.2 + 0.04)
