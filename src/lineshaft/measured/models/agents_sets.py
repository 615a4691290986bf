"""Published measurements of agents, whole files at once: horizons, results by task, repeated
passes, cost with a human to fall back on, difficulty and share resolved.

Each file is read by its name, in a folder or in its folder ``agents``. What ships was fitted on
public rows (`bench/fit_agents.py`); nothing is fitted per entry beyond what a set's own first
columns say.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.measured.models import agents_tasks
from lineshaft.measured.models._tools import csv_rows
from lineshaft.stages.agents import (
    SLIP,
    fallback_cost_ratio,
    fit_horizon,
    fit_trend,
    horizon_ratio,
    pass_k,
    rho_from_passes,
    success_probability,
)

Array = NDArray[np.float64]
Rows = list[dict[str, str]]
Tell = Callable[[str], None]
SLIPS = np.arange(0.0, 0.1501, 0.005)
"""Among which the slip is chosen."""
SWE_BENCH_MIN = {"<15 min fix": 7.5, "15 min - 1 hour": 30.0, "1-4 hours": 120.0, ">4 hours": 360.0}
"""Human minutes of SWE-bench's classes of difficulty: their geometric middles; of the first and
the last, half and one and a half of the end. Estimates."""
SWE_BENCH_MODELS = {
    "gpt 4o": "GPT-4o",
    "gpt-4o": "GPT-4o",
    "gpt4o": "GPT-4o",
    "gpt 4 (1106)": "GPT-4 Turbo",
    "claude 3 opus": "Claude 3 Opus",
    "sonnet (2024-10-22)": "Claude 3.5 Sonnet (2024-10)",
    "sonnet-20241022": "Claude 3.5 Sonnet (2024-10)",
    "sonnet (20241022)": "Claude 3.5 Sonnet (2024-10)",
}
"""Model of the catalog by what an entry's name holds."""


def found(folder: Path) -> list[Path]:
    """The files of measured sets in `folder`, or in its folder ``agents``."""
    return [path for name in SETS if (path := _path(folder, name)) is not None]


def score(folder: Path, tell: Tell | None = None) -> dict[str, dict[str, Any]]:
    """What the model gives on each file, by its name without the ending.

    `_points` are percentage points, `_gain` and `_off` fractions, the rest as their names say.
    """
    sets = {}
    for path in found(folder):
        if tell:
            tell(path.stem)
        lines = csv_rows(path)
        sets[path.stem] = SETS[path.stem](lines, folder) if lines else {"rows": 0}
    return sets


def rows(folder: Path, name: str) -> Rows:
    """The lines of a set; none where it is not there."""
    path = _path(folder, name)
    return [] if path is None else csv_rows(path)


# Repeated passes.


@dataclass(frozen=True)
class Entries:
    """Entries of a leaderboard with pass^1 to pass^4."""

    model: NDArray[np.str_]
    domain: NDArray[np.str_]
    shares: Array
    """[k, entry]"""


def entries(lines: Sequence[Mapping[str, str]]) -> Entries:
    """Those that have all four."""
    keys = ("pass_1", "pass_2", "pass_3", "pass_4")
    full = [row for row in lines if all(row[key] for key in keys)]
    shares = np.array([[float(row[key]) for row in full] for key in keys]) / 100.0
    model, domain = (np.array([row[c] for row in full], np.str_) for c in ("model", "domain"))
    return Entries(model, domain, shares.reshape(4, len(full)))


def pass_errors(shares: Array, slip: float | None) -> tuple[float, float]:
    """Mean absolute errors of pass^3 and pass^4 in points, from the first two; without a slip,
    from the first alone and independently."""
    p1 = shares[0]

    def of(k: int) -> float:
        model = p1**k if slip is None else pass_k(p1, shares[1], k, slip)
        return 100.0 * float(np.abs(model - shares[k - 1]).mean())

    return of(3), of(4)


def fit_slip(shares: Array) -> float:
    """The one slip with the least sum of both errors."""
    return float(min(SLIPS, key=lambda slip: sum(pass_errors(shares, float(slip)))))


