"""The draws: their distributions, and common random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from lineshaft.contracts.reasons import CODE, TRADES
from lineshaft.stages.build import (
    COMMON_DRIVERS,
    NO_RISK,
    BuildInputs,
    Crew,
    Phase,
    Release,
    Risk,
    RiskDriver,
)
from lineshaft.stages.build.inputs import CRAFT_MIX, WEEKS_PER_MONTH
from lineshaft.stages.build.risk import Z90, Draws, delay_weeks, draw, lognormal_weeks
from lineshaft.stages.build.schedule import Network, build_network

CREWS = tuple(Crew(trade, 100) for trade, _ in CRAFT_MIX)
INPUTS = BuildInputs(24, (Phase("a", 50e6), Phase("b", 50e6, 2, 6.0)), CREWS, samples=2048)


def worlds(risk: Risk, inputs: BuildInputs = INPUTS) -> tuple[Network, Draws]:
    inputs = replace(inputs, risk=risk)
    net = build_network(inputs)
    return net, draw(inputs, net)


def test_the_reference_class() -> None:
    """Median 1.31 and sigma 0.21: mean 1.34 and one in ten early (Ansar, Foresight)."""
    _, draws = worlds(Risk(trade_sigma=0, activity_low=1, activity_high=1))
    assert draws.shared[0] == 1.31
    assert draws.shared[1:].mean() == pytest.approx(1.34, abs=0.005)
    assert (draws.shared[1:] < 1).mean() == pytest.approx(0.10, abs=0.005)


def test_row_0_is_the_median() -> None:
    net, draws = worlds(Risk())
    np.testing.assert_allclose(draws.work[0], 1.31 * net.planned)
    np.testing.assert_allclose(np.median(draws.work[1:] / draws.work[0]), 1, atol=0.02)
    net, draws = worlds(Risk(plan_holds_contingency=True))
    np.testing.assert_allclose(draws.work[0], net.planned)


def test_no_risk_is_the_plan() -> None:
    net, draws = worlds(NO_RISK)
    np.testing.assert_allclose(draws.work, np.broadcast_to(net.planned, draws.work.shape))


def test_a_trade_is_shared_and_commissioning_has_none() -> None:
    net, draws = worlds(Risk(global_sigma=0, activity_low=1, activity_high=1))
    factor = draws.work / draws.work[0]
    main = np.where(net.hours.sum(axis=1) > 0, net.hours.argmax(axis=1), -1)
    assert (factor[:, main == -1] == 1).all()
    pipe = factor[:, main == TRADES.index("pipe")]
    np.testing.assert_allclose(pipe, np.broadcast_to(pipe[:, :1], pipe.shape))
    assert np.log(pipe[1:, 0]).std() == pytest.approx(0.12, abs=0.003)


def test_lead_times_hit_their_p10_and_p90() -> None:
    weeks = lognormal_weeks(26, 52, np.array([-Z90, 0, Z90]))
    np.testing.assert_allclose(weeks, [26, np.sqrt(26 * 52), 52])
    assert pytest.approx(norm.ppf(0.9)) == Z90
    assert lognormal_weeks(0, 0, np.zeros(2)).sum() == 0


def test_a_part_waits_from_its_order_and_its_supplier_is_shared() -> None:
    releases = (Release("part: cdu", 26, 52, -2), Release("permit", 8, 8), Release("grid", 4, 4))
    phases = tuple(replace(phase, releases=releases) for phase in INPUTS.phases)
    net, draws = worlds(Risk(), replace(INPUTS, phases=phases))
    names = [package.name for package in INPUTS.packages]
    pipe = [
        np.flatnonzero((net.phase == p) & (net.package == names.index("pipe and cdu")))
        for p in range(2)
    ]
    median = -2 + np.sqrt(26 * 52) / WEEKS_PER_MONTH
    np.testing.assert_allclose(draws.release[0, pipe[0]], median)
    np.testing.assert_allclose(draws.release[0, pipe[1]], 6 + median)
    early, late = draws.release[:, pipe[0][0]], draws.release[:, pipe[1][0]]
    on = early > 0  # releases before the phase's start do not count
    np.testing.assert_allclose(late[on], early[on] + 6)
    assert (draws.bound_by[pipe[0]] == CODE["part: cdu"]).all()
    power = (net.phase == 0) & (net.package == names.index("energisation"))
    np.testing.assert_allclose(draws.release[:, power], 8 / WEEKS_PER_MONTH)
    assert (draws.bound_by[power] == CODE["permit"]).all()
    np.testing.assert_allclose(
        draws.arrival[1], 6 + np.array([median, *np.array([8, 4]) / WEEKS_PER_MONTH])
    )


def test_a_driver_is_probability_times_impact() -> None:
    uniform = (np.arange(10_000) + 0.5) / 10_000
    lost = delay_weeks(RiskDriver("d", 0.3, 8, 30, "grid"), uniform)
    assert (lost > 0).mean() == pytest.approx(0.3, abs=1e-3)
    np.testing.assert_allclose(np.quantile(lost[lost > 0], [0.1, 0.9]), [8, 30], rtol=0.01)
    assert delay_weeks(RiskDriver("d", 0, 8, 30, "grid"), uniform).sum() == 0


def test_drivers_hit_what_they_name() -> None:
    phases = tuple(
        replace(p, releases=(*p.releases, Release("grid", 20, 20))) for p in INPUTS.phases
    )
    inputs = replace(INPUTS, phases=phases)
    net, without = worlds(Risk(), inputs)
    _, hit = worlds(Risk(drivers=COMMON_DRIVERS), inputs)
    np.testing.assert_array_equal(hit.shared, without.shared)  # common random numbers
    names = [package.name for package in INPUTS.packages]
    longer = (hit.work > without.work).mean(axis=0)
    for w, name in enumerate(names):
        expected = {"fit-out": 0.2, "commissioning": 0.25}.get(name, 0.0)
        np.testing.assert_allclose(longer[net.package == w], expected, atol=0.002)
    later = (hit.release > without.release).mean(axis=0)
    grid = net.package == names.index("energisation")
    np.testing.assert_allclose(later[grid], 0.4, atol=0.002)
    strike = (hit.away_months > 0).mean(axis=0)
    np.testing.assert_allclose(strike, [0, 0, 0.05, 0, 0, 0], atol=0.002)


def test_leaving_a_driver_out_keeps_the_others() -> None:
    _, five = worlds(Risk(drivers=COMMON_DRIVERS))
    _, four = worlds(Risk(drivers=COMMON_DRIVERS[1:]))
    np.testing.assert_array_equal(five.away_months, four.away_months)
    np.testing.assert_array_equal(five.work, four.work)
    assert (five.release != four.release).any()
