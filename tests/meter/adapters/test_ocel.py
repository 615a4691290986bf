"""OCEL 2.0: export of the event table, logs of any origin, SQLite; pm4py as the judge if there."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lineshaft.errors import InputError
from lineshaft.meter import adapters
from lineshaft.meter.adapters import ocel
from lineshaft.meter.events import Faults, table

# The minimal example of https://www.ocel-standard.org, with a second event.
LOG: dict[str, Any] = {
    "eventTypes": [{"name": "pick", "attributes": [{"name": "cost_usd", "type": "float"}]}],
    "objectTypes": [{"name": "order", "attributes": []}, {"name": "worker", "attributes": []}],
    "events": [
        {
            "id": "e1", "type": "pick", "time": "2026-01-02T12:00:00Z",
            "attributes": [{"name": "cost_usd", "value": 1.5}, {"name": "lane", "value": 7}],
            "relationships": [
                {"objectId": "o1", "qualifier": "for"}, {"objectId": "w1", "qualifier": "by"},
            ],
        },
        {"id": "e2", "type": "pay", "time": "2026-01-02T12:30:00Z", "relationships": []},
    ],
    "objects": [
        {"id": "o1", "type": "order", "attributes": [
            {"name": "item", "time": "1970-01-01T00:00:00Z", "value": 1}]},
        {"id": "w1", "type": "worker"},
    ],
}  # fmt: skip
MAPPING = {
    "objects": {"agent_id": "worker", "task_id": "order"},
    "kind": {"values": {"pick": "act"}, "otherwise": "heartbeat"},
}


def read(data: bytes | Path, **options: Any) -> tuple[pa.Table, Faults]:
    faults, tables = Faults(), []
    for found, wrong in adapters.read(data, "ocel", **options):
        tables.append(found)
        faults.merge(wrong)
    return pa.concat_tables(tables), faults


def team() -> pa.Table:
    base = {"agent_id": "a", "tenant": "t", "task_id": "T1"}
    return table(
        [
            {**base, "event_id": "1", "ts": 1_000_001, "kind": "assign", "requester_id": "boss"},
            {**base, "event_id": "2", "ts": 2_000_000, "kind": "accept", "reviewer_id": "eve",
             "method": "human", "human_s": 60.0, "value_usd": 12.0},
            {**base, "event_id": "2", "ts": 2_000_000, "kind": "accept", "tokens_in": 5},
            {**base, "event_id": "2", "tenant": "u", "ts": 3_000_000, "kind": "act",
             "root_task_id": "T0", "attrs": '{"x":1}', "ingest_ts": 7},
            {"event_id": "5", "agent_id": "", "ts": 4_000_000, "kind": "heartbeat"},
        ]
    )  # fmt: skip


def test_export_has_objects_and_comes_back() -> None:
    events = team()
    written = adapters.write(events, "ocel")
    assert written is not None
    log = json.loads(written)
    ids = [item["id"] for item in (*log["events"], *log["objects"])]
    assert len(set(ids)) == len(ids)
    types = {item["name"] for item in log["objectTypes"]}
    assert types == {"agent", "task", "requester", "reviewer", "standard"}
    assert {item["type"] for item in log["objects"]} == types
    known = {item["id"] for item in log["objects"]}
    links = {link["objectId"] for event in log["events"] for link in event["relationships"]}
    assert links <= known
    (part,) = (item for item in log["objects"] if item["relationships"])
    assert part["id"] == "task:u:T1" and part["relationships"][0]["qualifier"] == "part of"
    back, faults = read(written)
    assert not faults.counts and back.to_pylist() == events.to_pylist()
    assert adapters.detect(written) == "ocel"


def test_a_changed_export_is_told() -> None:
    log = json.loads(adapters.write(team(), "ocel") or b"")
    log["events"][0]["relationships"][0]["objectId"] = "nobody"
    del log["events"][1]["time"]
    back, faults = read(json.dumps(log).encode())
    assert (len(back), faults.counts) == (3, {"unreadable": 2})


def test_logs_of_other_origin() -> None:
    body = json.dumps(LOG).encode()
    events, faults = read(body, mapping=MAPPING, tenant="t")
    first, second = events.to_pylist()
    assert not faults.counts
    assert [first[n] for n in ("kind", "agent_id", "task_id", "cost_usd", "tenant")] == [
        "act", "w1", "o1", 1.5, "t",
    ]  # fmt: skip
    assert (second["kind"], second["agent_id"]) == ("heartbeat", None)
    assert json.loads(adapters.write(events, "ocel") or b"") == LOG
    unmapped, _ = read(body)
    assert unmapped["kind"].to_pylist() == ["pick", "pay"]  # the normaliser sets them aside


def test_objects_without_events_are_kept() -> None:
    log = {**LOG, "events": []}
    events, _ = read(json.dumps(log).encode())
    assert json.loads(adapters.write(events, "ocel") or b"") == log


def test_a_part_of_a_log_is_exported_as_events() -> None:
    events, _ = read(json.dumps(LOG).encode(), mapping=MAPPING)
    part = events.slice(1)
    back, _ = read(adapters.write(part, "ocel") or b"")
    assert back.to_pylist() == part.to_pylist()


def test_broken_documents_and_mappings() -> None:
    for body in (b"{", b"[]", b'{"events": 1}', b'{"events": [3]}'):
        events, faults = read(body)
        assert events.num_rows <= 1 and sum(faults.counts.values()) <= 1
    wrong = {"objects": {"agent": "x"}, "kind": {"values": {"a": "acept"}}, "knd": {}}
    with pytest.raises(InputError) as error:
        read(b"{}", mapping=wrong)
    assert len(error.value.problems) == 3
    assert "did you mean 'accept'?" in str(error.value)


def database(path: Path) -> None:
    """The log above in the relational form."""
    with sqlite3.connect(path) as base:
        base.executescript(
            """
            CREATE TABLE event (ocel_id TEXT, ocel_type TEXT);
            CREATE TABLE object (ocel_id TEXT, ocel_type TEXT);
            CREATE TABLE event_object (ocel_event_id TEXT, ocel_object_id TEXT,
                                       ocel_qualifier TEXT);
            CREATE TABLE object_object (ocel_source_id TEXT, ocel_target_id TEXT,
                                        ocel_qualifier TEXT);
            CREATE TABLE event_map_type (ocel_type TEXT, ocel_type_map TEXT);
            CREATE TABLE object_map_type (ocel_type TEXT, ocel_type_map TEXT);
            CREATE TABLE event_Pick (ocel_id TEXT, ocel_time TIMESTAMP, cost_usd REAL);
            CREATE TABLE object_Order (ocel_id TEXT, ocel_time TIMESTAMP,
                                       ocel_changed_field TEXT, item INTEGER);
            INSERT INTO event VALUES ('e1', 'pick');
            INSERT INTO object VALUES ('o1', 'order'), ('w1', 'worker');
            INSERT INTO event_object VALUES ('e1', 'o1', 'for'), ('e1', 'w1', 'by');
            INSERT INTO object_object VALUES ('o1', 'w1', 'given to');
            INSERT INTO event_map_type VALUES ('pick', 'Pick');
            INSERT INTO object_map_type VALUES ('order', 'Order');
            INSERT INTO event_Pick VALUES ('e1', '2026-01-02 12:00:00', 1.5);
            INSERT INTO object_Order VALUES ('o1', '1970-01-01 00:00:00', NULL, 1);
            """
        )
    base.close()


def test_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    database(path)
    assert adapters.detect(path) == "ocel"
    events, _ = read(path, mapping=MAPPING)
    (row,) = events.to_pylist()
    assert [row[n] for n in ("kind", "agent_id", "task_id", "cost_usd")] == ["act", "w1", "o1", 1.5]
    assert row["ts"].isoformat() == "2026-01-02T12:00:00+00:00"
    log = json.loads(adapters.write(events, "ocel") or b"")
    assert log["objects"][0]["relationships"] == [{"objectId": "w1", "qualifier": "given to"}]
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(InputError, match=r"no OCEL 2\.0 database"):
        read(path)


def test_pm4py_reads_the_export(tmp_path: Path) -> None:
    pm4py = pytest.importorskip("pm4py", reason="pm4py, an independent reader, is not installed")
    path = tmp_path / "log.json"
    path.write_bytes(adapters.write(team(), "ocel") or b"")
    log = pm4py.read_ocel2_json(str(path))
    assert len(log.events) == team().num_rows
    assert set(log.objects["ocel:type"]) == {"agent", "task", "requester", "reviewer", "standard"}


def test_every_event_and_object_has_a_relationship() -> None:
    """Readers such as pm4py drop what has none."""
    log = json.loads(adapters.write(team(), "ocel") or b"")
    assert all(event["relationships"] for event in log["events"])
    linked = {link["objectId"] for event in log["events"] for link in event["relationships"]}
    assert linked == {item["id"] for item in log["objects"]}
    assert ocel.MARK["id"] in linked
