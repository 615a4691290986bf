"""Losses between the meter at the fence and the IT equipment's plug.

Each converter is a loss curve: constant (core, fans, control), linear (diodes, switches) and
quadratic (copper) in its load. Redundant converters share the load, so each runs lower on its
curve and all pay the constant part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Converter:
    """One kind of converter. Losses are shares of its rated output power."""

    name: str
    constant: float = 0.0
    linear: float = 0.0
    quadratic: float = 0.0
    redundancy: float = 1.0
    """Installed over needed power: 1.25 for 4 + 1 modules, 2 for two full paths."""
    indoor: bool = True
    """Whether its heat must be removed by the cooling plant."""

    def loss_w(self, output_w: ArrayLike, rated_w: float) -> Array:
        """Loss at an output, where `rated_w` is the output needed at design."""
        x = np.asarray(output_w, dtype=np.float64) / (rated_w * self.redundancy)
        share = self.constant + x * (self.linear + x * self.quadratic)
        return np.asarray(rated_w * self.redundancy * share)


UPS = Converter("ups", 0.008, 0.012, 0.012, redundancy=1.25)
"""Double conversion, 96.9 % efficient at full and 95.5 % at a quarter of its load, 4 + 1 modules.
Class of today's data sheets, low confidence: replace by the maker's curve."""
DISTRIBUTION = Converter("distribution", 0.0, 0.0, 0.010)
"""Busway, panels and cables, 1 % at full load: low confidence, range 0.005-0.02."""
RECTIFIER = Converter("rectifier", 0.005, 0.005, 0.015)
"""Power shelf, 97.5 % efficient at full load (range 0.96-0.98, low confidence). Not in the
default chain: a rectifier in the rack lies behind the IT meter, so it is IT power."""
TRANSFORMER = Converter("transformer", 0.00118, 0.0, 0.00472, indoor=False)
"""99.53 % at half load, where core and copper loss are equal: the least that 10 CFR 431.196 allows
for a 2500 kVA liquid-immersed distribution transformer."""


def chain_loss_w(
    it_w: ArrayLike, design_w: float, chain: tuple[Converter, ...]
) -> tuple[Array, Array]:
    """Loss of a chain, and its part that heats the building, each in W with the shape of `it_w`.

    The first converter feeds the IT load, the next one feeds it and the first one's loss, and so
    on. Each is rated for what it carries at `design_w`.
    """
    carried = np.asarray(it_w, dtype=np.float64)
    rated = design_w
    loss, indoor = np.zeros_like(carried), np.zeros_like(carried)
    for converter in chain:
        lost = converter.loss_w(carried, rated)
        rated += float(converter.loss_w(rated, rated))
        carried = carried + lost
        loss = loss + lost
        if converter.indoor:
            indoor = indoor + lost
    return loss, indoor
