"""Agent2Agent (A2A) protocol, version 1.0 and the names of 0.3: tasks and their updates.

https://a2a-protocol.org/latest/specification/ and specification/a2a.proto of
https://github.com/a2aproject/A2A. Records are JSON-RPC messages, the payloads of streams
(`statusUpdate`, `artifactUpdate`, `task`, `message`), tasks, or these under `payload` in a
recorder's envelope with `time`, `agent` and `tenant`; as JSON lines, an array, or server-sent
events.

The protocol does not say who speaks: the agent is that of the envelope, or the one the caller
states. COMPLETED is the agent's own word, so a self-report. What has no time of its own happened
when it arrived, else at the last time of its task in the stream; what is of no task, of any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.meter.adapters import text
from lineshaft.meter.adapters.lines import keep
from lineshaft.meter.adapters.rows import BATCH, encode, from_dicts, stated, taken, time_us
from lineshaft.meter.adapters.rows import text as word
from lineshaft.meter.events import Faults

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "1.0"

STATES: Mapping[str, str] = {
    "SUBMITTED": "assign",
    "WORKING": "start",
    "COMPLETED": "submit",
    "FAILED": "fail",
    "CANCELED": "cancel",
    "INPUT_REQUIRED": "ask_human",
    "AUTH_REQUIRED": "ask_human",
    "REJECTED": "reject",
}
"""TaskState without its prefix -> kind; others are acts. 0.3 writes them small, with hyphens."""

Row = dict[str, Any]
_LATEST = 100_000
"""Tasks whose last time is remembered."""
_LAST = ""
"""The last time of all tasks."""


def read(
    data: Path | bytes, *, tenant: str = "", ingest_us: int | None = None, agent: str = ""
) -> Iterator[tuple[pa.Table, Faults]]:
    """Event tables of recorded messages; `agent` is who speaks where the record does not say."""
    faults, rows, told = Faults(), list[Row](), False
    latest: dict[str, int] = {}
    for record, form in text.records(data, faults):
        base = {"tenant": tenant or None, "agent_id": agent or None, "ingest_ts": ingest_us}
        rows += _of_record(record, form, base, latest)
        if len(rows) >= BATCH:
            yield from_dicts(rows), taken(faults)
            rows, told = [], True
        while len(latest) > _LATEST:
            latest.pop(next(iter(latest)))
    if rows or faults.counts or not told:
        yield from_dicts(rows), taken(faults)


def _of_record(record: Any, form: str, base: Row, latest: dict[str, int]) -> Iterator[Row]:
    """The events of a record; the first keeps it."""
    base = {**base, "agent_kind": "software", "src": "a2a"}
    message = record
    if isinstance(record, Mapping) and "payload" in record:
        message = record["payload"]
        base["tenant"] = word(record.get("tenant")) or base["tenant"]
        base["agent_id"] = word(record.get("agent")) or base["agent_id"]
        arrived = record.get("time")
        received = arrived if type(arrived) is int else time_us(arrived)
        base["ingest_ts"] = received if received is not None else base["ingest_ts"]
    name = hashlib.sha256(encode(message).encode()).hexdigest()[:32]
    found = [row for part in _parts(message) if (row := _event(*part, base, latest))]
    if not found:
        at = base["ingest_ts"] if base["ingest_ts"] is not None else latest.get(_LAST)
        yield {
            **base, "event_id": f"a2a:{name}", "ts": at, "kind": "heartbeat",
            "attrs": keep(record, form),
        }  # fmt: skip
    for place, row in enumerate(found):
        yield {**row, "attrs": encode({"of": name}) if place else keep(record, form)}


def _parts(message: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(what it is, the thing itself) of all that a message says of tasks."""
    if not isinstance(message, Mapping):
        return
    if isinstance(message.get("result"), Mapping):  # a JSON-RPC response
        message = message["result"]
    elif "method" in message and isinstance(message.get("params"), Mapping):  # its request
        said = message["params"].get("message")
        if isinstance(said, Mapping):
            yield "message", said
        return
    for key in ("task", "statusUpdate", "artifactUpdate", "message"):
        if isinstance(message.get(key), Mapping):
            yield key, message[key]
    if isinstance(message.get("tasks"), list):
        yield from (("task", task) for task in message["tasks"] if isinstance(task, Mapping))
    elif message.get("kind") == "artifact-update" or "artifact" in message:
        yield "artifactUpdate", message
    elif "status" in message and "taskId" in message:
        yield "statusUpdate", message
    elif "status" in message and "id" in message:
        yield "task", message
    elif "messageId" in message:
        yield "message", message


def _event(what: str, said: Mapping[str, Any], base: Row, latest: dict[str, int]) -> Row | None:
    """The event of a part; None where it belongs to no task."""
    task = word(said.get("id" if what == "task" else "taskId"))
    if task is None:
        return None
    status = said.get("status")
    status = status if isinstance(status, Mapping) else {}
    stamp = word(status.get("timestamp"))
    at = time_us(stamp)
    key = encode([base["tenant"], task])
    if at is None:
        at = base["ingest_ts"] if base["ingest_ts"] is not None else latest.get(key)
    else:
        for name in (key, _LAST):
            latest.pop(name, None)
            latest[name] = at
    state = word(status.get("state")) or ""
    state = state.upper().replace("-", "_").removeprefix("TASK_STATE_")
    if what in ("task", "statusUpdate"):
        kind = STATES.get(state, "act")
        noted = status.get("message")
        noted = noted.get("messageId") if isinstance(noted, Mapping) else None
        # a snapshot repeats an update that was also sent: it is an event of its own
        ident = f"{task}:{what}:{state}:{stamp}:{noted or ''}"
    else:
        kind, state = "act", what
        thing = said.get("artifact")
        named = thing.get("artifactId") if isinstance(thing, Mapping) else said.get("messageId")
        digest = hashlib.sha256(encode(said).encode()).hexdigest()[:16]
        ident = f"{task}:{what}:{named}:{digest}"
    row = {
        **base, "event_id": ident, "ts": at, "task_id": task, "kind": kind,
        "actor": "human" if said.get("role") in ("ROLE_USER", "user") else "agent",
        "method": "self_report" if kind == "submit" else None,
    }  # fmt: skip
    metadata = said.get("metadata")
    return {**row, **stated(metadata)} if isinstance(metadata, Mapping) else row
