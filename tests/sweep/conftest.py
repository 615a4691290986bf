"""The warehouse, the quickest of the shipped scenarios, as a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.sweep.template import Template


@pytest.fixture(scope="session")
def warehouse_file() -> Path:
    return Path(__file__).parents[2] / "src/lineshaft/examples/warehouse.toml"


@pytest.fixture(scope="session")
def template(warehouse_file: Path) -> Template:
    return Template.of(warehouse_file)
