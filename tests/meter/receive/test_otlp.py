"""OTLP over HTTP: what is accepted, and how what is not is answered."""

from __future__ import annotations

import gzip
import json
import resource
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from lineshaft.meter.receive import otlp, segments
from lineshaft.meter.receive.frames import AS_JSON, GZIPPED, META, Frame, Frames
from lineshaft.meter.receive.otlp import (
    SIGNALS,
    MalformedError,
    OversizedError,
    checked_json,
    checked_protobuf,
    unzip,
)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACES = SIGNALS["/v1/traces"]


def kept(log: Path) -> list[Frame]:
    folder = segments.folder_of(log)
    paths = [*segments.listed(folder, ".wal"), *segments.listed(folder, ".open")]
    frames = [frame for path in paths for frame in Frames(path.read_bytes())]
    return [frame for frame in frames if frame.kind != META]


def test_protobuf_is_kept_as_it_came(receiver: Callable[..., Any], spans: Any) -> None:
    running = receiver()
    body = spans(5)
    status, answer, headers = running.post(body)
    assert (status, answer, headers["content-type"]) == (200, b"", PROTOBUF)
    (frame,) = kept(running.log)
    assert (bytes(frame.body), frame.flags) == (body, 0)
    assert abs(frame.ingest_us / 1e6 - time.time()) < 10
    assert running.stop().spans == 5


def test_json_and_gzip_are_kept_as_they_came(
    receiver: Callable[..., Any], spans: Any, in_json: Any
) -> None:
    running = receiver()
    body = json.dumps(in_json(spans(3))).encode()
    zipped = gzip.compress(body)
    status, answer, headers = running.post(body, media=f"{JSON}; charset=utf-8")
    assert (status, answer, headers["content-type"]) == (200, b"{}", JSON)
    assert running.post(zipped, media=JSON, Content_Encoding="gzip")[0] == 200
    assert running.post(zlib.compress(body), media=JSON, Content_Encoding="deflate")[0] == 200
    frames = kept(running.log)
    assert [bytes(frame.body) for frame in frames] == [body, zipped, body]
    assert [frame.flags for frame in frames] == [AS_JSON, AS_JSON | GZIPPED, AS_JSON]
    assert running.stop().spans == 9


def test_logs_and_metrics_are_kept(receiver: Callable[..., Any]) -> None:
    running = receiver()
    logs, metrics = ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add().event_name = "x"
    metrics.resource_metrics.add().scope_metrics.add().metrics.add().name = "y"
    assert running.post(logs.SerializeToString(), "/v1/logs")[0] == 200
    assert running.post(metrics.SerializeToString(), "/v1/metrics")[0] == 200
    assert [frame.kind for frame in kept(running.log)] == [2, 3]


def test_an_empty_request_is_accepted(receiver: Callable[..., Any]) -> None:
    running = receiver()
    assert running.post(b"")[0] == 200
    assert running.post(b"{}", media=JSON)[0] == 200
    assert running.post(b"", media=JSON)[0] == 400
    assert kept(running.log) == []


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_spans_without_ids_are_refused_and_the_others_kept(
    receiver: Callable[..., Any], spans: Any, in_json: Any, media: str, zipped: bool
) -> None:
    running = receiver()
    request = ExportTraceServiceRequest.FromString(spans(5))
    wrong = request.resource_spans[0].scope_spans[0].spans
    wrong[0].trace_id, wrong[2].span_id, wrong[4].span_id = b"short", b"", bytes(8)
    body = request.SerializeToString()
    if media == JSON:
        body = json.dumps(in_json(body)).encode()
    sent = gzip.compress(body) if zipped else body
    headers = {"Content_Encoding": "gzip"} if zipped else {}
    status, answer, _ = running.post(sent, media=media, **headers)
    assert status == 200
    if media == JSON:
        said = json.loads(answer)["partialSuccess"]
        assert said["rejectedSpans"] == "3"
        assert "trace id" in said["errorMessage"]
    else:
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert partial.rejected_spans == 3
        assert "trace id" in partial.error_message
    (frame,) = kept(running.log)
    plain = gzip.decompress(frame.body) if zipped else bytes(frame.body)
    if media == JSON:
        left = json.loads(plain)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    else:
        left = ExportTraceServiceRequest.FromString(plain).resource_spans[0].scope_spans[0].spans
    assert len(left) == 2
    counts = running.stop()
    assert (counts.spans, counts.refused) == (2, 3)


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (400, {"body": b"\xff\xff not protobuf"}),
        (400, {"body": b"{", "media": JSON}),
        (400, {"body": b"[]", "media": JSON}),
        (400, {"body": b'{"resourceSpans": 5}', "media": JSON}),
        (400, {"body": b'{"resourceSpans": NaN}', "media": JSON}),
        (400, {"body": b"\xff\xfe", "media": JSON}),
        (400, {"body": b"[" * 100_000, "media": JSON}),
        (400, {"body": b"no gzip", "Content_Encoding": "gzip"}),
        (400, {"body": gzip.compress(bytes(1000))[:-9], "Content_Encoding": "gzip"}),
        (400, {"body": b"", "Content_Encoding": "gzip"}),
        (404, {"path": "/v1/profiles"}),
        (404, {"path": "/"}),
        (405, {"method": "GET"}),
        (405, {"method": "PUT"}),
        (405, {"path": "/health", "method": "POST"}),
        (413, {"body": bytes(1 << 20)}),
        (413, {"body": gzip.compress(bytes(20 << 20)), "Content_Encoding": "gzip"}),
        (415, {"media": "text/plain"}),
        (415, {"media": ""}),
        (415, {"Content_Encoding": "br"}),
        (415, {"Content_Encoding": "gzip, gzip"}),
    ],
)
def test_what_is_wrong_has_its_status(
    receiver: Callable[..., Any], spans: Any, status: int, change: dict[str, Any]
) -> None:
    running = receiver(max_body_mb=0.5)
    asked = {"body": spans(1), **change}
    found, answer, headers = running.post(**asked)
    assert found == status
    if asked.get("media", PROTOBUF) == PROTOBUF:
        said = Status.FromString(answer)
        assert (headers["content-type"], said.code != 0) == (PROTOBUF, True)
        message = said.message
    else:
        message = json.loads(answer)["message"]
    assert message
    assert kept(running.log) == []
    assert running.post(spans(1))[0] == 200  # and it goes on
    assert running.stop().rejected == 1


