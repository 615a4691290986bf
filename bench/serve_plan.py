"""How long a plan takes: candidates simulated, requests simulated, wall time.

    PYTHONPATH=src python bench/serve_plan.py [WORKERS]

Candidates are numbers of instances of shapes (accelerator x layout x limits of the scheduler, one
pool or two); each is 5,000 requests, and simulated a second time with slower steps where it holds.
The goal is 1,000 candidates in about a minute on two cores.
"""

from __future__ import annotations

import sys
import threading
import time

from lineshaft import serve
from lineshaft.serve import search

PLANS = (
    ("Llama 3.1 70B", 40.0, "ttft_p90=2s,tpot_p90=100ms"),
    ("Llama 3.1 70B", 400.0, "ttft_p90=1s,tpot_p90=40ms"),
    ("Qwen3 235B-A22B", 100.0, "ttft_p90=2s,tpot_p90=80ms"),
    ("DeepSeek-V3", 50.0, "ttft_p90=3s,tpot_p90=80ms"),
)
PRICES = {"H200": 3.5, "B200": 5.0, "GB200": 6.0, "MI300X": 2.5, "MI355X": 4.0}
"""Assumed, so that there is much to choose from."""


class Counted:
    """Counts the simulations and requests of all threads."""

    def __init__(self) -> None:
        self.candidates = self.requests = 0
        self.lock = threading.Lock()
        self.outcome, self.candidate = search.outcome, search.Search.candidate

    def __enter__(self) -> Counted:
        def outcome(fleet, requests, **options):  # type: ignore[no-untyped-def]
            with self.lock:
                self.requests += len(requests)
            return self.outcome(fleet, requests, **options)

        def candidate(common, deployed):  # type: ignore[no-untyped-def]
            with self.lock:
                self.candidates += 1
            return self.candidate(common, deployed)

        search.outcome, search.Search.candidate = outcome, candidate  # type: ignore[assignment,method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        search.outcome, search.Search.candidate = self.outcome, self.candidate  # type: ignore[method-assign]


def main() -> None:
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else None
    serve.plan(model="Llama 3.1 8B", rate=1, requests=100, slo="ttft=9s", accelerators=("H100",))
    candidates, wall = 0, 0.0
    for model, rate, level in PLANS:
        began = time.perf_counter()
        with Counted() as count:
            found = serve.plan(model=model, rate=rate, slo=level, prices=PRICES, workers=workers)
        spent = time.perf_counter() - began
        candidates, wall = candidates + count.candidates, wall + spent
        shapes = len(found.found) + len(found.ruled)
        print(
            f"{model:16} {rate:5.0f}/s  {shapes:5d} shapes  {count.candidates:5d} candidates  "
            f"{count.requests / 1e6:6.2f} M requests  {spent:6.2f} s  "
            f"{count.candidates / spent:6.1f} candidates/s  {found.winner.deployment.name}"
        )
    print(f"{candidates} candidates in {wall:.1f} s: 1,000 take {1000 * wall / candidates:.1f} s")


if __name__ == "__main__":
    main()
