"""Where the energy and the money go: flows that add up at every node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lineshaft.contracts.tables import Tables
from lineshaft.contracts.worth import CAPEX, OPEX, REVENUE
from lineshaft.report.charts import Chart, Row, number, plain, sheet
from lineshaft.report.palette import ENERGY, FIRM, FLOWS, SERIES, STATES
from lineshaft.tables import Array

SMALL = 0.004
"""Revenue of a kind below this share of all money is added up with the others."""


Node = tuple[int, str]
"""Column and name: a site may be called as a use of energy is."""


@dataclass
class Flows:
    """Nodes with their colour, in their order, and what flows between them."""

    nodes: dict[Node, str] = field(default_factory=dict)
    links: list[tuple[Node, Node, float]] = field(default_factory=list)

    def add(self, source: Node, target: Node, value: float) -> None:
        """A flow between two nodes, if there is one."""
        if value > 0:
            self.links.append((source, target, value))

    def through(self, node: Node) -> tuple[float, float]:
        """What flows into a node and what flows out of it."""
        into = sum(v for _, target, v in self.links if target == node)
        return into, sum(v for source, _, v in self.links if source == node)

    def chart(self, **what: Any) -> Chart:
        """The chart; nodes without a flow are left out."""
        seen = {node for link in self.links for node in link[:2]}
        nodes = [node for node in self.nodes if node in seen]
        place = {node: i for i, node in enumerate(nodes)}
        whole = sum(v for s, _, v in self.links if s[0] == 0)
        named = [(s[1], t[1], v) for s, t, v in self.links]
        unit = what["unit"]
        values = np.array([v for *_, v in self.links])
        return Chart(
            form="flows",
            x=(),
            rows=(Row("flow", values),),
            width="wide",
            extra={
                "rows": [],
                "nodes": [[name, column, self.nodes[column, name]] for column, name in nodes],
                "links": [
                    [place[s], place[t], v]
                    for (s, t, _), v in zip(self.links, plain(values), strict=True)
                ],
                "sheet": sheet(("from", "to", f"value [{unit}]"), named),
            },
            head=("from", "to", "value", "of all"),
            body=tuple(
                (s, t, number(v, unit), number(v / whole if whole else 0.0, "share"))
                for s, t, v in named
            ),
            **what,
        )


def energy_flows(x: Tables) -> Flows:
    """Energy of the last 12 months, Wh: grid, sites, uses, accelerators by state.

    What a site's accelerators do not draw of its IT energy is its tenants'. The energy of a busy
    accelerator is what is left of its fleet's after training, leases and waiting.
    """

    def of(values: Array) -> Array:
        summed: Array = values[-12:, :, 0].sum(axis=0) / 3600
        return summed

    p, s = x.powered, x.states
    found = Flows()
    grid, it_node = (0, "the grid"), (2, "IT")
    sites = x.dims.labels["site"]
    found.nodes[grid] = FLOWS["grid"]
    for i, site in enumerate(sites):
        found.nodes[1, site] = SERIES[i % len(SERIES)] if len(sites) > 2 else FLOWS["site"]
    found.nodes[it_node] = ENERGY["IT"]
    own, drawn = of(p.it_j), _by_state(x)
    drawn["tenants"] = _clean(float(own.sum() - of(s.it_j).sum()), float(own.sum()))
    found.nodes |= {(3, name): STATES.get(name, FLOWS["tenants"]) for name in drawn}
    uses = {
        "losses": of(p.losses_j),
        "cooling": of(p.cooling_j),
        "robots": of(p.floor_j),
        "other": of(p.other_j),
    }
    found.nodes |= {(3, name): ENERGY[name] for name in uses}
    for i, (site, taken) in enumerate(zip(sites, of(p.facility_j), strict=True)):
        found.add(grid, (1, site), float(taken))
        found.add((1, site), it_node, float(own[i]))
        for name, values in uses.items():
            found.add((1, site), (3, name), float(values[i]))
    for name, value in drawn.items():
        found.add(it_node, (3, name), value)
    return found


def _by_state(x: Tables) -> dict[str, float]:
    """Energy [Wh] of the accelerators on own sites in the last 12 months, by state."""
    s = x.states
    found = dict.fromkeys(("busy", "headroom", "empty", "training", "leased"), 0.0)
    busy = (s.it_j - s.training_j - s.waiting_j)[-12:, :, 0] / 3600
    found["busy"] = _clean(float(busy.sum()), float(s.it_j[-12:, :, 0].sum() / 3600))
    for parts, energy in (
        (("training", "leased"), s.training_j),
        (("headroom", "empty"), s.waiting_j),
    ):
        # within a fleet and a month the two draw the same power each
        counts = [s[name][-12:, :, 0] for name in parts]
        whole = sum(counts)
        for name, count in zip(parts, counts, strict=True):
            share = np.divide(count, whole, out=np.zeros_like(count), where=whole > 0)
            found[name] = float((energy[-12:, :, 0] * share).sum() / 3600)
    return found


def _clean(value: float, whole: float) -> float:
    """`value`, or 0 where it is the rounding of a difference."""
    return value if abs(value) > 1e-9 * abs(whole) else 0.0


def money_flows(x: Tables) -> Flows:
    """Money of all months, USD: where it comes from, and where it goes.

    In: opening cash, equity, debt, revenue, and what is still owed to suppliers. Out: operating
    cost, capex, interest, tax, repayment, what customers still owe, and the closing cash.
    """
    f, w = x.funded, x.worth

    found, firm = Flows(), (1, "money in")
    left: dict[str, tuple[float, str]] = {
        "cash at the start": (float(f.opening_cash_usd[0, 0]), FLOWS["cash"]),
        "equity": (total(f.equity_usd), FLOWS["equity"]),
        "debt": (total(f.debt_drawn_usd), FLOWS["debt"]),
    }
    for i, (name, value) in enumerate(_sales(x).items()):
        left[name] = (value, FIRM.get(name, SERIES[i % len(SERIES)]))
    owed_us = total(w.revenue_usd) - total(w.receipts_usd)
    owed = total(w.opex_usd) - total(w.payments_usd)
    closing = float(w.cash_usd[-1, 0])
    scale = sum(abs(value) for value, _ in left.values())
    left["owed to suppliers"] = (_clean(owed, scale), FLOWS["owed"])
    left["money that lacks"] = (_clean(-min(closing, 0.0), scale), FLOWS["lack"])
    for name, (value, colour) in left.items():
        found.nodes[0, name] = colour
        found.add((0, name), firm, value)
    found.nodes[firm] = FLOWS["firm"]
    for group, colour, columns in (
        ("operating cost", FLOWS["opex"], OPEX),
        ("capex", FLOWS["capex"], CAPEX),
    ):
        lines = {name: total(w[column]) for name, column in columns.items()}
        found.nodes[2, group] = colour
        found.add(firm, (2, group), sum(lines.values()))
        for name, usd in lines.items():
            found.nodes[3, name] = FIRM[name]
            found.add((2, group), (3, name), usd)
    for name, value, colour in (
        ("interest", total(f.interest_usd), FLOWS["interest"]),
        ("repayment", total(f.repayment_usd), FLOWS["debt"]),
        ("tax", total(w.tax_usd), FLOWS["tax"]),
        ("owed by customers", _clean(owed_us, scale), FLOWS["owed"]),
        ("cash at the end", max(closing, 0.0), FLOWS["cash"]),
    ):
        found.nodes[3, name] = colour
        found.add(firm, (3, name), value)
    return found


def total(values: Array) -> float:
    """Sum over the months, median case."""
    return float(values[:, 0].sum())


def _sales(x: Tables) -> dict[str, float]:
    """Revenue [USD] of all months: by kind where accepted tasks at their price are all of it."""
    w = x.worth
    lines = {name: total(w[column]) for name, column in REVENUE.items()}
    other = {name: value for name, value in lines.items() if name not in ("tasks", "tokens")}
    sold = (x.accepted.accepted * x.fielded.price_usd)[..., 0].sum(axis=0)
    booked = lines["tasks"] + lines["tokens"]
    if not np.isclose(sold.sum(), booked, rtol=1e-9, atol=1e-6):
        # contracts fix other prices than the market's
        return lines
    scale = total(w.revenue_usd) + total(x.funded.equity_usd) + total(x.funded.debt_drawn_usd)
    kinds = dict(zip(x.dims.labels["kind"], sold.tolist(), strict=True))
    large = {kind: value for kind, value in kinds.items() if value > SMALL * scale}
    rest = booked - sum(large.values())
    name = "other kinds" if len(kinds) - len(large) > 1 or not large else _only(kinds, large)
    return {**large, name: _clean(rest, booked), **other}


def _only(kinds: Iterable[str], large: Mapping[str, float]) -> str:
    return next((kind for kind in kinds if kind not in large), "other kinds")


def energy(x: Tables) -> Chart:
    """Where the energy of the last 12 months went."""
    found = energy_flows(x)
    bought = number(found.through((0, "the grid"))[1], "Wh")
    return found.chart(
        key="energy-flow",
        title="Where the energy goes",
        unit="Wh",
        alt=f"Flow of {bought} of the last 12 months from the grid through the sites to "
        "accelerators by state, cooling, losses, robots and other.",
        note="Last 12 months, median case. Headroom and empty accelerators at idle power",
    )


def money(x: Tables) -> Chart:
    """Where the money of all months came from and went."""
    found = money_flows(x)
    months = x.dims.labels["month"]
    whole = number(found.through((1, "money in"))[0], "USD")
    return found.chart(
        key="money-flow",
        title="Where the money comes from and where it goes",
        unit="USD",
        alt=f"Flow of {whole} from {months[0]} to {months[-1]}: from equity, debt and revenue to "
        "operating cost, capex, interest, tax, repayment and cash.",
        note=f"{months[0]} to {months[-1]}, nominal, median case. Both sides add up exactly",
    )
