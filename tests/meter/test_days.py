"""Day figures against DuckDB's answers to the same questions, and laws that they keep."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from lineshaft.errors import InputError
from lineshaft.meter.days import MOST_DAYS, Span, distinct, measure
from lineshaft.meter.definition import Definition
from lineshaft.meter.measures import NEVER, Agents, Effort, Grade, Measures, Settled, Work

DEFINITION = Definition()
# agent, days in grade A, B, C, value, minutes, touches; a day after LATEST is NEVER
TASK = st.tuples(
    st.integers(0, 5),
    st.tuples(*[st.integers(0, 130)] * 3),
    st.sampled_from([np.nan, 0.0]) | st.floats(1e-6, 1e4),
    st.sampled_from([np.nan, 0.0]) | st.floats(1e-6, 1e3),
    st.integers(0, 2),
)
LATEST = 100


def settled(tasks: list[Any], agents: int = 6, start: int = 20_000) -> Settled:
    """Settled work of tuples as TASK draws them, with an event of effort for each."""
    agent = np.array([t[0] for t in tasks], np.uint32)
    day = np.array([t[1] for t in tasks], np.int32).reshape(-1, 3).T
    day = np.where(day > LATEST, NEVER, day + start).astype(np.int32)
    embodied = np.arange(agents) % 2 == 1
    names = tuple(f"agent {k}" for k in range(agents))
    work = Work(
        agent,
        day,
        np.array([t[2] for t in tasks], float),
        np.array([t[3] for t in tasks], float),
        np.array([t[4] for t in tasks], np.uint32),
    )
    return Settled(Agents(("",) * agents, names, embodied), work, effort([]))


def effort(rows: list[tuple[int, int, int, float]]) -> Effort:
    """Effort of (agent, day, events, cost)."""
    rows = sorted(rows)
    events = np.array([r[2] for r in rows], np.int64)
    cost = np.array([r[3] for r in rows], float)
    agent, day = (np.array([r[k] for r in rows]) for k in (0, 1))
    return Effort(
        agent.astype(np.uint32), day.astype(np.int32), events, 2 * events, 3 * events, 0 * events,
        cost, cost, cost,
    )  # fmt: skip


QUESTIONS = {
    "active": "select count(*) from dd where day = d",
    "embodied": "select count(*) from dd where day = d and agent % 2 = 1",
    "week": "select count(distinct agent) from dd where day between d - $week + 1 and d",
    "month": "select count(distinct agent) from dd where day between d - $month + 1 and d",
    "new": "select count(*) from dd where day = d and gap is null",
    "retained": "select count(*) from dd where day = d and gap = 1",
    "reactivated": "select count(*) from dd where day = d and gap > 1 and gap < $month",
    "resurrected": "select count(*) from dd where day = d and gap > 1 and gap >= $month",
    "lost": """select count(*) from dd where day = d - 1
        and agent not in (select agent from dd x where x.day = d)""",
    "dormant": """select count(distinct agent) from dd where day < d
        and agent not in (select agent from dd x where x.day in (d, d - 1))""",
    "accepted": "select count(*) from w where day = d",
    "untouched": "select count(*) from w where day = d and touches = 0",
    "value_usd": "select coalesce(sum(value), 0) from w where day = d",
    "human_equiv_min": "select coalesce(sum(heq), 0) from w where day = d",
    "unvalued": "select count(*) from w where day = d and value is null",
    "unmeasured": "select count(*) from w where day = d and heq is null",
    "effective": """select coalesce(sum(v)**2 / nullif(sum(v * v), 0), 0) from
        (select sum(value) v from w where day = d group by agent)""",
}
"""Figure of a grade: DuckDB's question for a day d. dd: active agent-days with the gap before."""


