"""What a stage's scenario section is written with: typed quantities, and the `Section` base.

    class Capital(Section):
        opening_cash_usd: Money = default(0)
        \"\"\"Cash on the day the scenario starts.\"\"\"
        wacc: Share = default("8 % to 12 %", source="Damodaran 2026, cost of capital by sector")
        \"\"\"Discount rate of the free cash flow.\"\"\"

An uncertain field holds a `Distribution` (a fixed number is one too), a certain one a float. Both
are in the unit that the field declares. `default` marks the value of a field that is left out,
with its source; the docstring below a field is its documentation everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.annotated_handlers import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from lineshaft import units
from lineshaft.scenario.distributions import Distribution, Fixed, Truncated, truncate
from lineshaft.scenario.locate import join, split
from lineshaft.scenario.uncertain import is_range, read_uncertain
from lineshaft.units import QuantityError, format_quantity, wanted


@dataclass(frozen=True, slots=True)
class Quantity:
    """The unit and the bounds of a field; made by `quantity`."""

    unit: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    uncertain: bool = True
    whole: bool = False

    @property
    def allowed(self) -> str:
        """The allowed range in the field's unit: "0 to 1", "above 0 W", "" without bounds."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.ge is not None and self.le is not None:
            return f"{self.ge:g} to {self.le:g}{unit}"
        ends = (("at least", self.ge), ("above", self.gt), ("at most", self.le), ("below", self.lt))
        return " and ".join(f"{word} {end:g}{unit}" for word, end in ends if end is not None)

    def read(self, value: object) -> Distribution | float | int:
        """The checked value of the field; `QuantityError` when it is not allowed."""
        return _read_text(self, value) if type(value) is str else self._read(value)

    def _read(self, value: object) -> Distribution | float | int:
        if isinstance(value, Distribution):
            number = value.inner if isinstance(value, Truncated) else value
        elif self.uncertain:
            number = read_uncertain(value, self.unit)
        elif is_range(value) or isinstance(value, Mapping):
            raise QuantityError(
                f"{_shown(value)} is uncertain", wanted(self.unit), "give one fixed number"
            )
        else:
            number = Fixed(units.parse(value, self.unit))
        for written in number.written:
            self._check(written, value)
        if not self.uncertain:
            if not number.fixed:
                raise QuantityError(f"{number.describe(self.unit)} is uncertain", "a fixed number")
            return int(number.median) if self.whole else number.median
        low = -math.inf if self.ge is None else self.ge
        high = math.inf if self.le is None else self.le
        low = low if self.gt is None else max(low, math.nextafter(self.gt, math.inf))
        high = high if self.lt is None else min(high, math.nextafter(self.lt, -math.inf))
        return truncate(number, low, high)

    def _check(self, number: float, value: object) -> None:
        outside = (
            (self.ge is not None and number < self.ge)
            or (self.gt is not None and number <= self.gt)
            or (self.le is not None and number > self.le)
            or (self.lt is not None and number >= self.lt)
        )
        if outside:
            fix = ""
            if self.unit == "1" and self.le == 1 and 1 < number <= 100:
                fix = f"for a percentage write '{number:g} %'"
            single = isinstance(value, (int, float)) or not (
                is_range(value) or isinstance(value, (Mapping, Distribution))
            )
            found = _shown(value) if single else f"{number:g} in {_shown(value)}"
            raise QuantityError(f"{found} is out of bounds", self.allowed, fix)
        if self.whole and not number.is_integer():
            raise QuantityError(f"{_shown(value)} is not a whole number", "a whole number")

    def human(self, number: Distribution | float) -> float | str | dict[str, Any]:
        """A value as a person would write it, where that loses nothing: "150 MW"."""
        if isinstance(number, Distribution) and not number.fixed:
            return number.to_toml()
        value = number.median if isinstance(number, Distribution) else float(number)
        text = format_quantity(value, self.unit)
        try:
            exact = self.unit != "1" and units.parse(text, self.unit) == value
        except QuantityError:
            exact = False
        return text if exact else Fixed(value).to_toml()

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(_to_toml)
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        number: dict[str, Any] = {"type": "integer" if self.whole else "number"}
        ends = (
            ("minimum", self.ge),
            ("exclusiveMinimum", self.gt),
            ("maximum", self.le),
            ("exclusiveMaximum", self.lt),
        )
        number.update((key, end) for key, end in ends if end is not None)
        forms: list[dict[str, Any]] = [number, {"type": "string"}]
        if self.uncertain:
            forms.append({"type": "object"})
        kind = next((kind for kind in units.KINDS if kind.unit == self.unit), None)
        schema: dict[str, Any] = {"anyOf": forms, "x-unit": self.unit}
        if kind:
            schema["x-kind"] = "a whole number" if self.whole else kind.name
        return schema


@lru_cache(maxsize=4096)
def _read_text(quantity: Quantity, text: str) -> Distribution | float | int:
    """Kept, because the defaults of all fields are read again with each scenario."""
    return quantity._read(text)


