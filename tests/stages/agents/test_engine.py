"""Retries with a verifier: closed form against quadrature and simulation, laws, tau2-bench."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.agents import (
    AgentKind,
    AgentsInputs,
    TokenUse,
    Work,
    all_pass,
    beta_moment,
    characterise,
    expected,
    mean_tokens_per_attempt,
    retry_outcome,
    rho_from_passes,
    success_probability,
    tokens_per_attempt,
)

TAU2 = Path(__file__).resolve().parents[4] / "shared" / "data" / "agents" / "tau2_leaderboard.csv"
shares = st.floats(0.0, 1.0)


@pytest.mark.shared
@pytest.mark.skipif(not TAU2.is_file(), reason="no published measurements here")
def test_tau2_pass_3_and_pass_4() -> None:
    keys = ("pass_1", "pass_2", "pass_3", "pass_4")
    with TAU2.open(newline="") as file:
        table = [
            [row[k] for k in keys] for row in csv.DictReader(file) if all(row[k] for k in keys)
        ]
    passes = np.array(table, dtype=float).T / 100
    rho = rho_from_passes(passes[0], passes[1])
    miss = [100 * np.abs(all_pass(passes[0], rho, k) - passes[k - 1]).mean() for k in (3, 4)]
    assert passes.shape[1] == 42
    assert miss == pytest.approx([0.70, 1.64], abs=0.005)
    assert np.median(rho) == pytest.approx(0.55, abs=0.005)


@given(p=shares, rho=shares, i=st.integers(0, 5), j=st.integers(0, 5))
def test_moments_split(p: float, rho: float, i: int, j: int) -> None:
    """One more attempt succeeds or fails: E[p^i q^j] = E[p^(i+1) q^j] + E[p^i q^(j+1)]."""
    whole = beta_moment(p, rho, i, j)
    parts = beta_moment(p, rho, i + 1, j) + beta_moment(p, rho, i, j + 1)
    assert parts == pytest.approx(float(whole), abs=1e-12)


def test_moments_have_their_limits() -> None:
    assert beta_moment(0.3, 0.0, 3, 2) == pytest.approx(0.3**3 * 0.7**2)
    assert beta_moment(0.3, 1.0, 7, 0) == pytest.approx(0.3)
    assert all_pass(0.3, 0.4, 5) == pytest.approx(float(beta_moment(0.3, 0.4, 5, 0)))


def test_retries_against_a_simulation() -> None:
    rng = np.random.default_rng(1)
    n, p, rho, tries, sens, spec, v_rho = 200_000, 0.35, 0.5, 4, 0.9, 0.85, 0.4

    def beta(mean: float, r: float) -> np.ndarray:
        return rng.beta(mean * (1 - r) / r, (1 - mean) * (1 - r) / r, n)

    latent, see, stop = beta(p, rho), beta(sens, v_rho), beta(spec, v_rho)
    open_, right, used = np.ones(n, bool), np.zeros(n, bool), np.zeros(n)
    for _ in range(tries):
        used += open_
        good = rng.random(n) < latent
        passes = open_ & (rng.random(n) < np.where(good, see, 1 - stop))
        right |= passes & good
        open_ &= ~passes
    passed, correct, attempts = retry_outcome(p, rho, tries, sens, spec, v_rho)
    assert passed == pytest.approx((~open_).mean(), abs=0.004)
    assert correct == pytest.approx(right.sum() / (~open_).sum(), abs=0.006)
    assert attempts == pytest.approx(used.mean(), abs=0.01)


@given(p=st.floats(0.01, 0.99), n=st.integers(1, 6))
def test_independent_attempts_are_a_special_case(p: float, n: int) -> None:
    passed, correct, attempts = retry_outcome(p, 0.0, n, 1.0, 1.0, 0.0)
    assert passed == pytest.approx(1 - (1 - p) ** n, rel=1e-9)
    assert correct == pytest.approx(1.0)
    assert attempts == pytest.approx((1 - (1 - p) ** n) / p, rel=1e-9)


@settings(max_examples=40)
@given(p=shares, rho=shares, n=st.integers(1, 8), sens=st.floats(0.05, 1), spec=shares, v=shares)
def test_outcomes_stay_in_range(
    p: float, rho: float, n: int, sens: float, spec: float, v: float
) -> None:
    passed, correct, attempts = retry_outcome(p, rho, n, sens, spec, v)
    more, _, _ = retry_outcome(p, rho, n + 1, sens, spec, v)
    assert 0 <= passed <= 1 and 0 <= correct <= 1 + 1e-9
    assert more >= passed - 1e-12
    assert 1 - 1e-9 <= attempts <= n + 1e-9


def test_correlated_retries_help_less() -> None:
    alone = retry_outcome(0.5, 0.0, 4, 1.0, 1.0)[0]
    together = retry_outcome(0.5, 0.5, 4, 1.0, 1.0)[0]
    assert 0.5 < together < alone


@pytest.mark.parametrize(("sigma", "slope"), [(0.5, 0.52), (1.5, 0.77), (3.0, 1.0)])
def test_lengths_against_quadrature(sigma: float, slope: float) -> None:
    from scipy.integrate import quad

    kind = AgentKind("one", 60.0, sigma=sigma, slope=slope, attempts=1, sensitivity=1.0,
                     specificity=1.0)  # fmt: skip
    margins = np.array([-6.0, 0.0, 2.5, 10.0])
    curve = characterise(AgentsInputs((kind,), margins))

    def density(z: float, x: float) -> float:
        p = success_probability(60.0 * np.exp(sigma * z), 60.0 * 2**x, slope)
        return float(p) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)

    exact = [quad(density, -12, 12, args=(x,), epsabs=1e-11)[0] for x in margins]
    np.testing.assert_allclose(curve.success[0], exact, atol=1e-5)
    np.testing.assert_allclose(curve.correct, 1.0)


def test_curve_rises_and_keeps_its_shape() -> None:
    kinds = (AgentKind("code", 60.0), AgentKind("plan", 1.0, embodied=True, attempts=1))
    curve = characterise(AgentsInputs(kinds))
    assert curve.success.shape == curve.correct.shape == curve.attempts.shape
    assert curve.success.shape == (2, curve.log2_margin.size)
    assert (np.diff(curve.success) >= -1e-12).all()
    assert (np.diff(curve.correct) >= -1e-12).all()
    assert (np.diff(curve.attempts) <= 1e-12).all()
    assert curve.success[0, -1] > 0.95 and curve.correct[0, -1] > 0.999
    assert curve.attempts[1] == pytest.approx(1.0)


def test_multiplier_shifts_the_margin() -> None:
    margins = np.array([0.0, 3.0])
    plain = characterise(AgentsInputs((AgentKind("a", 9.0),), margins))
    eight = characterise(AgentsInputs((AgentKind("a", 9.0, horizon_multiplier=8.0),), margins))
    assert eight.success[0, 0] == pytest.approx(plain.success[0, 1])


def test_all_problems_come_together() -> None:
    bad = AgentKind("x", 0.0, rho=2.0, attempts=0)
    with pytest.raises(InputError) as caught:
        characterise(AgentsInputs((bad,), np.array([1.0, 0.0])))
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {"agents.log2_margin", "agents.x.median_min", "agents.x.rho",
                    "agents.x.attempts"}  # fmt: skip


def test_tokens_of_an_hour_of_coding() -> None:
    fresh, cached, output = tokens_per_attempt(60.0)
    total = fresh + cached + output
    assert 0.25e6 < total < 5e6
    assert (fresh + cached) / total == pytest.approx(0.994)
    assert cached / (fresh + cached) == pytest.approx(0.84)


def test_mean_tokens_against_sampled_lengths() -> None:
    use = TokenUse(exponent=0.8)
    lengths = np.random.default_rng(0).lognormal(np.log(30.0), 0.7, 200_000)
    sampled = sum(part.mean() for part in tokens_per_attempt(lengths, use))
    assert sum(mean_tokens_per_attempt(30.0, 0.7, use)) == pytest.approx(sampled, rel=0.01)


def test_acceptance_takes_from_what_is_right_and_not_from_what_passes() -> None:
    plain, strict = (
        characterise(AgentsInputs((AgentKind("a", 60.0, acceptance=q),))) for q in (1.0, 0.5)
    )
    assert np.array_equal(plain.success, strict.success)
    assert strict.correct == pytest.approx(0.5 * plain.correct)


def test_families_that_differ_leave_one_attempt_as_it_is() -> None:
    one = {"attempts": 1, "sensitivity": 1.0, "specificity": 1.0}
    plain, apart = (
        characterise(AgentsInputs((AgentKind("a", 60.0, family_sd=sd, **one),))).success
        for sd in (0.0, 1.5)
    )
    assert np.abs(apart - plain).max() < 0.01


@given(st.floats(0.2, 20.0))
@settings(max_examples=20, deadline=None)
def test_a_larger_budget_never_finishes_less(million: float) -> None:
    small, large, free = (
        characterise(
            AgentsInputs((AgentKind("a", 60.0, budget_tokens=b * 1e6),), np.array([-1.0, 0.0, 1.0]))
        ).success
        for b in (million, 1.3 * million, np.inf)
    )
    assert (small <= large + 1e-9).all() and (large <= free + 1e-6).all()


@given(st.floats(0.0, 2.0), st.floats(0.0, 1.2), st.integers(1, 6), st.floats(-4.0, 8.0))
def test_tokens_of_a_task_are_those_of_the_work_model(
    sigma: float, exponent: float, attempts: int, margin: float
) -> None:
    """Weighted attempts times mean tokens an attempt are the mean of the product over lengths."""
    use = TokenUse(1e5, exponent)
    kind = AgentKind("any", 30.0, sigma=sigma, attempts=attempts, use=use)
    curve = characterise(AgentsInputs((kind,), np.array([margin, margin + 1.0])))
    per_attempt = sum(mean_tokens_per_attempt(30.0, sigma, use))
    of = expected(Work(kind, 30.0 * 2.0**margin)).mean["tokens"]
    assert curve.token_attempts[0, 0] * per_attempt == pytest.approx(of, rel=1e-6)
    assert curve.token_attempts[0, 0] >= curve.attempts[0, 0] - 1e-9
