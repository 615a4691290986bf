"""What `value` needs, from the scenario: contracts, costs, tax; and the check of claims."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lineshaft import catalog
from lineshaft.catalog import Row
from lineshaft.catalog.loader import key_of
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.capital import investors
from lineshaft.parameters.common import Array, growing, month_index, pick, places, stack
from lineshaft.scenario.locate import join
from lineshaft.stages.value.claims import ClaimCheck, Figure, What, check
from lineshaft.stages.value.model import Params
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.agents import Kind
    from lineshaft.scenario.draws import Draws
    from lineshaft.scenario.value import Claim, Contract, PowerLease

_ASSETS = ("halls", "accelerators", "robots")


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """Parameters of `value`. Raises InputError with all problems."""
    value, kinds = scenario.value, scenario.agents.kind

    def drawn(name: str) -> Array:
        return pick(draws, f"value.{name}", getattr(value, name))

    wacc, growth, roic = drawn("wacc"), drawn("growth"), drawn("roic")
    found = problems(scenario)
    for name, rate in (("wacc", wacc), ("roic", roic)):
        low = np.atleast_1d(rate <= growth)
        if low.any():
            found.append(
                Problem(
                    "",
                    f"value.{name}",
                    f"not above value.growth in {low.sum()} of {low.size} draws",
                    "always above it: growth for ever would cost or be worth infinitely much",
                    "narrow the ranges, or lower value.growth",
                )
            )
    if found:
        raise InputError(found)
    models = tuple(m.name for m in scenario.serve.model)
    first = models[0] if models else ""
    index = price_index(scenario, draws, calendar)
    overhead = growing(
        drawn("overhead_usd_per_month"), drawn("overhead_growth_per_year"), calendar.years
    )
    tasks, price, committed = _contracts(scenario, dims)
    life = stack(drawn(f"life_{asset}_years") for asset in _ASSETS)
    return Params(
        kind_model=np.maximum(places([k.model or first for k in kinds], models), 0),
        sells_tokens=np.array([k.sells_tokens for k in kinds], bool),
        life_months=np.maximum(np.rint(12 * life), 1).astype(np.int64),
        contract_tasks=tasks,
        contract_usd=price,
        committed_usd=committed,
        lease_usd_per_w=_lease_usd_per_w(scenario, draws, dims),
        staff_usd=overhead * index,
        site_staff_usd_per_w=_site_staff(scenario, draws) * index,
        upkeep=stack(drawn(f"upkeep_{asset}_per_year") for asset in _ASSETS),
        escape_usd=stack(pick(draws, _path(k, "escape_usd"), k.escape_usd) for k in kinds),
        wage_usd_per_h=stack(_wage(k, draws) for k in kinds),
        task_h=stack(_mean_hours(k, draws) for k in kinds),
        receivable_days=drawn("receivable_days"),
        payable_days=drawn("payable_days"),
        tax_rate=drawn("tax_rate"),
        loss_limit=drawn("loss_limit"),
        wacc=wacc,
        growth=growth,
        roic=roic,
    )


def problems(scenario: Scenario) -> list[Problem]:
    """What is wrong with the section, beyond what it can see by itself."""
    value = scenario.value
    kinds = [k.name for k in scenario.agents.kind]
    campuses = [c.name for c in scenario.build.campus]
    found = [
        _unknown(("value", "contract", c.name, "kind"), c.kind, kinds, "agents.kind")
        for c in value.contract
        if c.kind not in kinds
    ]
    found += [
        _unknown(("value", "power_lease", p.name, "site"), p.site, campuses, "build.campus")
        for p in value.power_lease
        if p.site not in campuses
    ]
    for claim in value.claim:
        try:
            row = _reported(claim)
        except InputError as error:
            found += error.problems
            continue
        if claim.rests_on == "reported" and (row is None or row["value_usd"] is None):
            fix = "set rests_on = 'claimed', or name a row of the catalog's rounds as `reported`"
            key = join(("value", "claim", claim.name, "rests_on"))
            found.append(Problem("", key, f"no valuation of {claim.firm} was reported", "", fix))
    return found


def price_index(scenario: Scenario, draws: Draws, calendar: Calendar) -> Array:
    """[month, draw] general price level, 1 on the first day; wages follow it."""
    rate = pick(draws, "value.inflation_per_year", scenario.value.inflation_per_year)
    return growing(np.ones(1), rate, calendar.years)


def minimum_tasks(scenario: Scenario, dims: Dims, calendar: Calendar) -> Array:
    """[month, kind, 1] tasks that contracts promise, which the allocation admits first."""
    return _contracts(scenario, dims)[0]


def leased_w(scenario: Scenario, dims: Dims, calendar: Calendar) -> Array:
    """[month, site, 1] IT power that is let to tenants by contract."""
    power = np.zeros((dims.size("month"), dims.size("site"), 1))
    for lease in scenario.value.power_lease:
        if lease.site in dims.labels["site"]:
            power[_term(scenario, lease), dims.index("site", lease.site)] += lease.power_w
    return power


def circular_finance(scenario: Scenario) -> tuple[str, ...]:
    """Customers and tenants with whom money goes in a circle: investors on one side or other."""
    known = {name.casefold() for name in investors(scenario)}
    value = scenario.value
    names = [c.customer for c in value.contract if c.supplier_is_investor]
    names += [c.customer for c in value.contract if c.customer.casefold() in known]
    names += [p.tenant for p in value.power_lease if p.tenant.casefold() in known]
    return tuple(dict.fromkeys(names))


def claim_checks(scenario: Scenario) -> tuple[ClaimCheck, ...]:
    """Every claim beside what was publicly reported of the firm, in the order of the scenario.

    Raises InputError where a claim names a reported row that does not exist.
    """
    return tuple(_check(scenario, claim) for claim in scenario.value.claim)


def _check(scenario: Scenario, claim: Claim) -> ClaimCheck:
    value = scenario.value
    report = _reported(claim)
    post = claim.value_usd
    if post is None and claim.pre_usd is not None and claim.raise_usd is not None:
        post = claim.pre_usd + claim.raise_usd
    figures: tuple[tuple[What, float | None, str], ...] = (
        ("raise", claim.raise_usd, "raise_usd"),
        ("pre", claim.pre_usd, "pre_money_usd"),
        ("post", post, "value_usd"),
    )
    rows = [
        (Figure(what, usd, claim.date, claim.source), _figure(what, report, column))
        for what, usd, column in figures
        if usd is not None
    ]
    before = report.text("date") if report else claim.date
    last = _last(claim.firm, "valuation", before, strictly=report is not None)
    if claim.run_rate_usd is not None:
        rate: Figure | None = Figure("run-rate", claim.run_rate_usd, claim.date, claim.source)
    else:
        rate = _figure("run-rate", _last(claim.firm, "run rate", claim.date), "value_usd")
    gdp = value.world_gdp_usd.median
    return check(
        rows,
        rests_on=claim.rests_on,
        last_round=_figure("post", last, "value_usd"),
        run_rate=rate,
        world_gdp=Figure("world GDP", gdp, str(value.world_gdp_year), value.world_gdp_source),
        investors=claim.investors,
        suppliers=claim.suppliers,
        customers=claim.customers,
    )


def _reported(claim: Claim) -> Row | None:
    """What the claim is compared with: the row it names, else the firm's last valuation."""
    if claim.reported is not None:
        return catalog.find("rounds", claim.reported)
    return _last(claim.firm, "valuation", claim.date)


