"""Operator tables as shares of an accelerator's peak: a start for calibration on a new part.

A matrix product of m tokens with a weight of n x k takes

    t = (C**p + W**p)**(1/p) + launch    C = 2 m n k / (P * compute), W = n k bytes / (B * weight)

the form of `steptime`; P and B are the datasheet's arithmetic and memory bandwidth. Prompt
attention is counted in arithmetic, decode attention in bytes of keys and values, an all-reduce as
a fixed time and a ring's traffic over the link. All are fitted on log errors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.opsteps import shape
from lineshaft.stages.serve.optables import PROJECTIONS, OperatorTables, Times
from lineshaft.stages.serve.steptime import Coefficients
from lineshaft.transformer import Architecture, Chip

Floats = NDArray[np.float64]
BYTES = {"bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}


@dataclass(frozen=True, slots=True)
class Efficiencies:
    """Shares of the datasheet's peaks; nan where the table does not tell."""

    compute: float
    """Of arithmetic, by large matrix products."""
    weight: float
    """Of memory bandwidth, by the weights of small matrix products."""
    blend: float
    """p of the blend of the two."""
    launch_s: float
    """Of a matrix product that does nothing."""
    attention: float
    """Of bf16 arithmetic, by prompt attention."""
    kv: float
    """Of memory bandwidth, by decode attention."""
    link: float
    """Of the scale-up link, by all-reduces."""
    allreduce_s: float
    """Fixed time of one all-reduce."""
    curve: tuple[tuple[int, float], ...]
    """(tokens, share of peak arithmetic that their matrix products reach), measured, the mean of
    the shapes."""
    half_tokens: float
    """Tokens at which that share is half of its largest: share(m) = compute m / (m + half)."""
    misfit: float
    """Median absolute error of the fitted times of matrix products."""

    def share(self, tokens: float) -> float:
        """Of peak arithmetic, by matrix products of so many tokens: the saturating curve."""
        return self.compute * tokens / (tokens + self.half_tokens)


def operator_efficiencies(
    tables: OperatorTables, chip: Chip, arch: Architecture, *, tp: int = 1, precision: str = "bf16"
) -> Efficiencies:
    """What the measured calls of this model's kernels on one of `tp` accelerators reach.

    Raises:
        InputError: the tables have no matrix products, or the chip not this precision.
    """
    products = _products(tables, arch, tp)
    if not products:
        found = "have no rows of kind gemm, and none of a projection"
        raise InputError(Problem(tables.name, "operator tables", found, "measured matrix products"))
    m, n, k = np.array(list(products), np.float64).T
    spent = np.array(list(products.values()))
    flops = 2.0 * m * n * k / chip.peak_flops(precision)
    loads = n * k * BYTES[precision] / chip.memory_bytes_per_s

    def product(x: Floats) -> Floats:
        compute, weight, p, launch = np.exp(x)
        blend = 1.0 + p
        whole = ((flops / compute) ** blend + (loads / weight) ** blend) ** (1.0 / blend)
        return np.asarray(whole + launch)

    x, misfit = _fit(product, spent, (0.7, 0.7, 2.0, 5e-6), (0.5, 0.5, 1.0, 2.0))
    shares = [(int(size), float((flops / spent)[m == size].mean())) for size in np.unique(m)]
    return Efficiencies(
        compute=x[0],
        weight=x[1],
        blend=1.0 + x[2],
        launch_s=x[3],
        attention=_attention(tables, chip, arch, tp),
        kv=_kv(tables, chip, arch, tp),
        **_link(tables, chip),
        curve=tuple(shares),
        half_tokens=_half(shares, x[0]),
        misfit=misfit,
    )


def _products(tables: OperatorTables, arch: Architecture, tp: int) -> Times:
    """(tokens, n, k) of every measured matrix product: their time."""
    found = dict(tables.times("gemm"))
    for op in PROJECTIONS:
        for times in (tables.times("tokens", op), tables.times("sequences", op)):
            found |= {(size, *map(float, shape(arch, tp, op))): t for (size,), t in times.items()}
    return {sizes: time for sizes, time in found.items() if min(sizes) > 0.0}


