"""The monthly half of value: cash by hand, balances, unit costs that add up, the worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import ServeCurve
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE, ROLES
from lineshaft.contracts.tables import Tables
from lineshaft.contracts.worth import RunCosts, TaskCosts, Valuation, Worth
from lineshaft.stages.value.finance import annuity, npv, straight_line, tax_step, value_driver
from lineshaft.stages.value.model import FORMULAS, Params, Value
from lineshaft.stages.value.monthly import after_losses, months_owed, owed, token_work
from lineshaft.tables import Dims

DAYS = 365.25 / 12


def dims(months: int = 4, kinds: int = 2, width: int = 1, sites: int = 2) -> Dims:
    return Dims(
        {
            "month": Calendar.of("2026-01", months).labels,
            "site": ("campus", "warehouse")[:sites],
            "phase": (),
            "trade": (),
            "fleet": ("campus / X",)[: min(sites, 1)],
            "run": ("R", "S")[: min(kinds, 2)],
            "model": ("own", "bought")[: max(kinds, 1)],
            "kind": ("agent", "robot", "tokens")[:kinds],
            "role": ROLES,
            "holder": ("founders",),
            "asset": ("halls", "accelerators", "robots"),
        },
        width,
    )


def params(d: Dims, **changes: Any) -> Params:
    months, kinds, sites = d.size("month"), d.size("kind"), d.size("site")
    plain = Params(
        kind_model=np.array([0, 1, 0][:kinds], np.int64),
        sells_tokens=np.array([False, False, True][:kinds], bool),
        life_months=np.array([[168], [60], [72]]),
        contract_tasks=np.zeros((months, kinds, 1)),
        contract_usd=np.zeros((months, kinds, 1)),
        committed_usd=np.zeros((months, kinds, 1)),
        lease_usd_per_w=np.zeros((months, sites, 1)),
        staff_usd=np.full((months, 1), 10.0),
        site_staff_usd_per_w=np.full((months, 1), 0.5),
        upkeep=np.array([[0.12], [0.06], [0.24]]),
        escape_usd=np.array([[3.0], [1.0], [0.0]][:kinds]).reshape(kinds, 1),
        wage_usd_per_h=np.full((kinds, 1), 50.0),
        task_h=np.array([[2.0], [0.5], [0.0]][:kinds]).reshape(kinds, 1),
        receivable_days=np.zeros(1),
        payable_days=np.zeros(1),
        tax_rate=np.array([0.25]),
        loss_limit=np.array([0.8]),
        wacc=np.array([0.1]),
        growth=np.array([0.03]),
        roic=np.array([0.15]),
    )
    return dataclasses.replace(plain, **changes)


def filled(d: Dims) -> Tables:
    """A busy world: every input that value reads is there, simple numbers, the same each month."""
    x = Tables.allocate(d)
    both = min(d.size("kind"), 2)

    def put(table: Any, name: str, *values: float) -> None:
        column = table[name]
        for i, value in enumerate(values[: column.shape[1]]):
            column[:, i] = value

    put(x.energised, "it_w", 100.0)
    put(x.energised, "construction_usd", 1000.0)
    put(x.accelerators, "purchase_usd", 500.0)
    put(x.robots, "purchase_usd", 0.0, 72.0)
    put(x.fielded, "price_usd", 40.0, 6.0, 1.0)
    put(x.fielded, "demand_tasks", 120.0, 300.0, 1000.0)
    put(x.fielded, "input_tokens", 5e6, 1e6, 1e6)
    put(x.fielded, "cached_tokens", 4e6)
    put(x.fielded, "output_tokens", 1e6, 1e6, 2e6)
    x.fielded.binding[:] = CODE["demand"]
    put(x.done, "attempted", 110.0, 250.0, 900.0)
    put(x.accepted, "accepted", 100.0, 200.0, 900.0)
    put(x.accepted, "escaped", 2.0, 5.0)
    put(x.accepted, "review_min", 600.0)
    put(x.robots, "intervention_min", 0.0, 90.0)
    put(x.robots, "energy_j", 0.0, 3.6e6)
    put(x.people, "wage_usd", 700.0, 80.0)
    put(x.served, "served", 1.1e9, 5e8)
    put(x.served, "rent_usd", 0.0, 20.0)
    put(x.states, "installed", 50.0)
    put(x.states, "training", 10.0)
    put(x.states, "busy", 20.0)
    put(x.states, "it_j", 100 * 3.6e6)
    put(x.trained, "accelerator_h", 3.0, 1.0)
    put(x.powered, "it_j", 100 * 3.6e6)
    put(x.powered, "cooling_j", 20 * 3.6e6)
    put(x.powered, "other_j", 5 * 3.6e6, 1 * 3.6e6)
    put(x.powered, "floor_j", 0.0, 3.6e6)
    x.powered.facility_j[:] = (
        x.powered.it_j + x.powered.cooling_j + x.powered.other_j + x.powered.floor_j
    )
    put(x.powered, "bill_usd", 30.0, 2.0)
    assert both or not x.fielded.price_usd.size
    return x


def solve(
    p: Params,
    d: Dims,
    x: Tables,
    change: Callable[[Tables, int], None] | None = None,
    opening: float = 10_000.0,
    curves: dict[tuple[int, int], ServeCurve] | None = None,
) -> Tables:
    """Runs value over all months; cash opens where it closed, as capital would see it."""
    ledger = Ledger.opening(d, 0)
    ledger.cash_usd += opening
    value = Value(p, d, Calendar.of("2026-01", d.size("month")), curves)
    for t in range(d.size("month")):
        x.funded.opening_cash_usd[t] = ledger.cash_usd
        if change:
            change(x, t)
        value.advance(
            t, ledger, x.funded, x.energised, x.accelerators, x.fielded, x.served, x.states,
            x.robots, x.powered, x.accepted, x.people, x.worth,
        )  # fmt: skip
    value.finish(
        x.fielded, x.trained, x.served, x.states, x.done, x.robots, x.powered, x.accepted,
        x.people, x.funded, x.worth, x.task_costs, x.run_costs, x.valuation,
    )  # fmt: skip
    return x


def balances(x: Tables) -> None:
    w, f = x.worth, x.funded
    came = f.opening_cash_usd + f.equity_usd + f.debt_drawn_usd + w.receipts_usd
    went = w.payments_usd + f.interest_usd + w.tax_usd + w.capex_usd + f.repayment_usd
    assert came - went == pytest.approx(w.cash_usd, rel=1e-9)
    assert f.opening_cash_usd[1:] == pytest.approx(w.cash_usd[:-1], rel=1e-12)
    lines = w.energy_usd + w.people_usd + w.staff_usd + w.rent_usd + w.maintenance_usd
    assert lines + w.escape_usd == pytest.approx(w.opex_usd, rel=1e-12)
    before = np.concatenate([np.zeros_like(w.receivables_usd[:1]), w.receivables_usd[:-1]])
    assert before + w.revenue_usd - w.receipts_usd == pytest.approx(w.receivables_usd, abs=1e-6)
    before = np.concatenate([np.zeros_like(w.payables_usd[:1]), w.payables_usd[:-1]])
    assert before + w.opex_usd - w.payments_usd == pytest.approx(w.payables_usd, abs=1e-6)


def test_the_first_month_by_hand() -> None:
    d = dims(kinds=3)
    x = solve(params(d), d, filled(d))
    w = x.worth
    revenue = 100 * 40 + 200 * 6 + 900 * 1
    maintenance = 1000 * 0.01 + 500 * 0.005 + 72 * 0.02
    opex = 32 + 780 + (10 + 50) + 20 + maintenance + (6 + 5)
    depreciation = 1000 / 168 + 500 / 60 + 72 / 72
    tax = 0.25 * (revenue - opex - depreciation)
    assert w.task_revenue_usd[0, 0] == 5200 and w.token_revenue_usd[0, 0] == 900
    assert w.revenue_usd[0, 0] == w.receipts_usd[0, 0] == revenue
    assert w.opex_usd[0, 0] == pytest.approx(opex)
    assert w.depreciation_usd[0, 0] == pytest.approx(depreciation)
    assert w.tax_usd[0, 0] == pytest.approx(tax)
    assert w.cash_usd[0, 0] == pytest.approx(10_000 + revenue - opex - tax - 1572)
    assert w.free_cash_flow_usd[0, 0] == pytest.approx(revenue - opex - tax - 1572)
    assert w.human_equivalent_h[0, 0] == 300
    balances(x)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 3),
    st.sampled_from([1, 4]),
    st.floats(0, 91),
    st.floats(0, 91),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_balances_close_whatever_happens(
    kinds: int, width: int, receivable: float, payable: float, limit: float, seed: int
) -> None:
    d = dims(6, kinds, width)
    rng = np.random.default_rng(seed)
    x = filled(d)

    def shake(x: Tables, t: int) -> None:
        for table in (x.accepted.accepted, x.powered.bill_usd, x.people.wage_usd):
            table[t] *= rng.lognormal(0, 1.5, table[t].shape)
        x.accelerators.purchase_usd[t] *= rng.random(x.accelerators.purchase_usd[t].shape) * 9
        x.funded.equity_usd[t] = rng.random(width) * 1e3
        x.funded.debt_drawn_usd[t] = rng.random(width) * 1e3
        x.funded.interest_usd[t] = rng.random(width) * 1e2
        x.funded.repayment_usd[t] = rng.random(width) * 1e2

    p = params(
        d,
        receivable_days=np.array([receivable]),
        payable_days=np.array([payable]),
        loss_limit=np.array([limit]),
        tax_rate=rng.random(width),
        life_months=rng.integers(1, 9, (3, width)),
    )
    solve(p, d, x, shake)
    balances(x)
    for table in (x.worth, x.task_costs, x.run_costs):
        for column, values in table:
            assert np.isfinite(values).all(), column.name
    assert np.isfinite(x.valuation.enterprise_value_usd).all()
    assert (x.worth.receipts_usd >= -1e-9).all() and (x.worth.receivables_usd >= 0).all()
    costs = x.task_costs
    parts = costs.token_usd + costs.robot_usd + costs.human_usd + costs.escape_usd
    assert parts == pytest.approx(costs.usd_per_task)


def test_a_customer_pays_after_so_many_days() -> None:
    flow = np.array([[100.0], [200.0], [400.0], [800.0]])
    assert owed(flow, 3, months_owed(np.array([DAYS * 2.5])))[0] == pytest.approx(800 + 400 + 100)
    assert owed(flow, 0, months_owed(np.array([DAYS * 2.5])))[0] == 100
    assert owed(flow, 3, months_owed(np.zeros(1)))[0] == 0
    assert len(months_owed(np.array([DAYS]))) == 1
    # each draw by its own days
    two = owed(flow, 2, months_owed(np.array([DAYS / 2, DAYS * 2])))
    assert two.tolist() == pytest.approx([200, 600])


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0, 1))
def test_losses_as_the_law_says(profit: float, losses: float, limit: float) -> None:
    taxable, left = after_losses(np.array([profit]), np.array([losses]), np.array([limit]))
    tax, carried = tax_step(profit, losses, 0.21, limit)
    assert 0.21 * taxable[0] == pytest.approx(float(tax), abs=1e-3)
    assert left[0] == pytest.approx(float(carried), abs=1e-3)


def test_depreciation_by_each_draws_own_life() -> None:
    d = dims(9, width=3)
    life = np.array([[3, 168, 4], [2, 5, 60], [1, 2, 3]])
    x = filled(d)
    x.accelerators.purchase_usd[2:] = 0.0
    solve(params(d, life_months=life), d, x)
    w = x.worth
    for draw in range(3):
        expected = sum(
            straight_line(bought[:, draw], int(life[i, draw]))
            for i, bought in enumerate((w.construction_usd, w.accelerator_usd, w.robot_usd))
        )
        assert w.depreciation_usd[:, draw] == pytest.approx(expected)
    rate = 1.1 ** (1 / 12) - 1
    first = 1000 * annuity(1.0, rate, 3) + 500 * annuity(1.0, rate, 2)
    assert w.compute_charge_usd[0, 0] == pytest.approx(float(first))
    assert w.compute_charge_usd[8, 0] == pytest.approx(float(3000 * annuity(1.0, rate, 3)))


def test_take_or_pay_is_owed_for_what_was_not_asked_for() -> None:
    d = dims()
    ones = np.ones((4, 1))
    contract = np.zeros((3, 4, 2, 1))
    contract[:, :, 0] = np.stack([150 * ones, 50 * ones, 0.8 * 150 * 50 * ones])
    x = filled(d)
    x.accepted.accepted[1, 0] = 0.0  # we failed, the customer asked: nothing is owed
    x.fielded.demand_tasks[2, 0] = 20.0
    x.fielded.demand_tasks[3, 0] = 0.0
    x.fielded.binding[3, 0] = CODE["capability"]
    p = params(d, contract_tasks=contract[0], contract_usd=contract[1], committed_usd=contract[2])
    w = solve(p, d, x).worth
    assert w.contract_revenue_usd[:, 0].tolist() == [0, 0, 6000 - 1000, 0]
    assert w.task_revenue_usd[0, 0] == 100 * 50 + 200 * 6  # at the contract's price
    balances(x)


def test_work_beyond_the_contract_goes_at_market_price() -> None:
    d = dims()
    contract = np.zeros((2, 4, 2, 1))
    contract[:, :, 0] = np.array([30.0, 50.0])[:, None, None]
    p = params(d, contract_tasks=contract[0], contract_usd=contract[1])
    w = solve(p, d, filled(d)).worth
    assert w.task_revenue_usd[0, 0] == 30 * 50 + 70 * 40 + 200 * 6


def test_tenants_pay_rent_and_their_part_of_the_bill() -> None:
    d = dims()
    x = filled(d)
    x.energised.leased_w[:, 0] = 40.0
    x.states.it_j[:] *= 0.75  # a quarter of the IT energy is the tenants'
    rent = np.zeros((4, 2, 1))
    rent[:, 0] = 0.15
    w = solve(params(d, lease_usd_per_w=rent), d, x).worth
    assert w.lease_revenue_usd[0, 0] == pytest.approx(40 * 0.15 + 0.25 * 30)
    # and what they let and burn is nobody's token
    y = filled(d)
    plain = solve(params(d), d, y).worth
    halls = 0.4 * (1000 * annuity(1.0, 1.1 ** (1 / 12) - 1, 168) + 1000 * 0.01)
    saved = (float(halls) + 0.25 * 30) * (1 - 10 / 50)
    tokens = 1.6e9 / 1e6
    assert (plain.usd_per_mtok - w.usd_per_mtok)[0, 0] == pytest.approx(saved / tokens)
    balances(x)


def test_unit_costs_hand_out_exactly_what_was_spent() -> None:
    """Tokens, runs, robots, people and escapes together are all charges but overhead."""
    d = dims(kinds=3)
    x = solve(params(d), d, filled(d))
    w, c, good = x.worth, x.task_costs, x.accepted.accepted
    rate = 1.1 ** (1 / 12) - 1
    months = np.arange(1, 5)[:, None]
    robots = 72 * months * (float(annuity(1.0, rate, 72)) + 0.02)
    upkeep = months * (1000 * 0.01 + 500 * 0.005)
    spent = w.compute_charge_usd + upkeep + w.energy_usd + 50 + w.rent_usd + w.people_usd
    spent = spent + robots + w.escape_usd
    handed = (c.usd_per_task * good).sum(axis=1)
    assert handed.sum() + x.run_costs.usd_per_run.sum() == pytest.approx(spent.sum())
    assert (c.kwh_per_task * good).sum() == pytest.approx(
        x.powered.facility_j.sum() / 3.6e6 - 0.2 * 125 * 4  # training took a fifth of the campus
    )
    assert x.run_costs.usd_per_run[0, 0] == pytest.approx(3 * x.run_costs.usd_per_run[1, 0])
    serving = (w.usd_per_mtok * 1600).sum()
    assert (c.token_usd * good).sum() == pytest.approx(serving)


def test_each_kind_bears_its_own() -> None:
    d = dims()
    x = solve(params(d), d, filled(d))
    c = x.task_costs
    assert c.robot_usd[:, 0].tolist() == [[0]] * 4 and (c.robot_usd[:, 1] > 0).all()
    assert c.human_usd[0, :, 0].tolist() == pytest.approx([700 / 100, 80 / 200])
    assert c.escape_usd[0, :, 0].tolist() == pytest.approx([0.06, 0.025])
    assert c.tokens_per_task[0, :, 0].tolist() == pytest.approx([110 * 1e7 / 100, 250 * 2e6 / 200])
    assert c.human_min_per_task[0, :, 0].tolist() == pytest.approx([6, 0.45])


def curve(replica: int, seconds: tuple[float, float, float], load: float) -> ServeCurve:
    nothing = np.zeros(2)
    return ServeCurve(
        "own", "X", replica, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing,
        nothing, nothing, nothing, nothing, load, *seconds, 0.0, 0.0, 0.0,
    )  # fmt: skip


def test_tokens_weigh_by_the_accelerator_time_that_they_take() -> None:
    work = token_work(2, {(0, 0): curve(8, (1e-5, 1e-6, 1e-3), 0.5)})
    assert work[0].tolist() == pytest.approx([16e-5, 16e-6, 16e-3])
    assert not work[1].any()  # bought by the token
    d = dims(kinds=3)
    p = params(d, kind_model=np.array([0, 1, 0]))
    x = solve(p, d, filled(d), curves={(0, 0): curve(8, (1e-5, 1e-6, 1e-3), 0.5)})
    spent = (x.task_costs.token_usd * x.accepted.accepted)[0, :, 0]
    assert spent[1] == pytest.approx(20)  # only its provider's bill
    agent = 110 * (5e6 * 16e-5 + 4e6 * 16e-6 + 1e6 * 16e-3)
    tokens = 900 * (1e6 * 16e-5 + 2e6 * 16e-3)
    assert spent[0] / spent[2] == pytest.approx(agent / tokens)


def test_the_worth_by_hand() -> None:
    d = dims(24)
    x = solve(params(d), d, filled(d))
    w, v, years = x.worth, x.valuation, Calendar.of("2026-01", 24).years
    explicit = (w.free_cash_flow_usd[:, 0] / 1.1**years).sum()
    operating = (w.revenue_usd - w.opex_usd - w.depreciation_usd)[-12:, 0].sum()
    after = float(value_driver(0.75 * operating, 0.1, 0.03, 0.15).value)
    assert v.explicit_value_usd[0] == pytest.approx(explicit)
    assert v.terminal_value_usd[0] == pytest.approx(after / 1.1 ** (years[-1] + 1 / 24))
    assert v.enterprise_value_usd[0] == pytest.approx(explicit + v.terminal_value_usd[0])
    assert v.equity_value_usd[0] == pytest.approx(v.enterprise_value_usd[0] + 10_000)


def test_the_internal_rate_discounts_the_flows_to_nothing() -> None:
    d = dims(24)
    x = filled(d)
    x.accelerators.purchase_usd[0] = 1e5
    solve(params(d), d, x)
    v, flows = x.valuation, x.worth.free_cash_flow_usd[:, 0].copy()
    flows[-1] += v.terminal_value_usd[0] * 1.1 ** (Calendar.of("2026-01", 24).years[-1] + 1 / 24)
    monthly = (1 + v.irr[0]) ** (1 / 12) - 1
    assert float(npv(monthly, flows, first=0)) == pytest.approx(0.0, abs=1e-5)


def test_the_worth_does_not_depend_on_how_the_firm_is_financed() -> None:
    d = dims(24)

    def borrow(x: Tables, t: int) -> None:
        x.funded.debt_drawn_usd[t] = 5e4 * (t == 0)
        x.funded.interest_usd[t] = 900.0 * (t > 0)

    def losses_first(x: Tables, t: int) -> None:
        x.accepted.accepted[t] *= t / 12

    def both(x: Tables, t: int) -> None:
        losses_first(x, t)
        borrow(x, t)

    free = solve(params(d), d, filled(d), losses_first)
    owing = solve(params(d), d, filled(d), both)
    assert owing.worth.tax_usd.sum() < free.worth.tax_usd.sum()
    assert owing.valuation.enterprise_value_usd == pytest.approx(
        free.valuation.enterprise_value_usd
    )


def test_a_firm_that_earns_nothing_is_worth_nothing_afterwards() -> None:
    d = dims(width=4)
    x = filled(d)
    x.accepted.accepted[:] = 0.0
    solve(params(d), d, x)
    assert (x.valuation.terminal_value_usd == 0).all()
    assert (x.valuation.enterprise_value_usd < 0).all()
    assert np.isnan(x.valuation.irr).all()  # money only goes out: there is no rate
    assert not x.task_costs.usd_per_task.any()


def test_an_empty_world() -> None:
    d = dims(kinds=0, sites=0, width=4)
    x = solve(params(d, staff_usd=np.zeros((4, 1))), d, Tables.allocate(d), opening=7.0)
    assert (x.worth.cash_usd == 7).all()
    assert (x.valuation.enterprise_value_usd == 0).all()
    assert (x.valuation.equity_value_usd == 7).all()


def test_draws_do_not_see_each_other() -> None:
    wide, narrow = dims(6, width=3), dims(6)
    wacc = np.array([0.1, 0.12, 0.09])
    price = np.array([1.0, 2.0, 0.5])
    x = filled(wide)
    x.fielded.price_usd[:] *= price
    solve(params(wide, wacc=wacc), wide, x)
    for draw in range(3):
        y = filled(narrow)
        y.fielded.price_usd[:] *= price[draw]
        solve(params(narrow, wacc=wacc[draw : draw + 1]), narrow, y)
        for name in ("worth", "task_costs", "run_costs", "valuation"):
            for column, values in getattr(x, name):
                alone = getattr(y, name)[column.name][..., 0]
                assert values[..., draw] == pytest.approx(alone, rel=1e-12, nan_ok=True)


def test_every_column_has_its_formula() -> None:
    tables = (Worth, TaskCosts, RunCosts, Valuation)
    assert set(FORMULAS) == {f"{t.name()}.{c.name}" for t in tables for c in t.columns()}
