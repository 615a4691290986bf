"""The closed forms of `oversee` once more, by summing states and outcomes in whole fractions.

Nothing here is shared with the engines: no recursion, no logarithm of a factorial, no floating
point before the end. Slow, and exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import comb, exp, factorial, fsum

import numpy as np

from lineshaft.stages.oversee import (
    csp1_fraction,
    erlang_a,
    erlang_c,
    lot_acceptance,
    lot_aoql,
    lot_tolerance,
    mean_wait_s,
    servers_for_delay,
    wait_quantile_s,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One figure, by the engine and exactly."""

    name: str
    engine: float
    exact: float

    @property
    def error(self) -> float:
        """Relative."""
        return abs(self.engine - self.exact) / abs(self.exact)


def waiting(servers: int, load: Fraction) -> Fraction:
    """Share that waits in M/M/c: the states summed."""
    below = sum((load**n / factorial(n) for n in range(servers)), Fraction(0))
    full = load**servers / factorial(servers) * servers / (servers - load)
    return full / (below + full)


def impatient(
    servers: int, per_s: Fraction, service_s: Fraction, patience_s: Fraction, states: int = 400
) -> tuple[Fraction, Fraction, Fraction]:
    """(share that waits, share that leaves, mean number waiting) of M/M/c with patience: birth and
    death, cut after so many waiting, where nothing is left of 30 digits."""
    weights = [Fraction(1)]
    for n in range(1, servers + states + 1):
        leave = min(n, servers) / service_s + max(n - servers, 0) / patience_s
        # Fractions of many digits are cut to 40: the sums lose nothing that is looked at.
        weights.append((weights[-1] * per_s / leave).limit_denominator(10**40))
    total = sum(weights, Fraction(0))
    queue = sum((w * (n - servers) for n, w in enumerate(weights) if n > servers), Fraction(0))
    full = sum(weights[servers:], Fraction(0))
    return full / total, queue / patience_s / per_s / total, queue / total


def passes(p: Fraction, sample: int, accept: int) -> Fraction:
    """Probability of at most so many defects in the sample, binomial."""
    return sum(
        (comb(sample, k) * p**k * (1 - p) ** (sample - k) for k in range(accept + 1)), Fraction(0)
    )


def passes_of(bad: int, lot: int, sample: int, accept: int) -> Fraction:
    """The same for a sample out of a lot with so many defects, hypergeometric."""
    ways = sum(comb(bad, k) * comb(lot - bad, sample - k) for k in range(accept + 1))
    return Fraction(ways, comb(lot, sample))


def worst_of(lot: int, sample: int, accept: int) -> Fraction:
    """AOQL over whole defects in the lot, hypergeometric."""
    most = min(lot, 6 * (accept + 2) * lot // sample)  # nothing passes beyond
    return max(
        Fraction(bad, lot) * passes_of(bad, lot, sample, accept) * Fraction(lot - sample, lot)
        for bad in range(most + 1)
    )


def worst(lot: int, sample: int, accept: int) -> float:
    """AOQL over all shares, binomial: where the slope changes its sign, by halving."""

    def outgoing(p: Fraction) -> Fraction:
        return p * passes(p, sample, accept) * Fraction(lot - sample, lot)

    def falls(p: Fraction) -> bool:
        # d/dp [p Pa] = Pa - p n C(n-1, c) p^c (1-p)^(n-1-c)
        slope = sample * comb(sample - 1, accept) * p**accept * (1 - p) ** (sample - 1 - accept)
        return passes(p, sample, accept) < p * slope

    return float(outgoing(_crossing(falls)))


def tolerated(sample: int, accept: int, risk: Fraction) -> float:
    """The share that passes with probability `risk`, by halving."""
    return float(_crossing(lambda p: passes(p, sample, accept) < risk))


def worst_rare(lot: int, sample: int, accept: int) -> float:
    """AOQL over all shares, Poisson, by halving where the slope changes its sign."""

    def terms(p: Fraction) -> list[float]:
        mean = float(p) * sample
        return [exp(-mean) * mean**k / factorial(k) for k in range(accept + 1)]

    p = _crossing(lambda p: sum(terms(p)) < float(p) * sample * terms(p)[-1])
    return float(p) * fsum(terms(p)) * (lot - sample) / lot


def reviewed(p: Fraction, share: Fraction, clearance: int) -> Fraction:
    """F of CSP-1 from the mean lengths of its phases."""
    q = 1 - p
    full = (1 - q**clearance) / (p * q**clearance)
    part = 1 / (share * p)
    return (full + share * part) / (full + part)


def _crossing(above: Callable[[Fraction], bool]) -> Fraction:
    """Where it begins to hold, between 0 and a half, to 60 halvings."""
    low, high = Fraction(0), Fraction(1, 2)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) else (middle, high)
    return low


