"""What agents used, by agent and local day, and what else one pass over all events tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.meter.events import Faults
from lineshaft.meter.extract import FLAG_FAULTS
from lineshaft.meter.gather import Gathered, Part, take_number
from lineshaft.meter.keys import NONE
from lineshaft.meter.measures import Effort
from lineshaft.meter.zones import day_starts, local_days

WHOLE = ("tokens_in", "tokens_out", "tokens_cached")
EXACT = ("energy_j", "cost_usd", "human_s")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When the events of each local day arrived, heartbeats left out."""

    first_day: int
    in_time: NDArray[np.int64]
    """[day] events that had arrived `watermark` after the day's end."""
    late_day: NDArray[np.int64]
    """[late event] its day."""
    late_us: NDArray[np.int64]
    """[late event] its arrival."""


@dataclass(frozen=True, slots=True)
class Spent:
    """One pass over the events that count as of a moment."""

    effort: Effort
    """With agents as numbers of all names, NONE for nobody; not sorted."""
    arrivals: Arrivals
    sources: dict[str, int]
    events: int
    first_us: int
    last_us: int
    faults: Faults
    """Those that canonical events show."""


def counted(log: Gathered, part: Part, as_of_us: int) -> NDArray[np.bool_]:
    """[row] of a part: whether it counts: the first of its event, and arrived."""
    out: NDArray[np.bool_] = log.kept(part) & (part.arrays["arrive"] <= as_of_us)
    return out


def spend(log: Gathered, zone: str, watermark_us: int, as_of_us: int) -> Spent:
    """Effort by agent and day, arrivals by day, events by source, and faults."""
    from lineshaft.meter.kernels import settle as kernels

    cells = _Cells()
    sources: dict[str, int] = {}
    faults = Faults()
    events, times = 0, (np.iinfo(np.int64).max, np.iinfo(np.int64).min)
    arrived: list[tuple[NDArray[Any], ...]] = []
    for part in log.parts:
        a = part.arrays
        mine = counted(log, part, as_of_us)
        count = int(mine.sum())
        if not count:
            continue
        events += count
        ts = a["ts"] if count == len(part) else a["ts"][mine]
        times = (min(times[0], int(ts.min())), max(times[1], int(ts.max())))
        for name, n in zip(
            part.meta["sources"], np.bincount(a["src"][mine]).tolist(), strict=False
        ):
            if n:
                sources[name] = sources.get(name, 0) + n
        day = local_days(a["ts"], zone)
        agent = take_number(part, a["agent"])
        cell = cells.of(agent, day, mine)
        cells.add(cell, part)
        _count_faults(faults, part, mine)
        work = mine & (a["kind"] != kernels.HEARTBEAT)
        arrived.append((day[work], a["arrive"][work]))
    return Spent(
        cells.effort(), _arrivals(arrived, zone, watermark_us), sources, events,
        times[0] if events else 0, times[1] if events else 0, faults,
    )  # fmt: skip


def _count_faults(faults: Faults, part: Part, mine: NDArray[np.bool_]) -> None:
    flags = np.bincount(part.arrays["flags"][mine], minlength=256)
    code = np.arange(256)
    counts = {f: int(flags[code & flag != 0].sum()) for f, flag in FLAG_FAULTS.items()}
    counts["no_agent"] = int((part.arrays["agent"][mine] == NONE).sum())
    for fault, count in counts.items():
        faults.add(fault, count, next(iter(part.meta["examples"].get(fault, [])), ""))


