"""The default crews: what the plan wants in its busiest three months.

Every phase is laid out as if no trade were ever short, at the median slip and lead times (critical
path). A trade's crew is the largest mean of its hours over three months in a row, by the hours
that a worker works in a month; half of it is there in the first month and the rest is hired
within three. Shorter peaks than that stretch the schedule.
"""

from __future__ import annotations

import math

import numpy as np

from lineshaft.contracts.reasons import TRADES
from lineshaft.stages.build.inputs import WEEKS_PER_MONTH, BuildInputs, Crew
from lineshaft.stages.build.schedule import Network, build_network
from lineshaft.tables import Array

PEAK_MONTHS = 3
"""Months over which the largest mean of a trade's hours is taken."""
RAMP_MONTHS, FIRST_SHARE = 3.0, 0.5


def default_crews(inputs: BuildInputs, factor: float = 1.0) -> dict[str, Crew]:
    """A crew for every trade that the phases want, times `factor`; `inputs.crews` is not read.

    Two phases that start together get the crews to be built together.
    """
    net = build_network(inputs)
    hours = _wanted(net, *_unhindered(inputs, net))
    kernel = np.ones(PEAK_MONTHS) / PEAK_MONTHS
    found = {}
    for trade, path in zip(TRADES, hours.T, strict=True):
        crew = Crew(trade, 0.0)
        most = factor * float(np.convolve(path, kernel).max()) / crew.hours_per_worker_month
        if most > 0:
            hires = (1 - FIRST_SHARE) * most / RAMP_MONTHS
            found[trade] = Crew(trade, FIRST_SHARE * most, hires, most)
    return found


def _unhindered(inputs: BuildInputs, net: Network) -> tuple[Array, Array]:
    """Start and duration [activity] in months where no trade is ever short."""
    work = net.planned * inputs.risk.median_slip
    start = np.zeros(len(work))
    for p, phase in enumerate(inputs.phases):
        arrival = {
            r.name: r.order_month + math.sqrt(r.low_weeks * r.high_weeks) / WEEKS_PER_MONTH
            for r in phase.releases
        }
        for w, package in enumerate(inputs.packages):
            waits = [arrival[name] for name in package.needs if name in arrival]
            mine = (net.phase == p) & (net.package == w)
            start[mine] = phase.start_month + max(waits, default=0.0)
    for p, phase in enumerate(inputs.phases):
        mine = net.phase == p
        start[mine] = np.maximum(start[mine], phase.start_month)
    for a in range(len(start)):
        for b in net.successors[net.heads[a] : net.heads[a + 1]]:
            start[b] = max(start[b], start[a] + work[a])
    return start, work


def _wanted(net: Network, start: Array, work: Array) -> Array:
    """[month, trade] hours, each activity's spread evenly over its time."""
    months = np.arange(math.ceil(float((start + work).max())) + 1)[:, None]
    done = np.clip((months - start) / work, 0.0, 1.0)
    return np.asarray(np.diff(np.einsum("ma,ak->mk", done, net.hours), axis=0))
