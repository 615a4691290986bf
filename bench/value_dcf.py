"""Times of the valuation loops: a 1e6-path DCF of ten years, 10,000 IRRs, 10,000 reverse DCFs.

    PYTHONPATH=src python bench/value_dcf.py

Prints the best of five runs in seconds, beside pyxirr's one-by-one loop for the same IRRs and the
largest difference between the two. Times are noisy: read the ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pyxirr

from lineshaft.stages.value.finance import irr_rows
from lineshaft.stages.value.reverse_dcf import implied, multiple


def best_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Shortest wall time of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    rng = np.random.default_rng(1)
    paths = 1_000_000

    def monte_carlo() -> np.ndarray:
        growth = 0.6 + 0.15 * rng.standard_normal(paths)
        rate = np.clip(0.12 + 0.01 * rng.standard_normal(paths), 0.06, None)
        return multiple(growth, rate)

    print(f"1e6-path DCF, 10 years, draws included   {best_s(monte_carlo):8.3f} s")

    flows = rng.uniform(0.5, 2.0, (10_000, 40))
    flows[:, :4] = -rng.uniform(2.0, 12.0, (10_000, 4))
    ours = best_s(lambda: irr_rows(flows))
    theirs = best_s(lambda: [pyxirr.irr(row) for row in flows])
    gap = np.abs(irr_rows(flows).value - [pyxirr.irr(row) for row in flows]).max()
    print(f"10,000 IRRs of 40 flows                  {ours:8.3f} s")
    print(f"the same, pyxirr one by one              {theirs:8.3f} s, differ by {gap:.1e}")

    value, rates = rng.uniform(1e11, 1e13, 10_000), rng.uniform(0.09, 0.16, 10_000)
    backwards = best_s(lambda: implied(value, 5e10, rates))
    print(f"10,000 reverse DCFs                      {backwards:8.3f} s")


if __name__ == "__main__":
    main()
