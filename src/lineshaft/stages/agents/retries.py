"""Repeated attempts at one task: never independent, and never quite certain.

A task draws its own success probability ``p = (1 - slip) B``, B from a Beta distribution with an
intra-task correlation rho, and every attempt at it succeeds with p. rho near 1 is a task that is
passed or failed in all runs, as nine in ten of METR's are. `slip` is what an attempt loses even at
a task that is mastered: with slip 0 the Beta distribution has too many tasks that never fail.

Sources: Griffiths, Biometrics 29 (1973), 637, for the beta-binomial; Yao et al., "tau-bench",
arXiv 2406.12045, for pass^k.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SLIP = 0.05
"""Slip of the agents on tau2-bench, whose simulated users err too: the one value that was fitted,
on pass^3 and pass^4 of 42 entries of its leaderboard (`bench/fit_agents.py`)."""


def beta_moment(mean: ArrayLike, rho: float, i: int, j: int) -> Array:
    """E[p^i (1-p)^j] of a Beta distribution with this mean and intra-class correlation `rho`.

    Shape of `mean`. rho = 0 is independence (p is certain), rho = 1 means all or nothing.
    """
    m = np.asarray(mean, dtype=np.float64)
    rho = min(rho, 1.0 - 1e-12)  # the limit itself is 0/0
    out = np.ones_like(m)
    for k in range(i):
        out = out * (m * (1.0 - rho) + k * rho)
    for k in range(j):
        out = out * ((1.0 - m) * (1.0 - rho) + k * rho)
    scale = math.prod(1.0 - rho + k * rho for k in range(i + j))
    return out / scale


def latent_moment(mean: ArrayLike, rho: float, i: int, j: int, slip: float = 0.0) -> Array:
    """E[p^i (1-p)^j] of ``p = (1 - slip) B``, B Beta with this mean and correlation.

    Shape of `mean`. A finite sum of positive terms, because ``1 - p = (1 - B) + slip B``.
    """
    if slip == 0.0:
        return beta_moment(mean, rho, i, j)
    total = np.zeros_like(np.asarray(mean, dtype=np.float64))
    for k in range(j + 1):
        total = total + math.comb(j, k) * slip**k * beta_moment(mean, rho, i + k, j - k)
    return (1.0 - slip) ** i * total


def all_pass(pass_1: ArrayLike, rho: ArrayLike, k: int) -> Array:
    """Share of tasks of which k attempts all succeed, no slip. Arguments broadcast."""
    p, r = np.broadcast_arrays(np.asarray(pass_1, np.float64), np.asarray(rho, np.float64))
    out = np.ones(p.shape)
    for n in range(k):
        out = out * (p * (1.0 - r) + n * r) / (1.0 - r + n * r)
    return out


def rho_from_passes(pass_1: ArrayLike, pass_2: ArrayLike) -> Array:
    """Intra-task correlation by moments, from pass^1 and pass^2 (shares). 0 where p is 0 or 1."""
    p1, p2 = np.asarray(pass_1, np.float64), np.asarray(pass_2, np.float64)
    spread = p1 * (1.0 - p1)
    rho = np.divide(p2 - p1 * p1, spread, out=np.zeros(np.shape(spread)), where=spread > 0)
    return np.clip(rho, 0.0, 1.0 - 1e-12)


def pass_k(pass_1: ArrayLike, pass_2: ArrayLike, k: int, slip: float = SLIP) -> Array:
    """tau-bench's pass^k, the share of tasks of which k attempts all succeed, from its first two.

    Shares, shape of `pass_1`. Mean and correlation of B follow from the two moments; where these
    leave less room than `slip` (pass^2 / pass^1 or pass^1 above 1 - slip), the slip is what they
    leave.
    """
    p1, p2 = np.asarray(pass_1, np.float64), np.asarray(pass_2, np.float64)
    ratio = np.divide(p2, p1, out=np.zeros(np.shape(p1)), where=p1 > 0)
    kept = np.clip(np.maximum(ratio, p1), 1.0 - slip, 1.0)
    mean = p1 / kept
    return np.asarray(kept**k * all_pass(mean, rho_from_passes(mean, p2 / kept**2), k))


def retry_outcome(
    p: ArrayLike,
    rho: float,
    attempts: int,
    sensitivity: float,
    specificity: float,
    verifier_rho: float = 0.5,
    slip: float = 0.0,
) -> tuple[Array, Array, Array]:
    """(passed, correct, mean attempts) of tasks with mean success `p` but for slips, each with its
    shape.

    `passed` is the share that the verifier passes within `attempts`, `correct` the share of those
    that are right (1 where nothing passes). Each task draws its own success probability and its
    own verdict errors from Beta distributions; given these, attempts are independent.
    """
    m = np.asarray(p, dtype=np.float64)
    right, tried, missed = np.zeros_like(m), np.zeros_like(m), np.ones_like(m)
    for k in range(attempts + 1):
        # The k attempts before all missed: j of them right and not recognised, k - j wrong and
        # stopped. The next one is then right and recognised.
        missed, next_right = np.zeros_like(m), np.zeros_like(m)
        for j in range(k + 1):
            stopped = math.comb(k, j) * float(beta_moment(specificity, verifier_rho, k - j, 0))
            overlooked = stopped * float(beta_moment(1.0 - sensitivity, verifier_rho, j, 0))
            recognised = stopped * float(beta_moment(1.0 - sensitivity, verifier_rho, j, 1))
            missed = missed + overlooked * latent_moment(m, rho, j, k - j, slip)
            next_right = next_right + recognised * latent_moment(m, rho, j + 1, k - j, slip)
        if k < attempts:
            tried, right = tried + missed, right + next_right
    passed = np.clip(1.0 - missed, right, 1.0)
    correct = np.divide(right, passed, out=np.ones_like(m), where=passed > 0.0)
    return passed, correct, tried
