"""The same answers, in order and bit for bit, whoever does the work."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lineshaft.errors import InputError, Problem
from lineshaft.sweep import sweep
from lineshaft.sweep.executors import EXECUTORS, Processes, Ray, named

WITHOUT_RAY = importlib.util.find_spec("ray") is None


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """A local Ray of two processors that shows nothing and tells nobody."""
    if WITHOUT_RAY:
        pytest.skip('Ray is not installed: pip install "lineshaft[ray]"')
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # Ray's own warnings about itself are not the sweep's
        warnings.simplefilter("ignore")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        import ray

        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        ray.init(address="local", num_cpus=2, **quiet)
        yield
        ray.shutdown()


def _scaled(common: float, item: int) -> float:
    if item < 0:
        raise InputError(Problem("", "item", f"{item} is below 0"))
    return float(np.exp(common * item))


@pytest.mark.parametrize("workers", [1, 2])
def test_processes_answer_in_order(workers: int) -> None:
    found = list(Processes(workers).map(_scaled, 0.1, range(20)))
    assert found == [_scaled(0.1, item) for item in range(20)]


def test_an_error_comes_through_as_it_was_raised() -> None:
    with pytest.raises(InputError, match="-3 is below 0"):
        list(Processes(2).map(_scaled, 0.1, [1, 2, -3, 4]))


def test_unknown_executor() -> None:
    with pytest.raises(InputError, match="did you mean 'processes'"):
        named("proceses")
    assert [type(named(name)) for name in EXECUTORS[:1]] == [Processes]


def test_ray_that_is_absent_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "lineshaft\[ray\]"'):
        named("ray")


@pytest.mark.usefixtures("ray_here")
def test_ray_answers_in_order_and_raises_as_it_was_raised() -> None:
    assert list(Ray().map(_scaled, 0.1, range(20))) == [_scaled(0.1, item) for item in range(20)]
    with pytest.raises(InputError, match="-3 is below 0"):
        list(Ray(2).map(_scaled, 0.1, [1, 2, -3, 4]))


@pytest.mark.usefixtures("ray_here")
def test_ray_gives_the_same_rows(tmp_path: Path) -> None:
    asked = ["value.wacc=0.08..0.12:3", "oversee.role.reviewer.headcount=2,3"]
    source = Path(__file__).parents[2] / "src/lineshaft/examples/warehouse.toml"
    by_ray = sweep(source, asked, tmp_path / "ray", executor="ray", draws=2)
    by_processes = sweep(source, asked, tmp_path / "processes", draws=2)
    assert by_ray.table.num_rows == 6
    for name in ("results.parquet", "sweep.json", "scenario.toml"):
        assert (by_ray.folder / name).read_bytes() == (by_processes.folder / name).read_bytes()
