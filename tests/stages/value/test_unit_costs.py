"""Unit costs against published models of cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lineshaft.errors import InputError
from lineshaft.stages.value import unit_costs as u


def test_epoch_one_gigawatt() -> None:
    """Epoch AI: 38 billion USD of capex, 0.9 of opex a year; 12, 8.5 and 7 for 3, 5 and 7 years."""
    tco = u.cost_of_ownership(25.6, 12.4, 0.9, [3, 5, 7], 14, 0.0675)
    assert tco == pytest.approx([12.007, 8.499, 7.006], abs=5e-4)
    assert tco.round(1).tolist() == [12.0, 8.5, 7.0]
    straight = u.cost_of_ownership(25.6, 12.4, 0.9, 5, 14, 0.0675, "straight line")
    assert straight == pytest.approx(6.906, abs=5e-4)


@pytest.mark.parametrize(("price", "usd_per_hour"), [(70e3, 3.2), (50e3, 2.3)])
def test_rented_accelerator_at_three_years_payback(price: float, usd_per_hour: float) -> None:
    """Published all-in prices of GB200 and H100, 3 years straight line and 20 % of opex on top."""
    yearly = 1.2 * u.capital_charge(price, 3, 0.0, "straight line")
    assert u.usd_per_accelerator_hour(yearly, 1) == pytest.approx(usd_per_hour, abs=0.05)
    assert u.usd_per_accelerator_hour(yearly, 1, 0.5) == pytest.approx(2 * usd_per_hour, abs=0.1)


def test_deepseek_production_day() -> None:
    """87,072 USD a day at 2 USD per H800-hour for 168 billion output tokens."""
    assert u.usd_per_mtok(226.75 * 8 * 24 * 2, 168e9) == pytest.approx(0.518, abs=1e-3)


@given(
    arrays(np.float64, (8, 2), elements=st.floats(0, 1e9)),
    st.integers(1, 10),
    st.floats(0.0, 0.4),
    st.floats(0.0, 0.5),
)
def test_cohort_charges_are_worth_what_was_paid(
    bought: np.ndarray, life: int, rate: float, residual: float
) -> None:
    """Discounted charges plus the discounted resale value return each cohort's price."""
    months = np.arange(8 + life)
    padded = np.concatenate([bought, np.zeros((life, 2))])
    charge = u.cohort_charge(padded, life, rate, residual_share=residual)
    v = (1.0 + rate) ** (-1.0 / 12.0)
    worth = (charge * v ** (months + 1)[:, None]).sum(axis=0)
    resale = (residual * padded * v ** (months + life)[:, None]).sum(axis=0)
    price = (padded * v ** months[:, None]).sum(axis=0)
    assert worth + resale == pytest.approx(price, rel=1e-8, abs=1e-3)


def test_a_longer_life_costs_less() -> None:
    life = np.arange(1.0, 15.0)
    assert (np.diff(u.capital_charge(1.0, life, 0.1)) < 0).all()
    assert (np.diff(u.capital_charge(1.0, life, 0.1, "straight line")) < 0).all()


def test_failures_stay_in_the_numerator() -> None:
    cost = u.cpat(
        [80.0, 0.0],
        tokens_usd=100.0,
        tools_usd=20.0,
        machines_usd=30.0,
        oversight_minutes=600.0,
        wage_usd_per_h=60.0,
        defects_usd=50.0,
    )
    assert cost[0] == 800.0 / 80.0
    assert np.isnan(cost[1])
    assert u.usd_per_task(100.0, [50.0, 0.0])[0] == 2.0


@given(arrays(np.float64, (3, 4), elements=st.floats(0, 1e9)), st.floats(0, 1e9))
def test_shared_cost_sums_to_the_whole_or_is_nobodys(work: np.ndarray, cost: float) -> None:
    parts = u.share_out(cost, work).sum(axis=0)
    assert parts == pytest.approx(np.where(work.sum(axis=0) > 0, cost, 0.0), rel=1e-9)


def test_wrong_inputs_are_named() -> None:
    with pytest.raises(InputError, match="life_years"):
        u.capital_charge(1.0, 0.0, 0.1)
    with pytest.raises(InputError, match="method"):
        u.capital_charge(1.0, 5.0, 0.1, "guess")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="work"):
        u.share_out(1.0, [-1.0])
