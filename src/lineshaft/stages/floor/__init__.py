"""Floor: what robots and drones do in an hour, and what that takes in energy and human minutes.

* `skills`: weld, sort, pick, place, move, fly, count, reorder: duration, success, power.
* `engine`: attempts skill by skill, crowding and stations, and the simulated queue of the fleet.
* `cells`: a welding cell's arc-on time; the cost of a drone drop against drones per overseer.
* `inventory`: EOQ, newsvendor, (r, Q), (s, S), Wagner-Whitin.

Sources: Reiser and Lavenberg (1980) for mean value analysis; Snyder and Shen (2019) for inventory;
others beside each default.
Checked against: Amazon's stow robot (224 units/h at 0.855 success, arXiv 2505.04572 and press),
arc-on shares of welding cells (weldingrobot.net), McKinsey's $13.50 and $1.80 per drone drop, and
textbook answers for inventory and the queue.

Limits: success rates are inputs, the rates are outputs; crowding is a mean field, without a map;
a fleet serves tasks in order of arrival, and charges when its battery is used up, not when idle.
"""

from lineshaft.stages.floor.cells import (
    DroneCost,
    DroneDrop,
    WeldCell,
    WeldResult,
    drone_cost_parts,
    drone_cost_per_drop,
    weld_cell,
)
from lineshaft.stages.floor.engine import (
    PRESETS,
    FloorInputs,
    characterise,
    station_wait_s,
    units_per_hour,
)
from lineshaft.stages.floor.inventory import (
    eoq,
    newsvendor_normal,
    newsvendor_poisson,
    rq_policy,
    ss_policy,
    wagner_whitin,
)
from lineshaft.stages.floor.skills import SEQUENCES, SKILLS, Skill, Step, move_time_s

__all__ = [
    "PRESETS",
    "SEQUENCES",
    "SKILLS",
    "DroneCost",
    "DroneDrop",
    "FloorInputs",
    "Skill",
    "Step",
    "WeldCell",
    "WeldResult",
    "characterise",
    "drone_cost_parts",
    "drone_cost_per_drop",
    "eoq",
    "move_time_s",
    "newsvendor_normal",
    "newsvendor_poisson",
    "rq_policy",
    "ss_policy",
    "station_wait_s",
    "units_per_hour",
    "wagner_whitin",
    "weld_cell",
]
