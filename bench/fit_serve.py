"""Fits the coefficients of the serving step time on measured steady points, and scores them.

    python bench/fit_serve.py FOLDER [--fit] [--points N]

FOLDER/serve holds aic_silicon_sample_train.csv, AIConfigurator's measured points
(github.com/ai-dynamo/aiconfigurator, Apache-2.0). Each point is a closed loop of clients, simulated
request by request. Without --fit the shipped coefficients are scored. With it they are fitted on N
points of every group (model, system, engine, split or not), which all count alike, and each set of
points is also answered by coefficients that were fitted without it: all points of one model, system
and engine, whatever the file calls the model. Those errors are honest, and `coefficients.SPREADS`
comes from them.

The fit minimises robust (soft L1) log errors of TPOT and TTFT, and is held to a first guess where
points say little. Features of the loops are collected anew with the fitted times.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import serve_features as loops
from lineshaft.measured.models import serve_points, serve_rows
from lineshaft.measured.models.serve_rows import Measured
from lineshaft.stages.serve.coefficients import BOTH, CLASSES, ENGINES, VALUES, combine
from lineshaft.stages.serve.memory import kv_capacity_tokens
from lineshaft.stages.serve.steptime import ACCEPTANCE, local_share, prompt_s
from lineshaft.stages.serve.work import Work, terms, work

Floats = NDArray[np.float64]
Guess = tuple[float, float, float, float]
"""Least, first guess, most, and how far off a guess may be (log)."""
SCALE, HOLD, TTFT_WEIGHT = 0.1, 0.12, 0.6
"""Log error from which a miss counts linearly; weight of the guesses; of TTFT against TPOT."""


def guesses() -> dict[str, Guess]:
    every: dict[str, Guess] = {
        "blend": (1.0, 2.5, 8.0, 0.5),
        "expert_blend": (1.0, 2.0, 8.0, 0.5),
        "dequantise_factor": (1.0, 1.3, 4.0, 0.5),
        "routing_evenness": (0.3, 0.8, 1.2, 0.3),
        "imbalance": (0.1, 0.8, 4.0, 0.5),
        "activation_passes": (1.0, 10.0, 50.0, 0.5),
        "link_efficiency": (0.15, 0.5, 1.0, 0.5),
        "exchange_s": (4e-6, 25e-6, 120e-6, 0.5),
        "linear_layer_s": (1e-6, 12e-6, 100e-6, 0.5),
        "index_layer_s": (1e-6, 20e-6, 100e-6, 0.5),
        "prompt_layer_s": (2e-6, 2e-4, 3e-3, 1.0),
        "prompt_moe_layer_s": (2e-6, 2e-4, 3e-3, 1.0),
        "prompt_mla_layer_s": (2e-6, 2e-4, 3e-3, 1.0),
        "prompt_linear_layer_s": (2e-6, 2e-4, 1e-2, 1.0),
        "api_input_s": (1e-8, 1e-6, 2e-5, 0.5),
    }
    for one in CLASSES:
        every |= {
            f"{one}.compute_efficiency": (0.25, 0.65, 0.9, 0.25),
            f"{one}.weight_efficiency": (0.5, 0.8, 1.0, 0.15),
            f"{one}.expert_compute_efficiency": (0.08, 0.4, 0.95, 0.5),
            f"{one}.expert_weight_efficiency": (0.3, 0.7, 1.0, 0.3),
            f"{one}.kv_efficiency": (0.3, 0.7, 1.0, 0.3),
            f"{one}.latent_efficiency": (0.1, 0.5, 1.0, 0.4),
            f"{one}.layer_s": (3e-6, 15e-6, 60e-6, 0.5),
            f"{one}.moe_layer_s": (2e-6, 20e-6, 120e-6, 0.5),
            f"{one}.allreduce_s": (2e-6, 9e-6, 40e-6, 0.5),
        }
    for one in ENGINES:
        every |= {
            f"{one}.step_s": (2e-5, 5e-4, 5e-3, 0.5),
            f"{one}.sequence_s": (2e-7, 4e-6, 5e-5, 0.5),
            f"{one}.prompt_s": (5e-5, 1e-3, 2e-2, 0.5),
            f"{one}.prompt_factor": (0.1, 1.0, 8.0, 0.5),
            f"{one}.chunk_s": (2e-6, 1e-4, 5e-3, 0.5),
            f"{one}.api_s": (3e-3, 2e-2, 0.2, 0.7),
            f"{one}.handover_s": (5e-3, 6e-2, 0.15, 0.5),
            f"{one}.pace": (0.5, 1.0, 2.0, 0.25),
        }
    for one in BOTH:
        every[f"{one}.overhead"] = (0.4, 1.0, 2.5, 0.3)
        every[f"{one}.attention_efficiency"] = (0.05, 0.4, 0.9, 0.5)
        every[f"{one}.mla_layer_s"] = (1e-6, 3e-5, 1e-4, 0.5)
    return every


GUESSES = guesses()


class Sample:
    """Points, and all that their latencies depend on, as arrays."""

    def __init__(self, points: list[Measured]) -> None:
        self.points = points
        self.prompts, self.answers = _works(points, True), _works(points, False)
        self.inputs = np.array([float(point.input_tokens) for point in points])
        self.split = np.array([float(point.deployed.prompts is not None) for point in points])
        self.ttft = np.array([point.ttft_s for point in points])
        self.tpot = np.array([point.tpot_s for point in points])
        names = [point.group for point in points]
        counts = Counter(names)
        self.weight = np.array(
            [
                (1.0 if point.deployed.known else 0.5) / np.sqrt(counts[point.group] + 3)
                * (0.02 if _cached(point) else 1.0)
                for point in points
            ]
        )  # fmt: skip
        self.weight /= self.weight.mean()
        shape = (len(points), loops.FEATURES)
        self.of_ttft, self.of_tpot = np.zeros(shape), np.zeros(shape)

    def part(self, keep: NDArray[np.bool_]) -> Sample:
        some = Sample([point for point, kept in zip(self.points, keep, strict=True) if kept])
        some.weight = self.weight[keep]
        some.of_ttft, some.of_tpot = self.of_ttft[keep], self.of_tpot[keep]
        return some

    def collect(self, values: dict[str, float]) -> None:
        """Features of every point's loop, with these times."""
        first, then, local = self._times(values)
        handover = self._coefficients(values).handover_s[:, 0]
        for i, point in enumerate(self.points):
            it, asked = point.deployed, serve_points.requests(point)
            rule = loops.PROMPTS_FIRST if it.engine == "sglang" else loops.MIXED
            gain = sum(ACCEPTANCE**place for place in range(it.draft + 1))
            ranks = (it.prompts or it.layout).dp
            ttft, tpot = np.zeros(loops.FEATURES), np.zeros(loops.FEATURES)
            if it.prompts is None:
                loops.whole(
                    asked.input_tokens, asked.output_tokens, asked.wait_s, point.clients, rule,
                    ranks, point.steps_tokens * ranks, _capacity(point), first[0][i], first[1][i],
                    first[2][i], it.draft, gain, local[i], ttft, tpot,
                )  # fmt: skip
            else:
                loops.split(
                    asked.input_tokens, asked.output_tokens, point.clients, it.prompt_instances,
                    it.instances, rule, ranks, point.steps_tokens, _capacity(point), first[1][i],
                    first[2][i], then[0][i], then[2][i], it.draft, gain, local[i], handover[i],
                    ttft, tpot,
                )  # fmt: skip
            self.of_ttft[i], self.of_tpot[i] = ttft, tpot

    def latencies(self, values: dict[str, float]) -> tuple[Floats, Floats]:
        """[point] mean TTFT and TPOT, s."""
        first, then, _ = self._times(values)
        c = self._coefficients(values)
        ttft = (self.of_ttft * np.concatenate(first, axis=1)).sum(axis=1)
        ttft += (c.api_s + c.api_input_s * self.inputs[:, None])[:, 0]
        ttft += self.split * c.handover_s[:, 0]
        return ttft, (self.of_tpot * np.concatenate(then, axis=1)).sum(axis=1)

    def _coefficients(self, values: dict[str, float]) -> Any:
        kinds = [(point.chip.generation, point.deployed.engine) for point in self.points]
        tables = {kind: combine(values, *kind) for kind in set(kinds)}
        names = next(iter(tables.values()))
        return SimpleNamespace(
            **{name: np.array([[tables[kind][name]] for kind in kinds]) for name in names}
        )

    def _times(self, values: dict[str, float]) -> tuple[list[Floats], list[Floats], Floats]:
        c = self._coefficients(values)
        return _times(self.prompts, c), _times(self.answers, c), local_share(self.prompts, c)[:, 0]  # type: ignore[index]


