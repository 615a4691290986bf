"""Open-RMF: task summaries and task states of a robot fleet.

`rmf_task_msgs/TaskSummary` (https://github.com/open-rmf/rmf_internal_msgs, rmf_task_msgs/msg) as
JSON, and task states of https://github.com/open-rmf/rmf_api_msgs (schemas/task_state.json), bare or
in updates of the API server ({"type": "task_state_update", "data": ...}).

Each message repeats the whole task; each step of a task is told once. The agent is fleet/robot, or
the fleet while no robot is assigned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.meter.adapters import text
from lineshaft.meter.adapters.lines import keep
from lineshaft.meter.adapters.rows import BATCH, encode, from_dicts, taken, whole
from lineshaft.meter.adapters.rows import text as word
from lineshaft.meter.events import Faults

if TYPE_CHECKING:
    import pyarrow as pa

VERSIONS = ("rmf_task_msgs 3.x", "rmf_api_msgs 0.x")

SUMMARY_ENDS: Mapping[int, str] = {2: "submit", 3: "fail", 4: "cancel"}
"""TaskSummary.state: QUEUED 0, ACTIVE 1, COMPLETED 2, FAILED 3, CANCELED 4, PENDING 5."""
SUMMARY_BEGUN = (1, 2, 3)
STATUS_ENDS: Mapping[str, str] = {
    "completed": "submit",
    "failed": "fail",
    "canceled": "cancel",
    "killed": "cancel",
}
"""Task state: status. `error` is no end: the fleet may go on; it asks for a human."""
STATUS_CALLS = ("error",)

Row = dict[str, Any]
_TOLD = 100_000
"""Tasks whose told steps are remembered."""


def read(
    data: Path | bytes, *, tenant: str = "", ingest_us: int | None = None
) -> Iterator[tuple[pa.Table, Faults]]:
    """Event tables of recorded messages."""
    faults, rows, some = Faults(), list[Row](), False
    told: dict[str, list[str]] = {}
    for record, form in text.records(data, faults):
        base = {"tenant": tenant or None, "agent_kind": "embodied", "src": "rmf"}
        rows += _of_record(record, form, {**base, "ingest_ts": ingest_us}, told)
        if len(rows) >= BATCH:
            yield from_dicts(rows), taken(faults)
            rows, some = [], True
        while len(told) > _TOLD:
            told.pop(next(iter(told)))
    if rows or faults.counts or not some:
        yield from_dicts(rows), taken(faults)


def _of_record(record: Any, form: str, base: Row, told: dict[str, list[str]]) -> Iterator[Row]:
    said = record.get("data") if isinstance(record, Mapping) and "data" in record else record
    steps: list[Row] = []
    agent = task = None
    times: list[int | None] = []
    if isinstance(said, Mapping) and isinstance(said.get("booking"), Mapping):
        agent, task, steps, times = _of_state(said)
    elif isinstance(said, Mapping) and "fleet_name" in said:
        agent, task, steps, times = _of_summary(said)
    name = hashlib.sha256(encode(record).encode()).hexdigest()[:32]
    yield {
        **base, "event_id": f"rmf:{name}", "agent_id": agent, "kind": "heartbeat",
        "ts": max((at for at in times if at is not None), default=None),
        "attrs": keep(record, form),
    }  # fmt: skip
    if task is None:
        return
    seen = told.setdefault(encode([base["tenant"], task]), [])
    for step in steps:
        if step["kind"] in seen:
            continue
        seen.append(step["kind"])
        yield {
            **base, "agent_id": agent, "event_id": f"rmf:{task}:{step['kind']}", "task_id": task,
            "attrs": encode({"of": f"rmf:{task}"}), **step,
        }  # fmt: skip


def _of_summary(
    said: Mapping[str, Any],
) -> tuple[str | None, str | None, list[Row], list[int | None]]:
    """(agent, task, steps, times) of a TaskSummary. Its end is an estimate until it has ended."""
    profile = said.get("task_profile")
    profile = profile if isinstance(profile, Mapping) else {}
    task = word(said.get("task_id")) or word(profile.get("task_id"))
    fleet, robot = word(said.get("fleet_name")), word(said.get("robot_name"))
    agent = f"{fleet}/{robot}" if fleet and robot else fleet
    state = whole(said.get("state"))
    asked = _stamp(said.get("submission_time")) or _stamp(profile.get("submission_time"))
    start, end = _stamp(said.get("start_time")), _stamp(said.get("end_time"))
    finish = SUMMARY_ENDS.get(state) if state is not None else None
    steps: list[Row] = []
    if robot or finish:  # before, nobody has it
        steps.append({"kind": "assign", "ts": asked or start})
    if state in SUMMARY_BEGUN:
        steps.append({"kind": "start", "ts": start, "actor": "agent"})
    if finish:
        steps.append(_end(finish, end))
    return agent, task, steps, [asked, start if state in SUMMARY_BEGUN else None,
                                end if finish else None]  # fmt: skip


def _of_state(
    said: Mapping[str, Any],
) -> tuple[str | None, str | None, list[Row], list[int | None]]:
    """(agent, task, steps, times) of a task state."""
    booking = said["booking"]
    task = word(booking.get("id"))
    given = said.get("assigned_to")
    given = given if isinstance(given, Mapping) else {}
    fleet, robot = word(given.get("group")), word(given.get("name"))
    agent = f"{fleet}/{robot}" if fleet and robot else fleet or robot
    asked = _millis(booking, "unix_millis_request_time")
    asked = asked or _millis(booking, "unix_millis_earliest_start_time")
    start = _millis(said, "unix_millis_start_time")
    end = _millis(said, "unix_millis_finish_time")
    stopped = next(
        (
            _millis(said[key], "unix_millis_request_time")
            for key in ("cancellation", "killed")
            if isinstance(said.get(key), Mapping)
        ),
        None,
    )
    status = word(said.get("status")) or ""
    finish = STATUS_ENDS.get(status)
    dispatch = said.get("dispatch")
    if isinstance(dispatch, Mapping) and dispatch.get("status") == "failed_to_assign":
        finish = finish or "fail"
    steps: list[Row] = []
    if agent or finish:
        requester = word(booking.get("requester"))
        steps.append({"kind": "assign", "ts": asked or start, "requester_id": requester})
    # a task that is queued has the start that is planned
    begun = status not in ("", "uninitialized", "queued", "standby") and start is not None
    if begun and agent:
        steps.append({"kind": "start", "ts": start, "actor": "agent"})
    if status in STATUS_CALLS:
        steps.append({"kind": "ask_human", "ts": end or start, "actor": "agent"})
    if finish:
        over = (stopped or end) if finish == "cancel" else (end or stopped)
        steps.append(_end(finish, over or start or asked))
    times = [asked, start if begun else None, stopped, end if finish else None]
    return agent, task, steps, times


def _end(kind: str, at: int | None) -> Row:
    method = "self_report" if kind == "submit" else None
    return {"kind": kind, "ts": at, "actor": "agent", "method": method}


def _stamp(value: Any) -> int | None:
    """Microseconds of builtin_interfaces/Time; zero is no time."""
    if not isinstance(value, Mapping):
        return None
    seconds, nanos = whole(value.get("sec")), whole(value.get("nanosec", value.get("nsec", 0)))
    at = None if seconds is None else seconds * 1_000_000 + (nanos or 0) // 1000
    return at or None


def _millis(said: Mapping[str, Any], key: str) -> int | None:
    value = whole(said.get(key))
    return value * 1000 if value else None
