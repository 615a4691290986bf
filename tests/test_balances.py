"""A balance that does not close is told with its stage, month and residual."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from lineshaft.balances import BALANCES, NOT_NEGATIVE, check, residuals
from lineshaft.contracts.tables import Tables
from lineshaft.errors import ConservationError
from lineshaft.line import Outcome


@pytest.fixture
def tables(gigawatt: Outcome) -> Tables:
    return copy.deepcopy(gigawatt.tables)


BROKEN = {
    "cash": ("worth", "cash_usd", 1e6),
    "debt": ("funded", "debt_usd", 1e6),
    "accelerators delivered": ("accelerators", "stored", 1.0),
    "crews": ("crews", "idle_h", 1.0),
    "sum of their states": ("states", "empty", 1.0),
    "tokens: admitted": ("served", "refused", 1e6),
    "tasks: demand": ("admitted", "turned_away_tasks", 1.0),
    "tasks: opening": ("done", "closing", 1.0),
    "robots": ("robots", "idle_h", 1.0),
    "energy": ("powered", "losses_j", 1e9),
    "review": ("accepted", "closing_review", 1.0),
    "people": ("people", "idle_min", 1.0),
    "ownership": ("ownership", "share", 1e-3),
    "cost lines": ("worth", "rent_usd", 1e3),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_balance_can_fail(name: str, tables: Tables) -> None:
    table, column, off = BROKEN[name]
    getattr(tables, table)[column][30] += off
    failed = [b for b in residuals(tables) if not b.passed]
    assert any(name in b.name for b in failed)
    with pytest.raises(ConservationError, match="is off by"):
        check(tables)


@pytest.mark.parametrize(("stage", "table", "column"), NOT_NEGATIVE)
def test_what_is_left_over_cannot_be_negative(
    stage: str, table: str, column: str, tables: Tables
) -> None:
    getattr(tables, table)[column][20] = -1e6
    assert any(f"{table}.{column}" in b.name and not b.passed for b in residuals(tables))


def test_not_a_number_is_no_balance(tables: Tables) -> None:
    tables.worth.cash_usd[10] = np.nan
    with pytest.raises(ConservationError):
        check(tables)


def test_the_error_names_stage_and_month(tables: Tables) -> None:
    tables.powered.losses_j[12] += 1e15
    with pytest.raises(ConservationError) as caught:
        check(tables)
    assert caught.value.stage == "plant"
    assert caught.value.month == "2027-01"
    assert caught.value.residual > 0


def test_balances_have_names_of_their_own() -> None:
    assert len({name for _, name in BALANCES}) == len(BALANCES)
