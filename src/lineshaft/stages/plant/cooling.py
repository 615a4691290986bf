"""Heat rejection of one water loop: dry cooler, tower or hybrid, with chillers for the rest.

A loop brings its water from the return back to the supply temperature, which is held. Free
cooling comes first. With load x and fan flow f (both over design), a coil or a tower fill moves

    Q = Q0 x^0.4 f^0.6 D / D0

where D is what drives it: water return less air temperature for a dry cooler, enthalpy of air
saturated at the water return temperature less enthalpy of the outside air (Merkel) for a tower.
0.6 is the exponent of the flow in Zukauskas' tube banks (Nu ~ Re^0.6) and in the tower fill of
Braun, Klein and Mitchell (1989; NTU ~ (water/air)^0.6 there, 0.4 to 0.6). So the fans need

    f = x (D0 / D)^(5/3),    fan power = P0 f^3

in closed form. Where f would pass 1 the fans run full and chillers trim the rest with
COP = eta T_evap / (T_cond - T_evap); free cooling is left off where its fans would cost more than
the chiller power that they save.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.plant.psychrometrics import (
    LATENT_J_KG,
    enthalpy_j_kg,
    humidity_ratio,
    saturated_enthalpy_j_kg,
    saturated_humidity_ratio,
)
from lineshaft.stages.plant.weather import Weather

Array = NDArray[np.float64]
Rejection = Literal["dry", "tower", "hybrid", "chiller"]
REJECTIONS: tuple[Rejection, ...] = ("dry", "tower", "hybrid", "chiller")
"""Dry cooler; open tower behind a plate exchanger; dry cooler with wetted pads on hot hours;
air-cooled chiller all year. The first three trim with chillers."""

_REACH = 0.95
"""Highest effectiveness of a coil or fill at low water flow."""
_KELVIN = 273.15


@dataclass(frozen=True, slots=True)
class Coolers:
    """What the heat rejection is made of. Shares are W per W of heat at design."""

    approach_k: float = 6.0
    """Tower: leaving water above wet bulb at design; 5-7 K in practice."""
    dry_approach_k: float = 8.0
    """Dry cooler: leaving water above dry bulb at design; 6-10 K in practice."""
    exchanger_k: float = 2.0
    """Plate exchanger between an open tower and the loop."""
    tower_fan_share: float = 0.0127
    """Axial open tower cooling water 35 -> 29.4 °C at 23.9 °C wet bulb: 40.2 gpm per fan
    horsepower, the least that ASHRAE 90.1 allows. Scaled by the driving enthalpy."""
    dry_fan_share: float = 0.03
    """Dry cooler with 18 K from water inlet to air; range 0.02-0.06, low confidence. Scaled by
    the driving temperature."""
    fan_floor: float = 0.2
    """Lowest fan flow; below it cells are switched off."""
    pad_effectiveness: float = 0.8
    """Wetted pads: share of the wet-bulb depression that is reached; 0.7-0.9."""
    cycles_of_concentration: float = 5.0
    """Salt in the blowdown over salt in the make-up water; 3-7."""
    air_chiller_eta: float = 0.50
    """Share of the Carnot COP, fans included: gives ASHRAE 90.1's 2.96 at 6.7 °C water and 35 °C
    air."""
    water_chiller_eta: float = 0.65
    """Share of the Carnot COP, tower fans apart: 90.1's 6.3 for large centrifugals at 6.7 °C and
    29.4 °C water is 0.71; 0.65 leaves room for part load and fouling."""
    air_condenser_k: float = 15.0
    """Condensing temperature above dry bulb."""
    tower_condenser_k: float = 12.0
    """Condensing temperature above wet bulb: approach, range and pinch."""
    evaporator_k: float = 3.0
    """Evaporating temperature below the water supply."""
    condensing_floor_c: float = 25.0
    """Lowest condensing temperature that head-pressure control allows; 20-35 °C."""
    lift_floor_k: float = 10.0
    """Lowest lift of a compressor."""
    redundancy: float = 1.2
    """Installed over needed fans and coils: N + 1 of five. All run, each slower."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the loops ask of the weather, computed once for all of them."""

    dry_c: Array
    wet_c: Array
    ratio: Array
    enthalpy_wet: Array
    pressure_pa: float


