"""One reading of a log: all that a report, a comparison or a calibration needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from lineshaft.meter.definition import Definition
from lineshaft.meter.events import Faults
from lineshaft.meter.measures import Agents, Ints, Measures

STATUS = ("provisional", "final")


@dataclass(frozen=True, slots=True)
class Restatement:
    """A closed figure that later events changed."""

    day: int
    """Day number since 1970-01-01."""
    grade: str
    """a, b or c."""
    closed: int
    """DAA of the day as it was closed."""
    restated: int
    """DAA of the day with all that has arrived since."""
    at_us: int
    """Arrival of the last event that changed it, microseconds UTC."""
    late_events: int
    """Events that arrived after the close and changed a task of the day."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the accepted tasks of grade C a source states, and of tasks in all."""

    root_tasks: int
    """Root tasks seen."""
    decided: int
    """Of them: with any acceptance, rejection, failure, cancellation or expiry."""
    ineligible: int
    """Accepted in grade C, but below the least value and length, or without either."""
    circular: int
    """Accepted in grade C, but asked for by its own agent or its delegates."""
    reverted: int
    """Acceptances that did not stand."""
    accepted: int
    """Eligible, accepted in grade C: the base of the shares below."""
    with_method: int
    """Accepted by something else than self-report."""
    with_value: int
    with_human_equiv: int
    with_cost: int
    with_human_time: int
    """Tasks of which some event states human seconds (0 counts as stated)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter read from a log under a definition."""

    definition: Definition
    path: str
    sources: dict[str, int]
    """Events by `src`."""
    events: int
    """Events that count: received, less replays and rows set aside."""
    received: int
    first_us: int
    last_us: int
    """First and last `ts`, microseconds UTC."""
    as_of_us: int
    """The moment for which this is said: the last arrival in the log, unless stated."""
    agents: Agents
    measures: Measures
    status: tuple[str, ...]
    """[day] provisional or final."""
    loss: float
    """Share of events expected to arrive after a day's close, from the days long past."""
    closed: Ints
    """[3, day] DAA-A, B, C as closed; -1 for provisional days."""
    restatements: tuple[Restatement, ...] = ()
    coverage: Coverage = field(default_factory=lambda: Coverage(*(0,) * 11))
    faults: Faults = field(default_factory=Faults)
    assumed: tuple[str, ...] = ()
    """What was assumed for the source's gaps, one sentence each."""

    @property
    def completeness(self) -> float:
        """One less the faults by received event, at least 0; 1 for an empty log."""
        faulty = sum(n for what, n in self.faults.counts.items() if what != "replay")
        return 1.0 - min(faulty, self.received) / self.received if self.received else 1.0
