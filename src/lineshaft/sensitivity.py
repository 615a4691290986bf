"""What moves the value most, and how much of its spread rests on what nobody knows well.

`tornado` takes every uncertain input, one at a time, to its 10 % and to its 90 % quantile, all
else at the median. The ends are draws side by side, so 170 inputs cost as much as 340 draws.
Engines see medians only; what an engine reads is therefore solved once more at either end, with
that engine's own curve. Correlations that the scenario states are left aside: one input moves,
the others stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft.asking import Ask, Question, answered
from lineshaft.characterise import Curves
from lineshaft.contracts.calendar import Calendar
from lineshaft.kpis import VALUE
from lineshaft.line import figures
from lineshaft.parameters import agents, build, floor, oversee, plant, serve, train
from lineshaft.parameters.build import LUCK, PLANNED
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Distribution, Fixed, Floats, Uniform
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.inputs import Input, called, origin, replaced, uncertain_inputs
from lineshaft.units import format_quantity
from lineshaft.words import or_none, shortened

if TYPE_CHECKING:
    from lineshaft.confidence import Confidence
    from lineshaft.one_more import OneMore

ENDS = (0.1, 0.9)
"""The quantiles to which an input is taken."""
MOST_ENGINE_INPUTS = 16
"""Inputs of engines that are solved with their own curves; of more, the engine keeps the median."""
_ENGINES = (plant, train, serve, floor, oversee, agents, build)


@dataclass(frozen=True, slots=True)
class Move:
    """What a figure does when one input goes to its ends, all else at the median."""

    input: Input
    low_input: float
    high_input: float
    """10 % and 90 % quantile of the input, in its unit."""
    low: float
    high: float
    """The figure there."""

    @property
    def size(self) -> float:
        """How far apart the two ends are; 0 where the figure has no answer at one of them."""
        gap = abs(self.high - self.low)
        return gap if math.isfinite(gap) else 0.0


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one input at a time does to some figures."""

    base: Mapping[str, float]
    """The figures with all inputs at the median."""
    moves: Mapping[str, tuple[Move, ...]]
    """By figure: every input, the one that moves it most first."""
    engine_at_median: tuple[str, ...] = ()
    """Inputs that act through an engine too, which kept its median: there are too many, or the
    engine refuses an end. Their moves hold only what acts besides."""


def tornado(scenario: Scenario, curves: Curves, kpis: Sequence[str] = (VALUE,)) -> Sensitivity:
    """Every uncertain input of `scenario` at its 10 % and 90 % quantile, for the figures `kpis`.

    `curves` are those of the scenario. Raises KeyError for a figure that is none,
    ConservationError where a balance does not close at an end.
    """
    found: Sensitivity = answered(tornado_question(scenario, curves, kpis))[0]
    return found


