"""The monthly half of oversee: review, acceptance, rework, waiting, daily active agents."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.accepted import Accepted, People
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.done import Done, Robots
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import ROLES, TRADES
from lineshaft.stages.oversee import OverseeInputs, characterise, mean_wait_s
from lineshaft.stages.oversee.model import FORMULAS, Oversee, Params
from lineshaft.tables import Array, Dims

CALENDAR = Calendar.of("2026-04", 3)
CURVE = characterise(OverseeInputs())
KINDS = ("coder", "arm", "api")


def col(*values: float) -> Array:
    return np.array(values, float)[:, None]


def params(**changes: object) -> Params:
    base = Params(
        has_agents=np.array([True, True, False]),
        regular=np.array([False, True, False]),
        headcount=np.broadcast_to(col(10, 4), (3, 2, 1)).copy(),
        minutes=col(9000, 9000),
        utilisation=col(0.7, 0.8),
        usd_per_h=np.broadcast_to(col(90, 35), (3, 2, 1)).copy(),
        paid_h=col(170, 170),
        review_share=col(0.5, 0, 0),
        detection=col(0.6, 0.5, 0.5),
        rework_share=col(0.8, 0.8, 0.8),
        rework_min=col(5, 5, 5),
        expiry=col(0.25, 0.25, 0.25),
        verified=col(0.3, 1, 0),
        eligible=col(0.9, 1, 1),
        shape=col(2, np.inf, 1),
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


class World:
    def __init__(self, p: Params | None = None, width: int = 1) -> None:
        self.dims = Dims(
            {
                "month": CALENDAR.labels,
                "site": (),
                "phase": (),
                "trade": TRADES,
                "fleet": (),
                "run": (),
                "model": (),
                "kind": KINDS,
                "role": ROLES,
                "holder": (),
            },
            width,
        )
        self.oversee = Oversee(p or params(), self.dims, CALENDAR, CURVE)
        self.ledger = Ledger.opening(self.dims, 0)
        self.fielded, self.done = Fielded.allocate(self.dims), Done.allocate(self.dims)
        self.robots, self.accepted = Robots.allocate(self.dims), Accepted.allocate(self.dims)
        self.people = People.allocate(self.dims)
        self.fielded.correct[:] = col(0.9, 0.99, 1)
        self.fielded.review_min[:] = col(12, 0.25, 0)
        self.fielded.intervention_min[:] = col(0.5, 0.1, 0)
        self.fielded.fielded[:] = col(30, 20, 0)
        self.done.finished[:] = col(6000, 5000, 1e6)
        self.robots.intervention_min[:] = col(3000, 500, 0)
        self.oversee.open(self.people)

    def run(self) -> World:
        for t in range(3):
            offer = self.oversee.offer(t, self.ledger, self.fielded)
            self.oversee.advance(t, self.ledger, self.fielded, self.done, offer, self.accepted)
        self.oversee.finish(self.fielded, self.robots, self.accepted, self.people)
        return self


@pytest.mark.parametrize("width", [1, 4])
def test_a_month_with_enough_reviewers_by_hand(width: int) -> None:
    w = World(width=width).run()
    a, p = w.accepted, w.people
    np.testing.assert_allclose(a.reviewed[0, :, 0], [3000, 0, 0])
    np.testing.assert_allclose(a.rejected[0, 0], 3000 * 0.1 * 0.6)
    np.testing.assert_allclose(a.accepted[0, :, 0], [3000 - 180 + 3000, 5000, 1e6])
    np.testing.assert_allclose(a.escaped[0, :, 0], [3000 * 0.1 * 0.4 + 300, 50, 0], atol=1e-9)
    np.testing.assert_allclose(a.rework[0, 0], 180 * 0.8)
    np.testing.assert_allclose(w.ledger.rework[0], 180 * 0.8)
    assert (a.expired == 0).all() and (a.closing_review == 0).all()
    np.testing.assert_allclose(p.review_min[0, :, 0], [36_000, 0])
    np.testing.assert_allclose(p.rework_min[0, :, 0], [180 * 5, 0])
    np.testing.assert_allclose(p.intervention_min[0, :, 0], [0, 3500])
    np.testing.assert_allclose(p.idle_min[0, :, 0], [90_000 - 36_900, 36_000 - 3500])
    np.testing.assert_allclose(p.wage_usd[0, :, 0], [10 * 170 * 90, 4 * 170 * 35])


def test_daily_active_agents_by_hand() -> None:
    w = World().run()
    a = w.accepted
    rate = 5820 * 0.9 / 30 / 30  # accepted and eligible, per day and agent
    np.testing.assert_allclose(a.daa_b[0, 0, 0], 30 * (1 - (2 / (2 + rate)) ** 2))
    hard = (2820 + 3000 * 0.3) * 0.9 / 30 / 30
    np.testing.assert_allclose(a.daa_a[0, 0, 0], 30 * (1 - (2 / (2 + hard)) ** 2))
    np.testing.assert_allclose(a.daa_b[0, 1, 0], 20 * min(1.0, 5000 / 30 / 20))
    assert (a.daa_b[:, 2] == 0).all() and (a.accepted_per_daa[:, 2] == 0).all()
    np.testing.assert_allclose(a.accepted_per_daa[0, 0], 5820 * 0.9 / 30 / a.daa_b[0, 0])
    assert (a.daa_a <= a.daa_b + 1e-12).all()


def test_the_wait_is_that_of_the_queue_with_the_mean_service_time() -> None:
    w = World().run()
    # ten people work 9,000 of a month's 43,200 minutes: 2.08 on duty at any time, 41 % busy
    service = 60 * 36_900 / 3000
    low, high = (float(mean_wait_s(c, 0.41 * c / service, service)) for c in (3, 2))
    assert low < w.accepted.wait_s[0, 0, 0] < high
    assert (w.accepted.wait_s[:, 1:] == 0).all()


def test_too_few_reviewers_leave_work_that_waits_and_partly_expires() -> None:
    people = np.broadcast_to(col(2, 4), (3, 2, 1)).copy()
    w = World(params(headcount=people)).run()
    a = w.accepted
    minutes = 2 * 9000 * 0.7
    each = 12 + 0.1 * 0.6 * 5
    np.testing.assert_allclose(a.reviewed[0, 0], minutes / each)
    left = 3000 - minutes / each
    np.testing.assert_allclose(a.expired[0, 0], 0.25 * left)
    np.testing.assert_allclose(a.closing_review[0, 0], 0.75 * left)
    np.testing.assert_allclose(a.opening_review[1, 0], 0.75 * left)
    np.testing.assert_allclose(w.people.idle_min[:, 0, 0], 2 * 9000 * 0.3)
    assert (np.diff(a.wait_s[:, 0, 0]) > 0).all()
    assert a.wait_s[0, 0, 0] > 0.5 * 0.75 * left / a.reviewed[0, 0, 0] * 30 * 86_400
    offer = w.oversee.offer(2, w.ledger, w.fielded)
    np.testing.assert_allclose(offer.owed_min[0], w.ledger.review[0] * each)


def test_work_left_over_takes_operators_first() -> None:
    w = World()
    w.ledger.work[1] = 100.0
    offer = w.oversee.offer(0, w.ledger, w.fielded)
    np.testing.assert_allclose(offer.owed_min[1], 10.0)
    np.testing.assert_allclose(offer.minutes[:, 0], [10 * 9000 * 0.7, 4 * 9000 * 0.8])


@settings(max_examples=30, deadline=None)
@given(
    people=st.floats(0, 20),
    share=st.floats(0, 1),
    detection=st.floats(0, 1),
    correct=st.floats(0, 1),
)
def test_balances_hold(people: float, share: float, detection: float, correct: float) -> None:
    p = params(
        headcount=np.broadcast_to(col(people, 4), (3, 2, 1)).copy(),
        review_share=col(share, 0, 0),
        detection=col(detection, 0, 0),
    )
    w = World(p, width=2)
    w.fielded.correct[:, 0] = correct
    w.run()
    a, role = w.accepted, w.people
    np.testing.assert_allclose(
        a.opening_review + a.finished,
        a.accepted + a.rejected + a.expired + a.closing_review,
        rtol=1e-9,
    )
    np.testing.assert_allclose(
        role.available_min,
        role.intervention_min + role.review_min + role.rework_min + role.idle_min,
        rtol=1e-9,
    )
    assert (role.idle_min >= -1e-9).all()
    assert (a.escaped <= a.accepted * (1 + 1e-12) + 1e-12).all()
    assert (a.daa_b <= w.fielded.fielded + 1e-9).all()
    for column, values in (*a, *role):
        assert np.isfinite(values).all(), column.name


def test_without_people_nothing_that_needs_review_is_accepted() -> None:
    p = params(headcount=np.zeros((3, 2, 1)), review_share=col(1, 0, 0))
    w = World(p).run()
    assert (w.accepted.accepted[:, 0] == 0).all()
    assert (w.accepted.wait_s == 0).all()
    assert (w.people.wage_usd == 0).all()


def test_every_column_that_the_stage_fills_has_a_formula() -> None:
    columns = {f"{t.name()}.{c.name}" for t in (Accepted, People) for c in t.columns()}
    assert set(FORMULAS) == columns
