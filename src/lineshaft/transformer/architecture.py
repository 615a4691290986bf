"""`Architecture`: the shape of one decoder-only transformer, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lineshaft.errors import InputError, Problem

ATTENTIONS = ("mha", "gqa", "mla")
MLPS = ("gelu2", "swiglu3")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of one decoder-only transformer. Zero stands for "does not have it".

    `ffn` is the width of the dense MLP (0 where every layer is a mixture of experts),
    `expert_ffn` that of one routed or shared expert. The first `dense_layers` layers of a mixture
    of experts carry the dense MLP. `window_layers` layers attend to the last `window` tokens only.
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
    max_context: int = 0

    @property
    def moe_layers(self) -> int:
        """Layers with routed experts."""
        return self.layers - self.dense_layers if self.experts else 0

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
    tied = str(row.get("tied") or "no").strip().lower()
    if mlp not in MLPS:
        wrong("mlp", mlp, " or ".join(MLPS))
    if attention not in ATTENTIONS:
        wrong("attention", attention, ", ".join(ATTENTIONS))
    if tied not in ("yes", "no", "true", "false"):
        wrong("tied", tied, "yes or no")
    if problems:
        raise InputError(problems)

    arch = Architecture(
        name=name, mlp=mlp, attention=attention, tied=tied in ("yes", "true"), **numbers
    )
    if arch.heads % arch.kv_heads:
        wrong("kv_heads", str(arch.kv_heads), f"a divisor of heads ({arch.heads})")
    if attention == "mla" and not (arch.kv_rank and arch.rope_dim and arch.nope_dim and arch.v_dim):
        wrong("attention", "mla without ranks", "kv_rank, rope_dim, nope_dim and v_dim")
    if arch.experts and not (0 < arch.experts_active <= arch.experts and arch.expert_ffn):
        wrong("experts", f"{arch.experts} of which {arch.experts_active} active", "1..experts")
    if not arch.ffn and (not arch.experts or arch.dense_layers):
        wrong("ffn", "nothing", "a whole number above zero where a layer has a dense MLP")
    if arch.dense_layers > arch.layers or arch.window_layers > arch.layers:
        wrong("layers", str(arch.layers), "at least dense_layers and window_layers")
    if problems:
        raise InputError(problems)
    return arch
