"""The writer of the write-ahead log: one thread, one sync for all that wait.

Requests and messages are handed over as frames; the thread writes all that have come together,
syncs once, and only then says that they are safe.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from lineshaft.meter.receive import segments
from lineshaft.meter.receive.frames import Frame, meta


class BusyError(Exception):
    """There is no room now; the sender is to come again after `retry_s`."""

    def __init__(self, why: str, retry_s: int) -> None:
        super().__init__(why)
        self.retry_s = retry_s


_Waiting = tuple[Frame, int, Future[None]]
"""A frame, its bytes before compression, and who waits for it."""


class Writer:
    """Makes frames last. `append` may be called from any thread.

    Parameters
    ----------
    folder
        The write-ahead log's; the caller holds its lock `receiving`.
    tenant
        Kept with each segment for whoever drains it.
    segment_bytes, segment_s
        Size, uncompressed, and age at which a segment is closed.
    most_waiting, most_bytes, least_free
        Bounds, bytes: frames in memory, segments on disk, room left on the disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tenant: str = "",
        segment_bytes: int = 8 << 20,
        segment_s: float = 30.0,
        most_waiting: int = 64 << 20,
        most_bytes: int = 1 << 62,
        least_free: int = 0,
    ) -> None:
        self.folder = folder
        self.tenant = tenant
        self.segment_bytes, self.segment_s = segment_bytes, segment_s
        self.most_waiting, self.most_bytes, self.least_free = most_waiting, most_bytes, least_free
        self.written = 0
        """Bytes made to last."""
        self.groups = 0
        """Syncs that did it."""
        self.closed = threading.Event()
        """Set when a segment was closed, for who drains; they clear it."""
        self.full = ""
        """Why nothing can be written now; empty while all is well."""
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._stopping = False
        self._file = -1
        self._path = folder
        self._size = 0
        self._load = 0
        self._opened_s = 0.0
        self._backlog = 0
        self._backlog_s = float("-inf")
        self._thread = threading.Thread(target=self._run, name="wal", daemon=True)
        self._thread.start()

    def append(self, frame: Frame, plain: int | None = None) -> Future[None]:
        """Done when the frame is on disk; holds BusyError or the OSError where it is not.

        `plain`: bytes of the body before compression. Raises BusyError where too much waits
        already, and once the writer has stopped.
        """
        size = len(frame.body)
        with self._wake:
            if self._stopping:
                raise BusyError("the receiver is stopping", 5)
            if self._waiting_bytes + size > self.most_waiting:
                raise BusyError("too much is waiting to be written", 1)
            future: Future[None] = Future()
            future.set_running_or_notify_cancel()  # a sender that gives up cannot take it back
            self._waiting.append((frame, size if plain is None else plain, future))
            self._waiting_bytes += size
            self._wake.notify()
        return future

    def stop(self) -> None:
        """Write what waits, close the segment, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    @property
    def backlog(self) -> int:
        """Bytes of segments on disk that are not drained yet, as of a second ago."""
        if time.monotonic() - self._backlog_s > 1.0:
            self._backlog = sum(_size(entry) for entry in os.scandir(self.folder))
            self._backlog_s = time.monotonic()
        return self._backlog

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    if not self._wake.wait(self._left_s()):
                        break
                group, self._waiting = self._waiting, []
                stopping = self._stopping
            if group:
                self._commit(group)
                with self._wake:
                    self._waiting_bytes -= sum(len(frame.body) for frame, _, _ in group)
            if self._file >= 0 and (
                stopping or self._load >= self.segment_bytes or self._left_s() <= 0
            ):
                self._close()
            if stopping and not group:
                return

    def _left_s(self) -> float:
        """Seconds until the open segment is old enough to be closed."""
        if self._file < 0:
            return 3600.0
        return max(0.0, self._opened_s + self.segment_s - time.monotonic())

    def _commit(self, group: list[_Waiting]) -> None:
        """Write and sync a group, then tell each of its senders how it went."""
        error: Exception | None = None
        try:
            self._room()
            self._write(b"".join(frame.encoded() for frame, _, _ in group))
            self._load += sum(plain for _, plain, _ in group)
        except Exception as raised:  # whatever it is, the senders hear of it
            error = raised
        self.full = "" if error is None else str(error)
        for _, _, future in group:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

    def _room(self) -> None:
        """Raise BusyError where disk runs short: draining needs some to make room again."""
        if self.backlog > self.most_bytes:
            raise BusyError("what is to be drained has reached its bound on disk", 10)
        if self.least_free:
            disk = os.statvfs(self.folder)
            if disk.f_bavail * disk.f_frsize < self.least_free:
                raise BusyError("the disk is nearly full", 10)

    def _write(self, content: bytes) -> None:
        if self._file < 0:
            self._open()
        try:
            _put(self._file, content)
        except OSError:
            self._undo()
            raise
        self._size += len(content)
        self._backlog += len(content)
        self.written += len(content)
        self.groups += 1

    def _open(self) -> None:
        path = segments.new(self.folder)
        first = meta(self.tenant).encoded()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        try:
            _put(handle, first)
            segments.sync_folder(self.folder)
        except OSError:
            os.close(handle)
            path.unlink()
            raise
        self._file, self._path, self._size, self._load = handle, path, len(first), 0
        self._opened_s = time.monotonic()

    def _undo(self) -> None:
        """Leave a segment after an error at its last acknowledged frame, and write no more to it:
        what the system kept of the rest cannot be known."""
        try:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)
        except OSError:
            pass  # whoever drains it finds the end by the checksums
        if self._load:
            self._close()
        else:  # nothing acknowledged is in it
            os.close(self._file)
            self._file = -1
            with suppress(OSError):
                self._path.unlink()

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1
        try:
            segments.close(self._path)
        except OSError:
            return  # it stays open in name: recovered at the next start
        self.closed.set()


def _put(handle: int, content: bytes) -> None:
    """Write all of it, on disk when this returns."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
    os.fdatasync(handle)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # drained just now
        return 0
