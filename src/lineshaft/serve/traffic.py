"""What clients ask for: at a rate, as a trace has it, or in a closed loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.clients import Arrivals, Lengths, between, open_loop, pool, replay
from lineshaft.stages.serve.requests import Requests
from lineshaft.traces import AZURE_CONVERSATION, Trace, head, read

REQUESTS = 5000
"""Requests drawn where no trace gives them."""
PER_INSTANCE = 500
"""Least requests of one instance where a deployment is simulated in full at a steady rate."""
MOST = 200_000
"""Most requests drawn for that."""
WARM_UP = 0.1
"""Share of the requests at a steady rate that only fill the engine and are not measured."""

Make = Callable[[float, int], Requests]
"""From a rate and a number of requests to the requests; a trace gives as many as it has."""


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """Requests in order of arrival, and how they come."""

    requests: Requests
    source: str
    """Where lengths and times come from, for people."""
    rate_rps: float = 0.0
    """Mean rate of arrival; 0 in a closed loop, whose clients set it."""
    make: Make | None = None
    """Of requests that come at a steady rate that was asked for."""

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def steady(self) -> bool:
        """At a rate that was asked for; else a trace at its own times, or a closed loop."""
        return self.make is not None

    @property
    def tokens(self) -> NDArray[np.int64]:
        """[request] prompt and answer together."""
        return self.requests.input_tokens + self.requests.output_tokens

    @property
    def measured(self) -> slice:
        """The requests that count: those after the warm-up, all where none is."""
        return slice(int(WARM_UP * len(self)) if self.steady else 0, None)

    @property
    def window_s(self) -> tuple[float, float]:
        """From the first measured arrival to the last one; everything without a warm-up."""
        if not self.steady:
            return 0.0, np.inf
        arrival_s = self.requests.arrival_s
        return float(arrival_s[self.measured][0]), float(arrival_s[-1])

    def at(self, rate_rps: float) -> Traffic:
        """The same kind of requests at another steady rate; as they are where they have none."""
        if self.make is None:
            return self
        return replace(self, requests=self.make(rate_rps, len(self)), rate_rps=rate_rps)

    def faster(self, factor: float) -> Traffic:
        """The same kind of requests, or clients, so many times as often."""
        asked = self.requests
        if self.make is not None:
            return self.at(self.rate_rps * factor)
        if asked.clients:
            return replace(self, requests=replace(asked, clients=round(asked.clients * factor)))
        more = replace(asked, arrival_s=asked.arrival_s / factor)
        return replace(self, requests=more, rate_rps=self.rate_rps * factor)

    def sized(self, count: int) -> Traffic:
        """With so many requests, where they come at a steady rate; a trace keeps its own."""
        if self.make is None or count == len(self):
            return self
        return replace(self, requests=self.make(self.rate_rps, count))

    def stretched(self, instances: int) -> Traffic:
        """With enough requests for so many instances, where they come at a steady rate."""
        return self.sized(min(max(len(self), PER_INSTANCE * instances), MOST))


def given(requests: Requests) -> Traffic:
    """Requests that were made elsewhere, such as sessions of agents."""
    span = float(requests.arrival_s.max() - requests.arrival_s.min()) if len(requests) else 0.0
    rate = (len(requests) - 1) / span if span > 0 and not requests.clients else 0.0
    return Traffic(requests, f"{len(requests):,} requests of {requests.name}", rate)


def traffic(
    *,
    rate_rps: float | None = None,
    trace: str | Path | Trace | None = None,
    clients: int | None = None,
    requests: int | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    spread: float = 0.0,
    burstiness: float = 1.0,
    shares: Sequence[float] = (),
    seed: int = 0,
) -> Traffic:
    """The requests that are asked for.

    A trace comes at its own times, or at `rate_rps` where that is given. Without a trace requests
    are drawn: `input_tokens` and `output_tokens` long, each spread evenly over (1 - `spread`) to 1
    times that, or as long as those of Azure's conversation trace where no length is given; gaps
    between arrivals have the coefficient of variation `burstiness` (1: Poisson). `clients` is a
    closed loop: so many are in flight, each end sends the next. `shares` are those of the SLO
    classes, most urgent first. At most `requests` requests.

    Raises:
        InputError: every problem; nothing that says when requests come, or two things.
    """
    problems = _wrong(rate_rps, trace is not None, clients, input_tokens, output_tokens)
    whole = (
        ("clients", clients),
        ("requests", requests),
        ("input", input_tokens),
        ("output", output_tokens),
    )
    for key, number in whole:
        if number is not None and number < 1:
            problems.append(Problem("", key, f"is {number}", "a whole number from 1"))
    if not 0.0 <= spread < 1.0:
        problems.append(Problem("", "spread", f"is {spread:g}", "0 or more, below 1"))
    base: Trace | None = None
    try:
        base = trace if isinstance(trace, Trace) else read(trace) if trace is not None else None
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    if base is not None:
        return _replayed(head(base, requests or len(base)), rate_rps, clients, shares, seed)
    prompt, answer = (
        default if tokens is None else between(max(1, round(tokens * (1.0 - spread))), tokens)
        for tokens, default in (
            (input_tokens, AZURE_CONVERSATION.input_tokens),
            (output_tokens, AZURE_CONVERSATION.output_tokens),
        )
    )
    count = requests or max(REQUESTS, 10 * (clients or 0))
    source = f"{count:,} requests, {_lengths(prompt, answer)}"
    if clients:
        made = pool(clients, prompt, answer, requests=count, shares=shares, seed=seed)
        return Traffic(made, f"{source}; {clients} clients")

    def make(rate: float, number: int) -> Requests:
        arrivals = Arrivals(rate, burstiness)
        return open_loop(arrivals, prompt, answer, requests=number, shares=shares, seed=seed)

    rate = rate_rps or 0.0
    return Traffic(make(rate, count), source, rate, make)


def _replayed(
    trace: Trace, rate_rps: float | None, clients: int | None, shares: Sequence[float], seed: int
) -> Traffic:
    source = f"{len(trace):,} requests of {trace.name}"
    if clients:
        made = replay(trace, clients=clients, shares=shares, seed=seed)
        return Traffic(made, f"{source}; {clients} clients")
    if rate_rps is None:
        return Traffic(replay(trace, shares=shares, seed=seed), source, trace.rate_rps)

    def make(rate: float, number: int) -> Requests:
        return replay(trace, rate_rps=rate, shares=shares, seed=seed)

    return Traffic(make(rate_rps, len(trace)), source, rate_rps, make)


def _wrong(
    rate_rps: float | None,
    has_trace: bool,
    clients: int | None,
    input_tokens: int | None,
    output_tokens: int | None,
) -> list[Problem]:
    problems = []
    if rate_rps is None and not has_trace and clients is None:
        allowed = "a rate, a trace, or a number of clients"
        fix = "for example --rate 10, --trace FILE or --clients 64"
        problems.append(Problem("", "rate", "nothing says when requests come", allowed, fix))
    if clients is not None and rate_rps is not None:
        found = "clients who wait for their answers set the rate themselves"
        problems.append(Problem("", "clients", found, "a rate or clients", "leave one out"))
    if has_trace and (input_tokens is not None or output_tokens is not None):
        found = "the trace has its own lengths"
        problems.append(Problem("", "input", found, "lengths or a trace", "leave one out"))
    if rate_rps is not None and not (rate_rps > 0 and np.isfinite(rate_rps)):
        problems.append(Problem("", "rate", f"is {rate_rps:g}", "requests per second, above 0"))
    return problems


def _lengths(prompt: Lengths, answer: Lengths) -> str:
    """What is drawn from, for people."""
    azure = AZURE_CONVERSATION
    if prompt is azure.input_tokens and answer is azure.output_tokens:
        return "lengths as in Azure's conversation trace of 2023"
    parts = (
        (prompt, azure.input_tokens, "prompts"),
        (answer, azure.output_tokens, "answers"),
    )
    return " and ".join(
        f"{what} as in Azure's trace" if one is usual else f"{what} of {one.mean:,.0f} tokens"
        for one, usual, what in parts
    )
