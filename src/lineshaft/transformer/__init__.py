"""Transformer arithmetic shared by train and serve: plain functions of plain numbers.

    architecture.py  Architecture, from_row
    chip.py          Chip
    counts.py        parameters, bytes of weights, experts that a batch visits
    flops.py         FLOPs per token, forward and training
    kv.py            bytes of the key-value cache

Sources: Korthikanti et al. (arXiv:2205.05198), Narayanan et al. (SC21, arXiv:2104.04473),
DeepSeek-V2 and V3 (arXiv:2405.04434, arXiv:2412.19437), Megatron-LM's ``training.py``.
"""

from lineshaft.transformer.architecture import Architecture, from_row
from lineshaft.transformer.chip import Chip
from lineshaft.transformer.counts import (
    Parameters,
    attention_parameters,
    expert_parameters,
    experts_hit,
    parameters,
    shared_parameters,
    weight_bytes,
    weight_bytes_touched,
)
from lineshaft.transformer.flops import (
    attention_flops_per_token,
    forward_flops,
    linear_flops_per_token,
    mean_context,
    training_flops_per_token,
)
from lineshaft.transformer.kv import kv_bytes, kv_bytes_per_token, kv_read_bytes, state_bytes

__all__ = [
    "Architecture",
    "Chip",
    "Parameters",
    "attention_flops_per_token",
    "attention_parameters",
    "expert_parameters",
    "experts_hit",
    "forward_flops",
    "from_row",
    "kv_bytes",
    "kv_bytes_per_token",
    "kv_read_bytes",
    "linear_flops_per_token",
    "mean_context",
    "parameters",
    "shared_parameters",
    "state_bytes",
    "training_flops_per_token",
    "weight_bytes",
    "weight_bytes_touched",
]
