"""Who does the work: processes of this machine, or a Ray cluster. Both give the same answers.

    class Executor(Protocol):
        def map(self, work, common, items) -> Iterator: ...

`work` is a function of a module, `common` what all pieces of work share; `work(common, item)` of
each item comes back in the order of the items, and its errors come through as they were raised.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from lineshaft.errors import InputError, Problem
from lineshaft.parallel import parallel, processors
from lineshaft.words import suggestion

C = TypeVar("C")
T = TypeVar("T")
R = TypeVar("R")

EXECUTORS = ("processes", "ray")


class Executor(Protocol):
    """Maps work over items, in order."""

    def map(self, work: Callable[[C, T], R], common: C, items: Sequence[T]) -> Iterator[R]:
        """`work(common, item)` of each item, in the order of the items."""
        ...


@dataclass(frozen=True)
class Processes:
    """Forked processes of this machine."""

    workers: int | None = None
    """How many; one per processor where it is None."""

    def map(self, work: Callable[[C, T], R], common: C, items: Sequence[T]) -> Iterator[R]:
        """`work(common, item)` of each item, in the order of the items."""
        with parallel(work, common, len(items), self.workers) as do:
            yield from do(items)


@dataclass(frozen=True)
class Ray:
    """A Ray cluster: the one that RAY_ADDRESS names, else a local one.

    Every node needs the same version of lineshaft. Only as many pieces are under way as the
    cluster has processors (or as `workers` says), twice over, so that results do not pile up.
    """

    workers: int | None = None

    def map(self, work: Callable[[C, T], R], common: C, items: Sequence[T]) -> Iterator[R]:
        """`work(common, item)` of each item, in the order of the items."""
        ray = _ray()
        own = not ray.is_initialized()
        if own:
            _start(ray, self.workers)
        try:
            limit = 2 * (self.workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
            remote = ray.remote(_told).options(num_cpus=1, max_retries=2)
            shared = ray.put((work, common))
            under_way: deque[Any] = deque()
            for item in items:
                if len(under_way) >= limit:
                    yield _answer(ray.get(under_way.popleft()))
                under_way.append(remote.remote(shared, item))
            while under_way:
                yield _answer(ray.get(under_way.popleft()))
        finally:
            if own:
                ray.shutdown()


def named(name: str, workers: int | None = None) -> Executor:
    """The executor of that name. Raises InputError for an unknown one, or where Ray is absent."""
    if name == "processes":
        return Processes(workers)
    if name == "ray":
        _ray()
        return Ray(workers)
    fix = suggestion(name, EXECUTORS)
    raise InputError(Problem("", "--executor", f"no executor {name!r}", ", ".join(EXECUTORS), fix))


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        problem = Problem(
            "",
            "--executor",
            "Ray is not installed",
            "processes, which need nothing more",
            'pip install "lineshaft[ray]"',
        )
        raise InputError(problem) from error
    return ray


def _start(ray: Any, workers: int | None) -> None:
    """Join a cluster that is there, else start a local one that tells nobody and shows nothing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet = {"logging_level": "ERROR", "log_to_driver": False}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    ray.init(address="local", num_cpus=workers or processors(), include_dashboard=False, **quiet)


def _told(shared: tuple[Callable[[Any, Any], Any], Any], item: Any) -> tuple[bool, Any]:
    """The answer, or the error as it was raised: Ray would wrap it in one of its own."""
    work, common = shared
    try:
        return True, work(common, item)
    except Exception as error:
        return False, error


def _answer(told: tuple[bool, Any]) -> Any:
    done, answer = told
    if not done:
        raise answer
    return answer
