"""`lineshaft validate`: model against measured."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineshaft.cli.common import Progress

if TYPE_CHECKING:
    from lineshaft.measured import Result

WIDTH = 150
"""Columns of the tables where the output is not a terminal."""


def validate(
    stage: Annotated[str | None, typer.Argument(help="Which stage; without it, all.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of published sets and own *.csv rows."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The shipped results, nothing run.")
    ] = False,
    models: Annotated[
        bool, typer.Option("--models", help="What own rows can be scored against.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the results as those that ship.")
    ] = False,
) -> None:
    """Score the engines against published measurements; status 1 where one fails unknown."""
    from lineshaft import measured

    if markdown:
        print(measured.markdown(stage), end="")
        return
    if models:
        _list(measured.STAGES if stage is None else (stage,))
        return
    progress = Progress()
    results = measured.validate(stage, data, lambda name: progress.note(f"running {name} …"))
    if as_json:
        for result in results:
            print(json.dumps(result.to_dict(), ensure_ascii=False))
        print(json.dumps({"summary": _counts(results), "passed": not _wrong(results)}))
    else:
        _show(results)
    if write:
        progress.line(f"written: {measured.write(results)}")
    if _wrong(results):
        raise typer.Exit(1)


def _wrong(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.wrong]


def _counts(results: Sequence[Result]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from lineshaft.measured import tally

    return [asdict(count) for count in tally(result.to_dict() for result in results)]


def _show(results: Sequence[Result]) -> None:
    from rich.console import Console

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    console = Console(width=width, highlight=False, soft_wrap=False)
    for name in dict.fromkeys(result.row.stage for result in results):
        mine = [result for result in results if result.row.stage == name]
        console.print(f"\n[bold]{name}[/bold]")
        console.print(_table(mine))
        print(_headline(mine))
    if len({result.row.stage for result in results}) > 1:
        print(f"\nin all  {_headline(results)}")
    for verdict, what in (
        ("FAILED", "beyond the tolerance"),
        ("FIXED", "registered as a known miss, but passes: take the mark away"),
        ("MISSED", "known misses"),
    ):
        named = [result for result in results if result.verdict == verdict]
        if named:
            print(f"\n{verdict}: {what}")
            for result in named:
                print(f"  {_sentence(result)}")
    skipped = sum(bool(result.skipped) for result in results)
    if skipped:
        print(f"\n{skipped} rows need published data sets that are not shipped: --data DIR")


def _table(results: Sequence[Result]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from lineshaft.measured.published import (
        shown_error,
        shown_measured,
        shown_tolerance,
        shown_value,
    )

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for heading, justify in (
        ("what", "left"),
        ("measured", "right"),
        ("model", "right"),
        ("error", "right"),
        ("allowed", "right"),
        ("kind", "left"),
        ("", "left"),
        ("source", "left"),
    ):
        table.add_column(
            heading,
            justify=justify,  # type: ignore[arg-type]
            no_wrap=heading not in ("what", "source"),
            ratio={"what": 5, "source": 3}.get(heading),
        )
    for result in results:
        row = result.to_dict()
        style = {"pass": "green", "skipped": "dim", "MISSED": "yellow"}.get(result.verdict, "red")
        cells = (
            row["what"],
            shown_measured(row),
            shown_value(row, result.model),
            shown_error(row, result.error),
            shown_tolerance(row),
            row["kind"],
        )
        table.add_row(*map(Text, cells), Text(result.verdict, style), Text(row["source"]))
    return table


def _headline(results: Sequence[Result]) -> str:
    from lineshaft.measured import headline

    return headline(result.to_dict() for result in results)


def _sentence(result: Result) -> str:
    from lineshaft.measured.published import shown_error, shown_measured, shown_value

    row = result.to_dict()
    if result.model is None:
        text = f"the model refused its input: {result.refused}"
    else:
        text = (
            f"measured {shown_measured(row)}, model {shown_value(row, result.model)}, "
            f"error {shown_error(row, result.error)}"
        )
    return f"{row['id']}: {text}" + (f". {row['known_miss']}" if row["known_miss"] else "")


def _list(stages: Sequence[str]) -> None:
    """Every model with its arguments and the first sentence about it."""
    import inspect

    from lineshaft.measured import models_of, rows

    for stage in stages:
        rows(stage)  # an unknown stage is told
        for name, model in models_of(stage).items():
            arguments = inspect.signature(model).parameters.values()
            shown = ", ".join(
                a.name if a.default is a.empty else f"{a.name}={a.default!r}"
                for a in arguments
                if a.name != "data"
            )
            print(f"{stage}: {name}({shown})")
            print(f"    {' '.join((model.__doc__ or '').split())}")
