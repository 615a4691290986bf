"""Reading a log: what it says, for which moment, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineshaft.errors import InputError, RunError
from lineshaft.meter import Definition, Log, normalise
from lineshaft.meter import read_log as read

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def accepts(*days: float, **more: Any) -> pa.Table:
    """An accepted task of an agent of its own on each day."""
    count = len(days)
    columns = {
        "event_id": [f"{k}" for k in range(count)],
        "ts": [NOON + timedelta(d) for d in days],
        "kind": ["accept"] * count,
        "method": ["human"] * count,
        "agent_id": [f"a{k}" for k in range(count)],
        "task_id": [f"t{k}" for k in range(count)],
        "value_usd": [1.0] * count,
        **more,
    }
    return normalise(pa.table(columns))[0]


def test_an_empty_log_is_no_crash(tmp_path: Path) -> None:
    Log.open(tmp_path, create=True)
    reading = read(tmp_path)
    assert (reading.events, reading.received, reading.measures.days) == (0, 0, 0)
    assert reading.status == ()
    assert reading.closed.shape == (3, 0)
    assert reading.completeness == 1.0
    pq.write_table(accepts(), tmp_path / "empty.parquet")
    assert read(tmp_path / "empty.parquet").measures.days == 0


def test_the_same_moment_says_the_same_whatever_came_later(tmp_path: Path) -> None:
    """The log as of a moment is the log with what had arrived, status and figures alike."""
    ingest = [NOON + timedelta(d) for d in (0, 1, 9, 3)]
    table = accepts(0, 1, 2, 3, ingest_ts=ingest)
    moment = NOON + timedelta(5)
    pq.write_table(table, tmp_path / "all.parquet")
    had = [when <= moment for when in ingest]
    pq.write_table(table.filter(pa.array(had)), tmp_path / "then.parquet")
    now, then = (read(tmp_path / f"{name}.parquet", as_of=moment) for name in ("all", "then"))
    assert now.agents.agent_id == then.agents.agent_id == ("a0", "a1", "a3")
    assert now.status == then.status == ("final", "final", "provisional", "provisional")
    assert now.closed.tolist() == then.closed.tolist()
    assert now.events == then.events == 3
    assert now.as_of_us == then.as_of_us == round(moment.timestamp() * 1e6)
    assert read(tmp_path / "all.parquet", as_of=now.as_of_us).closed.tolist() == now.closed.tolist()


def test_closed_figures_stay_whenever_the_log_is_read(tmp_path: Path) -> None:
    table = accepts(0, 0, 0, 20, ingest_ts=[NOON + timedelta(d) for d in (0, 5, 12, 20)])
    pq.write_table(table, tmp_path / "log.parquet")
    seen = {}
    for days in (4, 6, 13, 30):
        reading = read(tmp_path / "log.parquet", as_of=NOON + timedelta(days))
        restated = [(r.closed, r.restated, r.late_events) for r in reading.restatements]
        seen[days] = (int(reading.closed[1, 0]), restated)
    assert seen == {
        4: (1, []),
        6: (1, [(1, 2, 1)] * 3),
        13: (1, [(1, 3, 2)] * 3),
        30: (1, [(1, 3, 2)] * 3),
    }


@pytest.mark.parametrize(
    ("days", "loss", "final"),
    [
        (2, 0.0, False),
        (23.4, 0.1, False),  # before the watermark of day 20
        (24.0, 0.1, False),  # after it, but one event in ten of day 0 came later than that
        (34.4, 0.1, False),  # just before 14 days after its end
        (34.6, 0.1, True),
        (70, 0.0, True),  # the last day of the log is 50, which has forgotten day 0
    ],
)
def test_a_day_with_late_peers_waits(tmp_path: Path, days: float, loss: float, final: bool) -> None:
    """Of ten events of day 0 one came 5 days later, which days 15 to 42 know."""
    ingest = [NOON] * 9 + [NOON + timedelta(5), NOON + timedelta(20), NOON + timedelta(50)]
    table = accepts(*[0] * 10, 20, 50, ingest_ts=ingest)
    pq.write_table(table, tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet", as_of=NOON + timedelta(days))
    assert reading.loss == pytest.approx(loss)
    if days > 20:
        assert (reading.status[20] == "final") is final
        assert reading.closed[1, 20] == (1 if final else -1)


def test_minutes_are_assumed_only_where_none_are_stated(tmp_path: Path) -> None:
    table = accepts(0, 0, 0, value_usd=[None, None, None], human_equiv_min=[30.0, None, 0.0])
    pq.write_table(table, tmp_path / "log.parquet")
    plain, assumed = (
        read(tmp_path / "log.parquet", assume_human_equiv_min=minutes) for minutes in (None, 15)
    )
    assert plain.measures.grades[0].active.tolist() == [1]
    assert assumed.measures.grades[0].active.tolist() == [2]
    assert assumed.measures.grades[0].human_equiv_min.tolist() == [45.0]
    assert assumed.coverage.with_human_equiv == 1
    assert plain.assumed == ()
    (sentence,) = assumed.assumed
    assert sentence.startswith("1 of 2 accepted tasks state no human-equivalent minutes; 15 were")


def test_a_wrong_clock_does_not_hide_the_log(tmp_path: Path) -> None:
    """Events of 1970 and of 2270 are in the log; the days around today are shown."""
    far = [-20_500.0, 0, 1, 89_000]
    table = accepts(*far, ingest_ts=[NOON, NOON, NOON + timedelta(1), NOON])
    pq.write_table(table, tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    days = reading.measures
    assert days.first_day + days.days - 1 == (NOON + timedelta(1)).timestamp() // 86400
    assert days.grades[0].active[-2:].tolist() == [1, 1]
    assert days.grades[0].new.sum() == 2
    assert reading.faults.counts["skew"] == 1
    assert "a wrong clock may have set them" in reading.assumed[0]
    absurd = table.set_column(
        1,
        table.schema.field(1),
        pa.array([int(NOON.timestamp()) * 10**9, 0, 1, 2**61])
        .cast(pa.int64())
        .cast(table.schema.field(1).type),
    )  # nanoseconds taken for microseconds
    pq.write_table(absurd, tmp_path / "absurd.parquet")
    assert read(tmp_path / "absurd.parquet").events == 4
    assert len(reading.status) == reading.closed.shape[1] == days.days


def test_days_of_another_zone_close_at_their_own_end(tmp_path: Path) -> None:
    pq.write_table(accepts(0), tmp_path / "log.parquet")
    end = datetime(2026, 3, 3, 5, tzinfo=UTC)  # midnight in New York
    definition = Definition(zone="America/New_York", watermark_h=1.0)
    for minutes, status in ((59, "provisional"), (60, "final")):
        reading = read(tmp_path / "log.parquet", definition, as_of=end + timedelta(minutes=minutes))
        assert reading.status == (status,)


def test_silence_can_accept_after_the_last_event(tmp_path: Path) -> None:
    """An implied acceptance of 3 days' silence lies on a day without any event."""
    table = accepts(0, kind=["submit"], method=[None])
    pq.write_table(table, tmp_path / "log.parquet")
    definition = Definition(implied_after_h=72.0)
    assert read(tmp_path / "log.parquet", definition).measures.days == 1
    reading = read(tmp_path / "log.parquet", definition, as_of=NOON + timedelta(30))
    assert reading.measures.grades[1].active.tolist() == [0, 0, 0, 1]
    assert reading.measures.grades[0].active.tolist() == [0, 0, 0, 0]
    assert reading.closed[1].tolist() == [0, 0, 0, 1]
    assert reading.restatements == ()


