"""`[agents]`: class defaults, what may be written, what is refused."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from pydantic import ValidationError

from lineshaft.scenario.agents import SHAPES, Adoption, Agents, Kind, Load
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.work import EMBODIED, WORK, usual
from lineshaft.scenario.writing import dump


def kind(**fields: Any) -> Kind:
    return Kind.model_validate({"name": "k", **fields})


@pytest.mark.parametrize("work", WORK)
def test_every_class_is_a_kind_with_a_source_for_each_default(work: str) -> None:
    made = kind(work=work)
    assert made.embodied == (work in EMBODIED)
    assert made.sells_tokens == (work == "tokens")
    for field, found in WORK[work].items():
        assert field in Kind.model_fields
        assert found.source and found.confidence in ("high", "medium", "low")
        if found.source == usual("coder", "sigma").source:  # an estimate
            assert found.confidence == "low"


def test_what_is_written_counts_and_the_rest_is_that_of_the_class() -> None:
    made = kind(work="inventory", human_minutes="3 min", load={"shape": "flat", "peak_day": 2})
    assert made.human_minutes.median == 3
    assert made.sigma == 0.8
    assert made.load.peak_day == 2
    assert made.review_minutes.median == pytest.approx(2)


def test_the_first_way_to_say_a_price_counts() -> None:
    assert kind(work="support").price_usd is not None
    assert kind(work="support", price_share=0.1).price_usd is None
    assert kind(work="tokens").price_row == "DeepSeek R1"
    assert kind(work="tokens", usd_per_mtok=2).price_row is None
    assert kind(work="arm", tokens_per_hour_task=1e6).tokens_per_attempt is None
    assert kind(work="tokens", tokens_per_call=100).calls_per_attempt is None


def test_a_dumped_section_reads_back_the_same() -> None:
    agents = Agents.model_validate(
        {"kind": [{"name": w, "work": w} for w in WORK] + [{"name": "x", "price_share": 0.5}]}
    )
    assert Agents.model_validate(tomllib.loads(dump(agents))) == agents


def test_uncertain_defaults_are_drivers_with_their_path() -> None:
    found = drivers(Agents.model_validate({"kind": [{"name": "my coder"}]}))
    assert "horizon" in found and "doubling" in found
    assert 'kind."my coder".tokens_per_hour_task' in found
    assert 'kind."my coder".adoption.saturation' in found
    assert found["doubling"].median == pytest.approx(132, rel=0.01)


def test_the_horizon_is_the_capability_row_s() -> None:
    agents = Agents()
    assert agents.horizon is not None
    assert agents.horizon.median == pytest.approx(320.42, abs=0.01)
    assert agents.horizon_date == "2025-11-24"
    month = Agents.model_validate({"capability": "Claude Opus 4.6"})
    assert month.horizon_date == "2026-02-15"
    assert Agents.model_validate({"horizon": "10 hours"}).horizon.median == 600  # type: ignore[union-attr]


def test_how_cheats_are_scored_moves_the_horizon_where_the_row_tells_them_apart() -> None:
    def hours(**fields: Any) -> float:
        horizon = Agents.model_validate(fields).horizon
        assert horizon is not None
        return horizon.median / 60

    sol = {"capability": "GPT-5.6 Sol"}
    assert hours(**sol) == pytest.approx(11.3)
    assert hours(**sol, scoring="discarded") == pytest.approx(71)
    assert hours(**sol, scoring="lenient") == pytest.approx(270)
    assert hours(scoring="lenient") == hours()
    with pytest.raises(ValidationError, match="scoring"):
        Agents.model_validate({"scoring": "generous"})


def test_what_is_neutral_by_default_is() -> None:
    made = kind()
    assert (made.slip, made.family_sd, made.acceptance, made.budget_tokens) == (0, 0, 1, None)
    assert kind(budget_tokens="2 Mtok").budget_tokens == 2e6
    with pytest.raises(ValidationError, match="slip"):
        kind(slip=1)


def test_load_shapes() -> None:
    for weekday, weekend in SHAPES.values():
        assert len(weekday) == len(weekend) == 24
    own = Load.model_validate({"weekday": [1] * 12 + [3] * 12})
    assert own.hours == (own.weekday, own.weekday)
    assert Load.model_validate("office").shape == "office"


def test_all_of_the_market() -> None:
    all_of_it = Adoption.model_validate("all")
    assert all_of_it.share_at_start.median == all_of_it.saturation.median == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"work": "juggler"}, "coder"),
        ({"human": "wizard"}, "there is no 'wizard' in wages"),
        ({"price_row": "AWS H100 rent"}, "no price of tokens"),
        ({"price_row": "nobody"}, "there is no 'nobody' in prices"),
        ({"load": {"weekday": [1, 2]}}, "24 numbers"),
        ({"load": {"weekday": [0] * 24}}, "24 numbers"),
        ({"load": "lunar"}, "two-shift"),
        ({"seats_path": {"2027": 3}}, "YYYY-MM"),
        ({"seats_path": {"2027-01": -3}}, "from 0 on"),
        ({"hours_per_day": 0}, "out of bounds"),
        ({"attempts": 0}, "out of bounds"),
        ({"human_minutes": 0}, "out of bounds"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        kind(**fields)


def test_names_are_given_once_and_capabilities_are_in_the_catalog() -> None:
    with pytest.raises(ValidationError, match=r"two items of agents\.kind"):
        Agents.model_validate({"kind": [{"name": "a"}, {"name": "a"}]})
    with pytest.raises(ValidationError, match="there is no 'HAL 9000' in capabilities"):
        Agents.model_validate({"capability": "HAL 9000"})
    with pytest.raises(ValidationError, match="horizon_date"):
        Agents.model_validate({"horizon_date": "soon"})
