"""Measuring one's own accelerator, here a CPU with tiny sizes; and what needs no torch at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lineshaft.errors import InputError
from lineshaft.stages.serve import measure, optables
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.measure import Job, Timed, jobs
from lineshaft.transformer import Architecture

TINY = Architecture(
    name="tiny", layers=2, hidden=32, heads=4, kv_heads=2, head_dim=8, ffn=64, mlp="swiglu3",
    vocab=128, max_context=256,
)  # fmt: skip
MOE = Architecture(
    name="tiny moe", layers=2, hidden=32, heads=4, kv_heads=2, head_dim=8, ffn=0, mlp="swiglu3",
    vocab=128, experts=8, experts_active=2, expert_ffn=16,
)  # fmt: skip
FEW = [
    *(Job("gemm", "", (m, n, k)) for n, k in ((64, 32), (32, 32), (128, 32), (32, 64))
      for m in (1, 16)),
    *(Job("tokens", op, (m,)) for op in ("layernorm", "act_fn") for m in (1, 16)),
    *(Job("prompt", "", (chunk, before)) for chunk in (4, 16) for before in (0, 32)),
    *(Job("decode", "", (count, context)) for count in (1, 4) for context in (8, 64)),
    Job("copy", "", (1024,)),
]  # fmt: skip


def test_the_jobs_cover_what_step_times_need() -> None:
    found = jobs(TINY, tp=2, devices=2, max_context=256)
    products = {job.sizes[1:] for job in found if job.kind == "gemm"}
    assert (64, 32) in products  # lm_head
    assert (32, 16) in products  # o_proj
    assert {job.kind for job in found} == {
        "gemm", "tokens", "prompt", "decode", "copy", "all_reduce", "all_gather",
    }  # fmt: skip
    assert all(sum(job.sizes) <= 256 for job in found if job.kind == "prompt")
    assert len(found) == len(set(found))
    assert {job.sizes[1] for job in jobs(MOE) if job.kind == "experts"} == {4, 8}
    assert str(Job("gemm", "", (1, 4096, 32))) == "gemm: tokens 1, n 4,096, k 32"


def test_a_missing_torch_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r'pip install "lineshaft\[measure\]"'):
        measure.measure(tmp_path / "own.csv", TINY, device="cpu")


def test_a_half_finished_file_is_read_and_a_cut_row_dropped(tmp_path: Path) -> None:
    part = tmp_path / "own.csv.measuring"
    settings = {"device": "cpu", "tp": 1}
    assert measure._resumed(part, settings) == {}
    done = {Job("gemm", "", (4, 8, 16)): Timed(1.25e-3, 0.1)}
    with part.open("a") as file:
        for job, timed in done.items():
            file.write(",".join(measure._row(job, timed)) + "\n")
        file.write("gemm,,8,,,")
    assert measure._resumed(part, settings) == done
    assert part.read_text().endswith("0.1\n")
    with pytest.raises(InputError, match="other settings"):
        measure._resumed(part, {"device": "cuda", "tp": 1})


def test_measured_tables_time_steps(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "own.csv"
    told: list[tuple[int, int, str]] = []
    tables, skipped = measure.measure(
        path, TINY, device="cpu", what=FEW, progress=lambda *args: told.append(args)
    )
    assert skipped == []
    assert not list(tmp_path.glob("*.measuring"))
    assert told[-1][:2] == (len(FEW), len(FEW))
    assert all(time > 0 for times in tables.calls.values() for time in times.values())
    again = optables.read(path)
    assert again.calls == tables.calls
    times = again.step_times(TINY, Layout(), max_tokens=32)
    assert times.dense_s[16] > 0


def test_a_broken_off_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "own.csv"
    ran: list[Job] = []
    time = measure._Runner.time

    def stopped(self: measure._Runner, job: Job) -> Timed:
        if len(ran) == 5:
            raise KeyboardInterrupt
        ran.append(job)
        return time(self, job)

    monkeypatch.setattr(measure._Runner, "time", stopped)
    with pytest.raises(KeyboardInterrupt):
        measure.measure(path, TINY, device="cpu", what=FEW)
    assert not path.exists()
    monkeypatch.setattr(measure._Runner, "time", lambda self, job: ran.append(job) or Timed(1, 0))
    tables, _ = measure.measure(path, TINY, device="cpu", what=FEW)
    assert len(ran) == len(FEW) and len(set(ran)) == len(FEW)
    assert sum(len(times) for times in tables.calls.values()) == len(FEW)


def test_experts_and_what_a_device_cannot_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    broken = Job("prompt", "", (-1, 0))
    asked = [Job("experts", "", (m, hit)) for m in (1, 8) for hit in (2, 8)]
    tables, skipped = measure.measure(
        tmp_path / "own.csv", MOE, device="cpu", what=[*asked, broken]
    )
    assert len(tables.times("experts")) == 4
    assert len(skipped) == 1 and skipped[0].startswith("prompt: tokens -1")
    with pytest.raises(InputError, match="none of 1 jobs ran"):
        measure.measure(tmp_path / "other.csv", MOE, device="cpu", what=[broken])


def test_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(InputError) as raised:
        measure.measure(tmp_path / "own.csv", TINY, device="tpu", precision="fp6")
    assert [problem.key for problem in raised.value.problems] == ["precision", "device"]


def test_collectives_run_in_processes_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    asked = [Job(kind, "", (4096, 2)) for kind in ("all_reduce", "all_gather")]
    tables, skipped = measure.measure(tmp_path / "own.csv", TINY, device="cpu", what=asked)
    assert skipped == []
    assert tables.times("all_reduce")[4096.0, 2.0] > 0
    assert tables.times("all_gather")[4096.0, 2.0] > 0
