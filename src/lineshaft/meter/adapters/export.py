"""Events of any origin as OTLP spans, and back: each column is an attribute `daa.<column>`.

What no convention has a name for (a decision, human seconds, value) can be said so in OTLP. A span
of this scope is the event itself, and nothing else of it is kept.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from lineshaft.meter.adapters import otlp_wire as wire
from lineshaft.meter.adapters.rows import PREFIX
from lineshaft.meter.events import COLUMNS

SCOPE = "daa.export"
_TYPES = {"string": str, "int": int, "float": float}


def request(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """An OTLP request (JSON) that says the rows."""
    spans = [_span(row) for row in rows]
    scope = {"scope": {"name": SCOPE, "version": "DAA/1"}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scope]}]}


def row(span: Mapping[str, Any]) -> dict[str, Any]:
    """The event that such a span says (its attributes packed)."""
    said = wire.facts(span["attributes"])
    values: dict[str, Any] = {}
    for name, (kind, _) in COLUMNS.items():
        value = said.get(PREFIX + name)
        if value is not None:
            values[name] = value if kind == "timestamp" else _TYPES[kind](value)
    if start := int(span["startTimeUnixNano"]):
        values["ts"] = start // 1000
    return values


def _span(row: Mapping[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, (kind, _) in COLUMNS.items():
        value = row[name]
        if value is None or name == "ts":
            continue
        if kind == "timestamp":
            value = _us(value)
        elif kind == "float" and not math.isfinite(value):
            continue
        attributes[PREFIX + name] = value
    # a time before 1970 does not fit the wire's unsigned one
    since = 0 if row["ts"] is None else _us(row["ts"])
    if since <= 0 and row["ts"] is not None:
        attributes[PREFIX + "ts"] = since
    digest = hashlib.sha256(f"{row['tenant']}\0{row['event_id']}".encode()).hexdigest()
    at = str(max(since, 0) * 1000)
    span: dict[str, Any] = wire.unpacked(
        {
            "traceId": digest[:32],
            "spanId": digest[32:48],
            "name": "daa.event",
            "kind": 1,
            "startTimeUnixNano": at,
            "endTimeUnixNano": at,
            "attributes": attributes,
        }
    )
    return span


def _us(when: datetime) -> int:
    gone = when - datetime(1970, 1, 1, tzinfo=when.tzinfo)
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds
