"""The plain simulator that the event loop is compared with, against cases worked by hand."""

from typing import Any

import numpy as np
import oracle
import pytest

from lineshaft.stages.serve.deployment import Fleet, Pool, Scheduler
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import StepTimes

TOKENS = np.arange(257, dtype=np.float64)
FLAT = StepTimes(np.where(TOKENS > 0, 1.0, 0.0), 0 * TOKENS, kv_s=0.0, pair_s=0.0, seq_s=0.0)
"""Every step takes one second."""


def asked(
    inputs: list[int],
    outputs: list[int],
    arrival: list[float] | None = None,
    blocks: list[list[int]] | None = None,
    **more: Any,
) -> Requests:
    ids = [one for row in blocks or [] for one in row]
    start = np.cumsum([0, *(len(row) for row in blocks or [])])
    given: dict[str, Any] = {
        key: np.array(value) if key != "clients" else value for key, value in more.items()
    }
    return Requests(
        "hand",
        np.array(arrival or [0.0] * len(inputs)),
        np.array(inputs),
        np.array(outputs),
        block_ids=np.array(ids, np.int64),
        block_start=start if blocks else np.empty(0, np.int64),
        block_tokens=16 if blocks else 0,
        **given,
    )


def serve(requests: Requests, times: StepTimes = FLAT, **limits: Any) -> oracle.Result:
    given: dict[str, Any] = {"max_num_seqs": 4, "max_num_batched_tokens": 32}
    given |= {"prefix_cache": "none"} | limits
    return oracle.simulate(Fleet(Pool(times, Scheduler(**given))), requests)


def test_the_time_of_each_step_is_the_sum_of_its_terms() -> None:
    times = StepTimes(
        0.1 * TOKENS, 0 * TOKENS, kv_s=1e-3, pair_s=1e-2, seq_s=1.0, mixed_s=10.0, chunk_s=5.0
    )
    out = serve(asked([4], [3]), times)
    prompt = 0.4 + 1.0 + 10.0 + 5.0 + 1e-2 * 10
    assert out.first_s[0] == pytest.approx(prompt)
    assert out.finish_s[0] == pytest.approx(prompt + 2 * 1.1 + 1e-3 * (5 + 6))


def test_one_chunk_lies_on_one_of_two_ranks_and_two_on_both() -> None:
    times = StepTimes(0.1 * TOKENS, 0 * TOKENS, kv_s=0.0, pair_s=1e-2, seq_s=0.0, ranks=2)
    one = serve(asked([4], [1]), times)
    assert one.finish_s[0] == pytest.approx(0.8 + 2 * 1e-2 * 10)
    two = serve(asked([4, 4], [1, 1]), times)
    assert two.finish_s.tolist() == pytest.approx([0.8 + 1e-2 * 20] * 2)


def test_vllm_v1_mixes_decodes_and_chunks_under_one_budget() -> None:
    out = serve(asked([8, 60], [6, 2]))
    # 8 + 24 tokens, then 1 + 31, then 1 + 5
    assert out.first_s.tolist() == [1.0, 3.0]
    assert out.finish_s.tolist() == [6.0, 4.0]
    assert out.scheduled_s.tolist() == [0.0, 0.0]


def test_a_threshold_cuts_long_prompts() -> None:
    out = serve(asked([30, 30], [1, 1]), long_prefill_token_threshold=10)
    assert out.first_s.tolist() == [3.0, 3.0]


def test_vllm_v0_computes_whole_prompts_alone() -> None:
    # prompts of 20 do not fit twice into 32; decodes wait until both are done
    out = serve(asked([20, 20], [3, 3]), rules="vllm-v0")
    assert out.first_s.tolist() == [1.0, 2.0]
    assert out.finish_s.tolist() == [4.0, 4.0]
    # 3 x 12 is too much: padded to the longest
    out = serve(asked([4, 12, 10], [1, 1, 1]), rules="vllm-v0")
    assert out.first_s.tolist() == [1.0, 1.0, 2.0]


def test_sglang_computes_prompts_first_and_decodes_wait() -> None:
    out = serve(asked([8, 60], [3, 2]), rules="sglang")
    # 8 + 24, then 32, then 4 tokens of prompts; then both decode
    assert out.first_s.tolist() == [1.0, 3.0]
    assert out.finish_s.tolist() == [5.0, 4.0]


def test_sarathi_reserves_whole_prompts_and_keeps_the_watermark() -> None:
    # 4 of 10 blocks, of which 2 stay free: a second prompt of 5 waits for the first to end
    limits: dict[str, Any] = {"rules": "sarathi", "kv_blocks": 10, "watermark": 0.2}
    out = serve(asked([64, 80], [2, 2]), **limits)
    assert out.first_s.tolist() == [2.0, 6.0]
    out = serve(asked([64, 64], [2, 2]), **limits)
    assert out.first_s.tolist() == [2.0, 5.0]  # 31 tokens beside a decode, then 32 and 1


