"""The serving curve, its laws and its errors; the fleet's day."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineshaft.contracts.curves import ServeCurve
from lineshaft.errors import InputError
from lineshaft.stages.serve import (
    DEEPSEEK_DAY,
    Fleet,
    Layout,
    Pool,
    Scheduler,
    ServeInputs,
    Split,
    characterise,
    cost_usd,
    nodes,
    revenue_usd,
    simulate,
    step_times,
)
from lineshaft.stages.serve.requests import of
from lineshaft.traces import Lengths, Statistics, read, rescale, synthetic
from lineshaft.transformer import Architecture, Chip

H100 = Chip(
    "H100", "hopper", (("bf16", 989e12), ("fp8", 1979e12)), 80e9, 3.35e12, 450e9, 8, 50e9, 700
)
LLAMA = Architecture("Llama 3.1 8B", 32, 4096, 32, 8, 128, 14336, "swiglu3", 128256)
INPUTS = ServeInputs(LLAMA, H100, requests=1500)


@pytest.fixture(scope="module")
def curve() -> ServeCurve:
    return characterise(INPUTS)


def work_per_s(curve: ServeCurve) -> np.ndarray:
    return (
        curve.input_tokens_per_s * curve.s_per_input_token
        + curve.cached_tokens_per_s * curve.s_per_cached_token
        + curve.output_tokens_per_s * curve.s_per_output_token
    )


def test_tokens_times_their_cost_are_the_load(curve: ServeCurve) -> None:
    np.testing.assert_allclose(work_per_s(curve), curve.load, rtol=1e-6)
    at = int(np.searchsorted(curve.load, curve.load_slo * (1 - 1e-9)))
    assert curve.load[at] == pytest.approx(curve.load_slo, rel=1e-6)


def test_cost_of_tokens_is_the_busy_time_at_the_service_level() -> None:
    """Simulated again by hand at the rate of the SLO point, busy time and tokens close."""
    c = characterise(INPUTS)
    at = int(np.argmin(abs(c.load - c.load_slo)))
    trace = synthetic(requests=1500)
    times = step_times(
        LLAMA, H100, tp=1, precision="bf16", weight_byte=2, kv_byte=2, max_tokens=8192
    )
    rate = c.input_tokens_per_s[at] / c.mean_input_tokens
    limits = Scheduler(kv_blocks=20_000, prefix_cache="none")
    out = simulate(Fleet(Pool(times, limits)), of(rescale(trace, rate)))
    t = out.totals
    spent = t.input_tokens * c.s_per_input_token + t.output_tokens * c.s_per_output_token
    # the run has a beginning and an end with small batches, the curve's window has not
    assert spent == pytest.approx(t.busy_s, rel=0.1)


def test_shape_of_the_curve(curve: ServeCurve) -> None:
    n = len(curve.load)
    assert n >= 6
    for name in ServeCurve.__dataclass_fields__:
        value = getattr(curve, name)
        if isinstance(value, np.ndarray):
            assert value.shape == (n,)
            assert np.isfinite(value).all()
    assert (np.diff(curve.load) > 0).all()
    assert 0 < curve.load_slo <= 1
    assert curve.load[0] < 0.05 * curve.load_slo < curve.load_slo < curve.load[-1]
    assert (np.diff(curve.tpot_mean_s)[:-2] > 0).all()
    assert (curve.goodput_rps <= curve.requests_per_s + 1e-9).all()
    assert ((curve.power_share > 0.1) & (curve.power_share < 0.9)).all()
    assert (curve.ttft_p99_s >= curve.ttft_mean_s).all()
    assert curve.mean_input_tokens == pytest.approx(1155, rel=0.03)


def test_the_service_level_holds_up_to_its_load_and_not_beyond(curve: ServeCurve) -> None:
    held = (curve.ttft_p99_s <= INPUTS.ttft_s) & (curve.tpot_p99_s <= INPUTS.tpot_s)
    below = curve.load <= curve.load_slo * (1 + 1e-9)
    assert held[below].all()
    assert not held[~below].any()


def test_a_softer_service_level_carries_more() -> None:
    def best(tpot_s: float) -> float:
        c = characterise(replace(INPUTS, tpot_s=tpot_s))
        return float(c.requests_per_s[np.argmin(abs(c.load - c.load_slo))])

    assert best(0.02) < best(0.04) < best(0.08)


def test_deterministic_and_seeded(curve: ServeCurve) -> None:
    again = characterise(INPUTS)
    assert again.load.tobytes() == curve.load.tobytes()
    assert again.ttft_p99_s.tobytes() == curve.ttft_p99_s.tobytes()
    other = characterise(replace(INPUTS, seed=1))
    assert other.ttft_p99_s.tobytes() != curve.ttft_p99_s.tobytes()


def test_a_missed_service_level_says_what_can_be_reached() -> None:
    with pytest.raises(InputError, match="even when nearly idle") as error:
        characterise(replace(INPUTS, tpot_s=0.001))
    assert "tpot_s from 0.0" in str(error.value)


def test_longer_prompts_have_more_time_in_proportion() -> None:
    lengths = Lengths(17_000.0, 17_000.0), Lengths(200.0, 120.0)
    inputs = replace(INPUTS, trace=Statistics("long", 0, 1.0, 1.0, *lengths), ttft_s=0.5)
    with pytest.raises(InputError, match=r"asked: 0\.5 s, and more .* above 20,000 tokens"):
        characterise(replace(inputs, ttft_tokens=20_000))
    twice = characterise(replace(inputs, ttft_tokens=8500))
    plain = characterise(replace(inputs, ttft_tokens=20_000, ttft_s=1.0))
    assert twice.load_slo == plain.load_slo
    assert twice.goodput_rps.tolist() == plain.goodput_rps.tolist()
    assert 0.5 < twice.ttft_mean_s[0] < 1.0


def test_every_wrong_input_is_named() -> None:
    with pytest.raises(InputError) as error:
        characterise(
            replace(
                INPUTS,
                weight_byte=0.0,
                ttft_s=0.0,
                ttft_tokens=0.0,
                percentile=1.0,
                points=2,
                requests=5,
            )
        )
    keys = {problem.key.removeprefix("serve.") for problem in error.value.problems}
    assert keys == {"weight_byte", "ttft_s", "ttft_tokens", "percentile", "points", "requests"}
    with pytest.raises(InputError, match="bf16, fp8"):
        characterise(replace(INPUTS, precision="fp4"))
    with pytest.raises(InputError, match="at least 100"):
        characterise(replace(INPUTS, trace=synthetic(requests=10)))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["synthetic_trace", "conversation_trace"])
@pytest.mark.parametrize(("cache", "least_hits"), [("endless", 0.2), ("lru", 0.005)])
def test_prefixes_cost_less_than_computed_prompts(name: str, cache: str, least_hits: float) -> None:
    """Also where the service level is loose, and preemptions recompute prompts beside hits."""
    path = Path(__file__).parents[3] / ".." / f"shared/data/traces/{name}.jsonl"
    if not path.exists():
        pytest.skip("published Mooncake trace is not here")
    inputs = replace(INPUTS, trace=read(path), ttft_s=60.0, tpot_s=1.0, prefix_cache=cache)
    c = characterise(inputs)
    np.testing.assert_allclose(work_per_s(c), c.load, rtol=1e-6)
    assert 0 < c.s_per_cached_token < 0.5 * c.s_per_input_token
    assert c.mean_cached_tokens > least_hits * c.mean_input_tokens


def test_deepseek_day() -> None:
    """Reported: $562,027 of revenue, 226.75 nodes, $87,072 a day (DeepSeek, day 6, CC0)."""
    assert revenue_usd(DEEPSEEK_DAY) == pytest.approx(562_100, abs=1)
    assert revenue_usd(DEEPSEEK_DAY) == pytest.approx(562_027, rel=2e-4)
    prefill, decode = nodes(DEEPSEEK_DAY)
    assert (prefill, decode) == pytest.approx((95.48, 131.38), abs=0.005)
    assert prefill + decode == pytest.approx(226.86, abs=0.005)
    assert cost_usd(DEEPSEEK_DAY, 226.75) == pytest.approx(87_072)


def carried(c: ServeCurve) -> float:
    return float(np.interp(c.load_slo, c.load, c.requests_per_s)) / c.accelerators_per_replica


def test_the_deployment_that_carries_most_is_taken() -> None:
    whole = [characterise(replace(INPUTS, layout=Layout(tp=tp))) for tp in (1, 2, 4)]
    apart = [
        characterise(replace(INPUTS, layout=Layout(tp=tp), split=Split(Layout(tp=tp), *ratio)))
        for tp in (1, 2, 4)
        for ratio in ((1, 1), (2, 1), (3, 1), (1, 2))
    ]
    chosen = characterise(replace(INPUTS, most=4))
    assert carried(chosen) == max(map(carried, whole + apart))
    # a level that one accelerator cannot hold is held by a larger replica
    tight = replace(INPUTS, tpot_s=float(whole[0].tpot_mean_s[0]) * 0.8)
    with pytest.raises(InputError, match="misses it"):
        characterise(tight)
    assert characterise(replace(tight, most=8)).accelerators_per_replica > 1


def test_a_replica_of_two_pools_closes_like_one(curve: ServeCurve) -> None:
    inputs = replace(INPUTS, layout=Layout(tp=1), split=Split(Layout(tp=2), prompts=2, answers=1))
    two = characterise(inputs)
    assert two.accelerators_per_replica == 4
    np.testing.assert_allclose(work_per_s(two), two.load, rtol=1e-6)
    assert (two.power_share <= 1).all() and (two.power_share > 0).all()
    # answers that no prompt disturbs keep their pace
    spread = two.tpot_p99_s / two.tpot_mean_s
    assert spread[two.load <= two.load_slo].max() < (curve.tpot_p99_s / curve.tpot_mean_s).max()


def test_a_level_that_no_size_holds_is_told() -> None:
    with pytest.raises(InputError, match="misses it"):
        characterise(replace(INPUTS, most=8, tpot_s=1e-5))
