"""Fleets: the accelerators of each type on each campus, ordered or rented, and what they take.

The fleet axis is `build.accelerators`, then `serve.rented`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.catalog import Row
from lineshaft.contracts.calendar import Calendar
from lineshaft.parameters.common import Array, growing, month_index, pick, stack
from lineshaft.scenario.locate import join

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.build import Order
    from lineshaft.scenario.draws import Draws


def it_w(scenario: Scenario, draws: Draws) -> Array:
    """[fleet, draw] IT power in W per accelerator, with its share of server, network and storage;
    of rented ones that of the server."""
    found = []
    for order in scenario.build.accelerators:
        row = catalog.find("accelerators", order.accelerator)
        server = own(draws, order, "it_w", row, "it_w_per_accelerator")
        found.append(server * own(draws, order, "cluster_overhead"))
    rows = (catalog.find("accelerators", r.accelerator) for r in scenario.serve.rented)
    return stack([*found, *(np.array([row.number("it_w_per_accelerator")]) for row in rows)])


def deliveries(count: Array, allotted: Array, first: int, spread: int, months: int) -> Array:
    """[month, draw] accelerators that suppliers deliver, from the month `first` on.

    Evenly over `spread` months, or over more where less than all is allotted; what was due
    before the first month comes in it.
    """
    ends = np.arange(months + 1)[:, None] - first
    share = np.clip(ends * allotted / spread, 0.0, 1.0)
    share[0] = 0.0
    return np.asarray(count * np.diff(share, axis=0))


def ordered(scenario: Scenario, draws: Draws, order: Order, months: int) -> Array:
    """[month, draw] deliveries of an order."""
    first = month_index(scenario.start, order.first)
    count, allotted = own(draws, order, "count"), own(draws, order, "allotted")
    return deliveries(count, allotted, first, order.months, months)


def price(draws: Draws, order: Order, row: Row, calendar: Calendar) -> Array:
    """[month, draw] USD for an accelerator with its servers, network and storage."""
    first = own(draws, order, "price_usd", row, "price_usd") * own(draws, order, "all_in")
    return growing(first, -own(draws, order, "price_decline_per_year"), calendar.years)


def failures(draws: Draws, order: Order, row: Row) -> Array:
    """[draw] failures of an accelerator in a year."""
    return own(draws, order, "failures_per_year", row, "annual_failure_rate")


def own(draws: Draws, order: Order, field: str, row: Row | None = None, column: str = "") -> Array:
    """[draw] an order's field, or the catalog's number where it is left out."""
    """Draws of an order's field, or the catalog's number where it is left out."""
    number = getattr(order, field)
    if number is None and row is not None:
        return np.array([row.number(column)])
    return pick(draws, join(("build", "accelerators", order.name, field)), number)


def life_months(order: Order, row: Row) -> int:
    """Months from delivery to retirement, at least one."""
    years = row.number("life_years") if order.life_years is None else order.life_years
    return max(1, round(12 * years))


def newest_first(rows: Sequence[Row]) -> NDArray[np.int64]:
    """[fleet] place of each in the order of generations; equal years keep the scenario's order."""
    years = np.array([row.number("year") for row in rows])
    return np.argsort(np.argsort(-years, kind="stable"), kind="stable")


def by_month(paths: Sequence[Array], months: int) -> Array:
    """[month, fleet, draw] of one path [month, draw] for each fleet."""
    if not paths:
        return np.zeros((months, 0, 1))
    return np.stack(np.broadcast_arrays(*paths), axis=1)
