"""A log read under a definition: everything that a report, a comparison or a calibration needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from lineshaft.errors import InputError, Problem, RunError
from lineshaft.meter.closing import restated
from lineshaft.meter.days import measure
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import Faults
from lineshaft.meter.gather import gather
from lineshaft.meter.log import Log
from lineshaft.meter.measures import NEVER
from lineshaft.meter.reading import STATUS, Reading
from lineshaft.meter.settle import Settlement, settle

CANONICAL = Definition()


def read(
    path: str | Path,
    definition: Definition = CANONICAL,
    *,
    as_of: datetime | int | None = None,
    outcomes: str | Path | None = None,
    assume_human_equiv_min: float | None = None,
    memory_mb: float | None = None,
    tell: Callable[[str], None] | None = None,
) -> Reading:
    """Everything that DAA/1 says about a log.

    Parameters
    ----------
    path
        a log folder, a folder of canonical Parquet files, or one such file.
    as_of
        the moment for which it is said (aware, or microseconds UTC): what arrived later does not
        exist. Without it, the last arrival in the log.
    outcomes
        a CSV or Parquet file with what became of tasks (`outcomes.py`); it is joined for this
        reading and not written into the log.
    assume_human_equiv_min
        minutes that a human would need for a task that states none.
    memory_mb
        settle tasks shard by shard, each in about so much memory.
    tell
        is told what is being done, and which files cannot be read.

    Raises
    ------
    InputError
        where there is no log, the definition cannot be, or the outcomes cannot be read.
    """
    definition.check()
    _check(as_of, assume_human_equiv_min)
    log = Log.open(path)
    faults, more, assumed = Faults(), None, []
    try:
        log.drain(tell)
    except RunError as error:  # a full disk: what is acknowledged stays, and comes another time
        assumed.append(f"what a receiver holds is not in this reading: {error}")
    moment = _micros(as_of)
    if outcomes is not None:
        from lineshaft.meter.outcomes import join

        joined = join(log, outcomes)
        more = joined.events
        faults.merge(joined.faults)
        if joined.events.num_rows:
            assumed.append(joined.sentence)
    gathered = gather(log, more=more, tell=tell)
    done = settle(
        gathered,
        definition,
        as_of_us=moment,
        assumed_human_equiv_min=assume_human_equiv_min,
        memory_mb=memory_mb,
    )
    aside, kept = log.set_aside(moment, tell)
    for each in (kept, gathered.faults, done.spent.faults):
        faults.merge(each)
    late = done.as_of_us
    for fault, moments in (("replay", gathered.replays), ("conflict", gathered.conflicts)):
        faults.add(fault, int(np.searchsorted(moments, late, side="right")))
    received = (
        done.spent.events
        + aside
        + sum(
            int(np.searchsorted(m, late, side="right"))
            for m in (gathered.replays, gathered.conflicts)
        )
    )
    if assume_human_equiv_min is not None:
        silent = done.coverage.accepted - done.coverage.with_human_equiv
        assumed.append(
            f"{silent:,} of {done.coverage.accepted:,} accepted tasks state no human-equivalent "
            f"minutes; {assume_human_equiv_min:g} were taken for each task that states none"
        )
    return _reading(done, definition, str(path), faults, received, assumed)


def _micros(moment: datetime | int | None) -> int | None:
    if not isinstance(moment, datetime):
        return moment
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1)


def _check(as_of: datetime | int | None, minutes: float | None) -> None:
    wrong = []
    if isinstance(as_of, datetime) and as_of.tzinfo is None:
        wrong.append(Problem("", "as_of", f"{as_of}", "a time with its zone"))
    if minutes is not None and not 0 <= minutes < float("inf"):
        wrong.append(Problem("", "assume_human_equiv_min", f"{minutes!r}", "0 or more"))
    if wrong:
        raise InputError(wrong)


def _reading(
    done: Settlement, definition: Definition, path: str, faults: Faults, received: int,
    assumed: list[str],
) -> Reading:  # fmt: skip
    first, last, left_out = _days(done)
    if left_out:
        assumed.append(left_out)
    figures = measure(done.settled, definition, first_day=first, last_day=last)
    when, skip = done.closing, (first or 0) - done.closing.first_day
    shown = slice(skip, skip + figures.days)
    active = np.zeros((3, when.days), np.int64)
    for g, grade in enumerate(figures.grades):
        active[g, shown] = grade.active
    changes = [c for c in done.changes if skip <= c.day - when.first_day < skip + figures.days]
    work = done.settled.work
    closed, found = restated(changes, work.agent, work.day, active, when, done.as_of_us)
    final = when.final(done.as_of_us)[shown]
    known = np.flatnonzero(when.watermark_us <= done.as_of_us)
    return Reading(
        definition=definition,
        path=path,
        sources=dict(sorted(done.spent.sources.items())),
        events=done.spent.events,
        received=received,
        first_us=done.spent.first_us,
        last_us=done.spent.last_us,
        as_of_us=done.as_of_us,
        agents=done.settled.agents,
        measures=figures,
        status=tuple(STATUS[int(each)] for each in final),
        loss=float(when.loss[known[-1]]) if len(known) else 0.0,
        closed=closed[:, shown],
        restatements=found,
        coverage=done.coverage,
        faults=faults,
        assumed=tuple(assumed),
    )


def _days(done: Settlement) -> tuple[int | None, int | None, str]:
    """(first, last day that is shown, what is left out)."""
    held = [done.settled.effort.day, *(d[d != NEVER] for d in done.settled.work.day)]
    held = [d for d in held if len(d)]
    if not held:
        return None, None, ""
    first, last = min(int(d.min()) for d in held), max(int(d.max()) for d in held)
    since = max(first, done.closing.first_day)
    until = min(last, done.closing.first_day + done.closing.days - 1)
    if (since, until) == (first, last):
        return first, last, ""
    begin, end, least, most = (np.datetime64(d, "D") for d in (since, until, first, last))
    text = f"days from {begin} to {end} are shown; events from {least} to {most} are in the log"
    return since, until, f"{text}: a wrong clock may have set them"
