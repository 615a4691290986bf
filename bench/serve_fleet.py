"""Requests per second that the fleet's event loop simulates, warm.

    python bench/serve_fleet.py [REQUESTS.csv.gz] [--day] [--vidur PYTHON_WITH_VIDUR]

REQUESTS is a table with the columns arrived_at, prefill and decode, such as the request metrics of
a Vidur run; its requests are repeated to 100,000. Without it, lengths are drawn from the shipped
statistics at the same rate. --day adds ten million requests of a day with its tide, on all cores.
--vidur runs Vidur's event loop (PyPI: vidur) on the same file beside it.
"""

from __future__ import annotations

import csv
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineshaft.stages.serve.deployment import Fleet, Pool, Scheduler
from lineshaft.stages.serve.fleet import Outcome, simulate
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import StepTimes
from lineshaft.traces import synthetic

COUNT, DAY = 100_000, 10_000_000
VIDUR_RPS = 404  # Vidur 7d47513 on its own 5,000 requests, 2-core machine


def times(max_tokens: int) -> StepTimes:
    """Affine step times that give the mean TPOT of Vidur's CodeLlama-34B on two A100, 41 ms."""
    tokens = np.arange(max_tokens + 1.0)
    dense = np.where(tokens > 0, 0.0291 + 1.2e-4 * tokens, 0.0)
    return StepTimes(dense, 1e-4 * tokens, kv_s=1.0e-7, pair_s=1e-9, seq_s=2e-5)


def table(path: str) -> Requests:
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    columns = [
        np.array([float(row[key]) for row in rows]) for key in ("arrived_at", "prefill", "decode")
    ]
    order = np.argsort(columns[0], kind="stable")
    arrival, inputs, outputs = (column[order] for column in columns)
    repeats = -(-COUNT // len(rows))
    span = arrival[-1] * (1 + 1 / len(rows))
    start = span * np.repeat(np.arange(repeats), len(rows))
    whole = np.tile(arrival, repeats) + start
    return Requests(
        "table",
        whole[:COUNT],
        np.tile(inputs, repeats).astype(np.int64)[:COUNT],
        np.tile(outputs, repeats).astype(np.int64)[:COUNT],
    )


def drawn() -> Requests:
    trace = synthetic(requests=COUNT)
    rng = np.random.default_rng(0)
    arrival = np.cumsum(rng.exponential(1 / 6.35, COUNT))
    return Requests("drawn", arrival, trace.input_tokens, trace.output_tokens)


def prefixed(work: Requests) -> Requests:
    """The same in 12 families, each with a prefix of up to 8 blocks of 64 tokens, in 3 classes."""
    rng = np.random.default_rng(1)
    family, shared = rng.integers(0, 12, len(work)), rng.integers(0, 9, len(work))
    count = work.input_tokens // 64
    start = np.r_[0, np.cumsum(count)]
    place = np.arange(start[-1]) - np.repeat(start[:-1], count)
    own = 10_000 + np.arange(start[-1])
    ids = np.where(place < np.repeat(shared, count), np.repeat(family, count) * 8 + place, own)
    classes = rng.integers(0, 3, len(work))
    return replace(work, block_ids=ids, block_start=start, block_tokens=64, slo_class=classes)


def day() -> Requests:
    """A day of ten million requests, twice as many at its height as at its low."""
    lengths = synthetic(requests=200_000)
    rng = np.random.default_rng(2)
    pick = rng.integers(0, len(lengths), DAY)
    hours = np.linspace(0, 24, 1441)
    tide = 1.0 + np.sin((hours - 9.0) / 24 * 2 * np.pi) / 3
    passed = np.r_[0.0, np.cumsum((tide[1:] + tide[:-1]) / 2)]
    arrival = np.interp(np.sort(rng.random(DAY)), passed / passed[-1], hours * 3600)
    return Requests("day", arrival, lengths.input_tokens[pick], lengths.output_tokens[pick])


def show(name: str, run: Callable[[], Outcome], repeats: int = 3) -> None:
    best = np.inf
    for _ in range(repeats):
        began = time.perf_counter()
        out = run()
        best = min(best, time.perf_counter() - began)
    many = np.maximum(out.requests.output_tokens - 1, 1)
    tpot = np.nanmean((out.finish_s - out.first_s) / many)
    t = out.totals
    hits = t.cached_tokens / (t.cached_tokens + t.input_tokens)
    print(
        f"{name:38s} {len(out.requests) / best:11,.0f} requests/s "
        f"{t.iterations / best / 1e6:5.1f} M steps/s {best:7.2f} s; TPOT {tpot * 1e3:.1f} ms, "
        f"{t.preemptions:,.0f} preemptions, {hits:.0%} hits"
    )


def main() -> None:
    given = [one for one in sys.argv[1:] if one.endswith((".csv", ".csv.gz"))]
    work = table(given[0]) if given else drawn()
    sarathi = Scheduler(
        rules="sarathi", max_num_seqs=128, max_num_batched_tokens=512, kv_blocks=10_000,
        watermark=0.01, prefix_cache="none",
    )  # fmt: skip
    fleet = Fleet(Pool(times(512), sarathi, 4))
    began = time.perf_counter()
    simulate(fleet, work, threads=1)
    print(f"first call (compiles, or reads the cache): {time.perf_counter() - began:.2f} s")
    show("sarathi, 4 instances, one core", lambda: simulate(fleet, work, threads=1))
    show("every step", lambda: simulate(fleet, work, threads=1, exact=True), 1)
    joint = replace(fleet, router="least-outstanding")
    show("least outstanding", lambda: simulate(joint, work))
    small = replace(sarathi, rules="vllm-v1", prefix_cache="lru", priority=True, kv_blocks=1_500)
    full = Fleet(Pool(times(512), small, 4))
    tiered = prefixed(work)
    show("vllm-v1, prefixes, classes, small KV", lambda: simulate(full, tiered, threads=1))
    aware = replace(full, router="kv-aware")
    show("the same, routed by KV", lambda: simulate(aware, tiered))
    if "--day" in sys.argv:
        limits = Scheduler(max_num_seqs=128, max_num_batched_tokens=2048, kv_blocks=12_000)
        many = Fleet(Pool(times(2048), limits, 100))
        asked = day()
        show("a day of ten million, 100 instances", lambda: simulate(many, asked), 1)
        print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    if "--vidur" in sys.argv and given:
        peer(sys.argv[sys.argv.index("--vidur") + 1], given[0])
    else:
        print(f"not measured here: Vidur {VIDUR_RPS} requests/s (its own 5,000, one core)")


def peer(python: str, path: str) -> None:
    """Vidur's event loop on 5,000 of the same requests, in the interpreter that has it."""
    script = Path(__file__).parent / "peers" / "vidur_loop.py"
    done = subprocess.run(
        [python, str(script), path, "5000"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"Vidur 0.0.26, its event loop, step times given   {found['per_s']:10,.0f} requests/s")


if __name__ == "__main__":
    main()
