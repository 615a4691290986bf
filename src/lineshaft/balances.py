"""What must be conserved: every balance of the line, for every month, key and draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.errors import ConservationError
from lineshaft.tables import Array

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Balance:
    """How well one balance closes."""

    stage: str
    name: str
    residual: float
    """Largest residual over all months, keys and draws, relative to the largest term there."""
    month: str
    """Month of the largest residual."""

    @property
    def passed(self) -> bool:
        """Whether the residual is within the tolerance."""
        return self.residual <= TOLERANCE


Sides = Callable[[Tables], tuple[list[Array], list[Array]]]
"""The terms of the left and of the right side, arrays whose first axis is the month."""


def _opening(closing: Array) -> Array:
    """Last month's closing values, 0 before the first month."""
    return np.concatenate([np.zeros_like(closing[:1]), closing[:-1]])


def _cash(x: Tables) -> tuple[list[Array], list[Array]]:
    f, w = x.funded, x.worth
    came = [f.opening_cash_usd, f.equity_usd, f.debt_drawn_usd, w.receipts_usd]
    went = [w.payments_usd, f.interest_usd, w.tax_usd, w.capex_usd, f.repayment_usd, w.cash_usd]
    return came, went


BALANCES: Mapping[tuple[str, str], Sides] = {
    ("value", "cash in = cash out + closing"): _cash,
    ("value", "opening cash = last closing"): lambda x: (
        [x.funded.opening_cash_usd[1:]],
        [x.worth.cash_usd[:-1]],
    ),
    ("value", "cost lines = opex + capex"): lambda x: (
        [
            x.worth.energy_usd,
            x.worth.people_usd,
            x.worth.staff_usd,
            x.worth.rent_usd,
            x.worth.maintenance_usd,
            x.worth.escape_usd,
            x.worth.construction_usd,
            x.worth.accelerator_usd,
            x.worth.robot_usd,
        ],
        [x.worth.opex_usd, x.worth.capex_usd],
    ),
    ("value", "receivables: opening + revenue = receipts + closing"): lambda x: (
        [_opening(x.worth.receivables_usd), x.worth.revenue_usd],
        [x.worth.receipts_usd, x.worth.receivables_usd],
    ),
    ("value", "payables: opening + opex = payments + closing"): lambda x: (
        [_opening(x.worth.payables_usd), x.worth.opex_usd],
        [x.worth.payments_usd, x.worth.payables_usd],
    ),
    ("capital", "debt: opening + drawn = repaid + closing"): lambda x: (
        [_opening(x.funded.debt_usd), x.funded.debt_drawn_usd],
        [x.funded.repayment_usd, x.funded.debt_usd],
    ),
    ("capital", "ownership sums to 1"): lambda x: (
        [x.ownership.share.sum(axis=1)],
        [np.ones_like(x.ownership.share[:, 0])],
    ),
    ("build", "accelerators delivered = installed + stored + retired"): lambda x: (
        [x.accelerators.delivered_total],
        [
            x.accelerators.installed * _on_site(x),
            x.accelerators.stored,
            x.accelerators.retired_total,
        ],
    ),
    ("build", "crews: available = worked + idle"): lambda x: (
        [x.crews.available_h],
        [x.crews.worked_h, x.crews.idle_h],
    ),
    ("serve", "accelerators installed = sum of their states"): lambda x: (
        [x.states.installed],
        [
            x.states.leased,
            x.states.training,
            x.states.busy,
            x.states.headroom,
            x.states.empty,
            x.states.broken,
        ],
    ),
    ("allocation", "tokens: wanted = admitted + turned away"): lambda x: (
        [x.admitted_tokens.wanted],
        [x.admitted_tokens.admitted, x.admitted_tokens.turned_away],
    ),
    ("serve", "tokens: admitted = served + refused"): lambda x: (
        [x.admitted_tokens.admitted],
        [x.served.served, x.served.refused],
    ),
    ("allocation", "tasks: demand = admitted + turned away"): lambda x: (
        [x.fielded.demand_tasks],
        [x.admitted.admitted_tasks, x.admitted.turned_away_tasks],
    ),
    ("floor", "tasks: opening + admitted = attempted + closing"): lambda x: (
        [_opening(x.done.closing), x.done.admitted],
        [x.done.attempted, x.done.closing],
    ),
    ("floor", "tasks: attempted = finished + failed"): lambda x: (
        [x.done.attempted],
        [x.done.finished, x.done.failed],
    ),
    ("floor", "robots: owned = working + charging + idle + broken"): lambda x: (
        [x.robots.owned_h],
        [x.robots.working_h, x.robots.charging_h, x.robots.idle_h, x.robots.broken_h],
    ),
    ("plant", "energy: facility = IT + losses + cooling + floor + other"): lambda x: (
        [x.powered.facility_j],
        [
            x.powered.it_j,
            x.powered.losses_j,
            x.powered.cooling_j,
            x.powered.floor_j,
            x.powered.other_j,
        ],
    ),
    ("oversee", "review: opening + finished = accepted + rejected + expired + closing"): lambda x: (
        [_opening(x.accepted.closing_review), x.accepted.finished],
        [
            x.accepted.accepted,
            x.accepted.rejected,
            x.accepted.expired,
            x.accepted.closing_review,
        ],
    ),
    ("oversee", "people: available = interventions + review + rework + idle"): lambda x: (
        [x.people.available_min],
        [
            x.people.intervention_min,
            x.people.review_min,
            x.people.rework_min,
            x.people.idle_min,
        ],
    ),
}
"""Every balance by stage and name. Terms may not be negative, bar cash: see NOT_NEGATIVE."""

