"""What a log shows of its tasks, one row each: the ground for calibration and for shares.

Every root task of the log, or a sample of them drawn by their ids where the log is long: all events
of a drawn task are read. Rules 1 to 5 of DAA/1 decide what became of it, in grade C.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import KINDS, METHODS, QUANTITIES, VOIDING
from lineshaft.meter.keys import text_keys
from lineshaft.meter.log import Log

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_EVENTS = 2_000_000
"""Where a log has more, about as many are read: those of tasks drawn by their ids."""
SOFTWARE, ROBOTS = "software agents", "robots"
"""Kinds of work where none are named: by the agents' own kind."""
_TEXTS = (
    *("event_id", "tenant", "agent_id", "agent_kind", "task_id", "root_task_id", "kind", "actor"),
    *("reviewer_id", "method"),
)
_HUMAN, _SELF = METHODS.index("human"), METHODS.index("self_report")


@dataclass(frozen=True, slots=True)
class Observed:
    """Tasks of a log; arrays are [task] unless said otherwise, amounts NaN where not stated."""

    kinds: tuple[str, ...]
    embodied: Bools
    """[kind]"""
    share: float
    """Share of the log's tasks that was read."""
    days: int
    """Days from the log's first event to its last, both counted."""
    kind: Ints
    """Place in `kinds`; -1 where its agent is of none."""
    agent: Ints
    """Dense number, within the tenant; -1 where no event names one."""
    start_us: Ints
    """First event."""
    end_us: Ints
    """First submit or decision after the last start; -1 where there is none."""
    attempts: Array
    """Times that it was begun, or else submitted or failed."""
    calls: Array
    """Calls of a model."""
    submitted: Bools
    """Submitted or judged at some time, in whatever way."""
    failed: Bools
    """Failed, and not accepted in the end."""
    accepted: Bools
    """Some acceptance stands."""
    method: Ints
    """Place in METHODS of the first acceptance that stands, -1."""
    reverted: Bools
    """An acceptance of it was reverted within the revocation window."""
    reviewed: Bools
    """A human accepted or rejected it."""
    rejected: Bools
    returned: Bools
    """Rejected, and begun or submitted again after that."""
    touched: Bools
    """A human touched it before its decision."""
    review_s: Array
    """Human seconds on decisions; `steer_s` those on all else."""
    reject_s: Array
    """Of it: on rejections."""
    steer_s: Array
    tokens_in: Array
    tokens_out: Array
    tokens_cached: Array
    cost_usd: Array
    value_usd: Array
    human_equiv_min: Array
    reviewers: Ints
    """[kind] distinct reviewers."""

    def of(self, chosen: Bools) -> Observed:
        """The tasks that are chosen."""
        size = len(self.kind)
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        per_kind = ("kinds", "embodied", "share", "days", "reviewers")
        cut = {n: v if n in per_kind or len(v) != size else v[chosen] for n, v in kept.items()}
        return Observed(**cut)


def observe(
    path: str | Path,
    definition: Definition,
    *,
    outcomes: str | Path | None = None,
    kinds: Mapping[str, str] | None = None,
    most_events: int = MOST_EVENTS,
    as_of_us: int | None = None,
) -> Observed:
    """The tasks of the log at `path`, with a table of `outcomes` joined where one is given.

    `kinds` gives names of kinds of work, each with a pattern of agent ids ("coder-*"); the first
    that fits counts. Without it software agents are one kind, robots another. Raises InputError
    where there is no log.
    """
    log = Log.open(path)
    more = None
    if outcomes is not None:
        from lineshaft.meter.outcomes import join

        more = join(log, outcomes).events
    rows = _read(log, more, most_events, as_of_us)
    return _tasks(*rows, definition, kinds)


