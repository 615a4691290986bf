"""Meter: the conformance suite of DAA/1, and exactness against the reference program."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from lineshaft.meter import conform
from lineshaft.meter.conform import plain
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import KINDS, METHODS


def conformance(*, case: int) -> float:
    """Share of a case's checks that the meter answers as computed by hand."""
    mine = [result.passed for result in _results() if result.check.case == case]
    return sum(mine) / len(mine)


def figures_off(*, tasks: int, seed: int, zone: str = "UTC", implied_after_h: float = 0.0) -> float:
    """Figures of a generated log in which the meter and the reference program differ.

    Every daily figure of all grades, restatements and counts of faults, on a log with replays,
    reviews, work done again, reverts, sub-tasks, delegations and late events. An
    `implied_after_h` of 0 is none.
    """
    events = _log(tasks, seed)
    definition = Definition(zone=zone, implied_after_h=implied_after_h or None)
    plainly = {k: v for k, v in definition.to_dict().items() if k not in ("standard", "hash")}
    expected = plain.figures(events, dict(plainly))
    given = conform.own(events, dict(plainly))
    return float(len(conform.differences(expected, given)))


@cache
def _results() -> tuple[conform.Result, ...]:
    return conform.run()


def _log(tasks: int, seed: int) -> list[dict[str, Any]]:
    """Tasks of a few agents over two months, each a short story."""
    pick = random.Random(seed)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    rows: list[dict[str, Any]] = []
    for number in range(tasks):
        when = start + timedelta(minutes=pick.randrange(60 * 24 * 60))
        agent, task = f"agent-{pick.randrange(12)}", f"task-{number}"
        tenant = pick.choice(("north", "south"))
        story = ["assign", *pick.choices(("llm", "tool", "human_touch"), k=pick.randrange(4))]
        story += ["submit", "accept"]
        story += pick.choice(([], [], [], ["revert"], ["reject", "submit", "accept"]))
        for kind in story:
            when += timedelta(hours=pick.choice((0, 1, 5, 20)))
            late = timedelta(hours=pick.choice((0, 0, 0, 0, 0, 1, 100, 400)))
            row = {
                "event_id": f"{len(rows)}", "ts": when.isoformat(),
                "ingest_ts": (when + late).isoformat(), "tenant": tenant, "agent_id": agent,
                "task_id": task, "kind": kind,
                "root_task_id": f"task-{number - 1}" if number % 7 == 6 else None,
                "method": pick.choice(METHODS) if kind == "accept" else None,
                "requester_id": f"agent-{pick.randrange(12)}" if pick.random() < 0.2 else "ann",
                "tokens_in": pick.randrange(9000) if kind == "llm" else None,
                "cost_usd": pick.random() if kind == "llm" else None,
                "human_s": 60.0 if kind == "human_touch" else None,
                "value_usd": pick.choice((None, 0.0, 3.5)) if kind == "submit" else None,
                "human_equiv_min": pick.choice((None, 0.5, 20.0)) if kind == "submit" else None,
            }  # fmt: skip
            rows += [row] * pick.choice((1, 1, 1, 1, 2))
    assert {row["kind"] for row in rows} <= set(KINDS)
    return rows
