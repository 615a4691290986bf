"""Parallel layouts: which ones there are for a model on a number of accelerators."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.transformer import Architecture

Array = NDArray[np.float64]

FIELDS = ("tp", "cp", "ep", "pp", "dp", "micro_batch", "interleave", "recompute", "zero")
RECOMPUTE_NONE, RECOMPUTE_SELECTIVE, RECOMPUTE_FULL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Layouts:
    """Many layouts side by side; every column is [layout], whole numbers held as floats."""

    tp: Array
    """Tensor parallel size."""
    cp: Array
    """Context parallel size: the sequence is cut into this many parts."""
    ep: Array
    """Expert parallel size; uses the accelerators of tp x cp x dp again."""
    pp: Array
    """Pipeline parallel size (stages)."""
    dp: Array
    """Data parallel size."""
    micro_batch: Array
    """Sequences per micro-batch."""
    interleave: Array
    """Virtual stages per accelerator (1: plain 1F1B)."""
    recompute: Array
    """0 none, 1 selective, 2 full."""
    zero: Array
    """What data parallelism shards: 0 nothing, 1 optimizer, 3 also gradients and weights."""

    @property
    def accelerators(self) -> Array:
        return self.tp * self.cp * self.pp * self.dp

    def __len__(self) -> int:
        return len(self.tp)

    def micro_batches(self, batch_sequences: int) -> Array:
        """[layout] micro-batches per step; the last may be partly empty."""
        return np.ceil(batch_sequences / (self.dp * self.micro_batch))

    def pick(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> Layouts:
        """The chosen layouts only."""
        return Layouts(*(getattr(self, name)[chosen] for name in FIELDS))

    def named(self, row: int) -> tuple[tuple[str, int], ...]:
        """One layout as (name, value) pairs."""
        return tuple((name, int(getattr(self, name)[row])) for name in FIELDS)


def layout(**sizes: int) -> Layouts:
    """One layout from named sizes; what is not named is 1 (recompute 0, zero 1)."""
    values = dict.fromkeys(FIELDS, 1) | {"recompute": 0} | sizes
    unknown = sorted(set(values) - set(FIELDS))
    if unknown:
        raise InputError(
            Problem(where="", key="layout", found=", ".join(unknown), allowed=", ".join(FIELDS))
        )
    return Layouts(*(np.array([float(values[name])]) for name in FIELDS))


@lru_cache(maxsize=8)
def enumerate_layouts(
    arch: Architecture,
    *,
    accelerators: int,
    batch_sequences: int,
    sequence: int,
    scaleup_size: int,
) -> Layouts:
    """Every layout of the search, at most `accelerators` large; the last few answers are kept.

    - tp: powers of two within the scale-up domain that divide the heads.
    - cp: powers of two that leave 2,048 tokens or more per part.
    - pp: powers of two and divisors of the layer count.
    - dp: all that is left, and the largest power of two and the largest divisor of the batch in
      it, so spare accelerators are allowed.
    - ep: powers of two that divide the experts and tp x cp x dp.
    - micro-batch: powers of two up to 8; interleave: divisors of the layers per stage, up to 8.
    - zero 3 only without a pipeline.
    """
    rows: list[tuple[int, ...]] = []
    pipelines = [p for p in range(1, arch.layers + 1) if arch.layers % p == 0 or p & (p - 1) == 0]
    for tp in _powers(min(scaleup_size, accelerators, 64)):
        if arch.heads % tp:
            continue
        for cp in _powers(max(1, sequence // 2048)):
            for pp in pipelines:
                room = accelerators // (tp * cp * pp)
                if room < 1:
                    continue
                rows += _inner(arch, tp, cp, pp, room, batch_sequences)
    columns = np.fromiter(chain.from_iterable(rows), float).reshape(-1, len(FIELDS)).T
    return Layouts(*columns)


def _inner(
    arch: Architecture, tp: int, cp: int, pp: int, room: int, batch: int
) -> list[tuple[int, ...]]:
    """Layouts of one (tp, cp, pp): data and expert parallel size, micro-batch, memory savers."""
    rows: list[tuple[int, ...]] = []
    for micro in (1, 2, 4, 8):
        if batch < micro:
            continue
        most = min(room, batch // micro)
        for dp in sorted({most, _powers(most)[-1], _largest_divisor(batch // micro, most)}):
            micro_batches = -(-batch // (micro * dp))
            interleaves = [1]
            if pp > 1 and micro_batches % pp == 0:
                interleaves += [v for v in range(2, 9) if -(-arch.layers // pp) % v == 0]
            experts = [1]
            if arch.experts:
                group = tp * cp * dp
                experts = [e for e in _powers(arch.experts) if arch.experts % e == group % e == 0]
            rows += [
                (tp, cp, ep, pp, dp, micro, v, recompute, zero)
                for ep in experts
                for v in interleaves
                for recompute in (RECOMPUTE_NONE, RECOMPUTE_SELECTIVE, RECOMPUTE_FULL)
                for zero in ((1, 3) if pp == 1 else (1,))
            ]
    return rows


def _powers(limit: int) -> list[int]:
    return [1 << i for i in range(limit.bit_length()) if 1 << i <= limit]


def _largest_divisor(number: int, limit: int) -> int:
    return next(d for d in range(min(number, limit), 0, -1) if number % d == 0)
