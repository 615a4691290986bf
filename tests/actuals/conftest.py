"""A short run of the shipped warehouse, for all tests of plan against actual."""

from __future__ import annotations

import pytest

import lineshaft
from lineshaft.runs import Run


@pytest.fixture(scope="session")
def warehouse_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three months, median case. Not to be written into."""
    folder = tmp_path_factory.mktemp("runs") / "warehouse"
    scenario = lineshaft.read("warehouse", overrides=["months=3"])
    return lineshaft.record(scenario, folder, sensitivity=False)
