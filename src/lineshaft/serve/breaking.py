"""What breaks first when a deployment gets more to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lineshaft.serve.figures import latencies, wait_s
from lineshaft.serve.run import Outcome, outcome
from lineshaft.serve.search import Candidate, Search
from lineshaft.units import format_quantity

FACTORS = (1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
FULL = 0.95
"""Share of seats or of the KV cache in use, in the mean over the busy time, that counts as full."""


@dataclass(frozen=True, slots=True)
class Break:
    """The first objective that is missed as the load grows, and why."""

    factor: float
    """Load at which it is missed, over the planned one; inf where nothing breaks up to 10."""
    key: str = ""
    value_s: float = np.nan
    limit_s: float = np.nan
    cause: str = ""

    def __str__(self) -> str:
        if not self.key:
            return f"Nothing breaks up to {FACTORS[-1]:g} times the load."
        return (
            f"At {self.factor:g} times the load {self.key} goes first: "
            f"{format_quantity(self.value_s, 's')} against {format_quantity(self.limit_s, 's')}; "
            f"{self.cause}."
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        names = ("factor", "key", "value_s", "limit_s", "cause")
        return {name: getattr(self, name) for name in names} | {"text": str(self)}


def breaks(common: Search, best: Candidate) -> Break:
    """The first of `FACTORS` at which an objective is missed in the mean (no error bar)."""
    if not best.verdicts:
        return Break(np.inf)
    for factor in FACTORS:
        given, seen = common.share(best.deployment, common.traffic.faster(factor))
        out = outcome(seen.fleet(), given.requests, window_s=given.window_s)
        found = latencies(out, seen, given.measured, common.definition)
        found, bars = common.accuracy.judge(seen, given, found, wait_s(out, given.measured))
        classes = given.requests.slo_class[given.measured]
        judged = common.judged(best.deployment, found, None, classes, bars)
        missed = [verdict for verdict in judged.verdicts if not verdict.met]
        if missed:
            worst = max(missed, key=lambda verdict: verdict.value_s / verdict.limit_s)
            cause = _cause(best, out, seen.instances, worst.key)
            return Break(factor, worst.key, worst.value_s, worst.limit_s, cause)
    return Break(np.inf)


def _cause(best: Candidate, out: Outcome, instances: int, key: str) -> str:
    """What is full while it breaks."""
    one = best.deployment.one
    asked = one.asked
    ended = ~np.isnan(out.finish_s)
    in_s = (out.finish_s - out.scheduled_s)[ended]
    tokens = (out.requests.input_tokens + 0.5 * out.requests.output_tokens)[ended]
    busy_s = max(out.totals.busy_s, 1e-9)
    seats = asked.max_num_seqs * asked.layout.dp
    running = float(in_s.sum()) / busy_s
    held = float((in_s * tokens).sum()) / busy_s / one.kv_tokens
    preempted = int(out.preemptions.sum())
    if preempted or held >= FULL:
        share = f"{preempted:,} preemptions" if preempted else f"{held:.0%} in use"
        return f"the KV cache is full ({share}): more memory per instance, or kv in fp8, helps"
    if running >= FULL * seats:
        return f"all {seats} seats of the batch are taken: a larger max_num_seqs helps"
    if key.startswith("tpot"):
        return "every step takes longer as batches grow: more instances, or a wider layout, help"
    return "prompts wait for their turn in the steps: more instances, or a larger budget, help"
