"""Success of each kind of work against capability: lengths, families, attempts and the verifier.

For a kind with median length M and lognormal sigma, at margin x = log2(p50 / M), a task's latent
success probability has the mean ``m(z) = sigmoid(b (x + log2 multiplier - sigma z / ln 2))`` with
z standard normal (Gauss-Hermite over z), and a Beta distribution with intra-task correlation rho
around it, less a slip. An attempt passes the verifier with ``q = sensitivity p + (1 - specificity)
(1 - p)``, where the two error rates are Beta-distributed over tasks too; after the attempts that
count and budget allow, without a pass, the task has failed. With ``E[p^i (1-p)^j]`` in closed form
the results are finite sums of positive terms. Families that differ add a normal term to the logit,
which is scaled so that the mean over families stays at the logistic (`families`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import AgentsCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.agents.horizon import sigmoid
from lineshaft.stages.agents.retries import retry_outcome
from lineshaft.stages.agents.tokens import TokenUse, attempts_within, tokens_per_attempt

Array = NDArray[np.float64]
NODES = 96
"""Gauss-Hermite nodes: enough for sigma x slope up to 3 at 1e-5."""
FAMILY_NODES = 64
FAR = 9.0
"""Standard deviations beyond which no length is looked at."""


@dataclass(frozen=True, slots=True)
class AgentKind:
    """One kind of agent work. Defaults that no source gives are low confidence."""

    name: str
    median_min: float
    """Median human-equivalent minutes of its tasks; for an embodied kind, of planning the task."""
    sigma: float = 1.0
    """Standard deviation of ln(length). Low confidence."""
    slope: float = 0.52
    """Logits per doubling of length (METR: median over models 0.52, range 0.43-0.77)."""
    rho: float = 0.5
    """Correlation of two attempts at the same task (tau2-bench: median 0.55)."""
    attempts: int = 3
    """Attempts allowed before the task is given up."""
    sensitivity: float = 0.95
    """Share of right attempts that the verifier passes. Low confidence."""
    specificity: float = 0.9
    """Share of wrong attempts that it stops. Low confidence: measure it with seeded defects."""
    verifier_rho: float = 0.5
    """Correlation of two verdicts of one sort on one task: a test that misses a wrong solution
    once tends to miss it again. Low confidence; set like `rho`."""
    horizon_multiplier: float = 1.0
    """The kind's own p50 horizon over METR's: 0.16 where maintainers judge (8 of 50 min, METR
    2026), 9.5 in chat with a human in the loop (19 h of 2 h, Anthropic Economic Index)."""
    embodied: bool = False
    """Done by robots: then success here is that of the plan, and the floor adds its own."""
    slip: float = 0.0
    """Share of attempts lost even at a task that is mastered; 0.05 on tau2-bench, with users."""
    family_sd: float = 0.0
    """Standard deviation of difficulty over task families in logits, where tasks come in families
    that pass or fail together; 1.5 over METR's. `rho` is then the correlation within a family."""
    acceptance: float = 1.0
    """Share of right results that whoever asked takes: 0.5 of what tests pass, 0.77 of what
    humans write, where maintainers judge (METR 2026; AIDev). 1 where `horizon_multiplier` says
    it."""
    budget_tokens: float = math.inf
    """Tokens that all attempts at a task may take; an attempt beyond them is not begun."""
    use: TokenUse = field(default_factory=TokenUse)
    """Tokens of an attempt, for the budget."""


def default_margins() -> Array:
    """[x] log2 margins of the curve: a task 2^12 times the horizon to one 2^20 times shorter."""
    return np.arange(-12.0, 20.25, 0.25)


@dataclass(frozen=True, slots=True)
class AgentsInputs:
    """The kinds, and the grid of capability on which they are characterised."""

    kinds: tuple[AgentKind, ...]
    log2_margin: Array = field(default_factory=default_margins)
    """[x] log2 (p50 horizon / median length), rising."""


def family_scale(family_sd: float) -> float:
    """Logits within a family over those of the mean over all: ``sqrt(1 + pi/8 sd^2)``."""
    return math.sqrt(1.0 + math.pi / 8.0 * family_sd**2)


def characterise(inputs: AgentsInputs) -> AgentsCurve:
    """Success, correctness and attempts of each kind [kind, x] against log2 margin [x].

    Success counts tasks, not minutes: within a kind the short tasks are the ones that succeed.
    Raises InputError that lists every value out of range.
    """
    check(inputs)
    x = np.asarray(inputs.log2_margin, dtype=np.float64)
    shape = (len(inputs.kinds), x.size)
    success, correct, attempts, token_attempts = (np.empty(shape) for _ in range(4))
    for row, kind in enumerate(inputs.kinds):
        success[row], right, attempts[row], token_attempts[row] = _over_lengths(kind, x)
        right = kind.acceptance * right
        correct[row] = np.divide(right, success[row], out=np.ones(x.size), where=success[row] > 0)
    return AgentsCurve(x.copy(), success, correct, attempts, token_attempts)


