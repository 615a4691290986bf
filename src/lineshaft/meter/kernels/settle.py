"""The rules of DAA/1 on arrays: effort by agent and day, tasks resolved, circles found.

Codes are places in `events.KINDS` and `events.METHODS`; the caller's tests hold them equal. Times
are microseconds UTC, NONE is no agent or task, and a moment of NEVER_US has not come.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]
U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]

ASSIGN, HUMAN_TOUCH, SUBMIT, ACCEPT, REJECT, REVERT, FAIL, CANCEL, EXPIRE, HEARTBEAT = (
    0, 6, 7, 8, 9, 10, 11, 12, 13, 14,
)  # fmt: skip
IMPLICIT, SELF_REPORT, UNKNOWN = 2, 4, 255
OWN_ROOT, SELF_REVIEW = 1, 2
NONE = np.uint32(0xFFFFFFFF)
NEVER_US = np.int64(2**62)

SEEN, DECIDED, ASKED = 1, 2, 4
"""Bits of a task: has an event; has a decision; was asked for by somebody's delegate."""


class Events(NamedTuple):
    """Deciding events, sorted by task and time; those of task t are starts[t] : starts[t + 1]."""

    starts: I64
    ts: I64
    arrive: I64
    kind: U8
    method: U8
    agent: U32
    flags: U8
    requester: U32
    value: F64
    minutes: F64


class Links(NamedTuple):
    """Delegations: of[x] : of[x + 1] are the places of x's pairs (x, y) in `target` (y) and
    `stretch`, the begin of the pair's delegations in ts and arrive, sorted by ts."""

    delegate: NDArray[np.bool_]
    """[name] whether any agent asked it for anything."""
    of: I64
    target: U32
    stretch: I64
    ts: I64
    arrive: I64
    mark: I64
    """[name] scratch: the search that was there last."""
    queue: U32
    """[names + 1] scratch"""
    state: I64
    """[1] searches so far."""


class Rules(NamedTuple):
    """A definition in microseconds, as of a moment."""

    as_of: int
    revocation: int
    implied: int
    """-1 where only stated acceptances count."""
    assumed: float
    """Human-equivalent minutes of tasks that state none; NaN for none."""
    least_value: float
    least_minutes: float
    hops: int
    window: int


class Tasks(NamedTuple):
    """What `settle` finds out, [task, grade] or [task]."""

    accepted: I64
    """When, NEVER_US where not."""
    by: U32
    touches: U32
    circle: U8
    value: F64
    """NaN where not stated."""
    minutes: F64
    stated: U8
    """Whether minutes are stated, and not as assumed."""
    bits: U8


class Days(NamedTuple):
    """Consecutive days: first number, [days + 1] begins, and when each closes."""

    first: int
    starts: I64
    close: I64


# --- effort ---------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def cells(
    agent: U32, day: NDArray[np.int32], counted: NDArray[np.bool_], agents: U32,
    days: NDArray[np.int32], count: int, table: U32, out: U32,
) -> int:  # fmt: skip
    """out[row] the number of its (agent, day), new ones appended to `agents` and `days`; the new
    count. NONE where the row does not count. `table` as in keys.numbered."""
    mask = np.uint64(len(table) - 1)
    for row in range(len(agent)):
        if not counted[row]:
            out[row] = NONE
            continue
        a, d = agent[row], day[row]
        at = (np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(d + 1_000_000)) \
            * np.uint64(0xD6E8FEB86659FD93)  # fmt: skip
        at = (at ^ (at >> np.uint64(32))) & mask
        while True:
            place = table[at]
            if place == 0:
                agents[count], days[count] = a, d
                count += 1
                table[at] = count
                out[row] = count - 1
                break
            if agents[place - 1] == a and days[place - 1] == d:
                out[row] = place - 1
                break
            at = (at + np.uint64(1)) & mask
    return count


@njit(cache=True, nogil=True)
def cell_table(agents: U32, days: NDArray[np.int32], count: int, table: U32) -> None:
    """Fill an empty table with the cells that are known."""
    mask = np.uint64(len(table) - 1)
    for place in range(count):
        a, d = agents[place], days[place]
        at = (np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(d + 1_000_000)) \
            * np.uint64(0xD6E8FEB86659FD93)  # fmt: skip
        at = (at ^ (at >> np.uint64(32))) & mask
        while table[at] != 0:
            at = (at + np.uint64(1)) & mask
        table[at] = place + 1


