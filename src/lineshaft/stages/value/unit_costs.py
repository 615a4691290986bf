"""Full unit costs: capital charged by the month, then dollars per accelerator-hour, token, task.

Capital is charged as an annuity, so that a return on capital is inside the cost; the straight
line without return is offered beside it, because published numbers mix both. Lives are a
first-order driver: Epoch AI's model of 1 GW gives 12, 8.5 or 7 billion USD a year for lives of
3, 5 or 7 years of the same equipment (epoch.ai/data-insights/ai-datacenter-cost-breakdown).

Cost per accepted task (CPAT) keeps failures in the numerator and accepted tasks alone in the
denominator. Where nothing was produced a unit cost is NaN, never zero or infinite.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lineshaft.contracts.curves import Array
from lineshaft.errors import InputError, Problem
from lineshaft.stages.value.finance import annuity, numbers, running_charge

Method = Literal["annuity", "straight line"]
HOURS_PER_YEAR = 8760.0


def capital_charge(
    cost_usd: ArrayLike,
    life_years: ArrayLike,
    rate: ArrayLike,
    method: Method = "annuity",
    residual_share: ArrayLike = 0.0,
) -> Array:
    """Charge in USD per year for capital of `cost_usd`; `rate` is per year, as the annuity's.

    What the thing can be sold for at the end of its life is `residual_share` of its price.
    Raises InputError for an unknown method, a life that is not positive, or a rate <= -1.
    """
    cost, life, r, residual = numbers(cost_usd, life_years, rate, residual_share)
    if np.any(life <= 0):
        raise InputError(Problem("", "life_years", "not positive", "a life above 0 years"))
    if method == "straight line":
        return cost * (1.0 - residual) / life
    if method != "annuity":
        raise InputError(Problem("", "method", str(method), "annuity or straight line"))
    return annuity(cost * (1.0 - residual * (1.0 + r) ** -life), r, life)


def cohort_charge(
    bought_usd: ArrayLike,
    life_months: int,
    rate: ArrayLike,
    method: Method = "annuity",
    residual_share: ArrayLike = 0.0,
) -> Array:
    """Charge [month, …draw] of cohorts bought in [month, …draw], each over its life.

    `rate` is per year, compounded monthly to the same: (1+r)^(1/12) - 1. A cohort is charged
    first in the month of its purchase. Raises InputError as `capital_charge`.
    """
    monthly = np.expm1(np.log1p(np.asarray(rate, np.float64)) / 12.0)
    share = capital_charge(1.0, life_months, monthly, method, residual_share)
    return running_charge(bought_usd, share, life_months)


def cost_of_ownership(
    it_usd: ArrayLike,
    facility_usd: ArrayLike,
    opex_usd_per_year: ArrayLike,
    it_life_years: ArrayLike,
    facility_life_years: ArrayLike,
    rate: ArrayLike,
    method: Method = "annuity",
) -> Array:
    """Yearly cost of ownership of a data centre: both capital charges plus opex, USD per year."""
    it = capital_charge(it_usd, it_life_years, rate, method)
    facility = capital_charge(facility_usd, facility_life_years, rate, method)
    return it + facility + np.asarray(opex_usd_per_year, np.float64)


def usd_per_accelerator_hour(
    usd_per_year: ArrayLike, accelerators: ArrayLike, used_share: ArrayLike = 1.0
) -> Array:
    """Cost per hour in which an accelerator does paid work; the idle hours are inside."""
    cost, count, share = numbers(usd_per_year, accelerators, used_share)
    return per(cost, count * share * HOURS_PER_YEAR)


def per(cost_usd: ArrayLike, count: ArrayLike) -> Array:
    """Cost per unit, NaN where nothing was produced."""
    cost, n = numbers(cost_usd, count)
    return np.where(n > 0, cost / np.where(n > 0, n, 1.0), np.nan)


def usd_per_mtok(cost_usd: ArrayLike, tokens: ArrayLike) -> Array:
    """Cost per million tokens, NaN where there are none."""
    return per(cost_usd, np.asarray(tokens, np.float64) / 1e6)


def usd_per_task(cost_usd: ArrayLike, finished: ArrayLike) -> Array:
    """Cost per finished task, failed attempts inside; NaN where none was finished."""
    return per(cost_usd, finished)


def share_out(cost_usd: ArrayLike, work: ArrayLike) -> Array:
    """Joint cost [kind, …draw] shared by work [kind, …draw], for example in replica-seconds.

    The parts sum to `cost_usd` […draw]; where there is no work at all the parts are zero and the
    cost is nobody's: the caller books it as idle. Raises InputError for negative work.
    """
    amount = np.asarray(work, np.float64)
    if np.any(amount < 0):
        raise InputError(Problem("", "work", "negative", "0 or more"))
    total = amount.sum(axis=0)
    share = amount / np.where(total > 0, total, 1.0)
    return np.asarray(share * np.asarray(cost_usd, np.float64), np.float64)


def cpat(
    accepted: ArrayLike,
    *,
    tokens_usd: ArrayLike = 0.0,
    tools_usd: ArrayLike = 0.0,
    machines_usd: ArrayLike = 0.0,
    oversight_minutes: ArrayLike = 0.0,
    wage_usd_per_h: ArrayLike = 0.0,
    defects_usd: ArrayLike = 0.0,
) -> Array:
    """Cost per accepted task, NaN where none was accepted.

    All costs are those of every attempt, failed ones too: tokens at their price or full cost,
    tools, machines (compute, energy, robot hours), human oversight minutes at their wage, and the
    loss from defects that escaped review.
    """
    n, minutes, wage = numbers(accepted, oversight_minutes, wage_usd_per_h)
    tokens, tools, machines, defects = numbers(tokens_usd, tools_usd, machines_usd, defects_usd)
    return per(tokens + tools + machines + minutes * wage / 60.0 + defects, n)
