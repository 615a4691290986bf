"""Runs made by hand, so that the report is tested without the line."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lineshaft.balances import residuals
from lineshaft.characterise import Characterised, Curves
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import BuildCurve
from lineshaft.contracts.reasons import CODE, ROLES, TRADES
from lineshaft.contracts.tables import Tables
from lineshaft.kpis import Kpi, Series, measure, series
from lineshaft.line import Outcome
from lineshaft.runs import described
from lineshaft.stations import binding_by_year
from lineshaft.tables import Dims

KINDS = ("software engineer", "support agent", "bookkeeper", "sorter", "courier drone", "tokens")
Made = tuple[dict[str, Any], Outcome, Curves]


def dims(months: int, kinds: tuple[str, ...], sites: tuple[str, ...], phases: int) -> Dims:
    """Labels of a run."""
    return Dims(
        {
            "month": Calendar.of("2026-01", months).labels,
            "site": sites,
            "phase": tuple(f"campus phase {p + 1}" for p in range(phases)),
            "trade": TRADES,
            "fleet": ("campus / B200", "campus / GB300") if sites else (),
            "run": ("base",) if sites else (),
            "model": ("own", "bought") if kinds else (),
            "kind": kinds,
            "role": ROLES,
            "holder": ("founders",),
            "asset": ("halls", "accelerators", "robots"),
        }
    )


def fill(x: Tables) -> None:
    """Plausible figures: power comes in steps, work grows into it, money turns in year five."""
    n = x.dims.size("month")
    t = np.arange(n)
    rise = 1 / (1 + np.exp(-(t - 50) / 12))
    on = 1e9 * np.clip(np.floor((t - 14) / 9) / 6, 0, 1)
    x.energised.it_w[:, 0, 0] = on
    x.energised.it_w[:, 1, 0] = 5e6 * (t > 20)
    gpus = on / 1.4e3
    x.states.installed[:, 0, 0], x.states.installed[:, 1, 0] = 0.6 * gpus, 0.4 * gpus
    for name, share in (("leased", 0.2), ("training", 0.25), ("broken", 0.01)):
        x.states[name][..., 0] = share * x.states.installed[..., 0]
    left = 0.54 * x.states.installed[..., 0]
    x.states.busy[..., 0] = left * (0.2 + 0.5 * rise[:, None])
    x.states.headroom[..., 0] = 0.5 * x.states.busy[..., 0] * (1 - rise[:, None])
    taken = x.states.busy + x.states.headroom
    x.states.empty[..., 0] = left - taken[..., 0]
    x.accelerators.stored[:, 0, 0] = 4e4 * (on > 0) * (t % 9 < 3)
    size = np.array([4e5, 2e5, 1e5, 3e4, 8e3, 0.0])
    x.accepted.daa_b[..., 0] = size * rise[:, None] * (on > 0)[:, None]
    x.accepted.daa_a[..., 0] = 0.6 * x.accepted.daa_b[..., 0]
    x.accepted.accepted_per_daa[..., 0] = 9.0 * (x.accepted.daa_b[..., 0] > 0)
    x.accepted.accepted[..., 0] = 270 * x.accepted.daa_b[..., 0]
    x.accepted.review_min[..., 0] = 0.8 * x.accepted.accepted[..., 0]
    x.fielded.fielded[..., 0] = 1.2 * x.accepted.daa_b[..., 0]
    x.fielded.demand_tasks[..., 0] = 1.5 * x.accepted.accepted[..., 0] + 1
    x.admitted.turned_away_tasks[..., 0] = 0.5 * x.accepted.accepted[..., 0] + 1
    x.fielded.price_usd[..., 0] = np.array([22.0, 1.4, 0.6, 0.09, 3.5, 0.0])
    parts = np.array([3.1, 0.22, 0.3, 0.004, 0.1, 0.0])
    x.task_costs.token_usd[..., 0] = parts
    x.task_costs.robot_usd[..., 0] = np.array([0, 0, 0, 0.05, 2.6, 0])
    x.task_costs.human_usd[..., 0] = 0.8 * parts
    x.task_costs.escape_usd[..., 0] = 0.1 * parts
    c = x.task_costs
    c.usd_per_task[:] = c.token_usd + c.robot_usd + c.human_usd + c.escape_usd
    c.human_min_per_task[..., 0] = np.array([4.2, 0.3, 0.5, 0.002, 0.4, 0.0])
    served = 2e15 * rise * (on > 0)
    x.served.served[:, 0, 0], x.served.served[:, 1, 0] = 0.9 * served, 0.1 * served
    x.worth.usd_per_mtok[:, 0] = 4.0 * np.exp(-t / 40) * (on > 0)
    x.worth.marginal_usd_per_mtok[:, 0] = 0.4 * np.exp(-t / 40) * (on > 0)
    it = x.energised.it_w[..., 0] * 0.8 * 2.63e6
    p = x.powered
    p.it_j[..., 0], p.losses_j[..., 0], p.cooling_j[..., 0] = it, 0.06 * it, 0.14 * it
    p.cooling_j[..., 0] *= 1 + 0.2 * np.cos(2 * np.pi * (t - 6) / 12)[:, None]
    p.floor_j[:, 1, 0], p.other_j[..., 0] = 2e11 * rise, 0.02 * it
    p.facility_j[:] = p.it_j + p.losses_j + p.cooling_j + p.floor_j + p.other_j
    p.peak_w[:] = 1.3 * x.energised.it_w
    w = x.worth
    w.task_revenue_usd[:, 0] = (x.accepted.accepted * x.fielded.price_usd)[..., 0].sum(axis=1)
    w.token_revenue_usd[:, 0], w.lease_revenue_usd[:, 0] = 1e-6 * served, 2e3 * gpus * 0.2
    w.revenue_usd[:] = w.task_revenue_usd + w.token_revenue_usd + w.lease_revenue_usd
    w.accelerator_usd[:, 0] = 4e4 * np.maximum(np.diff(gpus, prepend=0), 0)
    w.construction_usd[:, 0] = 2.4e8 * (t < 70)
    w.robot_usd[:, 0] = 2e6 * rise
    w.energy_usd[:, 0] = p.facility_j[..., 0].sum(axis=1) / 3.6e6 * 0.06
    w.people_usd[:, 0], w.staff_usd[:, 0] = 8e7 * rise, 5e6
    w.maintenance_usd[:, 0], w.escape_usd[:, 0] = 20 * gpus, 1e7 * rise
    w.opex_usd[:] = w.energy_usd + w.people_usd + w.staff_usd + w.maintenance_usd + w.escape_usd
    w.capex_usd[:] = w.accelerator_usd + w.construction_usd + w.robot_usd
    w.free_cash_flow_usd[:] = w.revenue_usd - w.opex_usd - w.capex_usd
    w.cash_usd[:] = 45e9 + np.cumsum(w.free_cash_flow_usd, axis=0)
    v = x.valuation
    v.explicit_value_usd[0], v.terminal_value_usd[0] = 9.4e10, 3.1e11
    v.enterprise_value_usd[:] = v.explicit_value_usd + v.terminal_value_usd
    v.equity_value_usd[:] = v.enterprise_value_usd + 2e10
    v.wacc[:], v.irr[:] = 0.11, 0.42
    for i in range(x.dims.size("kind")):
        x.admitted.binding[:, i, 0] = np.select(
            [t < 14, t < 30 + 5 * i, t < 60, t < 80],
            [CODE["power"], CODE["tokens"], CODE["capability"], CODE["people: reviewer"]],
            CODE["demand"] if i else CODE["seats"],
        )
    for i in range(x.dims.size("phase")):
        begin = 20 * i
        x.phases.binding[:, i, 0] = np.select(
            [t < begin, t < begin + 4, t < begin + 9, t < begin + 20, t < begin + 26],
            [0, CODE["permit"], CODE["funds"], CODE["trade: electrical"], CODE["construction"]],
            0,
        )


def curves(phases: int, halls: int = 4) -> Curves:
    """A construction plan of four packages per hall, the other curves left out."""
    packages = ("shell", "electrical", "cooling", "commissioning")
    rows = []
    for p in range(phases):
        rows.append((f"phase {p + 1}", -1, "site", 20.0 * p, 20.0 * p + 5, CODE["permit"]))
        for h in range(halls):
            at = 20.0 * p + 5 + 1.5 * h
            for name, start, months, why in zip(
                packages,
                (0, 2.0, 2.5, 7.0),
                (3.0, 5.5, 4.0, 2.0),
                ("construction", "trade: electrical", "part: chiller", "grid"),
                strict=True,
            ):
                row = (f"phase {p + 1}", p * halls + h, name, at + start, at + start + months)
                rows.append((*row, CODE[why]))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    ready = np.array([20.0 * (h // halls) + 14 + 1.5 * (h % halls) for h in range(phases * halls)])
    build = SimpleNamespace(
        hall_phase=np.repeat(np.arange(phases), halls), p50_month=ready, p80_month=ready + 2.2
    )
    activities = SimpleNamespace(
        phase=columns[0],
        hall=np.array(columns[1], int),
        name=columns[2],
        start_month=np.array(columns[3]),
        finish_month=np.array(columns[4]),
        reason=np.array(columns[5], np.int8),
    )
    made = (Characterised("serve", 1.2, 2, False), Characterised("build", 0.01, 1, True))
    none = cast(Any, None)
    if not phases:
        return Curves(None, None, {}, {}, {}, {}, agents=none, oversee=none, made=made)
    return Curves(
        cast(BuildCurve, build), activities, {}, {}, {}, {}, agents=none, oversee=none, made=made
    )


def outcome(x: Tables, draws: int) -> Outcome:
    """Headline figures and bands; draws scatter around the median case."""
    rng = np.random.default_rng(1)
    scatter = np.concatenate(([1.0], rng.lognormal(0.0, 0.3, draws)))
    kpis = tuple(Kpi.of(what, values[0] * scatter) for what, values in measure(x))
    bands = tuple(Series.of(what, values * scatter) for what, values in series(x))
    return Outcome(x, kpis, bands, cast(Any, None), draws)


def information(name: str, found: Outcome, made: Curves) -> dict[str, Any]:
    """What run.json says."""
    months = found.tables.dims.labels["month"]
    return {
        "format": 1,
        "lineshaft": "0.1.0",
        "python": "3.11.2",
        "numpy": "2.4.0",
        "scenario": name,
        "start": months[0],
        "months": len(months),
        "seed": 7,
        "draws": found.draws,
        "notes": ["Grid dates have no published source; they are ranges."],
        "timings_s": {"read": 0.1, "curves": 1.3, "line": 0.4},
        "curves": [
            {"stage": c.stage, "seconds": c.seconds, "curves": c.curves, "cached": c.cached}
            for c in made.made
        ],
        "checks": [
            {
                "stage": b.stage,
                "balance": b.name,
                "residual": min(b.residual, 1e-12),
                "month": b.month,
                "passed": True,
            }
            for b in residuals(found.tables)
        ],
        "kpis": {kpi.measure.name: described(kpi, months) for kpi in found.kpis},
        "binding": binding_by_year(found.tables),
    }


@pytest.fixture
def make() -> Callable[..., Made]:
    """A run with a name and draws; `full=False` is a scenario without sites, kinds and phases."""

    def made(name: str = "Campus", draws: int = 0, full: bool = True, months: int = 120) -> Made:
        sites = ("campus", "warehouse") if full else ()
        x = Tables.allocate(dims(months, KINDS if full else (), sites, 3 if full else 0))
        if full:
            fill(x)
        found = outcome(x, draws)
        plan = curves(3 if full else 0)
        return information(name, found, plan), found, plan

    return made
