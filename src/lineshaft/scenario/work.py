"""What is usual for each class of work: the defaults of `[[agents.kind]]`, each with its source.

A class lists what it knows; the rest is that of `coder`. Values without a public source are
estimates and say so: replace them with measurements of your own work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Work = Literal["coder", "inventory", "planner", "support", "arm", "mobile robot", "drone", "tokens"]
EMBODIED: tuple[str, ...] = ("arm", "mobile robot", "drone")
"""Classes whose agents are robots: how fast and how well is asked of `[[floor.robots]]`."""

_GUESS = "estimate, no public source"


@dataclass(frozen=True, slots=True)
class Usual:
    """A default as a person would write it, and where it comes from."""

    value: Any
    source: str = _GUESS
    confidence: str = "low"


WORK: dict[str, dict[str, Usual]] = {
    "coder": {
        "market_tasks_per_day": Usual("2 M to 20 M tasks"),
        "market_growth_per_year": Usual("0.02 to 0.15"),
        "adoption": Usual({}),
        "human_minutes": Usual(
            "30 min to 120 min", "around 60 minutes, where published token counts are anchored"
        ),
        "sigma": Usual(1.0),
        "deployment": Usual(
            "0.16 to 1",
            "METR 2026-03: 8 minutes where maintainers judge, 50 where tests do",
            "medium",
        ),
        "least_success": Usual(
            0.3, "agents of whose pull requests 35 % are merged are in use (AIDev, Li et al. 2025)"
        ),
        "attempts": Usual(3),
        "sensitivity": Usual(0.95),
        "tokens_per_hour_task": Usual(
            "0.25 Mtok to 5 Mtok",
            "HAL (arXiv 2510.11977): 115 thousand tokens and 1.84 USD per rollout; "
            "SWE-bench mini there 7.8 to 36 USD per task",
            "medium",
        ),
        "token_exponent": Usual({"dist": "normal", "mean": 1.0, "sd": 0.15}),
        "input_share": Usual(
            0.994, "openclawradar.com: 1,289 coding requests, 100.9 M tokens", "medium"
        ),
        "cached_share": Usual(
            0.84, "openclawradar.com: 1,289 coding requests, 100.9 M tokens", "medium"
        ),
        "tokens_per_call": Usual(
            78_300, "openclawradar.com: 1,289 coding requests, 100.9 M tokens", "medium"
        ),
        "tool_s": Usual("1 min to 15 min"),
        "review_minutes": Usual(
            "6 min to 30 min",
            "METR trial 2025: 15 minutes of work after review per task with AI, 7 without",
        ),
        "steer_minutes": Usual(0),
        "verified": Usual(0.3),
        "price_share": Usual("3 % to 30 %"),
        "price_decline_per_year": Usual("5 % to 30 %"),
        "human": Usual("software developer", "catalog, wages", "medium"),
        "escape_usd": Usual("50 to 1000"),
        "load": Usual("office"),
    },
    "inventory": {
        "market_tasks_per_day": Usual("0.3 M to 3 M tasks"),
        "human_minutes": Usual("5 min to 20 min"),
        "sigma": Usual(0.8),
        "deployment": Usual("0.3 to 1"),
        "attempts": Usual(2),
        "tool_s": Usual("10 s to 60 s"),
        "review_minutes": Usual("1 min to 4 min"),
        "verified": Usual(0.8),
        "human": Usual("all occupations", "catalog, wages", "medium"),
        "escape_usd": Usual("10 to 200"),
        "load": Usual("two-shift"),
    },
    "planner": {
        "market_tasks_per_day": Usual("0.1 M to 1 M tasks"),
        "human_minutes": Usual("60 min to 240 min"),
        "deployment": Usual("0.16 to 1", "as for coding: METR 2026-03"),
        "review_minutes": Usual("10 min to 40 min"),
        "verified": Usual(0.1),
        "human": Usual("professional", "catalog, wages", "medium"),
        "escape_usd": Usual("100 to 5000"),
    },
    "support": {
        "market_tasks_per_day": Usual(
            "30 M to 300 M tasks", "2.8 M representatives in the US (BLS) at some 40 contacts a day"
        ),
        "human_minutes": Usual("4 min to 15 min"),
        "sigma": Usual(0.8),
        "deployment": Usual(
            "1 to 9.5",
            "Anthropic Economic Index: 50 % success at 19 h in chat, 2 h at METR",
            "medium",
        ),
        "tool_s": Usual("2 s to 20 s"),
        "review_minutes": Usual("1 min to 5 min"),
        "price_usd": Usual(
            "0.7 to 2", "Intercom: 0.99 USD per resolution (help article 8205718)", "medium"
        ),
        "human": Usual("all occupations", "catalog, wages", "medium"),
        "escape_usd": Usual("2 to 50"),
        "load": Usual("evening"),
    },
    "arm": {
        "market_tasks_per_day": Usual(
            38e6,
            "Amazon stows 14 billion items a year by hand: IEEE Spectrum via hyper.ai",
            "medium",
        ),
        "human_minutes": Usual(
            60 / 243, "Amazon Vulcan: people stow 243 units/h at the same site", "medium"
        ),
        "sigma": Usual(0.3),
        "deployment": Usual("0.3 to 3"),
        "least_success": Usual(0.5),
        "attempts": Usual(1),
        "sensitivity": Usual(1.0, "what sensors miss is in the success of the robots' skills"),
        "tokens_per_attempt": Usual("10 to 200"),
        "tokens_per_call": Usual(4_000),
        "tool_s": Usual(0),
        "review_minutes": Usual(0.25),
        "verified": Usual(1.0),
        "price_share": Usual("50 % to 100 %"),
        "price_decline_per_year": Usual("1 % to 5 %"),
        "human": Usual("all occupations", "catalog, wages", "medium"),
        "escape_usd": Usual("1 to 30"),
        "load": Usual("two-shift"),
    },
    "mobile robot": {
        "market_tasks_per_day": Usual("10 M to 100 M tasks"),
        "human_minutes": Usual("1 min to 4 min"),
        "sigma": Usual(0.4),
        "deployment": Usual("0.3 to 3"),
        "least_success": Usual(0.5),
        "attempts": Usual(1),
        "sensitivity": Usual(1.0, "what sensors miss is in the success of the robots' skills"),
        "tokens_per_attempt": Usual("10 to 200"),
        "tokens_per_call": Usual(4_000),
        "tool_s": Usual(0),
        "review_minutes": Usual(0.25),
        "verified": Usual(1.0),
        "price_share": Usual("30 % to 100 %"),
        "price_decline_per_year": Usual("1 % to 5 %"),
        "human": Usual("all occupations", "catalog, wages", "medium"),
        "escape_usd": Usual("1 to 30"),
        "load": Usual("two-shift"),
    },
    "drone": {
        "market_tasks_per_day": Usual("0.3 M to 3 M tasks"),
        "human_minutes": Usual(
            4.8, "a van's 100 stops (McKinsey via WSJ 2024-06-07) in a day of 8 hours"
        ),
        "sigma": Usual(0.4),
        "deployment": Usual("0.3 to 3"),
        "least_success": Usual(0.5),
        "attempts": Usual(1),
        "sensitivity": Usual(1.0, "what sensors miss is in the success of the robots' skills"),
        "tokens_per_attempt": Usual("500 to 5000"),
        "tokens_per_call": Usual(4_000),
        "tool_s": Usual(0),
        "review_minutes": Usual(1),
        "verified": Usual(1.0),
        "price_usd": Usual("2 to 8"),
        "price_decline_per_year": Usual("1 % to 5 %"),
        "human": Usual("all occupations", "catalog, wages", "medium"),
        "escape_usd": Usual("10 to 300"),
        "load": Usual("two-shift"),
    },
    "tokens": {
        "market_tasks_per_day": Usual(
            "100 M to 1000 M tasks", "DeepSeek's day of 776 billion tokens at 1,366 a request"
        ),
        "human_minutes": Usual(1),
        "sigma": Usual(0.0),
        "deployment": Usual(1.0, "not used: a request is no task", "high"),
        "least_success": Usual(0.0, "not used: a request is no task", "high"),
        "attempts": Usual(1),
        "sensitivity": Usual(1.0, "what sensors miss is in the success of the robots' skills"),
        "tokens_per_attempt": Usual(
            1_366, "Azure LLM inference trace 2023, conversation: 1,155 in, 211 out", "high"
        ),
        "input_share": Usual(0.8455, "Azure LLM inference trace 2023, conversation", "high"),
        "cached_share": Usual(
            0.563, "DeepSeek open-infra-index, day 6: 342 of 608 billion input tokens", "high"
        ),
        "calls_per_attempt": Usual(1, "a request is one call", "high"),
        "tool_s": Usual(0),
        "review_minutes": Usual(0),
        "verified": Usual(0.0),
        "price_row": Usual("DeepSeek R1", "catalog, prices", "high"),
        "human": Usual("all occupations", "catalog, wages", "medium"),
        "escape_usd": Usual(0),
        "load": Usual("evening"),
    },
}
"""What is usual by class of work and field of `[[agents.kind]]`."""


def usual(work: str, field: str) -> Usual:
    """What is usual for a field in a class of work; KeyError where no class says anything."""
    of_class = WORK.get(work, {})
    return of_class[field] if field in of_class else WORK["coder"][field]


def usual_of(work: str) -> dict[str, Usual]:
    """All that is usual in a class of work."""
    return WORK["coder"] | WORK.get(work, {})
