"""What stands for a curve or an engine in an explanation: its version, and how it was validated."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from functools import cache
from typing import Any

from lineshaft import __version__
from lineshaft.cache import engine_digest
from lineshaft.explain.node import Node
from lineshaft.line import LINE


def engine_node(name: str, called: str, asked: Callable[[], tuple[Node, ...]] = tuple) -> Node:
    """The node of `curve(name, …)` or `engine(name, …)`, with version and validation; `asked` makes
    the nodes of the keys that a curve was made with."""
    stage, _, what = name.partition(".")
    version = f"of {stage}: lineshaft {__version__}"
    if stage in LINE:
        version += f", engine {engine_digest(stage)[:8]}"
    return Node(
        f"{called} {what.replace('_', ' ')}", "engine", math.nan, "", "by",
        how="made from" if called == "curve" else "", meaning=version, stage=stage,
        written=validation(stage), grow=asked,
    )  # fmt: skip


@cache
def validation(stage: str) -> str:
    """How the stage's engine scored against published measurements; "" where there are none."""
    rows = [row for row in _summary() if row["stage"] == stage and row["passed"] is not None]
    if not rows:
        return ""
    held = f"{sum(map(bool, (row['passed'] for row in rows)))} of {len(rows)} measurements held"
    unseen = [
        abs(float(row["error"]))
        for row in rows
        if row["kind"] == "unseen" and row["error"] is not None and not row.get("absolute")
    ]
    if not unseen:
        return held
    return f"{held}; median error {100 * statistics.median(unseen):.3g} % on {len(unseen)} unseen"


@cache
def _summary() -> tuple[dict[str, Any], ...]:
    """The shipped results of `lineshaft.measured`, none where there are none: no engine runs."""
    from lineshaft.measured import summary

    try:
        return tuple(summary())
    except OSError:
        return ()
