"""The page of a run: its sections in their order."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from lineshaft.contracts.reasons import NAMES
from lineshaft.kpis import VALUE
from lineshaft.report import costs, flows, head, money, moves, must, plan, scores, work
from lineshaft.report.charts import html_table, with_unit
from lineshaft.report.palette import REASONS, ink
from lineshaft.report.parts import Section, codes_of, listing
from lineshaft.report.shell import shell
from lineshaft.runs import Run

PHRASES = {
    "oversee.daa": "{} daily active",
    "oversee.accepted_tasks_per_daa": "{} accepted per agent and day",
    "build.first_power_month": "First power after {}",
    "build.installed_accelerators": "{} installed",
    "serve.tokens": "{} served",
    "plant.pue": "PUE {}",
    "plant.energy_kwh": "{} from the grid",
    "value.usd_per_task": "{} for an accepted task, all in",
    "oversee.human_minutes_per_task": "{} of human work in it",
    "value.lowest_cash_usd": "Lowest cash {}",
    VALUE: "worth {}",
    "value.irr": "internal rate of return {}",
}
"""How a section's first line says a headline figure."""


def render(run: Run) -> str:
    """The whole page as HTML. Raises RunError where a file of the run is missing or damaged."""
    info = run.info
    told = _sections(run)
    sections = [one for one in told if not one.empty]
    absent = [f"{one.title}: {one.absent}" for one in told if one.empty]
    if absent:
        # before the checks, which are always there
        html = listing(absent, "absent")
        sections.insert(-1, Section("absent", "Not in this run", html=html))
    charts = [c for s in sections for c in s.charts if not c.empty]
    codes = sorted({code for c in charts for code in codes_of(c)})
    data = {
        "name": info["scenario"],
        "months": list(run.tables.dims.labels["month"]),
        "reasons": {code: [NAMES[code], REASONS[code], ink(REASONS[code])] for code in codes},
        "charts": [c.data() for c in charts],
    }
    draws = f"{info['draws']:,} draws" if info["draws"] else "no draws"
    line = f"{info['months']} months from {info['start']} · {draws} · seed {info['seed']}"
    return shell(
        name=str(info["scenario"]),
        line=f"{escape(line)} · <strong>conditional on this scenario</strong>",
        head=head.tiles(run.tables, info["kpis"]) + listing(info["notes"], "notes"),
        sections=sections,
        version=str(info["lineshaft"]),
        data=data,
    )


def _sections(run: Run) -> list[Section]:
    info, x = run.info, run.tables
    bands = {s.name: s for s in run.bands}
    quantiles = info["kpis"][VALUE]["quantiles"]
    limits, building = work.ribbons(x)
    construction = plan.plan(run.construction, x.dims.labels["month"])
    asked = info.get("required")
    claims = must.claims(info.get("claims") or {})
    return [
        Section(
            "line",
            "The line",
            "The stations, from capital to value, and what limited each most often.",
            html=head.line(x),
        ),
        Section(
            "must",
            "What must be true",
            must.lead(asked) if asked else _claimed(claims),
            (must.joints(asked),),
            {"joints": must.ABSENT},
            html=claims + (must.lit(asked) if asked else ""),
        ),
        Section(
            "limits",
            "What limits it",
            _limits(info),
            (limits, building),
            {
                "work": "No kind of work is asked for, so nothing limits it.",
                "construction": "Nothing is being built in these months.",
            },
        ),
        Section(
            "agents",
            "Agents at work",
            _headline(info, "oversee.daa", "oversee.accepted_tasks_per_daa"),
            (work.agents(x, bands),),
            {"daa": "No agent did accepted work in these months."},
        ),
        Section(
            "power",
            "Power and accelerators",
            _headline(info, "build.first_power_month", "build.installed_accelerators"),
            (work.power(x, bands), work.accelerators(x)),
            {
                "power": "No site has IT power on in these months.",
                "accelerators": "There are no accelerators.",
            },
        ),
        Section(
            "tokens",
            "Tokens and energy",
            _headline(info, "serve.tokens", "plant.pue", "plant.energy_kwh"),
            (
                *(work.tokens(x, bands), work.token_cost(x), flows.energy(x)),
                *(work.pue(x), work.energy(x)),
            ),
            {
                "tokens": "No tokens were served.",
                "token-cost": "Without tokens served there is no cost per token.",
                "energy-flow": "No energy was drawn in the last 12 months.",
                "pue": "Without IT energy there is no PUE.",
                "energy": "No energy was drawn.",
            },
        ),
        Section(
            "building",
            "Construction plan",
            plan.ready(construction),
            (construction,),
            {"plan": "Nothing is built: the scenario has no construction phase."},
        ),
        Section(
            "tasks",
            "What a task costs",
            _headline(info, "value.usd_per_task", "oversee.human_minutes_per_task"),
            (
                *(costs.task_parts(x), costs.task_price(x), costs.task_cost(x)),
                costs.human_minutes(x),
            ),
            {
                "task-parts": "No task was accepted in the last 12 months.",
                "task-price": "No task was accepted in the last month, so none has a cost.",
                "task-cost": "",
                "human-minutes": "No human minutes were spent on accepted tasks.",
            },
        ),
        Section(
            "money",
            "Cash and value",
            _headline(info, "value.lowest_cash_usd", VALUE, "value.irr"),
            (
                money.cash(x, bands),
                money.free_cash_flow(x, bands),
                money.value(x, quantiles),
                money.spread(run.draws(VALUE), info["kpis"][VALUE]["value"], quantiles),
                flows.money(x),
                money.revenue(x),
                money.costs(x),
            ),
            {
                "cash": "There is no cash: nothing was paid in and nothing earned.",
                "free-cash-flow": "No cash flowed from operations or for capex.",
                "value": "Without cash flow there is no value.",
                "value-spread": ""
                if info["draws"]
                else "Without draws the value has no spread: "
                "`lineshaft run scenario.toml --draws 1000` gives one.",
                "money-flow": "No money moved.",
                "revenue": "There is no revenue.",
                "costs": "There are no costs.",
            },
        ),
        Section(
            "moves",
            "What moves the value",
            moves.confidence(info),
            (moves.swings(info.get("sensitivity")), moves.one_more(info.get("one_more"))),
            {
                "swings": moves.NOTHING if info.get("sensitivity") else moves.ABSENT,
                "one-more": moves.NOTHING_MORE if info.get("one_more") is not None else "",
            },
        ),
        Section(
            "scores",
            "Model against measured",
            scores.lead(),
            (scores.errors(),),
            {"errors": scores.ABSENT},
            more=scores.tables(),
        ),
        Section("checks", "Checks and how to go on", _checked(info), html=_checks(info)),
    ]


