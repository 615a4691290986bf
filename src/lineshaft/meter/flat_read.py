"""A reading of a settled flat log: Parquet whose rows are tasks with their outcome resolved."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from lineshaft.meter import flat
from lineshaft.meter.compact import Store
from lineshaft.meter.definition import Definition
from lineshaft.meter.document import EPOCH
from lineshaft.meter.events import Faults
from lineshaft.meter.measures import Agents
from lineshaft.meter.reading import Coverage, Reading

SOURCE = "flat"


def read_flat(path: Path, definition: Definition, columns: flat.Columns | None = None) -> Reading:
    """What `lineshaft.meter.flat.measure` says of the files, as a reading.

    Such a log does not say when its rows arrived: they count as arrived when they happened, the
    last day counts as over, and nothing is ever restated. It states neither value nor
    human-equivalent minutes. What was decoded is kept in the log's folder, where that can be
    written to, so that the next reading is faster. InputError as `flat.measure` raises it.
    """
    kept = path.is_dir() and os.access(path, os.W_OK)
    store = Store(path / ".daa1") if kept else None
    measures, rollup = flat.measure(path, definition, columns, store=store)
    rows = int(rollup.events.sum())
    tasks = int(rollup.accepted[2].sum())
    believed = int(rollup.accepted[1].sum())
    ends = [_start(measures.first_day + i + 1, definition.zone) for i in range(measures.days)]
    as_of = ends[-1] if ends else 0
    wait = int(definition.watermark_h * 3.6e9)
    status = tuple("final" if end + wait <= as_of else "provisional" for end in ends)
    final = np.array([one == "final" for one in status], bool)
    ids = tuple(map(str, rollup.agents.to_pylist()))
    broken = sum(rollup.faults.counts.get(what, 0) for what in ("no_time", "unreadable"))
    faults = Faults()
    faults.merge(rollup.faults)
    return Reading(
        definition,
        str(path),
        {SOURCE: rows} if rows else {},
        events=rows,
        received=rows + broken,
        first_us=_start(measures.first_day, definition.zone) if ends else 0,
        last_us=max(as_of - 1, 0),
        as_of_us=as_of,
        agents=Agents(("",) * len(ids), ids, np.zeros(len(ids), bool)),
        measures=measures,
        status=status,
        loss=0.0,
        closed=np.array([np.where(final, grade.active, -1) for grade in measures.grades]),
        coverage=Coverage(rows, tasks, 0, 0, 0, tasks, believed, 0, 0, tasks, tasks),
        faults=faults,
        assumed=("a row of a flat log is a task of its own, and arrived when it happened",),
    )


def _start(day: int, zone: str) -> int:
    """Microseconds UTC of the beginning of a local day."""
    on = date.fromordinal(EPOCH + day)
    begin = datetime(on.year, on.month, on.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return (begin - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
