"""The monthly half of `train`: runs take accelerators in their order, train tokens, end, release.

Leases come first, then the runs in their order. A run takes what it wants of the accelerators that
are whole and free, the fastest type first, and waits where that is less than its least share, or
than one copy of the model. Its speed is that of the curve on each type, its effective time that of
the renewal form at the reserved size. When it ends, the fraction of the month that is left frees
its accelerators for the runs after it and for serving, and the model that it releases may raise
the horizon of all agents. A reservation over several types or sites adds up their speeds: the
network between them is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import TrainCurve
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.trained import Library, Reserved, Trained
from lineshaft.tables import Array, Dims, param

_CHIPS = np.int8(CODE["chips"])
_NONE = np.int8(127)  # above every code: the smallest code in sight is the leftmost reason


@dataclass(frozen=True, slots=True)
class Params:
    """What `train` needs besides its curves."""

    start: NDArray[np.int64]
    """[run] earliest month."""
    release_log2_horizon: Array
    """[month, run, draw] log2 of the horizon in seconds of the model, if it is released then."""
    planned: NDArray[np.int64]
    """[run] reservation that the run's layouts were looked for."""
    wanted: Array = param("accelerator", "accelerators that the run reserves", ("run",))
    least_share: Array = param("1", "share of `wanted` below which the run waits", ("run",))
    tokens: Array = param("token", "tokens to train", ("run",))
    speed: Array = param("1", "factor on the speed of the curve", ("run",))
    leased: Array = param("accelerator", "leased to others by contract", ("month", "fleet"))
    public_log2_horizon: Array = param("log2 s", "horizon of the public frontier", ("month",))
    cap_log2_horizon: Array = param("log2 s", "longest horizon that is believed")


