"""serve → floor, plant, value: tokens served, latency, and every accelerator's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.tables import Array, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Served(Table):
    """Tokens by model: admitted = served + refused."""

    KEYS: ClassVar = ("month", "model")

    served: Array = column("token", "tokens served, all classes")
    refused: Array = column("token", "tokens admitted and not served")
    input_tokens: Array = column("token", "prompt tokens computed")
    cached_tokens: Array = column("token", "prompt tokens from the prefix cache")
    output_tokens: Array = column("token", "output tokens")
    rented: Array = column("token", "of `served`: bought from a provider by the token")
    rent_usd: Array = column("USD", "paid to providers by the token")
    load: Array = column("1", "busy share of the provisioned replicas, mean of the month")
    ttft_s: Array = column("s", "mean time to first token at the month's mean load")
    tpot_s: Array = column("s/token", "mean time per output token at the month's mean load")
    ttft_peak_s: Array = column("s", "mean time to first token at the busiest hour")


@dataclass(frozen=True, repr=False, eq=False)
class States(Table):
    """Installed accelerators by state, mean of the month.

    installed = leased + training + busy + headroom + empty + broken.
    """

    KEYS: ClassVar = ("month", "fleet")

    installed: Array = column("accelerator", "standing in energised halls, or rented")
    leased: Array = column("accelerator", "leased to others")
    training: Array = column("accelerator", "reserved by training runs")
    busy: Array = column("accelerator", "serving tokens")
    headroom: Array = column("accelerator", "provisioned for the busiest hour and waiting")
    empty: Array = column("accelerator", "powered and nobody's")
    broken: Array = column("accelerator", "failed and under repair")
    rent_usd: Array = column("USD", "paid for rented accelerators by the hour")
    lease_usd: Array = column("USD", "earned with leased accelerators")
    it_j: Array = column("J", "energy drawn, share of CPU, network and storage included")
    training_j: Array = column("J", "of `it_j`: accelerators that train or are leased")
    waiting_j: Array = column("J", "of `it_j`: empty accelerators and headroom, at idle power")
    peak_w: Array = column("W", "power drawn at the busiest hour")
