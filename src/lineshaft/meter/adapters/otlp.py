"""OpenTelemetry: OTLP requests of traces, logs and metrics, protobuf and JSON.

https://opentelemetry.io/docs/specs/otlp/ (1.x) and, for files, the Collector's file exporter
(https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter):
JSON requests one a line, protobuf requests each behind four bytes of length. What the spans mean is
in `genai`, the wire in `otlp_wire`.

The task of a span is its conversation, else its trace; its agent is that of the outermost agent
span above it, so that sub-agents are parts of it. The outermost agent span is a start and a submit
(self-report), or a fail; spans below are llm, tool and act; spans that are no work of an agent, log
records and metrics are heartbeats, which belong to no task. Metrics repeat the tokens of the spans
and are therefore only kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters import export, otlp_rows, text
from lineshaft.meter.adapters import otlp_wire as wire
from lineshaft.meter.adapters.rows import BATCH, encode, taken
from lineshaft.meter.adapters.verdict import Verdicts
from lineshaft.meter.events import Faults

if TYPE_CHECKING:
    import pyarrow as pa

SIGNALS: Mapping[str, tuple[str, str, str, str]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans", "span"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords", "log"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics", "metric"),
}
"""Signal: members of a request, of a resource, of a scope; the record's name in attrs."""

SOURCES = ("otlp", "openinference")
"""The `src` of events that were OTLP records."""

_PROTO: Mapping[str, tuple[str, str, str]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
    "metrics": ("resource_metrics", "scope_metrics", "metrics"),
}


def from_request(
    request: bytes,
    *,
    json: bool,
    ingest_us: int,
    tenant: str = "",
    signal: str = "traces",
    verdicts: Verdicts | None = None,
) -> tuple[pa.Table, Faults, int]:
    """(events, faults, records) of one export request as it came over the wire.

    signal: traces, logs or metrics. A request that cannot be decoded is one fault and no event.
    """
    return from_requests([(request, json, ingest_us, signal)], tenant=tenant, verdicts=verdicts)


def from_requests(
    requests: Iterable[tuple[bytes, bool, int | None, str]],
    *,
    tenant: str = "",
    verdicts: Verdicts | None = None,
) -> tuple[pa.Table, Faults, int]:
    """(events, faults, records) of requests (body, whether JSON, arrival, signal) taken together.

    Spans find their agent and conversation in all of them: a child that was exported before its
    parent is resolved as long as both are here.
    """
    faults, batch = Faults(), otlp_rows.Batch(tenant, verdicts or Verdicts())
    for place, (body, is_json, ingest_us, signal) in enumerate(requests):
        _add(batch, body, is_json, ingest_us, signal, place, faults)
    return batch.table(), faults, batch.records


def read(
    data: Path | bytes,
    *,
    tenant: str = "",
    ingest_us: int | None = None,
    verdicts: Verdicts | None = None,
) -> Iterator[tuple[pa.Table, Faults]]:
    """Event tables of a file of requests, JSON or protobuf (one request, or length-prefixed ones).

    Requests are taken together up to about 100,000 spans.
    """
    found = Faults()
    batch, told = otlp_rows.Batch(tenant, verdicts or Verdicts()), False
    for place, (body, signal) in enumerate(_requests(data, found)):
        if isinstance(body, bytes):
            _add(batch, body, False, ingest_us, signal, place, found)
        else:
            _json(batch, body, ingest_us, place, found)
        if batch.records >= BATCH:
            yield batch.table(), taken(found)
            batch, told = otlp_rows.Batch(tenant, batch.verdicts), True
    if batch.records or found.counts or not told:
        yield batch.table(), taken(found)


def write(events: pa.Table, *, json: bool = True) -> bytes:
    """OTLP of events: the requests that they were read from, JSON one a line.

    Events of another origin become spans with attributes `daa.*`, and are read back as they are.
    Protobuf: one request as it is, several with four bytes of length before each. InputError where
    protobuf cannot hold what the JSON source said.
    """
    documents = list(_documents(events))
    if json:
        return "".join(f"{encode(document)}\n" for _, document in documents).encode()
    try:
        bodies: list[bytes] = [
            wire.to_proto(doc, signal).SerializeToString() for signal, doc in documents
        ]
    except ValueError as error:
        raise InputError(Problem("", "", f"no OTLP protobuf: {error}", "write JSON")) from None
    if len(bodies) == 1:
        return bodies[0]
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


