"""Shares of peak from operator tables: what went in comes out."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lineshaft.errors import InputError
from lineshaft.stages.serve import optables
from lineshaft.stages.serve.efficiencies import operator_efficiencies, starting
from lineshaft.stages.serve.optables import OperatorTables, Times
from lineshaft.stages.serve.steptime import FITTED
from lineshaft.transformer import Architecture, Chip

CHIP = Chip(
    name="toy", generation="toy", flops=(("bf16", 1e15), ("fp8", 2e15)), memory_bytes=80e9,
    memory_bytes_per_s=3e12, scaleup_bytes_per_s=400e9, scaleup_size=8,
    scaleout_bytes_per_s=50e9, power_w=700.0,
)  # fmt: skip
ARCH = Architecture(
    name="toy", layers=2, hidden=4096, heads=32, kv_heads=8, head_dim=128, ffn=14336,
    mlp="swiglu3", vocab=128256,
)  # fmt: skip
DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "serve"


def tables(precision: str = "bf16", noise: float = 0.0) -> OperatorTables:
    """Arithmetic 70 %, weights 80 %, keys and values 60 %, attention 50 %, links 75 % of peak."""
    rng = np.random.default_rng(0)
    peak, byte = (1e15, 2.0) if precision == "bf16" else (2e15, 1.0)
    products: Times = {}
    for n, k in ((6144, 4096), (28672, 4096), (4096, 14336)):
        for m in (1 << np.arange(14)).tolist():
            compute, load = 2 * m * n * k / (0.7 * peak), n * k * byte / (0.8 * 3e12)
            time = (compute**3 + load**3) ** (1 / 3) + 3e-6
            products[float(m), float(n), float(k)] = time * math.exp(noise * rng.normal())
    prompts: Times = {
        (chunk, before): 4 * 128 * 32 * chunk * (before + (chunk + 1) / 2) / (0.5 * 1e15) + 5e-6
        for chunk in (256.0, 2048.0, 8192.0)
        for before in (0.0, 8192.0)
    }
    decodes: Times = {
        (count, context): 4 * 128 * 8 * count * context / (0.6 * 3e12) + 4e-6
        for count in (1.0, 32.0, 256.0)
        for context in (128.0, 2048.0, 8192.0)
    }
    reduced: Times = {
        (float(1 << power), 4.0): 1.5 * (1 << power) / (0.75 * 400e9) + 12e-6
        for power in range(10, 29, 2)
    }
    calls = {
        ("gemm", ""): products, ("prompt", ""): prompts, ("decode", ""): decodes,
        ("all_reduce", ""): reduced,
    }  # fmt: skip
    return OperatorTables("toy", calls)


@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_what_went_in_comes_out(precision: str) -> None:
    found = operator_efficiencies(tables(precision, 0.02), CHIP, ARCH, precision=precision)
    assert found.compute == pytest.approx(0.7, rel=0.05)
    assert found.weight == pytest.approx(0.8, rel=0.05)
    assert found.attention == pytest.approx(0.5, rel=0.05)
    assert found.kv == pytest.approx(0.6, rel=0.05)
    assert found.link == pytest.approx(0.75, rel=0.05)
    assert found.allreduce_s == pytest.approx(12e-6, rel=0.1)
    assert found.misfit < 0.03


def test_the_share_saturates_in_tokens() -> None:
    found = operator_efficiencies(tables(), CHIP, ARCH)
    shares = [found.share(m) for m, _ in found.curve]
    assert all(a < b for a, b in pairwise(shares))
    assert found.share(1e9) == pytest.approx(found.compute, rel=1e-3)
    for tokens, measured in found.curve:
        if tokens in (1, 16, 8192):
            assert found.share(tokens) == pytest.approx(measured, rel=0.35)


def test_a_start_takes_what_was_measured_only() -> None:
    found = operator_efficiencies(
        OperatorTables("toy", {("gemm", ""): tables().times("gemm")}), CHIP, ARCH
    )
    assert math.isnan(found.kv) and math.isnan(found.link)
    start = starting(FITTED, found)
    assert start.compute_efficiency == pytest.approx(0.7, rel=0.05)
    assert start.kv_efficiency == FITTED.kv_efficiency
    assert "measured on the accelerator" in start.fitted_on


def test_tables_without_products_are_refused() -> None:
    with pytest.raises(InputError, match="no rows of kind gemm"):
        operator_efficiencies(OperatorTables("none", {}), CHIP, ARCH)
    with pytest.raises(InputError, match="bf16, fp8"):
        operator_efficiencies(tables(), CHIP, ARCH, precision="fp4")


@pytest.mark.shared
def test_recorded_kernels_of_an_rtx_pro_6000() -> None:
    """LLMServingSim's profile of Llama-3.1-8B against the datasheet."""
    folder = DATA / "llmservingsim_profiles" / "RTXPRO6000"
    found = sorted(folder.glob("*/Llama-3.1-8B/bf16/tp1"))
    if not found:
        pytest.skip("the published profiles are not here")
    from lineshaft import catalog
    from lineshaft.parameters.hardware import architecture, chip

    device = chip(catalog.find("accelerators", "RTX PRO 6000"))
    shares = operator_efficiencies(optables.read(found[0]), device, architecture("Llama 3.1 8B"))
    assert 0.4 < shares.compute <= 1.0
    assert 0.5 < shares.weight <= 1.05
    assert 0.3 < shares.kv <= 1.05
    assert shares.misfit < 0.15
