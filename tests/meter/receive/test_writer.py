"""The writer: nothing is called safe before it is on disk, and bounds hold."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineshaft.meter.receive import segments, writer
from lineshaft.meter.receive.frames import META, Frame, Frames
from lineshaft.meter.receive.writer import BusyError, Writer


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Writer]]:
    made: list[Writer] = []

    def start(**options: Any) -> Writer:
        made.append(Writer(tmp_path, **options))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def bodies(folder: Path) -> list[bytes]:
    """Bodies of all segments, in order."""
    paths = [*segments.listed(folder, segments.CLOSED), *segments.listed(folder, segments.OPEN)]
    return [
        bytes(frame.body)
        for path in paths
        for frame in Frames(path.read_bytes())
        if frame.kind != META
    ]


def test_safe_means_synced(
    make: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    sync, gate = os.fdatasync, threading.Event()

    def slow(handle: int) -> None:
        gate.wait(5)
        sync(handle)
        synced.extend(bodies(tmp_path))

    monkeypatch.setattr(writer.os, "fdatasync", slow)
    keeper = make()
    future = keeper.append(Frame(1, 0, 1, b"a"))
    time.sleep(0.05)
    assert not future.done()
    gate.set()
    future.result(5)
    assert synced == [b"a"]


def test_one_sync_serves_all_that_wait(
    make: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(writer.os, "fdatasync", lambda handle: (gate.wait(5), sync(handle)))
    keeper = make()
    futures = [keeper.append(Frame(1, 0, n, b"%d" % n)) for n in range(100)]
    gate.set()
    for future in futures:
        future.result(5)
    assert bodies(tmp_path) == [b"%d" % n for n in range(100)]
    assert keeper.groups <= 3


def test_segments_close_by_size_and_age(make: Callable[..., Writer], tmp_path: Path) -> None:
    keeper = make(segment_bytes=100, segment_s=0.2)
    keeper.append(Frame(1, 0, 1, b"x" * 100)).result(5)
    keeper.append(Frame(1, 0, 2, b"small"), plain=100).result(5)
    keeper.append(Frame(1, 0, 3, b"old")).result(5)
    assert keeper.closed.wait(5)
    until = time.monotonic() + 5
    while len(segments.listed(tmp_path, segments.CLOSED)) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(segments.listed(tmp_path, segments.CLOSED)) == 3
    assert not segments.listed(tmp_path, segments.OPEN)


def test_memory_is_bounded(make: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch) -> None:
    gate, sync = threading.Event(), os.fdatasync
    monkeypatch.setattr(writer.os, "fdatasync", lambda handle: (gate.wait(5), sync(handle)))
    keeper = make(most_waiting=100)
    first = keeper.append(Frame(1, 0, 1, b"x" * 60))
    with pytest.raises(BusyError, match="waiting"):
        keeper.append(Frame(1, 0, 2, b"x" * 60))
    gate.set()
    first.result(5)
    until = time.monotonic() + 5
    while time.monotonic() < until:  # room comes back
        try:
            keeper.append(Frame(1, 0, 2, b"x" * 60)).result(5)
            break
        except BusyError:
            time.sleep(0.01)
    else:
        pytest.fail("no room came back")


def test_disk_is_bounded(make: Callable[..., Writer], tmp_path: Path) -> None:
    keeper = make(most_bytes=1000, segment_bytes=1)
    with pytest.raises(BusyError, match="bound on disk"):
        for n in range(100):
            keeper.append(Frame(1, 0, n, b"x" * 100)).result(5)
            keeper._backlog_s = float("-inf")  # as if a second had passed
    assert "bound" in keeper.full
    for path in segments.listed(tmp_path, segments.CLOSED):  # drained
        path.unlink()
    keeper._backlog_s = float("-inf")
    keeper.append(Frame(1, 0, 1, b"again")).result(5)
    assert keeper.full == ""


def test_a_nearly_full_disk_takes_nothing(make: Callable[..., Writer], tmp_path: Path) -> None:
    keeper = make(least_free=1 << 60)
    with pytest.raises(BusyError, match="nearly full"):
        keeper.append(Frame(1, 0, 1, b"x")).result(5)
    assert bodies(tmp_path) == []


@pytest.mark.parametrize("where", ["write", "sync"])
def test_a_full_disk_loses_nothing_and_mends(
    make: Callable[..., Writer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    keeper = make()
    keeper.append(Frame(1, 0, 1, b"before")).result(5)
    write, full = os.write, threading.Event()
    full.set()

    def half(handle: int, data: Any) -> int:
        if not full.is_set():
            return write(handle, data)
        if len(data) > 20:
            return write(handle, data[:20])  # what still had room
        raise OSError(errno.ENOSPC, "No space left on device")

    def sync(handle: int) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(writer.os, *(("write", half) if where == "write" else ("fdatasync", sync)))
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                keeper.append(Frame(1, 0, 2, b"not acknowledged")).result(5)
        assert "No space" in keeper.full
        full.clear()
        keeper.append(Frame(1, 0, 3, b"after")).result(5)
    assert keeper.full == ""
    assert bodies(tmp_path) == [b"before", b"after"]


def test_a_stopped_writer_takes_nothing(make: Callable[..., Writer], tmp_path: Path) -> None:
    keeper = make()
    future = keeper.append(Frame(1, 0, 1, b"last"))
    keeper.stop()
    assert future.done()
    assert bodies(tmp_path) == [b"last"]
    with pytest.raises(BusyError, match="stopping"):
        keeper.append(Frame(1, 0, 2, b"late"))
