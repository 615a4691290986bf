"""Every column of every contract says what it is; time and load shapes add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.contracts.calendar import YEAR_S, Calendar, LoadShape
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.tables import Tables
from lineshaft.contracts.worth import REVENUE, Worth
from lineshaft.tables import Dims

KEYS = ("month", "site", "phase", "trade", "fleet", "run", "model", "kind", "role", "holder")


@pytest.mark.parametrize("name", Tables.types())
def test_every_column_has_unit_and_meaning(name: str) -> None:
    table = Tables.types()[name]
    assert table.name() == name
    assert set(table.KEYS) <= set(KEYS)
    assert table.columns()
    for c in table.columns():
        assert c.unit and c.meaning
        assert "\n" not in c.meaning and not c.meaning.endswith(".")


def test_every_line_of_revenue_has_its_word() -> None:
    lines = [c.name for c in Worth.columns() if c.name.endswith("_revenue_usd")]
    assert lines == list(REVENUE.values())


def test_tables_are_allocated_together_and_cut_to_the_median() -> None:
    dims = Dims(dict.fromkeys(KEYS, ("a", "b")), 4)
    tables = Tables.allocate(dims)
    tables.worth.cash_usd[:] = np.arange(8).reshape(2, 4)
    median = tables.median()
    assert median.worth.cash_usd.tolist() == [[0.0], [4.0]]
    assert tables.worth.cash_usd.shape == (2, 4)
    assert [name for name, _ in tables] == list(Tables.types())


def test_the_ledger_opens_empty() -> None:
    ledger = Ledger.opening(Dims(dict.fromkeys(KEYS, ("a",)), 2), tranches=3)
    assert ledger.debt_usd.shape == (3, 2)
    assert (ledger.derate == 1).all()
    assert (ledger.log2_horizon == -np.inf).all()


def test_the_calendar_counts_real_days() -> None:
    c = Calendar.of("2027-11", 5)
    assert c.labels == ("2027-11", "2027-12", "2028-01", "2028-02", "2028-03")
    assert c.days.tolist() == [30, 31, 31, 29, 31]
    assert c.month_of_year.tolist() == [10, 11, 0, 1, 2]
    assert c.year.tolist() == [2027, 2027, 2028, 2028, 2028]
    assert c.years[0] == pytest.approx(15 * 86400 / YEAR_S)


@given(st.lists(st.floats(0.1, 10), min_size=48, max_size=48), st.floats(1, 3))
def test_a_load_shape_spreads_its_mean(hours: list[float], peak_day: float) -> None:
    shape = LoadShape(np.array(hours[:24]), np.array(hours[24:]), peak_day)
    assert shape.weights.sum() == pytest.approx(1)
    assert (shape.hours * shape.weights).sum() == pytest.approx(1)
    assert shape.peak_over_mean == pytest.approx(shape.hours.max() * peak_day)


def test_a_flat_shape_has_no_peak() -> None:
    assert LoadShape(np.ones(24), np.ones(24)).peak_over_mean == pytest.approx(1)
