"""Points to look at: scrambled Sobol points, random ones, and the trajectories of Morris.

Sources: Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points", as in scipy.stats.qmc
(https://doi.org/10.1006/jcom.1998.0487); Morris 1991, "Factorial sampling plans for preliminary
computational experiments" (https://doi.org/10.1080/00401706.1991.10484804).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.scenario.draws import sobol_points, stream
from lineshaft.tables import Array

LEVELS = 4
"""Levels of Morris's grid; they stand in the middle of quarters, off 0 and 1 where quantiles may
be infinite. A step of an elementary effect is half of them."""


def points(method: str, dimensions: int, count: int, seed: int) -> Array:
    """(dimension, point) points inside 0 to 1: "sobol", "random" or "morris".

    Sobol points are rounded up to a power of two; for Morris `count` is the number of
    trajectories, each of one point per dimension and one more.
    """
    if method == "sobol":
        return sobol_points(dimensions, count, seed, "sweep")
    if method == "random":
        return stream(seed, "sweep").random((dimensions, count))
    return trajectories(dimensions, count, seed).flat


@dataclass(frozen=True, slots=True)
class Trajectories:
    """Walks through the unit cube, one input changed at each step."""

    points: Array
    """[trajectory, 1 + dimension, dimension]"""
    order: NDArray[np.int64]
    """[trajectory, dimension] the input that each step changes."""

    @property
    def flat(self) -> Array:
        """[dimension, trajectory (1 + dimension)] the points of all walks."""
        return np.ascontiguousarray(self.points.reshape(-1, self.points.shape[2]).T)

    def effects(self, values: Array) -> Array:
        """Elementary effects [trajectory, dimension] of `values` [trajectory, 1 + dimension]:
        the change of the value per change of the input, which runs from 0 to 1."""
        rows = np.arange(len(self.order))[:, None]
        steps = np.diff(self.points, axis=1)[rows, np.arange(self.order.shape[1]), self.order]
        found = np.empty(self.order.shape)
        found[rows, self.order] = np.diff(values, axis=1) / steps
        return found


def trajectories(dimensions: int, count: int, seed: int) -> Trajectories:
    """`count` walks from a random point of the grid, inputs in random order and direction."""
    rng = stream(seed, "morris")
    low = rng.integers(0, LEVELS // 2, (count, dimensions))
    up = rng.integers(0, 2, (count, dimensions))
    order = np.argsort(rng.random((count, dimensions)), axis=1)
    # step k changes input order[k]: an input is changed at all points after its step
    when = np.argsort(order, axis=1)
    changed = np.arange(dimensions + 1)[:, None] > when[:, None, :]
    at = low[:, None, :] + (LEVELS // 2) * (up[:, None, :] ^ changed)
    return Trajectories((at + 0.5) / LEVELS, order)
