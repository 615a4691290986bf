"""Where an uncertain input comes from, and scenarios with other values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import lineshaft
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Fixed
from lineshaft.scenario.fields import drivers, value
from lineshaft.scenario.inputs import UNSOURCED, WRITTEN, Input, checked, replaced, uncertain_inputs
from lineshaft.scenario.writing import dump

EXAMPLES = ("gigawatt", "warehouse", "claimed-9t")


def by_path(scenario: Scenario) -> dict[str, Input]:
    return {one.path: one for one in uncertain_inputs(scenario)}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_input_has_a_meaning_and_a_source(example: str) -> None:
    scenario = lineshaft.read(example)
    found = uncertain_inputs(scenario)
    assert [one.path for one in found] == list(drivers(scenario))
    for one in found:
        assert one.number == value(scenario, one.path)
        assert one.meaning and one.source and "\n" not in one.meaning
        assert one.confidence in ("", "low", "medium", "high")
        assert (one.source == WRITTEN) <= (one.confidence == "")


def test_written_default_of_a_field_of_a_class_and_of_a_row() -> None:
    found = by_path(lineshaft.read("gigawatt"))
    written = found["agents.kind.coder.market_tasks_per_day"]
    assert (written.source, written.confidence, written.unit) == (WRITTEN, "", "task")
    halls = found["build.phase.1.cost_usd_per_w"]
    assert halls.source.startswith("Cushman & Wakefield") and halls.confidence == "medium"
    support = found["agents.kind.support.price_usd"]
    assert support.source.startswith("Intercom") and support.confidence == "medium"
    assert support.meaning == "Price of an accepted task on the first day"
    robot = found["floor.robots.arm.price_usd"]
    assert robot.source.startswith("robots/arm_stow: ") and robot.confidence == "low"
    assert found["agents.horizon"].source.startswith("capabilities/")
    assert found["agents.kind.coder.elasticity"].source == UNSOURCED


def test_a_resolved_scenario_tells_the_same_origins() -> None:
    """Defaults spelled out are defaults still."""
    scenario = lineshaft.read("gigawatt")
    again = lineshaft.read(dump(scenario))
    assert uncertain_inputs(again) == uncertain_inputs(scenario)


def test_a_changed_default_is_written() -> None:
    path = "agents.kind.support.price_usd"
    changed = lineshaft.read("gigawatt", overrides=[f'{path}="0.7 to 3"'])
    assert by_path(changed)[path].source == WRITTEN


def test_values_are_replaced_where_they_stand_and_nowhere_else() -> None:
    scenario = lineshaft.read("warehouse")
    paths = ["value.wacc", "agents.kind.inventory.price_share", "floor.robots.stowing.path"]
    other = replaced(
        scenario, {paths[0]: Fixed(0.1), paths[1]: Fixed(0.5), paths[2]: {"2027-01": 9}}
    )
    assert value(other, paths[0]) == Fixed(0.1) and value(other, paths[1]) == Fixed(0.5)
    assert value(other, paths[2]) == {"2027-01": 9}
    back = replaced(other, {path: value(scenario, path) for path in paths})
    assert back == scenario
    assert checked(other).agents.kind[3].price_share == Fixed(0.5)


def test_what_is_not_there_is_a_key_error_and_what_is_wrong_is_found() -> None:
    scenario = lineshaft.read("warehouse")
    for path in ("value.nothing", "agents.kind.nobody.price_usd"):
        with pytest.raises(KeyError, match="no 'no"):
            replaced(scenario, {path: Fixed(1.0)})
    with pytest.raises(ValidationError):
        checked(replaced(scenario, {"oversee.role.operator.headcount": Fixed(-1.0)}))
