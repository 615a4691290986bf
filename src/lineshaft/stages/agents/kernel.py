"""Tasks one by one: attempts as urns, and slots as a queue.

A Beta-distributed probability need not be drawn: attempts at one task are a Polya urn, in which
each success makes the next likelier: ``P(success | i successes, j failures) = (m (1 - rho) + i rho)
/ (1 - rho + (i + j) rho)``. Exactly the beta-binomial, with one uniform number an attempt.

Random numbers are counted, not carried on: those of a task follow from the key and its number
alone, so results are the same on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

MEDIAN, SIGMA, LOGIT, FALL, FAMILY_SD, FAMILIES, RHO, ATTEMPTS, BUDGET = range(9)
SENSITIVITY, SPECIFICITY, VERIFIER_RHO, SLIP, ACCEPTANCE = range(9, 14)
TOKENS, EXPONENT, TOKEN_SIGMA, TOKEN_S, ATTEMPT_S = range(14, 19)
PHYSICAL_S, PHYSICAL_SUCCESS, CONTEXT = range(19, 22)
PARAMETERS = 22
"""Of a class of work, in this order; see `simulate._parameters`."""

PASSED, RIGHT, ACCEPTED, TRIED, MINUTES, ALL_TOKENS, WALL_S, HUMAN_MIN, ACCEPTED_MIN = range(9)
MEASURES = 9
"""Of a task, in this order: passed the verifier, passed and right, accepted, attempts, its human
minutes, tokens of all attempts, seconds, minutes left to a human, minutes that were accepted."""
GAP_S, CAME, WAIT_S, WAITED, WORK_S, HELD, PROBES, BUSY = range(8)
BATCH = 8
"""Of a batch: seconds between arrivals, tasks, waits, tasks that waited, seconds of work, context
tokens x seconds of work, looks at the slots, and busy slots seen by them."""
PROBE = 61
"""Arrivals between two looks at the slots: what arrives without memory sees time's average."""

inner = njit(cache=True, nogil=True, inline="always", error_model="numpy")


