"""Memory by layout: what fits, and what is said where it does not."""

from dataclasses import replace

import pytest

from lineshaft.errors import InputError
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.memory import (
    check_fits,
    check_layout,
    kv_capacity_tokens,
    memory,
)
from lineshaft.transformer import Architecture, Chip, parameters

H100 = Chip("H100", "hopper", (("bf16", 989e12),), 80e9, 3.35e12, 450e9, 8, 50e9, 700)
RTX4090 = Chip("RTX 4090", "ada", (("bf16", 165e12),), 25250627584, 1.008e12, 16e9, 1, 1e9, 450)
LLAMA = Architecture("Llama 3.1 8B", 32, 4096, 32, 8, 128, 14336, "swiglu3", 128256)
LARGE = Architecture("Llama 3.1 70B", 80, 8192, 64, 8, 128, 28672, "swiglu3", 128256)
DEEPSEEK = Architecture(
    "DeepSeek-V3", 61, 7168, 128, 128, 128, 18432, "swiglu3", 129280, attention="mla",
    q_rank=1536, kv_rank=512, rope_dim=64, nope_dim=128, v_dim=128, experts=256,
    experts_active=8, shared_experts=1, expert_ffn=2048, dense_layers=3,
)  # fmt: skip


def test_kv_capacity_against_vllm() -> None:
    # vLLM 0.19.0 reports 41,408 tokens for Llama-3.1-8B in bf16 on an RTX 4090
    # (github.com/casys-kaist/LLMServingSim, bench)
    tokens = kv_capacity_tokens(
        LLAMA, RTX4090, weight_byte=2, kv_byte=2, max_num_batched_tokens=2048, mean_context=1000
    )
    assert tokens == pytest.approx(41_408, rel=0.03)


def fits(arch: Architecture, layout: Layout, longest: int = 4000, byte: float = 2.0) -> float:
    return check_fits(
        arch, H100, layout=layout, weight_byte=byte, kv_byte=2, max_num_batched_tokens=8192,
        mean_context=1000, longest=longest, memory_utilisation=0.9,
    )  # fmt: skip


def test_a_model_that_does_not_fit_names_the_tp_that_would_do() -> None:
    with pytest.raises(InputError, match=r"needs 141\.1 GB for weights.*has 80 GB") as error:
        fits(LARGE, Layout())
    assert "set tp = 4" in str(error.value)
    assert "GB too few" in str(error.value)
    assert fits(LARGE, Layout(4)) > 4000
    # in bf16 it takes 1.3 TB: three domains of eight
    with pytest.raises(InputError, match="set tp = 8, pp = 4"):
        fits(DEEPSEEK, Layout(8))
    assert fits(DEEPSEEK, Layout(8, pp=4)) > 4000


def test_weights_are_split_as_the_layout_says() -> None:
    def of(layout: Layout) -> tuple[float, float]:
        m = memory(
            DEEPSEEK, H100, layout=layout, weight_byte=1.0, kv_byte=1.0,
            max_num_batched_tokens=1024, mean_context=4000,
        )  # fmt: skip
        return m.dense, m.experts

    count = parameters(DEEPSEEK)
    whole = of(Layout())
    assert sum(whole) == pytest.approx(count.total, rel=1e-3)
    assert of(Layout(8)) == pytest.approx([part / 8 for part in whole])
    assert of(Layout(1, dp=8, ep=8)) == pytest.approx([whole[0], whole[1] / 8])
    assert of(Layout(2, pp=4)) == pytest.approx([part / 8 for part in whole])


def test_ranks_hold_their_own_requests() -> None:
    tensor, ranks = (
        kv_capacity_tokens(
            DEEPSEEK, replace(H100, memory_bytes=180e9), layout=layout, weight_byte=0.5625,
            kv_byte=1.0, max_num_batched_tokens=1024, mean_context=4000,
        )
        for layout in (Layout(8, ep=8), Layout(1, dp=8, ep=8))
    )  # fmt: skip
    assert ranks > 3 * tensor > 0  # the latent is copied over tensor-parallel accelerators


@pytest.mark.parametrize(
    ("arch", "layout", "says"),
    [
        (LLAMA, Layout(3), "1, 2, 4, 8, 16, 32"),
        (LLAMA, Layout(2, ep=2), "no experts"),
        (LLAMA, Layout(1, pp=33), "1 to 32"),
        (DEEPSEEK, Layout(1, dp=8, ep=3), "1, 2, 4, 8"),
        (DEEPSEEK, Layout(1, dp=512, ep=512), "1, 2, 4, 8, 16, 32, 64, 128, 256"),
    ],
)
def test_layouts_that_do_not_divide_name_the_sizes_that_do(
    arch: Architecture, layout: Layout, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        check_layout(arch, layout)


def test_every_problem_of_a_layout_is_named_at_once() -> None:
    with pytest.raises(InputError) as error:
        check_layout(DEEPSEEK, Layout(3, dp=5, ep=4))
    assert len(error.value.problems) == 2
