"""Step times and memory."""

import numpy as np
import pytest

from lineshaft.errors import InputError
from lineshaft.stages.serve import FITTED, StepTimes, kv_capacity_tokens, step_times
from lineshaft.stages.serve.memory import check_fits
from lineshaft.stages.serve.steptime import kv_shards
from lineshaft.transformer import Architecture, Chip

H100 = Chip("H100", "hopper", (("bf16", 989e12),), 80e9, 3.35e12, 450e9, 8, 50e9, 700)
RTX4090 = Chip("RTX 4090", "ada", (("bf16", 165e12),), 25250627584, 1.008e12, 16e9, 1, 1e9, 450)
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


def step(arch: Architecture, tp: int = 1) -> StepTimes:
    return step_times(
        arch, H100, tp=tp, precision="bf16", weight_byte=2, kv_byte=2, max_tokens=4096
    )


def test_decode_of_one_token_reads_the_weights() -> None:
    # 8.03e9 parameters less the input embedding, 2 bytes each, at the fitted share of 3.35 TB/s
    weights = (8.030e9 - 128256 * 4096) * 2 / (3.35e12 * FITTED.weight_efficiency)
    fixed = 32 * FITTED.layer_s + FITTED.step_s
    assert step(LLAMA).dense_s[1] == pytest.approx(weights + fixed, rel=1e-3)


def test_a_large_step_is_bound_by_arithmetic() -> None:
    flops = 2 * (8.030e9 - 128256 * 4096) * 4096
    assert step(LLAMA).dense_s[4096] == pytest.approx(
        flops / (989e12 * FITTED.compute_efficiency), rel=0.02
    )


@pytest.mark.parametrize("arch", [LLAMA, DEEPSEEK, WINDOWED])
def test_time_grows_with_tokens_and_holds_its_arithmetic(arch: Architecture) -> None:
    t = step(arch, 8)
    assert t.dense_s[0] == 0.0
    assert (np.diff(t.dense_s) >= 0).all()
    assert (t.compute_s <= t.dense_s).all()
    assert min(t.kv_s, t.pair_s, t.seq_s) > 0


def test_a_mixture_of_experts_reads_more_experts_with_more_tokens() -> None:
    t = step(DEEPSEEK, 8)
    dense = step(LARGE, 8)
    assert t.dense_s[256] / t.dense_s[1] > 5 > 1.5 > dense.dense_s[64] / dense.dense_s[1]


def test_kv_read_of_gqa_and_mla() -> None:
    rate = 3.35e12 * FITTED.kv_efficiency
    assert step(LLAMA).kv_s == pytest.approx(32 * 2 * 8 * 128 * 2 / rate)
    # the latent, 576 values a layer, is copied to every accelerator
    assert step(DEEPSEEK, 8).kv_s == pytest.approx(61 * 576 * 2 / rate)
    assert [kv_shards(LLAMA, tp) for tp in (1, 4, 16)] == [1, 4, 8]
    assert kv_shards(DEEPSEEK, 8) == 1


def test_windowed_layers_cost_per_sequence_not_per_context() -> None:
    full, half = step(LLAMA), step(WINDOWED)
    assert half.kv_s == pytest.approx(full.kv_s / 2)
    assert half.pair_s == pytest.approx(full.pair_s / 2)
    assert half.seq_s > full.seq_s


def test_kv_capacity_against_vllm() -> None:
    # vLLM 0.19.0 reports 41,408 tokens for Llama-3.1-8B in bf16 on an RTX 4090
    # (github.com/casys-kaist/LLMServingSim, bench)
    tokens = kv_capacity_tokens(
        LLAMA, RTX4090, tp=1, weight_byte=2, kv_byte=2, max_num_batched_tokens=2048,
        mean_context=1000,
    )  # fmt: skip
    assert tokens == pytest.approx(41_408, rel=0.03)


def fits(arch: Architecture, tp: int, longest: int = 4000) -> float:
    return check_fits(
        arch, H100, tp=tp, weight_byte=2, kv_byte=2, max_num_batched_tokens=8192,
        mean_context=1000, longest=longest, memory_utilisation=0.9,
    )  # fmt: skip


def test_a_model_that_does_not_fit_names_the_tp_that_would_do() -> None:
    with pytest.raises(InputError, match=r"needs 141\.1 GB for weights.*has 80 GB") as error:
        fits(LARGE, 1)
    assert "set tp = 4" in str(error.value)
    assert fits(LARGE, 4) > 4000
    with pytest.raises(InputError, match="no tp up to 8 fits"):
        fits(DEEPSEEK, 8)
