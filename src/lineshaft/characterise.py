"""All curves of a scenario: the heavy half of every stage, cached on disk.

Engines run in the order in which they depend on each other, each on medians only: what is
uncertain about an engine's answer is a factor or a draw in the stage's monthly half. Numba is
imported only where a curve is not in the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lineshaft.cache import Cache
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import (
    AgentsCurve,
    BuildCurve,
    FloorCurve,
    OverseeCurve,
    PlantCurve,
    ServeCurve,
    TrainCurve,
)
from lineshaft.parameters import agents, build, floor, oversee, plant, serve, train
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.scenario import Scenario

T = TypeVar("T")

STAGES = ("plant", "train", "serve", "floor", "oversee", "agents", "build")
"""The stages that have an engine, in the order in which they are characterised."""


@dataclass(frozen=True, slots=True)
class Characterised:
    """How long a stage's curves took, and whether they came from the cache."""

    stage: str
    seconds: float
    curves: int
    cached: bool


@dataclass(frozen=True, slots=True)
class Curves:
    """Every curve of a scenario."""

    build: BuildCurve | None
    """None where nothing is built."""
    activities: Any
    """Rows of the construction plan for a Gantt chart (`stages.build.engine.Activities`)."""
    train: dict[tuple[int, int], TrainCurve]
    """By (run, fleet)."""
    serve: dict[tuple[int, int], ServeCurve]
    """By (model, fleet)."""
    floor: dict[int, FloorCurve]
    """By embodied kind."""
    plant: dict[int, PlantCurve]
    """By site."""
    agents: AgentsCurve
    oversee: OverseeCurve
    made: tuple[Characterised, ...] = field(default=())
    """What was done for it, by stage."""


def characterise(
    scenario: Scenario,
    cache: Cache | None = None,
    progress: Callable[[str], None] | None = None,
) -> Curves:
    """The curves of `scenario`; `progress` is told each stage as its engine starts.

    Raises InputError where an engine cannot answer: a model that does not fit, a service level
    that cannot be held, a campus without crews.
    """
    cache = Cache.default() if cache is None else cache
    calendar = Calendar.of(scenario.start, scenario.months)
    dims = dims_of(scenario, calendar)
    made: list[Characterised] = []

    def stage(name: str, inputs: dict[Any, Any], engine: Callable[[Any], T]) -> dict[Any, T]:
        if progress is not None:
            progress(name)
        start, misses = time.perf_counter(), cache.misses
        curves = {
            key: cache.get(name, wanted, lambda wanted=wanted: engine(wanted))  # type: ignore[misc]
            for key, wanted in inputs.items()
        }
        seconds = time.perf_counter() - start
        made.append(Characterised(name, seconds, len(inputs), cache.misses == misses))
        return curves

    plants = stage("plant", plant.engine_inputs(scenario, dims, calendar), _plant)
    trained = stage("train", train.engine_inputs(scenario, dims, calendar), _train)
    served = stage("serve", serve.engine_inputs(scenario, dims, calendar), _serve)
    floors = stage("floor", floor.engine_inputs(scenario, dims, calendar), _floor)
    overseen = stage("oversee", {0: oversee.engine_inputs(scenario, dims, calendar)}, _oversee)
    fielded = stage("agents", {0: agents.engine_inputs(scenario, dims, calendar)}, _agents)
    asked = build.engine_inputs(scenario, dims, calendar)
    built = stage("build", {} if asked is None else {0: asked}, _build)
    curve, activities = built.get(0, (None, None))
    return Curves(
        build=curve,
        activities=activities,
        train=trained,
        serve=served,
        floor=floors,
        plant=plants,
        agents=fielded[0],
        oversee=overseen[0],
        made=tuple(made),
    )


def _plant(inputs: Any) -> PlantCurve:
    from lineshaft.stages.plant import engine

    return engine.characterise(inputs)


def _train(inputs: Any) -> TrainCurve:
    from lineshaft.stages.train import engine

    return engine.characterise(*inputs)


def _serve(inputs: Any) -> ServeCurve:
    from lineshaft.stages.serve import engine

    return engine.characterise(inputs)


def _floor(inputs: Any) -> FloorCurve:
    from lineshaft.stages.floor import engine

    return engine.characterise(inputs)


def _oversee(inputs: Any) -> OverseeCurve:
    from lineshaft.stages.oversee import engine

    return engine.characterise(inputs)


def _agents(inputs: Any) -> AgentsCurve:
    from lineshaft.stages.agents import engine

    return engine.characterise(inputs)


def _build(inputs: Any) -> Any:
    from lineshaft.stages.build import engine

    return engine.characterise(inputs)
