"""`[train]`: training runs, what a run adds to capability, and accelerators leased to others."""

from __future__ import annotations

from typing import Annotated

from pydantic import field_validator, model_validator

from lineshaft import catalog
from lineshaft.scenario.agents import in_catalog, unique
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    Accelerators,
    GrowthPerYear,
    NonNegative,
    Positive,
    Section,
    Share,
    Text,
    UsdPerGpuHour,
    Whole,
    YearMonth,
    default,
    quantity,
)

PositiveTokens = Annotated[Distribution, quantity("token", gt=0)]
PositiveAccelerators = Annotated[Distribution, quantity("accelerator", gt=0)]
PositiveMinutes = Annotated[Distribution, quantity("minute", gt=0)]
PositiveFlop = Annotated[float, quantity("FLOP", gt=0, uncertain=False)]
BatchTokens = Annotated[float, quantity("token", gt=0, uncertain=False)]
SequenceTokens = Annotated[int, quantity("token", gt=0, whole=True)]
CertainSeconds = Annotated[float, quantity("s", gt=0, uncertain=False)]
FailureRate = Annotated[float, quantity("1/day", ge=0, uncertain=False)]


class Run(Section):
    """One training run. Runs take accelerators in the order in which they are written."""

    name: Text
    """What the run is called."""
    model: Text
    """What is trained: a row of the catalog's `models`."""
    start: YearMonth
    """Earliest month; the run waits until enough accelerators are free."""
    tokens: PositiveTokens
    """Tokens of the whole run."""
    accelerators: PositiveAccelerators
    """Accelerators that the run reserves, spare ones included."""
    fleets: tuple[Text, ...] = default(())
    """Fleets that it may use, as "campus / accelerator", a campus or an accelerator. Default: all
    own fleets that hold the model. The fastest fill first; the network between sites is not
    modelled."""
    least_share: Share = default("25 % to 75 %", confidence="low")
    """Share of `accelerators` with which the run goes on; with fewer it waits."""
    precision: Text = default("bf16", source="arXiv:2407.21783, Llama 3 was trained in BF16")
    """Precision of the matrix products: bf16, fp8, fp4 or int8."""
    sequence: SequenceTokens = default(8192, source="arXiv:2407.21783, section 3.4.1")
    """Tokens per sequence."""
    global_batch: BatchTokens = default("16 Mtok", source="arXiv:2407.21783, section 3.4.1")
    """Tokens per step."""
    failures_per_node_day: FailureRate = default(
        6.5e-3, source="arXiv:2410.21680, RSC-1, nodes of 8 GPUs", confidence="medium"
    )
    """Failures that stop the run, per 8 accelerators and day."""
    checkpoint_s: CertainSeconds = default(10, confidence="low")
    """Time for which writing a checkpoint blocks the run."""
    restart_s: CertainSeconds = default(300, source="arXiv:2410.21680", confidence="medium")
    """Time to detect a failure, replace the node and load the checkpoint."""
    speed: Positive = default("0.85 to 1.15", confidence="low")
    """Factor on the speed that the engine finds. The range is about the engine's error against
    published step times."""

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        return in_catalog("models", name)

    @field_validator("precision")
    @classmethod
    def _precision(cls, name: str) -> str:
        if name not in catalog.PRECISIONS:
            raise ValueError(f"{name!r} is no precision; there is {', '.join(catalog.PRECISIONS)}")
        return name

    @model_validator(mode="after")
    def _batch(self) -> Run:
        if self.global_batch < self.sequence:
            raise ValueError("global_batch is smaller than one sequence")
        return self


class Lease(Section):
    """Accelerators leased to others, before own runs and own serving take any."""

    name: Text
    """What the contract is called."""
    fleet: Text
    """The fleet: "campus / accelerator", or a campus or accelerator that only one fleet has."""
    count: Accelerators
    """Accelerators; fewer where fewer are installed and whole."""
    start: YearMonth
    """First month."""
    months: Whole | None = default(None)
    """How long; default: to the end of the scenario."""
    usd_per_gpu_hour: UsdPerGpuHour
    """Price. What the tenant cannot be given is not paid for."""


class Train(Section):
    """The training factory: runs, and the rule by which a run raises the agents' time horizon."""

    run: tuple[Run, ...] = default(())
    """Training runs, the first has priority."""
    lease: tuple[Lease, ...] = default(())
    """Accelerators leased to others."""
    reference: Text = default("GPT-4")
    """Model that the capability rule starts from: a row of the catalog's `capabilities`."""
    reference_horizon: PositiveMinutes = default(
        {"p50": 3.52, "p97.5": 6.94}, source="METR, Time Horizon 1.1 published results, GPT-4"
    )
    """Its time horizon: human length of the tasks that it finishes half the time."""
    reference_release: YearMonth = default("2023-03", source="METR, Time Horizon 1.1, GPT-4")
    """Month of its release, from which algorithms get more efficient."""
    reference_flop: PositiveFlop = default(
        2.1e25, source="Epoch AI, Data on AI Models: estimate for GPT-4", confidence="medium"
    )
    """FLOP that it was trained with."""
    elasticity: NonNegative = default("0.4 to 0.9", confidence="low")
    """Doublings of the horizon per doubling of effective compute. Joined from two trends over time
    (METR's horizons, Epoch's training compute), never measured."""
    efficiency_growth: GrowthPerYear = default(
        {"p2.5": 0.81, "p97.5": 4.28},
        source="arXiv:2403.05812: compute needs halve every 8 months, 95 % interval 5 to 14",
        confidence="medium",
    )
    """Yearly growth of algorithmic efficiency: effective over physical FLOP."""
    power_share: Share = default(
        "70 % to 82 %",
        source="arXiv:2412.08602: an 8-GPU H100 node of 10.2 kW drew at most 8.4 kW in training",
        confidence="low",
    )
    """Mean IT power of accelerators that train, or are leased, over their rated IT power."""

    @field_validator("reference")
    @classmethod
    def _known(cls, name: str) -> str:
        return in_catalog("capabilities", name)

    @model_validator(mode="after")
    def _consistent(self) -> Train:
        unique("train.run", [r.name for r in self.run])
        unique("train.lease", [one.name for one in self.lease])
        return self
