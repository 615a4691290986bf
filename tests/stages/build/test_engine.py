"""The curve of a campus: closed forms, balances, order, what binds."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.reasons import CODE, NAMES, TRADES
from lineshaft.errors import InputError
from lineshaft.stages.build import (
    NO_RISK,
    BuildInputs,
    Crew,
    Phase,
    Release,
    Risk,
    RiskDriver,
    WorkPackage,
    characterise,
    crews_for,
)

ELECTRICAL = TRADES.index("electrical")
PHASES = (Phase("a", 100e6), Phase("b", 60e6, 2, 4.0), Phase("c", 100e6, 4, 8.0))


def campus(months: float = 24, phases: tuple[Phase, ...] = PHASES, **change: Any) -> BuildInputs:
    inputs = BuildInputs(48, phases, (), samples=64)
    return replace(inputs, crews=crews_for(inputs, months), **change)


def scaled(inputs: BuildInputs, trade: str, factor: float) -> BuildInputs:
    crews = tuple(
        replace(
            c,
            headcount=c.headcount * factor,
            hires_per_month=c.hires_per_month * factor,
            maximum=c.maximum * factor,
        )
        if c.trade == trade
        else c
        for c in inputs.crews
    )
    return replace(inputs, crews=crews)


def one_activity(workers: float, weeks: float = 4.0, risk: Risk = NO_RISK) -> BuildInputs:
    """10,000 hours of electricians, with up to 10,000 / `weeks` a week."""
    phase = Phase("a", 1e6, 1, 0.0, 10_000, (("electrical", 1.0),), ())
    crew = Crew("electrical", workers, hours_per_worker_month=100.0)
    package = WorkPackage("work", weeks, trades=(("electrical", 1.0),))
    return BuildInputs(6, (phase,), (crew,), (package,), risk, samples=1)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 100))
def test_w_hours_and_c_workers(workers: float) -> None:
    """Takes W / (c h), also beyond the horizon and below the smallest share of the crew."""
    curve, _ = characterise(one_activity(workers))
    assert curve.ready_months[0, 0] == pytest.approx(10_000 / (workers * 100), rel=1e-9)


def test_no_faster_than_the_full_crew() -> None:
    curve, _ = characterise(one_activity(1e6))
    assert curve.ready_months[0, 0] == pytest.approx(4 / (365.25 / 84))


def test_a_slip_of_the_median_needs_time_not_hours() -> None:
    """Hours are what is worked in the median case, so crews that are short take as long."""
    slow = characterise(one_activity(10, risk=Risk()))[0]
    assert slow.ready_months[0, 0] == pytest.approx(10_000 / (10 * 100))
    free = characterise(one_activity(1e6, risk=Risk()))[0]
    assert free.ready_months[0, 0] == pytest.approx(1.31 * 4 / (365.25 / 84))


def test_shapes_and_order() -> None:
    inputs = campus()
    curve, rows = characterise(inputs)
    halls, phases, x = 10, 3, len(curve.progress)
    assert curve.phases == ("a", "b", "c")
    np.testing.assert_array_equal(curve.hall_phase, [0] * 4 + [1] * 2 + [2] * 4)
    np.testing.assert_allclose(curve.hall_w, [25e6] * 4 + [30e6] * 2 + [25e6] * 4)
    assert curve.ready_months.shape == (halls, 65)
    assert curve.duration_months.shape == (phases, 65)
    assert curve.spent_share.shape == (phases, x)
    assert curve.worked_share.shape == (phases, len(TRADES), x)
    assert curve.crew_hours.shape == (len(TRADES), 48)
    assert curve.binding.shape == (phases, x)
    assert curve.binding.dtype == np.int8
    starts = np.array([0.0, 4, 8])[curve.hall_phase]
    calendar = curve.ready_months + starts[:, None]
    assert (np.diff(calendar[:, 1:].max(axis=0)) >= 0).all()
    for p in range(phases):
        np.testing.assert_array_equal(
            curve.duration_months[p], curve.ready_months[curve.hall_phase == p].max(axis=0)
        )
    np.testing.assert_allclose(curve.p50_month, np.quantile(calendar[:, 1:], 0.5, axis=1))
    assert (curve.p80_month >= curve.p50_month).all()
    assert (curve.ready_months > 0).all()
    last = [i for i, name in enumerate(rows.name) if name == "commissioning"]
    np.testing.assert_allclose(rows.finish_month[last], calendar[:, 0])
    assert (rows.finish_month >= rows.start_month).all()


def test_shares_rise_from_0_to_1() -> None:
    curve, _ = characterise(campus())
    for share in (*curve.spent_share, *curve.worked_share.reshape(-1, len(curve.progress))):
        assert share[0] == 0
        assert share[-1] == pytest.approx(1)
        assert (np.diff(share) >= -1e-12).all()


def test_hours_balance() -> None:
    """All craft hours of the phases are worked, and in no month more than the crews have."""
    inputs = campus(30)
    curve, _ = characterise(inputs)
    total = [sum(p.it_w / 1e6 * p.craft_hours_per_mw for p in PHASES)]
    np.testing.assert_allclose(curve.craft_hours.sum(), total)
    months = np.arange(49.0)
    worked = np.zeros((len(TRADES), 48))
    for p, phase in enumerate(PHASES):
        at = phase.start_month + curve.progress * curve.duration_months[p, 0]
        for k in range(len(TRADES)):
            done = np.interp(months, at, curve.worked_share[p, k])
            worked[k] += curve.craft_hours[p, k] * np.diff(done)
    np.testing.assert_allclose(worked.sum(), curve.craft_hours.sum())
    busy = worked / curve.crew_hours
    assert 0.9 < busy.max() < 1.01  # the grid over a phase rounds a little


def test_same_seed_same_bytes() -> None:
    inputs = campus()
    first, again = characterise(inputs)[0], characterise(inputs)[0]
    assert pickle.dumps(first) == pickle.dumps(again)
    assert pickle.loads(pickle.dumps(first)).phases == first.phases
    other = characterise(replace(inputs, seed=1))[0]
    assert (other.ready_months[:, 1:] != first.ready_months[:, 1:]).all()
    np.testing.assert_array_equal(other.ready_months[:, 0], first.ready_months[:, 0])
    assert all(getattr(first, f.name) is not None for f in fields(first))


def test_money_for_parts_comes_with_order_and_delivery() -> None:
    """A part of 40 %, a quarter down: paid 0.1 before the start and 0.3 when it arrives."""
    part = Release("part: cdu", 26, 26, -2, 0.4, 0.25)
    inputs = campus(24, (replace(PHASES[0], releases=(part,)),), samples=1)
    curve, _ = characterise(inputs)
    assert curve.spent_share[0, 1] == pytest.approx(0.1, abs=0.01)
    arrives = (26 / (365.25 / 84) - 2) / curve.duration_months[0, 0]
    jump = np.diff(curve.spent_share[0])[1:]
    assert curve.progress[1 + jump.argmax()] == pytest.approx(arrives, abs=0.01)
    assert jump.max() == pytest.approx(0.3, abs=0.01)


def reasons(curve: Any, phase: int = 0) -> set[str]:
    return {NAMES[code] for code in curve.binding[phase]}


def test_what_binds() -> None:
    ample = campus(24, PHASES[:1], samples=1)
    ample = replace(ample, crews=tuple(replace(c, headcount=1e5, maximum=1e5) for c in ample.crews))
    curve, rows = characterise(ample)
    assert reasons(curve) == {"construction"}
    assert set(rows.reason) == {CODE["construction"]}
    short = replace(
        ample,
        crews=tuple(
            replace(c, headcount=150, hires_per_month=0, maximum=150)
            if c.trade == "electrical"
            else c
            for c in ample.crews
        ),
    )
    curve, rows = characterise(short)
    assert reasons(curve) == {"construction", "trade: electrical"}
    assert np.mean(curve.binding[0] == CODE["trade: electrical"]) > 0.5
    late = Release("part: transformer", 104, 104)
    curve, rows = characterise(replace(ample, phases=(replace(PHASES[0], releases=(late,)),)))
    assert reasons(curve) == {"construction", "part: transformer"}
    hit = [i for i, name in enumerate(rows.name) if name == "switchgear"]
    assert {NAMES[code] for code in rows.reason[hit]} == {"part: transformer"}
    np.testing.assert_allclose(rows.start_month[hit], 104 / (365.25 / 84))
    # from the dry-in until the transformer comes, that is what decides
    at = curve.progress * curve.duration_months[0, 0]
    dry = max(rows.finish_month[i] for i, name in enumerate(rows.name) if name == "dry-in")
    waiting = (at > dry + 1e-9) & (at < 104 / (365.25 / 84) - 1e-9)
    assert (curve.binding[0][waiting] == CODE["part: transformer"]).all()
    assert (curve.binding[0][~waiting] == CODE["construction"]).all()


@pytest.mark.parametrize("name", ["grid", "permit"])
def test_grid_and_permit_hold_the_energisation(name: str) -> None:
    wait = replace(PHASES[0], releases=(Release(name, 100, 100),))
    inputs = campus(14, PHASES[:1], samples=1)
    curve, rows = characterise(replace(inputs, phases=(wait,)))
    hit = [i for i, package in enumerate(rows.name) if package == "energisation"]
    np.testing.assert_allclose(rows.start_month[hit[0]], 100 / (365.25 / 84))
    assert name in reasons(curve)


def test_a_strike_costs_time() -> None:
    inputs = campus(14, PHASES[:1], risk=NO_RISK)
    calm, _ = characterise(inputs)
    strike = RiskDriver("strike", 1.0, 8, 8, "trade: electrical")
    struck, _ = characterise(replace(inputs, risk=replace(NO_RISK, drivers=(strike,))))
    slip = struck.duration_months[0, 1:] - calm.duration_months[0, 1:]
    assert slip.max() > 0.5
    assert slip.min() >= -1e-9
    assert slip.max() <= 8 / (365.25 / 84) + 1e-9


@settings(max_examples=15, deadline=None)
@given(st.floats(0.3, 3), st.floats(1.0, 3))
def test_more_electricians_are_never_later_in_one_hall(few: float, more: float) -> None:
    inputs = campus(14, (Phase("a", 30e6, 1),), samples=1)
    less, plus = scaled(inputs, "electrical", few), scaled(inputs, "electrical", few * more)
    late, early = characterise(less)[0], characterise(plus)[0]
    assert early.ready_months[0, 0] <= late.ready_months[0, 0] * (1 + 1e-9)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.3, 3), st.floats(1.0, 3))
def test_more_electricians_are_hardly_ever_later_on_a_campus(few: float, more: float) -> None:
    """A list that is worked greedily may do worse with more (Graham's anomaly): within 2 %."""
    inputs = campus(24, samples=1)
    less, plus = scaled(inputs, "electrical", few), scaled(inputs, "electrical", few * more)
    late, early = characterise(less)[1], characterise(plus)[1]
    assert early.finish_month.max() <= late.finish_month.max() * 1.02


def test_crews_that_leave_before_the_end_are_refused() -> None:
    crews = (Crew("electrical", 0, 1, 50),)
    inputs = replace(one_activity(1), crews=crews)
    curve, _ = characterise(inputs)  # nobody in the first month, then one a month
    assert curve.ready_months[0, 0] > 6
    with pytest.raises(InputError, match="needs electricians and has none"):
        characterise(replace(inputs, crews=(Crew("electrical", 0, 1, 0),)))


def test_importing_the_stage_loads_neither_numba_nor_scipy() -> None:
    code = (
        "import sys, lineshaft.stages.build; "
        "assert not {'numba', 'scipy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
