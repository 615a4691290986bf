"""DAA/1 as Ibis expressions: the same as the meter, on every backend that is at hand."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineshaft.errors import InputError
from lineshaft.meter import conform, relations
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import COLUMNS, KINDS, METHODS, table
from lineshaft.meter.normal import normalise
from lineshaft.meter.read import read
from lineshaft.meter.reading import Reading

ibis = pytest.importorskip("ibis")
Keep = Callable[[Any], Any]
# Ibis asks DuckDB and pandas in ways that they call old
pytestmark = [
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .future.infer_string. option is deprecated"),
]

START = datetime(2026, 2, 20, tzinfo=UTC)
"""Clocks change in New York on 2026-03-08, in Berlin on 2026-03-29."""


def log(seed: int, tenants: int = 40) -> pa.Table:
    """Many small worlds, each a tenant in which few tasks, agents and moments meet."""
    pick = random.Random(seed)
    decisive = ("accept", "accept", "submit", "assign", *KINDS)
    found: list[dict[str, Any]] = []
    for tenant in range(tenants):
        for number in range(pick.randint(5, 40)):
            ts = START + timedelta(
                days=pick.choice((0, 1, 2, 3, 14, 15, 17, 31, 45)), hours=pick.choice((0, 4, 5, 23))
            )
            delay = pick.choice((None, 0, 0, 1, 71, 73, 24 * 9, -2))
            found.append({
                "event_id": f"{number}",
                "ts": ts,
                "ingest_ts": None if delay is None else ts + timedelta(hours=delay),
                "tenant": f"w{tenant}" if tenant else pick.choice((None, "")),
                "agent_id": pick.choice(("a", "b", "c", "d", "")),
                "agent_kind": pick.choice((None, "software", "embodied")),
                "task_id": pick.choice(("t1", "t2", "t3", "t4", None)),
                "root_task_id": pick.choice((None, None, "t1", "t2")),
                "kind": pick.choice(decisive),
                "requester_id": pick.choice((None, "a", "b", "c", "d", "ann")),
                "reviewer_id": pick.choice((None, "ann", "a")),
                "method": pick.choice((None, "vibes", *METHODS, *METHODS)),
                "tokens_in": pick.choice((None, 0, 7)),
                "cost_usd": pick.choice((None, 0.25, 2.5)),
                "human_s": pick.choice((None, 60.0)),
                "value_usd": pick.choice((None, None, 0.0, 0.004, 0.01, 5.0)),
                "human_equiv_min": pick.choice((None, None, 0.1, 0.5, 30.0)),
            })  # fmt: skip
            if pick.random() < 0.15:  # again, later or with another time
                again = dict(pick.choice(found[-3:]))
                arrival = again["ingest_ts"] or again["ts"]
                again["ingest_ts"] = arrival + timedelta(hours=pick.choice((0, 30)))
                if again["ingest_ts"] != arrival:
                    again["kind"] = pick.choice(KINDS)
                found.append(again)
    pick.shuffle(found)
    return normalise(pa.table({n: [row.get(n) for row in found] for n in COLUMNS}))[0]


def duckdb(events: pa.Table, folder: Path) -> tuple[Any, Keep]:
    con = ibis.duckdb.connect()
    con.con.register("events", events)
    return con.table("events"), lambda t: t


def polars(events: pa.Table, folder: Path) -> tuple[Any, Keep]:
    pytest.importorskip("polars")
    con = ibis.polars.connect()
    con.create_table("events", events)

    def keep(t: Any) -> Any:
        return con.create_table(f"kept{len(con.list_tables())}", t.to_pyarrow())

    return con.table("events"), keep


def sqlite(events: pa.Table, folder: Path) -> tuple[Any, Keep]:
    """Through the standard library: times are integers there."""
    path = folder / "events.sqlite"
    types = {"string": "TEXT", "timestamp": "INTEGER", "int": "INTEGER", "float": "REAL"}
    columns = [events[n].cast(pa.int64()) if n.endswith("ts") else events[n] for n in COLUMNS]
    with sqlite3.connect(path) as db:
        db.execute(
            f"CREATE TABLE events ({_columns({n: types[k] for n, (k, _) in COLUMNS.items()})})"
        )
        marks = ", ".join("?" * len(COLUMNS))
        rows = zip(*(c.to_pylist() for c in columns), strict=True)
        db.executemany(f"INSERT INTO events VALUES ({marks})", rows)
    db.close()
    con = ibis.sqlite.connect(path)

    def keep(t: Any) -> Any:
        name = f"kept{len(con.list_tables())}"
        words = {"string": "TEXT", "boolean": "BOOLEAN", "float64": "REAL"}
        kinds = {n: words.get(str(k).removeprefix("!"), "INTEGER") for n, k in t.schema().items()}
        con.con.execute(f"CREATE TABLE {name} ({_columns(kinds)})")
        con.con.execute(f"INSERT INTO {name} {ibis.to_sql(t, 'sqlite')}")
        return con.table(name)

    return con.table("events"), keep


def spark(events: pa.Table, folder: Path) -> tuple[Any, Keep]:
    pyspark = pytest.importorskip("pyspark")
    builder = pyspark.sql.SparkSession.builder.master("local[1]")
    for key, value in (
        ("spark.ui.enabled", "false"),
        ("spark.sql.shuffle.partitions", "1"),
        ("spark.sql.session.timeZone", "UTC"),
        ("spark.sql.warehouse.dir", str(folder / "warehouse")),
    ):
        builder = builder.config(key, value)
    con = ibis.pyspark.connect(builder.getOrCreate())
    pq.write_table(events, folder / "events.parquet")
    found = con.read_parquet(str(folder / "events.parquet"), table_name="events")
    number = iter(range(1000))

    def keep(t: Any) -> Any:
        path = str(folder / f"kept{next(number)}")
        con.raw_sql(str(ibis.to_sql(t, "pyspark"))).write.parquet(path)
        return con.read_parquet(path)

    return found, keep


def _columns(kinds: dict[str, str]) -> str:
    return ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())


BACKENDS = {f.__name__: f for f in (duckdb, polars, sqlite, spark)}
DEFINITIONS = (
    Definition(),
    Definition(zone="America/New_York", implied_after_h=24.0, revocation_days=1.0),
    Definition(
        zone="Asia/Kolkata",
        implied_after_h=0.0,
        closure_hops=1,
        closure_days=2.0,
        least_human_equiv_min=0.0,
        value_basis="wage",
        wage_usd_per_h=60.0,
    ),
)


@pytest.mark.parametrize("number", range(len(DEFINITIONS)))
def test_the_expressions_say_what_the_meter_says(number: int, tmp_path: Path) -> None:
    definition = DEFINITIONS[number]
    _agree(log(number), definition, None, tmp_path, duckdb)


def test_as_of_a_moment(tmp_path: Path) -> None:
    moment = int((START + timedelta(days=16)).timestamp() * 1e6)
    _agree(log(7), Definition(implied_after_h=24.0), moment, tmp_path, duckdb)


@pytest.mark.parametrize("backend", ["polars", "sqlite", "spark"])
def test_other_backends_agree_with_the_meter(backend: str, tmp_path: Path) -> None:
    _agree(log(3), DEFINITIONS[1], None, tmp_path, BACKENDS[backend])


def _agree(
    events: pa.Table,
    definition: Definition,
    as_of_us: int | None,
    folder: Path,
    backend: Callable[[pa.Table, Path], tuple[Any, Keep]],
) -> None:
    path = folder / "log.parquet"
    pq.write_table(events, path)
    reading = read(path, definition, as_of=as_of_us)
    rows, keep = backend(events, folder)
    found = relations.daily(rows, definition, as_of_us=as_of_us, keep=keep)
    # an agent's body is known from all that arrived, whenever
    skip = () if as_of_us is None else ("embodied",)
    assert _daily(found.to_pyarrow().to_pylist(), reading, skip) > 700
    if backend is not duckdb or as_of_us is None:
        cells = relations.retention(rows, definition, as_of_us=as_of_us, keep=keep)
        assert _retained(cells.to_pyarrow().to_pylist(), reading) > 100


def _daily(rows: list[dict[str, Any]], reading: Reading, skip: tuple[str, ...]) -> int:
    """Compare every figure of every day; how many."""
    m = reading.measures
    assert len(rows) == 3 * m.days
    compared = 0
    for row in rows:
        place, grade = row["day"] - m.first_day, m.grades["abc".index(row["grade"])]
        for name in (
            *("active", "week", "month", "embodied", "new", "retained", "reactivated"),
            *("resurrected", "lost", "dormant", "accepted", "untouched", "unvalued", "unmeasured"),
            *("value_usd", "human_equiv_min", "effective"),
        ):
            if name in skip:
                continue
            expected = getattr(grade, name)[place]
            assert row[name] == pytest.approx(expected, rel=1e-9), (name, row["grade"], place)
            compared += 1
        for name in ("seen", "events", *relations.EFFORT):
            assert row[name] == pytest.approx(getattr(m, name)[place], rel=1e-9), (name, place)
        if row["active"]:
            assert row["tasks_per_agent"] == pytest.approx(row["accepted"] / row["active"])
            assert row["autonomy"] == pytest.approx(row["untouched"] / row["accepted"])
        else:
            assert row["tasks_per_agent"] is None
            assert row["value_per_daa"] is None
    return compared


def _retained(rows: list[dict[str, Any]], reading: Reading) -> int:
    m = reading.measures
    found = np.zeros((3, 3, *m.grades[0].retention.shape), np.int64)
    for row in rows:
        for place, name in enumerate(("exact", "open", "seen")):
            found["abc".index(row["grade"]), place, row["week"], row["n"]] = row[name]
    for grade, cells in zip(m.grades, found, strict=True):
        expected = (grade.retention, grade.retention_open, grade.retention_seen)
        for one, other in zip(expected, cells, strict=True):
            np.testing.assert_array_equal(one, other)
    return len(rows)


def test_the_conformance_suite(tmp_path: Path) -> None:
    """All checks at once: those of one definition are tenants of one log."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, check in enumerate(conform.checks()):
        groups[repr(sorted(check.definition.items(), key=str))].append(number)
    judged = 0
    for numbers in groups.values():
        parameters = dict(conform.checks()[numbers[0]].definition)
        as_of = parameters.pop("as_of")
        moment = None if as_of is None else int(datetime.fromisoformat(as_of).timestamp() * 1e6)
        rows: list[dict[str, Any]] = []
        for number in numbers:
            rows += [
                {**event, "tenant": f"{number}/{event.get('tenant') or ''}"}
                for event in conform.checks()[number].events
            ]
        events = normalise(pa.table({n: [r.get(n) for r in rows] for n in COLUMNS}))[0]
        if moment is None:  # the last arrival is that of the check's own log
            assert parameters["implied_after_h"] is None or len(numbers) == 1
        source, keep = polars(events, tmp_path)
        done = relations.work(
            relations.tasks(source, Definition(**parameters), as_of_us=moment, keep=keep)
        )
        active: dict[tuple[int, str, str], set[str]] = defaultdict(set)
        accepted: dict[tuple[int, str, str], int] = defaultdict(int)
        for row in done.to_pyarrow().to_pylist():
            number, _, tenant = row["tenant"].partition("/")
            key = (int(number), str(np.datetime64(row["day"], "D")), row["grade"])
            active[key].add(f"{tenant}/{row['agent_id']}")
            accepted[key] += 1
        for number in numbers:
            for day, expected in conform.checks()[number].expect.get("days", {}).items():
                for grade in "abc":
                    key = (number, day, grade)
                    for name, got in (("daa", len(active[key])), ("accepted", accepted[key])):
                        if f"{name}_{grade}" in expected:
                            assert got == expected[f"{name}_{grade}"], (number, day, name)
                            judged += 1
    assert judged > 60


