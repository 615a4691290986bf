"""Random numbers of clients: counted, not consumed.

The number of a request depends on the seed, on what it is for and on the request's (or session's
and turn's) own number alone, so that a longer run starts with the same requests and one
distribution can change without the others being drawn anew. The generator is Philox4x64 (Salmon
et al., "Parallel random numbers: as easy as 1, 2, 3", SC11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.traces import PROBABILITIES, Lengths

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PURPOSES = ("arrival", "input", "output", "class", "kind", "turns", "wait")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When clients come that nobody holds back."""

    rate_rps: float
    """Mean over a day where there is one."""
    gap_cv: float = 1.0
    """Standard deviation of the gaps over their mean: 1 Poisson, above 1 bursts, 0 a clock. Gaps
    are gamma distributed."""
    day: tuple[float, ...] = ()
    """Relative rates over a day in equal parts (24: by the hour), which repeats; empty: steady.
    Within a part the rate is constant."""
    day_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Time between an answer and the next prompt: a user thinks, a tool runs."""

    mean_s: float = 0.0
    cv: float = 1.0
    """Standard deviation over mean, of a gamma distribution; 0: always the mean."""


def uniform(seed: int, purpose: str, count: int, turn: int = 0) -> Floats:
    """[count] numbers between 0 and 1 (neither), for one of `PURPOSES`."""
    stream = (PURPOSES.index(purpose) << 32) | turn
    bits = np.random.Philox(key=np.array([seed % (1 << 64), stream], np.uint64))
    drawn: Floats = np.random.Generator(bits).random(count)
    return drawn + 2.0**-54  # the middle of each of 2^53 steps: no zero


def wait_s(wait: Wait, probability: Floats) -> Floats:
    """Waiting times at these probabilities."""
    return wait.mean_s * _gamma(probability, wait.cv)


def arrival_s(arrivals: Arrivals, count: int, duration_s: float, seed: int) -> Floats:
    """Rising times: the first `count`, or, where that is 0, those before `duration_s`."""
    many = count
    if not count:
        mean = arrivals.rate_rps * duration_s
        many = int(mean + 6.0 * max(arrivals.gap_cv, 1.0) * np.sqrt(mean) + 10)
    while True:
        gaps = _gamma(uniform(seed, "arrival", many), arrivals.gap_cv)
        times = _over_the_day(arrivals, np.cumsum(gaps) / arrivals.rate_rps)
        if count:
            return times
        if times[-1] >= duration_s:
            return times[: int(np.searchsorted(times, duration_s))]
        many *= 2


def classes(shares: Sequence[float], seed: int, count: int) -> Ints:
    """[count] SLO classes in these shares; empty where there are none."""
    if not shares:
        return np.empty(0, np.int64)
    edges = np.cumsum(shares) / np.sum(shares)
    drawn = np.searchsorted(edges[:-1], uniform(seed, "class", count), side="right")
    return drawn.astype(np.int64)


def kinds(many: int, seed: int, count: int) -> Ints:
    """[count] whole numbers from 0 to `many` - 1, equally frequent."""
    return np.floor(many * uniform(seed, "kind", count)).astype(np.int64)


def _gamma(probability: Floats, cv: float) -> Floats:
    """Gamma distributed numbers of mean 1 at these probabilities."""
    if cv == 0:
        return np.ones(len(probability))
    if cv == 1:
        return -np.log1p(-probability)
    from scipy.special import gammaincinv

    shape = cv**-2
    drawn: Floats = gammaincinv(shape, probability) / shape
    return drawn


def _over_the_day(arrivals: Arrivals, steady_s: Floats) -> Floats:
    """Times of a steady process stretched where the day is quiet, squeezed where it is busy."""
    if not arrivals.day:
        return steady_s
    done = np.cumsum((0.0, *arrivals.day)) / np.sum(arrivals.day)  # share of a day's arrivals
    whole, part = np.divmod(steady_s / arrivals.day_s, 1.0)
    clock = np.linspace(0.0, 1.0, len(done))
    return (whole + np.interp(part, done, clock)) * arrivals.day_s


# --- what is impossible --------------------------------------------------------------------------


def problem(key: str, found: str, allowed: str) -> Problem:
    """One impossible input of a client."""
    return Problem("", f"clients.{key}", found, allowed)


def refuse(problems: Sequence[Problem]) -> None:
    """`InputError` with all of them, if there are any."""
    if problems:
        raise InputError(problems)


def below(least: int, **values: float) -> list[Problem]:
    """Those of these values that are not at least 0 (a number) or 1 (a whole number)."""
    kind = "a number" if least == 0 else "a whole number"
    return [
        problem(key, f"is {value:g}", f"{kind} from {least}")
        for key, value in values.items()
        if not (value >= least and np.isfinite(value))
    ]


def one_of(count_key: str, count: int, duration_s: float) -> list[Problem]:
    """A run has either a number of requests (or sessions) or a length."""
    if (count > 0) != (duration_s > 0):
        return []
    found = f"{count_key} is {count} and duration_s is {duration_s:g}"
    return [problem(count_key, found, "one of the two above 0")]


def bad_arrivals(arrivals: Arrivals) -> list[Problem]:
    """What is impossible about them."""
    good = (
        ("rate_rps", arrivals.rate_rps, arrivals.rate_rps > 0, "above 0"),
        ("gap_cv", arrivals.gap_cv, 0 <= arrivals.gap_cv <= 100, "0 to 100"),
        ("day_s", arrivals.day_s, arrivals.day_s > 0, "above 0"),
    )
    problems = [
        problem(key, f"is {value:g}", allowed)
        for key, value, fine, allowed in good
        if not (fine and np.isfinite(value))
    ]
    if arrivals.day and not (min(arrivals.day) >= 0 and 0 < sum(arrivals.day) < np.inf):
        problems.append(problem("day", str(arrivals.day), "rates from 0, not all of them 0"))
    return problems


def bad_wait(key: str, wait: Wait) -> list[Problem]:
    """What is impossible about a waiting time."""
    problems = below(0, **{f"{key}.mean_s": wait.mean_s})
    if not 0 <= wait.cv <= 100:
        problems.append(problem(f"{key}.cv", f"is {wait.cv:g}", "0 to 100"))
    return problems


def bad_classes(shares: Sequence[float]) -> list[Problem]:
    """What is impossible about shares of classes."""
    if not shares or (min(shares) >= 0 and 0 < sum(shares) < np.inf):
        return []
    return [problem("classes", str(tuple(shares)), "shares from 0, not all of them 0")]


def bad_lengths(**lengths: Lengths) -> list[Problem]:
    """What is impossible about distributions of token counts."""
    problems = []
    for key, one in lengths.items():
        marks = one.quantiles
        if marks and (len(marks) != len(PROBABILITIES) or marks[0] < 1):
            problems.append(problem(key, f"{marks}", f"{len(PROBABILITIES)} numbers from 1"))
        elif marks and any(a > b for a, b in pairwise(marks)):
            problems.append(problem(key, f"{marks}", "rising numbers"))
        elif not marks and not one.mean >= one.median > 0:
            found = f"mean {one.mean:g}, median {one.median:g}"
            problems.append(problem(key, found, "0 < median <= mean"))
    return problems
