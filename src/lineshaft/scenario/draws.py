"""Draws of all uncertain inputs of a scenario, and the named random streams of a run.

Scrambled Sobol points (Owen 1998, as in `scipy.stats.qmc`), joined by a Gaussian copula where
inputs are correlated, then mapped through the quantile function of each input. Sobol points keep
their balance only in whole powers of two, so the number of draws is rounded up to one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.scenario.distributions import Distribution, Floats
from lineshaft.words import suggestion

Correlation = Mapping[tuple[str, str], float]
"""Correlation of the normal scores of two inputs, by their paths; order does not matter."""

MOST = 2**20
"""Draws of one run; beyond it a number was most likely mistyped."""
_HALF_CELL = 2.0**-31
"""Sobol points of scipy are multiples of 2**-30; the half keeps them off 0, where quantiles end."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Values of every driver: column 0 is the median case, columns 1 to n are the draws."""

    n: int
    """The number of draws, without the median case."""
    values: Mapping[str, Floats]
    """(1 + n,) read-only values by path, in the order of the sorted paths."""

    def __getitem__(self, path: str) -> Floats:
        """(1 + n,) values of one driver; KeyError when it is none."""
        return self.values[path]

    def __contains__(self, path: object) -> bool:
        return path in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def of(self, path: str, number: Distribution) -> Floats | float:
        """The draws of `path` where it is a driver, else the plain median of `number`."""
        found = self.values.get(path)
        return number.median if found is None else found

    def slice(self, start: int, stop: int) -> Draws:
        """Draws `start` to `stop` (0-based, without the median case), median case kept first."""
        columns = np.concatenate([[0], 1 + np.arange(self.n)[start:stop]])
        chunk = {path: _read_only(row[columns]) for path, row in self.values.items()}
        return Draws(len(columns) - 1, chunk)


def sample(
    drivers: Mapping[str, Distribution],
    n: int,
    seed: int,
    correlation: Correlation | None = None,
    uniform: Iterable[str] = (),
) -> Draws:
    """Draws of `drivers` (and of `uniform` ones on 0 to 1, with 0.5 as their median case).

    n is rounded up to a power of two; n = 0 gives the median case alone. The result depends only
    on the sorted paths, the distributions, the correlations and the seed. Raises `InputError` when
    there are too many draws, when a correlation names an unknown input or is not within -1 to 1,
    and when all correlations together cannot hold.
    """
    if n > MOST:
        raise InputError(Problem("", "--draws", f"{n:,} draws", f"at most {MOST:,}"))
    extra = set(uniform)
    both = sorted(extra & drivers.keys())
    if both:
        raise ValueError(f"drivers named twice: {', '.join(both)}")
    paths = tuple(sorted(extra | drivers.keys()))
    factor = _copula(paths, correlation or {})
    count = power_of_two(n)
    u = sobol_points(len(paths), count, seed, "draws")
    if factor is not None and count:
        rows, lower = factor
        u[rows] = _correlate(u[rows], lower)
    values = {}
    for row, path in enumerate(paths):
        driver = drivers.get(path)
        median = 0.5 if driver is None else driver.median
        draws = u[row] if driver is None or not count else driver.ppf(u[row])
        values[path] = _read_only(np.concatenate([[median], draws]))
    return Draws(count, values)


def stream(seed: int, name: str) -> np.random.Generator:
    """The random stream of `name` in a run: adding another name never shifts this one."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], dtype="<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words.tolist()])))


def power_of_two(n: int) -> int:
    """`n` rounded up to a power of two; 0 where it is 0."""
    return 1 << (n - 1).bit_length() if n > 0 else 0


def sobol_points(dimensions: int, count: int, seed: int, name: str) -> Floats:
    """(dimension, count) scrambled Sobol points strictly inside 0 to 1, of the stream `name`.

    `count` is rounded up to a power of two.
    """
    if not dimensions or not count:
        return np.empty((dimensions, count))
    from scipy.stats import qmc

    sampler = qmc.Sobol(dimensions, scramble=True, rng=stream(seed, name))
    points = sampler.random_base2(power_of_two(count).bit_length() - 1)
    return np.ascontiguousarray(points.T) + _HALF_CELL


def _correlate(u: Floats, lower: Floats) -> Floats:
    from scipy.special import ndtr, ndtri

    # einsum and not @: a BLAS may sum in another order on another number of threads.
    return np.asarray(ndtr(np.einsum("ij,jn->in", lower, ndtri(u))), dtype=float)


def _copula(paths: tuple[str, ...], correlation: Correlation) -> tuple[list[int], Floats] | None:
    """Rows of the correlated drivers and the Cholesky factor of their correlation matrix."""
    problems = [
        problem for pair, rho in correlation.items() for problem in _check(paths, pair, rho)
    ]
    if problems:
        raise InputError(problems)
    names = sorted({path for pair in correlation for path in pair})
    if not names:
        return None
    matrix: Floats = np.eye(len(names))
    for (a, b), rho in correlation.items():
        i, j = names.index(a), names.index(b)
        if matrix[i, j] not in (0.0, rho):
            raise InputError(_problem((a, b), f"is given twice, as {matrix[i, j]:g} and {rho:g}"))
        matrix[i, j] = matrix[j, i] = rho
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < 1e-10:
        raise InputError(_inconsistent(names, matrix, float(values[0]), vectors[:, 0]))
    return [paths.index(name) for name in names], np.asarray(
        np.linalg.cholesky(matrix), dtype=float
    )


def _check(paths: tuple[str, ...], pair: tuple[str, str], rho: float) -> Iterator[Problem]:
    for path in pair:
        if path not in paths:
            fix = suggestion(path, paths) or "give that input a range"
            yield _problem(pair, f"{path!r} is not an uncertain input", "uncertain inputs", fix)
    if pair[0] == pair[1]:
        yield _problem(pair, "an input is correlated with itself", "two different inputs")
    if not -1 < rho < 1:
        yield _problem(pair, f"correlation {rho:g}", "above -1 and below 1")


def _inconsistent(names: list[str], matrix: Floats, least: float, vector: Floats) -> Problem:
    """Names the pairs that make the matrix impossible: those that its worst direction mixes."""
    involved = [i for i in range(len(names)) if abs(vector[i]) > 1e-6]
    pairs = [
        f"{names[i]} ~ {names[j]} = {matrix[i, j]:g}"
        for k, i in enumerate(involved)
        for j in involved[k + 1 :]
        if matrix[i, j] != 0
    ]
    # I + t (R - I) has the eigenvalues 1 + t (value - 1), which are positive below this t.
    scale = math.floor(99.9 / (1 - least)) / 100
    return Problem(
        where="",
        key="correlation",
        found=f"these correlations cannot hold together: {', '.join(pairs)}",
        allowed="a positive definite correlation matrix",
        fix=f"bring them closer to 0, for example all of them times {scale:g}",
    )


def _problem(pair: tuple[str, str], found: str, allowed: str = "", fix: str = "") -> Problem:
    return Problem("", f"correlation {pair[0]} ~ {pair[1]}", found, allowed, fix)


def _read_only(row: Floats) -> Floats:
    row.flags.writeable = False
    return row