def _read(
    log: Log, more: pa.Table | None, most_events: int, as_of_us: int | None
) -> tuple[pa.Table, float, int]:
    """(events of drawn tasks, each once and in the order of time, share drawn, days)."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    total = 0
    for path in log.parts():
        with suppress(pa.ArrowInvalid, OSError):  # half-written, or no Parquet: it is left out
            total += pq.read_metadata(path).num_rows
    share = min(most_events / total, 1.0) if total else 1.0
    found, first, last = [], [], []
    wanted = [*_TEXTS, "ts", "ingest_ts", *QUANTITIES]
    tables: list[pa.Table] = [] if more is None else [more]
    for table in (*log.tables(wanted), *tables):
        if not table.num_rows:
            continue
        table = _complete(table, wanted)
        ends = pc.min_max(table["ts"])
        first.append(ends["min"].as_py())
        last.append(ends["max"].as_py())
        if as_of_us is not None:
            table = table.filter(pc.less_equal(table["arrive"], as_of_us))
        root = pc.coalesce(_text(table, "root_task_id"), _text(table, "task_id"))
        table = table.append_column("root", pc.binary_join_element_wise(
            pc.fill_null(table["tenant"], ""), root, "\x1f"))  # fmt: skip
        table = table.filter(
            pc.and_(pc.is_valid(table["root"]), pc.not_equal(table["kind"], "heartbeat"))
        )
        if share < 1.0 and table.num_rows:
            keys = text_keys(table["root"].combine_chunks())[:, 0]
            table = table.filter(pa.array(keys < np.uint64(share * (2**64 - 1))))
        found.append(table)
    if not found:
        raise InputError(Problem(str(log.path), "", "no events are there", "a log of events"))
    events = pa.concat_tables(found).combine_chunks()
    key = pc.binary_join_element_wise(
        pc.fill_null(events["tenant"], ""), events["event_id"], "\x1f"
    )
    codes = _codes(key)[0]
    order = np.lexsort([events["ts"].to_numpy(), events["arrive"].to_numpy(), codes])
    once = np.append(True, np.diff(codes[order]) != 0) if len(order) else np.zeros(0, bool)
    rows = order[once]
    rows = rows[np.argsort(events["ts"].to_numpy()[rows], kind="stable")]
    day_us = 86_400_000_000
    return events.take(rows), share, max(last) // day_us - min(first) // day_us + 1


def _complete(table: pa.Table, wanted: list[str]) -> pa.Table:
    """The wanted columns, times as microseconds, and `arrive`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {}
    for name in wanted:
        there = name in table.column_names
        kind = pa.string() if name in _TEXTS else pa.float64()
        kind = pa.int64() if name in ("ts", "ingest_ts") else kind
        columns[name] = table[name].cast(kind) if there else pa.nulls(table.num_rows, kind)
    columns["arrive"] = pc.coalesce(columns["ingest_ts"], columns["ts"])
    return pa.table(columns)


def _text(table: pa.Table, name: str) -> Any:
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(table[name], ""), None, table[name])


