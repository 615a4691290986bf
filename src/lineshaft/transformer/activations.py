"""Activation memory of one layer in training, counted tensor by tensor.

Korthikanti et al. (arXiv:2205.05198, section 4): two bytes per value, one per dropout mask, small
buffers (softmax statistics, norm statistics) left out. For a GPT layer with dropout this gives
their 34 + 5as/h, (10 + 24/t + 5as/(ht)) with tensor parallelism, and (34 + 5as/h)/t with sequence
parallelism. GQA, gated MLPs, MLA and experts are counted from their own tensors.
"""

from __future__ import annotations

from lineshaft.transformer.architecture import Architecture
from lineshaft.transformer.collectives import Num


def replicated_bytes_per_token(arch: Architecture, *, dropout: bool) -> float:
    """Bytes per token and layer that plain tensor parallelism does not split.

    Inputs of two norms, of attention and of the MLP, and two dropout masks.
    """
    return (8.0 + (2.0 if dropout else 0.0)) * arch.hidden


def attention_bytes_per_token(arch: Architecture) -> float:
    """Bytes per token and layer of queries, keys, values and the attention output."""
    if arch.attention == "mla":
        latent = 2.0 * (arch.q_rank + arch.kv_rank + arch.rope_dim)
        key = arch.nope_dim + arch.rope_dim
        return latent + 2.0 * arch.heads * (2 * key + 2 * arch.v_dim)
    return 2.0 * arch.head_dim * (2 * arch.heads + 2 * arch.kv_heads)


def score_bytes_per_token(arch: Architecture, sequence: float, *, dropout: bool = True) -> float:
    """Bytes per token and layer of the score matrix when attention is not fused.

    Softmax output (2), and with dropout its mask (1) and its output (2).
    """
    return (5.0 if dropout else 2.0) * arch.heads * sequence


def mlp_bytes_per_token(arch: Architecture) -> float:
    """Bytes per token of one dense MLP: each first product, and the input of the last."""
    return 2.0 * arch.mlp_matrices * arch.ffn


def moe_bytes_per_token(arch: Architecture) -> float:
    """Bytes per token of one mixture-of-experts layer: tokens sent to experts, their MLPs,
    their outputs before they are combined, and the shared experts."""
    k = arch.experts_active
    routed = k * (4.0 * arch.hidden + 2.0 * arch.mlp_matrices * arch.expert_ffn)
    return routed + arch.shared_experts * 2.0 * arch.mlp_matrices * arch.expert_ffn


def activation_bytes_per_layer(
    arch: Architecture,
    tokens: Num,
    *,
    sequence: float,
    tp: Num = 1.0,
    sequence_parallel: bool = True,
    fused_attention: bool = True,
    dropout: bool = False,
    moe: bool = False,
) -> Num:
    """Bytes that one layer keeps for the backward pass of a micro-batch of `tokens` tokens.

    Without recompute, or with selective recompute when `fused_attention` is set (both keep no
    scores). Full recompute keeps `checkpoint_bytes_per_layer` instead.
    """
    replicated = replicated_bytes_per_token(arch, dropout=dropout)
    split = attention_bytes_per_token(arch)
    if not fused_attention:
        split += score_bytes_per_token(arch, sequence, dropout=dropout)
    if not moe:
        split += mlp_bytes_per_token(arch)
    # routed tokens are spread over the tensor-parallel ranks, so 1/tp holds for them too
    if moe:
        split += moe_bytes_per_token(arch)
    shared_by = tp if sequence_parallel else 1.0
    return tokens * (replicated / shared_by + split / tp)


def checkpoint_bytes_per_layer(arch: Architecture, tokens: Num) -> Num:
    """Bytes kept per layer with full recompute: the layer's input, two bytes a value."""
    return 2.0 * arch.hidden * tokens
