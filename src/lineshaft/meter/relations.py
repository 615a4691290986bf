"""DAA/1 as Ibis expressions: the standard's rules (`docs/daa-1.md`) where the logs live already.

    import ibis
    from lineshaft.meter import relations

    events = ibis.duckdb.connect().read_parquet("LOG/events/**/*.parquet")
    relations.daily(events).to_pandas()  # every figure, by grade and day
    print(relations.sql("bigquery"))  # the same as SQL, to be run by somebody else

An expression runs on any backend of Ibis: it needs joins, groups and CASE alone, for some backend
or other lacks window functions, time zones, intervals, arrays. Times are microseconds since 1970
and days are numbers since 1970-01-01; `ts` may be a timestamp or such a number already (SQLite has
no timestamps).

An expression reads the events many times. DuckDB and most warehouses see that and read them once;
for those that do not (Polars, SQLite, Spark), `keep=ibis.Table.cache` keeps intermediate results.

Closed figures and restatements need a log's past and are not here; a day as it was closed is that
of `as_of_us` = its end + `watermark_h`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import (
    COLUMNS,
    GRADES,
    KINDS,
    METHODS,
    QUANTITIES,
    REQUIRED,
    VOIDING,
)
from lineshaft.meter.zones import DAY_US, changes
from lineshaft.words import suggestion

Table = Any
"""A table of Ibis, which has no types."""
Value = Any
"""A column or scalar of Ibis."""
Keep = Callable[[Table], Table]

YEARS = (2000, 2100)
"""Changes of a zone's offset are known from the first of these years to the last."""
MOST_DAYS = 10_000
"""Days that are told at most, from the first on."""
EFFORT = tuple(name for name in QUANTITIES if name not in ("value_usd", "human_equiv_min"))
"""What agents use, counted on the day of the event."""
DIALECTS = (
    *("athena", "bigquery", "clickhouse", "databricks", "datafusion", "duckdb", "mssql", "mysql"),
    *("postgres", "snowflake", "sqlite", "trino"),
)
"""Dialects of SQL that `sql` prints; that of Databricks is Spark's too."""

_TASK = ("tenant", "root")
_CANONICAL = Definition()
_AGENT = ("tenant", "agent_id")
_EVENT = ("tenant", "event_id")
_NOT_READ = ("parent_span", "actor", "model", "tz", "src", "attrs")


def _as_is(table: Table) -> Table:
    return table


def tasks(
    events: Table,
    definition: Definition = _CANONICAL,
    *,
    as_of_us: int | None = None,
    keep: Keep = _as_is,
) -> Table:
    """Accepted root tasks, one row for each grade in which a task is accepted.

    Columns: tenant, root, grade (a, b, c), agent_id, accepted_us, day (local), value_usd and
    human_equiv_min (null where no event states them), touches, eligible, circular. The figures are
    of `work(tasks)`. With `as_of_us`, of what had arrived by then.
    """
    definition.check()
    events = canonical(events, as_of_us=as_of_us, keep=keep)
    own = events.filter(events.root.notnull(), events.kind != "heartbeat")
    found = keep(_graded(own, definition, as_of_us))
    key = [*_TASK, "grade"]
    stated = own.group_by(*_TASK).agg(
        value_usd=own.value_usd.sum(), human_equiv_min=own.human_equiv_min.sum()
    )
    found = _beside(found, stated, list(_TASK))
    touched = found.select(*key, "accepted_us").join(
        own.filter(own.kind == "human_touch").select(*_TASK, "ts"), list(_TASK)
    )
    touched = touched.filter(touched.ts <= touched.accepted_us)
    found = _beside(found, touched.group_by(key).agg(touches=touched.count()), key)
    found = _beside(found, _circular(found, own, definition, keep), key)
    near = 1.0 - 1e-9  # ten times 0.1 is 1
    long = found.human_equiv_min.fill_null(0.0) >= definition.least_human_equiv_min * near
    dear = found.value_usd.fill_null(0.0) >= definition.least_value_usd * near
    return found.select(
        *key,
        *("agent_id", "accepted_us"),
        day=_day(found.accepted_us, definition.zone),
        value_usd=found.value_usd,
        human_equiv_min=found.human_equiv_min,
        touches=found.touches.fill_null(0),
        eligible=long | dear,
        circular=found.circular.fill_null(False),
    )


