"""Outcomes from a table of their own, joined to the tasks of a log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineshaft.errors import InputError
from lineshaft.meter.log import Log
from lineshaft.meter.normal import normalise
from lineshaft.meter.outcomes import NO_JOIN, join
from lineshaft.meter.read import read

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def made(tmp_path: Path) -> Log:
    """Tasks t1 (submitted by a, then touched by b's event), t2 (never submitted), p (part of t1),
    and t3 of two tenants."""
    rows = [
        ("start", "a", "t1", None, None), ("submit", "a", "t1", None, None),
        ("llm", "b", "p", "t1", None), ("tool", "c", "t2", None, None),
        ("act", "d", "t2", None, None), ("act", "e", "t3", None, "x"),
        ("act", "f", "t3", None, "y"), ("heartbeat", "g", "t2", None, None),
    ]  # fmt: skip
    columns: dict[str, Any] = {
        name: [row[place] for row in rows]
        for place, name in enumerate(("kind", "agent_id", "task_id", "root_task_id", "tenant"))
    }
    columns["event_id"] = [f"{k}" for k in range(len(rows))]
    columns["ts"] = [NOON + timedelta(minutes=k) for k in range(len(rows))]
    log = Log.open(tmp_path / "log", create=True)
    log.append(normalise(pa.table(columns))[0])
    return log


def outcomes(**columns: list[Any]) -> pa.Table:
    count = len(columns["task_id"])
    return pa.table({"outcome": ["accepted"] * count, "ts": [NOON + timedelta(hours=1)] * count,
                     "method": ["human"] * count, **columns})  # fmt: skip


def test_the_agent_is_that_of_the_last_submit_else_of_the_last_event(tmp_path: Path) -> None:
    joined = join(made(tmp_path), outcomes(task_id=["t1", "t2", "p", "p9"], value_usd=[1, 2, 3, 4]))
    rows = {row["task_id"]: row for row in joined.events.to_pylist()}
    assert rows["t1"]["agent_id"] == "a"
    assert rows["t2"]["agent_id"] == "d"
    assert (rows["p"]["agent_id"], rows["p"]["root_task_id"]) == ("b", "t1")
    assert {row["kind"] for row in rows.values()} == {"accept"}
    assert {row["src"] for row in rows.values()} == {"outcomes"}
    assert joined.unjoined == 1
    assert joined.aside["task_id"].to_pylist() == ["p9"]
    assert joined.aside["fault"].to_pylist() == [NO_JOIN]
    assert joined.faults.counts[NO_JOIN] == 1
    assert "3 rows" in joined.sentence


def test_a_tenant_is_needed_only_where_two_have_the_task(tmp_path: Path) -> None:
    log = made(tmp_path)
    assert join(log, outcomes(task_id=["t3"])).unjoined == 1
    for tenant, agent in (("x", "e"), ("y", "f")):
        (row,) = join(log, outcomes(task_id=["t3"], tenant=[tenant])).events.to_pylist()
        assert (row["tenant"], row["agent_id"]) == (tenant, agent)
        (row,) = join(log, outcomes(task_id=["t3"]), tenant=tenant).events.to_pylist()
        assert row["agent_id"] == agent


def test_every_outcome_is_a_kind(tmp_path: Path) -> None:
    words = ["accepted", "Rejected", "failed", "cancelled", "expired", " reverted ", "lost"]
    joined = join(made(tmp_path), outcomes(task_id=["t1"] * 7, outcome=words))
    assert joined.events["kind"].to_pylist() == ["accept", "reject", "fail", "cancel", "expire",
                                                 "revert"]  # fmt: skip
    assert joined.faults.counts["unknown_kind"] == 1
    assert joined.aside["kind"].to_pylist() == ["lost"]


def test_who_asked_becomes_an_assign_at_the_tasks_first_event(tmp_path: Path) -> None:
    """An agent that asked itself is then circular."""
    log = made(tmp_path)
    table = outcomes(task_id=["t1", "t2"], requester_id=["a", "ann"], value_usd=[1.0, 1.0])
    joined = join(log, table)
    assign, accept, *_ = joined.events.to_pylist()
    assert (assign["kind"], assign["requester_id"], assign["ts"]) == ("assign", "a", NOON)
    assert (accept["kind"], accept["requester_id"]) == ("accept", None)
    pq.write_table(table, tmp_path / "outcomes.parquet")
    reading = read(log.path, outcomes=tmp_path / "outcomes.parquet")
    assert (reading.coverage.circular, reading.coverage.accepted) == (1, 1)


def test_a_csv_file_read_with_the_log_or_ingested_gives_the_same(tmp_path: Path) -> None:
    log = made(tmp_path)
    assert read(log.path).measures.grades[0].active.sum() == 0
    file = tmp_path / "outcomes.csv"
    file.write_text(
        "task_id,outcome,ts,method,human_s,value_usd,human_equiv_min,reviewer_id\n"
        "t1,accepted,2026-03-02T13:00:00Z,human,90,12.5,30,ann\n"
        "t2,accepted,2026-03-02 14:00,verifier,,3,,\n"
        "t9,accepted,2026-03-02T13:00:00Z,human,,,,\n"
    )
    reading = read(log.path, outcomes=file)
    measures = reading.measures
    assert measures.grades[0].active.tolist() == [2]
    assert measures.grades[0].value_usd.tolist() == [15.5]
    assert measures.human_s.tolist() == [90.0]
    assert reading.faults.counts == {"no_event_id": 3, "naive_time": 1, NO_JOIN: 1}
    assert "1 are of tasks that the log does not show" in reading.assumed[0]
    joined = join(log, file)
    log.append(joined.events, joined.faults, joined.aside)
    log.append(joined.events, joined.faults, joined.aside)
    again = read(log.path)
    assert again.measures.grades[0].active.tolist() == [2]
    assert again.faults.counts == reading.faults.counts
    assert read(log.path, outcomes=file).measures.grades[0].value_usd.tolist() == [15.5]


def test_a_table_that_is_none(tmp_path: Path) -> None:
    log = made(tmp_path)
    file = tmp_path / "outcomes.csv"
    with pytest.raises(InputError, match="no such file"):
        join(log, file)
    file.write_text("task,outcome\nt1,accepted\n")
    with pytest.raises(InputError) as error:
        join(log, file)
    assert [problem.key for problem in error.value.problems] == ["task_id", "ts"]
    (tmp_path / "half.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="cannot be read"):
        join(log, tmp_path / "half.parquet")
