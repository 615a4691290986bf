"""`characterise`: one replica of one model against load, up to and beyond its service level."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import ServeCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.coefficients import Coefficients
from lineshaft.stages.serve.cost import power_share
from lineshaft.stages.serve.deployment import Fleet, Layout, Pool, Scheduler
from lineshaft.stages.serve.fleet import Totals, simulate
from lineshaft.stages.serve.memory import check_fits
from lineshaft.stages.serve.requests import of
from lineshaft.stages.serve.steptime import step_times
from lineshaft.traces import AZURE_CONVERSATION, Statistics, Trace, head, rescale, synthetic
from lineshaft.transformer import Architecture, Chip, kv_bytes_per_token

Floats = NDArray[np.float64]

WARM_UP = 0.2
"""Share of the requests that only warm the replica up."""
LIGHT = 0.01
"""Rate at which a replica counts as idle, as a share of its largest throughput."""
RATIOS = ((1, 1), (2, 1), (3, 1), (1, 2))
"""Instances for prompts and for answers that are tried where the two are apart."""
SPLIT_MOST = 16
"""Largest instance that is tried so: replicas of more accelerators leave too many of them idle."""
BEYOND = 1.2
"""Largest rate of the curve, as a share of the largest throughput."""


@dataclass(frozen=True, slots=True)
class Split:
    """A replica whose prompts and answers run on instances of their own."""

    layout: Layout
    """Of an instance that answers; that of the replica is then of those that take prompts."""
    prompts: int = 1
    """Instances of a replica that take prompts."""
    answers: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class ServeInputs:
    """What one replica is made of, what it serves, and the service level."""

    arch: Architecture
    chip: Chip
    layout: Layout = field(default=Layout())
    """One replica's, or one instance's where there is a `split`."""
    split: Split | None = None
    most: int = 0
    """Where it is above the accelerators of `layout`, larger instances up to this size, other
    layouts and splits are tried too, and what carries most requests per accelerator at the service
    level is taken."""
    engine: str = "vllm"
    """Whose overheads: one of `coefficients.ENGINES`."""
    precision: str = "bf16"
    """Of the matrix products: one of the chip's."""
    weight_byte: float = 2.0
    kv_byte: float = 2.0
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    memory_utilisation: float = 0.9
    prefix_cache: str = "lru"
    trace: Trace | Statistics = AZURE_CONVERSATION
    """Only its order, lengths, prefixes and burstiness matter: it is rescaled to every rate."""
    ttft_s: float = 2.0
    ttft_tokens: float = 8500.0
    """Longest prompt that must meet `ttft_s`; a longer one has more time, in proportion to its
    length. MLPerf Inference v5.1 asks 2 s of DeepSeek-R1; the authors of the Mooncake traces allow
    30 s (arXiv:2407.00079, section 8.1.3), which a prompt of 127,500 tokens then has. The straight
    line between the two is an assumption: low confidence."""
    tpot_s: float = 0.08
    percentile: float = 0.99
    """Share of the requests that must meet their TTFT, and share that must meet `tpot_s`."""
    points: int = 12
    requests: int = 4000
    """Most requests simulated per point."""
    seed: int = 0
    """Used where `trace` is `Statistics`."""
    coefficients: Coefficients | None = None
    """By default those of the chip's class and the engine."""
    idle_share: float = 0.115
    """Power of an accelerator that holds the model and waits, as a share of its maximum."""
    light_share: float = 0.43
    full_share: float = 0.86
    """Power in a step that only reads weights, and in one that keeps arithmetic or KV reads busy
    throughout: 300 W at batch 1 and 600 W at batch 128 on an H100 of 700 W (ML.ENERGY benchmark
    v3, as used by arXiv:2603.17280). Low confidence on other accelerators."""

    @property
    def accelerators(self) -> int:
        """Of one replica."""
        if self.split is None:
            return self.layout.accelerators
        answers = self.split.answers * self.split.layout.accelerators
        return self.split.prompts * self.layout.accelerators + answers


@dataclass(frozen=True, slots=True)
class Point:
    """One rate, simulated."""

    rate_rps: float
    totals: Totals
    window_s: float
    completed_rps: float
    goodput_rps: float
    ttft_mean_s: float
    ttft_p99_s: float
    ttft_slo_s: float
    """TTFT at the percentile of the service level; that of a prompt above `ttft_tokens` is first
    divided by how many times longer it is."""
    tpot_mean_s: float
    tpot_p99_s: float
    tpot_slo_s: float
    e2e_mean_s: float
    holds: bool


