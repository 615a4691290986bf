"""What a task costs and is worth: agents first, a human where they fail."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.stages.agents.horizon import success_probability

Array = NDArray[np.float64]


def cost_with_fallback_usd(
    agent_usd: ArrayLike, accepted: ArrayLike, human_min: ArrayLike, wage_usd_per_h: ArrayLike
) -> Array:
    """Mean cost of a task that agents try and a human does where they do not bring it home.

    ``agent cost + (1 - accepted) x minutes x wage / 60``; all attempts are in the agents' cost,
    `accepted` is the share of tasks whose result is taken. All arguments broadcast.
    """
    agent, taken, minutes, wage = (
        np.asarray(v, dtype=np.float64) for v in (agent_usd, accepted, human_min, wage_usd_per_h)
    )
    return np.asarray(agent + (1.0 - taken) * minutes * wage / 60.0)


def fallback_cost_ratio(
    p50_min: float,
    slope: float,
    low_min: float,
    high_min: float,
    agent_cost_ratio: float = 0.0,
    nodes: int = 64,
) -> float:
    """Cost with a human to fall back on over the human's alone, for tasks of a range of lengths.

    Lengths are spread evenly over log2 of the range (one that begins at 0 over its upper four
    doublings), each costs by its minutes, and one attempt is made: METR's definition.
    `agent_cost_ratio` is what agents cost over what the human would, 0 for nothing.
    """
    low = max(low_min, high_min / 16.0)
    minutes = np.exp2(np.linspace(np.log2(low), np.log2(high_min), 2 * nodes + 1)[1::2])
    done = success_probability(minutes, p50_min, slope)
    return agent_cost_ratio + 1.0 - float(minutes @ done / minutes.sum())
