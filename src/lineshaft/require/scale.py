"""The same firm, larger or smaller: every extensive quantity of a scenario times one factor.

What there is more of in a larger firm is scaled: money raised, halls, crews, accelerators, market,
robots, people, overhead. What holds for each unit is not: prices, durations, shares, wages, rates.
Training runs stay as they are, because a model is trained once for however many agents use it. So
the line is nearly, and not wholly, of degree one in the factor: training, whole replicas and the
rounding of fleets make the difference, and a solver on the real forward run takes it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from lineshaft.characterise import Curves
from lineshaft.scenario import Scenario
from lineshaft.scenario.distributions import Distribution, Quantiles, Truncated
from lineshaft.scenario.fields import Section

S = TypeVar("S", bound=Section)

EXTENSIVE: Mapping[str, tuple[str, ...]] = {
    "capital": ("opening_cash_usd", "opening_burn_usd_per_month"),
    "capital.round": ("raise_usd", "pre_usd", "post_usd"),
    "capital.debt": ("amount_usd",),
    "build.campus": ("existing_it_w",),
    "build.phase": ("it_w",),
    "build.crew": ("headcount", "hires_per_month", "most", "apprentices_per_year"),
    "build.accelerators": ("count",),
    "train.lease": ("count",),
    "agents.kind": ("market_tasks_per_day", "seats", "seats_path"),
    "serve.rented": ("count",),
    "serve.model": ("quota",),
    "floor.robots": ("count", "path", "free_cells", "stations"),
    "plant.site": ("grid_w", "other_w"),
    "oversee.role": ("headcount", "hires_per_year", "path"),
    "value": ("overhead_usd_per_month",),
    "value.contract": ("tasks_per_month",),
    "value.power_lease": ("power_w",),
}
"""The fields that a larger firm has more of, by their section of the scenario."""


def scaled(scenario: Scenario, factor: float) -> Scenario:
    """The scenario with every extensive quantity times `factor`; itself at 1."""
    if factor == 1.0:
        return scenario
    sections: dict[str, Any] = {}
    for path, names in EXTENSIVE.items():
        stage, _, item = path.partition(".")
        section = sections.get(stage, getattr(scenario, stage))
        if item:
            items = [_times(one, names, factor) for one in getattr(section, item)]
            section = section.model_copy(update={item: tuple(items)})
        else:
            section = _times(section, names, factor)
        sections[stage] = section
    return scenario.model_copy(update=sections)


def scaled_curves(curves: Curves, factor: float) -> Curves:
    """The curves of `scaled(scenario, factor)`, without asking an engine again.

    Crews and craft hours grow alike, so a schedule keeps its dates: only the hours and the power of
    the build curve grow. All other curves are per unit.
    """
    if curves.build is None or factor == 1.0:
        return curves
    built = replace(
        curves.build,
        hall_w=curves.build.hall_w * factor,
        craft_hours=curves.build.craft_hours * factor,
        crew_hours=curves.build.crew_hours * factor,
    )
    return replace(curves, build=built)


def times(number: Any, factor: float) -> Any:
    """A value of a scenario's field times `factor`: a number, a range, a path by month, or None."""
    if number is None:
        return None
    if isinstance(number, Mapping):
        return {key: value * factor for key, value in number.items()}
    if isinstance(number, Truncated):
        inner = times(number.inner, factor)
        return replace(number, inner=inner, low=number.low * factor, high=number.high * factor)
    if isinstance(number, Distribution):
        keep = ("low_p", "high_p") if isinstance(number, Quantiles) else number.plain
        grown = {
            f.name: _grown(getattr(number, f.name), factor)
            for f in fields(number)
            if f.name not in keep
        }
        return replace(number, **grown)
    if isinstance(number, int):
        return max(1, round(number * factor)) if number else 0
    return number * factor


def _grown(value: float | Sequence[float], factor: float) -> float | tuple[float, ...]:
    if isinstance(value, Sequence):
        return tuple(one * factor for one in value)
    return value * factor


def _times(section: S, names: tuple[str, ...], factor: float) -> S:
    update = {name: times(getattr(section, name), factor) for name in names}
    return section.model_copy(update=update)
