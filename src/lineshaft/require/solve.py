"""One equation in one unknown: the factor at which a quantity that rises with it has a value.

Secant steps in the logarithms of both, which are exact where the line is of degree one, inside a
bracket that falls back to its geometric middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from lineshaft.errors import LineshaftError

T = TypeVar("T")

STEPS = 40
SPAN = 1e12
"""Factors are searched this far to both sides of the first guess."""


class NoFactorError(LineshaftError):
    """No factor gives the value; the message says how near one came."""


def factor_for(
    measure: Callable[[float], tuple[float, T]],
    wanted: float,
    start: float,
    tolerance: float = 1e-5,
) -> tuple[float, T]:
    """The factor at which `measure` gives `wanted`, to a relative `tolerance`, and what it kept.

    `measure` maps a factor to its value and to anything else that is to be kept; it must rise with
    the factor. Raises NoFactorError where it never reaches `wanted`.
    """
    low, high = start / SPAN, start * SPAN
    known: list[tuple[float, float]] = []
    factor = start
    nearest = math.inf
    for _ in range(STEPS):
        value, kept = measure(factor)
        off = abs(value / wanted - 1.0)
        if off <= tolerance:
            return factor, kept
        nearest = min(nearest, off)
        low, high = (factor, high) if value < wanted else (low, factor)
        if value > 0:
            known = [*known[-1:], (math.log(factor), math.log(value / wanted))]
        factor = _next(known, factor)
        if not low < factor < high:
            factor = math.sqrt(low * high)
    raise NoFactorError(f"after {STEPS} forward runs the nearest is {100 * nearest:.3g} % off")


def _next(known: list[tuple[float, float]], factor: float) -> float:
    """The secant's step in the logarithms; a slope of one where there is one point alone."""
    if not known:
        return factor * 2.0
    x, y = known[-1]
    slope = 1.0
    if len(known) == 2 and known[0][0] != x:
        slope = (y - known[0][1]) / (x - known[0][0])
    step = -y / slope if slope > 1e-3 else 0.0
    return math.exp(x + max(-20.0, min(20.0, step)))
