"""Where every number comes from: the formulas of all columns, collected, parsed and evaluated.

Formulas live with the stage that computes them, in the language of `lineshaft.formulas`; this
module only collects them, so an explanation cannot drift from the code: tests evaluate the
arithmetic and compare it with what was stored.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.tables import Tables
from lineshaft.formulas import (
    Columns,
    FormulaError,
    Scope,
    keys_of,
    names,
    opaque,
    parse,
)
from lineshaft.line import LINE
from lineshaft.parameters import Parameters
from lineshaft.tables import Array

CALENDAR = {
    "days": ("day", "days of the month"),
    "seconds": ("s", "seconds of the month"),
    "years": ("year", "years from the start to the middle of the month"),
    "end": ("year", "years from the start to the end of the last month"),
    "annual": ("1", "12 over the months of the last year: 1 where the run has one"),
}
"""Unit and meaning of the parameters that the calendar gives."""


@dataclass(frozen=True, slots=True)
class Formula:
    """How one column is computed."""

    table: str
    column: str
    text: str
    stage: str
    """The stage, or `allocation`, that computes it."""
    tree: ast.expr

    @property
    def arithmetic(self) -> bool:
        """Whether it can be evaluated from stored columns and parameters alone."""
        return not opaque(self.tree)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns and parameters that it names, `table.column` or `stage.parameter`."""
        return tuple(dict.fromkeys(names(self.tree, self.table)))


@cache
def formulas() -> Mapping[str, Formula]:
    """The formula of every column of every table, by `table.column`."""
    found: dict[str, Formula] = {}
    modules = [("allocation", "lineshaft.allocation")]
    modules += [(stage, f"lineshaft.stages.{stage}.model") for stage in LINE]
    for stage, module in modules:
        for name, text in import_module(module).FORMULAS.items():
            table, column = name.split(".")
            found[name] = Formula(table, column, text, stage, parse(text))
    return found


@dataclass(frozen=True, slots=True)
class Solved(Columns):
    """The book of a solved line: its tables and its parameters."""

    parameters: Parameters

    def parameter(self, stage: str, name: str) -> tuple[Array, tuple[str, ...]]:
        """A parameter [*keys, draw] and its keys. Raises FormulaError where there is none."""
        return parameter(self.parameters, stage, name)


def evaluate(formula: Formula, tables: Tables, parameters: Parameters) -> Array:
    """What the formula gives, shaped like its column. Raises FormulaError if it is opaque."""
    scope = Scope(Solved(tables, parameters), formula.table, keys_of(formula.table))
    return np.broadcast_to(scope.evaluate(formula.tree), getattr(tables, formula.table).shape)


def parameter(parameters: Parameters, stage: str, name: str) -> tuple[Array, tuple[str, ...]]:
    """The array and the keys of a parameter. Raises FormulaError where there is none."""
    if stage == "calendar" and name in CALENDAR:
        return _calendar(parameters.calendar, name)
    params = getattr(parameters, stage, None)
    for field in dataclasses.fields(params) if dataclasses.is_dataclass(params) else ():
        if field.name == name and "keys" in field.metadata:
            values, keys = getattr(params, name), field.metadata["keys"]
            # flags of structure have no draws
            return values[..., None] if values.ndim == len(keys) else values, keys
    raise FormulaError(f"{stage} has no parameter '{name}'")


def _calendar(calendar: Calendar, name: str) -> tuple[Array, tuple[str, ...]]:
    if name == "end":
        return calendar.years[-1:] + 1 / 24, ()
    if name == "annual":
        return np.array([12 / min(12, len(calendar.labels))]), ()
    values: Array = getattr(calendar, name)
    return values[:, None], ("month",)