def _last(firm: str, metric: str, until: str, strictly: bool = False) -> Row | None:
    """The firm's last reported row up to a date; a date without month means its last day."""
    key = key_of(firm)
    rows = [
        row
        for row in catalog.table("rounds")
        if key_of(row.text("company")) == key
        and row.text("metric") == metric
        and row.text("status") == "reported"
        and (row["value_usd"] is not None)
        and (row.text("date")[: len(until)] <= until)
        and not (strictly and row.text("date")[: len(until)] == until)
    ]
    return max(rows, key=lambda row: row.text("date"), default=None)


def _figure(what: What, row: Row | None, column: str) -> Figure | None:
    if row is None or row[column] is None:
        return None
    return Figure(what, row.number(column), row.text("date"), row.text("source"))


def _contracts(scenario: Scenario, dims: Dims) -> tuple[Array, Array, Array]:
    """[month, kind, 1] tasks promised, their mean price, and what is owed for them anyway."""
    shape = (dims.size("month"), dims.size("kind"), 1)
    tasks, worth, committed = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for c in scenario.value.contract:
        if c.kind not in dims.labels["kind"]:
            continue
        at = (_term(scenario, c), dims.index("kind", c.kind))
        usd = c.price_usd_per_task * c.tasks_per_month * _escalated(scenario, c)[at[0], None]
        tasks[at] += c.tasks_per_month
        worth[at] += usd
        committed[at] += c.take_or_pay * usd
    price = np.divide(worth, tasks, out=np.zeros(shape), where=tasks > 0)
    return tasks, price, committed


