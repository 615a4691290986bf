"""Work simulated task by task, and in closed form: outcomes, tokens, time, cost, slots.

`expected` integrates over lengths and families, `simulate_tasks` draws them; they agree within the
sampling error. `slots_needed` is Little's law, `simulate_slots` a queue before the slots of agents.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.agents.engine import (
    FAMILY_NODES,
    AgentKind,
    family_scale,
    length_nodes,
    normal_nodes,
    problems_of,
)
from lineshaft.stages.agents.horizon import sigmoid
from lineshaft.stages.agents.retries import retry_outcome
from lineshaft.stages.agents.tokens import TokenPrice, tokens_per_attempt

Array = NDArray[np.float64]
BLOCK = 1 << 16
"""Tasks that are summed by one thread at a time; it does not change with their number."""
BATCHES = 32
"""Of the queue's tasks: their scatter gives the error of its means."""
MEASURES = (
    "passed", "right", "accepted", "attempts", "minutes", "tokens", "wall_s", "human_min",
    "accepted_min",
)  # fmt: skip
"""Of a task: passed by the verifier; passed and right; taken by whoever asked; attempts; its human
minutes; tokens of all attempts; seconds of all attempts; minutes that a human has to do because
nothing passed; human-equivalent minutes that were accepted."""


@dataclass(frozen=True, slots=True)
class Work:
    """A class of work as agents of one model do it: the kind, and what its attempts take.

    Times are serving's at the load that it has, those of robots the floor's; prices are yours.
    """

    kind: AgentKind
    p50_min: float
    """The model's p50 horizon, human minutes."""
    tokens_per_call: float = 78_300.0
    """Tokens of a model call; also what an agent at work holds in serving's cache."""
    ttft_s: float = 0.0
    """Time to the first token of a call."""
    tpot_s: float = 0.0
    """Time per token written."""
    tool_s: float = 0.0
    """Seconds in tools per attempt."""
    token_sigma: float = 0.0
    """Standard deviation of ln(tokens) among tasks of one length; the mean stays."""
    families: int = 0
    """Task families, where `kind.family_sd` is above 0; 0 for a family to each task."""
    physical_s: float = 0.0
    """Robot seconds of a task whose plan has passed, from the floor."""
    physical_success: float = 1.0
    """Share of those that the robot brings home."""
    price: TokenPrice = field(default_factory=lambda: TokenPrice(0.0, 0.0, 0.0))
    attempt_usd: float = 0.0
    """Tools and energy per attempt."""
    wage_usd_per_h: float = 0.0
    """Of the human who does what agents did not finish."""
    fallback: float = 1.0
    """Share of unfinished tasks that a human then does."""
    price_usd_per_h: float = 0.0
    """What an accepted task is paid per human-equivalent hour."""

    @property
    def usd_per_token(self) -> float:
        """Price of a mean token of an attempt."""
        parts = tokens_per_attempt(60.0, self.kind.use)
        return float(self.price.cost_usd(parts)) / float(sum(parts))

    @property
    def s_per_token(self) -> float:
        """Model seconds of an attempt, per token of it."""
        output = 1.0 - self.kind.use.input_share
        return self.ttft_s / self.tokens_per_call + output * self.tpot_s


@dataclass(frozen=True, slots=True)
class Outcome:
    """Means per task; in brackets of `error` the standard error of each, 0 in closed form."""

    tasks: int
    """Simulated; 0 in closed form."""
    mean: dict[str, float]
    """Of each of `MEASURES`."""
    error: dict[str, float]
    """Standard error of each mean."""
    work: Work

    @property
    def success(self) -> float:
        """Share of tasks that pass the verifier."""
        return self.mean["passed"]

    @property
    def defects(self) -> float:
        """Share of tasks that pass and are wrong: what oversight has to find."""
        return self.mean["passed"] - self.mean["right"]

    @property
    def agent_usd(self) -> float:
        """Cost of a task's tokens, tools and energy, all attempts."""
        of_tokens = self.mean["tokens"] * self.work.usd_per_token
        return of_tokens + self.mean["attempts"] * self.work.attempt_usd

    @property
    def human_usd(self) -> float:
        """Cost of the human who does what was not finished."""
        minutes = self.mean["human_min"] * self.work.fallback
        return minutes * self.work.wage_usd_per_h / 60.0

    @property
    def cost_usd(self) -> float:
        """Both."""
        return self.agent_usd + self.human_usd

    @property
    def cost_ratio(self) -> float:
        """Cost over that of a human who does it all; NaN without a wage."""
        alone = self.mean["minutes"] * self.work.wage_usd_per_h / 60.0
        return self.cost_usd / alone if alone > 0 else math.nan

    @property
    def value_usd(self) -> float:
        """What a task brings in."""
        return self.mean["accepted_min"] * self.work.price_usd_per_h / 60.0

    def interval(self, measure: str, z: float = 2.5758293035489) -> tuple[float, float]:
        """The 99 % interval of a mean (or that of another normal quantile `z`)."""
        middle, half = self.mean[measure], z * self.error[measure]
        return middle - half, middle + half


