"""The change of the enterprise value between two runs by line of cash flow, exactly.

The value is Σ FCF_t d_t + N m: free cash flow times discount factor, and the profit after tax of
the last year times what a dollar of it is worth for ever after, today. A product changes by
Δ(a b) = Δa (b₀ + b₁)/2 + Δb (a₀ + a₁)/2, and the free cash flow is a sum of lines, so that the
parts add up to the change without a rest.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import numpy as np

from lineshaft.contracts.worth import CAPEX, OPEX, REVENUE
from lineshaft.explain.book import RunBook
from lineshaft.explain.walk import factors
from lineshaft.formulas import Scope
from lineshaft.lineage import formulas
from lineshaft.runs import Run
from lineshaft.tables import Array

SOLD = ("task_revenue_usd", "token_revenue_usd")
"""Lines of revenue that are shown by kind."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the cash flow, and what its change did to the value."""

    name: str
    group: str
    """revenue, opex, capex, tax, working capital, terminal value or discount rate."""
    change_usd: float


def lines(first: Run, other: Run) -> tuple[Line, ...]:
    """The change of the enterprise value from `first` to `other` by line, in their order."""
    before, after = _Cash.of(first), _Cash.of(other)
    discount = (before.discount + after.discount) / 2
    found = []
    nothing = np.zeros_like(discount)
    for name, group in dict.fromkeys((*before.lines, *after.lines)):
        old = before.lines.get((name, group), nothing)
        new = after.lines.get((name, group), nothing)
        found.append(Line(name, group, float(((new - old) * discount).sum())))
    flows = [sum(cash.lines.values(), nothing) for cash in (before, after)]
    rates = ((after.discount - before.discount) * (flows[0] + flows[1]) / 2).sum()
    found.append(Line("discounting of the months", "discount rate", float(rates)))
    profit = (after.profit - before.profit) * (before.multiple + after.multiple) / 2
    worth = (after.multiple - before.multiple) * (before.profit + after.profit) / 2
    found.append(Line("profit of the last year", "terminal value", profit))
    found.append(Line("worth of a dollar of it", "terminal value", worth))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Cash:
    lines: dict[tuple[str, str], Array]
    """[month] cash in by (name, group): what is paid is negative."""
    discount: Array
    """[month]"""
    profit: float
    """Profit after tax of the last year, 0 where it is a loss."""
    multiple: float
    """Value today of what comes after, per dollar of it."""

    @classmethod
    def of(cls, run: Run) -> _Cash:
        book = RunBook(run)
        worth = run.worth
        found = {(kind, "revenue"): path for kind, path in _sold(book).items()}
        for name, column in REVENUE.items():
            if column not in SOLD:
                found[name, "revenue"] = worth[column][:, 0]
        for group, columns in (("opex", OPEX), ("capex", CAPEX)):
            for name, column in columns.items():
                found[name, group] = -worth[column][:, 0]
        receipts, payments, revenue, opex, capex, free = (
            worth[f"{name}_usd"][:, 0]
            for name in ("receipts", "payments", "revenue", "opex", "capex", "free_cash_flow")
        )
        found["paid later", "working capital"] = (receipts - revenue) - (payments - opex)
        found["tax without debt", "tax"] = free - (receipts - payments - capex)
        wacc = float(book.parameter("value", "wacc")[0][0])
        years, _ = book.parameter("calendar", "years")
        return cls(found, (1.0 + wacc) ** -years[:, 0], *_terminal(book))


def _sold(book: RunBook) -> dict[str, Array]:
    """[month] sales by kind, tasks and tokens alike."""
    total: dict[str, Array] = {}
    for column in SOLD:
        tree = formulas()[f"worth.{column}"].tree
        assert isinstance(tree, ast.Call)
        by_kind = Scope(book, "worth", ("month", "kind")).evaluate(tree.args[0])
        for i, kind in enumerate(book.labels("kind")):
            total[kind] = total.get(kind, 0.0) + by_kind[:, i, 0]
    return total


def _terminal(book: RunBook) -> tuple[float, float]:
    """Profit after tax of the last year, and what a dollar of it is worth: the first factor of the
    terminal value, and the others."""
    profit, *others = factors(formulas()["valuation.terminal_value_usd"].tree)
    multiple = 1.0
    for role, factor in others:
        multiple *= _scalar(book, factor) ** (-1.0 if role == "÷" else 1.0)
    return _scalar(book, profit[1]), multiple


def _scalar(book: RunBook, tree: ast.expr) -> float:
    return float(np.ravel(Scope(book, "valuation").evaluate(tree))[0])
