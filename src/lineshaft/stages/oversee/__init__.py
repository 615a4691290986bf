"""Oversee: humans as a queue, what they look at, what slips through, and the DAA that they allow.

* `queues`: Erlang B, C and A in closed form, priorities; `staffing`: people for a wait, hour by
  hour and on the payroll, square-root staffing.
* `sampling`: CSP-1 and lots with their outgoing quality, the index rule for what to review, the
  reviewer's detection probability from seeded defects; `plans`: the plan with the fewest reviews
  that keeps a bound, with reviewers who miss defects, rework and late results.
* `simulate`: the desk task by task, with everything that the formulas leave out; `outcome`: what
  it did, with intervals.
* `daa`: daily active agents from rates of accepted work, and the most that reviewers allow.

Sources: Erlang (1917); Mandelbaum and Zeltyn, "Service engineering in action: the Palm/Erlang-A
queue" (2007); Halfin and Whitt (1981); Kella and Yechiali (1985) for priorities; Dodge, "A
sampling inspection plan for continuous production" (1943); Dodge and Romig (1959); ISO 2859-1.
Validated against: textbook cases summed in whole fractions, and the simulation against the formulas
and against SimPy in the tests.

Limits: the closed forms and the monthly half have Poisson arrivals and exponential service, and no
shifts, vigilance loss or rework inside the queue; the simulation has them. Reviewers with detection
e < 1 cannot promise an outgoing quality better than p (1 - e), however much they sample.
"""

from lineshaft.stages.oversee.daa import (
    daa_memoryless,
    daa_regular,
    review_limited_daa,
    review_limited_tasks,
)
from lineshaft.stages.oversee.engine import OverseeInputs, characterise
from lineshaft.stages.oversee.queues import (
    ErlangA,
    erlang_a,
    erlang_b,
    erlang_c,
    mean_wait_s,
    priority_waits_s,
    servers_for_delay,
    servers_for_wait,
    wait_quantile_s,
)
from lineshaft.stages.oversee.sampling import (
    choose_reviews,
    csp1_aoq,
    csp1_aoql,
    csp1_fraction,
    detection_interval,
    lot_acceptance,
    lot_aoq,
    lot_aoql,
    lot_tolerance,
    review_index,
)

__all__ = [
    "ErlangA",
    "OverseeInputs",
    "characterise",
    "choose_reviews",
    "csp1_aoq",
    "csp1_aoql",
    "csp1_fraction",
    "daa_memoryless",
    "daa_regular",
    "detection_interval",
    "erlang_a",
    "erlang_b",
    "erlang_c",
    "lot_acceptance",
    "lot_aoq",
    "lot_aoql",
    "lot_tolerance",
    "mean_wait_s",
    "priority_waits_s",
    "review_index",
    "review_limited_daa",
    "review_limited_tasks",
    "servers_for_delay",
    "servers_for_wait",
    "wait_quantile_s",
]