def answers(given: Settled, grade: int, first: int, last: int, d: Definition) -> dict[str, Any]:
    """What DuckDB says, by the standard's own words and nothing of the package."""
    work = given.work
    db = duckdb.connect(config={"threads": 1})
    columns = {
        "agent": work.agent,
        "day": work.day[grade],
        "value": work.value_usd,
        "heq": work.human_equiv_min,
        "touches": work.touches,
    }
    db.register("given", columns)
    db.execute(
        f"""create table w as select agent, day, touches,
        if(isnan(value), null, value) as value, if(isnan(heq), null, heq) as heq from given
        where day > {NEVER} and day <= {last}"""
    )
    db.execute(
        """create table dd as select agent, day, day - lag(day) over (
        partition by agent order by day) as gap from (select distinct agent, day from w)"""
    )
    windows = {"week": d.week_days, "month": d.month_days}
    out: dict[str, Any] = {}
    for name, question in QUESTIONS.items():
        for key, value in windows.items():
            question = question.replace(f"${key}", str(value))
        rows = db.execute(f"select ({question}) from range({first}, {last + 1}) t(d) order by d")
        out[name] = np.array([row[0] for row in rows.fetchall()])
    weeks, days = -(-(last - first + 1) // d.week_days), last - first + 1
    out["cohort_size"] = np.zeros(weeks, int)
    for name in ("retention", "retention_open", "retention_seen"):
        out[name] = np.zeros((weeks, days), int)
    db.execute(
        f"""create table c as select agent, min(day) as f, max(day) as l,
        (min(day) - {first}) // {d.week_days} as k from dd group by agent having f >= {first}"""
    )
    for k, size in db.execute("select k, count(*) from c group by k").fetchall():
        out["cohort_size"][k] = size
    n = f"range(0, {days}) t(n)"
    for name, question in {
        "retention": f"select k, n, count(*) from c, {n} where (agent, f + n) in "
        "(select (agent, day) from dd) group by k, n",
        "retention_open": f"select k, n, count(*) from c, {n} where l >= f + n group by k, n",
        "retention_seen": f"select k, n, count(*) from c, {n} where f + n <= {last} group by k, n",
    }.items():
        for k, day, count in db.execute(question).fetchall():
            out[name][k, day] = count
    out["active_days"] = np.zeros(len(given.agents.agent_id), int)
    question = f"select agent, count(*) from dd where day > {last - d.month_days} group by agent"
    for agent, count in db.execute(question).fetchall():
        out["active_days"][agent] = count
    return out


def same(one: Measures, other: Measures) -> None:
    """The same bytes everywhere."""
    for field in fields(Measures):
        if field.name not in ("grades", "first_day"):
            assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)
    for a, b in zip(one.grades, other.grades, strict=True):
        for field in fields(Grade):
            assert getattr(a, field.name).tobytes() == getattr(b, field.name).tobytes(), field.name


@settings(max_examples=12, deadline=None)
@given(
    st.lists(TASK, min_size=1, max_size=60),
    st.integers(-5, 40),
    st.integers(60, 110),
    st.sampled_from([(7, 28), (1, 1), (3, 2)]),
)
def test_duckdb_gives_the_same_answers(
    tasks: list[Any], begin: int, end: int, windows: tuple[int, int]
) -> None:
    given = settled(tasks)
    d = replace(DEFINITION, week_days=windows[0], month_days=windows[1])
    first, last = 20_000 + begin, 20_000 + end
    found = measure(given, d, first_day=first, last_day=last)
    assert found.first_day == first
    assert found.days == last - first + 1
    for g in range(3):
        grade = found.grades[g]
        for name, want in answers(given, g, first, last, d).items():
            if want.dtype.kind == "f":
                assert_allclose(getattr(grade, name), want, rtol=1e-12, err_msg=name)
            else:
                assert_array_equal(getattr(grade, name), want, name)


