"""Which part of the work is reviewed, so that what goes out is good enough, with as few reviews.

A plan is a law F(q): the share of the finished tasks that is reviewed in the long run when a share
q of them is defective. Reviews reject part of the work, and part of that is tried again (`Review`).
A plan holds a bound y up to a share if no more than y of what goes out is defective for all q up to
it. Reviewers who see a share e of the defects let q (1 - e) through even if they review everything:
beyond some q no plan holds any bound.

Sources: Dodge (1943) for streams; Dodge and Romig (1959) for lots that are reviewed in full once
their sample fails; both with a detection below 1, with rework, and streams with late results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.oversee.sampling import csp1_fraction, lot_acceptance

Array = NDArray[np.float64]
Delays = tuple[float, float]
GRID = 257
"""Defect shares at which a bound is held, up to the highest."""
MOST_CLEARANCE = 10_000
LEAST_SHARE = 0.005
"""Least share that a stream is sampled with: with less, a worse stream is noticed too late."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What becomes of a finished task in the long run, rejected ones tried again."""

    reviews: float
    """Reviews per finished task, those of retries included."""
    accepted: float
    """Tasks taken per finished task."""
    rejected_reviews: float
    """Reviews that end in a rejection, per finished task."""
    escaped: float
    """Defects that go out per finished task."""

    @property
    def outgoing(self) -> float:
        """AOQ: escaped defects over tasks taken."""
        return self.escaped / self.accepted if self.accepted > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Review:
    """What a review does."""

    detection: float
    """Share of the defects that it finds."""
    false_alarms: float = 0.0
    """Share of the good tasks that it rejects."""
    rework_share: float = 0.0
    """Share of the rejected tasks that is tried again, as defective as the first; others are
    dropped."""
    rework_limit: int = 1
    """Most times that one task is tried again; what comes back is always reviewed."""

    def rejects(self, q: ArrayLike) -> Array:
        """Share of the reviewed tasks that is rejected where q are defective."""
        share = np.asarray(q, dtype=np.float64)
        return share * self.detection + (1.0 - share) * self.false_alarms

    def balance(self, q: ArrayLike, reviewed: ArrayLike) -> tuple[Array, Array, Array, Array]:
        """(reviews, tasks taken, rejections, escaped defects) per finished task where q are
        defective and a share `reviewed` of the first tries is reviewed."""
        p, f = np.asarray(q, dtype=np.float64), np.asarray(reviewed, dtype=np.float64)
        x = self.rejects(p)
        z = x * self.rework_share
        rounds = sum((z**n for n in range(self.rework_limit)), np.zeros(z.shape))
        first = f * x
        second = first * self.rework_share * rounds
        miss = p * (1.0 - self.detection)
        return (
            f + second,
            1.0 - first + second * (1.0 - x),
            first + second * x,
            p * (1.0 - f) + f * miss + second * miss,
        )

    def flow(self, q: float, reviewed: float) -> Flow:
        """The same for one share."""
        return Flow(*(float(part) for part in self.balance(q, reviewed)))

    def outgoing(self, q: ArrayLike, reviewed: ArrayLike) -> Array:
        """AOQ: escaped defects over tasks taken; 1 where nothing is taken and all is defective."""
        _, taken, _, escaped = self.balance(q, reviewed)
        out = np.ones(np.broadcast(taken, escaped).shape)
        np.divide(escaped, taken, out=out, where=taken > 0)
        return out


@dataclass(frozen=True, slots=True)
class Plan:
    """What is reviewed."""

    kind: str
    """all, none, share, csp1 or lots."""
    reviewed: float
    """F at the expected defect share."""
    outgoing: float
    """AOQ there."""
    worst: float
    """Worst AOQ up to `holds_to`."""
    holds_to: float
    """Defect share up to which the bound holds."""
    share: float = 1.0
    """f of "share" and "csp1"."""
    clearance: int = 0
    """i of "csp1"."""
    sample: int = 0
    """n of "lots"."""
    accept: int = 0
    """c of "lots"."""
    lot: int = 0
    """N of "lots"."""

    def __str__(self) -> str:
        if self.kind == "csp1":
            return (
                f"CSP-1: everything until {self.clearance} in a row show no defect, then "
                f"{self.share:.3g} of it, everything again after a defect"
            )
        if self.kind == "lots":
            return (
                f"lots of {self.lot}: a sample of {self.sample}; more than {self.accept} defects, "
                "and the whole lot is reviewed"
            )
        return {"all": "everything", "none": "nothing"}.get(
            self.kind, f"a share of {self.share:.3g}, at random"
        )


def lot_fraction(p: ArrayLike, sample: int, accept: int, lot: int) -> Array:
    """Share of the work that is reviewed with lots: ``n / N + (1 - Pa(p)) (1 - n / N)``; p are the
    tasks that a review rejects."""
    first = sample / lot
    return np.asarray(first + (1.0 - lot_acceptance(p, sample, accept)) * (1.0 - first))


