"""The ratios of DAA/1."""

from __future__ import annotations

import numpy as np

from lineshaft.daa import (
    autonomy,
    autonomy_of_time,
    cost_per_accepted_task,
    effective_daa,
    fte_equivalent,
    leverage,
    oversight_minutes_per_task,
    tasks_per_agent,
    value_per_daa,
)


def test_ratios() -> None:
    assert tasks_per_agent(300.0, 100.0) == 3.0
    assert np.isnan(tasks_per_agent(0.0, 0.0))
    assert autonomy(60, 100) == 0.6
    assert autonomy_of_time([10, 200], 100).tolist() == [0.9, -1.0]
    assert oversight_minutes_per_task(10, 5, 3, 2, 4) == 5.0
    assert cost_per_accepted_task(50.0, 60.0, 30.0, 20.0, 10.0) == 10.0
    assert value_per_daa(500.0, 100.0) == 5.0
    assert leverage(480.0, 12.0) == 40.0
    assert fte_equivalent(960.0) == 2.0


def test_effective_daa() -> None:
    assert effective_daa([1.0] + [0.0] * 1000) == 1.0
    assert effective_daa(np.full((2, 7), 1e200)).tolist() == [7.0, 7.0]
    assert effective_daa([0.0, 0.0]) == 0.0
    assert 1 < effective_daa([3.0, 1.0, 1.0]) < 3
