"""Time of one training step, part by part, for many layouts at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.train.efficiency import Efficiency
from lineshaft.stages.train.layouts import RECOMPUTE_FULL, RECOMPUTE_SELECTIVE, Layouts
from lineshaft.stages.train.memory import layers_per_stage, local_parameters
from lineshaft.stages.train.software import Software
from lineshaft.transformer import Architecture, Chip, mean_context
from lineshaft.transformer.collectives import (
    Num,
    all_reduce_s,
    all_to_all_s,
    hierarchical_all_gather_s,
    hierarchical_all_reduce_s,
    point_to_point_s,
)
from lineshaft.transformer.flops import attention_width
from lineshaft.transformer.steptime import elementwise_bytes_per_token, gemm_s, layer_gemms

Array = NDArray[np.float64]

PARTS = (
    "matrix_products",
    "attention",
    "elementwise",
    "recompute",
    "launch",
    "tensor_parallel",
    "context_parallel",
    "expert_parallel",
    "pipeline_sends",
    "bubble",
    "data_parallel",
    "optimizer",
)
"""The parts of a step's time, in the order of `Step.parts`."""

SCORE_BYTES = 11.0
"""Forward traffic per score when attention is not fused: written by the first product (2), scaled,
masked and normalised in place (2 + 2), dropout with its mask (2 + 2 + 1)... read by the second."""
OPTIMIZER_BYTES = 30.0
"""Adam per parameter: read gradient (4), read and write master (8) and two moments (16), write
bf16 weights (2)."""


@dataclass(frozen=True, slots=True)
class Step:
    """[part, layout] seconds; the parts sum to `total_s`."""

    parts: Array

    @property
    def total_s(self) -> Array:
        total: Array = self.parts.sum(axis=0)
        return total


@dataclass(frozen=True, slots=True)
class _Layer:
    """[layout] seconds of one layer and one micro-batch."""

    forward_gemm: Array
    forward_attention: Array
    backward_attention: Array
    forward_elementwise: Array
    tp_forward: Array
    cp_forward: Array
    ep_forward: Array
    redo_cheap: Array
    launch: Array


@dataclass(frozen=True, slots=True)
class _Net:
    """Rates and latencies that the collectives see."""

    local: float
    remote: float
    local_latency: float
    remote_latency: float
    domain: int

    def split(self, k: Array, stride: Num = 1.0) -> tuple[Array, Array]:
        """Ranks inside and across domains of a group of `k`, neighbours `stride` apart."""
        inside = np.minimum(k, np.maximum(1.0, np.floor(self.domain / stride)))
        return inside, k / inside

    def rates(self) -> tuple[float, float, float, float]:
        return self.local, self.remote, self.local_latency, self.remote_latency


def step_time(
    arch: Architecture,
    chip: Chip,
    layouts: Layouts,
    *,
    precision: str,
    sequence: int,
    batch_sequences: int,
    software: Software,
    efficiency: Efficiency,
) -> Step:
    """Step time of every layout, split into `PARTS`.

    The fullest stage sets the pace of the steady state; a 1F1B pipeline adds (p-1)/(v m) of it
    (Narayanan et al., arXiv:2104.04473). Communication is exposed as far as it does not fit into
    the share of compute that can hide it.
    """
    eff = efficiency
    net = _Net(
        chip.scaleup_bytes_per_s * eff.scaleup,
        chip.scaleout_bytes_per_s * eff.scaleout,
        eff.scaleup_latency_s,
        eff.scaleout_latency_s,
        chip.scaleup_size,
    )
    tokens = layouts.micro_batch * sequence / layouts.cp
    micro_batches = layouts.micro_batches(batch_sequences)
    kinds = [
        (share, _layer(arch, chip, layouts, tokens, sequence, moe, precision, software, eff, net))
        for moe, share in (
            (False, 1.0 - arch.moe_layers / arch.layers),
            (True, arch.moe_layers / arch.layers),
        )
        if share
    ]

    def mean(name: str) -> Array:
        total: Array = sum(share * getattr(layer, name) for share, layer in kinds)
        return total

    full = layouts.recompute == RECOMPUTE_FULL
    selective = layouts.recompute == RECOMPUTE_SELECTIVE
    gemm, elementwise = mean("forward_gemm"), mean("forward_elementwise")
    forward_attention = mean("forward_attention")
    redo = np.where(full, gemm + elementwise + forward_attention, 0.0)
    redo = np.where(selective, mean("redo_cheap"), redo)
    again = np.where(full, 3.0, 2.0)
    tp_s, cp_s, ep_s = mean("tp_forward"), mean("cp_forward"), mean("ep_forward")
    attention = forward_attention + mean("backward_attention")
    busy = 3.0 * (gemm + elementwise) + attention + redo + again * tp_s
    per_layer = np.stack(
        [
            3.0 * gemm,
            attention,
            3.0 * elementwise,
            redo,
            # one launch each forward and backward; autograd issues its two kernels from C++
            np.maximum(0.0, again * mean("launch") - busy),
            again * tp_s,
            (again + 1.0) * cp_s,
            again * ep_s,
        ]
    )
    head = _head(arch, chip, layouts, tokens, precision, eff)
    layers = layers_per_stage(arch, layouts)
    sends = _sends(arch, layouts, tokens, net, software)

    work = per_layer * layers
    # where the layers divide evenly, the last stage, which also has the head, sets the pace; else a
    # full stage does, and the last one, a layer short, makes room for the head
    work[0] += np.where(arch.layers % layouts.pp == 0, head, 0.0)
    stage = work.sum(axis=0)
    # the pipeline fills and drains at the mean pace: only one stage carries the head
    mean_stage = per_layer.sum(axis=0) * arch.layers / layouts.pp + head / layouts.pp
    bubble = (layouts.pp - 1) / layouts.interleave * (mean_stage + sends)
    dense, experts = local_parameters(arch, layouts)
    data = _data_parallel(layouts, dense, experts, stage, micro_batches, software, net, eff)
    group = layouts.dp * layouts.cp
    shard = np.where(layouts.zero == 0, 1.0, group)
    expert_shard = np.where(
        layouts.zero == 0, 1.0, np.maximum(1.0, layouts.tp * group / layouts.ep)
    )
    optimizer = OPTIMIZER_BYTES * (dense / shard + experts / expert_shard)
    optimizer = optimizer / (chip.memory_bytes_per_s * eff.memory)
    parts = np.vstack([work * micro_batches, sends * micro_batches, bubble, data, optimizer])
    return Step(parts)


