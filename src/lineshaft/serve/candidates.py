"""What may be deployed: accelerators, layouts, limits of the scheduler, one pool or two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lineshaft.serve.instance import Asked, layout_name
from lineshaft.stages.serve.deployment import Layout
from lineshaft.transformer import Architecture, Chip

SEATS = (64, 256, 1024)
"""Values of max_num_seqs that are tried."""
BUDGETS = (2048, 8192, 16384)
"""Values of max_num_batched_tokens that are tried."""
WIDEST = 64
"""Most accelerators of one instance."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A deployment but for the number of its instances."""

    asked: Asked
    """What serves all of a request, or its prompt only where `decode` is given."""
    decode: Asked | None = None

    @property
    def name(self) -> str:
        text = f"{self.asked.accelerator} {layout_name(self.asked.layout)}"
        if self.decode:
            text += f" | {layout_name(self.decode.layout)}"
        return text


def layouts(arch: Architecture, chip: Chip, widest: int = WIDEST) -> Iterator[Layout]:
    """Layouts inside the scale-up domain that divide the model, narrow ones first.

    Tensor parallel in powers of two; for mixtures of experts with experts split or spread, and
    with attention ranks. Pipeline stages over several domains come last.
    """
    most = min(chip.scaleup_size, widest)
    sizes = [1 << power for power in range(most.bit_length()) if 1 << power <= most]
    for size in sizes:
        for tp in reversed([tp for tp in sizes if tp <= size]):
            dp = size // tp
            if arch.heads % tp:
                continue
            if dp == 1:
                yield Layout(tp=tp)
            if size > 1 and arch.experts and arch.experts % size == 0:
                yield Layout(tp=tp, dp=dp, ep=size)
    for pp in (2, 4, 8):
        if most * pp <= widest and arch.layers % pp == 0 and arch.heads % most == 0:
            yield Layout(tp=most, pp=pp)


def limits(
    asked: Asked, seats: Sequence[int] = SEATS, budgets: Sequence[int] = BUDGETS
) -> Iterator[Asked]:
    """The same instance under other limits of its scheduler."""
    for budget in budgets:
        for seat in seats:
            if seat * (1 + asked.draft) <= budget:
                yield replace(asked, max_num_seqs=seat, max_num_batched_tokens=budget)
