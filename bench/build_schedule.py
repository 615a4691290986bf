"""How fast the construction engine is on a campus of 1 GW: 8 phases x 4 halls, 360 activities.

Run: PYTHONPATH=src python bench/build_schedule.py [--quick]

Prints schedules per second on one core, `characterise` with 512 worlds (target: 1 s), crew
sizing, and the compile time of a fresh process with an empty cache (target: 5 s).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from lineshaft.contracts.reasons import TRADES
from lineshaft.stages.build import BuildInputs, Phase, characterise, crews_for
from lineshaft.stages.build.risk import draw
from lineshaft.stages.build.schedule import build_network, make_plan, run_many
from lineshaft.stages.build.workforce import crew_hours

GIGAWATT = BuildInputs(60, tuple(Phase(f"phase {i}", 125e6) for i in range(1, 9)), ())


def best_s(run: Callable[[], object], repeats: int = 5) -> float:
    """Shortest of some runs, seconds."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def schedules_per_s(inputs: BuildInputs) -> float:
    """The kernel alone: worlds scheduled per second on one core."""
    net = build_network(inputs)
    draws = draw(inputs, net)
    capacity = crew_hours(inputs.crews, inputs.months)
    plan = make_plan(inputs, net, capacity, draws.work[0], draws.release[0])
    outage = np.zeros((len(draws.work), len(TRADES), 2))
    return len(draws.work) / best_s(lambda: run_many(net, plan, draws.work, draws.release, outage))


def cold_s() -> float:
    """Seconds of the first `finishes` and `schedule` in a new process with an empty cache."""
    code = (
        "import time; import build_schedule as b; from dataclasses import replace;"
        "inputs = replace(b.GIGAWATT, samples=1); t = time.perf_counter();"
        "b.crews_for(inputs, 24); b.characterise(replace(inputs, crews=b.crews_for(inputs, 24)));"
        "print(time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as cache:
        paths = os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        )
    return float(done.stdout)


def main() -> None:
    """Print the table."""
    quick = "--quick" in sys.argv
    for months in (24,) if quick else (11, 24, 36):
        inputs = replace(GIGAWATT, crews=crews_for(GIGAWATT, months))
        whole = best_s(partial(characterise, inputs), 2 if quick else 5)
        print(
            f"1 GW in {months} months: {schedules_per_s(inputs):7,.0f} schedules/s, "
            f"characterise with {inputs.samples} worlds {whole:.3f} s"
        )
    print(f"crews_for: {best_s(lambda: crews_for(GIGAWATT, 24)):.3f} s")
    if not quick:
        print(f"cold (late imports, compile, sizing and one run): {cold_s():.1f} s")


if __name__ == "__main__":
    main()
