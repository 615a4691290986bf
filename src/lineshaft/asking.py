"""Questions that want other scenarios solved: all of them together, on all processors.

    def worth(scenario, other) -> Question[float]:
        before, after = yield [Ask(scenario, drawn), Ask(other, drawn)]
        return after[VALUE].mean() - before[VALUE].mean()

    first, second = answered(worth(scenario, one), worth(scenario, another))

A question is a generator: it yields what it asks for, is sent the figures of each, may ask again,
and returns its answer. What several questions ask in one round is solved side by side.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from lineshaft.cache import Cache, memo
from lineshaft.characterise import Curves, characterise
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import ConservationError, InputError
from lineshaft.kpis import MEASURES
from lineshaft.line import CHUNK, chunks, join
from lineshaft.parallel import parallel, processors
from lineshaft.parameters import assemble
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.stack import Case, solve
from lineshaft.tables import Array

A = TypeVar("A")

Figures = dict[str, Array]
"""[1 + n] values of every headline figure, by name."""
_SETUP = 8
"""Columns of draws that take as long as to read one more scenario."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A scenario to be solved in given draws."""

    scenario: Scenario
    drawn: Draws = Draws(0, {})  # noqa: RUF009
    """By default the case with all inputs at the median."""
    curves: Curves | None = None
    """Its curves where they are at hand."""


Question = Generator[Sequence[Ask], list[Figures | None], A]
"""Yields what it asks for, is sent what `solve_all` finds, returns its answer."""


def answered(*questions: Question[Any]) -> list[Any]:
    """The answers of questions, in their order. Raises what `solve_all` and they raise."""
    answers: list[Any] = [None] * len(questions)
    sent: dict[int, Any] = dict.fromkeys(range(len(questions)))
    while True:
        asked: dict[int, Sequence[Ask]] = {}
        for i, found in sent.items():
            try:
                asked[i] = questions[i].send(found)
            except StopIteration as end:
                answers[i] = end.value
        if not asked:
            return answers
        solved = iter(solve_all([one for each in asked.values() for one in each]))
        sent = {i: list(islice(solved, len(each))) for i, each in asked.items()}


def solve_all(asked: Sequence[Ask]) -> list[Figures | None]:
    """Every headline figure of scenarios, each in its own draws and with its own curves; None
    where one of them cannot be. Only engines that a change touches run again.

    Raises ConservationError where a balance of one does not close.
    """
    columns = sum(1 + one.drawn.n for one in asked)
    most = min(CHUNK, math.ceil(columns / processors()))
    pieces = [(i, chunk) for i, one in enumerate(asked) for chunk in chunks(one.drawn, most)]
    parts = _shared_out(pieces, max(processors(), math.ceil(columns / (2 * CHUNK))))
    found: list[list[Array] | None] = [None] * len(pieces)
    with _kept() as folder, parallel(_solve_part, (folder, asked, pieces), len(parts)) as work:
        for part, answers in zip(parts, work(parts), strict=True):
            for piece, answer in zip(part, answers, strict=True):
                found[piece] = answer
    names = [what.name for what in MEASURES]
    figures: list[Figures | None] = []
    for place in range(len(asked)):
        own = [answer for (i, _), answer in zip(pieces, found, strict=True) if i == place]
        known = [answer for answer in own if answer is not None]
        whole = len(known) == len(own)
        figures.append(dict(zip(names, join(known), strict=True)) if whole else None)
    return figures


def _shared_out(pieces: Sequence[tuple[int, Draws]], count: int) -> list[list[int]]:
    """The places of the pieces, in parts of about the same work: the widest first, each to the
    part that has the least so far."""
    work = [_SETUP + chunk.n for _, chunk in pieces]
    parts: list[list[int]] = [[] for _ in range(min(count, len(pieces)))]
    load = [0] * len(parts)
    for piece in sorted(range(len(pieces)), key=lambda piece: -work[piece]):
        least = min(range(len(parts)), key=load.__getitem__)
        parts[least].append(piece)
        load[least] += work[piece]
    return parts


def _solve_part(
    common: tuple[Path, Sequence[Ask], Sequence[tuple[int, Draws]]], part: list[int]
) -> list[list[Array] | None]:
    """The figures of some pieces, side by side where they can; None where one cannot be."""
    folder, asked, pieces = common
    cases: dict[int, Case] = {}
    for piece in part:
        place, chunk = pieces[piece]
        scenario, curves = asked[place].scenario, asked[place].curves
        try:
            curves = characterise(scenario, memo(folder)) if curves is None else curves
            calendar = Calendar.of(scenario.start, scenario.months)
            cases[piece] = Case.of(assemble(scenario, curves, chunk, calendar), curves)
        except InputError:
            continue
    found = dict(zip(cases, solve(list(cases.values())), strict=True))
    for answer in found.values():
        if isinstance(answer, ConservationError):
            raise answer
    return [found.get(piece) for piece in part]  # type: ignore[misc]


@contextmanager
def _kept() -> Iterator[Path]:
    """The user's folder of curves, or one for the time being where none is to be kept."""
    kept = Cache.default().folder
    if kept is not None:
        yield kept
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)
