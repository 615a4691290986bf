"""One engine instance by names: from model, accelerator and layout to what the engine needs.

Asked      what is asked: names and limits
Instance   what it is: architecture, chip, step times, KV cache
instance   from one to the other; every problem at once
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from lineshaft import catalog
from lineshaft.catalog.loader import Row
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.parameters.serve import WEIGHT_BYTES
from lineshaft.stages.serve.coefficients import Coefficients, shipped
from lineshaft.stages.serve.deployment import PREFIX_CACHES, RULES, Layout, Pool, Scheduler
from lineshaft.stages.serve.memory import check_fits
from lineshaft.stages.serve.steptime import ACCEPTANCE, step_times
from lineshaft.transformer import Architecture, Chip
from lineshaft.words import suggestion

T = TypeVar("T")

ENGINES = {"vllm": "vllm-v1", "sglang": "sglang", "trtllm": "vllm-v1"}
"""Engine and the rules of its scheduler."""
KV_BYTES = {"bf16": 2.0, "fp8": 1.0}
"""Bytes of one KV value."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One engine instance, by names."""

    model: str
    accelerator: str
    layout: Layout = field(default=Layout())
    engine: str = "vllm"
    rules: str = ""
    """Of the scheduler; empty: the engine's own."""
    precision: str = ""
    """Of weights and matrix products; empty: fp8 where the accelerator offers it, else bf16."""
    kv_precision: str = "bf16"
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 8192
    prefix_cache: str = "lru"
    memory_utilisation: float = 0.9
    priority: bool = False
    """Classes of requests are admitted and preempted by their urgency."""
    draft: int = 0
    """Speculative decoding: tokens proposed per sequence and step."""
    acceptance: float = ACCEPTANCE
    """Share of them that is accepted, each given the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One engine instance, ready to serve."""

    asked: Asked
    """With `precision` and `rules` filled in."""
    arch: Architecture
    chip: Chip
    row: Row
    """Of the accelerator in the catalog."""
    pool: Pool
    """One such instance."""
    kv_tokens: float
    """Tokens that its KV cache holds."""
    weight_byte: float
    kv_byte: float
    coefficients: Coefficients
    """Of its step time."""

    @property
    def accelerators(self) -> int:
        return self.asked.layout.accelerators

    @property
    def name(self) -> str:
        """Such as "H100 SXM5 tp2 fp8"."""
        return f"{self.chip.name} {layout_name(self.asked.layout)} {self.asked.precision}"


def slowed(one: Instance, factor: float) -> Instance:
    """The same instance, every step of which takes `factor` times as long.

    As it is where operator tables time its steps.
    """
    times = one.pool.times
    if times.tables is not None:
        return one
    slower = replace(
        times,
        dense_s=times.dense_s * factor,
        compute_s=times.compute_s * factor,
        kv_s=times.kv_s * factor,
        pair_s=times.pair_s * factor,
        seq_s=times.seq_s * factor,
        mixed_s=times.mixed_s * factor,
        chunk_s=times.chunk_s * factor,
    )
    return replace(one, pool=replace(one.pool, times=slower))


def layout_name(layout: Layout) -> str:
    """Such as "tp2 pp2"; what is 1 is left out, but for tp."""
    sizes = [("tp", layout.tp), ("pp", layout.pp), ("dp", layout.dp), ("ep", layout.ep)]
    return " ".join(f"{name}{size}" for name, size in sizes if size > 1 or name == "tp")


