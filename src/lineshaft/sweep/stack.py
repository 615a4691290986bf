"""Scenarios side by side on the draw axis: a month of many scenarios costs little more than of one.

Two scenarios may share a chunk where everything that is not on the draw axis is equal: the labels,
the calendar, the curves, and all parameters without a draw axis. Each draw of the line is answered
from its own numbers alone, so a scenario's values are the same bits in any chunk of at least two
columns, and the same as those of a run with draws. (In a chunk of one column NumPy adds along
other axes than in a wider one, so a lone column is doubled.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineshaft.balances import check
from lineshaft.cache import digest
from lineshaft.characterise import Curves
from lineshaft.errors import ConservationError
from lineshaft.kpis import measure
from lineshaft.line import CHUNK, simulate
from lineshaft.parameters import Parameters
from lineshaft.tables import Array

DRAWN = frozenset(
    {
        *("capital.debt_usd", "capital.rate_per_year", "capital.shares", "build.luck"),
        *("train.release_log2_horizon", "serve.price_per_token", "serve.quota_tokens"),
        *("allocation.minimum_tasks", "allocation.send_back_min"),
    }
)
"""Parameters whose last axis is the draw, besides those that are declared with `param`."""
FIRST = frozenset({"train.wanted"})
"""Parameters of which a stage reads the first column for all draws: equal there, or no company."""


@dataclass(frozen=True, slots=True)
class Case:
    """One chunk of draws of one scenario, the median case first."""

    parameters: Parameters
    curves: Curves
    company: str
    """Cases with the same text may be solved side by side."""

    @classmethod
    def of(cls, parameters: Parameters, curves: Curves, made_from: object) -> Case:
        """`made_from` says what the curves were made from: plain data for a digest."""
        rest: list[object] = [dict(parameters.dims.labels), made_from]
        for stage, name, array in _arrays(parameters):
            if not _stacks(stage, name, array):
                rest.append((stage, name.name, array))
            elif f"{stage}.{name.name}" in FIRST:
                rest.append((stage, name.name, array[..., 0]))
            else:
                rest.append((stage, name.name, array.shape[:-1]))
        return cls(_marked(parameters), curves, digest(rest))

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
    chunk = [case.parameters for case in cases]
    lone = len(cases) == 1 and cases[0].width == 1
    tables = simulate(stack(chunk * 2 if lone else chunk), cases[0].curves)
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


def _marked(parameters: Parameters) -> Parameters:
    """The same with the median case marked for the schedule, which knows it in column 0 only."""
    luck = np.array(np.broadcast_to(parameters.build.luck, (parameters.dims.width,)))
    luck[0] = -1.0
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
