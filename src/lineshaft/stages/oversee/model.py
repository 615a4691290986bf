"""The monthly half of `oversee`: review, acceptance, rework, and daily active agents.

Reviewers take the share of finished work that the policy wants and find a share of its defects.
What is not reviewed is accepted as the verifier left it, defects included. What they have no time
for waits, and part of it expires. Daily active agents follow from accepted tasks per agent and day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.accepted import Accepted, People
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import OverseeCurve
from lineshaft.contracts.done import Done, Robots
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import PeopleOffer
from lineshaft.contracts.reasons import ROLES
from lineshaft.stages.oversee.daa import daa_memoryless, daa_regular
from lineshaft.tables import Array, Dims, param

_REVIEWER, _OPERATOR = ROLES.index("reviewer"), ROLES.index("operator")


@dataclass(frozen=True, slots=True)
class Params:
    """What `oversee` needs besides its curve."""

    has_agents: NDArray[np.bool_]
    """[kind] False for direct sales of tokens."""
    regular: NDArray[np.bool_]
    """[kind] True where work comes at regular times, False where it comes without memory."""
    headcount: Array = param("person", "people employed", ("month", "role"))
    minutes: Array = param("min", "minutes on duty per person and month", ("role",))
    utilisation: Array = param("1", "highest share of them that is planned for work", ("role",))
    usd_per_h: Array = param("USD/h", "wage with on-costs, per paid hour", ("month", "role"))
    paid_h: Array = param("h", "paid hours per person and month", ("role",))
    review_share: Array = param("1", "share of finished tasks that is reviewed", ("kind",))
    detection: Array = param("1", "share of defects that a reviewer finds", ("kind",))
    rework_share: Array = param("1", "share of rejected tasks that comes back", ("kind",))
    rework_min: Array = param("min", "reviewer minutes to send one back", ("kind",))
    expiry: Array = param("1", "share of waiting tasks that expires in a month", ("kind",))
    verified: Array = param("1", "share of unreviewed tasks with a hard verifier", ("kind",))
    eligible: Array = param("1", "share of accepted tasks that count (DAA/1)", ("kind",))
    shape: Array = param("1", "spread of work over agents: gamma shape k", ("kind",))


class Oversee:
    """Offers human minutes, reviews, accepts, counts."""

    def __init__(self, params: Params, dims: Dims, calendar: Calendar, curve: OverseeCurve) -> None:
        self.params, self.curve, self.days = params, curve, calendar.days
        self.roles = (dims.size("role"), dims.width)
        offered = params.headcount * (params.minutes * params.utilisation)
        self.offered = np.broadcast_to(offered, (len(offered), *self.roles))
        self.send_back_min = params.detection * params.rework_min

    def open(self, people: People) -> None:
        """The columns that follow from the plan alone."""
        p = self.params
        people.headcount[:] = p.headcount
        people.available_min[:] = p.headcount * p.minutes
        people.wage_usd[:] = p.headcount * p.paid_h * p.usd_per_h

    def offer(self, t: int, ledger: Ledger, fielded: Fielded) -> PeopleOffer:
        """Minutes of month `t`, and what work in the queue takes of them first."""
        p = self.params
        owed = np.zeros(self.roles)
        send_back = (1.0 - fielded.correct[t]) * self.send_back_min
        owed[_REVIEWER] = (ledger.review * (fielded.review_min[t] + send_back)).sum(axis=0)
        owed[_OPERATOR] = (ledger.work * fielded.intervention_min[t]).sum(axis=0)
        return PeopleOffer(self.offered[t], owed, p.review_share)

    def advance(
        self,
        t: int,
        ledger: Ledger,
        fielded: Fielded,
        done: Done,
        people: PeopleOffer,
        accepted: Accepted,
    ) -> None:
        """Month `t`: review what there is time for, accept, reject, keep the rest."""
        p = self.params
        finished, defect = done.finished[t], 1.0 - fielded.correct[t]
        chosen = finished * p.review_share
        queue = ledger.review + chosen
        found = defect * p.detection
        need = fielded.review_min[t] + defect * self.send_back_min
        wanted = (queue * need).sum(axis=0)
        minutes = people.minutes[_REVIEWER]
        factor = np.divide(minutes, wanted, out=np.ones_like(wanted), where=wanted > minutes)
        reviewed = queue * factor
        left = queue - reviewed
        expired = left * p.expiry
        rejected = reviewed * found
        passed = finished - chosen
        accepted.opening_review[t] = ledger.review
        accepted.finished[t] = finished
        accepted.reviewed[t] = reviewed
        accepted.rejected[t] = rejected
        accepted.accepted[t] = reviewed - rejected + passed
        accepted.escaped[t] = reviewed * (defect - found) + passed * defect
        accepted.expired[t] = expired
        ledger.review = left - expired
        accepted.closing_review[t] = ledger.review
        ledger.rework = rejected * p.rework_share
        accepted.rework[t] = ledger.rework

    def finish(
        self,
        fielded: Fielded,
        robots: Robots,
        accepted: Accepted,
        people: People,
    ) -> None:
        """Minutes, waiting, daily active agents: vectorised over the months."""
        p = self.params
        accepted.review_min[:] = accepted.reviewed * fielded.review_min
        accepted.rework_min[:] = accepted.rejected * p.rework_min
        people.intervention_min[:, _OPERATOR] = robots.intervention_min.sum(axis=1)
        people.review_min[:, _REVIEWER] = accepted.review_min.sum(axis=1)
        people.rework_min[:, _REVIEWER] = accepted.rework_min.sum(axis=1)
        people.idle_min[:] = (
            people.available_min - people.intervention_min - people.review_min - people.rework_min
        )
        self._wait(accepted, people)
        days = self.days[:, None, None]
        agents = np.where(p.has_agents[:, None], fielded.fielded, 0.0)
        counted = accepted.accepted * p.eligible
        hard = accepted.reviewed - accepted.rejected
        hard = (hard + (accepted.accepted - hard) * p.verified) * p.eligible
        accepted.daa_b[:] = self._daa(agents, counted / days)
        accepted.daa_a[:] = self._daa(agents, hard / days)
        per_day = counted * p.has_agents[:, None] / days
        np.divide(per_day, accepted.daa_b, out=accepted.accepted_per_daa, where=accepted.daa_b > 0)

    def _daa(self, agents: Array, per_day: Array) -> Array:
        rate = np.divide(per_day, agents, out=np.zeros_like(per_day), where=agents > 0)
        return np.where(
            self.params.regular[:, None],
            daa_regular(agents, rate),
            daa_memoryless(agents, rate, self.params.shape),
        )

    def _wait(self, accepted: Accepted, people: People) -> None:
        """Mean wait for a reviewer, the same for all kinds: Erlang C at the people on duty and
        their mean time per review, and by Little's law what work left over waits on top."""
        c = self.curve
        have = people.available_min[:, _REVIEWER]
        used = people.review_min[:, _REVIEWER] + people.rework_min[:, _REVIEWER]
        load = np.divide(used, have, out=np.zeros_like(used), where=have > 0)
        on_duty = have / (self.days[:, None] * 1440)
        at_c = np.interp(np.log(np.maximum(on_duty, 1e-9)), np.log(c.servers), _places(c.servers))
        at_u = np.interp(load, c.utilisation, _places(c.utilisation))
        row = np.minimum(at_c.astype(np.int64), len(c.servers) - 2)
        col = np.minimum(at_u.astype(np.int64), len(c.utilisation) - 2)
        x, y = at_c - row, at_u - col
        w = c.wait_per_service
        wait = (
            w[row, col] * (1 - x) * (1 - y)
            + w[row + 1, col] * x * (1 - y)
            + w[row, col + 1] * (1 - x) * y
            + w[row + 1, col + 1] * x * y
        )
        reviewed = accepted.reviewed
        total = reviewed.sum(axis=1)
        some = reviewed > 1e-6  # a millionth of a task is nobody's
        service_s = np.divide(60 * used, total, out=np.zeros_like(total), where=total > 1e-6)
        queue = (accepted.opening_review + accepted.closing_review) / 2
        backlog = np.divide(queue, reviewed, out=np.zeros_like(queue), where=some)
        backlog_s = backlog * (self.days * 86_400)[:, None, None]
        accepted.wait_s[:] = np.where(some, (wait * service_s)[:, None, :] + backlog_s, 0.0)


