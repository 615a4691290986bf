"""`Chip`: what one accelerator can do, as far as train and serve need it."""

from __future__ import annotations

from dataclasses import dataclass

from lineshaft.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Chip:
    """One accelerator. Rates are dense (no sparsity) and per accelerator.

    Link rates are one direction: an NVLink 4 GPU sold as 900 GB/s has 450e9 here.
    """

    name: str
    generation: str
    """Family that measured efficiencies are kept for, for example ``hopper``."""
    flops: tuple[tuple[str, float], ...]
    """(precision, dense FLOP/s) pairs, for example ``(("bf16", 989e12), ("fp8", 1979e12))``."""
    memory_bytes: float
    memory_bytes_per_s: float
    scaleup_bytes_per_s: float
    """To the other accelerators of the scale-up domain (NVLink), one direction."""
    scaleup_size: int
    """Accelerators in one scale-up domain."""
    scaleout_bytes_per_s: float
    """To the rest of the cluster (InfiniBand, Ethernet), one direction."""
    power_w: float

    def peak_flops(self, precision: str) -> float:
        """Dense FLOP/s in this precision; `InputError` if the chip does not offer it."""
        for name, rate in self.flops:
            if name == precision:
                return rate
        raise InputError(
            Problem(
                where=self.name,
                key="precision",
                found=precision,
                allowed=", ".join(name for name, _ in self.flops),
                fix="take a precision that the chip offers, or another chip",
            )
        )
