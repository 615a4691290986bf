"""`characterise`: the fastest layout that fits, its step, and its effective time with failures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import TrainCurve
from lineshaft.errors import InputError, Problem
from lineshaft.stages.train.efficiency import Efficiency, efficiency_for
from lineshaft.stages.train.layouts import Layouts, enumerate_layouts, layout
from lineshaft.stages.train.memory import memory
from lineshaft.stages.train.reliability import ettr_best, failure_rate_per_s
from lineshaft.stages.train.software import MODERN, Software
from lineshaft.stages.train.step import PARTS, step_time
from lineshaft.transformer import Architecture, Chip, training_flops_per_token

Array = NDArray[np.float64]

POWER = {"matrix_products": 1.0, "attention": 1.0, "recompute": 1.0, "launch": 0.5}
POWER_MEMORY_BOUND, POWER_WAITING = 0.7, 0.4
"""Share of maximum power while computing, while bound by memory, while waiting. Low confidence:
chosen so that a run at 40 % MFU draws 80 to 90 % of the maximum; the values have no source."""


@dataclass(frozen=True, slots=True)
class TrainInputs:
    """One training run on one kind of accelerator."""

    arch: Architecture
    chip: Chip
    precision: str
    """Precision of the matrix products: a name that `chip.flops` has."""
    accelerators: int
    """At most this many; the search may leave some spare."""
    sequence: int
    """Tokens per sequence."""
    global_batch_tokens: float
    tokens_total: float
    """Tokens of the whole run."""
    layout: tuple[tuple[str, int], ...] = ()
    """A layout to take instead of searching, for example ``(("tp", 8), ("dp", 64))``."""
    failures_per_node_day: float = 6.5e-3
    """Meta's RSC-1 (arXiv:2410.21680)."""
    checkpoint_write_s: float = 10.0
    """Time that a checkpoint blocks training. Low confidence: seconds with asynchronous writes,
    minutes without."""
    restart_s: float = 300.0
    """Detect, replace, reload. 5 min is the assumption of arXiv:2410.21680."""
    accelerators_per_node: int = 8
    software: Software = MODERN
    efficiency: Efficiency | None = None
    """Coefficients to use instead of the fitted ones."""

    @property
    def batch_sequences(self) -> int:
        return round(self.global_batch_tokens / self.sequence)


def characterise(inputs: TrainInputs, reserved_grid: Array) -> TrainCurve:
    """Speed, memory and breakdown of the fastest layout that fits, and ETTR on `reserved_grid`.

    Searches tp x cp x ep x pp x dp x micro-batch x interleave x recompute x zero, or takes
    `inputs.layout`. The fastest step wins; among equals the one with fewer accelerators. ETTR is
    the exact renewal formula at its optimal checkpoint interval, for each number of reserved
    accelerators. `tokens_per_s_per_accelerator` is per accelerator of the layout, spare ones not
    counted.

    Raises:
        InputError: the inputs contradict each other, or nothing fits into memory; the message
            says by how much, and what would fit.
    """
    layouts, used = fitting(inputs)
    step = step_time(
        inputs.arch,
        inputs.chip,
        layouts,
        precision=inputs.precision,
        sequence=inputs.sequence,
        batch_sequences=inputs.batch_sequences,
        software=inputs.software,
        efficiency=inputs.efficiency or efficiency_for(inputs.chip.generation, inputs.precision),
    )
    best = int(np.lexsort((layouts.accelerators, step.total_s))[0])
    parts = step.parts[:, best]
    step_s = float(parts.sum())
    accelerators = int(layouts.accelerators[best])
    tokens_per_s = inputs.batch_sequences * inputs.sequence / step_s / accelerators
    flops = training_flops_per_token(inputs.arch, inputs.sequence)
    rates = [
        failure_rate_per_s(n, inputs.accelerators_per_node, inputs.failures_per_node_day)
        for n in reserved_grid
    ]
    ettr = [ettr_best(inputs.checkpoint_write_s, inputs.restart_s, rate) for rate in rates]
    return TrainCurve(
        accelerators=accelerators,
        layout=layouts.named(best),
        tokens_per_s_per_accelerator=tokens_per_s,
        flops_per_token=flops,
        mfu=tokens_per_s * flops / inputs.chip.peak_flops(inputs.precision),
        step_s=step_s,
        memory_bytes=float(used[best]),
        memory_limit_bytes=inputs.chip.memory_bytes,
        breakdown_s=tuple(zip(PARTS, (float(part) for part in parts), strict=True)),
        reserved=np.asarray(reserved_grid, dtype=float),
        ettr=np.array(ettr, dtype=float),
        power_share=power_share(dict(zip(PARTS, (float(part) for part in parts), strict=True))),
    )


