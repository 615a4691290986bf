"""The fleet's queue: against M/M/c, its own Python twin, and its balances."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft.stages.floor.kernel import fleet


def draws(n: int, load: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(1 / load, n))
    return arrival, rng.exponential(1.0, n), rng.random(n), rng.exponential(3.0, n)


def test_mm3() -> None:
    arrival, service, chance, repair = draws(400_000, 2.0)
    wait, finish, busy, charging, broken = fleet(
        arrival, service, np.zeros(3), np.zeros(3), np.inf, 0.0, np.inf, chance, repair
    )
    assert wait.mean() == pytest.approx(4 / 9, rel=0.05)
    assert busy == pytest.approx(service.sum())
    assert charging == broken == 0.0
    np.testing.assert_allclose(finish, arrival + wait + service)


def test_python_twin() -> None:
    arrival, service, chance, repair = draws(500, 6.0, 4)
    args = (arrival, service, np.arange(8.0), np.linspace(0, 4, 8), 5.0, 1.5, 20.0, chance, repair)
    fast, slow = fleet(*args), fleet.py_func(*args)
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_charging_and_repair_follow_the_work() -> None:
    arrival, service, chance, repair = draws(200_000, 5.0, 2)
    _, _, busy, charging, broken = fleet(
        arrival, service, np.zeros(20), np.zeros(20), 8.4, 2.7, 30.0, chance, repair
    )
    assert charging / busy == pytest.approx(2.7 / 8.4, rel=0.01)
    assert broken / busy == pytest.approx(3.0 / 30.0, rel=0.04)


def test_tasks_start_in_order_and_never_before_a_robot_is_free() -> None:
    arrival, service, chance, repair = draws(2000, 3.0, 5)
    wait, finish, *_ = fleet(
        arrival, service, np.zeros(2), np.zeros(2), np.inf, 0.0, np.inf, chance, repair
    )
    start = arrival + wait
    assert (np.diff(start) >= 0).all()
    # Not more than two tasks at any time: the third to last start waits for an earlier finish.
    for i in range(2, 2000):
        assert start[i] >= np.sort(finish[:i])[-2] - 1e-9
