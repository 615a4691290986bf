"""A run beside a log."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lineshaft.actuals import Comparison, compare, export
from lineshaft.actuals.compare import Figure
from lineshaft.errors import InputError
from lineshaft.meter.definition import Definition
from lineshaft.meter.events import table
from lineshaft.meter.read import read
from lineshaft.runs import Run

KINDS = ["inventory", "planning"]


@pytest.fixture(scope="module")
def log(warehouse_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs") / "log"
    export(warehouse_run, folder, months="2026-02:2026-03", kinds=KINDS, scale=4.0)
    return folder


def by_name(found: Comparison) -> dict[str, Figure]:
    return {figure.name: figure for figure in found.figures}


def events_of(log: Path) -> pa.Table:
    files = sorted((log / "events").rglob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(f).read() for f in files])


def test_a_run_against_itself(warehouse_run: Run, log: Path) -> None:
    found = compare(warehouse_run, read(log), kinds=KINDS)
    assert [pair[:2] for pair in found.months] == [("2026-02", "2026-02"), ("2026-03", "2026-03")]
    figures = by_name(found)
    for name, tolerance in (
        ("daa_b", 0.01), ("daa_a", 0.01), ("accepted_per_day", 1e-3), ("tasks_per_agent", 0.01),
        ("hard_share", 2e-3), ("tokens_per_task", 1e-3), ("cost_usd_per_task", 1e-3),
        ("human_min_per_task", 1e-3), ("autonomy_of_time", 1e-3), ("value_usd_per_task", 0.01),
        ("success", 2e-3),
    ):  # fmt: skip
        figure = figures[name]
        assert figure.difference == pytest.approx(0.0, abs=tolerance), name
        assert len(figure.plan) == len(figure.actual) == 2
    text = found.text()
    assert "its counts are multiplied" in text
    assert "daily active agents, B" in text
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["figures"][0]["difference"] == figures["daa_b"].difference


def test_gaps_of_the_log_explain(warehouse_run: Run, log: Path, tmp_path: Path) -> None:
    """Half of the acceptances have lost their method: self-reports, which B does not believe."""
    events = events_of(log)
    accept = pc.equal(events["kind"], "accept").to_numpy(zero_copy_only=False)
    lost = accept & (np.cumsum(accept) % 2 == 0)
    at = events.column_names.index("method")
    gone = pc.if_else(pa.array(lost), None, events["method"])
    pq.write_table(events.set_column(at, "method", gone), tmp_path / "lossy.parquet")
    reading = read(tmp_path / "lossy.parquet")
    # no folder of an export any more: counts are those of the file, one for four
    tasks = by_name(compare(warehouse_run, reading, kinds=KINDS))["accepted_per_day"]
    assert tasks.plan_all is not None
    assert tasks.actual_all == pytest.approx(tasks.plan_all / 8, rel=0.01)
    # of the 7/8 that are missing 1/8 is in the log, by self-report
    assert tasks.explained == pytest.approx(1 / 7, abs=0.01)


def test_costs_that_only_some_tasks_state(warehouse_run: Run, log: Path, tmp_path: Path) -> None:
    events = events_of(log)
    tasks = pc.index_in(events["task_id"], pc.unique(events["task_id"])).to_numpy()
    at = events.column_names.index("cost_usd")
    gone = pc.if_else(pa.array(tasks % 2 == 0), None, events["cost_usd"])
    pq.write_table(events.set_column(at, "cost_usd", gone), tmp_path / "part.parquet")
    cost = by_name(compare(warehouse_run, read(tmp_path / "part.parquet"), kinds=KINDS))[
        "cost_usd_per_task"
    ]
    assert cost.difference == pytest.approx(-0.5, abs=0.12)  # losses stand on few tasks
    assert cost.explained is not None
    assert cost.explained > 0.7
    assert cost.meaning.startswith("direct cost")


def test_with_a_wage_human_time_is_a_cost(warehouse_run: Run, log: Path) -> None:
    found = by_name(compare(warehouse_run, read(log, Definition(wage_usd_per_h=60.0)), kinds=KINDS))
    direct = by_name(compare(warehouse_run, read(log), kinds=KINDS))["cost_usd_per_task"]
    cost, minutes = found["cost_usd_per_task"], found["human_min_per_task"]
    assert cost.actual_all == pytest.approx(direct.actual_all + minutes.actual_all)  # type: ignore[operator]
    assert cost.plan_all > direct.plan_all  # type: ignore[operator]


def test_months_that_both_have_not_are_paired_from_the_start(
    warehouse_run: Run, tmp_path: Path
) -> None:
    day = int(np.datetime64("2031-05-20", "D").astype(int))
    rows: list[dict[str, Any]] = [
        {"event_id": str(n), "ts": (day + n) * 86_400_000_000, "agent_id": "a", "kind": "accept",
         "task_id": f"t{n}", "method": "human", "value_usd": 2.0}
        for n in range(30)
    ]  # fmt: skip
    pq.write_table(table(rows), tmp_path / "log.parquet")
    reading = read(tmp_path / "log.parquet")
    found = compare(warehouse_run, reading)
    assert found.months == (("2026-01", "2031-05", 12, 31), ("2026-02", "2031-06", 18, 28))
    assert any("no month in common" in note for note in found.notes)
    figures = by_name(found)
    assert figures["daa_b"].actual == (1.0, 1.0)
    assert figures["tokens_per_task"].actual_all is None  # none stated: not zero
    assert figures["tokens_per_task"].difference is None
    assert figures["human_min_per_task"].actual_all is None
    assert "not stated" in found.text()
    assert "Look at" in found.text()
    gone = compare(warehouse_run, replace(reading, path=str(tmp_path / "moved.parquet")))
    assert any("not there to read" in note for note in gone.notes)
    assert "success" not in by_name(gone)


def test_bad_input(warehouse_run: Run, log: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'inventory'"):
        compare(warehouse_run, read(log), kinds=["inventry"])
    pq.write_table(table([]), tmp_path / "empty.parquet")
    with pytest.raises(InputError, match="no days"):
        compare(warehouse_run, read(tmp_path / "empty.parquet"))
