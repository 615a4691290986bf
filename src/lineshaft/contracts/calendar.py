"""Time and load: the months of a run, and how a month's mean is spread over its hours."""

from __future__ import annotations

import calendar as _calendar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S


def month_after(start: str, months: int) -> str:
    """The month ("YYYY-MM") so many months after another; before it where `months` is below 0."""
    year, month = (int(part) for part in start.split("-"))
    at = year * 12 + month - 1 + months
    return f"{at // 12:04d}-{at % 12 + 1:02d}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The months of a run, from `start` ("2026-01") on."""

    labels: tuple[str, ...]
    """[month] "YYYY-MM"."""
    days: Array
    """[month] days of the month."""
    seconds: Array
    """[month] seconds of the month."""
    month_of_year: NDArray[np.int64]
    """[month] 0 = January."""
    years: Array
    """[month] years from the start to the middle of the month."""
    year: NDArray[np.int64]
    """[month] calendar year."""

    @classmethod
    def of(cls, start: str, months: int) -> Calendar:
        """The calendar of `months` months from `start` on."""
        first_year, first_month = (int(part) for part in start.split("-"))
        index = np.arange(months) + first_month - 1
        year = first_year + index // 12
        month = index % 12
        days = np.array(
            [_calendar.monthrange(int(y), int(m) + 1)[1] for y, m in zip(year, month, strict=True)],
            float,
        )
        ends = np.cumsum(days)
        return cls(
            labels=tuple(f"{y}-{m + 1:02d}" for y, m in zip(year, month, strict=True)),
            days=days,
            seconds=days * DAY_S,
            month_of_year=month,
            years=(ends - days / 2) * DAY_S / YEAR_S,
            year=year,
        )


@dataclass(frozen=True, slots=True)
class LoadShape:
    """How a mean is spread: relative demand by hour on weekdays and weekends, and the peak day."""

    weekday: Array
    """[24] relative to each other and to `weekend`."""
    weekend: Array
    """[24]"""
    peak_day: float = 1.0
    """Demand of the busiest day over that of the mean day."""

    @property
    def mean(self) -> float:
        """Mean over a week, in the unit of the shape."""
        return float(5 * self.weekday.mean() + 2 * self.weekend.mean()) / 7

    @property
    def peak_over_mean(self) -> float:
        """Demand of the busiest hour of the busiest day over the mean."""
        top = max(float(self.weekday.max()), float(self.weekend.max()))
        return top * self.peak_day / self.mean

    @property
    def hours(self) -> Array:
        """[48] demand relative to the mean: 24 weekday hours, then 24 weekend hours."""
        return np.concatenate([self.weekday, self.weekend]) / self.mean

    @property
    def weights(self) -> Array:
        """[48] share of the week's hours that each entry of `hours` stands for; sums to 1."""
        return np.concatenate([np.full(24, 5 / 7 / 24), np.full(24, 2 / 7 / 24)])
