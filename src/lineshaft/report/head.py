"""The top of the report: headline tiles with their course over the months, and the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import numpy as np

from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.tables import Tables
from lineshaft.report.charts import number
from lineshaft.report.palette import REASONS
from lineshaft.report.work import over
from lineshaft.stations import stations
from lineshaft.tables import Array

COURSE = {"value.enterprise_value_usd": "free cash flow so far, "}
"""What a tile's little picture shows, where that is not the figure by month."""

ICONS = {
    "capital": "M12 4v16M16 7.5c-1-1.3-2.4-1.8-4-1.8-2.2 0-4 1.1-4 3 0 4.2 8 2.2 8 6.4 "
    "0 2-1.8 3.2-4 3.2-1.7 0-3.3-.6-4.3-2",
    "build": "M6 21V5h13M6 9l4-4M15 5v6M13 11h4v4h-4zM3 21h7",
    "train": "M4 20V4M4 20h16M6 8c3 8 7 9 13 9.5",
    "agents": "M6 9h12v9H6zM12 9V5M10.5 5h3M9.5 13v1M14.5 13v1M3.5 12v3M20.5 12v3",
    "serve": "M5 4h14v5H5zM5 9.5h14v5H5zM5 15h14v5H5zM8 6.5h.1M8 12h.1M8 17.5h.1",
    "floor": "M4 20h9M8.5 20v-4l-2-4 5-5 5 3.5M16.5 10.5l3 .5M16.5 10.5l1 3.2M11.5 7V5",
    "plant": "M13 3 6 13.5h5L10 21l7.5-11H12z",
    "oversee": "M3 12c2.5-4.5 5.5-6 9-6s6.5 1.5 9 6c-2.5 4.5-5.5 6-9 6s-6.5-1.5-9-6z"
    "M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
    "value": "M4 17l5-6 4 3.5L20 6M15.5 6H20v4.5",
}
"""One stroke drawing for each station, 24 × 24; a station without one is a plain circle."""


def tiles(x: Tables, kpis: Mapping[str, Any]) -> str:
    """The headline figures as tiles; those that are nothing are left out."""
    months = x.dims.labels["month"]
    years = f"{months[0][:4]} – {months[-1][:4]}"
    found = []
    for name, words, unit, course in TILES:
        kpi = kpis.get(name)
        if kpi is None or not kpi["value"]:
            continue
        unit = unit or str(kpi["unit"])
        text = _number(float(kpi["value"]), unit)
        when = str(kpi["window"])
        when = "on the first day" if when == "at once" else f"{when}, {kpi['month']}"
        interval = ""
        q = kpi["quantiles"]
        if q:
            low, high = (_number(float(q[p]), unit) for p in ("p10", "p90"))
            interval = f'<p class="interval">p10 – p90: {escape(low)} – {escape(high)}</p>'
        found.append(
            f'<li class="tile"><h3>{escape(words)}</h3><p class="number">{escape(text)}</p>'
            f'{interval}<p class="when">{escape(when)}</p>'
            f"{spark(np.asarray(course(x), float), COURSE.get(name, '') + years)}</li>"
        )
    # rows of equal length where that is possible
    columns = next((n for n in (4, 3, 5) if len(found) % n == 0), min(len(found), 4))
    style = f'style="--columns:{columns}"'
    return f'<ul class="tiles" {style}>{"".join(found)}</ul>' if found else ""


def line(x: Tables) -> str:
    """The stations, left to right on one shaft, with what binds each."""
    found = []
    present = {
        "build": x.energised.it_w,
        "train": x.trained.reserved,
        "agents": x.fielded.demand_tasks,
        "serve": x.served.served,
        "floor": x.done.attempted,
        "plant": x.powered.facility_j,
        "oversee": x.accepted.finished,
    }
    for station in stations(x):
        icon = (
            f'<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="22"/>'
            f'<path transform="translate(12 12)" d="{ICONS.get(station.stage, "")}"/></svg>'
            f"<h3>{station.stage}</h3>"
        )
        if station.stage in present and not present[station.stage].any():
            found.append(f'<li class="out">{icon}<p>not in this scenario</p></li>')
            continue
        said = [part for part in station.headline.split(", ") if not part.endswith("nan")]
        parts = "".join(f"<span>{escape(part)}</span>" for part in said)
        found.append(f"<li>{icon}<p>{parts}</p>{chip(station.binding)}</li>")
    return (
        '<ol class="shaft" aria-label="The stations of the line, from left to right">'
        f"{''.join(found)}</ol>"
    )


