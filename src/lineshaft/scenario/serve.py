"""`[serve]`: the models served, the service level, the traffic's shape, rented accelerators."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import field_validator, model_validator

from lineshaft import catalog
from lineshaft.scenario.agents import in_catalog, unique
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    Positive,
    Section,
    Share,
    Text,
    Tokens,
    UsdPerGpuHour,
    UsdPerMtok,
    Whole,
    YearMonth,
    default,
    quantity,
)

CertainSeconds = Annotated[float, quantity("s", gt=0, uncertain=False)]
CertainTokens = Annotated[float, quantity("token", gt=0, uncertain=False)]
CertainCount = Annotated[float, quantity("accelerator", ge=0, uncertain=False)]
CertainGrowth = Annotated[float, quantity("1/year", gt=-1, uncertain=False)]
PositiveShare = Annotated[float, quantity("1", gt=0, le=1, uncertain=False)]
OpenShare = Annotated[float, quantity("1", gt=0, lt=1, uncertain=False)]
PositiveBytes = Annotated[float, quantity("byte", gt=0, uncertain=False)]
AtLeastOne = Annotated[int, quantity("1", ge=1, whole=True)]
Requests = Annotated[int, quantity("request", ge=100, whole=True)]
Growth = Annotated[Distribution, quantity("1/year", gt=-1)]


class Model(Section):
    """One model that agents call: served on own or rented accelerators, or bought by the token."""

    name: Text
    """What the kinds of agents call it."""
    source: Literal["own", "provider"] = default("own")
    """`own`: served on the scenario's accelerators. `provider`: bought by the token."""
    model: Text | None = default(None)
    """Own: row of the catalog's `models`. Provider: row of its `prices`. Default: the name."""
    fleets: tuple[Text, ...] = default(())
    """Own: fleets that it may use, as "campus / accelerator", a campus or an accelerator. Default:
    all that hold it."""
    tp: AtLeastOne | None = default(None)
    """Own: accelerators that split one attention rank (tensor parallel). Default, on each
    accelerator type, where no layout is given: of instances of tensor parallelism or of
    data-parallel attention with the experts spread, with prompts and answers on the same instances
    or apart, the deployment that carries most requests per accelerator at the service level."""
    pp: AtLeastOne = default(1)
    """Own: pipeline stages of an engine instance."""
    dp: AtLeastOne = default(1)
    """Own: attention ranks of an engine instance, each with its own requests (data-parallel
    attention)."""
    ep: AtLeastOne = default(1)
    """Own: groups of accelerators among which whole experts are spread."""
    engine: Literal["vllm", "sglang", "trtllm"] = default("vllm")
    """Own: the serving engine, whose overheads are taken."""
    answer_instances: Whole = default(0)
    """Own: engine instances of a replica that only answer, while others take the prompts (prefill
    and decode apart). 0: every instance does both."""
    prompt_instances: AtLeastOne | None = default(None)
    """Own: engine instances of a replica that take prompts, where others answer. Default: 1."""
    answer_tp: AtLeastOne | None = default(None)
    """Own: `tp` of the instances that answer. Default: that of the others."""
    answer_dp: AtLeastOne | None = default(None)
    """Own: `dp` of the instances that answer. Default: that of the others."""
    answer_ep: AtLeastOne | None = default(None)
    """Own: `ep` of the instances that answer. Default: that of the others."""
    precision: Text | None = default(None)
    """Own: of the matrix products. Default: fp8 where the accelerator has it, else bf16."""
    weight_bytes: PositiveBytes | None = default(None)
    """Own: bytes per weight. Default: those of the precision."""
    kv_bytes: PositiveBytes = default(2, source="vLLM: kv_cache_dtype auto, 16 bits")
    """Own: bytes per value in the KV cache."""
    usd_per_mtok_input: UsdPerMtok | None = default(None)
    """Provider: price of prompt tokens. Default: the catalog row's."""
    usd_per_mtok_cached: UsdPerMtok | None = default(None)
    """Provider: price of cached prompt tokens. Default: the catalog row's, else the prompt's."""
    usd_per_mtok_output: UsdPerMtok | None = default(None)
    """Provider: price of output tokens. Default: the catalog row's."""
    quota: Tokens | None = default(None)
    """Provider: tokens that it sells a month. Default: as many as wanted."""
    ttft_s: CertainSeconds = default(1.0, confidence="low")
    """Provider: mean time to first token."""
    tpot_s: CertainSeconds = default(0.02, confidence="low")
    """Provider: mean time per output token."""

    @field_validator("precision")
    @classmethod
    def _precision(cls, name: str | None) -> str | None:
        if name is not None and name not in catalog.PRECISIONS:
            raise ValueError(f"{name!r} is no precision; there is {', '.join(catalog.PRECISIONS)}")
        return name

    @model_validator(mode="after")
    def _complete(self) -> Model:
        prices = (self.usd_per_mtok_input, self.usd_per_mtok_output)
        if self.source == "own":
            in_catalog("models", self.row)
        elif None in prices or self.model is not None:
            in_catalog("prices", self.row)
        return self

    @property
    def row(self) -> str:
        """Name of its catalog row."""
        return self.model or self.name


