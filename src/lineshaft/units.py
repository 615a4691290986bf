"""The edge where "150 MW" becomes 1.5e8, and where 1.5e8 becomes "150 MW" again.

Strings with units exist only here and in files that people write; everything behind is a float
whose name carries its unit. A field declares one unit ("W", "USD/kWh", "month"): `parse` returns
a float in that unit, `format_quantity` takes a float in that unit.

Beyond the units of pint: USD (with `$300B`, `300 bn USD`, `9 TUSD`, `9万亿美元`), token or tok,
task, accelerator or GPU, agent, robot, person, request, FLOP (and FLOPS = FLOP/s). A year is
365.25 days and a month is a twelfth of it. pint is imported when a text first needs it; the plain
cases (the field's own unit, an SI prefix, a percentage) do without.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pint


class QuantityError(ValueError):
    """A quantity that cannot be read: what was found, what is allowed, and the fix."""

    def __init__(self, found: str, allowed: str = "", fix: str = "") -> None:
        self.found, self.allowed, self.fix = found, allowed, fix
        super().__init__(
            found + (f"; wanted {allowed}" if allowed else "") + (f"; {fix}" if fix else "")
        )


class Kind(NamedTuple):
    """A kind of quantity: its name, the unit that stands for its dimension, an example."""

    name: str
    unit: str
    example: str


KINDS: tuple[Kind, ...] = (
    Kind("a plain number or a share", "1", "0.12 or '12 %'"),
    Kind("a power", "W", "150 MW"),
    Kind("an energy", "J", "45 MWh"),
    Kind("an energy", "Wh", "45 MWh"),
    Kind("an energy", "kWh", "45 MWh"),
    Kind("a time", "s", "30 s"),
    Kind("a time", "minute", "10 min"),
    Kind("a time", "hour", "8 hours"),
    Kind("a time", "day", "90 days"),
    Kind("a time", "week", "26 weeks"),
    Kind("a time", "month", "18 months"),
    Kind("a time", "year", "5 years"),
    Kind("a rate", "1/s", "2 /s"),
    Kind("a rate", "1/year", "3 %/year"),
    Kind("an amount of money", "USD", "300 MUSD"),
    Kind("money per energy", "USD/kWh", "0.06 USD/kWh"),
    Kind("money per power", "USD/W", "12 USD/W"),
    Kind("money per time", "USD/hour", "35 USD/hour"),
    Kind("money per token", "USD/Mtok", "0.55 USD/Mtok"),
    Kind("money per accelerator and time", "USD/GPU-hour", "2 USD/GPU-hour"),
    Kind("a number of tokens", "token", "15 Ttok"),
    Kind("a rate of tokens", "token/s", "40 tok/s"),
    Kind("a number of tasks", "task", "45 M tasks"),
    Kind("a number of accelerators", "accelerator", "8000 GPU"),
    Kind("a number of agents", "agent", "500 agents"),
    Kind("a number of robots", "robot", "40 robots"),
    Kind("a number of people", "person", "12 people"),
    Kind("a number of requests", "request", "1000 requests"),
    Kind("a rate of requests", "request/s", "20 requests/s"),
    Kind("an amount of computation", "FLOP", "1e25 FLOP"),
    Kind("a rate of computation", "FLOP/s", "989 TFLOP/s"),
    Kind("an amount of data", "byte", "80 GB"),
    Kind("a rate of data", "byte/s", "8 TB/s"),
    Kind("a mass", "kg", "20 kg"),
    Kind("a length", "m", "5 m"),
    Kind("an area", "m**2", "100 m**2"),
    Kind("a volume", "L", "5 L"),
    Kind("a speed", "m/s", "1.5 m/s"),
    Kind("a temperature", "degC", "25 degC"),
    Kind("a volume per energy", "L/kWh", "1.8 L/kWh"),
    Kind("a mass per energy", "kg/kWh", "0.4 kg/kWh"),
)
"""Names and examples for messages and forms. The first row of a dimension names it."""

_DEFINITIONS = (
    "USD = [currency] = USD = dollar",
    "token = [token] = tok",
    "task = [task]",
    "accelerator = [accelerator] = GPU = gpu",
    "agent = [agent]",
    "robot = [robot]",
    "person = [person] = _ = people",
    "request = [request]",
    "wafer = [wafer]",
    "FLOP = [computation]",
    "FLOPS = FLOP / second",
)
_PREFIX = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUB_PREFIX = {"m": -3, "µ": -6, "u": -6, "n": -9}
_SYMBOL = {"token": "tok", "accelerator": "GPU", "byte": "B", "minute": "min", "hour": "h"}
_SIMPLE = (
    *("W", "Wh", "J", "s", "minute", "hour", "day", "week", "month", "year", "byte", "FLOP"),
    *("FLOP/s", "USD", "token", "task", "accelerator", "agent", "robot", "person", "request"),
)
"""Units that `_plain_factor` knows with a prefix or in the plural, without pint."""
_SECONDS = {"min": 60.0, "h": 3600.0, "hours": 3600.0, "days": 86400.0}
_COUNTED = r"(?:USD|dollars?|tok(?:en)?s?|tasks?|GPUs?|accelerators?|agents?|robots?|people|persons?|requests?|wafers?)\b"  # noqa: E501
_MAGNITUDE = {
    "k": "k", "K": "k", "thousand": "k",
    "M": "M", "mn": "M", "million": "M",
    "G": "G", "B": "G", "bn": "G", "billion": "G",
    "T": "T", "tn": "T", "trillion": "T", "P": "P", "E": "E",
}  # fmt: skip
_CHINESE = {"万亿": 12, "亿": 8, "万": 4}
"""Powers of ten of Chinese number words, which do not go in steps of a thousand."""
_DOLLAR_MAGNITUDE = {**_MAGNITUDE, "m": "M", "b": "G", "t": "T"}
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*(?:,\d{3})*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_CHINESE_NUMBER = re.compile(rf"({_NUMBER.pattern})\s*({'|'.join(_CHINESE)})")
_MAGNITUDE_BEFORE_COUNTED = re.compile(
    rf"(?<![A-Za-z])({'|'.join(sorted(_MAGNITUDE, key=len, reverse=True))})\s*(?={_COUNTED})"
)


def parse(value: object, unit: str) -> float:
    """The float that `value` (a number, or a text such as "150 MW") is in the declared `unit`.

    A bare number is already in `unit`. Raises `QuantityError`, a ValueError that says what was
    found and which unit is wanted, with an example.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise QuantityError(f"{value!r} is neither a number nor a text", wanted(unit))
    if not isinstance(value, str):
        return _finite(value, value, unit)
    number, tail = split(value, unit)
    factor = _plain_factor(tail, unit)
    if factor is None:
        if "degC" in (unit, tail) or "degF" in (unit, tail):
            return float(f"{_offset(value, number, tail, unit):.12g}")
        factor = _factor(value.strip(), tail, unit)
        # 15 digits, so that 18 months are 1.5 years and not 1.4999999999999998.
        return _finite(f"{_finite(number, value, unit) * factor:.15g}", value, unit)
    # Decimal keeps "57 %" at 0.57 where the product of two floats would not.
    _finite(number, value, unit)
    return _finite(Decimal(number) * Decimal(repr(factor)), value, unit)