def _layer(
    arch: Architecture,
    chip: Chip,
    layouts: Layouts,
    tokens: Array,
    sequence: int,
    moe: bool,
    precision: str,
    software: Software,
    eff: Efficiency,
    net: _Net,
) -> _Layer:
    tp, ep = layouts.tp, layouts.ep
    memory_rate = chip.memory_bytes_per_s * eff.memory
    peak = chip.peak_flops(precision)
    gemm = np.zeros(len(layouts))
    kernels = software.kernels_per_layer
    for m, n, k, count in layer_gemms(arch, tokens, tp=tp, ep=ep, moe=moe):
        # the accelerator whose experts are most in demand paces the routed products
        slowest = eff.routed if np.any(np.asarray(count) != 1.0) else 1.0
        gemm += (
            count
            * slowest
            * gemm_s(
                m,
                n,
                k,
                peak_flops=peak,
                best=eff.gemm,
                half=eff.half,
                bytes_per_value=2.0,
                memory_bytes_per_s=memory_rate,
            )
        )
        kernels += 1.0
    width = arch.heads * attention_width(arch) / tp
    share = arch.window_layers / arch.layers
    context = (1 - share) * mean_context(sequence, causal=software.fused_attention)
    context += share * mean_context(sequence, causal=True, window=arch.window)
    flops = 2.0 * tokens * width * context
    score_s = np.zeros(len(layouts))
    attention_peak = _wide_peak(chip, precision)
    if software.fused_attention:
        attention = flops / (attention_peak * eff.attention * software.attention)
        backward_attention = 2.5 * attention
    else:
        attention = flops / (attention_peak * eff.gemm / (1 + eff.half / arch.head_dim))
        score_s = SCORE_BYTES * tokens * arch.heads * sequence / tp / memory_rate
        attention = attention + score_s
        backward_attention = 2.0 * attention
    replicated, split = elementwise_bytes_per_token(arch, dropout=software.dropout, moe=moe)
    by = tp if software.sequence_parallel else 1.0
    if moe:
        split *= eff.routed
    elementwise = software.elementwise * tokens * (replicated / by + split / tp) / memory_rate
    redo = attention if not software.fused_attention else 0.5 * elementwise

    buffer = 2.0 * tokens * arch.hidden
    inside, across = net.split(tp)
    one = hierarchical_all_reduce_s(buffer, inside, across, *net.rates())
    one = np.where(across > 1, one, all_reduce_s(buffer, inside, net.local, net.local_latency))
    if software.sequence_parallel:
        one = 2 * hierarchical_all_gather_s(buffer, inside, across, *net.rates())
    tp_s = np.where(tp > 1, (1.0 if moe else 2.0) * one, 0.0)

    cp_inside, cp_across = net.split(layouts.cp, tp)
    kv = 2.0 * 2.0 * tokens * layouts.cp * arch.kv_heads * arch.head_dim / tp
    cp_s = np.where(
        layouts.cp > 1, hierarchical_all_gather_s(kv, cp_inside, cp_across, *net.rates()), 0.0
    )
    cp_s = np.maximum(0.0, cp_s - eff.overlap * attention)
    ep_s = np.zeros(len(layouts))
    if moe:
        # a token crosses to another domain once, and is copied to its experts there
        value = 2.0 * tokens / tp * arch.hidden
        ep_inside, ep_across = net.split(ep)
        domains = ep_across * (1.0 - (1.0 - 1.0 / ep_across) ** arch.experts_active)
        near = all_to_all_s(value * arch.experts_active, ep_inside, net.local, net.local_latency)
        far = all_to_all_s(value * domains, ep_across, net.remote, net.remote_latency)
        ep_s = 2.0 * eff.routed * np.maximum(near, far)
        ep_s = np.where(ep > 1, ep_s, 0.0)
    launch = np.full(len(layouts), kernels * eff.launch_s)
    return _Layer(gemm, attention, backward_attention, elementwise, tp_s, cp_s, ep_s, redo, launch)


