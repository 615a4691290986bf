"""Failures, checkpoints and the effective training time ratio (ETTR).

A run of N nodes fails as a Poisson process of rate lambda = N r. It works `interval_s`, writes a
checkpoint that blocks for `write_s`, and after a failure restarts for `restart_s` and repeats the
work since the last checkpoint. Restarts may fail too.

    exact        ETTR = dt / [ exp(lambda u) (exp(lambda (dt + w)) - 1) / lambda ]
                 J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
                 restart dumps", FGCS 22 (2006)
    approximate  ETTR = (1 - lambda (u + dt/2)) / (1 + w/dt)
                 Kokolis et al., arXiv:2410.21680; breaks down above about 30,000 accelerators
    interval     Young (1974): sqrt(2 w / lambda); the exact optimum solves
                 exp(lambda (dt + w)) (1 - lambda dt) = 1
"""

from __future__ import annotations

import math

DAY_S = 86400.0


def failure_rate_per_s(
    accelerators: float, accelerators_per_node: int, failures_per_node_day: float
) -> float:
    """Failures per second of a job on `accelerators`."""
    return accelerators / accelerators_per_node * failures_per_node_day / DAY_S


def mttf_s(accelerators: float, accelerators_per_node: int, failures_per_node_day: float) -> float:
    """Mean seconds to failure of a job; infinite without failures."""
    rate = failure_rate_per_s(accelerators, accelerators_per_node, failures_per_node_day)
    return 1.0 / rate if rate > 0 else math.inf


def young_interval_s(write_s: float, rate_per_s: float) -> float:
    """Young's interval between checkpoints; infinite without failures."""
    return math.sqrt(2.0 * write_s / rate_per_s) if rate_per_s > 0 else math.inf


def optimal_interval_s(write_s: float, rate_per_s: float) -> float:
    """The interval with the highest exact ETTR; infinite without failures."""
    if rate_per_s <= 0:
        return math.inf
    # with x = lambda dt: exp(x + lambda w) (1 - x) = 1; the left side falls on 0 < x < 1, so halve
    work = rate_per_s * write_s
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle + work + math.log1p(-middle) > 0:
            low = middle
        else:
            high = middle
        if high - low <= 1e-15 * high:
            break
    return 0.5 * (low + high) / rate_per_s


def ettr_exact(interval_s: float, write_s: float, restart_s: float, rate_per_s: float) -> float:
    """Exact ETTR of the renewal process, between 0 and 1."""
    if rate_per_s <= 0:
        return 1.0 if math.isinf(interval_s) else interval_s / (interval_s + write_s)
    if interval_s <= 0:
        return 0.0
    exponent = rate_per_s * (interval_s + write_s)
    if exponent > 700.0:
        return 0.0
    repeats = math.expm1(exponent) / (rate_per_s * interval_s)
    return math.exp(-rate_per_s * restart_s) / repeats


def ettr_approximate(
    interval_s: float, write_s: float, restart_s: float, rate_per_s: float
) -> float:
    """First-order ETTR; may turn negative where failures are frequent."""
    lost = rate_per_s * (restart_s + interval_s / 2.0)
    return (1.0 - lost) / (1.0 + write_s / interval_s)


def ettr_best(write_s: float, restart_s: float, rate_per_s: float) -> float:
    """Exact ETTR at the optimal interval.

    Checkpoints that do not block (`write_s` = 0) are written all the time, so only restarts and
    their repeats are lost.
    """
    if write_s <= 0:
        return math.exp(-rate_per_s * restart_s)
    return ettr_exact(optimal_interval_s(write_s, rate_per_s), write_s, restart_s, rate_per_s)
