"""train → agents, serve: accelerators reserved, tokens trained, models released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.contracts.reasons import reason
from lineshaft.tables import Array, Codes, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Trained(Table):
    """Progress of the training runs."""

    KEYS: ClassVar = ("month", "run")

    reserved: Array = column("accelerator", "accelerators reserved, mean of the month")
    tokens: Array = column("token", "tokens trained this month")
    tokens_total: Array = column("token", "tokens trained so far")
    goodput: Array = column("1", "effective training time ratio at the reserved size")
    done_share: Array = column("1", "share of the run that is done, at the end")
    accelerator_h: Array = column("h", "accelerator-hours reserved")
    binding: Codes = reason("what limits the run's pace")


@dataclass(frozen=True, repr=False, eq=False)
class Reserved(Table):
    """Accelerators that are spoken for before serving, by fleet."""

    KEYS: ClassVar = ("month", "fleet")

    leased: Array = column("accelerator", "leased to others, mean")
    training: Array = column("accelerator", "reserved by training runs, mean")


@dataclass(frozen=True, repr=False, eq=False)
class Library(Table):
    """The best model at hand."""

    KEYS: ClassVar = ("month",)

    horizon_s: Array = column("s", "human task length that the best model finishes half the time")
    released: Array = column("model", "own models released this month")