def cases() -> Iterator[Case]:
    """The reference cases: queues, staffing, lots, streams."""
    three = waiting(3, Fraction(2))
    yield Case("mm3_p_wait", float(erlang_c(3, 2.0)), float(three))
    yield Case("mm3_wait", float(mean_wait_s(3, 2.0, 1.0)), float(three))
    for c in (5, 6):
        exact = waiting(c, Fraction(5, 2))
        yield Case(f"calls_{c}_p_wait", float(erlang_c(c, 2.5)), float(exact))
    fewest = next(c for c in range(3, 50) if waiting(c, Fraction(5, 2)) <= Fraction(1, 10))
    yield Case("calls_staff", float(servers_for_delay(30 / 3600, 300.0, 0.9)), float(fewest))
    p = waiting(50, Fraction(48))
    yield Case("centre_p_wait", float(erlang_c(50, 48.0)), float(p))
    wait = p * 60 / 2
    yield Case("centre_wait_s", float(mean_wait_s(50, 0.8, 60.0)), float(wait))
    yield Case("centre_queue", 0.8 * float(mean_wait_s(50, 0.8, 60.0)), float(wait * 4 / 5))
    p90 = 60 / 2 * float(np.log(float(p * 10)))
    yield Case("centre_p90_s", float(wait_quantile_s(50, 0.8, 60.0, 0.9)), p90)
    leaving = erlang_a(50, 0.8, 60.0, 120.0)
    waits, leave, queue = impatient(50, Fraction(4, 5), Fraction(60), Fraction(120))
    yield Case("patience_p_abandon", float(leaving.p_abandon), float(leave))
    yield Case("patience_wait_s", float(leaving.mean_wait_s), float(queue / Fraction(4, 5)))
    yield Case("patience_queue", float(leaving.queue), float(queue))
    busy = Fraction(48, 50) * (1 - leave)
    yield Case("patience_utilisation", float(leaving.utilisation), float(busy))
    yield Case("patience_p_wait", float(leaving.p_wait), float(waits))
    yield Case(
        "aoql_5000_hypergeometric", lot_aoql(65, 3, 5000, "hypergeometric"),
        float(worst_of(5000, 65, 3)),
    )  # fmt: skip
    yield Case("aoql_5000_binomial", lot_aoql(65, 3, 5000), worst(5000, 65, 3))
    yield Case("ltpd_65", lot_tolerance(65, 3), tolerated(65, 3, Fraction(1, 10)))
    yield Case(
        "aoql_10000_hypergeometric", lot_aoql(89, 2, 10_000, "hypergeometric"),
        float(worst_of(10_000, 89, 2)),
    )  # fmt: skip
    yield Case("aoql_10000_binomial", lot_aoql(89, 2, 10_000), worst(10_000, 89, 2))
    yield Case("aoql_10000_poisson", lot_aoql(89, 2, 10_000, "poisson"), worst_rare(10_000, 89, 2))
    iso = passes(Fraction(65, 10_000), 80, 1)
    yield Case("iso_2859", float(lot_acceptance(0.0065, 80, 1)), float(iso))
    stream = reviewed(Fraction(2, 100), Fraction(1, 10), 50)
    yield Case("csp1", float(csp1_fraction(0.02, 0.1, 50)), float(stream))
