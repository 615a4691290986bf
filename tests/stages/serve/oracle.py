"""A slow serving simulator that is easy to check by eye: what the event loop is compared with.

One step at a time, one Python object per request, lists and dictionaries. It follows the rules of
`stages.serve.deployment`. Not here: draft tokens, swap, tiers below memory, failures, stragglers,
autoscaling and routers other than round robin.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.serve.deployment import Fleet, Pool
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import StepTimes

Floats = NDArray[np.float64]
DONE, REFUSED, REJECTED = 0, 1, 2


@dataclass(eq=False)
class Request:
    """One request on its way."""

    index: int
    arrival: float
    slo: int
    prompt: int
    output: int
    blocks: list[int]
    """Its chain of prefix blocks."""
    computed: int = 0
    """Tokens whose KV is in memory."""
    generated: int = 0
    held: int = 0
    """KV blocks of its context, shared prefix included."""
    entered: int = 0
    """Leading prefix blocks that it found in the cache or put there."""
    cached: int = 0
    highest: int = 0
    """Most tokens that it ever had: below it a second hit is not counted again."""
    preemptions: int = 0
    restarts: int = 0
    instance: int = -1
    decode_instance: int = -1
    scheduled_s: float = inf
    first_s: float = inf
    finish_s: float = inf
    state: int = DONE

    @property
    def left(self) -> int:
        """Tokens to compute before the next answer token."""
        return self.prompt + self.generated - self.computed

    @property
    def decodes(self) -> bool:
        """The next step of it reads the context for one answer token."""
        return self.generated > 0 and self.left == 1


@dataclass(eq=False)
class Cache:
    """Prefix blocks: which are there, who uses them, and in which order they were last let go."""

    kind: str
    kv_per_block: int
    parents: dict[int, int]
    users: dict[int, int] = field(default_factory=dict)
    unused: dict[int, None] = field(default_factory=dict)
    """Blocks that nobody uses, the longest unused first."""

    @property
    def in_memory(self) -> bool:
        return self.kind in ("lru", "radix")

    def hits(self, request: Request, block_tokens: int) -> int:
        """Leading blocks that are there; at least one prompt token is always computed."""
        if self.kind == "none":
            return 0
        found = 0
        for block in request.blocks[: (request.prompt - 1) // block_tokens]:
            if block not in self.users:
                break
            found += 1
        return found

    def take(self, block: int) -> None:
        self.users[block] = self.users.get(block, 0) + 1
        self.unused.pop(block, None)

    def let_go(self, block: int) -> None:
        self.users[block] -= 1
        if self.users[block] == 0:
            self.unused[block] = None

    def evict(self) -> None:
        """The longest unused one goes; of a radix tree, the longest unused leaf."""
        inner = {self.parents.get(block) for block in self.users} if self.kind == "radix" else set()
        block = next(block for block in self.unused if block not in inner)
        del self.unused[block], self.users[block]


class Engine:
    """One engine instance."""

    def __init__(self, pool: Pool, number: int, cache: Cache, prefix_tokens: int) -> None:
        limits = pool.scheduler
        self.times = pool.times
        self.limits = limits
        self.number = number
        self.cache = cache
        self.prefix_tokens = max(prefix_tokens, 1)
        self.max_seqs = limits.max_num_seqs * pool.times.ranks
        self.max_tokens = limits.max_num_batched_tokens * pool.times.ranks
        self.mixes = limits.rules in ("vllm-v1", "sarathi")
        self.watermark = int(limits.watermark * limits.kv_blocks)
        self.free = limits.kv_blocks
        self.waiting: list[Request] = []
        self.running: list[Request] = []
        self.step: list[tuple[Request, int]] = []
        """What the step in progress computes: (request, tokens)."""
        self.end_s = inf
        self.bound = False
        """Something was preempted in this step."""

    # --- memory ---

    def room(self) -> int:
        """KV blocks that are free or hold prefixes that nobody uses."""
        return self.free + len(self.cache.unused) * self.cache.kv_per_block

    def blocks(self, tokens: int) -> int:
        return ceil(tokens / self.limits.block_tokens)

    def make_room(self) -> None:
        while self.free < 0:
            self.cache.evict()
            self.free += self.cache.kv_per_block

    def release(self, request: Request) -> None:
        """Gives its memory back; prefix blocks stay while nothing else needs the room."""
        self.free += request.held - request.entered * self.cache.kv_per_block
        if self.cache.in_memory:
            for block in reversed(request.blocks[: request.entered]):
                self.cache.let_go(block)
        request.held = request.entered = 0

    def grow(self, request: Request, take: int) -> bool:
        """Memory for `take` more tokens of a running request, by preemption if it must be.

        False where the request itself had to give way.
        """
        need = max(0, self.blocks(request.computed + take) - request.held)
        while need > self.room():
            victim = self.running[-1]
            if self.limits.priority:
                victim = max(self.running, key=lambda one: (one.slo, one.arrival, one.index))
            self.preempt(victim)
            if victim is request:
                return False
        request.held += need
        self.free -= need
        return True

    def preempt(self, victim: Request) -> None:
        self.bound = True
        self.running.remove(victim)
        self.step = [part for part in self.step if part[0] is not victim]
        self.release(victim)
        victim.computed = 0
        victim.preemptions += 1
        self.waiting.insert(0, victim)
        self.sort_waiting()

    # --- scheduling ---

    def sort_waiting(self) -> None:
        if self.limits.priority:
            self.waiting.sort(key=lambda one: (one.slo, one.arrival, one.index))

    def add(self, request: Request) -> int:
        """It comes here; what becomes of it, if it is not served."""
        if 0 < self.limits.queue_limit <= len(self.waiting):
            return REJECTED
        self.waiting.append(request)
        self.sort_waiting()
        return DONE

    def holds(self, tokens: int) -> bool:
        """Whether it can ever hold so many tokens of a request."""
        if self.limits.rules == "vllm-v0" and tokens - 1 > self.max_tokens:
            return False  # recomputed after its last but one token, it would not fit in a step
        return self.blocks(tokens) <= self.limits.kv_blocks - self.watermark

    def budget(self) -> int:
        return self.max_tokens - sum(take for _, take in self.step)

    def chunk(self, left: int) -> int:
        """Tokens of a prompt in this step: it lies on one attention rank, beside its decodes."""
        cap = self.limits.long_prefill_token_threshold
        decodes = sum(one.decodes for one in self.running) if self.mixes else 0
        rank = self.limits.max_num_batched_tokens - ceil(decodes / self.times.ranks)
        return min(left, self.budget(), rank, cap if cap else left)

    def start(self, now: float) -> None:
        """Chooses the next step, if there is anything to do."""
        self.step = []
        self.bound = False
        rule = {
            "vllm-v1": self.vllm_v1,
            "sarathi": self.sarathi,
            "vllm-v0": self.vllm_v0,
            "sglang": self.sglang,
        }[self.limits.rules]
        rule()
        while not self.step and self.bound:  # all that had a place in the step gave way
            self.bound = False
            rule()
        self.make_room()
        if not self.step:
            assert not self.running and not self.waiting, "an engine with work must go on"
            return
        for request, _ in self.step:
            request.scheduled_s = min(request.scheduled_s, now)
        self.end_s = now + step_s(self.times, self.step)

    def vllm_v1(self) -> None:
        """Running requests in order, then those who wait, unless something was preempted."""
        for request in list(self.running):
            if self.budget() > 0 and request in self.running:
                take = self.chunk(request.left)
                if not self.grow(request, take):
                    break
                self.step.append((request, take))
        self.make_room()
        if not self.bound:
            self.admit(whole=False)

    def sarathi(self) -> None:
        """Decodes, then prompts that run, then those who wait; whole prompts reserve memory."""
        self.decode_all()
        for request in self.running:
            if not request.decodes and self.budget() > 0:
                self.step.append((request, self.chunk(request.left)))
        self.make_room()
        self.admit(whole=True)

    def vllm_v0(self) -> None:
        """Whole prompts alone; without any, a decode of all that run."""
        self.admit(whole=True, batch=True)
        if not self.step:
            self.decode_all()

    def sglang(self) -> None:
        """Prompts in chunks; without any, a decode of all that run."""
        for request in self.running:
            if not request.decodes and self.budget() > 0:
                take = self.chunk(request.left)
                if self.blocks(request.computed + take) - request.held <= self.room():
                    assert self.grow(request, take)
                    self.step.append((request, take))
        self.make_room()
        self.admit(whole=False)
        if not self.step:
            self.decode_all()
        for request in list(self.running) if not self.step else ():  # prompts hold all memory
            if request in self.running and self.budget() > 0:
                take = self.chunk(request.left)
                if self.grow(request, take):
                    self.step.append((request, take))

    def decode_all(self) -> None:
        for request in list(self.running):
            if request.decodes and request in self.running and self.grow(request, 1):
                self.step.append((request, 1))

    def admit(self, *, whole: bool, batch: bool = False) -> None:
        """Lets in who waits, in order, up to the first who does not fit.

        `whole` reserves the memory of the whole prompt; `batch` also computes it whole, and pads
        every prompt of the step to the longest.
        """
        longest = 0
        while self.waiting and len(self.running) < self.max_seqs:
            if not batch and self.budget() <= 0:
                return
            request = self.waiting[0]
            hits = self.cache.hits(request, self.prefix_tokens)
            there = max(request.computed, hits * self.prefix_tokens)
            left = request.prompt + request.generated - there
            handed_over = request.generated > 0 and left == 1
            if batch:
                padded = max(longest, left)
                if (len(self.step) + 1) * padded > self.max_tokens:
                    return
                take = left
            else:
                take = self.chunk(left)
            blocks = self.blocks(there + (left if whole else take))
            used = request.blocks[:hits] if self.cache.in_memory else []
            idle = sum(block in self.cache.unused for block in used)
            need = blocks - len(used) * self.cache.kv_per_block
            spare = self.room() - idle * self.cache.kv_per_block
            whole_need = self.blocks(there + left) - len(used) * self.cache.kv_per_block
            asked = whole_need if self.limits.whole_prompt_fits else need
            if asked > spare - self.watermark:
                return
            self.waiting.pop(0)
            self.running.append(request)
            for block in used:
                self.cache.take(block)
            self.free -= need
            self.make_room()
            request.held = blocks
            request.entered = hits if self.cache.kind != "none" else 0
            request.computed = there
            request.cached += max(0, there - request.highest)
            request.highest = max(request.highest, there)
            if handed_over and self.limits.rules in ("vllm-v0", "sglang"):
                continue  # its prompt was computed elsewhere: it joins the next decode
            longest = max(longest, left)
            self.step.append((request, take))

    # --- end of a step ---

    def finish_step(self, now: float) -> list[Request]:
        """What the step did; the requests that gained a token."""
        gained = []
        for request, take in self.step:
            request.computed += take
            request.highest = max(request.highest, request.computed)
            self.remember(request)
            if request.left == 0:
                request.generated += 1
                gained.append(request)
                request.first_s = min(request.first_s, now)
                if request.generated == request.output:
                    request.finish_s = now
        for request in gained:
            if request.generated == request.output:
                self.running.remove(request)
                self.release(request)
        self.step = []
        self.end_s = inf
        return gained

    def remember(self, request: Request) -> None:
        """Full blocks of the prompt that are computed now go into the prefix cache."""
        if self.cache.kind == "none":
            return
        full = min(request.computed, request.prompt) // self.prefix_tokens
        for block in request.blocks[request.entered : full]:
            if not self.cache.in_memory:
                self.cache.users[block] = 1
                continue
            if block in self.cache.users:  # computed twice at once: one copy stays
                self.free += self.cache.kv_per_block
            self.cache.take(block)
        request.entered = max(request.entered, min(full, len(request.blocks)))


def step_s(times: StepTimes, step: list[tuple[Request, int]]) -> float:
    """Time of a step, term by term as `StepTimes` says."""
    decodes = [request for request, _ in step if request.decodes]
    chunks = [(take, one.computed) for one, take in step if not one.decodes]
    n, context = len(decodes), sum(one.computed + 1 for one in decodes)
    tokens = sum(take for take, _ in chunks)
    pairs = sum(take * (before + (take + 1) / 2) for take, before in chunks)
    if times.tables is not None:
        from lineshaft.stages.serve.kernels.tables import table_step_s

        squares = float(sum(take * take for take, _ in chunks))
        before = float(sum(there for _, there in chunks))
        sizes = (float(n), float(context), float(len(chunks)), float(tokens))
        return float(table_step_s(times.tables, *sizes, squares, before, float(pairs)))
    spread = times.ranks / min(times.ranks, len(chunks)) if chunks else 1.0
    m = n * (1 + times.draft) + tokens * spread
    low = int(m)
    dense = float(times.dense_s[low])
    if m > low:
        dense += (m - low) * float(times.dense_s[low + 1] - times.dense_s[low])
    total = dense + times.kv_s * context + times.seq_s * (n + len(chunks))
    if chunks:
        total += times.mixed_s + times.chunk_s * len(chunks) + times.pair_s * pairs * spread
    return total


@dataclass(frozen=True)
class Result:
    """Arrays over requests, named as the fields of `fleet.Outcome`."""

    arrival_s: Floats
    scheduled_s: Floats
    first_s: Floats
    finish_s: Floats
    state: NDArray[np.int8]
    instance: NDArray[np.int32]
    decode_instance: NDArray[np.int32]
    cached_tokens: NDArray[np.int64]
    preemptions: NDArray[np.int64]


def simulate(fleet: Fleet, requests: Requests) -> Result:
    """Serves all requests to their end; times are nan where a request was refused or rejected."""
    assert fleet.router == "round-robin" or fleet.pool.instances == 1
    every = _read(requests)
    parents = {block: before for one in every for before, block in pairwise(one.blocks)}
    store = Cache("endless", 0, parents)  # one for all instances
    pools: list[list[Engine]] = []
    for pool in (fleet.pool, *([fleet.decode] if fleet.decode else [])):
        kind = pool.scheduler.prefix_cache
        if not requests.block_tokens or (pools and fleet.decode):
            kind = "none"  # who answers only looks nothing up
        per_block = requests.block_tokens // pool.scheduler.block_tokens
        per_block = per_block if kind in ("lru", "radix") else 0
        pools.append([])
        for instance in range(pool.instances):
            cache = store if kind == "endless" else Cache(kind, per_block, parents)
            pools[-1].append(Engine(pool, instance, cache, requests.block_tokens))
    followers: dict[int, list[int]] = {}
    for i, before in enumerate(requests.after):
        followers.setdefault(int(before), []).append(i)
    clients = requests.clients
    fresh = clients if clients else len(every)
    coming: list[tuple[float, int, int]] = []
    """(time, request, pool that it comes to)."""
    for one in every[:fresh]:
        if not len(requests.after) or requests.after[one.index] < 0:
            heapq.heappush(coming, (one.arrival, one.index, 0))
    turn = [0, 0]

    def ended(request: Request, now: float) -> None:
        nonlocal fresh
        if clients and fresh < len(every):
            every[fresh].arrival = now
            heapq.heappush(coming, (now, fresh, 0))
            fresh += 1
        for i in followers.get(request.index, []):
            wait = float(requests.wait_s[i]) if len(requests.wait_s) else 0.0
            every[i].arrival = now + wait
            heapq.heappush(coming, (now + wait, i, 0))

    engines = [engine for pool in pools for engine in pool]
    while True:
        now = min([one.end_s for one in engines] + [coming[0][0] if coming else inf])
        if now == inf:
            break
        for engine in engines:
            if engine.end_s > now:
                continue
            for request in engine.finish_step(now):
                if request.generated == request.output:
                    ended(request, now)
                elif engine in pools[0] and fleet.decode:
                    engine.running.remove(request)
                    engine.release(request)
                    arrives = now + fleet.transfer_s + fleet.transfer_token_s * request.computed
                    heapq.heappush(coming, (arrives, request.index, 1))
        while True:
            while coming and coming[0][0] <= now:
                _, index, where = heapq.heappop(coming)
                there = pools[where]
                engine = there[turn[where] % len(there)]
                turn[where] += 1
                request = every[index]
                if where:
                    request.decode_instance = engine.number
                else:
                    request.instance = engine.number
                if not where and not _holds(pools, request):
                    request.state = REFUSED
                else:
                    request.state = engine.add(request)
                if request.state != DONE:
                    ended(request, now)
            for engine in engines:
                if engine.end_s == inf:
                    engine.start(now)
            if not coming or coming[0][0] > now:
                break
    return _result(every)


def _holds(pools: list[list[Engine]], request: Request) -> bool:
    """Whether every pool that a request passes through can ever hold it."""
    size = request.prompt + request.output
    if len(pools) == 1:
        return pools[0][0].holds(size)
    answers = request.output == 1 or pools[1][0].holds(size)
    return pools[0][0].holds(request.prompt + 1) and answers


def _read(requests: Requests) -> list[Request]:
    start = requests.block_start
    return [
        Request(
            index=i,
            arrival=float(requests.arrival_s[i]),
            slo=int(requests.slo_class[i]) if len(requests.slo_class) else 0,
            prompt=int(requests.input_tokens[i]),
            output=int(requests.output_tokens[i]),
            blocks=requests.block_ids[start[i] : start[i + 1]].tolist() if len(start) else [],
        )
        for i in range(len(requests))
    ]


def _result(every: list[Request]) -> Result:
    def times(name: str) -> Floats:
        found = [getattr(one, name) if one.state == DONE else np.nan for one in every]
        return np.array(found, np.float64)

    return Result(
        arrival_s=np.array([one.arrival for one in every]),
        scheduled_s=times("scheduled_s"),
        first_s=times("first_s"),
        finish_s=times("finish_s"),
        state=np.array([one.state for one in every], np.int8),
        instance=np.array([one.instance for one in every], np.int32),
        decode_instance=np.array([one.decode_instance for one in every], np.int32),
        cached_tokens=np.array([one.cached for one in every], np.int64),
        preemptions=np.array([one.preemptions for one in every], np.int64),
    )
