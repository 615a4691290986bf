"""The one list of reasons that can limit what is done, in the order of the line.

A reason is an int8 code, the same in every table, in the ribbon of the report and in `binding`
columns. Ties go to the leftmost, which is the smallest code. Trades, parts and roles are named.
"""

from __future__ import annotations

from typing import Any

from lineshaft.tables import column

NAMES: tuple[str, ...] = (
    "none",
    # capital
    "funds",
    # build: release dates, trades, long-lead parts
    "permit",
    "grid",
    "trade: concrete",
    "trade: steel",
    "trade: electrical",
    "trade: pipe",
    "trade: hvac",
    "trade: other",
    "part: transformer",
    "part: switchgear",
    "part: genset",
    "part: ups",
    "part: chiller",
    "part: cdu",
    "part: optics",
    "construction",
    "chips",
    "power",
    "water",
    # agents, serve, floor, oversee
    "capability",
    "seats",
    "robots",
    "tokens",
    "people: reviewer",
    "people: operator",
    "demand",
)
"""Reason names; the index is the code. `construction` is work that waits for nothing but time."""

CODE: dict[str, int] = {name: code for code, name in enumerate(NAMES)}
"""Code of each reason name."""

TRADES: tuple[str, ...] = ("concrete", "steel", "electrical", "pipe", "hvac", "other")
"""The trades, in the order of the crew axis."""

ROLES: tuple[str, ...] = ("reviewer", "operator")
"""The human roles that oversee work, in the order of the role axis: reviewers judge finished
work, operators intervene in work under way."""


def reason(meaning: str) -> Any:
    """A column of reason codes."""
    return column("reason", meaning, "int8", NAMES)
