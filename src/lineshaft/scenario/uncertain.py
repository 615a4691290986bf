"""Uncertain numbers: what a person may write for one, and its quantiles.

=============================================  ==================================================
written                                        meaning
=============================================  ==================================================
``3``, ``"150 MW"``                            a fixed number
``"2 to 4"``, ``"2 to 4 MW"``                  a 90 % interval: P5 and P95
``{p50 = 2, p90 = 4}``                         any two quantiles
``{dist = "normal", mean = 2, sd = 1}``        normal
``{dist = "lognormal", median = 2, sigma = 1}``  lognormal; sigma is the sd of its logarithm
``{dist = "uniform", low = 1, high = 2}``      uniform
``{dist = "triangular", low, mode, high}``     triangular
``{dist = "pert", low, mode, high}``           PERT: a beta with mean (low + 4 mode + high) / 6
``{dist = "beta", a, b, low = 0, high = 1}``   beta, stretched over low to high
``{dist = "choice", values, weights}``         one of a few numbers; equal weights by default
=============================================  ==================================================

An interval or a pair of quantiles is lognormal when both numbers are positive, else normal, and
goes through both quantiles exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from lineshaft import units
from lineshaft.scenario.distributions import NAMED, Distribution, Fixed, Quantiles
from lineshaft.units import QuantityError
from lineshaft.words import suggestion

_TO = re.compile(r"\s+to\s+|\s*–\s*", re.IGNORECASE)
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")


def read_uncertain(value: object, unit: str) -> Distribution:
    """The distribution that `value`, as written in TOML, means in a field of `unit`.

    Raises `QuantityError` with what was found, what is allowed and the fix.
    """
    if isinstance(value, str) and is_range(value):
        return _read_range(value, unit)
    if isinstance(value, Mapping):
        return _read_table(value, unit)
    return Fixed(units.parse(value, unit))


def is_range(value: object) -> bool:
    """True for a text such as "2 to 4"."""
    return isinstance(value, str) and _TO.search(value.strip()) is not None


def looks_whole(value: object) -> bool:
    """True for a table that is a distribution by itself, so that merging replaces and not mixes."""
    if not isinstance(value, Mapping) or not value:
        return False
    return "dist" in value or all(_QUANTILE.fullmatch(str(key)) for key in value)


def _read_range(text: str, unit: str) -> Distribution:
    ends = _TO.split(text.strip())
    if len(ends) != 2:
        raise QuantityError(f"{text!r} is not one range", f"for example {_example(unit)}")
    low, high = ends
    _, high_tail = units.split(high, unit)
    number, low_tail = units.split(low, unit)
    if low_tail and not high_tail:
        raise QuantityError(
            f"{text!r} has a unit on its first number only", f"for example {_example(unit)}"
        )
    low_text = low if low_tail else f"{number} {high_tail}"
    return Quantiles(0.05, units.parse(low_text.strip(), unit), 0.95, units.parse(high, unit))


def _read_table(table: Mapping[Any, Any], unit: str) -> Distribution:
    if "dist" in table:
        return _read_named(dict(table), unit)
    quantiles = sorted(
        (float(match[1]) / 100, units.parse(value, unit))
        for key, value in table.items()
        if (match := _QUANTILE.fullmatch(str(key)))
    )
    if len(quantiles) != 2 or len(table) != 2:
        keys = ", ".join(map(str, table)) or "nothing"
        raise QuantityError(
            f"a table of {keys} is no uncertain number",
            'two quantiles such as {p50 = 2, p90 = 4}, or {dist = "normal", mean = 2, sd = 1}',
        )
    (low_p, low), (high_p, high) = quantiles
    return Quantiles(low_p, low, high_p, high)


def _read_named(table: dict[Any, Any], unit: str) -> Distribution:
    name = table.pop("dist")
    cls = NAMED.get(name) if isinstance(name, str) else None
    if cls is None:
        fix = suggestion(str(name), NAMED)
        raise QuantityError(f"dist = {name!r} is unknown", ", ".join(NAMED), fix)
    keys = {"median" if f.name == "centre" else f.name: f for f in fields(cls)}
    needed = [key for key, f in keys.items() if f.default is MISSING]
    for key in table:
        if key not in keys:
            raise QuantityError(f"{name} has no {key!r}", f"dist, {', '.join(keys)}")
    missing = [key for key in needed if key not in table]
    if missing:
        raise QuantityError(f"{name} lacks {', '.join(missing)}", f"dist, {', '.join(keys)}")
    values = {
        keys[key].name: _read_parameter(value, "1" if key in cls.plain else unit)
        for key, value in table.items()
    }
    return cls(**values)


def _read_parameter(value: object, unit: str) -> float | tuple[float, ...]:
    if isinstance(value, (list, tuple)):
        return tuple(units.parse(item, unit) for item in value)
    return units.parse(value, unit)


def _example(unit: str) -> str:
    return "'2 to 4'" if unit == "1" else f"'2 to 4 {unit}'"
