"""Local days of instants: integer arithmetic on a table of a zone's changes, so clocks that are put
forward or back move the edge of a day by an hour, and only there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -25_567, 84_006
"""Days of 1900 and 2200: a zone's offset before and after is that of these years."""


def changes(zone: str, first_us: int, last_us: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(start, offset) of each stretch of equal offset between two instants, microseconds.

    Local time is UTC plus the offset; the first stretch starts before everything. KeyError (a
    ZoneInfoNotFoundError) where there is no such zone.
    """
    first = min(max(first_us // DAY_US, _FIRST), _LAST)
    last = min(max(last_us // DAY_US + 1, first), _LAST)
    starts, offsets = _changes(zone, int(first), int(last))
    return starts.copy(), offsets.copy()


def local_days(ts_us: NDArray[np.int64], zone: str = "UTC") -> NDArray[np.int32]:
    """[row] local day, counted from 1970-01-01, of UTC microseconds."""
    from lineshaft.meter.kernels import zones as kernels

    out = np.empty(len(ts_us), np.int32)
    if len(ts_us):
        starts, offsets = changes(zone, int(ts_us.min()), int(ts_us.max()))
        kernels.local_days(ts_us, starts, offsets, out)
    return out


def day_starts(days: NDArray[np.integer], zone: str = "UTC") -> NDArray[np.int64]:
    """[day] the instant at which each local day begins, UTC microseconds.

    A day that a zone leaves out begins when the one after it does.
    """
    wall = np.asarray(days, np.int64) * DAY_US
    if not len(wall):
        return wall
    starts, offsets = changes(zone, int(wall.min()) - 2 * DAY_US, int(wall.max()) + 2 * DAY_US)
    # midnight by each offset that holds near it: the first instant whose local time is not before
    out = np.full(len(wall), np.iinfo(np.int64).max)
    ends = np.append(starts[1:], np.iinfo(np.int64).max)
    for start, end, offset in zip(starts, ends, offsets, strict=True):
        instant = np.maximum(wall - offset, start)
        out = np.where(instant < end, np.minimum(out, instant), out)
    return out


@lru_cache(maxsize=64)
def _changes(zone: str, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    from zoneinfo import ZoneInfo

    place = ZoneInfo(zone)
    starts, offsets = [np.iinfo(np.int64).min], [_offset_s(place, first * 86_400)]
    for day in range(first, last):
        before, after = day * 86_400, (day + 1) * 86_400
        end = _offset_s(place, after)
        if end != offsets[-1]:
            while after - before > 1:  # offsets change at whole seconds
                middle = (before + after) // 2
                if _offset_s(place, middle) == offsets[-1]:
                    before = middle
                else:
                    after = middle
            starts.append(after * 1_000_000)
            offsets.append(end)
    return np.array(starts, np.int64), np.array(offsets, np.int64) * 1_000_000


def _offset_s(place: tzinfo, instant_s: int) -> int:
    local = (_EPOCH + timedelta(seconds=instant_s)).astimezone(place)
    offset = local.utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0
