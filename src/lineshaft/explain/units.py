"""Units of what formulas make: USD/task times task is USD."""

from __future__ import annotations

import ast
import math
from collections import Counter

from lineshaft.formulas import called, columns_of, owner_and_name
from lineshaft.lineage import CALENDAR
from lineshaft.parameters.origins import meaning_of
from lineshaft.units import format_quantity

_ADD_UP = (
    *("USD", "J", "kWh", "Wh", "W", "MW", "L", "kg", "h", "min"),
    *("token", "task", "accelerator", "agent", "robot", "person"),
)


def adds_up(unit: str) -> bool:
    """Whether values in this unit may be added over kinds, sites or months."""
    return unit in _ADD_UP


def shown(value: float, unit: str) -> str:
    """A value for people: three significant figures with its unit; "–" where there is none."""
    return "–" if math.isnan(value) else format_quantity(value, unit or "1")


def of(tree: ast.expr, table: str) -> str:
    """The unit of an expression; "" where a plain number converts it to what no unit says."""
    found = _of(tree, table)
    return "" if found is None else _written(found)


Powers = Counter[str]


def _of(tree: ast.expr, table: str) -> Powers | None:
    if isinstance(tree, ast.Constant):
        return Counter() if tree.value in (0, 1) else None
    if isinstance(tree, (ast.Name, ast.Attribute)):
        return _read(_unit(*owner_and_name(tree, table)))
    if isinstance(tree, ast.UnaryOp):
        return _of(tree.operand, table)
    if isinstance(tree, ast.Compare):
        return Counter()
    if isinstance(tree, ast.BinOp):
        return _of_two(tree, table)
    assert isinstance(tree, ast.Call)
    name, given = called(tree), tree.args
    if name in ("sum", "year", "last", "lag", "clip"):
        return _of(given[0], table)
    if name in ("min", "max", "where"):
        values = given[1:] if name == "where" else given
        return next((p for g in values if not _zero(g) and (p := _of(g, table)) is not None), None)
    if name == "ratio":
        top, bottom = (_of(part, table) for part in given)
        return None if top is None or bottom is None else _times(top, bottom, -1)
    return Counter({"month": 1}) if name == "first" else Counter() if name == "exp" else None


def _of_two(tree: ast.BinOp, table: str) -> Powers | None:
    left, right = _of(tree.left, table), _of(tree.right, table)
    if isinstance(tree.op, (ast.Add, ast.Sub)):
        # 1 + a yearly rate is a factor
        if isinstance(tree.left, ast.Constant):
            return Counter() if tree.left.value == 1 else right
        return right if left is None else left
    if left is None or right is None:
        return None
    if isinstance(tree.op, ast.Pow):
        return Counter() if not left else None
    return _times(left, right, -1 if isinstance(tree.op, ast.Div) else 1)


def _unit(owner: str, name: str) -> str:
    if columns_of(owner):
        return str(columns_of(owner)[name].unit)
    return CALENDAR[name][0] if owner == "calendar" else meaning_of(owner, name)[0]


def _zero(tree: ast.expr) -> bool:
    return isinstance(tree, ast.Constant) and tree.value == 0


def _times(left: Powers, right: Powers, sign: int) -> Powers:
    found: Powers = Counter(left)
    for unit, power in right.items():
        found[unit] += sign * power
    return Counter({unit: power for unit, power in found.items() if power})


def _read(unit: str) -> Powers | None:
    head, *below = unit.split("/")
    found: Powers = Counter()
    for part, sign in ((head, 1), *((part, -1) for part in below)):
        if part not in ("1", ""):
            found[part] += sign
    return found


def _written(powers: Powers) -> str:
    top = [unit for unit, power in powers.items() for _ in range(max(power, 0))]
    below = [unit for unit, power in powers.items() for _ in range(max(-power, 0))]
    if len(top) > 1:
        return ""
    return "/".join([top[0] if top else "1", *below])
