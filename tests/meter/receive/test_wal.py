"""Draining: every acknowledged span becomes its event, once, whoever is killed in between."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineshaft.errors import RunError
from lineshaft.meter.receive import segments, wal
from lineshaft.meter.receive.frames import AS_JSON, LOGS, META, MQTT, TRACES, Frame
from lineshaft.meter.receive.mqtt import body

HOUR_US = 3_600_000_000
NOW_US = time.time_ns() // 1000 + HOUR_US
"""Arrivals. Ahead of the clock, so that only later arrivals complete a trace."""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log" / "wal").mkdir(parents=True)
    return tmp_path / "log"


@pytest.fixture
def receiving(log: Path) -> Iterator[None]:
    """As if a receiver ran."""
    with segments.lock(log / "wal", "receiving") as held:
        assert held
        yield


def segment(log: Path, *frames: Frame, tenant: str = "", suffix: str = ".wal") -> Path:
    """A segment with these frames."""
    path = segments.new(log / "wal").with_suffix(suffix)
    meta = Frame(META, 0, 0, json.dumps({"tenant": tenant}).encode())
    path.write_bytes(b"".join(frame.encoded() for frame in (meta, *frames)))
    return path


def traces(request: bytes, at_us: int = NOW_US) -> Frame:
    return Frame(TRACES, 0, at_us, request)


def ids(events: list[dict[str, Any]], kind: str = "submit") -> set[str]:
    return {row["event_id"] for row in events if row["kind"] == kind}


def test_segments_become_events_and_go(log: Path, spans: Any, events_of: Any) -> None:
    segment(log, traces(spans(3)), traces(spans(2)), tenant="acme")
    segment(log, traces(spans(4, agent="b")))
    assert wal.drain(log) == 18  # a start and a submit each
    events = events_of(log)
    assert len(ids(events)) == 9
    assert {row["agent_id"] for row in events} == {"shop/agent-1", "shop/b"}
    assert {row["tenant"] for row in events if row["agent_id"] == "shop/agent-1"} == {"acme"}
    assert {int(row["ingest_ts"].timestamp() * 1e6) for row in events} == {NOW_US}
    assert not segments.listed(log / "wal", segments.CLOSED)
    assert wal.drain(log) == 0


def test_what_a_killed_receiver_left_is_drained(log: Path, spans: Any, events_of: Any) -> None:
    path = segment(log, traces(spans(2)), suffix=".open")
    with path.open("ab") as file:
        file.write(traces(spans(1)).encoded()[:-4])
    wal.drain(log)
    assert len(ids(events_of(log))) == 2


@pytest.mark.usefixtures("receiving")
def test_the_segment_that_is_being_written_is_left_alone(log: Path, spans: Any) -> None:
    path = segment(log, traces(spans(2)), suffix=".open")
    assert wal.drain(log) == 0
    assert path.exists()


@pytest.mark.parametrize("name", ["append", "note_drained", "unlink"])
def test_a_kill_in_between_changes_nothing(
    log: Path, spans: Any, events_of: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The second drain writes the same files."""
    request = spans(3)
    path = segment(log, traces(request))

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    place = {
        "append": "lineshaft.meter.log.Log.append",
        "note_drained": "lineshaft.meter.receive.segments.note_drained",
        "unlink": "pathlib.Path.unlink",
    }[name]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(place, killed)
        wal.drain(log)
    assert path.exists()
    wal.drain(log)
    assert not path.exists()
    files = list((log / "events").rglob("*.parquet"))
    assert len(files) == 1
    import pyarrow.parquet as pq

    assert pq.read_table(files[0]).num_rows == 6
    assert len(events_of(log)) == 6


