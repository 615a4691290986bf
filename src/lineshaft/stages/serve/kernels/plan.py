"""What an instance does next: the rules of the schedulers.

vllm-v1 (github.com/vllm-project/vllm, ``vllm/v1/core/sched/scheduler.py``): decodes, then prompts
that run, in chunks, then those who wait, under one budget of tokens; on KV shortage the last of
those who run goes back to the queue (with priorities: the largest (class, arrival)), and nobody is
admitted in that step. sarathi and vllm-v0 are the schedulers of github.com/microsoft/vidur:
a whole prompt is reserved at admission and a watermark stays free. sglang
(github.com/sgl-project/sglang): prompts before decodes.

Where memory is enough, the running requests are not looked at one by one: those who decode need as
many blocks as their phases say.
"""

from __future__ import annotations

import numpy as np

from lineshaft.stages.serve.kernels import cache, decode, queue
from lineshaft.stages.serve.kernels.lists import append, event_push, run_append, unlink
from lineshaft.stages.serve.kernels.price import price
from lineshaft.stages.serve.kernels.state import (
    BUSY,
    DECODE,
    DRAINING,
    IDLE,
    LOADED,
    LOADING,
    LOADS,
    NEVER,
    OFF,
    PROMPTS,
    READIES,
    RUN,
    STALLED,
    VLLM,
    VLLM_V0,
    World,
    inner,
)


@inner
def _add(w: World, i: int, r: int, take: int, now_s: float) -> None:
    """A chunk of this step; of no token for a decode that must sit this step out."""
    instance = w.instances[i]
    at = instance.chunk_at + 2 * instance.chunks
    w.ints[at] = r
    w.ints[at + 1] = take
    instance.chunks += 1
    if take > 0 and np.isnan(w.requests[r].scheduled_s):
        w.requests[r].scheduled_s = now_s


@inner
def _longest(w: World, i: int, decoding: int) -> int:
    """Longest chunk of one prompt: it lies on one attention rank."""
    pool = w.pools[w.instances[i].pool]
    most = pool.rank_budget - (decoding * pool.verify + pool.ranks - 1) // pool.ranks
    if pool.threshold > 0 and pool.rules != VLLM_V0:
        most = min(most, pool.threshold)
    return int(most)


