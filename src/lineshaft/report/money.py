"""Charts of the money: cost of a task, cash, revenue and cost, value."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.tables import Tables
from lineshaft.kpis import Kpi, Series
from lineshaft.report.charts import Chart, Row, by_year, few, number
from lineshaft.report.palette import COSTS, FIRM, SERIES
from lineshaft.report.work import band, span
from lineshaft.tables import Array


def working(x: Tables) -> NDArray[np.int64]:
    """Indices of the kinds with accepted tasks in the last month."""
    return np.flatnonzero(x.accepted.accepted[-1, :, 0] > 0)


def task_price(x: Tables) -> Chart:
    """What a task costs and what is paid for it."""
    own = working(x)
    month = x.dims.labels["month"][-1]
    return Chart(
        key="task-price",
        title="Cost and price of an accepted task",
        form="dots",
        unit="USD/task",
        x=tuple(x.dims.labels["kind"][i] for i in own),
        rows=(
            Row("cost", x.task_costs.usd_per_task[-1, own, 0], SERIES[0]),
            Row("price", x.fielded.price_usd[-1, own, 0], SERIES[1]),
        ),
        width="third",
        alt=f"Dots on a logarithmic axis: full cost and price of a task of {len(own)} kinds.",
        note=f"{month}. Where cost lies left of price, the kind earns money",
    )


def task_cost(x: Tables) -> Chart:
    """What the cost of a task is made of."""
    own = working(x)
    costs = x.task_costs
    parts = {
        "tokens": costs.token_usd,
        "robots": costs.robot_usd,
        "people": costs.human_usd,
        "escapes": costs.escape_usd,
    }
    rows = [Row(n, v[-1, own, 0], COSTS[n]) for n, v in parts.items()]
    return Chart(
        key="task-cost",
        title="What the cost of a task is made of",
        form="shares",
        unit="USD/task",
        x=tuple(x.dims.labels["kind"][i] for i in own),
        rows=few(rows, 9, SERIES),
        width="third",
        alt=f"Stacked bars: shares of tokens, robots, people and escapes in the cost of a task "
        f"of {len(own)} kinds.",
        note=f"{x.dims.labels['month'][-1]}. Shares; the whole cost stands at the right",
    )


def human_minutes(x: Tables) -> Chart:
    """Human minutes per accepted task, by kind."""
    own = working(x)
    return Chart(
        key="human-minutes",
        title="Human minutes per accepted task",
        form="dots",
        unit="min/task",
        x=tuple(x.dims.labels["kind"][i] for i in own),
        rows=(Row("human", x.task_costs.human_min_per_task[-1, own, 0], COSTS["people"]),),
        width="third",
        alt=f"Dots on a logarithmic axis: human minutes per task of {len(own)} kinds.",
        note=f"{x.dims.labels['month'][-1]}. Review, rework and interventions",
    )


def cash(x: Tables, bands: Mapping[str, Series]) -> Chart:
    """Cash at the end of each month."""
    held = x.worth.cash_usd[:, 0]
    return Chart(
        key="cash",
        title="Cash at the end of the month",
        form="lines",
        unit="USD",
        x=x.dims.labels["month"],
        rows=(Row("cash", held, SERIES[0]),),
        width="third",
        alt=f"Line: cash {span(x)}, lowest {number(float(held.min()), 'USD')}, "
        f"{number(float(held[-1]), 'USD')} at the end.",
        note="Line: every input at its median",
        bands=band(bands, "value.cash_usd"),
        yearly="last",
        extra={"lowest": int(held.argmin())},
    )


def free_cash_flow(x: Tables, bands: Mapping[str, Series]) -> Chart:
    """Free cash flow by month."""
    flow = x.worth.free_cash_flow_usd[:, 0]
    return Chart(
        key="free-cash-flow",
        title="Free cash flow a month",
        form="lines",
        unit="USD",
        x=x.dims.labels["month"],
        rows=(Row("free cash flow", flow, SERIES[2]),),
        width="third",
        alt=f"Line: free cash flow a month {span(x)}, "
        f"{number(float(flow[-12:].sum()), 'USD')} in the last 12 months.",
        note="Receipts − payments − tax without debt − capex",
        bands=band(bands, "value.free_cash_flow_usd"),
        yearly="sum",
    )


def revenue(x: Tables) -> Chart:
    """Revenue lines by year."""
    w = x.worth
    lines = {
        "tasks": w.task_revenue_usd,
        "tokens": w.token_revenue_usd,
        "leases": w.lease_revenue_usd,
        "contract shortfalls": w.contract_revenue_usd,
    }
    return _years(x, "revenue", "Revenue by year", lines, w.revenue_usd, w)


def costs(x: Tables) -> Chart:
    """Cost lines by year, capex included."""
    w = x.worth
    lines = {
        "accelerators": w.accelerator_usd,
        "construction": w.construction_usd,
        "robots": w.robot_usd,
        "energy": w.energy_usd,
        "reviewers and operators": w.people_usd,
        "staff": w.staff_usd,
        "rented compute": w.rent_usd,
        "maintenance": w.maintenance_usd,
        "escapes": w.escape_usd,
    }
    return _years(x, "costs", "Costs by year, capex included", lines, w.opex_usd + w.capex_usd, w)


def _years(
    x: Tables, key: str, title: str, lines: Mapping[str, Array], total: Array, w: object
) -> Chart:
    months = x.dims.labels["month"]
    years, found = by_year(months, [v[:, 0] for v in lines.values()], "sum")
    rows = [Row(n, v, FIRM[n]) for n, v in zip(lines, found, strict=True)]
    _, (sums,) = by_year(months, [total[:, 0]], "sum")
    top = max(
        float(by_year(months, [v[:, 0]], "sum")[1][0].max(initial=0.0))
        for v in (x.worth.revenue_usd, x.worth.opex_usd + x.worth.capex_usd)
    )
    part = {year: sum(m.startswith(year) for m in months) for year in years}
    return Chart(
        key=key,
        title=title,
        form="years",
        unit="USD",
        x=tuple(y if part[y] == 12 else f"{y} ({part[y]} mo)" for y in years),
        rows=few(rows, 9, SERIES),
        alt=f"Stacked bars: {title.lower()}, {number(float(sums[-1]), 'USD')} in {years[-1]}.",
        note="Same scale as the chart beside it",
        extra={"top": top},
    )


def value(x: Tables, kpis: Mapping[str, Kpi]) -> Chart:
    """What the enterprise value is made of."""
    v = x.valuation
    explicit, end = float(v.explicit_value_usd[0]), float(v.terminal_value_usd[0])
    total, equity = float(v.enterprise_value_usd[0]), float(v.equity_value_usd[0])
    steps = [("during the run", explicit), ("after it", end)]
    labels = ("during the run", "after it", "enterprise value", "equity value")
    found = kpis.get("value.enterprise_value_usd")
    quantiles = found.quantiles if found else {}
    note = f"Discounted at {number(float(v.wacc[0]), 'share')} a year"
    irr = float(v.irr[0])
    note += f", internal rate of return {number(irr, 'share')}" if math.isfinite(irr) else ""
    whisker = [quantiles["p10"], quantiles["p90"]] if quantiles else []
    note += "; the whisker spans p10 – p90" if whisker else ""
    return Chart(
        key="value",
        title="Value on the first day",
        form="steps",
        unit="USD",
        x=labels,
        rows=(Row("value", np.array([explicit, end, total, equity]), SERIES[0]),),
        width="third",
        alt="Bars: " + ", ".join(f"{n} {number(s, 'USD')}" for n, s in steps) + ", sum "
        f"{number(total, 'USD')}.",
        note=note,
        extra={"whisker": whisker},
    )