def _codes(texts: Any) -> tuple[Ints, list[str]]:
    """(dense number of each text, -1 for null; the texts)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = array.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    numbers = pc.fill_null(coded.indices.cast(pa.int64()), -1)
    return numbers.to_numpy(zero_copy_only=False), coded.dictionary.to_pylist()


def _places(texts: Any, known: tuple[str, ...]) -> Ints:
    """Place of each text in `known`, -1 for others."""
    codes, words = _codes(texts)
    place = np.array([known.index(w) if w in known else -1 for w in words] + [-1])
    return place[codes]


def _tasks(
    events: pa.Table,
    share: float,
    days: int,
    d: Definition,
    named: Mapping[str, str] | None,
) -> Observed:
    import pyarrow.compute as pc

    task, roots = _codes(events["root"])
    size = len(roots)
    kind, method = _places(events["kind"], KINDS), _places(events["method"], METHODS)
    human = _places(events["actor"], ("human",)) == 0
    ts = events["ts"].to_numpy()
    whose = pc.if_else(pc.equal(events["agent_id"], ""), None, pc.binary_join_element_wise(
        pc.fill_null(events["tenant"], ""), events["agent_id"], "\x1f"))  # fmt: skip
    agent, names = _codes(whose)
    embodied = _places(events["agent_kind"], ("embodied",)) == 0
    bodies = np.zeros(len(names) + 1, bool)
    bodies[agent[embodied]] = True
    bodies[-1] = False

    def code(*words: str) -> Bools:
        return np.isin(kind, [KINDS.index(word) for word in words])

    def any_of(rows: Bools) -> Bools:
        return np.bincount(task[rows], minlength=size) > 0

    def count(rows: Bools) -> Array:
        return np.bincount(task[rows], minlength=size).astype(float)

    def total(name: str, rows: Bools | None = None) -> Array:
        values = events[name].to_numpy()
        stated = ~np.isnan(values) & (True if rows is None else rows)
        out = np.bincount(task[stated], values[stated], minlength=size)
        return np.where(any_of(stated), out, np.nan)

    def first(rows: Bools, values: Ints) -> Ints:
        """The value of each task's first event of these; events are in the order of time."""
        out = np.full(size, -1, np.int64)
        places = np.flatnonzero(rows)[::-1]
        out[task[places]] = values[places]
        return out

    accept = code("accept")
    self_review = pc.fill_null(pc.equal(events["reviewer_id"], events["agent_id"]), False)
    own = self_review.to_numpy(zero_copy_only=False)
    method = np.where(accept & ((method < 0) | own), _SELF, method)
    claim = (accept | (code("submit") & (method == _SELF))) & (agent >= 0)
    voids = code(*VOIDING)
    void_us, by = _next(task, ts, claim, voids)
    fallen = void_us <= ts + round(d.revocation_days * 86_400e6)
    standing = np.zeros(len(ts), bool)
    standing[np.flatnonzero(claim)[~fallen[claim]]] = True
    reverts = np.zeros(len(ts), bool)
    reverts[claim] = fallen[claim] & (kind[by[claim]] == KINDS.index("revert"))

    begun = code("start")
    ends = code("submit", "accept", "reject", "fail", "cancel", "expire")
    rejected = code("reject")
    decided = accept | rejected
    by_human = decided & (human | (method == _HUMAN) | (rejected & (method < 0)))
    accepted, failed = any_of(standing), any_of(code("fail"))
    starts, tries = count(begun), count(code("submit", "fail"))
    last_start = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(last_start, task[begun], ts[begun])
    first_us = first(np.ones(len(ts), bool), ts)
    first_reject = first(rejected, ts)
    again = (begun | code("submit")) & (first_reject[task] >= 0) & (ts > first_reject[task])
    main = first(standing, agent)
    main = np.where(
        main >= 0, main, first((begun | code("submit", "llm", "act")) & (agent >= 0), agent)
    )
    main = np.where(main >= 0, main, first(agent >= 0, agent))
    kinds, of_agent = _kinds(names, bodies, named)
    reviewer = _codes(_text(events, "reviewer_id"))[0]
    kind_of = of_agent[main]
    return Observed(
        kinds=kinds,
        embodied=np.array([bool(bodies[:-1][of_agent[:-1] == k].any()) for k in range(len(kinds))]),
        share=share,
        days=days,
        kind=kind_of,
        agent=main,
        start_us=first_us,
        end_us=first(ends & (ts >= last_start[task]), ts),
        attempts=np.where(starts > 0, starts, np.maximum(tries, 1.0)),
        calls=np.where(any_of(code("llm")), count(code("llm")), np.nan),
        submitted=any_of(ends),
        failed=failed & ~accepted,
        accepted=accepted,
        method=first(standing, method),
        reverted=any_of(reverts),
        reviewed=any_of(by_human),
        rejected=any_of(rejected),
        returned=any_of(again),
        touched=any_of(code("human_touch")),
        review_s=total("human_s", decided),
        reject_s=total("human_s", rejected),
        steer_s=total("human_s", ~decided),
        **{
            name: total(name)
            for name in ("tokens_in", "tokens_out", "tokens_cached", "cost_usd", "value_usd")
        },
        human_equiv_min=total("human_equiv_min"),
        reviewers=np.array(
            [
                len(np.unique(reviewer[by_human & (reviewer >= 0) & (kind_of[task] == k)]))
                for k in range(len(kinds))
            ]
        ),
    )


def _next(task: Ints, ts: Ints, of: Bools, events: Bools) -> tuple[Ints, Ints]:
    """[event] (time, place) of the first of `events` of the same task that is not before it."""
    when = np.full(len(ts), np.iinfo(np.int64).max)
    place = np.zeros(len(ts), np.int64)
    them = np.flatnonzero(events)
    them = them[np.lexsort([ts[them], task[them]])]
    rank = np.unique(ts, return_inverse=True)[1]
    keys = (task[them] << 32) + rank[them]
    rows = np.flatnonzero(of)
    at = np.searchsorted(keys, (task[rows] << 32) + rank[rows])
    found = at < len(them)
    found[found] = task[them[at[found]]] == task[rows[found]]
    when[rows[found]] = ts[them[at[found]]]
    place[rows[found]] = them[at[found]]
    return when, place


def _kinds(
    names: list[str], bodies: Bools, named: Mapping[str, str] | None
) -> tuple[tuple[str, ...], Ints]:
    """(kinds of work, [agent, and -1 last] the kind of each)."""
    if named is None:
        there = [(SOFTWARE, False), (ROBOTS, True)]
        there = [(name, body) for name, body in there if (bodies[:-1] == body).any()]
        of = np.array([[b for _, b in there].index(body) for body in bodies[:-1]], np.int64)
        return tuple(name for name, _ in there), np.append(of, -1)
    of = np.full(len(names) + 1, -1, np.int64)
    for number, name in enumerate(names):
        own = name.partition("\x1f")[2]
        fits = (k for k, pattern in enumerate(named.values()) if fnmatchcase(own, pattern))
        of[number] = next(fits, -1)
    return tuple(named), of
