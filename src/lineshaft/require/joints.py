"""The joints of the line, from right to left: what a forward run needs of each, year by year.

    value     free cash flow, revenue
    oversee   accepted tasks and daily active agents by kind, reviewers, operators
    plant     energy of a year, facility power added in a year
    floor     robots bought in a year, by class
    serve     tokens
    agents    human work that the accepted tasks stand for
    build     accelerators by generation, wafers of packages, HBM, IT power, craft hours, workers
              and apprentices by trade
    capital   capex, new money

Every number is read from the tables of the run, so a joint asks for exactly what the formulas of
the line give; only packages per wafer and bytes of HBM per accelerator come from the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.contracts.reasons import ROLES, TRADES
from lineshaft.parameters import build as build_parameters
from lineshaft.parameters.floor import robots_of
from lineshaft.parameters.hardware import fleet_rows, own
from lineshaft.require.pools import NO_WAFER, packages_per_wafer
from lineshaft.tables import Array

if TYPE_CHECKING:
    from lineshaft.line import Outcome
    from lineshaft.scenario import Scenario
    from lineshaft.stages.build.inputs import Crew

WORKERS = {
    "electrical": "electricians",
    "pipe": "pipefitters",
    "hvac": "HVAC mechanics",
    "steel": "ironworkers",
    "concrete": "concrete finishers",
    "other": "other trades",
}
"""The joint of each trade's workers."""
HOUR_S = 3600.0
PEOPLE = {"reviewer": "reviewers", "operator": "operators"}
"""The joint of each role's people."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a run needs at one joint."""

    joint: str
    stage: str
    unit: str
    amount: Array
    """[year]"""
    flow: bool = True
    """Whether so much is needed in each year, rather than at its busiest moment."""


@dataclass(frozen=True, slots=True)
class Years:
    """The calendar years of a run."""

    labels: tuple[int, ...]
    part: Array
    """[year] share of the year that the run covers."""
    month_year: NDArray[np.int64]
    """[month] place of the month's year among `labels`."""

    @classmethod
    def of(cls, outcome: Outcome) -> Years:
        """The years of a run."""
        labels, place, months = np.unique(
            outcome.parameters.calendar.year, return_inverse=True, return_counts=True
        )
        part = np.asarray(months / 12, dtype=float)
        return cls(tuple(int(y) for y in labels), part, np.asarray(place, np.int64))

    def total(self, monthly: Array) -> Array:
        """[year] sums of [month]."""
        return np.asarray(np.bincount(self.month_year, monthly, len(self.labels)), dtype=float)

    def most(self, monthly: Array) -> Array:
        """[year] largest of [month]."""
        found = np.full(len(self.labels), -np.inf)
        np.maximum.at(found, self.month_year, monthly)
        return found

    def last(self, monthly: Array) -> Array:
        """[year] value of the year's last month."""
        ends = np.searchsorted(self.month_year, np.arange(len(self.labels)), side="right") - 1
        return np.asarray(monthly[ends], dtype=float)


def needs(scenario: Scenario, outcome: Outcome) -> tuple[Need, ...]:
    """What the run of `scenario` needs at every joint, from right to left."""
    years = Years.of(outcome)
    found = [
        *_value(outcome, years),
        *_oversee(outcome, years),
        *_plant(outcome, years),
        *_floor(scenario, outcome, years),
        *_serve(outcome, years),
        *_build(scenario, outcome, years),
        *_capital(outcome, years),
    ]
    return tuple(replace(n, amount=_tidy(n.amount)) for n in found if n.amount.any())


def crews_of(scenario: Scenario, outcome: Outcome) -> dict[str, Crew]:
    """The crew of every trade that builds, the default ones included; none where nothing is
    built."""
    dims, calendar = outcome.tables.dims, outcome.parameters.calendar
    inputs = build_parameters.engine_inputs(scenario, dims, calendar)
    return {} if inputs is None else {crew.trade: crew for crew in inputs.crews}


def _value(outcome: Outcome, years: Years) -> Iterator[Need]:
    worth = outcome.tables.worth
    flow = years.total(worth.free_cash_flow_usd[:, 0])
    yield Need("free cash flow", "value", "USD/year", flow)
    yield Need("revenue", "value", "USD/year", years.total(worth.revenue_usd[:, 0]))


