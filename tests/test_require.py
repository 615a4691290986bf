"""The line from right to left: what is asked for comes out again when the answer runs forward."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import lineshaft
from lineshaft import catalog
from lineshaft.characterise import characterise
from lineshaft.errors import InputError, RunError
from lineshaft.line import Outcome
from lineshaft.require import EXTENSIVE, Joint, Required, cycle, pools_of, require, scaled, write
from lineshaft.require.answer import Impossible
from lineshaft.require.ask import _first
from lineshaft.require.cycle import Resource, _shares, _span
from lineshaft.require.joints import Years, needs
from lineshaft.require.pools import Pool, Span, packages_per_wafer, reach
from lineshaft.require.scale import scaled_curves, times
from lineshaft.require.solve import NoFactorError, factor_for
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import quantity_of
from lineshaft.scenario.uncertain import read_uncertain

TARGETS: dict[str, dict[str, Any]] = {
    "value": {"value_usd": "9.3T"},
    "revenue": {"revenue_usd": "5T"},
    "daa": {"daa": "10G"},
}
FIGURES = {
    "value": "value.enterprise_value_usd",
    "revenue": "value.revenue_usd",
    "daa": "oversee.daa",
}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return lineshaft.read("gigawatt")


@pytest.fixture(scope="module")
def claimed_worth(scenario: Scenario) -> Required:
    return require(scenario, value_usd="9.3T")


# ── the answer runs forward ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", TARGETS)
def test_the_written_scenario_runs_forward_to_what_was_asked(
    kind: str, scenario: Scenario, tmp_path: Path
) -> None:
    """Within 1 %, from the file alone, through the whole command line of a user."""
    found = require(scenario, **TARGETS[kind])
    file = write(found, tmp_path / "required.toml")
    outcome = lineshaft.solve(lineshaft.read(file))
    assert outcome[FIGURES[kind]].value == pytest.approx(found.target.value, rel=0.01)
    assert found.amount == pytest.approx(outcome[FIGURES[kind]].value, rel=1e-9)


def test_a_month_before_the_last_is_met_in_that_month(scenario: Scenario) -> None:
    """`by` asks for agents of a year's last month, and for the twelve months to a month."""
    agents = require(scenario, daa="1M", by="2030")
    run = lineshaft.solve(agents.scenario).tables
    at = run.dims.labels["month"].index("2030-12")
    assert run.accepted.daa_b[at].sum() == pytest.approx(1e6, rel=0.01)
    money = require(scenario, revenue_usd="1T", by="2031-06")
    run = lineshaft.solve(money.scenario).tables
    at = run.dims.labels["month"].index("2031-06")
    assert run.worth.revenue_usd[at - 11 : at + 1].sum() == pytest.approx(1e12, rel=0.01)


def test_a_scenario_without_halls_is_scaled_too(tmp_path: Path) -> None:
    """Rented tokens and robots: no build curve, no packages, and still an answer."""
    found = require(lineshaft.read("warehouse"), value_usd="1B")
    file = write(found, tmp_path / "warehouse.toml")
    worth = lineshaft.solve(lineshaft.read(file))["value.enterprise_value_usd"].value
    assert worth == pytest.approx(1e9, rel=0.01)
    names = {joint.joint for joint in found.joints}
    assert {"operators", "robots: amr", "revenue"} <= names
    assert not {"packages", "HBM", "electricians"} & names


