"""Whole measured sets: many rows at once, scored by shares and medians instead of row by row.

A set is a file or a folder of recorded runs that somebody published; what ships are single facts
(`rows.py`), a set is read where it lies. Each stage that has sets names the functions that find
and score them in a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

SCORERS: dict[str, tuple[str, ...]] = {
    "serve": ("serve_points", "serve_runs"),
    "agents": ("agents_sets",),
    "oversee": ("oversee_sets",),
    "meter": ("meter_cases",),
}
"""Stage: modules of `models/` with a `found(folder)` and a `score(folder, tell)`."""

Score = Mapping[str, Any]
"""Of one set: `rows`, shares and errors as fractions; None where it has no such thing."""


@dataclass(frozen=True, slots=True)
class SetScore:
    """What the model gave on one measured set."""

    name: str
    stage: str
    score: Score


def scores(
    stage: str | None, folder: Path | None, tell: Callable[[str], None] | None = None
) -> tuple[SetScore, ...]:
    """The score of every set of the stage, or of all stages, that lies in `folder`; without one, of
    those that ship (modules that say `SHIPPED`).

    `tell` is told what is being scored.
    """
    found = []
    for one, module in _modules(stage):
        if folder is None and not getattr(module, "SHIPPED", False):
            continue
        result: dict[str, Score] = module.score(folder, tell or (lambda text: None))
        found += [SetScore(name, one, score) for name, score in result.items()]
    return tuple(found)


def holds_sets(folder: Path) -> bool:
    """Whether a set of any stage lies in `folder`."""
    return any(module.found(folder) for _, module in _modules(None))


def _modules(stage: str | None) -> list[tuple[str, Any]]:
    return [
        (one, import_module(f"lineshaft.measured.models.{name}"))
        for one, names in SCORERS.items()
        for name in names
        if stage in (None, one)
    ]
