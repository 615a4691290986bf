"""Published sets of training runs, each run in the form that the step-time model takes.

Nothing is chosen per row: what a set does not say (interleaving, sharding, the precision of a
framework's rows) is said once for the set, here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lineshaft import catalog
from lineshaft.measured.models._tools import csv_rows
from lineshaft.parameters.hardware import architecture, chip
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
from lineshaft.transformer import Architecture, Chip


@dataclass(frozen=True)
class Run:
    """One measured training run."""

    arch: Architecture
    chip: Chip
    precision: str
    layout: Layouts
    sequence: int
    batch: int
    """Sequences per step."""
    software: Software
    step_s: float = 0.0
    """Measured; 0 where it was not."""
    memory_bytes: float = 0.0
    """Measured peak per accelerator; 0 where it was not."""

    def model_step_s(self) -> float:
        """Seconds of one step, from the model."""
        step = step_time(
            self.arch,
            self.chip,
            self.layout,
            precision=self.precision,
            sequence=self.sequence,
            batch_sequences=self.batch,
            software=self.software,
            efficiency=efficiency_for(self.chip.generation, self.precision),
        )
        return float(step.total_s[0])

    def model_memory_bytes(self, *, context: bool = True) -> float:
        """Peak bytes per accelerator, from the model; without context: what is allocated."""
        used = memory(
            self.arch,
            self.layout,
            sequence=self.sequence,
            batch_sequences=self.batch,
            software=self.software,
        )
        parts = used.total if context else used.state + used.activations + used.logits
        return float(parts[0])


def gpt(hidden: int, layers: int, heads: int, vocab: int) -> Architecture:
    """A GPT-2 shaped model: two-matrix MLP of four times the width, tied embeddings."""
    return Architecture(
        "gpt",
        layers,
        hidden,
        heads,
        heads,
        hidden // heads,
        4 * hidden,
        "gelu2",
        vocab,
        True,
        "mha",
    )


def device(
    name: str, *, scaleout_bytes_per_s: float = 0.0, memory_bytes_per_s: float = 0.0
) -> Chip:
    """The catalog's accelerator, with another network or memory where a run had one."""
    found = chip(catalog.find("accelerators", name))
    if scaleout_bytes_per_s:
        found = replace(found, scaleout_bytes_per_s=scaleout_bytes_per_s)
    if memory_bytes_per_s:
        found = replace(found, memory_bytes_per_s=memory_bytes_per_s)
    return found


def korthikanti(folder: Path) -> Iterator[Run]:
    """Table 5 of arXiv:2205.05198; interleaving of the paper's Table 3."""
    virtual = {"22B": 1, "175B": 3, "530B": 3, "1T": 1}
    for r in csv_rows(folder / "korthikanti2022.csv"):
        full = r["mode"].startswith("full")
        yield Run(
            _gpt(r, 51200),
            device("A100"),
            "bf16",
            layout(
                tp=int(r["tp"]),
                pp=int(r["pp"]),
                micro_batch=int(r["mbs"]),
                interleave=virtual[r["model"]],
                recompute=2 if full else 1,
                zero=0,
            ),
            2048,
            int(r["global_batch"]),
            MEGATRON_2021 if full else MEGATRON_2022,
            float(r["iter_time_s"]),
        )


def sc21(folder: Path) -> Iterator[Run]:
    """Weak scaling of arXiv:2104.04473 with full recompute."""
    for r in csv_rows(folder / "megatron_sc21.csv"):
        sizes = {key: int(r[key]) for key in ("tp", "pp", "dp")}
        yield Run(
            _gpt(r, 51200),
            device("A100"),
            "bf16",
            layout(**sizes, recompute=2, zero=0),
            2048,
            int(r["global_batch"]),
            MEGATRON_2021,
            float(r["derived_iter_time_s"]),
        )


def megascale(folder: Path) -> Iterator[Run]:
    """Table 2 of MegaScale (NSDI'24), the rows of Megatron-LM; interleaving 6 is not confirmed."""
    for r in csv_rows(folder / "megascale_table2.csv"):
        if r["framework"] == "Megatron-LM":
            yield Run(
                _gpt(r, 64000),
                device("A100"),
                "bf16",
                layout(tp=8, pp=8, dp=int(r["dp"]), interleave=6, recompute=1),
                2048,
                int(r["global_batch"]),
                MEGATRON_2022,
                float(r["iter_time_s"]),
            )


def vtrain_multi(folder: Path) -> Iterator[Run]:
    """vTrain (MICRO'24), 64 to 512 A100."""
    yield from _vtrain(folder / "vtrain_multi.csv")


