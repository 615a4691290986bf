"""Plans over the months."""

from __future__ import annotations

import numpy as np

from lineshaft.parameters.plans import by_month, plan

NO_GROWTH = np.zeros(1)


def test_growth_without_a_path() -> None:
    found = plan(np.array([100.0, 200.0]), np.array([0.21]), {}, "2026-01", 25)
    assert found.shape == (25, 2)
    np.testing.assert_allclose(found[[0, 12, 24]], [[100, 200], [121, 242], [146.41, 292.82]])


def test_lines_through_the_path_and_growth_after_it() -> None:
    found = plan(np.array([10.0]), np.array([0.1]), {"2026-05": 50, "2026-07": 30}, "2026-01", 19)
    np.testing.assert_allclose(found[[0, 2, 4, 5, 6], 0], [10, 30, 50, 40, 30])
    np.testing.assert_allclose(found[18, 0], 33)


def test_the_first_value_is_drawn_and_the_path_is_not() -> None:
    found = plan(np.array([0.0, 20.0]), NO_GROWTH, {"2026-03": 40}, "2026-01", 4)
    np.testing.assert_allclose(found, [[0, 20], [20, 30], [40, 40], [40, 40]])


def test_a_path_that_begins_before_the_scenario() -> None:
    found = plan(np.array([7.0]), NO_GROWTH, {"2025-11": 10, "2026-03": 30}, "2026-01", 3)
    np.testing.assert_allclose(found[:, 0], [20, 25, 30])


def test_rows_of_both_widths() -> None:
    assert by_month([np.ones((3, 1)), np.ones((3, 4))], 3).shape == (3, 2, 4)
    assert by_month([], 3).shape == (3, 0, 1)
