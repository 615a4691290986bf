"""The headline figures of a run: what is measured, in which unit, over which months."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.tables import Array
from lineshaft.units import format_quantity

QUANTILES = (0.05, 0.1, 0.5, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Measure:
    """A headline figure: its name, unit, meaning, and how it comes from the tables."""

    name: str
    unit: str
    meaning: str
    window: str
    """`last month`, `last 12 months`, `all months`, `at once`."""
    columns: tuple[str, ...]
    """The columns that it is computed from, for `explain`."""
    of: Callable[[Tables], Array]
    """[draw] from the tables."""


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
    of: Callable[[Tables], Array]
    """[month, draw] from the tables."""


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


def _last(values: Array) -> Array:
    last: Array = values[-1]
    return last


def _year(values: Array) -> Array:
    total: Array = values[-12:].sum(axis=0)
    return total


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def _first_power(x: Tables) -> Array:
    on = x.energised.it_w.sum(axis=1) > 0
    return np.where(on.any(axis=0), on.argmax(axis=0), np.nan)


def _goodput(x: Tables) -> Array:
    reserved = x.trained.reserved
    top = (reserved * x.trained.goodput).sum(axis=(0, 1))
    return _ratio(top, reserved.sum(axis=(0, 1)))


def _state(x: Tables, *names: str) -> Array:
    total: Array = sum(x.states[name][-12:].sum(axis=(0, 1)) for name in names)
    return total


def _empty_share(x: Tables) -> Array:
    taken = _state(x, "leased", "training", "broken")
    return _ratio(_state(x, "headroom", "empty"), _state(x, "installed") - taken)


def _nobody_share(x: Tables) -> Array:
    taken = _state(x, "leased", "training", "broken")
    return _ratio(_state(x, "empty"), _state(x, "installed") - taken)


def pue(x: Tables) -> Array:
    """[draw] energy of IT, plant and base load over IT energy, last 12 months; NaN without IT."""
    p = x.powered
    it = _year(p.it_j).sum(axis=0)
    return _ratio(it + _year(p.losses_j + p.cooling_j + p.other_j).sum(axis=0), it)


def _per_daa(x: Tables) -> Array:
    a = x.accepted
    days = np.array([a.accepted_per_daa[-12:], a.daa_b[-12:]])
    return _ratio((days[0] * days[1]).sum(axis=(0, 1)), days[1].sum(axis=(0, 1)))


def _human_minutes(x: Tables) -> Array:
    a = x.accepted
    used = _year(a.review_min + a.rework_min).sum(axis=0)
    used = used + _year(x.robots.intervention_min).sum(axis=0)
    return _ratio(used, _agent_tasks(x))


def _agent_tasks(x: Tables) -> Array:
    """Accepted tasks of kinds that have agents, in the last 12 months."""
    has = (x.fielded.fielded.max(axis=0) > 0) | (x.accepted.daa_b.max(axis=0) > 0)
    total: Array = (_year(x.accepted.accepted) * has).sum(axis=0)
    return total


def _task_cost(x: Tables) -> Array:
    weight = x.accepted.accepted[-12:] * (x.accepted.daa_b[-12:] > 0)
    top = (x.task_costs.usd_per_task[-12:] * weight).sum(axis=(0, 1))
    return _ratio(top, weight.sum(axis=(0, 1)))


def _token_cost(x: Tables) -> Array:
    tokens = x.served.served[-12:].sum(axis=1)
    top = (x.worth.usd_per_mtok[-12:] * tokens).sum(axis=0)
    return _ratio(top, tokens.sum(axis=0))


MEASURES: tuple[Measure, ...] = (
    Measure(
        "build.energised_mw",
        "MW",
        "IT power that is on",
        "last month",
        ("energised.it_w",),
        lambda x: _last(x.energised.it_w).sum(axis=0) / 1e6,
    ),
    Measure(
        "build.first_power_month",
        "month",
        "months until the first power is on",
        "all months",
        ("energised.it_w",),
        _first_power,
    ),
    Measure(
        "build.capex_usd",
        "USD",
        "paid for halls, accelerators and robots",
        "all months",
        ("worth.capex_usd",),
        lambda x: x.worth.capex_usd.sum(axis=0),
    ),
    Measure(
        "build.installed_accelerators",
        "accelerator",
        "accelerators installed",
        "last month",
        ("states.installed",),
        lambda x: _last(x.states.installed).sum(axis=0),
    ),
    Measure(
        "train.goodput",
        "1",
        "effective training time ratio, by reserved accelerators",
        "all months",
        ("trained.goodput", "trained.reserved"),
        _goodput,
    ),
    Measure(
        "train.horizon_h",
        "h",
        "human task length that the best model finishes half the time",
        "last month",
        ("library.horizon_s",),
        lambda x: _last(x.library.horizon_s) / 3600,
    ),
    Measure(
        "serve.empty_share",
        "1",
        "headroom and empty over accelerators left to serve",
        "last 12 months",
        ("states.headroom", "states.empty"),
        _empty_share,
    ),
    Measure(
        "serve.nobodys_share",
        "1",
        "empty alone over accelerators left to serve",
        "last 12 months",
        ("states.empty",),
        _nobody_share,
    ),
    Measure(
        "serve.tokens",
        "token",
        "tokens served",
        "last 12 months",
        ("served.served",),
        lambda x: _year(x.served.served).sum(axis=0),
    ),
    Measure(
        "plant.pue",
        "1",
        "facility energy but for robots over IT energy",
        "last 12 months",
        ("powered.it_j", "powered.losses_j", "powered.cooling_j", "powered.other_j"),
        pue,
    ),
    Measure(
        "plant.energy_kwh",
        "kWh",
        "energy taken from the grid",
        "last 12 months",
        ("powered.facility_j",),
        lambda x: _year(x.powered.facility_j).sum(axis=0) / 3.6e6,
    ),
    Measure(
        "agents.fielded",
        "agent",
        "agents fielded",
        "last month",
        ("fielded.fielded",),
        lambda x: _last(x.fielded.fielded).sum(axis=0),
    ),
    Measure(
        "oversee.daa",
        "agent",
        "daily active agents, grade B",
        "last month",
        ("accepted.daa_b",),
        lambda x: _last(x.accepted.daa_b).sum(axis=0),
    ),
    Measure(
        "oversee.daa_a",
        "agent",
        "daily active agents, grade A",
        "last month",
        ("accepted.daa_a",),
        lambda x: _last(x.accepted.daa_a).sum(axis=0),
    ),
    Measure(
        "oversee.daa_b",
        "agent",
        "daily active agents, grade B",
        "last month",
        ("accepted.daa_b",),
        lambda x: _last(x.accepted.daa_b).sum(axis=0),
    ),
    Measure(
        "oversee.accepted_tasks",
        "task",
        "tasks accepted",
        "last 12 months",
        ("accepted.accepted",),
        _agent_tasks,
    ),
    Measure(
        "oversee.accepted_tasks_per_daa",
        "task/agent/day",
        "accepted tasks per DAA and day",
        "last 12 months",
        ("accepted.accepted_per_daa", "accepted.daa_b"),
        _per_daa,
    ),
    Measure(
        "oversee.human_minutes_per_task",
        "min/task",
        "human minutes per accepted task",
        "last 12 months",
        ("accepted.review_min", "robots.intervention_min"),
        _human_minutes,
    ),
    Measure(
        "value.usd_per_mtok",
        "USD/Mtok",
        "full cost per million tokens served",
        "last 12 months",
        ("worth.usd_per_mtok", "served.served"),
        _token_cost,
    ),
    Measure(
        "value.usd_per_task",
        "USD/task",
        "full cost per accepted task",
        "last 12 months",
        ("task_costs.usd_per_task", "accepted.accepted"),
        _task_cost,
    ),
    Measure(
        "value.revenue_usd",
        "USD",
        "revenue",
        "last 12 months",
        ("worth.revenue_usd",),
        lambda x: _year(x.worth.revenue_usd),
    ),
    Measure(
        "value.free_cash_flow_usd",
        "USD",
        "free cash flow",
        "last 12 months",
        ("worth.free_cash_flow_usd",),
        lambda x: _year(x.worth.free_cash_flow_usd),
    ),
    Measure(
        "value.lowest_cash_usd",
        "USD",
        "lowest cash at the end of a month",
        "all months",
        ("worth.cash_usd",),
        lambda x: x.worth.cash_usd.min(axis=0),
    ),
    Measure(
        "value.enterprise_value_usd",
        "USD",
        "present value of free cash flow and what follows",
        "at once",
        ("valuation.enterprise_value_usd",),
        lambda x: x.valuation.enterprise_value_usd,
    ),
    Measure(
        "value.irr",
        "1/year",
        "internal rate of return",
        "at once",
        ("valuation.irr",),
        lambda x: x.valuation.irr,
    ),
)
"""All headline figures, in the order of the line."""

SERIES: tuple[Trend, ...] = (
    Trend("build.energised_mw", "MW", lambda x: x.energised.it_w.sum(axis=1) / 1e6),
    Trend("oversee.daa", "agent", lambda x: x.accepted.daa_b.sum(axis=1)),
    Trend("serve.tokens", "token", lambda x: x.served.served.sum(axis=1)),
    Trend("value.revenue_usd", "USD", lambda x: x.worth.revenue_usd),
    Trend("value.free_cash_flow_usd", "USD", lambda x: x.worth.free_cash_flow_usd),
    Trend("value.cash_usd", "USD", lambda x: x.worth.cash_usd),
)
"""Headline columns by month, whose bands over the draws are kept."""


def measure(tables: Tables) -> Iterator[tuple[Measure, Array]]:
    """Every headline figure with its [draw] values."""
    for what in MEASURES:
        yield what, np.asarray(what.of(tables), dtype=float)


def series(tables: Tables) -> Iterator[tuple[Trend, Array]]:
    """Every headline column with its [month, draw] values."""
    for what in SERIES:
        yield what, what.of(tables)
