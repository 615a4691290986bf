"""The report for a terminal: the headline with what must stand beside it, the gaps, what to join.

DAA is never printed alone: the three grades, tasks per agent, FTE-equivalents and value stand in
the same block.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineshaft.units import format_quantity
from lineshaft.words import aligned, paragraph

Document = Mapping[str, Any]

LAST_DAYS = 7
JOIN = {
    "method": ("how work was accepted", "outcome, method, reviewer_id"),
    "value": ("value", "value_usd"),
    "human_equiv": ("human-equivalent minutes", "human_equiv_min"),
    "cost": ("direct cost", "cost_usd"),
    "human_time": ("human time", "human_s"),
}
"""What a share of completeness is about, and the columns of an outcomes table that state it."""


def text(document: Document) -> str:
    """The report of a document as lines for a terminal, without a line end at the end."""
    blocks = [_head(document)]
    if document["days"]:
        blocks += [_headline(document), _beside(document), _last(document)]
    blocks += [_trust(document), _join(document)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def told(value: float | None, unit: str = "1") -> str:
    """A number in three significant figures, – where there is none; shares in percent; counts
    below 100,000 in full."""
    if value is None:
        return "–"
    if unit == "1" and isinstance(value, int) and abs(value) < 100_000:
        return f"{value:,}"
    if unit == "share":
        whole = "> 99.9" if 0.9995 <= value < 1 else format_quantity(100 * value, "1")
        return f"{whole} %"
    return format_quantity(value, unit)


def gaps(document: Document) -> list[str]:
    """What the log does not state, one sentence each; what makes a figure less than it says."""
    found = []
    short = _short(document)
    if short:
        said = [f"{told(share, 'share')} {JOIN[name][0]}" for name, share in short.items()]
        found.append(f"of the accepted tasks only {said[0].replace('%', '% state', 1)}")
        found[-1] += "".join(f", {one}" for one in said[1:])
    small = document["completeness"]["ineligible"]
    if small:
        found.append(
            f"{told(small)} accepted tasks do not count: what they state of value and "
            "human-equivalent minutes is nothing, or less than the least; "
            "--assume-human-equiv MIN says what to take for those that state no minutes"
        )
    days = document["days"]
    if _untouched(document):
        found.append(
            "no event of the log is a human touch, so that autonomy is 100 % whatever people did"
        )
    open_days = sum(day["status"] != "final" for day in days)
    if days and open_days == len(days):
        found.append("no day is closed yet: every figure is provisional")
    late = document["completeness"]["late_share"]
    most = document["definition"]["most_loss"]
    if late is not None and late > most:
        found.append(
            f"going by days long past {told(late, 'share')} of events arrive after a day's close, "
            f"more than {told(most, 'share')}: days then close only after "
            f"{document['definition']['revocation_days']:g} days"
        )
    return found


def wanted(document: Document) -> list[str]:
    """Columns that an outcomes table should bring, the most missed first."""
    done = document["completeness"]
    missed = list(_short(document))
    if not done["accepted"] and done["root_tasks"]:
        missed = ["method", "human_equiv", "value", "human_time"]
    return [JOIN[name][1] for name in missed]


def _short(document: Document) -> dict[str, float]:
    """Shares of the accepted tasks that state something, where not all do; the least first."""
    stated = document["completeness"]["stated"]
    found = {name: stated[name] for name in JOIN if stated[name] is not None}
    return {n: s for n, s in sorted(found.items(), key=lambda one: one[1]) if s < 0.995}


def _untouched(document: Document) -> bool:
    """Whether not one accepted task was touched by a human."""
    accepted = sum(day["accepted"] for day in document["days"])
    return bool(accepted) and accepted == sum(day["untouched"] for day in document["days"])


def _head(document: Document) -> list[str]:
    log, definition = document["log"], document["definition"]
    lines = [
        f"{document['standard']} of {log['path']}",
        f"definition {definition['hash']}, days in {document['zone']}"
        + (f", as of {document['as_of']}" if document["as_of"] else ""),
    ]
    if not log["events"]:
        return [*lines, "The log is empty: nothing was received."]
    sources = ", ".join(f"{name or 'unnamed'} {told(n)}" for name, n in log["sources"].items())
    kinds = [f"{told(log[k])} {k}" for k in ("software", "embodied") if log[k]]
    agents = "1 agent" if log["agents"] == 1 else f"{told(log['agents'])} agents"
    lines.append(
        f"{agents} ({', '.join(kinds) or 'none'}), {told(log['events'])} events "
        f"({sources}), {log['first'][:10]} to {log['last'][:10]}"
    )
    return lines


def _headline(document: Document) -> list[str]:
    summary = document["summary"]
    found = summary[summary["basis"]]
    days = "day" if found["days"] == 1 else "days"
    what = "closed" if summary["basis"] == "closed" else "provisional"
    rows = [["", "DAA", "WAA", "MAA", "DAA / MAA", "who accepted"]]
    who = ("human or verifier", "also implicit or judge", "also self-reported")
    for letter, words in zip("abc", who, strict=True):
        rows.append(
            [
                f"  {letter.upper()}",
                *(told(found[f"{figure}_{letter}"]) for figure in ("daa", "waa", "maa")),
                told(found[f"stickiness_{letter}"], "share"),
                words,
            ]
        )
    return [
        f"Daily active agents, mean of {found['days']} {what} {days}",
        *aligned(rows, left=(0, 5)),
    ]


def _beside(document: Document) -> list[str]:
    summary = document["summary"]
    found = summary[summary["basis"]]
    value = "stated"
    if summary["value_basis"] == "wage":
        value = f"human-equivalent minutes at {told(summary['wage_usd_per_h'], 'USD')}/h"
    parts = {"direct": "direct cost", "human": "human minutes at their wage"}
    cost = " and ".join(parts[part] for part in summary["cost_parts"]) or "no cost is stated"
    if len(summary["cost_parts"]) == 1:
        cost += " only"
    kept = summary["retention"]
    again = ", ".join(
        f"{told(one['exact'], 'share')} on day {name[1:]}" for name, one in kept.items()
    )
    rows = [
        ("tasks per agent and day (TPA)", told(found["tpa"]), ""),
        ("FTE-equivalents", told(found["fte_eq"]), "480 human-equivalent minutes a day"),
        ("value per agent and day (VPD)", told(found["value_per_daa_usd"], "USD"), value),
        ("cost per accepted task (CPAT)", told(found["cost_per_task_usd"], "USD"), cost),
        ("autonomy", told(found["autonomy"], "share"), "accepted without a human touch"),
        ("autonomy of time", told(found["autonomy_of_time"], "share"), ""),
        ("human minutes per task (OM)", told(found["human_min_per_task"]), "failed work included"),
        ("leverage (Lv)", told(found["leverage"]), "human-equivalent per human minute"),
        ("effective agents (eDAA)", told(found["effective_daa"]), "equal agents for this value"),
    ]
    lines = aligned([(f"  {a}", b, c) for a, b, c in rows], left=(0, 1, 2))
    return ["Beside it, grade B", *lines, f"  active again (R): {again}"]


def _last(document: Document) -> list[str]:
    names = ("day", "status", "DAA-A", "B", "C", "new", "lost", "tasks", "FTE-eq", "value")
    rows = [names]
    for day in document["days"][-LAST_DAYS:]:
        counts = (told(day[k]) for k in ("daa_a", "daa_b", "daa_c", "new", "lost", "accepted"))
        rows.append(
            (
                *(day["day"], day["status"], *counts),
                *(told(day["fte_eq"]), told(day["value_usd"], "USD")),
            )
        )
    return ["Last days", *(f"  {line}" for line in aligned(rows, left=(0, 1)))]


def _trust(document: Document) -> list[str]:
    share = document["completeness"]["share"]
    done = document["completeness"]
    lines = []
    if document["log"]["received"]:
        lines.append(f"Completeness {told(share, 'share')} of {_received(document)} events")
        lines.append(
            f"  root tasks: {told(done['root_tasks'])}, decided {told(done['decided'])}; not "
            f"counted: {told(done['reverted'])} acceptances taken back, "
            f"{told(done['ineligible'])} tasks too small or unsized, "
            f"{told(done['circular'])} circular"
        )
    for fault in document["faults"]:
        lines.append(f"  {told(fault['count'])} × {fault['fault']}: {fault['meaning']}")
        lines += [f"      {example}" for example in fault["examples"][:1]]
    for one in document["restatements"][-3:]:
        lines.append(
            f"  restated: {one['day']} DAA-{one['grade'].upper()} {one['closed']} → "
            f"{one['restated']}, {told(one['late_events'])} late events, the last {one['at']}"
        )
    more = len(document["restatements"]) - 3
    if more > 0:
        lines.append(f"  and {more} earlier restatements")
    return lines


def _received(document: Document) -> str:
    return told(document["log"]["received"])


def _join(document: Document) -> list[str]:
    lines = [f"  {words}" for words in gaps(document)]
    found = ["Gaps", *map(paragraph, lines)] if lines else []
    columns = wanted(document)
    if columns:
        found.append(f"Join an outcomes table with: task_id, ts, {', '.join(columns)}")
    return found + [paragraph(f"Assumed: {words}") for words in document["assumed"]]
