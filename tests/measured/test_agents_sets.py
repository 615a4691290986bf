"""Published sets of agents: scored on made files with known answers, and on the real ones."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineshaft.measured import scores
from lineshaft.measured.models import agents_sets, agents_tasks
from lineshaft.stages.agents import SLIP, HorizonFit, all_pass

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
shared = pytest.mark.skipif(
    not (DATA / "agents").is_dir(), reason="the published sets are not on this machine"
)


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def made_tasks(seed: int, family_sd: float) -> list[dict[str, Any]]:
    """Results of two agents on tasks of 30 families of five that differ by `family_sd` logits."""
    rng = np.random.default_rng(seed)
    rows = []
    for family in range(30):
        effect = family_sd * rng.standard_normal()
        for task in range(5):
            minutes = float(np.exp2(rng.uniform(-2, 10)))
            for agent, intercept in (("one", 3.5), ("two", 4.5)):
                p = 1.0 / (1.0 + np.exp(-(intercept - 0.6 * np.log2(minutes) + effect)))
                rows.append(
                    {
                        "agent": agent, "task_id": f"made{family}/{task}",
                        "human_minutes": minutes, "n_successes": rng.binomial(6, p), "n_runs": 6,
                        "task_weight": 1.0,
                    }
                )  # fmt: skip
    return rows


def test_families_help_where_families_differ_and_hurt_little_where_not() -> None:
    apart = agents_tasks.score(agents_tasks.read([_texts(r) for r in made_tasks(1, 3.0)]))
    alike = agents_tasks.score(agents_tasks.read([_texts(r) for r in made_tasks(2, 0.0)]))
    assert apart["gain_families"] > 0.3
    assert apart["unseen_tasks"] == 150
    assert apart["brier"] == apart["brier_peers"] < apart["brier_plain"]
    # where length says all, what is left is the luck of six runs
    assert alike["brier_families"] - alike["brier_plain"] < 0.01
    # of families left out whole nothing is known: the plain logistic
    assert abs(apart["new_families"]["gain_families"]) < 0.05
    fit = apart["agents"]["one"]
    assert fit["slope"] > 0 and fit["p80_min"] < fit["p50_min"]
    assert sum(bucket["tasks"] for bucket in fit["buckets"]) == 150


def test_what_ships_is_used_on_tasks_it_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_texts(row) for row in made_tasks(3, 3.0)]
    known = [row for row in rows if row["task_id"][-1] in "012"]
    tasks = agents_tasks.read(known)
    document = json.loads(json.dumps(agents_tasks.document(tasks)))
    shipped = agents_tasks.Shipped(
        {n: HorizonFit(f["intercept"], f["slope"], 0) for n, f in document["agents"].items()},
        {n: agents_tasks.FamilyEffect(f["mean"], f["sd"]) for n, f in document["families"].items()},
        frozenset(row["task_id"] for row in known),
    )
    monkeypatch.setattr(agents_tasks, "shipped", lambda: shipped)
    told = agents_tasks.score(agents_tasks.read(rows))
    assert told["unseen_tasks"] == 60
    assert told["gain_families"] > 0.2
    assert told["predicted"].startswith("what ships")
    # the same as cross-validation says of seen ones, roughly
    seen = agents_tasks.score(tasks)
    assert seen["unseen_tasks"] == 0 and seen["gain_families"] > 0.2


def test_an_agent_that_does_not_ship_is_predicted_from_its_other_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = agents_tasks.Shipped({}, {}, frozenset())
    monkeypatch.setattr(agents_tasks, "shipped", lambda: nobody)
    told = agents_tasks.score(agents_tasks.read([_texts(row) for row in made_tasks(4, 3.0)]))
    assert told["gain_families"] > 0.2 and np.isfinite(told["brier_plain"])


def test_a_handful_of_results_is_scored_too() -> None:
    rows = [
        {
            "agent": agent, "task_id": f"made/{task}", "human_minutes": "30", "n_successes": "5",
            "n_runs": "5", "task_weight": "1",
        }
        for agent, task in (("a", "1"), ("a", "2"), ("b", "1"))
    ]  # fmt: skip
    told = agents_tasks.score(agents_tasks.read(rows))
    assert told["rows"] == 3 and 0.0 <= told["brier_plain"] < 1.0
    assert np.isfinite(told["brier_peers"])


def test_the_shipped_file_holds_tasks_and_families() -> None:
    ours = agents_tasks.shipped()
    assert set(ours.fits) == {"GPT-5.4", "Claude Mythos Preview"}
    assert len(ours.seen) == 149 and len(ours.effects) == 62
    assert all(0 < effect.sd <= agents_tasks.SPREAD.family for effect in ours.effects.values())


def test_passes_made_by_the_model_are_found_without_error(tmp_path: Path) -> None:
    rows = []
    for mean, rho in ((0.4, 0.5), (0.7, 0.6), (0.2, 0.3)):
        passes = [100 * (1 - SLIP) ** k * float(all_pass(mean, rho, k)) for k in (1, 2, 3, 4)]
        rows.append(
            {"model": f"m{mean}", "domain": "retail"}
            | {f"pass_{k}": p for k, p in enumerate(passes, 1)}
        )
    rows.append({"model": "part", "domain": "retail", "pass_1": 50.0})
    write(tmp_path / "tau2_leaderboard.csv", rows)
    (found,) = scores("agents", tmp_path)
    assert found.name == "tau2_leaderboard"
    assert (found.score["rows"], found.score["entries"]) == (4, 3)
    assert found.score["pass_4_mae_points"] == pytest.approx(0.0, abs=1e-9)
    assert found.score["iid_pass_4_mae_points"] > 5.0
    assert found.score["beta_pass_4_mae_points"] > 0.1
    known = agents_sets.entries(agents_sets.rows(tmp_path, "tau2_leaderboard"))
    assert agents_sets.fit_slip(known.shares) == pytest.approx(SLIP)


def test_files_are_found_in_the_folder_and_in_its_folder_agents(tmp_path: Path) -> None:
    horizon = {
        "model": "m", "release": "2024-01-01", "p50": 10.0, "p80": 2.0, "p80lo": 1.0, "p80hi": 4.0,
        "sota": "True",
    }  # fmt: skip
    later = horizon | {"release": "2024-07-01", "p50": 40.0, "p80": 8.0}
    write(tmp_path / "agents" / "metr_published_horizons_th11.csv", [horizon, later])
    (found,) = scores("agents", tmp_path)
    assert found.score["doubling_days"] == pytest.approx(91.0)
    assert found.score["rows"] == 2
    assert agents_sets.found(tmp_path / "nowhere") == []
    (tmp_path / "metr_cost_summary.csv").write_text("alias,cost_ratio\n", encoding="utf-8")
    assert {one.name: one.score["rows"] for one in scores("agents", tmp_path)} == {
        "metr_published_horizons_th11": 2,
        "metr_cost_summary": 0,
    }


@shared
@pytest.mark.shared
def test_the_published_sets_meet_what_is_asked_of_them() -> None:
    sets = {one.name: one.score for one in scores("agents", DATA)}
    assert set(sets) == set(agents_sets.SETS)
    tasks = sets["metr_task_results_th11"]
    assert tasks["slope_off"] < 0.002 and tasks["intercept_off"] < 0.002
    assert tasks["p50_off"] < 0.005
    assert tasks["gain_families"] > 0.15 and tasks["gain_peers"] > 0.3
    assert abs(sets["metr_published_horizons_th11"]["doubling_days"] - 143.247) < 0.1
    assert abs(sets["metr_published_horizons_th10"]["doubling_days"] - 176.265) < 0.1
    passes = sets["tau2_leaderboard"]
    assert passes["pass_3_mae_points"] < 1.0 and passes["pass_4_mae_points"] < 1.5
    for by in ("model", "domain"):
        assert passes[f"by_{by}_pass_4_mae_points"] < 2.0
    assert sets["metr_cost_summary"]["cost_ratio_mae"] < 0.05
    assert sets["swebench_leaderboard_2025_02"]["resolved_mae_points"] < 8.0


@shared
@pytest.mark.shared
def test_what_ships_is_what_the_fit_gives() -> None:
    rows = agents_sets.rows(DATA, "metr_task_results_th11")
    assert agents_tasks.document(agents_tasks.read(rows))["agents"] == {
        name: {"intercept": round(fit.intercept, 6), "slope": round(fit.slope, 6)}
        for name, fit in agents_tasks.shipped().fits.items()
    }


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in row.items()}
