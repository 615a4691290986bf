"""The headline figures of a run: what is measured, in which unit, over which months.

Each figure is computed from its formula alone, in the language of `lineshaft.formulas`; what is
explained is what was computed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.formulas import Columns, Scope, names, parse
from lineshaft.tables import Array
from lineshaft.units import format_quantity

QUANTILES = (0.05, 0.1, 0.5, 0.9, 0.95)
VALUE = "value.enterprise_value_usd"
"""The headline figure that is asked after most."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A headline figure: its name, unit, meaning, and how it comes from the tables."""

    name: str
    unit: str
    meaning: str
    window: str
    """`last month`, `last 12 months`, `all months`, `at once`."""
    formula: str
    """How it comes from the columns."""

    @property
    def title(self) -> str:
        """What it means and over which months, for people."""
        said = self.window == "at once" or self.unit == "month"
        return self.meaning if said else f"{self.meaning}, {self.window}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is computed from."""
        return tuple(dict.fromkeys(names(parse(self.formula), "")))

    def of(self, tables: Tables, end: int | None = None) -> Array:
        """[draw] from the tables; as if the run had ended after the first `end` months."""
        return _value(tables, self.formula, (), end)


@dataclass(frozen=True, slots=True)
class Kpi:
    """A headline figure of a run."""

    measure: Measure
    value: float
    """Median-input case; NaN where there is none (power never on, no task accepted)."""
    draws: Array
    """[n] its value in every draw."""

    @classmethod
    def of(cls, measure: Measure, values: Array) -> Kpi:
        """From the median case (first) and the draws."""
        return cls(measure, float(values[0]), values[1:])

    @property
    def quantiles(self) -> dict[str, float]:
        """Quantiles over the draws for which there is a value; empty without draws."""
        known = self.draws[np.isfinite(self.draws)]
        if not known.size:
            return {}
        found = np.quantile(known, QUANTILES)
        return {f"p{round(100 * q)}": float(v) for q, v in zip(QUANTILES, found, strict=True)}

    @property
    def text(self) -> str:
        """For people: three significant figures with unit, and p10 – p90 where there are draws."""
        if not math.isfinite(self.value):
            return "none"
        text = format_quantity(self.value, self.measure.unit)
        found = self.quantiles
        if not found:
            return text
        low, high = (format_quantity(found[q], self.measure.unit) for q in ("p10", "p90"))
        unit = _common_unit(text, low, high)
        return f"{text} [{low.removesuffix(unit)} – {high.removesuffix(unit)}]"

    @property
    def p50_se(self) -> float | None:
        """Standard error of the median over the draws, by order statistics."""
        known = np.sort(self.draws[np.isfinite(self.draws)])
        n = known.size
        if n < 8:
            return None
        half = np.sqrt(n) / 2
        low, high = (int(np.clip(round(n / 2 + s * half), 0, n - 1)) for s in (-1, 1))
        return float(known[high] - known[low]) / 2


@dataclass(frozen=True, slots=True)
class Trend:
    """A headline column by month: its name, its unit, and how it comes from the tables."""

    name: str
    unit: str
    formula: str
    """How it comes from the columns."""

    def of(self, tables: Tables) -> Array:
        """[month, draw] from the tables."""
        return _value(tables, self.formula, ("month",))


@dataclass(frozen=True, slots=True)
class Series:
    """A headline column by month, with its quantiles over the draws."""

    name: str
    unit: str
    value: Array
    """[month] median-input case."""
    quantiles: Array
    """[quantile, month] over the draws; [quantile, 0] without draws."""

    @classmethod
    def of(cls, what: Trend, values: Array) -> Series:
        """From [month, 1 + draw] values, the median case first."""
        draws = values[:, 1:]
        found = (
            np.quantile(draws, QUANTILES, axis=1)
            if draws.shape[1]
            else np.zeros((len(QUANTILES), 0))
        )
        return cls(what.name, what.unit, values[:, 0].copy(), found)


def _common_unit(*texts: str) -> str:
    """The unit that all texts end with, from a space or a slash on; "" where they differ."""
    ends = [re.search(r"[ /].*$", text) for text in texts]
    found = {end[0] if end else "" for end in ends}
    return found.pop() if len(found) == 1 else ""


def _value(tables: Tables, formula: str, keys: tuple[str, ...], end: int | None = None) -> Array:
    scope = Scope(Columns(tables), "", keys, end=end)
    return np.asarray(scope.evaluate(parse(formula)), dtype=float)


_LEFT = "sum(year(states.installed - states.leased - states.training - states.broken))"
"""Accelerators left to serve, in the last 12 months."""
_AGENT_TASKS = "sum(where(max(fielded.fielded + accepted.daa_b) > 0, year(accepted.accepted), 0))"
"""Accepted tasks of kinds that have agents, in the last 12 months."""

