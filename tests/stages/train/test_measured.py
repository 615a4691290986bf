"""Step time and memory against published measurements, with no constant per row."""

from pathlib import Path

import numpy as np
import pytest

from lineshaft.measured.models.train_sets import SETS

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "train"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="published measurements are not here"),
]


@pytest.mark.parametrize(
    ("name", "count", "mape", "median"),
    [
        ("korthikanti", 8, 0.026, 0.025),
        ("sc21", 7, 0.065, 0.045),
        ("megascale", 4, 0.055, 0.056),
        ("vtrain_multi", 73, 0.080, 0.060),
        ("vtrain_single", 960, 0.090, 0.068),
        ("llm_foundry", 144, 0.060, 0.040),
        ("megatron_bridge", 129, 0.130, 0.080),
        ("megatron_bridge_dense", 52, 0.056, 0.050),
        ("simumax_dense", 11, 0.070, 0.065),
    ],
)
def test_step_time(name: str, count: int, mape: float, median: float) -> None:
    found = np.array([abs(run.model_step_s() / run.step_s - 1.0) for run in SETS[name](DATA)])
    assert len(found) == count
    assert found.mean() <= mape
    assert np.median(found) <= median


def test_peak_memory_of_simumax_dense() -> None:
    # the rows give allocated bytes, without context and buffers
    runs = list(SETS["simumax_dense"](DATA))
    allocated = [run.model_memory_bytes(context=False) for run in runs]
    np.testing.assert_allclose(allocated, [run.memory_bytes for run in runs], rtol=0.05)
    assert len(runs) == 11
