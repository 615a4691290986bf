"""Parameters and their bytes. Biases are left out; norm weights are counted.

Leaving biases out costs 0.01 % or less on the models in the catalog. Position embeddings (GPT-3:
0.014 %), attention sinks and quantisation scales are left out too.
"""

from __future__ import annotations

from dataclasses import dataclass

from lineshaft.transformer.architecture import Architecture


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameter counts of one model; `total` is the sum of the parts, without `mtp`."""

    total: int
    active: int
    """Used by one token: all but the routed experts that it does not visit. With embeddings."""
    embedding: int
    """Input embedding; a look-up, no matrix product."""
    head: int
    """Output embedding; 0 where it is tied to the input embedding."""
    attention: int
    """Attention with its indexers, and the mixers of linear layers."""
    mlp: int
    """Dense MLPs, shared experts, projections to and from the routed experts' width."""
    router: int
    experts: int
    """All routed experts of all layers."""
    norms: int
    mtp: int
    """Multi-token-prediction modules, not in `total`."""


def attention_parameters(arch: Architecture) -> int:
    """Weights of one layer's attention matrices (projections in and out)."""
    h, a = arch.hidden, arch.heads
    if arch.attention == "mla":
        q_out = a * (arch.nope_dim + arch.rope_dim)
        q = h * arch.q_rank + arch.q_rank * q_out if arch.q_rank else h * q_out
        kv = h * (arch.kv_rank + arch.rope_dim) + arch.kv_rank * a * (arch.nope_dim + arch.v_dim)
        return q + kv + a * arch.v_dim * h
    return h * arch.head_dim * ((3 if arch.output_gate else 2) * a + 2 * arch.kv_heads)


def linear_parameters(arch: Architecture) -> int:
    """Weights of one linear layer's mixer: projections in and out, and the convolution of 4.

    Per head a delta network projects a decay and a write strength, Mamba-2 a time step.
    """
    inner, keys = arch.linear_heads * arch.linear_head_dim, arch.linear_groups * arch.linear_state
    scalars = (2 if arch.linear == "delta" else 1) * arch.linear_heads
    return arch.hidden * (3 * inner + 2 * keys + scalars) + 4 * (inner + 2 * keys)


def index_parameters(arch: Architecture) -> int:
    """Weights of one layer's indexer (sparse attention): queries, one key, a weight per head."""
    queries = arch.q_rank * arch.index_heads * arch.index_dim
    return queries + arch.hidden * (arch.index_dim + arch.index_heads)


def expert_parameters(arch: Architecture) -> int:
    """Weights of one routed expert of one layer."""
    return arch.mlp_matrices * (arch.expert_hidden or arch.hidden) * arch.expert_ffn


def shared_parameters(arch: Architecture) -> int:
    """Weights of a mixture's layer that every token uses, the router apart: shared experts, and
    the projections to and from the routed experts' width."""
    shared = arch.shared_experts * arch.mlp_matrices * arch.hidden * arch.expert_ffn
    return shared + 2 * arch.hidden * arch.expert_hidden


def parameters(arch: Architecture) -> Parameters:
    """Parameter counts, total and active, and their parts (whole model, all layers)."""
    h = arch.hidden
    dense_mlp = arch.mlp_matrices * h * arch.ffn
    shared = shared_parameters(arch)
    moe = arch.moe_layers
    embedding = arch.vocab * h
    head = 0 if arch.tied else embedding
    attention = arch.attention_layers * (attention_parameters(arch) + index_parameters(arch))
    attention += arch.linear_layers * linear_parameters(arch)
    mlp = arch.dense_mlps * dense_mlp + moe * shared
    router = moe * h * arch.experts
    experts = moe * arch.experts * expert_parameters(arch)
    norms = (2 * arch.layers + 1) * h + arch.attention_layers * (arch.q_rank + arch.kv_rank)
    total = embedding + head + attention + mlp + router + experts + norms
    idle = moe * (arch.experts - arch.experts_active) * expert_parameters(arch)
    one_moe = shared + h * arch.experts + arch.experts * expert_parameters(arch)
    mtp_layer = attention_parameters(arch) + (one_moe if arch.experts else dense_mlp)
    return Parameters(
        total=total,
        active=total - idle,
        embedding=embedding,
        head=head,
        attention=attention,
        mlp=mlp,
        router=router,
        experts=experts,
        norms=norms,
        # an MTP module: join of hidden state and embedding (2h x h), then one layer
        mtp=arch.mtp_layers * (2 * h * h + mtp_layer),
    )


def weight_bytes(arch: Architecture, bytes_per_param: float) -> float:
    """Bytes of all weights; `bytes_per_param` is 2 for bf16, 1 for fp8, 0.53 for 4 bits with
    one 8-bit scale per 32 values (OCP Microscaling)."""
    return parameters(arch).total * bytes_per_param


def experts_hit(experts: int, active: int, tokens: float) -> float:
    """Expected number of distinct experts that a batch of `tokens` visits in one layer.

    ``E * (1 - (1 - k/E)**m)``: every token picks k of E, evenly and independently. Real routers
    are less even, so real batches touch fewer.
    """
    return experts * -_power_minus_one(1.0 - active / experts, tokens) if experts else 0.0


def _power_minus_one(base: float, exponent: float) -> float:
    return float(base**exponent) - 1.0


def weight_bytes_touched(arch: Architecture, bytes_per_param: float, tokens: float) -> float:
    """Bytes of weights that one forward pass over `tokens` tokens reads from memory.

    The input embedding is a look-up and is left out; a tied head is read. Routed experts count
    as far as the batch is expected to visit them (`experts_hit`).
    """
    count = parameters(arch)
    idle = 0.0
    if arch.experts:
        share = experts_hit(arch.experts, arch.experts_active, tokens) / arch.experts
        idle = count.experts * (1.0 - share)
    read = count.total - (0 if arch.tied else count.embedding) - idle
    return read * bytes_per_param
