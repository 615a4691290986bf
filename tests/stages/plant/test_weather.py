"""Typical days and worst hours from monthly normals."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft.stages.plant.weather import (
    DAY_WEIGHT,
    RANGE_BELOW_PEAK,
    Climate,
    typical_year,
    worst_hours,
)

PHOENIX_JULY_HOURS = np.array(
    [
        *(32.9, 32.0, 31.3, 30.5, 30.1, 29.9, 30.5, 31.9, 33.7, 35.4, 37.0, 38.4),
        *(39.4, 40.4, 41.0, 41.4, 41.2, 40.0, 38.9, 37.6, 36.4, 35.5, 34.4, 33.8),
    ]
)
"""Mean hourly dry bulb in July in the TMY3 statistics of Phoenix Sky Harbor."""


def site(dry: float = 35.6, dew: float = 13.6, span: float = 12.0) -> Climate:
    """Twelve months alike: Phoenix in July."""
    full = np.full(12, 1.0)
    return Climate(dry * full, dew * full, span * full, 45.4 * full, 21.2 * full, 24.5, 337.0)


def test_the_month_keeps_its_mean_and_its_range() -> None:
    """Days and hours weighed give back the normals."""
    climate = site()
    year = typical_year(climate)
    assert year.dry_c.shape == (12, 3, 24)
    mean = np.einsum("mdh,d->m", year.dry_c, DAY_WEIGHT) / 24.0
    assert mean == pytest.approx(climate.dry_mean_c)
    day = year.dry_c[:, 1]
    assert day.max(axis=1) - day.min(axis=1) == pytest.approx(climate.daily_range_c)


def test_the_mean_day_follows_the_measured_hours() -> None:
    """Every hour of Phoenix's mean July day within a fifth of its range of 12 K, half of that
    in the mean of the errors; the measured peak is an hour later than ASHRAE's."""
    error = typical_year(site()).dry_c[6, 1] - PHOENIX_JULY_HOURS
    assert np.abs(error).max() < 2.4
    assert np.abs(error).mean() < 1.3


def test_days_spread_towards_the_design_hour() -> None:
    """The warm day is warmer than the mean day and stays below the 0.4 % hour."""
    year = typical_year(site())
    peak = year.dry_c.max(axis=2)
    assert (np.diff(peak, axis=1) > 0.0).all()
    assert (peak[:, 2] <= 45.4 + 1e-9).all()
    assert (year.wet_c <= year.dry_c).all()


def test_the_diurnal_shape_is_a_share() -> None:
    """One hour at the peak, one a full range below it."""
    assert RANGE_BELOW_PEAK.shape == (24,)
    assert RANGE_BELOW_PEAK.min() == 0.0
    assert RANGE_BELOW_PEAK.max() == 1.0


def test_worst_hours_hold_the_design_conditions() -> None:
    """Hour 0 is the hottest, hour 1 has the year's 0.4 % wet bulb."""
    worst = worst_hours(site())
    assert worst.dry_c[:, 0] == pytest.approx(45.4)
    assert worst.wet_c[:, 0] == pytest.approx(21.2)
    assert worst.wet_c.max() == pytest.approx(24.5)
    assert (worst.wet_c <= worst.dry_c).all()