def _places(grid: Array) -> Array:
    return np.arange(len(grid), dtype=float)


FORMULAS: dict[str, str] = {
    "accepted.opening_review": "lag(closing_review)",
    "accepted.finished": "done.finished",
    "accepted.reviewed": (
        "engine(oversee.review, opening_review, finished, oversee.review_share,"
        " fielded.review_min, fielded.correct, oversee.detection, oversee.rework_min,"
        " oversee.headcount, oversee.minutes, oversee.utilisation)"
    ),
    "accepted.accepted": "reviewed - rejected + finished * (1 - oversee.review_share)",
    "accepted.rejected": "reviewed * (1 - fielded.correct) * oversee.detection",
    "accepted.expired": (
        "(opening_review + finished * oversee.review_share - reviewed) * oversee.expiry"
    ),
    "accepted.closing_review": (
        "(opening_review + finished * oversee.review_share - reviewed) * (1 - oversee.expiry)"
    ),
    "accepted.escaped": (
        "reviewed * (1 - fielded.correct) * (1 - oversee.detection)"
        " + finished * (1 - oversee.review_share) * (1 - fielded.correct)"
    ),
    "accepted.rework": "rejected * oversee.rework_share",
    "accepted.review_min": "reviewed * fielded.review_min",
    "accepted.rework_min": "rejected * oversee.rework_min",
    "accepted.wait_s": (
        "curve(oversee.wait_per_service, people.available_min, people.review_min,"
        " people.rework_min, opening_review, closing_review, reviewed)"
    ),
    "accepted.daa_a": (
        "engine(oversee.daa, fielded.fielded, accepted, reviewed, rejected, oversee.verified,"
        " oversee.eligible, oversee.shape)"
    ),
    "accepted.daa_b": (
        "engine(oversee.daa, fielded.fielded, accepted, oversee.eligible, oversee.shape)"
    ),
    "accepted.accepted_per_daa": (
        "where(daa_b > 0, accepted * oversee.eligible / calendar.days / daa_b, 0)"
    ),
    "people.headcount": "oversee.headcount",
    "people.available_min": "headcount * oversee.minutes",
    "people.intervention_min": "engine(oversee.by_role, robots.intervention_min)",
    "people.review_min": "engine(oversee.by_role, accepted.review_min)",
    "people.rework_min": "engine(oversee.by_role, accepted.rework_min)",
    "people.idle_min": "available_min - intervention_min - review_min - rework_min",
    "people.wage_usd": "headcount * oversee.paid_h * oversee.usd_per_h",
}
