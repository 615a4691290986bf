"""Rows of AIConfigurator's file of measured serving points, and what was deployed for each.

The file (github.com/ai-dynamo/aiconfigurator, Apache-2.0) holds mean TTFT and TPOT of closed loops
of clients; most were measured by InferenceX, formerly InferenceMAX (github.com/SemiAnalysisAI/
InferenceX, Apache-2.0). What a row says of the layout is read so:

- Rows of several imports describe the same measurements, equal to the last digit, in different
  words. Where tp * dp is the product of moe_tp and moe_ep, both alike, one factor was counted
  twice: "tp 64, moe 8 x 8" is tp 8, ep 8 on one node. Where tp = dp and ep = tp * dp, dp is a copy.
- Split deployments (prompts and answers in two pools) lack the number of workers in half of the
  rows, and whether attention was data parallel. ``serve_deployments.csv`` lists what InferenceX
  ran (its .github/configs/nvidia-master.yaml of spring 2026, and the recipes named there); the row
  takes the deployment with its model, system, engine, precision, lengths and accelerators whose
  concurrency is nearest.
- Speculative decoding is not in the file. It is in the list for split deployments. For whole ones
  the configurations name the image: multi-token prediction ran DeepSeek-R1 on TensorRT-LLM
  1.2.0rc6.post3, and on 1.1.0rc2.post2 from January 2026 on, 3 tokens or, with data-parallel
  attention, 1; no row of a "db-dump" has it. Qwen3.5 in fp8 on SGLang with tp 4 and without expert
  parallelism is in no configuration without it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.measured.models._tools import csv_rows
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.stages.serve.deployment import Layout
from lineshaft.transformer import Architecture, Chip

Row = dict[str, str]
WEIGHT_BYTE = {"bf16": 2.0, "fp8": 1.0, "fp4": 0.5625, "int4": 0.53}
"""Of 4 bits with their scales: one of 8 bits for 16 values (NVFP4), of 16 for 32 (int4)."""
DRIVER_MIB = {"h100_sxm": 81559, "h200_sxm": 143771, "b200_sxm": 183359, "gb200": 189471}
"""Memory that the driver reports (nvidia-smi), where the datasheet's GB are GiB."""
ADMINISTRATIVE = ("id", "silicon_data_source")


@dataclass(frozen=True)
class Deployed:
    """What ran: one pool, or one for prompts and one for answers."""

    engine: str
    layout: Layout
    """Of the pool that answers."""
    prompts: Layout | None = None
    """Of the pool that computes prompts, where there are two."""
    instances: int = 1
    prompt_instances: int = 0
    draft: int = 0
    known: bool = True
    """Whether the row or the list says all of this."""

    @property
    def accelerators(self) -> int:
        first = self.prompts.accelerators * self.prompt_instances if self.prompts else 0
        return first + self.layout.accelerators * self.instances


@dataclass(frozen=True)
class Measured:
    """One row, read."""

    group: str
    """Model, system, engine and whether the pools are split."""
    arch: Architecture
    chip: Chip
    deployed: Deployed
    precision: str
    """Of the matrix products."""
    weight_byte: float
    kv_byte: float
    input_tokens: int
    output_tokens: int
    clients: int
    spread: float
    """Lengths are drawn from this share of the nominal ones up to all of them."""
    steps_tokens: int
    """Most tokens of a step and rank that the engine was set to."""
    ttft_s: float
    tpot_s: float
    source: str
    own: bool
    """Whether the importers measured it themselves, and not InferenceX."""


def distinct(path: Path) -> list[Row]:
    """The rows of the file, exact duplicates dropped."""
    found: dict[tuple[str, ...], Row] = {}
    for row in csv_rows(path):
        key = tuple(value for name, value in row.items() if name not in ADMINISTRATIVE)
        found.setdefault(key, row)
    return list(found.values())


def read(row: Row) -> Measured | None:
    """What the row says; None where its model or system is unknown."""
    try:
        arch, device = _model(row["model_path"]), _chip(row["system"])
        return _read(row, arch, device)
    except (InputError, ValueError, KeyError):
        return None


