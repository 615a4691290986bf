"""One robot kind: attempts, crowding, stations, and the anchors that are published."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.floor import (
    PRESETS,
    SKILLS,
    FloorInputs,
    Skill,
    Step,
    characterise,
    move_time_s,
    station_wait_s,
    units_per_hour,
)
from lineshaft.stages.floor.engine import crowd, sample_attempts

POGEMA = (
    Path(__file__).resolve().parents[4]
    / "shared"
    / "data"
    / "mapf"
    / "pogema_benchmark_results.csv"
)
UNIT = Skill("unit", 10.0, 0.5, 0.6, 100.0, "test", "low")


def small(**change: object) -> FloorInputs:
    base = FloorInputs("test", (Step(UNIT),), robots=5, attempts=4000, tasks=4000)
    return replace(base, **change)  # type: ignore[arg-type]


@given(d=st.floats(0.01, 1e4), v=st.floats(0.1, 30), a=st.floats(0.1, 10))
def test_moves_respect_speed_and_acceleration(d: float, v: float, a: float) -> None:
    t = float(move_time_s(d, v, a))
    assert t >= max(d / v, 2 * np.sqrt(d / a)) * (1 - 1e-12)
    assert t <= d / v + 2 * v / a + 2 * np.sqrt(d / a)


def test_moves_at_the_join() -> None:
    assert move_time_s(4.0, 2.0, 1.0) == pytest.approx(4.0)
    assert move_time_s(3.999999, 2.0, 1.0) == pytest.approx(4.0, rel=1e-6)


def test_attempts_of_one_step() -> None:
    sample = sample_attempts(small(recovery_s=0.0), np.random.default_rng(0))
    assert sample.other_s.mean() == pytest.approx(10.0, rel=0.03)
    assert sample.other_s.std() == pytest.approx(5.0, rel=0.1)
    assert sample.ok.mean() == pytest.approx(0.6, abs=0.025)
    np.testing.assert_allclose(sample.energy_j, 100.0 * sample.other_s)


def test_second_tries_are_correlated() -> None:
    """Beta-binomial: E[1 - (1-p)^2] = 1 - (1-p) (1 - p (1 - rho))."""
    for rho in (0.0, 0.5, 0.9):
        inputs = small(steps=(Step(UNIT, tries=2, rho=rho),), attempts=40_000)
        got = sample_attempts(inputs, np.random.default_rng(1)).ok.mean()
        assert got == pytest.approx(1 - 0.4 * (1 - 0.6 * (1 - rho)), abs=0.01)


def test_failed_attempts_stop_and_cost_recovery() -> None:
    never = replace(UNIT, success=0.0)
    sample = sample_attempts(
        small(steps=(Step(never), Step(UNIT, where="travel")), recovery_s=7.0),
        np.random.default_rng(2),
    )
    assert not sample.ok.any() and sample.travel_s.sum() == 0.0
    assert sample.other_s.mean() == pytest.approx(17.0, rel=0.03)


def test_stations_against_the_exact_chain() -> None:
    """Machine repair with one station is a birth-death chain; its mean wait is known."""
    robots, serve, away = 6, 2.0, 9.0
    weight = np.ones(robots + 1)
    for n in range(robots):
        weight[n + 1] = weight[n] * (robots - n) * serve / away
    p = weight / weight.sum()
    rate = (1 - p[0]) / serve
    stay = float(p @ np.arange(robots + 1)) / rate
    assert station_wait_s(robots, 1, serve, away) == pytest.approx(stay - serve, rel=1e-12)
    assert station_wait_s(1, 4, serve, away) == 0.0
    assert station_wait_s(6, 0, serve, away) == 0.0


def test_crowding_slows_and_stays_finite() -> None:
    steps = (Step(UNIT, where="travel"), Step(UNIT, where="station"))
    factors = []
    for robots in (1, 20, 60, 400):
        inputs = small(steps=steps, robots=robots, free_cells=200, stations=4)
        factors.append(crowd(inputs, sample_attempts(inputs, np.random.default_rng(0)))[0])
    assert factors == sorted(factors, reverse=True)
    assert 0.05 <= factors[-1] < factors[0] <= 1.0


@pytest.mark.shared
@pytest.mark.skipif(not POGEMA.is_file(), reason="no published measurements here")
def test_crowding_of_a_published_warehouse() -> None:
    """Throughput per agent against 32 agents, Follower on POGEMA's warehouse of 1,278 cells."""
    with POGEMA.open(newline="") as file:
        found = {
            int(row["num_agents"]): float(row["mean"])
            for row in csv.DictReader(file)
            if (row["set"], row["algorithm"], row["metric"])
            == ("03-warehouse", "Follower", "avg_throughput")
        }
    k = FloorInputs("x", ()).crowding
    for agents, tasks in found.items():
        measured = tasks / agents / (found[32] / 32)
        model = (1 - k * agents / 1278) / (1 - k * 32 / 1278)
        assert model == pytest.approx(measured, rel=0.07)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets(name: str) -> None:
    curve = characterise(replace(PRESETS[name], attempts=4000, tasks=8000))
    assert curve.kind == name
    assert curve.cycle_s > 0 and curve.energy_j_per_attempt > 0
    assert 0.8 < curve.success <= 1.0 and 0 < curve.available_share <= 1.0
    assert 0 <= curve.interventions_per_attempt <= 1 - curve.success + 1e-12
    assert curve.wait_s.shape == curve.utilisation.shape
    assert (np.diff(curve.wait_s) >= 0).all() and np.isfinite(curve.wait_s).all()