def work(tasks: Table) -> Table:
    """Of accepted tasks those that count: eligible and not circular."""
    return tasks.filter(tasks.eligible, ~tasks.circular).drop("eligible", "circular")


def rollup(
    events: Table,
    definition: Definition = _CANONICAL,
    *,
    as_of_us: int | None = None,
    keep: Keep = _as_is,
) -> Table:
    """Effort by agent and local day of the event: tenant, agent_id, day, embodied (some event of
    the day says so), events (heartbeats not counted), and the sums of `EFFORT`."""
    definition.check()
    events = canonical(events, as_of_us=as_of_us, keep=keep)
    events = events.mutate(day=_day(events.ts, definition.zone))
    return events.group_by(*_AGENT, "day").agg(
        embodied=_count(events.agent_kind == "embodied") > 0,
        events=_count(events.kind != "heartbeat"),
        **{name: events[name].sum().fill_null(0) for name in EFFORT},
    )


def daily(
    events: Table,
    definition: Definition = _CANONICAL,
    *,
    first_day: int | None = None,
    last_day: int | None = None,
    as_of_us: int | None = None,
    keep: Keep = _as_is,
) -> Table:
    """Every figure of DAA/1, by grade and consecutive local day.

    Columns: grade, day; active (DAA), week (WAA), month (MAA), embodied (of active); new,
    retained, reactivated, resurrected, lost, dormant; accepted, untouched, value_usd,
    human_equiv_min, unvalued, unmeasured, effective (eDAA); tasks_per_agent (TPA), autonomy (A),
    value_per_daa (VPD), fte_equivalent; and the day's effort, the same for all grades: seen (agents
    with any event but heartbeats), events and the sums of `EFFORT`. Without `first_day` and
    `last_day` the days are those from the first to the last with an event or an acceptance.
    """
    effort, done = _settled(events, definition, as_of_us, keep)
    days = keep(_days(effort, done, first_day, last_day))
    used = effort.group_by("day").agg(
        seen=_count((effort.events > 0) & (effort.agent_id != "")),
        **{name: effort[name].sum() for name in ("events", *EFFORT)},
    )
    found = _figures(done, effort, days, definition, keep)
    found = _filled(_beside(found, used, ["day"]), ("seen", "events", *EFFORT))
    return found.mutate(
        tasks_per_agent=found.accepted / found.active.nullif(0),
        autonomy=found.untouched / found.accepted.nullif(0),
        value_per_daa=_value(found, definition) / found.active.nullif(0),
        fte_equivalent=found.human_equiv_min / 480.0,
    )


def retention(
    events: Table,
    definition: Definition = _CANONICAL,
    *,
    first_day: int | None = None,
    last_day: int | None = None,
    as_of_us: int | None = None,
    keep: Keep = _as_is,
) -> Table:
    """Agents by grade, cohort week and n, the days since their own first accepted day.

    Columns: grade, week (number of the cohort week, from the first day on), n, exact (active on
    that day), open (active then or later), seen (agents of the cohort whose day n has passed: the
    base of both shares). R(n) over all cohorts is the sum of `exact` over the sum of `seen`.
    """
    effort, done = _settled(events, definition, as_of_us, keep)
    days = keep(_days(effort, done, first_day, last_day))
    bounds = days.agg(first=days.day.min(), last=days.day.max())
    active = done.select("grade", *_AGENT, "day").distinct().cross_join(bounds)
    active = active.filter(active.day >= active.first, active.day <= active.last)
    agents = active.group_by("grade", *_AGENT, "first", "last").agg(
        born=active.day.min(), end=active.day.max()
    )
    agents = agents.mutate(week=_whole(agents.born - agents.first, definition.week_days))
    agents = keep(agents.mutate(passed=agents.last - agents.born, lasted=agents.end - agents.born))
    key = ["grade", "week", "n"]
    exact = active.join(agents.select("grade", *_AGENT, "week", "born"), ["grade", *_AGENT])
    exact = exact.mutate(n=exact.day - exact.born)
    exact = exact.group_by(key).agg(exact=exact.count())
    since = days.cross_join(bounds).select(n=days.day - bounds.first)

    def at_least(age: str, name: str) -> Table:
        """Agents whose `age` is n or more."""
        alike = agents.group_by("grade", "week", age).agg(agents=agents.count())
        found = alike.cross_join(since)
        found = found.filter(found.n <= found[age])
        return found.group_by(key).agg(**{name: found.agents.sum()})

    found = _beside(at_least("passed", "seen"), at_least("lasted", "open"), key)
    found = _filled(_beside(found, exact, key), ("exact", "open"))
    return found.select(*key, "exact", "open", "seen")


