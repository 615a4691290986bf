"""128-bit keys of Arrow texts, and dense numbers of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

U64 = NDArray[np.uint64]
NONE = 0xFFFFFFFF
"""The number of what is not there."""


def text_keys(texts: pa.Array) -> U64:
    """[row, 2] the key of each text of a plain string array; of a null, that of the empty text."""
    import pyarrow as pa

    from lineshaft.meter.kernels import keys as kernels

    out = np.empty((len(texts), 2), np.uint64)
    if not len(texts):
        return out
    wide = pa.types.is_large_string(texts.type)
    _, ends, data = texts.buffers()
    places: NDArray[np.integer] = np.frombuffer(ends, np.int64 if wide else np.int32)
    places = places[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    kernels.texts(held, places, out)
    return out


def pair_keys(first: U64, one: NDArray[Any], second: U64, two: NDArray[Any]) -> U64:
    """[row, 2] the key of the pair first[one[row]], second[two[row]]; a place below 0 is none."""
    from lineshaft.meter.kernels import keys as kernels

    out = np.empty((len(one), 2), np.uint64)
    kernels.joined(first, one, second, two, out)
    return out


def digest(columns: Iterable[pa.Array]) -> U64:
    """[row, 2] the key of what the columns say in a row, in their order."""
    import pyarrow as pa

    from lineshaft.meter.kernels import keys as kernels

    lanes: list[U64] = []
    for column in columns:
        there = column.is_valid().to_numpy(zero_copy_only=False)
        if not there.any():
            both = 2 * [np.zeros(len(column), np.uint64)]
        elif pa.types.is_string(column.type):
            words = text_keys(column) * there[:, None]
            both = [words[:, 0], words[:, 1]]
        else:
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.int64())
            bits = column.fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
            both = [bits, bits + there.astype(np.uint64)]
        lanes = lanes or [np.zeros(len(column), np.uint64) for _ in range(2)]
        for lane, word in zip(lanes, both, strict=True):
            kernels.contents(np.ascontiguousarray(word), lane)
        kernels.contents(lanes[0], lanes[1])  # so that neither is blind to what the other sees
    return np.column_stack(lanes)


def hexadecimal(keys: U64) -> pa.Array:
    """Keys as texts of 32 hexadecimal digits."""
    import pyarrow as pa

    octets = keys.astype(">u8").view(np.uint8)
    digits = np.stack((octets >> 4, octets & 15), axis=-1).reshape(-1)
    letters = np.frombuffer(b"0123456789abcdef", np.uint8)[digits]
    ends = np.arange(len(keys) + 1, dtype=np.int32) * 32
    return pa.StringArray.from_buffers(len(keys), pa.py_buffer(ends), pa.py_buffer(letters))


class Numbers:
    """Dense numbers of keys, 0 for the first that came."""

    def __init__(self) -> None:
        self._known = np.zeros((1 << 8, 2), np.uint64)
        self._table = np.zeros(1 << 10, np.uint32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def keys(self) -> U64:
        """[number, 2]"""
        return self._known[: self._count]

    def of(self, keys: U64, there: NDArray[np.bool_] | None = None) -> NDArray[np.uint32]:
        """[row] the number of each key; NONE where `there` says that it has none."""
        from lineshaft.meter.kernels import keys as kernels

        there = np.ones(len(keys), np.bool_) if there is None else there
        out = np.empty(len(keys), np.uint32)
        step = 1 << 20  # room is made for a step at a time: most keys come again
        for lo in range(0, len(keys), step):
            part = keys[lo : lo + step]
            self._make_room(len(part))
            self._count = kernels.numbered(
                part, there[lo : lo + step], NONE, self._known, self._count, self._table,
                out[lo : lo + step],
            )  # fmt: skip
        return out

    def _make_room(self, more: int) -> None:
        from lineshaft.meter.kernels import keys as kernels

        wanted = self._count + more
        if wanted > len(self._known):
            known = np.zeros((2 * wanted, 2), np.uint64)
            known[: self._count] = self.keys
            self._known = known
        if 2 * wanted > len(self._table):
            self._table = np.zeros(1 << (4 * wanted - 1).bit_length(), np.uint32)
            kernels.rehashed(self._known, self._count, self._table)
