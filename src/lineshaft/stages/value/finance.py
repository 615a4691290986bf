"""Time value of money, vectorised over draws: annuities, present values, IRR, terminal values.

Time is axis 0 and draws come last, as in the line's tables, except in `irr_rows`, which takes one
cash flow per row. A draw for which a question has no answer gets NaN and a code that says why
(`Explained`): one bad draw in ten thousand must neither stop a run nor print as a number.

Sources: annuity, Gordon growth and the value-driver formula (reinvestment = growth / ROIC) are in
Koller, Goedhart, Wessels, "Valuation" (McKinsey); XNPV and XIRR follow Microsoft Excel;
uniqueness of the IRR is Descartes' rule of signs, then Norstrom, "A sufficient condition for a
unique nonnegative internal rate of return", JFQA 7 (1972); the learning curve is Wright, "Factors
affecting the cost of airplanes" (1936).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.contracts.curves import Array
from lineshaft.errors import InputError, Problem

(
    OK,
    NOT_FINITE,
    NO_SIGN_CHANGE,
    NOT_UNIQUE,
    OUT_OF_RANGE,
    RATE_BELOW_GROWTH,
    NEGATIVE_FLOW,
    RETURN_BELOW_GROWTH,
    NOT_POSITIVE,
    NO_MARGIN,
    TOO_FAST,
) = range(11)

WHY: tuple[tuple[str, str], ...] = (
    ("answered", ""),
    ("an input is not a finite number", "look for a division by zero upstream"),
    ("the cash flow never changes its sign, so it has no rate of return", "use the NPV"),
    (
        "the cash flow changes its sign more than once and more than one rate may fit",
        "use the NPV at the cost of capital",
    ),
    ("the rate of return lies outside the range that is searched", "use the NPV"),
    (
        "the discount rate is not above the growth for ever, so the value would be infinite",
        "lower the growth for ever (3 % nominal is usual) or raise the discount rate",
    ),
    (
        "the last cash flow is not positive, and growing for ever it would only lose more",
        "extend the plan until it earns cash",
    ),
    (
        "the return on new capital is not above the growth, so growth eats all the profit",
        "raise the return on invested capital or lower the growth for ever",
    ),
    (
        "value and run-rate must be positive: without revenue a multiple has no meaning",
        "give a first year's revenue",
    ),
    ("the final margin is not positive, so no growth makes the value true", "raise margin_end"),
    ("even revenue that grows a hundredfold in a year does not make the value true", ""),
)
"""What each code means, and what to do about it."""


_FEW = 1024
"""Rows of cash flows up to which a table of weights pays; above any chunk of draws of a run, so
that a draw's rate does not depend on how many draws stand beside it."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Answers, NaN where there is none, and for each a code that says why."""

    value: Array
    """[…draw]"""
    code: NDArray[np.int8]
    """[…draw] index into `WHY`; 0 where there is an answer."""

    @property
    def why(self) -> tuple[str, ...]:
        """One sentence for each reason that occurs, with the number of draws; empty if none."""
        codes, counts = np.unique(self.code, return_counts=True)
        return tuple(
            f"{WHY[code][0]} ({count} of {self.code.size})"
            for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
            if code != OK
        )

    def require(self, key: str) -> Array:
        """The values, if every draw has one; raises InputError that names `key` and the fix."""
        bad = np.unique(self.code[self.code != OK]).tolist()
        if bad:
            raise InputError(Problem("", key, WHY[code][0], fix=WHY[code][1]) for code in bad)
        return self.value


def explained(value: Array, tests: Sequence[tuple[int, ArrayLike]]) -> Explained:
    """`value`, with NaN and a code where a test fails; the first test that fails gives the code."""
    code = np.zeros(np.shape(value), np.int8)
    for reason, failed in tests:
        code[(code == OK) & np.asarray(failed, np.bool_)] = reason
    return Explained(np.where(code == OK, value, np.nan), code)


def numbers(*values: ArrayLike) -> list[Array]:
    """The values as float arrays of one common shape."""
    arrays = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in values))
    return [np.asarray(array, np.float64) for array in arrays]


def annuity(principal_usd: ArrayLike, rate: ArrayLike, periods: ArrayLike) -> Array:
    """Level payment at the end of each period that repays the principal: P r / (1 - (1+r)^-n).

    At a rate of zero it is P / n. Raises InputError for a rate at or below -1 or no periods.
    """
    principal, r, n = numbers(principal_usd, rate, periods)
    _check_rate(r)
    if np.any(n <= 0):
        raise InputError(Problem("", "periods", "not positive", "a number of periods above 0"))
    zero = np.abs(r) < 1e-12
    safe = np.where(zero, 1.0, r)
    return np.where(zero, principal / n, principal * safe / -np.expm1(-n * np.log1p(safe)))


