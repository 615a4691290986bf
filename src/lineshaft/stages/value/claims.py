"""The claim check: a claimed figure beside the reported one, and what would have to be true.

Claimed and reported figures stay side by side, each with its date and source; neither overwrites
the other, and the result says on which one it rests. The rules:

    unit slip           claimed / reported near 10, 100, 1000 or 10 000, with the unit words
                        that such a slip mixes up (亿 = 1e8, 万亿 = 1e12, bn = 1e9, tn = 1e12)
    ratio to last round the valuation / the last reported post-money, with its date
    share of world GDP  valuation, and implied revenue, against an output given with its source
    implied revenue     reverse DCF: growth and final revenue that make the figure true
    circular finance    an investor who is also supplier or customer

Levels: `alarm` doubts the figure, `flag` is something to know when reading it, `ok` is neither.
The limits for an alarm are arguments and a matter of judgement, not of measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.stages.value.finance import WHY
from lineshaft.stages.value.reverse_dcf import PLAN, Plan, implied

Level = Literal["ok", "flag", "alarm"]
What = Literal["raise", "pre", "post", "run-rate", "world GDP"]

UNITS: tuple[tuple[str, float], ...] = (
    ("million", 1e6),
    ("亿", 1e8),
    ("bn", 1e9),
    ("万亿", 1e12),
    ("tn", 1e12),
)
"""Words for large numbers in English and Chinese money reports."""

SLIP_TOLERANCE = 0.05
"""A ratio within this distance in log10 of a power of ten is near it (a factor of 1.12)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure in USD, with its date (YYYY, YYYY-MM or YYYY-MM-DD) and source."""

    what: What
    usd: float
    date: str
    source: str


Row = tuple[Figure, Figure | None]
"""A claimed figure and the reported one of the same event, if there is any."""


@dataclass(frozen=True, slots=True)
class UnitSlip:
    """A ratio that looks like a unit read wrong."""

    factor: int
    """10, 100, 1000 or 10 000."""
    too_large: bool
    """The claimed figure is the larger one."""
    words: tuple[tuple[str, str], ...]
    """(the unit of the smaller figure, the unit of the larger one) that a single slip mixes up."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says."""

    rule: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class MustBeTrue:
    """What the valuation asks for at one discount rate; NaN where nothing can give it."""

    rate: float
    growth: float
    """Growth of revenue in year 1."""
    final_revenue_usd: float
    gdp_share: float
    """Final revenue per world GDP of the year given; NaN without it."""


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """Both figures and every rule's verdict."""

    claimed_usd: float
    """Claimed post-money valuation; NaN if there is none."""
    reported_usd: float
    """Reported post-money valuation; NaN if there is none."""
    rests_on: str
    """"claimed" or "reported": the figure that the rules below the slip were applied to."""
    slips: tuple[UnitSlip | None, ...]
    """One for each row."""
    ratio_to_last: float
    """Valuation per last reported post-money; NaN without one."""
    gdp_share: float
    """Valuation per world GDP; NaN without it."""
    must_be_true: tuple[MustBeTrue, ...]
    circular: tuple[str, ...]
    """Investors that are also suppliers or customers."""
    findings: tuple[Finding, ...]

    @property
    def alarm(self) -> bool:
        """Some rule doubts the figure."""
        return any(finding.level == "alarm" for finding in self.findings)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One line for each finding."""
        return tuple(f"{f.level}: {f.rule}: {f.text}" for f in self.findings)


def unit_slip(claimed_usd: float, reported_usd: float) -> UnitSlip | None:
    """The unit slip that explains the ratio, or None where it is not near 10 to 10 000.

    Raises InputError unless both are positive.
    """
    if not (claimed_usd > 0 and reported_usd > 0):
        found = f"claimed {claimed_usd:g}, reported {reported_usd:g}"
        raise InputError(Problem("", "claims", found, "positive figures in USD"))
    size = float(np.log10(claimed_usd / reported_usd))
    power = round(abs(size))
    if not 1 <= power <= 4 or abs(abs(size) - power) > SLIP_TOLERANCE:
        return None
    words = tuple(
        (small, large) for small, a in UNITS for large, b in UNITS if round(b / a) == 10**power
    )
    return UnitSlip(10**power, size > 0, words)


def check(
    rows: Sequence[Row],
    *,
    rests_on: Literal["claimed", "reported"] = "claimed",
    last_round: Figure | None = None,
    run_rate: Figure | None = None,
    world_gdp: Figure | None = None,
    investors: Sequence[str] = (),
    suppliers: Sequence[str] = (),
    customers: Sequence[str] = (),
    rates: Sequence[float] = (0.10, 0.12, 0.15),
    plan: Plan = PLAN,
    max_step: float = 8.0,
    max_step_months: int = 24,
    max_gdp_share: float = 0.02,
) -> ClaimCheck:
    """Every rule's verdict on one event's figures (a raise, a pre- and a post-money value).

    `last_round` is the post-money value of the round before. A step above `max_step` alarms only
    if that round is at most `max_step_months` old; implied final revenue alarms if it is above
    `max_gdp_share` of world GDP at every rate. Rules without data say so. Raises InputError if
    there is no row, a figure is not positive, or a row compares two different things.
    """
    _refuse_unlike(rows)
    claimed = _post([claim for claim, _ in rows])
    reported = _post([report for _, report in rows if report is not None])
    value = claimed if rests_on == "claimed" else reported
    slips = tuple(None if r is None else unit_slip(c.usd, r.usd) for c, r in rows)
    asked = _must_be_true(value, run_rate, world_gdp, rates, plan)
    step = value / last_round.usd if last_round else np.nan
    circular = _both(investors, (*suppliers, *customers))
    date = rows[0][0].date
    findings = [
        *(_row_finding(row, slip) for row, slip in zip(rows, slips, strict=True)),
        _step_finding(step, last_round, date, max_step, max_step_months),
        _gdp_finding(value, asked, world_gdp, max_gdp_share),
        _revenue_finding(value, asked, run_rate, plan),
        _circular_finding(circular, investors),
        Finding("basis", "ok", f"the results rest on the {rests_on} figure, {money(value)}"),
    ]
    share = value / world_gdp.usd if world_gdp else np.nan
    return ClaimCheck(
        claimed, reported, rests_on, slips, step, share, asked, circular, tuple(findings)
    )


def money(usd: float) -> str:
    """An amount in three figures: "$9.30T", "$965B", "no figure" for NaN."""
    if np.isnan(usd):
        return "no figure"
    sizes = (("T", 1e12), ("B", 1e9), ("M", 1e6))
    word, unit = next((size for size in sizes if abs(usd) >= size[1]), ("", 1.0))
    return f"${f'{usd / unit:#.3g}'.rstrip('.')}{word}"


def _refuse_unlike(rows: Sequence[Row]) -> None:
    problems = [
        Problem("", "claims", f"a claimed {c.what} beside a reported {r.what}", fix="compare like")
        for c, r in rows
        if r is not None and c.what != r.what
    ]
    if not rows:
        problems.append(Problem("", "claims", "no row", "one or more"))
    if problems:
        raise InputError(problems)


def _post(figures: Sequence[Figure]) -> float:
    """Post-money value: as given, else pre-money plus the raise; NaN if neither is there."""
    by_what = {figure.what: figure.usd for figure in figures}
    if "post" in by_what:
        return by_what["post"]
    if "pre" in by_what and "raise" in by_what:
        return by_what["pre"] + by_what["raise"]
    return float("nan")


def _must_be_true(
    value_usd: float,
    run_rate: Figure | None,
    world_gdp: Figure | None,
    rates: Sequence[float],
    plan: Plan,
) -> tuple[MustBeTrue, ...]:
    if run_rate is None:
        return ()
    answer = implied(value_usd, run_rate.usd, rates, plan)
    gdp = world_gdp.usd if world_gdp else np.nan
    return tuple(
        MustBeTrue(rate, growth, revenue, revenue / gdp)
        for rate, growth, revenue in zip(
            rates, answer.growth.tolist(), answer.final_revenue_usd.tolist(), strict=True
        )
    )


def _row_finding(row: Row, slip: UnitSlip | None) -> Finding:
    claim, report = row
    if report is None:
        text = f"{claim.what} {money(claim.usd)} ({claim.source}); no reported figure to compare"
        return Finding("reported figure", "flag", text)
    text = (
        f"{claim.what}: claimed {money(claim.usd)} ({claim.source}), "
        f"reported {money(report.usd)} ({report.source}, {report.date})"
    )
    ratio = claim.usd / report.usd
    if slip is None:
        same = abs(np.log10(ratio)) <= SLIP_TOLERANCE
        return Finding(
            "reported figure",
            "ok" if same else "flag",
            f"{text}; {'they agree' if same else f'ratio {ratio:.3g}'}",
        )
    side = "larger" if slip.too_large else "smaller"
    words = " or ".join(f"{small} and {large}" for small, large in slip.words)
    return Finding(
        "unit slip",
        "alarm",
        f"{text}; the claim is {slip.factor} times {side} (ratio {ratio:.3g}): "
        f"one reading of a unit mixes up {words}",
    )


def _step_finding(
    step: float, last: Figure | None, date: str, max_step: float, max_months: int
) -> Finding:
    rule = "ratio to last round"
    if last is None or np.isnan(step):
        return Finding(rule, "flag", "no last reported post-money value to compare with")
    age = _months(date) - _months(last.date)
    text = f"{step:.3g} times the {money(last.usd)} of {last.date} ({last.source})"
    if step <= max_step:
        return Finding(rule, "ok", text)
    if age > max_months:
        return Finding(rule, "flag", f"{text}, which is {age} months old: too old to judge")
    return Finding(rule, "alarm", f"{text}; above {max_step:g} times within {max_months} months")


def _gdp_finding(
    value: float, asked: tuple[MustBeTrue, ...], gdp: Figure | None, max_share: float
) -> Finding:
    rule = "share of world GDP"
    if gdp is None:
        return Finding(rule, "flag", "no world GDP given")
    shares = [must.gdp_share for must in asked if not np.isnan(must.gdp_share)]
    text = f"valuation {value / gdp.usd:.2%} of {money(gdp.usd)} ({gdp.date}, {gdp.source})"
    if not shares:
        return Finding(rule, "ok", text)
    text += f"; implied revenue {min(shares):.2%} to {max(shares):.2%} of the same"
    return Finding(rule, "alarm" if min(shares) > max_share else "ok", text)


def _revenue_finding(
    value: float, asked: tuple[MustBeTrue, ...], run_rate: Figure | None, plan: Plan
) -> Finding:
    rule = "implied revenue"
    if run_rate is None:
        return Finding(rule, "flag", "no run-rate given")
    texts = []
    for must in asked:
        if np.isnan(must.growth):
            code = int(implied(value, run_rate.usd, must.rate, plan).code)
            texts.append(f"at {must.rate:.3g}: {WHY[code][0]}")
        else:
            texts.append(
                f"at a discount rate of {must.rate:.0%}, growth of {must.growth:.0%} in year 1 and "
                f"{money(must.final_revenue_usd)} of revenue in year {plan.years}"
            )
    level: Level = "flag" if any(np.isnan(must.growth) for must in asked) else "ok"
    return Finding(rule, level, f"from {money(run_rate.usd)} a year: " + "; ".join(texts))


def _circular_finding(circular: tuple[str, ...], investors: Sequence[str]) -> Finding:
    rule = "circular finance"
    if circular:
        names = ", ".join(circular)
        return Finding(rule, "flag", f"investor and also supplier or customer: {names}")
    return Finding(rule, "ok", "none seen" if investors else "no investors given")


def _both(investors: Sequence[str], partners: Sequence[str]) -> tuple[str, ...]:
    known = {name.strip().casefold() for name in partners}
    return tuple(name for name in investors if name.strip().casefold() in known)


def _months(date: str) -> int:
    """Months since year 0; a date without month counts as January."""
    year, month, *_ = (*date.split("-"), "1")
    try:
        return 12 * int(year) + int(month)
    except ValueError as error:
        raise InputError(Problem("", "date", date, "YYYY, YYYY-MM or YYYY-MM-DD")) from error
