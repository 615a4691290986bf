"""From `[capital]` to the stage's arrays: cap table by month, cash plan, debt."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError
from lineshaft.parameters.capital import investors, params
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import read
from lineshaft.stages.capital.captable import ownership
from lineshaft.stages.capital.model import Params
from lineshaft.tables import Dims

PLAN = """
start = "2026-01"
months = 12
[[capital.round]]
name = "later"
month = "2026-06"
raise_usd = "$10B"
post_usd = "$38B"
investors = ["Fund"]
[[capital.round]]
name = "first"
month = "2026-03"
raise_usd = "$65B"
pre_usd = "$900B"
investors = ["Cloud One", "Fund"]
[[capital.round]]
name = "seed"
month = "2024-01"
raise_usd = 1e9
pre_usd = 4e9
[[capital.round]]
name = "far"
month = "2029-01"
raise_usd = 1e9
pre_usd = 4e9
[[capital.debt]]
name = "loan"
month = "2026-02"
amount_usd = "1 to 2 GUSD"
"""


def made(text: str, draws: int = 0) -> tuple[Params, Dims, Scenario]:
    scenario = read(text, model=Scenario)
    calendar = Calendar.of(scenario.start, scenario.months)
    drawn = draw(scenario, draws, 1)
    dims = dims_of(scenario, calendar, 1 + drawn.n)
    return params(scenario, drawn, dims, calendar), dims, scenario


def test_a_firm_with_nothing() -> None:
    p, dims, _ = made("months = 5")
    assert dims.labels["holder"] == ("founders",)
    assert (p.shares == 1).all() and p.shares.shape == (5, 1, 1)
    assert not p.equity_usd.any() and p.debt_usd.shape == p.rate_per_year.shape == (0, 1)


def test_the_cap_table_by_month() -> None:
    p, dims, scenario = made(PLAN)
    assert dims.labels["holder"] == ("founders", "later", "first", "seed", "far")
    equity = np.zeros(12)
    equity[[2, 5]] = 65e9, 10e9
    assert p.equity_usd[:, 0] == pytest.approx(equity)  # the seed was paid in before the start
    assert p.shares.sum(axis=1) == pytest.approx(1.0)
    assert p.shares[0, :, 0] == pytest.approx([0.8, 0, 0, 0.2, 0])
    assert p.shares[2, 2, 0] == pytest.approx(0.06736, abs=5e-6)  # 65 of 965
    expected = ownership([4e9, 900e9, 28e9], [1e9, 65e9, 10e9])
    assert p.shares[11, [0, 3, 2, 1], 0] == pytest.approx(expected)
    assert (p.shares[:, 4] == 0).all()  # after the last month
    assert set(investors(scenario)) == {"Cloud One", "Fund"}


def test_uncertain_terms_have_a_draw_axis_and_certain_ones_have_not() -> None:
    p, dims, _ = made(PLAN, draws=8)
    assert dims.width == 9
    assert p.shares.shape[2] == p.equity_usd.shape[1] == p.opening_cash_usd.shape[0] == 1
    assert p.debt_usd.shape == p.rate_per_year.shape == (1, 9)
    assert p.debt_usd[0, 0] == pytest.approx(2**0.5 * 1e9)
    assert p.runway_months.shape == (9,)
    p, _, _ = made(PLAN.replace('"$65B"', '"30 to 65 GUSD"'), draws=8)
    assert p.shares.shape[2] == p.equity_usd.shape[1] == 9
    assert p.shares.sum(axis=1) == pytest.approx(1.0)


def test_every_problem_is_told_at_once() -> None:
    text = PLAN.replace('post_usd = "$38B"', 'post_usd = "$8B"').replace("2026-02", "2025-12")
    with pytest.raises(InputError) as caught:
        made(text)
    assert [p.key for p in caught.value.problems] == [
        "capital.debt.loan.month",
        "capital.round.later.post_usd",
    ]
    assert "drawn in the first month" in caught.value.problems[0].fix


def test_a_raise_above_the_value_in_some_draw_is_refused() -> None:
    text = PLAN.replace('raise_usd = "$10B"', 'raise_usd = "1 to 60 GUSD"')
    with pytest.raises(InputError, match="pre-money"):
        made(text, draws=256)
