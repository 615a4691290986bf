"""A review desk simulated task by task: what the closed formulas leave out, and a check on them.

Tasks are finished at random, in classes of rank; a policy chooses which are reviewed; those wait
for reviewers who have shifts and breaks and tire; what is rejected comes back; what waits too long
is abandoned or expires. Without rework, fatigue, shifts and other laws it is the M/M/c queue of
`queues`, with patience its Erlang A, with ranks its priorities, and `sampling`'s CSP-1.

Several independent replications give an interval for every figure. The same seed gives the same
figures on any number of threads, and the same tasks to desks of any size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.oversee.outcome import Outcome

Array = NDArray[np.float64]

LAWS = ("exponential", "lognormal", "fixed", "size")
POLICIES = ("all", "share", "csp1", "index")
HOUR_S = 3600.0
PERIODS_H = (1, 24, 168)
"""Hours after which a roster and a shape repeat themselves; 1: constant."""


@dataclass(frozen=True, slots=True)
class Work:
    """One class of finished tasks; classes are given in order of rank."""

    per_s: float
    """Tasks finished per second, mean over the roster's period."""
    service_s: float
    """Mean time of a review by a fresh reviewer."""
    law: str = "exponential"
    """Of the review time: exponential, lognormal, fixed, or by size (lognormal sizes)."""
    cv: float = 1.0
    """Deviation over mean: of the time (lognormal), else of the size."""
    lines: float = 0.0
    """Mean size; 0 where size does not matter."""
    lines_read: float = np.inf
    """Most lines that a reviewer reads: time stops growing there, and defects beyond are missed."""
    power: float = 1.0
    """With law "size": time grows with size to this power."""
    defects: float = 0.0
    """Share of the tasks that are defective."""
    spread: float = 0.0
    """How much the risk differs between tasks and is known: beta with this correlation."""
    detection: float = 1.0
    """Share of the defects that a fresh reviewer who looks finds."""
    false_alarms: float = 0.0
    """Share of the good tasks that a reviewer rejects."""
    retry_defects: float | None = None
    """Share of the retried tasks that are defective; as `defects`."""
    patience_s: float = np.inf
    """Mean time (exponential) after which somebody gives up waiting for the review."""
    expiry_s: float = np.inf
    """Time after which waiting work is worth nothing any more."""
    loss_usd: float = 0.0
    """Loss from one escaped defect."""
    policy: str = "all"
    """What is reviewed: all, a share, by CSP-1, or where the index covers the reviewer's price."""
    share: float = 1.0
    """Of "share" and "csp1"."""
    clearance: int = 0
    """Of "csp1": reviews in a row without a defect after which only the share is reviewed."""


@dataclass(frozen=True, slots=True)
class Reviewers:
    """Who is on duty, and how they tire."""

    on_duty: tuple[int, ...]
    """By hour of the day or, Monday 00:00 first, of the week; one number: always."""
    work_s: float = np.inf
    """Time on task after which a reviewer takes a break, once the review at hand is done."""
    break_s: float = np.inf
    """Length of the break; an idle time as long rests him as well."""
    shift_h: int = 0
    """Hours after which others take the same places; 0: never."""
    handover_s: float = 0.0
    """Time that a successor takes to read himself into a review at the end of a shift."""
    fade_from_s: float = np.inf
    """Time on task from which attention fades, linearly until `fade_to_s`."""
    fade_to_s: float = np.inf
    fade_detection: float = 0.0
    """Share of the detection that is lost then."""
    fade_speed: float = 0.0
    """By how much reviews take longer then."""
    bias: float = 0.0
    """Share of the reviews in which the agent is followed without looking (automation bias)."""


@dataclass(frozen=True, slots=True)
class Rework:
    """What happens to rejected tasks."""

    share: float = 0.0
    """Share that is tried again."""
    delay_s: float = 0.0
    """Mean time (exponential) until it is back."""
    limit: int = 1
    """Most times that one task comes back."""
    send_back_s: float = 0.0
    """Reviewer time to send one back."""


@dataclass(frozen=True, slots=True)
class ReviewDesk:
    """Everything that `simulate` needs."""

    work: tuple[Work, ...]
    reviewers: Reviewers
    rework: Rework = field(default_factory=Rework)
    shape: tuple[float, ...] = (1.0,)
    """Relative rate of finished tasks by hour, as long as the roster; any scale; one: constant."""
    seeds: float = 0.0
    """Planted defects per reviewed task."""
    merges: bool = False
    """Whether abandoned work is taken without review, else it is dropped."""
    least_usd_per_h: float = 0.0
    """Of the index rule: wage and shadow price of a reviewer hour."""


