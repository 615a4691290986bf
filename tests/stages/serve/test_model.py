"""The monthly half: capacity, tokens, states, latency, power, rent."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.admitted import AdmittedTokens
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import ServeCurve
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import NO_CAPACITY, TokenOffer
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.served import Served, States
from lineshaft.contracts.trained import Reserved
from lineshaft.stages.serve.model import FORMULAS, Params, Serve
from lineshaft.tables import Dims

CALENDAR = Calendar.of("2026-01", 2)
SECONDS = float(CALENDAR.seconds[0])
LOAD = np.array([0.01, 0.5, 0.8, 1.2])


def curve(replica: int = 8, input_s: float = 1e-5, load_slo: float = 0.8) -> ServeCurve:
    """Power rises steeply first, as it does where light batches read all weights."""
    return ServeCurve(
        model="m",
        accelerator="a",
        accelerators_per_replica=replica,
        load=LOAD,
        requests_per_s=LOAD,
        input_tokens_per_s=LOAD,
        cached_tokens_per_s=LOAD,
        output_tokens_per_s=LOAD,
        goodput_rps=LOAD,
        ttft_mean_s=np.array([0.1, 0.2, 0.5, 5.0]),
        ttft_p99_s=LOAD,
        tpot_mean_s=np.array([0.01, 0.03, 0.05, 0.06]),
        tpot_p99_s=LOAD,
        e2e_mean_s=LOAD,
        power_share=np.array([0.2, 0.5, 0.6, 0.65]),
        load_slo=load_slo,
        s_per_input_token=input_s,
        s_per_cached_token=0.0,
        s_per_output_token=10 * input_s,
        mean_input_tokens=1000.0,
        mean_cached_tokens=0.0,
        mean_output_tokens=200.0,
    )


def params(models: int, fleets: int, **changes: Any) -> Params:
    values: dict[str, Any] = {
        "provider_models": np.zeros(0, np.int64),
        "provider_ttft_s": np.full(models, 1.0),
        "provider_tpot_s": np.full(models, 0.02),
        "price_per_token": np.zeros((models, 3, 1)),
        "quota_tokens": np.zeros((2, 0, 1)),
        "autoscale": True,
        "peak_over_mean": np.full((models, 1), 1.5),
        "speed": np.ones(1),
        "it_w": np.full((fleets, 1), 2000.0),
        "idle_share": np.full((fleets, 1), 0.3),
        "chip_idle_share": np.full((fleets, 1), 0.1),
        "training_share": np.full((fleets, 1), 0.8),
        "rent_usd_per_h": np.zeros((2, fleets, 1)),
        "lease_usd_per_h": np.zeros((2, fleets, 1)),
        "on_site": np.ones((fleets, 1)),
    }
    return Params(**values | changes)


class World:
    """A month of `serve` alone."""

    def __init__(
        self,
        params: Params,
        curves: dict[tuple[int, int], ServeCurve],
        installed: Any,
        tokens: Any,
        width: int = 1,
        leased: float = 0.0,
        training: float = 0.0,
        broken: float = 0.0,
        stored: float = 0.0,
        usable_w: float = 0.0,
        halls: str = "none",
    ) -> None:
        installed = np.asarray(installed, float)
        models = len(params.provider_ttft_s)
        labels = {
            "month": CALENDAR.labels,
            "site": ("Abilene", "other"),
            "fleet": tuple(f"Abilene / {f}" for f in range(len(installed))),
            "model": tuple(f"model {m}" for m in range(models)),
            "run": (),
            "phase": (),
            "kind": (),
        }
        dims = Dims(labels, width)
        accelerators, self.reserved = Accelerators.allocate(dims), Reserved.allocate(dims)
        energised, self.admitted = Energised.allocate(dims), AdmittedTokens.allocate(dims)
        accelerators.installed[:] = installed[:, None]
        accelerators.broken[:] = broken * accelerators.installed
        accelerators.stored[:] = stored
        energised.binding[:, 0] = CODE[halls]
        energised.usable_w[:, 0] = usable_w
        whole = accelerators.installed - accelerators.broken
        self.reserved.leased[:], self.reserved.training[:] = leased * whole, training * whole
        tokens = np.asarray(tokens, float).reshape(models, 3, width if models else 1)
        for i, name in enumerate(("input_tokens", "cached_tokens", "output_tokens")):
            self.admitted[name][:] = tokens[:, i]
        self.admitted.admitted[:] = tokens.sum(axis=1)
        self.served, self.states = Served.allocate(dims), States.allocate(dims)
        self.ledger = Ledger.opening(dims, 0)
        self.model = Serve(params, dims, CALENDAR, curves)
        self.model.open(self.ledger)
        for t in range(2):
            self.offer: TokenOffer = self.model.offer(t, energised, accelerators, self.reserved)
            self.model.advance(
                t,
                self.ledger,
                accelerators,
                self.reserved,
                self.admitted,
                self.offer,
                self.served,
                self.states,
            )
        self.check()

    def check(self) -> None:
        """Balances, and nothing that is no number or negative."""
        s = self.states
        parts = s.leased + s.training + s.busy + s.headroom + s.empty + s.broken
        np.testing.assert_allclose(parts, s.installed, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(
            self.served.served + self.served.refused, self.admitted.admitted, rtol=1e-12
        )
        for table in (self.served, self.states):
            for _, values in table:
                assert np.isfinite(values).all()
                assert (values >= -1e-6 * (1 + np.abs(values).max(initial=0.0))).all()


def fill(accelerators: float, share: float, s_input: float = 1e-5, replica: int = 8) -> list[float]:
    """Output tokens of January that keep a share of these accelerators busy at the SLO's load."""
    work = accelerators * share * SECONDS * 0.8 / replica
    return [0.0, 0.0, work / (10 * s_input)]


