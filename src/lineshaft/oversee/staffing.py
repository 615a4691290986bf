"""`staff`: how many reviewers a fleet of agents needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.oversee.asked import PLANNED, Asked
from lineshaft.stages.oversee.outcome import Estimate, Outcome
from lineshaft.stages.oversee.plans import Flow, Plan
from lineshaft.stages.oversee.simulate import ReviewDesk, simulate, with_on_duty
from lineshaft.stages.oversee.staffing import late_share, servers_needed, square_root_servers
from lineshaft.words import or_none

Tell = Callable[[str], None]
REPLICATIONS, VISITS, MOST_TASKS = 8, 160_000, 4_000_000
"""Of each simulation: replications, reviews over all of them, and most tasks; where one day has
more, fewer replications."""
FINEST = 200
"""The fewest on duty are found to this part of them, or to one."""


@dataclass(frozen=True, slots=True)
class Staffing:
    """How many reviewers, why so many, and what they cost."""

    asked: Asked
    daa: float
    plan: Plan
    each: Flow
    """Per finished task."""
    finished_per_day: float
    reviews_per_h: float
    """In the hours of work."""
    load: float
    """Reviewers busy at any time, breaks not counted."""
    formula: int
    """On duty by Erlang's formula, breaks added."""
    square_root: float
    """By square-root staffing for as many who wait, breaks added."""
    on_duty: int
    """Fewest on duty with which the simulated waits are kept."""
    payroll: float
    least: int
    """On duty if any wait were good enough."""
    outcome: Outcome
    """Of the simulation with so many."""

    @property
    def payroll_whole(self) -> int:
        """People to employ."""
        return int(np.ceil(self.payroll - 1e-9))

    @property
    def within(self) -> float:
        """Share of the simulated reviews that wait no longer than asked."""
        return self.outcome.within(self.asked.wait_s).mean

    @property
    def leaky(self) -> bool:
        """Whether more slips through in the simulation than is allowed."""
        return self.asked.aoql is not None and self.outcome.outgoing.low > self.asked.aoql

    @property
    def usd_per_month(self) -> float:
        """Wages with on-costs."""
        return self.payroll_whole * self.asked.reviewer_usd_per_month

    @property
    def usd_per_task(self) -> float:
        """Wages per accepted task."""
        return self.usd_per_month / (
            self.daa * self.asked.tasks_per_agent * self.asked.days_a_month
        )

    @property
    def binds(self) -> str:
        """What more than anything else asks for so many."""
        if self.on_duty == 0:
            return "nothing: no review is needed"
        if self.plan.kind == "csp1" and self.on_duty > 1.1 * self.formula:
            return "the times when CSP-1 has everything reviewed"
        if self.on_duty > 1.25 * self.least:
            return "the wait: with any wait allowed, fewer would do"
        if self.asked.aoql is not None and self.plan.reviewed > 0:
            return "the bound on what slips through: it sets the share that is reviewed"
        return "the minutes of review: shorter waits cost few people more"

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain data; what there is not is None."""
        out = self.outcome
        return {
            "daa": self.daa,
            "reviewers": {
                "on_duty": self.on_duty,
                "payroll": self.payroll_whole,
                "formula_on_duty": self.formula,
                "square_root_on_duty": self.square_root,
                "least_on_duty": self.least,
                "load": self.load,
            },
            "binds": self.binds,
            "plan": {"text": str(self.plan), **asdict(self.plan)},
            "per_finished_task": asdict(self.each),
            "finished_per_day": self.finished_per_day,
            "reviews_per_h": self.reviews_per_h,
            "simulated": {
                "within": plain(out.within(self.asked.wait_s)),
                "mean_wait_s": or_none(out.mean_wait_s().mean),
                "utilisation": plain(out.utilisation),
                "outgoing": plain(out.outgoing),
                "reviews": int(out.count("reviews").sum()),
            },
            "usd_per_month": self.usd_per_month,
            "usd_per_task": self.usd_per_task,
            "assumed": self.assumed(),
        }

    def assumed(self) -> list[dict[str, str]]:
        """Defaults that the answer rests on, with source and confidence."""
        return assumed(self.asked)

    def text(self) -> str:
        """The answer for people."""
        from lineshaft.oversee.text import staffing_lines

        return "\n".join(staffing_lines(self))


def plain(one: Estimate) -> dict[str, float | None]:
    """As JSON can hold it."""
    return {name: or_none(value) for name, value in asdict(one).items()}


def assumed(asked: Asked, *more: str) -> list[dict[str, str]]:
    """Defaults that an answer rests on, with source and confidence."""
    names = (
        *("defects", "detection", "rework_share", "rework_min", "rework_h", "on_duty_h"),
        *("paid_h", "work_min", "break_min", "fade", *more),
    )
    keys = ("what", "source", "confidence")
    return [dict(zip(keys, one, strict=True)) for one in asked.basis(names)]


def staff(
    *,
    daa: float,
    tasks_per_agent: float,
    review_min: float,
    tell: Tell | None = None,
    **options: Any,
) -> Staffing:
    """How many reviewers `daa` agents need, each with so many accepted tasks a day.

    `options` are those of `Asked`. Raises InputError for wrong options, and where no number of
    reviewers keeps the bound on what slips through.
    """
    asked = Asked.of({**options, "tasks_per_agent": tasks_per_agent, "review_min": review_min})
    if not 0 < daa < np.inf:
        raise InputError(Problem("", "daa", f"found {daa}", "above 0"))
    best = asked.aoql is not None and asked.plans == "best"
    kinds = PLANNED if best else (asked.plans,)
    found = [_tight(replace(asked, plans=kind), daa, tell) for kind in kinds]
    return min(found, key=lambda one: (one.leaky, one.on_duty))


def _tight(asked: Asked, daa: float, tell: Tell | None) -> Staffing:
    """With a plan that holds the bound in the simulation too: results that come late make the
    phases of a stream longer than its formula has them."""
    found = _staffing(asked, daa, 1.0, tell)
    for slower in (3.0, 9.0):
        if asked.aoql is None or found.plan.kind != "csp1" or not found.leaky:
            break
        found = _staffing(asked, daa, slower, tell)
    return found


def _staffing(asked: Asked, daa: float, slower: float, tell: Tell | None) -> Staffing:
    wanted = daa * asked.tasks_per_agent / asked.day_s
    plan = asked.plan(wanted, slower)
    each = asked.flow(plan)
    if each.accepted <= 0:
        raise InputError(Problem("", "detection", "no task is ever accepted", "fewer defects"))
    finished = daa * asked.tasks_per_agent / each.accepted
    per_s = finished / asked.day_s
    reviews_s, service_s = per_s * each.reviews, asked.service_s(each)
    load, working = reviews_s * service_s, asked.hours.working
    needed = int(servers_needed(reviews_s, service_s, asked.share, asked.wait_s, asked.cv)[0])
    formula = int(np.ceil(needed / working))
    waits = float(late_share(max(needed, 1), reviews_s, service_s, 0.0))
    slack = square_root_servers(reviews_s, service_s, max(waits, 1e-9)) if needed else 0.0
    if each.reviews > 0:
        on_duty, outcome = _fewest(asked, plan, per_s, each, max(formula, 1), tell)
    else:
        on_duty, outcome = 0, run(asked.desk(per_s, plan, 1), each, asked.seed)
    return Staffing(
        asked,
        daa,
        plan,
        each,
        finished,
        reviews_s * 3600.0,
        load,
        formula,
        slack / working,
        on_duty,
        asked.payroll(on_duty),
        int(np.ceil((np.floor(load) + 1) / working)) if each.reviews > 0 else 0,
        outcome,
    )


def run(desk: ReviewDesk, each: Flow, seed: int, days: int = 0) -> Outcome:
    """One simulation: enough reviews, at least so many days where that is not too many tasks."""
    per_review = 1.0 / max(each.reviews, 1e-6)
    a_day = 86_400.0 * sum(one.per_s for one in desk.work)
    wanted = max(VISITS * per_review, VISITS, days * REPLICATIONS * a_day)
    tasks = int(min(wanted, MOST_TASKS))
    # Days are simulated whole, one of them to warm up.
    whole = 1 if len(desk.shape) == 1 and desk.reviewers.shift_h == 0 else 2
    replications = int(np.clip(MOST_TASKS / (whole * a_day), 2, REPLICATIONS))
    return simulate(desk, tasks=tasks, replications=replications, seed=seed)


def _fewest(
    asked: Asked, plan: Plan, per_s: float, each: Flow, start: int, tell: Tell | None
) -> tuple[int, Outcome]:
    """The fewest on duty whose simulated waits are kept: the same tasks for every number."""
    desk = asked.desk(per_s, plan, start)
    tried: dict[int, Outcome] = {}

    def holds(c: int) -> bool:
        if c not in tried:
            if tell:
                tell(f"simulating {c} on duty")
            tried[c] = run(with_on_duty(desk, asked.roster(c)), each, asked.seed)
        share = tried[c].within(asked.wait_s).mean
        return bool(share >= asked.share)

    step, low, high = max(1, start // 50), 0, start
    if holds(start):
        while high > 1 and holds(high - step):
            high, step = high - step, 2 * step
            step = min(step, high - 1) or 1
        low = max(high - step, 0)
    else:
        low = start
        high = start + step
        while not holds(high):
            low, step = high, 2 * step
            high += step
            if high > 20 * start + 100:
                raise InputError(_never(asked))
    while high - low > max(1, high // FINEST):
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    holds(high)
    return high, tried[high]


def _never(asked: Asked) -> Problem:
    return Problem(
        "",
        "wait",
        f"{asked.wait} cannot be kept for {asked.share:.0%} of the reviews by any number",
        "a longer wait, or a smaller share",
        "work that is left when the desk closes waits until it opens again",
    )
