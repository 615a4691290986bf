"""A thousand scenarios, and Sobol's indices of twelve inputs.

The median case of 1,000 scenarios that differ in numbers (solved side by side), and of a smaller
grid in which every scenario needs a construction schedule of its own; then the indices at N =
1,024. Curves of the scenario itself come from the cache and are not counted. CPU time is that of
all processes: on a busy machine read that one.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import lineshaft
from lineshaft.api import locate
from lineshaft.characterise import characterise
from lineshaft.sweep import sweep
from lineshaft.sweep.executors import Processes
from lineshaft.sweep.indices import sobol
from lineshaft.sweep.scenario_indices import scenario_indices


@contextmanager
def timed() -> Iterator[list[float]]:
    """[wall seconds, CPU seconds of this process and its children]"""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    found: list[float] = []
    wall = time.perf_counter()
    before = sum(sum(resource.getrusage(w)[:2]) for w in who)
    yield found
    after = sum(sum(resource.getrusage(w)[:2]) for w in who)
    found += [time.perf_counter() - wall, after - before]


def main() -> None:
    scenarios = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    source = locate("gigawatt")
    scenario = lineshaft.read("gigawatt")
    curves = characterise(scenario)
    print(f"{scenario.name}, 2 processes")
    with tempfile.TemporaryDirectory() as folder:
        steps = max(2, round(scenarios / 25))
        asked = ["capital.runway_months=3..9:25", f"value.wacc=0.08..0.14:{steps}"]
        with timed() as spent:
            found = sweep(source, asked, Path(folder) / "a", workers=2)
        rate = len(found) / spent[0]
        print(f"  {len(found)} scenarios {spent[0]:21.1f} s, {rate:.1f}/s   (target 25/s)", end="")
        print(f"   {1e3 * spent[1] / len(found):.1f} ms CPU each")
        asked = ["build.crew.electrical.headcount=200..900:4", "value.wacc=0.08..0.14:8"]
        with timed() as spent:
            found = sweep(source, asked, Path(folder) / "b", workers=2)
        rate = len(found) / spent[0]
        print(f"  {len(found)} of 4 construction plans {spent[0]:8.1f} s, {rate:.1f}/s")
    with timed() as spent:
        indices = scenario_indices(scenario, curves, executor=Processes(2))
    print(f"  Sobol, {indices.evaluations} draws {spent[0]:15.1f} s   (target 30 s)", end="")
    print(f"   {spent[1]:.1f} s CPU, screen of {indices.screened} inputs in it")
    with timed() as spent:
        sobol(lambda u: np.sin(6.28 * u[0]) + 7.0 * u[1] ** 2 + u[2] ** 4 * u[0], 3, 65536)
    print(f"  estimators alone, N = 65,536 {spent[0]:8.2f} s   (500 bootstrap samples)")


if __name__ == "__main__":
    main()