def test_joints_are_read_from_the_forward_run(claimed_worth: Required) -> None:
    """Each joint's years are sums, ends or peaks of the run's own columns."""
    found = claimed_worth
    x = lineshaft.solve(found.scenario).tables
    joints = {joint.joint: np.array(joint.required) for joint in found.joints}
    years = (10, 12)
    revenue = x.worth.revenue_usd[:, 0].reshape(years).sum(axis=1)
    np.testing.assert_allclose(joints["revenue"], revenue, rtol=1e-12)
    daa = sum(amount for name, amount in joints.items() if name.startswith("DAA: "))
    np.testing.assert_allclose(daa, x.accepted.daa_b[11::12, :, 0].sum(axis=1), rtol=1e-6)
    tokens = x.served.served[:, :, 0].sum(axis=1).reshape(years).sum(axis=1)
    np.testing.assert_allclose(joints["tokens"], tokens, rtol=1e-12)
    chips = sum(amount for name, amount in joints.items() if name.startswith("accelerators: "))
    np.testing.assert_allclose(joints["packages"], chips / 16, rtol=1e-12)
    memory = {n: catalog.find("accelerators", n).number("memory_bytes") for n in ("GB200", "GB300")}
    held = sum(memory[n] * joints[f"accelerators: {n}"] for n in memory)
    np.testing.assert_allclose(joints["HBM"], held, rtol=1e-12)
    peak = x.powered.peak_w[:, :, 0].sum(axis=1)
    assert joints["power"].sum() == pytest.approx(peak.max())
    hours = joints["craft hours: electrical"].sum()
    assert hours == pytest.approx(x.crews.worked_h[:, 2, 0].sum(), rel=1e-6)
    for workers, trade in (("electricians", "electrical"), ("pipefitters", "pipe")):
        # nobody works more than the hours of a month, and the busiest month is not the mean
        least = joints[f"craft hours: {trade}"].max() / (12 * 50 * 365.25 / 84 * 0.85)
        assert least < joints[workers].max() < 12 * least


def test_the_chain_of_a_claimed_worth_has_the_published_size(claimed_worth: Required) -> None:
    """At 12 % a worth of $9.3T needs about $5.8T of revenue in year 10 ($4 to $9T at 10 to 15 %),
    and hundreds of gigawatts: published reverse DCF and 1-GW cost models."""
    joints = {joint.joint: joint for joint in claimed_worth.joints}
    assert 4e12 < max(joints["revenue"].required) < 1e13
    assert 1e11 < max(joints["IT power"].required) < 1e12
    assert sum(joints["capex"].required) > 1e12
    dcf = claimed_worth.dcf[1]
    assert dcf.run_rate_usd == 47e9
    assert 3e12 < dcf.revenue_usd[-1] < 9e12


def test_the_reverse_dcf_is_that_of_the_reference(scenario: Scenario) -> None:
    """9300 at a run-rate of 47 and 12 %: 131 % and 5841 in year 10."""
    fixed = {"wacc": read_uncertain(0.12, "1"), "growth": read_uncertain(0.03, "1")}
    value = scenario.value.model_copy(update=fixed)
    found = require(scenario.model_copy(update={"value": value}), value_usd=9.3e12)
    assert [dcf.growth for dcf in found.dcf] == pytest.approx([1.31] * 3, abs=0.005)
    assert found.dcf[0].revenue_usd[-1] == pytest.approx(5841e9, rel=1e-3)


# ── what supply can reach ─────────────────────────────────────────────────────────────────────


def test_margins_are_required_over_reachable(claimed_worth: Required) -> None:
    """And the first impossible joint is the rightmost of the earliest year with one above 1."""
    above = []
    for place, joint in enumerate(claimed_worth.joints):
        if joint.reachable is None:
            assert set(joint.margin) == {None}
            continue
        assert min(joint.reachable) > 0 and joint.pool and joint.source
        for year, need, have, margin in zip(
            joint.years, joint.required, joint.reachable, joint.margin, strict=True
        ):
            assert margin == need / have
            if margin > 1:
                above.append((year, place, joint.joint))
    first = claimed_worth.first_impossible
    assert first is not None
    assert (first.year, first.joint) == (min(above)[0], min(above)[2])
    most = claimed_worth.tightest
    assert most.margin == max(m for j in claimed_worth.joints for m in j.margin if m is not None)


def test_the_first_impossible_joint_goes_by_year_then_from_right_to_left() -> None:
    def joint(name: str, *required: float) -> Joint:
        return Joint(name, "", "person", (2026, 2027), required, (1.0, 1.0), (), "")

    right, left = joint("right", 0.5, 3.0), joint("left", 2.0, 1.0)
    assert _first((right, left)) == Impossible("left", 2026, 2.0)
    assert _first((right, joint("left", 1.0, 9.0))) == Impossible("right", 2027, 3.0)
    assert _first((joint("right", 1.0, 0.0),)) is None


