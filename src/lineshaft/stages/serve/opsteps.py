"""From measured kernels to step times: `OperatorTables.step_times`.

A step of m tokens (of the busiest attention rank) and s sequences takes::

    sum over kernels of  times in the step * measured(m)                 projections, norms, …
  + layers * attention(chunks of prompts, decoding sequences)            `kernels.tables`
  + moe layers * experts(m * ranks / ep, distinct experts hit of a rank)
  + 2 layers * (all_reduce(m * hidden * 2 B) + launch)                   tp > 1, measured or ring
  + 2 moe layers * ((ranks - 1) (m * hidden * 2 B / link + hop) + launch)  ranks that share experts
  + sum over kernels of  measured(s) + step_s                            output layer, sampler, host

Uniform routing hits ``E (1 - (1 - k/E)**tokens)`` of the E experts of which a token takes k.
Between measured sizes times are linear, beyond the largest they go on along the last piece, below
the smallest they stay. Holes of a grid are filled by straight lines along its axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.steptime import StepTimes
from lineshaft.transformer import Architecture

if TYPE_CHECKING:
    from lineshaft.stages.serve.optables import OperatorTables, Times

Floats = NDArray[np.float64]


def step_times(
    tables: OperatorTables, arch: Architecture, layout: Layout, max_tokens: int
) -> StepTimes:
    """See `optables.OperatorTables.step_times`."""
    _check(tables, arch, layout)
    rules = tables.rules
    ranks = layout.dp
    tokens = np.arange(max_tokens + 1, dtype=np.float64)
    padded = np.ceil(tokens / rules.token_step) * rules.token_step
    dense = np.full(len(tokens), rules.step_s)
    for op, count in _counts(tables, arch).items():
        dense += count * _token_op(tables, arch, layout.tp, op, padded)
    if arch.moe_layers:
        dense += arch.moe_layers * _experts(tables, arch, layout, padded)
    message = padded * arch.hidden * 2.0  # bf16
    if layout.tp > 1:
        dense += 2 * arch.layers * _all_reduce(tables, layout.tp, message)
    if layout.ep > 1 and ranks > 1 and arch.moe_layers:
        dense += 2 * arch.moe_layers * _gather(tables, ranks, message)
    dense[0] = 0.0

    sequences = np.arange(max_tokens + 1, dtype=np.float64)
    per_sequence = np.zeros(len(sequences))
    for kind, op in tables.calls:
        if kind == "sequences":
            per_sequence += _along(*_curve(tables.times(kind, op)), sequences)
    if not tables.times("sequences", "lm_head"):
        per_sequence += _gemm(tables, arch, layout.tp, "lm_head", sequences)
    per_sequence[0] = 0.0

    layers = float(arch.attention_layers)
    prompt_axes, prompt = grid(tables.times("prompt"))
    decode_axes, decode = grid(tables.times("decode"))
    axes, mixed = (*prompt_axes, *decode_axes), np.empty((0, 0, 0, 0))
    if tables.times("mixed"):
        axes, mixed = grid(tables.times("mixed"))
        prompt, decode = _onto(prompt_axes, prompt, axes[:2]), _onto(decode_axes, decode, axes[2:])
    options = np.array(
        [ranks, rules.sum_kv, rules.kv_step, rules.prompt_factor, rules.decode_factor]
    )
    packed = (dense, per_sequence, *axes, layers * prompt, layers * decode, layers * mixed, options)
    every = np.arange(max_tokens * ranks + 1) / ranks  # tokens of the instance, spread evenly
    spent = np.interp(every, tokens, dense)
    rate = (dense[-1] - dense[len(dense) // 2]) / (max_tokens - len(dense) // 2)
    return StepTimes(
        dense_s=spent,
        compute_s=np.minimum(spent, every * rate),
        kv_s=_last_slope(axes[3], layers * decode[-1]) / axes[2][-1] / ranks,
        pair_s=layers * float(prompt[-1, 0]) / (0.5 * axes[0][-1] ** 2) / ranks,
        seq_s=float(per_sequence[-1] - per_sequence[1]) / max_tokens / ranks,
        ranks=ranks,
        tables=tuple(np.ascontiguousarray(part, np.float64) for part in packed),
    )


def _counts(tables: OperatorTables, arch: Architecture) -> dict[str, int]:
    """How often each kernel that depends on tokens runs in one step."""
    from lineshaft.stages.serve.optables import LAYER_OPS, MLP_OPS, PROJECTIONS

    named = {op for kind, op in tables.calls if kind == "tokens"}
    if tables.times("gemm"):
        named |= {op for op in PROJECTIONS if op != "lm_head"}
    found = {}
    for op in sorted(named):
        layers = arch.dense_mlps if op in MLP_OPS else arch.layers
        found[op] = LAYER_OPS[op] * layers if op in LAYER_OPS else 1
    return {op: count for op, count in found.items() if count}


def shape(arch: Architecture, tp: int, op: str) -> tuple[int, int]:
    """(n, k) of a projection on one of `tp` accelerators."""
    gates = arch.mlp_matrices - 1
    width = arch.heads * arch.head_dim
    return {
        "qkv_proj": (
            (width + 2 * max(arch.kv_heads, tp) * arch.head_dim) // tp,
            arch.hidden,
        ),
        "o_proj": (arch.hidden, width // tp),
        "gate_up_proj": (gates * arch.ffn // tp, arch.hidden),
        "down_proj": (arch.hidden, arch.ffn // tp),
        "lm_head": (arch.vocab // tp, arch.hidden),
    }[op]


def _check(tables: OperatorTables, arch: Architecture, layout: Layout) -> None:
    """InputError with every kernel that the model needs and the tables lack."""
    from lineshaft.stages.serve.optables import MLP_OPS, PROJECTIONS

    problems = []
    if arch.attention == "mla" or arch.linear_layers:
        found = f"{arch.name} has other layers than attention over keys and values of every head"
        problems.append(Problem(tables.name, "model", found, "a model with mha or gqa"))
    if layout.pp > 1:
        problems.append(Problem(tables.name, "pp", f"is {layout.pp}", "1 with operator tables"))
    gemms = {(n, k) for _, n, k in tables.times("gemm")}
    for op in PROJECTIONS if not problems else ():
        if op == "lm_head" or (op in MLP_OPS and not arch.dense_mlps):
            continue  # Vidur does not count the output layer
        n, k = shape(arch, layout.tp, op)
        if not tables.times("tokens", op) and (n, k) not in gemms:
            found = f"no times of {op} of {arch.name} at tp = {layout.tp}"
            allowed = f"rows of kind tokens and op {op}, or of kind gemm with n = {n}, k = {k}"
            problems.append(Problem(tables.name, "operator tables", found, allowed))
    needed = [("prompt", True), ("decode", True), ("experts", bool(arch.moe_layers))]
    for kind, asked in needed:
        if asked and not tables.times(kind):
            allowed = f"rows of kind {kind}"
            problems.append(Problem(tables.name, "operator tables", f"no {kind} times", allowed))
    shares = layout.ep > 1 and arch.moe_layers > 0
    for kind, ranks in (("all_reduce", layout.tp), ("all_gather", layout.dp if shares else 1)):
        measured = {n for _, n in tables.times(kind)}
        if ranks > 1 and ranks not in measured and not tables.rules.link_bytes_per_s:
            found = f"no times of {kind} among {ranks} accelerators"
            allowed = f"rows of kind {kind} and ranks {ranks}, or Rules.link_bytes_per_s"
            problems.append(Problem(tables.name, "operator tables", found, allowed))
    if problems:
        raise InputError(problems)


def _all_reduce(tables: OperatorTables, tp: int, message: Floats) -> Floats:
    """Measured, or else that of a ring: 2 (tp - 1) hops, each with one part in tp."""
    rules = tables.rules
    own: Times = {(size,): t for (size, n), t in tables.times("all_reduce").items() if n == tp}
    if own:
        return _along(*_curve(own), message) + rules.collective_s
    hop_s = message / tp / rules.link_bytes_per_s + rules.hop_s
    return 2 * (tp - 1) * hop_s + rules.collective_s


def _gather(tables: OperatorTables, ranks: int, message: Floats) -> Floats:
    """Every rank's message to all others: measured, or else that of a ring. Scattering the results
    back counts the same."""
    rules = tables.rules
    own: Times = {(size,): t for (size, n), t in tables.times("all_gather").items() if n == ranks}
    if own:
        return _along(*_curve(own), ranks * message) + rules.collective_s
    return (ranks - 1) * (message / rules.link_bytes_per_s + rules.hop_s) + rules.collective_s


def _token_op(
    tables: OperatorTables, arch: Architecture, tp: int, op: str, tokens: Floats
) -> Floats:
    own = tables.times("tokens", op)
    return _along(*_curve(own), tokens) if own else _gemm(tables, arch, tp, op, tokens)


def _gemm(tables: OperatorTables, arch: Architecture, tp: int, op: str, tokens: Floats) -> Floats:
    """A projection from measured matrix products of its shape; 0 where there are none."""
    wanted = shape(arch, tp, op)
    found: Times = {
        (m,): time for (m, *nk), time in tables.times("gemm").items() if tuple(nk) == wanted
    }
    return _along(*_curve(found), tokens) if found else np.zeros(len(tokens))


def _experts(tables: OperatorTables, arch: Architecture, layout: Layout, tokens: Floats) -> Floats:
    """[tokens] routed experts of one layer on the busiest rank."""
    together = tokens * layout.dp  # every rank steps with as many tokens as the busiest one
    here = arch.experts / layout.ep
    hit = here * (1.0 - (1.0 - arch.experts_active / arch.experts) ** together)
    (sizes, counts), times = grid(tables.times("experts"))
    share = together / layout.ep
    columns = np.array([_along(sizes, times[:, j], share) for j in range(len(counts))])
    return np.array(
        [_along(counts, columns[:, i], np.array([hit[i]]))[0] for i in range(len(tokens))]
    )


# --- curves and grids ---


def _curve(times: Times) -> tuple[Floats, Floats]:
    """Sizes, rising, and times."""
    found = sorted((key[0], time) for key, time in times.items())
    sizes, spent = zip(*found, strict=True)
    return np.array(sizes, np.float64), np.array(spent, np.float64)


def _along(sizes: Floats, times: Floats, at: Floats) -> Floats:
    """Linear between sizes, on along the last piece beyond them, level below them."""
    found = np.interp(at, sizes, times)
    beyond = np.maximum(at - sizes[-1], 0.0)
    return np.asarray(found + beyond * _last_slope(sizes, times))


def _last_slope(sizes: Floats, times: Floats) -> float:
    if len(sizes) < 2:
        return 0.0
    return max(0.0, float((times[-1] - times[-2]) / (sizes[-1] - sizes[-2])))


def grid(times: Times) -> tuple[tuple[Floats, ...], Floats]:
    """The axes of measured sizes, and the times on their grid, holes filled."""
    keys = np.array(list(times), np.float64)
    axes = tuple(np.unique(keys[:, axis]) for axis in range(keys.shape[1]))
    values = np.full([len(axis) for axis in axes], np.nan)
    places = tuple(np.searchsorted(axis, keys[:, i]) for i, axis in enumerate(axes))
    values[places] = list(times.values())
    return axes, _filled(axes, values)


def _filled(axes: tuple[Floats, ...], values: Floats) -> Floats:
    """Holes between known values of a line first, along the last axis first; then those beyond."""
    for beyond in (False, True):
        changed = True
        while changed and np.isnan(values).any():
            changed = False
            for axis in reversed(range(values.ndim)):
                lines = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
                filled = np.array([_fill_line(axes[axis], line, beyond) for line in lines])
                if np.isnan(filled).sum() < np.isnan(lines).sum():
                    changed = True
                    moved = np.moveaxis(values, axis, -1).shape
                    values = np.moveaxis(filled.reshape(moved), -1, axis)
    return values


def _fill_line(sizes: Floats, line: Floats, beyond: bool) -> Floats:
    known = ~np.isnan(line)
    if known.all() or known.sum() < 1:
        return line
    there = np.flatnonzero(known)
    filled = _along(sizes[known], line[known], sizes)
    if not beyond:
        filled[: there[0]] = filled[there[-1] + 1 :] = np.nan
    return np.where(known, line, filled)


def _onto(axes: tuple[Floats, ...], values: Floats, wanted: tuple[Floats, ...]) -> Floats:
    """The same grid of two axes at other sizes."""
    rows = np.array([_along(axes[1], row, wanted[1]) for row in values])
    return np.array([_along(axes[0], column, wanted[0]) for column in rows.T]).T
