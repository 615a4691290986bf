"""One water loop: what it draws, drinks and can take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.stages.plant.cooling import (
    REJECTIONS,
    Coolers,
    Loop,
    LoopHour,
    Rejection,
    outside,
    run_loop,
    size_loop,
)
from lineshaft.stages.plant.psychrometrics import LATENT_J_KG
from lineshaft.stages.plant.weather import Weather

HEAT = 1e6


def at(dry: float, wet: float) -> Weather:
    """One hour of weather."""
    return Weather(np.array([dry]), np.array([wet]))


def sized(kind: Rejection, supply: float = 32.0, **coolers: float) -> Loop:
    """A loop of 1 MW, sized for 35 °C dry and 25 °C wet bulb."""
    return size_loop(kind, Coolers(**coolers), HEAT, supply, 10.0, at(35.0, 25.0))


def run(loop: Loop, dry: float, wet: float, heat: float = HEAT) -> LoopHour:
    """That loop in one hour."""
    return run_loop(loop, np.array([heat]), outside(at(dry, wet)))


def power(hour: LoopHour) -> float:
    """Fans and compressors, W."""
    return float(hour.fan_w[0] + hour.compressor_w[0])


def test_fans_run_full_at_the_sizing_point() -> None:
    """Without spare coolers the dry cooler needs all its fans where it was sized: 8 K below
    the supply temperature."""
    loop = sized("dry", redundancy=1.0)
    hour = run(loop, 24.0, 18.0)
    assert loop.driving == pytest.approx(18.0)
    assert hour.fan_w[0] == pytest.approx(loop.fan_w)
    assert hour.fan_w[0] == pytest.approx(0.03 * HEAT)
    assert hour.trim_w[0] == pytest.approx(0.0, abs=1e-6)


def test_fan_power_falls_with_the_cube_of_the_load() -> None:
    """Half the heat, half the flow, an eighth of the power; below the floor cells go off."""
    loop = sized("dry")
    full, half = run(loop, 20.0, 15.0), run(loop, 20.0, 15.0, 0.5 * HEAT)
    assert half.fan_w[0] == pytest.approx(full.fan_w[0] / 8.0)
    low, lower = run(loop, 20.0, 15.0, 0.02 * HEAT), run(loop, 20.0, 15.0, 0.01 * HEAT)
    assert low.fan_w[0] == pytest.approx(2.0 * lower.fan_w[0])


def test_spare_coolers_save_fan_power() -> None:
    """N + 1 of five: the same heat at 1/1.2 of the speed takes 1/1.44 of the power."""
    bare, spare = sized("dry", redundancy=1.0), sized("dry", redundancy=1.2)
    ratio = run(spare, 20.0, 15.0).fan_w[0] / run(bare, 20.0, 15.0).fan_w[0]
    assert ratio == pytest.approx(1.0 / 1.44)


def test_chillers_take_what_free_cooling_cannot() -> None:
    """On a day hotter than the loop the chillers take everything, on a cool day nothing."""
    loop = sized("dry")
    assert run(loop, 15.0, 12.0).trim_w[0] == 0.0
    warm = run(loop, 31.0, 22.0).trim_w[0]
    assert 0.0 < warm < HEAT
    assert run(loop, 45.0, 25.0).trim_w[0] == pytest.approx(HEAT)


def test_cop_at_the_points_of_the_efficiency_standard() -> None:
    """ASHRAE 90.1's air-cooled chiller: COP 2.96 at 6.7 °C water and 35 °C air."""
    loop = size_loop("chiller", Coolers(), HEAT, 6.7, 10.0, at(35.0, 24.0))
    cop = HEAT / run(loop, 35.0, 24.0).compressor_w[0]
    assert cop == pytest.approx(2.96, rel=0.02)


