"""The charts of a DAA/1 report, from its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lineshaft.meter.text import told
from lineshaft.report.charts import Chart, Row
from lineshaft.report.palette import SERIES
from lineshaft.tables import Array

Document = Mapping[str, Any]

BLUE, AMBER, GREEN, RED, VIOLET, TEAL = SERIES[:6]
GREY = "#8894a1"
GRADES = {"a": ("DAA-A", GREEN), "b": ("DAA-B", BLUE), "c": ("DAA-C", GREY)}
FLOWS = (
    ("retained", "#9dbbd8"),
    ("new", GREEN),
    ("reactivated", AMBER),
    ("resurrected", VIOLET),
)
TRAILING = "Sums of the last seven days over sums"
WEEK = 7
"""Days that a ratio of a chart looks back on: sums over sums, so that weekends do not drown it."""
MOST_COHORTS = 60
"""Cohorts that the heat map shows: the last ones."""


def column(document: Document, name: str) -> Array:
    """[day] NaN where nothing is known."""
    return np.array(
        [np.nan if day[name] is None else day[name] for day in document["days"]], np.float64
    )


def week_ratio(document: Document, top: str, bottom: str) -> Array:
    """[day] sum of the last seven days over sum of the last seven days."""
    upper, lower = column(document, top), column(document, bottom)
    known = np.isfinite(upper) & np.isfinite(lower)
    top_sum, base = (_trailing(np.where(known, v, 0.0)) for v in (upper, lower))
    ratio = np.full(len(upper), np.nan)
    np.divide(top_sum, base, out=ratio, where=base != 0)
    return ratio


def _trailing(values: Array) -> Array:
    sums = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    found: Array = sums[ends] - sums[np.maximum(ends - WEEK, 0)]
    return found


RATIOS = {
    "tpa": ("accepted", "daa_b"),
    "value_per_daa_usd": ("value_usd", "daa_b"),
    "cost_per_task_usd": ("cost_usd", "accepted"),
    "autonomy": ("untouched", "accepted"),
    "human_min_per_task": ("human_min", "accepted"),
    "leverage": ("human_equiv_min", "human_min"),
    "stickiness": ("daa_b", "maa_b"),
}
"""Numerator and denominator of what is drawn as a trailing week's ratio."""


def course(document: Document, key: str) -> Array:
    return week_ratio(document, *RATIOS[key]) if key in RATIOS else column(document, key)


def chart(
    document: Document,
    key: str,
    title: str,
    unit: str,
    rows: Sequence[Row],
    alt: str,
    note: str = "",
    **more: Any,
) -> Chart:
    """A chart over the days, those that are not closed shaded."""
    status = [day["status"] for day in document["days"]]
    open_ = max((i + 1 for i, one in enumerate(status) if one == "final"), default=0)
    extra = {"open": open_, **more.pop("extra", {})}
    days = tuple(day["day"] for day in document["days"])
    shown = tuple(row for row in rows if np.isfinite(row.values).any())
    form = more.pop("form", "days")
    return Chart(key, title, form, unit, days, shown, alt, note, extra=extra, **more)


def daa(document: Document) -> Chart:
    """The three grades; closed figures that were restated as rings."""
    place = {day["day"]: i for i, day in enumerate(document["days"])}
    closed = [
        [place[one["day"]], one["closed"], GRADES[one["grade"]][0]]
        for one in document["restatements"]
        if one["day"] in place
    ]
    rows = [Row(GRADES[g][0], column(document, f"daa_{g}"), GRADES[g][1]) for g in "cba"]
    summary = document["summary"]
    mean = told(summary[summary["basis"]]["daa_b"])
    note = "○ the figure as it was closed, where later events restated it" if closed else ""
    return chart(
        document,
        "daa",
        "Daily active agents by grade",
        "agent",
        rows,
        f"Lines: daily active agents in the grades A, B and C; {mean} in grade B on a mean day.",
        note,
        width="wide",
        extra={"closed": closed},
    )


def kinds(document: Document) -> list[Chart]:
    embodied = column(document, "embodied_b")
    rows = [
        Row("software", column(document, "daa_b") - embodied, BLUE),
        Row("embodied", embodied, AMBER),
    ]
    if not embodied.any():
        return []
    return [
        chart(
            document,
            "kind",
            "Software and embodied agents",
            "agent",
            rows,
            "Stacked bars: active software agents and robots, grade B.",
            "Grade B",
            form="stacks",
            extra={"legend": [[row.name, row.colour] for row in rows]},
        )
    ]


