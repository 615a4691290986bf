"""Fits the coefficients of the serving step time on measured steady points, and scores them.

    PYTHONPATH=src python bench/fit_serve.py FOLDER [--fit]

FOLDER holds aic_silicon_sample_train.csv, AIConfigurator's measured points
(github.com/ai-dynamo/aiconfigurator, Apache-2.0), and llmservingsim_vllm/, LLMServingSim's vLLM
0.19.0 runs (github.com/casys-kaist/LLMServingSim, MIT). Each point is a closed loop of
`concurrency` clients, simulated request by request. Groups (model, system, backend) are split in
two: coefficients are fitted on one half and scored on both. The vLLM runs are never fitted.
Without --fit the shipped coefficients are scored.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from lineshaft.stages.serve.memory import kv_capacity_tokens
from lineshaft.stages.serve.simulate import Scheduler, simulate
from lineshaft.stages.serve.steptime import FITTED, Coefficients, step_times
from lineshaft.traces import Trace
from lineshaft.transformer import Architecture, Chip, from_row

CATALOG = Path(__file__).parents[1] / "src/lineshaft/catalog/models.csv"
MODELS = {  # substring of the model path: catalog name
    "Llama-3.1-8B": "Llama 3.1 8B",
    "Llama-3.1-70B": "Llama 3.1 70B",
    "Qwen3-32B": "Qwen3 32B",
    "Qwen3-235B": "Qwen3 235B-A22B",
    "Qwen3-30B-A3B": "Qwen3 30B-A3B",
    "gpt-oss-120b": "gpt-oss-120b",
    "DeepSeek-R1": "DeepSeek-V3",
    "DeepSeek-V3": "DeepSeek-V3",
}


def _chip(name: str, tera: tuple[float, ...], gb: float, tb_s: float, link_gb_s: float) -> Chip:
    flops = tuple(zip(("bf16", "fp8", "fp4"), (value * 1e12 for value in tera), strict=False))
    return Chip(name, name, flops, gb * 1e9, tb_s * 1e12, link_gb_s * 1e9, 8, 50e9, 0.0)


CHIPS = {  # vendors' datasheets, dense rates; link rates in one direction
    "h100_sxm": _chip("h100", (989.4, 1979), 80, 3.35, 450),
    "h200_sxm": _chip("h200", (989.5, 1979), 141, 4.8, 450),
    "b200_sxm": _chip("b200", (2250, 4500, 9000), 180, 8.0, 900),
    "gb200": _chip("gb200", (2500, 5000, 10000), 186, 8.0, 900),
    "RTXPRO6000": _chip("rtxpro6000", (503.8, 1007), 96, 1.597, 32),
    "RTX4090": _chip("rtx4090", (165.2, 330.3), 25.25, 1.008, 16),
}
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
    isl: int
    osl: int
    concurrency: int
    jitter: bool
    ttft_s: float
    tpot_s: float


def models() -> dict[str, Architecture]:
    with CATALOG.open(encoding="utf-8") as file:
        rows = [line for line in file if not line.startswith("#")]
    return {row["name"]: from_row(row) for row in csv.DictReader(rows)}


def points(folder: Path) -> list[Point]:
    """Aggregated rows with tp <= 8, no attention data parallelism, duplicates dropped."""
    found: dict[tuple[object, ...], Point] = {}
    archs = models()
    with (folder / "aic_silicon_sample_train.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = next((MODELS[key] for key in MODELS if key in row["model_path"]), None)
            dp, tp = float(row["attention_dp_size"] or 1), int(float(row["tp_size"] or 0))
            if row["mode"] != "agg" or name is None or dp != 1 or not 1 <= tp <= 8:
                continue
            kind = row["precision"] or "bf16"
            chip = CHIPS.get(row["system"])
            if chip is None:
                continue
            match = re.search(r"silicon_concurrency=(\d+)", row["silicon_data_source"])
            users = int(match[1]) if match else int(float(row["batch_size"]))
            rates = dict(chip.flops)
            point = Point(
                group=f"{row['model_path']}|{row['system']}|{row['backend']}",
                arch=archs[name],
                chip=chip,
                tp=tp,
                precision=kind if kind in rates else "bf16",
                weight_byte=WEIGHT_BYTE[kind],
                isl=int(row["isl"]),
                osl=int(row["osl"]),
                concurrency=users,
                jitter="db-dump" in row["silicon_data_source"],
                ttft_s=float(row["silicon_ttft_ms"]) / 1e3,
                tpot_s=float(row["silicon_tpot_ms"]) / 1e3,
            )
            found[tuple(str(value) for value in asdict(point).values())] = point
    return list(found.values())


def predict(point: Point, c: Coefficients) -> tuple[float, float]:
    """Mean TTFT and TPOT of the simulated closed loop."""
    n = min(max(10 * point.concurrency, 40), 2500)
    low = 0.8 if point.jitter else 1.0
    rng = np.random.default_rng(0)
    lengths = [
        np.maximum(1, np.rint(size * rng.uniform(low, 1.0, n))).astype(np.int64)
        for size in (point.isl, point.osl)
    ]
    trace = Trace("closed loop", np.zeros(n), lengths[0], np.maximum(2, lengths[1]))
    times = step_times(
        point.arch,
        point.chip,
        tp=point.tp,
        precision=point.precision,
        weight_byte=point.weight_byte,
        kv_byte=2.0,
        max_tokens=8192,
        coefficients=c,
    )
    capacity = kv_capacity_tokens(
        point.arch,
        point.chip,
        tp=point.tp,
        weight_byte=point.weight_byte,
        kv_byte=2.0,
        max_num_batched_tokens=8192,
        mean_context=point.isl + point.osl,
    )
    if capacity < point.isl + point.osl + 16:
        return np.nan, np.nan
    scheduler = Scheduler(1024, 8192, int(capacity // 16), "none")
    return latencies(trace, scheduler, times, point.concurrency)


def latencies(trace: Trace, scheduler: Scheduler, times: object, clients: int) -> tuple[float, ...]:
    out = simulate(trace, times, scheduler, clients=clients)  # type: ignore[arg-type]
    ttft = out.first_s - out.arrival_s + times.api_s  # type: ignore[attr-defined]
    tpot = (out.finish_s - out.first_s) / (trace.output_tokens - 1)
    return float(np.mean(ttft)), float(np.mean(tpot) + times.api_token_s)  # type: ignore[attr-defined]


# name, lower, upper, start: fitted on a log scale
FREE = (
    ("compute_efficiency", 0.2, 0.85, 0.6),
    ("weight_efficiency", 0.4, 0.95, 0.75),
    ("blend", 1.0, 6.0, 2.0),
    ("kv_efficiency", 0.2, 0.95, 0.6),
    ("attention_efficiency", 0.05, 0.75, 0.3),
    ("link_efficiency", 0.05, 1.0, 0.5),
    ("allreduce_s", 1e-6, 60e-6, 10e-6),
    ("layer_s", 2e-6, 60e-6, 15e-6),
    ("moe_layer_s", 1e-6, 200e-6, 60e-6),
    ("sequence_s", 1e-7, 100e-6, 5e-6),
    ("step_s", 1e-5, 5e-3, 500e-6),
)


def fit(sample: list[Point]) -> Coefficients:
    from scipy.optimize import least_squares

    low, high, start = (np.log([entry[at] for entry in FREE]) for at in (1, 2, 3))  # type: ignore[misc]
    base = replace(FITTED, api_s=15.6e-3)  # BLIS's value, until it is fitted below

    def build(x: np.ndarray) -> Coefficients:
        return replace(base, **dict(zip((n for n, *_ in FREE), np.exp(x), strict=True)))

    def residuals(x: np.ndarray) -> np.ndarray:
        c, out = build(x), []
        for point in sample:
            ttft, tpot = predict(point, c)
            # prompts first (SGLang) moves time from TPOT to TTFT: their sum is the firmest
            mine, theirs = (
                a + b * (point.osl - 1) for a, b in ((ttft, tpot), (point.ttft_s, point.tpot_s))
            )
            out += [np.log(mine / theirs), 0.5 * np.log(tpot / point.tpot_s)]
        return np.nan_to_num(np.array(out))

    result = least_squares(
        residuals,
        np.clip(start, low + 1e-6, high - 1e-6),
        bounds=(low, high),
        loss="soft_l1",
        f_scale=0.1,
        diff_step=0.03,
        max_nfev=12,
    )
    c = build(result.x)

    # then the time outside the engine, from the first token where there is hardly a queue
    quiet = [point for point in sample if point.concurrency <= 8]
    early = [np.array([point.ttft_s, predict(point, c)[0] - c.api_s]) for point in quiet]
    grid = np.geomspace(5e-3, 150e-3, 60)
    misses = [median(abs(np.log((ttft + api) / real)) for real, ttft in early) for api in grid]
    return replace(c, api_s=float(grid[int(np.argmin(misses))]))


def report(label: str, sample: list[Point], c: Coefficients) -> None:
    pairs = [(point, *predict(point, c)) for point in sample]
    pairs = [pair for pair in pairs if not np.isnan(pair[1])]
    for name in ("TTFT", "TPOT", "E2E "):
        signed = []
        for point, ttft, tpot in pairs:
            steps = {"TTFT": (1, 0), "TPOT": (0, 1), "E2E ": (1, point.osl - 1)}[name]
            mine = steps[0] * ttft + steps[1] * tpot
            signed.append(mine / (steps[0] * point.ttft_s + steps[1] * point.tpot_s) - 1)
        absolute = [abs(error) for error in signed]
        print(
            f"{label:32s} {name} n={len(pairs):4d} of {len(sample):4d}  median |error| "
            f"{median(absolute):6.1%}  mean {np.mean(absolute):7.1%}  signed {median(signed):+7.1%}"
        )


def vllm_runs(folder: Path, c: Coefficients) -> None:
    """The open-loop vLLM runs of the dense model, which no fit has seen."""
    arch = models()["Llama 3.1 8B"]
    for gpu, seqs, capacity in (("RTXPRO6000", 128, None), ("RTX4090", 256, 41408)):
        path = folder / "llmservingsim_vllm" / gpu / "Llama-3.1-8B" / "requests.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        at = np.array([row["queued_ts"] for row in rows])
        order = np.argsort(at, kind="stable")
        rows, at = [rows[i] for i in order], at[order] - at.min()
        sizes = [
            np.array([row[key] for row in rows], np.int64) for key in ("input_toks", "output_toks")
        ]
        first, last = (
            np.array([row[key] - row["queued_ts"] for row in rows])
            for key in ("first_token_ts", "last_token_ts")
        )
        times = step_times(
            arch,
            CHIPS[gpu],
            tp=1,
            precision="bf16",
            weight_byte=2.0,
            kv_byte=2.0,
            max_tokens=2048,
            coefficients=c,
        )
        tokens = capacity or kv_capacity_tokens(
            arch,
            CHIPS[gpu],
            tp=1,
            weight_byte=2.0,
            kv_byte=2.0,
            max_num_batched_tokens=2048,
            mean_context=1000,
        )
        out = simulate(
            Trace(gpu, at, *sizes), times, Scheduler(seqs, 2048, int(tokens // 16), "none")
        )
        for name, mine, theirs in (
            ("TTFT", out.first_s - at, first),
            (
                "TPOT",
                (out.finish_s - out.first_s) / (sizes[1] - 1),
                (last - first) / (sizes[1] - 1),
            ),
            ("E2E", out.finish_s - at, last),
        ):
            print(
                f"vLLM {gpu:12s} {name}  measured mean {np.mean(theirs):8.3f} s  simulated "
                f"{np.mean(mine):8.3f} s  {np.mean(mine) / np.mean(theirs) - 1:+.1%}"
            )


def main() -> None:
    folder = Path(sys.argv[1])
    everything = points(folder)
    groups = sorted({point.group for point in everything})
    half = set(groups[::2])
    inside = [point for point in everything if point.group in half]
    outside = [point for point in everything if point.group not in half]
    print(f"{len(everything)} points, {len(groups)} groups, {len(half)} of them to fit on")
    c = FITTED
    if "--fit" in sys.argv:
        began = time.perf_counter()
        # the same weight for every group
        sample = [
            point
            for group in sorted(half)
            for point in _spread([one for one in inside if one.group == group], 16)
        ]
        c = fit(sample)
        print(f"fitted on {len(sample)} points in {time.perf_counter() - began:.0f} s")
        for name in (*(name for name, *_ in FREE), "api_s"):
            print(f"    {name}={getattr(c, name):.4g},")
    for label, sample in (("fitted groups", inside), ("unseen groups", outside)):
        report(label, sample, c)
        report(f"  {label}, dense", [one for one in sample if not one.arch.experts], c)
        report(f"  {label}, MoE", [one for one in sample if one.arch.experts], c)
    vllm_runs(folder, c)


def _spread(sample: list[Point], count: int) -> list[Point]:
    step = max(1, len(sample) // count)
    return sample[::step][:count]


if __name__ == "__main__":
    main()
