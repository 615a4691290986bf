"""The page: sections, figures and their tables, put into the template with style and script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from lineshaft.contracts.reasons import NAMES
from lineshaft.report import head, money, plan, work
from lineshaft.report.charts import Chart, html_table, with_unit
from lineshaft.report.palette import REASONS, ink

if TYPE_CHECKING:
    from lineshaft.characterise import Curves
    from lineshaft.line import Outcome

LICENCES = ("NOTICE.txt", "LICENSE.txt", "LICENSE-d3.txt", "LICENSE-zrender.txt")
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
    "value.enterprise_value_usd": "worth {}",
    "value.irr": "internal rate of return {}",
}
"""How a section's first line says a headline figure."""
READY = (
    "Diamonds show by when a hall (or the last hall of a phase) is ready: "
    "◆ in half of the worlds, ◇ in 80 % of them."
)
LEGEND = ("years", "shares", "dots")
"""Forms whose rows are named above the chart; the others carry the names at their rows."""


LEVELS = ("alarm", "flag", "ok")
"""Levels of a claim's findings, the gravest first."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    key: str
    title: str
    lead: str
    charts: tuple[Chart, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    """What to say in place of an empty chart, by its key."""
    html: str = ""


def render(info: Mapping[str, Any], outcome: Outcome, curves: Curves) -> str:
    """The whole page as HTML."""
    sections = _sections(info, outcome, curves)
    charts = [c for s in sections for c in s.charts if not c.empty]
    codes = sorted({code for c in charts for code in codes_of(c)})
    data = {
        "name": info["scenario"],
        "months": list(outcome.tables.dims.labels["month"]),
        "reasons": {code: [NAMES[code], REASONS[code], ink(REASONS[code])] for code in codes},
        "charts": [c.data() for c in charts],
    }
    draws = f"{info['draws']:,} draws" if info["draws"] else "no draws"
    parts = {
        "title": escape(f"{info['scenario']} · Lineshaft"),
        "name": escape(str(info["scenario"])),
        "line": escape(
            f"{info['months']} months from {info['start']} · {draws} · seed {info['seed']}"
        ),
        "notes": _notes(info["notes"]),
        "tiles": head.tiles(outcome.tables, info["kpis"]),
        "contents": "".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in sections),
        "sections": "".join(map(_section, sections)),
        "version": escape(str(info["lineshaft"])),
        "style": _asset("style.css"),
        "licences": escape("\n\n".join(_asset(f"assets/{n}").strip() for n in LICENCES)),
        "data": embed(data),
        "echarts": _asset("assets/echarts.min.js"),
        "script": _asset("charts.js"),
    }
    return "".join(
        parts[piece] if i % 2 else piece
        for i, piece in enumerate(_asset("template.html").split("%%"))
    )


def embed(data: object) -> str:
    """JSON that may stand in a script element: no `<`, `>` or `&` in it, whatever the names."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def codes_of(chart: Chart) -> set[int]:
    """The reason codes that a ribbon or a plan shows."""
    lanes = chart.extra.get("lanes", ())
    return {int(item[2]) for lane in lanes for item in lane.get("runs", lane.get("items"))}


def _sections(info: Mapping[str, Any], outcome: Outcome, curves: Curves) -> list[Section]:
    x = outcome.tables
    bands = {s.name: s for s in outcome.bands}
    kpis = {k.measure.name: k for k in outcome.kpis}
    limits, building = work.ribbons(x)
    construction = plan.plan(curves, x.dims.labels["month"])
    return [
        Section(
            "line",
            "The line",
            "Nine stations, from capital to value, and what limited each most often.",
            html=head.line(x),
        ),
        *_claims(info.get("claims", {})),
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
            (work.tokens(x, bands), work.token_cost(x), work.pue(x), work.energy(x)),
            {
                "tokens": "No tokens were served.",
                "token-cost": "Without tokens served there is no cost per token.",
                "pue": "Without IT energy there is no PUE.",
                "energy": "No energy was drawn.",
            },
        ),
        Section(
            "building",
            "Construction plan",
            "" if construction.empty else READY,
            (construction,),
            {"plan": "Nothing is built: the scenario has no construction phase."},
        ),
        Section(
            "tasks",
            "What a task costs",
            _headline(info, "value.usd_per_task", "oversee.human_minutes_per_task"),
            (money.task_price(x), money.task_cost(x), money.human_minutes(x)),
            {
                "task-price": "No task was accepted in the last month.",
                "task-cost": "No accepted task, no cost of a task.",
                "human-minutes": "No human minutes were spent on accepted tasks.",
            },
        ),
        Section(
            "money",
            "Cash and value",
            _headline(info, "value.lowest_cash_usd", "value.enterprise_value_usd", "value.irr"),
            (
                money.cash(x, bands),
                money.free_cash_flow(x, bands),
                money.value(x, kpis),
                money.revenue(x),
                money.costs(x),
            ),
            {
                "cash": "There is no cash: nothing was paid in and nothing earned.",
                "free-cash-flow": "No cash flowed.",
                "revenue": "There is no revenue.",
                "costs": "There are no costs.",
                "value": "Without cash flow there is no value.",
            },
        ),
        Section("checks", "Checks and how to go on", _checked(info), html=_checks(info)),
    ]


