"""Charts of the money: cash, revenue and cost, value and its spread over the draws."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.contracts.worth import CAPEX, OPEX, REVENUE
from lineshaft.kpis import Series
from lineshaft.report.charts import Chart, Row, by_year, few, number, plain, sheet
from lineshaft.report.palette import FIRM, SERIES, TOTAL
from lineshaft.report.work import band, span
from lineshaft.tables import Array


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
        alt=f"Line: free cash flow a month {span(x)}, "
        f"{number(float(flow[-12:].sum()), 'USD')} in the last 12 months.",
        note="Receipts − payments − tax without debt − capex",
        bands=band(bands, "value.free_cash_flow_usd"),
        yearly="sum",
    )


def revenue(x: Tables) -> Chart:
    """Revenue lines by year."""
    w = x.worth
    lines = {name: w[column] for name, column in REVENUE.items()}
    return _years(x, "revenue", "Revenue by year", lines, w.revenue_usd)


def costs(x: Tables) -> Chart:
    """Cost lines by year, capex included."""
    w = x.worth
    lines = {name: w[column] for name, column in {**CAPEX, **OPEX}.items()}
    return _years(x, "costs", "Costs by year, capex included", lines, w.opex_usd + w.capex_usd)


def _years(x: Tables, key: str, title: str, lines: Mapping[str, Array], total: Array) -> Chart:
    months = x.dims.labels["month"]
    years, found = by_year(months, [v[:, 0] for v in lines.values()], "sum")
    rows = [Row(n, v, FIRM.get(n, SERIES[-1])) for n, v in zip(lines, found, strict=True)]
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


def value(x: Tables, quantiles: Mapping[str, float]) -> Chart:
    """What the enterprise value is made of; `quantiles` are its own, none without draws."""
    v = x.valuation
    explicit, end = float(v.explicit_value_usd[0]), float(v.terminal_value_usd[0])
    total, equity = float(v.enterprise_value_usd[0]), float(v.equity_value_usd[0])
    steps = [("during the run", explicit), ("after it", end)]
    labels = ("during the run", "after it", "enterprise value", "equity value")
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
        alt="Bars: " + ", ".join(f"{n} {number(s, 'USD')}" for n, s in steps) + ", sum "
        f"{number(total, 'USD')}.",
        note=note,
        extra={"whisker": whisker},
    )


BINS = 32


def spread(draws: Array, median: float, quantiles: Mapping[str, float]) -> Chart:
    """How often the enterprise value falls where; `draws` [n] are its values, `median` that of
    the case with every input at its median. Empty without draws.

    The lowest and highest hundredth of the draws are counted in the outermost bins.
    """
    known = draws[np.isfinite(draws)]
    edges, counts = np.zeros(1), np.zeros(0)
    if known.size:
        low, high = np.quantile(known, (0.01, 0.99))
        high = high if high > low else low + max(1.0, abs(low))
        edges = np.linspace(low, high, min(BINS, max(6, round(2 * known.size ** (1 / 3)))) + 1)
        counts = np.histogram(np.clip(known, low, high), edges)[0].astype(float)
    loses = float((known < 0).mean()) if known.size else 0.0
    below = f"below 0 in {number(loses, 'share')} of the draws" if known.size else ""
    marks = [[p, value] for p, value in quantiles.items() if p in ("p10", "p50", "p90")]
    return Chart(
        key="value-spread",
        title="Enterprise value over the draws",
        form="spread",
        unit="USD",
        x=tuple(number(float(edge), "USD") for edge in edges[:-1]),
        rows=(Row("draws", counts, TOTAL),),
        alt=f"Histogram of the enterprise value in {known.size} draws: "
        + ", ".join(f"{p} {number(v, 'USD')}" for p, v in quantiles.items())
        + f"; {below}.",
        note=f"{known.size:,} draws; {below}. Dot: every input at its median",
        extra={
            "edges": plain(edges),
            "marks": [[p, *plain(np.array([v]))] for p, v in marks],
            "median": plain(np.array([median]))[0],
            "sheet": sheet(
                ("from [USD]", "to [USD]", "draws"),
                zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True),
            ),
        },
        head=("", "enterprise value"),
        body=(
            *((f"{p[1:]} % quantile", number(value, "USD")) for p, value in quantiles.items()),
            ("share of draws below 0", number(loses, "share")),
        ),
    )
