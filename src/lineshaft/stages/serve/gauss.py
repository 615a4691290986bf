"""Gaussian processes on few points, as `calibrate` needs them: small, robust, without tuning.

Rasmussen and Williams, Gaussian Processes for Machine Learning, MIT Press 2006
(http://gaussianprocess.org/gpml): prediction and evidence, algorithm 2.1; leaving one out, 5.4.2.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = Sequence[tuple[str, ...]]

WIDTHS = (0.7, 1.0, 1.5, 2.5)
"""Distance over which a correction fades."""
SLOPES = (0.0, 0.5)
"""Share of a plane in the kernel: trends that go on beyond the points."""
STEPS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Sizes and noises that are tried, times what is expected; their logs are normal around it with
a standard deviation of `STEPS_SD`."""
STEPS_SD = 0.7
MARGIN = 0.5
"""How far outside the points a trend goes on: to twice or half a size."""
OUTLIER = 2.5
"""Robust standard deviations from which a point counts less."""


@dataclass(frozen=True, slots=True)
class Member:
    """One setting of width, plane, size and noise, and its chance given the points."""

    width: float
    slope: float
    size: float
    noise: float
    chance: float


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fit of factors, linear around it: logs of times move by `slope` @ (change of theta)."""

    theta: Floats
    """[factor] normal around 0 beforehand."""
    prior: Floats
    """[factor] with these standard deviations."""
    slope: Floats
    """[point, factor] of one output."""


@dataclass(frozen=True, slots=True, eq=False)
class Process:
    """Log errors over setups: numbers [point, feature] and words (whose match matters)."""

    numbers: Floats
    words: Words
    values: Floats
    """[point]"""
    doubt: Floats
    """[point] factor on the noise, from 1."""
    members: tuple[Member, ...]
    rows: NDArray[np.int64]
    """Which of the caller's points these are: those with a value."""
    drift_sd: float
    """What the doubt about the fitted factors adds to that of a prediction."""

    @staticmethod
    def learned(
        numbers: Floats,
        words: Words,
        values: Floats,
        fit: Fit,
        *,
        scale: float,
        noise: float,
    ) -> Process:
        """From the points that have a value: what a fit of factors leaves.

        `scale` and `noise` are the expected sizes. The evidence is that of the values before the
        fit: few points are easily fitted, and would seem to need no correction.
        """
        rows = np.flatnonzero(~np.isnan(values))
        if not len(rows):  # no correction, as wrong as is expected beforehand
            only = (Member(1.0, 0.0, scale, noise, 1.0),)
            return Process(numbers[rows], [], values[rows], values[rows], only, rows, 0.0)
        numbers, values, moved = numbers[rows], values[rows], fit.slope[rows]
        words = [words[at] for at in rows.tolist()]
        spread = max(1.4826 * float(np.median(np.abs(values))), noise)
        doubt = np.maximum(1.0, np.abs(values) / (OUTLIER * spread))
        factors = moved @ np.diag(fit.prior**2) @ moved.T
        asked = values + moved @ fit.theta
        tried, evidence = [], []
        for width, slope in itertools.product(WIDTHS, SLOPES):
            shape = _kernel(numbers, words, numbers, words, width, slope)
            for size, step in itertools.product(STEPS, STEPS):
                one = Member(width, slope, size * scale, step * noise, 1.0)
                matrix = one.size**2 * shape + np.diag((one.noise * doubt) ** 2)
                root = np.linalg.cholesky(matrix + factors)
                solved = np.linalg.solve(root, asked)
                prior = 0.5 * (np.log(size) ** 2 + np.log(step) ** 2) / STEPS_SD**2
                tried.append(one)
                evidence.append(-0.5 * solved @ solved - np.log(np.diag(root)).sum() - prior)
        chance = np.exp(np.array(evidence) - max(evidence))
        kept = np.flatnonzero(chance > 0.01 * chance.max())
        total = float(chance[kept].sum())
        members = tuple(replace(tried[at], chance=float(chance[at]) / total) for at in kept)
        found = Process(numbers, words, values, doubt, members, rows, 0.0)
        # how far the doubt about the factors moves a prediction, in the mean over the points
        inner = moved.T @ np.linalg.solve(found.covariance, moved) + np.diag(fit.prior**-2.0)
        drift = np.einsum("ij,jk,ik->i", moved, np.linalg.inv(inner), moved).mean()
        return replace(found, drift_sd=float(np.sqrt(drift)))

    def at(self, numbers: Floats, words: Words) -> tuple[Floats, Floats]:
        """[setup] expected value, and standard deviation of a new measurement there."""
        mean, square = np.zeros(len(numbers)), np.zeros(len(numbers))
        if not len(self.values):
            (one,) = self.members
            return mean, np.full(len(numbers), np.hypot(one.size, one.noise))
        for one in self.members:
            shape = _kernel(numbers, words, self.numbers, self.words, one.width, one.slope)
            across = one.size**2 * shape
            root = np.linalg.cholesky(self.matrix(one))
            half = np.linalg.solve(root, across.T)
            value = half.T @ np.linalg.solve(root, self.values)
            # 1 + the plane: the kernel of a setup with itself
            out = _near(numbers, self.numbers) - self.numbers.mean(axis=0)
            own = 1.0 + one.slope * (out**2).sum(axis=1) / 4.0
            variance = one.size**2 * own - (half**2).sum(axis=0) + one.noise**2 + self.drift_sd**2
            mean += one.chance * value
            square += one.chance * (variance + value**2)
        return mean, np.sqrt(np.maximum(square - mean**2, 1e-12))

    def matrix(self, one: Member) -> Floats:
        """[point, point] covariance of the measurements."""
        shape = _kernel(self.numbers, self.words, self.numbers, self.words, one.width, one.slope)
        noise = np.diag((one.noise * self.doubt) ** 2)
        return np.asarray(one.size**2 * shape + noise)

    @property
    def covariance(self) -> Floats:
        """[point, point] of the measurements, averaged over the members."""
        return np.asarray(sum(one.chance * self.matrix(one) for one in self.members))


