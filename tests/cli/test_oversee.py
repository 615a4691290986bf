"""`lineshaft oversee` on the command line."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from lineshaft.cli import main
from lineshaft.cli.oversee import OPTIONS
from lineshaft.oversee import Asked

DESK = ["--tasks-per-agent", "5", "--review-min", "12"]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["oversee", *arguments])
    return int(end.value.code or 0)


def test_staff_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(
        "staff", "--daa", "100", *DESK, "--aoql", "0.06", "--wait", "1h", "--wage", "50", "--json"
    )
    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reviewers"]["on_duty"] >= found["reviewers"]["load"]
    assert found["simulated"]["within"]["mean"] >= 0.95
    people = found["reviewers"]["payroll"]
    assert found["usd_per_month"] == pytest.approx(people * 173.33 * 50 * 1.423)


def test_ceiling(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ceiling", "--reviewers", "20", *DESK) == 0
    said = capsys.readouterr().out
    assert said.startswith("20 reviewers allow") and "one more" in said


def test_simulate_writes_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "desk.svg"
    status = run(
        *("simulate", "--reviewers", "12", "--tasks-per-day", "150", "--review-min", "12"),
        *("--merges", "--patience", "4h", "--svg", str(path)),
    )
    assert status == 0
    assert path.read_text("utf-8").startswith("<svg")
    out = capsys.readouterr()
    assert "wait, mean" in out.out and str(path) in out.err


def test_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    status = run(
        "staff", "--daa", "100", *DESK, "--defects", "0.2", "--detection", "0.5", "--aoql", "0.05"
    )
    assert status == 2
    said = capsys.readouterr()
    assert said.out == "" and "even if they review everything" in said.err


def test_options_are_those_of_the_library() -> None:
    """Every option of `Asked` is there, and its help names the default."""
    known = {one.name: one.default for one in fields(Asked)}
    told = {name: text for name, _, text in OPTIONS}
    assert set(told) == set(known) - {"review_min", "tasks_per_agent"}
    for name, text in told.items():
        default = known[name]
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert f"{default:g}" in text, name
