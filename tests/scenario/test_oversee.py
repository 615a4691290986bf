"""`[oversee]`: roles and policies."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from lineshaft.scenario.oversee import Oversee
from lineshaft.scenario.writing import dump


def test_an_empty_section_is_valid() -> None:
    assert Oversee().role == () and Oversee().policy == ()


def test_a_dumped_section_reads_back_the_same() -> None:
    made = Oversee.model_validate(
        {
            "role": [
                {"name": "reviewer", "headcount": 400, "path": {"2028-01": 900}},
                {"name": "operator", "wage": "drone operator", "on_cost": "1.3 to 1.5"},
            ],
            "policy": [
                {"name": "default", "review": "share", "share": "5 %"},
                {"name": "coder", "detection": "0.5 to 0.9", "minutes": "10 min"},
            ],
        }
    )
    assert Oversee.model_validate(tomllib.loads(dump(made))) == made


def test_detection_is_a_share_in_every_draw() -> None:
    policy = Oversee.model_validate({"policy": [{"name": "a", "detection": "0.5 to 0.95"}]}).policy
    assert float(policy[0].detection.ppf(1 - 1e-9)) <= 1


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"role": [{"name": "poet"}]}, "reviewer"),
        ({"role": [{"name": "reviewer"}, {"name": "reviewer"}]}, "two items of oversee.role"),
        ({"role": [{"name": "reviewer", "wage": "poet"}]}, "there is no 'poet' in wages"),
        ({"role": [{"name": "reviewer", "utilisation": 1.5}]}, "out of bounds"),
        ({"role": [{"name": "reviewer", "on_cost": 0.5}]}, "out of bounds"),
        ({"policy": [{"name": "a", "review": "some"}]}, "share"),
        ({"policy": [{"name": "a"}, {"name": "a"}]}, "two items of oversee.policy"),
    ],
)
def test_what_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Oversee.model_validate(section)
