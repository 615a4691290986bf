"""Whole commands as a user runs them: help, a first run with an empty cache, a second one,
an explanation.

CPU seconds are those of the child process; wall seconds stand beside them.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def once(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """(wall, CPU) seconds of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "lineshaft", *arguments],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "LINESHAFT_CACHE": str(Path(folder) / "curves"),
            "NUMBA_CACHE_DIR": str(Path(folder) / "numba"),
        }
        once(["--help"], environment)
        helps = [once(["--help"], environment) for _ in range(5)]
        cpu = statistics.median(h[1] for h in helps)
        print(f"lineshaft --help            {cpu:6.2f} s CPU   (target 0.3 s)")
        wall, cpu = once(["run", "-o", str(Path(folder) / "first")], environment)
        print(f"first lineshaft run         {wall:6.2f} s wall  {cpu:.2f} s CPU (target 20 s)")
        runs = [once(["run", "-o", str(Path(folder) / f"r{i}")], environment) for i in range(3)]
        wall, cpu = (statistics.median(r[k] for r in runs) for k in (0, 1))
        print(f"second lineshaft run        {wall:6.2f} s wall  {cpu:.2f} s CPU (target 3 s)")
        explain = ["explain", str(Path(folder) / "r0"), "value.enterprise_value_usd"]
        runs = [once(explain, environment) for _ in range(3)]
        wall, cpu = (statistics.median(r[k] for r in runs) for k in (0, 1))
        print(f"lineshaft explain           {wall:6.2f} s wall  {cpu:.2f} s CPU (target 1 s)")


if __name__ == "__main__":
    main()
