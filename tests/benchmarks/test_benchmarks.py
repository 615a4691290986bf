"""Result files of load generators, written here as the tools write them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineshaft import benchmarks
from lineshaft.benchmarks import COLUMNS, Measured, read, write_points
from lineshaft.errors import InputError
from lineshaft.stages.serve import latency

VLLM = {
    "date": "20260401-101500", "backend": "vllm", "model_id": "meta-llama/Llama-3.1-8B-Instruct",
    "num_prompts": 3, "request_rate": 4.0, "max_concurrency": None, "duration": 3.0,
    "completed": 2, "failed": 1, "total_input_tokens": 300, "total_output_tokens": 12,
    "output_throughput": 4.0, "mean_ttft_ms": 250.0, "median_ttft_ms": 250.0,
    "std_ttft_ms": 50.0, "p99_ttft_ms": 299.0, "mean_tpot_ms": 20.0, "median_tpot_ms": 20.0,
    "std_tpot_ms": 0.0, "p99_tpot_ms": 20.0, "mean_itl_ms": 20.0,
}  # fmt: skip
DETAILED = VLLM | {
    "input_lens": [100, 200, 50],
    "output_lens": [1, 11, 0],
    "ttfts": [0.2, 0.3, 0.0],
    "itls": [[], [0.02] * 10, []],
    "start_times": [1000.5, 1000.0, 1001.0],
    "errors": ["", "", "timed out"],
}
SGLANG = {
    "backend": "sglang-oai", "dataset_name": "random", "request_rate": math.inf,
    "max_concurrency": 16, "duration": 10.0, "completed": 100, "total_input_tokens": 102_400,
    "total_output_tokens": 12_800, "total_output_tokens_retokenized": 12_790,
    "output_throughput": 1280.0, "mean_e2e_latency_ms": 1500.0, "median_e2e_latency_ms": 1450.0,
    "p99_e2e_latency_ms": 2100.0, "mean_ttft_ms": 230.0, "median_ttft_ms": 210.0,
    "p99_ttft_ms": 600.0, "mean_tpot_ms": 10.0, "median_tpot_ms": 9.8, "p99_tpot_ms": 14.0,
    "concurrency": 15.2,
}  # fmt: skip


def stats(mean: float, unit: str = "ms") -> dict[str, Any]:
    return {"unit": unit, "avg": mean, "p50": mean * 0.9, "p99": mean * 2, "std": 1.0}


AIPERF = {
    "schema_version": "1.5",
    "time_to_first_token": stats(180.0),
    "inter_token_latency": stats(9.0),
    "request_latency": stats(1.3, "sec"),
    "input_sequence_length": stats(550.0, "tokens"),
    "output_sequence_length": stats(128.0, "tokens"),
    "request_count": {"unit": "requests", "avg": 20.0},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 700.0},
    "benchmark_duration": {"unit": "sec", "avg": 12.5},
    "input_config": {
        "endpoint": {"model_names": ["Qwen/Qwen3-0.6B"], "streaming": True},
        "loadgen": {"concurrency": 8, "request_count": 20},
    },
}
PERF = {
    "load_summary": {"count": 480, "requested_rate": 8.0, "achieved_rate": 7.9},
    "successes": {
        "count": 480,
        "latency": {
            "request_latency": {"mean": 11.4, "median": 11.7, "p90": 12.8, "p99.9": 13.2},
            "normalized_time_per_output_token": {"mean": 0.088},
            "time_per_output_token": {"mean": 0.026, "median": 0.0264, "p99": 0.028},
            "time_to_first_token": {"mean": 4.7, "median": 5.0, "p99": 6.1},
        },
        "throughput": {"output_tokens_per_sec": 4760.5, "requests_per_sec": 37.0},
        "prompt_len": {"mean": 135.0},
        "output_len": {"mean": 128.6},
    },
    "failures": {"count": 0, "request_latency": None},
}


def guide(name: str, mean: float) -> dict[str, Any]:
    marks = {"p001": 0.1 * mean, "p50": mean, "p99": 2 * mean, "p999": 3 * mean}
    return {name: {"successful": {"mean": mean, "percentiles": marks}, "errored": {"mean": 0.0}}}


GUIDELLM = {
    "args": {"target": "http://localhost:8000", "model": "ibm-granite/granite-3.1-8b"},
    "benchmarks": [
        {
            "config": {"strategy": {"type_": "concurrent", "streams": 32, "max_concurrency": 32}},
            "duration": 30.0,
            "metrics": {
                "request_totals": {"successful": 2, "errored": 0, "total": 2},
                **guide("prompt_token_count", 1000.0),
                **guide("output_token_count", 6.0),
                **guide("output_tokens_per_second", 400.0),
                **guide("request_latency", 0.9),
                **guide("time_to_first_token_ms", 300.0),
                **guide("time_per_output_token_ms", 150.0),
                **guide("inter_token_latency_ms", 120.0),
            },
            "requests": {
                "successful": [
                    {
                        "request_start_time": 50.0 + sent,
                        "prompt_tokens": 1000,
                        "output_tokens": answer,
                        "time_to_first_token_ms": 300.0,
                        "inter_token_latency_ms": gap,
                    }
                    for sent, answer, gap in ((0.0, 11, 120.0), (1.0, 1, None))
                ]
            },
        },
        {
            "config": {"strategy": {"type_": "constant", "rate": 2.5}},
            "metrics": {
                **guide("request_concurrency", 7.5),
                **guide("prompt_token_count", 1000.0),
                **guide("output_token_count", 6.0),
                **guide("time_to_first_token_ms", 200.0),
                **guide("inter_token_latency_ms", 100.0),
            },
        },
    ],
}


def saved(tmp_path: Path, *documents: Any, name: str = "result.json") -> Path:
    path = tmp_path / name
    indent = 2 if len(documents) == 1 else None
    path.write_text("\n".join(json.dumps(one, indent=indent) for one in documents))
    return path


def test_vllm_summary(tmp_path: Path) -> None:
    (point,) = read(saved(tmp_path, VLLM))
    assert (point.tool, point.engine) == ("vLLM", "vllm")
    assert point.model == "meta-llama/Llama-3.1-8B-Instruct"
    assert (point.rate_rps, point.concurrency, point.requests) == (4.0, 0.0, 2)
    assert (point.input_tokens, point.output_tokens) == (150.0, 6.0)
    assert point.ttft.mean_s == pytest.approx(0.25)
    assert point.ttft.percentiles_s == ((50.0, pytest.approx(0.25)), (99.0, pytest.approx(0.299)))
    assert point.tpot.mean_s == pytest.approx(0.02)
    assert math.isnan(point.e2e.mean_s)  # not asked for with --percentile-metrics
    assert point.rows is None


def test_vllm_requests_become_a_trace(tmp_path: Path) -> None:
    (point,) = read(saved(tmp_path, DETAILED | {"tp": "4", "accelerator": "H100"}))
    assert (point.tp, point.accelerator) == (4, "H100")  # from --metadata
    rows = point.rows
    assert rows is not None and len(rows) == 2  # the failed one is left out
    np.testing.assert_allclose(rows.e2e_s, [0.2, 0.5])
    np.testing.assert_allclose(rows.tpot_s, [np.nan, 0.02])
    trace = rows.trace("recorded")
    np.testing.assert_allclose(trace.arrival_s, [0.0, 0.5])
    assert trace.input_tokens.tolist() == [200, 100]
    assert trace.output_tokens.tolist() == [11, 1]


def test_rows_agree_with_the_tools_own_summary(tmp_path: Path) -> None:
    (point,) = read(saved(tmp_path, DETAILED))
    rows = point.rows
    assert rows is not None
    sent = rows.arrival_s
    own = latency.summary(
        latency.of(sent, sent + rows.ttft_s, sent + rows.e2e_s, rows.output_tokens)
    )
    assert own["ttft"]["mean"] == pytest.approx(point.ttft.mean_s)
    assert own["ttft"]["p99"] == pytest.approx(point.ttft.percentiles_s[-1][1])
    assert own["tpot"]["mean"] == pytest.approx(point.tpot.mean_s)


def test_vllm_appends_one_result_a_line_and_sends_all_at_once(tmp_path: Path) -> None:
    at_once = VLLM | {"request_rate": "inf"}
    first, second = read(saved(tmp_path, at_once, at_once | {"max_concurrency": 2}))
    assert (first.concurrency, first.rate_rps) == (3.0, 0.0)
    assert (second.concurrency, second.rate_rps) == (2.0, 0.0)
    assert second.where.endswith("result.json:2")


def test_sglang(tmp_path: Path) -> None:
    detailed = SGLANG | {
        "input_lens": [1024],
        "output_lens": [3],
        "ttfts": [0.2],
        "itls": [[0.01, 0.03]],
        "errors": [""],
    }
    first, second = read(saved(tmp_path, SGLANG, detailed, name="result.jsonl"))
    assert (first.tool, first.engine, first.concurrency) == ("SGLang", "sglang", 16.0)
    assert first.rate_rps == 0.0  # sent without limit, 16 at a time
    assert first.input_tokens == 1024.0
    assert first.e2e.mean_s == pytest.approx(1.5)
    assert first.e2e.percentiles_s[-1] == (99.0, pytest.approx(2.1))
    assert second.rows is not None
    np.testing.assert_allclose(second.rows.e2e_s, [0.24])
    with pytest.raises(InputError, match="no times at which requests were sent"):
        second.rows.trace("recorded")


@pytest.mark.parametrize(
    ("config", "concurrency", "rate"),
    [
        (AIPERF["input_config"], 8.0, 0.0),
        (
            {
                "models": {"items": [{"name": "Qwen/Qwen3-0.6B"}]},
                "phases": {"warmup": {"concurrency": 99}, "profiling": {"concurrency": 40}},
            },
            40.0,
            0.0,
        ),
        (
            {
                "models": {"items": [{"name": "Qwen/Qwen3-0.6B"}]},
                "phases": [{"name": "warmup", "concurrency": 9}, {"name": "a", "request_rate": 3}],
            },
            0.0,
            3.0,
        ),
    ],
)
def test_aiperf_summary(tmp_path: Path, config: Any, concurrency: float, rate: float) -> None:
    (point,) = read(saved(tmp_path, AIPERF | {"input_config": config}))
    assert (point.tool, point.model) == ("AIPerf", "Qwen/Qwen3-0.6B")
    assert (point.concurrency, point.rate_rps, point.requests) == (concurrency, rate, 20)
    assert point.ttft.mean_s == pytest.approx(0.18)
    assert point.tpot.percentiles_s == ((50.0, pytest.approx(0.0081)), (99.0, pytest.approx(0.018)))
    assert point.e2e.mean_s == pytest.approx(1.3)  # its unit is seconds
    assert point.output_tokens_per_s == 700.0


def test_aiperf_requests(tmp_path: Path) -> None:
    def record(start_s: float, answer: int, error: Any = None, phase: str = "profiling") -> Any:
        return {
            "metadata": {
                "request_start_ns": round((1_759_813_207 + start_s) * 1e9),
                "benchmark_phase": phase,
            },
            "metrics": {
                "input_sequence_length": {"value": 550, "unit": "tokens"},
                "output_sequence_length": {"value": answer, "unit": "tokens"},
                "time_to_first_token": {"value": 250.0, "unit": "ms"},
                "request_latency": {"value": 250.0 + 10.0 * (answer - 1), "unit": "ms"},
            },
            "error": error,
        }

    records = [
        record(2.0, 5),
        record(0.0, 1),
        record(1.0, 9, {"code": 499}),
        record(-5.0, 9, None, "warmup"),
    ]
    (point,) = read(saved(tmp_path, *records, name="profile_export.jsonl"))
    assert point.requests == 2
    assert point.tpot.mean_s == pytest.approx(0.01)
    assert point.duration_s == pytest.approx(2.29)
    assert point.concurrency == pytest.approx((0.29 + 0.25) / 2.29)
    assert point.rows is not None
    np.testing.assert_allclose(point.rows.trace("a").arrival_s, [0.0, 2.0], atol=1e-6)


def test_inference_perf_summary(tmp_path: Path) -> None:
    (point,) = read(saved(tmp_path, PERF))
    assert (point.tool, point.rate_rps, point.concurrency) == ("inference-perf", 8.0, 0.0)
    assert (point.input_tokens, point.output_tokens) == (135.0, 128.6)
    assert point.tpot.mean_s == 0.026  # not the normalised one
    assert point.e2e.percentiles_s[-1] == (99.9, 13.2)


@pytest.mark.parametrize("nested", [True, False])
def test_inference_perf_requests(tmp_path: Path, nested: bool) -> None:
    times = {"output_tokens": 3, "output_token_times": [100.2, 100.3, 100.4]}
    info = {"input_tokens": 64, "response_metrics": times} if nested else {
        "input_tokens": 64, **times
    }  # fmt: skip
    entry = {"start_time": 100.0, "end_time": 100.41, "info": info, "error": None}
    broken = entry | {"error": {"error_type": "Timeout"}, "info": {"input_tokens": 64}}
    (point,) = read(saved(tmp_path, [entry, broken, entry | {"start_time": 100.1}]))
    assert point.requests == 2
    assert point.ttft.mean_s == pytest.approx(0.15)
    assert point.tpot.mean_s == pytest.approx(0.1)


def test_guidellm(tmp_path: Path) -> None:
    closed, opened = read(saved(tmp_path, GUIDELLM, name="benchmarks.json"))
    assert closed.model == "ibm-granite/granite-3.1-8b"
    assert (closed.concurrency, closed.rate_rps) == (32.0, 0.0)
    assert (opened.concurrency, opened.rate_rps) == (7.5, 2.5)
    assert closed.tpot.mean_s == pytest.approx(0.12)  # its time_per_output_token has the TTFT in it
    assert [at for at, _ in closed.ttft.percentiles_s] == [0.1, 50.0, 99.0, 99.9]
    assert closed.e2e.mean_s == pytest.approx(0.9)  # in seconds, unlike the others
    assert closed.rows is not None
    np.testing.assert_allclose(closed.rows.e2e_s, [1.5, 0.3])
    assert opened.rows is None


def test_points_csv_and_back(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(
        "model,accelerator,tp,input_tokens,output_tokens,concurrency,rate,ttft_ms,tpot_ms\n"
        "Llama 3.1 8B,H100,2,1024,128,16,,120,8.5\n"
        "Llama 3.1 8B,H100,,1024,128,,3.5,,9\n"
    )
    first, second = read(path)
    assert (first.tp, first.concurrency, first.rate_rps) == (2, 16.0, 0.0)
    assert (second.tp, second.concurrency, second.rate_rps) == (1, 0.0, 3.5)
    assert first.e2e.mean_s == pytest.approx(0.12 + 127 * 0.0085)
    assert math.isnan(second.ttft.mean_s)
    again = tmp_path / "again.csv"
    write_points(again, [first, second])
    assert again.read_text().splitlines()[0] == ",".join(COLUMNS)

    def known(point: Measured) -> list[Any]:
        return [
            *(getattr(point, name) for name in ("model", "accelerator", "tp", "concurrency")),
            *(point.rate_rps, repr(point.ttft.mean_s), repr(point.tpot.mean_s)),
        ]

    assert [known(point) for point in read(again)] == [known(first), known(second)]


def test_every_wrong_cell_of_a_points_csv(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(
        "model,accelerator,tp,input_tokens,output_tokens,concurrency,ttft_ms,tpot_ms\n"
        ",H100,1.5,1024,,16,120,8.5\n"
        "Llama,H100,1,1024,128,,slow,\n"
        "Llama,H100,1,1024,128,1,-3,4\n"
    )
    with pytest.raises(InputError) as raised:
        read(path)
    found = [(p.where.rsplit(":", 1)[1], p.key) for p in raised.value.problems]
    assert found == [
        ("2", "output_tokens"), ("2", "tp"), ("2", "model"),
        ("3", "ttft_ms"), ("3", "concurrency"), ("4", "ttft_ms"),
    ]  # fmt: skip


def test_wrong_columns_of_a_points_csv(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("model,acelerator,input_tokens,output_tokens,ttft_ms\nA,B,1,1,1\n")
    with pytest.raises(InputError) as raised:
        read(path)
    assert [p.key for p in raised.value.problems] == ["acelerator", "accelerator"]
    assert raised.value.problems[0].fix == "did you mean 'accelerator'?"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "starts with 'a,b'"),
        ('{"hello": 1}', "it holds hello"),
        ("[1, 2]", "a list"),
        ('{"a": 1,\n "b": }', "broken JSON in line 2"),
        ('{"mean_ttft_ms": 1}\n{oops\n', "broken JSON in line 2"),
        ('{"mean_ttft_ms": 1.0, "total_input_tokens": 0, "completed": 0}', "no input tokens"),
        (json.dumps(VLLM | {"input_lens": [1], "output_lens": [2], "ttfts": [0.1], "itls": [3]}),
         "another form"),
        (json.dumps([{"info": {}, "end_time": 1.0, "start_time": 0.0}]), "no answered request"),
    ],
)  # fmt: skip
def test_what_is_no_result(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "what.json"
    path.write_text(text)
    with pytest.raises(InputError, match=found) as raised:
        read(path)
    assert str(path) in raised.value.problems[0].where


def test_unknown_formats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "what.json"
    path.write_text('{"hello": 1}')
    with pytest.raises(InputError) as raised:
        read(path)
    assert raised.value.problems[0].allowed == benchmarks.FORMATS
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "none.json")
