"""Recorded serving, simulated: steady points of AIConfigurator, and whole runs of vLLM.

A point is a closed loop of clients (github.com/ai-dynamo/aiconfigurator, Apache-2.0), a run keeps
its own requests (github.com/casys-kaist/LLMServingSim, MIT).

Groups (model, system, backend) stand in alphabetical order; the shipped coefficients were fitted
on points of every second one, and the objective of that fit was chosen with the errors of both
halves in view (`stages.serve.FITTED`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.measured.models._tools import csv_rows, named
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.stages import serve
from lineshaft.stages.serve import FITTED, Coefficients
from lineshaft.traces import Trace
from lineshaft.transformer import Architecture, Chip

FILE = "serve/aic_silicon_sample_train.csv"
MODELS = {
    "Llama-3.1-8B": "Llama 3.1 8B",
    "Llama-3.1-70B": "Llama 3.1 70B",
    "Qwen3-32B": "Qwen3 32B",
    "Qwen3-235B": "Qwen3 235B-A22B",
    "Qwen3-30B-A3B": "Qwen3 30B-A3B",
    "gpt-oss-120b": "gpt-oss-120b",
    "DeepSeek-R1": "DeepSeek-V3",
    "DeepSeek-V3": "DeepSeek-V3",
}
"""Part of the model's path: name in the catalog."""
SYSTEMS = {"h100_sxm": "H100", "h200_sxm": "H200", "b200_sxm": "B200 SXM", "gb200": "GB200"}
WEIGHT_BYTE = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.56}


