"""Points to look at: even, inside, and for Morris one step at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.scenario.draws import sobol_points
from lineshaft.sweep.designs import points, trajectories


@pytest.mark.parametrize("method", ["sobol", "random", "morris"])
def test_points_are_inside_and_follow_the_seed(method: str) -> None:
    found = points(method, 5, 16, 1)
    assert found.shape == (5, 16 * 6 if method == "morris" else 16)
    assert (found > 0).all() and (found < 1).all()
    assert (found == points(method, 5, 16, 1)).all()
    assert (found != points(method, 5, 16, 2)).any()


def test_sobol_points_fill_every_cell_once() -> None:
    found = sobol_points(7, 100, 1, "sweep")  # rounded up
    assert found.shape == (7, 128)
    cells = np.floor(found * 128).astype(int)
    assert (np.sort(cells, axis=1) == np.arange(128)).all()
    assert sobol_points(3, 1, 1, "sweep").shape == (3, 1)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 10), st.integers(0, 99))
def test_walks_change_each_input_once(dimensions: int, walks: int, seed: int) -> None:
    found = trajectories(dimensions, walks, seed)
    steps = np.diff(found.points, axis=1)
    assert found.points.shape == (walks, dimensions + 1, dimensions)
    assert (np.count_nonzero(steps, axis=2) == 1).all()
    assert (np.abs(steps).max(axis=2) == 0.5).all()
    assert (np.abs(steps).argmax(axis=2) == found.order).all()
    assert set(np.unique(found.points)) <= {0.125, 0.375, 0.625, 0.875}


def test_effects_of_a_straight_line_are_its_slopes() -> None:
    found = trajectories(4, 6, 1)
    slopes = np.array([3.0, -2.0, 0.0, 0.5])
    effects = found.effects(found.points @ slopes)
    assert np.allclose(effects, slopes)
