"""`calibrate` and `measure`: what one's own machines say, for the other verbs to take.

calibrate   measured points become a calibration (`calibration=`, ``--coefficients``)
measure     kernel times become operator tables (`tables=`, ``--tables``)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineshaft import benchmarks, catalog
from lineshaft.benchmarks import Measured
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.serve.figures import latencies
from lineshaft.serve.fleets import Deployment
from lineshaft.serve.instance import ENGINES, Asked, Instance, default_precision, instance
from lineshaft.serve.named import Gather
from lineshaft.serve.run import outcome
from lineshaft.serve.traffic import Traffic, traffic
from lineshaft.stages.serve import optables
from lineshaft.stages.serve.calibration import Calibration
from lineshaft.stages.serve.coefficients import shipped
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.efficiencies import operator_efficiencies, starting
from lineshaft.stages.serve.optables import OperatorTables
from lineshaft.stages.serve.steptime import Coefficients

REQUESTS = (40, 2000)
"""Least and most requests of a simulated point; ten per client in between."""
SEATS = 1024
"""max_num_seqs of a measured engine: what benchmarks of throughput set, at least."""


def calibrate(
    points: str | Path | Sequence[Measured],
    *,
    model: str = "",
    accelerator: str = "",
    engine: str = "",
    precision: str = "",
    tp: int = 0,
    tables: str | Path | None = None,
) -> Calibration:
    """The calibration on these points: a file of ours, a benchmark's result, or `Measured`.

    The options fill in what the points do not say: result files of benchmarks often leave out
    accelerator and parallelism. Points of one accelerator and one engine, 3 to 50 of them.
    `tables`, what `measure` wrote, gives the efficiencies from which the calibration starts.

    Raises:
        InputError: unreadable points, missing or unknown names, several accelerators or engines,
            points that cannot be simulated; tables without matrix products.
    """
    from lineshaft.stages.serve import calibrate as level2

    given = benchmarks.read(points) if isinstance(points, str | Path) else list(points)
    gather = Gather()
    known = [
        gather.get(
            lambda one=one: _named(one, model, accelerator, engine, precision, tp)  # type: ignore[misc]
        )
        for one in given
    ]
    gather.check()
    named = [one for one in known if one is not None]
    kinds = sorted({(one.accelerator, one.engine) for one in named})
    if len(kinds) > 1:
        found = ", ".join(" with ".join(kind) for kind in kinds)
        fix = "calibrate each of them by itself"
        raise InputError(Problem("", "points", found, "one accelerator and one engine", fix))
    start = _start(named[0], tables)
    return level2.calibrate(
        named, simulated, start, accelerator=named[0].accelerator, engine=named[0].engine
    )


def measure(
    model: str,
    out: str | Path,
    *,
    tp: int = 1,
    device: str = "cuda",
    precision: str = "bf16",
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[OperatorTables, list[str]]:
    """Times the kernels of a model's layers on this machine's accelerators, into the file `out`.

    A run that was broken off goes on. Returns the tables, and what the device could not run. Needs
    torch: ``pip install "lineshaft[measure]"``.

    Raises:
        InputError: an unknown model, no torch, no such device or precision.
    """
    from lineshaft.stages.serve import measure as measuring

    return measuring.measure(
        Path(out), architecture(model), tp=tp, device=device, precision=precision, progress=progress
    )


def simulated(point: Measured, coefficients: Coefficients) -> tuple[float, float] | None:
    """Mean TTFT and TPOT in seconds of a measured point; None where the model does not fit."""
    asked_for = _traffic(point)
    try:
        one = _instance(point, asked_for, coefficients)
    except InputError:
        return None
    placed = Deployment(one)
    out = outcome(placed.fleet(), asked_for.requests)
    found = latencies(out, placed, asked_for.measured, "vllm")
    return float(np.nanmean(found.ttft_s)), float(np.nanmean(found.tpot_s))


def _named(
    point: Measured, model: str, accelerator: str, engine: str, precision: str, tp: int
) -> Measured:
    """The point with names of the catalog, and what the options fill in."""
    gather = Gather()
    row = gather.get(lambda: catalog.find("models", point.model or model))
    card = gather.get(lambda: catalog.find("accelerators", point.accelerator or accelerator))
    name = point.engine or engine or "vllm"
    if name not in ENGINES:
        gather.problems.append(
            Problem(point.where, "engine", f"there is no {name!r}", ", ".join(ENGINES))
        )
    if not (point.concurrency or point.rate_rps):
        found = "neither concurrency nor rate"
        gather.problems.append(Problem(point.where, "points", found, "one of them"))
    gather.check()
    assert row is not None and card is not None
    return replace(
        point,
        model=row.text("name"),
        accelerator=card.text("name"),
        engine=name,
        precision=point.precision or precision or default_precision(chip(card)),
        tp=tp or point.tp,
    )


def _traffic(point: Measured) -> Traffic:
    clients = round(point.concurrency) if point.concurrency else None
    count = min(max(REQUESTS[0], 10 * (clients or 100)), REQUESTS[1])
    return traffic(
        rate_rps=None if clients else point.rate_rps,
        clients=clients,
        requests=max(count, clients or 0),
        input_tokens=max(1, round(point.input_tokens)),
        output_tokens=max(2, round(point.output_tokens)),
    )


def _instance(point: Measured, asked_for: Traffic, coefficients: Coefficients | None) -> Instance:
    tokens = asked_for.tokens
    asked = Asked(
        model=point.model,
        accelerator=point.accelerator,
        layout=Layout(point.tp, point.pp, point.dp, point.ep),
        engine=point.engine,
        precision=point.precision,
        max_num_seqs=SEATS,
        prefix_cache="none",
    )
    return instance(
        asked,
        mean_tokens=float(tokens.mean()),
        longest_tokens=int(tokens.max()),
        coefficients=coefficients,
    )


def _start(point: Measured, tables: str | Path | None) -> Coefficients:
    """The shipped coefficients for the points' accelerator and engine, with the efficiencies of
    its measured kernels where there are tables."""
    one = chip(catalog.find("accelerators", point.accelerator))
    start = shipped(one.generation, point.engine)
    if tables is None:
        return start
    measured = optables.read(Path(tables), tp=point.tp)
    precision = point.precision or default_precision(one)
    found = operator_efficiencies(
        measured, one, architecture(point.model), tp=point.tp, precision=precision
    )
    return starting(start, found)
