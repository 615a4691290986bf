"""Every parameter says where it comes from, and exactly what it says moves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

import lineshaft
from lineshaft import catalog
from lineshaft.cache import digest
from lineshaft.catalog.loader import Row, key_of
from lineshaft.characterise import Curves, characterise
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError
from lineshaft.parameters import Parameters, assemble
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.draws import draw
from lineshaft.parameters.origins import (
    ENGINES,
    engine_origins,
    meaning_of,
    origins,
    params_of,
)
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Distribution, Fixed
from lineshaft.scenario.locate import join

STAGES = (
    *("capital", "build", "train", "agents", "allocation"),
    *("serve", "floor", "plant", "oversee", "value"),
)
NAMES = [(stage, name) for stage in STAGES for name in params_of(stage)]

ODD = """
name = "odd ways"
months = 30
[capital]
opening_cash_usd = "4 GUSD"
[[capital.round]]
name = "A"
month = "2026-03"
raise_usd = "1 GUSD"
post_usd = "8 GUSD"
[[capital.debt]]
name = "loan"
month = "2026-04"
amount_usd = "1 GUSD"
[[build.campus]]
name = "plains"
existing_it_w = "40 MW"
[[build.phase]]
name = "1"
campus = "plains"
it_w = "20 MW"
[[build.accelerators]]
name = "own"
campus = "plains"
accelerator = "H100"
count = 9000
first = "2026-01"
price_usd = 25000
life_years = 4
it_w = "1.3 kW"
failures_per_year = 0.07
[[train.lease]]
name = "first"
fleet = "plains"
count = 300
start = "2026-02"
usd_per_gpu_hour = 2
[[train.lease]]
name = "second"
fleet = "plains"
count = 500
start = "2026-02"
usd_per_gpu_hour = 3
[[serve.model]]
name = "Llama 3.1 70B"
fleets = ["plains"]
[[serve.model]]
name = "bought"
source = "provider"
usd_per_mtok_input = 1
usd_per_mtok_output = 4
quota = "1e12 token"
[[serve.model]]
name = "listed"
source = "provider"
model = "OpenAI GPT-5 mini"
[[serve.rented]]
name = "cloud"
accelerator = "H200"
count = 64
growth = 0.1
[[agents.kind]]
name = "bass"
adoption = { curve = "bass", share_at_start = 0.02, saturation = 0.5 }
market_tasks_per_day = 1000
price_usd = 3
calls_per_attempt = 9
wage_usd_per_h = 80
hours_per_day = 10
[[agents.kind]]
name = "midpoint"
model = "bought"
adoption = { midpoint_years = 2, saturation = 0.5 }
market_tasks_per_day = 1000
usd_per_mtok = 5
[[agents.kind]]
name = "listed"
model = "listed"
market_tasks_per_day = 1000
price_row = "OpenAI GPT-5 mini"
[[agents.kind]]
name = "plain row"
model = "listed"
market_tasks_per_day = 1000
price_row = "Anthropic Claude Opus 4.6"
[[oversee.role]]
name = "reviewer"
headcount = 90
hires_per_year = 5
wage_usd_per_h = 60
on_cost = 1.3
[[oversee.policy]]
name = "bass"
review = "share"
share = 0.3
minutes = 7
verified = 0.6
[[plant.site]]
name = "plains"
usd_per_kwh = 0.05
usd_per_kw_month = 9
kg_per_kwh = 0.3
other_w = "1 MW"
[[value.contract]]
name = "c"
customer = "x"
kind = "bass"
tasks_per_month = 500
price_usd_per_task = 4
start = "2026-06"
term_months = 20
escalator_per_year = 0.03
take_or_pay = 0.5
[[value.contract]]
name = "d"
customer = "y"
kind = "bass"
tasks_per_month = 700
price_usd_per_task = 5
start = "2026-06"
term_months = 20
take_or_pay = 0.4
escalator_per_year = 0.02
[[value.power_lease]]
name = "l"
site = "plains"
power_w = "2 MW"
start = "2026-03"
term_months = 24
[[value.power_lease]]
name = "m"
site = "plains"
power_w = "1 MW"
usd_per_kw_month = 90
start = "2026-03"
term_months = 24
[value]
staff_wage_usd_per_h = 55
overhead_usd_per_month = "1 MUSD/month"
"""

EXAMPLES = ("odd", "gigawatt", "warehouse")

Leaf = tuple[tuple[str | int, ...], str, Any]
"""Where a number stands (attributes and positions), its dotted key, and the number."""


@cache
def scenario_of(name: str) -> tuple[Scenario, Curves]:
    found = lineshaft.read(ODD if name == "odd" else name)
    return found, characterise(found)


def params_in(scenario: Scenario, curves: Curves, draws: int = 0) -> Parameters:
    calendar = Calendar.of(scenario.start, scenario.months)
    return assemble(scenario, curves, draw(scenario, draws, 1), calendar)


def numbers(
    model: BaseModel, where: tuple[str | int, ...] = (), path: tuple[str, ...] = ()
) -> Iterator[Leaf]:
    """Every number of a scenario."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        here, key = (*where, name), (*path, name)
        if isinstance(value, BaseModel):
            yield from numbers(value, here, key)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for i, item in enumerate(value):
                yield from numbers(item, (*here, i), (*key, item.name))
        elif isinstance(value, Distribution) or type(value) in (int, float):
            yield here, join(key), value


