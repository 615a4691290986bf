"""`simulate`: one deployment, named, under one traffic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lineshaft.serve.accuracy import Accuracy
from lineshaft.serve.bills import billed, energy, per_mtok, price_source, usd_per_h
from lineshaft.serve.bounds import most_rps
from lineshaft.serve.figures import goodput, latencies, verdicts, wait_s
from lineshaft.serve.fleets import Deployment
from lineshaft.serve.result import STATES, Result
from lineshaft.serve.run import Outcome, outcome
from lineshaft.serve.traffic import Traffic
from lineshaft.stages.serve import latency
from lineshaft.stages.serve.latency import Slo

SHIPPED = Accuracy()
SAMPLES = 200
"""Samples of the queue, the batch and the KV cache over time."""


def result(
    deployed: Deployment,
    traffic: Traffic,
    *,
    slos: Sequence[Slo] = (),
    definition: str = "vllm",
    prices: Mapping[str, float] | None = None,
    accuracy: Accuracy = SHIPPED,
    saturation: float = np.nan,
) -> Result:
    """The figures of this deployment under this traffic."""
    one = deployed.one
    window = traffic.window_s
    out = outcome(
        deployed.fleet(), traffic.requests, window_s=window, series_s=_series_s(deployed, traffic)
    )
    measured = traffic.measured
    found = latencies(out, deployed, measured, definition)
    found, bars = accuracy.judge(deployed, traffic, found, wait_s(out, measured))
    classes = traffic.requests.slo_class[measured]
    slow = None
    if slos:
        slower = outcome(deployed.slowed(bars.slowest).fleet(), traffic.requests)
        slow = latencies(slower, deployed, measured, definition)
    span_s = out.window_s if traffic.steady else out.end_s
    totals = out.window_totals if traffic.steady else out.totals
    ended = out.finish_s
    if traffic.steady:
        ended = ended[(ended >= window[0]) & (ended < window[0] + span_s)]
    completed = float((~np.isnan(ended)).sum()) / span_s
    summary = latency.summary(found)
    waited_s = (out.scheduled_s - out.arrival_s)[measured]
    summary["wait"] = {"mean": wait_s(out, measured)} | {
        f"p{at:g}": latency.percentile(waited_s, at) for at in latency.PERCENTILES
    }
    prompts = totals.input_tokens + totals.cached_tokens
    usd_h = usd_per_h(deployed, prices or {})
    made = billed(deployed, out, traffic.steady, prices or {})
    return Result(
        deployment=deployed,
        traffic=traffic,
        latency_s=summary,
        bars=bars,
        verdicts=tuple(verdicts(found, slow, slos, classes, bars)),
        goodput=tuple(goodput(found, slos, classes, _span_s(traffic, out.end_s))),
        offered_rps=traffic.rate_rps,
        completed_rps=completed,
        saturation_rps=saturation,
        requests=len(found.e2e_s),
        states={name: int((out.state == at).sum()) for at, name in enumerate(STATES)},
        preemptions=int(out.preemptions.sum()),
        restarts=int(out.restarts.sum()),
        tokens_per_s={
            "input": totals.input_tokens / span_s,
            "cached": totals.cached_tokens / span_s,
            "output": totals.output_tokens / span_s,
        },
        hit_share=totals.cached_tokens / prompts if prompts else 0.0,
        busy_share=made.busy_share,
        running=_mean(out.finish_s - out.scheduled_s, out.end_s),
        waiting=_mean(out.scheduled_s - out.arrival_s, out.end_s),
        accelerator_h=made.accelerator_h,
        usd_per_h=usd_h,
        usd_per_mtok=per_mtok(made, usd_h),
        price_source=price_source(one.row, prices or {}),
        energy=energy(made),
        notes=tuple(_notes(traffic, out, saturation)),
        outcome=out,
        latencies=found,
    )


def _mean(seconds: NDArray[np.float64], end_s: float) -> float:
    """How many are so at once, in the mean over the run: their time over its length."""
    return float(np.nansum(seconds)) / end_s if end_s > 0 else 0.0


def _series_s(deployed: Deployment, traffic: Traffic) -> float:
    """Distance of the samples over time: at least `SAMPLES` of them until the last answer."""
    arriving_s = float(traffic.requests.arrival_s.max())
    least_s = len(traffic) / most_rps(deployed.one, traffic.requests, "prompts")
    return max(arriving_s, least_s / deployed.instances) / SAMPLES


def _span_s(traffic: Traffic, end_s: float) -> float:
    """Time in which the measured requests arrived, or all of them were served."""
    start, stop = traffic.window_s
    return stop - start if traffic.steady else end_s


def _notes(traffic: Traffic, out: Outcome, saturation: float) -> Iterator[str]:
    """What a reader should know before trusting the figures."""
    if traffic.rate_rps > saturation:
        yield (
            f"{traffic.rate_rps:.3g} requests/s are more than the {saturation:.3g} at which it "
            "saturates: latencies grow for as long as the traffic lasts."
        )
    refused = int((out.state == 1).sum())
    if refused:
        yield f"{refused:,} requests can never fit in the KV cache and were refused."
    span = float(traffic.requests.arrival_s.max())
    e2e = float(np.nanmedian(out.finish_s - out.arrival_s)) if refused < len(traffic) else 0.0
    if traffic.rate_rps and span < 5 * e2e:
        yield (
            f"All requests arrive within {span:.3g} s and a usual one takes {e2e:.3g} s: this is a "
            "burst, not a steady state; more --requests show the steady state."
        )
