"""The records that the event loop works on, and what their numbers mean. Plain data, no rules.

Requests, instances, pools and cache stores are records in flat arrays; everything of varying
length (queues, chunks, heaps, hash tables) lies in one array of whole numbers, `World.ints`, at
offsets that the records hold.

A decoding request is not touched while it decodes: all those of one instance advance together by
`gain` units per step (`progress`), and a request ends when the progress reaches its `end`. A unit
is 1 / `units` of a token, so that a gain that is a fraction advances in whole numbers. `position`
of a request, in units, is the KV that is computed: (inputs + outputs - 1) * units - (end -
progress).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
OPTIONS: Any = {"_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Inner functions are called by compiled code only and never make an array: they need no wrapper
and count no references."""


def inner(function: Function) -> Function:
    """Compiles a function below `drive.build`, whose own is cached on disk with all that it calls.

    Were the inner ones cached too, one would go on with old code of another file.
    """
    compiled: Function = njit(error_model="numpy", **OPTIONS)(function)
    return compiled


# rules, in the order of deployment.RULES
VLLM, SARATHI, VLLM_V0, SGLANG = 0, 1, 2, 3
# caches, in the order of deployment.PREFIX_CACHES
CACHE_NONE, CACHE_LRU, CACHE_RADIX, CACHE_ENDLESS = 0, 1, 2, 3
# routers, in the order of deployment.ROUTERS
ROUND_ROBIN, RANDOM, OUTSTANDING, SHORTEST, PREFIX, KV_AWARE = 0, 1, 2, 3, 4, 5
# where a request is
AWAY, WAITING, LOADING, READY, PROMPT, DECODE, STALLED, MOVING, ENDED = 0, 1, 2, 3, 4, 5, 6, 7, 8
# how it ended
DONE, REFUSED, REJECTED = 0, 1, 2
# what an instance does
IDLE, WAKE, BUSY = 0, 1, 2
# whether it is there
UP, OFF, STARTING, DRAINING, DOWN = 0, 1, 2, 3, 4
# lists of an instance in World.ints, each a head and a tail; one that waits per class
RUN, PROMPTS, READIES, LOADS, WAITS = 0, 2, 4, 6, 8
# events
ARRIVES, LOADED, FAILS, REPAIRED, STARTED = 0, 1, 2, 3, 4

NEVER = np.inf

REQUEST = np.dtype(
    [
        ("arrival_s", "f8"),
        ("scheduled_s", "f8"),
        ("first_s", "f8"),
        ("finish_s", "f8"),
        ("end", "i8"),  # progress of its instance at which a decoding request ends
        ("order", "i8"),  # place among those that run
        ("inputs", "i4"),
        ("outputs", "i4"),
        ("computed", "i4"),  # tokens whose KV is in memory; not kept up while it decodes
        ("highest", "i4"),  # most tokens ever computed: below it, work is recomputation
        ("generated", "i4"),  # not kept up while it decodes
        ("held", "i4"),  # KV blocks, shared prefix included; not kept up while it decodes
        ("entered", "i4"),  # leading prefix blocks that it found or put in, and holds
        ("cached", "i4"),
        ("preemptions", "i4"),
        ("restarts", "i4"),
        ("instance", "i8"),
        ("decode_instance", "i8"),
        ("next", "i8"),  # in the list of those who wait, load, are ready or have prompts to do
        ("previous", "i8"),
        ("run_next", "i8"),  # in the list of those who run
        ("run_previous", "i8"),
        ("slo_class", "i4"),
        ("where", "i1"),
        ("state", "i1"),
        ("decoding_pool", "i1"),  # prompt done elsewhere
        ("swapped", "i1"),  # its KV must be brought back before it runs
    ],
    align=True,
)

INSTANCE = np.dtype(
    [
        ("until_s", "f8"),  # end of the action in progress, if nothing cuts it
        ("from_s", "f8"),  # its start
        ("base_s", "f8"),  # time of its first step
        ("slope_s", "f8"),  # growth of the time from step to step
        ("slow", "f8"),  # factor on every step time
        ("service_s", "f8"),  # time for which it was held
        ("service_from_s", "f8"),
        ("progress", "i8"),
        ("position", "i8"),  # sum of the positions of those who decode
        ("free", "i8"),  # KV blocks; may dip below zero until spare prefix blocks are evicted
        ("paid", "i8"),  # blocks already taken for the first step of the action
        ("steps", "i8"),  # of the action
        ("order", "i8"),  # last place given among those who run
        ("backlog", "i8"),  # tokens to compute of those who wait or have prompts to do
        ("life", "i8"),  # counts comings and goings: events of an earlier life are void
        ("heap_at", "i8"),
        ("pool", "i8"),
        ("doing", "i1"),
        ("was_idle", "i1"),
        ("there", "i1"),
        ("with_decode", "i1"),  # whether those who decode take part in the action
        ("blocked", "i1"),  # the first in line lacks memory
        ("shots", "i1"),  # window edges passed
        ("running", "i4"),
        ("decoding", "i4"),
        ("waiting", "i4"),
        ("loading", "i4"),  # ready ones included
        ("chunks", "i4"),
        ("failed", "i4"),  # failures so far
        ("lists_at", "i8"),  # offsets in World.ints
        ("phase_at", "i8"),
        ("chunk_at", "i8"),
        ("end_at", "i8"),
        ("store_at", "i8"),  # first of its stores
        ("view_outstanding", "f8"),
        ("view_waiting", "f8"),
        ("view_load", "f8"),
        # of the step in progress
        ("prefill_step_s", "f8"),
        ("cached_step_s", "f8"),
        ("decode_step_s", "f8"),
        ("active_step_s", "f8"),
        # sums, in the order of simulate.Totals
        ("busy_s", "f8"),
        ("prefill_s", "f8"),
        ("cached_s", "f8"),
        ("decode_s", "f8"),
        ("active_s", "f8"),
        ("input_tokens", "f8"),
        ("cached_tokens", "f8"),
        ("recomputed_tokens", "f8"),
        ("decode_tokens", "f8"),
        ("output_tokens", "f8"),
        ("iterations", "f8"),
        ("preemptions", "f8"),
        ("refused", "f8"),
    ],
    align=True,
)