def test_tower_evaporates_most_of_the_heat() -> None:
    """A litre to two per kWh; more in dry heat than in the cold, and blowdown follows the cycles
    of concentration."""
    loop = sized("tower")
    litres = {w: run(loop, *w).water_kg_s[0] * 3.6e6 / HEAT for w in [(30.0, 20.0), (0.0, -2.0)]}
    assert 1.0 < litres[0.0, -2.0] < litres[30.0, 20.0] < 2.0
    salty = sized("tower", cycles_of_concentration=2.0)
    ratio = run(salty, 30.0, 20.0).water_kg_s[0] / run(loop, 30.0, 20.0).water_kg_s[0]
    assert ratio == pytest.approx(2.0 / 1.25)
    assert litres[30.0, 20.0] / 1.25 < 3.6e6 / LATENT_J_KG * 1.1


def test_only_wet_coolers_drink() -> None:
    """Dry coolers and air-cooled chillers use no water; a hybrid only on hot hours."""
    assert run(sized("dry"), 35.0, 25.0).water_kg_s[0] == 0.0
    assert run(sized("chiller"), 35.0, 25.0).water_kg_s[0] == 0.0
    hybrid = sized("hybrid")
    assert run(hybrid, 15.0, 10.0).water_kg_s[0] == 0.0
    assert run(hybrid, 30.0, 18.0).water_kg_s[0] > 0.0


def test_pads_spare_the_chillers() -> None:
    """On a hot dry hour a hybrid leaves less to the chillers than a dry cooler."""
    hot = (33.0, 18.0)
    assert run(sized("hybrid"), *hot).trim_w[0] < run(sized("dry"), *hot).trim_w[0]


def test_chillers_are_sized_for_the_design_hour() -> None:
    """At 35 °C a loop of 32 -> 42 °C still sheds a part of its heat; a given share is taken."""
    loop = sized("dry")
    assert 0.5 * HEAT < loop.chiller_w < HEAT
    given_share = size_loop("dry", Coolers(), HEAT, 32.0, 10.0, at(35.0, 25.0), 0.25)
    assert given_share.chiller_w == 0.25 * HEAT
    assert size_loop("dry", Coolers(), 0.0, 32.0, 10.0, at(35.0, 25.0)).chiller_w == 0.0


def test_an_empty_loop_draws_nothing() -> None:
    """No liquid-cooled load, no loop."""
    loop = size_loop("tower", Coolers(), 0.0, 32.0, 10.0, at(35.0, 25.0))
    hour = run(loop, 20.0, 15.0, 0.0)
    assert power(hour) == 0.0
    assert hour.water_kg_s[0] == 0.0


@given(
    kind=st.sampled_from(REJECTIONS),
    supply=st.floats(14.0, 45.0),
    dry=st.floats(-15.0, 45.0),
    depression=st.floats(0.5, 15.0),
    load=st.floats(0.05, 1.0),
    step=st.floats(0.1, 5.0),
)
def test_warmer_air_never_saves_power(
    kind: Rejection, supply: float, dry: float, depression: float, load: float, step: float
) -> None:
    """Dry and wet bulb up together: power does not fall, the heat is carried.

    A hybrid cooler that begins to spray saves fan power with water, so there both hours must be
    dry or both wet.
    """
    loop = sized(kind, supply)
    cool = run(loop, dry, dry - depression, load * HEAT)
    warm = run(loop, dry + step, dry + step - depression, load * HEAT)
    if kind != "hybrid" or (cool.water_kg_s[0] > 0) == (warm.water_kg_s[0] > 0):
        assert power(warm) >= power(cool) - 1e-6
    for hour in (cool, warm):
        assert 0.0 <= hour.trim_w[0] <= load * HEAT + 1e-6
        assert hour.water_kg_s[0] >= 0.0


@given(wet=st.floats(-10.0, 30.0), step=st.floats(0.1, 4.0), load=st.floats(0.05, 1.0))
def test_tower_power_is_monotone_in_wet_bulb(wet: float, step: float, load: float) -> None:
    """At one dry bulb a higher wet bulb costs more."""
    loop = sized("tower", 24.0)
    low, high = run(loop, 36.0, wet, load * HEAT), run(loop, 36.0, wet + step, load * HEAT)
    assert power(high) >= power(low) - 1e-6
