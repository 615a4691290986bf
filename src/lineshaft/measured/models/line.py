"""Whole runs of the shipped scenarios against public figures: anchors, not fits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lineshaft.characterise import characterise
from lineshaft.contracts.tables import Tables
from lineshaft.line import Outcome, run
from lineshaft.measured.models import _tools
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import read
from lineshaft.stages.value import unit_costs
from lineshaft.tables import Array

if TYPE_CHECKING:
    from lineshaft.sweep.indices import Sobol

FREE_GRID = 'build.phase."1".grid="2026-01"'
"""No wait for the first substation."""
FLAT_LOAD = 'agents.kind."api".load={shape="flat",peak_day=1}'
PEAKED_LOAD = (
    f'agents.kind."api".load={{weekday={[3] * 8 + [0] * 16},weekend={[3] * 8 + [0] * 16},'
    "peak_day=1}"
)
"""The same day's tokens in eight of its hours: the peak is three times the mean."""
DEEPSEEK = """
[[serve.rented]]
name = "cloud"
accelerator = "{accelerator}"
count = 1000
[[serve.model]]
name = "DeepSeek-V3"
engine = "sglang"
dp = 32
ep = 32
prompt_instances = 3
answer_instances = 1
[serve]
requests = 8000
"""
"""Prompts and answers apart, experts spread over four nodes, as in production but for the width of
the instances that answer (there 18 nodes)."""


def capex_usd(*, until: str) -> float:
    """Capex of the gigawatt campus from the start to the end of a month."""
    x = _tables("gigawatt")
    return float(x.worth.capex_usd[: x.dims.index("month", until) + 1, 0].sum())


def capex_usd_per_it_w(*, until: str) -> float:
    """The same per watt of IT that is on by then."""
    x = _tables("gigawatt")
    on = x.energised.it_w[x.dims.index("month", until), :, 0].sum()
    return capex_usd(until=until) / float(on)


def ownership_usd_per_year(*, since: str) -> float:
    """Cost of ownership of the gigawatt campus a year over 24 months: compute and halls charged
    as an annuity, upkeep, staff, and energy at full load."""
    energy, rest = _ownership(since)
    return energy + rest


def energy_share_of_ownership(*, since: str) -> float:
    """Energy at full load over that cost."""
    energy, rest = _ownership(since)
    return energy / (energy + rest)


def installed_accelerators() -> float:
    """Accelerators of the gigawatt campus in the last month."""
    return float(_outcome("gigawatt")["build.installed_accelerators"].value)


def first_hall_months() -> float:
    """Months from ground-breaking to the first power where no grid is waited for."""
    return float(_outcome("gigawatt", (FREE_GRID,))["build.first_power_month"].value) - 1.0


def whole_campus_months() -> float:
    """Months from the start to all of the campus's power."""
    on = _tables("gigawatt").energised.it_w.sum(axis=1)[:, 0]
    return float((on >= 0.999 * on[-1]).argmax())


def deepseek_usd_per_mtok(*, accelerator: str, usd_per_h: float) -> float:
    """Rent per million output tokens of DeepSeek's production day."""
    asked = read(DEEPSEEK.format(accelerator=accelerator), model=Scenario)
    replica = characterise(asked).serve[0, 0]
    day = {"input": 266e9, "cached": 342e9, "output": 168e9}
    work_s = sum(tokens * getattr(replica, f"s_per_{name}_token") for name, tokens in day.items())
    hours = work_s * replica.accelerators_per_replica / 3600.0
    return float(unit_costs.usd_per_mtok(hours * usd_per_h, day["output"]))


def tokens_per_coding_task() -> float:
    """Tokens per accepted coding task in the gigawatt run's last month, failed attempts inside."""
    return _coder("tokens_per_task")


def usd_per_coding_task() -> float:
    """Full cost of the same: tokens, review and the loss by defects that escape."""
    return _coder("usd_per_task")