def tornado_question(
    scenario: Scenario, curves: Curves, kpis: Sequence[str] = (VALUE,)
) -> Question[Sensitivity]:
    """The same as a question, to be answered together with others.

    Where engines read more inputs than are solved with their own curves, those that moved nothing
    without go first, which takes a second round.
    """
    inputs = list(uncertain_inputs(scenario))
    if scenario.build.phase and scenario.build.risk:
        inputs.append(luck(scenario))
    ends = [one.number.ppf(ENDS) for one in inputs]
    read = read_by_engines(scenario)
    own = [place for place, one in enumerate(inputs) if one.path in read]
    many = len(own) > MOST_ENGINE_INPUTS

    def alone(places: Sequence[int]) -> list[Ask]:
        return [
            Ask(replaced(scenario, {inputs[place].path: Fixed(float(end))}))
            for place in places
            for end in ends[place]
        ]

    together = Ask(scenario, _side_by_side(inputs, ends), curves)
    solved, *with_own = yield [together, *([] if many else alone(own))]
    if solved is None:  # the scenario contradicts itself: this says how
        solved = figures(scenario, curves, together.drawn)
    found = {kpi: solved[kpi].copy() for kpi in kpis}
    left: set[int] = set()
    if many:
        moved = np.zeros(len(inputs))
        for values in found.values():
            moved += np.abs(values[1:] - values[0]).reshape(-1, 2).sum(axis=1)
        own.sort(key=moved.__getitem__)
        left |= set(own[MOST_ENGINE_INPUTS:])
        with_own = yield alone(own[:MOST_ENGINE_INPUTS])
    for i, one in enumerate(with_own):
        place = own[i // 2]
        if one is None:
            left.add(place)
            continue
        for kpi, values in found.items():
            values[1 + 2 * place + i % 2] = one[kpi][0]
    moves = {}
    for kpi, values in found.items():
        every = [
            Move(one, *map(float, span), *map(float, pair))
            for one, span, pair in zip(inputs, ends, values[1:].reshape(-1, 2), strict=True)
        ]
        moves[kpi] = tuple(sorted(every, key=lambda move: -move.size))
    base = {kpi: float(values[0]) for kpi, values in found.items()}
    return Sensitivity(base, moves, tuple(inputs[place].path for place in sorted(left)))


def luck(scenario: Scenario) -> Input:
    """The draw that picks the world of the construction schedule."""
    source, confidence = origin(scenario.build, "slip")
    meaning = "Luck of the construction, from the earliest finish (0) to the latest (1)"
    return Input(LUCK, Uniform(0.0, 1.0), meaning, "1", confidence, source)


def _side_by_side(inputs: Sequence[Input], ends: Sequence[Floats]) -> Draws:
    """Draws 1, 2 are the ends of the first input, 3, 4 of the second, …; else all at the median."""
    width = 1 + 2 * len(inputs)
    values = {LUCK: np.full(width, PLANNED)}
    for place, (one, span) in enumerate(zip(inputs, ends, strict=True)):
        row = values.setdefault(one.path, np.full(width, one.number.median))
        row[1 + 2 * place : 3 + 2 * place] = span
    return Draws(width - 1, values)


@dataclass(frozen=True, slots=True, eq=False)
class _Watched(Distribution):
    """An input that notes that its median was asked for."""

    inner: Distribution
    path: str
    seen: set[str]

    @property
    def median(self) -> float:
        self.seen.add(self.path)
        return self.inner.median

    def ppf(self, u: Any) -> Floats:
        self.seen.add(self.path)
        return self.inner.ppf(u)


def read_by_engines(scenario: Scenario) -> frozenset[str]:
    """Paths of the uncertain inputs whose medians are asked for to make the engines' inputs."""
    seen: set[str] = set()
    watched = replaced(
        scenario, {path: _Watched(one, path, seen) for path, one in drivers(scenario).items()}
    )
    calendar = Calendar.of(scenario.start, scenario.months)
    dims = dims_of(scenario, calendar)
    for stage in _ENGINES:
        stage.engine_inputs(watched, dims, calendar)
    return frozenset(seen)


def summary(
    sensitivity: Sensitivity,
    things: Sequence[OneMore],
    confidence: Confidence | None,
    kpi: str = VALUE,
) -> dict[str, Any]:
    """Plain data for run.json: "sensitivity", "one_more", "confidence". NaN becomes None."""
    moves = [
        {
            "input": move.input.path,
            "meaning": move.input.meaning,
            "unit": move.input.unit,
            "low_input": or_none(move.low_input),
            "high_input": or_none(move.high_input),
            "low": or_none(move.low),
            "high": or_none(move.high),
            "confidence": move.input.confidence,
            "source": move.input.source,
        }
        for move in sensitivity.moves[kpi]
    ]
    return {
        "sensitivity": {
            "kpi": kpi,
            "base": or_none(sensitivity.base[kpi]),
            "moves": moves,
            "engine_at_median": list(sensitivity.engine_at_median),
        },
        "one_more": [
            {
                "what": one.what,
                "step": one.step,
                "value_usd": one.value_usd,
                "up_usd": one.up_usd,
                "down_usd": one.down_usd,
                "se_usd": one.se_usd,
                "kink": one.kink,
                "note": one.note,
            }
            for one in things
        ],
        "confidence": confidence
        and {
            "low_share": confidence.low_share,
            "low_share_se": confidence.low_share_se,
            "unrated_share": confidence.unrated_share,
            "explained_share": confidence.explained,
            "next": confidence.next.path,
            "next_share": confidence.next_share,
        },
    }


def told(found: Mapping[str, Any], top: int = 5) -> list[str]:
    """What `summary` made, as lines for people: what moves the value most, what one more is worth.

    Nothing is said of a value that nothing moves.
    """
    return [*_moves_told(found, top), *_things_told(found)]


def _moves_told(found: Mapping[str, Any], top: int) -> list[str]:
    base = found["sensitivity"]["base"]
    moves = [
        move
        for move in found["sensitivity"]["moves"][:top]
        if None not in (base, move["low"], move["high"])
        and abs(move["high"] - move["low"]) > 1e-9 * abs(base)
    ]
    if not moves:
        return []
    rows = [
        (
            shortened(called(move["input"], move["meaning"]), 64),
            format_quantity(move["low_input"], move["unit"]),
            format_quantity(move["high_input"], move["unit"]),
            format_quantity(move["low"], "USD"),
            format_quantity(move["high"], "USD"),
            "low confidence" if move["confidence"] == "low" else "",
        )
        for move in moves
    ]
    lines = [
        "What moves the value most (one input at its 10 % and 90 % end, the rest at the median)"
    ]
    lines += [
        f"  {a}  {b} to {c}  {d} to {e}  {mark}".rstrip() for a, b, c, d, e, mark in _aligned(rows)
    ]
    known = found["confidence"]
    if known:
        shares = (known["low_share"], known["low_share_se"], known["unrated_share"])
        low, se, unrated = (f"{100 * max(share, 0.0):.0f} %" for share in shares)
        lines.append(
            f"  of its variance at least {low} (± {se}) rests on inputs of low confidence,"
            f" {unrated} on what the scenario says;"
        )
        share = f"{100 * known['next_share']:.0f} %"
        lines.append(f"  next to know better: {known['next']} ({share} of the variance)")
    return lines


def _things_told(found: Mapping[str, Any]) -> list[str]:
    if not any(one["up_usd"] or one["down_usd"] for one in found["one_more"]):
        return []
    rows = [
        (
            one["what"],
            format_quantity(one["value_usd"], "USD"),
            one["step"],
            _kink(one) if one["kink"] else one["note"],
        )
        for one in found["one_more"]
    ]
    lines = ["What one more is worth (change of the value for one; the step that was taken)"]
    lines += [f"  {a}  {b}  {c}  {note}".rstrip() for a, b, c, note in _aligned(rows)]
    return lines


def _kink(one: Mapping[str, Any]) -> str:
    more, less = (format_quantity(one[side], "USD") for side in ("up_usd", "down_usd"))
    return f"{one['note'] or 'kink'}: {more} for more, {less} for less"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Columns of one width each: words to the left, what begins with a digit or $ to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        [
            cell.rjust(width) if cell.lstrip("-−$")[:1].isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        for row in rows
    ]
