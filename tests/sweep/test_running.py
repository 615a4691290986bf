"""A sweep in its folder: complete, resumable to the same bytes, and refusing other questions."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import lineshaft
from lineshaft.errors import InputError, RunError
from lineshaft.kpis import MEASURES
from lineshaft.sweep import Results, running, solving, sweep
from lineshaft.sweep.indices import morris

ASKED = ["value.wacc=0.08..0.12:9", "policy=value,priority"]
FILES = ("results.parquet", "scenario.toml", "sweep.json")


@pytest.fixture(scope="module")
def whole(warehouse_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return sweep(warehouse_file, ASKED, tmp_path_factory.mktemp("sweep") / "whole")


def test_one_row_per_scenario(whole: Results) -> None:
    rows = whole.table.to_pylist()
    assert len(whole) == len(rows) == 18
    assert [row["scenario"] for row in rows] == list(range(18))
    assert [row["policy"] for row in rows[:2]] == ["value", "priority"]
    assert rows[17]["value.wacc"] == pytest.approx(0.12)
    values = [row["value.enterprise_value_usd"] for row in rows[::2]]
    assert all(a > b for a, b in pairwise(values))  # dearer money, less worth
    assert not any(row["problem"] for row in rows)
    assert sorted(p.name for p in whole.folder.iterdir()) == sorted(FILES)


def test_units_and_meanings_stand_in_the_file(whole: Results) -> None:
    schema = pq.read_schema(whole.folder / "results.parquet")
    for what in MEASURES:
        metadata = schema.field(what.name).metadata
        assert metadata[b"unit"].decode() == what.unit
        assert what.meaning in metadata[b"meaning"].decode()
    wacc = schema.field("value.wacc").metadata
    assert wacc[b"unit"] == b"1" and wacc[b"role"] == b"input"
    assert b"cost of capital" in wacc[b"meaning"]


def test_a_row_is_the_run_of_its_scenario(whole: Results, warehouse_file: Path) -> None:
    row = whole.table.slice(5, 1).to_pylist()[0]
    overrides = [f"value.wacc={row['value.wacc']}", f"policy={row['policy']}"]
    outcome = lineshaft.solve(lineshaft.read(warehouse_file, overrides=overrides), draws=1)
    for kpi in outcome.kpis:
        stored = row[kpi.measure.name]
        assert stored == kpi.value or (stored is None and not np.isfinite(kpi.value))


def test_draws_are_summarised(warehouse_file: Path, tmp_path: Path) -> None:
    found = sweep(warehouse_file, ["value.wacc=0.09,0.11"], tmp_path / "s", draws=13, seed=5)
    assert found.info["draws"] == 16
    scenario = lineshaft.read(warehouse_file, overrides=["value.wacc=0.11", "seed=5"])
    outcome = lineshaft.solve(scenario, draws=16)
    row = found.table.to_pylist()[1]
    for kpi in outcome.kpis:
        name = kpi.measure.name
        for word, expected in {**kpi.quantiles, "p50_se": kpi.p50_se}.items():
            assert row[f"{name}.{word}"] == expected
    one = sweep(warehouse_file, ["value.wacc=0.11"], tmp_path / "one", draws=1, seed=5)
    drawn = lineshaft.solve(scenario, draws=1)["oversee.daa"]
    assert one.table.to_pylist()[0]["oversee.daa"] == drawn.draws[0]


def test_draws_beyond_a_chunk_are_joined(
    warehouse_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["value.wacc=0.09,0.11"]
    at_once = sweep(warehouse_file, asked, tmp_path / "a", draws=32, kpis=["oversee.daa"])
    monkeypatch.setattr(solving, "CHUNK", 8)
    in_chunks = sweep(warehouse_file, asked, tmp_path / "b", draws=32, kpis=["oversee.daa"])
    assert at_once.table.equals(in_chunks.table)
    assert at_once.table.column_names[2:-1] == [
        "oversee.daa",
        *(f"oversee.daa.{word}" for word in ("p5", "p10", "p50", "p90", "p95", "p50_se")),
    ]


def test_goes_on_where_it_stopped_and_ends_in_the_same_bytes(
    whole: Results, warehouse_file: Path, tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(warehouse_file, ASKED, tmp_path / "s", workers=2, progress=stop)
    part = tmp_path / "s.part"
    kept = len(list((part / "parts").iterdir()))
    assert 0 < kept < 9
    assert not (tmp_path / "s").exists()
    with pytest.raises(RunError, match="holds one that did not end"):
        Results.read(tmp_path / "s")
    told: list[int] = []
    found = sweep(
        warehouse_file, ASKED, tmp_path / "s", workers=1, progress=lambda done, _: told.append(done)
    )
    assert told[0] == 2 * kept and told[-1] == 18
    assert not part.exists()
    for name in FILES:
        assert (found.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_finished_sweep_is_not_done_again(
    whole: Results, warehouse_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_solve", None)
    again = sweep(warehouse_file, ASKED, whole.folder)
    assert again.table.equals(whole.table)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"draws": 4}, "draws 0 there, 4 asked"),
        ({"seed": 9}, "seed 1 there, 9 asked"),
        ({"overrides": ["value.tax_rate=0.2"]}, "what the scenario says"),
        ({"kpis": ["oversee.daa"]}, "kpis"),
    ],
)
def test_another_question_is_refused(
    whole: Results, warehouse_file: Path, other: dict[str, object], words: str
) -> None:
    with pytest.raises(RunError, match="another question") as caught:
        sweep(warehouse_file, ASKED, whole.folder, **other)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_another_question_is_refused_half_way_too(warehouse_file: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(warehouse_file, ASKED, tmp_path / "s", progress=stop)
    with pytest.raises(RunError, match="another question"):
        sweep(warehouse_file, ASKED[:1], tmp_path / "s")
    (tmp_path / "t.part").mkdir()
    (tmp_path / "t.part" / "mine.txt").write_text("not a sweep")
    with pytest.raises(RunError, match="holds no sweep"):
        sweep(warehouse_file, ASKED, tmp_path / "t")
    assert (tmp_path / "t.part" / "mine.txt").exists()


def test_nothing_is_written_where_something_is_wrong(warehouse_file: Path, tmp_path: Path) -> None:
    for bad in (
        {"vary": ["value.wac=0.1"]},
        {"vary": ASKED, "kpis": ["oversee.dda"]},
        {"vary": ASKED, "executor": "threads"},
        {"vary": ASKED, "draws": -1},
    ):
        with pytest.raises(InputError):
            sweep(warehouse_file, folder=tmp_path / "s", **bad)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(warehouse_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        sweep(warehouse_file, ASKED, tmp_path / "file" / "s")


def test_a_scenario_that_cannot_be_has_its_problem_in_its_row(
    warehouse_file: Path, tmp_path: Path
) -> None:
    """A round without its valuation is told before; rounds that clash only together are not."""
    asked = [
        "capital.opening_cash_usd=0,1000000",
        'capital.round=[],[{name = "A", month = "2026-01", raise_usd = 4e6, pre_usd = 1e7}]',
    ]
    found = sweep(
        warehouse_file,
        asked,
        tmp_path / "s",
        overrides=[
            'capital.round=[{name = "B", month = "2026-01", raise_usd = 1e6, pre_usd = 1e7}]'
        ],
    )
    rows = found.table.to_pylist()
    assert "no money" in rows[0]["problem"]
    assert rows[0]["oversee.daa"] is None
    assert all(row["problem"] is None and row["oversee.daa"] > 0 for row in rows[1:])


def test_elementary_effects_of_a_morris_sweep(warehouse_file: Path, tmp_path: Path) -> None:
    asked = ["value.wacc=0.08..0.12", "value.tax_rate=0.1..0.3"]
    found = sweep(warehouse_file, asked, tmp_path / "s", samples=8, method="morris")
    assert len(found) == 8 * 3
    effects = found.morris("value.enterprise_value_usd")
    assert (effects.mu < 0).all()

    def f(u: np.ndarray) -> np.ndarray:
        by_point = {
            (round(row["value.wacc"], 9), round(row["value.tax_rate"], 9)): row[
                "value.enterprise_value_usd"
            ]
            for row in found.table.to_pylist()
        }
        ends = np.array([[0.08, 0.12], [0.1, 0.3]])
        x = ends[:, :1] + u * np.diff(ends)
        return np.array([by_point[round(a, 9), round(b, 9)] for a, b in x.T])

    again = morris(f, 2, 8, found.info["seed"])
    assert np.allclose(effects.mu_star, again.mu_star)
    with pytest.raises(InputError, match="no headline figure"):
        found.morris("value.enterprise")


def test_what_is_read_back_is_told_in_a_line(whole: Results, tmp_path: Path) -> None:
    assert repr(whole).startswith("Results(") and "18 scenarios of Warehouse" in repr(whole)
    with pytest.raises(RunError, match="no sweep there"):
        Results.read(tmp_path)
    with pytest.raises(InputError, match="was grid"):
        whole.morris("oversee.daa")
    info = json.loads((whole.folder / "sweep.json").read_text())
    assert info["vary"] == ASKED and info["scenarios"] == 18 and info["method"] == "grid"
