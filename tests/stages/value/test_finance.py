"""Finance functions against published answers, pyxirr and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lineshaft.errors import InputError
from lineshaft.stages.value import finance as f

DATES = ["2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01"]
FLOWS = [-10000, 2750, 4250, 3250, 2750]


def test_microsoft_examples() -> None:
    """The examples of Excel's documentation for XIRR, XNPV and NPV."""
    assert f.xirr(DATES, FLOWS) == pytest.approx(0.373362535, abs=1e-8)
    assert f.xirr(DATES, FLOWS) == pytest.approx(0.3733625335, abs=1e-10)
    assert f.xnpv(0.09, DATES, FLOWS) == pytest.approx(2086.6476, abs=5e-5)
    assert f.npv(0.10, [-10000, 3000, 4200, 6800]) == pytest.approx(1188.4434, abs=5e-5)


def test_annuity_repays_the_principal() -> None:
    rate = np.array([-0.02, 0.0, 1e-9, 0.0675, 0.5])
    payment = f.annuity(100.0, rate, 12)
    assert f.npv(rate, np.broadcast_to(payment, (12, 5))) == pytest.approx(100.0, rel=1e-9)


def test_npv_by_draws_and_by_first_period() -> None:
    flows = np.array([[-100.0, -50.0], [60.0, 30.0], [70.0, 20.0]])
    expected = [pyxirr.npv(r, flows[:, d]) for d, r in enumerate((0.1, 0.2))]
    assert f.npv([0.1, 0.2], flows, first=0) == pytest.approx(expected, rel=1e-12)
    assert f.npv([0.1, 0.2], flows) * [1.1, 1.2] == pytest.approx(expected, rel=1e-12)


def test_irr_rows_agree_with_pyxirr() -> None:
    """One hundred projects of forty years, 1e-9."""
    rng = np.random.default_rng(5)
    flows = rng.normal(1.0, 0.3, (100, 40)).clip(0.01)
    flows[:, :3] = -rng.uniform(1.0, 30.0, (100, 3))
    rates = f.irr_rows(flows).require("test")
    assert rates == pytest.approx([pyxirr.irr(row) for row in flows], abs=1e-9)
    assert f.irr(flows[0]) == pytest.approx(rates[0], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (5, 12), elements=st.integers(-50, 50).map(float)))
def test_every_rate_given_makes_the_flow_worthless(flows: np.ndarray) -> None:
    """And a rate is refused only with a reason that can be checked."""
    answer = f.irr_rows(flows)
    for row, rate, code in zip(flows, answer.value, answer.code, strict=True):
        signs = np.sign(row[row != 0])
        changes = int((signs[1:] != signs[:-1]).sum())
        if code == f.OK:
            worth = f.npv(rate, row, first=0)
            size = f.npv(rate, np.abs(row), first=0)
            assert abs(worth) <= 1e-10 * size
        else:
            assert np.isnan(rate)
        if changes == 0:
            assert code == f.NO_SIGN_CHANGE
        if changes == 1:
            assert code in (f.OK, f.OUT_OF_RANGE)


def test_irr_refuses_what_is_not_certain() -> None:
    rows = [
        [-10.0, 50.0, -60.0],  # 100 % and 200 %
        [-1.0, -1.0, 0.0],
        [-1.0, np.nan, 2.0],
        [-10.0, 6.0, 6.0],
        [10.0, -6.0, -6.0],  # the same loan from the other side
        [-10.0, 16.0, -1.0],  # two changes of sign, but one in the running total
    ]
    answer = f.irr_rows(rows)
    assert answer.code.tolist() == [f.NOT_UNIQUE, f.NO_SIGN_CHANGE, f.NOT_FINITE, 0, 0, 0]
    assert answer.value[3] == pytest.approx(answer.value[4], rel=1e-12)
    assert answer.value[5] == pytest.approx((16 + np.sqrt(16**2 - 40)) / 20 - 1, rel=1e-12)
    assert len(answer.why) == 3
    with pytest.raises(InputError, match=r"value\.irr"):
        answer.require("value.irr")


def test_irr_of_long_monthly_flows_is_found() -> None:
    """480 months: the bracket keeps (1+r)^t a number."""
    flows = np.full((2, 481), 1.0)
    flows[:, 0] = [-100.0, -1000.0]
    rates = f.irr_rows(flows).require("test")
    assert f.annuity([100.0, 1000.0], rates, 480) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("flows", [[1.0, 2.0], [0.0, 0.0]])
def test_scalar_rates_without_answer_are_input_errors(flows: list[float]) -> None:
    with pytest.raises(InputError, match="flows"):
        f.irr(flows)
    with pytest.raises(InputError, match="flows"):
        f.xirr(DATES[:2], flows)


