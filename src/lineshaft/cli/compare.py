"""`lineshaft compare`: runs side by side, and what moved the value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineshaft.cli.common import Progress


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN…", help="Run folders.")],
    keys: Annotated[
        bool, typer.Option("--keys/--no-keys", help="Solve again for each key that differs.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="The comparison as JSON.")] = False,
) -> None:
    """Compare runs: figures, what was asked differently, what moved the value."""
    import json

    from lineshaft.compare import compare as compare_runs
    from lineshaft.runs import Run

    progress = Progress()
    found = compare_runs(
        [Run.read(run) for run in runs],
        keys=keys,
        progress=lambda done, total: progress.note(f"solved again: {done} of {total}"),
    )
    progress.clear()
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False, ensure_ascii=False))
        return
    print(found.text())
    print(f"\nNext: lineshaft explain {runs[-1]} value.enterprise_value_usd")
