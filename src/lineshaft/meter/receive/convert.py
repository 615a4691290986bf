"""Frames become canonical events, by the adapters of their sources."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lineshaft.meter.events import Faults
from lineshaft.meter.receive.frames import AS_JSON, GZIPPED, LOGS, METRICS, MQTT, TRACES, Frame
from lineshaft.meter.receive.mqtt import parted

if TYPE_CHECKING:
    import pyarrow as pa

SIGNALS = {TRACES: "traces", LOGS: "logs", METRICS: "metrics"}

UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)
"""What a message may raise that is JSON and not what its topic says."""


def events(
    frames: Iterable[Frame], robots: dict[str, Any]
) -> tuple[pa.Table, pa.Table, Faults, dict[str, Any]]:
    """(canonical events, rows set aside, faults, what is known of the robots after it).

    Messages that no adapter can read are set aside as they came.
    """
    import pyarrow as pa

    from lineshaft.meter.adapters import rows
    from lineshaft.meter.normal import FAULT, normalise

    faults, tables, odd = Faults(), [], list[dict[str, Any]]()
    by_tenant: dict[str, list[Frame]] = {}
    for frame in frames:
        by_tenant.setdefault(frame.tenant, []).append(frame)
    for tenant, mine in by_tenant.items():
        tables.append(_spans(mine, tenant, faults, odd))
        told, robots = _robots(mine, tenant, robots, faults, odd)
        tables.append(rows.from_dicts(told))
    found, aside, wrong = normalise(pa.concat_tables(tables))
    faults.merge(wrong)
    if odd:
        loose = pa.schema([field.with_nullable(True) for field in aside.schema])
        kept = pa.Table.from_pylist([row | {FAULT: "unreadable"} for row in odd])
        aside = pa.concat_tables([aside.cast(loose), kept], promote_options="default")
    return found, aside, faults, robots


def _spans(frames: list[Frame], tenant: str, faults: Faults, odd: list[dict[str, Any]]) -> pa.Table:
    """Events of the OTLP requests among the frames.

    They are converted together, since spans of one trace come in several requests. Where that
    fails, one by one: a request that no adapter can read must not keep the others from the log.
    """
    import pyarrow as pa

    from lineshaft.meter.adapters import otlp

    def converted(some: list[Frame]) -> pa.Table:
        requests = (
            (_plain(frame), bool(frame.flags & AS_JSON), frame.ingest_us, SIGNALS[frame.kind])
            for frame in some
        )
        table, wrong, _ = otlp.from_requests(requests, tenant=tenant)
        faults.merge(wrong)
        return table

    requests = [frame for frame in frames if frame.kind in SIGNALS]
    try:
        return converted(requests)
    except Exception:  # found out below
        tables = [converted([])]
    for frame in requests:
        try:
            tables.append(converted([frame]))
        except Exception as error:
            signal = SIGNALS[frame.kind]
            faults.add("unreadable", example=f"{signal}: {error!r}"[:100])
            odd.append({"topic": signal, "payload": _plain(frame), "ingest_us": frame.ingest_us})
    return pa.concat_tables(tables)


def _robots(
    frames: list[Frame],
    tenant: str,
    known: dict[str, Any],
    faults: Faults,
    odd: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(rows of the messages of robots among the frames, what is known of the robots after them)."""
    from lineshaft.meter.adapters import vda5050

    messages = [frame for frame in frames if frame.kind == MQTT]
    if not messages:
        return [], known
    tracker, told = vda5050.Tracker(tenant, known), list[dict[str, Any]]()
    for frame in messages:
        topic, payload = parted(bytes(frame.body))
        try:
            told += tracker.feed(topic, payload, frame.ingest_us)
        except UNREADABLE as error:
            faults.add("unreadable", example=f"{topic}: {error}"[:100])
            odd.append({"topic": topic, "payload": payload, "ingest_us": frame.ingest_us})
    return told, tracker.state()


def _plain(frame: Frame) -> bytes:
    return gzip.decompress(frame.body) if frame.flags & GZIPPED else bytes(frame.body)
