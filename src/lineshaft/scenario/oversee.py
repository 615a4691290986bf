"""`[oversee]`: the humans who review and intervene, and what they look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import field_validator, model_validator

from lineshaft.scenario.agents import in_catalog, month_path, unique
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    GrowthPerYear,
    Hours,
    Minutes,
    Positive,
    Section,
    Share,
    Text,
    UsdPerHour,
    default,
    quantity,
)

People_ = Annotated[Distribution, quantity("person", ge=0)]


class Role(Section):
    """The people of one role: reviewers judge finished work, operators intervene in work."""

    name: Literal["reviewer", "operator"]
    """reviewer or operator."""
    headcount: People_ = default("10 people")
    """People on the first day."""
    hires_per_year: People_ = default(0)
    """People added a year, net of those who leave."""
    growth_per_year: GrowthPerYear = default(0)
    """Growth of the headcount, on top of the hires."""
    path: Mapping[str, float] = default({})
    """Headcount by month, {"2027-01" = 60}: straight lines between; growth after the last."""
    hours_per_month: Hours = default(
        150, source="OECD: about 1,800 hours actually worked a year in the US", confidence="medium"
    )
    """Hours on duty per person and month."""
    paid_hours_per_month: Hours = default(
        173.33, source="2,080 paid hours of a full-time year in the US", confidence="high"
    )
    """Hours paid per person and month: leave and holidays included."""
    utilisation: Share = default("60 % to 80 %", confidence="low")
    """Highest share of the time on duty that is planned for the work: the rest is breaks,
    meetings, and slack that keeps waits short. Below 100 %."""
    wage: Text | None = default(None)
    """Catalog row of `wages`; default: software developer for reviewers, robot operator."""
    wage_usd_per_h: UsdPerHour | None = default(None)
    """Wage per paid hour without on-costs; default: the row's."""
    on_cost: Annotated[Distribution, quantity("1", ge=1)] | None = default(None)
    """Cost over wage; default: the row's."""
    wage_growth_per_year: GrowthPerYear = default("0.02 to 0.05", confidence="low")
    """Growth of the wage."""

    @field_validator("wage")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        return None if name is None else in_catalog("wages", name)

    @field_validator("path")
    @classmethod
    def _months(cls, path: Mapping[str, float]) -> Mapping[str, float]:
        return month_path(path)


class Policy(Section):
    """What is reviewed of one kind of work, and how well."""

    name: Text
    """Name of the `[[agents.kind]]`, or "default" for all that have no policy of their own."""
    review: Literal["all", "share", "none"] | None = default(None)
    """all, share or none; default: all of what software agents finish, none of what robots
    finish. Tokens sold directly are never reviewed."""
    share: Share = default(0.1)
    """Share that is reviewed, with review = "share"."""
    minutes: Minutes | None = default(None)
    """Reviewer minutes for a task; default: the kind's `review_minutes`."""
    detection: Share = default(
        {"dist": "pert", "low": 0.3, "mode": 0.65, "high": 0.95}, confidence="low"
    )
    """Share of the defects that a reviewer finds. Measure it with seeded defects."""
    rework: Share = default(0.8, confidence="low")
    """Share of the rejected tasks that comes back next month."""
    rework_minutes: Minutes = default("3 min to 15 min", confidence="low")
    """Reviewer minutes to send one back."""
    expiry: Share = default(0.2, confidence="low")
    """Share of the tasks left waiting at the end of a month that nobody wants any more."""
    verified: Share | None = default(None)
    """Share of unreviewed tasks with a hard verifier; default: the kind's."""
    regular: bool = default(False)
    """Whether work comes to each agent at even intervals, else without memory."""
    shape: Positive = default("1 to 5", confidence="low")
    """How evenly work is spread over agents: gamma shape k, large for evenly."""


class Oversee(Section):
    """The humans, and what they review."""

    role: tuple[Role, ...] = default(())
    """People by role; a role that is not named has nobody."""
    policy: tuple[Policy, ...] = default(())
    """What is reviewed, by kind of work."""

    @model_validator(mode="after")
    def _unique(self) -> Oversee:
        unique("oversee.role", [r.name for r in self.role])
        unique("oversee.policy", [p.name for p in self.policy])
        return self
