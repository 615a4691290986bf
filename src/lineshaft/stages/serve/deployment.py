"""What serves: engine instances in pools, the rules that they follow, and who sends what where.

A `Fleet` is one pool of engine instances, or two where prompts and answers are split
(prefill/decode disaggregation). An instance is one engine: `Layout.accelerators` accelerators that
step together under one `Scheduler`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineshaft.stages.serve.steptime import StepTimes

RULES = ("vllm-v1", "sarathi", "vllm-v0", "sglang")
"""Which requests a step takes. vllm-v1: decodes, then prompts in chunks, one token budget.
sarathi: the same with whole-prompt reservation and a watermark. vllm-v0: prompts whole and alone,
else decodes. sglang: prompts first (in chunks, decodes wait), then decodes."""
PREFIX_CACHES = ("none", "lru", "radix", "endless")
"""none; lru: unused blocks, least recently used out first; radix: leaves of the tree of prefixes
first, least recently used out first; endless: an outside store of every block ever computed."""
ROUTERS = ("round-robin", "random", "least-outstanding", "shortest-queue", "prefix", "kv-aware")
PREEMPTIONS = ("recompute", "swap")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one engine instance lies on its accelerators."""

    tp: int = 1
    """Accelerators that split one attention rank (tensor parallel)."""
    pp: int = 1
    """Pipeline stages."""
    dp: int = 1
    """Attention ranks, each with its own requests (data-parallel attention)."""
    ep: int = 1
    """Groups of accelerators among which whole experts are spread; inside a group of
    tp * dp / ep accelerators each expert is split. 1: every expert is split over all of them."""

    @property
    def accelerators(self) -> int:
        return self.tp * self.pp * self.dp

    @property
    def moe_tp(self) -> int:
        """Accelerators that split one expert."""
        return self.tp * self.dp // self.ep


@dataclass(frozen=True, slots=True)
class Tier:
    """A store of KV below the accelerators' memory, shared by the requests of an instance."""

    name: str
    tokens: int
    """Tokens that it holds."""
    token_s: float
    """Time to bring one token's KV back, per token."""
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Limits and rules of one engine instance; the names are vLLM's where it has one."""

    rules: str = "vllm-v1"
    max_num_seqs: int = 256
    """Most requests that run at once, on each attention rank."""
    max_num_batched_tokens: int = 8192
    """Most tokens of one step, prompts and answers together, on each attention rank."""
    long_prefill_token_threshold: int = 0
    """Longest chunk of one prompt in a step; 0: up to the budget."""
    kv_blocks: int = 1 << 40
    """Blocks of `block_tokens` tokens in the KV cache, over all attention ranks."""
    block_tokens: int = 16
    watermark: float = 0.0
    """Share of the blocks that an admission must leave free (0.01 in Vidur's schedulers)."""
    prefix_cache: str = "lru"
    preemption: str = "recompute"
    swap_token_s: float = 0.0
    """Time to bring one token's KV back after a swap."""
    priority: bool = False
    """Admit and preempt by (class, arrival) instead of arrival alone."""
    tiers: tuple[Tier, ...] = ()
    """Below the accelerators' memory, nearest first; prefix blocks evicted from memory go there."""
    whole_prompt_fits: bool = False
    """vllm-v1, sglang: admit a request only while blocks for its whole prompt are free, though its
    first chunk may take fewer (vLLM's ``scheduler_reserve_full_isl``, on there by default)."""
    queue_limit: int = 0
    """Most requests that wait at one instance: more are rejected. 0: no limit."""


@dataclass(frozen=True, slots=True)
class Failures:
    """An instance fails at random, loses its KV cache, restarts; its requests start again."""

    mtbf_s: float
    """Mean time between failures of one instance (exponential)."""
    restart_s: float
    straggler_share: float = 0.0
    """Share of the instances that are slow throughout."""
    straggler_factor: float = 1.0
    """Factor on their step time."""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """Instances in service follow the load, checked every `interval_s`."""

    least: int
    target_outstanding: float
    """Requests per instance in service that it aims at."""
    interval_s: float = 30.0
    start_s: float = 120.0
    """From the decision to the first request: start of the engine and load of the weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Equal instances."""

    times: StepTimes
    scheduler: Scheduler
    instances: int = 1
    layout: Layout = field(default=Layout())


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """The pools, and what joins them."""

    pool: Pool
    """Serves everything, or prompts only where `decode` is given."""
    decode: Pool | None = None
    """Pool that answers, with its own hardware and layout."""
    transfer_token_s: float = 0.0
    """Prefill to decode: time per token of KV."""
    transfer_s: float = 0.0
    """Prefill to decode: fixed time."""
    router: str = "round-robin"
    view_s: float = 0.0
    """Age that the router's view of queues may reach: it is refreshed every `view_s` seconds."""
    failures: Failures | None = None
    autoscaler: Autoscaler | None = None
    seed: int = 0
    """Of random routing, failures and stragglers; counted per request or instance, so that results
    do not depend on threads."""
