"""A scenario from a log: what was put in comes out, and what was not is left out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import lineshaft
from lineshaft.actuals import calibrate, export, merge
from lineshaft.actuals.planned import Planned
from lineshaft.errors import InputError
from lineshaft.measured.models._tools import example
from lineshaft.meter.events import table
from lineshaft.meter.read import read
from lineshaft.runs import Run
from lineshaft.scenario.uncertain import read_uncertain

HOUR = 3_600_000_000
FIRST = int(np.datetime64("2026-03-02", "D").astype(int))  # a Monday

TRUTH = {
    "human_minutes": 20.0, "sigma": 0.8, "price_usd": 3.0, "tokens_per_attempt": 50_000.0,
    "input_share": 0.95, "cached_share": 0.6, "calls_per_attempt": 4.0, "steer_minutes": 0.5,
    "verified": 0.4, "share": 0.3, "minutes": 6.0, "rework": 0.7, "detection": 0.75, "shape": 3.0,
}  # fmt: skip


def made(seed: int = 3, agents: int = 40, days: int = 28) -> list[dict[str, Any]]:
    """Work by the model of the line, with the parameters of TRUTH."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    rates = rng.gamma(TRUTH["shape"], 3.0 / TRUTH["shape"], agents)

    def add(at: float, kind: str, agent: int, task: str, **more: Any) -> None:
        rows.append({
            "event_id": str(len(rows)), "ts": round((FIRST * 24 + at) * HOUR), "kind": kind,
            "agent_id": f"agent-{agent}", "task_id": task, **more,
        })  # fmt: skip

    for day in range(days):
        busy = 1.0 if day % 7 < 5 else 0.5
        for agent in range(agents):
            for _ in range(rng.poisson(busy * rates[agent])):
                task = f"t{len(rows)}"
                at = day * 24 + rng.uniform(8, 18)
                length = TRUTH["human_minutes"] * np.exp(TRUTH["sigma"] * rng.normal())
                add(at, "assign", agent, task, human_equiv_min=length)
                tries = 1 + int(rng.random() < 0.3)
                for _ in range(tries):
                    add(at, "start", agent, task)
                    total = TRUTH["tokens_per_attempt"] * rng.uniform(0.5, 1.5)
                    for _ in range(4):
                        add(at + 0.1, "llm", agent, task, tokens_in=round(total * 0.95 / 4),
                            tokens_out=round(total * 0.05 / 4),
                            tokens_cached=round(total * 0.95 * 0.6 / 4))  # fmt: skip
                if rng.random() < 0.5:
                    add(at + 0.1, "human_touch", agent, task, human_s=60.0)
                if rng.random() < 0.2:
                    add(at + 0.2, "fail", agent, task)
                    continue
                wrong, reviewed = rng.random() < 0.2, rng.random() < TRUTH["share"]
                seen = reviewed and wrong and rng.random() < TRUTH["detection"]
                person = {"actor": "human", "reviewer_id": f"r{rng.integers(5)}"}
                if seen:
                    add(at + 0.3, "reject", agent, task, human_s=480.0, **person)
                    if rng.random() < TRUTH["rework"]:
                        add(at + 0.4, "start", agent, task)
                    continue
                if reviewed:
                    add(at + 0.3, "accept", agent, task, method="human", value_usd=3.0,
                        human_s=60 * TRUTH["minutes"], **person)  # fmt: skip
                else:
                    method = "verifier" if rng.random() < TRUTH["verified"] else "implicit"
                    add(at + 0.3, "accept", agent, task, method=method, value_usd=3.0)
                if wrong:  # all that escaped comes to light
                    add(at + 48, "revert", agent, task)
    return rows


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "made.parquet"
    pq.write_table(table(made()), path)
    return path


def _ranges(text: str) -> dict[str, tuple[float, float]]:
    """(5 %, 95 %) of every number in the text."""
    found: dict[str, tuple[float, float]] = {}
    for line in text.splitlines():
        match = re.fullmatch(r'(\w+) = ("[^"]*"|[\d.]+)  # .*', line)
        if not match or match[1] in ("name", "work", "review", "adoption"):
            continue
        value = tomllib.loads(f"x = {match[2]}")["x"]
        unit = "minute" if str(value).endswith("min") else "task" if "tasks" in str(value) else "1"
        law = read_uncertain(value, unit)
        found[match[1]] = (float(law.ppf(0.05)), float(law.ppf(0.95)))
    return found


def test_what_was_put_in_comes_out(log: Path) -> None:
    text = calibrate(log)
    ranges = _ranges(text)
    outside = []
    for name, value in TRUTH.items():
        low, high = ranges[name]
        assert 0.5 * value < low <= high < 2.0 * value, name
        if not 0.999 * low <= value <= 1.001 * high:
            outside.append(name)
    assert len(outside) <= 3  # 90 % of 14
    assert ranges["seats"][0] == 40
    assert ranges["headcount"][0] == 5
    assert ranges["attempts"][0] in (2, 3)  # a rejected task is begun once more
    low, high = ranges["market_tasks_per_day"]
    assert 80 < low < high < 130
    assert ranges["rework_minutes"][0] == pytest.approx(2.0, abs=0.01)
    assert "zone UTC" in text
    weekday, weekend = (
        np.array(tomllib.loads(text)["agents"]["kind"][0]["load"][name])
        for name in ("weekday", "weekend")
    )
    assert weekday[:8].sum() == weekday[18:].sum() == 0
    assert weekend.sum() / weekday.sum() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["gigawatt", "warehouse"])
