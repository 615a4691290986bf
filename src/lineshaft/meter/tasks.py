"""Root tasks from their deciding events, shard by shard: rules 2 to 8 of DAA/1 on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.meter.closing import Change, Closing
from lineshaft.meter.definition import Definition
from lineshaft.meter.effort import counted
from lineshaft.meter.events import KINDS, VOIDING
from lineshaft.meter.gather import Gathered, take_number
from lineshaft.meter.keys import NONE, Numbers
from lineshaft.meter.measures import NEVER, Work
from lineshaft.meter.zones import local_days

if TYPE_CHECKING:
    from lineshaft.meter.kernels.settle import Events, Links, Rules, Tasks

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
ALMOST = 1.0 - 1e-9
"""Sums reach a least value up to this: ten times 0.1 is 1."""
DECIDING = np.isin(KINDS, ("assign", "human_touch", "submit", "accept", *VOIDING))

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]


def rules_of(d: Definition, as_of_us: int, assumed: float | None) -> Rules:
    """A definition in the units of the kernels, as of a moment."""
    from lineshaft.meter.kernels.settle import Rules

    return Rules(
        as_of_us,
        round(d.revocation_days * DAY_US),
        -1 if d.implied_after_h is None else round(d.implied_after_h * HOUR_US),
        float("nan") if assumed is None else float(assumed),
        d.least_value_usd * ALMOST,
        d.least_human_equiv_min * ALMOST,
        d.closure_hops,
        round(d.closure_days * DAY_US),
    )


def delegations(log: Gathered, as_of_us: int) -> Links:
    """Which agent asked whom and when, as it had arrived; nobody's delegate is a human who asks."""
    from lineshaft.meter.kernels.settle import ASSIGN, Links

    found: list[tuple[NDArray[Any], ...]] = [
        (np.zeros(0, "I"), np.zeros(0, "I"), np.zeros(0, "q"), np.zeros(0, "q"))
    ]
    for part in log.parts:
        a = part.arrays
        asks = (a["kind"] == ASSIGN) & (a["requester"] != NONE) & (a["agent"] != NONE)
        rows = np.flatnonzero(asks & counted(log, part, as_of_us))
        asker = take_number(part, a["requester"][rows])
        rows, asker = rows[log.acts[asker]], asker[log.acts[asker]]
        asked = take_number(part, a["agent"][rows])
        found.append((asker, asked, a["ts"][rows], a["arrive"][rows]))
    x, y, ts, arrive = (np.concatenate(each) for each in zip(*found, strict=True))
    order = np.lexsort((ts, y, x))
    x, y, ts, arrive = x[order], y[order], ts[order], arrive[order]
    new = (x[1:] != x[:-1]) | (y[1:] != y[:-1])
    begin = np.flatnonzero(np.append(True, new)[: len(x)])
    count = len(log.names)
    delegate = np.zeros(count, np.bool_)
    delegate[y] = True
    return Links(
        delegate,
        np.searchsorted(x[begin], np.arange(count + 1)).astype(np.int64),
        y[begin],
        np.append(begin, len(x)).astype(np.int64),
        ts,
        arrive,
        np.zeros(count, np.int64),
        np.zeros(count + 1, np.uint32),
        np.zeros(1, np.int64),
    )


