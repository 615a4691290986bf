"""How a section and a figure become HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby
from typing import Any

from lineshaft.contracts.reasons import NAMES
from lineshaft.report.charts import Chart
from lineshaft.report.palette import REASONS

NAMED = ("years", "shares", "dots")
"""Forms whose rows are named above the chart; the others carry the names at their rows."""

ROWS_PX = {
    "shares": (44, 32),
    "dots": (44, 32),
    "cascade": (10, 30),
    "swings": (26, 46),
    "bars": (8, 46),
    "grid": (24, 26),
    "strip": (34, 34),
}
"""Height of a chart that has a row a label: of what surrounds the rows, and of a row."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    key: str
    title: str
    lead: str = ""
    charts: tuple[Chart, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """What to say in place of an empty chart, by its key."""
    html: str = ""
    """What stands above the charts."""
    more: str = ""
    """What stands below them."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see, only to say."""
        return not (self.html or self.more) and all(chart.empty for chart in self.charts)

    @property
    def absent(self) -> str:
        """What is said of the charts that are empty."""
        said = (self.missing[chart.key] for chart in self.charts if chart.empty)
        return " ".join(dict.fromkeys(filter(None, said)))


def section(one: Section) -> str:
    """The section as HTML."""
    parts = [figure(chart) for chart in filled([c for c in one.charts if not c.empty])]
    if one.absent:
        parts.append(f'<p class="empty">{words(one.absent)}</p>')
    grid = f'<div class="grid">{"".join(parts)}</div>' if parts else ""
    lead = f'<p class="lead">{words(one.lead)}</p>' if one.lead else ""
    html = f"{lead}{one.html}{grid}{one.more}"
    return f'<section id="{one.key}"><h2>{escape(one.title)}</h2>{html}</section>'


def filled(charts: Sequence[Chart]) -> list[Chart]:
    """The charts, made wider where a row of the page would stay half empty."""
    found: list[Chart] = []
    for width, group in groupby(charts, key=lambda chart: chart.width):
        row = list(group)
        left = len(row) % {"half": 2, "third": 3, "wide": 1}[width]
        wider = {1: "wide", 2: "half"}.get(left, width)
        found += row[: len(row) - left]
        found += [replace(chart, width=wider) for chart in row[len(row) - left :]]
    return found


def figure(chart: Chart) -> str:
    """The chart with its title, names, table and CSV."""
    names = ""
    if chart.form in ("ribbon", "gantt"):
        names = legend((NAMES[c] if c else "nothing", REASONS[c]) for c in sorted(codes_of(chart)))
    elif chart.extra.get("legend"):
        names = legend(chart.extra["legend"])
    elif len(chart.rows) > 1 or chart.form == "years":
        more = "" if chart.form in NAMED else " spare"
        names = legend(((r.name, r.colour) for r in chart.rows), more)
    band = f'<p class="note band">Shaded: {chart.bands[0].name}</p>' if chart.bands else ""
    return (
        f'<figure id="fig-{chart.key}" class="{chart.width}"><figcaption>'
        f'<h3>{escape(chart.title)}</h3><p class="note">{escape(chart.note)}</p>{band}</figcaption>'
        f'<div>{names}</div><div class="chart" data-key="{chart.key}" role="img" '
        f'aria-label="{escape(chart.alt)}" style="height:{_height(chart)}px"></div>'
        f'<div class="more"><details><summary>Table</summary>{chart.table()}</details>'
        f'<a class="csv" href="#fig-{chart.key}" data-key="{chart.key}">CSV</a></div></figure>'
    )


def codes_of(chart: Chart) -> set[int]:
    """The reason codes that a ribbon or a plan shows."""
    lanes = chart.extra.get("lanes", ())
    return {int(item[2]) for lane in lanes for item in lane.get("runs", lane.get("items"))}


def legend(items: Any, more: str = "") -> str:
    """Names with their colours."""
    found = "".join(
        f'<li><i style="background:{colour}"></i>{escape(name)}</li>' for name, colour in items
    )
    return f'<ul class="legend{more}">{found}</ul>'


def words(text: str) -> str:
    """Text as HTML; what stands between back-quotes is code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))


def listing(items: Sequence[str], kind: str) -> str:
    """Sentences as a list; nothing for none."""
    found = "".join(f"<li>{words(item)}</li>" for item in items)
    return f'<ul class="{kind}">{found}</ul>' if items else ""


def _height(chart: Chart) -> int:
    lanes: Sequence[Mapping[str, Any]] = chart.extra.get("lanes", ())
    if chart.form == "ribbon":
        return 30 + 27 * len(lanes)
    if chart.form == "gantt":
        return 34 + len(lanes) * max(22, 8 + 6 * max(int(lane["lines"]) for lane in lanes))
    if chart.form == "flows":
        columns = [column for _, column, _ in chart.extra["nodes"]]
        return max(240, 34 * max(columns.count(c) for c in set(columns)))
    if chart.form in ROWS_PX:
        around, row = ROWS_PX[chart.form]
        return around + row * len(chart.x)
    return 330 if chart.width == "wide" else 280
