"""The small language in which columns and headline figures say how they are computed.

    worth.capex_usd       construction_usd + accelerator_usd + robot_usd
    worth.energy_usd      sum(powered.bill_usd)
    oversee.daa           sum(last(accepted.daa_b))

A bare name is a column of the same table, `table.column` one of another, `stage.name` a parameter.
Besides arithmetic (+ - * / **) and comparisons there are

    sum(x)                   over the keys that the result lacks
    lag(x), lag(x, first)    x of last month; in the first month `first`, or 0
    last(x), year(x)         x in the last month; its sum over the last 12 months
    min(x), max(x)           over all months; min(a, b), max(a, b) of two
    first(a > b)             months until it holds, NaN where it never does
    ratio(a, b)              a / b, NaN where b is not above 0: there is no such figure
    where(a > b, x, y), clip(x, low, high), exp(x), log2(x)
    curve(name, inputs…), engine(name, inputs…)    what is not arithmetic, with what it takes

The last months are those of the run, or those up to another month (`Scope.end`).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.errors import LineshaftError
from lineshaft.tables import Array

OPAQUE = ("curve", "engine")
"""Functions that stand for what is not arithmetic; they list their inputs."""

WINDOWS = ("last", "year", "first")
"""Functions that take a path over the months and give one value."""

FUNCTIONS = (
    *("min", "max", "clip", "exp", "log2", "sum", "lag", "where", "ratio"),
    *WINDOWS,
    *OPAQUE,
)


class FormulaError(LineshaftError):
    """A formula that is not in the grammar, or names what is not there."""


class Book(Protocol):
    """Where a formula finds the values of columns and parameters."""

    @property
    def months(self) -> int:
        """Number of months."""

    def column(self, table: str, name: str) -> Array:
        """[*keys, draw] a column. Raises FormulaError where there is none."""

    def parameter(self, stage: str, name: str) -> tuple[Array, tuple[str, ...]]:
        """A parameter [*keys, draw] and its keys. Raises FormulaError where there is none."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The book of tables alone, for figures that need no parameter."""

    tables: Tables

    @property
    def months(self) -> int:
        """Number of months."""
        return self.tables.dims.size("month")

    def column(self, table: str, name: str) -> Array:
        """[*keys, draw] a column. Raises FormulaError where there is none."""
        if name not in columns_of(table):
            raise FormulaError(f"there is no column {table}.{name}")
        found: Array = getattr(getattr(self.tables, table), name)
        return found

    def parameter(self, stage: str, name: str) -> tuple[Array, tuple[str, ...]]:
        """There is none: raises FormulaError."""
        raise FormulaError(f"{stage}.{name} is no column")


@dataclass(frozen=True, slots=True)
class Scope:
    """For which keys an expression is evaluated."""

    book: Book
    table: str
    """Owner of bare names."""
    keys: tuple[str, ...] = ()
    """Axes of the result, besides the draws."""
    at: Mapping[str, slice] = field(default_factory=dict)
    """Part of an axis that is wanted, by key; all of it where a key is not named."""
    end: int | None = None
    """Months that count, from the first on; None for all."""

    def evaluate(self, tree: ast.expr) -> Any:
        """[*keys, draw] values of an expression, axes of length 1 for keys that it lacks.

        Raises FormulaError where it holds `curve` or `engine`, or a name that is not there.
        """
        return _VISIT[type(tree)](self, tree)

    def over_months(self, months: slice) -> Scope:
        """The same with the months as first axis, those of `months` alone."""
        keys = ("month", *(key for key in self.keys if key != "month"))
        return replace(self, keys=keys, at={**self.at, "month": months})

    @property
    def window(self) -> slice:
        """The months that count."""
        return slice(0, self.end)

    def months(self) -> int:
        """How many months count."""
        return self.book.months if self.end is None else min(self.end, self.book.months)

    def before(self) -> Scope:
        """The same a month earlier."""
        asked = self.at.get("month", self.window)
        first, last, _ = asked.indices(self.months())
        return replace(self, at={**self.at, "month": slice(first - 1, last - 1)})