def test_tokens_states_and_power_by_hand() -> None:
    # 800 accelerators, 100 busy in the mean and 150 at the peak: 13 and 19 replicas
    world = World(
        params(1, 1), {(0, 0): curve()}, [1000.0], fill(100, 1.0), leased=0.1, broken=0.0,
        training=0.1,
    )  # fmt: skip
    s, served = world.states, world.served
    assert world.offer.accelerators[0, 0] == pytest.approx(800)
    np.testing.assert_allclose(s.busy[0, 0, 0], 100)
    np.testing.assert_allclose(s.headroom[0, 0, 0], 19 * 8 - 100)
    np.testing.assert_allclose(s.empty[0, 0, 0], 800 - 19 * 8)
    np.testing.assert_allclose(served.refused[0], 0, atol=1)
    # 13 replicas run at 100/104 of the service level's load
    load = 0.8 * 100 / 104
    chip = np.interp(load, LOAD, [0.2, 0.5, 0.6, 0.65])
    np.testing.assert_allclose(served.ttft_s[0, 0], np.interp(load, LOAD, [0.1, 0.2, 0.5, 5.0]))
    np.testing.assert_allclose(served.load[0, 0], 0.8 * 100 / 152)
    slope = (1 - 0.3) / (1 - 0.1)
    at_work = 1 - slope + slope * chip
    watts = 2000 * (200 * 0.8 + 104 * at_work + (152 - 104 + 648) * 0.3)
    np.testing.assert_allclose(s.it_j[0, 0], watts * SECONDS, rtol=1e-6)
    top = np.interp(0.8 * 150 / 152, LOAD, [0.2, 0.5, 0.6, 0.65])
    peak = 2000 * (200 * 0.8 + 152 * (1 - slope + slope * top) + 648 * 0.3)
    np.testing.assert_allclose(s.peak_w[0, 0], peak, rtol=1e-6)


def test_idle_and_full_accelerators_draw_their_rated_shares() -> None:
    idle = World(params(1, 1), {(0, 0): curve()}, [100.0], [0, 0, 0])
    np.testing.assert_allclose(idle.states.it_j[0], 100 * 2000 * 0.3 * SECONDS)
    full = curve()
    full = ServeCurve(
        **{n: getattr(full, n) for n in full.__slots__} | {"power_share": LOAD * 0 + 1}
    )
    world = World(params(1, 1), {(0, 0): full}, [96.0], fill(96, 1.0))
    np.testing.assert_allclose(world.states.it_j[0], 96 * 2000 * SECONDS)


@pytest.mark.parametrize("autoscale", [True, False])
def test_peaky_and_flat_demand_of_the_same_tokens(autoscale: bool) -> None:
    """A different fleet is provisioned. With autoscaling the energy is the same within 5 %; with
    the load spread over what is provisioned it is not, as lightly loaded replicas still read all
    weights."""
    tokens = fill(1000, 1.0)
    flat, peaky = (
        World(
            params(1, 1, peak_over_mean=np.array([[peak]]), autoscale=autoscale),
            {(0, 0): curve()},
            [4000.0],
            tokens,
        )
        for peak in (1.0, 3.0)
    )
    assert flat.states.headroom[0, 0, 0] == pytest.approx(0, abs=8)
    assert peaky.states.headroom[0, 0, 0] == pytest.approx(2000, abs=8)
    ratio = float(peaky.states.it_j[0, 0, 0] / flat.states.it_j[0, 0, 0])
    assert peaky.states.peak_w[0, 0, 0] > 1.2 * flat.states.peak_w[0, 0, 0]
    if autoscale:
        assert ratio == pytest.approx(1.0, abs=0.05)
        assert peaky.served.ttft_s[0, 0, 0] == pytest.approx(flat.served.ttft_s[0, 0, 0])
    else:
        assert ratio > 1.1
        assert peaky.served.ttft_s[0, 0, 0] < flat.served.ttft_s[0, 0, 0]
    # headroom of one's own costs its idle power: a fleet bought for the peak draws more
    small = World(
        params(1, 1, peak_over_mean=np.array([[1.0]])), {(0, 0): curve()}, [1000.0], tokens
    )
    assert peaky.states.it_j[0, 0, 0] > small.states.it_j[0, 0, 0]