def quantity(
    unit: str,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    uncertain: bool = True,
    whole: bool = False,
) -> Quantity:
    """The annotation of a quantity in `unit`: `Annotated[Distribution, quantity("W", ge=0)]`, or
    `Annotated[float, quantity("s", uncertain=False)]`, or with `whole=True` of an int."""
    return Quantity(unit, ge, gt, le, lt, uncertain and not whole, whole)


def default(value: Any, *, source: str = "", confidence: str = "") -> Any:
    """The default of a field, as a person would write it, with where it comes from."""
    extra = {"x-source": source, "x-confidence": confidence}
    return Field(
        default=value, json_schema_extra={key: text for key, text in extra.items() if text}
    )


class Section(BaseModel):
    """Base of every table of a scenario: frozen, no unknown keys, documented by docstrings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        result = handler(schema)
        properties = handler.resolve_ref_schema(result).get("properties", {})
        for name, field in cls.model_fields.items():
            kind = quantity_of(field)
            shown = properties.get(name, {})
            if kind and shown.get("default") is not None:
                shown["default"] = kind.human(kind.read(field.get_default()))
        return result


def quantity_of(field: FieldInfo) -> Quantity | None:
    """The quantity of a field, None for a field that is no quantity (a list of some is none)."""
    union = get_origin(field.annotation) in (Union, UnionType)
    optional = get_args(field.annotation) if union else ()
    inner = [item for part in optional for item in getattr(part, "__metadata__", ())]
    return next((item for item in (*field.metadata, *inner) if isinstance(item, Quantity)), None)


def drivers(model: BaseModel) -> dict[str, Distribution]:
    """Every uncertain input of `model` by its dotted path, in the order of the fields.

    Items of a list go by their `name` ("agents.coder.tokens"), or by index where they have none.
    """
    found: dict[str, Distribution] = {}
    for parts, number in _distributions(model, ()):
        path = join(parts)
        if path in found:
            raise ValueError(f"two inputs have the path {path}")
        found[path] = number
    return found


def value(model: BaseModel, path: str) -> Any:
    """What stands at a dotted path of `model`; KeyError when there is nothing."""
    here: Any = model
    for part in split(path):
        items = dict(_children(here))
        if part not in items:
            raise KeyError(f"{path}: no {part!r}; there is {', '.join(items) or 'nothing'}")
        here = items[part]
    return here


def _to_toml(number: Any) -> Any:
    return number.to_toml() if isinstance(number, Distribution) else number


def _shown(value: object) -> str:
    return repr(value.to_toml() if isinstance(value, Distribution) else value)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        yield from ((name, getattr(value, name)) for name in type(value).model_fields)
    elif isinstance(value, Mapping):
        yield from ((str(key), item) for key, item in value.items())
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            name = getattr(item, "name", None)
            yield (name if isinstance(name, str) else str(index)), item


def _distributions(
    value: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Distribution]]:
    if isinstance(value, Distribution):
        if not value.fixed:
            yield path, value
        return
    for name, child in _children(value):
        yield from _distributions(child, (*path, name))


Number = Annotated[Distribution, quantity("1")]
Positive = Annotated[Distribution, quantity("1", gt=0)]
NonNegative = Annotated[Distribution, quantity("1", ge=0)]
Share = Annotated[Distribution, quantity("1", ge=0, le=1)]
Whole = Annotated[int, quantity("1", ge=0, whole=True)]

Money = Annotated[Distribution, quantity("USD", ge=0)]
UsdPerKwh = Annotated[Distribution, quantity("USD/kWh", ge=0)]
UsdPerW = Annotated[Distribution, quantity("USD/W", ge=0)]
UsdPerHour = Annotated[Distribution, quantity("USD/hour", ge=0)]
UsdPerGpuHour = Annotated[Distribution, quantity("USD/GPU-hour", ge=0)]
UsdPerMtok = Annotated[Distribution, quantity("USD/Mtok", ge=0)]

Power = Annotated[Distribution, quantity("W", ge=0)]
Energy = Annotated[Distribution, quantity("J", ge=0)]
Bytes = Annotated[Distribution, quantity("byte", ge=0)]

Seconds = Annotated[Distribution, quantity("s", ge=0)]
Minutes = Annotated[Distribution, quantity("minute", ge=0)]
Hours = Annotated[Distribution, quantity("hour", ge=0)]
Days = Annotated[Distribution, quantity("day", ge=0)]
Weeks = Annotated[Distribution, quantity("week", ge=0)]
Months = Annotated[Distribution, quantity("month", ge=0)]
Years = Annotated[Distribution, quantity("year", ge=0)]
RatePerYear = Annotated[Distribution, quantity("1/year", ge=0)]
GrowthPerYear = Annotated[Distribution, quantity("1/year", gt=-1)]

Tokens = Annotated[Distribution, quantity("token", ge=0)]
Tasks = Annotated[Distribution, quantity("task", ge=0)]
Accelerators = Annotated[Distribution, quantity("accelerator", ge=0)]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
YearMonth = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
