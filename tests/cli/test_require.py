"""`lineshaft require` as a user lives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import lineshaft
from lineshaft.cli import require
from lineshaft.errors import InputError, RunError


def ask(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(require.require)
    return CliRunner().invoke(app, list(arguments))


def test_a_worth_and_the_scenario_that_it_takes(tmp_path: Path) -> None:
    """The chain, the first impossible joint, the largest worth and the cycle; and a scenario whose
    forward run gives the worth."""
    file = tmp_path / "nine.toml"
    told = ask("gigawatt", "--value", "9.3T", "-o", str(file))
    assert told.exit_code == 0
    for part in ("a worth of $9.30T", "It is ", "The largest worth", "The cycle", "Pools"):
        assert part in told.stdout
    assert f"Scenario: {file}" in told.stderr
    assert "characteris" not in told.stdout
    worth = lineshaft.solve(lineshaft.read(file))["value.enterprise_value_usd"].value
    assert worth == pytest.approx(9.3e12, rel=0.01)
    again = ask("gigawatt", "--value", "9.3T", "-o", str(file))
    assert isinstance(again.exception, RunError)


def test_json_is_one_object_on_stdout() -> None:
    told = ask("warehouse", "--daa", "10k", "--by", "2028", "--json")
    found = json.loads(told.stdout)
    assert found["target"]["kind"] == "daa"
    assert found["amount"] == pytest.approx(1e4, rel=0.01)
    assert found["held_by"]


def test_overrides_and_shares_change_what_can_be_reached() -> None:
    """A hundredth of the world's GDP, or of the share of it that one firm may take."""
    plain, smaller, changed = (
        json.loads(ask("warehouse", "--revenue", "1B", "--json", *more).stdout)
        for more in ((), ("--share", "revenue=0.02 %"), ("--set", "value.world_gdp_usd=1 TUSD"))
    )
    reach = [
        next(j["reachable"][0] for j in found["joints"] if j["joint"] == "revenue")
        for found in (plain, smaller, changed)
    ]
    assert reach[1] == pytest.approx(0.01 * reach[0])
    assert reach[2] < 0.02 * reach[0]


def test_bad_input_is_an_input_error() -> None:
    told = ask("warehouse", "--value", "3 GW", "--daa", "-5")
    assert isinstance(told.exception, InputError)
    assert len(told.exception.problems) == 3
    told = ask("warehouse", "--value", "1B", "--share", "packages", "--share", "HBM=many")
    assert isinstance(told.exception, InputError)
    assert len(told.exception.problems) == 2
