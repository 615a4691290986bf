"""Results, plans and curves for people: aligned lines of three significant figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from lineshaft.serve.curve import Curve
from lineshaft.serve.figures import Verdict
from lineshaft.serve.planning import Plan
from lineshaft.serve.result import Result
from lineshaft.serve.search import Candidate
from lineshaft.units import format_quantity
from lineshaft.words import aligned, paragraph

NAMES = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "wait": "waiting"}
BARS = " ▁▂▃▄▅▆▇█"
SHOWN = 12
"""Lines of the front that are shown."""


def result_lines(found: Result) -> Iterator[str]:
    """What one deployment does, line by line."""
    placed = found.deployment
    yield f"{placed.one.arch.name} on {placed.name}, {placed.one.asked.engine}"
    yield f"  {found.traffic.source}{_rate(found)}"
    yield ""
    yield from _indented(_latency_rows(found))
    if found.bars.basis:
        yield f"  [90 % error bars: {found.bars.basis}]"
    if found.verdicts:
        yield ""
        yield from _indented([_verdict_row(one) for one in found.verdicts], (0, -1))
    for good in found.goodput:
        which = f" of class {good.slo_class}" if len(found.goodput) > 1 else ""
        yield (
            f"  goodput{which}: {_per_s(good.good_rps)} ({good.share:.1%} of requests keep "
            "every limit)"
        )
    yield ""
    yield from _indented(_use_rows(found), (0, 1))
    for note in found.notes:
        yield ""
        yield f"Note: {note}"


def explained_lines(found: Result) -> Iterator[str]:
    """Where the time of usual steps goes, and what an accelerator's memory holds."""
    for step in found.explained():
        batch = step.batch
        parts = [f"{batch.decoding} sequences decode at {batch.context:,.0f} tokens"]
        parts = parts if batch.decoding else []
        parts += [f"a prompt of {chunk.tokens:,} tokens" for chunk in batch.chunks]
        yield f"A usual step {step.name}, {_s(step.seconds)}: {', '.join(parts)}"
        yield from _indented(
            [(one.name, _s(one.seconds), f"{one.share:.1%}", one.binds) for one in step.terms],
            (0, -1),
        )

    for name, held in found.held().items():
        yield f"Memory of one accelerator, {name}: room for {held.kv_tokens:,.0f} tokens of KV"
        yield from _indented(
            [(one.name, f"{one.bytes / 1e9:.1f} GB", f"{one.share:.1%}") for one in held.parts],
            (0,),
        )


def plan_lines(found: Plan) -> Iterator[str]:
    """The front, the winner, why, what breaks first, and how to start it."""
    kinds = Counter(one.why.split(":")[0] for one in found.ruled)
    tried = len(found.found) + len(found.ruled)
    told = [f"{len(found.found)} meet the service level"]
    told += [f"{count} {why}" for why, count in kinds.most_common()]
    yield f"{tried} shapes: {', '.join(told)}"
    yield ""
    yield "Cheapest first; nothing else is both cheaper and faster:"
    head = ("$/Mtok", "$/h", "TPOT", "TTFT", "deployment", "max seqs", "budget")
    rows = [head, *(_front_row(found, one) for one in found.front[:SHOWN])]
    yield from _indented(rows, (4,))
    yield ""
    yield f"Winner: {found.winner.deployment.name}"
    yield from list(result_lines(found.winner))[1:]
    yield ""
    yield from (paragraph(line) for line in (*found.why, str(found.broken)))
    for engine, command in found.commands.items():
        yield ""
        yield f"{engine}, each instance:"
        yield from (f"  {line}" for line in command.splitlines())


def curve_lines(found: Curve) -> Iterator[str]:
    """Latency against rate, with the knee and the largest rate within the level."""
    first = found.points[0]
    yield f"{first.deployment.one.arch.name} on {first.deployment.name}"
    yield f"  saturates at {_per_s(found.saturation_rps)}"
    yield ""
    head = ("rate", "done", "TTFT p50", "p90", "TPOT p50", "p90", "E2E mean", "", "")
    rows: list[Sequence[str]] = [head]
    highest = max(point.latency_s["e2e"]["mean"] for point in found.points)
    for point in found.points:
        e2e = point.latency_s["e2e"]["mean"]
        rows.append(
            (
                _per_s(point.offered_rps),
                _per_s(point.completed_rps),
                *(_s(point.latency_s[m][p]) for m in ("ttft", "tpot") for p in ("p50", "p90")),
                _s(e2e),
                BARS[max(1, round(8 * e2e / highest))] * max(1, round(20 * e2e / highest)),
                _mark(found, point),
            )
        )
    yield from _indented(rows, (-2, -1))
    yield ""
    at = _per_s(found.knee.offered_rps)
    yield f"Knee at {at}: beyond it latency grows faster than throughput."
    if found.most is not None:
        at = _per_s(found.most.offered_rps)
        yield f"The service level holds, error bars included, up to {at}."
    elif first.verdicts:
        yield "The service level does not hold, error bars included, at any of these rates."


