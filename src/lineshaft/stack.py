"""Scenarios side by side on the draw axis: a month of many scenarios costs little more than of one.

Two scenarios may share a chunk where everything that is not on the draw axis is equal: the labels,
the calendar, all parameters without a draw axis, and the curves but for those of construction and
of agents, which each draw may have of its own. Each draw of the line is answered from its own
numbers alone, so a scenario's values are the same bits in any chunk of at least two columns, and
the same as those of a run with draws. (In a chunk of one column NumPy adds along other axes than in
a wider one, so a lone column is doubled.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from lineshaft.balances import check
from lineshaft.cache import digest
from lineshaft.characterise import Curves
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import Several
from lineshaft.errors import ConservationError
from lineshaft.kpis import measure
from lineshaft.line import CHUNK, chunks, simulate
from lineshaft.parameters import Parameters, assemble
from lineshaft.parameters.build import PLANNED
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.tables import Array

C = TypeVar("C")

DRAWN = frozenset(
    {
        *("capital.debt_usd", "capital.rate_per_year", "capital.shares", "build.luck"),
        *("train.release_log2_horizon", "serve.price_per_token", "serve.quota_tokens"),
        *("allocation.minimum_tasks", "allocation.send_back_min", "allocation.peak_over_mean"),
    }
)
"""Parameters whose last axis is the draw, besides those that are declared with `param`."""


@dataclass(frozen=True, slots=True)
class Case:
    """One chunk of draws of one scenario, the median case first."""

    parameters: Parameters
    curves: Curves
    company: str
    """Cases with the same text may be solved side by side."""

    @classmethod
    def of(cls, parameters: Parameters, curves: Curves) -> Case:
        """A case and the company that it may have."""
        rest: list[object] = [dict(parameters.dims.labels), *_shared(curves)]
        for stage, name, array in _arrays(parameters):
            if not _stacks(stage, name, array):
                rest.append((stage, name.name, array))
            else:
                rest.append((stage, name.name, array.shape[:-1]))
        return cls(_marked(parameters), curves, digest(rest))

    @classmethod
    def chunks(cls, scenario: Scenario, curves: Curves, drawn: Draws) -> Iterator[Case]:
        """The cases of a scenario in given draws. Raises InputError where it cannot be."""
        calendar = Calendar.of(scenario.start, scenario.months)
        for chunk in chunks(drawn):
            yield cls.of(assemble(scenario, curves, chunk, calendar), curves)

    @property
    def width(self) -> int:
        """Columns: the median case and the draws."""
        return self.parameters.dims.width


def solve(cases: Sequence[Case]) -> list[list[Array] | ConservationError]:
    """Values of all headline figures of each case, [1 + draw] each, in the order of the cases.

    Where a balance of a case does not close, its error stands in place of its figures.
    """
    found: list[list[Array] | ConservationError] = [[] for _ in cases]
    for together in _batches(cases):
        for place, answer in zip(together, _solve([cases[i] for i in together]), strict=True):
            found[place] = answer
    return found


def _batches(cases: Sequence[Case]) -> Iterator[list[int]]:
    """Places of cases that are solved side by side, no more columns than a chunk of draws has."""
    companies: dict[str, list[int]] = {}
    for place, case in enumerate(cases):
        companies.setdefault(case.company, []).append(place)
    for places in companies.values():
        batch: list[int] = []
        columns = 0
        for place in places:
            if batch and columns + cases[place].width > 1 + CHUNK:
                yield batch
                batch, columns = [], 0
            batch.append(place)
            columns += cases[place].width
        yield batch


def _solve(cases: list[Case]) -> list[list[Array] | ConservationError]:
    lone = len(cases) == 1 and cases[0].width == 1
    columns = cases * 2 if lone else cases
    curves = [case.curves for case in columns]
    widths = [case.width for case in columns]
    build = [c.build for c in curves if c.build is not None]
    tables = simulate(
        stack([case.parameters for case in columns]),
        curves[0],
        _several(build, widths) if build else None,
        _several([c.agents for c in curves], widths),
    )
    try:
        check(tables)
    except ConservationError as error:
        if len(cases) == 1:
            return [error]
        return [answer for case in cases for answer in _solve([case])]
    figures = [values for _, values in measure(tables)]
    ends = np.cumsum([case.width for case in cases])
    return [
        [values[end - case.width : end] for values in figures]
        for case, end in zip(cases, ends, strict=True)
    ]


def stack(chunks: Sequence[Parameters]) -> Parameters:
    """Parameters of several chunks as those of one, columns in the order of the chunks."""
    first = chunks[0]
    widths = [chunk.dims.width for chunk in chunks]
    stages: dict[str, Any] = {}
    for field in dataclasses.fields(first):
        each = [getattr(chunk, field.name) for chunk in chunks]
        if field.name in ("dims", "calendar"):
            continue
        joined = {
            inner.name: _join([getattr(stage, inner.name) for stage in each], widths)
            for inner in dataclasses.fields(each[0])
            if _stacks(field.name, inner, getattr(each[0], inner.name))
        }
        stages[field.name] = dataclasses.replace(each[0], **joined)
    dims = dataclasses.replace(first.dims, width=sum(widths))
    return Parameters(dims=dims, calendar=first.calendar, **stages)


def _several(curves: Sequence[C], widths: Sequence[int]) -> Several[C] | None:
    """Each case's curve in its own columns; None where all have the same."""
    own = list({id(curve): curve for curve in curves}.values())
    if len(own) == 1:
        return None
    place = {id(curve): i for i, curve in enumerate(own)}
    return Several(tuple(own), np.repeat([place[id(curve)] for curve in curves], widths))


def _shared(curves: Curves) -> Iterator[object]:
    """What the curves of all draws of a chunk have in common; those of the floor are in the
    parameters."""
    yield from (curves.train, curves.serve, curves.plant, curves.oversee)
    yield curves.agents.log2_margin
    build = curves.build
    if build is not None:
        yield (build.phases, build.hall_phase, build.hall_w, build.progress)
        yield build.ready_months.shape


def _marked(parameters: Parameters) -> Parameters:
    """The same with the median case marked for the schedule, which knows it in column 0 only."""
    luck = np.array(np.broadcast_to(parameters.build.luck, (parameters.dims.width,)))
    luck[0] = PLANNED
    return dataclasses.replace(parameters, build=dataclasses.replace(parameters.build, luck=luck))


def _join(arrays: list[Array], widths: list[int]) -> Array:
    """Side by side; kept at width 1 where all are certain and equal."""
    one = arrays[0].tobytes()
    if all(a.shape[-1] == 1 and a.tobytes() == one for a in arrays):
        return arrays[0]
    parts = zip(arrays, widths, strict=True)
    return np.concatenate([np.broadcast_to(a, (*a.shape[:-1], w)) for a, w in parts], axis=-1)


def _stacks(stage: str, field: dataclasses.Field[Any], value: object) -> bool:
    """Whether the last axis of a parameter is the draw."""
    if f"{stage}.{field.name}" in DRAWN:
        return True
    keys = field.metadata.get("keys")
    return keys is not None and np.ndim(value) == len(keys) + 1  # type: ignore[arg-type]


def _arrays(parameters: Parameters) -> Iterable[tuple[str, dataclasses.Field[Any], Any]]:
    for field in dataclasses.fields(parameters):
        stage = getattr(parameters, field.name)
        if field.name in ("dims", "calendar"):
            continue
        for inner in dataclasses.fields(stage):
            yield field.name, inner, getattr(stage, inner.name)