def _section(section: Section) -> str:
    parts = [_figure(chart) for chart in section.charts if not chart.empty]
    said = " ".join(section.missing[chart.key] for chart in section.charts if chart.empty)
    if said:
        parts.append(f'<p class="empty">{escape(said)}</p>')
    grid = f'<div class="grid">{"".join(parts)}</div>' if parts else ""
    lead = f'<p class="lead">{escape(section.lead)}</p>' if section.lead else ""
    return (
        f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{lead}'
        f"{section.html}{grid}</section>"
    )


def _figure(chart: Chart) -> str:
    names = ""
    if chart.form in ("ribbon", "gantt"):
        names = head.legend(codes_of(chart))
    elif len(chart.rows) > 1 or chart.form == "years":
        items = "".join(
            f'<li><i style="background:{r.colour}"></i>{escape(r.name)}</li>' for r in chart.rows
        )
        more = "" if chart.form in LEGEND else " spare"
        names = f'<ul class="legend{more}">{items}</ul>'
    band = f'<p class="note band">Shaded: {chart.bands[0].name}</p>' if chart.bands else ""
    return (
        f'<figure id="fig-{chart.key}" class="{chart.width}"><figcaption>'
        f'<h3>{escape(chart.title)}</h3><p class="note">{escape(chart.note)}</p>{band}</figcaption>'
        f'<div>{names}</div><div class="chart" data-key="{chart.key}" role="img" '
        f'aria-label="{escape(chart.alt)}" style="height:{_height(chart)}px"></div>'
        f'<div class="more"><details><summary>Table</summary>{chart.table()}</details>'
        f'<a class="csv" href="#fig-{chart.key}" data-key="{chart.key}">CSV</a></div></figure>'
    )


def _height(chart: Chart) -> int:
    lanes: Sequence[Mapping[str, Any]] = chart.extra.get("lanes", ())
    if chart.form == "ribbon":
        return 30 + 27 * len(lanes)
    if chart.form == "gantt":
        return 34 + len(lanes) * max(22, 8 + 6 * max(int(lane["lines"]) for lane in lanes))
    if chart.form in ("shares", "dots"):
        return 44 + 32 * len(chart.x)
    return 330 if chart.width == "wide" else 280


def _headline(info: Mapping[str, Any], *names: str) -> str:
    """Headline figures as one sentence."""
    said = []
    for name in names:
        kpi = info["kpis"].get(name)
        if kpi is not None and kpi["value"] is not None:
            unit = "share" if kpi["unit"] == "1/year" else str(kpi["unit"]).partition("/")[0]
            window = "" if kpi["window"] in ("at once", "all months") else f" ({kpi['window']})"
            said.append(PHRASES[name].format(with_unit(float(kpi["value"]), unit)) + window)
    return f"{'; '.join(said)}." if said else ""


def _limits(info: Mapping[str, Any]) -> str:
    years = list(info.get("binding", {}).items())
    if not years:
        return "What limits the last unit of work that is not done, month by month."
    year, said = years[-1]
    return f"What limits the last unit of work that is not done. In {year}: {said.strip()}."


def _claims(claims: Mapping[str, Sequence[str]]) -> tuple[Section, ...]:
    """Each claim with its findings, the alarms first; no section without claims."""
    if not claims:
        return ()
    parts = []
    for name, verdicts in claims.items():
        items = ""
        for verdict in sorted(verdicts, key=lambda v: LEVELS.index(v.split(":")[0])):
            level, rule, text = verdict.split(": ", 2)
            items += (
                f'<li class="{escape(level)}"><b>{escape(level)}</b> '
                f"<i>{escape(rule)}</i> {escape(text)}</li>"
            )
        parts.append(f"<h3>{escape(name)}</h3><ul class='claims'>{items}</ul>")
    lead = "Each claimed figure beside the reported one, and what must be true for it to hold."
    return (Section("claims", "Claims", lead, html="".join(parts)),)


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


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
    return (
        f"<details><summary>All balances</summary>{table}</details>"
        f"<details><summary>Time spent</summary>{html_table('Time', ('', 'time'), times)}</details>"
        f'<p class="made">{escape(made)}. How to go on, in the folder of this report:</p>'
        f"<pre>{escape(more)}"
        f"lineshaft run scenario.toml --set capital.runway_months=6    # one assumption changed\n"
        f"lineshaft catalog accelerators    # the facts, each with its source</pre>"
    )


def _asset(name: str) -> str:
    return (resources.files("lineshaft.report") / name).read_text("utf-8")