def outside(weather: Weather) -> Outside:
    """Humidity ratio and saturated enthalpy beside dry and wet bulb, shape of the weather."""
    dry, wet = weather.dry_c, np.minimum(weather.wet_c, weather.dry_c)
    p = weather.pressure_pa
    return Outside(dry, wet, humidity_ratio(dry, wet, p), saturated_enthalpy_j_kg(wet, p), p)


@dataclass(frozen=True, slots=True)
class Loop:
    """One sized loop."""

    kind: Rejection
    coolers: Coolers
    heat_w: float
    """Heat at design."""
    supply_c: float
    range_k: float
    """Return less supply temperature."""
    driving: float = 1.0
    """D0 in K (dry, hybrid) or J/kg (tower)."""
    fan_w: float = 0.0
    """Fan power at design with all needed fans at full speed."""
    chiller_w: float = np.inf
    """Heat that the chillers can take."""

    @property
    def return_c(self) -> float:
        """Water temperature at the rejection's inlet."""
        return self.supply_c + self.range_k


@dataclass(frozen=True, slots=True)
class LoopHour:
    """What a loop draws: arrays of one shape."""

    fan_w: Array
    compressor_w: Array
    """Chillers, and the tower fans of their condensers."""
    water_kg_s: Array
    """Evaporation and blowdown."""
    trim_w: Array
    """Heat left to the chillers."""


def _drive(loop: Loop, out: Outside, air_c: Array) -> Array:
    if loop.kind == "tower":
        return (
            np.asarray(saturated_enthalpy_j_kg(loop.return_c, out.pressure_pa)) - out.enthalpy_wet
        )
    return loop.return_c - air_c


def _pads(loop: Loop, out: Outside) -> Array:
    return out.dry_c - loop.coolers.pad_effectiveness * (out.dry_c - out.wet_c)


def size_loop(
    kind: Rejection,
    coolers: Coolers,
    heat_w: float,
    supply_c: float,
    range_k: float,
    design: Weather,
    chiller_share: float | None = None,
) -> Loop:
    """A loop whose coolers hold their approach at the worst of the design hours, or at the hottest
    air that still leaves the approach to the supply temperature; chillers take the rest, or
    `chiller_share` of the design heat where that is given."""
    supply = supply_c - (coolers.exchanger_k if kind == "tower" else 0.0)
    loop = Loop(kind, coolers, heat_w, supply, range_k)
    if heat_w <= 0.0:
        return replace(loop, chiller_w=0.0)
    out = outside(design)
    if kind != "chiller":
        air = {"tower": out.wet_c, "dry": out.dry_c, "hybrid": _pads(loop, out)}[kind]
        approach = coolers.approach_k if kind == "tower" else coolers.dry_approach_k
        worst = np.array([min(float(np.max(air)), supply - approach)])
        at = outside(Weather(worst, worst, design.pressure_pa))
        driving = float(_drive(loop, at, worst)[0])
        if kind == "tower":
            rated = saturated_enthalpy_j_kg([35.0, 23.9])
            fan_w = coolers.tower_fan_share * heat_w * float(rated[0] - rated[1]) / driving
        else:
            fan_w = coolers.dry_fan_share * heat_w * 18.0 / driving
        loop = replace(loop, driving=driving, fan_w=fan_w)
    if chiller_share is not None:
        return replace(loop, chiller_w=chiller_share * heat_w)
    alone = replace(loop, coolers=replace(coolers, redundancy=1.0))
    need = float(run_loop(alone, np.asarray(heat_w), out, always_free=True).trim_w.max())
    return replace(loop, chiller_w=need)


