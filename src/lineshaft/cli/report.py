"""`lineshaft report`: the report of a run, written anew from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Where to write it; default: report.html in RUN."),
    ] = None,
) -> None:
    """Write the report of a run again, from its folder alone."""
    from lineshaft.errors import InputError, Problem
    from lineshaft.report import write_report
    from lineshaft.runs import Run

    found = Run.read(run)
    path = output or run / "report.html"
    if path.is_dir():
        raise InputError(
            Problem("", "-o", f"'{path}' is a folder", "a file", f"try {path / 'report.html'}")
        )
    if path.is_file() and not path.read_bytes().startswith(b"<!doctype html>"):
        raise InputError(Problem("", "-o", f"'{path}' is there and is no report", "another file"))
    if not path.parent.is_dir():
        raise InputError(Problem("", "-o", f"there is no folder '{path.parent}'", "a file"))
    write_report(path, found)
    print(path.resolve())
