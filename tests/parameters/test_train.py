"""From `[train]` to the runs' parameters and engine inputs."""

import numpy as np
import pytest

from lineshaft.cache import digest
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.train import RESERVED, engine_inputs, leases, params
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws, sample
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.reading import read
from lineshaft.stages.train import characterise, ettr_best, failure_rate_per_s
from lineshaft.stages.train.capability import release_log2_horizon
from lineshaft.tables import Dims

SITES = """
[[build.campus]]
name = "Abilene"
[[build.campus]]
name = "Cheyenne"
"""
FLEET = """
[[build.accelerators]]
name = "{name}"
campus = "{campus}"
accelerator = "{accelerator}"
count = 20000
first = "2026-01"
"""
ABILENE = FLEET.format(name="a", campus="Abilene", accelerator="GB200")
CHEYENNE = FLEET.format(name="b", campus="Cheyenne", accelerator="GB200")
SMALL = FLEET.format(name="c", campus="Cheyenne", accelerator="RTX 4090")
RUN = """
[[train.run]]
name = "base"
model = "Llama 3.1 405B"
start = "2026-04"
tokens = "10 to 20 Ttok"
accelerators = 8192
"""


def world(text: str, draws: int = 0) -> tuple[Scenario, Dims, Calendar, Draws]:
    scenario = read(text, model=Scenario, overrides=["months=24"])
    calendar = Calendar.of(scenario.start, scenario.months)
    drawn = sample(drivers(scenario), draws, 1)
    return scenario, dims_of(scenario, calendar, 1 + drawn.n), calendar, drawn


def test_two_campuses_with_the_same_accelerator_share_one_characterisation() -> None:
    scenario, dims, calendar, _ = world(SITES + ABILENE + CHEYENNE + RUN)
    inputs = engine_inputs(scenario, dims, calendar)
    assert list(inputs) == [(0, 0), (0, 1)]
    assert digest(inputs[0, 0]) == digest(inputs[0, 1])
    one, grid = inputs[0, 0]
    assert one.chip.name == "GB200"
    assert one.accelerators == 8192
    assert one.tokens_total == pytest.approx(np.sqrt(2) * 1e13)
    curve = characterise(one, grid)
    assert curve.accelerators <= 8192
    assert curve.memory_bytes <= curve.memory_limit_bytes


def test_a_fleet_that_cannot_hold_the_run_is_left_out() -> None:
    scenario, dims, calendar, _ = world(SITES + ABILENE + SMALL + RUN.replace("8192", "64"))
    assert list(engine_inputs(scenario, dims, calendar)) == [(0, 0)]


def test_a_run_that_fits_nowhere_names_the_memory() -> None:
    run = RUN.replace("8192", "16").replace("Llama 3.1 405B", "DeepSeek-V3")
    scenario, dims, calendar, _ = world(SITES + ABILENE + CHEYENNE + SMALL + run)
    with pytest.raises(InputError) as error:
        engine_inputs(scenario, dims, calendar)
    text = str(error.value)
    assert "train.run.base" in text
    assert "GB less" in text
    assert "GB200" in text
    assert "RTX 4090" in text
    assert len(error.value.problems) == 2


def test_a_run_uses_own_fleets_unless_it_names_others() -> None:
    rented = '[[serve.rented]]\nname = "r"\naccelerator = "H200"\ncount = 9000\n'
    text = SITES + ABILENE + CHEYENNE + rented + RUN
    scenario, dims, calendar, _ = world(text)
    assert list(engine_inputs(scenario, dims, calendar)) == [(0, 0), (0, 1)]
    for words, fleets in (
        ('["rented"]', [2]),
        ('["H200"]', [2]),
        ('["H200 SXM5"]', [2]),
        ('["Cheyenne / GB200"]', [1]),
        ('["Abilene", "H200"]', [0, 2]),
        ('["gb200"]', [0, 1]),
    ):
        scenario, dims, calendar, _ = world(f"{text}fleets = {words}\n")
        assert [f for _, f in engine_inputs(scenario, dims, calendar)] == fleets
    scenario, dims, calendar, _ = world(f'{text}fleets = ["Houston"]\n')
    with pytest.raises(InputError, match="there is no fleet 'Houston'"):
        engine_inputs(scenario, dims, calendar)


