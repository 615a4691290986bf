"""What a training run adds to a model's capability: a rule, not a theory."""

from __future__ import annotations

import math

HORIZON_CAP_S = 16.0 * 3600.0
"""Longest time horizon that the rule gives out: beyond it there are hardly any measured tasks."""

ELASTICITY_LOW, ELASTICITY, ELASTICITY_HIGH = 0.4, 0.6, 0.9
"""Doublings of the time horizon per doubling of effective compute. Low confidence."""


def release_log2_horizon(
    log2_horizon_s: float,
    log2_compute_ratio: float,
    *,
    elasticity: float = ELASTICITY,
    cap_s: float = HORIZON_CAP_S,
) -> float:
    """log2 of the new model's 50 % time horizon in seconds.

    `log2_horizon_s` is the horizon of a reference model, `log2_compute_ratio` how many doublings
    of effective compute (FLOPs times algorithmic progress) the new run has over it. The result
    rises by `elasticity` per doubling and stops at `cap_s`; a reference already above the cap
    stays where it is.

    The elasticity joins trends over time, it was not measured: METR's time horizon doubled every
    196 days since 2019 and every 131 days since 2023 (metr.org, Time Horizon 1.1); training
    compute of frontier models grew 4 to 5 times a year (epoch.ai, "Training compute of frontier
    AI models grows by 4-5x per year") and algorithms halved their compute needs about every 8
    months (arXiv:2403.05812). That is 3.5 to 3.8 doublings of effective compute a year against 1.9
    to 2.8 of the horizon, so 0.5 to 0.8; the range here is wider because the trends share
    causes (more inference compute, better scaffolds).
    """
    cap = max(math.log2(cap_s), log2_horizon_s)
    return min(cap, log2_horizon_s + elasticity * log2_compute_ratio)
