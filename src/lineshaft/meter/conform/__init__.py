"""The conformance suite of DAA/1: twelve cases with answers computed by hand, and who is right.

Cases are data (`cases/*.toml`): events, a definition, what must come out, and the computation in
words. They judge Lineshaft's own meter, or any command that follows the protocol of
`docs/daa-1.md#conformance`.
"""

from __future__ import annotations

import json
import math
import shlex
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lineshaft import daa
from lineshaft.errors import InputError, Problem
from lineshaft.meter.definition import Definition
from lineshaft.meter.reading import Reading

Answer = Mapping[str, Any]
Answerer = Callable[[list[dict[str, Any]], dict[str, Any]], Answer]
"""(events, definition) -> the document of the protocol."""

TIMEOUT_S = 60.0
RELATIVE = 1e-9
GRADES = "abc"
FAULTS = ("skew", "replay", "conflict", "no_agent")


@dataclass(frozen=True, slots=True)
class Check:
    """One log and what must come out of it."""

    case: int
    title: str
    """Of the case."""
    name: str
    """What this check is about."""
    words: str
    """The answer computed by hand."""
    definition: dict[str, Any]
    """All parameters, and `as_of` (ISO 8601, or None for the last arrival)."""
    events: list[dict[str, Any]]
    expect: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What was answered to a check."""

    check: Check
    wrong: tuple[str, ...]
    """Each figure that is not as it must be; empty where all are right."""

    @property
    def passed(self) -> bool:
        """Whether all figures are right."""
        return not self.wrong


@cache
def checks() -> tuple[Check, ...]:
    """All checks of the twelve cases, in their order."""
    folder = resources.files(__package__) / "cases"
    found: list[Check] = []
    for path in sorted(folder.iterdir(), key=lambda p: p.name):
        if not path.name.endswith(".toml"):
            continue
        case = tomllib.loads(path.read_text("utf-8"))
        for one in case["check"]:
            definition = Definition(**one.get("definition", {}))
            definition.check()
            plain = {k: v for k, v in definition.to_dict().items() if k not in ("standard", "hash")}
            lines = [line for line in one["events"].splitlines() if line.strip()]
            found.append(
                Check(
                    case["case"], case["title"], one["name"], one["words"].strip(),
                    {**plain, "as_of": one.get("as_of")}, [json.loads(line) for line in lines],
                    one["expect"],
                )
            )  # fmt: skip
    return tuple(found)


def run(command: str | None = None, *, answer: Answerer | None = None) -> tuple[Result, ...]:
    """Every check answered by Lineshaft's meter, by a command, or by a function.

    The command is started once for each check, with the path of a file of events (JSON lines) and
    of one with the definition (JSON) added to it, and prints the document of the protocol. One that
    fails, prints something else or takes longer than a minute is wrong.

    InputError where the command cannot be started at all.
    """
    if answer is None:
        answer = own if command is None else _Command(command)
    return tuple(Result(check, tuple(_judged(check, answer))) for check in checks())


def cases(results: tuple[Result, ...]) -> dict[int, bool]:
    """Of each case, whether all its checks passed."""
    out: dict[int, bool] = {}
    for result in results:
        out[result.check.case] = out.get(result.check.case, True) and result.passed
    return out


def differences(expected: Answer, given: Answer) -> list[str]:
    """Every figure in which two answers differ, each named."""
    found = list(_differences(_with_nulls(expected), given, ""))
    days = set(given.get("days", {})) - set(expected.get("days", {}))
    return found + [f"days.{day}: not expected" for day in sorted(days)]


def _with_nulls(x: Any) -> Any:
    """None written as in the cases: TOML has none."""
    if isinstance(x, Mapping):
        return {key: _with_nulls(value) for key, value in x.items()}
    if isinstance(x, list):
        return [_with_nulls(value) for value in x]
    return "null" if x is None else x


def _judged(check: Check, answer: Answerer) -> Iterator[str]:
    try:
        given = answer([dict(e) for e in check.events], dict(check.definition))
    except _FailedError as error:
        yield str(error)
        return
    yield from _differences(check.expect, given, "")


def _differences(wanted: Any, given: Any, where: str) -> Iterator[str]:
    """Every figure of `wanted` that `given` does not give."""
    if isinstance(wanted, Mapping):
        if not isinstance(given, Mapping):
            yield f"{where or 'answer'}: {given!r}, must be an object"
            return
        for key, value in wanted.items():
            place = f"{where}.{key}" if where else key
            yield from _differences(value, given.get(key), place)
    elif isinstance(wanted, list):
        if not isinstance(given, list) or len(given) != len(wanted):
            count = len(given) if isinstance(given, list) else given
            yield f"{where}: {count!r} entries, must be {len(wanted)}"
            return
        for place, (one, other) in enumerate(zip(wanted, given, strict=True)):
            yield from _differences(one, other, f"{where}[{place}]")
    elif wanted == "null":
        if given is not None:
            yield f"{where}: {given!r}, must be null"
    elif isinstance(wanted, (int, float)) and isinstance(given, (int, float)):
        if not math.isclose(wanted, given, rel_tol=RELATIVE, abs_tol=1e-12):
            yield f"{where}: {given:g}, must be {wanted:g}"
    elif isinstance(wanted, str) and isinstance(given, str) and "T" in wanted:
        if not _same_time(wanted, given):
            yield f"{where}: {given}, must be {wanted}"
    elif wanted != given:
        yield f"{where}: {given!r}, must be {wanted!r}"


def _same_time(one: str, other: str) -> bool:
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return one == other


class _FailedError(Exception):
    """A command that did not answer."""


class _Command:
    """A program that follows the protocol."""

    def __init__(self, command: str) -> None:
        self.words = shlex.split(command)
        if not self.words:
            raise InputError(Problem("", "command", "empty", "a command", "CMD EVENTS DEFINITION"))

    def __call__(self, events: list[dict[str, Any]], definition: dict[str, Any]) -> Answer:
        with tempfile.TemporaryDirectory(prefix="daa1-") as folder:
            files = Path(folder, "events.jsonl"), Path(folder, "definition.json")
            files[0].write_text("".join(f"{json.dumps(e)}\n" for e in events), "utf-8")
            files[1].write_text(json.dumps(definition), "utf-8")
            try:
                done = subprocess.run(
                    [*self.words, *map(str, files)], capture_output=True, timeout=TIMEOUT_S,
                    check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise _FailedError(f"no answer within {TIMEOUT_S:g} s") from error
            except OSError as error:
                raise InputError(
                    Problem("", "command", f"{self.words[0]}: {error.strerror}", "a program")
                ) from error
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise _FailedError(f"exit status {done.returncode}: {' '.join(last)}")
        try:
            given = json.loads(done.stdout)
        except ValueError as error:
            raise _FailedError(f"did not print JSON: {error}") from error
        if not isinstance(given, dict):
            raise _FailedError("did not print a JSON object")
        return given


def own(events: list[dict[str, Any]], definition: dict[str, Any]) -> Answer:
    """The answer of Lineshaft's meter, by way of a log on disk."""
    import pyarrow as pa

    from lineshaft.meter.events import COLUMNS
    from lineshaft.meter.log import Log
    from lineshaft.meter.normal import normalise
    from lineshaft.meter.read import read

    as_of = definition.pop("as_of", None)
    rows = {name: [e.get(name) for e in events] for name in COLUMNS}
    table, aside, faults = normalise(pa.table(rows))
    with tempfile.TemporaryDirectory(prefix="daa1-") as folder:
        log = Log.open(folder, create=True)
        log.append(table, faults, aside)
        moment = None if as_of is None else datetime.fromisoformat(as_of)
        return answer_of(read(folder, Definition(**definition), as_of=moment))


