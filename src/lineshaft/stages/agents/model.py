"""The monthly half of `agents`: work that is wanted, agents for it, what each task takes.

Demand follows market, adoption and price; success and attempts follow the horizon of the best
model; agents follow from Little's law: as many as the demand keeps at work, within seats and
robots. Robots are bought with what construction and accelerators leave of the month's money.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import AgentsCurve, Several
from lineshaft.contracts.done import Robots
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.funded import Funded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.trained import Library
from lineshaft.errors import InputError, Problem
from lineshaft.tables import Array, Dims, param


@dataclass(frozen=True, slots=True)
class Params:
    """What `agents` needs besides its curve."""

    kind_model: NDArray[np.int64]
    """[kind] index of the model that the kind thinks with."""
    embodied: NDArray[np.bool_]
    """[kind] whether its agents are robots."""
    sells_tokens: NDArray[np.bool_]
    """[kind] whether the kind is a direct sale of tokens, without agents."""
    market_tasks: Array = param("task", "tasks in the market", ("month", "kind"))
    adoption: Array = param("1", "share of the market that asks for agents", ("month", "kind"))
    price_usd: Array = param("USD/task", "price of an accepted task", ("month", "kind"))
    task_s: Array = param("s", "median time that a human takes for the task", ("kind",))
    deployment: Array = param("1", "horizon in this work over that of the benchmark", ("kind",))
    least_success: Array = param("1", "success below which nobody buys", ("kind",))
    input_tokens: Array = param("token", "prompt tokens computed per attempt", ("kind",))
    cached_tokens: Array = param("token", "prompt tokens from cache per attempt", ("kind",))
    output_tokens: Array = param("token", "output tokens per attempt", ("kind",))
    calls: Array = param("1", "model calls per attempt", ("kind",))
    tool_s: Array = param("s", "time in tools per attempt", ("kind",))
    review_min: Array = param("min", "reviewer minutes for a finished task", ("kind",))
    steer_min: Array = param("min", "operator minutes per task besides interventions", ("kind",))
    robot_attempts: Array = param("1", "physical attempts per task", ("kind",))
    robot_success: Array = param("1", "tasks that the robot finishes within them", ("kind",))
    robot_s: Array = param("s", "robot seconds per attempt", ("kind",))
    intervention_min: Array = param("min", "operator minutes per physical attempt", ("kind",))
    duty: Array = param("1", "share of the month in which an agent can work", ("kind",))
    peak_over_mean: Array = param("1", "busiest hour over mean of the hours on duty", ("kind",))
    seats: Array = param("agent", "agents that are paid for", ("month", "kind"))
    robots: Array = param("robot", "robots that the plan has on site", ("month", "kind"))
    robot_orders: Array = param("robot", "bought by plan, replacements too", ("month", "kind"))
    robot_usd: Array = param("USD", "price of a robot", ("month", "kind"))
    robots_up: Array = param("1", "share of the robots that are not broken", ("kind",))


class Agents:
    """Fields agents for the demand."""

    def __init__(
        self,
        params: Params,
        dims: Dims,
        calendar: Calendar,
        curve: AgentsCurve | Several[AgentsCurve],
    ) -> None:
        """Several curves have the same margins."""
        several = Several.these(curve)
        margin = several.curves[0].log2_margin
        if not np.allclose(np.diff(margin, 2), 0.0, atol=1e-9):
            raise InputError(
                Problem("", "agents.log2_margin", "the curve's grid is uneven", "even steps")
            )
        self.params = params
        self.demand = params.market_tasks * params.adoption
        kinds = dims.size("kind")
        # [curve * kind * x, 4] values, and their rise to the next x
        table = np.concatenate(
            [
                np.stack((c.success, c.correct, c.attempts, c.token_attempts), axis=2)
                for c in several.curves
            ]
        )
        self.table = table.reshape(-1, 4)
        self.rise = np.diff(table, axis=1, append=table[:, -1:]).reshape(-1, 4)
        self.row = (np.arange(kinds)[:, None] + kinds * several.of) * len(margin)
        self.first = float(margin[0])
        self.step = float(margin[1] - margin[0])
        self.last = len(margin) - 2
        self.log2_task = np.log2(params.task_s / params.deployment)
        self.physical_s = params.robot_s * params.robot_attempts
        self.human_min = params.steer_min + params.intervention_min * params.robot_attempts
        self.tokens = params.sells_tokens[:, None]
        self.robotic = params.embodied[:, None]
        self.any_robot = bool(params.embodied.any())
        # agent-seconds that one agent offers at the mean of a month sized on its busiest hour
        self.offer_s = params.duty * calendar.seconds[:, None, None] / params.peak_over_mean
        self.seats = np.where(self.robotic, np.inf, params.seats)
        # robots that the plan retires: what it buys beyond what it adds
        self.worn = np.zeros_like(params.robot_orders + params.robots)
        added = np.diff(params.robots, axis=0)
        self.worn[1:] = np.maximum(params.robot_orders[1:] - added, 0.0)

    def open(self, ledger: Ledger, fielded: Fielded) -> None:
        """Robots of the first day, and the columns that follow from the plan alone."""
        p = self.params
        fielded.market_tasks[:] = p.market_tasks
        fielded.price_usd[:] = p.price_usd
        fielded.review_min[:] = p.review_min
        fielded.intervention_min[:] = self.human_min
        fielded.robot_s[:] = self.physical_s
        fielded.seats[:] = np.where(self.robotic, 0.0, p.seats)
        if self.any_robot:
            start = p.robots[0] - p.robot_orders[0]
            ledger.robots += np.maximum(start, 0.0)

    def advance(
        self,
        t: int,
        ledger: Ledger,
        funded: Funded,
        energised: Energised,
        accelerators: Accelerators,
        library: Library,
        robots: Robots,
        fielded: Fielded,
    ) -> None:
        """Month `t`: demand, wants per task, agents."""
        p = self.params
        if self.any_robot:
            self._buy(t, ledger, funded, energised, accelerators, robots)
        at = (np.log2(library.horizon_s[t]) - self.log2_task - self.first) / self.step
        at = np.minimum(np.maximum(at, 0.0), self.last + 0.999_999)
        low = at.astype(np.int64)
        part = (at - low)[..., None]
        low += self.row
        curve = self.table[low] + part * self.rise[low]
        success = np.where(self.tokens, 1.0, curve[..., 0] * p.robot_success)
        correct = np.where(self.tokens, 1.0, curve[..., 1])
        attempts = np.where(self.tokens, 1.0, curve[..., 2])
        by_token = np.where(self.tokens, 1.0, curve[..., 3])
        sold = success >= p.least_success
        demand = self.demand[t] * sold + ledger.rework
        think = (
            p.calls * ledger.ttft_s[p.kind_model] + p.output_tokens * ledger.tpot_s[p.kind_model]
        )
        alone = by_token * think + attempts * p.tool_s
        wall = np.where(self.tokens, 0.0, alone + self.physical_s)
        offer = self.offer_s[t]
        needed = (demand + ledger.work) * wall / offer
        bound = np.where(self.robotic, ledger.robots * p.robots_up, self.seats[t])
        agents = np.minimum(needed, bound)
        possible = np.divide(agents * offer, wall, out=np.zeros_like(agents), where=wall > 0)
        possible = np.where(needed <= bound, demand + ledger.work, possible)
        fielded.demand_tasks[t] = demand
        fielded.success[t], fielded.correct[t], fielded.attempts[t] = success, correct, attempts
        fielded.token_attempts[t] = by_token
        fielded.input_tokens[t] = p.input_tokens * by_token
        fielded.cached_tokens[t] = p.cached_tokens * by_token
        fielded.output_tokens[t] = p.output_tokens * by_token
        fielded.wall_s[t] = wall
        fielded.needed[t], fielded.fielded[t] = needed, agents
        fielded.possible_tasks[t] = possible
        fielded.binding[t] = np.where(sold, CODE["demand"], CODE["capability"])

    def _buy(
        self,
        t: int,
        ledger: Ledger,
        funded: Funded,
        energised: Energised,
        accelerators: Accelerators,
        robots: Robots,
    ) -> None:
        p = self.params
        spent = energised.construction_usd[t].sum(axis=0) + accelerators.purchase_usd[t].sum(axis=0)
        money = np.maximum(funded.spendable_usd[t] - spent, 0.0)
        # what is owned wears out by plan; what the plan lacks is wanted again next month
        kept = np.maximum(ledger.robots - self.worn[t], 0.0)
        want = np.maximum(p.robots[t] - kept, 0.0)
        due = want * p.robot_usd[t]
        paid = np.minimum(np.maximum(money - (np.cumsum(due, axis=0) - due), 0.0), due)
        share = np.divide(paid, due, out=np.ones_like(due), where=due > 0)
        ledger.robots = kept + share * want
        robots.owned[t] = ledger.robots
        robots.bought[t] = share * want
        robots.purchase_usd[t] = paid


FORMULAS: dict[str, str] = {
    "fielded.market_tasks": "agents.market_tasks",
    "fielded.demand_tasks": (
        "where(success >= agents.least_success, agents.market_tasks * agents.adoption, 0)"
        " + lag(accepted.rework)"
    ),
    "fielded.price_usd": "agents.price_usd",
    "fielded.success": (
        "curve(agents.success, library.horizon_s, agents.task_s, agents.deployment,"
        " agents.robot_success)"
    ),
    "fielded.correct": (
        "curve(agents.correct, library.horizon_s, agents.task_s, agents.deployment)"
    ),
    "fielded.attempts": (
        "curve(agents.attempts, library.horizon_s, agents.task_s, agents.deployment)"
    ),
    "fielded.token_attempts": (
        "curve(agents.token_attempts, library.horizon_s, agents.task_s, agents.deployment)"
    ),
    "fielded.input_tokens": "agents.input_tokens * token_attempts",
    "fielded.cached_tokens": "agents.cached_tokens * token_attempts",
    "fielded.output_tokens": "agents.output_tokens * token_attempts",
    "fielded.review_min": "agents.review_min",
    "fielded.intervention_min": (
        "agents.steer_min + agents.intervention_min * agents.robot_attempts"
    ),
    "fielded.robot_s": "agents.robot_s * agents.robot_attempts",
    "fielded.wall_s": (
        "engine(agents.wall, attempts, token_attempts, robot_s, agents.tool_s,"
        " agents.calls, agents.output_tokens, served.ttft_s, served.tpot_s)"
    ),
    "fielded.seats": "engine(agents.software_seats, agents.seats)",
    "fielded.needed": (
        "(demand_tasks + lag(done.closing)) * wall_s * agents.peak_over_mean"
        " / (agents.duty * calendar.seconds)"
    ),
    "fielded.fielded": "engine(agents.field, needed, seats, robots.owned, agents.robots_up)",
    "fielded.possible_tasks": (
        "engine(agents.little, fielded, demand_tasks, wall_s, agents.duty, agents.peak_over_mean)"
    ),
    "fielded.binding": "engine(agents.binding, success, agents.least_success)",
    "robots.owned": "engine(agents.buy, agents.robots, agents.robot_orders, bought)",
    "robots.bought": (
        "engine(agents.buy, agents.robots, agents.robot_orders, agents.robot_usd,"
        " funded.spendable_usd)"
    ),
    "robots.purchase_usd": "bought * agents.robot_usd",
}