class Rented(Section):
    """Accelerators rented by the hour, without a plant of one's own."""

    name: Text
    """What the contract is called."""
    accelerator: Text
    """Row of the catalog's `accelerators`."""
    count: CertainCount
    """Accelerators in the first month."""
    start: YearMonth | None = default(None)
    """First month; default: the scenario's."""
    months: Whole | None = default(None)
    """How long; default: to the end of the scenario."""
    growth: CertainGrowth = default(0)
    """Growth of the count per year."""
    usd_per_gpu_hour: UsdPerGpuHour | None = default(None)
    """Price. Default: the catalog row's."""
    price_growth: Growth = default(0)
    """Growth of the price per year; negative where rents fall."""

    @field_validator("accelerator")
    @classmethod
    def _known(cls, name: str) -> str:
        return in_catalog("accelerators", name)

    @model_validator(mode="after")
    def _priced(self) -> Rented:
        row = catalog.find("accelerators", self.accelerator)
        if self.usd_per_gpu_hour is None and row["rent_usd_per_h"] is None:
            raise ValueError(f"the catalog has no rent of {row['name']}: add usd_per_gpu_hour")
        return self


class Serve(Section):
    """The inference factory. A trace gives lengths, mix, prefixes and burstiness of the requests;
    how many there are comes from the demand."""

    trace: Text | None = default(None)
    """Request trace: a file in the format of the Azure LLM inference traces (CSV) or of Mooncake
    (JSONL), relative to the working directory or to the scenario's file. Default: statistics of
    Azure's conversation trace."""
    slo_ttft_s: CertainSeconds = default(
        2.0, source="MLPerf Inference v5.1, DeepSeek-R1 server: 2 s and 80 ms at p99"
    )
    """Service level: time to first token."""
    slo_ttft_tokens: CertainTokens = default(
        8500,
        source="30 s for the longest prompts in arXiv:2407.00079, section 8.1.3; the straight line "
        "between is an assumption",
        confidence="low",
    )
    """Longest prompt that must meet `slo_ttft_s`; a longer one has more time, in proportion."""
    slo_tpot_s: CertainSeconds = default(
        0.08, source="MLPerf Inference v5.1, DeepSeek-R1 server: 2 s and 80 ms at p99"
    )
    """Service level: time per output token."""
    percentile: OpenShare = default(0.99, source="MLPerf Inference v5.1, server scenario")
    """Share of the requests that must meet either."""
    max_batch: AtLeastOne = default(256, source="vLLM, max_num_seqs on large accelerators")
    """Most requests that a replica works on at once (vLLM: max_num_seqs)."""
    max_batched_tokens: AtLeastOne = default(8192, source="vLLM, max_num_batched_tokens")
    """Most tokens of one step (vLLM: max_num_batched_tokens)."""
    memory_share: PositiveShare = default(0.9, source="vLLM, gpu_memory_utilization")
    """Share of the memory that weights, activations and KV cache may take."""
    prefix_cache: Literal["none", "lru", "endless"] = default("lru")
    """What keeps shared prefixes: nothing, the memory that is left, or a store without end."""
    requests: Requests = default(4000)
    """Most requests simulated per point of a model's curve."""
    speed: Positive = default(
        "0.8 to 1.25",
        source="median absolute error of TPOT on measured groups left out of the fit: 13.2 %",
        confidence="medium",
    )
    """Factor on the capacity of all replicas."""
    autoscale: bool = default(
        True, source="DeepSeek open-infra-index, day 6: 278 nodes at the peak, 227 in the mean"
    )
    """Whether replicas follow the load by the hour: those in use run at the service level's load
    and the others wait at idle power. Else the load is spread over all provisioned replicas, which
    answers faster and draws more power."""
    host_idle_share: Share = default("40 % to 70 %", confidence="low")
    """Power of what surrounds an accelerator (CPU, memory, fans, network, storage) while the
    accelerator idles, over its power at full load."""
    model: tuple[Model, ...] = default(())
    """The models served."""
    rented: tuple[Rented, ...] = default(())
    """Accelerators rented by the hour."""

    @model_validator(mode="after")
    def _consistent(self) -> Serve:
        unique("serve.model", [m.name for m in self.model])
        unique("serve.rented", [r.name for r in self.rented])
        rows = [catalog.find("accelerators", r.accelerator).text("name") for r in self.rented]
        unique("serve.rented (by accelerator)", rows)
        return self
