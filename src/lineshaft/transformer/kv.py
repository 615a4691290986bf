"""Bytes of the key-value cache."""

from __future__ import annotations

from lineshaft.transformer.architecture import Architecture
from lineshaft.transformer.flops import attended_tokens


def kv_values_per_token_layer(arch: Architecture) -> int:
    """Values that one token leaves in one layer's cache.

    MLA keeps the compressed latent and the shared rotary key (DeepSeek-V2, arXiv:2405.04434);
    the others keep a key and a value per KV head.
    """
    if arch.attention == "mla":
        return arch.kv_rank + arch.rope_dim
    return 2 * arch.kv_heads * arch.head_dim


def kv_bytes_per_token(arch: Architecture, bytes_per_value: float) -> float:
    """Bytes that one token adds to the cache, all layers, as if no layer had a window."""
    values = arch.attention_layers * kv_values_per_token_layer(arch)
    return values * bytes_per_value + index_bytes_per_token(arch)


def kv_bytes(arch: Architecture, context: float, bytes_per_value: float) -> float:
    """Bytes of one sequence's cache at `context` tokens: windowed layers keep their window, linear
    layers a state of fixed size (`state_bytes`), sparse attention its indexer's keys as well."""
    tokens = (arch.attention_layers - arch.window_layers) * context
    tokens += arch.window_layers * min(context, arch.window)
    cache = tokens * kv_values_per_token_layer(arch) * bytes_per_value
    return cache + index_bytes_per_token(arch) * context + state_bytes(arch)


def kv_read_bytes(arch: Architecture, context: float, bytes_per_value: float) -> float:
    """Bytes that one decoding token at `context` tokens reads and writes of its sequence's cache.

    As `kv_bytes`, but sparse attention reads `topk` tokens and its indexer's keys of all, and the
    state of linear layers is read and written.
    """
    values = attended_tokens(arch, context) * kv_values_per_token_layer(arch)
    index = index_bytes_per_token(arch) * context
    return values * bytes_per_value + index + 2.0 * state_bytes(arch)


def index_bytes_per_token(arch: Architecture) -> float:
    """Bytes of the indexer's key of one token, all layers: fp8 and a scale of 4 bytes for 128
    values (github.com/deepseek-ai/DeepSeek-V3.2-Exp), whatever the cache's own width."""
    return arch.attention_layers * arch.index_dim * (1.0 + 4.0 / 128.0)


def state_bytes(arch: Architecture) -> float:
    """Bytes of one sequence's state in all linear layers: the state itself in fp32, as published
    configurations ask (`mamba_ssm_dtype`), and 3 past inputs of the convolution in bf16."""
    inner, keys = arch.linear_heads * arch.linear_head_dim, arch.linear_groups * arch.linear_state
    return arch.linear_layers * (4.0 * inner * arch.linear_state + 6.0 * (inner + 2 * keys))
