"""The parts of a task's cost add up to the headline figure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lineshaft.line import Outcome
from lineshaft.report.costs import parts, task_parts
from lineshaft.runs import Run


@pytest.mark.parametrize("example", ["gigawatt", "warehouse"])
def test_the_parts_add_up_to_the_headline(example: str, request: pytest.FixtureRequest) -> None:
    """Energy, accelerators, people, robots and the rest: the full cost of a task, exactly."""
    outcome: Outcome = request.getfixturevalue(example)
    found = parts(outcome.tables)
    assert sum(found.values()) == pytest.approx(outcome["value.usd_per_task"].value, rel=1e-9)
    assert {"robots", "people", "escapes"} <= set(found)
    assert ("energy" in found) == (example == "gigawatt")
    assert ("tokens bought" in found) == (example == "warehouse")


def test_the_cost_of_own_computing_is_its_parts(gigawatt: Outcome) -> None:
    """Capital, upkeep, energy and staff are what all tokens of a month cost, training apart."""
    x = gigawatt.tables
    w = x.worth
    whole = w.compute_capital_usd + w.compute_upkeep_usd
    whole = (whole + w.compute_energy_usd + w.compute_staff_usd)[:, 0]
    own = (x.states.installed - x.states.leased)[..., 0].sum(axis=1)
    training = x.states.training[..., 0].sum(axis=1)
    share = np.divide(training, own, out=np.zeros_like(own), where=own > 0)
    tokens = w.usd_per_mtok[:, 0] * x.served.served[..., 0].sum(axis=1) / 1e6
    on = tokens > 0
    assert on.sum() > 90
    np.testing.assert_allclose((whole * (1 - share))[on], tokens[on], rtol=1e-9)


def test_no_task_has_no_parts(claimed: Outcome) -> None:
    """Nothing to show, and nothing divided by nothing."""
    assert parts(claimed.tables) == {}
    assert task_parts(claimed.tables).empty


def test_the_picture_ends_with_the_sum(make: Callable[..., Run]) -> None:
    """The last bar is the sum of the others."""
    chart = task_parts(make().tables)
    values = chart.rows[0].values
    assert chart.x[-1] == "full cost of a task"
    assert values[-1] == pytest.approx(values[:-1].sum())
    assert len(chart.extra["colours"]) == len(values) == len(chart.extra["sheet"]) - 1
