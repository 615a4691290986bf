"""What to review and what slips through: sampling plans, the index rule, detection.

`p` is the share of defective work, `detection` the probability that a reviewer who looks at a
defect sees it. All functions broadcast unless their docstring says otherwise.
Sources: Dodge (1943) for CSP-1; Dodge and Romig (1959) and ISO 2859-1 for lots; Montgomery,
"Introduction to Statistical Quality Control".
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lineshaft.errors import InputError, Problem

Array = NDArray[np.float64]
Law = Literal["binomial", "poisson", "hypergeometric"]


def csp1_fraction(
    p: ArrayLike,
    sample_share: ArrayLike,
    clearance: ArrayLike,
    detection: ArrayLike = 1.0,
    delays: tuple[float, float] = (0.0, 0.0),
) -> Array:
    """Long-run share of a stream that is reviewed under Dodge's CSP-1.

    All work is reviewed until `clearance` items in a row show no defect, then a `sample_share` of
    it, and all again after a defect: ``F = f / (f + (1 - f)(1 - p e)^i)``. That holds if the result
    of a review is known at once. `delays` are the items that come before it is known, while all is
    reviewed and while a share is; every phase is longer by them (renewal reward, with the phases'
    means ``((1 - p e)^-i - 1) / (p e)`` and ``1 / (f p e)`` by Dodge).
    """
    f = np.asarray(sample_share, dtype=np.float64)
    x = np.asarray(p, dtype=np.float64) * np.asarray(detection, dtype=np.float64)
    clean = (1.0 - x) ** np.asarray(clearance, dtype=np.float64)
    # Both phases times f x (1 - x)^i, which stays finite without defects and with nothing but them.
    scale = x * clean
    full = f * (1.0 - clean + delays[0] * scale)
    part = clean + f * delays[1] * scale
    return np.asarray((full + f * part) / (full + part))


def csp1_aoq(
    p: ArrayLike, sample_share: ArrayLike, clearance: ArrayLike, detection: ArrayLike = 1.0
) -> Array:
    """Average outgoing quality of CSP-1, ``p (1 - e F)``: the share of defects that slips through.

    Defects that are found are replaced by good work.
    """
    share = csp1_fraction(p, sample_share, clearance, detection)
    return np.asarray(p, dtype=np.float64) * (1.0 - np.asarray(detection) * share)


def csp1_aoql(sample_share: float, clearance: int, detection: float = 1.0) -> tuple[float, float]:
    """(worst average outgoing quality over all p, the p where it occurs) of CSP-1.

    With detection below 1 the worst case is often p = 1, where 1 - e slips through: no sampling
    plan bounds the quality of reviewers who do not see.
    """
    low, high = 0.0, 1.0
    for _ in range(12):  # zoom on the best grid point; the grid also covers both ends
        grid = np.linspace(low, high, 1001)
        best = int(np.argmax(csp1_aoq(grid, sample_share, clearance, detection)))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 1000)]
    worst = 0.5 * (low + high)
    worst = 1.0 if worst > 1.0 - 1e-9 else worst
    return float(csp1_aoq(worst, sample_share, clearance, detection)), float(worst)


def lot_acceptance(
    p: ArrayLike, sample: int, accept: int, lot: int = 0, law: Law = "binomial"
) -> Array:
    """Probability that a lot passes: at most `accept` defects among `sample` items looked at.

    `law` is how defects fall into the sample; "hypergeometric" needs the lot's size `lot` and
    rounds p x lot to whole defects. Shape of `p`. Raises InputError for an impossible plan.
    """
    if not 0 <= accept < sample or (law == "hypergeometric" and lot < sample):
        raise InputError(
            Problem(
                "",
                "oversee.lot",
                f"sample {sample}, accept {accept}, lot {lot}",
                "0 <= accept < sample <= lot",
            )
        )
    from scipy.special import bdtr, gammaln, pdtr

    share = np.asarray(p, dtype=np.float64)
    if law == "binomial":
        return np.asarray(bdtr(float(accept), sample, share), dtype=np.float64)
    if law == "poisson":
        return np.asarray(pdtr(float(accept), share * sample), dtype=np.float64)

    def ln_choose(n: Array, k: Array) -> Array:
        inside = (k >= 0) & (k <= n)
        safe_k, safe_n = np.where(inside, k, 0.0), np.where(inside, n, 0.0)
        ways = gammaln(safe_n + 1) - gammaln(safe_k + 1) - gammaln(safe_n - safe_k + 1)
        return np.where(inside, ways, -np.inf)

    bad = np.round(share * lot)
    total = np.zeros(share.shape)
    everything = ln_choose(np.array(float(lot)), np.array(float(sample)))
    for k in range(accept + 1):
        drawn = np.full(share.shape, float(k))
        ways = ln_choose(bad, drawn) + ln_choose(lot - bad, sample - drawn)
        total = total + np.exp(ways - everything)
    return np.minimum(total, 1.0)


def lot_aoq(p: ArrayLike, sample: int, accept: int, lot: int, law: Law = "binomial") -> Array:
    """Average outgoing quality ``p Pa(p) (N - n) / N`` when rejected lots are fully reviewed."""
    passes = lot_acceptance(p, sample, accept, lot, law)
    return np.asarray(np.asarray(p, dtype=np.float64) * passes * ((lot - sample) / lot))


def lot_aoql(sample: int, accept: int, lot: int, law: Law = "binomial") -> float:
    """Worst average outgoing quality over all p: over whole defects, or over a fine grid."""
    if law == "hypergeometric":
        return float(lot_aoq(np.arange(lot + 1) / lot, sample, accept, lot, law).max())
    # Above 5 (accept + 2) expected defects in the sample nothing passes any more.
    grid = np.linspace(0.0, min(1.0, 5.0 * (accept + 2) / sample), 200_001)
    return float(lot_aoq(grid, sample, accept, lot, law).max())


def lot_tolerance(sample: int, accept: int, risk: float = 0.1, law: Law = "binomial") -> float:
    """The defect share at which a lot still passes with probability `risk` (LTPD at 0.1)."""
    if law == "hypergeometric":
        raise InputError(
            Problem("", "oversee.lot_tolerance", "hypergeometric has steps", "binomial or poisson")
        )
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        passes = float(lot_acceptance(middle, sample, accept, law=law))
        low, high = (middle, high) if passes > risk else (low, middle)
    return 0.5 * (low + high)


def review_index(
    p: ArrayLike, loss_usd: ArrayLike, minutes: ArrayLike, detection: ArrayLike = 1.0
) -> Array:
    """Expected loss avoided per minute of review, ``p e L / h``, in USD per minute."""
    share, loss, cost, seen = (
        np.asarray(v, dtype=np.float64) for v in (p, loss_usd, minutes, detection)
    )
    return share * seen * loss / cost


def choose_reviews(
    index: ArrayLike,
    minutes: ArrayLike,
    budget_min: float,
    wage_usd_per_h: float,
    irreversible: ArrayLike = False,
) -> tuple[Array, float]:
    """(share of each item to review [item], shadow price of reviewer time in USD per hour).

    Irreversible items come first, whatever they cost. Then the highest index, as long as it
    covers the wage and minutes are left: the optimum of the fractional knapsack. The shadow price
    is what one more reviewer hour would save above its wage; 0 when time is left over.
    """
    value, cost = (
        np.asarray(v, dtype=np.float64).ravel()
        for v in np.broadcast_arrays(
            np.asarray(index, dtype=np.float64), np.asarray(minutes, dtype=np.float64)
        )
    )
    forced = np.broadcast_to(np.asarray(irreversible, dtype=bool), value.shape)
    wanted = forced | (value >= wage_usd_per_h / 60.0)
    rank = np.where(forced, np.inf, value)
    order = np.argsort(-rank, kind="stable")
    need = np.where(wanted, cost, 0.0)[order]
    before = np.cumsum(need) - need
    taken = np.clip(budget_min - before, 0.0, need)
    share = np.zeros(value.shape)
    share[order] = np.divide(taken, need, out=np.zeros(need.shape), where=need > 0)
    short = wanted & (share < 1.0)
    price = float(60.0 * value[short].max() - wage_usd_per_h) if short.any() else 0.0
    return share, max(price, 0.0)


def detection_interval(
    found: ArrayLike, seeded: ArrayLike, level: float = 0.95
) -> tuple[Array, Array]:
    """(low, high) for the reviewers' detection probability from defects seeded into the work.

    Jeffreys' interval, ``Beta(found + 1/2, seeded - found + 1/2)``, with the exact ends 0 and 1
    where none or all were found (Brown, Cai and DasGupta 2001).
    """
    from scipy.special import betaincinv

    k, n = np.broadcast_arrays(np.asarray(found, np.float64), np.asarray(seeded, np.float64))
    tail = (1.0 - level) / 2.0
    low = np.where(k > 0, betaincinv(k + 0.5, n - k + 0.5, tail), 0.0)
    high = np.where(k < n, betaincinv(k + 0.5, n - k + 0.5, 1.0 - tail), 1.0)
    return low, high
