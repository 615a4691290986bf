"""What is varied: values, ranges, points, and everything that can be wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.sweep.template import Template
from lineshaft.sweep.vary import Plan, _items, plan


def test_a_grid_is_the_product_and_the_last_key_changes_fastest(template: Template) -> None:
    found = plan(template, ["value.wacc=0.08..0.12:3", "policy=value,priority"])
    assert len(found) == 6
    assert found.overrides(0) == ("value.wacc=0.08", "policy=value")
    assert found.overrides(1) == ("value.wacc=0.08", "policy=priority")
    assert found.overrides(5) == ("value.wacc=0.12", "policy=priority")
    assert [axis.numeric for axis in found.axes] == [True, False]
    assert len({found.overrides(i) for i in range(6)}) == 6


def test_values_are_read_in_the_unit_of_the_field(template: Template) -> None:
    found = plan(template, ["value.wacc=9 %,0.1", 'serve.speed="0.8 to 1.2",1'])
    wacc, speed = found.axes
    assert wacc.numbers == (0.09, 0.1)
    assert speed.numbers is None  # a range is no plain number
    assert speed.texts == ('"0.8 to 1.2"', "1")
    scenario = template.scenario(found.overrides(0))
    assert scenario.value.wacc.median == 0.09
    assert not scenario.serve.speed.fixed


def test_ends_of_a_range_share_the_last_unit(template: Template) -> None:
    for text in (
        "capital.opening_cash_usd=1..4 MUSD:4",
        "capital.opening_cash_usd=1 MUSD..4 MUSD:4",
    ):
        (cash,) = plan(template, [text]).axes
        assert cash.numbers == (1e6, 2e6, 3e6, 4e6)
        assert cash.texts == ("1000000", "2000000", "3000000", "4000000")
    assert cash.field.unit == "USD"
    assert cash.field.meaning


def test_steps_are_short_numbers(template: Template) -> None:
    (wacc,) = plan(template, ["value.wacc=0.1..0.5:5"]).axes
    assert wacc.texts == ("0.1", "0.2", "0.3", "0.4", "0.5")


@pytest.mark.parametrize("method", ["sobol", "random", "morris"])
def test_points_lie_within_their_ranges(template: Template, method: str) -> None:
    asked = ["value.wacc=0.08..0.12", "months=24..36", "policy=value,priority,proportional"]
    found = plan(template, asked, samples=16, method=method, seed=3)
    assert len(found) == (16 * 4 if method == "morris" else 16)
    rows = [found.row(i) for i in range(len(found))]
    assert all(0.08 <= row[0][1] <= 0.12 for row in rows)
    assert {row[1][1] for row in rows} <= set(range(24, 37))
    assert all(row[1][0].isdecimal() for row in rows)
    assert {row[2][0] for row in rows} == {"value", "priority", "proportional"}
    again = plan(template, asked, samples=16, method=method, seed=3)
    assert [again.row(i) for i in range(len(again))] == rows
    other = plan(template, asked, samples=16, method=method, seed=4)
    assert [other.row(i) for i in range(len(other))] != rows


def test_sobol_points_are_rounded_up_to_a_power_of_two(template: Template) -> None:
    assert len(plan(template, ["value.wacc=0.08..0.12"], samples=9)) == 16


def test_whole_numbers_are_equally_likely(template: Template) -> None:
    found = plan(template, ["months=24..27"], samples=256)
    numbers, counts = np.unique([found.row(i)[0][1] for i in range(256)], return_counts=True)
    assert numbers.tolist() == [24, 25, 26, 27]
    assert counts.tolist() == [64] * 4  # Sobol points are even


def test_every_problem_is_told_at_once(template: Template) -> None:
    asked = [
        "polic=value,priority",
        "policy=value,chance",
        "value.wacc=1..5:3",
        "months=10,12.5",
        "serve.speed",
        "floor.site.warehous.load_w=1..2:2",
        "plant.other=1,,2",
        "value.tax_rate=0.2..0.3",
        "value.roic=0.3..0.2:2",
        "value.growth=0.01..0.02:1",
        "value.inflation_per_year=1 %..2:3",
        "seed=1,2",
        "seed=3",
    ]
    with pytest.raises(InputError) as caught:
        plan(template, asked)
    told = str(caught.value)
    for words in (
        "did you mean 'policy'",
        "policy: 'chance'",
        "value.wacc: 3 is out of bounds",
        "value.wacc: 5 is out of bounds",
        "12.5 is not a whole number",
        "'serve.speed' varies nothing",
        "no item 'warehous'",
        "'1,,2' has an empty value",
        "value.tax_rate: is a range without steps",
        "0.3 is not below 0.2",
        "'1' steps",
        "has a unit on its first number only",
        "seed: is varied twice",
    ):
        assert words in told
    assert all(problem.where != "--set" for problem in caught.value.problems)


def test_steps_and_points_do_not_go_together(template: Template) -> None:
    with pytest.raises(InputError, match="has steps, and points are drawn"):
        plan(template, ["value.wacc=0.08..0.12:3"], samples=8)
    with pytest.raises(InputError, match="did you mean 'sobol'"):
        plan(template, ["value.wacc=0.08..0.12"], samples=8, method="sobl")


def test_nothing_and_too_much(template: Template) -> None:
    with pytest.raises(InputError, match="nothing is varied"):
        plan(template, [])
    with pytest.raises(InputError, match="at most 1,000,000"):
        plan(template, ["value.wacc=0.08..0.12:2000", "value.tax_rate=0.2..0.3:2000"])


@given(st.lists(st.sampled_from(['"a,b"', "[1, 2]", "{p50 = 2, p90 = 4}", "7 %", "x"]), min_size=1))
def test_commas_within_quotes_and_brackets_part_nothing(items: list[str]) -> None:
    assert list(_items(",".join(items))) == items


def test_a_plan_is_small_to_send(template: Template) -> None:
    found: Plan = plan(template, ["value.wacc=0.08..0.12:1000", "value.tax_rate=0.1..0.3:1000"])
    assert len(found) == 1_000_000
    assert found.overrides(999_999) == ("value.wacc=0.12", "value.tax_rate=0.3")
