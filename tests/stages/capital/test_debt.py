"""Debt service against the closed form of a level loan."""

from __future__ import annotations

import numpy as np
import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.capital.debt import Schedule, Tranches, schedule


def loan(rate: float = 0.09, draw: int = 0, free: int = 0, term: int = 60) -> Tranches:
    return Tranches(np.array([draw]), np.array([rate]), np.array([free]), np.array([term]))


def level_payment(rate: float, periods: int, principal: float) -> float:
    payment = pyxirr.pmt(rate, periods, principal)
    assert payment is not None
    return -payment


def test_level_loan_follows_the_closed_form() -> None:
    table = schedule(loan(), [1000.0], 61)
    i, k = 0.09 / 12, np.arange(61)
    balance = 1000 * ((1 + i) ** 60 - (1 + i) ** k) / ((1 + i) ** 60 - 1)
    assert table.closing_usd[0] == pytest.approx(balance, abs=1e-9)
    payment = (table.interest_usd + table.repayment_usd)[0, 1:]
    assert payment == pytest.approx(level_payment(i, 60, 1000.0), rel=1e-12)
    assert (table.interest_usd + table.repayment_usd)[0, 0] == 0.0


def test_interest_only_months_come_first() -> None:
    table = schedule(loan(rate=0.12, draw=2, free=6, term=18), [100.0], 24)
    assert table.interest_usd[0, :9] == pytest.approx([0] * 3 + [1.0] * 6)
    assert not table.repayment_usd[0, :9].any()
    payment = (table.interest_usd + table.repayment_usd)[0, 9:21]
    assert payment == pytest.approx(level_payment(0.01, 12, 100.0), rel=1e-12)
    assert table.closing_usd[0, 20:] == pytest.approx(0.0, abs=1e-9)


@given(
    st.floats(0.0, 0.5),
    st.integers(0, 5),
    st.integers(0, 12),
    st.integers(1, 24),
    st.floats(0, 1e9),
)
def test_every_tranche_closes_and_costs_its_rate(
    rate: float, draw: int, free: int, level: int, amount: float
) -> None:
    months = draw + free + level + 2
    table: Schedule = schedule(loan(rate, draw, free, free + level), [amount], months)
    balance = table.opening_usd + table.drawn_usd - table.repayment_usd
    assert balance == pytest.approx(table.closing_usd, abs=1e-6)
    assert table.closing_usd[0, -1] == 0.0  # exactly: no crumbs are carried for ever
    assert (table.repayment_usd >= 0).all()
    paid = (table.interest_usd + table.repayment_usd)[0]
    v = (1 + rate / 12) ** -(np.arange(months) - float(draw))
    assert (paid * v).sum() == pytest.approx(amount, rel=1e-9, abs=1e-6)


def test_draws_with_their_own_rates_and_amounts() -> None:
    tranches = Tranches(
        np.array([0, 3]),
        np.array([[0.05, 0.10], [0.08, 0.0]]),
        np.array([0, 2]),
        np.array([12, 24]),
    )
    drawn = np.array([[100.0, 200.0], [50.0, 0.0]])
    table = schedule(tranches, drawn, 30)
    assert table.closing_usd.shape == (2, 30, 2)
    for d in range(2):
        alone = Tranches(
            tranches.draw_month,
            tranches.rate[:, d],
            tranches.interest_only_months,
            tranches.term_months,
        )
        one = schedule(alone, drawn[:, d], 30)
        assert (one.interest_usd == table.interest_usd[:, :, d]).all()
        assert (one.closing_usd == table.closing_usd[:, :, d]).all()


def test_every_wrong_term_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        loan(rate=-0.1, draw=-1, free=-1, term=-5)
    assert len(caught.value.problems) == 4
    with pytest.raises(InputError, match="term_months"):
        loan(free=12, term=12)
