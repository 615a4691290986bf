"""The event loop: hand-checked cases, laws, and its modes against each other."""

from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.serve import Scheduler, Simulated, StepTimes, kernel, simulate
from lineshaft.traces import Trace

SMALL = Scheduler(4, 64, 100)


def times(max_tokens: int = 64) -> StepTimes:
    tokens = np.arange(max_tokens + 1, dtype=np.float64)
    dense = np.where(tokens > 0, np.sqrt(1.0 + (0.1 * tokens) ** 2), 0.0)
    return StepTimes(dense, 0.05 * tokens, kv_s=1e-3, pair_s=1e-4, seq_s=1e-2)


def trace(
    arrival: list[float],
    inputs: list[int],
    outputs: list[int],
    blocks: list[list[int]] | None = None,
) -> Trace:
    ids = np.array([one for row in blocks or [] for one in row], np.int64)
    start = np.cumsum([0, *(len(row) for row in blocks or [])]).astype(np.int64)
    return Trace(
        "test",
        np.array(arrival, np.float64),
        np.array(inputs, np.int64),
        np.array(outputs, np.int64),
        ids,
        start if blocks else np.empty(0, np.int64),
        16 if blocks else 0,
    )


def conserved(work: Trace, out: Simulated, scheduler: Scheduler) -> None:
    """Tokens in = computed + cached; requests in = finished + refused; time adds up."""
    done = ~np.isnan(out.finish_s)
    t = out.totals
    assert t.input_tokens + t.cached_tokens == work.input_tokens[done].sum()
    assert t.cached_tokens == out.cached_tokens.sum()
    assert t.output_tokens == work.output_tokens[done].sum()
    assert t.decode_tokens == (work.output_tokens[done] - 1).sum()
    assert t.refused == (~done).sum()
    assert t.preemptions == out.preemptions.sum()
    assert (t.recomputed_tokens > 0) <= (t.preemptions > 0)
    assert t.prefill_s + t.cached_s + t.decode_s == pytest.approx(t.busy_s, rel=1e-9)
    assert t.busy_s <= out.end_s + 1e-9
    assert t.active_s <= t.busy_s
    # each pair of a computed and a found token is counted once, however often it is recomputed
    pairs = (out.cached_tokens * (work.input_tokens - out.cached_tokens))[done].sum()
    half = 0.5 * times().pair_s * pairs
    assert t.cached_s <= half * (1 + 1e-9) + 1e-12
    if t.preemptions == 0:
        assert t.cached_s == pytest.approx(half, rel=1e-9, abs=1e-12)
    assert (out.first_s[done] > out.arrival_s[done]).all()
    assert (out.finish_s[done] >= out.first_s[done]).all()
    need = -(-(work.input_tokens + work.output_tokens) // 16)
    assert ((need > scheduler.kv_blocks) == ~done).all()


def test_one_request_by_hand() -> None:
    t = times()
    out = simulate(trace([2.0], [10], [3]), t, Scheduler(4, 64, 100))
    first = 2.0 + t.dense_s[10] + 1e-4 * 55 + 1e-2
    # two decode steps that read 11 and 12 tokens
    last = first + 2 * (t.dense_s[1] + 1e-2) + 1e-3 * 23
    assert out.first_s[0] == pytest.approx(first)
    assert out.finish_s[0] == pytest.approx(last)
    assert out.totals.iterations == 3


def test_a_long_prompt_is_chunked_beside_a_decode() -> None:
    t = times(16)
    out = simulate(trace([0.0, 0.5], [4, 40], [8, 1]), t, Scheduler(4, 16, 100))
    # the second prompt takes 15 + 15 + 10 tokens of three steps, next to one decode token each
    one = t.dense_s[4] + 1e-4 * 10 + 1e-2
    steps = [
        t.dense_s[16] + 1e-3 * 5 + 1e-4 * 15 * (0 + 8.0) + 2e-2,
        t.dense_s[16] + 1e-3 * 6 + 1e-4 * 15 * (15 + 8.0) + 2e-2,
        t.dense_s[11] + 1e-3 * 7 + 1e-4 * 10 * (30 + 5.5) + 2e-2,
    ]
    assert out.first_s[1] == pytest.approx(one + sum(steps))


def test_shared_step_is_split_by_shapley() -> None:
    t = times(16)
    out = simulate(trace([0.0, 0.5], [4, 8], [2, 1]), t, Scheduler(4, 16, 100))
    both, prompt, answer = t.dense_s[9], t.dense_s[8], t.dense_s[1]
    decode = 0.5 * (answer + both - prompt) + 1e-3 * 5 + 1e-2
    assert out.totals.decode_s == pytest.approx(decode)


def test_requests_run_up_to_max_num_seqs_in_order() -> None:
    out = simulate(trace([0.0, 0.1, 0.2], [4, 4, 4], [5, 5, 5]), times(), Scheduler(1, 64, 100))
    assert out.first_s[1] > out.finish_s[0]
    assert out.first_s[2] > out.finish_s[1]


def test_kv_shortage_preempts_the_last_and_recomputes_it() -> None:
    work = trace([0.0, 0.0], [16, 16], [40, 40])
    scheduler = Scheduler(4, 64, 5)
    out = simulate(work, times(), scheduler)
    assert out.preemptions.tolist() == [0, 1]
    assert out.totals.recomputed_tokens > 16
    assert out.finish_s[0] < out.finish_s[1]
    conserved(work, out, scheduler)


def test_a_request_that_never_fits_is_refused() -> None:
    work = trace([0.0, 0.0, 1.0], [200, 8, 8], [1, 2, 2])
    out = simulate(work, times(), Scheduler(4, 64, 4))
    assert np.isnan(out.finish_s).tolist() == [True, False, False]
    conserved(work, out, Scheduler(4, 64, 4))


def test_prefix_hits_skip_work_but_never_the_last_token() -> None:
    work = trace([0.0, 50.0, 100.0], [40, 40, 32], [2, 2, 2], [[1, 2, 3], [1, 2, 4], [1, 2]])
    for cache in ("lru", "endless"):
        out = simulate(work, times(), Scheduler(4, 64, 100, cache))
        # full blocks only: 32 of 40 tokens; of 32 one must be computed, so one block only
        assert out.cached_tokens.tolist() == [0, 32, 16]
        conserved(work, out, Scheduler(4, 64, 100, cache))
    assert simulate(work, times(), Scheduler(4, 64, 100, "none")).totals.cached_tokens == 0


WAITS_FOR_A_PREFIX = (
    trace([0.0, 0.1, 0.2], [16, 20, 39], [39, 53, 55], [[20], [10, 11], [10, 11, 12]]),
    Scheduler(3, 64, 6, "lru"),
)
"""The third request lacks a block until the second, which runs, has computed their prefix."""


@pytest.mark.parametrize("exact", [False, True])
def test_who_waits_is_let_in_by_a_prefix_that_was_just_computed(exact: bool) -> None:
    work, scheduler = WAITS_FOR_A_PREFIX
    out = simulate(work, times(), scheduler, exact=exact)
    t = times()
    # it starts in the step after the second's prompt, next to two decodes: 39 - 16 tokens
    step = t.dense_s[25] + 1e-3 * (18 + 21) + 1e-4 * 23 * (16 + 12.0) + 3e-2
    assert out.first_s[2] == pytest.approx(out.first_s[1] + step)
    assert out.cached_tokens.tolist() == [0, 0, 16]
    conserved(work, out, scheduler)


def test_the_least_recently_used_prefix_goes_first() -> None:
    # room for 6 blocks: the third request pushes out a block of the first, not of the second
    blocks = [[1, 2], [3, 4], [5, 6], [3, 4], [1, 2]]
    work = trace([0.0, 50.0, 100.0, 150.0, 200.0], [33] * 5, [2] * 5, blocks)
    out = simulate(work, times(), Scheduler(4, 64, 6, "lru"))
    # tails leave before heads: block 2 first, so block 1 is still found at the end
    assert out.cached_tokens.tolist() == [0, 0, 0, 32, 16]


def test_preempted_requests_do_not_count_hits_twice() -> None:
    work = trace([0.0, 0.1, 60.0], [33, 33, 33], [60, 60, 60], [[1, 2], [1, 3], [1, 2]])
    scheduler = Scheduler(4, 64, 8, "lru")
    out = simulate(work, times(), scheduler)
    assert out.totals.preemptions > 0
    conserved(work, out, scheduler)


def test_closed_loop_sends_the_next_request_when_one_ends() -> None:
    out = simulate(trace([0.0] * 4, [8] * 4, [3, 5, 3, 3]), times(), SMALL, clients=2)
    assert out.arrival_s[2] == out.finish_s[0]
    assert out.arrival_s[3] == out.finish_s[1]


def test_window_sums_cover_only_the_window() -> None:
    work = trace([0.0, 100.0, 200.0], [8, 8, 8], [4, 4, 4])
    out = simulate(work, times(), Scheduler(4, 64, 100), window_s=(100.0, 200.0))
    assert out.window_totals.output_tokens == 4
    assert out.window_s == pytest.approx(100.0)


@pytest.mark.parametrize(
    "scheduler", [Scheduler(0), Scheduler(4, 0), Scheduler(4, 64, 0), Scheduler(4, 64, 9, "fifo")]
)
def test_impossible_limits_are_input_errors(scheduler: Scheduler) -> None:
    with pytest.raises(InputError):
        simulate(trace([0.0], [8], [2]), times(), scheduler)


def test_step_times_must_cover_the_budget() -> None:
    with pytest.raises(InputError, match="up to 64 tokens"):
        simulate(trace([0.0], [8], [2]), times(64), Scheduler(4, 65, 9))


# --- laws over random workloads ----------------------------------------------------------------


@st.composite
def workloads(draw: st.DrawFn) -> tuple[Trace, Scheduler]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 30))
    arrival = np.sort(rng.uniform(0, draw(st.sampled_from([1.0, 60.0, 600.0])), n))
    inputs = rng.integers(1, 120, n)
    outputs = rng.integers(1, 60, n)
    blocks = []
    for size in inputs:
        family = int(rng.integers(0, 3))
        shared = int(rng.integers(0, 8))
        own = int(rng.integers(100, 10**6))
        count = -(-int(size) // 16)
        blocks.append([family * 10 + j if j < shared else own + j for j in range(count)])
    work = trace(arrival.tolist(), inputs.tolist(), outputs.tolist(), blocks)
    scheduler = Scheduler(
        draw(st.integers(1, 12)),
        draw(st.sampled_from([1, 7, 16, 64])),
        draw(st.integers(6, 60)),
        draw(st.sampled_from(["none", "lru", "endless"])),
    )
    return work, scheduler


LARGE_REQUESTS = (
    trace(
        [0.053, 0.076, 0.196, 0.253, 0.286, 0.363, 0.389, 0.395, 0.482, 0.609, 0.811, 0.866, 0.982],
        [85, 16, 20, 102, 39, 104, 84, 101, 40, 81, 117, 52, 93],
        [39, 39, 53, 52, 55, 25, 1, 46, 24, 33, 8, 41, 56],
        [
            [10, 11, 12, 13, 14, 15],
            [20],
            [10, 11],
            [0, 101, 102, 103, 104, 105, 106],
            [10, 11, 12],
            [111, 112, 113, 114, 115, 116, 117],
            [20, 21, 22, 121, 122, 123],
            [0, 1, 2, 3, 4, 5, 131],
            [0, 1, 2],
            [20, 21, 22, 23, 141, 142],
            [20, 21, 22, 23, 24, 25, 26, 151],
            [10, 11, 12, 13],
            [20, 21, 22, 161, 162, 163],
        ],
    ),
    Scheduler(3, 64, 6, "lru"),
)
"""Refusals, preemptions, evictions and shared prefixes in one."""


@settings(max_examples=150, deadline=None)
@given(workloads(), st.sampled_from([0, 3]))
@example(WAITS_FOR_A_PREFIX, 0)
@example(LARGE_REQUESTS, 0)
def test_skipping_equals_every_iteration(case: tuple[Trace, Scheduler], clients: int) -> None:
    work, scheduler = case
    fast = simulate(work, times(), scheduler, clients=clients)
    slow = simulate(work, times(), scheduler, clients=clients, exact=True)
    np.testing.assert_allclose(fast.first_s, slow.first_s, rtol=1e-9)
    np.testing.assert_allclose(fast.finish_s, slow.finish_s, rtol=1e-9)
    np.testing.assert_allclose(fast.totals, slow.totals, rtol=1e-9, atol=1e-9)
    assert fast.preemptions.tolist() == slow.preemptions.tolist()
    assert fast.cached_tokens.tolist() == slow.cached_tokens.tolist()
    conserved(work, fast, scheduler)


@pytest.fixture
def python_twin() -> Iterator[None]:
    with patch.object(kernel, "simulate", kernel.simulate.py_func):
        yield


@pytest.mark.usefixtures("python_twin")
@settings(max_examples=25, deadline=None)
@given(workloads(), st.booleans())
def test_python_twin_equals_compiled(case: tuple[Trace, Scheduler], exact: bool) -> None:
    work, scheduler = case
    twin = simulate(work, times(), scheduler, exact=exact)
    with patch.object(kernel, "simulate", COMPILED):
        fast = simulate(work, times(), scheduler, exact=exact)
    np.testing.assert_allclose(twin.finish_s, fast.finish_s, rtol=1e-12)
    np.testing.assert_allclose(twin.totals, fast.totals, rtol=1e-12)
    assert twin.cached_tokens.tolist() == fast.cached_tokens.tolist()


COMPILED = kernel.simulate


@settings(max_examples=20, deadline=None)
@given(workloads())
def test_same_input_same_bytes(case: tuple[Trace, Scheduler]) -> None:
    one, two = (simulate(case[0], times(), case[1]) for _ in range(2))
    assert one.finish_s.tobytes() == two.finish_s.tobytes()
    assert one.totals == two.totals
