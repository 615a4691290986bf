"""The page of `lineshaft meter report --html`: a DAA/1 report for a person who looks.

It is made from the document of `lineshaft.meter.document` alone, and shows nothing that is not in
it. The same document gives the same bytes.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from lineshaft.meter.document import COVERED
from lineshaft.meter.text import JOIN, gaps, told, wanted
from lineshaft.report import active
from lineshaft.report.charts import html_table
from lineshaft.report.head import spark
from lineshaft.report.parts import Section, listing, words
from lineshaft.report.shell import shell

Document = Mapping[str, Any]

TILES = (
    ("daa_b", "Daily active agents (DAA-B)", "1"),
    ("tpa", "Accepted tasks per agent and day", "1"),
    ("fte_eq", "FTE-equivalents", "1"),
    ("value_per_daa_usd", "Value per agent and day", "USD"),
    ("cost_per_task_usd", "Cost per accepted task", "USD"),
    ("autonomy", "Accepted without a human touch", "share"),
    ("human_min_per_task", "Human minutes per accepted task", "1"),
    ("effective_daa", "Effective agents (eDAA)", "1"),
)


def write_metered(path: Path, document: Document) -> None:
    """Write the page of a document to `path`, to a temporary name first. OSError where it cannot
    be written."""
    from lineshaft.files import whole

    text = render(document)
    with whole(path) as part:
        part.write_text(text, "utf-8", newline="\n")


def render(document: Document) -> str:
    """The whole page as HTML."""
    from lineshaft import __version__

    days = [day["day"] for day in document["days"]]
    sections = [one for one in _sections(document) if not one.empty]
    charts = [chart for one in sections for chart in one.charts if not chart.empty]
    name = Path(document["log"]["path"]).name or str(document["log"]["path"])
    return shell(
        name=name,
        line=_line(document),
        head=_tiles(document)
        + listing([f"{g[0].upper()}{g[1:]}." for g in gaps(document)], "notes"),
        sections=sections,
        version=__version__,
        data={
            "name": name,
            "months": days,
            "step": "day",
            "reasons": {},
            "charts": [chart.data() for chart in charts],
        },
        styles=("style.css", "metered.css"),
    )


def _line(document: Document) -> str:
    days, log = document["days"], document["log"]
    closed = sum(day["status"] == "final" for day in days)
    span = f"{days[0]['day']} to {days[-1]['day']}" if days else "no day"
    parts = (
        f"{document['standard']}, definition {document['definition']['hash']}",
        f"days in {document['zone']}",
        f"{span}: {closed} closed, {len(days) - closed} provisional",
        f"{told(log['agents'])} agents, {told(log['events'])} events",
        f"as of {document['as_of']}" if log["events"] else "nothing received",
    )
    return escape(" · ".join(parts))


def _tiles(document: Document) -> str:
    """The headline figures; DAA never without the others."""
    if not document["days"]:
        return '<p class="notes">The log is empty: there is nothing to report yet.</p>'
    summary = document["summary"]
    found = summary[summary["basis"]]
    basis = f"mean of {found['days']} {'closed' if summary['basis'] == 'closed' else 'provisional'}"
    basis += " day" if found["days"] == 1 else " days"
    beside = {
        "daa_b": f"A {told(found['daa_a'])} · C {told(found['daa_c'])}",
        "fte_eq": "480 human-equivalent minutes a day",
        "value_per_daa_usd": _basis(document),
        "cost_per_task_usd": _cost(document),
        "autonomy": f"of time: {told(found['autonomy_of_time'], 'share')}",
        "human_min_per_task": f"leverage {told(found['leverage'])}",
        "effective_daa": "as many equal agents for this value",
        "tpa": f"{told(found['accepted_per_day'])} tasks a day",
    }
    tiles = "".join(
        f'<li class="tile"><h3>{escape(title)}</h3>'
        f'<p class="number">{escape(told(found[key], unit))}</p>'
        f'<p class="beside">{escape(beside[key])}</p>'
        + (spark(active.course(document, key), basis) or f'<p class="when">{escape(basis)}</p>')
        + "</li>"
        for key, title, unit in TILES
    )
    return f'<ul class="tiles" style="--columns:4">{tiles}</ul>'


def _basis(document: Document) -> str:
    summary = document["summary"]
    if summary["value_basis"] == "wage":
        return f"by human-equivalent minutes at {told(summary['wage_usd_per_h'], 'USD')}/h"
    return "as the log states it"


def _cost(document: Document) -> str:
    summary = document["summary"]
    parts = {
        (): "no cost is stated",
        ("direct",): "direct cost only",
        ("human",): "human minutes only",
        ("direct", "human"): "direct, and human minutes",
    }
    wage = (
        f" at {told(summary['wage_usd_per_h'], 'USD')}/h"
        if "human" in summary["cost_parts"]
        else ""
    )
    return parts[tuple(summary["cost_parts"])] + wage


def _sections(document: Document) -> list[Section]:
    return [
        Section(
            "active",
            "Daily active agents",
            "An agent is active on a day when work of it is accepted that day: by a human or a "
            "deterministic check (A), also implicitly or by another model (B), also by its own "
            "word (C).",
            (active.daa(document), *active.kinds(document), active.work(document)),
            {"daa": "No task was accepted in these days, in any grade.", "work": ""},
        ),
        Section(
            "flows",
            "Who comes, stays and leaves",
            _flow_lead(document),
            (
                *(active.flows(document), active.windows(document)),
                *(active.stickiness(document), active.l28(document)),
            ),
            {
                "flows": "Nobody was active in these days.",
                **dict.fromkeys(("windows", "stickiness", "l28"), ""),
            },
        ),
        Section(
            "retention",
            "Retention",
            "Of the agents whose first accepted task fell in a week, the share that is active "
            "again exactly n days after their own first day. Grade B.",
            (active.heat(document), active.curve(document)),
            {"retention": "No agent was active again after its first day.", "curve": ""},
        ),
        Section(
            "value",
            "Cost and value",
            f"Value: {_basis(document)}. Cost: {_cost(document)}.",
            (
                *(active.value_per_agent(document), active.cost_per_task(document)),
                *(active.value_and_cost(document), active.effective(document)),
            ),
            {
                "vpd": "No accepted task states its value"
                " (or its human-equivalent minutes, where value is by wage).",
                "cpat": "No cost and no human time is stated.",
                **dict.fromkeys(("worth", "effective"), ""),
            },
        ),
        Section(
            "oversight",
            "Oversight",
            "What people put in, and how much work comes out for it.",
            (
                *(active.autonomy(document), active.human_minutes(document)),
                *(active.leverage(document), active.people(document)),
            ),
            {
                "autonomy": "No accepted task was done without people.",
                "om": "No event states human time.",
                "leverage": "Leverage needs human time and human-equivalent minutes.",
                "fte": "",
            },
        ),
        Section("trust", "Completeness and faults", _trust_lead(document), html=_trust(document)),
        Section("restated", "Restatements", _restated_lead(document), html=_restated(document)),
        Section("definition", "Definition", html=_definition(document)),
    ]


def _flow_lead(document: Document) -> str:
    summary = document["summary"]
    found = summary[summary["basis"]]
    if found["daa_b"] is None:
        return ""
    said = (f"{told(found[f'{name}_per_day'])} {name}" for name in ("new", "lost", "reactivated"))
    return (
        f"On a mean day: {', '.join(said)}. "
        "DAA(d) = DAA(d−1) + new + reactivated + resurrected − lost. Grade B."
    )


def _trust_lead(document: Document) -> str:
    share = document["completeness"]["share"]
    if not document["log"]["received"]:
        return "Nothing was received."
    return (
        f"{told(share, 'share')} of {told(document['log']['received'])} received events are "
        "without a fault. Nothing is dropped silently: rows set aside are kept as they came."
    )


def _trust(document: Document) -> str:
    """What tasks state, the faults, the sources; what to join."""
    done = document["completeness"]
    bars = []
    for name in COVERED:
        share = done["stated"][name]
        little = ' class="little"' if share is not None and share < 0.5 else ""
        bars.append(
            f"<li{little}><span>{escape(JOIN[name][0])}</span>"
            f'<i><b style="width:{100 * (share or 0):.1f}%"></b></i>'
            f"<span>{escape(told(share, 'share'))}</span></li>"
        )
    counts = [
        ("root tasks seen", told(done["root_tasks"])),
        ("decided", told(done["decided"])),
        ("accepted and eligible, grade C", told(done["accepted"])),
        ("acceptances taken back", told(done["reverted"])),
        ("accepted, but too small or without size", told(done["ineligible"])),
        ("accepted, but circular", told(done["circular"])),
    ]
    sources = [(name or "unnamed", told(n)) for name, n in document["log"]["sources"].items()]
    columns = ", ".join(wanted(document))
    html = (
        f'<div class="facts"><div><h3>Accepted tasks that state …</h3>'
        f'<ul class="stated">{"".join(bars)}</ul></div>'
        f"<div>{html_table('Tasks', ('', 'count'), counts)}</div>"
        f"<div>{html_table('Events by source', ('', 'count'), sources)}</div></div>"
    )
    if columns:
        names = ", ".join(f"`{name}`" for name in ("task_id", "ts", *columns.split(", ")))
        join = f"Join an outcomes table (`--outcomes FILE`) with {names}."
        html += f'<p class="say">{words(join)}</p>'
    if document["faults"]:
        rows = [
            (
                one["fault"],
                told(one["count"]),
                one["meaning"],
                "; ".join(one["examples"][:2]) or "–",
            )
            for one in document["faults"]
        ]
        table = html_table(
            "Faults", ("fault", "events", "what is done", "examples"), rows, words=True
        )
        html += f'<div class="facts"><div class="all">{table}</div></div>'
    return html


def _restated_lead(document: Document) -> str:
    late, definition = document["completeness"]["late_share"], document["definition"]
    closing = (
        f"A day closes {definition['watermark_h']:g} hours after its end, or "
        f"{definition['revocation_days']:g} days where more than "
        f"{told(definition['most_loss'], 'share')} of events are known to come later than that; "
        f"now {told(late, 'share')} are."
    )
    return closing if document["restatements"] else f"{closing} No closed figure was changed."


def _restated(document: Document) -> str:
    rows = [
        (
            one["day"],
            f"DAA-{one['grade'].upper()}",
            told(one["closed"]),
            told(one["restated"]),
            told(one["late_events"]),
            one["at"],
        )
        for one in document["restatements"]
    ]
    head = ("day", "figure", "closed", "now", "late events", "last of them arrived")
    return html_table("Closed figures that later events changed", head, rows) if rows else " "


def _definition(document: Document) -> str:
    rows = [
        (name, "none" if value is None else str(value))
        for name, value in document["definition"].items()
    ]
    assumed = listing([f"Assumed: {one}" for one in document["assumed"]], "say")
    path = escape(shlex.quote(document["log"]["path"]))
    return (
        f"{assumed}<details><summary>All parameters, as hashed</summary>"
        f"{html_table('Definition', ('', 'value'), rows)}</details>"
        '<p class="made">The same figures as JSON, and with other assumptions:</p>'
        f"<pre>lineshaft meter report {path} --json\n"
        f"lineshaft meter report {path} --value wage --wage 80\n"
        f"lineshaft meter report {path} --implied-after 24</pre>"
    )
