"""The heavy half: a campus becomes dates with their spread, hours, costs and what binds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import Array, BuildCurve
from lineshaft.contracts.reasons import CODE, TRADES
from lineshaft.stages.build.inputs import BuildInputs, check
from lineshaft.stages.build.risk import Draws, draw
from lineshaft.stages.build.schedule import (
    Ints,
    Network,
    Plan,
    Schedule,
    build_network,
    make_plan,
    run_many,
    run_one,
)
from lineshaft.stages.build.workforce import crew_hours

PROGRESS = np.linspace(0.0, 1.0, 401)
"""Grid of elapsed share of a phase's duration: 0.09 months of a phase that takes three years."""

TRADE_CODE = np.array([CODE[f"trade: {trade}"] for trade in TRADES], np.int8)


@dataclass(frozen=True, slots=True)
class Activities:
    """The median schedule for a Gantt chart, one row per activity; months from the first month."""

    phase: tuple[str, ...]
    hall: Ints
    """Hall of the campus, -1 for work of the whole phase."""
    name: tuple[str, ...]
    start_month: Array
    finish_month: Array
    plan_start_month: Array
    """The same with every duration as planned: no slip, lead times at their medians."""
    plan_finish_month: Array
    reason: NDArray[np.int8]
    """What it waited for last (`construction`: for its predecessor, or for nothing)."""


def characterise(inputs: BuildInputs) -> tuple[BuildCurve, Activities]:
    """The curve of the campus and the activities of its median schedule.

    A hall is ready when its last package (commissioning, under power) ends. Equations: durations
    d x m_global x m_trade x m_activity, releases P10/P90 lognormal, one fixed list by latest
    finish, executed in each world by a parallel schedule generator with decision times.
    Raises `InputError` with all problems when something cannot be built.
    """
    check(inputs)
    net = build_network(inputs)
    capacity = crew_hours(inputs.crews, inputs.months)
    draws = draw(inputs, net)
    plan = make_plan(inputs, net, capacity, draws.work[0], draws.release[0])
    first = min(phase.start_month for phase in inputs.phases)
    begin = first + draws.away_at * (plan.end - first)
    outage = np.stack((begin, begin + draws.away_months), axis=-1)

    median = run_one(net, plan, draws.work[0], draws.release[0], outage[0])
    planned = run_one(net, plan, net.planned, draws.release[0], np.zeros_like(outage[0]))
    work = draws.work[1:] / _joins(net, plan, draws, median)
    drawn = run_many(net, plan, work, draws.release[1:], outage[1:])[:, net.ready]
    drawn = drawn[np.argsort(drawn.max(axis=1), kind="stable")].T
    calendar = np.concatenate((median.finish[net.ready][:, None], drawn), axis=1)

    starts = np.array([phase.start_month for phase in inputs.phases])
    ready_months = calendar - starts[net.hall_phase][:, None]
    phases = range(len(inputs.phases))
    duration = np.stack([ready_months[net.hall_phase == p].max(axis=0) for p in phases])
    at = starts[:, None] + PROGRESS * duration[:, :1]
    curve = BuildCurve(
        phases=tuple(phase.name for phase in inputs.phases),
        hall_phase=net.hall_phase,
        hall_w=np.array([inputs.phases[p].it_w / inputs.phases[p].halls for p in net.hall_phase]),
        ready_months=ready_months,
        duration_months=duration,
        progress=PROGRESS.copy(),
        spent_share=np.stack([_spent(inputs, net, plan, draws, median, p, at[p]) for p in phases]),
        craft_hours=np.stack([net.hours[net.phase == p].sum(axis=0) for p in phases]),
        worked_share=np.stack([_worked(net, plan, median, p, at[p]) for p in phases]),
        crew_hours=capacity,
        binding=np.stack([_binding(net, draws, median, p, at[p]) for p in phases]),
        p50_month=np.quantile(drawn, 0.5, axis=1),
        p80_month=np.quantile(drawn, 0.8, axis=1),
    )
    return curve, _activities(inputs, net, draws, median, planned)


