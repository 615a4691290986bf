"""The HTTP server under clients that are slow, greedy or wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lineshaft.meter.receive.http import Bounds, Request, Response, Server


class Echo:
    """Answers with the body; refuses /no from the headers alone."""

    def admit(self, request: Request) -> Response | None:
        return Response(404, b"no") if request.path == "/no" else None

    def refuse(self, request: Request | None, status: int, why: str) -> Response:
        return Response(status, why.encode())

    async def answer(self, request: Request) -> Response:
        if request.path == "/fault":
            raise RuntimeError("a fault of ours")
        if request.path == "/slow":
            await asyncio.sleep(0.2)
        return Response(200, request.method.encode() + b":" + request.body)


class Running:
    def __init__(self, **bounds: float) -> None:
        chosen = {"body": 1000, "held": 3000, "connections": 4, "idle_s": 5.0, "request_s": 5.0}
        self.bounds = Bounds(**{**chosen, **bounds})  # type: ignore[arg-type]
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))
        self.thread.start()
        assert self.ready.wait(5)

    async def run(self) -> None:
        self.server = Server(Echo(), self.bounds)
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        self.port = await self.server.start("127.0.0.1", 0)
        self.ready.set()
        await self.over.wait()
        await self.server.stop()

    def stop(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.over.set)
            self.thread.join(15)
        assert not self.thread.is_alive()

    def line(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(**bounds: float) -> Running:
        made.append(Running(**bounds))
        return made[-1]

    yield start
    for one in made:
        one.stop()
        assert one.server.held == 0  # what was taken is given back, whatever happened


def rest(line: socket.socket) -> bytes:
    """What comes until the server closes."""
    got = b""
    while piece := line.recv(65536):
        got += piece
    return got


def some(line: socket.socket, end: bytes) -> bytes:
    """What comes until these bytes."""
    got = b""
    while not got.endswith(end):
        piece = line.recv(65536)
        assert piece, got
        got += piece
    return got


def post(body: bytes, path: str = "/", extra: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def test_requests_on_one_connection_byte_by_byte(run: Callable[..., Running]) -> None:
    with run().line() as line:
        for _ in range(2):
            for byte in post(b"hello"):
                line.sendall(bytes([byte]))
            assert some(line, b"POST:hello").startswith(b"HTTP/1.1 200 OK\r\n")


def test_pipelined_requests_are_answered_in_order(run: Callable[..., Running]) -> None:
    with run().line() as line:
        line.sendall(post(b"1", "/slow") + post(b"2") + post(b"3", extra="Connection: close\r\n"))
        got = rest(line)
    assert [got.index(b"POST:%d" % n) for n in (1, 2, 3)] == sorted(
        got.index(b"POST:%d" % n) for n in (1, 2, 3)
    )
    assert got.count(b"HTTP/1.1 200") == 3


def test_chunked_and_expected_bodies(run: Callable[..., Running]) -> None:
    with run().line() as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n")
        line.sendall(b"Expect: 100-continue\r\n\r\n")
        assert some(line, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert some(line, b"POST:abcde")


def test_a_fault_is_answered(run: Callable[..., Running]) -> None:
    with run().line() as line:
        line.sendall(post(b"x", "/fault") + post(b"y"))
        assert some(line, b"POST:y").startswith(b"HTTP/1.1 500")


def test_head_has_no_body(run: Callable[..., Running]) -> None:
    with run().line() as line:
        line.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = rest(line)
    assert b"Content-Length: 5" in got
    assert got.endswith(b"\r\n\r\n")


def test_a_refusal_from_the_headers_reaches_a_client_that_still_sends(
    run: Callable[..., Running],
) -> None:
    with run(body=1 << 30).line() as line:
        line.sendall(b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        for _ in range(30):
            line.sendall(bytes(100_000))
        assert rest(line).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_is_refused(run: Callable[..., Running], declared: bool) -> None:
    with run().line() as line:
        if declared:
            line.sendall(post(bytes(1001)))
        else:
            line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            line.sendall(b"3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n")
        assert rest(line).startswith(b"HTTP/1.1 413")


def test_bodies_together_are_bounded(run: Callable[..., Running]) -> None:
    server = run(held=1500)
    with server.line() as first, server.line() as second:
        first.sendall(post(bytes(1000))[:-1])
        time.sleep(0.1)
        second.sendall(post(bytes(1000)))
        assert rest(second).startswith(b"HTTP/1.1 503")
        first.sendall(b"\0")
        assert some(first, b"POST:" + bytes(1000)).startswith(b"HTTP/1.1 200")
    with server.line() as third:  # room is back
        third.sendall(post(bytes(1000)))
        assert some(third, bytes(1000)).startswith(b"HTTP/1.1 200")


def test_too_many_connections(run: Callable[..., Running]) -> None:
    server = run(connections=2)
    lines = [server.line() for _ in range(2)]
    for line in lines:
        line.sendall(post(b"x"))
        some(line, b"POST:x")
    with server.line() as third:
        assert rest(third).startswith(b"HTTP/1.1 503")
    for line in lines:
        line.close()


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-%d: y\r\n" % n for n in range(200)),
        b"X: " + b"y" * 100_000,
        b"X" * 100_000,
        b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(60)),
    ],
)
def test_floods_of_headers(run: Callable[..., Running], flood: bytes) -> None:
    with run().line() as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
        line.sendall(flood)
        line.shutdown(socket.SHUT_WR)
        assert rest(line).startswith(b"HTTP/1.1 4")


def test_a_url_without_end(run: Callable[..., Running]) -> None:
    with run().line() as line:
        line.sendall(b"POST /" + b"a" * 70_000)
        assert rest(line).startswith(b"HTTP/1.1 431")


def test_trailers_without_end(run: Callable[..., Running]) -> None:
    with run().line() as line:
        line.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        )
        line.sendall(b"".join(b"X-%d: %s\r\n" % (n, b"y" * 500) for n in range(200)))
        assert rest(line).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "words",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_what_is_not_http(run: Callable[..., Running], words: bytes) -> None:
    with run().line() as line:
        line.sendall(words)
        assert rest(line).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_slow_clients_are_cut_off(run: Callable[..., Running], sent: bytes) -> None:
    server = run(request_s=0.3)
    with server.line() as line:
        line.sendall(sent)
        began = time.monotonic()
        got = rest(line)
        assert time.monotonic() - began < 3
        assert got.startswith(b"HTTP/1.1 408") if sent else got == b""


def test_idle_clients_are_cut_off(run: Callable[..., Running]) -> None:
    with run(idle_s=0.3).line() as line:
        line.sendall(post(b"x"))
        some(line, b"POST:x")
        assert rest(line) == b""


def test_stopping_answers_what_has_arrived(run: Callable[..., Running]) -> None:
    server = run()
    with server.line() as line, server.line() as idle:
        line.sendall(post(b"x", "/slow"))
        time.sleep(0.05)
        server.loop.call_soon_threadsafe(server.over.set)
        got = rest(line)
        assert got.endswith(b"POST:x")
        assert b"Connection: close" in got
        assert rest(idle) == b""
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        server.line()


def test_a_client_that_goes_away(run: Callable[..., Running]) -> None:
    server = run()
    for sent in (post(b"x" * 500)[:-3], post(b"x", "/slow")):
        with server.line() as line:
            line.sendall(sent)
            time.sleep(0.05)
    until = time.monotonic() + 3
    while server.server.connections and time.monotonic() < until:
        time.sleep(0.02)
    assert not server.server.connections
