"""How long the plant takes: 8,760 h for 1,000 cases, and one curve.

    PYTHONPATH=src python bench/plant_year.py

Prints the best of three runs of each. The target for the year is 1 s on one core.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from lineshaft.stages.plant import (
    REJECTIONS,
    Climate,
    PlantInputs,
    characterise,
    facility_power,
    size_plant,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HOURS, CASES = 8760, 1000


def climate() -> Climate:
    """A made-up temperate site: a sine over the year."""
    season = -np.cos(2.0 * np.pi * np.arange(12) / 12.0)
    dry = 12.0 + 11.0 * season
    return Climate(dry, dry - 6.0, np.full(12, 10.0), dry + 13.0, dry + 3.0, 25.0)


def best(run: Callable[[], object]) -> float:
    """Shortest of three timings, s."""
    times = []
    for _ in range(3):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def main() -> None:
    rng = np.random.default_rng(0)
    hour = np.arange(HOURS)
    dry = 12.0 - 11.0 * np.cos(hour * 2.0 * np.pi / HOURS) - 5.0 * np.cos(hour * np.pi / 12.0)
    wet = dry - rng.uniform(0.0, 8.0, HOURS)
    it = rng.uniform(0.3, 1.0, (CASES, HOURS)) * 1e8
    for kind in REJECTIONS:
        inputs = PlantInputs("bench", climate(), 1e8, rejection=kind)
        plant = size_plant(inputs)
        year = best(partial(facility_power, plant, it, dry, wet))
        curve = best(partial(characterise, inputs))
        per_hour = year / it.size * 1e9
        print(
            f"{kind:8s} {CASES} x {HOURS} h: {year:5.2f} s ({per_hour:4.0f} ns/h)"
            f"   curve: {curve * 1e3:5.1f} ms"
        )


if __name__ == "__main__":
    main()