def test_tables_that_are_not_canonical_are_normalised(tmp_path: Path) -> None:
    """A file with fewer columns, other types, extra ones, and rows that are none."""
    table = pa.table({
        "event_id": ["1", "2", None], "ts": ["2026-03-02T12:00:00Z", "2026-03-02", "never"],
        "agent_id": ["a", "b", "c"], "kind": ["accept", "act", "act"], "method": ["human"] * 3,
        "task_id": ["t", "u", "v"], "value_usd": ["2", "-1", "0"], "extra": [1, 2, 3],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    assert reading.events == 2
    assert reading.measures.grades[0].value_usd.tolist() == [2.0]
    expected = {"no_time": 1, "naive_time": 1, "negative": 1}
    assert {what: reading.faults.counts[what] for what in expected} == expected


def test_one_row_of_a_canonical_file_that_is_not_sound(tmp_path: Path) -> None:
    """The types are right, a kind and a quantity are not: only they are lost, after sound
    batches."""
    table = accepts(*[k / 10_000 for k in range(1000)])
    place = table.column_names.index("value_usd")
    values = [1.0] * 999 + [-1.0]
    table = table.set_column(place, table.schema.field(place), pa.array(values))
    kinds = ["accept"] * 998 + ["Accept", "accept"]
    place = table.column_names.index("kind")
    table = table.set_column(place, table.schema.field(place), pa.array(kinds))
    pq.write_table(table, tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    assert reading.faults.counts == {"unknown_kind": 1, "negative": 1}
    assert reading.events == 999
    assert reading.measures.grades[0].accepted.sum() == 998


def test_what_a_receiver_holds_is_read_or_missed_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a log is read its write-ahead log is drained; where that fails, the rest is read."""
    from lineshaft.meter.receive import wal

    log = Log.open(tmp_path, create=True)
    log.append(accepts(0))
    (tmp_path / "wal").mkdir()
    monkeypatch.setattr(wal, "drain", lambda path, **_: len(log.append(accepts(1, event_id=["x"]))))
    assert read(tmp_path).events == 2

    def full(*_: Any, **__: Any) -> int:
        raise RunError("no space")

    monkeypatch.setattr(wal, "drain", full)
    reading = read(tmp_path)
    assert reading.events == 2
    assert reading.assumed == ("what a receiver holds is not in this reading: no space",)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    pq.write_table(accepts(0), tmp_path / "log.parquet")
    with pytest.raises(InputError, match="zone"):
        read(tmp_path / "log.parquet", Definition(zone="Mars/Base"))
    with pytest.raises(InputError) as error:
        read(tmp_path / "log.parquet", as_of=datetime(2026, 3, 2), assume_human_equiv_min=-1)
    assert [problem.key for problem in error.value.problems] == ["as_of", "assume_human_equiv_min"]


def test_an_agent_is_embodied_where_an_event_says_so(tmp_path: Path) -> None:
    table = accepts(0, 1, agent_kind=["embodied", None], agent_id=["r1", "a"])
    pq.write_table(table, tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    assert dict(zip(reading.agents.agent_id, reading.agents.embodied.tolist(), strict=True)) == {
        "r1": True,
        "a": False,
    }
    assert reading.measures.grades[0].embodied.tolist() == [1, 0]


def test_naming_the_meter_imports_nothing_heavy() -> None:
    code = (
        "import sys, lineshaft.meter, lineshaft.meter.read, lineshaft.meter.conform\n"
        "heavy = {'pyarrow', 'numba', 'pandas', 'duckdb', 'google.protobuf'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names_of_the_package_are_refused() -> None:
    import lineshaft.meter

    assert lineshaft.meter.Log is Log
    with pytest.raises(AttributeError):
        lineshaft.meter.nothing  # noqa: B018
