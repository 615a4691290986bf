"""A log to look at before there is one: made-up work of software agents and of robots.

Nothing in it is measured. It is there so that every part of the report has something to show:
reviews, retries, reverts, agents that come, pause and leave, weekends, tasks that are only
self-reported, gaps in what is stated, a replay, a clock that runs ahead, and a robot whose last
day arrives after that day was closed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lineshaft.meter.events import table

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
LATE = timedelta(days=5)
"""How late the stray day arrives: after the watermark."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Role:
    """What agents of one kind do all day."""

    name: str
    share: float
    """Of the agents."""
    embodied: bool
    tasks: float
    """Mean tasks of a working day."""
    weekend: float
    """Work on Saturdays and Sundays, of that on other days."""
    methods: tuple[tuple[str, float], ...]
    """How its work is accepted, with weights."""
    minutes: float
    """Median human-equivalent minutes of a task; 0: not stated."""
    value_usd: float
    """Mean value of a task; 0: not stated."""
    fails: float
    touched: float
    reverted: float
    model: str


ROLES = (
    Role("coder", 0.35, False, 4.0, 0.25, (("human", 5.0), ("verifier", 3.0), ("self_report", 1.0)),
         45.0, 0.0, 0.22, 0.45, 0.03, "coder-large"),
    Role("support", 0.25, False, 11.0, 0.7, (("implicit", 6.0), ("judge", 3.0), ("human", 1.0)),
         7.0, 0.99, 0.12, 0.08, 0.01, "chat-small"),
    Role("analyst", 0.20, False, 2.0, 0.1, (("self_report", 5.0), ("human", 2.0)),
         90.0, 0.0, 0.15, 0.25, 0.0, "coder-large"),
    Role("robot", 0.20, True, 9.0, 0.8, (("verifier", 1.0),),
         4.0, 1.8, 0.04, 0.03, 0.0, ""),
)  # fmt: skip


def events(agents: int = 40, days: int = 60, seed: int = 1) -> pa.Table:
    """Canonical events of so many agents and days, the same for the same arguments.

    ValueError for fewer than one agent or day.
    """
    if agents < 1 or days < 1:
        raise ValueError("at least one agent and one day")
    draw = random.Random(seed)
    rows: list[Row] = []
    for number in range(agents):
        role = _role(number, agents)
        rows += _life(role, f"{role.name}-{number + 1:02d}", days, draw)
    end = FIRST + timedelta(days=days)
    rows = [row for row in rows if row["ts"] < end]
    _spoil(rows, draw)
    rows.sort(key=lambda row: (row["ingest_ts"], row["event_id"]))
    return table([*rows])


def _role(number: int, agents: int) -> Role:
    place, edge = (number + 0.5) / agents, 0.0
    for role in ROLES:
        edge += role.share
        if place < edge:
            return role
    return ROLES[-1]


def _life(role: Role, agent: str, days: int, draw: random.Random) -> Iterator[Row]:
    """Everything one agent does: it comes, some pause, some leave."""
    first = 0 if draw.random() < 0.3 else int(draw.random() ** 1.3 * days * 0.8)
    last = days if draw.random() < 0.7 else first + int(draw.expovariate(1.0 / 25.0)) + 1
    pause = first + 4 + int(draw.random() * 20)
    paused = range(pause, pause + int(draw.choice((0, 0, 3, 9, 32))))
    busy = draw.lognormvariate(0.0, 0.35)
    for day in range(first, min(last, days)):
        at = FIRST + timedelta(days=day)
        usual = role.tasks * busy * (role.weekend if at.weekday() >= 5 else 1.0)
        if day in paused or draw.random() > 0.35 + 0.6 * min(usual / role.tasks, 1.0):
            continue
        base = {"agent_id": agent, "tenant": "demo", "src": "rmf" if role.embodied else "otlp"}
        base |= {"agent_kind": "embodied" if role.embodied else "software", "actor": "agent"}
        for turn in range(max(1, round(draw.gauss(usual, usual**0.5)))):
            task = f"{agent}/{day:03d}-{turn:02d}"
            start = at + timedelta(hours=7.0 + 12.0 * draw.random())
            yield from _task(role, {**base, "task_id": task}, start, draw)