RELATIONS = {"daily": daily, "retention": retention, "rollup": rollup, "tasks": tasks}
"""What `sql` prints, by name."""


def sql(
    dialect: str,
    definition: Definition = _CANONICAL,
    *,
    relation: str = "daily",
    table: str = "events",
    as_of_us: int | None = None,
) -> str:
    """The SQL of one of `RELATIONS` over a canonical event table named `table`, in one of
    `DIALECTS`. Raises InputError for names that are not known, or where Ibis is not installed."""
    asked = (("dialect", dialect, DIALECTS), ("relation", relation, tuple(RELATIONS)))
    wrong = [
        Problem("", key, repr(name), ", ".join(known), suggestion(name, known))
        for key, name, known in asked
        if name not in known
    ]
    if wrong:
        raise InputError(wrong)
    ibis = _ibis()
    types = {"string": "string", "timestamp": "timestamp(6)", "int": "int64", "float": "float64"}
    if dialect == "sqlite":
        types["timestamp"] = "int64"
    named = ibis.table({name: types[kind] for name, (kind, _) in COLUMNS.items()}, name=table)
    events = canonical(named, as_of_us=as_of_us, dialect=dialect)
    return str(ibis.to_sql(RELATIONS[relation](events, definition, as_of_us=as_of_us), dialect))


def canonical(
    events: Table, *, as_of_us: int | None = None, dialect: str = "", keep: Keep = _as_is
) -> Table:
    """The event table as the other rules read it: each event once (rule 1), times in microseconds.

    Adds `arrived_us` and `root`; absent columns and negative quantities are null, an accept by an
    unknown method or by the agent itself is a self-report; rows without a time or of a kind that
    the standard does not know are left out. `dialect` names the backend of a table that has none.
    Raises InputError where a required column is missing or Ibis is not installed.
    """
    if "arrived_us" in events.columns:
        return events
    ibis = _ibis()
    missing = [name for name in REQUIRED if name not in events.columns]
    if missing:
        raise InputError(
            Problem("", name, "there is no such column", f"a table with {', '.join(REQUIRED)}")
            for name in missing
        )
    dialect = dialect or events.get_backend().name
    types = {"string": "string", "timestamp": "int64", "int": "int64", "float": "float64"}
    columns = {}
    for name, (kind, _) in COLUMNS.items():
        if name in _NOT_READ:
            continue
        value = events[name] if name in events.columns else ibis.null(types[kind])
        value = _micros(value, dialect) if kind == "timestamp" else value
        columns[name] = value.cast(types[kind])
    found = events.select(**columns)
    found = found.filter(found.ts.notnull(), found.kind.isin(KINDS))
    found = found.mutate(
        **{name: (found[name] >= 0).ifelse(found[name], None) for name in QUANTITIES},
        tenant=found.tenant.fill_null(""),
        agent_id=found.agent_id.fill_null(""),
        arrived_us=found.ingest_ts.fill_null(found.ts),
        root=found.root_task_id.nullif("").fill_null(found.task_id.nullif("")),
    )
    believed = found.method.isin(METHODS) & (found.reviewer_id != found.agent_id).fill_null(True)
    claimed = (found.kind == "accept") & ~believed.fill_null(False)
    found = found.mutate(method=claimed.ifelse("self_report", found.method))
    if as_of_us is not None:
        found = found.filter(found.arrived_us <= as_of_us)
    return keep(_once(found))


def _settled(events: Table, d: Definition, as_of_us: int | None, keep: Keep) -> tuple[Table, Table]:
    """Effort, and the tasks that count."""
    events = canonical(events, as_of_us=as_of_us, keep=keep)
    effort = keep(rollup(events, d))
    return effort, keep(work(tasks(events, d, as_of_us=as_of_us, keep=keep)))


