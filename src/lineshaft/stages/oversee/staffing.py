"""How many people a queue needs: hour by hour, with slack, on duty and on the payroll."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.stages.oversee.queues import erlang_c

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
WEEKS_PER_MONTH = 365.25 / 12 / 7


def late_share(
    servers: ArrayLike, per_s: ArrayLike, service_s: float, wait_s: float, cv: float = 1.0
) -> Array:
    """Share that waits longer than `wait_s` in M/G/c, ``C exp(-(c - a) t / (s (1 + cv^2) / 2))``.

    Exact for exponential service (cv 1); else the wait is stretched as the mean is by Allen and
    Cunneen's approximation. 1 where the servers are full.
    """
    c, lam = np.broadcast_arrays(np.asarray(servers), np.asarray(per_s, dtype=np.float64))
    load = lam * service_s
    stretch = service_s * (1.0 + cv * cv) / 2.0
    spare = np.maximum(c - load, 0.0)
    out = erlang_c(c, load) * np.exp(-spare * wait_s / stretch if stretch > 0 else 0.0 * spare)
    return np.asarray(np.where(load < c, out, 1.0))


def servers_needed(
    per_s: ArrayLike, service_s: float, share: float, wait_s: float, cv: float = 1.0
) -> Ints:
    """Fewest servers with which `share` of the arrivals wait at most `wait_s`; 0 without any."""
    lam = np.atleast_1d(np.asarray(per_s, dtype=np.float64))
    out = np.zeros(lam.shape, dtype=np.int64)
    for rate in np.unique(lam[lam > 0]):
        low = int(np.floor(rate * service_s))  # too few: the queue grows without bound
        high = low + 1
        while late_share(high, rate, service_s, wait_s, cv) > 1 - share:
            low, high = high, high + 2 * (high - int(rate * service_s))
        while high - low > 1:
            middle = (low + high) // 2
            late = late_share(middle, rate, service_s, wait_s, cv)
            low, high = (low, middle) if late <= 1 - share else (middle, high)
        out[lam == rate] = high
    return out


def rate_held(
    servers: int, service_s: float, share: float, wait_s: float, cv: float = 1.0
) -> float:
    """The highest arrival rate per second with which `share` wait at most `wait_s`."""
    if servers < 1 or service_s <= 0:
        return 0.0 if servers < 1 else np.inf
    low, high = 0.0, servers / service_s
    for _ in range(60):
        middle = 0.5 * (low + high)
        late = float(late_share(servers, middle, service_s, wait_s, cv))
        low, high = (middle, high) if late <= 1 - share else (low, middle)
    return low


def square_root_servers(per_s: float, service_s: float, p_wait: float) -> float:
    """Square-root staffing ``a + b sqrt(a)``: b such that a share `p_wait` waits at all in the
    limit of many servers, ``1 / (1 + b Phi(b) / phi(b))`` (Halfin and Whitt 1981)."""
    from scipy.special import ndtr

    load = per_s * service_s
    low, high = 0.0, 10.0
    for _ in range(60):
        b = 0.5 * (low + high)
        phi = np.exp(-b * b / 2) / np.sqrt(2 * np.pi)
        waits = 1.0 / (1.0 + b * float(ndtr(b)) / phi)
        low, high = (b, high) if waits > p_wait else (low, b)
    return float(load + high * np.sqrt(load))


@dataclass(frozen=True, slots=True)
class Hours:
    """What a person works and is paid."""

    on_duty_h: float = 150.0
    """A month: leave, illness and training are out already."""
    paid_h: float = 173.33
    work_min: float = 60.0
    """Between breaks."""
    break_min: float = 10.0

    @property
    def working(self) -> float:
        """Share of the time on duty that is not a break."""
        return self.work_min / (self.work_min + self.break_min)

    def payroll(self, roster_h: float) -> float:
        """People employed for so many hours on duty a week."""
        return roster_h * WEEKS_PER_MONTH / self.on_duty_h

    def roster_h(self, payroll: float) -> float:
        """Hours on duty a week of so many people employed."""
        return payroll * self.on_duty_h / WEEKS_PER_MONTH
