"""From `[build]` to what the construction engine and its monthly half need."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lineshaft import catalog
from lineshaft.contracts.calendar import DAY_S, Calendar
from lineshaft.contracts.reasons import TRADES
from lineshaft.errors import InputError, Problem
from lineshaft.parameters import fleets
from lineshaft.parameters.common import Array, month_index, pick, places, stack
from lineshaft.parameters.crews import default_crews
from lineshaft.parameters.fleets import it_w as it_w
from lineshaft.parameters.serve import rented_path
from lineshaft.parameters.value import leased_w
from lineshaft.scenario.locate import join
from lineshaft.stages.build import inputs as engine
from lineshaft.stages.build.inputs import (
    RELEASES,
    WEEKS_PER_MONTH,
    BuildInputs,
    Release,
    Risk,
    check,
)
from lineshaft.stages.build.model import Params
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.build import Crew, Phase
    from lineshaft.scenario.draws import Draws

LUCK = "build.luck"
"""The uniform driver that picks the world of the schedule's risk draws."""
PLANNED = -1.0
"""The luck with which a draw has the median case of the schedule."""
PARTS = {"transformer": "transformer in building"}
"""Catalog rows of parts that have another name there: a phase waits for the transformer of its
building, while a substation's belongs to the grid connection."""
_FOREVER = 10**6


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """What the monthly half needs. Raises InputError for a phase before the scenario's start."""
    build, sites, months = scenario.build, dims.labels["site"], len(calendar.labels)
    rented = [catalog.find("accelerators", r.accelerator) for r in scenario.serve.rented]
    rows = [catalog.find("accelerators", o.accelerator) for o in build.accelerators]
    orders = list(zip(build.accelerators, rows, strict=True))
    nothing = [np.zeros((months, 1))] * len(rented)
    zeros = [np.zeros(1)] * len(rented)

    def of_phase(field: str) -> list[Array]:
        return [
            pick(draws, join(("build", "phase", p.name, field)), getattr(p, field))
            for p in build.phase
        ]

    watts = [p.it_w.median for p in build.phase]
    hours = [p.craft_hours_per_mw.median for p in build.phase]
    lives = [fleets.life_months(o, r) for o, r in orders] + [_FOREVER] * len(rented)
    return Params(
        phase_site=places([p.campus for p in build.phase], sites),
        phase_start=np.array(_starts(scenario), np.int64),
        fleet_site=places([*(o.campus for o in build.accelerators), *[""] * len(rented)], sites),
        fleet_rank=fleets.newest_first([*rows, *rented]),
        life_months=np.array(lives, np.int64),
        refresh=np.array([o.refresh for o, _ in orders] + [False] * len(rented), np.bool_),
        luck=draws[LUCK] if LUCK in draws else np.full(1, 0.5),
        cost_usd=stack(c * w for c, w in zip(of_phase("cost_usd_per_w"), watts, strict=True)),
        hours_factor=stack(
            h / median for h, median in zip(of_phase("craft_hours_per_mw"), hours, strict=True)
        ),
        leased_w=leased_w(scenario, dims, calendar),
        existing_w=existing_w(scenario, dims)[:, None],
        ordered=fleets.by_month(
            [*(fleets.ordered(scenario, draws, o, months) for o, _ in orders), *nothing], months
        ),
        price_usd=fleets.by_month(
            [*(fleets.price(draws, o, r, calendar) for o, r in orders), *nothing], months
        ),
        it_w=it_w(scenario, draws),
        failures_per_year=stack([*(fleets.failures(draws, o, r) for o, r in orders), *zeros]),
        repair_s=stack([*(DAY_S * fleets.own(draws, o, "repair_days") for o, _ in orders), *zeros]),
        rented=rented_path(scenario, dims, calendar),
    )


