"""What must be true: the growth and the revenue that make a valuation a fair price.

For years t = 1..T: growth g_t = g1 + (g_T - g1)(t-1)/(T-1); margin of free cash flow
m_t = m_0 + (m_T - m_0) min(t/ramp, 1); F_t = revenue_t m_t, revenue_0 the run-rate;
value = sum F_t/(1+r)^t + F_T (1+g_T)/((r-g_T)(1+r)^T). Solved for g1. The value is the post-money
figure; net cash is ignored. The shape of growth and margin is a stated convention, the same for
every firm, so that claims can be compared. It is not a forecast, and it predicts no valuation.

Method: reverse DCF as in Rappaport and Mauboussin, "Expectations Investing" (2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.contracts.curves import Array
from lineshaft.errors import InputError, Problem
from lineshaft.stages.value.finance import (
    NO_MARGIN,
    NOT_FINITE,
    NOT_POSITIVE,
    RATE_BELOW_GROWTH,
    TOO_FAST,
    explained,
    numbers,
)

GROWTH_MIN, GROWTH_MAX = -1.0 + 1e-9, 99.0
"""First-year growth is searched between these: from losing all revenue to a hundredfold."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The shape of the years: how growth fades and the margin rises."""

    years: int = 10
    growth_end: float = 0.03
    """Growth in the last year and for ever."""
    margin_start: float = -0.30
    """Free cash flow per revenue in year 0."""
    margin_end: float = 0.30
    ramp_years: float = 6.0
    """Years until the margin has reached its end."""

    def __post_init__(self) -> None:
        if self.years < 2 or self.ramp_years <= 0:
            found = f"years {self.years}, ramp_years {self.ramp_years}"
            raise InputError(Problem("", "plan", found, "years >= 2 and ramp_years > 0"))

    @property
    def margin(self) -> Array:
        """[t] free cash flow per revenue in years 1..T."""
        share = np.minimum(np.arange(1, self.years + 1) / self.ramp_years, 1.0)
        return np.asarray(self.margin_start + (self.margin_end - self.margin_start) * share)


PLAN = Plan()


@dataclass(frozen=True, slots=True)
class Implied:
    """What a value asks for; NaN and a code (`finance.WHY`) where no growth can give it."""

    growth: Array
    """[…draw] growth of revenue in year 1."""
    revenue_usd: Array
    """[t, …draw] revenue in years 1..T."""
    flow_usd: Array
    """[t, …draw] free cash flow in years 1..T."""
    code: NDArray[np.int8]
    """[…draw] 0 where there is an answer, else index into `finance.WHY`."""

    @property
    def final_revenue_usd(self) -> Array:
        """[…draw] revenue in the last year."""
        return np.asarray(self.revenue_usd[-1])


def multiple(growth: ArrayLike, rate: ArrayLike, plan: Plan = PLAN) -> Array:
    """Value per run-rate […draw] if revenue grows by `growth` in year 1 and `rate` discounts it.

    NaN where the rate is not above the growth for ever.
    """
    g1, r = numbers(growth, rate)
    revenue = np.ones_like(g1)
    discount = 1.0 / (1.0 + r)
    factor = np.ones_like(r)
    value = np.zeros_like(g1)
    for t, margin in enumerate(plan.margin.tolist()):
        fade = t / (plan.years - 1)
        revenue *= 1.0 + g1 * (1.0 - fade) + plan.growth_end * fade
        factor *= discount
        value += margin * revenue * factor
    spread = np.where(r > plan.growth_end, r - plan.growth_end, np.nan)
    value += plan.margin_end * revenue * factor * (1.0 + plan.growth_end) / spread
    return value


def implied(
    value_usd: ArrayLike, run_rate_usd: ArrayLike, rate: ArrayLike, plan: Plan = PLAN
) -> Implied:
    """Growth, revenue and cash flow that make `value_usd` fair at discount rate `rate`.

    Arguments are scalars or […draw] and broadcast. Bisection to the last bit: a firm that shrinks
    to nothing is worth nothing, and once the value is positive it rises with growth, so the root
    for a positive value is the only one.
    """
    value, run_rate, r = numbers(value_usd, run_rate_usd, rate)
    positive = (value > 0) & (run_rate > 0)
    wanted = np.where(positive, value, 1.0) / np.where(positive, run_rate, 1.0)
    low, high = np.full(r.shape, GROWTH_MIN), np.full(r.shape, GROWTH_MAX)
    safe_rate = np.where(r > plan.growth_end, r, plan.growth_end + 1.0)
    too_fast = multiple(high, safe_rate, plan) < wanted
    for _ in range(64):
        middle = 0.5 * (low + high)
        above = multiple(middle, safe_rate, plan) > wanted
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    answer = explained(
        0.5 * (low + high),
        [
            (NOT_FINITE, ~(np.isfinite(value) & np.isfinite(run_rate) & np.isfinite(r))),
            (NOT_POSITIVE, ~positive),
            (RATE_BELOW_GROWTH, r <= plan.growth_end),
            (NO_MARGIN, np.full(r.shape, plan.margin_end <= 0)),
            (TOO_FAST, too_fast),
        ],
    )
    fade = np.linspace(0.0, 1.0, plan.years).reshape(-1, *[1] * r.ndim)
    growth = answer.value * (1.0 - fade) + plan.growth_end * fade
    revenue = np.asarray(run_rate * np.cumprod(1.0 + growth, axis=0))
    flow = np.asarray(revenue * plan.margin.reshape(fade.shape))
    return Implied(answer.value, revenue, flow, answer.code)