@settings(max_examples=50, deadline=None)
@given(st.lists(TASK, min_size=1, max_size=80))
def test_laws(tasks: list[Any]) -> None:
    for grade in measure(settled(tasks), DEFINITION, first_day=20_000, last_day=20_100).grades:
        before = np.concatenate(([0], grade.active[:-1]))
        flows = grade.new + grade.reactivated + grade.resurrected - grade.lost
        assert_array_equal(grade.active, before + flows)
        assert_array_equal(grade.active, grade.new + grade.retained + grade.reactivated
                           + grade.resurrected)  # fmt: skip
        assert (grade.active <= grade.week).all()
        assert (grade.week <= grade.month).all()
        assert (grade.effective <= grade.active * (1 + 1e-12)).all()
        assert_array_equal(grade.cohort_size, grade.retention[:, 0])
        assert_array_equal(grade.retention_seen[:, 0], grade.cohort_size)
        assert (grade.retention <= grade.retention_open).all()
        assert (grade.retention_open <= grade.retention_seen).all()
        assert (grade.accepted >= grade.active).all()


@settings(max_examples=12, deadline=None)
@given(st.lists(TASK, min_size=1, max_size=80), st.randoms())
def test_neither_threads_nor_parts_nor_the_order_of_rows_show(tasks: list[Any], dice: Any) -> None:
    one = measure(settled(tasks, agents=3000), DEFINITION, threads=1)
    same(one, measure(settled(tasks, agents=3000), DEFINITION, threads=2))
    same(one, measure(settled(tasks, agents=3000), DEFINITION, threads=2, memory_mb=0.0))
    dice.shuffle(tasks)
    same(one, measure(settled(tasks, agents=3000), DEFINITION))


def test_parts_of_the_agents_add_up() -> None:
    """More agents than fit in the least memory, so that the rows are read part by part."""
    rng = np.random.default_rng(1)
    n, agents = 50_000, 5000
    agent, day = rng.integers(0, agents, n, np.uint32), rng.integers(0, 200, n).astype(np.uint8)
    flags = rng.integers(0, 2, n).astype(np.uint8)
    span = Span.of(0, 20, 199, DEFINITION)
    embodied = rng.random(agents) < 0.3
    at_once = distinct(agent, day, flags, 1, span, embodied)
    parts = distinct(agent, day, flags, 1, span, embodied, memory_mb=0.0, threads=3)
    assert at_once.figures.keys() == parts.figures.keys()
    for name, row in at_once.figures.items():
        assert_array_equal(row, parts.figures[name], name)
    assert_array_equal(at_once.active_days, parts.active_days)
    pairs = {(a, d) for a, d, f in zip(agent, day, flags, strict=True) if f and d >= 20}
    assert at_once.figures["active"].sum() == len(pairs)


def test_columns_may_count_days_from_anywhere() -> None:
    agent, flags = np.arange(4, dtype=np.uint32), np.array([1, 2, 3, 0], np.uint8)
    span = Span.of(20_000, 20_000, 20_002, DEFINITION)
    for dtype in (np.uint8, np.uint16, np.int32):
        day = np.array([0, 1, 2, 2], dtype)
        found = distinct(agent, day, flags, 2, span, np.zeros(4, bool), day_zero=20_000)
        assert found.figures["active"].tolist() == [0, 1, 1]


def test_one_agent_split_into_four() -> None:
    """The first case of the standard: DAA grows, tasks and value stay, eDAA does not see it."""
    whole = settled([(0, (5, 5, 5), 10.0, 30.0, 0)] * 8, agents=1)
    parts = settled([(k % 4, (5, 5, 5), 10.0, 30.0, 0) for k in range(8)], agents=4)
    one, four = (measure(each, DEFINITION).grades[1] for each in (whole, parts))
    assert (one.active.tolist(), four.active.tolist()) == ([1], [4])
    assert (one.effective.tolist(), four.effective.tolist()) == ([1.0], [4.0])
    for name in ("accepted", "value_usd", "human_equiv_min", "untouched"):
        assert_array_equal(getattr(one, name), getattr(four, name))


