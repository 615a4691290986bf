"""Small fleets and requests for the tests of the event loop, and what every outcome must keep."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from lineshaft.stages.serve.deployment import (
    ROUTERS,
    RULES,
    Autoscaler,
    Failures,
    Fleet,
    Pool,
    Scheduler,
    Tier,
)
from lineshaft.stages.serve.fleet import Outcome
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import StepTimes


def times(max_tokens: int = 64, **more: Any) -> StepTimes:
    tokens = np.arange(max_tokens + 1, dtype=np.float64)
    dense = np.where(tokens > 0, np.sqrt(1.0 + (0.1 * tokens) ** 2), 0.0)
    return StepTimes(dense, 0.05 * tokens, kv_s=1e-3, pair_s=1e-4, seq_s=1e-2, **more)


def asked(
    inputs: list[int],
    outputs: list[int],
    arrival: list[float] | None = None,
    blocks: list[list[int]] | None = None,
) -> Requests:
    ids = [one for row in blocks or [] for one in row]
    start = np.cumsum([0, *(len(row) for row in blocks or [])])
    return Requests(
        "test",
        np.array(arrival or [0.0] * len(inputs)),
        np.array(inputs),
        np.array(outputs),
        block_ids=np.array(ids, np.int64),
        block_start=start if blocks else np.empty(0, np.int64),
        block_tokens=16 if blocks else 0,
    )


PREFIXED = asked([40, 40, 32], [2, 2, 2], [0.0, 50.0, 100.0], [[1, 2, 3], [1, 2, 4], [1, 2]])


def conserved(work: Requests, out: Outcome) -> None:
    """Tokens in = computed + cached; requests in = done + refused + rejected; time adds up."""
    done = out.state == 0
    assert (np.isnan(out.finish_s) == ~done).all()
    t = out.totals
    assert t.input_tokens + t.cached_tokens == work.input_tokens[done].sum()
    assert t.cached_tokens == out.cached_tokens.sum()
    assert t.output_tokens == pytest.approx(work.output_tokens[done].sum(), rel=1e-12)
    assert t.decode_tokens == pytest.approx((work.output_tokens[done] - 1).sum(), rel=1e-12)
    assert t.refused == (out.state == 1).sum()
    assert t.preemptions == out.preemptions.sum()
    assert t.prefill_s + t.cached_s + t.decode_s == pytest.approx(t.busy_s, rel=1e-9)
    assert t.active_s <= t.busy_s * (1 + 1e-12)
    assert sum(one.busy_s for one in out.by_instance) == pytest.approx(t.busy_s, rel=1e-12)
    assert (np.array([one.busy_s for one in out.by_instance]) <= out.service_s + 1e-9).all()
    if out.restarts.sum() == 0:
        assert (t.recomputed_tokens > 0) <= (t.preemptions > 0)
    assert (out.scheduled_s[done] >= out.arrival_s[done]).all()
    assert (out.first_s[done] > out.scheduled_s[done]).all()
    assert (out.finish_s[done] >= out.first_s[done]).all()


def _blocks(rng: np.random.Generator, inputs: list[int]) -> list[list[int]]:
    """Chains that share beginnings: three families, of which each request has some blocks."""
    chains = []
    for size in inputs:
        family, shared = int(rng.integers(0, 3)), int(rng.integers(0, 8))
        own = int(rng.integers(100, 10**6))
        count = -(-size // 16)
        chains.append([family * 10 + j if j < shared else own + j for j in range(count)])
    return chains


@st.composite
def cases(draw: st.DrawFn, plain: bool = False) -> tuple[Fleet, Requests]:
    """A small fleet and requests. `plain`: only what has one meaning in every implementation."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 25))
    inputs, outputs = rng.integers(1, 120, n), rng.integers(1, 60, n)
    arrival = np.sort(rng.uniform(0, draw(st.sampled_from([1.0, 60.0, 600.0])), n))
    loop = draw(st.sampled_from(["open", "open", "clients", "after"]))
    after, wait = np.full(n, -1), np.zeros(n)
    if loop == "after":
        for i in range(1, n):
            if rng.random() < 0.6:
                after[i], wait[i] = rng.integers(0, i), rng.uniform(0, 5)
    rules = draw(st.sampled_from(RULES))
    gain, draft = draw(st.sampled_from([(1.0, 0), (1.0, 0), (1.7, 2), (2.5, 3)]))
    ranks = draw(st.sampled_from([1, 1, 2]))
    if plain:
        gain, draft, ranks = 1.0, 0, 1
    seqs = draw(st.integers(1, 12))
    tokens = max(seqs * (1 + draft) + 1, draw(st.sampled_from([7, 16, 64, 200])))
    cache = draw(st.sampled_from(["none", "lru", "lru", "radix", "endless"]))
    instances = draw(st.sampled_from([1, 1, 2, 4]))
    if plain and cache == "endless":
        instances = 1
    swap = not plain and draw(st.booleans())
    tiers = (Tier("host", 64, 0.02, 0.1), Tier("disk", 160, 0.1)) if draw(st.booleans()) else ()
    scheduler = Scheduler(
        rules=rules,
        max_num_seqs=seqs,
        max_num_batched_tokens=tokens,
        long_prefill_token_threshold=draw(st.sampled_from([0, 0, 20])) if rules[0] == "v" else 0,
        kv_blocks=draw(st.integers(14, 60)),
        watermark=draw(st.sampled_from([0.0, 0.05])),
        prefix_cache=cache,
        preemption="swap" if swap else "recompute",
        swap_token_s=0.02,
        priority=draw(st.booleans()) and rules in ("vllm-v1", "sglang"),
        tiers=() if plain else tiers,
        whole_prompt_fits=draw(st.booleans()),
        queue_limit=draw(st.sampled_from([0, 0, 3])) if not plain else 0,
    )
    if rules == "vllm-v0":
        tokens = max(tokens, 200)
    scheduler = replace(scheduler, max_num_batched_tokens=tokens)
    step = times(tokens * ranks, draft=draft, gain=gain, ranks=ranks, mixed_s=0.3, chunk_s=0.02)
    split = draw(st.sampled_from([False, False, False, True]))
    if plain and split:  # else who is done and who moves on may let go in another order
        outputs = np.maximum(outputs, 2)
    decode = Pool(times(64), Scheduler(max_num_seqs=6, max_num_batched_tokens=64, kv_blocks=20), 2)
    failures = None if plain or draw(st.booleans()) else Failures(500.0, 20.0, 0.3, 1.5)
    scaler = None if plain or draw(st.booleans()) else Autoscaler(1, 2.0, 15.0, 10.0)
    fleet = Fleet(
        Pool(step, scheduler, instances),
        decode=decode if split else None,
        transfer_token_s=0.01,
        transfer_s=0.1,
        router="round-robin" if plain else draw(st.sampled_from(ROUTERS)),
        view_s=draw(st.sampled_from([0.0, 3.0])),
        failures=failures,
        autoscaler=scaler,
        seed=draw(st.integers(0, 9)),
    )
    chains = _blocks(rng, inputs.tolist())
    work = asked(inputs.tolist(), outputs.tolist(), arrival.tolist(), chains)
    none = np.empty(0)
    return fleet, replace(
        work,
        after=after if loop == "after" else none.astype(np.int64),
        wait_s=wait if loop == "after" else none,
        slo_class=rng.integers(0, 3, n),
        clients=3 if loop == "clients" else 0,
        arrival_s=np.zeros(n) if loop == "clients" else arrival,
    )
