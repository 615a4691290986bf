"""Fits the coefficients of the serving step time on measured steady points, and scores them.

    python bench/fit_serve.py FOLDER [--fit]

FOLDER/serve holds aic_silicon_sample_train.csv, AIConfigurator's measured points
(github.com/ai-dynamo/aiconfigurator, Apache-2.0), and llmservingsim_vllm/, LLMServingSim's vLLM
0.19.0 runs (github.com/casys-kaist/LLMServingSim, MIT). Each point is a closed loop of clients,
simulated request by request. Groups (model, system, backend) are split in two: coefficients are
fitted on one half and scored on both. The vLLM runs are never fitted. Without --fit the shipped
coefficients are scored.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from lineshaft.measured.models.serve_points import Point, points, vllm_run
from lineshaft.stages.serve import FITTED, Coefficients

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
            ttft, tpot = point.simulated(c) or (math.nan, math.nan)
            # prompts first (SGLang) moves time from TPOT to TTFT: their sum is the firmest
            steps = point.output_tokens - 1
            mine, theirs = ttft + steps * tpot, point.ttft_s + steps * point.tpot_s
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
    quiet = [(point, point.simulated(c)) for point in sample if point.clients <= 8]
    early = [np.array([point.ttft_s, own[0] - c.api_s]) for point, own in quiet if own is not None]
    grid = np.geomspace(5e-3, 150e-3, 60)
    misses = [median(abs(np.log((ttft + api) / real)) for real, ttft in early) for api in grid]
    return replace(c, api_s=float(grid[int(np.argmin(misses))]))


def report(label: str, sample: list[Point], c: Coefficients) -> None:
    found = [(point, point.simulated(c)) for point in sample]
    pairs = [(point, own) for point, own in found if own is not None]
    for of in ("ttft", "tpot", "e2e"):
        signed = [point.error(of, *own) for point, own in pairs]
        absolute = [abs(error) for error in signed]
        print(
            f"{label:32s} {of.upper():4} n={len(pairs):4d} of {len(sample):4d}  median |error| "
            f"{median(absolute):6.1%}  mean {np.mean(absolute):7.1%}  signed {median(signed):+7.1%}"
        )


def vllm_runs(folder: Path, c: Coefficients) -> None:
    """The open-loop vLLM runs of the dense model, which no fit has seen."""
    for gpu, accelerator in (("RTXPRO6000", "RTX PRO 6000"), ("RTX4090", "RTX 4090")):
        own, recorded = vllm_run(folder, gpu, "Llama-3.1-8B", accelerator, c)
        for of in own:
            mine, theirs = own[of].mean(), recorded[of].mean()
            print(
                f"vLLM {gpu:12s} {of.upper():4}  measured mean {theirs:8.3f} s  simulated "
                f"{mine:8.3f} s  {mine / theirs - 1:+.1%}"
            )


def main() -> None:
    folder = Path(sys.argv[1])
    inside, outside = points(folder, "fitted"), points(folder, "other")
    half, others = ({point.group for point in some} for some in (inside, outside))
    count = len(inside) + len(outside)
    print(f"{count} points, {len(half | others)} groups, {len(half)} of them to fit on")
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
