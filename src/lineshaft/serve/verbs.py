"""The verbs of `lineshaft serve`, in Python: names in, results out, nothing printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.serve.curve import Curve, curve
from lineshaft.serve.fleets import Deployment, instances_for, saturation_rps
from lineshaft.serve.instance import limits_wrong, repository
from lineshaft.serve.named import Gather, Named, Promise, asked, deployment, promise
from lineshaft.serve.planning import Plan, Progress, planned, priced, shapes
from lineshaft.serve.result import Result
from lineshaft.serve.search import Search
from lineshaft.serve.simulation import result
from lineshaft.serve.traffic import Traffic

__all__ = ["plan", "simulate", "sweep"]


def simulate(*, overload: bool = False, **options: Unpack[Named]) -> Result:
    """What one deployment does with one traffic: latencies, goodput, use, energy, cost.

        simulate(model="Llama 3.1 70B", accelerator="H100", tp=4, replicas=2, rate=8)

    The options are those of `named.Named`. A rate above what the deployment can serve is refused,
    because latencies would grow without end, unless `overload` asks for it.

    Raises:
        InputError: every problem of the options at once: unknown names with the nearest, a model
            that does not fit and by how much, a rate above saturation.
    """
    placed, promised = _all(options)
    asked_for = promised.traffic.stretched(placed.instances + placed.decode_instances)
    most = np.nan if asked_for.requests.clients else saturation_rps(placed, asked_for)
    if asked_for.steady and asked_for.rate_rps > most and not overload:
        raise InputError(_overload(placed, asked_for, most))
    return _result(placed, asked_for, promised, most)


def sweep(
    *,
    rates: Sequence[float] = (),
    points: int = 12,
    progress: Progress | None = None,
    **options: Unpack[Named],
) -> Curve:
    """Latency against rate, up to and a little beyond saturation, with its knee.

    Takes the options of `simulate`; `rate` is not needed. Without `rates`, `points` of them.

    Raises:
        InputError: every problem of the options at once.
    """
    if not any(options.get(key) is not None for key in ("rate", "trace", "clients", "workload")):
        options["rate"] = 1.0
    placed, promised = _all(options)
    asked_for = promised.traffic
    if asked_for.requests.clients or options.get("workload") is not None:
        found = "the times of these requests depend on their answers"
        raise InputError(Problem("", "sweep", found, "a rate or a trace"))
    if asked_for.make is None:  # a trace at its own times
        options["rate"] = asked_for.rate_rps
        placed, promised = _all(options)
        asked_for = promised.traffic
    most = saturation_rps(placed, asked_for)
    asked_for = asked_for.stretched(placed.instances + placed.decode_instances)

    def at(rate_rps: float) -> Result:
        return _result(placed, asked_for.at(rate_rps), promised, most)

    return curve(at, most, rates, points, progress or _quiet)


def plan(
    *,
    accelerators: Sequence[str] = (),
    widest: int = 64,
    split: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
    **options: Unpack[Named],
) -> Plan:
    """The cheapest deployment that meets `slo` with its error bar, among `accelerators` (all that
    have a rent), their layouts of up to `widest` accelerators, limits of the scheduler, and
    with `split` two pools, one for prompts and one for answers.

        plan(model="Llama 3.1 70B", rate=40, slo="ttft_p90=2s,tpot_p90=100ms")

    Layout, number of instances and limits are what is looked for: those options are not read.

    Raises:
        InputError: every problem of the options at once; no shape fits, or none meets the service
            level: then the closest, and how far off it is.
    """
    gather = Gather()
    promised = promise(options, gather)
    prices = promised.prices if promised else {}
    names = gather.get(lambda: priced(accelerators, prices)) if promised else None
    model = options.get("model", "")
    base = asked(options, model, "")
    gather.problems += limits_wrong(base)
    todo = gather.get(lambda: shapes(model, names or (), base, widest))
    if promised is not None and not promised.slos:
        allowed = "a service level, for example ttft_p90=2s,tpot_p90=100ms"
        gather.problems.append(Problem("", "slo", "none is given", allowed))
    gather.check()
    assert promised is not None and todo
    common = Search(
        traffic=promised.traffic,
        slos=promised.slos,
        prices=prices,
        definition=promised.definition,
        accuracy=promised.accuracy,
        router=options.get("router", "round-robin"),
    )
    return planned(
        common, todo, path=repository(model), progress=progress or _quiet, workers=workers
    )


def _all(options: Named) -> tuple[Deployment, Promise]:
    """Everything that the options describe; InputError with all problems."""
    gather = Gather()
    promised = promise(options, gather)
    placed = deployment(options, promised, gather)
    gather.check()
    assert promised is not None and placed is not None
    return placed, promised


def _result(placed: Deployment, asked_for: Traffic, promised: Promise, most: float) -> Result:
    return result(
        placed,
        asked_for,
        slos=promised.slos,
        definition=promised.definition,
        prices=promised.prices,
        accuracy=promised.accuracy,
        saturation=most,
    )


def _overload(placed: Deployment, asked_for: Traffic, most: float) -> Problem:
    found = (
        f"{asked_for.rate_rps:.3g} requests/s are more than {placed.name} can serve: "
        f"it saturates at {most:.3g}"
    )
    fix = "lower the rate, or simulate the overload with --overload"
    if placed.decode is None:
        enough = instances_for(asked_for.rate_rps / 0.9, most / placed.instances)
        fix = f"take --replicas {enough}, lower the rate, or simulate the overload with --overload"
    return Problem("", "rate", found, f"up to {most:.3g} requests/s", fix)


def _quiet(done: int, total: int) -> None:
    return None
