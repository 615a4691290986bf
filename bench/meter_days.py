"""The day figures of a large log: Lineshaft, DuckDB and Polars on the same files, in the same run.

    python bench/meter_days.py --rows 10000000 --folder /tmp/log

The generator writes a settled flat log, unless it is there: events of agents that come and go, on
more weekdays than weekends, about a third of them accepted, in order of time (`--shuffled`: in
none; `--strings`: agents by name). Then each engine answers in a process of its own, with two
threads: DAA, WAA, MAA, lifecycle, retention, any-event DAU, and the agent-day table. What they say
is compared, figure by figure; `rows/s` is rows of the log over the seconds of all answers.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

AGENTS, DAYS, FILES, SEED = 200_000, 120, 10, 1
FIRST_DAY = 20_454  # 2026-01-01


def generate(
    folder: Path,
    rows: int,
    *,
    agents: int = AGENTS,
    days: int = DAYS,
    files: int = FILES,
    seed: int = SEED,
    shuffled: bool = False,
    strings: bool = False,
) -> None:
    """Write the log: `files` zstd Parquet files with six columns, by the defaults of pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    begin = np.where(rng.random(agents) < 0.4, 0, rng.integers(0, days, agents))
    end = begin + rng.geometric(1 / 60, agents)
    often = rng.beta(0.8, 1.6, agents)  # share of its days on which an agent is at work
    busy = rng.lognormal(0.0, 1.2, agents)
    good = rng.beta(0.7, 1.2, agents)  # share of its days on which its work is good
    week = np.array([1.0, 1.0, 1.0, 0.95, 0.9, 0.45, 0.4])
    weights = week[(FIRST_DAY + 3 + np.arange(days)) % 7]
    per_day = np.diff(np.round(np.concatenate(([0], np.cumsum(weights))) / weights.sum() * rows))
    folder.mkdir(parents=True, exist_ok=True)
    edges = [round(days * k / files) for k in range(files + 1)]
    for k in range(files):
        parts = []
        for day in range(edges[k], edges[k + 1]):
            there = (begin <= day) & (day < end) & (rng.random(agents) < often * weights[day])
            rate = np.where(there, busy, 0.0)
            count = rng.multinomial(int(per_day[day]), rate / rate.sum())
            agent = np.repeat(np.arange(agents), count)
            n = len(agent)
            p = np.where(rng.random(agents) < good, 0.85, 0.0)[agent]
            at = rng.normal(0.58, 0.16, n) % 1.0  # the middle of the afternoon
            ts = ((FIRST_DAY + day + at) * 86_400e6).astype(np.int64)
            order = np.argsort(ts, kind="stable")
            tokens = np.minimum(rng.lognormal(7.0, 1.0, n), 1e7).astype(np.int64) + 1
            human = np.where(rng.random(n) < 0.06, np.round(rng.exponential(90.0, n), 1), 0.0)
            parts.append(
                (agent[order], ts[order], (rng.random(n) < p)[order], tokens,
                 np.round(tokens * rng.uniform(2e-6, 6e-6, n), 6), human)
            )  # fmt: skip
        agent, ts, accepted, tokens, cost, human = (
            np.concatenate([part[c] for part in parts]) for c in range(6)
        )
        if shuffled:  # whole days are drawn from all over the log
            mixed = rng.permutation(len(ts))
            ts = ts[mixed]
            ts += (rng.integers(0, days, len(ts)) - (ts // 86_400_000_000 - FIRST_DAY)) * (
                86_400_000_000
            )
            agent, accepted = agent[mixed], accepted[mixed]
        ids = pa.array(agent)
        if strings:
            names = pa.array([f"agent-{i:06d}" for i in range(agents)])
            ids = names.take(ids)
        table = pa.table(
            {
                "agent_id": ids,
                "ts": pa.array(ts, pa.timestamp("us", tz="UTC")),
                "accepted": accepted,
                "tokens": tokens,
                "cost_usd": cost,
                "human_s": human,
            }
        )
        pq.write_table(table, folder / f"part-{k:02d}.parquet", compression="zstd")


# --- engines: each returns seconds by step, and the figures --------------------------------------

Answer = tuple[dict[str, float], dict[str, Any]]
LIFECYCLE = ("new", "retained", "reactivated", "resurrected", "lost", "dormant")


class Watch:
    """Seconds by step."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._last = time.perf_counter()

    def step(self, name: str) -> None:
        now = time.perf_counter()
        self.steps[name], self._last = now - self._last, now


def lineshaft(folder: Path, store: Path | None) -> Answer:
    """From Parquet, or from the store that an earlier run left."""
    from lineshaft.meter import flat
    from lineshaft.meter.compact import Store
    from lineshaft.meter.definition import Definition

    watch = Watch()
    measures, rollup = flat.measure(
        folder, Definition(), store=Store(store) if store is not None else None
    )
    watch.step("all")
    return watch.steps, figures(measures, rollup)


def figures(measures: Any, rollup: Any) -> dict[str, Any]:
    grade = measures.grades[1]
    return {
        "daa": grade.active,
        "waa": grade.week,
        "maa": grade.month,
        **{name: getattr(grade, name) for name in LIFECYCLE},
        "retention": grade.retention,
        "dau": measures.seen,
        "agent_days": len(rollup.day),
        "accepted": int(grade.accepted.sum()),
        "tokens": int(rollup.tokens.sum()),
        "cost_usd": float(rollup.cost_usd.sum()),
        "human_s": float(rollup.human_s.sum()),
    }


def columns(folder: Path, store: Path | None) -> Answer:
    """From compact columns in memory: u32 agent, u8 day, u8 accepted; the second time counts, as
    the first waits for the compiled code to be loaded."""
    import pyarrow.parquet as pq

    from lineshaft.meter.compact import Ids
    from lineshaft.meter.days import Span, distinct
    from lineshaft.meter.definition import Definition

    agent, day, accepted, ids = [], [], [], Ids()
    for path in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(columns=["agent_id", "ts", "accepted"]):
            who = batch.column(0)
            text = not np.issubdtype(who.type.to_pandas_dtype(), np.integer)
            agent.append(ids.of(who) if text else who.to_numpy().astype(np.uint32))
            ts = batch.column(1).cast("int64").to_numpy()
            day.append((ts // 86_400_000_000 - FIRST_DAY).astype(np.uint8))
            accepted.append(batch.column(2).cast("uint8").to_numpy())
    given = [np.concatenate(parts) for parts in (agent, day, accepted)]
    agents = int(given[0].max()) + 1
    last = FIRST_DAY + int(given[1].max())
    span = Span.of(FIRST_DAY, FIRST_DAY, last, Definition())
    for _ in range(2):
        watch = Watch()
        found = distinct(*given, 1, span, np.zeros(agents, bool), day_zero=FIRST_DAY).figures
        watch.step("all")
    names = {"daa": "active", "waa": "week", "maa": "month", "retention": "retention"}
    names |= dict(zip(LIFECYCLE, LIFECYCLE, strict=True))
    return watch.steps, {name: found[key] for name, key in names.items()}


def duckdb(folder: Path, store: Path | None) -> Answer:
    """The agent-day table from Parquet, and all else from that."""
    import duckdb

    db = duckdb.connect(config={"threads": 2})
    db.execute("set timezone = 'UTC'")
    watch = Watch()
    db.execute(
        f"""create table r as select agent_id as a, epoch_us(ts) // 86400000000 as d,
        count(*) as events, count(*) filter (accepted) as accepted, sum(tokens) as tokens,
        sum(cost_usd) as cost_usd, sum(human_s) as human_s
        from read_parquet('{folder}/*.parquet') group by all"""
    )
    watch.step("rollup")
    first, last = db.execute("select min(d), max(d) from r").fetchall()[0]
    days = last - first + 1
    db.execute("create table dd as select a, d from r where accepted > 0")

    def by_day(question: str) -> Any:
        out = np.zeros(days, int)
        for d, count in db.execute(question).fetchall():
            out[d - first] = count
        return out

    found: dict[str, Any] = {"daa": by_day("select d, count(*) from dd group by d")}
    watch.step("DAA")
    for name, window in (("waa", 7), ("maa", 28)):
        found[name] = by_day(
            f"""select d + k as e, count(distinct a) from dd, range({window}) t(k)
            where d + k <= {last} group by e"""
        )
        watch.step(name.upper())
    gaps = "(select d, d - lag(d) over (partition by a order by d) as gap, a from dd)"
    nexts = "(select d + 1 as e, lead(d) over (partition by a order by d) as n from dd)"
    found["new"] = by_day(f"select d, count(*) from {gaps} where gap is null group by d")
    for name, rule in {
        "retained": "gap = 1",
        "reactivated": "gap between 2 and 27",
        "resurrected": "gap > 27",
    }.items():
        found[name] = by_day(f"select d, count(*) from {gaps} where {rule} group by d")
    found["lost"] = by_day(
        f"select e, count(*) from {nexts} where e <= {last} and n is distinct from e group by e"
    )
    ever = np.cumsum(found["new"]) - found["new"]
    found["dormant"] = ever - (found["daa"] - found["new"]) - found["lost"]
    watch.step("lifecycle")
    weeks = -(-days // 7)
    found["retention"] = np.zeros((weeks, days), int)
    for week, n, count in db.execute(
        f"""select (f - {first}) // 7, d - f, count(*) from
        (select d, min(d) over (partition by a) as f from dd) group by all"""
    ).fetchall():
        found["retention"][week, n] = count
    watch.step("retention")
    found["dau"] = by_day("select d, count(*) from r group by d")
    sums = "count(*), sum(accepted), sum(tokens), sum(cost_usd), sum(human_s)"
    names = ("agent_days", "accepted", "tokens", "cost_usd", "human_s")
    row = db.execute(f"select {sums} from r").fetchall()[0]
    found |= dict(zip(names, map(float, row), strict=True))
    watch.step("DAU")
    return watch.steps, found


def polars(folder: Path, store: Path | None) -> Answer:
    """DAA alone, then the agent-day table, both from Parquet, streaming."""
    import polars as pl

    rows = pl.scan_parquet(folder / "*.parquet").with_columns(d=pl.col("ts").dt.date())
    watch = Watch()
    daa = (
        rows.filter("accepted")
        .group_by("d")
        .agg(n=pl.col("agent_id").n_unique())
        .sort("d")
        .collect(engine="streaming")
    )
    watch.step("DAA")
    sums = [pl.col(name).sum() for name in ("accepted", "tokens", "cost_usd", "human_s")]
    rollup = rows.group_by("agent_id", "d").agg(pl.len(), *sums).collect(engine="streaming")
    watch.step("rollup")
    found = {
        "daa": daa["n"].to_numpy().astype(int),
        "agent_days": len(rollup),
        **{name: rollup[name].sum() for name in ("accepted", "tokens", "cost_usd", "human_s")},
    }
    return watch.steps, found


ENGINES = {
    "lineshaft": lineshaft,
    "lineshaft, filling its store": lineshaft,
    "lineshaft, from its store": lineshaft,
    "lineshaft, compact columns": columns,
    "duckdb": duckdb,
    "polars": polars,
}


def child(engine: str, folder: Path, out: Path, store: Path) -> None:
    """One engine in this process: its figures to `out`, the rest to stdout."""
    kept = store if engine.endswith("store") else None
    steps, found = ENGINES[engine](folder, kept)
    np.savez(out, **found)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime
    # not ru_maxrss, which a process takes over from the one that started it
    peak_kb = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text("utf-8"))
    assert peak_kb is not None
    print(json.dumps({"steps": steps, "peak_mb": int(peak_kb[1]) / 1024, "cpu_s": cpu}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--agents", type=int, default=AGENTS)
    parser.add_argument("--folder", type=Path, help="keep the log there, or take it from there")
    parser.add_argument("--engines", default=",".join(ENGINES), help="names that begin so")
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--strings", action="store_true")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], asked.folder, Path(asked.child[1]), Path(asked.child[2]))
        return
    scratch = Path(tempfile.mkdtemp(prefix="meter_days"))
    folder = asked.folder or scratch / "log"
    if not list(folder.glob("*.parquet")):
        generate(
            folder, asked.rows, agents=asked.agents, shuffled=asked.shuffled, strings=asked.strings
        )
    try:
        compare(folder, scratch, asked.engines.split(","))
    finally:
        shutil.rmtree(scratch)


def compare(folder: Path, scratch: Path, wanted: list[str]) -> None:
    """Run the engines one after another and print what they took and where they differ."""
    import pyarrow.parquet as pq

    files = sorted(folder.glob("*.parquet"))
    rows = sum(pq.read_metadata(path).num_rows for path in files)
    size = sum(path.stat().st_size for path in files)
    print(f"{rows:,} rows in {len(files)} files, {size / 1e6:,.0f} MB")
    first: dict[str, Any] = {}
    for engine in ENGINES:
        if not any(engine.startswith(name) for name in wanted):
            continue
        out = scratch / "out.npz"
        command = [sys.executable, __file__, "--folder", str(folder), "--child", engine, str(out)]
        begin = time.perf_counter()
        done = subprocess.run(
            [*command, str(scratch / "store")], stdout=subprocess.PIPE, text=True, check=True
        )
        whole = time.perf_counter() - begin
        said = json.loads(done.stdout)
        found = dict(np.load(out))
        first = first or found
        different = [
            name
            for name, value in found.items()
            if value.shape != first[name].shape or not np.allclose(value, first[name], rtol=1e-12)
        ]
        seconds = sum(said["steps"].values())
        print(
            f"{engine:30} {seconds:8.3f} s {rows / seconds / 1e6:8.1f} M rows/s "
            f"{said['peak_mb']:6.0f} MB  process {whole:.1f} s, {said['cpu_s']:.1f} CPU-s  "
            + (f"DIFFERS in {', '.join(different)}" if different else f"{len(found)} figures equal")
        )
        if len(said["steps"]) > 1:
            print("    " + ", ".join(f"{name} {s:.2f}" for name, s in said["steps"].items()))
    for name in ("daa", "waa", "maa", "dau"):
        print(f"sum {name} {int(first[name].sum()):,}", end="; ")
    cells = first["retention"]
    print(f"{int((cells > 0).sum()):,} retention cells, {int(cells.sum()):,}")


if __name__ == "__main__":
    main()
