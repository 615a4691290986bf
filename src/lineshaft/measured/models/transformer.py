"""Counts of a transformer: parameters, FLOPs, bytes."""

from __future__ import annotations

from lineshaft import transformer
from lineshaft.measured.models.train_sets import gpt
from lineshaft.parameters.hardware import architecture
from lineshaft.transformer.activations import activation_bytes_per_layer


def total_parameters(*, model: str) -> float:
    """Parameters of the catalog's model."""
    return transformer.parameters(architecture(model)).total


def active_parameters(*, model: str, embedding: bool = True) -> float:
    """Parameters that one token uses, with or without the input embedding."""
    count = transformer.parameters(architecture(model))
    return count.active - (0 if embedding else count.embedding)


def kv_bytes_per_token(*, model: str, bytes_per_value: float) -> float:
    """Bytes that one token adds to the key-value cache."""
    return transformer.kv_bytes_per_token(architecture(model), bytes_per_value)


def training_flops_per_token(
    *, model: str, sequence: int, causal: bool = True, mtp: bool = True
) -> float:
    """Model FLOPs of one trained token."""
    return transformer.training_flops_per_token(
        architecture(model), sequence, causal=causal, mtp=mtp
    )


def training_flops(*, model: str, sequence: int, tokens: float, causal: bool = True) -> float:
    """Model FLOPs of a whole training run."""
    return tokens * training_flops_per_token(model=model, sequence=sequence, causal=causal)


def scores_share_of_activations(*, hidden: int, heads: int, sequence: int) -> float:
    """Share of a GPT layer's activation bytes that recomputing the attention core saves."""
    arch = gpt(hidden, 1, heads, 51200)

    def kept(fused: bool) -> float:
        return float(
            activation_bytes_per_layer(
                arch, 1.0, sequence=sequence, fused_attention=fused, dropout=True
            )
        )

    return 1.0 - kept(True) / kept(False)
