"""Dollars and joules: nothing is lost, nothing is counted twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.serve import (
    DEEPSEEK_DAY,
    Fleet,
    Pool,
    Scheduler,
    StepTimes,
    Totals,
    simulate,
)
from lineshaft.stages.serve.cost import (
    J_PER_KWH,
    Machines,
    Use,
    bill,
    power_share,
    prompt_active_s,
)
from lineshaft.stages.serve.requests import of
from lineshaft.traces import rescale, synthetic

H100 = Machines(accelerators=8, usd_per_accelerator_h=2.0, accelerator_w=700.0)


def totals(
    prefill_s: float, cached_s: float, decode_s: float, active: float, tokens: tuple[float, ...]
) -> Totals:
    busy = prefill_s + cached_s + decode_s
    none = dict.fromkeys(Totals._fields, 0.0)
    return Totals(
        **none
        | {
            "busy_s": busy,
            "prefill_s": prefill_s,
            "cached_s": cached_s,
            "decode_s": decode_s,
            "active_s": active * busy,
            "input_tokens": tokens[0],
            "cached_tokens": tokens[1],
            "output_tokens": tokens[2],
        }
    )


SECONDS = st.floats(0.0, 1e6)
COUNT = st.floats(1.0, 1e12)
USES = st.builds(
    lambda one, idle, machines, prompts: Use(machines, one, one.busy_s + idle, prompts),
    st.builds(totals, SECONDS, SECONDS, SECONDS, st.floats(0, 1), st.tuples(COUNT, COUNT, COUNT)),
    st.floats(0.0, 1e6),
    st.builds(
        Machines,
        accelerators=st.integers(1, 72),
        usd_per_accelerator_h=st.floats(0, 20),
        accelerator_w=st.floats(0, 2000),
        host_w=st.floats(0, 1000),
        pue=st.floats(1, 2),
        usd_per_kwh=st.floats(0, 1),
    ),
    st.none() | st.floats(0, 1e7),
)


@given(st.lists(USES, min_size=1, max_size=3))
def test_prices_times_tokens_are_the_cost_and_phases_the_energy(uses: list[Use]) -> None:
    made = bill(uses)
    rent = sum(
        u.service_s / 3600 * u.machines.accelerators * u.machines.usd_per_accelerator_h
        for u in uses
    )
    assert made.usd == pytest.approx(rent + made.electricity_usd)
    if sum(use.totals.busy_s for use in uses) > 0 and made.usd > 1e-9:
        paid = sum(p * n for p, n in zip(made.usd_per_mtok, made.tokens, strict=True)) / 1e6
        assert paid == pytest.approx(made.usd)
        assert min(made.usd_by_tokens) >= 0
    energy = 0.0
    for use in uses:
        m, t = use.machines, use.totals
        if use.service_s:
            share = power_share(
                t.busy_s / use.service_s, t.active_s / use.service_s,
                idle_share=m.idle_share, light_share=m.light_share, full_share=m.full_share,
            )  # fmt: skip
            each = m.accelerator_w * share + m.host_w
            energy += each * use.service_s * m.accelerators * m.pue
    assert sum(made.energy_j) == pytest.approx(energy)
    assert min(made.energy_j) >= -1e-6 * energy


def test_a_split_of_pools_is_billed_by_pool() -> None:
    # prompts on dear machines, answers on cheap ones, half of the time idle
    prompts = Use(H100, totals(1800.0, 0.0, 0.0, 0.5, (1e6, 0, 0)), 3600.0)
    cheap = replace(H100, usd_per_accelerator_h=0.5)
    answers = Use(cheap, totals(0.0, 0.0, 1800.0, 0.5, (0, 0, 2e6)), 3600.0)
    made = bill([prompts, answers])
    assert made.usd == 8 * 2.0 + 8 * 0.5
    assert made.usd_per_mtok.input == pytest.approx(16.0)
    assert made.usd_per_mtok.output == pytest.approx(2.0)
    assert np.isnan(made.usd_per_mtok.cached)
    assert made.usd_per_mtok_all == pytest.approx(20.0 / 3)
    assert made.busy_share == pytest.approx(0.5)
    assert made.accelerator_h == 16.0
    assert made.usd_per_good(10.0) == pytest.approx(2.0)
    assert made.usd_per_good(0.0) == float("inf")
    # 8 x 700 W: half an hour of steps that are half active, half an hour idle, twice
    step = (0.43 + 0.43 * 0.5) * 5600.0 * 1800.0
    assert made.energy_j == pytest.approx((step, step, 2 * 0.115 * 5600.0 * 1800.0))
    assert made.kwh_per_mtok_output == pytest.approx(sum(made.energy_j) / J_PER_KWH / 2)


def test_electricity_is_paid_by_the_kilowatt_hour() -> None:
    own = replace(H100, usd_per_kwh=0.1, host_w=500.0, pue=1.2)
    made = bill([Use(own, totals(0.0, 0.0, 3600.0, 1.0, (0, 0, 1e6)), 3600.0)])
    kwh = 8 * (700 * 0.86 + 500) * 1.2 / 1000
    assert made.electricity_usd == pytest.approx(0.1 * kwh)
    assert made.usd == pytest.approx(16.0 + 0.1 * kwh)
    assert made.kwh_per_mtok_all == pytest.approx(kwh)


def test_a_production_day_costs_what_was_reported() -> None:
    # DeepSeek's day: 226.75 nodes of 8 at 2 USD, all of it charged to answers
    day = totals(0.0, 0.0, 226.75 * 86_400.0, 1.0, (0, 0, DEEPSEEK_DAY.output_tokens))
    made = bill([Use(H100, day, 226.75 * 86_400.0)])
    assert made.usd == pytest.approx(87_072.0)
    assert made.usd_per_mtok.output == pytest.approx(0.5183, abs=1e-4)


def test_what_a_simulated_instance_does_adds_up() -> None:
    tokens = np.arange(513.0)
    times = StepTimes(
        dense_s=8e-3 + 2e-5 * tokens, compute_s=2e-5 * tokens, kv_s=5e-8, pair_s=1e-9, seq_s=2e-5
    )
    trace = rescale(synthetic(requests=300, seed=2), 0.5)
    out = simulate(Fleet(Pool(times, Scheduler(max_num_batched_tokens=512))), of(trace))
    mine = prompt_active_s(times, trace.input_tokens, out.cached_tokens)
    made = bill([Use(H100, out.totals, out.end_s, mine)])
    assert 0 < mine < out.totals.active_s
    assert out.totals.active_s < out.totals.busy_s < out.end_s
    # an answer token works on KV and weights, a prompt token on arithmetic: it draws more power
    prompts_w = made.energy_j.prefill / (out.totals.prefill_s + out.totals.cached_s)
    answers_w = made.energy_j.decode / out.totals.decode_s
    assert 8 * 700 * 0.86 >= prompts_w > answers_w > 8 * 700 * 0.43
    assert made.usd_per_mtok.output > made.usd_per_mtok.input > 0


def test_prompts_take_what_the_loop_counts_where_there_are_only_prompts() -> None:
    tokens = np.arange(4097.0)
    times = StepTimes(5e-3 + 1e-5 * tokens, 1e-5 * tokens, kv_s=1e-8, pair_s=1e-9, seq_s=0.0)
    trace = synthetic(requests=200, seed=5)
    trace = replace(trace, output_tokens=np.ones(200, np.int64))
    out = simulate(Fleet(Pool(times, Scheduler(max_num_batched_tokens=4096))), of(trace))
    mine = prompt_active_s(times, trace.input_tokens, out.cached_tokens)
    assert mine == pytest.approx(out.totals.active_s, rel=1e-9)


def test_impossible_machines_are_refused() -> None:
    bad = Machines(0, -1.0, float("inf"), idle_share=0.5, light_share=0.4, pue=0.9)
    with pytest.raises(InputError) as error:
        bill([Use(bad, totals(1.0, 0.0, 0.0, 0.0, (1, 0, 0)), 0.5)])
    assert {problem.key for problem in error.value.problems} == {
        "cost.accelerators", "cost.usd_per_accelerator_h", "cost.accelerator_w", "cost.pue",
        "cost.idle_share", "cost.service_s",
    }  # fmt: skip


def test_nothing_served_has_no_price() -> None:
    made = bill([Use(H100, totals(0.0, 0.0, 0.0, 0.0, (0, 0, 0)), 3600.0)])
    assert made.usd == 16.0
    assert np.isnan(made.usd_per_mtok).all()
    assert made.energy_j == pytest.approx((0.0, 0.0, 0.115 * 5600 * 3600))
