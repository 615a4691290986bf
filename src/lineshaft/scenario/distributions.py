"""The laws of uncertain numbers: median, quantiles, a line for people and the TOML value.

Bounds. A field may allow only a range. A written number outside it is an error. Where only a tail
reaches outside, the distribution is truncated, never clipped: u is mapped into the part of (0, 1)
that the bounds leave, so the draws keep the shape inside and do not pile up on a bound. Median and
quantiles are then those of the truncated distribution, `describe` says how much was cut, and it is
an error when more than half is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.units import QuantityError, format_quantity

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Base of all uncertain numbers, in the unit of their field."""

    dist: ClassVar[str] = ""
    plain: ClassVar[tuple[str, ...]] = ()
    """Parameters that are plain numbers and not in the unit of the field."""

    @property
    def fixed(self) -> bool:
        """True for a number without uncertainty."""
        return False

    @property
    def median(self) -> float:
        """The value at u = 0.5, which is the value of the median case."""
        return _median(self)

    @property
    def support(self) -> tuple[float, float]:
        """The least and the greatest possible value."""
        return -math.inf, math.inf

    @property
    def written(self) -> tuple[float, ...]:
        """The values that a person wrote, all of which must lie within the field's bounds."""
        return ()

    def ppf(self, u: ArrayLike) -> Floats:
        """The values at the cumulative probabilities `u`; same shape; never falls as u rises."""
        raise NotImplementedError

    def cdf(self, x: float) -> float:
        """The probability of a value up to `x`."""
        raise NotImplementedError

    def describe(self, unit: str = "1") -> str:
        """One line for people, for example "2.00 MW to 4.00 MW (90 %, lognormal)"."""
        shown = ", ".join(
            f"{f.name} {_show(getattr(self, f.name), '1' if f.name in self.plain else unit)}"
            for f in fields(self)
        )
        return f"{self.dist}: {shown}"

    def to_toml(self) -> float | str | dict[str, Any]:
        """The TOML value that reads back to an equal distribution in a field of the same unit."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {"dist": self.dist, **listed}


@dataclass(frozen=True, slots=True)
class Fixed(Distribution):
    """A number without uncertainty."""

    value: float

    @property
    def fixed(self) -> bool:
        return True

    @property
    def median(self) -> float:
        return self.value

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value

    @property
    def written(self) -> tuple[float, ...]:
        return (self.value,)

    def ppf(self, u: ArrayLike) -> Floats:
        return np.full(np.shape(u), self.value)

    def cdf(self, x: float) -> float:
        return float(x >= self.value)

    def describe(self, unit: str = "1") -> str:
        return format_quantity(self.value, unit)

    def to_toml(self) -> float | str | dict[str, Any]:
        return _tidy(self.value)


@dataclass(frozen=True, slots=True)
class Quantiles(Distribution):
    """Through two quantiles: lognormal when both values are positive, else normal."""

    low_p: float
    low: float
    high_p: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low_p < self.high_p < 1:
            raise QuantityError("the two quantiles are not between p0 and p100 and different")
        _rising("the lower quantile", self.low, "the higher one", self.high)

    @property
    def _is_log(self) -> bool:
        return self.low > 0

    def _line(self) -> tuple[float, float]:
        """Centre and spread of the normal law of the value, or of its logarithm."""
        from scipy.special import ndtri

        z_low, z_high = float(ndtri(self.low_p)), float(ndtri(self.high_p))
        low, high = self.low, self.high
        if self._is_log:
            low, high = math.log(low), math.log(high)
        spread = (high - low) / (z_high - z_low)
        return low - spread * z_low, spread

    @property
    def median(self) -> float:
        return self.low if self.low_p == 0.5 else float(self.ppf(0.5))

    @property
    def support(self) -> tuple[float, float]:
        return (0.0 if self._is_log else -math.inf), math.inf

    @property
    def written(self) -> tuple[float, ...]:
        return self.low, self.high

    def ppf(self, u: ArrayLike) -> Floats:
        centre, spread = self._line()
        values = _normal_ppf(u, centre, spread)
        return np.exp(values) if self._is_log else values

    def cdf(self, x: float) -> float:
        centre, spread = self._line()
        return _normal_cdf(x, centre, spread, log=self._is_log)

    def describe(self, unit: str = "1") -> str:
        law = "lognormal" if self._is_log else "normal"
        low, high = format_quantity(self.low, unit), format_quantity(self.high, unit)
        if self._is_range:
            return f"{low} to {high} (90 %, {law})"
        return f"{_percentile(self.low_p)} {low}, {_percentile(self.high_p)} {high} ({law})"

    @property
    def _is_range(self) -> bool:
        return (self.low_p, self.high_p) == (0.05, 0.95)

    def to_toml(self) -> float | str | dict[str, Any]:
        if self._is_range:
            return f"{_tidy(self.low)!r} to {_tidy(self.high)!r}"
        return {
            _percentile(self.low_p).lower(): _tidy(self.low),
            _percentile(self.high_p).lower(): _tidy(self.high),
        }


@dataclass(frozen=True, slots=True)
class Normal(Distribution):
    """Normal, by its mean and standard deviation."""

    dist: ClassVar[str] = "normal"
    mean: float
    sd: float

    def __post_init__(self) -> None:
        _positive("sd", self.sd)

    @property
    def written(self) -> tuple[float, ...]:
        return (self.mean,)

    def ppf(self, u: ArrayLike) -> Floats:
        return _normal_ppf(u, self.mean, self.sd)

    def cdf(self, x: float) -> float:
        return _normal_cdf(x, self.mean, self.sd, log=False)


@dataclass(frozen=True, slots=True)
class LogNormal(Distribution):
    """Lognormal, by its median (`centre`) and the standard deviation of its logarithm."""

    dist: ClassVar[str] = "lognormal"
    plain: ClassVar[tuple[str, ...]] = ("sigma",)
    centre: float
    sigma: float

    def __post_init__(self) -> None:
        _positive("median", self.centre)
        _positive("sigma", self.sigma)

    @property
    def median(self) -> float:
        return self.centre

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, math.inf

    @property
    def written(self) -> tuple[float, ...]:
        return (self.centre,)

    def ppf(self, u: ArrayLike) -> Floats:
        return np.exp(_normal_ppf(u, math.log(self.centre), self.sigma))

    def cdf(self, x: float) -> float:
        return _normal_cdf(x, math.log(self.centre), self.sigma, log=True)

    def describe(self, unit: str = "1") -> str:
        return f"lognormal: median {format_quantity(self.centre, unit)}, sigma {self.sigma:.3g}"

    def to_toml(self) -> float | str | dict[str, Any]:
        return {"dist": self.dist, "median": _tidy(self.centre), "sigma": _tidy(self.sigma)}


@dataclass(frozen=True, slots=True)
class Uniform(Distribution):
    """Uniform from low to high."""

    dist: ClassVar[str] = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        _rising("low", self.low, "high", self.high)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def written(self) -> tuple[float, ...]:
        return self.low, self.high

    def ppf(self, u: ArrayLike) -> Floats:
        return np.asarray(self.low + np.asarray(u, dtype=float) * (self.high - self.low))

    def cdf(self, x: float) -> float:
        return min(1.0, max(0.0, (x - self.low) / (self.high - self.low)))


@dataclass(frozen=True, slots=True)
class _Peaked(Distribution):
    """Low, mode and high: shared by the triangular and the PERT law."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        _rising("low", self.low, "high", self.high)
        if not self.low <= self.mode <= self.high:
            raise QuantityError(f"mode {self.mode:g} is not between low and high")

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def written(self) -> tuple[float, ...]:
        return self.low, self.mode, self.high


