"""Uncertain numbers: what may be written, and that the quantiles are what was written."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.scenario.distributions import (
    Beta,
    Choice,
    Distribution,
    Fixed,
    LogNormal,
    Normal,
    Pert,
    Quantiles,
    Triangular,
    Truncated,
    Uniform,
    truncate,
)
from lineshaft.scenario.uncertain import looks_whole, read_uncertain
from lineshaft.units import QuantityError

LAWS: list[Distribution] = [
    Quantiles(0.05, 2.0, 0.95, 4.0),
    Quantiles(0.05, -2.0, 0.95, 4.0),
    Quantiles(0.5, 1.0, 0.9, 3.0),
    Quantiles(0.1, 1.0, 0.9, 3.0),
    Normal(1.0, 2.0),
    LogNormal(3.0, 0.5),
    Uniform(-1.0, 2.0),
    Triangular(0.0, 1.0, 4.0),
    Triangular(0.0, 0.0, 4.0),
    Pert(0.0, 1.0, 4.0),
    Beta(2.0, 5.0),
    Beta(2.0, 5.0, 10.0, 20.0),
    Truncated(Normal(0.5, 0.5), 0.0, 1.0),
    Truncated(Quantiles(0.05, 0.6, 0.95, 0.99), 0.0, 1.0),
]
laws = st.sampled_from(LAWS)
chances = st.floats(1e-9, 1 - 1e-9)


@settings(deadline=None)
@given(laws, chances, chances)
def test_quantiles_never_fall(law: Distribution, a: float, b: float) -> None:
    """A larger u gives no smaller value, inside the support."""
    low, high = law.ppf(np.array([min(a, b), max(a, b)]))
    assert law.support[0] <= low <= high <= law.support[1]


@settings(deadline=None)
@given(laws, st.floats(1e-6, 1 - 1e-6))
def test_cdf_undoes_ppf(law: Distribution, u: float) -> None:
    """The two are written apart and must agree."""
    assert law.cdf(float(law.ppf(u))) == pytest.approx(u, abs=1e-9)


@settings(deadline=None)
@given(laws)
def test_median_is_the_middle(law: Distribution) -> None:
    """Half the draws lie below the median."""
    assert law.cdf(law.median) == pytest.approx(0.5, abs=1e-9)


@settings(deadline=None)
@given(st.sampled_from([law for law in LAWS if not isinstance(law, Truncated)]))
def test_toml_reads_back(law: Distribution) -> None:
    """What is written for a law reads back as that law."""
    assert read_uncertain(law.to_toml(), "1") == law


@settings(deadline=None)
@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_range_is_a_90_percent_interval(a: float, b: float) -> None:
    """Both ends are met, whatever the sign; also after writing and reading."""
    low, high = min(a, b), max(a, b)
    if high - low <= 1e-9 * max(abs(a), abs(b)):
        return
    law = read_uncertain(f"{low!r} to {high!r}", "1")
    assert law == Quantiles(0.05, low, 0.95, high)
    scale = high - low
    assert law.ppf(np.array([0.05, 0.95])) == pytest.approx([low, high], abs=1e-6 * scale, rel=1e-6)
    assert read_uncertain(law.to_toml(), "1") == law


WRITTEN = [
    (3, "W", Fixed(3.0)),
    ("150 MW", "W", Fixed(1.5e8)),
    ("2 to 4 MW", "W", Quantiles(0.05, 2e6, 0.95, 4e6)),
    ("2 MW to 4 GW", "W", Quantiles(0.05, 2e6, 0.95, 4e9)),
    ("$2B – $4B", "USD", Quantiles(0.05, 2e9, 0.95, 4e9)),
    ("8 to 12 %", "1", Quantiles(0.05, 0.08, 0.95, 0.12)),
    ("20 to 35 degC", "degC", Quantiles(0.05, 20.0, 0.95, 35.0)),
    ({"p50": "2 MW", "p90": 4e6}, "W", Quantiles(0.5, 2e6, 0.9, 4e6)),
    ({"p90": 4, "p10": 2}, "W", Quantiles(0.1, 2.0, 0.9, 4.0)),
    ({"dist": "lognormal", "median": "2 MW", "sigma": 0.3}, "W", LogNormal(2e6, 0.3)),
    ({"dist": "beta", "a": 2, "b": 3}, "1", Beta(2.0, 3.0)),
    ({"dist": "choice", "values": ["1 MW", "2 MW"]}, "W", Choice((1e6, 2e6))),
]


@pytest.mark.parametrize(("value", "unit", "law"), WRITTEN)
def test_reads(value: object, unit: str, law: Distribution) -> None:
    """All forms, with units on one end or both."""
    assert read_uncertain(value, unit) == law


REFUSED = [
    ("4 to 2", "1", "is not below"),
    ("2 MW to 4", "W", "unit on its first number only"),
    ("1 to 2 to 3", "1", "is not one range"),
    ("2 to 4 kg", "W", "is a mass"),
    ({"p50": 1}, "1", "no uncertain number"),
    ({"low": 1, "high": 2}, "1", "no uncertain number"),
    ({"p50": 3, "p90": 2}, "1", "is not below"),
    ({"p50": 1, "p0": 0}, "1", "not between p0 and p100"),
    ({"dist": "norml", "mean": 1, "sd": 1}, "1", "did you mean 'normal'?"),
    ({"dist": "normal", "mean": 1}, "1", "lacks sd"),
    ({"dist": "normal", "mean": 1, "sd": 1, "low": 0}, "1", "has no 'low'"),
    ({"dist": "normal", "mean": 1, "sd": -1}, "1", "not above 0"),
    ({"dist": "triangular", "low": 1, "mode": 5, "high": 2}, "1", "is not between"),
    ({"dist": "uniform", "low": 2, "high": 2}, "1", "is not below"),
    ({"dist": "choice", "values": [2, 1]}, "1", "rising"),
    ({"dist": "choice", "values": [1, 2], "weights": [1]}, "1", "1 weights"),
]


@pytest.mark.parametrize(("value", "unit", "message"), REFUSED)
def test_refuses(value: object, unit: str, message: str) -> None:
    """With what is wrong."""
    with pytest.raises(QuantityError) as caught:
        read_uncertain(value, unit)
    assert message in str(caught.value)


def test_truncation_keeps_the_shape() -> None:
    """Draws inside the bounds keep their relative odds, and none pile up on a bound."""
    law = truncate(Normal(0.0, 1.0), -1.0, 2.0)
    draws = law.ppf((np.arange(100_000) + 0.5) / 100_000)
    # Mean of a truncated normal: (phi(a) - phi(b)) / (Phi(b) - Phi(a)).
    phi = np.exp(-0.5 * np.array([-1.0, 2.0]) ** 2) / math.sqrt(2 * math.pi)
    assert draws.mean() == pytest.approx((phi[0] - phi[1]) / 0.8185946141203637, abs=1e-4)
    assert np.sum(draws == -1.0) == 0
    assert isinstance(law, Truncated)
    assert law.cut == pytest.approx(1 - 0.8185946141203637, abs=1e-12)
    assert "without the 18 % below -1.00 or above 2.00" in law.describe()


def test_truncation_only_where_needed() -> None:
    """A law that fits is left alone; one that is mostly outside is refused."""
    assert truncate(LogNormal(1.0, 1.0), 0.0, math.inf) == LogNormal(1.0, 1.0)
    with pytest.raises(QuantityError, match="out of bounds"):
        truncate(Normal(0.0, 1.0), 1.0, 2.0)


def test_choice_follows_its_weights() -> None:
    """Values come as often as their weights say."""
    draws = Choice((1.0, 2.0, 5.0), (1.0, 1.0, 2.0)).ppf((np.arange(1000) + 0.5) / 1000)
    assert np.unique(draws, return_counts=True)[1].tolist() == [250, 250, 500]


def test_descriptions() -> None:
    """In the unit of the field, with the law."""
    assert Quantiles(0.05, 2e6, 0.95, 4e6).describe("W") == "2.00 MW to 4.00 MW (90 %, lognormal)"
    assert Quantiles(0.5, 1.0, 0.9, 3.0).describe("task") == "P50 1 task, P90 3 tasks (lognormal)"
    assert Beta(2.0, 5.0).describe("1") == "beta: a 2.00, b 5.00, low 0, high 1.00"
    assert Fixed(1.5e8).describe("W") == "150 MW"


def test_whole_tables() -> None:
    """Tables that stand for one number replace each other; parts of one do not."""
    assert looks_whole({"p50": 1, "p90": 2})
    assert looks_whole({"dist": "normal"})
    assert not looks_whole({"p50": 1, "x": 2})
    assert not looks_whole({})
