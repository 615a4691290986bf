"""Runs side by side: the change of the value adds up, by line and by key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import lineshaft
from lineshaft.compare import Comparison, compare
from lineshaft.compare.keys import differences
from lineshaft.errors import RunError
from lineshaft.runs import Run
from lineshaft.scenario import Scenario

MONTHS = "months=48"
"""Runs of four years do for most of this."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("compared")

    def run(name: str, *overrides: str, variant: str | None = None, of: str = "gigawatt") -> Run:
        scenario = lineshaft.read(of, variant=variant, overrides=list(overrides))
        return lineshaft.record(scenario, folder / name, sensitivity=False)

    return {
        "base": run("base", MONTHS),
        "late": run("late", MONTHS, variant="late-grid"),
        "rates": run(
            "rates", MONTHS, "value.wacc=0.1", "value.tax_rate=0.2", "capital.runway_months=6"
        ),
        "long": run("long", "months=120"),
        "long rates": run("long rates", "months=120", "value.wacc=0.1", "value.roic=0.2"),
        "warehouse": run("warehouse", of="warehouse"),
        "one drone each": run("one drone each", variant="one-drone-each", of="warehouse"),
    }


def adds_up(found: Comparison, runs: list[Run]) -> None:
    first = runs[0].kpis["value.enterprise_value_usd"]["value"]
    for move, run in zip(found.moves, runs[1:], strict=True):
        other = run.kpis["value.enterprise_value_usd"]["value"]
        assert move.change_usd == other - first
        near = 1e-9 * max(abs(first), abs(other))
        assert sum(line.change_usd for line in move.lines) == pytest.approx(other - first, abs=near)
        if move.keys:
            total = sum(share.change_usd for share in move.keys)
            assert total == pytest.approx(other - first, abs=near)


@pytest.mark.parametrize(
    "names",
    [("base", "late", "rates"), ("long", "long rates"), ("warehouse", "one drone each")],
)
def test_lines_and_keys_add_up_to_the_change(runs: dict[str, Run], names: tuple[str, ...]) -> None:
    chosen = [runs[name] for name in names]
    found = compare(chosen)
    adds_up(found, chosen)
    assert all(abs(move.change_usd) > 0 for move in found.moves)


def test_runs_of_other_kinds_of_work_add_up_too(runs: dict[str, Run], tmp_path: Path) -> None:
    """Even where nothing is alike but the months."""
    scenario = lineshaft.read("gigawatt", overrides=["months=60"])
    other = lineshaft.record(scenario, tmp_path / "other", sensitivity=False)
    chosen = [runs["warehouse"], other]
    found = compare(chosen, keys=False)
    adds_up(found, chosen)
    names = {line.name for line in found.moves[0].lines}
    assert {"stowing", "api", "construction", "take-or-pay"} <= names


def test_what_was_changed_is_what_moves(runs: dict[str, Run]) -> None:
    (move,) = compare([runs["long"], runs["long rates"]]).moves
    groups = dict.fromkeys((line.group for line in move.lines), 0.0)
    for line in move.lines:
        groups[line.group] += line.change_usd
    for group in ("revenue", "capex", "opex"):
        assert abs(groups[group]) < 1e-6 * move.change_usd
    assert groups["discount rate"] != 0 and groups["terminal value"] > 0
    shares = {share.key: share.change_usd for share in move.keys}
    assert set(shares) == {"value.wacc", "value.roic", "together"}
    assert shares["value.wacc"] > shares["value.roic"] > 0
    # two keys: forward and backward are all orders there are, so nothing is left
    assert abs(shares["together"]) < 1e-9 * move.change_usd


def test_keys_that_differ_are_told_by_name(runs: dict[str, Run]) -> None:
    found = differences([runs["base"], runs["late"], runs["rates"]])
    by_key = {change.key: change.values for change in found}
    assert by_key["build.phase.1.grid"] == ("2027-01", "2028-01", "2027-01")
    assert by_key["value.wacc"] == ("0.09 to 0.14", "0.09 to 0.14", "0.1")
    assert "about" not in by_key  # it moves nothing
    assert set(by_key) == {
        *("capital.runway_months", "value.wacc", "value.tax_rate"),
        *(f"build.phase.{n}.grid" for n in (1, 2, 3, 4)),
    }


def test_an_item_that_only_one_run_has_is_one_key(tmp_path: Path) -> None:
    base = lineshaft.read("warehouse", overrides=["months=12"])
    without = lineshaft.record(base, tmp_path / "without", sensitivity=False)
    role = base.oversee.role[0]
    fewer = base.model_copy(update={"oversee": base.oversee.model_copy(update={"role": (role,)})})
    assert isinstance(fewer, Scenario)
    other = lineshaft.record(fewer, tmp_path / "fewer", sensitivity=False)
    found = compare([without, other])
    assert [change.key for change in found.changes] == ["oversee.role.operator"]
    assert found.changes[0].values[1] == "–"
    assert [share.key for share in found.moves[0].keys] == ["oversee.role.operator", "together"]
    adds_up(found, [without, other])
    adds_up(compare([other, without]), [other, without])


def test_equal_runs_say_so(runs: dict[str, Run]) -> None:
    found = compare([runs["warehouse"], runs["warehouse"]])
    assert found.changes == () and found.moves[0].change_usd == 0 and found.moves[0].keys == ()
    assert "Nothing was asked differently" in found.text()
    assert all(figure.change(1) in (0, None) for figure in found.figures)


def test_what_other_code_did_is_told_apart(runs: dict[str, Run], tmp_path: Path) -> None:
    folder = tmp_path / "older"
    shutil.copytree(runs["one drone each"].folder, folder)
    info = json.loads((folder / "run.json").read_text())
    info["kpis"]["value.enterprise_value_usd"]["value"] += 1e6
    (folder / "run.json").write_text(json.dumps(info))
    (move,) = compare([runs["warehouse"], Run.read(folder)]).moves
    other = {share.key: share.change_usd for share in move.keys}["other code"]
    assert other == pytest.approx(1e6)
    assert sum(share.change_usd for share in move.keys) == pytest.approx(move.change_usd)


def test_runs_of_other_months_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"base months: 48, .*long months: 120; .* --set months=48"):
        compare([runs["base"], runs["long"]])
    scenario = lineshaft.read("warehouse", overrides=["start='2027-01'"])
    later = lineshaft.record(scenario, tmp_path / "later", sensitivity=False)
    with pytest.raises(RunError, match=r"starts in 2026-01, .*later starts in 2027-01"):
        compare([runs["warehouse"], later])
    with pytest.raises(RunError, match="two runs or more"):
        compare([later])


def test_text_and_plain_data_say_the_same(runs: dict[str, Run]) -> None:
    found = compare([runs["warehouse"], runs["one drone each"]], keys=False)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    text = found.text()
    value = next(f for f in plain["figures"] if f["name"] == "value.enterprise_value_usd")
    assert value["change"][1] == found.moves[0].change_usd
    assert value["percent"][1] == pytest.approx(100 * value["change"][1] / value["values"][0])
    assert 'agents.kind."last mile".steer_minutes' in text
    for said in ("one drone each", "revenue", "terminal value", "profit of the last year"):
        assert said in text
    assert "e-1" not in text  # rounding is no difference
