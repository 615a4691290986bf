"""From what the user asks to what the stages need: plain arrays, and the engines' inputs.

One file per stage turns its section of the scenario, the catalog and the draws into the frozen
parameters of the stage, and into the inputs of its engine, which sees medians only. Nothing to
the left of this knows of the line, nothing to the right of pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lineshaft.allocation import Params as AllocationParams
from lineshaft.contracts.calendar import Calendar
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
from lineshaft.stages.agents.model import Params as AgentsParams
from lineshaft.stages.build.model import Params as BuildParams
from lineshaft.stages.capital.model import Params as CapitalParams
from lineshaft.stages.floor.model import Params as FloorParams
from lineshaft.stages.oversee.model import Params as OverseeParams
from lineshaft.stages.plant.model import Params as PlantParams
from lineshaft.stages.serve.model import Params as ServeParams
from lineshaft.stages.train.model import Params as TrainParams
from lineshaft.stages.value.model import Params as ValueParams
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.draws import Draws


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the nine stages and the allocation are given, for one chunk of draws."""

    dims: Dims
    calendar: Calendar
    capital: CapitalParams
    build: BuildParams
    train: TrainParams
    agents: AgentsParams
    allocation: AllocationParams
    serve: ServeParams
    floor: FloorParams
    plant: PlantParams
    oversee: OverseeParams
    value: ValueParams


def assemble(scenario: Scenario, curves: Curves, draws: Draws, calendar: Calendar) -> Parameters:
    """Parameters of every stage. Raises InputError where the scenario contradicts itself."""
    d = dims_of(scenario, calendar, 1 + draws.n)
    return Parameters(
        dims=d,
        calendar=calendar,
        capital=capital.params(scenario, draws, d, calendar),
        build=build.params(scenario, draws, d, calendar),
        train=train.params(scenario, draws, d, calendar),
        agents=agents.params(scenario, draws, d, calendar, curves.floor),
        allocation=agents.allocation_params(
            scenario, draws, d, calendar, value.minimum_tasks(scenario, d, calendar)
        ),
        serve=serve.params(scenario, draws, d, calendar),
        floor=floor.params(scenario, draws, d, calendar, curves.floor),
        plant=plant.params(scenario, draws, d, calendar),
        oversee=oversee.params(scenario, draws, d, calendar),
        value=value.params(scenario, draws, d, calendar),
    )
