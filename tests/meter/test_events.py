"""The canonical table: types, what is required, and the count of faults."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from lineshaft.meter.events import COLUMNS, FAULTS, GRADES, METHODS, REQUIRED, Faults, schema, table


def test_schema() -> None:
    columns = schema()
    assert columns.names == list(COLUMNS)
    assert columns.field("ts").type == pa.timestamp("us", tz="UTC")
    assert [f.name for f in columns if not f.nullable] == list(REQUIRED)
    assert columns.field("human_s").metadata[b"meaning"].startswith(b"human seconds")


def test_table_fills_what_rows_lack() -> None:
    noon = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)
    rows = table([{"event_id": "1", "ts": noon, "agent_id": "a", "kind": "accept"}])
    assert rows.schema == schema()
    assert rows["ts"].to_pylist() == [noon]
    assert rows["value_usd"].null_count == 1


def test_grades_nest() -> None:
    assert set(GRADES["a"]) < set(GRADES["b"]) < set(GRADES["c"]) == set(METHODS)


def test_faults_add_up() -> None:
    one, other = Faults(), Faults()
    one.add("skew", 2, "event 7")
    other.add("skew", 3, "event 9")
    other.add("replay", 0)
    one.merge(other)
    assert one.counts == {"skew": 5}
    assert one.examples["skew"] == ["event 7", "event 9"]
    assert set(one.counts) <= set(FAULTS)
    with pytest.raises(KeyError):
        one.add("rust")
