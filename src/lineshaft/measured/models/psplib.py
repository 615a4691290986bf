"""Instances of the resource-constrained project scheduling problem in PSPLIB's `.sm` format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshaft.measured.models._tools import csv_rows
from lineshaft.stages.build.schedule import Network, Plan, Schedule, run_one


@dataclass(frozen=True)
class Instance:
    """One instance as the construction engine takes it: four trades, the whole crew or nobody."""

    network: Network
    plan: Plan
    """With the list by latest finish, as the engine makes it."""
    work: NDArray[np.float64]

    def schedule(self) -> Schedule:
        """One pass of the engine's generator."""
        return run_one(
            self.network, self.plan, self.work, np.zeros(len(self.work)), np.zeros((4, 2))
        )


def read(path: Path) -> Instance:
    """The instance of a `.sm` file."""
    lines = path.read_text().splitlines()
    at = {line.split(":")[0].split("/")[0].strip(): i for i, line in enumerate(lines)}
    numbers = [
        [int(word) for word in line.split()]
        for line in lines[at["PRECEDENCE RELATIONS"] + 2 :]
        if line.strip()[:1].isdigit()
    ]
    n = next(i + 1 for i, row in enumerate(numbers) if row[2] == 0)
    edges = np.array([(a, b - 1) for a, row in enumerate(numbers[:n]) for b in row[3:]])
    jobs = [[int(word) for word in line.split()] for line in lines[at["REQUESTS"] + 3 :][:n]]
    capacity = np.array([float(word) for word in lines[at["RESOURCEAVAILABILITIES"] + 2].split()])
    work = np.array([float(row[2]) for row in jobs])
    late = np.full(n, np.inf)
    late[-1] = 0.0
    for a, b in edges[::-1]:
        late[a] = min(late[a], late[b] - work[b])
    zeros = np.zeros(n, np.int64)
    network = Network(
        phase=zeros,
        hall=zeros,
        package=zeros,
        planned=work,
        hours=np.zeros((n, 4)),
        heads=np.searchsorted(edges[:, 0], np.arange(n + 1)),
        successors=edges[:, 1].copy(),
        predecessors=np.bincount(edges[:, 1], minlength=n),
        ready=np.array([n - 1]),
        hall_phase=zeros[:1],
    )
    rate = np.array([row[3:] for row in jobs], dtype=np.float64)
    order = np.lexsort((np.arange(n), late))
    return Instance(network, Plan(rate, np.ones(n), order, capacity[:, None], 0.0), work)


def gaps(folder: Path, name: str) -> list[float]:
    """Makespan over the best known one, less one, of every instance of j30, j60 or j120."""
    known = csv_rows(folder / "best_known.csv")
    best = {row["instance"]: int(row["best_known"]) for row in known}
    return [
        float(read(path).schedule().finish.max()) / best[path.stem] - 1.0
        for path in sorted((folder / name).glob("*.sm"))
    ]