def put(model: Any, where: tuple[str | int, ...], value: Any) -> Any:
    """The model with another value, unchecked."""
    head, *rest = where
    if isinstance(head, int):
        items = list(model)
        items[head] = put(items[head], tuple(rest), value)
        return tuple(items)
    inner = put(getattr(model, head), tuple(rest), value) if rest else value
    return model.model_copy(update={head: inner})


def others(value: Any) -> Iterator[Any]:
    """Other values of a number."""
    if isinstance(value, Distribution):
        yield from (Fixed(other) for other in others(value.median))
    elif isinstance(value, int):
        yield value + 1
        yield max(value // 2, 1)
    else:
        yield value * 1.37 if value else 0.3
        yield value * 0.55 if value else 2.0
        if 0 < value < 1:
            yield 0.97


def moved(before: Parameters, after: Parameters) -> set[tuple[str, str]]:
    """The parameters that differ."""
    found = set()
    for stage, name in NAMES:
        old, new = (np.asarray(getattr(getattr(p, stage), name)) for p in (before, after))
        if old.dtype.kind in "OU":
            different = str(old) != str(new)
        else:
            different = old.shape != new.shape or not np.allclose(
                old, new, rtol=1e-9, atol=0, equal_nan=True
            )
        if different:
            found.add((stage, name))
    return found


ONLY_SPREAD = {("build", "hours_factor")}
"""Parameters that are 1 in the median case: the range alone moves them."""


@cache
def named_by(name: str) -> dict[str, set[tuple[str, str]]]:
    """The parameters by the paths of their origins."""
    scenario, _ = scenario_of(name)
    found: dict[str, set[tuple[str, str]]] = {}
    for stage, parameter in NAMES:
        for origin in origins(scenario, stage, parameter):
            found.setdefault(origin.path, set()).add((stage, parameter))
    return found


def nothing(parameters: Parameters, stage: str, name: str) -> bool:
    """Whether a parameter is 0 everywhere: whatever it is multiplied with moves nothing."""
    return not np.asarray(getattr(getattr(parameters, stage), name)).any()


def sampled(name: str, seen: set[tuple[str, frozenset[tuple[str, str]]]]) -> Iterator[Leaf]:
    """Numbers of a scenario, without items like those that were there already."""
    for where, key, value in numbers(scenario_of(name)[0]):
        shape = ".".join(str(part) for part in where if not isinstance(part, int))
        alike = (shape, frozenset(named_by(name).get(key, ())))
        if alike not in seen and key not in ("months", "seed", "build.samples"):
            seen.add(alike)
            yield where, key, value


def test_a_number_moves_exactly_the_parameters_that_name_it() -> None:
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    wrong = {}
    for name in EXAMPLES:
        scenario, curves = scenario_of(name)
        before = params_in(scenario, curves)
        for where, key, value in sampled(name, seen):
            named = named_by(name).get(key, set()) - ONLY_SPREAD
            changed: set[tuple[str, str]] = set()
            for other in others(value):
                changed |= moved(before, params_in(put(scenario, where, other), curves))
                if changed == named:
                    break
            unmoved = {one for one in named - changed if not nothing(before, *one)}
            if changed - named or unmoved:
                wrong[name, key] = {"unnamed": changed - named, "unmoved": unmoved}
    assert wrong == {}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_cell_moves_exactly_the_parameters_that_name_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, curves = scenario_of(name)
    before = params_in(scenario, curves)
    cells = {
        origin.path: origin
        for stage, parameter in NAMES
        for origin in origins(scenario, stage, parameter)
        if origin.kind == "catalog"
    }
    wrong = {}
    for path, origin in cells.items():
        row, named = origin.row, named_by(name)[path]
        assert row is not None
        value = row.number(origin.field)
        index = catalog._index(row.table)
        with monkeypatch.context() as patch:
            other = value * 1.37 if value else 0.3
            changed_row = Row(row.table, row.line, {**row, origin.field: other})
            for alias in row.names:
                patch.setitem(index, key_of(alias), changed_row)
            changed = moved(before, params_in(scenario, curves))
        # a year orders the fleets: it moves nothing where it leaves their order as it is
        if changed != named and not (origin.field == "year" and not changed):
            wrong[path] = {"unnamed": changed - named, "unmoved": named - changed}
    assert wrong == {}


def test_a_range_of_craft_hours_moves_its_factor() -> None:
    scenario, curves = scenario_of("odd")
    wide = lineshaft.read(
        ODD.replace('it_w = "20 MW"', 'it_w = "20 MW"\ncraft_hours_per_mw = "9000 to 24000"')
    )
    before, after = params_in(scenario, curves, 2), params_in(wide, curves, 2)
    assert ("build", "hours_factor") in moved(before, after)
    assert ("build", "hours_factor") in named_by("odd")["build.phase.1.craft_hours_per_mw"]


@pytest.mark.parametrize(("stage", "name"), NAMES)
def test_every_parameter_has_origins(stage: str, name: str) -> None:
    """Somewhere: a parameter of leases has none where nothing is leased."""
    found = [o for s in EXAMPLES for o in origins(scenario_of(s)[0], stage, name)]
    assert found
    for origin in found:
        assert origin.kind in ("key", "catalog", "engine")
        assert origin.kind == "engine" or hasattr(origin.model or origin.row, origin.field)


def test_labels_narrow_the_origins() -> None:
    scenario, _ = scenario_of("gigawatt")
    one = origins(scenario, "agents", "market_tasks", {"month": "2030-01", "kind": "mobile robot"})
    assert all(o.path.startswith('agents.kind."mobile robot".') for o in one) and len(one) == 5
    fleet = origins(scenario, "build", "it_w", {"fleet": "abilene / GB300"})
    assert {o.path for o in fleet} == {
        'build.accelerators."later halls".cluster_overhead',
        "accelerators/GB300.it_w_per_accelerator",
    }


def test_units_and_meanings_are_those_of_the_parameters() -> None:
    assert meaning_of("value", "wacc") == ("1/year", "discount rate of the free cash flow")
    with pytest.raises(KeyError):
        meaning_of("value", "vacc")
    with pytest.raises(KeyError):
        origins(scenario_of("warehouse")[0], "value", "vacc")
    assert {f.name for f in dataclasses.fields(Parameters)} == {"dims", "calendar", *STAGES}


def test_a_number_moves_only_the_engines_that_name_it() -> None:
    """And each number that an engine names moves it in one of the scenarios."""
    seen: set[tuple[str, frozenset[str]]] = set()
    unnamed, moved_by, named_anywhere = {}, set(), set()
    for name in EXAMPLES:
        scenario, _ = scenario_of(name)
        named = {s: {o.path for o in engine_origins(scenario, s)} for s in ENGINES}
        before = asked_of(scenario)
        for where, key, value in numbers(scenario):
            shape = ".".join(str(part) for part in where if not isinstance(part, int))
            by = frozenset(s for s in ENGINES if key in named[s])
            if (shape, by) in seen or key == "months":
                continue
            seen.add((shape, by))
            named_anywhere |= {(shape, s) for s in by}
            changed: set[str] = set()
            for other in others(value):
                after = asked_of(put(scenario, where, other))
                changed |= {s for s in ENGINES if before[s] != after[s]}
                if changed == by:
                    break
            moved_by |= {(shape, s) for s in changed}
            if changed - by:
                unnamed[key] = changed - by
    assert unnamed == {}
    assert named_anywhere - moved_by == set()


def asked_of(scenario: Scenario) -> dict[str, str]:
    """What every engine is asked, as a digest; "" where it cannot be asked that."""
    calendar = Calendar.of(scenario.start, scenario.months)
    dims = dims_of(scenario, calendar)
    found = {}
    for stage in ENGINES:
        try:
            module = import_module(f"lineshaft.parameters.{stage}")
            found[stage] = digest(module.engine_inputs(scenario, dims, calendar))
        except InputError:
            found[stage] = ""
    return found
