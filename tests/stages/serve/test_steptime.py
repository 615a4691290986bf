"""Step times by layout, and what a step asks of the accelerators."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.serve.coefficients import Coefficients, shipped
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.steptime import FITTED, StepTimes, kv_shards, step_times
from lineshaft.stages.serve.work import busiest, terms, work
from lineshaft.transformer import Architecture, Chip

H100 = Chip(
    "H100", "hopper", (("bf16", 989e12), ("fp8", 1979e12)), 80e9, 3.35e12, 450e9, 8, 50e9, 700
)
B200 = Chip(
    "B200", "blackwell", (("bf16", 2.25e15), ("fp8", 4.5e15), ("fp4", 9e15)), 180e9, 8e12, 900e9,
    8, 50e9, 1000,
)  # fmt: skip
LLAMA = Architecture("Llama 3.1 8B", 32, 4096, 32, 8, 128, 14336, "swiglu3", 128256)
LARGE = Architecture("Llama 3.1 70B", 80, 8192, 64, 8, 128, 28672, "swiglu3", 128256)
DEEPSEEK = Architecture(
    "DeepSeek-V3", 61, 7168, 128, 128, 128, 18432, "swiglu3", 129280, attention="mla",
    q_rank=1536, kv_rank=512, rope_dim=64, nope_dim=128, v_dim=128, experts=256,
    experts_active=8, shared_experts=1, expert_ffn=2048, dense_layers=3,
)  # fmt: skip
WINDOWED = Architecture(
    "windowed", 32, 4096, 32, 8, 128, 14336, "swiglu3", 128256, window=128, window_layers=16
)


def step(arch: Architecture, layout: Layout | None = None, **other: object) -> StepTimes:
    given = {"precision": "bf16", "weight_byte": 2, "kv_byte": 2, "max_tokens": 4096, **other}
    return step_times(arch, H100, layout=layout or Layout(), **given)  # type: ignore[arg-type]


def test_decode_of_one_token_reads_the_weights() -> None:
    # 8.03e9 parameters less the input embedding, 2 bytes each, at the fitted share of 3.35 TB/s
    weights = (8.030e9 - 128256 * 4096) * 2 / (3.35e12 * FITTED.weight_efficiency)
    fixed = 32 * FITTED.layer_s + FITTED.step_s
    assert step(LLAMA).dense_s[1] == pytest.approx(weights + fixed, rel=5e-3)


def test_a_large_step_is_bound_by_arithmetic() -> None:
    # the output layer works on one token of each sequence: it is not in the time per token
    flops = 2 * (8.030e9 - 2 * 128256 * 4096) * 8192
    passes = 8192 * 32 * 4096 * 2 * FITTED.activation_passes / 3.35e12
    expected = flops / (989e12 * FITTED.compute_efficiency) + passes
    assert step(LLAMA, max_tokens=8192).dense_s[8192] == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("arch", [LLAMA, DEEPSEEK, WINDOWED])
@pytest.mark.parametrize("layout", [Layout(8), Layout(1, dp=8, ep=8), Layout(4, pp=2)])
def test_time_grows_with_tokens_and_holds_its_arithmetic(
    arch: Architecture, layout: Layout
) -> None:
    t = step(arch, layout if arch.experts else replace(layout, ep=1))
    assert t.dense_s[0] == 0.0
    assert len(t.dense_s) == 4096 * layout.dp * layout.pp + 1
    assert (np.diff(t.dense_s) >= -1e-12).all()
    assert (t.compute_s <= t.dense_s).all()
    assert min(t.kv_s, t.pair_s, t.seq_s, t.mixed_s, t.chunk_s) > 0
    assert t.ranks == layout.dp * layout.pp


def test_terms_add_up_to_the_step() -> None:
    layout = Layout(2, dp=4, ep=8)
    asked = work(DEEPSEEK, H100, layout, precision="fp8", weight_byte=1.0, kv_byte=2.0)
    tokens = np.array([1.0, 64.0, 1024.0])
    parts = terms(asked, tokens, FITTED)
    t = step_times(
        DEEPSEEK, H100, layout=layout, precision="fp8", weight_byte=1.0, kv_byte=2.0,
        max_tokens=2048,
    )  # fmt: skip
    assert sum(parts.values()) == pytest.approx(t.dense_s[[1, 64, 1024]])
    assert min(parts["reduce"].min(), parts["exchange"].min()) > 0


def test_a_mixture_of_experts_reads_more_experts_with_more_tokens() -> None:
    asked = work(DEEPSEEK, H100, Layout(8), precision="fp8", weight_byte=1.0, kv_byte=2.0)
    experts = terms(asked, np.array([1.0, 8.0, 4096.0]), FITTED)["experts"]
    assert experts[1] / experts[0] > 6  # eight tokens hit nearly eight times as many
    read = 58 * 256 * 3 * 7168 * 2048 / 8 / 3.35e12 / FITTED.expert_weight_efficiency
    assert experts[2] >= read


def test_more_accelerators_share_weights_and_pay_for_collectives() -> None:
    tokens = np.array([1.0])
    one, four = (
        terms(work(LARGE, H100, Layout(tp), precision="bf16", weight_byte=2.0, kv_byte=2.0),
              tokens, FITTED)
        for tp in (1, 4)
    )  # fmt: skip
    assert four["products"][0] == pytest.approx(one["products"][0] / 4)
    assert one["reduce"][0] == 0.0
    assert four["reduce"][0] == pytest.approx(160 * FITTED.allreduce_s, rel=0.02)
    assert four["overhead"][0] == one["overhead"][0]


def test_attention_ranks_read_their_own_copy_and_split_tokens_and_kv() -> None:
    tensor, ranks = step(DEEPSEEK, Layout(8, ep=8)), step(DEEPSEEK, Layout(1, dp=8, ep=8))
    # the latent is copied to every accelerator of a tensor-parallel rank, not to other ranks
    assert tensor.kv_s > 4 * ranks.kv_s
    assert 0.0 < ranks.local_share < 1.0
    asked = [
        work(DEEPSEEK, H100, layout, precision="fp8", weight_byte=1.0, kv_byte=2.0)
        for layout in (Layout(8, ep=8), Layout(1, dp=8, ep=8))
    ]
    assert asked[1].read_s == pytest.approx(8 * asked[0].read_s)  # type: ignore[operator]
    assert asked[1].expert_read_s == asked[0].expert_read_s


def test_links_between_domains_are_slower_than_within() -> None:
    near, far = (
        work(DEEPSEEK, replace(H100, scaleup_size=size), Layout(1, dp=16, ep=16), precision="fp8",
             weight_byte=1.0, kv_byte=2.0)
        for size in (16, 8)
    )  # fmt: skip
    assert far.exchange_token_s > 3 * near.exchange_token_s  # type: ignore[operator]
    assert far.exchanges == 3 * near.exchanges  # type: ignore[operator]


@given(st.integers(1, 4096), st.sampled_from([2, 8, 64]))
def test_the_busiest_group_is_between_the_mean_and_all(tokens: int, groups: int) -> None:
    asked = work(
        DEEPSEEK, H100, Layout(1, dp=groups, ep=groups), precision="fp8", weight_byte=1.0,
        kv_byte=2.0,
    )  # fmt: skip
    load, more = busiest(asked, np.array([tokens, 2.0 * tokens]), Coefficients())
    assert 1.0 <= more <= load <= groups


def test_pipeline_stages_share_the_cache_and_not_the_latency() -> None:
    flat, staged = step(LARGE, Layout(2)), step(LARGE, Layout(2, pp=4))
    assert staged.dense_s[1] == pytest.approx(flat.dense_s[1], rel=1e-3)
    assert staged.kv_s == pytest.approx(flat.kv_s / 4)
    assert staged.dense_s[16384] == pytest.approx(flat.dense_s[4096], rel=0.05)


def test_kv_read_of_gqa_and_mla() -> None:
    rate = 3.35e12 * FITTED.kv_efficiency
    assert step(LLAMA).kv_s == pytest.approx(32 * 2 * 8 * 128 * 2 / rate)
    # the latent, 576 values a layer, is copied to every accelerator
    assert step(DEEPSEEK, Layout(8)).kv_s >= 61 * 576 * 2 / rate * (1 - 1e-9)
    assert [kv_shards(LLAMA, tp) for tp in (1, 4, 16)] == [1, 4, 8]
    assert kv_shards(DEEPSEEK, 8) == 1


def test_windowed_layers_cost_per_sequence_not_per_context() -> None:
    full, half = step(LLAMA), step(WINDOWED)
    assert half.kv_s == pytest.approx(full.kv_s / 2)
    assert half.pair_s == pytest.approx(full.pair_s / 2)
    assert half.seq_s > full.seq_s


def test_a_state_in_place_of_keys_costs_per_sequence() -> None:
    hybrid = replace(
        LLAMA, linear="delta", linear_layers=24, linear_heads=32, linear_head_dim=128,
        linear_groups=16, linear_state=128,
    )  # fmt: skip
    assert step(hybrid).kv_s == pytest.approx(step(LLAMA).kv_s / 4)
    assert step(hybrid).seq_s > step(LLAMA).seq_s
    assert step(hybrid).mixed_s > step(LLAMA).mixed_s


def test_four_bits_are_read_faster_and_unpacked_where_products_run_in_bf16() -> None:
    def decode(chip: Chip, precision: str, byte: float) -> float:
        t = step_times(
            DEEPSEEK, chip, layout=Layout(8), precision=precision, weight_byte=byte, kv_byte=1,
            max_tokens=64,
        )  # fmt: skip
        return float(t.dense_s[64])

    assert decode(B200, "fp4", 0.5625) < decode(B200, "fp8", 1.0) < decode(B200, "bf16", 2.0)
    asked = work(DEEPSEEK, H100, Layout(8), precision="bf16", weight_byte=0.53, kv_byte=1.0)
    native = replace(asked, dequantised=0.0)
    slow, fast = (terms(one, np.array([64.0]), FITTED)["experts"] for one in (asked, native))
    assert slow / fast == pytest.approx(FITTED.dequantise_factor)
    with pytest.raises(InputError, match="precision"):
        decode(H100, "fp4", 0.5625)


def test_a_draft_gains_tokens_and_costs_a_layer_each() -> None:
    plain, drafting = step(DEEPSEEK, Layout(8)), step(DEEPSEEK, Layout(8), draft=3, acceptance=0.5)
    assert drafting.gain == pytest.approx(1 + 0.5 + 0.25 + 0.125)
    assert (plain.gain, plain.draft, drafting.draft) == (1.0, 0, 3)
    assert 1.0 < drafting.dense_s[8] / plain.dense_s[8] < 1.1


def test_unseen_classes_and_engines_take_means() -> None:
    hopper, blackwell = (shipped(name, "vllm") for name in ("hopper", "blackwell"))
    unseen = shipped("ampere", "vllm")
    assert unseen.layer_s == pytest.approx((hopper.layer_s * blackwell.layer_s) ** 0.5)
    assert shipped("blackwell-ultra", "vllm") == blackwell
    steps = [shipped("hopper", engine).step_s for engine in ("vllm", "sglang", "trtllm")]
    assert min(steps) < shipped("hopper", "own").step_s < max(steps)
    assert step(LLAMA, engine="sglang").api_s == shipped("hopper", "sglang").api_s