def _over_lengths(kind: AgentKind, x: Array) -> Array:
    """[4, x] passed, passed and right, attempts, and attempts with each task weighted by its
    tokens, over the kind's lengths and families."""
    z, weight, allowed = length_nodes(kind)
    u, share = normal_nodes(FAMILY_NODES) if kind.family_sd else (np.zeros(1), np.ones(1))
    shift = math.log2(kind.horizon_multiplier) - kind.sigma * z / math.log(2.0)
    tokens = weight * np.exp(kind.use.exponent * kind.sigma * z)
    tokens /= tokens.sum()
    totals = np.zeros((4, x.size))
    for count in np.unique(allowed[allowed > 0]):
        own = allowed == count
        logit = kind.slope * family_scale(kind.family_sd) * (x[:, None] + shift[own])
        passed, correct, tried = retry_outcome(
            sigmoid(logit[..., None] + kind.family_sd * u),
            kind.rho,
            int(count),
            kind.sensitivity,
            kind.specificity,
            kind.verifier_rho,
            kind.slip,
        )
        for total, of in zip(totals, (passed, passed * correct, tried), strict=False):
            total += of @ share @ weight[own]
        totals[3] += tried @ share @ tokens[own]
    return totals


def normal_nodes(nodes: int) -> tuple[Array, Array]:
    """Nodes and weights of a standard normal distribution."""
    z, weight = np.polynomial.hermite_e.hermegauss(nodes)
    return z, weight / weight.sum()


def length_nodes(kind: AgentKind) -> tuple[Array, Array, NDArray[np.int64]]:
    """[z] nodes of ln(length / median) / sigma, their weights, and the attempts allowed there.

    A budget makes attempts jump with length: then the nodes are Gauss-Legendre's between jumps.
    """
    z, weight = normal_nodes(NODES)
    rise = kind.use.exponent * kind.sigma
    if math.isfinite(kind.budget_tokens) and rise > 0:
        first = float(sum(tokens_per_attempt(kind.median_min, kind.use)))
        jumps = np.log(kind.budget_tokens / (first * np.arange(1, kind.attempts + 1))) / rise
        ends = np.unique(np.clip([-FAR, *jumps, FAR], -FAR, FAR))
        at, share = np.polynomial.legendre.leggauss(NODES)
        half = np.diff(ends)[:, None] / 2.0
        z = (ends[:-1, None] + half * (1.0 + at)).ravel()
        weight = (half * share).ravel() * np.exp(-0.5 * z * z)
        weight = weight / weight.sum()
    minutes = kind.median_min * np.exp(kind.sigma * z)
    return z, weight, attempts_within(minutes, kind.attempts, kind.budget_tokens, kind.use)


def check(inputs: AgentsInputs) -> None:
    """Raise InputError with all problems of the inputs."""
    found: list[Problem] = []

    def want(ok: bool, key: str, value: object, allowed: str) -> None:
        if not ok:
            found.append(Problem("", key, f"found {value!r}", allowed))

    x = np.asarray(inputs.log2_margin)
    want(
        x.ndim == 1 and x.size > 1 and bool((np.diff(x) > 0).all()),
        "agents.log2_margin",
        x,
        "at least two rising numbers",
    )
    for kind in inputs.kinds:
        found += problems_of(kind)
    if found:
        raise InputError(found)


def problems_of(kind: AgentKind) -> list[Problem]:
    """What is out of range in a kind."""
    shares = ("rho", "specificity", "verifier_rho", "acceptance")
    bounds: dict[str, tuple[bool, str]] = {
        "median_min": (kind.median_min > 0, "above 0 minutes"),
        "sigma": (0 <= kind.sigma <= 4, "0 to 4"),
        "slope": (0 < kind.slope <= 3, "above 0, at most 3"),
        "attempts": (1 <= kind.attempts <= 100, "1 to 100"),
        "sensitivity": (0 < kind.sensitivity <= 1, "above 0 to 1"),
        "horizon_multiplier": (kind.horizon_multiplier > 0, "above 0"),
        "slip": (0 <= kind.slip < 1, "0 to below 1"),
        "family_sd": (0 <= kind.family_sd <= 10, "0 to 10 logits"),
        "budget_tokens": (kind.budget_tokens > 0, "above 0"),
    } | {name: (0 <= getattr(kind, name) <= 1, "0 to 1") for name in shares}
    return [
        Problem("", f"agents.{kind.name}.{name}", f"found {getattr(kind, name)!r}", allowed)
        for name, (ok, allowed) in bounds.items()
        if not ok
    ]