def crossed_slip(known: Entries, by: str) -> tuple[float, float]:
    """Errors in points where each model's, or domain's, entries are predicted with the slip that
    the others give."""
    groups = getattr(known, by)
    errors = np.zeros(2)
    for group in np.unique(groups):
        own = groups == group
        rest = known.shares[:, ~own]
        slip = fit_slip(rest) if rest.size else SLIP
        errors += own.sum() * np.array(pass_errors(known.shares[:, own], slip))
    third, fourth = errors / len(groups)
    return float(third), float(fourth)


def _tau2(lines: Rows, folder: Path) -> dict[str, Any]:
    known = entries(lines)
    scored: dict[str, Any] = {"rows": len(lines), "entries": len(known.model)}
    if not len(known.model):
        return scored
    shares = known.shares
    for name, slip in (("", SLIP), ("beta_", 0.0), ("iid_", None)):
        third, fourth = pass_errors(shares, slip)
        scored |= {f"{name}pass_3_mae_points": third, f"{name}pass_4_mae_points": fourth}
    for by in ("model", "domain"):
        third, fourth = crossed_slip(known, by)
        scored |= {f"by_{by}_pass_3_mae_points": third, f"by_{by}_pass_4_mae_points": fourth}
    scored["median_rho"] = float(np.median(rho_from_passes(shares[0], shares[1])))
    scored["domains"] = {
        str(name): dict(
            zip(
                ("pass_3_mae_points", "pass_4_mae_points"),
                pass_errors(shares[:, known.domain == name], SLIP),
                strict=True,
            )
        )
        for name in np.unique(known.domain)
    }
    return scored


def _tau1(lines: Rows, folder: Path) -> dict[str, Any]:
    tasks = defaultdict(list)
    for row in lines:
        tasks[row["task_id"]].append(float(row["reward"]) >= 1.0)
    runs = np.array([len(won) for won in tasks.values()])
    wins = np.array([sum(won) for won in tasks.values()])
    scored: dict[str, Any] = {"rows": len(lines), "tasks": len(tasks)}

    def measured(k: int) -> float:
        full = runs >= k
        chosen = [
            math.comb(int(w), k) / math.comb(int(n), k)
            for w, n in zip(wins[full], runs[full], strict=True)
        ]
        return float(np.mean(chosen)) if chosen else math.nan

    first, second = measured(1), measured(2)
    scored["all_or_nothing"] = float(np.mean((wins == 0) | (wins == runs)))
    scored["rho"] = None if math.isnan(second) else float(rho_from_passes(first, second))
    for k in (1, 2, 3, 4):
        scored[f"pass_{k}_points"] = _points(measured(k))
    for k in (3, 4):
        model = float(pass_k(first, second, k))
        scored[f"pass_{k}_error_points"] = _points(model - measured(k))
        scored[f"iid_pass_{k}_error_points"] = _points(first**k - measured(k))
    return scored


# Horizons.


def _task_results(lines: Rows, folder: Path) -> dict[str, Any]:
    return agents_tasks.score(agents_tasks.read(lines))


def _horizons(lines: Rows, folder: Path) -> dict[str, Any]:
    best = [row for row in lines if row["sota"] == "True" and row["release"] >= "2023"]
    scored: dict[str, Any] = {"rows": len(lines), "trend_models": len(best)}
    if len({row["release"] for row in best}) > 1:
        p50 = [float(row["p50"]) for row in best]
        scored["doubling_days"] = fit_trend([row["release"] for row in best], p50).doubling_days
    both = np.array([[float(row["p50"]), float(row["p80"])] for row in lines]).T
    off = both[0] * horizon_ratio(0.8) / both[1]
    low, high = (np.array([float(row[c]) for row in lines]) for c in ("p80lo", "p80hi"))
    p80 = both[0] * horizon_ratio(0.8)
    scored["p80_over_published_median"] = float(np.median(off))
    scored["p80_inside_interval"] = float(np.mean((p80 >= low) & (p80 <= high)))
    slopes = math.log(4.0) / np.log2(both[0] / both[1])
    scored["median_slope"] = float(np.median(slopes))
    return scored