def test_what_is_admitted_beyond_capacity_is_refused() -> None:
    world = World(params(1, 1), {(0, 0): curve()}, [80.0], fill(80, 2.0))
    np.testing.assert_allclose(world.served.served[0], sum(fill(80, 1.0)))
    np.testing.assert_allclose(world.states.busy[0], 80)
    np.testing.assert_allclose(world.states.headroom[0], 0, atol=1e-9)


def test_the_share_of_a_token_is_its_part_of_the_capacity() -> None:
    speed = params(1, 1, speed=np.array([1.25]))
    world = World(speed, {(0, 0): curve()}, [80.0], [0, 0, 0])
    capacity = sum(fill(80, 1.0)) * 1.25 * CALENDAR.seconds[1] / CALENDAR.seconds[0]
    np.testing.assert_allclose(world.offer.share_per_token[0, 2], 1 / capacity)
    np.testing.assert_allclose(world.offer.share_per_token[0, 0], 0.1 / capacity)


def test_a_model_works_only_where_it_fits() -> None:
    """Two models, two fleets; the second model holds on the second fleet only."""
    curves = {(0, 0): curve(), (0, 1): curve(), (1, 1): curve()}
    half = fill(200, 0.25)
    world = World(params(2, 2), curves, [100.0, 100.0], [half, half])
    np.testing.assert_allclose(world.states.busy[0, :, 0], [25, 75])
    # a model that fits nowhere is refused and takes nothing from the other
    world = World(params(2, 1), {(0, 0): curve()}, [100.0], [fill(100, 0.9), fill(100, 5.0)])
    np.testing.assert_allclose(world.served.served[0, :, 0], [sum(fill(100, 0.9)), 0])
    assert world.offer.share_per_token[1, 2, 0] == pytest.approx(NO_CAPACITY)


def test_each_model_answers_as_fast_as_its_own_curve() -> None:
    slow = curve()
    slow = ServeCurve(
        **{n: getattr(slow, n) for n in slow.__slots__} | {"ttft_mean_s": 10 * slow.ttft_mean_s}
    )
    world = World(params(2, 1), {(0, 0): curve(), (1, 0): slow}, [800.0], [fill(800, 0.2)] * 2)
    np.testing.assert_allclose(world.served.ttft_s[0, 1], 10 * world.served.ttft_s[0, 0])
    np.testing.assert_allclose(world.served.ttft_peak_s[0, 1], 10 * world.served.ttft_peak_s[0, 0])
    np.testing.assert_allclose(world.ledger.ttft_s, world.served.ttft_s[1])


def test_the_first_month_starts_from_the_service_levels_latency() -> None:
    world = World(params(1, 1), {(0, 0): curve()}, [0.0], [0, 0, 0])
    np.testing.assert_allclose(world.served.ttft_s[0], 0.5)
    np.testing.assert_allclose(world.served.tpot_s[0], 0.05)
    np.testing.assert_allclose(world.served.ttft_peak_s[0], 0.5)


def test_no_accelerators() -> None:
    world = World(params(1, 0), {}, [], [1e9, 0, 1e8])
    assert not world.served.served.any()
    assert world.offer.binding.tolist() == [CODE["tokens"]]
    world = World(params(1, 1), {(0, 0): curve()}, [0.0], [1e9, 0, 1e8])
    assert not world.served.served.any()
    World(params(0, 1), {}, [100.0], np.zeros((0, 3)))
    World(params(0, 0), {}, [], np.zeros((0, 3)))


def test_provider_only() -> None:
    p = params(
        1,
        0,
        provider_models=np.array([0]),
        price_per_token=np.array([[[1e-6], [1e-7], [1e-5]]]),
        quota_tokens=np.full((2, 1, 1), 1e18),
    )
    world = World(p, {}, [], [1e9, 2e9, 1e8])
    np.testing.assert_allclose(world.served.served[0, 0], 3.1e9)
    np.testing.assert_allclose(world.served.rented[0, 0], 3.1e9)
    np.testing.assert_allclose(world.served.rent_usd[0, 0], 1000 + 200 + 1000)
    assert (world.offer.share_per_token == 0).all()
    np.testing.assert_allclose(world.served.ttft_s[0], 1.0)
    np.testing.assert_allclose(world.served.tpot_s[0], 0.02)


