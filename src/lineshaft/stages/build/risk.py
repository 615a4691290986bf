"""Draws: durations, release dates and outages of the campus, from one seed.

What is shared is drawn once per world: the campus' factor, each trade's, each supplier's (a part
that is late for one phase is late for all) and each risk driver. These are stratified (one draw
in each of S equal slices), so that quantiles are steady with few samples.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.curves import Array
from lineshaft.contracts.reasons import CODE, NAMES, TRADES
from lineshaft.stages.build.inputs import WEEKS_PER_MONTH, BuildInputs, RiskDriver, is_release
from lineshaft.stages.build.schedule import Network

Z90 = 1.2815515655446004
"""Standard normal 90 % quantile."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Worlds to schedule; row 0 has every uncertain input at its median."""

    work: Array
    """[1 + sample, activity] months with the full crew."""
    shared: Array
    """[1 + sample] the campus' own factor in `work`."""
    release: Array
    """[1 + sample, activity] earliest start by phase, parts, grid and permit, calendar month."""
    away_at: Array
    """[1 + sample, trade] when a trade stays away, as a share of the campus' time."""
    away_months: Array
    """[1 + sample, trade] for how long."""
    arrival: tuple[Array, ...]
    """[phase][release of the phase] median arrival, calendar month."""
    bound_by: NDArray[np.int8]
    """[activity] reason code of the release that arrives last in the median case (0: none)."""


def lognormal_weeks(low: float, high: float, z: Array) -> Array:
    """Weeks at the standard normal z, with P10 and P90 at low and high (0 if both are 0)."""
    if high <= 0:
        return np.zeros_like(z)
    weeks: Array = np.sqrt(low * high) * np.exp(np.log(high / low) / (2 * Z90) * z)
    return weeks


def delay_weeks(driver: RiskDriver, uniform: Array) -> Array:
    """Weeks lost to a risk driver: 0 below 1 - probability, lognormal above."""
    from scipy.special import ndtri

    if driver.probability <= 0:
        return np.zeros_like(uniform)
    rank = (uniform - (1 - driver.probability)) / driver.probability
    weeks = lognormal_weeks(driver.low_weeks, driver.high_weeks, ndtri(np.maximum(rank, 1e-12)))
    lost: Array = np.where(rank > 0, weeks, 0.0)
    return lost


class _Stream:
    """Random numbers by name: a factor's draws do not depend on which other factors there are."""

    def __init__(self, seed: int, samples: int) -> None:
        self.seed = seed
        self.samples = samples

    def rng(self, name: str) -> np.random.Generator:
        key = (self.seed, zlib.crc32(name.encode()))
        return np.random.default_rng(np.random.SeedSequence(key))

    def uniform(self, name: str) -> Array:
        """The median 0.5, then one draw in each of S equal slices, in random order."""
        rng = self.rng(name)
        slices = rng.permutation(self.samples) + rng.random(self.samples)
        return np.append(0.5, slices / self.samples)

    def normal(self, name: str) -> Array:
        from scipy.special import ndtri

        z: Array = ndtri(np.clip(self.uniform(name), 1e-12, 1 - 1e-12))
        return z


def _activity_factors(stream: _Stream, low: float, high: float, n: int) -> Array:
    """PERT factors [1 + sample, n] around a mode of 1, scaled to a median of 1."""
    from scipy.special import betaincinv

    if low == high:
        return np.ones((1 + stream.samples, n))
    a, b = 1 + 4 * (1 - low) / (high - low), 1 + 4 * (high - 1) / (high - low)
    median = low + (high - low) * float(betaincinv(a, b, 0.5))
    drawn = (low + (high - low) * stream.rng("activities").beta(a, b, (stream.samples, n))) / median
    return np.concatenate((np.ones((1, n)), drawn))


def draw(inputs: BuildInputs, net: Network) -> Draws:
    """Draw `inputs.samples` worlds; the same seed gives the same worlds.

    Adding or removing a risk driver leaves the other draws as they were (common random numbers).
    """
    risk, n = inputs.risk, len(net.planned)
    stream = _Stream(inputs.seed, inputs.samples)
    shared = risk.median_slip * np.exp(risk.global_sigma * stream.normal("global"))
    normals = np.stack([stream.normal(f"trade: {trade}") for trade in TRADES], axis=1)
    trades = np.exp(risk.trade_sigma * normals)
    main = np.where(net.hours.max(axis=1) > 0, net.hours.argmax(axis=1), len(TRADES))
    by_trade = np.append(trades, np.ones((len(trades), 1)), axis=1)[:, main]
    work = net.planned * shared[:, None] * by_trade
    work *= _activity_factors(stream, risk.activity_low, risk.activity_high, n)
    suppliers = {name: stream.normal(name) for name in NAMES if is_release(name)}

    late = {name: np.zeros(1 + inputs.samples) for name in suppliers}
    away_at = np.full((1 + inputs.samples, len(TRADES)), 0.5)
    away_months = np.zeros_like(away_at)
    names = [package.name for package in inputs.packages]
    for driver in risk.drivers:
        months = delay_weeks(driver, stream.uniform(f"driver: {driver.name}")) / WEEKS_PER_MONTH
        if driver.hits in late:
            late[driver.hits] += months
        elif driver.hits in names:
            work[:, net.package == names.index(driver.hits)] += months[:, None]
        else:
            k = TRADES.index(driver.hits.removeprefix("trade: "))
            away_at[:, k] = stream.uniform(f"away: {driver.name}")
            away_months[:, k] += months

    release = np.empty_like(work)
    bound_by = np.zeros(n, np.int8)
    arrivals = []
    for p, phase in enumerate(inputs.phases):
        release[:, net.phase == p] = phase.start_month
        arrival = {}
        for r in phase.releases:
            weeks = lognormal_weeks(r.low_weeks, r.high_weeks, suppliers[r.name])
            ordered = phase.start_month + r.order_month
            arrival[r.name] = ordered + weeks / WEEKS_PER_MONTH + late[r.name]
        arrivals.append(np.array([arrival[r.name][0] for r in phase.releases]))
        for w, package in enumerate(inputs.packages):
            mine = np.flatnonzero((net.phase == p) & (net.package == w))
            for name in package.needs:
                if name not in arrival:
                    continue
                bound_by[mine[arrival[name][0] > release[0, mine]]] = CODE[name]
                release[:, mine] = np.maximum(release[:, mine], arrival[name][:, None])
    return Draws(work, shared, release, away_at, away_months, tuple(arrivals), bound_by)
