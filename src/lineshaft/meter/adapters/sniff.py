"""Which source a file is of, by its first bytes and its first record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineshaft.meter.adapters import text
from lineshaft.meter.events import REQUIRED

SQLITE = b"SQLite format 3\x00"
PROTOBUF = 64 << 20
"""Bytes up to which a file without text is tried as protobuf."""

_NEEDED = set(REQUIRED) - {"event_id"}
_MESSAGES = (
    "/state", "/order", "/connection", "/instantActions", "/factsheet", "/visualization",
    "/zoneSet", "/responses",
)  # fmt: skip
_OPENINFERENCE = b'"openinference.span.kind"'


def sniff(data: Path | bytes) -> str | None:
    """The source, one of `adapters.SOURCES`, or None. InputError where it cannot be read."""
    start = text.head(data)
    if start.startswith(SQLITE):
        return "ocel"
    if start.startswith((b"PAR1", b"ARROW1")):
        return _table(data)
    if start[:1] in (b"\n", b"\x00") and (found := _protobuf(data, start)):
        return found  # a tag that looks like an empty line, or a length
    body = start.lstrip()
    if body[:1] in (b"{", b"[") or body.startswith((b"data:", b"event:")):
        found = _record(body)
        if found == "otlp" and _OPENINFERENCE in start:
            return "openinference"
        return found
    if _is_text(start):
        return _table(data) if body else None
    return _protobuf(data, start)


def _record(body: bytes) -> str | None:
    """By the first JSON record. A document that is too long to be whole here goes by its keys."""
    if body.startswith((b"data:", b"event:")):
        return "a2a"
    shown = body.decode("utf-8", "replace")
    if shown.startswith("["):
        shown = shown[1:].lstrip()
    try:
        record, _ = json.JSONDecoder().raw_decode(shown)
    except (ValueError, RecursionError):
        return _keys(body) or _lines(shown)
    return _of(record)


def _lines(shown: str) -> str | None:
    """By the first of the lines that is a record: the first of all may be broken."""
    for line in shown.splitlines()[1:20]:
        try:
            found = _of(json.loads(line))
        except (ValueError, RecursionError):
            continue
        if found:
            return found
    return None


def _keys(body: bytes) -> str | None:
    for key in (b'"resourceSpans"', b'"resourceLogs"', b'"resourceMetrics"'):
        if key in body[:4096]:
            return "otlp"
    if b'"eventTypes"' in body or b'"objectTypes"' in body:
        return "ocel"
    return None


def _of(record: Any) -> str | None:
    if not isinstance(record, Mapping):
        return None
    keys = record.keys()
    if keys & {"resourceSpans", "resourceLogs", "resourceMetrics"}:
        return "otlp"
    if {"objectTypes", "events"} <= keys or {"eventTypes", "events"} <= keys:
        return "ocel"
    topic = record.get("topic")
    if isinstance(topic, str) and "payload" in keys and topic.endswith(_MESSAGES):
        return "vda5050"
    if {"headerId", "manufacturer", "serialNumber"} <= keys:
        return "vda5050"
    if keys >= _NEEDED:
        return "events"
    if isinstance(record.get("booking"), Mapping) or {"fleet_name", "state"} <= keys:
        return "rmf"
    if isinstance(record.get("data"), Mapping) and "booking" in record["data"]:
        return "rmf"
    return "a2a" if _is_a2a(record) else None


def _is_a2a(record: Mapping[str, Any]) -> bool:
    keys = record.keys()
    if isinstance(record.get("payload"), Mapping):
        return _is_a2a(record["payload"])
    if keys & {"statusUpdate", "artifactUpdate"}:
        return True
    if record.get("kind") in ("task", "status-update", "artifact-update"):
        return True
    if record.get("jsonrpc") == "2.0":
        result = record.get("result")
        method = str(record.get("method", ""))
        return (
            (isinstance(result, Mapping) and ("task" in result or "tasks" in result))
            or (isinstance(result, Mapping) and _is_a2a(result))
            or method.startswith(("message/", "tasks/"))
            or method.endswith(("Message", "Task", "Tasks"))
        )
    status = record.get("status", record.get("task"))
    return isinstance(status, Mapping) and ("state" in status or "status" in status)


def _table(data: Path | bytes) -> str | None:
    """The event table itself, or a table that needs a mapping; None for a text without columns."""
    from lineshaft.meter.adapters import tables

    names = tables.columns(data)
    if set(names) >= _NEEDED or (not names and text.head(data, 4) == tables.PARQUET):
        return "events"
    return "table" if len(names) > 1 else None


def _is_text(start: bytes) -> bool:
    if b"\x00" in start[:4096]:
        return False
    odd = sum(byte < 9 or 13 < byte < 32 for byte in start[:4096])
    return odd * 100 <= len(start[:4096])


def _protobuf(data: Path | bytes, start: bytes) -> str | None:
    from lineshaft.meter.adapters import otlp
    from lineshaft.meter.events import Faults

    whole = text.content(data, Faults()) if len(start) == text.CHUNK else start
    if len(whole) > PROTOBUF or not otlp.is_protobuf(whole):
        return None
    return "openinference" if b"openinference.span.kind" in start else "otlp"
