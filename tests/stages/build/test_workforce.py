"""Crews over the months, and crews sized for a date."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lineshaft.contracts.reasons import TRADES
from lineshaft.errors import InputError
from lineshaft.stages.build import BuildInputs, Crew, Phase, characterise, crews_for
from lineshaft.stages.build.workforce import apprentices_left, crew_hours, workers


def test_travellers_rise_to_the_maximum() -> None:
    crew = Crew("pipe", 100, hires_per_month=20, maximum=150)
    np.testing.assert_allclose(workers(crew, 5), [100, 120, 140, 150, 150])


def test_a_cohort_completes_at_the_published_rate() -> None:
    """Electricians: 44.1 % complete (DOL RAPIDS); the hazard is constant until then."""
    crew = Crew("electrical", 0, apprentices_per_year=100)
    age = np.array([0.0, 27.0, 54.0, 90.0])
    np.testing.assert_allclose(
        apprentices_left(crew, age), [1, math.sqrt(0.441), 0.441, 0.441], rtol=1e-12
    )


def test_cohorts_become_journeymen() -> None:
    crew = Crew("electrical", 10, apprentices_per_year=100)
    there = workers(crew, 12 * 30)
    assert there[0] == pytest.approx(10 + 40)  # beginners count for 0.4
    # in the long run each year adds what completes, a full journeyman each
    assert there[-1] - there[-13] == pytest.approx(44.1)


def test_hours_stand_in_the_order_of_the_trades() -> None:
    hours = crew_hours((Crew("steel", 7, hours_per_worker_month=100),), 2)
    assert hours.shape == (len(TRADES), 2)
    np.testing.assert_allclose(hours[TRADES.index("steel")], 700)
    assert hours.sum() == pytest.approx(1400)


def test_sized_crews_meet_the_month_and_fewer_do_not() -> None:
    inputs = BuildInputs(48, tuple(Phase(name, 125e6) for name in "abcd"), (), samples=1)
    crews = crews_for(inputs, 18)
    _, on_time = characterise(replace(inputs, crews=crews))
    assert 17.5 < on_time.finish_month.max() <= 18
    fewer = tuple(replace(c, headcount=c.headcount * 0.9, maximum=c.maximum * 0.9) for c in crews)
    _, late = characterise(replace(inputs, crews=fewer))
    assert late.finish_month.max() > 18


def test_no_crew_is_fast_enough() -> None:
    with pytest.raises(InputError, match="even unlimited crews take"):
        crews_for(BuildInputs(48, (Phase("a", 100e6),), ()), 6)