def _arrivals(arrived: list[tuple[NDArray[Any], ...]], zone: str, watermark_us: int) -> Arrivals:
    if not arrived:
        none = np.zeros(0, np.int64)
        return Arrivals(0, none, none, none)
    least = min(int(day.min(initial=2**31 - 1)) for day, _ in arrived)
    most = max(int(day.max(initial=-(2**31))) for day, _ in arrived)
    if most - least > 1_000_000:  # a clock out of any range: those days have no peers
        least, most = _middle(arrived)
    ends = day_starts(np.arange(least, most + 2) + 1, zone)[:-1] + watermark_us
    in_time = np.zeros(max(most - least + 1, 0), np.int64)
    late: list[tuple[NDArray[Any], ...]] = []
    for day, arrive in arrived:
        inside = (day >= least) & (day <= most)
        day, arrive = day[inside], arrive[inside]
        behind = arrive > ends[day - least]
        in_time += np.bincount((day - least)[~behind], minlength=len(in_time))
        late.append((day[behind].astype(np.int64), arrive[behind]))
    return Arrivals(
        least, in_time,
        np.concatenate([day for day, _ in late]), np.concatenate([when for _, when in late]),
    )  # fmt: skip


def _middle(arrived: list[tuple[NDArray[Any], ...]]) -> tuple[int, int]:
    """A range of days around the median that holds all plausible ones."""
    middle = int(np.median(np.concatenate([day for day, _ in arrived])))
    return middle - 40_000, middle + 40_000


class _Cells:
    """Sums by (agent, day)."""

    def __init__(self) -> None:
        self.count = 0
        self.agent = np.zeros(1 << 10, np.uint32)
        self.day = np.zeros(1 << 10, np.int32)
        self.table = np.zeros(1 << 12, np.uint32)
        self.events = np.zeros(1 << 10, np.int64)
        self.whole = {name: np.zeros(1 << 10, np.int64) for name in WHOLE}
        self.exact = {name: np.zeros((2, 1 << 10)) for name in EXACT}

    def of(
        self, agent: NDArray[np.uint32], day: NDArray[np.int32], mine: NDArray[np.bool_]
    ) -> NDArray[np.uint32]:
        from lineshaft.meter.kernels import settle as kernels

        out = np.empty(len(agent), np.uint32)
        step = 1 << 18  # room is made for a step at a time: most cells come again
        for lo in range(0, len(agent), step):
            hi = min(lo + step, len(agent))
            self._make_room(hi - lo)
            self.count = kernels.cells(
                agent[lo:hi], day[lo:hi], mine[lo:hi], self.agent, self.day, self.count,
                self.table, out[lo:hi],
            )  # fmt: skip
        return out

    def add(self, cell: NDArray[np.uint32], part: Part) -> None:
        from lineshaft.meter.kernels import settle as kernels

        a = part.arrays
        kernels.counted_events(cell, a["kind"], self.events)
        for name in WHOLE:
            kernels.add_whole(cell, a[f"q_{name}_row"], a[f"q_{name}"], self.whole[name])
        for name in EXACT:
            high, low = self.exact[name]
            kernels.add_exact(cell, a[f"q_{name}_row"], a[f"q_{name}"], high, low)

    def effort(self) -> Effort:
        """The sums, in the order in which the cells came."""
        n = self.count
        exact = {name: (sums[0] + sums[1])[:n] for name, sums in self.exact.items()}
        return Effort(
            agent=self.agent[:n],
            day=self.day[:n],
            events=self.events[:n],
            tokens_in=self.whole["tokens_in"][:n],
            tokens_out=self.whole["tokens_out"][:n],
            tokens_cached=self.whole["tokens_cached"][:n],
            energy_j=exact["energy_j"],
            cost_usd=exact["cost_usd"],
            human_s=exact["human_s"],
        )

    def _make_room(self, more: int) -> None:
        from lineshaft.meter.kernels import settle as kernels

        wanted = self.count + more
        if wanted > len(self.agent):
            size = 2 * wanted
            self.agent, self.day = _grown(self.agent, size), _grown(self.day, size)
            self.events = _grown(self.events, size)
            self.whole = {name: _grown(x, size) for name, x in self.whole.items()}
            self.exact = {
                name: np.stack([_grown(x[0], size), _grown(x[1], size)])
                for name, x in self.exact.items()
            }
        if 2 * wanted > len(self.table):
            self.table = np.zeros(1 << (4 * wanted - 1).bit_length(), np.uint32)
            kernels.cell_table(self.agent, self.day, self.count, self.table)


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    out = np.zeros(size, array.dtype)
    out[: len(array)] = array
    return out
