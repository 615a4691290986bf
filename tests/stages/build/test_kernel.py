"""The schedule generator on random networks: feasible, non-anticipative, the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.stages.build import kernel


@dataclass
class Case:
    """A random project with trades that come and go, in the kernel's arrays."""

    work: Any
    release: Any
    rate: Any
    least: Any
    order: Any
    edges: Any
    capacity: Any
    outage: Any


def random_case(seed: int, n: int = 14, trades: int = 3, least: float = 0.25) -> Case:
    rng = np.random.default_rng(seed)
    edges = [(a, b) for a in range(n) for b in range(a + 1, n) if rng.random() < 1.5 / n]
    capacity = rng.uniform(40, 100, (trades, 12))  # rises and falls
    rate = rng.uniform(0, 40, (n, trades)) * (rng.random((n, trades)) < 0.6)
    outage = np.zeros((trades, 2))
    outage[0] = np.sort(rng.uniform(0, 6, 2))
    return Case(
        work=rng.uniform(0.2, 2, n),
        release=rng.uniform(0, 4, n) * (rng.random(n) < 0.3),
        rate=rate,
        least=np.full(n, least),
        order=rng.permutation(n),
        edges=np.array(edges, dtype=np.int64).reshape(-1, 2),
        capacity=capacity,
        outage=outage,
    )


def run(case: Case, schedule: Any = kernel.schedule) -> dict[str, Any]:
    n = len(case.work)
    heads = np.searchsorted(case.edges[:, 0], np.arange(n + 1)).astype(np.int64)
    rank = np.argsort(case.order)
    steps = np.arange(1.0, case.capacity.shape[1])
    out = {
        "start": np.empty(n),
        "finish": np.empty(n),
        "ready": np.empty(n),
        "last": np.empty(n, np.int64),
        "waited": np.empty(n, np.int64),
        "pieces": np.empty((4000, 5)),
    }
    used = schedule(
        case.work,
        case.release,
        case.rate,
        case.least,
        case.order,
        rank,
        heads,
        case.edges[:, 1].copy(),
        np.bincount(case.edges[:, 1], minlength=n),
        case.capacity,
        np.append(steps, np.inf),
        case.outage,
        *out.values(),
    )
    assert 0 <= used <= 4000
    out["pieces"] = out["pieces"][:used]
    return out


def check_feasible(case: Case, out: dict[str, Any]) -> None:
    """Independent of the kernel's bookkeeping: from the pieces alone."""
    pieces = out["pieces"]
    for a in range(len(case.work)):
        mine = pieces[pieces[:, 0] == a]
        done = ((mine[:, 2] - mine[:, 1]) * mine[:, 3]).sum()
        assert done == pytest.approx(case.work[a], rel=1e-6)
        assert mine[0, 1] >= case.release[a] - 1e-9
        assert mine[:, 3].max() <= 1 + 1e-9
        assert mine[:, 3].min() >= case.least[a] * (1 - 1e-6)
        assert mine[0, 1] == out["start"][a]
        assert mine[-1, 2] == out["finish"][a]
    for a, b in case.edges:
        assert out["start"][b] >= out["finish"][a] - 1e-9
    times = np.unique(np.concatenate((pieces[:, 1], pieces[:, 2])))
    for t in (times[1:] + times[:-1]) / 2:
        on = pieces[(pieces[:, 1] <= t) & (t < pieces[:, 2])]
        used = (on[:, 3:4] * case.rate[on[:, 0].astype(int)]).sum(axis=0)
        there = case.capacity[:, min(int(t), case.capacity.shape[1] - 1)].copy()
        there[(case.outage[:, 0] <= t) & (t < case.outage[:, 1])] = 0
        assert (used <= there * (1 + 1e-6) + 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from((0.1, 0.5, 1.0)))
def test_every_schedule_is_feasible(seed: int, least: float) -> None:
    case = random_case(seed, least=least)
    check_feasible(case, run(case))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 13), st.floats(1.1, 5))
