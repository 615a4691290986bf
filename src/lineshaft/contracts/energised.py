"""build → train, serve, plant: power that is on, and accelerators that stand in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.contracts.reasons import reason
from lineshaft.tables import Array, Codes, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Energised(Table):
    """IT power by site."""

    KEYS: ClassVar = ("month", "site")

    it_w: Array = column("W", "IT power energised, mean of the month")
    usable_w: Array = column("W", "the same after grid cap and heat derating of the plant")
    leased_w: Array = column("W", "of `usable_w`: leased to tenants")
    construction_usd: Array = column("USD", "paid for construction")
    binding: Codes = reason("what keeps the next hall of the site from being energised")


@dataclass(frozen=True, repr=False, eq=False)
class Phases(Table):
    """Progress of the campus phases."""

    KEYS: ClassVar = ("month", "phase")

    elapsed_months: Array = column("month", "paid and worked time of the phase, at the end")
    progress: Array = column("1", "share of the phase's duration that has passed, at the end")
    due_usd: Array = column("USD", "tranche due this month")
    paid_usd: Array = column("USD", "tranche paid this month")
    delay_months: Array = column("month", "time lost so far for want of money or crews")
    binding: Codes = reason("what decides the pace of the phase")


@dataclass(frozen=True, repr=False, eq=False)
class Crews(Table):
    """Craft hours by trade, all campuses: available = worked + idle."""

    KEYS: ClassVar = ("month", "trade")

    available_h: Array = column("h", "craft hours that the crews offer")
    worked_h: Array = column("h", "craft hours worked")
    idle_h: Array = column("h", "craft hours left over")


@dataclass(frozen=True, repr=False, eq=False)
class Accelerators(Table):
    """Accelerators by site and type. Totals: delivered = installed + stored + retired."""

    KEYS: ClassVar = ("month", "fleet")

    delivered: Array = column("accelerator", "delivered this month (refresh included)")
    delivered_total: Array = column("accelerator", "delivered so far")
    retired: Array = column("accelerator", "retired this month at the end of their life")
    retired_total: Array = column("accelerator", "retired so far")
    installed: Array = column("accelerator", "standing in energised halls at the end")
    stored: Array = column("accelerator", "waiting for a hall at the end")
    broken: Array = column("accelerator", "installed but failed and under repair, mean")
    purchase_usd: Array = column("USD", "paid for the deliveries")
