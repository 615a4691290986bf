"""CSV and Parquet with a mapping file: which column is what.

A mapping is TOML. A key is a column of the event table; its value a column of the file, several
that are joined by ":", or a table:

    zone = "Europe/Berlin"                    # of times without one
    event_id = ["ticket", "status"]
    ts = {column = "closed", time = "%d.%m.%Y %H:%M"}     # iso, unix_s, unix_ms, unix_us, unix_ns
    agent_id = "bot"
    task_id = "ticket"
    kind = {column = "status", values = {Done = "accept", Reopened = "revert"}, otherwise = "act"}
    method = {constant = "human"}
    human_s = {column = "review_minutes", unit = "minute"}

Columns of the file that bear a canonical name and are not mapped are taken as they are; all others
go into `attrs`, those whose values were translated too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters import tables
from lineshaft.meter.adapters.rows import real
from lineshaft.meter.events import (
    ACTORS,
    AGENT_KINDS,
    COLUMNS,
    KINDS,
    METHODS,
    QUANTITIES,
    REQUIRED,
    Faults,
)
from lineshaft.words import suggestion

if TYPE_CHECKING:
    import pyarrow as pa

OPTIONS = ("zone", "time", "encoding", "delimiter", "decimal", "evaluation", "objects")
"""Keys of a mapping that are no column. time: the form of times that state none of their own."""
PARTS = ("column", "columns", "constant", "values", "otherwise", "unit", "time", "zone")

TIME_UNITS: Mapping[str, float] = {
    "ms": 1e-3, "s": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0,
    "day": 86_400.0,
}  # fmt: skip
ENERGY_UNITS: Mapping[str, float] = {"J": 1.0, "kJ": 1e3, "MJ": 1e6, "Wh": 3.6e3, "kWh": 3.6e6}
UNITS: Mapping[str, Mapping[str, float]] = {
    "human_s": TIME_UNITS,
    "human_equiv_min": {name: seconds / 60.0 for name, seconds in TIME_UNITS.items()},
    "energy_j": ENERGY_UNITS,
}
"""Column -> unit -> how many of the column's own unit it is."""

UNIX_US: Mapping[str, float] = {"unix_s": 1e6, "unix_ms": 1e3, "unix_us": 1.0, "unix_ns": 1e-3}
WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS, "method": METHODS, "actor": ACTORS, "agent_kind": AGENT_KINDS,
}  # fmt: skip
"""Columns that know a fixed list of words."""


def read(
    data: Path | bytes,
    mapping: Mapping[str, Any],
    *,
    where: str = "",
    zone: str = "UTC",
    tenant: str = "",
    ingest_us: int | None = None,
) -> Iterator[tuple[pa.Table, Faults]]:
    """Rows of the file as the mapping has them, in batches.

    where: name of the mapping file, for messages. zone: of times without one, where the mapping
    states none; such times are left to the normaliser, which counts them. InputError with all that
    is wrong with the mapping.
    """
    form = {"encoding": mapping.get("encoding", "utf-8"), "delimiter": mapping.get("delimiter")}
    problems = _options(mapping, where)
    if any(problem.key in form for problem in problems):  # the columns cannot be known
        raise InputError(problems)
    found = tables.read(data, **form)
    known = tables.columns(data, **form)
    problems = check(mapping, known, where) if known else problems
    if problems:
        raise InputError(problems)
    first = True
    for rows, faults in found:
        if not known:  # nothing could be read: the fault says so
            yield rows, faults
            continue
        made = _mapped(rows, mapping, faults)
        if first and len(made):
            _filled(made, mapping, where)
            first = False
        yield tables.default(made, tenant, ingest_us), faults


def check(mapping: Mapping[str, Any], known: list[str], where: str = "") -> list[Problem]:
    """All that is wrong with a mapping for a file of these columns."""
    problems = _options(mapping, where)
    for name, spec in mapping.items():
        if name in OPTIONS:
            continue
        if name not in COLUMNS:
            fix = suggestion(name, [*COLUMNS, *OPTIONS])
            problems.append(Problem(where, name, "no column of the event table", "", fix))
            continue
        problems += _spec(name, spec, known, where)
    for name in REQUIRED:
        if name not in mapping and name not in known:
            fix = f"{COLUMNS[name][1]}; {suggestion(name, known)}".rstrip("; ")
            if name == "event_id":
                fix += '; for example event_id = ["ticket", "status"], whose values are joined'
            allowed = "a column of the file, or a constant"
            problems.append(Problem(where, name, "required, and left empty", allowed, fix))
    return problems