def answer_of(reading: Reading) -> dict[str, Any]:
    """The document of the protocol for a reading."""
    from lineshaft.meter.conform.plain import iso

    m, days = reading.measures, {}
    columns: dict[str, list[Any]] = {"status": list(reading.status)}
    for name in ("events", "seen", "tokens_in", "tokens_out", "tokens_cached", "energy_j",
                 "cost_usd", "human_s"):  # fmt: skip
        columns[name] = getattr(m, name).tolist()
    by_wage = reading.definition.value_basis == "wage"
    wage = (reading.definition.wage_usd_per_h or 0.0) / 60.0
    for g, grade in zip(GRADES, m.grades, strict=True):
        worth = grade.human_equiv_min * wage if by_wage else grade.value_usd
        for name, row in {
            "daa": grade.active, "waa": grade.week, "maa": grade.month, "new": grade.new,
            "retained": grade.retained, "reactivated": grade.reactivated,
            "resurrected": grade.resurrected, "lost": grade.lost, "dormant": grade.dormant,
            "accepted": grade.accepted, "untouched": grade.untouched, "value_usd": grade.value_usd,
            "human_equiv_min": grade.human_equiv_min, "effective_daa": grade.effective,
            "tpa": daa.tasks_per_agent(grade.accepted, grade.active),
            "vpd": daa.value_per_daa(worth, grade.active),
            "fte_eq": daa.fte_equivalent(grade.human_equiv_min),
        }.items():  # fmt: skip
            columns[f"{name}_{g}"] = [None if x != x else x for x in np.asarray(row).tolist()]
        closed = reading.closed[GRADES.index(g)].tolist()
        columns[f"closed_{g}"] = [None if x < 0 else x for x in closed]
    for place in range(m.days):
        day = str(np.datetime64(m.first_day + place, "D"))
        days[day] = {name: row[place] for name, row in columns.items()}
    restated = [
        {
            "day": str(np.datetime64(r.day, "D")), "grade": r.grade, "closed": r.closed,
            "restated": r.restated, "late_events": r.late_events, "at": iso(r.at_us),
        }
        for r in reading.restatements
    ]  # fmt: skip
    return {
        "standard": "DAA/1", "zone": reading.definition.zone, "days": days,
        "restatements": restated,
        "faults": {name: reading.faults.counts.get(name, 0) for name in FAULTS},
    }  # fmt: skip
