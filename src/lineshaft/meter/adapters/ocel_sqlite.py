"""The SQLite form of OCEL 2.0 as its JSON form.

https://www.ocel-standard.org/2.0/ocel20_specification.pdf, section on the relational
implementation: tables `event`, `object`, `event_object`, `object_object`, the names of types in
`event_map_type` and `object_map_type`, and a table of attributes for each type.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters import text
from lineshaft.meter.events import Faults

MAGIC = b"SQLite format 3\x00"
TYPES = {"TEXT": "string", "REAL": "float", "INTEGER": "integer", "BOOLEAN": "boolean"}
OWN = ("ocel_id", "ocel_time", "ocel_changed_field")


def document(data: Path | bytes) -> dict[str, Any]:
    """The log as a JSON document. InputError where the file is no such database."""
    with closing(sqlite3.connect(":memory:")) as base:
        try:
            base.deserialize(text.content(data, Faults()))
            return _document(base)
        except sqlite3.Error as error:
            where = str(data) if isinstance(data, Path) else ""
            raise InputError(
                Problem(where, "", f"no OCEL 2.0 database: {error}", "the tables of OCEL 2.0")
            ) from None


def _document(base: sqlite3.Connection) -> dict[str, Any]:
    events: dict[str, dict[str, Any]] = {}
    objects: dict[str, dict[str, Any]] = {}
    for ident, kind in base.execute("SELECT ocel_id, ocel_type FROM event"):
        events[ident] = {"id": ident, "type": kind, "attributes": [], "relationships": []}
    for ident, kind in base.execute("SELECT ocel_id, ocel_type FROM object"):
        objects[ident] = {"id": ident, "type": kind, "attributes": [], "relationships": []}
    for ident, other, qualifier in base.execute(
        "SELECT ocel_event_id, ocel_object_id, ocel_qualifier FROM event_object"
    ):
        link = {"objectId": other, "qualifier": qualifier}
        events[ident]["relationships"].append(link)
    for ident, other, qualifier in base.execute(
        "SELECT ocel_source_id, ocel_target_id, ocel_qualifier FROM object_object"
    ):
        link = {"objectId": other, "qualifier": qualifier}
        objects[ident]["relationships"].append(link)
    return {
        "objectTypes": _types(base, "object", objects),
        "eventTypes": _types(base, "event", events),
        "objects": list(objects.values()),
        "events": list(events.values()),
    }


def _types(
    base: sqlite3.Connection, what: str, things: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """The types, and the attributes of their things, which are filled in."""
    found = []
    names = base.execute(f"SELECT ocel_type, ocel_type_map FROM {what}_map_type").fetchall()
    for name, mapped in names:
        table = f"{what}_{mapped}".replace('"', '""')
        columns = [(row[1], row[2]) for row in base.execute(f'PRAGMA table_info("{table}")')]
        found.append(
            {
                "name": name,
                "attributes": [
                    {"name": column, "type": TYPES.get(str(kind).upper(), "time")}
                    for column, kind in columns
                    if column not in OWN
                ],
            }
        )
        for row in base.execute(f'SELECT * FROM "{table}"'):
            _fill(things, dict(zip((column for column, _ in columns), row, strict=True)), what)
    return found


def _fill(things: dict[str, dict[str, Any]], row: dict[str, Any], what: str) -> None:
    thing = things.get(row["ocel_id"])
    if thing is None:
        return
    at = str(row.get("ocel_time"))
    if what == "event":
        thing["time"] = at
    changed = row.get("ocel_changed_field")
    for name, value in row.items():
        if name in OWN or value is None or (changed and changed != name):
            continue
        said = {"name": name, "value": value}
        thing["attributes"].append(said if what == "event" else {**said, "time": at})
