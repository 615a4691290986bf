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
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from lineshaft.errors import InputError, Problem, RunError
from lineshaft.explain.book import RunBook
from lineshaft.explain.node import Node
from lineshaft.explain.walk import Place, Walker
from lineshaft.formulas import keys_of
from lineshaft.kpis import MEASURES, Measure, named
from lineshaft.lineage import formulas
from lineshaft.runs import Run
from lineshaft.words import suggestion

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
    problems = list(_wrong_draw(run, draw))
    book = RunBook(run, None if problems else draw)
    if name in _figures():
        what = named(name)
        problems += _wrong_labels(name, what.columns, at)
        end, wrong = _end(book, what, month)
        problems += wrong
        if problems:
            raise InputError(problems)
        root = Walker(book, end).figure(what)
    else:
        places, wrong = _places(book, name, month, at)
        if problems + wrong:
            raise InputError(problems + wrong)
        root = Walker(book).column(name, Place(name.split(".")[0], places))
    _check(run, root)
    return root


def explainable() -> tuple[str, ...]:
    """Every name that can be explained: headline figures, then columns."""
    return tuple(dict.fromkeys((*(what.name for what in MEASURES), *formulas())))


def _figures() -> set[str]:
    """Headline figures that are no columns."""
    return {what.name for what in MEASURES} - set(formulas())


def _wrong_draw(run: Run, draw: int | None) -> Iterator[Problem]:
    drawn = int(run.info["draws"])
    if draw is not None and not 1 <= draw <= drawn:
        allowed = f"1 to {drawn}" if drawn else "none: the run has no draws"
        fix = "" if drawn else "run it again with --draws"
        yield Problem("", "--draw", f"no draw {draw}", allowed, fix)


def _wrong_labels(name: str, columns: Sequence[str], at: Sequence[str]) -> Iterator[Problem]:
    if at:
        keyed = [c for c in columns if set(keys_of(c.partition(".")[0])) - {"month"}]
        fix = f"explain one of its columns: {', '.join(keyed)}" if keyed else "leave it out"
        found = f"{', '.join(at)}: {name} is over all kinds, sites and models"
        yield Problem("", "--at", found, "nothing", fix)


def _end(book: RunBook, what: Measure, month: str | None) -> tuple[int | None, list[Problem]]:
    """The month that a headline figure is to end with; None for its own."""
    if month is None:
        return None, []
    if what.window == "at once":
        fix = f"leave --month out; {what.columns[0]} is over the whole run"
        return None, [Problem("", "--month", f"{what.name} has no month", "", fix)]
    return _month(book, month)


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
            f"no headline figure or column is called {name!r}",
            f"{', '.join(what.name for what in MEASURES)}, or a column as table.column",
            f"did you mean {', '.join(close[:4])}?" if close else "",
        )
    )


def _month(book: RunBook, month: str) -> tuple[int, list[Problem]]:
    labels = book.labels("month")
    if month in labels:
        return labels.index(month), []
    fix = suggestion(month, [label for label in labels if label[:4] == month[:4]] or labels)
    allowed = f"a month from {labels[0]} to {labels[-1]}"
    return 0, [Problem("", "--month", f"no month {month!r}", allowed, fix)]


def _places(
    book: RunBook, name: str, month: str | None, at: Sequence[str]
) -> tuple[dict[str, int], list[Problem]]:
    """Positions by key for a column, of its month and of the labels that are named."""
    keys = keys_of(name.split(".")[0])
    book.table(name.split(".")[0])
    found: dict[str, int] = {}
    problems: list[Problem] = []
    if "month" in keys:
        found["month"] = book.months - 1
        if month is not None:
            found["month"], problems = _month(book, month)
    elif month is not None:
        problems.append(Problem("", "--month", f"{name} has no month", "", "leave it out"))
    for label in at:
        homes = [key for key in keys if key != "month" and label in book.labels(key)]
        if homes:
            found[homes[0]] = book.labels(homes[0]).index(label)
            continue
        known = [word for key in keys if key != "month" for word in book.labels(key)]
        missing, allowed = f"{name} has no {label!r}", ", ".join(known) or "nothing"
        problems.append(Problem("", "--at", missing, allowed, suggestion(label, known)))
    return found, problems


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