def _once(events: Table) -> Table:
    """Of events with one key the first to arrive, of two together the one of smaller `ts`.

    Of two that differ and share even those, the least of each column, whatever the order of rows;
    the standard takes the lesser row.
    """
    key = list(_EVENT)
    times = events.group_by(key).agg(times=events.count())
    events = events.join(times, key)
    once = events.filter(events.times == 1).drop("times")
    again = events.filter(events.times > 1).drop("times")  # few: what follows costs little
    for name in ("arrived_us", "ts"):
        first = again.group_by(key).agg(least=again[name].min())
        again = again.join(first, key)
        again = again.filter(again[name] == again.least).drop("least")
    again = again.group_by(key).agg(
        **{name: again[name].min() for name in again.columns if name not in key}
    )
    return once.union(again.select(once.columns))


def _graded(own: Table, d: Definition, as_of_us: int | None) -> Table:
    """Rules 3 to 5: tenant, root, grade, accepted_us, agent_id of accepted tasks."""
    ibis = _ibis()
    said = own.filter(
        (own.kind == "accept") | ((own.kind == "submit") & (own.method == "self_report"))
    )
    claims = said.select(*_TASK, "event_id", "method", "agent_id", accepted_us="ts")
    if d.implied_after_h is not None:
        claims = claims.union(_silence(own, _us(d.implied_after_h / 24), as_of_us))
    voids = own.filter(own.kind.isin(VOIDING)).select(*_TASK, void_us="ts")
    key = [*_TASK, "event_id", "method"]
    fallen = claims.join(voids, list(_TASK))
    fallen = fallen.filter(
        fallen.void_us >= fallen.accepted_us,
        fallen.void_us <= fallen.accepted_us + _us(d.revocation_days),
    )
    claims = claims.filter(claims.agent_id != "")
    standing = claims.anti_join(fallen.select(*key).distinct(), key)
    graded = ibis.union(
        *(
            standing.filter(standing.method.isin(methods)).mutate(grade=ibis.literal(grade))
            for grade, methods in GRADES.items()
        )
    )
    task = [*_TASK, "grade"]
    first = graded.group_by(task).agg(first_us=graded.accepted_us.min())
    graded = graded.join(first, task)
    graded = graded.filter(graded.accepted_us == graded.first_us)
    return graded.group_by(*task, "accepted_us").agg(agent_id=graded.agent_id.min())


def _silence(own: Table, wait_us: int, as_of_us: int | None) -> Table:
    """Submits that nothing stopped for `wait_us`, accepted by silence once that time has passed."""
    ibis = _ibis()
    submits = own.filter(own.kind == "submit").select(*_TASK, "event_id", "agent_id", "ts")
    against = own.filter(own.kind.isin(("assign", "human_touch", *VOIDING)))
    stops = against.select(*_TASK, voids=against.kind.isin(VOIDING), stop_us=against.ts)
    stopped = submits.join(stops, list(_TASK))
    after = (stopped.stop_us > stopped.ts) | (stopped.voids & (stopped.stop_us == stopped.ts))
    stopped = stopped.filter(after, stopped.stop_us <= stopped.ts + wait_us)
    quiet = submits.anti_join(stopped.select(*_EVENT).distinct(), list(_EVENT))
    quiet = quiet.mutate(accepted_us=quiet.ts + wait_us)
    if as_of_us is None:
        quiet = quiet.cross_join(own.agg(now_us=own.arrived_us.max()))
        quiet = quiet.filter(quiet.accepted_us <= quiet.now_us)
    else:
        quiet = quiet.filter(quiet.accepted_us <= as_of_us)
    return quiet.select(
        *_TASK, "event_id", *("agent_id", "accepted_us"), method=ibis.literal("implicit")
    )


