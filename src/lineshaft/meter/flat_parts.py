"""Parts of a settled flat log: row groups added up by agent and day, or read from a store.

A part is a run of row groups of one file. What it comes to stands on its own, with its own numbers
of agents, so a store of parts holds nothing that two processes could disagree about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.meter.compact import NONE, Ids, Key, Store, WholeIds
from lineshaft.meter.events import Faults
from lineshaft.meter.zones import changes

if TYPE_CHECKING:
    import pyarrow as pa

PART_ROWS = 2_000_000
"""Rows of a part, unless a row group has more. It decides in which order floats are added up."""
BATCH_ROWS = 1 << 17
"""Rows that are decoded at a time: they stay in a processor's cache until they are added up."""
BATCH_ROWS_TEXT = 1 << 20
"""The same where agents are strings: each batch brings all strings of its row group."""
NOBODY = np.iinfo(np.int64).min
FAULT = "fault-"


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of a settled flat log."""

    agent_id: str = "agent_id"
    """Integers or strings; null: the row's quantities count, nobody is active by it."""
    ts: str = "ts"
    """Timestamps, or integers of UTC microseconds. Without a zone they are read as UTC."""
    accepted: str = "accepted"
    """Of each row whether its work is accepted, in every grade; or its grades, as the sum of 1 (A),
    2 (B) and 4 (C)."""
    tokens: str = "tokens"
    cost_usd: str = "cost_usd"
    human_s: str = "human_s"

    def names(self) -> list[str]:
        """In the order of the fields."""
        return [getattr(self, name) for name in self.__dataclass_fields__]