@njit(cache=True, nogil=True)
def counted_events(cell: U32, kind: U8, out: I64) -> None:
    """out[cell]: events that are not heartbeats."""
    for row in range(len(cell)):
        if cell[row] != NONE and kind[row] != HEARTBEAT:
            out[cell[row]] += 1


@njit(cache=True, nogil=True)
def add_whole(cell: U32, rows: U32, amounts: I64, out: I64) -> None:
    """out[cell]: sums of whole amounts."""
    for k in range(len(rows)):
        c = cell[rows[k]]
        if c != NONE:
            out[c] += amounts[k]


@njit(cache=True, nogil=True)
def add_exact(cell: U32, rows: U32, amounts: F64, high: F64, low: F64) -> None:
    """high[cell] + low[cell]: sums with what each addition lost, so that order does not tell."""
    for k in range(len(rows)):
        c = cell[rows[k]]
        if c != NONE:
            x, total = amounts[k], high[c] + amounts[k]
            part = total - high[c]
            low[c] += (high[c] - (total - part)) + (x - part)
            high[c] = total


@njit(cache=True, nogil=True)
def mark(task: U32, mine: NDArray[np.bool_], out: U8, bit: int) -> None:
    """Set a bit of the tasks of the rows that count."""
    for row in range(len(task)):
        if mine[row] and task[row] != NONE:
            out[task[row]] |= bit


@njit(cache=True, nogil=True)
def suspects(e: Events, limit: I64, out: NDArray[np.bool_]) -> None:
    """Tasks of which an event arrived after limit[row] of their first accept or submit."""
    for task in range(len(e.starts) - 1):
        lo, hi = e.starts[task], e.starts[task + 1]
        first = lo
        while first < hi and e.kind[first] != ACCEPT and e.kind[first] != SUBMIT:
            first += 1
        if first == hi:
            continue
        for i in range(lo, hi):
            if e.arrive[i] > limit[first]:
                out[task] = True
                break


# --- order ----------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def by_task(task: U32, ts: I64, starts: I64, order: I64) -> None:
    """`order`: rows grouped by task and sorted by time within it; `starts` [tasks + 1] its
    groups."""
    for row in range(len(task)):
        starts[task[row] + 1] += 1
    for t in range(1, len(starts)):
        starts[t] += starts[t - 1]
    at = starts[:-1].copy()
    for row in range(len(task)):
        order[at[task[row]]] = row
        at[task[row]] += 1
    for t in range(len(starts) - 1):
        lo, hi = starts[t], starts[t + 1]
        if hi - lo > 32:
            part = order[lo:hi].copy()
            order[lo:hi] = part[np.argsort(ts[part])]
            continue
        for i in range(lo + 1, hi):
            row, when, j = order[i], ts[order[i]], i
            while j > lo and ts[order[j - 1]] > when:
                order[j] = order[j - 1]
                j -= 1
            order[j] = row


# --- one task -------------------------------------------------------------------------------------


@njit(cache=True, nogil=True, inline="always")
def _voids(kind: int) -> bool:
    return REJECT <= kind <= EXPIRE


@njit(cache=True, nogil=True, inline="always")
def resolved(
    e: Events, task: int, view: int, r: Rules, rank: U32, accepted: I64, by: U32
) -> tuple[int, int]:
    """accepted[grade], by[grade]: when and by whom the task is accepted in grade A, B, C as of
    `view`, NEVER_US where it is not. Gives (acceptances that do not stand, ties between agents).

    Backwards in time, so that the next event that voids or stops a wait is known at each.
    """
    for g in range(3):
        accepted[g], by[g] = NEVER_US, NONE
    void, stop = NEVER_US, NEVER_US  # the next one at or after, and the next one after
    fallen, ties = 0, 0
    lo, end = e.starts[task], e.starts[task + 1]
    while end > lo:
        first = end - 1  # events of one instant
        while first > lo and e.ts[first - 1] == e.ts[end - 1]:
            first -= 1
        t = e.ts[first]
        for i in range(first, end):
            if e.arrive[i] <= view and _voids(e.kind[i]):
                void = t
        for i in range(first, end):
            if e.arrive[i] > view or e.agent[i] == NONE:
                continue
            a, kind = e.agent[i], e.kind[i]
            if kind == ACCEPT or (kind == SUBMIT and e.method[i] == SELF_REPORT):
                m = e.method[i]
                if m == UNKNOWN or (kind == ACCEPT and e.flags[i] & SELF_REVIEW):
                    m = SELF_REPORT
                lowest = 2 if m == SELF_REPORT else (0 if m < IMPLICIT else 1)
                if void - t <= r.revocation:
                    fallen += 1
                else:
                    ties += _accept(t, a, lowest, rank, accepted, by)
            T = t + r.implied
            if kind == SUBMIT and r.implied >= 0 and view >= T and void > T and stop > T:
                if void - T <= r.revocation:
                    fallen += 1
                else:
                    ties += _accept(T, a, 1, rank, accepted, by)
        for i in range(first, end):
            k = e.kind[i]
            if e.arrive[i] <= view and (k in (ASSIGN, HUMAN_TOUCH) or _voids(k)):
                stop = t
        end = first
    return fallen, ties


