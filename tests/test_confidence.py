"""The split of a variance: known answers, its error, and what it is for in a run."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, qmc

import lineshaft
from lineshaft.confidence import confidence_share, variance_shares
from lineshaft.line import Outcome
from lineshaft.scenario.inputs import uncertain_inputs
from lineshaft.tables import Array


def points(inputs: int, draws: int, seed: int = 1) -> Array:
    found: Array = qmc.Sobol(inputs, seed=seed).random(draws).T
    return found


def test_a_linear_model_is_split_as_its_coefficients_are() -> None:
    weights = np.array([4.0, 2.0, 1.0, 0.5, 0.0, 0.0])
    x = points(6, 1024)
    found = variance_shares(x, weights @ x)
    assert found is not None
    np.testing.assert_allclose(found.share, weights**2 / (weights**2).sum(), atol=0.01)
    assert found.share.sum() == pytest.approx(1.0, abs=1e-3)


def test_ishigami_has_its_first_order_indices() -> None:
    """a = 7, b = 0.1 (Ishigami and Homma 1990): 0.3139, 0.4424, 0, and 0.2437 of interaction."""
    x = np.pi * (2 * points(3, 1024) - 1)
    y = np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])
    found = variance_shares(x, y)
    assert found is not None
    for share, known in zip(found.share, (0.3139, 0.4424, 0.0), strict=True):
        assert share == pytest.approx(known, abs=0.03)
    group, se = found.of(np.array([True, False, True]))
    assert abs(group - 0.3139) < 4 * se
    assert found.rest == pytest.approx(0.2437, abs=0.04)


def test_only_ranks_of_inputs_count() -> None:
    x = points(3, 512)
    y = x[0] + x[1] ** 2
    plain, stretched = variance_shares(x, y), variance_shares(np.exp(20 * x), y)
    assert plain is not None and stretched is not None
    np.testing.assert_allclose(plain.share, stretched.share, atol=1e-9)


def test_correlated_inputs_share_what_they_have_in_common() -> None:
    """y = a + b, each of variance 1, correlation 0.6: Cov(a, y) / Var(y) is a half for either."""
    z = norm.ppf(np.clip(points(3, 2048), 1e-6, 1 - 1e-6))
    a, b = z[0], 0.6 * z[0] + 0.8 * z[1]
    found = variance_shares(np.array([a, b, z[2]]), a + b)
    assert found is not None
    np.testing.assert_allclose(found.share, [0.5, 0.5, 0.0], atol=0.03)
    assert found.share.sum() == pytest.approx(1.0, abs=0.02)


def test_the_standard_error_is_about_the_error() -> None:
    """Independent draws, 40 inputs, 30 % noise: errors over standard errors vary by about 1."""
    rng = np.random.default_rng(5)
    weights, group = np.linspace(1.0, 0.0, 40), np.arange(40) % 3 == 0
    known = 0.7 * (weights[group] ** 2).sum() / (weights**2).sum()
    errors = []
    for _ in range(60):
        x = rng.uniform(-np.sqrt(3), np.sqrt(3), (40, 400))
        signal = weights @ x / np.sqrt((weights**2).sum())
        found = variance_shares(x, np.sqrt(0.7) * signal + np.sqrt(0.3) * rng.normal(size=400))
        assert found is not None
        share, se = found.of(group)
        errors.append((share - known) / se)
    assert abs(np.mean(errors)) < 0.5
    assert 0.6 < np.std(errors) < 1.4


def test_nothing_is_said_where_nothing_can_be() -> None:
    x = points(4, 512)
    assert variance_shares(x, np.full(512, 3.0)) is None
    assert variance_shares(np.ones_like(x), x[0]) is None
    assert variance_shares(x, np.where(x[0] > 0.5, np.nan, 1.0)) is None
    assert variance_shares(np.tile(x, (100, 1)), x[0]) is None
    same = variance_shares(np.concatenate([x, x[:1]]), x[0] + x[1])
    assert same is not None and np.isfinite(same.share).all()
    assert same.share[0] + same.share[4] == pytest.approx(0.5, abs=0.02)


def test_a_run_says_what_its_spread_rests_on() -> None:
    scenario = lineshaft.read("warehouse", overrides=["months=24"])
    outcome = lineshaft.solve(scenario, draws=512)
    found = confidence_share(scenario, outcome)
    assert found is not None
    assert 0 < found.low_share < found.explained <= 1.0
    assert 0 < found.low_share_se < 0.1
    assert 0 < found.unrated_share < 1 - found.low_share
    assert found.next.path in {one.path for one in uncertain_inputs(scenario)}
    assert found.next_share <= found.explained
    certain = lineshaft.read(
        "warehouse", overrides=["months=24", f"{found.next.path}={found.next.number.median}"]
    )
    spread = lineshaft.solve(certain, draws=512)["value.enterprise_value_usd"].draws.var()
    was = outcome["value.enterprise_value_usd"].draws.var()
    assert 1 - spread / was == pytest.approx(found.next_share, abs=0.12)


def test_few_draws_or_nothing_at_stake_say_nothing(
    gigawatt_drawn: Outcome, claimed: Outcome
) -> None:
    assert confidence_share(lineshaft.read("gigawatt"), gigawatt_drawn) is None
    scenario = lineshaft.read("claimed-9t")
    assert confidence_share(scenario, claimed) is None
    assert confidence_share(scenario, lineshaft.solve(scenario, draws=256)) is None
