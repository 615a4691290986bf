"""VDA 5050: mobile robots and their fleet control, versions 2.0, 2.1 and 3.0.

https://github.com/VDA5050/VDA5050 (VDA5050_EN.md, json_schemas). Messages come one by one from a
broker, or as a recorder wrote them: JSON lines of topic, time and payload (`mosquitto_sub -F %j`
has the names `tst`, `topic`, `payload`), or bare payloads.

A state message says where a robot is in its order, not that the order began or ended: `Tracker`
follows each robot and tells what changed. The agent is manufacturer/serialNumber. An order is the
task, and is done when no node, no edge and no action of it is left: the robot's own report, not yet
an acceptance, which only whoever ordered can confirm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.meter.adapters import text
from lineshaft.meter.adapters.lines import keep
from lineshaft.meter.adapters.rows import BATCH, encode, from_dicts, taken, time_us, whole
from lineshaft.meter.adapters.rows import text as word
from lineshaft.meter.events import Faults

if TYPE_CHECKING:
    import pyarrow as pa

VERSIONS = ("2.0", "2.1", "3.0")

MANNED = ("MANUAL", "SEMIAUTOMATIC", "INTERVENED")
"""Operating modes in which a human drives or watches (INTERVENED: 3.0). SERVICE and TEACHIN are
upkeep of the robot, not oversight of its work."""
LONGEST_GAP_US = 60_000_000
"""A robot reports at least every 30 s; time between two reports counts as human up to twice that.
A robot that is off in manual mode occupies nobody."""
ENDED = ("FINISHED", "FAILED")
BROKEN = ("CRITICAL",)
"""Error levels (3.0) at which the robot cannot go on with its order."""
CALLS = ("FATAL",)
"""Error levels at which a human must come."""
REFUSALS = ("validationError", "orderError", "noRouteError")
"""Error types by which a robot refuses an order, which an error reference names."""

Row = dict[str, Any]


class Tracker:
    """Follows robots message by message, and tells the events that follow.

    `state` is plain data from which a tracker can be made again, so that messages of one order may
    come in several sittings. The events of a message depend on nothing but the messages before it
    of the same robot, and their ids on nothing but what they say: reading again repeats them.
    """

    def __init__(self, tenant: str = "", state: Mapping[str, Any] | None = None) -> None:
        self.tenant = tenant or None
        self._robots: dict[str, dict[str, Any]] = {}
        for agent, robot in (state or {}).items():
            self._robots[agent] = json.loads(encode(robot))

    def state(self) -> dict[str, Any]:
        """What is known of every robot, as plain data (JSON can hold it)."""
        return json.loads(encode(self._robots))  # type: ignore[no-any-return]

    def feed(
        self,
        topic: str,
        payload: bytes | str | Mapping[str, Any],
        received_us: int | None = None,
        *,
        record: Any = None,
        form: str = "line",
    ) -> list[Row]:
        """Events (columns of the event table) of one message; the first keeps the message.

        record: the message as it was recorded; without it one of topic, time and payload is made.
        ValueError where the payload is no JSON object or names no robot.
        """
        try:
            said = json.loads(payload) if isinstance(payload, bytes | str) else payload
        except RecursionError:
            raise ValueError("the payload is nested too deeply") from None
        if not isinstance(said, Mapping):
            raise ValueError("the payload is no object")
        kind, maker, serial = _topic(topic, said)
        if not maker or not serial:
            raise ValueError("neither topic nor payload names a robot")
        agent = f"{maker}/{serial}"
        if record is None:
            record = {"topic": topic, "time": received_us, "payload": said}
        at = time_us(said.get("timestamp"))
        number = whole(said.get("headerId"))
        message = f"{agent}:{kind}:{number}:{at}"
        base = {
            "tenant": self.tenant, "agent_id": agent, "agent_kind": "embodied", "src": "vda5050",
            "ingest_ts": received_us,
        }  # fmt: skip
        first = {
            **base, "event_id": message, "ts": at if at is not None else received_us,
            "kind": "heartbeat", "attrs": keep(record, form),
        }  # fmt: skip
        robot = self._robots.setdefault(agent, {"heads": {}, "actions": {}})
        if at is None or not _newer(robot["heads"], kind, number, at):
            return [first]
        told: list[Row] = []
        if kind == "state":
            told = list(_of_state(robot, agent, said, at))
        elif kind == "order":
            told = list(_of_order(robot, agent, said))
        elif kind == "connection":
            told = list(_of_connection(robot, agent, said))
        for row in told:
            attrs = {"of": message, **row.pop("more", {})}
            row.update(base, ts=row.get("ts", at), attrs=encode(attrs))
        return [first, *told]

    def close(self) -> list[Row]:
        """Human time that is still running at the end of a recording."""
        rows = []
        for agent, robot in self._robots.items():
            for row in _unmanned(robot, agent):
                row.update(
                    tenant=self.tenant, agent_id=agent, agent_kind="embodied", src="vda5050",
                    ts=robot["at"], attrs=encode({"of": f"{agent}:end", **row.pop("more", {})}),
                )  # fmt: skip
                rows.append(row)
        return rows


def read(
    data: Path | bytes, *, tenant: str = "", ingest_us: int | None = None
) -> Iterator[tuple[pa.Table, Faults]]:
    """Event tables of recorded messages."""
    faults, tracker, rows, told = Faults(), Tracker(tenant), list[Row](), False
    for record, form in text.records(data, faults):
        try:
            rows += _recorded(tracker, record, form, ingest_us)
        except ValueError:  # no message of a robot: kept, without a time
            rows.append({"kind": "heartbeat", "src": "vda5050", "attrs": keep(record, form)})
        if len(rows) >= BATCH:
            yield from_dicts(rows), taken(faults)
            rows, told = [], True
    rows += tracker.close()
    if rows or faults.counts or not told:
        yield from_dicts(rows), taken(faults)


def _recorded(tracker: Tracker, record: Any, form: str, ingest_us: int | None) -> list[Row]:
    if not isinstance(record, Mapping):
        raise ValueError("no object")
    if "payload" not in record:
        return tracker.feed("", record, ingest_us, record=record, form=form)
    at = record.get("time", record.get("tst"))
    received = at if isinstance(at, int) else time_us(_colon(at))
    topic = record.get("topic")
    return tracker.feed(
        topic if isinstance(topic, str) else "",
        record["payload"],
        received if received is not None else ingest_us,
        record=record,
        form=form,
    )


def _colon(at: Any) -> Any:
    """mosquitto_sub writes zones as +0100."""
    if isinstance(at, str) and len(at) > 5 and at[-5] in "+-" and at[-4:].isdigit():
        return f"{at[:-2]}:{at[-2:]}"
    return at


def _topic(topic: str, said: Mapping[str, Any]) -> tuple[str, str, str]:
    """(kind of message, manufacturer, serial number): interface/v2/manufacturer/serial/kind."""
    parts = topic.split("/")
    maker, serial = word(said.get("manufacturer")) or "", word(said.get("serialNumber")) or ""
    if len(parts) >= 4 and not (maker and serial):
        maker, serial = maker or parts[-3], serial or parts[-2]
    if len(parts) >= 4:
        return parts[-1], maker, serial
    if "nodeStates" in said:
        return "state", maker, serial
    if "connectionState" in said:
        return "connection", maker, serial
    return ("order" if "nodes" in said and "orderId" in said else "other"), maker, serial


def _newer(heads: dict[str, Any], kind: str, number: int | None, at: int) -> bool:
    """Whether a message is newer than all of its kind before; a robot that restarts counts anew.

    Messages may come twice and out of order (QoS 0): those change nothing.
    """
    last = heads.get(kind)
    if last is not None:
        before, then = last
        if number is None or before is None:
            if at <= then:
                return False
        elif number <= before and at <= then:
            return False
    heads[kind] = [number, at]
    return True


# --- what a message changes -----------------------------------------------------------------


def _of_order(robot: dict[str, Any], agent: str, said: Mapping[str, Any]) -> Iterator[Row]:
    """An order of fleet control: its first message assigns, later ones extend it."""
    order = word(said.get("orderId"))
    if not order:
        return
    update = whole(said.get("orderUpdateId")) or 0
    actions = [
        str(action["actionId"])
        for part in ("nodes", "edges")
        for step in _objects(said, part)
        for action in _objects(step, "actions")
        if action.get("actionId")
    ]
    known = robot["actions"].get(order, []) if update else []
    # of earlier orders only the one that the robot is at
    kept = {key: ids for key, ids in robot["actions"].items() if key == robot.get("order")}
    robot["actions"] = {**kept, order: sorted({*known, *actions})}
    if not update:
        yield {"event_id": f"{agent}:{order}:assign", "kind": "assign", "task_id": order}


def _of_state(robot: dict[str, Any], agent: str, said: Mapping[str, Any], at: int) -> Iterator[Row]:
    order = word(said.get("orderId"))
    update = whole(said.get("orderUpdateId")) or 0
    steps = [*_objects(said, "nodeStates"), *_objects(said, "edgeStates")]
    states = {
        str(action["actionId"]): action
        for action in _objects(said, "actionStates")
        if action.get("actionId")
    }
    mine = robot["actions"].get(order)
    listed = states if mine is None else {key: states[key] for key in mine if key in states}
    ended = not steps and all(a.get("actionStatus") in ENDED for a in listed.values())
    first = robot.get("at") is None
    held = robot.get("manned")
    if held and not first:
        held["us"] += max(0, min(at - robot["at"], LONGEST_GAP_US))
    if robot.get("order") != order:
        # an order that is over when the robot is first seen began before: it is not told again
        begins = bool(order) and not (ended and first)
        robot.update(order=order, open=begins, closed=-1 if begins else update)
        robot.update(raised=[], drive=None)
        yield from _split(robot, agent, at)
        if begins:
            yield _row(agent, order, "start", f"{agent}:{order}:start")
    elif order and not robot["open"] and update > robot["closed"] and not ended:
        robot["open"] = True  # extended after it was done
    robot["update"] = update
    yield from _manned(robot, agent, said, at)
    yield from _power(robot, agent, said, at)
    if order and robot["open"]:
        yield from _progress(robot, agent, order, said, states, at)
        yield from _errors(robot, agent, order, said, at)
    yield from _refused(robot, agent, said, order)
    cancels = [
        action
        for action in (*states.values(), *_objects(said, "instantActionStates"))
        if action.get("actionType") == "cancelOrder"
    ]
    over = [a.get("actionId") for a in cancels if a.get("actionStatus") == "FINISHED"]
    if order and robot["open"]:
        # a cancellation stays in the state after its order is gone: only a new one counts
        cancelled = not first and any(ident not in robot.get("cancels", []) for ident in over)
        waits = any(a.get("actionStatus") not in ENDED for a in cancels)
        yield from _end(robot, agent, order, said, listed, at, cancelled, ended and not waits)
    done = [key for key, action in states.items() if action.get("actionStatus") == "FINISHED"]
    robot.update(at=at, cancels=over, done=done)


def _row(agent: str, order: str | None, kind: str, ident: str, **more: Any) -> Row:
    return {"event_id": ident, "kind": kind, "task_id": order, "actor": "agent", **more}


def _objects(said: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    items = said.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _progress(
    robot: dict[str, Any],
    agent: str,
    order: str,
    said: Mapping[str, Any],
    states: Mapping[str, Mapping[str, Any]],
    at: int,
) -> Iterator[Row]:
    """Actions that finished, and stretches that were driven."""
    for key, action in states.items():
        fresh = key not in robot.get("done", []) and action.get("actionType") != "cancelOrder"
        if action.get("actionStatus") == "FINISHED" and fresh:
            more = {"action": action.get("actionType"), "action_id": key}
            yield _row(agent, order, "act", f"{agent}:{order}:act:{key}", more=more)
    driving = said.get("driving") is True
    if driving and robot["drive"] is None:
        robot["drive"] = at
    elif not driving and robot["drive"] is not None:
        yield _drive(robot, agent, order, at)


def _errors(
    robot: dict[str, Any], agent: str, order: str, said: Mapping[str, Any], at: int
) -> Iterator[Row]:
    """Errors for which a human must come, once while they last."""
    now = []
    for error in _objects(said, "errors"):
        if error.get("errorLevel") in CALLS:
            name = str(error.get("errorType"))
            now.append(name)
            if name not in robot["raised"]:
                ident = f"{agent}:{order}:error:{name}:{at}"
                yield _row(agent, order, "ask_human", ident, more={"error": name})
    robot["raised"] = now


def _refused(
    robot: dict[str, Any], agent: str, said: Mapping[str, Any], current: str | None
) -> Iterator[Row]:
    """Orders that the robot refuses. It says so for a while: the event is the same."""
    now = []
    for error in _objects(said, "errors"):
        if error.get("errorType") not in REFUSALS:
            continue
        for reference in _objects(error, "errorReferences"):
            order = word(reference.get("referenceValue"))
            if reference.get("referenceKey") != "orderId" or not order or order == current:
                continue
            now.append(order)
            if order not in robot.get("refused", []):
                more = {"error": error["errorType"]}
                yield _row(agent, order, "fail", f"{agent}:{order}:refused", more=more)
    robot["refused"] = now


def _end(
    robot: dict[str, Any],
    agent: str,
    order: str,
    said: Mapping[str, Any],
    listed: Mapping[str, Mapping[str, Any]],
    at: int,
    cancelled: bool,
    ended: bool,
) -> Iterator[Row]:
    """The end of an order: cancelled, failed, or done."""
    broken = [error for error in _objects(said, "errors") if error.get("errorLevel") in BROKEN]
    if not (ended or cancelled or broken):
        return
    robot.update(open=False, closed=robot["update"])
    yield from _split(robot, agent, at)  # a touch of this order comes before its end
    if robot["drive"] is not None:
        yield _drive(robot, agent, order, at)
    failed = [action for action in listed.values() if action.get("actionStatus") == "FAILED"]
    ident = f"{agent}:{order}:{robot['update']}"
    if cancelled:
        yield _row(agent, order, "cancel", f"{ident}:cancel")
    elif broken:
        more = {"error": broken[0].get("errorType")}
        yield _row(agent, order, "fail", f"{ident}:fail", more=more)
    elif failed:
        more = {"action": failed[0].get("actionType"), "action_id": failed[0].get("actionId")}
        yield _row(agent, order, "fail", f"{ident}:fail", more=more)
    else:
        yield _row(agent, order, "submit", f"{ident}:submit", method="self_report")


def _drive(robot: dict[str, Any], agent: str, order: str, at: int) -> Row:
    """The stretch that ends now."""
    since, robot["drive"] = robot["drive"], None
    more = {"driving_s": (at - since) / 1e6}
    return _row(agent, order, "act", f"{agent}:{order}:drive:{since}", more=more)


def _manned(robot: dict[str, Any], agent: str, said: Mapping[str, Any], at: int) -> Iterator[Row]:
    """Time in the modes of `MANNED`: one touch when the mode ends, with the seconds it took."""
    mode = word(said.get("operatingMode"))
    held = robot.get("manned")
    if held and mode == held["mode"]:
        return
    yield from _unmanned(robot, agent)
    if mode in MANNED:
        _man(robot, mode, at)


def _man(robot: dict[str, Any], mode: str | None, at: int) -> None:
    order = robot["order"] if robot["open"] else None
    robot["manned"] = {"mode": mode, "from": at, "us": 0, "order": order}


def _split(robot: dict[str, Any], agent: str, at: int) -> Iterator[Row]:
    """An order begins or ends while a human is at it: the time before belongs to what was."""
    if held := robot.get("manned"):
        yield from _unmanned(robot, agent)
        _man(robot, held["mode"], at)


def _unmanned(robot: dict[str, Any], agent: str) -> Iterator[Row]:
    """The touch of the mode that ends now."""
    held = robot.pop("manned", None)
    if held and held["us"] > 0:
        yield {
            "event_id": f"{agent}:{held['mode']}:{held['from']}",
            "kind": "human_touch",
            "task_id": held["order"],
            "actor": "human",
            "human_s": held["us"] / 1e6,
            "more": {"mode": held["mode"]},
        }


def _power(robot: dict[str, Any], agent: str, said: Mapping[str, Any], at: int) -> Iterator[Row]:
    """Spells at the charger. They belong to no order; charge is in percent, so no energy follows.

    2.x: batteryState.batteryCharge; 3.0: powerSupply.stateOfCharge.
    """
    supply = said.get("powerSupply", said.get("batteryState"))
    if not isinstance(supply, Mapping):
        return
    charge = supply.get("stateOfCharge", supply.get("batteryCharge"))
    held = robot.get("charge")
    if supply.get("charging") is True:
        if held is None:
            robot["charge"] = {"from": at, "percent": charge}
    elif held is not None:
        robot["charge"] = None
        more = {
            "charging_s": (at - held["from"]) / 1e6,
            "from_percent": held["percent"],
            "to_percent": charge,
        }
        ident = f"{agent}:charge:{held['from']}"
        yield {"event_id": ident, "kind": "heartbeat", "more": more}


def _of_connection(robot: dict[str, Any], agent: str, said: Mapping[str, Any]) -> Iterator[Row]:
    """A robot that goes offline ends what was running."""
    if said.get("connectionState") != "ONLINE":
        yield from _unmanned(robot, agent)
