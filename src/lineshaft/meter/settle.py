"""From events to accepted tasks, and from closed days to restatements: DAA/1, rules 1 to 8.

extract.py    a file as compact arrays
gather.py     all files of a log: what counts once (rule 1)
effort.py     what agents used, and how late events came
tasks.py      root tasks: accepted when, by whom, touched, eligible, circular (rules 2 to 8)
closing.py    days closed, and closed figures that later events changed
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lineshaft.meter.closing import Change, Closing, closing
from lineshaft.meter.days import MOST_DAYS
from lineshaft.meter.definition import Definition
from lineshaft.meter.effort import Spent, spend
from lineshaft.meter.extract import BETWEEN
from lineshaft.meter.gather import Gathered
from lineshaft.meter.keys import NONE
from lineshaft.meter.measures import Agents, Effort, Settled, Work
from lineshaft.meter.reading import Coverage
from lineshaft.meter.tasks import DAY_US, HOUR_US, Shard, delegations, joined_work, rules_of
from lineshaft.meter.zones import local_days

BYTES_PER_EVENT = 110
BYTES_PER_TASK = 140
"""Of the arrays that settle the tasks of a log."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A log settled as of a moment."""

    settled: Settled
    spent: Spent
    coverage: Coverage
    closing: Closing
    changes: tuple[Change, ...]
    as_of_us: int


def last_arrival(log: Gathered) -> int:
    """The last arrival in a log, replays too; 0 for an empty one."""
    return max((int(p.arrays["arrive"].max()) for p in log.parts if len(p)), default=0)


def settle(
    log: Gathered,
    definition: Definition,
    *,
    as_of_us: int | None = None,
    assumed_human_equiv_min: float | None = None,
    memory_mb: float | None = None,
) -> Settlement:
    """Every root task of a log resolved as of a moment, by default its last arrival.

    `assumed_human_equiv_min` is taken for tasks that state none. With `memory_mb`, tasks are
    settled shard by shard, each in about that much memory.
    """
    as_of = last_arrival(log) if as_of_us is None else as_of_us
    rules = rules_of(definition, as_of, assumed_human_equiv_min)
    shards = _shards(log, memory_mb) if log.parts else 0
    with ThreadPoolExecutor(1) as pool:  # beside each other: neither needs the other
        watermark = round(definition.watermark_h * HOUR_US)
        spending = pool.submit(spend, log, definition.zone, watermark, as_of)
        ready = Shard(log, rules, definition.zone, 0, shards) if shards else None
        links = delegations(log, as_of)
        spent = spending.result()
    ahead = max(rules.implied, 0) // DAY_US + 1
    when = closing(*_span(spent, ahead, as_of, definition.zone), spent.arrivals, definition)
    rank = np.arange(len(log.names), dtype=np.uint32)
    work, changes = [], []
    cover = np.zeros(11, np.int64)
    ranked = False  # names are sorted only where agents tie
    for number in range(shards):
        shard, ready = ready or Shard(log, rules, definition.zone, number, shards), None
        while True:
            tied, fallen = shard.settle(links, rank)
            tied_then, found = shard.changes(links, when)
            if ranked or not (tied or tied_then):
                break
            rank, ranked = _rank(log), True
        work.append(shard.work())
        cover += shard.coverage(fallen)
        changes += found
    done = joined_work(work) if work else _no_work()
    settled, number_of = _numbered(log, done, spent.effort)
    changes = [_renumbered(c, number_of) for c in changes]
    return Settlement(settled, spent, Coverage(*cover.tolist()), when, tuple(changes), as_of)


def _span(spent: Spent, ahead: int, as_of_us: int, zone: str) -> tuple[int, int]:
    """First and last day that can be shown: all of the log, unless a wrong clock made them too
    many; then those up to today."""
    days = spent.effort.day
    if not len(days):
        return 0, -1
    first, last = int(days.min()), int(days.max()) + ahead
    if last - first >= MOST_DAYS:
        today = int(local_days(np.array([as_of_us]), zone)[0])
        last = min(last, max(today, first))
        first = max(first, last - MOST_DAYS + 1)
    return first, last


def _shards(log: Gathered, memory_mb: float | None) -> int:
    if memory_mb is None:
        return 1
    wanted = sum(
        len(p) * BYTES_PER_EVENT + len(p.arrays["task_keys"]) * BYTES_PER_TASK for p in log.parts
    )
    return max(-(-wanted // max(int(memory_mb * 1e6), 1)), 1)


def _rank(log: Gathered) -> NDArray[np.uint32]:
    """[name] its place by tenant and code points."""
    import pyarrow.compute as pc

    order = pc.sort_indices(log.names.names()).to_numpy()
    out = np.empty(len(order), np.uint32)
    out[order] = np.arange(len(order))
    return out


def _no_work() -> Work:
    none = np.zeros(0)
    return Work(np.zeros(0, np.uint32), np.zeros((3, 0), np.int32), none, none,
                np.zeros(0, np.uint32))  # fmt: skip


def _numbered(log: Gathered, work: Work, effort: Effort) -> tuple[Settled, NDArray[np.int64]]:
    """With the agents that did something, in the order of their names: rows and files in another
    order give the same."""
    used = np.zeros(len(log.names) + 1, np.bool_)
    used[work.agent] = True
    used[np.minimum(effort.agent, len(log.names))] = True
    there = np.flatnonzero(used[:-1])
    there = there[np.argsort(_rank(log)[there])] if len(there) else there
    number = np.full(len(log.names) + 1, NONE, np.int64)
    number[there] = np.arange(len(there))
    names = log.names.names().take(there).to_pylist()
    pairs = [name.split(BETWEEN, 1) for name in names]
    agents = Agents(
        tuple(tenant for tenant, _ in pairs),
        tuple(name for _, name in pairs),
        log.embodied[there],
    )
    work = replace(work, agent=number[work.agent].astype(np.uint32))
    spender = number[np.minimum(effort.agent, len(log.names))].astype(np.uint32)
    order = np.argsort((spender.astype(np.int64) << 32) + effort.day)
    columns = {name: getattr(effort, name)[order] for name in Effort.__slots__ if name != "agent"}
    return Settled(agents, work, Effort(agent=spender[order], **columns)), number


def _renumbered(c: Change, number: NDArray[np.int64]) -> Change:
    closed, now = (-1 if a < 0 else int(number[a]) for a in (c.closed, c.now))
    return Change(c.grade, c.day, closed, now, c.late, c.at_us)
