"""Waiting, escaped defects and cost against reviewers: one SVG that opens in any browser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from lineshaft.oversee.desk import Case, Simulated
from lineshaft.report.palette import SERIES
from lineshaft.units import format_quantity

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BETWEEN = 720, 180, 84, 150, 56, 50
INK, FAINT = "#1f2933", "#dfe4ea"
FONT = f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}"'


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
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {full}" role="img" {FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{full}" fill="#ffffff"/>',
        _text(LEFT, 22, title, weight="600"),
    ]
    for number, panel in enumerate(panels):
        top = TOP + number * (HEIGHT + BETWEEN)
        if not number:
            parts.append(_text(x(now.on_duty), top - 8, f"these {now.on_duty:,}", "middle"))
        parts += _panel(found, cases, panel, top, x, low, most)
    return "\n".join([*parts, "</svg>\n"])


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
    parts = [_text(LEFT, top - 8, panel.title)]
    for tick in _ticks(0.0, high, 5, panel.shown(1.0).endswith("s")):
        parts.append(_line(LEFT, y(tick), right, y(tick), FAINT))
        parts.append(_text(LEFT - 6, y(tick) + 4, panel.shown(tick), "end"))
    parts += [_text(x(c), under, f"{c:,.0f}", "middle") for c in _ticks(low, most, 8)]
    parts.append(_text(right + 8, under, "on duty"))
    if 0 < panel.least <= high:
        parts.append(_line(LEFT, y(panel.least), right, y(panel.least), SERIES[3], "6 4"))
        parts.append(_text(right + 8, y(panel.least) + 4, f"asked {panel.shown(panel.least)}"))
    here = found.cases[0].on_duty
    parts.append(_line(x(here), top, x(here), top + HEIGHT, SERIES[8], "2 3"))
    for number, (name, row) in enumerate(rows):
        colour = SERIES[number]
        path = " ".join(f"{x(c):.1f},{y(value):.1f}" for c, value in row)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for c, value in row:
            parts.append(
                f'<circle cx="{x(c):.1f}" cy="{y(value):.1f}" r="2.5" fill="{colour}">'
                f"<title>{name}, {c} on duty: {escape(panel.shown(value))}</title></circle>"
            )
        parts.append(_text(right + 8, top + 14 + 16 * number, name, colour=colour))
    return parts


def _ticks(low: float, high: float, most: int, duration: bool = False) -> list[float]:
    """Round numbers from low to high, at most so many; of seconds, minutes or hours."""
    unit = (3600.0 if high >= 7200 else 60.0 if high >= 120 else 1.0) if duration else 1.0
    span = (high - low) / unit
    step = 10.0 ** math.floor(math.log10(span))
    step = next(step * n for n in (0.1, 0.2, 0.5, 1, 2, 5) if span / (step * n) <= most) * unit
    first, last = math.ceil(low / step), math.floor(high / step)
    return [step * number for number in range(first, last + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}"{dashed}/>'


def _text(
    x: float, y: float, words: str, anchor: str = "start", weight: str = "400", colour: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{colour}">{escape(words)}</text>'
    )
