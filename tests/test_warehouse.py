"""The shipped warehouse: the whole line without a campus, against public figures and itself."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft import api
from lineshaft.balances import check, residuals
from lineshaft.cache import Cache
from lineshaft.characterise import Curves, characterise
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.reasons import NAMES
from lineshaft.contracts.tables import Tables
from lineshaft.line import simulate
from lineshaft.lineage import evaluate, formulas
from lineshaft.parameters import Parameters, assemble
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario

Solved = tuple[Scenario, Curves, Parameters, Tables]
OWN = ("fielded", "admitted", "admitted_tokens", "done", "robots", "accepted", "people")


def solve(variant: str | None = None, draws: int = 0) -> Solved:
    scenario = api.read("warehouse", variant=variant)
    curves = characterise(scenario, Cache(None))
    calendar = Calendar.of(scenario.start, scenario.months)
    parameters = assemble(scenario, curves, draw(scenario, draws, 1), calendar)
    return scenario, curves, parameters, simulate(parameters, curves)


@pytest.fixture(scope="module")
def solved() -> Solved:
    return solve(draws=8)


def kinds(x: Tables) -> tuple[str, ...]:
    return x.dims.labels["kind"]


def overseers_on_duty(p: Parameters, x: Tables, month: int) -> float:
    """Operators at work at any time in opening hours, at their planned utilisation, median."""
    minutes = x.people.intervention_min[month, 1, 0] / p.oversee.utilisation[1, 0]
    return float(minutes / (60 * 16 * p.calendar.days[month]))


def test_it_is_the_operator_that_it_says_it_is(solved: Solved) -> None:
    _, _, _, x = solved
    owned = dict(zip(kinds(x), x.robots.owned[-1, :, 0], strict=True))
    assert (owned["carrying"], owned["stowing"], owned["last mile"]) == (40, 12, 8)
    seats = dict(zip(kinds(x), x.fielded.seats[0, :, 0], strict=True))
    assert seats["inventory"] + seats["planning"] == 30
    assert x.people.headcount[0, :, 0].sum() == 6
    assert x.energised.it_w.sum() == 0 and x.states.installed.sum() == 0


def test_balances_close_in_every_draw(solved: Solved) -> None:
    check(solved[3])
    assert all(balance.passed for balance in residuals(solved[3]))


def test_every_column_can_be_computed_from_its_formula(solved: Solved) -> None:
    _, _, p, x = solved
    checked = 0
    for name, formula in formulas().items():
        if formula.table not in OWN or not formula.arithmetic:
            continue
        stored = getattr(x, formula.table)[formula.column]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = evaluate(formula, x, p)
        first = 1 if "lag(" in formula.text else 0
        scale = np.abs(stored).max(initial=1e-9)
        np.testing.assert_allclose(
            found[first:], stored[first:], rtol=1e-9, atol=1e-9 * scale, err_msg=name
        )
        checked += 1
    assert checked > 40


def test_the_arms_stow_as_amazon_published(solved: Solved) -> None:
    _, curves, _, x = solved
    arm = curves.floor[kinds(x).index("stowing")]
    assert 190 < 3600 / arm.cycle_s * arm.success < 260
    assert arm.success == pytest.approx(0.855, abs=0.01)


def test_a_mature_fleet_needs_one_overseer_for_ten_to_sixty_robots(solved: Solved) -> None:
    _, _, p, x = solved
    for month in (0, 30, 59):
        at_work = x.robots.working_h[month, :, 0].sum() / (16 * p.calendar.days[month])
        assert 10 < at_work / overseers_on_duty(p, x, month) < 60


def test_a_drop_costs_about_what_mckinsey_published(solved: Solved) -> None:
    _, _, _, x = solved
    drone = kinds(x).index("last mile")
    assert 0.8 < x.task_costs.usd_per_task[-1, drone, 0] < 3.0


def test_one_overseer_per_drone_grounds_the_drones(solved: Solved) -> None:
    _, _, p, x = solve("one-drone-each")
    drone = kinds(x).index("last mile")
    share = x.admitted.admitted_tasks[0, drone, 0] / x.fielded.demand_tasks[0, drone, 0]
    assert share < 0.3
    assert NAMES[x.admitted.binding[0, drone, 0]] == "people: operator"
    assert x.people.idle_min[0, 1, 0] == pytest.approx(
        x.people.available_min[0, 1, 0] * (1 - p.oversee.utilisation[1, 0])
    )
    assert x.task_costs.human_usd[-1, drone, 0] > 3 * solved[3].task_costs.human_usd[-1, drone, 0]


def test_the_same_draws_give_the_same_bytes() -> None:
    one, two = solve(draws=4)[3], solve(draws=4)[3]
    for name in OWN:
        for column, values in getattr(one, name):
            assert values.tobytes() == getattr(two, name)[column.name].tobytes()
