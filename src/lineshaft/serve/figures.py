"""The figures of one simulated fleet: latencies with error bars, goodput, tokens, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.serve.fleets import Deployment
from lineshaft.serve.run import Outcome
from lineshaft.stages.serve import latency
from lineshaft.stages.serve.latency import Goodput, Latencies, Slo

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bars:
    """Ends of the 90 % error bars of TTFT and TPOT, as factors on what is simulated."""

    ttft: tuple[float, float] = (1.0, 1.0)
    tpot: tuple[float, float] = (1.0, 1.0)
    basis: str = ""
    """What they rest on."""
    centre: float = 1.0
    """By what the simulated TPOT was corrected."""

    @property
    def slowest(self) -> float:
        """How much longer steps take at the high end than they were simulated."""
        return self.centre * self.tpot[1]


def wait_s(outcome: Outcome, measured: slice) -> float:
    """Mean time of the measured requests before their first step; 0 where none had one."""
    waited = (outcome.scheduled_s - outcome.arrival_s)[measured]
    waited = waited[~np.isnan(waited)]
    return float(waited.mean()) if len(waited) else 0.0


def scaled(found: Latencies, ttft: float, tpot: float) -> Latencies:
    """The latencies with every TTFT and every TPOT times a factor."""
    decode_s = found.e2e_s - found.ttft_s
    return Latencies(
        found.ttft_s * ttft,
        found.tpot_s * tpot,
        found.ttft_s * ttft + decode_s * tpot,
        found.output_tokens,
        found.definition,
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One objective of a service level for one class, with its error bar."""

    slo_class: int
    key: str
    """Such as ``ttft_p90``."""
    limit_s: float
    value_s: float
    low_s: float
    high_s: float

    @property
    def met(self) -> bool:
        return not self.value_s > self.limit_s

    @property
    def sure(self) -> bool:
        """Met at the high end of the error bar too."""
        return not self.high_s > self.limit_s


def latencies(
    outcome: Outcome, deployed: Deployment, measured: slice, definition: str
) -> Latencies:
    """Latencies of the measured requests, as the client sees them.

    The API's time counts too; in two pools the first token is sent once the prompt was handed over.
    """
    times, sure = deployed.one.pool.times, deployed.one.coefficients
    handed_s = deployed.handover_s
    prompts = outcome.requests.input_tokens[measured].astype(np.float64)
    return latency.of(
        outcome.arrival_s[measured],
        outcome.first_s[measured] + handed_s,
        np.maximum(outcome.finish_s, outcome.first_s + handed_s)[measured],
        outcome.requests.output_tokens[measured],
        api_s=times.api_s + sure.api_input_s * prompts,
        api_token_s=times.api_token_s,
        definition=latency.definition(definition),
    )


def verdicts(
    found: Latencies,
    slow: Latencies | None,
    slos: Sequence[Slo],
    classes: NDArray[np.int64],
    bars: Bars,
) -> list[Verdict]:
    """Every objective of every class, judged with its error bar.

    `slow` are the latencies where every step takes as long as the high end of the bar of TPOT
    says: near saturation they are far above what the bars alone give. None: left out.
    """
    if not slos:
        return []
    ends = [found, *(scaled(found, bars.ttft[end], bars.tpot[end]) for end in (0, 1))]
    points, lows, highs = (latency.check(values, slos, classes) for values in ends)
    slows = latency.check(slow, slos, classes) if slow else highs
    return [
        Verdict(
            slo_class=point.slo_class,
            key=point.objective.key,
            limit_s=point.objective.limit_s,
            value_s=point.value_s,
            low_s=low.value_s,
            high_s=max(high.value_s, slower.value_s),
        )
        for point, low, high, slower in zip(points, lows, highs, slows, strict=True)
    ]


def goodput(
    found: Latencies, slos: Sequence[Slo], classes: NDArray[np.int64], span_s: float
) -> list[Goodput]:
    """Requests within the service level per second, by class; empty without a service level."""
    return latency.goodput(found, slos, span_s, classes) if slos and span_s > 0 else []
