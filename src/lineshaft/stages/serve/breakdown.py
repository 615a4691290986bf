"""What one step's time and one accelerator's memory are made of.

explain_step     the terms of a step's time; they add up to what `step_times` says of it
explain_memory   the parts of an accelerator's memory; they add up to all of it
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.coefficients import Coefficients, shipped
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.memory import memory
from lineshaft.stages.serve.steptime import StepTimes, step_times
from lineshaft.stages.serve.steptime import _nodes as nodes
from lineshaft.stages.serve.work import Work, dense_bytes, terms, work
from lineshaft.transformer import Architecture, Chip, parameters, shared_parameters

Sides = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Prompt tokens that a step computes."""

    tokens: int
    before: int = 0
    """Tokens of the same prompt in the KV cache already."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step of one engine instance works on."""

    decoding: int = 0
    """Sequences that decode."""
    context: float = 0.0
    """Tokens that each of them attends to, in the mean."""
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a step's time."""

    name: str
    seconds: float
    share: float
    """Of the step."""
    binds: str
    """What the larger of its sides is: ``compute``, ``memory``, ``link`` or ``overhead``."""
    sides: tuple[tuple[str, float], ...]
    """Seconds of each side alone, before they are blended or added."""
    formula: str


FORMULAS = {
    "products": "(C^p + W^p)^(1/p) of projections, dense MLPs and shared experts: C = FLOPs of the "
    "rank's tokens / (peak x tp x efficiency), W = their bytes / (bandwidth x tp x efficiency)",
    "experts": "(C^p + W^p)^(1/p) of routed experts: C = FLOPs x load of the busiest group / "
    "(peak x accelerators x efficiency), W = bytes of the experts that the tokens hit / (bandwidth "
    "x accelerators x efficiency)",
    "activations": "rank's tokens x layers x hidden x 2 B x passes / bandwidth",
    "reduce": "2 per layer x (latency + all-reduce of the rank's tokens x hidden x 2 B)",
    "exchange": "2 per mixture layer x latency + dispatch and combine of the tokens",
    "overhead": "layers x launch time, more for mixtures, MLA, linear layers and indexers",
    "host": "time of the host per step",
    "decode attention": "tokens of context x (bytes of KV / (bandwidth x shards x efficiency), or "
    "latent FLOPs / (peak x tp x efficiency) with MLA)",
    "output layer": "sequences x 2 x vocabulary x hidden / (peak bf16 x tp x ranks x efficiency)",
    "windows and states": "sequences x (bytes of KV that do not grow with the context / (bandwidth "
    "x shards x efficiency), or latent FLOPs with MLA)",
    "sequences": "sequences x time of the host for each",
    "window attention": "tokens x FLOPs of a full window, or of the best tokens of sparse "
    "attention / (peak bf16 x tp x ranks x efficiency)",
    "prompt attention": "pairs of tokens x FLOPs / (peak bf16 x tp x ranks x efficiency), on the "
    "ranks that have a prompt",
    "prompt overhead": "once for a step with prompts, per layer of it, and per chunk of a prompt",
}
"""What is behind each term."""

_SIDES = {
    "products": (("compute", "read_s"), ("memory", "product_s")),
    "experts": (("compute", "expert_read_s"), ("memory", "expert_s")),
    "reduce": (("link", "reduces"), ("overhead", "reduce_token_s")),
    "exchange": (("link", "exchanges"), ("overhead", "exchange_token_s")),
}
"""Of terms with two sides: a side, and what of the work is nothing when it stands alone."""
_ONE_SIDE = {"activations": "memory", "overhead": "overhead", "host": "overhead"}


