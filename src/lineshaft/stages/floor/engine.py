"""One robot kind on its site: attempts skill by skill, crowding, stations, and the fleet's queue.

1. Attempts are sampled: every try at a step takes a lognormal time and succeeds with the item's
   own probability (Beta with the skill's mean), so tries at one item are correlated.
2. Crowding: robots that travel on shared floor slow each other, ``speed factor = 1 - k moving /
   cells``; shared stations make them queue (mean value analysis of a closed network). The two
   depend on each other through the cycle time and are solved together.
3. The fleet's queue is simulated at each utilisation with charging and breakdowns (`kernel`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import FloorCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.floor.skills import SEQUENCES, Step, lognormal_parameters

Array = NDArray[np.float64]
SLOWEST = 0.05
"""A jammed floor still moves at a twentieth of its free speed, so that results stay finite."""


def default_utilisation() -> Array:
    """[u] busy share of the robots at which the wait is simulated."""
    return np.array([0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95])


@dataclass(frozen=True, slots=True)
class FloorInputs:
    """A fleet of one kind, its task and its site. Defaults without a source: low confidence."""

    kind: str
    steps: tuple[Step, ...]
    robots: int = 50
    free_cells: int = 0
    """Cells of shared floor, one robot fits in each; 0 when robots do not meet."""
    crowding: float = 3.3
    """k of the speed factor. 1 is the exclusion process (TASEP, v = 1 - density); 3.1 to 3.6
    reproduces the published throughput per agent of Follower and RHCR, 32 to 192 agents, on
    POGEMA's warehouse map (1,278 free cells)."""
    stations: int = 0
    """Shared stations; 0 gives every robot its own."""
    recovery_s: float = 4.0
    """Time lost after a failed attempt, to put the item aside."""
    idle_power_w: float = 60.0
    run_s: float = math.inf
    """Work on one charge."""
    charge_s: float = 0.0
    """Time on the charger after that much work (or to swap a battery)."""
    charger_efficiency: float = 0.9
    """1 for robots on a cable."""
    mtbf_s: float = 500.0 * 3600.0
    """Working time between breakdowns."""
    mttr_s: float = 2.0 * 3600.0
    """Time to repair, exponential."""
    intervention_share: float = 0.1
    """Share of failed attempts that stop the robot until a human helps."""
    minutes_per_intervention: float = 2.0
    design_utilisation: float = 0.8
    """Utilisation at which crowding and availability are stated."""
    utilisation: Array = field(default_factory=default_utilisation)
    """[u] grid of the wait, rising, inside 0..1."""
    attempts: int = 20_000
    """Attempts sampled."""
    tasks: int = 40_000
    """Tasks simulated at each utilisation; the first fifth is warm-up."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Attempts:
    """Sampled attempts, one entry each."""

    travel_s: Array
    """On shared floor, at free speed."""
    station_s: Array
    """Served at shared stations."""
    other_s: Array
    energy_j: Array
    """Of the skills' own power, at free speed."""
    travel_power_w: float
    """Mean power while travelling."""
    ok: NDArray[np.bool_]
    """Whether the attempt finished its task."""


def sample_attempts(inputs: FloorInputs, rng: np.random.Generator) -> Attempts:
    """Attempts at the task of `inputs`; a step that fails all its tries ends the attempt."""
    n = inputs.attempts
    spent = {"own": np.zeros(n), "travel": np.zeros(n), "station": np.zeros(n)}
    energy, travel_j = np.zeros(n), 0.0
    ok = np.ones(n, dtype=bool)
    for step in inputs.steps:
        skill = step.skill
        mu, sigma = lognormal_parameters(skill.mean_s, skill.cv)
        for _ in range(step.repeats):
            chance = np.full(n, skill.success)
            if 0.0 < skill.success < 1.0 and step.rho > 0.0:
                size = (1.0 - step.rho) / step.rho
                chance = rng.beta(skill.success * size, (1.0 - skill.success) * size, n)
            open_ = ok.copy()
            for _ in range(step.tries):
                time = np.where(open_, rng.lognormal(mu, sigma, n), 0.0)
                spent[step.where] += time
                energy += time * skill.power_w
                travel_j += float(time.sum()) * skill.power_w if step.where == "travel" else 0.0
                open_ &= rng.random(n) >= chance
            ok &= ~open_
    spent["own"] += np.where(ok, 0.0, inputs.recovery_s)
    energy += np.where(ok, 0.0, inputs.recovery_s * inputs.idle_power_w)
    moved = float(spent["travel"].sum())
    travel_power = travel_j / moved if moved else 0.0
    return Attempts(spent["travel"], spent["station"], spent["own"], energy, travel_power, ok)


