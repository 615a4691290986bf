"""Runs side by side: their headline figures, what was asked differently, what moved the value.

found = compare([Run.read("runs/gigawatt-001"), Run.read("runs/gigawatt-late-grid-001")])
print(found.text())
found.moves[0].lines        # the change of the value by line of cash: adds up exactly
found.moves[0].keys         # and by scenario key, with what only happens together

lines.py   the change of the value by line of cash flow
keys.py    the scenario keys that differ, and what each of them moves
text.py    the comparison as text
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lineshaft.compare.keys import Change, Share, differences, shares
from lineshaft.compare.lines import Line, lines
from lineshaft.errors import RunError
from lineshaft.kpis import MEASURES, VALUE
from lineshaft.runs import Run
from lineshaft.units import format_quantity

__all__ = ["Change", "Comparison", "Figure", "Line", "Move", "Share", "compare"]

ROUNDING = 1e-12
"""Share of a figure below which a difference is rounding."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline figure in every run."""

    name: str
    unit: str
    meaning: str
    values: tuple[float | None, ...]
    """One a run; None where it has none."""
    texts: tuple[str, ...]
    """The same for people."""

    def change(self, run: int) -> float | None:
        """Difference of run number `run` to the first; None where one of them has no value."""
        first, other = self.values[0], self.values[run]
        if first is None or other is None:
            return None
        same = abs(other - first) <= ROUNDING * max(abs(first), abs(other))
        return 0.0 if same else other - first

    def percent(self, run: int) -> float | None:
        """The same in per cent of the first; None where that is 0."""
        change = self.change(run)
        return None if change is None or not self.values[0] else 100 * change / abs(self.values[0])


@dataclass(frozen=True, slots=True)
class Move:
    """What moved the enterprise value from the first run to another."""

    run: str
    change_usd: float
    lines: tuple[Line, ...]
    """By line of the cash flow; their changes add up to `change_usd`."""
    keys: tuple[Share, ...]
    """By scenario key, what only happens together, and other code; they add up too. Empty where it
    was not asked for, or where nothing differs."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side, the first as the reference."""

    runs: tuple[str, ...]
    figures: tuple[Figure, ...]
    changes: tuple[Change, ...]
    """Scenario keys that differ between any two of the runs."""
    moves: tuple[Move, ...]
    """One for each run but the first."""

    def text(self) -> str:
        """The comparison for people."""
        from lineshaft.compare.text import text

        return text(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        plain = asdict(self)
        for figure, row in zip(self.figures, plain["figures"], strict=True):
            others = range(1, len(self.runs))
            row["change"] = [None, *(figure.change(i) for i in others)]
            row["percent"] = [None, *(figure.percent(i) for i in others)]
        return plain


def compare(
    runs: Sequence[Run],
    *,
    keys: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Two or more runs side by side.

    With `keys` the change of the value is also given by scenario key: the line is solved again
    with each key changed alone, in the first scenario and in the other. `progress` is told (solved,
    in all). Raises RunError where the runs are not of the same months.
    """
    if len(runs) < 2:
        told = f"{runs[0].folder} alone" if runs else "nothing"
        raise RunError(f"{told} cannot be compared: name two runs or more")
    _same_months(runs)
    names = _names(runs)
    figures = []
    for what in MEASURES:
        rows = [run.kpis.get(what.name, {}) for run in runs]
        values = tuple(row.get("value") for row in rows)
        texts = tuple("none" if v is None else format_quantity(v, what.unit) for v in values)
        figures.append(Figure(what.name, what.unit, what.meaning, values, texts))
    moves = []
    for name, run in zip(names[1:], runs[1:], strict=True):
        change = _value(run) - _value(runs[0])
        by_key = shares(runs[0], run, change, progress) if keys else ()
        moves.append(Move(name, change, lines(runs[0], run), by_key))
    return Comparison(names, tuple(figures), differences(runs), tuple(moves))


def _value(run: Run) -> float:
    found = run.kpis[VALUE]["value"]
    return math.nan if found is None else float(found)


def _same_months(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        for what, say in (("start", "starts in"), ("months", "months:")):
            a, b = first.info[what], run.info[what]
            if a != b:
                raise RunError(
                    f"these runs cannot be compared: {first.folder} {say} {a}, {run.folder} {say} "
                    f"{b}; run one of them with --set {what}={b if what == 'start' else a}"
                )


def _names(runs: Sequence[Run]) -> tuple[str, ...]:
    """The folders' own names, or their whole paths where two are alike."""
    short = [run.folder.resolve().name for run in runs]
    return tuple(
        name if short.count(name) == 1 else str(run.folder)
        for name, run in zip(short, runs, strict=True)
    )
