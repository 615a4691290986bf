"""`[build]`: campuses, the phases they are built in, the crews, and the accelerators ordered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema, field_validator, model_validator

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    Accelerators,
    Days,
    Money,
    Positive,
    Power,
    RatePerYear,
    Section,
    Share,
    Text,
    UsdPerW,
    YearMonth,
    default,
    quantity,
)
from lineshaft.scenario.uncertain import read_uncertain
from lineshaft.units import QuantityError
from lineshaft.words import suggestion

Trade = Literal["concrete", "steel", "electrical", "pipe", "hvac", "other"]
Part = Literal["transformer", "switchgear", "genset", "ups", "chiller", "cdu", "optics"]

CraftHours = Annotated[Distribution, quantity("hour/MW", gt=0)]
PositivePower = Annotated[Distribution, quantity("W", gt=0)]
AtLeastOne = Annotated[int, quantity("1", ge=1, whole=True)]
CertainPositive = Annotated[float, quantity("1", gt=0, uncertain=False)]
CertainShare = Annotated[float, quantity("1", ge=0, le=1, uncertain=False)]
PositiveShare = Annotated[float, quantity("1", gt=0, le=1, uncertain=False)]
CertainWeeks = Annotated[float, quantity("week", ge=0, uncertain=False)]
CertainYears = Annotated[float, quantity("year", gt=0, uncertain=False)]
CertainHours = Annotated[float, quantity("hour", gt=0, le=168, uncertain=False)]
Workers = Annotated[float, quantity("person", ge=0, uncertain=False)]
WorkersPerMonth = Annotated[float, quantity("person/month", ge=0, uncertain=False)]
WorkersPerYear = Annotated[float, quantity("person/year", ge=0, uncertain=False)]

_LEAD = "weeks such as 30, '26 to 52', or [30, 38] for P10 and P90"
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def _lead(value: Any) -> Any:
    """P10 and P90 in weeks of what was written; equal ends are a certain time."""
    if isinstance(value, (list, tuple)):
        ends = [read_uncertain(end, "week").median for end in value]
        if len(ends) != 2:
            raise QuantityError(f"{value!r} is no lead time", _LEAD)
    else:
        number = read_uncertain(value, "week")
        ends = [number.median] * 2 if number.fixed else [float(number.ppf(p)) for p in (0.1, 0.9)]
    if not 0 < ends[0] <= ends[1] and ends != [0, 0]:
        raise QuantityError(f"{value!r} is no lead time", f"{_LEAD}; 0 is there already")
    return ends[0], ends[1]


def _when(value: Any) -> Any:
    """A month, or weeks."""
    if isinstance(value, str) and _MONTH.fullmatch(value.strip()):
        return value.strip()
    return _lead(value)


_FORMS: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string"}, {"type": "array"}, {"type": "object"}],
    "x-unit": "week",
}
Lead = Annotated[tuple[float, float], BeforeValidator(_lead), WithJsonSchema(_FORMS)]
When = Annotated[str | tuple[float, float], BeforeValidator(_when), WithJsonSchema(_FORMS)]

_ASSUMED = "assumed, no public source"


class Campus(Section):
    """A place with halls. Its climate and tariff stand in `[[plant.site]]`."""

    name: Text
    """What the campus is called."""
    existing_it_w: Power = default(0)
    """IT power of halls that are on when the scenario starts."""

    @field_validator("existing_it_w")
    @classmethod
    def _sure(cls, number: Distribution) -> Distribution:
        return certain(number)


class Phase(Section):
    """A part of a campus that is started, paid and finished as one."""

    name: Text
    """What the phase is called."""
    campus: Text
    """Campus that it belongs to."""
    start: YearMonth | None = default(None)
    """Earliest month of ground-breaking; default: the scenario's first month."""
    it_w: PositivePower
    """IT power of its halls together, certain: the schedule is made for it."""
    halls: AtLeastOne = default(4, source="Stargate Abilene: a building of 4 halls (ENR on DPR)")
    """Halls, of equal power, built side by side as crews allow."""
    cost_usd_per_w: UsdPerW = default(
        "10.1 to 16.3 USD/W",
        source="Cushman & Wakefield 2025: 9.3-15.0 over 19 US markets; Turner & Townsend 2025-26: "
        "7-10 % more for liquid-cooled AI halls",
        confidence="medium",
    )
    """Construction cost per watt of IT power, without land, soft cost and accelerators."""
    craft_hours_per_mw: CraftHours = default(
        15_000,
        source="median of triangular(8,000, 14,000, 24,000), derived from Stargate Abilene: 1.2 M "
        "hours in 8 months for 200 MW (The Information), about 6,200 workers a day for 1.2 GW "
        "(CNBC)",
        confidence="low",
    )
    """Craft hours per MW of IT power, 8,000 to 24,000. The schedule is made for the median, and
    its risk holds already how projects differ: a range comes on top of it, and slows the phase
    where crews are short."""
    order_weeks: CertainWeeks = default(
        26, source="design takes 3-6 months (cortexconstruct.com)", confidence="low"
    )
    """Weeks before its start at which parts are ordered."""
    lead_weeks: Mapping[Part, Lead] = default({})
    """Lead times by part, {transformer = "104 to 208", cdu = 30}; default: the catalog's. 0 is
    there already. Parts: transformer (of the building), switchgear, genset, ups, chiller, cdu,
    and optics, which counts only where it is named."""
    permit: When | None = default(None)
    """Building permit: a month, or weeks after the start. Default: there already. The catalog's
    `permits` has durations."""
    grid: When | None = default(None)
    """Grid connection: a month, or weeks after the start. Default: there already. The catalog's
    `permits` has durations."""

    @field_validator("it_w")
    @classmethod
    def _sure(cls, number: Distribution) -> Distribution:
        return certain(number)