def station_wait_s(robots: int, stations: int, station_s: float, elsewhere_s: float) -> float:
    """Mean wait at the stations per visit, for robots that go round between stations and work.

    Exact mean value analysis of the closed network with exponential service and an even choice of
    station (Reiser and Lavenberg 1980). 0 without stations or robots.
    """
    if stations == 0 or station_s <= 0.0:
        return 0.0
    queue, stay = 0.0, station_s
    for n in range(1, robots + 1):
        stay = station_s * (1.0 + queue)
        queue = n / (elsewhere_s + stay) * stay / stations
    return stay - station_s if robots else 0.0


def crowd(inputs: FloorInputs, sample: Attempts) -> tuple[float, float]:
    """(speed factor of travel, mean wait at stations) with the design share of robots at work."""
    away = inputs.charge_s / inputs.run_s + inputs.mttr_s / inputs.mtbf_s
    working = inputs.design_utilisation / (1.0 + inputs.design_utilisation * away) * inputs.robots
    travel, station, other = (
        float(x.mean()) for x in (sample.travel_s, sample.station_s, sample.other_s)
    )
    factor, wait = 1.0, 0.0
    for _ in range(200):
        slow = travel / factor
        wait = station_wait_s(round(working), inputs.stations, station, slow + other)
        moving = working * slow / (slow + station + wait + other)
        free = 1.0 - inputs.crowding * moving / inputs.free_cells if inputs.free_cells else 1.0
        new = 0.5 * (factor + max(free, SLOWEST))  # damped: the plain iteration can oscillate
        if abs(new - factor) < 1e-10:
            break
        factor = new
    return factor, wait


def characterise(inputs: FloorInputs) -> FloorCurve:
    """Cycle, success, interventions, energy, charging, availability, and wait [u] of one kind.

    `wait_s` is the mean over simulated tasks with Poisson arrivals; the same draws serve every
    utilisation, so that the curve is smooth. Deterministic given the seed.
    Raises InputError that lists every value out of range.
    """
    check(inputs)
    attempt_rng, queue_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(inputs.seed).spawn(2)
    )
    sample = sample_attempts(inputs, attempt_rng)
    factor, queueing_s = crowd(inputs, sample)
    visits = sample.station_s > 0.0
    waiting = np.where(visits, queueing_s, 0.0)
    extra = sample.travel_s * (1.0 / factor - 1.0)
    cycle = sample.travel_s + extra + sample.station_s + waiting + sample.other_s
    energy = sample.energy_j + extra * sample.travel_power_w + waiting * inputs.idle_power_w
    away_charging = inputs.charge_s / inputs.run_s
    away_broken = inputs.mttr_s / inputs.mtbf_s
    work = inputs.design_utilisation / (
        1.0 + inputs.design_utilisation * (away_charging + away_broken)
    )
    success = float(sample.ok.mean())
    return FloorCurve(
        kind=inputs.kind,
        cycle_s=float(cycle.mean()),
        success=success,
        interventions_per_attempt=(1.0 - success) * inputs.intervention_share,
        minutes_per_intervention=inputs.minutes_per_intervention,
        energy_j_per_attempt=float(energy.mean()) / inputs.charger_efficiency,
        charging_share=away_charging,
        available_share=1.0 - work * away_broken,
        utilisation=np.array(inputs.utilisation, dtype=np.float64),
        wait_s=_waits(inputs, cycle, away_charging + away_broken, queue_rng),
    )


