"""Operator tables: measured times of a model's kernels, from which the event loop times its steps.

    read            the tables of Vidur or LLMServingSim, or a file of our own, as `OperatorTables`
    OperatorTables  .write: a file of our own; .step_times: ready for the event loop

Our own file is one CSV with the columns of `COLUMNS`, one measured call a row, in any order, sizes
that do not apply left empty. `kind` says which sizes count:

    tokens      tokens                      any kernel whose time depends on the step's tokens
    sequences   sequences                   once per sequence: output layer, sampling
    prompt      tokens, kv_tokens           attention of one prompt chunk, `kv_tokens` there before
    decode      sequences, context          attention of decoding sequences of that mean context
    mixed       all four of those           attention of a step with both
    experts     tokens, experts             routed experts; so many distinct ones are hit
    gemm        tokens, n, k                tokens x k times k x n: stands for every projection of
                                            that shape which has no rows of its own
    all_reduce  bytes, ranks                one collective
    all_gather  bytes, ranks                another, of the result's size
    copy        bytes                       memory to memory on the device

`op` names the kernel (`LAYER_OPS`, `STEP_OPS`); attention, experts, gemm and all_reduce need none.

Formats read: Vidur (github.com/microsoft/vidur, ``data/profiling``) and LLMServingSim
(github.com/casys-kaist/LLMServingSim, ``profiler/perf``), both MIT.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.files import whole
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.steptime import StepTimes
from lineshaft.transformer import Architecture

Floats = NDArray[np.float64]
Sizes = tuple[float, ...]
Times = dict[Sizes, float]
"""Sizes of a call: its time."""

KINDS: dict[str, tuple[str, ...]] = {
    "tokens": ("tokens",),
    "sequences": ("sequences",),
    "prompt": ("tokens", "kv_tokens"),
    "decode": ("sequences", "context"),
    "mixed": ("tokens", "kv_tokens", "sequences", "context"),
    "experts": ("tokens", "experts"),
    "gemm": ("tokens", "n", "k"),
    "all_reduce": ("bytes", "ranks"),
    "all_gather": ("bytes", "ranks"),
    "copy": ("bytes",),
}
COLUMNS = (
    "kind", "op", "tokens", "kv_tokens", "sequences", "context", "experts", "n", "k", "bytes",
    "ranks", "time_s",
)  # fmt: skip
LAYER_OPS = {
    "layernorm": 2, "input_layernorm": 1, "post_attention_layernorm": 1, "qkv_proj": 1,
    "qk_norm": 1, "rotary_emb": 1, "kv_save": 1, "o_proj": 1, "gate_up_proj": 1, "act_fn": 1,
    "down_proj": 1, "add": 1, "router": 1,
}  # fmt: skip
"""Kernels of a layer, and how often each runs in it."""
MLP_OPS = ("gate_up_proj", "act_fn", "down_proj")
"""Only in layers with a dense MLP."""
STEP_OPS = ("embedding", "final_layernorm", "lm_head", "sampler")
"""Kernels that run once a step."""
PROJECTIONS = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj", "lm_head")


@dataclass(frozen=True, slots=True)
class Rules:
    """How a step is put together from the tables."""

    kv_step: float = 0.0
    """Contexts are rounded up to multiples of this; 0: not."""
    token_step: int = 1
    """Tokens of a step are rounded up to multiples of this."""
    sum_kv: bool = False
    """Chunks of several prompts: their KV is added. Else they count as one chunk with the same
    sum of squares and the same (token, attended token) pairs."""
    prompt_factor: float = 1.0
    """On the attention of several prompts' chunks at once."""
    decode_factor: float = 1.0
    """On the attention of several decoding sequences at once: kernels are measured with equal
    contexts, and unequal ones keep part of the accelerator waiting."""
    collective_s: float = 0.0
    """Launch of one collective, beside its time on the link."""
    step_s: float = 0.0
    """Per step, beside the kernels."""
    link_bytes_per_s: float = 0.0
    """Of the link between the accelerators of an instance; 0: nothing is known of it. It times
    all-reduces that were not measured, and the gathering of tokens for experts that attention
    ranks share."""
    hop_s: float = 0.0
    """Latency of that link, per step of a ring."""


