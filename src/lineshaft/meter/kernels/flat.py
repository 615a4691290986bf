"""Rows of a flat log added up by agent and day, in a hash table of records.

A record is one agent-day and fills one line of a processor's cache, its key included: a row costs
one look into the table and one into its record. Tables hold places + 1, 0 where empty; their length
is a power of two and more than twice the records. Where there is no room for another record, a
kernel returns the row at which it stopped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

RECORD = np.dtype(
    [
        ("agent", np.int64),
        ("tokens", np.int64),
        ("cost_usd", np.float64),
        ("human_s", np.float64),
        ("day", np.int32),
        ("events", np.uint32),
        ("accepted_a", np.uint32),
        ("accepted_b", np.uint32),
        ("accepted_c", np.uint32),
        ("untouched_a", np.uint32),
        ("untouched_b", np.uint32),
        ("untouched_c", np.uint32),
    ]
)
"""What is added up; `untouched` counts accepted rows without human seconds."""


@njit(cache=True, nogil=True, inline="always")
def _place(agent: Any, day: Any, mask: Any) -> Any:
    h = (np.uint64(agent) ^ (np.uint64(day) << np.uint64(40))) * np.uint64(0x9E3779B97F4A7C15)
    return ((h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(20) & mask


@njit(cache=True, nogil=True, inline="always")
def _found(records: Array, table: Array, mask: Any, agent: Any, day: Any, count: int) -> Any:
    """Place of the record of (agent, day); `count`, where its new one belongs, if there is none."""
    j = _place(agent, day, mask)
    while True:
        at = np.int64(table[j]) - 1
        if at < 0:
            table[j] = count + 1
            return count
        if records[at].agent == agent and records[at].day == day:
            return at
        j = (j + np.uint64(1)) & mask


@njit(cache=True, nogil=True, inline="always")
def _begin(record: Any, agent: Any, day: Any) -> None:
    record.agent = agent
    record.day = day
    record.tokens = 0
    record.cost_usd = 0.0
    record.human_s = 0.0
    record.events = 0
    record.accepted_a = record.accepted_b = record.accepted_c = 0
    record.untouched_a = record.untouched_b = record.untouched_c = 0


@njit(cache=True, nogil=True)
def scatter(
    row: int,
    agent: Array,
    ts_us: Array,
    accepted: Array,
    tokens: Array,
    cost_usd: Array,
    human_s: Array,
    starts: Array,
    offsets: Array,
    records: Array,
    count: int,
    table: Array,
) -> tuple[int, int, int]:
    """Add rows from `row` on; return (rows done, records, negative quantities).

    `accepted` has the bits 1, 2, 4 for grades A, B, C. `starts` and `offsets` are the stretches of
    the zone (`zones.changes`). A negative quantity and NaN state nothing.
    """
    mask = np.uint64(len(table) - 1)
    room = min(len(records), len(table) // 2)
    negative = 0
    at = 0
    lo, hi, day = np.int64(1), np.int64(0), np.int64(0)  # instants [lo, hi) lie in `day`
    for i in range(row, len(agent)):
        if count >= room:
            return i, count, negative
        ts = np.int64(ts_us[i])
        if ts < lo or ts >= hi:
            while at + 1 < len(starts) and ts >= starts[at + 1]:
                at += 1
            while ts < starts[at]:
                at -= 1
            day = (ts + offsets[at]) // 86_400_000_000
            lo = max(day * 86_400_000_000 - offsets[at], starts[at])
            hi = (day + 1) * 86_400_000_000 - offsets[at]
            if at + 1 < len(starts):
                hi = min(hi, starts[at + 1])
        who = np.int64(agent[i])
        k = _found(records, table, mask, who, day, count)
        record = records[k]
        if k == count:
            _begin(record, who, day)
            count += 1
        record.events += 1
        if tokens[i] >= 0:
            record.tokens += tokens[i]
        else:
            negative += 1
        if cost_usd[i] >= 0:
            record.cost_usd += cost_usd[i]
        elif cost_usd[i] < 0:
            negative += 1
        touched = human_s[i] > 0
        if touched:
            record.human_s += human_s[i]
        elif human_s[i] < 0:
            negative += 1
        grade = np.uint32(accepted[i])
        one = np.uint32(1)
        a, b, c = grade & one, (grade >> one) & one, (grade >> np.uint32(2)) & one
        alone = np.uint32(not touched)
        record.accepted_a += a
        record.accepted_b += b
        record.accepted_c += c
        record.untouched_a += a & alone
        record.untouched_b += b & alone
        record.untouched_c += c & alone
    return len(agent), count, negative


@njit(cache=True, nogil=True)
def gather(
    row: int, source: Array, number: Array, records: Array, count: int, table: Array
) -> tuple[int, int]:
    """Add records of another table, whose agents have these numbers here; as `scatter`."""
    mask = np.uint64(len(table) - 1)
    room = min(len(records), len(table) // 2)
    for i in range(row, len(source)):
        if count >= room:
            return i, count
        given = source[i]
        who = np.int64(number[i])
        k = _found(records, table, mask, who, given.day, count)
        record = records[k]
        if k == count:
            _begin(record, who, given.day)
            count += 1
        record.events += given.events
        record.tokens += given.tokens
        record.cost_usd += given.cost_usd
        record.human_s += given.human_s
        record.accepted_a += given.accepted_a
        record.accepted_b += given.accepted_b
        record.accepted_c += given.accepted_c
        record.untouched_a += given.untouched_a
        record.untouched_b += given.untouched_b
        record.untouched_c += given.untouched_c
    return len(source), count


@njit(cache=True, nogil=True)
def rehash(records: Array, count: int, table: Array) -> None:
    """Fill an empty table with the places of the records."""
    mask = np.uint64(len(table) - 1)
    for at in range(count):
        j = _place(records[at].agent, records[at].day, mask)
        while table[j] != 0:
            j = (j + np.uint64(1)) & mask
        table[j] = at + 1


@njit(cache=True, nogil=True)
def order(records: Array, agents: int) -> Array:
    """Places of the records in the order of (agent, day); agents from `agents` on come last."""
    first, last = records[0].day, records[0].day
    for i in range(len(records)):
        first, last = min(first, records[i].day), max(last, records[i].day)
    starts = np.zeros(last - first + 2, np.int64)
    for i in range(len(records)):
        starts[records[i].day - first + 1] += 1
    for d in range(len(starts) - 1):
        starts[d + 1] += starts[d]
    by_day = np.empty(len(records), np.uint32)
    for i in range(len(records)):
        d = records[i].day - first
        by_day[starts[d]] = i
        starts[d] += 1
    starts = np.zeros(agents + 2, np.int64)
    for i in range(len(records)):
        starts[min(records[i].agent, agents) + 1] += 1
    for a in range(agents + 1):
        starts[a + 1] += starts[a]
    out = np.empty(len(records), np.uint32)
    for k in range(len(records)):
        a = min(records[by_day[k]].agent, agents)
        out[starts[a]] = by_day[k]
        starts[a] += 1
    return out


@njit(cache=True, nogil=True)
def columns(
    records: Array,
    order: Array,
    agent: Array,
    day: Array,
    events: Array,
    accepted: Array,
    untouched: Array,
    tokens: Array,
    cost_usd: Array,
    human_s: Array,
) -> None:
    """Write the records in an order as columns; `accepted` and `untouched` are [3, record]."""
    for k in range(len(order)):
        record = records[order[k]]
        agent[k] = record.agent
        day[k] = record.day
        events[k] = record.events
        tokens[k] = record.tokens
        cost_usd[k] = record.cost_usd
        human_s[k] = record.human_s
        accepted[0, k] = record.accepted_a
        accepted[1, k] = record.accepted_b
        accepted[2, k] = record.accepted_c
        untouched[0, k] = record.untouched_a
        untouched[1, k] = record.untouched_b
        untouched[2, k] = record.untouched_c
