"""`simulate`: a fleet of engine instances serves requests, one by one; what happened to each.

The event loop is compiled (`kernels`). Each instance has one action in progress: a step with
prompts, or a stretch of pure decode, whose time is affine in the number of steps and which an
arrival cuts at the next end of a step. So a stretch costs the same however long it is.

Rules where public sources leave a choice, or differ:

- A step takes those who decode first, then running prompts, then those who wait. This gives the
  same steps as vLLM's walk in order, because only the last prompt ever lacks budget.
- A running request takes a block when it needs one (Vidur: only if one is free even where it needs
  none).
- sglang: a running prompt that lacks memory waits, decodes go on.
- Refused, at arrival, are requests whose prompt and answer never fit beside the watermark
  (vllm-v0: in one step); rejected, those that find `queue_limit` others waiting.
- Speculative decoding advances all sequences alike, by `gain` tokens a step in the mean, as the
  nearest fraction with a denominator up to 32: no random numbers.
- One that comes back from a tier, or from being swapped out, holds its blocks while it is brought.
- Prefill/decode: the prompt's blocks are free at its first token; the instance that answers is
  chosen when the transfer ends, and has no prefix cache.
- Prefix blocks are whole: lru and radix evict alike, because requests let go of leaves first.
- An endless prefix cache is one for all instances of the fleet.
- After a failure a request starts again from its prompt; what was computed before counts as
  recomputed.
- The autoscaler holds `least` instances at the start and counts each pool by itself; an instance
  is held from the decision to start it until it has left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.serve.deployment import Fleet
from lineshaft.stages.serve.requests import Requests

Ints = NDArray[np.int64]
Int32s = NDArray[np.int32]
Floats = NDArray[np.float64]


class Totals(NamedTuple):
    """Sums over a run or a window of it. Seconds are the instance's own, not per accelerator."""

    busy_s: float
    """Time in steps; prefill_s + cached_s + decode_s."""
    prefill_s: float
    """Work on prompts, recomputed prompts included."""
    cached_s: float
    """Half of the attention of prompt tokens, when first computed, to what came from the prefix
    cache."""
    decode_s: float
    """Work on answers."""
    active_s: float
    """Step time weighted by how busy arithmetic units and KV reads are: drives power."""
    input_tokens: float
    """Prompt tokens computed, each counted once."""
    cached_tokens: float
    """Prompt tokens taken from the prefix cache, each counted once."""
    recomputed_tokens: float
    """Tokens computed again after a preemption."""
    decode_tokens: float
    """Answer tokens fed back through the model (all but the last of each answer)."""
    output_tokens: float
    iterations: float
    preemptions: float
    refused: float
    """Requests whose prompt and answer can never fit in the KV cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The fleet at equal distances of time; decode pool not told apart."""

    time_s: Floats
    running: Floats
    """[time] requests."""
    waiting: Floats
    """[time] requests, those included whose KV is on its way."""
    kv_share: Floats
    """[time] blocks in use of those of the instances in service."""
    instances: Floats
    """[time] in service."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What happened to every request, and the sums."""

    arrival_s: Floats
    """[request] as simulated."""
    scheduled_s: Floats
    """[request] start of the first step that it is in; nan where refused or rejected."""
    first_s: Floats
    """[request] time of the first token; nan where refused or rejected."""
    finish_s: Floats
    """[request] time of the last token; nan where refused or rejected."""
    state: NDArray[np.int8]
    """[request] 0 done, 1 refused: can never fit, 2 rejected at a full queue."""
    instance: Int32s
    """[request] that computed its prompt."""
    decode_instance: Int32s
    """[request] that answered: the same, or one of the decode pool, counted behind the others."""
    cached_tokens: Int32s
    """[request] prompt tokens found in the prefix cache or its tiers."""
    preemptions: Int32s
    restarts: Int32s
    """[request] times that it was sent again after a failure."""
    totals: Totals
    by_instance: list[Totals]
    service_s: Floats
    """[instance] time for which it was held."""
    window_totals: Totals
    """Of the steps that began inside the window."""
    window_s: float
    """Length of the window, from step to step, mean over instances."""
    end_s: float
    """When the last request ended."""
    requests: Requests
    series: Series | None = None


def simulate(
    fleet: Fleet,
    requests: Requests,
    *,
    exact: bool = False,
    window_s: tuple[float, float] = (0.0, np.inf),
    series_s: float = 0.0,
    threads: int = 0,
) -> Outcome:
    """Times of every request, and sums, of a fleet that serves these requests to their end.

    `exact` computes every step; otherwise stretches of pure decode are skipped in closed form,
    with equal results. `series_s` > 0 samples the fleet that often. Where routing does not depend
    on the state (round-robin or random, one pool, open loop, no failures, no autoscaler),
    instances run side by side in `threads` threads (0: one per processor), with equal results.

    Raises:
        InputError: limits that no engine can have, requests that cannot be sent in this order, or
            a fleet that fails faster than it answers.
    """
    from lineshaft.stages.serve.kernels import setting

    return setting.simulate(fleet, requests, exact, window_s, series_s, threads)