@cache
def columns_of(table: str) -> Mapping[str, Any]:
    """The columns of a table by name; none where there is no such table."""
    kind = _types().get(table)
    return {} if kind is None else {c.name: c for c in kind.columns()}


@cache
def keys_of(table: str) -> tuple[str, ...]:
    """The keys of a table."""
    return tuple(_types()[table].KEYS)


@cache
def _types() -> Mapping[str, Any]:
    return Tables.types()


@cache
def parse(text: str) -> ast.expr:
    """The expression of a formula. Raises FormulaError for what is not in the grammar."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"'{text}' is not a formula: {error.msg}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS
        ):
            raise FormulaError(f"'{ast.unparse(node)}' is not one of {', '.join(FUNCTIONS)}")
        if isinstance(node, ast.expr) and type(node) not in _VISIT:
            raise FormulaError(f"'{ast.unparse(node)}' is not in the grammar of formulas")
    return tree


def called(tree: ast.expr) -> str:
    """The name of the function that is called; "" where the expression is no call."""
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return tree.func.id
    return ""


def opaque(tree: ast.expr) -> bool:
    """Whether a curve or an engine stands in the expression."""
    return any(isinstance(node, ast.Call) and called(node) in OPAQUE for node in ast.walk(tree))


def names(tree: ast.expr, table: str) -> Iterator[str]:
    """Columns and parameters in an expression, `table.column` or `stage.parameter`."""
    if isinstance(tree, ast.Name):
        yield f"{table}.{tree.id}"
    elif isinstance(tree, ast.Attribute):
        yield ".".join(owner_and_name(tree, table))
    elif isinstance(tree, ast.Call):
        # the first argument names the curve or the engine; it is no input
        for argument in tree.args[1:] if called(tree) in OPAQUE else tree.args:
            yield from names(argument, table)
    else:
        for part in ast.iter_child_nodes(tree):
            if isinstance(part, ast.expr):
                yield from names(part, table)


def owner_and_name(tree: ast.expr, table: str) -> tuple[str, str]:
    """(table or stage, name) of a name in a formula of `table`."""
    if isinstance(tree, ast.Name):
        return table, tree.id
    assert isinstance(tree, ast.Attribute) and isinstance(tree.value, ast.Name)
    return tree.value.id, tree.attr


def free_keys(tree: ast.expr, scope: Scope) -> tuple[str, ...]:
    """Keys of an expression's values: those of its columns and parameters, in their order."""
    if isinstance(tree, (ast.Name, ast.Attribute)):
        return _values(scope, *owner_and_name(tree, scope.table))[1]
    if isinstance(tree, ast.Call):
        if called(tree) == "sum":
            return ()
        if called(tree) in WINDOWS or (called(tree) in ("min", "max") and len(tree.args) == 1):
            return tuple(key for key in free_keys(tree.args[0], scope) if key != "month")
    parts = tree.args if isinstance(tree, ast.Call) else ast.iter_child_nodes(tree)
    found: dict[str, None] = {}
    for part in parts:
        if isinstance(part, ast.expr):
            found.update(dict.fromkeys(free_keys(part, scope)))
    return tuple(found)


def _values(scope: Scope, owner: str, name: str) -> tuple[Array, tuple[str, ...]]:
    if owner in _types():
        return scope.book.column(owner, name), keys_of(owner)
    return scope.book.parameter(owner, name)


def _name(scope: Scope, tree: ast.expr) -> Any:
    owner, name = owner_and_name(tree, scope.table)
    values, keys = _values(scope, owner, name)
    missing = [key for key in keys if key not in scope.keys]
    if missing:
        raise FormulaError(f"{owner}.{name} over {', '.join(missing)} needs sum() here")
    whole = slice(None)
    cut = tuple(scope.window if key == "month" else whole for key in keys)
    part = tuple(scope.at.get(key, whole) for key in keys)
    values = values[cut][part]
    order = [keys.index(key) for key in scope.keys if key in keys]
    if order != sorted(order):
        values = np.transpose(values, (*order, values.ndim - 1))
    if len(order) == len(scope.keys):
        return values
    return values[tuple(whole if key in keys else None for key in scope.keys)]


def _constant(scope: Scope, tree: ast.expr) -> Any:
    assert isinstance(tree, ast.Constant)
    return np.asarray(tree.value, dtype=float)


