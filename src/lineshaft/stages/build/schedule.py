"""From phases to a network of activities, its priority list and its schedule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import Array
from lineshaft.contracts.reasons import TRADES
from lineshaft.errors import InputError, Problem
from lineshaft.stages.build.inputs import WEEKS_PER_MONTH, BuildInputs

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Network:
    """Activities and their precedence, as the kernel reads them."""

    phase: Ints
    """[activity]"""
    hall: Ints
    """[activity] hall of the campus, -1 for work of the whole phase."""
    package: Ints
    """[activity]"""
    planned: Array
    """[activity] planned duration with the full crew, months."""
    hours: Array
    """[activity, trade] craft hours in the median case."""
    heads: Ints
    """[activity + 1] where each activity's successors begin."""
    successors: Ints
    predecessors: Ints
    """[activity] number of predecessors."""
    ready: Ints
    """[hall] the activity that makes the hall ready."""
    hall_phase: Ints
    """[hall]"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One realised schedule, all times in calendar months."""

    start: Array
    finish: Array
    ready: Array
    """[activity] end of its last predecessor."""
    last: Ints
    """[activity] that predecessor, -1 for none."""
    waited: Ints
    """[activity] the trade it waited for last, -1 for none."""
    pieces: Array
    """[piece, 5] activity, from, to, share of the full crew, trade that was short (-1: none)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What stays fixed over the draws: crews, their rates and the list."""

    rate: Array
    """[activity, trade] hours per month of the full crew."""
    least: Array
    """[activity] smallest share of the crew."""
    order: Ints
    capacity: Array
    """[trade, month] craft hours."""
    end: float
    """Latest target of a hall, calendar month."""


def build_network(inputs: BuildInputs) -> Network:
    """Lay every package out over the phases and halls; activities stand after predecessors."""
    trade_of = {name: k for k, name in enumerate(TRADES)}
    rows: list[tuple[int, int, int]] = []
    hours: list[Array] = []
    edges: list[tuple[int, int]] = []
    hall_phase: list[int] = []
    ready: list[int] = []
    for p, phase in enumerate(inputs.phases):
        mw = phase.it_w / 1e6
        total = np.zeros(len(TRADES))
        for trade, share in phase.craft_mix:
            total[trade_of[trade]] = mw * phase.craft_hours_per_mw * share
        halls = range(len(hall_phase), len(hall_phase) + phase.halls)
        hall_phase += [p] * phase.halls
        made: dict[tuple[str, int], int] = {}
        for w, package in enumerate(inputs.packages):
            part = np.zeros(len(TRADES))
            for trade, share in package.trades:
                part[trade_of[trade]] = share
            for hall in (-1,) if package.per_phase else halls:
                a = len(rows)
                made[package.name, hall] = a
                rows.append((p, hall, w))
                hours.append(part * total / (1 if package.per_phase else phase.halls))
                befores = (
                    made.get((name, hall), made.get((name, -1), a)) for name in package.after
                )
                edges += [(before, a) for before in befores]
        ready += [made[inputs.packages[-1].name, hall] for hall in halls]

    table = np.array(rows, dtype=np.int64)
    edges.sort()
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    n = len(rows)
    weeks = np.array([package.weeks for package in inputs.packages])
    return Network(
        phase=table[:, 0].copy(),
        hall=table[:, 1].copy(),
        package=table[:, 2].copy(),
        planned=weeks[table[:, 2]] / WEEKS_PER_MONTH,
        hours=np.array(hours),
        heads=np.searchsorted(pairs[:, 0], np.arange(n + 1)).astype(np.int64),
        successors=pairs[:, 1].copy(),
        predecessors=np.bincount(pairs[:, 1], minlength=n).astype(np.int64),
        ready=np.array(ready, dtype=np.int64),
        hall_phase=np.array(hall_phase, dtype=np.int64),
    )


def _earliest_for_hours(capacity: Array, need: Array) -> float:
    """First month by which each trade could have worked `need` hours since month 0."""
    latest = 0.0
    for hours, step in zip(need, capacity, strict=True):
        if hours <= 0:
            continue
        done = np.concatenate(([0.0], np.cumsum(step)))
        if done[-1] >= hours:
            i = int(np.searchsorted(done, hours)) - 1
            month = i + (hours - done[i]) / step[i]
        else:
            month = len(step) + (hours - done[-1]) / step[-1]
        latest = max(latest, float(month))
    return latest


