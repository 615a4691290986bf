"""What pydantic found wrong, as problems: file and line, key path, what is allowed, the fix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from lineshaft.errors import Problem
from lineshaft.scenario.fields import quantity_of
from lineshaft.scenario.locate import join
from lineshaft.scenario.tree import Node
from lineshaft.units import QuantityError, wanted
from lineshaft.words import suggestion

Models = list[type[BaseModel]]
Found = tuple[tuple[int, int], Problem]
"""A problem with its place in the order of the files."""


def complaints(error: ValidationError, root: Node, model: type[BaseModel]) -> Iterator[Found]:
    """Every problem of a validation, each located where the tree `root` got its value."""
    for details in error.errors(include_url=False):
        node, parts, models = _follow(root, model, details["loc"])
        yield node.order, _problem(dict(details), node.where, parts, models, model)


def shown(value: object) -> str:
    """A value in a message, cut to one line."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _follow(
    root: Node, model: type[BaseModel], loc: tuple[int | str, ...]
) -> tuple[Node, list[str], Models]:
    """The node nearest to `loc`, its path in words, and the models of the table around it."""
    node, parts, models, around = root, [], [model], [model]
    for step in loc:
        value = node.value
        fields = [m.model_fields[str(step)] for m in models if str(step) in m.model_fields]
        child = _child(value, step)
        if child is None and not fields:
            continue  # pydantic also puts the names of union members into a location
        node = child or node
        parts.append(node.name or str(step) if isinstance(step, int) else step)
        around = models
        if fields:
            models = [found for field in fields for found in _models(field.annotation)]
    return node, parts, around


def _child(value: Any, step: int | str) -> Node | None:
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        found: Node = value[step]
        return found
    return value.get(step) if isinstance(value, dict) else None


def _problem(
    details: dict[str, Any], where: str, parts: list[str], models: Models, root: type[BaseModel]
) -> Problem:
    key, value = join(parts), details.get("input")
    known = sorted({name for model in models for name in model.model_fields})
    match details["type"]:
        case "extra_forbidden":
            allowed = ", ".join(known) if len(known) <= 16 else ""
            fix = _elsewhere(parts, root) or suggestion(parts[-1], known)
            return Problem(where, key, f"unknown key {parts[-1]!r}", allowed, fix)
        case "missing":
            field = models[0].model_fields.get(parts[-1]) if models else None
            kind = quantity_of(field) if field else None
            allowed = wanted(kind.unit) if kind else _described(models, parts[-1])
            return Problem(where, key, "is missing", allowed, f"add {parts[-1]} = ...")
        case "string_pattern_mismatch":
            allowed = _described(models, parts[-1]) or str(details["ctx"]["pattern"])
            return Problem(where, key, f"{shown(value)} is not allowed", allowed)
        case "value_error":
            error = details["ctx"]["error"]
            if isinstance(error, QuantityError):
                return Problem(where, key, error.found, error.allowed, error.fix)
            return Problem(where, key, str(error))
        case "literal_error" | "enum":
            expected = str(details["ctx"]["expected"])
            words = [word.strip(" '") for word in expected.replace(" or ", ",").split(",")]
            fix = suggestion(str(value), words)
            return Problem(where, key, f"{shown(value)} is unknown", expected, fix)
        case "model_type" | "model_attributes_type" | "dict_type":
            return Problem(where, key, f"{shown(value)} is no table", f"a table [{key}]")
        case "list_type" | "tuple_type":
            return Problem(where, key, f"{shown(value)} is no list", "a list [...]", "add brackets")
        case "string_type" if isinstance(value, (int, float)):
            return Problem(where, key, f"{shown(value)} is no text", "a text", "put it in quotes")
        case _:
            message = str(details["msg"])
            allowed = message.removeprefix("Input should be ").removeprefix("Value error, ")
            return Problem(where, key, f"{shown(value)} is not allowed", allowed)


def _described(models: Models, name: str) -> str:
    """What the documentation of a field says, on one line; "" where there is no such field."""
    field = models[0].model_fields.get(name) if models else None
    return " ".join((field.description or "").split()) if field else ""


def _models(annotation: Any) -> Models:
    """The models that an annotation such as `list[Agent] | None` holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models(part)]


def _elsewhere(parts: list[str], root: type[BaseModel]) -> str:
    """The few other tables that have a key of this very name."""
    homes = sorted({join(p[:-1]) for p in _paths(root, (), 4) if len(p) > 1 and p[-1] == parts[-1]})
    return f"it belongs to [{'] or ['.join(homes)}]" if 0 < len(homes) <= 3 else ""


def _paths(model: type[BaseModel], path: tuple[str, ...], depth: int) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield (*path, name)
        if depth:
            for inner in _models(field.annotation):
                yield from _paths(inner, (*path, name), depth - 1)
