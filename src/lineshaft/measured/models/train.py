"""Training: steps, memory, reliability, and errors over whole published sets."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lineshaft.measured.models._tools import named
from lineshaft.measured.models.train_sets import SETS, Run, device, gpt
from lineshaft.parameters.hardware import architecture
from lineshaft.stages import train
from lineshaft.transformer import Architecture, training_flops_per_token
from lineshaft.transformer.activations import activation_bytes_per_layer

SOFTWARE = {
    "modern": train.MODERN,
    "fsdp": train.FSDP,
    "megatron_2021": train.MEGATRON_2021,
    "megatron_2022": train.MEGATRON_2022,
}
RECOMPUTE = {"none": 0, "selective": 1, "full": 2}
GIB = 2.0**30


def training_step(
    *,
    what: str,
    model: str | Mapping[str, int],
    accelerator: str,
    sequence: int,
    batch: int,
    precision: str = "bf16",
    software: str = "modern",
    tp: int = 1,
    cp: int = 1,
    ep: int = 1,
    pp: int = 1,
    dp: int = 1,
    micro_batch: int = 1,
    interleave: int = 1,
    recompute: str = "none",
    zero: int = 1,
    scaleout_bytes_per_s: float = 0.0,
) -> float:
    """One step on a given layout: its seconds, its tokens per second and accelerator, its model
    FLOP/s per accelerator (causal attention) or its peak bytes, by `what`.

    `model` is one of the catalog, or a GPT by hidden, layers, heads and vocab; `batch` counts
    sequences; `scaleout_bytes_per_s` replaces the catalog's network.
    """
    arch = _architecture(model)
    one = _layout(tp, cp, ep, pp, dp, micro_batch, interleave, recompute, zero)
    chip = device(accelerator, scaleout_bytes_per_s=scaleout_bytes_per_s)
    run = Run(arch, chip, precision, one, sequence, batch, named(SOFTWARE, "software", software))
    measures: dict[str, Callable[[], float]] = {
        "step_s": run.model_step_s,
        "tokens_per_s_per_accelerator": lambda: _rate(run),
        "flops_per_s_per_accelerator": lambda: (
            _rate(run) * training_flops_per_token(arch, sequence)
        ),
        "memory_bytes": run.model_memory_bytes,
    }
    return named(measures, "what", what)()


def planned_tokens_per_s_per_accelerator(
    *,
    model: str | Mapping[str, int],
    accelerator: str,
    accelerators: int,
    sequence: int,
    batch_tokens: float,
    precision: str = "bf16",
    software: str = "modern",
) -> float:
    """Tokens per second and accelerator on the layout that the search finds fastest."""
    curve = train.characterise(
        train.TrainInputs(
            _architecture(model),
            device(accelerator),
            precision,
            accelerators,
            sequence,
            batch_tokens,
            batch_tokens,
            software=named(SOFTWARE, "software", software),
        ),
        np.array([float(accelerators)]),
    )
    return curve.tokens_per_s_per_accelerator * curve.accelerators / accelerators


def activation_gib(
    *,
    hidden: int,
    layers: int,
    heads: int,
    sequence: int,
    micro_batch: int,
    tp: int,
    pp: int = 1,
    interleave: int = 1,
    batch: int = 1,
    recompute: str = "none",
    sequence_parallel: bool = True,
) -> float:
    """GiB of activations on the first stage of a GPT of 2022 (scores in memory)."""
    arch = gpt(hidden, layers, heads, 51200)
    one = _layout(tp, 1, 1, pp, 1, micro_batch, interleave, recompute, 0)
    software = replace(train.MEGATRON_2022, sequence_parallel=sequence_parallel)
    used = train.memory(arch, one, sequence=sequence, batch_sequences=batch, software=software)
    return float(used.activations[0]) / GIB


def state_gib(*, hidden: int, layers: int, heads: int, tp: int, pp: int) -> float:
    """GiB of weights, gradients and optimizer on the first stage of a GPT, nothing sharded."""
    arch = gpt(hidden, layers, heads, 51200)
    one = _layout(tp, 1, 1, pp, 1, 1, 1, "none", 0)
    used = train.memory(arch, one, sequence=2048, batch_sequences=pp, software=train.MEGATRON_2022)
    return float(used.state[0]) / GIB


def activation_bytes_per_value(
    *, hidden: int, heads: int, sequence: int, tp: int, sequence_parallel: bool
) -> float:
    """Bytes that one GPT layer keeps per token and hidden value (times s b h in the paper)."""
    arch = gpt(hidden, 1, heads, 51200)
    kept = activation_bytes_per_layer(
        arch,
        1.0,
        sequence=sequence,
        tp=float(tp),
        sequence_parallel=sequence_parallel,
        fused_attention=False,
        dropout=True,
    )
    return float(kept) / hidden


def mttf_s(*, accelerators: int, failures_per_node_day: float | None = None) -> float:
    """Mean time to failure of a job on nodes of eight; at the shipped rate where none is given."""
    return train.mttf_s(accelerators, 8, _failures(failures_per_node_day))


def interruptions(
    *, accelerators: int, days: float, failures_per_node_day: float | None = None
) -> float:
    """Expected failures of a job over so many days."""
    rate = train.failure_rate_per_s(accelerators, 8, _failures(failures_per_node_day))
    return rate * days * 86400.0


def ettr(
    *,
    form: str,
    accelerators: int,
    write_s: float | None = None,
    restart_s: float | None = None,
    failures_per_node_day: float | None = None,
    interval_s: float = 0.0,
) -> float:
    """Effective training time ratio: `exact` or `approximate` at Young's or the given interval,
    or `best` at the optimal one. What is not given is the shipped default."""
    shipped = _inputs()
    write = shipped.checkpoint_write_s if write_s is None else write_s
    restart = shipped.restart_s if restart_s is None else restart_s
    rate = train.failure_rate_per_s(accelerators, 8, _failures(failures_per_node_day))
    if form == "best":
        return train.ettr_best(write, restart, rate)
    forms = {"exact": train.ettr_exact, "approximate": train.ettr_approximate}
    interval = interval_s or train.young_interval_s(write, rate)
    return named(forms, "form", form)(interval, write, restart, rate)


def young_interval_s(*, accelerators: int, write_s: float, failures_per_node_day: float) -> float:
    """Young's interval between checkpoints."""
    rate = train.failure_rate_per_s(accelerators, 8, failures_per_node_day)
    return train.young_interval_s(write_s, rate)


