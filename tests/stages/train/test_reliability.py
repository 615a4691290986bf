"""Reliability against printed values, its own laws and a simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.stages.train import (
    ettr_approximate,
    ettr_best,
    ettr_exact,
    failure_rate_per_s,
    mttf_s,
    optimal_interval_s,
    release_log2_horizon,
    young_interval_s,
)

TABLE = [
    (16384, 4.0e-3, 10, 300, 7.65, 0.9295, 0.9302),
    (16384, 4.0e-3, 60, 600, 18.75, 0.8447, 0.8474),
    (16384, 4.0e-3, 300, 1200, 41.93, 0.6852, 0.6957),
    (16384, 6.5e-3, 10, 300, 6.00, 0.9010, 0.9028),
    (16384, 6.5e-3, 300, 1200, 32.89, 0.5756, 0.6025),
    (131072, 6.5e-3, 10, 300, 2.12, 0.5116, 0.5879),
    (131072, 6.5e-3, 60, 600, 5.20, 0.0572, 0.3155),
    (131072, 6.5e-3, 300, 1200, 11.63, -0.6357, 0.0810),
]


@pytest.mark.parametrize(("n", "r", "w", "u", "minutes", "approximate", "exact"), TABLE)
def test_reference_table(
    n: int, r: float, w: float, u: float, minutes: float, approximate: float, exact: float
) -> None:
    rate = failure_rate_per_s(n, 8, r)
    interval = young_interval_s(w, rate)
    assert interval / 60 == pytest.approx(minutes, abs=0.005)
    assert ettr_approximate(interval, w, u, rate) == pytest.approx(approximate, abs=5.1e-5)
    assert ettr_exact(interval, w, u, rate) == pytest.approx(exact, abs=5.1e-5)
    assert ettr_best(w, u, rate) >= ettr_exact(interval, w, u, rate)


def test_mttf() -> None:
    # Kokolis et al. (arXiv:2410.21680) print 0.23 h for 131,072 GPUs
    assert mttf_s(131072, 8, 6.5e-3) / 3600 == pytest.approx(0.2254, abs=5e-5)
    assert mttf_s(1024, 8, 0.0) == math.inf


@given(st.floats(1e-7, 1e-2), st.floats(0.1, 3600), st.floats(0, 3600), st.floats(0.2, 5))
def test_the_optimum_is_one(rate: float, w: float, u: float, factor: float) -> None:
    best = optimal_interval_s(w, rate)
    here = ettr_exact(best, w, u, rate)
    assert 0 <= ettr_exact(best * factor, w, u, rate) <= here * (1 + 1e-9) <= 1 + 1e-9


def test_limits() -> None:
    assert ettr_best(10, 300, 0.0) == 1.0
    assert ettr_best(0, 300, 1e-4) == pytest.approx(math.exp(-0.03))
    assert ettr_best(1e-6, 300, 1e-4) == pytest.approx(math.exp(-0.03), rel=1e-4)
    assert ettr_exact(90, 10, 0, 0.0) == 0.9
    assert ettr_exact(0, 10, 0, 1e-3) == 0.0
    assert ettr_exact(1e9, 10, 0, 1e-3) == 0.0
    assert young_interval_s(10, 0.0) == optimal_interval_s(10, 0.0) == math.inf


@pytest.mark.parametrize(("w", "u", "mttf"), [(10.0, 300.0, 7000.0), (60.0, 600.0, 900.0)])
def test_closed_form_against_simulation(w: float, u: float, mttf: float) -> None:
    interval = young_interval_s(w, 1 / mttf)
    rng = np.random.default_rng(7)
    done, elapsed, down = 0.0, 0.0, False
    for time_to_failure in rng.exponential(mttf, 20_000):
        left = time_to_failure
        elapsed += time_to_failure
        if down:
            left -= u  # a restart that is hit by the next failure starts again
        done += max(0.0, left // (interval + w)) * interval
        down = True
    assert done / elapsed == pytest.approx(ettr_exact(interval, w, u, 1 / mttf), rel=0.02)


def test_horizon_rises_with_compute_up_to_the_cap() -> None:
    hour = math.log2(3600)
    assert release_log2_horizon(hour, 0.0) == hour
    assert release_log2_horizon(hour, 2.0, elasticity=0.5) == hour + 1
    assert release_log2_horizon(hour, 100.0) == math.log2(16 * 3600)
    assert release_log2_horizon(math.log2(20 * 3600), 1.0) == math.log2(20 * 3600)
