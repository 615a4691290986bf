"""A scenario as TOML again, with every default spelled out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import tomlkit
from pydantic import BaseModel
from tomlkit.items import Item, Table

from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import quantity_of


def dump(model: BaseModel, *, docs: bool = False) -> str:
    """TOML of all values of `model`, which reads back to an equal model of the same type.

    Numbers stand in the unit of their field, with the human form as a comment; `docs` puts the
    documentation of each field above it. Raises ValueError where a value is None that a file
    cannot say, because leaving the key out would mean another default.
    """
    document = tomlkit.document()
    _fill(document, model, docs)
    return tomlkit.dumps(document)


def _fill(table: tomlkit.TOMLDocument | Table, model: BaseModel, docs: bool) -> None:
    values = model.model_dump(exclude_none=True)
    names = type(model).model_fields
    tables = [name for name in names if name in values and _is_table(getattr(model, name))]
    for name, field in names.items():
        value = getattr(model, name)
        if value is None and field.get_default(call_default_factory=True) is not None:
            raise ValueError(f"{name} is None, which TOML cannot say")
        if value is None or name in tables:
            continue
        if docs and field.description:
            for line in field.description.splitlines():
                table.add(tomlkit.comment(line))
        item = tomlkit.item(_plain(values[name]))
        kind = quantity_of(field)
        if kind and kind.unit != "1" and isinstance(value, Distribution):
            item.comment(value.describe(kind.unit))
        table.add(name, item)
    for name in tables:
        table.add(name, _table(getattr(model, name), values[name], docs))


def _is_table(value: Any) -> bool:
    """True for what TOML writes under a header, which must follow the plain values of its table."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(item, BaseModel) for item in value)
    return isinstance(value, (BaseModel, Mapping)) and not isinstance(value, Distribution)


def _table(value: Any, plain: Any, docs: bool) -> Item:
    if isinstance(value, BaseModel):
        table = tomlkit.table()
        _fill(table, value, docs)
        return table
    if isinstance(value, Mapping):
        table = tomlkit.table()
        for key in sorted(value, key=lambda key: _is_table(value[key])):
            inner = value[key]
            item = _table(inner, plain[key], docs) if _is_table(inner) else _plain(plain[key])
            table.add(str(key), item)
        return table
    items = tomlkit.aot()
    for item in value:
        items.append(_table(item, None, docs=False))
    return items


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
