"""Shares and means with intervals: they hold what they should as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from lineshaft.actuals.estimates import mean, share, spread


def test_a_share_of_independent_tasks_is_a_beta_distribution() -> None:
    so = np.array([True] * 30 + [False] * 70)
    found = share(so, np.arange(100) % 5)  # few agents: no design effect
    assert found is not None
    ends = beta(30.5, 70.5).ppf([0.05, 0.95])
    assert found.value == 0.3
    assert (found.low, found.high) == pytest.approx(tuple(ends))
    assert found.ground == "100 tasks of 5 agents"


def test_tasks_of_one_agent_are_alike() -> None:
    agent = np.repeat(np.arange(20), 50)
    alike = share(np.repeat(np.arange(20) % 2 == 0, 50), agent)  # an agent is all right, or wrong
    mixed = share(np.tile([True, False], 500), agent)
    assert alike is not None
    assert mixed is not None
    assert alike.value == mixed.value == 0.5
    assert alike.high - alike.low > 5 * (mixed.high - mixed.low)
    # as wide as that of 20 tasks, but for the correction of one agent
    assert alike.high - alike.low == pytest.approx(0.36, abs=0.03)


def test_too_little_says_nothing() -> None:
    few = np.arange(19)
    assert share(few > 3, few) is None
    assert mean(few.astype(float), few) is None
    assert mean(np.full(100, np.nan), np.arange(100)) is None
    assert spread(np.full(9, 100.0), 9) is None


def test_shares_of_nothing_and_of_all_keep_a_margin() -> None:
    agent = np.arange(200) % 20
    nothing, whole = share(np.zeros(200, bool), agent), share(np.ones(200, bool), agent)
    assert nothing is not None
    assert whole is not None
    assert 0 < nothing.low < nothing.high < 0.02
    assert 0.98 < whole.low < whole.high < 1


def test_intervals_hold_the_truth_nine_times_in_ten() -> None:
    rng = np.random.default_rng(5)
    held = {"share": 0, "mean": 0, "spread": 0}
    rounds, agents, tasks = 60, 60, 30
    for _ in range(rounds):
        own = rng.beta(4.0, 6.0, agents)  # agents differ: mean 0.4
        agent = np.repeat(np.arange(agents), tasks)
        found = share(rng.random(agents * tasks) < own[agent], agent)
        assert found is not None
        held["share"] += found.low <= 0.4 <= found.high
        level = rng.lognormal(0.0, 0.5, agents)
        value = mean(level[agent] * rng.exponential(10.0, agents * tasks), agent)
        assert value is not None
        held["mean"] += value.low <= 10 * np.exp(0.125) <= value.high
        counts = rng.poisson(30 * rng.gamma(2.0, 1.0, 200)).astype(float)
        even = spread(counts, 200)
        assert even is not None
        held["spread"] += even.low <= 2.0 <= even.high
    for name, count in held.items():
        assert 0.78 <= count / rounds <= 0.99, (name, count / rounds)


def test_a_mean_by_weight_is_sum_over_sum() -> None:
    values, weights = np.array([10.0, 30.0] * 20), np.array([1.0, 2.0] * 20)
    found = mean(values, np.arange(40), weights)
    assert found is not None
    assert found.value == pytest.approx(800 / 60)
    assert found.low <= found.value <= found.high


def test_even_work_has_a_large_shape() -> None:
    found = spread(np.full(50, 20.0), 50)
    assert found is not None
    assert found.value == 1000.0
