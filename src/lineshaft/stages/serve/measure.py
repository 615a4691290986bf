"""Measures one's own accelerators: times of the kernels of a model's layers, as operator tables.

    measure        runs the jobs on the device and writes the table, resuming a broken-off run
    jobs           what is measured by default for a model

The file is that of `optables` (one row a call) with one column more: `spread`, the range of the
repeated measurements over their median. Matrix products run through ``torch.matmul`` (bf16) or
``torch._scaled_mm`` (fp8), attention through
``torch.nn.functional.scaled_dot_product_attention``, collectives through ``torch.distributed`` with
one process a device. Needs ``pip install "lineshaft[measure]"``.

How: warm-up, then blocks of calls without a pause between two CUDA events (on a CPU, the clock);
the median over the blocks counts. Weights are taken in turns from several copies, so that they come
from memory and not from a cache. Launches are part of the time of the smallest calls: an engine
that replays CUDA graphs is faster there. Routed experts run as one batched product over the
experts that are hit, each with an equal share of the tokens.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lineshaft.errors import InputError, Problem
from lineshaft.files import whole
from lineshaft.stages.serve.opsteps import shape
from lineshaft.stages.serve.optables import COLUMNS, KINDS, OperatorTables, read
from lineshaft.transformer import Architecture

PRECISIONS = ("bf16", "fp8")
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
CHUNKS = (64, 256, 1024, 2048, 4096, 8192)
BEFORE = (0, 1024, 4096, 16384, 65536)
"""Tokens of a prompt computed before the chunk."""
SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTEXTS = (128, 512, 2048, 8192, 32768)
MESSAGES = tuple(1 << power for power in range(10, 29, 2))
"""Bytes of collectives and copies: 1 KiB to 256 MiB."""
COPIES_BYTES = 256e6
"""Weights together, from which calls are served in turns: several times the largest caches."""
BLOCKS = 5
BLOCK_S = 0.01
"""Calls of one block take about this long."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call to be timed: kind, op and sizes of `optables.KINDS`."""

    kind: str
    op: str
    sizes: tuple[int, ...]

    def __str__(self) -> str:
        named = zip(KINDS[self.kind], self.sizes, strict=True)
        sizes = ", ".join(f"{key} {size:,}" for key, size in named)
        return f"{self.op or self.kind}: {sizes}"


@dataclass(frozen=True, slots=True)
class Timed:
    """What a job took."""

    time_s: float
    spread: float


Progress = Callable[[int, int, str], None]
"""Jobs done, jobs in all, what runs next."""


def jobs(
    arch: Architecture, *, tp: int = 1, ep: int = 1, devices: int = 1, max_context: int = 32768
) -> list[Job]:
    """Matrix products, attention, experts and small kernels of a model's layers, and collectives.

    For one of `tp` accelerators; sequences of up to `max_context` tokens. Collectives are among
    `devices`; none where that is 1.
    """
    ops = ["qkv_proj", "o_proj", "lm_head"]
    ops += ["gate_up_proj", "down_proj"] if arch.dense_layers or not arch.experts else []
    products = dict.fromkeys(shape(arch, tp, op) for op in ops)
    found = [Job("gemm", "", (m, n, k)) for n, k in products for m in TOKENS]
    found += [Job("tokens", op, (m,)) for op in ("layernorm", "act_fn") for m in TOKENS]
    found += [
        Job("prompt", "", (chunk, before))
        for chunk in CHUNKS
        for before in BEFORE
        if chunk + before <= max_context
    ]
    contexts = [context for context in CONTEXTS if context <= max_context]
    found += [Job("decode", "", (count, context)) for count in SEQUENCES for context in contexts]
    if arch.experts:
        here = arch.experts // ep
        hit = [1 << power for power in range(here.bit_length()) if 1 << power <= here]
        hit = sorted({*hit[2:], here})
        found += [Job("experts", "", (m, count)) for m in TOKENS for count in hit]
    found += [Job("copy", "", (size,)) for size in MESSAGES]
    if devices > 1:
        kinds = ("all_reduce", "all_gather")
        found += [Job(kind, "", (size, devices)) for kind in kinds for size in MESSAGES]
    return found


