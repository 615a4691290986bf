"""A step's terms add up to its time, memory's parts to the memory."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.serve.breakdown import (
    FORMULAS,
    Batch,
    Chunk,
    Term,
    explain_memory,
    explain_step,
)
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.memory import kv_capacity_tokens
from lineshaft.stages.serve.steptime import StepTimes, step_times
from lineshaft.transformer import Architecture, Chip, from_row, kv_bytes, parameters

TEXT = resources.files("lineshaft.catalog").joinpath("models.csv").read_text("utf-8")
ROWS = {row["name"]: row for row in csv.DictReader(TEXT.splitlines())}
H200 = Chip(
    name="H200", generation="hopper",
    flops=(("bf16", 989e12), ("fp8", 1979e12)),
    memory_bytes=141e9, memory_bytes_per_s=4.8e12, scaleup_bytes_per_s=450e9, scaleup_size=8,
    scaleout_bytes_per_s=50e9, power_w=700.0,
)  # fmt: skip


def model(name: str) -> Architecture:
    return from_row(ROWS[name])


def step_s(times: StepTimes, batch: Batch) -> float:
    """As the docstring of `StepTimes` has it."""
    n, k = batch.decoding, len(batch.chunks)
    p = sum(chunk.tokens for chunk in batch.chunks)
    pairs = sum(c.tokens * c.before + c.tokens * (c.tokens + 1) / 2 for c in batch.chunks)
    spread = times.ranks / min(times.ranks, k) if k else 1.0
    m = n * (1 + times.draft) + p * (1 + (spread - 1) * times.local_share)
    dense = float(np.interp(m, np.arange(len(times.dense_s)), times.dense_s))
    prompts = times.mixed_s + times.chunk_s * k + times.pair_s * pairs * spread if k else 0.0
    return dense + times.kv_s * n * batch.context + times.seq_s * (n + k) + prompts


BATCHES = st.builds(
    Batch,
    decoding=st.integers(0, 300),
    context=st.floats(0, 1e5),
    chunks=st.lists(
        st.builds(Chunk, tokens=st.integers(1, 2000), before=st.integers(0, 50_000)), max_size=3
    ).map(tuple),
).filter(lambda batch: batch.decoding or batch.chunks)
CASES = [
    ("Llama 3.1 70B", Layout(tp=4), 0),
    ("Qwen3 235B-A22B", Layout(tp=2, dp=4, ep=8), 0),
    ("DeepSeek-V3", Layout(tp=1, dp=16, ep=16), 2),
    ("DeepSeek-V3.2", Layout(tp=8), 1),
    ("Qwen3.5 397B-A17B", Layout(tp=8, ep=8), 0),
    ("gpt-oss-120b", Layout(tp=2, pp=2), 0),
    ("Nemotron 3 Super 120B-A12B", Layout(tp=4, ep=4), 0),
]


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize(("name", "layout", "draft"), CASES)
@given(BATCHES)
def test_the_terms_of_a_step_add_up_to_its_time(
    name: str, layout: Layout, draft: int, batch: Batch
) -> None:
    made, times = explain(name, layout, draft, batch)
    total = step_s(times, batch)
    assert sum(term.seconds for term in made) == pytest.approx(total, rel=1e-12)
    assert sum(term.share for term in made) == pytest.approx(1.0)
    assert [term.seconds for term in made] == sorted((t.seconds for t in made), reverse=True)
    for term in made:
        assert term.seconds >= -1e-12 * total
        assert term.formula == FORMULAS[term.name]
        # a blend lies between its larger side and the sum of both; other terms add their sides
        sides = [seconds for _, seconds in term.sides]
        if sides:
            # the last bits of the total are more than a term of 1e-319 s
            least, most = max(sides) * (1 - 1e-9), sum(sides) * (1 + 1e-9)
            assert least - 1e-12 * total <= term.seconds <= most + 1e-12 * total
            assert dict(term.sides)[term.binds] == max(sides)


def explain(
    name: str, layout: Layout, draft: int, batch: Batch
) -> tuple[tuple[Term, ...], StepTimes]:
    arch, most = model(name), 8192
    made = explain_step(
        arch, H200, batch, precision="fp8", weight_byte=1.0, kv_byte=1.0, max_tokens=most,
        layout=layout, draft=draft,
    )  # fmt: skip
    times = step_times(
        arch, H200, precision="fp8", weight_byte=1.0, kv_byte=1.0, max_tokens=most,
        layout=layout, draft=draft,
    )  # fmt: skip
    return made, times


def binds(name: str, layout: Layout, batch: Batch) -> dict[str, str]:
    made, _ = explain(name, layout, 0, batch)
    return {term.name: term.binds for term in made}


def test_what_binds_is_what_should() -> None:
    alone = binds("Llama 3.1 70B", Layout(tp=8), Batch(1, 1000))
    assert alone["products"] == "memory"
    assert alone["reduce"] == "overhead"
    assert alone["decode attention"] == "memory"
    assert "experts" not in alone
    assert "exchange" not in alone
    assert "prompt attention" not in alone
    prompt = binds("Llama 3.1 70B", Layout(tp=8), Batch(chunks=(Chunk(8000),)))
    assert prompt["products"] == "compute"
    assert prompt["reduce"] == "link"
    assert "decode attention" not in prompt
    mixture = binds("DeepSeek-V3", Layout(dp=8, ep=8), Batch(64, 4000.0))
    assert mixture["experts"] == "memory"
    assert "exchange" in mixture
    assert "reduce" not in mixture
    hybrid = binds("Qwen3.5 397B-A17B", Layout(tp=8), Batch(64, 4000.0))
    assert hybrid["windows and states"] == "memory"


@pytest.mark.parametrize(
    ("batch", "key"),
    [
        (Batch(), "batch"),
        (Batch(-1), "batch.decoding"),
        (Batch(1, -5.0), "batch.context"),
        (Batch(chunks=(Chunk(0),)), "batch.chunk"),
        (Batch(chunks=(Chunk(5, -1),)), "batch.chunk"),
        (Batch(chunks=(Chunk(9000),)), "batch"),
    ],
)
def test_impossible_batches_are_refused(batch: Batch, key: str) -> None:
    with pytest.raises(InputError) as error:
        explain("Llama 3.1 8B", Layout(), 0, batch)
    assert error.value.problems[0].key == key


@pytest.mark.parametrize(("name", "layout", "draft"), CASES)
@pytest.mark.parametrize("weight_byte", [2.0, 1.0, 0.53])
def test_the_parts_of_the_memory_add_up_to_all_of_it(
    name: str, layout: Layout, draft: int, weight_byte: float
) -> None:
    arch = model(name)
    held = explain_memory(
        arch, H200, weight_byte=weight_byte, kv_byte=1.0, max_num_batched_tokens=8192,
        mean_context=4000.0, layout=layout,
    )  # fmt: skip
    capacity = kv_capacity_tokens(
        arch, H200, weight_byte=weight_byte, kv_byte=1.0, max_num_batched_tokens=8192,
        mean_context=4000.0, layout=layout,
    )  # fmt: skip
    parts = {part.name: part.bytes for part in held.parts}
    assert sum(parts.values()) == pytest.approx(141e9)
    assert sum(part.share for part in held.parts) == pytest.approx(1.0)
    assert all(size > 0 for part, size in parts.items() if part != "missing")
    assert held.kv_tokens == pytest.approx(max(capacity, 0.0))
    assert ("missing" in parts) == (capacity < 0)
    ranks = layout.tp * layout.pp
    if weight_byte == 2.0:  # every weight in bf16: the count, on all accelerators of a rank
        weights = sum(parts.get(part, 0.0) for part in WEIGHTS) * ranks
        weights += parts.get("routed experts", 0.0) * ranks * layout.dp
        assert weights == pytest.approx(2.0 * parameters(arch).total)
    assert ("routed experts" in parts) == bool(arch.experts)
    if capacity > 0 and not arch.linear_layers:
        whole = held.sequences / layout.dp * kv_bytes(arch, 4000.0, 1.0)
        shards = 1 if arch.attention == "mla" else min(layout.tp, arch.kv_heads)
        assert parts["KV cache"] == pytest.approx(whole / shards / layout.pp)


WEIGHTS = (
    "attention and linear layers",
    "dense MLPs",
    "shared experts",
    "norms and routers",
    "embeddings and output layer",
)
