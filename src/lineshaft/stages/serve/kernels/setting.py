"""From a fleet and its requests to the arrays of the event loop, and back."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.deployment import (
    PREEMPTIONS,
    PREFIX_CACHES,
    ROUTERS,
    RULES,
    Fleet,
    Pool,
)
from lineshaft.stages.serve.fleet import Outcome, Series, Totals
from lineshaft.stages.serve.kernels import drive, state
from lineshaft.stages.serve.kernels.check import check
from lineshaft.stages.serve.requests import Requests

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
GAIN_PARTS = 32
"""Largest denominator of the gain of speculative decoding."""
LISTS = 8
"""Heads and tails of an instance besides those who wait."""


class Arena:
    """One array out of many pieces; `add` returns where a piece begins."""

    def __init__(self, dtype: type) -> None:
        self.dtype, self.size = dtype, 0
        self.pieces: list[tuple[int, NDArray[Any] | int]] = []

    def add(self, values: NDArray[Any]) -> int:
        self.pieces.append((self.size, values))
        self.size += len(values)
        return self.size - len(values)

    def fill(self, count: int, value: int = 0) -> int:
        return self.add(np.broadcast_to(np.array(value, self.dtype), count))

    def array(self) -> NDArray[Any]:
        found: NDArray[Any] = np.zeros(max(self.size, 1), self.dtype)
        for at, values in self.pieces:
            found[at : at + len(values)] = values  # type: ignore[arg-type]
        return found


@cache
def _compiled() -> Any:
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return drive.build(code.hexdigest())


def simulate(
    fleet: Fleet,
    requests: Requests,
    exact: bool,
    window_s: tuple[float, float],
    series_s: float,
    threads: int,
) -> Outcome:
    """See `fleet.simulate`."""
    check(fleet, requests)
    run, spread = _compiled()
    world, order = _world(fleet, requests, exact, window_s, series_s)
    pools = world.pools
    static = (
        fleet.router in ("round-robin", "random")
        and not (fleet.decode or fleet.failures or fleet.autoscaler)
        and len(order) == len(requests)
        and pools[0]["cache"] != state.CACHE_ENDLESS
    )
    count = fleet.pool.instances
    try:
        if static and count > 1:
            if fleet.router == "random":
                to = spread(fleet.seed, order, count)
            else:
                to = np.arange(len(order)) % count
            sizes = np.bincount(to, minlength=count)
            mine = np.split(order[np.argsort(to, kind="stable")], np.cumsum(sizes)[:-1])
            work = [(_alone(world, i, len(mine[i])), mine[i]) for i in range(count)]
            with ThreadPoolExecutor(threads or _processors()) as team:
                rows = list(team.map(lambda one: run(*one), work))
        else:
            world.fleet[0]["left"] = len(requests)
            rows = [run(world, order)]
    except ValueError as error:
        allowed = "less often than a request takes"
        raise InputError(Problem("", "failures.mtbf_s", str(error), allowed)) from None
    return _outcome(fleet, requests, world, window_s, rows)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- to the event loop --------------------------------------------------------------------------


def _alone(world: state.World, i: int, requests: int) -> state.World:
    """The same world, in which only instance i takes part, with so many requests."""
    pools, fleet = world.pools.copy(), world.fleet.copy()
    pools[0]["first"], pools[0]["beyond"] = i, i + 1
    fleet["instances_at"] += i
    fleet["instances"], fleet["left"] = 1, requests
    fleet["held_at"] += 2 * i
    world.instances[i]["heap_at"] = 0
    events = np.empty(2 * int(pools[0]["cap"]) + 64, state.EVENT)
    return world._replace(pools=pools, fleet=fleet, events=events)


def _world(
    fleet: Fleet,
    requests: Requests,
    exact: bool,
    window_s: tuple[float, float],
    series_s: float,
) -> tuple[state.World, Ints]:
    n = len(requests)
    given = [fleet.pool] + ([fleet.decode] if fleet.decode else [])
    ints, floats = Arena(np.int64), Arena(np.float64)
    prefixes = fleet.pool.scheduler.prefix_cache != "none" and len(requests.block_ids) > 0
    ids, ids_count = dense_ids(requests.block_ids) if prefixes else (np.empty(0, np.int64), 0)
    starts = np.array(requests.block_start if prefixes else [], np.int64)
    rows = _requests(requests)
    classes = int(rows["slo_class"].max(initial=0)) + 1
    pools = np.zeros(len(given), state.POOL)
    for pool, row in zip(given, pools, strict=True):
        _pool(pool, row, requests, prefixes, classes, ints, floats)
        prefixes = False  # who answers only looks nothing up
    pools["first"] = [0, fleet.pool.instances][: len(given)]
    pools["beyond"] = np.cumsum([pool.instances for pool in given])
    instances, stores, nodes = _instances(fleet, given, pools, ids_count, n, ints)
    settings = np.zeros(1, state.FLEET)
    order = _fleet(fleet, requests, settings[0], len(instances), ints, floats)
    settings["exact"], settings["series_s"] = exact, series_s
    settings["window_from_s"], settings["window_to_s"] = window_s
    world = state.World(
        requests=rows,
        instances=instances,
        pools=pools,
        fleet=settings,
        stores=stores,
        nodes=np.zeros(nodes, state.NODE),
        events=np.empty(2 * n + 8 * len(instances) + 64, state.EVENT),
        ints=ints.array(),
        floats=floats.array(),
        ids=np.array(ids, np.int64),
        starts=starts,
        present=np.zeros(ids_count, np.bool_),
    )
    return world, order


def dense_ids(ids: Ints) -> tuple[Ints, int]:
    """The same blocks numbered from 0 without large gaps, and how many numbers there are."""
    low, high = int(ids.min()), int(ids.max())
    if low >= 0 and high < 4 * len(ids):
        return ids, high + 1
    values, dense = np.unique(ids, return_inverse=True)
    return dense.astype(np.int64), len(values)


def _requests(requests: Requests) -> NDArray[Any]:
    rows = np.zeros(len(requests), state.REQUEST)
    rows["arrival_s"] = requests.arrival_s
    rows["inputs"], rows["outputs"] = requests.input_tokens, requests.output_tokens
    if len(requests.slo_class):
        rows["slo_class"] = requests.slo_class
    for name in ("scheduled_s", "first_s", "finish_s"):
        rows[name] = np.nan
    rows["instance"] = rows["decode_instance"] = -1
    return rows


def _pool(
    pool: Pool,
    row: Any,
    requests: Requests,
    prefixes: bool,
    classes: int,
    ints: Arena,
    floats: Arena,
) -> None:
    """One record of POOL."""
    rules, times = pool.scheduler, pool.times
    gain = Fraction(times.gain).limit_denominator(GAIN_PARTS)
    row["rules"] = RULES.index(rules.rules)
    row["rank_budget"], row["ranks"] = rules.max_num_batched_tokens, times.ranks
    row["budget"] = min(rules.max_num_batched_tokens * times.ranks, 1 << 30)
    row["cap"] = min(rules.max_num_seqs * times.ranks, len(requests))
    row["threshold"] = rules.long_prefill_token_threshold
    row["block"], row["blocks"] = rules.block_tokens, rules.kv_blocks
    row["watermark"] = int(rules.watermark * rules.kv_blocks)
    row["cache"] = PREFIX_CACHES.index(rules.prefix_cache) if prefixes else 0
    in_memory = row["cache"] in (state.CACHE_LRU, state.CACHE_RADIX)
    row["per_block"] = requests.block_tokens // rules.block_tokens if in_memory else 0
    row["tiers"] = len(rules.tiers) if in_memory else 0
    row["stores"] = 1 + row["tiers"] if in_memory else 0
    row["reserve"] = rules.rules in ("sarathi", "vllm-v0")
    row["whole"] = rules.whole_prompt_fits
    row["prompts_first"] = rules.rules in ("vllm-v0", "sglang")
    row["swap"] = PREEMPTIONS.index(rules.preemption)
    row["priority"], row["queue_limit"] = rules.priority, rules.queue_limit
    row["classes"] = classes if rules.priority else 1
    row["verify"] = 1 + times.draft
    row["gain"], row["units"] = gain.numerator, gain.denominator
    row["phases"] = rules.block_tokens * gain.denominator
    row["dense_at"], row["compute_at"] = floats.add(times.dense_s), floats.add(times.compute_s)
    row["tokens"] = min(len(times.dense_s), len(times.compute_s)) - 1
    row["swap_token_s"] = rules.swap_token_s
    for name in ("kv_s", "pair_s", "seq_s", "mixed_s", "chunk_s", "local_share"):
        row[name] = getattr(times, name)
    if times.tables is not None:
        at = [floats.add(np.ascontiguousarray(one).ravel()) for one in times.tables]
        row["tables"], row["tables_at"] = 1, ints.add(np.array([*at, floats.size]))


def _instances(
    fleet: Fleet, given: list[Pool], pools: NDArray[Any], ids_count: int, n: int, ints: Arena
) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Records of INSTANCE and STORE, and how many nodes the stores have."""
    instances = np.zeros(sum(pool.instances for pool in given), state.INSTANCE)
    instances["until_s"] = np.inf
    instances["was_idle"] = 1
    instances["slow"] = 1.0
    stores: list[tuple[float, ...]] = []
    nodes = 0
    for i, one in enumerate(instances):
        p = int(i >= pools[0]["beyond"])
        pool, rules = pools[p], given[p].scheduler
        one["pool"], one["heap_at"] = p, i
        one["free"] = pool["blocks"]
        one["lists_at"] = ints.fill(LISTS + 2 * int(pool["classes"]), -1)
        one["phase_at"] = ints.fill(int(pool["phases"]))
        one["chunk_at"] = ints.fill(2 * int(pool["cap"]))
        one["end_at"] = ints.fill(int(pool["cap"]))
        one["store_at"] = len(stores)
        if fleet.autoscaler and i - pool["first"] >= fleet.autoscaler.least:
            one["there"] = state.OFF
        if not pool["stores"]:
            continue
        rooms = [rules.kv_blocks // int(pool["per_block"])]
        rooms += [tier.tokens // (int(pool["per_block"]) * rules.block_tokens)
                  for tier in rules.tiers]  # fmt: skip
        costs = [(0.0, 0.0)] + [(tier.token_s, tier.latency_s) for tier in rules.tiers]
        for room, cost in zip(rooms, costs, strict=True):
            room = min(room, ids_count)
            size = 1 << max(1, (2 * room).bit_length())
            table = ints.fill(size)
            stores.append((nodes, table, size - 1, room, 0, 0, 0, *cost))
            nodes += room + 1
    if fleet.failures:
        _stragglers(fleet, instances)
    return instances, np.array(stores, state.STORE), nodes


def _stragglers(fleet: Fleet, instances: NDArray[Any]) -> None:
    """Some instances are slow throughout: as many as the share says, drawn by the seed."""
    assert fleet.failures is not None
    slow = round(fleet.failures.straggler_share * len(instances))
    drawn = np.random.default_rng([fleet.seed, 0x57]).permutation(len(instances))[:slow]
    instances["slow"][drawn] = fleet.failures.straggler_factor


def _fleet(
    fleet: Fleet, requests: Requests, row: Any, instances: int, ints: Arena, floats: Arena
) -> Ints:
    """The record of FLEET; returns the requests that arrive by themselves, in order."""
    n = len(requests)
    order = np.arange(n)
    row["router"] = ROUTERS.index(fleet.router)
    row["block_tokens"] = max(requests.block_tokens, 1)
    row["seed"], row["view_s"] = fleet.seed, fleet.view_s
    row["split"] = fleet.decode is not None
    row["transfer_s"], row["transfer_token_s"] = fleet.transfer_s, fleet.transfer_token_s
    row["instances"] = instances
    row["instances_at"] = ints.add(np.arange(instances))
    row["held_at"] = ints.fill(2 * instances, -1)
    row["shots_at"] = floats.fill(2 * 14 * instances)
    if fleet.failures:
        row["failing"] = fleet.failures.mtbf_s < np.inf
        row["mtbf_s"], row["restart_s"] = fleet.failures.mtbf_s, fleet.failures.restart_s
    if fleet.autoscaler:
        scaler = fleet.autoscaler
        row["scaling"], row["least"] = 1, scaler.least
        row["target"], row["interval_s"] = scaler.target_outstanding, scaler.interval_s
        row["start_s"] = scaler.start_s
    linked = len(requests.after) > 0 and bool((requests.after >= 0).any())
    if linked or requests.clients:
        wait = requests.wait_s if len(requests.wait_s) else np.zeros(n)
        row["wait_at"] = floats.add(wait)
    if linked:
        order = np.flatnonzero(requests.after < 0)
        child, sibling = _links(requests.after)
        row["linked"] = 1
        row["child_at"], row["sibling_at"] = ints.add(child), ints.add(sibling)
    if requests.clients:
        order = order[: requests.clients]
        row["clients"], row["released"] = requests.clients, len(order)
    return order


def _links(after: Ints) -> tuple[Ints, Ints]:
    """[request] the first of those who wait for it, and the next of those who wait with it."""
    child, sibling = np.full(len(after), -1), np.full(len(after), -1)
    who = np.flatnonzero(after >= 0)
    who = who[np.argsort(after[who], kind="stable")]
    first = np.r_[True, after[who][1:] != after[who][:-1]]
    child[after[who][first]] = who[first]
    sibling[who[:-1][~first[1:]]] = who[1:][~first[1:]]
    return child, sibling


# --- and back -----------------------------------------------------------------------------------


def _outcome(
    fleet: Fleet,
    requests: Requests,
    world: state.World,
    window_s: tuple[float, float],
    rows: list[Floats],
) -> Outcome:
    done, instances = world.requests, world.instances
    end_s = float(np.nanmax(np.r_[0.0, done["arrival_s"], done["finish_s"]]))
    sums = np.stack([instances[name] for name in Totals._fields], axis=1)
    at = int(world.fleet[0]["shots_at"])
    shots = world.floats[at : at + 28 * len(instances)].reshape(-1, 2, 14)
    for k, edge in enumerate(window_s):
        late = instances["shots"] <= k
        shots[late, k, 0] = min(edge, end_s)
        shots[late, k, 1:] = sums[late]
    window = shots[:, 1] - shots[:, 0]
    held = instances["there"] != state.OFF
    instances["service_s"][held] += end_s - instances["service_from_s"][held]

    def column(name: str) -> NDArray[Any]:
        return np.ascontiguousarray(done[name])

    answered = column("decode_instance")
    return Outcome(
        arrival_s=column("arrival_s"),
        scheduled_s=column("scheduled_s"),
        first_s=column("first_s"),
        finish_s=column("finish_s"),
        state=column("state"),
        instance=column("instance"),
        decode_instance=np.where(answered < 0, done["instance"], answered),
        cached_tokens=column("cached"),
        preemptions=column("preemptions"),
        restarts=column("restarts"),
        totals=Totals(*sums.sum(axis=0).tolist()),
        by_instance=[Totals(*row) for row in sums.tolist()],
        service_s=column_of(instances, "service_s"),
        window_totals=Totals(*window[:, 1:].sum(axis=0).tolist()),
        window_s=float(window[:, 0].mean()),
        end_s=end_s,
        requests=requests,
        series=_series(rows) if world.fleet[0]["series_s"] > 0 else None,
    )


def column_of(rows: NDArray[Any], name: str) -> NDArray[Any]:
    return np.ascontiguousarray(rows[name])


def _series(rows: list[Floats]) -> Series:
    """Sums over instances that ran side by side; one that was done early is empty from then on."""
    longest = max(rows, key=len)
    found = np.zeros(longest.shape)
    for row in rows:
        found[: len(row)] += row
        if len(row):  # still in service, with all its memory free
            found[len(row) :, 4:] += row[-1, 4:]
    found[:, 0] = longest[:, 0]
    share = found[:, 3] / np.maximum(found[:, 4], 1.0)
    return Series(found[:, 0], found[:, 1], found[:, 2], share, found[:, 5])
