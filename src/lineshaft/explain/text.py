"""An explanation as text and as HTML: what matters most first opened, aligned, with what to ask
next."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from html import escape
from itertools import count
from shlex import quote

from lineshaft.explain import units
from lineshaft.explain.node import ARITHMETIC, Node
from lineshaft.formulas import columns_of, names, parse
from lineshaft.words import shortened

WIDTH = 118
_NAME, _VALUE = 50, 12
_ROOM = WIDTH - _NAME - _VALUE - 2
_BRANCHES = ("sum", "listed")
_LATER = 0.1
"""Weight of the months of a sum, over that of other parts."""


def text(root: Node, lines: int, depth: int | None) -> str:
    """The tree with the `lines` lines that matter most, or all of it down to `depth` steps."""
    opened = _open(root, lines) if depth is None else None
    found = list(_lines(root, "", "", opened, depth))
    budget = lines
    while opened and len(found) > lines:  # long names take a line of their own
        budget -= len(found) - lines
        opened = _open(root, budget)
        found = list(_lines(root, "", "", opened, depth))
    closed = [n for n in _shown(root, opened, depth) if n.how and not _is_open(n, opened, depth, 0)]
    if opened is None:
        return "\n".join(found)
    more = next((command for node in closed if node.value and (command := _command(node))), "")
    if more:
        found += ["", "… has more below it; open a branch on its own, for example", f"  {more}"]
    return "\n".join(found)


def html(root: Node) -> str:
    """The tree as nested HTML lists, without script."""
    opened = _open(root, 60)

    def item(node: Node) -> str:
        head = f"<b>{escape(node.label)}</b> {escape(units.shown(node.value, node.unit))}"
        said = escape(_remark(node))
        if id(node) not in opened:
            return f"<li>{head} {said}</li>"
        below = "".join(item(child) for child in node.children)
        return f"<li><details open><summary>{head} {said}</summary><ul>{below}</ul></details></li>"

    return f"<ul>{item(root)}</ul>"


def _open(root: Node, lines: int) -> set[int]:
    """The nodes whose children are shown: the weightiest first, until the lines are used up."""
    order = count()
    heap = [(-1.0, next(order), root)]
    opened: set[int] = set()
    named: set[str] = set()
    later: set[int] = set()
    used = 1
    while heap:
        weight, _, node = heapq.heappop(heap)
        once = node.label if node.kind in ("parameter", "column") else ""
        if once and once in named:
            continue
        children = node.children
        cost = sum(2 if c.source else 1 for c in _told(node)[0])
        if not children or used + cost > lines:
            continue
        if _months(node) and id(node) not in later:  # twelve months say less than what they are of
            later.add(id(node))
            heapq.heappush(heap, (_LATER * weight, next(order), node))
            continue
        opened.add(id(node))
        named.add(once)
        used += cost
        whole = math.fsum(abs(c.value) for c in children if math.isfinite(c.value))
        for child in children:
            if not child.how:
                continue
            share = 0.5
            if node.how in _BRANCHES and whole > 0 and math.isfinite(child.value):
                share = abs(child.value) / whole
            elif node.how in ("engine", "curve"):
                share = 1 / len(children)
            elif node.how == "same":
                share = 1.0
            if child.kind == "parameter":
                share = max(share, 0.25)
            heapq.heappush(heap, (weight * share, next(order), child))
    return opened


def _months(node: Node) -> bool:
    """Whether the parts of a sum are its months."""
    months = {child.at.get("month", "") for child in node.children}
    return node.how == "sum" and len(months) == len(node.children) > 2 and "" not in months


def _is_open(node: Node, opened: set[int] | None, depth: int | None, at: int) -> bool:
    return id(node) in opened if opened is not None else at < (depth or 0)


def _shown(node: Node, opened: set[int] | None, depth: int | None, at: int = 0) -> Iterator[Node]:
    yield node
    if _is_open(node, opened, depth, at):
        for child in node.children:
            yield from _shown(child, opened, depth, at + 1)


def _lines(
    node: Node, head: str, tail: str, opened: set[int] | None, depth: int | None, at: int = 0
) -> Iterator[str]:
    is_open = _is_open(node, opened, depth, at)
    name = f"{node.role} {node.label}".strip()
    if node.how and not is_open:
        name += " …"
    left = head + name
    value = units.shown(node.value, node.unit)
    if len(left) > _NAME:
        yield left
        left = tail
    yield f"{left:{_NAME}}{value:>{_VALUE}}  {shortened(_remark(node), _ROOM)}".rstrip()
    if node.source:
        trust = f" (confidence {node.confidence})" if node.confidence else ""
        yield f"{tail}  source: {shortened(node.source, WIDTH - len(tail) - 28)}{trust}"
    if not is_open:
        return
    children, nothing = _told(node)
    for child in children:
        last = child is children[-1] and not nothing
        yield from _lines(
            child, f"{tail}{'└ ' if last else '├ '}", f"{tail}{'  ' if last else '│ '}",
            opened, depth, at + 1,
        )  # fmt: skip
    if nothing:
        yield f"{tail}└ {nothing} more are 0"


def _told(node: Node) -> tuple[list[Node], int]:
    """The children that are shown, and the number of parts that are 0 and are not."""
    children = list(node.children)
    some = [c for c in children if c.value != 0]
    if node.how != "sum" or not some or len(children) - len(some) < 2:
        return [c for c in children if not (c.kind == "rest" and c.value == 0)], 0
    return some, len(children) - len(some)


def _remark(node: Node) -> str:
    """What is said of a node beside its value."""
    if node.kind in ("key", "catalog"):
        trust = f"confidence {node.confidence}" if node.confidence and not node.source else ""
        said = (node.origin, node.written, trust, node.meaning)
    elif node.kind == "engine":
        said = (node.meaning, node.written, "", "")
    else:
        way = ARITHMETIC.get(node.how, "") if node.how not in ("sum", "product", "same") else ""
        formula = f"= {node.formula}" if node.kind in ("figure", "column") and node.formula else ""
        said = (node.written, node.meaning, way, formula)
    return " · ".join(part for part in said if part)


def _command(node: Node) -> str:
    """What shows more of a node: its column, or the first that its formula names."""
    if node.kind not in ("column", "expression"):
        return ""
    if node.kind == "expression":
        for name in names(parse(node.formula), ""):
            if columns_of(name.partition(".")[0]):
                return f"lineshaft explain RUN {name}"
        return ""
    month = f" --month {node.at['month']}" if "month" in node.at else ""
    labels = [f" --at {quote(label)}" for key, label in node.at.items() if key != "month"]
    return f"lineshaft explain RUN {node.name}{month}{''.join(labels)}"
