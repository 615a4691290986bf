"""`lineshaft catalog`: the sourced facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

_SHOWN_APART = ("name", "source", "as_of", "confidence")


def catalog(
    table: Annotated[str | None, typer.Argument(help="Which table; without it, all.")] = None,
    search: Annotated[str, typer.Option("--search", "-s", help="Rows with this text.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the catalog's tables, or the rows of one, each with its source."""
    import json

    from lineshaft import catalog as facts

    if table is None and not search:
        for name in facts.names():
            print(f"{name:14} {len(facts.table(name)):4} rows")
        print("\nNext: lineshaft catalog accelerators --search h200")
        return
    names = (table,) if table else facts.names()
    found = 0
    for name in names:
        rows = facts.search(name, search) if search else facts.table(name)
        # what is called so comes before what mentions it
        for row in sorted(rows, key=lambda row: not _called(row.names, search)):
            found += 1
            if as_json:
                print(json.dumps({"table": name, **row}, default=str, ensure_ascii=False))
                continue
            print(f"{row.name}  [{name}, confidence {row.confidence}]")
            for key, value in row.items():
                if value not in (None, "") and key not in _SHOWN_APART:
                    shown = f"{value:g}" if isinstance(value, float) else value
                    print(f"    {key:28} {shown}")
            print(f"    {'source':28} {row.source} ({row['as_of']})")
    if not found:
        print(f"no row of {', '.join(names)} has '{search}'")


def _called(names: Iterable[str], text: str) -> bool:
    return any(text.casefold() in name.casefold() for name in names)