def starting(coefficients: Coefficients, found: Efficiencies) -> Coefficients:
    """These coefficients with what was measured in place of theirs: a start for `calibrate`."""
    measured = {
        "compute_efficiency": found.compute,
        "weight_efficiency": found.weight,
        "blend": found.blend,
        "attention_efficiency": found.attention,
        "kv_efficiency": found.kv,
        "link_efficiency": found.link,
        "allreduce_s": found.allreduce_s,
    }
    names = {one.name for one in fields(coefficients)}
    known: dict[str, Any] = {
        name: min(value, 1.0) if name.endswith("_efficiency") else value
        for name, value in measured.items()
        if name in names and not math.isnan(value)
    }
    note = f"kernels measured on the accelerator; the rest: {coefficients.fitted_on}"
    return replace(coefficients, **known, fitted_on=note)


def _fit(
    model: Callable[[Floats], Floats],
    spent: Floats,
    start: tuple[float, ...],
    prior: tuple[float, ...],
) -> tuple[list[float], float]:
    """Positive parameters of a model of times, and its median absolute relative error.

    `prior` holds them to the start in log, weakly beside 5 % of error, so that a table that does
    not tell one of them leaves it there.
    """
    from scipy.optimize import least_squares

    centre, width = np.log(start), np.array(prior)

    def residuals(x: Floats) -> Floats:
        return np.concatenate((np.log(model(x) / spent) / 0.05, (x - centre) / width))

    fit = least_squares(residuals, centre, loss="soft_l1")
    misfit = float(np.median(np.abs(model(fit.x) / spent - 1.0)))
    return np.exp(fit.x).tolist(), misfit


def _half(shares: list[tuple[int, float]], top: float) -> float:
    """Tokens at half of the top share, from measured (tokens, share)."""
    tokens, share = np.array(shares).T
    below = share < 0.95 * top  # the top itself says nothing of where the half is
    if not below.any():
        return 0.0
    return float(np.median(tokens[below] * (top / share[below] - 1.0)))


def _attention(tables: OperatorTables, chip: Chip, arch: Architecture, tp: int) -> float:
    """From the largest prompts, whose arithmetic outweighs all else."""
    times = tables.times("prompt")
    width = 4.0 * arch.head_dim * max(1, arch.heads // tp)  # scores and weighted sum
    work = {sizes: width * sizes[0] * (sizes[1] + 0.5 * (sizes[0] + 1.0)) for sizes in times}
    return _best({s: work[s] / chip.peak_flops("bf16") / times[s] for s in times}, work)


def _kv(tables: OperatorTables, chip: Chip, arch: Architecture, tp: int) -> float:
    """From the largest batches of decodes."""
    times = tables.times("decode")
    width = 4.0 * arch.head_dim * max(1, arch.kv_heads // tp)  # bf16 key and value
    work = {sizes: width * sizes[0] * sizes[1] for sizes in times}
    return _best({s: work[s] / chip.memory_bytes_per_s / times[s] for s in times}, work)


def _best(shares: dict[tuple[float, ...], float], work: dict[tuple[float, ...], float]) -> float:
    """Median share of the calls with at least a tenth of the largest work; nan without calls."""
    if not shares:
        return math.nan
    large = [shares[s] for s in shares if work[s] >= 0.1 * max(work.values())]
    return float(np.median(large))


def _link(tables: OperatorTables, chip: Chip) -> dict[str, float]:
    times = tables.times("all_reduce")
    if not times:
        return {"link": math.nan, "allreduce_s": math.nan}
    size, ranks = np.array(list(times)).T
    traffic = 2.0 * (ranks - 1.0) / ranks * size / chip.scaleup_bytes_per_s
    spent = np.array(list(times.values()))

    def model(x: Floats) -> Floats:
        link, fixed = np.exp(x)
        return np.asarray(traffic / link + fixed)

    (link, fixed), _ = _fit(model, spent, (0.5, 10e-6), (1.0, 2.0))
    return {"link": link, "allreduce_s": fixed}