def test_without_fleets_there_is_nothing_to_train_on_and_no_error() -> None:
    scenario, dims, calendar, drawn = world(RUN)
    assert engine_inputs(scenario, dims, calendar) == {}
    assert params(scenario, drawn, dims, calendar).leased.shape == (24, 0, 1)


def test_an_accelerator_without_a_scale_out_rate_trains_within_its_domain_only() -> None:
    rubin = FLEET.format(name="r", campus="Abilene", accelerator="Rubin")
    scenario, dims, calendar, _ = world(SITES + rubin + RUN)
    with pytest.raises(InputError, match="no scale-out rate of Rubin"):
        engine_inputs(scenario, dims, calendar)


def test_the_grid_of_sizes_is_fine_enough_for_straight_lines() -> None:
    sizes = np.array([700.0, 5000.0, 12345.0, 90000.0, 250000.0])

    def ettr(n: float) -> float:
        return ettr_best(60.0, 600.0, failure_rate_per_s(n, 8, 6.5e-3))

    read_off = np.interp(sizes, RESERVED, [ettr(n) for n in RESERVED])
    np.testing.assert_allclose(read_off, [ettr(n) for n in sizes], atol=0.01)


def test_a_release_follows_the_capability_rule() -> None:
    scenario, dims, calendar, drawn = world(SITES + ABILENE + RUN, draws=4)
    p = params(scenario, drawn, dims, calendar)
    assert p.release_log2_horizon.shape == (24, 1, 5)
    train = scenario.train
    for t, d in ((0, 0), (23, 0), (7, 3)):
        flop = 2524e9 * p.tokens[0, d]
        years = 2.0 + 10 / 12 + calendar.years[t]
        growth = drawn.values["train.efficiency_growth"][d]
        doublings = np.log2(flop / train.reference_flop) + years * np.log2(1 + growth)
        horizon = np.log2(60 * drawn.values["train.reference_horizon"][d])
        rule = release_log2_horizon(
            horizon,
            doublings,
            elasticity=drawn.values["train.elasticity"][d],
            cap_s=1e12,
        )
        assert p.release_log2_horizon[t, 0, d] == pytest.approx(rule, abs=1e-3)


def test_the_parameters_of_a_run() -> None:
    scenario, dims, calendar, drawn = world(SITES + ABILENE + RUN, draws=4)
    p = params(scenario, drawn, dims, calendar)
    assert p.start.tolist() == [3]
    assert p.wanted.shape == (1, 1)
    assert p.tokens.shape == p.speed.shape == p.least_share.shape == (1, 5)
    assert p.public_log2_horizon.shape[0] == 24
    np.testing.assert_allclose(np.exp2(p.cap_log2_horizon), 16 * 3600)


def test_leases_add_up_and_their_price_is_the_mean() -> None:
    lease = """
[[train.lease]]
name = "{name}"
fleet = "Abilene"
count = {count}
start = "{start}"
months = {months}
usd_per_gpu_hour = {usd}
"""
    text = SITES + ABILENE + CHEYENNE
    text += lease.format(name="one", count=1000, start="2025-10", months=6, usd=2)
    text += lease.format(name="two", count=3000, start="2026-02", months=100, usd=4)
    scenario, dims, calendar, drawn = world(text)
    count, rent = leases(scenario, drawn, dims, calendar)
    np.testing.assert_allclose(count[:5, 0, 0], [1000, 4000, 4000, 3000, 3000])
    np.testing.assert_allclose(rent[:5, 0, 0], [2, 3.5, 3.5, 4, 4])
    assert not count[:, 1].any()
    scenario, dims, calendar, drawn = world(text.replace('fleet = "Abilene"', 'fleet = "GB200"'))
    with pytest.raises(InputError, match="is more than one fleet"):
        engine_inputs(scenario, dims, calendar)
    with pytest.raises(InputError, match="is more than one fleet"):
        leases(scenario, drawn, dims, calendar)


def test_an_empty_section() -> None:
    scenario, dims, calendar, drawn = world(SITES + ABILENE)
    p = params(scenario, drawn, dims, calendar)
    assert p.wanted.shape == (0, 1)
    assert p.release_log2_horizon.shape == (24, 0, 1)
    assert engine_inputs(scenario, dims, calendar) == {}