def test_the_largest_worth_is_just_carried(claimed_worth: Required, scenario: Scenario) -> None:
    """A hair below it every joint can be reached, a hair above it the one that holds it cannot."""
    largest = claimed_worth.largest
    below = require(scenario, value_usd=0.999 * largest.value_usd)
    assert below.first_impossible is None
    above = require(scenario, value_usd=1.002 * largest.value_usd)
    assert above.first_impossible is not None
    assert (above.tightest.joint, above.tightest.year) == (largest.held_by, largest.year)
    for found in (below, above):
        assert found.largest_usd == pytest.approx(largest.value_usd, rel=1e-3)
    assert largest.low_usd < largest.value_usd < largest.high_usd


def test_more_of_the_pool_that_holds_it_carries_more(
    claimed_worth: Required, scenario: Scenario
) -> None:
    """The answer follows the shares that one asks for, by joint or by pool."""
    held = claimed_worth.largest.held_by
    found = require(scenario, value_usd="9.3T", shares={held: 0.9})
    assert found.largest.held_by != held
    assert found.largest_usd > 1.05 * claimed_worth.largest_usd


def test_every_pool_fits_a_joint_in_its_unit(scenario: Scenario, gigawatt: Outcome) -> None:
    """A pool that no joint draws from, or in another unit, would never hold anything."""
    wanted = {need.joint: need.unit for need in needs(scenario, gigawatt)}
    elsewhere = {"robots: cell": "robot/year", "exposed work": "h/year"}
    for joint, pools in pools_of(scenario).items():
        for pool in pools:
            assert pool.unit == (wanted | elsewhere)[joint]
            for span in (pool.value, pool.growth, pool.share, pool.industry_share):
                assert 0 <= span.low <= span.mid <= span.high
            assert pool.share.high <= 1 and pool.industry_share.high <= 1


def test_pools_take_what_stands_elsewhere_from_there(scenario: Scenario) -> None:
    """World GDP is the scenario's input, employment of the trades that of the trades' table."""
    other = scenario.value.model_copy(update={"world_gdp_usd": read_uncertain("50 TUSD", "USD")})
    (gdp,) = pools_of(scenario.model_copy(update={"value": other}))["revenue"]
    assert (gdp.value.mid, gdp.year) == (5e13, scenario.value.world_gdp_year)
    (electricians,) = pools_of(scenario)["electricians"]
    assert electricians.value.mid == catalog.find("trades", "electrical").us_employment


def test_pools_of_a_joint_add_up_and_grow() -> None:
    one = Pool(
        "a", "x", "W/year", "US", _even(100), 2026, _even(0.1), _even(0.5), _even(1), "", "", ()
    )
    two = replace(one, value=_even(40), growth=_even(0.0))
    years = np.array([2026.0, 2027.0])
    np.testing.assert_allclose(reach((one, two), years), [70, 75])
    np.testing.assert_allclose(reach((one, two), years, "industry_share"), [140, 150])


def test_graphics_cards_take_no_wafer() -> None:
    assert math.isinf(packages_per_wafer("ada"))
    assert packages_per_wafer("rubin") == 9
    assert 9 < packages_per_wafer("cdna3") < 29, "no row of its own: the one of others"


def test_a_year_in_part_has_part_of_a_flow(scenario: Scenario) -> None:
    """Eighteen months from July: half a year, then a whole one."""
    short = scenario.model_copy(update={"months": 18, "start": "2026-07"})
    phases = tuple(p.model_copy(update={"start": "2026-07"}) for p in short.build.phase)
    short = short.model_copy(update={"build": short.build.model_copy(update={"phase": phases})})
    outcome = lineshaft.solve(short)
    years = Years.of(outcome)
    assert years.labels == (2026, 2027)
    np.testing.assert_allclose(years.part, [0.5, 1.0])
    capex = next(n for n in needs(short, outcome) if n.joint == "capex").amount
    spent = outcome.tables.worth.capex_usd[:, 0]
    np.testing.assert_allclose(capex, [spent[:6].sum(), spent[6:].sum()])


