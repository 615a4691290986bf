"""The Frontier replica against RAPS and against the measured HPL run."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft.stages.plant.frontier import frontier_power


def test_idle_and_peak_equal_raps() -> None:
    """RAPS prints 7.3065 and 28.2279 MW; without CDUs 7.0947 and 28.0160 MW."""
    idle, peak = frontier_power(0.0, 0.0), frontier_power(1.0, 1.0)
    assert idle.total_w == pytest.approx(7.306524e6, abs=1.0)
    assert peak.total_w == pytest.approx(28.227884e6, abs=1.0)
    assert idle.system_w == pytest.approx(7.0947e6, abs=50.0)
    assert peak.system_w == pytest.approx(28.0160e6, abs=50.0)


def test_conversion_loss_and_efficiency() -> None:
    """RAPS: 1.81 MW lost at peak; 92.18 % efficient at idle, 93.59 % at peak."""
    power = frontier_power(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert power.loss_w[1] == pytest.approx(1.81e6, abs=5e3)
    assert power.efficiency == pytest.approx(np.array([0.9218, 0.9359]), abs=2e-4)


def test_hpl_run_of_april_2023() -> None:
    """Measured 22.704 MW (ORNL, doi.ccs.ornl.gov/ui/doi/437) at RAPS's own HPL point."""
    power = frontier_power(0.33, 0.79)
    assert power.system_w == pytest.approx(22.743e6, abs=1e3)
    assert power.total_w == pytest.approx(22.954e6, abs=1.5e3)
    assert power.system_w == pytest.approx(22.704e6, rel=0.003)