UNEQUAL = 1.05
"""`Rules.decode_factor` where kernels were measured with equal contexts only, as in LLMServingSim's
profiles and our own files. Between none and Vidur's 1.1. LLMServingSim's own measurements of
unequal contexts put 0.05 to 0.07 of the way from the time at the mean to that at the longest
context (``skew_fit`` of its ``meta.yaml``), where the longest is two to four times the mean. Chosen
with three recorded runs in view: low confidence."""
MEASURED = Rules(decode_factor=UNEQUAL)
"""Of LLMServingSim's profiles and of our own files."""
VIDUR = Rules(
    kv_step=64.0,
    token_step=8,
    sum_kv=True,
    prompt_factor=1.1,
    decode_factor=1.1,
    collective_s=20e-6,
)
"""The defaults of Vidur's own execution time predictor (``vidur/config/config.py``)."""


@dataclass(frozen=True, slots=True, eq=False)
class OperatorTables:
    """Measured calls of one model's kernels on one accelerator at one `tp`."""

    name: str
    calls: Mapping[tuple[str, str], Times]
    """(kind, op): time of every measured call."""
    rules: Rules = field(default=Rules())

    def write(self, path: Path) -> None:
        """Writes our own format: see this module's docstring."""
        with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, COLUMNS)
            out.writeheader()
            for (kind, op), times in self.calls.items():
                for sizes, time_s in times.items():
                    row = {key: f"{size:g}" for key, size in zip(KINDS[kind], sizes, strict=True)}
                    out.writerow({"kind": kind, "op": op, **row, "time_s": f"{time_s:.9g}"})

    def step_times(self, arch: Architecture, layout: Layout, *, max_tokens: int) -> StepTimes:
        """Step times of this model, for steps of up to `max_tokens` tokens on one attention rank.

        `StepTimes.tables` holds them; its other fields are what a straight line through the tables
        gives: they share a step's time among prompts and answers, and do not set it.

        Raises:
            InputError: kernels of the model are missing; names all of them.
        """
        from lineshaft.stages.serve import opsteps

        return opsteps.step_times(self, arch, layout, max_tokens)

    def times(self, kind: str, op: str = "") -> Times:
        """All calls of this kind and kernel; empty where there are none."""
        return self.calls.get((kind, op), {})


def read(
    path: Path, *, tp: int = 1, network: Path | None = None, rules: Rules | None = None
) -> OperatorTables:
    """The tables in a folder of Vidur's or LLMServingSim's, or in a file of our own.

    LLMServingSim: the folder ``tp<n>`` with dense.csv, attention.csv, per_sequence.csv and, for a
    mixture of experts, moe.csv. Vidur: a folder with mlp.csv and attention*.csv or .csv.gz, of
    which the rows of this `tp` are taken, and `network`, its all_reduce.csv, where tp > 1.
    `rules` replaces the format's own.

    Raises:
        InputError: a file, column, kernel or row is missing or not understood; names all of them.
    """
    if path.is_file():
        tables = _own(path)
    elif (path / "dense.csv").is_file():
        tables = _llmservingsim(path)
    elif (path / "mlp.csv").is_file():
        tables = _vidur(path, tp, network)
    else:
        raise InputError(
            Problem(
                str(path),
                "operator tables",
                "neither a file of our own nor a folder with dense.csv or mlp.csv",
                "LLMServingSim's tp<n> folder, Vidur's profile folder, or a CSV with the columns "
                + ", ".join(COLUMNS),
            )
        )
    return replace(tables, rules=rules) if rules else tables