def split(text: str, unit: str) -> tuple[str, str]:
    """The number and the unit text of `text`, in pint's spelling: "$300B" gives 300 and GUSD."""
    plain = _spelled(text)
    match = _NUMBER.match(plain)
    if not match:
        raise QuantityError(f"{text.strip()!r} does not start with a number", wanted(unit))
    number, tail = match.group(), plain[match.end() :].strip()
    if tail.startswith(","):
        raise QuantityError(f"{text.strip()!r} has a comma", wanted(unit), "write a decimal point")
    if tail[:1].isdigit() or tail.startswith((".", "+", "_")) or len(tail) > 60:
        raise QuantityError(f"{text.strip()!r} is not a number and a unit", wanted(unit))
    if re.search(rf"(?<![A-Za-z])m{_COUNTED}", tail):
        raise QuantityError(
            f"{text.strip()!r} says milli: 'm' is a thousandth", wanted(unit), "write M for million"
        )
    return number.replace(",", "").replace("_", ""), tail


def wanted(unit: str) -> str:
    """What a field in `unit` wants, with an example: "a power, for example '150 MW'"."""
    kind = next((kind for kind in KINDS if kind.unit == unit), None)
    if kind is None:
        return f"a value in {unit}, for example '1 {unit}'"
    example = kind.example if "'" in kind.example else f"'{kind.example}'"
    return f"{kind.name}, for example {example}"


