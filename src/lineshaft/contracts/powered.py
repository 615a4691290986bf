"""plant → oversee, value: energy, water, carbon and the bill, by site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.contracts.reasons import reason
from lineshaft.tables import Array, Codes, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Powered(Table):
    """Energy by site: facility = IT + losses + cooling + floor + other."""

    KEYS: ClassVar = ("month", "site")

    it_j: Array = column("J", "energy of the accelerators and their servers")
    losses_j: Array = column("J", "energy lost in the electrical chain")
    cooling_j: Array = column("J", "energy of pumps, fans and chillers")
    floor_j: Array = column("J", "energy of robots and their chargers")
    other_j: Array = column("J", "lighting, offices and other base load")
    facility_j: Array = column("J", "energy taken from the grid or own supply")
    peak_w: Array = column("W", "highest facility power of the month")
    pue: Array = column("1", "facility energy over IT energy; 0 where there is no IT")
    water_l: Array = column("L", "water evaporated and blown down")
    carbon_kg: Array = column("kg", "CO2 of the energy bought")
    energy_usd: Array = column("USD", "energy charge")
    demand_usd: Array = column("USD", "demand charge on the peak")
    water_usd: Array = column("USD", "water bought")
    bill_usd: Array = column("USD", "energy, demand charge and water")
    derate: Array = column("1", "share of the IT power that plant and grid allow next month")
    binding: Codes = reason("`grid`, `power` or `water` where the plant limits the load")
