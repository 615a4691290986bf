"""The monthly half of `capital`: money in, what may be spent, who owns the firm.

Rounds and debt follow the plan; what may be spent is what is left of the cash after `runway`
months of the burn that operations had lately. Nothing else in the line may raise money, and cash
that operations have used up goes below zero for all to see rather than stop the firm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.funded import Funded, Ownership
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE
from lineshaft.stages.capital.debt import Schedule, Tranches, schedule
from lineshaft.tables import Array, Dims, param


@dataclass(frozen=True, slots=True)
class Params:
    """What `capital` needs."""

    draw_month: NDArray[np.int64]
    """[tranche] month in which the debt is drawn, 0 is the first; never where it is beyond."""
    interest_only_months: NDArray[np.int64]
    """[tranche] months with interest and no repayment."""
    term_months: NDArray[np.int64]
    """[tranche] months from the draw to the last payment, interest-only months inside."""
    debt_usd: Array
    """[tranche, draw] principal."""
    rate_per_year: Array
    """[tranche, draw] nominal interest."""
    shares: Array
    """[month, holder, draw] ownership after the rounds of the month."""
    opening_cash_usd: Array = param("USD", "cash on the first day")
    opening_burn_usd: Array = param("USD/month", "monthly burn planned for the first months")
    runway_months: Array = param("month", "months of burn that stay in the bank")
    equity_usd: Array = param("USD", "equity paid in", ("month",))


class Capital:
    """Pays in the rounds, draws and serves the debt, says what may be spent."""

    def __init__(self, params: Params, dims: Dims) -> None:
        self.params = params
        months, width = dims.size("month"), dims.width
        tranches = Tranches(
            params.draw_month, params.rate_per_year, params.interest_only_months, params.term_months
        )
        lent = np.broadcast_to(params.debt_usd, (len(params.draw_month), width))
        plan = schedule(tranches, lent, months) if len(lent) else _no_debt(months, width)
        self.closing = plan.closing_usd.swapaxes(0, 1)
        self.drawn = plan.drawn_usd.sum(axis=0)
        self.repaid = plan.repayment_usd.sum(axis=0)
        self.interest = plan.interest_usd.sum(axis=0)
        self.planned = params.equity_usd + self.drawn - self.interest - self.repaid

    def open(self, ledger: Ledger, funded: Funded, ownership: Ownership) -> None:
        """Cash and burn of the first day, and the columns that follow from the plan alone."""
        funded.equity_usd[:] = self.params.equity_usd
        funded.debt_drawn_usd[:] = self.drawn
        funded.interest_usd[:] = self.interest
        funded.repayment_usd[:] = self.repaid
        funded.debt_usd[:] = self.closing.sum(axis=1)
        ownership.share[:] = self.params.shares
        ledger.cash_usd += self.params.opening_cash_usd
        ledger.burn_usd += self.params.opening_burn_usd

    def advance(self, t: int, ledger: Ledger, funded: Funded) -> None:
        """Month `t`: cash in and what may be spent."""
        p = self.params
        burn = ledger.burn_usd.mean(axis=0)
        spendable = ledger.cash_usd + self.planned[t] - p.runway_months * np.maximum(burn, 0.0)
        funded.opening_cash_usd[t] = ledger.cash_usd
        funded.burn_usd[t] = burn
        funded.spendable_usd[t] = np.maximum(spendable, 0.0)
        ledger.debt_usd[:] = self.closing[t]

    def finish(self, funded: Funded) -> None:
        """Where the money was short."""
        funded.binding[:] = np.where(funded.spendable_usd > 0, CODE["none"], CODE["funds"])


def _no_debt(months: int, width: int) -> Schedule:
    nothing = np.zeros((0, months, width))
    return Schedule(nothing, nothing, nothing, nothing, nothing)


FORMULAS: dict[str, str] = {
    "funded.opening_cash_usd": "lag(worth.cash_usd, capital.opening_cash_usd)",
    "funded.equity_usd": "capital.equity_usd",
    "funded.debt_drawn_usd": "engine(capital.debt_schedule)",
    "funded.interest_usd": "engine(capital.debt_schedule)",
    "funded.repayment_usd": "engine(capital.debt_schedule)",
    "funded.debt_usd": "lag(debt_usd) + debt_drawn_usd - repayment_usd",
    "funded.burn_usd": "engine(value.trailing_burn, worth.payments_usd, worth.receipts_usd)",
    "funded.spendable_usd": (
        "max(0, opening_cash_usd + equity_usd + debt_drawn_usd - interest_usd - repayment_usd"
        " - capital.runway_months * max(burn_usd, 0))"
    ),
    "funded.binding": "engine(capital.binding, spendable_usd)",
    "ownership.share": "engine(capital.captable, capital.equity_usd)",
}
