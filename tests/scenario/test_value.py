"""The section `[value]`: contracts, leases, claims, costs."""

from __future__ import annotations

import pytest

from lineshaft.errors import InputError
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.reading import read
from lineshaft.scenario.value import Claim, Contract, PowerLease, Value
from lineshaft.scenario.writing import dump

FULL = """
wacc = "10 % to 12 %"
overhead_usd_per_month = "40 MUSD/month"
staff_wage_usd_per_h = "60 USD/hour"
inflation_per_year = "2.5 %/year"

[[contract]]
name = "retailer"
customer = "Retailer"
kind = "support"
tasks_per_month = "3 M tasks"
price_usd_per_task = "0.9 USD/task"
start = "2027-01"
term_months = "3 years"
escalator_per_year = "3 %/year"
take_or_pay = "70 %"

[[power_lease]]
name = "tenant hall"
site = "abilene"
power_w = "110 MW"
usd_per_kw_month = "150 USD/kW/month"
start = "2028-01"

[[claim]]
name = "nine trillion"
firm = "Anthropic"
raise_usd = "$300B"
pre_usd = "$9T"
date = "2026"
source = "an essay"
"""


def test_defaults_are_ranges_with_a_source() -> None:
    plain = Value()
    assert plain.wacc.median == pytest.approx(0.112, abs=0.001)
    assert plain.life_accelerators_years.median == pytest.approx(5)
    assert list(plain.life_accelerators_years.support) == [3, 7]
    assert "life_accelerators_years" in drivers(plain)  # a first-order driver stays in the draws
    for name, field in Value.model_fields.items():
        extra = str(field.json_schema_extra)
        number = name.endswith(("_per_year", "_years", "_days", "_rate", "wacc", "growth", "roic"))
        if number and name != "overhead_growth_per_year":
            assert "'x-source'" in extra, name
            assert "'x-confidence'" in extra, name


def test_every_field_says_what_it_is() -> None:
    for section in (Value, Contract, PowerLease, Claim):
        assert all(field.description for field in section.model_fields.values())


def test_a_full_section_is_read_and_written_back() -> None:
    value = read(FULL, model=Value)
    assert value.contract[0].tasks_per_month == 3e6
    assert value.contract[0].term_months == 36
    assert value.contract[0].take_or_pay == 0.7
    assert value.power_lease[0].power_w == 110e6
    assert value.power_lease[0].usd_per_kw_month.median == 150
    assert value.claim[0].pre_usd == 9e12
    assert read(dump(value), model=Value) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wacc = 0.02", "wacc 0.02 is not above growth"),
        ('growth = "15 %"', "not above growth 0.15"),
        ("roic = 0.03", "roic 0.03 is not above growth"),
        ("tax_rate = 21", "'21 %'"),
        ('receivable_days = "120 days"', "0 to 91"),
        ('[[claim]]\nname="C"\nfirm="F"\ndate="2026"\nsource="s"\npre_usd=1', "no valuation"),
        ('[[claim]]\nname="C"\nfirm="F"\ndate="May 2026"\nsource="s"\nvalue_usd=1', "date"),
        ('[[claim]]\nname="C"\nfirm="F"\ndate="2026"\nvalue_usd=1', "source: is missing"),
        (
            '[[claim]]\nname="C"\nfirm="F"\ndate="2026"\nsource="s"\nvalue_usd="1 to 2"',
            "is uncertain",
        ),
        (FULL.replace('"70 %"', "1.2"), "out of bounds"),
    ],
)
def test_mistakes_are_told(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(text, model=Value)


def test_two_items_of_one_name_are_told_without_a_file_too() -> None:
    claim = {"name": "C", "firm": "F", "date": "2026", "source": "s", "value_usd": 1}
    with pytest.raises(ValueError, match="a second claim named 'C'"):
        Value.model_validate({"claim": [claim, claim]})