def test_value_by_wage() -> None:
    d = replace(DEFINITION, value_basis="wage", wage_usd_per_h=60.0)
    tasks = [(0, (1, 1, 1), 1e9, 30.0, 0), (1, (1, 1, 1), 5.0, 90.0, 0),
             (1, (1, 1, 1), 5.0, np.nan, 0)]  # fmt: skip
    grade = measure(settled(tasks), d).grades[0]
    assert grade.effective.tolist() == [120.0**2 / (30.0**2 + 90.0**2)]
    assert grade.value_sum[:2].tolist() == [30.0, 90.0]
    assert grade.value_usd.tolist() == [1e9 + 10.0]


def test_values_whose_squares_overflow() -> None:
    grade = measure(settled([(k, (1, 1, 1), 1e300, 1.0, 0) for k in range(4)]), DEFINITION).grades[
        0
    ]
    assert grade.effective.tolist() == [4.0]
    assert grade.value_sum[0] == 1e300


def test_effort_and_what_nobody_did() -> None:
    """Quantities without an agent count, and nobody is active or seen by them."""
    given = settled([(0, (0, 0, 0), 1.0, 1.0, 0), (9, (1, 1, 1), 2.0, 1.0, 0)], agents=2)
    rows = [(0, 20_000, 3, 0.1), (1, 20_000, 0, 0.2), (1, 20_002, 4, 0.3), (9, 20_001, 5, np.nan)]
    found = measure(replace(given, effort=effort(rows)), DEFINITION)
    assert found.first_day == 20_000
    assert found.seen.tolist() == [1, 0, 1]
    assert found.events.tolist() == [3, 5, 4]
    assert found.tokens_in.tolist() == [6, 10, 8]
    assert found.cost_usd.tolist() == [0.1 + 0.2, 0.0, 0.3]
    assert found.grades[0].active.tolist() == [1, 0, 0]
    assert found.grades[0].accepted.tolist() == [1, 1, 0]
    assert found.grades[0].value_usd.tolist() == [1.0, 2.0, 0.0]
    assert found.grades[0].effective.tolist() == [1.0, 0.0, 0.0]


def test_history_before_the_first_day() -> None:
    """An agent that was active a year before is resurrected, not new, and in no cohort."""
    given = settled([(0, (0, 0, 0), 1.0, 1.0, 0), (0, (90, 90, 90), 1.0, 1.0, 0),
                     (1, (89, 89, 89), 1.0, 1.0, 0)])  # fmt: skip
    grade = measure(given, DEFINITION, first_day=20_090, last_day=20_091).grades[2]
    assert grade.resurrected.tolist() == [1, 0]
    assert grade.new.tolist() == [0, 0]
    assert grade.lost.tolist() == [1, 1]
    assert grade.week.tolist() == [2, 2]
    assert grade.dormant.tolist() == [0, 1]
    assert grade.cohort_size.tolist() == [0]


def test_an_empty_log() -> None:
    found = measure(settled([]), DEFINITION)
    assert (found.days, found.cohort_first_day.tolist()) == (0, [])
    assert found.grades[0].active_days.tolist() == [0] * 6
    asked = measure(settled([]), DEFINITION, first_day=20_000, last_day=20_009)
    assert asked.grades[2].month.tolist() == [0] * 10
    assert asked.cohort_first_day.tolist() == [20_000, 20_007]
    assert measure(settled([]), DEFINITION, last_day=20_009).days == 0
    assert measure(settled([]), DEFINITION, first_day=20_009).days == 0


def test_too_many_days_are_told() -> None:
    """One event with a clock at 1970 must not take all memory."""
    given = settled([(0, (0, 0, 0), 1.0, 1.0, 0)])
    given.work.day[:, 0] = 0
    given = replace(given, effort=effort([(0, 20_000, 1, 0.0)]))
    with pytest.raises(InputError, match="1970-01-01 to 2024-10-04"):
        measure(given, DEFINITION)
    grade = measure(given, DEFINITION, first_day=20_000 - MOST_DAYS + 1).grades[0]
    assert grade.dormant.tolist() == [1] * MOST_DAYS