MEASURES: tuple[Measure, ...] = (
    Measure(
        "build.energised_mw",
        "MW",
        "IT power that is on",
        "last month",
        "sum(last(energised.it_w)) / 1000000",
    ),
    Measure(
        "build.first_power_month",
        "month",
        "months until the first power is on",
        "all months",
        "first(sum(energised.it_w) > 0)",
    ),
    Measure(
        "build.capex_usd",
        "USD",
        "paid for halls, accelerators and robots",
        "all months",
        "sum(worth.capex_usd)",
    ),
    Measure(
        "build.installed_accelerators",
        "accelerator",
        "accelerators installed",
        "last month",
        "sum(last(states.installed))",
    ),
    Measure(
        "train.goodput",
        "1",
        "effective training time ratio, by reserved accelerators",
        "all months",
        "ratio(sum(trained.reserved * trained.goodput), sum(trained.reserved))",
    ),
    Measure(
        "train.horizon_h",
        "h",
        "human task length that the best model finishes half the time",
        "last month",
        "last(library.horizon_s) / 3600",
    ),
    Measure(
        "serve.empty_share",
        "1",
        "share of accelerators left to serve that waits",
        "last 12 months",
        f"ratio(sum(year(states.headroom + states.empty)), {_LEFT})",
    ),
    Measure(
        "serve.nobodys_share",
        "1",
        "share of accelerators left to serve that is empty",
        "last 12 months",
        f"ratio(sum(year(states.empty)), {_LEFT})",
    ),
    Measure(
        "serve.tokens",
        "token",
        "tokens served",
        "last 12 months",
        "sum(year(served.served))",
    ),
    Measure(
        "plant.pue",
        "1",
        "PUE (facility energy without robots over IT energy)",
        "last 12 months",
        "ratio(sum(year(powered.it_j + powered.losses_j + powered.cooling_j + "
        "powered.other_j)), sum(year(powered.it_j)))",
    ),
    Measure(
        "plant.energy_kwh",
        "kWh",
        "energy taken from the grid",
        "last 12 months",
        "sum(year(powered.facility_j)) / 3600000",
    ),
    Measure(
        "agents.fielded",
        "agent",
        "agents fielded",
        "last month",
        "sum(last(fielded.fielded))",
    ),
    Measure(
        "oversee.daa",
        "agent",
        "daily active agents, grade B",
        "last month",
        "sum(last(accepted.daa_b))",
    ),
    Measure(
        "oversee.daa_a",
        "agent",
        "daily active agents, grade A",
        "last month",
        "sum(last(accepted.daa_a))",
    ),
    Measure(
        "oversee.accepted_tasks",
        "task",
        "tasks accepted",
        "last 12 months",
        _AGENT_TASKS,
    ),
    Measure(
        "oversee.accepted_tasks_per_daa",
        "task/agent/day",
        "accepted tasks per DAA and day",
        "last 12 months",
        "ratio(sum(year(accepted.accepted_per_daa * accepted.daa_b)), sum(year(accepted.daa_b)))",
    ),
    Measure(
        "oversee.human_minutes_per_task",
        "min/task",
        "human minutes per accepted task",
        "last 12 months",
        "ratio(sum(year(accepted.review_min + accepted.rework_min + "
        f"robots.intervention_min)), {_AGENT_TASKS})",
    ),
    Measure(
        "value.usd_per_mtok",
        "USD/Mtok",
        "full cost per million tokens served",
        "last 12 months",
        "ratio(year(worth.usd_per_mtok * sum(served.served)), sum(year(served.served)))",
    ),
    Measure(
        "value.usd_per_task",
        "USD/task",
        "full cost per accepted task",
        "last 12 months",
        "ratio(sum(year(where(accepted.daa_b > 0, task_costs.usd_per_task * "
        "accepted.accepted, 0))), sum(year(where(accepted.daa_b > 0, accepted.accepted, "
        "0))))",
    ),
    Measure(
        "value.revenue_usd",
        "USD",
        "revenue",
        "last 12 months",
        "year(worth.revenue_usd)",
    ),
    Measure(
        "value.free_cash_flow_usd",
        "USD",
        "free cash flow",
        "last 12 months",
        "year(worth.free_cash_flow_usd)",
    ),
    Measure(
        "value.lowest_cash_usd",
        "USD",
        "lowest cash at the end of a month",
        "all months",
        "min(worth.cash_usd)",
    ),
    Measure(
        VALUE,
        "USD",
        "enterprise value (free cash flow and what follows, discounted)",
        "at once",
        "valuation.enterprise_value_usd",
    ),
    Measure(
        "value.irr",
        "1/year",
        "internal rate of return",
        "at once",
        "valuation.irr",
    ),
)
"""All headline figures, in the order of the line."""

SERIES: tuple[Trend, ...] = (
    Trend("build.energised_mw", "MW", "sum(energised.it_w) / 1000000"),
    Trend("oversee.daa", "agent", "sum(accepted.daa_b)"),
    Trend("serve.tokens", "token", "sum(served.served)"),
    Trend("value.revenue_usd", "USD", "worth.revenue_usd"),
    Trend("value.free_cash_flow_usd", "USD", "worth.free_cash_flow_usd"),
    Trend("value.cash_usd", "USD", "worth.cash_usd"),
)
"""Headline columns by month, whose bands over the draws are kept."""

_BY_NAME = {what.name: what for what in MEASURES}


def named(name: str) -> Measure:
    """The headline figure of that name; KeyError where there is none."""
    return _BY_NAME[name]


def measure(tables: Tables) -> Iterator[tuple[Measure, Array]]:
    """Every headline figure with its [draw] values."""
    for what in MEASURES:
        yield what, what.of(tables)


def series(tables: Tables) -> Iterator[tuple[Trend, Array]]:
    """Every headline column with its [month, draw] values."""
    for what in SERIES:
        yield what, what.of(tables)


def pue(tables: Tables) -> Array:
    """[draw] energy of IT, plant and base load over IT energy, last 12 months; NaN without IT."""
    return named("plant.pue").of(tables)
