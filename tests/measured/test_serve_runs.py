"""Recorded runs: how they are read and scored, and how well they are met."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineshaft.measured.models import serve_runs
from lineshaft.measured.models.serve_runs import Recorded
from lineshaft.stages.serve.requests import Requests

SHARED = Path(__file__).parents[2] / "../shared/data"
RUNS = "llmservingsim_vllm"


def recorded_run(folder: Path, **engine: Any) -> Path:
    """A folder of a run with two requests, the later one first in its file."""
    run = folder / RUNS / "H100" / "some-model"
    run.mkdir(parents=True)
    asks = {
        "tensor_parallel_size": 1,
        "data_parallel_size": 1,
        "enable_expert_parallel": False,
        "max_num_seqs": 8,
        "max_num_batched_tokens": 512,
    }
    meta = {"model": "meta-llama/Llama-3.1-8B", "engine_kwargs": asks | engine}
    (run / "meta.json").write_text(json.dumps(meta))
    rows = [(40, 3, 7.5, 8.0, 9.0), (33, 1, 7.0, 7.25, 7.25)]
    keys = ("input_toks", "output_toks", "queued_ts", "first_token_ts", "last_token_ts")
    lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in rows]
    (run / "requests.jsonl").write_text("\n".join(lines))
    return run


def test_a_run_is_read_in_the_order_of_its_requests(tmp_path: Path) -> None:
    found = serve_runs.vllm_recorded(recorded_run(tmp_path))
    assert found.requests.arrival_s.tolist() == [0.0, 0.5]
    assert found.requests.input_tokens.tolist() == [33, 40]
    assert found.latencies["ttft"].tolist() == [0.25, 0.5]
    assert found.latencies["e2e"].tolist() == [0.25, 1.5]
    # TPOT is not defined for an answer of one token
    assert np.isnan(found.latencies["tpot"][0]) and found.latencies["tpot"][1] == 0.5
    assert found.span_s == 2.0
    # every prompt has prefix blocks of its own
    assert found.requests.block_start.tolist() == [0, 2, 4]
    assert len(set(found.requests.block_ids.tolist())) == 4


def test_errors_are_relative_and_absolute() -> None:
    asked = Requests("three", np.zeros(3), np.full(3, 8), np.full(3, 2))
    real = {name: np.array([1.0, 2.0, 3.0]) for name in serve_runs.METRICS}
    ours = {name: np.array([0.9, 1.8, np.nan]) for name in serve_runs.METRICS}
    found = serve_runs.errors(Recorded(asked, real, 10.0), ours, 12.5)
    assert found["ttft_med"] == pytest.approx(0.1)
    assert found["e2e_p50"] == pytest.approx(0.1)
    assert found["throughput_med"] == pytest.approx(0.2)
    assert found["coverage"] == pytest.approx(2 / 3)


def test_a_run_without_kernel_times_is_scored_with_the_shipped_coefficients(
    tmp_path: Path,
) -> None:
    recorded_run(tmp_path)
    found = serve_runs.score(tmp_path)[f"{RUNS}/H100/some-model"]
    assert list(found["levels"]) == ["L1"]
    assert (found["rows"], found["coverage"]) == (2, 1.0)
    assert found["tpot_med"] == found["levels"]["L1"]["tpot_med"] > 0


def test_an_unknown_model_lowers_the_coverage(tmp_path: Path) -> None:
    run = recorded_run(tmp_path)
    meta = json.loads((run / "meta.json").read_text())
    (run / "meta.json").write_text(json.dumps(meta | {"model": "nobody/knows-it"}))
    found = serve_runs.score(tmp_path)[f"{RUNS}/H100/some-model"]
    assert (found["coverage"], found["levels"], found["tpot_med"]) == (0.0, {}, None)


@pytest.fixture(scope="module")
def scores() -> dict[str, dict[str, Any]]:
    if not SHARED.is_dir():
        pytest.skip("published data sets are not here")
    return serve_runs.score(SHARED)


@pytest.mark.shared
def test_measured_runs_of_vllm_with_measured_kernels(scores: dict[str, dict[str, Any]]) -> None:
    runs = {
        name: found
        for name, found in scores.items()
        if name.startswith(RUNS) and name.count("/") == 2
    }
    assert len(runs) >= 3
    for name, found in runs.items():
        errors = found["levels"]["tables"]
        assert errors["coverage"] == 1.0
        assert errors["tpot_med"] <= 0.02, name
        assert errors["e2e_med"] <= 0.03, name
        assert errors["throughput_med"] <= 0.04, name
        assert errors["ttft_med"] <= 0.06, name


@pytest.mark.shared
def test_vidurs_own_run_with_its_tables(scores: dict[str, dict[str, Any]]) -> None:
    errors = scores["vidur_reference_run/vidur_cl34_5k_sarathi"]["levels"]["tables"]
    for metric in serve_runs.METRICS:
        assert errors[f"{metric}_p50"] <= 0.03
        assert errors[f"{metric}_p99"] <= 0.03


@pytest.mark.shared
def test_sarathi_against_vllm_v0_as_vidur_finds_it() -> None:
    if not SHARED.is_dir():
        pytest.skip("published data sets are not here")
    root = SHARED / "serve"
    found = {}
    for kind in ("sarathi", "vllm"):
        name = f"vidur_cl34_1k_{kind}"
        recorded = serve_runs.vidur_recorded(root / "vidur_reference_run" / f"{name}_requests.csv")
        given = serve_runs.vidur_fleet(root, name)
        assert given is not None
        found[kind] = serve_runs.simulated(given, recorded)[0]
    ttft = found["sarathi"]["ttft"].mean() / found["vllm"]["ttft"].mean() - 1
    tpot = (
        np.quantile(found["sarathi"]["tpot"], 0.99) / np.quantile(found["vllm"]["tpot"], 0.99) - 1
    )
    assert ttft == pytest.approx(0.20, abs=0.05)
    assert tpot == pytest.approx(-0.27, abs=0.07)