def _waits(inputs: FloorInputs, cycle: Array, away: float, rng: np.random.Generator) -> Array:
    from lineshaft.stages.floor.kernel import fleet

    n = inputs.tasks
    service = rng.choice(cycle, n)
    gaps, chance = rng.exponential(1.0, n), rng.random(n)
    repair = rng.exponential(inputs.mttr_s, n)
    out = np.empty(len(inputs.utilisation))
    for i, u in enumerate(inputs.utilisation):
        # Robots work a share w of their time with u = w / (1 - w away).
        per_s = u / (1.0 + u * away) * inputs.robots / float(cycle.mean())
        wait, *_ = fleet(
            np.cumsum(gaps) / per_s,
            service,
            *_staggered(inputs, float(u)),
            inputs.run_s,
            inputs.charge_s,
            inputs.mtbf_s,
            chance,
            repair,
        )
        out[i] = wait[n // 5 :].mean()
    return out


def _staggered(inputs: FloorInputs, utilisation: float) -> tuple[Array, Array]:
    """(free at [robot], work since the last charge [robot]) at the start, in order of free at.

    Charging is spread evenly over the fleet from the start, as a fleet manager would do it.
    """
    n = inputs.robots
    if math.isinf(inputs.run_s):
        return np.zeros(n), np.zeros(n)
    discharge = inputs.run_s / utilisation
    phase = (np.arange(n) + 0.5) / n * (discharge + inputs.charge_s)
    free = np.where(phase < discharge, 0.0, discharge + inputs.charge_s - phase)
    worked = np.where(phase < discharge, phase * utilisation, 0.0)
    order = np.argsort(free, kind="stable")
    return free[order], worked[order]


def units_per_hour(curve: FloorCurve) -> float:
    """Tasks that one robot finishes in an hour of work."""
    return 3600.0 / curve.cycle_s * curve.success


def check(inputs: FloorInputs) -> None:
    """Raise InputError with all problems of the inputs."""
    found: list[Problem] = []

    def want(ok: bool, key: str, value: object, allowed: str) -> None:
        if not ok:
            found.append(Problem("", f"floor.{inputs.kind}.{key}", f"found {value!r}", allowed))

    want(len(inputs.steps) > 0, "steps", inputs.steps, "at least one step")
    for step in inputs.steps:
        s = step.skill
        fine = s.mean_s > 0 and s.cv >= 0 and 0 <= s.success <= 1 and s.power_w >= 0
        want(fine, f"steps.{s.name}", s, "a duration above 0, success 0 to 1, power from 0")
        want(
            step.repeats >= 1 and step.tries >= 1 and 0 <= step.rho < 1,
            f"steps.{s.name}",
            step,
            "1 or more repeats and tries, rho 0 to below 1",
        )
    want(inputs.robots >= 1, "robots", inputs.robots, "1 or more")
    want(inputs.free_cells >= 0, "free_cells", inputs.free_cells, "0 or more")
    want(inputs.stations >= 0, "stations", inputs.stations, "0 or more")
    want(inputs.crowding >= 0, "crowding", inputs.crowding, "0 or more")
    want(inputs.run_s > 0 and 0 <= inputs.charge_s < math.inf, "run_s", inputs.run_s, "above 0")
    want(inputs.mtbf_s > 0 and 0 <= inputs.mttr_s < math.inf, "mtbf_s", inputs.mtbf_s, "above 0")
    want(
        0 < inputs.charger_efficiency <= 1,
        "charger_efficiency",
        inputs.charger_efficiency,
        "above 0 to 1",
    )
    want(
        0 <= inputs.intervention_share <= 1,
        "intervention_share",
        inputs.intervention_share,
        "0 to 1",
    )
    want(
        0 < inputs.design_utilisation <= 1,
        "design_utilisation",
        inputs.design_utilisation,
        "above 0 to 1",
    )
    want(inputs.attempts >= 100 and inputs.tasks >= 100, "tasks", inputs.tasks, "100 or more")
    u = np.asarray(inputs.utilisation)
    rising = u.ndim == 1 and u.size > 0 and bool((np.diff(u) > 0).all())
    want(rising and bool(u[0] > 0 and u[-1] < 1), "utilisation", u, "rising, inside 0..1")
    if found:
        raise InputError(found)


PRESETS: dict[str, FloorInputs] = {
    "stow arm": FloorInputs("stow arm", SEQUENCES["stow"], 20, charger_efficiency=1.0),
    "pick arm": FloorInputs("pick arm", SEQUENCES["pick"], 20, charger_efficiency=1.0),
    # 8.4 h of work on a charge, 2.7 h to charge: esdtronix.com, rule of thumb over AMRs.
    "amr": FloorInputs(
        "amr",
        SEQUENCES["carry"],
        100,
        free_cells=4000,
        stations=20,
        run_s=8.4 * 3600,
        charge_s=2.7 * 3600,
    ),
    "sorter": FloorInputs(
        "sorter",
        SEQUENCES["sort"],
        100,
        free_cells=4000,
        stations=20,
        run_s=8.4 * 3600,
        charge_s=2.7 * 3600,
    ),
    # A cell is down 15 % of its time for all reasons (arcsolinc.com): 0.15/0.85 per hour of work.
    "weld cell": FloorInputs(
        "weld cell",
        SEQUENCES["weld"],
        10,
        charger_efficiency=1.0,
        mtbf_s=8 * 3600,
        mttr_s=8 * 3600 * 0.15 / 0.85,
        intervention_share=1.0,
        minutes_per_intervention=3.0,
        design_utilisation=1.0,
    ),
    # A fresh battery after each flight, swapped in a minute (estimate).
    "drone": FloorInputs(
        "drone",
        SEQUENCES["deliver"],
        30,
        stations=10,
        run_s=600.0,
        charge_s=60.0,
        mtbf_s=200 * 3600,
        intervention_share=1.0,
        minutes_per_intervention=10.0,
    ),
    "counter": FloorInputs(
        "counter", SEQUENCES["count"], 5, free_cells=4000, run_s=8.4 * 3600, charge_s=2.7 * 3600
    ),
}
"""Kinds that ship, by name: estimates to start from, not measurements of a site."""
