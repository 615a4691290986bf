"""`lineshaft serve` as a user meets it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lineshaft.cli import main
from lineshaft.stages.serve import calibration
from lineshaft.stages.serve.optables import OperatorTables

SMALL = "--model llama-3.1-8b --accelerator H100 --requests 300"
POINTS = """\
model,accelerator,engine,precision,tp,pp,dp,ep,input_tokens,output_tokens,concurrency,ttft_ms,tpot_ms
llama-3.1-8b,H100,vllm,fp8,1,1,1,1,1000,100,1,40,5.2
llama-3.1-8b,H100,vllm,fp8,1,1,1,1,1000,100,16,160,7.1
"""


def ask(capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str, str]:
    """Status, what stands on stdout and what on stderr."""
    with pytest.raises(SystemExit) as end:
        main(["serve", *shlex.split(command)])
        raise SystemExit(0)
    out, err = capsys.readouterr()
    status = end.value.code or 0
    assert isinstance(status, int)
    return status, out, err


def said(capsys: pytest.CaptureFixture[str], command: str) -> str:
    status, out, err = ask(capsys, command)
    assert status == 0, err
    return out


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_simulate_tells_figures_and_what_to_ask_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = said(capsys, f"simulate {SMALL} --rate 10 --slo ttft_p90=1s --explain")
    for words in ("TTFT", "goodput", "per million tokens", "kWh", "A usual step", "met"):
        assert words in out
    follow = [line for line in out.splitlines() if line.startswith("  lineshaft serve plan")]
    assert follow and "--slo ttft_p90=1s" in follow[0] and "--rate 10" in follow[0]


def test_json_is_whole_and_holds_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, f"simulate {SMALL} --clients 4 --json"))
    assert found["traffic"]["offered_rps"] == 0 and found["saturation_rps"] is None
    assert found["latency_s"]["ttft"]["p90"] > 0
    assert len(found["over_time"]["running"]) == len(found["over_time"]["time_s"])


def test_requests_are_written(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    said(capsys, f"simulate {SMALL} --rate 5 --out found")
    names = {path.name for path in (here / "found").iterdir()}
    assert names == {"requests.parquet", "result.json"}


def test_sweep_draws_a_picture(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    out = said(capsys, f"sweep {SMALL} --slo tpot_p90=20ms --points 4")
    assert "Knee at" in out and "saturates at" in out
    words = "".join(ElementTree.parse(here / "sweep.svg").getroot().itertext())
    assert "knee" in words and "saturation" in words and "asked 20.0 ms" in words


def test_plan_prints_the_front_and_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        "plan --model llama-3.1-8b --rate 30 --requests 300 --slo ttft_p90=2s,tpot_p90=50ms "
        "--accelerators H100 --widest 1"
    )
    out = said(capsys, command)
    assert "Winner:" in out and "vllm serve" in out and "sglang.launch_server" in out
    assert "trtllm-serve" in out and "times the load" in out
    follow = [line for line in out.splitlines() if line.startswith("  lineshaft serve simulate")]
    again = said(capsys, follow[0].removeprefix("  lineshaft serve "))
    assert "MISSED" not in again
    told = json.loads(said(capsys, f"{command} --json"))
    assert {"winner", "front", "why", "breaks_first", "commands"} <= set(told)


def test_points_calibrate_what_is_simulated(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "points.csv").write_text(POINTS)
    assert "TPOT: median error" in said(capsys, "calibrate points.csv --out own.json")
    load = "--model llama-3.1-8b --accelerator H100 --clients 16 --requests 160 --input 1000"
    out = said(capsys, f"simulate {load} --output 100 --coefficients own.json --json")
    tpot_s = json.loads(out)["latency_s"]["tpot"]["mean"]
    assert tpot_s == pytest.approx(7.1e-3, rel=0.05)
    status, _, err = ask(capsys, f"simulate {load.replace('H100', 'H200')} --coefficients own.json")
    assert status == 2 and "made for H100" in err


def test_measured_kernels_are_where_a_calibration_starts(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    (here / "points.csv").write_text(POINTS)
    products = {
        (float(m), 4096.0, 4096.0): max(2 * m * 4096**2 / 1e15, 4096**2 / 1e12) + 3e-6
        for m in (1, 16, 128, 1024, 8192)
    }
    OperatorTables("toy", {("gemm", ""): products}).write(here / "own.csv")
    said(capsys, "calibrate points.csv --out with.json --tables own.csv")
    said(capsys, "calibrate points.csv --out without.json")
    with_tables, without = (
        calibration.read(here / name).coefficients for name in ("with.json", "without.json")
    )
    assert with_tables.compute_efficiency != without.compute_efficiency
    status, _, err = ask(capsys, "calibrate points.csv --tables points.csv")
    assert status == 2 and "points.csv" in err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("simulate --model llama-3.1-8b --accelerator H100", "nothing says when requests come"),
        ("simulate --model llama-3.1-70b --accelerator H100 --rate 1", "does not fit"),
        ("simulate --model llama-3.1-8b --accelerator H100 --rate 900", "saturates at"),
        ("simulate --model lama --accelerator H10 --rate 1", "2 problems found"),
        ("simulate --model llama-3.1-8b --accelerator H100 --trace no.csv", "cannot be read"),
        ("simulate --model llama-3.1-8b --accelerator H100 --rate 1 --slo x=1", "unknown latency"),
        ("simulate --model llama-3.1-8b --accelerator H100 --rate 1 --price x", "NAME=USD"),
        ("sweep --model llama-3.1-8b --accelerator H100 --rates 1,b", "--rates"),
        ("plan --model llama-3.1-8b --rate 1", "service level"),
        ("plan --model llama-3.1-8b --rate 1 --slo ttft=1us", "closest is"),
        ("calibrate no.csv", "no.csv"),
    ],
)
def test_bad_input_is_told_with_status_2(
    command: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = ask(capsys, command)
    assert (status, out) == (2, "") and words in err and "Traceback" not in err


def test_broken_traces_are_told_line_by_line(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    good = {"timestamp": 0, "input_length": 100, "output_length": 10}
    rows = [good, {**good, "output_length": 0}, {**good, "timestamp": None}]
    (here / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    status, _, err = ask(capsys, f"simulate {SMALL} --trace t.jsonl")
    assert status == 2 and "2 of 3 rows are broken" in err
    assert "line 2: output_length is less than 1" in err and "line 3: timestamp" in err