def _runs(lines: Rows, folder: Path) -> dict[str, Any]:
    """Each model's logistic on runs of its own, and how much of its tasks is all or nothing."""
    agents: dict[str, dict[str, tuple[float, list[int]]]] = defaultdict(dict)
    for row in lines:
        task = agents[row["alias"]].setdefault(row["task_id"], (float(row["human_minutes"]), []))
        task[1].append(int(row["score_binarized"]))
    scored: dict[str, Any] = {"rows": len(lines), "aliases": {}}
    for alias, tasks in agents.items():
        minutes = np.array([m for m, _ in tasks.values()])
        wins = np.array([float(sum(won)) for _, won in tasks.values()])
        runs = np.array([float(len(won)) for _, won in tasks.values()])
        if alias == "human" or not 0.02 < wins.sum() / runs.sum() < 0.98:
            continue
        try:
            fit = fit_horizon(minutes, wins, runs)
        except InputError:
            continue
        several = runs > 1
        scored["aliases"][alias] = {
            "tasks": len(minutes),
            "runs": int(runs.sum()),
            "slope": fit.slope,
            "p50_min": fit.horizon_min(),
            "brier": float(np.mean((fit.probability(minutes) - wins / runs) ** 2)),
            "brier_null": float(np.var(wins / runs)),
            "all_or_nothing": float(np.mean(np.isin((wins / runs)[several], (0.0, 1.0)))),
        }
    fits = list(scored["aliases"].values())
    if fits:
        briers, nulls = ([fit[key] for fit in fits] for key in ("brier", "brier_null"))
        scored["brier_over_null"] = float(np.sum(briers) / np.sum(nulls))
        scored["median_slope"] = float(np.median([fit["slope"] for fit in fits]))
    return scored


# Cost with a human to fall back on.

ALIASES = {
    "GPT-4 0314": "gpt_4", "GPT-4 Turbo": "gpt_4_1106", "GPT-4 0125": "gpt_4_1106",
    "Claude 3 Opus": "claude_3_opus", "o1-preview": "o1_preview", "o1": "o1_elicited",
    "Claude 3.5 Sonnet (New)": "claude_3_5_sonnet_20241022",
    "Claude 3.7 Sonnet": "claude_3_7_sonnet", "GPT-4o": "gpt_4o",
}  # fmt: skip
"""Model of METR's published horizons (TH1.0, to which the costs belong) by alias."""


def _savings(lines: Rows, folder: Path) -> dict[str, Any]:
    """By bucket of length: what a human costs, weighted with the bucket's human cost."""
    predicted, measured, agents = [], [], []
    logistic = _logistics(folder)
    for row in lines:
        if row["alias"] not in logistic:
            continue
        low, high = _ends(row["human_minutes_bucket"])
        p50, slope = logistic[row["alias"]]
        predicted.append(fallback_cost_ratio(p50, slope, low, high))
        measured.append(float(row["cost_ratio"]))
        agents.append(row["alias"])
    return {"rows": len(lines)} | _ratios(agents, predicted, measured)


def _summary(lines: Rows, folder: Path) -> dict[str, Any]:
    """Over all lengths, with the human cost of the buckets of the file beside it."""
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows(folder, "metr_cost_savings_by_bucket"):
        shares[row["alias"]][row["human_minutes_bucket"]] = float(row["human_cost"])
    usual = next(iter(shares.values()), {})
    predicted, measured, agents = [], [], []
    logistic = _logistics(folder)
    for row in lines:
        buckets = shares.get(row["alias"], usual)
        if row["alias"] not in logistic or not buckets:
            continue
        p50, slope = logistic[row["alias"]]
        cost = sum(
            usd * fallback_cost_ratio(p50, slope, *_ends(name)) for name, usd in buckets.items()
        )
        predicted.append(cost / sum(buckets.values()))
        measured.append(float(row["cost_ratio"]))
        agents.append(row["alias"])
    return {"rows": len(lines)} | _ratios(agents, predicted, measured)


def _ends(bucket: str) -> tuple[float, float]:
    """Human minutes of a bucket written as 16-256."""
    low, _, high = bucket.partition("-")
    return float(low), float(high)


def _ratios(agents: list[str], predicted: list[float], measured: list[float]) -> dict[str, Any]:
    if not predicted:
        return {"scored": 0}
    model, real, named = np.array(predicted), np.array(measured), np.array(agents)
    off = model - real
    return {
        "scored": len(off),
        "cost_ratio_mae": float(np.abs(off).mean()),
        "cost_ratio_median_abs_error": float(np.median(np.abs(off))),
        "cost_ratio_bias": float(off.mean()),
        "aliases": {
            alias: {
                "model": model[named == alias].round(3).tolist(),
                "measured": real[named == alias].round(3).tolist(),
            }
            for alias in dict.fromkeys(agents)
        },
    }


