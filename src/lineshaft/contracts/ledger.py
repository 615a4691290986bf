"""The ledger: closing balances, carried to the next month. Nothing else flows back.

Each field has one owner, the stage named in its comment, which alone writes it, in place, when it
advances. A stage reads its own fields and those of stages to its right, and so sees the close of
last month; what stages to its left did this month it reads from their tables. The last axis of
every array is the draw axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.tables import Dims

Array = NDArray[np.float64]


@dataclass(slots=True)
class Ledger:
    """Closing balances of last month."""

    # capital
    debt_usd: Array
    """[tranche]"""
    # build
    phase_elapsed: Array
    """[phase] months of paid and worked time since the phase's start."""
    phase_delay: Array
    """[phase] months lost for want of money or crews."""
    phase_paid_usd: Array
    """[phase] paid so far."""
    order_due: Array
    """[fleet] accelerators that suppliers offer and that are not yet paid for."""
    delivered_total: Array
    """[fleet]"""
    retired_total: Array
    """[fleet]"""
    # train
    run_tokens: Array
    """[run] tokens trained so far."""
    log2_horizon: Array
    """[] log2 of the best own model's horizon in seconds; -inf before the first release."""
    # agents
    robots: Array
    """[kind] robots owned."""
    # serve
    ttft_s: Array
    """[model]"""
    tpot_s: Array
    """[model]"""
    # floor
    work: Array
    """[kind] admitted tasks not yet attempted."""
    # plant
    derate: Array
    """[site] share of IT power that plant and grid allow."""
    # oversee
    review: Array
    """[kind] finished tasks that wait for review."""
    rework: Array
    """[kind] rejected tasks that come back."""
    # value
    cash_usd: Array
    burn_usd: Array
    """[3] opex + interest + tax − receipts of the last three months, oldest first."""
    receivables_usd: Array
    payables_usd: Array
    tax_loss_usd: Array
    """Losses carried forward."""

    @classmethod
    def opening(cls, dims: Dims, tranches: int) -> Ledger:
        """The ledger on the first day: nothing built, nothing owed; stages then set their own."""
        width = dims.width

        def zeros(key: str | int | None) -> Array:
            if key is None:
                return np.zeros(width)
            return np.zeros((dims.size(key) if isinstance(key, str) else key, width))

        return cls(
            debt_usd=zeros(tranches),
            phase_elapsed=zeros("phase"),
            phase_delay=zeros("phase"),
            phase_paid_usd=zeros("phase"),
            order_due=zeros("fleet"),
            delivered_total=zeros("fleet"),
            retired_total=zeros("fleet"),
            run_tokens=zeros("run"),
            log2_horizon=np.full(width, -np.inf),
            robots=zeros("kind"),
            ttft_s=zeros("model"),
            tpot_s=zeros("model"),
            work=zeros("kind"),
            derate=np.ones((dims.size("site"), width)),
            review=zeros("kind"),
            rework=zeros("kind"),
            cash_usd=zeros(None),
            burn_usd=zeros(3),
            receivables_usd=zeros(None),
            payables_usd=zeros(None),
            tax_loss_usd=zeros(None),
        )
