"""Tables in files: Parquet, Arrow, and CSV, as they are, in batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters import text
from lineshaft.meter.adapters.rows import BATCH, taken
from lineshaft.meter.events import Faults

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = b"PAR1"
ARROW = b"ARROW1"
DELIMITERS = (",", ";", "\t", "|")


def read(
    data: Path | bytes, *, encoding: str = "utf-8", delimiter: str | None = None
) -> Iterator[tuple[pa.Table, Faults]]:
    """(rows, faults) in batches; all columns of a CSV file are text, empty cells null.

    A Parquet file that was not written to its end has no index and gives no row: one fault. Lines
    of a CSV file with too few or too many cells are left out and counted. InputError where the file
    cannot be opened, or its text is in another encoding.
    """
    start = text.head(data, 16)
    if start.startswith(PARQUET):
        yield from _parquet(data)
    elif start.startswith(ARROW):
        yield from _arrow(data)
    else:
        yield from _csv(data, encoding, delimiter)


def columns(
    data: Path | bytes, *, encoding: str = "utf-8", delimiter: str | None = None
) -> list[str]:
    """Names of the columns; none where the file cannot be read."""
    start = text.head(data, 1 << 16)
    import pyarrow as pa

    if start.startswith((PARQUET, ARROW)):
        try:
            found: list[str] = next(iter(read(data)))[0].column_names
            return found
        except (pa.ArrowInvalid, StopIteration):
            return []
    import csv

    try:
        first = start.decode(encoding, "replace").splitlines()[0]
    except (IndexError, LookupError):
        return []
    return _apart(next(csv.reader([first], delimiter=delimiter or divider(first)), []))


def divider(header: str) -> str:
    """The delimiter of a CSV file, as its first line has it."""
    return max(DELIMITERS, key=header.count)


def default(rows: pa.Table, tenant: str, ingest_us: int | None) -> pa.Table:
    """The rows with a tenant and an arrival where they state none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    when = None if ingest_us is None else pa.scalar(ingest_us, pa.timestamp("us", tz="UTC"))
    for name, value in (("tenant", pa.scalar(tenant) if tenant else None), ("ingest_ts", when)):
        if value is None:
            continue
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(value, len(rows)))
            continue
        held, place = rows[name], rows.column_names.index(name)
        if pa.types.is_null(held.type):
            rows = rows.set_column(place, name, pa.repeat(value, len(rows)))
        elif held.null_count:
            fill = pa.scalar(_like(value, held.type), held.type)
            rows = rows.set_column(place, name, pc.fill_null(held, fill))
    return rows


def _like(value: Any, kind: Any) -> Any:
    """The value as a plain one of a column's type: an arrival as text where the column is text."""
    import pyarrow as pa

    if not pa.types.is_timestamp(value.type):
        return value.as_py()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return value.as_py().isoformat()
    return value.value if pa.types.is_integer(kind) else value.as_py()


def _parquet(data: Path | bytes) -> Iterator[tuple[pa.Table, Faults]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    faults = Faults()
    try:
        whole = text.content(data, faults) if isinstance(data, bytes) or _packed(data) else None
        file = pq.ParquetFile(pa.BufferReader(whole) if whole is not None else data)
    except (pa.ArrowInvalid, OSError) as error:
        faults.add("unreadable", example=f"Parquet file is not whole: {str(error)[:80]}")
        yield pa.table({}), faults
        return
    with file:
        some = False
        batches = file.iter_batches(batch_size=BATCH)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowInvalid, OSError) as error:
                faults.add("unreadable", example=f"Parquet file is damaged: {str(error)[:80]}")
                batch = None
            if batch is None:
                break
            yield pa.Table.from_batches([batch]), taken(faults)
            some = True
        if faults.counts or not some:
            yield file.schema_arrow.empty_table(), faults


def _packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == text.GZIP


def _arrow(data: Path | bytes) -> Iterator[tuple[pa.Table, Faults]]:
    import pyarrow as pa

    faults = Faults()
    try:
        reader = pa.ipc.open_file(pa.BufferReader(text.content(data, faults)))
    except pa.ArrowInvalid as error:
        faults.add("unreadable", example=f"Arrow file is not whole: {str(error)[:80]}")
        yield pa.table({}), faults
        return
    for place in range(reader.num_record_batches):
        yield pa.Table.from_batches([reader.get_batch(place)]), taken(faults)
    if not reader.num_record_batches:
        yield reader.schema.empty_table(), faults


def _csv(
    data: Path | bytes, encoding: str, delimiter: str | None
) -> Iterator[tuple[pa.Table, Faults]]:
    import pyarrow as pa
    import pyarrow.csv as pc

    names = columns(data, encoding=encoding, delimiter=delimiter)
    if not names:
        yield pa.table({}), Faults()
        return
    faults = Faults()
    where = str(data) if isinstance(data, Path) else ""

    def odd(row: Any) -> str:
        faults.add("unreadable", example=f"{row.actual_columns} cells, not {row.expected_columns}")
        return "skip"

    first = text.head(data, 1 << 16).decode(encoding, "replace").splitlines()[0]
    stream = text.open_bytes(data, faults)
    try:
        reader = pc.open_csv(
            pa.PythonFile(stream, "r"),
            read_options=pc.ReadOptions(
                encoding=encoding, block_size=8 << 20, column_names=names, skip_rows=1
            ),
            parse_options=pc.ParseOptions(
                delimiter=delimiter or divider(first),
                newlines_in_values=True,
                invalid_row_handler=odd,
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True,
                null_values=[""], quoted_strings_can_be_null=True,
            ),
        )  # fmt: skip
        some = False
        for batch in reader:
            for place in range(0, max(batch.num_rows, 1), BATCH):
                yield pa.Table.from_batches([batch.slice(place, BATCH)]), taken(faults)
                some = True
    except (pa.ArrowInvalid, UnicodeDecodeError, LookupError) as error:
        shown = str(error).splitlines()[0][:100]
        raise InputError(
            Problem(where, "", f"no CSV in {encoding}: {shown}", "", "state its `encoding`")
        ) from None
    finally:
        stream.close()
    if faults.counts or not some:
        yield pa.table({name: pa.array([], pa.string()) for name in names}), faults


def _apart(names: list[str]) -> list[str]:
    """The names, with a number where one comes again."""
    again: dict[str, int] = {}
    apart = []
    for name in names:
        again[name] = again.get(name, 0) + 1
        apart.append(name if again[name] == 1 else f"{name}.{again[name]}")
    return apart
