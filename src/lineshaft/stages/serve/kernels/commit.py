"""What the end of an action brings: tokens, finished requests, new arrivals."""

from __future__ import annotations

import numpy as np

from lineshaft.stages.serve.kernels import cache, decode, queue
from lineshaft.stages.serve.kernels.lists import append, event_push, run_unlink, unlink
from lineshaft.stages.serve.kernels.state import (
    ARRIVES,
    AWAY,
    DONE,
    ENDED,
    LOADS,
    MOVING,
    PROMPTS,
    READIES,
    RUN,
    STALLED,
    WAITS,
    World,
    inner,
)

MOST_RESTARTS = 1000
"""Of one request by failures; beyond it the fleet gets nothing done."""


@inner
def commit(w: World, i: int, now_s: float) -> None:
    """The action of an instance ends."""
    instance, f = w.instances[i], w.fleet[0]
    decode.apply(w, i, instance.steps)
    at, ended = instance.chunk_at, 0
    for j in range(instance.chunks):
        r, take = w.ints[at + 2 * j], w.ints[at + 2 * j + 1]
        one = w.requests[r]
        if one.where == STALLED:
            decode.join(w, i, r)
            continue
        _computed(w, i, r, take)
        if queue.left(w, r) == 0:
            one.generated += 1
            instance.output_tokens += 1
            if one.generated == 1:
                one.first_s = now_s
            unlink(w, instance.lists_at + PROMPTS, r)
            if one.generated == one.outputs or (f.split and instance.pool == 0):
                one.where = AWAY
                w.ints[at + ended] = r
                ended += 1
            else:
                decode.join(w, i, r)
        elif queue.decodes(w, r):
            unlink(w, instance.lists_at + PROMPTS, r)
            instance.backlog -= 1
            decode.join(w, i, r)
    r = decode.finish(w, i)
    while r >= 0:
        w.ints[at + ended] = r
        ended += 1
        r = decode.finish(w, i)
    instance.chunks = 0
    for j in range(1, ended):  # in the order in which they run
        r, k = w.ints[at + j], j
        while k > 0 and w.requests[w.ints[at + k - 1]].order > w.requests[r].order:
            w.ints[at + k] = w.ints[at + k - 1]
            k -= 1
        w.ints[at + k] = r
    for j in range(ended):
        r = w.ints[at + j]
        queue.release(w, i, r)
        run_unlink(w, i, r)
        _leave(w, r, now_s)


@inner
def _computed(w: World, i: int, r: int, take: int) -> None:
    """A chunk of a prompt, or of a recomputation, has its KV."""
    instance, one = w.instances[i], w.requests[r]
    old, new = one.computed, one.computed + take
    prompt = max(0, min(new, one.inputs) - max(old, one.highest))
    answer = max(0, new - max(old, one.highest, one.inputs))
    instance.input_tokens += prompt
    instance.decode_tokens += answer
    instance.recomputed_tokens += take - prompt - answer
    one.computed = new
    one.highest = max(one.highest, new)
    instance.backlog -= take
    cache.enter(w, i, r)


@inner
def _leave(w: World, r: int, now_s: float) -> None:
    """A request leaves its instance: it is done, or its KV moves to the pool that answers."""
    one, f = w.requests[r], w.fleet[0]
    if one.generated == one.outputs:
        one.finish_s = now_s
        end(w, r, DONE, now_s)
        return
    one.where = MOVING
    one.decoding_pool = 1
    spent = f.transfer_s + f.transfer_token_s * one.computed
    event_push(w, now_s + spent, ARRIVES, r, 0)


@inner
def end(w: World, r: int, state: int, now_s: float) -> None:
    """A request ends, in this way; others may wait for that."""
    f = w.fleet[0]
    w.requests[r].where = ENDED
    w.requests[r].state = state
    f.left -= 1
    if f.linked:
        child = w.ints[f.child_at + r]
        while child >= 0:
            event_push(w, now_s + w.floats[f.wait_at + child], ARRIVES, child, 0)
            child = w.ints[f.sibling_at + child]
    if f.clients > 0 and f.released < len(w.requests):
        following = f.released
        f.released += 1
        event_push(w, now_s + w.floats[f.wait_at + following], ARRIVES, following, 0)


# --- failures -----------------------------------------------------------------------------------


@inner
def lose(w: World, i: int, now_s: float) -> None:
    """An instance loses all it has; its requests are sent again."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    at = instance.lists_at
    for kind in range(RUN, WAITS + 2 * pool.classes, 2):
        while w.ints[at + kind] >= 0:
            r = w.ints[at + kind]
            if kind == RUN:
                queue.stop(w, i, r)
            else:
                unlink(w, at + kind, r)
            _again(w, r)
            w.requests[r].where = MOVING
            event_push(w, now_s, ARRIVES, r, 0)
    instance.waiting, instance.loading, instance.backlog = 0, 0, 0
    instance.chunks, instance.paid, instance.blocked = 0, 0, 0
    instance.free = pool.blocks
    if pool.per_block > 0:
        for s in range(instance.store_at, instance.store_at + pool.stores):
            cache.reset(w, s)


@inner
def _again(w: World, r: int) -> None:
    """From the beginning. What it had counts as recomputed once it is computed again: now."""
    one = w.requests[r]
    a = w.instances[one.instance]
    b = w.instances[one.decode_instance if one.decoding_pool else one.instance]
    prompt = min(one.highest, one.inputs) - one.cached
    answer = max(0, one.highest - one.inputs)
    a.input_tokens -= prompt
    a.recomputed_tokens += prompt
    a.cached_tokens -= one.cached
    b.decode_tokens -= answer
    b.recomputed_tokens += answer
    a.output_tokens -= min(one.generated, 1)
    b.output_tokens -= max(one.generated - 1, 0)
    one.computed, one.highest, one.generated, one.held = 0, 0, 0, 0
    one.entered, one.cached, one.swapped, one.decoding_pool = 0, 0, 0, 0
    one.first_s = np.nan
    one.restarts += 1
    if one.restarts > MOST_RESTARTS:
        raise ValueError("instances fail more often than requests end")


@inner
def loaded(w: World, r: int) -> int:
    """What a request waited for is in memory; returns its instance."""
    one = w.requests[r]
    i = one.decode_instance if one.decoding_pool else one.instance
    at = w.instances[i].lists_at
    unlink(w, at + LOADS, r)
    append(w, at + READIES, r)
    return int(i)
