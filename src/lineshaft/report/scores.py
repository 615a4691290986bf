"""Model against measured: what the engines of this version gave beside published figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from lineshaft.measured import KINDS, summary, tally
from lineshaft.measured.published import (
    shown_error,
    shown_measured,
    shown_tolerance,
    shown_value,
)
from lineshaft.report.charts import Chart, Row, sheet
from lineshaft.report.palette import FITTED, UNSEEN

ABSENT = "No results ship with this version; `lineshaft validate` compares here and now."

NOTE = (
    "Identities must hold by construction; fitted rows were known when a coefficient was chosen; "
    "only unseen rows say how far the model can be trusted on what is new. "
    "`lineshaft validate` runs them again."
)


def lead() -> str:
    """The counts of all rows, in one sentence."""
    counts = tally(summary())
    said = " · ".join(count.text for count in counts)
    return f"Within what is allowed: {said}. {NOTE}" if counts else ""


def errors() -> Chart:
    """The relative error of every fitted and unseen row, by stage; the CSV has all rows."""
    every = summary()
    rows = [
        row
        for row in every
        if row["kind"] != "identity" and row["error"] is not None and not row["absolute"]
    ]
    stages = tuple(dict.fromkeys(row["stage"] for row in rows))
    colours = {"fitted": FITTED, "unseen": UNSEEN}
    return Chart(
        key="errors",
        title="Error of each row that was run, by stage",
        form="strip",
        unit="share",
        x=stages,
        # a row that meets its measurement exactly is there too
        rows=(Row("error", np.array([row["error"] or 1e-12 for row in rows])),),
        width="wide",
        alt=f"Dots: relative errors of {len(rows)} published measurements in {len(stages)} "
        "stages, filled where they are within what is allowed, hollow where not.",
        note="Model over measured − 1. Rows with an absolute tolerance are in the tables below. "
        "Red rings: outside of what is allowed",
        extra={
            "legend": [[name, colour] for name, colour in colours.items()],
            "dots": [
                [
                    *(stages.index(row["stage"]), round(row["error"], 5), colours[row["kind"]]),
                    *(row["passed"], row["what"]),
                ]
                for row in rows
            ],
            "rows": [],
            "sheet": sheet(_HEAD, map(_line, every)),
        },
        head=("", *KINDS),
        body=tuple((stage, *_counts(every, stage)) for stage in _stages(every)),
    )


_HEAD = (
    *("stage", "what", "kind", "measured low", "measured high", "model", "unit", "error"),
    *("allowed", "result", "source", "url"),
)


def _line(row: Mapping[str, Any]) -> tuple[str | float | None, ...]:
    measured = row["measured"]
    low, high = measured if isinstance(measured, list) else (measured, measured)
    return (
        *(row["stage"], row["what"], row["kind"], low, high, row["model"], row["unit"]),
        *(row["error"], row["tolerance"], _result(row), row["source"], row["url"]),
    )


def _stages(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["stage"] for row in rows))


def _counts(rows: Sequence[Mapping[str, Any]], stage: str) -> Iterator[str]:
    """What is said of each kind of the stage's rows."""
    found = {count.kind: count for count in tally(row for row in rows if row["stage"] == stage)}
    for kind in KINDS:
        yield found[kind].text.removeprefix(f"{kind} ") if kind in found else "–"


def tables() -> str:
    """What was missed, and a table for each stage; empty where nothing ships."""
    rows = summary()
    missed = [row for row in rows if row["passed"] is False]
    parts = []
    if missed:
        items = "".join(
            f"<li><b>{escape(row['stage'])}</b> {escape(row['what'])}: measured "
            f"{escape(shown_measured(row))}, model {escape(_model(row))}"
            f"{escape(' – ' + row['known_miss'] if row['known_miss'] else '')}</li>"
            for row in missed
        )
        parts.append(
            f"<details><summary><b>{len(missed)} missed</b> each with the reason, where it is known"
            f'</summary><ul class="misses">{items}</ul></details>'
        )
    for stage in _stages(rows):
        own = [row for row in rows if row["stage"] == stage]
        counts = " · ".join(count.text for count in tally(own))
        parts.append(
            f"<details><summary><b>{escape(stage)}</b> {escape(counts)}</summary>"
            f"{_table(own)}</details>"
        )
    return "".join(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ("what", "measured", "model", "error", "allowed", "kind", "result", "source")
    top = "".join(f'<th scope="col">{name}</th>' for name in head)
    lines = []
    for row in rows:
        cells = (
            shown_measured(row),
            _model(row),
            shown_error(row, row["error"]).replace("-", "−"),
            shown_tolerance(row),
            row["kind"],
            _result(row),
        )
        source = escape(row["source"])
        if row["url"].startswith("http"):  # a page of the project's own docs is not at hand here
            source = f'<a href="{escape(row["url"])}">{source}</a>'
        lines.append(
            f'<tr class="{"miss" if row["passed"] is False else ""}">'
            f'<th scope="row">{escape(row["what"])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            + f"<td>{source}</td></tr>"
        )
    return (
        f'<div class="scroll"><table class="words scores"><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _model(row: Mapping[str, Any]) -> str:
    return shown_value(row, row["model"]) or "–"


def _result(row: Mapping[str, Any]) -> str:
    if row["passed"] is None:
        return "not run: needs data"
    return "pass" if row["passed"] else "missed"
