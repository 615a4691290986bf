"""What one more of each scarce thing is worth: a worker, a megawatt, an accelerator, a month.

Each is a change of the scenario, up and down by a stated step, solved with the curves that it
asks for: only the engines that the change touches run again, and their curves are kept like all
others. All else is held: the same draws where there are any (common random numbers), else the
case with all inputs at the median. The worth is the central difference of the enterprise value,
per one of the thing:

    worth = (EV(+step) − EV(−step)) / (2 step)

and (EV(+step) − EV) / step where less is impossible, or where both ways are worse (or better).

Steps are of some per cent, because schedules and fleets move in whole hours and whole robots. It
is a kink where the slopes to the left and to the right differ by more than 10 %: then what one
more is worth is the right one, what one less costs the left one.

What a thing costs is inside as far as the scenario prices it: an accelerator and a robot are
bought and powered, a reviewer is paid, a megawatt is built; a worker of a trade costs nothing
here, because construction is paid by the watt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lineshaft.asking import Ask, Question, answered
from lineshaft.contracts.calendar import Calendar, month_after
from lineshaft.kpis import VALUE
from lineshaft.parameters import build as build_parameters
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.draws import draw
from lineshaft.scenario import Scenario
from lineshaft.scenario.build import Crew
from lineshaft.scenario.distributions import Distribution, Fixed
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.fields import value as value_at
from lineshaft.scenario.inputs import checked, replaced
from lineshaft.scenario.locate import join
from lineshaft.stages.build.inputs import WEEKS_PER_MONTH
from lineshaft.tables import Array
from lineshaft.units import format_quantity

STEP = 0.05
"""Step by which a thing is changed, of how much of it there is."""
CREW_STEP = 0.1
"""The same of workers: a construction schedule answers in jumps."""
KINK = 0.1
"""How much the slopes to the left and to the right may differ, of the larger one."""
_NOTHING = 1e-9  # of the enterprise value: what rounding may do


@dataclass(frozen=True, slots=True)
class OneMore:
    """What one more of a scarce thing changes the enterprise value by, in USD."""

    what: str
    step: str
    """The step that was taken."""
    value_usd: float
    """Central difference, per one; the difference upwards where there is no less, and where more
    and less change the value the same way, across which no slope means anything."""
    up_usd: float
    """Change with the step up, per one."""
    down_usd: float | None
    """Change with the step down, per one: below 0 where less is worse. None where there is no
    less."""
    se_usd: float | None
    """Standard error of `value_usd` over the draws; None in the median case."""
    kink: bool
    """Whether the slopes to the left and to the right differ by more than 10 %."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """A number times a factor, plus a term: in the scenario and in its draws."""

    factor: float = 1.0
    term: float = 0.0

    def __call__(self, number: Any) -> Any:
        return number * self.factor + self.term


Changes = Mapping[str, Any]
"""New values by path; a `Shift` for a number that may be uncertain."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something scarce: how much is one step, and what a number of steps (±1) changes."""

    what: str
    step: str
    size: float
    """One step, in the unit of `what`."""
    change: Callable[[float], Changes]
    down: bool = True
    """Whether there is a step down."""


def one_more(scenario: Scenario, *, draws: int = 0) -> tuple[OneMore, ...]:
    """What one more of each scarce thing of `scenario` is worth, in the order of the line.

    With `draws`, the mean over them and its standard error; else the median case. What the scenario
    cannot bear more of is left out; what it cannot bear less of says so in `note`.
    """
    rows: tuple[OneMore, ...] = answered(one_more_question(scenario, draws=draws))[0]
    return rows


def one_more_question(scenario: Scenario, *, draws: int = 0) -> Question[tuple[OneMore, ...]]:
    """The same as a question, to be answered together with others."""
    things = tuple(scarce(scenario))
    drawn = draw(scenario, draws, scenario.seed)
    signs = [(thing, sign) for thing in things for sign in (1.0, -1.0)[: 1 + thing.down]]
    changed = [_changed(scenario, drawn, thing.change(sign)) for thing, sign in signs]
    solved = iter((yield [Ask(scenario, drawn), *(one for one in changed if one is not None)]))
    base = _values(next(solved))
    if base is None:
        return ()
    found = {
        (thing.what, sign): None if one is None else _values(next(solved))
        for (thing, sign), one in zip(signs, changed, strict=True)
    }
    rows = (
        _worth(thing, base, found[thing.what, 1.0], found.get((thing.what, -1.0)))
        for thing in things
    )
    return tuple(row for row in rows if row is not None)