class _Calls:
    """Collects calls and everything that is wrong with them."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], dict[Sizes, list[float]]] = {}
        self.problems: list[Problem] = []

    def rows(self, path: Path, needed: Iterable[str]) -> list[dict[str, str]]:
        """The rows of a CSV file, plain or gzipped; none, and a problem, where columns lack."""
        import gzip

        if not path.is_file():
            self.problems.append(Problem(str(path), "operator tables", "is not there", "a CSV"))
            return []
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [key for key in needed if key not in (reader.fieldnames or ())]
            if missing:
                found = "lacks the columns " + ", ".join(missing)
                self.problems.append(
                    Problem(str(path), "operator tables", found, ", ".join(needed))
                )
                return []
            return list(reader)

    def add(self, kind: str, op: str, sizes: Iterable[str], time: str, unit_s: float) -> bool:
        """One call; False where a number is none, or below 0."""
        try:
            key, spent = tuple(float(size) for size in sizes), float(time) * unit_s
        except ValueError:
            return False
        if not (spent >= 0 and all(size >= 0 for size in key)):
            return False
        self.calls.setdefault((kind, op), {}).setdefault(key, []).append(spent)
        return True

    def bad_row(self, path: Path, number: int, found: str, allowed: str) -> None:
        if len(self.problems) < 20:
            self.problems.append(Problem(f"{path}:{number + 2}", "row", found, allowed))

    def done(self, name: str, rules: Rules) -> OperatorTables:
        """The tables, calls that were measured twice averaged."""
        if self.problems:
            raise InputError(self.problems)
        calls = {
            key: {sizes: sum(found) / len(found) for sizes, found in sorted(times.items())}
            for key, times in self.calls.items()
        }
        return OperatorTables(name, calls, rules)


def _own(path: Path) -> OperatorTables:
    calls = _Calls()
    for number, row in enumerate(calls.rows(path, COLUMNS)):
        kind, op = row["kind"], row["op"]
        if kind not in KINDS:
            calls.bad_row(path, number, f"kind is '{kind}'", ", ".join(KINDS))
            continue
        if kind in ("tokens", "sequences") and op not in (*LAYER_OPS, *STEP_OPS):
            calls.bad_row(path, number, f"op is '{op}'", ", ".join((*LAYER_OPS, *STEP_OPS)))
        elif not calls.add(kind, op, (row[key] for key in KINDS[kind]), row["time_s"], 1.0):
            needed = ", ".join((*KINDS[kind], "time_s"))
            calls.bad_row(path, number, f"{kind} with a size that is no number", needed)
    return calls.done(path.stem, MEASURED)


def _llmservingsim(folder: Path) -> OperatorTables:
    calls = _Calls()
    for file, kind, size in (
        ("dense.csv", "tokens", "tokens"),
        ("per_sequence.csv", "sequences", "sequences"),
    ):
        path = folder / file
        for number, row in enumerate(calls.rows(path, ("layer", size, "time_us"))):
            if row["layer"] not in (*LAYER_OPS, *STEP_OPS):
                allowed = ", ".join((*LAYER_OPS, *STEP_OPS))
                calls.bad_row(path, number, f"layer is '{row['layer']}'", allowed)
            elif not calls.add(kind, row["layer"], (row[size],), row["time_us"], 1e-6):
                calls.bad_row(path, number, "not a number", f"{size} and time_us from 0")
    path = folder / "attention.csv"
    sizes = ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode")
    for number, row in enumerate(calls.rows(path, (*sizes, "time_us"))):
        chunk, decodes = row["prefill_chunk"] != "0", row["n_decode"] != "0"
        kind = "mixed" if chunk and decodes else "prompt" if chunk else "decode"
        used = {"mixed": sizes, "prompt": sizes[:2], "decode": sizes[2:]}[kind]
        if not calls.add(kind, "", (row[key] for key in used), row["time_us"], 1e-6):
            calls.bad_row(path, number, "not a number", f"{', '.join(sizes)} and time_us from 0")
    path = folder / "moe.csv"
    if path.is_file():
        sizes_moe = ("tokens", "activated_experts")
        for number, row in enumerate(calls.rows(path, (*sizes_moe, "time_us"))):
            if not calls.add("experts", "", (row[key] for key in sizes_moe), row["time_us"], 1e-6):
                calls.bad_row(path, number, "not a number", "tokens, activated_experts, time_us")
    return calls.done(f"{folder.parent.parent.name} {folder.name}", MEASURED)


VIDUR_OPS = {
    "input_layernorm": "input_layernorm",
    "post_attention_layernorm": "post_attention_layernorm",
    "attn_pre_proj": "qkv_proj",
    "attn_rope": "rotary_emb",
    "attn_post_proj": "o_proj",
    "mlp_up_proj": "gate_up_proj",
    "mlp_act": "act_fn",
    "mlp_down_proj": "down_proj",
    "add": "add",
}
"""Vidur's name of a kernel: ours. It does not count embedding and output layer."""


