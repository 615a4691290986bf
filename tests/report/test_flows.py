"""The flows of energy and money add up at every node, and to what the tables hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.tables import Tables
from lineshaft.line import Outcome
from lineshaft.report.flows import Flows, energy, energy_flows, money, money_flows
from lineshaft.runs import Run

EXAMPLES = ("gigawatt", "warehouse", "claimed")


@pytest.fixture(params=EXAMPLES)
def tables(request: pytest.FixtureRequest) -> Tables:
    """The tables of each shipped example."""
    outcome: Outcome = request.getfixturevalue(request.param)
    return outcome.tables


def closes(found: Flows) -> None:
    """What flows into a node flows out of it, but for the first and the last ones."""
    for node in found.nodes:
        into, out = found.through(node)
        if into and out:
            assert into == pytest.approx(out, rel=1e-9), node
    assert all(value > 0 for *_, value in found.links)
    assert all(source[0] < target[0] for source, target, _ in found.links)


def test_energy_adds_up(tables: Tables) -> None:
    """From the grid to every use, all that was taken in the last 12 months."""
    found = energy_flows(tables)
    closes(found)
    taken = tables.powered.facility_j[-12:, :, 0].sum() / 3600
    assert found.through((0, "the grid"))[1] == pytest.approx(taken, rel=1e-9)
    ends = sum(found.through(node)[0] for node in found.nodes if node[0] == 3)
    assert ends == pytest.approx(taken, rel=1e-9)


def test_the_energy_of_a_state_is_that_of_its_accelerators(gigawatt: Outcome) -> None:
    """A busy accelerator draws more than one that waits, and at most its share of the IT power."""
    x = gigawatt.tables
    found = energy_flows(x)
    hours = 8760
    mean = {
        name: found.through((3, name))[0] / hours / x.states[name][-12:, :, 0].sum(axis=1).mean()
        for name in ("busy", "headroom")
    }
    rated = 1.02 * (x.energised.it_w[-1, :, 0].sum() / x.states.installed[-1, :, 0].sum())
    assert 0 < mean["headroom"] < mean["busy"] < rated
    assert (3, "robots") in found.nodes and found.through((3, "robots"))[0] > 0


def test_money_closes(tables: Tables) -> None:
    """All that came is all that went, and what stayed is the cash at the end."""
    found = money_flows(tables)
    closes(found)
    into, out = found.through((1, "money in"))
    assert into == pytest.approx(out, rel=1e-9)
    w = tables.worth
    assert found.through((3, "cash at the end"))[0] == pytest.approx(w.cash_usd[-1, 0])
    for group, column in (("capex", w.capex_usd), ("operating cost", w.opex_usd)):
        assert found.through((2, group))[0] == pytest.approx(column[:, 0].sum(), rel=1e-9)
    sold = sum(v for s, _, v in found.links if s[0] == 0) - sum(
        found.through((0, name))[1]
        for name in ("cash at the start", "equity", "debt", "owed to suppliers", "money that lacks")
    )
    assert sold == pytest.approx(w.revenue_usd[:, 0].sum(), rel=1e-9, abs=1.0)


def test_sales_are_shown_by_kind(gigawatt: Outcome) -> None:
    """Where no contract fixes a price, each large kind is a source of its own."""
    names = {node[1] for node in money_flows(gigawatt.tables).nodes if node[0] == 0}
    assert {"coder", "support", "api", "other kinds"} <= names


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9))
def test_money_closes_where_it_runs_out(
    empty: Tables, opening: float, equity: float, sold: float, spent: float
) -> None:
    """A firm that owes more than it has shows what lacks, and both sides still agree."""
    x = empty
    for table in (x.funded, x.worth):
        for _, values in table:
            values[:] = 0
    x.funded.opening_cash_usd[0] = opening = abs(opening)
    x.funded.equity_usd[0] = equity
    x.worth.task_revenue_usd[0] = x.worth.revenue_usd[0] = x.worth.receipts_usd[0] = sold
    x.worth.staff_usd[0] = x.worth.opex_usd[0] = x.worth.payments_usd[0] = spent
    x.worth.cash_usd[:] = opening + equity + sold - spent
    found = money_flows(x)
    into, out = found.through((1, "money in"))
    assert into == pytest.approx(out, rel=1e-9, abs=1e-2)
    lacks = found.through((0, "money that lacks"))[1]
    assert lacks == pytest.approx(max(0.0, spent - opening - equity - sold), rel=1e-6, abs=1.0)


def test_a_flow_names_its_nodes_once(make: Callable[..., Run]) -> None:
    """A site may be called as a use of energy is."""
    x = make().tables
    labels = {**x.dims.labels, "site": ("IT", "cooling")}
    object.__setattr__(x.dims, "labels", labels)
    closes(energy_flows(x))
    chart = energy(x)
    assert len({tuple(node[:2]) for node in chart.extra["nodes"]}) == len(chart.extra["nodes"])
    assert {node[0] for node in chart.extra["nodes"]} >= {"IT", "cooling", "busy"}


def test_the_table_and_the_csv_hold_the_same(make: Callable[..., Run]) -> None:
    """One line for each flow, in both."""
    for chart in (energy(make().tables), money(make().tables)):
        assert len(chart.body) == len(chart.extra["links"]) == len(chart.extra["sheet"]) - 1
        for (a, b, _, _), (c, d, value), (s, t, v) in zip(
            chart.body, chart.extra["sheet"][1:], chart.extra["links"], strict=True
        ):
            nodes = chart.extra["nodes"]
            assert (a, b) == (c, d) == (nodes[s][0], nodes[t][0])
            assert value == pytest.approx(v, rel=1e-5)
    assert np.isfinite([row[2] for row in chart.extra["links"]]).all()
