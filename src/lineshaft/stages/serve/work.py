"""What one step asks of an engine instance, and the terms of its time.

`work` counts: ideal seconds of arithmetic and of memory and link traffic per token, per sequence
or per step, at the datasheet's rates. `terms` divides them by efficiencies and adds overheads
(`coefficients.Coefficients`); the sum of its terms is the time of the step that depends on its
number of tokens alone. For m tokens of the instance, spread over R attention ranks::

    products    (C**p + W**p)**(1/p)   C = m/R * arithmetic, W = read of all weights but experts
    experts     (C**q + W**q)**(1/q)   C = m * arithmetic * load of the busiest group,
                                       W = read of the experts that m tokens are expected to hit
    activations m/R * layers * hidden * 2 B * passes
    reduce      2 L * (latency + all-reduce of m/R * hidden * 2 B)              tp > 1
    exchange    2 L_moe * latency + dispatch and combine of m/R * min(k, ep) copies     dp > 1
    overhead    L * layer + L_moe * moe + L_mla * mla + L_linear * linear + L_index * index
    host        step

Weights of 4 bits of a mixture of experts are those of the MLPs and experts; attention and the
output layer stay in bf16, as in the published checkpoints (huggingface.co/nvidia,
huggingface.co/openai/gpt-oss-120b, huggingface.co/moonshotai).

Pipeline stages work on different sequences at once: a token passes all layers, every stage holds
its share of the sequences, and a step of all of them takes as long as one pass through the pipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshaft.transformer import (
    Architecture,
    Chip,
    attention_flops_per_token,
    expert_parameters,
    kv_read_bytes,
    linear_flops_per_token,
    parameters,
    shared_parameters,
    state_bytes,
)
from lineshaft.transformer.collectives import all_reduce_s, hierarchical_all_reduce_s

if TYPE_CHECKING:
    from lineshaft.stages.serve.coefficients import Coefficients
    from lineshaft.stages.serve.deployment import Layout

Floats = NDArray[np.float64]
Number = float | Floats
ACTIVATION_BYTE = 2.0
"""bf16, between layers and over the links."""
DISPATCH_BYTE = 3.0
"""Of a hidden value that goes to an expert (fp8) and comes back (bf16): DeepSeek-V3,
arXiv:2412.19437, section 3.2."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Ideal seconds and counts of one instance. Fields may be arrays of one shape: `terms` takes
    many instances at once so."""

    ranks: Number
    """Attention ranks times pipeline stages: shares of the tokens that run side by side."""
    product_s: Number
    """Arithmetic of all matrix products but the experts and the output layer, per token."""
    read_s: Number
    """Read of all weights but the experts."""
    head_s: Number
    """Arithmetic of the output layer, per sequence."""
    expert_s: Number
    """Arithmetic of the routed experts, per token of the instance."""
    expert_read_s: Number
    """Read of all routed experts."""
    idle: Number
    """Share of the experts that one token does not visit."""
    visits: Number
    """Experts that a token visits in a layer."""
    groups: Number
    """Groups of accelerators among which experts are spread (ep)."""
    activation_s: Number
    """One pass of the hidden vector through memory in every layer, per token."""
    reduces: Number
    """All-reduces of a step, weighted by how far they reach."""
    reduce_token_s: Number
    """Their traffic, per token."""
    exchanges: Number
    """Dispatches and combines of a step, weighted by how far they reach."""
    exchange_token_s: Number
    """Their traffic, per token of the instance."""
    layers: Number
    moe_layers: Number
    mla_layers: Number
    linear_layers: Number
    index_layers: Number
    kv_s: Number
    """Read of KV by decoding sequences, per token of context."""
    latent_s: Number
    """Arithmetic of MLA on the latent, per token of context; 0 for other attention."""
    sequence_kv_s: Number
    """Read that does not grow with the context (windows, states), per sequence."""
    sequence_latent_s: Number
    pair_s: Number
    """Attention of prompts, per pair of tokens."""
    prompt_s: Number
    """The same where it does not grow with the context, per token."""
    dequantised: Number
    """1 where weights are fewer bits than what products run in, which is bf16; else 0."""
    draft: Number = 0.0
    """Tokens that speculative decoding proposes per sequence and step."""


def work(
    arch: Architecture,
    chip: Chip,
    layout: Layout,
    *,
    precision: str,
    weight_byte: float,
    kv_byte: float,
    draft: int = 0,
) -> Work:
    """See `Work`; `precision` is that of the matrix products.

    Raises:
        InputError: the chip does not offer this precision, or bf16.
    """
    count = parameters(arch)
    tp, accelerators = layout.tp, layout.tp * layout.dp
    ranks = layout.dp * layout.pp
    bf16, rate, memory = (
        chip.peak_flops("bf16"),
        chip.peak_flops(precision),
        chip.memory_bytes_per_s,
    )
    attention_byte, mlp_byte = dense_bytes(arch, weight_byte)
    attention_rate = bf16 if attention_byte > weight_byte else rate

    shared = arch.moe_layers * shared_parameters(arch)
    experts = arch.moe_layers * arch.experts_active * expert_parameters(arch)
    state = linear_flops_per_token(arch, lm_head=False) - 2.0 * (
        count.attention + count.mlp + count.router + experts
    )
    products = 2.0 * (count.attention + count.router) / attention_rate + 2.0 * count.mlp / rate
    products += max(state, 0.0) / bf16
    read = (count.attention + count.norms) * attention_byte + (count.mlp - shared) * mlp_byte
    read += (shared * mlp_byte) + count.router * 2.0 + arch.vocab * arch.hidden * 2.0

    # a window, or the best tokens of sparse attention: a cost per sequence, not per context
    start = float(max(arch.window if arch.window_layers else 0, arch.topk))
    kv, kv_fixed = _line(lambda x: kv_read_bytes(arch, x, kv_byte), start)
    pairs, pairs_fixed = _line(lambda x: attention_flops_per_token(arch, x), start)
    latent, latent_fixed = _line(lambda x: attention_flops_per_token(arch, x, absorbed=True), start)
    mla = arch.attention == "mla"
    kv_rate = memory * kv_shards(arch, tp) * ranks
    states = state_bytes(arch)
    attention = bf16 * tp * ranks
    local, link = min(tp, chip.scaleup_size), chip.scaleup_bytes_per_s
    return Work(
        ranks=ranks,
        product_s=products / tp,
        read_s=read / tp / memory,
        head_s=2.0 * arch.vocab * arch.hidden / bf16 / tp / ranks,
        expert_s=2.0 * experts / rate / accelerators / layout.pp,
        expert_read_s=count.experts * weight_byte / accelerators / memory,
        idle=1.0 - arch.experts_active / arch.experts if arch.experts else 0.0,
        visits=arch.experts_active,
        groups=layout.ep,
        activation_s=arch.layers * arch.hidden * ACTIVATION_BYTE / memory,
        reduces=2.0 * arch.layers * _reach(tp, chip) if tp > 1 else 0.0,
        reduce_token_s=2.0 * arch.layers * arch.hidden * ACTIVATION_BYTE
        * float(
            hierarchical_all_reduce_s(
                1.0, local, tp / local, link, chip.scaleout_bytes_per_s or link, 0.0, 0.0
            )
            if tp > local
            else all_reduce_s(1.0, tp, link, 0.0)
        ),
        exchanges=2.0 * arch.moe_layers * _reach(accelerators, chip) if layout.dp > 1 else 0.0,
        exchange_token_s=_exchange_s(arch, chip, layout) / layout.pp,
        layers=arch.layers,
        moe_layers=arch.moe_layers,
        mla_layers=arch.attention_layers if mla else 0,
        linear_layers=arch.linear_layers,
        index_layers=arch.attention_layers if arch.topk else 0,
        kv_s=kv / kv_rate,
        latent_s=latent / attention if mla else 0.0,
        # a state is split over all of tp by its heads, however few heads keys and values have
        sequence_kv_s=(kv_fixed - 2.0 * states) / kv_rate + 2.0 * states / (memory * tp * ranks),
        sequence_latent_s=latent_fixed / attention if mla else 0.0,
        pair_s=pairs / attention,
        prompt_s=pairs_fixed / attention,
        dequantised=float(precision == "bf16" and weight_byte < 2.0),
        draft=float(draft),
    )  # fmt: skip


def terms(asked: Work, tokens: Floats, c: Coefficients) -> dict[str, Floats]:
    """[tokens] seconds of every term of a step's time that depends on its tokens alone."""
    per_rank = tokens / asked.ranks
    penalty = np.where(asked.dequantised, c.dequantise_factor, 1.0)
    drafts = 1.0 + asked.draft / np.maximum(asked.layers, 1.0)  # a draft is a layer and the head
    overhead = (
        asked.layers * c.layer_s
        + asked.moe_layers * c.moe_layer_s
        + asked.mla_layers * c.mla_layer_s
        + asked.linear_layers * c.linear_layer_s
        + asked.index_layers * c.index_layer_s
    )
    idle = np.where(asked.visits, np.power(asked.idle, tokens * c.routing_evenness), 1.0)
    experts = _blend(
        tokens * asked.expert_s * busiest(asked, tokens, c) * penalty
        / c.expert_compute_efficiency,
        (1.0 - idle) * asked.expert_read_s * penalty / c.expert_weight_efficiency,
        c.expert_blend,
    )  # fmt: skip
    products = _blend(
        per_rank * asked.product_s / c.compute_efficiency,
        asked.read_s / c.weight_efficiency + 0.0 * tokens,
        c.blend,
    )
    some = np.where(tokens > 0, drafts, 0.0)
    return {
        "products": products * some,
        "experts": experts * some,
        "activations": per_rank * asked.activation_s * c.activation_passes * some,
        "reduce": (
            asked.reduces * c.allreduce_s + per_rank * asked.reduce_token_s / c.link_efficiency
        )
        * some,
        "exchange": (
            asked.exchanges * c.exchange_s + tokens * asked.exchange_token_s / c.link_efficiency
        )
        * some,
        "overhead": overhead * (1.0 + 0.0 * tokens) * some,
        "host": c.step_s * np.where(tokens > 0, 1.0, 0.0),
    }