def _kernel(
    left: Floats, left_words: Words, right: Floats, right_words: Words, width: float, slope: float
) -> Floats:
    """[left, right] covariance of size 1.

    The plane is around the middle of the right ones, and level from a little outside them on.
    """
    square = ((left[:, None] - right[None]) ** 2).sum(axis=-1)
    for at in range(len(right_words[0]) if right_words else 0):
        ours = np.array([words[at] for words in left_words])
        theirs = np.array([words[at] for words in right_words])
        square = square + (ours[:, None] != theirs[None])
    middle = right.mean(axis=0)
    plane = (_near(left, right) - middle) @ (right - middle).T / 4.0
    return np.asarray(np.exp(-0.5 * square / width**2) + slope * plane)


def _near(numbers: Floats, points: Floats) -> Floats:
    """The setups, moved to at most `MARGIN` outside the range of the points."""
    return np.clip(numbers, points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN)


def leave_one_out(processes: Sequence[Process], fits: Sequence[Fit]) -> list[Floats]:
    """For each output [point]: measured less predicted log, each point predicted from all others.

    nan for points without a value. The factors of `fits` are common to the outputs.
    """
    rows = np.concatenate([process.rows for process in processes])
    moved = np.concatenate(
        [fit.slope[process.rows] for process, fit in zip(processes, fits, strict=True)]
    )
    values = np.concatenate([process.values for process in processes])
    matrix = moved @ np.diag(fits[0].prior ** 2) @ moved.T
    ends = np.cumsum([0, *(len(process.rows) for process in processes)])
    for process, start, end in zip(processes, ends, ends[1:], strict=False):
        if end > start:
            matrix[start:end, start:end] += process.covariance
    inverse = np.linalg.inv(matrix)
    pulled = inverse @ (values + moved @ fits[0].theta)
    missed = np.zeros(len(rows))
    for row in np.unique(rows):
        own = np.flatnonzero(rows == row)
        missed[own] = np.linalg.solve(inverse[np.ix_(own, own)], pulled[own])
    found = []
    for process, fit, start, end in zip(processes, fits, ends, ends[1:], strict=False):
        one = np.full(len(fit.slope), np.nan)
        one[process.rows] = missed[start:end]
        found.append(one)
    return found
