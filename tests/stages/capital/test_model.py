"""The monthly half of capital: what may be spent, debt service, ownership."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lineshaft.contracts.funded import Funded, Ownership
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE
from lineshaft.stages.capital.model import FORMULAS, Capital, Params
from lineshaft.tables import Dims

MONTHS = 6


def dims(width: int = 1, holders: tuple[str, ...] = ("founders", "A")) -> Dims:
    return Dims(
        {"month": tuple(f"2026-{m + 1:02d}" for m in range(MONTHS)), "holder": holders}, width
    )


def params(tranches: int = 1, **changes: object) -> Params:
    shares = np.tile(np.array([[[0.8], [0.2]]]), (MONTHS, 1, 1))
    equity = np.zeros((MONTHS, 1))
    equity[2] = 500.0
    plain = Params(
        draw_month=np.array([1, 0][:tranches]),
        interest_only_months=np.array([1, 0][:tranches]),
        term_months=np.array([3, 2][:tranches]),
        debt_usd=np.array([[300.0], [120.0]][:tranches]).reshape(tranches, 1),
        rate_per_year=np.array([[0.12], [0.0]][:tranches]).reshape(tranches, 1),
        shares=shares,
        opening_cash_usd=np.array([1000.0]),
        opening_burn_usd=np.array([30.0]),
        runway_months=np.array([4.0]),
        equity_usd=equity,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def run(p: Params, d: Dims) -> tuple[Funded, Ownership, Ledger]:
    """The plan alone: cash moves by what capital itself pays and gets."""
    ledger = Ledger.opening(d, len(p.draw_month)) if "phase" in d.labels else _ledger(d, p)
    funded, ownership = Funded.allocate(d), Ownership.allocate(d)
    capital = Capital(p, d)
    capital.open(ledger, funded, ownership)
    assert funded.equity_usd[2, 0] == 500 or not p.equity_usd.any()  # known before the months
    for t in range(MONTHS):
        capital.advance(t, ledger, funded)
        ledger.cash_usd += capital.planned[t]
    capital.finish(funded)
    return funded, ownership, ledger


def _ledger(d: Dims, p: Params) -> Ledger:
    keys = ("phase", "fleet", "run", "kind", "model", "site")
    return Ledger.opening(Dims({**d.labels, **dict.fromkeys(keys, ())}, d.width), len(p.draw_month))


def test_a_loan_and_a_round_by_hand() -> None:
    funded, ownership, ledger = run(params(), dims())
    assert funded.debt_drawn_usd[:, 0].tolist() == [0, 300, 0, 0, 0, 0]
    assert funded.equity_usd[:, 0].tolist() == [0, 0, 500, 0, 0, 0]
    # 1 % a month: interest alone in month 2, then two level payments of 300 / (1/1.01 + 1/1.01**2)
    payment = 300 / (1 / 1.01 + 1 / 1.01**2)
    assert funded.interest_usd[:3, 0] == pytest.approx([0, 0, 3])
    assert (funded.interest_usd + funded.repayment_usd)[3:, 0] == pytest.approx(
        [payment, payment, 0]
    )
    assert funded.debt_usd[1:, 0] == pytest.approx([300, 300, 300 * 1.01 - payment, 0, 0])
    assert ledger.debt_usd[0, 0] == 0.0
    assert ownership.share.sum(axis=1) == pytest.approx(1.0)
    # first month: 1000 less four months of the planned burn
    assert funded.spendable_usd[0, 0] == pytest.approx(1000 - 4 * 30)
    assert funded.spendable_usd[2, 0] == pytest.approx(1000 + 300 + 500 - 3 - 4 * 30)
    assert funded.opening_cash_usd[3, 0] == pytest.approx(1797)


def test_debt_balances_for_every_tranche_and_draw() -> None:
    p = params(
        2,
        debt_usd=np.array([[300.0, 100.0, 0.0, 9.0], [120.0, 1.0, 2.0, 3.0]]),
        rate_per_year=np.array([[0.12, 0.0, 0.3, 0.06], [0.0, 0.1, 0.2, 0.3]]),
    )
    funded, _, _ = run(p, dims(4))
    opening = np.concatenate([np.zeros((1, 4)), funded.debt_usd[:-1]])
    closing = opening + funded.debt_drawn_usd - funded.repayment_usd
    assert closing == pytest.approx(funded.debt_usd, abs=1e-9)
    assert funded.debt_drawn_usd.sum(axis=0) == pytest.approx(p.debt_usd.sum(axis=0))
    assert (funded.debt_usd[-1] == 0).all()


def test_without_rounds_and_debt() -> None:
    d = dims(4, ("founders",))
    p = params(0, shares=np.ones((MONTHS, 1, 1)), equity_usd=np.zeros((MONTHS, 1)))
    funded, ownership, _ = run(p, d)
    assert not funded.debt_usd.any() and not funded.interest_usd.any()
    assert (ownership.share == 1).all()
    assert funded.spendable_usd == pytest.approx(880.0)


def test_nothing_may_be_spent_that_the_runway_needs() -> None:
    funded, _, _ = run(params(0, opening_cash_usd=np.array([100.0])), dims())
    assert funded.spendable_usd[0, 0] == 0.0
    assert funded.binding[0, 0] == CODE["funds"]
    assert funded.binding[2, 0] == CODE["none"]  # the round has come in


def test_a_burn_that_brings_money_does_not_loosen_the_purse() -> None:
    funded, _, _ = run(params(0, opening_burn_usd=np.array([-50.0])), dims())
    assert funded.spendable_usd[0, 0] == 1000.0


def test_debt_after_the_last_month_is_never_drawn() -> None:
    funded, _, _ = run(params(draw_month=np.array([MONTHS + 3])), dims())
    assert not funded.debt_drawn_usd.any() and not funded.debt_usd.any()


def test_every_column_has_its_formula() -> None:
    columns = {f"{t.name()}.{c.name}" for t in (Funded, Ownership) for c in t.columns()}
    assert set(FORMULAS) == columns
