"""The schedule generator: a parallel scheme with decision times and crews that come and go.

Time is in months; capacity is a step per month, held after the last. All functions are plain
loops without randomness, so results do not depend on threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

EPS = 1e-9


@njit(cache=True, nogil=True)
def schedule(
    work: Float,
    release: Float,
    rate: Float,
    least: Float,
    order: Int,
    rank: Int,
    heads: Int,
    successors: Int,
    predecessors: Int,
    capacity: Float,
    next_change: Float,
    outage: Float,
    start: Float,
    finish: Float,
    ready: Float,
    last: Int,
    waited: Int,
    pieces: Float,
) -> int:
    """Fill `start`, `finish`, ... [activity]; return the number of pieces, or -1 if stuck.

    work [a] months with the full crew; release [a] earliest start; rate [a, k] hours per month of
    trade k that the full crew works; least [a] smallest share of the crew; order the list, rank
    its inverse; successors of a are successors[heads[a]:heads[a + 1]]; predecessors [a] their
    number; capacity [k, month] hours; next_change [month] first later month with another
    capacity; outage [k, 2] window without the trade; ready [a] end of the last predecessor,
    `last` [a] which one (-1: none); waited [a] the trade it waited for last (-1: none); pieces
    [piece, 5] activity, from, to, share of the crew, trade that was short (-1: none), kept as far
    as there is room.

    At each decision time (an activity ends, a release, a capacity step) crews first stay with at
    least the smallest share where they work; what is left goes down the list. Nothing that lies
    later than the decision time is read but dates that the plan holds (capacity is read at the
    time itself), so a later duration cannot change an earlier decision. An activity whose crew is
    taken away (a strike) rests and goes on later.
    """
    n, trades = rate.shape
    months = capacity.shape[1]
    left = work.copy()
    waiting = predecessors.copy()
    share = np.zeros(n)
    short_of = np.full(n, -1)
    piece_of = np.full(n, -1)
    free = np.empty(trades)
    pool = np.empty(n, np.int64)
    fresh = np.empty(n, np.int64)
    size = 0
    for i in range(n):
        start[i] = -1.0
        ready[i] = 0.0
        last[i] = -1
        waited[i] = -1
    for i in range(n):
        if waiting[order[i]] == 0:
            pool[size] = order[i]
            size += 1
    t = 0.0
    done = 0
    used = 0
    while done < n:
        month = min(int(t + EPS), months - 1)
        dt = next_change[month] - t
        for k in range(trades):
            free[k] = capacity[k, month]
            if outage[k, 0] <= t + EPS and t + EPS < outage[k, 1]:
                free[k] = 0.0
            for edge in outage[k]:
                if edge > t + EPS:
                    dt = min(dt, edge - t)

        for i in range(size):  # crews stay where they work
            a = pool[i]
            if share[a] > 0.0:
                keep = least[a]
                for k in range(trades):
                    if rate[a, k] * keep > free[k] * (1.0 + EPS):
                        keep = 0.0
                share[a] = keep
                for k in range(trades):
                    free[k] = max(0.0, free[k] - rate[a, k] * keep)

        for i in range(size):  # the rest goes down the list
            a = pool[i]
            if release[a] > t + EPS:
                dt = min(dt, release[a] - t)
                continue
            more = 1.0 - share[a]
            short = -1
            for k in range(trades):
                if rate[a, k] * more > free[k] * (1.0 + EPS):
                    more = free[k] / rate[a, k]
                    short = k
            short_of[a] = short
            if share[a] + more < least[a] * (1.0 - EPS):
                if start[a] < 0.0:
                    waited[a] = short
                continue
            share[a] += more
            for k in range(trades):
                free[k] = max(0.0, free[k] - rate[a, k] * more)
            if start[a] < 0.0:
                start[a] = t
            dt = min(dt, left[a] / share[a])
        if dt == np.inf:
            return -1

        end = t + dt
        for i in range(size):
            a = pool[i]
            if share[a] <= 0.0 or dt <= 0.0:
                continue
            p = piece_of[a]
            if (
                p >= 0
                and pieces[p, 2] == t
                and pieces[p, 3] == share[a]
                and pieces[p, 4] == short_of[a]
            ):
                pieces[p, 2] = end
                continue
            if used < pieces.shape[0]:
                pieces[used, 0] = a
                pieces[used, 1] = t
                pieces[used, 2] = end
                pieces[used, 3] = share[a]
                pieces[used, 4] = short_of[a]
                piece_of[a] = used
            used += 1
        t = end

        held = 0
        new = 0
        for i in range(size):
            a = pool[i]
            left[a] -= share[a] * dt
            if share[a] <= 0.0 or left[a] > EPS:
                pool[held] = a
                held += 1
                continue
            share[a] = 0.0
            finish[a] = t
            done += 1
            for j in range(heads[a], heads[a + 1]):
                b = successors[j]
                waiting[b] -= 1
                if waiting[b] == 0:
                    ready[b] = t
                    last[b] = a
                    fresh[new] = b
                    new += 1
        size = held
        for i in range(new):  # sorted into the pool by rank
            b = fresh[i]
            j = size
            while j > 0 and rank[pool[j - 1]] > rank[b]:
                pool[j] = pool[j - 1]
                j -= 1
            pool[j] = b
            size += 1
    return used


@njit(cache=True, nogil=True)
def finishes(
    work: Float,
    release: Float,
    rate: Float,
    least: Float,
    order: Int,
    rank: Int,
    heads: Int,
    successors: Int,
    predecessors: Int,
    capacity: Float,
    next_change: Float,
    outage: Float,
) -> Float:
    """Finish [draw, activity] of the same list under work and release [draw, activity] and
    outage [draw, k, 2]; a draw that gets stuck is infinite."""
    draws, n = work.shape
    finish = np.full((draws, n), np.inf)
    start = np.empty(n)
    ready = np.empty(n)
    last = np.empty(n, np.int64)
    waited = np.empty(n, np.int64)
    pieces = np.empty((0, 5))
    for s in range(draws):
        used = schedule(
            work[s],
            release[s],
            rate,
            least,
            order,
            rank,
            heads,
            successors,
            predecessors,
            capacity,
            next_change,
            outage[s],
            start,
            finish[s],
            ready,
            last,
            waited,
            pieces,
        )
        if used < 0:
            finish[s] = np.inf
    return finish
