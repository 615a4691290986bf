"""`[build]`: what may be written, what it means, and what is refused."""

from __future__ import annotations

import tomllib
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from lineshaft import catalog
from lineshaft.contracts.reasons import NAMES, TRADES
from lineshaft.scenario.build import Build, Part, Trade
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.writing import dump

PHASE = (
    '[[campus]]\nname = "abilene"\n[[phase]]\nname = "p1"\ncampus = "abilene"\nit_w = "125 MW"\n'
)
ORDER = (
    '[[campus]]\nname = "abilene"\n[[accelerators]]\nname = "a"\ncampus = "abilene"\n'
    'accelerator = "GB200"\ncount = 1000\nfirst = "2026-11"\n'
)


def read(text: str) -> Build:
    """The section of a TOML text."""
    return Build.model_validate(tomllib.loads(text))


def test_nothing_is_needed() -> None:
    """An empty section, and the least that makes a campus."""
    assert read("").phase == ()
    phase = read(PHASE).phase[0]
    assert phase.it_w.median == 125e6
    assert phase.halls == 4
    assert phase.cost_usd_per_w.median == pytest.approx(12.8, abs=0.1)
    assert phase.craft_hours_per_mw.median == 15_000
    assert read(ORDER).accelerators[0].months == 12


@pytest.mark.parametrize(
    ("written", "weeks"),
    [
        ("30", (30, 30)),
        ('"30 weeks"', (30, 30)),
        ("[30, 38]", (30, 38)),
        ("0", (0, 0)),
        ("{p10 = 104, p90 = 208}", (104, 208)),
    ],
)
def test_lead_times(written: str, weeks: tuple[float, float]) -> None:
    """P10 and P90 in weeks."""
    phase = read(f"{PHASE}lead_weeks = {{transformer = {written}}}").phase[0]
    assert phase.lead_weeks["transformer"] == pytest.approx(weeks)


def test_a_range_of_lead_times_is_a_90_percent_interval() -> None:
    """So P10 and P90 lie within it, and the median is its geometric mean."""
    low, high = read(f'{PHASE}lead_weeks = {{cdu = "26 to 52"}}').phase[0].lead_weeks["cdu"]
    assert 26 < low < high < 52
    assert low * high == pytest.approx(26 * 52)


def test_permits_and_grid_are_a_month_or_weeks() -> None:
    """A date stays a date."""
    phase = read(f'{PHASE}permit = "26 to 78 weeks"\ngrid = "2027-03"').phase[0]
    assert phase.grid == "2027-03"
    assert isinstance(phase.permit, tuple)
    assert phase.permit[0] * phase.permit[1] == pytest.approx(26 * 78)


def test_what_is_written_out_reads_back() -> None:
    """Defaults spelled out included."""
    text = PHASE + 'lead_weeks = {cdu = "26 to 52", optics = 40}\ngrid = "2026-09"\npermit = 30\n'
    text += '[[crew]]\nname = "electrical"\nheadcount = 500\nmost = 900\n'
    build = read(text)
    assert read(dump(build)) == build
    assert Build.model_json_schema()["properties"]["phase"]["type"] == "array"


def test_what_is_uncertain() -> None:
    """Engine inputs are no drivers; prices and factors are."""
    found = set(drivers(read(PHASE + ORDER.split("\n", 2)[2] + "refresh = false\n")))
    assert found == {
        "phase.p1.cost_usd_per_w",
        "accelerators.a.all_in",
        "accelerators.a.price_decline_per_year",
        "accelerators.a.cluster_overhead",
        "accelerators.a.repair_days",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PHASE.replace('campus = "abilene"', 'campus = "abilen"'), "did you mean 'abilene'"),
        (PHASE.replace('"125 MW"', '"100 to 150 MW"'), "a range is not allowed here"),
        (PHASE + "lead_weeks = {turbine = 30}", "transformer"),
        (PHASE + "lead_weeks = {cdu = [50, 30]}", "is no lead time"),
        (PHASE + "lead_weeks = {cdu = [1, 2, 3]}", "is no lead time"),
        (PHASE + 'grid = "2027-13"', "is neither|wanted|2027-13"),
        (PHASE + '[[phase]]\nname = "p1"\ncampus = "abilene"\nit_w = 1', "'p1' is there 2 times"),
        (PHASE + '[[crew]]\nname = "plumbers"\nheadcount = 3', "concrete"),
        (PHASE + '[[crew]]\nname = "pipe"\nheadcount = 30\nmost = 20', "below headcount"),
        (ORDER.replace("GB200", "GB2000"), "there is no 'GB2000'"),
        (ORDER.replace("1000", "1000\nallotted = 0"), "never comes"),
        (
            ORDER + ORDER.split("\n", 2)[2].replace('"a"', '"b"').replace("GB200", "gb-200"),
            "abilene / GB200' is there 2 times",
        ),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    """With a message that says what is allowed."""
    with pytest.raises(ValidationError, match=message):
        read(text)


def test_trades_and_parts_are_those_of_the_line_and_the_catalog() -> None:
    """One list of each; every field has its documentation."""
    assert get_args(Trade) == TRADES
    assert all(f"part: {part}" in NAMES for part in get_args(Part))
    for trade in TRADES:
        assert catalog.find("trades", trade).number("completion_rate") > 0
    undocumented: list[Any] = []
    for model in (Build, *(Build.model_fields[f].annotation for f in ("campus", "phase"))):
        section = (
            model if isinstance(model, type) and issubclass(model, Build) else get_args(model)[0]
        )
        undocumented += [n for n, f in section.model_fields.items() if not f.description]
    assert not undocumented
