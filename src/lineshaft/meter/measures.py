"""What stands between the log and the report: settled work, and the figures measured from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Days = NDArray[np.int32]

NEVER = np.iinfo(np.int32).min
"""The day of what has not happened."""


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents of a log; the dense number of an agent is its place here."""

    tenant: tuple[str, ...]
    agent_id: tuple[str, ...]
    embodied: NDArray[np.bool_]
    """[agent]"""


@dataclass(frozen=True, slots=True)
class Work:
    """Eligible root tasks that are accepted in some grade, one row each, in any order."""

    agent: NDArray[np.uint32]
    """[task] dense agent number of who did it."""
    day: Days
    """[3, task] local day (since 1970-01-01) of the first standing acceptance in grade A, B, C;
    NEVER where it is not accepted in that grade."""
    value_usd: Floats
    """[task] stated value; NaN where none is stated."""
    human_equiv_min: Floats
    """[task] NaN where not stated."""
    touches: NDArray[np.uint32]
    """[task] human touches up to the acceptance."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What agents used, by agent and local day of the event, failed work included. Sorted by
    (agent, day), each pair once."""

    agent: NDArray[np.uint32]
    day: Days
    events: Ints
    tokens_in: Ints
    tokens_out: Ints
    tokens_cached: Ints
    energy_j: Floats
    cost_usd: Floats
    human_s: Floats


@dataclass(frozen=True, slots=True)
class Settled:
    """A log resolved into tasks and effort."""

    agents: Agents
    work: Work
    effort: Effort


@dataclass(frozen=True, slots=True)
class Grade:
    """Daily figures of one grade of DAA, [day] unless said otherwise."""

    active: Ints
    """DAA: agents with an eligible task accepted on the day."""
    week: Ints
    """WAA: distinct agents in the trailing 7 days."""
    month: Ints
    """MAA: distinct agents in the trailing 28 days."""
    embodied: Ints
    """Of `active`: embodied agents."""
    new: Ints
    retained: Ints
    reactivated: Ints
    resurrected: Ints
    lost: Ints
    dormant: Ints
    """Active some day before, neither on this day nor on the one before."""
    accepted: Ints
    """Eligible root tasks accepted on the day."""
    untouched: Ints
    """Of `accepted`: without a human touch."""
    value_usd: Floats
    human_equiv_min: Floats
    unvalued: Ints
    """Of `accepted`: no value stated."""
    unmeasured: Ints
    """Of `accepted`: no human-equivalent minutes stated."""
    effective: Floats
    """eDAA by the day's accepted value per agent (stated value, or human-equivalent minutes where
    the definition values by wage)."""
    value_sum: Floats
    """[agent] value accepted over all days, the same measure as in `effective`."""
    active_days: Ints
    """[agent] days active in the `month_days` that end on the last day (L28)."""
    cohort_size: Ints
    """[cohort week] agents whose first accepted day lies in it."""
    retention: Ints
    """[cohort week, n] agents of the cohort active exactly n days after their own first day."""
    retention_open: Ints
    """[cohort week, n] active on that day or later."""
    retention_seen: Ints
    """[cohort week, n] agents of the cohort whose day n has passed: the base of the shares."""


@dataclass(frozen=True, slots=True)
class Measures:
    """All figures of a log, for consecutive local days."""

    first_day: int
    """Day number (since 1970-01-01) of the first column."""
    grades: tuple[Grade, Grade, Grade]
    """A, B, C."""
    seen: Ints
    """[day] agents with any event but heartbeats: what a count of active users would say."""
    events: Ints
    tokens_in: Ints
    tokens_out: Ints
    tokens_cached: Ints
    energy_j: Floats
    cost_usd: Floats
    human_s: Floats
    cohort_first_day: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """[cohort week] its first day: weeks run from `first_day` on."""

    @property
    def days(self) -> int:
        """Number of days."""
        return len(self.seen)
