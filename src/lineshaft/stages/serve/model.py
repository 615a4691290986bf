"""The monthly half of `serve`: what accelerators offer, what they serve, in which state each is.

Capacity is counted at the load that holds the service level: a token of a class takes
``accelerators × s_per_token / load_slo`` accelerator-seconds on an accelerator type. A model's
tokens are shared out over the types that hold it in proportion to what each can carry. Replicas
are provisioned whole, for the busiest hour; what is provisioned beyond the mean is headroom, what
is powered and nobody's is empty.

With `autoscale` the replicas in use run at the service level's load and the rest of the headroom
waits; else the load is spread over all provisioned replicas. Latency and power follow from the
load of the replicas in use, by the curve. IT power per accelerator is linear in the chip's own
power, from `idle_share` (host, network and storage included) at idle to all of `it_w` at full
chip power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.admitted import AdmittedTokens
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import ServeCurve
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import NO_CAPACITY, TokenOffer
from lineshaft.contracts.reasons import CODE
from lineshaft.contracts.served import Served, States
from lineshaft.contracts.trained import Reserved
from lineshaft.tables import Array, Dims, param

GRID = 257
"""Points of load, from none to the service level's, at which a curve is read once and for all."""
_CHIPS, _TOKENS, _POWER = (np.int8(CODE[name]) for name in ("chips", "tokens", "power"))
_NONE = np.int8(127)  # above every code: the smallest code in sight is the leftmost reason
_NOWHERE = 0.5 * NO_CAPACITY
_TINY = 1e-300
_total = np.add.reduce  # what .sum() calls, without its checks: these run each month


@dataclass(frozen=True, slots=True)
class Params:
    """What `serve` needs besides its curves."""

    provider_models: NDArray[np.int64]
    """[provider model] indices of the models that are bought by the token."""
    provider_ttft_s: Array
    """[model] latency of the providers' models."""
    provider_tpot_s: Array
    """[model]"""
    price_per_token: Array
    """[model, class, draw] USD per token of the providers' models; 0 for own ones."""
    quota_tokens: Array
    """[month, provider model, draw]"""
    autoscale: bool
    """Whether idle replicas are parked by the hour; else the load is spread over all."""
    peak_over_mean: Array = param("1", "busiest hour over mean of the tokens", ("model",))
    speed: Array = param("1", "factor on the capacity of the curves")
    it_w: Array = param("W", "IT power per accelerator, all in", ("fleet",))
    idle_share: Array = param("1", "IT power of an idle accelerator over `it_w`", ("fleet",))
    chip_idle_share: Array = param("1", "power of an idle chip over its maximum", ("fleet",))
    training_share: Array = param(
        "1", "IT power over `it_w` of accelerators that train or are leased", ("fleet",)
    )
    rent_usd_per_h: Array = param("USD/h", "price of a rented accelerator", ("month", "fleet"))
    lease_usd_per_h: Array = param("USD/h", "price of a leased accelerator", ("month", "fleet"))
    on_site: Array = param("1", "1 where the fleet stands on an own site, else 0", ("fleet",))