def measure(
    path: Path,
    arch: Architecture,
    *,
    tp: int = 1,
    device: str = "cuda",
    precision: str = "bf16",
    what: Sequence[Job] | None = None,
    progress: Progress | None = None,
) -> tuple[OperatorTables, list[str]]:
    """Times the jobs (`jobs` by default) on this device and writes the table to `path`.

    Every measured row is kept at once in a file beside it, from which the next call goes on after
    a break; at the end it becomes `path`, whole. Returns the table, and the jobs that the device
    could not run, with the reason.

    Raises:
        InputError: torch is missing, no such device or precision, a half-finished file of other
            settings, or no job that the device can run.
    """
    torch = _torch()
    devices = torch.cuda.device_count() if device.startswith("cuda") else 1
    _check(torch, device, precision)
    todo = list(jobs(arch, tp=tp, devices=devices) if what is None else what)
    settings = {
        "device": _name(torch, device),
        "model": arch.name,
        "tp": tp,
        "precision": precision,
        "torch": str(torch.__version__),
    }
    part = path.with_name(f"{path.name}.measuring")
    done = _resumed(part, settings)
    skipped: list[str] = []
    runner = _Runner(torch, device, precision, arch, tp)
    with part.open("a", newline="", encoding="utf-8") as file:
        keep = csv.writer(file, lineterminator="\n")
        for number, (job, timed) in enumerate(_timed(torch, runner, todo, done, progress)):
            if isinstance(timed, str):
                skipped.append(f"{job}: {timed}")
            elif job not in done:
                done[job] = timed
                keep.writerow(_row(job, timed))
                file.flush()
            if progress:
                progress(number + 1, len(todo), "")
    if not any(job in done for job in todo):
        found = f"none of {len(todo)} jobs ran; the first: {skipped[0] if skipped else 'no job'}"
        raise InputError(Problem(device, "measure", found, "a device that torch can compute on"))
    with whole(path) as new, new.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow((*COLUMNS, "spread"))
        out.writerows(_row(job, timed) for job, timed in done.items())
    part.unlink()
    return read(path), skipped


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        found = "torch is not installed"
        fix = 'pip install "lineshaft[measure]"'
        raise InputError(Problem("", "measure", found, "torch from 2.4", fix)) from error
    return torch


def _check(torch: Any, device: str, precision: str) -> None:
    problems = []
    if precision not in PRECISIONS:
        problems.append(Problem("", "precision", f"{precision!r}", ", ".join(PRECISIONS)))
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        found = f"{device!r} cannot be used: {str(error).splitlines()[0]}"
        problems.append(Problem("", "device", found, "cuda, cuda:1, cpu"))
    if problems:
        raise InputError(problems)


def _name(torch: Any, device: str) -> str:
    return str(torch.cuda.get_device_name(device)) if device.startswith("cuda") else device


def _resumed(part: Path, settings: dict[str, Any]) -> dict[Job, Timed]:
    """Rows of a half-finished file of the same settings; begins it where there is none."""
    head = f"# {json.dumps(settings, ensure_ascii=False)}\n"
    if not part.exists():
        part.write_text(head + ",".join((*COLUMNS, "spread")) + "\n", "utf-8")
        return {}
    first, *lines = part.read_text("utf-8").splitlines(keepends=True)
    if first != head:
        found = f"was begun with other settings: {first.removeprefix('# ').strip()}"
        fix = "remove it, or write to another file"
        raise InputError(Problem(str(part), "measure", found, head.removeprefix("# ").strip(), fix))
    if lines and not lines[-1].endswith("\n"):  # a row that was cut off
        lines.pop()
        part.write_text("".join((first, *lines)), "utf-8")
    done = {}
    for row in csv.DictReader(lines):
        sizes = tuple(int(row[key]) for key in KINDS[row["kind"]])
        timed = Timed(float(row["time_s"]), float(row["spread"]))
        done[Job(row["kind"], row["op"], sizes)] = timed
    return done


def _row(job: Job, timed: Timed) -> list[str]:
    sizes = dict(zip(KINDS[job.kind], job.sizes, strict=True))
    cells = {"kind": job.kind, "op": job.op, "time_s": f"{timed.time_s:.9g}"}
    return [*(str(cells.get(key, sizes.get(key, ""))) for key in COLUMNS), f"{timed.spread:.4g}"]


def _timed(
    torch: Any,
    runner: _Runner,
    todo: Sequence[Job],
    done: dict[Job, Timed],
    progress: Progress | None,
) -> Iterable[tuple[Job, Timed | str]]:
    """Each job with its time, or with the reason why it cannot run."""
    together = [job for job in todo if job.kind in ("all_reduce", "all_gather")]
    open_ones = [job for job in together if job not in done]
    for number, job in enumerate(todo):
        if job in done:
            yield job, done[job]
        elif job not in together:
            if progress:
                progress(number, len(todo), str(job))
            try:
                yield job, runner.time(job)
            except (RuntimeError, MemoryError, NotImplementedError, ValueError) as error:
                runner.forget()
                yield job, (str(error).splitlines() or [type(error).__name__])[0]
    if open_ones:
        if progress:
            progress(len(todo) - len(together), len(todo), "collectives")
        yield from _collectives(torch, open_ones, runner.device)


