"""Sourced facts, and how to find and cite them.

    from lineshaft import catalog

    catalog.names()                             # ("accelerators", "capabilities", ...)
    h100 = catalog.find("accelerators", "H100")
    h100.power_w, h100["memory_bytes"]          # (700.0, 80000000000.0)
    h100.span("price_usd")                      # (20000.0, 27000.0)
    h100.cite()                                 # one line: source, date, confidence
    catalog.dense_flops(h100, "fp8")            # 1.979e15

A table is one CSV file beside this one; a new accelerator is one row. Every row names its
`source`, `as_of` (the date of the fact) and `confidence`. FLOP rates are dense, link rates count
one direction, money is nominal USD. `low_confidence` names the cells of a row that no public
source was found for; they and the rows of low confidence are listed in docs/gaps.md.

A table is read when it is first asked for, and then kept.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

from lineshaft.catalog.loader import (
    CONFIDENCE,
    PRECISIONS,
    Cell,
    Row,
    bare_names,
    dense_flops,
    key_of,
    read_table,
)
from lineshaft.errors import InputError, Problem

__all__ = [
    "CONFIDENCE",
    "PRECISIONS",
    "Cell",
    "Row",
    "check",
    "dense_flops",
    "find",
    "names",
    "read_table",
    "search",
    "table",
]

_HERE = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The tables of the catalog, sorted."""
    return tuple(sorted(path.stem for path in _HERE.glob("*.csv")))


@cache
def table(name: str) -> tuple[Row, ...]:
    """All rows of a table, in the order of its file.

    `InputError` where there is no such table (with the closest names), or where its file breaks
    a rule: a row without a source, an unknown confidence, sparse FLOPs, a name used twice, a
    negative number.
    """
    if name not in names():
        raise _unknown("", "catalog", name, list(names()), "`lineshaft catalog`")
    return read_table(_HERE / f"{name}.csv")


def find(table_name: str, name: str) -> Row:
    """The row with that name or alias; case, blanks, hyphens and underscores do not count.

    A model is found by the path of its repository too, whoever built it and in which number
    format: "nvidia/DeepSeek-R1-0528-NVFP4". `InputError` with the closest names where there is
    none.
    """
    keys = bare_names(name) if table_name == "models" else iter((key_of(name),))
    for key in keys:
        row = _index(table_name).get(key)
        if row is not None:
            return row
    known = [n for r in table(table_name) for n in r.names]
    raise _unknown(
        f"{table_name}.csv", table_name, name, known, f"`lineshaft catalog {table_name}`"
    )


def search(table_name: str, text: str) -> tuple[Row, ...]:
    """The rows in which every word of `text` occurs, in any text cell; case does not count."""
    words = text.casefold().split()
    return tuple(row for row in table(table_name) if all(word in _text_of(row) for word in words))


def check() -> None:
    """Read every table; `InputError` with all problems of all files."""
    problems: list[Problem] = []
    for name in names():
        try:
            table(name)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)


@cache
def _index(table_name: str) -> dict[str, Row]:
    return {key_of(n): row for row in table(table_name) for n in row.names}


def _text_of(row: Row) -> str:
    return "\n".join(cell for cell in row.values() if isinstance(cell, str)).casefold()


def _unknown(where: str, key: str, name: str, known: list[str], lister: str) -> InputError:
    by_key = {key_of(n): n for n in known}
    close = difflib.get_close_matches(key_of(name), by_key, n=4, cutoff=0.5)
    meant = f"did you mean {', '.join(by_key[k] for k in close)}? " if close else ""
    return InputError(
        Problem(
            where=where,
            key=key,
            found=f"there is no {name!r}",
            allowed=", ".join(known) if len(known) <= 30 else "",
            fix=f"{meant}{lister} lists what there is",
        )
    )