def work(document: Document) -> Chart:
    """Accepted tasks, by the best grade that they are in."""
    a, b, c = (column(document, f"accepted_{grade}") for grade in "abc")
    rows = [
        Row("human or verifier", a, GREEN),
        Row("implicit or judge", np.maximum(b - a, 0), BLUE),
        Row("self-reported only", np.maximum(c - b, 0), GREY),
    ]
    return chart(
        document, "work", "Accepted tasks, by who accepted", "task", rows,
        "Stacked bars: accepted root tasks by the best grade of their acceptance.",
        "Differences of the grades' counts: a task that is accepted in several grades on several "
        "days counts in each on its day",
        form="stacks", yearly="sum",
        extra={"legend": [[row.name, row.colour] for row in rows]},
    )  # fmt: skip


def flows(document: Document) -> Chart:
    rows = [Row(name, column(document, name), colour) for name, colour in FLOWS]
    rows.append(Row("lost", -column(document, "lost"), RED))
    return chart(
        document, "flows", "Lifecycle by day", "agent", rows,
        "Stacked bars by day: retained, new, reactivated and resurrected agents upwards, lost "
        "ones downwards.",
        "Reactivated: back after a gap of up to 27 days; resurrected: after 28 or more",
        form="stacks", width="wide", extra={"legend": [[row.name, row.colour] for row in rows]},
    )  # fmt: skip


def windows(document: Document) -> Chart:
    month = document["definition"]["month_days"]
    rows = [
        Row(f"MAA ({month} days)", column(document, "maa_b"), "#9dbbd8"),
        Row(f"WAA ({document['definition']['week_days']} days)", column(document, "waa_b"), TEAL),
        Row("DAA", column(document, "daa_b"), BLUE),
    ]
    return chart(
        document, "windows", "Daily, weekly and monthly active agents", "agent", rows,
        "Lines: distinct agents of the day, of the last 7 and of the last 28 days, grade B.",
        "Distinct agents of the trailing window, grade B",
    )  # fmt: skip


def stickiness(document: Document) -> Chart:
    return chart(
        document, "stickiness", "Stickiness, DAA / MAA", "share",
        [Row("DAA / MAA", course(document, "stickiness"), BLUE)],
        "Line: daily over monthly active agents, grade B.", "Mean of seven days, grade B",
        extra={"top": 1},
    )  # fmt: skip


def l28(document: Document) -> Chart:
    counts = document["l28"]["b"]
    return Chart(
        "l28", f"Active days in the last {len(counts) - 1} (L28)", "columns", "agent",
        tuple(str(n) for n in range(1, len(counts))),
        (Row("agents", np.array(counts[1:], float), BLUE),),
        "Histogram: how many agents were active on how many of the last days.",
        f"Days up to {document['l28']['ends']}; {told(counts[0])} agents were active before and "
        "not since" if document["l28"]["ends"] else "",
        extra={"along": "active days", "whole": True},
    )  # fmt: skip


def heat(document: Document) -> Chart:
    kept = document["retention"]
    use = [i for i, n in enumerate(kept["n"]) if 1 <= n <= 28]
    cohorts = list(zip(kept["cohorts"], kept["exact"], strict=True))[-MOST_COHORTS:]
    rows = [
        Row(
            f"{cohort['week']} · {told(cohort['agents'])}",
            np.array([np.nan if shares[i] is None else shares[i] for i in use], float),
        )
        for cohort, shares in cohorts
    ]
    rows = [row for row in rows if np.isfinite(row.values).any()]
    return Chart(
        "retention", "Retention by cohort week", "cells", "share",
        tuple(str(kept["n"][i]) for i in use), tuple(rows),
        f"Heat map: {len(rows)} cohort weeks by days since the first active day.",
        "Rows: week of the first accepted task, and how many agents; columns: days since, n; "
        "figures in percent",
        width="wide", extra={"legend": [], "along": "day"},
    )  # fmt: skip


