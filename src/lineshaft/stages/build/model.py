"""The monthly half of `build`: paid and worked progress, halls energised, accelerators installed.

A phase moves by at most one month a month: less where money or crews are short. Its schedule
curve then says which halls are on, what is due and which craft hours were worked. Accelerators
arrive as suppliers offer them and as far as they can be paid, and stand in whatever power is on,
newest generation first.

Crews are short where phases want more hours than there are and more than the undisturbed schedule
wants in that month: the schedule itself was made for these crews, and its hours by month are the
median case's, stretched to each world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.calendar import YEAR_S
from lineshaft.contracts.curves import BuildCurve, Several
from lineshaft.contracts.energised import Accelerators, Crews, Energised, Phases
from lineshaft.contracts.funded import Funded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import CODE, TRADES
from lineshaft.tables import Array, Dims, param

Ints = NDArray[np.int64]

_FUNDS, _CONSTRUCTION = CODE["funds"], CODE["construction"]
_TRADE = np.array([CODE[f"trade: {trade}"] for trade in TRADES], np.int8)
_TINY = 1e-9
"""Shortfalls and ends are judged with this tolerance, months or shares."""


@dataclass(frozen=True, slots=True)
class Params:
    """What `build` needs besides its curve. Index arrays say which site owns what."""

    phase_site: Ints
    """[phase] index of the site."""
    phase_start: Ints
    """[phase] earliest month in which the phase may start."""
    fleet_site: Ints
    """[fleet] index of the site, −1 for rented accelerators."""
    fleet_rank: Ints
    """[fleet] order in which fleets take power: newest generation first."""
    life_months: Ints
    """[fleet] months from delivery to retirement."""
    refresh: NDArray[np.bool_]
    """[fleet] whether retired accelerators are replaced."""
    luck: Array
    """[draw] uniform number that picks the world of the schedule's risk draws, unused in the
    median case; below 0 it is the median case in any draw."""
    cost_usd: Array = param("USD", "construction cost of the phase", ("phase",))
    hours_factor: Array = param("1", "craft hours over those of the plan", ("phase",))
    leased_w: Array = param("W", "IT power leased to tenants by contract", ("month", "site"))
    existing_w: Array = param("W", "IT power that is on when the scenario starts", ("site",))
    ordered: Array = param(
        "accelerator", "offered for delivery by suppliers this month", ("month", "fleet")
    )
    price_usd: Array = param("USD", "price of a delivered accelerator, all in", ("month", "fleet"))
    it_w: Array = param("W", "IT power per accelerator, all in", ("fleet",))
    failures_per_year: Array = param("1/year", "failures per accelerator", ("fleet",))
    repair_s: Array = param("s", "time to repair or replace a failed one", ("fleet",))
    rented: Array = param("accelerator", "rented by the hour", ("month", "fleet"))


class Build:
    """Advances construction and deliveries month by month."""

    def __init__(
        self, params: Params, dims: Dims, curve: BuildCurve | Several[BuildCurve] | None
    ) -> None:
        """`curve` holds the phases in the order of the phase axis; None where there are none.

        Several curves have the same phases, halls, number of samples and grid of progress.
        """
        self.params, self.dims = params, dims
        self.building = curve is not None and len(params.phase_site) > 0
        sites = range(dims.size("site"))
        if curve is not None and self.building:
            self._schedule(params, dims, Several.these(curve))
        self.site_phases = [np.flatnonzero(params.phase_site == s) for s in sites]
        rank = np.argsort(params.fleet_rank, kind="stable")
        self.site_fleets = [rank[params.fleet_site[rank] == s] for s in sites]
        self.broken_share = np.minimum(params.failures_per_year * params.repair_s / YEAR_S, 1.0)
        rented = params.fleet_site < 0
        self.broken_share = self.broken_share * ~rented[:, None]
        self.is_renting = bool(rented.any())
        self.is_leasing = bool(params.leased_w.any())
        self.orders = np.asarray(params.ordered.any(axis=(1, 2)))
        self.refresh = params.refresh[:, None]
        self.first_retirement = int(params.life_months.min(initial=np.iinfo(np.int64).max))
        self.fleet = np.arange(dims.size("fleet"))
        self.draw = np.arange(dims.width)

    def _schedule(self, params: Params, dims: Dims, several: Several[BuildCurve]) -> None:
        """Each draw's world of its curve, and the curves as one table for quick reading."""
        curve, curves, of = several.curves[0], several.curves, several.of
        samples = curve.ready_months.shape[1] - 1
        world = np.zeros(dims.width, np.int64)
        if samples and dims.width > 1:
            u = np.broadcast_to(params.luck, (dims.width,))
            drawn = 1 + np.minimum((u[1:] * samples).astype(np.int64), samples - 1)
            world[1:] = np.where(u[1:] < 0, 0, drawn)
        self.ready = np.stack([c.ready_months for c in curves], axis=2)[:, world, of]
        self.duration = np.maximum(
            np.stack([c.duration_months for c in curves], axis=2)[:, world, of], 1e-6
        )
        self.hall_phase = curve.hall_phase
        site = params.phase_site[curve.hall_phase]
        self.hall_site_w = (site == np.arange(dims.size("site"))[:, None]) * curve.hall_w
        self.full_w = params.existing_w + self.hall_site_w.sum(axis=1)[:, None]
        # phases in the order of their start: tranches already committed rank before new ones
        self.order = np.argsort(params.phase_start, kind="stable")
        self.place = np.argsort(self.order, kind="stable")
        self.start = params.phase_start[:, None]
        self.craft_hours = np.stack([c.craft_hours for c in curves], axis=1)[:, of]
        self.hours = self.craft_hours * params.hours_factor[:, :, None]
        # [curve * phase * (grid + 1), 1 + trade] share of the cost paid, and of the hours worked
        points, phases = len(curve.progress), len(curve.phases)
        self.grid = points - 1
        self.row = (np.arange(phases)[:, None] + phases * of) * points
        table = np.concatenate(
            [np.concatenate((c.spent_share[:, None], c.worked_share), axis=1) for c in curves]
        )
        self.table = np.ascontiguousarray(table.swapaxes(1, 2)).reshape(-1, table.shape[1])
        self.slope = np.append(np.diff(self.table, axis=0), self.table[:1], axis=0)
        self.codes = np.concatenate([c.binding.ravel() for c in curves])
        self.available = np.stack([c.crew_hours for c in curves], axis=2)[..., of]
        self.offered = self._offered(dims.size("month"))

    def _offered(self, months: int) -> Array:
        """[month, draw, trade] craft hours there are, or that the schedule takes there to be."""
        planned = np.zeros((months, self.dims.width, len(TRADES)))
        for p, hours in enumerate(self.craft_hours):
            start, longest = int(self.start[p, 0]), float(self.duration[p].max())
            last = min(start + math.ceil(longest), months)
            at = np.arange(start, last + 1)[:, None]
            share = np.clip((at - start) / self.duration[p], 0.0, 1.0)
            done = self._read(share, self.row[p])[..., 1:]
            planned[start:last] += np.diff(done, axis=0) * hours
        return np.maximum(planned, self.available.transpose(1, 2, 0)) * (1.0 + _TINY)

    def advance(
        self,
        t: int,
        ledger: Ledger,
        funded: Funded,
        energised: Energised,
        phases: Phases,
        crews: Crews,
        accelerators: Accelerators,
    ) -> None:
        """Month `t`: work, pay, energise, deliver, install."""
        spendable: Array = funded.spendable_usd[t]
        if self.building:
            spendable = self._construct(t, ledger, spendable, energised, phases, crews)
        else:
            energised.it_w[t] = self.params.existing_w
        if len(self.fleet):
            self._deliver(t, ledger, spendable, accelerators)
        self._install(t, ledger, energised, accelerators)

    def _construct(
        self,
        t: int,
        ledger: Ledger,
        spendable: Array,
        energised: Energised,
        phases: Phases,
        crews: Crews,
    ) -> Array:
        begin = ledger.phase_elapsed
        crews.available_h[t] = self.available[:, t]
        todo = begin < self.duration - _TINY
        open_: NDArray[np.bool_] = (t >= self.start) & todo
        if not open_.any():
            crews.idle_h[t] = self.available[:, t]
            phases.elapsed_months[t] = begin
            phases.progress[t] = np.minimum(begin / self.duration, 1.0)
            phases.delay_months[t] = ledger.phase_delay
            if todo.any():
                energised.it_w[t] = self._halls_on(begin, begin, np.ones_like(begin))
                energised.binding[t] = self._site_codes(phases.binding[t], open_, todo)
            else:
                energised.it_w[t] = self.full_w
            return spendable
        step = np.where(open_, np.minimum(1.0, self.duration - begin), 0.0)
        x = np.stack((begin, begin + step)) / self.duration
        np.minimum(x, 1.0, out=x)
        was, will = self._read(x, self.row)
        want = self.hours * (will[..., 1:] - was[..., 1:])
        gate, code = self._crewed(t, want, x[0])
        if gate is not None:
            # a pace of 1 ends where no crew was short in any draw: draws do not know each other
            slowed = np.where(gate < 1.0, x[0] + gate * (x[1] - x[0]), x[1])
            will = self._read(slowed, self.row)
        due = np.maximum(self.params.cost_usd * will[..., 0] - ledger.phase_paid_usd, 0.0) * open_
        total = due.sum(axis=0)
        paid, pace = due, gate
        if (total > spendable).any():
            before = np.cumsum(due[self.order], axis=0)[self.place] - due
            paid = np.minimum(np.maximum(spendable - before, 0.0), due)
            funding = np.divide(paid, due, out=np.ones_like(due), where=due > 0)
            code = np.where(funding < 1 - _TINY, _FUNDS, code)
            pace = funding if gate is None else gate * funding
            total = paid.sum(axis=0)
        if pace is None:
            pace = np.ones_like(begin)
            worked = want.sum(axis=0)
        else:
            worked = (want * pace[:, :, None]).sum(axis=0)
            ledger.phase_delay += open_ * (1.0 - pace)
        end = begin + pace * step
        ledger.phase_elapsed = end
        ledger.phase_paid_usd += paid
        phases.elapsed_months[t] = end
        phases.progress[t] = np.minimum(end / self.duration, 1.0)
        phases.due_usd[t], phases.paid_usd[t] = due, paid
        phases.delay_months[t] = ledger.phase_delay
        phases.binding[t] = code * open_
        np.minimum(worked.T, self.available[:, t], out=crews.worked_h[t])
        np.subtract(crews.available_h[t], crews.worked_h[t], out=crews.idle_h[t])
        for s, own in enumerate(self.site_phases):
            if len(own):
                energised.construction_usd[t, s] = paid[own].sum(axis=0)
        energised.binding[t] = self._site_codes(phases.binding[t], open_, todo)
        energised.it_w[t] = self._halls_on(begin, end, pace)
        left: Array = np.maximum(spendable - total, 0.0)
        return left

    def _crewed(self, t: int, want: Array, x: Array) -> tuple[Array | None, NDArray[np.int8]]:
        """Pace that the crews allow [phase, draw], None where they are enough, and the reason."""
        code = self.codes[self.row + np.rint(x * self.grid).astype(np.int64)]
        total = want.sum(axis=0)
        offered = self.offered[t]
        if (total <= offered).all():
            return None, code
        ratio = np.divide(offered, total, out=np.ones_like(total), where=total > offered)
        gates = np.where(want > 0, ratio, 1.0)
        gate = gates.min(axis=2)
        return gate, np.where(gate < 1 - _TINY, _TRADE[gates.argmin(axis=2)], code)

    def _halls_on(self, begin: Array, end: Array, pace: Array) -> Array:
        """IT power [site, draw], mean of a month in which phases go from `begin` to `end` at
        `pace`: a hall is on from the moment that its phase has come to it."""
        ready = self.ready
        on = 1.0 - (ready - begin[self.hall_phase]) / np.maximum(pace, _TINY)[self.hall_phase]
        on *= ready <= end[self.hall_phase] + _TINY
        np.minimum(np.maximum(on, 0.0, out=on), 1.0, out=on)
        # einsum and not @: a BLAS may sum in another order on another number of threads.
        power: Array = self.params.existing_w + np.einsum("sh,hd->sd", self.hall_site_w, on)
        return power

    def _site_codes(
        self, code: NDArray[np.int8], open_: NDArray[np.bool_], todo: NDArray[np.bool_]
    ) -> NDArray[np.int8]:
        """[site, draw] reason of the first open phase; only time where none has begun yet."""
        out = np.zeros((len(self.site_phases), code.shape[1]), np.int8)
        for s, own in enumerate(self.site_phases):
            if len(own):
                first = code[own][open_[own].argmax(axis=0), self.draw]
                waits = np.any(todo[own], axis=0) & ~np.any(open_[own], axis=0)
                out[s] = np.where(waits, _CONSTRUCTION, first)
        return out

    def _deliver(self, t: int, ledger: Ledger, money: Array, out: Accelerators) -> None:
        p = self.params
        due = ledger.order_due
        if t >= self.first_retirement:
            past = t - p.life_months
            old = np.asarray(past >= 0)[:, None]
            retired = out.delivered[np.maximum(past, 0), self.fleet] * old
            out.retired[t] = retired
            ledger.retired_total += retired
            due += self.refresh * retired
        if self.orders[t]:
            due += p.ordered[t]
        if due.any():
            cost = due * p.price_usd[t]
            paid, share = cost, 1.0
            if (cost.sum(axis=0) > money).any():
                room = money - (np.cumsum(cost, axis=0) - cost)
                paid = np.minimum(np.maximum(room, 0.0), cost)
                share = np.divide(paid, cost, out=np.ones_like(cost), where=cost > 0)
            out.purchase_usd[t] = paid
            out.delivered[t] = share * due
            due -= out.delivered[t]
            ledger.delivered_total += out.delivered[t]
        out.delivered_total[t] = ledger.delivered_total
        out.retired_total[t] = ledger.retired_total

    def _install(self, t: int, ledger: Ledger, energised: Energised, out: Accelerators) -> None:
        p = self.params
        free_w = energised.it_w[t] * ledger.derate
        energised.usable_w[t] = free_w
        if self.is_leasing:
            energised.leased_w[t] = np.minimum(p.leased_w[t], free_w)
            free_w = free_w - energised.leased_w[t]
        if not len(self.fleet):
            return
        have = ledger.delivered_total - ledger.retired_total
        want_w = have * p.it_w
        installed = out.installed[t]
        for s, own in enumerate(self.site_fleets):
            if len(own):
                w = want_w[own]
                room = free_w[s] - (np.cumsum(w, axis=0) - w)
                installed[own] = np.minimum(np.maximum(room, 0.0) / p.it_w[own], have[own])
        out.stored[t] = have - installed
        if self.is_renting:
            installed += p.rented[t]
        out.broken[t] = installed * self.broken_share

    def _read(self, x: Array, row: Ints) -> Array:
        """[..., 1 + trade] cost and hours at progress `x`, linear between the points."""
        at = x * self.grid
        low = np.minimum(at.astype(np.int64), self.grid - 1)
        part = (at - low)[..., None]
        low += row
        value: Array = self.table[low] + part * self.slope[low]
        return value


