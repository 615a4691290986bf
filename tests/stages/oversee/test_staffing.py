"""People for a queue: fewest, monotone, square root, payroll."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.stages.oversee import servers_for_delay
from lineshaft.stages.oversee.simulate import ReviewDesk, Reviewers, Work, simulate
from lineshaft.stages.oversee.staffing import (
    Hours,
    late_share,
    rate_held,
    servers_needed,
    square_root_servers,
)


@settings(deadline=None)
@given(st.floats(0.1, 80.0), st.floats(0.5, 0.999), st.floats(0, 2.0))
def test_fewest(load: float, share: float, wait: float) -> None:
    c = int(servers_needed(load, 1.0, share, wait)[0])
    assert c == int(servers_for_delay(load, 1.0, share, wait))
    assert float(late_share(c, load, 1.0, wait)) <= 1 - share
    assert c - 1 <= load or float(late_share(c - 1, load, 1.0, wait)) > 1 - share


@given(st.integers(1, 60), st.floats(0.05, 3.0), st.floats(0, 2.0), st.floats(0, 3.0))
def test_more_reviewers_never_wait_longer(c: int, rho: float, wait: float, cv: float) -> None:
    late = late_share(np.arange(1, c + 2), rho * c, 1.0, wait, cv)
    assert (np.diff(late) <= 1e-12).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 80), st.floats(0.5, 0.99), st.floats(0.01, 3.0))
def test_rate_held_is_the_way_back(c: int, share: float, wait: float) -> None:
    rate = rate_held(c, 1.0, share, wait)
    assert 0 <= rate < c
    assert float(late_share(c, rate, 1.0, wait)) <= 1 - share
    assert float(late_share(c, rate * (1 + 1e-6) + 1e-9, 1.0, wait)) > 1 - share
    if rate > 1e-6:
        assert int(servers_needed(rate * (1 - 1e-9), 1.0, share, wait)[0]) <= c


def test_square_root_law() -> None:
    """Halfin and Whitt: a share of one in five waits; the formula's count is met within one."""
    for load in (50.0, 500.0, 5000.0):
        near = square_root_servers(load, 1.0, 0.2)
        exact = int(servers_needed(load, 1.0, 0.8, 0.0)[0])
        assert abs(near - exact) < 1.5
        assert near == pytest.approx(load + 1.0619 * np.sqrt(load), rel=1e-4)


def test_other_laws() -> None:
    """Allen and Cunneen's stretch is near the simulation, and on the safe side; exponential
    service would not be."""
    work = Work(0.05, 100.0, law="lognormal", cv=1.6)
    found = simulate(ReviewDesk((work,), Reviewers((6,))), tasks=1_000_000)
    late = float(late_share(6, 0.05, 100.0, 120.0, 1.6))
    exponential = float(late_share(6, 0.05, 100.0, 120.0))
    assert exponential < 1 - found.within(120.0).mean < late
    assert 1 - found.within(120.0).mean == pytest.approx(late, abs=0.06)


def test_payroll() -> None:
    hours = Hours(on_duty_h=150.0)
    # 168 hours a week and one place take 4.87 people of 150 hours a month.
    assert hours.payroll(168.0) == pytest.approx(168 * 365.25 / 12 / 7 / 150)
    assert hours.roster_h(hours.payroll(40.0)) == pytest.approx(40.0)
    assert hours.working == pytest.approx(6 / 7)
    assert servers_needed([0.0, 1.0], 1.0, 0.9, 1.0)[0] == 0
    assert rate_held(0, 1.0, 0.9, 1.0) == 0.0