def _logistics(folder: Path) -> dict[str, tuple[float, float]]:
    """(p50, slope) by alias: of the published horizons in the folder, else of the catalog."""
    found = {}
    published = {row["model"]: row for row in rows(folder, "metr_published_horizons_th10")}
    for alias, name in ALIASES.items():
        if name in published:
            p50, p80 = (float(published[name][column]) for column in ("p50", "p80"))
        else:
            try:
                row = catalog.find("capabilities", alias)
            except InputError:
                continue
            p50, p80 = row.number("p50_minutes"), row.number("p80_minutes")
        found[alias] = (p50, math.log(4.0) / math.log2(p50 / p80))
    return found


# SWE-bench.


def _difficulty(lines: Rows, folder: Path) -> dict[str, Any]:
    """What annotators say of length, and what the issues that they filter out would have been."""
    counts = _mix(lines)
    total = sum(counts.values())
    kept = [row for row in lines if row["filter_out"] != "True"]
    scored: dict[str, Any] = {"rows": len(lines), "kept": len(kept)}
    scored["shares"] = {name: count / total for name, count in counts.items()} if total else {}
    minutes = np.array([SWE_BENCH_MIN[n] for n, c in counts.items() for _ in range(int(c))])
    if minutes.size:
        logs = np.log(minutes)
        scored |= {
            "geometric_mean_min": float(np.exp(logs.mean())),
            "sigma": float(logs.std()),
            "success_at_published": {
                row.name: float(success_probability(minutes, row.number("p50_minutes")).mean())
                for row in catalog.table("capabilities")
            },
        }
    return scored


def _leaderboard(lines: Rows, folder: Path) -> dict[str, Any]:
    """Share resolved of SWE-bench Verified, from the horizon of the model that an entry names."""
    mix = _mix(
        [r for r in rows(folder, "swebench_annotations_difficulty") if r["filter_out"] != "True"]
    )
    board = [row for row in lines if row["board"] == "Verified"]
    scored: dict[str, Any] = {"rows": len(lines), "verified": len(board), "scored": 0}
    if not mix:
        return scored
    minutes = np.array([SWE_BENCH_MIN[name] for name in mix])
    weight = np.array(list(mix.values()))
    best: dict[str, list[float]] = defaultdict(list)
    for row in board:
        name = row["name"].lower()
        models = [model for part, model in SWE_BENCH_MODELS.items() if part in name]
        if models and not name.startswith("rag"):
            best[models[0]].append(float(row["resolved"]))
    errors = []
    scored["models"] = {}
    for model, resolved in best.items():
        p50 = catalog.find("capabilities", model).number("p50_minutes")
        share = float(success_probability(minutes, p50) @ weight / weight.sum())
        errors += [100.0 * share - value for value in resolved]
        scored["models"][model] = {
            "entries": len(resolved),
            "resolved_points": [min(resolved), float(np.median(resolved)), max(resolved)],
            "model_points": 100.0 * share,
        }
    if errors:
        scored["scored"] = len(errors)
        scored["resolved_mae_points"] = float(np.abs(errors).mean())
        scored["resolved_bias_points"] = float(np.mean(errors))
    return scored


def _mix(lines: Sequence[Mapping[str, str]]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for name in SWE_BENCH_MIN:
        number = sum(row["difficulty"] == name for row in lines)
        if number:
            counts[name] = float(number)
    return counts


# The trial.


def _points(share: float) -> float | None:
    return None if math.isnan(share) else 100.0 * share


def _path(folder: Path, name: str) -> Path | None:
    places = (folder / f"{name}.csv", folder / "agents" / f"{name}.csv")
    return next((path for path in places if path.is_file()), None)


SETS: dict[str, Callable[[Rows, Path], dict[str, Any]]] = {
    "metr_task_results_th11": _task_results,
    "metr_published_horizons_th10": _horizons,
    "metr_published_horizons_th11": _horizons,
    "metr_runs_2025_02": _runs,
    "metr_cost_summary": _summary,
    "metr_cost_savings_by_bucket": _savings,
    "tau1_airline_gpt4o_runs": _tau1,
    "tau2_leaderboard": _tau2,
    "swebench_annotations_difficulty": _difficulty,
    "swebench_leaderboard_2025_02": _leaderboard,
}
"""What scores each file, by its name without the ending."""
