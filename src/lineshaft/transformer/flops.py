"""FLOPs per token: matrix products and attention, forward and training.

A multiply-add counts as two FLOPs. Norms, activations, softmax and rotary embeddings are left
out, as in Korthikanti et al. (arXiv:2205.05198, appendix A) and Megatron-LM's ``training.py``.
"""

from __future__ import annotations

from lineshaft.transformer.architecture import Architecture
from lineshaft.transformer.counts import (
    attention_parameters,
    expert_parameters,
    parameters,
    shared_parameters,
)


def linear_flops_per_token(arch: Architecture, *, lm_head: bool = True) -> float:
    """Forward FLOPs per token in weight matrices (attention scores excluded).

    The output head is included unless `lm_head` is false; the input embedding never is.
    """
    count = parameters(arch)
    weights = count.attention + count.mlp + count.router
    weights += arch.moe_layers * arch.experts_active * expert_parameters(arch)
    if lm_head:
        weights += arch.vocab * arch.hidden
    return 2.0 * weights + arch.linear_layers * linear_state_flops(arch)


def linear_state_flops(arch: Architecture) -> float:
    """FLOPs per token on the state of one linear layer: write and read (Mamba-2), and before them
    a read of what the key already holds (gated delta network). The recurrent form is counted; the
    chunked one of prompts does more, on matrix units."""
    state = arch.linear_heads * arch.linear_head_dim * arch.linear_state
    return (6.0 if arch.linear == "delta" else 4.0) * state


def attention_flops_per_token(
    arch: Architecture, context: float, *, absorbed: bool = False
) -> float:
    """Forward FLOPs of one token's scores and weighted sum over `context` tokens, all layers.

    Give the mean context: s for the last token of s, s/2 for the mean over a causal prefill of s.
    Layers with a window attend to at most `window` tokens, sparse attention to `topk`, found by
    an indexer over all of them; linear layers to none. `absorbed` is the decode form of MLA,
    which works on the latent (kv_rank + rope_dim) instead of on per-head keys and values
    (DeepSeek-V2, arXiv:2405.04434, section 2.1).
    """
    index = arch.attention_layers * arch.index_heads * arch.index_dim * context
    work = arch.heads * attention_width(arch, absorbed=absorbed) * attended_tokens(arch, context)
    return 2.0 * (work + index)


def attended_tokens(arch: Architecture, context: float) -> float:
    """Tokens that one token at `context` attends to, summed over the layers."""
    full = min(context, arch.topk) if arch.topk else context
    windowed = arch.window_layers * min(context, arch.window)
    return (arch.attention_layers - arch.window_layers) * full + windowed


def attention_width(arch: Architecture, *, absorbed: bool = False) -> int:
    """Width of key plus value that one head works on per attended token."""
    if arch.attention != "mla":
        return 2 * arch.head_dim
    if absorbed:
        return 2 * arch.kv_rank + arch.rope_dim
    return arch.nope_dim + arch.rope_dim + arch.v_dim


def forward_flops(
    arch: Architecture,
    tokens: float,
    context: float,
    *,
    head_tokens: float | None = None,
    absorbed: bool = False,
) -> float:
    """FLOPs of one forward pass over `tokens` tokens whose mean context is `context`.

    `head_tokens` is how many of them go through the output head: all by default (training), one
    per sequence in a prefill.
    """
    per_token = linear_flops_per_token(arch, lm_head=False)
    per_token += attention_flops_per_token(arch, context, absorbed=absorbed)
    head = tokens if head_tokens is None else head_tokens
    return tokens * per_token + head * 2.0 * arch.vocab * arch.hidden


def mean_context(sequence: float, *, causal: bool, window: int = 0) -> float:
    """Mean tokens attended over a sequence: s (full), s/2 (causal), less with a window.

    Causal counts exactly half of the square, the convention of Megatron-LM, without the diagonal.
    """
    if not causal:
        return sequence
    if window and window < sequence:
        return window - 0.5 * window * window / sequence
    return 0.5 * sequence


def training_flops_per_token(
    arch: Architecture, sequence: float, *, causal: bool = True, mtp: bool = True
) -> float:
    """Model FLOPs per trained token: forward and twice that backward, no recompute.

    `causal` counts half of the attention square (Megatron-LM, NVIDIA's figures since 2024), else
    all of it (PaLM, SC21, llm-foundry). `mtp` adds the multi-token-prediction modules, each a
    layer, a join and a pass through the head.
    """
    full = mean_context(sequence, causal=causal)
    windowed = mean_context(sequence, causal=causal, window=arch.window)
    attended = (arch.attention_layers - arch.window_layers) * full + arch.window_layers * windowed
    per_layer = 2.0 * arch.heads * attention_width(arch)
    forward = linear_flops_per_token(arch) + per_layer * attended
    if mtp and arch.mtp_layers:
        active = attention_parameters(arch) + 2 * arch.hidden**2 + arch.vocab * arch.hidden
        if arch.experts:
            active += arch.hidden * arch.experts
            active += arch.experts_active * expert_parameters(arch) + shared_parameters(arch)
        else:
            active += arch.mlp_matrices * arch.hidden * arch.ffn
        forward += arch.mtp_layers * (2.0 * active + per_layer * full)
    return 3.0 * forward
