"""The Frontier supercomputer in closed form: the electrical model of ExaDigiT/RAPS.

Parameters: `config/frontier.yaml` of github.com/ExaDigiT/RAPS (Apache-2.0, MIT): node parts, a
SIVOC of 98 % plus 13 W per node, four rectifiers of 96 % plus 17 W per chassis, 16 nodes and four
250 W switches per chassis, 74 racks of 8 chassis, 25 CDUs. The fixed terms are a linearisation
that equals RAPS's own idle and peak to the printed digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

NODES_PER_CHASSIS = 16
CHASSIS = 74 * 8
CDU_W = 25 * 8473.47
SWITCH_W = 4 * 250.0
"""Per chassis."""


@dataclass(frozen=True, slots=True)
class FrontierPower:
    """System power and its parts in W, shape of the loads."""

    node_w: Array
    """All nodes, behind their SIVOC."""
    switch_w: float
    loss_w: Array
    """Rectifiers and SIVOCs."""
    cdu_w: float

    @property
    def system_w(self) -> Array:
        """Nodes, switches and conversion losses, without CDUs."""
        return self.node_w + self.switch_w + self.loss_w

    @property
    def total_w(self) -> Array:
        """The same with the CDUs."""
        return self.system_w + self.cdu_w

    @property
    def efficiency(self) -> Array:
        """Power that is not conversion loss, over total power."""
        return 1.0 - self.loss_w / self.total_w


def frontier_power(cpu: ArrayLike, gpu: ArrayLike) -> FrontierPower:
    """Power of the system at a CPU load of 0..1 and a mean GPU load of 0..1 on all its nodes."""
    c, g = np.asarray(cpu, dtype=np.float64), 4.0 * np.asarray(gpu, dtype=np.float64)
    node = 280.0 * c + 90.0 * (1.0 - c) + 560.0 * g + 88.0 * (4.0 - g) + 74.26 + 80.0 + 30.0
    chassis = NODES_PER_CHASSIS * (node + 13.0) / 0.98 + SWITCH_W
    system = CHASSIS * (chassis + 4.0 * 17.0) / 0.96
    nodes = CHASSIS * NODES_PER_CHASSIS * node
    switches = CHASSIS * SWITCH_W
    return FrontierPower(nodes, switches, system - nodes - switches, CDU_W)