def _wide_peak(chip: Chip, precision: str) -> float:
    """FLOP/s of attention and output head, which stay in 16 bits.

    A chip whose data sheet has no 16-bit rate is taken at half the rate of `precision`.
    """
    offered = dict(chip.flops)
    if precision in ("bf16", "fp16"):
        return offered[precision]
    return offered.get("bf16") or offered.get("fp16") or 0.5 * offered[precision]


def _head(
    arch: Architecture,
    chip: Chip,
    layouts: Layouts,
    tokens: Array,
    precision: str,
    eff: Efficiency,
) -> Array:
    """[layout] seconds of output head and loss, forward and backward, for one micro-batch."""
    rate = chip.memory_bytes_per_s * eff.memory
    product = gemm_s(
        tokens,
        arch.vocab / layouts.tp,
        float(arch.hidden),
        peak_flops=_wide_peak(chip, precision),
        best=eff.gemm,
        half=eff.half,
        bytes_per_value=2.0,
        memory_bytes_per_s=rate,
    )
    # fp32 logits: written, read for the maximum and the sum, written and read as gradients
    loss = 20.0 * tokens * arch.vocab / layouts.tp / rate
    total: Array = 3.0 * product + loss
    return total


def _sends(
    arch: Architecture, layouts: Layouts, tokens: Array, net: _Net, software: Software
) -> Array:
    """[layout] exposed seconds per micro-batch of sends between stages, forward and backward."""
    n_bytes = 2.0 * tokens * arch.hidden / layouts.tp
    near = layouts.tp * layouts.cp * layouts.dp * layouts.pp <= net.domain
    once = np.where(
        near,
        point_to_point_s(n_bytes, net.local, net.local_latency),
        point_to_point_s(n_bytes, net.remote, net.remote_latency),
    )
    exposed = 0.0 if software.overlap_pipeline else 1.0
    return np.where(layouts.pp > 1, 2.0 * layouts.interleave * once * exposed, 0.0)


def _data_parallel(
    layouts: Layouts,
    dense: Array,
    experts: Array,
    stage_s: Array,
    micro_batches: Array,
    software: Software,
    net: _Net,
    eff: Efficiency,
) -> Array:
    """[layout] exposed seconds per step of gradient reduction and weight gathering."""
    group = layouts.dp * layouts.cp
    expert_group = np.maximum(1.0, layouts.tp * group / layouts.ep)

    def gather(n_bytes: Array, k: Array, stride: Array) -> Array:
        inside, across = net.split(k, stride)
        seconds: Array = np.where(
            k > 1, hierarchical_all_gather_s(n_bytes, inside, across, *net.rates()), 0.0
        )
        return seconds

    def both(bytes_per_param: float) -> Array:
        return gather(dense * bytes_per_param, group, layouts.tp) + gather(
            experts * bytes_per_param, expert_group, layouts.ep
        )

    # reduced gradients come back whole (zero 0), or the updated weights do (zero 1)
    once = both(software.reduced_bytes)
    once = once + np.where(layouts.zero == 0, once, both(2.0))
    # zero 3: weights are gathered for the forward and the backward pass of every micro-batch
    sharded = micro_batches * (2.0 * both(2.0) + both(software.reduced_bytes))
    seconds = np.where(layouts.zero == 3, sharded, once)
    window = np.where(layouts.zero == 3, micro_batches, 1.0) * stage_s * eff.overlap
    if not software.overlap_gradients:
        return seconds
    return np.maximum(0.0, seconds - window)
