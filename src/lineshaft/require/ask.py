"""From what is asked to the answer: the factor, the joints, the first impossible one, the largest.

The line runs from right to left by running it from left to right: extensive quantities of the
scenario are scaled together until the forward run gives the target. Build's engine is not asked
again on the way (`scaled_curves`); at the end the scenario that was found is characterised anew and
its own forward run is what the joints are read from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lineshaft import catalog
from lineshaft.characterise import Curves, characterise
from lineshaft.contracts.calendar import month_after
from lineshaft.errors import InputError, Problem
from lineshaft.line import Outcome, run
from lineshaft.require.answer import Impossible, Joint, Largest, Required, ReverseDcf, Target
from lineshaft.require.cycle import Cycle, cycle
from lineshaft.require.joints import Need, Years, needs
from lineshaft.require.pools import ENDS, End, Pool, pools_of, reach
from lineshaft.require.scale import scaled, scaled_curves
from lineshaft.require.solve import NoFactorError, factor_for
from lineshaft.stages.value.reverse_dcf import PLAN, implied
from lineshaft.tables import Array
from lineshaft.units import QuantityError, format_quantity, parse
from lineshaft.words import suggestion

if TYPE_CHECKING:
    from lineshaft.catalog.loader import Row
    from lineshaft.scenario import Scenario

UNITS = {"value": "USD", "revenue": "USD", "daa": "agent"}
OPTIONS = {"value": "value_usd", "revenue": "revenue_usd", "daa": "daa"}
NEAR = 1e-3
"""How near the forward run of the scenario that was found comes to the target."""
_DIGITS = 9
_ATTEMPTS = 4


def require(
    scenario: Scenario,
    *,
    value_usd: float | str | None = None,
    revenue_usd: float | str | None = None,
    daa: float | str | None = None,
    by: str | None = None,
    shares: Mapping[str, float] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Required:
    """What a worth, a revenue of twelve months, or daily active agents need, joint by joint.

    Exactly one target is given, as a number in USD or agents or as a text with a unit ("9.3T").
    `by` is the month ("2035-12") or the year that a revenue or agents are asked of; default: the
    last. `shares` says what one firm may take of a pool, by joint or pool, in place of the
    catalog's. Raises InputError for a bad target or share, and where no scale of the scenario
    gives the target, with the reason and what to change.
    """
    target, month = _target(scenario, {"value": value_usd, "revenue": revenue_usd, "daa": daa}, by)
    pools = pools_of(scenario, shares)
    progress("running the scenario forward")
    curves = characterise(scenario)
    base = run(scenario, curves)
    measure = _MEASURES[target.kind]
    _check_worth(base, measure(base, month), target)

    def forward(factor: float) -> Outcome:
        return run(scaled(scenario, factor), scaled_curves(curves, factor))

    progress("looking for the scale")
    found, factor, outcome = _scale(scenario, curves, target, month, measure(base, month))
    wanted, years = needs(found, outcome), Years.of(outcome)
    joints = tuple(_joint(need, years, pools.get(need.joint, ())) for need in wanted)
    progress("looking for the largest that supply carries")
    first = _first(joints)
    largest = _largest(scenario, forward, pools, joints, factor, lambda o: measure(o, month))
    return Required(
        target=target,
        base=scenario.name,
        factor=factor,
        amount=measure(outcome, month),
        years=years.labels,
        joints=joints,
        first_impossible=first,
        largest=largest,
        dcf=_dcf(scenario, target),
        cycle=_cycle(scenario, base),
        scenario=found,
    )


def _worth(outcome: Outcome, month: int) -> float:
    return float(outcome.tables.valuation.enterprise_value_usd[0])


def _revenue(outcome: Outcome, month: int) -> float:
    return float(outcome.tables.worth.revenue_usd[month - 11 : month + 1, 0].sum())


def _daa(outcome: Outcome, month: int) -> float:
    return float(outcome.tables.accepted.daa_b[month, :, 0].sum())


_MEASURES: dict[str, Callable[[Outcome, int], float]] = {
    "value": _worth,
    "revenue": _revenue,
    "daa": _daa,
}


def _target(
    scenario: Scenario, given: dict[str, float | str | None], by: str | None
) -> tuple[Target, int]:
    """What is asked for and the month that it is asked of; InputError with every problem."""
    asked = {kind: amount for kind, amount in given.items() if amount is not None}
    problems = []
    if len(asked) != 1:
        found = f"{len(asked)} targets: {', '.join(asked)}" if asked else "no target"
        allowed = "exactly one of --value, --revenue and --daa"
        problems.append(Problem("", "require", found, allowed, "for example --value 9.3T"))
    amounts = {}
    for kind, amount in asked.items():
        try:
            amounts[kind] = parse(amount, UNITS[kind])
        except QuantityError as error:
            problems.append(Problem("", f"--{kind}", error.found, error.allowed, error.fix))
            continue
        if not amounts[kind] > 0:
            found = f"{amount} is not above 0"
            problems.append(Problem("", f"--{kind}", found, "a positive amount"))
    month = scenario.months - 1
    if by is not None:
        month, wrong = _month(scenario, by)
        problems += wrong
        if "value" in asked:
            found = "a worth is that of the first day: it has no year"
            problems.append(Problem("", "--by", found, "with --revenue or --daa", "leave it out"))
    if "revenue" in asked and not problems and month < 11:
        found = f"{_label(scenario, month)} ends no twelve months"
        allowed = f"{_label(scenario, 11)} or later"
        problems.append(Problem("", "--by", found, allowed, "ask for a later month"))
    if problems:
        raise InputError(problems)
    kind = next(iter(asked))
    label = _label(scenario, month)
    when = {"value": "at once", "revenue": f"in the 12 months to {label}", "daa": f"in {label}"}
    return Target(kind, amounts[kind], UNITS[kind], when[kind]), month


def _month(scenario: Scenario, by: str) -> tuple[int, list[Problem]]:
    """The place of a month, or of the last month of a year, that the scenario has."""
    labels = [_label(scenario, t) for t in range(scenario.months)]
    years = list(dict.fromkeys(label[:4] for label in labels))
    text = str(by).strip()
    if text in labels:
        return labels.index(text), []
    if text in years:
        return max(t for t, label in enumerate(labels) if label[:4] == text), []
    hint = suggestion(text, [*years, *labels]) or "lengthen the scenario with --set months=…"
    allowed = f"a year or a month from {labels[0]} to {labels[-1]}"
    return scenario.months - 1, [Problem("", "--by", f"no month {text!r}", allowed, hint)]


def _label(scenario: Scenario, month: int) -> str:
    return month_after(scenario.start, month)


def _check_worth(base: Outcome, amount: float, target: Target) -> None:
    """InputError where the scenario has nothing that could be scaled to the target."""
    if amount > 0:
        return
    x = base.tables
    if target.kind != "value":
        raise InputError(
            Problem(
                "",
                f"--{target.kind}",
                f"the scenario has none {target.when}, and more of nothing is nothing",
                "a scenario with accepted tasks by then",
                "ask for a later month, or see what limits the work with `lineshaft run`",
            )
        )
    now = (1.0 + x.valuation.wacc[0]) ** -base.parameters.calendar.years
    lines = {
        name: float((getattr(x.worth, f"{name}_usd")[:, 0] * now).sum())
        for name in ("revenue", "opex", "capex")
    }
    told = ", ".join(f"{name} {format_quantity(usd, 'USD')}" for name, usd in lines.items())
    kinds = x.dims.labels["kind"]
    sold = x.accepted.accepted[:, :, 0] * x.fielded.price_usd[:, :, 0]
    best = kinds[int(sold.sum(axis=0).argmax())] if len(kinds) else ""
    kept = 1.0 - float(base.parameters.value.tax_rate.flat[0])
    more = 1.0 - amount / (kept * lines["revenue"]) if lines["revenue"] > 0 else 0.0
    fix = (
        f"prices about {more:.2g} times as high would do: most revenue comes from "
        f"agents.kind.{best}; else lower what costs most, "
        f"{'opex' if lines['opex'] > lines['capex'] else 'capex'}"
        if more
        else "nothing is sold: see what limits the work with `lineshaft run`"
    )
    raise InputError(
        Problem(
            "",
            "--value",
            f"the scenario is worth {format_quantity(amount, 'USD')} (present values: {told}), and "
            "a larger firm of its shape is worth no more",
            "a scenario that is worth more than nothing",
            fix,
        )
    )


def _scale(
    scenario: Scenario, curves: Curves, target: Target, month: int, base: float
) -> tuple[Scenario, float, Outcome]:
    """The scenario, scaled, whose own forward run gives the target; its factor and that run."""
    measure = _MEASURES[target.kind]

    def cheap(factor: float) -> tuple[float, None]:
        outcome = run(scaled(scenario, factor), scaled_curves(curves, factor))
        return measure(outcome, month), None

    try:
        factor, _ = factor_for(cheap, target.value, target.value / base, tolerance=1e-4)
    except NoFactorError as error:
        raise InputError(_unreachable(scenario, target.kind, target.text, str(error))) from None
    for _ in range(_ATTEMPTS):
        factor = float(f"{factor:.{_DIGITS}g}")
        found = _named(scaled(scenario, factor), scenario, target, factor)
        outcome = run(found, characterise(found))
        got = measure(outcome, month)
        if abs(got / target.value - 1.0) <= NEAR:
            return found, factor, outcome
        factor *= target.value / got
    why = f"it is {format_quantity(got, target.unit)}"
    raise InputError(_unreachable(scenario, target.kind, target.text, why))


def _unreachable(scenario: Scenario, kind: str, wanted: str, why: str) -> Problem:
    fix = "ask for an amount that is nearer to what the scenario gives by itself"
    if scenario.train.run:
        fix = "train.run does not grow with them: make the runs smaller, or ask for more"
    allowed = "what grows with market, halls, crews, people and money together"
    return Problem("", f"--{kind}", f"no scale of the scenario gives {wanted}: {why}", allowed, fix)


def _named(found: Scenario, base: Scenario, target: Target, factor: float) -> Scenario:
    about = (
        f"{base.about} Scaled for {target.text}: market, money, halls, crews, accelerators, "
        f"robots, people and overhead times {factor:g}; training runs as they were."
    )
    name = f"{base.name} × {format_quantity(factor, '1')}"
    return found.model_copy(update={"name": name, "about": about.strip()})


def _joint(need: Need, years: Years, pools: tuple[Pool, ...]) -> Joint:
    """A joint beside the pools that it draws from."""
    reachable = None
    if pools:
        reachable = tuple(float(r) for r in _reachable(need, years, pools))
    return Joint(
        joint=need.joint,
        stage=need.stage,
        unit=need.unit,
        years=years.labels,
        required=tuple(float(n) for n in need.amount),
        reachable=reachable,
        pool=tuple(pool.text for pool in pools),
        source="; ".join(dict.fromkeys(pool.source for pool in pools)),
    )


def _reachable(need: Need, years: Years, pools: tuple[Pool, ...], end: End = "mid") -> Array:
    """[year] what the firm can have; of a year that the run covers in part, that part."""
    part = years.part if need.flow else np.ones(len(years.labels))
    return part * reach(pools, np.array(years.labels, dtype=float), end=end)


def _first(joints: tuple[Joint, ...]) -> Impossible | None:
    """The earliest year with a joint that asks too much, and the first from right to left in it."""
    for i, year in enumerate(joints[0].years if joints else ()):
        for joint in joints:
            margin = joint.margin[i]
            if margin is not None and margin > 1.0:
                return Impossible(joint.joint, year, margin)
    return None


def _largest(
    scenario: Scenario,
    forward: Callable[[float], Outcome],
    pools: dict[str, tuple[Pool, ...]],
    joints: tuple[Joint, ...],
    factor: float,
    measure: Callable[[Outcome], float],
) -> Largest:
    """The size at which the tightest joint asks for just what there is.

    What every joint needs rises with the size and what there is does not, so that one size is the
    largest. At the low and the high ends of the pools the worth is taken as in proportion.
    """

    def tightest(outcome: Outcome, wanted: tuple[Need, ...], end: End) -> tuple[float, str, int]:
        years = Years.of(outcome)
        found = []
        for need in wanted:
            if need.joint in pools:
                margins = need.amount / _reachable(need, years, pools[need.joint], end)
                i = int(margins.argmax())
                found.append((float(margins[i]), need.joint, years.labels[i]))
        return max(found, key=lambda item: item[0])

    def fill(size: float) -> tuple[float, tuple[Outcome, tuple[Need, ...]]]:
        outcome = forward(size)
        wanted = needs(scaled(scenario, size), outcome)
        return tightest(outcome, wanted, "mid")[0], (outcome, wanted)

    now = max(joint.worst[0] for joint in joints if joint.worst is not None)
    try:
        size, (outcome, wanted) = factor_for(fill, 1.0, factor / now, tolerance=1e-4)
    except NoFactorError as error:
        told = _unreachable(scenario, "value", "all that supply has", str(error))
        raise InputError(told) from None
    _, held_by, year = tightest(outcome, wanted, "mid")
    worth = _worth(outcome, 0)
    worth = worth if worth > 0 else float("nan")
    low, _, high = (worth / tightest(outcome, wanted, end)[0] for end in ENDS)
    return Largest(size, worth, low, high, measure(outcome), held_by, year)


def _dcf(scenario: Scenario, target: Target) -> tuple[ReverseDcf, ...]:
    """The revenue that the worth asks for, from the largest run-rate that was reported; none
    where that firm would not have to grow for it."""
    if target.kind != "value":
        return ()
    row = _largest_run_rate()
    rates = [float(scenario.value.wacc.ppf(p)) for p in (0.05, 0.5, 0.95)]
    plan = replace(PLAN, growth_end=scenario.value.growth.median)
    answers = implied(target.value, row.number("value_usd"), np.array(rates), plan)
    return tuple(
        ReverseDcf(
            rate=rate,
            run_rate_usd=row.number("value_usd"),
            source=f"{row['company']} {row['date']}",
            growth=float(answers.growth[i]),
            revenue_usd=tuple(float(usd) for usd in answers.revenue_usd[:, i]),
        )
        for i, rate in enumerate(rates)
        if not answers.code[i] and answers.growth[i] > plan.growth_end
    )


def _largest_run_rate() -> Row:
    rows = [
        row
        for row in catalog.table("rounds")
        if row["metric"] == "run rate" and row["status"] == "reported" and row["value_usd"]
    ]
    return max(rows, key=lambda row: row.number("value_usd"))


def _cycle(scenario: Scenario, base: Outcome) -> Cycle | None:
    try:
        return cycle(scenario, base)
    except InputError:  # no human work is done that could be automated
        return None
