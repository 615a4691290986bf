"""Construction: dates of halls and campuses, the reference class, crews, classic schedules."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lineshaft.contracts.curves import Array, BuildCurve
from lineshaft.measured.models import psplib
from lineshaft.measured.models._tools import named
from lineshaft.stages.build import (
    PACKAGES,
    Activities,
    BuildInputs,
    Crew,
    Phase,
    Risk,
    WorkPackage,
    characterise,
    crews_for,
)
from lineshaft.stages.build.inputs import CRAFT_HOURS_PER_MW, CRAFT_MIX
from lineshaft.stages.build.risk import draw
from lineshaft.stages.build.schedule import build_network
from lineshaft.stages.build.workforce import apprentices_left

DAYS_PER_MONTH = 365.25 / 12
GIGAWATT = BuildInputs(60, tuple(Phase(f"phase {i}", 125e6) for i in range(1, 9)), ())
SHELL = ("site works", "foundations", "shell", "dry-in")
"""What a building that stands already does not need."""


def hall_months() -> float:
    """Months from ground-breaking to a hall under power, crews ample, in the median case."""
    return float(_gigawatt(11.0)[0].ready_months[:, 0].min())


def dry_in_to_operation_days() -> float:
    """Days from a roof that is tight to a hall in operation, in the median case."""
    rows = _gigawatt(11.0)[1]
    dry, on = (np.array([n == name for n in rows.name]) for name in ("dry-in", "commissioning"))
    return float((rows.finish_month[on] - rows.finish_month[dry]).min()) * DAYS_PER_MONTH


def single_phase_months(*, mw: float, halls: int, design_months: float = 0.0) -> float:
    """Months of one phase with ample crews, in the median case, after so much design."""
    inputs = BuildInputs(60, (Phase("one", mw * 1e6, halls),), (), samples=1)
    return design_months + float(_ample(inputs).duration_months[0, 0])


def retrofit_days(*, mw: float, halls: int) -> float:
    """Days to fit out a building that stands already, crews ample, parts at hand, in the median
    case: the shipped network without its shell."""
    packages = _without(SHELL)
    trades = {trade for package in packages for trade, _ in package.trades}
    left = sum(share for trade, share in CRAFT_MIX if trade in trades)
    mix = tuple((trade, share / left) for trade, share in CRAFT_MIX if trade in trades)
    phase = Phase("retrofit", mw * 1e6, halls, craft_mix=mix, releases=())
    inputs = BuildInputs(36, (phase,), (), packages=packages, samples=1)
    return float(_ample(inputs).duration_months[0, 0]) * DAYS_PER_MONTH


def gigawatt_years(*, workers_per_mw: float, hours_per_mw: float = CRAFT_HOURS_PER_MW) -> float:
    """Years from start to 1 GW with so many workers at the peak, in the median case."""
    phases = tuple(replace(p, craft_hours_per_mw=hours_per_mw) for p in GIGAWATT.phases)
    inputs = replace(GIGAWATT, phases=phases, samples=1)
    crews = _scaled(crews_for(inputs, 24.0), workers_per_mw * 1000.0)
    curve, _ = characterise(replace(inputs, crews=crews))
    return float(curve.ready_months[:, 0].max()) / 12.0


def campus_months(
    *, mw: float, second_mw: float, second_month: float, workers: float, ramp_months: float
) -> float:
    """Months from the first phase's start to the end of the second, with so many workers of the
    shipped mix of trades, hired evenly over the ramp, in the median case."""
    first = Phase("first", mw * 1e6, max(1, round(mw / 25)))
    second = Phase("second", second_mw * 1e6, max(1, round(second_mw / 37.5)), second_month)
    crews = tuple(
        Crew(trade, 0.0, share * workers / ramp_months, share * workers)
        for trade, share in CRAFT_MIX
    )
    curve, _ = characterise(BuildInputs(60, (first, second), crews, samples=1))
    return float(curve.ready_months[curve.hall_phase == 1, 0].max()) + second_month


def hours_worked_by(*, mw: float, halls: int, months: float, month: float) -> float:
    """Craft hours of a phase by a month, crews sized for `months`, 10,000 hours per MW in all."""
    phase = Phase("one", mw * 1e6, halls, craft_hours_per_mw=10_000.0)
    inputs = BuildInputs(36, (phase,), (), samples=1)
    curve, _ = characterise(replace(inputs, crews=crews_for(inputs, months)))
    hours = curve.craft_hours[0] @ curve.worked_share[0]
    return float(np.interp(month, curve.progress * curve.duration_months[0, 0], hours))


def share_late(*, months: float) -> float:
    """Share of worlds in which 1 GW is later than its plan without risk."""
    return float((_slip(months) > 0).mean())


def mean_slip(*, months: float) -> float:
    """Mean slip of 1 GW, as a share of the duration of its plan without risk."""
    return float(_slip(months).mean())


def class_mean_slip() -> float:
    """Mean of the common factor of whole projects, drawn, less one."""
    inputs = replace(
        GIGAWATT,
        risk=Risk(trade_sigma=0.0, activity_low=1.0, activity_high=1.0),
        crews=crews_for(GIGAWATT, 24.0),
        samples=4096,
    )
    return float(draw(inputs, build_network(inputs)).shared[1:].mean()) - 1.0


def apprentices_completing() -> float:
    """Share of a cohort of apprentices that is left when their years are over."""
    crew = Crew("electrical", 0.0)
    left = apprentices_left(crew, np.array([12.0 * crew.apprentice_years]))
    return float(left[0])


def psplib_gap(*, data: Path, of: str, statistic: str) -> float:
    """Makespan over the best known one, less one, over a set of instances: mean or least."""
    forms: dict[str, Callable[[Sequence[float]], float]] = {
        "mean": statistics.fmean,
        "least": min,
    }
    return float(named(forms, "statistic", statistic)(_gaps(data, of)))


@lru_cache
def _gaps(data: Path, of: str) -> tuple[float, ...]:
    return tuple(psplib.gaps(data / "psplib", of))


@lru_cache
def _gigawatt(months: float) -> tuple[BuildCurve, Activities]:
    return characterise(replace(GIGAWATT, crews=crews_for(GIGAWATT, months)))


def _slip(months: float) -> Array:
    curve, rows = _gigawatt(months)
    slip: Array = curve.ready_months[:, 1:].max(axis=0) / rows.plan_finish_month.max() - 1.0
    return slip


def _ample(inputs: BuildInputs) -> BuildCurve:
    """The curve with crews so large that none is ever short."""
    everyone = tuple(Crew(trade, 1e6) for trade, _ in inputs.phases[0].craft_mix)
    return characterise(replace(inputs, crews=everyone))[0]


def _scaled(crews: tuple[Crew, ...], workers: float) -> tuple[Crew, ...]:
    factor = workers / sum(crew.maximum for crew in crews)
    return tuple(
        replace(
            crew,
            headcount=crew.headcount * factor,
            hires_per_month=crew.hires_per_month * factor,
            maximum=crew.maximum * factor,
        )
        for crew in crews
    )


def _without(names: tuple[str, ...]) -> tuple[WorkPackage, ...]:
    """The shipped network without these packages; what is left takes all hours of its trades."""
    kept = [p for p in PACKAGES if p.name not in names]
    total: dict[str, float] = {}
    for package in kept:
        for trade, share in package.trades:
            total[trade] = total.get(trade, 0.0) + share
    return tuple(
        replace(
            package,
            after=tuple(name for name in package.after if name not in names),
            trades=tuple((trade, share / total[trade]) for trade, share in package.trades),
        )
        for package in kept
    )
