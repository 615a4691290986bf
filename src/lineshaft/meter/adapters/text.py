"""Text that other programs wrote: plain or gzip, with or without a byte order mark, whole or cut.

JSON comes as one document, an array, lines, or server-sent events. What cannot be read is counted
with its place; everything before and after it is read.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters.rows import encode
from lineshaft.meter.events import Faults
from lineshaft.words import shortened

GZIP = b"\x1f\x8b"
MARK = b"\xef\xbb\xbf"
CHUNK = 1 << 20


class _Unpacked(io.RawIOBase):
    """What a gzip stream holds. One that is cut off or damaged ends where it does, and is told."""

    def __init__(self, packed: BinaryIO, faults: Faults) -> None:
        self._packed, self._faults = packed, faults
        self._unpacker = zlib.decompressobj(wbits=31)
        self._ready, self._over = b"", False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._over:
            part = self._unpacker.unused_data or self._packed.read(CHUNK)
            if self._unpacker.eof:  # another member may follow, after zeros at most
                part = part.lstrip(b"\0")
                if part:
                    self._unpacker = zlib.decompressobj(wbits=31)
            elif not part:
                self._faults.add("unreadable", example="gzip file is cut off")
            if not part:
                self._over = True
                break
            try:
                self._ready = self._unpacker.decompress(part)
            except zlib.error as error:
                self._faults.add("unreadable", example=f"gzip file is damaged: {error}")
                self._over = True
        taken = self._ready[: len(buffer)]
        buffer[: len(taken)] = taken
        self._ready = self._ready[len(taken) :]
        return len(taken)

    def close(self) -> None:
        self._packed.close()
        super().close()


def open_bytes(data: Path | bytes, faults: Faults | None = None) -> BinaryIO:
    """The bytes of a file or a value, unpacked where they are gzip; one that is cut off is a fault.

    InputError where the file cannot be opened.
    """
    try:
        raw: BinaryIO = io.BytesIO(data) if isinstance(data, bytes) else data.open("rb")
    except OSError as error:
        raise InputError(
            Problem(str(data), "", f"cannot be read: {error.strerror}", "a file")
        ) from None
    start = raw.read(2)
    raw.seek(0)
    if start != GZIP:
        return raw
    return io.BufferedReader(_Unpacked(raw, faults or Faults()), CHUNK)


def head(data: Path | bytes, size: int = CHUNK) -> bytes:
    """The first bytes, unpacked, without a byte order mark."""
    with open_bytes(data) as file:
        return file.read(size).removeprefix(MARK)


def content(data: Path | bytes, faults: Faults) -> bytes:
    """All bytes, unpacked, without a byte order mark."""
    with open_bytes(data, faults) as file:
        return file.read().removeprefix(MARK)


def lines(data: Path | bytes, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """(number, line) of the lines that are not empty."""
    for number, line in enumerate(_every(data, faults), 1):
        if line:
            yield number, line


def _every(data: Path | bytes, faults: Faults) -> Iterator[bytes]:
    """Every line, stripped, and an empty one at the end."""
    with open_bytes(data, faults) as file:
        for number, line in enumerate(file):
            yield (line if number else line.removeprefix(MARK)).strip()
    yield b""


def parse(document: bytes) -> Any:
    """The value of a JSON document; ValueError where it is none."""
    return json.loads(document.decode("utf-8"))


def records(data: Path | bytes, faults: Faults) -> Iterator[tuple[Any, str]]:
    """(value, form) of every JSON record; form: line, array (an item of one), or sse.

    A document over several lines is one record.
    """
    start = head(data, 1 << 16).lstrip()
    if start.startswith(b"["):
        yield from _array(data, faults)
    elif start.startswith((b"data:", b"event:", b"id:", b"retry:", b":")):
        yield from _events(data, faults)
    elif start.startswith(b"{") and not _by_line(start):
        try:
            yield parse(content(data, faults)), "line"
        except ValueError as error:
            faults.add("unreadable", example=f"JSON document: {error}")
    else:
        for number, line in lines(data, faults):
            try:
                yield parse(line), "line"
            except (ValueError, RecursionError):
                shown = shortened(line.decode("utf-8", "replace"), 60)
                faults.add("unreadable", example=f"line {number}: {shown}")


def write(values: Iterable[tuple[Any, str]]) -> bytes:
    """The records as they came: lines, an array, or server-sent events."""
    items = list(values)
    if items and all(form == "array" for _, form in items):
        return ("[" + ",\n".join(encode(value) for value, _ in items) + "]\n").encode()
    parts = (f"data: {encode(v)}\n\n" if form == "sse" else encode(v) + "\n" for v, form in items)
    return "".join(parts).encode()


def _by_line(start: bytes) -> bool:
    """Whether the first line is a document of its own (or a second one begins after it)."""
    first, _, rest = start.partition(b"\n")
    try:
        parse(first)
    except (ValueError, RecursionError):
        return rest.lstrip(b" \t\r\n").startswith(b"{")  # the first line is broken, others follow
    return True


def _array(data: Path | bytes, faults: Faults) -> Iterator[tuple[Any, str]]:
    try:
        document = content(data, faults).decode("utf-8")
    except UnicodeDecodeError as error:
        faults.add("unreadable", example=f"JSON array: {error}")
        return
    decoder, place = json.JSONDecoder(), document.index("[") + 1
    while True:  # item by item: a cut array gives its whole items
        while place < len(document) and document[place] in " \t\r\n,":
            place += 1
        if place < len(document) and document[place] == "]":
            return
        try:
            value, place = decoder.raw_decode(document, place)
        except (ValueError, RecursionError) as error:
            faults.add("unreadable", example=f"JSON array: {error}")
            return
        yield value, "array"


def _events(data: Path | bytes, faults: Faults) -> Iterator[tuple[Any, str]]:
    """Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    held: list[bytes] = []
    for line in _every(data, faults):
        if line.startswith(b"data:"):
            held.append(line[5:].removeprefix(b" "))
        elif not line and held:
            try:
                yield parse(b"\n".join(held)), "sse"
            except (ValueError, RecursionError):
                shown = shortened(held[0].decode("utf-8", "replace"), 60)
                faults.add("unreadable", example=f"event stream: {shown}")
            held = []