def test_a_full_disk_keeps_the_segment(
    log: Path, spans: Any, events_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment(log, traces(spans(3)))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(RunError, match="No space"):
        patch.setattr(os, "fsync", full)
        wal.drain(log)
    assert path.exists()
    wal.drain(log)
    assert len(ids(events_of(log))) == 3


@pytest.mark.usefixtures("receiving")
@pytest.mark.parametrize("in_json_too", [False, True])
def test_steps_wait_for_the_span_above(
    log: Path, spans: Any, in_json: Any, events_of: Any, in_json_too: bool
) -> None:
    """Steps come before the agent's span; whose they are is known with it."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    first = ExportTraceServiceRequest.FromString(spans(4, trace=77))
    second = ExportTraceServiceRequest()
    second.CopyFrom(first)
    del first.resource_spans[0].scope_spans[0].spans[3:]  # the steps
    del second.resource_spans[0].scope_spans[0].spans[:3]  # the root
    other = ExportTraceServiceRequest.FromString(spans(2))
    first.resource_spans[0].scope_spans[0].spans.extend(
        other.resource_spans[0].scope_spans[0].spans
    )

    def frame(request: ExportTraceServiceRequest, at_us: int) -> Frame:
        if in_json_too:
            said = json.dumps(in_json(request.SerializeToString())).encode()
            return Frame(TRACES, AS_JSON, at_us, said)
        return traces(request.SerializeToString(), at_us)

    segment(log, frame(first, NOW_US), traces(spans(1), NOW_US + 6_000_000))
    wal.drain(log)
    events = events_of(log)
    assert not ids(events, "llm")  # wait
    assert len(ids(events)) == 2  # the two other traces, complete for six seconds
    segment(log, frame(second, NOW_US + 600_000_000), traces(spans(1), NOW_US + 606_000_000))
    wal.drain(log)
    events = events_of(log)
    steps = [row for row in events if row["kind"] == "llm"]
    assert len(steps) == 3
    assert {row["agent_id"] for row in steps} == {"shop/agent-1"}
    assert {row["task_id"] for row in steps} == {"task-77"}
    assert {row["tokens_in"] for row in steps} == {100}


@pytest.mark.usefixtures("receiving")
def test_nothing_waits_for_ever(log: Path, spans: Any, events_of: Any) -> None:
    segment(log, traces(without_root(spans(4, trace=78))))
    wal.drain(log)
    assert not (log / "events").exists() or not events_of(log)
    segment(log, traces(spans(1), NOW_US + HOUR_US))
    wal.drain(log)
    assert len(ids(events_of(log), "llm")) == 3


@pytest.mark.usefixtures("receiving")
def test_time_alone_completes_a_trace(log: Path, spans: Any, events_of: Any) -> None:
    segment(log, traces(spans(2), time.time_ns() // 1000 - 4_900_000))
    wal.drain(log)
    assert not events_of(log) if (log / "events").exists() else True
    time.sleep(0.2)
    wal.drain(log)
    assert len(ids(events_of(log))) == 2
    assert not list((log / "wal").glob("*.carried"))


def test_what_waits_is_there_when_no_receiver_runs(log: Path, spans: Any, events_of: Any) -> None:
    with segments.lock(log / "wal", "receiving"):
        segment(log, traces(spans(2)))
        wal.drain(log)
        assert list((log / "wal").glob("*.carried"))
    wal.drain(log)
    assert len(ids(events_of(log))) == 2
    assert not list((log / "wal").glob("*.carried"))


@pytest.mark.usefixtures("receiving")
def test_what_waits_is_bounded(
    log: Path, spans: Any, events_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineshaft.meter.receive import hold

    requests = [spans(1) for _ in range(10)]
    steps = without_root(spans(2, trace=80))
    bound = len(steps) + sum(map(len, requests[:3])) + 1
    monkeypatch.setattr(hold, "MOST_BYTES", bound)
    arrivals = [steps, *requests]
    segment(log, *(traces(request, NOW_US + n) for n, request in enumerate(arrivals)))
    wal.drain(log)
    events = events_of(log)
    assert len(ids(events)) == 7
    assert not ids(events, "llm")  # the oldest, but its root is still to come
    (carried,) = (log / "wal").glob("*.carried")
    assert carried.stat().st_size < 2000


def without_root(request: bytes) -> bytes:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = ExportTraceServiceRequest.FromString(request)
    del found.resource_spans[0].scope_spans[0].spans[-1]
    return found.SerializeToString()


@pytest.mark.usefixtures("receiving")
def test_a_segment_opened_meanwhile_is_never_skipped(log: Path, spans: Any, events_of: Any) -> None:
    """A drain of what waits alone must not count beyond a segment that is being written."""
    segment(log, traces(spans(1), time.time_ns() // 1000))
    wal.drain(log)
    opened = segment(log, traces(spans(1), 0), suffix=".open")
    time.sleep(0.01)
    for _ in range(3):
        wal.drain(log)
    segments.close(opened)
    segment(log, traces(spans(1), time.time_ns() // 1000 + 6_000_000))
    wal.drain(log)
    assert len(ids(events_of(log))) == 2


@pytest.mark.usefixtures("receiving")
def test_judgements_wait_with_their_trace(log: Path, spans: Any, events_of: Any) -> None:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest.FromString(spans(2, trace=79))
    root = request.resource_spans[0].scope_spans[0].spans[1]
    logs = ExportLogsServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add()
    record.event_name, record.time_unix_nano = "gen_ai.evaluation.result", 1_790_000_001 * 10**9
    record.trace_id, record.span_id = root.trace_id, root.span_id
    for key, held in (("gen_ai.evaluation.name", "q"), ("gen_ai.evaluation.score.label", "pass")):
        record.attributes.add(key=key).value.string_value = held
    segment(
        log, Frame(LOGS, 0, NOW_US, logs.SerializeToString()), traces(request.SerializeToString())
    )
    wal.drain(log)
    segment(log, traces(spans(1), NOW_US + 6_000_000))
    wal.drain(log)
    (judged,) = [row for row in events_of(log) if row["method"] == "judge"]
    assert (judged["kind"], judged["task_id"]) == ("accept", "task-79")
    assert judged["agent_id"] == "shop/agent-1"


def test_robots_are_followed_over_segments(log: Path, events_of: Any) -> None:
    """An order that begins in one segment and ends in another is one task, begun once."""
    at = "2026-09-21T12:00:%02dZ"

    def state(number: int, nodes: list[dict[str, Any]]) -> Frame:
        said = {
            "headerId": number, "timestamp": at % number, "version": "2.1.0", "manufacturer": "m",
            "serialNumber": "7", "orderId": "o1", "orderUpdateId": 0, "nodeStates": nodes,
            "edgeStates": [], "actionStates": [], "driving": True, "operatingMode": "AUTOMATIC",
            "errors": [], "lastNodeId": "n", "lastNodeSequenceId": 0,
        }  # fmt: skip
        return Frame(MQTT, 0, NOW_US + number, body("uagv/v2/m/7/state", json.dumps(said).encode()))

    node = {"nodeId": "n2", "sequenceId": 2, "released": True}
    segment(log, state(1, [node]), Frame(MQTT, 0, NOW_US, body("uagv/v2/m/7/state", b"{broken")))
    assert wal.drain(log) > 0
    segment(log, state(2, [node]), state(2, [node]))
    segment(log, state(3, []), state(4, []))
    wal.drain(log)
    events = [row for row in events_of(log) if row["task_id"] == "o1"]
    assert [row["kind"] for row in sorted(events, key=lambda row: row["ts"])].count("start") == 1
    (done,) = [row for row in events if row["kind"] == "submit"]
    assert (done["agent_id"], done["method"]) == ("m/7", "self_report")
    from lineshaft.meter.log import Log

    rows, faults = Log.open(log).set_aside()
    assert (rows, faults.counts["unreadable"]) == (1, 1)


def test_a_damaged_segment_is_kept(log: Path, spans: Any, events_of: Any) -> None:
    path = segment(log, traces(spans(1)), traces(spans(1)), traces(spans(1)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    told: list[str] = []
    wal.drain(log, tell=told.append)
    assert len(ids(events_of(log))) == 2
    (kept,) = (log / "aside").glob("*.damaged")
    assert kept.read_bytes() == bytes(data)
    assert "damaged" in told[0]


def test_a_request_that_no_adapter_can_read(
    log: Path, spans: Any, events_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set aside as it came, and the others go on."""
    from lineshaft.meter.adapters import otlp

    poison, convert = spans(1), otlp.from_requests

    def fails(requests: Any, **options: Any) -> Any:
        found = list(requests)
        if any(body == poison for body, *_ in found):
            raise RuntimeError("a fault of ours")
        return convert(found, **options)

    monkeypatch.setattr(otlp, "from_requests", fails)
    segment(log, traces(spans(2)), traces(poison), traces(spans(1)))
    wal.drain(log)
    assert len(ids(events_of(log))) == 3
    import pyarrow.parquet as pq

    (aside,) = (log / "aside").glob("*.parquet")
    (row,) = pq.read_table(aside).to_pylist()
    assert (row["fault"], row["payload"], row["topic"]) == ("unreadable", poison, "traces")


def test_times_far_in_the_future(log: Path, spans: Any, events_of: Any) -> None:
    """Counted where they say; the reading flags them as skew."""
    segment(log, traces(spans(1, at_ns=2**64 - 10**9 - 1)))
    wal.drain(log)
    (row,) = [row for row in events_of(log) if row["kind"] == "submit"]
    assert row["ts"].year == 2554


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_without_a_write_ahead_log(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "log")
    assert wal.drain(tmp_path / "log") == 0
