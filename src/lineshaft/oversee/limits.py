"""`ceiling`: the highest DAA that so many reviewers allow, and what one more is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.oversee.asked import PLANNED, Asked
from lineshaft.oversee.staffing import assumed, plain, run
from lineshaft.stages.oversee.outcome import Outcome
from lineshaft.stages.oversee.plans import Flow, Plan
from lineshaft.stages.oversee.staffing import rate_held
from lineshaft.words import or_none

STEP = 0.1
"""By how much each lever is moved."""


@dataclass(frozen=True, slots=True)
class Lever:
    """What a tenth of something changes."""

    name: str
    change: str
    daa: float
    """Ceiling with it."""
    gain: float
    """Relative to the ceiling without."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest DAA, what sets it, and what would move it."""

    asked: Asked
    reviewers: float
    """On the payroll."""
    on_duty: float
    plan: Plan
    each: Flow
    """Per finished task."""
    daa: float
    """With simulated waits kept."""
    formula_daa: float
    """By Erlang's formula."""
    minutes_daa: float
    """If any wait were good enough: every minute between breaks is used."""
    more_daa: float
    """DAA that one more on the payroll allows."""
    levers: tuple[Lever, ...]
    """Largest gain first."""
    outcome: Outcome
    """Simulated at the ceiling."""

    @property
    def binds(self) -> str:
        """What sets the ceiling."""
        if self.minutes_daa > 1.1 * self.daa:
            return "the wait: slack that it needs is more than a tenth of the reviewers' time"
        return "the minutes of review"

    @property
    def more_tasks_per_month(self) -> float:
        """Accepted tasks that one more on the payroll allows."""
        return self.more_daa * self.asked.tasks_per_agent * self.asked.days_a_month

    @property
    def more_usd_per_month(self) -> float:
        """What one more on the payroll is worth, wage and agents paid."""
        return self.more_gross_usd_per_month - self.asked.reviewer_usd_per_month

    @property
    def more_gross_usd_per_month(self) -> float:
        """The same before his wage: value of the tasks less agents and escaped defects."""
        a = self.asked
        each = a.value_usd - a.task_cost - a.loss * self.each.outgoing
        return self.more_tasks_per_month * each

    @property
    def shadow_usd_per_min(self) -> float:
        """Shadow price of a reviewer minute on duty: what it would earn above its wage."""
        return max(self.more_usd_per_month, 0.0) / (60.0 * self.asked.on_duty_h)

    @property
    def daa_per_min(self) -> float:
        """Daily active agents for one more reviewer minute a day of work."""
        minutes = 60.0 * self.asked.on_duty_h / self.asked.days_a_month
        return self.more_daa / minutes

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain data."""
        out, asked = self.outcome, self.asked
        return {
            "reviewers": {"payroll": self.reviewers, "on_duty": self.on_duty},
            "daa": or_none(self.daa),
            "tasks_per_day": or_none(self.daa * asked.tasks_per_agent),
            "formula_daa": or_none(self.formula_daa),
            "minutes_daa": or_none(self.minutes_daa),
            "binds": self.binds,
            "plan": {"text": str(self.plan), **asdict(self.plan)},
            "per_finished_task": asdict(self.each),
            "one_more": {
                "daa": self.more_daa,
                "tasks_per_month": self.more_tasks_per_month,
                "usd_per_month": self.more_usd_per_month,
                "gross_usd_per_month": self.more_gross_usd_per_month,
            },
            "shadow_usd_per_min": self.shadow_usd_per_min,
            "daa_per_reviewer_min": self.daa_per_min,
            "levers": [asdict(one) for one in self.levers],
            "simulated": {
                "within": plain(out.within(asked.wait_s)),
                "mean_wait_s": or_none(out.mean_wait_s().mean),
                "utilisation": plain(out.utilisation),
                "outgoing": plain(out.outgoing),
            },
            "assumed": self.assumed(),
        }

    def assumed(self) -> list[dict[str, str]]:
        """Defaults that the answer rests on, with source and confidence."""
        return assumed(self.asked, *(("task_min",) if self.asked.value is None else ()))

    def text(self) -> str:
        """The answer for people."""
        from lineshaft.oversee.text import ceiling_lines

        return "\n".join(ceiling_lines(self))


def ceiling(
    *,
    reviewers: float,
    tasks_per_agent: float,
    review_min: float,
    tell: Callable[[str], None] | None = None,
    **options: Any,
) -> Ceiling:
    """The highest DAA that `reviewers` on the payroll allow, at so many accepted tasks an agent.

    `options` are those of `Asked`. Raises InputError for wrong options, where there is nobody on
    duty, and where no sampling keeps the bound on what slips through.
    """
    asked = Asked.of({**options, "tasks_per_agent": tasks_per_agent, "review_min": review_min})
    on_duty = asked.on_duty(reviewers)
    if not 1 <= on_duty < np.inf:
        least = asked.payroll(1)
        few = f"{reviewers:g} on the payroll are {on_duty:.2g} on duty"
        raise InputError(Problem("", "reviewers", few, f"{least:.1f} or more"))
    best = asked.aoql is not None and asked.plans == "best"
    kinds = PLANNED if best else (asked.plans,)
    tried = [_ceiling(replace(asked, plans=kind), reviewers, on_duty, tell) for kind in kinds]
    return max(tried, key=lambda one: one.daa)


def _ceiling(
    asked: Asked, reviewers: float, on_duty: float, tell: Callable[[str], None] | None
) -> Ceiling:
    plan = _plan(asked, reviewers)
    each = asked.flow(plan)
    if each.reviews <= 0:
        raise InputError(
            Problem("", "review_share", "nothing is reviewed: there is no ceiling", "above 0")
        )
    formula = reach(asked, reviewers)
    factor, outcome = _kept(asked, plan, each, formula, on_duty, tell)
    daa = formula * factor
    more = (reach(asked, reviewers + 1) - formula) * factor
    minutes = on_duty / asked.service_s(each) * asked.hours.working
    return Ceiling(
        asked,
        reviewers,
        on_duty,
        plan,
        each,
        daa,
        formula,
        _daa(asked, minutes, each),
        more,
        tuple(sorted(_levers(asked, reviewers, formula), key=lambda one: -one.gain)),
        outcome,
    )


def reach(asked: Asked, reviewers: float) -> float:
    """Highest DAA by Erlang's formula; straight between whole reviewers at work."""
    return _reach(asked, reviewers, asked.flow(_plan(asked, reviewers)))


