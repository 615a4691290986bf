"""`Requests`: what clients ask for, as one table; and `of`: a trace as such a table."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineshaft.traces import Trace

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def _none() -> Ints:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Requests:
    """Every request of a simulation, in the order in which clients send them.

    A request either arrives at its own time, or some time after another one ended (`after`,
    `wait_s`): turns of a session, tool calls of an agent, users who think. `clients` > 0 is a
    closed loop of another kind: that many requests are in flight, and each end sends the next.
    """

    name: str
    arrival_s: Floats
    """[request] rising among those with after = -1; not read where `after` is set."""
    input_tokens: Ints
    output_tokens: Ints
    after: Ints = field(default_factory=_none)
    """[request] index of the earlier request that must end first, -1 for none; empty: all -1."""
    wait_s: Floats = field(default_factory=lambda: np.empty(0))
    """[request] time between that end and this arrival; empty: all 0."""
    slo_class: Ints = field(default_factory=_none)
    """[request] class, 0 the most urgent; empty: all 0."""
    block_ids: Ints = field(default_factory=_none)
    """Chain of prefix blocks of all requests, one after another (see `traces.Trace`)."""
    block_start: Ints = field(default_factory=_none)
    """[request + 1] where each request's blocks start; empty: no prefixes."""
    block_tokens: int = 0
    clients: int = 0

    def __len__(self) -> int:
        return len(self.arrival_s)


def of(trace: Trace, *, clients: int = 0) -> Requests:
    """The requests of a trace, at its own times or in a closed loop of `clients`."""
    return Requests(
        name=trace.name,
        arrival_s=np.zeros(len(trace)) if clients else trace.arrival_s,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        block_ids=trace.block_ids,
        block_start=trace.block_start,
        block_tokens=trace.block_tokens,
        clients=clients,
    )
