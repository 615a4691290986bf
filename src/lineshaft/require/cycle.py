"""How fast work could be automated at most: the cycle is computed, not assumed.

The whole is the work of the United States that is exposed to AI. In the mix and at the efficiency
of a scenario's last year, an hour of it a year takes accelerators, facility power, reviewers,
operators and robots, and power takes the craft hours of each trade and capital. From the scenario's
first year on, all builders together get their share of every pool: what is made piles up for its
life, what is there (people) is there. The automated share that resource j allows in year t is

    a_j(t) = stock_j(t) / (need_j × exposed work(t)),    a(t) = min_j a_j(t)

and the cycle is the time in which a goes from 10 % to 90 %. It is a lower bound: nobody has to want
it, nobody is wrong about where to build, and permits and lead times shift it without stretching it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft import catalog
from lineshaft.contracts.reasons import ROLES, TRADES
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.floor import robots_of
from lineshaft.parameters.hardware import fleet_rows, own
from lineshaft.require.joints import PEOPLE, WORKERS, crews_of
from lineshaft.require.pools import (
    NO_WAFER,
    End,
    Pool,
    packages_per_wafer,
    pools_of,
    reach,
)
from lineshaft.tables import Array
from lineshaft.words import or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lineshaft.line import Outcome
    from lineshaft.scenario import Scenario

WHOLE = "exposed work"
"""The joint of the pool that is the whole."""
HORIZON_YEARS = 200
CLAIMS_YEARS = (5, 50)
"""The two cycles that are spoken of: "five years" and "fifty years"."""
HALLS_LIFE_YEARS = 30.0
"""Years that power and halls stay: longer than any cycle that they hold."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What the work takes of one thing."""

    name: str
    pools: tuple[Pool, ...]
    per_hour: float
    """Stock of it that an hour of human work a year takes, in the pool's unit without "/year"."""
    life_years: float
    """Years that what comes in one year lasts; infinite for what is simply there."""
    factor: float = 1.0
    """Of the pool's unit into that of `per_hour`."""

    def stock(self, years: Array, taker_end: End) -> Array:
        """[year] what all builders have of it, from the first year on."""
        found = self.factor * reach(self.pools, years, "industry_share", taker_end)
        if not self.pools[0].flow:
            return found
        whole = np.cumsum(found)
        old = round(self.life_years)
        whole[old:] -= whole[:-old].copy() if old < len(whole) else 0.0
        return whole


@dataclass(frozen=True, slots=True)
class Cycle:
    """The fastest automation that the pools allow."""

    years: float
    """From 10 % to 90 %; infinite where 90 % is never reached."""
    low_years: float
    """With all pools at their high ends: the shortest."""
    high_years: float
    start: float
    """Calendar year in which 10 % is reached."""
    end: float
    held_by: str
    """The resource that holds it at its end, or at the highest share where it has no end."""
    by_resource: Mapping[str, float]
    """Years that each resource alone would take."""
    adoption_years: tuple[float, float] | None
    """Shortest and longest 10-to-90 % time that the scenario's own adoption curves assume."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; None for what never ends."""
        return {
            "years": or_none(self.years),
            "low_years": or_none(self.low_years),
            "high_years": or_none(self.high_years),
            "start": or_none(self.start),
            "end": or_none(self.end),
            "held_by": self.held_by,
            "by_resource": {name: or_none(years) for name, years in self.by_resource.items()},
            "adoption_years": None if self.adoption_years is None else list(self.adoption_years),
            "claims_years": list(CLAIMS_YEARS),
            "horizon_years": HORIZON_YEARS,
        }

    @property
    def text(self) -> str:
        """For people, beside the two cycles that are spoken of and what the scenario assumes."""
        when = f" ({self.start:.0f} to {self.end:.0f})" if math.isfinite(self.years) else ""
        alone = ", ".join(
            f"{name} {_years(years)}"
            for name, years in sorted(self.by_resource.items(), key=lambda item: -item[1])
        )
        five, fifty = CLAIMS_YEARS
        said = (
            "The cycle: from 10 % to 90 % of the work of the United States that is exposed to AI, "
            f"in this scenario's mix and at its efficiency, supply takes {_years(self.years)} "
            f"years{when}, {_years(self.low_years)} to {_years(self.high_years)} with all pools at "
            f"their high or low ends, beside the {five} and the {fifty} that are spoken of. "
            f"Held by {self.held_by}. Each alone, in years: {alone}."
        )
        if self.adoption_years is not None:
            low, high = self.adoption_years
            said += f" The scenario's own customers take {_years(low)} to {_years(high)} years."
        return said


