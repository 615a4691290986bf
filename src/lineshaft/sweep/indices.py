"""Which inputs matter: Sobol's indices by variance, Morris's elementary effects, with intervals.

Sobol. Of a function of independent inputs, S1 of an input is the share of the variance that goes
when this input alone is known, and ST the share that stays when all others are known. With points
A and B, and A_i being A with input i of B,

    S1 = mean(y_B (y_Ai - y_A)) / V        Saltelli et al. 2010, table 2 (b)
    ST = mean((y_A - y_Ai)^2) / (2 V)      Jansen 1999, ibid. (f)

(https://doi.org/10.1016/j.cpc.2009.09.018); values are centred first, which changes nothing in
the mean and makes S1 less noisy. Intervals are percentiles over bootstrap samples of the rows:
for Sobol points, which are more even than random ones, they are on the wide side.

Morris. The elementary effect of an input is the change of the value per change of the input's
probability, along random walks; mu* is the mean of its size, mu its mean, sigma its spread over
the walks: large against mu* where the input acts together with others or in a bent way (Campolongo,
Cariboni, Saltelli 2007, https://doi.org/10.1016/j.envsoft.2006.10.004).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.scenario.draws import sobol_points, stream
from lineshaft.sweep.designs import Trajectories, trajectories
from lineshaft.tables import Array

Function = Callable[[Array], Array]
"""[point] values at [dimension, point] points between 0 and 1."""

LEVEL = 0.95
RESAMPLES = 500
LEAST = 8
"""Rows below which there is no estimate."""
_ROUNDING = 1e-12
"""Spread of the values, over their size, that says nothing of the inputs."""
_BLOCK = 2**22
"""Weights of bootstrap samples that are held at once."""


@dataclass(frozen=True, slots=True)
class Sobol:
    """Sobol's indices of each input, in the order of the dimensions."""

    first: Array
    """[dimension] S1."""
    first_ci: Array
    """[dimension, (low, high)] its 95 % interval."""
    total: Array
    """[dimension] ST."""
    total_ci: Array
    mean: float
    variance: float
    rows: int
    """Rows that every estimate rests on."""
    dropped: int
    """Rows left out because the value has no answer somewhere in them."""


@dataclass(frozen=True, slots=True)
class Morris:
    """Elementary effects of each input, in the order of the dimensions."""

    mu_star: Array
    """[dimension] mean size of the effect, over the whole range of the input."""
    mu_star_ci: Array
    """[dimension, (low, high)] its 95 % interval."""
    mu: Array
    sigma: Array
    sigma_ci: Array
    rows: int
    """Walks that every estimate rests on."""
    dropped: int


def sobol(f: Function, dimensions: int, samples: int = 1024, seed: int = 1) -> Sobol:
    """Sobol's indices of `f`, by `samples` (dimensions + 2) evaluations.

    `samples` is rounded up to a power of two. Raises InputError where nothing can be said: too few
    rows with an answer, or a value that never changes.
    """
    return sobol_of(f(sobol_design(dimensions, samples, seed)), dimensions, seed)


def sobol_design(dimensions: int, samples: int, seed: int) -> Array:
    """[dimension, samples (dimensions + 2)] points: A, B, then A with each input of B in turn."""
    both = sobol_points(2 * dimensions, samples, seed, "sweep")
    a, b = both[:dimensions], both[dimensions:]
    blocks = [a, b]
    for i in range(dimensions):
        mixed = a.copy()
        mixed[i] = b[i]
        blocks.append(mixed)
    return np.concatenate(blocks, axis=1)


