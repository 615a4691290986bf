"""Phases, halls and accelerators month by month, by hand and as laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.calendar import YEAR_S
from lineshaft.contracts.curves import BuildCurve
from lineshaft.contracts.energised import Accelerators, Crews, Energised, Phases
from lineshaft.contracts.funded import Funded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE, TRADES
from lineshaft.stages.build.model import FORMULAS, Build, Params
from lineshaft.tables import Array, Dims

MW = 1e6
ELECTRICAL = TRADES.index("electrical")
AMPLE = 1e15


def make_curve(
    ready: Sequence[Sequence[float]],
    months: int = 24,
    *,
    hours: float = 400.0,
    crew: float = 100.0,
    worlds: Sequence[float] = (1.0,),
    starts: Sequence[int] = (),
) -> BuildCurve:
    """Phases of 10 MW halls that are ready after these months; cost and hours run evenly.

    `worlds` are factors on all times, after those of the median case.
    """
    hall_phase = np.array([p for p, halls in enumerate(ready) for _ in halls])
    times = np.array([t for halls in ready for t in halls])[:, None] * np.array([1.0, *worlds])
    x = np.linspace(0.0, 1.0, 5)
    n = len(ready)
    craft = np.zeros((n, len(TRADES)))
    craft[:, ELECTRICAL] = hours
    crews = np.zeros((len(TRADES), months))
    crews[ELECTRICAL] = crew
    return BuildCurve(
        phases=tuple(f"p{i}" for i in range(n)),
        hall_phase=hall_phase,
        hall_w=np.full(len(hall_phase), 10 * MW),
        ready_months=times,
        duration_months=np.stack([times[hall_phase == p].max(axis=0) for p in range(n)]),
        progress=x,
        spent_share=np.tile(x, (n, 1)),
        craft_hours=craft,
        worked_share=np.tile(x, (n, len(TRADES), 1)),
        crew_hours=crews,
        binding=np.full((n, 5), CODE["construction"], np.int8),
        p50_month=times[:, 0],
        p80_month=times[:, 0],
    )


def make_params(
    phases: int = 1, fleets: int = 0, months: int = 24, sites: int = 1, **given: object
) -> Params:
    """Phases at once for 400 USD each; nothing ordered."""
    fine = Params(
        phase_site=np.zeros(phases, np.int64),
        phase_start=np.zeros(phases, np.int64),
        fleet_site=np.zeros(fleets, np.int64),
        fleet_rank=np.arange(fleets),
        life_months=np.full(fleets, 600),
        refresh=np.zeros(fleets, np.bool_),
        luck=np.full(1, 0.5),
        cost_usd=np.full((phases, 1), 400.0),
        hours_factor=np.ones((phases, 1)),
        leased_w=np.zeros((months, sites, 1)),
        existing_w=np.zeros((sites, 1)),
        ordered=np.zeros((months, fleets, 1)),
        price_usd=np.full((months, fleets, 1), 2.0),
        it_w=np.full((fleets, 1), 1000.0),
        failures_per_year=np.full((fleets, 1), 0.1),
        repair_s=np.full((fleets, 1), YEAR_S / 100),
        rented=np.zeros((months, fleets, 1)),
    )
    return replace(fine, **given)  # type: ignore[arg-type]


@dataclass
class Result:
    """The tables of a run."""

    energised: Energised
    phases: Phases
    crews: Crews
    accelerators: Accelerators
    ledger: Ledger


def run(
    params: Params,
    curve: BuildCurve | None,
    spendable: float | Array = AMPLE,
    *,
    width: int = 1,
    derate: float = 1.0,
) -> Result:
    """All months with that money each month (what is left is not kept)."""
    months, sites = params.leased_w.shape[:2]
    dims = Dims(
        {
            "month": tuple(map(str, range(months))),
            "site": tuple(f"s{i}" for i in range(sites)),
            "phase": tuple(f"p{i}" for i in range(len(params.phase_site))),
            "trade": TRADES,
            "fleet": tuple(f"f{i}" for i in range(len(params.fleet_site))),
            **dict.fromkeys(("run", "kind", "model", "role", "holder"), ()),
        },
        width,
    )
    tables = (
        Energised.allocate(dims),
        Phases.allocate(dims),
        Crews.allocate(dims),
        Accelerators.allocate(dims),
    )
    funded, ledger = Funded.allocate(dims), Ledger.opening(dims, 0)
    ledger.derate[:] = derate
    funded.spendable_usd[:] = np.reshape(spendable, (-1, 1))
    build = Build(params, dims, curve)
    for t in range(months):
        build.advance(t, ledger, funded, *tables)
    return Result(*tables, ledger)


def test_halls_come_on_when_their_phase_has_come_to_them() -> None:
    """Starts in month 1; halls after 2.5 and 4 months: half of month 3, all of it from month 5."""
    found = run(make_params(phase_start=np.array([1])), make_curve([[2.5, 4.0]]))
    on = found.energised.it_w[:, 0, 0] / MW
    assert on[:7] == pytest.approx([0, 0, 0, 5, 10, 20, 20])
    assert found.phases.elapsed_months[:6, 0, 0] == pytest.approx([0, 1, 2, 3, 4, 4])
    assert found.phases.paid_usd[:6, 0, 0] == pytest.approx([0, 100, 100, 100, 100, 0])
    assert found.crews.worked_h[1:5, ELECTRICAL, 0] == pytest.approx([100] * 4)
    assert found.energised.construction_usd.sum() == pytest.approx(400)
    codes = found.energised.binding[:6, 0, 0]
    assert codes.tolist() == [CODE["construction"]] * 5 + [0]
    assert not found.phases.delay_months.any()


def test_a_phase_that_ends_within_a_month() -> None:
    """Ready after 3.25 months: three quarters of month 3 are powered."""
    found = run(make_params(), make_curve([[3.25]]))
    assert found.energised.it_w[2:5, 0, 0] == pytest.approx(np.array([0, 7.5, 10]) * MW)
    assert found.phases.paid_usd.sum() == pytest.approx(400)


def test_money_that_is_short_delays_and_says_so() -> None:
    """Half of what is due each month: half the pace, and the reason is funds. The last half month
    is paid at once and done in the first half of month 7."""
    found = run(make_params(), make_curve([[2.0, 4.0]]), 50.0)
    assert found.phases.elapsed_months[:8, 0, 0] == pytest.approx(np.arange(1, 9) / 2)
    assert (found.phases.binding[:7, 0, 0] == CODE["funds"]).all()
    assert (found.energised.binding[:7, 0, 0] == CODE["funds"]).all()
    assert found.phases.delay_months[-1, 0, 0] == pytest.approx(3.5)
    assert found.phases.paid_usd[:, 0, 0].max() == pytest.approx(50)
    assert found.phases.paid_usd.sum() == pytest.approx(400)
    assert found.energised.it_w[[3, 4, 7, 8], 0, 0] == pytest.approx(np.array([0, 10, 15, 20]) * MW)


def test_a_hall_that_is_ready_stays_on_when_money_ends() -> None:
    """The hall comes on within the last paid month; then it is on although nothing moves."""
    money = np.array([AMPLE] * 3 + [0.0] * 21)
    found = run(make_params(), make_curve([[2.6, 4.0]]), money)
    assert found.energised.it_w[:, 0, 0] / MW == pytest.approx([0, 0, 4, *[10] * 21])
    assert found.phases.delay_months[-1, 0, 0] == pytest.approx(21)


def test_the_phase_that_began_first_is_paid_first() -> None:
    """The second of the list starts a month earlier and keeps its pace."""
    params = make_params(2, phase_start=np.array([1, 0]))
    found = run(params, make_curve([[4.0], [4.0]], crew=1e6), 100.0)
    assert found.phases.elapsed_months[3, :, 0] == pytest.approx([0, 4])
    assert found.phases.binding[1:4, 0, 0].tolist() == [CODE["funds"]] * 3
    assert found.phases.delay_months[-1, :, 0] == pytest.approx([3, 0])


def test_crews_that_are_short_delay_and_say_which_trade() -> None:
    """Twice the hours of the plan for crews that the plan uses up: half the pace."""
    params = make_params(hours_factor=np.full((1, 1), 2.0))
    found = run(params, make_curve([[4.0]]))
    assert found.phases.elapsed_months[:8, 0, 0] == pytest.approx(np.arange(1, 9) / 2)
    assert (found.phases.binding[:7, 0, 0] == CODE["trade: electrical"]).all()
    assert found.crews.worked_h[:8, ELECTRICAL, 0] == pytest.approx([100] * 8)
    assert found.phases.paid_usd[:8, 0, 0] == pytest.approx([50] * 8)
    assert run(params, make_curve([[4.0]], crew=200.0)).phases.delay_months[-1, 0, 0] == 0


def test_phases_pushed_together_by_money_share_the_crews() -> None:
    """Planned one after the other; nothing is paid for four months, then both want the crew."""
    params = make_params(2, phase_start=np.array([0, 4]))
    money = np.array([0.0] * 4 + [AMPLE] * 20)
    found = run(params, make_curve([[4.0], [4.0]]), money)
    assert found.phases.elapsed_months[5, :, 0] == pytest.approx([1, 1])
    assert (found.phases.binding[4, :, 0] == CODE["trade: electrical"]).all()
    assert found.phases.progress[11, :, 0] == pytest.approx([1, 1])


def test_the_schedule_itself_never_waits_for_its_crews() -> None:
    """The hours by month of a curve are rounded: what it wants, it gets, and no more is worked
    than there is."""
    found = run(make_params(), make_curve([[4.0]], crew=99.0))
    assert found.phases.delay_months[-1, 0, 0] == 0
    assert found.crews.worked_h[:4, ELECTRICAL, 0] == pytest.approx([99] * 4)
    assert found.crews.idle_h.min() == 0


def test_the_reason_of_a_site_is_that_of_its_first_open_phase() -> None:
    """Before the first start only time is missing; after the last end nothing is."""
    params = make_params(2, sites=2, phase_site=np.array([1, 1]), phase_start=np.array([1, 3]))
    curve = make_curve([[2.0], [2.0]], crew=1e6)
    curve.binding[0], curve.binding[1] = CODE["permit"], CODE["grid"]
    codes = run(params, curve).energised.binding[:6, :, 0]
    assert codes[:, 1].tolist() == [CODE[n] for n in ("construction", "permit", "permit")] + [
        CODE["grid"],
        CODE["grid"],
        0,
    ]
    assert not codes[:, 0].any()


def test_luck_picks_the_world() -> None:
    """Worlds are sorted from lucky to unlucky; the median case is column 0 in every width."""
    curve = make_curve([[4.0]], worlds=(0.5, 1.0, 1.5, 2.0))
    luck = np.array([0.5, 0.0, 0.49, 0.999])
    found = run(make_params(luck=luck), curve, width=4)
    assert (found.energised.it_w[:, 0] > 0).argmax(axis=0).tolist() == [4, 2, 4, 8]
    assert not found.phases.delay_months.any()
    narrow = run(make_params(), curve)
    assert (narrow.energised.it_w[..., 0] == found.energised.it_w[..., 0]).all()
    again = run(make_params(luck=luck), curve, width=4)
    assert again.energised.it_w.tobytes() == found.energised.it_w.tobytes()


def _orders(fleets: int, months: int = 24, **by_month: float) -> Array:
    ordered = np.zeros((months, fleets, 1))
    for key, count in by_month.items():
        fleet, month = map(int, key[1:].split("_"))
        ordered[month, fleet] = count
    return ordered


def test_accelerators_wait_in_store_for_their_hall() -> None:
    """10,000 arrive in month 1, the 10 MW hall for them in month 4."""
    params = make_params(fleets=1, ordered=_orders(1, f0_1=10_000.0))
    found = run(params, make_curve([[4.0]]))
    x = found.accelerators
    assert x.stored[:5, 0, 0] == pytest.approx([0, 10_000, 10_000, 10_000, 0])
    assert x.installed[:5, 0, 0] == pytest.approx([0, 0, 0, 0, 10_000])
    assert x.purchase_usd.sum() == pytest.approx(20_000)
    assert x.broken[4, 0, 0] == pytest.approx(10.0)


def test_the_newest_take_the_power_first() -> None:
    """8 MW for 5,000 old and 5,000 new ones; half of the power is leased later."""
    leased = np.zeros((24, 1, 1))
    leased[2:] = 4 * MW
    params = make_params(
        0,
        2,
        existing_w=np.full((1, 1), 10 * MW),
        fleet_rank=np.array([1, 0]),
        ordered=_orders(2, f0_0=5000.0, f1_1=5000.0),
        leased_w=leased,
    )
    found = run(params, None, derate=0.8)
    assert found.energised.usable_w[:, 0, 0] == pytest.approx([8 * MW] * 24)
    assert found.energised.leased_w[2, 0, 0] == pytest.approx(4 * MW)
    assert found.accelerators.installed[:3, :, 0] == pytest.approx(
        np.array([[5000, 0], [3000, 5000], [0, 4000]])
    )
    assert found.accelerators.stored[2, :, 0] == pytest.approx([5000, 1000])


def test_retired_ones_are_replaced_where_asked() -> None:
    """A life of six months; the second fleet is not refreshed."""
    params = make_params(
        0,
        2,
        existing_w=np.full((1, 1), 10 * MW),
        life_months=np.array([6, 6]),
        refresh=np.array([True, False]),
        ordered=_orders(2, f0_0=1000.0, f1_0=1000.0, f0_2=500.0),
    )
    x = run(params, None).accelerators
    assert x.retired[[6, 8, 12, 14], 0, 0] == pytest.approx([1000, 500, 1000, 500])
    assert x.delivered[[6, 8, 12], 0, 0] == pytest.approx([1000, 500, 1000])
    assert x.installed[[5, 6, 23], 0, 0] == pytest.approx([1500, 1500, 1500])
    assert x.installed[[5, 6, 23], 1, 0] == pytest.approx([1000, 0, 0])
    assert x.purchase_usd[6, :, 0] == pytest.approx([2000, 0])


def test_deliveries_wait_for_money_behind_construction() -> None:
    """100 a month: the phase takes all for four months, then 50 accelerators a month."""
    params = make_params(fleets=2, ordered=_orders(2, f0_0=60.0, f1_0=40.0))
    x = run(params, make_curve([[4.0]]), 100.0).accelerators
    assert x.delivered[:7, :, 0] == pytest.approx(
        np.array([[0, 0]] * 4 + [[50, 0], [10, 40], [0, 0]])
    )
    assert x.purchase_usd[4:6].sum(axis=(1, 2)) == pytest.approx([100, 100])


def test_what_is_there_already_costs_nothing() -> None:
    """A price of 0 is delivered without money."""
    params = make_params(
        0,
        1,
        existing_w=np.full((1, 1), MW),
        ordered=_orders(1, f0_0=100.0),
        price_usd=np.zeros((24, 1, 1)),
    )
    x = run(params, None, 0.0).accelerators
    assert x.installed[0, 0, 0] == 100
    assert x.purchase_usd.sum() == 0


def test_rented_ones_are_installed_and_nothing_else() -> None:
    """They need no hall, are never delivered, and their failures are the landlord's."""
    rented = np.zeros((24, 2, 1))
    rented[3:, 1] = 200.0
    params = make_params(0, 2, sites=0, fleet_site=np.array([-1, -1]), rented=rented)
    x = run(params, None).accelerators
    assert x.installed[[2, 3], 1, 0].tolist() == [0, 200]
    assert not x.delivered_total.any() and not x.stored.any() and not x.broken.any()


