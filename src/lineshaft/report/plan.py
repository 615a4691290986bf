"""The construction plan: work on every hall, what it waited for, when the hall is ready."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.reasons import CODE, NAMES
from lineshaft.report.charts import Chart, Row

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
    from lineshaft.contracts.curves import BuildCurve

MOST_LANES = 36
"""Above this many halls a lane shows a phase and not a hall."""


def plan(curves: Curves, months: tuple[str, ...]) -> Chart:
    """Gantt chart of the median schedule, with the P50 and P80 of every hall."""
    rows = curves.activities
    build = curves.build
    halls = _halls(rows) if build is not None and rows is not None else []
    whole = len({(p, h) for p, h, _ in halls}) > MOST_LANES
    lanes = [_lane(build, halls, key, whole) for key in _keys(halls, whole)] if build else []
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
        note="Median schedule; a bar's colour says what it waited for last",
        width="wide",
        extra={
            "lanes": lanes,
            "rows": [],
            "first": int(np.floor(min(begins, default=0.0))),
            "last": int(np.ceil(max(ends, default=1.0) + 1e-9)),
        },
        head=("", "starts", "ends", "P50 ready", "P80 ready", "waited for"),
        body=body,
    )


Work = tuple[float, float, int, str]


def _halls(rows: Any) -> list[tuple[str, int, Work]]:
    """(phase, hall, work) of every activity."""
    return [
        (phase, int(hall), (round(float(start), 2), round(float(finish), 2), int(code), name))
        for phase, hall, name, start, finish, code in zip(
            rows.phase,
            rows.hall,
            rows.name,
            rows.start_month,
            rows.finish_month,
            rows.reason,
            strict=True,
        )
    ]


def _keys(halls: list[tuple[str, int, Work]], whole: bool) -> list[tuple[str, int | None]]:
    return list(dict.fromkeys((phase, None if whole else hall) for phase, hall, _ in halls))


def _lane(
    build: BuildCurve, halls: list[tuple[str, int, Work]], key: tuple[str, int | None], whole: bool
) -> dict[str, Any]:
    """One lane: its works, each on a line of its own where they overlap, and its marks."""
    phase, hall = key
    if whole:
        named = _by_hall(halls, phase)
        items = [[*work, line] for line, (_, works) in enumerate(named) for work in works]
        lines = len(named)
        own = np.array(sorted({h for p, h, _ in halls if p == phase and h >= 0}), int)
        label = phase
    else:
        works = sorted((w for p, h, w in halls if (p, h) == key), key=lambda w: w[:2])
        items, lines = _lines(works)
        own = np.array([hall] if hall is not None and hall >= 0 else [], int)
        label = f"{phase}, hall {_place(build, own) + 1}" if own.size else f"{phase}, whole phase"
    p50, p80 = (_mark(values, own) for values in (build.p50_month, build.p80_month))
    return {"label": label, "items": items, "lines": lines, "p50": p50, "p80": p80}


def _lines(works: list[Work]) -> tuple[list[list[Any]], int]:
    """Each work with the first line that is free when it starts, and the number of lines."""
    ends: list[float] = []
    items: list[list[Any]] = []
    for work in works:
        free = next((i for i, end in enumerate(ends) if end <= work[0] + 1e-9), len(ends))
        ends[free : free + 1] = [work[1]]
        items.append([*work, free])
    return items, len(ends)


def _by_hall(halls: list[tuple[str, int, Work]], phase: str) -> list[tuple[int, list[Work]]]:
    """The stretches of each hall of the phase, each with the reason of the work under way."""
    found: dict[int, list[Work]] = {}
    for p, hall, work in halls:
        if p == phase:
            found.setdefault(hall, []).append(work)
    named = ((h, f"hall {sum(0 <= o < h for o in found) + 1}") for h in sorted(found))
    return [(h, _stretches(found[h], name if h >= 0 else "whole phase")) for h, name in named]


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


def _place(build: BuildCurve, own: NDArray[np.int64]) -> int:
    """Place of a hall within its phase."""
    phase = build.hall_phase
    hall = int(own[0])
    return int((phase[:hall] == phase[hall]).sum())


def _mark(values: NDArray[np.float64], own: NDArray[np.int64]) -> float | None:
    return round(float(values[own].max()), 2) if own.size else None


def _date(at: float | None, months: tuple[str, ...]) -> str:
    """The calendar month of `at` months after the first."""
    if at is None or not months:
        return "–"
    year, month = (int(part) for part in months[0].split("-"))
    index = month - 1 + int(np.floor(at))
    return f"{year + index // 12}-{index % 12 + 1:02d}"
