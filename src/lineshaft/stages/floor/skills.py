"""Skills of robots and drones: how long, how surely, at what power; and what a task is made of.

Durations come from motion (a trapezoidal speed profile) plus dwell. Few of them are published, so
most are low confidence and say so: calibrate them against your own logs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def move_time_s(
    distance_m: ArrayLike, speed_m_per_s: ArrayLike, accel_m_per_s2: ArrayLike
) -> Array:
    """Time from rest to rest over a distance with a trapezoidal speed profile. Broadcasts.

    Short moves never reach the speed: ``2 sqrt(d / a)``; others take ``d / v + v / a``.
    """
    d, v, a = (np.asarray(x, dtype=np.float64) for x in (distance_m, speed_m_per_s, accel_m_per_s2))
    return np.where(d < v * v / a, 2.0 * np.sqrt(d / a), d / v + v / a)


@dataclass(frozen=True, slots=True)
class Skill:
    """One thing a robot can do. Durations are lognormal."""

    name: str
    mean_s: float
    cv: float
    """Standard deviation over mean of the duration."""
    success: float
    """Share of tries that succeed."""
    power_w: float
    """Mean electrical power while doing it."""
    source: str
    confidence: Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Step:
    """A skill as part of a task."""

    skill: Skill
    repeats: int = 1
    """How often it is done, for example seams of a part."""
    tries: int = 1
    """Tries allowed for each repeat before the attempt at the task has failed."""
    rho: float = 0.5
    """Correlation of two tries at the same thing: what is hard to grasp stays hard. Low
    confidence."""
    where: Literal["own", "travel", "station"] = "own"
    """At the robot's own place, on floor shared with other robots, or at a shared station."""


def _reach(distance_m: float) -> float:
    # Tool speed 1.5 m/s and 4 m/s2 are ordinary for a 6-axis arm that handles parcels.
    return float(move_time_s(distance_m, 1.5, 4.0))


def _skill(
    name: str,
    mean_s: float,
    cv: float,
    success: float,
    power_w: float,
    source: str,
    confidence: Literal["high", "medium", "low"] = "low",
) -> tuple[str, Skill]:
    return name, Skill(name, mean_s, cv, success, power_w, source, confidence)


_MOTION = "motion of a 6-axis arm (1.5 m/s, 4 m/s2) plus dwell; dwell is an estimate"

SKILLS: dict[str, Skill] = dict(
    (
        _skill(
            "pick",
            0.5 + _reach(1.0) + 1.5 + _reach(0.3),
            0.25,
            0.91,
            400.0,
            f"success 0.91 of 12,000 picks: Amazon Robotics 2025, via press; time: {_MOTION}",
        ),
        _skill(
            "place",
            _reach(1.8) + 4.5 + _reach(0.8),
            0.35,
            0.865,
            400.0,
            "success 0.85-0.86 of >500,000 whole stows into fabric pods: arXiv 2505.04572; "
            f"time: {_MOTION} (open the band, insert, push)",
        ),
        _skill("present", 1.2, 0.5, 1.0, 100.0, "estimate: next item, pod face or part in place"),
        _skill("sort", 4.5, 0.3, 0.99, 300.0, "vendors' 600-1,200 items/h for singulated goods"),
        _skill(
            "move",
            float(move_time_s(60.0, 1.3, 0.5)),
            0.4,
            0.999,
            250.0,
            "60 m at 1.3 m/s, the nominal speed of a drive unit; distance is the site's own",
        ),
        _skill(
            "fly",
            2.0 * 6437.0 / 29.0,
            0.25,
            0.998,
            80.0 * 29.0,
            "out and back over 2/3 of Wing's 6-mile radius at 29 m/s (65 mph); 0.08 MJ/km "
            "measured: Rodrigues et al., Patterns 2022, doi 10.1016/j.patter.2022.100569",
        ),
        _skill("drop", 60.0, 0.3, 0.998, 2320.0, "estimate: hover and lower the parcel by winch"),
        _skill(
            "weld",
            10.0 + 2.5,
            0.05,
            0.997,
            6000.0,
            "100 mm at 10 mm/s, and a quarter as long again for air moves and search: 80 % of the "
            "running time is arc time (weldingrobot.net)",
        ),
        _skill("count", 6.0, 0.3, 0.998, 150.0, "estimate: scan of one storage location"),
        _skill("reorder", 5.0, 0.5, 0.99, 0.0, "estimate: software step after a count"),
    )
)
"""The skills that ship, by name."""


def _with(name: str, mean_s: float | None = None, success: float | None = None) -> Skill:
    skill = SKILLS[name]
    return replace(
        skill,
        mean_s=skill.mean_s if mean_s is None else mean_s,
        success=skill.success if success is None else success,
    )


SEQUENCES: dict[str, tuple[Step, ...]] = {
    # Items come one by one on a conveyor, so the grasp is easier than out of a pod. A new pod face
    # takes 10 s and ten stows share it (estimates).
    "stow": (
        Step(_with("present", mean_s=1.2 + 10.0 / 10.0)),
        Step(_with("pick", success=0.98), tries=2),
        Step(SKILLS["place"]),
    ),
    "pick": (Step(SKILLS["present"]), Step(SKILLS["pick"]), Step(_with("place", success=0.999))),
    "carry": (
        Step(SKILLS["move"], repeats=2, where="travel"),
        Step(_with("present", mean_s=8.0), where="station"),
    ),
    "sort": (
        Step(SKILLS["move"], repeats=2, where="travel"),
        Step(SKILLS["sort"], where="station"),
    ),
    "weld": (Step(_with("present", mean_s=10.0)), Step(SKILLS["weld"], repeats=12)),
    "deliver": (
        Step(_with("present", mean_s=60.0), where="station"),
        Step(SKILLS["fly"]),
        Step(SKILLS["drop"]),
    ),
    "count": (
        Step(SKILLS["move"], where="travel"),
        Step(SKILLS["count"], repeats=20, tries=2),
        Step(SKILLS["reorder"]),
    ),
}
"""Tasks as sequences of skills, by name."""


def lognormal_parameters(mean: float, cv: float) -> tuple[float, float]:
    """(mu, sigma) of ln(x) for a lognormal with this mean and coefficient of variation."""
    variance = math.log1p(cv * cv)
    return math.log(mean) - 0.5 * variance, math.sqrt(variance)
