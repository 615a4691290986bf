"""`lineshaft claims`: what is said of the agency economy, and what the runs say to it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lineshaft.cli.common import Progress


def claims(
    files: Annotated[
        list[str] | None, typer.Argument(help="TOML files with your own claims.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Judge these claims alone.")
    ] = None,
    shipped: Annotated[
        bool, typer.Option("--shipped/--no-shipped", help="Also the shipped register.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="A list of verdicts on stdout.")] = False,
) -> None:
    """Judge the register of claims: supported, contradicted or undetermined, and why."""
    from textwrap import fill

    from lineshaft.claims import judge, read, summary

    progress = Progress()
    verdicts = judge(
        read(*files or (), shipped=shipped, only=only or ()),
        lambda name: progress.note(f"judging {name} …"),
    )
    progress.clear()
    if as_json:
        print(json.dumps([v.to_dict() for v in verdicts], ensure_ascii=False, allow_nan=False))
        return
    for v in verdicts:
        c = v.claim
        print(f"{v.word.upper()}  {c.name}")
        print(f"  “{c.quote}” ({c.said_by}, {c.date})")
        for text in (v.why, f"Tested by {v.tested_by}.", c.caveat and f"Mind: {c.caveat}"):
            if text:
                print(fill(text, 96, initial_indent="  ", subsequent_indent="  "))
        print(f"  Source: {c.source}\n")
    print(", ".join(f"{n} {word}" for word, n in summary(verdicts)))
    print("A verdict is about the named run and its sourced inputs, not about the world.")
    more = "claims" if files else "claims my-claims.toml --no-shipped"
    print(f"\nNext:\n  lineshaft {more}\n  lineshaft require --value 9.3T")