def simulate(
    desk: ReviewDesk,
    *,
    tasks: int = 1_000_000,
    replications: int = 8,
    seed: int = 0,
    threads: int | None = None,
) -> Outcome:
    """What the desk does with at least so many measured tasks, over all replications.

    Desks with a roster, a shape or shifts run whole days or weeks, after one to warm up; others
    warm up for a tenth of their tasks. Raises InputError with all that is wrong with the desk.
    """
    from lineshaft.stages.oversee.kernels import desk as state

    found = list(_problems(desk, tasks, replications))
    if found:
        raise InputError(found)
    rates, duty, slot_s = hours(desk)
    need_s = tasks / replications / sum(one.per_s for one in desk.work)
    if len(rates) == 1:
        warm_s, measured_s = 0.1 * need_s, need_s
    else:
        warm_s = len(rates) * slot_s
        measured_s = warm_s * max(1.0, np.ceil(need_s / warm_s))
    classes, rule = _classes(desk, state.CLASS), _rules(desk, state.RULES)

    run = _compiled()

    def one(child: np.random.SeedSequence) -> Any:
        first, second = (np.random.Generator(np.random.PCG64DXSM(s)) for s in child.spawn(2))
        end_s = warm_s + measured_s
        return run(classes, rule, rates, duty, slot_s, warm_s, end_s, first, second)

    children = np.random.SeedSequence(seed).spawn(replications)
    with ThreadPoolExecutor(min(threads or _processors(), replications)) as team:
        rows = list(team.map(one, children))
    return Outcome(
        measured_s,
        float(duty.mean() * measured_s),
        tuple(np.asarray(row[0]) for row in rows),
        tuple(np.asarray(row[1]) for row in rows),
        np.stack([row[2] for row in rows]),
        np.stack([row[3] for row in rows]),
        np.stack([row[4] for row in rows]),
        state.COUNTS,
        np.array([one.loss_usd for one in desk.work]),
        desk.merges,
    )