def engine_inputs(scenario: Scenario, dims: Dims, calendar: Calendar) -> BuildInputs | None:
    """What the construction engine is asked; None where nothing is built.

    Raises InputError with every problem: a phase before the scenario's start, and what the
    engine refuses.
    """
    build = scenario.build
    if not build.phase:
        return None
    risk = Risk(build.slip) if build.risk else Risk(build.slip, 0.0, False, 0.0, 1.0, 1.0)
    inputs = BuildInputs(
        months=len(calendar.labels),
        phases=tuple(
            _phase(scenario, phase, name, start)
            for phase, name, start in zip(
                build.phase, dims.labels["phase"], _starts(scenario), strict=True
            )
        ),
        crews=(),
        risk=risk,
        samples=build.samples if build.risk else 1,
        seed=scenario.seed,
    )
    crews = default_crews(inputs, build.crew_factor)
    crews |= {crew.name: _crew(crew) for crew in build.crew}
    inputs = replace(inputs, crews=tuple(crews[t] for t in TRADES if t in crews))
    check(inputs)
    return inputs


def existing_w(scenario: Scenario, dims: Dims) -> Array:
    """[site] IT power that is on when the scenario starts."""
    power = np.zeros(dims.size("site"))
    for campus in scenario.build.campus:
        power[dims.index("site", campus.name)] = campus.existing_it_w.median
    return power


def design_w(scenario: Scenario, dims: Dims) -> Array:
    """[site] IT power with all phases built."""
    power = existing_w(scenario, dims)
    for phase in scenario.build.phase:
        power[dims.index("site", phase.campus)] += phase.it_w.median
    return power


def _starts(scenario: Scenario) -> list[int]:
    """[phase] first month; InputError where one is before the scenario's."""
    found = [month_index(scenario.start, p.start or scenario.start) for p in scenario.build.phase]
    problems = [
        Problem(
            "",
            join(("build", "phase", phase.name, "start")),
            f"{phase.start} is before the scenario's start, {scenario.start}",
            "that month or a later one",
            "count what is on by then as existing_it_w of the campus",
        )
        for phase, start in zip(scenario.build.phase, found, strict=True)
        if start < 0
    ]
    if problems:
        raise InputError(problems)
    return found


def _phase(scenario: Scenario, phase: Phase, name: str, start: int) -> engine.Phase:
    mix = {t: catalog.find("trades", t).number("share_of_craft_hours") for t in TRADES}
    releases = [_part(phase, r) for r in RELEASES]
    if "optics" in phase.lead_weeks:
        releases.append(_part(phase, Release("part: optics", 0.0, 0.0)))
    for what, when in (("permit", phase.permit), ("grid", phase.grid)):
        if isinstance(when, str):
            first = phase.start or scenario.start
            releases.append(Release(what, 0.0, 0.0, float(month_index(first, when))))
        elif when is not None:
            releases.append(Release(what, *when))
    if not scenario.build.risk:
        releases = [_at_median(r) for r in releases]
    return engine.Phase(
        name,
        phase.it_w.median,
        phase.halls,
        float(start),
        phase.craft_hours_per_mw.median,
        tuple(mix.items()),
        tuple(releases),
    )


def _part(phase: Phase, release: Release) -> Release:
    """A part with the phase's lead time, or the catalog's, ordered when the phase says."""
    part = release.name.removeprefix("part: ")
    lead = phase.lead_weeks.get(part)  # type: ignore[call-overload]
    if lead is None:
        row = catalog.find("parts", PARTS.get(part, part))
        lead = row.span("lead_weeks") or (row.number("lead_weeks"),) * 2
    ordered = -phase.order_weeks / WEEKS_PER_MONTH
    return replace(release, low_weeks=lead[0], high_weeks=lead[1], order_month=ordered)


def _at_median(release: Release) -> Release:
    weeks = math.sqrt(release.low_weeks * release.high_weeks)
    return replace(release, low_weeks=weeks, high_weeks=weeks)


def _crew(crew: Crew) -> engine.Crew:
    row = catalog.find("trades", crew.name)
    years, completion = crew.apprentice_years, crew.completion
    return engine.Crew(
        trade=crew.name,
        headcount=crew.headcount,
        hires_per_month=crew.hires_per_month,
        maximum=math.inf if crew.most is None else crew.most,
        apprentices_per_year=crew.apprentices_per_year,
        apprentice_years=row.number("apprenticeship_years") if years is None else years,
        completion=row.number("completion_rate") if completion is None else completion,
        apprentice_productivity=crew.apprentice_productivity,
        hours_per_worker_month=crew.hours_per_week * WEEKS_PER_MONTH * crew.at_work_share,
    )
