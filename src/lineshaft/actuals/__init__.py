"""Plan and actual: a run beside a log of real work.

compare(run, reading)          the run's months beside the log's
calibrate(reading)             what a log shows, as sections `agents` and `oversee` of a scenario
export(run, folder)            a run's months as events, which meter back to the same figures

planned.py     what a run says, in the quantities that a log has
observed.py    what a log shows of its tasks, one row each
estimates.py   shares and means with intervals, where the tasks of one agent are alike
"""

from __future__ import annotations

from lineshaft.actuals.calibrate import calibrate, merge
from lineshaft.actuals.compare import Comparison, compare
from lineshaft.actuals.export import Exported, export

__all__ = ["Comparison", "Exported", "calibrate", "compare", "export", "merge"]
