"""Dense numbers of names, and arrays that are kept on disk or made again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from lineshaft.meter import compact
from lineshaft.meter.compact import NONE, Ids, Key, Store, WholeIds

NAMES = st.lists(st.none() | st.text(max_size=6), max_size=40)


def numbered(lists: list[list[str | None]]) -> tuple[list[list[int]], list[str]]:
    """What a dictionary of Python says."""
    known: dict[str, int] = {}
    out = [[NONE if n is None else known.setdefault(n, len(known)) for n in row] for row in lists]
    return out, list(known)


@settings(max_examples=60, deadline=None)
@given(st.lists(NAMES, max_size=4))
def test_names_are_numbered_as_they_come(lists: list[list[str | None]]) -> None:
    ids = Ids()
    want, names = numbered(lists)
    for row, numbers in zip(lists, want, strict=True):
        column = pa.array([None, *row], pa.string())[1:]  # with an offset
        assert ids.of(column).tolist() == numbers
        assert ids.of(column.dictionary_encode()).tolist() == numbers
        assert ids.of(pa.chunked_array([column.cast(pa.large_string())])).tolist() == numbers
    assert ids.names().to_pylist() == names
    again = Ids.from_arrays(ids.arrays())
    assert again.names().equals(ids.names())
    for number, name in enumerate(names):
        assert again.find(name) == number
    assert again.find("a name that is too long to be drawn") == NONE
    assert again.of(pa.array(names, pa.string())).tolist() == list(range(len(names)))


def test_many_names() -> None:
    """Enough to grow everything several times, in two columns that overlap."""
    ids = Ids()
    names = pa.array([f"{k * 7919 % 100_003:x}" for k in range(100_003)])
    assert_array_equal(ids.of(names), np.arange(100_003))
    assert_array_equal(ids.of(names[::-1].slice(0, 50_000)), np.arange(100_003)[::-1][:50_000])
    assert ids.names().equals(names.cast(pa.large_string()))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=60)))
def test_integers_are_numbered_as_they_come(lists: list[list[int]]) -> None:
    ids, known = WholeIds(), dict[int, int]()
    for row in lists:
        want = [known.setdefault(x, len(known)) for x in row]
        assert ids.of(np.array(row, np.int64)).tolist() == want
    assert ids.names().tolist() == list(known)
    assert len(ids) == len(known)


ARRAYS = {
    "numbers": np.arange(7, dtype=np.uint32),
    "table": np.arange(12.0).reshape(3, 4),
    "none": np.zeros((3, 0), np.int16),
    "records": np.array([(1, 2.5), (3, 4.5)], [("a", "<i4"), ("b", "<f8")]),
    "flags": np.array([True, False]),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "log" / "part.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"x": [1, 2, 3]}), path)
    return path


def test_what_was_put_is_found(tmp_path: Path, source: Path) -> None:
    store, key = Store(tmp_path / "log" / ".daa1"), Key.of(source, "x", tmp_path / "log")
    assert key.path == "part.parquet"
    assert store.get(key) is None
    assert store.put(key, ARRAYS)
    assert store.get(key) is not None
    found = Store(store.folder).get(key)
    assert found is not None
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert not found[name].flags.writeable
    assert store.get(Key.of(source, "y", tmp_path / "log")) is None


def test_a_changed_source_is_not_the_one_that_was_read(tmp_path: Path, source: Path) -> None:
    store, key = Store(tmp_path / "store"), Key.of(source)
    store.put(key, ARRAYS)
    os.utime(source, ns=(5, 5))
    assert store.get(Key.of(source)) is None
    stat = source.stat()
    pq.write_table(pa.table({"x": [1, 2, 4]}), source)
    os.utime(source, ns=(5, stat.st_mtime_ns))
    changed = Key.of(source)
    assert changed.size == stat.st_size
    assert changed.mtime_ns == stat.st_mtime_ns
    assert changed.digest != key.digest
    assert store.put(changed, {"x": np.zeros(1)})
    assert store.get(key) is None
    assert len(list(store.folder.iterdir())) == 1, "one file for a source, whatever its state"


def test_keys_of_what_is_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x"
    digests = set()
    for data in (b"", b"abc", b"abd", b"\xff\xff\xff\xffPAR1", b"x" * 100_000):
        path.write_bytes(data)
        digests.add(Key.of(path).digest)
    assert len(digests) == 5
    with pytest.raises(FileNotFoundError):
        Key.of(tmp_path / "y")


def test_damage_anywhere_is_found(tmp_path: Path, source: Path) -> None:
    """Each byte of the file turned, each length cut: absent, or as it was put, never wrong."""
    store, key = Store(tmp_path / "store"), Key.of(source)
    assert store.put(key, ARRAYS)
    (path,) = store.folder.iterdir()
    data = path.read_bytes()
    padding = 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
        found = store.get(key)
        if found is not None:  # between arrays nothing is said
            padding += 1
            assert data[place] == 0
            for name, array in ARRAYS.items():
                assert_array_equal(found[name], array)
    assert padding < 64 * (len(ARRAYS) + 1)
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        assert store.get(key) is None
    path.write_bytes(data + b"more")
    assert store.get(key) is None
    path.write_bytes(os.urandom(4096))
    assert store.get(key) is None
    assert store.put(key, ARRAYS)
    assert store.get(key) is not None


def test_another_version_is_not_read(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, key = Store(tmp_path / "store"), Key.of(source)
    store.put(key, ARRAYS)
    monkeypatch.setattr(compact, "VERSION", compact.VERSION + 1)
    assert store.get(key) is None


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, source: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    store = Store(blocked / "store")
    assert not store.put(Key.of(source), ARRAYS)
    assert "store" in store.problem
    assert store.get(Key.of(source)) is None


def test_what_a_killed_writer_left_goes(tmp_path: Path, source: Path) -> None:
    store, key = Store(tmp_path / "store"), Key.of(source)
    store.put(key, ARRAYS)
    old, new = (store.folder / f"{key.name}.{pid}.part" for pid in (1, 2))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert store.put(key, ARRAYS)
    assert (old.exists(), new.exists()) == (False, True)


def _write_for_ever(folder: Path, source: Path, value: int) -> None:
    store, key = Store(folder), Key.of(source)
    while True:
        store.put(key, {"x": np.full(50_000, value)})


def test_writers_that_are_killed_leave_a_whole_file(tmp_path: Path, source: Path) -> None:
    """Two at once on one file, killed with no warning while others read."""
    store, key = Store(tmp_path / "store"), Key.of(source)
    store.put(key, {"x": np.full(50_000, 0)})
    context = multiprocessing.get_context("fork")
    seen = set()
    for _ in range(3):
        writers = [
            context.Process(target=_write_for_ever, args=(store.folder, source, value))
            for value in (1, 2)
        ]
        for writer in writers:
            writer.start()
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            found = store.get(key)
            assert found is not None
            assert len(np.unique(found["x"])) == 1
            seen.add(int(found["x"][0]))
        for writer in writers:
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        assert store.get(key) is not None
    assert seen & {1, 2}
