"""What a simulated review desk did: every figure with its interval over the replications."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lineshaft.stages.oversee.sampling import detection_interval

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over replications, and the interval in which the true one lies at `level`."""

    mean: float
    low: float
    high: float
    level: float = 0.99

    def holds(self, value: float) -> bool:
        """Whether the interval covers the value."""
        return self.low <= value <= self.high


def estimate(values: Array, level: float = 0.99) -> Estimate:
    """Student's interval of independent replications; without width from a single one.

    Replications without the figure (NaN) are left out.
    """
    from scipy.special import stdtrit

    kept = values[np.isfinite(values)]
    if kept.size == 0:
        return Estimate(np.nan, np.nan, np.nan, level)
    mean = float(kept.mean())
    if kept.size == 1:
        return Estimate(mean, -np.inf, np.inf, level)
    half = float(stdtrit(kept.size - 1, 0.5 + level / 2) * kept.std(ddof=1) / np.sqrt(kept.size))
    return Estimate(mean, mean - half, mean + half, level)


@dataclass(frozen=True)
class Outcome:
    """Counts of the tasks that were finished in the measured time, and their waits.

    ``arrived = passed + accepted + rejected + abandoned + expired + waiting`` for every
    replication and class. `passed` was accepted without review; `waiting` is whatever is still at
    the desk at the end: queued, under review, or on its way back.
    """

    measured_s: float
    """Time measured, of each replication."""
    duty_s: float
    """Reviewer time on duty in it."""
    waits_s: tuple[Array, ...]
    """By replication, [visit] time in the queue: of those who left it too, and until the end of
    those who are still in it."""
    classes: tuple[NDArray[np.int8], ...]
    """By replication, [visit] class."""
    settled_s: Array
    """[replication, class] time from finishing to acceptance by a reviewer, summed."""
    counts: Ints
    """[replication, class, name] with the names of `names`."""
    totals: Array
    """[replication, 3] busy, overtime and queued time, s."""
    names: tuple[str, ...]
    loss_usd: Array
    """[class] loss from one escaped defect."""
    merged: bool = False
    """Whether abandoned work went out without review."""

    def count(self, name: str, k: int | None = None) -> Ints:
        """[replication] tasks, or reviews, of class `k` or of all."""
        found = self.counts[:, :, self.names.index(name)]
        return np.asarray(found.sum(axis=1) if k is None else found[:, k])

    def share(self, name: str, of: str = "arrived", k: int | None = None) -> Estimate:
        """One count over another."""
        top, bottom = self.count(name, k).astype(float), self.count(of, k)
        out = np.full(top.shape, np.nan)
        return estimate(np.divide(top, bottom, out=out, where=bottom > 0))

    def mean_wait_s(self, k: int | None = None) -> Estimate:
        """Mean time in the queue per visit."""
        return estimate(np.array([one.mean() if one.size else np.nan for one in self._waits(k)]))

    def wait_quantile_s(self, share: float, k: int | None = None) -> Estimate:
        """The wait that `share` of the visits do not exceed."""
        return estimate(
            np.array([np.quantile(one, share) if one.size else np.nan for one in self._waits(k)])
        )

    def within(self, wait_s: float, k: int | None = None) -> Estimate:
        """Share of the visits whose wait is at most `wait_s`."""
        return estimate(
            np.array([(one <= wait_s).mean() if one.size else np.nan for one in self._waits(k)])
        )

    def _waits(self, k: int | None) -> list[Array]:
        if k is None:
            return list(self.waits_s)
        return [one[kinds == k] for one, kinds in zip(self.waits_s, self.classes, strict=True)]

    @cached_property
    def utilisation(self) -> Estimate:
        """Time under review over time on duty; overtime counts as work."""
        return estimate(self.totals[:, 0] / self.duty_s)

    @cached_property
    def overtime_h(self) -> Estimate:
        """Hours a week that reviews went on after the end of a shift."""
        return estimate(self.totals[:, 1] / 3600.0 * (168 * 3600.0 / self.measured_s))

    @cached_property
    def queue(self) -> Estimate:
        """Mean number waiting: time in the queue over time, by Little's law."""
        return estimate(self.totals[:, 2] / self.measured_s)

    @cached_property
    def accepted(self) -> Ints:
        """[replication] tasks taken: by a reviewer or without review, abandoned ones left out."""
        return self.count("accepted") + self.count("passed")

    @cached_property
    def accepted_per_h(self) -> Estimate:
        """Tasks taken per hour, by a reviewer or without review."""
        return estimate(self.accepted / self.measured_s * 3600.0)

    @cached_property
    def outgoing(self) -> Estimate:
        """AOQ: escaped defects over all work that went out."""
        out = self.accepted.astype(float)
        if self.merged:
            out = out + self.count("abandoned")
        return estimate(
            np.divide(self.count("escaped"), out, out=np.full(out.shape, np.nan), where=out > 0)
        )

    @cached_property
    def escaped_per_h(self) -> Estimate:
        """Defects that went out per hour."""
        return estimate(self.count("escaped") / self.measured_s * 3600.0)

    @cached_property
    def loss_usd_per_h(self) -> Estimate:
        """Losses from escaped defects per hour."""
        escaped = self.counts[:, :, self.names.index("escaped")] * self.loss_usd
        return estimate(escaped.sum(axis=1) / self.measured_s * 3600.0)

    @cached_property
    def to_acceptance_s(self) -> Estimate:
        """Mean time from finishing to acceptance, of tasks that a reviewer accepted."""
        done = self.count("accepted").astype(float)
        out = np.full(done.shape, np.nan)
        return estimate(np.divide(self.settled_s.sum(axis=1), done, out=out, where=done > 0))

    def detection(self, level: float = 0.95) -> tuple[float, float, float]:
        """(share of the planted defects that were found, low, high): all replications together,
        Jeffreys' interval. NaN, 0 and 1 where none was planted."""
        seen, planted = int(self.count("planted_found").sum()), int(self.count("planted").sum())
        if planted == 0:
            return float("nan"), 0.0, 1.0
        low, high = detection_interval(seen, planted, level)
        return seen / planted, float(low), float(high)
