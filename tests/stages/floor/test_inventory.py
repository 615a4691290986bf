"""Inventory policies against textbook answers and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.floor import (
    eoq,
    newsvendor_normal,
    newsvendor_poisson,
    rq_policy,
    ss_policy,
    wagner_whitin,
)
from lineshaft.stages.floor.inventory import poisson_cost


def test_eoq() -> None:
    assert eoq(8, 0.225, 1300) == pytest.approx((304.0467800264368, 68.41052550594829))
    quantity, cost = eoq(8, [0.1, 0.2], 1300)
    np.testing.assert_allclose(quantity * [0.1, 0.2], cost)


def test_newsvendor_normal() -> None:
    assert newsvendor_normal(0.18, 0.70, 50, 8) == pytest.approx(
        (56.60395592743389, 1.9976051931766445)
    )


def test_newsvendor_poisson() -> None:
    assert newsvendor_poisson(1, 4, 6) == pytest.approx((8.0, 3.5701069457709376))


def test_rq_policy() -> None:
    assert rq_policy(0.225, 7.5, 8, 1300, 150, 1 / 12) == pytest.approx(
        (213.97044213580244, 318.5901810768729, 95.45114022285198)
    )


def test_ss_policy() -> None:
    s, S, cost = ss_policy(1, 4, 5, 6)
    assert (s, S) == (4, 10)
    assert cost == pytest.approx(8.034111561471642, rel=1e-9)


def test_wagner_whitin() -> None:
    order, cost = wagner_whitin(500, 2, [90, 120, 80, 70])
    assert order.tolist() == [210, 0, 150, 0]
    assert cost == 1380.0


@given(
    h=st.floats(0.1, 5),
    p=st.floats(0.1, 50),
    mean=st.lists(st.floats(0.05, 80), min_size=1, max_size=4),
)
def test_poisson_level_is_the_cheapest(h: float, p: float, mean: list[float]) -> None:
    level, cost = newsvendor_poisson(h, p, mean)
    assert (cost <= poisson_cost(level + 1, h, p, mean) + 1e-9).all()
    assert (cost <= poisson_cost(level - 1, h, p, mean) + 1e-9).all()


@settings(max_examples=15, deadline=None)
@given(p=st.floats(2, 20), K=st.floats(1, 30), mean=st.floats(0.5, 12))
def test_ss_policy_beats_its_neighbours(p: float, K: float, mean: float) -> None:
    """Cost of a policy from the stationary law of the stock, in another way."""
    s, S, cost = ss_policy(1.0, p, K, mean)

    def long_run(low: int, high: int) -> float:
        from scipy.stats import poisson

        levels = np.arange(low + 1, high + 1)
        size = levels.size
        move = np.zeros((size, size))
        for i, y in enumerate(levels):
            stay = poisson.pmf(y - levels, mean) * (levels <= y)
            move[i] = stay
            move[i, -1] += 1 - stay.sum()
        power = np.linalg.matrix_power(move, 4096)[0]
        orders = 1 - np.array([poisson.cdf(y - low - 1, mean) for y in levels])
        return float(power @ (poisson_cost(levels, 1.0, p, mean) + K * orders))

    assert long_run(s, S) == pytest.approx(cost, rel=1e-6)
    for ds, dS in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        if s + ds < S + dS:
            assert long_run(s + ds, S + dS) >= cost - 1e-7


@settings(max_examples=25)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=7), st.floats(0, 100), st.floats(0, 3))
def test_wagner_whitin_against_all_plans(demand: list[int], K: float, h: float) -> None:
    order, cost = wagner_whitin(K, h, demand)
    T = len(demand)
    assert order.sum() == sum(demand)
    assert (np.cumsum(order - demand) >= 0).all()
    best = np.inf
    for plan in itertools.product([0, 1], repeat=T - 1):
        starts = [0, *(t for t in range(1, T) if plan[t - 1]), T]
        total = sum(
            K + sum(h * (t - a) * demand[t] for t in range(a, b))
            for a, b in itertools.pairwise(starts)
        )
        best = min(best, total)
    assert cost == pytest.approx(best)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        eoq(-1, 0, 5)
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="stockouts"):
        rq_policy(5.0, 0.01, 8, 1300, 150, 1 / 12)
    with pytest.raises(InputError, match="negative"):
        wagner_whitin(1, 1, [-1])
