"""Linked lists of requests, and heaps: of requests by their end, of instances, of events."""

from __future__ import annotations

import numpy as np

from lineshaft.stages.serve.kernels.state import RUN, WAKE, World, inner

# --- lists -------------------------------------------------------------------------------------


@inner
def append(w: World, at: int, r: int) -> None:
    """To the end of the list whose head and tail are w.ints[at] and w.ints[at + 1]."""
    last = w.ints[at + 1]
    w.requests[r].next = -1
    w.requests[r].previous = last
    if last < 0:
        w.ints[at] = r
    else:
        w.requests[last].next = r
    w.ints[at + 1] = r


@inner
def insert(w: World, at: int, r: int, before: int) -> None:
    """Into the list before `before`, -1 for the end."""
    if before < 0:
        append(w, at, r)
        return
    previous = w.requests[before].previous
    w.requests[r].next = before
    w.requests[r].previous = previous
    w.requests[before].previous = r
    if previous < 0:
        w.ints[at] = r
    else:
        w.requests[previous].next = r


@inner
def unlink(w: World, at: int, r: int) -> None:
    before, behind = w.requests[r].previous, w.requests[r].next
    if before < 0:
        w.ints[at] = behind
    else:
        w.requests[before].next = behind
    if behind < 0:
        w.ints[at + 1] = before
    else:
        w.requests[behind].previous = before


@inner
def run_append(w: World, i: int, r: int) -> None:
    """To the end of those who run."""
    at = w.instances[i].lists_at + RUN
    last = w.ints[at + 1]
    w.requests[r].run_next = -1
    w.requests[r].run_previous = last
    if last < 0:
        w.ints[at] = r
    else:
        w.requests[last].run_next = r
    w.ints[at + 1] = r
    w.instances[i].order += 1
    w.requests[r].order = w.instances[i].order
    w.instances[i].running += 1


@inner
def run_unlink(w: World, i: int, r: int) -> None:
    at = w.instances[i].lists_at + RUN
    before, behind = w.requests[r].run_previous, w.requests[r].run_next
    if before < 0:
        w.ints[at] = behind
    else:
        w.requests[before].run_next = behind
    if behind < 0:
        w.ints[at + 1] = before
    else:
        w.requests[behind].run_previous = before
    w.instances[i].running -= 1


# --- decoding requests of an instance, by their end --------------------------------------------


@inner
def _ends_before(w: World, a: int, b: int) -> bool:
    left, right = w.requests[a], w.requests[b]
    return bool(left.end < right.end or (left.end == right.end and left.order < right.order))


@inner
def _end_up(w: World, at: int, j: int) -> None:
    r = w.ints[at + j]
    while j > 0:
        above = (j - 1) >> 1
        other = w.ints[at + above]
        if not _ends_before(w, r, other):
            break
        w.ints[at + j] = other
        j = above
    w.ints[at + j] = r


@inner
def _end_down(w: World, at: int, size: int, j: int) -> None:
    r = w.ints[at + j]
    while True:
        below = 2 * j + 1
        if below >= size:
            break
        if below + 1 < size and _ends_before(w, w.ints[at + below + 1], w.ints[at + below]):
            below += 1
        if not _ends_before(w, w.ints[at + below], r):
            break
        w.ints[at + j] = w.ints[at + below]
        j = below
    w.ints[at + j] = r


@inner
def end_push(w: World, at: int, size: int, r: int) -> None:
    w.ints[at + size] = r
    _end_up(w, at, size)


@inner
def end_remove(w: World, at: int, size: int, r: int) -> None:
    j = 0
    while w.ints[at + j] != r:
        j += 1
    last = w.ints[at + size - 1]
    if last == r:
        return
    w.ints[at + j] = last
    _end_up(w, at, j)
    _end_down(w, at, size - 1, j)


# --- instances, by the end of what they do ------------------------------------------------------


@inner
def _first(w: World, a: int, b: int) -> bool:
    """At equal times actions end before anyone starts a new one."""
    left, right = w.instances[a], w.instances[b]
    if left.until_s != right.until_s:
        return bool(left.until_s < right.until_s)
    if (left.doing == WAKE) != (right.doing == WAKE):
        return bool(right.doing == WAKE)
    return bool(a < b)


@inner
def settle(w: World, i: int) -> None:
    """Put an instance whose time has changed in its place."""
    at, size = w.fleet[0].instances_at, w.fleet[0].instances
    j = w.instances[i].heap_at
    while j > 0:
        above = (j - 1) >> 1
        other = w.ints[at + above]
        if not _first(w, i, other):
            break
        w.ints[at + j] = other
        w.instances[other].heap_at = j
        j = above
    while True:
        below = 2 * j + 1
        if below >= size:
            break
        if below + 1 < size and _first(w, w.ints[at + below + 1], w.ints[at + below]):
            below += 1
        other = w.ints[at + below]
        if not _first(w, other, i):
            break
        w.ints[at + j] = other
        w.instances[other].heap_at = j
        j = below
    w.ints[at + j] = i
    w.instances[i].heap_at = j


# --- events -------------------------------------------------------------------------------------


@inner
def _sooner(w: World, a: int, b: int) -> bool:
    left, right = w.events[a], w.events[b]
    if left.time_s != right.time_s:
        return bool(left.time_s < right.time_s)
    if left.index != right.index:
        return bool(left.index < right.index)
    return bool(left.sequence < right.sequence)


@inner
def _copy(w: World, to: int, source: int) -> None:
    w.events[to].time_s = w.events[source].time_s
    w.events[to].sequence = w.events[source].sequence
    w.events[to].life = w.events[source].life
    w.events[to].kind = w.events[source].kind
    w.events[to].index = w.events[source].index


@inner
def event_push(w: World, time_s: float, kind: int, index: int, life: int) -> None:
    """The place after the last serves as the hand that holds one."""
    f = w.fleet[0]
    j = f.events + 1  # places from 1; 0 is the hand
    if j >= len(w.events):
        raise MemoryError("more events than requests allow")
    f.events = j
    f.sequence += 1
    w.events[0].time_s = time_s
    w.events[0].sequence = f.sequence
    w.events[0].life = life
    w.events[0].kind = kind
    w.events[0].index = index
    while j > 1 and _sooner(w, 0, j >> 1):
        _copy(w, j, j >> 1)
        j >>= 1
    _copy(w, j, 0)


@inner
def event_pop(w: World) -> None:
    """Take out the first event, w.events[1]."""
    f = w.fleet[0]
    size = f.events - 1
    _copy(w, 0, f.events)
    f.events = size
    j = 1
    while 2 * j <= size:
        below = 2 * j
        if below < size and _sooner(w, below + 1, below):
            below += 1
        if not _sooner(w, below, 0):
            break
        _copy(w, j, below)
        j = below
    _copy(w, j, 0)


# --- random numbers -----------------------------------------------------------------------------


@inner
def uniform(seed: int, stream: int, count: int) -> float:
    """Between 0 and 1, by a counter (SplitMix64): the same for the same three numbers."""
    x = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(stream + 1)
    x ^= np.uint64(0xD1B54A32D192ED03) * np.uint64(count + 1)
    for _ in range(2):
        x += np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return float((x >> np.uint64(11)) * 2.0**-53)