@njit(cache=True, nogil=True, inline="always")
def _accept(T: int, agent: int, lowest: int, rank: U32, accepted: I64, by: U32) -> int:
    """Take an acceptance where it is the first; 1 where two agents tie."""
    tied = 0
    for g in range(lowest, 3):
        same = accepted[g] == T and agent != by[g]
        tied |= same
        if accepted[g] > T or (same and rank[agent] < rank[by[g]]):
            accepted[g], by[g] = T, agent
    return int(tied)


@njit(cache=True, nogil=True, inline="always")
def amount(e: Events, task: int, stated: F64, view: int) -> float:
    """What a task's events state together as of `view`; NaN where none states it."""
    high, low, any_ = 0.0, 0.0, False
    for i in range(e.starts[task], e.starts[task + 1]):
        x = stated[i]
        if e.arrive[i] <= view and x == x:
            total = high + x
            part = total - high
            low += (high - (total - part)) + (x - part)
            high = total
            any_ = True
    return high + low if any_ else np.nan


@njit(cache=True, nogil=True)
def _enough(value: float, minutes: float, r: Rules) -> bool:
    """Whether a task is worth counting; what is not stated is none."""
    v = value if value == value else 0.0
    m = minutes if minutes == minutes else 0.0
    return v >= r.least_value or m >= r.least_minutes


# --- circles --------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _asked(links: Links, pair: int, since: int, until: int, view: int) -> bool:
    """Whether a delegation of the pair lies in [since, until] and had arrived."""
    a, end = links.stretch[pair], links.stretch[pair + 1]
    b = end
    while a < b:
        middle = (a + b) // 2
        if links.ts[middle] < since:
            a = middle + 1
        else:
            b = middle
    while a < end and links.ts[a] <= until:
        if links.arrive[a] <= view:
            return True
        a += 1
    return False


@njit(cache=True, nogil=True)
def leads_back(links: Links, executor: int, requester: int, T: int, view: int, r: Rules) -> bool:
    """Whether delegations lead from the executor to the requester in at most `hops` steps."""
    links.state[0] += 1
    stamp = links.state[0]
    links.queue[0] = executor
    links.mark[executor] = stamp
    begin, end = 0, 1
    for _ in range(r.hops):
        reached = end
        for q in range(begin, end):
            x = links.queue[q]
            for pair in range(links.of[x], links.of[x + 1]):
                y = links.target[pair]
                if links.mark[y] != stamp and _asked(links, pair, T - r.window, T, view):
                    if y == requester:
                        return True
                    links.mark[y] = stamp
                    links.queue[reached] = y
                    reached += 1
        begin, end = end, reached
    return False


@njit(cache=True, nogil=True)
def circular(
    e: Events, task: int, executor: int, T: int, view: int, r: Rules, links: Links
) -> bool:
    """Whether a requester of the task is its executor, or is led back to (rule 7)."""
    for i in range(e.starts[task], e.starts[task + 1]):
        asker = e.requester[i]
        if e.kind[i] != ASSIGN or asker == NONE or not e.flags[i] & OWN_ROOT or e.arrive[i] > view:
            continue
        if asker == executor:
            return True
        if links.delegate[asker] and leads_back(links, executor, asker, T, view, r):
            return True
    return False


# --- all tasks ------------------------------------------------------------------------------------


