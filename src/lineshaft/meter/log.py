"""The log: a folder of canonical events, one Parquet file for each day and delivery.

    LOG/events/dt=YYYY-MM-DD/*.parquet   canonical events by UTC day
    LOG/aside/*.parquet                  rows set aside with their fault, and what else was wrong
    LOG/wal/                             what a receiver has acknowledged and not yet turned over
    LOG/.daa1/                           the compact store: may be deleted at any time

Each file is whole or not there. The same delivery twice gives the same files, so that appending
again after a crash completes what was begun. A folder of canonical Parquet files, and a single
one, are logs too, to be read only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft.errors import InputError, Problem, RunError
from lineshaft.files import whole
from lineshaft.meter.events import FAULTS, Faults

if TYPE_CHECKING:
    import pyarrow as pa

DAY_US = 86_400_000_000
KEPT = (
    *("unreadable", "no_event_id", "no_time", "naive_time", "unknown_kind", "negative", "no_join"),
)
"""Faults that canonical events do not show any more: a delivery's counts are kept with it. All
others are found again when the log is read."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Log:
    """A log folder, or a folder of canonical Parquet files, or one such file."""

    path: Path

    @classmethod
    def open(cls, path: str | Path, create: bool = False) -> Log:
        """The log at `path`, made there where `create` says so.

        InputError where nothing is there, or a folder that holds no log.
        """
        path = Path(path)
        log = cls(path)
        if create:
            try:
                (path / "events").mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise _failed(path, error) from error
        elif not path.exists():
            raise InputError(
                Problem(str(path), "", "no such log", "a log folder, or Parquet files of events")
            )
        elif path.is_dir() and not log.is_folder and not log.parts():
            raise InputError(
                Problem(
                    str(path),
                    "",
                    "neither events nor a Parquet file is in this folder",
                    "a log folder (with events/), or a folder of canonical Parquet files",
                    "lineshaft meter ingest SOURCE -o LOG makes one",
                )
            )
        return log

    @property
    def is_folder(self) -> bool:
        """Whether it has the layout of a log folder."""
        return (self.path / "events").is_dir() or (self.path / "wal").is_dir()

    @property
    def store(self) -> Path | None:
        """Where the compact store lies; None for a log that is not ours or cannot be written."""
        ours = self.is_folder and os.access(self.path, os.W_OK)
        return self.path / ".daa1" if ours else None

    def parts(self) -> list[Path]:
        """The event files, sorted by name."""
        if self.path.is_file():
            return [self.path]
        base = self.path / "events" if self.is_folder else self.path
        return sorted(p for p in base.rglob("*.parquet") if not p.name.startswith("."))

    def asides(self) -> list[Path]:
        """The files of rows set aside, sorted by name."""
        return sorted((self.path / "aside").glob("*.parquet")) if self.is_folder else []

    def drain(self, tell: Tell | None = None) -> int:
        """Turn what a receiver has acknowledged into events; how many."""
        if not (self.path / "wal").is_dir() or not os.access(self.path, os.W_OK):
            return 0
        from lineshaft.meter.receive import wal

        return int(wal.drain(self.path, tell=tell))

    def append(
        self,
        events: pa.Table,
        faults: Faults | None = None,
        aside: pa.Table | None = None,
        *,
        name: str = "",
    ) -> list[Path]:
        """Write a delivery: canonical events, rows set aside, and what was wrong with them.

        Without a `name`, files are named by their content, arrival left out, and one that is there
        already stays. With it they are written anew: the same name must mean the same delivery.
        Gives the files that hold the delivery.

        RunError where it cannot be written. What is missing then comes with the next attempt.
        """
        kept = {what: n for what, n in (faults.counts if faults else {}).items() if what in KEPT}
        written = []
        try:
            for day, part in _by_day(events):
                folder = self.path / "events" / f"dt={np.datetime64(day, 'D')}"
                path = folder / f"{name or _digest(part)}.parquet"
                if name or not path.exists():
                    _write(part, path)
                written.append(path)
            if kept or (aside is not None and aside.num_rows):
                written.append(self._set_aside(events, faults, kept, aside, name))
        except OSError as error:
            raise _failed(self.path, error) from error
        return written

    def _set_aside(
        self,
        events: pa.Table,
        faults: Faults | None,
        kept: dict[str, int],
        aside: pa.Table | None,
        name: str,
    ) -> Path:
        """Rows set aside, with the counts of faults and the first arrival in the metadata."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = pa.table({}) if aside is None else aside
        examples = {what: faults.examples.get(what, []) for what in kept} if faults else {}
        first = pc.min(pc.coalesce(events["ingest_ts"], events["ts"]).cast(pa.int64())).as_py()
        base = name or _digest(rows, _digest(events) + json.dumps(kept, sort_keys=True))
        said = {"faults": kept, "examples": examples, "first_us": first}
        rows = rows.replace_schema_metadata({"daa1": json.dumps(said, sort_keys=True)})
        path = self.path / "aside" / f"{base}.parquet"
        if name or not path.exists():
            _write(rows, path)
        return path

    def set_aside(
        self, as_of_us: int | None = None, tell: Tell | None = None
    ) -> tuple[int, Faults]:
        """(rows set aside, faults of all deliveries) of what had arrived."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows, faults = 0, Faults()
        for path in self.asides():
            try:
                meta = pq.read_metadata(path)
            except (pa.ArrowInvalid, OSError) as error:
                faults.add("unreadable", 1, broken(path, error, tell))
                continue
            said = json.loads((meta.metadata or {}).get(b"daa1", b"{}"))
            first = said.get("first_us")
            if as_of_us is not None and first is not None and first > as_of_us:
                continue
            rows += meta.num_rows
            counts = {k: v for k, v in said.get("faults", {}).items() if k in FAULTS}
            faults.merge(Faults(counts, said.get("examples", {})))
        return rows, faults

    def tables(
        self, columns: list[str] | None = None, *, faults: Faults | None = None,
        tell: Tell | None = None,
    ) -> Iterator[pa.Table]:  # fmt: skip
        """The events, row group by row group, `columns` only. Files that cannot be read are told,
        counted in `faults` and left out."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for path in self.parts():
            try:
                with pq.ParquetFile(path) as file:
                    wanted = [c for c in columns or file.schema_arrow.names
                              if c in file.schema_arrow.names]  # fmt: skip
                    for group in range(file.num_row_groups):
                        yield file.read_row_group(group, columns=wanted)
            except (pa.ArrowInvalid, OSError) as error:
                example = broken(path, error, tell)
                if faults is not None:
                    faults.add("unreadable", 1, example)


def _by_day(events: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """(UTC day number, its events), the order of rows kept."""
    import pyarrow as pa

    day = events["ts"].cast(pa.int64()).to_numpy() // DAY_US
    if not len(day):
        return
    if (day == day[0]).all():
        yield int(day[0]), events
        return
    order = np.argsort(day, kind="stable")
    days, starts = np.unique(day[order], return_index=True)
    for one, rows in zip(days.tolist(), np.split(order, starts[1:]), strict=True):
        yield one, events.take(rows)


def _digest(table: pa.Table, seed: str = "") -> str:
    """A name for a table's content, arrival left out."""
    import pyarrow as pa

    digest = hashlib.blake2b(seed.encode(), digest_size=16)

    class Sink:
        closed = False

        def write(self, data: Any) -> int:
            digest.update(data)
            return len(data)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    named = [n for n in table.column_names if n != "ingest_ts"]
    # a copy without offsets: the same rows give the same bytes wherever they were cut from
    plain = table.select(named).take(np.arange(table.num_rows)).combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(Sink(), mode="w"), plain.schema) as stream:
        stream.write_table(plain, max_chunksize=1 << 20)
    return digest.hexdigest()


def _write(table: pa.Table, path: Path) -> None:
    """Write a Parquet file that survives a power cut: contents first, then name, then folder."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part, part.open("wb") as file:
        pq.write_table(table, file, compression="zstd", row_group_size=1 << 20)
        file.flush()
        os.fsync(file.fileno())
    for folder in (path.parent, path.parent.parent):
        sync(folder)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    with suppress(OSError):  # some file systems do not open folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def broken(path: Path, error: Exception, tell: Tell | None) -> str:
    """Tell of a file that cannot be read; an example of the fault."""
    text = f"{path.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    if tell:
        tell(f"cannot be read, and is left out: {path}")
    return text


def _failed(path: Path, error: OSError) -> RunError:
    why = error.strerror or str(error)
    return RunError(
        f"{path}: cannot be written: {why}. No file is half-written; what is missing comes with "
        "the next attempt, and nothing counts twice"
    )
