"""The event loop against the plain simulator: equal times for every request."""

import numpy as np
import oracle
from fleets import cases
from hypothesis import given, settings

from lineshaft.stages.serve.deployment import Fleet
from lineshaft.stages.serve.fleet import simulate
from lineshaft.stages.serve.requests import Requests


@settings(max_examples=200, deadline=None)
@given(cases(plain=True))
def test_equals_the_plain_simulator(case: tuple[Fleet, Requests]) -> None:
    out, plain = simulate(*case), oracle.simulate(*case)
    for name in ("arrival_s", "scheduled_s", "first_s", "finish_s"):
        np.testing.assert_allclose(getattr(out, name), getattr(plain, name), rtol=1e-9, atol=1e-9)
    for name in ("state", "instance", "cached_tokens", "preemptions"):
        np.testing.assert_array_equal(getattr(out, name), getattr(plain, name))