def vtrain_single(folder: Path) -> Iterator[Run]:
    """vTrain (MICRO'24), 2 to 8 A100."""
    yield from _vtrain(folder / "vtrain_single.csv")


def _vtrain(path: Path) -> Iterator[Run]:
    # 800 Gb/s a node, as vTrain's own configurations say
    a100 = device("A100", scaleout_bytes_per_s=12.5e9)
    for r in csv_rows(path):
        one = layout(
            tp=int(r["tensor parallelism"]),
            pp=int(r["pipeline parallelism"]),
            dp=int(r["data parallelism"]),
            micro_batch=int(r["micro batch"]),
            recompute=2,
            zero=0,
        )
        yield Run(
            gpt(int(r["hidden size"]), int(r["# layers"]), int(r["attention heads"]), 51200),
            a100,
            "bf16",
            one,
            int(r["sequence length"]),
            int(r["global batch"]),
            MEGATRON_2021,
            float(r["iteration time (ms)"]) / 1e3,
        )


_MPT = {
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


def llm_foundry(folder: Path) -> Iterator[Run]:
    """MPT under FSDP on 8 to 512 A100 or H100 (github.com/mosaicml/llm-foundry)."""
    a100_40 = device("A100", memory_bytes_per_s=1.555e12)
    chips = {"h100_80gb": device("H100"), "a100_80gb": device("A100"), "a100_40gb": a100_40}
    for r in csv_rows(folder / "llm_foundry_mfu.csv"):
        gpus, micro = int(r["# GPUs"]), int(r["MicroBatchSize"])
        sequence, batch = int(r["SeqLen (T)"]), gpus * micro * int(r["GradAccum"])
        one = layout(
            dp=gpus,
            micro_batch=micro,
            recompute=2 if r["Activation Checkpointing"] == "True" else 0,
            zero=3 if r["Sharding Strategy"] == "FULL_SHARD" else 1,
        )
        step_s = batch * sequence / gpus / float(r["Throughput (T/s/GPU)"])
        precision = "fp8" if "fp8" in r["Precision"] else "bf16"
        arch = gpt(*_MPT[r["Model"]], 50368)
        yield Run(arch, chips[r["GPU"]], precision, one, sequence, batch, FSDP, step_s)


_BRIDGE = {
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
_PRECISIONS = {
    "BF16": "bf16",
    "FP8": "fp8",
    "MXFP8": "fp8",
    "FP8-CS": "fp8",
    "FP8-MX": "fp8",
    "FP8-CS (FP8-MX)": "fp8",
    "NVFP4": "fp4",
}
_SYSTEMS = {
    "DGX-H100": "H100",
    "DGX-B200": "B200 SXM",
    "DGX-GB200": "GB200",
    "DGX-B300": "B300 SXM",
    "DGX-GB300": "GB300",
}


def megatron_bridge(folder: Path) -> Iterator[Run]:
    """Pre-training rows of Megatron-Bridge's performance summary that say their precision."""
    for r in csv_rows(folder / "megatron_bridge_perf.csv"):
        known = r["model"] in _BRIDGE and r["precision"] in _PRECISIONS
        if r["section"] != "Pre-Training Performance" or not known:
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
        yield Run(
            architecture(_BRIDGE[r["model"]]),
            device(_SYSTEMS[r["system"]]),
            _PRECISIONS[r["precision"]],
            one,
            sequence,
            batch,
            MODERN,
            batch * sequence / rate / gpus,
        )


def megatron_bridge_dense(folder: Path) -> Iterator[Run]:
    """The rows of `megatron_bridge` without experts."""
    yield from (run for run in megatron_bridge(folder) if not run.arch.experts)


def megatron_bridge_experts(folder: Path) -> Iterator[Run]:
    """The rows of `megatron_bridge` with experts."""
    yield from (run for run in megatron_bridge(folder) if run.arch.experts)


def megatron_core(folder: Path) -> Iterator[Run]:
    """Weak scaling of Megatron-Core on 96 to 6,144 H100; micro-batch 1 and no interleaving are
    assumed, the table does not print them."""
    for r in csv_rows(folder / "megatron_core_h100.csv"):
        sizes = {key: int(r[key]) for key in ("tp", "pp", "dp")}
        yield Run(
            _gpt(r, int(r["vocab"])),
            device("H100"),
            "bf16",
            layout(**sizes, recompute=1),
            int(r["seq"]),
            int(r["global_batch"]),
            MODERN,
            float(r["derived_iter_time_s"]),
        )


def simumax_dense(folder: Path) -> Iterator[Run]:
    """Truncated Llama 3 70B on 8 B200, without context parallelism; allocated memory."""
    for r in csv_rows(folder / "simumax_b200.csv"):
        if r["model"] == "llama3_70b" and r["cp"] == "1":
            yield _simumax(r, "Llama 3.1 70B")


def simumax_405b(folder: Path) -> Iterator[Run]:
    """Truncated Llama 3 405B on 8 B200, without context parallelism; allocated memory."""
    for r in csv_rows(folder / "simumax_b200.csv"):
        if r["model"] == "llama3_405b" and r["cp"] == "1":
            yield _simumax(r, "Llama 3.1 405B")


def _simumax(r: dict[str, str], name: str) -> Run:
    return Run(
        replace(architecture(name), layers=int(r["layers_kept"])),
        device("B200 SXM"),
        "bf16",
        layout(tp=int(r["tp"]), pp=int(r["pp"]), dp=int(r["dp"])),
        4096,
        int(r["microbatches"]) * int(r["dp"]),
        MODERN,
        float(r["real_ms"]) / 1e3,
        float(r["real_alloc_gib"]) * 2**30,
    )


def torchtitan(folder: Path) -> Iterator[Run]:
    """Llama 3.1 under FSDP, tensor and context parallelism, on H100 of 500 W (github.com/pytorch/
    torchtitan); rows without a pipeline. Compiled runs count as modern software, the others as
    eager FSDP."""
    h100 = device("H100", memory_bytes_per_s=2.4e12)
    chips = {True: device("H200"), False: h100}
    for r in csv_rows(folder / "torchtitan.csv"):
        if r["pp"] != "1":
            continue
        tp, cp, dp = int(r["tp"]), int(r["cp"]), int(r["fsdp"])
        local, sequence = int(r["local_batch"]), int(r["seq"])
        one = layout(
            tp=tp,
            cp=cp,
            dp=dp,
            micro_batch=local,
            recompute=2 if r["ac"] == "full" else 1,
            zero=3,
        )
        batch = local * dp
        yield Run(
            architecture(r["model"].replace("Llama3.1-", "Llama 3.1 ")),
            chips[r["gpu"].startswith("H200")],
            "bf16" if r["precision"] == "bf16" else "fp8",
            one,
            sequence,
            batch,
            MODERN if r["compile"] == "1" else FSDP,
            batch * sequence / float(r["tokens_per_s_per_gpu"]) / (tp * cp * dp),
            float(r["memory_gib"] or 0) * 2**30,
        )


_MLPERF = {
    "NVIDIA H100-SXM5-80GB": "H100",
    "NVIDIA H200-SXM5-141GB": "H200",
    "NVIDIA Blackwell GPU (GB200)": "GB200",
}


def mlperf_405b(folder: Path) -> Iterator[Run]:
    """MLPerf Training v5.0, Llama 3.1 405B in FP8: step times and logged memory."""
    for r in csv_rows(folder / "mlperf_training_llm.csv"):
        wanted = r["round"] == "v5.0" and r["benchmark"] == "llama31_405b"
        if not wanted or not r["step_time_s_median"] or r["accelerator"] not in _MLPERF:
            continue
        tp, pp, cp, gpus = (int(r[key]) for key in ("tp", "pp", "cp", "gpus"))
        one = layout(tp=tp, pp=pp, cp=cp, dp=gpus // (tp * pp * cp), interleave=int(r["vp"]))
        yield Run(
            architecture("Llama 3.1 405B"),
            device(_MLPERF[r["accelerator"]]),
            "fp8",
            one,
            int(r["seq"]),
            int(r["global_batch"]),
            MODERN,
            float(r["step_time_s_median"]),
            float(r["max_memory_usage_GB"] or 0) * 1e9,
        )


SETS: dict[str, Callable[[Path], Iterator[Run]]] = {
    one.__name__: one
    for one in (
        korthikanti,
        sc21,
        megascale,
        vtrain_multi,
        vtrain_single,
        llm_foundry,
        megatron_bridge,
        megatron_bridge_dense,
        megatron_bridge_experts,
        megatron_core,
        simumax_dense,
        simumax_405b,
        torchtitan,
        mlperf_405b,
    )
}
"""All sets by name; each takes the folder that holds the CSV files."""


def _gpt(r: dict[str, str], vocab: int) -> Architecture:
    return gpt(int(r["hidden"]), int(r["layers"]), int(r["heads"]), vocab)