def explain_step(
    arch: Architecture,
    chip: Chip,
    batch: Batch,
    *,
    precision: str,
    weight_byte: float,
    kv_byte: float,
    max_tokens: int,
    layout: Layout | None = None,
    engine: str = "vllm",
    draft: int = 0,
    coefficients: Coefficients | None = None,
) -> tuple[Term, ...]:
    """The terms of one step's time, largest first; arguments as of `step_times`.

    They add up to the time of that step according to `StepTimes`.

    Raises:
        InputError: a precision that the chip lacks, an impossible batch, or one of more tokens
            than a step may have.
    """
    c = coefficients or shipped(chip.generation, engine)
    layout = layout or Layout()
    times = step_times(
        arch,
        chip,
        precision=precision,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_tokens=max_tokens,
        layout=layout,
        draft=draft,
        coefficients=c,
    )
    asked = work(
        arch,
        chip,
        layout,
        precision=precision,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        draft=draft,
    )
    tokens = _tokens(batch, times)
    _check(batch, times, tokens)
    found = _by_tokens(asked, times, tokens, c) | _by_sequences(asked, times, batch, c)
    total = sum(seconds for seconds, _ in found.values())
    made = [
        Term(
            name=name,
            seconds=seconds,
            share=seconds / total,
            binds=max(sides, key=lambda side: side[1])[0],
            sides=tuple(side for side in sides if side[1] > 0),
            formula=FORMULAS[name],
        )
        for name, (seconds, sides) in found.items()
        if seconds
    ]
    return tuple(sorted(made, key=lambda term: -term.seconds))


def _tokens(batch: Batch, times: StepTimes) -> float:
    """Tokens that a step counts as: drafts with their sequences, prompts as on the busiest rank."""
    chunks = len(batch.chunks)
    spread = times.ranks / min(times.ranks, chunks) if chunks else 1.0
    prompts = sum(chunk.tokens for chunk in batch.chunks)
    waiting = 1.0 + (spread - 1.0) * times.local_share
    return batch.decoding * (1 + times.draft) + prompts * waiting


def _by_sequences(
    asked: Work, times: StepTimes, batch: Batch, c: Coefficients
) -> dict[str, tuple[float, Sides]]:
    """Terms that count context, sequences and pairs, with their sides."""
    context, chunks = batch.decoding * batch.context, len(batch.chunks)
    sequences = batch.decoding + chunks
    pairs = sum(one.tokens * (one.before + 0.5 * (one.tokens + 1)) for one in batch.chunks)
    spread = times.ranks / min(times.ranks, chunks) if chunks else 1.0
    read = ("memory", context * float(asked.kv_s) / c.kv_efficiency)
    latent = ("compute", context * float(asked.latent_s) / c.latent_efficiency)
    held = ("memory", sequences * float(asked.sequence_kv_s) / c.kv_efficiency)
    held_latent = ("compute", sequences * float(asked.sequence_latent_s) / c.latent_efficiency)
    head_s = sequences * float(asked.head_s) / c.compute_efficiency
    host_s = sequences * c.sequence_s / times.ranks
    attention_s = times.pair_s * pairs * spread
    launch_s = times.mixed_s + times.chunk_s * chunks if chunks else 0.0
    return {
        "decode attention": (times.kv_s * context, (read, latent)),
        "output layer": (head_s, (("compute", head_s),)),
        "windows and states": (max(held[1], held_latent[1]), (held, held_latent)),
        "sequences": (host_s, (("overhead", host_s),)),
        "prompt attention": (attention_s, (("compute", attention_s),)),
        "prompt overhead": (launch_s, (("overhead", launch_s),)),
    }


def _by_tokens(
    asked: Work, times: StepTimes, tokens: float, c: Coefficients
) -> dict[str, tuple[float, Sides]]:
    """Terms that count tokens alone, with their sides."""
    most = len(times.dense_s) - 1
    found: dict[str, tuple[float, Sides]] = {}
    for name, seconds in _terms_at(asked, tokens, most, c).items():
        if name in _SIDES:
            sides = tuple(
                (side, _terms_at(replace(asked, **{without: 0.0}), tokens, most, c)[name])
                for side, without in _SIDES[name]
            )
        else:
            sides = ((_ONE_SIDE[name], seconds),)
        found[name] = seconds, sides
    windows_s = tokens * float(asked.prompt_s) / c.attention_efficiency
    found["window attention"] = windows_s, (("compute", windows_s),)
    return found