def format_quantity(value: float, unit: str) -> str:
    """`value`, given in `unit`, in three significant figures with an engineering prefix.

    >>> format_quantity(1.234e9, "W"), format_quantity(9.3e12, "USD"), format_quantity(0.412, "1")
    ('1.23 GW', '$9.30T', '0.412')
    >>> format_quantity(4.56e7, "task"), format_quantity(0.06, "USD/kWh")
    ('45.6 M tasks', '$0.0600/kWh')
    """
    if math.isnan(value):
        return "nan"
    if value < 0:
        return "-" + format_quantity(-value, unit)
    head, slash, rest = unit.partition("/")
    rest = f"{slash}{rest}"
    if head == "USD":
        digits, prefix = _engineering(value, whole=False, top="T")
        return f"${digits}{_business(prefix)}{rest}"
    if unit in ("1", ""):
        digits, prefix = _engineering(value, whole=False)
        return f"{digits} {_business(prefix)}".strip()
    if unit == "%":
        return f"{_figures(value)} %"
    if unit == "1/year":
        return f"{_figures(100 * value)} %/year"
    if unit == "s":
        return _duration(value)
    if re.fullmatch(_COUNTED, head):
        digits, prefix = _engineering(value, whole=not rest)
        noun = head if value == 1 and not rest else _plural(head)
        return " ".join(part for part in (digits, _business(prefix), noun) if part) + rest
    match = re.fullmatch(r"([kMGTPE]?)(W|Wh|J|B|byte|FLOP|Hz)", head)
    if match:
        digits, prefix = _engineering(value * 10.0 ** _PREFIX[match[1]], whole=False, small=True)
        return f"{digits} {prefix}{_SYMBOL.get(match[2], match[2])}{rest}"
    if head in ("minute", "hour", "day", "week", "month", "year") and not rest:
        return f"{_figures(value)} {head if value == 1 else _plural(head)}"
    digits, prefix = _engineering(value, whole=False) if value >= 1e7 else (_figures(value), "")
    return " ".join(part for part in (digits, _business(prefix), unit) if part)


def _spelled(text: str) -> str:
    """`text` in the spelling that pint knows: money signs, magnitudes, "per", "GPU-hour"."""
    plain = text.strip().replace("−", "-").replace("·", "*").replace("×", "*")
    plain = _CHINESE_NUMBER.sub(_in_digits, plain).replace("美元", " USD")
    money = re.match(r"([+-]?)\s*(?:US\$|\$|USD)\s*(?=[\d.])", plain)
    if money:
        plain = money[1] + plain[money.end() :]
        number = _NUMBER.match(plain)
        end = number.end() if number else 0
        word = re.match(r"\s*([A-Za-z]*)", plain[end:])
        magnitude = _DOLLAR_MAGNITUDE.get(word[1]) if word else None
        if word and magnitude:
            end += word.end()
        plain = f"{plain[: number.end() if number else 0]} {magnitude or ''}USD{plain[end:]}"
    plain = plain.replace("$", "USD").replace("%", " percent").replace("°C", "degC")
    plain = re.sub(r"\s+per\s+", "/", plain)
    plain = _MAGNITUDE_BEFORE_COUNTED.sub(lambda found: _MAGNITUDE[found[1]], plain)
    return re.sub(r"([A-Za-z]+)-([A-Za-z]+)", r"(\1*\2)", plain)


def _in_digits(found: re.Match[str]) -> str:
    """ "9 万亿" as "9e12"."""
    number = Decimal(found[1].replace(",", "").replace("_", ""))
    return f"{number.scaleb(_CHINESE[found[2]]):e}"


def _finite(number: float | str | Decimal, found: object, unit: str) -> float:
    try:
        result = float(number)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        text = repr(found)
        text = text if len(text) <= 40 else f"{text[:37]}..."
        raise QuantityError(f"{text} is not a finite number", wanted(unit))
    return result


def _plain_factor(tail: str, unit: str) -> float | None:
    """The factor of the cases that need no pint; None for all others."""
    if tail in ("", unit):
        return 1.0
    if unit == "1" and tail == "percent":
        return 0.01
    if tail in _MAGNITUDE and (unit == "1" or re.match(_COUNTED, unit)):
        return 10.0 ** _PREFIX[_MAGNITUDE[tail]]
    if unit == "s" and tail in _SECONDS:
        return _SECONDS[tail]
    head, slash, per = unit.partition("/")
    if slash and unit not in _SIMPLE and tail.endswith(slash + per):
        unit, tail = head, tail.removesuffix(slash + per)
        if (tail, unit) == ("percent", "1"):
            return 0.01
    if unit not in _SIMPLE:
        return None
    # Longest first, or the "s" of "weeks" would be taken for seconds. "Ws" is no plural.
    plural = (unit + "s",) if len(unit) > 2 and unit.isalpha() else ()
    for form in (*plural, unit, _SYMBOL.get(unit, unit)):
        power = {**_PREFIX, **_SUB_PREFIX}.get(tail.removesuffix(form))
        if tail.endswith(form) and power is not None:
            return float(f"1e{power}")
    return None


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint

    registry: pint.UnitRegistry[float] = pint.UnitRegistry()
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


