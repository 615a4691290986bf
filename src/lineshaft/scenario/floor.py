"""`[floor]`: sites with robots, and the robots of each embodied kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import field_validator, model_validator

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.scenario.agents import (
    AtLeastOne,
    DaysPerWeek,
    HoursPerDay,
    in_catalog,
    month_path,
    unique,
)
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    GrowthPerYear,
    Minutes,
    Money,
    NonNegative,
    Positive,
    Section,
    Share,
    Text,
    Whole,
    default,
    quantity,
)

Robots_ = Annotated[Distribution, quantity("robot", ge=0)]
PositiveYears = Annotated[Distribution, quantity("year", gt=0)]
Certain = Annotated[float, quantity("1", gt=0, uncertain=False)]
CertainShare = Annotated[float, quantity("1", gt=0, le=1, uncertain=False)]
CertainHours = Annotated[float, quantity("hour", gt=0, uncertain=False)]
CertainMetres = Annotated[float, quantity("m", gt=0, uncertain=False)]
CertainSpeed = Annotated[float, quantity("m/s", gt=0, uncertain=False)]
Preset = Literal["stow arm", "pick arm", "amr", "sorter", "weld cell", "drone", "counter"]
_TASKS = {"arm_stow": "stow arm", "arm_pick": "pick arm", "cell": "weld cell", "drone": "drone"}
"""Task by the name of a robot's catalog row, or by its kind."""


class Site(Section):
    """A warehouse, factory or drone hub. Its climate and tariff stand in `[[plant.site]]`."""

    name: Text
    """What the site is called."""
    hours_per_day: HoursPerDay = default(16, confidence="low")
    """Hours a day in which its robots work."""
    days_per_week: DaysPerWeek = default(7, confidence="low")
    """Days a week in which its robots work."""


class Robots(Section):
    """The robots of one embodied kind of work."""

    name: Text
    """Name of the `[[agents.kind]]` whose agents they are."""
    site: Text | None = default(None)
    """Name of the `[[floor.site]]` where they work; default: the first."""
    robot: Text = default("amr")
    """Catalog row of `robots`: price, life, availability, hours on a charge."""
    task: Preset = default("amr")
    """What they do: stow arm, pick arm, amr, sorter, weld cell, drone or counter; default: what
    the row is made for."""

    count: Robots_ = default("10 robots")
    """Robots on the first day."""
    owned_at_start: bool = default(False)
    """Whether those are owned already, of even ages; else they are bought in the first month."""
    growth_per_year: GrowthPerYear = default(0)
    """Growth of their number, after the last month of `path` where there is one."""
    path: Mapping[str, float] = default({})
    """Robots by month, {"2027-01" = 100}: straight lines between the months."""
    price_usd: Money | None = default(None)
    """Price of one, installed; default: the row's, with its range."""
    price_decline_per_year: Share = default(0, confidence="low")
    """Yearly fall of the price."""
    life_years: PositiveYears | None = default(None)
    """Years until one is replaced; default: the row's, with its range."""

    attempts: AtLeastOne = default(1)
    """Physical attempts at a task before it is left to a human."""
    rho: Annotated[float, quantity("1", ge=0, le=1, uncertain=False)] = default(
        0.5, confidence="low"
    )
    """Correlation of two attempts at the same task."""
    pace: Positive = default("0.85 to 1.15", confidence="low")
    """Factor on the attempts an hour that follow from the skills."""
    success: CertainShare | None = default(None)
    """Success of the task's hardest skill; default: the skill's."""
    distance_m: CertainMetres | None = default(None)
    """One-way path of a moving robot; default: 60 m on a floor, by air two thirds of the row's
    radius, the mean over its disc."""
    speed_m_per_s: CertainSpeed | None = default(None)
    """Cruising speed; default: the row's."""
    free_cells: Whole | None = default(None)
    """Cells of shared floor; default: 40 a robot for kinds that share a floor."""
    stations: Whole | None = default(None)
    """Stations that the robots share; default: one for 5 robots on a floor, for 3 drones."""
    run_hours: CertainHours | None = default(None)
    """Work on one charge; default: the row's, or the task's."""
    charge_hours: CertainHours | None = default(None)
    """Time on the charger after that; default: the row's, or the task's."""
    charger_efficiency: CertainShare | None = default(None)
    """Energy in the battery over energy drawn; default: 0.9, or 1 on a cable. Low confidence."""
    availability: CertainShare | None = default(None)
    """Share of working time without a breakdown; default: the row's, or the task's."""
    repair_hours: CertainHours = default(2, confidence="low")
    """Mean time to repair a breakdown."""
    interventions_per_1000: NonNegative | None = default(None)
    """Times that a robot stops for a human, per 1,000 attempts; default: a share of the failed
    ones (all of them would be 140 for stowing and 90 for picking at Amazon)."""
    minutes_per_intervention: Minutes = default("1 min to 4 min", confidence="low")
    """Operator minutes for one."""

    @model_validator(mode="before")
    @classmethod
    def _row(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        try:
            row = catalog.find("robots", str(data.get("robot", "amr")))
        except InputError:
            return data
        name, kind = row.text("name"), row.text("kind")
        found: dict[str, Any] = {"task": _TASKS.get(name) or _TASKS.get(kind, "amr")}
        for field in ("price_usd", "life_years"):
            value, ends = row.get(field), row.span(field)
            if value is not None:
                found[field] = {"p50": value, "p95": ends[1]} if ends else value
        return found | dict(data)

    @field_validator("robot")
    @classmethod
    def _known(cls, name: str) -> str:
        return in_catalog("robots", name)

    @field_validator("path")
    @classmethod
    def _months(cls, path: Mapping[str, float]) -> Mapping[str, float]:
        return month_path(path)


class Floor(Section):
    """Sites with robots."""

    site: tuple[Site, ...] = default(())
    """Warehouses, factories, drone hubs."""
    robots: tuple[Robots, ...] = default(())
    """Robots, one item for each embodied kind of work."""

    @model_validator(mode="after")
    def _checked(self) -> Floor:
        unique("floor.site", [s.name for s in self.site])
        unique("floor.robots", [r.name for r in self.robots])
        names = [s.name for s in self.site]
        for r in self.robots:
            if r.site is not None and r.site not in names:
                raise ValueError(
                    f"floor.robots {r.name!r}: there is no site {r.site!r}; "
                    f"sites are {', '.join(names) or 'none'}"
                )
            if not names:
                raise ValueError(f"floor.robots {r.name!r}: there is no [[floor.site]] to work at")
        return self
