"""The left end of an explanation: scenario keys and catalog cells, with their sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lineshaft.errors import InputError
from lineshaft.explain.book import RunBook
from lineshaft.explain.engines import engine_node
from lineshaft.explain.node import Node
from lineshaft.parameters.origins import Origin, engine_origins, origins
from lineshaft.scenario.agents import Agents, Kind
from lineshaft.scenario.capital import Round
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import Section, quantity_of
from lineshaft.scenario.floor import Robots
from lineshaft.scenario.inputs import UNSOURCED
from lineshaft.scenario.inputs import origin as origin_of
from lineshaft.scenario.reading import read
from lineshaft.units import format_quantity

_CHOICES: Mapping[type[Section], str] = {
    Kind: "work",
    Robots: "robot",
    Agents: "capability",
    Round: "row",
}
"""Sections whose defaults follow from a choice, and the field that makes it."""


def leaves(book: RunBook, stage: str, name: str, where: Mapping[str, str]) -> tuple[Node, ...]:
    """Where a parameter comes from, for the labels in `where`."""
    return tuple(_leaf(book, origin) for origin in origins(book.scenario, stage, name, where))


def engine_leaves(book: RunBook, stage: str, where: Mapping[str, str]) -> tuple[Node, ...]:
    """The scenario keys that the engine of a stage was asked with, for the labels in `where`."""
    return tuple(_leaf(book, origin) for origin in engine_origins(book.scenario, stage, where))


def _leaf(book: RunBook, origin: Origin) -> Node:
    if origin.kind == "engine":
        stage = origin.path
        return engine_node(f"{stage}.curve", "curve", lambda: engine_leaves(book, stage, {}))
    if origin.row is not None:
        return _cell(origin)
    return _key(book, origin)


def _cell(origin: Origin) -> Node:
    row, column = origin.row, origin.field
    assert row is not None
    cell = row[column]
    value = cell if isinstance(cell, float) else math.nan
    span = row.span(column)
    written = f"{value:g}" + (f" ({span[0]:g} to {span[1]:g})" if span else "")
    return Node(
        f"catalog {origin.path}", "catalog", value, "", "from", written=written,
        source=f"{row.text('source')} ({row['as_of']})", confidence=row.confidence_of(column),
    )  # fmt: skip


def _key(book: RunBook, origin: Origin) -> Node:
    section, field = origin.model, origin.field
    info = type(section).model_fields[field] if isinstance(section, Section) else None
    value = getattr(section, field)
    kind = None if info is None else quantity_of(info)
    unit = "" if kind is None else kind.unit
    number = math.nan
    if isinstance(value, Distribution):
        number = _drawn(book, origin.path, value)
        written = value.describe(unit)
    elif kind is not None and isinstance(value, (int, float)):
        number, written = float(value), format_quantity(float(value), unit)
    else:
        written = _plain(value)
    is_default = _same(value, _default(section, field))
    source, confidence = _source(section, field) if is_default else _own_source(section)
    return Node(
        origin.path, "key", number, unit, "from",
        meaning=" ".join((info.description or "").split()) if info else "",
        written=written, origin="default" if is_default else "written",
        source=source, confidence=confidence,
    )  # fmt: skip


def _drawn(book: RunBook, path: str, value: Distribution) -> float:
    """The number in the case that is explained."""
    if book.draw is None or path not in book.drawn:
        return value.median
    return float(book.drawn[path][book.place])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {number:g}" for key, number in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, Distribution) and isinstance(other, Distribution):
        return value.to_toml() == other.to_toml()
    return bool(value == other)


def _default(section: Section, field: str) -> Any:
    """What the field would be if the section said no more than it must."""
    model = type(section)
    info = model.model_fields[field]
    if model not in _CHOICES:
        plain, kind = info.get_default(call_default_factory=True), quantity_of(info)
        return plain if kind is None or plain is None or info.is_required() else kind.read(plain)
    said = [name for name, each in model.model_fields.items() if each.is_required()]
    said.append(_CHOICES[model])
    needed = tuple((name, _toml(getattr(section, name))) for name in said if name != field)
    found = _bare(model, needed)
    return _NOTHING if found is None else getattr(found, field)


_NOTHING = object()


@lru_cache(maxsize=512)
def _bare(model: type[Section], said: tuple[tuple[str, Any], ...]) -> Section | None:
    try:
        return read({key: value for key, value in said if value is not None}, model=model)
    except InputError:
        return None


def _toml(value: Any) -> Any:
    plain = value.to_toml() if isinstance(value, Distribution) else value
    return str(plain) if isinstance(plain, dict) else plain


def _source(section: Section, field: str) -> tuple[str, str]:
    """Source and confidence of a default; blank where nobody published it."""
    source, confidence = origin_of(section, field)
    return "" if source == UNSOURCED else source, confidence


def _own_source(section: Section) -> tuple[str, str]:
    """What the scenario says of its own figure."""
    said = getattr(section, "source", "")
    return (said if isinstance(said, str) and said not in ("own", "provider") else ""), ""
