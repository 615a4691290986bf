"""From `[floor]` to the engine's inputs and plain parameters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.reasons import ROLES
from lineshaft.errors import InputError
from lineshaft.parameters import floor as made
from lineshaft.scenario.agents import Agents
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.floor import Floor, Preset
from lineshaft.stages.floor import (
    PRESETS,
    FloorInputs,
    characterise,
    drone_cost_per_drop,
    units_per_hour,
)
from lineshaft.tables import Dims

NONE = Draws(0, {})


def scenario(robots: list[dict[str, Any]], kinds: list[dict[str, Any]], months: int = 24) -> Any:
    return SimpleNamespace(
        start="2026-01",
        months=months,
        agents=Agents.model_validate({"kind": kinds}),
        floor=Floor.model_validate(
            {"site": [{"name": "hall"}, {"name": "hub"}] if robots else [], "robots": robots}
        ),
        serve=SimpleNamespace(model=[SimpleNamespace(name="m", source="own")]),
    )


def one(months: int = 24, **robots: Any) -> Any:
    return scenario([{"name": "r", **robots}], [{"name": "r", "work": "arm"}], months)


def axes(s: Any) -> tuple[Dims, Calendar]:
    calendar = Calendar.of(s.start, s.months)
    labels = {
        "month": calendar.labels,
        "kind": tuple(k.name for k in s.agents.kind),
        "site": ("campus", *(x.name for x in s.floor.site)),
        "role": ROLES,
    }
    return Dims(labels), calendar


def inputs(**robots: Any) -> FloorInputs:
    s = one(**robots)
    return made.engine_inputs(s, *axes(s))[0]


def test_the_scenario_knows_the_presets_of_the_engine() -> None:
    assert set(get_args(Preset)) == set(PRESETS)


def test_a_preset_stays_as_it_is_where_nothing_else_is_said() -> None:
    found = inputs(robot="amr_drive", count=100)
    preset = PRESETS["amr"]
    assert (found.robots, found.free_cells, found.stations) == (100, 4000, 20)
    assert [s.skill for s in found.steps] == [s.skill for s in preset.steps]
    assert (found.run_s, found.charge_s) == (preset.run_s, preset.charge_s)


def test_density_is_kept_for_any_fleet() -> None:
    small, large = inputs(robot="amr", count=10), inputs(robot="amr", count=10_000)
    assert (small.free_cells, small.stations) == (400, 2)
    assert large.robots == made.MOST_ROBOTS
    assert large.free_cells / large.robots == 40
    own = inputs(robot="amr", count=10_000, free_cells=200_000, stations=500)
    assert (own.free_cells, own.stations) == (40_000, 100)


def test_what_the_scenario_says_counts() -> None:
    found = inputs(
        robot="amr",
        speed_m_per_s=1.0,
        distance_m=10,
        success=0.5,
        run_hours=2,
        charge_hours=1,
        availability=0.8,
        repair_hours=1,
        charger_efficiency=0.7,
    )
    move, present = (step.skill for step in found.steps)
    assert move.mean_s == pytest.approx(12.0)  # 10 m at 1 m/s, and 2 s to speed up and brake
    assert move.success == 0.5 and present.success == 1.0
    assert (found.run_s, found.charge_s) == (7200, 3600)
    assert found.mtbf_s == pytest.approx(4 * 3600)
    assert found.charger_efficiency == 0.7


def test_a_drone_flies_to_the_mean_of_its_disc_and_its_battery_lasts() -> None:
    found = inputs(robot="drone_p1")
    fly = next(s.skill for s in found.steps if s.skill.name == "fly")
    assert fly.mean_s == pytest.approx(2 * 2 / 3 * 96_561 / 28)
    assert found.run_s >= fly.mean_s
    wing = next(s.skill for s in inputs(robot="drone_wing").steps if s.skill.name == "fly")
    assert wing.mean_s == pytest.approx(PRESETS["drone"].steps[1].skill.mean_s, rel=1e-3)


def test_the_stow_arm_does_what_amazon_published() -> None:
    curve = characterise(inputs(robot="arm_stow", count=12))
    assert 190 < units_per_hour(curve) < 260
    assert curve.success == pytest.approx(0.855, abs=0.01)


def test_a_drone_drop_costs_what_mckinsey_published() -> None:
    one_each, twenty = drone_cost_per_drop(np.array([1.0, 20.0]))
    assert one_each == pytest.approx(13.5, rel=0.1)
    assert twenty == pytest.approx(1.8, rel=0.1)


def plan_of(s: Any) -> made.RobotPlan:
    return made.robot_plan(s, NONE, axes(s)[1])


def test_the_first_fleet_is_bought_at_once_and_replaced_when_worn() -> None:
    p = plan_of(one(count=10, life_years=0.5, path={"2026-03": 14}, price_usd=100))
    np.testing.assert_allclose(p.robots[:3, 0, 0], [10, 12, 14])
    wanted = np.zeros(24)
    wanted[[0, 6, 12, 18]] = 10
    wanted[[1, 7, 13, 19]] = wanted[[2, 8, 14, 20]] = 2
    np.testing.assert_allclose(p.orders[:, 0, 0], wanted)
    np.testing.assert_allclose(p.price_usd, 100)


def test_robots_owned_already_wear_out_evenly() -> None:
    p = plan_of(one(count=12, life_years=1, owned_at_start=True))
    np.testing.assert_allclose(p.orders[:, 0, 0], [0, *[1.0] * 23], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    count=st.floats(0, 100),
    later=st.floats(0, 200),
    last=st.floats(0, 200),
    life=st.floats(0.1, 3),
    owned=st.booleans(),
)
def test_orders_keep_the_planned_number_standing(
    count: float, later: float, last: float, life: float, owned: bool
) -> None:
    path = {"2026-07": later, "2027-03": last}
    s = one(count=count, path=path, life_years=life, owned_at_start=owned, months=30)
    p = plan_of(s)
    robots, orders = p.robots[:, 0, 0], p.orders[:, 0, 0]
    assert (orders >= 0).all()
    added = np.diff(robots)
    worn = orders[1:] - added
    assert (worn >= -1e-9).all()  # nothing is added that is not bought
    assert (worn <= robots[:-1] + 1e-9).all()  # nothing wears out that is not there


def test_parameters_by_kind() -> None:
    s = scenario(
        [
            {"name": "arm", "robot": "arm_stow"},
            {"name": "fly", "robot": "drone_wing", "site": "hub"},
        ],
        [{"name": "coder"}, {"name": "fly", "work": "drone"}, {"name": "arm", "work": "arm"}],
    )
    dims, calendar = axes(s)
    curves = {i: characterise(x) for i, x in made.engine_inputs(s, dims, calendar).items()}
    p = made.params(s, NONE, dims, calendar, curves)
    assert p.robots_up[0, 0] == 1.0 and p.energy_j[0, 0] == 0.0
    assert p.energy_j[1, 0] == curves[1].energy_j_per_attempt
    assert made.kind_sites(s, dims).tolist() == [-1, 2, 1]
    site = made.site_of(s, made.robots_of(s)["fly"])
    assert made.site_share(site) == pytest.approx(16 / 24)


def test_interventions_may_be_given_per_thousand() -> None:
    s = one(robot="arm_stow", interventions_per_1000=50, minutes_per_intervention=2)
    curve = characterise(made.engine_inputs(s, *axes(s))[0])
    body = made.physical(made.robots_of(s)["r"], curve, NONE)
    np.testing.assert_allclose(body.intervention_min, 0.1)


def test_robots_and_embodied_kinds_belong_together() -> None:
    with pytest.raises(InputError, match="has no robots"):
        made.robots_of(scenario([], [{"name": "arm", "work": "arm"}]))
    with pytest.raises(InputError, match="no embodied kind of work named 'r'"):
        made.robots_of(scenario([{"name": "r"}], [{"name": "r", "work": "coder"}]))
    assert made.robots_of(scenario([], [])) == {}
