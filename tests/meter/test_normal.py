"""Any table becomes canonical; nothing is lost, and what is wrong is counted."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.meter.events import FAULTS, schema
from lineshaft.meter.normal import FAULT, normalise

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def one(**columns: Any) -> dict[str, Any]:
    """The canonical row of one sound row with these columns."""
    row = {"event_id": "1", "ts": NOON, "agent_id": "a", "task_id": "t", "kind": "act", **columns}
    events, aside, _ = normalise(pa.table({name: [value] for name, value in row.items()}))
    assert not aside.num_rows
    found: dict[str, Any] = events.to_pylist()[0]
    return found


def test_a_canonical_table_stays_as_it_is() -> None:
    row = {**dict.fromkeys(schema().names), "event_id": "1", "ts": NOON, "agent_id": "a",
           "task_id": "t", "kind": "llm", "tokens_in": 7, "attrs": '{"x": 1}'}  # fmt: skip
    table = pa.Table.from_pylist([row], schema())
    events, aside, faults = normalise(table)
    assert events.equals(table)
    assert events.schema.equals(schema(), check_metadata=True)
    assert aside.num_rows == 0
    assert faults.counts == {}


def test_an_empty_table_is_no_event() -> None:
    events, aside, faults = normalise(pa.table({"kind": pa.array([], pa.string())}))
    assert (events.num_rows, aside.num_rows, faults.counts) == (0, 0, {})
    assert events.schema.equals(schema())


@pytest.mark.parametrize(
    ("stated", "utc", "naive"),
    [
        ("2026-03-02T12:00:00Z", NOON, 0),
        ("2026-03-02T13:00:00+01:00", NOON, 0),
        ("2026-03-02 14:30:00+0230", NOON, 0),
        ("2026-03-02T12:00:00.123456789Z", NOON + timedelta(microseconds=123456), 0),
        ("2026-03-02T13:00:00", NOON, 1),
        ("2026-03-02 13:00", NOON, 1),
        (" 2026-03-02T13:00:00 ", NOON, 1),
        (datetime(2026, 3, 2, 13), NOON, 1),
        (date(2026, 3, 2), NOON - timedelta(hours=13), 1),
        (int(NOON.timestamp() * 1e6), NOON, 0),
        (NOON.timestamp() * 1e6, NOON, 0),
    ],
)
def test_times_of_every_form(stated: object, utc: datetime, naive: int) -> None:
    table = pa.table({"event_id": ["1"], "ts": [stated], "kind": ["act"], "agent_id": ["a"]})
    events, _, faults = normalise(table, zone="Europe/Berlin")
    assert events["ts"].to_pylist() == [utc]
    assert faults.counts.get("naive_time", 0) == naive


def test_times_of_many_forms_in_one_column() -> None:
    """Also those that Arrow does not read, and a thirteenth month."""
    stated = ["2026-03-02T12:00:00Z", "2026-03-02T13:00:00", "20260302T120000Z", "2026-13-02", None]
    events, aside, faults = normalise(
        pa.table({"ts": stated, "kind": ["act"] * 5, "agent_id": ["a"] * 5}), zone="Europe/Berlin"
    )
    assert events["ts"].to_pylist() == [NOON] * 3
    assert aside["ts"].to_pylist() == ["2026-13-02", None]
    assert faults.counts["no_time"] == 2
    assert faults.counts["naive_time"] == 1
    assert faults.examples["no_time"] == ["2026-13-02"]


def test_the_hour_that_comes_twice_and_the_one_left_out() -> None:
    table = pa.table({"ts": ["2026-10-25T02:30:00", "2026-03-29T02:30:00"], "kind": ["act"] * 2})
    events, _, _ = normalise(table, zone="Europe/Berlin")
    twice, skipped = events["ts"].to_pylist()
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert skipped == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_rows_that_cannot_be_events_are_set_aside_as_they_came() -> None:
    table = pa.table({
        "event_id": ["1", "2", "3"], "ts": [NOON, None, NOON], "kind": ["act", "act", "Accepted"],
        "agent_id": ["a", "b", "c"], "colour": ["red", "green", "blue"],
    })  # fmt: skip
    events, aside, faults = normalise(table)
    assert events["event_id"].to_pylist() == ["1"]
    assert aside.drop_columns([FAULT]).to_pylist() == table.slice(1).to_pylist()
    assert aside[FAULT].to_pylist() == ["no_time", "unknown_kind"]
    assert faults.counts == {"no_time": 1, "unknown_kind": 1, "no_task": 1}
    assert faults.examples["unknown_kind"] == ["Accepted"]


def test_a_column_named_like_the_fault_column_is_kept() -> None:
    _, aside, _ = normalise(pa.table({"ts": ["never"], "kind": ["act"], "fault": ["mine"]}))
    assert aside.to_pylist() == [{"ts": "never", "kind": "act", "fault_": "mine", FAULT: "no_time"}]


@pytest.mark.parametrize(
    ("stated", "kept", "fault"),
    [
        (-5, None, "negative"),
        (-0.5, None, "negative"),
        ("12", 12, None),
        ("a dozen", None, "unreadable"),
        (float("inf"), None, "unreadable"),
        (float("nan"), None, None),
        (1e300, None, "unreadable"),
        (2.0, 2, None),
        (0, 0, None),
    ],
)
def test_quantities_of_every_form(stated: object, kept: int | None, fault: str | None) -> None:
    table = pa.table({"ts": [NOON], "kind": ["act"], "tokens_in": [stated], "event_id": ["1"],
                      "agent_id": ["a"], "task_id": ["t"]})  # fmt: skip
    events, _, faults = normalise(table)
    row = events.to_pylist()[0]
    assert row["tokens_in"] == kept
    assert list(faults.counts) == ([fault] if fault else [])
    if fault:  # what could not be used is not lost
        assert str(json.loads(row["attrs"])["tokens_in"]) == str(stated)


def test_unknown_columns_go_into_attrs() -> None:
    row = one(colour="red", size=3, weight=0.5, ok=True, deep={"x": [1, None]}, nothing=None,
              raw=b"\xff", when=NOON, quote='a "b"\n')  # fmt: skip
    found = json.loads(row["attrs"])
    assert found["colour"] == "red"
    assert found["size"] == 3
    assert found["weight"] == 0.5
    assert found["ok"] is True
    assert found["deep"] == {"x": [1, None]}
    assert found["quote"] == 'a "b"\n'
    assert found["raw"] == "\ufffd"
    assert datetime.fromisoformat(found["when"]) == NOON
    assert "nothing" not in found


@given(
    st.none()
    | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5), max_size=3),
    st.none() | st.text(max_size=6).filter(lambda x: "\x00" not in x),
)
def test_attrs_that_are_there_stay(there: dict[str, Any] | None, extra: str | None) -> None:
    row = one(attrs=None if there is None else json.dumps(there), _extra=extra)
    expected = {**(there or {}), **({} if extra is None else {"_extra": extra})}
    assert json.loads(row["attrs"] or "{}") == expected


def test_attrs_that_are_no_object_are_kept_as_text() -> None:
    assert json.loads(one(attrs="free text", x=1)["attrs"]) == {"attrs": "free text", "x": 1}


def test_event_ids_are_made_from_content_but_not_from_arrival() -> None:
    columns = {"ts": [NOON, NOON, NOON], "kind": ["act"] * 3, "agent_id": ["a", "a", "b"],
               "ingest_ts": [NOON, NOON + timedelta(1), NOON]}  # fmt: skip
    events, _, faults = normalise(pa.table(columns))
    ids = events["event_id"].to_pylist()
    assert ids[0] == ids[1] != ids[2]
    assert all(len(name) == 32 for name in ids)
    assert faults.counts["no_event_id"] == 3
    again, _, _ = normalise(pa.table({name: x[::-1] for name, x in columns.items()}))
    assert again["event_id"].to_pylist() == ids[::-1]


def test_every_fault_of_kept_rows_is_counted_once() -> None:
    table = pa.table({
        "event_id": ["1", "2", "3", "4"], "ts": [NOON] * 4,
        "ingest_ts": [NOON - timedelta(seconds=1), NOON, NOON, NOON],
        "kind": ["accept", "accept", "heartbeat", "llm"], "agent_id": ["a", "", "c", "d"],
        "task_id": ["t", "t", None, ""], "method": ["human", "by feel", None, None],
        "agent_kind": ["robot", None, "embodied", "software"],
    })  # fmt: skip
    events, _, faults = normalise(table, src="csv")
    assert faults.counts == {"no_agent": 1, "no_task": 1, "unknown_method": 1, "skew": 1}
    assert faults.examples == {what: [x] for what, x in
                               (("no_agent", "2"), ("no_task", "4"), ("unknown_method", "2"),
                                ("skew", "1"))}  # fmt: skip
    assert set(faults.counts) <= set(FAULTS)
    assert events["src"].to_pylist() == ["csv"] * 4
    assert events["agent_kind"].to_pylist() == [None, None, "embodied", "software"]
    assert json.loads(events["attrs"][0].as_py()) == {"agent_kind": "robot"}


def test_texts_of_other_types() -> None:
    table = pa.table({
        "event_id": pa.array([17], pa.int64()), "ts": [NOON],
        "kind": pa.array(["act"]).dictionary_encode(),
        "agent_id": pa.array(["a"], pa.large_string()),
        "task_id": pa.array([b"t"]), "model": [["x", "y"]],
    })  # fmt: skip
    row = normalise(table)[0].to_pylist()[0]
    assert (row["event_id"], row["kind"], row["agent_id"]) == ("17", "act", "a")
    assert (row["task_id"], row["model"]) == ("t", '["x", "y"]')


def test_chunks_are_joined() -> None:
    half = pa.table({"event_id": ["1"], "ts": [NOON], "kind": ["act"], "agent_id": ["a"]})
    assert normalise(pa.concat_tables([half, half]))[0].num_rows == 2
