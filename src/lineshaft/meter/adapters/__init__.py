"""Every source becomes the event table, and what it says beside goes into `attrs`.

    otlp.py           OpenTelemetry requests (otlp_wire, otlp_rows, genai, export)
    openinference.py  names of OpenInference spans, which travel as OTLP
    a2a.py            Agent2Agent tasks and updates
    vda5050.py        messages of mobile robots; `Tracker` follows them one by one
    rmf.py            Open-RMF task summaries and task states
    ocel.py           object-centric event logs, OCEL 2.0
    mapped.py         CSV and Parquet with a mapping file
    canonical.py      the event table itself: Parquet, Arrow, CSV, JSON lines

Importing this package imports none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.words import suggestion

if TYPE_CHECKING:
    import pyarrow as pa

    from lineshaft.meter.events import Faults

SOURCES = ("otlp", "openinference", "a2a", "vda5050", "rmf", "ocel", "table", "events")


def read(
    data: Path | bytes,
    source: str | None = None,
    *,
    mapping: Path | Mapping[str, Any] | None = None,
    zone: str = "UTC",
    tenant: str = "",
    ingest_us: int | None = None,
    agent: str = "",
) -> Iterator[tuple[pa.Table, Faults]]:
    """(rows, faults) of a source, in batches of about 100,000 rows.

    source: one of SOURCES; None finds out. mapping: a TOML file, or what it says: the columns of a
    table (`mapped`), the object types of an event log (`ocel`), in its table `evaluation` which
    evaluations accept and reject (`verdict`), or as `agent` who speaks. zone: of times without one
    in tables. tenant: where the source names none. ingest_us: the arrival of rows that state none.
    agent: who speaks in a source that does not say so (A2A).

    The rows are those of the event table; `normal.normalise` makes the last checks. Only what
    cannot be decoded is counted here. InputError for a path that cannot be read, a source that is
    unknown, or a mapping that does not fit.
    """
    form = source or ("table" if mapping is not None and _maps_columns(mapping) else detect(data))
    if form not in SOURCES:
        raise _unknown(form)
    said = _said(mapping)
    if form in ("otlp", "openinference"):
        from lineshaft.meter.adapters import otlp
        from lineshaft.meter.adapters.verdict import verdicts

        chosen = verdicts(said)
        return otlp.read(data, tenant=tenant, ingest_us=ingest_us, verdicts=chosen)
    if form == "a2a":
        from lineshaft.meter.adapters import a2a

        speaks = agent or str(said.get("agent", ""))
        return a2a.read(data, tenant=tenant, ingest_us=ingest_us, agent=speaks)
    if form == "vda5050":
        from lineshaft.meter.adapters import vda5050

        return vda5050.read(data, tenant=tenant, ingest_us=ingest_us)
    if form == "rmf":
        from lineshaft.meter.adapters import rmf

        return rmf.read(data, tenant=tenant, ingest_us=ingest_us)
    if form == "ocel":
        from lineshaft.meter.adapters import ocel

        return ocel.read(data, tenant=tenant, ingest_us=ingest_us, mapping=said)
    if form == "table":
        from lineshaft.meter.adapters import mapped

        name = str(mapping) if isinstance(mapping, Path) else ""
        return mapped.read(data, said, where=name, zone=zone, tenant=tenant, ingest_us=ingest_us)
    from lineshaft.meter.adapters import canonical

    return canonical.read(data, tenant=tenant, ingest_us=ingest_us)


def write(events: pa.Table, source: str) -> bytes | None:
    """Events in the form of a source; None for `table`, which has no form of its own.

    What was read from a source is written as it was. `otlp`, `openinference`, `ocel` and `events`
    hold events of any origin, and give them back as they are; the others hold only what was read
    from them. InputError for a source that is unknown, or that cannot hold the events.
    """
    if source not in SOURCES:
        raise _unknown(source)
    if source in ("otlp", "openinference"):
        from lineshaft.meter.adapters import otlp

        return otlp.write(events)
    if source == "ocel":
        from lineshaft.meter.adapters import ocel

        return ocel.write(events)
    if source == "events":
        from lineshaft.meter.adapters import canonical

        return canonical.write(events)
    if source == "table":
        return None
    from lineshaft.meter.adapters import lines

    return lines.write(events, source)


def detect(data: Path | bytes) -> str:
    """The source that a file or bytes are of, one of SOURCES.

    InputError where it cannot be read, or where nothing fits.
    """
    from lineshaft.meter.adapters import sniff

    found = sniff.sniff(data)
    if found is None:
        name = str(data) if isinstance(data, Path) else ""
        raise InputError(
            Problem(
                name,
                "",
                "no source that is known",
                ", ".join(SOURCES),
                "name the source, or give a mapping for a table",
            )
        )
    return found


def _said(mapping: Path | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a mapping says; InputError for a file that cannot be read or is no TOML."""
    if mapping is None or isinstance(mapping, Mapping):
        return mapping or {}
    import tomllib

    try:
        return tomllib.loads(mapping.read_text("utf-8-sig"))
    except OSError as error:
        raise InputError(Problem(str(mapping), "", f"cannot be read: {error.strerror}")) from None
    except ValueError as error:  # no TOML, no UTF-8
        raise InputError(Problem(str(mapping), "", str(error), "a TOML file")) from None


def _maps_columns(mapping: Path | Mapping[str, Any]) -> bool:
    """Whether a mapping is of the columns of a table, and not of another source alone."""
    return bool(_said(mapping).keys() - {"evaluation", "objects", "agent"})


def _unknown(source: str) -> InputError:
    fix = suggestion(source, SOURCES)
    return InputError(Problem("", "source", repr(source), ", ".join(SOURCES), fix))
