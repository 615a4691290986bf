"""Bytes on the fullest accelerator: state, activations, logits.

State: 2 bytes of weights, the gradient's bytes, and 12 of master weights and Adam moments per
parameter; zero 1 divides the 12, zero 3 everything, by the data-parallel size (Rajbhandari et
al., arXiv:1910.02054; Megatron-LM ``theoretical_memory_usage.py``). Activations: the first stage
of a 1F1B pipeline holds min(m, p) micro-batches, with interleaving (1 + (p-1)/(pv)) times one
full set (Korthikanti et al., arXiv:2205.05198, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.train.layouts import RECOMPUTE_FULL, RECOMPUTE_SELECTIVE, Layouts
from lineshaft.stages.train.software import Software
from lineshaft.transformer import Architecture, parameters
from lineshaft.transformer.activations import (
    activation_bytes_per_layer,
    checkpoint_bytes_per_layer,
)

Array = NDArray[np.float64]

CONTEXT_BYTES = 3.0e9
"""CUDA context, NCCL buffers, fragmentation. Low confidence: 2 to 5 GB on published logs."""


@dataclass(frozen=True, slots=True)
class Memory:
    """[layout] bytes on the fullest accelerator; `total` is the sum and the context."""

    state: Array
    activations: Array
    logits: Array
    gathered: Array
    """Weights of two blocks, gathered by zero 3."""

    @property
    def total(self) -> Array:
        return self.state + self.activations + self.logits + self.gathered + CONTEXT_BYTES


def layers_per_stage(arch: Architecture, layouts: Layouts) -> Array:
    """[layout] layers on the fullest stage."""
    virtual = layouts.pp * layouts.interleave
    return np.ceil(arch.layers / virtual) * layouts.interleave


def local_parameters(arch: Architecture, layouts: Layouts) -> tuple[Array, Array]:
    """[layout] parameters of one accelerator of the fullest stage: (all but experts, experts)."""
    count = parameters(arch)
    share = layers_per_stage(arch, layouts) / arch.layers
    body = (count.attention + count.mlp + count.router + count.norms) * share / layouts.tp
    ends = np.where(layouts.pp == 1, count.embedding + count.head, count.embedding) / layouts.tp
    return body + ends, count.experts * share / layouts.ep


def memory(
    arch: Architecture,
    layouts: Layouts,
    *,
    sequence: int,
    batch_sequences: int,
    software: Software,
) -> Memory:
    """Memory of every layout. The unit of all parts is bytes per accelerator."""
    dense, experts = local_parameters(arch, layouts)
    group = layouts.dp * layouts.cp
    expert_group = np.maximum(1.0, layouts.tp * group / layouts.ep)
    state = _state(dense, group, layouts.zero, software.gradient_bytes)
    state = state + _state(experts, expert_group, layouts.zero, software.gradient_bytes)
    per_layer = (dense + experts) / layers_per_stage(arch, layouts)
    gathered = np.where(layouts.zero == 3, 2 * (2.0 + 2.0) * per_layer, 0.0)

    tokens = layouts.micro_batch * sequence / layouts.cp
    kept = kept_bytes_per_micro_batch(
        arch, layouts, tokens=tokens, sequence=sequence, software=software
    )
    micro_batches = layouts.micro_batches(batch_sequences)
    extra = 1.0 + (layouts.pp - 1) / (layouts.pp * layouts.interleave)
    in_flight = np.where(
        layouts.interleave > 1, layouts.pp * extra, np.minimum(micro_batches, layouts.pp)
    )
    in_flight = np.minimum(in_flight, micro_batches)
    # fp32 logits of the micro-batch, on the last stage only, where one micro-batch is in flight
    logits = np.where(layouts.pp == 1, 4.0 * tokens * arch.vocab / layouts.tp, 0.0)
    return Memory(state, kept * in_flight, logits, gathered)


def kept_bytes_per_micro_batch(
    arch: Architecture, layouts: Layouts, *, tokens: Array, sequence: int, software: Software
) -> Array:
    """[layout] activation bytes that the fullest stage keeps for one micro-batch."""
    moe_share = arch.moe_layers / arch.layers
    none = np.zeros(len(layouts))
    fused = np.zeros(len(layouts))
    for moe, share in ((False, 1.0 - moe_share), (True, moe_share)):
        if not share:
            continue
        for target, is_fused in ((none, software.fused_attention), (fused, True)):
            target += share * activation_bytes_per_layer(
                arch,
                tokens,
                sequence=sequence,
                tp=layouts.tp,
                sequence_parallel=software.sequence_parallel,
                fused_attention=is_fused,
                dropout=software.dropout,
                moe=moe,
            )
    selective = fused
    if software.fused_attention:
        selective = fused - cheap_bytes(arch, layouts, tokens, software)
    full = checkpoint_bytes_per_layer(arch, tokens)
    layers = layers_per_stage(arch, layouts)
    kept = np.where(layouts.recompute == RECOMPUTE_SELECTIVE, selective, none) * layers
    # full recompute holds the inputs of all layers and one layer under work
    return np.where(layouts.recompute == RECOMPUTE_FULL, full * layers, kept)


def cheap_bytes(arch: Architecture, layouts: Layouts, tokens: Array, software: Software) -> Array:
    """[layout] bytes per layer that selective recompute frees when attention is fused already:
    the outputs of the norms and of the MLP's activation function, which are cheap to redo."""
    width: float = arch.ffn
    if arch.experts:
        moe = (arch.experts_active + arch.shared_experts) * arch.expert_ffn
        width = (arch.moe_layers * moe + arch.dense_layers * arch.ffn) / arch.layers
    norms = 4.0 * arch.hidden / (layouts.tp if software.sequence_parallel else 1.0)
    return tokens * (norms + 2.0 * width / layouts.tp)


def _state(count: Array, group: Array, zero: Array, gradient_bytes: float) -> Array:
    """[layout] bytes of weights, gradients and optimizer of `count` parameters."""
    plain = 2.0 + gradient_bytes
    return count * np.where(
        zero == 3, (plain + 12.0) / group, plain + 12.0 / np.where(zero == 1, group, 1.0)
    )
