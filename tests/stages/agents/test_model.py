"""The monthly half of agents: demand, wants per task, Little's law, robots."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import AgentsCurve
from lineshaft.contracts.done import Robots
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.funded import Funded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import NAMES, ROLES, TRADES
from lineshaft.contracts.trained import Library
from lineshaft.errors import InputError
from lineshaft.stages.agents.model import FORMULAS, Agents, Params
from lineshaft.tables import Array, Dims

CALENDAR = Calendar.of("2026-01", 4)
# success, correct and attempts are straight lines here, so that answers can be done by hand
CURVE = AgentsCurve(
    np.arange(-2.0, 3.0),
    success=np.tile(np.linspace(0.1, 0.9, 5), (3, 1)),
    correct=np.tile(np.linspace(0.6, 1.0, 5), (3, 1)),
    attempts=np.tile(np.linspace(3.0, 1.0, 5), (3, 1)),
    token_attempts=np.tile(np.linspace(3.5, 1.5, 5), (3, 1)),
)
KINDS = ("coder", "arm", "api")


def dims_of(width: int = 1, kinds: tuple[str, ...] = KINDS) -> Dims:
    return Dims(
        {
            "month": CALENDAR.labels,
            "site": ("s",),
            "phase": (),
            "trade": TRADES,
            "fleet": ("s / a",),
            "run": (),
            "model": ("m",),
            "kind": kinds,
            "role": ROLES,
            "holder": ("founders",),
        },
        width,
    )


def col(*values: float) -> Array:
    return np.array(values, float)[:, None]


def by_month(*values: float) -> Array:
    return np.broadcast_to(col(*values), (4, len(values), 1)).copy()


def params(**changes: object) -> Params:
    base = Params(
        kind_model=np.array([0, 0, 0]),
        embodied=np.array([False, True, False]),
        sells_tokens=np.array([False, False, True]),
        market_tasks=by_month(1000, 5000, 1e6),
        adoption=by_month(0.5, 1.0, 0.1),
        price_usd=by_month(10, 0.2, 0.001),
        task_s=col(3600, 900, 60),
        deployment=col(0.5, 1, 1),
        least_success=col(0.3, 0.3, 0),
        input_tokens=col(1000, 10, 800),
        cached_tokens=col(5000, 0, 300),
        output_tokens=col(100, 1, 200),
        calls=col(2, 0.01, 1),
        tool_s=col(60, 0, 0),
        review_min=col(12, 0.25, 0),
        steer_min=col(1, 0.1, 0),
        robot_attempts=col(0, 1.5, 0),
        robot_success=col(1, 0.8, 1),
        robot_s=col(0, 20, 0),
        intervention_min=col(0, 0.02, 0),
        duty=col(1, 0.5, 1),
        peak_over_mean=col(2, 1.25, 3),
        seats=by_month(50, 1e12, 1e12),
        robots=by_month(0, 10, 0),
        robot_orders=np.concatenate([col(0, 10, 0)[None], np.zeros((3, 3, 1))]),
        robot_usd=by_month(0, 1000, 0),
        robots_up=col(1, 0.9, 1),
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


class World:
    """The tables around the stage."""

    def __init__(
        self, p: Params, width: int = 1, horizon_s: float = 3600.0, money: float = 1e9
    ) -> None:
        self.dims = dims_of(width)
        self.funded = Funded.allocate(self.dims)
        self.energised = Energised.allocate(self.dims)
        self.accelerators = Accelerators.allocate(self.dims)
        self.library = Library.allocate(self.dims)
        self.robots, self.fielded = Robots.allocate(self.dims), Fielded.allocate(self.dims)
        self.ledger = Ledger.opening(self.dims, 0)
        self.library.horizon_s[:] = horizon_s
        self.funded.spendable_usd[:] = money
        self.ledger.ttft_s[:], self.ledger.tpot_s[:] = 1.0, 0.02
        self.agents = Agents(p, self.dims, CALENDAR, CURVE)
        self.agents.open(self.ledger, self.fielded)

    def month(self, t: int) -> None:
        self.agents.advance(
            t,
            self.ledger,
            self.funded,
            self.energised,
            self.accelerators,
            self.library,
            self.robots,
            self.fielded,
        )


@pytest.mark.parametrize("width", [1, 4])
def test_a_month_by_hand(width: int) -> None:
    w = World(params(), width)
    w.ledger.work[0], w.ledger.rework[0] = 20.0, 5.0
    w.month(0)
    f = w.fielded
    # horizon 3600 s: the coder's margin is log2(3600 x 0.5 / 3600) = -1, the arm's log2(4) = 2
    np.testing.assert_allclose(f.success[0, 0], 0.3)
    np.testing.assert_allclose(f.success[0, 1], 0.9 * 0.8, rtol=1e-5)
    np.testing.assert_allclose(f.correct[0, 0], 0.7)
    np.testing.assert_allclose(f.attempts[0, 0], 2.5)
    np.testing.assert_allclose(f.demand_tasks[0, 0], 505)
    np.testing.assert_allclose(f.token_attempts[0, 0], 3.0)
    np.testing.assert_allclose(f.input_tokens[0, 0], 3000)
    np.testing.assert_allclose(f.cached_tokens[0, 0], 15_000)
    np.testing.assert_allclose(f.output_tokens[0, 0], 300)
    wall = 3.0 * (2 * 1.0 + 100 * 0.02) + 2.5 * 60
    np.testing.assert_allclose(f.wall_s[0, 0], wall)
    needed = (505 + 20) * wall * 2 / (31 * 86_400)
    np.testing.assert_allclose(f.needed[0, 0], needed)
    np.testing.assert_allclose(f.fielded[0, 0], needed)
    np.testing.assert_allclose(f.possible_tasks[0, 0], 525)
    np.testing.assert_allclose(f.intervention_min[0, 1], 0.1 + 0.02 * 1.5)
    np.testing.assert_allclose(f.robot_s[0, 1], 30)
    # ten robots, of which nine are up, on duty half the time and sized on the busiest hour
    wall = f.wall_s[0, 1]
    np.testing.assert_allclose(f.fielded[0, 1], np.minimum(f.needed[0, 1], 9.0))
    assert (f.needed[0, 1] < 9).all() and (f.possible_tasks[0, 1] == 5000).all()
    # direct sales have no agents and no wall time of an agent
    np.testing.assert_allclose(f.demand_tasks[0, 2], 1e5)
    assert (f.fielded[0, 2] == 0).all() and (f.wall_s[0, 2] == 0).all()
    np.testing.assert_allclose(f.possible_tasks[0, 2], 1e5)
    np.testing.assert_allclose(f.success[0, 2], 1)
    assert [NAMES[c] for c in f.binding[0, :, 0]] == ["demand"] * 3


def test_seats_and_robots_bound_what_is_possible() -> None:
    w = World(params(seats=by_month(0.01, 0, 0), robots=by_month(0, 0.01, 0)))
    w.ledger.robots[1] = 0.01
    w.month(1)
    f = w.fielded
    np.testing.assert_allclose(f.fielded[1, 0], 0.01)
    np.testing.assert_allclose(f.fielded[1, 1], 0.009)
    per_agent = CALENDAR.seconds[1] * np.array([1 / 2, 0.5 / 1.25])
    done = f.possible_tasks[1, :2, 0] * f.wall_s[1, :2, 0]
    np.testing.assert_allclose(done, [0.01 * per_agent[0], 0.009 * per_agent[1]])
    assert (f.possible_tasks[1, :2] < f.demand_tasks[1, :2]).all()


def test_nobody_buys_what_mostly_fails_but_rework_is_still_owed() -> None:
    w = World(params(), horizon_s=1800.0)
    w.ledger.rework[0] = 7.0
    w.month(0)
    assert w.fielded.success[0, 0, 0] == pytest.approx(0.1)
    assert w.fielded.demand_tasks[0, 0, 0] == 7.0
    assert NAMES[w.fielded.binding[0, 0, 0]] == "capability"


def test_the_curve_holds_at_both_its_ends() -> None:
    for horizon, success in ((1e-3, 0.1), (1e12, 0.9)):
        w = World(params(), horizon_s=horizon)
        w.month(0)
        assert w.fielded.success[0, 0, 0] == pytest.approx(success, abs=1e-5)


def test_robots_are_bought_with_what_is_left_and_the_rest_next_month() -> None:
    w = World(params(), money=6000.0)
    w.energised.construction_usd[0] = 2000.0
    for t in range(3):
        w.month(t)
    np.testing.assert_allclose(w.robots.bought[:3, 1, 0], [4, 6, 0])
    np.testing.assert_allclose(w.robots.owned[:3, 1, 0], [4, 10, 10])
    np.testing.assert_allclose(w.robots.purchase_usd[:3, 1, 0], [4000, 6000, 0])
    assert (w.robots.owned[:, [0, 2]] == 0).all()


def test_robots_owned_at_the_start_wear_out_and_are_replaced_by_plan() -> None:
    orders = np.zeros((4, 3, 1))
    orders[1:, 1] = 2.0  # two of ten a month
    w = World(params(robot_orders=orders))
    for t in range(4):
        w.month(t)
    np.testing.assert_allclose(w.robots.owned[:, 1, 0], 10)
    np.testing.assert_allclose(w.robots.bought[:, 1, 0], [0, 2, 2, 2])
    w = World(params(robot_orders=orders), money=0.0)
    for t in range(4):
        w.month(t)
    np.testing.assert_allclose(w.robots.owned[:, 1, 0], [10, 8, 6, 4])


@settings(max_examples=30, deadline=None)
@given(
    log2_horizon=st.floats(-5, 25),
    work=st.floats(0, 1e5),
    seats=st.floats(0, 100),
    robots=st.floats(0, 100),
)
def test_agents_never_exceed_what_is_there_nor_possible_work_what_is_wanted(
    log2_horizon: float, work: float, seats: float, robots: float
) -> None:
    p = params(seats=by_month(seats, 0, 0), robots=by_month(0, robots, 0))
    w = World(p, horizon_s=2.0**log2_horizon)
    w.ledger.work[:2], w.ledger.robots[1] = work, robots
    w.month(1)
    f = w.fielded
    assert f.fielded[1, 0, 0] <= seats
    assert f.fielded[1, 1, 0] <= 0.9 * robots + 1e-12
    assert (f.fielded[1] <= f.needed[1] * (1 + 1e-12)).all()
    assert (f.possible_tasks[1] <= (f.demand_tasks[1] + w.ledger.work) * (1 + 1e-9)).all()
    for column, values in f:
        assert np.isfinite(values).all(), column.name


def test_without_kinds_there_is_nothing_to_do() -> None:
    none = params()
    empty = {
        field.name: getattr(none, field.name)[..., :0, :]
        if getattr(none, field.name).ndim > 1
        else getattr(none, field.name)[:0]
        for field in dataclasses.fields(Params)
    }
    dims = dims_of(kinds=())
    fielded, ledger = Fielded.allocate(dims), Ledger.opening(dims, 0)
    library = Library.allocate(dims)
    library.horizon_s[:] = 3600.0
    curve = AgentsCurve(CURVE.log2_margin, *(np.zeros((0, 5)) for _ in range(4)))
    agents = Agents(Params(**empty), dims, CALENDAR, curve)
    agents.open(ledger, fielded)
    agents.advance(
        0,
        ledger,
        Funded.allocate(dims),
        Energised.allocate(dims),
        Accelerators.allocate(dims),
        library,
        Robots.allocate(dims),
        fielded,
    )
    assert fielded.demand_tasks.shape == (4, 0, 1)


def test_an_uneven_grid_is_refused() -> None:
    uneven = dataclasses.replace(CURVE, log2_margin=np.array([-2.0, -1, 0, 2, 3]))
    with pytest.raises(InputError, match="uneven"):
        Agents(params(), dims_of(), CALENDAR, uneven)


def test_every_column_that_the_stage_fills_has_a_formula() -> None:
    columns = {f"fielded.{c.name}" for c in Fielded.columns()}
    columns |= {"robots.owned", "robots.bought", "robots.purchase_usd"}
    assert set(FORMULAS) == columns
