"""What is asked of the overseers: `Asked` lists the options of every verb, with their defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lineshaft import catalog
from lineshaft.errors import InputError, Problem
from lineshaft.stages.oversee.plans import Flow, Plan, Review, choose_plan
from lineshaft.stages.oversee.simulate import ReviewDesk, Reviewers, Rework, Work
from lineshaft.stages.oversee.staffing import WEEKS_PER_MONTH, Hours
from lineshaft.units import QuantityError, parse
from lineshaft.words import suggestion

LOADS = {"always": (0, 24, 7), "office": (9, 17, 5), "daytime": (7, 22, 7)}
"""First hour, last hour and days a week in which tasks come and reviewers are on duty."""
PLANS = ("csp1", "lots", "share")
PLANNED = ("csp1", "share")
"""The plans of which the best is taken; lots hold work back, so they are taken where asked."""
_HOURS = re.compile(r"(\d{1,2})-(\d{1,2})(?:x([1-7]))?")

DEVELOPER = "software developer"
GUESS = "no public source"
BASIS = {
    "defects": (GUESS, "low"),
    "detection": ("no public source: measure it with planted defects", "low"),
    "rework_share": (GUESS, "low"),
    "rework_min": (GUESS, "low"),
    "rework_h": (GUESS, "low"),
    "on_duty_h": ("OECD: about 1,800 hours actually worked a year in the US", "medium"),
    "paid_h": ("2,080 paid hours of a full-time year in the US", "high"),
    "work_min": (
        "SmartBear's study at Cisco (a vendor, 2006): review no longer than 60 to 90 minutes",
        "low",
    ),
    "break_min": (GUESS, "low"),
    "fade": (
        "when: SmartBear at Cisco, 60 to 90 minutes; how much: no public source",
        "low",
    ),
    "task_min": (
        "Anthropic Economic Index: 1.7 h for a human alone (API), as quoted by the press",
        "low",
    ),
}
"""Where a default comes from, and how far to trust it."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The desk that is asked about. Shares are 0 to 1, durations seconds or texts: "30 min"."""

    review_min: float
    """Mean reviewer minutes of a review."""
    tasks_per_agent: float = 1.0
    """TPA: accepted tasks per active agent and day."""
    defects: float = 0.1
    """Share of the finished tasks that are defective."""
    detection: float = 0.65
    """Share of the defects that a reviewer who looks finds."""
    false_alarms: float = 0.0
    """Share of the good tasks that a reviewer rejects."""
    aoql: float | None = None
    """Most defects that may go out, as a share; None: no bound, `review_share` is reviewed."""
    holds_to: float | None = None
    """Defect share up to which the bound must hold; None: half more than expected."""
    plans: str = "best"
    """Which plan keeps the bound: csp1, share, or the better of them; or lots, which hold work back
    until their sample is judged."""
    review_share: float = 1.0
    """Share that is reviewed where no bound is asked."""
    irreversible: float = 0.0
    """Share of the tasks that cannot be undone: always reviewed, and first."""
    verified: float = 0.0
    """Share that a hard verifier decides, without a human; its verdict is taken as right."""
    wait: float | str = "4 h"
    """The wait that `share` of the reviews must not exceed."""
    share: float = 0.95
    patience: float | str | None = None
    """Mean time after which somebody gives up waiting."""
    expiry: float | str | None = None
    """Time after which waiting work is worth nothing."""
    merges: bool = False
    """Whether abandoned work goes out without review, else it is dropped."""
    load: str = "office"
    """Hours of work: always, office (9-17, 5 days), daytime (7-22, 7 days), or FROM-TOxDAYS."""
    cv: float = 1.0
    """Deviation of review times over their mean; 1: exponential."""
    rework_share: float = 0.8
    """Share of the rejected tasks that is tried again."""
    rework_min: float = 9.0
    """Reviewer minutes to send one back."""
    rework_h: float = 1.0
    """Mean hours until it is back."""
    wage: float | str = DEVELOPER
    """A row of the catalog's wages, or USD per hour without on-costs."""
    on_duty_h: float = 150.0
    """Hours on duty per person and month."""
    paid_h: float = 173.33
    """Hours paid per person and month."""
    work_min: float = 60.0
    """Minutes on task between breaks; 0: no breaks."""
    break_min: float = 10.0
    fade: float = 0.3
    """Share of the detection that is lost after 90 minutes on task; a third of it in speed."""
    bias: float = 0.0
    """Share of the reviews in which the agent is followed without looking."""
    seeds: float = 0.0
    """Planted defects per review."""
    value: float | None = None
    """USD per accepted task; None: `task_min` at the wage."""
    task_min: float = 102.0
    """Minutes that a human alone would need for a task."""
    task_cost: float = 0.0
    """USD that agents cost per accepted task."""
    loss: float = 0.0
    """USD lost by an escaped defect."""
    seed: int = 0

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Asked:
        """The options by name. Raises InputError with all that is wrong with them."""
        known = [one.name for one in fields(cls)]
        found = [
            Problem("", name, "no such option", ", ".join(known), suggestion(name, known))
            for name in options
            if name not in known
        ]
        if "review_min" not in options:
            found.append(Problem("", "review_min", "not given", "minutes of a review"))
        if found:
            raise InputError(found)
        asked = cls(**options)
        found = list(asked._problems())
        if found:
            raise InputError(found)
        return asked

    def _problems(self) -> Iterator[Problem]:
        shares = (
            *("defects", "detection", "false_alarms", "review_share", "irreversible"),
            *("verified", "rework_share", "fade", "bias", "seeds"),
        )
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                yield Problem("", name, f"found {getattr(self, name)}", "0 to 1")
        if self.verified == 1:
            yield Problem("", "verified", "found 1", "below 1: else nobody is needed")
        if self.plans not in ("best", *PLANS):
            yield Problem("", "plans", repr(self.plans), ", ".join(("best", *PLANS)))
        if not 0 < self.share < 1:
            yield Problem("", "share", f"found {self.share}", "between 0 and 1")
        for name in ("aoql", "holds_to"):
            given = getattr(self, name)
            if given is not None and not 0 < given <= 1:
                yield Problem("", name, f"found {given}", "above 0, to 1")
        for name in ("review_min", "tasks_per_agent", "on_duty_h", "paid_h", "break_min"):
            if not 0 < getattr(self, name) < np.inf:
                yield Problem("", name, f"found {getattr(self, name)}", "above 0")
        for name in ("rework_min", "rework_h", "cv", "work_min", "task_min", "task_cost", "loss"):
            if not 0 <= getattr(self, name) < np.inf:
                yield Problem("", name, f"found {getattr(self, name)}", "0 or more")
        for name in ("wait", "patience", "expiry"):
            given = getattr(self, name)
            try:
                if given is not None and seconds(given) <= 0 and name != "wait":
                    yield Problem("", name, f"found {given}", "above 0")
            except QuantityError as error:
                yield Problem("", name, str(error))
        for name in ("day", "wage_usd_per_h"):
            try:
                getattr(self, name)
            except InputError as error:
                yield from error.problems

    # --- time ---

    @property
    def day(self) -> tuple[int, int, int]:
        """(first hour, last hour, days a week) of work."""
        match = _HOURS.fullmatch(self.load)
        if match is None and self.load not in LOADS:
            raise InputError(Problem("", "load", repr(self.load), f"{', '.join(LOADS)}, or 8-18x5"))
        if match is None:
            return LOADS[self.load]
        first, last, days = int(match[1]), int(match[2]), int(match[3] or 5)
        if not first < last <= 24:
            raise InputError(Problem("", "load", repr(self.load), "hours that rise, up to 24"))
        return first, last, days

    @property
    def hours_a_day(self) -> int:
        """Hours of work on a day with work."""
        first, last, _ = self.day
        return last - first

    @property
    def day_s(self) -> float:
        """Seconds of work on a day with work."""
        return 3600.0 * self.hours_a_day

    @property
    def hours_a_week(self) -> int:
        """Hours of work a week."""
        return self.hours_a_day * self.day[2]

    @property
    def days_a_month(self) -> float:
        """Days with work a month."""
        return self.day[2] * WEEKS_PER_MONTH

    @property
    def wait_s(self) -> float:
        """The wait that is asked for."""
        return seconds(self.wait)

    @property
    def hours(self) -> Hours:
        """What a person works."""
        work = self.work_min or 1e9
        return Hours(self.on_duty_h, self.paid_h, work, self.break_min if self.work_min else 0.0)

    def on_duty(self, reviewers: float) -> float:
        """Reviewers on duty in the hours of work, of so many on the payroll."""
        return self.hours.roster_h(reviewers) / self.hours_a_week

    def payroll(self, on_duty: float) -> float:
        """Reviewers on the payroll for so many on duty in the hours of work."""
        return self.hours.payroll(on_duty * self.hours_a_week)

    def roster(self, on_duty: int) -> tuple[int, ...]:
        """[hour of the day] on duty; one number where the desk never closes."""
        return tuple(on_duty * hour for hour in self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """[hour of the day] 1 where there is work; one number where there always is."""
        first, last, _ = self.day
        if (first, last) == (0, 24):
            return (1,)
        return tuple(int(first <= hour < last) for hour in range(24))

    # --- money ---

    @property
    def wage_usd_per_h(self) -> float:
        """With on-costs, per paid hour."""
        if isinstance(self.wage, str):
            row = catalog.find("wages", self.wage)
            return float(row.number("wage_usd_per_h") * row.number("loaded_factor"))
        if not 0 <= self.wage < np.inf:
            raise InputError(Problem("", "wage", f"found {self.wage}", "a name, or USD per hour"))
        return float(self.wage * catalog.find("wages", DEVELOPER).number("loaded_factor"))

    @property
    def reviewer_usd_per_month(self) -> float:
        """What one on the payroll costs."""
        return self.paid_h * self.wage_usd_per_h

    @property
    def value_usd(self) -> float:
        """Of one accepted task: stated, or the human minutes at the wage without on-costs."""
        if self.value is not None:
            return self.value
        return self.task_min / 60.0 * self.human_usd_per_h

    @property
    def human_usd_per_h(self) -> float:
        """The wage without on-costs."""
        if isinstance(self.wage, str):
            return float(catalog.find("wages", self.wage).number("wage_usd_per_h"))
        return self.wage

    # --- work ---

    @property
    def review(self) -> Review:
        """What a review does; what a reviewer waves through he does not see."""
        seen = self.detection * (1 - self.bias)
        return Review(seen, self.false_alarms, self.rework_share)

    def plan(self, per_s: float = 0.0, slower: float = 1.0) -> Plan:
        """What is reviewed of `per_s` finished tasks. Raises InputError where no plan can hold.

        A stream's results are read in the order of production, so they are as late as the longest
        of the reviews at hand, and `slower` than that if there is a queue.
        """
        if self.aoql is None:
            f, review = self.review_share, self.review
            kind = {1.0: "all", 0.0: "none"}.get(f, "share")
            out = float(review.outgoing(self.defects, f))
            return Plan(kind, f, out, out, self.defects, f)
        at_hand = per_s * 60.0 * self.review_min
        late = slower * at_hand * (1.0 + np.log1p(at_hand))
        return choose_plan(
            self.defects,
            self.aoql,
            self.review,
            holds_to=self.holds_to,
            delays=(late, late),
            kinds=PLANNED if self.plans == "best" else (self.plans,),
        )

    def flow(self, plan: Plan) -> Flow:
        """Per finished task: reviews, tasks taken, rejections, escaped defects."""
        human = (1 - self.verified) * (1 - self.irreversible)
        always = (1 - self.verified) * self.irreversible
        some = self.review.balance(self.defects, plan.reviewed)
        all_ = self.review.balance(self.defects, 1.0)
        reviews, taken, rejected, escaped = (
            float(human * one + always * other) for one, other in zip(some, all_, strict=True)
        )
        return Flow(reviews, taken + self.verified, rejected, escaped)

    def service_s(self, each: Flow) -> float:
        """Mean reviewer time of a review, sending back included."""
        back = each.rejected_reviews / each.reviews if each.reviews > 0 else 0.0
        return 60.0 * (self.review_min + back * self.rework_min)

    def desk(self, per_s: float, plan: Plan, on_duty: int) -> ReviewDesk:
        """The desk to simulate: `per_s` tasks are finished a second, in the hours of work."""
        fading = 60.0 * 60.0 if self.fade > 0 else np.inf
        reviewers = Reviewers(
            self.roster(on_duty),
            work_s=60.0 * self.work_min if self.work_min else np.inf,
            break_s=60.0 * self.break_min,
            shift_h=8 if len(self.shape) == 1 else 0,
            fade_from_s=fading,
            fade_to_s=1.5 * fading,
            fade_detection=self.fade,
            fade_speed=self.fade / 3.0,
            bias=self.bias,
        )
        rework = Rework(self.rework_share, 3600.0 * self.rework_h, 1, 60.0 * self.rework_min)
        human = per_s * (1 - self.verified) * self.hours_a_day / 24.0
        law = {1.0: "exponential", 0.0: "fixed"}.get(self.cv, "lognormal")
        common: dict[str, Any] = {
            "service_s": 60.0 * self.review_min,
            "law": law,
            "cv": self.cv,
            "defects": self.defects,
            "detection": self.detection,
            "false_alarms": self.false_alarms,
            "patience_s": np.inf if self.patience is None else seconds(self.patience),
            "expiry_s": np.inf if self.expiry is None else seconds(self.expiry),
            "loss_usd": self.loss,
        }
        # Lots are simulated by their mean share.
        policy = {"csp1": "csp1", "all": "all"}.get(plan.kind, "share")
        share = plan.share if plan.kind == "csp1" else plan.reviewed
        work = [
            Work(human * (1 - self.irreversible), policy=policy, share=share,
                 clearance=plan.clearance, **common)
        ]  # fmt: skip
        if self.irreversible > 0:
            first = Work(human * self.irreversible, **common)
            work = [first, *work] if self.irreversible < 1 else [first]
        return ReviewDesk(
            tuple(work), reviewers, rework, self.shape, seeds=self.seeds, merges=self.merges
        )

    def basis(self, names: tuple[str, ...]) -> list[tuple[str, str, str]]:
        """(option and value, source, confidence) of those of the options left at their default."""
        given = {one.name: one.default for one in fields(self)}
        told = [
            (f"{name} {getattr(self, name):g}", *BASIS[name])
            for name in names
            if getattr(self, name) == given[name]
        ]
        if isinstance(self.wage, str):
            row = catalog.find("wages", self.wage)
            wage = f"wage {row.number('wage_usd_per_h'):g} USD/h x {row.number('loaded_factor'):g}"
            told.append((wage, row.text("source"), row.text("confidence")))
        return told


def seconds(given: float | str) -> float:
    """A duration in seconds."""
    return float(parse(given, "s"))
