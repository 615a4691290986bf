"""Parameters and engine inputs of `floor`: robots from the catalog, tasks from the presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.catalog import Row
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import FloorCurve
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.common import Array, pick, stack
from lineshaft.parameters.plans import by_month, plan
from lineshaft.scenario.locate import join
from lineshaft.stages.agents.retries import beta_moment
from lineshaft.stages.floor.engine import PRESETS, FloorInputs
from lineshaft.stages.floor.model import Params
from lineshaft.stages.floor.skills import Step, move_time_s
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.agents import Kind
    from lineshaft.scenario.draws import Draws
    from lineshaft.scenario.floor import Robots, Site

MOST_ROBOTS = 2000
"""Robots that the engine simulates at most; a larger fleet is simulated at the same density."""
_ACCEL = 0.5
_FLIGHT_J_PER_M = 80.0  # Rodrigues et al., Patterns 2022, as in the skill `fly`


@dataclass(frozen=True, slots=True)
class RobotPlan:
    """Robots by embodied kind, [month, kind, draw]; 0 for software kinds."""

    robots: Array
    """Robots that the plan has on site."""
    orders: Array
    """Robots bought: what is added, and what replaces the worn ones."""
    price_usd: Array


@dataclass(frozen=True, slots=True)
class Physical:
    """What an embodied kind's tasks take, [draw] each."""

    attempts: Array
    """Mean physical attempts per task."""
    success: Array
    """Share of the tasks that finish within the attempts allowed."""
    robot_s: Array
    """Robot seconds per attempt."""
    intervention_min: Array
    """Operator minutes per attempt."""


def params(
    scenario: Scenario,
    draws: Draws,
    dims: Dims,
    calendar: Calendar,
    floor_curves: dict[int, FloorCurve],
) -> Params:
    """Parameters of `floor`; `floor_curves` by index of the embodied kind."""
    from lineshaft.parameters.agents import kind_models

    machines = robots_of(scenario)
    shape = (dims.size("kind"), 1)
    charging, energy, attempts = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    up = np.ones(shape)
    for i, curve in floor_curves.items():
        machine = machines[dims.labels["kind"][i]]
        charging[i], up[i] = curve.charging_share, curve.available_share
        energy[i] = curve.energy_j_per_attempt
        attempts[i] = physical(machine, curve, draws).attempts
    return Params(
        kind_model=kind_models(scenario),
        charging_share=charging,
        robots_up=up,
        energy_j=energy,
        robot_attempts=attempts,
    )


def engine_inputs(scenario: Scenario, dims: Dims, calendar: Calendar) -> dict[int, FloorInputs]:
    """Inputs of the engine by index of the embodied kind. Raises InputError with all problems."""
    machines = robots_of(scenario)
    return {
        i: _inputs(machines[kind.name], _count(scenario, machines[kind.name]))
        for i, kind in enumerate(scenario.agents.kind)
        if kind.embodied
    }


def robots_of(scenario: Scenario) -> dict[str, Robots]:
    """The robots of every embodied kind, by its name. Raises InputError with all problems."""
    found = {r.name: r for r in scenario.floor.robots}
    embodied = [k.name for k in scenario.agents.kind if k.embodied]
    problems = [
        Problem(
            "",
            join(("agents", "kind", name)),
            "has no robots",
            "one [[floor.robots]] of the same name",
            f'add [[floor.robots]] name = "{name}"',
        )
        for name in embodied
        if name not in found
    ]
    problems += [
        Problem(
            "",
            join(("floor", "robots", name)),
            f"there is no embodied kind of work named {name!r}",
            ", ".join(embodied) or "an [[agents.kind]] with work = arm, mobile robot or drone",
        )
        for name in found
        if name not in embodied
    ]
    if problems:
        raise InputError(problems)
    return found


def site_of(scenario: Scenario, machine: Robots) -> Site:
    """The site where robots work."""
    sites = scenario.floor.site
    return next((s for s in sites if s.name == machine.site), sites[0])


