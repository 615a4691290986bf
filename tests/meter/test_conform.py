"""The conformance suite passes what is right, and catches what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lineshaft.errors import InputError
from lineshaft.meter import conform
from lineshaft.meter.conform import plain

SOURCE = Path(plain.__file__).read_text("utf-8")


def changed(*changes: tuple[str, str]) -> Callable[..., Any]:
    """The reference program with something in it done wrong."""
    source = SOURCE
    for right, wrong in changes:
        assert right in source, right
        source = source.replace(right, wrong)
    module = ModuleType("wrong")
    exec(compile(source, "wrong.py", "exec"), vars(module))
    figures: Callable[..., Any] = module.figures
    return figures


def failed(answer: Callable[..., Any]) -> set[int]:
    return {
        case for case, passed in conform.cases(conform.run(answer=answer)).items() if not passed
    }


def test_there_are_twelve_cases_each_explained() -> None:
    checks = conform.checks()
    assert sorted({check.case for check in checks}) == list(range(1, 13))
    assert all(check.words and check.events and check.expect for check in checks)
    assert len({(check.case, check.name) for check in checks}) == len(checks)


def test_the_meter_passes() -> None:
    assert [(r.check.case, r.check.name, r.wrong) for r in conform.run() if not r.passed] == []


def test_the_reference_program_passes() -> None:
    assert failed(plain.figures) == set()


ARRIVAL = 'return int(e["ts"] if e["ingest_ts"] is None else e["ingest_ts"])'
WRONG: dict[str, tuple[set[int], list[tuple[str, str]]]] = {
    "every delivery counts": (
        {7},
        [('key = (e["tenant"], e["event_id"])', 'key = (e["tenant"], len(first))')],
    ),
    "the last delivery counts": (
        {7},
        [("for e in sorted(rows, key=order):", "for e in sorted(rows, key=order, reverse=True):")],
    ),
    "tenants are one": ({1}, [('"agent": (tenant, agent)', '"agent": (None, agent)')]),
    "the day of the start": (
        {6},
        [('"day": day_of(t, zone)', '"day": day_of(min(e["ts"] for e in task), zone)')],
    ),
    "always UTC": ({6}, [('rows = ZoneInfo(d["zone"]), []', 'rows = ZoneInfo("UTC"), []')]),
    "a fixed offset": (
        {6},
        [(".astimezone(zone).date()", (".replace(tzinfo=None).__add__("
          "zone.utcoffset(datetime(2026, 1, 1))).date()"))],
    ),
    "self-reports in B": ({4, 11}, [('"b": ("human", "verifier", "implicit", "judge"),',
                                     ('"b": ("human", "verifier", "implicit", "judge", '
                                     '"self_report"),'))]),
    "judges in A": (
        {11, 12}, [('"a": ("human", "verifier"', '"a": ("human", "verifier", "judge"')],
    ),
    "self-approval believed": ({4}, [(' or e["reviewer_id"] == e["agent_id"]', "")]),
    "unknown methods believed": ({11}, [('if method not in BELIEVED["c"] or',
                                         'method = method or "human"\n            if')]),
    "circles not sought": ({4, 5}, [("return bool(requesters & reached)", "return False")]),
    "only direct circles": ({5}, [('for _ in range(d["closure_hops"]):', "for _ in range(0):")]),
    "circles without end": ({5}, [('for _ in range(d["closure_hops"]):', "for _ in range(99):")]),
    "circles of all time": ({5}, [('since <= e["ts"] <= t', 'e["ts"] <= t')]),
    "circles of the future": ({5}, [('since <= e["ts"] <= t', 'since <= e["ts"]')]),
    "reverts ignored": ({10}, [(('return not any(e["kind"] in VOIDS and t <= e["ts"] <= t + window '
                                "for e in task)"), "return True")]),
    "reverts for ever": ({10}, [('t <= e["ts"] <= t + window for', 't <= e["ts"] for')]),
    "the end of the window left out": ({10}, [('<= t + window for', '< t + window for')]),
    "any void voids": ({10}, [('t <= e["ts"] <= t + window for', 'e["ts"] <= t + window for')]),
    "parts are tasks": ({2}, [('e["task_id"] if e["root_task_id"] is None else e["root_task_id"]',
                               'e["task_id"]')]),
    "no least value": ({2, 3}, [("            continue\n        for grade, methods",
                                 "            pass\n        for grade, methods")]),
    "strict sums of floats": ({2}, [("least = 1 - 1e-9", "least = 1.0"),
                                    ("math.fsum(stated) if", "_loose(stated) if"),
                                    ("def total(", ("def _loose(x):\n    out = 0.0\n"
                                     "    for one in x:\n        out += one\n    return out\n\n\n"
                                     "def total("))]),
    "heartbeats are work": ({3}, [('if e["kind"] == "heartbeat":\n        return None', "pass"),
                                  ('work = [e for e in effort[day] if e["kind"] != "heartbeat"]',
                                   "work = effort[day]")]),
    "the day of arrival": ({8, 9}, [('"day": day_of(t, zone)',
                                     '"day": day_of(max(map(arrival, task)), zone)')]),
    "late events dropped": (
        {8, 12},
        [("events = [e for e in events if arrival(e) <= as_of]",
          'events = [e for e in events if arrival(e) <= min(as_of, e["ts"] + 4 * DAY)]')],
    ),
    "skewed events moved": ({9}, [
        ('e["ts"], e["ingest_ts"] = micros(e["ts"]), micros(e["ingest_ts"])',
                                   ('e["ingest_ts"] = micros(e["ingest_ts"])\n        '
                                   'e["ts"] = min(micros(e["ts"]), e["ingest_ts"] or 2**62)'))]),
    "skew not told": ({9}, [('"skew": sum(', '"skew": 0 * sum(')]),
    "closed figures overwritten": ({8, 10, 12}, [
        ("if row[\"day\"] == day]\n        for grade in BELIEVED:\n            then, now",
         ("if row[\"day\"] == day]\n        before = rows\n        for grade in BELIEVED:\n"
         "            then, now"))]),
    "closed a moment early": ({12}, [("if moment > as_of:", "if moment >= as_of:")]),
    "never waits for late peers": ({12}, [('late / len(known) > d["most_loss"]', "False")]),
    "as of is ignored": ({8, 12}, [
        (("as_of = max(map(arrival, received), default=0) if as_of is None "
                                    "else as_of"),
                                    "as_of = max(map(arrival, received), default=0)")]),
    "silence always accepts": ({11}, [("<= as_of and not against:", "<= as_of:")]),
    "silence before its time": ({11}, [("if until <= as_of and not against:", "if not against:")]),
    "touches after the fact": ({10}, [('e["kind"] == "human_touch" and e["ts"] <= t for',
                                       'e["kind"] == "human_touch" for')]),
    "eDAA is DAA": ({1}, [('worth**2 / squares if squares else 0.0', "float(len(today))")]),
    "value per task": ({1}, [('"vpd": worth / len(today)', '"vpd": worth / len(done)')]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_program_fails_in_the_right_case(name: str) -> None:
    cases, changes = WRONG[name]
    assert failed(changed(*changes)) >= cases, name


def test_every_case_can_fail() -> None:
    assert set.union(*(cases for cases, _ in WRONG.values())) == set(range(1, 13))


def test_a_command_is_judged_like_a_function(tmp_path: Path) -> None:
    """The reference program as somebody else's, right and wrong."""
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(SOURCE, "utf-8")
    wrong.write_text(SOURCE.replace("return bool(requesters & reached)", "return False"), "utf-8")
    first = conform.checks()
    some = tuple(check for check in first if check.case in (4, 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conform, "checks", lambda: some)
        assert all(result.passed for result in conform.run(f"'{sys.executable}' '{right}'"))
        results = conform.run(f"'{sys.executable}' '{wrong}'")
    assert {r.check.name for r in results if not r.passed} == {"an agent asks itself"}
    (found,) = (r for r in results if not r.passed)
    assert "days.2026-03-02.daa_a: 3, must be 2" in found.wrong


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit('out of memory')", "exit status 1: out of memory"),
        ("print('DAA: 7')", "did not print JSON"),
        ("print('[]')", "did not print a JSON object"),
        ("print('{}')", "days: None, must be an object"),
    ],
)
def test_a_command_that_does_not_answer_is_wrong(
    code: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conform, "checks", _first)
    (result,) = conform.run(f'"{sys.executable}" -c "{code}"')
    assert not result.passed
    assert any(why in text for text in result.wrong)


def test_a_command_that_takes_too_long_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conform, "TIMEOUT_S", 0.2)
    monkeypatch.setattr(conform, "checks", _first)
    (result,) = conform.run(f'"{sys.executable}" -c "import time; time.sleep(60)"')
    assert result.wrong == ("no answer within 0.2 s",)


def _first(known: tuple[conform.Check, ...] = conform.checks()) -> tuple[conform.Check, ...]:
    return known[:1]


def test_a_command_that_is_none_is_refused() -> None:
    for command in ("", "no-such-program-anywhere"):
        with pytest.raises(InputError):
            conform.run(command)
