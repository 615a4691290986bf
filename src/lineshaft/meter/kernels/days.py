"""Days and agents as bits: every figure of distinct agents from one map of who was active when.

The map is ``[agent, word]`` of 64 days each. `mark` sets its bits from columns in any order; `rows`
then walks each agent's active days once, at a few instructions for each. Windows, returns and the
cohorts' reach are written as differences, which the caller sums up, so no day is looked at twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray

Array = NDArray[Any]
lowest: Any = trailing_zeros
"""Place of the lowest set bit of a word that is not 0."""

# rows of the daily figures
ACTIVE, EMBODIED, NEW, RETAINED, REACTIVATED, RESURRECTED, LOST, WEEK, MONTH = range(9)
FIGURES = 9


@njit(cache=True, nogil=True)
def mark(
    agent: Array, day: Array, flags: Array, mask: int, shift: int, days: int, lo: int, bits: Array
) -> None:
    """Set the bit of (agent, day + shift) for each row that has a bit of `mask` in its flags.

    `bits` holds the agents from `lo` on; rows of other agents are left out, and so are days from
    `days` on. A day before the first is marked as the first.
    """
    held = np.uint64(len(bits))
    chosen = np.uint8(mask)
    for i in range(len(agent)):
        row = np.uint64(np.int64(agent[i]) - lo)  # those below `lo` wrap around to far above
        d = np.int64(day[i]) + shift
        if row < held and d < days:
            d = max(d, np.int64(0))
            on = np.uint64((flags[i] & chosen) != 0)
            bits[row, d >> 6] |= on << np.uint64(d & 63)


@njit(cache=True, nogil=True)
def join(bits: Array, other: Array) -> None:
    """Add the bits of another map."""
    for i in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            bits[i, j] |= other[i, j]


@njit(cache=True, nogil=True)
def rows(
    bits: Array,
    embodied: Array,
    days: int,
    shown: int,
    week: int,
    month: int,
    daily: Array,
    active_days: Array,
    cohort: Array,
    exact: Array,
    reach: Array,
    seen: Array,
) -> None:
    """Add the agents of `bits` to the figures.

    daily          [FIGURES, days]; WEEK and MONTH are differences from day to day
    active_days    [agent] days active in the last `month` days, set
    cohort         [cohort] agents by the week of their first day, from day `shown` on
    exact          [cohort, n] of them active on their day n
    reach, seen    [cohort, n] of them with their last active day, the log's last day, on day n
    """
    for a in range(bits.shape[0]):
        first = -1
        before = -1
        recent = 0
        group = -1
        for j in range(bits.shape[1]):
            word = bits[a, j]
            while word != 0:
                d = 64 * j + lowest(word)
                word &= word - np.uint64(1)
                daily[ACTIVE, d] += 1
                if embodied[a]:
                    daily[EMBODIED, d] += 1
                if d > days - 1 - month:
                    recent += 1
                if first < 0:
                    first = d
                    daily[NEW, d] += 1
                    daily[WEEK, d] += 1
                    daily[MONTH, d] += 1
                    if d >= shown:
                        group = (d - shown) // week
                        cohort[group] += 1
                        seen[group, days - 1 - d] += 1
                else:
                    gap = d - before
                    if gap == 1:
                        daily[RETAINED, d] += 1
                    else:
                        daily[LOST, before + 1] += 1
                        if gap < month:
                            daily[REACTIVATED, d] += 1
                        else:
                            daily[RESURRECTED, d] += 1
                    if gap >= week:  # out of the window, and in again
                        daily[WEEK, before + week] -= 1
                        daily[WEEK, d] += 1
                    if gap >= month:
                        daily[MONTH, before + month] -= 1
                        daily[MONTH, d] += 1
                if group >= 0:
                    exact[group, d - first] += 1
                before = d
        active_days[a] = recent
        if first < 0:
            continue
        if before + 1 < days:
            daily[LOST, before + 1] += 1
        if before + week < days:
            daily[WEEK, before + week] -= 1
        if before + month < days:
            daily[MONTH, before + month] -= 1
        if group >= 0:
            reach[group, before - first] += 1


# --- sums: of floats with what rounding leaves, so that the order of rows does not show ----------


@njit(cache=True, nogil=True, inline="always")
def _add(high: Array, low: Array, i: int, x: float) -> None:
    """Add x to high[i], and to low[i] what the rounding lost (Knuth's two-sum)."""
    total = high[i] + x
    part = total - high[i]
    low[i] += (high[i] - (total - part)) + (x - part)
    high[i] = total


@njit(cache=True, nogil=True)
def whole_sums(day: Array, first: int, x: Array, out: Array) -> None:
    """Add integers to their days; days outside of `out` are left out."""
    for i in range(len(day)):
        d = int(day[i]) - first
        if 0 <= d < len(out):
            out[d] += x[i]


@njit(cache=True, nogil=True)
def sums(day: Array, first: int, x: Array, high: Array, low: Array) -> None:
    """Add floats to their days; NaN states nothing."""
    for i in range(len(day)):
        d = int(day[i]) - first
        if 0 <= d < len(high) and not np.isnan(x[i]):
            _add(high, low, d, x[i])


@njit(cache=True, nogil=True)
def grouped(agent: Array, starts: Array) -> Array:
    """Rows in the order of their agents, rows of one agent in the order given.

    `starts` is [agents + 1] of zeros; afterwards starts[a] is the place behind the rows of a. Rows
    of agents that it does not hold are left out.
    """
    held = len(starts) - 1
    count = 0
    for i in range(len(agent)):
        if agent[i] < held:
            starts[agent[i] + 1] += 1
            count += 1
    for a in range(held):
        starts[a + 1] += starts[a]
    order = np.empty(count, np.int64)
    for i in range(len(agent)):
        if agent[i] < held:
            order[starts[agent[i]]] = i
            starts[agent[i]] += 1
    return order


@njit(cache=True, nogil=True)
def by_agent(
    order: Array, agent: Array, day: Array, first: int, value: Array, days: int, total: Array
) -> tuple[Array, Array]:
    """(sum over agents of v, of v squared) by day, v the value of an agent's rows of the day.

    Also the value of each agent over all days, in `total`.
    """
    high, low = np.zeros(days), np.zeros(days)  # of the agent at hand
    there = np.zeros(days, np.bool_)
    touched = np.empty(days, np.int64)
    one, one_low = np.zeros(days), np.zeros(days)
    two, two_low = np.zeros(days), np.zeros(days)
    agent_high, agent_low = np.zeros(1), np.zeros(1)
    count = 0
    for k in range(len(order)):
        i = order[k]
        d = int(day[i]) - first
        if 0 <= d < days and not np.isnan(value[i]):
            if not there[d]:
                there[d] = True
                touched[count] = d
                count += 1
            _add(high, low, d, value[i])
        if k + 1 < len(order) and agent[order[k + 1]] == agent[i]:
            continue
        agent_high[0] = agent_low[0] = 0.0
        for j in range(count):
            d = touched[j]
            v = high[d] + low[d]
            _add(one, one_low, d, v)
            _add(two, two_low, d, v * v)
            _add(agent_high, agent_low, 0, high[d])
            _add(agent_high, agent_low, 0, low[d])
            high[d] = low[d] = 0.0
            there[d] = False
        total[agent[i]] = agent_high[0] + agent_low[0]
        count = 0
    return one + one_low, two + two_low