def characterise(inputs: ServeInputs) -> ServeCurve:
    """The curve of one replica: throughput, latency, power and cost of a token against load.

    `load` at a point is the work of its tokens, costed at the prices of the SLO point
    (`s_per_*_token`), per second. At the SLO point it is the busy share of the replica's time. It
    keeps growing with throughput where the busy share has long been near 1, because batches grow.

    Raises:
        InputError: the model does not fit; the chip lacks the precision; a limit is impossible; or
            even a nearly idle replica misses the service level.
    """
    if inputs.most > inputs.layout.accelerators:
        inputs = _best(inputs)
    trace, at, light, slo, most = _level(inputs)
    below = max(2, inputs.points - 4)
    rates = [slo.rate_rps * step / below for step in range(1, below)]
    beyond = max(BEYOND * most, 1.1 * slo.rate_rps)
    rates += np.geomspace(slo.rate_rps, beyond, inputs.points - below)[1:].tolist()
    found = [light, slo, *(at(rate) for rate in rates if rate > light.rate_rps)]
    return _curve(inputs, trace, sorted(found, key=lambda point: point.rate_rps), slo)


def _level(
    inputs: ServeInputs,
) -> tuple[Trace, Callable[[float], Point], Point, Point, float]:
    """The trace, what happens at a rate, the nearly idle point, the last one that holds the
    service level, and the largest throughput."""
    _check(inputs)
    trace = _trace(inputs)
    fleet = _replica(inputs, trace)

    def at(rate_rps: float) -> Point:
        return _point(inputs, trace, fleet, rate_rps)

    # all requests at once: what the replica can do when there is always work
    burst = simulate(fleet, of(rescale(trace, 1e9)))
    early, late = np.quantile(burst.finish_s, (0.1, 0.9))
    most = 0.8 * len(trace) / (late - early)
    light = at(LIGHT * most)
    if not light.holds:
        raise InputError(_missed(inputs, light))
    return trace, at, light, _largest(at, light, most), most


def _best(inputs: ServeInputs) -> ServeInputs:
    """The replica that carries most requests per accelerator at the service level.

    Raises the first InputError where none holds it.
    """
    best, most = inputs, 0.0
    missed: InputError | None = None
    for layout, split in _candidates(inputs):
        tried = replace(inputs, layout=layout, split=split, most=0)
        try:
            slo = _level(tried)[3]
        except InputError as error:
            missed = missed or error
        else:
            carried = slo.completed_rps / tried.accelerators
            if carried > most:
                best, most = tried, carried
    if not most:
        assert missed is not None
        raise missed
    return best


def _candidates(inputs: ServeInputs) -> Iterator[tuple[Layout, Split | None]]:
    """Instances from the given size up to `most`, doubling: tensor parallel, and, with experts,
    data-parallel attention with the experts spread; each alone, or with prompts and answers apart.

    Answers alone keep their pace however long the prompts are, so that a level for the slowest
    answers is held by far fuller batches.
    """
    size = inputs.layout.tp
    while size <= inputs.most:
        layouts = [Layout(tp=size)]
        if inputs.arch.experts and size > 1 and inputs.arch.experts % size == 0:
            layouts.append(Layout(dp=size, ep=size))
        for layout in layouts:
            yield layout, None
            if size <= SPLIT_MOST:
                for prompts, answers in RATIOS:
                    yield layout, Split(layout, prompts, answers)
        size *= 2


def _check(inputs: ServeInputs) -> None:
    rules = (
        ("weight_byte", inputs.weight_byte, inputs.weight_byte > 0, "above 0"),
        ("kv_byte", inputs.kv_byte, inputs.kv_byte > 0, "above 0"),
        ("memory_utilisation", inputs.memory_utilisation,
         0 < inputs.memory_utilisation <= 1, "above 0 and up to 1"),
        ("ttft_s", inputs.ttft_s, inputs.ttft_s > 0, "above 0"),
        ("ttft_tokens", inputs.ttft_tokens, inputs.ttft_tokens > 0, "above 0"),
        ("tpot_s", inputs.tpot_s, inputs.tpot_s > 0, "above 0"),
        ("percentile", inputs.percentile, 0 < inputs.percentile < 1, "between 0 and 1"),
        ("points", inputs.points, inputs.points >= 6, "a whole number from 6"),
        ("requests", inputs.requests, inputs.requests >= 100, "a whole number from 100"),
        ("max_num_batched_tokens", inputs.max_num_batched_tokens,
         inputs.max_num_batched_tokens >= 1, "a whole number from 1"),
    )  # fmt: skip
    problems = [
        Problem("", f"serve.{key}", f"is {value:g}", allowed)
        for key, value, good, allowed in rules
        if not good
    ]
    if problems:
        raise InputError(problems)


