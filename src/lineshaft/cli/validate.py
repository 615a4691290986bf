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
    from lineshaft.measured import Result, SetScore

WIDTH = 150
"""Columns of the tables where the output is not a terminal."""
COLUMNS = {
    "what": 0, "measured": 0, "model": 0, "error": 80, "allowed": 110, "kind": 100, "verdict": 0,
    "source": 130,
}  # fmt: skip
"""What is told of a row, with the least width of a terminal that shows it."""

SET_COLUMNS: dict[str, dict[str, str]] = {
    "serve": {
        "rows": "rows", "coverage": "answered", "ttft_med": "TTFT", "ttft_p90": "p90",
        "ttft_noise": "noise", "tpot_med": "TPOT", "tpot_p90": "p90", "tpot_noise": "noise",
        "e2e_med": "E2E", "throughput_med": "tok/s", "regret_ok": "choices",
        "interval_cover": "in bar",
    },
    "agents": {
        "rows": "rows", "slope_off": "slope", "p50_off": "p50", "gain_families": "families",
        "gain_peers": "peers", "doubling_days": "doubling d", "pass_3_mae_points": "pass^3",
        "pass_4_mae_points": "pass^4", "iid_pass_4_mae_points": "i.i.d.",
        "cost_ratio_mae": "cost", "resolved_mae_points": "resolved",
    },
    "oversee": {
        "rows": "rows", "worst": "worst error", "p_wait": "waits",
        "implied_utilisation_2025": "busy before, 2025",
        "implied_utilisation_2025_faster": "read faster",
        "implied_utilisation_2026": "busy before, 2026",
        "implied_utilisation_2026_faster": "read faster", "total_effect": "AI on time",
    },
    "meter": {"rows": "cases", "share": "passed"},
}  # fmt: skip
"""What is told of a measured set of each stage, a key of its score and its heading; keys that end
in `_points` are percentage points, in `_days` days, the rest but `rows` shares."""
SET_HEADS = {
    "meter": "set",
    "serve": "set; median absolute errors",
    "agents": "set; mean absolute errors, and what siblings and peers take off the Brier score",
    "oversee": "set; errors, waits, and utilisations that a growth implies",
}


def validate(
    stage: Annotated[str | None, typer.Argument(help="Which stage; without it, all.")] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of published sets and own *.csv rows."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document: rows, sets, summary, passed.")
    ] = False,
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
    """Score the engines against measurements; exit status 1 for a miss that is not a known one."""
    from lineshaft import measured

    if markdown:
        print(measured.markdown(stage), end="")
        return
    if models:
        _list(measured.STAGES if stage is None else (stage,))
        return
    progress = Progress()

    def tell(text: str) -> None:
        progress.note(f"running {text} …")

    results = measured.validate(stage, data, tell)
    sets = measured.scores(stage, data, tell)
    progress.clear()
    if as_json:
        print(json.dumps(_document(results, sets), ensure_ascii=False))
    else:
        _show(results)
        _show_sets(sets)
    if write:
        progress.line(f"written: {measured.write(results)}")
    if _wrong(results):
        raise typer.Exit(1)


def _wrong(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.wrong]


def _document(results: Sequence[Result], sets: Sequence[SetScore]) -> dict[str, Any]:
    return {
        "rows": [result.to_dict() for result in results],
        "sets": {one.name: dict(one.score) for one in sets},
        "summary": _counts(results),
        "passed": not _wrong(results),
    }


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
        console.print(_table(mine, width))
        print(_headline(mine))
    if len({result.row.stage for result in results}) > 1:
        print(f"\nin all  {_headline(results)}")
    print("identity: must hold by construction; fitted: the model knew it; unseen: it did not")
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
        rows = "row needs" if skipped == 1 else "rows need"
        print(f"\n{skipped} {rows} published data sets that are not shipped:")
        print("  lineshaft validate --data DIR")
        print(f"  DIR holds {', '.join(_needed(results))}")


def _needed(results: Sequence[Result], most: int = 3) -> list[str]:
    """The data sets that rows were skipped for want of, the first few by name."""
    names = list(dict.fromkeys(need for r in results if r.skipped for need in r.row.needs))
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]


def _table(results: Sequence[Result], width: int) -> Any:
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
    columns = [name for name, least in COLUMNS.items() if width >= least]
    for name in columns:
        table.add_column(
            "" if name == "verdict" else name,
            justify="right" if name in ("measured", "model", "error", "allowed") else "left",
            no_wrap=name not in ("what", "source"),
            ratio={"what": 5, "source": 3}.get(name),
            min_width=20 if name == "what" else None,
        )
    for result in results:
        row = result.to_dict()
        style = {"pass": "green", "skipped": "dim", "MISSED": "yellow"}.get(result.verdict, "red")
        cells = {
            "what": Text(row["what"]),
            "measured": Text(shown_measured(row)),
            "model": Text(shown_value(row, result.model)),
            "error": Text(shown_error(row, result.error)),
            "allowed": Text(shown_tolerance(row)),
            "kind": Text(row["kind"]),
            "verdict": Text(result.verdict, style),
            "source": Text(row["source"]),
        }
        table.add_row(*(cells[name] for name in columns))
    return table


def _show_sets(sets: Sequence[SetScore]) -> None:
    """A table a stage, a line a set."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    for stage in dict.fromkeys(one.stage for one in sets):
        own = [one for one in sets if one.stage == stage]
        columns = SET_COLUMNS.get(stage, {"rows": "rows"})
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
        table.add_column(SET_HEADS.get(stage, "set"))
        keys = [key for key in columns if any(one.score.get(key) is not None for one in own)]
        for key in keys:
            table.add_column(columns[key], justify="right", no_wrap=True)
        for one in own:
            table.add_row(one.name, *(_set_cell(key, one.score.get(key)) for key in keys))
        print()
        Console(width=width, highlight=False).print(table)


def _set_cell(key: str, value: float | None) -> str:
    if value is None:
        return ""
    if key == "rows":
        return f"{value:,}"
    return f"{value:.2f}" if key.endswith(("_points", "_days")) else f"{value:.1%}"


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
