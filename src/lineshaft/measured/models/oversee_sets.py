"""Measured oversight, whole: exact answers, fleets per human, review that outgrew its reviewers,
and the review minutes of a trial.

The first three need no file. Responses are told, not fits: what the queue does to what was
measured to have changed, and how busy people must have been before for the growth that was
measured. Nothing is chosen per point.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.measured.models._tools import csv_rows
from lineshaft.measured.models.oversee import review_time_ratio, units_per_overseer
from lineshaft.measured.models.oversee_exact import cases
from lineshaft.stages.oversee import erlang_c, mean_wait_s, wait_quantile_s

Array = NDArray[np.float64]
Tell = Callable[[str], None]
TRIAL = "metr_rct_2025"

FAROS_REQUESTS, FAROS_SIZE = 1.98, 2.54
"""Faros AI 2025, teams that use AI much against those that use it little: +98 % pull requests,
+154 % size. https://www.faros.ai/blog/ai-software-engineering"""
FAROS_GROWTH = {"2025": 1.91, "2026": 5.415}
"""Time in review then over before: +91 % (2025) and, median, +441.5 % (2026)."""
FAROS_UNREVIEWED = 0.313
"""+31.3 % merges without review (2026); taken as that share of all, the most that it can mean."""
POWERS = {"": 1.0, "_faster": 0.5}
"""Review minutes grow with size, or with its root: people read large requests faster."""
TEAM = 5
"""Reviewers of a team; no source."""

WAYMO_ON_DUTY, WAYMO_VEHICLES = 70, 3000.0
"""Waymo's letter of 2026-02-17: about 70 on duty for about 3,000 vehicles."""
WAYMO_OCCUPANCY = 0.7
CALL_S = 30.0
"""Length of one call for help; no source."""


SHIPPED = True
"""The exact cases and the two responses need no folder."""


def found(folder: Path | None) -> list[Path]:
    """The files of measured sets in `folder`, or in its folder ``agents``."""
    if folder is None:
        return []
    paths = (folder / f"{TRIAL}.csv", folder / "agents" / f"{TRIAL}.csv")
    return [path for path in paths if path.is_file()][:1]


def score(folder: Path | None, tell: Tell | None = None) -> dict[str, dict[str, Any]]:
    """What the model gives on each set."""
    sets: dict[str, dict[str, Any]] = {}
    for name, of in (("exact_cases", exact), ("waymo", waymo), ("faros", faros)):
        if tell:
            tell(name)
        sets[name] = of()
    for path in found(folder):
        if tell:
            tell(path.stem)
        sets[path.stem] = trial(csv_rows(path))
    return sets


def exact() -> dict[str, Any]:
    """The largest error of the engines against sums in whole fractions, and each of them."""
    each = {case.name: case.error for case in cases()}
    return {"rows": len(each), "worst": max(each.values()), "errors": each}


def waymo() -> dict[str, Any]:
    """How long help takes with 43 vehicles per human, and how few would do."""
    load = WAYMO_OCCUPANCY * WAYMO_ON_DUTY
    human_s = 3600.0 * load / WAYMO_VEHICLES
    per_s = load / CALL_S
    responses = {
        f"vehicles_per_human_at_{need}_s": units_per_overseer(
            units=WAYMO_VEHICLES, seconds_per_unit_hour=float(need), call_s=CALL_S
        )
        for need in (30, 60, 120, 240)
    }
    return {
        "rows": 1,
        "measured_vehicles_per_human": WAYMO_VEHICLES / WAYMO_ON_DUTY,
        "human_s_per_vehicle_hour": human_s,
        "p_wait": float(erlang_c(WAYMO_ON_DUTY, load)),
        "mean_wait_s": float(mean_wait_s(WAYMO_ON_DUTY, per_s, CALL_S)),
        "wait_p999_s": float(wait_quantile_s(WAYMO_ON_DUTY, per_s, CALL_S, 0.999)),
        "vehicles_per_human": units_per_overseer(
            units=WAYMO_VEHICLES, seconds_per_unit_hour=human_s, call_s=CALL_S
        ),
        "occupancy_of_one_percent_waits": _highest(
            lambda u: float(erlang_c(WAYMO_ON_DUTY, u * WAYMO_ON_DUTY)) <= 0.01
        ),
        **responses,
    }