def _terms_at(asked: Work, tokens: float, most: int, c: Coefficients) -> dict[str, float]:
    """Terms at a number of tokens: between sizes that are timed on a straight line, as in
    `step_times`, and between whole numbers too, as in the event loop."""
    low = int(tokens)
    whole = np.array([low, min(low + 1, most)], np.float64)
    sizes = nodes(most)
    near = sizes[max(0, np.searchsorted(sizes, low, side="right") - 1) :][:3]
    return {
        name: float(np.interp(tokens, whole, np.interp(whole, near, seconds)))
        for name, seconds in terms(asked, near, c).items()
    }


def _check(batch: Batch, times: StepTimes, tokens: float) -> None:
    rules = (
        ("decoding", batch.decoding, batch.decoding >= 0, "a whole number from 0"),
        ("context", batch.context, 0 <= batch.context < np.inf, "from 0"),
        *(("chunk", c.tokens, c.tokens >= 1, "tokens from 1") for c in batch.chunks),
        *(("chunk", c.before, c.before >= 0, "tokens before it from 0") for c in batch.chunks),
    )
    problems = [
        Problem("", f"batch.{key}", f"is {value:g}", allowed)
        for key, value, good, allowed in rules
        if not good
    ]
    if not batch.decoding and not batch.chunks:
        problems.append(Problem("", "batch", "is empty", "a sequence or a chunk of a prompt"))
    most = len(times.dense_s) - 1
    if tokens > most:
        problems.append(Problem("", "batch", f"has {tokens:g} tokens", f"up to {most:,} in a step"))
    if problems:
        raise InputError(problems)


# --- memory --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an accelerator's memory."""

    name: str
    bytes: float
    share: float
    """Of the accelerator's memory."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one accelerator's memory holds."""

    parts: tuple[Part, ...]
    """They add up to the accelerator's memory; ``missing`` is below zero where it is too small."""
    kv_token_bytes: float
    """KV of one token on this accelerator, in the mean over a sequence of `mean_context` tokens."""
    kv_tokens: float
    """Tokens that the whole instance holds; 0 where the weights do not fit."""
    sequences: float
    """Sequences of `mean_context` tokens that the whole instance holds."""


def explain_memory(
    arch: Architecture,
    chip: Chip,
    *,
    weight_byte: float,
    kv_byte: float,
    max_num_batched_tokens: int,
    mean_context: float,
    layout: Layout | None = None,
    memory_utilisation: float = 0.9,
) -> Held:
    """What the memory of one accelerator holds; arguments as of `memory.memory`."""
    lies = layout or Layout()
    found = memory(
        arch,
        chip,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_num_batched_tokens=max_num_batched_tokens,
        mean_context=mean_context,
        layout=lies,
        memory_utilisation=memory_utilisation,
    )
    count = parameters(arch)
    attention_byte, mlp_byte = dense_bytes(arch, weight_byte)
    shared = arch.moe_layers * shared_parameters(arch)
    ranks = lies.tp * lies.pp
    attention = count.attention * attention_byte / ranks
    dense_mlp, shared_mlp = (count.mlp - shared) * mlp_byte / ranks, shared * mlp_byte / ranks
    small = (count.norms + count.router) * attention_byte / ranks
    kv = found.tokens / lies.dp * found.kv_token
    sizes = {
        "attention and linear layers": attention,
        "dense MLPs": dense_mlp,
        "shared experts": shared_mlp,
        "routed experts": found.experts,
        "norms and routers": small,
        "embeddings and output layer": found.dense - attention - dense_mlp - shared_mlp - small,
        "activations": found.activations,
        "reserve": found.reserve,
        "KV cache": max(kv, 0.0),
        "missing": min(kv, 0.0),
        "not for the engine": chip.memory_bytes - found.usable,
    }
    tokens = max(found.tokens, 0.0)
    return Held(
        parts=tuple(
            Part(name, size, size / chip.memory_bytes) for name, size in sizes.items() if size
        ),
        kv_token_bytes=found.kv_token,
        kv_tokens=tokens,
        sequences=tokens / mean_context,
    )
