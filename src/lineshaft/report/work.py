"""Charts of the work: what limits it, agents, power, accelerators, tokens, energy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.reasons import NAMES
from lineshaft.contracts.tables import Tables
from lineshaft.kpis import QUANTILES, Series
from lineshaft.report.charts import Band, Chart, Row, few, number
from lineshaft.report.palette import ENERGY, SERIES, STATES
from lineshaft.tables import Array

MOST = 9
"""Rows of a stacked chart."""
LOW, HIGH = QUANTILES.index(0.1), QUANTILES.index(0.9)


def over(top: Array, bottom: Array) -> Array:
    """`top / bottom`, NaN where `bottom` is 0."""
    found: Array = np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)
    return found


def band(bands: Mapping[str, Series], name: str, scale: float = 1.0) -> tuple[Band, ...]:
    """The band of a headline column, if there are draws."""
    found = bands.get(name)
    if found is None or not found.quantiles.shape[1]:
        return ()
    low, high = found.quantiles[LOW] * scale, found.quantiles[HIGH] * scale
    return (Band("p10 – p90 over the draws", low, high),)


def span(x: Tables) -> str:
    """The months of the run, for alt texts."""
    months = x.dims.labels["month"]
    return f"from {months[0]} to {months[-1]}"


def ribbons(x: Tables) -> tuple[Chart, Chart]:
    """What limits each kind of work, and what decides the pace of each construction phase."""
    work = _ribbon(
        x,
        "work",
        "What limits the work, by kind",
        x.dims.labels["kind"],
        x.admitted.binding[..., 0],
        "What limits the last task not done",
    )
    phases = _ribbon(
        x,
        "construction",
        "What limits construction, by phase",
        x.dims.labels["phase"],
        x.phases.binding[..., 0],
        "What decides the pace of the phase",
    )
    return work, phases


def _ribbon(
    x: Tables, key: str, title: str, labels: tuple[str, ...], codes: NDArray[np.int8], note: str
) -> Chart:
    months = x.dims.labels["month"]
    years = np.array([month[:4] for month in months])
    lanes, body = [], []
    for i, label in enumerate(labels):
        lanes.append({"label": label, "runs": runs(codes[:, i])})
    for year in dict.fromkeys(years.tolist()):
        cells = []
        for i in range(len(labels)):
            common = Counter(NAMES[c] for c in codes[years == year, i] if c).most_common(2)
            cells.append(", ".join(name for name, _ in common) or "–")
        body.append((year, *cells))
    often = Counter(NAMES[c] for c in codes.ravel() if c).most_common(3)
    said = ", ".join(f"{name} ({n} months)" for name, n in often) or "nothing"
    return Chart(
        key=key,
        title=title,
        form="ribbon",
        unit="reason",
        x=months,
        rows=tuple(Row(label, codes[:, i].astype(float)) for i, label in enumerate(labels)),
        alt=f"Ribbon of {len(labels)} rows {span(x)}, coloured by reason. Most often: {said}.",
        note=note,
        width="wide",
        extra={"lanes": lanes, "rows": []},
        head=("", *labels),
        body=tuple(body),
    )


def runs(codes: NDArray[np.int8]) -> list[list[int]]:
    """[first month, month after the last, code] of each stretch with one code."""
    if not codes.size:
        return []
    edges = np.flatnonzero(np.diff(codes)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(codes)]
    return [[s, e, int(codes[s])] for s, e in zip(starts, ends, strict=True)]


def agents(x: Tables, bands: Mapping[str, Series]) -> Chart:
    """Daily active agents by kind."""
    daa = x.accepted.daa_b[..., 0]
    rows = [Row(kind, daa[:, i]) for i, kind in enumerate(x.dims.labels["kind"])]
    last = number(float(daa[-1].sum()), "agent")
    return Chart(
        key="daa",
        title="Daily active agents by kind",
        form="area",
        unit="agent",
        x=x.dims.labels["month"],
        rows=few(rows, MOST, SERIES),
        alt=f"Stacked area: daily active agents by kind {span(x)}, {last} in the last month.",
        note="Agents with at least one accepted task on a mean day of the month (grade B: "
        "implicit acceptance and LLM judges included)",
        bands=band(bands, "oversee.daa"),
        width="wide",
    )


def power(x: Tables, bands: Mapping[str, Series]) -> Chart:
    """IT power that is on, by site."""
    on = x.energised.it_w[..., 0]
    rows = [Row(site, on[:, i]) for i, site in enumerate(x.dims.labels["site"])]
    last = number(float(on[-1].sum()), "W")
    return Chart(
        key="power",
        title="IT power that is on, by site",
        form="area",
        unit="W",
        x=x.dims.labels["month"],
        rows=few(rows, MOST, SERIES),
        alt=f"Stacked area: energised IT power by site {span(x)}, {last} in the last month.",
        note="Mean of the month",
        bands=band(bands, "build.energised_mw", 1e6),
    )


def accelerators(x: Tables) -> Chart:
    """Accelerators by state."""
    stored = x.accelerators.stored[..., 0].sum(axis=1)
    states = {name: x.states[name][..., 0].sum(axis=1) for name in STATES if name != "stored"}
    rows = [Row(n, v, STATES[n]) for n, v in {**states, "stored": stored}.items()]
    last = number(float(sum(v[-1] for v in states.values())), "accelerator")
    return Chart(
        key="accelerators",
        title="Accelerators by state",
        form="area",
        unit="accelerator",
        x=x.dims.labels["month"],
        rows=few(rows, MOST, SERIES),
        alt=f"Stacked area: accelerators by state {span(x)}, {last} installed in the last month.",
        note="Mean of the month. Headroom waits for the busiest hour, empty is powered and "
        "nobody's, stored waits for a hall",
    )


def tokens(x: Tables, bands: Mapping[str, Series]) -> Chart:
    """Tokens served by model."""
    served = x.served.served[..., 0]
    rows = [Row(model, served[:, i]) for i, model in enumerate(x.dims.labels["model"])]
    last = number(float(served[-1].sum()), "token")
    return Chart(
        key="tokens",
        title="Tokens served a month, by model",
        form="area",
        unit="token",
        x=x.dims.labels["month"],
        rows=few(rows, MOST, SERIES),
        alt=f"Stacked area: tokens served a month by model {span(x)}, {last} in the last month.",
        note="All classes: computed prompt, cached prompt, output",
        bands=band(bands, "serve.tokens"),
        yearly="sum",
    )


def token_cost(x: Tables) -> Chart:
    """Full and marginal cost of a million tokens."""
    served = x.served.served[..., 0].sum(axis=1)
    full = np.where(served > 0, x.worth.usd_per_mtok[:, 0], np.nan)
    marginal = np.where(served > 0, x.worth.marginal_usd_per_mtok[:, 0], np.nan)
    return Chart(
        key="token-cost",
        title="Cost of a million tokens",
        form="lines",
        unit="USD/Mtok",
        x=x.dims.labels["month"],
        rows=_lines(Row("full", full, SERIES[0]), Row("marginal", marginal, SERIES[1])),
        alt=f"Two lines: full and marginal cost per million tokens {span(x)}, "
        f"{number(float(full[-1]), 'USD/Mtok')} in full in the last month.",
        note="Full: capital, power, people and rent. Marginal: one more million",
        log=True,
    )


def pue(x: Tables) -> Chart:
    """PUE by site."""
    p = x.powered
    sites = x.dims.labels["site"]
    rows = []
    for i, site in enumerate(sites):
        it = p.it_j[:, i, 0]
        rest = (p.losses_j + p.cooling_j + p.other_j)[:, i, 0]
        rows.append(Row(site, over(it + rest, it)))
    seen = few(rows, 6, SERIES) if len(rows) <= 6 else few([_all_sites(x)], 6, SERIES)
    return Chart(
        key="pue",
        title="PUE",
        form="lines",
        unit="1",
        x=x.dims.labels["month"],
        rows=seen,
        alt=f"Lines: power usage effectiveness {span(x)}, by site.",
        note="Facility energy but for robots over IT energy",
    )


def _all_sites(x: Tables) -> Row:
    p = x.powered
    it = p.it_j[..., 0].sum(axis=1)
    rest = (p.losses_j + p.cooling_j + p.other_j)[..., 0].sum(axis=1)
    return Row("all sites", over(it + rest, it))


def energy(x: Tables) -> Chart:
    """Facility energy by use."""
    p = x.powered
    uses = {
        "IT": p.it_j,
        "losses": p.losses_j,
        "cooling": p.cooling_j,
        "robots": p.floor_j,
        "other": p.other_j,
    }
    rows = [Row(n, v[..., 0].sum(axis=1) / 3600, ENERGY[n]) for n, v in uses.items()]
    last = number(float(p.facility_j[-12:, :, 0].sum()) / 3600, "Wh")
    return Chart(
        key="energy",
        title="Facility energy a month, by use",
        form="area",
        unit="Wh",
        x=x.dims.labels["month"],
        rows=few(rows, MOST, SERIES),
        alt=f"Stacked area: facility energy by use {span(x)}, {last} in the last 12 months.",
        note="All sites",
        yearly="sum",
    )


def _lines(*rows: Row) -> tuple[Row, ...]:
    return tuple(row for row in rows if np.isfinite(row.values).any())
