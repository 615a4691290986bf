"""How long the action that an instance has just planned takes, and whose time it is."""

from __future__ import annotations

from lineshaft.stages.serve.kernels.state import World, inner
from lineshaft.stages.serve.kernels.tables import Tables, table_step_s


@inner
def _read(w: World, at: int, last: int, tokens: float) -> float:
    """Of times by tokens, between whole numbers."""
    low = min(int(tokens), last)
    high = min(low + 1, last)
    return float(
        w.floats[at + low] + (tokens - int(tokens)) * (w.floats[at + high] - w.floats[at + low])
    )


@inner
def _tables(w: World, pool: int) -> Tables:
    """The operator tables of a pool, out of the one array."""
    at = w.pools[pool].tables_at
    o, f = w.ints[at : at + 11], w.floats
    chunk, kv, decode, context = o[3] - o[2], o[4] - o[3], o[5] - o[4], o[6] - o[5]
    mixed = f[o[8] : o[9]]
    whole = len(mixed) > 0
    return (
        f[o[0] : o[1]],
        f[o[1] : o[2]],
        f[o[2] : o[3]],
        f[o[3] : o[4]],
        f[o[4] : o[5]],
        f[o[5] : o[6]],
        f[o[6] : o[7]].reshape((chunk, kv)),
        f[o[7] : o[8]].reshape((decode, context)),
        mixed.reshape((chunk, kv, decode, context) if whole else (0, 0, 0, 0)),
        f[o[9] : o[10]],
    )


@inner
def price(w: World, i: int) -> None:
    """Sets the time of the first step of the action, its growth from step to step, and the shares.

    What depends on the number of tokens alone is shared half by what decode adds to prompts, half
    by what is left for it when prompts come last, and a pair of a computed and a cached token half
    by each: the Shapley value of two players.
    """
    instance = w.instances[i]
    pool = w.pools[instance.pool]
    decoding, context = 0, 0.0
    if instance.with_decode:
        decoding = instance.decoding
        context = (instance.position + decoding * pool.units) / pool.units
    chunks, tokens, squares, kv, pairs, hit_pairs = 0, 0, 0.0, 0.0, 0.0, 0.0
    for j in range(instance.chunks):
        one = w.requests[w.ints[instance.chunk_at + 2 * j]]
        take = w.ints[instance.chunk_at + 2 * j + 1]
        if take > 0:
            chunks += 1
            tokens += take
            squares += float(take) * take
            kv += one.computed
            pairs += take * (one.computed + 0.5 * (take + 1))
            if one.cached > 0:  # recomputation is the price of preemption, not of a hit
                fresh = min(one.computed + take, one.inputs) - max(one.computed, one.highest)
                hit_pairs += float(max(0, fresh)) * one.cached
    verify = float(decoding * pool.verify)
    spread = pool.ranks / min(pool.ranks, chunks) if chunks > 0 else 1.0
    all_tokens = verify + tokens * (1.0 + (spread - 1.0) * pool.local_share)
    attention = pool.pair_s * spread * pairs
    active = _read(w, pool.compute_at, pool.tokens, all_tokens) + pool.kv_s * context + attention
    if pool.tables:
        t = _tables(w, instance.pool)
        n, k = float(decoding), float(chunks)
        spent = table_step_s(t, n, context, k, float(tokens), squares, kv, pairs)
        decode = spent if chunks == 0 else 0.0
        if decoding > 0 and chunks > 0:
            alone = table_step_s(t, n, context, 0.0, 0.0, 0.0, 0.0, 0.0)
            prompts = table_step_s(t, 0.0, 0.0, k, float(tokens), squares, kv, pairs)
            decode = 0.5 * (alone + spent - prompts)
        instance.slope_s = 0.0
    else:
        dense = _read(w, pool.dense_at, pool.tokens, all_tokens)
        spent = dense + pool.kv_s * context + attention + pool.seq_s * (decoding + chunks)
        decode = dense
        if chunks > 0:
            spent += pool.mixed_s + pool.chunk_s * chunks
            alone = _read(w, pool.dense_at, pool.tokens, verify)
            prompts = _read(w, pool.dense_at, pool.tokens, all_tokens - verify)
            decode = 0.5 * (alone + dense - prompts)
        decode += pool.kv_s * context + pool.seq_s * decoding
        instance.slope_s = instance.slow * pool.kv_s * decoding * (pool.gain / pool.units)
    reuse = 0.5 * pool.pair_s * spread * hit_pairs
    instance.base_s = instance.slow * spent
    instance.decode_step_s = instance.slow * decode
    instance.cached_step_s = instance.slow * reuse
    instance.prefill_step_s = instance.slow * (spent - decode - reuse) if chunks > 0 else 0.0
    instance.active_step_s = instance.slow * min(active, spent)
