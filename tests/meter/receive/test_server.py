"""The receiver as a whole: a real SDK, a real process, an orderly and a disorderly end."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineshaft.errors import InputError, RunError
from lineshaft.meter.receive import Options, segments, serve, wal
from lineshaft.meter.receive.frames import TRACES, Frame, joined

pytest.importorskip("opentelemetry.sdk")


def export(port: int, **options: Any) -> list[str]:
    """Run two agents with the SDK's batch processor; the ids of their spans."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(f"http://127.0.0.1:{port}/v1/traces", **options)
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer, ids = provider.get_tracer("test"), []
    for place in range(600):  # more than one batch of 512
        with tracer.start_as_current_span("invoke_agent") as agent:
            agent.set_attributes(
                {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.id": f"a{place % 2}"}
            )
            with tracer.start_as_current_span("chat") as step:
                step.set_attributes(
                    {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}
                )
            for span in (agent, step):
                said = span.get_span_context()
                ids.append(f"{said.trace_id:032x}:{said.span_id:016x}")
    assert provider.force_flush()
    provider.shutdown()
    return ids


@pytest.mark.parametrize("token", ["", "a secret"])
def test_a_real_exporter_and_its_log(
    receiver: Callable[..., Any], events_of: Any, token: str
) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression

    running = receiver(token=token)
    options = {"headers": {"authorization": f"Bearer {token}"}} if token else {}
    ids = export(running.port, compression=Compression.Gzip, **options)
    assert running.stop().spans == len(ids) == 1200
    wal.drain(running.log)
    events = events_of(running.log)
    submits = {row["event_id"] for row in events if row["kind"] == "submit"}
    steps = {row["event_id"] for row in events if row["kind"] == "llm"}
    assert {event.rpartition(":")[0] for event in submits | steps} == set(ids)
    assert {row["agent_id"] for row in events} == {"shop/a0", "shop/a1"}
    assert sum(row["tokens_in"] or 0 for row in events) == 6000


def test_an_exporter_with_a_wrong_token_is_told(
    receiver: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    running = receiver(token="right")
    export(running.port, headers={"authorization": "Bearer wrong"})
    assert "401" in caplog.text
    counts = running.stop()
    assert counts.spans == 0
    assert counts.rejected == 3  # batches, none of them repeated


def test_it_drains_while_it_receives(
    receiver: Callable[..., Any], spans: Any, events_of: Any
) -> None:
    running = receiver(drain=True, segment_s=0.2, segment_mb=0.001)
    for _ in range(3):
        assert running.post(spans(20))[0] == 200
    counts = running.stop()
    assert counts.spans == 60
    wal.drain(running.log)  # traces that still waited for others
    assert len([row for row in events_of(running.log) if row["kind"] == "submit"]) == 60
    assert [path.name for path in (running.log / "wal").glob("*.wal")] == []


def test_one_receiver_for_a_log(
    receiver: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = receiver()
    monkeypatch.setattr("lineshaft.meter.receive.server.LOCK_S", 0.1)
    with pytest.raises(RunError, match="another receiver"):
        serve(Options(log=running.log, port=0))


def test_a_port_that_is_taken(receiver: Callable[..., Any], tmp_path: Path) -> None:
    running = receiver()
    with pytest.raises(RunError, match="cannot listen"):
        serve(Options(log=tmp_path / "other", port=running.port, drain=False))


def test_tls(receiver: Callable[..., Any], spans: Any, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not here")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        capture_output=True, check=True,
    )  # fmt: skip
    running = receiver(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    client = http.client.HTTPSConnection("127.0.0.1", running.port, context=trusted, timeout=10)
    for _ in range(2):
        client.request("POST", "/v1/traces", spans(3), {"Content-Type": "application/x-protobuf"})
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    client.request("POST", "/nowhere", bytes(1 << 20))  # refused while it is sent
    assert client.getresponse().status == 404
    client.close()
    assert running.raw(b"GET /health HTTP/1.1\r\n\r\n") == b""  # no TLS
    assert running.stop().spans == 6


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"host": "0.0.0.0"}, "host"),
        ({"host": "192.0.2.1"}, "host"),
        ({"host": "example.org"}, "host"),
        ({"port": -1}, "port"),
        ({"max_body_mb": 0}, "max_body_mb"),
        ({"max_body_mb": 100, "max_queue_mb": 50}, "max_queue_mb"),
        ({"segment_s": float("nan")}, "segment_s"),
        ({"max_connections": 0}, "max_connections"),
        ({"tls_cert": Path("nowhere")}, "tls_cert"),
        ({"token_file": Path("nowhere")}, "token_file"),
        ({"token": "ä"}, "token"),
        ({"http": False}, "http"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError) as raised:
        serve(Options(log=tmp_path / "log", **options))
    assert key in [problem.key for problem in raised.value.problems]
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    "options", [{"host": "::1"}, {"host": "localhost"}, {"host": "0.0.0.0", "insecure": True}]
)
def test_options_that_can_be(tmp_path: Path, options: dict[str, Any]) -> None:
    Options(log=tmp_path, **options).check()


def test_a_token_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    options = Options(log=tmp_path, token_file=tmp_path / "token", host="0.0.0.0")
    options.check()
    assert options.secret() == "secret"
    (tmp_path / "token").write_text("\n")
    with pytest.raises(InputError, match="empty"):
        options.check()


# --- a process ------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from lineshaft.meter.receive import Options, serve
counts = serve(Options(
    log=Path(sys.argv[1]), port=0, min_free_mb=0, segment_s=0.3, drain=sys.argv[2] == "drain",
    ready=lambda port: print(port, flush=True),
))
print(counts.spans, flush=True)
"""


def started(log: Path, drain: str = "not") -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(log), drain], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def post(port: int, body: bytes) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/traces", body, {"Content-Type": "application/x-protobuf"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except (urllib.error.URLError, OSError):
        return 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(tmp_path: Path, spans: Any, events_of: Any, how: int) -> None:
    process, port = started(tmp_path, "drain")
    assert post(port, spans(30)) == 200
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "30\n")
    assert not segments.listed(tmp_path / "wal", segments.OPEN)
    assert not segments.listed(tmp_path / "wal", segments.CLOSED)  # drained, or carried
    wal.drain(tmp_path)
    assert len([row for row in events_of(tmp_path) if row["kind"] == "submit"]) == 30


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, spans: Any, events_of: Any) -> None:
    """And what was sent again, because nobody knew, is there once."""
    acknowledged: set[str] = set()
    for _ in range(2):
        process, port = started(tmp_path)
        for _ in range(5):
            body = spans(10)
            assert post(port, body) == post(port, body) == 200
            acknowledged |= identities(body)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    wal.drain(tmp_path)
    events = events_of(tmp_path)
    assert {row["event_id"] for row in events if row["kind"] == "submit"} == {
        f"{identity}:submit" for identity in acknowledged
    }
    assert len(acknowledged) == 100


def identities(request: bytes) -> set[str]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return {
        f"{span.trace_id.hex()}:{span.span_id.hex()}"
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def test_draining_as_a_process(tmp_path: Path, spans: Any) -> None:
    """Also without a receiver it leaves alone what waits for its trace: the receiver comes back."""
    folder = tmp_path / "wal"
    folder.mkdir()
    for _ in range(2):
        old, new = (Frame(TRACES, 0, at, spans(3)) for at in (1, 10_000_000))
        segments.new(folder).with_suffix(".wal").write_bytes(joined([old, new]))
    command = [sys.executable, "-m", "lineshaft.meter.receive", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"events": 12}
    assert wal.drain(tmp_path) == 12


def test_importing_it_is_cheap() -> None:
    code = "import sys, lineshaft.meter.receive as r; print(r.Options, sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("pyarrow", "google.protobuf", "httptools", "paho", "asyncio"):
        assert f"'{heavy}'" not in out.stdout


def test_a_log_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be made"):
        serve(Options(log=tmp_path / "file" / "log", port=0))


def test_a_full_disk_of_a_process(tmp_path: Path, spans: Any) -> None:
    """RLIMIT_FSIZE lets the system itself refuse to write."""
    limited = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
    process = subprocess.Popen(
        [sys.executable, "-c", limited + PROGRAM, str(tmp_path), "not"],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    port = int(process.stdout.readline())
    large, small = spans(300), spans(10)
    assert len(large) > 20_000
    assert post(port, large) == 0  # 503
    assert post(port, small) == 200
    assert post(port, large) == 0
    assert post(port, small) == 200
    time.sleep(0.1)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "20\n")