class Crew(Section):
    """The workers of one trade, over all campuses. A trade without a row gets the default crew:
    enough for the plan's busiest three months, half of it there at the start."""

    name: Trade
    """Trade: concrete, steel, electrical, pipe, hvac or other."""
    headcount: Workers
    """Journeymen in the scenario's first month."""
    hires_per_month: WorkersPerMonth = default(0)
    """Journeymen (travellers) hired each month until there are `most`."""
    most: Workers | None = default(None)
    """Most journeymen; default: no limit. Apprentices come on top."""
    apprentices_per_year: WorkersPerYear = default(0)
    """Apprentices who begin each year."""
    apprentice_years: CertainYears | None = default(None)
    """Years of an apprenticeship; default: the trade's in the catalog."""
    completion: PositiveShare | None = default(None)
    """Share of apprentices who complete; default: the trade's in the catalog."""
    apprentice_productivity: CertainShare = default(0.4, source=_ASSUMED, confidence="low")
    """Of a beginner against a journeyman; rises straight to 1 at the end."""
    hours_per_week: CertainHours = default(50, source=_ASSUMED, confidence="low")
    """Paid hours of a worker in a week."""
    at_work_share: PositiveShare = default(0.85, source=_ASSUMED, confidence="low")
    """Share of them at work on site: without absence, weather and waiting."""

    @model_validator(mode="after")
    def _room(self) -> Crew:
        if self.most is not None and self.most < self.headcount:
            raise ValueError(f"most = {self.most:g} is below headcount = {self.headcount:g}")
        return self


