"""How much to order and when: the textbook policies that a reorder agent needs.

`h` is the holding cost and `p` the stockout cost per unit and period, `K` the fixed cost of an
order. Costs come out per period in the same money. Source of the cases: Snyder and Shen,
"Fundamentals of Supply Chain Theory" (2nd ed. 2019), as numbered in the docstrings.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.errors import InputError, Problem

Array = NDArray[np.float64]


def _positive(**values: ArrayLike) -> tuple[Array, ...]:
    arrays = {name: np.asarray(v, dtype=np.float64) for name, v in values.items()}
    bad = [
        Problem("", f"floor.inventory.{name}", f"found {v}", "numbers above 0")
        for name, v in arrays.items()
        if not (v > 0).all()
    ]
    if bad:
        raise InputError(bad)
    return tuple(arrays.values())


def eoq(K: ArrayLike, h: ArrayLike, demand: ArrayLike) -> tuple[Array, Array]:
    """(order quantity, cost per period) of the economic order quantity (section 3.2). Broadcasts.

    ``Q = sqrt(2 K demand / h)``, cost ``sqrt(2 K demand h)``.
    """
    K, h, rate = _positive(K=K, h=h, demand=demand)
    return np.sqrt(2.0 * K * rate / h), np.sqrt(2.0 * K * rate * h)


def newsvendor_normal(
    h: ArrayLike, p: ArrayLike, mean: ArrayLike, sd: ArrayLike
) -> tuple[Array, Array]:
    """(base stock level, cost per period) with normal demand (section 4.3.2). Broadcasts.

    ``S = mean + sd z`` with ``Phi(z) = p / (p + h)``; cost ``(h + p) sd phi(z)``.
    """
    from scipy.special import ndtri

    h, p, sd = _positive(h=h, p=p, sd=sd)
    z = ndtri(p / (p + h))
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return np.asarray(mean, dtype=np.float64) + sd * z, (h + p) * sd * density


def poisson_cost(level: ArrayLike, h: ArrayLike, p: ArrayLike, mean: ArrayLike) -> Array:
    """Expected cost of a period that starts with `level` units and Poisson demand. Broadcasts."""
    from scipy.special import pdtr

    S, h, p, mean = (np.asarray(v, dtype=np.float64) for v in (level, h, p, mean))
    up_to = np.where(S >= 0, pdtr(np.maximum(S, 0.0), mean), 0.0)
    below = np.where(S >= 1, pdtr(np.maximum(S - 1.0, 0.0), mean), 0.0)
    short = mean * (1.0 - below) - S * (1.0 - up_to)
    return h * (S - mean) + (h + p) * short


def newsvendor_poisson(h: ArrayLike, p: ArrayLike, mean: ArrayLike) -> tuple[Array, Array]:
    """(base stock level, cost per period) with Poisson demand (section 4.3.2.5). Broadcasts.

    The smallest S with ``P(D <= S) >= p / (p + h)``.
    """
    from scipy.special import pdtr

    h, p, mean = np.broadcast_arrays(*_positive(h=h, p=p, mean=mean))
    target = p / (p + h)
    # A normal guess, then whole steps to the exact level.
    S = np.maximum(np.floor(newsvendor_normal(h, p, mean, np.sqrt(mean))[0]), 0.0)
    while (low := pdtr(S, mean) < target).any():
        S = np.where(low, S + 1.0, S)
    while (high := (S >= 1) & (pdtr(np.maximum(S - 1.0, 0.0), mean) >= target)).any():
        S = np.where(high, S - 1.0, S)
    return S, poisson_cost(S, h, p, mean)


def rq_policy(
    h: ArrayLike, p: ArrayLike, K: ArrayLike, demand: ArrayLike, sd: ArrayLike, lead: ArrayLike
) -> tuple[Array, Array, Array]:
    """(reorder point, order quantity, cost per period) by the expected-inventory-level
    approximation of the (r, Q) policy (section 5.3.1). Broadcasts.

    `demand` and `sd` are of one period, `lead` the lead time in periods; `p` is per unit
    backordered. Iterates ``P(D > r) = Q h / (p demand)`` and ``Q = sqrt(2 demand (K + p n(r)) /
    h)`` to a fixed point. Raises InputError where stockouts are so cheap that none exists.
    """
    from scipy.special import ndtr, ndtri

    h, p, K, rate, sd, lead = np.broadcast_arrays(
        *_positive(h=h, p=p, K=K, demand=demand, sd=sd, lead=lead)
    )
    mean, spread = rate * lead, sd * np.sqrt(lead)
    Q = np.sqrt(2.0 * K * rate / h)
    r, short = mean, spread
    for _ in range(1000):
        tail = Q * h / (p * rate)
        if (tail >= 1.0).any():
            raise InputError(
                Problem(
                    "",
                    "floor.inventory.rq_policy",
                    "stockouts cost less than stock",
                    fix="raise p or lower h",
                )
            )
        z = ndtri(1.0 - tail)
        r = mean + spread * z
        short = spread * (np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) - z * (1.0 - ndtr(z)))
        new = np.sqrt(2.0 * rate * (K + p * short) / h)
        if np.allclose(new, Q, rtol=1e-13, atol=0.0):
            break
        Q = new
    cost = h * (r - mean + Q / 2.0) + K * rate / Q + p * rate * short / Q
    return r, Q, cost


def ss_policy(h: float, p: float, K: float, mean: float) -> tuple[int, int, float]:
    """(reorder level s, order-up-to level S, cost per period): the optimal (s, S) policy for
    Poisson demand, scalar.

    Orders at the start of a period in which stock is at or below s; zero lead time. The algorithm
    of Zheng and Federgruen (1991), exact (section 4.4.4).
    """
    from scipy.special import pdtr

    _positive(h=h, p=p, K=K, mean=mean)
    most = int(mean + 20.0 * np.sqrt(mean) + 50.0 + np.sqrt(2.0 * K * mean / h))
    cdf = pdtr(np.arange(most + 1.0), mean)
    pmf = np.diff(cdf, prepend=0.0)
    renewal = np.zeros(most + 1)  # m(j): expected visits j units below S in one order cycle
    renewal[0] = 1.0 / (1.0 - pmf[0])
    for j in range(1, most + 1):
        renewal[j] = pmf[1 : j + 1] @ renewal[j - 1 :: -1] / (1.0 - pmf[0])
    periods = np.cumsum(renewal)

    def stage(y: int) -> float:
        return float(poisson_cost(y, h, p, mean))

    def cycle(s: int, S: int) -> float:
        levels = S - np.arange(S - s)
        cost = renewal[: S - s] @ poisson_cost(levels, h, p, mean)
        return float((K + cost) / periods[S - s - 1])

    best_S = int(newsvendor_poisson(h, p, mean)[0])
    s = best_S - 1
    while cycle(s, best_S) > stage(s):
        s -= 1
    cost, S = cycle(s, best_S), best_S + 1
    while stage(S) <= cost:
        if cycle(s, S) < cost:
            best_S = S
            while cycle(s, best_S) <= stage(s + 1):
                s += 1
            cost = cycle(s, best_S)
        S += 1
    return s, best_S, cost


def wagner_whitin(K: float, h: float, demand: ArrayLike) -> tuple[Array, float]:
    """(order [period], total cost): the cheapest plan for known demand [period], scalar costs.

    `h` is paid per unit left at the end of a period. Dynamic programme over the period of the
    last order (section 3.7), O(T^2).
    """
    d = np.asarray(demand, dtype=np.float64)
    if d.ndim != 1 or (d < 0).any() or K < 0 or h < 0:
        raise InputError(Problem("", "floor.inventory.wagner_whitin", "negative demand or cost"))
    T = d.size
    best = np.full(T + 1, np.inf)  # best[t]: cost of periods t..T-1 with no stock at the start
    best[T] = 0.0
    until = np.zeros(T, dtype=np.int64)
    for t in range(T - 1, -1, -1):
        hold = 0.0
        for end in range(t + 1, T + 1):
            hold += h * (end - 1 - t) * d[end - 1]
            if K + hold + best[end] < best[t]:
                best[t], until[t] = K + hold + best[end], end
    order = np.zeros(T)
    t = 0
    while t < T:
        order[t] = d[t : until[t]].sum()
        t = int(until[t])
    return order, float(best[0])
