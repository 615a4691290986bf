"""Shipped scenarios solved once for all tests that look at them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lineshaft.line import Outcome
from lineshaft.runs import Run

# In continuous integration the same examples each time: a change breaks a test, not chance.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def curves_of_this_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep curves in a folder of this test session, so that no test reads the user's cache."""
    folder = tmp_path_factory.mktemp("curves")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINESHAFT_CACHE", str(folder))
        yield folder


def _solved(name: str, draws: int = 0) -> Outcome:
    import lineshaft

    return lineshaft.solve(lineshaft.read(name), draws=draws)


@pytest.fixture(scope="session")
def gigawatt() -> Outcome:
    return _solved("gigawatt")


@pytest.fixture(scope="session")
def gigawatt_drawn() -> Outcome:
    return _solved("gigawatt", draws=64)


@pytest.fixture(scope="session")
def warehouse() -> Outcome:
    return _solved("warehouse")


@pytest.fixture(scope="session")
def claimed() -> Outcome:
    return _solved("claimed-9t")


@pytest.fixture(scope="session")
def gigawatt_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The shipped example in its run folder, with 16 draws. Not to be written into."""
    import lineshaft

    folder = tmp_path_factory.mktemp("runs") / "gigawatt"
    return lineshaft.record(lineshaft.read("gigawatt"), folder, draws=16, sensitivity=False)
