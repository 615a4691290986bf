"""`lineshaft compare`: runs side by side, and what moved the value."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineshaft.cli.common import Progress

if TYPE_CHECKING:
    from lineshaft.runs import Run


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, two or more.")],
    keys: Annotated[
        bool, typer.Option("--keys/--no-keys", help="Solve again for each key that differs.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="The comparison as JSON.")] = False,
) -> None:
    """Compare runs: figures, what was asked differently, what moved the value."""
    import json

    from lineshaft.compare import compare as compare_runs

    progress = Progress()
    found = compare_runs(
        _read(runs),
        keys=keys,
        progress=lambda done, total: progress.note(f"solved again: {done} of {total}"),
    )
    progress.clear()
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False, ensure_ascii=False))
        return
    print(found.text())
    words = ["lineshaft", "explain", str(runs[-1]), "value.enterprise_value_usd"]
    print(f"\nNext:\n  {shlex.join(words)}")


def _read(folders: Sequence[Path]) -> list[Run]:
    """The runs in the folders; RunError with every folder that holds none."""
    from lineshaft.errors import RunError
    from lineshaft.runs import Run

    found, wrong = [], []
    for folder in folders:
        try:
            found.append(Run.read(folder))
        except RunError as error:
            wrong.append(str(error))
    if wrong:
        raise RunError("\n".join(wrong))
    return found
