"""Whole runs: balances, determinism, draws, and bands that any honest run must fall into."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import lineshaft
from lineshaft.balances import BALANCES, TOLERANCE, residuals
from lineshaft.characterise import characterise
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.tables import Tables
from lineshaft.line import LINE, Outcome, run

EXAMPLES = ("gigawatt", "warehouse", "claimed")


def same(a: Tables, b: Tables) -> bool:
    return all(
        np.array_equal(values, getattr(b, name)[c.name], equal_nan=True)
        for name, table in a
        for c, values in table
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_balance_closes(example: str, request: pytest.FixtureRequest) -> None:
    outcome: Outcome = request.getfixturevalue(example)
    found = residuals(outcome.tables)
    assert len(found) > len(BALANCES)
    assert max(b.residual for b in found) <= TOLERANCE


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_column_holds_nan(example: str, request: pytest.FixtureRequest) -> None:
    """Only the internal rate of return may have no answer."""
    outcome: Outcome = request.getfixturevalue(example)
    for name, table in outcome.tables:
        for c, values in table:
            if (name, c.name) != ("valuation", "irr"):
                assert np.isfinite(values).all(), f"{name}.{c.name}"


def test_the_median_case_is_the_same_with_and_without_draws(
    gigawatt: Outcome, gigawatt_drawn: Outcome
) -> None:
    assert gigawatt_drawn.draws == 64
    for kpi in gigawatt.kpis:
        drawn = gigawatt_drawn[kpi.measure.name]
        # alone, a case may be summed in another order: the last digit may differ
        np.testing.assert_allclose(drawn.value, kpi.value, rtol=1e-12, err_msg=kpi.measure.name)
        assert drawn.draws.shape == (64,)


def test_quantiles_are_those_of_the_draws(gigawatt_drawn: Outcome) -> None:
    value = gigawatt_drawn["value.enterprise_value_usd"]
    low, mid, high = (value.quantiles[q] for q in ("p10", "p50", "p90"))
    assert low < mid < high
    assert low == np.quantile(value.draws, 0.1)
    assert value.p50_se is not None and value.p50_se > 0
    assert np.std(gigawatt_drawn["build.first_power_month"].draws) > 0


def test_same_seed_same_bytes_other_seed_other_draws() -> None:
    scenario = lineshaft.read("gigawatt", overrides=["months=30"])
    first = lineshaft.solve(scenario, draws=16)
    again = lineshaft.solve(scenario, draws=16)
    assert same(first.tables, again.tables)
    for a, b in zip(first.kpis, again.kpis, strict=True):
        assert a.draws.tobytes() == b.draws.tobytes()
    other = lineshaft.solve(scenario, draws=16, seed=2)
    name = "value.enterprise_value_usd"
    assert not np.array_equal(first[name].draws, other[name].draws)
    assert first["agents.fielded"].value == other["agents.fielded"].value


def test_chunks_do_not_change_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = lineshaft.read("gigawatt", overrides=["months=24"])
    curves = characterise(scenario)
    whole = run(scenario, curves, draws=32)
    monkeypatch.setattr("lineshaft.line.CHUNK", 8)
    parts = run(scenario, curves, draws=32)
    for a, b in zip(whole.kpis, parts.kpis, strict=True):
        # the root of the cash flow is polished until all rows of a chunk have converged
        rtol = 1e-12 if a.measure.name == "value.irr" else 0
        np.testing.assert_allclose(a.draws, b.draws, rtol=rtol, err_msg=a.measure.name)


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    code = (
        "import lineshaft, hashlib\n"
        "o = lineshaft.solve(lineshaft.read('gigawatt', overrides=['months=18']), draws=64)\n"
        "h = hashlib.sha256()\n"
        "for k in o.kpis: h.update(k.draws.tobytes())\n"
        "for _, t in o.tables:\n"
        "    for _, v in t: h.update(v.tobytes())\n"
        "print(h.hexdigest())\n"
    )
    digests = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_a_month_without_money_delays_what_it_cannot_pay_for() -> None:
    poor = lineshaft.solve(
        lineshaft.read(
            "gigawatt",
            overrides=[
                "months=48",
                'capital.round."B".raise_usd=0',
                'capital.round."C".raise_usd=0',
                'capital.debt."campus loan".amount_usd=0',
            ],
        )
    )
    rich = lineshaft.solve(lineshaft.read("gigawatt", overrides=["months=48"]))
    assert poor["build.energised_mw"].value < rich["build.energised_mw"].value
    assert (poor.tables.phases.binding == CODE["funds"]).any()
    assert poor.tables.phases.delay_months[-1].sum() > 0


def test_fewer_electricians_bring_power_later() -> None:
    few = lineshaft.solve(lineshaft.read("gigawatt", variant="scarce-electricians"))
    many = lineshaft.solve(lineshaft.read("gigawatt"))
    assert few.tables.energised.it_w.sum() < many.tables.energised.it_w.sum()
    assert (few.tables.phases.binding == CODE["trade: electrical"]).any()


def test_a_late_grid_is_named(gigawatt: Outcome) -> None:
    late = lineshaft.solve(lineshaft.read("gigawatt", variant="late-grid"))
    assert late["build.first_power_month"].value > gigawatt["build.first_power_month"].value
    assert (late.tables.phases.binding == CODE["grid"]).any()


# Bands for whole runs: published anchors, not fits.


def test_first_hall_and_whole_gigawatt_come_in_the_published_time(gigawatt: Outcome) -> None:
    """8 to 14 months from ground-breaking to a hall where no grid waits (ENR, Oracle/Crusoe), and
    1.0 to 3.6 years to 1 GW (Epoch AI)."""
    free = lineshaft.read("gigawatt", overrides=['build.phase."1".grid="2026-01"'])
    first = lineshaft.solve(free)["build.first_power_month"].value - 1  # phase 1 starts in month 1
    assert 8 <= first <= 14
    on = gigawatt.tables.energised.it_w.sum(axis=1)[:, 0]
    full = int((on >= 0.999 * on[-1]).argmax())
    assert 12 <= full <= 12 * 3.6


def test_a_gigawatt_costs_what_gigawatts_cost(gigawatt: Outcome) -> None:
    """$30-45B of capex for 1 GW (Epoch AI 38, Bernstein 35), the first equipment alone."""
    until = gigawatt.tables.dims.index("month", "2029-12") + 1
    assert 30e9 <= gigawatt.tables.worth.capex_usd[:until, 0].sum() <= 45e9


def test_accelerators_per_gigawatt(gigawatt: Outcome) -> None:
    """330 to 450 thousand GB200-class accelerators on 1 GW of facility power (Epoch AI)."""
    assert 330e3 <= gigawatt["build.installed_accelerators"].value <= 450e3


def test_ownership_costs_what_gigawatts_cost_a_year(gigawatt: Outcome) -> None:
    """$7-12B a year, 5 to 10 % of it energy at full load (Epoch AI's 1 GW model), 2029 to 2031."""
    x, first = gigawatt.tables, gigawatt.tables.dims.index("month", "2029-06")
    years = slice(first, first + 24)
    w = x.worth
    rest = (w.compute_charge_usd + w.maintenance_usd + w.staff_usd)[years].sum() / 2
    seconds = gigawatt.parameters.calendar.seconds[years]
    load = x.powered.it_j[years].sum() / (x.energised.it_w[years, 0, 0] * seconds).sum()
    energy = w.energy_usd[years].sum() / 2 / load
    assert 7e9 <= rest + energy <= 12e9
    assert 0.05 <= energy / (rest + energy) <= 0.10


def test_the_line_has_nine_stages_in_order() -> None:
    assert LINE == (
        "capital", "build", "train", "agents", "serve", "floor", "plant", "oversee", "value",
    )  # fmt: skip
