"""What must be true: claims beside what was reported, and the line from right to left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

import numpy as np

from lineshaft.report.charts import Chart, Row, sheet
from lineshaft.units import format_quantity

LEVELS = ("alarm", "flag", "ok")
"""Levels of a claim's findings, the gravest first."""

ABSENT = (
    "No worth was asked for. `lineshaft require scenario.toml --value 9.3T --run required` walks "
    "the line from right to left: what a worth needs year by year, where the first impossible "
    "joint is, and the largest worth that the supply carries."
)


def claims(found: Mapping[str, Sequence[str]]) -> str:
    """Each claim with its findings, the gravest first."""
    parts = []
    for name, verdicts in found.items():
        items = ""
        for verdict in sorted(verdicts, key=lambda v: LEVELS.index(v.split(":")[0])):
            level, rule, text = verdict.split(": ", 2)
            items += (
                f'<li class="{escape(level)}"><b>{escape(level)}</b> '
                f"<i>{escape(rule)}</i> {escape(text)}</li>"
            )
        parts.append(f"<h3>{escape(name)}</h3><ul class='claims'>{items}</ul>")
    return "".join(parts)


def lit(required: Mapping[str, Any]) -> str:
    """The line lit from right to left, up to the stage with the first joint that cannot be.

    Each stage shows its tightest joint of the year in which that is, else of any year.
    """
    first = required.get("first_impossible")
    at = required["years"].index(first["year"]) if first else None
    items, state = [], "on"
    for stage, own in groupby(required["joints"], key=lambda joint: joint["stage"]):
        tight = max(
            (
                (margin, joint["joint"], year)
                for joint in own
                for i, (margin, year) in enumerate(
                    zip(joint["margin"], required["years"], strict=True)
                )
                if margin is not None and at in (None, i)
            ),
            default=None,
        )
        here = state
        if first and stage == _stage(required, first["joint"]) and state == "on":
            tight, here, state = (first["margin"], first["joint"], first["year"]), "stop", "off"
        said = "no limit known"
        if tight:
            margin, name, year = tight
            said = f"{name}: {_times(margin)}" + ("" if first else f" in {year}")
        items.append(
            f'<li class="{here}"><b></b><h3>{escape(stage)}</h3><p>{escape(said)}</p></li>'
        )
    when = f"in {first['year']}" if first else "in any year"
    return (
        f'<p class="note">The line {when}, from worth at the right to money at the left: required '
        'over reachable of the tightest joint of each stage</p><ol class="lit" aria-label="The '
        f'stages from left to right; lit from the right">{"".join(reversed(items))}</ol>'
    )


def _stage(required: Mapping[str, Any], name: str) -> str:
    return next(str(j["stage"]) for j in required["joints"] if j["joint"] == name)


def joints(required: Mapping[str, Any] | None) -> Chart:
    """Required over reachable in every year, from right to left, of the joints with a limit."""
    every = list(required["joints"]) if required else []
    found = [j for j in every if any(m is not None for m in j["margin"])]
    years = [str(year) for year in required["years"]] if required else []
    body, lines = [], []
    for j in every:
        for year, need, can, margin in zip(
            years, j["required"], j["reachable"], j["margin"], strict=True
        ):
            pool = "; ".join(j.get("pool") or ())
            lines.append(
                (
                    *(j["joint"], j["stage"], year, need, can, margin, j["unit"], pool),
                    j["source"],
                )
            )
            body.append(
                (
                    *(j["joint"], year, _quantity(need, j["unit"]), _quantity(can, j["unit"])),
                    *(_times(margin), j["source"]),
                )
            )
    return Chart(
        key="joints",
        title="Required over reachable, joint by joint",
        form="grid",
        unit="1",
        x=tuple(j["joint"] for j in found),
        rows=tuple(Row(j["joint"], np.array(_floats(j["margin"]))) for j in found),
        width="wide",
        alt=f"Grid of {len(found)} joints and {len(years)} years, from worth down to money: what "
        "is required over what can be reached; above 1 it cannot be.",
        note="From worth (top) to money. Up to 1 the supply suffices; above, marked red, it does "
        "not. Framed: the first that cannot be"
        + (f". {len(every) - len(found)} joints without a limit: see the table" if found else ""),
        extra={
            "years": years,
            "first": _place(required, found, years),
            "sheet": sheet(
                (
                    *("joint", "stage", "year", "required", "reachable"),
                    *("required over reachable", "unit", "pool", "source"),
                ),
                lines,
            ),
        },
        head=("joint", "year", "required", "reachable", "margin", "source"),
        body=tuple(body),
    )


def lead(required: Mapping[str, Any]) -> str:
    """The answer in a few sentences."""
    cycle = required.get("cycle")
    words = str(required["text"])
    if cycle and cycle.get("years") is not None:
        low, high = (
            f"more than {cycle['horizon_years']} years"
            if years is None
            else format_quantity(years, "year")
            for years in (cycle["low_years"], cycle["high_years"])
        )
        words += (
            " The fastest way from 10 % to 90 % of the work that supply allows takes "
            f"{format_quantity(cycle['years'], 'year')} ({low} to {high}), held by "
            f"{cycle['held_by']}."
        )
    return words


def _place(
    required: Mapping[str, Any] | None, found: Sequence[Mapping[str, Any]], years: Sequence[str]
) -> list[int] | None:
    """Row and year of the first joint that cannot be."""
    first = required.get("first_impossible") if required else None
    if not first:
        return None
    return [
        next(i for i, j in enumerate(found) if j["joint"] == first["joint"]),
        years.index(str(first["year"])),
    ]


def _floats(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def _quantity(value: float | None, unit: str) -> str:
    return "–" if value is None else format_quantity(value, unit)


def _times(margin: float | None) -> str:
    return "–" if margin is None else f"{float(f'{margin:.3g}'):g} ×"