# --- reading --------------------------------------------------------------------------------


def _add(
    batch: otlp_rows.Batch,
    body: bytes,
    is_json: bool,
    ingest_us: int | None,
    signal: str,
    place: int,
    faults: Faults,
) -> None:
    """Add the records of one request to the batch."""
    if is_json:
        try:
            document = text.parse(body)
        except (ValueError, RecursionError) as error:
            faults.add("unreadable", example=f"OTLP JSON: {error}")
        else:
            _json(batch, document, ingest_us, place, faults)
        return
    request = wire.request(signal)
    try:
        request.ParseFromString(body)
    except Exception as error:  # protobuf's DecodeError, whichever runtime raises it
        faults.add("unreadable", example=f"OTLP protobuf: {error}")
        return
    groups, scopes, records = _PROTO[signal]
    for i, group in enumerate(getattr(request, groups)):
        facts = {"resource": _resource(group)} if group.HasField("resource") else {}
        if group.schema_url:
            facts["schemaUrl"] = group.schema_url
        for j, scoped in enumerate(getattr(group, scopes)):
            shown = {"scope": _scope(scoped.scope)} if scoped.HasField("scope") else {}
            if scoped.schema_url:
                shown["schemaUrl"] = scoped.schema_url
            batch.enter((place, i, j), facts, shown, ingest_us)
            if signal == "traces":
                span = wire.proto_span
                for k, record in enumerate(scoped.spans):
                    batch.span(k, span(record))
            else:
                add = batch.log if signal == "logs" else batch.metric
                for k, record in enumerate(getattr(scoped, records)):
                    add(k, wire.proto_json(record))


def _resource(group: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"attributes": wire.proto_attributes(group.resource.attributes)}
    if group.resource.dropped_attributes_count:
        shown["droppedAttributesCount"] = group.resource.dropped_attributes_count
    if group.resource.entity_refs:
        shown["entityRefs"] = wire.proto_json(group.resource)["entityRefs"]
    return shown


def _scope(scope: Any) -> dict[str, Any]:
    shown = {"name": scope.name, "attributes": wire.proto_attributes(scope.attributes)}
    if scope.version:
        shown["version"] = scope.version
    if scope.dropped_attributes_count:
        shown["droppedAttributesCount"] = scope.dropped_attributes_count
    return shown


def _json(
    batch: otlp_rows.Batch, document: Any, ingest_us: int | None, place: int, faults: Faults
) -> None:
    """Add the records of a JSON request; a part of the wrong type is one fault."""
    signal = next((s for s, names in SIGNALS.items() if _has(document, names[0])), None)
    if signal is None:
        faults.add("unreadable", example=f"no OTLP request: {str(document)[:60]}")
        return
    groups, scopes, records, _ = SIGNALS[signal]
    pack = wire.packed_span if signal == "traces" else wire.packed
    add = {"traces": batch.span, "logs": batch.log, "metrics": batch.metric}[signal]
    for i, group in enumerate(document[groups]):
        if not _has(group, scopes):
            faults.add("unreadable", example=f"{groups}[{i}]: {str(group)[:60]}")
            continue
        try:
            facts = _packed(group, "resource", scopes)
        except TypeError as error:
            faults.add("unreadable", example=f"{groups}[{i}]: {error}")
            continue
        for j, scoped in enumerate(group[scopes]):
            if not _has(scoped, records):
                faults.add("unreadable", example=f"{scopes}[{j}]: {str(scoped)[:60]}")
                continue
            try:
                shown = _packed(scoped, "scope", records)
            except TypeError as error:
                faults.add("unreadable", example=f"{scopes}[{j}]: {error}")
                continue
            batch.enter((place, i, j), facts, shown, ingest_us)
            for k, record in enumerate(scoped[records]):
                try:
                    add(k, pack(record))
                except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
                    faults.add("unreadable", example=f"{records}[{k}]: {error!r}"[:100])


