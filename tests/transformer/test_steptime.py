"""Step-time terms and activation memory."""

import csv
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.transformer import (
    Architecture,
    attention_parameters,
    expert_parameters,
    from_row,
    shared_parameters,
)
from lineshaft.transformer.activations import activation_bytes_per_layer, checkpoint_bytes_per_layer
from lineshaft.transformer.steptime import (
    elementwise_bytes_per_token,
    gemm_efficiency,
    gemm_s,
    layer_gemms,
)

TEXT = resources.files("lineshaft.catalog").joinpath("models.csv").read_text("utf-8")
MODELS = {row["name"]: from_row(row) for row in csv.DictReader(TEXT.splitlines())}
SIDE = st.integers(1, 100_000)


@given(SIDE, SIDE, SIDE)
def test_efficiency_rises_and_saturates(m: int, n: int, k: int) -> None:
    here = gemm_efficiency(m, n, k, 0.8, 100.0)
    assert 0 < here < 0.8
    assert gemm_efficiency(2 * m, n, k, 0.8, 100.0) > here
    assert gemm_efficiency(1e12, 1e12, 1e12, 0.8, 100.0) == pytest.approx(0.8)


def test_small_products_are_bound_by_memory_large_ones_by_arithmetic() -> None:
    def seconds(m: float) -> float:
        return float(
            gemm_s(
                m,
                8192.0,
                8192.0,
                peak_flops=1e15,
                best=0.8,
                half=0.0,
                bytes_per_value=2.0,
                memory_bytes_per_s=3e12,
            )
        )

    assert seconds(1) == pytest.approx(2 * (8192**2 + 2 * 8192) / 3e12)
    assert seconds(8192) == pytest.approx(2 * 8192**3 / 0.8e15)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tp", [1.0, 4.0])
def test_a_layers_products_are_its_weights(name: str, tp: float) -> None:
    arch = MODELS[name]
    moe = bool(arch.experts)
    flops = sum(
        2.0 * m * n * k * count
        for m, n, k, count in layer_gemms(arch, 64.0, tp=tp, ep=8.0 if moe else 1.0, moe=moe)
    )
    weights: float = attention_parameters(arch)
    if moe:
        weights += arch.hidden * arch.experts
        weights += arch.experts_active * expert_parameters(arch) + shared_parameters(arch)
    else:
        weights += arch.mlp_matrices * arch.hidden * arch.ffn
    if arch.attention == "mla" and tp > 1:  # the latent projections are not split
        assert flops * tp > 2.0 * 64 * weights
    else:
        assert flops * tp == pytest.approx(2.0 * 64 * weights)


@given(
    st.integers(1, 8), st.integers(1, 160), st.sampled_from([1, 2, 4, 8]), st.integers(128, 8192)
)
def test_activation_closed_forms(b: int, heads: int, t: int, s: int) -> None:
    # Korthikanti et al. (arXiv:2205.05198), Table 2
    h = heads * 128
    arch = Architecture("gpt", 1, h, heads, heads, 128, 4 * h, "gelu2", 51200, True, "mha")

    def kept(sequence_parallel: bool, fused: bool) -> float:
        return float(
            activation_bytes_per_layer(
                arch,
                float(s * b),
                sequence=s,
                tp=float(t),
                sequence_parallel=sequence_parallel,
                fused_attention=fused,
                dropout=True,
            )
        )

    sbh = s * b * h
    assert kept(False, False) == pytest.approx(sbh * (10 + 24 / t + 5 * heads * s / (h * t)))
    assert kept(True, False) == pytest.approx(sbh / t * (34 + 5 * heads * s / h))
    assert kept(True, True) == pytest.approx(34 * sbh / t)
    assert checkpoint_bytes_per_layer(arch, float(s * b)) == 2 * sbh


def test_experts_keep_and_move_more_than_their_dense_twin() -> None:
    arch = MODELS["DeepSeek-V3"]
    dense, routed = (
        activation_bytes_per_layer(arch, 1.0, sequence=4096, moe=moe) for moe in (False, True)
    )
    # 18,432 dense against 9 x 2,048 of experts: the same width, so the tokens sent are on top
    assert routed - dense == pytest.approx(8 * 4 * 7168)
    assert elementwise_bytes_per_token(arch, moe=True)[1] > elementwise_bytes_per_token(arch)[1]
