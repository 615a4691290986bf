"""Those who decode, all in step: joining, leaving, blocks they need, steps they have done."""

from __future__ import annotations

import numpy as np

from lineshaft.stages.serve.kernels import cache
from lineshaft.stages.serve.kernels.lists import end_push, end_remove
from lineshaft.stages.serve.kernels.state import DECODE, World, inner


@inner
def position(w: World, i: int, r: int) -> int:
    """KV of a decoding request that is computed, in units."""
    one = w.requests[r]
    units = w.pools[w.instances[i].pool].units
    return int((one.inputs + one.outputs - 1) * units - (one.end - w.instances[i].progress))


@inner
def crosses(w: World, i: int, r: int) -> int:
    """KV blocks that a decoding request needs for its next step."""
    pool = w.pools[w.instances[i].pool]
    now = position(w, i, r)
    return int((now + pool.gain + pool.phases - 1) // pool.phases - blocks(now, pool.phases))


@inner
def blocks(units: int, phases: int) -> int:
    return int((units + phases - 1) // phases)


@inner
def join(w: World, i: int, r: int) -> None:
    """A request has all KV but that of its last token: it decodes from the next step on."""
    instance, one = w.instances[i], w.requests[r]
    pool = w.pools[instance.pool]
    one.where = DECODE
    one.end = instance.progress + (one.outputs - one.generated) * pool.units
    end_push(w, instance.end_at, instance.decoding, r)
    instance.decoding += 1
    now = position(w, i, r)
    instance.position += now
    w.ints[instance.phase_at + (now - instance.progress) % pool.phases] += 1
    # one that recomputes may have reserved a block for its last token, which it now takes anew
    instance.free += one.held - blocks(now, pool.phases)


@inner
def leave(w: World, i: int, r: int) -> None:
    """A request stops decoding; a fraction of a token that it had gained is lost."""
    instance, one = w.instances[i], w.requests[r]
    pool = w.pools[instance.pool]
    now = position(w, i, r)
    end_remove(w, instance.end_at, instance.decoding, r)
    instance.decoding -= 1
    instance.position -= now
    w.ints[instance.phase_at + (now - instance.progress) % pool.phases] -= 1
    one.computed = now // pool.units
    one.generated = one.computed + 1 - one.inputs
    one.highest = max(one.highest, one.computed)
    one.held = blocks(now, pool.phases)
    lost = (now - one.computed * pool.units) / pool.units
    instance.decode_tokens -= lost
    instance.output_tokens -= lost


@inner
def finish(w: World, i: int) -> int:
    """Take out the first decoding request whose end is reached; -1 if there is none."""
    instance = w.instances[i]
    if instance.decoding == 0:
        return -1
    r = w.ints[instance.end_at]
    one = w.requests[r]
    if one.end > instance.progress:
        return -1
    pool = w.pools[instance.pool]
    now = position(w, i, r)
    end_remove(w, instance.end_at, instance.decoding, r)
    instance.decoding -= 1
    instance.position -= now
    w.ints[instance.phase_at + (now - instance.progress) % pool.phases] -= 1
    one.generated = one.outputs
    one.computed = one.inputs + one.outputs - 1
    one.highest = max(one.highest, one.computed)
    one.held = blocks(now, pool.phases)
    beyond = (instance.progress - one.end) / pool.units
    instance.decode_tokens -= beyond
    instance.output_tokens -= beyond
    return int(r)


@inner
def need(w: World, i: int, steps: int) -> int:
    """KV blocks that those who decode need for so many steps, from the counts of their phases."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    units = steps * pool.gain
    total = instance.decoding * (units // pool.phases)
    at = instance.phase_at
    # a request at phase q of its block (1 to all of it) needs one more if the rest exceeds the end
    more = units % pool.phases
    j = (pool.phases - more + 1 - instance.progress) % pool.phases
    while more > 0:
        total += w.ints[at + j]
        j += 1
        if j == pool.phases:
            j = 0
        more -= 1
    return int(total)


@inner
def most_steps(w: World, i: int, steps: int, free: int) -> int:
    """Most steps, up to `steps`, for which so many blocks are enough; at least one."""
    pool = w.pools[w.instances[i].pool]
    if w.instances[i].decoding * (steps * pool.gain // pool.phases + 1) <= free:
        return steps
    low, high = 1, steps
    while low < high:
        middle = (low + high + 1) // 2
        if need(w, i, middle) <= free:
            low = middle
        else:
            high = middle - 1
    return low


# --- the action in progress ---------------------------------------------------------------------


@inner
def lasts(w: World, i: int, steps: int) -> float:
    """Time of its first steps."""
    instance = w.instances[i]
    return float(steps * instance.base_s + instance.slope_s * 0.5 * steps * (steps - 1))


@inner
def reaches(w: World, i: int, time_s: float) -> int:
    """Steps until the first end of a step at or after this time."""
    instance = w.instances[i]
    gap = time_s - instance.from_s
    if gap <= 0:
        return 1
    half = instance.base_s - 0.5 * instance.slope_s
    root = np.sqrt(half * half + 2.0 * instance.slope_s * gap)
    steps = max(1, min(int(2.0 * gap / (half + root)), instance.steps))
    while steps > 1 and lasts(w, i, steps - 1) >= gap:
        steps -= 1
    while steps < instance.steps and lasts(w, i, steps) < gap:
        steps += 1
    return int(steps)


@inner
def apply(w: World, i: int, steps: int) -> None:
    """So many steps of the action in progress have been done."""
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    growth = instance.slope_s * 0.5 * steps * (steps - 1)
    instance.busy_s += steps * instance.base_s + growth
    instance.prefill_s += instance.prefill_step_s
    instance.cached_s += instance.cached_step_s
    instance.decode_s += steps * instance.decode_step_s + growth
    instance.active_s += steps * instance.active_step_s + growth
    instance.iterations += steps
    if instance.with_decode and instance.decoding > 0:
        instance.free -= need(w, i, steps) - instance.paid
        instance.paid = 0
        units = steps * pool.gain
        instance.progress += units
        instance.position += instance.decoding * units
        tokens = instance.decoding * (units / pool.units)
        instance.decode_tokens += tokens
        instance.output_tokens += tokens
        cache.evict(w, i)


@inner
def catch_up(w: World, i: int, time_s: float) -> None:
    """Steps of a stretch of decode that ended before this time are done."""
    instance = w.instances[i]
    steps = reaches(w, i, time_s)
    if instance.steps == 1 or steps < 2:
        return
    spent = lasts(w, i, steps - 1)
    apply(w, i, steps - 1)
    instance.from_s += spent
    instance.base_s += instance.slope_s * (steps - 1)
    instance.decode_step_s += instance.slope_s * (steps - 1)
    instance.active_step_s += instance.slope_s * (steps - 1)
    instance.steps -= steps - 1


@inner
def cut(w: World, i: int, time_s: float) -> None:
    """End the action with the first step that ends at or after this time."""
    instance = w.instances[i]
    steps = reaches(w, i, time_s)
    if steps < instance.steps:
        instance.steps = steps
        instance.until_s = instance.from_s + lasts(w, i, steps)