def _options(mapping: Mapping[str, Any], where: str) -> list[Problem]:
    problems = []
    for name in ("zone", "time", "encoding", "delimiter", "decimal"):
        value = mapping.get(name)
        if value is not None and not isinstance(value, str):
            problems.append(Problem(where, name, f"{value!r}", "a text"))
        elif name == "zone" and value is not None:
            problems += _zone(name, value, where)
        elif name == "time" and value is not None:
            problems += _time(name, value, where)
        elif name == "decimal" and value not in (None, ".", ","):
            problems.append(Problem(where, name, f"{value!r}", '"." or ","'))
        elif name == "delimiter" and value is not None and len(value) != 1:
            problems.append(Problem(where, name, f"{value!r}", "one sign"))
        elif name == "encoding" and value is not None:
            try:
                "".encode(value)
            except LookupError:
                problems.append(Problem(where, name, f"{value!r}", "an encoding such as latin-1"))
    return problems


def _spec(name: str, spec: Any, known: list[str], where: str) -> list[Problem]:
    """What is wrong with the value of one key."""
    problems = []
    parts = _parts(spec)
    if parts is None:
        allowed = "the name of a column, a list of names, or a table"
        return [Problem(where, name, f"{spec!r}", allowed)]
    for part in parts.keys() - set(PARTS):
        fix = suggestion(part, PARTS)
        problems.append(Problem(where, f"{name}.{part}", "unknown key", ", ".join(PARTS), fix))
    sources = _columns(parts)
    if sources is None or bool(sources) == ("constant" in parts):
        allowed = "column = name, columns = [names], or constant = value"
        return [*problems, Problem(where, name, "says not where its values come from", allowed)]
    for column in sources:
        if column not in known:
            fix = suggestion(column, known) or f"the file has {', '.join(known)}"
            problems.append(Problem(where, name, f"no column {column!r} in the file", "", fix))
    if parts.get("constant") == "" and name in REQUIRED:
        problems.append(Problem(where, name, "required, and left empty", "a value"))
    values = parts.get("values", {})
    if not isinstance(values, Mapping):
        problems.append(Problem(where, f"{name}.values", f"{values!r}", "a table"))
        values = {}
    targets = [*values.values(), *(parts[key] for key in ("constant", "otherwise") if key in parts)]
    for target in targets if name in WORDS else ():
        if target not in WORDS[name]:
            fix = suggestion(str(target), WORDS[name])
            problems.append(Problem(where, name, f"{target!r}", ", ".join(WORDS[name]), fix))
    if "unit" in parts:
        units = UNITS.get(name, {})
        if parts["unit"] not in units:
            allowed = ", ".join(units) or "no unit: this column is no time and no energy"
            problems.append(Problem(where, f"{name}.unit", f"{parts['unit']!r}", allowed))
    if name in QUANTITIES and "constant" in parts and real(parts["constant"]) is None:
        problems.append(Problem(where, name, f"{parts['constant']!r}", "a number"))
    if "time" in parts:
        problems += _time(f"{name}.time", parts["time"], where)
    if "zone" in parts:
        problems += _zone(f"{name}.zone", parts["zone"], where)
    return problems


def _zone(key: str, zone: Any, where: str) -> list[Problem]:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError, TypeError):
        return [Problem(where, key, f"{zone!r}", "an IANA zone such as UTC or Europe/Berlin")]
    return []


def _time(key: str, form: Any, where: str) -> list[Problem]:
    if form in ("iso", *UNIX_US) or (isinstance(form, str) and "%" in form):
        return []
    allowed = f"iso, {', '.join(UNIX_US)}, or a pattern such as %d.%m.%Y %H:%M"
    return [Problem(where, key, f"{form!r}", allowed)]


def _parts(spec: Any) -> Mapping[str, Any] | None:
    if isinstance(spec, str):
        return {"column": spec}
    if isinstance(spec, list):
        return {"columns": spec}
    return spec if isinstance(spec, Mapping) else None