@njit(cache=True, nogil=True)
def settle(e: Events, r: Rules, rank: U32, links: Links, out: Tasks) -> tuple[int, int]:
    """Resolve every task as of `r.as_of` into `out`, with the bits DECIDED and ASKED; `touches` and
    `circle` come as zeros. Gives (acceptances that do not stand, ties between agents)."""
    fallen, ties = 0, 0
    for task in range(len(e.starts) - 1):
        T, by = out.accepted[task], out.by[task]
        f, t = resolved(e, task, r.as_of, r, rank, T, by)
        fallen += f
        ties += t
        out.value[task] = amount(e, task, e.value, r.as_of)
        minutes = amount(e, task, e.minutes, r.as_of)
        out.stated[task] = minutes == minutes
        out.minutes[task] = minutes if minutes == minutes else r.assumed
        asked, circles, decided = False, False, T[2] != NEVER_US
        for i in range(e.starts[task], e.starts[task + 1]):
            if e.arrive[i] > r.as_of:
                continue
            k = e.kind[i]
            decided |= k == ACCEPT or (_voids(k) and k != REVERT)
            decided |= k == SUBMIT and e.method[i] == SELF_REPORT
            if k == ASSIGN and e.requester[i] != NONE:
                asker = e.requester[i]
                circles |= links.delegate[asker]
                asked |= asker == by[0] or asker == by[1] or asker == by[2]
            if k == HUMAN_TOUCH:
                for g in range(3):
                    out.touches[task, g] += T[g] != NEVER_US and e.ts[i] <= T[g]
        if decided:
            out.bits[task] |= DECIDED
        if circles:
            out.bits[task] |= ASKED
        if not asked and not circles:
            continue
        for g in range(3):
            if T[g] == NEVER_US:
                continue
            if g and T[g] == T[g - 1] and by[g] == by[g - 1]:
                out.circle[task, g] = out.circle[task, g - 1]
            else:
                out.circle[task, g] = circular(e, task, by[g], T[g], r.as_of, r, links)
    return fallen, ties


@njit(cache=True, nogil=True)
def closed(
    tasks: I64, e: Events, day: NDArray[np.int32], implied_day: NDArray[np.int32], days: Days,
    r: Rules, rank: U32, links: Links, now: Tasks, out: I64,
) -> tuple[int, int]:  # fmt: skip
    """Where the figure of a closed day, as it was closed, differs from that of `r.as_of`.

    Of `tasks`, for each day on which one of its acceptances lies and that has closed: resolved with
    what had arrived at the close. out[k]: grade, day, task, agent at the close, agent now (NONE
    where the task did not count for the day). `now` is what counts as of `r.as_of`: accepted is
    NEVER_US where a task does not. Gives (count, ties).
    """
    found, ties = 0, 0
    accepted, by = np.empty(3, np.int64), np.empty(3, np.uint32)
    for task in tasks:
        lo, hi = e.starts[task], e.starts[task + 1]
        last = np.int32(-(2**31))
        begun = found
        for place in range(2 * lo, 2 * hi):
            i = place // 2
            if place % 2 == 0:
                candidate = e.kind[i] == SUBMIT and e.method[i] == SELF_REPORT
                candidate |= e.kind[i] == ACCEPT
                d = day[i]
            else:
                candidate = e.kind[i] == SUBMIT and r.implied >= 0
                d = implied_day[i]
            which = d - days.first
            if not candidate or e.agent[i] == NONE or d == last:
                continue
            if which < 0 or which >= len(days.close) or days.close[which] > r.as_of:
                continue
            last = d
            again = False
            for k in range(begun, found):  # this day was looked at before
                again |= out[k, 1] == d
            if again:
                continue
            view = days.close[which]
            ties += resolved(e, task, view, r, rank, accepted, by)[1]
            minutes = amount(e, task, e.minutes, view)
            minutes = minutes if minutes == minutes else r.assumed
            enough = _enough(amount(e, task, e.value, view), minutes, r)
            begin, end = days.starts[which], days.starts[which + 1]
            for g in range(3):
                then, today = NONE, NONE
                if enough and begin <= accepted[g] < end and not circular(
                    e, task, by[g], accepted[g], view, r, links
                ):  # fmt: skip
                    then = by[g]
                if begin <= now.accepted[task, g] < end:
                    today = now.by[task, g]
                if then != today:
                    out[found, 0], out[found, 1], out[found, 2] = g, d, task
                    out[found, 3], out[found, 4] = then, today
                    found += 1
    return found, ties