def sobol_of(values: Array, dimensions: int, seed: int = 1) -> Sobol:
    """Sobol's indices from the values at the points of `sobol_design`."""
    y = np.asarray(values, float).reshape(dimensions + 2, -1)
    known = np.isfinite(y).all(axis=0)
    y = y[:, known]
    rows, dropped = y.shape[1], int((~known).sum())
    _enough(y[:2], rows, dropped)
    mean = float(y[:2].mean())
    y = y - mean
    a, b, mixed = y[0], y[1], y[2:]
    products = np.stack(
        [*(b * (mixed - a)), *(0.5 * (a - mixed) ** 2), 0.5 * (a + b), 0.5 * (a**2 + b**2)]
    )

    def shares(means: Array) -> Array:
        """[…, (first, total)] of all inputs from the [product, …] means."""
        variance = means[-1] - means[-2] ** 2
        return np.asarray(means[:-2] / variance)

    found = shares(products.mean(axis=1))
    spread = shares(_bootstrap(products, stream(seed, "bootstrap")))
    first, total = spread[:dimensions], spread[dimensions:]
    return Sobol(
        first=found[:dimensions],
        first_ci=_interval(first),
        total=found[dimensions:],
        total_ci=_interval(total),
        mean=mean,
        variance=float(products[-1].mean() - products[-2].mean() ** 2),
        rows=rows,
        dropped=dropped,
    )


def morris(f: Function, dimensions: int, walks: int = 64, seed: int = 1) -> Morris:
    """Elementary effects of `f`, by `walks` (dimensions + 1) evaluations. Raises as `sobol`."""
    design = trajectories(dimensions, walks, seed)
    return morris_of(f(design.flat), design, seed)


def morris_of(values: Array, design: Trajectories, seed: int = 1) -> Morris:
    """Elementary effects from the values at its points, `design.flat`."""
    y = np.asarray(values, float).reshape(design.points.shape[:2])
    known = np.isfinite(y).all(axis=1)
    dropped = int((~known).sum())
    _enough(y[known], int(known.sum()), dropped)
    effects = Trajectories(design.points[known], design.order[known]).effects(y[known])
    rows = len(effects)
    products = np.concatenate([np.abs(effects), effects, effects**2], axis=1).T
    n = effects.shape[1]

    def sigmas(means: Array) -> Array:
        variance = means[2 * n :] - means[n : 2 * n] ** 2
        return np.asarray(np.sqrt(np.maximum(variance, 0.0) * rows / (rows - 1)))

    means = products.mean(axis=1)
    spread = _bootstrap(products, stream(seed, "bootstrap"))
    return Morris(
        mu_star=means[:n],
        mu_star_ci=_interval(spread[:n]),
        mu=means[n : 2 * n],
        sigma=effects.std(axis=0, ddof=1),
        sigma_ci=_interval(sigmas(spread)),
        rows=rows,
        dropped=dropped,
    )


def _bootstrap(products: Array, rng: np.random.Generator) -> Array:
    """[product, sample] means of the [product, row] products over bootstrap samples of the rows.

    How often each sample takes each row is a matrix, and the means are one product with it. einsum
    and not @: a BLAS may sum in another order on another number of threads.
    """
    rows = products.shape[1]
    block = max(1, _BLOCK // rows)
    found = np.empty((len(products), RESAMPLES))
    for start in range(0, RESAMPLES, block):
        stop = min(start + block, RESAMPLES)
        taken = rng.integers(0, rows, (stop - start, rows))
        times = np.stack([np.bincount(each, minlength=rows) for each in taken]).astype(float)
        found[:, start:stop] = np.einsum("kn,rn->kr", products, times) / rows
    return found


def _interval(spread: Array) -> Array:
    """[dimension, (low, high)] from [dimension, sample]."""
    tail = (1.0 - LEVEL) / 2
    return np.quantile(spread, (tail, 1.0 - tail), axis=1).T


def _enough(values: Array, rows: int, dropped: int) -> None:
    if rows < LEAST:
        found = f"{rows} rows with an answer, {dropped} without"
        raise InputError(
            Problem("", "--samples", found, f"at least {LEAST}", "more samples, or another --kpi")
        )
    if np.ptp(values) <= _ROUNDING * np.abs(values).max():
        raise InputError(
            Problem("", "--inputs", "the value is the same at every point", "", "other inputs")
        )
