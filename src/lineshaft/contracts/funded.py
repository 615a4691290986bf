"""capital → build: the month's money, and who owns the firm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.contracts.reasons import reason
from lineshaft.tables import Array, Codes, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Funded(Table):
    """Cash in, what may be spent, debt."""

    KEYS: ClassVar = ("month",)

    opening_cash_usd: Array = column("USD", "cash at the start of the month")
    equity_usd: Array = column("USD", "equity paid in")
    debt_drawn_usd: Array = column("USD", "debt drawn")
    interest_usd: Array = column("USD", "interest paid on the debt open at the start")
    repayment_usd: Array = column("USD", "debt repaid")
    debt_usd: Array = column("USD", "debt open at the end")
    burn_usd: Array = column("USD/month", "net cash that operations used lately, capex apart")
    spendable_usd: Array = column("USD", "what may be spent on capex this month")
    binding: Codes = reason("`funds` where nothing may be spent, else `none`")


@dataclass(frozen=True, repr=False, eq=False)
class Ownership(Table):
    """Who owns which share at the end of the month."""

    KEYS: ClassVar = ("month", "holder")

    share: Array = column("1", "share of the firm, summing to 1 over the holders")