def instance(
    asked: Asked,
    *,
    mean_tokens: float,
    longest_tokens: int,
    coefficients: Coefficients | None = None,
    tables: str | Path | None = None,
) -> Instance:
    """The instance that is asked for, if it can be and holds the longest request.

    `mean_tokens` and `longest_tokens` are prompt and answer of a request together. Operator
    `tables` replace the roofline of the step time.

    Raises:
        InputError: unknown names (with the nearest), limits that cannot be, a precision that the
            accelerator lacks, a layout that does not divide the model, a model that does not fit.
    """
    problems = limits_wrong(asked)
    arch = _found(lambda: architecture(asked.model), problems)
    row = _found(lambda: catalog.find("accelerators", asked.accelerator), problems)
    if arch is None or row is None or problems:
        raise InputError(problems)
    one = chip(row)
    asked = replace(
        asked,
        precision=asked.precision or default_precision(one),
        rules=asked.rules or ENGINES[asked.engine],
    )
    _found(lambda: one.peak_flops(asked.precision), problems)
    if problems:
        raise InputError(problems)
    weight_byte, kv_byte = WEIGHT_BYTES[asked.precision], KV_BYTES[asked.kv_precision]
    capacity = check_fits(
        arch,
        one,
        layout=asked.layout,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_num_batched_tokens=asked.max_num_batched_tokens,
        mean_context=mean_tokens,
        longest=longest_tokens,
        memory_utilisation=asked.memory_utilisation,
    )
    coefficients = coefficients or shipped(one.generation, asked.engine)
    times = step_times(
        arch,
        one,
        layout=asked.layout,
        engine=asked.engine,
        precision=asked.precision,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_tokens=asked.max_num_batched_tokens,
        draft=asked.draft,
        acceptance=asked.acceptance,
        coefficients=coefficients,
    )
    if tables is not None:
        from lineshaft.stages.serve import optables

        measured = optables.read(Path(tables), tp=asked.layout.tp)
        stepped = measured.step_times(arch, asked.layout, max_tokens=asked.max_num_batched_tokens)
        times = replace(stepped, api_s=times.api_s, api_token_s=times.api_token_s)
    scheduler = Scheduler(
        rules=asked.rules,
        max_num_seqs=asked.max_num_seqs,
        max_num_batched_tokens=asked.max_num_batched_tokens,
        kv_blocks=int(capacity // 16),
        prefix_cache=asked.prefix_cache,
        priority=asked.priority,
        # Vidur's schedulers keep one block in a hundred free (github.com/microsoft/vidur)
        watermark=0.01 if asked.rules in ("sarathi", "vllm-v0") else 0.0,
    )
    return Instance(
        asked=asked,
        arch=arch,
        chip=one,
        row=row,
        pool=Pool(times, scheduler, 1, asked.layout),
        kv_tokens=capacity,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        coefficients=coefficients,
    )


def default_precision(one: Chip) -> str:
    """fp8 where the accelerator offers it, else bf16: as scenarios have it."""
    return "fp8" if "fp8" in dict(one.flops) else "bf16"


def repository(model: str) -> str:
    """Where the model's weights are found: the path that was named, or the one of its source.

    The name itself where the catalog has no path.
    """
    row = catalog.find("models", model)
    paths = [name for name in (model, *row.names) if "/" in name]
    paths += re.findall(r"huggingface\.co/([\w.-]+/[\w.-]+)", row.text("source"))
    return paths[0] if paths else model.replace(" ", "-")


def choice(key: str, found: str, known: Iterable[str]) -> Problem | None:
    """What is wrong with a word that must be one of those known; None where it is one."""
    words = tuple(known)
    if found in words:
        return None
    return Problem("", key, f"there is no {found!r}", ", ".join(words), suggestion(found, words))


def limits_wrong(asked: Asked) -> list[Problem]:
    """What is wrong with the numbers and words of an instance that is asked for."""
    layout = asked.layout
    whole = (
        ("tp", layout.tp),
        ("pp", layout.pp),
        ("dp", layout.dp),
        ("ep", layout.ep),
        ("max_num_seqs", asked.max_num_seqs),
        ("max_num_batched_tokens", asked.max_num_batched_tokens),
    )
    problems = [
        Problem("", key, f"is {size}", "a whole number from 1") for key, size in whole if size < 1
    ]
    if asked.draft < 0:
        problems.append(Problem("", "draft", f"is {asked.draft}", "a whole number from 0"))
    if not 0.0 <= asked.acceptance < 1.0:
        found = f"is {asked.acceptance:g}"
        problems.append(Problem("", "acceptance", found, "0 or more, below 1"))
    if not 0.0 < asked.memory_utilisation <= 1.0:
        found = f"is {asked.memory_utilisation:g}"
        problems.append(Problem("", "memory_utilisation", found, "above 0 and up to 1"))
    least = asked.max_num_seqs * (1 + max(asked.draft, 0))
    if 0 < asked.max_num_batched_tokens < least:
        found = f"{asked.max_num_batched_tokens} for {asked.max_num_seqs} running requests"
        allowed = "a step in which every running request gets on"
        fix = f"set max_num_batched_tokens to {least} or more"
        problems.append(Problem("", "max_num_batched_tokens", found, allowed, fix))
    words = [
        choice("engine", asked.engine, ENGINES),
        choice("kv_precision", asked.kv_precision, KV_BYTES),
        choice("prefix_cache", asked.prefix_cache, PREFIX_CACHES),
        choice("scheduler", asked.rules, RULES) if asked.rules else None,
        choice("precision", asked.precision, WEIGHT_BYTES) if asked.precision else None,
    ]
    return problems + [problem for problem in words if problem]


def _found(find: Callable[[], T], problems: list[Problem]) -> T | None:
    """What is looked for; None, and one more problem, where there is none."""
    try:
        return find()
    except InputError as error:
        problems += error.problems
        return None