_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
}


def _binary(scope: Scope, tree: ast.expr) -> Any:
    assert isinstance(tree, ast.BinOp)
    left, right = scope.evaluate(tree.left), scope.evaluate(tree.right)
    if isinstance(tree.op, ast.Div):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.divide(left, right)
    return _ARITHMETIC[type(tree.op)](left, right)


def _unary(scope: Scope, tree: ast.expr) -> Any:
    assert isinstance(tree, ast.UnaryOp)
    return -scope.evaluate(tree.operand)


def _compare(scope: Scope, tree: ast.expr) -> Any:
    assert isinstance(tree, ast.Compare)
    left, right = scope.evaluate(tree.left), scope.evaluate(tree.comparators[0])
    return _COMPARE[type(tree.ops[0])](left, right)


def _call(scope: Scope, tree: ast.expr) -> Any:
    assert isinstance(tree, ast.Call)
    name, given = called(tree), tree.args
    if name in OPAQUE:
        raise FormulaError(f"{name}() is not arithmetic")
    if name in _OF_PATH and not (name in _OF_VALUES and len(given) > 1):
        return _OF_PATH[name](scope, given)
    return _OF_VALUES[name](*(scope.evaluate(argument) for argument in given))


def _sum(scope: Scope, given: list[ast.expr]) -> Any:
    """Over the keys of the argument that the result lacks."""
    extra = tuple(key for key in free_keys(given[0], scope) if key not in scope.keys)
    value = replace(scope, keys=(*extra, *scope.keys)).evaluate(given[0])
    return value.sum(axis=tuple(range(len(extra))))


def _lag(scope: Scope, given: list[ast.expr]) -> Any:
    """Last month's values; the second argument, or 0, where there was no month before."""
    before = scope.before()
    first, last, _ = scope.at.get("month", scope.window).indices(scope.months())
    axis = scope.keys.index("month")
    if first > 0:
        return before.evaluate(given[0])
    first_month = replace(scope, at={**scope.at, "month": slice(0, 1)})
    opening = first_month.evaluate(given[1]) if len(given) > 1 else np.zeros(())
    rest = replace(scope, at={**scope.at, "month": slice(0, last - 1)}).evaluate(given[0])
    opening = np.broadcast_to(opening, (*rest.shape[:axis], 1, *rest.shape[axis + 1 :]))
    return np.concatenate([opening, rest], axis=axis)


def _year(scope: Scope, given: list[ast.expr]) -> Any:
    months = scope.months()
    return scope.over_months(slice(max(months - 12, 0), months)).evaluate(given[0]).sum(axis=0)


def _last(scope: Scope, given: list[ast.expr]) -> Any:
    months = scope.months()
    return scope.over_months(slice(months - 1, months)).evaluate(given[0])[0]


def _first(scope: Scope, given: list[ast.expr]) -> Any:
    holds = scope.over_months(scope.window).evaluate(given[0])
    return np.where(holds.any(axis=0), holds.argmax(axis=0), np.nan)


def _lowest(scope: Scope, given: list[ast.expr]) -> Any:
    return scope.over_months(scope.window).evaluate(given[0]).min(axis=0)


def _highest(scope: Scope, given: list[ast.expr]) -> Any:
    return scope.over_months(scope.window).evaluate(given[0]).max(axis=0)


def _ratio(top: Any, bottom: Any) -> Any:
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return np.where(condition, yes, no)


_OF_PATH: Mapping[str, Callable[[Scope, list[ast.expr]], Any]] = {
    "sum": _sum,
    "lag": _lag,
    "last": _last,
    "year": _year,
    "first": _first,
    "min": _lowest,
    "max": _highest,
}
_OF_VALUES: Mapping[str, Callable[..., Any]] = {
    "min": np.minimum,
    "max": np.maximum,
    "clip": np.clip,
    "exp": np.exp,
    "log2": np.log2,
    "where": _where,
    "ratio": _ratio,
}
_VISIT: Mapping[type[ast.expr], Callable[[Scope, Any], Any]] = {
    ast.Name: _name,
    ast.Attribute: _name,
    ast.Constant: _constant,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.Call: _call,
}
