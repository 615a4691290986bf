"""Two closed models of embodied work that are checked against published figures.

* a welding cell: what share of its time the arc is on, and how many welders it stands for;
* a drone drop: what it costs against the number of drones that one overseer watches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.stages.floor.skills import lognormal_parameters

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeldCell:
    """A robot welding cell and one part. Low confidence where no source is named."""

    seams: int = 12
    seam_m: float = 0.1
    travel_m_per_s: float = 0.010
    """Welding speed; 5 to 17 mm/s is ordinary for GMAW."""
    air_s: float = 1.5
    """Move to the next seam."""
    search_s: float = 1.0
    """Touch or laser search per seam. Arc, air and search make 80 % arc time, as weldingrobot.net
    states for the running program."""
    clean_s: float = 5.0
    """Torch cleaning per part."""
    index_s: float = 5.0
    """Exchange of the two sides of the positioner."""
    load_s: float = 110.0
    """The operator unloads and loads one part."""
    robot_cv: float = 0.05
    load_cv: float = 0.3
    sides: int = 2
    """2: the operator loads one side while the robot welds the other. 1: in turns."""
    uptime: float = 0.85
    """Share of the shift that the cell runs (fixture changes, maintenance: arcsolinc.com)."""
    manual_arc_on: float = 0.2
    """A manual welder's arc-on share of the shift: 0.2 (weldingrobot.net), 0.1 (industry-news)."""


@dataclass(frozen=True, slots=True)
class WeldResult:
    """What a welding cell does."""

    cycle_s: float
    """Mean time per part while the cell runs."""
    arc_on_running: float
    """Arc time over running time."""
    arc_on_shift: float
    """Arc time over shift time."""
    welders: float
    """Manual welders with the same arc time."""


def weld_cell(cell: WeldCell = WeldCell(), parts: int = 20_000, seed: int = 0) -> WeldResult:
    """Arc-on share and welders replaced, over `parts` sampled parts.

    With two sides a cycle is the longer of robot and operator, plus the exchange; with one side
    it is their sum. The operator is thus what limits a fast robot.
    """
    rng = np.random.default_rng(seed)
    arc = cell.seams * cell.seam_m / cell.travel_m_per_s
    program = arc + cell.seams * (cell.air_s + cell.search_s) + cell.clean_s
    robot = rng.lognormal(*lognormal_parameters(program, cell.robot_cv), parts)
    load = rng.lognormal(*lognormal_parameters(cell.load_s, cell.load_cv), parts)
    cycle = float((np.maximum(robot, load) if cell.sides > 1 else robot + load).mean())
    cycle += cell.index_s
    running = arc / cycle
    shift = running * cell.uptime
    return WeldResult(cycle, running, shift, shift / cell.manual_arc_on)


@dataclass(frozen=True, slots=True)
class DroneDrop:
    """What one delivery by drone takes. USD of about 2022. Ranges are low to high."""

    wage_usd_per_h: float = 35.0
    """Drone pilot in delivery, 20-50 (nexttools.net). Low confidence."""
    loading: float = 1.44
    """Compensation over wage: wages are 69.5 % of it in US private industry (BLS ECEC 2015-06)."""
    radius_m: float = 9656.0
    """Service radius of 6 miles (Wing, Smithsonian's page on the M7000)."""
    speed_m_per_s: float = 29.0
    """Cruise, 65 mph (Wing)."""
    vertical_s: float = 120.0
    """Climb, hover, lower the parcel, descend; 60-240. Low confidence."""
    turnaround_s: float = 300.0
    """Checks, battery and loading between flights; 180-600. Low confidence."""
    handler_s: float = 60.0
    """Somebody hands the parcel over; not shared between drones; 30-120. Low confidence."""
    handler_wage_usd_per_h: float = 18.03
    """Laborers and freight movers, mean (BLS OEWS, May 2022)."""
    aircraft_usd: float = 10_000.0
    """3,000 (ARK Invest 2015, small octocopter, upper end) to 30,000. Low confidence."""
    life_drops: float = 20_000.0
    """Three years at 20 drops a day (ARK: 30 a day); 5,000-30,000. Low confidence."""
    upkeep_share: float = 0.2
    """Maintenance and insurance over depreciation. Low confidence."""
    battery_usd: float = 200.0
    """ARK Invest 2015."""
    battery_cycles: float = 1_000.0
    """500-1,500 part discharges. Low confidence."""
    energy_j_per_m: float = 80.0
    """0.08 MJ/km (Rodrigues et al., Patterns 2022)."""
    charger_efficiency: float = 0.85
    electricity_usd_per_kwh: float = 0.15


@dataclass(frozen=True, slots=True)
class DroneCost:
    """Cost of a drop by part, USD; every field has the shape of the overseer ratio."""

    overseer_usd: Array
    handler_usd: Array
    aircraft_usd: Array
    battery_usd: Array
    energy_usd: Array

    @property
    def total_usd(self) -> Array:
        """Direct operating cost per drop."""
        return (
            self.overseer_usd
            + self.handler_usd
            + self.aircraft_usd
            + self.battery_usd
            + self.energy_usd
        )


def drone_cost_parts(overseer_ratio: ArrayLike, drop: DroneDrop = DroneDrop()) -> DroneCost:
    """Cost of a drop by part, against drones per overseer (any shape).

    Customers are spread evenly over the disc, so the mean distance is two thirds of the radius.
    An overseer watches a drone for its whole mission, flight and turnaround, and is shared by the
    ratio: ``c(n) = a + b / n``.
    """
    n = np.asarray(overseer_ratio, dtype=np.float64)
    path_m = 2.0 * (2.0 / 3.0) * drop.radius_m
    mission_s = path_m / drop.speed_m_per_s + drop.vertical_s + drop.turnaround_s
    per_s = drop.loading / 3600.0
    one = np.ones(n.shape)
    kwh = drop.energy_j_per_m * path_m / 3.6e6 / drop.charger_efficiency
    return DroneCost(
        overseer_usd=mission_s * per_s * drop.wage_usd_per_h / n,
        handler_usd=one * drop.handler_s * per_s * drop.handler_wage_usd_per_h,
        aircraft_usd=one * drop.aircraft_usd / drop.life_drops * (1.0 + drop.upkeep_share),
        battery_usd=one * drop.battery_usd / drop.battery_cycles,
        energy_usd=one * kwh * drop.electricity_usd_per_kwh,
    )


def drone_cost_per_drop(overseer_ratio: ArrayLike, drop: DroneDrop = DroneDrop()) -> Array:
    """Direct operating cost of a drop in USD, against drones per overseer (any shape)."""
    return drone_cost_parts(overseer_ratio, drop).total_usd
