"""What no schedule can beat: most requests per second of an instance, least latency of a request.

With dense_s[m] >= a + b m for every number m of tokens in a step (a, b >= 0), and S steps that
together work on M tokens, the steps take at least a S + b M. Decoding sequences that fit in memory
and in the limit of the batch give the least S; reads of KV and attention of prompts come on top.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lineshaft.serve.instance import Instance
from lineshaft.stages.serve.deployment import Pool
from lineshaft.stages.serve.requests import Requests
from lineshaft.traces import Trace, prefix_hit_share

Floats = NDArray[np.float64]

SLOPES = 32


def most_rps(one: Instance, requests: Requests, part: str = "all") -> float:
    """Requests per second that the instance cannot exceed with requests of these lengths.

    `part` is what the instance does of a request: all of it, or prompts only, or answers only.
    """
    times, limits = one.pool.times, one.pool.scheduler
    if times.tables is not None:  # which follow no formula
        return math.inf
    prompts = requests.input_tokens.astype(np.float64)
    answers = (requests.output_tokens - 1).astype(np.float64)
    if part == "answers":
        prompts = np.zeros_like(prompts)
    if part == "prompts":
        answers = np.zeros_like(answers)
    fresh = 1.0 - _hit_share(one.pool, requests)
    decodes = float(answers.sum()) / times.gain
    context = float((answers * requests.input_tokens + answers * (answers + 1) / 2).sum())
    context /= times.gain
    tokens = float(prompts.sum()) * fresh + decodes * (1 + times.draft)
    pairs = float((prompts * (prompts + 1) / 2).sum()) * fresh
    batch = max(1, limits.max_num_seqs * times.ranks)
    steps = max(decodes / batch, context / max(one.kv_tokens, 1.0))
    a, b = _minorants(times.dense_s)
    prompts_s = times.pair_s * pairs
    if part != "answers":
        prompts_s += len(requests) * (times.chunk_s + times.seq_s)
    spent = float(np.max(a * steps + b * tokens))
    spent += times.kv_s * context + times.seq_s * decodes + prompts_s
    return len(requests) / spent if spent > 0 else math.inf


def least_latencies(one: Instance, requests: Requests) -> tuple[Floats, Floats]:
    """[request] TTFT and TPOT in an instance that has nothing else to do."""
    times = one.pool.times
    size = one.pool.scheduler.max_num_batched_tokens
    prompts = requests.input_tokens.astype(np.int64)
    pairs = prompts * (prompts + 1.0) / 2
    if one.pool.scheduler.prefix_cache != "none" and len(requests.block_ids):
        prompts, pairs = np.ones_like(prompts), np.zeros(len(prompts))
    whole, rest = np.divmod(prompts, size)
    ttft = whole * times.dense_s[size] + times.dense_s[rest] + times.pair_s * pairs
    ttft = ttft + times.seq_s + times.mixed_s + times.chunk_s + times.api_s
    ttft = ttft + one.coefficients.api_input_s * requests.input_tokens
    step = times.dense_s[min(1 + times.draft, size)] + times.seq_s
    tpot = (step + times.kv_s * requests.input_tokens) / times.gain + times.api_token_s
    return ttft, tpot


def _hit_share(pool: Pool, requests: Requests) -> float:
    """Share of the prompts that an endless prefix cache would hold already."""
    if pool.scheduler.prefix_cache == "none" or not len(requests.block_ids):
        return 0.0
    trace = Trace(
        requests.name,
        requests.arrival_s,
        requests.input_tokens,
        requests.output_tokens,
        requests.block_ids,
        requests.block_start,
        requests.block_tokens,
    )
    return prefix_hit_share(trace)


def _minorants(dense_s: Floats) -> tuple[Floats, Floats]:
    """[slope] a and b of straight lines that lie nowhere above `dense_s`, with a, b >= 0."""
    tokens = np.arange(1, len(dense_s), dtype=np.float64)
    b = np.linspace(0.0, float(np.min(dense_s[1:] / tokens)), SLOPES)
    a = np.array([np.min(dense_s[1:] - slope * tokens) for slope in b])
    return np.maximum(a, 0.0), b