@inner
def _mixed(x: Any) -> Any:
    """SplitMix64's output function."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inner
def _start(key: Any, number: int) -> Any:
    """Where the random numbers of a task begin."""
    return _mixed(key + _mixed(np.uint64(number) * np.uint64(0xD1B54A32D192ED03) + np.uint64(1)))


@inner
def _next(state: Any) -> Any:
    return state + np.uint64(0x9E3779B97F4A7C15)


@inner
def _uniform(state: Any) -> float:
    """Above 0 and below 1."""
    return (float(_mixed(state) >> np.uint64(12)) + 0.5) * 2.0**-52


@inner
def _task(key: Any, number: int, p: Array, out: Array) -> Any:
    """Fill `out` [measure] with what becomes of a task; returns the state of its random numbers."""
    state = _next(_start(key, number))
    radius = np.sqrt(-2.0 * np.log(_uniform(state)))
    state = _next(state)
    angle = 2.0 * np.pi * _uniform(state)
    z = radius * np.cos(angle)
    minutes = p[MEDIAN] * np.exp(p[SIGMA] * z)
    logit = p[LOGIT] - p[FALL] * z
    if p[FAMILY_SD] > 0.0:
        # siblings share theirs: the family's numbers follow from its own number
        family = number
        if p[FAMILIES] > 0.0:
            state = _next(state)
            family = int(_uniform(state) * p[FAMILIES])
        own = _next(_start(~key, family))
        long = np.sqrt(-2.0 * np.log(_uniform(own)))
        logit += p[FAMILY_SD] * long * np.cos(2.0 * np.pi * _uniform(_next(own)))
    mean = 1.0 / (1.0 + np.exp(-logit))
    tokens = p[TOKENS] * np.exp(p[EXPONENT] * p[SIGMA] * z)
    allowed = min(p[ATTEMPTS], np.floor(p[BUDGET] / tokens * (1.0 + 1e-12)))
    if p[TOKEN_SIGMA] > 0.0:
        noise = radius * np.sin(angle)
        tokens *= np.exp(p[TOKEN_SIGMA] * (noise - 0.5 * p[TOKEN_SIGMA]))
    rho, kept = p[RHO], 1.0 - p[RHO]
    same, other = p[VERIFIER_RHO], 1.0 - p[VERIFIER_RHO]
    tried, won, lost, overlooked, stopped = 0.0, 0.0, 0.0, 0.0, 0.0
    passed, right = 0.0, 0.0
    while tried < allowed:
        state = _next(state)
        success = _uniform(state) * (kept + tried * rho) < mean * kept + won * rho
        tried += 1.0
        if success:
            won += 1.0
            if p[SLIP] > 0.0:
                state = _next(state)
                success = _uniform(state) >= p[SLIP]
        else:
            lost += 1.0
        state = _next(state)
        verdict = _uniform(state)
        if success:
            if verdict * (other + overlooked * same) < p[SENSITIVITY] * other:
                passed, right = 1.0, 1.0
                break
            overlooked += 1.0
        else:
            if verdict * (other + stopped * same) >= p[SPECIFICITY] * other + stopped * same:
                passed = 1.0
                break
            stopped += 1.0
    wall = tried * (tokens * p[TOKEN_S] + p[ATTEMPT_S])
    if passed > 0.0 and p[PHYSICAL_S] > 0.0:
        wall += p[PHYSICAL_S]
        state = _next(state)
        if _uniform(state) >= p[PHYSICAL_SUCCESS]:
            passed, right = 0.0, 0.0
    taken = right
    if right > 0.0 and p[ACCEPTANCE] < 1.0:
        state = _next(state)
        if _uniform(state) >= p[ACCEPTANCE]:
            taken = 0.0
    out[PASSED] = passed
    out[RIGHT] = right
    out[ACCEPTED] = taken
    out[TRIED] = tried
    out[MINUTES] = minutes
    out[ALL_TOKENS] = tried * tokens
    out[WALL_S] = wall
    out[HUMAN_MIN] = (1.0 - passed) * minutes
    out[ACCEPTED_MIN] = taken * minutes
    return state


@njit(cache=True, nogil=True, error_model="numpy")
def tasks(key: Any, first: int, count: int, p: Array, sums: Array, kept: Array) -> None:
    """Simulate tasks `first` to ``first + count``: `sums` [2, measure] gets sums and sums of
    squares; `kept` [task, measure] every task, where it has room for them."""
    out = np.empty(MEASURES)
    for i in range(count):
        _task(key, first + i, p, out)
        for m in range(MEASURES):
            sums[0, m] += out[m]
            sums[1, m] += out[m] * out[m]
        if kept.shape[0] > 0:
            for m in range(MEASURES):
                kept[i, m] = out[m]


@njit(cache=True, nogil=True, error_model="numpy")
def slots(
    key: Any,
    count: int,
    rate: float,
    share: Array,
    p: Array,
    free: Array,
    edges: NDArray[np.int64],
    sums: Array,
) -> float:
    """A queue before agents' slots, first come first served; returns when the last task came.

    `rate` arrivals/s without memory; `share` [class] cumulative, of each class of work in `p`
    [class, parameter]; `free` [slot] when each is first free, not falling. Tasks are told into the
    batches of `sums` [batch, 8], which begin at the task numbers `edges` [batch + 1]; what comes
    before the first is warming up.
    """
    out = np.empty(MEASURES)
    now = 0.0
    batch = -1
    n = free.size
    last = edges.size - 1
    for i in range(count):
        while batch + 1 < last and i == edges[batch + 1]:
            batch += 1
        kind = 0
        arrival = _start(key + np.uint64(0x632BE59BD9B4E019), i)
        gap = -np.log(_uniform(arrival)) / rate
        now += gap
        if share.size > 1:
            u = _uniform(_next(arrival))
            while kind < share.size - 1 and u >= share[kind]:
                kind += 1
        _task(key, i, p[kind], out)
        wall = out[WALL_S]
        start = max(now, free[0])
        end = start + wall
        if batch >= 0:
            wait = start - now
            row = sums[batch]
            row[GAP_S] += gap
            row[CAME] += 1.0
            row[WAIT_S] += wait
            row[WAITED] += 1.0 if wait > 0.0 else 0.0
            row[WORK_S] += wall
            row[HELD] += wall * p[kind, CONTEXT]
            if i % PROBE == 0:
                row[PROBES] += 1.0
                for slot in range(n):
                    row[BUSY] += 1.0 if free[slot] > now else 0.0
        # The root leaves the heap and comes back with its new time: sift it down.
        k = 0
        while True:
            child = 2 * k + 1
            if child >= n:
                break
            if child + 1 < n and free[child + 1] < free[child]:
                child += 1
            if free[child] >= end:
                break
            free[k] = free[child]
            k = child
        free[k] = end
    return now
