"""The monthly half of `plant`: energy, water, carbon and the bill of every site.

The curve gives losses, cooling and water as shares of the IT energy, by calendar month and load.
They are used as power per watt of plant (share times load), linear between the loads and down to
none, so that what a plant draws without any load stays when the load goes. The plant grows with
the halls: its size in a month is the IT power that is energised.

What the grid connection and the hottest hour allow is the derating of next month's IT power; it
is judged on the IT power that is energised now, so a hall that comes on then is not in it yet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import PlantCurve
from lineshaft.contracts.done import Robots
from lineshaft.contracts.energised import Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.powered import Powered
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.served import States
from lineshaft.tables import Array, Dims, param

_KWH_J = 3.6e6
_GRID = 200
"""Steps of the load in the table that all sites share: it holds all loads of the curves."""
_LOSS, _COOLING, _PEAK, _WATER = range(4)


@dataclass(frozen=True, slots=True)
class Params:
    """What `plant` needs besides its curves."""

    fleet_site: NDArray[np.int64]
    """[fleet] index of the site, −1 for rented accelerators."""
    kind_site: NDArray[np.int64]
    """[kind] index of the site where its robots work, −1 for software kinds."""
    grid_w: Array = param("W", "facility power that the connection allows", ("site",))
    other_w: Array = param("W", "base load of the site, power on or not", ("site",))
    house_share: Array = param("1", "lights, offices, controls per energised IT power", ("site",))
    tenant_load: Array = param("1", "load of tenants on the power they lease", ("site",))
    floor_peak: Array = param("1", "busiest hour over mean of the floor's load", ("site",))
    overhead: Array = param("1", "factor on losses and cooling of the curve", ("site",))
    usd_per_kwh: Array = param("USD/kWh", "energy price", ("month", "site"))
    usd_per_kw: Array = param("USD/kW", "demand charge per month", ("month", "site"))
    usd_per_l: Array = param("USD/L", "water price", ("month", "site"))
    kg_per_kwh: Array = param("kg/kWh", "carbon intensity", ("month", "site"))


class Plant:
    """Turns loads into energy, water, carbon and money."""

    def __init__(
        self, params: Params, dims: Dims, calendar: Calendar, curves: dict[int, PlantCurve]
    ) -> None:
        """`curves` maps a site to its curve; sites without accelerators need none."""
        self.params, self.seconds, self.moy = params, calendar.seconds, calendar.month_of_year
        sites = dims.size("site")
        number = np.arange(sites)[:, None]
        self.of_fleet = (params.fleet_site == number).astype(float)
        self.of_kind = (params.kind_site == number).astype(float)
        # [month of year, site * (grid + 1), 4] power and water per watt of plant
        table = np.zeros((12, sites, _GRID + 1, 4))
        at = np.linspace(0.0, 1.0, _GRID + 1)
        self.cool = np.ones((12, sites, dims.width))
        for s, c in curves.items():
            parts = (c.loss_share, c.cooling_share, c.peak_share, c.water_l_per_kwh)
            for i, part in enumerate(parts):
                for month in range(12):
                    table[month, s, :, i] = np.interp(at, *_from_zero(c.load, part[month]))
            self.cool[:, s] = np.minimum(c.derate, 1.0)[:, None]
        self.full_peak = table[:, :, -1, _PEAK, None]
        self.table = table.reshape(12, -1, 4)
        self.slope = np.append(np.diff(self.table, axis=1), self.table[:, :1], axis=1)
        self.row = number * (_GRID + 1)
        self.months = dims.size("month")

    def open(self, ledger: Ledger) -> None:
        """What the plant can cool in the first month."""
        ledger.derate[:] = self.cool[self.moy[0]]

    def advance(
        self,
        t: int,
        ledger: Ledger,
        energised: Energised,
        states: States,
        robots: Robots,
        powered: Powered,
    ) -> None:
        """Month `t`: loads, shares, peak, and what is allowed next month."""
        p, month, seconds = self.params, int(self.moy[t]), self.seconds[t]
        plant_w = energised.it_w[t]
        tenant_j = energised.leased_w[t] * p.tenant_load * seconds
        floor_j = _sums(self.of_kind, robots.energy_j[t])
        it_j = _sums(self.of_fleet, states.it_j[t]) + tenant_j
        it_peak_w = _sums(self.of_fleet, states.peak_w[t]) + tenant_j / seconds
        base_w = p.other_w + p.house_share * plant_w
        load = np.stack((it_j / seconds, it_peak_w)) / np.maximum(plant_w, 1.0)
        mean, peak = self._read(month, load)
        plant_j = plant_w * seconds
        over = p.overhead * plant_j
        losses_j, cooling_j = mean[..., _LOSS] * over, mean[..., _COOLING] * over
        other_j = base_w * seconds
        facility_j = it_j + losses_j + cooling_j + floor_j + other_j
        powered.it_j[t], powered.losses_j[t], powered.cooling_j[t] = it_j, losses_j, cooling_j
        powered.floor_j[t], powered.other_j[t], powered.facility_j[t] = floor_j, other_j, facility_j
        water_l = plant_j / _KWH_J * mean[..., _WATER]
        base_w = base_w + floor_j / seconds * p.floor_peak
        peak_w = it_peak_w + plant_w * peak[..., _PEAK] * p.overhead + base_w
        powered.water_l[t], powered.peak_w[t] = water_l, peak_w
        powered.bill_usd[t] = (
            facility_j / _KWH_J * p.usd_per_kwh[t]
            + peak_w / 1e3 * p.usd_per_kw[t]
            + water_l * p.usd_per_l[t]
        )
        self._derate(t, ledger, plant_w, base_w, powered)

    def _derate(
        self, t: int, ledger: Ledger, plant_w: Array, base_w: Array, powered: Powered
    ) -> None:
        """What cooling and grid allow next month, in its weather."""
        p = self.params
        month = int(self.moy[min(t + 1, self.months - 1)])
        cool = self.cool[month]
        full_w = plant_w * (1.0 + self.full_peak[month] * p.overhead)
        room_w = p.grid_w - base_w
        derate: Array = cool
        if (full_w > room_w).any():
            # load = room less overhead at that load: the steps fall on both sides of the solution,
            # ever closer, and the lower of the last two fits
            low = high = np.minimum(np.maximum(room_w, 0.0) / np.maximum(full_w, 1.0), 1.0)
            for _ in range(5):
                over_w = plant_w * self._read_peak(month, high) * p.overhead
                fits = np.maximum(room_w - over_w, 0.0) / np.maximum(plant_w, 1.0)
                low, high = high, np.minimum(fits, 1.0)
            fits = np.minimum(low, high)
            grid = np.where(full_w > np.maximum(room_w, 0.0), fits, 1.0)
            derate = np.minimum(cool, grid)
            powered.binding[t] = np.where(grid < cool, CODE["grid"], CODE["power"]) * (derate < 1)
        elif (cool < 1).any():
            powered.binding[t] = CODE["power"] * (cool < 1)
        powered.derate[t] = derate
        ledger.derate[:] = derate

    def _read(self, month: int, load: Array) -> Array:
        """[..., 4] power and water per watt of plant at `load` [n, site, draw]."""
        low, part = self._place(load)
        value: Array = self.table[month][low] + part[..., None] * self.slope[month][low]
        return value

    def _read_peak(self, month: int, load: Array) -> Array:
        """[site, draw] power at the hottest hour per watt of plant, alone."""
        low, part = self._place(load)
        value: Array = self.table[month, :, _PEAK][low] + part * self.slope[month, :, _PEAK][low]
        return value

    def _place(self, load: Array) -> tuple[NDArray[np.int64], Array]:
        """Row of the table below a load, and the part of a step from there."""
        at = np.minimum(load, 1.0) * _GRID
        low = np.minimum(at.astype(np.int64), _GRID - 1)
        part = at - low
        low += self.row
        return low, part

    def finish(self, powered: Powered) -> None:
        """The columns that follow from the months."""
        p = self.params
        it = powered.it_j > 1.0  # a joule in a month is nothing
        np.divide(powered.facility_j - powered.floor_j, powered.it_j, out=powered.pue, where=it)
        kwh = powered.facility_j / _KWH_J
        powered.carbon_kg[:] = kwh * p.kg_per_kwh
        powered.energy_usd[:] = kwh * p.usd_per_kwh
        powered.demand_usd[:] = powered.peak_w / 1e3 * p.usd_per_kw
        powered.water_usd[:] = powered.water_l * p.usd_per_l


def _from_zero(load: Array, share: Array) -> tuple[Array, Array]:
    """Loads from 0 on and what is drawn there per watt of plant; straight on from the first two
    loads to 0, where the fixed watts are left."""
    drawn = share * load
    slope = (drawn[1] - drawn[0]) / (load[1] - load[0]) if len(load) > 1 else share[0]
    fixed = max(float(drawn[0] - slope * load[0]), 0.0)
    return np.append(0.0, load), np.append(fixed, drawn)


def _sums(of: Array, values: Array) -> Array:
    """[site, draw] sums. Not @: a BLAS may sum in another order on another number of threads."""
    return np.asarray(np.einsum("sf,fd->sd", of, values))


FORMULAS: dict[str, str] = {
    "powered.it_j": "engine(plant.by_site, states.it_j, energised.leased_w, plant.tenant_load)",
    "powered.losses_j": "engine(plant.losses, it_j, energised.it_w, plant.overhead)",
    "powered.cooling_j": "engine(plant.cooling, it_j, energised.it_w, plant.overhead)",
    "powered.floor_j": "engine(plant.by_site, robots.energy_j)",
    "powered.other_j": ("(plant.other_w + plant.house_share * energised.it_w) * calendar.seconds"),
    "powered.facility_j": "it_j + losses_j + cooling_j + floor_j + other_j",
    "powered.peak_w": "engine(plant.peak, states.peak_w, energised.it_w, floor_j, other_j)",
    "powered.pue": "where(it_j > 1, (facility_j - floor_j) / it_j, 0)",
    "powered.water_l": "engine(plant.water, it_j, energised.it_w)",
    "powered.carbon_kg": "facility_j / 3600000 * plant.kg_per_kwh",
    "powered.energy_usd": "facility_j / 3600000 * plant.usd_per_kwh",
    "powered.demand_usd": "peak_w / 1000 * plant.usd_per_kw",
    "powered.water_usd": "water_l * plant.usd_per_l",
    "powered.bill_usd": "energy_usd + demand_usd + water_usd",
    "powered.derate": "engine(plant.derate, energised.it_w, plant.grid_w, other_j, floor_j)",
    "powered.binding": "engine(plant.binding, derate)",
}
