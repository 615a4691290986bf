"""The line from right to left: what a claimed worth, revenue or number of agents needs.

    from lineshaft.require import require
    require(lineshaft.read("gigawatt"), value_usd="9.3T")

The answer inverts the formulas of the forward run: everything of which a larger firm has more is
scaled by one factor until the run gives the target (`scale`, `ask`), the joints of that run are
read off from right to left (`joints`) and compared with what supply can reach (`pools`), and the
same functions give the largest firm that supply carries and the fastest cycle (`cycle`).
"""

from __future__ import annotations

from lineshaft.require.answer import RULE, Impossible, Joint, Largest, Required, ReverseDcf, Target
from lineshaft.require.ask import require
from lineshaft.require.cycle import Cycle, cycle
from lineshaft.require.pools import Pool, pools_of
from lineshaft.require.scale import EXTENSIVE, scaled
from lineshaft.require.write import write

__all__ = [
    "EXTENSIVE",
    "RULE",
    "Cycle",
    "Impossible",
    "Joint",
    "Largest",
    "Pool",
    "Required",
    "ReverseDcf",
    "Target",
    "cycle",
    "pools_of",
    "require",
    "scaled",
    "write",
]
