"""Object-centric event logs, OCEL 2.0: JSON, and SQLite for reading.

https://www.ocel-standard.org (specification 2.0 of 2023-10-16, arXiv:2403.01975). Written: an event
of the log for each event of the table, its kind as the type; agents, tasks, requesters and
reviewers as objects, with the column as the qualifier, and tasks as parts of their root tasks.

A log of another origin is read by a mapping: which object types are the agent and the task, and
which kind an event type is.

    objects = {agent_id = "Worker", task_id = "order"}
    kind = {values = {"pick item" = "act", "pay order" = "accept"}, otherwise = "act"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters import ocel_sqlite, text
from lineshaft.meter.adapters.rows import batches, encode, real, taken, time_us, whole
from lineshaft.meter.adapters.rows import text as word
from lineshaft.meter.events import COLUMNS, KINDS, Faults
from lineshaft.words import suggestion

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "2.0"

MARK = {"id": "DAA/1", "type": "standard", "attributes": [], "relationships": []}
"""The object by which a log that was written here is known."""
OBJECTS: Mapping[str, str] = {
    "agent_id": "agent",
    "task_id": "task",
    "root_task_id": "task",
    "requester_id": "requester",
    "reviewer_id": "reviewer",
}
"""Column -> type of object; the column's name is the qualifier of the relationship."""
TYPES: Mapping[str, str] = {
    "string": "string",
    "int": "integer",
    "float": "float",
    "timestamp": "time",
}
BEGINNING = "1970-01-01T00:00:00Z"
PLAIN = tuple(name for name in COLUMNS if name not in ("ts", "kind", "event_id", *OBJECTS))
"""Columns that are attributes of events."""

Row = dict[str, Any]


def read(
    data: Path | bytes,
    *,
    tenant: str = "",
    ingest_us: int | None = None,
    mapping: Mapping[str, Any] | None = None,
) -> Iterator[tuple[pa.Table, Faults]]:
    """Event tables of a log. The whole log is held: its objects may stand at its end."""
    said = mapping or {}
    _check(said)
    faults = Faults()
    log = _document(data, faults)
    if MARK["id"] in {item.get("id") for item in _items(log, "objects")}:
        rows = _own(log, faults)
    else:
        base = {"tenant": tenant or None, "ingest_ts": ingest_us, "src": "ocel"}
        rows = _foreign(log, base, said, faults)
    for table in batches(rows):
        yield table, taken(faults)


def write(events: pa.Table) -> bytes:
    """OCEL 2.0 JSON: the log that the events were read from, else one of the event table."""
    rows = events.to_pylist()
    sources = [_source(row) for row in rows]
    frames = [source["frame"] for source in sources if source and "frame" in source]
    if len(frames) == 1 and all(source is not None for source in sources):
        kept = [source["event"] for source in sources if source and source["event"] is not None]
        return (encode({**frames[0], "events": kept}) + "\n").encode()
    return (encode(_export(rows)) + "\n").encode()


# --- reading --------------------------------------------------------------------------------


def _document(data: Path | bytes, faults: Faults) -> dict[str, Any]:
    if text.head(data, 16) == ocel_sqlite.MAGIC:
        return ocel_sqlite.document(data)
    try:
        log = text.parse(text.content(data, faults))
    except (ValueError, RecursionError) as error:
        faults.add("unreadable", example=f"OCEL JSON: {error}")
        return {}
    if not isinstance(log, dict):
        faults.add("unreadable", example="OCEL JSON: no object")
        return {}
    return log


