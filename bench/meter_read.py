"""A canonical log read to every figure of DAA/1: the first time, and again from its store.

    python bench/meter_read.py --tasks 300000

The log is made for it: tasks of five to eleven events (assigned, started, model calls, submitted,
accepted by a human, a verifier, a judge or nobody), all columns, zstd Parquet by day. Reads run in
one process; compiling is not timed.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from lineshaft.meter.events import COLUMNS, schema
from lineshaft.meter.log import Log
from lineshaft.meter.read import read

FIRST_US = 1_767_225_600_000_000  # 2026-01-01
TASKS_AT_ONCE = 100_000


def tasks(first: int, count: int, agents: int, days: int) -> pa.Table:
    """Canonical events of some tasks, in order of time."""
    pick = np.random.default_rng(first)
    each = pick.integers(5, 12, count)
    start_of = np.cumsum(each) - each
    task = np.repeat(np.arange(count), each)
    step = np.arange(len(task)) - start_of[task]
    left = each[task] - 1 - step
    kind = np.select(
        [step == 0, step == 1, left == 1, left == 0], ["assign", "start", "submit", "accept"], "llm"
    )
    begin = FIRST_US + np.sort(pick.integers(0, days * 86_400, count)) * 1_000_000
    ts = begin[task] + step * 60_000_000 + pick.integers(0, 1_000_000, len(task))
    order = np.argsort(ts, kind="stable")
    model = kind == "llm"
    done = kind == "accept"

    def some(values: np.ndarray, where: np.ndarray) -> pa.Array:
        return pa.array(values, mask=~where)

    methods = np.array(["human", "verifier", "judge", "self_report"])[
        pick.integers(0, 4, len(task))
    ]
    columns = {
        "event_id": pa.array([f"{first:08x}{k:024x}" for k in range(len(task))]),
        "ts": pa.array(ts),
        "ingest_ts": pa.array(ts + pick.integers(0, 5_000_000, len(task))),
        "tenant": pa.array(["acme"]).take(pa.array(np.zeros(len(task), np.int64))),
        "agent_id": pa.array([f"deployment/agent-{a}" for a in range(agents)]).take(
            pa.array(pick.integers(0, agents, count)[task])
        ),
        "task_id": pa.array([f"task-{first + k:012d}" for k in range(count)]).take(pa.array(task)),
        "kind": pa.array(kind),
        "method": some(methods, done),
        "requester_id": some(np.full(len(task), "ann"), kind == "assign"),
        "reviewer_id": some(np.full(len(task), "ben"), done),
        "tokens_in": some(pick.integers(100, 9999, len(task)), model),
        "tokens_out": some(pick.integers(10, 999, len(task)), model),
        "tokens_cached": some(pick.integers(0, 99, len(task)), model),
        "cost_usd": some(pick.random(len(task)), model),
        "human_s": some(pick.random(len(task)) * 100, done),
        "value_usd": some(pick.random(len(task)), done),
        "human_equiv_min": some(pick.random(len(task)) * 30, kind == "submit"),
        "model": some(np.full(len(task), "a-model"), model),
        "attrs": some(np.full(len(task), '{"server.address": "example.com"}'), model),
    }
    types = schema()
    arrays = [
        columns[name].cast(types.field(name).type).take(pa.array(order))
        if name in columns
        else pa.nulls(len(task), types.field(name).type)
        for name in COLUMNS
    ]
    return pa.Table.from_arrays(arrays, schema=types)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=300_000)
    parser.add_argument("--agents", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="meter-read-"))
    try:
        log, warm = (Log.open(folder / name, create=True) for name in ("log", "warm"))
        began = time.perf_counter()
        for first in range(0, options.tasks, TASKS_AT_ONCE):
            count = min(TASKS_AT_ONCE, options.tasks - first)
            log.append(tasks(first, count, options.agents, options.days))
        print(f"made in {time.perf_counter() - began:.1f} s")
        warm.append(tasks(0, 1000, 100, 3))
        for _ in range(2):
            read(warm.path)
        for what in ("first read", "again", "again"):
            began, used = time.perf_counter(), time.process_time()
            reading = read(log.path)
            wall, cpu = time.perf_counter() - began, time.process_time() - used
            rate = reading.events / wall / 1e6
            print(f"{what}: {reading.events:,} events in {wall:.2f} s, {rate:.2f} M events/s"
                  f" ({reading.events / cpu / 1e6:.2f} M per CPU second)")  # fmt: skip
        size = sum(p.stat().st_size for p in (log.path / ".daa1").iterdir()) / reading.events
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"store {size:.0f} bytes an event; peak memory {peak:,.0f} MiB, making the log too")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
