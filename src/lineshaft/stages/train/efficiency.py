"""Measured-efficiency coefficients, one set per accelerator generation and precision.

Fitted by least squares on the logarithm of published step times, one fit per set, no constant per
row. Rates multiply the chip's data-sheet values; they also absorb clocks under load, casts to 8
and 4 bits, and congestion. Fitted on: Korthikanti et al. (arXiv:2205.05198, Table 5), Megatron-LM
SC21 (arXiv:2104.04473), MegaScale (NSDI'24, Megatron-LM rows), vTrain (MICRO'24, its repository),
llm-foundry's benchmark table, Megatron-Core's H100 table, Megatron-Bridge's performance summary
and SimuMax's B200 runs. The bounds in the tests are errors on those same rows, not on unseen ones.

Read them as a set: `half` at 5 or 250 is where its search was bounded (the rows of that set do not
pin it down), and Ampere's `launch_s` stands for 24 kernels per layer in the software of 2021.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Efficiency:
    """How much of a chip's data-sheet rates a training step reaches."""

    gemm: float = 0.7
    """Share of the peak that a very large matrix product reaches."""
    half: float = 150.0
    """Side of a matrix product at which its efficiency is half of that."""
    attention: float = 0.4
    """Share of the bf16 peak that fused attention reaches, forward and backward together."""
    memory: float = 0.75
    scaleup: float = 0.8
    scaleout: float = 0.6
    launch_s: float = 5.0e-6
    """Host time to launch one kernel; a layer cannot run faster than its launches."""
    scaleup_latency_s: float = 1.0e-5
    scaleout_latency_s: float = 8.0e-6
    overlap: float = 0.8
    """Share of the compute window that can hide a communication (assumed, not fitted)."""
    routed: float = 1.4
    """Time of routed experts' work and exchange over that of perfectly even, fused work."""


_AMPERE = Efficiency(
    gemm=0.788,
    half=89.0,
    attention=0.532,
    memory=0.849,
    scaleup=0.95,
    scaleout=0.593,
    launch_s=4.43e-5,
    scaleup_latency_s=2.22e-5,
)
_BLACKWELL = {"attention": 0.45, "memory": 0.7, "scaleout": 0.8, "launch_s": 2.0e-6}

COEFFICIENTS: dict[tuple[str, str], Efficiency] = {
    ("ampere", "fp16"): _AMPERE,
    ("ampere", "bf16"): _AMPERE,
    ("hopper", "bf16"): Efficiency(
        gemm=0.813, half=86.0, attention=0.300, memory=0.50, routed=2.18
    ),
    ("hopper", "fp8"): Efficiency(gemm=0.708, half=5.0, attention=0.300, memory=0.50, routed=1.34),
    ("blackwell", "bf16"): Efficiency(gemm=0.442, half=250.0, routed=1.42, **_BLACKWELL),
    ("blackwell", "fp8"): Efficiency(gemm=0.537, half=250.0, routed=1.42, **_BLACKWELL),
    ("blackwell", "fp4"): Efficiency(gemm=0.427, half=250.0, routed=1.42, **_BLACKWELL),
    ("blackwell-ultra", "bf16"): Efficiency(gemm=0.442, half=250.0, routed=1.42, **_BLACKWELL),
    ("blackwell-ultra", "fp8"): Efficiency(gemm=0.643, half=250.0, routed=1.24, **_BLACKWELL),
    ("blackwell-ultra", "fp4"): Efficiency(gemm=0.416, half=5.0, routed=1.24, **_BLACKWELL),
}
"""(generation, precision) -> coefficients. bf16 on Blackwell rests on eight-accelerator runs and
mixture-of-experts rows, and routed work in 4 bits on the 8-bit rows: low confidence."""


def efficiency_for(generation: str, precision: str) -> Efficiency:
    """The fitted set, or the defaults of `Efficiency` (low confidence) for an unfitted chip."""
    return COEFFICIENTS.get((generation, precision), Efficiency())
