"""Latency against rate: one deployment at many loads, and the knee of the curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.parallel import processors
from lineshaft.serve.result import Result, plain

LEAST, BEYOND = 0.05, 1.1
"""Ends of the rates that are tried, as shares of the saturation rate."""
CLOSE = 0.01
"""How closely the largest rate within the service level is found."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One deployment at rising rates."""

    points: tuple[Result, ...]
    saturation_rps: float
    knee: Result
    """Where the throughput over the mean E2E is largest: beyond it latency is bought with little
    throughput (Kleinrock, "On flow control in computer networks", ICC 1978)."""
    most: Result | None
    """The largest rate at which the service level holds, error bars included, to 1 %; None where
    there is no level, or none holds it."""

    def to_dict(self) -> dict[str, Any]:
        """All points as plain data."""
        return plain(
            {
                "saturation_rps": self.saturation_rps,
                "knee_rps": self.knee.offered_rps,
                "most_rps": self.most.offered_rps if self.most else None,
                "points": [point.to_dict() for point in self.points],
            }
        )


def curve(
    at: Callable[[float], Result],
    saturation_rps: float,
    rates: Sequence[float],
    points: int,
    progress: Callable[[int, int], None],
) -> Curve:
    """The curve through `rates`, or through `points` rates up to and beyond saturation."""
    problems = [
        Problem("", "rates", f"is {rate:g}", "requests per second, above 0")
        for rate in rates
        if not (rate > 0 and np.isfinite(rate))
    ]
    if not rates and points < 3:
        problems.append(Problem("", "points", f"is {points}", "a whole number from 3"))
    if problems:
        raise InputError(problems)
    shares = np.linspace(0.1, BEYOND, points - 1).tolist()
    wanted = sorted(set(rates)) or [saturation_rps * share for share in (LEAST, *shares)]
    found: list[Result] = []
    progress(0, len(wanted))
    with ThreadPoolExecutor(processors()) as pool:
        for done, point in enumerate(pool.map(at, wanted), start=1):
            found.append(point)
            progress(done, len(wanted))
    most = _most(at, found)
    if most is not None and most not in found:
        found = sorted([*found, most], key=lambda point: point.offered_rps)
    knee = max(found, key=lambda point: point.completed_rps / point.latency_s["e2e"]["mean"])
    return Curve(tuple(found), saturation_rps, knee, most)


def _most(at: Callable[[float], Result], found: Sequence[Result]) -> Result | None:
    """The largest rate that holds, between the last that does and the first that does not."""
    if not found[0].verdicts or not found[0].holds:
        return None
    best, worse = found[0], None
    for point in found[1:]:
        if not point.holds:
            worse = point
            break
        best = point
    if worse is None:
        return best
    high = worse.offered_rps
    while high > (1.0 + CLOSE) * best.offered_rps:
        middle = at(float(np.sqrt(best.offered_rps * high)))
        if middle.holds:
            best = middle
        else:
            high = middle.offered_rps
    return best
