"""Every result explains itself: the tree of what a number is made of, down to cited facts.

    run = Run.read("runs/gigawatt-001")
    tree = explain(run, "value.enterprise_value_usd")
    print(tree.text())                              # the 60 lines that matter most
    tree.children[0].children                       # made when asked for
    explain(run, "accepted.accepted", "2031-04", at=("coder",), draw=17)

A node says its formula in the language of `lineshaft.formulas`, and its children are what the
formula takes: their values give its value. Curves and engines list their inputs instead, their
version and how they were validated. Parameters end in scenario keys (as written, or a default with
its source) and in cells of the catalog.

    book.py     the numbers of the run, of the median case or of one draw
    walk.py     from formulas to nodes
    leaves.py   scenario keys and catalog cells
    engines.py  version and validation of an engine
    text.py     the tree as text and as HTML
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches

from lineshaft.errors import InputError, Problem, RunError
from lineshaft.explain.book import RunBook
from lineshaft.explain.node import Node
from lineshaft.explain.walk import Place, Walker
from lineshaft.formulas import keys_of
from lineshaft.kpis import MEASURES, named
from lineshaft.lineage import formulas
from lineshaft.runs import Run

__all__ = ["Node", "explain", "explainable"]

_CLOSE = 1e-9


def explain(
    run: Run,
    name: str,
    month: str | None = None,
    draw: int | None = None,
    at: Sequence[str] = (),
) -> Node:
    """The tree of a headline figure or of a column (`table.column`) of a run.

    `month` ("2031-04") is by default the figure's own, else the last; windows such as the last 12
    months end with it. `at` names labels of other keys: kinds, sites, models. `draw` counts from 1
    and is simulated again; without it the median case is explained. Children are made when they
    are asked for.

    Raises InputError for a name, month, label or draw that is not there, RunError where the run
    was written by a version with other formulas.
    """
    _known(name)
    book = RunBook(run, draw)
    figures = {what.name for what in MEASURES}
    if name in figures and name not in formulas():
        if at:
            raise InputError(
                Problem("", "at", ", ".join(at), "nothing: a headline figure has none")
            )
        what = named(name)
        if month is not None and what.window == "at once":
            fix = f"leave --month out; {what.columns[0]} is over the whole run"
            raise InputError(Problem("", "month", f"{name} has no month", "", fix))
        root = Walker(book, None if month is None else _month(book, month)).figure(what)
    else:
        places = _places(book, name, month, at)
        root = Walker(book).column(name, Place(name.split(".")[0], places))
    _check(run, root)
    return root


def explainable() -> tuple[str, ...]:
    """Every name that can be explained: headline figures, then columns."""
    return tuple(dict.fromkeys((*(what.name for what in MEASURES), *formulas())))


def _known(name: str) -> None:
    if name in explainable():
        return
    close = get_close_matches(name, explainable(), n=3, cutoff=0.5)
    words = name.rpartition(".")[2]
    close += [known for known in explainable() if words and words in known and known not in close]
    raise InputError(
        Problem(
            "",
            name,
            "no headline figure or column has this name",
            ", ".join(what.name for what in MEASURES),
            f"did you mean {', '.join(close[:4])}?" if close else "",
        )
    )


def _month(book: RunBook, month: str) -> int:
    labels = book.labels("month")
    if month not in labels:
        raise InputError(Problem("", "month", repr(month), f"{labels[0]} to {labels[-1]}"))
    return labels.index(month)


def _places(book: RunBook, name: str, month: str | None, at: Sequence[str]) -> dict[str, int]:
    """Positions by key for a column, of its month and of the labels that are named."""
    keys = keys_of(name.split(".")[0])
    book.table(name.split(".")[0])
    found: dict[str, int] = {}
    if "month" in keys:
        found["month"] = book.months - 1 if month is None else _month(book, month)
    elif month is not None:
        raise InputError(Problem("", "month", f"{name} has no month"))
    problems = []
    for label in at:
        homes = [key for key in keys if key != "month" and label in book.labels(key)]
        if homes:
            found[homes[0]] = book.labels(homes[0]).index(label)
            continue
        known = [word for key in keys if key != "month" for word in book.labels(key)]
        close = get_close_matches(label, known, n=1)
        fix = f"did you mean {close[0]!r}?" if close else ""
        problems.append(
            Problem("", "at", f"{name} has no {label!r}", ", ".join(known) or "nothing", fix)
        )
    if problems:
        raise InputError(problems)
    return found


def _check(run: Run, root: Node) -> None:
    """Raise RunError where a number does not follow from its parts: other formulas made it."""
    for node in root.walk(1):
        found = node.arithmetic
        if found is None or math.isnan(found) or math.isnan(node.value):
            continue
        scale = max((abs(c.value) for c in node.children if math.isfinite(c.value)), default=0.0)
        if abs(found - node.value) > _CLOSE * max(scale, abs(node.value)):
            raise RunError(
                f"{run.folder}: {node.label} is {node.value:.6g} and its parts give {found:.6g}: "
                f"the run was written by other code (lineshaft {run.info['lineshaft']}); run it "
                "again to explain it"
            )
