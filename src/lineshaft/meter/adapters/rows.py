"""Rows of plain values: how adapters make their part of the event table.

Adapters change no figure and drop no row: what a source does not say is null, and what is wrong
with a row is found and counted by the normaliser that follows. Only records that cannot be decoded
at all are counted here (`unreadable`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lineshaft.meter.events import COLUMNS, Faults

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 100_000
"""Rows in a table that is handed on."""

PREFIX = "daa."
"""Attributes of this namespace state a column of the event table outright, in any source that has
attributes: what a source has no name for (value, human seconds, a decision) can be said there."""

STATED = {f"{PREFIX}{name}": name for name in COLUMNS if name not in ("ts", "attrs", "src")}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 1 << 63


def text(value: Any) -> str | None:
    """The text of a plain value; None for nothing, an empty text and what is not plain."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)


def whole(value: Any) -> int | None:
    """The integer that a number or a text of digits says, else None."""
    if type(value) is int:
        return value if -_INT64 <= value < _INT64 else None
    number = real(value)
    return int(number) if number is not None and abs(number) < 2**53 else None


def real(value: Any) -> float | None:
    """The finite number that a value says, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def time_us(value: Any) -> int | None:
    """Microseconds UTC of an ISO 8601 time; None where it is none. Without a zone: UTC."""
    if not isinstance(value, str):
        return None
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    gone = when - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


_CASTS: Mapping[str, Callable[[Any], Any]] = {
    "string": text,
    "int": whole,
    "float": real,
    "timestamp": whole,
}


def stated(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Column -> value, of what attributes say of use in the namespace `daa.`."""
    found = {
        name: _CASTS[COLUMNS[name][0]](attributes[key])
        for key, name in STATED.items()
        if key in attributes
    }
    return {name: value for name, value in found.items() if value is not None}


def taken(faults: Faults) -> Faults:
    """What was counted so far; the count that goes on begins anew."""
    found = Faults()
    found.merge(faults)
    faults.counts.clear()
    faults.examples.clear()
    return found


def encode(value: Any) -> str:
    """JSON without spaces, plain ASCII: a text that is no Unicode survives."""
    return _encode(value)


def table(columns: Mapping[str, Sequence[Any]], length: int) -> pa.Table:
    """An event table from columns of plain values (times in microseconds); others are null.

    Any column may be null here: what is required and missing, the normaliser finds.
    """
    import pyarrow as pa

    from lineshaft.meter.events import schema

    strict = schema()
    wanted = pa.schema([field.with_nullable(True) for field in strict], strict.metadata)
    arrays = []
    for field in wanted:
        values = columns.get(field.name)
        if values is None:
            arrays.append(pa.nulls(length, field.type))
            continue
        try:
            arrays.append(pa.array(values, field.type))
        except UnicodeEncodeError:  # lone surrogates, which JSON can hold and UTF-8 cannot
            arrays.append(pa.array([_clean(value) for value in values], field.type))
    return pa.Table.from_arrays(arrays, schema=wanted)


def from_dicts(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """An event table from rows of plain values (times in microseconds)."""
    used = {name for row in rows for name in row}
    return table({name: [row.get(name) for row in rows] for name in used}, len(rows))


def batches(rows: Iterable[Mapping[str, Any]]) -> Iterable[pa.Table]:
    """Event tables of about `BATCH` rows; one empty table where there is no row."""
    held: list[Mapping[str, Any]] = []
    some = False
    for row in rows:
        held.append(row)
        if len(held) >= BATCH:
            yield from_dicts(held)
            held, some = [], True
    if held or not some:
        yield from_dicts(held)


def _clean(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "replace").decode()


def _encoder() -> Callable[[Any], str]:
    import json

    return json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


_encode = _encoder()
