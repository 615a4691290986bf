"""128-bit keys of texts, dense numbers of keys, and keys that come more than once.

A text is taken eight bytes at a time into two lanes that multiply and mix one another; two texts
of a log meet by chance with a probability of n^2 / 2^129, never in practice.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

U64 = NDArray[np.uint64]

_A = np.uint64(0x9E3779B97F4A7C15)
_B = np.uint64(0xD6E8FEB86659FD93)
_C = np.uint64(0xBF58476D1CE4E5B9)
_D = np.uint64(0x94D049BB133111EB)


@njit(cache=True, inline="always")
def _mixed(x: np.uint64) -> np.uint64:
    x ^= x >> np.uint64(30)
    x *= _C
    x ^= x >> np.uint64(27)
    x *= _D
    return np.uint64(x ^ (x >> np.uint64(31)))


@njit(cache=True, nogil=True)
def texts(data: NDArray[np.uint8], ends: NDArray[np.integer], out: U64) -> None:
    """out[row, 2]: the key of each text; text i is data[ends[i] : ends[i + 1]]."""
    for row in range(len(ends) - 1):
        lo, hi = ends[row], ends[row + 1]
        one, two = _A, _B ^ np.uint64(hi - lo)
        at = lo
        while at < hi:
            word = np.uint64(0)
            for k in range(min(8, hi - at)):
                word |= np.uint64(data[at + k]) << np.uint64(8 * k)
            one = _mixed(one ^ word) + two
            two = (two ^ (word * _B)) * _A + (one >> np.uint64(32))
            at += 8
        out[row, 0] = _mixed(one ^ (two >> np.uint64(17)))
        out[row, 1] = _mixed(two + _A)


@njit(cache=True, nogil=True)
def joined(
    first: U64, one: NDArray[np.integer], second: U64, two: NDArray[np.integer], out: U64
) -> None:
    """out[row, 2]: the key of the pair first[one[row]], second[two[row]]; a place below 0 is a
    text that is not there."""
    for row in range(len(out)):
        a, b = np.uint64(0), np.uint64(0)
        if one[row] >= 0:
            a, b = first[one[row], 0], first[one[row], 1]
        c, d = np.uint64(0), np.uint64(0)
        if two[row] >= 0:
            c, d = second[two[row], 0], second[two[row], 1]
        x = _mixed(a ^ (c * _A)) + b
        out[row, 0] = _mixed(x ^ (d * _B))
        out[row, 1] = _mixed(d + (b ^ _C) * _D + (x >> np.uint64(7)))


@njit(cache=True, nogil=True)
def numbered(
    keys: U64,
    there: NDArray[np.bool_],
    none: int,
    known: U64,
    count: int,
    table: NDArray[np.uint32],
    out: NDArray[np.uint32],
) -> int:
    """Dense numbers of keys: out[row] the place of its key in `known`, `none` where it is not
    there. New keys are appended; gives the new count. `table` (a power of two, more than twice the
    final count) holds places plus one."""
    mask = np.uint64(len(table) - 1)
    for row in range(len(keys)):
        if not there[row]:
            out[row] = none
            continue
        high, low = keys[row, 0], keys[row, 1]
        at = low & mask
        while True:
            place = table[at]
            if place == 0:
                known[count, 0], known[count, 1] = high, low
                count += 1
                table[at] = count
                out[row] = count - 1
                break
            if known[place - 1, 0] == high and known[place - 1, 1] == low:
                out[row] = place - 1
                break
            at = (at + np.uint64(1)) & mask
    return count


@njit(cache=True, nogil=True)
def rehashed(known: U64, count: int, table: NDArray[np.uint32]) -> None:
    """Fill an empty table with the known keys."""
    mask = np.uint64(len(table) - 1)
    for place in range(count):
        at = known[place, 1] & mask
        while table[at] != 0:
            at = (at + np.uint64(1)) & mask
        table[at] = place + 1


@njit(cache=True, nogil=True)
def sizes(high: U64, shift: int, counts: NDArray[np.int64]) -> None:
    """Add to counts[b] the keys whose top bits are b."""
    by = np.uint64(shift)
    for row in range(len(high)):
        counts[high[row] >> by] += 1


@njit(cache=True, nogil=True)
def scattered(
    high: U64, low: U64, first: int, shift: int, lo: int, hi: int, at: NDArray[np.int64],
    keys: U64, rows: NDArray[np.int64],
) -> None:  # fmt: skip
    """Put each key of the buckets lo to hi, and its row number (from `first` on), in its bucket;
    at[b - lo] is the next free place of bucket b."""
    by, from_, to = np.uint64(shift), np.uint64(lo), np.uint64(hi)
    for row in range(len(low)):
        bucket = high[row] >> by
        if bucket < from_ or bucket >= to:
            continue
        place = at[bucket - from_]
        keys[place, 0], keys[place, 1] = high[row], low[row]
        rows[place] = first + row
        at[bucket - from_] = place + 1


@njit(cache=True, nogil=True)
def repeated(keys: U64, starts: NDArray[np.int64], again: NDArray[np.bool_]) -> int:
    """Marks in again[place] every key that comes more than once; gives how many such places.

    Bucket b is keys[starts[b] : starts[b + 1]]: small enough that its table stays in the cache.
    """
    most = 0
    for b in range(len(starts) - 1):
        most = max(most, starts[b + 1] - starts[b])
    size = 16
    while size < 2 * most:
        size *= 2
    table = np.zeros(size, np.int64)
    found = 0
    for b in range(len(starts) - 1):
        lo, hi = starts[b], starts[b + 1]
        used = 16
        while used < 2 * (hi - lo):
            used *= 2
        table[:used] = 0
        mask = np.uint64(used - 1)
        for place in range(lo, hi):
            at = keys[place, 1] & mask
            while True:
                other = table[at]
                if other == 0:
                    table[at] = place + 1
                    break
                if keys[other - 1, 1] == keys[place, 1] and keys[other - 1, 0] == keys[place, 0]:
                    found += (not again[other - 1]) + (not again[place])
                    again[other - 1] = again[place] = True
                    break
                at = (at + np.uint64(1)) & mask
    return found


@njit(cache=True, nogil=True)
def contents(words: NDArray[np.uint64], out: U64) -> None:
    """Mix words[row] into the digest of each row."""
    for row in range(len(out)):
        out[row] = _mixed(out[row] * _A + words[row])
