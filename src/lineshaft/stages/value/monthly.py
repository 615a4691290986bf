"""The arithmetic of the monthly half: what is owed, taxed, standing, and who bears a joint cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import ServeCurve
from lineshaft.contracts.powered import Powered
from lineshaft.tables import Array

_KWH_J = 3.6e6
_MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Power:
    """The sites' energy and bill [month, draw]: what our computing and what our robots caused.

    Each site's bill follows its energy; base load follows the rest of the site; what tenants
    compute is theirs.
    """

    compute_usd: Array
    compute_kwh: Array
    robot_usd: Array
    robot_kwh: Array

    @classmethod
    def of(cls, powered: Powered, tenants: Array) -> Power:
        """`tenants` [month, site, draw] is their share of the IT energy."""
        robots = ratio(powered.floor_j, powered.facility_j - powered.other_j)
        own = (1.0 - robots) * (1.0 - tenants)
        kwh = powered.facility_j / _KWH_J
        return cls(
            (powered.bill_usd * own).sum(axis=1),
            (kwh * own).sum(axis=1),
            (powered.bill_usd * robots).sum(axis=1),
            (kwh * robots).sum(axis=1),
        )


NOTHING = 1e-12
"""Tasks, tokens, watts or dollars that are none."""


def tenant_share(leased_w: Array, it_j: Array, own_j: Array) -> Array:
    """[site, draw] tenants' share of each site's IT energy `it_j`.

    What our accelerators `own_j` [fleet, draw] did not take is theirs, by the power they lease.
    """
    theirs = np.maximum(it_j.sum(axis=0) - own_j.sum(axis=0), 0.0)
    return np.minimum(ratio(theirs * ratio(leased_w, leased_w.sum(axis=0)), it_j), 1.0)


def ratio(top: Array, bottom: Array) -> Array:
    """top / bottom, 0 where there is nothing to divide by: below NOTHING is rounding, not work."""
    top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > NOTHING)


def split(cost: Array, work: Array) -> Array:
    """Cost [month, draw] by kind or run in proportion to work [month, kind, draw]."""
    total = work.sum(axis=1, keepdims=True)
    return cost[:, None, :] * ratio(work, total)


def alive(bought: Array, life: NDArray[np.int64]) -> Array:
    """[month, kind, draw] price of what was bought within `life` [draw] months."""
    total = np.concatenate([np.zeros_like(bought[:1]), np.cumsum(bought, axis=0)])
    months, kinds, width = bought.shape
    past = np.maximum(np.arange(1, months + 1)[:, None, None] - life, 0)
    return np.asarray(total[1:] - total[past, np.arange(kinds)[:, None], np.arange(width)])


def after_losses(profit: Array, losses: Array, limit: Array) -> tuple[Array, Array]:
    """Taxable profit, and the losses carried on; `finance.tax_step` without its checks."""
    gain = np.maximum(profit, 0.0)
    used = np.minimum(losses, limit * gain)
    return gain - used, losses - used + (gain - profit)


def months_owed(days: Array) -> Array:
    """[k, draw] share of the flow of k months ago that is still to be paid."""
    months = days / _MONTH_DAYS
    needed = max(1, int(np.ceil(months.max() - 1e-12)))
    return np.clip(months - np.arange(needed)[:, None], 0.0, 1.0)


def owed(flow: Array, t: int, shares: Array) -> Array:
    """[draw] what is still to be paid of `flow` [month, draw] at the end of month `t`."""
    owed: Array = flow[t] * shares[0]
    for k in range(1, min(len(shares), t + 1)):
        owed = owed + flow[t - k] * shares[k]
    return owed


def token_work(models: int, curves: Mapping[tuple[int, int], ServeCurve] | None) -> Array:
    """[model, class] accelerator-seconds of a token, mean over the types that run the model.

    Zero for models bought by the token; one for all where there are no curves.
    """
    if curves is None:
        return np.ones((models, 3))
    work, types = np.zeros((models, 3)), np.zeros((models, 1))
    for (model, _), c in curves.items():
        seconds = (c.s_per_input_token, c.s_per_cached_token, c.s_per_output_token)
        work[model] += c.accelerators_per_replica * np.array(seconds) / c.load_slo
        types[model] += 1
    return work / np.maximum(types, 1)