def _joins(net: Network, plan: Plan, draws: Draws, median: Schedule) -> float:
    """How much longer phases take when only trades and activities vary, at the median (>= 1).

    Where parallel work joins, the slowest counts, so spread alone makes a campus late. The
    reference class is measured on whole projects and holds this already: it is taken out of the
    common factor, and half of the worlds are later than the median case. Judged on 64 worlds.
    """
    some = slice(1, None, max(1, (len(draws.work) - 1) // 64))
    work = draws.work[some] * (draws.shared[0] / draws.shared[some])[:, None]
    release = np.broadcast_to(draws.release[0], work.shape).copy()
    none = np.zeros((len(work), len(TRADES), 2))
    finish = run_many(net, plan, work, release, none)[:, net.ready]
    ratio = np.zeros(len(work))
    phases = np.unique(net.hall_phase)
    for p in phases:
        halls = net.hall_phase == p
        begin = median.start[net.phase == p].min()
        last = median.finish[net.ready[halls]].max()
        ratio += (finish[:, halls].max(axis=1) - begin) / (last - begin) / len(phases)
    return max(1.0, float(np.median(ratio)))


def _worked(net: Network, plan: Plan, median: Schedule, phase: int, at: Array) -> Array:
    """Share of each trade's hours [trade, x] worked by the months `at`."""
    activity = median.pieces[:, 0].astype(np.int64)
    mine = net.phase[activity] == phase
    activity, (since, until, share) = activity[mine], median.pieces[mine, 1:4].T
    months = np.clip(at[:, None], since, until) - since
    hours = (months * share) @ plan.rate[activity]
    total = hours[-1]
    worked = np.where(total > 0, hours / np.where(total > 0, total, 1.0), PROGRESS[:, None])
    return worked.T


def _spent(
    inputs: BuildInputs,
    net: Network,
    plan: Plan,
    draws: Draws,
    median: Schedule,
    phase: int,
    at: Array,
) -> Array:
    """Share of the construction cost [x] paid by the months `at`.

    Parts are paid by deposit and on delivery (what falls before the phase's start is paid in its
    first step), the rest of the cost as craft hours are worked.
    """
    releases = inputs.phases[phase].releases
    hours = net.hours[net.phase == phase].sum(axis=0)
    work = 1.0 - sum(r.cost_share for r in releases)
    spent = work * hours @ _worked(net, plan, median, phase, at) / hours.sum()
    for r, arrival in zip(releases, draws.arrival[phase], strict=True):
        ordered = inputs.phases[phase].start_month + r.order_month
        spent[1:] += r.cost_share * r.deposit_share * (at[1:] >= ordered)
        spent[1:] += r.cost_share * (1 - r.deposit_share) * (at[1:] >= arrival)
    spent[-1] = 1.0
    share: Array = np.clip(spent, 0.0, 1.0)
    return share


def _binding(
    net: Network, draws: Draws, median: Schedule, phase: int, at: Array
) -> NDArray[np.int8]:
    """Reason codes [x]: what the chain that ends the phase is doing or waiting for at `at`.

    The chain goes back from the phase's last hall: an activity worked by its full crew is
    `construction`, one that is short of a trade or waits for it is that trade, a wait after the
    last predecessor is the release that came last; then that predecessor, and so on.
    """
    code = np.full(len(at), CODE["construction"], np.int8)
    halls = net.ready[net.hall_phase == phase]
    a = int(halls[np.argmax(median.finish[halls])])
    while a >= 0:
        waits = median.waited[a]
        trade = TRADE_CODE[waits] if waits >= 0 else np.int8(CODE["construction"])
        came = min(max(float(draws.release[0, a]), median.ready[a]), median.start[a])
        if draws.bound_by[a]:
            code[(at >= median.ready[a]) & (at < came)] = draws.bound_by[a]
        code[(at >= came) & (at < median.start[a])] = trade
        mine = median.pieces[median.pieces[:, 0] == a]
        rests = (at >= median.start[a]) & (at < median.finish[a])
        for _, since, until, _, short in mine:
            inside = (at >= since) & (at < until)
            rests &= ~inside
            if short >= 0:
                code[inside] = TRADE_CODE[int(short)]
        if rests.any():
            rate = net.hours[a]
            code[rests] = TRADE_CODE[int(rate.argmax())]
        a = int(median.last[a])
    code[-1] = code[-2]
    return code


def _activities(
    inputs: BuildInputs, net: Network, draws: Draws, median: Schedule, planned: Schedule
) -> Activities:
    waited_release = (draws.bound_by > 0) & (draws.release[0] > median.ready + 1e-9)
    reason = np.where(waited_release, draws.bound_by, np.int8(CODE["construction"]))
    short = (median.waited >= 0) & (
        median.start > np.maximum(median.ready, draws.release[0]) + 1e-9
    )
    reason = np.where(short, TRADE_CODE[median.waited], reason).astype(np.int8)
    return Activities(
        phase=tuple(inputs.phases[p].name for p in net.phase),
        hall=net.hall,
        name=tuple(inputs.packages[w].name for w in net.package),
        start_month=median.start,
        finish_month=median.finish,
        plan_start_month=planned.start,
        plan_finish_month=planned.finish,
        reason=reason,
    )
