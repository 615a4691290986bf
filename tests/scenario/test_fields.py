"""Typed quantities: bounds, schema, paths of uncertain inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lineshaft.scenario.distributions import Distribution, Fixed, Normal, Quantiles, Truncated
from lineshaft.scenario.fields import (
    Money,
    Number,
    Positive,
    Power,
    Section,
    Share,
    Text,
    Tokens,
    UsdPerMtok,
    Whole,
    YearMonth,
    default,
    drivers,
    quantity,
    quantity_of,
    value,
)
from lineshaft.scenario.writing import dump
from lineshaft.units import QuantityError


class Agent(Section):
    """A kind of agent."""

    name: Text
    """What it is called."""
    tokens: Tokens = default("10 to 20 k tokens")
    """Tokens of one task."""


class Plant(Section):
    """A plant."""

    power_w: Power = default("150 MW", source="Example Utility 2026", confidence="low")
    """Power of the site."""
    odd_w: Power = default(131072)
    """A number that three figures do not hold."""
    timeout_s: Annotated[float, quantity("s", uncertain=False, gt=0)] = default("2 min")
    """A certain number."""
    share: Share = default("0.6 to 0.9")
    """An uncertain share."""
    count: Whole = default("8 k")
    """A whole number."""
    price: UsdPerMtok | None = None
    """May be absent."""
    start: YearMonth = "2026-01"
    """First month."""


class Factory(Section):
    """All of it."""

    agents: tuple[Agent, ...] = default([{"name": "coder"}, {"name": "gpt-4.1"}])
    """The agents."""
    prices: list[Money] = default(["$1 to $2", 3])
    """A list without names."""
    sites: Mapping[str, Plant] = default({"east": {}})
    """Plants by site."""


def test_values_are_in_the_unit_of_the_field() -> None:
    """Defaults are read like anything else."""
    plant = Plant()
    assert plant.power_w == Fixed(1.5e8)
    assert plant.timeout_s == 120.0
    assert plant.count == 8000
    assert isinstance(plant.count, int)
    assert plant.share == Truncated(Quantiles(0.05, 0.6, 0.95, 0.9), 0.0, 1.0)
    assert Plant.model_validate({"price": "0.55 USD/Mtok"}).price == Fixed(0.55)


REFUSED = [
    ({"power_w": "20 kg"}, "is a mass"),
    ({"power_w": -1}, "at least 0 W"),
    ({"power_w": "-1 to 4 MW"}, "-1e+06 in '-1 to 4 MW' is out of bounds"),
    ({"power_w": {"dist": "normal", "mean": -1, "sd": 1}}, "out of bounds"),
    ({"power_w": None}, "neither a number nor a text"),
    ({"share": 12}, "'12 %'"),
    ({"share": Fixed(2.0)}, "0 to 1"),
    ({"timeout_s": "2 to 4 s"}, "give one fixed number"),
    ({"timeout_s": {"p50": 1, "p90": 2}}, "give one fixed number"),
    ({"timeout_s": Normal(3.0, 1.0)}, "a fixed number"),
    ({"timeout_s": 0}, "above 0 s"),
    ({"count": 2.5}, "a whole number"),
    ({"start": "2026-13"}, "pattern"),
    ({"powr_w": 1}, "Extra inputs"),
]


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_refuses(data: dict[str, Any], message: str) -> None:
    """With the allowed range in the unit of the field."""
    with pytest.raises(ValidationError) as caught:
        Plant.model_validate(data)
    assert message in str(caught.value)


def test_a_text_is_read_by_its_field_each_time() -> None:
    """What was read before is kept, under the field's unit and bounds."""
    power, share = quantity("W", ge=0), quantity("1", ge=0, le=1)
    assert power.read("2 to 4") is power.read("2 to 4")
    for _ in range(2):
        with pytest.raises(QuantityError, match="out of bounds"):
            share.read("2 to 4")
    assert quantity("kWh").read("2 kWh") == Fixed(2.0) != quantity("J").read("2 kWh")


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.01, 1.0))
def test_draws_stay_within_bounds(mean: float, sd: float) -> None:
    """Of a share whose tails reach outside, if most of it is inside."""

    class Model(Section):
        x: Share = default({"dist": "normal", "mean": mean, "sd": sd})

    try:
        law = Model().x
    except ValidationError as error:
        assert "out of bounds" in str(error)
        return
    draws = law.ppf(np.linspace(0.0, 1.0, 101))
    assert 0 <= draws.min() <= draws.max() <= 1
    assert np.all(np.diff(draws) >= 0)


