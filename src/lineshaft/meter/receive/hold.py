"""Spans wait for their trace: whose work a step is can only be told with the spans above it.

A span is exported when it ends, so the agent's span comes after all its steps, often minutes later
and in another segment. What belongs to a trace is therefore kept back until the span without a
parent in its own service has arrived, and a little longer for what other services export meanwhile.
How long and how much is bounded: what waits longer goes as it is.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lineshaft.meter.receive.frames import AS_JSON, GZIPPED, LOGS, TRACES, Frame

AFTER_ROOT_US = 5_000_000
"""After the root's arrival: exporters send every 5 s, BatchSpanProcessor's schedule delay
(https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor)."""
LONGEST_US = 3_600_000_000
"""Without a root, after the first arrival."""
MOST_BYTES = 16 << 20
"""Of all that waits; beyond it the oldest traces go, those with a root first."""
REMOTE = 0x300
"""SpanFlags: it is known whether the parent is remote, and it is."""

_FIELDS = {
    TRACES: (("resource_spans", "scope_spans", "spans"), ("resourceSpans", "scopeSpans", "spans")),
    LOGS: (
        ("resource_logs", "scope_logs", "log_records"),
        ("resourceLogs", "scopeLogs", "logRecords"),
    ),
}


@dataclass(slots=True)
class _Trace:
    first_us: int
    root_us: int = 0
    """Arrival of its root; 0: not yet."""
    bytes: int = 0

    @property
    def until_us(self) -> int:
        """When it is taken as complete."""
        return self.root_us + AFTER_ROOT_US if self.root_us else self.first_us + LONGEST_US


def sift(frames: list[Frame], now_us: int) -> tuple[list[Frame], list[Frame]]:
    """(frames that may be converted, frames that wait), `now_us` being the last arrival.

    A request in which some traces are complete and others are not is parted in two.
    """
    traced = {place: _traces(frame) for place, frame in enumerate(frames) if frame.kind in _FIELDS}
    waiting = _waiting(frames, traced, now_us)
    go, stay = [], []
    for place, frame in enumerate(frames):
        held = [trace in waiting for trace, _ in traced.get(place, ())]
        if not any(held):
            go.append(frame)
        elif all(held):
            stay.append(frame)
        else:
            go.append(_part(frame, [not one for one in held]))
            stay.append(_part(frame, held))
    return go, stay


def _waiting(
    frames: list[Frame], traced: dict[int, list[tuple[str, bool]]], now_us: int
) -> set[str]:
    """Traces that are not complete."""
    traces: dict[str, _Trace] = {}
    for place, found in traced.items():
        frame = frames[place]
        if frame.kind != TRACES:
            continue
        share = len(frame.body) // max(1, len(found))
        for trace, root in found:
            known = traces.setdefault(trace, _Trace(frame.ingest_us))
            known.bytes += share
            if root:
                known.root_us = max(known.root_us, frame.ingest_us)
    held = {trace: known for trace, known in traces.items() if now_us < known.until_us}
    total = sum(known.bytes for known in held.values())
    for trace in sorted(held, key=lambda name: (not held[name].root_us, held[name].first_us)):
        if total <= MOST_BYTES:
            break
        total -= held.pop(trace).bytes
    return set(held)


def _content(frame: Frame) -> Any:
    """A protobuf message, or what JSON says."""
    body = gzip.decompress(frame.body) if frame.flags & GZIPPED else bytes(frame.body)
    if frame.flags & AS_JSON:
        return json.loads(body.decode("utf-8-sig"))
    from lineshaft.meter.receive.otlp import parser

    return parser(frame.kind)(body)


def _lists(frame: Frame, content: Any) -> Iterator[Any]:
    """The lists of items of a request."""
    protobuf, in_json = _FIELDS[frame.kind]
    if frame.flags & AS_JSON:
        for resource in content.get(in_json[0]) or ():
            for scope in resource.get(in_json[1]) or ():
                yield scope.get(in_json[2]) or []
    else:
        for resource in getattr(content, protobuf[0]):
            for scope in getattr(resource, protobuf[1]):
                yield getattr(scope, protobuf[2])


def _traces(frame: Frame) -> list[tuple[str, bool]]:
    """(trace, whether it is the trace's root) of each item of a request."""
    found = []
    for items in _lists(frame, _content(frame)):
        if frame.flags & AS_JSON:
            for item in items:
                flags = int(item.get("flags") or 0)
                root = not item.get("parentSpanId") or flags & REMOTE == REMOTE
                found.append(((item.get("traceId") or "").lower(), root))
        elif frame.kind == TRACES:
            for item in items:
                root = not item.parent_span_id or item.flags & REMOTE == REMOTE
                found.append((item.trace_id.hex(), root))
        else:
            found += [(item.trace_id.hex(), False) for item in items]
    return found


def _part(frame: Frame, kept: list[bool]) -> Frame:
    """The request with only those items that are `kept`."""
    content = _content(frame)
    flags = iter(kept)
    for items in _lists(frame, content):
        gone = [place for place in range(len(items)) if not next(flags)]
        for place in reversed(gone):
            del items[place]
    in_json = frame.flags & AS_JSON
    body = json.dumps(content).encode() if in_json else content.SerializeToString()
    return replace(frame, flags=in_json, body=body)
