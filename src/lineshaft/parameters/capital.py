"""What `capital` needs, from the scenario: debt, the cap table by month, the cash plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.common import Array, month_index, pick, stack
from lineshaft.scenario.locate import join
from lineshaft.stages.capital.captable import close_round
from lineshaft.stages.capital.model import Params
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.capital import Round
    from lineshaft.scenario.draws import Draws


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """Parameters of `capital`. Raises InputError with all problems."""
    found = problems(scenario)
    if found:
        raise InputError(found)
    capital, start = scenario.capital, scenario.start
    rounds = capital.counted
    prices = [(_raise(r, draws), _pre(r, draws)) for r in rounds]
    months, holders = dims.size("month"), dims.labels["holder"]
    width = max((max(len(new), len(pre)) for new, pre in prices), default=1)
    owned = np.zeros((len(holders), width))
    owned[0] = 1.0
    shares = np.tile(owned, (months, 1, 1))
    equity = np.zeros((months, width))
    for r, (new, pre) in zip(rounds, prices, strict=True):
        bought = np.zeros_like(owned)
        bought[holders.index(r.name)] = new
        owned = close_round(owned, pre, bought)
        month = month_index(start, r.month)
        shares[max(month, 0) :] = owned
        if 0 <= month < months:
            equity[month] += new
    debt = capital.debt
    return Params(
        draw_month=np.array([month_index(start, d.month) for d in debt], np.int64),
        interest_only_months=np.array([d.interest_only_months for d in debt], np.int64),
        term_months=np.array([d.term_months for d in debt], np.int64),
        debt_usd=stack(
            pick(draws, join(("capital", "debt", d.name, "amount_usd")), d.amount_usd) for d in debt
        ),
        rate_per_year=stack(
            pick(draws, join(("capital", "debt", d.name, "rate_per_year")), d.rate_per_year)
            for d in debt
        ),
        shares=shares,
        opening_cash_usd=pick(draws, "capital.opening_cash_usd", capital.opening_cash_usd),
        opening_burn_usd=pick(
            draws, "capital.opening_burn_usd_per_month", capital.opening_burn_usd_per_month
        ),
        runway_months=pick(draws, "capital.runway_months", capital.runway_months),
        equity_usd=equity,
    )


def problems(scenario: Scenario) -> list[Problem]:
    """What is wrong with the section, beyond what it can see by itself."""
    found = [
        Problem(
            "",
            join(("capital", "debt", d.name, "month")),
            f"{d.month} is before the first month, {scenario.start}",
            "the first month or later",
            "enter what is still owed as drawn in the first month, and as much less opening cash",
        )
        for d in scenario.capital.debt
        if month_index(scenario.start, d.month) < 0
    ]
    found += [
        Problem(
            "",
            join(("capital", "round", r.name, "post_usd")),
            "is not above raise_usd",
            "value after the round, the money inside",
        )
        for r in scenario.capital.counted
        if r.post_usd is not None and r.post_usd.median <= r.raise_usd.median
    ]
    return found


def investors(scenario: Scenario) -> tuple[str, ...]:
    """Everybody who is named as an investor of a round that counts."""
    return tuple(dict.fromkeys(name for r in scenario.capital.counted for name in r.investors))


def _raise(r: Round, draws: Draws) -> Array:
    return pick(draws, join(("capital", "round", r.name, "raise_usd")), r.raise_usd)


def _pre(r: Round, draws: Draws) -> Array:
    """[draw] value before the round: as given, else post-money less the raise."""
    path = ("capital", "round", r.name)
    if r.pre_usd is not None:
        return pick(draws, join((*path, "pre_usd")), r.pre_usd)
    assert r.post_usd is not None  # the section wants one of the two
    return pick(draws, join((*path, "post_usd")), r.post_usd) - _raise(r, draws)
