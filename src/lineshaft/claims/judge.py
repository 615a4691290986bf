"""Verdicts: each claim's test, run, and what it says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np

from lineshaft import catalog
from lineshaft.api import read as read_scenario
from lineshaft.characterise import characterise
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.formulas import FormulaError, Scope, parse
from lineshaft.kpis import MEASURES, named
from lineshaft.line import simulate
from lineshaft.lineage import Solved
from lineshaft.parameters import assemble
from lineshaft.parameters.draws import draw
from lineshaft.parameters.value import claim_checks
from lineshaft.require import cycle, require
from lineshaft.scenario import Scenario
from lineshaft.scenario.register import (
    Claim,
    CycleTest,
    FigureTest,
    LargerTest,
    RequireTest,
    ValuationTest,
)
from lineshaft.tables import Array
from lineshaft.units import QuantityError, format_quantity
from lineshaft.units import parse as quantity
from lineshaft.words import or_none, suggestion

Word = Literal["supported", "contradicted", "undetermined"]
T = TypeVar("T")

DRAWS = 256
"""Draws of the runs that test figures: one chunk of the line."""

SURE = 0.8
"""Share of the draws in which a condition must hold for a verdict. A judgement: P80 is what
people who plan large works commit to."""

SAME = 0.05
"""A claimed and a reported figure within this share of each other are the same."""

CONDITION = re.compile(r"(>=|<=|>|<)\s*(.+)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the test of a claim says."""

    claim: Claim
    word: Word
    why: str
    """One or two sentences, with the numbers."""
    tested_by: str
    """The run or the table that the verdict rests on."""
    figure: str = ""
    """The figure that decides, for people."""
    numbers: Mapping[str, float | str | None] = field(default_factory=dict)
    """What the verdict was computed from."""

    def __str__(self) -> str:
        return f"{self.word:13} {self.claim.name:28} {self.figure}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        told = {key: getattr(self.claim, key) for key in ("name", "quote", "said_by", "date")}
        told |= {key: getattr(self.claim, key) for key in ("source", "means", "caveat")}
        mine = asdict(self)
        return (
            told
            | {"verdict": self.word}
            | {key: mine[key] for key in ("figure", "why", "tested_by", "numbers")}
        )


def judge(
    claims: tuple[Claim, ...], progress: Callable[[str], None] = lambda text: None
) -> tuple[Verdict, ...]:
    """The verdict on every claim, in their order; `progress` is told each claim as it starts.

    Runs are shared between claims that name the same scenario. Raises InputError with all
    claims whose test names what does not exist.
    """
    bench = _Bench()
    found, problems = [], []
    for claim in claims:
        progress(claim.name)
        try:
            found.append(bench.judge(claim))
        except InputError as error:
            problems += [
                Problem(p.where or f"claim {claim.name}", p.key, p.found, p.allowed, p.fix)
                for p in error.problems
            ]
    if problems:
        raise InputError(problems)
    return tuple(found)


