"""Latencies of requests as the field's load generators define them, service levels, goodput.

    of           request times become TTFT, TPOT and E2E per request
    summary      mean and percentiles of them, and the pooled TPOT
    slo          "ttft_p90=2s,tpot_p90=100ms" becomes an `Slo`
    check        every objective of every class: its value, whether it is met
    goodput      requests within the service level per second, by class

All tools agree on TTFT = first token - sent, E2E = last token - sent and, per request, TPOT =
(E2E - TTFT) / (output tokens - 1), undefined for one token. They differ in what a one-token answer
counts for and in how gaps between tokens are pooled (`Definition`):

- vLLM (``vllm bench serve``, github.com/vllm-project/vllm, vllm/benchmarks/serve.py): TPOT is the
  mean over requests of two tokens or more; for goodput a one-token answer has TPOT 0; ITL pools
  the gaps of all requests.
- AIPerf (github.com/ai-dynamo/aiperf, docs/metrics-reference.md): the same TPOT under the name
  ITL, one value per request; a request that lacks a metric of the objective is not good.
- inference-perf (github.com/kubernetes-sigs/inference-perf, docs/metrics.md and
  inference_perf/reportgen/base.py): TTFT too needs two streamed tokens; a request that lacks a
  metric of the objective is not good; ITL pools the gaps of all requests.

GuideLLM's ``time_per_output_token_ms`` includes the first token ((last - sent) / output tokens);
its ``inter_token_latency_ms`` is the TPOT of here, each request weighted by its gaps
(github.com/vllm-project/guidellm, src/guidellm/schemas/request_stats.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.words import suggestion

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

METRICS = ("ttft", "tpot", "e2e")
PERCENTILES = (50.0, 90.0, 95.0, 99.0)
DEFAULT_PERCENTILE = 99.0
"""Of an objective that names none."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a load generator makes of the cases in which they differ."""

    name: str
    ttft_of_one: bool
    """Whether an answer of one token has a TTFT."""
    one_is_good: bool
    """Whether an answer of one token keeps every objective on TPOT, for goodput."""
    itl_pooled: bool
    """Whether its ITL pools the gaps of all requests; else each request counts once."""


DEFINITIONS = {
    one.name: one
    for one in (
        Definition("vllm", ttft_of_one=True, one_is_good=True, itl_pooled=True),
        Definition("aiperf", ttft_of_one=True, one_is_good=False, itl_pooled=False),
        Definition("inference-perf", ttft_of_one=False, one_is_good=False, itl_pooled=True),
    )
}
VLLM = DEFINITIONS["vllm"]


def definition(name: str) -> Definition:
    """The definition of this name.

    Raises:
        InputError: there is none.
    """
    if name not in DEFINITIONS:
        allowed = ", ".join(DEFINITIONS)
        raise InputError(
            Problem("", "definition", f"{name!r}", allowed, suggestion(name, DEFINITIONS))
        )
    return DEFINITIONS[name]


@dataclass(frozen=True, slots=True, eq=False)
class Latencies:
    """Latencies of every request, nan where undefined."""

    ttft_s: Floats
    """[request] nan where unanswered, and for one token where the definition has none."""
    tpot_s: Floats
    """[request] nan where unanswered, and for answers of one token."""
    e2e_s: Floats
    """[request] nan where unanswered."""
    output_tokens: Ints
    """[request]"""
    definition: Definition = VLLM

    @property
    def answered(self) -> NDArray[np.bool_]:
        """[request] False where the request was refused, rejected or never ended."""
        return ~np.isnan(self.e2e_s)

    @property
    def pooled_tpot_s(self) -> float:
        """All time between tokens over all gaps between tokens; nan where there is none."""
        several = self.answered & (self.output_tokens > 1)
        gaps = float((self.output_tokens[several] - 1).sum())
        spent = float((self.tpot_s[several] * (self.output_tokens[several] - 1)).sum())
        return spent / gaps if gaps else math.nan

    @property
    def itl_s(self) -> float:
        """Mean gap between tokens, pooled or per request as the definition has it."""
        if self.definition.itl_pooled:
            return self.pooled_tpot_s
        values = self.tpot_s[~np.isnan(self.tpot_s)]
        return float(values.mean()) if len(values) else math.nan


