"""A row of results per scenario: what it set, and its headline figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.kpis import MEASURES, QUANTILES, Kpi, Measure, named
from lineshaft.sweep.vary import Plan
from lineshaft.tables import Array
from lineshaft.words import suggestion

if TYPE_CHECKING:
    import pyarrow

SUMMARY = (*(f"p{round(100 * q)}" for q in QUANTILES), "p50_se")
"""What of the draws stands beside the median case, from two draws on."""


def chosen(names: Sequence[str]) -> tuple[Measure, ...]:
    """The headline figures of these names, all where there are none; InputError for others."""
    known = [what.name for what in MEASURES]
    problems = [
        Problem(
            *("", "--kpi", f"no headline figure {name!r}", ", ".join(known)),
            suggestion(name, known, cutoff=0.4),
        )
        for name in names
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    return tuple(named(name) for name in dict.fromkeys(names)) or MEASURES


def columns(measures: Sequence[Measure], draws: int) -> Iterator[tuple[str, Measure, str]]:
    """Name, figure and what it is of each column that `values` fills."""
    if draws < 2:
        for what in measures:
            yield what.name, what, "median case" if draws == 0 else "the one draw"
        return
    for what in measures:
        yield what.name, what, "median case"
        for word in SUMMARY:
            meaning = "standard error of the median" if word == "p50_se" else f"{word} of the draws"
            yield f"{what.name}.{word}", what, meaning


def values(measures: Sequence[Measure], figures: Sequence[Array], draws: int) -> list[float]:
    """[column] from the [1 + draw] values of each figure; NaN where there is none."""
    found: list[float] = []
    for what, drawn in zip(measures, figures, strict=True):
        kpi = Kpi.of(what, drawn)
        if draws < 2:
            found.append(float(drawn[draws]))
            continue
        summary: dict[str, float | None] = {**kpi.quantiles, "p50_se": kpi.p50_se}
        of_draws = [summary.get(word) for word in SUMMARY]
        found += [kpi.value, *(np.nan if x is None else x for x in of_draws)]
    return found


def table(
    plan: Plan,
    part: range,
    measures: Sequence[Measure],
    draws: int,
    problems: Sequence[str | None],
    numbers: Array,
) -> pyarrow.Table:
    """Rows of the scenarios of `part`; `numbers` are their [scenario, column] values."""
    import pyarrow as pa

    arrays: list[Any] = [pa.array(part, pa.int64())]
    fields = [_field("scenario", pa.int64(), "1", "number of the scenario, from 0", "scenario")]
    shown = [[value for _, value in plan.row(index)] for index in part]
    for place, axis in enumerate(plan.axes):
        kind = pa.float64() if axis.numeric else pa.string()
        arrays.append(pa.array([row[place] for row in shown], kind))
        unit = axis.field.unit if axis.numeric else ""
        fields.append(_field(axis.key, kind, unit, axis.field.meaning, "input"))
    for place, (name, what, of) in enumerate(columns(measures, draws)):
        column = numbers[:, place]
        arrays.append(pa.array(column, pa.float64(), mask=~np.isfinite(column)))
        meaning = f"{what.meaning}, {what.window}: {of}"
        fields.append(_field(name, pa.float64(), what.unit, meaning, "figure"))
    arrays.append(pa.array(problems, pa.string()))
    fields.append(_field("problem", pa.string(), "", "why the scenario cannot be", "problem"))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _field(name: str, kind: Any, unit: str, meaning: str, role: str) -> Any:
    import pyarrow as pa

    metadata = {"unit": unit, "meaning": meaning, "role": role}
    return pa.field(name, kind, metadata=metadata)
