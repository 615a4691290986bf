"""Event loop of one engine instance: continuous batching, paged KV cache, prefix cache.

The rules are those of vLLM's v1 scheduler (github.com/vllm-project/vllm,
``vllm/v1/core/sched/scheduler.py``): one token budget per step; running requests first, in order;
on KV shortage the last running request is preempted and recomputed later; waiting requests are
admitted in order of arrival, only in a step without preemption. Prefix blocks are found at
admission and stay in memory, least recently used last out, while nothing else needs the room.

A step's time is ``dense_s[tokens] + kv_s * context + pair_s * pairs + seq_s * sequences``: affine
in the context, so a stretch of pure decode is skipped in closed form (unless `exact`).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

KV_BLOCK = 16
"""Tokens of one block of the paged KV cache (vLLM's default)."""
CACHE_NONE, CACHE_LRU, CACHE_ENDLESS = 0, 1, 2
SUMS = 13
"""Length of the sums; their names, in order, are the fields of `simulate.Totals`."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def simulate(
    arrival: Floats,
    inputs: Ints,
    outputs: Ints,
    ids: Ints,
    start: Ints,
    block_tokens: int,
    block_count: int,
    cache_mode: int,
    max_seqs: int,
    max_tokens: int,
    kv_blocks: int,
    dense_s: Floats,
    compute_s: Floats,
    kv_s: float,
    pair_s: float,
    seq_s: float,
    clients: int,
    exact: bool,
    window_s: Floats,
    first_s: Floats,
    finish_s: Floats,
    cached: Ints,
    preemptions: Ints,
    snapshots: Floats,
) -> float:
    """Runs all requests to their end; returns the time at which the last one finished.

    `first_s`, `finish_s` [request] (nan where refused: its KV can never fit), `cached`,
    `preemptions` and `snapshots` [3, 1 + SUMS] (time and sums at window_s[0], window_s[1] and the
    end) are filled in place. `ids` are 0..block_count-1. With `clients` > 0 the first `clients`
    requests arrive as `arrival` says and each later one when another ends (closed loop; `arrival`
    is overwritten).
    """
    n = len(arrival)
    computed = np.zeros(n, np.int64)  # tokens whose KV is in memory
    highest = np.zeros(n, np.int64)  # most tokens ever computed: below it, work is recomputation
    generated = np.zeros(n, np.int64)
    held = np.zeros(n, np.int64)  # KV blocks of the context, shared prefix included
    entered = np.zeros(n, np.int64)  # leading prefix blocks that this request found or put in
    run = np.empty(max_seqs, np.int64)  # running requests, oldest first
    chunk = np.empty(max_seqs, np.int64)  # tokens of each in this step
    stack = np.empty(max_seqs, np.int64)  # preempted requests, first in line on top
    present = np.zeros(block_count, np.bool_)
    users = np.zeros(block_count, np.int64)
    after = np.empty(block_count + 1, np.int64)  # LRU ring of unused blocks; the last is its head
    before = np.empty(block_count + 1, np.int64)
    ring = block_count
    after[ring] = ring
    before[ring] = ring
    per_block = block_tokens // KV_BLOCK if cache_mode == CACHE_LRU else 0
    spare = 0  # unused cached blocks
    free = kv_blocks  # may dip below zero until spare blocks are evicted
    n_run, n_stack, fresh, prefilling, shots = 0, 0, 0, 0, 0
    released = clients if clients > 0 else n
    if released < n:
        arrival[released:] = np.inf
    blocked = False
    clock = 0.0
    sums = np.zeros(SUMS)

    while True:
        while shots < 2 and clock >= window_s[shots]:
            snapshots[shots, 0] = clock
            snapshots[shots, 1:] = sums
            shots += 1
        waiting = n_stack > 0 or (fresh < n and arrival[fresh] <= clock)
        if n_run == 0 and not waiting:
            if fresh >= n:
                break
            clock = arrival[fresh]
            continue

        stuck = waiting and (n_run == max_seqs or blocked)
        if not exact and n_run > 0 and prefilling == 0 and n_run <= max_tokens:
            steps = 0
            if stuck or not waiting:
                # --- pure decode: jump to the next finish, arrival or KV shortage ---
                steps = outputs[run[0]] - generated[run[0]]
                context = 0
                for i in range(n_run):
                    r = run[i]
                    steps = min(steps, outputs[r] - generated[r])
                    context += computed[r] + 1
                base = dense_s[n_run] + seq_s * n_run + kv_s * context
                slope = kv_s * n_run
                if not waiting and fresh < n:
                    gap = arrival[fresh] - clock
                    if steps * base + slope * 0.5 * steps * (steps - 1) > gap:
                        half = base - 0.5 * slope
                        root = np.sqrt(half * half + 2.0 * slope * gap)
                        steps = max(1, int(2.0 * gap / (half + root)))
                        while steps * base + slope * 0.5 * steps * (steps - 1) < gap:
                            steps += 1
                # an eviction may take the prefix of the request that waits, and so let it in
                room = free if blocked else free + spare * per_block
                if n_run * (steps // KV_BLOCK + 1) > room:
                    low, high = 0, steps  # most steps that fit
                    while low < high:
                        middle = (low + high + 1) // 2
                        need = 0
                        for i in range(n_run):
                            r = run[i]
                            need += (computed[r] + middle + KV_BLOCK - 1) // KV_BLOCK - held[r]
                        if need <= room:
                            low = middle
                        else:
                            high = middle - 1
                    steps = low
            if steps > 0:
                total = context * steps + n_run * (steps * (steps - 1) // 2)
                spent = steps * (dense_s[n_run] + seq_s * n_run) + kv_s * total
                clock += spent
                sums[0] += spent
                sums[3] += spent
                sums[4] += steps * compute_s[n_run] + kv_s * total
                sums[8] += n_run * steps
                sums[9] += n_run * steps
                sums[10] += steps
                kept = 0
                for i in range(n_run):
                    r = run[i]
                    computed[r] += steps
                    generated[r] += steps
                    highest[r] = max(highest[r], computed[r])
                    blocks = (computed[r] + KV_BLOCK - 1) // KV_BLOCK
                    free -= blocks - held[r]
                    held[r] = blocks
                    if generated[r] == outputs[r]:
                        finish_s[r] = clock
                        chunk[i] = -1
                    else:
                        chunk[i] = 0
                        kept += 1
                while free < 0:  # what was taken for decode goes before anything is given back
                    b = after[ring]
                    after[ring] = after[b]
                    before[after[b]] = ring
                    present[b] = False
                    spare -= 1
                    free += per_block
                if kept == n_run:
                    continue
                # the finishing itself is shared with the step below
                n_tokens = 0
            else:
                n_tokens = -1
        else:
            n_tokens = -1

        if n_tokens < 0:
            # --- one step: running requests first ---
            budget = max_tokens
            n_decode, context, pairs, hit_pairs, n_tokens = 0, 0, 0.0, 0.0, 0
            preempted = False
            i = 0
            while i < n_run and budget > 0:
                r = run[i]
                take = min(inputs[r] + generated[r] - computed[r], budget)
                need = (computed[r] + take + KV_BLOCK - 1) // KV_BLOCK - held[r]
                while need > free + spare * per_block and i < n_run:
                    n_run -= 1
                    victim = run[n_run]
                    free += held[victim] - entered[victim] * per_block
                    if per_block > 0:
                        for j in range(entered[victim] - 1, -1, -1):
                            b = ids[start[victim] + j]
                            users[b] -= 1
                            if users[b] == 0:
                                last = before[ring]
                                after[last] = b
                                before[b] = last
                                after[b] = ring
                                before[ring] = b
                                spare += 1
                    held[victim] = 0
                    entered[victim] = 0
                    computed[victim] = 0
                    preemptions[victim] += 1
                    sums[11] += 1
                    stack[n_stack] = victim
                    n_stack += 1
                    preempted = True
                if i >= n_run:
                    break
                held[r] += need
                free -= need
                chunk[i] = take
                budget -= take
                i += 1
            for j in range(i, n_run):
                chunk[j] = 0  # the budget is used up

            # --- then those who wait ---
            blocked = False
            while True:
                while free < 0:  # evict the least recently used
                    b = after[ring]
                    after[ring] = after[b]
                    before[after[b]] = ring
                    present[b] = False
                    spare -= 1
                    free += per_block
                if preempted or budget <= 0 or n_run == max_seqs:
                    break
                if n_stack > 0:
                    r = stack[n_stack - 1]
                elif fresh < n and arrival[fresh] <= clock:
                    r = fresh
                else:
                    break
                if (inputs[r] + outputs[r] + KV_BLOCK - 1) // KV_BLOCK > kv_blocks:
                    fresh += 1
                    sums[12] += 1
                    if released < n:
                        arrival[released] = clock
                        released += 1
                    continue
                hits, unused = 0, 0
                if cache_mode != CACHE_NONE:
                    # at least one token is computed, or there were no first output token
                    most = min((inputs[r] - 1) // block_tokens, start[r + 1] - start[r])
                    while hits < most and present[ids[start[r] + hits]]:
                        if users[ids[start[r] + hits]] == 0:
                            unused += 1
                        hits += 1
                there = hits * block_tokens
                take = min(inputs[r] + generated[r] - there, budget)
                blocks = (there + take + KV_BLOCK - 1) // KV_BLOCK
                need = blocks - hits * per_block
                if need > free + (spare - unused) * per_block:
                    blocked = True
                    break
                if per_block > 0:
                    for j in range(hits):
                        b = ids[start[r] + j]
                        if users[b] == 0:
                            after[before[b]] = after[b]
                            before[after[b]] = before[b]
                            spare -= 1
                        users[b] += 1
                if n_stack > 0:
                    n_stack -= 1
                else:
                    fresh += 1
                free -= need
                held[r] = blocks
                entered[r] = hits
                computed[r] = there
                if there > highest[r]:  # a second look-up of the same tokens is not a second hit
                    cached[r] += there - highest[r]
                    sums[6] += there - highest[r]
                    highest[r] = there
                chunk[n_run] = take
                run[n_run] = r
                n_run += 1
                budget -= take
            if n_run == 0:
                continue  # everything that waited was refused

            # --- its time, and whose time it is ---
            seqs = 0
            for i in range(n_run):
                take = chunk[i]
                if take == 0:
                    continue
                r = run[i]
                seqs += 1
                n_tokens += take
                if generated[r] > 0 and inputs[r] + generated[r] - computed[r] == 1:
                    n_decode += 1
                    context += computed[r] + 1
                else:
                    pairs += take * (computed[r] + 0.5 * (take + 1))
                    if cached[r] > 0:  # recomputation is the price of preemption, not of a hit
                        prompt = min(computed[r] + take, inputs[r]) - max(computed[r], highest[r])
                        hit_pairs += max(0, prompt) * cached[r]
            n_prefill = n_tokens - n_decode
            spent = dense_s[n_tokens] + kv_s * context + pair_s * pairs + seq_s * seqs
            # the dense part is shared half by what decode adds to prefill, half by what is left
            # for it when prefill comes last, and a pair of a computed and a cached token half by
            # each: the Shapley value of two players
            reuse = 0.5 * pair_s * hit_pairs
            decode = 0.5 * (dense_s[n_decode] + dense_s[n_tokens] - dense_s[n_prefill])
            decode += kv_s * context + seq_s * n_decode
            clock += spent
            sums[0] += spent
            sums[1] += spent - decode - reuse
            sums[2] += reuse
            sums[3] += decode
            sums[4] += compute_s[n_tokens] + kv_s * context + pair_s * pairs
            sums[10] += 1

            # --- what it did ---
            prefilling = 0
            for i in range(n_run):
                take = chunk[i]
                r = run[i]
                if take > 0:
                    old = computed[r]
                    new = old + take
                    prompt = max(0, min(new, inputs[r]) - max(old, highest[r]))
                    answer = max(0, new - max(old, highest[r], inputs[r]))
                    sums[5] += prompt
                    sums[8] += answer
                    sums[7] += take - prompt - answer
                    computed[r] = new
                    highest[r] = max(highest[r], new)
                    if cache_mode != CACHE_NONE:
                        most = min(new, inputs[r]) // block_tokens
                        most = min(most, start[r + 1] - start[r])
                        for j in range(entered[r], most):
                            b = ids[start[r] + j]
                            if per_block > 0:
                                if present[b]:  # computed twice at once: keep one
                                    free += per_block
                                    blocked = False
                                    if users[b] == 0:
                                        after[before[b]] = after[b]
                                        before[after[b]] = before[b]
                                        spare -= 1
                                users[b] += 1
                            if not present[b]:
                                present[b] = True
                                blocked = False  # whoever waits may need this very block
                        entered[r] = max(entered[r], most)
                    chunk[i] = 0
                    if new == inputs[r] + generated[r]:
                        generated[r] += 1
                        sums[9] += 1
                        if generated[r] == 1:
                            first_s[r] = clock
                        if generated[r] == outputs[r]:
                            finish_s[r] = clock
                            chunk[i] = -1
                if inputs[r] + generated[r] - computed[r] > 1 or generated[r] == 0:
                    prefilling += 1

        # --- take out what is finished, keep the order ---
        kept = 0
        for i in range(n_run):
            r = run[i]
            if chunk[i] >= 0:
                run[kept] = r
                kept += 1
                continue
            blocked = False
            free += held[r] - entered[r] * per_block
            if per_block > 0:
                for j in range(entered[r] - 1, -1, -1):
                    b = ids[start[r] + j]
                    users[b] -= 1
                    if users[b] == 0:
                        last = before[ring]
                        after[last] = b
                        before[b] = last
                        after[b] = ring
                        before[ring] = b
                        spare += 1
            if released < n:
                arrival[released] = clock
                released += 1
        n_run = kept

    while shots < 3:
        snapshots[shots, 0] = clock
        snapshots[shots, 1:] = sums
        shots += 1
    return clock
