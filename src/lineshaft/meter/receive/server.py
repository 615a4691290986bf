"""The receiver as a whole: write-ahead log, HTTP, MQTT, draining, an orderly end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress

from lineshaft.errors import InputError, Problem, RunError
from lineshaft.meter.receive import segments
from lineshaft.meter.receive.http import Bounds, Server
from lineshaft.meter.receive.options import MB, Counts, Options
from lineshaft.meter.receive.wal import CARRIED
from lineshaft.meter.receive.writer import Writer

LOCK_S = 10.0
"""A drain that found the log without a receiver holds its lock for a moment."""
LAST_DRAIN_S = 60.0
"""How long the last drain may take at the end; what it does not manage is done at the next."""


def serve(options: Options) -> Counts:
    """Receive until told to stop. Raises InputError and RunError; see the package."""
    options.check()
    folder = segments.folder_of(options.log)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made: {error.strerror}") from error
    with ExitStack() as stack:
        if not stack.enter_context(segments.lock(folder, "receiving", wait_s=LOCK_S)):
            raise RunError(f"{options.log}: another receiver writes to this log")
        recovered = segments.recover(folder)
        if recovered:
            options.say(f"{recovered} segment(s) of an earlier receiver recovered")
        counts = Counts()
        writer = Writer(
            folder,
            tenant=options.tenant,
            segment_bytes=int(options.segment_mb * MB),
            segment_s=options.segment_s,
            most_waiting=options.queue_bytes(),
            most_bytes=int(options.max_wal_mb * MB),
            least_free=int(options.min_free_mb * MB),
        )
        drainer = Drainer(options, writer, counts) if options.drain else None
        try:
            asyncio.run(_run(options, writer, counts))
        finally:
            writer.stop()
            counts.bytes = writer.written
            if drainer is not None:
                drainer.stop()
    options.say(
        f"{counts.spans:,} spans and records in {counts.requests:,} requests and "
        f"{counts.messages:,} messages were acknowledged"
    )
    return counts


async def _run(options: Options, writer: Writer, counts: Counts) -> None:
    """Listen until a signal or `options.stop`."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():  # elsewhere `stop` serves
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, over.set)
    with ExitStack() as stack:
        server, port = None, 0
        if options.http:
            server, port = await _listen(options, writer, counts)
        if options.mqtt_host:
            from lineshaft.meter.receive.mqtt import Subscriber

            subscriber = Subscriber(options, writer, counts)
            stack.callback(subscriber.stop)
        if options.ready is not None:
            options.ready(port)
        while not over.is_set() and not (options.stop is not None and options.stop.is_set()):
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.1 if options.stop is not None else 3600)
        if server is not None:
            await server.stop()
            counts.peak_bytes = server.peak


async def _listen(options: Options, writer: Writer, counts: Counts) -> tuple[Server, int]:
    from lineshaft.meter.receive.otlp import Otlp

    tls = None
    if options.tls_cert is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            tls.load_cert_chain(options.tls_cert, options.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise InputError(Problem(str(options.tls_cert), "tls_cert", str(error))) from error
    bounds = Bounds(
        body=int(options.max_body_mb * MB),
        held=options.queue_bytes(),
        connections=options.max_connections,
        idle_s=options.idle_s,
        request_s=options.request_s,
    )
    server = Server(Otlp(options, writer, counts), bounds)
    try:
        port = await server.start(options.host, options.port, tls)
    except OSError as error:
        raise RunError(f"{options.host}:{options.port}: cannot listen: {error.strerror}") from error
    scheme = "http" if tls is None else "https"
    options.say(f"OTLP at {scheme}://{options.host}:{port}, into {options.log}")
    if not options.local() and tls is None:
        options.say("without TLS everyone on the way can read spans and token")
    return server, port


class Drainer:
    """Turns closed segments into events in a process of its own, at the lowest priority."""

    def __init__(self, options: Options, writer: Writer, counts: Counts) -> None:
        self.options, self.writer, self.counts = options, writer, counts
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Drain what the writer left, for a while, and end."""
        self._stopping.set()
        self.writer.closed.set()
        self._thread.join(LAST_DRAIN_S)
        if self._thread.is_alive() and self._process is not None:
            self.options.say("draining goes on when the log is read, or received into again")
            self._process.terminate()
            self._thread.join()

    def _run(self) -> None:
        folder = segments.folder_of(self.options.log)
        while True:
            stopping = self._stopping.is_set()
            self.writer.closed.clear()
            if segments.listed(folder, segments.CLOSED) or any(folder.glob(f"*{CARRIED}")):
                self._drain()
            if stopping:
                return
            if not self._stopping.is_set():
                self.writer.closed.wait(self.options.segment_s)
                time.sleep(0.05)  # segments that close together are drained together

    def _drain(self) -> None:
        command = [sys.executable, "-m", "lineshaft.meter.receive", str(self.options.log)]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # an interrupt from the terminal is the receiver's to handle
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        out, err = self._process.communicate()
        if self._process.returncode == 0:
            self.counts.drained += int(json.loads(out)["events"])
        elif not self._stopping.is_set():
            self.options.say(f"draining failed: {(err.strip().splitlines() or ['killed'])[-1]}")
            self._stopping.wait(10)
