"""Daily active agents (DAA) from rates of accepted work, and the most that reviewers allow.

An agent is active on a day when at least one eligible task of it is accepted that day. Numbers of
agents, tasks and minutes are of the same day or of the same mean day; all functions broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def _f(*values: ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(v, dtype=np.float64) for v in values)


def daa_memoryless(agents: ArrayLike, rate: ArrayLike, shape: ArrayLike = np.inf) -> Array:
    """DAA of `agents` with a mean of `rate` accepted tasks per agent and day, without memory.

    ``n (1 - (k / (k + m))^k)``: tasks come as a Poisson process whose rate differs between agents
    as a gamma with shape k; k = inf makes all agents alike, ``n (1 - exp(-m))``.
    """
    n, m, k = _f(agents, rate, shape)
    alike = np.isinf(k)
    k = np.where(alike, 1.0, k)
    # log1p and expm1 keep the digits of small rates and of large shapes.
    exponent = np.where(alike, m, k * np.log1p(m / k))
    return -n * np.expm1(-exponent)


def daa_regular(agents: ArrayLike, rate: ArrayLike) -> Array:
    """DAA when every agent is given work at even intervals: ``n min(1, m)``."""
    n, m = _f(agents, rate)
    return n * np.minimum(m, 1.0)


def review_limited_tasks(
    reviewers: ArrayLike,
    minutes_per_day: ArrayLike,
    utilisation: ArrayLike,
    review_share: ArrayLike,
    review_min: ArrayLike,
    rework_share: ArrayLike = 0.0,
    rework_min: ArrayLike = 0.0,
) -> Array:
    """Most tasks a day that the reviewers can accept: ``c M u / (F h + r h')``.

    `review_share` of the tasks takes `review_min` minutes, `rework_share` of them takes
    `rework_min` more. Infinite where nothing needs a human.
    """
    c, day, u, share, h, again, h_again = _f(
        reviewers, minutes_per_day, utilisation, review_share, review_min, rework_share, rework_min
    )
    supply, per_task = np.broadcast_arrays(c * day * u, share * h + again * h_again)
    out: Array = np.full(supply.shape, np.inf)
    np.divide(supply, per_task, out=out, where=per_task > 0)
    return out


def review_limited_daa(
    reviewers: ArrayLike,
    minutes_per_day: ArrayLike,
    utilisation: ArrayLike,
    review_share: ArrayLike,
    review_min: ArrayLike,
    tasks_per_active_agent: ArrayLike,
) -> Array:
    """Highest DAA that the reviewers allow at this TPA: ``c M u / (TPA F h)``."""
    tasks = review_limited_tasks(reviewers, minutes_per_day, utilisation, review_share, review_min)
    return tasks / np.asarray(tasks_per_active_agent, dtype=np.float64)
