"""Energy, bill and derating month by month, by hand and against the plant's own engine."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lineshaft
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import PlantCurve
from lineshaft.contracts.done import Robots
from lineshaft.contracts.energised import Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.powered import Powered
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.served import States
from lineshaft.stages.plant import Climate, PlantInputs, Rejection, characterise
from lineshaft.stages.plant.model import FORMULAS, Params, Plant
from lineshaft.tables import Array, Dims

MW = 1e6
MONTHS = 12
CALENDAR = Calendar.of("2026-01", MONTHS)
LOADS = np.array([0.001, 0.5, 1.0])


def make_curve(
    loss: float = 0.02, cooling: float = 0.1, peak: float = 0.2, fixed: float = 0.0
) -> PlantCurve:
    """Shares that hold at every load, and fixed losses per watt of plant."""

    def rows(share: float, still: float = 0.0) -> Array:
        return np.tile(share + still / LOADS, (12, 1))

    return PlantCurve(
        "s0",
        LOADS,
        loss_share=rows(loss, fixed),
        cooling_share=rows(cooling),
        peak_share=rows(peak, fixed),
        water_l_per_kwh=rows(1.5),
        derate=np.ones(12),
    )


def make_params(sites: int = 1, fleets: int = 1, kinds: int = 0, **given: object) -> Params:
    """0.05 USD/kWh, 10 USD/kW, no base load, an ample connection."""
    fine = Params(
        fleet_site=np.zeros(fleets, np.int64),
        kind_site=np.zeros(kinds, np.int64),
        grid_w=np.full((sites, 1), np.inf),
        other_w=np.zeros((sites, 1)),
        house_share=np.zeros((sites, 1)),
        tenant_load=np.full((sites, 1), 0.5),
        floor_peak=np.ones((sites, 1)),
        overhead=np.ones((sites, 1)),
        usd_per_kwh=np.full((MONTHS, sites, 1), 0.05),
        usd_per_kw=np.full((MONTHS, sites, 1), 10.0),
        usd_per_l=np.full((MONTHS, sites, 1), 0.002),
        kg_per_kwh=np.full((MONTHS, sites, 1), 0.4),
    )
    return replace(fine, **given)  # type: ignore[arg-type]


@dataclass
class Load:
    """What the other stages put on the sites, each month the same."""

    energised_w: float = 100 * MW
    it_w: float = 50 * MW
    peak_w: float = 80 * MW
    leased_w: float = 0.0
    floor_w: float = 0.0


def run(
    params: Params, curves: dict[int, PlantCurve], load: Load, width: int = 1
) -> tuple[Powered, Ledger]:
    """A year of the same load on site 0 (robots on the last site), derating fed back to it."""
    sites = len(params.grid_w)
    fleets, kinds = len(params.fleet_site), len(params.kind_site)
    keys = {"phase": 0, "run": 0, "model": 0, "role": 0, "holder": 0}
    sizes = {**keys, "site": sites, "fleet": fleets, "kind": kinds}
    labels = {k: tuple(f"{k[0]}{i}" for i in range(n)) for k, n in sizes.items()}
    dims = Dims({**labels, "month": CALENDAR.labels}, width)
    energised, states = Energised.allocate(dims), States.allocate(dims)
    robots, powered = Robots.allocate(dims), Powered.allocate(dims)
    seconds = CALENDAR.seconds[:, None]
    if sites and fleets:
        energised.it_w[:, 0] = load.energised_w
    robots.energy_j[:] = load.floor_w * seconds[..., None]
    ledger = Ledger.opening(dims, 0)
    plant = Plant(params, dims, CALENDAR, curves)
    plant.open(ledger)
    for t in range(MONTHS):
        if sites and fleets:
            usable = energised.it_w[t, 0] * ledger.derate[0]
            energised.leased_w[t, 0] = np.minimum(load.leased_w, usable)
            part = np.minimum(1.0, (usable - energised.leased_w[t, 0]) / load.peak_w)
            states.it_j[t, 0] = load.it_w * part * CALENDAR.seconds[t]
            states.peak_w[t, 0] = load.peak_w * part
        plant.advance(t, ledger, energised, states, robots, powered)
    plant.finish(powered)
    return powered, ledger


def test_a_month_by_hand() -> None:
    """50 MW of IT in a 100 MW hall: 2 % losses, 10 % cooling, 20 % at the peak of 80 MW."""
    params = make_params(
        other_w=np.full((1, 1), MW),
        house_share=np.full((1, 1), 0.01),
        overhead=np.full((1, 1), 1.5),
    )
    x, _ = run(params, {0: make_curve()}, Load())
    s, h = CALENDAR.seconds[0], CALENDAR.seconds[0] / 3600
    assert x.it_j[0, 0, 0] == pytest.approx(50 * MW * s)
    assert x.losses_j[0, 0, 0] == pytest.approx(1.5 * MW * s)
    assert x.cooling_j[0, 0, 0] == pytest.approx(7.5 * MW * s)
    assert x.other_j[0, 0, 0] == pytest.approx(2 * MW * s)
    assert x.facility_j[0, 0, 0] == pytest.approx(61 * MW * s)
    assert x.pue[0, 0, 0] == pytest.approx(1.22)
    assert x.peak_w[0, 0, 0] == pytest.approx((80 * 1.3 + 2) * MW)
    assert x.water_l[0, 0, 0] == pytest.approx(1.5 * 50e3 * h)
    assert x.energy_usd[0, 0, 0] == pytest.approx(61e3 * h * 0.05)
    assert x.demand_usd[0, 0, 0] == pytest.approx(106e3 * 10)
    assert x.water_usd[0, 0, 0] == pytest.approx(1.5 * 50e3 * h * 0.002)
    assert x.carbon_kg[0, 0, 0] == pytest.approx(61e3 * h * 0.4)
    assert x.bill_usd == pytest.approx(x.energy_usd + x.demand_usd + x.water_usd)
    assert (x.derate == 1).all()
    assert not x.binding.any()


@pytest.mark.parametrize("it_mw", [0.0, 1e-6, 0.05, 1.0])
def test_fixed_losses_stay_when_the_load_goes(it_mw: float) -> None:
    """1 MW of a 100 MW plant is lost at any load."""
    x, _ = run(make_params(), {0: make_curve(fixed=0.01)}, Load(it_w=it_mw * MW))
    watts = x.losses_j[:, 0, 0] / CALENDAR.seconds
    assert watts == pytest.approx((1 + 0.02 * it_mw) * MW, rel=3e-3)


def test_the_plant_grows_with_the_halls() -> None:
    """A tenth of the halls with a tenth of the load has the PUE of the whole, and without any
    halls nothing is lost."""
    curves = {0: make_curve(fixed=0.01)}
    whole, _ = run(make_params(), curves, Load())
    tenth, _ = run(make_params(), curves, Load(10 * MW, 5 * MW, 8 * MW))
    assert tenth.pue == pytest.approx(whole.pue)
    none, _ = run(make_params(), curves, Load(0.0, 0.0, 1.0))
    assert not none.facility_j.any() and not none.pue.any()
    assert (none.derate == 1).all()


def test_tenants_draw_power_too() -> None:
    """40 MW leased at half load beside 30 MW of one's own."""
    x, _ = run(
        make_params(), {0: make_curve()}, Load(it_w=30 * MW, peak_w=40 * MW, leased_w=40 * MW)
    )
    assert x.it_j[:, 0, 0] == pytest.approx(50 * MW * CALENDAR.seconds)
    assert x.peak_w[:, 0, 0] == pytest.approx(60 * MW * 1.2)


