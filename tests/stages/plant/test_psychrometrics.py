"""Moist air against published points and its own inverses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.stages.plant.psychrometrics import (
    dew_point_c,
    enthalpy_j_kg,
    humidity_ratio,
    pressure_pa,
    relative_humidity_pct,
    saturated_enthalpy_j_kg,
    saturated_humidity_ratio,
    saturation_pressure_pa,
    wet_bulb_c,
)


def test_stull_at_its_reference_point() -> None:
    """17.998 °C at 25 °C and 50 %, 0.11 K above the exact 17.889 °C."""
    assert wet_bulb_c(25.0, 50.0) == pytest.approx(17.998, abs=5e-4)
    assert wet_bulb_c(25.0, 50.0) == pytest.approx(17.889, abs=0.12)


def test_steam_table_points() -> None:
    """Vapour pressure of water: 611.2 Pa at 0 °C, 3169 Pa at 25 °C, 7384 Pa at 40 °C."""
    assert saturation_pressure_pa([0.0, 25.0, 40.0]) == pytest.approx(
        np.array([611.2, 3169.0, 7384.0]), rel=1e-3
    )


def test_ashrae_point() -> None:
    """ASHRAE's example, read off its chart: air of 40 °C dry and 20 °C wet bulb holds 6.5 g/kg
    and has a dew point of 7 °C."""
    ratio = humidity_ratio(40.0, 20.0)
    assert ratio == pytest.approx(0.0065, abs=1.5e-4)
    assert dew_point_c(ratio) == pytest.approx(7.0, abs=0.6)
    assert enthalpy_j_kg(40.0, ratio) == pytest.approx(56_700.0, rel=5e-3)


def test_pressure_falls_with_altitude() -> None:
    """Golden, Colorado, 1829 m: 81,198 Pa in its TMY3 file."""
    assert pressure_pa(0.0) == pytest.approx(101_325.0)
    assert pressure_pa(1829.0) == pytest.approx(81_198.0, rel=1e-3)


@given(dry=st.floats(-20.0, 50.0), humidity=st.floats(5.0, 99.0))
def test_wet_bulb_lies_between_dew_point_and_dry_bulb(dry: float, humidity: float) -> None:
    """The wet bulb is below the dry bulb and, within Stull's error, above the dew point."""
    wet = float(wet_bulb_c(dry, humidity))
    vapour = humidity / 100.0 * saturation_pressure_pa(dry)
    dew = float(dew_point_c(0.621945 * vapour / (101_325.0 - vapour)))
    assert wet <= dry
    assert wet >= dew - 1.0


@given(dry=st.floats(0.0, 45.0), humidity=st.floats(10.0, 95.0))
def test_wet_bulb_rises_with_humidity(dry: float, humidity: float) -> None:
    """More humid air has a higher wet bulb."""
    assert wet_bulb_c(dry, humidity + 4.0) > wet_bulb_c(dry, humidity)


@given(dew=st.floats(-30.0, 35.0), altitude=st.floats(0.0, 2500.0))
def test_dew_point_inverts_saturation(dew: float, altitude: float) -> None:
    """Air saturated at a temperature has that dew point and 100 % humidity."""
    p = pressure_pa(altitude)
    assert dew_point_c(saturated_humidity_ratio(dew, p), p) == pytest.approx(dew, abs=1e-6)
    assert relative_humidity_pct(dew, dew) == pytest.approx(100.0)
    assert saturated_enthalpy_j_kg(dew + 1.0, p) > saturated_enthalpy_j_kg(dew, p)
