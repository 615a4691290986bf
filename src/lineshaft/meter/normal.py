"""Any table with some of the canonical columns becomes canonical; what is wrong is counted.

Nothing is lost: rows that cannot be events are set aside as they came, columns that the standard
does not know go into `attrs`, and so do values that could not be used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from lineshaft.meter.events import AGENT_KINDS, COLUMNS, KINDS, METHODS, Faults, schema

if TYPE_CHECKING:
    import pyarrow as pa

FAULT = "fault"
"""The column that rows set aside get: the name of their fault."""
CONTENT = tuple(name for name in COLUMNS if name not in ("event_id", "ingest_ts"))
"""What an event id is made of where the source has none."""
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)?$"
_OFFSET = r"([T ].*)(Z|[+-]\d{2}(:?\d{2})?)$"


def normalise(
    table: pa.Table, *, zone: str = "UTC", src: str = ""
) -> tuple[pa.Table, pa.Table, Faults]:
    """(canonical events, rows set aside, what was wrong).

    Times without a zone are read in `zone`; integers as times are microseconds UTC. Rows without
    `src` get `src`. Rows set aside keep their own columns and get one more, `FAULT`. An event id is
    made where one is missing, from all that the row says but its arrival: the same row twice is one
    event.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    faults = Faults()
    table = table.combine_chunks()
    if not table.num_rows:
        return schema().empty_table(), _aside(table, []), faults
    odd: dict[str, Any] = {}  # what was stated and cannot be used, by name in attrs
    columns: dict[str, Any] = {}
    for name, (kind, _) in COLUMNS.items():
        if name not in table.column_names:
            columns[name] = pa.nulls(table.num_rows, schema().field(name).type)
            continue
        values = _flat(table[name])
        if kind == "string":
            columns[name] = _texts(values)
        elif kind == "timestamp":
            columns[name], naive = _times(values, zone)
            faults.add("naive_time", naive, f"{name}: {_first(values)}" if naive else "")
        else:
            columns[name] = _quantities(values, kind, name, odd, faults)
    extra = [name for name in table.column_names if name not in COLUMNS]

    kinds = pc.fill_null(pc.is_in(columns["kind"], pa.array(KINDS)), False)
    timed = pc.is_valid(columns["ts"])
    for fault, good, name in (("no_time", timed, "ts"), ("unknown_kind", kinds, "kind")):
        bad = pc.invert(good)
        if fault == "unknown_kind":
            bad = pc.and_(bad, timed)
        count = pc.sum(bad).as_py()
        if count and name in table.column_names:
            example = _flat(table[name]).filter(bad)[0].as_py()
            faults.add(fault, count, "" if example is None else str(example))
        else:
            faults.add(fault, count)
    good = pc.and_(kinds, timed)
    whole = bool(pc.all(good).as_py())
    reasons = pc.if_else(pc.invert(timed), "no_time", "unknown_kind").filter(pc.invert(good))
    aside = _aside(table.filter(pc.invert(good)), [] if whole else reasons)

    known = pc.is_in(columns["agent_kind"], pa.array([*AGENT_KINDS, None]))
    if not pc.all(known).as_py():
        odd["agent_kind"] = pc.if_else(known, None, columns["agent_kind"])
        columns["agent_kind"] = pc.if_else(known, columns["agent_kind"], None)
    attrs = {**odd, **{name: _flat(table[name]) for name in extra}}
    if attrs:
        columns["attrs"] = _folded(columns["attrs"], attrs)
    if src:
        columns["src"] = pc.fill_null(columns["src"], src)
    columns["agent_id"] = pc.fill_null(columns["agent_id"], "")
    if not whole:
        columns = {name: values.filter(good) for name, values in columns.items()}
    _name_events(columns, faults)
    _count(columns, faults)
    return pa.Table.from_arrays([columns[n] for n in COLUMNS], schema=schema()), aside, faults


def _flat(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """One plain array: no chunks, no dictionary, no view."""
    import pyarrow as pa

    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(values, pa.ChunkedArray):  # of no chunk, or too long for one
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, values.type)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values


def _first(values: pa.Array) -> str:
    return next((str(v.as_py()) for v in values if v.is_valid), "")