def test_own_and_bought_models_side_by_side() -> None:
    p = params(2, 1, provider_models=np.array([1]), quota_tokens=np.full((2, 1, 1), 1e18))
    world = World(p, {(0, 0): curve()}, [80.0], [fill(80, 2.0), [1e12, 1e12, 1e12]])
    np.testing.assert_allclose(world.served.served[0, :, 0], [sum(fill(80, 1.0)), 3e12])
    np.testing.assert_allclose(world.served.rented[0, :, 0], [0, 3e12])


def test_rented_only_costs_rent_and_no_power() -> None:
    p = params(
        1,
        1,
        on_site=np.zeros((1, 1)),
        rent_usd_per_h=np.full((2, 1, 1), 2.5),
    )
    world = World(p, {(0, 0): curve()}, [80.0], fill(80, 0.5))
    np.testing.assert_allclose(world.states.rent_usd[0], 80 * 2.5 * 744)
    assert not world.states.it_j.any()
    assert not world.states.peak_w.any()
    assert world.offer.binding.tolist() == [CODE["tokens"]]


def test_leases_earn_what_the_tenant_has() -> None:
    p = params(1, 1, lease_usd_per_h=np.full((2, 1, 1), 3.0))
    world = World(p, {(0, 0): curve()}, [100.0], [0, 0, 0], leased=0.4)
    np.testing.assert_allclose(world.states.lease_usd[0], 40 * 3 * 744)


@pytest.mark.parametrize(
    ("stored", "usable_w", "halls", "why"),
    [
        (0.0, 1e6, "grid", "chips"),  # halls wait for accelerators
        (0.0, 2e5, "grid", "grid"),  # neither waits; more needs the next hall
        (0.0, 2e5, "none", "tokens"),  # neither waits, and no hall is to come
        (10.0, 2e5, "grid", "grid"),  # accelerators wait for the next hall
        (10.0, 2e5, "none", "power"),  # accelerators wait, and no hall is to come
    ],
)
def test_why_there_are_no_more(stored: float, usable_w: float, halls: str, why: str) -> None:
    world = World(
        params(1, 1), {(0, 0): curve()}, [100.0], [0, 0, 0], stored=stored, usable_w=usable_w,
        halls=halls,
    )  # fmt: skip
    assert world.offer.binding.tolist() == [CODE[why]]


def test_draws_stand_alone() -> None:
    rng = np.random.default_rng(2)
    tokens = rng.uniform(0, 1, (2, 3, 4)) * sum(fill(100, 1.0))
    speed = rng.uniform(0.5, 2, 4)
    curves = {(0, 0): curve(), (0, 1): curve(4, 2e-5), (1, 1): curve(1)}
    installed = [100.0, 333.0]
    wide = World(params(2, 2, speed=speed), curves, installed, tokens, width=4, broken=0.01)
    for d in range(4):
        alone = World(
            params(2, 2, speed=speed[d : d + 1]), curves, installed, tokens[..., d], broken=0.01
        )
        for table, other in ((wide.served, alone.served), (wide.states, alone.states)):
            for column, values in table:
                np.testing.assert_array_equal(values[..., d], other[column.name][..., 0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 5000), min_size=2, max_size=2),
    st.lists(st.floats(0, 1.5), min_size=2, max_size=2),
    st.lists(st.floats(1, 4), min_size=2, max_size=2),
    st.booleans(),
)
def test_balances_close(
    installed: list[float], shares: list[float], peaks: list[float], autoscale: bool
) -> None:
    p = params(2, 2, peak_over_mean=np.array(peaks)[:, None], autoscale=autoscale)
    tokens = [fill(sum(installed), share) for share in shares]
    curves = {(0, 0): curve(), (0, 1): curve(4, 2e-5), (1, 1): curve(1)}
    world = World(p, curves, installed, tokens, training=0.1, leased=0.05, broken=0.01)
    assert (
        world.states.it_j <= world.states.installed * 2000 * CALENDAR.seconds[:, None, None]
    ).all()
    assert (
        world.states.peak_w * CALENDAR.seconds[:, None, None] >= world.states.it_j * 0.999
    ).all()


def test_every_column_has_a_formula() -> None:
    names = {
        f"{table.name()}.{column.name}" for table in (Served, States) for column in table.columns()
    }
    assert set(FORMULAS) == names
