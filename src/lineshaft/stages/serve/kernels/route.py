"""Which instance takes a request, and what its arrival there sets off."""

from __future__ import annotations

import numpy as np

from lineshaft.stages.serve.kernels import cache, commit, decode, queue
from lineshaft.stages.serve.kernels.lists import append, settle, uniform
from lineshaft.stages.serve.kernels.state import (
    BUSY,
    IDLE,
    KV_AWARE,
    MOVING,
    OUTSTANDING,
    PREFIX,
    RANDOM,
    READIES,
    REFUSED,
    REJECTED,
    ROUND_ROBIN,
    SHORTEST,
    UP,
    VLLM_V0,
    WAKE,
    World,
    inner,
)

GUARD = 1.25
"""Most load of an instance under prefix routing, as a factor on the mean: consistent hashing with
bounded loads, arXiv:1608.01350."""
PREFIX_STREAM, RANDOM_STREAM = 0, 1 << 40


@inner
def outstanding(w: World, i: int) -> int:
    one = w.instances[i]
    return int(one.running + one.waiting + one.loading)


@inner
def load(w: World, i: int) -> float:
    """Tokens to compute, and tokens of context that decoding reads."""
    one = w.instances[i]
    return float(one.backlog + one.position / w.pools[one.pool].units)


@inner
def look(w: World, time_s: float) -> None:
    """Refresh the router's view of all instances."""
    for i in range(len(w.instances)):
        one = w.instances[i]
        if one.doing == BUSY and w.fleet[0].router == KV_AWARE:
            decode.catch_up(w, i, time_s)
        one.view_outstanding = outstanding(w, i)
        one.view_waiting = one.waiting
        one.view_load = load(w, i)


@inner
def _score(w: World, i: int, r: int, router: int, now_s: float) -> float:
    """Of an instance for a request: the lowest takes it."""
    one = w.instances[i]
    stale = w.fleet[0].view_s > 0
    if router == OUTSTANDING:
        return float(outstanding(w, i))
    if router == SHORTEST:
        waiting = one.view_waiting if stale else float(one.waiting)
        everyone = one.view_outstanding if stale else float(outstanding(w, i))
        return float(waiting + everyone * 1e-9)
    if one.doing == BUSY:
        decode.catch_up(w, i, now_s)
    hits = cache.look_up(w, i, r)[2] * w.fleet[0].block_tokens
    there = max(hits, w.requests[r].computed)
    return float(queue.left(w, r) - there + (one.view_load if stale else load(w, i)))


@inner
def _by_prefix(w: World, p: int, r: int, up: int) -> int:
    """The instance of its first prefix block, or the next one with room for more."""
    first, count = w.pools[p].first, w.pools[p].beyond - w.pools[p].first
    total = 1.0
    for i in range(first, first + count):
        total += outstanding(w, i) if w.instances[i].there == UP else 0
    most = np.ceil(GUARD * total / up)
    home = int(uniform(w.fleet[0].seed, PREFIX_STREAM, w.ids[w.starts[r]]) * count)
    for k in range(count):
        i = first + (home + k) % count
        if w.instances[i].there == UP and outstanding(w, i) + 1 <= most:
            return int(i)
    return -1


@inner
def choose(w: World, p: int, r: int, now_s: float) -> int:
    """The instance of pool p that takes a request, -1 if none is in service."""
    f = w.fleet[0]
    first, count = w.pools[p].first, w.pools[p].beyond - w.pools[p].first
    if count == 1:
        return int(first) if w.instances[first].there == UP else -1
    up = 0
    for i in range(first, first + count):
        up += w.instances[i].there == UP
    if up == 0:
        return -1
    router = f.router
    if router == PREFIX:
        if p == 0 and len(w.ids) > 0 and w.starts[r + 1] > w.starts[r]:
            return _by_prefix(w, p, r, up)
        router = OUTSTANDING
    turn = f.turn if p == 0 else f.decode_turn
    if router == RANDOM:
        stream = RANDOM_STREAM + p + 2 * w.requests[r].restarts
        nth = int(uniform(f.seed, stream, r) * up)
        i = first
        while nth > 0 or w.instances[i].there != UP:
            nth -= w.instances[i].there == UP
            i += 1
        return int(i)
    best, least = -1, np.inf
    for k in range(count):  # ties go to the next in turn
        i = first + (turn + k) % count
        if w.instances[i].there == UP:
            score = 0.0 if router == ROUND_ROBIN else _score(w, i, r, router, now_s)
            if score < least:
                best, least = i, score
                if router == ROUND_ROBIN:
                    break
    if p == 0:
        f.turn = best - first + 1
    else:
        f.decode_turn = best - first + 1
    return int(best)


@inner
def fits(w: World, p: int, r: int) -> bool:
    """Whether a pool can ever hold what a request needs of it."""
    pool, one = w.pools[p], w.requests[r]
    tokens = one.inputs + one.outputs
    if w.fleet[0].split and p == 0:
        tokens = one.inputs + 1
    beyond = (pool.gain + pool.units - 1) // pool.units - 1  # gained, but not asked for
    if (tokens + beyond + pool.block - 1) // pool.block > pool.blocks - pool.watermark:
        return False
    # vllm-v0: recomputed after its last but one token, it must fit in a step
    return bool(pool.rules != VLLM_V0 or tokens - 1 <= pool.budget)


@inner
def send(w: World, r: int, now_s: float) -> None:
    """A request arrives at the fleet, or its KV at the pool that answers."""
    one = w.requests[r]
    p = int(one.decoding_pool)
    i = choose(w, p, r, now_s)
    if i < 0:
        one.where = MOVING
        append(w, w.fleet[0].held_at, r)
        return
    if p == 1:
        one.decode_instance = i
    else:
        one.instance = i
        refused = not fits(w, 0, r)
        if w.fleet[0].split and one.outputs > 1:
            refused |= not fits(w, 1, r)
        limit = w.pools[0].queue_limit
        if refused or (limit > 0 and w.instances[i].waiting >= limit):
            w.instances[i].refused += refused
            commit.end(w, r, REFUSED if refused else REJECTED, now_s)
            return
    queue.enqueue(w, i, r, False)
    if w.instances[i].waiting == 1 or (w.pools[p].priority and queue.head(w, i) == r):
        stir(w, i, now_s)


@inner
def stir(w: World, i: int, now_s: float) -> None:
    """Someone new is at an instance: it wakes up, or ends its action with the step in progress."""
    one = w.instances[i]
    if one.doing == IDLE:
        one.doing = WAKE
        one.until_s = now_s
    elif (
        one.doing == BUSY
        and one.steps > 1
        and (
            one.running + one.loading < w.pools[one.pool].cap or w.ints[one.lists_at + READIES] >= 0
        )
    ):
        decode.cut(w, i, now_s)
    settle(w, i)
