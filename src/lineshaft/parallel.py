"""Work spread over the processors of this machine, in the order in which it was given.

Processes are forked, so what all of them need is inherited and not copied. Where forking is not
to be had, or there is one piece of it, the work is done here, one piece after another: the results
are the same.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

C = TypeVar("C")
T = TypeVar("T")
R = TypeVar("R")

WATCH_S = 0.5
"""How often a worker process looks whether its parent still lives."""
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
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield lambda items: (work(common, item) for item in items)
        return
    context = multiprocessing.get_context("fork")
    given = (work, common, os.getpid())
    with ProcessPoolExecutor(workers, context, _inherit, given) as pool:
        yield lambda items: pool.map(_do, items)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _inherit(work: Any, common: Any, parent: int) -> None:
    _inherited[:] = [work, common]
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process soon after its parent: one that was killed cannot end its own workers."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _do(item: Any) -> Any:
    work, common = _inherited
    return work(common, item)