def _texts(values: pa.Array) -> pa.Array:
    """Texts, the empty one as null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
        values = pa.array([_plain(v) for v in values.to_pylist()], pa.string())
    values = values.cast(pa.string())
    empty = pc.equal(values, "")
    return pc.if_else(empty, None, values) if pc.any(empty).as_py() else values


def _plain(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, default=str)


def _times(values: pa.Array, zone: str) -> tuple[pa.Array, int]:
    """(UTC microseconds, how many were without a zone)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted, kind = pa.timestamp("us", tz="UTC"), values.type
    if kind == wanted or pa.types.is_null(kind):
        return values.cast(wanted), 0
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return pc.cast(values, pa.int64(), safe=False).cast(wanted), 0
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pc.cast(values, wanted, safe=False), 0
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        local = pc.cast(values.cast(pa.timestamp(getattr(kind, "unit", "s"))), pa.timestamp("us"),
                        safe=False)  # fmt: skip
        count = len(local) - local.null_count
        return _in_zone(local, zone), count
    return _parsed(values.cast(pa.string()), zone)


def _in_zone(local: pa.Array, zone: str) -> pa.Array:
    """Local times as UTC; the hour that comes twice is the first, the one left out the next."""
    import pyarrow as pa
    import pyarrow.compute as pc

    aware = pc.assume_timezone(local, zone, ambiguous="earliest", nonexistent="latest")
    return aware.cast(pa.timestamp("us", tz="UTC"))


def _parsed(texts: pa.Array, zone: str) -> tuple[pa.Array, int]:
    """ISO 8601 as UTC microseconds; null for what is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for aware in (False, True):  # one form throughout is the rule, and fast
        try:
            found = texts.cast(pa.timestamp("us", tz="UTC" if aware else None))
        except pa.ArrowInvalid:
            continue
        return (found, 0) if aware else (_in_zone(found, zone), len(found) - found.null_count)
    texts = pc.utf8_trim_whitespace(texts)
    good = pc.fill_null(pc.match_substring_regex(texts, _ISO), False)
    aware = pc.and_(good, pc.fill_null(pc.match_substring_regex(texts, _OFFSET), False))
    naive = pc.and_(good, pc.invert(aware))
    short = pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")
    try:
        utc = pc.if_else(aware, short, None).cast(pa.timestamp("us", tz="UTC"))
        local = pc.if_else(naive, short, None).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:  # a form that Arrow does not read, or a thirteenth month
        found = [_slow(text, zone) for text in texts.to_pylist()]
        return (
            pa.array([utc for utc, _ in found], pa.timestamp("us", tz="UTC")),
            sum(bare for _, bare in found),
        )
    return pc.coalesce(utc, _in_zone(local, zone)), pc.sum(naive).as_py()


def _slow(text: str | None, zone: str) -> tuple[datetime | None, bool]:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None, False
    bare = found.tzinfo is None
    return (found.replace(tzinfo=ZoneInfo(zone)) if bare else found).astimezone(UTC), bare


def _quantities(
    values: pa.Array, kind: str, name: str, odd: dict[str, Any], faults: Faults
) -> pa.Array:
    """Numbers; what is none, or below zero, is null and kept in `odd`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.int64() if kind == "int" else pa.float64()
    stated = values
    if pa.types.is_integer(values.type) or pa.types.is_null(values.type):
        numbers = values.cast(wanted)
    else:
        try:
            numbers = values.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            numbers = pa.array([_number(v) for v in values.to_pylist()], pa.float64())
        usable = pc.fill_null(pc.and_(pc.is_finite(numbers), pc.less(numbers, 9e18)), True)
        numbers = pc.if_else(usable, numbers, None)
        lost = pc.and_(pc.is_valid(stated), pc.is_null(numbers))
        if pa.types.is_floating(stated.type):
            lost = pc.and_(lost, pc.fill_null(pc.invert(pc.is_nan(stated)), False))
        _keep(lost, stated, name, "unreadable", odd, faults)
    negative = pc.fill_null(pc.less(numbers, 0), False)
    _keep(negative, stated, name, "negative", odd, faults)
    if pc.any(negative).as_py():
        numbers = pc.if_else(negative, None, numbers)
    return numbers if numbers.type == wanted else pc.round(numbers).cast(wanted)


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _keep(
    which: pa.Array, stated: pa.Array, name: str, fault: str, odd: dict[str, Any], faults: Faults
) -> None:
    """Count values that cannot be used, and keep them for `attrs`."""
    import pyarrow.compute as pc

    count = pc.sum(which).as_py() or 0
    if not count:
        return
    faults.add(fault, count, f"{name}: {stated.filter(which)[0].as_py()}")
    kept = pc.if_else(which, stated, None)
    odd[name] = pc.coalesce(odd[name], kept) if name in odd else kept