def npv(rate: ArrayLike, flows_usd: ArrayLike, first: int = 1) -> Array:
    """Present value […draw] of flows [t, …draw]; the first flow is `first` periods ahead.

    `first=1` is Excel's NPV, `first=0` starts today. Raises InputError for a rate at or below -1.
    """
    flows = np.asarray(flows_usd, np.float64)
    r = np.asarray(rate, np.float64)
    _check_rate(r)
    v = 1.0 / (1.0 + r)
    total = np.zeros(np.broadcast_shapes(flows.shape[1:], r.shape))
    for flow in flows[::-1]:
        total = total * v + flow
    return np.asarray(total * v**first, np.float64)


def xnpv(rate: float, dates: Sequence[date | str], flows_usd: ArrayLike) -> float:
    """Excel's XNPV, sum of c_k / (1+r)^(days_k/365), by pyxirr. Raises InputError."""
    import pyxirr

    return _answer(pyxirr.xnpv, rate, _days(dates), np.asarray(flows_usd, np.float64))


def xirr(dates: Sequence[date | str], flows_usd: ArrayLike) -> float:
    """Excel's XIRR, the rate at which `xnpv` is zero, by pyxirr. Raises InputError."""
    import pyxirr

    return _answer(pyxirr.xirr, _days(dates), np.asarray(flows_usd, np.float64))


def irr(flows_usd: ArrayLike) -> float:
    """Rate per period at which one cash flow [t] is worth nothing, by pyxirr. Raises InputError.

    Where several rates fit, this is the one that pyxirr finds; `irr_rows` refuses instead.
    """
    import pyxirr

    return _answer(pyxirr.irr, np.asarray(flows_usd, np.float64))


def irr_rows(flows_usd: ArrayLike) -> Explained:
    """Rate per period [row] of each cash flow [row, t], NaN and a code where none is certain.

    A rate is given only where it is unique: one change of sign (any rate above -1), or several
    but one in the running total (Norstrom: one rate above 0). Newton on log(in) - log(out), which
    is nearly straight in log(1+r), inside a bracket that falls back to bisection.
    Raises InputError if the array is not [row, t] with at least two flows.
    """
    flows = np.asarray(flows_usd, np.float64)
    if flows.ndim != 2 or flows.shape[1] < 2:
        raise InputError(Problem("", "flows", f"an array {flows.shape}", "[row, t] with t >= 2"))
    finite = np.isfinite(flows).all(axis=1)
    flows = np.where(finite, flows.T, 0.0)
    scale = np.abs(flows).max(axis=0, initial=0.0)
    flows = flows / np.where(scale > 0, scale, 1.0)
    flows[np.abs(flows) < 1e-40] = 0.0  # rounding, and it could underflow below
    changes, first = _sign_changes(flows)
    flows *= -first  # money out comes first; a loan seen by its debtor has the same rate
    norstrom = (changes > 1) & (_sign_changes(np.cumsum(flows, axis=0))[0] == 1)

    # (1+r)^t must stay a number for the longest flow: this bounds log(1+r)
    bound = min(600.0 / len(flows), np.log(1e6))
    solvable = (changes == 1) | norstrom
    rate = np.full(len(solvable), np.nan)
    chosen = np.flatnonzero(solvable)
    if chosen.size:
        parts = np.stack([np.maximum(flows, 0.0), np.maximum(-flows, 0.0)], axis=1)[:, :, chosen]
        low = np.where(norstrom[chosen], 0.0, -bound)
        rate[chosen] = np.expm1(_log_rate(parts, low, np.full(chosen.size, bound)))
    return explained(
        rate,
        [
            (NOT_FINITE, ~finite),
            (NO_SIGN_CHANGE, changes == 0),
            (NOT_UNIQUE, ~solvable),
            (OUT_OF_RANGE, np.isnan(rate)),
        ],
    )


