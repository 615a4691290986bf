"""The uncertain inputs of a scenario, told to people; and the scenario with other values.

Where a number comes from: it is the default of its field when leaving it out gives the same, with
the source of the field, of its class of work, or of the catalog row that fills it; else somebody
wrote it, and the source is the scenario.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lineshaft import catalog
from lineshaft.scenario.agents import Agents, Kind, horizon_column
from lineshaft.scenario.capital import Round
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import drivers, quantity_of
from lineshaft.scenario.floor import Robots
from lineshaft.scenario.locate import split
from lineshaft.scenario.work import usual_of

WRITTEN = "the scenario"
"""Source of what somebody wrote."""
UNSOURCED = "a default without a public source"

_FIRST = re.compile(r"\.? \(?default: |; default: |\. ")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Input:
    """An uncertain input: its path and law, and what is known about it."""

    path: str
    number: Distribution
    meaning: str
    """First sentence of the field's documentation."""
    unit: str
    confidence: str
    """low, medium or high; empty where nobody said."""
    source: str


def uncertain_inputs(scenario: BaseModel) -> tuple[Input, ...]:
    """Every uncertain input of `scenario`, in the order of its fields."""
    defaults: dict[int, BaseModel | None] = {}
    found = []
    for path, number in drivers(scenario).items():
        section, field = _home(scenario, split(path))
        info = type(section).model_fields[field]
        kind = quantity_of(info)
        if id(section) not in defaults:
            defaults[id(section)] = _without_ranges(section)
        usual = defaults[id(section)]
        own = usual is None or getattr(usual, field) != getattr(section, field)
        source, confidence = (WRITTEN, "") if own else origin(section, field)
        meaning = _FIRST.split(" ".join((info.description or field).split()))[0].rstrip(".")
        unit = kind.unit if kind else "1"
        found.append(Input(path, number, meaning, unit, confidence, source))
    return tuple(found)


def called(path: str, meaning: str) -> str:
    """An input in words, with whose it is: "kind coder: …" of agents.kind.coder.price_usd."""
    parts = split(path)
    owner = f"{parts[1]} {parts[2]}: " if len(parts) > 3 else ""
    return owner + (meaning or path)


def replaced(model: M, values: Mapping[str, Any]) -> M:
    """`model` with other values at some dotted paths; what is new is not checked.

    KeyError where a path leads nowhere.
    """
    found = _replaced(model, {split(path): new for path, new in values.items()}, ())
    assert isinstance(found, type(model))
    return found


def checked(model: M) -> M:
    """`model` read again from its plain values: ValueError where they are not allowed."""
    return type(model).model_validate(model.model_dump(exclude_none=True))


def _replaced(here: Any, values: Mapping[tuple[str, ...], Any], at: tuple[str, ...]) -> Any:
    if at in values:
        return values[at]
    parts = {path[len(at)] for path in values if path[: len(at)] == at}
    if isinstance(here, BaseModel):
        _known(parts, type(here).model_fields, at)
        new = {part: _replaced(getattr(here, part), values, (*at, part)) for part in parts}
        return here.model_copy(update=new)
    if isinstance(here, Mapping):
        new = {part: _replaced(here.get(part), values, (*at, part)) for part in parts}
        return {**here, **new}
    items = {getattr(item, "name", str(i)): item for i, item in enumerate(here or ())}
    _known(parts, items, at)
    return tuple(
        _replaced(item, values, (*at, name)) if name in parts else item
        for name, item in items.items()
    )


def _known(parts: set[str], names: Mapping[str, Any], at: tuple[str, ...]) -> None:
    if missing := sorted(parts - names.keys()):
        raise KeyError(f"{'.'.join(at) or 'the scenario'}: no {missing[0]!r}")


def _home(scenario: BaseModel, parts: tuple[str, ...]) -> tuple[BaseModel, str]:
    """The section that holds an input, and the field in it."""
    here: Any = scenario
    section, field = scenario, parts[0]
    for part in parts:
        if isinstance(here, BaseModel):
            section, field = here, part
            here = getattr(here, part)
        elif isinstance(here, Mapping):
            here = here[part]
        else:
            here = {getattr(item, "name", str(i)): item for i, item in enumerate(here)}[part]
    return section, field


def _without_ranges(section: BaseModel) -> BaseModel | None:
    """The section as it is when its ranges are left out; None where it cannot be without."""
    plain = section.model_dump(exclude_none=True)
    ranges = {
        name
        for name in plain
        if isinstance(number := getattr(section, name), Distribution) and not number.fixed
    }
    needed = {name for name in ranges if type(section).model_fields[name].is_required()}
    for left_out in (ranges, ranges - needed):
        kept = {name: value for name, value in plain.items() if name not in left_out}
        try:
            return type(section).model_validate(kept)
        except ValidationError:
            continue
    return None


def origin(section: BaseModel, field: str) -> tuple[str, str]:
    """Source and confidence of the default of a field of a section."""
    if isinstance(section, Kind) and field in (known := usual_of(section.work)):
        return known[field].source, known[field].confidence
    filled = _row(section, field)
    if filled is not None:
        row, column = filled
        return row.cite(), row.confidence_of(column)
    extra = type(section).model_fields[field].json_schema_extra
    said: Mapping[str, Any] = extra if isinstance(extra, Mapping) else {}
    return str(said.get("x-source", UNSOURCED)), str(said.get("x-confidence", ""))


def _row(section: BaseModel, field: str) -> tuple[catalog.Row, str] | None:
    """The catalog row, and the column of it, that fills a field which is left out."""
    if isinstance(section, Robots) and field in _ROBOT:
        row = catalog.find("robots", section.robot)
        return (row, field) if field in row else None
    if isinstance(section, Agents) and field in _HORIZON:
        row = catalog.find("capabilities", section.capability)
        found = {"horizon": horizon_column(row, section.scoring), "horizon_date": "release"}
        return row, found[field]
    if isinstance(section, Round) and section.row and field in _ROUND:
        return catalog.find("rounds", section.row), _ROUND[field]
    return None


_ROBOT = ("price_usd", "life_years", "success", "speed_m_per_s", "availability")
_HORIZON = ("horizon", "horizon_date")
_ROUND = {"raise_usd": "raise_usd", "pre_usd": "pre_money_usd", "post_usd": "value_usd"}
"""Columns by the field that they fill."""