def latest_finish(
    inputs: BuildInputs, net: Network, duration: Array, release: Array, capacity: Array
) -> Array:
    """Latest finish [activity] (months), by the critical path back from each hall's target.

    A hall's target is its critical-path date, counted from its phase's start or, if later, from
    the first month by which the crews could have worked the hours of all halls before it. So
    scarce crews go from hall to hall, and ample crews work on all at once.
    """
    n = len(duration)
    early = release + duration
    for a in range(n):
        for b in net.successors[net.heads[a] : net.heads[a + 1]]:
            early[b] = max(early[b], early[a] + duration[b], release[b] + duration[b])
    starts = np.array([phase.start_month for phase in inputs.phases])
    target = np.full(n, np.inf)
    need = np.zeros(len(TRADES))
    phases_in = set[int]()
    for hall in sorted(range(len(net.ready)), key=lambda h: (starts[net.hall_phase[h]], h)):
        p = int(net.hall_phase[hall])
        mine = net.hall == hall
        if p not in phases_in:
            mine |= (net.phase == p) & (net.hall == -1)
            phases_in.add(p)
        a = net.ready[hall]
        target[a] = early[a] + max(0.0, _earliest_for_hours(capacity, need) - starts[p])
        need += net.hours[mine].sum(axis=0)
    for a in range(n - 1, -1, -1):
        for b in net.successors[net.heads[a] : net.heads[a + 1]]:
            target[a] = min(target[a], target[b] - duration[b])
    return target


def make_plan(
    inputs: BuildInputs, net: Network, capacity: Array, median: Array, release: Array
) -> Plan:
    """Crew sizes and the fixed list, from the median durations and release dates [activity].

    The full crew of an activity works its hours in its median duration. The list is by latest
    finish (ties: phase, hall, package), as in priority-rule scheduling (Kolisch, EJOR 90, 1996).
    """
    rate = net.hours / median[:, None]
    last = capacity[:, -1]
    with np.errstate(divide="ignore"):
        able = np.where(rate > 0, last / np.where(rate > 0, rate, 1.0), np.inf).min(axis=1)
    least = np.minimum(inputs.smallest_crew_share, able)
    if not (least > 0).all():
        trade = TRADES[int(np.argmax((rate[np.argmin(least)] > 0) & (last <= 0)))]
        raise InputError(
            Problem("", f"build.crews.{trade}", "no workers are left in the last month", "some")
        )
    target = latest_finish(inputs, net, median, release, capacity)
    order = np.lexsort((net.package, net.hall, net.phase, np.round(target, 9)))
    return Plan(rate, least, order.astype(np.int64), capacity, float(target.max()))


def _arguments(
    net: Network, plan: Plan
) -> tuple[Array, Array, Ints, Ints, Ints, Ints, Ints, Array, Array]:
    """What the kernel wants between releases and outages."""
    rank = np.empty_like(plan.order)
    rank[plan.order] = np.arange(len(rank))
    months = plan.capacity.shape[1]
    changes = np.flatnonzero((np.diff(plan.capacity, axis=1) != 0).any(axis=0)) + 1.0
    at = np.searchsorted(changes, np.arange(months), side="right")
    next_change = np.append(changes, np.inf)[at]
    jobs = (plan.rate, plan.least, plan.order, rank)
    return (*jobs, net.heads, net.successors, net.predecessors, plan.capacity, next_change)


def run_one(net: Network, plan: Plan, work: Array, release: Array, outage: Array) -> Schedule:
    """One schedule with its pieces. `work`, `release` [activity], `outage` [trade, 2], months."""
    from lineshaft.stages.build import kernel

    n = len(work)
    arguments = _arguments(net, plan)
    room = 64 * n
    while True:
        start, finish, ready = np.empty(n), np.empty(n), np.empty(n)
        last, waited = np.empty(n, np.int64), np.empty(n, np.int64)
        pieces = np.empty((room, 5))
        outputs = (start, finish, ready, last, waited, pieces)
        used = kernel.schedule(work, release, *arguments, outage, *outputs)
        if used < 0:
            raise InputError(Problem("", "build", "the schedule never ends", "crews that come"))
        if used <= room:
            return Schedule(start, finish, ready, last, waited, pieces[:used].copy())
        room = used


def run_many(net: Network, plan: Plan, work: Array, release: Array, outage: Array) -> Array:
    """Finish [draw, activity] in months of the same list in every draw (first axis)."""
    from lineshaft.stages.build import kernel

    finish: Array = kernel.finishes(work, release, *_arguments(net, plan), outage)
    return finish
