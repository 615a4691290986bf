"""Where every number comes from: the formulas of all columns, parsed and evaluated.

The grammar is small: arithmetic (+ - * / **) over columns and parameters, comparisons inside
`where`, and the functions min, max, clip, exp, log2, sum (over the keys that the result lacks),
lag (last month), `curve(name, inputs…)` and `engine(name, inputs…)` for what is not arithmetic.
A bare name is a column of the same table, `table.column` one of another, `stage.name` a parameter.
Formulas live with the stage that computes them; this module only collects them, so an explanation
cannot drift from the code: tests evaluate the arithmetic and compare it with what was stored.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.errors import LineshaftError
from lineshaft.parameters import Parameters
from lineshaft.tables import Array

STAGES = ("capital", "build", "train", "agents", "serve", "floor", "plant", "oversee", "value")

OPAQUE = ("curve", "engine")
"""Functions that stand for what is not arithmetic; they list their inputs."""

FUNCTIONS = ("min", "max", "clip", "exp", "log2", "sum", "lag", "where", *OPAQUE)


class FormulaError(LineshaftError):
    """A formula that is not in the grammar, or names what is not there."""


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
        return not any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in OPAQUE
            for node in ast.walk(self.tree)
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns and parameters that it names, `table.column` or `stage.parameter`."""
        return tuple(dict.fromkeys(_names(self.tree, self.table)))


@cache
def formulas() -> Mapping[str, Formula]:
    """The formula of every column of every table, by `table.column`."""
    found: dict[str, Formula] = {}
    modules = [("allocation", "lineshaft.allocation")]
    modules += [(stage, f"lineshaft.stages.{stage}.model") for stage in STAGES]
    for stage, module in modules:
        for name, text in import_module(module).FORMULAS.items():
            table, column = name.split(".")
            found[name] = Formula(table, column, text, stage, _parse(text))
    return found


def evaluate(formula: Formula, tables: Tables, parameters: Parameters) -> Array:
    """What the formula gives, shaped like its column. Raises FormulaError if it is opaque.

    The first month of a formula with `lag` takes 0 for what was before, except for columns that
    open with a parameter; compare from the second month on.
    """
    keys = Tables.types()[formula.table].KEYS
    value = _Evaluator(tables, parameters, formula.table, keys).visit(formula.tree)
    shape = getattr(tables, formula.table).shape
    return np.broadcast_to(value, shape)


def parameter(parameters: Parameters, stage: str, name: str) -> tuple[Array, tuple[str, ...]]:
    """The array and the keys of a parameter. Raises FormulaError where there is none."""
    if stage == "calendar" and name in ("days", "seconds"):
        return getattr(parameters.calendar, name)[:, None], ("month",)
    params = getattr(parameters, stage, None)
    for field in dataclasses.fields(params) if dataclasses.is_dataclass(params) else ():
        if field.name == name and "keys" in field.metadata:
            return getattr(params, name), field.metadata["keys"]
    raise FormulaError(f"{stage} has no parameter '{name}'")


def _parse(text: str) -> ast.expr:
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"'{text}' is not a formula: {error.msg}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS
        ):
            raise FormulaError(f"'{ast.unparse(node)}' is not one of {', '.join(FUNCTIONS)}")
    return tree


def _names(tree: ast.expr, table: str) -> Iterator[str]:
    skip: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            skip.add(id(node.func))
            if isinstance(node.func, ast.Name) and node.func.id in OPAQUE:
                # the first argument names the curve or the engine; it is no input
                skip.update(id(part) for part in ast.walk(node.args[0]))
    for node in ast.walk(tree):
        if id(node) in skip:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            skip.add(id(node.value))
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Name):
            yield f"{table}.{node.id}"


class _Evaluator(ast.NodeVisitor):
    """Values over the keys of the target table, the draw axis last."""

    def __init__(
        self, tables: Tables, parameters: Parameters, table: str, keys: tuple[str, ...]
    ) -> None:
        self.tables, self.parameters, self.table, self.keys = tables, parameters, table, keys

    def visit_Constant(self, node: ast.Constant) -> Any:
        return np.asarray(node.value, dtype=float)

    def visit_Name(self, node: ast.Name) -> Any:
        return self._column(self.table, node.id)

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        assert isinstance(node.value, ast.Name)
        owner = node.value.id
        if owner in Tables.types():
            return self._column(owner, node.attr)
        return self._align(*parameter(self.parameters, owner, node.attr))

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        operations: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
            ast.Add: np.add,
            ast.Sub: np.subtract,
            ast.Mult: np.multiply,
            ast.Div: _divide,
            ast.Pow: np.power,
        }
        return operations[type(node.op)](self.visit(node.left), self.visit(node.right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return -self.visit(node.operand)

    def visit_Compare(self, node: ast.Compare) -> Any:
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        comparisons: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
            ast.Gt: np.greater,
            ast.GtE: np.greater_equal,
            ast.Lt: np.less,
            ast.LtE: np.less_equal,
        }
        return comparisons[type(node.ops[0])](left, right)

    def visit_Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name in OPAQUE:
            raise FormulaError(f"{name}() is not arithmetic")
        if name == "sum":
            return self._sum(node.args[0])
        values = [self.visit(argument) for argument in node.args]
        if name == "lag":
            return np.concatenate([np.zeros_like(values[0][:1]), values[0][:-1]])
        if name in ("min", "max"):
            return (np.minimum if name == "min" else np.maximum)(*values)
        plain: dict[str, Callable[..., Any]] = {
            "clip": np.clip,
            "exp": np.exp,
            "log2": np.log2,
            "where": np.where,
        }
        return plain[name](*values)

    def _sum(self, argument: ast.expr) -> Any:
        """Sum over the keys of the argument that the target lacks."""
        keys: list[str] = list(self.keys)
        for name in _names(argument, self.table):
            owner, column = name.split(".")
            own = (
                Tables.types()[owner].KEYS
                if owner in Tables.types()
                else parameter(self.parameters, owner, column)[1]
            )
            keys += [key for key in own if key not in keys]
        inner = _Evaluator(self.tables, self.parameters, self.table, tuple(keys))
        value = inner.visit(argument)
        extra = tuple(i for i, key in enumerate(keys) if key not in self.keys)
        return value.sum(axis=extra)

    def _column(self, table: str, name: str) -> Any:
        try:
            values = getattr(self.tables, table)[name]
        except (AttributeError, KeyError) as error:
            raise FormulaError(f"there is no column {table}.{name}") from error
        return self._align(values, Tables.types()[table].KEYS)

    def _align(self, values: Array, keys: tuple[str, ...]) -> Any:
        """`values` over their keys, with axes of length 1 for the keys they lack."""
        missing = [key for key in keys if key not in self.keys]
        if missing:
            raise FormulaError(f"a column over {', '.join(missing)} needs sum() here")
        order = [keys.index(key) for key in self.keys if key in keys]
        moved = np.transpose(values, (*order, values.ndim - 1))
        index = tuple(slice(None) if key in keys else None for key in self.keys)
        return moved[(*index, slice(None))]


def _divide(top: Any, bottom: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(top, bottom)
