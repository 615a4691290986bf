"""Agents: which tasks a model can finish, in how many attempts, and how many of them are right.

A task of `h` human minutes succeeds with ``p = sigmoid(b (log2 p50 - log2 h))``, the logistic of
METR's time horizon; the slope b has a median of 0.52 over models (range 0.43-0.77). Lengths are
lognormal within a kind. Repeated attempts at one task are *not* independent: nine in ten METR
tasks are passed or failed in all runs, so each task draws its own probability from a Beta
distribution (beta-binomial, correlation `rho` about 0.5), less a slip. A verifier with a
sensitivity and a specificity ends the attempts; what it passes wrongly is a defect that oversight
must find.

* `horizon`: the logistic, its fit, its trend over time with a cap.
* `families`: what results on siblings and of other agents say about a task.
* `retries`: repeated attempts, pass^k, the verifier.
* `tokens`, `economics`: tokens, turns, wall time, budgets, a human to fall back on.
* `engine`: success of a kind against capability, the curve of the line.
* `simulate`: a class of work in closed form, task by task, and before the slots of agents.

Sources: METR, "Measuring AI Ability to Complete Long Tasks" (arXiv 2503.14499) and Time Horizon
1.1 (metr.org); tau2-bench (github.com/sierra-research/tau2-bench) for pass^k.
Validated against: METR's per-task results (refit, and tasks left out), METR's published horizons
(doubling time) and cost with a human to fall back on, tau2-bench (pass^3 and pass^4 from pass^1 and
pass^2), SWE-bench Verified (share resolved from the horizon).

Limits: one slope per kind; above 16 hours METR calls its own horizons unreliable, so the trend is
capped there.
"""

from lineshaft.stages.agents.economics import cost_with_fallback_usd, fallback_cost_ratio
from lineshaft.stages.agents.engine import (
    AgentKind,
    AgentsInputs,
    characterise,
    family_scale,
)
from lineshaft.stages.agents.families import (
    SPREAD,
    FamilyEffect,
    Spread,
    TaskResults,
    family_effects,
    predict_success,
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
from lineshaft.stages.agents.retries import (
    SLIP,
    all_pass,
    beta_moment,
    latent_moment,
    pass_k,
    retry_outcome,
    rho_from_passes,
)
from lineshaft.stages.agents.simulate import (
    MEASURES,
    Outcome,
    Queue,
    Work,
    expected,
    sample,
    simulate_slots,
    simulate_tasks,
    slots_needed,
    tokens_in_flight,
)
from lineshaft.stages.agents.tokens import (
    TokenPrice,
    TokenUse,
    TurnUse,
    attempt_wall_s,
    attempts_within,
    mean_tokens_per_attempt,
    tokens_per_attempt,
    turn_tokens,
)

__all__ = [
    "MEASURES",
    "PUBLIC_TREND",
    "SLIP",
    "SPREAD",
    "AgentKind",
    "AgentsInputs",
    "FamilyEffect",
    "HorizonFit",
    "HorizonTrend",
    "Outcome",
    "Queue",
    "Spread",
    "TaskResults",
    "TokenPrice",
    "TokenUse",
    "TurnUse",
    "Work",
    "all_pass",
    "attempt_wall_s",
    "attempts_within",
    "beta_moment",
    "characterise",
    "cost_with_fallback_usd",
    "expected",
    "fallback_cost_ratio",
    "family_effects",
    "family_scale",
    "fit_horizon",
    "fit_trend",
    "horizon_ratio",
    "latent_moment",
    "mean_tokens_per_attempt",
    "pass_k",
    "predict_success",
    "retry_outcome",
    "rho_from_passes",
    "sample",
    "simulate_slots",
    "simulate_tasks",
    "slots_needed",
    "success_probability",
    "tokens_in_flight",
    "tokens_per_attempt",
    "trend_log2_horizon",
    "turn_tokens",
]
