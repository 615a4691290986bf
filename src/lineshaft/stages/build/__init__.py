"""Stage `build`: when power comes on, and which trade, part or permit decides it.

`characterise(BuildInputs)` returns the campus' `BuildCurve` and the `Activities` of its median
schedule (a Gantt chart).

Equations
- Duration of an activity = planned x m_global x m_trade x m_activity. m_global is the reference
  class of whole projects (lognormal, median 1.31, sigma 0.21); what joins of parallel work add to
  it is taken out again, so the class holds for the campus as a whole.
- Lead times of parts, grid and permit are lognormal with P10 and P90 at the quoted ends; a
  supplier is equally late for all phases. Risk drivers: probability x lognormal impact.
- Crews of a trade are a step per month: journeymen, travellers up to a maximum, and apprentices,
  whose yearly hazard of cancelling is -ln(completion) / years.
- An activity works with a share of its full crew, limited by its scarcest trade; W hours with c
  workers of h hours a month take W / (c h) months.
- Policy: one list by latest finish, fixed from the median case, executed in each world by a
  parallel schedule generation scheme with decision times, so that nothing knows the future
  (resource-based policies: Ballestin and Leus, Production and Operations Management 18, 2009;
  priority rules: Kolisch, European Journal of Operational Research 90, 1996).

Validated against (bands, no fit): 1 GW in 1.0-3.6 years (Epoch AI), Abilene phase 1, 9 of 10 late
and 34 % of the duration on average (Ansar, Foresight), best known makespans of PSPLIB from below.
The default durations are set so that a hall takes 10.2 months, 156 days of them after dry-in.

Limits: hours per MW, the split of hours beyond electrical, durations, shares of cost and deposits
are of low confidence. Journeymen do not leave. Hours that a world takes longer hold its crews.
"""

from lineshaft.stages.build.engine import Activities, characterise
from lineshaft.stages.build.inputs import (
    COMMON_DRIVERS,
    NO_RISK,
    PACKAGES,
    RELEASES,
    BuildInputs,
    Crew,
    Phase,
    Release,
    Risk,
    RiskDriver,
    WorkPackage,
)
from lineshaft.stages.build.sizing import crews_for

__all__ = [
    "COMMON_DRIVERS",
    "NO_RISK",
    "PACKAGES",
    "RELEASES",
    "Activities",
    "BuildInputs",
    "Crew",
    "Phase",
    "Release",
    "Risk",
    "RiskDriver",
    "WorkPackage",
    "characterise",
    "crews_for",
]
