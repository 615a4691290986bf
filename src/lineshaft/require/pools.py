"""The market pools: what supply there is, how it grows, and which share may be taken of it.

Every pool is a row of the catalog's `pools`. A year's reach is

    value × (1 + growth)^(year − year of the value) × share

and the pools of one joint add up (power comes from the grid and from turbines of one's own). The
shares are inputs of low confidence: what one firm may take, and what all builders in the United
States together may take. A pool is a statement on supply at today's growth, not a forecast.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from lineshaft import catalog
from lineshaft.catalog.loader import key_of
from lineshaft.errors import InputError, Problem
from lineshaft.tables import Array
from lineshaft.units import format_quantity

if TYPE_CHECKING:
    from lineshaft.catalog.loader import Row
    from lineshaft.scenario import Scenario

End = Literal["low", "mid", "high"]
Taker = Literal["share", "industry_share"]
ENDS: tuple[End, ...] = ("low", "mid", "high")
PER_WAFER = "packages per wafer"
"""The joint of the rows that say how many packages of a generation a wafer carries."""
NO_WAFER = frozenset({"ada", "blackwell-gb202"})
"""Generations of graphics cards, which have neither an interposer nor HBM."""


@dataclass(frozen=True, slots=True)
class Span:
    """A number with its range; all three are equal where no range is known."""

    low: float
    mid: float
    high: float

    def at(self, end: End) -> float:
        """The low end, the middle or the high end."""
        return float(getattr(self, end))


@dataclass(frozen=True, slots=True)
class Pool:
    """A supply that a joint of the line draws from."""

    name: str
    joint: str
    unit: str
    region: str
    value: Span
    """What there was in `year`."""
    year: float
    growth: Span
    """Growth per year."""
    share: Span
    """What one firm may take of it."""
    industry_share: Span
    """What all builders in the United States together may take of it."""
    source: str
    confidence: str
    """Of the value; growth and shares are mostly of low confidence."""
    weak: tuple[str, ...]
    """What is of low confidence, or an assumption."""

    @property
    def flow(self) -> bool:
        """Whether so much comes in each year, rather than being there."""
        return self.unit.endswith("/year")

    def reach(self, years: Array, taker: Taker = "share", end: End = "mid") -> Array:
        """[year] what `taker` can have of it, in the pool's unit."""
        grown = (1.0 + self.growth.at(end)) ** (years - self.year)
        share: Span = getattr(self, taker)
        return np.asarray(self.value.at(end) * grown * share.at(end), dtype=float)

    @property
    def text(self) -> str:
        """One line: value, growth, the share that one firm may take, and how sure that is."""
        low, mid, high = (100 * self.share.at(end) for end in ENDS)
        doubt = f"; low confidence: {', '.join(self.weak)}" if self.weak else ""
        return (
            f"{self.name} ({self.region}): {format_quantity(self.value.mid, self.unit)} in "
            f"{self.year:.0f}, {100 * self.growth.mid:+.3g} %/year; one firm may take {mid:.3g} % "
            f"({low:.3g} to {high:.3g}){doubt}"
        )


def pools_of(
    scenario: Scenario, shares: Mapping[str, float] | None = None
) -> dict[str, tuple[Pool, ...]]:
    """The pools by joint; world GDP is the scenario's own.

    `shares` says what one firm may take instead, by joint or pool. Raises InputError with every
    name that is neither and every share that is not above 0 and at most 1.
    """
    pools = [_pool(row, scenario) for row in catalog.table("pools") if row["joint"] != PER_WAFER]
    asked = {key_of(name): share for name, share in (shares or {}).items()}
    names = {key_of(name): name for pool in pools for name in (pool.joint, pool.name)}
    problems = [_wrong_share(name, share, names) for name, share in (shares or {}).items()]
    if any(problems):
        raise InputError(problem for problem in problems if problem is not None)
    found: dict[str, tuple[Pool, ...]] = {}
    for pool in pools:
        share = asked.get(key_of(pool.name), asked.get(key_of(pool.joint)))
        if share is not None:
            weak = tuple(what for what in pool.weak if what != "share")
            pool = replace(pool, share=Span(share, share, share), weak=weak)
        found[pool.joint] = (*found.get(pool.joint, ()), pool)
    return found


def _wrong_share(name: str, share: float, names: Mapping[str, str]) -> Problem | None:
    if key_of(name) not in names:
        near = difflib.get_close_matches(key_of(name), names, n=1, cutoff=0.5)
        hint = f"did you mean {names[near[0]]!r}?" if near else "`lineshaft catalog pools` lists"
        return Problem("", "--share", f"there is no pool {name!r}", ", ".join(names.values()), hint)
    if not 0 < share <= 1:
        return Problem("", "--share", f"{name} = {share:g}", "above 0 and at most 1")
    return None


def reach(pools: Sequence[Pool], years: Array, taker: Taker = "share", end: End = "mid") -> Array:
    """[year] what all pools of a joint give together."""
    return np.asarray(sum(pool.reach(years, taker, end) for pool in pools), dtype=float)


@cache
def packages_per_wafer(generation: str) -> float:
    """Accelerator packages that one CoWoS wafer carries; infinite where none is needed."""
    if generation in NO_WAFER:
        return float("inf")
    rows = [r for r in catalog.table("pools") if r.text("joint") == PER_WAFER]
    other = next(r for r in rows if r["generation"] is None)
    found = next((r for r in rows if r["generation"] == generation), other)
    return found.number("value")


def _pool(row: Row, scenario: Scenario) -> Pool:
    value, year = _value(row, scenario)
    return Pool(
        name=row.text("name"),
        joint=row.text("joint"),
        unit=row.text("unit"),
        region=row.text("region"),
        value=value,
        year=year,
        growth=_span(row, "growth_per_year"),
        share=_span(row, "share") if row["share"] is not None else Span(0.0, 0.0, 0.0),
        industry_share=_span(row, "industry_share"),
        source=f"{row.text('source')} ({row['as_of']})",
        confidence=row.text("confidence"),
        weak=tuple(
            what
            for column, what in (
                ("value", "value"),
                ("growth_per_year", "growth"),
                ("share", "share"),
            )
            if row.confidence_of(column) == "low"
        ),
    )


def _value(row: Row, scenario: Scenario) -> tuple[Span, float]:
    """The value and its year: the row's, or that of where the row says it stands."""
    if row["value"] is not None:
        return _span(row, "value"), row.number("year")
    table, *path = row.text("of").split()
    if table == "scenario":
        gdp = scenario.value.world_gdp_usd
        return Span(float(gdp.ppf(0.1)), gdp.median, float(gdp.ppf(0.9))), float(
            scenario.value.world_gdp_year
        )
    name, column = path
    value = catalog.find(table, name).number(column)
    return Span(value, value, value), row.number("year")


def _span(row: Row, column: str) -> Span:
    middle = row.number(column)
    low, high = row.span(column) or (middle, middle)
    return Span(low, middle, high)
