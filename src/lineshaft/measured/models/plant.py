"""Plant: the Frontier replica, loops, moist air, coolers and whole sites against measurements."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from lineshaft import catalog
from lineshaft.contracts.curves import PlantCurve
from lineshaft.parameters.plant import climate
from lineshaft.stages.plant import (
    DISTRIBUTION,
    TRANSFORMER,
    UPS,
    Coolers,
    PlantInputs,
    Rejection,
    Weather,
    annual_pue,
    annual_wue_l_per_kwh,
    characterise,
    facility_w_per_accelerator,
    frontier_power,
    psychrometrics,
)
from lineshaft.stages.plant.cooling import outside, run_loop, size_loop
from lineshaft.stages.plant.loops import PG25, rack_loop

_GPM_KG_S = 0.0630902 * 0.994
"""kg/s of one US gallon a minute of water at 35 °C."""
_HP_W = 745.7


def frontier_power_w(*, cpu: float, gpu: float, part: str) -> float:
    """Power of Frontier: `part` is system (without coolant units), total, or loss."""
    return float(getattr(frontier_power(cpu, gpu), f"{part}_w"))


def frontier_efficiency(*, cpu: float, gpu: float) -> float:
    """Share of Frontier's power that conversion does not lose."""
    return float(frontier_power(cpu, gpu).efficiency)


def rack_loop_at_design(*, heat_w: float, quantity: str) -> float:
    """One figure of the default coolant loop of a rack: a field of `RackLoop`."""
    return float(getattr(rack_loop(heat_w), quantity))


def glycol_flow(*, rise_k: float, per_minute: bool) -> float:
    """Flow of 25 % propylene glycol that carries 1 kW: kg/s, or litres per minute."""
    # without pump work: the flow that the heat alone asks for
    flow = rack_loop(1e3, 30.0, 30.0 + rise_k, 20.0, 30.0, pressure_drop_pa=0.0, coolant=PG25)
    return flow.tcs_kg_s / PG25.rho(30.0) * 60e3 if per_minute else flow.tcs_kg_s


def wet_bulb_c(*, dry_c: float, humidity_pct: float) -> float:
    """Wet bulb of air at sea level."""
    return float(psychrometrics.wet_bulb_c(dry_c, humidity_pct))


def saturation_pressure_pa(*, temperature_c: float) -> float:
    """Vapour pressure over water."""
    return float(psychrometrics.saturation_pressure_pa(temperature_c))


def air_pressure_pa(*, altitude_m: float) -> float:
    """Standard pressure at an altitude."""
    return psychrometrics.pressure_pa(altitude_m)


def humidity_ratio(*, dry_c: float, wet_c: float, altitude_m: float = 0.0) -> float:
    """Water per dry air from dry and wet bulb."""
    pressure = psychrometrics.pressure_pa(altitude_m)
    return float(psychrometrics.humidity_ratio(dry_c, wet_c, pressure))


def enthalpy_j_kg(*, dry_c: float, wet_c: float) -> float:
    """Enthalpy per kg of dry air from dry and wet bulb, at sea level."""
    ratio = psychrometrics.humidity_ratio(dry_c, wet_c)
    return float(psychrometrics.enthalpy_j_kg(dry_c, ratio))


def chiller_cop(*, water: bool) -> float:
    """COP of the default chiller at 6.7 °C water, and 35 °C air or 23.9 °C wet bulb (29.4 °C
    condenser water); tower fans are left out, as in the rating."""
    air = _hour(35.0, 23.9)
    bare = Coolers(exchanger_k=0.0, tower_fan_share=0.0)
    loop = size_loop("tower" if water else "chiller", bare, 1e6, 6.7, 10.0, air, 1.0)
    hour = run_loop(loop, np.array([1e6]), outside(air))
    return float(hour.trim_w[0] / hour.compressor_w[0])


def tower_gpm_per_hp() -> float:
    """Water that a default tower cools from 35 to 29.4 °C at 23.9 °C wet bulb, per fan power."""
    coolers = Coolers(exchanger_k=0.0, approach_k=5.5)
    loop = size_loop("tower", coolers, 1e6, 29.4, 5.6, _hour(35.0, 23.9))
    gpm = loop.heat_w / (4186.0 * loop.range_k) / _GPM_KG_S
    return gpm / (loop.fan_w / _HP_W)


def transformer_efficiency(*, load: float) -> float:
    """Output over input of the default transformer."""
    return load / (load + float(TRANSFORMER.loss_w(load, 1.0)))


def esif_pue() -> float:
    """PUE of the year of a 1 MW plant after NREL's ESIF, at full load."""
    return float(annual_pue(_esif())[-1])


def esif_wue_l_per_kwh() -> float:
    """Water of the same plant per IT energy."""
    return float(annual_wue_l_per_kwh(_esif())[-1])


def chilled_hall_pue(*, load: float) -> float:
    """PUE of an ordinary air-cooled hall with cold chilled water and two full UPS paths, at a
    share of its design load: mean over the catalog's climates."""
    chain = (DISTRIBUTION, replace(UPS, redundancy=2.0))
    return _mean_pue("chiller", load, air_supply_c=20.0, crah_approach_k=10.0, it_chain=chain)


def free_cooled_hall_pue(*, load: float) -> float:
    """PUE of an air-cooled hall with towers, 26.6 °C air and batteries in the rack (no UPS):
    mean over the catalog's climates."""
    return _mean_pue("tower", load, air_supply_c=26.6, it_chain=(DISTRIBUTION,))


def site_w_per_accelerator(*, server: str, place: str, other_it_share: float) -> float:
    """Site power per accelerator in the worst hour, from the catalog's rated server, switches and
    storage as a share of it, and a liquid-cooled hall with chillers."""
    row = catalog.find("servers", server)
    made = _hall(place, "chiller")
    accelerators = round(row.number("accelerators"))
    return facility_w_per_accelerator(row.number("rated_w"), accelerators, other_it_share, made)


def _hour(dry_c: float, wet_c: float) -> Weather:
    return Weather(np.array([dry_c]), np.array([wet_c]))


@lru_cache
def _esif() -> PlantCurve:
    # 24 °C warm water, cooling towers, no UPS on the compute load, about 1 MW of IT load
    return characterise(
        PlantInputs(
            "ESIF",
            climate(catalog.find("climates", "Golden CO")),
            1e6,
            0.9,
            "tower",
            tcs_supply_c=26.0,
            tcs_range_k=13.0,
            fws_supply_c=24.0,
            fws_range_k=13.0,
            it_chain=(DISTRIBUTION,),
        ),
        [0.5, 1.0],
    )


@lru_cache
def _hall(place: str, rejection: Rejection) -> PlantCurve:
    site = climate(catalog.find("climates", place))
    return characterise(PlantInputs(place, site, 100e6, 0.8, rejection), [0.5, 1.0])


def _mean_pue(rejection: Rejection, load: float, **hall: Any) -> float:
    """Mean PUE of an air-cooled hall of 10 MW over the catalog's climates."""
    halls = [
        PlantInputs("hall", climate(row), 10e6, 0.0, rejection, **hall)
        for row in catalog.table("climates")
    ]
    return float(np.mean([annual_pue(characterise(one, [load]))[0] for one in halls]))
