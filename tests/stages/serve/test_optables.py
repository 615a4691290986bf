"""Operator tables: read, written, interpolated, and put together to a step."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.serve import opsteps, optables
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.optables import OperatorTables, Rules
from lineshaft.stages.serve.steptime import StepTimes
from lineshaft.transformer import Architecture

DENSE = Architecture("dense", 4, 64, 4, 2, 16, 128, "swiglu3", 1000)
MOE = Architecture("moe", 4, 64, 4, 2, 16, 0, "swiglu3", 1000, experts=8, experts_active=2,
                   expert_ffn=32)  # fmt: skip
PLAIN = Rules()


def rows(path: Path, header: str, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([header, *lines]) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


def llmservingsim(folder: Path, *, moe: bool = False) -> Path:
    """Kernels whose times are simple sums: 10 us + 1 us per token each, attention by hand."""
    ops = ["qkv_proj", "o_proj", "layernorm"] + ([] if moe else ["gate_up_proj", "down_proj"])
    lines = [f"{op},{m},{10 + m}" for op in ops for m in (1, 8, 64)]
    rows(folder / "dense.csv", "layer,tokens,time_us", [*lines, "embedding,1,5", "embedding,64,5"])
    rows(folder / "per_sequence.csv", "layer,sequences,time_us", ["lm_head,1,50", "lm_head,5,58"])
    lines = []
    for c in (0, 16, 32):
        for kp in (0, 100) if c else (0,):
            for n in (0, 1, 4):
                lines += [
                    f"{c},{kp},{n},{kd},{c + 0.01 * c * kp + 0.5 * n + 0.02 * n * kd:.6f}"
                    for kd in ((10, 200) if n else (0,))
                    if c or n
                ]
    head = "prefill_chunk,kv_prefill,n_decode,kv_decode,time_us"
    rows(folder / "attention.csv", head, lines)
    if moe:
        lines = [f"{m},{hit},{100 * hit + m}" for m in (1, 64) for hit in (2, 4, 8)]
        rows(folder / "moe.csv", "tokens,activated_experts,time_us", lines)
    return folder


def step_us(
    times: StepTimes,
    n: float = 0,
    context: float = 0,
    chunks: tuple[tuple[int, int], ...] = (),
) -> float:
    """Time of a step of n decodes and of chunks (tokens, computed before)."""
    from lineshaft.stages.serve.kernels.tables import table_step_s

    assert times.tables is not None
    tokens = [take for take, _ in chunks]
    pairs = sum(take * (there + (take + 1) / 2) for take, there in chunks)
    squares, before = sum(take**2 for take in tokens), sum(there for _, there in chunks)
    sizes = (n, context, len(chunks), sum(tokens), squares, before, pairs)
    return 1e6 * table_step_s(times.tables, *(float(size) for size in sizes))


def read_plain(folder: Path) -> OperatorTables:
    return optables.read(folder, rules=PLAIN)


def linear(m: float) -> float:
    """4 layers of qkv, o, two norms, gate_up and down; embedding."""
    return 4 * 6 * (10 + m) + 5


def test_a_decode_step_by_hand(tmp_path: Path) -> None:
    times = read_plain(llmservingsim(tmp_path / "tp1")).step_times(DENSE, Layout(), max_tokens=64)
    # at points of the grid, and half-way between them
    assert step_us(times, 4, 4 * 200) == pytest.approx(linear(4) + 56 + 4 * (2 + 16))
    attention = 0.5 * 2.5 + 0.02 * 2.5 * 105
    assert step_us(times, 2.5, 2.5 * 105) == pytest.approx(linear(2.5) + 53 + 4 * attention)


def test_a_step_of_prompts_and_decodes_by_hand(tmp_path: Path) -> None:
    times = read_plain(llmservingsim(tmp_path / "tp1")).step_times(DENSE, Layout(), max_tokens=64)
    prompt = linear(16) + 50 + 4 * (16 + 16)
    assert step_us(times, chunks=((16, 100),)) == pytest.approx(prompt)
    both = linear(20) + 58 + 4 * (16 + 16 + 2 + 16)
    assert step_us(times, 4, 800, ((16, 100),)) == pytest.approx(both)


def test_beyond_the_grid_the_last_piece_goes_on_and_before_it_times_stay(tmp_path: Path) -> None:
    times = read_plain(llmservingsim(tmp_path / "tp1")).step_times(DENSE, Layout(), max_tokens=128)
    assert step_us(times, 8, 8 * 400) == pytest.approx(linear(8) + 64 + 4 * (4 + 64))
    assert step_us(times, 1, 3) == pytest.approx(linear(1) + 50 + 4 * (0.5 + 0.2))
    assert times.dense_s[128] == pytest.approx(1e-6 * linear(128))


def test_many_chunks_count_as_one_with_the_same_squares_and_pairs(tmp_path: Path) -> None:
    times = read_plain(llmservingsim(tmp_path / "tp1")).step_times(DENSE, Layout(), max_tokens=64)
    assert step_us(times, chunks=((16, 100),)) < step_us(times, chunks=((16, 100), (16, 100)))
    chunk = np.sqrt(2) * 16
    kv = 2 * 16 * (100 + 8.5) / chunk - (chunk + 1) / 2
    attention = chunk + 0.01 * chunk * kv
    two = linear(32) + 52 + 4 * attention
    assert step_us(times, chunks=((16, 100), (16, 100))) == pytest.approx(two)


def test_unequal_contexts_cost_the_factor_on_decode_attention(tmp_path: Path) -> None:
    folder = llmservingsim(tmp_path / "tp1")
    plain, dearer = (
        optables.read(folder, rules=Rules(decode_factor=factor)).step_times(
            DENSE, Layout(), max_tokens=64
        )
        for factor in (1.0, 1.5)
    )
    more = 0.5 * 4 * (2 + 16)
    for chunks in ((), ((16, 100),)):
        same = step_us(plain, 4, 800, chunks)
        assert step_us(dearer, 4, 800, chunks) == pytest.approx(same + more)
    assert step_us(dearer, 1, 200) == pytest.approx(step_us(plain, 1, 200))


def test_experts_that_two_ranks_share(tmp_path: Path) -> None:
    folder = llmservingsim(tmp_path / "tp1", moe=True)
    rules = Rules(link_bytes_per_s=1e9, hop_s=3e-6, collective_s=1e-6)
    layout = Layout(dp=2, ep=2)
    times = optables.read(folder, rules=rules).step_times(MOE, layout, max_tokens=64)
    m = 8.0
    hit = 4 * (1 - 0.75 ** (2 * m))
    experts = 100 * hit + m
    gather = 2 * (m * 64 * 2 / 1e9 * 1e6 + 3 + 1)
    dense = 4 * 4 * (10 + m) + 5 + 4 * (experts + gather)
    assert times.dense_s[16] * 1e6 == pytest.approx(dense)
    # a measured gathering counts instead, by the size of its result
    calls = dict(optables.read(folder).calls) | {("all_gather", ""): {(2048.0, 2.0): 7e-6}}
    own = OperatorTables("own", calls, rules).step_times(MOE, layout, max_tokens=64)
    assert own.dense_s[16] * 1e6 == pytest.approx(dense + 4 * (2 * 8 - gather))
    # both ranks decode the half of the requests, at the same time
    one = optables.read(folder, rules=rules).step_times(MOE, Layout(), max_tokens=64)
    alone = step_us(one, 4, 800) - 1e6 * one.dense_s[4]
    assert step_us(times, 8, 1600) - 1e6 * times.dense_s[8] == pytest.approx(alone)


def test_tensor_parallel_needs_times_or_a_link(tmp_path: Path) -> None:
    tables = read_plain(llmservingsim(tmp_path / "tp2"))
    with pytest.raises(InputError, match="all_reduce among 2 accelerators"):
        tables.step_times(DENSE, Layout(tp=2), max_tokens=64)
    linked = optables.read(tmp_path / "tp2", rules=Rules(link_bytes_per_s=1e9, hop_s=2e-6))
    ring = 2 * (8 * 64 * 2 / 2 / 1e9 * 1e6 + 2)
    times = linked.step_times(DENSE, Layout(tp=2), max_tokens=64)
    assert times.dense_s[8] * 1e6 == pytest.approx(linear(8) + 2 * 4 * ring)


def test_our_own_file_gives_back_what_was_written(tmp_path: Path) -> None:
    tables = read_plain(llmservingsim(tmp_path / "tp1", moe=True))
    tables.write(tmp_path / "own.csv")
    again = optables.read(tmp_path / "own.csv")
    assert again.calls.keys() == tables.calls.keys()
    for key, times in tables.calls.items():
        assert again.calls[key] == pytest.approx(times)
    with (tmp_path / "own.csv").open() as file:
        assert tuple(next(csv.reader(file))) == optables.COLUMNS


def test_matrix_products_stand_for_projections(tmp_path: Path) -> None:
    """qkv 128 x 64, o 64 x 64, gate and up 256 x 64, down 64 x 128, output layer 1000 x 64."""
    shapes = {(128, 64): 1.0, (64, 64): 2.0, (256, 64): 3.0, (64, 128): 4.0, (1000, 64): 50.0}
    gemm: optables.Times = {
        (m, n, k): 1e-6 * t for (n, k), t in shapes.items() for m in (1.0, 64.0)
    }
    attention: optables.Times = {(1.0, 0.0): 1e-6, (64.0, 0.0): 1e-6}
    calls = {("gemm", ""): gemm, ("prompt", ""): attention, ("decode", ""): attention}
    times = OperatorTables("gemm", calls).step_times(DENSE, Layout(), max_tokens=64)
    assert times.dense_s[8] == pytest.approx(4 * (1 + 2 + 3 + 4) * 1e-6)
    assert step_us(times, 8, 80) == pytest.approx(4 * 10 + 4 * 1 + 50)
    del gemm[1.0, 64.0, 128.0], gemm[64.0, 64.0, 128.0]
    with pytest.raises(InputError, match="down_proj") as caught:
        OperatorTables("gemm", calls).step_times(DENSE, Layout(), max_tokens=64)
    assert "n = 64, k = 128" in str(caught.value)


VIDUR_HEAD = "num_tokens,num_tensor_parallel_workers," + ",".join(
    f"time_stats.{op}.median" for op in optables.VIDUR_OPS
)


def vidur(folder: Path) -> Path:
    lines = [f"{m},{tp}," + ",".join(["0.01"] * 9) for m in (1, 8, 512) for tp in (1, 2)]
    rows(folder / "mlp.csv", VIDUR_HEAD, lines)
    head = (
        "batch_size,prefill_chunk_size,kv_cache_size,num_tensor_parallel_workers,"
        "time_stats.attn_prefill.median,time_stats.attn_decode.median"
    )
    lines = [f"1,{c},{kv},2,{c / 1000 + kv / 1e4}," for c in (64, 512) for kv in (0, 640)]
    lines += [f"{n},0,{kv},2,,{n * kv / 1e5}" for n in (1, 8) for kv in (64, 640)]
    rows(folder / "attention.csv.gz", head, lines)
    lines = [f"0.05,{size},2,2,all_reduce" for size in (0, 1 << 20)]
    lines += [f"0.5,{size},2,4,all_reduce" for size in (0, 1 << 20)]
    head = "time_stats.all_reduce.median,size,num_workers,devices_per_node,collective"
    rows(folder / "network.csv", head, lines)
    return folder


def test_vidurs_tables_and_rules(tmp_path: Path) -> None:
    folder = vidur(tmp_path / "a100")
    tables = optables.read(folder, tp=2, network=folder / "network.csv")
    times = tables.step_times(DENSE, Layout(tp=2), max_tokens=512)
    layer = 9 * 10 + 2 * (50 + 20)
    # the mean context of 65 counts as 128, and several decodes cost a tenth more
    decode = 1e3 * 8 * 128 / 1e5 * 1.1
    assert step_us(times, 8, 8 * 65) == pytest.approx(4 * (layer + decode))
    # two chunks of 64 count as one of 91, their contexts are added and rounded up
    prompt = 1e3 * (91 / 1000 + 128 / 1e4) * 1.1
    assert step_us(times, chunks=((64, 33), (64, 33))) == pytest.approx(4 * (layer + prompt))


def test_problems_are_named_at_once(tmp_path: Path) -> None:
    folder = llmservingsim(tmp_path / "tp1")
    rows(folder / "dense.csv", "layer,tokens", ["qkv_proj,1"])
    rows(folder / "per_sequence.csv", "layer,sequences,time_us", ["head,1,5", "lm_head,x,5"])
    with pytest.raises(InputError) as caught:
        optables.read(folder)
    text = str(caught.value)
    assert "lacks the columns time_us" in text and "layer is 'head'" in text
    assert "sampler" in text and "per_sequence.csv:3" in text
    with pytest.raises(InputError, match="neither a file of our own nor a folder"):
        optables.read(tmp_path)
    with pytest.raises(InputError, match="no file of all_reduce times"):
        optables.read(vidur(tmp_path / "a100"), tp=2)
    rows(tmp_path / "own.csv", ",".join(optables.COLUMNS), ["gem,,1,,,,,,,,,1"])
    with pytest.raises(InputError, match="kind is 'gem'"):
        optables.read(tmp_path / "own.csv")


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    tables = read_plain(llmservingsim(tmp_path / "tp1"))
    latent = Architecture("latent", 4, 64, 4, 4, 16, 128, "swiglu3", 1000, attention="mla")
    with pytest.raises(InputError, match="other layers than attention"):
        tables.step_times(latent, Layout(), max_tokens=64)
    with pytest.raises(InputError, match="no experts times"):
        tables.step_times(MOE, Layout(), max_tokens=64)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_holes_of_a_linear_grid_are_filled_exactly(data: st.DataObject) -> None:
    axis = st.lists(st.integers(0, 1000), min_size=2, max_size=4, unique=True)
    first, second = sorted(data.draw(axis)), sorted(data.draw(axis))
    a, b, c = (data.draw(st.floats(0, 10)) for _ in range(3))
    times: optables.Times = {(float(x), float(y)): a + b * x + c * y for x in first for y in second}
    kept = dict(times)
    for key in data.draw(st.lists(st.sampled_from(sorted(times)), max_size=3)):
        row_left = sum(other[0] == key[0] for other in kept) > 2
        if row_left and key[1] != second[0]:  # below the first point times stay
            kept.pop(key, None)
    (xs, ys), values = opsteps.grid(kept)
    for i, x in enumerate(xs):
        for j, y in enumerate(ys):
            assert values[i, j] == pytest.approx(times[x, y], rel=1e-9, abs=1e-9)
