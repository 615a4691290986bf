"""`Result`: what one deployment does with one traffic."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lineshaft.serve.explain import Explained, held, usual_steps
from lineshaft.serve.figures import Bars, Verdict
from lineshaft.serve.fleets import Deployment
from lineshaft.serve.run import Outcome
from lineshaft.serve.traffic import Traffic
from lineshaft.stages.serve.breakdown import Held
from lineshaft.stages.serve.latency import Goodput, Latencies
from lineshaft.words import or_none

if TYPE_CHECKING:
    import pyarrow as pa

STATES = ("done", "refused", "rejected")


@dataclass(frozen=True, slots=True)
class Result:
    """Latencies, goodput, use of the accelerators and cost of one deployment under one traffic.

    Figures are those of the measured requests: all, but for the first tenth of those that come at
    a steady rate. Latencies are as the client sees them, the engine's API included.
    """

    deployment: Deployment
    traffic: Traffic
    latency_s: dict[str, dict[str, float]]
    """By "ttft", "tpot", "e2e", "wait": mean, p50, p90, p95, p99."""
    bars: Bars
    verdicts: tuple[Verdict, ...]
    """Of the service level, by class; empty without one."""
    goodput: tuple[Goodput, ...]
    offered_rps: float
    """0 in a closed loop."""
    completed_rps: float
    saturation_rps: float
    """When there is always work; nan in a closed loop."""
    requests: int
    """Measured ones."""
    states: dict[str, int]
    """Of all requests: done, refused (can never fit), rejected (by admission)."""
    preemptions: int
    restarts: int
    tokens_per_s: dict[str, float]
    """input (computed), cached, output."""
    hit_share: float
    """Prompt tokens that came from the prefix cache."""
    busy_share: float
    """Of the accelerators' time: in a step. The rest is empty."""
    running: float
    """Requests in the engines, mean over the run."""
    waiting: float
    """Requests before their first step, likewise."""
    accelerator_h: float
    """Billed."""
    usd_per_h: float
    usd_per_mtok: dict[str, float]
    """all, input, cached, output: by the Shapley value of the steps that they share."""
    price_source: str
    energy: dict[str, float]
    """kWh of prefill, decode and idle accelerators with their hosts; kWh per million tokens."""
    notes: tuple[str, ...]
    outcome: Outcome
    latencies: Latencies

    @property
    def holds(self) -> bool:
        """Every objective is met, at the high end of its error bar too."""
        return all(verdict.sure for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain data, as JSON can hold it: a number that there is not is None."""
        asked = self.deployment.one.asked
        decode = self.deployment.decode
        found = {
            "deployment": {
                "name": self.deployment.name,
                "instances": self.deployment.instances,
                "accelerators": self.deployment.accelerators,
                "router": self.deployment.router,
                "instance": dataclasses.asdict(asked),
                "kv_tokens": self.deployment.one.kv_tokens,
                "decode_instances": self.deployment.decode_instances,
                "decode": dataclasses.asdict(decode.asked) if decode else None,
            },
            "traffic": {
                "source": self.traffic.source,
                "requests": len(self.traffic),
                "measured": self.requests,
                "offered_rps": self.offered_rps,
            },
            "latency_s": self.latency_s,
            "error_bars": dataclasses.asdict(self.bars),
            "slo": [
                {**dataclasses.asdict(one), "met": one.met, "sure": one.sure}
                for one in self.verdicts
            ],
            "steps": [dataclasses.asdict(one) for one in self.explained()],
            "memory": {name: dataclasses.asdict(one) for name, one in self.held().items()},
            "goodput": [{**dataclasses.asdict(one), "share": one.share} for one in self.goodput],
        }
        names = (
            "completed_rps saturation_rps states preemptions restarts tokens_per_s hit_share "
            "busy_share running waiting accelerator_h usd_per_h usd_per_mtok price_source energy "
            "notes"
        )
        series = self.outcome.series
        over_time = {} if series is None else {"over_time": dataclasses.asdict(series)}
        return plain(found | {name: getattr(self, name) for name in names.split()} | over_time)

    def explained(self) -> tuple[Explained, ...]:
        """Where the time of usual steps goes; empty where operator tables time them."""
        return tuple(usual_steps(self.deployment, self.outcome))

    def held(self) -> dict[str, Held]:
        """What one accelerator's memory holds, by the instance's name."""
        return held(self.deployment, self.outcome)

    def table(self) -> pa.Table:
        """One row per request: times, tokens, state, latencies."""
        import pyarrow as pa

        out = self.outcome
        columns = {
            "arrival_s": out.arrival_s,
            "scheduled_s": out.scheduled_s,
            "first_s": out.first_s,
            "finish_s": out.finish_s,
            "input_tokens": out.requests.input_tokens,
            "output_tokens": out.requests.output_tokens,
            "cached_tokens": out.cached_tokens,
            "preemptions": out.preemptions,
            "state": np.array(STATES)[out.state],
        }
        for name in ("restarts", "instance", "decode_instance"):
            values = getattr(out, name, None)
            if values is not None and len(values) == len(out.arrival_s):
                columns[name] = values
        return pa.table(columns)

    def write(self, folder: Path) -> list[Path]:
        """requests.parquet and result.json in `folder`, each written whole or not at all."""
        import json

        from pyarrow import parquet

        from lineshaft.files import whole

        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "requests.parquet", folder / "result.json"]
        with whole(paths[0]) as part:
            parquet.write_table(self.table(), part)
        with whole(paths[1]) as part:
            part.write_text(json.dumps(self.to_dict(), allow_nan=False, indent=1), "utf-8")
        return paths


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON can hold it."""
    return {key: jsonable(value) for key, value in found.items()}


def jsonable(value: Any) -> Any:
    """The same as JSON can hold it: no number that is not finite, no tuple, no numpy number."""
    if isinstance(value, dict):
        return {str(key): jsonable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(one) for one in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    return or_none(value) if isinstance(value, float) else value