@dataclass(frozen=True, slots=True)
class Triangular(_Peaked):
    """Triangular, by its lowest, likeliest and highest value."""

    dist: ClassVar[str] = "triangular"

    def ppf(self, u: ArrayLike) -> Floats:
        v = np.asarray(u, dtype=float)
        width, left, right = self.high - self.low, self.mode - self.low, self.high - self.mode
        rising = self.low + np.sqrt(v * width * left)
        falling = self.high - np.sqrt((1 - v) * width * right)
        return np.where(v * width <= left, rising, falling)

    def cdf(self, x: float) -> float:
        width = self.high - self.low
        if x <= self.low or x >= self.high:
            return float(x >= self.high)
        if x < self.mode:
            return (x - self.low) ** 2 / (width * (self.mode - self.low))
        return 1 - (self.high - x) ** 2 / (width * (self.high - self.mode))


@dataclass(frozen=True, slots=True)
class Pert(_Peaked):
    """PERT, by its lowest, likeliest and highest value: a beta law over the range with
    a = 1 + 4 (mode - low) / (high - low) and b = 6 - a (Malcolm et al. 1959)."""

    dist: ClassVar[str] = "pert"

    def _beta(self) -> Beta:
        a = 1 + 4 * (self.mode - self.low) / (self.high - self.low)
        return Beta(a, 6 - a, self.low, self.high)

    def ppf(self, u: ArrayLike) -> Floats:
        return self._beta().ppf(u)

    def cdf(self, x: float) -> float:
        return self._beta().cdf(x)


@dataclass(frozen=True, slots=True)
class Beta(Distribution):
    """Beta with shapes a and b, stretched over low to high."""

    dist: ClassVar[str] = "beta"
    plain: ClassVar[tuple[str, ...]] = ("a", "b")
    a: float
    b: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        _positive("a", self.a)
        _positive("b", self.b)
        _rising("low", self.low, "high", self.high)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def written(self) -> tuple[float, ...]:
        return self.low, self.high

    def ppf(self, u: ArrayLike) -> Floats:
        from scipy.special import betaincinv

        unit = betaincinv(self.a, self.b, np.asarray(u, dtype=float))
        return np.asarray(self.low + unit * (self.high - self.low), dtype=float)

    def cdf(self, x: float) -> float:
        from scipy.special import betainc

        share = min(1.0, max(0.0, (x - self.low) / (self.high - self.low)))
        return float(betainc(self.a, self.b, share))


