"""`Architecture`: the shape of one decoder-only transformer, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lineshaft.errors import InputError, Problem

ATTENTIONS = ("mha", "gqa", "mla")
MLPS = ("gelu2", "swiglu3")
LINEARS = ("delta", "mamba2")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of one decoder-only transformer. Zero stands for "does not have it".

    `ffn` is the width of the dense MLP (0 where every layer is a mixture of experts),
    `expert_ffn` that of one routed or shared expert. The first `dense_layers` layers of a mixture
    of experts carry the dense MLP. `window_layers` layers attend to the last `window` tokens only.

    Hybrid models have `linear_layers` layers (among `layers`) that keep a state of fixed size in
    place of keys and values: gated delta networks (arXiv:2412.06464) and Mamba-2
    (arXiv:2405.21060). Sparse attention (`topk`) has an indexer in every layer that attends: it
    scores all of the context with `index_heads` heads of `index_dim`, and attention then works on
    the best `topk` tokens (DeepSeek-V3.2, arXiv:2512.02556).
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    mlp: str
    """``gelu2`` (two matrices) or ``swiglu3`` (three matrices)."""
    vocab: int
    tied: bool = False
    """Input and output embeddings are one matrix."""
    attention: str = "gqa"
    """``mha``, ``gqa`` or ``mla`` (multi-head latent attention)."""
    q_rank: int = 0
    kv_rank: int = 0
    rope_dim: int = 0
    nope_dim: int = 0
    v_dim: int = 0
    experts: int = 0
    experts_active: int = 0
    shared_experts: int = 0
    expert_ffn: int = 0
    dense_layers: int = 0
    mtp_layers: int = 0
    """Multi-token-prediction modules: used in training, not counted in the parameters."""
    window: int = 0
    window_layers: int = 0
    linear: str = ""
    """What linear layers are: ``delta`` (gated delta network) or ``mamba2``."""
    linear_layers: int = 0
    linear_heads: int = 0
    """Value heads of a linear layer, each `linear_head_dim` wide."""
    linear_head_dim: int = 0
    linear_groups: int = 0
    """Key heads (delta) or groups (Mamba-2), each `linear_state` wide."""
    linear_state: int = 0
    output_gate: bool = False
    """Attention's output is gated: a second projection as large as that of the queries."""
    bare_layers: int = 0
    """Layers without an MLP."""
    expert_hidden: int = 0
    """Width that routed experts work on, where tokens are first projected down to it."""
    topk: int = 0
    """Tokens that sparse attention attends to, at most."""
    index_heads: int = 0
    index_dim: int = 0
    max_context: int = 0

    @property
    def attention_layers(self) -> int:
        """Layers with attention, and so with keys and values."""
        return self.layers - self.linear_layers

    @property
    def moe_layers(self) -> int:
        """Layers with routed experts."""
        return self.layers - self.dense_layers - self.bare_layers if self.experts else 0

    @property
    def dense_mlps(self) -> int:
        """Layers with a dense MLP."""
        return self.layers - self.bare_layers - self.moe_layers

    @property
    def mlp_matrices(self) -> int:
        """Matrices of one MLP: 3 for a gated unit, else 2."""
        return 3 if self.mlp == "swiglu3" else 2


_INTS = (
    ("layers", True),
    ("hidden", True),
    ("heads", True),
    ("kv_heads", True),
    ("head_dim", True),
    ("ffn", False),
    ("vocab", True),
    ("q_rank", False),
    ("kv_rank", False),
    ("rope_dim", False),
    ("nope_dim", False),
    ("v_dim", False),
    ("experts", False),
    ("experts_active", False),
    ("shared_experts", False),
    ("expert_ffn", False),
    ("dense_layers", False),
    ("mtp_layers", False),
    ("window", False),
    ("window_layers", False),
    ("linear_layers", False),
    ("linear_heads", False),
    ("linear_head_dim", False),
    ("linear_groups", False),
    ("linear_state", False),
    ("bare_layers", False),
    ("expert_hidden", False),
    ("topk", False),
    ("index_heads", False),
    ("index_dim", False),
    ("max_context", False),
)


def from_row(row: Mapping[str, str]) -> Architecture:
    """The architecture that one row of the catalog's ``models.csv`` describes.

    Empty cells mean "does not have it". Other columns of the row are left alone.

    Raises:
        InputError: with every wrong or contradictory cell of the row.
    """
    name = str(row.get("name", "")).strip()
    problems: list[Problem] = []

    def wrong(column: str, found: str, allowed: str) -> None:
        problems.append(Problem(where=f"model {name!r}", key=column, found=found, allowed=allowed))

    numbers: dict[str, int] = {}
    for column, needed in _INTS:
        text = str(row.get(column) or "").strip()
        try:
            number = int(text or "0")
        except ValueError:
            number = -1
        if number < (1 if needed else 0):
            wrong(column, text or "nothing", "a whole number" + (" above zero" if needed else ""))
        numbers[column] = number
    mlp, attention = str(row.get("mlp", "")).strip(), str(row.get("attention", "")).strip()
    linear = str(row.get("linear") or "").strip()
    yes_no = {key: str(row.get(key) or "no").strip().lower() for key in ("tied", "output_gate")}
    if mlp not in MLPS:
        wrong("mlp", mlp, " or ".join(MLPS))
    if attention not in ATTENTIONS:
        wrong("attention", attention, ", ".join(ATTENTIONS))
    if linear not in ("", *LINEARS):
        wrong("linear", linear, ", ".join(LINEARS))
    for column, text in yes_no.items():
        if text not in ("yes", "no", "true", "false"):
            wrong(column, text, "yes or no")
    if problems:
        raise InputError(problems)

    arch = Architecture(
        name=name,
        mlp=mlp,
        attention=attention,
        linear=linear,
        tied=yes_no["tied"] in ("yes", "true"),
        output_gate=yes_no["output_gate"] in ("yes", "true"),
        **numbers,
    )
    layers = arch.layers
    if arch.heads % arch.kv_heads:
        wrong("kv_heads", str(arch.kv_heads), f"a divisor of heads ({arch.heads})")
    if attention == "mla" and not (arch.kv_rank and arch.rope_dim and arch.nope_dim and arch.v_dim):
        wrong("attention", "mla without ranks", "kv_rank, rope_dim, nope_dim and v_dim")
    if arch.experts and not (0 < arch.experts_active <= arch.experts and arch.expert_ffn):
        wrong("experts", f"{arch.experts} of which {arch.experts_active} active", "1..experts")
    if not arch.ffn and arch.dense_mlps:
        wrong("ffn", "nothing", "a whole number above zero where a layer has a dense MLP")
    if max(arch.dense_layers + arch.bare_layers, arch.window_layers + arch.linear_layers) > layers:
        wrong("layers", str(layers), "at least dense + bare layers and window + linear layers")
    state = (arch.linear_heads, arch.linear_head_dim, arch.linear_groups, arch.linear_state)
    if (arch.linear_layers > 0) != bool(linear) or (linear and not all(state)):
        allowed = (
            "linear, linear_layers, linear_heads, linear_head_dim, linear_groups, linear_state"
        )
        wrong("linear_layers", str(arch.linear_layers), f"all of {allowed}, or none")
    if (arch.topk > 0) != bool(arch.index_heads and arch.index_dim and arch.q_rank):
        wrong("topk", str(arch.topk), "all of topk, index_heads, index_dim and q_rank, or no topk")
    if problems:
        raise InputError(problems)
    return arch
