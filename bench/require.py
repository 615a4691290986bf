"""`lineshaft require --value 9.3T` on the shipped gigawatt example, curves at hand.

Prints seconds, the forward error of what it found, and its factor.
"""

from __future__ import annotations

import statistics
import time

import lineshaft
from lineshaft.require import require

TARGETS = ({"value_usd": "9.3T"}, {"revenue_usd": "5T"}, {"daa": "10G"})


def main() -> None:
    start = time.perf_counter()
    scenario = lineshaft.read("gigawatt")
    print(f"read and check the scenario {time.perf_counter() - start:8.2f} s")
    for target in TARGETS:
        require(scenario, **target)  # type: ignore[arg-type]
        seconds = []
        for _ in range(5):
            start = time.perf_counter()
            found = require(scenario, **target)  # type: ignore[arg-type]
            seconds.append(time.perf_counter() - start)
        off = found.amount / found.target.value - 1
        print(
            f"{found.target.text:50} {statistics.median(seconds):6.2f} s   (target 2 s)   "
            f"{100 * off:+.4f} % off (target 1 %)   times {found.factor:.6g}"
        )


if __name__ == "__main__":
    main()
