"""`simulate`: what happens at the desk, also when AI writes most of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.oversee.asked import Asked
from lineshaft.oversee.staffing import assumed, plain, run
from lineshaft.stages.oversee.outcome import Outcome
from lineshaft.stages.oversee.plans import Flow, Plan
from lineshaft.stages.oversee.simulate import ReviewDesk
from lineshaft.words import or_none

AI_SHARE_NOW = 0.25
AI_SHARE_SOURCE = "Google, October 2024: a quarter of new code is written by AI"
DAYS = 20
"""Days that every case is simulated for at least: what piles up is seen after a month."""
Tell = Callable[[str], None]
SHARES = (0.5, 0.9, 0.95, 0.99)
"""Quantiles of waits that are told."""


@dataclass(frozen=True, slots=True)
class Case:
    """One desk and what it did."""

    name: str
    on_duty: int
    finished_per_day: float
    plan: Plan
    each: Flow
    desk: ReviewDesk
    outcome: Outcome
    asked: Asked

    @property
    def load(self) -> float:
        """Work of the reviewers over what they can do between breaks; above 1 the queue grows."""
        per_s = self.finished_per_day / self.asked.day_s
        need = per_s * self.each.reviews * self.asked.service_s(self.each)
        return need / (self.on_duty * self.asked.hours.working)

    @property
    def per_day(self) -> float:
        """Measured hours over a day with work."""
        return 24.0 if len(self.desk.shape) > 1 else float(self.asked.hours_a_day)

    @property
    def accepted_per_day(self) -> float:
        """Tasks taken a day, a verifier's included."""
        verified = self.finished_per_day * self.asked.verified
        return self.outcome.accepted_per_h.mean * self.per_day + verified

    @property
    def escaped_per_day(self) -> float:
        """Defects that go out a day."""
        return self.outcome.escaped_per_h.mean * self.per_day

    @property
    def wages_usd_per_day(self) -> float:
        """Of the reviewers on the payroll, per day with work."""
        people = self.asked.payroll(self.on_duty)
        return people * self.asked.reviewer_usd_per_month / self.asked.days_a_month

    @property
    def loss_usd_per_day(self) -> float:
        """Lost by escaped defects."""
        return self.outcome.loss_usd_per_h.mean * self.per_day

    @property
    def usd_per_day(self) -> float:
        """Wages and losses."""
        return self.wages_usd_per_day + self.loss_usd_per_day

    def classes(self) -> Iterator[tuple[str, int | None]]:
        """(name, number) of the classes of work; one line where there is one."""
        two = len(self.desk.work) > 1
        yield from (("irreversible", 0), ("others", 1)) if two else (("all", None),)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain data."""
        out = self.outcome
        seen, low, high = out.detection()
        return {
            "name": self.name,
            "on_duty": self.on_duty,
            "payroll": self.asked.payroll(self.on_duty),
            "finished_per_day": self.finished_per_day,
            "plan": {"text": str(self.plan), **asdict(self.plan)},
            "load": self.load,
            "waits": {
                name: {
                    "mean_s": plain(out.mean_wait_s(k)),
                    **{f"p{100 * q:g}_s": plain(out.wait_quantile_s(q, k)) for q in SHARES},
                    "within": plain(out.within(self.asked.wait_s, k)),
                }
                for name, k in self.classes()
            },
            "to_acceptance_s": plain(out.to_acceptance_s),
            "utilisation": plain(out.utilisation),
            "overtime_h_per_week": plain(out.overtime_h),
            "queue": plain(out.queue),
            "accepted_per_day": self.accepted_per_day,
            "escaped_per_day": self.escaped_per_day,
            "outgoing": plain(out.outgoing),
            "shares": {
                name: plain(out.share(name))
                for name in ("chosen", "rejected", "abandoned", "expired", "waiting")
            },
            "detection": {
                "estimate": or_none(seen),
                "low": low,
                "high": high,
                "planted": int(out.count("planted").sum()),
            },
            "wages_usd_per_day": self.wages_usd_per_day,
            "loss_usd_per_day": self.loss_usd_per_day,
            "counts": {name: int(out.count(name).sum()) for name in out.names},
        }


@dataclass(frozen=True, slots=True)
class Simulated:
    """The desk as asked and, where AI is to write more of the work, what becomes of it then."""

    asked: Asked
    cases: tuple[Case, ...]
    ai_share: float | None
    ai_share_now: float
    needed: int | None = None
    """On duty for the waits of today when AI writes `ai_share` of the work."""
    curve: tuple[Case, ...] = ()
    """The same desk with fewer and more reviewers."""

    @property
    def more(self) -> float:
        """Tasks then over tasks now: people write as much as before."""
        if self.ai_share is None:
            return 1.0
        return (1.0 - self.ai_share_now) / (1.0 - self.ai_share)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain data."""
        return {
            "cases": [one.to_dict() for one in self.cases],
            "ai_share": self.ai_share,
            "ai_share_now": self.ai_share_now if self.ai_share is not None else None,
            "times_the_work": self.more,
            "needed_on_duty": self.needed,
            "curve": [one.to_dict() for one in self.curve],
            "assumed": self.assumed(),
        }

    def assumed(self) -> list[dict[str, str]]:
        """Defaults that the answer rests on, with source and confidence."""
        found = assumed(self.asked)
        if self.ai_share is not None and self.ai_share_now == AI_SHARE_NOW:
            what = f"ai_share_now {AI_SHARE_NOW:g}"
            found.append({"what": what, "source": AI_SHARE_SOURCE, "confidence": "medium"})
        return found

    def text(self) -> str:
        """The answer for people."""
        from lineshaft.oversee.text import simulated_lines

        return "\n".join(simulated_lines(self))

    def svg(self) -> str:
        """Waiting, escaped defects and cost against reviewers, as a picture."""
        from lineshaft.oversee.picture import svg

        return svg(self)


