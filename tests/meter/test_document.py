"""The report's document and its text, on a log small enough to be computed by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.meter.days import measure
from lineshaft.meter.definition import Definition
from lineshaft.meter.document import EPOCH, document
from lineshaft.meter.events import Faults
from lineshaft.meter.measures import NEVER, Agents, Effort, Settled, Work
from lineshaft.meter.reading import Coverage, Reading, Restatement
from lineshaft.meter.text import gaps, text, told, wanted

MONDAY = date(2026, 3, 2).toordinal() - EPOCH
DAY_US = 86_400_000_000
WAGE = Definition(wage_usd_per_h=60.0)
Task = tuple[int, tuple[int, int, int], float, float, int]
"""Agent, day in the three grades (−1: not accepted), value, human-equivalent minutes, touches."""

TASKS: tuple[Task, ...] = (
    (0, (0, 0, 0), 10.0, 60.0, 0),
    (0, (-1, 0, 0), math.nan, 30.0, 1),
    (1, (1, 1, 1), 2.0, math.nan, 0),
    (0, (-1, -1, 1), 5.0, 20.0, 0),
)
EFFORT = ((0, 0, 10, 1.0, 600.0), (1, 1, 5, 0.5, 0.0))
"""Agent, day, events, dollars, human seconds."""


def reading(
    tasks: tuple[Task, ...] = TASKS,
    effort: tuple[tuple[int, int, int, float, float], ...] = EFFORT,
    definition: Definition = WAGE,
    status: tuple[str, ...] = ("final", "provisional"),
    **more: Any,
) -> Reading:
    """The reading of a log of two agents, a coder and a robot."""
    agents = Agents(("t", "t"), ("coder", "arm"), np.array([False, True]))
    days = np.array([t[1] for t in tasks], np.int32).reshape(-1, 3).T
    work = Work(
        np.array([t[0] for t in tasks], np.uint32),
        np.ascontiguousarray(np.where(days < 0, NEVER, days + MONDAY)).astype(np.int32),
        np.array([t[2] for t in tasks], float),
        np.array([t[3] for t in tasks], float),
        np.array([t[4] for t in tasks], np.uint32),
    )
    e = np.array(effort, float).reshape(-1, 5)
    none = np.zeros(len(e), np.int64)
    spent = Effort(
        e[:, 0].astype(np.uint32), (e[:, 1] + MONDAY).astype(np.int32), e[:, 2].astype(np.int64),
        none, none, none, none.astype(float), e[:, 3], e[:, 4],
    )  # fmt: skip
    m = measure(Settled(agents, work, spent), definition)
    closed = np.array(
        [[n if s == "final" else -1 for n, s in zip(g.active, status, strict=False)]
         for g in m.grades]
    ).reshape(3, -1)  # fmt: skip
    count = len(tasks)
    given: dict[str, Any] = {
        "sources": {"otlp": 15} if count else {},
        "events": 15 if count else 0,
        "received": 16 if count else 0,
        "coverage": Coverage(count + 1, count, 0, 0, 1, count, 3, 3, 3, 4, 1)
        if count
        else Coverage(*(0,) * 11),
    }
    given |= more
    return Reading(
        definition, "agents.log", first_us=MONDAY * DAY_US, last_us=(MONDAY + 1) * DAY_US,
        as_of_us=(MONDAY + 5) * DAY_US, agents=agents, measures=m, status=status[: m.days],
        loss=0.0, closed=closed, **given,
    )  # fmt: skip


def test_days_are_as_computed_by_hand() -> None:
    first, second = document(reading())["days"]
    assert first == first | {
        "day": "2026-03-02", "status": "final",
        "daa_a": 1, "daa_b": 1, "daa_c": 1, "closed_b": 1, "embodied_b": 0,
        "accepted": 2, "tpa": 2, "autonomy": 0.5, "new": 1, "lost": 0,
        "human_min": 10, "human_min_per_task": 5, "human_equiv_min": 90, "leverage": 9,
        "autonomy_of_time": pytest.approx(1 - 10 / 90), "fte_eq": 90 / 480,
        # one dollar, and ten minutes at a dollar a minute
        "cost_usd": 11, "cost_per_task_usd": 5.5, "direct_cost_usd": 1,
        "value_usd": 10, "value_per_daa_usd": 10, "effective_daa": 1,
    }  # fmt: skip
    assert second == second | {
        "day": "2026-03-03", "status": "provisional",
        "daa_a": 1, "daa_b": 1, "daa_c": 2, "closed_b": None, "embodied_b": 1,
        "accepted": 1, "new": 1, "lost": 1, "waa_b": 2, "maa_b": 2,
        # its one task states no minutes: not 0, but unknown
        "human_equiv_min": None, "fte_eq": None, "leverage": None,
        "value_usd": 2, "cost_usd": 0.5,
    }  # fmt: skip


def test_the_summary_divides_sums_by_sums() -> None:
    found = document(reading())["summary"]
    assert found["basis"] == "closed" and found["closed"]["days"] == 1
    whole = found["all"]
    assert whole["days"] == 2
    assert whole["daa_b"] == 1 and whole["daa_c"] == 1.5 and whole["tpa"] == 1.5
    assert whole["stickiness_b"] == pytest.approx((1 / 1 + 1 / 2) / 2)
    assert whole["autonomy"] == pytest.approx(2 / 3)
    assert whole["human_min_per_task"] == pytest.approx(10 / 3)
    assert whole["cost_per_task_usd"] == pytest.approx(11.5 / 3)
    assert whole["value_per_daa_usd"] == 6
    # 10 and 2: (10 + 2)^2 / (100 + 4)
    assert whole["effective_daa_of_all_days"] == pytest.approx(144 / 104)
    # the coder was seen one day after its first, and was not active on it
    assert found["retention"]["r1"] == {"exact": 0, "unbounded": 0, "agents": 1}
    assert found["retention"]["r7"] == {"exact": None, "unbounded": None, "agents": 0}


def test_histogram_cohorts_and_kinds_add_up() -> None:
    found = document(reading())
    assert found["l28"]["b"][:3] == [0, 2, 0] and sum(found["l28"]["b"]) == 2
    assert found["l28"]["ends"] == "2026-03-03"
    kept = found["retention"]
    assert kept["n"] == [0, 1] and kept["cohorts"] == [{"week": "2026-03-02", "agents": 2}]
    assert kept["exact"] == [[1, 0]] and kept["unbounded"] == [[1, 0]]
    assert found["kinds"]["embodied"]["daa_b"] == 0.5
    assert found["kinds"]["software"]["daa_b"] == 0.5
    assert found["completeness"]["stated"]["human_time"] == 0.25


def test_value_by_wage_is_not_mixed_with_stated_value() -> None:
    by_wage = Definition(wage_usd_per_h=60.0, value_basis="wage")
    found = document(reading(definition=by_wage))
    first, second = found["days"]
    assert first["value_usd"] == 90 and second["value_usd"] is None
    assert found["summary"]["value_basis"] == "wage"
    assert found["definition"]["hash"] == by_wage.hash != WAGE.hash


def test_what_no_event_states_is_null_and_not_zero() -> None:
    nothing = ((0, (0, 0, 0), math.nan, math.nan, 0),)
    bare = Coverage(1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0)
    found = document(reading(nothing, ((0, 0, 3, 0.0, 0.0),), coverage=bare))
    day, summary = found["days"][0], found["summary"]["closed"]
    for key in ("value_usd", "cost_usd", "human_min", "fte_eq", "leverage", "effective_daa"):
        assert day[key] is None, key
    for key in ("value_per_daa_usd", "cost_per_task_usd", "human_min_per_task", "leverage"):
        assert summary[key] is None, key
    assert summary["effective_daa_of_all_days"] is None
    assert found["summary"]["cost_parts"] == []
    assert wanted(found) == ["value_usd", "human_equiv_min", "cost_usd", "human_s"]
    said = text(found)
    assert "no cost is stated" in said and "0 % state value" in said
    assert "no event of the log is a human touch" in said


def test_a_cost_without_human_time_says_so() -> None:
    direct = Coverage(4, 4, 0, 0, 0, 4, 4, 4, 4, 4, 0)
    found = document(reading(effort=((0, 0, 10, 1.0, 0.0),), coverage=direct))
    assert found["summary"]["cost_parts"] == ["direct"]
    assert found["summary"]["closed"]["cost_per_task_usd"] == 0.5
    assert "direct cost only" in text(found)


def test_days_are_picked_and_figures_stay() -> None:
    whole = document(reading())
    last = document(reading(), first=date(2026, 3, 3))
    assert last["days"] == whole["days"][1:]
    assert last["summary"]["basis"] == "all"
    assert last["retention"] == whole["retention"] and last["l28"] == whole["l28"]
    assert document(reading(), last=date(2026, 3, 2))["days"] == whole["days"][:1]
    for first, end in ((date(2026, 3, 3), date(2026, 3, 2)), (date(2027, 1, 1), None)):
        with pytest.raises(InputError, match="2026"):
            document(reading(), first, end)


def test_faults_and_restatements_are_told() -> None:
    faults = Faults()
    faults.add("skew", 2, "e7: 40 s ahead")
    changed = Restatement(MONDAY, "b", 1, 2, (MONDAY + 5) * DAY_US, 3)
    found = document(reading(faults=faults, restatements=(changed,), assumed=("a wage",)))
    assert found["faults"] == [
        {
            "fault": "skew",
            "count": 2,
            "meaning": "it happened after it arrived: flagged, not moved",
            "examples": ["e7: 40 s ahead"],
        }
    ]
    assert found["restatements"] == [
        {
            "day": "2026-03-02",
            "grade": "b",
            "closed": 1,
            "restated": 2,
            "at": "2026-03-07T00:00:00Z",
            "late_events": 3,
        }
    ]
    assert found["completeness"]["share"] == 1 - 2 / 16
    said = text(found)
    assert "2 × skew: it happened after it arrived" in said and "e7: 40 s ahead" in said
    assert "restated: 2026-03-02 DAA-B 1 → 2, 3 late events" in said
    assert "Assumed: a wage" in said


def test_daa_is_never_printed_alone() -> None:
    said = text(document(reading()))
    for words in ("DAA-A", "tasks per agent", "FTE-equivalents", "value per agent", "CPAT", "OM"):
        assert words in said
    assert WAGE.hash in said and "Join an outcomes table with: task_id" in said


def test_an_empty_log_is_a_report_too() -> None:
    found = document(reading((), (), status=()))
    assert found["days"] == [] and found["summary"]["all"]["daa_b"] is None
    assert found["log"]["first"] is None and found["completeness"]["share"] == 1
    assert "nothing was received" in text(found) and gaps(found) == []


def test_nothing_is_closed_yet() -> None:
    found = document(replace(reading(), status=("provisional", "provisional")))
    assert found["summary"]["basis"] == "all"
    assert "no day is closed yet: every figure is provisional" in gaps(found)


def test_a_share_below_one_is_not_told_as_whole() -> None:
    assert told(0.99999, "share") == "> 99.9 %" and told(1.0, "share") == "100 %"
    assert told(0.0, "share") == "0 %" and told(None, "share") == "–"
    assert told(12) == "12" and told(12.0) == "12.0" and told(43_734) == "43,734"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.tuples(*(st.integers(-1, 40),) * 3),
            st.one_of(st.just(math.nan), st.floats(0.01, 1e6)),
            st.one_of(st.just(math.nan), st.floats(1.0, 1e4)),
            st.integers(0, 3),
        ),
        max_size=12,
    )
)
def test_every_document_is_json_and_has_a_text(tasks: list[Task]) -> None:
    """No NaN, whatever the log; the lifecycle adds up; closed and open days are all days."""
    ranked = tuple((a, (max(d), max(d), max(d)), v, h, n) for a, d, v, h, n in tasks if max(d) >= 0)
    status = ("final",) * 20 + ("provisional",) * 21
    found = document(reading(ranked, (), status=status))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert text(found)
    before = 0
    for day in found["days"]:
        came = day["new"] + day["reactivated"] + day["resurrected"]
        assert day["daa_b"] == before + came - day["lost"]
        before = day["daa_b"]
