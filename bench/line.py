"""Ten years, monthly: one case with curves at hand, and 10,000 draws with quantiles.

Prints the median of several runs in this process; the curves come from the cache and are not
counted. Memory is the peak of the process.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time

import lineshaft
from lineshaft.characterise import characterise
from lineshaft.contracts.calendar import Calendar
from lineshaft.line import run, simulate
from lineshaft.parameters import assemble
from lineshaft.parameters.draws import draw


def timed(times: int, what) -> float:  # type: ignore[no-untyped-def]
    """Median seconds of `times` calls, after one that is not counted."""
    what()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        what()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    scenario = lineshaft.read("gigawatt")
    curves = characterise(scenario)
    calendar = Calendar.of(scenario.start, scenario.months)
    parameters = assemble(scenario, curves, draw(scenario, 0, scenario.seed), calendar)
    print(f"{scenario.name}: {scenario.months} months")
    whole = timed(9, lambda: run(scenario, curves))
    loop = timed(9, lambda: simulate(parameters, curves))
    print(f"  one case, whole run            {1e3 * whole:9.1f} ms   (target 60 ms)")
    print(f"  of it: months and tables       {1e3 * loop:9.1f} ms")
    start = time.perf_counter()
    outcome = run(scenario, curves, draws=draws)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  {outcome.draws} draws, KPI quantiles {seconds:12.2f} s    (target 10 s)")
    print(f"  peak memory                    {peak:9.2f} GiB  (target 2 GB)")


if __name__ == "__main__":
    main()
