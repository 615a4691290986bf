"""Settled flat logs: one row per event, its outcome known, from Parquet to the day figures.

Row groups are decoded and added up by agent and day on threads, a part of a file each; the parts
are joined in the order of the files, so the result does not depend on the number of threads. What a
part came to is kept in a store, where one is given, and read from there the next time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.meter.compact import NONE, Store
from lineshaft.meter.days import MEMORY_MB, THREADS, Span, distinct, exact, whole
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import Faults
from lineshaft.meter.flat_parts import AgentNumbers, Columns, Part, Table, kept, parts
from lineshaft.meter.measures import Floats, Grade, Ints, Measures

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Columns", "Rollup", "measure"]


@dataclass(frozen=True, slots=True)
class Rollup:
    """What agents did, by agent and local day. Sorted by (agent, day), each pair once."""

    agents: pa.Array
    """The agents' ids in the order of their numbers: int64 or strings."""
    agent: NDArray[np.uint32]
    """NONE where rows have no agent."""
    day: NDArray[np.int32]
    events: NDArray[np.uint32]
    accepted: NDArray[np.uint32]
    """[3, row] accepted events in grade A, B, C."""
    tokens: Ints
    cost_usd: Floats
    human_s: Floats
    faults: Faults = field(default_factory=Faults)


def measure(
    paths: Path | Sequence[Path],
    definition: Definition,
    columns: Columns | None = None,
    *,
    first_day: int | None = None,
    last_day: int | None = None,
    store: Store | None = None,
    threads: int = THREADS,
    memory_mb: float = MEMORY_MB,
) -> tuple[Measures, Rollup]:
    """(all day figures, the agent-day table) of Parquet files, or of all that lie in folders.

    A row is a task of its own, accepted where it says so and without a touch where its human
    seconds are 0; the log states neither value nor human-equivalent minutes, and its tokens count
    as `tokens_out`. A row without a time is set aside, a negative quantity counts as not stated, a
    file that cannot be read is left out: `Rollup.faults` counts them.

    InputError where a path is absent, a column is missing or of a wrong type, or the log covers
    more days than `measure` of settled work takes.
    """
    definition.check()
    found = _files([paths] if isinstance(paths, Path) else paths)
    rollup, untouched = _rollup(found, definition.zone, columns or Columns(), store, threads)
    return _measures(rollup, untouched, definition, first_day, last_day, memory_mb, threads), rollup


def _measures(
    rollup: Rollup,
    untouched: NDArray[np.uint32],
    definition: Definition,
    first_day: int | None,
    last_day: int | None,
    memory_mb: float,
    threads: int,
) -> Measures:
    day, count = rollup.day, len(rollup.agents)
    span = Span.over([day], first_day, last_day, definition)
    none = np.zeros(count, np.bool_)
    grades: list[Grade] = []
    for g in range(3):
        accepted = rollup.accepted[g]
        if g and np.array_equal(accepted, rollup.accepted[g - 1]):
            grades.append(grades[-1])
            continue
        flags = (accepted > 0).view(np.uint8)
        counts = distinct(rollup.agent, day, flags, 1, span, none, memory_mb, threads)
        tasks = whole(day, span, accepted)
        grades.append(
            Grade(
                **counts.figures,
                accepted=tasks,
                untouched=whole(day, span, untouched[g]),
                value_usd=np.zeros(span.days),
                human_equiv_min=np.zeros(span.days),
                unvalued=tasks,
                unmeasured=tasks,
                effective=np.zeros(span.days),
                value_sum=np.zeros(count),
                active_days=counts.active_days,
            )
        )
    nothing = np.zeros(span.days, np.int64)
    return Measures(
        span.first,
        (grades[0], grades[1], grades[2]),
        seen=whole(day, span, rollup.agent != NONE),
        events=whole(day, span, rollup.events),
        tokens_in=nothing,
        tokens_out=whole(day, span, rollup.tokens),
        tokens_cached=nothing,
        energy_j=np.zeros(span.days),
        cost_usd=exact(day, span, rollup.cost_usd),
        human_s=exact(day, span, rollup.human_s),
        cohort_first_day=span.first + span.week * np.arange(span.cohorts, dtype=np.int64),
    )


def _rollup(
    files: list[Path], zone: str, columns: Columns, store: Store | None, threads: int
) -> tuple[Rollup, NDArray[np.uint32]]:
    faults = Faults()
    joined, numbers = Table(), AgentNumbers()

    def read(part: Part) -> Part:
        return kept(part, zone, columns, store)

    for part in _in_order(read, list(parts(files, columns, faults)), threads):
        joined.gather(part.records, numbers.of(part))
        for what, count in part.faults.items():
            faults.add(what, count, str(part.path))
        part.clear()
    return _sorted(joined, numbers, faults)


def _in_order(work: Any, items: list[Part], threads: int) -> Iterator[Part]:
    """work(item) of each, in order; at most one more than `threads` of them at a time in memory."""
    if threads < 2 or len(items) < 2:
        yield from map(work, items)
        return
    waiting: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _sorted(
    table: Table, numbers: AgentNumbers, faults: Faults
) -> tuple[Rollup, NDArray[np.uint32]]:
    """The table as columns sorted by (agent, day), and [3, row] its untouched accepted events."""
    from lineshaft.meter.kernels import flat as kernels

    records, names = table.cut(), numbers.names()
    n = len(records)
    accepted, untouched = np.empty((3, n), np.uint32), np.empty((3, n), np.uint32)
    agent, day, events = np.empty(n, np.uint32), np.empty(n, np.int32), np.empty(n, np.uint32)
    tokens, cost_usd, human_s = np.empty(n, np.int64), np.empty(n), np.empty(n)
    if n:
        order = kernels.order(records, len(names))
        kernels.columns(
            records, order, agent, day, events, accepted, untouched, tokens, cost_usd, human_s
        )
    rollup = Rollup(names, agent, day, events, accepted, tokens, cost_usd, human_s, faults)
    return rollup, untouched


def _files(paths: Iterable[Path]) -> list[Path]:
    """The Parquet files of all paths, those of a folder sorted by name."""
    out, problems = [], []
    for path in paths:
        if path.is_dir():
            out += sorted(each for each in path.rglob("*.parquet") if each.is_file())
        elif path.is_file():
            out.append(path)
        else:
            problems.append(Problem(str(path), "", "no such file", "a Parquet file or a folder"))
    if problems:
        raise InputError(problems)
    return out
