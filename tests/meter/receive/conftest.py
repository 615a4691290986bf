"""A receiver in a thread, and requests for it."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lineshaft.meter import receive
from lineshaft.meter.receive.options import Counts, Options

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@dataclass
class Running:
    """A receiver that runs in a thread of the test."""

    log: Path
    options: Options
    port: int = 0
    told: list[str] = field(default_factory=list)
    counts: Counts | None = None
    error: BaseException | None = None
    thread: threading.Thread | None = None

    def stop(self) -> Counts:
        """Stop it and wait for its end."""
        assert self.options.stop is not None and self.thread is not None
        self.options.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error
        assert self.counts is not None
        return self.counts

    def post(
        self,
        body: bytes,
        path: str = "/v1/traces",
        media: str = PROTOBUF,
        method: str = "POST",
        **headers: str,
    ) -> tuple[int, bytes, dict[str, str]]:
        """(status, body, headers) of the answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            client.request(method, path, body, {"Content-Type": media, **sent})
            answer = client.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            client.close()

    def raw(self, *parts: bytes, timeout_s: float = 5.0) -> bytes:
        """What comes back for these bytes until the receiver closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout_s) as line:
            for part in parts:
                line.sendall(part)
            got = b""
            try:
                while piece := line.recv(65536):
                    got += piece
            except TimeoutError:
                pass
            return got

    def health(self) -> dict[str, Any]:
        """What /health says."""
        found: dict[str, Any] = json.loads(self.post(b"", "/health", method="GET")[1])
        return found


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts receivers; they are stopped at the end."""
    running: list[Running] = []

    def start(**options: Any) -> Running:
        ready, told = threading.Event(), list[str]()
        found: Running

        def is_ready(port: int) -> None:
            found.port = port
            ready.set()

        chosen: dict[str, Any] = {
            "log": tmp_path / "log", "port": 0, "drain": False, "min_free_mb": 0.0, **options,
        }  # fmt: skip
        made = Options(stop=threading.Event(), ready=is_ready, tell=told.append, **chosen)
        found = Running(made.log, made, told=told)

        def run() -> None:
            try:
                found.counts = receive.serve(made)
            except BaseException as error:
                found.error = error
                ready.set()

        found.thread = threading.Thread(target=run)
        found.thread.start()
        assert ready.wait(20)
        if found.error is not None:
            raise found.error
        running.append(found)
        return found

    yield start
    for one in running:
        if one.counts is None:
            one.stop()


_numbers = itertools.count(1)


@pytest.fixture
def spans() -> Callable[..., bytes]:
    """Makes protobuf requests."""
    return _spans


@pytest.fixture
def in_json() -> Callable[[bytes], dict[str, Any]]:
    """Says a request in OTLP's JSON."""
    return _in_json


@pytest.fixture
def events_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Reads the events of a log."""
    return _events_of


def _spans(
    count: int = 1,
    *,
    agent: str = "agent-1",
    trace: int | None = None,
    at_ns: int = 1_790_000_000 * 10**9,
) -> bytes:
    """Traces of one agent span each, or one trace of an agent span and its steps."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    named = resource.resource.attributes.add()
    named.key, named.value.string_value = "service.name", "shop"
    scope = resource.scope_spans.add()
    for place in range(count):
        number = next(_numbers)
        span = scope.spans.add(name="invoke_agent", kind=1)
        span.trace_id = (trace or number).to_bytes(16, "big")
        span.span_id = number.to_bytes(8, "big")
        span.start_time_unix_nano, span.end_time_unix_nano = at_ns, at_ns + 10**9
        step = trace is not None and place < count - 1
        for key, value in (
            ("gen_ai.operation.name", "chat" if step else "invoke_agent"),
            ("gen_ai.agent.id", agent),
            ("gen_ai.conversation.id", f"task-{trace or number}"),
        ):
            if step and key != "gen_ai.operation.name":
                continue
            said = span.attributes.add()
            said.key, said.value.string_value = key, value
        if step:
            used = span.attributes.add()
            used.key, used.value.int_value = "gen_ai.usage.input_tokens", 100
    if trace is not None:
        root = scope.spans[-1].span_id
        for span in scope.spans[:-1]:
            span.parent_span_id = root
    return request.SerializeToString()


def _in_json(request: bytes) -> dict[str, Any]:
    """The same request in OTLP's JSON: ids in hexadecimal, enums as numbers."""
    import base64

    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found: dict[str, Any] = MessageToDict(
        ExportTraceServiceRequest.FromString(request), use_integers_for_enums=True
    )

    def hexed(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(part).hex() if key in ("traceId", "spanId", "parentSpanId")
                else hexed(part)
                for key, part in value.items()
            }  # fmt: skip
        return [hexed(part) for part in value] if isinstance(value, list) else value

    return hexed(found)  # type: ignore[no-any-return]


def _events_of(log: Path) -> list[dict[str, Any]]:
    """All events in the log, each once."""
    from lineshaft.meter.log import Log

    rows = [row for table in Log.open(log).tables() for row in table.to_pylist()]
    return list({row["event_id"]: row for row in rows}.values())
