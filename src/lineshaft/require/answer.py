"""What `require` found: the joints beside what supply can reach, as numbers, text and HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lineshaft.units import format_quantity
from lineshaft.words import or_none

if TYPE_CHECKING:
    from lineshaft.require.cycle import Cycle
    from lineshaft.scenario import Scenario

RULE = (
    "The first impossible joint: the earliest year in which any joint needs more than supply can "
    "reach, and in it the first such joint from right to left."
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for."""

    kind: str
    """value, revenue or daa."""
    value: float
    """In `unit`."""
    unit: str
    when: str
    """The month or the months that it is asked of; "at once" for a worth."""

    @property
    def text(self) -> str:
        """For people, for example "a worth of $9.30T"."""
        words = {"value": "a worth of", "revenue": "a revenue of", "daa": "daily active agents:"}
        when = "" if self.kind == "value" else f", {self.when}"
        return f"{words[self.kind]} {format_quantity(self.value, self.unit)}{when}"


@dataclass(frozen=True, slots=True)
class Joint:
    """One joint of the line: what it needs and what supply can reach, year by year."""

    joint: str
    stage: str
    unit: str
    years: tuple[int, ...]
    required: tuple[float, ...]
    reachable: tuple[float, ...] | None
    """What the firm's share of the pools gives; None where no pool is known."""
    pool: tuple[str, ...]
    """The pools, one line each: value, growth, share."""
    source: str
    """Where the pools come from."""

    @property
    def margin(self) -> tuple[float | None, ...]:
        """[year] required over reachable: above 1 it cannot be had. None without a pool."""
        if self.reachable is None:
            return (None,) * len(self.years)
        return tuple(n / r for n, r in zip(self.required, self.reachable, strict=True))

    @property
    def worst(self) -> tuple[float, int] | None:
        """The largest margin and its year; None without a pool."""
        if self.reachable is None:
            return None
        margins = [n / r for n, r in zip(self.required, self.reachable, strict=True)]
        return max(margins), self.years[margins.index(max(margins))]

    @property
    def row(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "joint": self.joint,
            "stage": self.stage,
            "unit": self.unit,
            "required": list(self.required),
            "reachable": list(self.reachable or (None,) * len(self.years)),
            "margin": list(self.margin),
            "pool": list(self.pool),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Impossible:
    """A joint, a year, and how many times what can be reached it asks for."""

    joint: str
    year: int
    margin: float


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest firm of this shape that supply carries."""

    factor: float
    """On every extensive quantity of the base scenario."""
    value_usd: float
    """Its worth; NaN where the firm is worth nothing at any size."""
    low_usd: float
    """The same with every pool, growth and share at its low end."""
    high_usd: float
    amount: float
    """What was asked for (worth, revenue or agents), at that size."""
    held_by: str
    year: int


@dataclass(frozen=True, slots=True)
class ReverseDcf:
    """What revenue a worth asks for, from a run-rate that was reported, at a discount rate."""

    rate: float
    run_rate_usd: float
    source: str
    growth: float
    """Of the first year; it fades evenly to the growth for ever."""
    revenue_usd: tuple[float, ...]
    """In years 1 to the last."""


@dataclass(frozen=True, slots=True)
class Required:
    """What a worth, a revenue or a number of daily active agents needs, joint by joint."""

    target: Target
    base: str
    """Name of the scenario that it was found from."""
    factor: float
    """On every extensive quantity of that scenario."""
    amount: float
    """What the forward run of `scenario` gives, in the target's unit."""
    years: tuple[int, ...]
    joints: tuple[Joint, ...]
    """From right to left."""
    first_impossible: Impossible | None
    largest: Largest
    dcf: tuple[ReverseDcf, ...]
    """At the low end, the middle and the high end of the scenario's discount rate; of a worth."""
    cycle: Cycle | None
    """The fastest automation that the pools allow; None where no human work is done."""
    scenario: Scenario
    """The scenario whose forward run gives the target."""

    @property
    def largest_usd(self) -> float:
        """The largest worth that supply carries."""
        return self.largest.value_usd

    @property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """One row for each joint and year, for a data frame."""
        return tuple(
            {
                "joint": j.joint,
                "stage": j.stage,
                "year": year,
                "required": j.required[i],
                "reachable": None if j.reachable is None else j.reachable[i],
                "margin": j.margin[i],
                "unit": j.unit,
                "pool": "; ".join(j.pool),
                "source": j.source,
            }
            for j in self.joints
            for i, year in enumerate(self.years)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: numbers, texts, lists; None where there is no number."""
        first, largest = self.first_impossible, self.largest
        return {
            "target": {
                "kind": self.target.kind,
                "value": self.target.value,
                "unit": self.target.unit,
                "when": self.target.when,
                "text": self.target.text,
            },
            "base": self.base,
            "factor": self.factor,
            "amount": self.amount,
            "years": list(self.years),
            "joints": [joint.row for joint in self.joints],
            "rule": RULE,
            "first_impossible": None
            if first is None
            else {"joint": first.joint, "year": first.year, "margin": first.margin},
            "tightest": {
                "joint": self.tightest.joint,
                "year": self.tightest.year,
                "margin": self.tightest.margin,
            },
            "largest_usd": or_none(largest.value_usd),
            "largest_low_usd": or_none(largest.low_usd),
            "largest_high_usd": or_none(largest.high_usd),
            "largest_amount": or_none(largest.amount),
            "largest_factor": largest.factor,
            "held_by": largest.held_by,
            "held_in": largest.year,
            "reverse_dcf": [
                {
                    "rate": dcf.rate,
                    "run_rate_usd": dcf.run_rate_usd,
                    "growth": dcf.growth,
                    "revenue_usd": list(dcf.revenue_usd),
                    "source": dcf.source,
                }
                for dcf in self.dcf
            ],
            "cycle": None if self.cycle is None else self.cycle.to_dict(),
            "text": self.summary,
        }

    @property
    def tightest(self) -> Impossible:
        """The joint and the year with the largest margin, possible or not."""
        worst = {j.joint: j.worst for j in self.joints if j.worst is not None}
        joint, (margin, year) = max(worst.items(), key=lambda item: item[1][0])
        return Impossible(joint, year, margin)

    @property
    def summary(self) -> str:
        """The answer in a few sentences."""
        unit, largest = self.target.unit, self.largest
        said = f"{_capital(self.target.text)}: {self.base} times {_times(self.factor)}. "
        if self.first_impossible is None:
            said += "Every joint can be reached from its pool in every year. "
        else:
            first = self.first_impossible
            said += (
                f"The first impossible joint is {first.joint} in {first.year}, which needs "
                f"{first.margin:.3g} times what this firm can reach. "
            )
        if math.isfinite(largest.value_usd):
            low, mid, high = (
                format_quantity(usd, "USD")
                for usd in (largest.low_usd, largest.value_usd, largest.high_usd)
            )
            said += f"The largest worth that supply carries is {mid} ({low} to {high})"
        else:
            size = f"{_times(largest.factor)} times {self.base}"
            said += f"It is worth nothing; the largest that supply carries is {size}"
        if self.target.kind != "value":
            said += f", with {format_quantity(largest.amount, unit)}"
        return f"{said}, held by {largest.held_by} in {largest.year}."

    def text(self) -> str:
        """The whole answer as a table for a terminal."""
        from lineshaft.require.show import text

        return text(self)

    def __repr__(self) -> str:
        return f"Required({self.summary})"

    def _repr_html_(self) -> str:
        from lineshaft.require.show import table

        return table(self)


def _times(factor: float) -> str:
    return format_quantity(factor, "1")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