def _works(points: Iterable[Measured], prompts: bool) -> Work:
    one = [
        work(
            point.arch,
            point.chip,
            (point.deployed.prompts or point.deployed.layout) if prompts else point.deployed.layout,
            precision=point.precision,
            weight_byte=point.weight_byte,
            kv_byte=point.kv_byte,
            draft=0 if prompts and point.deployed.prompts else point.deployed.draft,
        )
        for point in points
    ]
    return Work(**{f.name: np.array([[getattr(w, f.name)] for w in one]) for f in fields(Work)})


def _times(asked: Work, c: Any) -> list[Floats]:
    """Pure decode and steps with prompts [point, node], and the other features [point, 4]."""
    dense = sum(terms(asked, loops.NODES[None, :], c).values())
    dense = dense + loops.NODES[None, :] * asked.prompt_s / c.attention_efficiency
    read = np.maximum(asked.kv_s / c.kv_efficiency, asked.latent_s / c.latent_efficiency)
    fixed = np.maximum(
        asked.sequence_kv_s / c.kv_efficiency, asked.sequence_latent_s / c.latent_efficiency
    )
    pairs = asked.pair_s / c.attention_efficiency
    sequence = c.sequence_s + fixed + asked.head_s / c.compute_efficiency
    other = np.concatenate([read, pairs, sequence, c.chunk_s + 0.0 * read], axis=1)
    return [dense, dense + prompt_s(asked, c), other]