def _columns(parts: Mapping[str, Any]) -> list[str] | None:
    """Names of the columns that a key is made of; None where they are no names."""
    names = [parts["column"]] if "column" in parts else parts.get("columns", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return names


def _filled(rows: pa.Table, mapping: Mapping[str, Any], where: str) -> None:
    """InputError where a required column has no value in any of the first rows."""
    empty = [name for name in REQUIRED if rows[name].null_count == len(rows)]
    if empty:
        raise InputError(
            Problem(
                where,
                name,
                f"required, and empty in the first {len(rows)} rows",
                "",
                f"look at {mapping.get(name, name)!r}: the column, or the form of its values",
            )
            for name in empty
        )


# --- values ---------------------------------------------------------------------------------


def _mapped(rows: pa.Table, mapping: Mapping[str, Any], faults: Faults) -> pa.Table:
    """The canonical columns that are stated, and the file's own beside them."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    spent: set[str] = set()
    for name, spec in mapping.items():
        if name in OPTIONS:
            continue
        parts = _parts(spec) or {}
        sources = _columns(parts) or []
        if not sources:
            columns[name] = pa.repeat(pa.scalar(parts["constant"]), len(rows))
            continue
        values = _one(rows, sources)
        if "values" in parts:
            values = _translated(values, parts["values"], parts.get("otherwise"))
        kind = COLUMNS[name][0]
        if kind == "timestamp":
            values = _times(values, parts, mapping)
        elif kind in ("int", "float"):
            values = _numbers(values, name, parts, mapping, faults)
        columns[name] = values
        if len(sources) == 1 and values.equals(_one(rows, sources)):
            spent.add(sources[0])  # the column says it all
    for name in rows.column_names:
        if name in spent:
            continue
        taken = name in columns or (name in COLUMNS and name in mapping)
        columns[f"source.{name}" if taken else name] = rows[name].combine_chunks()
    columns.setdefault("src", pa.repeat(pa.scalar("table"), len(rows)))
    return pa.table(columns)


def _one(rows: pa.Table, sources: list[str]) -> Any:
    """One column, or several as texts joined by ":"."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(sources) == 1:
        held = rows[sources[0]].combine_chunks()
        return pa.concat_arrays(held.chunks) if isinstance(held, pa.ChunkedArray) else held
    texts = [pc.fill_null(rows[name].cast(pa.string()), "") for name in sources]
    joined = pc.binary_join_element_wise(*texts, ":").combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


def _translated(values: Any, words: Mapping[str, Any], otherwise: Any) -> Any:
    """Values by the table of words; others stay, or become `otherwise`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = values.cast(pa.string())
    targets = pa.array([str(word) for word in words.values()], pa.string())
    found = targets.take(pc.index_in(texts, pa.array(list(words), pa.string())))
    left = texts if otherwise is None else pc.if_else(pc.is_valid(texts), str(otherwise), None)
    return pc.coalesce(found, left)


def _numbers(
    values: Any, name: str, parts: Mapping[str, Any], mapping: Mapping[str, Any], faults: Faults
) -> Any:
    """Numbers in the column's own unit. Without unit and decimal sign: as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if mapping.get("decimal") == "," and pa.types.is_string(values.type):
        values = pc.replace_substring(values, ",", ".")
    if "unit" not in parts:
        return values
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowInvalid:
        numbers = pa.array([real(value) for value in values.to_pylist()], pa.float64())
        lost = pc.and_(pc.is_valid(values), pc.is_null(numbers))
        example = values.filter(lost)[0].as_py() if pc.any(lost).as_py() else ""
        faults.add("unreadable", pc.sum(lost).as_py() or 0, f"{name}: {example}")
    return pc.multiply(numbers, UNITS[name][parts["unit"]])


def _times(values: Any, parts: Mapping[str, Any], mapping: Mapping[str, Any]) -> Any:
    """Times with a zone where the form or the mapping gives one; else as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    form = parts.get("time", mapping.get("time", "iso"))
    zone = parts.get("zone", mapping.get("zone"))
    if form in UNIX_US:
        try:
            numbers = values.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            numbers = pa.array([real(value) for value in values.to_pylist()], pa.float64())
        exact = pa.types.is_integer(values.type) and UNIX_US[form] >= 1
        if exact:
            micros = pc.multiply(values.cast(pa.int64()), int(UNIX_US[form]))
        else:
            micros = pc.round(pc.multiply(numbers, UNIX_US[form])).cast(pa.int64())
        return micros.cast(pa.timestamp("us", tz="UTC"))
    if pa.types.is_timestamp(values.type):
        if values.type.tz is None and zone is not None:
            return pc.assume_timezone(values, zone, ambiguous="earliest", nonexistent="latest")
        return values
    if form == "iso":
        if zone is None:
            return values
        parse: Callable[[str], datetime] = datetime.fromisoformat
    else:

        def parse(text: str) -> datetime:
            return datetime.strptime(text, form)

    info = ZoneInfo(zone) if zone else None
    found = [_instant(value, parse, info) for value in values.cast(pa.string()).to_pylist()]
    if form != "iso" and zone is None and not any(t and t.tzinfo for t in found):
        return pa.array(found, pa.timestamp("us"))  # the normaliser knows the zone
    return pa.array([t and t.astimezone(UTC) for t in found], pa.timestamp("us", tz="UTC"))


def _instant(
    text: str | None, parse: Callable[[str], datetime], zone: ZoneInfo | None
) -> datetime | None:
    if text is None:
        return None
    try:
        found = parse(text.strip())
    except ValueError:
        return None
    return found.replace(tzinfo=zone) if found.tzinfo is None and zone else found
