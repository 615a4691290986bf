"""A part of a sweep: scenarios are read, characterised, and solved side by side where they can."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lineshaft.cache import Cache, memo
from lineshaft.characterise import characterise
from lineshaft.errors import ConservationError, InputError
from lineshaft.kpis import MEASURES
from lineshaft.line import CHUNK, join
from lineshaft.parameters.draws import draw
from lineshaft.stack import Case, solve
from lineshaft.sweep.rows import chosen, values
from lineshaft.sweep.template import Template
from lineshaft.sweep.vary import Plan
from lineshaft.tables import Array

LIKE = 32
"""Scenarios of a part: enough to share chunks, few enough to lose little when stopped."""


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
            own = list(_cases(question, index))
        except InputError as error:
            problems[place] = str(error)
            continue
        cases += own
        owners += [place] * len(own)
    figures: list[list[list[Array]]] = [[] for _ in part]
    for place, found in zip(owners, solve(cases), strict=True):
        if isinstance(found, ConservationError):
            problems[place] = str(found)
        else:
            figures[place].append(found)
    wanted = [MEASURES.index(what) for what in measures]
    rows = [
        None if problem else values(measures, [found[i] for i in wanted], question.draws)
        for problem, found in zip(problems, map(list, map(join, figures)), strict=True)
    ]
    width = max((len(row) for row in rows if row is not None), default=0)
    return Answers(problems, np.array([[np.nan] * width if r is None else r for r in rows]))


def _cases(question: Question, index: int) -> Iterator[Case]:
    """The chunks of one scenario."""
    scenario = question.template.scenario(question.plan.overrides(index))
    curves = characterise(scenario, memo(Cache.default().folder))
    return Case.chunks(scenario, curves, draw(scenario, question.draws, scenario.seed))