def cycle(scenario: Scenario, outcome: Outcome | None = None) -> Cycle:
    """The fastest 10 to 90 % automation that trades, parts, power, robots and reviewers allow.

    `outcome` is the scenario's run, solved here where it is not given. Raises InputError where the
    run does no human work in its last year, so that nothing says what the work takes.
    """
    from lineshaft.characterise import characterise
    from lineshaft.line import run

    if outcome is None:
        outcome = run(scenario, characterise(scenario))
    pools = pools_of(scenario)
    resources = _resources(scenario, outcome, pools)
    first = float(outcome.parameters.calendar.year[0])
    years = first + np.arange(HORIZON_YEARS, dtype=float)
    ends: tuple[End, End, End] = ("high", "mid", "low")
    found = {end: _shares(resources, pools[WHOLE], years, end) for end in ends}
    joint = {end: _span(shares.min(axis=0), years) for end, shares in found.items()}
    middle = found["mid"]
    start, end_ = joint["mid"]
    spans = {end: _difference(span) for end, span in joint.items()}
    lowest = middle.min(axis=0)
    at = np.argmax(lowest >= 0.9) if (lowest >= 0.9).any() else np.argmax(lowest)
    return Cycle(
        years=spans["mid"],
        low_years=spans["high"],
        high_years=spans["low"],
        start=start,
        end=end_,
        held_by=resources[int(middle[:, at].argmin())].name,
        by_resource={
            r.name: _difference(_span(row, years)) for r, row in zip(resources, middle, strict=True)
        },
        adoption_years=_adoption(scenario),
    )


def _shares(
    resources: Sequence[Resource], whole: tuple[Pool, ...], years: Array, end: End
) -> Array:
    """[resource, year] share of the exposed work that each resource allows."""
    hours = reach(whole, years, "industry_share")
    return np.stack([r.stock(years, end) / (r.per_hour * hours) for r in resources])


def _span(share: Array, years: Array) -> tuple[float, float]:
    """Years in which the share first passes 10 % and 90 %, each share being reached at the end of
    its year; infinite where it never does."""

    def passes(level: float) -> float:
        if not (share >= level).any():
            return math.inf
        i = int(np.argmax(share >= level))
        before = share[i - 1] if i else 0.0
        return float(years[i] + (level - before) / (share[i] - before))

    return passes(0.1), passes(0.9)


def _difference(span: tuple[float, float]) -> float:
    return span[1] - span[0] if math.isfinite(span[1]) else math.inf