def run_loop(loop: Loop, heat_w: Array, out: Outside, *, always_free: bool = False) -> LoopHour:
    """Power and water of a loop that carries `heat_w` in that weather; shapes broadcast.

    Chillers are not cut off at their capacity here: `trim_w` above `chiller_w` is heat that the
    plant cannot take. `always_free` uses free cooling even where it saves nothing.
    """
    c = loop.coolers
    if loop.heat_w <= 0.0:
        zero = np.zeros(np.broadcast(heat_w, out.dry_c).shape)
        return LoopHour(zero, zero, zero, zero)
    wet_trim = loop.kind == "tower"
    sink = out.wet_c + c.tower_condenser_k if wet_trim else out.dry_c + c.air_condenser_k
    evaporating = loop.supply_c - c.evaporator_k + (c.exchanger_k if wet_trim else 0.0)
    lift = np.maximum(np.maximum(sink, c.condensing_floor_c) - evaporating, c.lift_floor_k)
    eta = c.water_chiller_eta if wet_trim else c.air_chiller_eta
    per_w = lift / (eta * (evaporating + _KELVIN))
    rejected = 1.0 + per_w
    if wet_trim:
        per_w = per_w + c.tower_fan_share * rejected
    if loop.kind == "chiller":
        heat = np.broadcast_to(heat_w, np.broadcast(heat_w, out.dry_c).shape)
        zero = np.zeros(heat.shape)
        return LoopHour(zero, heat * per_w, zero, heat)
    x = heat_w / (loop.heat_w * c.redundancy)
    slow = np.maximum(x, 1e-9) ** -0.6
    share, flow, fan = _free(loop, x, slow, out, out.dry_c)
    water = np.asarray(0.0)
    if loop.kind == "hybrid":
        pads = _pads(loop, out)
        wet_share, wet_flow, wet_fan = _free(loop, x, slow, out, pads)
        wetted = share < 1.0
        share, fan = np.where(wetted, wet_share, share), np.where(wetted, wet_fan, fan)
        flow = np.where(wetted, wet_flow, flow)
        # Air and water of a dry cooler carry about the same heat capacity.
        air = flow * c.redundancy * loop.heat_w / loop.range_k
        water = wetted * air * (out.dry_c - pads) / LATENT_J_KG
    if not always_free:
        # Chillers smaller than the heat cannot do without free cooling.
        worth = (fan <= share * heat_w * per_w) | (heat_w > loop.chiller_w)
        share, fan, water = share * worth, fan * worth, water * worth
    trim = (1.0 - share) * heat_w
    if wet_trim:
        middle = loop.return_c - 0.5 * loop.range_k
        free = _evaporated(out, np.asarray(middle)) * share * heat_w
        water = free + _evaporated(out, out.wet_c + 8.0) * rejected * trim
    water = water * (1.0 + 1.0 / (c.cycles_of_concentration - 1.0))
    return LoopHour(fan, trim * per_w, water, trim)


def _free(
    loop: Loop, x: Array, slow: Array, out: Outside, air_c: Array
) -> tuple[Array, Array, Array]:
    """Share of the heat that goes without chillers, fan flow and fan power."""
    ratio = np.maximum(_drive(loop, out, air_c) / loop.driving, 1e-9)
    ambient = out.wet_c if loop.kind == "tower" else air_c
    reach = np.clip(_REACH * (loop.return_c - ambient) / loop.range_k, 0.0, 1.0)
    share = np.minimum(ratio * slow, reach)
    flow = np.where(share < 1.0, 1.0, x * ratio ** (-5.0 / 3.0))
    # Below the floor whole cells are off, so power falls with their number.
    floor = loop.coolers.fan_floor
    power = loop.fan_w * loop.coolers.redundancy * flow * np.maximum(flow, floor) ** 2
    return share, flow, power


def _evaporated(out: Outside, leaving_c: Array) -> Array:
    """Water that a tower evaporates per J of heat, if its air leaves saturated at `leaving_c`."""
    ratio = saturated_humidity_ratio(leaving_c, out.pressure_pa)
    heat = saturated_enthalpy_j_kg(leaving_c, out.pressure_pa) - enthalpy_j_kg(out.dry_c, out.ratio)
    per_j = (ratio - out.ratio) / np.maximum(heat, 1.0)
    # In dry heat the water also cools the air; in frost the air takes much heat dry.
    return np.asarray(np.clip(per_j, 0.3 / LATENT_J_KG, 1.5 / LATENT_J_KG))
