"""`[plant]`: climate, tariff, cooling and grid connection of every site."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import field_validator, model_validator

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    GrowthPerYear,
    Positive,
    Power,
    Section,
    Share,
    Text,
    UsdPerKwh,
    default,
    quantity,
)

CertainShare = Annotated[float, quantity("1", ge=0, le=1, uncertain=False)]
UsdPerKwMonth = Annotated[Distribution, quantity("USD/kW/month", ge=0)]
UsdPerL = Annotated[Distribution, quantity("USD/L", ge=0)]
KgPerKwh = Annotated[Distribution, quantity("kg/kWh", ge=0)]
Rejection = Literal["dry", "tower", "hybrid", "chiller"]

CLIMATE, TARIFF = "Ashburn VA", "us large load"
_ASSUMED = "assumed, no public source"


class Site(Section):
    """The plant of a campus or of a floor site. A site without a row has these defaults."""

    name: Text
    """Name of a `[[build.campus]]` or a `[[floor.site]]`."""
    climate: Text | None = default(None)
    """Catalog row of `climates`; default: the one of the site's name, else Ashburn VA, in the
    largest market."""
    tariff: Text = default(TARIFF)
    """Catalog row of `tariffs`: energy price, demand charge, carbon intensity."""
    usd_per_kwh: UsdPerKwh | None = default(None)
    """Energy price on the first day; default: the tariff's."""
    usd_per_kwh_growth: GrowthPerYear = default("0.01 to 0.04", source=_ASSUMED, confidence="low")
    """Yearly rise of the energy price and of the demand charge."""
    usd_per_kw_month: UsdPerKwMonth | None = default(None)
    """Charge on the month's highest load; default: the tariff's."""
    kg_per_kwh: KgPerKwh | None = default(None)
    """Carbon (CO2) intensity on the first day; default: the tariff's."""
    kg_per_kwh_growth: GrowthPerYear = default("-0.05 to 0", source=_ASSUMED, confidence="low")
    """Yearly change of the carbon intensity."""
    usd_per_l: UsdPerL = default("0.001 to 0.004", source=_ASSUMED, confidence="low")
    """Price of water, sewage included where it applies, on the first day."""
    usd_per_l_growth: GrowthPerYear = default("0.02 to 0.06", source=_ASSUMED, confidence="low")
    """Yearly rise of the price of water."""
    grid_w: Power | None = default(None)
    """Facility power that the connection allows; default: 1.3 times the IT power of all its
    halls, or no limit where there are none."""
    liquid_share: CertainShare = default(
        0.8, source="0.75-0.98 with direct liquid cooling (trade pages)", confidence="low"
    )
    """Share of the IT heat that cold plates take; 0 is an air-cooled hall."""
    rejection: Rejection = default("dry")
    """How heat leaves: dry coolers, cooling towers, hybrid coolers, or chillers."""
    house_share: Share = default("0.2 % to 1 %", source=_ASSUMED, confidence="low")
    """Lights, offices, controls and heaters, per IT power energised."""
    other_w: Power = default(0)
    """Base load of the site besides, for example the lights of a warehouse."""
    overhead: Positive = default(
        "0.85 to 1.18",
        source="a PUE of about 1.1 known to 0.01-0.03 (validation against NREL ESIF: 0.015)",
        confidence="low",
    )
    """Factor on the losses and cooling that the plant's model gives."""
    tenant_load: Share = default("0.5 to 0.9", source=_ASSUMED, confidence="low")
    """Load of tenants on the IT power that they lease."""

    @field_validator("climate")
    @classmethod
    def _climate(cls, name: str | None) -> str | None:
        return name if name is None else _known("climates", name)

    @field_validator("tariff")
    @classmethod
    def _tariff(cls, name: str) -> str:
        return _known("tariffs", name)


class Plant(Section):
    """Power, cooling, water and tariffs, site by site."""

    site: tuple[Site, ...] = default(())
    """Sites that differ from the defaults."""

    @model_validator(mode="after")
    def _once(self) -> Plant:
        names = [s.name for s in self.site]
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                raise ValueError(f"plant.site: {name!r} is there {names.count(name)} times")
        return self


def _known(table: str, name: str) -> str:
    try:
        catalog.find(table, name)
    except InputError as error:
        problem = error.problems[0]
        raise ValueError(f"{problem.found} in {table}; {problem.allowed or problem.fix}") from None
    return name
