"""Tasks per second of the floor's fleet queue, with charging and breakdowns.

    PYTHONPATH=src python bench/floor_fleet.py

Prints M tasks/s for fleets of 10 to 100,000 robots, beside the same queue in SimPy where it is
installed (no charging there).
"""

from __future__ import annotations

import time

import numpy as np

from lineshaft.stages.floor.kernel import fleet

HOUR = 3600.0


def run(robots: int, tasks: int) -> float:
    rng = np.random.default_rng(0)
    service = rng.lognormal(4.0, 0.3, tasks)
    away = 2.7 / 8.4 + 2.0 / 500.0
    per_s = 0.85 / (1 + 0.85 * away) * robots / service.mean()
    arrival = np.cumsum(rng.exponential(1 / per_s, tasks))
    chance, repair = rng.random(tasks), rng.exponential(2 * HOUR, tasks)
    start = np.zeros(robots)
    worked = 8.4 * HOUR * np.arange(robots) / robots
    args = (arrival, service, start, worked, 8.4 * HOUR, 2.7 * HOUR, 500 * HOUR, chance, repair)
    fleet(*args)
    begin = time.perf_counter()
    fleet(*args)
    return tasks / (time.perf_counter() - begin)


def simpy_rate(robots: int, tasks: int) -> float | None:
    try:
        import simpy
    except ImportError:
        return None
    rng = np.random.default_rng(0)
    service = rng.lognormal(4.0, 0.3, tasks)
    gaps = rng.exponential(service.mean() / robots / 0.85, tasks)
    env = simpy.Environment()
    pool = simpy.Resource(env, robots)

    def task(length: float):  # type: ignore[no-untyped-def]
        with pool.request() as asked:
            yield asked
            yield env.timeout(length)

    def source():  # type: ignore[no-untyped-def]
        for gap, length in zip(gaps, service, strict=True):
            yield env.timeout(gap)
            env.process(task(length))

    env.process(source())
    begin = time.perf_counter()
    env.run()
    return tasks / (time.perf_counter() - begin)


if __name__ == "__main__":
    for robots in (10, 100, 1000, 10_000, 100_000):
        print(f"{robots:>7} robots  {run(robots, 2_000_000) / 1e6:6.2f} M tasks/s")
    rate = simpy_rate(100, 30_000)
    if rate is not None:
        print(f"SimPy, 100 robots  {rate / 1e6:6.3f} M tasks/s")
