"""The monthly half of floor: attempted, finished, left over; robots' hours, energy, minutes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.admitted import Admitted
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.done import Done, Robots
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import PeopleOffer
from lineshaft.contracts.reasons import ROLES, TRADES
from lineshaft.contracts.served import Served
from lineshaft.stages.floor.model import FORMULAS, Floor, Params
from lineshaft.tables import Array, Dims

CALENDAR = Calendar.of("2026-01", 3)


def col(*values: float) -> Array:
    return np.array(values, float)[:, None]


class World:
    """Two kinds, software and arms, on two models, for three months."""

    def __init__(self, width: int = 1, kinds: int = 2) -> None:
        names = ("coder", "arm")[:kinds]
        self.dims = Dims(
            {
                "month": CALENDAR.labels,
                "site": (),
                "phase": (),
                "trade": TRADES,
                "fleet": (),
                "run": (),
                "model": ("m", "n"),
                "kind": names,
                "role": ROLES,
                "holder": (),
            },
            width,
        )
        params = Params(
            kind_model=np.array([0, 1])[:kinds],
            charging_share=col(0, 0.3)[:kinds],
            robots_up=col(1, 0.9)[:kinds],
            energy_j=col(0, 5000)[:kinds],
            robot_attempts=col(0, 1.2)[:kinds],
        )
        self.floor = Floor(params, self.dims, CALENDAR)
        self.ledger = Ledger.opening(self.dims, 0)
        self.fielded, self.admitted = Fielded.allocate(self.dims), Admitted.allocate(self.dims)
        self.served, self.done = Served.allocate(self.dims), Done.allocate(self.dims)
        self.robots = Robots.allocate(self.dims)
        if kinds:
            self.admitted.admitted_tasks[:] = col(100, 1000)
            self.fielded.possible_tasks[:] = 1e9
            self.fielded.success[:] = col(0.8, 0.9)
            self.fielded.wall_s[:] = col(600, 30)
            self.fielded.robot_s[:] = col(0, 24)
            self.fielded.intervention_min[:] = col(0, 0.05)
            self.robots.owned[:] = col(0, 40)
        self.served.served[:] = 50.0
        self.minutes = 1e6

    def month(self, t: int) -> None:
        people = PeopleOffer(
            np.full((2, self.dims.width), self.minutes),
            np.zeros((2, self.dims.width)),
            np.ones((len(self.dims.labels["kind"]), 1)),
        )
        self.floor.advance(
            t, self.ledger, self.fielded, self.admitted, self.served, people, self.done, self.robots
        )

    def run(self) -> None:
        for t in range(3):
            self.month(t)
        self.floor.finish(self.fielded, self.done, self.robots)


@pytest.mark.parametrize("width", [1, 4])
def test_a_month_with_enough_of_everything(width: int) -> None:
    w = World(width)
    w.run()
    d, r = w.done, w.robots
    np.testing.assert_allclose(d.attempted[0, :, 0], [100, 1000])
    np.testing.assert_allclose(d.finished[0, :, 0], [80, 900])
    np.testing.assert_allclose(d.failed[0, :, 0], [20, 100])
    np.testing.assert_allclose(d.agent_s[0, :, 0], [60_000, 30_000])
    assert (d.closing == 0).all()
    np.testing.assert_allclose(r.energy_j[0, 1], 1000 * 1.2 * 5000)
    np.testing.assert_allclose(r.working_h[0, 1], 1000 * 24 / 3600)
    np.testing.assert_allclose(r.charging_h[0, 1], 0.3 * 1000 * 24 / 3600)
    np.testing.assert_allclose(r.broken_h[0, 1], 0.1 * 40 * 744)
    np.testing.assert_allclose(r.intervention_min[0, 1], 50)
    hours = r.working_h + r.charging_h + r.broken_h + r.idle_h
    np.testing.assert_allclose(hours, r.owned_h)
    assert (r.energy_j[:, 0] == 0).all() and (r.working_h[:, 0] == 0).all()


def test_work_beyond_the_agents_time_waits_for_next_month() -> None:
    w = World()
    w.fielded.possible_tasks[0, 1] = 700
    w.run()
    np.testing.assert_allclose(w.done.attempted[:, 1, 0], [700, 1300, 1000])
    np.testing.assert_allclose(w.done.closing[:, 1, 0], [300, 0, 0])
    np.testing.assert_allclose(w.done.opening[:, 1, 0], [0, 300, 0])


def test_what_was_not_served_waits_for_next_month() -> None:
    w = World()
    w.served.refused[0, 0] = 150.0  # a quarter of the tokens was served
    w.run()
    np.testing.assert_allclose(w.done.attempted[:, 0, 0], [25, 175, 100])
    np.testing.assert_allclose(w.done.attempted[:, 1, 0], 1000)


def test_robots_wait_where_operators_have_no_time() -> None:
    w = World()
    w.minutes = 20.0  # of 50 wanted
    w.month(0)
    np.testing.assert_allclose(w.done.attempted[0, :, 0], [100, 400])
    np.testing.assert_allclose(w.ledger.work[:, 0], [0, 600])


@settings(max_examples=30, deadline=None)
@given(
    possible=st.lists(st.floats(0, 2000), min_size=3, max_size=3),
    served=st.floats(0, 1),
    minutes=st.floats(0, 100),
)
def test_balances_hold(possible: list[float], served: float, minutes: float) -> None:
    w = World(width=2)
    w.fielded.possible_tasks[:, 1] = np.array(possible)[:, None]
    w.served.served[:, 1], w.served.refused[:, 1] = served, 1 - served
    w.minutes = minutes
    w.run()
    d = w.done
    np.testing.assert_allclose(d.opening + d.admitted, d.attempted + d.closing, rtol=1e-9)
    np.testing.assert_allclose(d.attempted, d.finished + d.failed, rtol=1e-9)
    assert (d.closing >= 0).all()
    assert (w.robots.intervention_min.sum(axis=1) <= minutes * (1 + 1e-9)).all()


def test_without_kinds_there_is_nothing_to_do() -> None:
    w = World(kinds=0)
    w.run()
    assert w.done.attempted.shape == (3, 0, 1)


def test_every_column_that_the_stage_fills_has_a_formula() -> None:
    columns = {f"{t.name()}.{c.name}" for t in (Done, Robots) for c in t.columns()}
    assert set(FORMULAS) == columns - {"robots.owned", "robots.bought", "robots.purchase_usd"}