def expected(work: Work) -> Outcome:
    """Means in closed form over success, and by Gauss-Hermite over lengths and families.

    Raises InputError with every value out of range.
    """
    check([work])
    kind = work.kind
    z, weight, allowed = length_nodes(kind)
    u, share = normal_nodes(FAMILY_NODES) if kind.family_sd else (np.zeros(1), np.ones(1))
    minutes = kind.median_min * np.exp(kind.sigma * z)
    tokens = np.asarray(sum(tokens_per_attempt(minutes, kind.use)))
    p = _parameters(work)
    logit = p["logit"] - p["fall"] * z
    passed, right, tried = np.zeros((3, z.size))
    for count in np.unique(allowed[allowed > 0]):
        own = allowed == count
        of = retry_outcome(
            sigmoid(logit[own][:, None] + kind.family_sd * u),
            kind.rho,
            int(count),
            kind.sensitivity,
            kind.specificity,
            kind.verifier_rho,
            kind.slip,
        )
        passed[own], right[own], tried[own] = of[0] @ share, (of[0] * of[1]) @ share, of[2] @ share
    robots = work.physical_success if work.physical_s > 0 else 1.0
    accepted = right * robots * kind.acceptance
    wall = tried * (tokens * p["token_s"] + work.tool_s) + passed * work.physical_s
    values = (
        passed * robots, right * robots, accepted, tried, minutes, tried * tokens, wall,
        (1.0 - passed * robots) * minutes, accepted * minutes,
    )  # fmt: skip
    mean = {name: float(v @ weight) for name, v in zip(MEASURES, values, strict=True)}
    return Outcome(0, mean, dict.fromkeys(MEASURES, 0.0), work)


def simulate_tasks(work: Work, tasks: int, seed: int = 0, threads: int | None = None) -> Outcome:
    """Means over `tasks` simulated tasks, with their standard errors.

    The same for the same seed on any number of threads. Raises InputError with every value out of
    range.
    """
    from lineshaft.stages.agents import kernel

    check([work])
    if tasks < 2:
        raise InputError(Problem("", "tasks", f"found {tasks!r}", "at least 2"))
    p, nothing = np.array(list(_parameters(work).values())), np.zeros((0, kernel.MEASURES))
    starts = range(0, tasks, BLOCK)
    sums = np.zeros((len(starts), 2, kernel.MEASURES))

    def block(number: int) -> None:
        first = starts[number]
        count = min(BLOCK, tasks - first)
        kernel.tasks(np.uint64(_key(seed)), first, count, p, sums[number], nothing)

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        list(pool.map(block, range(len(starts))))
    total, squares = sums.sum(axis=0)
    mean = total / tasks
    spread = np.sqrt(np.maximum(squares / tasks - mean**2, 0.0) / (tasks - 1))
    if work.families and work.kind.family_sd:
        spread = _over_families(work, tasks, spread)
    return Outcome(
        tasks,
        dict(zip(MEASURES, mean.tolist(), strict=True)),
        dict(zip(MEASURES, spread.tolist(), strict=True)),
        work,
    )


def sample(work: Work, tasks: int, seed: int = 0) -> dict[str, Array]:
    """[task] each of `MEASURES` for the tasks that `simulate_tasks` sums up, one by one."""
    from lineshaft.stages.agents import kernel

    check([work])
    p, kept = np.array(list(_parameters(work).values())), np.zeros((tasks, kernel.MEASURES))
    kernel.tasks(np.uint64(_key(seed)), 0, tasks, p, np.zeros((2, kernel.MEASURES)), kept)
    return {name: kept[:, i].copy() for i, name in enumerate(MEASURES)}


def slots_needed(works: Sequence[Work], tasks_per_s: Sequence[float]) -> float:
    """Agents at work in the mean, by Little's law: sum of arrivals/s x mean wall time."""
    return sum(
        rate * expected(work).mean["wall_s"] for work, rate in zip(works, tasks_per_s, strict=True)
    )