def _oversee(outcome: Outcome, years: Years) -> Iterator[Need]:
    x = outcome.tables
    kinds = x.dims.labels["kind"]
    for k, kind in enumerate(kinds):
        done = years.total(x.accepted.accepted[:, k, 0])
        yield Need(f"accepted tasks: {kind}", "oversee", "task/year", done)
    for k, kind in enumerate(kinds):
        agents = years.last(x.accepted.daa_b[:, k, 0])
        yield Need(f"DAA: {kind}", "oversee", "agent", agents, flow=False)
    for r, role in enumerate(ROLES):
        people = years.most(x.people.headcount[:, r, 0])
        yield Need(PEOPLE[role], "oversee", "person", people, flow=False)


def _plant(outcome: Outcome, years: Years) -> Iterator[Need]:
    powered = outcome.tables.powered
    energy_wh = powered.facility_j[:, :, 0].sum(axis=1) / HOUR_S
    yield Need("energy", "plant", "Wh/year", years.total(energy_wh))
    peak = np.maximum.accumulate(years.most(powered.peak_w[:, :, 0].sum(axis=1)))
    yield Need("power", "plant", "W/year", np.diff(peak, prepend=0.0))


def _floor(scenario: Scenario, outcome: Outcome, years: Years) -> Iterator[Need]:
    bought: dict[str, Array] = {}
    for name, machine in robots_of(scenario).items():
        kind = catalog.find("robots", machine.robot).text("kind")
        k = outcome.tables.dims.index("kind", name)
        robots = years.total(outcome.tables.robots.bought[:, k, 0])
        bought[kind] = bought.get(kind, 0.0) + robots
    for kind, robots in bought.items():
        yield Need(f"robots: {kind}", "floor", "robot/year", robots)


def _serve(outcome: Outcome, years: Years) -> Iterator[Need]:
    x = outcome.tables
    yield Need("tokens", "serve", "token/year", years.total(x.served.served[:, :, 0].sum(axis=1)))
    hours = x.accepted.accepted[:, :, 0] * outcome.parameters.value.task_h[:, 0]
    work = hours[:, ~outcome.parameters.value.sells_tokens].sum(axis=1)
    yield Need("human work", "agents", "h/year", years.total(work))


def _build(scenario: Scenario, outcome: Outcome, years: Years) -> Iterator[Need]:
    x, rows = outcome.tables, fleet_rows(scenario)
    wafers, memory = np.zeros(len(years.labels)), np.zeros(len(years.labels))
    delivered: dict[str, Array] = {}
    for f in own(x.dims):
        row = rows[f]
        name, generation = row.text("name"), row.text("generation")
        chips = years.total(x.accelerators.delivered[:, f, 0])
        delivered[name] = delivered.get(name, 0.0) + chips
        wafers += chips / packages_per_wafer(generation)
        if generation not in NO_WAFER:
            memory += chips * row.number("memory_bytes")
    for name, chips in delivered.items():
        yield Need(f"accelerators: {name}", "build", "accelerator/year", chips)
    yield Need("packages", "build", "wafer/year", wafers)
    yield Need("HBM", "build", "byte/year", memory)
    power = years.most(x.energised.it_w[:, :, 0].sum(axis=1))
    yield Need("IT power", "build", "W", power, flow=False)
    crews = crews_of(scenario, outcome)
    worked = {t: _tidy(x.crews.worked_h[:, TRADES.index(t), 0]) for t in crews}
    for trade, hours in worked.items():
        yield Need(f"craft hours: {trade}", "build", "h/year", years.total(hours))
    for trade, hours in worked.items():
        workers = years.most(hours) / crews[trade].hours_per_worker_month
        yield Need(WORKERS[trade], "build", "person", workers, flow=False)
    for trade, hours in worked.items():
        beginners = crews[trade].apprentices_per_year * (years.total(hours) > 0)
        yield Need(f"{trade} apprentices", "build", "person/year", beginners * years.part)


def _capital(outcome: Outcome, years: Years) -> Iterator[Need]:
    x = outcome.tables
    yield Need("capex", "capital", "USD/year", years.total(x.worth.capex_usd[:, 0]))
    money = x.funded.equity_usd[:, 0] + x.funded.debt_drawn_usd[:, 0]
    yield Need("new money", "capital", "USD/year", years.total(money))


def _tidy(amount: Array) -> Array:
    """The amounts without the trace that rounding leaves where there is nothing."""
    return np.where(np.abs(amount) < 1e-9 * np.abs(amount).max(initial=0.0), 0.0, amount)
