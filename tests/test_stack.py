"""Scenarios side by side give the same bits as each by itself, and as a run of its own."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lineshaft
from lineshaft import stack as stacking
from lineshaft.cache import Cache, memo
from lineshaft.characterise import characterise
from lineshaft.errors import ConservationError, InputError
from lineshaft.kpis import MEASURES
from lineshaft.line import run
from lineshaft.parameters import Parameters
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import drivers, value
from lineshaft.stack import DRAWN, Case, solve, stack
from lineshaft.sweep.template import Template


@pytest.fixture(scope="module")
def template() -> Template:
    return Template.of(Path(lineshaft.__file__).parent / "examples/warehouse.toml")


def numbers(scenario: Scenario) -> dict[str, float]:
    """Medians, not 0, of the uncertain inputs."""
    return {path: d.median for path, d in drivers(scenario).items() if d.median}


def case(scenario: Scenario, draws: int = 0) -> Case:
    curves = characterise(scenario, memo(Cache.default().folder))
    (found,) = Case.chunks(scenario, curves, draw(scenario, draws, scenario.seed))
    return found


VALUE = [what.name for what in MEASURES].index("value.enterprise_value_usd")


def same(a: object, b: object) -> bool:
    assert isinstance(a, list) and isinstance(b, list)
    return len(a) == len(b) and all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_side_by_side_or_alone_the_same_bits(template: Template, data: st.DataObject) -> None:
    medians = numbers(template.scenario())
    changes = st.dictionaries(
        st.sampled_from(sorted(medians)), st.sampled_from([0.5, 0.9, 1.1, 2.0]), max_size=4
    )
    asked = data.draw(
        st.lists(st.tuples(changes, st.sampled_from([0, 0, 2])), min_size=2, max_size=6)
    )
    cases = []
    for factors, draws in asked:
        overrides = [f"{path}={medians[path] * factor!r}" for path, factor in factors.items()]
        try:
            cases.append(case(template.scenario(overrides), draws))
        except InputError:
            continue
    together = solve(cases)
    assert all(same(a, solve([one])[0]) for a, one in zip(together, cases, strict=True))


@pytest.mark.parametrize("name", ["gigawatt", "claimed-9t"])
def test_the_same_bits_as_a_run_of_its_own(name: str) -> None:
    """Crews, money, contracts and leases bind in some of these and not in others."""
    rng = random.Random(4)
    medians = numbers(lineshaft.read(name))
    cases, scenarios = [], []
    while len(cases) < 8:
        chosen = rng.sample(sorted(medians), 3)
        overrides = [f"{path}={medians[path] * rng.choice([0.7, 1.02, 1.6])!r}" for path in chosen]
        try:
            scenario = lineshaft.read(name, overrides=overrides)
            cases.append(case(scenario, len(cases) % 3))
        except InputError:
            continue
        scenarios.append(scenario)
    assert len({one.company for one in cases}) < len(cases)
    for place, (figures, scenario) in enumerate(zip(solve(cases), scenarios, strict=True)):
        draws = place % 3
        outcome = run(scenario, characterise(scenario), draws=max(draws, 1))
        assert isinstance(figures, list)
        for kpi, values in zip(outcome.kpis, figures, strict=True):
            assert np.float64(kpi.value).tobytes() == values[0].tobytes(), kpi.measure.name
            assert not draws or kpi.draws.tobytes() == values[1:].tobytes(), kpi.measure.name


@pytest.mark.parametrize("name", ["gigawatt", "warehouse"])
def test_every_parameter_with_draws_is_known_as_such(name: str) -> None:
    """A draw axis that was missed would be read as data of the first scenario."""
    scenario = lineshaft.read(name)
    parameters = case(scenario, 16).parameters
    width = parameters.dims.width
    assert width == 17
    doubled = stack([parameters, parameters])
    assert doubled.dims.width == 2 * width
    stages = {f.name for f in dataclasses.fields(Parameters)} - {"dims", "calendar"}
    for stage in stages:
        before, after = getattr(parameters, stage), getattr(doubled, stage)
        for field in dataclasses.fields(before):
            old, new = getattr(before, field.name), getattr(after, field.name)
            if isinstance(old, np.ndarray) and old.ndim and old.shape[-1] == width:
                assert new.shape == (*old.shape[:-1], 2 * width), (stage, field.name)
                assert (new[..., :width] == new[..., width:])[~np.isnan(old)].all()
    for name in DRAWN:
        stage, field_name = name.split(".")
        assert isinstance(getattr(getattr(parameters, stage), field_name), np.ndarray)


def test_company_is_kept_where_only_draws_differ(template: Template) -> None:
    base = case(template.scenario())
    assert case(template.scenario(["value.wacc=0.11"])).company == base.company
    assert case(template.scenario(["policy=priority"])).company != base.company
    assert case(template.scenario(["months=48"])).company != base.company
    waits = dataclasses.replace(base.curves.oversee, servers=base.curves.oversee.servers + 1)
    others = dataclasses.replace(base.curves, oversee=waits)
    assert Case.of(base.parameters, others).company != base.company
    own_curve = case(template.scenario(["agents.kind.planning.verifier_rho=0.6"]))
    assert own_curve.company == base.company


def test_each_has_its_own_curves_of_construction_and_of_agents() -> None:
    crews = [
        ["months=40", f"build.crew_factor={factor}", f"agents.kind.coder.human_minutes={minutes}"]
        for factor, minutes in ((0.5, 20), (1, 90), (3, 90))
    ]
    scenarios = [lineshaft.read("gigawatt", overrides=one) for one in crews]
    cases = [case(scenario, draws) for scenario, draws in zip(scenarios, (0, 2, 1), strict=True)]
    assert len({one.company for one in cases}) == 1
    assert len({id(one.curves.build) for one in cases}) == 3
    found = solve(cases)
    for scenario, draws, figures in zip(scenarios, (1, 2, 1), found, strict=True):
        outcome = run(scenario, characterise(scenario), draws=draws)
        assert isinstance(figures, list)
        for kpi, values in zip(outcome.kpis, figures, strict=True):
            assert same([np.append(kpi.value, kpi.draws)[: len(values)]], [values])
    values = [one[VALUE][0] for one in found if isinstance(one, list)]
    assert len(set(values)) == 3


def test_batches_hold_no_more_than_a_chunk(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [case(template.scenario([f"value.wacc={0.08 + i / 1000}"]), 2) for i in range(5)]
    whole = solve(cases)
    monkeypatch.setattr(stacking, "CHUNK", 6)
    assert [len(batch) for batch in stacking._batches(cases)] == [2, 2, 1]
    assert all(same(a, b) for a, b in zip(solve(cases), whole, strict=True))


def test_a_broken_balance_is_told_of_its_scenario_alone(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [case(template.scenario([f"value.wacc={wacc}"])) for wacc in (0.08, 0.09, 0.1)]
    whole = solve(cases)
    check = stacking.check

    def broken(tables: object) -> None:
        check(tables)  # type: ignore[arg-type]
        if (np.isclose(tables.valuation.wacc, 0.09)).any():  # type: ignore[attr-defined]
            raise ConservationError("value", "a balance", "2026-01", 1.0)

    monkeypatch.setattr(stacking, "check", broken)
    found = solve(cases)
    assert isinstance(found[1], ConservationError)
    assert same(found[0], whole[0]) and same(found[2], whole[2])


def test_figures_are_those_of_the_kpis(template: Template) -> None:
    (figures,) = solve([case(template.scenario(), 3)])
    assert isinstance(figures, list)
    assert len(figures) == len(MEASURES)
    assert all(values.shape == (5,) for values in figures)  # the median case and 4 draws


def test_numbers_are_numbers(template: Template) -> None:
    found = numbers(template.scenario())
    assert len(found) > 50
    assert isinstance(value(template.scenario(), next(iter(found))), Distribution)
