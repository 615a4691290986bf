"""What the construction engine is asked: phases, crews, parts, work packages and risk.

Plain frozen dataclasses; `check` refuses what cannot be built, with every problem at once.
Calendar time is in months from the first month (0); lead times and durations are in weeks, as in
the trade; one month is 365.25 / 12 / 7 = 4.348 weeks.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from lineshaft.contracts.reasons import CODE, TRADES
from lineshaft.errors import InputError, Problem

WEEKS_PER_MONTH = 365.25 / 12 / 7

CRAFT_HOURS_PER_MW = 24_000 - math.sqrt((24_000 - 8_000) * (24_000 - 14_000) / 2)
"""Median of triangular(8k, 14k, 24k) = 15,056 craft hours per MW of IT power. Derived, low
confidence: no survey by craft is published. Abilene phase 1 (200 MW) had 1.2 M hours after 8
months (The Information, March 2025); its campus of 1.2 GW about 6,200 workers a day (CNBC,
December 2025), which is about 16 k hours per MW."""

CRAFT_MIX: tuple[tuple[str, float], ...] = (
    ("concrete", 0.08),
    ("steel", 0.08),
    ("electrical", 0.35),
    ("pipe", 0.17),
    ("hvac", 0.08),
    ("other", 0.24),
)
"""Share of the craft hours by trade. Electrical is 30-40 % (cortexconstruct.com, 2026); the split
of the rest is assumed (low confidence)."""


@dataclass(frozen=True, slots=True)
class Release:
    """Something a phase waits for: a part, the grid connection or a permit.

    It arrives `order_month` months after the phase's start (before it when negative) plus a lead
    time that is lognormal with P10 and P90 at `low_weeks` and `high_weeks`; the median is their
    geometric mean. Equal ends are a certain date. `cost_share` of the phase's construction cost
    is paid for it, `deposit_share` of that when ordered and the rest on delivery.
    """

    name: str
    """`permit`, `grid` or a `part: ...` of the list of reasons."""
    low_weeks: float
    high_weeks: float
    order_month: float = 0.0
    cost_share: float = 0.0
    deposit_share: float = 0.3


_CW = -6.0  # ordered with the design, which takes 3-6 months (cortexconstruct.com)
RELEASES: tuple[Release, ...] = (
    Release("part: transformer", 28, 36, _CW, 0.06),
    Release("part: switchgear", 46, 48, _CW, 0.08),
    Release("part: genset", 30, 38, _CW, 0.07),
    Release("part: ups", 28, 36, _CW, 0.05),
    Release("part: chiller", 30, 40, _CW, 0.06),
    Release("part: cdu", 26, 52, _CW, 0.03),
)
"""Default parts. Lead times: Cushman & Wakefield, Data Center Development Cost Guide 2025 (the
transformer is the one in the building; a substation's takes 128 weeks, Wood Mackenzie 2025); CDU:
LiquidStack in fierce-network.com, March 2025, low end assumed. Order dates, cost shares (0.35 in
all) and the deposit of 30 % are assumed (low confidence). Grid and permit are local: none."""


@dataclass(frozen=True, slots=True)
class WorkPackage:
    """A kind of work in every hall (or once per phase), with its place in the network."""

    name: str
    weeks: float
    """Planned duration with the full crew."""
    after: tuple[str, ...] = ()
    """Packages (earlier in the list) that must be finished."""
    needs: tuple[str, ...] = ()
    """Releases that must have arrived; those that a phase does not list are there already."""
    trades: tuple[tuple[str, float], ...] = ()
    """Share of each trade's hours that this package takes; over all packages they sum to 1."""
    per_phase: bool = False


PACKAGES: tuple[WorkPackage, ...] = (
    WorkPackage("site works", 4, (), (), (("concrete", 0.2), ("other", 0.25)), True),
    WorkPackage("foundations", 5, ("site works",), (), (("concrete", 0.8), ("other", 0.1))),
    WorkPackage("shell", 6, ("foundations",), (), (("steel", 0.85), ("other", 0.15))),
    WorkPackage("dry-in", 2, ("shell",), (), (("steel", 0.15), ("hvac", 0.1), ("other", 0.1))),
    WorkPackage(
        "standby power",
        6,
        ("foundations",),
        ("part: genset",),
        (("electrical", 0.12), ("pipe", 0.05)),
    ),
    WorkPackage("electrical rough-in", 6, ("dry-in",), (), (("electrical", 0.36), ("other", 0.1))),
    WorkPackage(
        "switchgear",
        6,
        ("dry-in",),
        ("part: transformer", "part: switchgear", "part: ups"),
        (("electrical", 0.3),),
    ),
    WorkPackage(
        "pipe and cdu",
        6,
        ("dry-in",),
        ("part: cdu", "part: chiller"),
        (("pipe", 0.85), ("other", 0.05)),
    ),
    WorkPackage("hvac", 5, ("dry-in",), ("part: chiller",), (("hvac", 0.9), ("other", 0.05))),
    WorkPackage(
        "fit-out",
        4,
        ("electrical rough-in", "pipe and cdu"),
        ("part: optics",),
        (("electrical", 0.18), ("pipe", 0.1), ("other", 0.2)),
    ),
    WorkPackage(
        "energisation",
        1,
        ("fit-out", "switchgear", "standby power"),
        ("grid", "permit"),
        (("electrical", 0.04),),
    ),
    WorkPackage("commissioning", 6, ("energisation", "hvac")),
)
"""Default network. Durations are plans: times the median slip of 1.31 a hall takes 10.2 months
from ground-breaking (Abilene: about 10, ENR on DPR) and 156 days from dry-in to operation (Epoch
AI: 150). Shares of hours are assumed (low confidence)."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the campus that is started, paid and finished as one."""

    name: str
    it_w: float
    halls: int = 4
    start_month: float = 0.0
    """Earliest start, months from the first month."""
    craft_hours_per_mw: float = CRAFT_HOURS_PER_MW
    """Hours really worked per MW of IT power in the median case."""
    craft_mix: tuple[tuple[str, float], ...] = CRAFT_MIX
    releases: tuple[Release, ...] = RELEASES


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of one trade: journeymen and travellers, and cohorts of apprentices.

    A cohort enters every year. Its yearly hazard of cancelling is constant and such that the
    share `completion` is left after `apprentice_years`; those left count as journeymen.
    """

    trade: str
    headcount: float
    """Journeymen in the first month."""
    hires_per_month: float = 0.0
    """Travellers hired each month until the maximum."""
    maximum: float = math.inf
    """Most journeymen and travellers; apprentices come on top."""
    apprentices_per_year: float = 0.0
    apprentice_years: float = 4.5
    """4-5 years (BLS)."""
    completion: float = 0.441
    """Completed / (completed + cancelled), DOL RAPIDS FY26 Q1 (plumbsquare.work): electricians,
    men 0.441, women 0.363; pipefitters 0.508, sheet metal 0.5."""
    apprentice_productivity: float = 0.4
    """Of a beginner against a journeyman; rises straight to 1 at the end (assumed)."""
    hours_per_worker_month: float = 50 * WEEKS_PER_MONTH * 0.85
    """50 h a week, of which 85 % at work on site (assumed, low confidence)."""


@dataclass(frozen=True, slots=True)
class RiskDriver:
    """A shared event: with `probability` it costs a lognormal time, P10 and P90 as given.

    `hits` is a release (it arrives later in every phase), a work package (it takes longer in
    every hall), or a trade as `trade: electrical` (its crews stay away once for that long).
    """

    name: str
    probability: float
    low_weeks: float
    high_weeks: float
    hits: str


COMMON_DRIVERS: tuple[RiskDriver, ...] = (
    RiskDriver("transformer late", 0.30, 8, 30, "part: transformer"),
    RiskDriver("grid connection late", 0.40, 8, 40, "grid"),
    RiskDriver("strike", 0.05, 1, 6, "trade: electrical"),
    RiskDriver("redesign for rack density", 0.20, 2, 8, "fit-out"),
    RiskDriver("leak retest", 0.25, 1, 4, "commissioning"),
)
"""Examples for what-if runs; all numbers assumed (low confidence). Not on by default: the
reference class of `Risk` is measured on whole projects and already holds such events."""


@dataclass(frozen=True, slots=True)
class Risk:
    """How realised durations differ from the plan: d x m_global x m_trade x m_activity.

    `m_global` is the reference class: 9 of 10 data centres late, 34 % of the duration on average
    (Atif Ansar, Foresight/Oxford, in fierce-network.com). A lognormal with median 1.31 and sigma
    0.21 has the mean 1.34 and P(< 1) = 0.10. The spread of a trade and of an activity (PERT) are
    assumed; both have median 1.
    """

    global_median: float = 1.31
    global_sigma: float = 0.21
    plan_holds_contingency: bool = False
    """True when the planned durations already hold the usual slip: the median factor is then 1."""
    trade_sigma: float = 0.12
    activity_low: float = 0.85
    activity_high: float = 1.25
    """PERT ends around a mode of 1, before its median is scaled to 1."""
    drivers: tuple[RiskDriver, ...] = ()

    @property
    def median_slip(self) -> float:
        """Realised over planned duration in the median case."""
        return 1.0 if self.plan_holds_contingency else self.global_median


NO_RISK = Risk(1.0, 0.0, False, 0.0, 1.0, 1.0)
"""Every duration as planned (lead times keep their spread)."""


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """A campus, the people who build it, and what may go wrong."""

    months: int
    """Horizon of the crew curve. Work that is not done by then goes on with the last crews."""
    phases: tuple[Phase, ...]
    crews: tuple[Crew, ...]
    packages: tuple[WorkPackage, ...] = PACKAGES
    risk: Risk = Risk()
    smallest_crew_share: float = 0.25
    """Smallest share of its full crew with which an activity is started and kept going
    (assumed). 1 is the classic rule: the whole crew or nothing."""
    samples: int = 512
    seed: int = 0


class _Problems(list[Problem]):
    def need(self, good: bool, key: str, found: str, allowed: str = "", fix: str = "") -> None:
        if not good:
            self.append(Problem("", f"build.{key}", found, allowed, fix))


def _unique(problems: _Problems, key: str, names: list[str]) -> None:
    for name, count in Counter(names).items():
        problems.need(count == 1, key, f"{name!r} is there {count} times", "each name once")


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _weeks(problems: _Problems, key: str, low: float, high: float) -> None:
    good = 0 < low <= high < math.inf or low == high == 0
    problems.need(good, key, f"{low:g} to {high:g} weeks", "0 < low <= high, or both 0")


def _check_packages(inputs: BuildInputs, problems: _Problems) -> None:
    packages = inputs.packages
    _unique(problems, "packages", [p.name for p in packages])
    problems.need(
        bool(packages) and not packages[-1].per_phase,
        "packages",
        "the last package is not one of every hall",
        "the last package makes a hall ready",
    )
    seen: dict[str, bool] = {}
    done = dict.fromkeys(TRADES, 0.0)
    for p in packages:
        key = f"packages.{p.name}"
        problems.need(_positive(p.weeks), key, f"takes {p.weeks:g} weeks", "more than 0")
        for name in p.after:
            good = name in seen and not (p.per_phase and not seen[name])
            problems.need(good, key, f"comes after {name!r}", "a package earlier in the list")
        for name in p.needs:
            problems.need(is_release(name), key, f"needs {name!r}", "permit, grid or a part")
        for trade, share in p.trades:
            problems.need(trade in TRADES, key, f"trade {trade!r}", ", ".join(TRADES))
            problems.need(share >= 0, key, f"share {share:g} of {trade}", "0 or more")
            done[trade] = done.get(trade, 0.0) + share
        seen[p.name] = p.per_phase
    wanted = {trade for phase in inputs.phases for trade, share in phase.craft_mix if share > 0}
    for trade in sorted(wanted):
        total = done.get(trade, 0.0)
        good = math.isclose(total, 1, abs_tol=1e-9)
        found = f"the shares of {trade} sum to {total:g}"
        problems.need(good, "packages", found, "1, as a phase has hours of it")


def is_release(name: str) -> bool:
    """True for what an activity can wait for: a permit, the grid or a part."""
    return name in ("permit", "grid") or (name.startswith("part: ") and name in CODE)


def _check_phase(phase: Phase, problems: _Problems) -> None:
    key = f"phases.{phase.name}"
    problems.need(
        _positive(phase.it_w), f"{key}.it_w", f"a phase of {phase.it_w:g} W", "more than 0 W"
    )
    problems.need(phase.halls >= 1, f"{key}.halls", f"{phase.halls} halls", "1 or more")
    good = math.isfinite(phase.start_month) and phase.start_month >= 0
    problems.need(good, f"{key}.start_month", f"{phase.start_month:g}", "0 or later")
    hours = phase.craft_hours_per_mw
    problems.need(_positive(hours), f"{key}.craft_hours_per_mw", f"{hours:g}", "more than 0")
    _unique(problems, f"{key}.craft_mix", [trade for trade, _ in phase.craft_mix])
    for trade, share in phase.craft_mix:
        problems.need(trade in TRADES, f"{key}.craft_mix", f"{trade!r}", ", ".join(TRADES))
        problems.need(share >= 0, f"{key}.craft_mix", f"{share:g} of {trade}", "0 or more")
    total = math.fsum(share for _, share in phase.craft_mix)
    good = math.isclose(total, 1, abs_tol=1e-9)
    problems.need(good, f"{key}.craft_mix", f"the shares sum to {total:g}", "1")
    _unique(problems, f"{key}.releases", [r.name for r in phase.releases])
    for r in phase.releases:
        name = f"{key}.releases.{r.name}"
        problems.need(is_release(r.name), name, f"{r.name!r}", "permit, grid or a part")
        _weeks(problems, name, r.low_weeks, r.high_weeks)
        problems.need(math.isfinite(r.order_month), name, "no order month", "a number")
        good = 0 <= r.cost_share <= 1 and 0 <= r.deposit_share <= 1
        problems.need(good, name, "a share outside 0 to 1", "0 to 1")
    total = math.fsum(r.cost_share for r in phase.releases)
    good = total <= 1 + 1e-9
    problems.need(good, f"{key}.releases", f"cost shares sum to {total:g}", "at most 1")


_WORKERS = {"electrical": "electricians", "pipe": "pipefitters", "steel": "ironworkers"}


def _check_crews(inputs: BuildInputs, problems: _Problems) -> None:
    _unique(problems, "crews", [crew.trade for crew in inputs.crews])
    able: set[str] = set()
    for c in inputs.crews:
        key = f"crews.{c.trade}"
        problems.need(c.trade in TRADES, key, f"trade {c.trade!r}", ", ".join(TRADES))
        numbers = (c.headcount, c.hires_per_month, c.apprentices_per_year)
        good = all(math.isfinite(x) and x >= 0 for x in numbers)
        problems.need(good, key, "a negative or infinite number of workers", "0 or more")
        good = c.maximum >= c.headcount
        problems.need(good, f"{key}.maximum", f"{c.maximum:g}", f"at least {c.headcount:g}")
        problems.need(0 < c.completion <= 1, key, f"completion {c.completion:g}", "0 to 1")
        good = 0 <= c.apprentice_productivity <= 1 and _positive(c.apprentice_years)
        problems.need(good, key, "apprentices' productivity or years", "0 to 1; more than 0")
        good = _positive(c.hours_per_worker_month)
        problems.need(good, key, f"{c.hours_per_worker_month:g} h a month", "more than 0")
        grows = c.hires_per_month > 0 and c.maximum > 0 and inputs.months > 1
        if c.headcount > 0 or grows or c.apprentices_per_year * c.apprentice_productivity > 0:
            able.add(c.trade)
    for phase in inputs.phases:
        for trade, share in phase.craft_mix:
            workers = _WORKERS.get(trade, f"{trade} workers")
            problems.need(
                share <= 0 or trade in able or trade not in TRADES,
                f"crews.{trade}",
                f"{phase.name} needs {workers} and has none",
                fix=f"give the {trade} crew a headcount or hires per month",
            )


def _check_risk(inputs: BuildInputs, problems: _Problems) -> None:
    risk = inputs.risk
    problems.need(_positive(risk.global_median), "risk", f"median {risk.global_median:g}", "> 0")
    good = min(risk.global_sigma, risk.trade_sigma) >= 0
    problems.need(good, "risk", "a negative sigma", "0 or more")
    good = 0 < risk.activity_low <= 1 <= risk.activity_high < math.inf
    problems.need(good, "risk", "activity_low and activity_high", "0 < low <= 1 <= high")
    packages = {p.name for p in inputs.packages}
    for d in risk.drivers:
        key = f"risk.drivers.{d.name}"
        problems.need(0 <= d.probability <= 1, key, f"probability {d.probability:g}", "0 to 1")
        _weeks(problems, key, d.low_weeks, d.high_weeks)
        trade = d.hits.removeprefix("trade: ")
        good = is_release(d.hits) or d.hits in packages or (trade != d.hits and trade in TRADES)
        problems.need(good, key, f"hits {d.hits!r}", "a release, a package or a trade")


def check(inputs: BuildInputs) -> None:
    """Raise `InputError` with every reason why the inputs cannot be scheduled."""
    problems = _Problems()
    problems.need(inputs.months >= 1, "months", f"{inputs.months}", "1 or more")
    problems.need(inputs.samples >= 1, "samples", f"{inputs.samples}", "1 or more")
    share = inputs.smallest_crew_share
    problems.need(0 < share <= 1, "smallest_crew_share", f"{share:g}", "more than 0, at most 1")
    problems.need(bool(inputs.phases), "phases", "no phase", "at least one")
    _unique(problems, "phases", [phase.name for phase in inputs.phases])
    for phase in inputs.phases:
        _check_phase(phase, problems)
    _check_packages(inputs, problems)
    _check_crews(inputs, problems)
    _check_risk(inputs, problems)
    if problems:
        raise InputError(problems)
