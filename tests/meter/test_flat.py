"""Settled flat logs against DuckDB, which reads the same files."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lineshaft.errors import InputError
from lineshaft.meter import flat, flat_parts
from lineshaft.meter.compact import NONE, Store
from lineshaft.meter.days import measure
from lineshaft.meter.definition import Definition
from lineshaft.meter.flat import Columns, Rollup
from lineshaft.meter.measures import NEVER, Agents, Effort, Grade, Measures, Settled, Work

DEFINITION = Definition()
HOUR = 3_600_000_000
SPRING = 1_774_490_400_000_000  # 2026-03-26 02:00 UTC: Europe's clocks change three days later


def log(rows: int, seed: int = 1, agents: int = 40, hours: int = 24 * 40) -> pa.Table:
    """A log of random rows in no order; costs are whole cents, so that sums are exact."""
    rng = np.random.default_rng(seed)
    human = np.where(rng.random(rows) < 0.7, 0.0, rng.integers(1, 999, rows))
    return pa.table(
        {
            "agent_id": rng.integers(0, agents, rows) * 1_000_003 - 7,
            "ts": pa.array(SPRING + rng.integers(0, hours * HOUR, rows), pa.timestamp("us", "UTC")),
            "accepted": rng.integers(0, 8, rows).astype(np.uint8),
            "tokens": rng.integers(0, 10**10, rows),
            "cost_usd": rng.integers(0, 999, rows).astype(float),
            "human_s": human,
        }
    )


def written(folder: Path, table: pa.Table, files: int = 3, **options: Any) -> list[Path]:
    """The table in some files, row groups of 500 rows."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"part-{k}.parquet" for k in range(files)]
    step = -(-len(table) // files)
    for k, path in enumerate(paths):
        pq.write_table(table.slice(k * step, step), path, row_group_size=500, **options)
    return paths


def rows_of(rollup: Rollup) -> list[tuple[Any, ...]]:
    """The agent-day table with the agents' ids, sorted."""
    names = [*rollup.agents.to_pylist(), None]
    agent = [names[min(a, len(names) - 1)] for a in rollup.agent.tolist()]
    columns = [rollup.day, rollup.events, *rollup.accepted, rollup.tokens, rollup.cost_usd,
               rollup.human_s]  # fmt: skip
    listed = zip(agent, *(c.tolist() for c in columns), strict=True)
    return sorted(listed, key=lambda row: (str(row[0]), *row[1:]))


def asked(paths: list[Path], zone: str = "UTC", grades: str = "accepted") -> list[Any]:
    """DuckDB's agent-day table."""
    files = ", ".join(f"'{path}'" for path in paths)
    found = duckdb.execute(
        f"""select agent_id, datediff('day', date '1970-01-01', (ts at time zone '{zone}')::date)
        as day, count(*), count(*) filter ({grades} & 1 > 0), count(*) filter ({grades} & 2 > 0),
        count(*) filter ({grades} & 4 > 0), sum(tokens)::bigint, sum(cost_usd), sum(human_s)
        from read_parquet([{files}]) group by all"""
    )
    return sorted(found.fetchall(), key=lambda row: (str(row[0]), *row[1:]))


def same(one: Any, other: Any) -> None:
    """The same bytes in each array of two measures or rollups."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "grades":
            for x, y in zip(a, b, strict=True):
                same(x, y)
        elif isinstance(a, np.ndarray):
            assert a.tobytes() == b.tobytes(), field.name
        else:
            assert a == b, field.name


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_duckdb_gives_the_same_agent_days(tmp_path: Path, zone: str) -> None:
    paths = written(tmp_path, log(6000))
    measures, rollup = flat.measure(tmp_path, replace(DEFINITION, zone=zone))
    assert rows_of(rollup) == asked(paths, zone)
    assert measures.events.sum() == 6000
    assert rollup.faults.counts == {}
    order = rollup.agent.astype(np.int64) * 10**6 + rollup.day
    assert (np.diff(order) > 0).all()


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 400),
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_duckdb_counts_the_same_agents(
    tmp_path_factory: pytest.TempPathFactory, rows: int, seed: int, agents: int, zone: str
) -> None:
    """Every figure is that of settled work, which is tested against DuckDB in test_days.py."""
    folder = tmp_path_factory.mktemp("log")
    table = log(rows, seed, agents)
    paths = written(folder, table, files=2)
    found, rollup = flat.measure(folder, replace(DEFINITION, zone=zone))
    files = ", ".join(f"'{path}'" for path in paths)
    for g, grade in enumerate(found.grades):
        question = f"""select datediff('day', date '1970-01-01', (ts at time zone '{zone}')::date),
            count(distinct agent_id), count(*), count(*) filter (human_s = 0)
            from read_parquet([{files}]) where accepted & {1 << g} > 0 group by 1"""
        want = np.zeros((3, found.days), int)
        for day, *counts in duckdb.execute(question).fetchall():
            want[:, day - found.first_day] = counts
        assert_array_equal(grade.active, want[0])
        assert_array_equal(grade.accepted, want[1])
        assert_array_equal(grade.untouched, want[2])
    settled = settled_of(rollup)
    last = found.first_day + found.days - 1
    want_all = measure(settled, DEFINITION, first_day=found.first_day, last_day=last)
    for name in ("seen", "events", "cost_usd", "human_s", "cohort_first_day", "tokens_out"):
        assert_array_equal(getattr(found, name), getattr(want_all, name), name)
    for grade, wanted in zip(found.grades, want_all.grades, strict=True):
        for field in fields(Grade):
            name = field.name
            if name not in ("accepted", "untouched", "unvalued", "unmeasured"):
                assert_array_equal(getattr(grade, name), getattr(wanted, name), name)


def settled_of(rollup: Rollup) -> Settled:
    """Agent-days as settled work: one task a day for each grade in which any was accepted."""
    n, agents = len(rollup.day), len(rollup.agents)
    day = np.where(rollup.accepted > 0, rollup.day, NEVER).astype(np.int32)
    none, zero = np.full(n, np.nan), np.zeros(n, np.int64)
    work = Work(rollup.agent, day, none, none, np.zeros(n, np.uint32))
    effort = Effort(
        rollup.agent, rollup.day, rollup.events.astype(np.int64), zero, rollup.tokens, zero,
        np.zeros(n), rollup.cost_usd, rollup.human_s,
    )  # fmt: skip
    names = tuple(map(str, rollup.agents.to_pylist()))
    return Settled(Agents(("",) * agents, names, np.zeros(agents, bool)), work, effort)


def test_kinds_of_columns(tmp_path: Path) -> None:
    """Strings, dictionaries and unsigned integers as ids; integers, seconds and nanoseconds as
    times; booleans as grades; decimals as money: all the same log."""
    table = log(3000)
    table = table.set_column(2, "accepted", pa.array(np.arange(3000) % 3 == 0))
    ts = table["ts"]
    seconds = ts.cast(pa.timestamp("s", "UTC"), safe=False)
    table = table.set_column(1, "ts", seconds.cast(ts.type))
    written(tmp_path / "plain", table)
    want, rollup = flat.measure(tmp_path / "plain", DEFINITION)
    assert_array_equal(rollup.accepted[0], rollup.accepted[2])
    assert rollup.accepted.sum() == 3 * 1000
    names = [f"id {k}" for k in table["agent_id"].to_pylist()]
    changed = {
        "text": ("agent_id", pa.array(names)),
        "large": ("agent_id", pa.array(names, pa.large_string())),
        "words": ("agent_id", pa.array(names).dictionary_encode()),
        "unsigned": ("agent_id", pa.array(np.array(table["agent_id"]).astype(np.uint64))),
        "small": ("agent_id", pa.array((np.array(table["agent_id"]) // 1_000_003).astype(np.int8))),
        "micros": ("ts", ts.cast(pa.int64())),
        "nanos": ("ts", ts.cast(pa.timestamp("ns", "UTC"))),
        "seconds": ("ts", seconds),
        "elsewhere": ("ts", ts.cast(pa.timestamp("us", "Asia/Tokyo"))),
        "bits": ("accepted", pa.array((np.arange(3000) % 3 == 0).astype(np.int32) * 7)),
        "money": ("cost_usd", table["cost_usd"].cast(pa.decimal128(12, 2))),
        "floats": ("tokens", table["tokens"].cast(pa.float64())),
    }
    for name, (column, values) in changed.items():
        place = table.schema.get_field_index(column)
        written(tmp_path / name, table.set_column(place, column, values))
        found, other = flat.measure(tmp_path / name, DEFINITION)
        same(found, want)
        assert_array_equal(other.tokens, rollup.tokens)
        if column == "agent_id":
            assert len(other.agents) == len(rollup.agents)
        else:
            assert other.agents.equals(rollup.agents)


def test_names_of_columns(tmp_path: Path) -> None:
    table = log(500)
    written(tmp_path / "a", table)
    names = ["who", "when", "ok", "t", "usd", "s"]
    written(tmp_path / "b", table.rename_columns(names).append_column("more", table["ts"]))
    one, _ = flat.measure(tmp_path / "a", DEFINITION)
    two, _ = flat.measure(tmp_path / "b", DEFINITION, Columns(*names))
    same(one, two)


def test_neither_threads_nor_parts_nor_the_store_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Floats that round differently in each order: one order, whoever adds."""
    monkeypatch.setattr(flat_parts, "PART_ROWS", 1000)
    table = log(9000)
    cost = pa.array(np.random.default_rng(3).lognormal(0, 3, 9000))
    paths = written(tmp_path / "log", table.set_column(4, "cost_usd", cost))
    one = flat.measure(paths, DEFINITION, threads=1)
    store = Store(tmp_path / "store")
    for options in ({"threads": 2}, {"threads": 2, "memory_mb": 0.0}, {"threads": 1}):
        for kept in (None, store):
            two = flat.measure(paths, DEFINITION, store=kept, **options)
            same(one[0], two[0])
            same(one[1], two[1])
    assert len(list((tmp_path / "store").iterdir())) == 9


def test_a_store_grows_with_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was read is not read again, a new or a changed one is."""
    table, store = log(6000), Store(tmp_path / "store")
    names = pa.array([f"id {k}" for k in table["agent_id"].to_pylist()])
    paths = written(tmp_path / "log", table.set_column(0, "agent_id", names))
    flat.measure(paths[:2], DEFINITION, store=store)
    read: list[Path] = []
    really = flat_parts._read

    def counted(part: flat_parts.Part, *rest: Any) -> flat_parts.Part:
        read.append(part.path)
        return really(part, *rest)

    monkeypatch.setattr(flat_parts, "_read", counted)
    grown, rollup = flat.measure(paths, DEFINITION, store=store)
    assert read == [paths[2]]
    at_once, other = flat.measure(paths, DEFINITION)
    same(grown, at_once)
    same(rollup, other)
    read.clear()
    os.utime(paths[0], ns=(1, 1))
    same(flat.measure(paths, DEFINITION, store=store)[1], other)
    assert read == [paths[0]]
    read.clear()
    assert flat.measure(paths, replace(DEFINITION, zone="Asia/Tokyo"), store=store)[0].days > 0
    assert read == paths
    read.clear()
    broken = sorted((tmp_path / "store").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-40] + bytes(40))
    same(flat.measure(paths, DEFINITION, store=store)[1], other)
    flat.measure(paths, replace(DEFINITION, zone="Asia/Tokyo"), store=store)
    assert len(read) == 1


def test_rows_that_lack_something(tmp_path: Path) -> None:
    ts = [SPRING, None, SPRING + 1, SPRING + 2, SPRING + 3]
    for name, who in {"int": [1, 1, None, 2, 2], "text": ["a", "a", "", "b", None]}.items():
        table = pa.table(
            {
                "agent_id": pa.array(who),
                "ts": pa.array(ts, pa.timestamp("us")),
                "accepted": pa.array([True, True, True, None, False]),
                "tokens": pa.array([1, 2, 3, None, -5]),
                "cost_usd": pa.array([1.0, 2.0, 4.0, float("nan"), -1.0]),
                "human_s": pa.array([0.0, 0.0, -3.0, 8.0, None]),
            }
        )
        written(tmp_path / name, table, files=1)
        store = Store(tmp_path / "store")
        for _ in range(2):
            measures, rollup = flat.measure(tmp_path / name, DEFINITION, store=store)
            nobody = {"int": 1, "text": 2}[name]
            assert rollup.faults.counts == {
                "no_time": 1, "no_agent": nobody, "naive_time": 4, "negative": 3,
            }  # fmt: skip
            assert measures.seen.tolist() == [2]
            assert measures.grades[0].active.tolist() == [1]
            assert measures.grades[0].accepted.tolist() == [2]
            assert measures.grades[0].untouched.tolist() == [2]
            assert measures.events.tolist() == [4]
            assert measures.tokens_out.tolist() == [4]
            assert measures.cost_usd.tolist() == [5.0]
            assert measures.human_s.tolist() == [8.0]
            assert rollup.agents.to_pylist() == {"int": [1, 2], "text": ["a", "b"]}[name]
            assert (rollup.agent == NONE).sum() == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A half-written file and a damaged row group are told; all else is read."""
    paths = written(tmp_path, log(6000), compression="zstd")
    whole = flat.measure(paths[:1], DEFINITION)[0].events.sum()
    data = paths[1].read_bytes()
    paths[1].write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.parquet").write_bytes(b"")
    with pq.ParquetFile(paths[2]) as file:
        start = file.metadata.row_group(1).column(1).data_page_offset
    data = paths[2].read_bytes()
    paths[2].write_bytes(data[:start] + bytes(200) + data[start + 200 :])
    store = Store(tmp_path / "store")
    for _ in range(2):
        measures, rollup = flat.measure(tmp_path, DEFINITION, store=store)
        assert measures.events.sum() == whole + 1500
        assert rollup.faults.counts == {"unreadable": 2 + 500}
        said = " ".join(rollup.faults.examples["unreadable"])
        assert "part-1.parquet" in said
        assert "part-2.parquet" in said


def test_what_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    table = log(10)
    text = pa.array(["x"] * 10)
    pq.write_table(table.set_column(1, "ts", text).drop_columns("tokens"), tmp_path / "a.parquet")
    pq.write_table(table.set_column(0, "agent_id", text), tmp_path / "b.parquet")
    with pytest.raises(InputError) as caught:
        flat.measure(tmp_path, DEFINITION)
    said = str(caught.value)
    for words in ("ts: a column of string", "tokens: no such column", "one type in all files"):
        assert words in said
    with pytest.raises(InputError, match="no such file"):
        flat.measure([tmp_path / "c.parquet", tmp_path / "b.parquet"], DEFINITION)
    with pytest.raises(InputError, match="zone"):
        flat.measure(tmp_path, replace(DEFINITION, zone="Mars/Olympus"))


def test_an_empty_log(tmp_path: Path) -> None:
    for paths in (tmp_path, written(tmp_path / "log", log(0), files=1)):
        measures, rollup = flat.measure(paths, DEFINITION)
        assert (measures.days, len(rollup.day), len(rollup.agents)) == (0, 0, 0)
    assert isinstance(measures, Measures)


def test_days_that_are_asked_for(tmp_path: Path) -> None:
    written(tmp_path, log(4000))
    whole, _ = flat.measure(tmp_path, DEFINITION)
    first, last = whole.first_day + 30, whole.first_day + 35
    part, rollup = flat.measure(tmp_path, DEFINITION, first_day=first, last_day=last)
    assert part.days == 6
    assert rollup.events.sum() == 4000
    for a, b in zip(part.grades, whole.grades, strict=True):
        for name in ("active", "week", "month", "new", "resurrected", "dormant", "accepted"):
            assert_array_equal(getattr(a, name), getattr(b, name)[30:36])
    assert_allclose(part.cost_usd, whole.cost_usd[30:36])
