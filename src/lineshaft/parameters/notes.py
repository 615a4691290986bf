"""What a reader of the run must know besides the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineshaft.parameters.serve import serve_note
from lineshaft.parameters.value import circular_finance

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario


def notes(scenario: Scenario) -> tuple[str, ...]:
    """Notes on the run: what the trace stands for, and which stages have nothing to do."""
    found = [serve_note(scenario)]
    unused = {
        "build": not (scenario.build.phase or scenario.build.campus),
        "train": not scenario.train.run,
        "agents": not scenario.agents.kind,
        "serve": not scenario.serve.model,
        "floor": not scenario.floor.robots,
    }
    names = [stage for stage, empty in unused.items() if empty]
    if names:
        found.append(f"This scenario does not need {', '.join(names)}: those tables are empty.")
    circle = circular_finance(scenario)
    if circle:
        found.append(f"Money goes in a circle: {', '.join(circle)} invest and buy at once.")
    return tuple(note for note in found if note)
