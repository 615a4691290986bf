"""Who waits at an instance, in which order, and how a request falls back into the queue."""

from __future__ import annotations

from lineshaft.stages.serve.kernels import cache, decode
from lineshaft.stages.serve.kernels.lists import append, insert, run_unlink, unlink
from lineshaft.stages.serve.kernels.state import (
    DECODE,
    PROMPT,
    PROMPTS,
    WAITING,
    WAITS,
    World,
    inner,
)


@inner
def left(w: World, r: int) -> int:
    """Tokens to compute before its next answer token."""
    one = w.requests[r]
    return int(one.inputs + one.generated - one.computed)


@inner
def decodes(w: World, r: int) -> bool:
    """Whether only the last answer token is left to compute."""
    return bool(w.requests[r].generated > 0 and left(w, r) == 1)


@inner
def queue_of(w: World, i: int, r: int) -> int:
    """Offset of the list in which it waits."""
    at = w.instances[i].lists_at + WAITS
    if w.pools[w.instances[i].pool].priority:
        at += 2 * w.requests[r].slo_class
    return int(at)


@inner
def later(w: World, a: int, b: int) -> bool:
    """Whether a comes after b, among equal classes."""
    left, right = w.requests[a], w.requests[b]
    return bool(left.arrival_s > right.arrival_s or (left.arrival_s == right.arrival_s and a > b))


@inner
def enqueue(w: World, i: int, r: int, front: bool) -> None:
    """Let a request wait: last in line or first; with priorities by (class, arrival)."""
    w.requests[r].where = WAITING
    w.instances[i].waiting += 1
    w.instances[i].backlog += left(w, r)
    at = queue_of(w, i, r)
    before = w.ints[at] if front else -1
    if w.pools[w.instances[i].pool].priority:
        last = w.ints[at + 1]
        before = -1
        if last >= 0 and later(w, last, r):
            before = w.ints[at]
            while not later(w, before, r):
                before = w.requests[before].next
    insert(w, at, r, before)


@inner
def head(w: World, i: int) -> int:
    """The first in line, -1 if nobody waits."""
    if w.instances[i].waiting == 0:
        return -1
    at = w.instances[i].lists_at + WAITS
    for c in range(w.pools[w.instances[i].pool].classes):
        if w.ints[at + 2 * c] >= 0:
            return int(w.ints[at + 2 * c])
    return -1


@inner
def dequeue(w: World, i: int, r: int) -> None:
    unlink(w, queue_of(w, i, r), r)
    w.instances[i].waiting -= 1


@inner
def release(w: World, i: int, r: int) -> None:
    """Give back the KV blocks of a request."""
    one = w.requests[r]
    w.instances[i].free += one.held - one.entered * w.pools[w.instances[i].pool].per_block
    cache.let_go(w, i, r)
    one.held = 0


@inner
def stop(w: World, i: int, r: int) -> None:
    """A running request runs no longer; what it holds stays."""
    one = w.requests[r]
    if one.where == DECODE:
        decode.leave(w, i, r)
    elif one.where == PROMPT:
        unlink(w, w.instances[i].lists_at + PROMPTS, r)
        w.instances[i].backlog -= left(w, r)
    run_unlink(w, i, r)


@inner
def preempt(w: World, i: int, r: int, more: int) -> None:
    """Back to the queue, its KV lost or swapped out. `more`: blocks taken for this step already."""
    stop(w, i, r)
    one = w.requests[r]
    one.held += more
    release(w, i, r)
    if w.pools[w.instances[i].pool].swap:
        one.swapped = 1 if one.computed > 0 else 0
    else:
        one.computed = 0
    one.preemptions += 1
    w.instances[i].preemptions += 1
    enqueue(w, i, r, True)


@inner
def ready(w: World, i: int, r: int) -> None:
    """A running request goes on: with its prompt, or decoding."""
    if decodes(w, r):
        decode.join(w, i, r)
    else:
        w.requests[r].where = PROMPT
        w.instances[i].backlog += left(w, r)
        append(w, w.instances[i].lists_at + PROMPTS, r)
