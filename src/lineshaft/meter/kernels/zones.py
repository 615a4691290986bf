"""Local days from instants and the stretches of a zone's offsets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True)
def local_days(ts_us: Array, starts: Array, offsets: Array, out: Array) -> None:
    """Write the local day of each instant; neighbours in a log mostly lie in one day."""
    at = 0
    lo, hi, day = np.int64(1), np.int64(0), np.int64(0)  # instants [lo, hi) lie in `day`
    for i in range(len(ts_us)):
        ts = np.int64(ts_us[i])
        if ts < lo or ts >= hi:
            while at + 1 < len(starts) and ts >= starts[at + 1]:
                at += 1
            while ts < starts[at]:
                at -= 1
            local = ts + offsets[at]
            day = local // 86_400_000_000
            lo = max(day * 86_400_000_000 - offsets[at], starts[at])
            hi = (day + 1) * 86_400_000_000 - offsets[at]
            if at + 1 < len(starts):
                hi = min(hi, starts[at + 1])
        out[i] = day
