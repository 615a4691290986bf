"""Task families: the same length is not the same difficulty, and siblings share theirs.

The logit of an agent's success on a task is normal around METR's logistic:

    z = c (intercept - slope log2 minutes) + family + task + own
    family ~ N(0, spread.family^2), task ~ N(0, spread.task^2), own ~ N(0, spread.own^2)

The family's and the task's part are the same for all agents, `own` is that of one agent and one
task; runs are binomial given z. The factor ``c = sqrt(1 + pi/8 variance)`` keeps the mean over
families and tasks at the plain logistic (MacKay 1992: E sigmoid(z) = sigmoid(mean / c)), so that
without results of a task's siblings or peers the answer is that of the plain logistic. What is
known shrinks: a Gaussian process with this covariance, solved by Laplace's approximation.

Sources: Rasmussen and Williams, "Gaussian Processes for Machine Learning", algorithms 3.1 and 3.2;
MacKay, "The evidence framework applied to classification networks", Neural Computation 4 (1992).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.agents.horizon import HorizonFit, sigmoid

Array = NDArray[np.float64]
Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard deviations of what length does not explain, in logits.

    Chosen on 298 results on METR's tasks (two agents, 149 tasks, 62 families) for the Brier score
    of tasks left out, with `bench/fit_agents.py`: a wide plateau."""

    family: float = 1.5
    task: float = 1.0
    own: float = 0.5

    @property
    def variance(self) -> float:
        """Of all three together."""
        return self.family**2 + self.task**2 + self.own**2

    @property
    def scale(self) -> float:
        """Logits within one task and one family over those of the mean over all."""
        return float(np.sqrt(1.0 + np.pi / 8.0 * self.variance))


SPREAD = Spread()


@dataclass(frozen=True, slots=True)
class FamilyEffect:
    """What is known of a family: mean and standard deviation of its part, logits."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class TaskResults:
    """Results, one entry an agent and task; all arrays [result]."""

    agent: Names
    task: Names
    family: Names
    logit: Array
    """Of the agent's plain logistic at the task's length."""
    wins: Array
    """Successful runs; not read where success is asked for."""
    runs: Array

    def __len__(self) -> int:
        return len(self.task)

    def where(self, keep: NDArray[np.bool_]) -> TaskResults:
        """The results that a mask keeps."""
        return TaskResults(*(getattr(self, name)[keep] for name in self.__slots__))

    def explained_by(self, fits: Mapping[str, HorizonFit], minutes: Array) -> TaskResults:
        """The same with the logits of each agent's own fit."""
        logit = np.array(
            [fits[a].intercept - fits[a].slope * x
             for a, x in zip(self.agent.tolist(), np.log2(minutes), strict=True)]
        )  # fmt: skip
        return replace(self, logit=logit)


def predict_success(
    asked: TaskResults,
    known: TaskResults | None = None,
    effects: Mapping[str, FamilyEffect] | None = None,
    spread: Spread = SPREAD,
) -> Array:
    """[asked] success probability of an attempt, given results on other tasks or of other agents.

    `known` may hold other agents on the same tasks (peers) and any agent on siblings. `effects` is
    what is known of families beforehand, from results that are not in `known`. Raises InputError
    where `known` holds what is asked.
    """
    mean = spread.scale * asked.logit + _prior(asked, effects)
    variance = _covariance(asked, asked, effects, spread).diagonal().copy()
    if known is not None and len(known):
        pairs = set(zip(known.agent.tolist(), known.task.tolist(), strict=True))
        if not pairs.isdisjoint(zip(asked.agent.tolist(), asked.task.tolist(), strict=True)):
            raise InputError(
                Problem("", "known", "results that are asked for", "other tasks or other agents")
            )
        mode = _mode(known, effects, spread)
        cross = _covariance(known, asked, effects, spread)
        mean = mean + cross.T @ mode.pull
        half = np.linalg.solve(mode.root, mode.weight[:, None] * cross)
        variance -= (half * half).sum(axis=0)
    z, w = np.polynomial.hermite_e.hermegauss(40)
    spreading = np.sqrt(np.maximum(variance, 0.0))
    success = sigmoid(mean[:, None] + spreading[:, None] * z) @ (w / w.sum())
    return np.asarray(success, dtype=np.float64)


def family_effects(known: TaskResults, spread: Spread = SPREAD) -> dict[str, FamilyEffect]:
    """What the results say of each of their families."""
    mode = _mode(known, None, spread)
    names = np.unique(known.family)
    cross = (known.family[:, None] == names) * spread.family**2
    mean = cross.T @ mode.pull
    half = np.linalg.solve(mode.root, mode.weight[:, None] * cross)
    left = np.sqrt(np.maximum(spread.family**2 - (half * half).sum(axis=0), 0.0))
    return {
        str(name): FamilyEffect(float(m), float(s))
        for name, m, s in zip(names, mean, left, strict=True)
    }


@dataclass(frozen=True, slots=True)
class _Mode:
    pull: Array
    """Covariance inverse times (mode - mean)."""
    weight: Array
    """Square root of the likelihood's curvature."""
    root: Array
    """Cholesky factor of 1 + weight K weight."""


def _mode(known: TaskResults, effects: Mapping[str, FamilyEffect] | None, spread: Spread) -> _Mode:
    """The most likely logits of the known results (Rasmussen and Williams, algorithm 3.1)."""
    k = _covariance(known, known, effects, spread)
    mean = spread.scale * known.logit + _prior(known, effects)
    pull, at = np.zeros_like(mean), mean.copy()
    best = _fit_of(known, at, mean, pull)
    for _ in range(200):
        p = sigmoid(at)
        curve = known.runs * p * (1.0 - p) + 1e-10
        weight = np.sqrt(curve)
        root = np.linalg.cholesky(np.eye(len(at)) + weight[:, None] * k * weight)
        target = curve * (at - mean) + (known.wins - known.runs * p)
        inner = np.linalg.solve(root, weight * (k @ target))
        step = target - weight * np.linalg.solve(root.T, inner) - pull
        moved = k @ step
        # a full Newton step overshoots where all runs agree: halve it
        share = 1.0
        while share > 1e-4:
            trial = _fit_of(known, at + share * moved, mean, pull + share * step)
            if trial >= best:
                break
            share /= 2.0
        pull, at = pull + share * step, at + share * moved
        if np.abs(moved).max() < 1e-8 or share <= 1e-4:
            break
        best = trial
    return _Mode(pull, weight, np.asarray(root, dtype=np.float64))


def _fit_of(known: TaskResults, at: Array, mean: Array, pull: Array) -> float:
    """Log posterior of the logits `at`, but for a constant."""
    lost = known.wins @ np.logaddexp(0.0, -at) + (known.runs - known.wins) @ np.logaddexp(0.0, at)
    return float(-lost - 0.5 * pull @ (at - mean))


def _prior(rows: TaskResults, effects: Mapping[str, FamilyEffect] | None) -> Array:
    known = effects or {}
    return np.array([known[f].mean if f in known else 0.0 for f in rows.family.tolist()])


def _covariance(
    left: TaskResults,
    right: TaskResults,
    effects: Mapping[str, FamilyEffect] | None,
    spread: Spread,
) -> Array:
    known = effects or {}
    of_family = np.array(
        [known[f].sd if f in known else spread.family for f in left.family.tolist()]
    )
    task = left.task[:, None] == right.task
    agent = left.agent[:, None] == right.agent
    family = (left.family[:, None] == right.family) * (of_family**2)[:, None]
    return np.asarray(
        family + task * spread.task**2 + (task & agent) * spread.own**2, dtype=np.float64
    )
