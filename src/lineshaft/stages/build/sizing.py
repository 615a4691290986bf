"""The crews that a campus needs to be finished in a given time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from lineshaft.contracts.curves import Array
from lineshaft.contracts.reasons import TRADES
from lineshaft.errors import InputError, Problem
from lineshaft.stages.build.inputs import BuildInputs, Crew, check
from lineshaft.stages.build.risk import draw
from lineshaft.stages.build.schedule import Network, build_network, make_plan, run_one
from lineshaft.stages.build.workforce import crew_hours

STEPS = 16
"""Halvings of the bracket: the scale is found to about 0.1 %."""


def _windows(net: Network, median: Array) -> Array:
    """Months [trade] from a trade's first to its last work, in one hall with full crews."""
    n = len(median)
    begin = np.zeros(n)
    for a in range(n):
        for b in net.successors[net.heads[a] : net.heads[a + 1]]:
            begin[b] = max(begin[b], begin[a] + median[a])
    used = net.hours > 0
    first = np.where(used, begin[:, None], np.inf).min(axis=0)
    last = np.where(used, (begin + median)[:, None], -np.inf).max(axis=0)
    return np.where(used.any(axis=0), last - first, 1.0)


def crews_for(
    inputs: BuildInputs, months: float, ramp_months: float = 3.0, first_share: float = 0.5
) -> tuple[Crew, ...]:
    """The smallest crews that finish the campus `months` after its first phase's start (median).

    Headcounts of the trades are in proportion to their hours over the time that they are needed
    in a hall, scaled together until the median schedule fits; each starts with `first_share` of
    its headcount and reaches it after the ramp. `inputs.crews` is not read. Raises `InputError`
    when not even unlimited crews are that fast.
    """
    inputs = replace(inputs, samples=1, crews=_scaled(np.ones(len(TRADES)), 1.0, 0.0, 1.0))
    check(inputs)
    net = build_network(inputs)
    draws = draw(inputs, net)
    work, release = draws.work[0], draws.release[0]
    begin = min(phase.start_month for phase in inputs.phases)
    per_month = net.hours.sum(axis=0) / _windows(net, work)
    heads = per_month / inputs.crews[0].hours_per_worker_month

    def end(scale: float) -> float:
        crews = _scaled(heads, scale, ramp_months, first_share)
        plan = make_plan(inputs, net, crew_hours(crews, inputs.months), work, release)
        return float(run_one(net, plan, work, release, np.zeros((len(TRADES), 2))).finish.max())

    low, high = 1 / 64, 64.0
    best = end(high) - begin
    if best > months:
        found = f"{months:g} months; even unlimited crews take {best:.1f}"
        raise InputError(Problem("", "build.months_to_build", found, "more time, or earlier parts"))
    for _ in range(STEPS):
        middle = math.sqrt(low * high)
        if end(middle) - begin <= months:
            high = middle
        else:
            low = middle
    return _scaled(heads, high, ramp_months, first_share)


def _scaled(heads: Array, scale: float, ramp: float, first: float) -> tuple[Crew, ...]:
    peaks = heads * scale
    return tuple(
        Crew(
            trade,
            headcount=first * float(peak) if ramp > 0 else float(peak),
            hires_per_month=(1 - first) * float(peak) / ramp if ramp > 0 else 0.0,
            maximum=float(peak),
        )
        for trade, peak in zip(TRADES, peaks, strict=True)
        if peak > 0
    )