def scarce(scenario: Scenario) -> Iterator[Thing]:
    """What may be scarce in `scenario`, with the change that one step of it makes."""
    yield from _workers(scenario)
    yield from _power(scenario)
    yield from _accelerators(scenario)
    yield from _people(scenario)
    yield from _robots(scenario)
    yield from _capex(scenario)


def _workers(scenario: Scenario) -> Iterator[Thing]:
    """The workers of each trade, default crews included, from the first month on."""
    calendar = Calendar.of(scenario.start, scenario.months)
    asked = build_parameters.engine_inputs(scenario, dims_of(scenario, calendar), calendar)
    own: dict[str, Crew] = {crew.name: crew for crew in scenario.build.crew}
    for crew in asked.crews if asked else ():
        written = own.get(crew.trade) or Crew.model_validate(
            {
                "name": crew.trade,
                "headcount": crew.headcount,
                "hires_per_month": crew.hires_per_month,
                "most": None if math.isinf(crew.maximum) else crew.maximum,
            }
        )
        size = _step(written.headcount if written.most is None else written.most, CREW_STEP)

        def change(sign: float, crew: Crew = written, size: float = size) -> Changes:
            add = sign * size
            more = crew.model_copy(
                update={
                    "headcount": crew.headcount + add,
                    "most": None if crew.most is None else crew.most + add,
                }
            )
            others = (c for c in scenario.build.crew if c.name != crew.name)
            return {"build.crew": (*others, more)}

        yield Thing(
            f"one more {crew.trade} worker",
            f"{_counted(size, 'worker', 'workers')} from {scenario.start}",
            size,
            change,
            size <= written.headcount,
        )


def _power(scenario: Scenario) -> Iterator[Thing]:
    """IT power and grid connection of each campus, and the month in which the grid comes."""
    build = scenario.build
    for campus in build.campus:
        phases = [p for p in build.phase if p.campus == campus.name]
        numbers = {join(("build", "phase", p.name, "it_w")): p.it_w for p in phases}
        if not phases:
            numbers = {
                join(("build", "campus", campus.name, "existing_it_w")): campus.existing_it_w
            }
        yield from _scaled(f"one more MW of IT power at {campus.name}", "W", 1e6, numbers)
    for site in scenario.plant.site:
        if site.grid_w is not None:
            numbers = {join(("plant", "site", site.name, "grid_w")): site.grid_w}
            yield from _scaled(f"one more MW from the grid at {site.name}", "W", 1e6, numbers)
    for campus in build.campus:
        grids = {
            join(("build", "phase", p.name, "grid")): p.grid
            for p in build.phase
            if p.campus == campus.name and p.grid not in (None, (0.0, 0.0))
        }
        if grids:
            what = f"the grid a month earlier at {campus.name}"
            yield Thing(what, "1 month", 1.0, partial(_sooner, grids))


def _accelerators(scenario: Scenario) -> Iterator[Thing]:
    for order in scenario.build.accelerators:
        numbers = {join(("build", "accelerators", order.name, "count")): order.count}
        what = f"one more {order.accelerator}, {order.name}"
        yield from _scaled(what, "accelerator", 1.0, numbers)
    for rent in scenario.serve.rented:
        number = Fixed(rent.count)
        numbers = {join(("serve", "rented", rent.name, "count")): number}
        what = f"one more rented {rent.accelerator}, {rent.name}"
        yield from _scaled(what, "accelerator", 1.0, numbers)


def _people(scenario: Scenario) -> Iterator[Thing]:
    for role in scenario.oversee.role:
        section = ("oversee", "role", role.name)
        yield _planned(
            f"one more {role.name}", ("person", "people"), scenario, section, "headcount"
        )


def _robots(scenario: Scenario) -> Iterator[Thing]:
    for robots in scenario.floor.robots:
        section = ("floor", "robots", robots.name)
        yield _planned(
            f"one more robot for {robots.name}", ("robot", "robots"), scenario, section, "count"
        )


