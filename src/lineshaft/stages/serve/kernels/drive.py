"""The event loop: the next end of an action, arrival, failure or tick, in order of time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lineshaft.stages.serve.kernels import cache, decode
from lineshaft.stages.serve.kernels.commit import commit, loaded, lose
from lineshaft.stages.serve.kernels.lists import event_pop, event_push, settle, uniform, unlink
from lineshaft.stages.serve.kernels.plan import plan
from lineshaft.stages.serve.kernels.route import RANDOM_STREAM, look, outstanding, send, stir
from lineshaft.stages.serve.kernels.state import (
    ARRIVES,
    AWAY,
    BUSY,
    DOWN,
    DRAINING,
    FAILS,
    IDLE,
    LOADED,
    LOADING,
    NEVER,
    OFF,
    REPAIRED,
    STARTED,
    STARTING,
    UP,
    WAKE,
    World,
    inner,
)


@inner
def _enter_service(w: World, i: int, now_s: float) -> None:
    """An instance takes requests from now on, those that had nowhere to go first."""
    one, f = w.instances[i], w.fleet[0]
    one.there = UP
    one.life += 1
    if f.failing:
        wait_s = -f.mtbf_s * np.log(1.0 - uniform(f.seed, 1 + i, one.failed))
        event_push(w, now_s + wait_s, FAILS, i, one.life)
    while w.ints[f.held_at] >= 0:
        r = w.ints[f.held_at]
        unlink(w, f.held_at, r)
        event_push(w, now_s, ARRIVES, r, 1)


@inner
def _fail(w: World, i: int, now_s: float) -> None:
    one, f = w.instances[i], w.fleet[0]
    if one.doing == BUSY:
        decode.catch_up(w, i, now_s)
    lose(w, i, now_s)
    one.doing = IDLE
    one.until_s = NEVER
    one.was_idle = 1
    settle(w, i)
    one.failed += 1
    one.life += 1
    if one.there == DRAINING:
        one.there = OFF
        one.service_s += now_s - one.service_from_s
    else:
        one.there = DOWN
        event_push(w, now_s + f.restart_s, REPAIRED, i, one.life)


@inner
def _scale(w: World, p: int, now_s: float) -> None:
    """Start or drain instances of a pool, so that each has its share of what is outstanding."""
    f = w.fleet[0]
    first, beyond = w.pools[p].first, w.pools[p].beyond
    total, have = 0, 0
    for i in range(first, beyond):
        one = w.instances[i]
        total += outstanding(w, i)
        have += one.there == UP or one.there == STARTING or one.there == DOWN
    want = min(max(int(np.ceil(total / f.target)), f.least), beyond - first)
    for state in (DRAINING, OFF):
        for i in range(first, beyond):
            one = w.instances[i]
            if have < want and one.there == state:
                have += 1
                one.there = UP
                if state == OFF:
                    one.there = STARTING
                    one.life += 1
                    one.service_from_s = now_s
                    event_push(w, now_s + f.start_s, STARTED, i, one.life)
    for state in (STARTING, UP):
        for i in range(beyond - 1, first - 1, -1):
            one = w.instances[i]
            if have > want and one.there == state:
                have -= 1
                one.there = DRAINING
                if outstanding(w, i) == 0:
                    one.there = OFF
                    one.life += 1
                    one.service_s += now_s - one.service_from_s


@inner
def _sample(w: World, row: NDArray[np.float64], time_s: float) -> None:
    """Time, running, waiting, share of KV blocks in use, instances in service."""
    running, waiting, used, blocks, there = 0, 0, 0.0, 0.0, 0
    for i in range(len(w.instances)):
        one = w.instances[i]
        pool = w.pools[one.pool]
        if i < pool.first or i >= pool.beyond:
            continue
        if one.doing == BUSY:
            decode.catch_up(w, i, time_s)
        running += one.running
        waiting += one.waiting + one.loading
        if one.there == UP or one.there == DRAINING:
            there += 1
            blocks += pool.blocks
            used += pool.blocks - cache.room(w, i) - one.paid  # those of a step in progress
    row[0], row[1], row[2] = time_s, running, waiting
    row[3], row[4], row[5] = used, blocks, there


@inner
def _happen(w: World) -> None:
    """The first event."""
    event = w.events[1]
    now_s, kind, index, life = event.time_s, event.kind, event.index, event.life
    event_pop(w)
    if kind == ARRIVES:
        if w.requests[index].where == AWAY:
            w.requests[index].arrival_s = now_s
        send(w, index, now_s)
    elif kind == LOADED:
        one = w.requests[index]
        if one.where == LOADING and one.restarts == life:
            stir(w, loaded(w, index), now_s)
    elif w.instances[index].life == life:
        if kind == FAILS:
            _fail(w, index, now_s)
        else:  # STARTED or REPAIRED
            _enter_service(w, index, now_s)


@inner
def _begin(w: World) -> None:
    f = w.fleet[0]
    f.next_view_s = f.view_s if f.view_s > 0 else NEVER
    f.next_tick_s = f.interval_s if f.scaling else NEVER
    f.next_sample_s = 0.0 if f.series_s > 0 else NEVER
    for i in range(len(w.instances)):
        one = w.instances[i]
        pool = w.pools[one.pool]
        if pool.first <= i < pool.beyond:
            for s in range(one.store_at, one.store_at + pool.stores):
                cache.reset(w, s)
            if one.there == UP:
                _enter_service(w, i, 0.0)


@inner
def _tick(w: World, series: NDArray[np.float64], now_s: float) -> None:
    """What happens at equal distances of time, before the next event at now_s."""
    f = w.fleet[0]
    if f.next_sample_s <= min(f.next_view_s, f.next_tick_s):
        _sample(w, series[f.samples], f.next_sample_s)
        f.samples += 1
        f.next_sample_s = f.samples * f.series_s
    elif f.next_view_s <= f.next_tick_s:
        # of the refreshes before anything else happens only the last is ever read
        until_s = min(now_s, f.next_sample_s, f.next_tick_s)
        f.next_view_s = max(f.next_view_s, np.floor(until_s / f.view_s) * f.view_s)
        look(w, f.next_view_s)
        f.next_view_s += f.view_s
    else:
        for p in range(len(w.pools)):
            _scale(w, p, f.next_tick_s)
        f.next_tick_s += f.interval_s


@inner
def _loop(w: World, order: NDArray[np.int64], series: NDArray[np.float64]) -> bool:
    """Until all requests have ended; True where the samples need more room first."""
    f = w.fleet[0]
    while f.left > 0:
        i = w.ints[f.instances_at]
        arrives_s, happens_s = NEVER, NEVER
        if f.arrived < len(order):
            arrives_s = w.requests[order[f.arrived]].arrival_s
        if f.events > 0:
            happens_s = w.events[1].time_s
        other_s = min(arrives_s, happens_s)
        now_s = w.instances[i].until_s
        acts = now_s < other_s or (now_s == other_s and w.instances[i].doing == BUSY)
        if not acts:
            now_s = other_s
        if min(f.next_view_s, f.next_tick_s, f.next_sample_s) <= now_s:
            if f.next_sample_s < NEVER and f.samples == len(series):
                return True
            _tick(w, series, now_s)
        elif acts:
            if w.instances[i].doing == BUSY:
                commit(w, i, now_s)
                w.instances[i].doing = WAKE
            else:
                plan(w, i, now_s)
            settle(w, i)
        elif arrives_s < happens_s or (
            arrives_s == happens_s < NEVER and order[f.arrived] < w.events[1].index
        ):
            f.arrived += 1
            send(w, order[f.arrived - 1], arrives_s)
        elif f.events > 0:
            _happen(w)
        else:
            raise RuntimeError("requests are left, and nothing happens any more")
    return False


Run = Callable[[World, NDArray[np.int64]], NDArray[np.float64]]
Spread = Callable[[int, NDArray[np.int64], int], NDArray[np.int64]]


def build(sources: str) -> tuple[Run, Spread]:
    """The compiled event loop, and the instances that random routing takes when all are there.

    `sources` stands for the code of this folder, so that a compiled loop on disk is not taken for
    one of other code.
    """

    @njit(cache=True, nogil=True, error_model="numpy")
    def run(w: World, order: NDArray[np.int64]) -> NDArray[np.float64]:
        """Runs requests to their end, of which `order` arrive by themselves, in this order; returns
        the samples [time, 6]."""
        if len(sources) == 0:
            raise ValueError("the sources of the event loop must be known")
        series = np.empty((64 if w.fleet[0].series_s > 0 else 0, 6))
        _begin(w)
        while _loop(w, order, series):
            series = np.concatenate((series, np.empty_like(series)))
        return series[: w.fleet[0].samples]

    @njit(cache=True, error_model="numpy")
    def spread(seed: int, requests: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        if len(sources) == 0:
            raise ValueError("the sources of the event loop must be known")
        to = np.empty_like(requests)
        for k in range(len(requests)):
            to[k] = int(uniform(seed, RANDOM_STREAM, requests[k]) * count)
        return to

    return run, spread
