"""The plant of one site: IT load and weather in, facility power, water and capacity out.

    IT power -> rectifier, UPS, distribution            losses
    heat     -> cold plates, CDUs, facility water ...   liquid loop: pumps, rejection
             -> CRAH fans, chilled water ...            air loop: fans, pumps, rejection
    all      -> transformer                             losses

PUE and WUE come out of these; neither is ever an input.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.contracts.curves import PlantCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.plant.cooling import (
    REJECTIONS,
    Coolers,
    Loop,
    Outside,
    Rejection,
    outside,
    run_loop,
    size_loop,
)
from lineshaft.stages.plant.electrical import (
    DISTRIBUTION,
    TRANSFORMER,
    UPS,
    Converter,
    chain_loss_w,
)
from lineshaft.stages.plant.loops import WATER, rack_loop
from lineshaft.stages.plant.weather import (
    DAY_WEIGHT,
    MONTH_DAYS,
    Climate,
    Weather,
    typical_year,
    worst_hours,
)

Array = NDArray[np.float64]

LOADS: Array = np.append(0.001, np.arange(1, 41) / 40)
"""IT loads of a curve, as shares of the design IT power. At the first one nearly all is what the
plant draws without any load, so share x load there stands for the fixed watts. The steps are fine
because coolers that wet themselves in hot hours do so at once (water within 4 % between steps)."""
_AIR_RHO, _AIR_CP = 1.16, 1006.0
_BLOCK = 65_536
"""Hours worked on at once where many cases share a weather."""
_SETTLE = 3
"""Fixed-point passes that size the transformer, which carries the cooling power."""


@dataclass(frozen=True, slots=True)
class PlantInputs:
    """One site's plant. Defaults are a liquid-cooled AI hall with dry coolers; those without a
    source in their line are common practice, low confidence."""

    site: str
    climate: Climate
    it_w: float
    """Design IT power."""
    liquid_share: float = 0.8
    """Share of the IT heat that cold plates take; 0 is an air-cooled hall. 0.75-0.98."""
    rejection: Rejection = "dry"
    """Rejection of the liquid loop."""
    air_rejection: Rejection | None = None
    """Rejection of the air loop; None is the same kind."""
    tcs_supply_c: float = 40.0
    """Coolant to the cold plates (technology cooling loop)."""
    tcs_range_k: float = 10.0
    fws_supply_c: float = 32.0
    """Facility water to the CDUs: ASHRAE's W32 class."""
    fws_range_k: float = 10.0
    tcs_drop_pa: float = 2e5 * (1.0 / (0.7 * 0.95) - 1.0)
    """Pressure drop of cold plates and CDU at design."""
    fws_drop_pa: float = 2e5
    """Pressure drop of a facility water loop at design; 1.5-3 bar."""
    tower_drop_pa: float = 1.5e5
    """The same of an open tower's own loop."""
    pump_efficiency: float = 0.7
    pump_floor: float = 0.3
    """Lowest flow of the variable-speed pumps."""
    air_supply_c: float = 25.0
    """Air to the servers: ASHRAE recommends 18-27 °C."""
    air_range_k: float = 12.0
    crah_approach_k: float = 7.0
    """Air supply above chilled-water supply."""
    crah_drop_pa: float = 400.0
    """Fan pressure of the air path; 250-600 Pa."""
    crah_efficiency: float = 0.55
    fan_floor: float = 0.35
    """Lowest air flow of the CRAHs."""
    chilled_range_k: float = 8.0
    chiller_share: float | None = None
    """Chillers as a share of each loop's design heat; None sizes them for the design hours."""
    design_dry_c: float | None = None
    """Dry bulb that the plant is sized for; None is the site's own hottest hour."""
    design_wet_c: float | None = None
    """The same for the wet bulb."""
    house_share: float = 0.005
    """Lights, offices, controls, heaters, as a share of design IT power; 0.002-0.01."""
    it_chain: tuple[Converter, ...] = (DISTRIBUTION, UPS)
    """From the IT plug outwards."""
    feeder: Converter = TRANSFORMER
    """Carries IT, losses and cooling."""
    coolers: Coolers = field(default_factory=Coolers)


@dataclass(frozen=True, slots=True)
class Plant:
    """A sized plant: what `size_plant` returns and `facility_power` runs."""

    inputs: PlantInputs
    liquid: Loop
    air: Loop
    tcs_pump_w: float
    crah_w: float
    """CRAH fans at design."""
    house_w: float
    feeder_rated_w: float


