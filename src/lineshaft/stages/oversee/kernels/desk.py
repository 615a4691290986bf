"""What the review desk is made of: tasks, reviewers, lists and heaps. Plain data, no rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
OPTIONS: Any = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
UNCOUNTED: Any = {"_nrt": False}


def inner(function: Function) -> Function:
    """Compiled into `queue.build`'s `run`, which alone is cached on disk, with all that it calls.

    It never makes an array, so it counts no references, which would take half of the time.
    """
    compiled: Function = njit(**OPTIONS, **UNCOUNTED)(function)
    return compiled


def maker(function: Function) -> Function:
    """The same for what makes arrays."""
    compiled: Function = njit(**OPTIONS)(function)
    return compiled


# service laws, in the order of simulate.LAWS
EXPONENTIAL, LOGNORMAL, FIXED, SIZE = 0, 1, 2, 3
# what is reviewed, in the order of simulate.POLICIES
ALL, SHARE, CSP1, INDEX = 0, 1, 2, 3
# flags of a task in the queue
DEFECT, SEEDED, MEASURED, FOUND, EXPIRES = 1, 2, 4, 8, 16
# results of a stream, in the order in which it was produced
OPEN, CLEAN, BAD, GONE = 0, 1, 2, 3
# what a reviewer does
OFF, IDLE, BUSY, REST = 0, 1, 2, 3

CLASS = np.dtype(
    [
        ("upto", "f8"),  # share of the tasks that are of this class or of one before it
        ("service_s", "f8"),
        ("law", "i8"),
        ("sigma", "f8"),  # of the logarithm of service, or of size
        ("power", "f8"),  # service grows with size to this power
        ("lines", "f8"),  # mean size; 0: without one
        ("lines_read", "f8"),  # most that a reviewer reads
        ("defects", "f8"),
        ("spread", "f8"),  # correlation of the risk within the class, 0 to below 1
        ("detection", "f8"),
        ("false_alarms", "f8"),
        ("retry_defects", "f8"),
        ("patience_s", "f8"),
        ("expiry_s", "f8"),
        ("loss_usd", "f8"),
        ("policy", "i8"),
        ("share", "f8"),
        ("clearance", "i8"),
    ]
)
RULES = np.dtype(
    [
        ("seeds", "f8"),  # planted defects per reviewed task
        ("least_usd_per_min", "f8"),  # of the index rule
        ("merges", "i8"),  # whether what is abandoned is taken without review
        ("rework_share", "f8"),
        ("rework_delay_s", "f8"),
        ("rework_limit", "i8"),
        ("send_back_s", "f8"),
        ("bias", "f8"),  # share of reviews that follow the agent without looking
        ("fade_from_s", "f8"),
        ("fade_to_s", "f8"),
        ("fade_detection", "f8"),
        ("fade_speed", "f8"),
        ("work_s", "f8"),  # on task before a break
        ("break_s", "f8"),
        ("handover_s", "f8"),
        ("shift_slots", "i8"),  # of the roster's slots; 0: no shifts
    ]
)
JOB = np.dtype(
    [
        ("queued", "f8"),
        ("finished", "f8"),
        ("deadline", "f8"),
        ("service", "f8"),
        ("look", "f8"),  # uniform: a defect is seen where it lies below the detection
        ("keen", "f8"),  # detection of this task by a fresh reviewer
        ("next", "i4"),
        ("cls", "i4"),
        ("tries", "i4"),
        ("flags", "i4"),
        ("place", "i4"),  # among what is chosen of its class, over and over
    ]
)
REVIEWER = np.dtype(
    [
        ("spell", "f8"),  # since when without a rest
        ("idle", "f8"),
        ("off", "f8"),  # end of the shift that he works beyond
        ("extra", "f8"),  # hand-over that delays what he does
        ("job", "i4"),
        ("state", "i4"),
        ("before", "i4"),
        ("after", "i4"),
        ("on", "i4"),
    ]
)
COUNTS = (
    *("arrived", "passed", "accepted", "rejected", "abandoned", "expired", "waiting"),
    *("chosen", "reviews", "returned", "escaped", "defects", "found", "false_alarms"),
    *("planted", "planted_found"),
)
"""Columns of the counts, per class, of tasks finished after the warm-up."""
ARRIVED, PASSED, ACCEPTED, REJECTED, ABANDONED, EXPIRED, WAITING = range(7)
CHOSEN, REVIEWS, RETURNED, ESCAPED, DEFECTS, SEEN, ALARMED, PLANTED, PLANTED_SEEN = range(7, 16)

NUMBERS = np.dtype(
    [
        ("done", "i8"),
        ("back", "i8"),
        ("free", "i8"),
        ("idle_first", "i8"),
        ("idle_last", "i8"),
        ("on", "i8"),
        ("queued", "i8"),
        ("visits", "i8"),
        ("slot", "i8"),
        ("slot_end", "f8"),
        ("arrive", "f8"),
        ("turn", "f8"),
        ("turns", "i8"),
    ]
)
"""How full the arrays of a `Desk` are, the ends of its lists, the next task and the next turn of
the roster."""


class Desk(NamedTuple):
    """All that changes while the desk runs."""

    classes: Any
    """[class] CLASS"""
    rule: Any
    """[1] RULES"""
    n: Any
    """[1] NUMBERS"""
    jobs: Any
    """[room] JOB: those here, and a list of free places."""
    people: Any
    """[reviewer] REVIEWER"""
    done_t: Any
    """Heap of when reviewers are done, with `done_i`."""
    done_i: Any
    back_t: Any
    """Heap of when rejected tasks come back, with `back_i`."""
    back_i: Any
    first: Any
    """[class] queues."""
    last: Any
    clean: Any
    """[class] reviewed without a defect since the last (CSP-1)."""
    phase: Any
    """[class] number of the phase (CSP-1): everything is reviewed in even ones, else a share."""
    result: Any
    """[class, place] results not yet read (CSP-1), with the phase in which they were chosen."""
    chosen_in: Any
    read: Any
    """[class] results read, and tasks chosen, in all."""
    chosen: Any
    waits: Any
    """[visit] s, with their class in `kinds`."""
    kinds: Any
    counts: Any
    """[class, COUNTS]"""
    settled_s: Any
    """[class] seconds from finishing to acceptance, summed over those accepted by a reviewer."""
    totals: Any
    """Busy s, overtime s, s in the queue."""


# --- heaps: times with numbers, smallest first ----------------------------------------------------


@inner
def push(times: Any, ids: Any, n: int, t: float, i: int) -> None:
    """Put (t, i) into a heap of n."""
    at = n
    while at > 0:
        up = (at - 1) >> 1
        if times[up] <= t:
            break
        times[at], ids[at] = times[up], ids[up]
        at = up
    times[at], ids[at] = t, i


@inner
def pop(times: Any, ids: Any, n: int) -> None:
    """Take the first out of a heap of n."""
    t, i = times[n - 1], ids[n - 1]
    at, last = 0, n - 1
    while True:
        down = 2 * at + 1
        if down >= last:
            break
        if down + 1 < last and times[down + 1] < times[down]:
            down += 1
        if times[down] >= t:
            break
        times[at], ids[at] = times[down], ids[down]
        at = down
    times[at], ids[at] = t, i


# --- places for tasks and waits -------------------------------------------------------------------


@maker
def opened(classes: Any, rule: Any, most: int) -> Desk:
    """A desk with nothing to do."""
    k_all = len(classes)
    n = np.zeros(1, NUMBERS)
    n[0].idle_first = n[0].idle_last = -1
    people = np.zeros(most, REVIEWER)
    for s in range(most):
        people[s].job = -1
        people[s].off = np.inf
    jobs = np.zeros(1024, JOB)
    for j in range(1024):
        jobs[j].next = j + 1
    return Desk(
        classes,
        rule,
        n,
        jobs,
        people,
        np.empty(most + 1),
        np.empty(most + 1, np.int32),
        np.empty(256),
        np.empty(256, np.int32),
        np.full(k_all, -1, np.int32),
        np.full(k_all, -1, np.int32),
        np.zeros(k_all, np.int64),
        np.zeros(k_all, np.int32),
        np.zeros((k_all, 1024), np.int8),
        np.zeros((k_all, 1024), np.int32),
        np.zeros(k_all, np.int64),
        np.zeros(k_all, np.int64),
        np.empty(4096),
        np.empty(4096, np.int8),
        np.zeros((k_all, len(COUNTS)), np.int64),
        np.zeros(k_all),
        np.zeros(3),
    )


@inner
def full_jobs(d: Desk) -> bool:
    """Whether there is no room for two more tasks."""
    return bool(d.jobs[d.n[0].free].next >= len(d.jobs) - 1)


@inner
def full_waits(d: Desk) -> bool:
    """Whether one event might find that more have left the queue than can be noted."""
    return bool(d.n[0].visits + d.n[0].queued + 2 > len(d.waits))


@inner
def full_results(d: Desk) -> bool:
    """Whether a stream has as many results to come as there are places."""
    most = 0
    for k in range(len(d.classes)):
        most = max(most, d.chosen[k] - d.read[k])
    return bool(most >= d.result.shape[1] - 1)


@inner
def cramped(d: Desk) -> bool:
    """Whether one more event might need more room."""
    return bool(full_jobs(d) or full_waits(d) or full_results(d) or d.n[0].back == len(d.back_t))


@maker
def roomier(d: Desk) -> Desk:
    """The same desk, with arrays of twice the size where they are full."""
    jobs, back_t, back_i, waits, kinds = d.jobs, d.back_t, d.back_i, d.waits, d.kinds
    result, chosen_in = d.result, d.chosen_in
    if full_jobs(d):
        old = len(d.jobs)
        jobs = np.zeros(2 * old, JOB)
        jobs[:old] = d.jobs
        for j in range(old, 2 * old):
            jobs[j].next = j + 1
    if full_waits(d):
        waits = np.concatenate((d.waits, np.empty(len(d.waits) + d.n[0].queued)))
        kinds = np.concatenate((d.kinds, np.empty(len(d.waits) + d.n[0].queued, np.int8)))
    if d.n[0].back == len(d.back_t):
        back_t = np.concatenate((d.back_t, np.empty(len(d.back_t))))
        back_i = np.concatenate((d.back_i, np.empty(len(d.back_i), np.int32)))
    if full_results(d):
        k_all, places = d.result.shape
        result = np.zeros((k_all, 2 * places), np.int8)
        chosen_in = np.zeros((k_all, 2 * places), np.int32)
        for k in range(k_all):
            for at in range(d.read[k], d.chosen[k]):
                result[k, at % (2 * places)] = d.result[k, at % places]
                chosen_in[k, at % (2 * places)] = d.chosen_in[k, at % places]
        for j in range(len(jobs)):
            # Places go on counting in the larger ring: that of the tasks here is theirs again.
            k = jobs[j].cls
            at = d.read[k] + (jobs[j].place - d.read[k]) % places
            jobs[j].place = at % (2 * places)
    return Desk(
        d.classes,
        d.rule,
        d.n,
        jobs,
        d.people,
        d.done_t,
        d.done_i,
        back_t,
        back_i,
        d.first,
        d.last,
        d.clean,
        d.phase,
        result,
        chosen_in,
        d.read,
        d.chosen,
        waits,
        kinds,
        d.counts,
        d.settled_s,
        d.totals,
    )


@inner
def release(d: Desk, j: int) -> None:
    """The task is settled; its place is free."""
    d.jobs[j].next = d.n[0].free
    d.n[0].free = j


@inner
def enqueue(d: Desk, j: int) -> None:
    """Last in the line of its class."""
    k = d.jobs[j].cls
    d.jobs[j].next = -1
    if d.last[k] >= 0:
        d.jobs[d.last[k]].next = j
    else:
        d.first[k] = j
    d.last[k] = j
    d.n[0].queued += 1


# --- reviewers ------------------------------------------------------------------------------------


@inner
def stand_by(d: Desk, s: int, t: float) -> None:
    """Idle, behind all who have been idle for longer."""
    one, n = d.people[s], d.n[0]
    one.state, one.idle = IDLE, t
    one.before, one.after = n.idle_last, -1
    if n.idle_last >= 0:
        d.people[n.idle_last].after = s
    else:
        n.idle_first = s
    n.idle_last = s


@inner
def stand_up(d: Desk, s: int) -> None:
    """No longer idle."""
    b, a, n = d.people[s].before, d.people[s].after, d.n[0]
    if b >= 0:
        d.people[b].after = a
    else:
        n.idle_first = a
    if a >= 0:
        d.people[a].before = b
    else:
        n.idle_last = b


@inner
def occupy(d: Desk, s: int, state: int, until: float) -> None:
    """At work or at rest until then."""
    d.people[s].state = state
    push(d.done_t, d.done_i, d.n[0].done, until, s)
    d.n[0].done += 1
