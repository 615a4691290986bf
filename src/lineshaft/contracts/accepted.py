"""oversee → value: what humans accepted, and how many agents did accepted work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.tables import Array, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Accepted(Table):
    """Tasks by kind: opening + finished = accepted + rejected + expired + closing."""

    KEYS: ClassVar = ("month", "kind")

    opening_review: Array = column("task", "finished tasks that wait for review, at the start")
    finished: Array = column("task", "tasks finished this month")
    reviewed: Array = column("task", "tasks that a human reviewed")
    accepted: Array = column("task", "tasks accepted, with or without review")
    rejected: Array = column("task", "tasks that a reviewer rejected")
    expired: Array = column("task", "tasks that waited too long for review")
    closing_review: Array = column("task", "finished tasks that wait for review, at the end")
    escaped: Array = column("task", "of `accepted`: wrong and not detected")
    rework: Array = column("task", "rejected tasks that come back next month")
    review_min: Array = column("min", "reviewer minutes spent")
    rework_min: Array = column("min", "reviewer minutes spent on sending work back")
    wait_s: Array = column("s", "mean wait for a reviewer")
    daa_a: Array = column("agent", "daily active agents, accepted by a human or a verifier")
    daa_b: Array = column("agent", "the same, implicit acceptance and LLM judges included")
    accepted_per_daa: Array = column("task/agent/day", "accepted tasks per daily active agent (B)")


@dataclass(frozen=True, repr=False, eq=False)
class People(Table):
    """Human minutes by role: available = intervention + review + rework + idle."""

    KEYS: ClassVar = ("month", "role")

    headcount: Array = column("person", "people employed in the role")
    available_min: Array = column("min", "minutes on duty and free for the work")
    intervention_min: Array = column("min", "spent on interventions")
    review_min: Array = column("min", "spent on review")
    rework_min: Array = column("min", "spent on sending work back")
    idle_min: Array = column("min", "left over")
    wage_usd: Array = column("USD", "paid, on-costs included")