def of(
    arrival_s: Floats,
    first_s: Floats,
    finish_s: Floats,
    output_tokens: Ints,
    *,
    api_s: float | Floats = 0.0,
    api_token_s: float | Floats = 0.0,
    definition: Definition = VLLM,
) -> Latencies:
    """Latencies from the engine's times [request]: sent, first token, last token (nan: none).

    `api_s` is spent before the first token and `api_token_s` before each further one, both outside
    the engine's steps.
    """
    gaps = output_tokens - 1
    several = gaps > 0
    ttft = first_s - arrival_s + api_s
    decode = finish_s - first_s
    with np.errstate(invalid="ignore", divide="ignore"):
        tpot = np.where(several, decode / gaps + api_token_s, np.nan)
    e2e = ttft + decode + gaps * api_token_s
    if not definition.ttft_of_one:
        ttft = np.where(several, ttft, np.nan)
    return Latencies(ttft, tpot, e2e, output_tokens, definition)


def percentile(values: Floats, at: float, unanswered: int = 0) -> float:
    """Percentile `at` of the values that are not nan, with `unanswered` endless ones behind them.

    Linear between ranks, as numpy and all three tools have it; nan where there is nothing.
    """
    known = values[~np.isnan(values)]
    count = len(known) + unanswered
    if not count:
        return math.nan
    rank = at / 100.0 * (count - 1)
    if rank > len(known) - 1:
        return math.inf
    return float(np.percentile(known, 100.0 * rank / max(len(known) - 1, 1)))


def summary(
    latencies: Latencies, percentiles: Sequence[float] = PERCENTILES
) -> dict[str, dict[str, float]]:
    """By metric ("ttft", "tpot", "e2e"): "mean" and "p50" … in seconds, of the answered requests.

    nan where no request has the metric. TPOT is per request; "pooled" is that of all gaps.
    """
    found: dict[str, dict[str, float]] = {}
    for metric in METRICS:
        values = _values(latencies, metric)
        known = values[~np.isnan(values)]
        found[metric] = {"mean": float(known.mean()) if len(known) else math.nan}
        found[metric] |= {f"p{at:g}": percentile(values, at) for at in percentiles}
    found["tpot"]["pooled"] = latencies.pooled_tpot_s
    return found


def _values(latencies: Latencies, metric: str) -> Floats:
    return {"ttft": latencies.ttft_s, "tpot": latencies.tpot_s, "e2e": latencies.e2e_s}[metric]


# --- service levels -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective on one latency."""

    metric: str
    """One of `METRICS`."""
    percentile: float | None
    """None: on the mean."""
    limit_s: float

    @property
    def key(self) -> str:
        """For example ``ttft_p90``."""
        statistic = "mean" if self.percentile is None else f"p{self.percentile:g}"
        return f"{self.metric}_{statistic}"

    def value_s(self, latencies: Latencies, of_class: NDArray[np.bool_]) -> float:
        """The latency that the objective limits, of the requests of a class.

        Percentiles count a request that got no answer as endless; the mean is of the answered.
        """
        values = _values(latencies, self.metric)[of_class]
        missing = int((~latencies.answered[of_class]).sum())
        if self.percentile is None:
            known = values[~np.isnan(values)]
            if len(known):
                return float(known.mean())
            return math.inf if missing else math.nan
        return percentile(values, self.percentile, missing)


@dataclass(frozen=True, slots=True)
class Slo:
    """A service level: all of its objectives hold together."""

    objectives: tuple[Objective, ...]

    def __str__(self) -> str:
        return ",".join(f"{one.key}={one.limit_s:g}s" for one in self.objectives)


_ALLOWED = (
    "ttft, tpot or e2e, then optionally _p1 to _p99.9 or _mean (none: _p99), then = and a time "
    "in us, ms, s or min, for example ttft_p90=2s,tpot_p90=100ms,e2e_p99=30s"
)
_OBJECTIVE = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:_(?:p(\d+(?:\.\d+)?)|(mean)))?\s*=\s*(.*)")
_TIME = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(us|µs|ms|s|min)")
_SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}


