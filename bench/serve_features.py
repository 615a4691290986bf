"""Closed loops of clients as features: what the mean TTFT and TPOT are made of.

The loops follow the rules of `stages.serve.fleet`, without prefix cache, tiers or failures. For
every request they count the steps that pass between arrival, first and last token: how many there
are of each number of tokens (between `NODES`, shared linearly), tokens of context read, pairs of
tokens attended to, sequences, chunks. Mean latencies are then the scalar product of features and
times, so that coefficients are fitted without simulating anew: in a closed loop what to compute in
which step hardly depends on how long steps take.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NODES: Floats = np.unique(
    np.concatenate([[0, 1, 2, 3, 4, 6, 8], np.rint(2.0 ** (np.arange(7, 36) / 2))])
).astype(np.float64)
"""Numbers of tokens of a step."""
CONTEXT, PAIRS, SEQUENCES, CHUNKS = range(4)
"""Places of the other features behind two sets of nodes: pure decode, steps with prompts."""
FEATURES = 2 * len(NODES) + 4
WHOLE, PROMPTS_FIRST, MIXED = 2, 1, 0
"""Rules: prompts whole (TensorRT-LLM), prompts first (SGLang), chunks beside decodes (vLLM)."""


@njit(cache=True)
def place(tokens: float) -> tuple[int, float]:
    """Node below, and weight of the one above."""
    at = np.searchsorted(NODES, tokens)
    if at == 0:
        return 0, 0.0
    at = min(at, len(NODES) - 1)
    return at - 1, (tokens - NODES[at - 1]) / (NODES[at] - NODES[at - 1])


@njit(cache=True)
def _arrive(times: Floats, who: Ints, first: int, last: int, time: float, request: int) -> None:
    at = last
    while at > first and times[at - 1] > time:
        times[at], who[at] = times[at - 1], who[at - 1]
        at -= 1
    times[at], who[at] = time, request


@njit(cache=True)
def whole(
    inputs: Ints,
    outputs: Ints,
    waits: Floats,
    clients: int,
    rule: int,
    ranks: int,
    budget: int,
    capacity: float,
    pure_s: Floats,
    mixed_s: Floats,
    other_s: Floats,
    draft: int,
    gain: float,
    local: float,
    ttft: Floats,
    tpot: Floats,
) -> None:
    """One pool of one instance; adds mean features to `ttft` and `tpot` [FEATURES].

    `pure_s` and `mixed_s` [node] time a step without and with prompts, `other_s` the other four.
    """
    n, nodes = len(inputs), len(NODES)
    total, step = np.zeros(FEATURES), np.zeros(FEATURES)
    at_arrival, at_first = np.zeros((n, FEATURES)), np.zeros((n, FEATURES))
    prompt = inputs.copy()
    left = np.array([1 + max(1, int(np.rint((size - 1) / gain))) for size in outputs])
    arrived, answered = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    times, who = np.empty(3 * n + 10), np.empty(3 * n + 10, np.int64)
    first, last, sent, done = n, n, 0, 0
    most = clients + 1
    running, ends, before = np.empty(most, np.int64), np.empty(most, np.int64), np.zeros(n)
    complete = np.empty(most, np.int64)
    count, computed, steps, clock, used, context = 0, 0, 0, 0.0, 0.0, 0.0
    never = np.int64(1) << 60
    next_end = never
    while sent < min(clients, n):
        _arrive(times, who, first, last, waits[sent], sent)
        last += 1
        sent += 1
    while done < n:
        if count == 0 and computed == 0 and times[first] > clock:
            clock = times[first]
        waiting = first < last and times[first] <= clock
        ready = (waiting or computed > 0) and count < clients
        if ready and computed == 0:
            r = who[first]
            need = prompt[r] + 1 + ((left[r] - 1) * gain if rule == WHOLE else 0)
            ready = used + need <= capacity or count == 0
        decoding = 0 if rule == PROMPTS_FIRST and ready else count
        chunks, tokens, pairs, ending = 0, 0, 0.0, 0
        if ready:
            room = budget - decoding * (1 + draft)
            while room > 0 and first < last and times[first] <= clock and count + ending < clients:
                r = who[first]
                if computed == 0:
                    need = prompt[r] + 1 + ((left[r] - 1) * gain if rule == WHOLE else 0)
                    if used + need > capacity and count + ending > 0:
                        break
                    if rule == WHOLE and chunks > 0 and prompt[r] > room:
                        break
                    used += need
                take = prompt[r] - computed
                if rule != WHOLE:
                    take = min(take, room)
                pairs += take * (computed + 0.5 * (take + 1))
                tokens += take
                chunks += 1
                room -= take
                computed += take
                if computed >= prompt[r]:
                    complete[ending] = r
                    ending += 1
                    first += 1
                    computed = 0
        if chunks == 0 and rule != WHOLE and used + decoding * gain > capacity and count > 1:
            count -= 1  # the last one is preempted and computed again
            r = running[count]
            made = steps - (ends[count] - left[r])
            used -= before[r] + 1 + (made - 1) * gain
            context -= before[r] + (made - 1) * gain
            prompt[r] = before[r] + 1 + int((made - 1) * gain)
            left[r] -= made
            first -= 1
            times[first], who[first] = clock, r
            next_end = ends[:count].min()
            continue
        spread = 1.0 + (ranks / min(ranks, chunks) - 1.0) * local if chunks else 1.0
        node, weight = place(decoding * (1 + draft) + tokens * spread)
        dense = mixed_s if chunks else pure_s
        pairs *= ranks / min(ranks, chunks) if chunks else 1.0
        read = context + decoding if decoding else 0.0
        sequences = decoding + ending
        takes = (1 - weight) * dense[node] + weight * dense[node + 1] + read * other_s[CONTEXT]
        takes += pairs * other_s[PAIRS] + sequences * other_s[SEQUENCES] + chunks * other_s[CHUNKS]
        repeat, grows = 1, 0.0
        if chunks == 0:  # a stretch of decode, to the next end, arrival or shortage
            repeat, grows = max(1, next_end - steps), decoding * gain
            if rule != WHOLE:
                repeat = max(1, min(repeat, int((capacity - used) / grows)))
            if not waiting and first < last:
                repeat = min(repeat, max(1, int(np.ceil((times[first] - clock) / takes))))
        sum_ = grows * (repeat * (repeat - 1) / 2.0)
        end = clock + repeat * takes + other_s[CONTEXT] * sum_
        step[:] = 0.0
        shift = nodes if chunks else 0
        step[shift + node] = (1 - weight) * repeat
        step[shift + node + 1] += weight * repeat
        step[2 * nodes + CONTEXT] = read * repeat + sum_
        step[2 * nodes + PAIRS], step[2 * nodes + CHUNKS] = pairs, chunks
        step[2 * nodes + SEQUENCES] = sequences * repeat
        for j in range(first - ending, last):
            r = who[j]
            if times[j] <= end and not arrived[r]:
                arrived[r] = True
                at_arrival[r] = total + step * max(0.0, (times[j] - clock) / (end - clock))
        total += step
        clock = end
        kept = count
        if decoding:
            steps += repeat
            context += decoding * repeat * gain
            if rule != WHOLE:
                used += decoding * repeat * gain
            if steps >= next_end:
                kept, next_end = 0, never
                for i in range(count):
                    r = running[i]
                    if ends[i] > steps:
                        running[kept], ends[kept] = r, ends[i]
                        next_end = min(next_end, ends[i])
                        kept += 1
                        continue
                    done += 1
                    tpot += (total - at_first[r]) / max(outputs[r] - 1, 1)
                    context -= before[r] + (left[r] - 1) * gain
                    used -= prompt[r] + 1 + (left[r] - 1) * gain
                    if sent < n:
                        _arrive(times, who, first, last, clock + waits[sent], sent)
                        last += 1
                        sent += 1
        count = kept
        for j in range(ending):
            r = complete[j]
            if not answered[r]:
                answered[r] = True
                ttft += total - at_arrival[r]
                at_first[r] = total
            before[r] = prompt[r]
            running[count], ends[count] = r, steps + left[r] - 1
            next_end = min(next_end, ends[count])
            context += prompt[r]
            count += 1
    ttft /= n
    tpot /= n


@njit(cache=True)
def split(
    inputs: Ints,
    outputs: Ints,
    clients: int,
    first_count: int,
    then_count: int,
    rule: int,
    ranks: int,
    budget: int,
    capacity: float,
    prompt_s: Floats,
    prompt_other_s: Floats,
    decode_s: Floats,
    decode_other_s: Floats,
    draft: int,
    gain: float,
    local: float,
    handover_s: float,
    ttft: Floats,
    tpot: Floats,
) -> None:
    """A pool for prompts and one for answers; adds mean features to `ttft` and `tpot`."""
    n, nodes = len(inputs), len(NODES)
    every = first_count + then_count
    total, step = np.zeros((every, FEATURES)), np.zeros((every, FEATURES))
    began, ends_at = np.zeros(every), np.full(every, np.inf)
    queue, head = np.empty((first_count, n + 1), np.int64), np.zeros(first_count, np.int64)
    tail, computed = np.zeros(first_count, np.int64), np.zeros(first_count, np.int64)
    complete, ending = np.empty((first_count, n), np.int64), np.zeros(first_count, np.int64)
    at_arrival, at_start = np.zeros((n, FEATURES)), np.zeros((n, FEATURES))
    most = min(clients, n) + 1
    running, ends = np.empty((then_count, most), np.int64), np.empty((then_count, most), np.int64)
    count, steps = np.zeros(then_count, np.int64), np.zeros(then_count, np.int64)
    context, used = np.zeros(then_count), np.zeros(then_count)
    waits, out = np.empty((then_count, n + 1), np.int64), np.zeros(then_count, np.int64)
    came = np.zeros(then_count, np.int64)
    left = np.array([1 + max(1, int(np.rint((size - 1) / gain))) for size in outputs])
    moved, moved_at, moved_out, moved_in = np.empty(n, np.int64), np.empty(n), 0, 0
    sent, done, clock = 0, 0, 0.0
    while sent < min(clients, n):
        queue[sent % first_count, tail[sent % first_count]] = sent
        tail[sent % first_count] += 1
        sent += 1
    while done < n:
        for i in range(first_count):
            if ends_at[i] < np.inf or tail[i] == head[i]:
                continue
            chunks, tokens, pairs, room = 0, 0, 0.0, budget * ranks
            ending[i] = 0
            while room > 0 and tail[i] > head[i]:
                r = queue[i, head[i]]
                take = inputs[r] - computed[i]
                if rule == WHOLE and chunks > 0 and take > room:
                    break
                if rule != WHOLE:
                    take = min(take, room)
                pairs += take * (computed[i] + 0.5 * (take + 1))
                tokens += take
                chunks += 1
                room -= take
                computed[i] += take
                if computed[i] >= inputs[r]:
                    complete[i, ending[i]] = r
                    ending[i] += 1
                    head[i] += 1
                    computed[i] = 0
            alone = ranks / min(ranks, chunks)
            node, weight = place(tokens * (1.0 + (alone - 1.0) * local))
            pairs *= alone
            step[i] = 0.0
            step[i, nodes + node], step[i, nodes + node + 1] = 1 - weight, weight
            step[i, 2 * nodes + PAIRS] = pairs
            step[i, 2 * nodes + SEQUENCES], step[i, 2 * nodes + CHUNKS] = ending[i], chunks
            takes = (1 - weight) * prompt_s[node] + weight * prompt_s[node + 1]
            takes += pairs * prompt_other_s[PAIRS] + ending[i] * prompt_other_s[SEQUENCES]
            began[i], ends_at[i] = clock, clock + takes + chunks * prompt_other_s[CHUNKS]
        for j in range(then_count):
            i = first_count + j
            if ends_at[i] < np.inf:
                continue
            while came[j] > out[j]:
                r = waits[j, out[j]]
                if used[j] + inputs[r] + outputs[r] > capacity and count[j] > 0:
                    break
                used[j] += inputs[r] + outputs[r]
                out[j] += 1
                running[j, count[j]], ends[j, count[j]] = r, steps[j] + left[r] - 1
                count[j] += 1
                context[j] += inputs[r]
                at_start[r] = total[i]
            if count[j] == 0:
                continue
            node, weight = place(count[j] * (1 + draft))
            step[i] = 0.0
            step[i, node], step[i, node + 1] = 1 - weight, weight
            step[i, 2 * nodes + CONTEXT] = context[j] + count[j]
            step[i, 2 * nodes + SEQUENCES] = count[j]
            takes = (1 - weight) * decode_s[node] + weight * decode_s[node + 1]
            takes += (context[j] + count[j]) * decode_other_s[CONTEXT]
            began[i], ends_at[i] = clock, clock + takes + count[j] * decode_other_s[SEQUENCES]
        i = int(np.argmin(ends_at))
        if moved_out < moved_in and moved_at[moved_out] <= ends_at[i]:
            clock, r = moved_at[moved_out], moved[moved_out]
            moved_out += 1
            j = int(np.argmin(count + came - out))
            waits[j, came[j]] = r
            came[j] += 1
            continue
        clock, ends_at[i] = ends_at[i], np.inf
        total[i] += step[i]
        if i < first_count:
            for q in range(ending[i]):
                r = complete[i, q]
                ttft += total[i] - at_arrival[r]
                moved[moved_in], moved_at[moved_in] = r, clock + handover_s
                moved_in += 1
            continue
        j = i - first_count
        steps[j] += 1
        context[j] += count[j] * gain
        kept = 0
        for q in range(count[j]):
            r = running[j, q]
            if ends[j, q] > steps[j]:
                running[j, kept], ends[j, kept] = r, ends[j, q]
                kept += 1
                continue
            done += 1
            tpot += (total[i] - at_start[r]) / max(outputs[r] - 1, 1)
            context[j] -= inputs[r] + (left[r] - 1) * gain
            used[j] -= inputs[r] + outputs[r]
            if sent < n:
                to = int(np.argmin(tail - head))
                at_arrival[sent] = total[to]
                if ends_at[to] < np.inf:
                    at_arrival[sent] += step[to] * (clock - began[to]) / (ends_at[to] - began[to])
                queue[to, tail[to]] = sent
                tail[to] += 1
                sent += 1
        count[j] = kept
    ttft /= n
    tpot /= n
