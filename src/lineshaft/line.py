"""The line: read this first.

    capital → build → train → agents → (allocation) → serve → floor → plant → oversee → value

A month flows through the nine stages once, from left to right; the ledger then carries the closing
balances to the next month, and nothing else flows back. Before the first month every stage's
engine has been characterised into a curve (`lineshaft.characterise`); after the last month the
columns that follow from the others are computed for all months at once, and the balances are
checked. Column 0 of every array is the case with all inputs at their median, columns 1.. are
draws, which come in chunks so that memory stays bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lineshaft.allocation import Allocation
from lineshaft.balances import check
from lineshaft.characterise import Curves
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import AgentsCurve, BuildCurve, Several
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.tables import Tables
from lineshaft.kpis import MEASURES, SERIES, Kpi, Series, measure, series
from lineshaft.parallel import parallel
from lineshaft.parameters import Parameters, assemble
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.stages.agents.model import Agents
from lineshaft.stages.build.model import Build
from lineshaft.stages.capital.model import Capital
from lineshaft.stages.floor.model import Floor
from lineshaft.stages.oversee.model import Oversee
from lineshaft.stages.plant.model import Plant
from lineshaft.stages.serve.model import Serve
from lineshaft.stages.train.model import Train
from lineshaft.stages.value.model import Value
from lineshaft.tables import Array

LINE = (
    *("capital", "build", "train", "agents", "serve", "floor", "plant"),
    *("oversee", "value"),
)
"""The stages, in the order of the line."""

CHUNK = 256
"""Draws that run side by side; bounds the memory of a wide run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the line found."""

    tables: Tables
    """Every column of every table, median case only."""
    kpis: tuple[Kpi, ...]
    """Headline figures with unit, month, quantiles over the draws and the draws themselves."""
    bands: tuple[Series, ...]
    """Headline columns by month with their quantiles over the draws."""
    parameters: Parameters
    """What the stages were given, median case."""
    draws: int
    """Number of draws besides the median case."""

    def __getitem__(self, name: str) -> Kpi:
        """A headline figure by its name, for example `outcome["oversee.daa"]`."""
        for kpi in self.kpis:
            if kpi.measure.name == name:
                return kpi
        names = ", ".join(kpi.measure.name for kpi in self.kpis)
        raise KeyError(f"no headline figure '{name}'; there is {names}")

    def __repr__(self) -> str:
        months = self.tables.dims.labels["month"]
        lines = [f"Outcome({months[0]} to {months[-1]}, {self.draws} draws)"]
        lines += [f"  {kpi.measure.name:32} {kpi.text}" for kpi in self.kpis]
        return "\n".join(lines)

    def _ipython_key_completions_(self) -> list[str]:
        return [kpi.measure.name for kpi in self.kpis]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{kpi.measure.name}</td><td>{kpi.text}</td>"
            f"<td>{kpi.measure.meaning}, {kpi.measure.window}</td></tr>"
            for kpi in self.kpis
        )
        caption = repr(self).split("\n")[0]
        return f"<table><caption>{caption}</caption><tbody>{rows}</tbody></table>"


def run(
    scenario: Scenario,
    curves: Curves,
    *,
    draws: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Solve `scenario` month by month with the given curves.

    `draws` is rounded up to a power of two; `progress` is told (chunks done, chunks in all).
    Raises InputError where the scenario cannot be, ConservationError where a balance does not
    close. Same scenario, seed and draws give the same bytes on any number of threads.
    """
    calendar = Calendar.of(scenario.start, scenario.months)
    drawn = draw(scenario, draws, scenario.seed)
    first, *rest = chunks(drawn)
    parameters = assemble(scenario, curves, first, calendar)
    tables = simulate(parameters, curves)
    kpis, bands = _figures(tables)
    found = [(kpis, bands)]
    with parallel(_solve_chunk, (scenario, curves, calendar), len(rest)) as solve:
        for done, figures in enumerate(solve(rest), start=2):
            found.append(figures)
            if progress is not None:
                progress(done, 1 + len(rest))
    return Outcome(
        tables=tables.median(),
        kpis=tuple(map(Kpi.of, MEASURES, join([kpis for kpis, _ in found]))),
        bands=tuple(map(Series.of, SERIES, join([bands for _, bands in found]))),
        parameters=parameters,
        draws=drawn.n,
    )


def figures(scenario: Scenario, curves: Curves, drawn: Draws) -> dict[str, Array]:
    """[1 + n] values of every headline figure by name, in draws that are given.

    Raises ConservationError where a balance does not close in one of them.
    """
    calendar = Calendar.of(scenario.start, scenario.months)
    parts = list(chunks(drawn))
    with parallel(_solve_chunk, (scenario, curves, calendar), len(parts)) as solve:
        found = [kpis for kpis, _ in solve(parts)]
    return dict(zip((what.name for what in MEASURES), join(found), strict=True))


