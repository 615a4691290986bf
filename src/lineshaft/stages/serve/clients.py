"""Who asks for what, and when: clients as tables of `Requests`.

    open_loop     arrivals at a rate (Poisson, bursty, over a day), whatever the service does
    replay        the requests of a trace at its own or another rate, or as a pool
    pool          a fixed number of requests in flight: each end sends the next
    closed_loop   users who wait for each answer and think before they ask again
    sessions      chats and agents of many turns, each prompt the whole of what came before
    merge         several of these at once

Random numbers are counted, not consumed (`draws`): a longer run starts with the same requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.serve.draws import (
    Arrivals,
    Wait,
    arrival_s,
    bad_arrivals,
    bad_classes,
    bad_lengths,
    bad_wait,
    below,
    classes,
    kinds,
    one_of,
    problem,
    refuse,
    uniform,
    wait_s,
)
from lineshaft.stages.serve.requests import Requests, of
from lineshaft.stages.serve.sessions import BLOCK_TOKENS, Sessions, chain, sessions
from lineshaft.traces import PROBABILITIES, Lengths, Trace, rescale

__all__ = [
    "Arrivals",
    "Lengths",
    "Sessions",
    "Wait",
    "between",
    "closed_loop",
    "fixed",
    "merge",
    "open_loop",
    "pool",
    "replay",
    "sessions",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def fixed(tokens: int) -> Lengths:
    """Always this many tokens (or turns)."""
    return Lengths(mean=tokens, median=tokens)


def between(low: int, high: int) -> Lengths:
    """Evenly distributed token counts, as of benchmark clients that jitter their prompts."""
    marks = tuple(low + (high - low) * p for p in PROBABILITIES)
    return Lengths(mean=0.5 * (low + high), median=0.5 * (low + high), quantiles=marks)


def open_loop(
    arrivals: Arrivals,
    input_tokens: Lengths,
    output_tokens: Lengths,
    *,
    requests: int = 0,
    duration_s: float = 0.0,
    prefix_tokens: int = 0,
    prefixes: int = 1,
    shares: Sequence[float] = (),
    block_tokens: int = BLOCK_TOKENS,
    seed: int = 0,
    name: str = "open loop",
) -> Requests:
    """Independent requests at a rate: the first `requests` of them, or those within `duration_s`.

    Every prompt begins with one of `prefixes` system prompts of `prefix_tokens` tokens, equally
    frequent, which `input_tokens` does not count. `shares` are those of the SLO classes, most
    urgent first.

    Raises:
        InputError: impossible rates, sizes or shares.
    """
    refuse(
        [
            *bad_arrivals(arrivals),
            *bad_lengths(input_tokens=input_tokens, output_tokens=output_tokens),
            *below(0, prefix_tokens=prefix_tokens, requests=requests, duration_s=duration_s),
            *below(1, prefixes=prefixes, block_tokens=block_tokens),
            *one_of("requests", requests, duration_s),
            *bad_classes(shares),
        ]
    )
    arrival = arrival_s(arrivals, requests, duration_s, seed)
    n = len(arrival)
    shared = prefix_tokens // block_tokens
    ids = start = np.empty(0, np.int64)
    if shared and n:
        first = kinds(prefixes, seed, n) * shared
        ids, start = chain([(first, np.full(n, shared, np.int64))])
    return Requests(
        name=name,
        arrival_s=arrival,
        input_tokens=prefix_tokens + input_tokens.draw(uniform(seed, "input", n)),
        output_tokens=output_tokens.draw(uniform(seed, "output", n)),
        slo_class=classes(shares, seed, n),
        block_ids=ids,
        block_start=start,
        block_tokens=block_tokens if len(ids) else 0,
    )


def replay(
    trace: Trace,
    *,
    rate_rps: float = 0.0,
    factor: float = 1.0,
    clients: int = 0,
    shares: Sequence[float] = (),
    seed: int = 0,
) -> Requests:
    """The requests of a trace: at its own times, at a mean rate `rate_rps`, at `factor` times the
    rate, or, with `clients`, as a pool of that many in flight.

    Raises:
        InputError: impossible rates or shares, or a trace that spans no time and shall be scaled.
    """
    problems = [*below(0, rate_rps=rate_rps, clients=clients), *bad_classes(shares)]
    if not (factor > 0 and np.isfinite(factor)):
        problems.append(problem("factor", f"is {factor:g}", "above 0"))
    refuse(problems)
    if rate_rps or factor != 1.0:
        trace = rescale(trace, (rate_rps or trace.rate_rps) * factor)
    return replace(of(trace, clients=clients), slo_class=classes(shares, seed, len(trace)))


def pool(
    clients: int,
    input_tokens: Lengths,
    output_tokens: Lengths,
    *,
    requests: int,
    shares: Sequence[float] = (),
    seed: int = 0,
    name: str = "pool",
) -> Requests:
    """`clients` requests in flight from time 0 on: each end sends the next one, as benchmark
    clients with a limit of concurrency do.

    Raises:
        InputError: impossible counts, sizes or shares.
    """
    refuse(
        [
            *below(1, clients=clients, requests=requests),
            *bad_lengths(input_tokens=input_tokens, output_tokens=output_tokens),
            *bad_classes(shares),
        ]
    )
    return Requests(
        name=name,
        arrival_s=np.zeros(requests),
        input_tokens=input_tokens.draw(uniform(seed, "input", requests)),
        output_tokens=output_tokens.draw(uniform(seed, "output", requests)),
        slo_class=classes(shares, seed, requests),
        clients=clients,
    )


def closed_loop(
    users: int,
    input_tokens: Lengths,
    output_tokens: Lengths,
    *,
    requests_per_user: int,
    think: Wait | None = None,
    ramp_s: float = 0.0,
    shares: Sequence[float] = (),
    seed: int = 0,
    name: str = "closed loop",
) -> Requests:
    """Users with one request in flight each, who `think` after every answer; their first requests
    are spread evenly over `ramp_s`. Requests lie user by user; a user has one SLO class.

    Raises:
        InputError: impossible counts, sizes, times or shares.
    """
    think = think or Wait()
    refuse(
        [
            *below(1, users=users, requests_per_user=requests_per_user),
            *below(0, ramp_s=ramp_s),
            *bad_wait("think", think),
            *bad_lengths(input_tokens=input_tokens, output_tokens=output_tokens),
            *bad_classes(shares),
        ]
    )

    def by_turn(purpose: str) -> Floats:
        """[user and turn]"""
        turns = [uniform(seed, purpose, users, turn) for turn in range(requests_per_user)]
        return np.stack(turns, axis=1).ravel()

    n = users * requests_per_user
    first = np.arange(n) % requests_per_user == 0
    return Requests(
        name=name,
        arrival_s=np.repeat(ramp_s * np.arange(users) / users, requests_per_user),
        input_tokens=input_tokens.draw(by_turn("input")),
        output_tokens=output_tokens.draw(by_turn("output")),
        after=np.where(first, -1, np.arange(n) - 1),
        wait_s=np.where(first, 0.0, wait_s(think, by_turn("wait"))),
        slo_class=np.repeat(classes(shares, seed, users), requests_per_user),
    )


def merge(parts: Iterable[Requests], name: str = "mix") -> Requests:
    """All of these clients at once, in the order in which their sessions begin.

    Blocks of different parts are different; a class means the same in all of them.

    Raises:
        InputError: nothing to merge; a pool, whose order no one knows; block sizes that differ.
    """
    parts = list(parts)
    problems = [
        problem(part.name, f"is a pool of {part.clients} clients", "clients with their own times")
        for part in parts
        if part.clients
    ]
    if not parts:
        problems.append(problem("merge", "nothing", "at least one table of requests"))
    sizes = sorted({part.block_tokens for part in parts if len(part.block_ids)})
    if len(sizes) > 1:
        found = f"blocks of {' and '.join(map(str, sizes))} tokens"
        problems.append(problem("block_tokens", found, "one size"))
    refuse(problems)
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    arrival = np.concatenate([part.arrival_s for part in parts])
    after = np.concatenate(
        [
            np.where(part.after >= 0, part.after + offset, -1)
            if len(part.after)
            else np.full(len(part), -1)
            for part, offset in zip(parts, offsets, strict=False)
        ]
    )
    order = np.argsort(arrival[_roots(after)], kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    ids, start = _merged_blocks(parts, order)
    return Requests(
        name=name,
        arrival_s=arrival[order],
        input_tokens=np.concatenate([part.input_tokens for part in parts])[order],
        output_tokens=np.concatenate([part.output_tokens for part in parts])[order],
        after=np.where(after >= 0, place[after], -1)[order],
        wait_s=np.concatenate([_or_zeros(part.wait_s, part) for part in parts])[order],
        slo_class=np.concatenate([_or_zeros(part.slo_class, part) for part in parts])[order].astype(
            np.int64
        ),
        block_ids=ids,
        block_start=start,
        block_tokens=sizes[0] if sizes else 0,
    )


def _or_zeros(column: Floats | Ints, part: Requests) -> Floats:
    return column.astype(np.float64) if len(column) else np.zeros(len(part))


def _roots(after: Ints) -> Ints:
    """[request] the first request of its session."""
    root = np.where(after >= 0, after, np.arange(len(after)))
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further


def _merged_blocks(parts: Sequence[Requests], order: Ints) -> tuple[Ints, Ints]:
    """Chains of all parts in the new order, each part's ids after those of the one before."""
    none = np.empty(0, np.int64)
    if not any(len(part.block_ids) for part in parts):
        return none, none
    ids, lengths, shift = [none], [none], 0
    for part in parts:
        if not len(part.block_ids):
            lengths.append(np.zeros(len(part), np.int64))
            continue
        low, high = int(part.block_ids.min()), int(part.block_ids.max())
        ids.append(part.block_ids - low + shift)
        shift += high - low + 1
        lengths.append(np.diff(part.block_start))
    length = np.concatenate(lengths)
    where, start = chain([((np.cumsum(length) - length)[order], length[order])])
    return np.concatenate(ids)[where], start
