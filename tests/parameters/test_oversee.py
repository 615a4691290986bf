"""From `[oversee]` to plain parameters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lineshaft import catalog
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.reasons import ROLES
from lineshaft.errors import InputError
from lineshaft.parameters import oversee as made
from lineshaft.scenario.agents import Agents
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.oversee import Oversee
from lineshaft.stages.oversee import characterise
from lineshaft.tables import Dims

NONE = Draws(0, {})
KINDS = [
    {"name": "coder", "review_minutes": 10, "verified": 0.4},
    {"name": "arm", "work": "arm"},
    {"name": "api", "work": "tokens"},
]


def scenario(**oversee: Any) -> Any:
    return SimpleNamespace(
        start="2026-01",
        months=24,
        agents=Agents.model_validate({"kind": KINDS}),
        oversee=Oversee.model_validate(oversee),
    )


def params(s: Any) -> made.Params:
    calendar = Calendar.of(s.start, s.months)
    labels = {"month": calendar.labels, "kind": tuple(k["name"] for k in KINDS), "role": ROLES}
    return made.params(s, NONE, Dims(labels), calendar)


def test_software_is_reviewed_robots_and_tokens_are_not() -> None:
    p = params(scenario())
    assert p.review_share[:, 0].tolist() == [1, 0, 0]
    assert p.has_agents.tolist() == [True, True, False]
    assert (p.headcount == 0).all()


def test_policies_of_one_kind_and_of_all_others() -> None:
    s = scenario(
        policy=[
            {"name": "coder", "review": "share", "share": 0.2, "minutes": 3, "verified": 0.9},
            {"name": "default", "review": "all", "detection": 0.5, "regular": True},
        ]
    )
    p = params(s)
    assert p.review_share[:, 0].tolist() == [0.2, 1, 0]  # tokens are never reviewed
    np.testing.assert_allclose(p.verified[:, 0], [0.9, 1, 0])
    assert p.regular.tolist() == [False, True, True]
    assert p.detection[1, 0] == 0.5
    np.testing.assert_allclose(made.review_minutes(s, NONE)[0, 0], 3)
    np.testing.assert_allclose(made.review_minutes(scenario(), NONE)[0, 0], 10)


def test_headcount_and_wages_over_the_months() -> None:
    row = catalog.find("wages", "software developer")
    s = scenario(
        role=[
            {
                "name": "reviewer",
                "headcount": 100,
                "hires_per_year": 24,
                "wage_growth_per_year": 0.1,
            },
            {
                "name": "operator",
                "path": {"2027-01": 50},
                "wage_usd_per_h": 20,
                "on_cost": 1.5,
                "wage_growth_per_year": 0,
                "hours_per_month": 140,
            },
        ]
    )
    p = params(s)
    np.testing.assert_allclose(p.headcount[[0, 12], 0, 0], [100, 124])
    np.testing.assert_allclose(p.headcount[[0, 12, 20], 1, 0], [10, 50, 50])
    cost = row.number("wage_usd_per_h") * row.number("loaded_factor")
    np.testing.assert_allclose(p.usd_per_h[[0, 12], 0, 0], [cost, 1.1 * cost])
    np.testing.assert_allclose(p.usd_per_h[:, 1], 30)
    np.testing.assert_allclose(p.minutes[:, 0], [9000, 8400])


def test_a_policy_of_nobody_s_work_is_refused() -> None:
    with pytest.raises(InputError, match="there is no kind of work 'painter'"):
        params(scenario(policy=[{"name": "painter"}]))


def test_the_engine_takes_its_grids() -> None:
    inputs = made.engine_inputs(scenario(), Dims({}), Calendar.of("2026-01", 1))
    assert characterise(inputs).wait_per_service.shape == (
        len(inputs.servers),
        len(inputs.utilisation),
    )
