"""What a log shows of its tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lineshaft.actuals.observed import ROBOTS, SOFTWARE, Observed, observe
from lineshaft.errors import InputError
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import table

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 20_500 * DAY


def event(number: int, hours: float, kind: str, task: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": str(number),
        "ts": START + round(hours * HOUR),
        "agent_id": "a",
        "task_id": task,
        "kind": kind,
        **more,
    }


ROWS = [
    # begun twice, rejected by a human, begun again, accepted by a human, kept
    event(1, 0, "assign", "t1", human_equiv_min=30.0),
    event(2, 1, "start", "t1"),
    event(3, 1, "llm", "t1", tokens_in=100, tokens_out=10, tokens_cached=50),
    event(4, 2, "start", "t1"),
    event(5, 3, "reject", "t1", reviewer_id="ann", actor="human", human_s=120.0),
    event(6, 4, "start", "t1"),
    event(7, 4, "llm", "t1", tokens_in=200, tokens_out=20),
    event(8, 5, "human_touch", "t1", human_s=30.0),
    event(9, 6, "accept", "t1", method="human", reviewer_id="ann", human_s=60.0, value_usd=4.0),
    # a part of t2 is done by a robot; accepted by a verifier, reverted after a day
    event(10, 0, "start", "t2", agent_id="r", agent_kind="embodied"),
    event(11, 2, "accept", "p", root_task_id="t2", agent_id="r", method="verifier"),
    event(12, 26, "revert", "t2", agent_id="r"),
    # failed
    event(13, 50, "start", "t3"),
    event(14, 51, "fail", "t3"),
    # accepted by its own agent, and reverted too late to matter
    event(15, 60, "accept", "t4", method="human", reviewer_id="a"),
    event(16, 60 + 24 * 15, "revert", "t4"),
    # once more, later: nothing new
    event(9, 99, "accept", "t1", method="human", ingest_ts=START + 99 * DAY, value_usd=9.0),
    event(17, 99, "heartbeat", "t9"),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    pq.write_table(table(ROWS), tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


def of(seen: Observed, name: str) -> list[Any]:
    """By task: their first events are at hours 0, 0 (the robot's), 50, 60."""
    order = np.lexsort([seen.kind, seen.start_us])
    return getattr(seen, name)[order].tolist()


def test_tasks_of_a_log(log: Path) -> None:
    seen = observe(log, Definition())
    assert seen.kinds == (SOFTWARE, ROBOTS)
    assert seen.embodied.tolist() == [False, True]
    assert (seen.share, seen.days) == (1.0, 18)
    assert of(seen, "kind") == [0, 1, 0, 0]
    assert of(seen, "attempts") == [3, 1, 1, 1]
    assert of(seen, "accepted") == [True, False, False, True]
    assert of(seen, "failed") == [False, False, True, False]
    assert of(seen, "submitted") == [True] * 4
    assert of(seen, "reverted") == [False, True, False, False]
    assert of(seen, "method") == [0, -1, -1, 4]
    assert of(seen, "reviewed") == [True, False, False, False]
    assert of(seen, "rejected") == [True, False, False, False]
    assert of(seen, "returned") == [True, False, False, False]
    assert of(seen, "touched") == [True, False, False, False]
    assert of(seen, "review_s")[0] == 180.0
    assert of(seen, "reject_s")[0] == 120.0
    assert of(seen, "steer_s")[0] == 30.0
    assert of(seen, "value_usd")[0] == 4.0  # not that of the replay
    assert (of(seen, "tokens_in")[0], of(seen, "tokens_cached")[0]) == (300.0, 50.0)
    assert of(seen, "calls")[0] == 2.0
    assert np.isnan(of(seen, "tokens_in")[2])
    assert of(seen, "human_equiv_min")[0] == 30.0
    assert seen.reviewers.tolist() == [1, 0]
    # from the third begin to the end that follows it
    assert of(seen, "end_us")[0] == START + 6 * HOUR


def test_kinds_by_name(log: Path) -> None:
    seen = observe(log, Definition(), kinds={"robots": "r*", "rest": "?"})
    assert seen.kinds == ("robots", "rest")
    assert of(seen, "kind") == [0, 1, 1, 1] or of(seen, "kind") == [1, 0, 1, 1]
    some = observe(log, Definition(), kinds={"robots": "r*"})
    assert sorted(of(some, "kind")) == [-1, -1, -1, 0]
    assert len(some.of(some.kind == 0).attempts) == 1
    assert some.of(some.kind == 0).reviewers.tolist() == [0]


def test_a_long_log_is_sampled_by_task(tmp_path: Path) -> None:
    rows = [
        event(10 * n + k, n / 100, kind, f"t{n}")
        for n in range(2000)
        for k, kind in enumerate(("start", "llm", "submit", "accept"))
    ]
    pq.write_table(table(rows), tmp_path / "log.parquet")
    seen = observe(tmp_path / "log.parquet", Definition(), most_events=2000)
    assert seen.share == 0.25
    assert 380 < len(seen.kind) < 620
    assert (seen.calls == 1).all()  # whole tasks only
    again = observe(tmp_path / "log.parquet", Definition(), most_events=2000)
    np.testing.assert_array_equal(seen.start_us, again.start_us)


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such log"):
        observe(tmp_path / "nothing", Definition())
    pq.write_table(table([]), tmp_path / "empty.parquet")
    with pytest.raises(InputError, match="no events"):
        observe(tmp_path / "empty.parquet", Definition())


def test_a_broken_file_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "log" / "events"
    folder.mkdir(parents=True)
    pq.write_table(table(ROWS), folder / "whole.parquet")
    (folder / "broken.parquet").write_bytes((folder / "whole.parquet").read_bytes()[:300])
    assert len(observe(tmp_path / "log", Definition()).kind) == 4
    (tmp_path / "events.csv").write_text("ts,kind\n")
    with pytest.raises(InputError, match="no events"):
        observe(tmp_path / "events.csv", Definition())
