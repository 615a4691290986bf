"""The tornado: its ends are what a run with that input finds, engines included."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

import lineshaft
from lineshaft import asking, sensitivity
from lineshaft.asking import Ask, Figures, solve_all
from lineshaft.cache import digest
from lineshaft.characterise import Curves, characterise
from lineshaft.confidence import Confidence
from lineshaft.contracts.calendar import Calendar
from lineshaft.line import figures
from lineshaft.one_more import OneMore
from lineshaft.parameters import agents, build, floor, oversee, plant, serve, train
from lineshaft.parameters.build import LUCK
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Fixed
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.inputs import replaced, uncertain_inputs
from lineshaft.sensitivity import (
    VALUE,
    Sensitivity,
    read_by_engines,
    summary,
    told,
    tornado,
)

Case = tuple[Scenario, Curves, Sensitivity]


@pytest.fixture(scope="module")
def campus() -> Case:
    scenario = lineshaft.read("gigawatt", overrides=["months=40"])
    curves = characterise(scenario)
    return scenario, curves, tornado(scenario, curves, (VALUE, "build.first_power_month"))


@pytest.fixture(scope="module")
def site() -> Case:
    scenario = lineshaft.read("warehouse", overrides=["months=24"])
    curves = characterise(scenario)
    return scenario, curves, tornado(scenario, curves)


def solved(scenario: Scenario, path: str, value: float) -> float:
    return lineshaft.solve(replaced(scenario, {path: Fixed(value)}))[VALUE].value


def test_every_input_is_there_once_the_largest_first(campus: Case, site: Case) -> None:
    for scenario, _, found in (campus, site):
        moves = found.moves[VALUE]
        luck = {LUCK} if scenario.build.phase else set()
        assert {m.input.path for m in moves} == set(drivers(scenario)) | luck
        assert len(moves) == len(drivers(scenario)) + len(luck)
        sizes = [m.size for m in moves]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > 0
        assert found.base[VALUE] == pytest.approx(lineshaft.solve(scenario)[VALUE].value, rel=1e-12)
        assert found.engine_at_median == ()


def test_a_draw_at_the_median_is_the_median_case(campus: Case) -> None:
    """Construction luck included: a draw of the plan is the plan, not a world of its own."""
    scenario, curves, _ = campus
    inputs = uncertain_inputs(scenario)[:4]
    same = [np.full(2, one.number.median) for one in inputs]
    values = figures(scenario, curves, sensitivity._side_by_side(inputs, same))[VALUE]
    assert len(values) == 9
    np.testing.assert_allclose(values, values[0], rtol=1e-12)


@pytest.mark.parametrize("path", ["value.wacc", "agents.kind.coder.human_minutes", "serve.speed"])
def test_an_end_is_what_a_run_with_that_input_finds(campus: Case, path: str) -> None:
    """human_minutes acts through the agents' engine as well."""
    scenario, _, found = campus
    move = next(m for m in found.moves[VALUE] if m.input.path == path)
    assert move.low_input == pytest.approx(float(drivers(scenario)[path].ppf(0.1)))
    assert move.low == pytest.approx(solved(scenario, path, move.low_input), rel=1e-9)
    assert move.high == pytest.approx(solved(scenario, path, move.high_input), rel=1e-9)
    assert move.size > 0


def test_luck_goes_to_an_early_and_a_late_world(campus: Case) -> None:
    scenario, curves, found = campus
    move = next(m for m in found.moves[VALUE] if m.input.path == LUCK)
    ends = figures(scenario, curves, Draws(2, {LUCK: np.array([0.5, 0.1, 0.9])}))
    assert (move.low, move.high) == pytest.approx(tuple(ends[VALUE][1:]), rel=1e-12)
    power = next(m for m in found.moves["build.first_power_month"] if m.input.path == LUCK)
    assert power.low <= found.base["build.first_power_month"] <= power.high
    assert move.input.source and move.input.confidence == "medium"


