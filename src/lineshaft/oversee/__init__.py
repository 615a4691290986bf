"""Overseers by name: how many a fleet needs, how far they reach, what happens at their desk.

    from lineshaft import oversee

    oversee.staff(daa=10_000, tasks_per_agent=5, review_min=12, aoql=0.05)
    oversee.ceiling(reviewers=200, tasks_per_agent=5, review_min=12, aoql=0.05)
    oversee.simulate(reviewers=20, tasks_per_day=2_000, review_min=12, ai_share=0.9)

    asked.py        `Asked` lists the options of all three
    staffing.py     staff; limits.py: ceiling; desk.py: simulate; curve.py: against reviewers
    text.py         all of it for people; picture.py: as a picture

Nothing is printed. Every result has `text()` and `to_dict()`.
"""

from lineshaft.oversee.asked import Asked
from lineshaft.oversee.desk import Simulated, simulate
from lineshaft.oversee.limits import Ceiling, ceiling
from lineshaft.oversee.staffing import Staffing, staff

__all__ = ["Asked", "Ceiling", "Simulated", "Staffing", "ceiling", "simulate", "staff"]