def _log_rate(parts: Array, low: Array, high: Array) -> Array:
    """log(1+r) [row] at which money in equals money out; parts [t, (in, out), row]."""
    time = np.arange(len(parts))[:, None, None]
    total = parts.sum(axis=0)
    mean_time = (parts * time).sum(axis=0) / total
    span = mean_time[0] - mean_time[1]
    guess = np.log(total[0] / total[1]) / np.where(np.abs(span) > 1e-9, span, 1.0)
    open_ended = (_log_ratio(parts, low)[0] <= 0) | (_log_ratio(parts, high)[0] >= 0)
    u = np.clip(guess, low, high)
    settled = open_ended
    for _ in range(100):
        ratio, slope = _log_ratio(parts, u)
        low = np.where(ratio > 0, u, low)
        high = np.where(ratio <= 0, u, high)
        step = u - ratio / np.where(slope < 0, slope, -np.inf)
        inside = (slope < 0) & (step >= low) & (step <= high)
        new = np.where(inside, step, 0.5 * (low + high))
        # a row that has settled stays as it is, however long the rows beside it take
        new = np.where(settled, u, new)
        settled = settled | (np.abs(new - u) <= 1e-14 * (1.0 + np.abs(new)))
        u = new
        if settled.all():
            break
    return np.where(open_ended, np.nan, u)


def _log_ratio(parts: Array, u: Array) -> tuple[Array, Array]:
    """log(money in / money out) at log(1+r) = u, and its slope in u; both [row]."""
    v = np.exp(-u)
    if len(u) < _FEW:  # one sweep over all times at once
        weight = np.empty((len(parts), len(u)))
        weight[0], weight[1:] = 1.0, v
        np.cumprod(weight, axis=0, out=weight)
        value = np.einsum("tsr,tr->sr", parts, weight)
        duration = np.einsum("tsr,tr,t->sr", parts, weight, np.arange(float(len(parts)))) / value
    else:  # Horner, which keeps no table of weights
        value = parts[-1].copy()
        moment = np.zeros_like(value)
        for part in parts[-2::-1]:
            moment *= v
            moment += value
            value *= v
            value += part
        duration = v * moment / value
    return np.log(value[0] / value[1]), duration[1] - duration[0]


def _sign_changes(flows: Array) -> tuple[NDArray[np.int64], Array]:
    """How often each column changes its sign, zeros skipped, and its first sign (0 if none)."""
    signs = np.sign(flows)
    # the last sign that was not 0, up to and including each time
    place = np.maximum.accumulate(np.where(signs != 0, np.arange(len(signs))[:, None], 0), axis=0)
    running = np.take_along_axis(signs, place, axis=0)
    changes = (running[1:] * running[:-1] < 0).sum(axis=0)
    first = np.take_along_axis(signs, (signs != 0).argmax(axis=0)[None], axis=0)[0]
    return changes, first


def gordon(flow_usd: ArrayLike, rate: ArrayLike, growth: ArrayLike) -> Explained:
    """Value in the last year of a flow that grows for ever: F (1+g) / (r-g).

    Refuses r <= g and a flow that is not positive, each with its code.
    """
    flow, r, g = numbers(flow_usd, rate, growth)
    spread = np.where(r > g, r - g, 1.0)
    return explained(
        flow * (1.0 + g) / spread,
        [
            (NOT_FINITE, ~(np.isfinite(flow) & np.isfinite(r) & np.isfinite(g))),
            (RATE_BELOW_GROWTH, r <= g),
            (NEGATIVE_FLOW, flow <= 0),
        ],
    )


def value_driver(
    profit_usd: ArrayLike, rate: ArrayLike, growth: ArrayLike, roic: ArrayLike
) -> Explained:
    """Gordon with the growth paid for: NOPAT (1+g) (1 - g/ROIC) / (r-g).

    `profit_usd` is the operating profit after tax of the last year, `roic` the return on new
    invested capital. Refuses also a return at or below the growth.
    """
    profit, r, g, returns = numbers(profit_usd, rate, growth, roic)
    enough = (returns > 0) & (returns > g)
    reinvested = g / np.where(enough, returns, 1.0)
    plain = gordon(profit, r, g)
    after = plain.value * (1.0 - reinvested)
    return explained(
        after,
        [
            (NOT_FINITE, ~np.isfinite(returns)),
            *((code, plain.code == code) for code in range(1, len(WHY))),
            (RETURN_BELOW_GROWTH, ~enough),
        ],
    )


@dataclass(frozen=True, slots=True)
class Dcf:
    """A value and its two parts, today; NaN and a code where there is no terminal value."""

    explicit_usd: Array
    """[…draw] present value of the planned years; given also where the value is not."""
    terminal_usd: Array
    """[…draw] present value of all later years."""
    value: Explained
    """[…draw] their sum."""


