"""Networks, the list, and the classic problem: PSPLIB's makespans are never beaten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineshaft.contracts.reasons import TRADES
from lineshaft.measured.models import psplib
from lineshaft.stages.build import PACKAGES, BuildInputs, Crew, Phase
from lineshaft.stages.build.inputs import CRAFT_MIX
from lineshaft.stages.build.schedule import build_network, latest_finish

SHARED = Path(__file__).parents[3] / "../shared/data/psplib"
CREWS = tuple(Crew(trade, 1000) for trade, _ in CRAFT_MIX)


def test_every_hall_has_every_package() -> None:
    inputs = BuildInputs(12, (Phase("a", 80e6, 2), Phase("b", 60e6, 3)), CREWS)
    net = build_network(inputs)
    per_phase = sum(p.per_phase for p in PACKAGES)
    assert len(net.planned) == 2 * per_phase + 5 * (len(PACKAGES) - per_phase)
    np.testing.assert_array_equal(net.hall_phase, [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(net.hall[net.ready], range(5))
    total = np.array([net.hours[net.phase == p].sum(axis=0) for p in (0, 1)])
    mw = np.array([[80.0], [60.0]])
    mix = np.array([dict(CRAFT_MIX)[trade] for trade in TRADES])
    np.testing.assert_allclose(total, mw * inputs.phases[0].craft_hours_per_mw * mix)


def test_precedence_stays_in_its_hall() -> None:
    net = build_network(BuildInputs(12, (Phase("a", 80e6, 2), Phase("b", 60e6, 3)), CREWS))
    names = [p.name for p in PACKAGES]
    edges = set()
    for a in range(len(net.planned)):
        for b in net.successors[net.heads[a] : net.heads[a + 1]]:
            assert a < b
            assert net.phase[a] == net.phase[b]
            assert net.hall[a] in (-1, net.hall[b])
            edges.add((names[net.package[a]], names[net.package[b]]))
    assert edges == {(before, p.name) for p in PACKAGES for before in p.after}
    assert net.predecessors.sum() == len(net.successors)


def test_latest_finish_is_the_critical_path_and_scarce_crews_go_hall_by_hall() -> None:
    inputs = BuildInputs(24, (Phase("a", 80e6, 2),), CREWS)
    net = build_network(inputs)
    release = np.zeros(len(net.planned))
    ample = np.full((len(TRADES), 24), 1e12)
    target = latest_finish(inputs, net, net.planned, release, ample)
    # site, foundations, shell, dry-in, rough-in, fit-out, energisation, commissioning: 34 weeks
    np.testing.assert_allclose(target[net.ready], 34 / 4.348, rtol=1e-4)
    np.testing.assert_allclose((target - net.planned).min(), 0, atol=1e-9)
    scarce = np.full((len(TRADES), 24), 40_000.0)
    later = latest_finish(inputs, net, net.planned, release, scarce)[net.ready]
    electrical = net.hours[net.hall == 0, TRADES.index("electrical")].sum()
    np.testing.assert_allclose(later - target[net.ready], [0, electrical / 40_000])


@pytest.mark.shared
def test_psplib_j30() -> None:
    """Feasible, never below the best known makespan, and near it for a single pass by rule."""
    if not SHARED.is_dir():
        pytest.skip("PSPLIB is not there")
    for path in sorted((SHARED / "j30").glob("*.sm")):
        one = psplib.read(path)
        s, plan = one.schedule(), one.plan
        assert len(s.pieces) == (one.work > 0).sum()  # nobody is interrupted
        np.testing.assert_allclose(s.finish - s.start, one.work, atol=1e-6)
        for t in np.unique(s.start):
            on = (s.start <= t + 1e-6) & (t + 1e-6 < s.finish)
            assert (plan.rate[on].sum(axis=0) <= plan.capacity[:, 0] + 1e-6).all()
    gaps = psplib.gaps(SHARED, "j30")
    assert len(gaps) == 48
    assert min(gaps) > -1e-9
    assert np.mean(gaps) < 0.08
