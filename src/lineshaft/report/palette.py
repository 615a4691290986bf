"""The report's colours: one quiet set for rows, one fixed colour for every reason."""

from __future__ import annotations

from lineshaft.contracts.reasons import NAMES

SERIES = (
    "#3a6a9c",
    "#d6953f",
    "#5d9670",
    "#a8586c",
    "#8174b0",
    "#4c9ca6",
    "#b9a04e",
    "#8d5f45",
    "#6c7d91",
    "#cf7f72",
)
"""Rows of a chart, in their order."""

STATES = {
    "busy": "#3a6a9c",
    "headroom": "#9dbbd8",
    "training": "#8174b0",
    "leased": "#5d9670",
    "broken": "#a8586c",
    "empty": "#dfe4ea",
    "stored": "#b3a58c",
}
"""Accelerators: work in strong colours, waiting in pale ones."""

ENERGY = {
    "IT": "#3a6a9c",
    "losses": "#cf7f72",
    "cooling": "#4c9ca6",
    "robots": "#d6953f",
    "other": "#a9b3bf",
}

COSTS = {
    "tokens": "#3a6a9c",
    "robots": "#d6953f",
    "people": "#a8586c",
    "escapes": "#6c7d91",
}

FIRM = {
    "tasks": "#3a6a9c",
    "tokens": "#4c9ca6",
    "leases": "#5d9670",
    "take-or-pay": "#b9a04e",
    "accelerators": "#8174b0",
    "construction": "#8d5f45",
    "robots": "#d6953f",
    "energy": "#cf7f72",
    "reviewers and operators": "#a8586c",
    "staff": "#6c7d91",
    "rented compute": "#4c9ca6",
    "maintenance": "#b9a04e",
    "escapes": "#a9b3bf",
}
"""Lines of revenue and cost, the same colour wherever they come up."""

FLOWS = {
    "grid": "#8894a1",
    "site": "#b3a58c",
    "tenants": "#8d5f45",
    "cash": "#9dbbd8",
    "equity": "#5d9670",
    "debt": "#b9a04e",
    "owed": "#c9ced6",
    "lack": "#b0413e",
    "firm": "#4f5d73",
    "opex": "#a8586c",
    "capex": "#8174b0",
    "interest": "#d6b656",
    "tax": "#8d5f45",
}
"""Nodes of the flows that are no line of revenue or cost."""

PARTS = {
    "accelerators and halls": "#8174b0",
    "energy": "#cf7f72",
    "upkeep": "#b9a04e",
    "site staff": "#6c7d91",
    "rented accelerators": "#4c9ca6",
    "tokens bought": "#3a6a9c",
    "robots": "#d6953f",
    "people": "#a8586c",
    "escapes": "#a9b3bf",
}
"""What the full cost of a task is made of."""

TOTAL = "#3a6a9c"
FITTED, UNSEEN = "#a9b3bf", "#3a6a9c"
"""Rows that a coefficient saw, and rows that none saw."""
LOW, HIGH = "#d6953f", "#3a6a9c"
"""The lower and the upper end of an input."""

_REASONS = {
    "none": "#f3f5f7",
    "funds": "#c9a227",
    "permit": "#8a6f5a",
    "grid": "#5b4a3f",
    "trade: concrete": "#a3a86a",
    "trade: steel": "#3d6b57",
    "trade: electrical": "#4fa56b",
    "trade: pipe": "#8cc7a1",
    "trade: hvac": "#2f9c8f",
    "trade: other": "#c7d3b4",
    "part: transformer": "#6a5a9c",
    "part: switchgear": "#8174b0",
    "part: genset": "#9a8cc4",
    "part: ups": "#b0a4d3",
    "part: chiller": "#7f86b8",
    "part: cdu": "#a3a8d0",
    "part: optics": "#c3b8dd",
    "construction": "#cdd5de",
    "chips": "#4f5d73",
    "power": "#d98a3d",
    "water": "#58a6c9",
    "capability": "#7a4f8f",
    "seats": "#3a6a9c",
    "robots": "#2f8f93",
    "tokens": "#cf6a4c",
    "people: reviewer": "#b2425f",
    "people: operator": "#d58aa0",
    "demand": "#bcd3c2",
}
REASONS: tuple[str, ...] = tuple(_REASONS[name] for name in NAMES)
"""Colour of each reason code: trades are green, parts violet, people red."""


def ink(colour: str) -> str:
    """Black or white, whichever is read better on `colour` (WCAG relative luminance)."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return "#ffffff" if 0.2126 * r + 0.7152 * g + 0.0722 * b < 0.3 else "#1d2733"