def faros() -> dict[str, Any]:
    """Time in review after over before at fixed reviewers, and the utilisation before it that the
    measured growth implies; None where even idle reviewers would take longer, with the largest
    power of size that would not."""
    told: dict[str, Any] = {"rows": len(FAROS_GROWTH), "growth_idle": FAROS_SIZE}
    for word, power in POWERS.items():
        size = FAROS_SIZE**power
        told[f"full_at{word}"] = 1.0 / (FAROS_REQUESTS * size)
        for percent in (1, 5, 10, 15):
            told[f"growth_at_{percent}_percent{word}"] = _ratio(percent / 100.0, size)
        for year, growth in FAROS_GROWTH.items():
            told[f"implied_utilisation_{year}{word}"] = _implied(growth, size, FAROS_REQUESTS)
            reviewed = FAROS_REQUESTS * (1 - FAROS_UNREVIEWED)
            told[f"implied_utilisation_{year}{word}_unreviewed"] = _implied(growth, size, reviewed)
    for year, growth in FAROS_GROWTH.items():
        told[f"largest_power_{year}"] = float(np.log(growth) / np.log(FAROS_SIZE))
    return told


def _ratio(utilisation: float, size: float, requests: float = FAROS_REQUESTS) -> float | None:
    """None where the queue then grows without end."""
    if utilisation * requests * size >= 1.0:
        return None
    return review_time_ratio(
        reviewers=TEAM, utilisation=utilisation, more_requests=requests, larger=size
    )


def _implied(growth: float, size: float, requests: float) -> float | None:
    if growth < size:
        return None

    def below(u: float) -> bool:
        ratio = _ratio(u, size, requests)
        return ratio is not None and ratio <= growth

    return _highest(below)


def _highest(holds: Callable[[float], bool]) -> float:
    """The largest utilisation that holds, if all below do."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def trial(lines: list[dict[str, str]]) -> dict[str, Any]:
    """METR's trial of 2025: what AI does to the time of a task, and the minutes after review.

    `total_effect` and `first_effect` are least squares of ln(minutes) on the treatment and on
    ln(predicted minutes without AI), as relative changes: review included and not.
    `wait_stretch` is what the measured spread does to the waits of a queue, (1 + cv^2) / 2.
    """
    needed = ("ai_treatment", "initial_implementation_time", "predicted_time_no_ai")
    full = [row for row in lines if all(row[name] for name in needed)]
    treated, first, predicted = (np.array([float(row[name]) for row in full]) for name in needed)
    # Where no time after review is stated there was none to speak of.
    after = np.array([float(row["post_review_implementation_time"] or "nan") for row in full])
    told: dict[str, Any] = {
        "rows": len(full),
        "total_effect": trial_effect(treated, first + np.nan_to_num(after), predicted),
        "first_effect": trial_effect(treated, first, predicted),
    }
    for arm, word in ((1.0, "ai"), (0.0, "human")):
        minutes = after[(treated == arm) & np.isfinite(after)]
        if minutes.size < 2 or minutes.mean() == 0:
            continue
        cv = float(minutes.std(ddof=1) / minutes.mean())
        told |= {
            f"review_min_{word}": float(minutes.mean()),
            f"none_{word}": float((minutes == 0).mean()),
            f"cv_{word}": cv,
            f"wait_stretch_{word}": (1.0 + cv * cv) / 2.0,
        }
    return told


def trial_effect(treated: Array, minutes: Array, predicted: Array) -> float | None:
    """Relative change of the minutes by the treatment; None where one arm is empty."""
    some = (minutes > 0) & (predicted > 0)
    if len(set(treated[some])) < 2:
        return None
    terms = np.column_stack([np.ones(some.sum()), treated[some], np.log(predicted[some])])
    found, *_ = np.linalg.lstsq(terms, np.log(minutes[some]), rcond=None)
    return float(np.expm1(found[1]))
