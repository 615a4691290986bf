"""How many instances of what: a deployment, its price, and the rate that it cannot exceed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lineshaft.catalog.loader import Row
from lineshaft.errors import InputError, Problem
from lineshaft.serve.bounds import most_rps
from lineshaft.serve.instance import Instance, layout_name, slowed
from lineshaft.serve.run import outcome
from lineshaft.serve.traffic import Traffic
from lineshaft.stages.serve.deployment import Fleet
from lineshaft.stages.serve.requests import Requests
from lineshaft.transformer import kv_bytes

BURST = 2000
"""Requests of the burst that finds the saturation rate."""


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """Equal instances, or two pools of them: prompts here, answers in `decode`."""

    one: Instance
    instances: int = 1
    decode: Instance | None = None
    decode_instances: int = 0
    router: str = "round-robin"
    seed: int = 0

    @property
    def accelerators(self) -> int:
        answers = self.decode.accelerators * self.decode_instances if self.decode else 0
        return self.one.accelerators * self.instances + answers

    @property
    def name(self) -> str:
        """Such as "4 x H100 SXM5 tp2 fp8" or "2 x … prompts, 3 x … answers"."""
        if self.decode is None:
            return f"{self.instances} x {self.one.name}"
        layout = layout_name(self.decode.asked.layout)
        return (
            f"{self.instances} x {self.one.name} for prompts, "
            f"{self.decode_instances} x {layout} for answers"
        )

    @property
    def handover_s(self) -> float:
        """From one pool to the other, beside the time on the link; 0 in one pool."""
        return self.one.coefficients.handover_s if self.decode else 0.0

    def slowed(self, factor: float) -> Deployment:
        """The same, every step of which takes `factor` times as long."""
        decode = slowed(self.decode, factor) if self.decode else None
        return replace(self, one=slowed(self.one, factor), decode=decode)

    def fleet(self) -> Fleet:
        """As the engine takes it."""
        pool = replace(self.one.pool, instances=self.instances)
        if self.decode is None:
            return Fleet(pool, router=self.router, seed=self.seed)
        return Fleet(
            pool,
            decode=replace(self.decode.pool, instances=self.decode_instances),
            transfer_token_s=transfer_token_s(self.one, self.decode),
            transfer_s=self.handover_s,
            router=self.router,
            seed=self.seed,
        )


def transfer_token_s(prompts: Instance, answers: Instance) -> float:
    """Time to send one token's KV from an instance to another, each accelerator over its own link
    to the cluster.

    Raises:
        InputError: the catalog has no such rate.
    """
    links = (prompts, answers)
    rate = min(one.chip.scaleout_bytes_per_s * one.accelerators for one in links)
    if rate <= 0:
        names = " and ".join(dict.fromkeys(one.chip.name for one in links))
        found = f"no rate of the link between instances is published for {names}"
        fix = "serve prompts and answers in one pool, or take another accelerator"
        raise InputError(Problem("", "disaggregate", found, "a rate in the catalog", fix))
    context = 4096.0  # windowed layers send their window only: per token at a usual length
    return kv_bytes(prompts.arch, context, prompts.kv_byte) / context / rate


def rent_usd_per_h(row: Row, prices: Mapping[str, float]) -> float:
    """Rent of one accelerator: the price given for its name, else the catalog's, else nan."""
    listed = row["rent_usd_per_h"]
    return prices.get(row.text("name"), listed if isinstance(listed, float) else math.nan)


def saturation_rps(deployed: Deployment, traffic: Traffic) -> float:
    """Requests per second when there is always work: a burst, all at once, on one instance, times
    the instances; on all of them where prompts and answers are split.

    Its first and last tenth do not count, in which batches grow and shrink.
    """
    seen, count = deployed, BURST
    if deployed.decode is None:
        seen = replace(deployed, instances=1)
    else:
        count = max(BURST, BURST // 8 * (deployed.instances + deployed.decode_instances))
    requests = _first(traffic.sized(count).requests, count)
    done = outcome(seen.fleet(), requests).finish_s
    done = np.sort(done[~np.isnan(done)])
    bounds = [most_rps(one, requests, part) * count for one, count, part in _parts(deployed)]
    if len(done) < 20:
        return min(bounds)
    early, late = (float(at) for at in np.quantile(done, (0.1, 0.9)))
    each_rps = 0.8 * len(done) / max(late - early, 1e-9) / seen.instances
    return min(*bounds, each_rps * deployed.instances)


def _parts(deployed: Deployment) -> list[tuple[Instance, int, str]]:
    if deployed.decode is None:
        return [(deployed.one, deployed.instances, "all")]
    return [
        (deployed.one, deployed.instances, "prompts"),
        (deployed.decode, deployed.decode_instances, "answers"),
    ]


def _first(requests: Requests, count: int) -> Requests:
    """The first requests, all at once."""
    start = requests.block_start[: count + 1]
    return Requests(
        name=requests.name,
        arrival_s=np.zeros(min(count, len(requests))),
        input_tokens=requests.input_tokens[:count],
        output_tokens=requests.output_tokens[:count],
        block_ids=requests.block_ids[: start[-1]] if len(start) else requests.block_ids,
        block_start=start,
        block_tokens=requests.block_tokens,
    )


def instances_for(rate_rps: float, each_rps: float) -> int:
    """Whole instances that a rate needs at least."""
    return max(1, math.ceil(rate_rps / each_rps - 1e-9)) if np.isfinite(each_rps) else 1
