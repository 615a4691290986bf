"""The section `[capital]`: rounds and debt as a person writes them."""

from __future__ import annotations

import pytest

from lineshaft.errors import InputError
from lineshaft.scenario.capital import Capital
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.reading import read
from lineshaft.scenario.writing import dump

PLAN = """
opening_cash_usd = "$4B"
opening_burn_usd_per_month = "60 MUSD/month"

[[round]]
name = "A"
month = "2026-03"
raise_usd = "25 to 40 GUSD"
pre_usd = "$350B"
investors = ["Cloud One"]

[[round]]
name = "B"
month = "2026-01"
raise_usd = "$10B"
post_usd = "$38B"

[[debt]]
name = "loan"
month = "2027-01"
amount_usd = "$10B"
interest_only_months = "2 years"
"""


def test_nothing_written_is_a_firm_without_money() -> None:
    empty = Capital()
    assert empty.opening_cash_usd.median == 0 and not empty.round and not empty.debt
    assert list(drivers(empty)) == ["runway_months"]
    assert 6 < empty.runway_months.median < 18


def test_a_plan_is_read_and_written_back() -> None:
    plan = read(PLAN, model=Capital)
    assert plan.opening_burn_usd_per_month.median == 60e6
    assert [r.name for r in plan.counted] == ["B", "A"]  # by month
    assert plan.debt[0].interest_only_months == 24
    assert plan.debt[0].rate_per_year.median == pytest.approx(0.0775, abs=0.001)
    assert list(drivers(plan)) == ["runway_months", "round.A.raise_usd", "debt.loan.rate_per_year"]
    assert read(dump(plan), model=Capital) == plan


def test_a_row_of_the_catalog_fills_in_what_is_left_out() -> None:
    text = '[[round]]\nname = "H"\nmonth = "2026-05"\nrow = "Anthropic 2026-05-28 valuation"\n'
    known = read(text, model=Capital).round[0]
    assert known.pre_usd is not None
    assert (known.raise_usd.median, known.pre_usd.median) == (65e9, 900e9)
    assert known.source.startswith("rounds/Anthropic 2026-05-28 valuation")
    own = read(text + 'post_usd = "$1T"\nraise_usd = "$30B"\n', model=Capital).round[0]
    assert own.pre_usd is None and own.post_usd is not None
    assert (own.raise_usd.median, own.post_usd.median) == (30e9, 1e12)
    assert read(dump(Capital(round=(own,))), model=Capital).round[0] == own


def test_claimed_and_reported_stand_side_by_side_and_one_of_them_pays() -> None:
    text = """
    [[round]]
    name = "G"
    month = "2026-02"
    status = "reported"
    row = "Anthropic 2026-02-12 valuation"
    [[round]]
    name = "H"
    month = "2026-05"
    status = "reported"
    row = "Anthropic 2026-05-28 valuation"
    [[round]]
    name = "H claimed"
    month = "2026-05"
    status = "claimed"
    reported_as = "H"
    row = "Anthropic 2026 claimed valuation"
    [[round]]
    name = "I"
    month = "2027-05"
    raise_usd = 1
    pre_usd = 1
    """
    plan = read(text, model=Capital)
    assert [r.name for r in plan.counted] == ["G", "H", "I"]
    plan = read(text, model=Capital, overrides=["rests_on=claimed"])
    assert [r.name for r in plan.counted] == ["G", "H claimed", "I"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[round]]\nname="A"\nmonth="2026-01"\nraise_usd=1', "one of pre_usd and post_usd"),
        ('[[round]]\nname="A"\nmonth="2026-01"\npre_usd=1', "raise_usd: is missing"),
        (
            '[[round]]\nname="A"\nmonth="2026-01"\nraise_usd=1\npre_usd=1\npost_usd=2',
            "one of pre_usd and post_usd",
        ),
        ('[[round]]\nname="A"\nmonth="2026-01"\nrow="Anthropc 2026-05"', "did you mean"),
        ('[[round]]\nname="founders"\nmonth="2026-01"\nraise_usd=1\npre_usd=1', "holder already"),
        ('[[round]]\nname="A"\nmonth="2026"\nraise_usd=1\npre_usd=1', "month"),
        (
            '[[round]]\nname="A"\nmonth="2026-01"\nraise_usd=1\npre_usd=1\nstatus="rumoured"',
            "'claimed'",
        ),
        (
            '[[round]]\nname="A"\nmonth="2026-01"\nrow="xAI 2026-01 valuation"\nreported_as="B"',
            "reported_as 'B'",
        ),
        (
            '[[debt]]\nname="D"\nmonth="2026-01"\namount_usd=1\nterm_months=24',
            "must be above interest_only_months",
        ),
        ('[[debt]]\nname="D"\nmonth="2026-01"\namount_usd=-1', "out of bounds"),
    ],
)
def test_mistakes_are_told(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(text, model=Capital)


def test_two_items_of_one_name_are_told_without_a_file_too() -> None:
    loan = {"name": "D", "month": "2026-01", "amount_usd": 1}
    with pytest.raises(ValueError, match="a second debt named 'D'"):
        Capital.model_validate({"debt": [loan, loan]})
