"""`lineshaft sweep`: what it prints, where it says no, and with which exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from lineshaft.cli import common
from lineshaft.cli import sweep as verb
from lineshaft.cli.common import Progress
from lineshaft.errors import InputError, RunError


def run(*arguments: str) -> int:
    """The verb by itself; its exit status. Input and run errors are raised as they are."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(verb.sweep)
    return app(list(arguments), prog_name="lineshaft sweep", standalone_mode=False) or 0


def test_prints_the_ends_and_where_the_results_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    assert run("warehouse", "--vary", "value.wacc=8 %..12 %:3", "-o", str(folder)) == 0
    out, err = capsys.readouterr()
    assert "Warehouse: 3 scenarios" in out
    assert "enterprise value" in out and "always        77.1 agents" in out
    assert "lineshaft run warehouse --set value.wacc=0.08" in out
    assert "at value.wacc = 0.08" in out and "at value.wacc = 0.12" in out
    assert str(folder.resolve() / "results.parquet") in out
    assert "3 scenarios in" in err and "/s" in err
    assert run("warehouse", "--vary", "value.wacc=8 %..12 %:3", "-o", str(folder)) == 0
    assert "there already" in capsys.readouterr().err
    with pytest.raises(RunError, match="another question"):
        run("warehouse", "--vary", "value.wacc=8 %..12 %:5", "-o", str(folder))


def test_json_is_one_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--vary", "value.wacc=0.08,0.1", "--vary", "policy=value", "--kpi", "oversee.daa")
    run("warehouse", *asked, "--draws", "2", "--json", "-o", str(tmp_path / "s"))
    *rows, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [row["value.wacc"] for row in rows] == [0.08, 0.1]
    assert rows[0]["policy"] == "value" and rows[0]["oversee.daa.p50"] > 0
    assert last == {"sweep": str(tmp_path / "s"), "scenarios": 2, "problems": 0}


def test_morris_points_tell_their_effects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kpi = "value.enterprise_value_usd"
    asked = ("--vary", "value.wacc=0.08..0.12", "--vary", "value.tax_rate=0.1..0.2")
    points = ("--samples", "8", "--method", "morris", "--kpi", kpi)
    run("warehouse", *asked, *points, "-o", str(tmp_path / "s"))
    out = capsys.readouterr().out
    assert "24 scenarios" in out and "mu*" in out
    assert "value.tax_rate" in out.split("effect over the whole range")[1]


def test_sobol_indices_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "i"
    asked = ("--inputs", _two_inputs(), "--samples", "16", "--kpi", "oversee.daa")
    run("warehouse", "--indices", "sobol", *asked, "-o", str(folder))
    out, err = capsys.readouterr()
    assert "2 inputs, 16 rows, 64 draws" in out
    assert "S1" in out and "ST" in out and "sum of S1" in out
    assert "64 draws in" in err
    assert sorted(p.name for p in folder.iterdir()) == ["indices.json", "indices.parquet"]


def test_morris_indices_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--inputs", _two_inputs(), "--samples", "8", "--kpi", "oversee.daa", "--json")
    run("warehouse", "--indices", "morris", *asked, "-o", str(tmp_path / "i"))
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "morris" and len(found["indices"]) == 2
    assert found["indices"][0]["mu_star"] >= found["indices"][1]["mu_star"]


def _two_inputs() -> str:
    return "agents.kind.planning.tool_s,floor.robots.stowing.pace"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--vary", "polic=value"), "did you mean 'policy'"),
        ((), "nothing is varied"),
        (("--indices", "sobol", "--vary", "policy=value"), "does not go with --indices"),
        (("--indices", "sobol", "--draws", "4"), "does not go with --indices"),
        (("--indices", "sobl"), "did you mean .sobol"),
        (("--inputs", "value.wacc", "--vary", "policy=value"), "needs --indices"),
        (("--vary", "policy=value", "--executor", "rey"), "did you mean 'ray'"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        run("warehouse", *arguments, "-o", str(tmp_path / "s"))
    assert not list(tmp_path.iterdir())


def test_a_stopped_sweep_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: verb.Bar, done: int, total: int) -> None:
        self.done, self.total = done, total
        if done:
            raise KeyboardInterrupt

    monkeypatch.setattr(verb.Bar, "__call__", stop)
    asked = ("warehouse", "--vary", "value.wacc=0.08..0.12:4", "-o", str(tmp_path / "s"))
    assert run(*asked) == 130
    assert "stopped at 1 of 4 scenarios; the same command goes on" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(*asked) == 0
    assert "4 scenarios in" in (err := capsys.readouterr().err) and "1 of them kept" in err


class _Terminal:
    """A stream that remembers what it was told."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_the_bar_shows_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, now = _Terminal(), [100.0]
    monkeypatch.setattr(common.time, "monotonic", lambda: now[0])
    bar = verb.Bar(Progress(stream), "scenarios")  # type: ignore[arg-type]
    bar(10, 100)  # kept from before
    now[0] += 5.0
    bar(60, 100)
    assert "[##############..........] 60 of 100 scenarios, 10/s, 4 s left" in stream.text
    written = len(stream.text)
    for done in range(61, 70):  # within a tenth of a second
        now[0] += 0.005
        bar(done, 100)
    assert len(stream.text) == written
    bar.end()
    assert "10 of them kept from before" in stream.text
