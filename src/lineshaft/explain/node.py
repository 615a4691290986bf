"""A number and what it is made of: the tree that an explanation is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from lineshaft.words import or_none

Kind = Literal[
    "figure", "column", "parameter", "expression", "part", "rest", "number", "path", "lag",
    "engine", "key", "catalog", "again",
]  # fmt: skip
"""What a node is: a headline figure, a column, a parameter, a part of a formula, a part of a sum,
the smaller parts of a sum together, a number, values over the months or other keys, a value of
last month, an engine, a scenario key, a cell of the catalog, or what was explained above."""

How = Literal[
    "", "sum", "product", "ratio", "power", "same", "min", "max", "where", "clip", "exp", "log2",
    ">", ">=", "<", "<=", "first", "engine", "curve", "listed", "made from",
]  # fmt: skip
"""How the value follows from the children; "" for a leaf."""

ARITHMETIC: Mapping[str, str] = {
    "sum": "adds up", "product": "product", "ratio": "quotient", "power": "power",
    "same": "is", "min": "the smaller", "max": "the larger", "where": "depends",
    "clip": "held between", "exp": "exponential", "log2": "binary logarithm",
    ">": "compared", ">=": "compared", "<": "compared", "<=": "compared",
}  # fmt: skip
"""The ways that give the value from the children's values alone, in words."""


@dataclass(frozen=True, eq=False)
class Node:
    """A number with its name, unit and meaning, and the numbers that it follows from."""

    name: str
    kind: Kind
    value: float
    """NaN where there is no single number."""
    unit: str
    role: str = ""
    """What it is to its parent: "+", "−", "×", "÷", "if", "then", "input", "from", …"""
    how: How = ""
    meaning: str = ""
    formula: str = ""
    stage: str = ""
    at: Mapping[str, str] = field(default_factory=dict)
    """Label by key: {"month": "2031-04", "kind": "coder"}."""
    title: str = ""
    """Of a part of a sum: which part it is, for people."""
    written: str = ""
    """Of a scenario key or a catalog cell: the value as it stands there. Else a remark."""
    origin: str = ""
    """Of a scenario key: "written" or "default"."""
    source: str = ""
    confidence: str = ""
    grow: Callable[[], tuple[Node, ...]] = field(default=tuple, repr=False)
    """Makes the children."""

    @cached_property
    def children(self) -> tuple[Node, ...]:
        """What it follows from, made when it is first asked for."""
        return self.grow()

    @property
    def label(self) -> str:
        """Name and keys: `accepted.accepted[2031-04, coder]`; of a part of a sum its title."""
        if self.title or not self.at:
            return self.title or self.name
        return f"{self.name}[{', '.join(self.at.values())}]"

    @property
    def arithmetic(self) -> float | None:
        """The value as it follows from the children's values; None where that is no arithmetic."""
        if self.how not in ARITHMETIC:
            return None
        return _arithmetic(self.how, self.children)

    def walk(self, depth: int) -> Iterator[Node]:
        """This node and all below it, down to `depth` steps."""
        yield self
        if depth > 0:
            for child in self.children:
                yield from child.walk(depth - 1)

    def to_dict(self, depth: int = 6) -> dict[str, Any]:
        """The tree as plain data, down to `depth` steps. NaN becomes None, blanks are left out."""
        plain: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "value": or_none(self.value),
            "unit": self.unit,
        }
        words = ("role", "title", "how", "meaning", "formula", "stage", "written", "origin")
        for name in (*words, "source", "confidence"):
            if getattr(self, name):
                plain[name] = getattr(self, name)
        if self.at:
            plain["at"] = dict(self.at)
        if depth > 0:
            if self.children:
                plain["children"] = [child.to_dict(depth - 1) for child in self.children]
        elif self.how:
            plain["more"] = True
        return plain

    def text(self, lines: int = 60, depth: int | None = None) -> str:
        """The tree for people: the `lines` that matter most, or all down to `depth` steps."""
        from lineshaft.explain.text import text

        return text(self, lines, depth)

    def _repr_html_(self) -> str:
        from lineshaft.explain.text import html

        return html(self)


def _arithmetic(how: str, children: tuple[Node, ...]) -> float:
    values = [child.value for child in children]
    match how:
        case "sum":
            return math.fsum(-c.value if c.role == "−" else c.value for c in children)
        case "product" | "ratio":
            return _product(children, how == "ratio")
        case "power":
            return float(values[0] ** values[1])
        case "min" | "max":
            return min(values) if how == "min" else max(values)
        case "where":
            return next(c.value for c in children if c.role in ("then", "else"))
        case "clip":
            return min(max(values[0], values[1]), values[2])
        case "exp":
            return math.exp(values[0])
        case "log2":
            return math.log2(values[0])
        case ">" | ">=" | "<" | "<=":
            left, right = values
            found = {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}
            return float(found[how])
        case _:
            return values[0]


def _product(children: tuple[Node, ...], ratio: bool) -> float:
    found = 1.0
    for child in children:
        if child.role != "÷":
            found *= child.value
        elif child.value > 0 or (child.value < 0 and not ratio):
            found /= child.value
        else:
            return math.nan
    return found
