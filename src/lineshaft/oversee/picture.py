"""Waiting, escaped defects and cost against reviewers: one SVG that opens in any browser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lineshaft.oversee.desk import Case, Simulated
from lineshaft.report import svg as pen
from lineshaft.report.palette import SERIES
from lineshaft.units import format_quantity

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BETWEEN = 720, 180, 84, 150, 56, 50


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the pictures under each other."""

    title: str
    lines: tuple[tuple[str, Callable[[Case], float]], ...]
    shown: Callable[[float], str]
    least: float
    """The axis reaches at least so far."""


def svg(found: Simulated) -> str:
    """The picture of `simulate(..., curve=True)`; without a curve its one desk is a dot."""
    cases = found.curve or found.cases[:1]
    most = 1.03 * max(case.on_duty for case in cases)
    low = 0.97 * min(case.on_duty for case in cases) if len(cases) > 1 else 0.0

    def x(people: float) -> float:
        return LEFT + (people - low) / (most - low) * (WIDTH - LEFT - RIGHT)

    now = found.cases[0]
    tasks = format_quantity(now.finished_per_day, "task/day")
    title = f"Reviewers on duty for {tasks}, {now.asked.review_min:g} minutes a review"
    panels = _panels(found)
    full = TOP + len(panels) * (HEIGHT + BETWEEN)
    parts: list[str] = []
    for number, panel in enumerate(panels):
        top = TOP + number * (HEIGHT + BETWEEN)
        if not number:
            parts.append(pen.words(x(now.on_duty), top - 8, f"these {now.on_duty:,}", "middle"))
        parts += _panel(found, cases, panel, top, x, low, most)
    return pen.frame(WIDTH, full, title, LEFT, parts)


def _panels(found: Simulated) -> list[Panel]:
    a = found.asked
    cost = [("wages", lambda case: case.wages_usd_per_day)]
    if a.loss:
        cost = [
            ("both", lambda case: case.usd_per_day),
            ("losses", lambda case: case.loss_usd_per_day),
            *cost,
        ]
    return [
        Panel(
            "time waiting for a review",
            (
                ("95 %", lambda case: case.outcome.wait_quantile_s(0.95).mean),
                ("mean", lambda case: case.outcome.mean_wait_s().mean),
            ),
            lambda value: format_quantity(value, "s") if value else "0",
            a.wait_s,
        ),
        Panel(
            "defective share of what goes out",
            (("goes out", lambda case: case.outcome.outgoing.mean),),
            lambda value: f"{value:.1%}",
            a.aoql or 0.0,
        ),
        Panel("USD a day", tuple(cost), lambda value: format_quantity(value, "USD"), 0.0),
    ]


def _panel(
    found: Simulated,
    cases: Sequence[Case],
    panel: Panel,
    top: float,
    x: Callable[[float], float],
    low: float,
    most: float,
) -> list[str]:
    rows = [
        (name, [(case.on_duty, value) for case in cases if math.isfinite(value := of(case))])
        for name, of in panel.lines
    ]
    values = [value for _, row in rows for _, value in row]
    if not values:
        return []
    # An overloaded desk waits for weeks: the axis ends where the difference is made.
    high = max(min(max(values), 6.0 * panel.least) if panel.least else max(values), panel.least)
    high = 1.08 * high or 1.0

    def y(value: float) -> float:
        return top + HEIGHT * (1.0 - min(value, high) / high)

    right, under = x(most), top + HEIGHT + 16
    parts = [pen.words(LEFT, top - 8, panel.title)]
    for tick in _ticks(0.0, high, 5, panel.shown(1.0).endswith("s")):
        parts.append(pen.line(LEFT, y(tick), right, y(tick), pen.FAINT))
        parts.append(pen.words(LEFT - 6, y(tick) + 4, panel.shown(tick), "end"))
    parts += [pen.words(x(c), under, f"{c:,.0f}", "middle") for c in _ticks(low, most, 8)]
    parts.append(pen.words(right + 8, under, "on duty"))
    if 0 < panel.least <= high:
        parts.append(pen.line(LEFT, y(panel.least), right, y(panel.least), SERIES[3], "6 4"))
        parts.append(pen.words(right + 8, y(panel.least) + 4, f"asked {panel.shown(panel.least)}"))
    here = found.cases[0].on_duty
    parts.append(pen.line(x(here), top, x(here), top + HEIGHT, SERIES[8], "2 3"))
    for number, (name, row) in enumerate(rows):
        colour = SERIES[number]
        parts += pen.row(
            [(x(c), y(v), f"{name}, {c} on duty: {panel.shown(v)}") for c, v in row], colour
        )
        parts.append(pen.words(right + 8, top + 14 + 16 * number, name, colour=colour))
    return parts


def _ticks(low: float, high: float, most: int, duration: bool = False) -> list[float]:
    """Round numbers from low to high, at most so many; of seconds, minutes or hours."""
    unit = (3600.0 if high >= 7200 else 60.0 if high >= 120 else 1.0) if duration else 1.0
    span = (high - low) / unit
    step = 10.0 ** math.floor(math.log10(span))
    step = next(step * n for n in (0.1, 0.2, 0.5, 1, 2, 5) if span / (step * n) <= most) * unit
    first, last = math.ceil(low / step), math.floor(high / step)
    return [step * number for number in range(first, last + 1)]
