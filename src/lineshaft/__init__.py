"""Lineshaft plans, simulates and meters the AI factory, from watts to worth.

    read(source)      a checked scenario: a file, TOML text, or the name of a shipped example
    solve(scenario)   ten years, month by month: tables, headline figures, bands
    record(scenario, folder)  the same, kept in a folder with its report
    Run.read(folder)  a run that the command line wrote

General layout: `line` joins the nine `stages`, which hand each other the tables of `contracts`;
`scenario` and `catalog` say what is asked and what is known, `parameters` turn both into plain
arrays; `runs`, `report` and `cli` show what came out. Names are imported when they are used, so
that `import lineshaft` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshaft.api import examples, read, record, solve
    from lineshaft.errors import ConservationError, InputError, LineshaftError, RunError
    from lineshaft.line import Outcome
    from lineshaft.runs import Run
    from lineshaft.scenario import Scenario

__version__ = "0.1.0"

__all__ = [
    "ConservationError",
    "InputError",
    "LineshaftError",
    "Outcome",
    "Run",
    "RunError",
    "Scenario",
    "examples",
    "read",
    "record",
    "solve",
]

_HOME = {
    "ConservationError": "errors",
    "InputError": "errors",
    "LineshaftError": "errors",
    "Outcome": "line",
    "Run": "runs",
    "RunError": "errors",
    "Scenario": "scenario",
    "examples": "api",
    "read": "api",
    "record": "api",
    "solve": "api",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'lineshaft' has no attribute '{name}'")
    return getattr(import_module(f"lineshaft.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