def test_whole_prompts_must_fit_where_the_engine_asks_for_it() -> None:
    # 5 blocks: 2 for the first; the second needs 4, its first chunk one
    early = serve(asked([24, 60], [8, 2]), kv_blocks=5)
    late = serve(asked([24, 60], [8, 2]), kv_blocks=5, whole_prompt_fits=True)
    assert early.scheduled_s.tolist() == [0.0, 0.0]
    assert early.preemptions.tolist() == [0, 3]  # it is admitted again and again, in vain
    assert late.scheduled_s.tolist() == [0.0, 8.0]
    assert late.preemptions.tolist() == [0, 0]


def test_kv_shortage_preempts_the_last_which_computes_all_again() -> None:
    # two blocks each, one spare: at 33 tokens the second gives way
    out = serve(asked([16, 16], [20, 20]), kv_blocks=3)
    # first tokens at 1; after one more step each holds 17 tokens and needs a second block
    assert out.preemptions.tolist() == [0, 1]
    assert out.first_s.tolist() == [1.0, 1.0]
    assert out.finish_s[0] == 20.0
    # it had one token; 17 tokens are computed at 21, 18 answer tokens follow
    assert out.finish_s[1] == 39.0


def test_priority_preempts_the_least_urgent_and_admits_the_most_urgent() -> None:
    out = serve(asked([16, 16], [20, 20], slo_class=[1, 0]), kv_blocks=3, priority=True)
    assert out.preemptions.tolist() == [1, 0]
    out = serve(
        asked([8, 8, 8], [5, 1, 1], [0.0, 1.5, 2.5], slo_class=[0, 1, 0]),
        max_num_seqs=1,
        priority=True,
    )
    assert out.first_s.tolist() == [1.0, 7.0, 6.0]


def test_prefix_blocks_are_found_but_never_the_last_token() -> None:
    work = asked([32, 32, 40], [1, 1, 1], [0.0, 5.0, 10.0], [[1, 2], [1, 2], [1, 2, 3]])
    for cache in ("lru", "radix", "endless"):
        assert serve(work, prefix_cache=cache).cached_tokens.tolist() == [0, 16, 32]
    assert serve(work, prefix_cache="none").cached_tokens.tolist() == [0, 0, 0]


def test_lru_evicts_the_longest_unused_and_radix_the_longest_unused_leaf() -> None:
    # 4 blocks of KV: [1, 2] then [1, 3], both there as 1, 2, 3; [4, 5] takes two, one is free
    blocks = [[1, 2], [1, 3], [4], [1, 2], [1, 3]]
    work = asked([32, 32, 31, 33, 33], [1] * 5, [0.0, 5.0, 10.0, 15.0, 20.0], blocks)
    lru = serve(work, prefix_cache="lru", kv_blocks=4)
    radix = serve(work, prefix_cache="radix", kv_blocks=4)
    # leaf 2 is the longest unused for both; afterwards it is computed and takes the place of 4
    assert lru.cached_tokens[:4].tolist() == [0, 16, 0, 16]
    assert radix.cached_tokens[:4].tolist() == [0, 16, 0, 16]


def test_own_blocks_are_found_again_after_preemption() -> None:
    work = asked([32, 32], [20, 20], blocks=[[1, 2], [3, 4]])
    lost = serve(work, kv_blocks=5, max_num_batched_tokens=64)
    kept = serve(work, kv_blocks=5, max_num_batched_tokens=64, prefix_cache="lru")
    assert lost.preemptions.tolist() == kept.preemptions.tolist() == [0, 1]
    assert kept.finish_s[1] <= lost.finish_s[1]
    assert kept.cached_tokens.tolist() == [0, 0]  # a second hit of the same tokens counts not


def test_a_closed_loop_sends_the_next_when_one_ends() -> None:
    out = serve(asked([8, 8, 8], [2, 4, 2], clients=2))
    assert out.arrival_s.tolist() == [0.0, 0.0, 2.0]
    assert out.finish_s.tolist() == [2.0, 4.0, 4.0]


def test_a_request_waits_for_the_one_before_it() -> None:
    out = serve(asked([8, 8], [2, 2], after=[-1, 0], wait_s=[0.0, 3.0]))
    assert out.arrival_s.tolist() == [0.0, 5.0]
    assert out.finish_s.tolist() == [2.0, 7.0]


def test_refused_is_what_never_fits_and_rejected_what_finds_a_full_queue() -> None:
    out = serve(asked([100, 8, 8, 8], [1] * 4), kv_blocks=4, max_num_seqs=1, queue_limit=2)
    assert out.state.tolist() == [oracle.REFUSED, 0, 0, oracle.REJECTED]
    assert np.isnan(out.first_s).tolist() == [True, False, False, True]


def test_round_robin_and_a_pool_that_answers() -> None:
    limits = Scheduler(max_num_seqs=4, max_num_batched_tokens=32, prefix_cache="none")
    fleet = Fleet(
        Pool(FLAT, limits, instances=2),
        decode=Pool(FLAT, limits),
        transfer_s=0.5,
        transfer_token_s=0.25,
    )
    out = oracle.simulate(fleet, asked([8, 16, 8], [3, 1, 2]))
    assert out.instance.tolist() == [0, 1, 0]
    assert out.first_s.tolist() == [1.0, 1.0, 1.0]
    # 0.5 + 8 * 0.25 later two of them decode elsewhere; the second had one token only
    assert out.finish_s.tolist() == [5.5, 1.0, 4.5]