def _mark(found: Curve, point: Result) -> str:
    marks = ["knee"] if point is found.knee else []
    marks += ["most within the level"] if point is found.most else []
    marks += ["misses the level"] if point.verdicts and not point.holds else []
    return ", ".join(marks)


def _rate(found: Result) -> str:
    if not found.offered_rps:
        return ""
    share = found.offered_rps / found.saturation_rps
    at = "" if math.isnan(share) else f", {share:.0%} of saturation"
    return f", {_per_s(found.offered_rps)}{at}"


def _latency_rows(found: Result) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("", "mean", "p50", "p90", "p95", "p99", "mean, low – high")]
    for key, name in NAMES.items():
        values = found.latency_s[key]
        row = [name, *(_s(values[at]) for at in ("mean", "p50", "p90", "p95", "p99"))]
        ends = {"ttft": found.bars.ttft, "tpot": found.bars.tpot}.get(key)
        if ends and not math.isnan(values["mean"]):
            row.append(f"{_s(values['mean'] * ends[0])} – {_s(values['mean'] * ends[1])}")
        rows.append((*row, "")[:7])
    return rows


def _verdict_row(one: Verdict) -> Sequence[str]:
    told = "met" if one.sure else "met, but for its error bar" if one.met else "MISSED"
    which = f"class {one.slo_class} " if one.slo_class else ""
    return (
        f"{which}{one.key}",
        _s(one.value_s),
        f"[{_s(one.low_s)} – {_s(one.high_s)}]",
        f"asked {_s(one.limit_s)}",
        told,
    )


def _use_rows(found: Result) -> list[Sequence[str]]:
    tokens, usd, energy = found.tokens_per_s, found.usd_per_mtok, found.energy
    each = found.deployment.accelerators
    served = (
        f"{_per_s(found.completed_rps)}, {_tokens(tokens['output'])} of answers "
        f"({_tokens(tokens['output'] / each)} per accelerator), {_tokens(tokens['input'])} of "
        "prompts computed"
    )
    used = (
        f"accelerators {found.busy_share:.1%} of the time in a step; {found.running:.3g} requests "
        f"run and {found.waiting:.3g} wait, in the mean"
    )
    cost = (
        f"{_usd(found.usd_per_h)} an hour for {each} accelerators; {_usd(usd['all'])} per million "
        f"tokens (input {_usd(usd['input'])}, cached {_usd(usd['cached'])}, output "
        f"{_usd(usd['output'])})"
    )
    drawn = (
        f"{energy['kwh_per_mtok']:.3g} kWh per million tokens; prefill "
        f"{_kwh(energy['prefill_kwh'])}, decode {_kwh(energy['decode_kwh'])}, idle "
        f"{_kwh(energy['idle_kwh'])}"
    )
    rows: list[Sequence[str]] = [
        ("served", served),
        ("in use", used),
        ("cost", cost),
        ("price", found.price_source),
        ("energy", drawn),
    ]
    if found.hit_share:
        share = f"{found.hit_share:.1%} of prompt tokens, {_tokens(tokens['cached'])}"
        rows.insert(1, ("prefix hits", share))
    odd = [f"{n:,} {name}" for name, n in found.states.items() if n and name != "done"]
    odd += [f"{found.preemptions:,} preemptions"] if found.preemptions else []
    odd += [f"{found.restarts:,} restarts"] if found.restarts else []
    return [*rows, ("also", ", ".join(odd))] if odd else rows


def _front_row(found: Plan, one: Candidate) -> Sequence[str]:
    placed = one.deployment
    asked = placed.one.asked
    return (
        _usd(found.usd_per_mtok(one)),
        _usd(one.usd_per_h),
        _s(one.tpot_s),
        _s(one.ttft_s),
        placed.name,
        str((placed.decode or placed.one).asked.max_num_seqs),
        str(asked.max_num_batched_tokens),
    )


def _indented(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    return [f"  {line}" for line in aligned(rows, left)]


def _s(seconds: float) -> str:
    return "–" if math.isnan(seconds) else format_quantity(seconds, "s")


def _usd(usd: float) -> str:
    return "–" if math.isnan(usd) else format_quantity(usd, "USD")


def _kwh(kwh: float) -> str:
    return format_quantity(kwh * 1e3, "Wh")


def _per_s(rate: float) -> str:
    return f"{rate:.3g}/s"


def _tokens(rate: float) -> str:
    return f"{format_quantity(rate, 'token')}/s"
