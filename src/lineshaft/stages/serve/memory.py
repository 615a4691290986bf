"""How much of an engine instance's memory is left for the KV cache."""

from __future__ import annotations

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.steptime import kv_shards
from lineshaft.transformer import Architecture, Chip, kv_bytes, weight_bytes

RESERVE_BYTES = 1.0e9
"""Runtime, graphs and workspace per accelerator. With it the KV cache of Llama-3.1-8B in bf16 on
an RTX 4090 comes out within 3 % of the 41,408 tokens that vLLM 0.19.0 reports
(github.com/casys-kaist/LLMServingSim, bench)."""


def kv_capacity_tokens(
    arch: Architecture,
    chip: Chip,
    *,
    tp: int,
    weight_byte: float,
    kv_byte: float,
    max_num_batched_tokens: int,
    mean_context: float,
    memory_utilisation: float = 0.9,
) -> float:
    """Tokens that the KV cache of one instance holds; below zero if the weights do not fit.

    Memory times `memory_utilisation`, less the weights, the activations of the largest step (four
    hidden vectors and the two halves of the gated MLP per token, bf16) and `RESERVE_BYTES`. Layers
    with a window keep that window only, taken at `mean_context` tokens a sequence.
    """
    mlp = max(arch.ffn, arch.expert_ffn * (arch.experts_active + arch.shared_experts))
    activations = max_num_batched_tokens * (4 * arch.hidden + 2 * mlp / tp) * 2.0
    free = chip.memory_bytes * memory_utilisation - RESERVE_BYTES - activations
    free -= weight_bytes(arch, weight_byte) / tp
    per_token = kv_bytes(arch, mean_context, kv_byte) / mean_context
    return free * kv_shards(arch, tp) / per_token


def check_fits(
    arch: Architecture,
    chip: Chip,
    *,
    tp: int,
    weight_byte: float,
    kv_byte: float,
    max_num_batched_tokens: int,
    mean_context: float,
    longest: int,
    memory_utilisation: float,
) -> float:
    """The KV capacity in tokens, if it holds the longest request.

    Raises:
        InputError: it does not; says what is needed, what is there and which `tp` would do.
    """

    def capacity(size: int) -> float:
        return kv_capacity_tokens(
            arch,
            chip,
            tp=size,
            weight_byte=weight_byte,
            kv_byte=kv_byte,
            max_num_batched_tokens=max_num_batched_tokens,
            mean_context=mean_context,
            memory_utilisation=memory_utilisation,
        )

    tokens = capacity(tp)
    if tokens >= longest + 16:
        return tokens
    weights = weight_bytes(arch, weight_byte) / tp / 1e9
    request = kv_bytes(arch, longest, kv_byte) / kv_shards(arch, tp) / 1e9
    sizes = [1 << power for power in range(12) if 1 << power <= chip.scaleup_size]
    enough = next((size for size in sizes if size > tp and capacity(size) >= longest + 16), None)
    raise InputError(
        Problem(
            where="",
            key="serve.tp",
            found=(
                f"{arch.name} does not fit on {tp} x {chip.name}: each needs {weights:.1f} GB for "
                f"weights and {request:.1f} GB for the KV cache of the longest request "
                f"({longest:,} tokens), and has {chip.memory_bytes / 1e9:.0f} GB, of which "
                f"{memory_utilisation:.0%} may be used"
            ),
            allowed=f"tp from {enough}" if enough else f"no tp up to {chip.scaleup_size} fits",
            fix=(
                f"set tp = {enough}"
                if enough
                else "take fewer bytes per weight, shorter requests or more memory"
            ),
        )
    )