def test_a_floor_site_without_halls() -> None:
    """Robots of 2 MW for half of the day, 1 MW of light; the campus beside it is not touched."""
    params = make_params(
        2,
        kinds=1,
        kind_site=np.array([1]),
        other_w=np.array([[0.0], [MW]]),
        floor_peak=np.array([[1.0], [2.0]]),
    )
    x, _ = run(params, {0: make_curve()}, Load(floor_w=2 * MW))
    assert x.floor_j[:, 1, 0] == pytest.approx(2 * MW * CALENDAR.seconds)
    assert x.facility_j[:, 1, 0] == pytest.approx(3 * MW * CALENDAR.seconds)
    assert x.peak_w[:, 1, 0] == pytest.approx([5 * MW] * MONTHS)
    assert not x.pue[:, 1].any() and not x.binding[:, 1].any()
    assert (x.derate[:, 1] == 1).all()
    assert x.floor_j[:, 0].sum() == 0


def test_a_small_connection_derates_the_next_month() -> None:
    """90 MW for a full load of 120 MW and 6 MW of base load: 84 / 1.2 MW are left, and from the
    second month on the peak fits."""
    params = make_params(grid_w=np.full((1, 1), 90 * MW), other_w=np.full((1, 1), 6 * MW))
    x, ledger = run(params, {0: make_curve()}, Load(it_w=60 * MW, peak_w=100 * MW))
    assert x.derate[:, 0, 0] == pytest.approx([0.7] * MONTHS)
    assert (x.binding == CODE["grid"]).all()
    assert x.peak_w[0, 0, 0] > 90 * MW
    assert x.peak_w[1:, 0, 0] == pytest.approx([90 * MW] * (MONTHS - 1))
    assert ledger.derate[0, 0] == pytest.approx(0.7)
    hopeless, _ = run(replace(params, grid_w=np.full((1, 1), MW)), {0: make_curve()}, Load())
    assert not hopeless.derate.any()


def test_heat_derates_in_its_month() -> None:
    """The plant cools 0.8 of the load in July: June says so, July obeys."""
    hot = np.ones(12)
    hot[6] = 0.8
    curve = replace(make_curve(), derate=hot)
    x, _ = run(make_params(), {0: curve}, Load(it_w=90 * MW, peak_w=100 * MW))
    assert x.derate[:, 0, 0].tolist() == [1.0] * 5 + [0.8] + [1.0] * 6
    assert x.binding[5, 0, 0] == CODE["power"]
    assert x.it_j[6, 0, 0] == pytest.approx(72 * MW * CALENDAR.seconds[6])