def _capacity(point: Measured) -> float:
    size = point.input_tokens + point.output_tokens
    tokens = kv_capacity_tokens(
        point.arch,
        point.chip,
        layout=point.deployed.layout,
        weight_byte=point.weight_byte,
        kv_byte=point.kv_byte,
        max_num_batched_tokens=min(point.steps_tokens, 8192),
        mean_context=float(size),
    )
    return max(tokens, size + 64.0)


def _cached(point: Measured) -> bool:
    """Runs whose clients repeat prompts, which vLLM and TensorRT-LLM then find in their caches:
    faster than the arithmetic of the prompts allows."""
    own = point.source.startswith("source_file=/")
    return own and point.input_tokens % 1000 == 0 and point.deployed.engine != "sglang"


def fit(sample: Sample, start: dict[str, float], evaluations: int) -> dict[str, float]:
    from scipy.optimize import least_squares

    low, first, high, off = (np.array([GUESSES[k][at] for k in GUESSES]) for at in range(4))
    low, first, high = np.log(low), np.log(first), np.log(high)

    def residuals(x: Floats) -> Floats:
        ttft, tpot = sample.latencies(dict(zip(GUESSES, np.exp(x).tolist(), strict=True)))
        misses = np.concatenate(
            [
                TTFT_WEIGHT * np.log(ttft / sample.ttft) * sample.weight,
                np.log(tpot / sample.tpot) * sample.weight,
            ]
        )
        soft = np.sqrt(2.0 * (np.sqrt(1.0 + (misses / SCALE) ** 2) - 1.0))
        return np.concatenate([np.sign(misses) * SCALE * soft, HOLD * (x - first) / off])

    x = np.clip(np.log([start[name] for name in GUESSES]), low + 1e-4, high - 1e-4)
    found = least_squares(
        residuals, x, bounds=(low, high), x_scale=off, diff_step=1e-4, ftol=1e-6, xtol=1e-6,
        max_nfev=evaluations,
    )  # fmt: skip
    return dict(zip(GUESSES, np.exp(found.x).tolist(), strict=True))


