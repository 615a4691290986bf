"""`[floor]`: robots take price, life and task from their catalog row."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from lineshaft import catalog
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.floor import Floor, Robots
from lineshaft.scenario.writing import dump


def floor(*robots: dict[str, Any]) -> Floor:
    return Floor.model_validate({"site": [{"name": "hall"}], "robots": list(robots)})


def test_an_empty_section_is_valid() -> None:
    assert Floor() == Floor.model_validate({})
    assert drivers(Floor()) == {}


def test_price_life_and_task_come_from_the_row() -> None:
    row = catalog.find("robots", "arm_stow")
    arm = Robots.model_validate({"name": "arm", "robot": "arm_stow"})
    assert arm.price_usd is not None and arm.life_years is not None
    assert arm.price_usd.median == pytest.approx(row.number("price_usd"))
    assert float(arm.price_usd.ppf(0.95)) == pytest.approx(row["price_usd_high"])
    assert arm.life_years.median == pytest.approx(row.number("life_years"))
    assert arm.task == "stow arm"
    own = Robots.model_validate({"name": "arm", "robot": "arm_stow", "price_usd": "1 kUSD"})
    assert own.price_usd is not None and own.price_usd.median == 1000


@pytest.mark.parametrize(
    ("robot", "task"),
    [
        ("arm_pick", "pick arm"),
        ("weld_cell", "weld cell"),
        ("amr_drive", "amr"),
        ("drone_p2", "drone"),
    ],
)
def test_a_robot_does_what_its_row_is_made_for(robot: str, task: str) -> None:
    assert Robots.model_validate({"name": "r", "robot": robot}).task == task


def test_a_dumped_section_reads_back_the_same() -> None:
    made = floor(
        {"name": "arm", "robot": "arm_stow", "path": {"2027-01": 20}},
        {"name": "drone", "robot": "drone_wing", "site": "hall", "owned_at_start": True},
    )
    assert Floor.model_validate(tomllib.loads(dump(made))) == made


@pytest.mark.parametrize(
    ("robots", "message"),
    [
        ([{"name": "a", "site": "moon"}], "there is no site 'moon'"),
        ([{"name": "a"}, {"name": "a"}], "two items of floor.robots"),
        ([{"name": "a", "robot": "t800"}], "there is no 't800' in robots"),
        ([{"name": "a", "availability": 1.2}], "out of bounds"),
        ([{"name": "a", "path": {"soon": 1}}], "YYYY-MM"),
    ],
)
def test_what_is_refused(robots: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        floor(*robots)


def test_robots_need_a_site() -> None:
    with pytest.raises(ValidationError, match=r"no \[\[floor.site\]\]"):
        Floor.model_validate({"robots": [{"name": "a"}]})