def _aside(rows: pa.Table, reasons: Any) -> pa.Table:
    import pyarrow as pa

    if FAULT in rows.column_names:
        rows = rows.rename_columns([f"{n}_" if n == FAULT else n for n in rows.column_names])
    return rows.append_column(FAULT, pa.array(reasons, pa.string()))


def _folded(attrs: pa.Array, extra: Mapping[str, pa.Array]) -> pa.Array:
    """JSON objects with the extra values added under their names; nulls add nothing."""
    import pyarrow.compute as pc

    def joined(*parts: Any) -> pa.Array:
        return pc.binary_join_element_wise(*parts, "")

    stated = [joined(f", {json.dumps(name)}: ", _json(v)) for name, v in extra.items()]
    more = joined(*(pc.fill_null(each, "") for each in stated))
    if attrs.null_count == len(attrs):
        return pc.if_else(
            pc.equal(more, ""), attrs, joined("{", pc.utf8_slice_codeunits(more, 2), "}")
        )
    attrs = pc.utf8_trim_whitespace(attrs)
    object_ = pc.match_substring_regex(attrs, r"(?s)^\{.*\}$")
    attrs = pc.if_else(object_, attrs, joined('{"attrs": ', _json(attrs), "}"))
    inner = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(attrs, 1, -1))
    inner = pc.fill_null(inner, "")
    both = joined(inner, pc.if_else(pc.equal(inner, ""), pc.utf8_slice_codeunits(more, 2), more))
    return pc.if_else(pc.equal(more, ""), attrs, joined("{", both, "}"))


def _json(values: pa.Array) -> pa.Array:
    """Each value as JSON text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return values.cast(pa.string())
    if pa.types.is_string(kind) and len(values) > 1000:  # as many as there are different ones
        coded = pc.dictionary_encode(values)
        return _json(coded.dictionary).take(coded.indices)
    if (
        pa.types.is_string(kind)
        and not pc.any(pc.match_substring_regex(values, r"[\x00-\x1f\"\\]")).as_py()
    ):
        return pc.binary_join_element_wise('"', values, '"', "")
    texts = [None if v is None else _one(v) for v in values.to_pylist()]
    return pa.array(texts, pa.string())


def _one(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    try:
        return json.dumps(value, allow_nan=False, default=str, ensure_ascii=False)
    except ValueError:  # not a number, or endless
        return json.dumps(str(value))


def _name_events(columns: dict[str, Any], faults: Faults) -> None:
    """Make the event ids that are missing."""
    import pyarrow.compute as pc

    missing = pc.is_null(columns["event_id"])
    count = pc.sum(missing).as_py() or 0
    if not count:
        return
    from lineshaft.meter.keys import digest, hexadecimal

    faults.add("no_event_id", count)
    made = hexadecimal(digest(columns[name].filter(missing) for name in CONTENT))
    columns["event_id"] = pc.replace_with_mask(columns["event_id"], missing, made)


def _count(columns: Mapping[str, Any], faults: Faults) -> None:
    """Count what is wrong with rows that are kept."""
    import pyarrow as pa
    import pyarrow.compute as pc

    work = pc.not_equal(columns["kind"], "heartbeat")
    homeless = pc.and_(pc.is_null(columns["task_id"]), pc.is_null(columns["root_task_id"]))
    unknown = pc.invert(pc.is_in(columns["method"], pa.array(METHODS)))
    for fault, bad in (
        ("no_agent", pc.equal(columns["agent_id"], "")),
        ("no_task", pc.and_(work, homeless)),
        ("unknown_method", pc.and_(pc.equal(columns["kind"], "accept"), unknown)),
        ("skew", pc.fill_null(pc.greater(columns["ts"], columns["ingest_ts"]), False)),
    ):
        count = pc.sum(bad).as_py() or 0
        example = columns["event_id"].filter(bad)[0].as_py() if count else ""
        faults.add(fault, count, example)
