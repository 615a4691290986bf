"""Fleet accounting of a day: revenue, nodes and cost from token counts and node throughputs."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class FleetDay:
    """A day's tokens, throughputs of prefill and decode nodes, and prices."""

    cached_tokens: float
    """Prompt tokens from the prefix cache."""
    input_tokens: float
    """Prompt tokens computed (cache misses)."""
    output_tokens: float
    prefill_tokens_per_s_node: float
    """Prompt tokens, cached ones included, that one prefill node takes in."""
    decode_tokens_per_s_node: float
    cached_usd_per_token: float
    input_usd_per_token: float
    output_usd_per_token: float
    accelerators_per_node: int
    accelerator_usd_per_hour: float


def revenue_usd(day: FleetDay) -> float:
    """What the day's tokens bring at list prices."""
    return (
        day.cached_tokens * day.cached_usd_per_token
        + day.input_tokens * day.input_usd_per_token
        + day.output_tokens * day.output_usd_per_token
    )


def nodes(day: FleetDay) -> tuple[float, float]:
    """Mean prefill and decode nodes that the day's tokens keep busy."""
    prompts = day.cached_tokens + day.input_tokens
    return (
        prompts / DAY_S / day.prefill_tokens_per_s_node,
        day.output_tokens / DAY_S / day.decode_tokens_per_s_node,
    )


def cost_usd(day: FleetDay, mean_nodes: float) -> float:
    """Rent of `mean_nodes` nodes over the day."""
    return mean_nodes * day.accelerators_per_node * DAY_S / 3600 * day.accelerator_usd_per_hour


DEEPSEEK_DAY = FleetDay(
    cached_tokens=342e9,
    input_tokens=266e9,
    output_tokens=168e9,
    prefill_tokens_per_s_node=73_700,
    decode_tokens_per_s_node=14_800,
    cached_usd_per_token=0.14e-6,
    input_usd_per_token=0.55e-6,
    output_usd_per_token=2.19e-6,
    accelerators_per_node=8,
    accelerator_usd_per_hour=2.0,
)
"""DeepSeek V3/R1 in production, 2025-02-27 to 02-28, all tokens at R1's prices. Source: DeepSeek
open-infra-index, Day 6 (github.com/deepseek-ai/open-infra-index, CC0)."""
