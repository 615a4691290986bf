"""The ratios of DAA/1 (`docs/daa-1.md`): what is never left out where daily active agents are told.

The same functions judge a simulated month and a real log. Numbers of agents, tasks and minutes are
of the same day or of the same mean day; all functions broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def _f(*values: ArrayLike) -> tuple[Array, ...]:
    return tuple(np.asarray(v, dtype=np.float64) for v in values)


def _ratio(top: Array, bottom: Array) -> Array:
    """top / bottom, NaN where bottom is 0: a ratio of nothing is not a number, and not zero."""
    top, bottom = np.broadcast_arrays(top, bottom)
    out: Array = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def tasks_per_agent(accepted: ArrayLike, daa: ArrayLike) -> Array:
    """TPA: accepted root tasks per active agent. NaN where DAA is 0."""
    return _ratio(*_f(accepted, daa))


def autonomy(untouched: ArrayLike, accepted: ArrayLike) -> Array:
    """A: share of accepted tasks without a human touch between assignment and decision."""
    return _ratio(*_f(untouched, accepted))


def autonomy_of_time(human_min: ArrayLike, human_equivalent_min: ArrayLike) -> Array:
    """A_t: ``1 - human minutes / human-equivalent minutes``; negative when oversight costs more."""
    return 1.0 - _ratio(*_f(human_min, human_equivalent_min))


def oversight_minutes_per_task(
    review_min: ArrayLike,
    steer_min: ArrayLike,
    rework_min: ArrayLike,
    approval_min: ArrayLike,
    accepted: ArrayLike,
) -> Array:
    """OM: minutes of review, steering, rework and approval per accepted task."""
    review, steer, rework, approval, tasks = _f(
        review_min, steer_min, rework_min, approval_min, accepted
    )
    return _ratio(review + steer + rework + approval, tasks)


def cost_per_accepted_task(
    direct_usd: ArrayLike,
    oversight_min: ArrayLike,
    wage_usd_per_h: ArrayLike,
    escaped_loss_usd: ArrayLike,
    accepted: ArrayLike,
) -> Array:
    """CPAT: tokens, tools, energy and robot hours, oversight at its wage and the losses of escaped
    defects, over accepted tasks. Failed tasks stay in the numerator."""
    direct, minutes, wage, loss, tasks = _f(
        direct_usd, oversight_min, wage_usd_per_h, escaped_loss_usd, accepted
    )
    return _ratio(direct + minutes * wage / 60.0 + loss, tasks)


def value_per_daa(value_usd: ArrayLike, daa: ArrayLike) -> Array:
    """VPD: value of the accepted tasks per active agent; state how the value was set."""
    return _ratio(*_f(value_usd, daa))


def leverage(human_equivalent_min: ArrayLike, oversight_min: ArrayLike) -> Array:
    """Lv: human-equivalent minutes of accepted tasks per human minute of oversight, the minutes
    spent on rejected work included."""
    return _ratio(*_f(human_equivalent_min, oversight_min))


def effective_daa(value: ArrayLike, axis: int = -1) -> Array:
    """eDAA, ``(sum v)^2 / sum v^2`` over the agents on `axis`: how many equal agents would carry
    the accepted value. 0 where there is no value. It does not detect an agent split into many."""
    v = np.asarray(value, dtype=np.float64)
    top = np.abs(v).max(axis=axis, keepdims=True, initial=0.0)
    v = np.divide(v, top, out=np.zeros(v.shape), where=top > 0)  # squares of 1e200 would overflow
    total, squares = v.sum(axis=axis), (v * v).sum(axis=axis)
    out: Array = np.zeros(np.shape(total))
    np.divide(total**2, squares, out=out, where=squares > 0)
    return out


def fte_equivalent(human_equivalent_min: ArrayLike, minutes_per_day: float = 480.0) -> Array:
    """FTE-eq: human-equivalent minutes of accepted tasks over a working day of 480 minutes."""
    return np.asarray(human_equivalent_min, dtype=np.float64) / minutes_per_day