def slo(text: str, where: str = "") -> Slo:
    """The service level in this text, such as "ttft_p90=2s,tpot_mean=100ms".

    Raises:
        InputError: every part that is none, with what is allowed.
    """
    objectives: dict[str, Objective] = {}
    problems: list[Problem] = []
    for part in (part.strip() for part in text.split(",")):
        found = _OBJECTIVE.fullmatch(part)
        time = _TIME.fullmatch(found[4].strip()) if found else None
        at = float(found[2]) if found and found[2] else DEFAULT_PERCENTILE
        if not found:
            problems.append(Problem(where, "slo", f"{part!r} is no objective", _ALLOWED))
        elif found[1].lower() not in METRICS:
            fix = suggestion(found[1].lower(), METRICS)
            problems.append(
                Problem(where, "slo", f"{part!r}: unknown latency {found[1]}", _ALLOWED, fix)
            )
        elif not 0.0 < at < 100.0:
            problems.append(Problem(where, "slo", f"{part!r}: percentile {at:g}", _ALLOWED))
        elif not time or float(time[1]) <= 0.0:
            fix = "write the unit, for example 100ms" if not time else ""
            problems.append(
                Problem(where, "slo", f"{part!r}: {found[4]!r} is no time", _ALLOWED, fix)
            )
        else:
            limit = float(time[1]) * _SECONDS[time[2]]
            one = Objective(found[1].lower(), None if found[3] else at, limit)
            if one.key in objectives:
                problems.append(Problem(where, "slo", f"{part!r}: {one.key} is there twice"))
            objectives[one.key] = one
    if problems:
        raise InputError(problems)
    return Slo(tuple(objectives.values()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """One objective, judged for one class."""

    slo_class: int
    objective: Objective
    value_s: float
    """inf where too many requests got no answer, nan where no request has the latency."""

    @property
    def met(self) -> bool:
        """True too where no request of the class has this latency."""
        return not self.value_s > self.objective.limit_s


def check(
    latencies: Latencies, slos: Slo | Sequence[Slo], slo_class: Ints | None = None
) -> list[Verdict]:
    """Every objective of every class that has requests, judged.

    One service level for all, or one per class (the last one also for all further classes).
    """
    return [
        Verdict(number, objective, objective.value_s(latencies, members))
        for number, members, level in _classes(latencies, slos, slo_class)
        for objective in level.objectives
    ]


@dataclass(frozen=True, slots=True)
class Goodput:
    """Requests of one class that keep every objective, taken as limits for each request."""

    slo_class: int
    requests: int
    answered: int
    good: int
    good_rps: float
    """Good requests per second."""
    good_tokens_per_s: float
    """Their output tokens per second."""

    @property
    def share(self) -> float:
        """Good ones of all requests, the unanswered ones counted as not good."""
        return self.good / self.requests


def goodput(
    latencies: Latencies,
    slos: Slo | Sequence[Slo],
    duration_s: float,
    slo_class: Ints | None = None,
) -> list[Goodput]:
    """Goodput of every class that has requests over `duration_s`.

    As in the tools' own goodput, the limit of each objective holds for every request by itself,
    whatever percentile it names.
    """
    found = []
    for number, members, level in _classes(latencies, slos, slo_class):
        good = members & latencies.answered
        one_token = latencies.output_tokens == 1
        for objective in level.objectives:
            values = _values(latencies, objective.metric)
            within = values <= objective.limit_s
            if objective.metric == "tpot" and latencies.definition.one_is_good:
                within |= one_token
            good &= within
        found.append(
            Goodput(
                slo_class=number,
                requests=int(members.sum()),
                answered=int((members & latencies.answered).sum()),
                good=int(good.sum()),
                good_rps=float(good.sum()) / duration_s,
                good_tokens_per_s=float(latencies.output_tokens[good].sum()) / duration_s,
            )
        )
    return found


def _classes(
    latencies: Latencies, slos: Slo | Sequence[Slo], slo_class: Ints | None
) -> list[tuple[int, NDArray[np.bool_], Slo]]:
    """Number, members [request] and service level of every class that has requests."""
    levels = [slos] if isinstance(slos, Slo) else list(slos)
    classes = slo_class if slo_class is not None and len(slo_class) else None
    if classes is None:
        classes = np.zeros(len(latencies.e2e_s), np.int64)
    return [
        (int(number), classes == number, levels[min(int(number), len(levels) - 1)])
        for number in np.unique(classes)
    ]
