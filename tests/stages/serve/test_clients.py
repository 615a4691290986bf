"""Clients: rates, bursts, days, sessions that share exactly their prefixes, counted randomness."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lineshaft.errors import InputError
from lineshaft.stages.serve.clients import (
    Arrivals,
    Lengths,
    Sessions,
    Wait,
    between,
    closed_loop,
    fixed,
    merge,
    open_loop,
    pool,
    replay,
    sessions,
)
from lineshaft.stages.serve.requests import Requests
from lineshaft.traces import synthetic

SKEWED = Lengths(mean=300.0, median=200.0)
COLUMNS = ("arrival_s", "input_tokens", "output_tokens", "after", "wait_s", "slo_class")


def chains(requests: Requests) -> list[list[int]]:
    ids, start = requests.block_ids.tolist(), requests.block_start.tolist()
    return [ids[a:b] for a, b in pairwise(start)]


def common(a: list[int], b: list[int]) -> int:
    """Blocks that two chains share; they share nothing after the first that differs."""
    same = [x == y for x, y in zip(a, b, strict=False)]
    shared = same.index(False) if False in same else len(same)
    assert not set(a[shared:]) & set(b[shared:])
    return shared


def starts_with(long: Requests, short: Requests, rows: int) -> None:
    for name in COLUMNS:
        a, b = getattr(long, name), getattr(short, name)
        np.testing.assert_array_equal(a[:rows], b[:rows], err_msg=name)


# --- open loop -----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 1e4), st.sampled_from([0.0, 0.5, 1.0, 2.5]), st.integers(0, 2**64 - 1))
def test_arrivals_have_their_rate_and_their_burstiness(rate: float, cv: float, seed: int) -> None:
    n = 40_000
    made = open_loop(Arrivals(rate, cv), fixed(10), fixed(10), requests=n, seed=seed)
    gaps = np.diff(made.arrival_s, prepend=0.0)
    assert (gaps >= 0).all()
    # four and a half standard errors of a mean of n gaps
    assert gaps.mean() * rate == pytest.approx(1.0, abs=4.5 * cv / n**0.5 + 1e-9)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.1, abs=1e-9)


@given(st.integers(1, 40), st.integers(0, 300), st.integers(0, 9))
def test_a_longer_run_starts_with_the_same_requests(short: int, more: int, seed: int) -> None:
    arrivals = Arrivals(5.0, 1.5, day=(1.0, 0.0, 3.0), day_s=60.0)
    kwargs = {"shares": (1.0, 3.0), "seed": seed, "prefix_tokens": 40, "prefixes": 3}
    a = open_loop(arrivals, SKEWED, SKEWED, requests=short, **kwargs)  # type: ignore[arg-type]
    b = open_loop(arrivals, SKEWED, SKEWED, requests=short + more, **kwargs)  # type: ignore[arg-type]
    starts_with(b, a, short)
    assert chains(b)[:short] == chains(a)
    other = open_loop(arrivals, fixed(7), SKEWED, requests=short, **kwargs)  # type: ignore[arg-type]
    np.testing.assert_array_equal(other.output_tokens, a.output_tokens)
    np.testing.assert_array_equal(other.arrival_s, a.arrival_s)


def test_seeds_and_purposes_do_not_share_numbers() -> None:
    a, b = (open_loop(Arrivals(1.0), SKEWED, SKEWED, requests=5000, seed=s) for s in (1, 2))
    for x, y in ((a.input_tokens, b.input_tokens), (a.input_tokens, a.output_tokens)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.06


def test_a_run_of_some_duration_holds_what_arrives_in_it() -> None:
    by_time = open_loop(Arrivals(50.0, 3.0), SKEWED, SKEWED, duration_s=100.0, seed=3)
    by_count = open_loop(Arrivals(50.0, 3.0), SKEWED, SKEWED, requests=9000, seed=3)
    n = int((by_count.arrival_s < 100.0).sum())
    assert len(by_time) == n
    starts_with(by_count, by_time, n)


def test_a_day_has_its_shape_and_its_mean() -> None:
    day = tuple(1.0 + hour % 6 for hour in range(24))
    made = open_loop(Arrivals(1.0, day=day), fixed(1), fixed(1), duration_s=2 * 86_400.0, seed=1)
    hours = np.bincount((made.arrival_s // 3600).astype(int), minlength=48)
    expected = 3600 * np.array(day * 2) / np.mean(day)
    assert (np.abs(hours - expected) < 5 * expected**0.5).all()
    quiet = open_loop(
        Arrivals(1.0, day=(0.0, 1.0, 0.0, 2.0)), fixed(1), fixed(1), duration_s=86_400.0
    )
    part = (quiet.arrival_s // 21_600).astype(int)
    assert set(part.tolist()) == {1, 3}
    assert (part == 3).sum() / (part == 1).sum() == pytest.approx(2.0, rel=0.05)


def test_classes_and_system_prompts_have_their_shares() -> None:
    made = open_loop(
        Arrivals(1.0), between(90, 110), fixed(5), requests=20_000, shares=(1, 0, 3),
        prefix_tokens=100, prefixes=4, block_tokens=32,
    )  # fmt: skip
    assert np.bincount(made.slo_class) / 20_000 == pytest.approx([0.25, 0, 0.75], abs=0.02)
    assert made.input_tokens.min() >= 190
    assert made.input_tokens.max() <= 210
    assert made.input_tokens.mean() == pytest.approx(200, abs=0.5)
    firsts = made.block_ids[made.block_start[:-1]]
    values, counts = np.unique(firsts, return_counts=True)
    assert values.tolist() == [0, 3, 6, 9]  # 100 tokens fill three blocks of 32
    assert counts / 20_000 == pytest.approx(np.full(4, 0.25), abs=0.02)


# --- replay, pool, closed loop -------------------------------------------------------------------


def test_replay_scales_the_rate_and_nothing_else() -> None:
    trace = synthetic(requests=500, seed=1)
    own, double = replay(trace), replay(trace, factor=2.0)
    np.testing.assert_allclose(double.arrival_s, own.arrival_s / 2)
    np.testing.assert_array_equal(double.input_tokens, trace.input_tokens)
    fast = replay(trace, rate_rps=100.0, shares=(1.0, 1.0))
    assert (len(fast) - 1) / fast.arrival_s[-1] == pytest.approx(100.0)
    assert set(fast.slo_class.tolist()) == {0, 1}
    held = replay(trace, clients=7)
    assert held.clients == 7
    assert not held.arrival_s.any()


def test_a_pool_starts_at_once_and_has_its_lengths() -> None:
    made = pool(8, between(80, 100), SKEWED, requests=4000, shares=(1.0,))
    assert made.clients == 8
    assert made.output_tokens.mean() == pytest.approx(300, rel=0.06)
    assert np.median(made.output_tokens) == pytest.approx(200, rel=0.06)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 5))
def test_users_have_one_request_in_flight(users: int, each: int, seed: int) -> None:
    made = closed_loop(
        users, SKEWED, SKEWED, requests_per_user=each, think=Wait(5.0, 0.0), ramp_s=10.0,
        shares=(1.0, 1.0), seed=seed,
    )  # fmt: skip
    first = np.arange(users) * each
    assert (made.after[first] == -1).all()
    assert (made.arrival_s[first] == 10.0 * np.arange(users) / users).all()
    rest = np.setdiff1d(np.arange(len(made)), first)
    assert (made.after[rest] == rest - 1).all()
    assert (made.wait_s[rest] == 5.0).all()
    assert (made.slo_class == np.repeat(made.slo_class[first], each)).all()
    more = closed_loop(
        users + 2, SKEWED, SKEWED, requests_per_user=each, think=Wait(5.0, 0.0), ramp_s=10.0,
        shares=(1.0, 1.0), seed=seed,
    )  # fmt: skip
    np.testing.assert_array_equal(more.input_tokens[: len(made)], made.input_tokens)


def test_thinking_has_its_mean_and_spread() -> None:
    made = closed_loop(500, SKEWED, SKEWED, requests_per_user=20, think=Wait(8.0, 2.0))
    waits = made.wait_s[made.after >= 0]
    assert waits.mean() == pytest.approx(8.0, rel=0.1)
    assert waits.std() / waits.mean() == pytest.approx(2.0, rel=0.1)


# --- sessions ------------------------------------------------------------------------------------

SESSIONS = st.builds(
    Sessions,
    arrivals=st.just(Arrivals(2.0)),
    turns=st.sampled_from([fixed(1), fixed(4), Lengths(3.0, 2.0)]),
    first_tokens=st.sampled_from([fixed(30), SKEWED]),
    turn_tokens=st.just(Lengths(40.0, 20.0)),
    output_tokens=st.just(Lengths(60.0, 50.0)),
    wait=st.just(Wait(3.0, 0.5)),
    system_tokens=st.sampled_from([0, 7, 64, 100]),
    systems=st.integers(1, 3),
    max_tokens=st.sampled_from([0, 400]),
    subcalls=st.integers(0, 2),
)


@settings(max_examples=60, deadline=None)
@given(SESSIONS, st.integers(1, 6), st.sampled_from([1, 16, 33]), st.integers(0, 99))
def test_a_turn_repeats_all_before_it_and_shares_exactly_that(
    of: Sessions, count: int, block: int, seed: int
) -> None:
    made = sessions(of, count=count, block_tokens=block, seed=seed)
    ends = made.input_tokens + made.output_tokens
    if of.max_tokens:
        assert (ends <= of.max_tokens).all()
    roots = np.arange(len(made))
    chain = chains(made) if len(made.block_ids) else [[] for _ in range(len(made))]
    assert [len(one) for one in chain] == (ends // block).tolist()
    for r in range(len(made)):
        parent = int(made.after[r])
        assert parent < r
        if parent < 0:
            assert made.wait_s[r] == 0
            assert made.input_tokens[r] > of.system_tokens
        else:
            roots[r] = roots[parent]
    assert (np.diff(made.arrival_s[made.after < 0]) >= 0).all()
    lines = main_line(made)
    for r in range(len(made)):
        for q in range(r):
            if roots[q] == roots[r]:
                # what the turns of the main line share that they are, or that sent them out
                turn_q, turn_r = lines[q], lines[r]
                assert common(chain[q], chain[r]) == min(ends[turn_q], ends[turn_r]) // block
                if q == turn_q and r == turn_r:
                    assert made.input_tokens[r] > ends[q]
            else:
                shared = common(chain[q], chain[r])
                system = of.system_tokens // block
                assert shared in ({system} if of.systems == 1 else {0, system})


def main_line(made: Requests) -> NDArray[np.int64]:
    """[request] the turn that it is, or that sent it out as a subcall."""
    line = np.arange(len(made))
    for r in range(len(made)):
        if made.after[r] >= 0 and made.wait_s[r] == 0:
            line[r] = made.after[r]
    return line


@settings(max_examples=30, deadline=None)
@given(SESSIONS, st.integers(1, 5), st.integers(1, 20), st.integers(0, 9))
def test_more_sessions_begin_with_the_same_ones(
    of: Sessions, count: int, more: int, seed: int
) -> None:
    a = sessions(of, count=count, shares=(1.0, 2.0), seed=seed)
    b = sessions(of, count=count + more, shares=(1.0, 2.0), seed=seed)
    starts_with(b, a, len(a))
    if len(a.block_ids):
        assert chains(b)[: len(a)] == chains(a)


def test_subcalls_of_an_agent() -> None:
    of = Sessions(
        Arrivals(1.0), turns=fixed(3), first_tokens=fixed(100), turn_tokens=fixed(50),
        output_tokens=Lengths(60.0, 50.0), wait=Wait(2.0, 0.0), subcalls=2,
    )  # fmt: skip
    made = sessions(of, count=4, seed=1)
    assert len(made) == 4 * (3 + 2 * 2)
    after, answer = made.after[:7].tolist(), made.output_tokens
    longest = [1 + int(answer[2] > answer[1]), 4 + int(answer[5] > answer[4])]
    assert after == [-1, 0, 0, longest[0], 3, 3, longest[1]]
    assert made.wait_s[:7].tolist() == [0, 0, 0, 2, 0, 0, 2]
    end = made.input_tokens + answer
    assert made.input_tokens[1] == made.input_tokens[2] == made.input_tokens[3] == end[0] + 50


def test_sessions_share_system_prompts_by_kind() -> None:
    of = Sessions(
        Arrivals(1.0), fixed(2), fixed(10), fixed(10), fixed(10), system_tokens=64, systems=4
    )
    made = sessions(of, count=400)
    firsts = made.block_ids[made.block_start[:-1]]
    values, counts = np.unique(firsts, return_counts=True)
    assert values.tolist() == [0, 4, 8, 12]
    assert counts.min() > 140
    assert (made.block_ids[made.block_start[1:] - 1] >= 16).all()


# --- merge ---------------------------------------------------------------------------------------


def test_merged_clients_keep_their_sessions_and_their_blocks() -> None:
    of = Sessions(
        Arrivals(2.0), Lengths(3.0, 2.0), SKEWED, fixed(20), fixed(30), Wait(2.0), 32, subcalls=1
    )
    chat = sessions(of, count=20, shares=(1.0,), seed=1)
    batch = open_loop(Arrivals(5.0), SKEWED, fixed(9), requests=50, prefix_tokens=48, seed=2)
    users = closed_loop(3, SKEWED, SKEWED, requests_per_user=4, think=Wait(5.0))
    made = merge([chat, batch, users])
    assert len(made) == len(chat) + 50 + 12
    roots = made.after < 0
    assert (np.diff(made.arrival_s[roots]) >= 0).all()
    assert (made.after < np.arange(len(made))).all()
    assert made.input_tokens.sum() == sum(p.input_tokens.sum() for p in (chat, batch, users))
    assert made.wait_s.sum() == pytest.approx(chat.wait_s.sum() + users.wait_s.sum())
    # as many blocks as apart, and as many different ones
    assert len(made.block_ids) == len(chat.block_ids) + len(batch.block_ids)
    distinct = sum(len(np.unique(part.block_ids)) for part in (chat, batch))
    assert len(np.unique(made.block_ids)) == distinct
    # a child still follows its parent: its prompt holds all of it (main line and subcalls alike)
    lines = main_line(made)
    assert all(
        made.input_tokens[r] > made.input_tokens[lines[r]]
        for r in np.where(lines != np.arange(len(made)))[0]
    )
    alone = merge([chat])
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(alone, name), getattr(chat, name))
    assert chains(alone) == chains(chat)


# --- what is refused -----------------------------------------------------------------------------


def test_impossible_clients_are_refused_with_all_their_problems() -> None:
    with pytest.raises(InputError) as error:
        open_loop(
            Arrivals(0.0, -1.0, day=(0.0,), day_s=-1.0), Lengths(1.0, 2.0), fixed(1),
            requests=5, duration_s=5.0, prefixes=0, shares=(-1.0,),
        )  # fmt: skip
    keys = {problem.key.removeprefix("clients.") for problem in error.value.problems}
    assert keys == {
        "rate_rps", "gap_cv", "day", "day_s", "input_tokens", "requests", "prefixes", "classes",
    }  # fmt: skip
    with pytest.raises(InputError, match="one of the two"):
        open_loop(Arrivals(1.0), fixed(1), fixed(1))
    with pytest.raises(InputError, match="factor"):
        replay(synthetic(requests=100), factor=0.0)
    with pytest.raises(InputError, match=r"clients\.clients: is 0"):
        pool(0, fixed(1), fixed(1), requests=5)
    with pytest.raises(InputError, match=r"think\.mean_s"):
        closed_loop(1, fixed(1), fixed(1), requests_per_user=1, think=Wait(-1.0))
    with pytest.raises(InputError, match="rising"):
        sessions(Sessions(Arrivals(1.0), between(9, 3), fixed(1), fixed(1), fixed(1)), count=1)
    with pytest.raises(InputError, match="pool of 3"):
        merge([pool(3, fixed(1), fixed(1), requests=5)])
    with pytest.raises(InputError, match="blocks of 16 and 32"):
        merge(
            open_loop(
                Arrivals(1.0), fixed(1), fixed(1), requests=2, prefix_tokens=64, block_tokens=b
            )
            for b in (16, 32)
        )
    with pytest.raises(InputError, match="nothing"):
        merge([])