def _circular(graded: Table, own: Table, d: Definition, keep: Keep) -> Table:
    """Rule 7: tenant, root, grade of accepted tasks that come back to who asked for them."""
    ibis = _ibis()
    assigned = own.filter(own.kind == "assign", own.requester_id.nullif("").notnull())
    asked = assigned.filter(assigned.task_id.nullif("").fill_null(assigned.root) == assigned.root)
    asked = asked.select(*_TASK, asker="requester_id").distinct()
    handed = assigned.select("tenant", "ts", node="requester_id", to="agent_id").distinct()
    # a task that no agent asked for cannot come back to one
    key = [*_TASK, "grade"]
    at = keep(graded.semi_join(asked, list(_TASK)).select(*key, "accepted_us", node="agent_id"))
    reached = [at]
    for _ in range(d.closure_hops):
        step = at.join(handed, ["tenant", "node"])
        step = step.filter(
            step.ts <= step.accepted_us, step.ts >= step.accepted_us - _us(d.closure_days)
        )
        at = keep(step.select(*key, "accepted_us", node="to").distinct())
        reached.append(at)
    ends = ibis.union(*reached, distinct=True) if len(reached) > 1 else at
    back = ends.join(asked, list(_TASK))
    back = back.filter(back.node == back.asker)
    return back.select(*key).distinct().mutate(circular=ibis.literal(True))


def _figures(done: Table, effort: Table, days: Table, d: Definition, keep: Keep) -> Table:
    """What `daily` says of accepted tasks, by grade and day."""
    ibis = _ibis()
    worth = _value(done, d)
    active = done.group_by("grade", *_AGENT, "day").agg(
        accepted=done.count(),
        untouched=_count(done.touches == 0),
        value_usd=done.value_usd.sum().fill_null(0.0),
        human_equiv_min=done.human_equiv_min.sum().fill_null(0.0),
        unvalued=_count(done.value_usd.isnull()),
        unmeasured=_count(done.human_equiv_min.isnull()),
        worth=worth.sum().fill_null(0.0),
    )
    active = keep(active)
    agent = ["grade", *_AGENT]
    born = active.group_by(agent).agg(born=active.day.min())
    bodies = effort.filter(effort.embodied).select(*_AGENT).distinct()
    # every day whose trailing window holds this active day
    reach = active.select(*agent, "day").cross_join(_numbers(max(d.month_days, d.week_days, 2)))
    reach = keep(reach.mutate(day=reach.day + reach.n))
    before = reach.filter(reach.n == 1).select(*agent, "day").mutate(yesterday=ibis.literal(True))
    lately = reach.filter(reach.n > 0, reach.n < d.month_days).select(*agent, "day").distinct()
    rows = _beside(active, born, agent)
    rows = _beside(rows, bodies.mutate(body=ibis.literal(True)), list(_AGENT))
    rows = _beside(rows, before, [*agent, "day"])
    rows = _beside(rows, lately.mutate(lately=ibis.literal(True)), [*agent, "day"])
    rows = rows.mutate(
        **{name: rows[name].fill_null(False) for name in ("body", "yesterday", "lately")},
        fresh=rows.day == rows.born,
    )
    again = ~rows.fresh & ~rows.yesterday
    key = ["grade", "day"]
    found = rows.group_by(key).agg(
        active=rows.count(),
        embodied=_count(rows.body),
        new=_count(rows.fresh),
        retained=_count(rows.yesterday),
        reactivated=_count(again & rows.lately),
        resurrected=_count(again & ~rows.lately),
        **{
            name: rows[name].sum()
            for name in ("accepted", "untouched", "value_usd", "human_equiv_min")
        },
        unvalued=rows.unvalued.sum(),
        unmeasured=rows.unmeasured.sum(),
        effective=rows.worth.sum() ** 2 / (rows.worth * rows.worth).sum().nullif(0.0),
    )
    found = keep(found)
    past = found.select("grade", day=found.day + 1, active_before=found.active)
    births = found.select("grade", birth=found.day, births=found.new)
    wanted = days.cross_join(_grades())
    known = wanted.join(births, ["grade"])
    known = known.filter(known.birth < known.day).group_by(key).agg(known=known.births.sum())

    def within(length: int, name: str) -> Table:
        """Distinct agents of the trailing days."""
        seen = reach.filter(reach.n < length).select(*agent, "day").distinct()
        return seen.group_by(key).agg(**{name: seen.count()})

    whole = _beside(wanted, found, key)
    for part in (within(d.week_days, "week"), within(d.month_days, "month"), past, known):
        whole = _beside(whole, part, key)
    whole = _filled(whole, tuple(name for name in whole.columns if name not in key))
    whole = whole.mutate(lost=whole.active_before - whole.retained)
    whole = whole.mutate(dormant=whole.known - (whole.active - whole.new) - whole.lost)
    return whole.drop("active_before", "known")