class Order(Section):
    """An order of accelerators for a campus: one for each accelerator type there. Those that are
    there and paid when the scenario starts are an order with `first` then and a price of 0."""

    name: Text
    """What the order is called."""
    campus: Text
    """Campus that it goes to."""
    accelerator: Text
    """Catalog row of `accelerators`."""
    count: Accelerators
    """How many."""
    first: YearMonth
    """Month of the first delivery."""
    months: AtLeastOne = default(12, source=_ASSUMED, confidence="low")
    """Months over which they are delivered, evenly."""
    allotted: Share = default(1)
    """Share of each month's delivery that the supplier allots where chips are scarce: the order
    then takes longer, it does not get smaller."""
    price_usd: Money | None = default(None)
    """Price of the accelerator alone at the scenario's start; default: the catalog row's."""
    all_in: Positive = default(
        "1.7 to 2.1",
        source="GB200 NVL72 5.0 MUSD a rack with network and H100 50,000 USD all in "
        "(greaterwrong.com 2025) over 36,742 and 23,238 USD for the accelerator (Epoch AI)",
        confidence="low",
    )
    """Factor on the price for servers, network and storage."""
    price_decline_per_year: Share = default(
        "7 % to 18 %",
        source="Epoch AI, Nvidia annual prices: GB200 -7 % 2024-25, H100 -18 % a year 2023-25",
        confidence="medium",
    )
    """Yearly fall of the price of the same type."""
    life_years: CertainYears | None = default(None)
    """Years from delivery to retirement; default: the catalog row's."""
    refresh: bool = default(True)
    """Whether retired ones are replaced by new ones of the same type."""
    it_w: PositivePower | None = default(None)
    """IT power of an accelerator with its server; default: the catalog row's."""
    cluster_overhead: Positive = default("1.05 to 1.15", source=_ASSUMED, confidence="low")
    """Factor on that power for the cluster's network, storage and head nodes."""
    failures_per_year: RatePerYear | None = default(None)
    """Failures of an accelerator in a year; default: the catalog row's."""
    repair_days: Days = default("2 to 10", source=_ASSUMED, confidence="low")
    """Days until a failed one works again."""

    @field_validator("accelerator")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            catalog.find("accelerators", name)
        except InputError as error:
            problem = error.problems[0]
            raise ValueError(f"{problem.found}; {problem.allowed or problem.fix}") from None
        return name

    @field_validator("allotted")
    @classmethod
    def _some(cls, number: Distribution) -> Distribution:
        if number.median <= 0:
            raise ValueError("with nothing allotted the order never comes: more than 0 is wanted")
        return number


class Build(Section):
    """Campuses, phases, crews, parts, and the accelerators that fill the halls."""

    campus: tuple[Campus, ...] = default(())
    """Places with halls."""
    phase: tuple[Phase, ...] = default(())
    """What is built, in the order of priority where two phases start in the same month."""
    crew: tuple[Crew, ...] = default(())
    """Workers by trade; trades without a row get the default crew."""
    crew_factor: CertainPositive = default(1)
    """Factor on the size of the default crews."""
    accelerators: tuple[Order, ...] = default(())
    """Orders of accelerators."""
    risk: bool = default(True)
    """Whether durations and lead times vary over the draws; false holds them at their medians."""
    samples: AtLeastOne = default(512)
    """Worlds of the schedule that the draws are taken from."""
    slip: CertainPositive = default(
        1.31,
        source="Atif Ansar, Foresight/Oxford (fierce-network.com): 9 of 10 data centres late, by "
        "34 % on average; a lognormal with that mean and share has the median 1.31",
        confidence="medium",
    )
    """Median of realised over planned duration; 1 where the plan holds its contingency."""

    @model_validator(mode="after")
    def _consistent(self) -> Build:
        for items, what in (
            (self.campus, "campus"),
            (self.phase, "phase"),
            (self.crew, "crew"),
            (self.accelerators, "accelerators"),
        ):
            _once(f"build.{what}", [item.name for item in items])
        names = [c.name for c in self.campus]
        for p in self.phase:
            _there(f"phase {p.name!r}", p.campus, names)
        for order in self.accelerators:
            _there(f"accelerators {order.name!r}", order.campus, names)
        rows = [
            (o.campus, catalog.find("accelerators", o.accelerator).text("name"))
            for o in self.accelerators
        ]
        _once("build.accelerators (campus and type)", [f"{a} / {b}" for a, b in rows])
        return self


def certain(number: Distribution) -> Distribution:
    """The number, where it is no range; ValueError where it is."""
    if not number.fixed:
        raise ValueError("a range is not allowed here: the halls are planned for one power")
    return number


def _once(where: str, names: Iterable[str]) -> None:
    names = list(names)
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise ValueError(f"{where}: {name!r} is there {names.count(name)} times")


def _there(who: str, campus: str, names: list[str]) -> None:
    if campus not in names:
        hint = suggestion(campus, names) or "add a [[build.campus]] of that name"
        known = ", ".join(names) or "none"
        raise ValueError(f"{who}: there is no campus {campus!r} (there is {known}); {hint}")
