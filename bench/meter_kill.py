"""Kill the receiver at random moments under load, and count what became of what it acknowledged.

    python bench/meter_kill.py [--kills 20] [--spans-per-s 20000] [--seed 1] [--log FOLDER]

Clients behave as OTLP exporters: one request after the other, each repeated until it is
acknowledged. The receiver gets SIGKILL and starts again; every other time the process that drains
dies with it. Traces are spread over requests: the agent's span comes one request after its steps.
In the end the log is drained and metered: a span is lost if it was acknowledged and is not there,
doubled if it counts more than once. Exit status 1 if any is.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

SERVER = """
import sys
from pathlib import Path
from lineshaft.meter.receive import Options, serve
serve(Options(
    log=Path(sys.argv[1]), port=int(sys.argv[2]), segment_s=1.0, segment_mb=2.0,
    ready=lambda port: print(port, flush=True),
))
"""
BATCH, STEPS = 512, 8
CLIENTS = 4
LAST_S = 120.0
"""How long a client goes on repeating a request, as exporters give up in the end too."""


class Client(threading.Thread):
    """An exporter: makes spans, sends them, remembers which were acknowledged."""

    def __init__(self, number: int, rate: float) -> None:
        super().__init__()
        self.number, self.rate = number, rate
        self.port = 0
        self.over = threading.Event()
        self.acknowledged: set[str] = set()
        self.sent: dict[str, int] = {}
        """Tokens of each span that was ever sent."""
        self.repeated = 0
        self._roots: list[Any] = []
        self._traces = 0

    def request(self) -> tuple[bytes, list[str]]:
        """A body, and its spans: new traces' steps, and the agent spans of those before."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )
        from opentelemetry.proto.trace.v1.trace_pb2 import Span

        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "bench"
        spans = resource.scope_spans.add().spans
        spans.extend(self._roots)
        self._roots = []
        while len(spans) < BATCH:
            self._traces += 1
            trace = (self.number + 1 << 64) + self._traces
            for step in range(STEPS):
                top, inner = step == STEPS - 1, step == STEPS - 2
                span = Span(name="x", trace_id=trace.to_bytes(16, "big"), kind=1)
                span.span_id = (self._traces * STEPS + step + 1).to_bytes(8, "big")
                span.end_time_unix_nano = time.time_ns()
                span.start_time_unix_nano = span.end_time_unix_nano - 10**6
                if not top:  # three steps of a sub-agent, four of the agent itself, one of them it
                    above = STEPS - 2 if step < 3 else STEPS - 1
                    span.parent_span_id = (self._traces * STEPS + above + 1).to_bytes(8, "big")
                work = "invoke_agent" if top or inner else "chat"
                span.attributes.add(key="gen_ai.operation.name").value.string_value = work
                if top or inner:
                    name = f"agent-{self._traces % 50}" if top else "helper"
                    span.attributes.add(key="gen_ai.agent.id").value.string_value = name
                else:
                    used = span.attributes.add(key="gen_ai.usage.input_tokens").value
                    used.int_value = 1 + step
                (self._roots if top else spans).append(span)
        found = []
        for span in spans:
            found.append(f"{span.trace_id.hex()}:{span.span_id.hex()}")
            said = span.attributes[-1]
            self.sent[found[-1]] = said.value.int_value
        return request.SerializeToString(), found

    def run(self) -> None:
        due = time.monotonic()
        while not self.over.is_set():
            body, found = self.request()
            if self._deliver(body):
                self.acknowledged.update(found)
            due = max(due + len(found) / self.rate, time.monotonic() - 1.0)
            self.over.wait(max(0.0, due - time.monotonic()))
        self._deliver(b"")

    def _deliver(self, body: bytes) -> bool:
        until, pause = time.monotonic() + LAST_S, 0.02
        while time.monotonic() < until:
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                client.request(
                    "POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"}
                )
                if client.getresponse().status == 200:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            finally:
                client.close()
            self.repeated += 1
            time.sleep(random.uniform(0, pause))
            pause = min(2 * pause, 1.0)
        return False


def start(log: Path, port: int) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(log), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def children(pid: int) -> list[int]:
    """Processes that a process has started and that run."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def judge(log: Path, clients: list[Client]) -> bool:
    """Print what became of the spans; whether all is well."""
    from lineshaft.meter.log import Log
    from lineshaft.meter.read import read
    from lineshaft.meter.receive import wal

    wal.drain(log)
    acknowledged = set().union(*(client.acknowledged for client in clients))
    sent = {span: tokens for client in clients for span, tokens in client.sent.items()}
    distinct: set[tuple[str, str]] = set()
    rows = 0
    for table in Log.open(log).tables(["event_id", "kind"]):
        rows += table.num_rows
        distinct |= set(
            zip(*(table[name].to_pylist() for name in ("event_id", "kind")), strict=True)
        )
    main = Counter(event.rpartition(":")[0] for event, kind in distinct if kind != "start")
    lost, doubled = acknowledged - main.keys(), [span for span, n in main.items() if n > 1]
    reading = read(log, assume_human_equiv_min=10)  # so that tasks are eligible
    tokens = int(reading.measures.tokens_in.sum())
    expected = sum(sent[span] for span in main)
    roots = sum(1 for event, kind in distinct if kind == "submit")
    metered = int(reading.measures.grades[2].accepted.sum()) if reading.measures.days else 0
    print(
        f"sent {len(sent):,} spans, acknowledged {len(acknowledged):,}, in the log {len(main):,} "
        f"({len(main.keys() - acknowledged):,} of them never acknowledged)"
    )
    print(f"events in files {rows:,}, distinct {len(distinct):,}, counted {reading.events:,}")
    print(f"acknowledged spans lost {len(lost):,}; spans doubled {len(doubled):,}")
    print(f"tokens metered {tokens:,}, in the distinct spans {expected:,}")
    print(
        f"root tasks {reading.coverage.root_tasks:,}, agent spans submitted {roots:,} ({metered})"
    )
    return not lost and not doubled and tokens == expected and metered == roots


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--spans-per-s", type=float, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, help="folder for the log (default: a temporary one)")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory(dir=given.log) as folder:
        log = Path(folder) / "log"
        process, port = start(log, 0)
        clients = [Client(n, given.spans_per_s / CLIENTS) for n in range(CLIENTS)]
        for client in clients:
            client.port = port
            client.start()
        with_drainer = 0
        for kill in range(given.kills):
            time.sleep(chance.uniform(0.2, 2.5))
            victims = children(process.pid) if kill % 2 else []
            process.send_signal(signal.SIGKILL)
            for victim in victims:
                with_drainer += 1
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    with_drainer -= 1
            process.communicate()
            process, _ = start(log, port)
        for client in clients:
            client.over.set()
        for client in clients:
            client.join()
        process.terminate()
        process.communicate()
        repeated = sum(client.repeated for client in clients)
        print(
            f"{given.kills} kills, {with_drainer} of them while draining and of that process too; "
            f"{repeated} requests repeated"
        )
        return 0 if judge(log, clients) else 1


if __name__ == "__main__":
    sys.exit(main())