def _items(said: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = said.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _own(log: Mapping[str, Any], faults: Faults) -> Iterator[Row]:
    """The events of a log that was written here."""
    ids = {
        item.get("id"): {a.get("name"): a.get("value") for a in _items(item, "attributes")}
        for item in _items(log, "objects")
    }
    for event in _items(log, "events"):
        try:
            row: Row = {"event_id": event["id"], "kind": event["type"]}
            row["ts"] = time_us(event["time"])
            for item in event["attributes"]:
                if not item["name"].startswith("ocel:"):  # pm4py repeats type and time so
                    row[item["name"]] = _typed(item["name"], item["value"])
            for link in event["relationships"]:
                row[link["qualifier"]] = ids[link["objectId"]].get("id")
        except (KeyError, TypeError) as error:  # somebody changed it
            faults.add("unreadable", example=f"OCEL event: {error!r} in {str(event)[:60]}")
        else:
            yield {name: value for name, value in row.items() if name in COLUMNS}


def _typed(name: str, value: Any) -> Any:
    kind = COLUMNS[name][0]
    if kind == "timestamp":
        return time_us(value)
    if kind == "string":
        return value
    return whole(value) if kind == "int" else real(value)


def _foreign(
    log: Mapping[str, Any], base: Row, mapping: Mapping[str, Any], faults: Faults
) -> Iterator[Row]:
    """The events of any log; the first one keeps what is of no event."""
    types = {item.get("id"): item.get("type") for item in _items(log, "objects")}
    wanted = mapping.get("objects", {})
    named = {
        name: wanted.get(name, kind) for name, kind in OBJECTS.items() if name != "root_task_id"
    }
    words = mapping.get("kind", {})
    frame = {key: value for key, value in log.items() if key != "events"}
    events = log.get("events")
    first: Row = {"frame": frame}
    for event in events if isinstance(events, list) else []:
        if not isinstance(event, dict):
            faults.add("unreadable", example=f"OCEL event: {str(event)[:60]}")
            continue
        kind = word(event.get("type")) or ""
        row: Row = {
            **base,
            "event_id": word(event.get("id")),
            "ts": time_us(event.get("time")),
            "kind": words.get("values", {}).get(kind, words.get("otherwise", kind)),
            "attrs": encode({"event": event, **first}),
        }
        first = {}
        for item in _items(event, "attributes"):
            name = item.get("name")
            if name in PLAIN and name not in ("attrs", "src"):
                row[name] = _typed(name, item.get("value"))
        for link in reversed(_items(event, "relationships")):
            ident, qualifier = word(link.get("objectId")), link.get("qualifier")
            for name, type_ in named.items():
                if types.get(link.get("objectId")) == type_ or qualifier == name:
                    row[name] = ident
        yield row
    if first and frame:  # objects without an event
        yield {**base, "kind": "heartbeat", "attrs": encode({"event": None, **first})}


def _check(mapping: Mapping[str, Any]) -> None:
    """InputError with all that is wrong with a mapping."""
    problems = []
    odd = [key for key in ("objects", "kind") if not isinstance(mapping.get(key, {}), Mapping)]
    if odd:
        raise InputError(Problem("", key, f"{mapping[key]!r}", "a table") for key in odd)
    for key in mapping.keys() - {"objects", "kind", "evaluation"}:
        fix = suggestion(key, ("objects", "kind"))
        problems.append(Problem("", key, "unknown key", "objects, kind", fix))
    for key in mapping.get("objects", {}).keys() - set(OBJECTS):
        allowed = ", ".join(OBJECTS)
        fix = suggestion(key, OBJECTS)
        problems.append(Problem("", f"objects.{key}", "no column of an object", allowed, fix))
    words = mapping.get("kind", {})
    for target in [*words.get("values", {}).values(), words.get("otherwise", KINDS[0])]:
        if target not in KINDS:
            fix = suggestion(str(target), KINDS)
            problems.append(Problem("", "kind", f"{target!r}", ", ".join(KINDS), fix))
    if problems:
        raise InputError(problems)


# --- writing --------------------------------------------------------------------------------


def _source(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What attrs keeps of a log of another origin; None for other events."""
    if row["src"] != "ocel" or not row["attrs"]:
        return None
    try:
        found = json.loads(row["attrs"])
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _export(rows: list[Row]) -> dict[str, Any]:
    objects: dict[tuple[str, Any, str], dict[str, Any]] = {}
    taken: set[str] = {str(MARK["id"])}
    ids: set[str] = set()
    events: list[dict[str, Any]] = []
    for row in rows:
        links, attributes = [], []
        for name, type_ in OBJECTS.items():
            value = row[name]
            if value == "":
                attributes.append({"name": name, "value": value})
            elif value is not None:
                thing = _object(objects, taken, type_, row["tenant"], value)
                links.append({"objectId": thing["id"], "qualifier": name})
        if row["task_id"] and row["root_task_id"] and row["task_id"] != row["root_task_id"]:
            part = _object(objects, taken, "task", row["tenant"], row["task_id"])
            root = _object(objects, taken, "task", row["tenant"], row["root_task_id"])
            link = {"objectId": root["id"], "qualifier": "part of"}
            if link not in part["relationships"]:
                part["relationships"].append(link)
        if not links or not events:  # readers drop events and objects without a relationship
            links.append({"objectId": MARK["id"], "qualifier": MARK["type"]})
        ident = _unique(row["event_id"] or "event", ids)
        if ident != row["event_id"]:  # the same key again, or in another tenant
            attributes.append({"name": "event_id", "value": row["event_id"]})
        for name in PLAIN:
            value = row[name]
            if value is not None:
                shown = _iso(value) if COLUMNS[name][0] == "timestamp" else value
                attributes.append({"name": name, "value": shown})
        events.append(
            {
                "id": ident,
                "type": row["kind"],
                "time": _iso(row["ts"]),
                "attributes": attributes,
                "relationships": links,
            }
        )
    return {
        "objectTypes": [
            {"name": name, "attributes": [{"name": key, "type": "string"} for key in keys]}
            for name, keys in (
                *((type_, ("id", "tenant")) for type_ in dict.fromkeys(OBJECTS.values())),
                (str(MARK["type"]), ()),
            )
        ],
        "eventTypes": [
            {
                "name": kind,
                "attributes": [
                    {"name": name, "type": TYPES[COLUMNS[name][0]]}
                    for name in ("event_id", *OBJECTS, *PLAIN)
                ],
            }
            for kind in dict.fromkeys(event["type"] for event in events)
        ],
        "objects": [MARK, *objects.values()],
        "events": events,
    }


def _object(
    objects: dict[tuple[str, Any, str], dict[str, Any]],
    taken: set[str],
    type_: str,
    tenant: str | None,
    ident: str,
) -> dict[str, Any]:
    key = (type_, tenant, ident)
    if key not in objects:
        said = {"id": ident} if tenant is None else {"id": ident, "tenant": tenant}
        objects[key] = {
            "id": _unique(":".join(part for part in (type_, tenant, ident) if part), taken),
            "type": type_,
            "attributes": [
                {"name": name, "time": BEGINNING, "value": value} for name, value in said.items()
            ],
            "relationships": [],
        }
    return objects[key]


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken."""
    made, number = name, 1
    while made in taken:
        number += 1
        made = f"{name}#{number}"
    taken.add(made)
    return made


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
