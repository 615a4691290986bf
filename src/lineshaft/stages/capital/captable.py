"""Who owns the company after its rounds, and who is paid what when it is sold.

post = pre + raise; dilution = raise / post; a holder who puts in its share of the raise (pro
rata) keeps its share. The payout is the standard waterfall of preferred shares: senior classes
first, classes of one rank in proportion, and each class without participation converts to common
where that pays more.

Source of the terms: NVCA model legal documents (nvca.org). Limits: no option pool, no caps on
participation, no accrued dividends, no anti-dilution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lineshaft.contracts.curves import Array
from lineshaft.errors import InputError, Problem


def post_money(pre_usd: ArrayLike, raise_usd: ArrayLike) -> Array:
    """Value of the company after the round: pre + raise."""
    return np.asarray(np.asarray(pre_usd, np.float64) + np.asarray(raise_usd, np.float64))


def dilution(pre_usd: ArrayLike, raise_usd: ArrayLike) -> Array:
    """Share of the company that the new money buys: raise / (pre + raise).

    Raises InputError unless pre > 0 and raise >= 0.
    """
    pre, new = np.asarray(pre_usd, np.float64), np.asarray(raise_usd, np.float64)
    if not (np.all(pre > 0) and np.all(new >= 0)):
        found = "a pre-money value or a raise out of range"
        raise InputError(Problem("", "capital.rounds", found, "pre > 0 and raise >= 0"))
    return np.asarray(new / (pre + new))


def pro_rata(owned: ArrayLike, raise_usd: ArrayLike) -> Array:
    """USD [holder, …draw] that each holder must put in to keep its share."""
    return np.asarray(np.asarray(owned, np.float64) * np.asarray(raise_usd, np.float64))


def close_round(owned: ArrayLike, pre_usd: ArrayLike, bought_usd: ArrayLike) -> Array:
    """Shares [holder, …draw] after a round in which each holder put in `bought_usd` [holder, …].

    A new investor is a holder with share 0 before. Raises InputError as `dilution`, and where
    somebody puts in a negative amount or the shares before do not sum to 1.
    """
    before, bought = np.asarray(owned, np.float64), np.asarray(bought_usd, np.float64)
    if np.any(bought < 0) or not np.allclose(before.sum(axis=0), 1.0, rtol=0.0, atol=1e-9):
        found = "a negative investment, or shares that do not sum to 1"
        raise InputError(Problem("", "capital.rounds", found, "shares that sum to 1"))
    raised = bought.sum(axis=0)
    new_share = dilution(pre_usd, raised)
    return np.asarray(before * (1.0 - new_share) + bought / post_money(pre_usd, raised))


def ownership(pre_usd: ArrayLike, raise_usd: ArrayLike) -> Array:
    """Final shares [1 + round, …draw] of the founders and of each round's new money.

    `pre_usd` and `raise_usd` are [round, …draw] in the order of time; nobody follows on. Each
    column sums to 1. Raises InputError as `dilution`.
    """
    new_share = np.atleast_1d(dilution(pre_usd, raise_usd))
    kept = np.cumprod((1.0 - new_share)[::-1], axis=0)[::-1]  # by all of this and later rounds
    later = np.concatenate([kept[1:], np.ones_like(kept[:1])])
    return np.concatenate([kept[:1], new_share * later])


@dataclass(frozen=True, slots=True)
class ShareClass:
    """One class of preferred shares."""

    name: str
    invested_usd: float
    share: float
    """Share of the company, as if converted."""
    multiple: float = 1.0
    """Paid back this many times before anybody junior gets anything."""
    rank: int = 0
    """Higher ranks are paid first; equal ranks share."""
    participating: bool = False
    """Takes its preference and then shares with the common (else it takes one or the other)."""


def waterfall(exit_usd: ArrayLike, classes: Sequence[ShareClass]) -> Array:
    """Payout [common and then each class, …draw] of a sale for `exit_usd` […draw].

    The payouts sum to `exit_usd`. A class converts exactly where that pays it no less, given what
    the others do: classes decide in the order of preference per share, and the first that stays
    keeps all after it from converting. Raises InputError for shares that sum to 1 or more.
    """
    value = np.asarray(exit_usd, np.float64)
    share = np.array([c.share for c in classes], np.float64)
    preference = np.array([c.invested_usd * c.multiple for c in classes], np.float64)
    if np.any(value < 0) or np.any(share <= 0) or np.any(preference < 0) or share.sum() >= 1:
        found = "a negative exit or preference, or preferred shares that are not within 0..1"
        raise InputError(Problem("", "capital.classes", found, "common keeps a share above 0"))
    common = 1.0 - share.sum()
    participating = np.array([c.participating for c in classes], bool)

    converts = np.zeros((len(classes), *value.shape), bool)
    shares_in = np.full(value.shape, common + share[participating].sum())
    owed = np.full(value.shape, preference.sum())
    willing = np.ones(value.shape, bool)
    for k in np.argsort(preference / share, kind="stable").tolist():
        if participating[k]:
            continue
        price = (value - (owed - preference[k])) / (shares_in + share[k])
        willing = willing & (price * share[k] >= preference[k])
        converts[k] = willing
        shares_in = shares_in + np.where(willing, share[k], 0.0)
        owed = owed - np.where(willing, preference[k], 0.0)

    paid = np.zeros((1 + len(classes), *value.shape))
    left = value.copy()
    for rank in sorted({c.rank for c in classes}, reverse=True):
        members = [k for k, c in enumerate(classes) if c.rank == rank]
        due = np.stack([np.where(converts[k], 0.0, preference[k]) for k in members])
        total = due.sum(axis=0)
        filled = np.minimum(left, total) / np.where(total > 0, total, 1.0)
        for row, k in enumerate(members):
            paid[1 + k] = due[row] * filled
        left = np.maximum(left - total, 0.0)
    price = left / shares_in
    paid[0] = price * common
    for k in range(len(classes)):
        paid[1 + k] += np.where(converts[k] | participating[k], price * share[k], 0.0)
    return paid