@dataclass(frozen=True)
class Point:
    """One measured steady point."""

    group: str
    arch: Architecture
    chip: Chip
    tp: int
    precision: str
    weight_byte: float
    input_tokens: int
    output_tokens: int
    clients: int
    jitter: bool
    """Whether lengths spread over 80 to 100 % of the nominal ones."""
    ttft_s: float
    tpot_s: float

    def simulated(self, coefficients: Coefficients = FITTED) -> tuple[float, float] | None:
        """Mean TTFT and TPOT of the closed loop; None where its KV cache holds no request."""
        requests = min(max(10 * self.clients, 40), 2500)
        low = 0.8 if self.jitter else 1.0
        rng = np.random.default_rng(0)
        inputs, outputs = (
            np.maximum(1, np.rint(size * rng.uniform(low, 1.0, requests))).astype(np.int64)
            for size in (self.input_tokens, self.output_tokens)
        )
        outputs = np.maximum(2, outputs)
        size = self.input_tokens + self.output_tokens
        capacity = serve.kv_capacity_tokens(
            self.arch,
            self.chip,
            tp=self.tp,
            weight_byte=self.weight_byte,
            kv_byte=2.0,
            max_num_batched_tokens=8192,
            mean_context=float(size),
        )
        if capacity < size + 16:
            return None
        times = serve.step_times(
            self.arch,
            self.chip,
            tp=self.tp,
            precision=self.precision,
            weight_byte=self.weight_byte,
            kv_byte=2.0,
            max_tokens=8192,
            coefficients=coefficients,
        )
        limits = serve.Scheduler(1024, 8192, int(capacity // 16), "none")
        trace = Trace("closed loop", np.zeros(requests), inputs, outputs)
        out = serve.simulate(trace, times, limits, clients=self.clients)
        ttft = out.first_s - out.arrival_s + times.api_s
        tpot = (out.finish_s - out.first_s) / (outputs - 1) + times.api_token_s
        return float(ttft.mean()), float(tpot.mean())

    def error(self, of: str, ttft_s: float, tpot_s: float) -> float:
        """Signed relative error of TTFT, TPOT or E2E."""
        steps = {"ttft": (1, 0), "tpot": (0, 1), "e2e": (1, self.output_tokens - 1)}
        first, rest = named(steps, "of", of)
        return (first * ttft_s + rest * tpot_s) / (first * self.ttft_s + rest * self.tpot_s) - 1.0


def points(data: Path, half: str) -> list[Point]:
    """The points of the `fitted` groups, or of the `other` ones."""
    every = _read(data / FILE)
    groups = sorted({point.group for point in every})
    wanted = set(named({"fitted": groups[::2], "other": groups[1::2]}, "half", half))
    return [point for point in every if point.group in wanted]


Latencies = dict[str, NDArray[np.float64]]
"""[request] seconds of ttft, tpot and e2e."""


def vllm_run(
    data: Path,
    gpu: str,
    model: str,
    accelerator: str,
    coefficients: Coefficients = FITTED,
) -> tuple[Latencies, Latencies]:
    """Simulated and recorded latencies of every request of a vLLM run."""
    folder = data / "serve" / "llmservingsim_vllm" / gpu / model
    engine = json.loads((folder / "meta.json").read_text("utf-8"))
    asked = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
    asked.sort(key=lambda row: row["queued_ts"])
    at = np.array([row["queued_ts"] for row in asked])
    inputs, outputs = (
        np.array([row[key] for row in asked], np.int64) for key in ("input_toks", "output_toks")
    )
    arch = architecture(named(MODELS, "model", model))
    device = chip(catalog.find("accelerators", accelerator))
    asks = engine["engine_kwargs"]
    tp, budget = asks["tensor_parallel_size"], asks["max_num_batched_tokens"]
    capacity = serve.kv_capacity_tokens(
        arch,
        device,
        tp=tp,
        weight_byte=2.0,
        kv_byte=2.0,
        max_num_batched_tokens=budget,
        mean_context=1000.0,
    )
    # the engine's own count of blocks where its log has one
    blocks = engine.get("kv_cache", {}).get("num_gpu_blocks", int(capacity // 16))
    limits = serve.Scheduler(asks["max_num_seqs"], budget, blocks, "none")
    times = serve.step_times(
        arch,
        device,
        tp=tp,
        precision="bf16",
        weight_byte=2.0,
        kv_byte=2.0,
        max_tokens=budget,
        coefficients=coefficients,
    )
    out = serve.simulate(Trace(gpu, at - at[0], inputs, outputs), times, limits)
    sent, first, last = (
        np.array([row[key] for row in asked])
        for key in ("queued_ts", "first_token_ts", "last_token_ts")
    )
    return (
        _latencies(out.arrival_s, out.first_s, out.finish_s, outputs),
        _latencies(sent, first, last, outputs),
    )


def _latencies(
    sent: NDArray[np.float64],
    first: NDArray[np.float64],
    last: NDArray[np.float64],
    outputs: NDArray[np.int64],
) -> Latencies:
    return {"ttft": first - sent, "tpot": (last - first) / (outputs - 1), "e2e": last - sent}


@lru_cache
def _read(path: Path) -> tuple[Point, ...]:
    """Aggregated points with tp up to 8 and no attention data parallelism, duplicates dropped."""
    found: dict[Point, None] = {}
    for row in csv_rows(path):
        name = next((MODELS[key] for key in MODELS if key in row["model_path"]), None)
        dp, tp = float(row["attention_dp_size"] or 1), int(float(row["tp_size"] or 0))
        if name is None or row["mode"] != "agg" or dp != 1 or not 1 <= tp <= 8:
            continue
        if row["system"] not in SYSTEMS:
            continue
        found[_point(row, name, tp)] = None
    return tuple(found)


def _point(row: dict[str, str], name: str, tp: int) -> Point:
    device = chip(catalog.find("accelerators", SYSTEMS[row["system"]]))
    kind = row["precision"] or "bf16"
    match = re.search(r"silicon_concurrency=(\d+)", row["silicon_data_source"])
    return Point(
        group=f"{row['model_path']}|{row['system']}|{row['backend']}",
        arch=architecture(name),
        chip=device,
        tp=tp,
        precision=kind if kind in dict(device.flops) else "bf16",
        weight_byte=WEIGHT_BYTE[kind],
        input_tokens=int(row["isl"]),
        output_tokens=int(row["osl"]),
        clients=int(match[1]) if match else int(float(row["batch_size"])),
        jitter="db-dump" in row["silicon_data_source"],
        ttft_s=float(row["silicon_ttft_ms"]) / 1e3,
        tpot_s=float(row["silicon_tpot_ms"]) / 1e3,
    )
