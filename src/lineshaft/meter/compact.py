"""What was read once is not read again: dense numbers for names, and arrays on disk by source file.

A store is a folder beside a log. It can be deleted at any time, and whatever in it does not fit —
another version, another source file, a byte that changed — counts as absent and is made again. All
files are written whole and renamed, so a reader sees an old file or a new one, and of two writers
the last wins.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.files import whole

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
"""Of the files of a store. Another one is not read."""
MAGIC = b"DAA1"
ALIGN = 64
LEFT_S = 3600.0
"""A part of a file that is older was left by a process that was killed."""
STEP = 1 << 16
"""Names that are looked up at a time. Room is made for as many new ones, though most are known."""
NONE = 0xFFFFFFFF
"""The number of a null."""


@dataclass(frozen=True, slots=True)
class Key:
    """A source file as it was when it was read, and what was made of it."""

    path: str
    size: int
    mtime_ns: int
    digest: str
    """Of its last bytes: for a Parquet file of its footer, which tells of every page."""
    what: str = ""
    """What the arrays are, with all that they depend on besides the file: a zone, column names."""

    @classmethod
    def of(cls, path: Path, what: str = "", beside: Path | None = None) -> Key:
        """The key of the file as it is now, its path relative to `beside` where it lies in there.

        OSError where it cannot be read.
        """
        stat = path.stat()
        shown = path.resolve()
        if beside is not None and shown.is_relative_to(beside.resolve()):
            shown = shown.relative_to(beside.resolve())
        with path.open("rb") as file:
            file.seek(max(stat.st_size - 8, 0))
            tail = file.read(8)
            length = 1 << 16
            if tail[4:] == b"PAR1":
                length = int.from_bytes(tail[:4], "little") + 8
            file.seek(max(stat.st_size - length, 0))
            digest = hashlib.sha256(file.read(length)).hexdigest()[:32]
        return cls(shown.as_posix(), stat.st_size, stat.st_mtime_ns, digest, what)

    @property
    def name(self) -> str:
        """Of the file in the store: one for each path and purpose, whatever the source's state."""
        text = f"{self.path}\0{self.what}".encode()
        return hashlib.sha256(text).hexdigest()[:32] + ".daa1"


class Ids:
    """Dense numbers of strings, 0 for the first that came, kept when they are extended."""

    def __init__(self) -> None:
        self._names = np.zeros(1 << 12, np.uint8)
        self._ends = np.zeros(1 << 8, np.int64)
        self._table = np.zeros(1 << 9, np.uint32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, column: Any) -> NDArray[np.uint32]:
        """[row] the number of each string of an Arrow array, chunked or not, dictionary or plain.

        Unknown strings get the next numbers; nulls are NONE.
        """
        import pyarrow as pa

        if isinstance(column, pa.ChunkedArray):
            parts = [self.of(chunk) for chunk in column.chunks]
            return np.concatenate(parts) if parts else np.zeros(0, np.uint32)
        if pa.types.is_dictionary(column.type):
            numbers = np.append(self.of(column.dictionary), np.uint32(NONE))
            places = column.indices.cast(pa.int64()).fill_null(len(numbers) - 1)
            out: NDArray[np.uint32] = numbers[places.to_numpy(zero_copy_only=False)]
            return out
        return self._intern(column.cast(pa.large_string()))

    def find(self, name: str) -> int:
        """The number of a string, NONE where it has none."""
        from lineshaft.meter.kernels import ids as kernels

        data = np.frombuffer(name.encode() or b"\0", np.uint8)
        length = len(name.encode())
        return int(kernels.find(data, length, self._names, self._ends, self._table))

    def names(self) -> pa.Array:
        """The strings in the order of their numbers, as an Arrow array of large strings."""
        import pyarrow as pa

        offsets = np.concatenate((np.zeros(1, np.int64), self._ends[: self._count]))
        data = self._names[: offsets[-1]].tobytes()
        buffers = [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.large_string(), self._count, buffers)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `from_arrays` needs."""
        used = int(self._ends[self._count - 1]) if self._count else 0
        return {"names": self._names[:used], "ends": self._ends[: self._count]}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Ids:
        """The numbers that `arrays` was taken from."""
        out = cls()
        out._names, out._ends = arrays["names"].copy(), arrays["ends"].copy()
        out._count = len(out._ends)
        out._rehash(out._count)
        return out

    def _intern(self, column: pa.Array) -> NDArray[np.uint32]:
        from lineshaft.meter.kernels import ids as kernels

        there = None
        if len(column) == 0:  # may have no buffers
            return np.zeros(0, np.uint32)
        if column.null_count:
            there = column.is_valid().to_numpy(zero_copy_only=False)
            column = column.drop_null()
        _, offsets_buffer, data_buffer = column.buffers()
        ends = np.frombuffer(offsets_buffer, np.int64)[column.offset :][: len(column) + 1]
        data = np.frombuffer(data_buffer or b"", np.uint8)
        out = np.empty(len(column), np.uint32)
        for lo in range(0, len(column), STEP):
            part = ends[lo : lo + STEP + 1]
            self._make_room(len(part) - 1, int(part[-1] - part[0]))
            self._count = kernels.intern(
                data, part, self._names, self._ends, self._count, self._table, out[lo : lo + STEP]
            )
        if there is None:
            return out
        spaced = np.full(len(there), NONE, np.uint32)
        spaced[there] = out
        return spaced

    def _make_room(self, names: int, length: int) -> None:
        used = int(self._ends[self._count - 1]) if self._count else 0
        self._names = _grown(self._names, used + length)
        self._ends = _grown(self._ends, self._count + names)
        if 2 * (self._count + names) > len(self._table):
            self._rehash(self._count + names)

    def _rehash(self, most: int) -> None:
        """A table with room for so many names, and those that are known in it."""
        from lineshaft.meter.kernels import ids as kernels

        self._table = np.zeros(_power(2 * most), np.uint32)
        kernels.rehash(self._names, self._ends, self._count, self._table)


class WholeIds:
    """Dense numbers of integers, 0 for the first that came."""

    def __init__(self) -> None:
        self._known = np.zeros(1 << 8, np.int64)
        self._table = np.zeros(1 << 9, np.uint32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, x: NDArray[np.int64]) -> NDArray[np.uint32]:
        """[row] the number of each integer; unknown ones get the next numbers."""
        from lineshaft.meter.kernels import ids as kernels

        out = np.empty(len(x), np.uint32)
        for lo in range(0, len(x), STEP):
            part = x[lo : lo + STEP]
            most = self._count + len(part)
            self._known = _grown(self._known, most)
            if 2 * most > len(self._table):
                self._table = np.zeros(_power(2 * most), np.uint32)
                kernels.rehash_whole(self._known, self._count, self._table)
            self._count = kernels.intern_whole(
                part, self._known, self._count, self._table, out[lo : lo + STEP]
            )
        return out

    def names(self) -> NDArray[np.int64]:
        """The integers in the order of their numbers."""
        return self._known[: self._count]


class Store:
    """Named arrays by source file, in a folder that may be deleted at any time.

    Where the folder cannot be written to, nothing is kept: `problem` says why.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problem = ""

    def get(self, key: Key) -> dict[str, NDArray[Any]] | None:
        """The arrays of a key, mapped from disk and read-only; None where nothing whole was put
        for an equal key."""
        found = _read(self.folder / key.name)
        return None if found is None or found[0].get("key") != asdict(key) else found[1]

    def put(self, key: Key, arrays: Mapping[str, NDArray[Any]]) -> bool:
        """Keep arrays of plain numbers. False, and `problem` set, where that cannot be done."""
        path = self.folder / key.name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(f"{path.name}.*.part"):
                with suppress(FileNotFoundError):  # another writer's, done by now
                    if time.time() - left.stat().st_mtime > LEFT_S:
                        left.unlink()
            with whole(path) as part:
                _write(part, {"key": asdict(key)}, arrays)
        except OSError as error:
            self.problem = f"{path}: {error.strerror or error}"
            return False
        return True


