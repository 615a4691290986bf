"""Jobs per second of the review queue: the engine beside SimPy and Ciw, on the same desk.

    python bench/oversee_queue.py [--jobs 4000000] [--peers 40000]

M/M/50 at a load of 0.96, two classes with non-preemptive priority, patience of two minutes in
both. Processor time of one thread, the best of three; the engine with its interval beside Erlang A.
SimPy (4.1) and Ciw (3.2) are run where they are installed. Target: a million jobs per second.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from time import process_time

from lineshaft.stages.oversee import erlang_a
from lineshaft.stages.oversee.simulate import ReviewDesk, Reviewers, Work, simulate

SERVERS, PER_S, SERVICE_S, PATIENCE_S, FIRST = 50, 0.8, 60.0, 120.0, 0.3


def engine(jobs: int) -> float:
    """Share that abandons."""
    work = tuple(
        Work(PER_S * part, SERVICE_S, patience_s=PATIENCE_S) for part in (FIRST, 1 - FIRST)
    )
    desk = ReviewDesk(work, Reviewers((SERVERS,)))
    return simulate(desk, tasks=jobs, threads=1).share("abandoned").mean


def by_simpy(jobs: int) -> float:
    """The same with SimPy's priority resource."""
    import simpy

    env, rng = simpy.Environment(), random.Random(1)
    desk, left = simpy.PriorityResource(env, SERVERS), 0

    def task(rank: int) -> object:
        nonlocal left
        with desk.request(priority=rank) as wanted:
            got = yield wanted | env.timeout(rng.expovariate(1 / PATIENCE_S))
            if wanted in got:
                yield env.timeout(rng.expovariate(1 / SERVICE_S))
            else:
                left += 1

    def source() -> object:
        for _ in range(jobs):
            yield env.timeout(rng.expovariate(PER_S))
            env.process(task(int(rng.random() >= FIRST)))

    env.process(source())
    env.run()
    return left / jobs


def by_ciw(jobs: int) -> float:
    """The same with Ciw."""
    import ciw

    exp = ciw.dists.Exponential
    network = ciw.create_network(
        arrival_distributions={
            "a": [exp(PER_S * FIRST)],
            "b": [exp(PER_S * (1 - FIRST))],
        },
        service_distributions={"a": [exp(1 / SERVICE_S)], "b": [exp(1 / SERVICE_S)]},
        reneging_time_distributions={"a": [exp(1 / PATIENCE_S)], "b": [exp(1 / PATIENCE_S)]},
        priority_classes={"a": 0, "b": 1},
        number_of_servers=[SERVERS],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(jobs, method="Arrive")
    records = simulation.get_all_records()
    return sum(one.record_type == "renege" for one in records) / len(records)


def timed(run: Callable[[int], float], jobs: int, times: int) -> tuple[float, float]:
    """(jobs per second of processor time, what it found)."""
    best, found = 0.0, 0.0
    for _ in range(times):
        start = process_time()
        found = run(jobs)
        best = max(best, jobs / (process_time() - start))
    return best, found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=4_000_000)
    parser.add_argument("--peers", type=int, default=40_000)
    asked = parser.parse_args()
    engine(1000)  # compiled, or read from the cache
    exact = float(erlang_a(SERVERS, PER_S, SERVICE_S, PATIENCE_S).p_abandon)
    print(f"{'':10}{'jobs/s':>12}  abandoned (Erlang A: {exact:.4%})")
    for name, run, jobs, times in (
        ("engine", engine, asked.jobs, 3),
        ("SimPy", by_simpy, asked.peers, 1),
        ("Ciw", by_ciw, asked.peers, 1),
    ):
        try:
            rate, found = timed(run, jobs, times)
        except ModuleNotFoundError as missing:
            print(f"{name:10}{missing.name} is not installed")
            continue
        print(f"{name:10}{rate:12,.0f}  {found:.4%} of {jobs:,}")


if __name__ == "__main__":
    main()