# --- one device ---------------------------------------------------------------------------------


class _Runner:
    """Times jobs on one device; keeps the weights of the last matrix product."""

    def __init__(self, torch: Any, device: str, precision: str, arch: Architecture, tp: int):
        self.torch, self.device, self.precision = torch, device, precision
        self.arch, self.tp = arch, tp
        self.kept: dict[tuple[int, ...], list[Any]] = {}

    def forget(self) -> None:
        """Frees the weights."""
        self.kept.clear()
        if self.device.startswith("cuda"):
            self.torch.cuda.empty_cache()

    def time(self, job: Job) -> Timed:
        """Median time of a call and spread."""
        with self.torch.inference_mode():
            return _blocks(self.torch, self.device, self.call(job))

    def call(self, job: Job) -> Callable[[int], Any]:
        """A call of the job, by its number: operands take turns."""
        return getattr(self, f"_{job.kind}")(job)  # type: ignore[no-any-return]

    def _rand(self, *sizes: int) -> Any:
        return self.torch.randn(*sizes, device=self.device, dtype=self.torch.bfloat16)

    def _weights(self, *sizes: int) -> list[Any]:
        """Copies of a weight of this shape, in the precision that is measured."""
        if sizes not in self.kept:
            self.forget()
            large = self.device.startswith("cuda")
            count = math.ceil(COPIES_BYTES / (2.0 * math.prod(sizes))) if large else 1
            fresh = [self._rand(*sizes) for _ in range(min(count, 64))]
            self.kept[sizes] = [self._cast(one) for one in fresh]
        return self.kept[sizes]

    def _cast(self, values: Any) -> Any:
        return values.to(self.torch.float8_e4m3fn) if self.precision == "fp8" else values

    def _gemm(self, job: Job) -> Callable[[int], Any]:
        m, n, k = job.sizes
        weights, tokens = self._weights(n, k), self._cast(self._rand(m, k))
        torch = self.torch
        if self.precision == "fp8":
            one = torch.ones((), device=self.device)
            return lambda turn: torch._scaled_mm(
                tokens,
                weights[turn % len(weights)].t(),
                scale_a=one,
                scale_b=one,
                out_dtype=torch.bfloat16,
            )
        return lambda turn: torch.matmul(tokens, weights[turn % len(weights)].t())

    def _experts(self, job: Job) -> Callable[[int], Any]:
        tokens, hit = job.sizes
        arch, torch = self.arch, self.torch
        rows = max(1, math.ceil(tokens * arch.experts_active / hit))
        width = max(1, arch.expert_ffn // self.tp)
        inner = (arch.mlp_matrices - 1) * width
        up, down = self._rand(hit, arch.hidden, inner), self._rand(hit, width, arch.hidden)
        states = self._rand(hit, rows, arch.hidden)

        def run(turn: int) -> Any:
            middle = torch.bmm(states, up)
            gate = torch.nn.functional.silu(middle[..., :width])
            return torch.bmm(gate * middle[..., -width:], down)

        return run

    def _heads(self) -> tuple[int, int, int]:
        arch = self.arch
        return (
            max(1, arch.heads // self.tp),
            max(1, arch.kv_heads // self.tp),
            arch.head_dim,
        )

    def _prompt(self, job: Job) -> Callable[[int], Any]:
        chunk, before = job.sizes
        heads, kv_heads, width = self._heads()
        query = self._rand(1, heads, chunk, width)
        # each head with keys of its own: the kernels for masks know no groups, and prompts are
        # bound by arithmetic
        key, value = (
            self._rand(1, kv_heads, chunk + before, width).repeat_interleave(
                heads // kv_heads, dim=1
            )
            for _ in range(2)
        )
        attend = self.torch.nn.functional.scaled_dot_product_attention
        if not before:
            return lambda turn: attend(query, key, value, is_causal=True)
        from torch.nn.attention.bias import causal_lower_right

        mask = causal_lower_right(chunk, chunk + before)
        return lambda turn: attend(query, key, value, attn_mask=mask)

    def _decode(self, job: Job) -> Callable[[int], Any]:
        count, context = job.sizes
        heads, kv_heads, width = self._heads()
        # the heads of a group become rows: every kernel then reads a key once for its group
        query = self._rand(count, kv_heads, heads // kv_heads, width)
        key, value = (self._rand(count, kv_heads, context, width) for _ in range(2))
        attend = self.torch.nn.functional.scaled_dot_product_attention
        return lambda turn: attend(query, key, value)

    def _tokens(self, job: Job) -> Callable[[int], Any]:
        (m,) = job.sizes
        functional = self.torch.nn.functional
        if job.op == "layernorm":
            hidden = self.arch.hidden
            states, scale = self._rand(m, hidden), self._rand(hidden)
            return lambda turn: functional.rms_norm(states, (hidden,), scale)
        width = max(1, (self.arch.ffn or self.arch.expert_ffn) // self.tp)
        gate, up = self._rand(m, width), self._rand(m, width)
        return lambda turn: functional.silu(gate) * up

    def _copy(self, job: Job) -> Callable[[int], Any]:
        (size,) = job.sizes
        here, there = (
            self.torch.empty(size, device=self.device, dtype=self.torch.uint8) for _ in range(2)
        )
        return lambda turn: there.copy_(here)


def _blocks(torch: Any, device: str, call: Callable[[int], Any]) -> Timed:
    """Median over blocks of calls, and (largest - smallest) / median."""
    clock = _cuda_s if device.startswith("cuda") else _cpu_s
    clock(torch, device, call, 2)  # warm-up: compiles, loads, chooses kernels
    once = max(clock(torch, device, call, 2), 1e-7)
    calls = max(3, min(1000, math.ceil(BLOCK_S / once)))
    return _middle([clock(torch, device, call, calls) for _ in range(BLOCKS)])


def _middle(found: Sequence[float]) -> Timed:
    middle = statistics.median(found)
    return Timed(middle, (max(found) - min(found)) / middle if middle else 0.0)


def _cuda_s(torch: Any, device: str, call: Callable[[int], Any], calls: int) -> float:
    with torch.cuda.device(device):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for turn in range(calls):
            call(turn)
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end)) * 1e-3 / calls


def _cpu_s(torch: Any, device: str, call: Callable[[int], Any], calls: int) -> float:
    begin = time.perf_counter()
    for turn in range(calls):
        call(turn)
    return (time.perf_counter() - begin) / calls


# --- several devices ----------------------------------------------------------------------------


def _collectives(torch: Any, todo: Sequence[Job], device: str) -> Iterable[tuple[Job, Timed | str]]:
    """Each collective's time, with one process a device; on a CPU, as many processes."""
    kind = "cuda" if device.startswith("cuda") else "cpu"
    for ranks in sorted({job.sizes[1] for job in todo}):
        group = [job for job in todo if job.sizes[1] == ranks]
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder, "times.json")
            try:
                torch.multiprocessing.spawn(_rank, (ranks, kind, group, folder), nprocs=ranks)
                times = json.loads(found.read_text("utf-8"))
            except Exception as error:  # whatever stops a rank: spawn raises it as its own kind
                reason = str(error).strip().splitlines()[-1]
                yield from ((job, reason) for job in group)
                continue
        yield from ((job, Timed(*one)) for job, one in zip(group, times, strict=True))


def _rank(rank: int, ranks: int, kind: str, todo: Sequence[Job], folder: str) -> None:
    """One process of a collective; rank 0 writes the times."""
    torch = _torch()
    from torch import distributed

    device = f"cuda:{rank}" if kind == "cuda" else "cpu"
    if kind == "cuda":
        torch.cuda.set_device(rank)
    distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=ranks,
    )
    times = []
    for job in todo:
        part = torch.ones(max(1, job.sizes[0] // 2), device=device, dtype=torch.bfloat16)
        own = part[: max(1, len(part) // ranks)].clone()
        parts = [torch.empty_like(own) for _ in range(ranks)]
        if job.kind == "all_reduce":
            timed = _together(torch, device, partial(distributed.all_reduce, part))
        else:
            timed = _together(torch, device, partial(distributed.all_gather, parts, own))
        times.append((timed.time_s, timed.spread))
    if rank == 0:
        Path(folder, "times.json").write_text(json.dumps(times), "utf-8")
    distributed.destroy_process_group()


def _together(torch: Any, device: str, run: Callable[[], Any]) -> Timed:
    """As `_blocks`, with the same number of calls on every rank."""
    clock = _cuda_s if device.startswith("cuda") else _cpu_s
    clock(torch, device, lambda turn: run(), 5)
    return _middle([clock(torch, device, lambda turn: run(), 20) for _ in range(BLOCKS)])