def _trace(inputs: ServeInputs) -> Trace:
    if isinstance(inputs.trace, Statistics):
        return synthetic(inputs.trace, requests=inputs.requests, seed=inputs.seed)
    if len(inputs.trace) < 100:
        found, allowed = f"{len(inputs.trace)} requests", "at least 100, for a percentile"
        raise InputError(Problem(inputs.trace.name, "serve.trace", found, allowed))
    return head(inputs.trace, inputs.requests)


def _replica(inputs: ServeInputs, trace: Trace) -> Fleet:
    """One replica: one instance, or a few of two kinds. Raises InputError where it does not fit."""
    pool, split = _pool(inputs, trace, inputs.layout), inputs.split
    if split is None:
        return Fleet(pool)
    prompts = replace(pool, instances=split.prompts)
    answers = replace(_pool(inputs, trace, split.layout), instances=split.answers)
    # every accelerator that holds a part of the KV sends it over its own link to the others
    token_bytes = kv_bytes_per_token(inputs.arch, inputs.kv_byte)
    link = inputs.chip.scaleout_bytes_per_s * inputs.layout.tp
    return Fleet(
        prompts, decode=answers, transfer_token_s=token_bytes / link, router="least-outstanding"
    )


def _pool(inputs: ServeInputs, trace: Trace, layout: Layout) -> Pool:
    size = trace.input_tokens + trace.output_tokens
    capacity = check_fits(
        inputs.arch,
        inputs.chip,
        layout=layout,
        weight_byte=inputs.weight_byte,
        kv_byte=inputs.kv_byte,
        max_num_batched_tokens=inputs.max_num_batched_tokens,
        mean_context=float(size.mean()),
        longest=int(size.max()),
        memory_utilisation=inputs.memory_utilisation,
    )
    times = step_times(
        inputs.arch,
        inputs.chip,
        layout=layout,
        precision=inputs.precision,
        weight_byte=inputs.weight_byte,
        kv_byte=inputs.kv_byte,
        max_tokens=inputs.max_num_batched_tokens,
        engine=inputs.engine,
        coefficients=inputs.coefficients,
    )
    scheduler = Scheduler(
        max_num_seqs=inputs.max_num_seqs,
        max_num_batched_tokens=inputs.max_num_batched_tokens,
        kv_blocks=int(capacity // 16),
        prefix_cache=inputs.prefix_cache if trace.has_blocks else "none",
    )
    return Pool(times, scheduler, layout=layout)


def _point(inputs: ServeInputs, trace: Trace, fleet: Fleet, rate_rps: float) -> Point:
    """One rate: latencies of the requests that arrive after the warm-up, sums of the window from
    there to the last arrival."""
    scaled = rescale(trace, rate_rps)
    first = int(WARM_UP * len(trace))
    window = (float(scaled.arrival_s[first]), float(scaled.arrival_s[-1]))
    out = simulate(fleet, of(scaled), window_s=window)
    times = fleet.pool.times
    ttft = out.first_s - out.arrival_s + times.api_s
    many = trace.output_tokens > 1  # TPOT is not defined for an answer of one token
    decode = out.finish_s - out.first_s
    tpot = decode / np.maximum(trace.output_tokens - 1, 1) + times.api_token_s
    e2e = ttft + decode + times.api_token_s * (trace.output_tokens - 1)
    reduced = ttft / np.maximum(1.0, trace.input_tokens / inputs.ttft_tokens)
    good = (reduced <= inputs.ttft_s) & ((tpot <= inputs.tpot_s) | ~many)
    ended = (out.finish_s >= window[0]) & (out.finish_s < window[0] + out.window_s)
    ttft, tpot, e2e = ttft[first:], tpot[first:][many[first:]], e2e[first:]
    if not len(tpot):
        tpot = np.zeros(1)
    ttft_p99, ttft_slo = np.quantile(ttft, 0.99), np.quantile(reduced[first:], inputs.percentile)
    tpot_p99, tpot_slo = np.quantile(tpot, (0.99, inputs.percentile))
    completed = float(ended.sum()) / out.window_s
    holds = ttft_slo <= inputs.ttft_s and tpot_slo <= inputs.tpot_s
    return Point(
        rate_rps=rate_rps,
        totals=_per_replica(inputs, out.window_totals),
        window_s=out.window_s,
        completed_rps=completed,
        goodput_rps=float((ended & good).sum()) / out.window_s,
        ttft_mean_s=float(ttft.mean()),
        ttft_p99_s=float(ttft_p99),
        ttft_slo_s=float(ttft_slo),
        tpot_mean_s=float(tpot.mean()),
        tpot_p99_s=float(tpot_p99),
        tpot_slo_s=float(tpot_slo),
        e2e_mean_s=float(e2e.mean()),
        holds=bool(holds),
    )


def _per_replica(inputs: ServeInputs, sums: Totals) -> Totals:
    """Instance-seconds as seconds of the whole replica."""
    if inputs.split is None:
        return sums
    prompts = inputs.layout.accelerators / inputs.accelerators
    answers = inputs.split.layout.accelerators / inputs.accelerators
    prefill, cached, decode = sums.prefill_s, sums.cached_s, sums.decode_s
    busy = prompts * (prefill + cached) + answers * decode
    return sums._replace(
        busy_s=busy,
        prefill_s=prompts * prefill,
        cached_s=prompts * cached,
        decode_s=answers * decode,
        active_s=sums.active_s * busy / max(sums.busy_s, 1e-12),
    )


def _largest(at: Callable[[float], Point], light: Point, most: float) -> Point:
    """The largest rate that holds the service level, to 1 %, by bisection.

    Not above the largest throughput: beyond it the queue grows without end, which a short run
    under a soft service level would not show.
    """
    best, high = light, most
    top = at(most)
    if top.holds:
        return top
    while high > 1.01 * best.rate_rps:
        middle = at(float(np.sqrt(best.rate_rps * high)))
        if middle.holds:
            best = middle
        else:
            high = middle.rate_rps
    return best


def _missed(inputs: ServeInputs, light: Point) -> Problem:
    return Problem(
        where="",
        key="serve.slo",
        found=(
            f"{inputs.arch.name} on {inputs.accelerators} x {inputs.chip.name} misses it even when "
            f"nearly idle: at p{inputs.percentile * 100:g} TTFT is {light.ttft_slo_s:.3g} s "
            f"(asked: {inputs.ttft_s:g} s, and more for prompts above {inputs.ttft_tokens:,.0f} "
            f"tokens, in proportion) and TPOT {light.tpot_slo_s:.3g} s (asked: {inputs.tpot_s:g} s)"
        ),
        allowed=f"ttft_s from {light.ttft_slo_s:.3g} and tpot_s from {light.tpot_slo_s:.3g}",
        fix="relax the service level, raise tp, or take a faster accelerator or fewer bytes",
    )


def _curve(inputs: ServeInputs, trace: Trace, found: list[Point], slo: Point) -> ServeCurve:
    sums = slo.totals
    s_input = sums.prefill_s / max(sums.input_tokens, 1.0)
    s_cached = sums.cached_s / sums.cached_tokens if sums.cached_tokens else 0.0
    s_output = sums.decode_s / max(sums.output_tokens, 1.0)

    def load(point: Point) -> float:
        """Work per second at the prices of the SLO point."""
        t = point.totals
        work = t.input_tokens * s_input + t.cached_tokens * s_cached + t.output_tokens * s_output
        return work / point.window_s

    kept = [found[0]]
    for point in found[1:]:
        if point is slo or load(point) > load(kept[-1]) * (1.0 + 1e-9):
            # past saturation throughput may fall again: the axis only rises
            kept = [one for one in kept if load(one) < load(point)] + [point]

    def column(value: Callable[[Point], float]) -> Floats:
        return np.array([value(point) for point in kept])

    def power(point: Point) -> float:
        return power_share(
            point.totals.busy_s / point.window_s,
            point.totals.active_s / point.window_s,
            idle_share=inputs.idle_share,
            light_share=inputs.light_share,
            full_share=inputs.full_share,
        )

    return ServeCurve(
        model=inputs.arch.name,
        accelerator=inputs.chip.name,
        accelerators_per_replica=inputs.accelerators,
        load=column(load),
        requests_per_s=column(lambda p: p.completed_rps),
        input_tokens_per_s=column(lambda p: p.totals.input_tokens / p.window_s),
        cached_tokens_per_s=column(lambda p: p.totals.cached_tokens / p.window_s),
        output_tokens_per_s=column(lambda p: p.totals.output_tokens / p.window_s),
        goodput_rps=column(lambda p: p.goodput_rps),
        ttft_mean_s=column(lambda p: p.ttft_mean_s),
        ttft_p99_s=column(lambda p: p.ttft_p99_s),
        tpot_mean_s=column(lambda p: p.tpot_mean_s),
        tpot_p99_s=column(lambda p: p.tpot_p99_s),
        e2e_mean_s=column(lambda p: p.e2e_mean_s),
        power_share=column(power),
        load_slo=min(load(slo), 1.0),
        s_per_input_token=s_input,
        s_per_cached_token=s_cached,
        s_per_output_token=s_output,
        mean_input_tokens=float(trace.input_tokens.mean()),
        mean_cached_tokens=(
            float(trace.input_tokens.mean())
            * sums.cached_tokens
            / max(sums.cached_tokens + sums.input_tokens, 1.0)
        ),
        mean_output_tokens=float(trace.output_tokens.mean()),
    )
