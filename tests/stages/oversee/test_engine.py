"""The waiting curve."""

from __future__ import annotations

import numpy as np
import pytest

from lineshaft.errors import InputError
from lineshaft.stages.oversee import OverseeInputs, characterise, mean_wait_s


def test_default_curve() -> None:
    curve = characterise()
    wait = curve.wait_per_service
    assert wait.shape == (curve.servers.size, curve.utilisation.size)
    assert np.isfinite(wait).all() and (wait >= 0).all()
    assert (np.diff(wait, axis=1) >= 0).all(), "more work waits longer"
    assert (np.diff(wait, axis=0) <= 0).all(), "a larger pool waits less at the same utilisation"
    # One server: u / (1 - u).
    np.testing.assert_allclose(wait[0], curve.utilisation / (1 - curve.utilisation), rtol=1e-9)


def test_curve_is_the_closed_form() -> None:
    curve = characterise(OverseeInputs(np.array([3.0, 50.0]), np.array([2 / 3, 0.96])))
    assert curve.wait_per_service[0, 0] == pytest.approx(4 / 9)
    assert curve.wait_per_service[1, 1] == pytest.approx(float(mean_wait_s(50, 0.8, 60)) / 60)


def test_bad_grids_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        characterise(OverseeInputs(np.array([1.5, 2.0]), np.array([0.5, 1.0])))
    assert len(caught.value.problems) == 2