class Shard:
    """The root tasks of one shard, from the events that count as of `rules.as_of`."""

    def __init__(
        self, log: Gathered, rules: Rules, zone: str, shard: int = 0, shards: int = 1
    ) -> None:
        from lineshaft.meter.kernels import settle as kernels

        numbers = Numbers()
        self.log, self.rules, self.zone = log, rules, zone
        self.number: list[U32] = []
        """By part: [task of the part, and one more] its number here, NONE in another shard."""
        for part in log.parts:
            keys = part.arrays["task_keys"]
            mine = keys[:, 0] % np.uint64(shards) == shard
            self.number.append(np.append(numbers.of(keys, mine), np.uint32(NONE)))
        self.count = len(numbers)
        self.bits = np.zeros(self.count, np.uint8)
        held: dict[str, list[NDArray[Any]]] = {}
        for place in range(len(log.parts)):
            for name, column in self._deciding(place).items():
                held.setdefault(name, []).append(column)
        whole = {name: np.concatenate(parts) for name, parts in held.items()}
        held.clear()
        starts = np.zeros(self.count + 1, np.int64)
        order = np.zeros(len(whole["ts"]), np.int64)
        kernels.by_task(whole.pop("task"), whole["ts"], starts, order)
        self.events: Events = kernels.Events(
            starts, *(whole.pop(name)[order] for name in kernels.Events._fields[1:])
        )

    def _deciding(self, place: int) -> dict[str, NDArray[Any]]:
        """The columns of `kernels.Events`, and `task`, of a part's deciding events: those of a
        deciding kind, and those that state value or human-equivalent minutes."""
        from lineshaft.meter.kernels import settle as kernels

        part, a = self.log.parts[place], self.log.parts[place].arrays
        mine = counted(self.log, part, self.rules.as_of)
        task = self._task(place, a["task"])
        kernels.mark(task, mine, self.bits, kernels.SEEN)
        wanted = DECIDING[a["kind"]]
        for name in ("value_usd", "human_equiv_min"):
            wanted[a[f"q_{name}_row"]] = True
        rows = np.flatnonzero(wanted & mine & (task != NONE))
        columns = {name: a[name][rows] for name in ("ts", "arrive", "kind", "method", "flags")}
        columns["task"] = task[rows]
        for name in ("agent", "requester"):
            columns[name] = take_number(part, a[name][rows])
        for name, quantity in (("value", "value_usd"), ("minutes", "human_equiv_min")):
            stated = np.full(len(part), np.nan)
            stated[a[f"q_{quantity}_row"]] = a[f"q_{quantity}"]
            columns[name] = stated[rows]
        return columns

    def _task(self, place: int, task: U32) -> U32:
        """Tasks of a part as tasks of this shard."""
        number = self.number[place]
        out: U32 = number[np.minimum(task, len(number) - 1)]
        return out

    def settle(self, links: Links, rank: U32) -> tuple[bool, int]:
        """Resolve all tasks; (whether agents tied that `rank` must tell apart, acceptances that do
        not stand)."""
        from lineshaft.meter.kernels import settle as kernels

        n, r = self.count, self.rules
        self.rank = rank
        self.tasks: Tasks = kernels.Tasks(
            np.zeros((n, 3), np.int64), np.zeros((n, 3), np.uint32), np.zeros((n, 3), np.uint32),
            np.zeros((n, 3), np.uint8), np.zeros(n), np.zeros(n), np.zeros(n, np.uint8), self.bits,
        )  # fmt: skip
        fallen, ties = kernels.settle(self.events, r, rank, links, self.tasks)
        there = self.tasks.accepted != kernels.NEVER_US
        enough = np.nan_to_num(self.tasks.value) >= r.least_value
        enough |= np.nan_to_num(self.tasks.minutes) >= r.least_minutes
        self.small = there & ~enough[:, None]
        self.counts = there & enough[:, None] & (self.tasks.circle == 0)
        self.day = np.full((n, 3), NEVER, np.int32)
        self.day[self.counts] = local_days(self.tasks.accepted[self.counts], self.zone)
        return ties > 0, fallen

    def work(self) -> Work:
        """Rows of accepted tasks; more than one where its grades differ in agent or touches."""
        t, found = self.tasks, []
        left = self.counts.copy()
        for base in (2, 1, 0):
            rows = np.flatnonzero(left[:, base])
            day = np.full((3, len(rows)), NEVER, np.int32)
            for g in range(base + 1):
                same = left[rows, g] & (t.by[rows, g] == t.by[rows, base])
                same &= t.touches[rows, g] == t.touches[rows, base]
                day[g, same] = self.day[rows[same], g]
                left[rows[same], g] = False
            found.append(
                Work(t.by[rows, base], day, t.value[rows], t.minutes[rows], t.touches[rows, base])
            )
        return joined_work(found)

    def coverage(self, fallen: int) -> I64:
        """The numbers of `reading.Coverage`."""
        from lineshaft.meter.kernels import settle as kernels

        t, good = self.tasks, self.counts[:, 2]
        stated = {}
        for name in ("cost_usd", "human_s"):
            marks = np.zeros(self.count, np.uint8)
            for place, part in enumerate(self.log.parts):
                rows = part.arrays[f"q_{name}_row"]
                mine = counted(self.log, part, self.rules.as_of)[rows]
                kernels.mark(self._task(place, part.arrays["task"][rows]), mine, marks, 1)
            stated[name] = (good & (marks != 0)).sum()
        return np.array([
            (self.bits & kernels.SEEN != 0).sum(),
            (self.bits & kernels.DECIDED != 0).sum(),
            self.small[:, 2].sum(),
            (~self.small & (t.circle != 0))[:, 2].sum(),
            fallen,
            good.sum(),
            (good & self.counts[:, 1]).sum(),
            (good & ~np.isnan(t.value)).sum(),
            (good & (t.stated != 0)).sum(),
            stated["cost_usd"],
            stated["human_s"],
        ], np.int64)  # fmt: skip

    def changes(self, links: Links, when: Closing) -> tuple[bool, list[Change]]:
        """(whether agents tied at a close, where a closed figure differs from the one of now)."""
        from lineshaft.meter.kernels import settle as kernels

        r, e = self.rules, self.events
        if not when.days:
            return False, []
        day = local_days(e.ts, self.zone)
        later = local_days(e.ts + r.implied, self.zone) if r.implied > 0 else day
        # unchanged is a task whose events had all arrived when the day of its first acceptance, or
        # any day after it, closed; unless others' delegations tell
        earliest = np.minimum.accumulate(when.close_us[::-1])[::-1]
        suspect = np.zeros(self.count, np.bool_)
        kernels.suspects(e, earliest[np.clip(day - when.first_day, 0, when.days - 1)], suspect)
        tasks = np.flatnonzero(suspect | (self.bits & kernels.ASKED != 0))
        room = int((e.starts[tasks + 1] - e.starts[tasks]).sum())
        out = np.zeros((6 * room, 5), np.int64)
        counting = np.where(self.counts, self.tasks.accepted, kernels.NEVER_US)
        count, ties = kernels.closed(
            tasks, e, day, later, kernels.Days(when.first_day, when.starts_us, when.close_us), r,
            self.rank, links, self.tasks._replace(accepted=counting), out,
        )  # fmt: skip
        rows, found = out[:count], []
        for row, (events, at_us) in zip(rows.tolist(), self._late(rows, when), strict=True):
            grade, on, task, *agents = row
            if not events:
                close = int(when.close_us[on - when.first_day])
                events, at_us = 1, self._circle_closed(task, grade, links, close)
            closed, now = (-1 if agent == NONE else agent for agent in agents)
            found.append(Change(grade, on, closed, now, events, at_us))
        return ties > 0, found

    def _late(self, rows: I64, when: Closing) -> list[tuple[int, int]]:
        """Of each change, how many events of its task, of any kind, came after the close, and the
        arrival of the last."""
        if not len(rows):
            return []
        wanted = np.zeros(self.count + 1, np.bool_)
        wanted[rows[:, 2]] = True
        first = int(when.close_us.min())
        found = []
        for place, part in enumerate(self.log.parts):
            arrive, task = part.arrays["arrive"], self._task(place, part.arrays["task"])
            mine = wanted[np.minimum(task, self.count)] & (arrive > first)
            mine &= counted(self.log, part, self.rules.as_of)
            found.append((task[mine], arrive[mine]))
        task, arrive = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.lexsort((arrive, task))
        task, arrive = task[order], arrive[order]
        out = []
        for _, day, one, *_ in rows.tolist():
            lo, hi = np.searchsorted(task, (one, one + 1))
            came = arrive[lo:hi]
            late = came[came > when.close_us[day - when.first_day]]
            out.append((len(late), int(late[-1]) if len(late) else 0))
        return out

    def _circle_closed(self, task: int, grade: int, links: Links, closed_us: int) -> int:
        """When the delegation arrived that closed the circle of a task after a day's close."""
        from lineshaft.meter.kernels import settle as kernels

        executor, moment = self.tasks.by[task, grade], self.tasks.accepted[task, grade]
        arrivals = np.unique(links.arrive[links.arrive > closed_us])
        a, b = 0, len(arrivals) - 1
        while a < b:
            middle = (a + b) // 2
            if kernels.circular(
                self.events, task, executor, moment, arrivals[middle], self.rules, links
            ):
                b = middle
            else:
                a = middle + 1
        return int(arrivals[a])


def joined_work(parts: list[Work]) -> Work:
    """The rows of all parts."""
    return Work(
        np.concatenate([p.agent for p in parts]),
        np.concatenate([p.day for p in parts], axis=1),
        np.concatenate([p.value_usd for p in parts]),
        np.concatenate([p.human_equiv_min for p in parts]),
        np.concatenate([p.touches for p in parts]),
    )