def tokens_in_flight(works: Sequence[Work], tasks_per_s: Sequence[float]) -> float:
    """Context tokens that the agents at work hold in serving's cache, in the mean."""
    return sum(
        rate * expected(work).mean["wall_s"] * work.tokens_per_call
        for work, rate in zip(works, tasks_per_s, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue before agents' slots in its steady state: means and their standard errors."""

    wait_s: float
    wait_error_s: float
    waited: float
    """Share of the tasks that wait."""
    waited_error: float
    busy: float
    """Slots at work, as arrivals see them."""
    busy_error: float
    offered: float
    """Arrivals/s x wall time of the tasks that came: what Little's law makes of them."""
    tokens_in_flight: float
    utilisation: float
    tasks: int


def simulate_slots(
    works: Sequence[Work],
    tasks_per_s: Sequence[float],
    slots: int,
    tasks: int,
    seed: int = 0,
    warm_up: float = 0.2,
) -> Queue:
    """Arrivals without memory, first come first served, each task in one slot from its first
    attempt to its last.

    `warm_up` is the share of `tasks` that is not counted; errors come from 32 batches of the rest,
    so give tasks enough that a batch forgets the one before. Raises InputError with every value
    out of range, and where the slots do not suffice.
    """
    from lineshaft.stages.agents import kernel

    rates = np.asarray(tasks_per_s, dtype=np.float64)
    problems = [] if len(works) == rates.size and (rates > 0).all() else [
        Problem("", "tasks_per_s", f"found {rates.tolist()}", "a rate above 0 for each work")
    ]  # fmt: skip
    if slots < 1:
        problems.append(Problem("", "slots", f"found {slots!r}", "at least 1"))
    if not 0.0 <= warm_up < 1.0 or tasks * (1.0 - warm_up) < 100 * BATCHES:
        problems.append(Problem("", "tasks", f"{tasks!r} with warm_up {warm_up}", "at least 4,000"))
    check(works, problems)
    busy = slots_needed(works, rates.tolist())
    if busy >= slots:
        found = f"{slots} slots for {busy:.4g} agents at work in the mean"
        raise InputError(Problem("", "slots", found, f"more than {busy:.4g}"))
    p = np.array([list(_parameters(work).values()) for work in works])
    edges = np.linspace(warm_up * tasks, tasks, BATCHES + 1).astype(np.int64)
    sums = np.zeros((BATCHES, kernel.BATCH))
    free = np.zeros(slots)
    share = np.cumsum(rates) / rates.sum()
    kernel.slots(np.uint64(_key(seed)), tasks, rates.sum(), share, p, free, edges, sums)
    gap, came, wait, waited, work_s, held, probes, seen = sums.T
    total = came.sum()

    def error(values: Array) -> float:
        return float(values.std(ddof=1) / math.sqrt(BATCHES))

    looks = np.maximum(probes, 1.0)
    return Queue(
        wait_s=float(wait.sum() / total),
        wait_error_s=error(wait / came),
        waited=float(waited.sum() / total),
        waited_error=error(waited / came),
        busy=float(seen.sum() / looks.sum()),
        busy_error=error(seen / looks),
        offered=float(work_s.sum() / gap.sum()),
        tokens_in_flight=float(held.sum() / gap.sum()),
        utilisation=float(work_s.sum() / gap.sum() / slots),
        tasks=int(total),
    )


def check(works: Sequence[Work], problems: Sequence[Problem] = ()) -> None:
    """Raise InputError with all problems of the works, and those found before."""
    found = list(problems)
    for work in works:
        found += problems_of(work.kind)
        at = f"work.{work.kind.name}"
        zero_up = ("ttft_s", "tpot_s", "tool_s", "token_sigma", "families", "physical_s")
        money = ("attempt_usd", "wage_usd_per_h", "price_usd_per_h")
        bounds = {name: (getattr(work, name) >= 0, "0 or more") for name in (*zero_up, *money)}
        bounds |= {n: (getattr(work, n) > 0, "above 0") for n in ("p50_min", "tokens_per_call")}
        for name in ("physical_success", "fallback"):
            bounds[name] = (0 <= getattr(work, name) <= 1, "0 to 1")
        found += [
            Problem("", f"{at}.{name}", f"found {getattr(work, name)!r}", allowed)
            for name, (ok, allowed) in bounds.items()
            if not ok
        ]
    if found:
        raise InputError(found)


def _parameters(work: Work) -> dict[str, float]:
    """The kernel's parameters, in its order."""
    kind = work.kind
    steep = kind.slope * family_scale(kind.family_sd)
    margin = math.log2(work.p50_min / kind.median_min * kind.horizon_multiplier)
    return {
        "median": kind.median_min,
        "sigma": kind.sigma,
        "logit": steep * margin,
        "fall": steep * kind.sigma / math.log(2.0),
        "family_sd": kind.family_sd,
        "families": float(work.families),
        "rho": min(kind.rho, 1.0 - 1e-12),
        "attempts": float(kind.attempts),
        "budget": kind.budget_tokens,
        "sensitivity": kind.sensitivity,
        "specificity": kind.specificity,
        "verifier_rho": min(kind.verifier_rho, 1.0 - 1e-12),
        "slip": kind.slip,
        "acceptance": kind.acceptance,
        "tokens": float(sum(tokens_per_attempt(kind.median_min, kind.use))),
        "exponent": kind.use.exponent,
        "token_sigma": work.token_sigma,
        "token_s": work.s_per_token,
        "attempt_s": work.tool_s,
        "physical_s": work.physical_s,
        "physical_success": work.physical_success,
        "context": work.tokens_per_call,
    }


def _over_families(work: Work, tasks: int, spread: Array) -> Array:
    """Standard errors where tasks come in families: these are few, and each is all of a kind.

    The mean of n tasks in f families varies with the families' means: their variance is the part
    of a task's that siblings share, at most all of it; taken as all of it.
    """
    return np.asarray(spread * math.sqrt(max(1.0, tasks / work.families)))


def _key(seed: int) -> int:
    """A seed as 64 bits, neighbours far apart."""
    return (seed * 0x9E3779B97F4A7C15 + 0x243F6A8885A308D3) % (1 << 64)
