"""Step time and memory against published measurements, with no constant per row."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from lineshaft.stages.train import (
    FSDP,
    MEGATRON_2021,
    MEGATRON_2022,
    MODERN,
    Layouts,
    Software,
    efficiency_for,
    layout,
    memory,
    step_time,
)
from lineshaft.transformer import Architecture, Chip, from_row

DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "train"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="published measurements are not here"),
]

TEXT = resources.files("lineshaft.catalog").joinpath("models.csv").read_text("utf-8")
MODELS = {row["name"]: from_row(row) for row in csv.DictReader(TEXT.splitlines())}


def chip(
    generation: str, bf16: float, fp8: float, fp4: float, gb: float, tb_s: float, *net: float
) -> Chip:
    """A chip from TFLOP/s, GB, TB/s, and (scale-up GB/s, scale-up size, scale-out GB/s)."""
    flops = (("bf16", bf16), ("fp16", bf16), ("fp8", fp8), ("fp4", fp4))
    return Chip(
        name=generation,
        generation=generation,
        flops=tuple((name, rate * 1e12) for name, rate in flops if rate),
        memory_bytes=gb * 1e9,
        memory_bytes_per_s=tb_s * 1e12,
        scaleup_bytes_per_s=net[0] * 1e9,
        scaleup_size=int(net[1]),
        scaleout_bytes_per_s=net[2] * 1e9,
        power_w=0.0,
    )


A100 = chip("ampere", 312, 0, 0, 80, 2.039, 300, 8, 25)
A100_40 = chip("ampere", 312, 0, 0, 40, 1.555, 300, 8, 25)
A100_VTRAIN = chip("ampere", 312, 0, 0, 80, 2.039, 300, 8, 12.5)
H100 = chip("hopper", 989.4, 1978.9, 0, 80, 3.35, 450, 8, 50)
B200 = chip("blackwell", 2250, 4500, 9000, 180, 8, 900, 8, 50)
SYSTEMS = {
    "DGX-H100": H100,
    "DGX-B200": B200,
    "DGX-GB200": chip("blackwell", 2500, 5000, 10000, 186, 8, 900, 72, 50),
    "DGX-B300": chip("blackwell-ultra", 2250, 4500, 13500, 270, 8, 900, 8, 100),
    "DGX-GB300": chip("blackwell-ultra", 2500, 5000, 15000, 279, 8, 900, 72, 100),
}


@dataclass(frozen=True)
class Row:
    arch: Architecture
    chip: Chip
    precision: str
    layout: Layouts
    sequence: int
    batch: int
    software: Software
    step_s: float


def read(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def gpt(hidden: str | int, layers: str | int, heads: str | int, vocab: int) -> Architecture:
    h, a = int(hidden), int(heads)
    return Architecture("gpt", int(layers), h, a, a, h // a, 4 * h, "gelu2", vocab, True, "mha")


def korthikanti() -> Iterator[Row]:
    virtual = {"22B": 1, "175B": 3, "530B": 3, "1T": 1}
    for r in read("korthikanti2022.csv"):
        full = r["mode"].startswith("full")
        one = layout(
            tp=int(r["tp"]),
            pp=int(r["pp"]),
            micro_batch=int(r["mbs"]),
            interleave=virtual[r["model"]],
            recompute=2 if full else 1,
            zero=0,
        )
        software = MEGATRON_2021 if full else MEGATRON_2022
        arch = gpt(r["hidden"], r["layers"], r["heads"], 51200)
        batch = int(r["global_batch"])
        yield Row(arch, A100, "fp16", one, 2048, batch, software, float(r["iter_time_s"]))


def sc21() -> Iterator[Row]:
    for r in read("megatron_sc21.csv"):
        one = layout(tp=int(r["tp"]), pp=int(r["pp"]), dp=int(r["dp"]), recompute=2, zero=0)
        arch = gpt(r["hidden"], r["layers"], r["heads"], 51200)
        batch, step_s = int(r["global_batch"]), float(r["derived_iter_time_s"])
        yield Row(arch, A100, "fp16", one, 2048, batch, MEGATRON_2021, step_s)


def megascale() -> Iterator[Row]:
    for r in read("megascale_table2.csv"):
        if r["framework"] == "Megatron-LM":
            one = layout(tp=8, pp=8, dp=int(r["dp"]), interleave=6, recompute=1)
            arch, batch = gpt(12288, 96, 96, 64000), int(r["global_batch"])
            yield Row(arch, A100, "bf16", one, 2048, batch, MEGATRON_2022, float(r["iter_time_s"]))


def vtrain(name: str) -> Iterator[Row]:
    for r in read(name):
        one = layout(
            tp=int(r["tensor parallelism"]),
            pp=int(r["pipeline parallelism"]),
            dp=int(r["data parallelism"]),
            micro_batch=int(r["micro batch"]),
            recompute=2,
            zero=0,
        )
        arch = gpt(r["hidden size"], r["# layers"], r["attention heads"], 51200)
        sequence, batch = int(r["sequence length"]), int(r["global batch"])
        step_s = float(r["iteration time (ms)"]) / 1e3
        yield Row(arch, A100_VTRAIN, "fp16", one, sequence, batch, MEGATRON_2021, step_s)


MPT = {
    "125m": (768, 12, 12),
    "350m": (1024, 24, 16),
    "760m": (1536, 24, 12),
    "1b": (2048, 24, 16),
    "3b": (2560, 32, 20),
    "7b": (4096, 32, 32),
    "13b": (5120, 40, 40),
    "30b": (7168, 48, 56),
    "70b": (8192, 80, 64),
}


def foundry() -> Iterator[Row]:
    chips = {"h100_80gb": H100, "a100_80gb": A100, "a100_40gb": A100_40}
    for r in read("llm_foundry_mfu.csv"):
        gpus, micro = int(r["# GPUs"]), int(r["MicroBatchSize"])
        sequence, batch = int(r["SeqLen (T)"]), gpus * micro * int(r["GradAccum"])
        one = layout(
            dp=gpus,
            micro_batch=micro,
            recompute=2 if r["Activation Checkpointing"] == "True" else 0,
            zero=3 if r["Sharding Strategy"] == "FULL_SHARD" else 1,
        )
        precision = "fp8" if "fp8" in r["Precision"] else "bf16"
        step_s = batch * sequence / gpus / float(r["Throughput (T/s/GPU)"])
        arch = gpt(*MPT[r["Model"]], 50368)
        yield Row(arch, chips[r["GPU"]], precision, one, sequence, batch, FSDP, step_s)


BRIDGE = {
    "LLAMA3_8B": "Llama 3.1 8B",
    "LLAMA3_70B": "Llama 3.1 70B",
    "LLAMA3.1_405B": "Llama 3.1 405B",
    "DeepSeekV3": "DeepSeek-V3",
    "DeepSeekV3 (w/o MTP)": "DeepSeek-V3",
    "DeepSeekV3 (w/ MTP)": "DeepSeek-V3",
    "GPT OSS 120B": "gpt-oss-120b",
    "Qwen3_30B_a3B": "Qwen3 30B-A3B",
    "Qwen3_235B_a22B": "Qwen3 235B-A22B",
}
PRECISIONS = {
    "BF16": "bf16",
    "FP8": "fp8",
    "MXFP8": "fp8",
    "FP8-CS": "fp8",
    "FP8-MX": "fp8",
    "FP8-CS (FP8-MX)": "fp8",
    "NVFP4": "fp4",
}


def bridge(dense_only: bool = False) -> Iterator[Row]:
    for r in read("megatron_bridge_perf.csv"):
        known = r["model"] in BRIDGE and r["precision"] in PRECISIONS
        if r["section"] != "Pre-Training Performance" or not known:
            continue
        arch = MODELS[BRIDGE[r["model"]]]
        if dense_only and arch.experts:
            continue
        tp, pp, cp = (int(r[key]) for key in ("tp", "pp", "cp"))
        gpus, batch, sequence = int(r["gpus"]), int(r["global_batch"]), int(r["seq"])
        one = layout(
            tp=tp,
            pp=pp,
            cp=cp,
            ep=int(r["ep"]) if r["ep"].isdigit() else 1,
            dp=gpus // (tp * pp * cp),
            micro_batch=int(r["mbs"]),
            interleave=int(r["vp"]) if r["vp"].isdigit() and pp > 1 else 1,
            # the summary's 70B rows in FP8 run FSDP
            zero=3 if r["model"] == "LLAMA3_70B" and r["precision"] == "FP8" else 1,
        )
        rate = float(r["tokens_per_s_per_gpu"].split(" ")[0])
        step_s = batch * sequence / rate / gpus
        precision = PRECISIONS[r["precision"]]
        yield Row(arch, SYSTEMS[r["system"]], precision, one, sequence, batch, MODERN, step_s)


def simumax_dense() -> Iterator[Row]:
    for r in read("simumax_b200.csv"):
        if r["model"] == "llama3_70b" and r["cp"] == "1":
            arch = replace(MODELS["Llama 3.1 70B"], layers=int(r["layers_kept"]))
            one = layout(tp=int(r["tp"]), pp=int(r["pp"]), dp=int(r["dp"]))
            batch = int(r["microbatches"]) * int(r["dp"])
            yield Row(arch, B200, "bf16", one, 4096, batch, MODERN, float(r["real_ms"]) / 1e3)


def errors(rows: Iterator[Row]) -> list[float]:
    """Predicted over measured, less one."""
    return [
        step_time(
            row.arch,
            row.chip,
            row.layout,
            precision=row.precision,
            sequence=row.sequence,
            batch_sequences=row.batch,
            software=row.software,
            efficiency=efficiency_for(row.chip.generation, row.precision),
        ).total_s[0]
        / row.step_s
        - 1.0
        for row in rows
    ]


@pytest.mark.parametrize(
    ("rows", "count", "mape", "median"),
    [
        (korthikanti, 8, 0.026, 0.025),
        (sc21, 7, 0.065, 0.045),
        (megascale, 4, 0.055, 0.056),
        (lambda: vtrain("vtrain_multi.csv"), 73, 0.080, 0.060),
        (lambda: vtrain("vtrain_single.csv"), 960, 0.090, 0.068),
        (foundry, 144, 0.060, 0.040),
        (bridge, 129, 0.130, 0.080),
        (lambda: bridge(dense_only=True), 52, 0.056, 0.050),
        (simumax_dense, 11, 0.070, 0.065),
    ],
    ids=[
        "korthikanti",
        "sc21",
        "megascale",
        "vtrain multi node",
        "vtrain single node",
        "llm-foundry",
        "megatron-bridge",
        "megatron-bridge dense",
        "simumax dense",
    ],
)
def test_step_time(
    rows: Callable[[], Iterator[Row]], count: int, mape: float, median: float
) -> None:
    found = np.abs(errors(rows()))
    assert len(found) == count
    assert found.mean() <= mape
    assert np.median(found) <= median


def test_peak_memory_of_simumax_dense() -> None:
    # the rows give allocated bytes, without context and buffers
    for row, r in zip(
        simumax_dense(),
        (r for r in read("simumax_b200.csv") if r["model"] == "llama3_70b" and r["cp"] == "1"),
        strict=True,
    ):
        used = memory(
            row.arch,
            row.layout,
            sequence=row.sequence,
            batch_sequences=row.batch,
            software=row.software,
        )
        allocated = used.state + used.activations + used.logits
        assert allocated[0] / 2**30 == pytest.approx(float(r["real_alloc_gib"]), rel=0.05)
