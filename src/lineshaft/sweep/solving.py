"""A part of a sweep: scenarios are read, characterised, and solved side by side where they can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lineshaft.cache import Cache, digest
from lineshaft.characterise import characterise
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import ConservationError, InputError
from lineshaft.kpis import MEASURES
from lineshaft.line import CHUNK
from lineshaft.parameters import assemble
from lineshaft.parameters.draws import draw
from lineshaft.sweep.rows import chosen, values
from lineshaft.sweep.stack import Case, solve
from lineshaft.sweep.template import Template
from lineshaft.sweep.vary import Plan
from lineshaft.tables import Array

T = TypeVar("T")

LIKE = 32
"""Scenarios of a part: enough to share chunks, few enough to lose little when stopped."""
_KEPT = 256
"""Curves that a process keeps at hand."""


@dataclass(frozen=True)
class Question:
    """What is asked of every scenario."""

    template: Template
    plan: Plan
    draws: int
    kpis: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What a part of a sweep found."""

    problems: list[str | None]
    """[scenario] why it cannot be, or None."""
    numbers: Array
    """[scenario, column] as `rows.columns` names them."""


class Memo(Cache):
    """Curves at hand in this process, in front of those on disk; notes what was asked for."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder)
        self.asked: list[str] = []
        self._curves: dict[str, Any] = {}

    def get(self, stage: str, inputs: Any, make: Callable[[], T]) -> T:
        """The curve of `stage` for `inputs`, made by `make` where it is not kept yet."""
        key = digest((stage, inputs))
        self.asked.append(key)
        if key not in self._curves:
            if len(self._curves) >= _KEPT:
                self._curves.pop(next(iter(self._curves)))
            self._curves[key] = super().get(stage, inputs, make)
        curve: T = self._curves[key]
        return curve


@lru_cache(maxsize=1)
def memo(folder: Path | None) -> Memo:
    """The curves of this process."""
    return Memo(folder)


def parts(plan: Plan, draws: int) -> list[range]:
    """Scenarios by parts, the same for any number of workers."""
    size = max(1, min(LIKE, 2 * CHUNK // (1 + draws), -(-len(plan) // 16)))
    return [range(start, min(start + size, len(plan))) for start in range(0, len(plan), size)]


def solve_part(question: Question, part: range) -> Answers:
    """Every scenario of `part`; one that cannot be has a problem in place of its values."""
    measures = chosen(question.kpis)
    problems: list[str | None] = [None] * len(part)
    cases: list[Case] = []
    owners: list[int] = []
    for place, index in enumerate(part):
        try:
            for case in _cases(question, index):
                cases.append(case)
                owners.append(place)
        except InputError as error:
            problems[place] = str(error)
    figures: list[list[list[Array]]] = [[] for _ in part]
    for place, found in zip(owners, solve(cases), strict=True):
        if isinstance(found, ConservationError):
            problems[place] = str(found)
        else:
            figures[place].append(found)
    wanted = [MEASURES.index(what) for what in measures]
    rows = [
        None if problem else values(measures, [chunks[i] for i in wanted], question.draws)
        for problem, chunks in zip(problems, map(_joined, figures), strict=True)
    ]
    width = max((len(row) for row in rows if row is not None), default=0)
    return Answers(problems, np.array([[np.nan] * width if r is None else r for r in rows]))


def _cases(question: Question, index: int) -> Iterator[Case]:
    """The chunks of one scenario."""
    scenario = question.template.scenario(question.plan.overrides(index))
    curves_at_hand = memo(Cache.default().folder)
    curves_at_hand.asked.clear()
    curves = characterise(scenario, curves_at_hand)
    made_from = tuple(curves_at_hand.asked)
    calendar = Calendar.of(scenario.start, scenario.months)
    drawn = draw(scenario, question.draws, scenario.seed)
    for start in range(0, max(drawn.n, 1), CHUNK):
        chunk = drawn.slice(start, min(start + CHUNK, drawn.n))
        yield Case.of(assemble(scenario, curves, chunk, calendar), curves, made_from)


def _joined(chunks: Sequence[list[Array]]) -> list[Array]:
    """[1 + draw] of each figure, the median case once."""
    return [
        np.concatenate([each[0], *(values[1:] for values in each[1:])])
        for each in zip(*chunks, strict=True)
    ]
