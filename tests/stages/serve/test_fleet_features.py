"""Pools, routers, failures, autoscaling, attention ranks, drafts, tiers, operator tables."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fleets import PREFIXED, asked, conserved, times

from lineshaft.errors import InputError
from lineshaft.stages.serve.deployment import (
    ROUTERS,
    Autoscaler,
    Failures,
    Fleet,
    Pool,
    Scheduler,
    Tier,
)
from lineshaft.stages.serve.fleet import simulate
from lineshaft.stages.serve.requests import Requests, of
from lineshaft.stages.serve.steptime import StepTimes
from lineshaft.traces import read

SHARED = Path(__file__).parents[3] / "../shared/data"
LIMITS = Scheduler(max_num_seqs=4, max_num_batched_tokens=64, kv_blocks=100)
FLAT = StepTimes(np.r_[0.0, np.ones(64)], np.zeros(65), kv_s=0.0, pair_s=0.0, seq_s=0.0)
"""Every step takes one second."""


def many(count: int = 60, gap_s: float = 1.0) -> Requests:
    rng = np.random.default_rng(7)
    inputs, outputs = rng.integers(1, 60, count), rng.integers(1, 30, count)
    return asked(inputs.tolist(), outputs.tolist(), (gap_s * np.arange(count)).tolist())


# --- two pools ----------------------------------------------------------------------------------


def test_prompt_and_answer_in_two_pools_by_hand() -> None:
    fleet = Fleet(
        Pool(FLAT, LIMITS), decode=Pool(FLAT, LIMITS), transfer_s=0.25, transfer_token_s=0.01
    )
    out = simulate(fleet, asked([10, 10], [4, 1], [0.0, 0.0]))
    assert out.first_s.tolist() == [1.0, 1.0]
    # 10 tokens of KV, then three steps; the second is done with its prompt
    assert out.finish_s.tolist() == pytest.approx([1.0 + 0.25 + 0.1 + 3.0, 1.0])
    assert out.instance.tolist() == [0, 0]
    assert out.decode_instance.tolist() == [1, 0]
    assert [one.input_tokens for one in out.by_instance] == [20, 0]
    assert [one.decode_tokens for one in out.by_instance] == [0, 3]


def test_an_answer_waits_for_room_in_its_pool() -> None:
    fleet = Fleet(Pool(FLAT, LIMITS), decode=Pool(FLAT, replace(LIMITS, kv_blocks=2)))
    out = simulate(fleet, asked([16, 16], [10, 10]))
    # two blocks each, when they answer: one after the other
    assert out.first_s.tolist() == [1.0, 1.0]
    assert out.finish_s.tolist() == [10.0, 19.0]


# --- routers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("router", ROUTERS)
def test_every_router_serves_all_on_several_instances(router: str) -> None:
    work = many()
    out = simulate(Fleet(Pool(times(), LIMITS, 3), router=router, seed=1), work)
    assert (np.bincount(out.instance, minlength=3) > 0).all()
    conserved(work, out)


def test_round_robin_and_random_do_not_look_at_the_state() -> None:
    fleet = Fleet(Pool(times(), LIMITS, 3))
    out = simulate(fleet, many())
    assert (out.instance == np.arange(60) % 3).all()
    fleet = replace(fleet, router="random", seed=5)
    alone = simulate(fleet, many())
    # a loop that knows of failures decides event by event, to the same end
    joint = simulate(replace(fleet, failures=Failures(np.inf, 1.0)), many())
    np.testing.assert_array_equal(alone.instance, joint.instance)
    np.testing.assert_array_equal(alone.finish_s, joint.finish_s)
    assert (simulate(replace(fleet, seed=6), many()).instance != alone.instance).any()


def test_least_outstanding_avoids_the_busy_instance() -> None:
    work = asked([8] * 4, [60, 2, 2, 2], [0.0, 1.0, 20.0, 40.0])
    out = simulate(Fleet(Pool(times(), LIMITS, 2), router="least-outstanding"), work)
    assert out.instance.tolist() == [0, 1, 1, 1]


def test_a_stale_view_sends_a_burst_to_one_queue() -> None:
    work = asked([8] * 20, [9] * 20, (0.01 * np.arange(20) + 1.0).tolist())
    fleet = Fleet(Pool(times(), replace(LIMITS, max_num_seqs=1), 4), router="shortest-queue")
    fresh, stale = simulate(fleet, work), simulate(replace(fleet, view_s=30.0), work)
    even = np.ptp(np.bincount(fresh.instance, minlength=4))
    assert even <= 1
    # nobody is seen to wait: the next in turn takes each, however long its queue is
    late = asked([8] * 8, [60, 2, 2, 2, 2, 2, 2, 2], [0.0, *np.linspace(1.0, 25.0, 7)])
    fresh = simulate(fleet, late)
    stale = simulate(replace(fleet, view_s=1000.0), late)
    assert fresh.finish_s[4] < stale.finish_s[4]


def test_prefix_routers_send_requests_to_their_prefix() -> None:
    rng = np.random.default_rng(3)
    family = rng.integers(0, 12, 90)
    blocks = [[int(f) * 10, int(f) * 10 + 1, 1000 + i] for i, f in enumerate(family)]
    work = asked([40] * 90, [4] * 90, (4.0 * np.arange(90)).tolist(), blocks)
    hits = {
        router: simulate(Fleet(Pool(times(), LIMITS, 4), router=router), work).totals.cached_tokens
        for router in ("round-robin", "prefix", "kv-aware")
    }
    # mostly, one instance computes a family's prefix for all; load sends some elsewhere
    assert hits["kv-aware"] >= 0.85 * 32 * (90 - 12)
    assert hits["prefix"] > hits["round-robin"]
    crowd = asked([40] * 40, [20] * 40, [0.0] * 40, [[1, 2]] * 40)
    out = simulate(Fleet(Pool(times(), LIMITS, 4), router="prefix"), crowd)
    # all of one family: the guard spreads them
    assert np.bincount(out.instance).max() <= np.ceil(1.25 * 40 / 4)


# --- failures, autoscaling ----------------------------------------------------------------------


def test_failures_send_requests_again() -> None:
    work = many(120)
    fleet = Fleet(Pool(times(), LIMITS, 3), failures=Failures(60.0, 20.0), seed=2)
    out = simulate(fleet, work, series_s=1.0)
    conserved(work, out)
    assert out.restarts.sum() > 0
    assert out.totals.recomputed_tokens > 0
    assert out.series is not None
    assert out.series.instances.min() < 3
    calm = simulate(replace(fleet, failures=None), work)
    assert out.end_s > calm.end_s
    np.testing.assert_array_equal(simulate(fleet, work).finish_s, out.finish_s)


def test_a_fleet_that_fails_faster_than_it_answers_is_an_input_error() -> None:
    fleet = Fleet(Pool(times(), LIMITS), failures=Failures(1.0, 0.1))
    with pytest.raises(InputError, match="mtbf_s"):
        simulate(fleet, asked([8], [60]))


def test_stragglers_slow_their_own_requests() -> None:
    work = asked([8] * 4, [20] * 4)
    slow = Failures(np.inf, 0.0, straggler_share=0.5, straggler_factor=2.0)
    out = simulate(Fleet(Pool(times(), LIMITS, 4), failures=slow), work)
    took = np.sort(out.finish_s)
    assert took[2:] == pytest.approx(2.0 * took[:2])


def test_the_autoscaler_follows_the_load() -> None:
    work = asked([8] * 80, [20] * 80, np.r_[np.full(60, 0.0), np.full(20, 900.0)].tolist())
    scaler = Autoscaler(least=1, target_outstanding=4.0, interval_s=10.0, start_s=15.0)
    fleet = Fleet(Pool(times(), LIMITS, 6), router="least-outstanding", autoscaler=scaler)
    out = simulate(fleet, work, series_s=1.0)
    conserved(work, out)
    assert out.series is not None
    assert out.series.instances[:24].max() == 1  # a tick, then the start
    assert out.series.instances.max() == 6
    assert out.series.instances[880] == 1
    fixed = simulate(replace(fleet, autoscaler=None), work)
    assert out.service_s.sum() < fixed.service_s.sum()
    assert fixed.service_s == pytest.approx(6 * [fixed.end_s])
    assert out.service_s[0] == pytest.approx(out.end_s)


# --- attention ranks, drafts --------------------------------------------------------------------


def test_a_chunk_alone_leaves_the_other_attention_ranks_idle() -> None:
    t = times(128, ranks=2)
    limits = replace(LIMITS, max_num_batched_tokens=64)
    alone = simulate(Fleet(Pool(t, limits)), asked([50], [1]))
    # 50 tokens of one rank of two take what 100 on both would
    assert alone.first_s[0] == pytest.approx(t.dense_s[100] + 1e-4 * 1275 * 2 + 1e-2)
    both = simulate(Fleet(Pool(t, limits)), asked([50, 50], [1, 1]))
    assert both.first_s == pytest.approx(2 * [t.dense_s[100] + 1e-4 * 2550 + 2e-2])
    half = simulate(Fleet(Pool(replace(t, local_share=0.5), limits)), asked([50], [1]))
    assert half.first_s[0] == pytest.approx(t.dense_s[75] + 1e-4 * 1275 * 2 + 1e-2)
    # limits are per rank: eight run, and a longer prompt is cut at one rank's budget
    out = simulate(Fleet(Pool(t, limits)), asked([8] * 9, [30] * 9))
    assert (out.scheduled_s == 0).sum() == 8
    out = simulate(Fleet(Pool(t, limits)), asked([100], [1]))
    assert out.totals.iterations == 2


def test_drafts_gain_tokens_and_cost_their_verification() -> None:
    limits = replace(LIMITS, kv_blocks=1000)
    plain = simulate(Fleet(Pool(FLAT, limits)), asked([10], [61]))
    draft = replace(FLAT, draft=3, gain=2.5)
    out = simulate(Fleet(Pool(draft, limits)), asked([10], [61]))
    assert plain.totals.iterations == 61
    assert out.totals.iterations == 1 + 60 / 2.5
    conserved(asked([10], [61]), out)
    t = replace(times(), draft=3, gain=2.0)
    out = simulate(Fleet(Pool(t, limits)), asked([10], [5]))
    step = 2 * (t.dense_s[4] + 1e-2) + 1e-3 * (11 + 13)
    assert out.finish_s[0] - out.first_s[0] == pytest.approx(step)


# --- tiers, operator tables ---------------------------------------------------------------------


def test_an_evicted_prefix_comes_back_from_a_tier() -> None:
    blocks = [[1, 2], [3, 4], [5, 6], [1, 2]]
    work = asked([33] * 4, [2] * 4, [0.0, 50.0, 100.0, 150.0], blocks)
    limits = replace(LIMITS, kv_blocks=4)
    lost = simulate(Fleet(Pool(times(), limits)), work)
    tier = Tier("host", 1000, token_s=0.01, latency_s=0.5)
    kept = simulate(Fleet(Pool(times(), replace(limits, tiers=(tier,)))), work)
    assert lost.cached_tokens.tolist() == [0, 0, 0, 0]
    assert kept.cached_tokens.tolist() == [0, 0, 0, 32]
    assert kept.scheduled_s[3] == pytest.approx(150.0 + 0.5 + 0.32)
    conserved(work, kept)
    small = replace(tier, tokens=32)
    gone = simulate(Fleet(Pool(times(), replace(limits, tiers=(small,)))), work)
    assert gone.cached_tokens[3] == 16  # block 2, which went first, is pushed out of the tier
    below = (small, replace(tier, name="disk", token_s=0.02))
    deep = simulate(Fleet(Pool(times(), replace(limits, tiers=below))), work)
    assert deep.scheduled_s[3] == pytest.approx(150.0 + (0.5 + 0.16) + (0.5 + 0.32))


def test_operator_tables_alone_time_a_step() -> None:
    one, ax = np.ones(1), np.array([1.0])
    tables = (
        np.linspace(0.0, 64.0, 65),  # a second per token
        np.zeros(65),
        ax, ax, ax, ax,
        np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((0, 0, 0, 0)),
        np.array([1.0, 0.0, 0.0, 1.0, 1.0]) * one,
    )  # fmt: skip
    out = simulate(Fleet(Pool(replace(FLAT, tables=tables), LIMITS)), asked([10], [4]))
    assert out.first_s[0] == pytest.approx(10.0)
    assert out.finish_s[0] == pytest.approx(13.0)
    assert out.totals.prefill_s == pytest.approx(10.0)
    assert out.totals.decode_s == pytest.approx(3.0)


def test_the_compiled_loop_is_read_from_disk() -> None:
    simulate(Fleet(Pool(FLAT, LIMITS)), PREFIXED)
    code = (
        "import numpy as np; from lineshaft.stages.serve.kernels import setting\n"
        "run, spread = setting._compiled()\n"
        "from lineshaft.stages.serve.deployment import Fleet, Pool, Scheduler\n"
        "from lineshaft.stages.serve.requests import Requests\n"
        "from lineshaft.stages.serve.steptime import StepTimes\n"
        "from lineshaft.stages.serve.fleet import simulate\n"
        "t = StepTimes(np.ones(9), np.ones(9), 0.0, 0.0, 0.0)\n"
        "f = Fleet(Pool(t, Scheduler(max_num_seqs=2, max_num_batched_tokens=8)))\n"
        "simulate(f, Requests('x', np.zeros(1), np.ones(1, int), np.ones(1, int)))\n"
        "assert run.stats.cache_hits and not run.stats.cache_misses, run.stats\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- published traces ---------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "hits", "blocks", "share"),
    [("conversation", 105_710, 288_500, 0.3664), ("synthetic", 77_953, 121_877, 0.6396)],
)
def test_an_endless_cache_finds_every_block_seen_before(
    name: str, hits: int, blocks: int, share: float
) -> None:
    path = SHARED / f"traces/{name}_trace.jsonl"
    if not path.exists():
        pytest.skip("the Mooncake traces are not here")
    trace = read(path)
    # the last block of a prompt is seldom full: fill it, and a token more, so that it may be found
    whole = np.diff(trace.block_start) * 512 + 1
    work: Any = replace(of(trace, clients=1), input_tokens=whole)
    step = StepTimes(np.full(200_001, 1e-9), np.zeros(200_001), kv_s=0.0, pair_s=0.0, seq_s=0.0)
    limits = Scheduler(
        max_num_seqs=1, max_num_batched_tokens=200_000, prefix_cache="endless", block_tokens=512
    )
    out = simulate(Fleet(Pool(step, limits)), work)
    assert len(trace.block_ids) == blocks
    found = int((out.cached_tokens // 512).sum())
    assert found == hits
    assert round(found / blocks, 4) == share
