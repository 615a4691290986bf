"""Where the money comes from: rounds of equity, tranches of debt, and who owns what.

captable   post-money, dilution, pro rata, ownership, payout with liquidation preferences
debt       interest and repayment by month, from the opening balance

Equations, sources and limits stand at the head of each module. Validated against: the arithmetic
of reported rounds (900 + 65 = 965 and 350 + 30 = 380 billion USD), the closed form of a level
loan's balance.
"""

from __future__ import annotations

from lineshaft.stages.capital.captable import (
    ShareClass,
    close_round,
    dilution,
    ownership,
    post_money,
    pro_rata,
    waterfall,
)
from lineshaft.stages.capital.debt import Schedule, Tranches, schedule

__all__ = [
    "Schedule",
    "ShareClass",
    "Tranches",
    "close_round",
    "dilution",
    "ownership",
    "post_money",
    "pro_rata",
    "schedule",
    "waterfall",
]