class Serve:
    """Offers capacity to the allocation and serves what was admitted."""

    def __init__(
        self,
        params: Params,
        dims: Dims,
        calendar: Calendar,
        curves: dict[tuple[int, int], ServeCurve],
    ) -> None:
        """`curves` maps (model, fleet) to the curve, for the pairs that fit."""
        self.params, self.seconds, self.curves = params, calendar.seconds, curves
        models, fleets = dims.size("model"), dims.size("fleet")
        self.rate = np.zeros((models, 3, fleets, 1))
        self.replica = np.ones((models, fleets, 1))
        self.load_slo = np.ones((models, fleets, 1))
        self.fits = np.zeros((models, fleets, 1))
        table = np.zeros((models, fleets, GRID, 3))
        for (m, f), c in curves.items():
            work = np.array([c.s_per_input_token, c.s_per_cached_token, c.s_per_output_token])
            seconds = c.accelerators_per_replica * np.maximum(work, 1e-15) / c.load_slo
            self.rate[m, :, f, 0] = 1.0 / seconds
            self.replica[m, f] = c.accelerators_per_replica
            self.load_slo[m, f] = c.load_slo
            self.fits[m, f] = 1.0
            grid = np.linspace(0.0, c.load_slo, GRID)
            for i, column in enumerate((c.power_share, c.ttft_mean_s, c.tpot_mean_s)):
                table[m, f, :, i] = np.interp(grid, c.load, column)
        rise = np.diff(table, axis=2, append=table[:, :, -1:])
        self.table, self.rise = table.reshape(-1, 3), rise.reshape(-1, 3)
        self.pair = (np.arange(models * fleets) * GRID).reshape(models, fleets, 1)
        self.bought = np.zeros((models, 1))
        self.bought[params.provider_models] = 1.0
        self.not_bought = (1.0 - self.bought)[:, :, None]
        peak = params.peak_over_mean[:, None, :]
        self.mean_and_peak = np.stack((np.ones_like(peak), peak))
        self.per_replica = 1.0 / self.replica
        # IT power over it_w = base + slope x chip power over its maximum
        self.slope = (1.0 - params.idle_share) / (1.0 - params.chip_idle_share)
        self.base = 1.0 - self.slope
        self.scale = params.it_w * params.on_site
        self.owned = bool(self.scale.any()) and dims.size("site") > 0
        self.one_w = params.it_w.max(axis=0, initial=0.0)
        self.only_tokens = np.full(dims.width, _TOKENS)
        self.rents = bool((params.rent_usd_per_h > 0).any())
        self.leases = bool((params.lease_usd_per_h > 0).any())

    def open(self, ledger: Ledger) -> None:
        """Latency of the first month: that of a replica at its service level's load."""
        p = self.params
        ledger.ttft_s += p.provider_ttft_s[:, None] * self.bought
        ledger.tpot_s += p.provider_tpot_s[:, None] * self.bought
        for (m, f), _ in sorted(self.curves.items(), reverse=True):
            full = self.table[self.pair[m, f, 0] + GRID - 1]
            ledger.ttft_s[m], ledger.tpot_s[m] = full[1], full[2]

    def offer(
        self, t: int, energised: Energised, accelerators: Accelerators, reserved: Reserved
    ) -> TokenOffer:
        """What can be served in month `t`."""
        p = self.params
        free = accelerators.installed[t] - accelerators.broken[t]
        free -= reserved.leased[t]
        free -= reserved.training[t]
        np.maximum(free, 0.0, out=free)
        capacity = _total(self.rate * free, axis=2)
        capacity *= p.speed * self.seconds[t]
        share = self.not_bought / np.maximum(capacity, 1.0 / NO_CAPACITY)
        return TokenOffer(share, p.quota_tokens[t], free, self._why(t, energised, accelerators))

    def _why(self, t: int, energised: Energised, accelerators: Accelerators) -> NDArray[np.int8]:
        """[draw] why there are no more accelerators to serve on."""
        if not self.owned:
            return self.only_tokens
        held_w = _total(accelerators.installed[t] * self.scale, axis=0)
        spare_w = _total(energised.usable_w[t] - energised.leased_w[t], axis=0) - held_w
        halls = energised.binding[t]
        halls = np.where(halls > 0, halls, _NONE).min(axis=0)
        stored = _total(accelerators.stored[t], axis=0) > 0.5
        # halls still to come explain full ones; full halls without any to come are all the power
        full = np.where(stored, _POWER, _TOKENS)
        full = np.where(halls < _NONE, halls, full)
        return np.where((spare_w > self.one_w) & ~stored, _CHIPS, full)

    def advance(
        self,
        t: int,
        ledger: Ledger,
        accelerators: Accelerators,
        reserved: Reserved,
        admitted: AdmittedTokens,
        offer: TokenOffer,
        served: Served,
        states: States,
    ) -> None:
        """Month `t`: serve, count states, latency, power, rent."""
        p = self.params
        busy = self._serve(t, admitted, offer, served)
        room = offer.accelerators - _total(busy, axis=0)
        # accelerators at work in the mean and in the busiest hour, and the whole replicas for them
        work = busy * self.mean_and_peak
        replicas = np.ceil(work * self.per_replica - 1e-9)
        replicas *= self.replica
        using, ready = replicas
        ready -= busy
        asked = _total(ready, axis=0)
        if (asked > room).any():
            ready *= np.clip(room / np.maximum(asked, _TINY), 0.0, 1.0)
        headroom = _total(ready, axis=0)
        ready += busy
        np.minimum(using if p.autoscale else ready, ready, out=using)
        states.installed[t] = accelerators.installed[t]
        states.broken[t] = accelerators.broken[t]
        states.leased[t] = reserved.leased[t]
        states.training[t] = reserved.training[t]
        states.busy[t] = offer.accelerators - room
        states.headroom[t] = headroom
        states.empty[t] = room - headroom
        found = self._read(work, replicas)
        self._latency(t, ledger, busy, ready, found, offer.accelerators, served)
        self._power(t, replicas, found[..., 0], states)
        if self.rents or self.leases:
            hours = self.seconds[t] / 3600
            off_site = states.installed[t] * (1.0 - p.on_site)
            states.rent_usd[t] = off_site * p.rent_usd_per_h[t] * hours
            states.lease_usd[t] = states.leased[t] * p.lease_usd_per_h[t] * hours

    def _serve(self, t: int, admitted: AdmittedTokens, offer: TokenOffer, served: Served) -> Array:
        """Fills the tokens of `served`; [model, fleet, draw] accelerators busy in the mean."""
        p, share = self.params, offer.share_per_token
        tokens = (admitted.input_tokens[t], admitted.cached_tokens[t], admitted.output_tokens[t])
        by_model = tokens[0] * share[:, 0]
        by_model += tokens[1] * share[:, 1]
        by_model += tokens[2] * share[:, 2]
        part = None
        if share.max(initial=0.0) > _NOWHERE:
            part = np.where(share[:, 2] > _NOWHERE, 0.0, 1.0)
            by_model *= part
        asked = _total(by_model, axis=0)
        if (asked > 1.0).any():
            fill = 1.0 / np.maximum(asked, 1.0)
            part = np.where(self.bought > 0, 1.0, fill) * (1.0 if part is None else part)
            by_model *= fill
        if part is not None:
            tokens = (tokens[0] * part, tokens[1] * part, tokens[2] * part)
        served.input_tokens[t], served.cached_tokens[t], served.output_tokens[t] = tokens
        served.served[t] = total = tokens[0] + tokens[1] + tokens[2]
        served.refused[t] = admitted.admitted[t] - total
        if len(p.provider_models):
            price = p.price_per_token
            served.rented[t] = total * self.bought
            served.rent_usd[t] = (
                tokens[0] * price[:, 0] + tokens[1] * price[:, 1] + tokens[2] * price[:, 2]
            )
        return np.asarray((by_model[:, None, :] * self.fits) * offer.accelerators)

    def _read(self, work: Array, replicas: Array) -> Array:
        """[mean and peak, model, fleet, draw, 3] chip power, TTFT and TPOT of accelerators with
        work that keeps as many of them at the service level's load."""
        at = np.minimum(work, replicas)
        at /= np.maximum(replicas, _TINY)
        at *= GRID - 1
        low = np.minimum(at.astype(np.int64), GRID - 2)
        at -= low
        low += self.pair
        found = self.table[low]
        found += self.rise[low] * at[..., None]
        return found

    def _latency(
        self,
        t: int,
        ledger: Ledger,
        busy: Array,
        ready: Array,
        found: Array,
        free: Array,
        served: Served,
    ) -> None:
        carries = self.rate[:, 2] * free
        total = _total(carries, axis=1)
        carries /= np.maximum(total, _TINY)[:, None]
        mean = _total(carries[..., None] * found, axis=2)
        there = total > 0
        np.copyto(ledger.ttft_s, mean[0, ..., 1], where=there)
        np.copyto(ledger.tpot_s, mean[0, ..., 2], where=there)
        served.ttft_s[t], served.tpot_s[t] = ledger.ttft_s, ledger.tpot_s
        served.ttft_peak_s[t] = np.where(there, mean[1, ..., 1], ledger.ttft_s)
        load = busy * self.load_slo
        load /= np.maximum(ready, _TINY)
        load *= carries
        served.load[t] = _total(load, axis=1)

    def _power(self, t: int, replicas: Array, chip: Array, states: States) -> None:
        """Energy and highest power of month `t`, for the plant. `chip` is [mean and peak, model,
        fleet, draw] power over the chip's maximum."""
        p = self.params
        at_work = _total(replicas, axis=1)
        drawn = _total(replicas * chip, axis=1)
        drawn *= self.slope
        drawn += at_work * self.base
        rest = (states.leased[t] + states.training[t]) * p.training_share
        rest += states.empty[t] * p.idle_share
        mean = (at_work[1] - at_work[0]) * p.idle_share + drawn[0] + rest
        states.it_j[t] = mean * self.scale * self.seconds[t]
        states.peak_w[t] = (drawn[1] + rest) * self.scale

    def finish(self, states: States) -> None:
        """Parts of the energy, for all months at once."""
        p, one_j = self.params, self.scale * self.seconds[:, None, None]
        states.training_j[:] = (states.training + states.leased) * (p.training_share * one_j)
        states.waiting_j[:] = (states.empty + states.headroom) * (p.idle_share * one_j)


