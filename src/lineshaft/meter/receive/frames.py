"""Frames: what is acknowledged, one after the other in a file, each with its checksum.

A frame is a mark, the length of its body, a CRC-32 of all that follows it, a kind, flags, the time
of arrival and the body. The mark lets a reader go on after a damaged frame; a tail after which no
whole frame follows is one that was being written when the power went.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

MARK = b"\xdaAA1"
HEADER = struct.Struct("<4sII")
REST = struct.Struct("<BBQ")
"""Kind, flags, arrival in microseconds UTC: what the checksum covers, with the body."""

META, TRACES, LOGS, METRICS, MQTT = range(5)
"""Kinds. META: JSON about the frames that follow, the first of a file. TRACES, LOGS, METRICS: the
body of an OTLP request. MQTT: topic, newline, payload."""

AS_JSON, GZIPPED = 1, 2
"""Flags: of an OTLP request its encoding, and whether the body is compressed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One acknowledged request or message."""

    kind: int
    flags: int
    ingest_us: int
    body: bytes | memoryview
    tenant: str = ""
    """Whose it is where the source does not say; in a file the META frame before it says so."""

    def encoded(self) -> bytes:
        """The frame as it stands in a file."""
        rest = REST.pack(self.kind, self.flags, self.ingest_us)
        crc = zlib.crc32(self.body, zlib.crc32(rest))
        return b"".join((HEADER.pack(MARK, len(self.body), crc), rest, self.body))


def meta(tenant: str) -> Frame:
    """The frame that says whose those after it are."""
    return Frame(META, 0, 0, json.dumps({"tenant": tenant}).encode())


def tenanted(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The frames of a file with their tenants, without those that say so."""
    tenant = ""
    for frame in frames:
        if frame.kind == META:
            tenant = str(json.loads(bytes(frame.body)).get("tenant", ""))
        else:
            yield replace(frame, tenant=tenant)


def joined(frames: Iterable[Frame]) -> bytes:
    """A file of these frames and their tenants."""
    found, tenant = [meta("").encoded()], ""
    for frame in frames:
        if frame.tenant != tenant:
            tenant = frame.tenant
            found.append(meta(tenant).encoded())
        found.append(frame.encoded())
    return b"".join(found)


class Frames:
    """The whole frames of a file's content, in order, and what lies between them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = 0
        """End of the last whole frame."""
        self.damaged = 0
        """Bytes before `end` that belong to no whole frame."""

    def __iter__(self) -> Iterator[Frame]:
        self.end = self.damaged = 0
        at = 0
        while (at := self.data.find(MARK, at)) >= 0:
            frame = self._at(at)
            if frame is None:
                at += 1
                continue
            self.damaged += at - self.end
            at = self.end = at + HEADER.size + REST.size + len(frame.body)
            yield frame

    def _at(self, at: int) -> Frame | None:
        """The frame that starts here, if it is whole."""
        start = at + HEADER.size
        if start + REST.size > len(self.data):
            return None
        _, length, crc = HEADER.unpack_from(self.data, at)
        stop = start + REST.size + length
        if stop > len(self.data) or zlib.crc32(memoryview(self.data)[start:stop]) != crc:
            return None
        kind, flags, ingest_us = REST.unpack_from(self.data, start)
        return Frame(kind, flags, ingest_us, memoryview(self.data)[start + REST.size : stop])