def _resources(
    scenario: Scenario, outcome: Outcome, pools: dict[str, tuple[Pool, ...]]
) -> list[Resource]:
    """What an hour of human work takes, from the last twelve months of the run."""
    x = outcome.tables
    last = slice(-12, None)
    sells = outcome.parameters.value.sells_tokens
    done = x.accepted.accepted[last, :, 0].sum(axis=0)
    hours = float((done * outcome.parameters.value.task_h[:, 0])[~sells].sum())
    if hours <= 0:
        raise InputError(
            Problem(
                "",
                "agents.kind",
                "nobody's work is done in the last year of the run",
                "accepted tasks of at least one kind that is no sale of tokens",
                "see what limits the work with `lineshaft run`",
            )
        )
    year = 12 / min(12, len(x.dims.labels["month"]))
    hours *= year
    found = []
    cost = x.task_costs.token_usd[last, :, 0] * x.accepted.accepted[last, :, 0]
    for_work = float(cost[:, ~sells].sum() / max(cost.sum(), 1e-300))
    found += _compute(scenario, outcome, pools, for_work / hours)
    for r, role in enumerate(ROLES):
        used = x.people.available_min[last, r, 0] - x.people.idle_min[last, r, 0]
        busy = used.sum() / max(x.people.available_min[last, r, 0].sum(), 1e-300)
        people = float(x.people.headcount[last, r, 0].mean() * busy)
        found.append(Resource(PEOPLE[role], pools[PEOPLE[role]], people / hours, math.inf))
    for name, machine in robots_of(scenario).items():
        row = catalog.find("robots", machine.robot)
        joint, k = f"robots: {row.text('kind')}", x.dims.index("kind", name)
        if joint in pools and machine.life_years is not None:
            owned = float(x.robots.owned[last, k, 0].mean())
            found.append(Resource(joint, pools[joint], owned / hours, machine.life_years.median))
    return [r for r in found if r.per_hour > 0]


def _compute(
    scenario: Scenario, outcome: Outcome, pools: dict[str, tuple[Pool, ...]], per_hour: float
) -> list[Resource]:
    """Wafers, HBM, power, workers of the trades and capital; `per_hour` is the part of the run's
    compute that an hour of human work takes."""
    x, last = outcome.tables, slice(-12, None)
    rows, fleets = fleet_rows(scenario), own(x.dims)
    chips = x.states.installed[last, :, 0].mean(axis=0)
    held = [
        (rows[f], float(chips[f])) for f in fleets if rows[f].text("generation") not in NO_WAFER
    ]
    power = float(x.powered.peak_w[last, :, 0].sum(axis=1).mean()) * per_hour
    if not held or power <= 0:
        return []
    life = float(np.average([row.number("life_years") for row, _ in held]))
    wafers = sum(n / packages_per_wafer(row.text("generation")) for row, n in held) * per_hour
    memory = sum(n * row.number("memory_bytes") for row, n in held) * per_hour
    found = [
        Resource("packages", pools["packages"], wafers, life),
        Resource("HBM", pools["HBM"], memory, life),
        Resource("power", pools["power"], power, HALLS_LIFE_YEARS),
    ]
    energised = float(x.energised.it_w[last, :, 0].sum(axis=1).mean())
    worked = x.crews.worked_h[:, :, 0].sum(axis=0)
    if energised > 0:
        for trade, crew in crews_of(scenario, outcome).items():
            # a trade works its hours once for each watt of halls: its years of work pile up
            hours = float(worked[TRADES.index(trade)])
            if WORKERS[trade] in pools and hours > 0:
                need = hours * per_hour / (12 * crew.hours_per_worker_month)
                made = _yearly(pools[WORKERS[trade]])
                found.append(Resource(WORKERS[trade], made, need, HALLS_LIFE_YEARS))
        capex = float(x.worth.construction_usd.sum() + x.worth.accelerator_usd.sum())
        lives = max(1.0, len(x.dims.labels["month"]) / 12 / life)
        found.append(Resource("capex", pools["capex"], capex / lives * per_hour, life))
    return found


def _yearly(pools: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """Pools of people as the years of work that they do in a year."""
    return tuple(replace(pool, unit=f"{pool.unit}/year") for pool in pools)


def _adoption(scenario: Scenario) -> tuple[float, float] | None:
    curves = [
        k.adoption
        for k in scenario.agents.kind
        if k.adoption.curve == "logistic" and k.adoption.share_at_start.median < 1
    ]
    if not curves:
        return None
    low = min(float(a.years_10_to_90.ppf(0.05)) for a in curves)
    return low, max(float(a.years_10_to_90.ppf(0.95)) for a in curves)


def _years(years: float) -> str:
    return f"{years:.3g}" if math.isfinite(years) else f"more than {HORIZON_YEARS}"
