"""From `[plant]` to what the plant's engine and its monthly half need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lineshaft import catalog
from lineshaft.catalog import Row
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.build import design_w
from lineshaft.parameters.common import Array, growing, pick, places, stack
from lineshaft.parameters.floor import kind_sites
from lineshaft.scenario.locate import join
from lineshaft.scenario.plant import CLIMATE, Site
from lineshaft.stages.plant import Climate, PlantInputs
from lineshaft.stages.plant.engine import check
from lineshaft.stages.plant.model import Params
from lineshaft.tables import Dims
from lineshaft.words import suggestion

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.draws import Draws

GRID_OVER_IT = 1.3
"""Default connection over the IT power of all halls: room for the worst hour of most plants."""


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """What the monthly half needs. Raises InputError for a `[[plant.site]]` that is no site."""
    sites = _sites(scenario, dims)
    tariffs = [catalog.find("tariffs", site.tariff) for site in sites]
    design = design_w(scenario, dims)

    def drawn(site: Site, field: str, row: Row | None = None, column: str = "") -> Array:
        number = getattr(site, field)
        if number is None and row is not None:
            return np.array([row.number(column)])
        return pick(draws, join(("plant", "site", site.name, field)), number)

    def path(field: str, growth: str, column: str = "") -> Array:
        """[month, site, draw] of a price that grows."""
        rows = [
            growing(drawn(s, field, r, column), drawn(s, growth), calendar.years)
            for s, r in zip(sites, tariffs, strict=True)
        ]
        if not rows:
            return np.zeros((len(calendar.labels), 0, 1))
        return np.stack(np.broadcast_arrays(*rows), axis=1)

    def each(value: Callable[[Site], Array]) -> Array:
        return stack(value(site) for site in sites)

    grids = [
        drawn(s, "grid_w")
        if s.grid_w is not None
        else np.array([GRID_OVER_IT * w if w else np.inf])
        for s, w in zip(sites, design, strict=True)
    ]
    fleets = [a.campus for a in scenario.build.accelerators] + [""] * len(scenario.serve.rented)
    return Params(
        fleet_site=places(fleets, dims.labels["site"]),
        kind_site=kind_sites(scenario, dims),
        grid_w=stack(grids),
        other_w=each(lambda s: drawn(s, "other_w")),
        house_share=each(lambda s: drawn(s, "house_share")),
        tenant_load=each(lambda s: drawn(s, "tenant_load")),
        floor_peak=stack(np.array([p]) for p in _floor_peaks(scenario, dims)),
        overhead=each(lambda s: drawn(s, "overhead")),
        usd_per_kwh=path("usd_per_kwh", "usd_per_kwh_growth", "usd_per_kwh"),
        usd_per_kw=path("usd_per_kw_month", "usd_per_kwh_growth", "demand_usd_per_kw_month"),
        usd_per_l=path("usd_per_l", "usd_per_l_growth"),
        kg_per_kwh=path("kg_per_kwh", "kg_per_kwh_growth", "carbon_kg_per_kwh"),
    )


def engine_inputs(scenario: Scenario, dims: Dims, calendar: Calendar) -> dict[int, PlantInputs]:
    """What the engine is asked, by site; sites without halls have none.

    The house load is left to the monthly half. Raises InputError with every problem.
    """
    found: dict[int, PlantInputs] = {}
    problems: list[Problem] = []
    for i, (site, power) in enumerate(
        zip(_sites(scenario, dims), design_w(scenario, dims), strict=True)
    ):
        if power <= 0:
            continue
        found[i] = PlantInputs(
            site=site.name,
            climate=climate(_climate_row(site)),
            it_w=float(power),
            liquid_share=site.liquid_share,
            rejection=site.rejection,
            house_share=0.0,
        )
        try:
            check(found[i])
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def climate(row: Row) -> Climate:
    """The monthly normals of a row of the catalog's `climates`."""

    def months(quantity: str) -> Array:
        return np.array([row.number(f"{quantity}_{month:02d}") for month in range(1, 13)])

    return Climate(
        dry_mean_c=months("dry_mean_c"),
        dew_point_c=months("dew_point_c"),
        daily_range_c=months("daily_range_c"),
        design_dry_c=months("design_dry_c"),
        coincident_wet_c=months("coincident_wet_c"),
        design_wet_c=row.number("design_wet_c"),
        altitude_m=row.number("altitude_m"),
    )


def _climate_row(site: Site) -> Row:
    if site.climate is not None:
        return catalog.find("climates", site.climate)
    try:
        return catalog.find("climates", site.name)
    except InputError:
        return catalog.find("climates", CLIMATE)


def _sites(scenario: Scenario, dims: Dims) -> list[Site]:
    """[site] the row of every site; the defaults where there is none."""
    labels = dims.labels["site"]
    rows = {site.name: site for site in scenario.plant.site}
    problems = [
        Problem(
            "",
            join(("plant", "site", name)),
            f"there is no campus and no floor site {name!r}",
            ", ".join(labels),
            suggestion(name, labels),
        )
        for name in rows
        if name not in labels
    ]
    problems += [
        Problem(
            "",
            "floor.site",
            f"{name!r} is a campus and a floor site",
            "a name for each",
            "rename one of them",
        )
        for name in dict.fromkeys(labels)
        if labels.count(name) > 1
    ]
    if problems:
        raise InputError(problems)
    return [rows.get(name) or Site(name=name) for name in labels]


def _floor_peaks(scenario: Scenario, dims: Dims) -> Array:
    """[site] working hours are evenly busy: a week's hours over those in which robots work."""
    peaks = np.ones(dims.size("site"))
    for site in scenario.floor.site:
        peaks[dims.index("site", site.name)] = 168.0 / (site.hours_per_day * site.days_per_week)
    return peaks
