"""The meter against the reference program, on logs made to be difficult."""

from __future__ import annotations

import atexit
import random
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.meter import conform
from lineshaft.meter.conform import plain
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import COLUMNS, GRADES, KINDS, METHODS, VOIDING
from lineshaft.meter.kernels import settle as kernels
from lineshaft.meter.log import Log
from lineshaft.meter.normal import normalise
from lineshaft.meter.read import read

Row = dict[str, Any]
START = datetime(2026, 2, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
DELAYS = (None, 0, 0, 1, 71, 72, 73, 24 * 9, 24 * 20, -2)
"""Hours from an event to its arrival; None: not stated."""


@st.composite
def rows(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> list[Row]:
    """A log with every difficulty: few tasks, agents and moments, so that they meet."""
    pick = random.Random(draw(st.integers(0, 2**32)))
    decisive = ("accept", "accept", "submit", "assign", *kinds)
    found = []
    for number in range(pick.randint(0, 40)):
        kind = pick.choice(decisive)
        ts = START + timedelta(days=pick.choice((0, 1, 2, 3, 14, 15, 17, 31, 45)))
        ts += HOUR * pick.choice((0, 4, 5, 12, 23))
        delay = pick.choice(DELAYS)
        root = pick.choice((None, None, "t1", "t2"))
        found.append({
            "event_id": str(pick.randint(0, 60) if pick.random() < 0.2 else 100 + number),
            "ts": ts.isoformat(),
            "ingest_ts": None if delay is None else (ts + HOUR * delay).isoformat(),
            "tenant": pick.choice((None, None, None, "x", "")),
            "agent_id": pick.choice(("a", "b", "c", "d", "")),
            "agent_kind": pick.choice((None, "software", "embodied")),
            "task_id": pick.choice(("t1", "t2", "t3", "t4", "t5", None)),
            "root_task_id": root,
            "kind": kind,
            "requester_id": pick.choice((None, "a", "b", "c", "d", "ann")),
            "reviewer_id": pick.choice((None, "ann", "a")),
            "method": pick.choice((None, "vibes", *METHODS, *METHODS)),
            "tokens_in": pick.choice((None, 0, 7)),
            "cost_usd": pick.choice((None, 0.1, 2.5)),
            "human_s": pick.choice((None, 60.0)),
            "value_usd": pick.choice((None, None, 0.0, 0.004, 0.01, 5.0)),
            "human_equiv_min": pick.choice((None, None, 0.1, 0.5, 30.0)),
        })  # fmt: skip
    return found


@st.composite
def definitions(draw: st.DrawFn) -> Row:
    """Parameters, and a moment."""
    basis = draw(st.sampled_from(("stated", "wage")))
    definition = Definition(
        zone=draw(st.sampled_from(("UTC", "America/New_York", "Asia/Kolkata"))),
        watermark_h=draw(st.sampled_from((72.0, 0.0))),
        most_loss=draw(st.sampled_from((0.001, 0.4))),
        revocation_days=draw(st.sampled_from((14.0, 1.0, 0.0))),
        least_human_equiv_min=draw(st.sampled_from((1.0, 0.0))),
        closure_hops=draw(st.sampled_from((4, 1))),
        closure_days=draw(st.sampled_from((28.0, 2.0))),
        implied_after_h=draw(st.sampled_from((None, 0.0, 24.0))),
        value_basis=basis,  # type: ignore[arg-type]
        wage_usd_per_h=None if basis == "stated" else 60.0,
    )
    as_of = draw(st.sampled_from((None, 3, 20, 40)))
    moment = None if as_of is None else (START + timedelta(days=as_of)).isoformat()
    plain = {k: v for k, v in definition.to_dict().items() if k not in ("standard", "hash")}
    return {**plain, "as_of": moment}


def table(events: list[Row]) -> pa.Table:
    """Canonical events; every row of the strategies is one."""
    columns = {name: [e.get(name) for e in events] for name in COLUMNS}
    found, aside, _ = normalise(pa.table(columns))
    assert not aside.num_rows
    return found


def answer(path: Path, definition: Row, **options: Any) -> dict[str, Any]:
    """The conformance document of a log."""
    parameters = dict(definition)
    as_of = parameters.pop("as_of")
    moment = None if as_of is None else datetime.fromisoformat(as_of)
    return conform.answer_of(read(path, Definition(**parameters), as_of=moment, **options))


def written(events: list[Row], *splits: int) -> Path:
    """A folder of canonical files, cut at `splits`, their names in another order."""
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    whole = table(events)
    edges = [0, *sorted(min(s, len(events)) for s in splits), len(events)]
    for number, (lo, hi) in enumerate(pairwise(edges)):
        pq.write_table(whole.slice(lo, hi - lo), folder / f"{(number * 7) % 10}-{number}.parquet")
    return folder


SCRATCH = tempfile.mkdtemp(prefix="daa1-settle-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)
CANONICAL = {k: v for k, v in Definition().to_dict().items() if k not in ("standard", "hash")} | {
    "as_of": None
}


@settings(deadline=None, max_examples=80)
@given(rows(), definitions())
def test_the_meter_and_the_reference_program_agree(events: list[Row], definition: Row) -> None:
    expected = plain.figures(events, dict(definition))
    given_ = answer(written(events), definition)
    assert conform.differences(expected, given_) == []


@settings(deadline=None, max_examples=40)
@given(rows(), definitions(), st.randoms(use_true_random=False), st.integers(0, 40))
def test_the_order_of_rows_and_files_and_shards_do_not_matter(
    events: list[Row], definition: Row, chance: random.Random, split: int
) -> None:
    one = answer(written(events), definition)
    shuffled = chance.sample(events, len(events))
    other = answer(written(shuffled, split, split // 2), definition, memory_mb=0.001)
    assert conform.differences(one, other) == []
    assert one["restatements"] == other["restatements"]


def test_rows_that_arrive_together_are_told_apart_by_their_columns() -> None:
    """The same id, arrival and time, and other content: the smaller by column counts."""
    common = {"event_id": "1", "ts": "2026-03-02T09:00:00Z", "kind": "accept", "method": "human",
              "task_id": "t", "value_usd": 5.0}  # fmt: skip
    events = [{**common, "agent_id": agent} for agent in ("b", "a", "c")]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        folder = written([events[k] for k in order], 1)
        reading = read(folder)
        assert reading.agents.agent_id == ("a",)
        assert reading.faults.counts == {"conflict": 2}
        assert reading.received == 3
        assert reading.events == 1


@settings(deadline=None, max_examples=25)
@given(rows(), definitions(), st.integers(0, 40))
def test_a_log_that_grows_reads_as_one_that_was_there_at_once(
    events: list[Row], definition: Row, split: int
) -> None:
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    log = Log.open(folder, create=True)
    for part in (events[:split], events[split:]):
        log.append(table(part))
        grown = answer(folder, definition)  # the store is extended
    assert log.store is not None
    assert log.store.is_dir() == bool(events)
    again = answer(folder, definition)
    shutil.rmtree(log.store, ignore_errors=True)
    assert grown == again == answer(folder, definition)
    assert conform.differences(answer(written(events), definition), grown) == []


def test_a_damaged_store_is_made_again(tmp_path: Path) -> None:
    log = Log.open(tmp_path, create=True)
    log.append(table(STORY))
    before = answer(tmp_path, CANONICAL)
    assert log.store is not None
    for file in log.store.iterdir():
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(bytes(data))
    assert answer(tmp_path, CANONICAL) == before


STORY: list[Row] = [
    {"event_id": "1", "ts": "2026-03-02T08:00:00Z", "agent_id": "a", "task_id": "t1",
     "kind": "assign", "requester_id": "ann"},
    {"event_id": "2", "ts": "2026-03-02T08:30:00Z", "agent_id": "a", "task_id": "t1",
     "kind": "llm", "tokens_in": 900, "tokens_out": 100, "cost_usd": 0.5, "src": "otlp"},
    {"event_id": "3", "ts": "2026-03-02T09:00:00Z", "agent_id": "a", "task_id": "t1",
     "kind": "accept", "method": "human", "human_s": 120.0, "value_usd": 10.0,
     "human_equiv_min": 30.0},
    {"event_id": "4", "ts": "2026-03-02T09:30:00Z", "agent_id": "", "task_id": "t2",
     "kind": "accept", "method": "human", "cost_usd": 0.25, "value_usd": 10.0},
    {"event_id": "5", "ts": "2026-03-02T10:00:00Z", "agent_id": "b", "kind": "llm",
     "tokens_in": 50},
]  # fmt: skip


def test_work_without_an_agent_or_a_task_is_counted_and_nobodys(tmp_path: Path) -> None:
    pq.write_table(table(STORY), tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    measures = reading.measures
    assert measures.days == 1
    assert [grade.active.tolist() for grade in measures.grades] == [[1], [1], [1]]
    assert measures.tokens_in.tolist() == [950]
    assert measures.cost_usd.tolist() == [0.75]
    assert measures.seen.tolist() == [2]
    assert reading.agents.agent_id == ("a", "b")
    assert reading.faults.counts == {"no_agent": 1, "no_task": 1}
    assert reading.faults.examples == {"no_agent": ["4"], "no_task": ["5"]}
    assert reading.sources == {"": 4, "otlp": 1}
    cover = reading.coverage
    assert (cover.root_tasks, cover.decided, cover.accepted) == (2, 2, 1)
    assert (cover.with_cost, cover.with_human_time, cover.with_value) == (1, 1, 1)


SQL = """
WITH e AS (
  SELECT * REPLACE (nullif(tenant, '') AS tenant), coalesce(ingest_ts, ts) AS arrive,
         coalesce(nullif(root_task_id, ''), nullif(task_id, '')) AS root
  FROM read_parquet('{path}') WHERE kind <> 'heartbeat'
), once AS (
  SELECT * FROM e
  QUALIFY row_number() OVER (PARTITION BY tenant, event_id ORDER BY arrive, ts, {columns}) = 1
), voids AS (
  SELECT tenant, root, ts FROM once
  WHERE kind IN ('reject', 'revert', 'fail', 'cancel', 'expire')
), accepts AS (
  SELECT tenant, root, ts, agent_id, CASE
    WHEN kind = 'submit' OR method IS NULL OR method = 'self_report' OR reviewer_id = agent_id
      OR method NOT IN ('human', 'verifier', 'implicit', 'judge') THEN 3
    WHEN method IN ('human', 'verifier') THEN 1 ELSE 2 END AS least
  FROM once
  WHERE root IS NOT NULL AND agent_id <> ''
    AND (kind = 'accept' OR (kind = 'submit' AND method = 'self_report'))
), standing AS (
  SELECT * FROM accepts a WHERE NOT EXISTS (
    SELECT 1 FROM voids v WHERE v.tenant IS NOT DISTINCT FROM a.tenant AND v.root = a.root
    AND v.ts BETWEEN a.ts AND a.ts + INTERVAL 14 DAY)
), eligible AS (
  SELECT tenant, root FROM once WHERE root IS NOT NULL GROUP BY ALL
  HAVING coalesce(sum(human_equiv_min), 0) >= 1 - 1e-9
    OR coalesce(sum(value_usd), 0) >= 0.01 - 1e-11
), first AS (
  SELECT g.grade, s.tenant, s.root, min(s.ts) AS ts,
         arg_min(s.agent_id, (s.ts, s.agent_id)) AS agent
  FROM standing s, (VALUES (1), (2), (3)) g(grade)
  WHERE s.least <= g.grade GROUP BY ALL
)
SELECT f.grade, CAST(epoch_us(f.ts) // 86400000000 AS INT) AS day,
       count(DISTINCT (f.tenant, f.agent)), count(*)
FROM first f JOIN eligible l ON l.root = f.root AND l.tenant IS NOT DISTINCT FROM f.tenant
GROUP BY ALL ORDER BY ALL
"""


@settings(deadline=None, max_examples=40)
@given(rows(kinds=tuple(kind for kind in KINDS if kind != "assign")))
def test_daily_agents_and_tasks_as_sql_gives_them(events: list[Row]) -> None:
    """Rules 1 to 6 as one query; without assigns, so that nothing is circular."""
    duckdb = pytest.importorskip("duckdb")
    events = [e for e in events if e["kind"] != "assign"]
    path = written(events)
    if not events:
        return
    columns = ", ".join(f"{name} NULLS FIRST" for name in COLUMNS)
    found = duckdb.sql(SQL.format(path=f"{path}/*.parquet", columns=columns)).fetchall()
    reading = read(path)
    expected = [
        (g + 1, reading.measures.first_day + day, int(grade.active[day]), int(grade.accepted[day]))
        for g, grade in enumerate(reading.measures.grades)
        for day in np.flatnonzero(grade.accepted)
    ]
    assert found == expected


def test_codes_of_the_loops_are_places_in_the_standards_lists() -> None:
    for kind in ("assign", "human_touch", "submit", "accept", "reject", "revert", "fail", "cancel",
                 "expire", "heartbeat"):  # fmt: skip
        assert KINDS[getattr(kernels, kind.upper())] == kind
    assert KINDS[kernels.REJECT : kernels.EXPIRE + 1] == VOIDING
    assert METHODS[kernels.IMPLICIT] == "implicit"
    assert METHODS[kernels.SELF_REPORT] == "self_report"
    assert set(METHODS[: kernels.IMPLICIT]) == set(GRADES["a"])
    assert set(METHODS[: kernels.SELF_REPORT]) == set(GRADES["b"])


def test_who_led_back_to_whom_is_found_among_many(tmp_path: Path) -> None:
    """A ring of agents, each asking the next: circular within four steps, and not beyond."""
    found = []
    for size in range(2, 9):
        ring = [f"{size}-{k}" for k in range(size)]
        for k, agent in enumerate(ring):
            asked = ring[(k + 1) % size]
            at = f"2026-03-02T0{k}:00:00Z"
            found.append({"event_id": f"{size}.{k}", "ts": at, "agent_id": asked, "kind": "assign",
                          "task_id": f"r{size}.{k}", "requester_id": agent})  # fmt: skip
        found.append({"event_id": f"{size}.x", "ts": "2026-03-03T00:00:00Z", "agent_id": ring[1],
                      "task_id": f"r{size}.0", "kind": "accept", "method": "human",
                      "value_usd": 1.0})  # fmt: skip
    pq.write_table(table(found), tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    # from ring[1] back to ring[0] are size - 1 steps
    assert reading.coverage.circular == 4
    assert reading.coverage.accepted == 3