def test_a_hundred_megabytes(receiver: Callable[..., Any]) -> None:
    """Declared or not: refused, and never in memory."""
    running = receiver()
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    part = bytes(1 << 20)
    declared = running.raw(head + b"Content-Length: 104857600\r\n\r\n", *[part] * 100)
    assert declared.startswith(b"HTTP/1.1 413")
    chunk = b"100000\r\n" + part + b"\r\n"
    chunked = running.raw(head + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 100)
    assert chunked.startswith(b"HTTP/1.1 413")
    counts = running.stop()
    assert counts.rejected == 2
    assert counts.peak_bytes <= 16 << 20


def test_a_bomb_is_never_unpacked() -> None:
    bomb = gzip.compress(bytes(100 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OversizedError):
        unzip(bomb, "gzip", 1 << 20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_gzip_of_several_members() -> None:
    assert unzip(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", 10) == b"ab"
    with pytest.raises(OversizedError):
        unzip(gzip.compress(b"a" * 8) * 2, "gzip", 10)
    with pytest.raises(MalformedError):
        unzip(gzip.compress(b"a") + b"rubbish", "gzip", 10)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic secret"}, 401),
        ({"Authorization": "secret"}, 401),
        ({"Authorization": "Bearer secret-and-more"}, 401),
        ({"Authorization": "Bearer secret"}, 200),
        ({"Authorization": "bearer secret"}, 200),
    ],
)
def test_a_token_is_demanded(
    receiver: Callable[..., Any], spans: Any, given: dict[str, str], status: int
) -> None:
    running = receiver(token="secret")
    found, _, headers = running.post(spans(1), **given)
    assert found == status
    assert ("www-authenticate" in headers) == (status == 401)
    assert len(kept(running.log)) == (status == 200)


def test_health(receiver: Callable[..., Any], spans: Any) -> None:
    running = receiver(token="secret")
    assert running.health() == {"status": "ok"}
    running.post(spans(2), Authorization="Bearer secret")
    found = json.loads(running.post(b"", "/health", method="GET", Authorization="Bearer secret")[1])
    assert (found["status"], found["requests"], found["spans"]) == ("ok", 1, 2)


def test_a_full_disk_is_told_and_mends(
    receiver: Callable[..., Any], spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = receiver()
    body = spans(1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lineshaft.meter.receive.writer.os.fdatasync", full)
        status, answer, headers = running.post(body)
        assert (status, Status.FromString(answer).code) == (503, 14)
        assert "No space left" in Status.FromString(answer).message
        assert int(headers["retry-after"]) >= 1
        assert running.health()["status"] == "full"
    assert running.post(body)[0] == 200
    assert running.health()["status"] == "ok"
    assert [bytes(frame.body) for frame in kept(running.log)] == [body]
    assert running.stop().waited == 1


def test_a_backlog_at_its_bound_asks_for_patience(receiver: Callable[..., Any], spans: Any) -> None:
    running = receiver(max_wal_mb=0.001)
    found = [running.post(spans(20))[0] for _ in range(3)]
    assert found == [200, 503, 503]


# --- what a body must be --------------------------------------------------------------------


def document(**span: Any) -> bytes:
    whole = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "x", **span}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [whole]}]}]}).encode()


def value(held: Any) -> dict[str, Any]:
    return {"attributes": [{"key": "k", "value": held}]}


