"""The meter: daily active agents (DAA) from real logs, by the standard DAA/1 (`docs/daa-1.md`).

    from lineshaft.meter import Definition, read_log
    reading = read_log("LOG", Definition(zone="Europe/Berlin"))

    adapters/       what sources say, as canonical events
    normal.py       any table as canonical events, and what is wrong with it
    events.py       the canonical event table, and what can be wrong with a row
    log.py          the log folder
    receive/        a receiver of live traces and messages that fills it
    outcomes.py     what became of tasks, from a table of its own
    settle.py       events to accepted tasks, closed days and restatements
    days.py         settled work to daily figures
    read.py         a log read under a definition
    definition.py   the numbers that a figure depends on, and their hash
    measures.py     settled work and the figures measured from it, as plain arrays
    reading.py      one reading of a log: what a report, a comparison, a calibration needs
    conform/        the conformance suite and the reference program

It knows nothing of scenarios: the same definitions judge a real log and a simulated month.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshaft.meter.definition import Definition
    from lineshaft.meter.events import Faults
    from lineshaft.meter.log import Log
    from lineshaft.meter.normal import normalise
    from lineshaft.meter.read import read as read_log
    from lineshaft.meter.reading import Reading

_WHERE = {
    "Definition": ("definition", "Definition"),
    "Faults": ("events", "Faults"),
    "Log": ("log", "Log"),
    "Reading": ("reading", "Reading"),
    "normalise": ("normal", "normalise"),
    "read_log": ("read", "read"),  # `read` is the module's name
}
"""Imported when first asked for: naming the meter must cost nothing."""


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(name)
    module, inside = _WHERE[name]
    return getattr(import_module(f"lineshaft.meter.{module}"), inside)


__all__ = ["Definition", "Faults", "Log", "Reading", "normalise", "read_log"]