@pytest.mark.parametrize("example", ["gigawatt", "warehouse"])
def test_no_engine_reads_an_input_unseen(example: str) -> None:
    """Whatever changes the inputs of an engine is found by watching who asks for medians."""
    scenario = lineshaft.read(example)
    calendar = Calendar.of(scenario.start, scenario.months)
    dims = dims_of(scenario, calendar)
    stages = (plant, train, serve, floor, oversee, agents, build)

    def asked(case: Scenario) -> str:
        return digest(tuple(stage.engine_inputs(case, dims, calendar) for stage in stages))

    before, seen = asked(scenario), read_by_engines(scenario)
    touched = {
        path
        for path, number in drivers(scenario).items()
        if asked(replaced(scenario, {path: Fixed(float(number.ppf(0.9)))})) != before
    }
    assert touched and touched <= seen


def test_too_many_engine_inputs_keep_the_median_and_are_named(
    site: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, curves, full = site
    monkeypatch.setattr(sensitivity, "MOST_ENGINE_INPUTS", 1)
    found = tornado(scenario, curves)
    read = read_by_engines(scenario)
    assert len(found.engine_at_median) == len(read) - 1
    assert set(found.engine_at_median) < read
    assert found.base == full.base


def test_an_end_that_an_engine_refuses_is_named(
    site: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, curves, _ = site

    def refused(asked: Sequence[Ask]) -> list[Figures | None]:
        return [solve_all([one])[0] if one.curves else None for one in asked]

    monkeypatch.setattr(asking, "solve_all", refused)
    assert set(tornado(scenario, curves).engine_at_median) == read_by_engines(scenario)


def test_a_scenario_that_cannot_be_is_none_among_others() -> None:
    scenario = lineshaft.read("warehouse", overrides=["months=12"])
    broken = replaced(scenario, {"floor.robots": ()})
    found = solve_all([Ask(scenario), Ask(broken)])
    assert found[0] is not None and found[1] is None
    assert found[0][VALUE][0] == pytest.approx(lineshaft.solve(scenario)[VALUE].value, rel=1e-12)


def test_curves_need_not_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = lineshaft.read("warehouse", overrides=["months=12"])
    kept = solve_all([Ask(scenario)])
    monkeypatch.setenv("LINESHAFT_CACHE", "")
    again = solve_all([Ask(scenario)])
    assert kept[0] is not None and again[0] is not None
    assert kept[0][VALUE] == again[0][VALUE]


def test_an_unknown_figure_is_a_key_error(site: Case) -> None:
    scenario, curves, _ = site
    with pytest.raises(KeyError, match=r"value\.nothing"):
        tornado(scenario, curves, ("value.nothing",))


def test_the_summary_is_plain_and_told(campus: Case) -> None:
    _, _, found = campus
    things = [
        OneMore("one more robot", "1 robot", 2e6, 1e6, -3e6, None, True),
        OneMore("one more reviewer", "1 person", -1e5, -1e5, None, None, False, "upwards only"),
    ]
    first = found.moves[VALUE][0].input
    known = Confidence(0.3, 0.02, 0.4, first, 0.2, 0.8)
    plain = json.loads(json.dumps(summary(found, things, known), allow_nan=False))
    assert set(plain) == {"sensitivity", "one_more", "confidence"}
    moves = plain["sensitivity"]["moves"]
    keys = "input meaning unit low_input high_input low high confidence source"
    assert list(moves[0]) == keys.split()
    assert len(moves) == len(found.moves[VALUE])
    assert all(move["meaning"] and move["source"] for move in moves)
    assert plain["confidence"]["next"] == first.path
    lines = told(plain)
    assert lines[0].startswith("What moves the value most")
    assert len([line for line in lines if " to " in line]) >= 5
    assert any("30 % (± 2 %)" in line for line in lines)
    assert "kink: $1.00M for more, -$3.00M for less" in lines[-2]
    assert lines[-1].endswith("upwards only")


def test_no_answer_becomes_none(campus: Case) -> None:
    _, _, found = campus
    nan = Sensitivity({VALUE: math.nan}, {VALUE: found.moves[VALUE][:1]})
    plain = summary(nan, (), None)
    assert plain["sensitivity"]["base"] is None and plain["confidence"] is None
    assert told(plain) == []


def test_a_value_that_nothing_moves_is_not_told() -> None:
    scenario = lineshaft.read("claimed-9t")
    found = tornado(scenario, characterise(scenario))
    assert all(move.size == 0 for move in found.moves[VALUE])
    assert told(summary(found, (), None)) == []