FORMULAS: dict[str, str] = {
    "served.served": "input_tokens + cached_tokens + output_tokens",
    "served.refused": "admitted_tokens.admitted - served",
    "served.input_tokens": "engine(serve.fill, admitted_tokens.input_tokens, states.installed)",
    "served.cached_tokens": "engine(serve.fill, admitted_tokens.cached_tokens, states.installed)",
    "served.output_tokens": "engine(serve.fill, admitted_tokens.output_tokens, states.installed)",
    "served.rented": "engine(serve.buy_tokens, served)",
    "served.rent_usd": "engine(serve.buy_tokens, input_tokens, cached_tokens, output_tokens)",
    "served.load": "engine(serve.load, states.busy, states.headroom)",
    "served.ttft_s": "engine(serve.latency, states.busy, states.headroom)",
    "served.tpot_s": "engine(serve.latency, states.busy, states.headroom)",
    "served.ttft_peak_s": "engine(serve.latency, states.busy, serve.peak_over_mean)",
    "states.installed": "accelerators.installed",
    "states.leased": "reserved.leased",
    "states.training": "reserved.training",
    "states.broken": "accelerators.broken",
    "states.busy": "engine(serve.work, served.served, serve.speed)",
    "states.headroom": "engine(serve.provision, busy, serve.peak_over_mean)",
    "states.empty": "installed - leased - training - broken - busy - headroom",
    "states.rent_usd": (
        "installed * (1 - serve.on_site) * serve.rent_usd_per_h * calendar.seconds / 3600"
    ),
    "states.lease_usd": "leased * serve.lease_usd_per_h * calendar.seconds / 3600",
    "states.it_j": (
        "engine(serve.power, busy, headroom, empty, training, leased, serve.it_w, serve.idle_share)"
    ),
    "states.training_j": (
        "(training + leased) * serve.training_share * serve.it_w * serve.on_site * calendar.seconds"
    ),
    "states.waiting_j": (
        "(empty + headroom) * serve.idle_share * serve.it_w * serve.on_site * calendar.seconds"
    ),
    "states.peak_w": (
        "engine(serve.power, busy, headroom, empty, training, leased, serve.it_w, serve.idle_share)"
    ),
}
