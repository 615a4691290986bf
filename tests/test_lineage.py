"""Every column has a formula, every name in it exists, and the arithmetic gives what is stored."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lineshaft.contracts.tables import Tables
from lineshaft.line import Outcome
from lineshaft.lineage import evaluate, formulas, parameter

COLUMNS = [f"{n}.{c.name}" for n, table in Tables.types().items() for c in table.columns()]


def test_every_column_has_exactly_one_formula() -> None:
    assert set(formulas()) == set(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_every_input_exists(name: str, gigawatt: Outcome) -> None:
    for given in formulas()[name].inputs:
        owner, column = given.split(".")
        if owner in Tables.types():
            assert column in {c.name for c in Tables.types()[owner].columns()}, given
        elif owner != "calendar" and not formulas()[name].arithmetic:
            # an engine may also take a parameter that is structure and no array over keys
            params = getattr(gigawatt.parameters, owner)
            assert column in {f.name for f in dataclasses.fields(params)}, given
        else:
            parameter(gigawatt.parameters, owner, column)


@pytest.mark.parametrize(
    "name", [n for n in COLUMNS if formulas().get(n) and formulas()[n].arithmetic]
)
@pytest.mark.parametrize("example", ["gigawatt", "warehouse", "claimed"])
def test_the_arithmetic_gives_what_is_stored(
    name: str, example: str, request: pytest.FixtureRequest
) -> None:
    outcome: Outcome = request.getfixturevalue(example)
    formula = formulas()[name]
    stored = getattr(outcome.tables, formula.table)[formula.column]
    found = evaluate(formula, outcome.tables, outcome.parameters)
    unit = {c.name: c.unit for c, _ in getattr(outcome.tables, formula.table)}
    same = [v for c, v in getattr(outcome.tables, formula.table) if c.unit == unit[formula.column]]
    # rounding is that of the operands
    scale = max(np.nanmax(np.abs(v), initial=1e-12) for v in same)
    np.testing.assert_allclose(found, stored, rtol=1e-9, atol=1e-9 * scale)
