"""From a formula to the tree of what it takes, each child made when it is first asked for."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from lineshaft.explain import units
from lineshaft.explain.book import RunBook
from lineshaft.explain.engines import engine_node
from lineshaft.explain.leaves import engine_leaves, leaves
from lineshaft.explain.node import How, Node
from lineshaft.formulas import (
    OPAQUE,
    FormulaError,
    Scope,
    called,
    columns_of,
    free_keys,
    keys_of,
    names,
    opaque,
    owner_and_name,
    parse,
)
from lineshaft.kpis import Measure
from lineshaft.lineage import CALENDAR, Formula, formulas
from lineshaft.parameters.origins import meaning_of
from lineshaft.tables import COMPOSITE, Array

MOST = 12
"""Parts of a sum that stand for themselves; the rest is one part."""
LONG = 24
"""Months from which on a sum over them goes by year first."""

Grown = tuple[Node, ...]
_COMPARE: Mapping[type[ast.cmpop], How] = {
    ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where in the tables an expression is looked at."""

    table: str
    """Owner of bare names."""
    at: Mapping[str, int]
    """Position by key."""
    above: frozenset[tuple[str, tuple[tuple[str, int], ...]]] = frozenset()
    """Columns that are being explained, with their places: none is explained within itself."""

    def moved(self, **at: int) -> Place:
        """The same with other positions."""
        return replace(self, at={**self.at, **at})

    def without(self, *keys: str) -> Place:
        """The same without a place on these keys."""
        return replace(self, at={key: i for key, i in self.at.items() if key not in keys})


