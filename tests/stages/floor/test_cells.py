"""A welding cell and a drone drop against published figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lineshaft.stages.floor import (
    DroneDrop,
    WeldCell,
    drone_cost_parts,
    drone_cost_per_drop,
    weld_cell,
)


def test_drone_drop_at_1_and_20_drones_per_overseer() -> None:
    """McKinsey: $13.50 and $1.80; both within 10 % from one set of inputs."""
    one, twenty = drone_cost_per_drop([1.0, 20.0])
    assert one == pytest.approx(13.5, rel=0.10)
    assert twenty == pytest.approx(1.8, rel=0.10)


def test_drone_labour_dominates_at_one_to_one() -> None:
    parts = drone_cost_parts(np.array([1.0, 20.0]))
    labour = (parts.overseer_usd + parts.handler_usd) / parts.total_usd
    assert 0.9 < labour[0] < 0.96  # "up to 95 percent"
    assert labour[1] < labour[0]


def test_drone_cost_is_a_plus_b_over_n() -> None:
    n = np.array([1.0, 2.0, 5.0, 20.0])
    shared = drone_cost_per_drop(n) - drone_cost_per_drop(np.inf)
    np.testing.assert_allclose(shared * n, shared[0])


def test_drone_cost_responds_to_its_inputs() -> None:
    base = float(drone_cost_per_drop(4.0))
    for change in ({"wage_usd_per_h": 50.0}, {"radius_m": 16_000.0}, {"life_drops": 5000.0}):
        assert drone_cost_per_drop(4.0, replace(DroneDrop(), **change)) > base


def test_weld_cell_arc_on() -> None:
    two = weld_cell()
    assert 0.70 <= two.arc_on_running <= 0.80
    assert two.arc_on_shift == pytest.approx(0.85 * two.arc_on_running)


def test_weld_cell_stands_for_two_to_three_welders() -> None:
    """The published range lies between a cell loaded in turns and one loaded while it welds."""
    two, one = weld_cell(), weld_cell(WeldCell(sides=1))
    assert one.welders <= 2.0 and two.welders >= 3.0
    assert two.welders < 3.3


def test_weld_cell_waits_for_a_slow_operator() -> None:
    slow = weld_cell(WeldCell(load_s=300.0))
    assert slow.cycle_s == pytest.approx(305.0, rel=0.02)
    assert slow.arc_on_running < weld_cell().arc_on_running
