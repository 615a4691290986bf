"""The waiting curve: M/M/c on a grid of humans on duty and their utilisation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import OverseeCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.oversee.queues import erlang_c

Array = NDArray[np.float64]


def default_servers() -> Array:
    """[c] 1 to 10,000 humans, about eight a decade, whole numbers."""
    return np.unique(np.round(np.geomspace(1.0, 10_000.0, 33)))


def default_utilisation() -> Array:
    """[u] from idle to 0.995, closer together where the wait rises."""
    return 1.0 - np.geomspace(0.995, 0.005, 40)


@dataclass(frozen=True, slots=True)
class OverseeInputs:
    """The grids of the curve."""

    servers: Array = field(default_factory=default_servers)
    """[c] humans on duty, whole, rising."""
    utilisation: Array = field(default_factory=default_utilisation)
    """[u] their utilisation, rising, 0 to below 1."""


def characterise(inputs: OverseeInputs = OverseeInputs()) -> OverseeCurve:
    """Mean wait over mean service time [c, u]: ``C(c, c u) / (c (1 - u))``.

    Raises InputError when a grid does not rise or leaves its range.
    """
    c = np.asarray(inputs.servers, dtype=np.float64)
    u = np.asarray(inputs.utilisation, dtype=np.float64)
    found = []
    if (
        c.ndim != 1
        or c.size == 0
        or c[0] < 1
        or (c != np.floor(c)).any()
        or (np.diff(c) <= 0).any()
    ):
        found.append(Problem("", "oversee.servers", f"found {c}", "whole numbers from 1, rising"))
    if u.ndim != 1 or u.size == 0 or u[0] < 0 or u[-1] >= 1 or (np.diff(u) <= 0).any():
        found.append(Problem("", "oversee.utilisation", f"found {u}", "0 to below 1, rising"))
    if found:
        raise InputError(found)
    # One row at a time: the recursion then runs only as far as that row's servers.
    wait = np.stack([erlang_c(n, n * u) / (n * (1.0 - u)) for n in c])
    return OverseeCurve(c.copy(), u.copy(), wait)