def crossed(sample: Sample, values: dict[str, float]) -> tuple[Floats, Floats]:
    """Latencies of every point by coefficients that no point of its set was fitted on."""
    sets = np.array(
        ["|".join((p.arch.name, p.chip.name, p.deployed.engine, p.group[-6:]))
         for p in sample.points]
    )  # fmt: skip
    ttft, tpot = np.zeros(len(sets)), np.zeros(len(sets))
    for name in sorted(set(sets)):
        out = sets == name
        own = fit(sample.part(~out), values, 25)
        ttft[out], tpot[out] = sample.part(out).latencies(own)
    return ttft, tpot


def report(label: str, sample: Sample, ttft: Floats, tpot: Floats, groups: bool = False) -> None:
    steps = np.array([point.output_tokens - 1 for point in sample.points])
    errors = {
        "TTFT": ttft / sample.ttft - 1,
        "TPOT": tpot / sample.tpot - 1,
        "E2E": (ttft + steps * tpot) / (sample.ttft + steps * sample.tpot) - 1,
    }
    names = np.array([point.group for point in sample.points])

    def line(title: str, keep: NDArray[np.bool_]) -> None:
        parts = (
            f"{of} {np.median(abs(error[keep])):6.1%} ({np.median(error[keep]):+6.1%})"
            for of, error in errors.items()
        )
        print(f"{title:52s} {keep.sum():5d}  {'  '.join(parts)}")

    for title, keep in (("", sample.split >= 0), (", whole", sample.split == 0),
                        (", split", sample.split == 1)):  # fmt: skip
        line(label + title, keep)
    for name in sorted(set(names)) if groups else ():
        line(f"  {name}", names == name)


def spreads(sample: Sample, ttft: Floats, tpot: Floats) -> None:
    """90 % of the logs of measured over answered, every group alike, by what the interval knows."""
    counts = Counter(point.group for point in sample.points)
    weight = np.array([1.0 / counts[point.group] for point in sample.points])
    kinds: dict[str, Callable[[int], bool]] = {
        "whole": lambda i: sample.split[i] == 0,
        "split": lambda i: sample.split[i] == 1,
    }
    for of, ours, real in (("ttft", ttft, sample.ttft), ("tpot", tpot, sample.tpot)):
        for kind, holds in kinds.items():
            some = [i for i in range(len(ours)) if holds(i) and not _cached(sample.points[i])]
            logs, share = np.log(real[some] / ours[some]), weight[some]
            order = np.argsort(logs)
            along = np.cumsum(share[order]) / share.sum()
            low, high = (float(np.interp(at, along, logs[order])) for at in (0.05, 0.95))
            print(f"    spread {of} {kind}: {np.exp(low):.3f} to {np.exp(high):.3f}")


def sampled(points: Iterable[Measured], count: int) -> list[Measured]:
    by = defaultdict(list)
    for point in points:
        by[point.group].append(point)
    rng = np.random.default_rng(1)
    return [some[i] for some in by.values() for i in sorted(rng.permutation(len(some))[:count])]


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("folder", type=Path, nargs="?")
    asked.add_argument("--fit", action="store_true")
    asked.add_argument("--points", type=int, default=16)
    options = asked.parse_args()
    if options.folder is None:
        print("name the folder of the measured points: python bench/fit_serve.py FOLDER [--fit]")
        return
    if not options.fit:
        for name, score in serve_points.score(options.folder, print).items():
            for group, errors in score.pop("groups").items():
                print(f"  {group:52s} {errors}")
            print(name, score)
        return
    rows = serve_rows.distinct(options.folder / serve_points.FILE)
    read = [point for row in rows if (point := serve_rows.read(row)) is not None]
    sample = Sample(sampled(read, options.points))
    print(f"{len(sample.points)} points of {len({p.group for p in read})} groups")
    values = {name: VALUES.get(name, guess[1]) for name, guess in GUESSES.items()}
    for _ in range(3):
        began = time.perf_counter()
        sample.collect(values)
        values = fit(sample, values, 200)
        report(f"fitted in {time.perf_counter() - began:.0f} s", sample, *sample.latencies(values))
    held = crossed(sample, values)
    report("held out", sample, *held, groups=True)
    spreads(sample, *held)
    for name, value in values.items():
        print(f'    "{name}": {value:.4g},')


if __name__ == "__main__":
    main()
