"""The twelve cases of DAA/1 as one set, which ships with the meter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lineshaft.meter import conform

SHIPPED = True


def found(folder: Path) -> bool:
    """The cases ship: none lies in a folder."""
    return False


def score(folder: Path | None, tell: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Cases, and how many of them the meter passes with all their checks."""
    tell("meter, the conformance suite")
    cases = conform.cases(conform.run())
    passed = sum(cases.values())
    return {"conformance": {"rows": len(cases), "passed": passed, "share": passed / len(cases)}}