NOT_NEGATIVE: tuple[tuple[str, str, str], ...] = (
    ("build", "crews", "idle_h"),
    ("build", "accelerators", "stored"),
    ("serve", "states", "headroom"),
    ("serve", "states", "empty"),
    ("serve", "served", "refused"),
    ("allocation", "admitted", "turned_away_tasks"),
    ("floor", "done", "closing"),
    ("floor", "robots", "idle_h"),
    ("oversee", "accepted", "closing_review"),
    ("oversee", "people", "idle_min"),
)
"""What is left over can close a balance only if it is not negative itself."""


def residuals(tables: Tables) -> tuple[Balance, ...]:
    """How well each balance closes, with the month of its largest residual."""
    found = [_residual(tables, *key, sides) for key, sides in BALANCES.items()]
    found += [_negative(tables, *key) for key in NOT_NEGATIVE]
    return tuple(found)


def check(tables: Tables) -> None:
    """Raise ConservationError for the balance that is off the most, if one is."""
    worst = max(residuals(tables), key=lambda balance: balance.residual)
    if not worst.passed:
        raise ConservationError(worst.stage, worst.name, worst.month, worst.residual)


def _residual(tables: Tables, stage: str, name: str, sides: Sides) -> Balance:
    left, right = sides(tables)
    total = np.asarray(sum(left) - sum(right))
    return _worst(tables, stage, name, np.abs(total, out=total), _largest(*left, *right))


def _negative(tables: Tables, stage: str, table: str, column: str) -> Balance:
    """What is missing below 0, against the largest value of the same unit in the same place."""
    own = getattr(tables, table)
    name = f"{table}.{column} is not negative"
    if (own[column] >= 0).all():
        return Balance(stage, name, 0.0, tables.dims.labels["month"][0])
    unit = next(c.unit for c in own.columns() if c.name == column)
    scale = _largest(*(values for c, values in own if c.unit == unit))
    return _worst(tables, stage, name, np.maximum(-own[column], 0.0), scale)


def _largest(first: Array, *others: Array) -> Array:
    """The largest size of any of them, place by place."""
    found: Array = np.abs(first)
    for values in others:
        np.maximum(found, np.abs(values), out=found)
    return found


def _worst(tables: Tables, stage: str, name: str, off: Array, scale: Array | float) -> Balance:
    if off.size == 0:
        return Balance(stage, name, 0.0, tables.dims.labels["month"][0])
    if not np.isfinite(off).all():
        off = np.where(np.isfinite(off), off, np.inf)
    # one millionth of a unit is nobody's task, dollar or joule: rounding of empty months
    relative = off / np.maximum(scale, 1e-6)
    place = np.unravel_index(int(relative.argmax()), relative.shape)
    months = tables.dims.labels["month"]
    month = months[min(int(place[0]), len(months) - 1)]
    return Balance(stage, name, float(relative[place]), month)


def _on_site(x: Tables) -> Array:
    """[fleet, 1] 1 where a fleet stands on an own site, 0 where it is rented."""
    labels = x.dims.labels["fleet"]
    return np.array([[0.0 if f.startswith("rented / ") else 1.0] for f in labels]).reshape(-1, 1)
