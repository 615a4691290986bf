"""Laws of the collectives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.transformer.collectives import (
    all_gather_s,
    all_reduce_s,
    all_to_all_s,
    hierarchical_all_gather_s,
    hierarchical_all_reduce_s,
    point_to_point_s,
)

RANKS = st.integers(1, 4096)
BYTES = st.floats(1, 1e12)


def test_one_rank_is_free() -> None:
    for collective in (all_gather_s, all_reduce_s, all_to_all_s):
        assert collective(1e9, 1, 1e9, 1e-5) == 0


@given(BYTES, RANKS)
def test_ring_all_reduce_is_reduce_scatter_and_all_gather(n: float, k: int) -> None:
    ring = 2 * all_gather_s(n, k, 1e11, 5e-6)
    assert all_reduce_s(n, k, 1e11, 5e-6) <= ring * (1 + 1e-12)
    assert all_reduce_s(n, k, 1e11, 0.0) == pytest.approx(2 * (k - 1) / k * n / 1e11)


def test_trees_win_small_messages_on_many_ranks() -> None:
    assert all_reduce_s(8, 1024, 1e11, 1e-5) == pytest.approx(2 * 10 * 1e-5, rel=1e-3)
    assert all_to_all_s(1e9, 8, 1e9, 0.0) == pytest.approx(7 / 8)
    assert point_to_point_s(1e9, 1e9, 0.5) == 1.5


@given(BYTES, st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 16]))
def test_two_levels_of_one_speed_move_as_much_as_one(n: float, local: int, remote: int) -> None:
    flat = all_gather_s(n, local * remote, 1e10, 0.0)
    two = hierarchical_all_gather_s(n, local, remote, 1e10, 1e10, 0.0, 0.0)
    assert two == pytest.approx(flat)
    reduce = hierarchical_all_reduce_s(n, local, remote, 1e10, 1e10, 0.0, 0.0)
    assert reduce == pytest.approx(all_reduce_s(n, local * remote, 1e10, 0.0))


def test_arrays_give_what_floats_give() -> None:
    k = np.array([1.0, 2.0, 64.0])
    many = np.asarray(all_reduce_s(1e6, k, 1e10, 1e-6))
    assert many.tolist() == [float(all_reduce_s(1e6, n, 1e10, 1e-6)) for n in (1.0, 2.0, 64.0)]