def _vidur(folder: Path, tp: int, network: Path | None) -> OperatorTables:
    calls = _Calls()
    path = folder / "mlp.csv"
    columns = [f"time_stats.{op}.median" for op in VIDUR_OPS]
    for number, row in enumerate(
        calls.rows(path, ("num_tokens", "num_tensor_parallel_workers", *columns))
    ):
        if row["num_tensor_parallel_workers"] != str(tp):
            continue
        for op, column in zip(VIDUR_OPS.values(), columns, strict=True):
            if not calls.add("tokens", op, (row["num_tokens"],), row[column], 1e-3):
                calls.bad_row(path, number, f"{column} is '{row[column]}'", "a number from 0")
    found = sorted(folder.glob("attention*.csv")) + sorted(folder.glob("attention*.csv.gz"))
    path = found[0] if found else folder / "attention.csv"
    stem = "time_stats.attn_{}.median"
    needed = (
        "batch_size", "prefill_chunk_size", "kv_cache_size", "num_tensor_parallel_workers",
        stem.format("prefill"), stem.format("decode"),
    )  # fmt: skip
    for number, row in enumerate(calls.rows(path, needed)):
        if row["num_tensor_parallel_workers"] != str(tp):
            continue
        kind = "prompt" if row["prefill_chunk_size"] != "0" else "decode"
        size = row["prefill_chunk_size"] if kind == "prompt" else row["batch_size"]
        time = row[stem.format("prefill" if kind == "prompt" else "decode")]
        if not calls.add(kind, "", (size, row["kv_cache_size"]), time, 1e-3):
            calls.bad_row(path, number, f"time is '{time}'", "a number of ms from 0")
    if tp > 1:
        _vidur_network(calls, network, tp)
    for kind in ("tokens", "prompt"):
        if not calls.problems and not any(kind == key[0] for key in calls.calls):
            there = "a num_tensor_parallel_workers that the files hold"
            calls.problems.append(Problem(str(folder), "tp", f"no rows of tp = {tp}", there))
    return calls.done(f"{folder.name} tp{tp}", VIDUR)


def _vidur_network(calls: _Calls, network: Path | None, tp: int) -> None:
    if network is None:
        found = f"no file of all_reduce times, and tp = {tp}"
        calls.problems.append(Problem("", "network", found, "Vidur's all_reduce.csv"))
        return
    column = "time_stats.all_reduce.median"
    needed = ("size", "num_workers", "devices_per_node", "collective", column)
    for number, row in enumerate(calls.rows(network, needed)):
        one_node = row["num_workers"] == row["devices_per_node"] == str(tp)
        if not one_node or row["collective"] != "all_reduce":
            continue
        sizes = (row["size"], row["num_workers"])
        if not calls.add("all_reduce", "", sizes, row[column], 1e-3):
            calls.bad_row(network, number, f"{column} is '{row[column]}'", "a number from 0")
