"""What is varied: "key=a,b,c", "key=low..high:steps", or "key=low..high" where points are drawn.

    found = plan(template, ["build.crew.electrical.headcount=200..800:4", "policy=value,priority"])
    found.overrides(0)  # ("build.crew.electrical.headcount=200", "policy=value")

Every value is read into the scenario by itself before anything starts, so that all bad keys and
values are told at once. (What contradicts itself only together is told in its row.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lineshaft import units
from lineshaft.errors import InputError, Problem
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import value
from lineshaft.scenario.locate import assignment, join
from lineshaft.sweep import designs
from lineshaft.sweep.field import Field, field_at
from lineshaft.sweep.template import Template
from lineshaft.tables import Array
from lineshaft.units import QuantityError
from lineshaft.words import suggestion

METHODS = ("sobol", "random", "morris")
MOST = 1_000_000
"""Scenarios of one sweep; beyond it a key was most likely varied by mistake."""
_RANGE = re.compile(r"(?P<low>.+?)\s*\.\.\s*(?P<high>.+?)(?:\s*:\s*(?P<steps>[^:]+))?")
_OPEN, _CLOSE = "[{(", "]})"


@dataclass(frozen=True, slots=True)
class Axis:
    """One key and the values that it takes."""

    key: str
    texts: tuple[str, ...]
    """Values as an override writes them; empty for a range of which points are drawn."""
    ends: tuple[float, float] | None
    """Ends of such a range, in the unit of the field."""
    field: Field
    numbers: tuple[float, ...] | None = None
    """The values in the unit of the field, where all of them are plain numbers."""

    @property
    def numeric(self) -> bool:
        """Whether all values are plain numbers."""
        return self.ends is not None or self.numbers is not None

    def at(self, u: float) -> tuple[str, float | str]:
        """The value at `u` from 0 to 1, as an override and as a result: all are equally likely."""
        if self.ends is None:
            place = min(int(u * len(self.texts)), len(self.texts) - 1)
            return self.texts[place], self.shown(place)
        low, high = self.ends
        if self.field.whole:
            number = min(math.floor(low + u * (high - low + 1)), high)
        else:
            number = _tidy(low + u * (high - low))
        return _written(number), float(number)

    def shown(self, place: int) -> float | str:
        """Value number `place` as a result shows it."""
        return self.texts[place] if self.numbers is None else self.numbers[place]


@dataclass(frozen=True, slots=True)
class Plan:
    """All scenarios of a sweep, in their order."""

    axes: tuple[Axis, ...]
    points: Array | None
    """[axis, scenario] points between 0 and 1, or None for the grid of all values."""

    def __len__(self) -> int:
        if self.points is not None:
            return int(self.points.shape[1])
        return math.prod(len(axis.texts) for axis in self.axes)

    def row(self, index: int) -> tuple[tuple[str, float | str], ...]:
        """Each key's value of scenario `index`: as an override writes it, and as results show it.

        In a grid the last key changes fastest.
        """
        if self.points is not None:
            u = self.points[:, index]
            return tuple(axis.at(float(x)) for axis, x in zip(self.axes, u, strict=True))
        places = np.unravel_index(index, [len(axis.texts) for axis in self.axes])
        return tuple(
            (axis.texts[int(place)], axis.shown(int(place)))
            for axis, place in zip(self.axes, places, strict=True)
        )

    def overrides(self, index: int) -> tuple[str, ...]:
        """What scenario `index` sets, each "key=value"."""
        pairs = zip(self.axes, self.row(index), strict=True)
        return tuple(f"{axis.key}={text}" for axis, (text, _) in pairs)


def plan(
    template: Template,
    asked: Sequence[str],
    *,
    samples: int = 0,
    method: str = "sobol",
    seed: int = 1,
) -> Plan:
    """The plan of a sweep: the grid of all values, or with `samples` that many points of it.

    `method` is sobol (scrambled Sobol points, rounded up to a power of two), random, or morris
    (`samples` trajectories, each of one scenario per key and one more). Raises InputError with
    everything that is wrong with the keys and values.
    """
    base = template.scenario()
    problems: list[Problem] = []
    axes: list[Axis] = []
    if not asked:
        problems.append(_problem("", "nothing is varied", "at least one", "--vary key=a,b,c"))
    if method not in METHODS:
        problems.append(_unknown("--method", method, METHODS))
    for text in asked:
        try:
            axes.append(_axis(base, template, text, sampled=samples > 0))
        except InputError as error:
            problems += error.problems
    keys = [axis.key for axis in axes]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    problems += [_problem(key, "is varied twice", "each key once") for key in twice]
    checked = [_checked(template, axis, problems) for axis in axes]
    if problems:
        raise InputError(dict.fromkeys(problems))
    many = samples or math.prod(len(axis.texts) for axis in checked)
    if samples and method == "morris":
        many *= len(axes) + 1
    if many > MOST:
        fix = "fewer samples" if samples else "fewer values, or --samples"
        raise InputError(_problem("", f"{many:,} scenarios", f"at most {MOST:,}", fix))
    points = None if not samples else designs.points(method, len(axes), samples, seed)
    return Plan(tuple(checked), points)


def _axis(base: Scenario, template: Template, text: str, *, sampled: bool) -> Axis:
    try:
        parts, written = assignment(text)
    except ValueError:
        raise InputError(_problem("", f"{text!r} varies nothing", "key=a,b,c")) from None
    key = join(parts)
    field = field_at(base, parts)
    ranged = _RANGE.fullmatch(written)
    if ranged and (field is None or field.unit):
        if field is None:
            wrong: list[Problem] = []
            _read(template, key, ranged["low"], wrong)
            raise InputError(wrong or _problem(key, "is no quantity with a range", "key=a,b,c"))
        return _range(key, field, ranged, sampled=sampled)
    texts = tuple(_items(written))
    if not all(texts):
        raise InputError(_problem(key, f"{written!r} has an empty value", "key=a,b,c"))
    return Axis(key, texts, None, field or Field("", "", whole=False))


def _range(key: str, field: Field, found: re.Match[str], *, sampled: bool) -> Axis:
    low, high = _ends(key, field, found["low"], found["high"])
    steps = found["steps"]
    if sampled:
        if steps is not None:
            fix = f"{key}={found['low']}..{found['high']}, or without --samples"
            raise InputError(_problem(key, "has steps, and points are drawn", "no steps", fix))
        return Axis(key, (), (low, high), field)
    if steps is None:
        fix = f"{key}={found['low']}..{found['high']}:5, or --samples 64"
        raise InputError(_problem(key, "is a range without steps", "low..high:steps", fix))
    if not steps.strip().isdecimal() or int(steps) < 2:
        raise InputError(_problem(key, f"{steps!r} steps", "a whole number of at least 2"))
    if int(steps) > MOST:
        raise InputError(_problem(key, f"{int(steps):,} steps", f"at most {MOST:,}"))
    numbers = tuple(_tidy(x) for x in np.linspace(low, high, int(steps)))
    return Axis(key, tuple(map(_written, numbers)), None, field, numbers)


def _ends(key: str, field: Field, low: str, high: str) -> tuple[float, float]:
    """Both ends in the unit of the field; a unit on the last end holds for the first one too."""
    try:
        _, tail = units.split(high, field.unit)
        number, own = units.split(low, field.unit)
        if own and not tail:
            found, fix = (
                f"{low}..{high} has a unit on its first number only",
                f"{low}..{high} {own}",
            )
            raise QuantityError(found, f"for example {fix}")
        ends = (
            units.parse(low if own else f"{number} {tail}".strip(), field.unit),
            units.parse(high, field.unit),
        )
    except QuantityError as error:
        raise InputError(_problem(key, error.found, error.allowed, error.fix)) from error
    if not ends[0] < ends[1]:
        raise InputError(_problem(key, f"{low} is not below {high}", "low..high, rising"))
    return ends


def _checked(template: Template, axis: Axis, problems: list[Problem]) -> Axis:
    """The axis with its numbers, after each of its values was read; adds to the problems.

    Of an even range the ends and the first step are enough: bounds have no holes, and where the
    first step is a whole number all are.
    """
    if axis.ends is not None:
        for end in axis.ends:
            _read(template, axis.key, _written(end), problems)
        return axis
    if axis.numbers is not None:
        for text in dict.fromkeys((axis.texts[0], axis.texts[1], axis.texts[-1])):
            _read(template, axis.key, text, problems)
        return axis
    numbers = [_read(template, axis.key, text, problems) for text in axis.texts]
    if any(number is None for number in numbers):
        return axis
    return replace(axis, numbers=tuple(float(number) for number in numbers if number is not None))


def _read(template: Template, key: str, text: str, problems: list[Problem]) -> float | None:
    """The plain number that `text` means at `key`, None where it is none or is wrong."""
    try:
        found: Any = value(template.scenario([f"{key}={text}"]), key)
    except InputError as error:
        problems += [
            replace(p, where="--vary") if p.where == "--set" else p for p in error.problems
        ]
        return None
    except KeyError:
        return None
    if isinstance(found, Distribution):
        return found.median if found.fixed else None
    return float(found) if isinstance(found, (int, float)) and not isinstance(found, bool) else None


def _items(text: str) -> Iterator[str]:
    """Parts between commas, except within quotes and brackets."""
    depth, quote, start = 0, "", 0
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
        else:
            depth += (letter in _OPEN) - (letter in _CLOSE)
    yield text[start:].strip()


def _tidy(number: float) -> float:
    """Twelve significant digits: 0.3 and not 0.30000000000000004."""
    return float(f"{number:.12g}")


def _written(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(number)


def _unknown(key: str, word: str, known: Sequence[str]) -> Problem:
    return Problem("", key, f"{word!r} is unknown", ", ".join(known), suggestion(word, known))


def _problem(key: str, found: str, allowed: str = "", fix: str = "") -> Problem:
    return Problem("--vary", key, found, allowed, fix)