def test_wrong_inputs_are_named() -> None:
    with pytest.raises(InputError, match="rate"):
        f.npv(-1.0, [1.0])
    with pytest.raises(InputError, match="periods"):
        f.annuity(1.0, 0.1, 0)
    with pytest.raises(InputError, match="dates"):
        f.xnpv(0.1, ["yesterday"], [1.0])
    with pytest.raises(InputError, match="t >= 2"):
        f.irr_rows([1.0, 2.0])
    with pytest.raises(InputError, match="learning_rate"):
        f.wright(1.0, 2.0, 1.0, 1.0)
    with pytest.raises(InputError, match="cumulative"):
        f.wright(1.0, 0.0, 1.0, 0.2)
    with pytest.raises(InputError, match="life_periods"):
        f.straight_line([1.0], 0)


def test_gordon_is_the_sum_of_a_long_row() -> None:
    flows = 5.0 * 1.03 ** np.arange(1, 2001)
    assert f.gordon(5.0, 0.10, 0.03).value == pytest.approx(f.npv(0.10, flows), rel=1e-12)


def test_terminal_values_refuse_with_a_reason() -> None:
    answer = f.gordon([5.0, 5.0, -5.0, np.nan], [0.10, 0.03, 0.10, 0.1], 0.03)
    assert answer.code.tolist() == [0, f.RATE_BELOW_GROWTH, f.NEGATIVE_FLOW, f.NOT_FINITE]
    assert np.isnan(answer.value[1:]).all()
    driver = f.value_driver([5.0, 5.0, 5.0, -1.0], [0.1, 0.1, 0.02, 0.1], 0.03, [0.15, 0.03, 1, 1])
    assert driver.code.tolist() == [
        0,
        f.RETURN_BELOW_GROWTH,
        f.RATE_BELOW_GROWTH,
        f.NEGATIVE_FLOW,
    ]
    assert driver.value[0] == pytest.approx(5 * 1.03 * (1 - 0.03 / 0.15) / 0.07)


def test_growth_adds_nothing_at_a_return_equal_to_the_rate() -> None:
    """The known property of the value-driver formula, for a profit that starts next year."""
    growth = np.array([0.0, 0.02, 0.05])
    value = f.value_driver(8.0 / (1 + growth), 0.10, growth, 0.10).require("test")
    assert value == pytest.approx(80.0, rel=1e-12)


def test_dcf_sums_its_parts_and_explains_a_loss() -> None:
    flows = np.array([[-10.0, -10.0], [5.0, -5.0], [8.0, -1.0]])
    result = f.dcf(flows, 0.1, f.gordon(flows[-1], 0.1, 0.03))
    assert result.value.value[0] == result.explicit_usd[0] + result.terminal_usd[0]
    expected = -10 / 1.1 + 5 / 1.21 + 8 / 1.331 + 8 * 1.03 / 0.07 / 1.331
    assert result.value.value[0] == pytest.approx(expected, rel=1e-12)
    assert result.value.code.tolist() == [0, f.NEGATIVE_FLOW]
    assert np.isfinite(result.explicit_usd[1])
    with pytest.raises(InputError, match="extend the plan"):
        result.value.require("value.dcf")


@given(st.integers(1, 12), arrays(np.float64, (10, 2), elements=st.floats(0, 1e6)))
def test_depreciation_and_book_value_make_up_the_capex(life: int, capex: np.ndarray) -> None:
    later = np.concatenate([capex, np.zeros((life, 2))])
    charge = f.straight_line(later, life)
    assert charge.sum(axis=0) == pytest.approx(capex.sum(axis=0), rel=1e-9, abs=1e-6)
    assert charge[-1] == pytest.approx(0.0, abs=1e-6)


def test_tax_carries_losses_forward() -> None:
    losses, taxes = np.zeros(2), []
    for profit in (-100.0, 50.0, 100.0):
        tax, losses = f.tax_step(profit, losses, 0.21, np.array([0.8, 1.0]))
        taxes.append(tax)
    assert np.array(taxes) == pytest.approx(
        np.array([[0.0, 0.0], [0.21 * 10, 0.0], [0.21 * 40, 0.21 * 50]])
    )
    assert losses == pytest.approx([0.0, 0.0])


def test_learning_halves_nothing_but_what_it_says() -> None:
    assert f.wright(100.0, [1, 2, 4, 8], 1.0, 0.2) == pytest.approx([100, 80, 64, 51.2])


def test_free_cash_flow() -> None:
    assert f.free_cash_flow(100.0, 10.0, 50.0, -5.0) == 45.0
