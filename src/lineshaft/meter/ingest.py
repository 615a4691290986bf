"""Files of any source into a log: adapter, check, append. The same file twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineshaft.errors import InputError, Problem
from lineshaft.meter.events import FAULTS, REQUIRED, Faults

Tell = Callable[[str], None]


@dataclass(slots=True)
class Taken:
    """What came of an ingest."""

    log: Path
    events: dict[str, int] = field(default_factory=dict)
    """Events by file."""
    aside: int = 0
    """Rows set aside, which lie in the log's `aside` folder."""
    faults: Faults = field(default_factory=Faults)

    def lines(self) -> Iterator[str]:
        """What to tell of it."""
        for name, count in self.events.items():
            yield f"{count:,} events of {name}"
        for what, count in self.faults.counts.items():
            yield f"  {count:,} × {what}: {FAULTS[what]}"
            for example in self.faults.examples.get(what, ())[:1]:
                yield f"      {example}"
        if self.aside:
            yield f"  {self.aside:,} rows set aside, kept in {self.log / 'aside'}"


def ingest(
    sources: Sequence[Path],
    log: Path,
    *,
    source: str | None = None,
    mapping: Path | None = None,
    outcomes: Path | None = None,
    zone: str = "UTC",
    tenant: str = "",
    ingest_us: int | None = None,
    tell: Tell | None = None,
) -> Taken:
    """Read files (of folders: all in them) and append their events to the log; then what became of
    its tasks, from a table of outcomes.

    `ingest_us` is the arrival of rows that state none; None: they arrived when they happened.
    InputError, before anything is written, for a file that is not there or that no adapter knows.
    RunError where the log cannot be written: what is there then is whole, and the same ingest
    again completes it.
    """
    from lineshaft.meter import adapters
    from lineshaft.meter.log import Log
    from lineshaft.meter.normal import normalise

    if not sources and outcomes is None:
        raise InputError(Problem("", "SOURCE", "none is given", "files, folders, or outcomes"))
    files = _files(sources)
    if source is None and mapping is None:
        for path in files:
            adapters.detect(path)
    taken = Taken(log)
    place = None
    for path in files:
        name, count = str(path), 0
        for rows, faults in adapters.read(
            path, source, mapping=mapping, zone=zone, tenant=tenant, ingest_us=ingest_us
        ):
            events, aside, more = normalise(rows, zone=zone)
            faults.merge(more)
            # what is wrong with a mapping is found with the first rows: no empty log for it
            place = place or Log.open(log, create=True)
            place.append(events, faults, aside)
            taken.faults.merge(faults)
            taken.aside += aside.num_rows
            count += events.num_rows
            if tell:
                tell(f"{name}: {count:,} events")
        taken.events[name] = count
    if outcomes is not None:
        from lineshaft.meter.outcomes import join

        place = place or Log.open(log)
        joined = join(place, outcomes, zone=zone, tenant=tenant)
        place.append(joined.events, joined.faults, joined.aside)
        taken.faults.merge(joined.faults)
        taken.aside += joined.aside.num_rows
        taken.events[str(outcomes)] = joined.events.num_rows
    return taken


def is_log(path: Path) -> bool:
    """Whether the path is a log as it is: a log folder, canonical Parquet; or nothing at all."""
    if path.is_dir() or not path.exists():
        return True
    if path.suffix != ".parquet":
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = set(pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError):
        return True  # half-written: reading it as a log says so
    return names >= set(REQUIRED)


def _files(sources: Sequence[Path]) -> list[Path]:
    """The files, those of folders in the order of their names."""
    missing = [path for path in sources if not path.exists()]
    if missing:
        raise InputError([Problem(str(path), "", "no such file") for path in missing])
    found: list[Path] = []
    for path in sources:
        inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        found += inside if path.is_dir() else [path]
    if sources and not found:
        raise InputError(
            Problem(str(sources[0]), "", "no file in this folder", "files of a source")
        )
    return found