@dataclass(slots=True)
class Part:
    """A run of row groups of a file, and what they came to."""

    path: Path
    groups: tuple[int, ...]
    records: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    ids: Ids | None = None
    """Numbers in `records.agent`, where agents are strings; without, they stand there themselves,
    and `NOBODY` for none."""
    faults: dict[str, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Let go of what it came to."""
        self.records, self.ids = np.zeros(0), None

    def count(self, what: str, rows: int) -> None:
        """Count rows with a fault."""
        if rows:
            self.faults[what] = self.faults.get(what, 0) + rows


def parts(files: list[Path], columns: Columns, faults: Faults) -> Iterator[Part]:
    """The parts of all files; what is wrong with their columns is raised together."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    problems: list[Problem] = []
    kinds: dict[str, Path] = {}
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                schema, metadata = file.schema_arrow, file.metadata
                sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
        except (OSError, pa.ArrowException) as error:
            faults.add("unreadable", 1, f"{path}: {error}")
            continue
        problems += _wrong(path, schema, columns)
        if columns.agent_id in schema.names:
            kinds.setdefault("text" if _is_text(schema, columns) else "whole", path)
        groups: list[int] = []
        rows = 0
        for k, size in enumerate(sizes):
            if groups and rows + size > PART_ROWS:
                yield Part(path, tuple(groups))
                groups, rows = [], 0
            groups.append(k)
            rows += size
        if groups:
            yield Part(path, tuple(groups))
    if len(kinds) > 1:
        found = ", ".join(f"{kind} in {path}" for kind, path in kinds.items())
        problems.append(Problem("", columns.agent_id, found, "one type in all files"))
    if problems:
        raise InputError(problems)


def kept(part: Part, zone: str, columns: Columns, store: Store | None) -> Part:
    """The part added up, from the store or from its file."""
    from lineshaft.meter.kernels.flat import RECORD

    if store is None:
        return _read(part, zone, columns)
    groups = f"{part.groups[0]}-{part.groups[-1]}"
    what = "\0".join(["flat", zone, groups, *columns.names()])
    try:
        key = Key.of(part.path, what, store.folder.parent)
    except OSError:  # reading says what is wrong
        return _read(part, zone, columns)
    held = store.get(key)
    if held is not None and held["records"].dtype == RECORD:
        part.records = held.pop("records")
        for name in [name for name in held if name.startswith(FAULT)]:
            part.count(name.removeprefix(FAULT), int(held.pop(name)[0]))
        part.ids = Ids.from_arrays(held) if held else None
        return part
    part = _read(part, zone, columns)
    if "unreadable" not in part.faults:  # it may be readable the next time
        faults = {FAULT + name: np.array([count]) for name, count in part.faults.items()}
        names = part.ids.arrays() if part.ids is not None else {}
        store.put(key, {"records": part.records, **names, **faults})
    return part


def _read(part: Part, zone: str, columns: Columns) -> Part:
    """Decode the part's row groups and add up their rows. What fails to decode is counted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, left = Table(), 0
    try:
        with pq.ParquetFile(part.path, read_dictionary=[columns.agent_id]) as file:
            part.ids = Ids() if _is_text(file.schema_arrow, columns) else None
            size = BATCH_ROWS if part.ids is None else BATCH_ROWS_TEXT
            sizes = [file.metadata.row_group(group).num_rows for group in part.groups]
            for group, left in zip(part.groups, sizes, strict=True):
                rows = file.iter_batches(size, [group], columns.names(), use_threads=False)
                while left:
                    try:
                        batch = next(rows)
                    except (OSError, StopIteration, pa.ArrowException):
                        part.count("unreadable", left)
                        break
                    left -= len(batch)
                    _add(table, batch, part, zone, columns)
    except OSError:  # it was there when the parts were made
        part.count("unreadable", 1)
    part.records = table.cut()
    part.records.flags.writeable = False  # as they are when they come from a store
    return part


def _add(table: Table, batch: pa.RecordBatch, part: Part, zone: str, columns: Columns) -> None:
    """Add the rows of a batch."""
    import pyarrow as pa

    when = batch.column(columns.ts)
    if when.null_count:
        part.count("no_time", when.null_count)
        batch = batch.filter(when.is_valid())
        when = batch.column(columns.ts)
    if not len(when):
        return
    if pa.types.is_timestamp(when.type):
        part.count("naive_time", len(when) if when.type.tz is None else 0)
        when = when.cast(pa.timestamp("us", when.type.tz), safe=False)
    ts = _plain(when.cast(pa.int64()))
    who = batch.column(columns.agent_id)
    if part.ids is None:
        part.count("no_agent", who.null_count)
        agent = _plain(who.cast(pa.int64()), NOBODY)
    else:
        agent = part.ids.of(who)
        agent[agent == part.ids.find("")] = NONE
        part.count("no_agent", int((agent == NONE).sum()))
    accepted = batch.column(columns.accepted)
    grades = _plain(accepted.cast(pa.uint8(), safe=False), 0)
    if pa.types.is_boolean(accepted.type):
        grades = grades * np.uint8(7)
    tokens = _plain(batch.column(columns.tokens).cast(pa.int64(), safe=False), 0)
    cost_usd = _plain(batch.column(columns.cost_usd).cast(pa.float64()), 0.0)
    human_s = _plain(batch.column(columns.human_s).cast(pa.float64()), 0.0)
    zoned = changes(zone, int(ts.min()), int(ts.max()))
    part.count("negative", table.scatter(agent, ts, grades, tokens, cost_usd, human_s, *zoned))


def _plain(column: pa.Array, fill: Any = None) -> NDArray[Any]:
    """The values of a column, nulls filled; a view where there are none."""
    if column.null_count:
        column = column.fill_null(fill)
    out: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return out


class Table:
    """Records by agent and day, in the order in which they first came."""

    def __init__(self) -> None:
        from lineshaft.meter.kernels.flat import RECORD

        self.records = np.empty(1 << 12, RECORD)
        self._table = np.zeros(1 << 13, np.uint32)
        self.count = 0

    def scatter(self, agent: NDArray[Any], *columns: Any) -> int:
        """Add rows, as `kernels.flat.scatter`; the number of their negative quantities."""
        from lineshaft.meter.kernels import flat as kernels

        row, negative = 0, 0
        scatter: Any = kernels.scatter
        while row < len(agent):
            self._make_room()
            held = (self.records, self.count, self._table)
            row, self.count, found = scatter(row, agent, *columns, *held)
            negative += found
        return negative

    def gather(self, records: NDArray[Any], number: NDArray[Any]) -> None:
        """Add records of another table, whose agents have the numbers `number` here."""
        from lineshaft.meter.kernels import flat as kernels

        row = 0
        while row < len(records):
            self._make_room()
            row, self.count = kernels.gather(
                row, records, number, self.records, self.count, self._table
            )

    def cut(self) -> NDArray[Any]:
        """The records alone; nothing may be added any more."""
        self.records.resize(self.count, refcheck=False)
        return self.records

    def _make_room(self) -> None:
        from lineshaft.meter.kernels import flat as kernels

        if self.count == len(self.records):
            self.records.resize(len(self.records) * 5 // 4, refcheck=False)
        if self.count >= len(self._table) // 2:
            self._table = np.zeros(2 * len(self._table), np.uint32)
            kernels.rehash(self.records, self.count, self._table)


class AgentNumbers:
    """Numbers of all agents of a log, from those of its parts."""

    def __init__(self) -> None:
        self._text, self._whole = Ids(), WholeIds()

    def of(self, part: Part) -> NDArray[np.uint32]:
        """[record] the number of each record's agent; NONE for nobody, an empty string included."""
        import pyarrow.compute as pc

        given = part.records["agent"]
        if part.ids is not None:
            names = part.ids.names()
            names = pc.if_else(pc.equal(names, ""), None, names)
            numbers = np.append(self._text.of(names), np.uint32(NONE))
            out: NDArray[np.uint32] = numbers[np.minimum(given, len(numbers) - 1)]
            return out
        out = np.full(len(given), NONE, np.uint32)
        there = given != NOBODY
        out[there] = self._whole.of(given[there])
        return out

    def names(self) -> pa.Array:
        """The ids in the order of their numbers."""
        import pyarrow as pa

        if len(self._text):
            return self._text.names()
        whole = pa.py_buffer(self._whole.names().tobytes())  # pa.array would import pandas
        return pa.Array.from_buffers(pa.int64(), len(self._whole), [None, whole])


# --- what is wrong with paths and columns -------------------------------------------------------


def _is_text(schema: pa.Schema, columns: Columns) -> bool:
    """Whether agents are strings; unsigned integers of 64 bits pass as such."""
    import pyarrow as pa

    kind = schema.field(columns.agent_id).type
    return not pa.types.is_integer(kind) or kind == pa.uint64()


def _wrong(path: Path, schema: pa.Schema, columns: Columns) -> Iterator[Problem]:
    import pyarrow.types as t

    def text(kind: Any) -> Any:
        kind = kind.value_type if t.is_dictionary(kind) else kind
        return t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)

    def number(kind: Any) -> Any:
        return t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind)

    allowed: dict[str, tuple[Any, str]] = {
        "agent_id": (lambda k: t.is_integer(k) or text(k), "integers or strings"),
        "ts": (lambda k: t.is_timestamp(k) or t.is_integer(k), "timestamps or integers (us UTC)"),
        "accepted": (lambda k: t.is_boolean(k) or t.is_integer(k), "booleans or grade bits"),
        "tokens": (number, "numbers"),
        "cost_usd": (number, "numbers"),
        "human_s": (number, "numbers"),
    }
    for field_name, (fits, what) in allowed.items():
        name = getattr(columns, field_name)
        if name not in schema.names:
            there = ", ".join(schema.names)
            yield Problem(str(path), name, "no such column", there, f"name the one of {field_name}")
        elif not fits(schema.field(name).type):
            yield Problem(str(path), name, f"a column of {schema.field(name).type}", what)