def test_a_shipped_scenario_runs_with_it(name: str, log: Path) -> None:
    base = example(name).read_text("utf-8")
    merged = merge(base, calibrate(log, work={"software agents": "support"}))
    # the success that the log shows is that of its own month
    when = ["months=2", 'start="2026-03"'] if name == "warehouse" else []
    scenario = lineshaft.read(merged, overrides=when)
    kind = scenario.agents.kind[-1]
    assert (kind.name, kind.work) == ("software agents", "support")
    assert kind.seats.median == 40
    before = lineshaft.read(base)
    assert len(scenario.agents.kind) == len(before.agents.kind) + 1
    people = {role.name: role.headcount.median for role in scenario.oversee.role}
    assert people["reviewer"] == 5
    if name == "warehouse":
        outcome = lineshaft.solve(scenario)
        at = outcome.tables.dims.index("kind", "software agents")
        assert outcome.tables.accepted.accepted[0, at, 0] > 0
        assert outcome.tables.fielded.success[0, at, 0] == pytest.approx(0.8, abs=0.03)


def test_merging_keeps_what_the_log_does_not_say() -> None:
    base = (
        '[[agents.kind]]\nname = "a"\nwork = "coder"\nmodel = "m"\nsigma = 2\n\n'
        '[[oversee.role]]\nname = "operator"\nheadcount = 3\n'
    )
    merged = tomllib.loads(
        merge(
            base,
            '[[agents.kind]]\nname = "a"\nsigma = 1\n\n[[agents.kind]]\nname = "b"\n\n'
            '[[oversee.policy]]\nname = "a"\nshare = 0.2\n',
        )
    )
    assert merged["agents"]["kind"] == [
        {"name": "a", "work": "coder", "model": "m", "sigma": 1},
        {"name": "b"},
    ]
    assert merged["oversee"] == {
        "role": [{"name": "operator", "headcount": 3}],
        "policy": [{"name": "a", "share": 0.2}],
    }
    assert tomllib.loads(merge("", base)) == tomllib.loads(base)


def test_a_run_exported_and_calibrated_says_its_own_inputs(
    warehouse_run: Run, tmp_path: Path
) -> None:
    export(
        warehouse_run, tmp_path / "log", months="2026-01:2026-03", kinds=["inventory"], scale=4.0
    )
    reading = read(tmp_path / "log")
    text = calibrate(reading, kinds={"inventory": "inventory-*"}, work={"inventory": "inventory"})
    ranges = _ranges(text)
    plan = Planned.of(warehouse_run, ["inventory"]).chosen([1])
    (kind,) = tomllib.loads(text)["agents"]["kind"]
    assert (kind["name"], kind["work"]) == ("inventory", "inventory")
    assert kind["sigma"] == pytest.approx(0.8, abs=0.05)
    tokens = (plan.tokens_in + plan.tokens_out).sum() / (plan.attempts * plan.attempted).sum()
    minutes = plan.review_min.sum() / plan.reviewed.sum()
    for name, value in (
        ("price_usd", float(plan.price_usd.mean())),
        ("tokens_per_attempt", float(tokens)),
        ("cached_share", float((plan.tokens_cached / plan.tokens_in).mean())),
        ("share", float(plan.reviewed.sum() / plan.finished.sum())),
        ("minutes", float(minutes)),
        ("human_minutes", 10.0),
    ):
        low, high = ranges[name]
        assert 0.9 * low <= value <= 1.1 * high, name


def test_what_the_log_cannot_say_is_left_out_and_named(tmp_path: Path) -> None:
    rows = [
        {"event_id": str(n), "ts": n * HOUR, "agent_id": f"a{n % 3}", "kind": "submit",
         "task_id": f"t{n}", "method": "self_report"}
        for n in range(30)
    ]  # fmt: skip
    rows.append({"event_id": "r", "ts": 0, "agent_id": "r1", "kind": "submit", "task_id": "r",
                 "agent_kind": "embodied"})  # fmt: skip
    pq.write_table(table(rows), tmp_path / "thin.parquet")
    text = calibrate(tmp_path / "thin.parquet")
    (kind,) = tomllib.loads(text)["agents"]["kind"]
    assert set(kind) == {
        *("name", "work", "adoption", "seats", "market_tasks_per_day", "attempts", "verified"),
        "eligible",
    }
    for name in ("human_minutes", "deployment", "price_usd", "tokens_per_attempt", "detection"):
        assert re.search(rf"# {name}[ ,:]", text), name
    assert "[[floor.robots]]" in text
    assert 'review = "none"' in text
    with pytest.raises(InputError, match="did you mean 'coder'"):
        calibrate(tmp_path / "thin.parquet", work={"software agents": "coders"})