def _lease_usd_per_w(scenario: Scenario, draws: Draws, dims: Dims) -> Array:
    """[month, site, draw] mean rent of the power that is let, per W and month."""
    leases = [p for p in scenario.value.power_lease if p.site in dims.labels["site"]]
    rents = stack(
        pick(draws, join(("value", "power_lease", p.name, "usd_per_kw_month")), p.usd_per_kw_month)
        for p in leases
    )
    shape = (dims.size("month"), dims.size("site"), rents.shape[1])
    power, worth = np.zeros(shape), np.zeros(shape)
    for lease, rent in zip(leases, rents, strict=True):
        at = (_term(scenario, lease), dims.index("site", lease.site))
        power[at] += lease.power_w
        worth[at] += lease.power_w * rent / 1e3 * _escalated(scenario, lease)[at[0], None]
    return np.divide(worth, power, out=np.zeros(shape), where=power > 0)


def _term(scenario: Scenario, item: Contract | PowerLease) -> slice:
    """The months of the run in which a contract is in force."""
    start = month_index(scenario.start, item.start)
    return slice(max(start, 0), max(start + item.term_months, 0))


def _escalated(scenario: Scenario, item: Contract | PowerLease) -> Array:
    """[month] price over that of the contract's first year."""
    age = np.arange(scenario.months) - month_index(scenario.start, item.start)
    return np.asarray((1.0 + item.escalator_per_year) ** (age // 12), dtype=float)


def _site_staff(scenario: Scenario, draws: Draws) -> Array:
    """[draw] wages of site staff per W of IT power and month, in money of the first day."""
    value = scenario.value

    def drawn(name: str) -> Array:
        return pick(draws, f"value.{name}", getattr(value, name))

    if value.staff_wage_usd_per_h is None:
        row = catalog.find("wages", "electrician")
        wage = np.array([row.number("wage_usd_per_h") * row.number("loaded_factor")])
    else:
        wage = drawn("staff_wage_usd_per_h")
    hours = drawn("staff_hours_per_year") / 12
    return np.asarray(drawn("staff_people_per_mw") / 1e6 * hours * wage, dtype=float)


def _wage(kind: Kind, draws: Draws) -> Array:
    """[draw] hourly cost of the human who would do it, on-costs inside."""
    if kind.wage_usd_per_h is not None:
        return pick(draws, _path(kind, "wage_usd_per_h"), kind.wage_usd_per_h)
    row = catalog.find("wages", kind.human)
    return np.array([row.number("wage_usd_per_h") * row.number("loaded_factor")])


def _mean_hours(kind: Kind, draws: Draws) -> Array:
    """[draw] mean human time of a task: lengths are lognormal around the median."""
    minutes = pick(draws, _path(kind, "human_minutes"), kind.human_minutes)
    return np.asarray(minutes * math.exp(kind.sigma**2 / 2) / 60, dtype=float)


def _path(kind: Kind, field: str) -> str:
    return join(("agents", "kind", kind.name, field))


def _unknown(path: tuple[str, ...], name: str, known: list[str], where: str) -> Problem:
    return Problem("", join(path), f"there is no {name!r}", ", ".join(known) or f"no {where}")