@pytest.mark.parametrize(
    "span",
    [
        {"startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": 1790000000000000000},
        {"kind": 3, "flags": 257, "status": {"code": 2, "message": "m"}, "parentSpanId": ""},
        {"unknown": [1, {}], "traceState": None},
        value({"stringValue": "ä"}),
        value({"intValue": "-9223372036854775808"}),
        value({"doubleValue": 1.5}),
        value({"doubleValue": "NaN"}),
        value({"doubleValue": 3}),
        value({"boolValue": False}),
        value({"bytesValue": "AAE="}),
        value({"bytesValue": "-_8"}),
        value({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": 1}, {}]}}),
        value({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}),
        value({}),
        {"events": [{"timeUnixNano": "5", "name": "e", "attributes": []}]},
        {"links": [{"traceId": "00", "spanId": ""}]},
        {"startTimeUnixNano": "18446744073709551615"},
    ],
)
def test_good_spans(span: dict[str, Any]) -> None:
    assert checked_json(TRACES, document(**span)).good == 1


@pytest.mark.parametrize(
    ("span", "where"),
    [
        ({"traceId": 5}, "spans[0].traceId"),
        ({"startTimeUnixNano": "yesterday"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano"),
        ({"startTimeUnixNano": 1.5}, "startTimeUnixNano"),
        ({"startTimeUnixNano": True}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "18446744073709551616"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "٣"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": {"low": 1, "high": 2}}, "startTimeUnixNano"),
        ({"kind": "SPAN_KIND_CLIENT"}, "kind"),
        ({"attributes": {"k": "v"}}, "attributes"),
        ({"attributes": [None]}, "attributes[0]"),
        ({"attributes": [{"key": 5}]}, "attributes[0].key"),
        (value("plain"), "attributes[0].value"),
        (value({"stringValue": 5}), "stringValue"),
        (value({"intValue": "9223372036854775808"}), "intValue"),
        (value({"doubleValue": "1_0"}), "doubleValue"),
        (value({"doubleValue": "inf"}), "doubleValue"),
        (value({"boolValue": "true"}), "boolValue"),
        (value({"bytesValue": "a"}), "bytesValue"),
        (value({"bytesValue": "ä"}), "bytesValue"),
        (value({"arrayValue": [1]}), "arrayValue"),
        ({"events": "none"}, "events"),
        ({"status": "ok"}, "status"),
        ({"name": "\ud800"}, "not JSON"),
    ],
)
def test_wrong_spans_say_where(span: dict[str, Any], where: str) -> None:
    with pytest.raises(MalformedError) as raised:
        checked_json(TRACES, document(**span))
    assert where in str(raised.value)


def test_nesting_without_end_is_malformed() -> None:
    held: dict[str, Any] = {"stringValue": "x"}
    for _ in range(100):
        held = {"arrayValue": {"values": [held]}}
    with pytest.raises(MalformedError):
        checked_json(TRACES, document(**value(held)))
    deep = b"[" * 1_000_000 + b"]" * 1_000_000
    with pytest.raises(MalformedError):
        checked_json(TRACES, deep)


def test_all_that_protobuf_accepts_is_accepted_in_json(in_json: Any, spans: Any) -> None:
    """The two encodings of one request say the same."""
    request = spans(4, trace=7)
    good = checked_protobuf(TRACES, request)
    assert checked_json(TRACES, json.dumps(in_json(request)).encode()).good == good.good == 4


@pytest.mark.parametrize("path", ["/v1/logs", "/v1/metrics"])
def test_shapes_of_logs_and_metrics(path: str) -> None:
    """Each field that the messages have is known to the shape, or is no plain value."""
    from google.protobuf.json_format import MessageToDict

    if path == "/v1/logs":
        request: Any = ExportLogsServiceRequest()
        record = request.resource_logs.add().scope_logs.add().log_records.add()
        record.time_unix_nano, record.severity_number, record.event_name = 5, 9, "e"
        record.body.kvlist_value.values.add(key="a").value.int_value = 7
    else:
        request = ExportMetricsServiceRequest()
        scope = request.resource_metrics.add().scope_metrics.add()
        scope.metrics.add(name="g").gauge.data_points.add(as_int=5, time_unix_nano=9)
        point = scope.metrics.add(name="s").sum.data_points.add(as_double=float("inf"))
        point.exemplars.add(as_double=1.0)
        scope.metrics.add(name="h").histogram.data_points.add(
            count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5]
        )
        bucket = scope.metrics.add(name="e").exponential_histogram.data_points.add(scale=-1)
        bucket.positive.bucket_counts.append(4)
        quantile = scope.metrics.add(name="q").summary.data_points.add(count=1)
        quantile.quantile_values.add(quantile=0.5, value=2.0)
    said = MessageToDict(request, use_integers_for_enums=True)
    checked = checked_json(SIGNALS[path], json.dumps(said).encode())
    assert checked.good == checked_protobuf(SIGNALS[path], request.SerializeToString()).good > 0
    text = json.dumps(said)
    for number in ("5", "9", "7"):  # any of its numbers as an object is found
        bad = text.replace(f'"{number}"', "{}", 1)
        if bad != text:
            with pytest.raises(MalformedError):
                checked_json(SIGNALS[path], bad.encode())


def test_every_parser_is_there() -> None:
    for signal in SIGNALS.values():
        assert list(getattr(otlp.parser(signal.kind)(b""), signal.resources[0])) == []
