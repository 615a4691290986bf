"""The edge of units: what people write, what is refused, and what people read."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.units import (
    _SIMPLE,
    _SYMBOL,
    KINDS,
    QuantityError,
    _factor,
    _plain_factor,
    format_quantity,
    parse,
)

READ = [
    ("150 MW", "W", 1.5e8),
    ("45 MWh", "J", 1.62e11),
    ("9 TUSD", "USD", 9e12),
    ("300 GUSD", "USD", 3e11),
    ("300 BUSD", "USD", 3e11),
    ("300 bn USD", "USD", 3e11),
    ("9 万亿 USD", "USD", 9e12),
    ("9万亿美元", "USD", 9e12),
    ("$300亿", "USD", 3e10),
    ("1.5 万 tasks", "task", 15e3),
    ("9 tn USD", "USD", 9e12),
    ("$300B", "USD", 3e11),
    ("-$5m", "USD", -5e6),
    ("USD 3 million", "USD", 3e6),
    ("0.06 USD/kWh", "USD/kWh", 0.06),
    ("60 USD/MWh", "USD/kWh", 0.06),
    ("2 USD/GPU-hour", "USD/GPU-hour", 2.0),
    ("$2/GPU-h", "USD/GPU-hour", 2.0),
    ("0.55 USD/Mtok", "USD/Mtok", 0.55),
    ("0.55 USD per million tokens", "USD/Mtok", 0.55),
    ("40 tok/s", "token/s", 40.0),
    ("45.6 M tasks", "task", 4.56e7),
    ("1,200,000 tokens", "token", 1.2e6),
    ("15T", "token", 1.5e13),
    ("8000 GPU", "accelerator", 8000.0),
    ("100k", "1", 1e5),
    ("12 %", "1", 0.12),
    ("57 %", "1", 0.57),
    ("3 %/year", "1/year", 0.03),
    ("2 weeks", "day", 14.0),
    ("18 months", "year", 1.5),
    ("1 year", "day", 365.25),
    ("10 min", "s", 600.0),
    ("35 °C", "K", 308.15),
    ("80 GB", "byte", 8e10),
    ("1 GiB", "byte", 2.0**30),
    ("989 TFLOPS", "FLOP/s", 9.89e14),
    (7, "W", 7.0),
    ("7", "week", 7.0),
]


@pytest.mark.parametrize(("text", "unit", "value"), READ)
def test_reads(text: str, unit: str, value: float) -> None:
    """Exactly: a person who writes 0.57 in any unit gets 0.57."""
    assert parse(text, unit) == value


REFUSED = [
    ("20 kg", "W", "'20 kg' is a mass; wanted a power, for example '150 MW'"),
    ("80 GB", "1", "is an amount of data; wanted a plain number"),
    ("5 m", "s", "is a length; wanted a time"),
    ("150M", "W", "is a magnitude without a unit"),
    ("150 mw", "W", "did you mean 'MW'?"),
    ("5 mUSD", "USD", "write M for million"),
    ("0.5 USD/mtok", "USD/Mtok", "write M for million"),
    ("0,06 USD/kWh", "USD/kWh", "write a decimal point"),
    ("10**9", "1", "unknown unit"),
    ("300 €", "USD", "unknown unit"),
    ("35 kg", "degC", "is not a temperature"),
    ("", "W", "does not start with a number"),
    ("1e999 W", "W", "not a finite number"),
    (math.nan, "W", "not a finite number"),
    pytest.param(10**400, "1", "not a finite number", id="huge"),
    (True, "W", "neither a number nor a text"),
    ([1], "W", "neither a number nor a text"),
    ("3 W", "robot/s", "wanted a value in robot/s"),
]


@pytest.mark.parametrize(("value", "unit", "message"), REFUSED)
def test_refuses(value: object, unit: str, message: str) -> None:
    """With the reason, the unit that is wanted and an example."""
    with pytest.raises(QuantityError) as caught:
        parse(value, unit)
    assert message in str(caught.value)
    assert isinstance(caught.value, ValueError)


@settings(deadline=None)
@given(
    st.sampled_from(["", "k", "M", "G", "T", "m", "µ"]),
    st.sampled_from(_SIMPLE),
    st.sampled_from(["", "s", "symbol"]),
)
def test_the_short_cut_agrees_with_pint(prefix: str, unit: str, form: str) -> None:
    """Plain cases are read without pint, and must mean the same, or be refused by both."""
    word = prefix + (_SYMBOL.get(unit, unit) if form == "symbol" else unit + form)
    short = _plain_factor(word, unit)
    if short is None:
        return
    oracle = _factor(word, word, unit)
    assert short == pytest.approx(oracle, rel=1e-14)


@pytest.mark.parametrize("unit", ["1/year", "USD/month", "USD/kWh", "request/s", "s"])
@pytest.mark.parametrize("word", ["percent/year", "MUSD/month", "kUSD/kWh", "min", "h", "days"])
def test_the_short_cut_for_rates_and_times_agrees_with_pint(unit: str, word: str) -> None:
    short = _plain_factor(word, unit)
    if short is not None:
        assert short == pytest.approx(_factor(word, word, unit), rel=1e-14)


def test_common_rates_and_times_need_no_pint() -> None:
    known = [("percent/year", "1/year", 0.01), ("MUSD/month", "USD/month", 1e6), ("min", "s", 60)]
    assert [_plain_factor(word, unit) for word, unit, _ in known] == [f for _, _, f in known]
    for word, unit in (("/month", "USD/month"), ("M/year", "1/year"), ("percent/month", "1/year")):
        assert _plain_factor(word, unit) is None


def test_every_kind_reads_its_own_example() -> None:
    """The examples in messages are right."""
    for kind in KINDS:
        example = kind.example.rpartition(" or ")[2].strip("'")
        assert parse(example, kind.unit) > 0, kind


@settings(deadline=None)
@given(st.floats(1e-3, 9e20), st.sampled_from(["W", "USD", "task", "token/s", "byte", "1"]))
def test_what_is_shown_reads_back(value: float, unit: str) -> None:
    """To the three figures that are shown."""
    assert parse(format_quantity(value, unit), unit) == pytest.approx(value, rel=5.1e-3)


SHOWN = [
    (1.234e9, "W", "1.23 GW"),
    (9.3e12, "USD", "$9.30T"),
    (-5e9, "USD", "-$5.00B"),
    (0.06, "USD/kWh", "$0.0600/kWh"),
    (0.412, "1", "0.412"),
    (45.6e6, "task", "45.6 M tasks"),
    (1.0, "task", "1 task"),
    (6.75e16, "token", "67.5 P tokens"),
    (999.9e15, "token", "1.00 E tokens"),
    (2.5e18, "token/s", "2.50 E tokens/s"),
    (1.31e15, "1", "1.31 P"),
    (1.2e15, "USD", "$1,200T"),
    (3.0, "person", "3 people"),
    (2e6, "token/s", "2.00 M tokens/s"),
    (999_999.0, "W", "1.00 MW"),
    (12345.0, "kWh", "12.3 MWh"),
    (8e10, "byte", "80.0 GB"),
    (1e25, "FLOP", "1.00e+25 FLOP"),
    (0.0123, "s", "12.3 ms"),
    (4000.0, "s", "66.7 min"),
    (1e9, "s", "31.7 years"),
    (18.0, "month", "18.0 months"),
    (12.0, "%", "12.0 %"),
    (0.0, "W", "0 W"),
    (math.inf, "W", "∞ W"),
    (math.nan, "W", "nan"),
    (1500.0, "m**2", "1,500 m**2"),
]


@pytest.mark.parametrize(("value", "unit", "text"), SHOWN)
def test_shows(value: float, unit: str, text: str) -> None:
    """Three significant figures with an engineering prefix."""
    assert format_quantity(value, unit) == text


@settings(deadline=None)
@given(st.floats(allow_nan=False), st.sampled_from([kind.unit for kind in KINDS]))
def test_shows_any_float(value: float, unit: str) -> None:
    """No value breaks a report."""
    assert format_quantity(value, unit)


def test_import_is_light() -> None:
    """Units and scenario fields can be imported without the slow libraries."""
    code = (
        "import sys, lineshaft.units, lineshaft.scenario.fields as f\n"
        "from lineshaft.units import parse\n"
        "assert parse('150 MW', 'W') == 1.5e8 and parse('12 %', '1') == 0.12\n"
        "assert parse('26 weeks', 'week') == 26 and parse('80 GB', 'byte') == 8e10\n"
        "slow = {'pint', 'scipy', 'numba'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