def busiest(asked: Work, tokens: Floats, c: Coefficients) -> Floats:
    """[tokens] load of the busiest group of experts over the mean: m k visits spread over G groups
    at random exceed their mean m k / G by sqrt(2 ln G * m k / G) in the largest of G groups."""
    groups = np.maximum(asked.groups, 1.0)
    visits = np.maximum(tokens * asked.visits, 1.0)
    excess = np.sqrt(2.0 * np.log(groups) * groups / visits)
    return np.minimum(1.0 + c.imbalance * excess, groups)


def kv_shards(arch: Architecture, tp: int) -> int:
    """Over how many of `tp` accelerators one token's KV is spread.

    KV heads are split, and copied once there are more accelerators than heads. The latent of MLA
    has no heads: every accelerator keeps a copy.
    """
    return 1 if arch.attention == "mla" else min(tp, arch.kv_heads)


def dense_bytes(arch: Architecture, weight_byte: float) -> tuple[float, float]:
    """Bytes per weight of attention, and of dense MLPs and shared experts."""
    return (2.0 if arch.experts and weight_byte < 1.0 else weight_byte), weight_byte


def _exchange_s(arch: Architecture, chip: Chip, layout: Layout) -> float:
    """Dispatch and combine of one token of the instance, all layers."""
    if layout.dp == 1 or not arch.experts:
        return 0.0
    accelerators = layout.tp * layout.dp
    remote = max(0.0, 1.0 - chip.scaleup_size / accelerators)
    link = chip.scaleup_bytes_per_s
    per_byte = (1.0 - remote) / link + remote / (chip.scaleout_bytes_per_s or link)
    if layout.ep > 1:  # copies go to the groups of the experts that are visited
        copies = min(arch.experts_active, layout.ep) * (layout.ep - 1) / layout.ep
        sent = copies * DISPATCH_BYTE / layout.dp
    else:  # every rank gathers the tokens of all, and adds up its part of every expert
        sent = 2.0 * ACTIVATION_BYTE * (layout.dp - 1) / layout.dp
    return arch.moe_layers * arch.hidden * sent * per_byte


def _reach(size: int, chip: Chip) -> float:
    """Weight of a collective's latency: 1 inside a scale-up domain, 3 across (in, between, out)."""
    return 1.0 if size <= chip.scaleup_size else 3.0


def _blend(one: Floats, other: Floats, power: Number) -> Floats:
    """Between the sum (power 1) and the larger (power endless) of two times."""
    largest = np.maximum(np.maximum(one, other), 1e-30)
    parts = (one / largest) ** power + (other / largest) ** power
    return np.asarray(largest * parts ** (1.0 / np.asarray(power)))


def _line(function: Callable[[float], float], start: float) -> tuple[float, float]:
    """Slope beyond `start`, and what is left at 0."""
    slope = function(start + 1.0) - function(start)
    return slope, function(start) - slope * start
