"""The line at a glance: each station's headline figure, and what limits the work year by year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lineshaft.contracts.reasons import NAMES
from lineshaft.contracts.tables import Tables
from lineshaft.kpis import pue
from lineshaft.tables import Array
from lineshaft.units import format_quantity


@dataclass(frozen=True, slots=True)
class Station:
    """One stage of the line in the last month, median case."""

    stage: str
    headline: str
    binding: str
    """What limited it most often in the last 12 months; empty where nothing does."""


def stations(x: Tables) -> tuple[Station, ...]:
    """The nine stations in the order of the line."""
    raised, cash = _say(x.funded.equity_usd, "USD"), _say(x.worth.cash_usd.min(axis=0), "USD")
    on = _say(x.energised.it_w[-1], "W")
    bought = _say(x.accelerators.delivered_total[-1], "accelerator")
    horizon = _say(x.library.horizon_s[-1] / 3600, "hour")
    fielded = _say(x.fielded.fielded[-1], "agent")
    agents = x.fielded.fielded.max(axis=0) > 0
    wanted = _say(x.fielded.demand_tasks[-1] * agents, "task")
    tokens = _say(x.served.served[-1], "token")
    installed = _say(x.states.installed[-1], "accelerator")
    finished, robots = _say(x.done.finished[-1] * agents, "task"), _say(x.robots.owned[-1], "robot")
    peak = _say(x.powered.peak_w[-1], "W")
    ratio = float(pue(x)[0])
    over = f", PUE {ratio:.3g}" if np.isfinite(ratio) else ""
    daa, accepted = (
        _say(x.accepted.daa_b[-1], "agent"),
        _say(x.accepted.accepted[-1] * agents, "task"),
    )
    revenue = _say(x.worth.revenue_usd[-12:], "USD")
    worth = _say(x.valuation.enterprise_value_usd, "USD")
    return (
        Station("capital", f"{raised} raised, lowest cash {cash}", _often(x.funded.binding)),
        Station("build", f"{on} IT on, {bought} bought", _often(x.phases.binding)),
        Station("train", f"{_ended(x)}horizon {horizon}", _often(x.trained.binding)),
        Station("agents", f"{fielded} fielded, {wanted} wanted a month", _often(x.fielded.binding)),
        Station("serve", f"{tokens} a month on {installed}", ""),
        Station("floor", f"{finished} finished a month, {robots} owned", ""),
        Station("plant", f"{peak} peak{over}", _often(x.powered.binding)),
        Station(
            "oversee",
            f"{daa} daily active, {accepted} accepted a month",
            _often(x.admitted.binding),
        ),
        Station("value", f"{revenue} revenue a year, worth {worth}", ""),
    )


def _ended(x: Tables) -> str:
    """How many of the training runs have ended, where there are any."""
    runs = x.dims.size("run")
    ended = int((x.trained.done_share[-1, :, 0] >= 1 - 1e-9).sum())
    return f"{ended} of {runs} runs ended, " if runs else ""


def _say(values: Array, unit: str) -> str:
    """The sum over all keys in the median case, for people."""
    return format_quantity(float(values[..., 0].sum()), unit)


def concerns(x: Tables) -> tuple[str, ...]:
    """What a reader must know before any headline: money that runs out, work at a loss."""
    return (*_out_of_money(x), *_at_a_loss(x))


def _out_of_money(x: Tables) -> Iterator[str]:
    short = x.worth.cash_usd[:, 0] < 0
    if not short.any():
        return
    month = x.dims.labels["month"][int(short.argmax())]
    least = format_quantity(float(x.worth.cash_usd[:, 0].min()), "USD")
    yield (
        f"The money runs out in {month} and cash falls to {least}: operations cost more than they "
        "earn and no round pays for it. What follows that month shows the gap, not a firm."
    )


def _at_a_loss(x: Tables) -> Iterator[str]:
    """Kinds whose accepted task costs more, all in, than it earns in the last year."""
    done = x.accepted.accepted[-12:, :, 0]
    spent = (x.task_costs.usd_per_task[-12:, :, 0] * done).sum(axis=0)
    earned = (x.fielded.price_usd[-12:, :, 0] * done).sum(axis=0)
    at_a_loss = [
        f"{kind} (costs {format_quantity(spent[i] / n, 'USD/task')}, "
        f"earns {format_quantity(earned[i] / n, 'USD/task')})"
        for i, (kind, n) in enumerate(zip(x.dims.labels["kind"], done.sum(axis=0), strict=True))
        if n > 0 and spent[i] > earned[i]
    ]
    if at_a_loss:
        yield (
            "In the last year an accepted task costs more, all in, than it earns, for "
            f"{', '.join(at_a_loss)}: look at price, reviewed share and escaped defects."
        )


def binding_by_year(x: Tables) -> dict[str, str]:
    """What limited the last unit of work not done, by calendar year, most frequent first.

    Each kind counts once a month; the share of the year's demand that was turned away stands in
    brackets, by value at the prices of the day. Empty where there is no demand.
    """
    years = np.array([label[:4] for label in x.dims.labels["month"]])
    wanted = (x.fielded.demand_tasks * x.fielded.price_usd)[..., 0]
    away = (x.admitted.turned_away_tasks * x.fielded.price_usd)[..., 0]
    found = {}
    for year in dict.fromkeys(years.tolist()):
        own = years == year
        common = Counter(NAMES[c] for c in x.admitted.binding[own][..., 0].ravel() if c)
        total = wanted[own].sum()
        if total > 0:
            names = ", ".join(
                f"{name} {n / common.total():.0%}" for name, n in common.most_common(4)
            )
            found[year] = f"{names} ({away[own].sum() / total:.0%} of the value not done)"
    return found


def _often(codes: object) -> str:
    flat = np.asarray(codes)[..., 0].ravel()
    common = Counter(int(c) for c in flat if c).most_common(1)
    return NAMES[common[0][0]] if common else ""