def _read(row: Row, arch: Architecture, device: Chip) -> Measured:
    source = row["silicon_data_source"]
    own = source.startswith("source_file=/")  # the importers' own runs, not InferenceX's
    engine, kind = row["backend"], row["precision"] or "bf16"
    match = re.search(r"silicon_concurrency=(\d+)", source)
    clients = int(match[1]) if match else _int(row, "batch_size")
    if row["mode"] == "agg":
        deployed, clients = _whole(row, arch, clients, own)
    else:
        clients = clients or _int(row, "decode_batch_size") * _int(row, "decode_num_workers") * max(
            _int(row, "decode_attention_dp_size"), 1
        )
        deployed = _split(row, arch, clients)
    products = _products(row, device, kind)
    prompt = int(row["isl"])
    return Measured(
        group="|".join((row["model_path"].split("/")[-1], row["system"], engine, row["mode"])),
        arch=arch,
        chip=device,
        deployed=deployed,
        precision=products,
        weight_byte=WEIGHT_BYTE[kind],
        kv_byte=_kv_byte(row, device, kind),
        input_tokens=prompt,
        output_tokens=int(row["osl"]),
        clients=clients,
        # InferenceX draws lengths from 80 to 100 %; clients that all ask for the same stay in step
        # only where prompts go first
        spread=1.0 if own and engine == "sglang" and prompt % 1000 else 0.8,
        steps_tokens=_step_tokens(row, device, prompt, clients, own),
        ttft_s=float(row["silicon_ttft_ms"]) / 1e3,
        tpot_s=float(row["silicon_tpot_ms"]) / 1e3,
        source=source,
        own=own,
    )


def _products(row: Row, device: Chip, kind: str) -> str:
    """Precision of the products: Hopper has no fp4, and int4 is unpacked; gpt-oss feeds its MXFP4
    weights with 8-bit activations on Blackwell."""
    if kind == "int4" or (kind == "fp4" and "fp4" not in dict(device.flops)):
        return "bf16"
    return "fp8" if kind == "fp4" and "gpt-oss" in row["model_path"] else kind


def _kv_byte(row: Row, device: Chip, kind: str) -> float:
    """TensorRT-LLM keeps KV in fp8 with fp8 and NVFP4 checkpoints, as InferenceX's scripts for
    vLLM and SGLang ask on Blackwell."""
    narrow = kind in ("fp8", "fp4")
    if row["backend"] == "trtllm":
        return 1.0 if narrow and "gpt-oss" not in row["model_path"] else 2.0
    return 1.0 if narrow and device.generation.startswith("blackwell") else 2.0


def _step_tokens(row: Row, device: Chip, prompt: int, clients: int, own: bool) -> int:
    """Defaults of vLLM (8,192) and SGLang (by memory); InferenceX's setting for TensorRT-LLM."""
    if row["backend"] == "sglang" and device.generation.startswith("blackwell"):
        return 16384
    if row["backend"] != "trtllm" or own:
        return 8192
    if row["mode"] == "agg" and "DeepSeek" in row["model_path"]:
        return prompt + clients + 64
    return 16384


def _whole(row: Row, arch: Architecture, clients: int, own: bool) -> tuple[Deployed, int]:
    tp, dp, ep = _sizes(row, "")
    batch = float(row["batch_size"] or clients)
    if own and clients > batch:  # of several ranks or replicas, batch being that of one
        share = round(clients / batch)
        if share <= tp and ep > 1:
            tp, dp = tp // share, share
        else:
            clients = int(batch)
    layout = Layout(tp=tp, dp=dp, ep=ep if arch.experts else 1)
    return Deployed(row["backend"], layout, draft=_draft(row, layout)), clients


def _draft(row: Row, layout: Layout) -> int:
    source, model = row["silicon_data_source"], row["model_path"]
    if source.startswith("db-dump"):
        return 0
    match = re.search(r"measured=([\d-]+)", source)
    version, date = row["backend_version"], match[1] if match else ""
    drafts = version == "1.2.0rc6.post3" or (version == "1.1.0rc2.post2" and date >= "2026-01")
    if row["backend"] == "trtllm" and "DeepSeek-R1" in model and date and drafts:
        return 1 if layout.dp > 1 else 3
    mixed = "Qwen3.5" in model and row["precision"] == "fp8" and row["system"] == "b200_sxm"
    return 3 if mixed and (layout.tp, layout.ep) == (4, 1) else 0


