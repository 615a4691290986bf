"""A whole plant against measured PUE and water, and the laws it must keep."""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lineshaft
from lineshaft.contracts.curves import PlantCurve
from lineshaft.errors import InputError
from lineshaft.stages.plant import (
    DISTRIBUTION,
    REJECTIONS,
    UPS,
    Climate,
    PlantInputs,
    Rejection,
    annual_pue,
    annual_wue_l_per_kwh,
    characterise,
    facility_power,
    facility_w_per_accelerator,
    size_plant,
    typical_year,
)
from lineshaft.stages.plant.weather import DAY_WEIGHT

CLIMATES = Path(lineshaft.__file__).parent / "catalog" / "climates.csv"
EPOCH = Path("../shared/data/plant/epoch_xai_datacenter_timelines.csv")
PUE_FACTS = Path("../shared/data/plant/validation_power_pue.csv")
QUANTITIES = ("dry_mean_c", "dew_point_c", "daily_range_c", "design_dry_c", "coincident_wet_c")
FIXED: tuple[Rejection, ...] = ("dry", "tower", "chiller")


@cache
def rows() -> dict[str, dict[str, str]]:
    """Sites of the catalog by name."""
    with CLIMATES.open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


@cache
def climate(site: str) -> Climate:
    """A site's climate."""
    row = rows()[site]

    def months(quantity: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array([float(row[f"{quantity}_{m:02d}"]) for m in range(1, 13)])

    dry, dew, span, hot, wet = (months(quantity) for quantity in QUANTITIES)
    return Climate(dry, dew, span, hot, wet, float(row["design_wet_c"]), float(row["altitude_m"]))


@cache
def curve(site: str, kind: Rejection = "dry", liquid: float = 0.8) -> PlantCurve:
    """A plant of 100 MW with defaults."""
    return characterise(PlantInputs(site, climate(site), 100e6, liquid, kind))


def legacy(site: str) -> PlantInputs:
    """An air-cooled hall of cold chilled water (20 °C air, 10 °C water) with two full UPS paths."""
    return PlantInputs(
        site,
        climate(site),
        10e6,
        0.0,
        "chiller",
        air_supply_c=20.0,
        crah_approach_k=10.0,
        it_chain=(DISTRIBUTION, replace(UPS, redundancy=2.0)),
    )


ESIF = {
    "it_w": 1e6,
    "liquid_share": 0.9,
    "tcs_supply_c": 26.0,
    "tcs_range_k": 13.0,
    "fws_supply_c": 24.0,
    "fws_range_k": 13.0,
    "it_chain": (DISTRIBUTION,),
}
"""NREL's ESIF: 24 °C warm water, towers, no UPS on the compute load. The split of heat between
water and air and the temperature rise are approximate."""


def esif() -> PlantCurve:
    """ESIF's plant in its own weather."""
    inputs = PlantInputs("ESIF", climate("Golden CO"), rejection="tower", **ESIF)  # type: ignore[arg-type]
    return characterise(inputs, [0.5, 0.7, 1.0])


def test_esif_pue_and_water() -> None:
    """Measured 1.036 a year and 1.04 over the twelve months to 2018-03: within 0.015. Measured
    water about 1.08 L/kWh, with heat reuse that the model has not: at most half more."""
    pue = annual_pue(esif())
    assert pue == pytest.approx(1.038, abs=0.015)
    water = annual_wue_l_per_kwh(esif())
    assert (water > 1.08).all()
    assert (water < 1.62).all()


@pytest.mark.shared
def test_esif_pue_as_published() -> None:
    """The rows of the published measurements."""
    if not PUE_FACTS.exists():
        pytest.skip("published measurements are not here")
    with PUE_FACTS.open(encoding="utf-8", newline="") as file:
        facts = {row["id"]: row["value"] for row in csv.DictReader(file)}
    pue = annual_pue(esif())
    assert pue[-1] == pytest.approx(float(facts["esif_pue"]), abs=0.02)
    assert pue[-1] == pytest.approx(float(facts["esif_pue_2018"]), abs=0.02)


@pytest.mark.parametrize("site", ["Ashburn VA", "Columbus OH", "Dublin", "Frankfurt", "Golden CO"])
@pytest.mark.parametrize("kind", ["dry", "tower", "hybrid"])
def test_warm_water_in_temperate_climates(site: str, kind: Rejection) -> None:
    """PUE of the year 1.03 to 1.15 with direct liquid cooling."""
    assert 1.03 < annual_pue(curve(site, kind))[-1] < 1.15


@pytest.mark.parametrize("site", ["Ashburn VA", "Dublin", "Memphis TN", "Phoenix AZ", "Singapore"])
def test_air_cooled_chilled_water(site: str) -> None:
    """1.25 to 1.6 for cold chilled water without economiser; warm chilled water does better."""
    pue = annual_pue(characterise(legacy(site)))
    assert 1.25 < pue[-1] < 1.6
    assert annual_pue(curve(site, "chiller", 0.0))[-1] < pue[-1]


def test_small_warehouse() -> None:
    """The same engine with 50 kW of air-cooled load and a simple chain."""
    site = "Memphis TN"
    inputs = PlantInputs(site, climate(site), 50e3, 0.0, "chiller", it_chain=(UPS,))
    made = characterise(inputs)
    assert 1.15 < annual_pue(made)[-1] < 1.6
    assert made.water_l_per_kwh.max() == 0.0
    small = annual_pue(characterise(replace(inputs, it_w=5e3)))
    assert small == pytest.approx(annual_pue(made))


def test_water_by_kind() -> None:
    """Towers 1 to 2 L/kWh in every liquid-cooled site, dry coolers none, hybrids between."""
    for site in rows():
        assert 1.0 < annual_wue_l_per_kwh(curve(site, "tower"))[-1] < 2.0
        assert annual_wue_l_per_kwh(curve(site, "dry"))[-1] == 0.0
    hybrid = annual_wue_l_per_kwh(curve("Ashburn VA", "hybrid"))[-1]
    assert 0.0 < hybrid < annual_wue_l_per_kwh(curve("Ashburn VA", "tower"))[-1]


@pytest.mark.parametrize("kind", FIXED)
def test_hotter_sites_draw_more(kind: Rejection) -> None:
    """Dublin, Ashburn, Abilene and Phoenix in that order; Singapore above Dublin."""
    order = ["Dublin", "Ashburn VA", "Abilene TX", "Phoenix AZ"]
    if kind == "tower":
        order = ["Dublin", "Ashburn VA", "Singapore"]  # Phoenix is dry: towers like it
    pue = [annual_pue(curve(site, kind, 0.0))[-1] for site in order]
    assert pue == sorted(pue)


@pytest.mark.parametrize("kind", REJECTIONS)
def test_low_load_costs_more_per_watt(kind: Rejection) -> None:
    """PUE at a twentieth and a tenth of the load is above that at half load."""
    pue = annual_pue(curve("Frankfurt", kind))
    assert pue[0] > pue[1] > pue[5]


def test_curve_is_whole() -> None:
    """Shapes, signs, and a peak above the mean in every month."""
    made = curve("Abilene TX")
    n = made.load.size
    assert made.loss_share.shape == made.cooling_share.shape == (12, n)
    assert made.peak_share.shape == made.water_l_per_kwh.shape == (12, n)
    assert (made.peak_share > made.loss_share + made.cooling_share).all()
    assert made.derate == pytest.approx(np.ones(12))
    assert all(np.isfinite(getattr(made, f)).all() for f in ("loss_share", "cooling_share"))


def test_same_inputs_same_bytes() -> None:
    """Two calls give equal curves."""
    inputs = PlantInputs("Tokyo", climate("Tokyo"), 1e8, rejection="hybrid")
    first, second = characterise(inputs), characterise(inputs)
    assert first.cooling_share.tobytes() == second.cooling_share.tobytes()


def test_plant_sized_for_milder_weather_is_derated() -> None:
    """Sized for 30 °C, Phoenix loses capacity in summer and none in winter; with no chillers at
    all it loses more, and the capacity it claims is just what it can cool."""
    site = "Phoenix AZ"
    inputs = PlantInputs(site, climate(site), 1e8, rejection="dry")
    mild = characterise(replace(inputs, design_dry_c=30.0)).derate
    assert mild.min() < 0.95
    assert mild[0] == 1.0
    none = characterise(replace(inputs, design_dry_c=30.0, chiller_share=0.0)).derate
    assert (none <= mild).all()
    enough = characterise(replace(inputs, design_dry_c=30.0, chiller_share=1.2)).derate
    assert enough == pytest.approx(np.ones(12))


def test_facility_power_of_a_year_agrees_with_the_curve() -> None:
    """Asking the typical hours one by one gives the curve's annual PUE at that load."""
    inputs = PlantInputs("Ashburn VA", climate("Ashburn VA"), 1e8, rejection="tower")
    year = typical_year(inputs.climate)
    hour = facility_power(size_plant(inputs), 6e7, year.dry_c, year.wet_c)
    made = characterise(inputs, [0.6])
    pue = 1.0 + made.loss_share + made.cooling_share
    weighed = np.einsum("mdh,d->m", hour.pue, DAY_WEIGHT) / 24.0
    assert weighed == pytest.approx(pue[:, 0])


def test_cases_broadcast_against_hours() -> None:
    """Twenty cases on one year, more than one block of work: each row equals its own call."""
    plant = size_plant(PlantInputs("Dublin", climate("Dublin"), 1e8))
    rng = np.random.default_rng(0)
    dry = rng.uniform(-5.0, 40.0, 8760)
    it = rng.uniform(0.1, 1.0, (20, 8760)) * 1e8
    many = facility_power(plant, it, dry, dry - 4.0)
    assert many.facility_w.shape == many.water_kg_s.shape == (20, 8760)
    for row in (0, 7, 19):
        one = facility_power(plant, it[row], dry, dry - 4.0)
        assert (many.facility_w[row] == one.facility_w).all()
        assert (many.short_w[row] == one.short_w).all()


@settings(max_examples=60)
@given(
    kind=st.sampled_from(REJECTIONS),
    liquid=st.floats(0.0, 1.0),
    load=st.floats(0.05, 1.0),
    dry=st.floats(-15.0, 44.0),
    depression=st.floats(0.0, 15.0),
)
@example(kind="hybrid", liquid=0.0, load=0.5, dry=15.0, depression=3.0)
def test_power_balances_and_rises_with_heat(
    kind: Rejection, liquid: float, load: float, dry: float, depression: float
) -> None:
    """Facility power is the sum of its parts, none negative; more load or warmer air draws more."""
    plant = size_plant(PlantInputs("x", climate("Frankfurt"), 1e7, liquid, kind))
    it = np.array([load, min(load * 1.05, 1.0), load]) * 1e7
    air = np.array([dry, dry, dry + 2.0])
    hour = facility_power(plant, it, air, air - depression)
    parts = hour.it_w + hour.loss_w + hour.fan_w + hour.pump_w + hour.chiller_w
    assert hour.facility_w == pytest.approx(parts)
    assert (hour.pue > 1.0).all()
    assert min(hour.loss_w.min(), hour.fan_w.min(), hour.pump_w.min(), hour.chiller_w.min()) >= 0.0
    assert hour.facility_w[1] >= hour.facility_w[0]
    # a hybrid cooler that begins to use water in the warmer hour saves fan power by it
    if kind != "hybrid" or hour.water_kg_s[2] == hour.water_kg_s[0] == 0:
        assert hour.facility_w[2] >= hour.facility_w[0] - 1e-3


def test_problems_are_collected() -> None:
    """All wrong inputs at once, each with its key."""
    good = PlantInputs("x", climate("Dublin"), 1e6)
    bad = replace(
        good,
        it_w=-1.0,
        liquid_share=1.5,
        rejection="ocean",  # type: ignore[arg-type]
        fws_supply_c=45.0,
        climate=replace(good.climate, dry_mean_c=np.zeros(11)),
    )
    with pytest.raises(InputError) as caught:
        size_plant(bad)
    keys = {problem.key for problem in caught.value.problems}
    assert keys == {
        "plant.it_w",
        "plant.liquid_share",
        "plant.rejection",
        "plant.fws_supply_c",
        "plant.climate.dry_mean_c",
    }
    with pytest.raises(InputError, match="loads"):
        characterise(good, [0.0, 0.5])


@pytest.mark.shared
def test_h100_from_its_parts_meets_the_parity_target() -> None:
    """About 1.80 kW of site power per H100 (Epoch AI's estimate for xAI in Memphis, itself a
    model): a rated node of 10.2 kW for 8, 10 % for switches and storage, chillers at their worst
    hour. The highest node power seen in training, 8.4 kW (arXiv 2412.08602), stays below."""
    if not EPOCH.exists():
        pytest.skip("published timeline is not here")
    with EPOCH.open(encoding="utf-8", newline="") as file:
        found = [r for r in csv.DictReader(file) if r["H100 equivalents"] == "100000"]
    target = float(found[0]["Power (MW)"]) * 1e6 / 100_000
    site = curve("Memphis TN", "chiller", 0.8)
    assert facility_w_per_accelerator(10_200.0, 8, 0.10, site) == pytest.approx(target, rel=0.06)
    assert facility_w_per_accelerator(8_400.0, 8, 0.10, site) < target


def test_every_climate_row_is_sourced_and_sane() -> None:
    """Twelve months of every quantity, dew point below dry bulb, a source and a confidence."""
    assert len(rows()) >= 8
    for name, row in rows().items():
        c = climate(name)
        assert (c.dew_point_c <= c.dry_mean_c).all()
        assert (c.coincident_wet_c <= c.design_dry_c).all()
        assert (c.design_dry_c > c.dry_mean_c + 0.5 * c.daily_range_c).all()
        assert c.design_wet_c >= c.coincident_wet_c.max() - 0.6
        assert row["source"]
        assert row["as_of"]
        assert row["confidence"] in {"high", "medium", "low"}
        if "no public source" in row["source"]:
            assert row["confidence"] == "low"
