"""Bytes of the key-value cache."""

from __future__ import annotations

from lineshaft.transformer.architecture import Architecture


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
    return arch.layers * kv_values_per_token_layer(arch) * bytes_per_value


def kv_bytes(arch: Architecture, context: float, bytes_per_value: float) -> float:
    """Bytes of one sequence's cache at `context` tokens; windowed layers keep their window."""
    tokens = (arch.layers - arch.window_layers) * context
    tokens += arch.window_layers * min(context, arch.window)
    return tokens * kv_values_per_token_layer(arch) * bytes_per_value
