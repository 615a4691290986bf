"""A2A, VDA 5050 and Open-RMF: what messages say, and that they come back as they were.

Sample documents are written from the specifications named in the adapters.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.meter import adapters
from lineshaft.meter.adapters import a2a, lines, rmf, vda5050
from lineshaft.meter.adapters.rows import from_dicts
from lineshaft.meter.adapters.vda5050 import Tracker
from lineshaft.meter.events import Faults, table
from lineshaft.meter.normal import normalise

NOON = "2026-01-02T12:00:"


def read(records: list[Any] | bytes, source: str, **options: Any) -> tuple[pa.Table, Faults]:
    data = records if isinstance(records, bytes) else "\n".join(map(json.dumps, records)).encode()
    faults, tables = Faults(), []
    for found, wrong in adapters.read(data, source, **options):
        tables.append(found)
        faults.merge(wrong)
    return pa.concat_tables(tables), faults


def steps(events: pa.Table) -> list[tuple[str, str | None]]:
    rows = events.to_pylist()
    return [(row["kind"], row["task_id"]) for row in rows if row["kind"] != "heartbeat"]


def back(events: pa.Table, source: str) -> list[Any]:
    written = adapters.write(events, source)
    assert written is not None
    return [json.loads(line) for line in written.splitlines()]


# --- A2A --------------------------------------------------------------------------------------


def update(state: str, second: int, **more: Any) -> dict[str, Any]:
    status = {"state": f"TASK_STATE_{state}", "timestamp": f"{NOON}{second:02d}Z"}
    said = {"taskId": "t1", "contextId": "c1", "status": status, **more}
    return {"jsonrpc": "2.0", "id": 1, "result": {"statusUpdate": said}}


A2A = [
    {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {"messageId": "m"}}},
    update("SUBMITTED", 0),
    update("WORKING", 1, metadata={"daa.human_equiv_min": 12, "other": {"x": [1]}}),
    {"result": {"artifactUpdate": {"taskId": "t1", "artifact": {"artifactId": "a", "parts": []}}}},
    update("INPUT_REQUIRED", 2),
    {"method": "SendMessage", "params": {"message": {"taskId": "t1", "role": "ROLE_USER"}}},
    update("COMPLETED", 3),
    {"jsonrpc": "2.0", "id": 2, "error": {"code": -32001, "message": "no such task"}},
]


def test_a2a_states_become_events() -> None:
    events, faults = read(A2A, "a2a", agent="desk", tenant="acme")
    rows = events.to_pylist()
    assert not faults.counts
    assert steps(events) == [
        (kind, "t1") for kind in ("assign", "start", "act", "ask_human", "act", "submit")
    ]
    assert {row["agent_id"] for row in rows} == {"desk"}
    assert [row["method"] for row in rows if row["kind"] == "submit"] == ["self_report"]
    assert [row["human_equiv_min"] for row in rows if row["kind"] == "start"] == [12.0]
    # an artifact has no time of its own: the last one of its task
    assert rows[3]["ts"] == rows[2]["ts"]
    assert rows[0]["ts"] is None and rows[-1]["ts"] == rows[-2]["ts"]
    _, aside, wrong = normalise(events)
    assert (aside.num_rows, wrong.counts) == (1, {"no_time": 1})
    assert back(events, "a2a") == A2A


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("TASK_STATE_FAILED", "fail"), ("TASK_STATE_CANCELED", "cancel"),
        ("TASK_STATE_REJECTED", "reject"), ("TASK_STATE_AUTH_REQUIRED", "ask_human"),
        ("input-required", "ask_human"), ("completed", "submit"), ("unknown", "act"),
    ],
)  # fmt: skip
def test_a2a_names_of_both_versions(state: str, kind: str) -> None:
    old = {"kind": "status-update", "taskId": "t", "status": {"state": state}, "final": True}
    events, _ = read([{"payload": old, "agent": "x", "time": f"{NOON}05Z"}], "a2a")
    assert steps(events) == [(kind, "t")]
    assert events["agent_id"].to_pylist() == ["x"]
    assert events["ts"].to_pylist() == events["ingest_ts"].to_pylist()


def test_a2a_streams_arrays_and_lists_of_tasks() -> None:
    task = {"id": "t1", "status": {"state": "TASK_STATE_COMPLETED", "timestamp": f"{NOON}09Z"}}
    listed = {"tasks": [task, {**task, "id": "t2"}], "nextPageToken": ""}
    stream = "".join(f"data: {json.dumps(item)}\n\n" for item in [A2A[1], listed]).encode()
    assert adapters.detect(stream) == "a2a"
    events, faults = read(b": hello\n" + stream + b"data: {broken\n\n", "a2a")
    assert steps(events) == [("assign", "t1"), ("submit", "t1"), ("submit", "t2")]
    assert faults.counts == {"unreadable": 1}
    assert adapters.write(events, "a2a") == stream.replace(b": ", b":").replace(
        b", ", b","
    ).replace(b"data:", b"data: ")
    array = json.dumps([A2A[1], listed]).encode()
    events, _ = read(array, "a2a")
    assert json.loads(adapters.write(events, "a2a") or b"") == json.loads(array)
    cut, faults = read(array[:-20], "a2a")
    assert (len(cut), faults.counts) == (1, {"unreadable": 1})


def test_a2a_agent_of_a_mapping() -> None:
    events, _ = read([A2A[1]], "a2a", mapping={"agent": "desk"})
    assert events["agent_id"].to_pylist() == ["desk"]


def test_a2a_replays_have_the_same_id() -> None:
    events, _ = read([A2A[1], A2A[1]], "a2a", agent="x")
    assert len(set(events["event_id"].to_pylist())) == 1


# --- VDA 5050 ---------------------------------------------------------------------------------


def state(number: int, second: int, order: str = "o1", **more: Any) -> dict[str, Any]:
    at = f"2026-01-02T12:{second // 60:02d}:{second % 60:02d}.000Z"
    payload = {
        "headerId": number, "timestamp": at, "version": "2.1.0", "manufacturer": "KIT",
        "serialNumber": "0001", "orderId": order, "orderUpdateId": 0, "nodeStates": [],
        "edgeStates": [], "actionStates": [], "driving": False, "operatingMode": "AUTOMATIC",
        "batteryState": {"batteryCharge": 80.0, "charging": False}, "errors": [], **more,
    }  # fmt: skip
    return {"topic": "uagv/v2/KIT/0001/state", "time": at, "payload": payload}


def order(ident: str = "o1", actions: tuple[str, ...] = ("a",), second: int = 5) -> dict[str, Any]:
    nodes = [{"nodeId": "n", "actions": [{"actionId": a, "actionType": "pick"} for a in actions]}]
    at = f"2026-01-02T12:00:{second:02d}Z"
    payload = {"headerId": second, "timestamp": at, "orderId": ident, "nodes": nodes, "edges": []}
    return {"topic": "uagv/v2/KIT/0001/order", "payload": json.dumps(payload)}


def action(ident: str, status: str, what: str = "pick") -> dict[str, str]:
    return {"actionId": ident, "actionType": what, "actionStatus": status}


NODE = [{"nodeId": "n1", "sequenceId": 2, "released": True}]
IDLE = state(1, 0, "")


def test_vda5050_an_order_from_start_to_end() -> None:
    messages = [
        IDLE,
        order(),
        state(2, 10, nodeStates=NODE, actionStates=[action("a", "WAITING")], driving=True),
        state(3, 20, nodeStates=NODE, actionStates=[action("a", "RUNNING")]),
        state(4, 30, actionStates=[action("a", "RUNNING")]),
        state(5, 40, actionStates=[action("a", "FINISHED")]),
        state(6, 50, actionStates=[action("a", "FINISHED")]),
    ]
    events, faults = read(messages, "vda5050", tenant="plant")
    assert not faults.counts
    assert steps(events) == [(kind, "o1") for kind in ("assign", "start", "act", "act", "submit")]
    rows = events.to_pylist()
    assert {row["agent_id"] for row in rows} == {"KIT/0001"}
    assert {row["agent_kind"] for row in rows} == {"embodied"}
    (done,) = (row for row in rows if row["kind"] == "submit")
    assert (done["method"], done["ts"].second, done["tenant"]) == ("self_report", 40, "plant")
    drives = [json.loads(r["attrs"]) for r in rows if "driving_s" in (r["attrs"] or "")]
    assert [drive["driving_s"] for drive in drives] == [10.0]
    assert back(events, "vda5050") == messages
    good, aside, wrong = normalise(events)
    assert (good.num_rows, aside.num_rows, wrong.counts) == (len(rows), 0, {})


def test_vda5050_horizon_and_running_actions_keep_an_order_open() -> None:
    ahead = [{**NODE[0], "released": False}]
    for open_ in ({"nodeStates": ahead}, {"edgeStates": [{"edgeId": "e"}]},
                  {"actionStates": [action("a", "PAUSED")]}):  # fmt: skip
        events, _ = read([IDLE, state(2, 10, **open_), state(3, 20, **open_)], "vda5050")
        assert steps(events) == [("start", "o1")]


def test_vda5050_an_extended_order_is_submitted_again() -> None:
    more = state(4, 30, nodeStates=NODE, orderUpdateId=1)
    end = state(5, 40, orderUpdateId=1)
    events, _ = read([IDLE, state(2, 10, nodeStates=NODE), state(3, 20), more, end], "vda5050")
    assert steps(events) == [("start", "o1"), ("submit", "o1"), ("submit", "o1")]
    assert len(set(events["event_id"].to_pylist())) == len(events)


def test_vda5050_cancel_counts_once() -> None:
    cancel = action("c", "FINISHED", "cancelOrder")
    messages = [
        IDLE,
        state(2, 10, nodeStates=NODE),
        # asked to cancel: no node is left, but it is not done
        state(3, 20, actionStates=[action("c", "RUNNING", "cancelOrder")]),
        state(4, 30, actionStates=[cancel]),
        # 3.0 keeps the finished instant action over the next order
        state(5, 40, "o2", nodeStates=NODE, instantActionStates=[cancel]),
        state(6, 50, "o2", instantActionStates=[cancel]),
    ]
    events, _ = read(messages, "vda5050")
    assert steps(events) == [("start", "o1"), ("cancel", "o1"), ("start", "o2"), ("submit", "o2")]


def test_vda5050_failures() -> None:
    failed = state(3, 20, actionStates=[action("a", "FAILED")])
    events, _ = read([IDLE, state(2, 10, nodeStates=NODE), failed], "vda5050")
    assert steps(events) == [("start", "o1"), ("fail", "o1")]
    # an instant action of 2.x that fails is not part of the order, whose actions are known
    instant = [action("a", "FINISHED"), action("i", "FAILED", "stateRequest")]
    messages = [IDLE, order(), state(2, 10, nodeStates=NODE), state(3, 20, actionStates=instant)]
    events, _ = read(messages, "vda5050")
    assert steps(events)[-1] == ("submit", "o1")
    broken = state(3, 20, nodeStates=NODE, errors=[{"errorType": "x", "errorLevel": "CRITICAL"}])
    events, _ = read([IDLE, state(2, 10, nodeStates=NODE), broken], "vda5050")
    assert steps(events) == [("start", "o1"), ("fail", "o1")]
    reference = [{"referenceKey": "orderId", "referenceValue": "o9"}]
    refused = {"errorType": "validationError", "errorLevel": "WARNING"}
    said = [{**refused, "errorReferences": reference}]
    events, _ = read(
        [IDLE, state(2, 10, "", errors=said), state(3, 20, "", errors=said)], "vda5050"
    )
    assert steps(events) == [("fail", "o9")]


def test_vda5050_fatal_errors_call_a_human_once() -> None:
    error = [{"errorType": "stuck", "errorLevel": "FATAL"}]
    messages = [
        IDLE,
        *(state(n, 10 * n, nodeStates=NODE, errors=error if n != 4 else []) for n in range(2, 7)),
    ]
    events, _ = read(messages, "vda5050")
    assert steps(events) == [("start", "o1"), ("ask_human", "o1"), ("ask_human", "o1")]


@pytest.mark.parametrize("mode", vda5050.MANNED)
def test_vda5050_manual_time_is_human_time(mode: str) -> None:
    messages = [
        IDLE,
        state(2, 10, nodeStates=NODE),
        state(3, 20, nodeStates=NODE, operatingMode=mode),
        state(4, 50, nodeStates=NODE, operatingMode=mode),
        state(5, 250, operatingMode=mode),  # silent for longer than a robot may be: 60 s of it
        state(6, 260, operatingMode="AUTOMATIC"),
    ]
    events, _ = read(messages, "vda5050")
    rows = [row for row in events.to_pylist() if row["kind"] in ("human_touch", "submit")]
    # the order ends while a human is at it: the touch comes before
    assert [(row["kind"], row["human_s"], row["task_id"]) for row in rows] == [
        ("human_touch", 90.0, "o1"), ("submit", None, "o1"), ("human_touch", 10.0, None),
    ]  # fmt: skip


def test_vda5050_manual_time_ends_with_the_recording_or_the_connection() -> None:
    manual = [state(n, 10 * n, nodeStates=NODE, operatingMode="MANUAL") for n in (1, 2, 3)]
    events, _ = read(manual, "vda5050")
    touches = [row["human_s"] for row in events.to_pylist() if row["kind"] == "human_touch"]
    assert touches == [20.0]
    gone = {"headerId": 1, "timestamp": f"{NOON}40Z", "connectionState": "CONNECTIONBROKEN"}
    lost = {"topic": "uagv/v2/KIT/0001/connection", "payload": gone}
    events, _ = read([*manual, lost], "vda5050")
    assert [r["human_s"] for r in events.to_pylist() if r["kind"] == "human_touch"] == [20.0]


def test_vda5050_charging_of_both_versions() -> None:
    for name, level in (("batteryState", "batteryCharge"), ("powerSupply", "stateOfCharge")):
        supply = [{name: {level: 20.0 + n, "charging": n < 2}} for n in range(3)]
        messages = [state(n + 1, 10 * n, "", **said) for n, said in enumerate(supply)]
        if name == "powerSupply":
            for message in messages:
                del message["payload"]["batteryState"]
        events, _ = read(messages, "vda5050")
        said = json.loads(events["attrs"].to_pylist()[-1])
        assert (said["charging_s"], said["from_percent"], said["to_percent"]) == (20, 20, 22)
        assert set(events["kind"].to_pylist()) == {"heartbeat"}


def test_vda5050_duplicates_and_old_messages_change_nothing() -> None:
    messages = [IDLE, state(2, 10, nodeStates=NODE), state(3, 20)]
    plain, _ = read(messages, "vda5050")
    again, _ = read([*messages[:2], messages[1], messages[2], messages[1]], "vda5050")
    assert steps(again) == steps(plain)
    ids = again["event_id"].to_pylist()
    assert len(ids) - len(set(ids)) == 2  # the same message has the same id
    restarted = [*messages, state(0, 30, "o2", nodeStates=NODE), state(1, 40, "o2")]
    assert steps(read(restarted, "vda5050")[0])[-1] == ("submit", "o2")


def test_vda5050_a_finished_order_is_not_told_again_after_a_restart_of_the_recorder() -> None:
    events, _ = read([state(7, 10), state(8, 20)], "vda5050")
    assert steps(events) == []


def test_vda5050_recorders_and_unknown_records() -> None:
    bare = state(1, 0)["payload"]
    nameless = json.dumps({**bare, "manufacturer": "", "serialNumber": ""})
    at = "2026-01-02T13:00:00.000000+0100"
    mosquitto = {"tst": at, "topic": "a/v3/KIT/7/state", "qos": 0, "payload": nameless}
    records = [bare, mosquitto, {"hello": 1}, [1]]
    events, faults = read(records, "vda5050")
    assert not faults.counts and back(events, "vda5050") == records
    assert events["agent_id"].to_pylist() == ["KIT/0001", "KIT/7", None, None]
    assert events["ingest_ts"].to_pylist()[1].isoformat() == "2026-01-02T12:00:00+00:00"
    good, aside, wrong = normalise(events)
    assert (good.num_rows, aside.num_rows, wrong.counts) == (2, 2, {"no_time": 2})


odd = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers())
junk = st.dictionaries(
    st.sampled_from(sorted(state(1, 0)["payload"])),
    odd | st.lists(st.dictionaries(st.sampled_from(["actionId", "actionStatus", "errorLevel",
                                                    "errorReferences", "errorType"]), odd)),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(junk, max_size=4))
def test_vda5050_wrong_types_break_nothing(parts: list[dict[str, Any]]) -> None:
    messages = [IDLE]
    for place, part in enumerate(parts):
        message = state(place + 2, 10 * place + 10, nodeStates=NODE)
        messages.append({**message, "payload": {**message["payload"], **part}})
    events, faults = read(messages, "vda5050")
    assert not faults.counts and back(events, "vda5050") == messages


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_vda5050_a_tracker_goes_on_where_it_stopped(data: st.DataObject) -> None:
    modes = st.sampled_from(["AUTOMATIC", "MANUAL"])
    messages, second = [IDLE, order()], 10
    switch = data.draw(st.integers(2, 10))
    for number in range(2, 10):
        second += data.draw(st.integers(1, 90))
        messages.append(
            state(
                number, second, "o1" if number < switch else "o2",
                nodeStates=data.draw(st.sampled_from([[], NODE])), operatingMode=data.draw(modes),
                driving=data.draw(st.booleans()),
            )
        )  # fmt: skip
    cut = data.draw(st.integers(0, len(messages)))

    def feed(tracker: Tracker, part: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for m in part for row in tracker.feed(m["topic"], m["payload"], 5)]

    whole = feed(Tracker("t"), messages)
    first = Tracker("t")
    rows = feed(first, messages[:cut])
    kept = json.loads(json.dumps(first.state()))
    assert rows + feed(Tracker("t", kept), messages[cut:]) == whole
    assert from_dicts(whole).num_rows == len(whole)
    ids = [row["event_id"] for row in whole]
    assert len(set(ids)) == len(ids)


def test_vda5050_tracker_rejects_what_is_no_message() -> None:
    for topic, payload in (("x", b"{"), ("x", b"[]"), ("x", b"{}"), ("a/b", {"orderId": "o"})):
        with pytest.raises(ValueError, match=r".+"):
            Tracker().feed(topic, payload)


# --- Open-RMF ---------------------------------------------------------------------------------


def summary(number: int, robot: str = "r1", **more: Any) -> dict[str, Any]:
    return {
        "fleet_name": "tiny", "task_id": "d0", "state": number, "robot_name": robot,
        "submission_time": {"sec": 100, "nanosec": 5000}, "start_time": {"sec": 110, "nanosec": 0},
        "end_time": {"sec": 150, "nanosec": 0}, "task_profile": {"task_id": "d0"}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(("number", "end"), [(2, "submit"), (3, "fail"), (4, "cancel")])
def test_rmf_summaries(number: int, end: str) -> None:
    messages = [summary(0, ""), summary(5), summary(1), summary(1, status="halfway"),
                summary(number)]  # fmt: skip
    events, _ = read(messages, "rmf")
    assert steps(events) == [("assign", "d0"), ("start", "d0"), (end, "d0")]
    rows = [row for row in events.to_pylist() if row["kind"] != "heartbeat"]
    assert [row["ts"].timestamp() for row in rows] == [100.000005, 110, 150]
    assert {row["agent_id"] for row in rows} == {"tiny/r1"}
    assert back(events, "rmf") == messages


def task_state(status: str, **more: Any) -> dict[str, Any]:
    booking = {"id": "clean_1", "unix_millis_request_time": 1_000, "requester": "ada"}
    said = {
        "booking": booking, "status": status, "unix_millis_start_time": 2_000,
        "assigned_to": {"group": "tiny", "name": "r1"}, "phases": {"1": {"id": 1}}, **more,
    }  # fmt: skip
    return {"type": "task_state_update", "data": said}


def test_rmf_task_states() -> None:
    queued = task_state("queued", assigned_to=None)
    messages = [queued, task_state("underway"), task_state("error"),
                task_state("completed", unix_millis_finish_time=9_000)]  # fmt: skip
    events, _ = read(messages, "rmf")
    assert steps(events) == [
        (kind, "clean_1") for kind in ("assign", "start", "ask_human", "submit")
    ]
    rows = {row["kind"]: row for row in events.to_pylist()}
    assert rows["assign"]["requester_id"] == "ada"
    assert rows["submit"]["ts"].timestamp() == 9
    assert back(events, "rmf") == messages


def test_rmf_cancellations() -> None:
    asked = {"cancellation": {"unix_millis_request_time": 5_000, "labels": []}}
    events, _ = read([task_state("canceled", unix_millis_finish_time=8_000, **asked)], "rmf")
    assert steps(events)[-1][0] == "cancel"
    assert events.to_pylist()[-1]["ts"].timestamp() == 5
    nobody = task_state("queued", assigned_to=None, dispatch={"status": "failed_to_assign"})
    assert steps(read([nobody], "rmf")[0])[-1][0] == "fail"


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*sorted(summary(1)), "booking", "data"]), odd))
def test_rmf_wrong_types_break_nothing(part: dict[str, Any]) -> None:
    messages = [{**summary(1), **part}, {**task_state("underway")["data"], **part}]
    events, _ = read(messages, "rmf")
    assert back(events, "rmf") == messages


# --- all of them ------------------------------------------------------------------------------


def test_events_of_another_source_are_refused() -> None:
    foreign = table([{"event_id": "e", "ts": 1, "agent_id": "a", "kind": "accept"}])
    for source in ("a2a", "vda5050", "rmf"):
        with pytest.raises(InputError, match="1 of 1 events are not from"):
            adapters.write(foreign, source)


def test_batches_lose_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (a2a, vda5050, rmf):
        monkeypatch.setattr(module, "BATCH", 1)
    body = b"{}\n{}\nnot JSON\n{}\nnor this\n"
    for source in ("a2a", "vda5050", "rmf"):
        events, faults = read(body, source)
        assert (len(events), faults.counts) == (3, {"unreadable": 2})
        assert back(events, source) == [{}] * 3


def test_forms_are_kept() -> None:
    assert json.loads(lines.keep({"a": 1})) == {"record": {"a": 1}}
    assert json.loads(lines.keep(1, "sse")) == {"record": 1, "form": "sse"}
