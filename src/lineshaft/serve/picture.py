"""A curve as a picture: latency against rate, one SVG that opens in any browser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from lineshaft.report import svg as pen
from lineshaft.report.palette import SERIES
from lineshaft.serve.curve import Curve
from lineshaft.units import format_quantity

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BETWEEN = 720, 250, 70, 150, 46, 46
PANELS = (("ttft", "time to first token"), ("tpot", "time per output token after the first"))
LINES = ("p50", "p90", "p99")


def svg(found: Curve) -> str:
    """The picture of the curve: TTFT above TPOT, both on a logarithmic axis, against the rate;
    the knee and the largest rate within the service level are marked."""
    points = found.points
    most = 1.02 * max(point.offered_rps for point in points)

    def x(rate: float) -> float:
        return LEFT + rate / most * (WIDTH - LEFT - RIGHT)

    name = f"{points[0].deployment.one.arch.name} on {points[0].deployment.name}"
    full = TOP + len(PANELS) * (HEIGHT + BETWEEN)
    parts: list[str] = []
    for at, (metric, title) in enumerate(PANELS):
        top = TOP + at * (HEIGHT + BETWEEN)
        parts += _panel(found, metric, title, top, x, most)
    return pen.frame(WIDTH, full, f"Latency against rate: {name}", LEFT, parts)


def _panel(
    found: Curve, metric: str, title: str, top: float, x: Callable[[float], float], most: float
) -> list[str]:
    rows = {
        line: [
            (point.offered_rps, point.latency_s[metric][line])
            for point in found.points
            if point.latency_s[metric][line] > 0
        ]
        for line in LINES
    }
    values = [value for row in rows.values() for _, value in row]
    if not values:
        return []
    limits = [v.limit_s for v in found.points[0].verdicts if v.key.startswith(metric)]
    low = math.floor(2 * math.log10(min(values))) / 2
    high = math.ceil(2 * math.log10(max([*values, *limits]))) / 2
    high = max(high, low + 0.5)

    def y(seconds: float) -> float:
        return top + HEIGHT * (1 - (math.log10(seconds) - low) / (high - low))

    right = x(most)
    parts = [pen.words(LEFT, top - 8, title)]
    for power in range(math.floor(low), math.ceil(high) + 1):
        for digit in (1, 2, 5):
            tick = digit * 10.0**power
            if low <= math.log10(tick) <= high:
                parts.append(pen.line(LEFT, y(tick), right, y(tick), pen.FAINT))
                parts.append(pen.words(LEFT - 6, y(tick) + 4, format_quantity(tick, "s"), "end"))
    under = top + HEIGHT + 16
    parts += [pen.words(x(rate), under, f"{rate:g}", "middle") for rate in _ticks(most)]
    parts.append(pen.words(right + 8, under, "requests/s"))
    for limit in limits:
        parts.append(pen.line(LEFT, y(limit), right, y(limit), SERIES[3], "6 4"))
        parts.append(pen.words(right + 8, y(limit) + 4, f"asked {format_quantity(limit, 's')}"))
    marks = [(found.saturation_rps, "saturation"), (found.knee.offered_rps, "knee")]
    marks += [(found.most.offered_rps, "within level")] if found.most else []
    for number, (rate, word) in enumerate(sorted(marks, key=lambda mark: mark[0])):
        if rate <= most:
            parts.append(pen.line(x(rate), top, x(rate), top + HEIGHT, SERIES[8], "2 3"))
            parts.append(pen.words(x(rate) - 4, top + 12 + 14 * number, word, "end"))
    for number, (line, row) in enumerate(rows.items()):
        colour = SERIES[number]
        parts += pen.row(
            [
                (x(rate), y(v), f"{line} at {rate:.3g}/s: {format_quantity(v, 's')}")
                for rate, v in row
            ],
            colour,
        )
        parts.append(pen.words(right + 8, top + 14 + 16 * number, line, colour=colour))
    return parts


def _ticks(most: float) -> Sequence[float]:
    step = 10.0 ** math.floor(math.log10(most))
    step = next(step * share for share in (0.1, 0.2, 0.5, 1, 2) if most / (step * share) <= 8)
    return [step * number for number in range(1, int(most / step) + 1)]