@dataclass(frozen=True, slots=True)
class PlantHour:
    """Power in W and water of each hour and case; arrays of one shape."""

    it_w: Array
    loss_w: Array
    """Electrical chain, transformer and house load."""
    fan_w: Array
    """CRAH, tower and dry-cooler fans."""
    pump_w: Array
    chiller_w: Array
    water_kg_s: Array
    short_w: Array
    """Heat beyond what the plant can take."""

    @property
    def cooling_w(self) -> Array:
        """Fans, pumps and chillers."""
        return self.fan_w + self.pump_w + self.chiller_w

    @property
    def facility_w(self) -> Array:
        """Power at the meter."""
        return self.it_w + self.loss_w + self.cooling_w

    @property
    def pue(self) -> Array:
        """Facility power over IT power."""
        return self.facility_w / self.it_w

    @property
    def wue_l_per_kwh(self) -> Array:
        """Water in litres per kWh of IT energy (1 kg is taken as 1 L)."""
        return self.water_kg_s * 3.6e6 / self.it_w


def check(inputs: PlantInputs) -> None:
    """Raises InputError with every problem found."""
    problems: list[Problem] = []

    def need(ok: bool, key: str, found: object, allowed: str, fix: str = "") -> None:
        if not ok:
            problems.append(Problem("", f"plant.{key}", f"{found!r}", allowed, fix))

    need(inputs.it_w > 0.0, "it_w", inputs.it_w, "more than 0 W")
    need(0.0 <= inputs.liquid_share <= 1.0, "liquid_share", inputs.liquid_share, "0 to 1")
    kinds = ", ".join(REJECTIONS)
    need(inputs.rejection in REJECTIONS, "rejection", inputs.rejection, kinds)
    need(inputs.air_rejection in (None, *REJECTIONS), "air_rejection", inputs.air_rejection, kinds)
    need(
        inputs.fws_supply_c < inputs.tcs_supply_c,
        "fws_supply_c",
        inputs.fws_supply_c,
        f"below tcs_supply_c = {inputs.tcs_supply_c:g} °C",
        "a CDU needs some kelvin; 8 K is common",
    )
    need(
        inputs.chiller_share is None or inputs.chiller_share >= 0.0,
        "chiller_share",
        inputs.chiller_share,
        "0 or more; leave it out to size the chillers for the design hours",
    )
    need(inputs.coolers.redundancy >= 1.0, "coolers.redundancy", inputs.coolers.redundancy, ">= 1")
    need(
        inputs.coolers.cycles_of_concentration > 1.0,
        "coolers.cycles_of_concentration",
        inputs.coolers.cycles_of_concentration,
        "more than 1",
    )
    climate = inputs.climate
    for name in ("dry_mean_c", "dew_point_c", "daily_range_c", "design_dry_c", "coincident_wet_c"):
        values = np.asarray(getattr(climate, name))
        ok = values.shape == (12,) and bool(np.isfinite(values).all())
        need(ok, f"climate.{name}", values.shape, "12 finite numbers, one a month")
    if problems:
        raise InputError(problems)


def _cube(load: Array, floor: float) -> Array:
    held = np.maximum(load, floor)
    return held * held * held


def _pump(
    flow_heat_w: float, range_k: float, drop_pa: float, inputs: PlantInputs, at_c: float
) -> float:
    flow = flow_heat_w / (WATER.cp(at_c) * range_k)
    return drop_pa * flow / (WATER.rho(at_c) * inputs.pump_efficiency)


def _loop_pump_w(loop: Loop, inputs: PlantInputs) -> float:
    """Pumps of a facility loop at design, the open tower's own loop included."""
    power = _pump(loop.heat_w, loop.range_k, inputs.fws_drop_pa, inputs, loop.supply_c)
    if loop.kind == "tower":
        power += _pump(loop.heat_w, loop.range_k, inputs.tower_drop_pa, inputs, loop.supply_c)
    return power


def _design_hours(inputs: PlantInputs) -> Weather:
    worst = worst_hours(inputs.climate)
    dry, wet = worst.dry_c, worst.wet_c
    if inputs.design_dry_c is not None:
        dry = np.minimum(dry, inputs.design_dry_c)
    if inputs.design_wet_c is not None:
        wet = np.minimum(wet, inputs.design_wet_c)
    return Weather(dry, np.minimum(wet, dry), worst.pressure_pa)


