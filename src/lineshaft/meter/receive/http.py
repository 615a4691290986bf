"""A small HTTP/1.1 server in which everything has a bound: headers, bodies, time, connections,
memory.

httptools (llhttp, the parser of Node.js) reads the protocol; an application says early, from the
headers alone, whether it wants a request, and answers it once it is whole.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

LINGER_S = 2.0
"""After a refusal, what the client still sends is read and thrown away for this long: a client
that is cut off while sending does not see the answer."""
MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 << 10


@dataclass(slots=True)
class Request:
    """A request; `body` is empty until it is whole."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """An answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, *, close: bool, bodiless: bool = False) -> bytes:
        """As it goes over the line."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            *(["Connection: close"] if close else []),
        ]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if bodiless else self.body)


class Application(Protocol):
    """What answers."""

    def admit(self, request: Request) -> Response | None:
        """An answer to the headers alone: the body is then not read. None: go on."""

    def refuse(self, request: Request | None, status: int, why: str) -> Response:
        """An answer to what breaks a bound or the protocol."""

    async def answer(self, request: Request) -> Response:
        """The answer to a whole request."""


@dataclass(slots=True)
class Bounds:
    """What a server allows."""

    body: int
    held: int
    """Bytes of all bodies in memory, being received or answered."""
    connections: int
    idle_s: float
    request_s: float


class Server:
    """Listens, and keeps the bounds that connections share."""

    def __init__(self, application: Application, bounds: Bounds) -> None:
        self.application = application
        self.bounds = bounds
        self.connections: set[Connection] = set()
        self.held = 0
        self.peak = 0
        self.stopping = False
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """The port that it listens on. OSError where the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=None if tls is None else self.bounds.request_s,
        )
        self._sweep = loop.create_task(self._expire())
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self, patience_s: float = 10.0) -> None:
        """Take no more, answer what has arrived, then close."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        until = asyncio.get_running_loop().time() + patience_s
        while self.connections and asyncio.get_running_loop().time() < until:
            for connection in list(self.connections):
                connection.stop()
            await asyncio.sleep(0.02)
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self.connections):
            connection.abort()

    def take(self, size: int) -> bool:
        """Whether there is room in memory for so much more."""
        if self.held + size > self.bounds.held:
            return False
        self.held += size
        self.peak = max(self.peak, self.held)
        return True

    async def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self.bounds.idle_s / 4, self.bounds.request_s / 4))
            for connection in list(self.connections):
                if loop.time() > connection.deadline:
                    connection.expire()


@dataclass(slots=True)
class _Turn:
    """What a connection has to send next: the answer to a request, or an answer that stands."""

    request: Request | None
    response: Response | None
    keep: bool


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: Server) -> None:
        import httptools

        self.server = server
        self.bounds = server.bounds
        self.application = server.application
        self.loop = asyncio.get_running_loop()
        self.parser: Any = httptools.HttpRequestParser(self)
        self.errors = (httptools.HttpParserError, httptools.HttpParserUpgrade)
        self.deadline = self.loop.time() + self.bounds.request_s
        self.turns: deque[_Turn] = deque()
        self.task: asyncio.Task[None] | None = None
        self.deaf = False
        """What still arrives is thrown away."""
        self.closing = False
        """The last answer is out."""
        self.receiving = False
        """A request has begun and is not whole."""
        self.unproductive = 0
        """Bytes since the last of a body: headers, or what hides between chunks."""
        self._clear()

    def _clear(self) -> None:
        """Make ready for the next request."""
        self.url = b""
        self.headers: dict[str, str] = {}
        self.header_bytes = self.header_count = 0
        self.request: Request | None = None
        self.chunks: list[bytes] = []
        self.size = 0

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        there = len(self.server.connections)
        self.server.connections.add(self)
        if there >= 2 * self.bounds.connections:  # not even time to say so
            self.abort()
        elif there >= self.bounds.connections:
            self._refuse(503, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        self._release(self.size)
        self.size = 0
        self.deaf = self.closing = True

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        self.unproductive += len(data)
        try:
            self.parser.feed_data(data)
        except self.errors as error:
            if not self.deaf:
                self._refuse(400, f"not HTTP: {error}")
        if self.unproductive > MOST_HEADER_BYTES and not self.deaf:
            self._refuse(431, "too much without a body")

    def eof_received(self) -> bool:
        # half-closed: it still gets its answer, which TLS does not allow
        return self.task is not None and self.transport.can_write_eof()

    # httptools

    def on_message_begin(self) -> None:
        if not self.deaf:
            self._clear()
            self.receiving = True
            self.deadline = self.loop.time() + self.bounds.request_s

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self.header_count += 1
        self._count(len(name) + len(value))
        if not self.deaf and self.request is None:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def _count(self, size: int) -> None:
        self.header_bytes += size
        if not self.deaf and (
            self.header_bytes > MOST_HEADER_BYTES or self.header_count > MOST_HEADERS
        ):
            self._refuse(431, "too many headers")

    def on_headers_complete(self) -> None:
        if self.deaf:
            return
        method = self.parser.get_method().decode("latin-1")
        path = self.url.split(b"?", 1)[0].decode("latin-1")
        self.request = Request(method, path, self.headers)
        if self.parser.should_upgrade():
            self._refuse(400, "nothing but HTTP/1.1 is spoken here")
        elif (early := self.application.admit(self.request)) is not None:
            self._last(early)
        elif self.headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self.deaf:
            return
        self.unproductive = 0
        if self.size + len(body) > self.bounds.body:
            self._refuse(413, f"the body is larger than {self.bounds.body} bytes")
        elif not self.server.take(len(body)):
            self._refuse(503, "too much is being received")
        else:
            self.size += len(body)
            self.chunks.append(body)

    def on_message_complete(self) -> None:
        if self.deaf or self.request is None:
            return
        self.unproductive = 0
        self.receiving = False
        self.request.body = b"".join(self.chunks)
        self._turn(_Turn(self.request, None, self.parser.should_keep_alive()))
        self.size = 0  # the turn holds it now
        self.chunks = []
        self.transport.pause_reading()

    # answers

    def _turn(self, turn: _Turn) -> None:
        self.turns.append(turn)
        self.deadline = float("inf")
        if self.task is None:
            self.task = self.loop.create_task(self._answer())

    def _refuse(self, status: int, why: str) -> None:
        self._last(self.application.refuse(self.request, status, why))

    def _last(self, response: Response) -> None:
        """Answer at once, read no more, and close."""
        self.deaf, self.receiving = True, False
        self._release(self.size)
        self.size = 0
        self.chunks = []
        self._turn(_Turn(self.request, response, keep=False))

    async def _answer(self) -> None:
        """Answer in the order of arrival."""
        while self.turns:
            turn = self.turns.popleft()
            response = turn.response
            if response is None:
                assert turn.request is not None
                try:
                    response = await self.application.answer(turn.request)
                except Exception as error:  # a fault of ours must not leave the client waiting
                    response = self.application.refuse(turn.request, 500, f"a fault: {error!r}")
                finally:
                    self._release(len(turn.request.body))
            keep = turn.keep and not self.server.stopping
            bodiless = turn.request is not None and turn.request.method == "HEAD"
            if self.transport.is_closing():
                break
            self.transport.write(response.encoded(close=not keep, bodiless=bodiless))
            if not keep:
                self._linger()
                break
        for turn in self.turns:  # pipelined behind an answer that closes
            if turn.request is not None and turn.response is None:
                self._release(len(turn.request.body))
        self.turns.clear()
        self.task = None
        if not self.closing:
            self.deadline = self.loop.time() + self.bounds.idle_s
            self.transport.resume_reading()

    def _linger(self) -> None:
        self.deaf = self.closing = True
        self.deadline = self.loop.time() + LINGER_S
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            with suppress(OSError):  # the client has gone
                self.transport.write_eof()
        # TLS cannot say so: the client closes once it has read the answer, or its time is over

    def _release(self, size: int) -> None:
        self.server.held -= size

    def expire(self) -> None:
        """Close a connection whose time is over."""
        if self.receiving:
            self._refuse(408, "the request did not arrive in time")
        elif self.closing:
            self.abort()
        else:
            self.deaf = self.closing = True
            self.deadline = self.loop.time() + LINGER_S
            self.transport.close()

    def stop(self) -> None:
        """Close a connection that has no request."""
        if self.task is None and not self.receiving and not self.closing:
            self.transport.close()

    def abort(self) -> None:
        """Close a connection now."""
        self.transport.abort()
