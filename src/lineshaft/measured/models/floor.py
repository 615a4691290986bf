"""Floor: arms, drones, welding cells, crowds, queues and stock against published figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from lineshaft.contracts.curves import FloorCurve
from lineshaft.measured.models._tools import csv_rows
from lineshaft.stages.floor import (
    PRESETS,
    FloorInputs,
    WeldCell,
    characterise,
    drone_cost_parts,
    drone_cost_per_drop,
    eoq,
    newsvendor_normal,
    newsvendor_poisson,
    rq_policy,
    ss_policy,
    station_wait_s,
    units_per_hour,
    wagner_whitin,
    weld_cell,
)
from lineshaft.stages.floor.engine import Attempts, crowd

POGEMA = "mapf/pogema_benchmark_results.csv"
POGEMA_CELLS = 1278
"""Free cells of its warehouse map."""


def drop_usd(*, drones_per_overseer: float) -> float:
    """Direct cost of a delivery by drone."""
    return float(drone_cost_per_drop(drones_per_overseer))


def drop_labour_share(*, drones_per_overseer: float) -> float:
    """Labour over the whole cost of a delivery by drone."""
    parts = drone_cost_parts(drones_per_overseer)
    return float((parts.overseer_usd + parts.handler_usd) / parts.total_usd)


def preset_units_per_hour(*, preset: str) -> float:
    """Tasks that one robot of a preset finishes in an hour of work."""
    return units_per_hour(_curve(preset))


def preset_success(*, preset: str) -> float:
    """Share of a preset's attempts that finish."""
    return _curve(preset).success


def weld(*, quantity: str, sides: int = 2) -> float:
    """A figure of the default welding cell: a field of `WeldResult`."""
    return float(getattr(_weld(sides), quantity))


def crowding_error(*, data: Path, algorithm: str, most: int) -> float:
    """Largest relative error of throughput per agent against that of 32 agents, up to `most`
    agents on POGEMA's warehouse map."""
    per_agent = {
        int(row["num_agents"]): float(row["mean"]) / int(row["num_agents"])
        for row in _pogema(data)
        if row["algorithm"] == algorithm and int(row["num_agents"]) <= most
    }
    alone = _speed_factor(32)
    return max(
        abs(_speed_factor(agents) / alone / (measured / per_agent[32]) - 1.0)
        for agents, measured in per_agent.items()
    )


def simulated_wait_s(*, robots: int, utilisation: float, service_s: float, even: bool) -> float:
    """Mean wait in the fleet's simulated queue, for exponential or even service times."""
    from lineshaft.stages.floor.kernel import fleet

    n = 400_000
    rng = np.random.default_rng(0)
    service = np.full(n, service_s) if even else rng.exponential(service_s, n)
    arrival = np.cumsum(rng.exponential(service_s / (utilisation * robots), n))
    idle, never = np.zeros(robots), np.ones(n)
    wait, *_ = fleet(arrival, service, idle, idle, np.inf, 0.0, np.inf, never, np.zeros(n))
    return float(wait[n // 5 :].mean())


def station_stay_s(*, robots: int, station_s: float, elsewhere_s: float) -> float:
    """Wait and service at one station that `robots` share."""
    return station_s + station_wait_s(robots, 1, station_s, elsewhere_s)


def eoq_of(*, part: int, K: float, h: float, demand: float) -> float:
    """Quantity (0) or cost (1) of the economic order quantity."""
    return float(eoq(K, h, demand)[part])


def newsvendor_normal_of(*, part: int, h: float, p: float, mean: float, sd: float) -> float:
    """Level (0) or cost (1) with normal demand."""
    return float(newsvendor_normal(h, p, mean, sd)[part])


def newsvendor_poisson_of(*, part: int, h: float, p: float, mean: float) -> float:
    """Level (0) or cost (1) with Poisson demand."""
    return float(newsvendor_poisson(h, p, mean)[part])


def rq_of(
    *, part: int, h: float, p: float, K: float, demand: float, sd: float, lead: float
) -> float:
    """Reorder point (0), quantity (1) or cost (2) of the (r, Q) policy."""
    return float(rq_policy(h, p, K, demand, sd, lead)[part])


def ss_of(*, part: int, h: float, p: float, K: float, mean: float) -> float:
    """Reorder level (0), order-up-to level (1) or cost (2) of the (s, S) policy."""
    return float(ss_policy(h, p, K, mean)[part])


def lot_sizes_of(*, K: float, h: float, demand: Sequence[float], period: int = -1) -> float:
    """Cost of the cheapest plan of orders, or what it orders in a period (0 is the first)."""
    order, cost = wagner_whitin(K, h, demand)
    return cost if period < 0 else float(order[period])


@lru_cache
def _curve(preset: str) -> FloorCurve:
    return characterise(PRESETS[preset])


@lru_cache
def _weld(sides: int) -> object:
    return weld_cell(WeldCell(sides=sides))


@lru_cache
def _pogema(data: Path) -> tuple[dict[str, str], ...]:
    return tuple(
        row
        for row in csv_rows(data / POGEMA)
        if (row["set"], row["metric"]) == ("03-warehouse", "avg_throughput")
    )


def _speed_factor(agents: int) -> float:
    """Speed of agents that all travel all the time, by the engine's crowding."""
    travel, nothing = np.ones(1), np.zeros(1)
    sample = Attempts(travel, nothing, nothing, nothing, 0.0, np.ones(1, bool))
    inputs = FloorInputs(
        "agents",
        (),
        robots=agents,
        free_cells=POGEMA_CELLS,
        design_utilisation=1.0,
        mttr_s=0.0,
    )
    return crowd(inputs, sample)[0]