@inner
def _blocks(w: World, i: int, tokens: int) -> int:
    block = w.pools[w.instances[i].pool].block
    return int((tokens + block - 1) // block)


# --- those who run ------------------------------------------------------------------------------


@inner
def _run(w: World, i: int, now_s: float) -> bool:
    """Takes the running requests into the step; whether some had to be preempted."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    instance.chunks = 0
    budget = pool.budget - instance.decoding * pool.verify
    longest = _longest(w, i, instance.decoding)
    instance.paid = decode.need(w, i, 1)
    total = instance.paid
    r = w.ints[instance.lists_at + PROMPTS]
    while r >= 0 and min(budget, longest) > 0:
        take = min(queue.left(w, r), budget, longest)
        total += _more(w, i, r, take)
        _add(w, i, r, take, now_s)
        budget -= take
        r = w.requests[r].next
    if total > cache.room(w, i):
        instance.chunks = 0
        return _run_short(w, i, now_s)
    for j in range(instance.chunks):
        r = w.ints[instance.chunk_at + 2 * j]
        w.requests[r].held += _more(w, i, r, w.ints[instance.chunk_at + 2 * j + 1])
    instance.free -= total
    cache.evict(w, i)
    return False


@inner
def _run_prompts(w: World, i: int, now_s: float) -> None:
    """Takes those with prompts to do into the step, if there is memory for them."""
    instance = w.instances[i]
    instance.chunks = 0
    instance.paid = 0
    budget, longest = w.pools[instance.pool].budget, _longest(w, i, 0)
    r = w.ints[instance.lists_at + PROMPTS]
    while r >= 0 and budget > 0:
        take = min(queue.left(w, r), budget, longest)
        more = _more(w, i, r, take)
        if more <= cache.room(w, i):
            w.requests[r].held += more
            instance.free -= more
            _add(w, i, r, take, now_s)
            budget -= take
        r = w.requests[r].next
    cache.evict(w, i)


@inner
def _more(w: World, i: int, r: int, take: int) -> int:
    """KV blocks that it needs for a chunk besides those that it holds."""
    return int(max(0, _blocks(w, i, w.requests[r].computed + take) - w.requests[r].held))


@inner
def _run_short(w: World, i: int, now_s: float) -> bool:
    """Those who run, one by one in order, where memory is short; whether some were preempted."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    budget = pool.budget - instance.decoding * pool.verify
    with_prompts = not pool.prompts_first or instance.decoding == 0
    instance.paid = 0
    preempted = False
    r = w.ints[instance.lists_at + RUN]
    while r >= 0:
        one = w.requests[r]
        take, more = 0, 0
        if one.where == DECODE:
            more = decode.crosses(w, i, r)
        elif with_prompts:
            longest = _longest(w, i, instance.decoding)
            take = max(0, min(queue.left(w, r), budget, longest))
            more = _more(w, i, r, take)
        out = False
        while more > cache.room(w, i) and not out:
            victim = _victim(w, i)
            out = victim == r
            budget += _give_up(w, i, victim, one.order)
            preempted = True
        if out:
            if pool.rules == VLLM:
                _stall(w, i, one.order)
                break
        else:
            instance.free -= more
            if one.where == DECODE:
                instance.paid += more
            elif take > 0:
                one.held += more
                budget -= take
                _add(w, i, r, take, now_s)
        r = one.run_next
    cache.evict(w, i)
    return preempted


@inner
def _victim(w: World, i: int) -> int:
    """The last that runs; with priorities the last by (class, arrival)."""
    at = w.instances[i].lists_at + RUN
    last = w.ints[at + 1]
    if w.pools[w.instances[i].pool].priority:
        r = w.ints[at]
        while r >= 0:
            one, other = w.requests[r], w.requests[last]
            if one.slo_class > other.slo_class or (
                one.slo_class == other.slo_class and queue.later(w, r, last)
            ):
                last = r
            r = one.run_next
    return int(last)


@inner
def _give_up(w: World, i: int, victim: int, order: int) -> int:
    """Preempt a request; returns the tokens that it leaves for others. `order` tells how far the
    step is planned: an earlier one already has what it needs for the step."""
    instance, one = w.instances[i], w.requests[victim]
    back, more = 0, 0
    if one.where == DECODE:
        back = int(w.pools[instance.pool].verify)
        if one.order < order:
            more = decode.crosses(w, i, victim)
            instance.paid -= more
    else:
        kept = 0
        for j in range(instance.chunks):
            at = instance.chunk_at + 2 * j
            if w.ints[at] == victim:
                back = w.ints[at + 1]
            else:
                w.ints[instance.chunk_at + 2 * kept] = w.ints[at]
                w.ints[instance.chunk_at + 2 * kept + 1] = w.ints[at + 1]
                kept += 1
        instance.chunks = kept
    queue.preempt(w, i, victim, more)
    return back


@inner
def _stall(w: World, i: int, order: int) -> None:
    """vllm-v1: those behind one that gave way to itself sit this step out (only with priorities:
    else it was the last)."""
    r = w.ints[w.instances[i].lists_at + RUN]
    while r >= 0:
        one = w.requests[r]
        if one.where == DECODE and one.order > order:
            decode.leave(w, i, r)
            one.where = STALLED
            _add(w, i, r, 0, 0.0)
        r = one.run_next


@inner
def wake_stalled(w: World, i: int) -> None:
    """Those who sat the step out decode again."""
    instance = w.instances[i]
    for j in range(instance.chunks):
        r = w.ints[instance.chunk_at + 2 * j]
        if w.requests[r].where == STALLED:
            decode.join(w, i, r)


# --- those who wait -----------------------------------------------------------------------------


@inner
def _admit(w: World, i: int, now_s: float) -> None:
    """Takes those who wait into the step, in order, while there is room."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    instance.blocked = 0
    with_decode = instance.with_decode
    decoding = instance.decoding if with_decode else 0
    budget = pool.budget - decoding * pool.verify
    longest = _longest(w, i, decoding)
    widest = 0
    for j in range(instance.chunks):
        budget -= w.ints[instance.chunk_at + 2 * j + 1]
    while instance.running + instance.loading < pool.cap:
        r = queue.head(w, i)
        if r < 0 or min(budget, longest) <= 0:
            break
        one = w.requests[r]
        memory, spare, hits = 0, 0, 0
        there = one.computed  # swapped out, or computed by another pool
        if there == 0:
            memory, spare, hits = cache.look_up(w, i, r)
            there = hits * w.fleet[0].block_tokens
        load = hits > memory or one.swapped > 0
        joins = queue.decodes(w, r)
        todo = one.inputs + one.generated - there
        take = 0 if load or joins else min(todo, budget, longest)
        if joins and with_decode and budget < pool.verify:
            break
        if pool.rules == VLLM_V0 and take > 0:
            widest = max(widest, todo)
            if instance.chunks > 0 and (instance.chunks + 1) * widest > pool.budget:
                break
        total = _blocks(w, i, one.inputs + one.generated if pool.reserve else there + take)
        if joins:
            ahead = pool.gain if with_decode and not load else 0
            total = decode.blocks(there * pool.units + ahead, pool.phases)
        need = total - memory * pool.per_block
        asked = need
        if load and joins:  # or it would be swapped out again for its next token
            asked = decode.blocks(there * pool.units + pool.gain, pool.phases)
        elif pool.whole and not joins:
            asked = _blocks(w, i, one.inputs + one.generated) - memory * pool.per_block
        if asked + pool.watermark > cache.room(w, i) - spare * pool.per_block:
            instance.blocked = 1
            break
        queue.dequeue(w, i, r)
        instance.backlog -= queue.left(w, r)
        load_s = cache.take_hits(w, i, r, memory, hits, need)
        cache.evict(w, i)
        one.entered = hits
        one.held = total
        if joins:  # the block of its next token is paid for as that of all who decode
            one.held = decode.blocks(there * pool.units, pool.phases)
        if there > one.highest:  # a second look-up of the same tokens is not a second hit
            one.cached += there - one.highest
            instance.cached_tokens += there - one.highest
            one.highest = there
        one.computed = there
        if load:
            if one.swapped:
                load_s += pool.swap_token_s * there
                one.swapped = 0
            one.where = LOADING
            instance.loading += 1
            append(w, instance.lists_at + LOADS, r)
            event_push(w, now_s + load_s, LOADED, r, one.restarts)
            continue
        run_append(w, i, r)
        queue.ready(w, i, r)
        if joins:
            if with_decode:
                instance.paid += decode.crosses(w, i, r)
                budget -= pool.verify
        else:
            _add(w, i, r, take, now_s)
            budget -= take


# --- the plan -----------------------------------------------------------------------------------


@inner
def _shoot(w: World, i: int, now_s: float) -> None:
    """Note the sums at each edge of the window that is passed."""
    instance, f = w.instances[i], w.fleet[0]
    while instance.shots < 2:
        edge = f.window_to_s if instance.shots else f.window_from_s
        if now_s < edge:
            break
        at = f.shots_at + (2 * i + instance.shots) * 14
        w.floats[at] = edge if instance.was_idle else now_s
        w.floats[at + 1] = instance.busy_s
        w.floats[at + 2] = instance.prefill_s
        w.floats[at + 3] = instance.cached_s
        w.floats[at + 4] = instance.decode_s
        w.floats[at + 5] = instance.active_s
        w.floats[at + 6] = instance.input_tokens
        w.floats[at + 7] = instance.cached_tokens
        w.floats[at + 8] = instance.recomputed_tokens
        w.floats[at + 9] = instance.decode_tokens
        w.floats[at + 10] = instance.output_tokens
        w.floats[at + 11] = instance.iterations
        w.floats[at + 12] = instance.preemptions
        w.floats[at + 13] = instance.refused
        instance.shots += 1


@inner
def _take_ready(w: World, i: int) -> None:
    instance = w.instances[i]
    at = instance.lists_at + READIES
    while w.ints[at] >= 0:
        r = w.ints[at]
        unlink(w, at, r)
        instance.loading -= 1
        run_append(w, i, r)
        queue.ready(w, i, r)


@inner
def _step(w: World, i: int, now_s: float) -> bool:
    """Who takes part in the next step; whether the one after it must be planned anew, because some
    were preempted, or blocks evicted since those who wait were looked at."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    if not pool.prompts_first:
        instance.with_decode = 1
        preempted = _run(w, i, now_s)
        if not preempted or pool.rules != VLLM:
            _admit(w, i, now_s)
        return preempted
    instance.with_decode = 0
    _run_prompts(w, i, now_s)
    _admit(w, i, now_s)
    if instance.chunks > 0:
        return False
    instance.with_decode = 1
    paid = decode.need(w, i, 1)
    if instance.decoding > 0 and paid <= cache.room(w, i):
        instance.paid = paid
        instance.free -= paid
        evicts = instance.free < 0 and instance.waiting > 0
        cache.evict(w, i)
        return bool(evicts)
    decoding = instance.decoding
    preempted = _run_short(w, i, now_s)
    if decoding > 0 and instance.decoding == 0:  # all gave way: prompts hold all memory
        preempted |= _run_short(w, i, now_s)
    return preempted


@inner
def plan(w: World, i: int, now_s: float) -> None:
    """Starts the next action of an instance, or lets it idle."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    _shoot(w, i, now_s)
    _take_ready(w, i)
    while True:
        anew = _step(w, i, now_s)
        if instance.with_decode and instance.decoding > 0:
            break
        if instance.chunks > 0 and w.ints[instance.chunk_at + 1] > 0:
            break  # chunks of no token come last
        wake_stalled(w, i)
        if not anew:
            instance.doing = IDLE
            instance.until_s = NEVER
            instance.was_idle = 1
            if instance.there == DRAINING and instance.loading == 0:
                instance.there = OFF
                instance.life += 1
                instance.service_s += now_s - instance.service_from_s
            return
    price(w, i)
    steps = 1
    if instance.chunks == 0 and not (anew or pool.tables or w.fleet[0].exact):
        # an eviction may take the prefix of the request that waits, and so let it in
        free = instance.free if instance.blocked else cache.room(w, i)
        ends = w.requests[w.ints[instance.end_at]].end - instance.progress
        steps = decode.most_steps(w, i, decode.blocks(ends, pool.gain), free + instance.paid)
    instance.doing = BUSY
    instance.was_idle = 0
    instance.steps = steps
    instance.from_s = now_s
    instance.until_s = now_s + decode.lasts(w, i, steps)
    if instance.shots < 2:
        edge = w.fleet[0].window_to_s if instance.shots else w.fleet[0].window_from_s
        if edge < instance.until_s:
            decode.cut(w, i, edge)
