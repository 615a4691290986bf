"""floor → plant, oversee: tasks attempted, finished and failed; robots and their hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.tables import Array, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Done(Table):
    """Tasks by kind: opening + admitted = attempted + closing; attempted = finished + failed."""

    KEYS: ClassVar = ("month", "kind")

    opening: Array = column("task", "work left over from last month")
    admitted: Array = column("task", "tasks admitted and served with their tokens")
    attempted: Array = column("task", "tasks worked on to an end")
    finished: Array = column("task", "tasks that passed the verifier")
    failed: Array = column("task", "tasks given up")
    closing: Array = column("task", "work left for next month")
    agent_s: Array = column("s", "time that agents were at work")


@dataclass(frozen=True, repr=False, eq=False)
class Robots(Table):
    """Robots by embodied kind: owned hours = working + charging + idle + broken."""

    KEYS: ClassVar = ("month", "kind")

    owned: Array = column("robot", "robots owned at the end of the month")
    bought: Array = column("robot", "robots bought this month")
    purchase_usd: Array = column("USD", "paid for them")
    owned_h: Array = column("h", "robot-hours in the month")
    working_h: Array = column("h", "hours at work")
    charging_h: Array = column("h", "hours on the charger")
    idle_h: Array = column("h", "hours waiting for work")
    broken_h: Array = column("h", "hours under repair")
    energy_j: Array = column("J", "energy drawn, charger losses included")
    intervention_min: Array = column("min", "operator minutes spent on interventions")