def test_a_later_duration_does_not_change_an_earlier_decision(
    seed: int, which: int, factor: float
) -> None:
    case = random_case(seed)
    short = run(case)
    case.work = case.work.copy()
    case.work[which] *= factor
    long = run(case)
    known = short["finish"][which]  # until then nobody can know that it takes longer
    before = [
        sorted(
            (a, since, min(until, known), share)
            for a, since, until, share, _ in out["pieces"]
            if since < known - 1e-6
        )
        for out in (short, long)
    ]
    # a decision at the moment itself may split a piece; what is worked until then is the same
    assert len(before[0]) == len(before[1])
    np.testing.assert_allclose(before[0], before[1], atol=1e-6)


def test_the_python_twin_agrees() -> None:
    for seed in range(5):
        case = random_case(seed)
        fast, slow = run(case), run(case, kernel.schedule.py_func)
        for name, value in fast.items():
            np.testing.assert_array_equal(value, slow[name])


def test_many_draws_are_single_runs() -> None:
    case = random_case(3)
    n = len(case.work)
    works = np.stack([case.work, case.work * 1.7])
    heads = np.searchsorted(case.edges[:, 0], np.arange(n + 1)).astype(np.int64)
    arguments = (
        works,
        np.stack([case.release] * 2),
        case.rate,
        case.least,
        case.order,
        np.argsort(case.order),
        heads,
        case.edges[:, 1].copy(),
        np.bincount(case.edges[:, 1], minlength=n),
        case.capacity,
        np.append(np.arange(1.0, 12), np.inf),
        np.stack([case.outage] * 2),
    )
    finish = kernel.finishes(*arguments)
    np.testing.assert_array_equal(finish, kernel.finishes.py_func(*arguments))
    for row, work in zip(finish, works, strict=True):
        case.work = work
        np.testing.assert_array_equal(row, run(case)["finish"])


def test_nobody_ever_comes() -> None:
    case = random_case(1)
    case.capacity[:] = 0
    n = len(case.work)
    arguments = (case.work[None], case.release[None], case.rate, case.least, case.order)
    heads, none = np.zeros(n + 1, np.int64), np.zeros(0, np.int64)
    finish = kernel.finishes(
        *arguments,
        np.argsort(case.order),
        heads,
        none,
        np.zeros(n, np.int64),
        case.capacity,
        np.full(12, np.inf),
        case.outage[None],
    )
    assert np.isinf(finish).all()


def test_a_strike_rests_the_work_and_it_goes_on() -> None:
    """Two months of work, away from month 0.5 for 1.25 months: done after 3.25."""
    case = Case(
        work=np.array([2.0]),
        release=np.zeros(1),
        rate=np.array([[10.0]]),
        least=np.array([0.25]),
        order=np.array([0]),
        edges=np.zeros((0, 2), np.int64),
        capacity=np.array([[10.0, 10.0]]),
        outage=np.array([[0.5, 1.75]]),
    )
    out = run(case)
    assert out["finish"][0] == pytest.approx(3.25)
    np.testing.assert_allclose(out["pieces"][:, 1:3], [[0, 0.5], [1.75, 3.25]])


def test_the_whole_crew_or_nothing_waits_for_the_trade() -> None:
    """Two activities want 6 of 10: with least = 1 one after the other, else overlapping."""
    case = Case(
        work=np.array([1.0, 1.0]),
        release=np.zeros(2),
        rate=np.array([[6.0], [6.0]]),
        least=np.ones(2),
        order=np.array([1, 0]),
        edges=np.zeros((0, 2), np.int64),
        capacity=np.array([[10.0]]),
        outage=np.zeros((1, 2)),
    )
    out = run(case)
    np.testing.assert_allclose(out["finish"], [2, 1])
    assert list(out["waited"]) == [0, -1]
    case.least = np.full(2, 0.1)
    out = run(case)
    np.testing.assert_allclose(
        out["finish"], [4 / 3, 1]
    )  # 4 of 6 hours by month 1, then the full crew
    assert list(out["waited"]) == [-1, -1]
