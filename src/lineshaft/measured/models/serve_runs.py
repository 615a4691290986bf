"""Recorded serving, request by request: whole runs of vLLM, and runs of Vidur's simulator.

`score` reads every folder ``llmservingsim_vllm/<GPU>/<model>/`` (github.com/casys-kaist/
LLMServingSim, MIT: measured) and ``vidur_reference_run/`` (github.com/microsoft/vidur: simulated)
of a folder, and simulates each with measured kernel times (level ``tables``) and, where measured,
with the shipped coefficients (level ``L1``).

TTFT and E2E count from ``queued_ts``, when the engine took the request: the API is not in them.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.measured.models._tools import csv_rows
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.stages import serve
from lineshaft.stages.serve import fleet, optables
from lineshaft.stages.serve.deployment import Fleet, Layout, Pool, Scheduler
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import StepTimes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Latencies = dict[str, Floats]
"""[request] seconds of ttft, tpot and e2e."""

METRICS = ("ttft", "tpot", "e2e")
VLLM = "llmservingsim_vllm/*/*/meta.json"
VIDUR = "vidur_reference_run/*_requests.csv*"
VIDUR_RULES = {
    "sarathi": ("sarathi", "chunk_size"),
    "vllm": ("vllm-v0", "max_tokens_in_batch"),
}
"""Vidur's schedulers: our rules, and what it calls the limit of tokens."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """One run: what was asked, how it was served, and how long it took."""

    requests: Requests
    latencies: Latencies
    span_s: float
    """From the first request to the last token."""

    @property
    def rows(self) -> int:
        return len(self.requests)


def found(folder: Path) -> list[Path]:
    """The recorded runs in `folder`, or in `folder`/serve."""
    root = _root(folder)
    return [path for pattern in (VLLM, VIDUR) for path in sorted(root.glob(pattern))]


def score(folder: Path, tell: Callable[[str], None] | None = None) -> dict[str, dict[str, Any]]:
    """Errors of each run found in `folder` or in `folder`/serve.

    Keys are ``llmservingsim_vllm/<GPU>/<model>`` and ``vidur_reference_run/<name>``; a run that is
    timed by tables stands once more with ``/L1`` behind it. A set holds
    rows, coverage and the absolute relative errors, as fractions, of the level ``tables`` where
    its tables are there, else of L1; ``levels`` holds those of both. ``*_med`` is the error of the
    mean over requests, ``*_p90`` that of the 90th percentile; throughput that of output tokens per
    second. Errors of the median and the 99th percentile stand beside them.
    """
    root = _root(folder)
    sets = {}
    for meta in sorted(root.glob(VLLM)):
        run = meta.parent
        name = f"llmservingsim_vllm/{run.parent.name}/{run.name}"
        if tell:
            tell(name)
        levels = {"tables": _tables_times, "L1": _l1_times}
        sets[name] = _scored(
            vllm_recorded(run),
            {level: partial(vllm_fleet, root, run, times) for level, times in levels.items()},
        )
        if "tables" in sets[name]["levels"] and "L1" in sets[name]["levels"]:
            sets[f"{name}/L1"] = {**sets[name], **sets[name]["levels"]["L1"], "levels": {}}
    for path in sorted(root.glob(VIDUR)):
        name = path.name.split("_requests")[0]
        if tell:
            tell(f"vidur_reference_run/{name}")
        sets[f"vidur_reference_run/{name}"] = _scored(
            vidur_recorded(path), {"tables": partial(vidur_fleet, root, name)}
        )
    return sets


def _root(folder: Path) -> Path:
    return folder / "serve" if (folder / "serve").is_dir() else folder


def simulated(given: Fleet, recorded: Recorded) -> tuple[Latencies, float]:
    """Latencies of the requests, nan where one was refused, and the time of the last token."""
    out = fleet.simulate(given, recorded.requests)
    outputs = recorded.requests.output_tokens
    found = _latencies(out.arrival_s, out.first_s, out.finish_s, outputs)
    return found, float(np.nanmax(out.finish_s) - recorded.requests.arrival_s[0])


def _latencies(sent: Floats, first: Floats, last: Floats, outputs: Ints) -> Latencies:
    tpot = np.where(outputs > 1, (last - first) / np.maximum(outputs - 1, 1), np.nan)
    return {"ttft": first - sent, "tpot": tpot, "e2e": last - sent}


def vllm_run(data: Path, gpu: str, model: str) -> tuple[Latencies, Latencies]:
    """Simulated (L1) and recorded latencies of every request of a vLLM run."""
    root = data / "serve"
    run = root / "llmservingsim_vllm" / gpu / model
    recorded, given = vllm_recorded(run), vllm_fleet(root, run, _l1_times)
    assert given is not None  # L1 needs nothing but the catalog
    return simulated(given, recorded)[0], recorded.latencies


