"""The event table itself (`docs/daa-1.md#events`): Parquet, Arrow files and streams, CSV, and JSON
lines. Columns that the standard does not know go along, for the normaliser to fold into `attrs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.meter.adapters import tables, text
from lineshaft.meter.adapters.rows import BATCH, encode, taken
from lineshaft.meter.events import COLUMNS, Faults

if TYPE_CHECKING:
    import pyarrow as pa


def read(
    data: Path | bytes, *, tenant: str = "", ingest_us: int | None = None
) -> Iterator[tuple[pa.Table, Faults]]:
    """The rows as they are, in batches."""
    start = text.head(data, 1 << 12).lstrip()
    found = _lines(data) if start[:1] in (b"{", b"[") else tables.read(data)
    for rows, faults in found:
        yield tables.default(rows, tenant, ingest_us), faults


def write(events: pa.Table) -> bytes:
    """Parquet with zstd, which gives the events back as they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(events, sink, compression="zstd")
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _lines(data: Path | bytes) -> Iterator[tuple[pa.Table, Faults]]:
    faults, rows, told = Faults(), list[dict[str, Any]](), False
    for record, _ in text.records(data, faults):
        if isinstance(record, dict):
            rows.append(record)
        else:
            faults.add("unreadable", example=f"no object: {str(record)[:60]}")
        if len(rows) >= BATCH:
            yield _table(rows), taken(faults)
            rows, told = [], True
    if rows or faults.counts or not told:
        yield _table(rows), taken(faults)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Columns of plain values; a column of mixed or nested values becomes text."""
    import pyarrow as pa

    names = {name: None for row in rows for name in row} or dict.fromkeys(COLUMNS)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, dict | list) for value in values):
            values = [encode(v) if isinstance(v, dict | list) else v for v in values]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
            columns[name] = pa.array([_text(value) for value in values], pa.string())
    return pa.table(columns)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    shown = value if isinstance(value, str) else json.dumps(value)
    return shown.encode("utf-8", "replace").decode()