def fitting(inputs: TrainInputs) -> tuple[Layouts, Array]:
    """The layouts that fit into memory, and the bytes that each takes. Raises as `characterise`."""
    _check(inputs)
    layouts = _layouts(inputs, inputs.accelerators)
    used = _memory(inputs, layouts)
    fits = used <= inputs.chip.memory_bytes
    if not fits.any():
        raise _too_large(inputs, layouts, used)
    return layouts.pick(fits), used[fits]


def power_share(breakdown_s: dict[str, float]) -> float:
    """Mean power as a share of the accelerator's maximum, from what the step's time goes to."""
    memory_bound = {"elementwise", "optimizer"}
    total = sum(breakdown_s.values())
    drawn = sum(
        seconds * (POWER_MEMORY_BOUND if part in memory_bound else POWER.get(part, POWER_WAITING))
        for part, seconds in breakdown_s.items()
    )
    return drawn / total


def _check(inputs: TrainInputs) -> None:
    inputs.chip.peak_flops(inputs.precision)
    problems = [
        Problem(where="", key=f"train.{key}", found=f"{value:g}", allowed="above zero")
        for key, value in (
            ("accelerators", inputs.accelerators),
            ("sequence", inputs.sequence),
            ("tokens_total", inputs.tokens_total),
            ("accelerators_per_node", inputs.accelerators_per_node),
        )
        if value <= 0
    ]
    if inputs.sequence > 0 and inputs.global_batch_tokens < inputs.sequence:
        problems.append(
            Problem(
                where="",
                key="train.global_batch_tokens",
                found=f"{inputs.global_batch_tokens:g}",
                allowed=f"at least one sequence, {inputs.sequence} tokens",
            )
        )
    if inputs.arch.linear_layers or inputs.arch.bare_layers:
        found = f"{inputs.arch.name} has layers without attention or without an MLP"
        problems.append(Problem("", "train.model", found, "a model of equal layers"))
    if problems:
        raise InputError(problems)


def _layouts(inputs: TrainInputs, accelerators: int) -> Layouts:
    batch = inputs.batch_sequences
    if not inputs.layout:
        return enumerate_layouts(
            inputs.arch,
            accelerators=accelerators,
            batch_sequences=batch,
            sequence=inputs.sequence,
            scaleup_size=inputs.chip.scaleup_size,
        )
    one = layout(**dict(inputs.layout))
    sizes = dict(one.named(0))
    problems = []
    if one.accelerators[0] > accelerators:
        problems.append(("tp x cp x pp x dp", f"{one.accelerators[0]:.0f}", f"<= {accelerators}"))
    if sizes["dp"] * sizes["micro_batch"] > batch:
        problems.append(("dp x micro_batch", str(sizes["dp"]), f"at most {batch} sequences"))
    if sizes["pp"] > inputs.arch.layers:
        problems.append(("pp", str(sizes["pp"]), f"at most {inputs.arch.layers} layers"))
    if problems:
        raise InputError(
            Problem(where="", key=f"train.layout: {key}", found=found, allowed=allowed)
            for key, found, allowed in problems
        )
    return one


def _memory(inputs: TrainInputs, layouts: Layouts) -> Array:
    return memory(
        inputs.arch,
        layouts,
        sequence=inputs.sequence,
        batch_sequences=inputs.batch_sequences,
        software=inputs.software,
    ).total


def _too_large(inputs: TrainInputs, layouts: Layouts, used: Array) -> InputError:
    """The error that says how far the leanest layout misses, and how many accelerators fit."""
    leanest = int(np.argmin(used))
    need, have = float(used[leanest]), inputs.chip.memory_bytes
    fix = f"take a chip with at least {need / 1e9:.0f} GB"
    if inputs.layout:
        fix += ", or leave the layout to the search"
    else:
        for factor in (2, 4, 8, 16, 32, 64, 128):
            more = inputs.accelerators * factor
            if (_memory(inputs, _layouts(inputs, more)) <= have).any():
                fix += f", or {more} accelerators"
                break
    sizes = ", ".join(f"{name} {size}" for name, size in layouts.named(leanest))
    return InputError(
        Problem(
            where="",
            key="train.layout",
            found=f"{inputs.arch.name} needs {need / 1e9:.1f} GB on each of "
            f"{inputs.accelerators} x {inputs.chip.name} at the leanest ({sizes})",
            allowed=f"{have / 1e9:.1f} GB, {(need - have) / 1e9:.1f} GB less",
            fix=fix,
        )
    )
