"""Traffic as it is asked for: at a rate, as a trace has it, in a closed loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.serve.traffic import given, traffic
from lineshaft.stages.serve.clients import Arrivals, Sessions, fixed, sessions
from lineshaft.traces import Trace

TRACE = Trace(
    "two bursts",
    np.array([0.0, 1.0, 2.0, 50.0, 51.0]),
    np.array([100, 200, 300, 400, 500]),
    np.array([10, 20, 30, 40, 50]),
)


def test_a_trace_keeps_its_own_times_and_counts_whole() -> None:
    found = traffic(trace=TRACE)
    assert np.array_equal(found.requests.arrival_s, TRACE.arrival_s)
    assert not found.steady and found.window_s == (0.0, np.inf)
    assert found.measured == slice(0, None) and found.stretched(1000) is found
    assert found.rate_rps == pytest.approx(4 / 51)


def test_a_rate_rescales_a_trace() -> None:
    found = traffic(trace=TRACE, rate_rps=2.0)
    assert found.steady and found.requests.arrival_s[-1] == pytest.approx(4 / 2.0)
    assert np.array_equal(found.requests.input_tokens, TRACE.input_tokens)
    twice = found.at(4.0)
    assert twice.requests.arrival_s == pytest.approx(found.requests.arrival_s / 2)


@settings(deadline=None, max_examples=20)
@examples(st.floats(0.1, 1000.0), st.integers(1, 4000), st.floats(0.0, 0.9))
def test_lengths_lie_within_their_spread(rate: float, tokens: int, spread: float) -> None:
    found = traffic(rate_rps=rate, requests=50, input_tokens=tokens, output_tokens=7, spread=spread)
    lengths = found.requests.input_tokens
    assert lengths.max() <= tokens and lengths.min() >= max(1, round(tokens * (1 - spread)))
    assert found.requests.output_tokens.max() <= 7
    assert found.rate_rps == rate and len(found) == 50


def test_more_of_a_drawn_traffic_begins_with_the_same_requests() -> None:
    short, long = traffic(rate_rps=5, requests=100), traffic(rate_rps=5, requests=100).stretched(2)
    assert len(long) == 1000
    assert np.array_equal(long.requests.input_tokens[:100], short.requests.input_tokens)
    assert np.array_equal(long.requests.arrival_s[:100], short.requests.arrival_s)


def test_faster_is_the_same_more_often() -> None:
    clients = traffic(clients=8, requests=100)
    assert clients.rate_rps == 0 and clients.faster(2.0).requests.clients == 16
    replayed = traffic(trace=TRACE).faster(2.0)
    assert not replayed.steady
    assert np.array_equal(replayed.requests.arrival_s, TRACE.arrival_s / 2)
    assert traffic(rate_rps=3, requests=100).faster(2.0).rate_rps == 6


def test_sessions_are_traffic_too() -> None:
    kind = Sessions(Arrivals(2.0), fixed(3), fixed(100), fixed(20), fixed(10))
    found = given(sessions(kind, count=20, seed=1))
    assert len(found) == 60 and not found.steady and found.at(9.0) is found


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        traffic(rate_rps=-1.0, clients=0, requests=0, input_tokens=0, spread=1.5, trace=TRACE)
    keys = {problem.key for problem in error.value.problems}
    assert keys == {"rate", "clients", "requests", "input", "spread"}
    with pytest.raises(InputError, match="nothing says when requests come"):
        traffic()
    with pytest.raises(InputError, match="cannot be read"):
        traffic(trace="nowhere.csv")
