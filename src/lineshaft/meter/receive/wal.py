"""Draining: closed segments of the write-ahead log become canonical events, and then go.

A segment's events are on disk, under a name made from the segment's number, before it is noted as
drained, and noted before it is deleted. Whoever is killed in between leaves a segment that is
drained once more, into the same files. What has to wait for its trace is carried from segment to
segment in a file of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lineshaft.meter.receive import segments
from lineshaft.meter.receive.frames import Frame, Frames, joined, tenanted

Tell = Callable[[str], None]

CARRIED = ".carried"


def drain(log_path: str | Path, tell: Tell | None = None, *, background: bool = False) -> int:
    """Number of events that closed segments became and that now stand in LOG/events.

    Waits for another process that is draining the same log. While a receiver runs, traces that are
    not complete wait; where none runs, all that was acknowledged becomes events. A log without a
    write-ahead log, or one that cannot be written to, gives 0. `background`: one segment only, and
    traces wait even if the receiver has just been killed, since it will be back.

    RunError where events cannot be written: the segments stay.
    """
    folder = segments.folder_of(Path(log_path))
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return 0
    with segments.lock(folder, "draining", wait_s=None):
        if background:
            return _Drain(Path(log_path), folder, tell).run(last=False, most=1)
        with segments.lock(folder, "receiving") as alone:
            if alone:
                segments.recover(folder)
        return _Drain(Path(log_path), folder, tell).run(last=alone, most=None)


class _Drain:
    """One pass over a write-ahead log."""

    def __init__(self, log: Path, folder: Path, tell: Tell | None) -> None:
        self.log, self.folder, self.tell = log, folder, tell
        self.state = segments.drained(folder)
        self.events = 0

    def run(self, *, last: bool, most: int | None) -> int:
        """Drain so many segments; the last time nothing is left waiting."""
        closed, stepped = segments.listed(self.folder, segments.CLOSED)[:most], False
        for segment in closed:
            if segments.number(segment) > int(self.state.get("after", "0"), 16):
                frames = Frames(segment.read_bytes())
                found = list(tenanted(frames))
                self._check(segment.name, frames)
                self._step(
                    found, {"after": segment.stem}, wait=not (last and segment == closed[-1])
                )
                stepped = True
            segment.unlink()
        if self.state.get("carried") and not stepped:  # time alone completes traces
            after, late = self.state.get("after", "0"), self.state.get("late", 0) + 1
            self._step([], {"after": after, "late": late}, wait=not last)
        return self.events

    def _step(self, frames: list[Frame], at: dict[str, Any], *, wait: bool) -> None:
        """Turn frames, and those carried to them, into events and a new state, which is `at`."""
        from lineshaft.meter.log import Log
        from lineshaft.meter.receive import convert, hold

        now_us = max((frame.ingest_us for frame in frames), default=time.time_ns() // 1000)
        carried = self.folder / (self.state.get("carried") or "none")
        before = list(tenanted(Frames(carried.read_bytes()))) if carried.is_file() else []
        go, stay = hold.sift([*before, *frames], now_us) if wait else ([*before, *frames], [])
        if not go and not frames:
            return
        name = f"{at['after']}-{at.get('late', 0):06d}"
        robots: dict[str, Any] = self.state.get("robots", {})
        if go:
            table, aside, faults, robots = convert.events(go, robots)
            Log.open(self.log, create=True).append(table, faults, aside, name=f"wal-{name}")
            self.events += table.num_rows
        left = f"{name}{CARRIED}" if stay else ""
        if stay:
            segments.write_synced(self.folder / left, joined(stay))
        self.state = {**at, "robots": robots, "carried": left}
        segments.note_drained(self.folder, self.state)
        for old in self.folder.glob(f"*{CARRIED}"):
            if old.name != left:
                old.unlink()

    def _check(self, name: str, frames: Frames) -> None:
        """Keep a segment that lost something: a closed one was whole once."""
        lost = frames.damaged + len(frames.data) - frames.end
        if not lost:
            return
        kept = self.log / "aside" / f"wal-{name}.damaged"
        kept.parent.mkdir(exist_ok=True)
        segments.write_synced(kept, frames.data)
        if self.tell is not None:
            self.tell(f"{name}: {lost} bytes are damaged; a copy is kept as {kept}")
