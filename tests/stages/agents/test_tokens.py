"""Tokens turn by turn against a loop, budgets, wall time, and cost with a human behind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.stages.agents import (
    TokenPrice,
    TokenUse,
    TurnUse,
    attempt_wall_s,
    attempts_within,
    cost_with_fallback_usd,
    fallback_cost_ratio,
    success_probability,
    tokens_per_attempt,
    turn_tokens,
)


def turn_by_turn(turns: int, use: TurnUse) -> tuple[float, float, float]:
    """The same by going through the turns."""
    growth = use.output_tokens + use.result_tokens
    context, known, prompt, cached = use.first_tokens, 0.0, 0.0, 0.0
    for turn in range(turns):
        if turn and context > use.window_tokens and known > use.first_tokens:
            context, known = use.first_tokens + use.summary_tokens, use.first_tokens
        prompt += context
        cached += use.hit_share * known
        known, context = context, context + growth
    return prompt - cached, cached, turns * use.output_tokens


@given(
    st.integers(0, 200),
    st.floats(1e3, 2e4),
    st.floats(100, 1e4),
    st.sampled_from([5e4, 1.3e5, 2e5, math.inf]),
    st.floats(0, 2e4),
)
@settings(max_examples=60)
def test_turns_in_closed_form_are_those_of_the_loop(
    turns: int, first: float, result: float, window: float, summary: float
) -> None:
    use = TurnUse(first, 400, result, window, summary, 0.9)
    told = [float(part) for part in turn_tokens(turns, use)]
    assert told == pytest.approx(turn_by_turn(turns, use), rel=1e-9, abs=1e-6)


def test_prompts_grow_with_the_square_of_turns_and_then_linearly() -> None:
    def prompt(turns: float) -> float:
        computed, cached, _ = turn_tokens(turns)
        return float(computed + cached)

    assert prompt(16) / prompt(8) > 3.0
    assert prompt(2000) / prompt(1000) == pytest.approx(2.0, rel=0.02)


def test_the_power_law_and_the_turns_tell_the_same_of_an_hour() -> None:
    law = tokens_per_attempt(60.0)
    turns = turn_tokens(14)
    for ours, theirs in zip(turns, law, strict=True):
        assert float(ours) == pytest.approx(float(theirs), rel=0.12)


def test_a_budget_allows_whole_attempts() -> None:
    use = TokenUse(1e6, 1.0)
    minutes = [30.0, 60.0, 120.0, 240.0]
    assert attempts_within(minutes, 3, 2e6, use).tolist() == [3, 2, 1, 0]
    assert attempts_within(minutes, 3, use=use).tolist() == [3, 3, 3, 3]
    price = TokenPrice(1.0, 1.0, 1.0)  # a dollar per million tokens: the same limits
    assert attempts_within(minutes, 3, use=use, budget_usd=2.0, price=price).tolist() == [
        3,
        2,
        1,
        0,
    ]


def test_wall_time_is_prompts_answers_and_tools() -> None:
    assert attempt_wall_s(10, 500, 2.0, 0.02, 60.0) == pytest.approx(20 + 10 + 60)


def test_a_human_behind_costs_what_agents_leave() -> None:
    assert cost_with_fallback_usd(1.0, 0.75, 60.0, 40.0) == pytest.approx(11.0)


@given(st.floats(1.0, 500.0), st.floats(0.3, 0.9))
def test_the_ratio_is_between_the_ends_of_the_range(p50: float, slope: float) -> None:
    ratio = fallback_cost_ratio(p50, slope, 16.0, 256.0)
    short, long = 1.0 - success_probability([16.0, 256.0], p50, slope)
    assert short <= ratio <= long
    assert fallback_cost_ratio(p50, slope, 16.0, 256.0, 0.1) == pytest.approx(ratio + 0.1)


def test_a_range_of_lengths_is_the_integral() -> None:
    grid = np.exp2(np.linspace(4, 8, 100_001))
    p = success_probability(grid, 56.0, 0.6)
    wanted = 1.0 - np.trapezoid(p * grid, np.log2(grid)) / np.trapezoid(grid, np.log2(grid))
    assert fallback_cost_ratio(56.0, 0.6, 16.0, 256.0) == pytest.approx(wanted, abs=1e-4)
