"""Many scenarios: grids and samples of what a scenario says, and which of its inputs matter.

`sweep` solves every scenario of a plan, resumable and on any executor, into one table;
`indices` finds by variance (Sobol) or by elementary effects (Morris) what each uncertain input
moves.
"""

from lineshaft.sweep.running import Results, sweep

__all__ = ["Results", "sweep"]
