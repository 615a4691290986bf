"""`Required` for people: a table for a terminal, and one for a notebook."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from lineshaft.require.answer import RULE, Joint
from lineshaft.units import format_quantity
from lineshaft.words import paragraph

if TYPE_CHECKING:
    from lineshaft.require.answer import Required

COLUMNS = 10
"""Years that a terminal's table shows at most, spread evenly; the data hold all."""
_WIDTH = 10
_LEAST = 0.001
"""A margin below it is as good as none."""
_PLAIN = ("task", "token", "agent", "person", "robot", "accelerator", "wafer", "h")
"""Units that a cell leaves to the label of its row."""


def text(found: Required) -> str:
    """The chain from right to left, the first impossible joint, the largest worth, the cycle."""
    lines = [
        f"Required: {found.target.text}",
        f"{found.base}, its market, halls, crews, people and money times {_figure(found.factor)}",
        f"A forward run gives {format_quantity(found.amount, found.target.unit)}",
        "",
        *_chain(found),
        "",
        "margin: required over reachable; above 1 it cannot be had",
        *_fractions(found),
        "",
    ]
    prose = [*_revenue(found), *_first(found), *_largest(found)]
    prose += () if found.cycle is None else (found.cycle.text,)
    lines += map(paragraph, prose)
    lines += ["", "Pools (what there is, how it grows, and the share of it that one firm may take)"]
    pools = dict.fromkeys(line for joint in found.joints for line in joint.pool)
    lines += (paragraph(f"  {line}", indent="    ") for line in pools)
    return "\n".join(lines)


def table(found: Required) -> str:
    """The same as HTML: one row for each joint, the margin of each year."""
    head = "".join(f"<th>{year}</th>" for year in found.years)
    rows = []
    for joint in found.joints:
        cells = "".join(
            f"<td>{escape(_cell(need, joint.unit))}"
            + ("" if margin is None else f"<br><small>× {_figure(margin)}</small>")
            + "</td>"
            for need, margin in zip(joint.required, joint.margin, strict=True)
        )
        title = escape(f"{joint.joint}, {joint.unit}")
        rows.append(f'<tr><th title="{escape("; ".join(joint.pool))}">{title}</th>{cells}</tr>')
    return (
        f"<table><caption>{escape(found.summary)}</caption>"
        f"<thead><tr><th>joint (× required over reachable)</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _chain(found: Required) -> Iterator[str]:
    """Two or three lines for each joint: required, and where a pool is known reachable and
    margin."""
    shown = _shown(len(found.years))
    label = max(len(_label(joint)) for joint in found.joints)
    head = f"{'stage':8} {'joint':{label}} {'':9} "
    yield head + " ".join(f"{found.years[i]:>{_WIDTH}}" for i in shown)
    for joint in found.joints:
        name = f"{joint.stage:8} {_label(joint):{label}}"
        yield f"{name} required  {_cells(joint.required, shown, joint.unit)}"
        if joint.reachable is not None:
            blank = " " * len(name)
            yield f"{blank} reachable {_cells(joint.reachable, shown, joint.unit)}"
            margins = " ".join(f"{_margin(joint.margin[i]):>{_WIDTH}}" for i in shown)
            yield f"{blank} margin    {margins}"


def _margin(value: float | None) -> str:
    return f"<{_LEAST:g}" if value and value < _LEAST else _figure(value or 0.0)


def _fractions(found: Required) -> Iterator[str]:
    """What is to be said of a target so small that part of a person or a robot would do."""
    whole = (joint for joint in found.joints if joint.unit in ("person", "robot", "agent"))
    if any(0 < max(joint.required) < 1 for joint in whole):
        yield "Less than one person or agent is asked for: no firm is so small."


def _revenue(found: Required) -> Iterator[str]:
    """What the worth asks for by the reverse DCF, beside the path of the scenario itself."""
    for dcf in found.dcf:
        yield (
            f"Reverse DCF at {100 * dcf.rate:.3g} %, from "
            f"{format_quantity(dcf.run_rate_usd, 'USD')} a year ({dcf.source}): "
            f"{100 * dcf.growth:.3g} % growth in year 1, "
            f"{format_quantity(dcf.revenue_usd[-1], 'USD')} of revenue in year "
            f"{len(dcf.revenue_usd)}"
        )


def _first(found: Required) -> Iterator[str]:
    yield RULE
    first = found.first_impossible
    if first is None:
        yield "There is none: every joint can be reached in every year."
        return
    joint = next(j for j in found.joints if j.joint == first.joint)
    i = found.years.index(first.year)
    assert joint.reachable is not None
    yield (
        f"It is {first.joint} in {first.year}: {_cell(joint.required[i], joint.unit)} required, "
        f"{_cell(joint.reachable[i], joint.unit)} reachable ({joint.unit}), "
        f"{_figure(first.margin)} times what can be reached."
    )
    most, times = found.tightest, _figure(found.tightest.margin)
    yield f"The tightest is {most.joint} in {most.year}: {times} times what can be reached."


def _largest(found: Required) -> Iterator[str]:
    one = found.largest
    size = f"{found.base} times {_figure(one.factor)}, held by {one.held_by} in {one.year}"
    if not math.isfinite(one.value_usd):
        yield f"The largest firm that supply carries: {size}; it is worth nothing."
        return
    low, mid, high = (
        format_quantity(usd, "USD") for usd in (one.low_usd, one.value_usd, one.high_usd)
    )
    amount = ""
    if found.target.kind != "value":
        amount = f", {format_quantity(one.amount, found.target.unit)}"
    yield (
        f"The largest worth that supply carries: {mid}{amount} ({size}); "
        f"{low} to {high} with all pools, growths and shares at their low or high ends."
    )


def _label(joint: Joint) -> str:
    return f"{joint.joint} [{joint.unit}]"


def _cells(values: tuple[float, ...], shown: list[int], unit: str) -> str:
    return " ".join(f"{_cell(values[i], unit):>{_WIDTH}}" for i in shown)


def _cell(value: float, unit: str) -> str:
    """A figure in three digits; counts leave their unit to the label of their row."""
    plain = unit.removesuffix("/year")
    return format_quantity(value, "1" if plain in _PLAIN else plain)


def _figure(value: float) -> str:
    return format_quantity(value, "1")


def _shown(years: int) -> list[int]:
    """Places of the years that a table shows: all, or evenly spread with the first and last."""
    if years <= COLUMNS:
        return list(range(years))
    return sorted({round(i * (years - 1) / (COLUMNS - 1)) for i in range(COLUMNS)})
