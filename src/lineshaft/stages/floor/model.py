"""The monthly half of `floor`: work attempted, finished and failed, robots and their hours.

What was admitted and served joins what was left over; agents and robots attempt as much of it as
they have time for and as operators can attend to; a share of the attempts finishes. Software
kinds pass with their wall time only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.admitted import Admitted
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.done import Done, Robots
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import PeopleOffer
from lineshaft.contracts.reasons import ROLES
from lineshaft.contracts.served import Served
from lineshaft.tables import Array, Dims, param

_OPERATOR = ROLES.index("operator")


@dataclass(frozen=True, slots=True)
class Params:
    """What `floor` needs: its curves' figures by kind, 0 for software kinds."""

    kind_model: NDArray[np.int64]
    """[kind] index of the model that the kind thinks with."""
    charging_share: Array = param("1", "charger hours per hour of work", ("kind",))
    robots_up: Array = param("1", "share of the robots that are not broken", ("kind",))
    energy_j: Array = param("J", "energy drawn per physical attempt, charger included", ("kind",))
    robot_attempts: Array = param("1", "physical attempts per task", ("kind",))


class Floor:
    """Executes what was admitted."""

    def __init__(self, params: Params, dims: Dims, calendar: Calendar) -> None:
        self.params = params
        self.hours = (calendar.seconds / 3600)[:, None, None]
        self.task_j = params.robot_attempts * params.energy_j

    def advance(
        self,
        t: int,
        ledger: Ledger,
        fielded: Fielded,
        admitted: Admitted,
        served: Served,
        people: PeopleOffer,
        done: Done,
        robots: Robots,
    ) -> None:
        """Month `t`: attempt, finish, carry over; energy of the robots."""
        total = served.served[t] + served.refused[t]
        fill = np.divide(served.served[t], total, out=np.ones_like(total), where=total > 0)
        opening = ledger.work
        ready = opening + admitted.admitted_tasks[t] * fill[self.params.kind_model]
        attempted = np.minimum(ready, fielded.possible_tasks[t])
        attended = (attempted * fielded.intervention_min[t]).sum(axis=0)
        minutes = people.minutes[_OPERATOR]
        if (attended > minutes).any():
            factor = np.divide(
                minutes, attended, out=np.ones_like(attended), where=attended > minutes
            )
            attempted = np.where(fielded.intervention_min[t] > 0, attempted * factor, attempted)
        done.opening[t] = opening
        done.admitted[t] = admitted.admitted_tasks[t]
        done.attempted[t] = attempted
        ledger.work = opening + admitted.admitted_tasks[t] - attempted
        done.closing[t] = ledger.work
        done.finished[t] = attempted * fielded.success[t]
        robots.energy_j[t] = attempted * self.task_j

    def finish(self, fielded: Fielded, done: Done, robots: Robots) -> None:
        """The columns that follow from the months."""
        p = self.params
        done.failed[:] = done.attempted - done.finished
        done.agent_s[:] = done.attempted * fielded.wall_s
        robots.owned_h[:] = robots.owned * self.hours
        robots.working_h[:] = done.attempted * fielded.robot_s / 3600
        robots.charging_h[:] = robots.working_h * p.charging_share
        robots.broken_h[:] = robots.owned_h * (1.0 - p.robots_up)
        robots.idle_h[:] = robots.owned_h - robots.working_h - robots.charging_h - robots.broken_h
        robots.intervention_min[:] = done.attempted * fielded.intervention_min


FORMULAS: dict[str, str] = {
    "done.opening": "lag(closing)",
    "done.admitted": "admitted.admitted_tasks",
    "done.attempted": (
        "engine(floor.attempt, opening, admitted, served.served, served.refused,"
        " fielded.possible_tasks, fielded.intervention_min, people.available_min)"
    ),
    "done.finished": "attempted * fielded.success",
    "done.failed": "attempted - finished",
    "done.closing": "opening + admitted - attempted",
    "done.agent_s": "attempted * fielded.wall_s",
    "robots.owned_h": "owned * calendar.seconds / 3600",
    "robots.working_h": "done.attempted * fielded.robot_s / 3600",
    "robots.charging_h": "working_h * floor.charging_share",
    "robots.broken_h": "owned_h * (1 - floor.robots_up)",
    "robots.idle_h": "owned_h - working_h - charging_h - broken_h",
    "robots.energy_j": "done.attempted * floor.robot_attempts * floor.energy_j",
    "robots.intervention_min": "done.attempted * fielded.intervention_min",
}
