"""The receiver on one core: spans acknowledged per second, how long an acknowledgement takes,
memory, and how fast what was acknowledged becomes events.

    python bench/meter_receive.py [--seconds 5] [--log FOLDER]

The receiver is pinned to the first core, the load to the last. Requests are as the SDK's batch
processor sends them: 512 spans of GenAI agents, whose traces have one agent span and seven steps.
Two loads: as fast as four connections get answers, and 20,000 spans/s paced.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SERVER = """
import json, os, resource, sys
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from lineshaft.meter.receive import Options, serve
counts = serve(Options(
    log=Path(sys.argv[1]), port=0, drain=sys.argv[2] == "drain",
    ready=lambda port: print(port, flush=True),
))
both = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
mb = [resource.getrusage(who).ru_maxrss / 1024 for who in both]
print(json.dumps({"spans": counts.spans, "rss_mb": mb, "body_mb": counts.peak_bytes / 2**20,
                  "wal_mb": counts.bytes / 2**20, "drained": counts.drained}))
"""
BATCH = 512
STEPS = 8
CONNECTIONS = 4
TARGET_SPANS_PER_S, TARGET_P99_S = 20_000, 0.050


def batch(number: int) -> Any:
    """A request of 512 spans in 64 traces."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.bench"
    now_ns = time.time_ns()
    for place in range(BATCH):
        trace, step = divmod(place, STEPS)
        trace += 1 + number * BATCH // STEPS
        root = step == STEPS - 1
        span = scope.spans.add(kind=1 if root else 3)
        span.name = "invoke_agent helper" if root else "chat large-model"
        span.trace_id = (trace + (1 << 90)).to_bytes(16, "big")
        span.span_id = (trace * STEPS + step).to_bytes(8, "big")
        if not root:
            span.parent_span_id = (trace * STEPS + STEPS - 1).to_bytes(8, "big")
        span.start_time_unix_nano, span.end_time_unix_nano = now_ns - 10**9, now_ns
        said: dict[str, str | int] = {"gen_ai.provider.name": "bench"}
        if root:
            said |= {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.id": f"asst_{trace % 1000:08d}",
                "gen_ai.conversation.id": f"conversation-{trace:012d}",
            }
        else:
            said |= {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "large-model-2026-10-01",
                "gen_ai.usage.input_tokens": 1000 + place,
                "gen_ai.usage.output_tokens": 100 + place,
            }
        for key, value in said.items():
            held = span.attributes.add(key=key).value
            if isinstance(value, int):
                held.int_value = value
            else:
                held.string_value = value
    return request


def in_json(request: Any) -> bytes:
    """The request in OTLP's JSON."""
    import base64

    from google.protobuf.json_format import MessageToDict

    found = MessageToDict(request, use_integers_for_enums=True)
    for span in found["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in span:
                span[key] = base64.b64decode(span[key]).hex()
    return json.dumps(found).encode()


def load(
    port: int, bodies: list[bytes], headers: dict[str, str], seconds: float, pace: float | None
) -> tuple[float, list[float]]:
    """(spans/s, seconds of each acknowledgement) of connections that send these bodies in turn.

    pace: requests per second of all; None: as fast as answers come. The time of a paced request
    counts from when it was due.
    """
    waits: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    began = time.perf_counter()

    def send(mine: int) -> None:
        client, place = http.client.HTTPConnection("127.0.0.1", port, timeout=30), mine
        while (now := time.perf_counter()) < began + seconds:
            due = now if pace is None else began + place / pace
            if due > now:
                time.sleep(due - now)
            client.request("POST", "/v1/traces", bodies[place % len(bodies)], headers)
            answer = client.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            waits[mine].append(time.perf_counter() - due)
            place += CONNECTIONS
        client.close()

    threads = [threading.Thread(target=send, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    times = sorted(wait for each in waits for wait in each)
    return len(times) * BATCH / taken, times


def measure(
    name: str, log: Path, bodies: list[bytes], headers: dict[str, str], seconds: float,
    pace: float | None = None, drain: bool = False,
) -> None:  # fmt: skip
    """Run a receiver under a load, and print what came of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(log), "drain" if drain else "not"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = int(process.stdout.readline())
    rate, times = load(port, bodies, headers, seconds, pace)
    process.terminate()
    said = json.loads(process.communicate(timeout=120)[0])
    p50, p99 = (1e3 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99))
    own, children = said["rss_mb"]
    drained = f"  drained {said['drained']} events, its process {children:.0f} MB" if drain else ""
    print(
        f"{name:26} {rate:10,.0f} spans/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   "
        f"peak {own:5.0f} MB (bodies {said['body_mb']:.1f})   log {said['wal_mb']:6.0f} MB{drained}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--log", type=Path, help="folder for logs (default: a temporary one)")
    given = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    requests = [batch(number) for number in range(64)]
    protobuf = [request.SerializeToString() for request in requests]
    said = [in_json(request) for request in requests[:16]]
    print(f"a request: {len(protobuf[0]):,} B protobuf, {len(said[0]):,} B JSON")
    plain, text = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/json"}
    zipped = {"Content-Encoding": "gzip"}
    pace = TARGET_SPANS_PER_S / BATCH
    with tempfile.TemporaryDirectory(dir=given.log) as folder:
        base, seconds = Path(folder), given.seconds
        measure("protobuf", base / "1", protobuf, plain, seconds)
        squeezed = [gzip.compress(body, 1) for body in protobuf]
        measure("protobuf, gzip", base / "2", squeezed, plain | zipped, seconds)
        measure("JSON", base / "3", said, text, seconds)
        squeezed = [gzip.compress(body, 1) for body in said]
        measure("JSON, gzip", base / "4", squeezed, text | zipped, seconds)
        measure("protobuf, 20,000 paced", base / "5", protobuf, plain, seconds, pace)
        measure("the same, draining", base / "6", protobuf, plain, 3 * seconds, pace, drain=True)
        print(f"targets {TARGET_SPANS_PER_S:,} spans/s, p99 {1e3 * TARGET_P99_S:.0f} ms")
        from lineshaft.meter.receive import wal

        began = time.perf_counter()
        events = wal.drain(base / "5")
        taken = time.perf_counter() - began
        print(f"draining {events:,} events in {taken:.1f} s: {events / taken:,.0f} events/s")


if __name__ == "__main__":
    main()
