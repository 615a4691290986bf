"""Debt in tranches: interest only at first, then level payments until the term ends.

A tranche is drawn at the end of its draw month; interest at rate/12 runs from the next month. For
`interest_only_months` nothing is repaid; then the level payment B i / (1 - (1+i)^-n) of the
balance B over the n months left, so that the balance after k level payments on P is
P ((1+i)^N - (1+i)^k) / ((1+i)^N - 1). The payment is taken afresh from each month's opening
balance: it is level as long as nothing disturbs it, and an early repayment lowers the payments,
not the term. Limits: fixed rates, no fees, interest is paid and never capitalised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.contracts.curves import Array
from lineshaft.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Tranches:
    """The terms of every tranche. Raises InputError with everything that is out of range."""

    draw_month: NDArray[np.int64]
    """[tranche] month of the draw, 0 is the first."""
    rate: Array
    """[tranche] or [tranche, draw] nominal interest per year."""
    interest_only_months: NDArray[np.int64]
    """[tranche] months of interest alone."""
    term_months: NDArray[np.int64]
    """[tranche] months from the draw to the last payment, interest-only months inside."""

    def __post_init__(self) -> None:
        problems = [
            Problem("", f"capital.debt.{key}", "out of range", allowed)
            for key, bad, allowed in (
                ("draw_month", self.draw_month < 0, "0 or more"),
                ("rate", (self.rate < 0) | (self.rate >= 12), "0 to below 12 a year"),
                ("interest_only_months", self.interest_only_months < 0, "0 or more"),
                (
                    "term_months",
                    self.term_months <= self.interest_only_months,
                    "more than interest_only_months",
                ),
            )
            if np.any(bad)
        ]
        if problems:
            raise InputError(problems)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Month by month: opening + drawn - repayment = closing, each [tranche, month, …draw]."""

    opening_usd: Array
    drawn_usd: Array
    interest_usd: Array
    repayment_usd: Array
    closing_usd: Array


def service(tranches: Tranches, month: int, opening_usd: ArrayLike) -> tuple[Array, Array]:
    """Interest and repayment [tranche, …draw] of one month on its opening balance.

    A balance that is left at the end of the term is repaid whole.
    """
    opening = np.asarray(opening_usd, np.float64)
    draws = (1,) * (opening.ndim - 1)
    rate = tranches.rate
    monthly = (rate.reshape(-1, *draws) if rate.ndim == 1 else rate) / 12.0
    age = (month - tranches.draw_month).reshape(-1, *draws)
    months_left = tranches.term_months.reshape(-1, *draws) - age + 1
    interest_only = tranches.interest_only_months.reshape(-1, *draws)
    interest = np.where(age >= 1, opening * monthly, 0.0)

    n = np.maximum(months_left, 1)
    # i / ((1+i)^n - 1) is the share of the balance that a level payment repays; 1/n without rate
    positive = np.where(monthly > 0, monthly, 1.0)
    share = np.where(monthly > 0, positive / np.expm1(n * np.log1p(positive)), 1.0 / n)
    repayment = np.where(age > interest_only, opening * share, 0.0)
    return interest, np.where(months_left <= 1, opening, repayment)


def schedule(tranches: Tranches, drawn_usd: ArrayLike, months: int) -> Schedule:
    """The life of all tranches over `months`; `drawn_usd` [tranche, …draw] is lent to each."""
    drawn = np.asarray(drawn_usd, np.float64)
    shape = (drawn.shape[0], months, *drawn.shape[1:])
    table = Schedule(*(np.zeros(shape) for _ in range(5)))
    balance = np.zeros_like(drawn)
    for month in range(months):
        interest, repayment = service(tranches, month, balance)
        now = (tranches.draw_month == month).reshape(-1, *(1,) * (drawn.ndim - 1))
        table.opening_usd[:, month] = balance
        table.drawn_usd[:, month] = np.where(now, drawn, 0.0)
        table.interest_usd[:, month] = interest
        table.repayment_usd[:, month] = repayment
        balance = balance + table.drawn_usd[:, month] - repayment
        table.closing_usd[:, month] = balance
    return table
