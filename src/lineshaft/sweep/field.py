"""What is known of an input by its path: its unit and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineshaft.scenario import Scenario
from lineshaft.scenario.fields import Section, quantity_of, value
from lineshaft.scenario.locate import join


@dataclass(frozen=True, slots=True)
class Field:
    """An input's unit ("" where it is no quantity), meaning, and whether it is a whole number."""

    unit: str
    meaning: str
    whole: bool


def field_at(scenario: Scenario, parts: Sequence[str]) -> Field | None:
    """The field at a path of `scenario`; None where there is none of that name."""
    try:
        table = value(scenario, join(parts[:-1])) if len(parts) > 1 else scenario
    except (KeyError, ValueError):
        return None
    found = type(table).model_fields.get(parts[-1]) if isinstance(table, Section) else None
    if found is None:
        return None
    quantity = quantity_of(found)
    meaning = " ".join((found.description or "").split())
    if quantity is None:
        return Field("", meaning, whole=False)
    return Field(quantity.unit, meaning, quantity.whole)
