"""A run becomes one HTML file that opens offline: what happened, for a person who looks.

The page is made from the run folder alone. It holds its data as JSON, its style and its script,
and Apache ECharts to draw with; it loads nothing. Every chart has its table and its figures as
CSV. The same run folder gives the same bytes.

    page.py       the sections of a run's page, in their order
    shell.py      what every page is put into: template, style, script, data
    metered.py    the page of a DAA/1 report; active.py: its charts
    parts.py      Section, and how a section and a figure become HTML
    charts.py     Chart: what a picture shows, as plain data, and its table
    head.py       headline tiles, the nine stations
    must.py       claims, and what must be true for an asked worth
    work.py       limits, agents, power, accelerators, tokens
    flows.py      where the energy and the money go
    plan.py       the construction plan
    costs.py      what a task costs
    money.py      cash, revenue, value and its spread
    moves.py      what moves the value, and what one more is worth
    scores.py     model against measured
    svg.py        pieces of small pictures without a page
    *.js          draws the charts: base, then one file for each family of forms, then start
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineshaft.runs import Run

__all__ = ["write_report"]


def write_report(path: Path, run: Run) -> None:
    """Write the report of `run` to `path`, to a temporary name first.

    Raises RunError where a file of the run is missing or damaged, or `path` cannot be written.
    """
    from lineshaft.errors import RunError
    from lineshaft.files import whole
    from lineshaft.report.page import render

    text = render(run)
    try:
        with whole(path) as part:
            part.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror or error})") from error
