"""Oversee: queues, sampling plans, daily active agents and overseers against closed answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineshaft.measured.models._tools import csv_rows
from lineshaft.stages.oversee import (
    OverseeInputs,
    characterise,
    csp1_aoql,
    csp1_fraction,
    daa_memoryless,
    erlang_a,
    erlang_b,
    erlang_c,
    lot_acceptance,
    lot_aoql,
    lot_tolerance,
    mean_wait_s,
    review_limited_tasks,
    servers_for_delay,
    wait_quantile_s,
)
from lineshaft.stages.oversee.sampling import Law


def blocked_share(*, servers: int, load: float) -> float:
    """Share of calls lost where nobody waits (Erlang B)."""
    return float(erlang_b(servers, load))


def waiting_share(*, servers: int, load: float) -> float:
    """Share of calls that wait (Erlang C)."""
    return float(erlang_c(servers, load))


def wait_s(*, servers: int, per_s: float, service_s: float) -> float:
    """Mean wait."""
    return float(mean_wait_s(servers, per_s, service_s))


def queue_length(*, servers: int, per_s: float, service_s: float) -> float:
    """Mean number waiting, by Little's law."""
    return per_s * wait_s(servers=servers, per_s=per_s, service_s=service_s)


def wait_of_share_s(*, servers: int, per_s: float, service_s: float, share: float) -> float:
    """Wait that `share` of the calls do not exceed."""
    return float(wait_quantile_s(servers, per_s, service_s, share))


def curve_wait_per_service(*, servers: int, utilisation: float) -> float:
    """Mean wait over service time, as the stage's curve holds it."""
    grid = OverseeInputs(np.array([float(servers)]), np.array([utilisation]))
    return float(characterise(grid).wait_per_service[0, 0])


def servers_needed(*, per_s: float, service_s: float, share: float) -> float:
    """Fewest servers with which `share` of the calls do not wait."""
    return float(servers_for_delay(per_s, service_s, share))


def impatient(
    *, servers: int, per_s: float, service_s: float, patience_s: float, quantity: str
) -> float:
    """A figure of the queue with impatient callers: a field of `ErlangA`."""
    return float(getattr(erlang_a(servers, per_s, service_s, patience_s), quantity))


def inspected_share(*, defects: float, sample_share: float, clearance: int) -> float:
    """Long-run share of a stream that is reviewed under CSP-1."""
    return float(csp1_fraction(defects, sample_share, clearance))


def worst_outgoing_share(*, sample_share: float, clearance: int, detection: float) -> float:
    """Worst outgoing quality of CSP-1 with reviewers who see a share of the defects."""
    return csp1_aoql(sample_share, clearance, detection)[0]


def outgoing_limit(*, sample: int, accept: int, lot: int, law: Law) -> float:
    """Average outgoing quality limit of a lot plan."""
    return lot_aoql(sample, accept, lot, law)


def tolerated_share(*, sample: int, accept: int) -> float:
    """Defect share at which a lot still passes one time in ten."""
    return lot_tolerance(sample, accept)


def accepted_share(*, defects: float, sample: int, accept: int) -> float:
    """Probability that a lot passes."""
    return float(lot_acceptance(defects, sample, accept))


def active(*, units: float, events_per_unit: float, shape: float = np.inf) -> float:
    """Units with at least one event: the law of daily active agents."""
    return float(daa_memoryless(units, events_per_unit, shape))


def review_ceiling_per_day(
    *, reviewers: float, utilisation: float, minutes: float, review_share: float
) -> float:
    """Most tasks a day that reviewers of 480 minutes can accept."""
    return float(review_limited_tasks(reviewers, 480.0, utilisation, review_share, minutes))


def units_per_overseer(*, units: float, seconds_per_unit_hour: float, call_s: float) -> float:
    """Vehicles or robots per overseer on duty, if 99 % of calls for help do not wait."""
    per_s = units * seconds_per_unit_hour / 3600.0 / call_s
    return units / float(servers_for_delay(per_s, call_s, 0.99))


def review_time_ratio(
    *, reviewers: int, utilisation: float, more_requests: float, larger: float
) -> float:
    """Time in review after over before, for `more_requests` times the requests, each `larger`
    times as long to review, with the same reviewers."""

    def in_review(per_s: float, service_s: float) -> float:
        return service_s + float(mean_wait_s(reviewers, per_s, service_s))

    before = utilisation * reviewers
    return in_review(before * more_requests, larger) / in_review(before, 1.0)


def human_seconds(*, on_duty: float, units: float, occupancy: float) -> float:
    """Human seconds per unit and hour of a fleet with so many humans on duty."""
    return 3600.0 * occupancy * on_duty / units


def trial_time(*, data: Path, review: bool = True) -> float:
    """What AI adds to the time of an issue in METR's trial, revision after review included."""
    from lineshaft.measured.models import oversee_sets

    trial = oversee_sets.trial(csv_rows(oversee_sets.found(data)[0]))
    return float(trial["total_effect" if review else "first_effect"])
