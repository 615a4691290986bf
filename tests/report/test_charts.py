"""The pieces that charts are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.contracts.reasons import CODE, NAMES
from lineshaft.report import palette, plan
from lineshaft.report.charts import Row, by_year, few, number, plain, sheet
from lineshaft.report.shell import embed
from lineshaft.report.work import runs
from lineshaft.runs import Run


@given(st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=60))
def test_runs_say_the_same_as_the_codes(codes: list[int]) -> None:
    """Stretches written out again are the codes, and neighbours differ."""
    found = runs(np.array(codes, np.int8))
    assert [code for start, end, code in found for _ in range(start, end)] == codes
    assert all(a[2] != b[2] for a, b in pairwise(found))


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=40))
def test_the_years_of_a_flow_sum_to_its_months(values: list[float]) -> None:
    """Nothing is lost between months and years."""
    months = [f"{2026 + (i + 6) // 12}-{(i + 6) % 12 + 1:02d}" for i in range(len(values))]
    years, (sums,) = by_year(months, [np.array(values)], "sum")
    assert list(years) == sorted({month[:4] for month in months})
    assert sums.sum() == pytest.approx(sum(values), rel=1e-12, abs=1e-3)


def test_a_year_of_a_stock_is_its_mean_or_its_end() -> None:
    """Months without a value do not count."""
    months = [f"2026-{m:02d}" for m in range(1, 13)]
    values = np.array([np.nan] * 6 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert by_year(months, [values], "mean")[1][0] == pytest.approx([3.5])
    assert by_year(months, [values], "last")[1][0] == pytest.approx([6.0])
    assert np.isnan(by_year(months, [values * np.nan], "mean")[1][0]).all()


@given(st.integers(0, 14), st.integers(2, 9))
def test_few_rows_keep_the_total(count: int, most: int) -> None:
    """Small rows are added up, none is lost, and each has a colour."""
    rows = [Row(f"row {i}", np.array([0.0, float(i * i)])) for i in range(count)]
    found = few(rows, most, palette.SERIES)
    assert len(found) <= most
    assert sum(row.values[1] for row in found) == sum(row.values[1] for row in rows)
    assert all(row.colour for row in found)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_numbers_are_plain(value: float) -> None:
    """JSON has no NaN; six figures are enough."""
    (found,) = plain(np.array([value]))
    if not np.isfinite(value):
        assert found is None
    else:
        assert found == pytest.approx(value, rel=1e-5, abs=1e-14)


@given(st.text())
def test_json_in_a_script_stays_there(text: str) -> None:
    """No text can end the element, and it comes back as it was."""
    found = embed({"name": text})
    assert not set("<>&") & set(found)
    assert json.loads(found) == {"name": text}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.4491, "share", "44.9 %"),
        (5.32e4, "agent", "53.2 k"),
        (-1.18e9, "USD", "−$1.18B"),
        (8.8e8, "W", "880 MW"),
        (float("nan"), "USD", "–"),
    ],
)
def test_numbers_read_well(value: float, unit: str, text: str) -> None:
    """Three figures, a prefix, the unit where it is short."""
    assert number(value, unit) == text


def test_every_reason_has_its_colour() -> None:
    """Colours are well formed and no two reasons share one; text on them can be read."""
    assert len(set(palette.REASONS)) == len(NAMES)
    for colour in palette.REASONS:
        assert len(colour) == 7
        assert palette.ink(colour) in ("#ffffff", "#1d2733")


def test_the_plan_shows_halls_or_phases(make: Callable[..., Run]) -> None:
    """Few halls get a lane each; many halls share the lane of their phase."""
    run = make()
    by_hall = plan.plan(run.construction, run.tables.dims.labels["month"])
    lanes = by_hall.extra["lanes"]
    assert [lane["label"] for lane in lanes][:2] == ["phase 1, whole phase", "phase 1, hall 1"]
    assert [lane["label"] for lane in lanes][6:8] == ["phase 2, hall 1", "phase 2, hall 2"]
    assert len(lanes) == 15
    assert len({item[3] for lane in lanes for item in lane["items"]}) == 5
    assert (lanes[0]["p50"], lanes[1]["p50"]) == (None, 14.0)
    assert by_hall.body[1][1:5] == ("2026-06", "2027-03", "2027-03", "2027-05")


def test_the_plan_says_both_dates_in_words(make: Callable[..., Run]) -> None:
    """When the first and the last hall are ready, in half of the worlds and in 80 % of them."""
    run = make()
    months = run.tables.dims.labels["month"]
    assert plan.ready(plan.plan(run.construction, months)) == (
        "The first hall is ready by 2027-03 in half of the worlds and by 2027-05 in 80 % of them, "
        "the last by 2030-11 in half of the worlds and by 2031-01 in 80 % of them."
    )
    assert plan.ready(plan.plan(None, months)) == ""
    assert plan.plan(None, months).empty


def test_works_that_overlap_stand_on_lines_of_their_own(make: Callable[..., Run]) -> None:
    """No two works of a lane overlap on one line."""
    for lane in plan.plan(make().construction, ("2026-01",)).extra["lanes"]:
        for a in lane["items"]:
            for b in lane["items"]:
                if a is not b and a[4] == b[4]:
                    assert a[1] <= b[0] + 1e-9 or b[1] <= a[0] + 1e-9


def test_many_halls_become_stretches(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hall's line covers its works from first to last, with what held it up on top."""
    monkeypatch.setattr(plan, "MOST_LANES", 4)
    found = plan.plan(make().construction, ("2026-01",))
    lanes = found.extra["lanes"]
    assert [lane["label"] for lane in lanes] == ["phase 1", "phase 2", "phase 3"]
    assert lanes[0]["lines"] == 5
    first = [item for item in lanes[0]["items"] if item[3] == "hall 1"]
    assert (first[0][0], first[-1][1]) == (5.0, 14.0)
    assert {item[2] for item in first} >= {CODE["trade: electrical"], CODE["grid"]}
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in pairwise(first))
    assert lanes[0]["p50"] == 18.5
    assert plan.ready(found).startswith("The first phase is ready by 2027-07")


def test_a_sheet_is_what_the_csv_holds() -> None:
    """Texts stay, numbers have six figures, and what is not a number is empty."""
    assert sheet(("a", "b"), [("x", 1.23456789), ("y", float("nan")), ("z", None)]) == [
        ["a", "b"],
        ["x", 1.23457],
        ["y", None],
        ["z", None],
    ]