def test_stow_arm() -> None:
    """Amazon's stow robot: 224 units/h at 0.855 success; the band asked for is 190-260."""
    curve = characterise(PRESETS["stow arm"])
    assert curve.success == pytest.approx(0.855, abs=0.01)
    assert units_per_hour(curve) == pytest.approx(224, rel=0.05)


def test_mobile_robot_charges_a_quarter_of_its_day() -> None:
    curve = characterise(replace(PRESETS["amr"], attempts=2000, tasks=2000))
    assert curve.charging_share == pytest.approx(2.7 / 8.4)


def test_wait_follows_erlang_and_the_spread_of_service() -> None:
    """Ten robots at 0.8: Erlang C is 0.409, so M/M/10 waits 2.046 s for 10 s of service.

    Even service halves that (M/D/c, a little above a half); a lognormal of the same spread as the
    exponential stays within a sixth of it.
    """
    waits = {}
    for cv in (0.001, 1.0):
        step = Step(Skill("x", 10.0, cv, 1.0, 1.0, "test", "low"))
        inputs = small(steps=(step,), robots=10, attempts=50_000, tasks=200_000, mtbf_s=np.inf,
                       mttr_s=0.0, utilisation=np.array([0.8]))  # fmt: skip
        waits[cv] = characterise(inputs).wait_s[0] / 2.046
    assert 0.48 < waits[0.001] < 0.60
    assert 0.84 < waits[1.0] < 1.16


def test_seed_decides_everything() -> None:
    one, two, other = (characterise(small(seed=s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.wait_s, two.wait_s)
    assert one.cycle_s == two.cycle_s != other.cycle_s


def test_all_problems_come_together() -> None:
    with pytest.raises(InputError) as caught:
        characterise(small(steps=(), robots=0, run_s=0.0, utilisation=np.array([0.5, 1.0])))
    keys = {problem.key.rsplit(".", 1)[1] for problem in caught.value.problems}
    assert keys == {"steps", "robots", "run_s", "utilisation"}


def test_every_skill_names_its_source() -> None:
    assert {"weld", "sort", "pick", "place", "move", "fly", "count", "reorder"} <= set(SKILLS)
    for name, skill in SKILLS.items():
        assert skill.name == name and len(skill.source) > 10