class _Bench:
    """The runs that the tests share."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}

    def judge(self, claim: Claim) -> Verdict:
        test = claim.test
        if isinstance(test, FigureTest):
            return self._figure(claim, test)
        if isinstance(test, ValuationTest):
            return self._valuation(claim, test)
        if isinstance(test, LargerTest):
            return _larger(claim, test)
        if isinstance(test, RequireTest):
            return self._require(claim, test)
        return self._cycle(claim, test)

    def _keep(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self.kept:
            self.kept[key] = make()
        found: T = self.kept[key]
        return found

    def _figure(self, claim: Claim, test: FigureTest) -> Verdict:
        supported = _condition("supported", test.supported, test.unit)
        contradicted = _condition("contradicted", test.contradicted, test.unit)
        key = (test.scenario, test.set)
        book = self._keep(("book", key), lambda: _solved(test.scenario, test.set))
        values = _values(book, test)
        median, draws = float(values[0]), values[1:]
        known = draws[np.isfinite(draws)]
        if not known.size:
            why = f"{claim.means}: there is none in this run"
            return Verdict(claim, "undetermined", why, _run(test), "none")
        yes, no = (float(test_of(known).mean()) for test_of in (supported, contradicted))
        word = _word(yes >= SURE, no >= SURE)
        low, high = (float(q) for q in np.quantile(known, (0.1, 0.9)))
        text = format_quantity(median, test.unit)
        ends = " to ".join(format_quantity(v, test.unit) for v in (low, high))
        why = (
            f"{claim.means[0].upper()}{claim.means[1:]}: {text}, {ends} in eight of ten draws. "
            f"{test.supported} bears the claim out and holds in {yes:.0%} of the draws; "
            f"{test.contradicted} speaks against it and holds in {no:.0%}."
        )
        numbers: dict[str, float | str | None] = {
            "median": median,
            "p10": low,
            "p90": high,
            "supported_share": yes,
            "contradicted_share": no,
            "unit": test.unit,
        }
        return Verdict(claim, word, why, _run(test), f"{text} [{ends}]", numbers)

    def _valuation(self, claim: Claim, test: ValuationTest) -> Verdict:
        scenario = self._scenario(test.scenario)
        names = [c.name for c in scenario.value.claim]
        if test.claim not in names:
            raise InputError(_unknown("valuation.claim", test.claim, names))
        check = claim_checks(scenario)[names.index(test.claim)]
        claimed, reported = check.claimed_usd, check.reported_usd
        numbers: dict[str, float | str | None] = {
            "claimed_usd": or_none(claimed),
            "reported_usd": or_none(reported),
        }
        by = f"the claim check of {test.scenario}: {test.claim}"
        told = format_quantity(claimed, "USD")
        if math.isnan(reported):
            why = f"{told} is claimed; no reported figure of the same event stands in the catalog."
            return Verdict(claim, "undetermined", why, by, told, numbers)
        ratio = claimed / reported
        numbers["ratio"] = ratio
        said = format_quantity(reported, "USD")
        rest = [f.text for f in check.findings if f.rule in ("unit slip", "implied revenue")]
        why = f"{told} is claimed and {said} was reported: a ratio of {ratio:.3g}. " + "; ".join(
            rest
        )
        same = abs(ratio - 1) <= SAME
        figure = f"{told} against {said} reported"
        return Verdict(claim, _word(same, not same), why, by, figure, numbers)

    def _required(self, test: RequireTest) -> dict[str, Any]:
        def asked(target: str) -> str | None:
            return test.amount if test.target == target else None

        return self._keep(
            ("require", test.scenario, test.target, test.amount),
            lambda: require(
                self._scenario(test.scenario),
                value_usd=asked("value"),
                revenue_usd=asked("revenue"),
                daa=asked("daa"),
            ).to_dict(),
        )

    def _scenario(self, source: str) -> Scenario:
        return self._keep(("scenario", source), lambda: read_scenario(source))

    def _require(self, claim: Claim, test: RequireTest) -> Verdict:
        told = self._required(test)
        by = f"the way back from {told['target']['text']}, ratios of {test.scenario}"
        if test.joint is not None:
            return _joint(claim, test.joint, told, by)
        asked, largest = told["target"]["value"], told["largest_amount"]
        if not largest:
            why = f"The scenario is worth nothing at any size: {told['text']}"
            return Verdict(claim, "undetermined", why, by, "no largest size")
        low, high = (
            largest * told[f"largest_{end}_usd"] / told["largest_usd"] for end in ("low", "high")
        )
        unit = told["target"]["unit"]
        shown, least, most = (format_quantity(v, unit) for v in (largest, low, high))
        why = (
            f"The most that supply carries is {shown}, {least} to {most} with all pools at their "
            f"low or high ends; {told['held_by']} hold it in {told['held_in']}."
        )
        first = told["first_impossible"]
        if first is not None:
            why += (
                f" The first impossible joint is {first['joint']} in {first['year']}, which needs "
                f"{first['margin']:.3g} times what can be reached."
            )
        numbers = {"asked": asked, "largest": largest, "low": low, "high": high}
        figure = f"supply carries {shown} [{least} to {most}]"
        return Verdict(claim, _word(asked <= low, asked > high), why, by, figure, numbers)

    def _cycle(self, claim: Claim, test: CycleTest) -> Verdict:
        found = cycle(self._scenario(test.scenario))
        by = f"the market pools of the catalog, ratios of {test.scenario}"
        years, low, high = (
            f"{v:.3g} years" if math.isfinite(v) else "never"
            for v in (found.years, found.low_years, found.high_years)
        )
        why = (
            f"The fastest 10 to 90 % that trades, parts, power, robots and reviewers allow takes "
            f"{years}, {low} to {high} with all pools at their high or low ends, held by "
            f"{found.held_by}; claimed are {test.years}."
        )
        ends = {"years": found.years, "low": found.low_years, "high": found.high_years}
        word = _word(found.high_years <= test.years, found.low_years > test.years)
        numbers = {key: or_none(value) for key, value in ends.items()}
        return Verdict(claim, word, why, by, f"{years} [{low} to {high}]", numbers)


def _word(bears_out: bool, speaks_against: bool) -> Word:
    return "supported" if bears_out else "contradicted" if speaks_against else "undetermined"


def _joint(claim: Claim, name: str, told: Mapping[str, Any], by: str) -> Verdict:
    """A claim about one joint, by its worst year."""
    joints = {joint["joint"]: joint for joint in told["joints"]}
    if name not in joints:
        raise InputError(_unknown("require.joint", name, list(joints)))
    margins = joints[name]["margin"]
    worst, year = max((m, y) for m, y in zip(margins, told["years"], strict=True) if m is not None)
    why = f"In {year} {name}: {worst:.3g} times what supply can reach by then."
    word = _word(worst <= 1, worst > 1)
    figure = f"{worst:.3g} times what can be reached"
    return Verdict(claim, word, why, by, figure, {"margin": worst, "year": float(year)})


def _larger(claim: Claim, test: LargerTest) -> Verdict:
    rows = [r for r in catalog.table(test.table) if test.group in (None, r.get("group"))]
    if not rows:
        groups = sorted({str(r.get("group")) for r in catalog.table(test.table) if r.get("group")})
        raise InputError(_unknown("larger.group", str(test.group), groups))
    below = [r for r in rows if r.number(test.column) < test.usd]
    larger = len(below) > test.share * len(rows)
    told = format_quantity(test.usd, "USD")
    above = ", ".join(
        f"{r.text('name')} {format_quantity(r.number(test.column), 'USD')}"
        for r in rows
        if r not in below
    )
    why = f"{told} is larger than {len(below)} of {len(rows)}"
    why += f"; not than {above}." if above else "."
    numbers: dict[str, float | str | None] = {"larger_than": len(below), "of": len(rows)}
    cite = rows[0].cite()
    figure = f"larger than {len(below)} of {len(rows)}"
    return Verdict(claim, _word(larger, not larger), why, cite, figure, numbers)


def _solved(source: str, overrides: tuple[str, ...]) -> Solved:
    """Tables and parameters of a run with DRAWS draws, the median case first."""
    scenario = read_scenario(source, overrides=overrides)
    curves = characterise(scenario)
    calendar = Calendar.of(scenario.start, scenario.months)
    draws = draw(scenario, DRAWS, scenario.seed)
    parameters = assemble(scenario, curves, draws, calendar)
    return Solved(simulate(parameters, curves), parameters)


def _values(book: Solved, test: FigureTest) -> Array:
    """[draw] the figure of the test, the median case first."""
    at = {}
    dims = book.tables.dims
    for key, label in test.where.items():
        if label not in dims.labels.get(key, ()):
            known = list(dims.labels.get(key, dims.labels))
            raise InputError(_unknown(f"figure.where.{key}", label, known))
        place = dims.index(key, label)
        at[key] = slice(place, place + 1)
    known = [what.name for what in MEASURES]
    text = named(test.of).formula if test.of in known else test.of
    try:
        found = Scope(book, "", at=at).evaluate(parse(text))
    except FormulaError as error:
        fix = suggestion(test.of, known) or "see the language of formulas in the reference"
        raise InputError(Problem("", "figure.of", str(error), ", ".join(known), fix)) from None
    return np.asarray(found, dtype=float).reshape(-1)


def _condition(key: str, text: str, unit: str) -> Callable[[Array], Array]:
    """What tells of every value whether it meets the condition."""
    found = CONDITION.fullmatch(text.strip())
    try:
        if found is None:
            raise QuantityError(f"{text!r} is no condition")
        limit = quantity(found[2], unit)
    except QuantityError as error:
        raise InputError(
            Problem("", f"figure.{key}", str(error), "for example '>= 90 %' or '< 2 years'")
        ) from None
    compare = {">=": np.greater_equal, "<=": np.less_equal, ">": np.greater, "<": np.less}
    return lambda values: compare[found[1]](values, limit)


def _run(test: FigureTest) -> str:
    changed = f" with {', '.join(test.set)}" if test.set else ""
    return f"{test.scenario}{changed}, {DRAWS} draws"


def _unknown(key: str, name: str, known: list[str]) -> Problem:
    shown = ", ".join(known[:12]) + (" …" if len(known) > 12 else "")
    return Problem("", key, f"there is no {name!r}", shown, suggestion(name, known))


def summary(verdicts: tuple[Verdict, ...]) -> Iterator[tuple[str, int]]:
    """How many claims got each verdict."""
    for word in ("supported", "contradicted", "undetermined"):
        yield word, sum(v.word == word for v in verdicts)
