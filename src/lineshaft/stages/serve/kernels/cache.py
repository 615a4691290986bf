"""Prefix blocks of an instance: found by their number, least recently used out first.

A store is a hash table (open addressing, deletion by shifting back) over nodes. Nodes that nobody
uses wait for eviction in a ring, in the order in which they were let go. A request uses all blocks
before one that it uses and lets them go from the last to the first, so a leaf of the tree of
prefixes always goes before what it hangs on: with whole blocks, lru and radix evict alike. Evicted
blocks fall into the tiers below, each least recently used out first.
"""

from __future__ import annotations

from lineshaft.stages.serve.kernels.state import CACHE_ENDLESS, World, inner

# --- one store ----------------------------------------------------------------------------------


@inner
def _place(block: int, mask: int) -> int:
    return int(((block * 0x9E3779B97F4A7C1) >> 24) & mask)


@inner
def find(w: World, s: int, block: int) -> int:
    """Its node, 0 if it is not there."""
    store = w.stores[s]
    table, nodes, mask = store.table_at, store.node_at, store.mask
    j = _place(block, mask)
    while True:
        node = w.ints[table + j]
        if node == 0 or w.nodes[nodes + node].block == block:
            return int(node)
        j = (j + 1) & mask


@inner
def _insert(w: World, s: int, block: int) -> int:
    store = w.stores[s]
    node = store.unused
    store.unused = w.nodes[store.node_at + node].next
    w.nodes[store.node_at + node].block = block
    w.nodes[store.node_at + node].users = 0
    j = _place(block, store.mask)
    while w.ints[store.table_at + j] != 0:
        j = (j + 1) & store.mask
    w.ints[store.table_at + j] = node
    store.held += 1
    return int(node)


@inner
def _remove(w: World, s: int, node: int) -> None:
    store = w.stores[s]
    table, mask = store.table_at, store.mask
    j = _place(w.nodes[store.node_at + node].block, mask)
    while w.ints[table + j] != node:
        j = (j + 1) & mask
    gap = j
    while True:  # shift back what would no longer be found
        j = (j + 1) & mask
        other = w.ints[table + j]
        if other == 0:
            break
        home = _place(w.nodes[store.node_at + other].block, mask)
        if ((j - home) & mask) >= ((j - gap) & mask):
            w.ints[table + gap] = other
            gap = j
    w.ints[table + gap] = 0
    w.nodes[store.node_at + node].next = store.unused
    store.unused = node
    store.held -= 1


@inner
def _ring_append(w: World, at: int, node: int) -> None:
    last = w.nodes[at].previous
    w.nodes[at + last].next = node
    w.nodes[at + node].previous = last
    w.nodes[at + node].next = 0
    w.nodes[at].previous = node


@inner
def _ring_unlink(w: World, at: int, node: int) -> None:
    before, behind = w.nodes[at + node].previous, w.nodes[at + node].next
    w.nodes[at + before].next = behind
    w.nodes[at + behind].previous = before


@inner
def reset(w: World, s: int) -> None:
    """Nothing in it."""
    store = w.stores[s]
    at, room = store.node_at, store.room
    w.ints[store.table_at : store.table_at + store.mask + 1] = 0
    for node in range(room + 1):
        w.nodes[at + node].users = 0
        w.nodes[at + node].next = node + 1 if node < room else 0
    w.nodes[at].next = 0
    w.nodes[at].previous = 0
    store.unused = 1 if room > 0 else 0
    store.held, store.spare = 0, 0


# --- an instance --------------------------------------------------------------------------------


@inner
def _pin(w: World, s: int, node: int) -> None:
    """One more request uses this block."""
    store = w.stores[s]
    if w.nodes[store.node_at + node].users == 0:
        _ring_unlink(w, store.node_at, node)
        store.spare -= 1
    w.nodes[store.node_at + node].users += 1


@inner
def let_go(w: World, i: int, r: int) -> None:
    """A request no longer uses its prefix blocks; they stay while there is room."""
    pool = w.pools[w.instances[i].pool]
    if pool.per_block > 0:
        s = w.instances[i].store_at
        store = w.stores[s]
        at = w.starts[r]
        for j in range(w.requests[r].entered - 1, -1, -1):
            node = find(w, s, w.ids[at + j])
            w.nodes[store.node_at + node].users -= 1
            if w.nodes[store.node_at + node].users == 0:
                store.spare += 1
                _ring_append(w, store.node_at, node)
    w.requests[r].entered = 0


