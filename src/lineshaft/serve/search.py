"""The cheapest number of instances of one shape that meets the service level.

A shape is ruled out without simulation where even its least latencies miss the level, or where
the instances that its throughput bound asks for already cost more than something found that is as
fast as the shape can be. Else instances are added until the level holds, then taken away by
halving: latency falls as instances are added.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError
from lineshaft.serve.accuracy import Accuracy
from lineshaft.serve.bills import usd_per_h
from lineshaft.serve.bounds import least_latencies, most_rps
from lineshaft.serve.candidates import Shape
from lineshaft.serve.figures import Bars, Verdict, latencies, verdicts, wait_s
from lineshaft.serve.fleets import Deployment, instances_for, transfer_token_s
from lineshaft.serve.instance import Asked, Instance, instance
from lineshaft.serve.run import outcome
from lineshaft.serve.traffic import Traffic
from lineshaft.stages.serve import latency
from lineshaft.stages.serve.latency import Latencies, Slo

Ints = NDArray[np.int64]

TOGETHER = 4
"""Instances simulated together where the traffic comes at a rate: each gets its share of it."""
LEAST_EACH = 200
"""Requests of one instance at least, where two pools are simulated whole."""
TRIES = 24
"""Most numbers of instances tried for one shape."""
GROWTH = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One deployment as the search saw it."""

    deployment: Deployment
    usd_per_h: float
    tpot_s: float
    """At the percentile of the service level, or the median."""
    ttft_s: float
    verdicts: tuple[Verdict, ...]
    bars: Bars

    @property
    def holds(self) -> bool:
        return all(verdict.sure for verdict in self.verdicts)

    @property
    def miss(self) -> float:
        """By what factor the worst objective is over its limit, error bar included."""
        return max((one.high_s / one.limit_s for one in self.verdicts), default=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Ruled:
    """A shape that was not simulated to its end, and why."""

    shape: Shape
    why: str
    """"does not fit", "too slow" or "dominated"."""
    closest: Candidate | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """What all shapes have in common."""

    traffic: Traffic
    slos: tuple[Slo, ...]
    prices: Mapping[str, float]
    definition: str
    accuracy: Accuracy
    router: str = "round-robin"

    @property
    def percentiles(self) -> tuple[float, float]:
        """Of TTFT and of TPOT, at which candidates are compared: the level's, else the median."""
        found = {"ttft": 50.0, "tpot": 50.0}
        for slo in self.slos:
            for one in slo.objectives:
                if one.metric in found:
                    found[one.metric] = one.percentile or 50.0
        return found["ttft"], found["tpot"]

    def instance(self, asked: Asked) -> Instance:
        """One instance that is asked for."""
        tokens = self.traffic.tokens
        return instance(
            asked,
            mean_tokens=float(tokens.mean()),
            longest_tokens=int(tokens.max()),
            coefficients=self.accuracy.coefficients(asked.accelerator, asked.engine),
        )

    def candidate(self, deployed: Deployment) -> Candidate:
        """The deployment, simulated: all of it, or a few instances with their share of the rate.

        Simulated again with slower steps where it holds otherwise.
        """
        found, classes, waited_s = self.run(deployed)
        found, bars = self.accuracy.judge(deployed, self.traffic, found, waited_s)
        first = self.judged(deployed, found, None, classes, bars)
        if not first.holds:
            return first
        slow, _, _ = self.run(deployed.slowed(bars.slowest))
        return self.judged(deployed, found, slow, classes, bars)

    def run(self, deployed: Deployment) -> tuple[Latencies, Ints, float]:
        """Latencies and classes of the measured requests, and how long they waited in the mean."""
        given, seen = self.share(deployed, self.traffic)
        out = outcome(seen.fleet(), given.requests, window_s=given.window_s)
        found = latencies(out, seen, given.measured, self.definition)
        classes = given.requests.slo_class[given.measured]
        return found, classes, wait_s(out, given.measured)

    def judged(
        self,
        deployed: Deployment,
        found: Latencies,
        slow: Latencies | None,
        classes: Ints,
        bars: Bars,
    ) -> Candidate:
        """The deployment with these latencies, `slow` those of slower steps."""
        ttft, tpot = self.percentiles
        return Candidate(
            deployment=deployed,
            usd_per_h=self.usd_per_h(deployed),
            tpot_s=latency.percentile(found.tpot_s, tpot),
            ttft_s=latency.percentile(found.ttft_s, ttft),
            verdicts=tuple(verdicts(found, slow, self.slos, classes, bars)),
            bars=bars,
        )

    def share(self, deployed: Deployment, traffic: Traffic) -> tuple[Traffic, Deployment]:
        """What is simulated of a deployment: at a steady rate a few instances and their share."""
        if deployed.decode:
            count = deployed.instances + deployed.decode_instances
            return traffic.sized(max(len(traffic), LEAST_EACH * count)), deployed
        if not traffic.steady or deployed.instances <= TOGETHER:
            return traffic, deployed
        part = traffic.at(traffic.rate_rps * TOGETHER / deployed.instances)
        return part, replace(deployed, instances=TOGETHER)

    def usd_per_h(self, deployed: Deployment) -> float:
        """Rent of all its accelerators."""
        return usd_per_h(deployed, self.prices)

    def idle(self, one: Instance) -> Candidate:
        """One instance that has nothing else to do: no deployment of it is faster."""
        requests, measured = self.traffic.requests, self.traffic.measured
        ttft, tpot = least_latencies(one, requests)
        answers = requests.output_tokens
        tpot = np.where(answers > 1, tpot, np.nan)
        e2e = ttft + np.nan_to_num(tpot) * (answers - 1)
        columns = (ttft[measured], tpot[measured], e2e[measured], answers[measured])
        found = Latencies(*columns, latency.definition(self.definition))
        placed = Deployment(one)
        found, bars = self.accuracy.judge(placed, self.traffic, found, 0.0)
        return self.judged(placed, found, None, requests.slo_class[measured], bars)


def search(common: Search, shape: Shape, front: Sequence[tuple[float, float]]) -> Candidate | Ruled:
    """The cheapest deployment of this shape, or why there is none.

    `front` are price and TPOT of what was found before.
    """
    try:
        one = common.instance(shape.asked)
        decode = common.instance(shape.decode) if shape.decode else None
        if decode is not None:
            transfer_token_s(one, decode)
    except InputError as error:
        return Ruled(shape, f"cannot be: {error.problems[0].found}")
    idle = common.idle(decode or one)
    if not idle.holds:
        return Ruled(shape, "too slow even when idle", idle)
    if decode is None:
        return _one_pool(common, shape, one, idle, front)
    return _two_pools(common, shape, one, decode, idle, front)


def _beaten(usd: float, idle: Candidate, front: Sequence[tuple[float, float]]) -> bool:
    """Whether something found before is as cheap as this, and as fast as it can be at best."""
    return any(u <= usd * (1 + 1e-9) and t <= idle.tpot_s for u, t in front)


def _one_pool(
    common: Search,
    shape: Shape,
    one: Instance,
    idle: Candidate,
    front: Sequence[tuple[float, float]],
) -> Candidate | Ruled:
    tried: dict[int, Candidate] = {}
    each_usd = common.usd_per_h(idle.deployment)

    def holds(instances: int) -> bool:
        if instances not in tried:
            tried[instances] = common.candidate(Deployment(one, instances, router=common.router))
        return tried[instances].holds

    # below this the queue grows without end where steps are as slow as the error bar allows
    rate = common.traffic.rate_rps * idle.bars.slowest
    least = instances_for(rate, most_rps(one, common.traffic.requests))
    high = least
    if not common.traffic.steady:
        least = 1  # a trace may end before its queue does
    low = least - 1  # does not hold, or need not be asked
    while True:
        if _beaten(high * each_usd, idle, front):
            return Ruled(shape, "dominated", tried.get(low))
        if holds(high):
            break
        low, high = high, max(high + 1, math.ceil(high * GROWTH))
        if len(tried) >= TRIES:
            return Ruled(shape, "misses the service level", _closest(tried.values()))
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return tried[high]


def _two_pools(
    common: Search,
    shape: Shape,
    one: Instance,
    decode: Instance,
    idle: Candidate,
    front: Sequence[tuple[float, float]],
) -> Candidate | Ruled:
    """Each pool grows while the latency that it makes misses its limit; then each shrinks."""
    tried: dict[tuple[int, int], Candidate] = {}

    def at(prompts: int, answers: int) -> Candidate:
        if (prompts, answers) not in tried:
            placed = Deployment(one, prompts, decode, answers, common.router)
            tried[prompts, answers] = common.candidate(placed)
        return tried[prompts, answers]

    rate, requests = common.traffic.rate_rps * idle.bars.slowest, common.traffic.requests
    p = least_p = instances_for(rate, most_rps(one, requests, "prompts"))
    d = least_d = instances_for(rate, most_rps(decode, requests, "answers"))
    if not common.traffic.steady:
        least_p = least_d = 1
    while True:
        usd = common.usd_per_h(Deployment(one, p, decode, d))
        if _beaten(usd, idle, front):
            return Ruled(shape, "dominated", _closest(tried.values()))
        found = at(p, d)
        if found.holds:
            break
        if len(tried) >= TRIES:
            return Ruled(shape, "misses the service level", _closest(tried.values()))
        missed = {verdict.key.split("_")[0] for verdict in found.verdicts if not verdict.sure}
        if missed & {"ttft", "e2e"}:
            p = max(p + 1, math.ceil(p * 1.15))
        if missed & {"tpot", "e2e"}:
            d = max(d + 1, math.ceil(d * 1.15))
    while p > least_p and at(p - 1, d).holds:
        p -= 1
    while d > least_d and at(p, d - 1).holds:
        d -= 1
    return at(p, d)


def _closest(tried: Iterable[Candidate]) -> Candidate | None:
    return min(tried, key=lambda one: one.miss, default=None)
