"""No simulation beats the bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.serve.bounds import least_latencies, most_rps
from lineshaft.serve.fleets import Deployment, saturation_rps
from lineshaft.serve.instance import Asked, Instance, instance
from lineshaft.serve.run import outcome
from lineshaft.serve.traffic import Traffic, traffic
from lineshaft.stages.serve.deployment import Layout


def built(found: Traffic, **asked: object) -> Instance:
    tokens = found.tokens
    return instance(
        Asked("Llama 3.1 8B", "H100", **asked),  # type: ignore[arg-type]
        mean_tokens=float(tokens.mean()),
        longest_tokens=int(tokens.max()),
    )


@settings(deadline=None, max_examples=25)
@given(
    st.integers(16, 6000),
    st.integers(1, 400),
    st.sampled_from((1, 2, 4)),
    st.sampled_from((8, 64, 160)),
    st.sampled_from((512, 4096)),
    st.sampled_from((0, 2)),
)
def test_no_burst_is_served_faster_than_the_bound(
    prompt: int, answer: int, tp: int, seats: int, budget: int, draft: int
) -> None:
    burst = traffic(
        rate_rps=1e9, requests=200, input_tokens=prompt, output_tokens=answer, spread=0.5
    )
    one = built(
        burst,
        layout=Layout(tp=tp),
        max_num_seqs=seats,
        max_num_batched_tokens=budget,
        draft=draft,
    )
    out = outcome(Deployment(one).fleet(), burst.requests)
    assert not np.isnan(out.finish_s).any()
    assert len(burst) / out.end_s <= most_rps(one, burst.requests) * (1 + 1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(16, 20_000), st.integers(2, 200), st.floats(0.2, 50.0))
def test_no_request_is_answered_sooner_than_alone(prompt: int, answer: int, rate: float) -> None:
    found = traffic(
        rate_rps=rate, requests=60, input_tokens=prompt, output_tokens=answer, spread=0.5
    )
    one = built(found, layout=Layout(tp=2), prefix_cache="none")
    out = outcome(Deployment(one).fleet(), found.requests)
    ttft, tpot = least_latencies(one, found.requests)
    times = one.pool.times
    api_s = times.api_s + one.coefficients.api_input_s * found.requests.input_tokens
    assert (out.first_s - out.arrival_s + api_s >= ttft * (1 - 1e-9)).all()
    gaps = np.maximum(found.requests.output_tokens - 1, 1)
    seen = (out.finish_s - out.first_s) / gaps + times.api_token_s
    many = found.requests.output_tokens > 1
    assert (seen[many] >= tpot[many] * (1 - 1e-9)).all()


def test_the_bound_is_close_where_there_is_always_work() -> None:
    found = traffic(rate_rps=1.0, requests=1000)
    one = built(found)
    most = most_rps(one, found.requests)
    assert 0.8 * most < saturation_rps(Deployment(one), found) <= most
    three = saturation_rps(Deployment(one, 3), found)
    assert three == pytest.approx(3 * saturation_rps(Deployment(one), found))
