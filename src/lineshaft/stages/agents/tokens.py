"""Tokens, turns and wall time of one attempt, and how many attempts a budget allows.

Two descriptions of the same thing. `TokenUse` is the power law ``T = tokens_at_60 (h/60)^exponent``
with measured shares. `TurnUse` says why: each turn sends the whole context again, the context grows
by what the model wrote and what the tool answered, and what was sent before comes from the prefix
cache. So an attempt's prompt tokens grow with the square of its turns until the window is full and
the context is summed up, and linearly from there on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """USD per million tokens of each class."""

    input_usd_per_mtok: float
    cached_usd_per_mtok: float
    output_usd_per_mtok: float

    def cost_usd(self, tokens: tuple[Array, Array, Array]) -> Array:
        """Price of (computed input, cached input, output) tokens."""
        computed, cached, output = tokens
        cost = (
            computed * self.input_usd_per_mtok
            + cached * self.cached_usd_per_mtok
            + output * self.output_usd_per_mtok
        )
        return np.asarray(cost / 1e6, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class TurnUse:
    """A turn: a prompt that grows, an answer, a tool's result.

    Output per turn, mean prompt (78 thousand tokens) and cached share (84 %) are those of 1,289
    coding requests (openclawradar.com). How long those sessions were is not told: first tokens and
    results are set so that 14 turns, what 1.1 million tokens make at 78 thousand each, give
    that mean, and the hit share so that they give the cached share. Low confidence each for itself.
    """

    first_tokens: float = 10_000
    """Prompt of the first turn: instructions, tools, the task."""
    output_tokens: float = 478
    """Written per turn."""
    result_tokens: float = 9_950
    """Added to the context by a turn's tools."""
    window_tokens: float = 200_000
    """Context at which it is summed up; infinite for never."""
    summary_tokens: float = 10_000
    """Added to the first tokens when it is."""
    hit_share: float = 0.98
    """Share of what was sent the turn before that the cache still has."""


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


def attempts_within(
    minutes: ArrayLike,
    attempts: int,
    budget_tokens: float = math.inf,
    use: TokenUse = TokenUse(),
    budget_usd: float = math.inf,
    price: TokenPrice | None = None,
) -> NDArray[np.int64]:
    """Attempts that count, tokens and dollars allow for tasks of `minutes`, shape of `minutes`.

    An attempt that the budget does not carry to its end is not begun: a task may get none.
    Dollars need a price; without one they do not bind.
    """
    parts = tokens_per_attempt(minutes, use)
    allowed = np.minimum(float(attempts), budget_tokens / sum(parts))
    if price is not None:
        allowed = np.minimum(allowed, budget_usd / np.maximum(price.cost_usd(parts), 1e-300))
    # a budget of exactly n attempts is n, whatever the last bit says
    return np.floor(allowed * (1.0 + 1e-12)).astype(np.int64)


def turn_tokens(turns: ArrayLike, use: TurnUse = TurnUse()) -> tuple[Array, Array, Array]:
    """(computed input, cached input, output) tokens of an attempt of so many turns, any shape."""
    n = np.asarray(turns, dtype=np.float64)
    growth = use.output_tokens + use.result_tokens
    restart = use.first_tokens + use.summary_tokens
    first_run = _turns_until_full(use.first_tokens, growth, use.window_tokens)
    later_run = _turns_until_full(restart, growth, use.window_tokens)
    opening = np.minimum(n, first_run)
    rest = n - opening
    full = np.floor(rest / later_run) if math.isfinite(later_run) else np.zeros_like(rest)
    tail = rest - np.where(full > 0, full * later_run if math.isfinite(later_run) else 0.0, 0.0)
    whole = _prompts(later_run, restart, growth) if math.isfinite(later_run) else 0.0
    prompt = _prompts(opening, use.first_tokens, growth)
    prompt = prompt + full * whole + _prompts(tail, restart, growth)
    # sent the turn before, and so perhaps in the cache: in a run all prompts but its last; after
    # a summary the first tokens are still the same
    last = use.first_tokens + growth * np.maximum(opening - 1.0, 0.0)
    known = _prompts(opening, use.first_tokens, growth) - np.where(opening > 0, last, 0.0)
    if math.isfinite(later_run):
        known = known + full * (whole - restart - growth * (later_run - 1.0) + use.first_tokens)
    last = restart + growth * np.maximum(tail - 1.0, 0.0)
    known = known + np.where(
        tail > 0, _prompts(tail, restart, growth) - last + use.first_tokens, 0.0
    )
    cached = use.hit_share * known
    return prompt - cached, cached, n * use.output_tokens


def attempt_wall_s(
    calls: ArrayLike,
    output_tokens: ArrayLike,
    ttft_s: ArrayLike,
    tpot_s: ArrayLike,
    tool_s: ArrayLike,
) -> Array:
    """Seconds of an attempt: the prompts of its calls, its answer token by token, its tools.

    `ttft_s` and `tpot_s` are serving's, at the load that it has. All arguments broadcast.
    """
    c, o, first, each, tools = (
        np.asarray(v, dtype=np.float64) for v in (calls, output_tokens, ttft_s, tpot_s, tool_s)
    )
    return np.asarray(c * first + o * each + tools)


def _turns_until_full(start: float, growth: float, window: float) -> float:
    """Turns whose prompt fits the window; at least one."""
    return max(1.0, math.floor((window - start) / growth) + 1.0) if window < math.inf else math.inf


def _prompts(turns: ArrayLike, start: float, growth: float) -> Array:
    """Sum of the prompts of `turns` turns that begin at `start` and grow each time."""
    n = np.asarray(turns, dtype=np.float64)
    return np.asarray(n * start + growth * n * np.maximum(n - 1.0, 0.0) / 2.0)


def _split(total: Array, use: TokenUse) -> tuple[Array, Array, Array]:
    prompt = total * use.input_share
    cached = prompt * use.cached_share
    return prompt - cached, cached, total - prompt