@dataclass(frozen=True, slots=True)
class Choice(Distribution):
    """One of a few rising values, each with its weight."""

    dist: ClassVar[str] = "choice"
    plain: ClassVar[tuple[str, ...]] = ("weights",)
    values: tuple[float, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.values) < 2 or any(
            a >= b for a, b in zip(self.values, self.values[1:], strict=False)
        ):
            raise QuantityError("values are not two or more rising numbers")
        if self.weights and len(self.weights) != len(self.values):
            raise QuantityError(f"{len(self.values)} values have {len(self.weights)} weights")
        for weight in self.weights:
            _positive("each weight", weight)

    def _cumulative(self) -> Floats:
        sums = np.cumsum(self.weights or np.ones(len(self.values)))
        return np.asarray(sums / sums[-1])

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    @property
    def written(self) -> tuple[float, ...]:
        return self.values

    def ppf(self, u: ArrayLike) -> Floats:
        index = np.searchsorted(self._cumulative(), np.asarray(u, dtype=float))
        return np.asarray(np.array(self.values)[np.minimum(index, len(self.values) - 1)])

    def cdf(self, x: float) -> float:
        below = int(np.searchsorted(np.array(self.values), x, side="right"))
        return float(self._cumulative()[below - 1]) if below else 0.0


@dataclass(frozen=True, slots=True)
class Truncated(Distribution):
    """`inner` between two bounds: u is mapped into the CDF range that the bounds leave."""

    inner: Distribution
    low: float
    high: float

    def _range(self) -> tuple[float, float]:
        return self.inner.cdf(self.low), self.inner.cdf(self.high)

    @property
    def cut(self) -> float:
        """The share of `inner` that lies outside the bounds."""
        first, last = self._range()
        return 1 - (last - first)

    @property
    def support(self) -> tuple[float, float]:
        low, high = self.inner.support
        return max(low, self.low), min(high, self.high)

    @property
    def written(self) -> tuple[float, ...]:
        return self.inner.written

    def ppf(self, u: ArrayLike) -> Floats:
        first, last = self._range()
        values = self.inner.ppf(first + np.asarray(u, dtype=float) * (last - first))
        # Only rounding can leave the bounds here, by a unit in the last place.
        return np.clip(values, self.low, self.high)

    def cdf(self, x: float) -> float:
        first, last = self._range()
        return min(1.0, max(0.0, (self.inner.cdf(x) - first) / (last - first)))

    def describe(self, unit: str = "1") -> str:
        text = self.inner.describe(unit)
        if self.cut < 5e-4:
            return text
        ends = [
            f"{word} {format_quantity(bound, unit)}"
            for word, bound in (("below", self.low), ("above", self.high))
            if math.isfinite(bound)
        ]
        return f"{text}, without the {100 * self.cut:.2g} % {' or '.join(ends)}"

    def to_toml(self) -> float | str | dict[str, Any]:
        return self.inner.to_toml()


@lru_cache(maxsize=4096)
def _median(number: Distribution) -> float:
    """Kept, because a scenario asks for the same medians each time it is solved."""
    return float(number.ppf(0.5))


NAMED: dict[str, type[Distribution]] = {
    cls.dist: cls for cls in (Normal, LogNormal, Uniform, Triangular, Pert, Beta, Choice)
}
"""The named distributions by the word after `dist =`."""


def truncate(inner: Distribution, low: float, high: float) -> Distribution:
    """`inner` held between `low` and `high`, which may be infinite; itself where it fits."""
    least, greatest = inner.support
    if low <= least and greatest <= high:
        return inner
    result = Truncated(inner, low, high)
    if result.cut > 0.5:
        raise QuantityError(f"{100 * result.cut:.0f} % of the distribution is out of bounds")
    return result


def _normal_ppf(u: ArrayLike, centre: float, spread: float) -> Floats:
    from scipy.special import ndtri

    return np.asarray(centre + spread * ndtri(np.asarray(u, dtype=float)), dtype=float)


def _normal_cdf(x: float, centre: float, spread: float, *, log: bool) -> float:
    from scipy.special import ndtr

    if log:
        x = math.log(x) if x > 0 else -math.inf
    return float(ndtr((x - centre) / spread))


def _percentile(p: float) -> str:
    return f"P{round(100 * p, 10):g}"


def _tidy(value: float) -> float:
    """A float as an int where that loses nothing, so that files say 150000000."""
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _show(value: float | tuple[float, ...], unit: str) -> str:
    values = value if isinstance(value, tuple) else (value,)
    return " / ".join(format_quantity(item, unit) for item in values) or "equal"


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise QuantityError(f"{name} {value:g} is not above 0")


def _rising(low_name: str, low: float, high_name: str, high: float) -> None:
    if not low < high:
        raise QuantityError(f"{low_name} {low:g} is not below {high_name} {high:g}")