def _scored(recorded: Recorded, made: Mapping[str, Callable[[], Fleet | None]]) -> dict[str, Any]:
    levels: dict[str, dict[str, float | None]] = {}
    for name, make in made.items():
        try:
            given = make()
            if given is not None:
                levels[name] = errors(recorded, *simulated(given, recorded))
        except InputError:  # a model, accelerator or table that is not there: not covered
            continue
    best = next((levels[name] for name in ("tables", "L1") if name in levels), {})
    return {
        "rows": recorded.rows,
        "coverage": best.get("coverage", 0.0),
        **{key: best.get(key) for key in ERRORS},
        "regret_ok": None,
        "interval_cover": None,
        "levels": levels,
    }


ERRORS = (
    "ttft_med", "ttft_p50", "ttft_p90", "ttft_p99", "tpot_med", "tpot_p50", "tpot_p90", "tpot_p99",
    "e2e_med", "e2e_p50", "e2e_p90", "e2e_p99", "throughput_med",
)  # fmt: skip


def errors(recorded: Recorded, found: Latencies, span_s: float) -> dict[str, float | None]:
    """Absolute relative errors of a simulated run, and the share of requests that it served."""
    result: dict[str, float | None] = {}
    for name in METRICS:
        real, ours = recorded.latencies[name], found[name]
        both = ~np.isnan(real) & ~np.isnan(ours)
        for key, of in _STATISTICS.items():
            there = of(ours[both]) / of(real[both]) - 1.0 if both.any() else np.nan
            result[f"{name}_{key}"] = float(abs(there))
    result["throughput_med"] = abs(recorded.span_s / span_s - 1.0)
    result["coverage"] = float(np.mean(~np.isnan(found["e2e"])))
    return result


_STATISTICS: dict[str, Callable[[Floats], Any]] = {
    "med": np.mean,
    "p50": np.median,
    "p90": lambda x: np.quantile(x, 0.9),
    "p99": lambda x: np.quantile(x, 0.99),
}


# --- vLLM ---


def vllm_recorded(run: Path) -> Recorded:
    """The requests of one folder of LLMServingSim's benchmark, in the order in which they came."""
    rows = [json.loads(line) for line in (run / "requests.jsonl").read_text("utf-8").splitlines()]
    rows.sort(key=lambda row: row["queued_ts"])
    sent, first, last = (
        np.array([row[key] for row in rows], np.float64)
        for key in ("queued_ts", "first_token_ts", "last_token_ts")
    )
    inputs, outputs = (
        np.array([row[key] for row in rows], np.int64) for key in ("input_toks", "output_toks")
    )
    asked = Requests(run.name, sent - sent[0], inputs, outputs)
    measured = _latencies(sent, first, last, outputs)
    return Recorded(_own_blocks(asked), measured, float(last.max() - sent[0]))


def _own_blocks(asked: Requests, block_tokens: int = 16) -> Requests:
    """Every prompt as a chain of prefix blocks that nobody shares.

    vLLM finds the blocks of a preempted request again unless they were taken meanwhile.
    """
    count = asked.input_tokens // block_tokens
    start = np.concatenate([[0], np.cumsum(count)])
    return replace(
        asked,
        block_ids=np.arange(start[-1], dtype=np.int64),
        block_start=start.astype(np.int64),
        block_tokens=block_tokens,
    )


TimesOf = Callable[[Path, Path, dict[str, Any], Layout], StepTimes | None]


def vllm_fleet(root: Path, run: Path, times_of: TimesOf) -> Fleet | None:
    """The engine of a run: its arguments and, where its log has them, its KV blocks."""
    meta = json.loads((run / "meta.json").read_text("utf-8"))
    asks = meta["engine_kwargs"]
    dp, tp = asks["data_parallel_size"], asks["tensor_parallel_size"]
    layout = Layout(tp=tp, dp=dp, ep=dp * tp if asks["enable_expert_parallel"] else 1)
    times = times_of(root, run, meta, layout)
    if times is None:
        return None
    limits = Scheduler(
        max_num_seqs=asks["max_num_seqs"],
        max_num_batched_tokens=asks["max_num_batched_tokens"],
        # one block of vLLM's is never handed out
        kv_blocks=dp * (_blocks(meta, run, layout) - 1),
        prefix_cache="lru",
        whole_prompt_fits=True,
    )
    return Fleet(Pool(times, limits, layout=layout))


