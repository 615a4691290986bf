"""How long one step of one engine instance takes: a roofline with few learned coefficients.

`step_times` adds up what a step asks of the accelerators (`work`) at the efficiencies and
overheads of their class and of the engine (`coefficients`). A step whose decoding sequences attend
to `context` tokens in all takes::

    products, experts, activations, collectives, overheads of m tokens   `work.terms`
      + context * max(KV read, arithmetic on the latent of MLA)
      + pairs * attention of prompts, per (token, attended token) pair
      + sequences * (host time + KV that does not grow + output layer)
      + where there are prompts: a fixed time, one per layer, one per chunk

Reply times carry `api_s` per request and `api_token_s` per token besides. The form is that of
BLIS's "trained-physics" latency model (github.com/inference-sim/inference-sim), with layouts,
experts, MLA, linear layers and speculative decoding added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lineshaft.stages.serve.coefficients import Coefficients, shipped
from lineshaft.stages.serve.work import Floats, Work, kv_shards, terms, work
from lineshaft.transformer import Architecture, Chip

if TYPE_CHECKING:
    from lineshaft.stages.serve.deployment import Layout

__all__ = ["FITTED", "Coefficients", "StepTimes", "kv_shards", "step_times"]

EXACT = 4096
"""Tokens up to which every size is timed; beyond, 64 sizes per octave, straight between them."""
ACCEPTANCE = 0.68
"""Share of proposed tokens that are accepted, each given that the one before it was: two thirds
to three quarters reproduce the gain from multi-token prediction in published runs of DeepSeek-R1
(github.com/SemiAnalysisAI/InferenceX). Low confidence for other drafts and texts."""
FITTED = shipped("hopper", "vllm")
"""Shipped coefficients of one class and engine; `fitted_on` says on what all of them rest."""


@dataclass(frozen=True, slots=True, eq=False)
class StepTimes:
    """Step time of one engine instance, ready for the event loop.

    A step of n decoding sequences that attend to `context` tokens in all, and of k chunks of
    prompts with p tokens and `pairs` (token, attended token) pairs in all takes::

        spread = ranks / min(ranks, k)           chunks lie on few of the attention ranks
        m = n * (1 + draft) + p * (1 + (spread - 1) * local_share)
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
    local_share: float = 1.0
    """Share of a prompt's time in which its rank works alone: what all ranks share, such as
    experts, does not wait for the busiest of them."""
    draft: int = 0
    """Speculative decoding: tokens proposed per sequence and step."""
    gain: float = 1.0
    """Speculative decoding: answer tokens gained per sequence and step, in the mean, 1 to 1 +
    draft."""
    tables: tuple[Floats, ...] | None = None
    """Operator tables (`optables`): where given, they alone time a step."""


def step_times(
    arch: Architecture,
    chip: Chip,
    *,
    precision: str,
    weight_byte: float,
    kv_byte: float,
    max_tokens: int,
    layout: Layout | None = None,
    tp: int = 1,
    engine: str = "vllm",
    draft: int = 0,
    acceptance: float = ACCEPTANCE,
    coefficients: Coefficients | None = None,
) -> StepTimes:
    """Step times of this model in this layout, up to `max_tokens` tokens a step and rank.

    `precision` names the chip's rate for matrix products (attention always runs in bf16);
    `weight_byte` and `kv_byte` are bytes per weight and per KV value. `tp` stands for a layout of
    tensor parallelism alone. `draft` tokens are proposed per sequence and step; of them
    `acceptance + acceptance**2 + …` are gained in the mean (Leviathan et al., arXiv:2211.17192).
    `coefficients` are by default those of the chip's class and of `engine` (`coefficients.ENGINES`;
    another name takes the mean of all).

    Raises:
        InputError: the chip does not offer this precision, or bf16.
    """
    from lineshaft.stages.serve.deployment import Layout

    c = coefficients or shipped(chip.generation, engine)
    asked = work(
        arch,
        chip,
        layout or Layout(tp=tp),
        precision=precision,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        draft=draft,
    )
    ranks = round(float(asked.ranks))
    tokens = np.arange(max_tokens * ranks + 1, dtype=np.float64)
    nodes = _nodes(len(tokens) - 1)
    timed = terms(asked, nodes, c)
    dense = sum(timed.values(), np.zeros(len(nodes)))
    # beyond a window attention of a prompt is a cost per token
    dense += nodes * asked.prompt_s / c.attention_efficiency
    busy = nodes / asked.ranks * asked.product_s + nodes * asked.expert_s
    busy += nodes * asked.prompt_s
    busy = np.minimum(busy, dense)
    latent = asked.latent_s / c.latent_efficiency
    fixed = asked.sequence_latent_s / c.latent_efficiency
    return StepTimes(
        dense_s=np.interp(tokens, nodes, dense),
        compute_s=np.interp(tokens, nodes, busy),
        # decode reads KV and, with MLA, works on the latent with many heads: the slower rules
        kv_s=float(max(asked.kv_s / c.kv_efficiency, latent)),
        pair_s=float(asked.pair_s / c.attention_efficiency),
        seq_s=float(
            c.sequence_s / ranks  # every rank has a host process of its own
            + max(asked.sequence_kv_s / c.kv_efficiency, fixed)
            + asked.head_s / c.compute_efficiency
        ),
        api_s=c.api_s,
        api_token_s=c.api_token_s,
        mixed_s=float(prompt_s(asked, c)),
        chunk_s=c.chunk_s,
        ranks=ranks,
        local_share=float(local_share(asked, c)),
        draft=draft,
        gain=sum(acceptance**place for place in range(draft + 1)),
    )


def prompt_s(asked: Work, c: Coefficients) -> Floats | float:
    """Added to a step that has a prompt in it: its kernels are launched one by one."""
    layers = (
        asked.layers * c.prompt_layer_s
        + asked.moe_layers * c.prompt_moe_layer_s
        + asked.mla_layers * c.prompt_mla_layer_s
        + asked.linear_layers * c.prompt_linear_layer_s
    )
    return c.prompt_s + c.prompt_factor * layers


def local_share(asked: Work, c: Coefficients) -> Floats | float:
    """Of the time of a prompt's token, what its attention rank does alone."""
    alone = asked.product_s / c.compute_efficiency + asked.activation_s * c.activation_passes
    shared = asked.expert_s / c.expert_compute_efficiency
    shared += asked.exchange_token_s / c.link_efficiency
    return alone / asked.ranks / (alone / asked.ranks + shared)


def _nodes(most: int) -> Floats:
    """Numbers of tokens that are timed."""
    low = np.arange(min(most, EXACT) + 1, dtype=np.float64)
    if most <= EXACT:
        return low
    count = int(np.ceil(np.log2(most / EXACT) * 64)) + 1
    return np.concatenate([low[:-1], np.geomspace(EXACT, most, count)])
