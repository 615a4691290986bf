"""Requests per second that the serving event loop simulates, warm, on one core.

    PYTHONPATH=src python bench/serve_requests.py [AzureLLMInferenceTrace_conv.csv]

Without a file, a trace of the same size is drawn from the shipped statistics. The load is given as
the share of the instance's largest throughput; at 100 % every step mixes prompts and answers and
little can be skipped.
"""

from __future__ import annotations

import sys
import time

from lineshaft.stages.serve import Scheduler, ServeInputs, characterise, simulate, step_times
from lineshaft.traces import read, rescale, synthetic
from lineshaft.transformer import Architecture, Chip

VIDUR_RPS = 404  # published: github.com/microsoft/vidur 7d47513, 5,000 requests, 2-core machine

H100 = Chip("H100 SXM5", "hopper", (("bf16", 989.4e12),), 80e9, 3.35e12, 450e9, 8, 50e9, 700.0)
LLAMA = Architecture("Llama 3.1 70B", 80, 8192, 64, 8, 128, 28672, "swiglu3", 128256)


def best(run: object, repeats: int = 3) -> float:
    """Shortest wall time of a few runs."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()  # type: ignore[operator]
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    trace = read(sys.argv[1]) if len(sys.argv) > 1 else synthetic(requests=19_366)
    times = step_times(
        LLAMA, H100, tp=8, precision="bf16", weight_byte=2, kv_byte=2, max_tokens=8192
    )
    scheduler = Scheduler(kv_blocks=80_000)
    began = time.perf_counter()
    burst = simulate(rescale(trace, 1e9), times, scheduler)
    print(f"first call (compiles, or reads the cache): {time.perf_counter() - began:.2f} s")
    most = len(trace) / burst.end_s
    print(f"{len(trace):,} requests of {trace.name}; {LLAMA.name} on 8 x {H100.name}")
    print(f"largest throughput of the instance: {most:.2f} requests/s")
    for share in (0.2, 0.5, 0.8, 1.0, 2.0):
        at = rescale(trace, share * most)
        for exact in (False, True):
            wall = best(lambda at=at, exact=exact: simulate(at, times, scheduler, exact=exact))
            rate, steps = len(trace) / wall, simulate(at, times, scheduler).totals.iterations
            print(
                f"load {share:4.0%} {'every iteration' if exact else 'skipping':15s} "
                f"{rate:12,.0f} requests/s {steps / wall / 1e6:6.1f} M iterations/s"
            )
    wall = best(lambda: characterise(ServeInputs(LLAMA, H100, tp=8)))
    print(f"characterise at default settings: {wall:.3f} s")
    print(
        f"for scale, not measured here: Vidur {VIDUR_RPS} requests/s (its own reference workload, "
        "5,000 requests, 2-core machine)"
    )


if __name__ == "__main__":
    main()