def _blocks(meta: dict[str, Any], run: Path, layout: Layout) -> int:
    """KV blocks of one attention rank."""
    said = (meta.get("kv_cache") or {}).get("num_gpu_blocks")
    if said:
        return int(said)
    tokens = serve.kv_capacity_tokens(
        architecture(meta["model"]),
        chip(catalog.find("accelerators", run.parent.name)),
        tp=layout.accelerators,  # weights lie on all of them
        weight_byte=2.0,
        kv_byte=2.0,
        max_num_batched_tokens=meta["engine_kwargs"]["max_num_batched_tokens"],
        mean_context=1000.0,
    )
    return int(tokens / layout.dp // 16)


def _tables_times(root: Path, run: Path, meta: dict[str, Any], layout: Layout) -> StepTimes | None:
    """From the kernels measured on that accelerator; None where there are none of this model."""
    profiles = root / "llmservingsim_profiles" / run.parent.name
    found = sorted(profiles.glob(f"{meta['model']}/*/tp{layout.tp}/dense.csv"))
    if not found:
        return None
    rules, described = optables.MEASURED, run / "cluster_config.json"
    if described.is_file():
        cluster = json.loads(described.read_text("utf-8"))
        rules = replace(
            rules,
            link_bytes_per_s=cluster["link_bw"] * 1e9,  # GB/s
            hop_s=cluster["link_latency"] * 1e-9,  # ns
        )
    tables = optables.read(found[0].parent, rules=rules)
    most = meta["engine_kwargs"]["max_num_batched_tokens"]
    return tables.step_times(architecture(meta["model"]), layout, max_tokens=most)


def _l1_times(root: Path, run: Path, meta: dict[str, Any], layout: Layout) -> StepTimes | None:
    """From the shipped coefficients."""
    device = chip(catalog.find("accelerators", run.parent.name))
    return serve.step_times(
        architecture(meta["model"]),
        device,
        layout=layout,
        precision="bf16",
        weight_byte=2.0,
        kv_byte=2.0,
        max_tokens=meta["engine_kwargs"]["max_num_batched_tokens"],
    )


# --- Vidur ---


def vidur_recorded(path: Path) -> Recorded:
    """The requests of one of Vidur's runs; its TTFT counts from the arrival."""
    rows = list(_rows(path))

    def column(name: str) -> Floats:
        return np.array([float(row[name]) for row in rows])

    sent, outputs = column("arrived_at"), column("decode").astype(np.int64)
    asked = Requests(path.name, sent, column("prefill").astype(np.int64), outputs)
    latencies = {name: column(name) for name in METRICS}
    return Recorded(asked, latencies, float(column("completed_at").max() - sent[0]))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.suffix != ".gz":
        yield from csv_rows(path)
        return
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def vidur_fleet(root: Path, name: str) -> Fleet | None:
    """The replicas of a run, from its own description beside it, on Vidur's operator tables."""
    said = json.loads((root / "vidur_reference_run" / f"{name}.json").read_text("utf-8"))["argv"]
    given = dict(pairwise(said))
    tp = int(given["--replica_config_tensor_parallel_size"])
    model, device = given["--replica_config_model_name"], given["--replica_config_device"]
    arch = architecture(model)
    profile = _vidur_profile(root, model, device)
    link = given["--replica_config_network_device"].replace("_nvlink", "")
    network = root / "vidur_profiles" / "network" / f"{link}_all_reduce.csv"
    kind = given["--replica_scheduler_config_type"]
    if profile is None or kind not in VIDUR_RULES:
        return None
    rules, limit = VIDUR_RULES[kind]
    tokens = int(given[f"--{kind}_scheduler_config_{limit}"])
    sequences = int(given[f"--{kind}_scheduler_config_batch_size_cap"])
    layout = Layout(tp=tp)
    tables = optables.read(profile, tp=tp, network=network)
    times = tables.step_times(arch, layout, max_tokens=tokens)
    capacity = serve.kv_capacity_tokens(
        arch,
        chip(catalog.find("accelerators", device)),
        tp=tp,
        weight_byte=2.0,
        kv_byte=2.0,
        max_num_batched_tokens=tokens,
        mean_context=1000.0,
    )
    limits = Scheduler(
        rules=rules,
        max_num_seqs=sequences,
        max_num_batched_tokens=tokens,
        kv_blocks=int(capacity // 16),
        watermark=0.01,
        prefix_cache="none",
    )
    return Fleet(
        Pool(times, limits, instances=int(given["--cluster_config_num_replicas"]), layout=layout)
    )


def _vidur_profile(root: Path, model: str, device: str) -> Path | None:
    """The folder ``<device>_<model>`` whose model begins this one's name."""
    name = "".join(letter for letter in model.rsplit("/", 1)[-1].lower() if letter.isalnum())
    for path in sorted((root / "vidur_profiles").glob(f"{device}_*")):
        if (path / "mlp.csv").is_file() and name.startswith(path.name.split("_", 1)[1]):
            return path
    return None
