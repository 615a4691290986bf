"""OTLP over HTTP: what a request must be, and what it is answered.

https://opentelemetry.io/docs/specs/otlp/#otlphttp (1.10): paths, encodings, status codes, partial
success. Answers come in the encoding of the request; an error's body is a google.rpc.Status.
"""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import re
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from lineshaft.meter.receive import shape
from lineshaft.meter.receive.frames import AS_JSON, GZIPPED, LOGS, METRICS, TRACES, Frame
from lineshaft.meter.receive.http import Request, Response
from lineshaft.meter.receive.options import MB, Counts, Options
from lineshaft.meter.receive.writer import BusyError, Writer

PROTOBUF, JSON = "application/x-protobuf", "application/json"
RPC_CODES = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    408: 4,
    413: 8,
    415: 3,
    431: 8,
    500: 13,
    503: 14,
}
"""google.rpc.Code of an HTTP status: https://github.com/googleapis/googleapis, google/rpc."""

_TRACE_ID, _SPAN_ID = re.compile("[0-9a-fA-F]{32}"), re.compile("[0-9a-fA-F]{16}")


@dataclass(frozen=True, slots=True)
class Signal:
    """One of OTLP's kinds of request."""

    kind: int
    resources: tuple[str, str]
    """Field of the request: protobuf's name, JSON's."""
    scopes: tuple[str, str]
    items: tuple[str, str]
    rejected: str
    """Field of the partial success."""
    shape: dict[str, Any]
    name: str
    """traces, logs or metrics."""
    message: str


SIGNALS = {
    "/v1/traces": Signal(
        TRACES, ("resource_spans", "resourceSpans"), ("scope_spans", "scopeSpans"),
        ("spans", "spans"), "rejectedSpans", shape.TRACES,
        "traces", "ExportTraceServiceRequest",
    ),
    "/v1/logs": Signal(
        LOGS, ("resource_logs", "resourceLogs"), ("scope_logs", "scopeLogs"),
        ("log_records", "logRecords"), "rejectedLogRecords", shape.LOGS,
        "logs", "ExportLogsServiceRequest",
    ),
    "/v1/metrics": Signal(
        METRICS, ("resource_metrics", "resourceMetrics"), ("scope_metrics", "scopeMetrics"),
        ("metrics", "metrics"), "rejectedDataPoints", shape.METRICS,
        "metrics", "ExportMetricsServiceRequest",
    ),
}  # fmt: skip


@cache
def parser(kind: int) -> Callable[[bytes], Any]:
    """What makes a protobuf message of the body of a request of this kind."""
    from importlib import import_module

    name, message = next((s.name, s.message) for s in SIGNALS.values() if s.kind == kind)
    package = name.removesuffix("s") if kind == TRACES else name
    module = f"opentelemetry.proto.collector.{package}.v1.{package}_service_pb2"
    parse: Callable[[bytes], Any] = getattr(import_module(module), message).FromString
    return parse


class MalformedError(Exception):
    """A body that is not what its headers say."""


class OversizedError(Exception):
    """A body that is too large once decompressed."""