def simulate(
    parameters: Parameters,
    curves: Curves,
    build_curves: Several[BuildCurve] | None = None,
    agents_curves: Several[AgentsCurve] | None = None,
) -> Tables:
    """All tables of one chunk of draws: the nine stages, month by month, left to right.

    `build_curves` and `agents_curves` stand in for those of `curves` where draws differ in them.
    """
    p, dims, calendar = parameters, parameters.dims, parameters.calendar
    x = Tables.allocate(dims)
    ledger = Ledger.opening(dims, tranches=len(p.capital.draw_month))
    capital = Capital(p.capital, dims)
    build = Build(p.build, dims, build_curves or curves.build)
    train = Train(p.train, dims, calendar, curves.train)
    agents = Agents(p.agents, dims, calendar, agents_curves or curves.agents)
    allocation = Allocation(p.allocation, dims)
    serve = Serve(p.serve, dims, calendar, curves.serve)
    floor = Floor(p.floor, dims, calendar)
    plant = Plant(p.plant, dims, calendar, curves.plant)
    oversee = Oversee(p.oversee, dims, calendar, curves.oversee)
    value = Value(p.value, dims, calendar, curves.serve)
    capital.open(ledger, x.funded, x.ownership)
    agents.open(ledger, x.fielded)
    serve.open(ledger)
    plant.open(ledger)
    oversee.open(x.people)
    for t in range(len(calendar.labels)):
        capital.advance(t, ledger, x.funded)
        build.advance(t, ledger, x.funded, x.energised, x.phases, x.crews, x.accelerators)
        train.advance(t, ledger, x.energised, x.accelerators, x.trained, x.reserved, x.library)
        agents.advance(
            t, ledger, x.funded, x.energised, x.accelerators, x.library, x.robots, x.fielded
        )
        tokens = serve.offer(t, x.energised, x.accelerators, x.reserved)
        people = oversee.offer(t, ledger, x.fielded)
        allocation.advance(t, ledger, x.fielded, tokens, people, x.admitted, x.admitted_tokens)
        serve.advance(
            t, ledger, x.accelerators, x.reserved, x.admitted_tokens, tokens, x.served, x.states
        )
        floor.advance(t, ledger, x.fielded, x.admitted, x.served, people, x.done, x.robots)
        plant.advance(t, ledger, x.energised, x.states, x.robots, x.powered)
        oversee.advance(t, ledger, x.fielded, x.done, people, x.accepted)
        value.advance(
            t,
            ledger,
            x.funded,
            x.energised,
            x.accelerators,
            x.fielded,
            x.served,
            x.states,
            x.robots,
            x.powered,
            x.accepted,
            x.people,
            x.worth,
        )
    capital.finish(x.funded)
    allocation.finish(x.fielded, x.admitted, x.admitted_tokens)
    train.finish(x.trained, calendar)
    serve.finish(x.states)
    floor.finish(x.fielded, x.done, x.robots)
    plant.finish(x.powered)
    oversee.finish(x.fielded, x.robots, x.accepted, x.people)
    value.finish(
        x.fielded,
        x.trained,
        x.served,
        x.states,
        x.done,
        x.robots,
        x.powered,
        x.accepted,
        x.people,
        x.funded,
        x.worth,
        x.task_costs,
        x.run_costs,
        x.valuation,
    )
    return x


Figures = tuple[list[Array], list[Array]]
"""Values of all headline figures, and of all headline columns, of one chunk of draws."""


def _solve_chunk(common: tuple[Scenario, Curves, Calendar], chunk: Draws) -> Figures:
    scenario, curves, calendar = common
    return _figures(simulate(assemble(scenario, curves, chunk, calendar), curves))


def _figures(tables: Tables) -> Figures:
    """Figures of tables whose balances close; ConservationError where one does not."""
    check(tables)
    return [values for _, values in measure(tables)], [values for _, values in series(tables)]


def join(found: Sequence[Sequence[Array]]) -> Iterator[Array]:
    """Values of all chunks side by side, the median case of the first alone."""
    for parts in zip(*found, strict=True):
        rest = [part[..., 1:] for part in parts[1:]]
        yield np.concatenate([parts[0], *rest], axis=-1)


def chunks(drawn: Draws, most: int = CHUNK) -> Iterator[Draws]:
    """Chunks of at most so many draws, all of about the same size."""
    if not drawn.n:
        yield drawn
    count = math.ceil(drawn.n / most)
    for i in range(count):
        yield drawn.slice(drawn.n * i // count, drawn.n * (i + 1) // count)