def size_plant(inputs: PlantInputs) -> Plant:
    """Sizes coolers, chillers, pumps, fans and the transformer for the design IT power at the
    design hours. Raises InputError for inputs that make no plant."""
    check(inputs)
    design = _design_hours(inputs)
    liquid_heat, tcs_pump = inputs.liquid_share * inputs.it_w, 0.0
    if liquid_heat > 0.0:
        loop = rack_loop(
            liquid_heat,
            inputs.tcs_supply_c,
            inputs.tcs_supply_c + inputs.tcs_range_k,
            inputs.fws_supply_c,
            inputs.fws_supply_c + inputs.fws_range_k,
            inputs.tcs_drop_pa,
            inputs.pump_efficiency,
        )
        tcs_pump = loop.pump_w
    _, indoor = chain_loss_w(inputs.it_w, inputs.it_w, inputs.it_chain)
    air_heat = (1.0 - inputs.liquid_share) * inputs.it_w + float(indoor)
    flow_m3_s = air_heat / (_AIR_RHO * _AIR_CP * inputs.air_range_k)
    crah = flow_m3_s * inputs.crah_drop_pa / inputs.crah_efficiency
    liquid = size_loop(
        inputs.rejection,
        inputs.coolers,
        liquid_heat + tcs_pump,
        inputs.fws_supply_c,
        inputs.fws_range_k,
        design,
        inputs.chiller_share,
    )
    air = size_loop(
        inputs.air_rejection or inputs.rejection,
        inputs.coolers,
        air_heat + crah,
        inputs.air_supply_c - inputs.crah_approach_k,
        inputs.chilled_range_k,
        design,
        inputs.chiller_share,
    )
    house = inputs.house_share * inputs.it_w
    plant = Plant(inputs, liquid, air, tcs_pump, crah, house, inputs.it_w)
    for _ in range(_SETTLE):
        hour = facility_power(plant, inputs.it_w, design.dry_c, design.wet_c, design.pressure_pa)
        feeder_loss = inputs.feeder.loss_w(plant.feeder_rated_w, plant.feeder_rated_w)
        plant = replace(plant, feeder_rated_w=float(hour.facility_w.max() - feeder_loss))
    return plant


