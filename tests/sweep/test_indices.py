"""Indices against closed forms, an independent implementation, and their own intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from lineshaft.errors import InputError
from lineshaft.sweep.designs import trajectories
from lineshaft.sweep.indices import (
    Function,
    morris,
    morris_of,
    sobol,
    sobol_design,
    sobol_of,
)
from lineshaft.tables import Array

ISHIGAMI = np.array([[0.3139, 0.4424, 0.0], [0.5576, 0.4424, 0.2437]])
"""S1 and ST at a = 7, b = 0.1: Ishigami and Homma 1990, https://doi.org/10.1109/ISUMA.1990.151285"""
G = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0])
"""Parameters of Sobol's g-function: Saltelli and Sobol 1995."""


def ishigami(u: Array) -> Array:
    x = np.pi * (2.0 * u - 1.0)
    return np.sin(x[0]) + 7.0 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])


def g_function(u: Array) -> Array:
    return np.prod((np.abs(4.0 * u - 2.0) + G[:, None]) / (1.0 + G[:, None]), axis=0)


def g_indices() -> tuple[Array, Array]:
    part = 1.0 / (3.0 * (1.0 + G) ** 2)
    whole = np.prod(1.0 + part) - 1.0
    total = part * np.prod(1.0 + part) / (1.0 + part) / whole
    return part / whole, total


def test_ishigami() -> None:
    found = sobol(ishigami, 3, 8192)
    assert np.abs(found.first - ISHIGAMI[0]).max() < 0.003
    assert np.abs(found.total - ISHIGAMI[1]).max() < 0.003
    assert found.mean == pytest.approx(3.5, abs=0.01)
    assert found.variance == pytest.approx(13.845, rel=0.005)
    assert (found.rows, found.dropped) == (8192, 0)


def test_g_function() -> None:
    found = sobol(g_function, 6, 8192)
    first, total = g_indices()
    assert np.abs(found.first - first).max() < 0.005
    assert np.abs(found.total - total).max() < 0.005


