"""Waiting for humans: Erlang B, C and A, staffing and priorities, vectorised over arrays.

Rates are per second, times in seconds, `load` in Erlang (arrival rate x mean service time).
All arguments broadcast against each other. Poisson arrivals, exponential service and patience.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.errors import InputError, Problem

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


def _loads(servers: ArrayLike, load: ArrayLike) -> tuple[Ints, Array]:
    c, a = np.broadcast_arrays(np.asarray(servers), np.asarray(load, dtype=np.float64))
    if (c != np.floor(c)).any() or (c < 0).any() or not (a >= 0).all():
        raise InputError(
            Problem(
                "",
                "oversee.queues",
                "servers or load out of range",
                "whole servers, 0 or more, and a load of 0 or more",
            )
        )
    return c.astype(np.int64), a


def erlang_b(servers: ArrayLike, load: ArrayLike) -> Array:
    """Probability that a call finds all `servers` busy and is lost.

    By the recursion ``B(0) = 1, B(k) = load B(k-1) / (k + load B(k-1))``, which stays in [0, 1]
    and loses no digits; the work grows with the largest number of servers.
    """
    c, a = _loads(servers, load)
    b = np.ones(c.shape)
    for k in range(1, int(c.max(initial=0)) + 1):
        b = np.where(k <= c, a * b / (k + a * b), b)
    return b


def _delay(c: Ints, a: Array, b: Array) -> Array:
    """Erlang C from Erlang B; 1 where the queue grows without bound."""
    spare = c - a * (1.0 - b)
    out = np.ones(np.shape(b))
    np.divide(c * b, spare, out=out, where=(a < c) & (spare > 0))
    return out


def erlang_c(servers: ArrayLike, load: ArrayLike) -> Array:
    """Probability that a call waits in M/M/c. 1 where load >= servers."""
    c, a = _loads(servers, load)
    return _delay(c, a, erlang_b(c, a))


def mean_wait_s(servers: ArrayLike, arrivals_per_s: ArrayLike, service_s: ArrayLike) -> Array:
    """Mean wait before service in M/M/c; infinite where load >= servers."""
    service = np.asarray(service_s, dtype=np.float64)
    c, a = _loads(servers, np.asarray(arrivals_per_s, dtype=np.float64) * service)
    out = np.full(c.shape, np.inf)
    np.divide(erlang_c(c, a) * service, c - a, out=out, where=a < c)
    return out


def wait_quantile_s(
    servers: ArrayLike, arrivals_per_s: ArrayLike, service_s: ArrayLike, share: ArrayLike
) -> Array:
    """The wait that `share` of the calls do not exceed in M/M/c (0 for those served at once)."""
    service = np.asarray(service_s, dtype=np.float64)
    late = 1.0 - np.asarray(share, dtype=np.float64)
    c, a = _loads(servers, np.asarray(arrivals_per_s, dtype=np.float64) * service)
    tail = np.log(np.maximum(erlang_c(c, a) / late, 1.0)) * service
    out = np.full(np.broadcast(c, tail).shape, np.inf)
    np.divide(tail, c - a, out=out, where=a < c)
    return out


@dataclass(frozen=True, slots=True)
class ErlangA:
    """M/M/c with impatient callers; every field has the shape of the broadcast arguments."""

    p_wait: Array
    """Share that does not find a free server."""
    p_abandon: Array
    """Share that leaves before service."""
    mean_wait_s: Array
    """Mean time in the queue over all callers, those who leave included."""
    queue: Array
    """Mean number waiting."""
    utilisation: Array
    """Busy share of the servers."""


def erlang_a(
    servers: ArrayLike, arrivals_per_s: ArrayLike, service_s: ArrayLike, patience_s: ArrayLike
) -> ErlangA:
    """Waiting, leaving and utilisation of M/M/c+M (Palm's Erlang A) for a finite patience.

    With x = c patience / service and y = arrivals x patience, the states above c sum to
    ``A = 1 + sum_k y^k / ((x+1)...(x+k))`` times the state c. Stable for any load.
    Raises InputError without servers or patience (no patience limit is Erlang C).
    """
    lam, service, theta = (
        np.asarray(v, dtype=np.float64) for v in (arrivals_per_s, service_s, patience_s)
    )
    c, a, lam, service, theta = np.broadcast_arrays(
        *_loads(servers, lam * service), lam, service, theta
    )
    if (c < 1).any() or not ((theta > 0) & np.isfinite(theta) & (lam > 0)).all():
        raise InputError(
            Problem(
                "",
                "oversee.erlang_a",
                "no servers, no arrivals or no patience",
                "1 or more servers, arrivals and a finite patience above 0",
            )
        )
    b = erlang_b(c, a)
    log_above = _log_states_above(c * theta / service, lam * theta)
    # p_wait = A B / (1 + (A-1) B) and P(leave | wait) = 1/(rho A) + 1 - 1/rho, divided by A.
    rho, over_a = a / c, np.exp(-log_above)
    p_wait = b / (over_a * (1.0 - b) + b)
    leave_if_wait = np.clip((over_a - 1.0 + rho) / rho, 0.0, 1.0)
    p_abandon = p_wait * leave_if_wait
    wait = p_abandon * theta
    return ErlangA(p_wait, p_abandon, wait, lam * wait, rho * (1.0 - p_abandon))


def _log_states_above(x: Array, y: Array) -> Array:
    """ln(1 + y/(x+1) (1 + y/(x+2) (1 + ...))): a falling series, or an incomplete gamma."""
    from scipy.special import gammainc, gammaln

    heavy = y > x
    out = np.empty(x.shape)
    xh, yh = x[heavy], y[heavy]  # overloaded: A may exceed 1e308, its logarithm does not
    out[heavy] = np.log(xh) + yh - xh * np.log(yh) + gammaln(xh) + np.log(gammainc(xh, yh))
    xl, yl = x[~heavy], y[~heavy]
    if xl.size:
        with np.errstate(divide="ignore"):
            geometric = 45.0 / np.log(xl / yl)
        terms = int(np.minimum(geometric, 12.0 * np.sqrt(xl) + 60.0).max()) + 2
        total = np.ones(xl.shape)
        for k in range(terms, 0, -1):
            total = 1.0 + yl / (xl + k) * total
        out[~heavy] = np.log(total)
    return out


def _staff(load: Array, enough: Callable[[int, Array], NDArray[np.bool_]], most: int) -> Ints:
    """Smallest c per load for which `enough(c, erlang_b)`; walks c upwards once for all loads."""
    best = np.zeros(load.shape, dtype=np.int64)
    b = np.ones(load.shape)
    for c in range(1, most + 1):
        b = load * b / (c + load * b)
        ok = (best == 0) & (load < c)
        best = np.where(ok & enough(c, b), c, best)
        if (best > 0).all():
            return best
    raise InputError(
        Problem(
            "",
            "oversee.staffing",
            f"{most} servers do not reach the target",
            fix="relax the target or raise `most`",
        )
    )


def servers_for_wait(
    arrivals_per_s: ArrayLike, service_s: ArrayLike, wait_s: ArrayLike, most: int = 1_000_000
) -> Ints:
    """Fewest servers whose mean wait in M/M/c is at most `wait_s`.

    Raises InputError when `most` servers are too few.
    """
    lam, service, target = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (arrivals_per_s, service_s, wait_s))
    )
    load = lam * service

    def enough(c: int, b: Array) -> NDArray[np.bool_]:
        delay = _delay(np.full(load.shape, c), load, b)
        return np.asarray(delay * service <= target * (c - load))

    return _staff(load, enough, most)


def servers_for_delay(
    arrivals_per_s: ArrayLike,
    service_s: ArrayLike,
    share: ArrayLike,
    within_s: ArrayLike = 0.0,
    most: int = 1_000_000,
) -> Ints:
    """Fewest servers with which at least `share` of the calls wait no longer than `within_s`.

    `within_s` = 0 asks for calls that do not wait at all. Raises InputError as above.
    """
    lam, service, target, within = np.broadcast_arrays(
        *(np.asarray(v, dtype=np.float64) for v in (arrivals_per_s, service_s, share, within_s))
    )
    load = lam * service

    def enough(c: int, b: Array) -> NDArray[np.bool_]:
        delay = _delay(np.full(load.shape, c), load, b)
        late = delay * np.exp(-np.maximum(c - load, 0.0) * within / service)
        return np.asarray(1.0 - late >= target)

    return _staff(load, enough, most)


def priority_waits_s(servers: int, arrivals_per_s: ArrayLike, service_s: float) -> Array:
    """[class] mean waits in M/M/c with non-preemptive priorities, first class first.

    `arrivals_per_s` [class] in order of rank; all classes have the same mean service time
    (Kella and Yechiali 1985). Infinite from the class on at which the servers are full.
    """
    lam = np.atleast_1d(np.asarray(arrivals_per_s, dtype=np.float64))
    total = float(lam.sum()) * service_s
    used = np.concatenate([[0.0], np.cumsum(lam)]) * service_s / servers
    residual = float(erlang_c(servers, total)) * service_s / servers
    out = np.full(lam.shape, np.inf)
    free = (1.0 - used[:-1]) * (1.0 - used[1:])
    np.divide(residual, free, out=out, where=used[1:] < 1.0)
    return out