def curve(document: Document) -> Chart:
    """R(n) over all cohorts, weighted by their agents that have come so far."""
    kept = document["retention"]
    weights = np.array([cohort["agents"] for cohort in kept["cohorts"]], float)
    rows = []
    for key, name, colour in (
        ("unbounded", "on day n or later", "#9dbbd8"),
        ("exact", "on day n", BLUE),
    ):
        shares = np.array(kept[key], float).reshape(len(weights), len(kept["n"]))
        known = np.isfinite(shares)
        base = (known * weights[:, None]).sum(axis=0)
        total = (np.nan_to_num(shares) * weights[:, None]).sum(axis=0)
        mean = np.divide(total, base, out=np.full(len(base), np.nan), where=base > 0)
        if len(kept["n"]) > 1:  # day 0 alone says nothing
            rows.append(Row(name, mean, colour))
    return Chart(
        "curve", "Retention R(n), all cohorts", "curve", "share",
        tuple(map(str, kept["n"])), tuple(rows),
        "Lines: share of agents active exactly n days after their first, and on that day or later.",
        "Cohorts weighted by their agents; every day up to 28, then every seventh",
        width="wide", extra={"along": "days since the first accepted task", "top": 1},
    )  # fmt: skip


def effective(document: Document) -> Chart:
    return chart(
        document, "effective", "Effective agents (eDAA)", "agent",
        [
            Row("DAA-B", column(document, "daa_b"), "#9dbbd8"),
            Row("eDAA", column(document, "effective_daa"), VIOLET),
        ] if np.isfinite(column(document, "effective_daa")).any() else [],
        "Lines: daily active agents, and how many equal agents would bring the day's value.",
        "How many equal agents would bring the value of the day; it does not detect splitting",
    )  # fmt: skip


def value_per_agent(document: Document) -> Chart:
    """VPD."""
    return chart(
        document, "vpd", "Value per agent and day (VPD)", "USD",
        [Row("VPD", course(document, "value_per_daa_usd"), BLUE)],
        "Line: value of accepted tasks per daily active agent.", TRAILING,
    )  # fmt: skip


def cost_per_task(document: Document) -> Chart:
    """CPAT."""
    return chart(
        document, "cpat", "Cost per accepted task (CPAT)", "USD",
        [Row("CPAT", course(document, "cost_per_task_usd"), RED)],
        "Line: cost per accepted task, failed work included.",
        f"{TRAILING}; failed work included",
    )  # fmt: skip


def value_and_cost(document: Document) -> Chart:
    """Dollars of the day."""
    return chart(
        document, "worth", "Value and cost by day", "USD",
        [
            Row("value", column(document, "value_usd"), BLUE),
            Row("cost", column(document, "cost_usd"), RED),
        ],
        "Lines: value of accepted tasks and all cost, by day.", yearly="sum",
    )  # fmt: skip


def autonomy(document: Document) -> Chart:
    """A and A_t."""
    return chart(
        document, "autonomy", "Autonomy", "share",
        [
            Row("of tasks", course(document, "autonomy"), GREEN),
            Row("of time", 1.0 - week_ratio(document, "human_min", "human_equiv_min"), TEAL),
        ],
        "Lines: share of accepted tasks without a human touch, and one minus human minutes over "
        "human-equivalent minutes.", TRAILING,
    )  # fmt: skip


def human_minutes(document: Document) -> Chart:
    """OM."""
    return chart(
        document, "om", "Human minutes per accepted task (OM)", "min",
        [Row("OM", course(document, "human_min_per_task"), RED)],
        "Line: human minutes per accepted task, rejected work included.",
        f"{TRAILING}; rejected and failed work included",
    )  # fmt: skip


def leverage(document: Document) -> Chart:
    """Lv."""
    return chart(
        document, "leverage", "Leverage (Lv)", "1",
        [Row("leverage", course(document, "leverage"), VIOLET)],
        "Line: human-equivalent minutes of accepted tasks per human minute.", TRAILING,
    )  # fmt: skip


def people(document: Document) -> Chart:
    """Full-time equivalents out and in."""
    return chart(
        document, "fte", "Work out, people's time in", "1",
        [
            Row("FTE-equivalents out", column(document, "fte_eq"), BLUE),
            Row("human FTE in", column(document, "human_min") / 480.0, RED),
        ],
        "Lines: full-time equivalents of accepted work, and of human minutes spent.",
        "480 minutes a day",
    )  # fmt: skip
