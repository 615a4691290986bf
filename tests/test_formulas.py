"""The language of formulas: what it says, what it refuses."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
import pytest

from lineshaft.contracts.tables import Tables
from lineshaft.formulas import Columns, FormulaError, Scope, names, opaque, parse
from lineshaft.line import Outcome
from lineshaft.tables import Array, Dims

KINDS, MONTHS = ("coder", "planner"), tuple(f"{2026 + m // 12}-{m % 12 + 1:02d}" for m in range(15))


@pytest.fixture
def tables(gigawatt: Outcome) -> Tables:
    labels = {**gigawatt.tables.dims.labels, "kind": KINDS, "month": MONTHS}
    found = Tables.allocate(Dims(labels))
    found.accepted.accepted[:] = np.arange(30.0).reshape(15, 2, 1)
    found.worth.revenue_usd[:] = 2.0
    return found


def value(
    tables: Tables,
    text: str,
    table: str = "",
    keys: tuple[str, ...] = (),
    end: int | None = None,
    at: dict[str, slice] | None = None,
) -> Any:
    return Scope(Columns(tables), table, keys, at or {}, end).evaluate(parse(text))


def test_a_sum_runs_over_the_keys_that_the_result_lacks(tables: Tables) -> None:
    assert value(tables, "sum(accepted.accepted)") == np.arange(30).sum()
    by_month = value(tables, "sum(accepted.accepted)", keys=("month",))
    assert by_month[:, 0].tolist() == [4 * m + 1 for m in range(15)]


def test_windows_end_with_the_months_that_count(tables: Tables) -> None:
    assert value(tables, "sum(last(accepted.accepted))") == 28 + 29
    assert value(tables, "year(worth.revenue_usd)") == 24
    assert value(tables, "year(worth.revenue_usd)", end=3) == 6
    assert value(tables, "sum(last(accepted.accepted))", end=3) == 4 + 5
    assert value(tables, "sum(accepted.accepted)", end=2) == 0 + 1 + 2 + 3


def test_a_single_argument_of_min_and_max_is_a_path(tables: Tables) -> None:
    assert value(tables, "sum(max(accepted.accepted))") == 28 + 29
    assert value(tables, "min(sum(accepted.accepted))") == 1
    assert value(tables, "max(2, 3)") == 3


def test_first_counts_months_and_is_nan_where_it_never_holds(tables: Tables) -> None:
    assert value(tables, "first(sum(accepted.accepted) > 12)") == 3
    assert math.isnan(float(value(tables, "first(sum(accepted.accepted) > 99)")[0]))


def test_lag_opens_with_its_second_argument(tables: Tables) -> None:
    plain: Array = value(tables, "lag(accepted)", "accepted", ("month", "kind"))
    assert plain[:, 0, 0].tolist() == [0, *range(0, 28, 2)]
    opened: Array = value(tables, "lag(accepted, 7)", "accepted", ("month", "kind"))
    assert opened[0].ravel().tolist() == [7, 7]
    for month in (0, 1, 5):
        one = value(
            tables, "lag(accepted, 7)", "accepted", ("month", "kind"), None,
            {"month": slice(month, month + 1)},
        )  # fmt: skip
        np.testing.assert_array_equal(one, opened[month : month + 1])


def test_a_ratio_without_a_bottom_is_no_figure(tables: Tables) -> None:
    assert math.isnan(float(value(tables, "ratio(year(worth.revenue_usd), 0)")[0]))
    assert value(tables, "ratio(year(worth.revenue_usd), 12)") == 2


def test_a_column_with_keys_that_the_result_lacks_needs_a_sum(tables: Tables) -> None:
    with pytest.raises(FormulaError, match=r"accepted\.accepted over month, kind needs sum"):
        value(tables, "accepted.accepted + 1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a +", "not a formula"),
        ("__import__('os')", "is not one of"),
        ("median(a)", "is not one of"),
        ("[a, b]", "not in the grammar"),
        ("a if b else c", "not in the grammar"),
    ],
)
def test_the_grammar_is_small(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        parse(text)


def test_engines_list_their_inputs_and_are_not_evaluated(tables: Tables) -> None:
    tree: ast.expr = parse("a + engine(value.sales, worth.b, lag(c))")
    assert opaque(tree)
    assert list(names(tree, "t")) == ["t.a", "worth.b", "t.c"]
    with pytest.raises(FormulaError, match="not arithmetic"):
        value(tables, "engine(value.sales, worth.revenue_usd)")


def test_what_is_not_there_is_named(tables: Tables) -> None:
    with pytest.raises(FormulaError, match=r"no column worth\.b"):
        value(tables, "worth.b")