# --- one file: magic, length and checksum of the head, the head, then the arrays, aligned ---------


def _write(path: Path, head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    listed: list[dict[str, Any]] = []
    at = 0
    bodies = [np.ascontiguousarray(array) for array in arrays.values()]
    for name, body in zip(arrays, bodies, strict=True):
        dtype = np.lib.format.dtype_to_descr(body.dtype)
        check = zlib.crc32(_bytes(body))
        listed.append({"name": name, "dtype": dtype, "shape": body.shape, "at": at, "check": check})
        at += -(-body.nbytes // ALIGN) * ALIGN
    text = json.dumps({**head, "version": VERSION, "arrays": listed, "size": at}).encode()
    start = -(-(len(MAGIC) + 12 + len(text)) // ALIGN) * ALIGN
    with path.open("wb") as file:
        file.write(MAGIC + len(text).to_bytes(8, "little"))
        file.write(zlib.crc32(text).to_bytes(4, "little") + text)
        for entry, body in zip(listed, bodies, strict=True):
            file.seek(start + entry["at"])
            file.write(_bytes(body))
        file.truncate(start + at)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """(head, arrays) of a file, or None where it is absent, of another version or damaged."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return None
    length = int.from_bytes(data[4:12], "little")
    text = data[16 : 16 + length]
    if data[:4] != MAGIC or zlib.crc32(text).to_bytes(4, "little") != data[12:16]:
        return None
    head = json.loads(text)
    start = -(-(len(MAGIC) + 12 + length) // ALIGN) * ALIGN
    if head["version"] != VERSION or len(data) != start + head["size"]:
        return None
    arrays = {}
    for entry in head["arrays"]:
        dtype = np.lib.format.descr_to_dtype(_descr(entry["dtype"]))
        count = int(np.prod(entry["shape"], dtype=np.int64))
        place = start + entry["at"]
        if zlib.crc32(memoryview(data)[place : place + count * dtype.itemsize]) != entry["check"]:
            return None
        arrays[entry["name"]] = np.frombuffer(data, dtype, count, place).reshape(entry["shape"])
    return head, arrays


def _bytes(array: NDArray[Any]) -> Any:
    return array.reshape(-1).view(np.uint8).data


def _descr(plain: Any) -> Any:
    """A dtype's description as JSON gives it back, lists for tuples."""
    if isinstance(plain, str):
        return plain
    return [tuple(field) for field in plain]


def _grown(array: NDArray[Any], length: int) -> NDArray[Any]:
    if length <= len(array):
        return array
    out = np.zeros(_power(length), array.dtype)
    out[: len(array)] = array
    return out


def _power(least: int) -> int:
    """A power of two, `least` or more."""
    return 1 << max(least - 1, 511).bit_length()
