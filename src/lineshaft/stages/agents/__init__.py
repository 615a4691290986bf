"""Agents: which tasks a model can finish, in how many attempts, and how many of them are right.

A task of `h` human minutes succeeds with ``p = sigmoid(b (log2 p50 - log2 h))``, the logistic of
METR's time horizon; the slope b has a median of 0.52 over models (range 0.43-0.77). Lengths are
lognormal within a kind. Repeated attempts at one task are *not* independent: nine in ten METR
tasks are passed or failed in all runs, so each task draws its own probability from a Beta
distribution (beta-binomial, correlation `rho` about 0.5). A verifier with a sensitivity and a
specificity ends the attempts; what it passes wrongly is a defect that oversight must find.

Sources: METR, "Measuring AI Ability to Complete Long Tasks" (arXiv 2503.14499) and Time Horizon
1.1 (metr.org); tau2-bench (github.com/sierra-research/tau2-bench) for pass^k.
Validated against: METR's per-task results (refit of two models), METR's published horizons
(doubling time) and tau2-bench (pass^3 and pass^4 predicted from pass^1 and pass^2).

Limits: one slope per kind; no effect of a task's family, which moves length buckets by up to 19
points; above 16 hours METR calls its own horizons unreliable, so the trend is capped there.
"""

from lineshaft.stages.agents.engine import (
    AgentKind,
    AgentsInputs,
    TokenUse,
    all_pass,
    beta_moment,
    characterise,
    mean_tokens_per_attempt,
    retry_outcome,
    rho_from_passes,
    tokens_per_attempt,
)
from lineshaft.stages.agents.horizon import (
    PUBLIC_TREND,
    HorizonFit,
    HorizonTrend,
    fit_horizon,
    fit_trend,
    horizon_ratio,
    success_probability,
    trend_log2_horizon,
)

__all__ = [
    "PUBLIC_TREND",
    "AgentKind",
    "AgentsInputs",
    "HorizonFit",
    "HorizonTrend",
    "TokenUse",
    "all_pass",
    "beta_moment",
    "characterise",
    "fit_horizon",
    "fit_trend",
    "horizon_ratio",
    "mean_tokens_per_attempt",
    "retry_outcome",
    "rho_from_passes",
    "success_probability",
    "tokens_per_attempt",
    "trend_log2_horizon",
]
