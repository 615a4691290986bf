"""The labels of every axis of a run, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.reasons import ROLES, TRADES
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario

RENTED = "rented"


def dims(scenario: Scenario, calendar: Calendar, width: int = 1) -> Dims:
    """Labels of all keys of `scenario`, in the order in which the scenario names things."""
    build, capital = scenario.build, scenario.capital
    fleets = [f"{a.campus} / {a.accelerator}" for a in build.accelerators]
    fleets += [f"{RENTED} / {r.accelerator}" for r in scenario.serve.rented]
    return Dims(
        {
            "month": calendar.labels,
            "site": (*(c.name for c in build.campus), *(s.name for s in scenario.floor.site)),
            "phase": tuple(f"{p.campus} {p.name}" for p in build.phase),
            "trade": TRADES,
            "fleet": tuple(fleets),
            "run": tuple(r.name for r in scenario.train.run),
            "model": tuple(m.name for m in scenario.serve.model),
            "kind": tuple(k.name for k in scenario.agents.kind),
            "role": ROLES,
            "holder": ("founders", *(r.name for r in capital.round)),
            "asset": ("halls", "accelerators", "robots"),
        },
        width,
    )
