"""FLOPs against closed forms and published figures."""

import csv
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.transformer import (
    Architecture,
    attention_flops_per_token,
    forward_flops,
    from_row,
    linear_flops_per_token,
    mean_context,
    training_flops_per_token,
)

TEXT = resources.files("lineshaft.catalog").joinpath("models.csv").read_text("utf-8")
MODELS = {row["name"]: from_row(row) for row in csv.DictReader(TEXT.splitlines())}


@pytest.mark.parametrize(
    ("name", "sequence", "gflop"),
    [
        ("Llama 3.1 8B", 8192, 51.5),
        ("Llama 3.1 70B", 8192, 449.2),
        ("Llama 3.1 405B", 8192, 2524.0),
    ],
)
def test_training_flops_of_megatron_bridge(name: str, sequence: int, gflop: float) -> None:
    # TFLOP/s per GPU over tokens/s per GPU, NVIDIA-NeMo/Megatron-Bridge performance summary
    found = training_flops_per_token(MODELS[name], sequence) / 1e9
    assert found == pytest.approx(gflop, abs=0.05)


def test_training_flops_of_deepseek_v3() -> None:
    # the same table: 260 with multi-token prediction, 249.1 to 249.7 without; it leaves routers out
    arch = MODELS["DeepSeek-V3"]
    assert training_flops_per_token(arch, 4096) / 1e9 == pytest.approx(260, rel=0.005)
    plain = training_flops_per_token(arch, 4096, mtp=False) / 1e9
    assert plain == pytest.approx(249.4, rel=0.005)


@given(st.integers(1, 128), st.integers(1, 160), st.sampled_from([64, 128]), st.integers(1, 8192))
def test_closed_form_of_sc21(layers: int, heads: int, head_dim: int, s: int) -> None:
    # Narayanan et al. (arXiv:2104.04473): 96 B s l h^2 (1 + s/6h + V/16lh) with full recompute,
    # which runs the layers, not the head, once more; 72 B s l h^2 (1 + s/6h + V/12lh) without
    h, vocab = heads * head_dim, 51200
    arch = Architecture(
        "gpt", layers, h, heads, heads, head_dim, 4 * h, "gelu2", vocab, True, "mha"
    )
    plain = training_flops_per_token(arch, s, causal=False)
    assert plain == pytest.approx(
        72 * layers * h**2 * (1 + s / (6 * h) + vocab / (12 * layers * h))
    )
    again = forward_flops(arch, 1, s, head_tokens=0)
    closed = 96 * layers * h**2 * (1 + s / (6 * h) + vocab / (16 * layers * h))
    assert plain + again == pytest.approx(closed)


def test_head_and_forward() -> None:
    arch = MODELS["Qwen3 32B"]
    head = linear_flops_per_token(arch) - linear_flops_per_token(arch, lm_head=False)
    assert head == 2 * 151936 * 5120
    one = linear_flops_per_token(arch) + attention_flops_per_token(arch, 100.0)
    assert forward_flops(arch, 7, 100.0) == pytest.approx(7 * one)
    assert forward_flops(arch, 7, 100.0, head_tokens=1) == pytest.approx(7 * one - 6 * head)


def test_attention_of_windows_and_latents() -> None:
    gpt = MODELS["gpt-oss-120b"]
    assert attention_flops_per_token(gpt, 1000.0) == 2 * 64 * 128 * 18 * (1000 + 128)
    mla = MODELS["DeepSeek-V3"]
    assert attention_flops_per_token(mla, 1.0) == 2 * 128 * 61 * (192 + 128)
    assert attention_flops_per_token(mla, 1.0, absorbed=True) == 2 * 128 * 61 * (2 * 512 + 64)


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_mean_context_of_a_window(s: int, window: int) -> None:
    assert mean_context(s, causal=False) == s
    # against the sum over positions, which counts the diagonal: half a token more
    exact = sum(min(i + 0.5, window) for i in range(s)) / s
    assert mean_context(s, causal=True, window=window) == pytest.approx(exact, abs=0.51)
