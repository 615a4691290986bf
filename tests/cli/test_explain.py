"""`lineshaft explain` and `lineshaft compare`, by their commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lineshaft
from lineshaft.cli import main
from lineshaft.runs import Run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The warehouse, and the same with one overseer for each drone."""
    folder = tmp_path_factory.mktemp("runs")
    for name, variant in (("plain", None), ("watched", "one-drone-each")):
        scenario = lineshaft.read("warehouse", variant=variant)
        lineshaft.record(scenario, folder / name, draws=4, sensitivity=False)
    return folder / "plain", folder / "watched"


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
        raise SystemExit(0)
    out, err = capsys.readouterr()
    assert end.value.code in (0, None), err
    return out


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said of bad input: on stderr, with status 2, nothing on stdout."""
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
    out, err = capsys.readouterr()
    assert end.value.code == 2 and out == ""
    return err


def test_the_tree_starts_with_the_figure(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(capsys, "explain", runs[0]).splitlines()
    text = Run.read(runs[0]).kpis["value.enterprise_value_usd"]["text"].split(" [")[0]
    assert lines[0].startswith("value.enterprise_value_usd") and text in lines[0]
    assert len(lines) <= 63 and any("source:" in line for line in lines)
    assert f"lineshaft explain {runs[0]} " in lines[-1]


def test_a_column_takes_month_labels_draw_and_depth(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("explain", runs[0], "accepted.accepted", "--month", "2028-03", "--at", "inventory")
    lines = said(capsys, *asked, "--depth", 1).splitlines()
    assert lines[0].startswith("accepted.accepted[2028-03, inventory]")
    assert [line[:4] for line in lines[1:] if line[:1] in "├└"] == ["├ + ", "├ − ", "└ + "]
    drawn = json.loads(said(capsys, *asked, "--draw", 2, "--json", "--depth", 2))
    plain = json.loads(said(capsys, *asked, "--json", "--depth", 2))
    assert drawn["at"] == plain["at"] == {"month": "2028-03", "kind": "inventory"}
    assert drawn["value"] != plain["value"]
    for tree in (drawn, plain):
        terms = [-c["value"] if c["role"] == "−" else c["value"] for c in tree["children"]]
        assert sum(terms) == pytest.approx(tree["value"], rel=1e-9)


def test_bad_input_is_told(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean oversee.daa" in told(capsys, "explain", runs[0], "oversee.dda")
    assert "no run there" in told(capsys, "explain", runs[0] / "no", "oversee.daa")
    assert "2026-01 to 2030-12" in told(capsys, "explain", runs[0], "oversee.daa", "--month", "x")
    assert "1 to 4" in told(capsys, "explain", runs[0], "oversee.daa", "--draw", 5)
    assert "two runs or more" in told(capsys, "compare", runs[0])


def test_compare_prints_figures_keys_and_moves(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "compare", *runs)
    for part in (
        "value.enterprise_value_usd",
        'agents.kind."last mile".steer_minutes',
        "What moved the value from plain to watched: -$",
        "together",
        "lineshaft explain",
    ):
        assert part in text
    found = json.loads(said(capsys, "compare", *runs, "--json"))
    (move,) = found["moves"]
    for parts in (move["lines"], move["keys"]):
        total = sum(part["change_usd"] for part in parts)
        assert total == pytest.approx(move["change_usd"], rel=1e-9)
    assert (
        json.loads(said(capsys, "compare", *runs, "--json", "--no-keys"))["moves"][0]["keys"] == []
    )