def _packed(said: Mapping[str, Any], name: str, inner: str) -> dict[str, Any]:
    """What a group says beside its records."""
    facts = {key: value for key, value in said.items() if key != inner}
    return {**facts, name: wire.packed(facts[name])} if name in facts else facts


def _has(value: Any, member: str) -> bool:
    return isinstance(value, dict) and isinstance(value.get(member), list)


def _requests(data: Path | bytes, faults: Faults) -> Iterator[tuple[Any, str]]:
    """JSON documents, or (protobuf body, signal)."""
    start = text.head(data, 1 << 12)
    # protobuf's first tag looks like an empty line, and a length may look like a brace
    body = text.content(data, Faults()) if start[:1] == b"\n" else b""
    if start.lstrip()[:1] in (b"{", b"[") and not (body and _signal(body)):
        for document, _ in text.records(data, faults):
            yield document, ""
        return
    body = text.content(data, faults)
    framed = int.from_bytes(body[:4], "big")
    if not body or framed == 0 or framed > len(body) - 4 or _signal(body[4 : 4 + framed]) is None:
        yield body, _signal(body) or "traces"
        return
    place = 0
    while place < len(body):
        length = int.from_bytes(body[place : place + 4], "big")
        part = body[place + 4 : place + 4 + length]
        if len(part) < length or not length:
            faults.add("unreadable", example=f"byte {place}: a request is cut off")
            return
        yield part, _signal(part) or "traces"
        place += 4 + length


def _signal(body: bytes) -> str | None:
    """The signal of a protobuf request; None where it parses as none.

    The three requests share their outer shape, so the one that knows all of its fields is it.
    """
    best: tuple[int, str] | None = None
    for signal in SIGNALS:
        request = wire.request(signal)
        try:
            request.ParseFromString(body)
        except Exception:  # protobuf's DecodeError, whichever runtime raises it
            continue
        total = request.ByteSize()
        request.DiscardUnknownFields()
        unknown = total - request.ByteSize()
        if request.ListFields() and (best is None or unknown < best[0]):
            best = unknown, signal
    return best[1] if best else None


def is_protobuf(start: bytes) -> bool:
    """Whether whole bytes are an OTLP request, or begin with a length-prefixed one."""
    framed = int.from_bytes(start[:4], "big")
    return _signal(start) is not None or (
        0 < framed <= len(start) - 4 and _signal(start[4 : 4 + framed]) is not None
    )


# --- writing --------------------------------------------------------------------------------


def _documents(events: pa.Table) -> Iterator[tuple[str, dict[str, Any]]]:
    """(signal, request as JSON) of the events, in their order."""
    held: tuple[str, dict[str, Any]] | None = None
    last: tuple[str, list[int]] | None = None
    foreign: list[dict[str, Any]] = []
    for row in (
        row for part in events.to_batches(max_chunksize=10_000) for row in part.to_pylist()
    ):
        found = _source(row)
        if found is None:
            foreign.append(row)
            continue
        if "of" in found:  # another event of a record that is there
            continue
        signal = next(s for s, names in SIGNALS.items() if names[3] in found)
        groups, scopes, records, name = SIGNALS[signal]
        n, i, j = found["place"][:3]
        if held is None or last is None or last[0] != signal or last[1][0] != n:
            if held:
                yield held
            held, last = (signal, {groups: []}), None
        if last is None or last[1][1] != i:
            held[1][groups].append({**_wired(found["group"], "resource"), scopes: []})
        if last is None or last[1][1:] != [i, j]:
            held[1][groups][-1][scopes].append({**_wired(found["scope"], "scope"), records: []})
        held[1][groups][-1][scopes][-1][records].append(
            (wire.unpacked_span if signal == "traces" else wire.unpacked)(found[name])
        )
        last = signal, [n, i, j]
    if held:
        yield held
    if foreign:
        yield "traces", export.request(foreign)


def _source(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an event says of its OTLP record; None where it is of another origin."""
    if not row["attrs"] or row["src"] not in SOURCES:
        return None
    try:
        found = json.loads(row["attrs"])
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return found if "of" in found or {"place", "group", "scope"} <= found.keys() else None


def _wired(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {**facts, name: wire.unpacked(facts[name])} if name in facts else facts
