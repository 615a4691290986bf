"""The write-ahead log's folder: its segments, who may touch them, what is already drained.

`LOG/wal/NUMBER.open` is being written, `NUMBER.wal` is closed. Numbers are hexadecimal
microseconds and only grow, so that they order segments and are never used twice. `drained.json`
says up to which number the log has everything.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lineshaft.files import whole
from lineshaft.meter.receive.frames import Frames

OPEN, CLOSED = ".open", ".wal"
DRAINED = "drained.json"


def folder_of(log: Path) -> Path:
    """Where a log keeps what is acknowledged and not yet turned into events."""
    return log / "wal"


def number(segment: Path) -> int:
    """The number of a segment."""
    return int(segment.stem, 16)


def listed(folder: Path, suffix: str) -> list[Path]:
    """Segments with this suffix, oldest first."""
    found = [path for path in folder.glob(f"*{suffix}") if _is_number(path.stem)]
    return sorted(found, key=number)


def _is_number(text: str) -> bool:
    return len(text) == 16 and not set(text) - set("0123456789abcdef")


def new(folder: Path) -> Path:
    """The name of a segment that comes after all that are, or ever were, here."""
    before = [number(path) for suffix in (OPEN, CLOSED) for path in listed(folder, suffix)]
    after = max([int(drained(folder).get("after", "0"), 16), *before])
    return folder / f"{max(time.time_ns() // 1000, after + 1):016x}{OPEN}"


def close(segment: Path) -> Path:
    """Give an open segment the name of a closed one; what it holds is on disk already."""
    closed = segment.with_suffix(CLOSED)
    segment.rename(closed)
    sync_folder(segment.parent)
    return closed


def recover(folder: Path) -> int:
    """Number of segments that a killed receiver left open, now closed: the frame that was being
    written, never acknowledged, is cut off. Only who holds the lock `receiving` may call this."""
    left = listed(folder, OPEN)
    for segment in left:
        frames = Frames(segment.read_bytes())
        kept = sum(1 for _ in frames)
        if not kept:
            segment.unlink()
            continue
        with segment.open("r+b") as file:
            file.truncate(frames.end)
            os.fsync(file.fileno())
        close(segment)
    return len(left)


def drained(folder: Path) -> dict[str, Any]:
    """What draining left for its next time; empty before the first."""
    try:
        found = json.loads((folder / DRAINED).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def note_drained(folder: Path, state: dict[str, Any]) -> None:
    """Keep that for the next time, on disk when this returns."""
    write_synced(folder / DRAINED, json.dumps(state).encode())


def write_synced(path: Path, content: bytes) -> None:
    """A file that is whole and on disk when this returns."""
    with whole(path) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new, renamed and deleted names in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def lock(folder: Path, name: str, *, wait_s: float | None = 0.0) -> Iterator[bool]:
    """Whether this process now holds `name` (receiving or draining) in the folder; it does until
    the block ends or the process dies. `wait_s`: how long to wait for it, None for ever."""
    handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        until = None if wait_s is None else time.monotonic() + wait_s
        while not (held := _try(handle)) and (until is None or time.monotonic() < until):
            time.sleep(0.05)
        yield held
    finally:
        os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
