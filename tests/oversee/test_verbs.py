"""The answers by name: they agree with each other, explain themselves, and refuse with a reason."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest

from lineshaft import oversee
from lineshaft.errors import InputError
from lineshaft.oversee.asked import BASIS, Asked
from lineshaft.oversee.staffing import run

DESK: dict[str, Any] = {"review_min": 12.0, "tasks_per_agent": 5.0, "wait": "1 h"}


@pytest.fixture(scope="module")
def staffed() -> oversee.Staffing:
    return oversee.staff(daa=1000, aoql=0.06, **DESK)


def plain(found: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(found, allow_nan=False))


def test_staff(staffed: oversee.Staffing) -> None:
    found = staffed
    assert found.within >= 0.95
    assert found.outcome.outgoing.low <= 0.06
    # One fewer does not keep the wait.
    a = found.asked
    fewer = a.desk(found.finished_per_day / a.day_s, found.plan, found.on_duty - 1)
    assert run(fewer, found.each, 0).within(3600.0).mean < 0.95
    assert found.payroll == pytest.approx(found.on_duty * 40 * 365.25 / 84 / 150)
    assert found.finished_per_day * found.each.accepted == pytest.approx(5000)
    assert found.load == pytest.approx(found.reviews_per_h * a.service_s(found.each) / 3600)
    assert found.load < found.on_duty < 1.3 * found.formula
    # 40 hours of 63.9 USD with on-costs.
    wage = found.payroll_whole * 173.33 * 63.9 * 1.423
    assert found.usd_per_month == pytest.approx(wage)
    told = plain(found.to_dict())
    assert told["reviewers"]["on_duty"] == found.on_duty
    assert {row["confidence"] for row in told["assumed"]} == {"low", "medium", "high"}
    text = found.text()
    assert f"{found.on_duty} reviewers on duty" in text and "square-root" in text


def test_ceiling_is_the_way_back(staffed: oversee.Staffing) -> None:
    found = oversee.ceiling(reviewers=staffed.payroll, aoql=0.06, **DESK)
    assert found.on_duty == pytest.approx(staffed.on_duty)
    assert found.daa == pytest.approx(1000, rel=0.03)
    assert found.minutes_daa > found.formula_daa > 0
    # One more brings about its part, and is worth its tasks less its wage.
    assert found.more_daa == pytest.approx(found.daa / staffed.payroll, rel=0.1)
    tasks = found.more_daa * 5 * 5 * 365.25 / 84
    assert found.more_tasks_per_month == pytest.approx(tasks)
    worth = tasks * 102 / 60 * 63.9 - 173.33 * 63.9 * 1.423
    assert found.more_usd_per_month == pytest.approx(worth)
    assert found.shadow_usd_per_min == pytest.approx(worth / 9000)
    gains = {lever.name: lever.gain for lever in found.levers}
    assert gains["minutes"] == pytest.approx(0.1, abs=0.03)
    assert gains["autonomy"] == pytest.approx(1 / 0.9 - 1, abs=0.02)
    assert list(gains.values()) == sorted(gains.values(), reverse=True)
    assert {"detection", "sampling", "defects", "hours"} < set(gains)
    plain(found.to_dict())
    assert "shadow price" in found.text()


def test_ceiling_by_hand() -> None:
    """c M u / (F h): with patience for any wait all minutes between breaks are used."""
    found = oversee.ceiling(
        reviewers=300, tasks_per_agent=1, review_min=12.6, load="always", wait="30 h",
        rework_share=0, detection=0, defects=0,
    )  # fmt: skip
    on_duty = 300 * 150 / (168 * 365.25 / 84)
    assert found.minutes_daa == pytest.approx(on_duty * 1440 * 6 / 7 / 12.6)
    assert found.formula_daa == pytest.approx(found.minutes_daa, rel=0.01)
    assert found.binds == "the minutes of review"


def test_refusal_says_why() -> None:
    """y below p (1 - e) can never hold."""
    with pytest.raises(InputError, match="even if they review everything") as error:
        oversee.staff(daa=100, aoql=0.05, defects=0.2, detection=0.5, **DESK)
    assert error.value.problems[0].key == "aoql"
    with pytest.raises(InputError, match="on duty"):
        oversee.ceiling(reviewers=0.5, **DESK)
    with pytest.raises(InputError, match="cannot be kept"):
        # A fifth of the day's work comes in its last hours and part of it stays over night.
        oversee.staff(daa=5, share=0.99999, rework_share=1.0, rework_h=5.0, **DESK)


def test_nobody_is_needed() -> None:
    found = oversee.staff(daa=100, defects=0.01, aoql=0.02, **DESK)
    assert (found.on_duty, found.payroll_whole, found.plan.kind) == (0, 0, "none")
    assert found.each.outgoing == pytest.approx(0.01)
    assert plain(found.to_dict())["simulated"]["within"]["mean"] is None
    assert "no review is needed" in found.text()
    with pytest.raises(InputError, match="there is no ceiling"):
        oversee.ceiling(reviewers=100, defects=0.01, aoql=0.02, **DESK)


def test_automation_bias_is_blindness() -> None:
    seen = Asked(review_min=12, aoql=0.06).plan()
    waved = Asked(review_min=12, aoql=0.06, bias=0.1).plan()
    assert waved.reviewed > seen.reviewed
    blind = Asked(review_min=12, aoql=0.06, detection=0.585).plan()
    assert blind.reviewed == pytest.approx(waved.reviewed)


def test_simulate_when_ai_writes_most() -> None:
    found = oversee.simulate(
        reviewers=60, tasks_per_day=1200, review_min=12.6, ai_share=0.9, patience="1 day",
        seeds=0.02, irreversible=0.02,
    )  # fmt: skip
    now, then, sampled, many = found.cases
    assert found.more == pytest.approx(7.5)
    assert now.on_duty == then.on_duty == sampled.on_duty
    assert many.on_duty == found.needed == pytest.approx(7.5 * now.on_duty, abs=1)
    assert then.load == pytest.approx(7.5 * now.load)
    # The queue is full then: most is abandoned, while what cannot be undone goes first.
    assert then.outcome.share("abandoned", k=1).mean > 0.5
    assert then.outcome.share("abandoned", k=0).mean < 0.05
    assert then.accepted_per_day < 2 * now.accepted_per_day
    # Sampling keeps the pace and lets defects through.
    assert sampled.load == pytest.approx(now.load, rel=0.15)
    assert sampled.escaped_per_day > 10 * now.escaped_per_day
    assert many.outcome.share("abandoned").mean <= now.outcome.share("abandoned").mean + 0.01
    share, low, high = now.outcome.detection()
    assert low < share < high and 0.5 < share < 0.75
    told = plain(found.to_dict())
    assert told["times_the_work"] == pytest.approx(7.5)
    assert "Planted defects" in found.text() and "7.5 times the work" in found.text()


def test_picture() -> None:
    found = oversee.simulate(
        reviewers=30, tasks_per_day=400, review_min=12, aoql=0.06, patience="6 h", merges=True,
        loss=200.0, curve=True,
    )  # fmt: skip
    duty = [case.on_duty for case in found.curve]
    waits = [case.outcome.mean_wait_s().mean for case in found.curve]
    assert duty == sorted(duty) and len(duty) >= 8
    assert all(a >= b - 1 for a, b in pairwise(waits))
    outgoing = [case.outcome.outgoing.mean for case in found.curve]
    assert outgoing[0] > outgoing[-1] + 0.005
    root = ET.fromstring(found.svg())
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2 + 1 + 3
    words = "".join(root.itertext())
    assert "defective share of what goes out" in words and "asked 4.00 h" in words


def test_problems_are_told_together() -> None:
    with pytest.raises(InputError) as error:
        oversee.simulate(reviewers=0, review_min=-1, detection=2, load="night", wait="soon")
    keys = {problem.key for problem in error.value.problems}
    assert {"review_min", "detection", "load", "wait"} <= keys
    with pytest.raises(InputError) as error:
        oversee.simulate(reviewers=0, review_min=12, ai_share=0.1)
    keys = {problem.key for problem in error.value.problems}
    assert {"reviewers", "tasks_per_day, daa", "ai_share"} <= keys
    with pytest.raises(InputError, match="did you mean 'detection'"):
        oversee.staff(daa=1, detecton=0.5, **DESK)


def test_every_default_that_matters_has_a_source() -> None:
    asked = Asked(review_min=12)
    told = asked.basis(tuple(BASIS))
    assert len(told) == len(BASIS) + 1
    assert all(source and confidence in ("low", "medium", "high") for _, source, confidence in told)
    said = Asked(review_min=12, defects=0.2, wage=80.0).basis(tuple(BASIS))
    assert not any(what.startswith(("defects", "wage")) for what, _, _ in said)


@pytest.mark.parametrize(
    ("load", "hours"),
    [("office", 40), ("always", 168), ("daytime", 105), ("8-18x6", 60), ("7-19", 60)],
)
def test_hours(load: str, hours: int) -> None:
    asked = Asked(review_min=12, load=load)
    assert asked.hours_a_week == hours
    assert asked.payroll(asked.on_duty(100.0)) == pytest.approx(100.0)
