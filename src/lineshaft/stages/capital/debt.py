"""Debt in tranches: interest only at first, then level payments until the term ends.

A tranche is drawn at the end of its draw month; interest at rate/12 runs from the next month. For
`interest_only_months` nothing is repaid; then the level payment B i / (1 - (1+i)^-n) of the
balance B over the n months left, so that the balance after k level payments on P is
P ((1+i)^N - (1+i)^k) / ((1+i)^N - 1). Limits: fixed rates, no fees, no early repayment, interest
is paid and never capitalised.
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


def schedule(tranches: Tranches, drawn_usd: ArrayLike, months: int) -> Schedule:
    """The life of all tranches over `months`; `drawn_usd` [tranche, …draw] is lent to each."""
    drawn = np.asarray(drawn_usd, np.float64)[:, None]
    draws = (1,) * (drawn.ndim - 2)

    def column(terms: NDArray[np.int64]) -> NDArray[np.int64]:
        return terms.reshape(-1, 1, *draws)

    age = np.arange(months).reshape(1, -1, *draws) - column(tranches.draw_month)
    level = column(tranches.term_months - tranches.interest_only_months)
    paid = np.clip(age - column(tranches.interest_only_months), 0, level)
    monthly = tranches.rate / 12.0
    monthly = monthly.reshape(-1, 1, *draws) if monthly.ndim == 1 else monthly[:, None]
    # after k of N payments ((1+i)^k - 1) / ((1+i)^N - 1) of the loan is gone; k/N without interest
    log_factor = np.log1p(np.where(monthly > 0, monthly, 1.0))
    gone = np.expm1(paid * log_factor) / np.expm1(level * log_factor)
    left = 1.0 - np.where(monthly > 0, gone, paid / level)
    closing = np.where(age >= 0, drawn * left, 0.0)
    opening = np.concatenate([np.zeros_like(closing[:, :1]), closing[:, :-1]], axis=1)
    lent = np.where(age == 0, drawn, 0.0)
    return Schedule(opening, lent, opening * monthly, opening + lent - closing, closing)
