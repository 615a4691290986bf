"""agents → allocation: the work that is wanted, the agents for it, and what each task takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.contracts.reasons import reason
from lineshaft.tables import Array, Codes, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Fielded(Table):
    """Demand, agents and wants per task by kind.

    A kind of class `tokens` is a direct sale of tokens: its task is one request, it has no agents
    and wants no human.
    """

    KEYS: ClassVar = ("month", "kind")

    market_tasks: Array = column("task", "tasks in the market that agents could do")
    demand_tasks: Array = column("task", "tasks demanded, rework of last month included")
    price_usd: Array = column("USD/task", "price of an accepted task")
    success: Array = column("1", "share of tasks that pass the verifier within the attempts")
    correct: Array = column("1", "share of the passed tasks that are right")
    attempts: Array = column("1", "mean attempts per task")
    token_attempts: Array = column("1", "mean attempts, tasks weighted by their tokens")
    input_tokens: Array = column("token/task", "prompt tokens to compute, all attempts")
    cached_tokens: Array = column("token/task", "prompt tokens from the prefix cache")
    output_tokens: Array = column("token/task", "output tokens")
    review_min: Array = column("min/task", "reviewer minutes that a finished task wants")
    intervention_min: Array = column("min/task", "operator minutes while the task runs")
    robot_s: Array = column("s/task", "robot seconds, all attempts")
    wall_s: Array = column("s/task", "agent's time from start to end, all attempts")
    seats: Array = column("agent", "agents that are paid for")
    needed: Array = column("agent", "agents that the demand would keep at work")
    fielded: Array = column("agent", "agents fielded: min(needed, seats, robots)")
    possible_tasks: Array = column("task", "tasks that the fielded agents have time for")
    binding: Codes = reason("why demand is no larger: `capability` or `demand`")
