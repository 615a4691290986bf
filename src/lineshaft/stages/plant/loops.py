"""Liquid loops: coolant properties, counter-flow heat exchangers, pumps, the rack and its CDU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.errors import InputError, Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fluid:
    """A coolant as a small table over temperature."""

    name: str
    temperature_c: tuple[float, ...]
    cp_j_kgk: tuple[float, ...]
    rho_kg_m3: tuple[float, ...]

    def cp(self, temperature_c: float) -> float:
        """Heat capacity in J/(kg K), interpolated."""
        return float(np.interp(temperature_c, self.temperature_c, self.cp_j_kgk))

    def rho(self, temperature_c: float) -> float:
        """Density in kg/m3, interpolated."""
        return float(np.interp(temperature_c, self.temperature_c, self.rho_kg_m3))


WATER = Fluid(
    "water",
    (10.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    (4195.5, 4184.4, 4180.1, 4179.6, 4181.5, 4185.1),
    (999.70, 998.21, 995.65, 992.22, 988.04, 983.20),
)
"""Liquid water at 1 atm (IAPWS-95, as in the NIST Chemistry WebBook)."""
PG25 = Fluid("pg25", (30.0,), (3944.6,), (1014.9,))
"""Water with 25 % propylene glycol at 30 °C (CoolProp 8.0.0, `INCOMP::MPG[0.25]`)."""


def effectiveness(ntu: ArrayLike, cr: ArrayLike) -> Array:
    """Effectiveness 0..1 of a counter-flow exchanger; `cr` is Cmin/Cmax in 0..1.

    eps = (1 - exp(-NTU (1-Cr))) / (1 - Cr exp(-NTU (1-Cr))), and NTU / (1 + NTU) at Cr = 1.
    """
    n, c = np.asarray(ntu, dtype=np.float64), np.asarray(cr, dtype=np.float64)
    balanced = np.abs(1.0 - c) < 1e-6
    safe = np.where(balanced, 0.5, c)
    decay = np.exp(-n * (1.0 - safe))
    return np.asarray(np.where(balanced, n / (1.0 + n), (1.0 - decay) / (1.0 - safe * decay)))


def units_of_transfer(eps: ArrayLike, cr: ArrayLike) -> Array:
    """NTU that a counter-flow exchanger of that effectiveness needs: the inverse of
    `effectiveness`."""
    e, c = np.asarray(eps, dtype=np.float64), np.asarray(cr, dtype=np.float64)
    balanced = np.abs(1.0 - c) < 1e-6
    safe = np.where(balanced, 0.5, c)
    return np.asarray(
        np.where(balanced, e / (1.0 - e), np.log((1.0 - e * safe) / (1.0 - e)) / (1.0 - safe))
    )


def log_mean_k(first_k: float, second_k: float) -> float:
    """Logarithmic mean of the temperature differences at the two ends."""
    if abs(first_k - second_k) < 1e-6 * max(first_k, second_k):
        return 0.5 * (first_k + second_k)
    return float((first_k - second_k) / np.log(first_k / second_k))


def pump_w(pressure_pa: float, flow_kg_s: float, rho_kg_m3: float, efficiency: float) -> float:
    """Electrical power of a pump: dp m / (rho eta)."""
    return pressure_pa * flow_kg_s / (rho_kg_m3 * efficiency)


@dataclass(frozen=True, slots=True)
class RackLoop:
    """The technology cooling loop (TCS) of a rack and its CDU at design."""

    tcs_kg_s: float
    fws_kg_s: float
    """Facility water on the CDU's other side."""
    pump_w: float
    lmtd_k: float
    ka_w_k: float
    """Conductance that the CDU needs."""
    ntu: float
    effectiveness: float


def rack_loop(
    heat_w: float,
    tcs_supply_c: float = 40.0,
    tcs_return_c: float = 50.0,
    fws_supply_c: float = 32.0,
    fws_return_c: float = 42.0,
    pressure_drop_pa: float = 2e5 * (1.0 / (0.7 * 0.95) - 1.0),
    pump_efficiency: float = 0.7,
    coolant: Fluid = WATER,
) -> RackLoop:
    """Flows, pump power and the CDU's conductance that carry `heat_w` away.

    The pump's power ends in the coolant, so the CDU moves heat + pump: with P = dp m / (rho eta)
    and m cp dT = Q + P, m = Q / (cp dT - dp / (rho eta)). The default pressure drop is that of a
    cold plate and a CDU with pressure ratios 0.7 and 0.95 behind a pump inlet at 2 bar.

    Raises InputError if the facility water is not colder than the rack's coolant at both ends.
    """
    hot, cold = tcs_return_c - fws_return_c, tcs_supply_c - fws_supply_c
    if min(hot, cold, tcs_return_c - tcs_supply_c, fws_return_c - fws_supply_c) <= 0.0:
        raise InputError(
            Problem(
                "",
                "fws_supply_c",
                f"facility water {fws_supply_c:g}->{fws_return_c:g} °C cannot cool a rack loop of "
                f"{tcs_supply_c:g}->{tcs_return_c:g} °C",
                "facility water colder than the rack's coolant at both ends",
                "lower fws_supply_c or raise tcs_supply_c",
            )
        )
    rise = coolant.cp(0.5 * (tcs_supply_c + tcs_return_c)) * (tcs_return_c - tcs_supply_c)
    lift = pressure_drop_pa / (coolant.rho(tcs_supply_c) * pump_efficiency)
    tcs = heat_w / (rise - lift)
    moved = tcs * rise
    fws_rise = WATER.cp(0.5 * (fws_supply_c + fws_return_c)) * (fws_return_c - fws_supply_c)
    fws = moved / fws_rise
    lmtd = log_mean_k(hot, cold)
    ka = moved / lmtd
    c_tcs, c_fws = rise / (tcs_return_c - tcs_supply_c) * tcs, moved / (fws_return_c - fws_supply_c)
    smaller = min(c_tcs, c_fws)
    eps = moved / (smaller * (tcs_return_c - fws_supply_c))
    return RackLoop(tcs, fws, tcs * lift, lmtd, ka, ka / smaller, eps)