def simulate(
    *,
    reviewers: float,
    review_min: float,
    tasks_per_day: float | None = None,
    daa: float | None = None,
    ai_share: float | None = None,
    ai_share_now: float = AI_SHARE_NOW,
    curve: bool = False,
    tell: Tell | None = None,
    **options: Any,
) -> Simulated:
    """What `reviewers` on the payroll do with so many finished tasks a day, task by task.

    Instead of tasks, `daa` and `tasks_per_agent` say how many are to be accepted. With `ai_share`
    people write as much as before and AI the rest, so there is more to review; reviewers stay the
    same. With `curve` the desk is simulated with fewer and more reviewers too, for the picture.
    `options` are those of `Asked`. Raises InputError with all that is wrong.
    """
    asked = Asked.of({**options, "review_min": review_min})
    found = []
    on_duty = int(asked.on_duty(reviewers) + 1e-9) if reviewers > 0 else 0
    if on_duty < 1:
        what = f"{reviewers:g} on the payroll are nobody on duty"
        found.append(Problem("", "reviewers", what, f"{asked.payroll(1):.1f} or more"))
    if (tasks_per_day is None) == (daa is None):
        found.append(Problem("", "tasks_per_day, daa", "both or neither", "one of them"))
    for name, given in (("tasks_per_day", tasks_per_day), ("daa", daa)):
        if given is not None and not 0 < given < np.inf:
            found.append(Problem("", name, f"found {given}", "above 0"))
    if not 0 <= ai_share_now < 1:
        found.append(Problem("", "ai_share_now", f"found {ai_share_now}", "0 to below 1"))
    elif ai_share is not None and not ai_share_now < ai_share < 1:
        allowed = f"above {ai_share_now:g}, below 1"
        found.append(Problem("", "ai_share", f"found {ai_share}", allowed))
    if found:
        raise InputError(found)
    plan = asked.plan((tasks_per_day or (daa or 0.0) * asked.tasks_per_agent) / asked.day_s)
    if tasks_per_day is None:
        tasks_per_day = (daa or 0.0) * asked.tasks_per_agent / asked.flow(plan).accepted

    def case(name: str, people: int, tasks: float, reviewed: Plan, whose: Asked) -> Case:
        if tell:
            tell(f"simulating {name}, {people} on duty")
        desk = whose.desk(tasks / whose.day_s, reviewed, people)
        flow = whose.flow(reviewed)
        return Case(
            name, people, tasks, reviewed, flow, desk, run(desk, flow, whose.seed, DAYS), whose
        )

    now = case("now", on_duty, tasks_per_day, plan, asked)
    cases, needed = [now], None
    if ai_share is not None:
        more = (1.0 - ai_share_now) / (1.0 - ai_share)
        then = more * tasks_per_day
        cases.append(case("then", on_duty, then, plan, asked))
        less = replace(asked, aoql=None, review_share=plan.reviewed / more)
        cases.append(case("then, sampled", on_duty, then, less.plan(), less))
        needed = int(np.ceil(on_duty * more - 1e-9))
        cases.append(case("then, as many as the work", needed, then, plan, asked))
    around: list[Case] = []
    if curve:
        load = now.load * on_duty
        grid = np.unique(np.round(np.geomspace(0.6, 2.0, 15) * max(load, 2.0)).astype(int))
        around = [
            case("against reviewers", int(c), tasks_per_day, plan, asked)
            for c in sorted({*(int(c) for c in grid if c > 0), on_duty})
        ]
    return Simulated(asked, tuple(cases), ai_share, ai_share_now, needed, tuple(around))