def test_open_bounds_are_never_reached() -> None:
    """A positive number is above zero in every draw."""

    class Model(Section):
        x: Positive = default({"dist": "normal", "mean": 1e-3, "sd": 1e-2})
        y: Number = default(Normal(0.0, 1.0))

    assert float(Model().x.ppf(0.0)) > 0
    assert Model().y == Normal(0.0, 1.0)


def test_frozen() -> None:
    """A scenario never changes."""
    with pytest.raises(ValidationError, match="frozen"):
        Plant().count = 3  # type: ignore[misc]


def test_schema() -> None:
    """Number, text or table, with unit, doc, source, and a default for people."""
    schema = Plant.model_json_schema()["properties"]
    assert schema["power_w"] == {
        "anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}, {"type": "object"}],
        "default": "150 MW",
        "description": "Power of the site.",
        "title": "Power W",
        "x-unit": "W",
        "x-kind": "a power",
        "x-source": "Example Utility 2026",
        "x-confidence": "low",
    }
    assert schema["odd_w"]["default"] == 131072
    assert schema["share"]["default"] == "0.6 to 0.9"
    assert schema["timeout_s"]["default"] == "2.00 min"
    assert {"type": "object"} not in schema["timeout_s"]["anyOf"]
    assert schema["timeout_s"]["anyOf"][0] == {"type": "number", "exclusiveMinimum": 0}
    assert schema["count"]["anyOf"][0]["type"] == "integer"
    assert schema["price"]["anyOf"][0]["x-unit"] == "USD/Mtok"
    assert Plant.model_validate({k: v["default"] for k, v in schema.items() if k != "price"}) == (
        Plant()
    )
    assert "prices" in Factory.model_json_schema()["properties"]


def test_quantity_of() -> None:
    """Of a field, also an optional one; a list of quantities is none."""
    price = quantity_of(Plant.model_fields["price"])
    assert price is not None
    assert (price.unit, price.allowed) == ("USD/Mtok", "at least 0 USD/Mtok")
    assert quantity_of(Factory.model_fields["prices"]) is None
    assert quantity("W", gt=0, lt=5).allowed == "above 0 W and below 5 W"


def test_drivers_and_value() -> None:
    """Paths by name where there is one, and each leads back to its distribution."""
    factory = Factory()
    found = drivers(factory)
    assert list(found) == [
        "agents.coder.tokens",
        'agents."gpt-4.1".tokens',
        "prices.0",
        "sites.east.share",
    ]
    for path, law in found.items():
        assert value(factory, path) == law
        assert isinstance(law, Distribution)
    assert value(factory, "sites.east.timeout_s") == 120.0
    with pytest.raises(KeyError, match=r"no 'codr'; there is coder, gpt-4\.1"):
        value(factory, "agents.codr.tokens")
    with pytest.raises(ValueError, match=r"agents\.a\.tokens"):
        drivers(Factory.model_validate({"agents": [{"name": "a"}, {"name": "a"}]}))


def test_dump_says_what_numbers_are() -> None:
    """Numbers in the unit of their field, the human form beside, docs where asked."""
    text = dump(Plant(), docs=True)
    assert "# Power of the site.\npower_w = 150000000 # 150 MW\n" in text
    assert "count = 8000\n" in text
    assert "price" not in dump(Plant())