class Walker:
    """Makes the nodes of one run and case; windows over the months end with month `end`."""

    def __init__(self, book: RunBook, end: int | None = None) -> None:
        self.book, self.end = book, end

    # ── figures, columns, parameters ──────────────────────────────────────────────────────────
    def figure(self, what: Measure) -> Node:
        """The node of a headline figure."""
        tree, place = parse(what.formula), Place("", {})
        node = self.expression(tree, place, value=self.value(tree, place))
        month = "" if "month" not in what.window else self.book.labels("month")[self._last]
        return replace(
            node,
            name=what.name,
            kind="figure",
            unit=what.unit,
            meaning=f"{what.meaning}, {what.window}",
            formula=node.formula,
            stage=what.name.split(".")[0],
            at={"month": month} if month and what.window.startswith("last") else {},
        )

    def column(self, name: str, place: Place, role: str = "") -> Node:
        """The node of a column at a place; over the keys that the place lacks where they are."""
        table, column = name.split(".")
        facts, formula = columns_of(table)[column], formulas()[name]
        keys = keys_of(table)
        at = self._implied(keys, place)
        common = Node(
            name, "column", math.nan, facts.unit, role, meaning=facts.meaning,
            formula=formula.text, stage=formula.stage, at=self._labels(at),
        )  # fmt: skip
        here = (name, tuple(sorted(at.items())))
        again = here in place.above
        inner = Place(table, at, place.above | {here})
        tree = ast.parse(name, mode="eval").body
        if set(at) != set(keys):
            found = self._spread(common, tree, inner)
            return _again(found) if again else found
        value = self.value(tree, inner)
        if facts.words:
            common = replace(common, written=facts.words[int(value)])
        if again:
            return _again(replace(common, value=value))
        how, grow = self._ways(formula.tree, inner, value, formula)
        return replace(common, value=value, how=how, grow=grow)

    def parameter(self, owner: str, name: str, place: Place, role: str = "") -> Node:
        """The node of a parameter at a place; its children are scenario keys and catalog cells."""
        if owner == "calendar":
            unit, meaning = CALENDAR[name]
            tree = ast.parse(f"calendar.{name}", mode="eval").body
            at = self._implied(self.book.parameter(owner, name)[1], place)
            value = self.value(tree, replace(place, at=at))
            return Node(
                f"calendar.{name}", "parameter", value, unit, role,
                meaning=meaning, stage="calendar", at=self._labels(at),
            )  # fmt: skip
        unit, meaning = meaning_of(owner, name)
        node = Node(
            f"{owner}.{name}", "parameter", math.nan, unit, role, "made from",
            meaning, stage=owner,
        )  # fmt: skip
        try:
            _, keys = self.book.parameter(owner, name)
        except FormulaError:  # structure, such as which model a kind thinks with
            return replace(node, grow=lambda: leaves(self.book, owner, name, {}))
        at = self._implied(keys, place)
        labels = self._labels(at)
        node = replace(node, at=labels, grow=lambda: leaves(self.book, owner, name, labels))
        tree = ast.parse(f"{owner}.{name}", mode="eval").body
        if set(at) != set(keys):
            return self._spread(node, tree, replace(place, at=at))
        return replace(node, value=self.value(tree, replace(place, at=at)))

    # ── expressions ───────────────────────────────────────────────────────────────────────────
    def expression(
        self, tree: ast.expr, place: Place, role: str = "", value: float | None = None
    ) -> Node:
        """The node of a part of a formula."""
        if isinstance(tree, (ast.Name, ast.Attribute)):
            owner, name = owner_and_name(tree, place.table)
            if columns_of(owner):
                return self.column(f"{owner}.{name}", place, role)
            return self.parameter(owner, name, place, role)
        if isinstance(tree, ast.Constant):
            number = float(str(tree.value))
            return Node(f"{number:,g}", "number", number, "1", role)
        name = called(tree)
        if name == "last":
            assert isinstance(tree, ast.Call)
            return self.expression(tree.args[0], place.moved(month=self._last), role)
        if name == "lag":
            assert isinstance(tree, ast.Call)
            return self._before(tree, place, role)
        value = self.value(tree, place) if value is None else value
        how, grow = self._ways(tree, place, value)
        text = ast.unparse(tree)
        return Node(
            text if len(text) <= 48 else f"{text[:47]}…",
            "expression", value, units.of(tree, place.table), role, how,
            formula=text, at=self._labels(place.at), grow=grow,
        )  # fmt: skip

    def value(self, tree: ast.expr, place: Place) -> float:
        """The value of an expression at a place. Raises FormulaError where it is opaque."""
        return float(self.values(tree, place)[(0,) * len(place.at)])

    def values(self, tree: ast.expr, place: Place, over: tuple[str, ...] = ()) -> Array:
        """[*over, *place] values of an expression, of the case that is explained."""
        at = {key: slice(i, i + 1) for key, i in place.at.items()}
        scope = Scope(self.book, place.table, (*over, *place.at), at, self._end)
        found = np.atleast_1d(np.asarray(scope.evaluate(tree), dtype=float))
        return np.asarray(found[..., min(self.book.place, found.shape[-1] - 1)])

    # ── how a value follows ───────────────────────────────────────────────────────────────────
    def _ways(
        self, tree: ast.expr, place: Place, value: float, formula: Formula | None = None
    ) -> tuple[How, Callable[[], Grown]]:
        """How the value of an expression follows from its parts, and what makes them."""

        def child(part: ast.expr, role: str = "") -> Node:
            return self.expression(part, place, role)

        if isinstance(tree, ast.UnaryOp) or _is(tree, ast.Add, ast.Sub):
            return "sum", lambda: self._terms(tree, place, value)
        if _is(tree, ast.Mult, ast.Div):
            return "product", lambda: tuple(child(part, role) for role, part in factors(tree))
        if isinstance(tree, ast.BinOp):
            return "power", lambda: (child(tree.left, "base"), child(tree.right, "exponent"))
        if isinstance(tree, ast.Compare):
            right = tree.comparators[0]
            return _COMPARE[type(tree.ops[0])], lambda: (child(tree.left), child(right))
        if isinstance(tree, ast.Call):
            return self._called(tree, place, formula)
        return "same", lambda: (child(tree),)

    def _called(
        self, tree: ast.Call, place: Place, formula: Formula | None
    ) -> tuple[How, Callable[[], Grown]]:
        name, given = called(tree), tree.args

        def children(*roles: str) -> Callable[[], Grown]:
            return lambda: tuple(
                self.expression(part, place, role) for part, role in zip(given, roles, strict=True)
            )

        if name in OPAQUE:
            return ("curve" if name == "curve" else "engine"), lambda: self._inputs(
                tree, place, formula
            )
        if name in ("min", "max") and len(given) == 1:
            return "same", lambda: (self._extreme(tree, place),)
        ways: dict[str, tuple[How, Callable[[], Grown]]] = {
            "sum": ("sum", lambda: self._parts(tree, place)),
            "year": ("sum", lambda: self._year(given[0], place)),
            "last": ("same", lambda: (self.expression(tree, place),)),
            "lag": ("same", lambda: (self._before(tree, place, "last month"),)),
            "first": ("first", lambda: self._firsts(tree, place)),
            "where": ("where", lambda: self._chosen(tree, place)),
            "ratio": ("ratio", children("×", "÷")),
            "min": ("min", children("", "")),
            "max": ("max", children("", "")),
            "clip": ("clip", children("", "at least", "at most")),
            "exp": ("exp", children("")),
            "log2": ("log2", children("")),
        }  # fmt: skip
        return ways[name]

    def _terms(self, tree: ast.expr, place: Place, value: float) -> Grown:
        """The terms of a sum. One may be an engine: it is what the others leave of the value."""
        terms = list(_signed(tree))
        known = [None if opaque(part) else self.expression(part, place, s) for s, part in terms]
        total = math.fsum(-n.value if n.role == "−" else n.value for n in known if n)
        found = []
        for node, (sign, part) in zip(known, terms, strict=True):
            if node is None:
                left = (value - total) * (-1.0 if sign == "−" else 1.0)
                node = self.expression(part, place, sign, left)
                unit = next((n.unit for n in known if n), "")
                node = replace(node, unit=unit, written="what the other terms leave")
            found.append(node)
        return tuple(found)

    def _parts(self, tree: ast.Call, place: Place) -> Grown:
        """The parts of a sum over keys: the largest first, what is left as one part."""
        scope = Scope(self.book, place.table, tuple(place.at), {}, self._end)
        extra = [key for key in free_keys(tree.args[0], scope) if key not in place.at]
        extra.sort(key=lambda key: key == "month")
        if not extra:
            return (self.expression(tree.args[0], place),)
        key, rest = extra[0], extra[1:]
        over = self.values(tree.args[0], place, (key, *rest))
        flat = over.reshape(len(over), -1).sum(axis=1) if over.size else over.reshape(0)
        inner = tree if rest else tree.args[0]
        return self._largest(key, np.asarray(flat), inner, place)

    def _year(self, tree: ast.expr, place: Place) -> Grown:
        """What the last twelve months of a path are made of: the terms or the kinds that it is a
        sum of, over the same months; else its months."""
        inner, table = tree, place.table
        if isinstance(tree, (ast.Name, ast.Attribute)):
            owner, name = owner_and_name(tree, place.table)
            formula = formulas().get(f"{owner}.{name}")
            if formula is not None and "month" in keys_of(owner):
                inner, table = formula.tree, owner
        here = replace(place, table=table)
        if _is(inner, ast.Add, ast.Sub) and not opaque(inner):
            return tuple(self.expression(_over(t), here, s) for s, t in _signed(inner))
        if called(inner) == "sum" and not opaque(inner):
            assert isinstance(inner, ast.Call)
            whole = ast.Call(ast.Name("sum"), [_over(inner.args[0])], [])
            return self._parts(whole, here)
        if isinstance(inner, (ast.Name, ast.Attribute)) and inner is not tree:
            return (self.expression(_over(inner), here),)
        last = self._last + 1
        months = range(max(last - 12, 0), last)
        return tuple(self._part(tree, place.moved(month=m), "month") for m in months)

    def _largest(self, key: str, values: Array, tree: ast.expr, place: Place) -> Grown:
        labels = self.book.labels(key)
        if key == "month" and len(values) > LONG:
            return self._by_year(values, tree, place)
        order = sorted(range(len(values)), key=lambda i: -abs(values[i]))
        shown = order if len(order) <= MOST else order[: MOST - 1]
        parts = [self._part(tree, place.moved(**{key: i}), key) for i in shown]
        left = order[len(shown) :]
        if left:
            parts.append(_rest([labels[i] for i in left], float(values[left].sum()), parts[0].unit))
        return tuple(parts)

    def _by_year(self, values: Array, tree: ast.expr, place: Place) -> Grown:
        """Sums over the months of each calendar year."""
        labels = self.book.labels("month")
        years = [label[:4] for label in labels[: len(values)]]

        def of_year(year: str) -> Node:
            months = [m for m, label in enumerate(years) if label == year]
            return Node(
                ast.unparse(tree), "part", float(values[months].sum()),
                units.of(tree, place.table), "+", "sum", at={"year": year}, title=year,
                grow=lambda: tuple(self._part(tree, place.moved(month=m), "month") for m in months),
            )  # fmt: skip

        return tuple(of_year(year) for year in dict.fromkeys(years))

    def _part(self, tree: ast.expr, place: Place, key: str) -> Node:
        node = self.expression(tree, place, "+")
        if node.kind != "expression":
            return node
        return replace(node, title=self.book.labels(key)[place.at[key]])

    def _before(self, tree: ast.Call, place: Place, role: str) -> Node:
        """Last month's value: a leaf, from which one goes on with that month."""
        month = place.at["month"]
        if month == 0:
            if len(tree.args) > 1:
                return replace(self.expression(tree.args[1], place, role), written="at the start")
            return Node("0", "number", 0.0, "1", role, written="nothing before the first month")
        node = self.expression(tree.args[0], place.moved(month=month - 1), role)
        label = self.book.labels("month")[month - 1]
        remark = f"last month; go on with --month {label}"
        return replace(node, kind="lag", how="", grow=tuple, written=remark)

    def _extreme(self, tree: ast.Call, place: Place) -> Node:
        """The month in which a path is lowest or highest."""
        path = self.values(tree.args[0], place.without("month"), ("month",)).ravel()
        at = int(path.argmin() if called(tree) == "min" else path.argmax())
        role = "lowest" if called(tree) == "min" else "highest"
        return self.expression(tree.args[0], place.moved(month=at), role)

    def _firsts(self, tree: ast.Call, place: Place) -> Grown:
        """The month in which it first holds, and the one before; the last two if it never does."""
        holds = self.values(tree.args[0], place.without("month"), ("month",)).ravel()
        at = int(holds.argmax()) if holds.any() else len(holds) - 1
        compare = tree.args[0]
        assert isinstance(compare, ast.Compare)
        months = [m for m in (at - 1, at) if m >= 0]
        return tuple(self.expression(compare.left, place.moved(month=m), "in") for m in months)

    def _chosen(self, tree: ast.Call, place: Place) -> Grown:
        """The condition, and the branch that counts."""
        condition, yes, no = tree.args
        asked = self.expression(condition, place, "if")
        if asked.value:
            return asked, self.expression(yes, place, "then")
        return asked, self.expression(no, place, "else")

    def _inputs(self, tree: ast.Call, place: Place, formula: Formula | None) -> Grown:
        """What a curve or an engine takes, and the engine."""
        found = []
        for part in tree.args[1:]:
            if isinstance(part, (ast.Name, ast.Attribute)) or called(part) == "lag":
                found.append(self.expression(part, place, "input"))
            else:
                for name in dict.fromkeys(names(part, place.table)):
                    whole = ast.parse(name, mode="eval").body
                    found.append(self.expression(whole, place, "input"))
        name = ast.unparse(tree.args[0])
        labels = self._labels(place.at)

        def asked() -> Grown:
            return engine_leaves(self.book, name.partition(".")[0], labels)

        curve = called(tree) == "curve"
        return *found, engine_node(name, called(tree), asked if curve else tuple)

    # ── keys that a place lacks ───────────────────────────────────────────────────────────────
    def _spread(self, node: Node, tree: ast.expr, place: Place) -> Node:
        """A column or parameter over keys that are not said: its sum where it adds up, else a
        list."""
        keys = free_keys(tree, Scope(self.book, place.table, (), {}, self._end))
        extra = sorted((k for k in keys if k not in place.at), key=lambda key: key == "month")
        values = self.values(tree, place, tuple(extra))
        shape = values.shape[: len(extra)]
        flat = values.reshape(shape)
        over = " × ".join(f"{n} {key}" for n, key in zip(shape, extra, strict=True))
        key, rest = extra[0], extra[1:]
        if node.kind == "column" and units.adds_up(node.unit) and "month" not in extra:
            sums = flat.reshape(len(flat), -1).sum(axis=1) if flat.size else flat.reshape(0)

            def parts() -> Grown:
                return self._largest(key, np.asarray(sums), tree, place)

            return replace(
                node, value=float(flat.sum()), how="sum", grow=parts, written=f"over {over}"
            )
        remark = f"over {over}"
        if flat.size and not rest:
            remark = f"{units.shown(float(flat.min()), node.unit)} to "
            remark += f"{units.shown(float(flat.max()), node.unit)} {f'over {over}'}"

        def listed() -> Grown:
            order = sorted(range(len(flat)), key=lambda i: -float(np.abs(flat[i]).sum()))
            return tuple(self.expression(tree, place.moved(**{key: i}), "") for i in order[:MOST])

        return replace(node, kind="path", how="listed", grow=listed, written=remark)

    def _implied(self, keys: tuple[str, ...], place: Place) -> dict[str, int]:
        """Positions on `keys`: what the place says, or what its labels imply (a fleet's site)."""
        found = {key: i for key, i in place.at.items() if key in keys}
        for key, i in place.at.items():
            if key not in COMPOSITE:
                continue
            words = self.book.labels(key)[i].split(" / ")
            for part, word in zip(COMPOSITE[key], words, strict=True):
                if part in keys and part not in found and word in self.book.labels(part):
                    found[part] = self.book.labels(part).index(word)
        return {key: found[key] for key in keys if key in found}

    def _labels(self, at: Mapping[str, int]) -> dict[str, str]:
        return {key: self.book.labels(key)[i] for key, i in at.items()}

    @property
    def _end(self) -> int | None:
        return None if self.end is None else self.end + 1

    @property
    def _last(self) -> int:
        return self.book.months - 1 if self.end is None else self.end