def _capex(scenario: Scenario) -> Iterator[Thing]:
    """All that is paid for halls, accelerators and robots."""
    paths = [join(("build", "phase", p.name, "cost_usd_per_w")) for p in scenario.build.phase]
    paths += [
        join(("build", "accelerators", o.name, "all_in")) for o in scenario.build.accelerators
    ]
    paths += [join(("floor", "robots", r.name, "price_usd")) for r in scenario.floor.robots]
    if paths:
        yield Thing(
            "capex 1 % lower",
            "1 % of all prices",
            1.0,
            lambda sign: dict.fromkeys(paths, Shift(1.0 - 0.01 * sign)),
        )


def _scaled(
    what: str, unit: str, one: float, numbers: Mapping[str, Distribution]
) -> Iterator[Thing]:
    """Numbers that grow together, in proportion; nothing where all are 0."""
    total = sum(number.median for number in numbers.values())
    if total > 0:
        size = STEP * total
        yield Thing(
            what,
            format_quantity(size, unit),
            size / one,
            lambda sign: dict.fromkeys(numbers, Shift(1.0 + sign * STEP)),
        )


def _planned(
    what: str, noun: tuple[str, str], scenario: Scenario, section: tuple[str, ...], field: str
) -> Thing:
    """People or robots of a plan: more of them in the first month, and in all that follow."""
    number = value_at(scenario, join((*section, field)))
    path: Mapping[str, float] = value_at(scenario, join((*section, "path")))
    size = _step(number.median)

    def change(sign: float) -> Changes:
        return {
            join((*section, field)): Shift(term=sign * size),
            join((*section, "path")): {month: n + sign * size for month, n in path.items()},
        }

    least = min([float(number.ppf(1e-4)), *path.values()])
    step = f"{_counted(size, *noun)} in every month"
    return Thing(what, step, size, change, size <= least)


def _sooner(grids: Mapping[str, str | tuple[float, float]], months: float) -> Changes:
    """Grid dates some months earlier: months, or weeks after the start."""
    found: dict[str, Any] = {}
    for path, grid in grids.items():
        if isinstance(grid, str):
            found[path] = month_after(grid, -round(months))
        else:  # a wait of no time at all is told apart from one that is short
            found[path] = [max(weeks - months * WEEKS_PER_MONTH, 0.1) for weeks in grid]
    return found


def _changed(scenario: Scenario, drawn: Draws, changes: Changes) -> Ask | None:
    """The scenario and its draws with `changes`; None where a field does not allow one."""
    values, rows = {}, dict(drawn.values)
    for path, new in changes.items():
        if isinstance(new, Shift):
            number = value_at(scenario, path)
            certain = not isinstance(number, Distribution)
            values[path] = new(number) if certain else Fixed(new(number.median))
            if path in rows:
                rows[path] = new(rows[path])
        else:
            values[path] = new
    try:
        return Ask(checked(replaced(scenario, values)), Draws(drawn.n, rows))
    except ValueError:
        return None


def _values(solved: Mapping[str, Array] | None) -> Array | None:
    """[draw] enterprise value: of the draws, or of the median case where there are none."""
    if solved is None:
        return None
    values = solved[VALUE]
    return values[1:] if len(values) > 1 else values


def _worth(thing: Thing, base: Array, more: Array | None, less: Array | None) -> OneMore | None:
    if more is None:
        return None
    up = (more - base) / thing.size
    down = None if less is None else (less - base) / thing.size
    right, left = float(up.mean()), 0.0 if down is None else -float(down.mean())
    largest = max(abs(right), abs(left))
    real = largest * thing.size > _NOTHING * float(np.abs(base).mean())
    note = _note(right, left, down is not None, real)
    slope = up if down is None or note else (up - down) / 2
    return OneMore(
        what=thing.what,
        step=thing.step,
        value_usd=float(slope.mean()),
        up_usd=right,
        down_usd=None if down is None else -left,
        se_usd=float(slope.std(ddof=1)) / math.sqrt(len(base)) if len(base) > 1 else None,
        kink=down is not None and real and abs(right - left) > KINK * largest,
        note=note,
    )


def _note(right: float, left: float, has_less: bool, real: bool) -> str:
    if not has_less:
        return "upwards only: less of it cannot be"
    if real and right * left < 0:
        return "worse both ways" if right < 0 else "better both ways"
    return ""


def _step(there: float, share: float = STEP) -> float:
    """A step of what there is: some per cent of it, at least one."""
    return max(1.0, float(round(share * there)))


def _counted(number: float, one: str, many: str) -> str:
    return f"{number:.0f} {one if number == 1 else many}"
