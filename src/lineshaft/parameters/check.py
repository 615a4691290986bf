"""What a scenario must have to be run at all: found before any engine starts, all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.parameters import (
    agents,
    build,
    capital,
    floor,
    oversee,
    plant,
    serve,
    train,
    value,
)
from lineshaft.parameters.dims import dims as dims_of

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario

_STAGES = (plant, train, serve, floor, oversee, agents, build)


def cross_check(scenario: Scenario) -> None:
    """Raise InputError with everything that contradicts itself across the stages."""
    problems = [*_money(scenario), *_power(scenario), *_demand(scenario)]
    problems += [*capital.problems(scenario), *agents.problems(scenario)]
    problems += value.problems(scenario)
    calendar = Calendar.of(scenario.start, scenario.months)
    try:
        dims = dims_of(scenario, calendar)
        for stage in _STAGES:
            try:
                stage.engine_inputs(scenario, dims, calendar)
            except InputError as error:
                problems += error.problems
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))


def _money(scenario: Scenario) -> list[Problem]:
    capital, build_ = scenario.capital, scenario.build
    spends = build_.phase or build_.accelerators or scenario.floor.robots
    has = (
        capital.opening_cash_usd.median > 0
        or any(r.raise_usd.median > 0 for r in capital.round)
        or any(d.amount_usd.median > 0 for d in capital.debt)
    )
    if not spends or has:
        return []
    return [
        Problem(
            "",
            "capital",
            "there is something to buy and no money",
            "opening cash, at least one round, or debt",
            'set capital.opening_cash_usd = "1 GUSD", or add a [[capital.round]]',
        )
    ]


def _power(scenario: Scenario) -> list[Problem]:
    build_ = scenario.build
    models = [m.name for m in scenario.serve.model]
    own = {m.name for m in scenario.serve.model if m.source == "own"}
    asked = {k.model or name for k in scenario.agents.kind for name in models[:1]}
    wanted = sorted(asked & own)
    powered = any(p.it_w.median > 0 for p in build_.phase) or any(
        c.existing_it_w.median > 0 for c in build_.campus
    )
    problems = []
    if wanted and not (build_.accelerators and powered) and not scenario.serve.rented:
        problems.append(
            Problem(
                "",
                "serve.model",
                f"{', '.join(wanted)} is to be served and there is nothing to serve it on",
                "powered halls with accelerators, rented accelerators, or a provider",
                "add a [[build.phase]] and [[build.accelerators]], a [[serve.rented]], "
                'or set source = "provider"',
            )
        )
    if build_.accelerators and not powered:
        problems.append(
            Problem(
                "",
                "build.accelerators",
                "accelerators are bought and no hall is ever powered",
                "a phase with IT power, or existing_it_w on a campus",
                'add a [[build.phase]] with it_w = "100 MW"',
            )
        )
    return problems


def _demand(scenario: Scenario) -> list[Problem]:
    sold = any(k.market_tasks_per_day.median > 0 for k in scenario.agents.kind)
    other = scenario.train.run or scenario.value.power_lease or scenario.value.claim
    if sold or other:
        return []
    return [
        Problem(
            "",
            "agents.kind",
            "nobody asks for anything: no work, no training run, no lease, no claim",
            "at least one kind of work with market_tasks_per_day above 0",
            "add an [[agents.kind]], or see `lineshaft run gigawatt`",
        )
    ]
