"""Daily figures of DAA/1 from settled work: exact, on any number of threads, in bounded memory.

Who was active when is a map of bits, agent by day; it is filled from columns in any order and read
once (`kernels/days.py`). Where the map would not fit, agents go through it part by part: counts of
distinct agents add up over parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.meter.definition import Definition
from lineshaft.meter.measures import NEVER, Floats, Grade, Ints, Measures, Settled

MEMORY_MB = 512.0
"""Memory for the map of bits, unless told otherwise."""
THREADS = 2
MOST_DAYS = 3660
"""Cohorts by day grow with the square of the days: ten years of them are a few hundred MB."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are shown, and how far back the map must begin to tell what they follow."""

    first: int
    last: int
    base: int
    """First day of the map. What is older is marked on it: it is further back than any window."""
    week: int
    month: int

    @classmethod
    def of(cls, earliest: int, first: int, last: int, definition: Definition) -> Span:
        """The span of the days `first` to `last` where the log begins on the day `earliest`.

        InputError where it is longer than `MOST_DAYS`.
        """
        days = last - first + 1
        if days > MOST_DAYS:
            begins, ends = np.datetime64(first, "D"), np.datetime64(last, "D")
            raise InputError(
                Problem(
                    "",
                    "days",
                    f"{days:,} days, from {begins} to {ends}",
                    f"at most {MOST_DAYS:,} days at once",
                    "state the first and the last day; a wrong clock may have set the others",
                )
            )
        week, month = definition.week_days, definition.month_days
        base = min(first, max(earliest, first - max(week, month) - 1))
        return cls(first, last, base, week, month)

    @classmethod
    def over(
        cls,
        days: Sequence[NDArray[np.int32]],
        first_day: int | None,
        last_day: int | None,
        definition: Definition,
    ) -> Span:
        """The span from `first_day` to `last_day`; where they are None, of the days given."""
        there = [d for d in days if len(d)]
        earliest = min((int(d.min()) for d in there), default=None)
        latest = max((int(d.max()) for d in there), default=None)
        first = earliest if first_day is None else first_day
        last = latest if last_day is None else last_day
        if first is None:  # nothing happened, and the first day was not stated
            first = 0 if last is None else last + 1
        if last is None:
            last = first - 1
        return cls.of(first if earliest is None else earliest, first, last, definition)

    @property
    def days(self) -> int:
        """Days that are shown."""
        return max(self.last - self.first + 1, 0)

    @property
    def cohorts(self) -> int:
        """Weeks of first days."""
        return -(-self.days // self.week)


@dataclass(frozen=True, slots=True)
class Counts:
    """Figures of distinct agents, by the names and shapes of `measures.Grade`."""

    figures: dict[str, Ints]
    active_days: Ints
    """[agent]"""


def measure(
    settled: Settled,
    definition: Definition,
    *,
    first_day: int | None = None,
    last_day: int | None = None,
    memory_mb: float = MEMORY_MB,
    threads: int = THREADS,
) -> Measures:
    """All figures of settled work for the days `first_day` to `last_day`, by DAA/1.

    Without them: from the first to the last day on which anything happened. Work before the first
    day is history: it decides who is new and counts in trailing windows. Work after the last day
    has not happened yet. Rows of an agent number that `settled.agents` does not hold state work of
    nobody: their tasks and quantities count, and nobody is active by them.

    InputError where that is more than `MOST_DAYS` days.
    """
    from lineshaft.meter.kernels import days as kernels

    work, effort, count = settled.work, settled.effort, len(settled.agents.agent_id)
    span = Span.over(
        [*(d[d != NEVER] for d in work.day), effort.day], first_day, last_day, definition
    )
    value = work.value_usd
    if definition.value_basis == "wage":
        value = work.human_equiv_min * ((definition.wage_usd_per_h or 0.0) / 60.0)
    agent = work.agent
    order = kernels.grouped(agent, np.zeros(count + 1, np.int64))

    grades = []
    for g in range(3):
        day = np.ascontiguousarray(work.day[g])
        there = day != NEVER
        counts = distinct(
            agent, day, there.view(np.uint8), 1, span, settled.agents.embodied, memory_mb, threads
        )
        tasks = {
            "accepted": there,
            "untouched": there & (work.touches == 0),
            "unvalued": there & np.isnan(work.value_usd),
            "unmeasured": there & np.isnan(work.human_equiv_min),
        }
        effective, value_sum = _effective(order, agent, day, value, span, count)
        grades.append(
            Grade(
                **counts.figures,
                **{name: whole(day, span, rows) for name, rows in tasks.items()},
                value_usd=exact(day, span, work.value_usd),
                human_equiv_min=exact(day, span, work.human_equiv_min),
                effective=effective,
                value_sum=value_sum,
                active_days=counts.active_days,
            )
        )
    day = effort.day
    return Measures(
        span.first,
        (grades[0], grades[1], grades[2]),
        seen=whole(day, span, (effort.events > 0) & (effort.agent < count)),
        events=whole(day, span, effort.events),
        tokens_in=whole(day, span, effort.tokens_in),
        tokens_out=whole(day, span, effort.tokens_out),
        tokens_cached=whole(day, span, effort.tokens_cached),
        energy_j=exact(day, span, effort.energy_j),
        cost_usd=exact(day, span, effort.cost_usd),
        human_s=exact(day, span, effort.human_s),
        cohort_first_day=span.first + span.week * np.arange(span.cohorts, dtype=np.int64),
    )


def distinct(
    agent: NDArray[np.uint32],
    day: NDArray[Any],
    flags: NDArray[np.uint8],
    mask: int,
    span: Span,
    embodied: NDArray[np.bool_],
    memory_mb: float = MEMORY_MB,
    threads: int = THREADS,
    day_zero: int = 0,
) -> Counts:
    """Every figure of distinct agents, from one pass over compact columns.

    ``agent`` dense numbers; ``day`` small integers, counted from `day_zero`; ``flags`` has a bit of
    `mask` set where the row makes its agent active. Rows come in any order and any number.
    `memory_mb` bounds the maps of all threads together; where they do not fit, the rows are read
    once for each part of the agents.
    """
    days = span.last - span.base + 1
    if span.days == 0:
        return _counts(_Sums(0, span), np.zeros(len(embodied), np.int64), span)
    embodied = np.ascontiguousarray(embodied)
    words = -(-days // 64)
    fit = max(int(memory_mb * 1e6 / (8 * words * max(threads, 1))), 1024)
    active_days = np.zeros(len(embodied), np.int64)
    total = _Sums(days, span)
    for lo in range(0, len(embodied), fit):
        part = embodied[lo : lo + fit]
        bits = _marked(agent, day, flags, mask, day_zero - span.base, days, lo, len(part), threads)
        read = partial(_read, bits, part, days, span, active_days[lo : lo + fit])
        for found in spread(read, cuts(len(part), threads), threads):
            total.add(found)
    return _counts(total, active_days, span)


class _Sums:
    """What `kernels.days.rows` counts for some agents."""

    def __init__(self, days: int, span: Span) -> None:
        from lineshaft.meter.kernels.days import FIGURES

        square = (span.cohorts, span.days)
        self.daily = np.zeros((FIGURES, days), np.int64)
        self.cohort = np.zeros(span.cohorts, np.int64)
        self.exact, self.reach, self.seen = (np.zeros(square, np.int64) for _ in range(3))

    def add(self, other: _Sums) -> None:
        for name in vars(self):
            mine = getattr(self, name)
            mine += getattr(other, name)


def _marked(
    agent: NDArray[np.uint32],
    day: NDArray[Any],
    flags: NDArray[np.uint8],
    mask: int,
    shift: int,
    days: int,
    lo: int,
    held: int,
    threads: int,
) -> NDArray[np.uint64]:
    """[agent, word] the map of the agents `lo` to `lo + held`; a thread fills one of its own."""
    from lineshaft.meter.kernels import days as kernels

    def fill(cut: slice) -> NDArray[np.uint64]:
        bits = np.zeros((held, -(-days // 64)), np.uint64)
        kernels.mark(agent[cut], day[cut], flags[cut], mask, shift, days, lo, bits)
        return bits

    maps = spread(fill, cuts(len(agent), threads), threads)
    for other in maps[1:]:
        kernels.join(maps[0], other)
    return maps[0]


def _read(
    bits: NDArray[np.uint64],
    embodied: NDArray[np.bool_],
    days: int,
    span: Span,
    active_days: Ints,
    cut: slice,
) -> _Sums:
    """What the agents in `cut` add; their active days are set."""
    from lineshaft.meter.kernels import days as kernels

    out = _Sums(days, span)
    shown = span.first - span.base
    kernels.rows(
        bits[cut], embodied[cut], days, shown, span.week, span.month,
        out.daily, active_days[cut], out.cohort, out.exact, out.reach, out.seen,
    )  # fmt: skip
    return out


def _counts(sums: _Sums, active_days: Ints, span: Span) -> Counts:
    from lineshaft.meter.kernels import days as kernels

    daily, shown = sums.daily, span.first - span.base
    ever = np.cumsum(daily[kernels.NEW])
    ever_before = np.concatenate(([0], ever[:-1])) if len(ever) else ever
    back = daily[kernels.ACTIVE] - daily[kernels.NEW]
    names = {
        "active": daily[kernels.ACTIVE],
        "embodied": daily[kernels.EMBODIED],
        "new": daily[kernels.NEW],
        "retained": daily[kernels.RETAINED],
        "reactivated": daily[kernels.REACTIVATED],
        "resurrected": daily[kernels.RESURRECTED],
        "lost": daily[kernels.LOST],
        "week": np.cumsum(daily[kernels.WEEK]),
        "month": np.cumsum(daily[kernels.MONTH]),
        "dormant": ever_before - back - daily[kernels.LOST],
    }
    figures = {name: np.ascontiguousarray(row[shown:]) for name, row in names.items()}
    figures["cohort_size"] = sums.cohort
    figures["retention"] = sums.exact
    figures["retention_open"] = _from_n_on(sums.reach)
    figures["retention_seen"] = _from_n_on(sums.seen)
    return Counts(figures, active_days)


def _from_n_on(count: Ints) -> Ints:
    """[cohort, n] sums over n and all later ones."""
    out: Ints = np.ascontiguousarray(np.cumsum(count[:, ::-1], axis=1)[:, ::-1])
    return out


def _effective(
    order: Ints,
    agent: NDArray[np.uint32],
    day: NDArray[np.int32],
    value: Floats,
    span: Span,
    agents: int,
) -> tuple[Floats, Floats]:
    """([day] eDAA, [agent] value), with values scaled by a power of two: their squares must not
    overflow, and no digit may change."""
    from lineshaft.meter.kernels import days as kernels

    total = np.zeros(agents)
    top = float(np.nanmax(np.abs(value), initial=0.0))
    scale = int(np.frexp(top)[1]) if 0 < top < np.inf else 0
    scaled = np.ldexp(value, -scale)
    one, two = kernels.by_agent(order, agent, day, span.first, scaled, span.days, total)
    effective = np.divide(one**2, two, out=np.zeros(span.days), where=two > 0)
    return effective, np.ldexp(total, scale)


def whole(day: NDArray[np.int32], span: Span, x: NDArray[Any]) -> Ints:
    """[day] sum of integers, or count of what is true."""
    from lineshaft.meter.kernels import days as kernels

    out = np.zeros(span.days, np.int64)
    kernels.whole_sums(day, span.first, np.ascontiguousarray(x, np.int64), out)
    return out


def exact(day: NDArray[np.int32], span: Span, x: Floats) -> Floats:
    """[day] sum of floats, rounded once, so that it does not depend on the order of the rows."""
    from lineshaft.meter.kernels import days as kernels

    high, low = np.zeros(span.days), np.zeros(span.days)
    kernels.sums(day, span.first, x, high, low)
    return high + low


def cuts(length: int, parts: int) -> list[slice]:
    """Even slices that cover a length; at least one."""
    edges = [length * k // max(parts, 1) for k in range(max(parts, 1) + 1)]
    return [slice(lo, hi) for lo, hi in pairwise(edges)]


def spread(work: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
    """work(item) of each item, in order, on threads: compiled loops let one another run."""
    items = list(items)
    if threads < 2 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