class Train:
    """Advances the training runs."""

    def __init__(
        self,
        params: Params,
        dims: Dims,
        calendar: Calendar,
        curves: dict[tuple[int, int], TrainCurve],
    ) -> None:
        """`curves` maps (run, fleet) to the curve, for the pairs that fit."""
        self.params, self.seconds = params, calendar.seconds
        self.leases = bool(params.leased.any())
        self.fleets: list[NDArray[np.int64]] = []
        self.rate: list[Array] = []
        self.ettr: list[tuple[Array, Array]] = []
        self.least: list[Array] = []
        for r in range(dims.size("run")):
            own = {f: c for (i, f), c in curves.items() if i == r}
            wanted = params.wanted[r]
            # spare accelerators of the reservation wait: a layout may use fewer than were planned
            rate = {
                f: c.tokens_per_s_per_accelerator * min(1.0, c.accelerators / params.planned[r])
                for f, c in own.items()
            }
            order = sorted(own, key=lambda f, rate=rate: (-rate[f], f))  # type: ignore[misc]
            copies = [_one_copy(c) for c in own.values()]
            first = next(iter(own.values()), None)
            self.fleets.append(np.array(order, np.int64))
            self.rate.append(np.array([rate[f] for f in order]).reshape(-1, 1))
            self.ettr.append((first.reserved, first.ettr) if first else (np.ones(1), np.ones(1)))
            least = np.maximum(params.least_share[r] * wanted, min(copies, default=0))
            self.least.append(np.minimum(least, wanted))

    def advance(
        self,
        t: int,
        ledger: Ledger,
        energised: Energised,
        accelerators: Accelerators,
        trained: Trained,
        reserved: Reserved,
        library: Library,
    ) -> None:
        """Month `t`: reserve, train, release."""
        p = self.params
        runs = [r for r in range(len(p.start)) if t >= p.start[r] and len(self.fleets[r])]
        if runs:
            left = p.tokens - ledger.run_tokens
            runs = [r for r in runs if left[r].max() > 0]
        if runs or self.leases:
            free = accelerators.installed[t] - accelerators.broken[t]
            if self.leases:
                np.minimum(p.leased[t], free, out=reserved.leased[t])
                free -= reserved.leased[t]
            for r in runs:
                self._train(t, r, free, ledger, energised, accelerators, trained, reserved, library)
        best = np.maximum(ledger.log2_horizon, p.public_log2_horizon[t])
        library.horizon_s[t] = np.exp2(np.minimum(best, p.cap_log2_horizon))

    def _train(
        self,
        t: int,
        r: int,
        free: Array,
        ledger: Ledger,
        energised: Energised,
        accelerators: Accelerators,
        trained: Trained,
        reserved: Reserved,
        library: Library,
    ) -> None:
        """Run `r` in month `t`; takes from `free` what it holds."""
        p, fleets = self.params, self.fleets[r]
        todo = p.tokens[r] - ledger.run_tokens[r]
        active = todo > 0
        pool = free[fleets]
        upto = np.cumsum(pool, axis=0)
        take = np.minimum(p.wanted[r], upto[-1])
        take = np.where(active & (take >= self.least[r]) & (take > 0), take, 0.0)
        by_fleet = np.clip(take - (upto - pool), 0.0, pool)
        ettr = np.interp(take, *self.ettr[r])
        possible = (by_fleet * self.rate[r]).sum(axis=0) * (p.speed[r] * self.seconds[t]) * ettr
        ends = active & (possible >= todo)
        tokens = np.where(ends, todo, possible)
        share = np.divide(todo, possible, out=np.ones_like(possible), where=ends)
        held = by_fleet * share
        free[fleets] = pool - held
        reserved.training[t, fleets] += held
        ledger.run_tokens[r] = np.where(ends, p.tokens[r], ledger.run_tokens[r] + tokens)
        raised = np.maximum(ledger.log2_horizon, p.release_log2_horizon[t, r])
        ledger.log2_horizon[:] = np.where(ends, raised, ledger.log2_horizon)
        library.released[t] += ends
        trained.reserved[t, r] = take * share
        trained.tokens[t, r] = tokens
        trained.goodput[t, r] = np.where(take > 0, ettr, 0.0)
        short = active & (take < p.wanted[r] * (1 - 1e-9))
        if short.any():
            trained.binding[t, r] = np.where(short, _why(t, energised, accelerators), 0)

    def finish(self, trained: Trained, calendar: Calendar) -> None:
        """The columns that follow from the months."""
        trained.tokens_total[:] = np.cumsum(trained.tokens, axis=0)
        trained.done_share[:] = trained.tokens_total / self.params.tokens
        trained.accelerator_h[:] = trained.reserved * (calendar.seconds / 3600)[:, None, None]


def _one_copy(curve: TrainCurve) -> int:
    """Accelerators of one data-parallel copy of the layout."""
    sizes = dict(curve.layout)
    return sizes.get("tp", 1) * sizes.get("cp", 1) * sizes.get("pp", 1)


def _why(t: int, energised: Energised, accelerators: Accelerators) -> NDArray[np.int8]:
    """[draw] why there are too few: what holds up the halls where accelerators wait in store."""
    halls = energised.binding[t]
    halls = np.where(halls > 0, halls, _NONE).min(axis=0, initial=_NONE)
    waiting = (accelerators.stored[t].sum(axis=0) > 0.5) & (halls < _NONE)
    return np.where(waiting, halls, _CHIPS)


FORMULAS: dict[str, str] = {
    "trained.reserved": "engine(train.reserve, accelerators.installed, train.wanted)",
    "trained.tokens": "engine(train.step_time, reserved, goodput, train.tokens, train.speed)",
    "trained.tokens_total": "lag(tokens_total) + tokens",
    "trained.goodput": "curve(train.ettr, reserved)",
    "trained.done_share": "tokens_total / train.tokens",
    "trained.accelerator_h": "reserved * calendar.seconds / 3600",
    "trained.binding": "engine(train.binding, reserved, accelerators.stored)",
    "reserved.leased": "engine(train.lease, accelerators.installed, train.leased)",
    "reserved.training": "engine(train.reserve, trained.reserved)",
    "library.horizon_s": (
        "engine(train.horizon, released, train.public_log2_horizon, train.cap_log2_horizon)"
    ),
    "library.released": "engine(train.release, trained.tokens_total)",
}