def holdable(bound: float, review: Review) -> float:
    """The largest defect share up to which reviewing everything holds the bound; 1 for all."""
    if float(review.outgoing(_grid(1.0), 1.0).max()) <= bound:
        return 1.0
    return _smallest(lambda q: float(review.outgoing(q, 1.0)) > bound, 0.0, 1.0, 60)


def choose_plan(
    defects: float,
    bound: float,
    review: Review,
    *,
    holds_to: float | None = None,
    lot: int = 1000,
    delays: Delays = (0.0, 0.0),
    kinds: tuple[str, ...] = ("csp1", "lots", "share"),
) -> Plan:
    """The plan with the fewest reviews at `defects` that holds AOQ <= `bound` up to `holds_to`.

    Without `holds_to` it is half more than the expected share, or half of the way to where these
    reviewers can no longer hold it. `delays` are those of `csp1_fraction`; lots wait for their
    result, a plain share needs none. Raises InputError, with the reason, where no sampling can.
    """
    possible = holdable(bound, review)
    for share in (defects, holds_to or 0.0):
        if share > possible:
            raise InputError(_impossible(share, bound, review, possible))
    room = min(defects, possible - defects) / 2.0
    to = defects + room if holds_to is None else max(holds_to, defects)
    wanted = Wanted(defects, bound, review, _grid(to), lot, delays)
    if wanted.worst(np.zeros(GRID)) <= bound:
        return wanted.plan("none", 0.0, np.zeros(GRID))
    found = [plan for kind in kinds for plan in _FINDERS[kind](wanted)]
    found.append(wanted.plan("all", 1.0, np.ones(GRID)))
    return min(found, key=lambda plan: plan.reviewed)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the finders look for."""

    defects: float
    bound: float
    review: Review
    q: Array
    """[GRID] defect shares at which the bound must hold, the last of them the highest."""
    lot: int
    delays: Delays

    def worst(self, reviewed: Array) -> float:
        """Worst AOQ with the shares that are reviewed at `q`."""
        return float(self.review.outgoing(self.q, reviewed).max())

    def plan(self, kind: str, reviewed: float, law: Array, **settings: Any) -> Plan:
        """The plan that reviews so much at the expected share, and `law` at `q`."""
        out = float(self.review.outgoing(self.defects, reviewed))
        return Plan(kind, reviewed, out, self.worst(law), float(self.q[-1]), **settings)


def _impossible(p: float, bound: float, review: Review, possible: float) -> Problem:
    out = float(review.outgoing(p, 1.0))
    return Problem(
        "",
        "aoql",
        f"at most {bound:.3g} may be defective of what goes out, but of {p:.3g} reviewers who "
        f"find {review.detection:.3g} leave {out:.3g} even if they review everything",
        f"{out:.3g} or more",
        f"at most {possible:.3g} defects, or reviewers who find more: measure it with planted "
        "defects",
    )


def _grid(to: float) -> Array:
    return np.linspace(0.0, to, GRID)


def _smallest(holds: Callable[[float], bool], low: float, high: float, steps: int = 40) -> float:
    """The smallest value between that holds, if it holds from there on and at `high`."""
    for _ in range(steps):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _shares(w: Wanted) -> list[Plan]:
    def law(f: float) -> Array:
        return np.full(GRID, f)

    f = _smallest(lambda f: w.worst(law(f)) <= w.bound, 0.0, 1.0)
    return [w.plan("share", f, law(f), share=f)]


def _streams(w: Wanted) -> list[Plan]:
    seen, expected = w.review.rejects(w.q), float(w.review.rejects(w.defects))
    found = []
    for i in np.unique(np.geomspace(1, MOST_CLEARANCE, 60).astype(int)):

        def law(f: float, i: int = int(i)) -> Array:
            return csp1_fraction(seen, f, i, delays=w.delays)

        f = _smallest(lambda f, law=law: w.worst(law(f)) <= w.bound, LEAST_SHARE, 1.0)  # type: ignore[misc]
        reviewed = float(csp1_fraction(expected, f, i, delays=w.delays))
        found.append(w.plan("csp1", reviewed, law(f), share=f, clearance=int(i)))
    return found


def _lots(w: Wanted) -> list[Plan]:
    seen, expected = w.review.rejects(w.q), float(w.review.rejects(w.defects))
    found = []
    for c in range(min(11, w.lot - 1)):

        def law(n: int, c: int = c) -> Array:
            return lot_fraction(seen, n, c, w.lot)

        low, high = c, w.lot
        while high - low > 1:
            n = (low + high) // 2
            low, high = (low, n) if w.worst(law(n)) <= w.bound else (n, high)
        reviewed = float(lot_fraction(expected, high, c, w.lot))
        found.append(w.plan("lots", reviewed, law(high), sample=high, accept=c, lot=w.lot))
    return found


_FINDERS = {"csp1": _streams, "lots": _lots, "share": _shares}