def test_nothing_to_build_is_no_trouble() -> None:
    """No sites, phases or fleets; and a site that only has halls already."""
    empty = run(make_params(0, 0, sites=0), None, width=4)
    assert empty.energised.it_w.shape == (24, 0, 4)
    assert not empty.crews.available_h.any()
    old = run(make_params(0, 0, existing_w=np.full((1, 1), 5.0)), None, width=4)
    assert (old.energised.it_w == 5.0).all()


amounts = st.floats(0.0, 400.0)


@settings(max_examples=40, deadline=None)
@given(
    money=st.lists(amounts, min_size=24, max_size=24),
    starts=st.lists(st.integers(0, 12), min_size=3, max_size=3),
    crew=st.floats(20.0, 300.0),
    factor=st.floats(0.3, 3.0),
    orders=st.lists(amounts, min_size=24, max_size=24),
    life=st.integers(1, 30),
    refresh=st.booleans(),
    derate=st.floats(0.0, 1.0, allow_subnormal=False),
)
def test_laws(
    money: list[float],
    starts: list[int],
    crew: float,
    factor: float,
    orders: list[float],
    life: int,
    refresh: bool,
    derate: float,
) -> None:
    """Nothing is lost, overspent, negative or undone, whatever comes."""
    width = 4
    ordered = np.stack([np.array(orders), np.array(orders[::-1])], axis=1)[:, :, None]
    params = make_params(
        3,
        2,
        phase_start=np.array(starts),
        luck=np.array([0.5, 0.1, 0.6, 0.9]),
        hours_factor=np.full((3, width), factor),
        life_months=np.array([life, 600]),
        refresh=np.array([refresh, True]),
        ordered=ordered,
        fleet_rank=np.array([1, 0]),
    )
    curve = make_curve([[1.5, 3.0], [2.0, 2.2], [5.0]], crew=crew, worlds=(0.8, 1.2, 1.5))
    r = run(params, curve, np.array(money), width=width, derate=derate)
    x = r.accelerators
    balance = x.delivered_total - x.installed - x.stored - x.retired_total
    assert np.abs(balance).max() <= 1e-9 * max(1.0, float(x.delivered_total.max()))
    for part in (x.delivered, x.retired, x.installed, x.stored, x.broken, x.purchase_usd):
        assert part.min() >= 0.0
    assert (x.broken <= x.installed).all()
    need = (x.installed * params.it_w).sum(axis=1)
    assert (need <= r.energised.usable_w.sum(axis=1) * (1 + 1e-9)).all()
    assert x.purchase_usd == pytest.approx(x.delivered * params.price_usd, abs=1e-9)
    assert (r.crews.worked_h >= 0).all() and (r.crews.idle_h >= 0).all()
    assert r.crews.worked_h + r.crews.idle_h == pytest.approx(r.crews.available_h, abs=1e-9)
    spent = r.phases.paid_usd.sum(axis=1) + x.purchase_usd.sum(axis=1)
    assert (spent <= np.array(money)[:, None] * (1 + 1e-9) + 1e-9).all()
    assert (r.phases.paid_usd <= r.phases.due_usd + 1e-9).all()
    paid = np.cumsum(r.phases.paid_usd, axis=0)
    assert (paid <= params.cost_usd * (1 + 1e-9)).all()
    done = r.phases.progress[-1] >= 1 - 1e-9
    assert paid[-1][done] == pytest.approx(np.full(done.sum(), 400.0))
    steps = np.diff(r.phases.elapsed_months, axis=0)
    assert steps.min() >= 0.0 and steps.max() <= 1 + 1e-9
    assert (np.diff(r.energised.it_w, axis=0) >= -1e-6).all()
    assert r.energised.it_w.max() <= 50 * MW * (1 + 1e-12)


def test_every_column_has_its_formula() -> None:
    """The printed formulas are of all columns that the stage fills, and of no other."""
    columns = {
        f"{table.name()}.{c.name}"
        for table in (Energised, Phases, Crews, Accelerators)
        for c in table.columns()
    }
    assert set(FORMULAS) == columns