# ── larger and smaller firms ──────────────────────────────────────────────────────────────────


def test_a_scaled_campus_keeps_its_dates(scenario: Scenario) -> None:
    """What is written for build's curve is what build's engine gives."""
    short = characterise(scenario)
    for factor in (0.5, 300.0):
        cheap = scaled_curves(short, factor).build
        engine = characterise(scaled(scenario, factor)).build
        assert cheap is not None and engine is not None
        for field in ("hall_w", "craft_hours", "crew_hours", "duration_months", "ready_months"):
            np.testing.assert_allclose(getattr(cheap, field), getattr(engine, field), rtol=1e-7)


def test_scaling_there_and_back_changes_nothing(scenario: Scenario) -> None:
    again = scaled(scaled(scenario, 8.0), 0.125)
    assert again == scenario
    assert scaled(scenario, 1.0) is scenario


@pytest.mark.parametrize(
    "written",
    [
        3.0,
        "2 to 4",
        "0 to 4",
        {"p50": 3, "p90": 5},
        {"dist": "normal", "mean": 3, "sd": 0.5},
        {"dist": "lognormal", "median": 3, "sigma": 0.4},
        {"dist": "uniform", "low": 1, "high": 4},
        {"dist": "pert", "low": 1, "mode": 2, "high": 4},
        {"dist": "triangular", "low": 1, "mode": 2, "high": 4},
        {"dist": "beta", "a": 2, "b": 3, "low": 1, "high": 4},
        {"dist": "choice", "values": [1, 2, 4], "weights": [1, 2, 3]},
    ],
)
@given(factor=st.floats(0.01, 1e6))
def test_every_law_of_an_uncertain_number_scales(written: Any, factor: float) -> None:
    """All quantiles grow alike."""
    number = read_uncertain(written, "1")
    grown = times(number, factor)
    assert isinstance(grown, Distribution) and type(grown) is type(number)
    u = np.array([0.03, 0.3, 0.5, 0.8, 0.97])
    np.testing.assert_allclose(grown.ppf(u), factor * number.ppf(u), rtol=1e-9)


SCALED_UNITS = ("W", "USD", "USD/month", "person", "person/month", "person/year", "accelerator")
SCALED_UNITS = (*SCALED_UNITS, "agent", "robot", "task", "token")
PER_UNIT = {
    "build.accelerators.price_usd", "build.accelerators.it_w", "floor.robots.price_usd",
    "agents.kind.price_usd", "agents.kind.escape_usd", "agents.kind.tokens_per_hour_task",
    "agents.kind.tokens_per_attempt", "agents.kind.tokens_per_call", "agents.kind.budget_tokens",
    "serve.slo_ttft_tokens",
    "train.run.tokens", "train.run.accelerators", "train.run.sequence", "train.run.global_batch",
    "value.world_gdp_usd", "value.claim.raise_usd", "value.claim.pre_usd",
    "value.claim.value_usd", "value.claim.run_rate_usd",
}  # fmt: skip
"""Fields in such a unit of which a larger firm has no more: prices, what one task or one run takes,
and figures of the world."""


def test_every_extensive_field_is_scaled_or_excused() -> None:
    """A new field in watts, dollars or people must say whether a larger firm has more of it."""
    inside = dict(_fields(Scenario, ""))
    listed = {f"{path}.{name}" for path, names in EXTENSIVE.items() for name in names}
    assert listed <= set(inside)
    extensive = {path for path, unit in inside.items() if unit in SCALED_UNITS}
    assert extensive - listed == PER_UNIT


def _fields(model: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    """Dotted path and unit of every field, lists of sections without their names."""
    for name, field in model.model_fields.items():
        here = f"{path}.{name}".removeprefix(".")
        kind = quantity_of(field)
        inner = field.annotation
        if get_origin(inner) is tuple:
            inner = get_args(inner)[0]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, here)
        else:
            yield here, kind.unit if kind else ""


