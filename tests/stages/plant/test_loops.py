"""Liquid loops against a TESPy network, coolant tables and the closed forms of eps-NTU."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.plant.loops import (
    PG25,
    WATER,
    effectiveness,
    log_mean_k,
    pump_w,
    rack_loop,
    units_of_transfer,
)


def test_120_kw_rack_equals_tespy() -> None:
    """TESPy 0.11.3, water, 40->50 / 32->42 °C: flows, kA and pump power within 0.1 %."""
    loop = rack_loop(120e3)
    assert loop.tcs_kg_s == pytest.approx(2.8802, rel=1e-3)
    assert loop.fws_kg_s == pytest.approx(2.8825, rel=1e-3)
    assert loop.lmtd_k == pytest.approx(8.0)
    assert loop.ka_w_k == pytest.approx(15_052.0, rel=1e-3)
    assert loop.pump_w == pytest.approx(417.8, rel=1e-3)


def test_rack_loop_conserves_energy() -> None:
    """Facility water takes the rack's heat and the pump's power."""
    loop = rack_loop(120e3)
    assert loop.fws_kg_s * WATER.cp(37.0) * 10.0 == pytest.approx(120e3 + loop.pump_w)
    assert loop.effectiveness == pytest.approx(float(effectiveness(loop.ntu, 1.0)), rel=1e-3)


def test_pg25_needs_one_and_a_half_litres_per_minute_and_kw() -> None:
    """0.0254 kg/s and 1.50 L/min per kW at 10 K."""
    flow = 1000.0 / (PG25.cp(30.0) * 10.0)
    assert flow == pytest.approx(0.0254, rel=5e-3)
    assert flow / PG25.rho(30.0) * 60e3 == pytest.approx(1.50, rel=5e-3)


def test_facility_water_must_be_colder() -> None:
    """A CDU cannot cool with warmer water; the error names both loops."""
    with pytest.raises(InputError, match="cannot cool a rack loop of 40->50"):
        rack_loop(1e5, fws_supply_c=40.0, fws_return_c=50.0)


def test_effectiveness_at_its_limits() -> None:
    """NTU/(1+NTU) when balanced, 1-exp(-NTU) when one side does not change."""
    assert effectiveness(1.25, 1.0) == pytest.approx(1.25 / 2.25)
    assert effectiveness(2.0, 0.0) == pytest.approx(1.0 - 2.718281828**-2, rel=1e-6)
    assert effectiveness(1.25, 1.0 - 1e-5) == pytest.approx(1.25 / 2.25, rel=1e-4)


@given(ntu=st.floats(0.05, 6.0), cr=st.floats(0.0, 1.0))
def test_units_of_transfer_inverts_effectiveness(ntu: float, cr: float) -> None:
    """NTU -> eps -> NTU returns, and eps is a share."""
    eps = float(effectiveness(ntu, cr))
    assert 0.0 < eps < 1.0
    assert units_of_transfer(eps, cr) == pytest.approx(ntu, rel=1e-3)


@given(
    ntu=st.floats(0.1, 4.0),
    cr=st.floats(0.05, 0.98),
    hot=st.floats(40.0, 70.0),
    cold=st.floats(5, 30),
)
def test_effectiveness_agrees_with_the_log_mean(
    ntu: float, cr: float, hot: float, cold: float
) -> None:
    """Q = kA LMTD gives the same heat as eps-NTU."""
    smaller = 1000.0
    heat = float(effectiveness(ntu, cr)) * smaller * (hot - cold)
    hot_out, cold_out = hot - heat / smaller, cold + heat * cr / smaller
    lmtd = log_mean_k(hot - cold_out, hot_out - cold)
    assert ntu * smaller * lmtd == pytest.approx(heat, rel=1e-4)


def test_pump_power() -> None:
    """1 bar, 10 kg/s of water at 70 %: 1.43 kW."""
    assert pump_w(1e5, 10.0, 1000.0, 0.7) == pytest.approx(1e5 * 0.01 / 0.7)
