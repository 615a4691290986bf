"""All hand-over tables of a run, by the names that formulas and files use."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self, get_type_hints

import numpy as np

from lineshaft.contracts.accepted import Accepted, People
from lineshaft.contracts.admitted import Admitted, AdmittedTokens
from lineshaft.contracts.done import Done, Robots
from lineshaft.contracts.energised import Accelerators, Crews, Energised, Phases
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.funded import Funded, Ownership
from lineshaft.contracts.powered import Powered
from lineshaft.contracts.served import Served, States
from lineshaft.contracts.trained import Library, Reserved, Trained
from lineshaft.contracts.worth import RunCosts, TaskCosts, Valuation, Worth
from lineshaft.tables import Dims, Table


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table of a run, in the order of the line."""

    funded: Funded
    ownership: Ownership
    energised: Energised
    phases: Phases
    crews: Crews
    accelerators: Accelerators
    trained: Trained
    reserved: Reserved
    library: Library
    fielded: Fielded
    admitted: Admitted
    admitted_tokens: AdmittedTokens
    served: Served
    states: States
    done: Done
    robots: Robots
    powered: Powered
    accepted: Accepted
    people: People
    worth: Worth
    task_costs: TaskCosts
    run_costs: RunCosts
    valuation: Valuation

    @classmethod
    def types(cls) -> dict[str, type[Table]]:
        """The class of every table, by name."""
        return get_type_hints(cls)

    @classmethod
    def allocate(cls, dims: Dims) -> Self:
        """Empty tables for these labels and this many draws."""
        slabs: dict[str, Any] = {n: kind.allocate(dims) for n, kind in cls.types().items()}
        return cls(**slabs)

    def __iter__(self) -> Iterator[tuple[str, Table]]:
        for field in dataclasses.fields(self):
            yield field.name, getattr(self, field.name)

    @property
    def dims(self) -> Dims:
        """The labels of all keys."""
        return self.funded.dims

    def median(self) -> Tables:
        """The same tables with the median case alone, copied."""
        if self.dims.width == 1:
            return self
        dims = Dims(self.dims.labels, 1)
        slabs: dict[str, Any] = {
            name: type(table)(
                dims, **{c.name: np.ascontiguousarray(values[..., :1]) for c, values in table}
            )
            for name, table in self
        }
        return Tables(**slabs)
