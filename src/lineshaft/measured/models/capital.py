"""Capital: reported rounds through the cap table, textbook loans through the debt schedule."""

from __future__ import annotations

import numpy as np

from lineshaft import catalog
from lineshaft.stages.capital.captable import dilution, post_money
from lineshaft.stages.capital.debt import Schedule, Tranches, schedule


def post_money_usd(*, funding_round: str) -> float:
    """Post-money value of a round in the catalog, from its pre-money value and its raise."""
    row = catalog.find("rounds", funding_round)
    return float(post_money(row.number("pre_money_usd"), row.number("raise_usd")))


def dilution_share(*, funding_round: str) -> float:
    """Share that a round's new money buys, from its pre-money value and its raise."""
    row = catalog.find("rounds", funding_round)
    return float(dilution(row.number("pre_money_usd"), row.number("raise_usd")))


def interest_usd(*, principal_usd: float, rate: float, months: int, first: int, last: int) -> float:
    """Interest paid from month `first` to month `last` of a level loan."""
    return float(_loan(principal_usd, rate, months).interest_usd[0, first : last + 1].sum())


def repaid_usd(*, principal_usd: float, rate: float, months: int, first: int, last: int) -> float:
    """Principal repaid from month `first` to month `last` of a level loan."""
    return float(_loan(principal_usd, rate, months).repayment_usd[0, first : last + 1].sum())


def payment_usd(*, principal_usd: float, rate: float, months: int) -> float:
    """Level payment of the first month of a loan."""
    loan = _loan(principal_usd, rate, months)
    return float(loan.interest_usd[0, 1] + loan.repayment_usd[0, 1])


def _loan(principal_usd: float, rate: float, months: int) -> Schedule:
    # drawn at the end of month 0, so that month k holds the k-th payment
    terms = Tranches(np.array([0]), np.array([rate]), np.array([0]), np.array([months]))
    return schedule(terms, [principal_usd], months + 1)