def _plan(asked: Asked, reviewers: float) -> Plan:
    """The plan for as many tasks as the reviewers can carry with it: two rounds settle it."""
    plan = asked.plan()
    for _ in range(2 if asked.aoql is not None else 0):
        daa = _reach(asked, reviewers, asked.flow(plan))
        if not np.isfinite(daa):
            break
        plan = asked.plan(daa * asked.tasks_per_agent / asked.day_s)
    return plan


def _reach(asked: Asked, reviewers: float, each: Flow) -> float:
    if each.reviews <= 0:
        return np.inf
    busy = asked.on_duty(reviewers) * asked.hours.working
    low = int(busy)

    def rate(c: int) -> float:
        return rate_held(c, asked.service_s(each), asked.share, asked.wait_s, asked.cv)

    part = busy - low
    return _daa(asked, (1 - part) * rate(low) + part * rate(low + 1), each)


def _daa(asked: Asked, reviews_per_s: float, each: Flow) -> float:
    finished = reviews_per_s / each.reviews * asked.hours_a_day * 3600.0
    return finished * each.accepted / asked.tasks_per_agent


def _kept(
    asked: Asked,
    plan: Plan,
    each: Flow,
    daa: float,
    on_duty: float,
    tell: Callable[[str], None] | None,
) -> tuple[float, Outcome]:
    """(most DAA over `daa`, its simulation) with the waits kept.

    Whole reviewers are simulated, with their share of the work.
    """
    finished = daa * asked.tasks_per_agent / each.accepted
    per_s = finished / asked.day_s * int(on_duty) / on_duty

    def at(factor: float) -> Outcome:
        if tell:
            tell(f"simulating {factor * daa:,.0f} daily active agents")
        return run(asked.desk(factor * per_s, plan, int(on_duty)), each, asked.seed)

    low, high = 0.25, 1.25
    best = None
    for _ in range(8):
        middle = 0.5 * (low + high)
        tried = at(middle)
        if tried.within(asked.wait_s).mean >= asked.share:
            low, best = middle, tried
        else:
            high = middle
    return low, best if best is not None else at(low)


def _levers(asked: Asked, reviewers: float, daa: float) -> Iterator[Lever]:
    """The ceiling with each thing a tenth better, the others as they are."""
    if asked.aoql is not None:
        asked = replace(asked, holds_to=asked.plan().holds_to)
    less = 1.0 - STEP
    moved = [
        ("minutes", "reviews a tenth shorter", replace(asked, review_min=asked.review_min * less)),
        (
            "detection",
            "a tenth fewer defects missed",
            replace(asked, detection=1 - (1 - asked.detection) * less),
        ),
        ("defects", "a tenth fewer defects", replace(asked, defects=asked.defects * less)),
        (
            "autonomy",
            "a tenth of the work decided by a hard verifier",
            replace(asked, verified=asked.verified + STEP * (1 - asked.verified)),
        ),
        (
            "hours",
            "a tenth more hours on duty",
            replace(asked, on_duty_h=asked.on_duty_h * (1 + STEP)),
        ),
    ]
    if asked.aoql is not None:
        word = "a tenth more may slip through"
        moved.append(("sampling", word, replace(asked, aoql=min(asked.aoql * (1 + STEP), 1.0))))
    else:
        word = "a tenth less is reviewed"
        moved.append(("sampling", word, replace(asked, review_share=asked.review_share * less)))
    for name, change, better in moved:
        most = reach(better, reviewers)
        yield Lever(name, change, most, most / daa - 1.0)
