"""The construction plan: work on every hall, what it waited for, when the hall is ready."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft.contracts.calendar import month_after
from lineshaft.contracts.reasons import CODE, NAMES
from lineshaft.report.charts import Chart, Row

if TYPE_CHECKING:
    import pyarrow

MOST_LANES = 36
"""Above this many halls a lane shows a phase and not a hall."""


def plan(construction: pyarrow.Table | None, months: tuple[str, ...]) -> Chart:
    """Gantt chart of the median schedule, with the P50 and P80 of every hall.

    `construction` is the run's construction plan, `months` the run's months.
    """
    halls = _halls(construction)
    whole = len(halls) > MOST_LANES
    if whole:
        lanes = [_phase_lane(p, halls) for p in dict.fromkeys(h.phase for h in halls)]
    else:
        lanes = [_hall_lane(hall, halls) for hall in halls]
    body = tuple(
        (
            lane["label"],
            _date(min(i[0] for i in lane["items"]), months),
            _date(max(i[1] for i in lane["items"]), months),
            _date(lane["p50"], months),
            _date(lane["p80"], months),
            ", ".join(dict.fromkeys(NAMES[i[2]] for i in lane["items"])),
        )
        for lane in lanes
    )
    ends = [i[1] for lane in lanes for i in lane["items"]]
    ends += [lane["p80"] for lane in lanes if lane["p80"] is not None]
    begins = [i[0] for lane in lanes for i in lane["items"]]
    what = "phase" if whole else "hall"
    return Chart(
        key="plan",
        title=f"Construction plan, by {what}",
        form="gantt",
        unit="month",
        x=(),
        rows=tuple(Row(lane["label"], np.ones(1)) for lane in lanes),
        alt=f"Gantt chart of {len(lanes)} lanes, one for each {what}, bars coloured by what "
        "the work waited for; marks show when halls are ready at 50 % and 80 %.",
        note="Bars: median schedule; the colour says what the work waited for last. "
        "◆ ready by then in half of the worlds, ◇ in 80 % of them",
        width="wide",
        extra={
            "lanes": [
                {**lane, "ready": [_date(lane["p50"], months), _date(lane["p80"], months)]}
                for lane in lanes
            ],
            "rows": [],
            "first": int(np.floor(min(begins, default=0.0))),
            "last": int(np.ceil(max(ends, default=1.0) + 1e-9)),
        },
        head=("", "starts", "ends", "ready, P50", "ready, P80", "waited for"),
        body=body,
    )


def ready(chart: Chart) -> str:
    """When the last hall is ready, in words: both dates."""
    marks = [lane for lane in chart.extra["lanes"] if lane["p50"] is not None]
    if not marks:
        return ""
    first, last = (pick(marks, key=lambda lane: lane["p50"])["ready"] for pick in (min, max))
    words = "by {} in half of the worlds and by {} in 80 % of them"
    if len(marks) == 1:
        return f"Ready {words.format(*last)}."
    what = chart.title.rpartition(" ")[2]
    return f"The first {what} is ready {words.format(*first)}, the last {words.format(*last)}."


Work = tuple[float, float, int, str]
"""Start and finish in months, what it waited for, its name."""


@dataclass(frozen=True, slots=True)
class Hall:
    """What is done on one hall, or for a whole phase (`hall` -1), and when the hall is ready."""

    phase: str
    hall: int
    p50: float | None
    p80: float | None
    works: list[Work] = field(default_factory=list)


def _halls(construction: pyarrow.Table | None) -> list[Hall]:
    """Every hall of the construction plan, in its order."""
    found: dict[tuple[str, int], Hall] = {}
    for row in () if construction is None else construction.to_pylist():
        key = row["phase"], row["hall"]
        p50, p80 = (_mark(row[f"{p}_ready_month"]) for p in ("p50", "p80"))
        hall = found.setdefault(key, Hall(*key, p50, p80))
        start, finish = (round(row[f"{end}_month"], 2) for end in ("start", "finish"))
        hall.works.append((start, finish, CODE[row["waited_for"]], row["activity"]))
    return list(found.values())


def _hall_lane(hall: Hall, halls: list[Hall]) -> dict[str, Any]:
    """A lane for one hall: its works, each on a line of its own where they overlap."""
    items, lines = _lines(sorted(hall.works, key=lambda w: w[:2]))
    label = f"{hall.phase}, {_place(hall, halls)}"
    return {"label": label, "items": items, "lines": lines, "p50": hall.p50, "p80": hall.p80}


def _phase_lane(phase: str, halls: list[Hall]) -> dict[str, Any]:
    """A lane for a phase: a line for each hall, and the marks of the last one."""
    own = sorted((hall for hall in halls if hall.phase == phase), key=lambda h: h.hall)
    items = [
        [*work, line]
        for line, hall in enumerate(own)
        for work in _stretches(hall.works, _place(hall, halls))
    ]
    p50 = max((hall.p50 for hall in own if hall.p50 is not None), default=None)
    p80 = max((hall.p80 for hall in own if hall.p80 is not None), default=None)
    return {"label": phase, "items": items, "lines": len(own), "p50": p50, "p80": p80}


def _place(hall: Hall, halls: list[Hall]) -> str:
    """The hall's place within its phase, in words."""
    if hall.hall < 0:
        return "whole phase"
    return f"hall {1 + sum(0 <= o.hall < hall.hall for o in halls if o.phase == hall.phase)}"


def _lines(works: list[Work]) -> tuple[list[list[Any]], int]:
    """Each work with the first line that is free when it starts, and the number of lines."""
    ends: list[float] = []
    items: list[list[Any]] = []
    for work in works:
        free = next((i for i, end in enumerate(ends) if end <= work[0] + 1e-9), len(ends))
        ends[free : free + 1] = [work[1]]
        items.append([*work, free])
    return items, len(ends)


def _stretches(works: list[Work], name: str) -> list[Work]:
    """Works that overlap as one line: of those under way, the reason of the latest that waited."""
    edges = sorted({edge for work in works for edge in work[:2]})
    out: list[Work] = []
    for start, end in pairwise(edges):
        under = [w for w in works if w[0] <= start and w[1] >= end]
        if not under:
            continue
        code = max(under, key=lambda w: (w[2] != CODE["construction"], w[0]))[2]
        if out and out[-1][2] == code and out[-1][1] == start:
            out[-1] = (out[-1][0], end, code, name)
        else:
            out.append((start, end, code, name))
    return out


def _mark(at: float) -> float | None:
    return round(at, 2) if math.isfinite(at) else None


def _date(at: float | None, months: tuple[str, ...]) -> str:
    """The calendar month of `at` months after the first."""
    if at is None or not months:
        return "–"
    return month_after(months[0], math.floor(at))
