"""Days closed, and closed figures that later events changed: functions of the log and a moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.meter.definition import Definition
from lineshaft.meter.effort import Arrivals
from lineshaft.meter.measures import Ints
from lineshaft.meter.reading import Restatement
from lineshaft.meter.zones import day_starts

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class Closing:
    """When each of some consecutive local days closes."""

    first_day: int
    starts_us: Ints
    """[days + 1] when each day begins; the last is the end of the last day."""
    close_us: Ints
    """[day]"""
    watermark_us: Ints
    """[day] `watermark_h` after its end, where its loss is known and it may close."""
    loss: NDArray[np.float64]
    """[day] share of events known by then to arrive later than the watermark; 0 where nothing is
    known."""

    @property
    def days(self) -> int:
        """Number of days."""
        return len(self.close_us)

    def final(self, as_of_us: int) -> NDArray[np.bool_]:
        """[day] whether it had closed."""
        return self.close_us <= as_of_us


@dataclass(frozen=True, slots=True)
class Change:
    """A task that counts for a day otherwise than when the day closed."""

    grade: int
    day: int
    closed: int
    """Agent for whom it counted at the close, -1 for none."""
    now: int
    """Agent for whom it counts."""
    late: int
    """Events of the task that arrived after the close, or 1 for a circle."""
    at_us: int
    """The last of them."""


def closing(first_day: int, last_day: int, arrivals: Arrivals, definition: Definition) -> Closing:
    """When the days close: `watermark_h` after their end, or `revocation_days` where that is later
    and more than `most_loss` of the events are known to come later than the watermark.

    Known are the events of the `month_days` that ended the revocation time before the day, as they
    had arrived at its watermark.
    """
    days = np.arange(first_day, last_day + 1)
    starts = day_starts(np.arange(first_day, last_day + 2), definition.zone)
    ends = starts[1:]
    watermark = round(definition.watermark_h * HOUR_US)
    revocation = round(definition.revocation_days * DAY_US)
    gap, span = math.ceil(definition.revocation_days), definition.month_days

    # an event of day e is known to the days e + gap + 1 to e + gap + span, if it had arrived
    total, late = np.zeros(len(days) + 1), np.zeros(len(days) + 1)
    event_day = arrivals.first_day + np.arange(len(arrivals.in_time))
    _over(total, event_day + gap + 1, event_day + gap + span, first_day, arrivals.in_time)
    arrived = np.searchsorted(ends + watermark, arrivals.late_us) + first_day
    since = np.maximum(arrived, arrivals.late_day + gap + 1)
    for counts in (total, late):
        _over(counts, since, arrivals.late_day + gap + span, first_day, None)
    known = np.rint(np.cumsum(total)[:-1])
    loss = np.divide(np.rint(np.cumsum(late)[:-1]), known, out=np.zeros(len(days)), where=known > 0)
    after = np.where(loss > definition.most_loss, max(watermark, revocation), watermark)
    return Closing(first_day, starts, ends + after, ends + watermark, loss)


def _over(
    counts: NDArray[np.float64], since: Ints, until: Ints, first: int, weight: Ints | None
) -> None:
    """Add to the differences of `counts` a weight over the days since to until, ends included."""
    last = len(counts) - 1
    a, b = np.clip(since - first, 0, last), np.clip(until - first + 1, 0, last)
    there = a < b
    weight = np.ones(len(a), np.int64) if weight is None else weight
    np.add.at(counts, a[there], weight[there])
    np.add.at(counts, b[there], -weight[there])


def restated(
    changes: list[Change], agent: NDArray[np.uint32], day: NDArray[np.int32], active: Ints,
    when: Closing, as_of_us: int,
) -> tuple[Ints, tuple[Restatement, ...]]:  # fmt: skip
    """([3, day] closed figures, -1 for provisional days; the restatements).

    `agent` [row] and `day` [3, row] are of the work as of now, `active` [3, day] its DAA on the
    days of `when`.
    """
    closed = np.where(when.final(as_of_us), active, -1)
    touched: dict[tuple[int, int], list[Change]] = {}
    for change in changes:
        touched.setdefault((change.grade, change.day), []).append(change)
    if not touched:
        return closed, ()
    order = [np.argsort(day[g], kind="stable") for g in range(3)]
    found = []
    for (g, d), mine in sorted(touched.items(), key=lambda item: (item[0][1], item[0][0])):
        lo, hi = np.searchsorted(day[g], (d, d + 1), sorter=order[g])
        who, tasks = np.unique(agent[order[g][lo:hi]], return_counts=True)
        counts = dict(zip(who.tolist(), tasks.tolist(), strict=True))
        for c in mine:
            for one, step in ((c.now, -1), (c.closed, 1)):
                if one >= 0:
                    counts[one] = counts.get(one, 0) + step
        then = sum(n > 0 for n in counts.values())
        now = int(active[g, d - when.first_day])
        closed[g, d - when.first_day] = then
        if then != now:
            late, at = sum(c.late for c in mine), max(c.at_us for c in mine)
            found.append(Restatement(d, "abc"[g], then, now, at, late))
    return closed, tuple(found)