def chip(reason: str) -> str:
    """A reason with its colour."""
    if not reason or reason not in CODE:
        return '<p class="chip none">nothing binds</p>'
    return f'<p class="chip"><i style="background:{REASONS[CODE[reason]]}"></i>{escape(reason)}</p>'


def _number(value: float, unit: str) -> str:
    """A tile's words say already that it is per task."""
    return number(value, unit).removesuffix("/task").removesuffix("/Mtok")


def spark(values: Array, words: str) -> str:
    """The course of a figure as a small line; nothing where there is none."""
    known = np.isfinite(values)
    if known.sum() < 2 or not np.nan_to_num(values).any():
        return ""
    wide, high = 200.0, 36.0
    low, top = min(float(values[known].min()), 0.0), float(values[known].max())
    top = top if top > low else low + 1.0
    px = np.arange(len(values)) * wide / (len(values) - 1)
    py = 2 + (high - 4) * (top - values) / (top - low)
    path = ""
    pen = "M"
    for x, y, ok in zip(px, py, known, strict=True):
        if ok:
            path += f"{pen}{x:.1f} {y:.1f}"
        pen = "L" if ok else "M"
    zero = 2 + (high - 4) * top / (top - low)
    return (
        f'<svg class="spark" viewBox="0 0 {wide:.0f} {high:.0f}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(words)}"><path class="zero" d="M0 {zero:.1f}H{wide:.0f}"/>'
        f'<path d="{path}"/></svg><p class="course">{escape(words)}</p>'
    )


def _waiting(x: Tables) -> Array:
    s = x.states
    idle = (s.headroom + s.empty)[..., 0].sum(axis=1)
    taken = (s.leased + s.training + s.broken)[..., 0].sum(axis=1)
    return over(idle, s.installed[..., 0].sum(axis=1) - taken)


def _human_minutes(x: Tables) -> Array:
    a = x.accepted
    used = (a.review_min + a.rework_min)[..., 0].sum(axis=1)
    used = used + x.robots.intervention_min[..., 0].sum(axis=1)
    return over(used, _by_agents(x).sum(axis=1))


def _task_cost(x: Tables) -> Array:
    tasks = _by_agents(x)
    return over((x.task_costs.usd_per_task[..., 0] * tasks).sum(axis=1), tasks.sum(axis=1))


def _by_agents(x: Tables) -> Array:
    """Accepted tasks [month, kind] of kinds while they have agents."""
    tasks: Array = x.accepted.accepted[..., 0] * (x.accepted.daa_b[..., 0] > 0)
    return tasks


TILES: tuple[tuple[str, str, str, Callable[[Tables], Array]], ...] = (
    (
        "build.energised_mw",
        "IT power on",
        "",
        lambda x: x.energised.it_w[..., 0].sum(axis=1),
    ),
    (
        "serve.empty_share",
        "Serving accelerators that wait",
        "share",
        _waiting,
    ),
    (
        "oversee.daa",
        "Daily active agents",
        "",
        lambda x: x.accepted.daa_b[..., 0].sum(axis=1),
    ),
    (
        "oversee.human_minutes_per_task",
        "Human minutes per accepted task",
        "",
        _human_minutes,
    ),
    (
        "value.usd_per_mtok",
        "Full cost of a million tokens",
        "",
        lambda x: np.where(
            x.served.served[..., 0].sum(axis=1) > 0, x.worth.usd_per_mtok[:, 0], np.nan
        ),
    ),
    (
        "value.usd_per_task",
        "Full cost of an accepted task",
        "",
        _task_cost,
    ),
    (
        "value.revenue_usd",
        "Revenue a year",
        "",
        lambda x: x.worth.revenue_usd[:, 0],
    ),
    (
        "value.enterprise_value_usd",
        "Enterprise value",
        "",
        lambda x: np.cumsum(x.worth.free_cash_flow_usd[:, 0]),
    ),
)
"""Headline figure, its words, its unit where it is not the figure's own, its course by month."""
