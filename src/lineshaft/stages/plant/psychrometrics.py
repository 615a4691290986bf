"""Moist air in closed form: temperatures in °C, pressures in Pa, humidity ratio in kg/kg.

Every function takes floats or arrays and broadcasts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LATENT_J_KG = 2.43e6
"""Heat of evaporation of water at about 30 °C."""
_RATIO = 0.621945
"""Molar mass of water over that of dry air (ASHRAE Fundamentals, ch. 1)."""


def pressure_pa(altitude_m: float) -> float:
    """Standard air pressure at an altitude (ASHRAE Fundamentals, ch. 1, eq. 3)."""
    return float(101_325.0 * (1.0 - 2.25577e-5 * altitude_m) ** 5.2559)


def saturation_pressure_pa(temperature_c: ArrayLike) -> Array:
    """Vapour pressure over water, within 0.1 % in 0 to 50 °C (Buck 1981, revised 1996)."""
    t = np.asarray(temperature_c, dtype=np.float64)
    return np.asarray(611.21 * np.exp((18.678 - t / 234.5) * t / (257.14 + t)))


def relative_humidity_pct(dry_c: ArrayLike, dew_c: ArrayLike) -> Array:
    """Relative humidity in per cent, at most 100, from dry bulb and dew point."""
    share = saturation_pressure_pa(dew_c) / saturation_pressure_pa(dry_c)
    return np.asarray(100.0 * np.minimum(share, 1.0))


def wet_bulb_c(dry_c: ArrayLike, humidity_pct: ArrayLike) -> Array:
    """Wet bulb by Stull (2011, J. Appl. Meteor. Climatol. 50, eq. 1), never above the dry bulb.

    Fitted at sea-level pressure for 5-99 % and -20-50 °C, mean error below 0.3 K; humidity is
    clipped to that range. At 1800 m it reads some tenths of a kelvin high.
    """
    t = np.asarray(dry_c, dtype=np.float64)
    rh = np.clip(np.asarray(humidity_pct, dtype=np.float64), 5.0, 100.0)
    wet = (
        t * np.arctan(0.151977 * np.sqrt(rh + 8.313659))
        + np.arctan(t + rh)
        - np.arctan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * np.arctan(0.023101 * rh)
        - 4.686035
    )
    return np.asarray(np.minimum(wet, t))


def saturated_humidity_ratio(temperature_c: ArrayLike, pressure: float = 101_325.0) -> Array:
    """Humidity ratio of saturated air."""
    vapour = saturation_pressure_pa(temperature_c)
    return np.asarray(_RATIO * vapour / (pressure - vapour))


def humidity_ratio(dry_c: ArrayLike, wet_c: ArrayLike, pressure: float = 101_325.0) -> Array:
    """Humidity ratio from dry and wet bulb, not below zero (ASHRAE Fundamentals, ch. 1)."""
    dry, wet = np.asarray(dry_c, dtype=np.float64), np.asarray(wet_c, dtype=np.float64)
    top = (2501.0 - 2.326 * wet) * saturated_humidity_ratio(wet, pressure) - 1.006 * (dry - wet)
    return np.asarray(np.maximum(top / (2501.0 + 1.86 * dry - 4.186 * wet), 0.0))


def dew_point_c(ratio: ArrayLike, pressure: float = 101_325.0) -> Array:
    """Dew point of air with that humidity ratio: Buck's equation solved for the temperature."""
    w = np.maximum(np.asarray(ratio, dtype=np.float64), 1e-5)
    log = np.log(pressure * w / (_RATIO + w) / 611.21)
    slope = 18.678 - log
    return np.asarray(0.5 * 234.5 * (slope - np.sqrt(slope**2 - 4.0 * 257.14 * log / 234.5)))


def enthalpy_j_kg(dry_c: ArrayLike, ratio: ArrayLike) -> Array:
    """Enthalpy of moist air per kg of dry air, zero for dry air at 0 °C."""
    dry, w = np.asarray(dry_c, dtype=np.float64), np.asarray(ratio, dtype=np.float64)
    return np.asarray(1006.0 * dry + w * (2.501e6 + 1860.0 * dry))


def saturated_enthalpy_j_kg(temperature_c: ArrayLike, pressure: float = 101_325.0) -> Array:
    """Enthalpy of saturated air per kg of dry air: what drives a cooling tower."""
    return enthalpy_j_kg(temperature_c, saturated_humidity_ratio(temperature_c, pressure))