def _task(role: Role, base: Row, at: datetime, draw: random.Random) -> Iterator[Row]:
    """One task, from its assignment to its end."""
    count = 0
    lag = timedelta(seconds=draw.expovariate(0.2))

    def event(kind: str, **more: Any) -> Row:
        nonlocal count
        count += 1
        one = {**base, "kind": kind, "ts": at, "ingest_ts": at + lag, **more}
        return one | {"event_id": f"{base['task_id']}/{count}"}

    yield event("assign", requester_id="queue", actor="human")
    length = role.minutes * draw.lognormvariate(0.0, 0.8)
    attempts = 1 + (draw.random() < role.fails) + (draw.random() < role.fails)
    for _ in range(attempts):
        yield event("start")
        at += timedelta(minutes=2.0 + draw.expovariate(4.0 / (length + 1.0)))
        if role.embodied:
            yield event("act", energy_j=2.5e4 * draw.lognormvariate(0, 0.3), cost_usd=0.06)
        else:
            prompt = int(9_000 * (1.0 + length / 10.0) * draw.lognormvariate(0.0, 0.5))
            answer = int(prompt * 0.04) + 50
            used = {"tokens_in": prompt, "tokens_out": answer, "tokens_cached": int(prompt * 0.7)}
            yield event("llm", model=role.model, cost_usd=1.2e-6 * prompt + 1e-5 * answer, **used)
        if draw.random() < role.touched:
            seconds = draw.lognormvariate(4.6, 0.7)
            yield event("human_touch", actor="human", human_s=seconds)
    at += timedelta(minutes=1)
    method = draw.choices(*zip(*role.methods, strict=True))[0]
    yield event("submit", method="self_report" if method == "self_report" else None)
    if draw.random() < role.fails * 0.5:
        at += timedelta(minutes=5)
        yield event("fail")
        return
    stated: Row = {"human_equiv_min": length} if role.minutes and draw.random() < 0.85 else {}
    if role.value_usd:
        stated["value_usd"] = role.value_usd * draw.lognormvariate(0.0, 0.4)
    if method == "self_report":
        at += timedelta(minutes=1)
        yield event("tool", **stated)
        return
    wait = {"human": 180.0, "verifier": 4.0, "implicit": 1440.0, "judge": 3.0}[method]
    at += timedelta(minutes=wait * (0.3 + draw.random()))
    who: Row = {"actor": "human" if method == "human" else "verifier"}
    if method == "human":
        who |= {"reviewer_id": f"reviewer-{draw.randint(1, 6)}", "human_s": length * 4.0}
        if draw.random() < 0.1:
            yield event("reject", **who)
            at += timedelta(minutes=30)
    yield event("accept", method=method, **who, **stated)
    if draw.random() < role.reverted:
        at += timedelta(days=1.0 + 8.0 * draw.random())
        yield event("revert", actor="human")


def _spoil(rows: list[Row], draw: random.Random) -> None:
    """What goes wrong with real logs, in place."""
    robots = sorted({row["agent_id"] for row in rows if row["agent_kind"] == "embodied"})
    for robot in robots[:1]:  # its last day but some arrives late, if the log is long enough
        own = sorted({row["ts"].date() for row in rows if row["agent_id"] == robot})
        for row in rows:
            if len(own) > 12 and row["agent_id"] == robot and row["ts"].date() == own[-12]:
                row["ingest_ts"] = row["ts"] + LATE
    rows += [dict(row) for row in draw.sample(rows, min(5, len(rows)))]
    for row in draw.sample(rows, min(3, len(rows))):
        row["ingest_ts"] = row["ts"] - timedelta(seconds=40)
