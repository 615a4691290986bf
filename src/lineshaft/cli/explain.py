"""`lineshaft explain`: where a number comes from, down to cited facts."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

JSON_DEPTH = 6
"""Steps that --json goes down where --depth does not say."""


def explain(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Headline figure, or column as table.column.")
    ] = "value.enterprise_value_usd",
    month: Annotated[
        str | None, typer.Option("--month", help="YYYY-MM; default: the figure's own, or the last.")
    ] = None,
    draw: Annotated[
        int | None, typer.Option("--draw", help="One draw, from 1 on, instead of the median case.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option("--at", metavar="LABEL", help="A kind, site, model …; may be repeated."),
    ] = None,
    depth: Annotated[
        int | None, typer.Option("--depth", min=0, help="Open everything, so many steps down.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", min=5, help="Lines without --depth.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="The tree as JSON.")] = False,
) -> None:
    """Explain a number of a run: its formula, its parts, and their sources."""
    import json

    from lineshaft.explain import explain as explain_number
    from lineshaft.runs import Run

    tree = explain_number(Run.read(run), name, month, draw, at or ())
    if as_json:
        plain = tree.to_dict(JSON_DEPTH if depth is None else depth)
        print(json.dumps(plain, allow_nan=False, ensure_ascii=False))
        return
    asked = shlex.join(["lineshaft", "explain", str(run)])
    print(tree.text(lines, depth).replace("lineshaft explain RUN", asked))