def _split(row: Row, arch: Architecture, clients: int) -> Deployed:
    engine = row["backend"]
    first, then = _pool(row, "prefill_", arch), _pool(row, "decode_", arch)
    workers = _int(row, "prefill_num_workers"), _int(row, "decode_num_workers")
    if all(workers):
        return Deployed(engine, then, first, workers[1], workers[0])
    same = [
        one
        for one in _deployments()
        if one["model"] in row["model_path"]
        and row["system"].startswith(one["system"])
        and (one["engine"], one["precision"]) == (engine, row["precision"])
        and (one["input_tokens"], one["output_tokens"]) == (row["isl"], row["osl"])
    ]
    sizes = first.accelerators, then.accelerators
    fits = [one for one in same if (_size(one["prefill"]), _size(one["decode"])) == sizes]
    if not fits and first == then:  # both columns hold the sum over all workers, or nothing
        fits = [one for one in same if sizes == (1, 1) or _total(one) == sizes[0]]
    if not fits:
        return _guess(engine, first, then, clients)
    steps = [(_distance(one, clients), int(one["draft"])) for one in fits]
    at = steps.index(min(steps))
    one, nearest = fits[at], steps[at][0]
    return Deployed(
        engine,
        _layout(one["decode"], arch),
        _layout(one["prefill"], arch),
        int(one["decode_workers"]),
        int(one["prefill_workers"]),
        int(one["draft"]),
        known=nearest < 1e-9 and sum(step[0] == nearest for step in steps) == 1,
    )


def _guess(engine: str, first: Layout, then: Layout, clients: int) -> Deployed:
    """Wide or crowded decode pools are one instance with data-parallel attention, others four with
    tensor parallelism: the commonest of the list."""
    size = then.accelerators
    if size >= 16 or clients / size >= 32:
        then, count = Layout(tp=1, dp=size, ep=size), 1
    else:
        then, count = Layout(tp=size, ep=size if then.ep > 1 else 1), 4
    if first.ep > 1:
        first = Layout(tp=1, dp=first.accelerators, ep=first.accelerators)
    return Deployed(engine, then, first, count, 1, known=False)


def _sizes(row: Row, prefix: str) -> tuple[int, int, int]:
    """tp, dp and ep, freed of what the import counted twice."""
    tp = max(_int(row, f"{prefix}tp_size"), 1)
    dp = max(_int(row, f"{prefix}attention_dp_size"), 1)
    part, ep = _int(row, f"{prefix}moe_tp_size"), max(_int(row, f"{prefix}moe_ep_size"), 1)
    if ep > 1 and part == ep and tp * dp == ep * ep:
        return (ep, 1, ep) if dp == 1 else (1, ep, ep)
    if tp == dp and ep == tp * dp:
        return tp, 1, tp
    return tp, dp, ep


def _pool(row: Row, prefix: str, arch: Architecture) -> Layout:
    tp = max(_int(row, f"{prefix}tp_size"), 1)
    dp = max(_int(row, f"{prefix}attention_dp_size"), 1)
    ep = max(_int(row, f"{prefix}moe_ep_size"), 1)
    return Layout(tp=tp, dp=dp, ep=ep if arch.experts and tp * dp % ep == 0 else 1)


def _layout(word: str, arch: Architecture) -> Layout:
    """From tp8 (tensor parallel), tep8 (and experts spread), dep8 (attention data parallel,
    experts spread) or dp8 (attention data parallel)."""
    match = re.fullmatch(r"(tp|tep|dep|dp)(\d+)", word)
    assert match is not None, word
    size = int(match[2])
    ep = size if "e" in match[1] and arch.experts else 1
    return Layout(tp=size, ep=ep) if match[1] in ("tp", "tep") else Layout(dp=size, ep=ep)


def _size(word: str) -> int:
    return int(re.sub(r"\D", "", word))


def _total(one: Row) -> int:
    return int(one["prefill_workers"]) * _size(one["prefill"]) + int(one["decode_workers"]) * _size(
        one["decode"]
    )


def _distance(one: Row, clients: int) -> float:
    sizes = (int(size) for size in one["concurrency"].split())
    return min(abs(math.log(size / clients)) for size in sizes)


def _int(row: Row, name: str) -> int:
    return int(float(row.get(name) or 0))


@lru_cache
def _model(path: str) -> Architecture:
    return architecture(catalog.find("models", path).text("name"))


@lru_cache
def _chip(system: str) -> Chip:
    found = chip(catalog.find("accelerators", system))
    mib = DRIVER_MIB.get(system)
    return replace(found, memory_bytes=mib * 2.0**20) if mib else found


@lru_cache
def _deployments() -> tuple[Row, ...]:
    here = resources.files("lineshaft.measured.models") / "serve_deployments.csv"
    return tuple(csv_rows(Path(str(here))))
