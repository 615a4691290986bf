"""How long one step of one engine instance takes: a roofline with few learned coefficients.

For a step of m tokens, of which the decoding sequences attend to `context` tokens in all::

    t = (C**p + W**p)**(1/p)                matrix products: arithmetic blended with weight read
        C = linear_flops * m / (P * tp * compute_efficiency)
        W = weight_bytes(m) / (B * tp * weight_efficiency)
      + context * kv_bytes / (B * shards * kv_efficiency)         KV read of decode
      + pairs * attention_flops / (P * tp * attention_efficiency) attention of prompts
      + 2 L * (allreduce_s + 2 (tp-1)/tp * m * hidden * 2 B / (link * link_efficiency))
      + L * layer_s + moe layers * moe_layer_s + sequences * sequence_s + step_s

`pairs` counts (token, attended token) pairs of prompt chunks. A mixture of experts reads the
experts that m tokens are expected to hit. p = 1 adds arithmetic and weight read, a large p takes
the larger. Reply times carry `api_s` per request and `api_token_s` per token besides. The form is
that of BLIS's "trained-physics" latency model (github.com/inference-sim/inference-sim).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.transformer import (
    Architecture,
    Chip,
    attention_flops_per_token,
    kv_bytes,
    linear_flops_per_token,
    weight_bytes_touched,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What the datasheet does not say. One set for all models, accelerators and engines."""

    compute_efficiency: float
    """Share of peak FLOP/s that large matrix products reach."""
    weight_efficiency: float
    """Share of peak memory bandwidth that weight reads reach."""
    blend: float
    """p of the blend of arithmetic and weight read, from 1."""
    kv_efficiency: float
    """Share of peak memory bandwidth that KV reads reach."""
    attention_efficiency: float
    """Share of peak bf16 FLOP/s that prompt attention reaches."""
    link_efficiency: float
    """Share of the scale-up link that all-reduces reach."""
    allreduce_s: float
    """Fixed time of one all-reduce."""
    layer_s: float
    moe_layer_s: float
    sequence_s: float
    step_s: float
    api_s: float
    """Per request, before its first token, outside the engine's steps."""
    api_token_s: float
    """Per answer token, outside the engine's steps."""
    fitted_on: str = ""
    """What the numbers were fitted on, and how well they do."""


FITTED = Coefficients(
    compute_efficiency=0.7604,
    weight_efficiency=0.8086,
    blend=5.991,
    kv_efficiency=0.95,
    attention_efficiency=0.75,
    link_efficiency=1.0,
    allreduce_s=26.89e-6,
    layer_s=2.148e-6,
    moe_layer_s=50.38e-6,
    sequence_s=31.70e-6,
    step_s=14.05e-6,
    api_s=0.1337,
    api_token_s=46e-6,
    fitted_on=(
        "160 of 633 measured steady points of 11 groups (model, system, backend) of "
        "AIConfigurator's data (github.com/ai-dynamo/aiconfigurator, Apache-2.0): aggregated "
        "serving on H100, H200, B200 and GB200, tp 1 to 8, Llama 3.1, Qwen3, gpt-oss, DeepSeek; "
        "bench/fit_serve.py. On 712 "
        "points of 11 other groups the median absolute error is 12.6 % for TPOT (dense models "
        "10.8 %, mixtures of experts 15.7 %), 12.1 % for E2E and 40 % for TTFT. On two vLLM 0.19.0 "
        "runs of Llama-3.1-8B (github.com/casys-kaist/LLMServingSim, MIT), never fitted: TPOT "
        "-4 and +10 %, E2E -7 and +13 %. kv_efficiency, attention_efficiency, link_efficiency and "
        "blend lie at or near the bound of the fit: low confidence one by one. api_token_s is "
        "BLIS's published value. Speculative decoding is not told apart in the data, and the "
        "objective of the fit was chosen among six with the errors of both halves in view"
    ),
)
"""Shipped coefficients; `fitted_on` says on what they rest and how large the errors are."""


