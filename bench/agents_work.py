"""Tasks of agents simulated per second, beside SimPy in the same run.

    python bench/agents_work.py [--tasks N] [--threads N]

Vectorised: outcomes, attempts, tokens and times of independent tasks. Queue: the same tasks before
the slots of agents, arrivals without memory. SimPy (https://simpy.readthedocs.io, if installed)
runs the queue with the same slots, rate and mean time.
"""

from __future__ import annotations

import argparse
import os
import time

from lineshaft.stages.agents import (
    AgentKind,
    TokenPrice,
    Work,
    expected,
    simulate_slots,
    simulate_tasks,
    slots_needed,
)

WORK = Work(
    AgentKind("coder", 60.0),
    p50_min=120.0,
    ttft_s=2.0,
    tpot_s=0.02,
    tool_s=300.0,
    token_sigma=0.5,
    price=TokenPrice(3.0, 0.3, 15.0),
    wage_usd_per_h=64.0,
)
RATE = 1.0


def simpy_jobs_per_s(slots: int, mean_s: float, jobs: int = 40_000) -> float:
    """Jobs a second of a plain queue in SimPy."""
    import random

    import simpy

    rng = random.Random(1)
    env = simpy.Environment()
    servers = simpy.Resource(env, capacity=slots)

    def job() -> object:
        with servers.request() as asked:
            yield asked
            yield env.timeout(rng.expovariate(1.0 / mean_s))

    def arrivals() -> object:
        for _ in range(jobs):
            yield env.timeout(rng.expovariate(RATE))
            env.process(job())

    env.process(arrivals())
    start = time.perf_counter()
    env.run()
    return jobs / (time.perf_counter() - start)


def main() -> None:
    """Print tasks per second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=20_000_000)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    exact = expected(WORK)
    slots = int(slots_needed([WORK], [RATE]) * 1.05)
    simulate_tasks(WORK, 1000)
    simulate_slots([WORK], [RATE], slots, 10_000)  # compiled
    for threads in sorted({1, asked.threads}):
        start = time.perf_counter()
        drawn = simulate_tasks(WORK, asked.tasks, threads=threads)
        speed = asked.tasks / (time.perf_counter() - start)
        off = (drawn.success - exact.success) / drawn.error["passed"]
        print(f"tasks, {threads} threads: {speed / 1e6:6.1f} M/s, success off {off:+.1f} errors")
    count = asked.tasks // 5
    start = time.perf_counter()
    queue = simulate_slots([WORK], [RATE], slots, count)
    speed = count / (time.perf_counter() - start)
    needed = slots_needed([WORK], [RATE])
    off = (queue.busy - needed) / queue.busy_error
    print(f"tasks before {slots} slots: {speed / 1e6:6.1f} M/s, busy off {off:+.1f} errors")
    try:
        print(f"SimPy, the same queue: {simpy_jobs_per_s(slots, needed / RATE) / 1e3:8.1f} k/s")
    except ModuleNotFoundError:
        print("SimPy is not installed")


if __name__ == "__main__":
    main()
