"""Simulated months as events: metered back, they are what the run says."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.actuals.export import _tasks, export
from lineshaft.actuals.planned import Planned
from lineshaft.errors import InputError, RunError
from lineshaft.meter.read import read
from lineshaft.runs import Run
from lineshaft.stages.oversee.daa import daa_memoryless

SCALE = 50.0


@pytest.mark.parametrize("kind", ["stowing", "last mile", "inventory", "planning"])
def test_a_month_meters_back_to_itself(kind: str, warehouse_run: Run, tmp_path: Path) -> None:
    found = export(warehouse_run, tmp_path / "log", months="2026-02", kinds=[kind], scale=SCALE)
    plan = Planned.of(warehouse_run, [kind]).chosen([1])
    reading = read(tmp_path / "log")
    m, (a, b, c) = reading.measures, reading.measures.grades
    days = float(plan.days[0])

    def of(name: str) -> float:
        return float(getattr(plan, name)[0, 0]) / SCALE

    assert abs(a.active.sum() - of("daa_a") * days) <= 1
    assert abs(b.active.sum() - of("daa_b") * days) <= 1
    assert abs(b.accepted.sum() - of("counted")) <= 0.5
    assert abs(a.accepted.sum() - of("by_human") - of("by_verifier")) <= 1
    assert abs(c.accepted.sum() - of("counted")) <= 0.5
    for name in ("tokens_in", "tokens_out", "tokens_cached"):
        assert abs(getattr(m, name).sum() - of(name)) <= 0.5 + 1e-6 * of(name)
    human_min = of("review_min") + of("rework_min") + of("operator_min")
    assert m.human_s.sum() / 60 == pytest.approx(human_min, rel=1e-9)
    assert m.cost_usd.sum() == pytest.approx(of("direct_usd") + of("escape_usd"), rel=1e-9)
    assert m.energy_j.sum() == pytest.approx(of("energy_j"), rel=1e-9)
    price, minutes = plan.price_usd[0, 0], plan.human_equiv_min[0, 0]
    assert b.value_usd.sum() == pytest.approx(b.accepted.sum() * price, rel=1e-9)
    assert b.human_equiv_min.sum() == pytest.approx(b.accepted.sum() * minutes, rel=1e-9)
    assert reading.faults.counts == {}
    assert reading.events == found.events
    assert reading.agents.embodied.all() == bool(plan.embodied[0])
    # all of it lies in February
    assert m.first_day >= int(np.datetime64("2026-02-01", "D").astype(int))
    assert m.first_day + m.days - 1 <= int(np.datetime64("2026-02-28", "D").astype(int))


def test_all_kinds_and_months_add_up(warehouse_run: Run, tmp_path: Path) -> None:
    found = export(warehouse_run, tmp_path / "log", months="2026-01:2026-03", scale=200.0)
    plan = Planned.of(warehouse_run)
    m = read(tmp_path / "log").measures
    agent_days = (plan.daa_b * plan.days[:, None]).sum() / 200
    assert abs(m.grades[1].active.sum() - agent_days) <= plan.daa_b.size
    assert abs(m.grades[1].accepted.sum() - plan.counted.sum() / 200) <= plan.daa_b.size / 2
    assert found.months == ("2026-01", "2026-02", "2026-03")
    assert found.kinds == plan.kinds
    assert "one agent and task stands for 200" in str(found)


def test_large_runs_are_scaled(
    warehouse_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["lineshaft.actuals.export"], "MOST_EVENTS", 20_000)
    found = export(warehouse_run, tmp_path / "log")
    assert found.scale == 1000.0
    assert 2_000 < found.events <= 20_000
    assert found.months == ("2026-03",)


def test_the_same_bytes_again(warehouse_run: Run, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        export(warehouse_run, tmp_path / name, scale=5000.0, seed=seed)

    def content(name: str) -> list[tuple[str, bytes]]:
        files = sorted((tmp_path / name / "events").rglob("*.parquet"))
        return [(str(f.relative_to(tmp_path / name)), f.read_bytes()) for f in files]

    assert content("one") == content("same")
    assert content("one") != content("other")


def test_bad_input(warehouse_run: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        export(warehouse_run, tmp_path / "full")
    with pytest.raises(InputError, match="2031-01"):
        export(warehouse_run, tmp_path / "log", months="2031-01")
    with pytest.raises(InputError, match="did you mean 'planning'"):
        export(warehouse_run, tmp_path / "log", kinds=["plannin"])
    with pytest.raises(InputError, match="scale"):
        export(warehouse_run, tmp_path / "log", scale=0.0)
    with pytest.raises(RunError, match="no run there"):
        export(tmp_path / "nothing", tmp_path / "log")
    assert not (tmp_path / "log").exists()


def _plan(agents: float, rate: float, hard: float, shape: float, scale: float) -> Planned:
    """One month and kind by the laws of the line; amounts are those of `scale` times as many."""
    days = 30.0
    n = agents * scale

    def cell(value: float) -> np.ndarray:
        return np.array([[value]])

    tasks = n * rate * days
    zero = cell(0.0)
    return Planned(
        months=("2026-04",), days=np.array([days]), kinds=("kind",), embodied=np.array([False]),
        agents=cell(n), daa_a=cell(float(daa_memoryless(n, rate * hard, shape))),
        daa_b=cell(float(daa_memoryless(n, rate, shape))), accepted=cell(1.1 * tasks),
        counted=cell(tasks), by_human=cell(0.3 * hard * tasks),
        by_verifier=cell(0.7 * hard * tasks),
        attempted=cell(1.3 * tasks), finished=cell(1.15 * tasks), failed=cell(0.15 * tasks),
        reviewed=cell(0.35 * tasks), rejected=cell(0.05 * tasks), rework=zero, expired=zero,
        escaped=zero, tokens_in=zero, tokens_cached=zero, tokens_out=zero, review_min=zero,
        rework_min=zero, operator_min=zero, energy_j=zero, direct_usd=zero, human_usd=zero,
        escape_usd=zero, price_usd=cell(1.0), human_equiv_min=cell(10.0), attempts=cell(1.0),
        wall_s=cell(600.0), sigma=np.array([1.0]), touched=cell(0.0), hours=np.ones((1, 48)),
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.floats(0.05, 300.0),
    st.floats(0.01, 20.0),
    st.floats(0.0, 1.0),
    st.floats(0.2, 20.0),
    st.sampled_from([1.0, 10.0]),
)
def test_agent_days_and_tasks_are_those_of_the_plan(
    agents: float, rate: float, hard: float, shape: float, scale: float
) -> None:
    plan = _plan(agents, rate, hard, shape, scale)
    tasks = _tasks(plan, 0, 0, scale, np.random.default_rng(1))
    counted = tasks.of("human", "verifier", "implicit")
    certain = tasks.of("human", "verifier")

    def agent_days(these: np.ndarray) -> int:
        return len(np.unique(np.stack([tasks.agent[these], tasks.day[these]]), axis=1).T)

    assert abs(len(counted) - plan.counted[0, 0] / scale) <= 0.5
    assert abs(agent_days(counted) - 30 * plan.daa_b[0, 0] / scale) <= 1.5
    assert abs(agent_days(certain) - 30 * plan.daa_a[0, 0] / scale) <= 1.5
    assert abs(len(tasks.of("rejected")) - plan.rejected[0, 0] / scale) <= 0.5
    assert (tasks.start_s < tasks.end_s).all()
    assert (tasks.end_s < 86_400).all()
    first = int(np.datetime64("2026-04-01", "D").astype(int))
    assert ((tasks.day >= first) & (tasks.day < first + 30)).all()
    if len(counted):
        assert tasks.minutes[counted].mean() == pytest.approx(10.0)


def test_every_task_has_one_end(warehouse_run: Run, tmp_path: Path) -> None:
    export(warehouse_run, tmp_path / "log", kinds=["planning"], scale=10.0)
    files = sorted((tmp_path / "log" / "events").rglob("*.parquet"))
    rows = [row for f in files for row in pq.ParquetFile(f).read().to_pylist()]
    ends = {"accept", "reject", "fail", "expire"}
    by_task: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda r: r["ts"]):
        by_task.setdefault(row["task_id"], []).append(row["kind"])
    assert len(by_task) > 100
    for kinds in by_task.values():
        assert kinds[0] == "assign"
        assert sum(kind in ends for kind in kinds) == 1
