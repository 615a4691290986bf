"""Local days against Python's own zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.meter.zones import DAY_US, changes, day_starts, local_days

ZONES = ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu",
         "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe"]  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def by_datetime(ts: int, zone: str) -> int:
    local = (EPOCH + timedelta(microseconds=ts)).astimezone(ZoneInfo(zone))
    return local.date().toordinal() - EPOCH.toordinal()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.lists(st.integers(-(10**14), 3 * 10**15), max_size=30))
def test_days_are_those_of_datetime(zone: str, ts: list[int]) -> None:
    found = local_days(np.array(ts, np.int64), zone)
    assert found.tolist() == [by_datetime(t, zone) for t in ts]


@pytest.mark.parametrize("zone", ZONES)
def test_every_change_of_thirty_years(zone: str) -> None:
    first, last = 800_000_000_000_000, 1_800_000_000_000_000
    starts, offsets = changes(zone, first, last)
    assert len(starts) == len(offsets)
    assert (zone in ("UTC", "Asia/Kathmandu")) == (len(starts) == 1)
    for start, before, after in zip(starts[1:], offsets, offsets[1:], strict=False):
        for ts, offset in ((int(start) - 1, before), (int(start), after)):
            local = (EPOCH + timedelta(microseconds=ts)).astimezone(ZoneInfo(zone))
            assert local.utcoffset() == timedelta(microseconds=int(offset))
    days = np.unique(local_days(np.arange(first, last, 6 * 3_600_000_000), zone))[1:-1]
    begin = day_starts(days, zone)
    assert (local_days(begin, zone) == days).all()
    assert (local_days(begin - 1, zone) < days).all()


def test_a_day_that_was_left_out() -> None:
    """Samoa went from 29 to 31 December 2011."""
    begin = day_starts(np.array([15_337, 15_338, 15_339]), "Pacific/Apia")
    assert (begin[1] - begin[0], begin[2] - begin[1]) == (DAY_US, 0)


def test_nothing_and_what_no_calendar_holds() -> None:
    none = np.zeros(0, np.int64)
    assert len(local_days(none, "Europe/Berlin")) == len(day_starts(none, "Europe/Berlin")) == 0
    far = np.array([-(2**63) + DAY_US, 2**63 - DAY_US])
    assert (local_days(far, "Europe/Berlin") == far // DAY_US).all()
    with pytest.raises(KeyError):
        local_days(np.zeros(1, np.int64), "Mars/Olympus")
