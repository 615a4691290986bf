"""The log folder: whole files, the same delivery twice, crashes, full disks."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineshaft.errors import InputError, RunError
from lineshaft.meter import log as module
from lineshaft.meter.events import schema
from lineshaft.meter.log import Log
from lineshaft.meter.normal import normalise
from lineshaft.meter.read import read

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def delivery(days: int = 3, **more: Any) -> pa.Table:
    """An event a day, and one more on the first day."""
    hours = [24 * k for k in range(days)] + [1]
    columns = {
        "event_id": [f"{k}" for k in range(days + 1)],
        "ts": [NOON + timedelta(hours=h) for h in hours],
        "kind": ["accept"] * (days + 1),
        "method": ["human"] * (days + 1),
        "agent_id": [f"a{k}" for k in range(days + 1)],
        "task_id": [f"t{k}" for k in range(days + 1)],
        "value_usd": [1.0] * (days + 1),
        **more,
    }
    return normalise(pa.table(columns))[0]


def test_events_lie_by_utc_day(tmp_path: Path) -> None:
    log = Log.open(tmp_path / "log", create=True)
    written = log.append(delivery())
    assert [path.parent.name for path in written] == ["dt=2026-03-02", "dt=2026-03-03",
                                                      "dt=2026-03-04"]  # fmt: skip
    assert log.parts() == written
    tables = [pq.ParquetFile(path).read() for path in written]
    assert [table["event_id"].to_pylist() for table in tables] == [["0", "3"], ["1"], ["2"]]
    assert all(table.schema.equals(schema()) for table in tables)
    assert pq.ParquetFile(written[0]).metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_same_delivery_twice_changes_nothing(tmp_path: Path) -> None:
    log = Log.open(tmp_path, create=True)
    table, aside, faults = normalise(pa.table({"ts": [NOON, "no"], "kind": ["act", "act"]}
                                              | {"ts": [NOON.isoformat(), "no"]}))  # fmt: skip
    first = log.append(table, faults, aside)
    before = {path: path.stat().st_mtime_ns for path in first}
    later = table.set_column(2, table.schema.field(2), pa.array([NOON + timedelta(1)]).cast(
        table.schema.field(2).type))  # fmt: skip
    assert log.append(later, faults, aside) == first
    assert {path: path.stat().st_mtime_ns for path in first} == before  # the first arrival stays
    assert log.set_aside()[0] == 1
    assert log.set_aside()[1].counts == {"no_time": 1, "no_event_id": 1}
    assert read(tmp_path).received == 2


def test_a_named_delivery_is_replaced(tmp_path: Path) -> None:
    log = Log.open(tmp_path, create=True)
    log.append(delivery(1), name="segment-7")
    log.append(delivery(1, value_usd=[2.0, 2.0]), name="segment-7")
    (path,) = log.parts()
    assert path.name == "segment-7.parquet"
    assert pq.ParquetFile(path).read()["value_usd"].to_pylist() == [2.0, 2.0]


@pytest.mark.parametrize("step", range(1, 9))
def test_a_crash_between_any_two_steps_leaves_a_log_that_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Killed at the n-th fsync or rename; the next attempt completes it, nothing counts twice."""
    log = Log.open(tmp_path, create=True)
    log.append(delivery(1))
    more = delivery(4, event_id=[f"x{k}" for k in range(5)])
    calls = {"n": 0}

    def dying(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            calls["n"] += 1
            if calls["n"] == step:
                raise KeyboardInterrupt
            return function(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dying(os.fsync))
        patch.setattr(Path, "replace", dying(Path.replace))
        with pytest.raises(KeyboardInterrupt):
            log.append(more)
    left = read(tmp_path)
    assert left.events >= 2
    assert left.faults.counts == {}
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".part")]
    log.append(more)
    assert read(tmp_path).events == 7


def test_what_a_kill_leaves_behind_is_no_event_file(tmp_path: Path) -> None:
    log = Log.open(tmp_path, create=True)
    (path, *_) = log.append(delivery(1))
    path.with_name(f"{path.name}.123.part").write_bytes(path.read_bytes()[:100])
    assert log.parts() == [path]


def test_a_full_disk_is_told_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log.open(tmp_path, create=True)
    log.append(delivery(1))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    more = delivery(2, event_id=["x", "y", "z"])
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", full)
        with pytest.raises(RunError, match="No space left on device"):
            log.append(more)
    assert read(tmp_path).events == 2
    assert not list(tmp_path.rglob("*.part"))
    log.append(more)
    assert read(tmp_path).events == 5


def test_a_half_written_file_is_told_and_the_others_read(tmp_path: Path) -> None:
    log = Log.open(tmp_path, create=True)
    first, second, _ = log.append(delivery())
    second.write_bytes(second.read_bytes()[:200])
    told: list[str] = []
    reading = read(tmp_path, tell=told.append)
    assert reading.events == 3
    assert reading.faults.counts == {"unreadable": 1}
    assert second.name in reading.faults.examples["unreadable"][0]
    assert [text for text in told if str(second) in text]
    assert sum(table.num_rows for table in log.tables(["ts"])) == 3
    first.write_bytes(b"")
    assert read(tmp_path).faults.counts == {"unreadable": 2}


def test_where_there_is_no_log(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(InputError):
            Log.open(path)
        with pytest.raises(InputError):
            read(path)
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(RunError):
        Log.open(file / "log", create=True)


def test_a_log_that_cannot_be_written_has_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log.open(tmp_path, create=True)
    log.append(delivery())
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "access", lambda *_: False)
        assert log.store is None
        assert read(tmp_path).events == 4
    assert not (tmp_path / ".daa1").exists()
    assert read(tmp_path).events == 4
    assert (tmp_path / ".daa1").is_dir()


def test_a_folder_of_parquet_files_is_not_written_into(tmp_path: Path) -> None:
    pq.write_table(delivery(), tmp_path / "a.parquet")
    assert read(tmp_path).events == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