@pytest.mark.parametrize("f", [ishigami, g_function])
def test_the_same_as_salib_on_the_same_points(f: Function) -> None:
    pytest.importorskip("SALib", reason="SALib, the independent implementation, is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what SALib imports
        from SALib.analyze import sobol as salib
    d, n = (3, 512) if f is ishigami else (6, 512)
    values = f(sobol_design(d, n, 1))
    ours = sobol_of(values, d)
    # SALib wants a row of A, its mixtures, and the row of B; its own order of the same points
    a, b, mixed = values[:n], values[n : 2 * n], values[2 * n :].reshape(d, n)
    rows = np.stack([a, *mixed, b], axis=1).ravel()
    problem = {"num_vars": d, "names": [str(i) for i in range(d)], "bounds": [[0.0, 1.0]] * d}
    theirs = salib.analyze(problem, rows, calc_second_order=False, num_resamples=500, seed=1)
    # SALib centres on the mean of all rows, the mixtures too, which S1 feels a little
    assert np.allclose(ours.first, theirs["S1"], rtol=1e-5, atol=5e-6)
    assert np.allclose(ours.total, theirs["ST"], rtol=1e-9, atol=1e-9)
    width = 0.5 * (ours.first_ci[:, 1] - ours.first_ci[:, 0])
    assert np.allclose(width, theirs["S1_conf"], rtol=0.25, atol=0.005)
    width = 0.5 * (ours.total_ci[:, 1] - ours.total_ci[:, 0])
    assert np.allclose(width, theirs["ST_conf"], rtol=0.25, atol=0.005)


def test_morris_is_the_same_as_salib_on_the_same_points() -> None:
    pytest.importorskip("SALib", reason="SALib, the independent implementation, is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from SALib.analyze import morris as salib
    design = trajectories(6, 20, 1)
    points = design.flat
    values = g_function(points)
    ours = morris_of(values, design)
    problem = {"num_vars": 6, "names": list("abcdef"), "bounds": [[0.0, 1.0]] * 6}
    theirs = salib.analyze(problem, points.T, values, num_levels=4, seed=1)
    step = 0.5 * 1.5  # SALib divides by its own jump of 2/3 of the range
    for name in ("mu", "mu_star", "sigma"):
        assert np.allclose(getattr(ours, name) * step, theirs[name], rtol=1e-9)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, times, rows = np.random.default_rng(1), 150, 512
    hits = np.zeros((2, 3))
    for seed in range(times):
        a, b = rng.random((2, 3, rows))
        mixed = [np.where(np.arange(3)[:, None] == i, b, a) for i in range(3)]
        found = sobol_of(ishigami(np.concatenate([a, b, *mixed], axis=1)), 3, seed)
        for k, ends in enumerate((found.first_ci, found.total_ci)):
            hits[k] += (ends[:, 0] <= ISHIGAMI[k]) & (ISHIGAMI[k] <= ends[:, 1])
    # 95 %; a binomial of 150 stays above 0.88 in all but a few of ten thousand cases
    assert (hits / times > 0.88).all()


def test_a_sum_has_no_interactions_and_its_shares_are_known() -> None:
    weights = np.array([3.0, -2.0, 1.0, 0.0])
    found = sobol(lambda u: weights @ u, 4, 4096)
    shares = weights**2 / (weights**2).sum()
    assert np.abs(found.first - shares).max() < 1e-3
    assert np.abs(found.total - shares).max() < 1e-3
    assert found.total[3] == found.first[3] == 0.0
    assert (found.total_ci[3] == 0.0).all()


def test_shift_and_scale_change_nothing() -> None:
    found = sobol(ishigami, 3, 256)
    moved = sobol(lambda u: 1e6 + 1e-3 * ishigami(u), 3, 256)
    assert np.allclose(moved.first, found.first, atol=1e-6)
    assert np.allclose(moved.total_ci, found.total_ci, atol=1e-6)


def test_morris_of_a_line_and_of_a_product() -> None:
    found = morris(lambda u: 3.0 * u[0] - 2.0 * u[1] + 4.0 * u[2] * u[3], 4, 200)
    assert np.allclose(found.mu_star[:2], [3.0, 2.0])
    assert np.allclose(found.mu[:2], [3.0, -2.0])
    assert np.allclose(found.sigma[:2], 0.0)
    assert np.allclose(found.mu_star[2:], 2.0, atol=0.2)  # 4 times the mean of the other
    assert (found.sigma[2:] > 0.5).all()
    assert (found.mu_star_ci[:, 0] <= found.mu_star + 1e-12).all()
    assert (found.mu_star <= found.mu_star_ci[:, 1] + 1e-12).all()
    assert (found.sigma_ci[2:, 0] < found.sigma[2:]).all()


def test_rows_without_an_answer_are_left_out_and_counted() -> None:
    design = sobol_design(3, 64, 1)
    values = ishigami(design)
    values[5] = np.nan  # in A
    values[64 * 3 + 9] = np.inf  # in a mixture
    found = sobol_of(values, 3)
    assert (found.rows, found.dropped) == (62, 2)
    assert np.isfinite(found.first_ci).all()


def test_where_nothing_can_be_said() -> None:
    with pytest.raises(InputError, match="the same at every point"):
        sobol(lambda u: np.ones(u.shape[1]), 2, 64)
    with pytest.raises(InputError, match="the same at every point"):  # but for rounding
        sobol(lambda u: 1e9 + 1e-7 * u[0], 2, 64)
    with pytest.raises(InputError, match="4 rows with an answer"):
        sobol(ishigami, 3, 4)
    with pytest.raises(InputError, match="0 rows with an answer, 16 without"):
        morris(lambda u: np.full(u.shape[1], np.nan), 2, 16)
