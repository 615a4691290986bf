"""`sessions`: chats and agents of many turns, each prompt the whole of what came before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    refuse,
    uniform,
    wait_s,
)
from lineshaft.stages.serve.requests import Requests
from lineshaft.traces import Lengths

Ints = NDArray[np.int64]

BLOCK_TOKENS = 16
"""Tokens of a prefix block: vLLM's default."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Clients who ask again with all that was said before in front.

    The prompt of a turn is the system prompt, the first message, and for every turn before the
    answer and a further message: the user's, or what an agent's tool returned.
    """

    arrivals: Arrivals
    """Of sessions, not of requests."""
    turns: Lengths
    """Turns of a session."""
    first_tokens: Lengths
    turn_tokens: Lengths
    """Added to the prompt by each further turn, beside the last answer."""
    output_tokens: Lengths
    wait: Wait = field(default=Wait())
    """Between an answer and the next prompt."""
    system_tokens: int = 0
    """In front of every prompt, the same for all sessions of one kind."""
    systems: int = 1
    """Kinds of sessions, equally frequent, each with its own system prompt."""
    max_tokens: int = 0
    """A session ends before the turn whose prompt and answer would be longer; 0: no limit."""
    subcalls: int = 0
    """Requests that each turn but the last sends out when it ends, all at once: each has the
    turn's prompt and answer and `turn_tokens` of its own. The next turn waits for the one with the
    longest answer, which is the last to end where all of them run side by side."""


@dataclass(slots=True)
class _Rows:
    """Requests as they are drawn, turn by turn."""

    count: int = 0
    columns: list[tuple[Ints, ...]] = field(default_factory=list)

    def add(self, *columns: Ints) -> Ints:
        """Adds requests; returns their numbers."""
        numbers = self.count + np.arange(len(columns[0]))
        self.columns.append(columns)
        self.count += len(numbers)
        return numbers


def sessions(
    of: Sessions,
    *,
    count: int = 0,
    duration_s: float = 0.0,
    shares: Sequence[float] = (),
    block_tokens: int = BLOCK_TOKENS,
    seed: int = 0,
    name: str = "sessions",
) -> Requests:
    """The requests of the first `count` sessions, or of those that begin within `duration_s`.

    Requests lie session by session: turn 0, its subcalls, turn 1, … A request's chain of blocks
    covers its prompt and its answer, so that a cache that keeps answers serves the next turn with
    both. `shares` are those of the SLO classes, most urgent first; a session has one class.

    Raises:
        InputError: impossible rates, sizes, times or shares.
    """
    _check(of, count, duration_s, shares, block_tokens)
    begin = arrival_s(of.arrivals, count, duration_s, seed)
    n = len(begin)
    turns = of.turns.draw(uniform(seed, "turns", n))
    calls = 1 + of.subcalls
    limit = of.max_tokens or np.iinfo(np.int64).max

    def request(lengths: Lengths, at: int, who: Ints, context: Ints) -> tuple[Ints, Ints]:
        prompt = context + lengths.draw(uniform(seed, "input", n, at)[who])
        return prompt, of.output_tokens.draw(uniform(seed, "output", n, at)[who])

    rows = _Rows()
    waits = [np.zeros(n)]
    who = np.arange(n)
    parent = np.full(n, -1, np.int64)
    prompt, answer = request(of.first_tokens, 0, who, np.full(n, of.system_tokens, np.int64))
    turn = 0
    while True:
        fits = (turn < turns[who]) & (prompt + answer <= limit)
        who, parent, prompt, answer = who[fits], parent[fits], prompt[fits], answer[fits]
        if not len(who):
            break
        context = prompt + answer
        numbers = rows.add(who, np.full(len(who), turn * calls), parent, prompt, answer, context)
        turn += 1
        waits.append(wait_s(of.wait, uniform(seed, "wait", n, turn)))
        next_prompt, next_answer = request(of.turn_tokens, turn * calls, who, context)
        # what the next turn waits for: the longest subcall, if there is a next turn and one fits
        last, longest = numbers.copy(), np.zeros(len(who), np.int64)
        goes_on = (turn < turns[who]) & (next_prompt + next_answer <= limit)
        for call in range(1, calls):
            at = (turn - 1) * calls + call
            prompt, answer = request(of.turn_tokens, at, who, context)
            sent = goes_on & (prompt + answer <= limit)
            order = np.full(int(sent.sum()), at)
            sub = rows.add(
                who[sent], order, numbers[sent], prompt[sent], answer[sent], context[sent]
            )
            longer = sent & (answer > longest)
            last[longer] = sub[answer[sent] > longest[sent]]
            longest = np.where(longer, answer, longest)
        parent, prompt, answer = last, next_prompt, next_answer
    if not rows.count:
        empty = np.empty(0, np.int64)
        return Requests(name, np.empty(0), empty, empty)
    session, place, after, prompt, answer, context = (
        np.concatenate(column) for column in zip(*rows.columns, strict=True)
    )
    order = np.lexsort((place, session))
    where = np.empty(rows.count, np.int64)
    where[order] = np.arange(rows.count)
    after = np.where(after >= 0, where[after], -1)[order]
    session, place, prompt, answer = session[order], place[order], prompt[order], answer[order]
    turn_of, call_of = place // calls, place % calls
    waited = np.zeros(rows.count)
    for turn, drawn in enumerate(waits):
        main = (turn_of == turn) & (call_of == 0)
        waited[main] = drawn[session[main]]
    kind = kinds(of.systems, seed, n)[session] if of.system_tokens else np.zeros_like(session)
    extra = np.where(call_of > 0, prompt + answer, context[order])
    ids, start = _chains(of, kind, session, context[order], extra, block_tokens)
    by_session = classes(shares, seed, n)
    return Requests(
        name=name,
        arrival_s=begin[session],
        input_tokens=prompt,
        output_tokens=answer,
        after=after,
        wait_s=waited,
        slo_class=by_session[session] if len(by_session) else by_session,
        block_ids=ids,
        block_start=start,
        block_tokens=block_tokens if len(ids) else 0,
    )


def chain(segments: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Block ids of all requests, and where each request's start ([request + 1]).

    A request's chain is one run of consecutive ids per segment, one after another; a segment is
    [request] first ids and [request] lengths.
    """
    first = np.stack([one[0] for one in segments], axis=1).ravel()
    length = np.stack([one[1] for one in segments], axis=1).ravel()
    ends = np.cumsum(length)
    total = int(ends[-1]) if len(ends) else 0
    ids = np.arange(total) + np.repeat(first - (ends - length), length)
    start = np.concatenate(([0], ends[len(segments) - 1 :: len(segments)]))
    return ids.astype(np.int64), start.astype(np.int64)