FORMULAS: dict[str, str] = {
    "energised.it_w": "engine(build.halls_on, phases.elapsed_months, build.existing_w)",
    "energised.usable_w": "it_w * lag(powered.derate, 1)",
    "energised.leased_w": "min(build.leased_w, usable_w)",
    "energised.construction_usd": "engine(build.by_site, phases.paid_usd)",
    "energised.binding": "engine(build.first_open_phase, phases.binding)",
    "phases.elapsed_months": "engine(build.progress, paid_usd, crews.available_h)",
    "phases.progress": "engine(build.progress, elapsed_months)",
    "phases.due_usd": "engine(build.tranche, build.cost_usd, progress)",
    "phases.paid_usd": "engine(build.pay_in_order, phases.due_usd, funded.spendable_usd)",
    "phases.delay_months": "engine(build.progress, phases.paid_usd, phases.due_usd)",
    "phases.binding": "engine(build.binding, phases.progress, phases.paid_usd, phases.due_usd)",
    "crews.available_h": "curve(build.crew_hours)",
    "crews.worked_h": "engine(build.worked, phases.progress, build.hours_factor, available_h)",
    "crews.idle_h": "available_h - worked_h",
    "accelerators.delivered": "engine(build.deliver, funded.spendable_usd, phases.paid_usd)",
    "accelerators.delivered_total": "lag(delivered_total) + delivered",
    "accelerators.retired": "engine(build.end_of_life, accelerators.delivered)",
    "accelerators.retired_total": "lag(retired_total) + retired",
    "accelerators.installed": (
        "engine(build.install, energised.usable_w, energised.leased_w, build.it_w, build.rented)"
    ),
    "accelerators.stored": "delivered_total - retired_total - (installed - build.rented)",
    "accelerators.broken": "engine(build.broken, installed, build.failures_per_year)",
    "accelerators.purchase_usd": "delivered * build.price_usd",
}
