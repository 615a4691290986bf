"""What moves the value: one input at a time, and one more of what is scarce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lineshaft.report.charts import Chart, Row, number, sheet
from lineshaft.report.palette import HIGH, LOW, TOTAL
from lineshaft.scenario.inputs import called
from lineshaft.units import format_quantity

MOST = 10
"""Inputs that are drawn; the CSV has all."""

ABSENT = "This run was made without asking what moves its value; a new run asks."

NOTHING = "No input is uncertain, so none moves the value."
NOTHING_MORE = "There is nothing scarce of which one more could be had."


def swings(asked: Mapping[str, Any] | None) -> Chart:
    """The figure with each input at its 10 % and at its 90 % quantile, the widest first.

    `asked` is what run.json says under `sensitivity`.
    """
    found = dict(asked or {})
    every = [m for m in found.get("moves", ()) if m["low"] is not None and m["high"] is not None]
    moves = [m for m in every if m["low"] != m["high"]][:MOST]
    base = found.get("base") or 0.0
    weak = sum(m["confidence"] == "low" for m in moves)
    note = f"All else at its median ({number(base, 'USD')}). Low and high: the 10 % and 90 % "
    note += "quantile of the input"
    note += "; ○ low confidence in the input" if weak else ""
    ends = [[_said(m, end) for end in ("low", "high")] for m in moves]
    return Chart(
        key="swings",
        title="Enterprise value with one input at its low and at its high end",
        form="swings",
        unit="USD",
        x=tuple(_called(m) for m in moves),
        rows=(
            Row("input low", np.array([m["low"] for m in moves], float), LOW),
            Row("input high", np.array([m["high"] for m in moves], float), HIGH),
        ),
        width="wide",
        alt="Bars from the lower to the higher value, the widest first: "
        + "; ".join(
            f"{_called(m)}, {number(m['low'], 'USD')} to {number(m['high'], 'USD')}"
            for m in moves[:3]
        )
        + ".",
        note=note,
        extra={
            "base": base,
            "ends": ends,
            "weak": [m["confidence"] == "low" for m in moves],
            "legend": [["input low", LOW], ["input high", HIGH]],
            "sheet": sheet(
                (
                    *("input", "unit", "low_input", "high_input", "low [USD]", "high [USD]"),
                    *("confidence", "meaning", "source"),
                ),
                (
                    (
                        *(m["input"], m["unit"], m["low_input"], m["high_input"]),
                        *(m["low"], m["high"], m["confidence"], m["meaning"], m["source"]),
                    )
                    for m in every
                ),
            ),
        },
        head=("input", "from", "to", "value at low", "value at high", "confidence", "source"),
        body=tuple(
            (
                _called(m),
                *said,
                number(m["low"], "USD"),
                number(m["high"], "USD"),
                m["confidence"],
                m["source"],
            )
            for m, said in zip(moves, ends, strict=True)
        ),
    )


def _called(move: Mapping[str, Any]) -> str:
    return called(move["input"], move["meaning"])


def _said(move: Mapping[str, Any], end: str) -> str:
    """An end of the input with its unit."""
    value = move[f"{end}_input"]
    return "–" if value is None else format_quantity(float(value), move["unit"])


def one_more(asked: Sequence[Mapping[str, Any]] | None) -> Chart:
    """What one more of each scarce thing adds to the value.

    `asked` is what run.json says under `one_more`.
    """
    found = [m for m in asked or () if m["value_usd"] is not None]
    found.sort(key=lambda m: -m["value_usd"])
    sides = [[m["up_usd"], None if m["down_usd"] is None else -m["down_usd"]] for m in found]
    kinks = [bool(m["kink"]) for m in found]
    return Chart(
        key="one-more",
        title="What one more is worth",
        form="bars",
        unit="USD",
        x=tuple(m["what"] for m in found),
        rows=(Row("change of enterprise value", np.array([m["value_usd"] for m in found]), TOTAL),),
        width="wide",
        alt="Bars: "
        + "; ".join(f"{m['what']} {number(m['value_usd'], 'USD')}" for m in found[:5])
        + ".",
        note="Change of the enterprise value, median case"
        + ("; ◆ kinked: the next one is worth something else than the last" if any(kinks) else ""),
        extra={
            "steps": [f"{m['step']}; {m['note']}" if m["note"] else m["step"] for m in found],
            "sides": sides,
            "kinks": kinks,
            "sheet": sheet(
                ("what", "step", "value [USD]", "one more [USD]", "one less [USD]", "kink", "note"),
                (
                    (
                        *(m["what"], m["step"], m["value_usd"], m["up_usd"], m["down_usd"]),
                        *("yes" if m["kink"] else "no", m["note"]),
                    )
                    for m in found
                ),
            ),
        },
        head=("", "step", "worth", "one more", "one less", "", ""),
        body=tuple(
            (
                *(m["what"], m["step"]),
                *(_usd(m[key]) for key in ("value_usd", "up_usd", "down_usd")),
                "kinked" if m["kink"] else "",
                m["note"],
            )
            for m in found
        ),
    )


def _usd(value: float | None) -> str:
    return "–" if value is None else number(value, "USD")


def confidence(info: Mapping[str, Any]) -> str:
    """Which share of the variance rests on weak inputs, and what to learn next, in words."""
    found = info.get("confidence")
    if found and found.get("low_share") is not None:
        error, unrated = found.get("low_share_se"), found.get("unrated_share")
        words = f"At least {number(max(found['low_share'], 0.0), 'share')}"
        words += f" (± {number(error, 'share')})" if error is not None else ""
        words += " of the variance of the value rests on inputs of low confidence"
        if unrated is not None:
            words += f", {number(max(unrated, 0.0), 'share')} on what the scenario says"
        words += "."
        if found.get("next"):
            share = found.get("next_share")
            much = f" ({number(share, 'share')} of it)" if share is not None else ""
            words += f" Knowing {found['next']} better would remove most{much}."
        return words
    if info["draws"]:
        return "There are too few draws to tell which share of the spread rests on weak inputs."
    return ""
