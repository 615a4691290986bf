"""Shares and means with their 90 % intervals, where the tasks of one agent are alike.

A share is a Beta distribution (Jeffreys), over as many tasks as the agents' likeness leaves: the
variance of the agents' sums over that of as many independent tasks, the design effect (Kish 1965).
A mean is resampled by agents (Efron 1979), or by tasks where there are fewer than `FEW` agents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOW, HIGH = 0.05, 0.95
FEW = 10
"""Fewer agents than this say nothing about how agents differ."""
LEAST = 20
"""Fewer tasks than this say nothing."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 90 % interval, and how many tasks and agents it comes from."""

    value: float
    low: float
    high: float
    tasks: int
    agents: int

    @property
    def ground(self) -> str:
        """ "1,234 tasks of 56 agents"."""
        return f"{self.tasks:,} tasks of {self.agents:,} agents"


def share(of: Bools, agent: Ints) -> Estimate | None:
    """The share of tasks that are so; None of fewer than `LEAST` tasks."""
    from scipy.special import betaincinv

    n = len(of)
    if n < LEAST:
        return None
    p = float(of.mean())
    number, agents = _agents(agent)
    size = float(n)
    if agents >= FEW and 0.0 < p < 1.0:
        sums = np.bincount(number, of - p, minlength=agents)
        spread = float((sums**2).sum()) * agents / (agents - 1)
        size = n / max(spread / (n * p * (1.0 - p)), 1.0)
    a, b = p * size + 0.5, (1.0 - p) * size + 0.5
    return Estimate(p, float(betaincinv(a, b, LOW)), float(betaincinv(a, b, HIGH)), n, agents)


def mean(values: Array, agent: Ints, weights: Array | None = None) -> Estimate | None:
    """Sum of values over sum of weights, of tasks that state it; None of fewer than `LEAST`."""
    weights = np.ones(len(values)) if weights is None else weights
    stated = np.isfinite(values) & np.isfinite(weights)
    values, weights, agent = values[stated], weights[stated], agent[stated]
    if len(values) < LEAST or weights.sum() <= 0:
        return None
    number, agents = _agents(agent)
    groups = number if agents >= FEW else np.arange(len(values))
    tops = np.bincount(groups, values).astype(float)
    bottoms = np.bincount(groups, weights).astype(float)
    low, high = np.quantile(_resampled(tops, bottoms), (LOW, HIGH))
    return Estimate(
        float(values.sum() / weights.sum()), float(low), float(high), len(values), agents
    )


def spread(counts: Array, agents: int) -> Estimate | None:
    """How evenly tasks are spread over agents: the shape k of a gamma distribution of their rates,
    by moments of the [agent] counts, ``k = m^2 / (variance - m)``. None of fewer than `FEW`."""
    if agents < FEW or counts.sum() < LEAST:
        return None
    m, squares, ones = counts, counts * counts, np.ones(len(counts))
    means, seconds = _resampled(m, ones), _resampled(squares, ones)
    found = _shape(np.append(counts.mean(), means), np.append(squares.mean(), seconds))
    low, high = np.quantile(found[1:], (LOW, HIGH))
    return Estimate(float(found[0]), float(low), float(high), int(counts.sum()), agents)


_EVEN = 1000.0
"""Shape beyond which agents are alike."""


def _shape(means: Array, squares: Array) -> Array:
    beyond = squares - means**2 - means
    safe = np.maximum(beyond, 1e-12)
    return np.where(beyond > 0, np.minimum(means**2 / safe, _EVEN), _EVEN)


def _resampled(tops: Array, bottoms: Array) -> Array:
    """Ratios of sums of groups drawn with replacement, always the same draws."""
    rng = np.random.default_rng(1)
    size = len(tops)
    times = int(np.clip(4_000_000 / size, 200, 2000))
    found = np.empty(times)
    for k in range(times):
        at = rng.integers(0, size, size)
        bottom = bottoms[at].sum()
        found[k] = tops[at].sum() / bottom if bottom > 0 else np.nan
    return found[np.isfinite(found)]


def _agents(agent: Ints) -> tuple[Ints, int]:
    """(number of each task's agent, agents)."""
    known, number = np.unique(agent, return_inverse=True)
    return number, len(known)
