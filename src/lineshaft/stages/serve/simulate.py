"""`simulate`: one engine instance serves one trace, request by request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.steptime import StepTimes
from lineshaft.traces import Trace

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PREFIX_CACHES = ("none", "lru", "endless")


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Limits of one engine instance; the names are vLLM's."""

    max_num_seqs: int = 256
    """Most requests that run at once."""
    max_num_batched_tokens: int = 8192
    """Most tokens of one step, prompts and answers together."""
    kv_blocks: int = 1 << 40
    """Blocks of 16 tokens in the KV cache."""
    prefix_cache: str = "lru"
    """``none``; ``lru`` (what memory running requests leave, least recently used out first); or
    ``endless`` (an outside store of every block ever computed). Needs a trace with prefixes."""


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
class Simulated:
    """What happened to every request, and the sums."""

    first_s: Floats
    """[request] time of the first token; nan where refused."""
    finish_s: Floats
    """[request] time of the last token; nan where refused."""
    arrival_s: Floats
    """[request] as simulated (closed loop: when the client sent it)."""
    cached_tokens: Ints
    """[request] prompt tokens found in the prefix cache."""
    preemptions: Ints
    """[request] times preempted."""
    end_s: float
    """When the last request finished."""
    totals: Totals
    """Of the whole run."""
    window_totals: Totals
    """Of the steps that began inside the window."""
    window_s: float
    """Length of the window as simulated: from step boundary to step boundary."""


def simulate(
    trace: Trace,
    times: StepTimes,
    scheduler: Scheduler,
    *,
    window_s: tuple[float, float] = (0.0, np.inf),
    clients: int = 0,
    exact: bool = False,
) -> Simulated:
    """Per-request times and sums of one engine instance that serves this trace to the end.

    Continuous batching after vLLM's v1 scheduler; see `kernel`. `clients` > 0 is a closed loop:
    that many clients, each sends its next request when its last one ends. `exact` computes every
    iteration; otherwise stretches of pure decode are skipped in closed form, with equal results.

    Raises:
        InputError: limits that no engine can have.
    """
    from lineshaft.stages.serve import kernel

    _check(trace, times, scheduler)
    n = len(trace)
    mode = PREFIX_CACHES.index(scheduler.prefix_cache) if trace.has_blocks else 0
    ids, count = _dense_ids(trace.block_ids) if mode else (np.empty(0, np.int64), 0)
    arrival = np.array(trace.arrival_s, np.float64)
    first, finish = np.full(n, np.nan), np.full(n, np.nan)
    cached, preemptions = np.zeros(n, np.int64), np.zeros(n, np.int64)
    shots = np.zeros((3, 1 + kernel.SUMS))
    end = kernel.simulate(
        arrival,
        trace.input_tokens,
        trace.output_tokens,
        ids,
        trace.block_start if mode else np.zeros(n + 1, np.int64),
        max(trace.block_tokens, 1),
        count,
        mode,
        min(scheduler.max_num_seqs, n),
        scheduler.max_num_batched_tokens,
        scheduler.kv_blocks,
        times.dense_s,
        times.compute_s,
        times.kv_s,
        times.pair_s,
        times.seq_s,
        clients,
        exact,
        np.array(window_s, np.float64),
        first,
        finish,
        cached,
        preemptions,
        shots,
    )
    window = shots[1] - shots[0]
    return Simulated(
        first_s=first,
        finish_s=finish,
        arrival_s=arrival,
        cached_tokens=cached,
        preemptions=preemptions,
        end_s=float(end),
        totals=Totals(*shots[2, 1:].tolist()),
        window_totals=Totals(*window[1:].tolist()),
        window_s=float(window[0]),
    )


def _dense_ids(ids: Ints) -> tuple[Ints, int]:
    """The same blocks numbered from 0 without large gaps, and how many numbers there are."""
    low, high = int(ids.min()), int(ids.max())
    if low >= 0 and high < 4 * len(ids):
        return ids, high + 1
    values, dense = np.unique(ids, return_inverse=True)
    return dense.astype(np.int64), len(values)


def _check(trace: Trace, times: StepTimes, scheduler: Scheduler) -> None:
    problems = [
        Problem("", f"serve.{key}", f"is {value}", "a whole number from 1")
        for key, value in (
            ("max_num_seqs", scheduler.max_num_seqs),
            ("max_num_batched_tokens", scheduler.max_num_batched_tokens),
            ("kv_blocks", scheduler.kv_blocks),
        )
        if value < 1
    ]
    if scheduler.prefix_cache not in PREFIX_CACHES:
        allowed = ", ".join(PREFIX_CACHES)
        problems.append(Problem("", "serve.prefix_cache", scheduler.prefix_cache, allowed))
    if len(times.dense_s) <= scheduler.max_num_batched_tokens:
        found = f"step times up to {len(times.dense_s) - 1} tokens"
        allowed = f"max_num_batched_tokens, {scheduler.max_num_batched_tokens}"
        problems.append(Problem("", "serve.max_num_batched_tokens", found, allowed))
    if trace.has_blocks and trace.block_tokens % 16:
        found = f"prefix blocks of {trace.block_tokens} tokens"
        problems.append(Problem(trace.name, "trace", found, "a multiple of 16"))
    if problems:
        raise InputError(problems)