@cache
def _compiled() -> Any:
    from lineshaft.stages.oversee.kernels import queue

    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(queue.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return queue.build(digest.hexdigest())


def hours(desk: ReviewDesk) -> tuple[Array, NDArray[np.int64], float]:
    """(tasks per second, reviewers on duty, seconds) by slot: hours, or one without end."""
    duty = np.asarray(desk.reviewers.on_duty, dtype=np.int64)
    shape = np.asarray(desk.shape, dtype=np.float64)
    total = sum(one.per_s for one in desk.work)
    if len(duty) == len(shape) == 1 and desk.reviewers.shift_h == 0:
        return np.array([total]), duty, np.inf
    period = max(len(duty), len(shape), 24)
    rates = np.broadcast_to(shape / shape.mean() * total, period).copy()
    return rates, np.broadcast_to(duty, period).copy(), HOUR_S


def with_on_duty(desk: ReviewDesk, on_duty: tuple[int, ...]) -> ReviewDesk:
    """The same desk with another roster."""
    return replace(desk, reviewers=replace(desk.reviewers, on_duty=on_duty))


def _classes(desk: ReviewDesk, dtype: Any) -> NDArray[Any]:
    rows = np.zeros(len(desk.work), dtype)
    per_s = np.array([one.per_s for one in desk.work])
    rows["upto"] = np.cumsum(per_s) / per_s.sum()
    for row, one in zip(rows, desk.work, strict=True):
        for name in (
            *("power", "lines", "lines_read", "defects", "spread", "detection"),
            *("false_alarms", "patience_s", "expiry_s", "loss_usd", "share", "clearance"),
        ):
            row[name] = getattr(one, name)
        row["law"], row["policy"] = LAWS.index(one.law), POLICIES.index(one.policy)
        sized = one.lines > 0 or one.law == "lognormal"
        row["sigma"] = np.sqrt(np.log1p(one.cv**2)) if sized else 0.0
        row["service_s"] = one.service_s
        if one.law == "size":
            row["service_s"] /= _mean_stretch(one)
        row["retry_defects"] = one.defects if one.retry_defects is None else one.retry_defects
    return rows


def _mean_stretch(one: Work) -> float:
    """E[(min(size, lines read) / mean size)^power], so that the mean time is what was given."""
    from scipy.special import ndtr

    sigma = np.sqrt(np.log1p(one.cv**2))
    if sigma == 0:
        return float(min(1.0, one.lines_read / one.lines) ** one.power)
    # size / mean = exp(sigma z - sigma^2 / 2); cut where it reaches the lines that are read
    cut = one.lines_read / one.lines
    z = (np.log(cut) + 0.5 * sigma**2) / sigma if np.isfinite(cut) else np.inf
    g = one.power
    below = np.exp(0.5 * sigma**2 * (g * g - g)) * ndtr(z - g * sigma)
    return float(below + (cut**g * ndtr(-z) if np.isfinite(cut) else 0.0))


def _rules(desk: ReviewDesk, dtype: Any) -> NDArray[Any]:
    rule, people, rework = np.zeros(1, dtype), desk.reviewers, desk.rework
    for name in (
        *("work_s", "break_s", "handover_s", "fade_from_s", "fade_to_s"),
        *("fade_detection", "fade_speed", "bias"),
    ):
        rule[name] = getattr(people, name)
    rule["shift_slots"] = people.shift_h
    rule["rework_share"], rule["rework_limit"] = rework.share, rework.limit
    rule["rework_delay_s"], rule["send_back_s"] = rework.delay_s, rework.send_back_s
    rule["seeds"], rule["merges"] = desk.seeds, desk.merges
    rule["least_usd_per_min"] = desk.least_usd_per_h / 60.0
    return rule


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- what can be wrong ----------------------------------------------------------------------------

_SHARES = ("defects", "detection", "false_alarms", "share")


def _problems(desk: ReviewDesk, tasks: int, replications: int) -> Iterator[Problem]:
    def wrong(key: str, value: object, allowed: str) -> Problem:
        return Problem("", key, f"found {value}", allowed)

    if tasks < 1 or replications < 1:
        yield wrong("tasks, replications", (tasks, replications), "1 or more")
    if not desk.work:
        yield wrong("work", "none", "one class or more")
    for k, one in enumerate(desk.work):
        at = f"work.{k}"
        if not (0 < one.per_s < np.inf):
            yield wrong(f"{at}.per_s", one.per_s, "above 0")
        if not (0 <= one.service_s < np.inf):
            yield wrong(f"{at}.service_s", one.service_s, "0 or more")
        for name, known in (("law", LAWS), ("policy", POLICIES)):
            if getattr(one, name) not in known:
                yield wrong(f"{at}.{name}", repr(getattr(one, name)), ", ".join(known))
        if one.law == "size" and not one.lines > 0:
            yield wrong(f"{at}.lines", one.lines, "above 0 with the law 'size'")
        if not (one.cv >= 0 and one.lines >= 0 and one.lines_read > 0 and one.power >= 0):
            yield wrong(f"{at}.cv, lines, lines_read, power", "a negative number", "0 or more")
        for name in _SHARES:
            if not 0 <= getattr(one, name) <= 1:
                yield wrong(f"{at}.{name}", getattr(one, name), "0 to 1")
        if one.retry_defects is not None and not 0 <= one.retry_defects <= 1:
            yield wrong(f"{at}.retry_defects", one.retry_defects, "0 to 1")
        if not 0 <= one.spread < 1:
            yield wrong(f"{at}.spread", one.spread, "0 to below 1")
        for name in ("patience_s", "expiry_s"):
            if not getattr(one, name) > 0:
                yield wrong(f"{at}.{name}", getattr(one, name), "above 0")
    people, rework = desk.reviewers, desk.rework
    if not people.on_duty or min(people.on_duty) < 0 or max(people.on_duty) < 1:
        yield wrong("reviewers.on_duty", people.on_duty[:5], "whole numbers, one of them above 0")
    lengths = {len(people.on_duty), len(desk.shape)}
    if not lengths <= set(PERIODS_H) or len(lengths - {1}) > 1:
        found = f"{len(people.on_duty)} and {len(desk.shape)} hours"
        yield wrong("reviewers.on_duty, shape", found, "1, or both 24, or both 168")
    if not (len(desk.shape) and min(desk.shape) >= 0 and sum(desk.shape) > 0):
        yield wrong("shape", "no hour with work", "0 or more, some above 0")
    if not (people.work_s > 0 and people.break_s > 0 and people.shift_h >= 0):
        yield wrong("reviewers.work_s, break_s, shift_h", "a negative number", "above 0")
    if np.isfinite(people.work_s) and not np.isfinite(people.break_s):
        yield wrong("reviewers.break_s", people.break_s, "finite, with a finite work_s")
    if np.isfinite(people.fade_from_s) and not people.fade_to_s > people.fade_from_s:
        yield wrong("reviewers.fade_to_s", people.fade_to_s, "after fade_from_s")
    for name in ("fade_detection", "bias"):
        if not 0 <= getattr(people, name) <= 1:
            yield wrong(f"reviewers.{name}", getattr(people, name), "0 to 1")
    if not 0 <= rework.share <= 1 or rework.limit < 0 or rework.delay_s < 0:
        yield wrong("rework", rework, "a share of 0 to 1, no negative limit or delay")
    if not 0 <= desk.seeds <= 1:
        yield wrong("seeds", desk.seeds, "0 to 1")
