"""Success of each kind of work against capability: lengths, attempts and the verifier.

For a kind with median length M and lognormal sigma, at margin x = log2(p50 / M), a task's latent
success probability has the mean ``m(z) = sigmoid(b (x + log2 multiplier - sigma z / ln 2))`` with
z standard normal (Gauss-Hermite over z), and a Beta distribution with intra-task correlation rho
around it. An attempt passes the verifier with ``q = sensitivity p + (1 - specificity)(1 - p)``,
where the two error rates are Beta-distributed over tasks too; after n attempts without a pass the
task has failed. With ``E[p^i (1-p)^j]`` in closed form the results are finite sums of positive
terms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.contracts.curves import AgentsCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.agents.horizon import sigmoid

Array = NDArray[np.float64]
NODES = 96
"""Gauss-Hermite nodes: enough for sigma x slope up to 3 at 1e-5."""


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


def default_margins() -> Array:
    """[x] log2 margins of the curve: a task 2^12 times the horizon to one 2^20 times shorter."""
    return np.arange(-12.0, 20.25, 0.25)


@dataclass(frozen=True, slots=True)
class AgentsInputs:
    """The kinds, and the grid of capability on which they are characterised."""

    kinds: tuple[AgentKind, ...]
    log2_margin: Array = field(default_factory=default_margins)
    """[x] log2 (p50 horizon / median length), rising."""


def beta_moment(mean: ArrayLike, rho: float, i: int, j: int) -> Array:
    """E[p^i (1-p)^j] of a Beta distribution with this mean and intra-class correlation `rho`.

    Shape of `mean`. rho = 0 is independence (p is certain), rho = 1 means all or nothing.
    """
    m = np.asarray(mean, dtype=np.float64)
    rho = min(rho, 1.0 - 1e-12)  # the limit itself is 0/0
    out = np.ones_like(m)
    for k in range(i):
        out = out * (m * (1.0 - rho) + k * rho)
    for k in range(j):
        out = out * ((1.0 - m) * (1.0 - rho) + k * rho)
    scale = math.prod(1.0 - rho + k * rho for k in range(i + j))
    return out / scale


def all_pass(pass_1: ArrayLike, rho: ArrayLike, k: int) -> Array:
    """Share of tasks of which k attempts all succeed (tau-bench's pass^k). Arguments broadcast."""
    p, r = np.broadcast_arrays(np.asarray(pass_1, np.float64), np.asarray(rho, np.float64))
    out = np.ones(p.shape)
    for n in range(k):
        out = out * (p * (1.0 - r) + n * r) / (1.0 - r + n * r)
    return out


def rho_from_passes(pass_1: ArrayLike, pass_2: ArrayLike) -> Array:
    """Intra-task correlation by moments, from pass^1 and pass^2 (shares). 0 where p is 0 or 1."""
    p1, p2 = np.asarray(pass_1, np.float64), np.asarray(pass_2, np.float64)
    spread = p1 * (1.0 - p1)
    rho = np.divide(p2 - p1 * p1, spread, out=np.zeros(np.shape(spread)), where=spread > 0)
    return np.clip(rho, 0.0, 1.0 - 1e-12)


def retry_outcome(
    p: ArrayLike,
    rho: float,
    attempts: int,
    sensitivity: float,
    specificity: float,
    verifier_rho: float = 0.5,
) -> tuple[Array, Array, Array]:
    """(passed, correct, mean attempts) of tasks with mean success `p`, each with its shape.

    `passed` is the share that the verifier passes within `attempts`, `correct` the share of those
    that are right (1 where nothing passes). Each task draws its own success probability and its
    own verdict errors from Beta distributions; given these, attempts are independent.
    """
    m = np.asarray(p, dtype=np.float64)
    right, tried, missed = np.zeros_like(m), np.zeros_like(m), np.ones_like(m)
    for k in range(attempts + 1):
        # The k attempts before all missed: j of them right and not recognised, k - j wrong and
        # stopped. The next one is then right and recognised.
        missed, next_right = np.zeros_like(m), np.zeros_like(m)
        for j in range(k + 1):
            stopped = math.comb(k, j) * float(beta_moment(specificity, verifier_rho, k - j, 0))
            overlooked = stopped * float(beta_moment(1.0 - sensitivity, verifier_rho, j, 0))
            recognised = stopped * float(beta_moment(1.0 - sensitivity, verifier_rho, j, 1))
            missed = missed + overlooked * beta_moment(m, rho, j, k - j)
            next_right = next_right + recognised * beta_moment(m, rho, j + 1, k - j)
        if k < attempts:
            tried, right = tried + missed, right + next_right
    passed = np.clip(1.0 - missed, right, 1.0)
    correct = np.divide(right, passed, out=np.ones_like(m), where=passed > 0.0)
    return passed, correct, tried


def characterise(inputs: AgentsInputs) -> AgentsCurve:
    """Success, correctness and attempts of each kind [kind, x] against log2 margin [x].

    Success counts tasks, not minutes: within a kind the short tasks are the ones that succeed.
    Raises InputError that lists every value out of range.
    """
    check(inputs)
    x = np.asarray(inputs.log2_margin, dtype=np.float64)
    z, weight = np.polynomial.hermite_e.hermegauss(NODES)
    weight = weight / weight.sum()
    shape = (len(inputs.kinds), x.size)
    success, correct, attempts = np.empty(shape), np.empty(shape), np.empty(shape)
    for row, kind in enumerate(inputs.kinds):
        shift = math.log2(kind.horizon_multiplier) - kind.sigma * z / math.log(2.0)
        mean = sigmoid(kind.slope * (x[:, None] + shift[None, :]))
        passed, right_of_passed, tried = retry_outcome(
            mean,
            kind.rho,
            kind.attempts,
            kind.sensitivity,
            kind.specificity,
            kind.verifier_rho,
        )
        success[row] = passed @ weight
        right = (passed * right_of_passed) @ weight
        correct[row] = np.divide(right, success[row], out=np.ones(x.size), where=success[row] > 0)
        attempts[row] = tried @ weight
    return AgentsCurve(x.copy(), success, correct, attempts)


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
        at = f"agents.{kind.name}"
        want(kind.median_min > 0, f"{at}.median_min", kind.median_min, "above 0 minutes")
        want(0 <= kind.sigma <= 4, f"{at}.sigma", kind.sigma, "0 to 4")
        want(0 < kind.slope <= 3, f"{at}.slope", kind.slope, "above 0, at most 3")
        want(0 <= kind.rho <= 1, f"{at}.rho", kind.rho, "0 to 1")
        want(1 <= kind.attempts <= 100, f"{at}.attempts", kind.attempts, "1 to 100")
        want(0 < kind.sensitivity <= 1, f"{at}.sensitivity", kind.sensitivity, "above 0 to 1")
        want(0 <= kind.verifier_rho <= 1, f"{at}.verifier_rho", kind.verifier_rho, "0 to 1")
        want(0 <= kind.specificity <= 1, f"{at}.specificity", kind.specificity, "0 to 1")
        want(
            kind.horizon_multiplier > 0,
            f"{at}.horizon_multiplier",
            kind.horizon_multiplier,
            "above 0",
        )
    if found:
        raise InputError(found)


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Tokens of one attempt against the task's length: ``T = tokens_at_60 (h / 60)^exponent``."""

    tokens_at_60: float = 1.1e6
    """Tokens of an attempt at a coding task of 60 human minutes: the geometric middle of 0.25 to
    5 million (HAL, arXiv 2510.11977, and SWE-bench runs by their cost)."""
    exponent: float = 1.0
    """Growth with length. Low confidence; 0.5 to 1.2 is plausible."""
    input_share: float = 0.994
    """Input of all tokens (1,289 coding requests, 100.9 M tokens: openclawradar.com)."""
    cached_share: float = 0.84
    """Prefix-cache hits of the input (same source)."""


def tokens_per_attempt(
    minutes: ArrayLike, use: TokenUse = TokenUse()
) -> tuple[Array, Array, Array]:
    """(computed input, cached input, output) tokens of one attempt at tasks of `minutes`."""
    h = np.asarray(minutes, dtype=np.float64)
    return _split(use.tokens_at_60 * (h / 60.0) ** use.exponent, use)


def mean_tokens_per_attempt(
    median_min: ArrayLike, sigma: ArrayLike, use: TokenUse = TokenUse()
) -> tuple[Array, Array, Array]:
    """The same, averaged over lognormal lengths: a power of a lognormal is lognormal."""
    h, s = np.asarray(median_min, dtype=np.float64), np.asarray(sigma, dtype=np.float64)
    mean = (h / 60.0) ** use.exponent * np.exp(0.5 * (use.exponent * s) ** 2)
    return _split(use.tokens_at_60 * mean, use)


def _split(total: Array, use: TokenUse) -> tuple[Array, Array, Array]:
    prompt = total * use.input_share
    cached = prompt * use.cached_share
    return prompt - cached, cached, total - prompt