def unzip(body: bytes, encoding: str, most: int) -> bytes:
    """The body without its Content-Encoding.

    Raises MalformedError where it is broken or cut off, OversizedError beyond `most` bytes: no more
    than that is ever unpacked.
    """
    if encoding in ("", "identity"):
        return body
    found: list[bytes] = []
    size = 0
    while body or not found:  # gzip allows several members
        unpack = zlib.decompressobj(wbits=31 if encoding == "gzip" else 15)
        try:
            part = unpack.decompress(body, most - size + 1)
        except zlib.error as error:
            raise MalformedError(f"not {encoding}: {error}") from error
        size += len(part)
        if size > most:
            raise OversizedError(f"the body is larger than {most} bytes when decompressed")
        if not unpack.eof:
            raise MalformedError(f"the {encoding} body is cut off")
        found.append(part)
        body = unpack.unused_data
    return b"".join(found)


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that can be kept."""

    good: int
    refused: int
    plain: int
    """Bytes of the request, uncompressed."""
    changed: bytes | None
    """The request without what was refused; None where nothing was."""


def checked_protobuf(signal: Signal, body: bytes) -> Checked:
    """What is good in a protobuf request. MalformedError where it is none."""
    try:
        request = parser(signal.kind)(body)
    except Exception as error:  # the runtime's DecodeError, which is imported late
        raise MalformedError(f"not a protobuf of {signal.message}: {error}") from error
    count = refused = 0
    for resource in getattr(request, signal.resources[0]):
        for scope in getattr(resource, signal.scopes[0]):
            items = getattr(scope, signal.items[0])
            count += len(items)
            if signal.kind == TRACES:
                bad = [
                    place
                    for place, span in enumerate(items)
                    if len(span.trace_id) != 16
                    or len(span.span_id) != 8
                    or not any(span.trace_id)
                    or not any(span.span_id)
                ]
                refused += len(bad)
                for place in reversed(bad):
                    del items[place]
    changed = request.SerializeToString() if refused else None
    return Checked(count - refused, refused, len(body), changed)


def checked_json(signal: Signal, body: bytes) -> Checked:
    """What is good in a JSON request. MalformedError where it is none."""
    try:
        told = body.decode("utf-8-sig")
        request = json.loads(told, parse_constant=_no_constant)
        if "\\ud" in told or "\\uD" in told:  # halves of surrogate pairs are no text
            json.dumps(request, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    found = shape.wrong(request, signal.shape)
    if found is not None:
        raise MalformedError(
            f"{found.removeprefix('.') or 'the body'} has not the type that OTLP says"
        )
    count = refused = 0
    for resource in request.get(signal.resources[1]) or ():
        for scope in resource.get(signal.scopes[1]) or ():
            items = scope.get(signal.items[1]) or []
            count += len(items)
            if signal.kind == TRACES:
                good = [span for span in items if _identified(span)]
                if len(good) < len(items):
                    refused += len(items) - len(good)
                    scope[signal.items[1]] = good
    changed = json.dumps(request).encode() if refused else None
    return Checked(count - refused, refused, len(body), changed)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _identified(span: dict[str, Any]) -> bool:
    """Whether a span has both ids, of the right length and not all zero."""
    trace, own = span.get("traceId") or "", span.get("spanId") or ""
    valid = _TRACE_ID.fullmatch(trace) and _SPAN_ID.fullmatch(own)
    return bool(valid) and bool(trace.strip("0")) and bool(own.strip("0"))


class Otlp:
    """The application: takes OTLP requests, and acknowledges what the writer made to last."""

    def __init__(self, options: Options, writer: Writer, counts: Counts) -> None:
        self.writer, self.counts = writer, counts
        self.tell = options.say
        self.most = int(options.max_body_mb * MB)
        self.secret = f"Bearer {options.secret()}".encode() if options.secret() else b""
        for signal in SIGNALS.values():
            parser(signal.kind)  # imported before the first request
        self.pool = ThreadPoolExecutor(1, "check")
        """One thread: bodies are checked one at a time, and acknowledgements go on meanwhile."""

    def admit(self, request: Request) -> Response | None:
        if request.path == "/health":
            good = request.method in ("GET", "HEAD")
            return None if good else self._error(request, 405, "GET only", Allow="GET, HEAD")
        if not self._trusted(request):
            why = (
                "a bearer token is needed"
                if "authorization" not in request.headers
                else "wrong token"
            )
            return self._error(request, 401, why, **{"WWW-Authenticate": "Bearer"})
        if request.path not in SIGNALS:
            return self._error(request, 404, f"there is {', '.join(SIGNALS)} and /health")
        if request.method != "POST":
            return self._error(request, 405, "POST only", Allow="POST")
        if _media(request) not in (PROTOBUF, JSON):
            return self._error(request, 415, f"the content must be {PROTOBUF} or {JSON}")
        if _encoding(request) not in ("", "identity", "gzip", "deflate"):
            return self._error(request, 415, "the encoding must be gzip, deflate or none")
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self.most:
            return self._error(request, 413, f"the body is larger than {self.most} bytes")
        return None

    def refuse(self, request: Request | None, status: int, why: str) -> Response:
        if status == 500:
            self.tell(why)
        return self._later(request, why, 1) if status == 503 else self._error(request, status, why)

    async def answer(self, request: Request) -> Response:
        if request.path == "/health":
            return self._health(request)
        signal, in_json = SIGNALS[request.path], _media(request) == JSON
        try:
            loop = asyncio.get_running_loop()
            checked, frame = await loop.run_in_executor(self.pool, self._check, request)
            if checked.good:
                await asyncio.wrap_future(self.writer.append(frame, checked.plain))
        except MalformedError as error:
            return self._error(request, 400, str(error))
        except OversizedError as error:
            return self._error(request, 413, str(error))
        except BusyError as error:
            return self._later(request, str(error), error.retry_s)
        except OSError as error:
            return self._later(request, f"it cannot be written: {error.strerror or error}", 5)
        self.counts.requests += 1
        self.counts.spans += checked.good
        self.counts.refused += checked.refused
        return _accepted(signal, in_json, checked.refused)

    def _check(self, request: Request) -> tuple[Checked, Frame]:
        """The request checked, and as it is kept."""
        signal, encoding = SIGNALS[request.path], _encoding(request)
        in_json = _media(request) == JSON
        plain = unzip(request.body, encoding, self.most)
        checked = (checked_json if in_json else checked_protobuf)(signal, plain)
        flags, body = (
            AS_JSON if in_json else 0,
            plain if checked.changed is None else checked.changed,
        )
        if encoding == "gzip":
            flags |= GZIPPED
            body = request.body if checked.changed is None else gzip.compress(body, 1)
        return checked, Frame(signal.kind, flags, time.time_ns() // 1000, body)

    def _trusted(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode("latin-1")
        scheme, _, secret = given.partition(b" ")
        said = scheme.capitalize() + b" " + secret.strip()
        return not self.secret or hmac.compare_digest(said, self.secret)

    def _health(self, request: Request) -> Response:
        found: dict[str, Any] = {"status": "full" if self.writer.full else "ok"}
        if self._trusted(request):
            found |= {
                "requests": self.counts.requests,
                "spans": self.counts.spans,
                "messages": self.counts.messages,
                "refused": self.counts.refused,
                "wal_bytes": self.writer.backlog,
                "why": self.writer.full,
            }
        return Response(200, json.dumps(found).encode())

    def _later(self, request: Request | None, why: str, retry_s: int) -> Response:
        self.counts.waited += 1
        return _status(request, 503, why, {"Retry-After": str(retry_s)})

    def _error(self, request: Request | None, status: int, why: str, **headers: str) -> Response:
        self.counts.rejected += 1
        return _status(request, status, why, headers)


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


def _encoding(request: Request) -> str:
    return request.headers.get("content-encoding", "").strip().lower()


def _accepted(signal: Signal, in_json: bool, refused: int) -> Response:
    """An Export…ServiceResponse, with the partial success where something was refused."""
    why = "trace id of 16 and span id of 8 bytes, not all zero, are needed"
    if in_json:
        partial = {"partialSuccess": {signal.rejected: str(refused), "errorMessage": why}}
        return Response(200, json.dumps(partial if refused else {}).encode(), JSON)
    partial_success = b"\x08" + _varint(refused) + b"\x12" + _counted(why)
    body = b"\x0a" + _counted(partial_success) if refused else b""
    return Response(200, body, PROTOBUF)


def _status(request: Request | None, status: int, why: str, headers: dict[str, str]) -> Response:
    """An error with its google.rpc.Status: code (field 1), message (field 2)."""
    code = RPC_CODES[status]
    if request is not None and _media(request) == PROTOBUF:
        body = b"\x08" + _varint(code) + b"\x12" + _counted(why)
        return Response(status, body, PROTOBUF, headers)
    return Response(status, json.dumps({"code": code, "message": why}).encode(), JSON, headers)


def _counted(content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