def drop_usd() -> float:
    """Full cost of a delivery by drone in the warehouse's last month."""
    x = _tables("warehouse")
    return float(x.task_costs.usd_per_task[-1, x.dims.index("kind", "last mile"), 0])


def stow_units_per_hour() -> float:
    """Units that a stowing arm of the warehouse finishes in an hour of work."""
    asked = _read("warehouse")
    kinds = [kind.name for kind in asked.agents.kind]
    arm = characterise(asked).floor[kinds.index("stowing")]
    return 3600.0 / arm.cycle_s * arm.success


def robots_per_overseer() -> float:
    """Robots at work per operator at work, warehouse, last month: operators by the minutes that
    they intervene at their planned utilisation."""
    outcome = _outcome("warehouse")
    x, p = outcome.tables, outcome.parameters
    role = x.dims.index("role", "operator")
    minutes = x.people.intervention_min[-1, role, 0] / p.oversee.utilisation[role, 0]
    return float(60.0 * x.robots.working_h[-1, :, 0].sum() / minutes)


def energy_of_a_peak() -> float:
    """IT energy of the gigawatt's fourth year if the API's tokens come in eight hours a day, over
    that of an even load: the same tokens."""
    peaked, even = (_fourth_year_j(load) for load in (PEAKED_LOAD, FLAT_LOAD))
    return peaked / even


def ishigami_index(*, order: str, dimension: int) -> float:
    """Sobol index of an input (from 1) of Ishigami's function, a = 7 and b = 0.1: `order` is
    first or total."""
    return float(getattr(_ishigami(), order)[dimension - 1])


def g_function_index(*, dimension: int) -> float:
    """First-order Sobol index of an input (from 1) of Sobol's g-function of eight inputs."""
    return float(_g_function().first[dimension - 1])


@lru_cache
def _ishigami() -> Sobol:
    from lineshaft.sweep.indices import sobol

    def function(u: Array) -> Array:
        x, y, z = np.pi * (2.0 * u - 1.0)
        return np.asarray(np.sin(x) + 7.0 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x))

    return sobol(function, 3, 16_384)


@lru_cache
def _g_function() -> Sobol:
    from lineshaft.sweep.indices import sobol

    a = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0])[:, None]

    def function(u: Array) -> Array:
        return np.asarray(((np.abs(4.0 * u - 2.0) + a) / (1.0 + a)).prod(axis=0))

    return sobol(function, 8, 8_192)


def _fourth_year_j(load: str) -> float:
    x = _tables("gigawatt", ("months=48", load))
    return float(x.powered.it_j[36:].sum())


def _coder(column: str) -> float:
    x = _tables("gigawatt")
    return float(getattr(x.task_costs, column)[-1, x.dims.index("kind", "coder"), 0])


def _ownership(since: str) -> tuple[float, float]:
    """(energy at full load, all other cost) in USD a year, over 24 months."""
    outcome = _outcome("gigawatt")
    x, w = outcome.tables, outcome.tables.worth
    first = x.dims.index("month", since)
    span = slice(first, first + 24)
    rest = (w.compute_charge_usd + w.maintenance_usd + w.staff_usd)[span].sum() / 2
    seconds = outcome.parameters.calendar.seconds[span]
    load = x.powered.it_j[span].sum() / (x.energised.it_w[span, 0, 0] * seconds).sum()
    return float(w.energy_usd[span].sum() / 2 / load), float(rest)


def _tables(example: str, overrides: Sequence[str] = ()) -> Tables:
    return _outcome(example, tuple(overrides)).tables


@lru_cache
def _outcome(example: str, overrides: tuple[str, ...] = ()) -> Outcome:
    asked = _read(example, overrides)
    return run(asked, characterise(asked))


@lru_cache
def _read(example: str, overrides: tuple[str, ...] = ()) -> Scenario:
    return read(_tools.example(example), model=Scenario, overrides=overrides)