def kind_sites(scenario: Scenario, dims: Dims) -> NDArray[np.int64]:
    """[kind] index of the site where its robots work, −1 for software kinds."""
    machines = robots_of(scenario)
    return np.array(
        [
            dims.index("site", site_of(scenario, machines[k.name]).name) if k.embodied else -1
            for k in scenario.agents.kind
        ],
        dtype=np.int64,
    )


def site_share(site: Site) -> float:
    """Share of all hours in which robots of a site may work."""
    return site.hours_per_day / 24 * site.days_per_week / 7


def physical(machine: Robots, curve: FloorCurve, draws: Draws) -> Physical:
    """What a task takes when up to `attempts` correlated attempts at it are allowed."""
    fail = [float(beta_moment(curve.success, machine.rho, 0, k)) for k in range(machine.attempts)]
    none = float(beta_moment(curve.success, machine.rho, 0, machine.attempts))
    minutes = _drawn(draws, machine, "minutes_per_intervention")
    stops = np.array([curve.interventions_per_attempt])
    if machine.interventions_per_1000 is not None:
        stops = _drawn(draws, machine, "interventions_per_1000") / 1000
    return Physical(
        attempts=np.array([sum(fail)]),
        success=np.array([1.0 - none]),
        robot_s=curve.cycle_s / _drawn(draws, machine, "pace"),
        intervention_min=stops * minutes,
    )


def robot_plan(scenario: Scenario, draws: Draws, calendar: Calendar) -> RobotPlan:
    """How many robots the plan has, buys and at what price, by kind."""
    months = len(calendar.labels)
    machines = robots_of(scenario)
    kinds = scenario.agents.kind
    rows = [_fleet(scenario, kind, machines, draws, months) for kind in kinds]
    robots, price = (by_month((row[i] for row in rows), months) for i in (0, 1))
    owned = [kind.embodied and machines[kind.name].owned_at_start for kind in kinds]
    orders = _orders(robots, stack(row[2] for row in rows), np.array(owned, float)[:, None])
    return RobotPlan(robots, orders, price)


def _fleet(
    scenario: Scenario, kind: Kind, machines: dict[str, Robots], draws: Draws, months: int
) -> tuple[Array, Array, Array]:
    """[month, draw] robots and price of one kind, and [draw] months of their life."""
    if not kind.embodied:
        nothing = np.zeros((months, 1))
        return nothing, nothing, np.ones(1)
    machine = machines[kind.name]
    growth = _drawn(draws, machine, "growth_per_year")
    count = plan(_drawn(draws, machine, "count"), growth, machine.path, scenario.start, months)
    years = np.arange(months)[:, None] / 12
    row = catalog.find("robots", machine.robot)
    if machine.life_years is None or machine.price_usd is None:
        raise InputError(
            Problem(
                "",
                join(("floor", "robots", machine.name)),
                f"the catalog has no price or life of {row['name']}",
                fix="give price_usd and life_years",
            )
        )
    fall = 1.0 - _drawn(draws, machine, "price_decline_per_year")
    price = _drawn(draws, machine, "price_usd") * fall**years
    life = np.maximum(np.rint(12 * _drawn(draws, machine, "life_years")), 1.0)
    return count, price, life


def _orders(count: Array, life_months: Array, owned: Array) -> Array:
    """[month, kind, draw] robots bought so that `count` stand, each for `life_months`.

    `owned` [kind, 1] is 1 where those of the first day are owned already: they are of even ages
    and wear out evenly over one life.
    """
    months = len(count)
    shape = np.broadcast_shapes(count.shape[1:], life_months.shape)
    count = np.broadcast_to(count, (months, *shape))
    life = np.broadcast_to(life_months, shape).astype(np.int64)
    orders = np.zeros((months, *shape))
    place = np.ix_(*(np.arange(n) for n in shape))
    month = np.arange(months).reshape(-1, *(1 for _ in shape))
    bought, gone = np.maximum(month - life, 0), month >= life
    worn_at_start = np.where((month > 0) & (month <= life), count[0] / life * owned, 0.0)
    last = count[0] * owned
    for t in range(months):
        worn = np.where(gone[t], orders[(bought[t], *place)], 0.0) + worn_at_start[t]
        kept = np.maximum(last - worn, 0.0)
        orders[t] = np.maximum(count[t] - kept, 0.0)
        last = np.minimum(kept + orders[t], count[t])
    return orders


