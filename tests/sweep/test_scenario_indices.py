"""Which uncertain inputs of a scenario matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import lineshaft
from lineshaft.characterise import Curves, characterise
from lineshaft.errors import InputError
from lineshaft.kpis import VALUE
from lineshaft.line import run
from lineshaft.scenario import Scenario
from lineshaft.sensitivity import tornado
from lineshaft.sweep import scenario_indices as module
from lineshaft.sweep.executors import Processes
from lineshaft.sweep.indices import Sobol
from lineshaft.sweep.scenario_indices import MOST, scenario_indices, write

INPUTS = ("value.wacc", "value.tax_rate", "oversee.role.operator.headcount")


@pytest.fixture(scope="module")
def scenario(warehouse_file: Path) -> Scenario:
    overrides = ['value.wacc="8 % to 12 %"', 'value.tax_rate="15 % to 30 %"']
    return lineshaft.read(
        warehouse_file, overrides=[*overrides, 'oversee.role.operator.headcount="2 to 4"']
    )


@pytest.fixture(scope="module")
def curves(scenario: Scenario) -> Curves:
    return characterise(scenario)


def test_the_screen_picks_what_moves_the_figure(scenario: Scenario, curves: Curves) -> None:
    found = scenario_indices(scenario, curves, samples=32)
    assert len(found.inputs) == MOST
    assert found.screened > 50
    assert found.evaluations == 32 * (MOST + 2)
    first = tornado(scenario, curves).moves[VALUE][0].input.path
    assert first in {one.path for one in found.inputs}
    rows = list(found.rows())
    assert [row["st"] for row in rows] == sorted((row["st"] for row in rows), reverse=True)


def test_any_workers_give_the_same_indices(scenario: Scenario, curves: Curves) -> None:
    asked = {"inputs": INPUTS, "samples": 64, "kpis": (VALUE, "value.irr")}
    one, two = (
        scenario_indices(scenario, curves, executor=Processes(n), **asked)  # type: ignore[arg-type]
        for n in (1, 2)
    )
    assert one.as_dict() == two.as_dict()
    assert set(one.of) == {VALUE, "value.irr"}


def test_the_variance_is_that_of_a_run_with_only_these_inputs(curves: Curves) -> None:
    """The function behind the indices is the line: same inputs, same spread."""
    scenario = lineshaft.read("warehouse", overrides=['value.wacc="8 % to 12 %"'])
    own = characterise(scenario)
    found = scenario_indices(scenario, own, inputs=("value.wacc",), samples=256)
    of = found.of[VALUE]
    assert isinstance(of, Sobol)
    assert of.first[0] == pytest.approx(1.0, abs=0.02)
    assert of.total[0] == pytest.approx(1.0, abs=0.02)
    drawn = run(scenario, own, draws=256)[VALUE].draws
    # all inputs together spread the value more than one of them alone
    assert 0 < of.variance < drawn.var()


def test_luck_counts_where_something_is_built() -> None:
    scenario = lineshaft.read("gigawatt", overrides=["months=48"])
    own = characterise(scenario)
    kpi = "build.first_power_month"
    found = scenario_indices(
        scenario, own, method="morris", inputs=("build.luck", "value.wacc"), samples=16, kpis=[kpi]
    )
    luck, wacc = found.of[kpi].mu_star  # type: ignore[union-attr]
    assert luck > 0.1  # months between the luckiest and the unluckiest world
    assert wacc == 0.0


def test_notes_say_what_is_left_aside(warehouse_file: Path) -> None:
    scenario = lineshaft.read(
        warehouse_file,
        overrides=[
            'value.wacc="8 % to 12 %"',
            'value.tax_rate="15 % to 30 %"',
            'correlation."value.wacc"."value.tax_rate"=0.5',
        ],
    )
    inputs = ("value.wacc", "value.tax_rate", "agents.kind.inventory.human_minutes")
    found = scenario_indices(scenario, characterise(scenario), inputs=inputs, samples=16)
    first, second = found.notes
    assert "the scenario correlates value.wacc ~ value.tax_rate = 0.5" in first
    assert "agents.kind.inventory.human_minutes" in second and "engine" in second


def test_rows_without_an_answer_are_noted(
    scenario: Scenario, curves: Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = module._Model.at

    def holed(self: module._Model, *arguments: object) -> np.ndarray:
        values = at(self, *arguments)  # type: ignore[arg-type]
        values[:, 3] = np.nan
        return values

    monkeypatch.setattr(module._Model, "at", holed)
    found = scenario_indices(scenario, curves, inputs=INPUTS, samples=32)
    assert f"{VALUE} has no answer in 1 of 32 rows, which are left out" in found.notes


def test_bad_names_are_told_at_once(scenario: Scenario, curves: Curves) -> None:
    with pytest.raises(InputError) as caught:
        scenario_indices(scenario, curves, inputs=("value.wac", "build.luck", "value.wacc"))
    assert len(caught.value.problems) == 2
    assert "did you mean 'value.wacc'" in str(caught.value)
    with pytest.raises(InputError, match="allowed: sobol, morris"):
        scenario_indices(scenario, curves, method="fast")
    with pytest.raises(InputError, match=r"did you mean 'oversee\.daa'"):
        scenario_indices(scenario, curves, kpis=["oversee.da"])


def test_written_and_read_back(scenario: Scenario, curves: Curves, tmp_path: Path) -> None:
    found = scenario_indices(scenario, curves, inputs=INPUTS, method="morris", samples=8)
    write(tmp_path, found)
    rows = pq.read_table(tmp_path / "indices.parquet").to_pylist()
    said = json.loads((tmp_path / "indices.json").read_text())
    assert said["indices"] == rows
    assert {row["input"] for row in rows} == set(INPUTS)
    assert (said["method"], said["samples"], said["evaluations"]) == ("morris", 8, 32)
