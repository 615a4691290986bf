"""How much of the spread of a figure rests on what nobody knows well.

`confidence_share` splits the variance over the draws of a run, without another evaluation. The
figure is regressed on Legendre polynomials of the rank of every input, all together, and each
input gets Cov(its part, the figure) / Var(the figure), less what chance alone gives it:

    share_i = (f_iᵀ(y − ȳ) − p_i s²) / (y − ȳ)ᵀ(y − ȳ)

with p_i terms of the input and s² the variance of the residual. Shares of independent inputs are
their first-order indices; those of correlated ones hold what they have in common. Together they
are the adjusted R²; the rest is interactions, which no share counts, so that the share of a group
is the least that rests on it. (Drawing the others anew while a group is kept, which sees what its
members do together, gave 0.16 ± 0.02 for the low confidence of the shipped gigawatt and 0.75 ±
0.01 of the warehouse, where this gives 0.10 and 0.63 from 1,024 draws.)
    Li, Rabitz et al. 2010, J. Phys. Chem. A 114:6022, doi.org/10.1021/jp9096919 (the covariance
    decomposition); Sudret 2008, doi.org/10.1016/j.ress.2007.04.002 (shares from polynomials).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from lineshaft.kpis import VALUE
from lineshaft.line import Outcome
from lineshaft.parameters.build import LUCK
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario
from lineshaft.scenario.inputs import Input, uncertain_inputs
from lineshaft.tables import Array

FEWEST_DRAWS = 256
"""Draws below which the variance is not split."""
MOST_DEGREES = 8
"""Degree of the polynomials where there are draws enough."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How the variance of a figure is shared out over inputs."""

    share: Array
    """[input] share of the variance; may be a little below 0 where there is none."""
    terms: int
    """Terms of the regression per input."""
    parts: Array
    """[input, draw] what each input adds to the figure, in standard deviations of it."""
    figure: Array
    """[draw] the figure, without its mean, in standard deviations."""
    rest: float
    """Variance of the residual, over that of the figure."""

    def of(self, some: NDArray[np.bool_]) -> tuple[float, float]:
        """Share of some inputs together, and its standard error.

        The error is that of a mean of products over the draws, as if they were independent, and of
        the coefficients; Sobol points do better.
        """
        share, n = float(self.share[some].sum()), len(self.figure)
        product = self.parts[some].sum(axis=0) * self.figure - share * self.figure**2
        fitted = 2.0 * self.terms * some.sum() * (self.rest / n) ** 2
        return share, math.sqrt(float(product.var()) / n + fitted)


def variance_shares(inputs: Array, figure: Array) -> Shares | None:
    """Share of the variance of `figure` [draw] that each of `inputs` [input, draw] has alone.

    Polynomials are of as high a degree, up to 8, as leaves eight draws for three terms. None where
    there is nothing to explain, or less than four draws for three inputs.
    """
    n, deviation = len(figure), float(figure.std())
    if not np.isfinite(figure).all() or deviation <= 1e-12 * float(np.abs(figure).max(initial=0.0)):
        return None
    varied = np.ptp(inputs, axis=1) > 0
    count = int(varied.sum())
    if not count or 4 * count > 3 * n:
        return None
    degree = min(max(3 * n // (8 * count), 1), MOST_DEGREES)
    x = _ranks(inputs[varied])
    scale = np.sqrt(2.0 * np.arange(degree + 1) + 1.0)
    basis = np.moveaxis(legvander(x, degree) * scale, -1, 0)[1:]
    y = (figure - figure.mean()) / deviation
    design = np.concatenate([np.ones((1, n)), *basis]).T
    # normal equations, since the terms are all but orthogonal; held up where two are the same
    gram = design.T @ design + 1e-9 * n * np.eye(design.shape[1])
    weights = np.linalg.solve(gram, design.T @ y)
    rest = float(((y - design @ weights) ** 2).sum()) / (n - design.shape[1])
    by_degree = weights[1:].reshape(degree, count)
    parts = np.zeros(inputs.shape)
    parts[varied] = np.einsum("ki,kin->in", by_degree, basis)
    share = parts @ y / n
    share[varied] -= degree * rest / n
    return Shares(share, degree, parts, y, rest)


def _ranks(inputs: Array) -> Array:
    """[input, draw] ranks over (−1, 1); equal values share the mean of theirs."""
    found = np.empty(inputs.shape)
    for row, values in zip(found, inputs, strict=True):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        last = np.cumsum(count)
        row[:] = ((2 * last - count) / len(values) - 1.0)[place]
    return found


@dataclass(frozen=True, slots=True)
class Confidence:
    """What the spread of a figure rests on."""

    low_share: float
    """Share of the variance that inputs of low confidence have alone: the least that rests on
    them."""
    low_share_se: float
    unrated_share: float
    """Share that inputs without a confidence have alone: those that somebody wrote."""
    next: Input
    """The input with the largest share: to know it better would remove most."""
    next_share: float
    explained: float
    """Share of the variance that all inputs have alone; the rest is interactions."""


def confidence_share(scenario: Scenario, outcome: Outcome, kpi: str = VALUE) -> Confidence | None:
    """What the variance of a figure over the draws of `outcome` rests on.

    None with fewer than 256 draws, or where the figure does not vary or is not always there. A
    number that somebody wrote into the scenario without a confidence is not of low confidence.
    """
    if outcome.draws < FEWEST_DRAWS:
        return None
    drawn = draw(scenario, outcome.draws, scenario.seed)
    inputs = list(uncertain_inputs(scenario))
    # luck is no datum: it cannot be bought, but it has its share
    rows = np.array([drawn[path][1:] for path in (*(one.path for one in inputs), LUCK)])
    found = variance_shares(rows, outcome[kpi].draws)
    if found is None or not inputs:
        return None
    said = np.array([*(one.confidence for one in inputs), "luck"])
    low, se = found.of(said == "low")
    unrated, _ = found.of(said == "")
    first = int(found.share[:-1].argmax())
    share, explained = float(found.share[first]), float(found.share.sum())
    return Confidence(low, se, unrated, inputs[first], share, explained)