def _count(scenario: Scenario, machine: Robots) -> int:
    """Robots of the plan, mean over the months, in the median case: the engine's fleet."""
    first, growth = np.array([machine.count.median]), np.array([machine.growth_per_year.median])
    path = plan(first, growth, machine.path, scenario.start, max(scenario.months, 1))
    return max(round(float(path.mean())), 1)


def _inputs(machine: Robots, count: int) -> FloorInputs:
    """The preset of the task, with what the catalog and the scenario say instead."""
    preset = PRESETS[machine.task]
    row = catalog.find("robots", machine.robot)
    robots = min(count, MOST_ROBOTS)
    per_robot = robots / count
    cells = machine.free_cells
    stations = machine.stations
    inputs = replace(
        preset,
        kind=machine.name,
        steps=_steps(machine, preset.steps, row),
        robots=robots,
        free_cells=round(preset.free_cells / preset.robots * robots)
        if cells is None
        else math.ceil(cells * per_robot),
        stations=math.ceil(preset.stations / preset.robots * robots)
        if stations is None
        else math.ceil(stations * per_robot),
        minutes_per_intervention=machine.minutes_per_intervention.median,
        charger_efficiency=machine.charger_efficiency or preset.charger_efficiency,
    )
    if math.isfinite(preset.run_s):
        run_h, charge_h = machine.run_hours or row["run_h"], machine.charge_hours or row["charge_h"]
        if run_h and charge_h:
            inputs = replace(inputs, run_s=3600 * float(run_h), charge_s=3600 * float(charge_h))
        elif preset.charge_s:  # a fresh battery after each flight: it lasts for one
            flight = sum(s.skill.mean_s for s in inputs.steps if s.where == "own")
            inputs = replace(inputs, run_s=max(preset.run_s, flight))
    available = machine.availability or row["availability"]
    if available is not None and float(available) < 1.0:
        mttr_s = 3600 * machine.repair_hours
        down = (1.0 - float(available)) / float(available)
        inputs = replace(inputs, mttr_s=mttr_s, mtbf_s=mttr_s / down)
    return inputs


def _steps(machine: Robots, steps: tuple[Step, ...], row: Row) -> tuple[Step, ...]:
    """The steps of a task with the path, the speed and the success of this fleet."""
    hardest = min(range(len(steps)), key=lambda i: steps[i].skill.success)
    changed = []
    speed = machine.speed_m_per_s or row["speed_m_per_s"]
    for i, step in enumerate(steps):
        skill = step.skill
        if skill.name == "move" and (machine.distance_m or speed):
            metres, rate = machine.distance_m or 60.0, float(speed or 1.3)
            skill = replace(skill, mean_s=float(move_time_s(metres, rate, _ACCEL)))
        elif skill.name == "fly":
            reach = row["range_m"]
            metres = machine.distance_m or (2 / 3 * float(reach) if reach else 6437.0)
            rate = float(speed or 29.0)
            skill = replace(skill, mean_s=2 * metres / rate, power_w=_FLIGHT_J_PER_M * rate)
        if i == hardest and machine.success is not None:
            skill = replace(skill, success=machine.success)
        changed.append(replace(step, skill=skill))
    return tuple(changed)


def _drawn(draws: Draws, machine: Robots, field: str) -> Array:
    return pick(draws, join(("floor", "robots", machine.name, field)), getattr(machine, field))