def _chains(
    of: Sessions, kind: Ints, session: Ints, context: Ints, tokens: Ints, block_tokens: int
) -> tuple[Ints, Ints]:
    """Chains of the system prompt, the session's own blocks and a subcall's own blocks.

    `context` is the session's length at the end of a request's turn, `tokens` the request's own
    at its end. A block that the system prompt fills in part belongs to the session.
    """
    n = int(session[-1]) + 1
    system = of.system_tokens // block_tokens
    shared = context // block_tokens
    extra = tokens // block_tokens - shared  # 0 but for subcalls
    longest = np.full(n, system, np.int64)
    np.maximum.at(longest, session, shared)
    own = longest - system
    added = np.zeros(n, np.int64)
    np.add.at(added, session, extra)
    size = own + added
    base = of.systems * system + np.cumsum(size) - size
    # within a session its subcalls' blocks follow its own, one subcall after another
    before = np.cumsum(extra) - extra - (np.cumsum(added) - added)[session]
    return chain(
        [
            (kind * system, np.full(len(session), system, np.int64)),
            (base[session], shared - system),
            ((base + own)[session] + before, extra),
        ]
    )


def _check(
    of: Sessions, count: int, duration_s: float, shares: Sequence[float], block_tokens: int
) -> None:
    refuse(
        [
            *bad_arrivals(of.arrivals),
            *bad_lengths(
                turns=of.turns,
                first_tokens=of.first_tokens,
                turn_tokens=of.turn_tokens,
                output_tokens=of.output_tokens,
            ),
            *bad_wait("wait", of.wait),
            *below(0, system_tokens=of.system_tokens, subcalls=of.subcalls, count=count),
            *below(0, duration_s=duration_s, max_tokens=of.max_tokens),
            *below(1, systems=of.systems, block_tokens=block_tokens),
            *one_of("count", count, duration_s),
            *bad_classes(shares),
        ]
    )
