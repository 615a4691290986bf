"""`Software`: what the training framework does, as far as it changes time or memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Software:
    """Features of the training framework."""

    fused_attention: bool = True
    """FlashAttention or its like: scores stay on the chip, causal work is halved."""
    sequence_parallel: bool = True
    """Norms and residuals are split over the tensor-parallel ranks (Korthikanti et al.)."""
    overlap_gradients: bool = True
    """Gradients are reduced during the backward pass, weights gathered during the forward."""
    overlap_pipeline: bool = True
    """Sends between stages run beside the next micro-batch."""
    dropout: bool = False
    gradient_bytes: float = 4.0
    """Bytes per gradient value kept."""
    reduced_bytes: float = 4.0
    """Bytes per gradient value sent in the reduction."""
    kernels_per_layer: float = 12.0
    """Forward kernels per layer beside the matrix products."""
    elementwise: float = 1.0
    """Memory traffic outside matrix products, as a multiple of well fused kernels' traffic."""
    attention: float = 1.0
    """Speed of the fused attention kernel, as a multiple of the generation's best."""


MODERN = Software()
"""Megatron-Core, NeMo, torchtitan, 2024 and later."""

FSDP = Software(reduced_bytes=2.0, overlap_pipeline=False, elementwise=2.0, attention=0.6)
"""PyTorch FSDP with bf16 reduction; `elementwise` and `attention` chosen on llm-foundry's rows,
whose kernels are eager and whose fused attention is of the first generation."""

MEGATRON_2021 = Software(
    fused_attention=False,
    sequence_parallel=False,
    overlap_gradients=False,
    overlap_pipeline=False,
    dropout=True,
    reduced_bytes=2.0,
    kernels_per_layer=24.0,
)
"""Megatron-LM as of SC21: scores in memory, plain tensor parallelism, reductions at the end."""

MEGATRON_2022 = Software(
    fused_attention=False,
    sequence_parallel=True,
    overlap_gradients=False,
    overlap_pipeline=False,
    dropout=True,
    reduced_bytes=2.0,
    kernels_per_layer=24.0,
)
"""Megatron-LM of Korthikanti et al.: the same with sequence parallelism."""
