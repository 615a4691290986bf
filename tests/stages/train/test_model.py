"""The monthly half: who gets accelerators, how far a run comes, what its end sets free."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import TrainCurve
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.trained import Library, Reserved, Trained
from lineshaft.stages.train.model import FORMULAS, Params, Train
from lineshaft.tables import Dims

MONTHS = 6
CALENDAR = Calendar.of("2026-01", MONTHS)
SECONDS = CALENDAR.seconds
ETTR = (np.array([0.0, 1000.0, 10000.0]), np.array([1.0, 0.9, 0.5]))


def curve(rate: float = 1000.0, accelerators: int = 100, copy: int = 8) -> TrainCurve:
    """Raw tokens per second and accelerator, on a layout of that many accelerators."""
    return TrainCurve(
        accelerators=accelerators,
        layout=(("tp", copy), ("cp", 1), ("pp", 1), ("dp", accelerators // copy)),
        tokens_per_s_per_accelerator=rate,
        flops_per_token=1e9,
        mfu=0.4,
        step_s=1.0,
        memory_bytes=1e9,
        memory_limit_bytes=2e9,
        breakdown_s=(("matrix_products", 1.0),),
        reserved=ETTR[0],
        ettr=ETTR[1],
        power_share=0.8,
    )


def params(runs: int, fleets: int, **changes: Any) -> Params:
    values: dict[str, Any] = {
        "start": np.zeros(runs, np.int64),
        "release_log2_horizon": np.full((MONTHS, runs, 1), 12.0),
        "planned": np.full(runs, 100),
        "wanted": np.full((runs, 1), 100.0),
        "least_share": np.full((runs, 1), 0.5),
        "tokens": np.full((runs, 1), 1e12),
        "speed": np.ones((runs, 1)),
        "leased": np.zeros((MONTHS, fleets, 1)),
        "public_log2_horizon": np.full((MONTHS, 1), 10.0),
        "cap_log2_horizon": np.array([16.0]),
    }
    return Params(**values | changes)


class World:
    """A few months of `train` alone, with accelerators given by hand."""

    def __init__(
        self,
        params: Params,
        curves: dict[tuple[int, int], TrainCurve],
        installed: Any,
        width: int = 1,
        broken: float = 0.0,
        stored: float = 0.0,
    ) -> None:
        installed = np.asarray(installed, float)
        fleets = installed.shape[-1]
        labels = {
            "month": CALENDAR.labels,
            "site": ("Abilene",),
            "fleet": tuple(f"Abilene / {f}" for f in range(fleets)),
            "run": tuple(f"run {r}" for r in range(len(params.start))),
            "phase": (),
            "kind": (),
            "model": (),
        }
        dims = Dims(labels, width)
        self.accelerators = Accelerators.allocate(dims)
        self.accelerators.installed[:] = np.broadcast_to(installed, (MONTHS, fleets))[..., None]
        self.accelerators.broken[:] = broken * self.accelerators.installed
        self.accelerators.stored[:] = stored
        self.energised = Energised.allocate(dims)
        self.trained, self.reserved = Trained.allocate(dims), Reserved.allocate(dims)
        self.library, self.ledger = Library.allocate(dims), Ledger.opening(dims, 0)
        model = Train(params, dims, CALENDAR, curves)
        self.prepare()
        for t in range(MONTHS):
            model.advance(
                t,
                self.ledger,
                self.energised,
                self.accelerators,
                self.trained,
                self.reserved,
                self.library,
            )
        model.finish(self.trained, CALENDAR)

    def prepare(self) -> None:
        self.energised.binding[:] = CODE["part: transformer"]


def test_a_run_trains_at_the_curves_speed_and_its_end_frees_the_rest_of_the_month() -> None:
    ettr = 1.0 - 0.1 * 100 / 1000
    month = 100 * 1000.0 * ettr * SECONDS
    tokens = month[0] + 0.25 * month[1]
    world = World(params(1, 1, tokens=np.array([[tokens]])), {(0, 0): curve()}, [150.0])
    trained = world.trained
    np.testing.assert_allclose(trained.tokens[:3, 0, 0], [month[0], 0.25 * month[1], 0])
    np.testing.assert_allclose(trained.reserved[:3, 0, 0], [100, 25, 0])
    np.testing.assert_allclose(world.reserved.training[:3, 0, 0], [100, 25, 0])
    np.testing.assert_allclose(trained.goodput[:3, 0, 0], [ettr, ettr, 0])
    np.testing.assert_allclose(trained.accelerator_h[:2, 0, 0], [100 * 744, 25 * 672])
    assert trained.done_share[-1, 0, 0] == pytest.approx(1.0)
    assert world.library.released[:, 0].tolist() == [0, 1, 0, 0, 0, 0]
    assert not trained.binding.any()
    # the horizon rises with the release and stays
    np.testing.assert_allclose(world.library.horizon_s[:, 0], np.exp2([10, 12, 12, 12, 12, 12]))


def test_a_run_that_ends_lets_the_next_one_use_the_rest_of_the_month() -> None:
    ettr = 0.99
    tokens = np.array([[0.5 * 100 * 1000 * ettr * SECONDS[0]], [1e15]])
    world = World(params(2, 1, tokens=tokens), {(0, 0): curve(), (1, 0): curve()}, [100.0])
    np.testing.assert_allclose(world.reserved.training[0, 0, 0], 100)
    np.testing.assert_allclose(world.trained.reserved[0, :, 0], [50, 50])
    np.testing.assert_allclose(world.trained.reserved[1, :, 0], [0, 100])


def test_the_first_run_has_priority() -> None:
    curves = {(0, 0): curve(), (1, 0): curve()}
    world = World(params(2, 1, tokens=np.full((2, 1), 1e16)), curves, [160.0], stored=1.0)
    np.testing.assert_allclose(world.trained.reserved[:, :, 0], [[100, 60]] * MONTHS)
    assert world.trained.binding[0, :, 0].tolist() == [0, CODE["part: transformer"]]
    world = World(params(2, 1, tokens=np.full((2, 1), 1e16)), curves, [140.0])
    np.testing.assert_allclose(world.trained.reserved[:, :, 0], [[100, 0]] * MONTHS)
    assert world.trained.binding[0, :, 0].tolist() == [0, CODE["chips"]]


def test_a_run_waits_for_its_month_and_for_its_least_share() -> None:
    installed = np.array([[0.0], [49.0], [50.0], [80.0], [100.0], [200.0]])
    p = params(1, 1, tokens=np.array([[1e16]]))
    world = World(p, {(0, 0): curve()}, installed)
    np.testing.assert_allclose(world.trained.reserved[:, 0, 0], [0, 0, 50, 80, 100, 100])
    late = params(1, 1, tokens=np.array([[1e16]]), start=np.array([4]))
    world = World(late, {(0, 0): curve()}, installed)
    np.testing.assert_allclose(world.trained.reserved[:, 0, 0], [0, 0, 0, 0, 100, 100])
    # one copy of the model takes more than the least share
    world = World(p, {(0, 0): curve(copy=64)}, installed)
    np.testing.assert_allclose(world.trained.reserved[:, 0, 0], [0, 0, 0, 80, 100, 100])


def test_leases_come_first_then_broken_ones_are_gone() -> None:
    leased = np.full((MONTHS, 1, 1), 60.0)
    leased[3:] = 500.0
    p = params(1, 1, leased=leased, tokens=np.array([[1e16]]))
    world = World(p, {(0, 0): curve()}, [200.0], broken=0.1)
    np.testing.assert_allclose(world.reserved.leased[:, 0, 0], [60, 60, 60, 180, 180, 180])
    np.testing.assert_allclose(world.reserved.training[:, 0, 0], [100, 100, 100, 0, 0, 0])


def test_the_fastest_fleet_fills_first_and_speeds_add_up() -> None:
    p = params(1, 3, tokens=np.array([[1e16]]))
    curves = {(0, 0): curve(rate=500.0), (0, 2): curve(rate=2000.0)}
    world = World(p, curves, [90.0, 1000.0, 70.0])
    np.testing.assert_allclose(world.reserved.training[0, :, 0], [30, 0, 70])
    ettr = 0.99
    tokens = (30 * 500 + 70 * 2000) * ettr * SECONDS[0]
    np.testing.assert_allclose(world.trained.tokens[0, 0, 0], tokens)


def test_spare_accelerators_of_a_reservation_do_not_train() -> None:
    p = params(1, 1, tokens=np.array([[1e16]]))
    world = World(p, {(0, 0): curve(accelerators=64)}, [100.0])
    np.testing.assert_allclose(world.trained.tokens[0, 0, 0], 64 * 1000 * 0.99 * SECONDS[0])


def test_a_run_behind_the_frontier_raises_nothing_and_the_cap_holds() -> None:
    p = params(1, 1, tokens=np.array([[1e6]]), release_log2_horizon=np.full((MONTHS, 1, 1), 9.0))
    world = World(p, {(0, 0): curve()}, [100.0])
    assert world.library.released.sum() == 1
    np.testing.assert_allclose(world.library.horizon_s, 2.0**10)
    p = params(1, 1, tokens=np.array([[1e6]]), release_log2_horizon=np.full((MONTHS, 1, 1), 20.0))
    np.testing.assert_allclose(World(p, {(0, 0): curve()}, [100.0]).library.horizon_s, 2.0**16)


def test_without_runs_without_fleets_and_without_curves() -> None:
    world = World(params(0, 1), {}, [100.0])
    np.testing.assert_allclose(world.library.horizon_s, 2.0**10)
    world = World(params(1, 0), {}, np.zeros((MONTHS, 0)))
    assert not world.trained.tokens.any()
    world = World(params(1, 1), {}, [100.0])
    assert not world.reserved.training.any()


def test_draws_stand_alone() -> None:
    """Each draw of a wide run is what a run with that draw's numbers gives."""
    rng = np.random.default_rng(1)
    wanted, tokens = rng.uniform(60, 200, (2, 4)), rng.uniform(1e11, 2e12, (2, 4))
    speed = rng.uniform(0.5, 2, (2, 4))
    curves = {(0, 0): curve(), (0, 1): curve(rate=1500.0), (1, 1): curve()}
    installed = [120.0, 90.0]
    planned = np.array([150, 110])  # more than the layouts use
    drawn = {"wanted": wanted, "tokens": tokens, "speed": speed}
    wide = World(params(2, 2, planned=planned, **drawn), curves, installed, width=4)
    for d in range(4):
        own = {name: values[:, d : d + 1] for name, values in drawn.items()}
        alone = World(params(2, 2, planned=planned, **own), curves, installed)
        for table, other in ((wide.trained, alone.trained), (wide.reserved, alone.reserved)):
            for column, values in table:
                np.testing.assert_array_equal(values[..., d], other[column.name][..., 0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1000), min_size=2, max_size=2),
    st.lists(st.floats(1, 800), min_size=3, max_size=3),
    st.lists(st.floats(1e6, 1e13), min_size=3, max_size=3),
    st.floats(0, 300),
)
def test_nothing_is_held_twice_and_no_run_overshoots(
    installed: list[float], wanted: list[float], tokens: list[float], leased: float
) -> None:
    p = params(
        3,
        2,
        wanted=np.array(wanted)[:, None],
        tokens=np.array(tokens)[:, None],
        leased=np.full((MONTHS, 2, 1), leased),
    )
    curves = {(r, f): curve(500.0 * (f + 1)) for r in range(3) for f in range(2)}
    world = World(p, curves, installed, broken=0.05)
    whole = world.accelerators.installed - world.accelerators.broken
    held = world.reserved.leased + world.reserved.training
    assert (held <= whole * (1 + 1e-9) + 1e-9).all()
    np.testing.assert_allclose(
        world.trained.reserved.sum(axis=1), world.reserved.training.sum(axis=1), atol=1e-9
    )
    assert (world.trained.done_share <= 1 + 1e-9).all()
    np.testing.assert_allclose(world.trained.tokens_total[-1], world.ledger.run_tokens)


def test_every_column_has_a_formula() -> None:
    names = {
        f"{table.name()}.{column.name}"
        for table in (Trained, Reserved, Library)
        for column in table.columns()
    }
    assert set(FORMULAS) == names