@cache
def _root(text: str) -> tuple[float, pint.Unit]:
    """The factor of a unit text and its root unit. Root units and not dimensions, because to pint
    a byte and a radian have no dimension, so that "80 GB" would pass for a plain number."""
    registry = _registry()
    plain = _spelled(text)
    plain = "dimensionless" + plain if plain.startswith("/") else plain
    unit = registry.parse_units("" if plain == "1" else plain)
    factor, root = registry.get_root_units(unit, check_nonmult=False)
    return float(str(factor)), root


def _factor(found: str, tail: str, unit: str) -> float:
    try:
        factor, root = _root(tail)
    except Exception as error:  # pint raises a dozen kinds, AssertionError among them
        raise _unknown_unit(found, tail, unit) from error
    wanted_factor, wanted_root = _root(unit)
    if root != wanted_root:
        kind = "a magnitude without a unit" if tail in _MAGNITUDE else _kind_of(root)
        raise QuantityError(f"{found!r} is {kind}", wanted(unit))
    return factor / wanted_factor


def _offset(found: str, number: str, tail: str, unit: str) -> float:
    """Temperatures have an offset: 25 degC is 298.15 K."""
    registry = _registry()
    try:
        return float(registry.Quantity(float(number), tail).to(unit).magnitude)
    except Exception as error:
        raise QuantityError(f"{found!r} is not a temperature", wanted(unit)) from error


def _unknown_unit(found: str, tail: str, unit: str) -> QuantityError:
    from difflib import get_close_matches

    known = {kind.unit for kind in KINDS} | {"MW", "GW", "kW", "GWh", "MWh", "GB", "min", "h"}
    lower = {name.lower(): name for name in sorted(known)}
    close = get_close_matches(tail.lower(), lower, n=1, cutoff=0.7)
    hint = f"did you mean {lower[close[0]]!r}?" if close else ""
    return QuantityError(f"{found!r} has an unknown unit {tail!r}", wanted(unit), hint)


def _kind_of(root: pint.Unit) -> str:
    for kind in KINDS:
        if _root(kind.unit)[1] == root:
            return kind.name
    return f"in {root}"


def _figures(value: float) -> str:
    """Three significant figures, trailing zeros kept, powers of ten only where unavoidable."""
    if math.isinf(value):
        return "∞"
    if value == 0:
        return "0"
    rounded = float(f"{value:.2e}")
    if 1e3 <= rounded < 1e7:
        return f"{rounded:,.0f}"
    return format(rounded, "#.3g").rstrip(".")


def _engineering(
    value: float, *, whole: bool, small: bool = False, top: str = "E"
) -> tuple[str, str]:
    """Digits and prefix (up to `top`) of a non-negative value; `whole` keeps small integers free of
    decimals, `small` allows prefixes below 1."""
    if value == 0 or math.isinf(value):
        return _figures(value), ""
    if whole and value < 1000 and value == round(value):
        return f"{value:.0f}", ""
    if small and not 1e-12 <= value < 1e21:
        return format(value, ".2e"), ""
    exponent = math.floor(math.log10(min(float(f"{value:.2e}"), 1e300)) / 3 + 1e-9) * 3
    exponent = max(-9 if small else 0, min(_PREFIX[top], exponent))
    prefix = next(p for p, e in {**_PREFIX, **_SUB_PREFIX}.items() if e == exponent)
    return _figures(value / 10.0**exponent), prefix


def _business(prefix: str) -> str:
    """Money and counts say B for 1e9 where watts and bytes say G."""
    return "B" if prefix == "G" else prefix


def _plural(noun: str) -> str:
    special = {"person": "people", "tok": "tok", "people": "people"}
    return special.get(noun, noun.removesuffix("s") + "s")


def _duration(seconds: float) -> str:
    if seconds < 120:
        digits, prefix = _engineering(seconds, whole=False, small=True)
        return f"{digits} {prefix}s"
    for limit, size, name in (
        (7200.0, 60.0, "min"),
        (172800.0, 3600.0, "h"),
        (6.31152e7, 86400.0, "days"),
        (math.inf, 3.15576e7, "years"),
    ):
        if seconds < limit:
            return f"{_figures(seconds / size)} {name}"
    return "∞"
