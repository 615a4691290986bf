"""The reference program of DAA/1: the standard in plain Python, slow and easy to check.

    python -m lineshaft.meter.conform.plain EVENTS.jsonl DEFINITION.json

prints the figures as JSON (docs/daa-1.md, Conformance). It follows the text of the standard rule by
rule, shares no code with the meter, and needs nothing but Python.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Event = dict[str, Any]
COLUMNS = (
    "event_id", "ts", "ingest_ts", "tenant", "agent_id", "agent_kind", "task_id", "root_task_id",
    "parent_span", "kind", "actor", "requester_id", "reviewer_id", "method", "tokens_in",
    "tokens_out", "tokens_cached", "energy_j", "cost_usd", "human_s", "value_usd",
    "human_equiv_min", "model", "tz", "src", "attrs",
)  # fmt: skip
VOIDS = ("reject", "revert", "fail", "cancel", "expire")
BELIEVED = {
    "a": ("human", "verifier"),
    "b": ("human", "verifier", "implicit", "judge"),
    "c": ("human", "verifier", "implicit", "judge", "self_report"),
}
USED = ("tokens_in", "tokens_out", "tokens_cached", "energy_j", "cost_usd", "human_s")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = 3_600_000_000, 86_400_000_000


def micros(time: Any) -> int | None:
    """Microseconds UTC of an ISO 8601 time, or of such a number."""
    if time is None or isinstance(time, int):
        return time
    return (datetime.fromisoformat(time) - EPOCH) // timedelta(microseconds=1)


def iso(t: int) -> str:
    """A moment as ISO 8601."""
    return (EPOCH + timedelta(microseconds=t)).isoformat()


def day_of(t: int, zone: ZoneInfo) -> date:
    """The local day of a moment."""
    return (EPOCH + timedelta(microseconds=t)).astimezone(zone).date()


def begin_of(day: date, zone: ZoneInfo) -> int:
    """The first moment whose local day is not before `day`."""
    noon = datetime(day.year, day.month, day.day, tzinfo=UTC)
    lo = micros((noon - timedelta(days=2)).isoformat()) or 0
    hi = lo + 4 * DAY
    while lo < hi:
        middle = (lo + hi) // 2
        if day_of(middle, zone) < day:
            lo = middle + 1
        else:
            hi = middle
    return lo


def arrival(e: Event) -> int:
    """When an event arrived."""
    return int(e["ts"] if e["ingest_ts"] is None else e["ingest_ts"])


def complete(rows: Iterable[Event]) -> Iterator[Event]:
    """Events with all columns, an empty text as null, times as microseconds."""
    for row in rows:
        e = {name: None if row.get(name) == "" else row.get(name) for name in COLUMNS}
        e["ts"], e["ingest_ts"] = micros(e["ts"]), micros(e["ingest_ts"])
        yield e


def once(rows: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """Rule 1: (events that count, the others)."""

    def order(e: Event) -> tuple[Any, ...]:
        columns = tuple((e[name] is not None, e[name] or 0) if e[name] in (None, 0)
                        else (True, e[name]) for name in COLUMNS)  # fmt: skip
        return arrival(e), e["ts"], columns

    first: dict[tuple[Any, Any], Event] = {}
    others = []
    for e in sorted(rows, key=order):
        key = (e["tenant"], e["event_id"])
        if key in first:
            others.append({**e, "winner": first[key]})
        else:
            first[key] = e
    return list(first.values()), others


def root(e: Event) -> str | None:
    """Rule 2."""
    if e["kind"] == "heartbeat":
        return None
    found = e["task_id"] if e["root_task_id"] is None else e["root_task_id"]
    return None if found is None else str(found)


def by_task(events: Iterable[Event]) -> dict[tuple[Any, str], list[Event]]:
    """Events of each root task."""
    tasks = defaultdict(list)
    for e in events:
        name = root(e)
        if name is not None:
            tasks[e["tenant"], name].append(e)
    return tasks


def acceptances(task: list[Event], d: dict[str, Any], as_of: int) -> Iterator[tuple[int, str, str]]:
    """Rule 3: (moment, method, agent)."""
    for e in task:
        if e["agent_id"] is None:
            continue
        if e["kind"] == "accept":
            method = e["method"]
            if method not in BELIEVED["c"] or e["reviewer_id"] == e["agent_id"]:
                method = "self_report"
            yield e["ts"], method, e["agent_id"]
        if e["kind"] == "submit" and e["method"] == "self_report":
            yield e["ts"], "self_report", e["agent_id"]
        if e["kind"] == "submit" and d["implied_after_h"] is not None:
            t, until = e["ts"], e["ts"] + round(d["implied_after_h"] * HOUR)
            against = any(
                (o["kind"] in VOIDS and t <= o["ts"] <= until)
                or (o["kind"] in ("assign", "human_touch") and t < o["ts"] <= until)
                for o in task
            )
            if until <= as_of and not against:
                yield until, "implicit", e["agent_id"]


def stands(t: int, task: list[Event], d: dict[str, Any]) -> bool:
    """Rule 4."""
    window = round(d["revocation_days"] * DAY)
    return not any(e["kind"] in VOIDS and t <= e["ts"] <= t + window for e in task)


def total(events: list[Event], name: str) -> float | None:
    """The sum of a quantity; None where nobody states it."""
    stated = [e[name] for e in events if e[name] is not None]
    return math.fsum(stated) if stated else None


def circular(
    tenant: Any, name: str, task: list[Event], t: int, executor: str, everything: list[Event],
    d: dict[str, Any],
) -> bool:  # fmt: skip
    """Rule 7."""
    requesters = {
        e["requester_id"] for e in task
        if e["kind"] == "assign" and e["requester_id"] is not None
        and (e["task_id"] is None or e["task_id"] == name)
    }  # fmt: skip
    since = t - round(d["closure_days"] * DAY)
    steps = {
        (e["requester_id"], e["agent_id"]) for e in everything
        if e["kind"] == "assign" and e["tenant"] == tenant and since <= e["ts"] <= t
        and e["requester_id"] is not None and e["agent_id"] is not None
    }  # fmt: skip
    reached = {executor}
    for _ in range(d["closure_hops"]):
        reached |= {y for x, y in steps if x in reached}
    return bool(requesters & reached)


def accepted_tasks(events: list[Event], d: dict[str, Any], as_of: int) -> list[dict[str, Any]]:
    """Rules 3 to 8: a row for each task and grade that counts as of a moment."""
    events = [e for e in events if arrival(e) <= as_of]
    assigns = [e for e in events if e["kind"] == "assign"]
    zone, rows = ZoneInfo(d["zone"]), []
    for (tenant, name), task in by_task(events).items():
        standing = [a for a in acceptances(task, d, as_of) if stands(a[0], task, d)]
        value, minutes = total(task, "value_usd"), total(task, "human_equiv_min")
        least = 1 - 1e-9
        if (minutes or 0) < d["least_human_equiv_min"] * least and (
            (value or 0) < d["least_value_usd"] * least
        ):
            continue
        for grade, methods in BELIEVED.items():
            mine = [(t, agent) for t, method, agent in standing if method in methods]
            if not mine:
                continue
            t, agent = min(mine)
            if circular(tenant, name, task, t, agent, assigns, d):
                continue
            touches = sum(e["kind"] == "human_touch" and e["ts"] <= t for e in task)
            rows.append({
                "grade": grade, "day": day_of(t, zone), "agent": (tenant, agent), "task": name,
                "value": value, "minutes": minutes, "touches": touches,
            })  # fmt: skip
    return rows


def closes(days: list[date], events: list[Event], d: dict[str, Any]) -> dict[date, int]:
    """When each day closes."""
    zone = ZoneInfo(d["zone"])
    watermark, revocation = round(d["watermark_h"] * HOUR), round(d["revocation_days"] * DAY)
    v = math.ceil(d["revocation_days"])
    work = [(day_of(e["ts"], zone), arrival(e)) for e in events if e["kind"] != "heartbeat"]
    end = {
        day: begin_of(day + timedelta(days=1), zone) for day in {*days, *(day for day, _ in work)}
    }
    out = {}
    for day in days:
        known = [
            (e, t) for e, t in work
            if day - timedelta(v + d["month_days"]) <= e <= day - timedelta(v + 1)
            and t <= end[day] + watermark
        ]  # fmt: skip
        late = sum(t > end[e] + watermark for e, t in known)
        lossy = bool(known) and late / len(known) > d["most_loss"]
        out[day] = end[day] + (max(watermark, revocation) if lossy else watermark)
    return out


def restatements(
    rows: list[dict[str, Any]], events: list[Event], d: dict[str, Any], as_of: int,
    close: dict[date, int],
) -> tuple[dict[tuple[str, date], int], list[dict[str, Any]]]:  # fmt: skip
    """(closed figures by grade and day, restatements)."""
    figures, found = {}, []
    tasks = by_task(e for e in events if arrival(e) <= as_of)
    for day, moment in close.items():
        if moment > as_of:
            continue
        before = [row for row in accepted_tasks(events, d, moment) if row["day"] == day]
        for grade in BELIEVED:
            then, now = (
                {(row["agent"][0], row["task"]): row["agent"][1] for row in side
                 if row["grade"] == grade and row["day"] == day}
                for side in (before, rows)
            )  # fmt: skip
            figures[grade, day] = len({(key[0], agent) for key, agent in then.items()})
            new = len({(key[0], agent) for key, agent in now.items()})
            if figures[grade, day] == new:
                continue
            late: list[int] = []
            for key in then.keys() | now.keys():
                if then.get(key) == now.get(key):
                    continue
                came = [arrival(e) for e in tasks[key] if arrival(e) > moment]
                late += came or [_circle_closed(key, grade, day, events, d, moment)]
            found.append({
                "day": day.isoformat(), "grade": grade, "closed": figures[grade, day],
                "restated": new, "late_events": len(late), "at": iso(max(late)),
            })  # fmt: skip
    return figures, found


def _circle_closed(
    key: tuple[Any, str], grade: str, day: date, events: list[Event], d: dict[str, Any], since: int
) -> int:
    """The first arrival after a close with which a task no longer counts for the day."""
    for moment in sorted({arrival(e) for e in events if arrival(e) > since}):
        if not any(
            (row["agent"][0], row["task"], row["grade"], row["day"]) == (*key, grade, day)
            for row in accepted_tasks(events, d, moment)
        ):
            return moment
    raise AssertionError("a task changed without a reason")


def figures(lines: Iterable[Event], d: dict[str, Any]) -> dict[str, Any]:
    """The answer of the conformance protocol."""
    received = list(complete(lines))
    events, others = once(received)
    as_of = micros(d.get("as_of"))
    as_of = max(map(arrival, received), default=0) if as_of is None else as_of
    zone = ZoneInfo(d["zone"])
    counted = [e for e in events if arrival(e) <= as_of]
    repeats = [e for e in others if arrival(e) <= as_of]
    rows = accepted_tasks(events, d, as_of)
    effort = defaultdict(list)
    for e in counted:
        effort[day_of(e["ts"], zone)].append(e)
    held = sorted({*effort, *(row["day"] for row in rows)})
    days = [held[0] + timedelta(n) for n in range((held[-1] - held[0]).days + 1)] if held else []
    close = closes(days, counted, d)
    closed, restated = restatements(rows, events, d, as_of, close)
    out: dict[str, dict[str, Any]] = {}
    for day in days:
        work = [e for e in effort[day] if e["kind"] != "heartbeat"]
        row: dict[str, Any] = {
            "status": "final" if close[day] <= as_of else "provisional",
            "events": len(work),
            "seen": len({(e["tenant"], e["agent_id"]) for e in work if e["agent_id"] is not None}),
            **{name: total(effort[day], name) or 0 for name in USED},
        }
        for grade in BELIEVED:
            mine = [r for r in rows if r["grade"] == grade]
            for name, value in _of_day(mine, day, d).items():
                row[f"{name}_{grade}"] = value
            row[f"closed_{grade}"] = closed.get((grade, day))
        out[day.isoformat()] = row
    faults = {
        "skew": sum(e["ingest_ts"] is not None and e["ts"] > e["ingest_ts"] for e in counted),
        "replay": sum(_says_the_same(e) for e in repeats),
        "conflict": sum(not _says_the_same(e) for e in repeats),
        "no_agent": sum(e["agent_id"] is None for e in counted),
    }
    return {
        "standard": "DAA/1", "zone": d["zone"], "days": out, "restatements": restated,
        "faults": faults,
    }  # fmt: skip


def _says_the_same(e: Event) -> bool:
    unused = ("ingest_ts", "parent_span", "actor", "model", "tz", "src", "attrs")
    return all(e[name] == e["winner"][name] for name in COLUMNS if name not in unused)


def _of_day(rows: list[dict[str, Any]], day: date, d: dict[str, Any]) -> dict[str, Any]:
    """The figures of one grade on one day."""
    active: dict[date, set[Any]] = defaultdict(set)
    for row in rows:
        active[row["day"]].add(row["agent"])

    def window(n: int) -> set[Any]:
        return {a for day_, agents in active.items() if 0 <= (day - day_).days < n for a in agents}

    today, yesterday = active[day], active[day - timedelta(1)]
    before = {a for day_, agents in active.items() if day_ < day for a in agents}
    back = (today & before) - yesterday
    recent = {
        a
        for n in range(2, d["month_days"])
        for a in active.get(day - timedelta(n), ())
        if a in back
    }
    done = [row for row in rows if row["day"] == day]
    minutes = math.fsum(row["minutes"] or 0 for row in done)
    value = math.fsum(row["value"] or 0 for row in done)
    by_agent: dict[Any, float] = defaultdict(float)
    for row in done:
        if d["value_basis"] == "wage":
            by_agent[row["agent"]] += (row["minutes"] or 0) * d["wage_usd_per_h"] / 60
        else:
            by_agent[row["agent"]] += row["value"] or 0
    squares = math.fsum(v * v for v in by_agent.values())
    worth = math.fsum(by_agent.values())
    return {
        "daa": len(today), "waa": len(window(d["week_days"])), "maa": len(window(d["month_days"])),
        "new": len(today - before), "retained": len(today & yesterday),
        "reactivated": len(recent), "resurrected": len(back - recent),
        "lost": len(yesterday - today), "dormant": len(before - today - yesterday),
        "accepted": len(done), "untouched": sum(row["touches"] == 0 for row in done),
        "value_usd": value, "human_equiv_min": minutes,
        "effective_daa": worth**2 / squares if squares else 0.0,
        "tpa": len(done) / len(today) if today else None,
        "vpd": worth / len(today) if today else None,
        "fte_eq": minutes / 480,
    }  # fmt: skip


def main(arguments: list[str]) -> None:
    """Read the two files and print the answer."""
    with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123
        lines = [json.loads(line) for line in file if line.strip()]
    with open(arguments[1], encoding="utf-8") as file:  # noqa: PTH123
        definition = json.load(file)
    json.dump(figures(lines, definition), sys.stdout, indent=1)


if __name__ == "__main__":
    main(sys.argv[1:])