def facility_power(
    plant: Plant,
    it_w: ArrayLike,
    dry_c: ArrayLike,
    wet_c: ArrayLike,
    pressure_pa: float | None = None,
) -> PlantHour:
    """Power and water of every hour: `it_w`, `dry_c` and `wet_c` broadcast against each other.

    A year is (8760,) of each; a thousand cases are IT loads of (1000, 8760) on one weather of
    (8760,). `pressure_pa` is the site's own where it is left out.
    """
    it, dry, wet = (np.asarray(a, dtype=np.float64) for a in (it_w, dry_c, wet_c))
    if pressure_pa is None:
        pressure_pa = worst_hours(plant.inputs.climate).pressure_pa
    out = outside(Weather(dry, wet, pressure_pa))
    shape = np.broadcast_shapes(it.shape, out.dry_c.shape)
    if it.shape != shape or it.ndim != 2 or out.dry_c.ndim == 2:
        return _hour(plant, it, out)
    # Cases on one weather go in blocks whose temporaries stay in the cache: three times faster.
    rows = max(_BLOCK // shape[1], 1)
    whole = {name: np.empty(shape) for name in PlantHour.__dataclass_fields__}
    for start in range(0, shape[0], rows):
        part = _hour(plant, it[start : start + rows], out)
        for name, array in whole.items():
            array[start : start + rows] = getattr(part, name)
    return PlantHour(**whole)


def _hour(plant: Plant, it: Array, out: Outside) -> PlantHour:
    i = plant.inputs
    load = it / i.it_w
    loss, indoor = chain_loss_w(it, i.it_w, i.it_chain)
    crah = plant.crah_w * _cube(load, i.fan_floor)
    tcs = plant.tcs_pump_w * _cube(load, i.pump_floor)
    pumping = _cube(load, i.pump_floor)
    liquid_pump = _loop_pump_w(plant.liquid, i) * pumping
    air_pump = _loop_pump_w(plant.air, i) * pumping
    liquid_heat = i.liquid_share * it + tcs
    air_heat = (1.0 - i.liquid_share) * it + indoor + crah
    liquid = run_loop(plant.liquid, liquid_heat, out)
    air = run_loop(plant.air, air_heat, out)
    fan = crah + liquid.fan_w + air.fan_w
    pump = tcs + liquid_pump + air_pump
    chiller = liquid.compressor_w + air.compressor_w
    carried = it + loss + plant.house_w + fan + pump + chiller
    loss = loss + plant.house_w + i.feeder.loss_w(carried, plant.feeder_rated_w)
    short = np.maximum(liquid.trim_w - plant.liquid.chiller_w, 0.0)
    short = short + np.maximum(air.trim_w - plant.air.chiller_w, 0.0)
    shape = fan.shape
    return PlantHour(
        np.broadcast_to(it, shape),
        np.broadcast_to(loss, shape),
        fan,
        np.broadcast_to(pump, shape),
        chiller,
        liquid.water_kg_s + air.water_kg_s,
        short,
    )


def derate(plant: Plant) -> Array:
    """[12] share of the design IT power that can be cooled at the month's worst hour, with the
    redundant coolers out of service and the chillers at their size."""
    needed = replace(plant.inputs.coolers, redundancy=1.0)
    bare = replace(
        plant,
        liquid=replace(plant.liquid, coolers=needed),
        air=replace(plant.air, coolers=needed),
    )
    out = outside(worst_hours(plant.inputs.climate))
    design = plant.inputs.it_w

    def fits(load: Array) -> NDArray[np.bool_]:
        return _hour(bare, load * design, out).short_w <= 1e-9 * design

    low, high = np.zeros(out.dry_c.shape), np.ones(out.dry_c.shape)
    full = fits(high)
    for _ in range(40):
        middle = 0.5 * (low + high)
        ok = fits(middle)
        low, high = np.where(ok, middle, low), np.where(ok, high, middle)
    return np.asarray(np.where(full, 1.0, low).min(axis=1))


def characterise(inputs: PlantInputs, loads: ArrayLike = LOADS) -> PlantCurve:
    """The plant's year as a curve over IT load.

    Losses (the transformer and the house load among them), cooling and water are means over
    typical days; `peak_share` is at the worse of the month's hottest and most humid hour. `loads`
    is a rising grid of shares of the design IT power above 0.

    Raises InputError for inputs that make no plant or a grid that does not rise from above 0.
    """
    grid = np.asarray(loads, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0 or grid[0] <= 0.0 or bool((np.diff(grid) <= 0.0).any()):
        raise InputError(
            Problem("", "plant.loads", f"{loads!r}", "rising shares of design power above 0")
        )
    plant = size_plant(inputs)
    it = grid * inputs.it_w
    year = _hour(plant, it, outside(_last_axis(typical_year(inputs.climate))))

    def month(quantity: Array) -> Array:
        return np.asarray(np.einsum("mdhl,d->ml", quantity, DAY_WEIGHT) / 24.0)

    worst = _hour(plant, it, outside(_last_axis(worst_hours(inputs.climate))))
    return PlantCurve(
        site=inputs.site,
        load=grid,
        loss_share=month(year.loss_w) / it,
        cooling_share=month(year.cooling_w) / it,
        peak_share=((worst.loss_w + worst.cooling_w) / it).max(axis=1),
        water_l_per_kwh=month(year.wue_l_per_kwh),
        derate=derate(plant),
    )


def _last_axis(weather: Weather) -> Weather:
    """The same hours with an axis for the load at the end."""
    return Weather(weather.dry_c[..., None], weather.wet_c[..., None], weather.pressure_pa)


def annual_pue(curve: PlantCurve) -> Array:
    """[l] PUE of the year at constant load, months weighed by their days."""
    share = curve.loss_share + curve.cooling_share
    return np.asarray(1.0 + MONTH_DAYS @ share / MONTH_DAYS.sum())


def annual_wue_l_per_kwh(curve: PlantCurve) -> Array:
    """[l] litres of water per kWh of IT energy over the year at constant load."""
    return np.asarray(MONTH_DAYS @ curve.water_l_per_kwh / MONTH_DAYS.sum())


def facility_w_per_accelerator(
    node_w: float, accelerators: int, other_it_share: float, curve: PlantCurve
) -> float:
    """Facility power per accelerator in W at full load in the year's worst hour.

    The node's power over its accelerators, times 1 + `other_it_share` (switches, storage and
    head nodes per node power), times 1 + the curve's peak share at its highest load.
    """
    it = node_w / accelerators * (1.0 + other_it_share)
    return it * (1.0 + float(curve.peak_share[:, -1].max()))
