"""Spread work gives what work one after another gives."""

from __future__ import annotations

import os

import pytest

from lineshaft.errors import ConservationError, InputError, Problem
from lineshaft.parallel import parallel


def add(common: int, item: int) -> tuple[int, int]:
    return common + item, os.getpid()


def refuse(common: int, item: int) -> int:
    raise InputError([Problem("a.toml:3", "x", "wrong")] * item)


def leak(common: int, item: int) -> int:
    raise ConservationError("plant", "energy", "2026-01", 0.5)


@pytest.mark.parametrize("pieces", [0, 1, 2, 9])
def test_results_come_in_order(pieces: int) -> None:
    with parallel(add, 100, pieces) as solve:
        assert [total for total, _ in solve(range(pieces))] == [100 + i for i in range(pieces)]


def test_one_piece_of_work_stays_here() -> None:
    with parallel(add, 0, 1) as solve:
        assert [pid for _, pid in solve(range(1))] == [os.getpid()]


def test_errors_come_through_whole() -> None:
    with pytest.raises(InputError) as caught, parallel(refuse, 0, 5) as solve:
        list(solve([2] * 5))
    assert len(caught.value.problems) == 2 and caught.value.problems[0].key == "x"
    with pytest.raises(ConservationError, match="energy") as broken, parallel(leak, 0, 5) as solve:
        list(solve(range(5)))
    assert (broken.value.stage, broken.value.residual) == ("plant", 0.5)