@dataclass(frozen=True, slots=True, eq=False)
class StepTimes:
    """Step time of one engine instance, ready for the event loop.

    A step of n decoding sequences that attend to `context` tokens in all, and of k chunks of
    prompts with p tokens and `pairs` (token, attended token) pairs in all takes::

        spread = ranks / min(ranks, k)           chunks lie on few of the attention ranks
        m = n * (1 + draft) + p * spread
        dense_s[m] + kv_s * context + seq_s * (n + k)
            + [k > 0] * (mixed_s + chunk_s * k + pair_s * pairs * spread)
    """

    dense_s: Floats
    """[tokens + 1] all that depends on the number of tokens alone; 0 for none."""
    compute_s: Floats
    """[tokens + 1] arithmetic time of those tokens, part of `dense_s`."""
    kv_s: float
    """Per token of context that a decoding sequence reads."""
    pair_s: float
    """Per pair of a prompt token and a token that it attends to, with every rank at work."""
    seq_s: float
    """Per sequence in the step."""
    api_s: float = 0.0
    """Per request, before its first token, outside the engine's steps."""
    api_token_s: float = 0.0
    """Per answer token, outside the engine's steps."""
    mixed_s: float = 0.0
    """Of a step that has a prompt in it."""
    chunk_s: float = 0.0
    """Per chunk of a prompt."""
    ranks: int = 1
    """Attention ranks of the instance (data-parallel attention)."""
    draft: int = 0
    """Speculative decoding: tokens proposed per sequence and step."""
    gain: float = 1.0
    """Speculative decoding: answer tokens gained per sequence and step, in the mean, 1 to 1 +
    draft."""


def kv_shards(arch: Architecture, tp: int) -> int:
    """Over how many of `tp` accelerators one token's KV is spread.

    KV heads are split, and copied once there are more accelerators than heads. The latent of MLA
    has no heads: every accelerator keeps a copy.
    """
    return 1 if arch.attention == "mla" else min(tp, arch.kv_heads)


def step_times(
    arch: Architecture,
    chip: Chip,
    *,
    tp: int,
    precision: str,
    weight_byte: float,
    kv_byte: float,
    max_tokens: int,
    coefficients: Coefficients = FITTED,
) -> StepTimes:
    """Step times of this model on `tp` of these accelerators, up to `max_tokens` tokens a step.

    `precision` names the chip's rate for matrix products (attention always runs in bf16);
    `weight_byte` and `kv_byte` are bytes per weight and per KV value.

    Raises:
        InputError: the chip does not offer this precision, or bf16.
    """
    c = coefficients
    tokens = np.arange(max_tokens + 1, dtype=np.float64)
    # a windowed layer attends to a full window: a cost per token and per sequence, not per pair
    window = arch.window if arch.window_layers else 0
    pair_flops = _slope(lambda x: attention_flops_per_token(arch, x), window)
    pair_latent = _slope(lambda x: attention_flops_per_token(arch, x, absorbed=True), window)
    window_flops = attention_flops_per_token(arch, window) - pair_flops * window
    kv_token_bytes = _slope(lambda x: kv_bytes(arch, x, kv_byte), window)
    window_bytes = kv_bytes(arch, window, kv_byte) - kv_token_bytes * window

    linear = chip.peak_flops(precision) * tp * c.compute_efficiency
    attention = chip.peak_flops("bf16") * tp * c.attention_efficiency
    memory = chip.memory_bytes_per_s
    kv_rate = memory * kv_shards(arch, tp) * c.kv_efficiency

    compute = tokens * (linear_flops_per_token(arch) / linear + window_flops / attention)
    # between the experts that no token hits and those that endless tokens hit
    least = weight_bytes_touched(arch, weight_byte, 0.0)
    most = weight_bytes_touched(arch, weight_byte, 1e12)
    idle = (1.0 - arch.experts_active / arch.experts) ** tokens if arch.experts else 0.0
    weights = (least + (most - least) * (1.0 - idle)) / (memory * tp * c.weight_efficiency)
    dense = (compute**c.blend + weights**c.blend) ** (1.0 / c.blend)
    if tp > 1:
        message = 2.0 * (tp - 1) / tp * tokens * arch.hidden * 2.0  # bf16, ring all-reduce
        link = chip.scaleup_bytes_per_s * c.link_efficiency
        dense = dense + 2 * arch.layers * (c.allreduce_s + message / link)
    dense = dense + arch.layers * c.layer_s + arch.moe_layers * c.moe_layer_s + c.step_s
    dense[0] = compute[0] = 0.0
    return StepTimes(
        dense_s=dense,
        compute_s=compute * c.compute_efficiency,
        # decode reads KV and, with MLA, works on the latent with many heads: the slower rules
        kv_s=max(kv_token_bytes / kv_rate, pair_latent / attention),
        pair_s=pair_flops / attention,
        seq_s=c.sequence_s + window_bytes / kv_rate,
        api_s=c.api_s,
        api_token_s=c.api_token_s,
    )


def _slope(function: Callable[[float], float], start: float) -> float:
    """Growth per token beyond `start`."""
    return function(start + 1.0) - function(start)
