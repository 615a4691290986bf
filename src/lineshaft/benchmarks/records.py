"""What a benchmark says: measured points, how latencies spread, the requests behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.traces import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spread:
    """How one latency spreads over the requests; nan and empty where the file does not say."""

    mean_s: float = math.nan
    percentiles_s: tuple[tuple[float, float], ...] = ()
    """(percentile, seconds), rising."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Answered requests of a benchmark."""

    arrival_s: Floats
    """[request] when it was sent, from the first one; empty where the tool does not say."""
    input_tokens: Ints
    output_tokens: Ints
    ttft_s: Floats
    e2e_s: Floats

    def __len__(self) -> int:
        return len(self.input_tokens)

    @property
    def tpot_s(self) -> Floats:
        """[request] (E2E - TTFT) / (output tokens - 1); nan for one token."""
        gaps = self.output_tokens - 1
        return np.where(gaps > 0, (self.e2e_s - self.ttft_s) / np.maximum(gaps, 1), np.nan)

    def trace(self, name: str) -> Trace:
        """The same requests to be sent again.

        Raises:
            InputError: the tool did not write down when requests were sent.
        """
        if not len(self.arrival_s):
            found = "has no times at which requests were sent"
            fix = "take the point (rate or concurrency, lengths), or another tool"
            raise InputError(Problem(name, "trace", found, "requests with times", fix))
        order = np.argsort(self.arrival_s, kind="stable")
        return Trace(
            name=name,
            arrival_s=self.arrival_s[order] - self.arrival_s[order[0]],
            input_tokens=np.maximum(self.input_tokens[order], 1),
            output_tokens=np.maximum(self.output_tokens[order], 1),
            how=f"{len(self):,} requests of a benchmark",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One measured steady point. Empty, nan or 0 is what the file does not say."""

    tool: str
    where: str
    """File and, where it has several points, which one."""
    model: str = ""
    accelerator: str = ""
    engine: str = ""
    precision: str = ""
    tp: int = 1
    pp: int = 1
    dp: int = 1
    ep: int = 1
    concurrency: float = 0.0
    """Requests in flight that the client kept up, or at most had."""
    rate_rps: float = 0.0
    """Requests sent per second; 0 where the client sent as answers came."""
    input_tokens: float = math.nan
    """Mean per request."""
    output_tokens: float = math.nan
    """Mean per request."""
    requests: int = 0
    """Answered ones."""
    ttft: Spread = Spread()
    tpot: Spread = Spread()
    e2e: Spread = Spread()
    output_tokens_per_s: float = math.nan
    duration_s: float = math.nan
    rows: Rows | None = None
