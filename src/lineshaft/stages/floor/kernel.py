"""The fleet's queue: tasks in order of arrival, each to the robot that is free first.

A robot that has worked `run_s` since its last charge goes to the charger after its task; after
each task it breaks down with probability ``1 - exp(-service / mtbf)``. Both keep it away from the
next task. One heap of robots by the time they are free: O(log robots) a task.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True)
def fleet(
    arrival: Array,
    service: Array,
    free_at: Array,
    worked_s: Array,
    run_s: float,
    charge_s: float,
    mtbf_s: float,
    chance: Array,
    repair: Array,
) -> tuple[Array, Array, float, float, float]:
    """(wait [task], finish [task], busy s, charging s, broken s), the last three summed.

    `arrival` rises; `service`, `chance` (uniform draws) and `repair` (repair times) have one entry
    a task. `free_at` [robot], not falling, is when each robot is first free, `worked_s` [robot]
    its work since the last charge. `run_s` and `mtbf_s` may be infinite.
    """
    n = arrival.size
    robots = free_at.size
    wait = np.empty(n)
    finish = np.empty(n)
    free = free_at.copy()  # a rising array is a heap
    worked = worked_s.copy()
    robot = np.arange(robots)
    busy = 0.0
    charging = 0.0
    broken = 0.0
    for i in range(n):
        r = robot[0]
        start = max(arrival[i], free[0])
        end = start + service[i]
        wait[i] = start - arrival[i]
        finish[i] = end
        busy += service[i]
        worked[r] += service[i]
        if worked[r] >= run_s:
            charges = np.floor(worked[r] / run_s)
            worked[r] -= charges * run_s
            charging += charges * charge_s
            end += charges * charge_s
        if chance[i] < -np.expm1(-service[i] / mtbf_s):
            broken += repair[i]
            end += repair[i]
        # The root leaves the heap and comes back with its new time: sift it down.
        k = 0
        while True:
            child = 2 * k + 1
            if child >= robots:
                break
            if child + 1 < robots and free[child + 1] < free[child]:
                child += 1
            if free[child] >= end:
                break
            free[k] = free[child]
            robot[k] = robot[child]
            k = child
        free[k] = end
        robot[k] = r
    return wait, finish, busy, charging, broken
