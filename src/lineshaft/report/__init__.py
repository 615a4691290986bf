"""A run becomes one HTML file that opens offline: what happened, for a person who looks.

The page holds its data as JSON, its style and its script, and Apache ECharts to draw with; it
loads nothing. Every chart has its table by year and its figures as CSV. The same run gives the
same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
    from lineshaft.line import Outcome

__all__ = ["write_report"]


def write_report(path: Path, info: Mapping[str, Any], outcome: Outcome, curves: Curves) -> None:
    """Write the report of a run to `path`. `info` is what run.json says, `binding` included."""
    from lineshaft.report.page import render

    path.write_text(render(info, outcome, curves), "utf-8", newline="\n")