def set_step_error(*, data: Path, of: str, statistic: str = "mean") -> float:
    """Absolute error of the step time over a published set, relative: mean or median."""
    return _statistic(statistic, [run.model_step_s() / run.step_s - 1 for run in _set(data, of)])


def set_memory_error(*, data: Path, of: str, allocated: bool = False) -> float:
    """Largest absolute error of the peak memory over a published set, relative.

    `allocated`: the set gives what tensors took, without context and buffers.
    """
    return max(
        abs(run.model_memory_bytes(context=not allocated) / run.memory_bytes - 1)
        for run in _set(data, of)
        if run.memory_bytes
    )


def _layout(
    tp: int,
    cp: int,
    ep: int,
    pp: int,
    dp: int,
    micro: int,
    interleave: int,
    recompute: str,
    zero: int,
) -> train.Layouts:
    """One layout; `recompute` by its name."""
    return train.layout(
        tp=tp,
        cp=cp,
        ep=ep,
        pp=pp,
        dp=dp,
        micro_batch=micro,
        interleave=interleave,
        recompute=named(RECOMPUTE, "recompute", recompute),
        zero=zero,
    )


def _rate(run: Run) -> float:
    return run.batch * run.sequence / run.model_step_s() / float(run.layout.accelerators[0])


def _architecture(model: str | Mapping[str, int]) -> Architecture:
    return architecture(model) if isinstance(model, str) else gpt(**model)


def _inputs() -> train.TrainInputs:
    """The shipped defaults of a run; what stands here of the run itself is not used."""
    return train.TrainInputs(gpt(64, 1, 1, 64), device("H100"), "bf16", 8, 64, 64.0, 64.0)


def _failures(given: float | None) -> float:
    return _inputs().failures_per_node_day if given is None else given


@lru_cache
def _set(data: Path, of: str) -> tuple[Run, ...]:
    return tuple(named(SETS, "of", of)(data / "train"))


def _statistic(name: str, errors: list[float]) -> float:
    forms: dict[str, Callable[[Sequence[float]], float]] = {
        "mean": statistics.fmean,
        "median": statistics.median,
    }
    return float(named(forms, "statistic", name)([abs(error) for error in errors]))
