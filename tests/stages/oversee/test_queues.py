"""Erlang B, C and A: textbook answers, independent formulas, a simulation, laws."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.oversee import (
    erlang_a,
    erlang_b,
    erlang_c,
    mean_wait_s,
    priority_waits_s,
    servers_for_delay,
    servers_for_wait,
    wait_quantile_s,
)


def chain(servers: int, load: float, patience: float) -> tuple[float, float, float]:
    """(P(wait), mean queue, P(abandon)) of M/M/c+M by its stationary states; service time 1."""
    states = np.arange(1, servers + 4000)
    leave = np.minimum(states, servers) + np.maximum(states - servers, 0) / patience
    weight = np.concatenate([[0.0], np.cumsum(np.log(load) - np.log(leave))])
    p = np.exp(weight - weight.max())
    p /= p.sum()
    n = np.arange(p.size)
    queue = float(p @ np.maximum(n - servers, 0))
    return float(p[servers:].sum()), queue, queue / patience / load


def test_mm3() -> None:
    assert erlang_c(3, 2.0) == pytest.approx(4 / 9, rel=1e-14)
    assert mean_wait_s(3, 2.0, 1.0) == pytest.approx(4 / 9, rel=1e-14)


def test_calls_that_must_not_wait() -> None:
    np.testing.assert_allclose(erlang_c([5, 6], 2.5), [0.130371, 0.047445], atol=5e-7)
    assert servers_for_delay(30 / 3600, 300.0, 0.9) == 6


def test_fifty_agents() -> None:
    assert erlang_c(50, 48.0) == pytest.approx(0.694456, abs=5e-7)
    assert mean_wait_s(50, 0.8, 60.0) == pytest.approx(20.8337, abs=5e-5)
    assert 0.8 * mean_wait_s(50, 0.8, 60.0) == pytest.approx(16.6669, abs=5e-5)
    assert wait_quantile_s(50, 0.8, 60.0, 0.9) == pytest.approx(58.1387, abs=5e-5)


def test_fifty_agents_and_impatient_callers() -> None:
    out = erlang_a(50, 0.8, 60.0, 120.0)
    assert out.p_abandon == pytest.approx(0.030912, abs=5e-7)
    assert out.mean_wait_s == pytest.approx(3.70947, abs=5e-6)
    assert out.queue == pytest.approx(2.96758, abs=5e-6)
    assert out.utilisation == pytest.approx(0.930324, abs=5e-7)
    assert out.p_wait == pytest.approx(0.467774, abs=5e-7)


@settings(max_examples=60, deadline=None)
@given(servers=st.integers(1, 60), rho=st.floats(0.05, 3.0), patience=st.floats(0.05, 20.0))
@example(servers=1, rho=1.0, patience=1.0)
def test_erlang_a_against_the_chain(servers: int, rho: float, patience: float) -> None:
    load = rho * servers
    p_wait, queue, p_abandon = chain(servers, load, patience)
    out = erlang_a(servers, load, 1.0, patience)
    assert out.p_wait == pytest.approx(p_wait, rel=1e-9, abs=1e-14)
    assert out.p_abandon == pytest.approx(p_abandon, rel=1e-8, abs=1e-13)
    assert out.queue == pytest.approx(queue, rel=1e-8, abs=1e-12)
    # Flow balance: who does not abandon keeps servers busy.
    assert out.utilisation == pytest.approx(rho * (1 - p_abandon), rel=1e-9)


def test_erlang_a_becomes_erlang_c() -> None:
    out = erlang_a(50, 0.8, 60.0, 1e7)
    assert out.p_wait == pytest.approx(float(erlang_c(50, 48.0)), rel=1e-3)
    assert out.mean_wait_s == pytest.approx(float(mean_wait_s(50, 0.8, 60.0)), rel=1e-3)


def test_heavy_overload_is_finite() -> None:
    out = erlang_a(np.array([1, 10_000]), np.array([1e4, 1e5]), 1.0, 100.0)
    np.testing.assert_allclose(out.utilisation, 1.0)
    np.testing.assert_allclose(out.p_abandon, [1 - 1e-4, 0.9], rtol=1e-6)


@given(servers=st.integers(0, 200), load=st.floats(0.01, 300.0))
def test_erlang_b_against_its_sum(servers: int, load: float) -> None:
    logs = np.arange(servers + 1) * np.log(load)
    logs[1:] -= np.cumsum(np.log(np.arange(1, servers + 1)))
    terms = np.exp(logs - logs.max())
    assert erlang_b(servers, load) == pytest.approx(terms[-1] / terms.sum(), rel=1e-10)


def test_shapes_broadcast() -> None:
    c, a = np.arange(1, 7)[:, None], np.linspace(0.1, 9.0, 5)[None, :]
    table = erlang_c(c, a)
    assert table.shape == (6, 5)
    assert table[3, 2] == erlang_c(4, a[0, 2])
    assert (table[np.broadcast_to(a >= c, table.shape)] == 1.0).all()
    assert np.isinf(mean_wait_s(c, a, 1.0)[0, -1])


@given(load=st.floats(0.1, 80.0), target=st.floats(0.001, 5.0))
def test_staffing_is_the_smallest(load: float, target: float) -> None:
    c = int(servers_for_wait(load, 1.0, target))
    assert mean_wait_s(c, load, 1.0) <= target
    assert c == 1 or mean_wait_s(c - 1, load, 1.0) > target


@given(load=st.floats(0.1, 80.0), share=st.floats(0.5, 0.999), within=st.floats(0.0, 2.0))
def test_staffing_for_a_service_level(load: float, share: float, within: float) -> None:
    c = int(servers_for_delay(load, 1.0, share, within))
    assert wait_quantile_s(c, load, 1.0, share) <= within + 1e-9
    assert c - 1 <= load or wait_quantile_s(c - 1, load, 1.0, share) >= within - 1e-9


def test_remote_assistance_ratio() -> None:
    """3,000 vehicles that each want 59 human-seconds an hour need about 70 people on duty."""
    vehicles, seconds = 3000, 59.0
    load = vehicles * seconds / 3600
    assert load == pytest.approx(49.0, abs=0.3)
    on_duty = int(servers_for_delay(load / 30.0, 30.0, 0.99, 0.0))
    assert 10 < vehicles / on_duty < 60
    assert vehicles / on_duty == pytest.approx(43.0, rel=0.1)


def test_unreachable_target_is_refused() -> None:
    with pytest.raises(InputError, match="target"):
        servers_for_wait(100.0, 1.0, 0.1, most=50)
    with pytest.raises(InputError, match="whole servers"):
        erlang_c(2.5, 1.0)
    with pytest.raises(InputError, match="patience"):
        erlang_a(2, 1.0, 1.0, np.inf)


def test_priorities_conserve_the_mean_wait() -> None:
    rates = np.array([0.5, 0.7, 0.6])
    waits = priority_waits_s(3, rates, 1.0)
    assert (np.diff(waits) > 0).all()
    assert rates @ waits / rates.sum() == pytest.approx(float(mean_wait_s(3, 1.8, 1.0)))
    full = priority_waits_s(2, [1.0, 1.5], 1.0)
    assert np.isfinite(full[0]) and np.isinf(full[1])


def test_simulated_queue_agrees() -> None:
    """First come, first served, by the time at which each server is free; with patience too."""
    rng = np.random.default_rng(7)
    n, c, load, patience = 150_000, 3, 2.4, 1.5
    arrive = np.cumsum(rng.exponential(1 / load, n)).tolist()
    serve, wait_most = rng.exponential(1.0, n).tolist(), rng.exponential(patience, n).tolist()
    for stay in (False, True):
        free, waits, left = [0.0] * c, 0.0, 0
        for t, s, most in zip(arrive, serve, wait_most, strict=True):
            start = max(free[0], t)
            if stay or start - t <= most:
                waits += start - t
                heapq.heapreplace(free, start + s)
            else:
                waits += most
                left += 1
        if stay:
            assert waits / n == pytest.approx(float(mean_wait_s(c, load, 1.0)), rel=0.06)
        else:
            exact = erlang_a(c, load, 1.0, patience)
            assert waits / n == pytest.approx(float(exact.mean_wait_s), rel=0.03)
            assert left / n == pytest.approx(float(exact.p_abandon), rel=0.03)
