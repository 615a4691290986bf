"""Terms of a step's time that train and serve share: matrix products, attention, memory traffic.

A matrix product takes the longer of its arithmetic and its memory traffic (Williams, Waterman and
Patterson, "Roofline", 2009). The share of the peak that the arithmetic reaches rises smoothly and
saturates in all three sides, which stands for tile and wave quantisation on average:

    efficiency(M, N, K) = best / ((1 + half/M) (1 + half/N) (1 + half/K))

`best` and `half` are fitted per accelerator generation and precision by the stage that uses them.
All sizes may be floats or arrays of one shape.
"""

from __future__ import annotations

import numpy as np

from lineshaft.transformer.architecture import Architecture
from lineshaft.transformer.collectives import Num


def gemm_efficiency(m: Num, n: Num, k: Num, best: Num, half: Num) -> Num:
    """Share of the peak that an (m, k) x (k, n) product reaches when arithmetic binds."""
    return best / ((1.0 + half / m) * (1.0 + half / n) * (1.0 + half / k))


def gemm_s(
    m: Num,
    n: Num,
    k: Num,
    *,
    peak_flops: float,
    best: Num,
    half: Num,
    bytes_per_value: float,
    memory_bytes_per_s: Num,
) -> Num:
    """Seconds of one (m, k) x (k, n) product: the longer of arithmetic and memory traffic."""
    compute = 2.0 * m * n * k / (peak_flops * gemm_efficiency(m, n, k, best, half))
    traffic = bytes_per_value * (m * k + k * n + m * n) / memory_bytes_per_s
    return np.maximum(compute, traffic)[()]


def layer_gemms(
    arch: Architecture, tokens: Num, *, tp: Num = 1.0, ep: Num = 1.0, moe: bool = False
) -> tuple[tuple[Num, Num, Num, Num], ...]:
    """Forward matrix products of one layer with attention on one accelerator, as (m, n, k, how
    many). Indexers of sparse attention are left out.

    `tokens` are the tokens that one accelerator's tensor-parallel group works on. Attention and
    dense MLPs are split over `tp`. Each routed expert is whole on one accelerator; `ep`
    accelerators share the experts, and each sends 1/tp of the tokens.
    """
    h, a = arch.hidden, arch.heads
    gemms: list[tuple[Num, Num, Num, Num]] = []
    if arch.attention == "mla":
        q_out = a * (arch.nope_dim + arch.rope_dim) / tp
        if arch.q_rank:
            gemms += [(tokens, float(arch.q_rank), float(h), 1.0)]
            gemms += [(tokens, q_out, float(arch.q_rank), 1.0)]
        else:
            gemms += [(tokens, q_out, float(h), 1.0)]
        gemms += [(tokens, float(arch.kv_rank + arch.rope_dim), float(h), 1.0)]
        gemms += [(tokens, a * (arch.nope_dim + arch.v_dim) / tp, float(arch.kv_rank), 1.0)]
        gemms += [(tokens, float(h), a * arch.v_dim / tp, 1.0)]
    else:
        queries = 2 * a if arch.output_gate else a
        gemms += [(tokens, (queries + 2 * arch.kv_heads) * arch.head_dim / tp, float(h), 1.0)]
        gemms += [(tokens, float(h), a * arch.head_dim / tp, 1.0)]
    up = arch.mlp_matrices - 1
    if not moe:
        gemms += [(tokens, up * arch.ffn / tp, float(h), 1.0)]
        gemms += [(tokens, float(h), arch.ffn / tp, 1.0)]
        return tuple(gemms)
    per_expert = tokens / tp * ep * arch.experts_active / arch.experts
    local = arch.experts / ep
    gemms += [(tokens / tp, float(arch.experts), float(h), 1.0)]
    width = float(arch.expert_hidden or h)
    gemms += [(per_expert, float(up * arch.expert_ffn), width, local)]
    gemms += [(per_expert, width, float(arch.expert_ffn), local)]
    if arch.expert_hidden:
        gemms += [(tokens / tp, width, float(h), 1.0), (tokens / tp, float(h), width, 1.0)]
    if arch.shared_experts:
        shared = arch.shared_experts * arch.expert_ffn
        gemms += [(tokens, up * shared / tp, float(h), 1.0), (tokens, float(h), shared / tp, 1.0)]
    return tuple(gemms)


def elementwise_bytes_per_token(
    arch: Architecture, *, dropout: bool = False, moe: bool = False
) -> tuple[float, float]:
    """Forward memory traffic per token and layer outside matrix products, two bytes a value.

    Returns (replicated, split): the first is not divided by plain tensor parallelism. Replicated:
    two norms (read, write) and two residual additions (two reads, one write, with dropout one
    byte of mask). Split: rotary embedding in place, the MLP's activation (reads each first
    product, writes one result), and for experts the sorting of tokens there and back.
    """
    h = arch.hidden
    replicated = 20.0 * h + (2.0 * h if dropout else 0.0)
    rotary = 4.0 * arch.head_dim * (arch.heads + arch.kv_heads)
    width: float = arch.ffn
    split = rotary
    if moe:
        width = (arch.experts_active + arch.shared_experts) * arch.expert_ffn
        split += 8.0 * arch.experts_active * h
    split += 2.0 * arch.mlp_matrices * width
    return replicated, split