def test_draws_and_empty_axes() -> None:
    """Column 0 of four is the run of one; again gives the same bytes; no sites, no rows."""
    curves = {0: make_curve(fixed=0.01)}
    overhead = np.array([[1.0, 0.8, 1.0, 1.3]])
    wide, _ = run(make_params(overhead=overhead), curves, Load(), width=4)
    one, _ = run(make_params(), curves, Load())
    assert (wide.bill_usd[..., 0] == one.bill_usd[..., 0]).all()
    assert wide.bill_usd[0, 0, 1] < wide.bill_usd[0, 0, 2] < wide.bill_usd[0, 0, 3]
    again, _ = run(make_params(overhead=overhead), curves, Load(), width=4)
    assert again.bill_usd.tobytes() == wide.bill_usd.tobytes()
    empty, _ = run(make_params(0, 0), {}, Load(), width=4)
    assert empty.facility_j.shape == (MONTHS, 0, 4)


@cache
def inputs(kind: Rejection) -> PlantInputs:
    """A 100 MW plant in Ashburn, whose house load the monthly half counts."""
    path = Path(lineshaft.__file__).parent / "catalog" / "climates.csv"
    with path.open(encoding="utf-8", newline="") as file:
        row = next(r for r in csv.DictReader(file) if r["name"] == "Ashburn VA")

    def months(name: str) -> Array:
        return np.array([float(row[f"{name}_{m:02d}"]) for m in range(1, 13)])

    climate = Climate(
        dry_mean_c=months("dry_mean_c"),
        dew_point_c=months("dew_point_c"),
        daily_range_c=months("daily_range_c"),
        design_dry_c=months("design_dry_c"),
        coincident_wet_c=months("coincident_wet_c"),
        design_wet_c=float(row["design_wet_c"]),
    )
    return PlantInputs("s0", climate, 100 * MW, rejection=kind, house_share=0.0)


@cache
def engine_curve(kind: Rejection) -> PlantCurve:
    """Its curve on the default loads."""
    return characterise(inputs(kind))


@pytest.mark.parametrize("kind", ["dry", "tower", "hybrid", "chiller"])
@pytest.mark.parametrize("load", [0.002, 0.015, 0.237, 0.66, 0.97])
def test_the_months_are_those_of_the_engine(kind: Rejection, load: float) -> None:
    """Between the loads of the curve, and far below all but the first: what the engine gives
    there. Water of a hybrid cooler, which wets itself in hot hours only, is the roughest."""
    exact = characterise(inputs(kind), [load])
    it_w = load * 100 * MW
    x, _ = run(make_params(), {0: engine_curve(kind)}, Load(it_w=it_w, peak_w=100 * MW))
    seconds = CALENDAR.seconds
    for got, share in ((x.losses_j, exact.loss_share), (x.cooling_j, exact.cooling_share)):
        assert got[:, 0, 0] / seconds == pytest.approx(share[:, 0] * it_w, rel=0.03)
    water = exact.water_l_per_kwh[:, 0] * it_w / 3.6e6 * seconds
    rough = 0.04 if kind == "hybrid" else 0.01
    assert x.water_l.sum() == pytest.approx(water.sum(), rel=rough)
    peak = 100 * MW * (1 + engine_curve(kind).peak_share[:, -1])
    assert x.peak_w[:, 0, 0] == pytest.approx(peak)


@settings(max_examples=60, deadline=None)
@given(
    grid=st.floats(1.0, 150.0),
    it=st.floats(0.0, 1.0),
    floor=st.floats(0.0, 20.0),
    overhead=st.floats(0.5, 1.5),
    kind=st.sampled_from(["dry", "tower"]),
)
def test_laws(grid: float, it: float, floor: float, overhead: float, kind: Rejection) -> None:
    """Energy balances; what is allowed fits the connection in the next month's weather."""
    params = make_params(
        kinds=1,
        grid_w=np.full((1, 1), grid * MW),
        overhead=np.full((1, 1), overhead),
        house_share=np.full((1, 1), 0.005),
    )
    load = Load(it_w=it * 100 * MW, peak_w=100 * MW, floor_w=floor * MW)
    x, _ = run(params, {0: engine_curve(kind)}, load)
    parts = x.it_j + x.losses_j + x.cooling_j + x.floor_j + x.other_j
    assert x.facility_j == pytest.approx(parts, rel=1e-12)
    for column in (x.losses_j, x.cooling_j, x.water_l, x.derate, x.bill_usd):
        assert column.min() >= 0.0 and np.isfinite(column).all()
    assert x.derate.max() <= 1.0
    assert ((x.derate < 1) == (x.binding > 0)).all()
    still = floor * MW + 0.5 * MW
    fixed = engine_curve(kind).peak_share[:, 0].max() * 0.001 * 100 * MW * overhead
    if still + fixed < grid * MW:
        assert x.peak_w[1:].max() <= grid * MW * (1 + 1e-3)
        assert x.derate.min() > 0


def test_every_column_has_its_formula() -> None:
    """The printed formulas are of all columns that the stage fills, and of no other."""
    assert set(FORMULAS) == {f"powered.{c.name}" for c in Powered.columns()}
