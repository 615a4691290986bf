"""The calibration panel, round trips and guards of the reverse DCF."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.value import finance as f
from lineshaft.stages.value.reverse_dcf import Plan, implied, multiple

PANEL = {
    (380, 14): ((55, 162), (64, 230), (77, 354)),
    (965, 47): ((47, 410), (56, 581), (69, 894)),
    (852, 24): ((62, 364), (73, 517), (86, 799)),
    (9300, 47): ((118, 4084), (131, 5841), (149, 9125)),
    (9300, 100): ((92, 4034), (104, 5751), (119, 8944)),
}
"""(value, run-rate) in billion USD: first-year growth in % and year-10 revenue at 10, 12, 15 %."""


@pytest.mark.parametrize(("case", "cells"), PANEL.items())
def test_panel_to_the_printed_digits(
    case: tuple[int, int], cells: tuple[tuple[int, int], ...]
) -> None:
    answer = implied(case[0] * 1e9, case[1] * 1e9, [0.10, 0.12, 0.15])
    assert np.round(100 * answer.growth).tolist() == [cell[0] for cell in cells]
    assert np.round(answer.final_revenue_usd / 1e9).tolist() == [cell[1] for cell in cells]


def test_implied_revenue_rises_with_the_run_rate_of_reported_rounds() -> None:
    """Anthropic's rounds of 2025-03 to 2026-05: no fit, and a band of 0.03 to 1 trillion USD."""
    value, run_rate = np.array([61.5, 183, 380, 965]) * 1e9, np.array([1.2, 5, 14, 47]) * 1e9
    revenue = implied(value, run_rate, 0.12).final_revenue_usd
    assert (np.diff(revenue) > 0).all()
    assert 0.03e12 < revenue[0] < revenue[-1] < 1e12


@given(
    st.floats(1e6, 1e13),
    st.floats(1e6, 1e12),
    st.floats(0.04, 0.6),
    st.floats(0.05, 0.6),
    st.floats(-1.0, 0.05),
)
def test_the_plan_is_worth_the_value(
    value: float, run_rate: float, rate: float, margin_end: float, margin_start: float
) -> None:
    plan = Plan(margin_start=margin_start, margin_end=margin_end)
    answer = implied(value, run_rate, rate, plan)
    if answer.code == f.TOO_FAST:
        assert multiple(99.0, rate, plan) * run_rate < value
        return
    assert answer.code == f.OK
    terminal = f.gordon(answer.flow_usd[-1], rate, plan.growth_end)
    total = f.dcf(answer.flow_usd, rate, terminal).value.require("test")
    scale = np.abs(f.npv(rate, np.abs(answer.flow_usd))) + value
    assert abs(total - value) <= 1e-9 * scale
    assert multiple(answer.growth, rate, plan) == pytest.approx(value / run_rate, rel=1e-6)


def test_value_rises_with_growth_once_it_is_positive() -> None:
    """What makes the root unique."""
    growth = np.linspace(-0.99, 5.0, 2000)
    for rate in (0.04, 0.1, 0.3, 1.0):
        worth = multiple(growth, rate)
        first = int(np.argmax(worth > 0))
        assert (np.diff(worth[first:]) > 0).all()


def test_no_answer_is_explained() -> None:
    answer = implied(
        [38e9, -1.0, 1e12, np.nan, 1e40], [0.0, 1.0, 1e9, 1.0, 1.0], [0.1, 0.1, 0.03, 0.1, 0.1]
    )
    assert answer.code.tolist() == [
        f.NOT_POSITIVE,
        f.NOT_POSITIVE,
        f.RATE_BELOW_GROWTH,
        f.NOT_FINITE,
        f.TOO_FAST,
    ]
    assert np.isnan(answer.growth).all()
    assert np.isnan(answer.revenue_usd).all()
    assert implied(1e9, 1e9, 0.1, Plan(margin_end=-0.1)).code == f.NO_MARGIN
    with pytest.raises(InputError, match="plan"):
        Plan(years=1)
