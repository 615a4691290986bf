"""Work spread over the processors of this machine, in the order in which it was given.

Processes are forked, so what all of them need is inherited and not copied. Where forking is not
to be had, or there is little to do, the work is done here, one piece after another: the results
are the same.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

C = TypeVar("C")
T = TypeVar("T")
R = TypeVar("R")

FEW = 3
"""Pieces of work for which starting processes does not pay."""

_inherited: list[Any] = []
"""In a worker process: what all pieces of work have in common, and what does the work."""


@contextmanager
def parallel(
    work: Callable[[C, T], R], common: C, pieces: int, workers: int | None = None
) -> Iterator[Callable[[Iterable[T]], Iterator[R]]]:
    """A function that maps items to `work(common, item)`, in order.

    `work` is a function of a module; `workers` is the number of processes, one per processor where
    it is None. Errors come through as they were raised.
    """
    workers = min(workers or processors(), pieces)
    if workers < 2 or pieces < FEW or "fork" not in multiprocessing.get_all_start_methods():
        yield lambda items: (work(common, item) for item in items)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, _inherit, (work, common)) as pool:
        yield lambda items: pool.map(_do, items)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _inherit(work: Any, common: Any) -> None:
    _inherited[:] = [work, common]


def _do(item: Any) -> Any:
    work, common = _inherited
    return work(common, item)