def dcf(flows_usd: ArrayLike, rate: ArrayLike, terminal: Explained) -> Dcf:
    """Value today of flows [t, …draw] at the ends of years 1..T and of a terminal value in year T.

    Raises InputError for a rate at or below -1.
    """
    flows = np.asarray(flows_usd, np.float64)
    explicit = npv(rate, flows)
    later = terminal.value / (1.0 + np.asarray(rate, np.float64)) ** len(flows)
    total, code = np.broadcast_arrays(explicit + later, terminal.code)
    return Dcf(explicit, later, explained(total, [(c, code == c) for c in range(1, len(WHY))]))


def free_cash_flow(
    ebitda_usd: ArrayLike,
    tax_usd: ArrayLike,
    capex_usd: ArrayLike,
    working_capital_rise_usd: ArrayLike,
) -> Array:
    """Unlevered free cash flow: EBITDA - tax - capex - rise of working capital."""
    ebitda, tax, capex, rise = numbers(ebitda_usd, tax_usd, capex_usd, working_capital_rise_usd)
    return ebitda - tax - capex - rise


def running_charge(bought_usd: ArrayLike, charge_share: ArrayLike, life_periods: int) -> Array:
    """Charge [t, …draw] of everything bought in [t, …draw] and still within its life.

    Each purchase is charged `charge_share` of its price in each of `life_periods` periods, the
    first one in the period of the purchase. Raises InputError for a life below one period.
    """
    if life_periods < 1:
        raise InputError(Problem("", "life_periods", str(life_periods), "1 or more"))
    bought = np.asarray(bought_usd, np.float64)
    alive = np.cumsum(bought, axis=0)
    alive[life_periods:] -= alive[:-life_periods].copy()
    return np.asarray(alive * np.asarray(charge_share, np.float64), np.float64)


def straight_line(capex_usd: ArrayLike, life_periods: int) -> Array:
    """Depreciation [t, …draw] of capex [t, …draw], spread evenly over its life."""
    return running_charge(capex_usd, 1.0 / max(life_periods, 1), life_periods)


def tax_step(
    profit_usd: ArrayLike,
    losses_usd: ArrayLike,
    tax_rate: ArrayLike,
    limit_share: ArrayLike = 0.8,
) -> tuple[Array, Array]:
    """Tax of one period and the losses carried on, both […draw].

    Earlier losses are set against at most `limit_share` of a profit: 0.8 is US federal law
    (26 U.S.C. section 172(a)(2)); 1 means no limit. Losses do not expire and earn no interest.
    """
    profit, losses, rate, limit = numbers(profit_usd, losses_usd, tax_rate, limit_share)
    gain = np.maximum(profit, 0.0)
    used = np.minimum(losses, limit * gain)
    return rate * (gain - used), losses - used + np.maximum(-profit, 0.0)


def wright(
    cost0_usd: ArrayLike, cumulative: ArrayLike, cumulative0: ArrayLike, learning_rate: ArrayLike
) -> Array:
    """Unit cost after learning: c0 (X/X0)^log2(1 - learning_rate), X the world's output so far.

    `learning_rate` is the fall of cost at each doubling. Raises InputError outside 0 <= lr < 1 or
    where an output is not positive.
    """
    cost, x, x0, lr = numbers(cost0_usd, cumulative, cumulative0, learning_rate)
    if np.any((lr < 0) | (lr >= 1)):
        raise InputError(Problem("", "learning_rate", "out of range", "0 <= learning_rate < 1"))
    if np.any((x <= 0) | (x0 <= 0)):
        raise InputError(Problem("", "cumulative", "not positive", "an output above 0"))
    return np.asarray(cost * (x / x0) ** np.log2(1.0 - lr), np.float64)


def _check_rate(rate: Array) -> None:
    if np.any(rate <= -1.0):
        raise InputError(Problem("", "rate", "at or below -100 %", "a rate above -1"))


def _days(dates: Sequence[date | str]) -> NDArray[np.datetime64]:
    try:
        return np.array(list(dates), dtype="datetime64[D]")
    except ValueError as error:
        raise InputError(Problem("", "dates", str(error), "dates as YYYY-MM-DD")) from error


def _answer(function: Callable[..., float | None], *arguments: object) -> float:
    """Calls a pyxirr function and turns its errors and its None into an InputError."""
    import pyxirr

    try:
        answer = function(*arguments)
    except (pyxirr.InvalidPaymentsError, ValueError) as error:
        raise InputError(Problem("", "flows", str(error), fix=WHY[NO_SIGN_CHANGE][1])) from error
    if answer is None:
        raise InputError(Problem("", "flows", WHY[OUT_OF_RANGE][0], fix=WHY[OUT_OF_RANGE][1]))
    return float(answer)
