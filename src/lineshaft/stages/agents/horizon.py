"""METR's time horizon: the logistic in log2 of a task's human minutes, its fit and its trend.

``p(h) = sigmoid(intercept - slope log2 h)``, with h in human minutes. The horizon at success
probability q is ``2^((intercept - logit q) / slope)`` minutes.
Source: Kwa et al., "Measuring AI Ability to Complete Long Tasks", arXiv 2503.14499.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.errors import InputError, Problem

Array = NDArray[np.float64]

CAP_MIN = 960.0
"""METR: measurements of horizons above 16 hours are unreliable with the present task suite."""


def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + exp(-x)), any shape, without overflow."""
    x = np.asarray(x, dtype=np.float64)
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, e) / (1.0 + e))


def success_probability(minutes: ArrayLike, p50_min: ArrayLike, slope: ArrayLike = 0.52) -> Array:
    """Probability that a task of `minutes` human minutes succeeds, for a p50 horizon in minutes.

    `slope` is in logits per doubling of length. All arguments broadcast.
    """
    margin = np.log2(np.asarray(p50_min, dtype=np.float64)) - np.log2(
        np.asarray(minutes, dtype=np.float64)
    )
    return sigmoid(np.asarray(slope, dtype=np.float64) * margin)


def horizon_ratio(probability: ArrayLike, slope: ArrayLike = 0.52) -> Array:
    """The horizon at a success probability, as a multiple of the p50 horizon.

    With the median slope 0.52: 0.16 at 80 %, 0.020 at 95 %, 0.0022 at 99 %. Reliability, not the
    p50 horizon, sets how much oversight a task needs.
    """
    q = np.asarray(probability, dtype=np.float64)
    return np.exp2(-np.log(q / (1.0 - q)) / np.asarray(slope, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class HorizonFit:
    """A fitted logistic."""

    intercept: float
    slope: float
    """Logits lost per doubling of length (published tables print it with a minus sign)."""
    iterations: int

    def horizon_min(self, probability: float = 0.5) -> float:
        """Task length in human minutes at which the success probability is `probability`."""
        logit = math.log(probability / (1.0 - probability))
        return float(2.0 ** ((self.intercept - logit) / self.slope))

    def probability(self, minutes: ArrayLike) -> Array:
        """Success probability at task lengths in human minutes, any shape."""
        x = np.log2(np.asarray(minutes, dtype=np.float64))
        return sigmoid(self.intercept - self.slope * x)


def fit_horizon(
    minutes: ArrayLike,
    successes: ArrayLike,
    runs: ArrayLike,
    weights: ArrayLike = 1.0,
    l2: float = 1e-5,
) -> HorizonFit:
    """The logistic that best explains the share of successful runs of each task.

    Weighted maximum likelihood by Newton's method; `l2` / 2 x slope^2 is added to the loss, the
    intercept is free. One entry a task: human minutes, successful runs, runs, weight of the task.
    Raises InputError when a task has no length or no runs, or when the likelihood has no maximum.
    """
    h, wins, n, weight = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (minutes, successes, runs, weights))
    )
    if h.size == 0 or (h <= 0).any() or (n <= 0).any() or (wins < 0).any() or (wins > n).any():
        raise InputError(
            Problem("", "agents.fit_horizon", "a task without length or runs, or no task at all")
        )
    x = np.column_stack([np.ones(h.size), -np.log2(h.ravel())])
    y, w = (wins / n).ravel(), weight.ravel()
    penalty = np.array([0.0, l2])
    beta = np.zeros(2)

    def loss(b: Array) -> float:
        z = x @ b
        return float(w @ (np.logaddexp(0.0, z) - y * z) + 0.5 * penalty @ (b * b))

    now = loss(beta)
    for iteration in range(1, 101):
        p = sigmoid(x @ beta)
        gradient = x.T @ (w * (p - y)) + penalty * beta
        hessian = (x * (w * p * (1.0 - p))[:, None]).T @ x + np.diag(penalty)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        # A full Newton step may overshoot when most tasks are far from the horizon: halve it.
        for _ in range(30):
            trial = loss(beta - step)
            if trial <= now + 1e-12:
                break
            step = step / 2.0
        beta, now = beta - step, trial
        if np.abs(step).max() < 1e-10:
            return HorizonFit(float(beta[0]), float(beta[1]), iteration)
    raise InputError(
        Problem(
            "",
            "agents.fit_horizon",
            "the fit does not converge",
            fix="give tasks of several lengths, some that succeed and some that fail",
        )
    )


@dataclass(frozen=True, slots=True)
class HorizonTrend:
    """An exponential trend of the p50 horizon."""

    date: np.datetime64
    """Day of the anchor."""
    p50_min: float
    """p50 horizon on that day, human minutes."""
    doubling_days: float


PUBLIC_TREND = HorizonTrend(np.datetime64("2025-11-24"), 320.4, 130.8)
"""METR Time Horizon 1.1: Claude Opus 4.5 (interval 170-729 min) and the doubling time since 2023
(107-161 days at 95 %; 196.5 days over all time, 89 days since 2024)."""


def fit_trend(dates: ArrayLike, p50_min: ArrayLike) -> HorizonTrend:
    """Ordinary least squares of log2 horizon on release day, anchored on the last day.

    `dates` are days (`datetime64[D]` or ISO strings), `p50_min` human minutes, one per model.
    Raises InputError with fewer than two different days.
    """
    day = np.asarray(dates, dtype="datetime64[D]")
    if np.unique(day).size < 2:
        raise InputError(Problem("", "agents.fit_trend", "fewer than two different days"))
    last = day.max()
    x = (day - last).astype(np.float64)
    y = np.log2(np.asarray(p50_min, dtype=np.float64))
    per_day = float(((x - x.mean()) @ (y - y.mean())) / ((x - x.mean()) ** 2).sum())
    at_last = float(y.mean() - per_day * x.mean())
    return HorizonTrend(last, float(2.0**at_last), 1.0 / per_day)


def trend_log2_horizon(
    dates: ArrayLike, trend: HorizonTrend = PUBLIC_TREND, cap_min: float = CAP_MIN
) -> tuple[Array, NDArray[np.bool_]]:
    """log2 of the public p50 horizon in minutes on each day, and where the cap has cut it.

    `dates` of any shape. Pass ``cap_min=math.inf`` to extrapolate without a cap.
    """
    days = (np.asarray(dates, dtype="datetime64[D]") - trend.date).astype(np.float64)
    free = math.log2(trend.p50_min) + days / trend.doubling_days
    limit = math.log2(cap_min)
    return np.minimum(free, limit), free > limit
