"""A year of weather from monthly normals: three typical days a month, and each month's worst hours.

A month is a cool, a mean and a warm day of 24 hours. Daily means are taken as normal, and the
three days are the nodes of the three-point Gauss-Hermite rule (0 and +-sqrt(3) standard
deviations, weights 2/3 and 1/6), so the spread of days counts and not only their mean. The spread
is such that the warm tail meets the temperature exceeded 0.4 % of the month, with the wet bulb
that comes with it. Within a day the dew point is held.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.plant.psychrometrics import (
    dew_point_c,
    humidity_ratio,
    pressure_pa,
    relative_humidity_pct,
    wet_bulb_c,
)

Array = NDArray[np.float64]

RANGE_BELOW_PEAK: Array = np.array(
    [
        *(0.88, 0.92, 0.95, 0.98, 1.00, 0.98, 0.91, 0.74, 0.55, 0.38, 0.23, 0.13),
        *(0.05, 0.00, 0.00, 0.06, 0.14, 0.24, 0.39, 0.50, 0.59, 0.68, 0.75, 0.82),
    ]
)
"""[24] share of the daily range by which hour 1..24 lies below the day's peak (ASHRAE
Fundamentals 2009, ch. 14, table 6)."""
DAY_Z: Array = np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0])
DAY_WEIGHT: Array = np.array([1.0, 4.0, 1.0]) / 6.0
_Z_04 = 2.652
"""Standard normal deviate exceeded 0.4 % of the time."""
MONTH_DAYS: Array = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True, slots=True)
class Climate:
    """Monthly normals of one site; arrays are [12], °C."""

    dry_mean_c: Array
    dew_point_c: Array
    """Mean dew point."""
    daily_range_c: Array
    """Mean daily maximum less mean daily minimum."""
    design_dry_c: Array
    """Dry bulb exceeded 0.4 % of the month."""
    coincident_wet_c: Array
    """Mean wet bulb at that dry bulb."""
    design_wet_c: float
    """Wet bulb exceeded 0.4 % of the year."""
    altitude_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Hours of weather: dry and wet bulb in °C, arrays of one shape, at one pressure."""

    dry_c: Array
    wet_c: Array
    pressure_pa: float = 101_325.0


def typical_year(climate: Climate) -> Weather:
    """Typical days, shape [12 months, 3 days, 24 hours]; a month's mean weighs the days by
    `DAY_WEIGHT` and the hours equally."""
    pressure = pressure_pa(climate.altitude_m)
    peak = climate.dry_mean_c + climate.daily_range_c * RANGE_BELOW_PEAK.mean()
    spread = np.maximum(climate.design_dry_c - peak, 0.0) / _Z_04
    moist = dew_point_c(
        humidity_ratio(climate.design_dry_c, climate.coincident_wet_c, pressure), pressure
    )
    moist_spread = (moist - climate.dew_point_c) / _Z_04
    swing = RANGE_BELOW_PEAK.mean() - RANGE_BELOW_PEAK
    day = climate.dry_mean_c[:, None] + spread[:, None] * DAY_Z
    dew = climate.dew_point_c[:, None] + moist_spread[:, None] * DAY_Z
    dry = day[:, :, None] + climate.daily_range_c[:, None, None] * swing
    wet = wet_bulb_c(dry, relative_humidity_pct(dry, dew[:, :, None]))
    return Weather(dry, wet, pressure)


def worst_hours(climate: Climate) -> Weather:
    """Each month's hottest and most humid hour, shape [12, 2].

    Hour 0 has the dry bulb exceeded 0.4 % of the month and the wet bulb that comes with it. Hour
    1 has the highest wet bulb: the coincident one, raised by what the year's 0.4 % wet bulb lies
    above the highest coincident one, at the mean daily maximum.
    """
    rise = max(climate.design_wet_c - float(climate.coincident_wet_c.max()), 0.0)
    wet = np.stack([climate.coincident_wet_c, climate.coincident_wet_c + rise], axis=1)
    warm = climate.dry_mean_c + climate.daily_range_c * RANGE_BELOW_PEAK.mean()
    dry = np.stack([climate.design_dry_c, np.maximum(warm, wet[:, 1])], axis=1)
    return Weather(dry, wet, pressure_pa(climate.altitude_m))
