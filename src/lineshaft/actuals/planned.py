"""What a run says, in the quantities that a log has: tasks, tokens, minutes by month and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.calendar import Calendar, LoadShape
from lineshaft.errors import InputError, Problem
from lineshaft.parameters import oversee, value
from lineshaft.runs import Run
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.reading import read
from lineshaft.words import suggestion

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Planned:
    """The median case of a run, kinds with agents only. Arrays are [month, kind] totals of the
    month unless said otherwise."""

    months: tuple[str, ...]
    """"YYYY-MM"."""
    days: Array
    """[month] days of the month."""
    kinds: tuple[str, ...]
    embodied: NDArray[np.bool_]
    """[kind]"""
    agents: Array
    """Agents fielded, mean of the month."""
    daa_a: Array
    """Mean of the month's days, as `daa_b`."""
    daa_b: Array
    accepted: Array
    """All accepted tasks; `counted` are those that are eligible."""
    counted: Array
    by_human: Array
    """Of `counted`: accepted by a reviewer."""
    by_verifier: Array
    """Of `counted`: accepted unreviewed, by a hard verifier."""
    attempted: Array
    finished: Array
    failed: Array
    reviewed: Array
    rejected: Array
    rework: Array
    expired: Array
    escaped: Array
    tokens_in: Array
    """Prompt tokens, those from a cache included."""
    tokens_cached: Array
    tokens_out: Array
    review_min: Array
    rework_min: Array
    operator_min: Array
    energy_j: Array
    """Energy of robots."""
    direct_usd: Array
    """Tokens and robots at full cost."""
    human_usd: Array
    escape_usd: Array
    price_usd: Array
    """Per accepted task."""
    human_equiv_min: Array
    """Per accepted task."""
    attempts: Array
    """Per attempted task."""
    wall_s: Array
    """Agent's time per task, from start to end."""
    sigma: Array
    """[kind] standard deviation of ln(length)."""
    touched: Array
    """Share of tasks that an operator touches: all where the plan has steering, else as many as
    there are interventions."""
    hours: Array
    """[kind, 48] demand by hour, 24 of weekdays and 24 of weekends, relative to the mean."""

    @classmethod
    def of(cls, run: Run | Path | str, kinds: Sequence[str] | None = None) -> Planned:
        """What a run says of `kinds`, by default of all that have agents.

        Raises RunError where there is no complete run, InputError where a kind is not in it.
        """
        run = run if isinstance(run, Run) else Run.read(run)
        scenario = read(run.scenario_text, model=Scenario)
        sold = tuple(k.name for k in scenario.agents.kind if not k.sells_tokens)
        wrong = [name for name in kinds or () if name not in sold]
        if wrong or not sold:
            raise InputError(
                Problem("", "kinds", repr(name), ", ".join(sold), suggestion(name, sold))
                for name in wrong or ["the run has no kind of work with agents"]
            )
        names = tuple(name for name in sold if kinds is None or name in kinds)
        at = [run.accepted.dims.index("kind", name) for name in names]
        calendar = Calendar.of(scenario.start, scenario.months)
        medians, dims = Draws(0, {}), run.accepted.dims
        policy = oversee.params(scenario, medians, dims, calendar)
        worth = value.params(scenario, medians, dims, calendar)

        def of(array: Array) -> Array:
            """[month, kind] of a parameter or a column, median case."""
            found = array[..., 0][..., at]
            return np.broadcast_to(found, (len(calendar.days), len(at))).astype(float)

        own = [k for k in scenario.agents.kind if k.name in names]
        each_min = {r.name: r.minutes_per_intervention.median for r in scenario.floor.robots}
        steered = np.array([k.steer_minutes.median > 0 for k in own])
        done, fielded, accepted = run.done, run.fielded, run.accepted
        costs, robots = run.task_costs, run.robots
        attempted, passed = of(done["attempted"]), of(accepted["accepted"])
        judged = of(accepted["reviewed"]) - of(accepted["rejected"])
        eligible = of(policy.eligible)

        minutes = np.array([max(each_min.get(k.name, 1.0), 1e-9) for k in own])
        stops = of(fielded["intervention_min"]) / minutes

        def per_task(name: str) -> Array:
            return np.nan_to_num(of(costs[name])) * passed

        return cls(
            months=calendar.labels,
            days=calendar.days,
            kinds=names,
            embodied=np.array([k.embodied for k in own], bool),
            agents=of(fielded["fielded"]),
            daa_a=of(accepted["daa_a"]),
            daa_b=of(accepted["daa_b"]),
            accepted=passed,
            counted=passed * eligible,
            by_human=judged * eligible,
            by_verifier=(passed - judged) * of(policy.verified) * eligible,
            attempted=attempted,
            finished=of(done["finished"]),
            failed=of(done["failed"]),
            reviewed=of(accepted["reviewed"]),
            rejected=of(accepted["rejected"]),
            rework=of(accepted["rework"]),
            expired=of(accepted["expired"]),
            escaped=of(accepted["escaped"]),
            tokens_in=attempted * (of(fielded["input_tokens"]) + of(fielded["cached_tokens"])),
            tokens_cached=attempted * of(fielded["cached_tokens"]),
            tokens_out=attempted * of(fielded["output_tokens"]),
            review_min=of(accepted["review_min"]),
            rework_min=of(accepted["rework_min"]),
            operator_min=of(robots["intervention_min"]),
            energy_j=of(robots["energy_j"]),
            direct_usd=per_task("token_usd") + per_task("robot_usd"),
            human_usd=per_task("human_usd"),
            escape_usd=per_task("escape_usd"),
            price_usd=of(fielded["price_usd"]),
            human_equiv_min=of(worth.task_h) * 60.0,
            attempts=of(fielded["attempts"]),
            wall_s=of(fielded["wall_s"]),
            sigma=np.array([k.sigma for k in own]),
            touched=np.where(steered, 1.0, np.minimum(stops, 1.0)),
            hours=np.array([_hours(*k.load.hours) for k in own]),
        )

    @property
    def human_min(self) -> Array:
        """Minutes of review, sending back and operation."""
        return self.review_min + self.rework_min + self.operator_min

    def chosen(self, months: Sequence[int]) -> Planned:
        """The same with some of the months."""
        rows = list(months)
        fixed = ("kinds", "embodied", "sigma", "hours", "months")
        picked: dict[str, Any] = {
            f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in fixed
        }
        return replace(self, months=tuple(self.months[m] for m in rows), **picked)


def _hours(weekday: Sequence[float], weekend: Sequence[float]) -> Array:
    return LoadShape(np.array(weekday), np.array(weekend)).hours
