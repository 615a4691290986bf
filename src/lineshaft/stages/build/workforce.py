"""Craft hours available per month: journeymen, travellers and cohorts of apprentices."""

from __future__ import annotations

import numpy as np

from lineshaft.contracts.curves import Array
from lineshaft.contracts.reasons import TRADES
from lineshaft.stages.build.inputs import Crew


def apprentices_left(crew: Crew, age_months: Array) -> Array:
    """Share of a cohort that has not cancelled at that age [month].

    Exponential with the hazard -ln(completion) / years, so that exactly `completion` is left at
    the end of the apprenticeship and stays.
    """
    years = np.minimum(age_months / 12.0, crew.apprentice_years)
    left: Array = np.power(crew.completion, years / crew.apprentice_years)
    return left


def workers(crew: Crew, months: int) -> Array:
    """Journeymen and what counts as such [month], each month as at its start.

    Apprentices of one cohort work with a productivity that rises from `apprentice_productivity`
    to 1 over their years. Journeymen do not leave (travellers are meant to be held).
    """
    month = np.arange(months, dtype=np.float64)
    full = np.minimum(crew.headcount + crew.hires_per_month * month, crew.maximum)
    for entry in range(0, months, 12):
        age = month - entry
        grown = np.minimum(age / 12.0 / crew.apprentice_years, 1.0)
        productivity = crew.apprentice_productivity * (1 - grown) + grown
        cohort = crew.apprentices_per_year * apprentices_left(crew, age) * productivity
        full = full + np.where(age >= 0, cohort, 0.0)
    return full


def crew_hours(crews: tuple[Crew, ...], months: int) -> Array:
    """Craft hours available [trade, month], at a journeyman's productivity."""
    hours = np.zeros((len(TRADES), months))
    for crew in crews:
        hours[TRADES.index(crew.trade)] += workers(crew, months) * crew.hours_per_worker_month
    return hours
