"""In a notebook: things show themselves, complete by Tab, and hand over to other libraries."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import lineshaft
from lineshaft.contracts.tables import Tables
from lineshaft.line import Outcome
from lineshaft.scenario import Scenario

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks/gigawatt.py"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return lineshaft.read("warehouse", overrides=['name="<Ware & house>"'])


def cells(html: str) -> list[list[str]]:
    """The rows of an HTML table; it must be well-formed."""
    return [["".join(cell.itertext()) for cell in row] for row in ElementTree.XML(html).iter("tr")]


def test_a_scenario_shows_what_was_asked(scenario: Scenario) -> None:
    html = scenario._repr_html_()
    rows = dict(cells(html))
    assert rows["plant"] == "site warehouse"
    assert "runway_months 3.00 months to 6.00 months" in rows["capital"]
    assert "robots stowing, carrying, last mile" in rows["floor"]
    assert "build" not in rows  # took its defaults
    assert "&lt;Ware &amp; house&gt;: 60 months from 2026-01" in html


def test_a_scenario_completes_its_keys(scenario: Scenario) -> None:
    assert set(Scenario.model_fields) <= set(dir(scenario))
    assert not [name for name in dir(scenario) if name.startswith("__")]
    assert scenario.model_copy(update={"seed": 2}).seed == 2


def test_an_outcome_shows_and_completes_its_figures(warehouse: Outcome) -> None:
    rows = cells(warehouse._repr_html_())
    assert [name for name, *_ in rows] == warehouse._ipython_key_completions_()
    assert all(warehouse[name].text == text for name, text, _ in rows)
    assert {"tables", "kpis", "draws"} <= set(dir(warehouse))
    assert set(Tables.types()) <= set(dir(warehouse.tables))


def test_a_table_shows_its_columns(warehouse: Outcome) -> None:
    table = warehouse.tables.states
    _, *rows = cells(table._repr_html_())
    assert [(name, unit) for name, unit, *_ in rows] == [(c.name, c.unit) for c, _ in table]
    assert {c.name for c, _ in table} <= set(dir(table))


@pytest.mark.parametrize("name", Tables.types())
def test_every_table_hands_over_the_same_rows(name: str, gigawatt: Outcome) -> None:
    table = getattr(gigawatt.tables, name)
    wanted = table.to_arrow().to_pylist()
    assert pl.DataFrame(table).to_dicts() == wanted
    frame = pd.DataFrame.from_arrow(table)
    assert list(frame.columns) == table.to_arrow().column_names
    assert frame.astype(object).to_dict("records") == wanted
    assert duckdb.from_arrow(table).to_arrow_table().to_pylist() == wanted


def test_duckdb_asks_a_table_by_its_name(gigawatt: Outcome) -> None:
    states = gigawatt.tables.states
    (found,) = duckdb.sql("select sum(installed) from states where month = '2035-12'").fetchall()
    assert found[0] == pytest.approx(states.installed[-1].sum(), rel=1e-12)


def test_units_travel_along(gigawatt: Outcome) -> None:
    schema = pa.table(gigawatt.tables.powered).schema
    assert schema.field("facility_j").metadata[b"unit"] == b"J"


def test_the_code_of_the_page_runs() -> None:
    page = (ROOT / "docs/notebooks.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    assert len(blocks) >= 3
    assert isinstance(names["outcome"], Outcome)
    assert names["states"] is names["outcome"].tables.states


def test_the_marimo_notebook_runs_and_is_in_order() -> None:
    done = subprocess.run(
        [sys.executable, str(NOTEBOOK)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.strip().splitlines()
    assert first.startswith("first power after ") and "worth $" in first
    assert second == "60 rows of crews, 120 months of states"
    checked = subprocess.run(
        [sys.executable, "-m", "marimo", "check", "--strict", str(NOTEBOOK)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