def _headline(info: Mapping[str, Any], *names: str) -> str:
    """Headline figures as one sentence; those that are nothing are left out."""
    said = []
    for name in names:
        kpi = info["kpis"].get(name)
        if kpi is not None and kpi["value"]:
            unit = "share" if kpi["unit"] == "1/year" else str(kpi["unit"]).partition("/")[0]
            window = "" if kpi["window"] in ("at once", "all months") else f" ({kpi['window']})"
            said.append(PHRASES[name].format(with_unit(float(kpi["value"]), unit)) + window)
    words = "; ".join(said)
    return f"{words[0].upper()}{words[1:]}." if said else ""


def _limits(info: Mapping[str, Any]) -> str:
    years = list(info.get("binding", {}).items())
    if not years:
        return ""
    year, said = years[-1]
    return f"What limits the last unit of work that is not done. In {year}: {said.strip()}."


def _claimed(claims: str) -> str:
    words = "Each claimed figure beside the reported one, and what must be true for it to hold."
    return words if claims else ""


def _checked(info: Mapping[str, Any]) -> str:
    checks = info["checks"]
    if not checks:
        return "No balance was checked."
    worst = max(checks, key=lambda c: float(c["residual"]))
    open_ = sum(not c["passed"] for c in checks)
    state = "all closed" if not open_ else f"{open_} do NOT close"
    where = f" ({worst['stage']}: {worst['balance']})" if worst["residual"] else ""
    return (
        f"{len(checks)} balances, each for every month, key and draw: {state}. "
        f"Largest relative residual: {float(worst['residual']):.1e}{where}."
    )


def _checks(info: Mapping[str, Any]) -> str:
    rows = [
        (
            str(c["stage"]),
            str(c["balance"]),
            f"{float(c['residual']):.1e}",
            str(c["month"]) if c["residual"] else "–",
            "closed" if c["passed"] else "OPEN",
        )
        for c in info["checks"]
    ]
    columns = ("stage", "balance", "largest residual", "month", "state")
    table = html_table("Balances", columns, rows, words=True)
    times = [(str(name), f"{float(seconds):.2f} s") for name, seconds in info["timings_s"].items()]
    times += [
        (f"curve of {c['stage']}", "cached" if c["cached"] else f"{float(c['seconds']):.2f} s")
        for c in info["curves"]
    ]
    made = (
        f"lineshaft {info['lineshaft']}, Python {info['python']}, numpy {info['numpy']}, "
        f"seed {info['seed']}"
    )
    more = "" if info["draws"] else "lineshaft run scenario.toml --draws 1000    # with bands\n"
    more += "lineshaft require scenario.toml --value 9.3T    # what a worth needs\n"
    return (
        f"<details><summary>All balances</summary>{table}</details>"
        f"<details><summary>Time spent</summary>{html_table('Time', ('', 'time'), times)}</details>"
        f'<p class="made">{escape(made)}. How to go on, in the folder of this report:</p>'
        f"<pre>{escape(more)}"
        f"lineshaft run scenario.toml --set capital.runway_months=6    # one assumption changed\n"
        f"lineshaft catalog accelerators    # the facts, each with its source</pre>"
    )
