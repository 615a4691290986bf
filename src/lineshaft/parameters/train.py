"""`train`: from `[train]` and the catalog to the runs' parameters and engine inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.agents import cap_log2_horizon, public_log2_horizon
from lineshaft.parameters.common import Array, month_index, pick, stack
from lineshaft.parameters.hardware import architecture, chip, fleet_rows, fleets_named, own
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.locate import join
from lineshaft.stages.train import TrainInputs, fitting
from lineshaft.stages.train.model import Params
from lineshaft.tables import Dims
from lineshaft.transformer import training_flops_per_token

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.train import Lease, Run

RESERVED = np.concatenate([[0.0], 2.0 ** np.arange(3, 22, 0.5)])
"""Numbers of reserved accelerators at which the effective training time ratio is worked out."""

EngineInputs = tuple[TrainInputs, Array]


def engine_inputs(
    scenario: Scenario, dims: Dims, calendar: Calendar
) -> dict[tuple[int, int], EngineInputs]:
    """(inputs, reserved accelerators) of the engine by (run, fleet), where the run fits.

    Raises InputError where a run fits on none of the fleets that it may use, saying what it lacks
    on each, and where a fleet is named that does not exist. Without any fleet there is no input
    and no error: nothing is trained.
    """
    rows = fleet_rows(scenario)
    problems = [problem for _, _, found in _leases(scenario, dims) for problem in found]
    inputs: dict[tuple[int, int], EngineInputs] = {}
    for r, run in enumerate(scenario.train.run):
        allowed, unknown = fleets_named(run.fleets, dims)
        if unknown:
            problems.append(_no_fleet(("train", "run", run.name, "fleets"), unknown, dims))
            continue
        lacking: dict[Problem, None] = {}
        wanted = allowed if run.fleets else own(dims)
        for f in wanted:
            one = TrainInputs(
                arch=architecture(run.model),
                chip=chip(rows[f]),
                precision=run.precision,
                accelerators=_planned(run),
                sequence=run.sequence,
                global_batch_tokens=run.global_batch,
                tokens_total=run.tokens.median,
                failures_per_node_day=run.failures_per_node_day,
                checkpoint_write_s=run.checkpoint_s,
                restart_s=run.restart_s,
            )
            found = _lacks(one)
            lacking.update(dict.fromkeys(found))
            if not found:
                inputs[r, f] = (one, RESERVED)
        if wanted and not any((r, f) in inputs for f in wanted):
            key = join(("train", "run", run.name))
            problems += [replace(problem, key=key) for problem in lacking]
    if problems:
        raise InputError(problems)
    return inputs


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """Parameters of the monthly half."""
    train = scenario.train
    return Params(
        start=np.array([month_index(scenario.start, r.start) for r in train.run], np.int64),
        release_log2_horizon=_releases(scenario, draws, calendar),
        planned=np.array([_planned(r) for r in train.run], np.int64),
        wanted=stack(pick(draws, _path(r, "accelerators"), r.accelerators) for r in train.run),
        least_share=stack(pick(draws, _path(r, "least_share"), r.least_share) for r in train.run),
        tokens=stack(pick(draws, _path(r, "tokens"), r.tokens) for r in train.run),
        speed=stack(pick(draws, _path(r, "speed"), r.speed) for r in train.run),
        leased=leases(scenario, draws, dims, calendar)[0],
        public_log2_horizon=public_log2_horizon(scenario, draws, calendar),
        cap_log2_horizon=cap_log2_horizon(scenario, draws),
    )


def leases(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> tuple[Array, Array]:
    """[month, fleet, draw] accelerators leased to others, and their mean price in USD per hour.

    Raises InputError where a lease names no fleet or more than one.
    """
    shape = (len(calendar.labels), dims.size("fleet"))
    count, rent = np.zeros((*shape, 1)), np.zeros((*shape, 1))
    problems: list[Problem] = []
    for lease, fleet, found in _leases(scenario, dims):
        problems += found
        if found:
            continue
        path = ("train", "lease", lease.name)
        number = pick(draws, join((*path, "count")), lease.count)
        price = pick(draws, join((*path, "usd_per_gpu_hour")), lease.usd_per_gpu_hour)
        runs = np.zeros((*shape, 1))
        first = month_index(scenario.start, lease.start)
        last = shape[0] if lease.months is None else max(first + lease.months, 0)
        runs[max(first, 0) : last, fleet] = 1.0
        count = count + runs * number
        rent = rent + runs * (number * price)
    if problems:
        raise InputError(problems)
    return count, np.divide(rent, count, out=np.zeros_like(rent), where=count > 0)


def _releases(scenario: Scenario, draws: Draws, calendar: Calendar) -> Array:
    """[month, run, draw] log2 of the horizon of a model that is released then, in log2 seconds.

    The rule of `stages.train.capability.release_log2_horizon`, without its cap, which the monthly
    half applies.
    """
    train = scenario.train
    if not train.run:
        return np.zeros((len(calendar.labels), 0, 1))
    flop = stack(
        training_flops_per_token(architecture(r.model), r.sequence)
        * pick(draws, _path(r, "tokens"), r.tokens)
        for r in train.run
    )
    since = month_index(train.reference_release, scenario.start) / 12
    years = (calendar.years + since)[:, None, None]
    growth = pick(draws, "train.efficiency_growth", train.efficiency_growth)
    doublings = np.log2(flop / train.reference_flop) + np.log2(1.0 + growth) * years
    horizon_s = 60.0 * pick(draws, "train.reference_horizon", train.reference_horizon)
    elasticity = pick(draws, "train.elasticity", train.elasticity)
    return np.asarray(np.log2(horizon_s) + elasticity * doublings, dtype=float)


@lru_cache(maxsize=256)
def _lacks(inputs: TrainInputs) -> tuple[Problem, ...]:
    """Why this run cannot be trained on this accelerator; nothing where it can."""
    if not inputs.chip.scaleout_bytes_per_s and inputs.accelerators > inputs.chip.scaleup_size:
        return (
            Problem(
                "",
                "",
                f"the catalog has no scale-out rate of {inputs.chip.name}",
                f"at most {inputs.chip.scaleup_size} accelerators, its scale-up domain",
            ),
        )
    try:
        fitting(inputs)
    except InputError as error:
        return error.problems
    return ()


def _leases(scenario: Scenario, dims: Dims) -> Iterator[tuple[Lease, int, tuple[Problem, ...]]]:
    for lease in scenario.train.lease:
        key = ("train", "lease", lease.name, "fleet")
        fleets, unknown = fleets_named((lease.fleet,), dims)
        if unknown:
            yield lease, -1, (_no_fleet(key, unknown, dims),)
        elif len(fleets) > 1:
            many = ", ".join(dims.labels["fleet"][f] for f in fleets)
            found = f"{lease.fleet!r} is more than one fleet"
            yield lease, -1, (Problem("", join(key), found, many, "name one of them"),)
        else:
            yield lease, fleets[0], ()


def _no_fleet(key: tuple[str, ...], words: tuple[str, ...], dims: Dims) -> Problem:
    found = f"there is no fleet {', '.join(map(repr, words))}"
    return Problem("", join(key), found, ", ".join(dims.labels["fleet"]) or "there are no fleets")


def _planned(run: Run) -> int:
    """Accelerators that the run's layouts are looked for: the median reservation."""
    return max(1, round(run.accelerators.median))


def _path(run: Run, field: str) -> str:
    return join(("train", "run", run.name, field))