POOL = np.dtype(
    [
        ("first", "i8"),  # its instances
        ("beyond", "i8"),
        ("rules", "i4"),
        ("budget", "i8"),  # tokens of a step, over all ranks
        ("rank_budget", "i8"),
        ("ranks", "i8"),
        ("cap", "i4"),  # requests that run, over all ranks
        ("threshold", "i4"),
        ("block", "i8"),  # tokens of a KV block
        ("per_block", "i4"),  # KV blocks of a prefix block that is kept in memory
        ("blocks", "i8"),
        ("watermark", "i8"),
        ("cache", "i4"),
        ("tiers", "i4"),
        ("stores", "i4"),  # cache stores of an instance
        ("reserve", "i1"),  # whole prompts are reserved
        ("whole", "i1"),  # they must fit, though they are not reserved
        ("prompts_first", "i1"),
        ("swap", "i1"),
        ("priority", "i1"),
        ("tables", "i1"),
        ("classes", "i8"),
        ("queue_limit", "i4"),
        ("verify", "i8"),  # tokens of a decoding sequence in a step: 1 + draft
        ("gain", "i8"),  # units that a decoding sequence advances in a step
        ("units", "i8"),  # of a token
        ("phases", "i8"),  # units of a KV block
        ("tables_at", "i8"),  # offsets of the arrays of its operator tables, in World.ints
        ("dense_at", "i8"),  # offset of its times in World.floats
        ("compute_at", "i8"),
        ("tokens", "i8"),  # most tokens that they cover
        ("swap_token_s", "f8"),
        ("kv_s", "f8"),
        ("pair_s", "f8"),
        ("seq_s", "f8"),
        ("mixed_s", "f8"),
        ("chunk_s", "f8"),
        ("local_share", "f8"),
    ],
    align=True,
)

FLEET = np.dtype(
    [
        ("router", "i8"),
        ("clients", "i8"),
        ("block_tokens", "i8"),  # of a prefix block
        ("linked", "i1"),  # some requests wait for others
        ("split", "i1"),  # prompts and answers in two pools
        ("exact", "i1"),
        ("failing", "i1"),
        ("scaling", "i1"),
        ("least", "i4"),
        ("seed", "u8"),
        ("view_s", "f8"),
        ("transfer_s", "f8"),
        ("transfer_token_s", "f8"),
        ("mtbf_s", "f8"),
        ("restart_s", "f8"),
        ("target", "f8"),
        ("interval_s", "f8"),
        ("start_s", "f8"),
        ("window_from_s", "f8"),
        ("window_to_s", "f8"),
        ("series_s", "f8"),
        ("instances_at", "i8"),  # offset of the heap of instances in World.ints
        ("instances", "i8"),  # and its length
        ("child_at", "i8"),  # offsets of the links between requests in World.ints
        ("sibling_at", "i8"),
        ("wait_at", "i8"),  # offsets in World.floats
        ("shots_at", "i8"),
        # what changes during a run
        ("events", "i8"),
        ("sequence", "i8"),
        ("left", "i8"),  # requests that have not ended
        ("released", "i8"),  # closed loop: requests sent so far
        ("turn", "i8"),  # of the router
        ("decode_turn", "i8"),
        ("arrived", "i8"),  # those that arrive by themselves so far
        ("samples", "i8"),
        ("next_view_s", "f8"),
        ("next_tick_s", "f8"),
        ("next_sample_s", "f8"),
        ("held_at", "i8"),  # offset of the list of requests that no instance can take
    ],
    align=True,
)

EVENT = np.dtype(
    [
        ("time_s", "f8"),
        ("sequence", "i8"),
        ("life", "i8"),
        ("kind", "i8"),
        ("index", "i8"),
    ],
    align=True,
)

STORE = np.dtype(
    [
        ("node_at", "i8"),  # offset in World.nodes
        ("table_at", "i8"),  # offset of its hash table in World.ints
        ("mask", "i8"),
        ("room", "i8"),  # most blocks
        ("held", "i8"),  # blocks in it
        ("spare", "i8"),  # of which nobody uses
        ("unused", "i8"),  # head of the list of nodes that hold nothing
        ("token_s", "f8"),
        ("latency_s", "f8"),
    ],
    align=True,
)

NODE = np.dtype(
    [
        ("block", "i8"),
        ("users", "i8"),
        ("next", "i8"),  # in the ring of spare nodes (node 0 is its head), or of unused ones
        ("previous", "i8"),
    ],
    align=True,
)


class World(NamedTuple):
    """All that the event loop reads and writes."""

    requests: NDArray[Any]
    instances: NDArray[Any]
    pools: NDArray[Any]
    fleet: NDArray[Any]
    """One record."""
    stores: NDArray[Any]
    nodes: NDArray[Any]
    events: NDArray[Any]
    ints: NDArray[np.int64]
    floats: NDArray[np.float64]
    ids: NDArray[np.int64]
    """Prefix blocks, numbered from 0."""
    starts: NDArray[np.int64]
    present: NDArray[np.bool_]
    """[prefix block] in the endless store."""
