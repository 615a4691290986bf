"""`outcome`: a fleet serves requests. The one place where the verbs call the event loop."""

from __future__ import annotations

import numpy as np

from lineshaft.stages.serve.deployment import Fleet
from lineshaft.stages.serve.fleet import Outcome, simulate
from lineshaft.stages.serve.requests import Requests

__all__ = ["Outcome", "outcome"]


def outcome(
    fleet: Fleet,
    requests: Requests,
    *,
    window_s: tuple[float, float] = (0.0, np.inf),
    series_s: float = 0.0,
    threads: int = 1,
) -> Outcome:
    """Times of every request and sums of the fleet; see `stages.serve.fleet.simulate`.

    One thread by default: the verbs run whole simulations side by side.
    """
    return simulate(fleet, requests, window_s=window_s, series_s=series_s, threads=threads)
