"""The fleet's event loop: cases worked by hand, what it conserves, and its modes compared."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fleets import PREFIXED, asked, cases, conserved, times
from hypothesis import given, settings

from lineshaft.errors import InputError
from lineshaft.stages.serve.deployment import Fleet, Pool, Scheduler
from lineshaft.stages.serve.fleet import Outcome, simulate
from lineshaft.stages.serve.requests import Requests


def one(requests: Requests, /, **limits: Any) -> Outcome:
    """Of one instance with these limits."""
    given = {"max_num_seqs": 4, "max_num_batched_tokens": 64, "kv_blocks": 100} | limits
    fleet = Fleet(Pool(times(given["max_num_batched_tokens"]), Scheduler(**given)))
    return simulate(fleet, requests)


def test_one_request_by_hand() -> None:
    t = times()
    out = one(asked([10], [3], [2.0]))
    first = 2.0 + t.dense_s[10] + 1e-4 * 55 + 1e-2
    # two decode steps that read 11 and 12 tokens
    last = first + 2 * (t.dense_s[1] + 1e-2) + 1e-3 * 23
    assert out.scheduled_s[0] == 2.0
    assert out.first_s[0] == pytest.approx(first)
    assert out.finish_s[0] == pytest.approx(last)
    assert out.totals.iterations == 3


def test_a_step_with_a_prompt_costs_more_where_the_times_say_so() -> None:
    t = replace(times(), mixed_s=0.5, chunk_s=0.25)
    out = simulate(
        Fleet(Pool(t, Scheduler(max_num_seqs=4, max_num_batched_tokens=64))), asked([10], [1])
    )
    assert out.first_s[0] == pytest.approx(t.dense_s[10] + 1e-4 * 55 + 1e-2 + 0.75)


def test_a_long_prompt_is_chunked_beside_a_decode() -> None:
    t = times(16)
    out = one(asked([4, 40], [8, 1], [0.0, 0.5]), max_num_batched_tokens=16)
    # the second prompt takes 15 + 15 + 10 tokens of three steps, next to one decode token each
    alone = t.dense_s[4] + 1e-4 * 10 + 1e-2
    steps = [
        t.dense_s[16] + 1e-3 * 5 + 1e-4 * 15 * (0 + 8.0) + 2e-2,
        t.dense_s[16] + 1e-3 * 6 + 1e-4 * 15 * (15 + 8.0) + 2e-2,
        t.dense_s[11] + 1e-3 * 7 + 1e-4 * 10 * (30 + 5.5) + 2e-2,
    ]
    assert out.first_s[1] == pytest.approx(alone + sum(steps))


def test_a_shared_step_is_split_by_the_shapley_value() -> None:
    t = times(16)
    out = one(asked([4, 8], [2, 1], [0.0, 0.5]), max_num_batched_tokens=16)
    both, prompt, answer = t.dense_s[9], t.dense_s[8], t.dense_s[1]
    decode = 0.5 * (answer + both - prompt) + 1e-3 * 5 + 1e-2
    assert out.totals.decode_s == pytest.approx(decode)


def test_requests_run_up_to_max_num_seqs_in_order() -> None:
    out = one(asked([4, 4, 4], [5, 5, 5], [0.0, 0.1, 0.2]), max_num_seqs=1)
    assert out.first_s[1] > out.finish_s[0]
    assert out.first_s[2] > out.finish_s[1]


@pytest.mark.parametrize("preemption", ["recompute", "swap"])
def test_kv_shortage_preempts_the_last(preemption: str) -> None:
    work = asked([16, 16], [40, 40])
    out = one(work, kv_blocks=5, preemption=preemption, swap_token_s=0.01)
    assert out.preemptions.tolist() == [0, 1]
    assert out.finish_s[0] < out.finish_s[1]
    assert (out.totals.recomputed_tokens > 16) == (preemption == "recompute")
    conserved(work, out)


def test_a_swapped_request_waits_for_its_kv() -> None:
    work = asked([16, 16], [40, 40])
    now, later = (
        one(work, kv_blocks=5, preemption="swap", swap_token_s=s).finish_s for s in (0.0, 0.5)
    )
    # the victim has 33 tokens of KV when the fifth block is needed for a third time
    assert now[0] == later[0]
    assert later[1] - now[1] == pytest.approx(0.5 * 32)


def test_a_request_that_never_fits_is_refused_and_a_full_queue_rejects() -> None:
    work = asked([200, 8, 8], [1, 2, 2], [0.0, 0.0, 1.0])
    out = one(work, kv_blocks=4)
    assert out.state.tolist() == [1, 0, 0]
    conserved(work, out)
    out = one(asked([8] * 4, [9] * 4), max_num_seqs=1, queue_limit=2)
    # all come at once and before the first step: two may wait
    assert out.state.tolist() == [0, 0, 2, 2]
    assert np.isnan(out.first_s).tolist() == [False, False, True, True]


def test_classes_are_admitted_and_preempted_in_order() -> None:
    work = replace(asked([16] * 3, [40] * 3), slo_class=np.array([2, 1, 0]))
    out = one(work, max_num_seqs=1, priority=True)
    assert np.argsort(out.first_s).tolist() == [2, 1, 0]
    work = replace(asked([16, 16], [40, 40]), slo_class=np.array([1, 0]))
    assert one(work, kv_blocks=5, priority=True).preemptions.tolist() == [1, 0]


def test_prompts_come_first_or_alone_where_the_rules_say_so() -> None:
    work = asked([8, 40], [30, 2], [0.0, 2.5])
    mixed, first, alone = (
        one(work, rules=rules, max_num_batched_tokens=48)
        for rules in ("vllm-v1", "sglang", "vllm-v0")
    )
    # without decodes beside it the second prompt is done sooner, and the first answer later
    assert first.first_s[1] < mixed.first_s[1]
    assert first.finish_s[0] > mixed.finish_s[0]
    np.testing.assert_array_equal(first.finish_s, alone.finish_s)


def test_prefix_hits_skip_work_but_never_the_last_token() -> None:
    for cache in ("lru", "radix", "endless"):
        out = one(PREFIXED, prefix_cache=cache)
        # full blocks only: 32 of 40 tokens; of 32 one must be computed, so one block only
        assert out.cached_tokens.tolist() == [0, 32, 16]
        conserved(PREFIXED, out)
    assert one(PREFIXED, prefix_cache="none").totals.cached_tokens == 0


def test_the_least_recently_used_prefix_goes_first() -> None:
    blocks = [[1, 2], [3, 4], [5, 6], [3, 4], [1, 2]]
    work = asked([33] * 5, [2] * 5, [0.0, 50.0, 100.0, 150.0, 200.0], blocks)
    # room for 6 blocks: the third request pushes out a block of the first, not of the second;
    # tails leave before heads: block 2 first, so block 1 is still found at the end
    for cache in ("lru", "radix"):
        out = one(work, kv_blocks=6, prefix_cache=cache)
        assert out.cached_tokens.tolist() == [0, 0, 0, 32, 16]


def test_who_waits_is_let_in_by_a_prefix_that_was_just_computed() -> None:
    blocks = [[20], [10, 11], [10, 11, 12]]
    work = asked([16, 20, 39], [39, 53, 55], [0.0, 0.1, 0.2], blocks)
    out = one(work, max_num_seqs=3, kv_blocks=6)
    # it starts in the step after the second's prompt, next to two decodes: 39 - 16 tokens
    step = times().dense_s[25] + 1e-3 * (18 + 21) + 1e-4 * 23 * (16 + 12.0) + 3e-2
    assert out.first_s[2] == pytest.approx(out.first_s[1] + step)
    assert out.cached_tokens.tolist() == [0, 0, 16]
    conserved(work, out)


def test_preempted_requests_do_not_count_hits_twice() -> None:
    work = asked([33] * 3, [60] * 3, [0.0, 0.1, 60.0], [[1, 2], [1, 3], [1, 2]])
    out = one(work, kv_blocks=8)
    assert out.totals.preemptions > 0
    conserved(work, out)


def test_a_closed_loop_sends_the_next_request_when_one_ends() -> None:
    out = one(replace(asked([8] * 4, [3, 5, 3, 3]), clients=2))
    assert out.arrival_s[2] == out.finish_s[0]
    assert out.arrival_s[3] == out.finish_s[1]


def test_turns_follow_the_end_of_the_turn_before() -> None:
    after, wait = np.array([-1, 0, 0, 2]), np.array([0.0, 1.5, 0.0, 7.0])
    out = one(replace(asked([8] * 4, [3] * 4), after=after, wait_s=wait))
    ends = out.finish_s[[0, 0, 2]] + wait[1:]
    np.testing.assert_array_equal(out.arrival_s[1:], ends)


def test_window_sums_cover_only_the_window() -> None:
    work = asked([8] * 3, [4] * 3, [0.0, 100.0, 200.0])
    fleet = Fleet(Pool(times(), Scheduler(max_num_seqs=4, max_num_batched_tokens=64)))
    out = simulate(fleet, work, window_s=(100.0, 200.0))
    assert out.window_totals.output_tokens == 4
    assert out.window_s == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"max_num_seqs": 0}, "max_num_seqs"),
        ({"max_num_batched_tokens": 3}, "so that every answer gets on"),
        ({"kv_blocks": 0}, "kv_blocks"),
        ({"prefix_cache": "fifo"}, "none, lru, radix, endless"),
        ({"rules": "fifo"}, "vllm-v1, sarathi, vllm-v0, sglang"),
        ({"block_tokens": 12}, "a multiple of block_tokens, 12"),
    ],
)
def test_impossible_limits_are_named(limits: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        one(PREFIXED, **limits)


def test_impossible_requests_are_named_all_at_once() -> None:
    work = replace(
        asked([8, 0], [1, 1], [1.0, 0.0]), after=np.array([-1, 1]), wait_s=np.array([0.0, -1.0])
    )
    with pytest.raises(InputError) as error:
        one(work)
    keys = {problem.key for problem in error.value.problems}
    assert keys == {"input_tokens, output_tokens", "after", "wait_s"}
    with pytest.raises(InputError, match="times that fall"):
        one(asked([8, 8], [1, 1], [1.0, 0.0]))
    with pytest.raises(InputError, match="up to 64 tokens"):
        simulate(Fleet(Pool(times(64), Scheduler(max_num_batched_tokens=300))), PREFIXED)


# --- laws over random workloads ----------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(cases())
def test_skipping_equals_every_step(case: tuple[Fleet, Requests]) -> None:
    fleet, work = case
    window = (float(work.arrival_s.max()) * 0.3, float(work.arrival_s.max()) * 0.9)
    fast = simulate(fleet, work, window_s=window, series_s=7.0)
    slow = simulate(fleet, work, window_s=window, series_s=7.0, exact=True)
    for name in ("arrival_s", "scheduled_s", "first_s", "finish_s", "service_s"):
        np.testing.assert_allclose(getattr(fast, name), getattr(slow, name), rtol=1e-9)
    for name in ("state", "instance", "cached_tokens", "preemptions", "restarts"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name))
    np.testing.assert_allclose(fast.totals, slow.totals, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fast.window_totals, slow.window_totals, rtol=1e-9, atol=1e-9)
    assert fast.window_s == pytest.approx(slow.window_s, rel=1e-9, abs=1e-9)
    assert fast.series is not None
    assert slow.series is not None
    for name in ("time_s", "running", "waiting", "kv_share", "instances"):
        np.testing.assert_allclose(getattr(fast.series, name), getattr(slow.series, name))
    conserved(work, fast)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_same_input_same_bytes_for_any_threads(case: tuple[Fleet, Requests]) -> None:
    runs = [simulate(*case, threads=threads, series_s=9.0) for threads in (1, 2, 3)]
    for other in runs[1:]:
        assert runs[0].finish_s.tobytes() == other.finish_s.tobytes()
        assert runs[0].by_instance == other.by_instance
        assert runs[0].window_s == other.window_s
