"""What a chart shows, as plain data: named rows of numbers over months or over labels.

The page's script draws a chart from `Chart.data()`; its table by year stands in the page as HTML,
so that the figures can be read without the picture. Forms:

    area    stacked rows by month, with the total and its band over the draws
    lines   rows by month, each with its band over the draws
    years   stacked rows by calendar year
    shares  what each label's total is made of, as shares
    dots    rows by label, on a logarithmic axis
    steps   parts that add up to a total, upright
    cascade parts that add up to a total, one below the other
    spread  how often a figure falls where, over the draws
    swings  a figure with each input at one end and at the other
    bars    one value a label, from zero
    strip   many values a label, each a dot
    flows   what flows from where to where
    grid    a number for each row and year, marked where it is above 1
    ribbon  a reason for each row and month
    gantt   work on each hall, with its reason and dates
    days    rows by day, the provisional days shaded
    stacks  stacked bars by day, above and below zero
    curve   rows over labels, as lines
    columns rows over labels, as stacked bars
    cells   a share for each row and label
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np

from lineshaft.tables import Array
from lineshaft.units import format_quantity

TIMES = ("area", "lines", "days", "stacks")
"""Forms whose x axis is the months, or the days."""


TINY = 1e-15
"""What is smaller is rounding and shown as 0."""


@dataclass(frozen=True, slots=True)
class Row:
    """A named row of numbers; NaN where there is none."""

    name: str
    values: Array
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Band:
    """Quantiles over the draws, by month."""

    name: str
    low: Array
    """10 % quantile."""
    high: Array
    """90 % quantile."""
    of: str = ""
    """The row that it belongs to; empty for the total."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: what it shows, its unit, and the words for who does not see it."""

    key: str
    title: str
    form: str
    unit: str
    x: tuple[str, ...]
    """Months, years or labels, one for each value of a row."""
    rows: tuple[Row, ...]
    alt: str
    """What the picture shows, in one sentence."""
    note: str = ""
    bands: tuple[Band, ...] = ()
    yearly: str = "mean"
    """How months become a year in the table: `sum`, `mean` or `last`."""
    log: bool = False
    width: str = "half"
    """`third`, `half` or `wide`."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What only this form needs; plain data. `sheet` is its CSV, where rows and x do not say it."""
    head: tuple[str, ...] = ()
    """Head of the table, where rows and x do not say it."""
    body: tuple[tuple[str, ...], ...] = ()
    """The table, likewise."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not any(seen(row.values) for row in self.rows)

    def data(self) -> dict[str, Any]:
        """What the script needs, as plain JSON. Months are given once for all charts."""
        found: dict[str, Any] = {
            "key": self.key,
            "title": self.title,
            "form": self.form,
            "unit": self.unit,
            "alt": self.alt,
            "rows": [
                {"name": r.name, "values": plain(r.values), "colour": r.colour} for r in self.rows
            ],
        }
        if self.form not in TIMES:
            found["x"] = list(self.x)
        if self.bands:
            found["bands"] = [
                {"name": b.name, "of": b.of, "low": plain(b.low), "high": plain(b.high)}
                for b in self.bands
            ]
        return {**found, "log": self.log, **self.extra}

    def table(self) -> str:
        """The chart's figures by year (days: by month; or by label) as an HTML table."""
        if self.head:
            return html_table(self.title, self.head, self.body, words=True)
        what, noun = self.title, noun_of(self.unit)
        if noun:
            what += f" ({noun})"
        head: tuple[str, ...] = ("", *(row.name for row in self.rows))
        if self.form not in TIMES:
            body = [
                (x, *(number(float(row.values[i]), self.unit) for row in self.rows))
                for i, x in enumerate(self.x)
            ]
            return html_table(what, head, body)
        span = "month" if self.x and len(self.x[0]) > len("2026-01") else "year"
        how = {
            "sum": f"sum of the {span}",
            "mean": f"mean of the {span}",
            "last": f"end of the {span}",
        }
        years, found = by_year(self.x, [row.values for row in self.rows], self.yearly)
        body = [
            (year, *(number(float(values[i]), self.unit) for values in found))
            for i, year in enumerate(years)
        ]
        return html_table(f"{what}, {how[self.yearly]}", head, body)


def by_year(
    months: Sequence[str], rows: Iterable[Array], how: str
) -> tuple[tuple[str, ...], list[Array]]:
    """The calendar years, and each row summed, averaged or read at its end in every year; the
    months, where `months` are days."""
    of = np.array([month[:-3] for month in months])
    years = tuple(dict.fromkeys(of.tolist()))
    reduce: Callable[[Array], float] = {"sum": _sum, "mean": _mean, "last": _last}[how]
    found = [np.array([reduce(row[of == year]) for year in years]) for row in rows]
    return years, found


def _sum(values: Array) -> float:
    return float(np.nansum(values))


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _last(values: Array) -> float:
    return float(values[-1])


def seen(values: Array) -> bool:
    """Whether there is a number other than 0."""
    return bool((np.abs(np.nan_to_num(values)) >= TINY).any())


def few(rows: Sequence[Row], most: int, palette: Sequence[str]) -> tuple[Row, ...]:
    """At most `most` coloured rows in their order: rows of zeros go, the smallest are added up."""
    shown = [row for row in rows if seen(row.values)]
    if len(shown) > most:
        size = sorted(shown, key=lambda row: -float(np.nansum(np.abs(row.values))))
        kept = {row.name for row in size[: most - 1]}
        rest = [row.values for row in shown if row.name not in kept]
        shown = [row for row in shown if row.name in kept]
        shown.append(Row(f"{len(rest)} others", np.sum(rest, axis=0), "#a9b3bf"))
    return tuple(
        Row(row.name, row.values, row.colour or palette[i % len(palette)])
        for i, row in enumerate(shown)
    )


def plain(values: Array) -> list[float | int | None]:
    """Numbers with six significant figures; None where there is none."""
    return [_plain(float(v)) for v in values]


def _plain(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    if abs(value) < TINY:
        return 0
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


COUNTED = ("token", "task", "agent", "accelerator", "robot", "person")


def noun_of(unit: str) -> str:
    """What the numbers of a table count, where they do not carry their unit themselves."""
    return {"person": "people"}.get(unit, unit + "s") if unit in COUNTED else ""


def number(value: float, unit: str) -> str:
    """`value` for a table or a tile: three figures; shares in percent; no nouns."""
    if not math.isfinite(value):
        return "–"
    value = 0.0 if abs(value) < TINY else value
    if unit == "share":
        return f"{float(f'{100 * value:.3g}'):g} %"
    if unit in COUNTED:
        return format_quantity(value, "1")
    return format_quantity(value, unit).replace("-", "−")


def with_unit(value: float, unit: str) -> str:
    """`value` in a sentence: three figures and its unit, shares in percent."""
    return number(value, unit) + (f" {noun_of(unit)}" if noun_of(unit) else "")


def sheet(
    head: Sequence[str], rows: Iterable[Sequence[str | float | None]]
) -> list[list[str | float | int | None]]:
    """Lines of a CSV file: the head, then rows whose numbers have six significant figures."""
    lines = [[_plain(cell) if isinstance(cell, float) else cell for cell in row] for row in rows]
    return [list(head), *lines]


def html_table(
    caption: str, head: Sequence[str], body: Sequence[Sequence[str]], *, words: bool = False
) -> str:
    """A table whose first column names its rows; `words` stand at the left of their cells."""
    kind = ' class="words"' if words else ""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in body
    )
    return (
        f'<div class="scroll"><table{kind}><caption>{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