@inner
def _fall(w: World, s: int, last: int, block: int) -> None:
    """Into the first tier with room for blocks, whose oldest block falls further."""
    while s < last:
        store = w.stores[s]
        if store.room > 0:
            node = find(w, s, block)
            if node > 0:
                _ring_unlink(w, store.node_at, node)
                _ring_append(w, store.node_at, node)
                return
            oldest = -1
            if store.held == store.room:
                node = w.nodes[store.node_at].next
                oldest = w.nodes[store.node_at + node].block
                _ring_unlink(w, store.node_at, node)
                _remove(w, s, node)
            _ring_append(w, store.node_at, _insert(w, s, block))
            if oldest < 0:
                return
            block = oldest
        s += 1


@inner
def evict(w: World, i: int) -> None:
    """Until no more memory is used than there is."""
    instance = w.instances[i]
    while instance.free < 0:
        pool = w.pools[instance.pool]
        s = instance.store_at
        store = w.stores[s]
        node = w.nodes[store.node_at].next
        _ring_unlink(w, store.node_at, node)
        block = w.nodes[store.node_at + node].block
        _remove(w, s, node)
        store.spare -= 1
        instance.free += pool.per_block
        _fall(w, s + 1, s + pool.stores, block)


@inner
def room(w: World, i: int) -> int:
    """KV blocks that are free or can be freed by eviction."""
    pool = w.pools[w.instances[i].pool]
    free = w.instances[i].free
    if pool.per_block > 0:
        free += w.stores[w.instances[i].store_at].spare * pool.per_block
    return int(free)


@inner
def look_up(w: World, i: int, r: int) -> tuple[int, int, int]:
    """Leading prefix blocks of a request that are here: in memory, of those spare, and in all.

    One token at least is left to compute, or there were no first answer token.
    """
    pool = w.pools[w.instances[i].pool]
    if pool.cache == 0:
        return 0, 0, 0
    at = w.starts[r]
    most = min((w.requests[r].inputs - 1) // w.fleet[0].block_tokens, w.starts[r + 1] - at)
    hits, spare = 0, 0
    if pool.cache == CACHE_ENDLESS:
        while hits < most and w.present[w.ids[at + hits]]:
            hits += 1
        return hits, 0, hits
    s = w.instances[i].store_at
    nodes = w.stores[s].node_at
    while hits < most:
        node = find(w, s, w.ids[at + hits])
        if node == 0:
            break
        if w.nodes[nodes + node].users == 0:
            spare += 1
        hits += 1
    below = hits
    while below < most:
        found = 0
        for tier in range(s + 1, s + pool.stores):
            found = find(w, tier, w.ids[at + below])
            if found > 0:
                break
        if found == 0:
            break
        below += 1
    return hits, spare, below


@inner
def take_hits(w: World, i: int, r: int, memory: int, hits: int, need: int) -> float:
    """A request takes `need` KV blocks besides the `hits` prefix blocks found for it, of which
    `memory` are in memory; returns the time to bring the others, which are part of `need`."""
    pool = w.pools[w.instances[i].pool]
    w.instances[i].free -= need
    if pool.per_block == 0:
        return 0.0
    s = w.instances[i].store_at
    at = w.starts[r]
    for j in range(memory):
        _pin(w, s, find(w, s, w.ids[at + j]))
    load_s, seen = 0.0, 0
    for j in range(memory, hits):
        for tier in range(s + 1, s + pool.stores):
            node = find(w, tier, w.ids[at + j])
            if node > 0:
                store = w.stores[tier]
                load_s += store.token_s * w.fleet[0].block_tokens
                if seen & (1 << (tier - s)) == 0:
                    load_s += store.latency_s
                    seen |= 1 << (tier - s)
                _ring_unlink(w, store.node_at, node)
                _remove(w, tier, node)
                break
    evict(w, i)
    for j in range(memory, hits):
        node = _insert(w, s, w.ids[at + j])
        w.nodes[w.stores[s].node_at + node].users = 1
    w.requests[r].entered = hits
    return load_s


@inner
def enter(w: World, i: int, r: int) -> None:
    """Prefix blocks that a request has computed can be found from now on."""
    pool = w.pools[w.instances[i].pool]
    if pool.cache == 0:
        return
    request = w.requests[r]
    at = w.starts[r]
    whole = min(request.computed, request.inputs) // w.fleet[0].block_tokens
    most = min(whole, w.starts[r + 1] - at)
    if most <= request.entered:
        return
    if pool.cache == CACHE_ENDLESS:
        for j in range(request.entered, most):
            w.present[w.ids[at + j]] = True
        request.entered = most
        return
    s = w.instances[i].store_at
    for j in range(request.entered, most):
        node = find(w, s, w.ids[at + j])
        if node > 0:  # computed twice at once: keep one
            w.instances[i].free += pool.per_block
            _pin(w, s, node)
        else:
            node = _insert(w, s, w.ids[at + j])
            w.nodes[w.stores[s].node_at + node].users = 1
    request.entered = most