def test_a_few_columns_are_enough() -> None:
    rows = pa.table({
        "event_id": ["1", "2"],
        "ts": pa.array([0, 86_400_000_000], pa.int64()),
        "agent_id": ["a", "a"],
        "task_id": ["t", "u"],
        "kind": ["accept", "accept"],
        "method": ["human", None],
        "value_usd": [1.0, -1.0],
    })  # fmt: skip
    source, keep = polars(rows, Path())
    found = relations.tasks(source, keep=keep).to_pyarrow().to_pylist()
    by_task = {(row["root"], row["grade"]): row for row in found}
    assert set(by_task) == {("t", "a"), ("t", "b"), ("t", "c"), ("u", "c")}
    assert by_task["t", "a"]["eligible"]
    assert by_task["u", "c"]["value_usd"] is None  # a negative value is none
    assert not by_task["u", "c"]["eligible"]


def test_given_days_are_told_whether_or_not_anything_happened() -> None:
    rows = table([
        {"event_id": "1", "ts": 5 * 86_400_000_000, "agent_id": "a", "kind": "accept",
         "task_id": "t", "method": "human", "value_usd": 1.0},
    ])  # fmt: skip
    source, keep = polars(rows, Path())
    found = relations.daily(source, first_day=6, last_day=8, keep=keep).to_pyarrow().to_pylist()
    assert sorted({row["day"] for row in found}) == [6, 7, 8]
    lost = {(row["grade"], row["day"]): row["lost"] for row in found}
    assert lost == {(g, d): int(d == 6) for g in "abc" for d in (6, 7, 8)}
    assert {row["month"] for row in found} == {1}