# ── solving ───────────────────────────────────────────────────────────────────────────────────


@given(
    power=st.floats(0.3, 3.0),
    fixed=st.floats(-50.0, 50.0),
    wanted=st.floats(1.0, 1e4),
    start=st.floats(0.01, 100.0),
)
def test_the_factor_is_found_for_whatever_rises(
    power: float, fixed: float, wanted: float, start: float
) -> None:
    """Also with a fixed cost, below which the value is negative, or a fixed income."""
    wanted = max(wanted, 1.1 * fixed)

    def measure(factor: float) -> tuple[float, float]:
        return 10 * factor**power + fixed, factor

    factor, kept = factor_for(measure, wanted, start)
    assert measure(factor)[0] == pytest.approx(wanted, rel=1e-5)
    assert kept == factor


def test_what_never_comes_is_told() -> None:
    with pytest.raises(NoFactorError, match="40 forward runs"):
        factor_for(lambda factor: (1.0 - 1.0 / (1.0 + factor), None), 2.0, 1.0)


# ── the cycle ─────────────────────────────────────────────────────────────────────────────────


def _even(value: float) -> Span:
    return Span(value, value, value)


def _pool(unit: str, value: float, growth: float = 0.0) -> Pool:
    return Pool(
        "p", "j", unit, "US", _even(value), 2026, _even(growth), _even(1), _even(1), "", "", ()
    )


def test_the_cycle_of_an_even_flow_is_known_in_closed_form() -> None:
    """Stock of a flow f grows by f a year: 10 to 90 % of a need n h takes 0.8 n h / f years. What
    is there from the first day takes none, and what wears out before it is enough never comes."""
    years = 2026.0 + np.arange(200)
    whole = (_pool("h/year", 1000.0),)
    flow = Resource("flow", (_pool("wafer/year", 5.0),), 0.1, 1e3)
    short = Resource("short", (_pool("wafer/year", 5.0),), 0.1, 6.0)
    there = Resource("there", (_pool("person", 200.0),), 0.1, math.inf)
    shares = _shares([flow, short, there], whole, years, "mid")
    start, end = _span(shares[0], years)
    assert end - start == pytest.approx(0.8 * 0.1 * 1000 / 5)
    assert shares[1].max() == pytest.approx(6 * 5 / 100)
    assert math.isinf(_span(shares[1], years)[1])
    assert shares[2].min() == pytest.approx(2.0)


def test_the_cycle_ends_with_its_slowest_resource(scenario: Scenario, gigawatt: Outcome) -> None:
    """Computed from the pools: shorter with more of them, and held by one that it names."""
    found = cycle(scenario, gigawatt)
    assert 0 < found.low_years < found.years < found.high_years
    assert found.end - found.start == pytest.approx(found.years)
    assert found.held_by in found.by_resource
    assert found.years >= found.by_resource[found.held_by] - 1e-9
    assert {"power", "packages", "HBM", "reviewers", "electricians", "robots: amr"} <= set(
        found.by_resource
    )
    told = found.text
    assert "5" in told and "50" in told and found.held_by in told
    larger = cycle(scaled(scenario, 10.0), lineshaft.solve(scaled(scenario, 10.0)))
    assert larger.years == pytest.approx(found.years, rel=0.02), "it is not this firm's size"


