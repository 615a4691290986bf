"""Strings and integers to dense numbers: a hash table with open addressing that compares bytes.

A table holds numbers + 1, 0 where it is empty; its length is a power of two, at least twice the
numbers in it. The names themselves lie one behind the other, so nothing is kept twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]


@njit(cache=True, nogil=True, inline="always")
def _hash(data: Array, lo: int, hi: int) -> Any:
    """64 bits of the bytes [lo, hi): FNV-1a by bytes, then mixed (the finish of SplitMix64)."""
    h = np.uint64(0xCBF29CE484222325)
    for k in range(lo, hi):
        h = (h ^ np.uint64(data[k])) * np.uint64(0x100000001B3)
    return _mix(h)


@njit(cache=True, nogil=True, inline="always")
def _mix(h: Any) -> Any:
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")
def _look(data: Array, lo: int, hi: int, names: Array, ends: Array, table: Array) -> Any:
    """(number of the bytes [lo, hi), or -1; their place in the table, or the free one for them)."""
    mask = np.uint64(len(table) - 1)
    j = _hash(data, lo, hi) & mask
    while True:
        at = int(table[j]) - 1
        if at < 0:
            return -1, j
        start = int(ends[at - 1]) if at > 0 else 0
        if int(ends[at]) - start == hi - lo:
            same = True
            for k in range(hi - lo):
                if names[start + k] != data[lo + k]:
                    same = False
                    break
            if same:
                return at, j
        j = (j + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def find(data: Array, length: int, names: Array, ends: Array, table: Array) -> int:
    """The number of the first `length` bytes, 2^32 - 1 where they have none."""
    at, _ = _look(data, 0, length, names, ends, table)
    return at if at >= 0 else 0xFFFFFFFF


@njit(cache=True, nogil=True)
def intern(
    data: Array, offsets: Array, names: Array, ends: Array, count: int, table: Array, out: Array
) -> int:
    """Number each string of (data, offsets); return the count of numbers with the new ones.

    New names are written behind the known ones: `names`, `ends` and `table` must have room for all.
    """
    for i in range(len(offsets) - 1):
        lo, hi = int(offsets[i]), int(offsets[i + 1])
        at, j = _look(data, lo, hi, names, ends, table)
        if at < 0:
            at = count
            start = int(ends[count - 1]) if count > 0 else 0
            for k in range(lo, hi):
                names[start + k - lo] = data[k]
            ends[count] = start + hi - lo
            count += 1
            table[j] = count
        out[i] = at
    return count


@njit(cache=True, nogil=True)
def rehash(names: Array, ends: Array, count: int, table: Array) -> None:
    """Fill an empty table with the numbers of known names."""
    mask = np.uint64(len(table) - 1)
    start = 0
    for at in range(count):
        j = _hash(names, start, int(ends[at])) & mask
        while table[j] != 0:
            j = (j + np.uint64(1)) & mask
        table[j] = at + 1
        start = int(ends[at])


@njit(cache=True, nogil=True)
def intern_whole(x: Array, known: Array, count: int, table: Array, out: Array) -> int:
    """Number each integer; return the count of numbers with the new ones.

    New ones are written behind the known ones: `known` and `table` must have room for all.
    """
    mask = np.uint64(len(table) - 1)
    for i in range(len(x)):
        j = _mix(np.uint64(x[i])) & mask
        while True:
            at = int(table[j]) - 1
            if at < 0:
                known[count] = x[i]
                count += 1
                table[j] = count
                out[i] = count - 1
                break
            if known[at] == x[i]:
                out[i] = at
                break
            j = (j + np.uint64(1)) & mask
    return count


@njit(cache=True, nogil=True)
def rehash_whole(known: Array, count: int, table: Array) -> None:
    """Fill an empty table with the numbers of known integers."""
    mask = np.uint64(len(table) - 1)
    for at in range(count):
        j = _mix(np.uint64(known[at])) & mask
        while table[j] != 0:
            j = (j + np.uint64(1)) & mask
        table[j] = at + 1