def test_what_is_missing_is_said() -> None:
    source, _ = polars(pa.table({"event_id": ["1"], "kind": ["accept"]}), Path())
    with pytest.raises(InputError) as error:
        relations.tasks(source)
    assert {p.key for p in error.value.problems} == {"ts", "agent_id"}
    with pytest.raises(InputError, match="zone"):
        relations.tasks(source, replace(Definition(), zone="Mars/Olympus"))


@pytest.mark.parametrize("dialect", relations.DIALECTS)
def test_sql_in_every_dialect(dialect: str) -> None:
    text = relations.sql(dialect, Definition(zone="Europe/Berlin"), relation="tasks", table="log")
    assert text.lstrip().upper().startswith(("WITH", "SELECT"))
    assert "log" in text
    assert "OVER (" not in text  # no window functions


def test_the_sql_of_duckdb_says_the_same_as_the_expression() -> None:
    events = log(5, tenants=5)
    source, _ = duckdb(events, Path())
    con = source.get_backend().con
    asked = relations.sql("duckdb", DEFINITIONS[1], relation="daily")
    by_sql = con.sql(asked).to_arrow_table().to_pylist()
    found = relations.daily(source, DEFINITIONS[1]).to_pyarrow().to_pylist()

    def ordered(rows: list[dict[str, Any]]) -> Iterator[list[Any]]:
        for row in sorted(rows, key=lambda r: (r["grade"], r["day"])):
            yield [pytest.approx(v) if isinstance(v, float) else v for v in row.values()]

    assert len(found) > 50
    assert list(ordered(by_sql)) == list(ordered(found))


def test_unknown_names_of_sql() -> None:
    with pytest.raises(InputError) as error:
        relations.sql("duckdbb", relation="dayly")
    assert {p.key: p.fix for p in error.value.problems} == {
        "dialect": "did you mean 'duckdb'?",
        "relation": "did you mean 'daily'?",
    }