# ── input and output ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, ["no target", "exactly one of --value, --revenue and --daa"]),
        ({"value_usd": "9.3T", "daa": "1G"}, ["2 targets: value, daa", "exactly one"]),
        ({"value_usd": "nine"}, ["does not start with a number"]),
        ({"value_usd": "3 GW"}, ["'3 GW' is a power", "an amount of money"]),
        ({"revenue_usd": -1}, ["not above 0"]),
        ({"daa": "10G", "by": "2050"}, ["'2050'", "2026-01 to 2035-12", "did you mean"]),
        ({"value_usd": "9.3T", "by": "2030"}, ["it has no year"]),
        ({"revenue_usd": "1B", "by": "2026-03"}, ["ends no twelve months", "2026-12 or later"]),
        ({"daa": "1M", "by": "2026-03"}, ["has none in 2026-03"]),
        ({"daa": "x", "by": "2050"}, ["'x'", "'2050'"]),
        ({"daa": "1G", "shares": {"package": 2}}, ["no pool 'package'", "mean 'packages'?"]),
        ({"daa": "1G", "shares": {"HBM": 2}}, ["HBM = 2", "at most 1"]),
    ],
)
def test_bad_targets_are_told_all_at_once(
    scenario: Scenario, asked: dict[str, Any], told: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        require(scenario, **asked)
    assert [part for part in told if part not in str(caught.value)] == []


def test_a_firm_that_is_worth_nothing_says_what_to_change() -> None:
    """And prices as much higher as it says do make it worth something."""
    poor = lineshaft.read("gigawatt", overrides=["agents.kind.api.usd_per_mtok=0.1"])
    with pytest.raises(InputError) as caught:
        require(poor, value_usd="9.3T")
    text = str(caught.value)
    assert "is worth -$" in text and "revenue $" in text
    more = float(text.split("prices about ")[1].split(" times")[0])
    kinds = tuple(_dearer(kind, more) for kind in poor.agents.kind)
    richer = poor.model_copy(update={"agents": poor.agents.model_copy(update={"kind": kinds})})
    assert lineshaft.solve(richer)["value.enterprise_value_usd"].value > 0


def _dearer(kind: Any, more: float) -> Any:
    """The kind with prices `more` times as high, at which as much is demanded."""
    names = ("price_usd", "usd_per_mtok", "price_share")
    return kind.model_copy(update={n: times(getattr(kind, n), 1.1 * more) for n in names})


def test_the_answer_is_plain_data(claimed_worth: Required) -> None:
    """As the report and run.json take it: one array a joint, one place a year, no NaN."""
    told = json.loads(json.dumps(claimed_worth.to_dict(), allow_nan=False))
    assert told["target"]["kind"] == "value"
    assert (told["target"]["value"], told["years"][0], told["years"][-1]) == (9.3e12, 2026, 2035)
    for joint in told["joints"]:
        for array in ("required", "reachable", "margin"):
            assert len(joint[array]) == len(told["years"])
        assert {"joint", "stage", "unit", "source"} <= set(joint)
    stages = list(dict.fromkeys(joint["stage"] for joint in told["joints"]))
    order = ("value", "oversee", "plant", "floor", "serve", "agents", "build", "capital")
    assert stages == list(order), "from right to left"
    assert told["first_impossible"]["joint"] in {joint["joint"] for joint in told["joints"]}
    assert told["largest_usd"] == claimed_worth.largest_usd
    assert told["held_by"] in told["text"]
    assert len(claimed_worth.rows) == len(told["joints"]) * len(told["years"])


def test_the_answer_for_people(claimed_worth: Required) -> None:
    text = " ".join(claimed_worth.text().split())  # long lines are folded
    first = claimed_worth.first_impossible
    assert first is not None
    for part in ("a worth of $9.30T", f"It is {first.joint} in {first.year}", "Reverse DCF"):
        assert part in text
    for joint in claimed_worth.joints:
        assert joint.joint in text
        assert [line for line in joint.pool if line not in text] == []
    page = claimed_worth._repr_html_()
    assert page.count("<tr>") == 1 + len(claimed_worth.joints)
    assert repr(claimed_worth).startswith("Required(A worth of $9.30T")


def test_a_file_is_written_whole_and_never_over_another(
    claimed_worth: Required, tmp_path: Path
) -> None:
    file = write(claimed_worth, tmp_path / "a.toml")
    text = file.read_text("utf-8")
    assert text.startswith("# A worth of $9.30T")
    with pytest.raises(RunError, match=r"a\.toml exists"):
        write(claimed_worth, file)
    assert file.read_text("utf-8") == text
    with pytest.raises(RunError, match="nothing was kept"):
        write(claimed_worth, tmp_path / "no" / "b.toml")
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]