def _again(node: Node) -> Node:
    return replace(node, kind="again", how="", grow=tuple, written="explained above")


def _rest(labels: list[str], value: float, unit: str) -> Node:
    many = ", ".join(labels) if len(labels) <= 6 else f"{', '.join(labels[:5])}, …"
    return Node(f"{len(labels)} more: {many}", "rest", value, unit, "+")


def _over(tree: ast.expr) -> ast.expr:
    """The last twelve months of an expression."""
    return ast.Call(ast.Name("year"), [tree], [])


def _is(tree: ast.expr, *kinds: type[ast.operator]) -> bool:
    return isinstance(tree, ast.BinOp) and isinstance(tree.op, kinds)


def _signed(tree: ast.expr, sign: int = 1) -> Iterator[tuple[str, ast.expr]]:
    """("+" or "−", term) of a sum."""
    if isinstance(tree, ast.UnaryOp):
        yield from _signed(tree.operand, -sign)
    elif isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)):
        yield from _signed(tree.left, sign)
        yield from _signed(tree.right, -sign if isinstance(tree.op, ast.Sub) else sign)
    else:
        yield ("+" if sign > 0 else "−"), tree


def factors(tree: ast.expr, over: bool = False) -> Iterator[tuple[str, ast.expr]]:
    """("×" or "÷", factor) of a product."""
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Mult, ast.Div)):
        yield from factors(tree.left, over)
        yield from factors(tree.right, over != isinstance(tree.op, ast.Div))
    else:
        yield ("÷" if over else "×"), tree
