"""Speed of the layout search: layouts evaluated per CPU-second, and the best step found.

    PYTHONPATH=src python bench/train_search.py

A layout counts once it has a memory figure and a step time; every counted layout differs in a
degree of parallelism, micro-batch, interleave, recompute or sharding. Spaces of other searches also
enumerate offload and overlap options, so compare rates, not totals.
"""

from __future__ import annotations

import time

from lineshaft.stages.train import (
    MEGATRON_2022,
    efficiency_for,
    enumerate_layouts,
    memory,
    step_time,
)
from lineshaft.transformer import Architecture, Chip

A100 = Chip(
    name="A100-80GB",
    generation="ampere",
    flops=(("bf16", 312e12), ("fp16", 312e12)),
    memory_bytes=80e9,
    memory_bytes_per_s=2.039e12,
    scaleup_bytes_per_s=300e9,
    scaleup_size=8,
    scaleout_bytes_per_s=25e9,
    power_w=400.0,
)


def main() -> None:
    arch = Architecture(
        "megatron-1T", 128, 25600, 160, 160, 160, 102400, "gelu2", 51200, True, "mha"
    )
    batch, sequence, repeats = 3072, 2048, 50
    start = time.process_time()
    layouts = enumerate_layouts(
        arch, accelerators=3072, batch_sequences=batch, sequence=sequence, scaleup_size=8
    )
    enumerated = time.process_time() - start
    efficiency = efficiency_for("ampere", "fp16")
    start = time.process_time()
    for _ in range(repeats):
        used = memory(
            arch, layouts, sequence=sequence, batch_sequences=batch, software=MEGATRON_2022
        )
        step = step_time(
            arch,
            A100,
            layouts,
            precision="fp16",
            sequence=sequence,
            batch_sequences=batch,
            software=MEGATRON_2022,
            efficiency=efficiency,
        )
    spent = (time.process_time() - start) / repeats
    fits = used.total <= A100.memory_bytes
    best = int((step.total_s + (~fits) * 1e9).argmin())
    print(f"{len(layouts)} layouts, {int(fits.sum())} fit, enumerated in {enumerated:.4f} CPU-s")
    print(f"{spent * 1e3:.2f} CPU-ms a pass: {len(layouts) / spent:,.0f} layouts per CPU-second")
    print(f"best {step.total_s[best]:.2f} s with {layouts.named(best)}")


if __name__ == "__main__":
    main()