def _days(effort: Table, done: Table, first_day: int | None, last_day: int | None) -> Table:
    """Consecutive days: column `day`."""
    every = effort.select("day").union(done.select("day"))
    ends = every.agg(first=every.day.min(), last=every.day.max())
    given = {
        name: _ibis().literal(value, "int64")
        for name, value in (("first", first_day), ("last", last_day))
        if value is not None
    }
    grid = (ends.mutate(**given) if given else ends).cross_join(_numbers(MOST_DAYS))
    grid = grid.mutate(day=grid.first + grid.n)
    return grid.filter(grid.day <= grid.last).select("day")


def _value(rows: Table, d: Definition) -> Value:
    """The value of tasks, or of sums of tasks, on the basis that the definition states."""
    if d.value_basis == "wage" and d.wage_usd_per_h is not None:
        return rows.human_equiv_min * (d.wage_usd_per_h / 60.0)
    return rows.value_usd


def _day(us: Value, zone: str) -> Value:
    """Local day number of a time."""
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000 for year in YEARS)
    starts, offsets = changes(zone, first, last)
    return _whole(us + _offset(us, [*zip(starts.tolist(), offsets.tolist(), strict=True)]), DAY_US)


def _offset(us: Value, stretches: Sequence[tuple[int, int]]) -> Value:
    """The offset at a time, by (start, offset) of stretches: a CASE as a tree, so that the many
    changes of a hundred years take eight comparisons."""
    if len(stretches) == 1:
        return _ibis().literal(stretches[0][1], "int64")
    middle = len(stretches) // 2
    early, late = _offset(us, stretches[:middle]), _offset(us, stretches[middle:])
    return (us < stretches[middle][0]).ifelse(early, late)


def _micros(time: Value, dialect: str) -> Value:
    """A time as microseconds since 1970."""
    if not time.type().is_timestamp():
        return time
    if dialect in ("pyspark", "databricks"):
        return _unix_micros()(time)
    # some backends say seconds with their fraction
    return time.epoch_seconds().floor().cast("int64") * 1_000_000 + time.microsecond()


def _whole(number: Value, size: int) -> Value:
    """floor(number / size) in whole numbers: fractions would be rounded on some backends."""
    rest = ((number % size) + size) % size
    return ((number - rest) / size).cast("int64")


def _us(days: float) -> int:
    return round(days * DAY_US)


def _count(condition: Value) -> Value:
    """How many rows of a group are so."""
    return condition.cast("int64").sum()


def _beside(left: Table, right: Table, key: list[str]) -> Table:
    """All rows of `left` with the columns of `right`, null where it has no such row."""
    joined = left.left_join(right, key)
    return joined.select(*left.columns, *(name for name in right.columns if name not in key))


def _filled(rows: Table, names: tuple[str, ...]) -> Table:
    """Zero for what is missing."""
    return rows.mutate(**{name: rows[name].fill_null(0) for name in names})


def _numbers(count: int) -> Table:
    """One column `n`, 0 to count - 1."""
    ibis = _ibis()
    ones = ibis.union(
        *(ibis.literal(n, "int64").name("n").as_table() for n in range(min(count, 10)))
    )
    if count <= 10:
        return ones
    grid = ones.cross_join(_numbers(-(-count // 10)).rename(ten="n"))
    grid = grid.select(n=grid.n + 10 * grid.ten)
    return grid.filter(grid.n < count)


def _grades() -> Table:
    ibis = _ibis()
    return ibis.union(*(ibis.literal(grade).name("grade").as_table() for grade in GRADES))


@lru_cache
def _unix_micros() -> Value:
    """Spark's own function: it reads no microseconds of a timestamp otherwise."""
    ibis = _ibis()

    def unix_micros(time: Value) -> Value: ...

    return ibis.udf.scalar.builtin(unix_micros, signature=(("timestamp",), "int64"))


def _ibis() -> Any:
    try:
        import ibis
    except ImportError:
        raise InputError(
            Problem("", "ibis", "Ibis is not installed", fix="pip install 'lineshaft[ibis]'")
        ) from None
    return ibis
