"""The folder of the write-ahead log: numbers, recovery, locks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lineshaft.meter.receive import segments
from lineshaft.meter.receive.frames import Frame, Frames


def test_numbers_only_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the clock goes back, and after all segments are drained."""
    first = segments.new(tmp_path)
    first.touch()
    monkeypatch.setattr(segments.time, "time_ns", lambda: 0)
    second = segments.new(tmp_path)
    assert segments.number(second) == segments.number(first) + 1
    first.unlink()
    segments.note_drained(tmp_path, {"after": second.stem})
    assert segments.number(segments.new(tmp_path)) == segments.number(second) + 1


def test_recovery_cuts_what_was_being_written(tmp_path: Path) -> None:
    kept, torn = Frame(1, 0, 3, b"kept").encoded(), Frame(1, 0, 4, b"torn").encoded()
    (tmp_path / "0000000000000001.open").write_bytes(kept + torn[:-1])
    (tmp_path / "0000000000000002.open").write_bytes(torn[:5])
    (tmp_path / "notes.open").write_bytes(b"not ours")
    assert segments.recover(tmp_path) == 2
    (closed,) = segments.listed(tmp_path, segments.CLOSED)
    assert closed.read_bytes() == kept
    assert [bytes(frame.body) for frame in Frames(closed.read_bytes())] == [b"kept"]
    assert not segments.listed(tmp_path, segments.OPEN)


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    with segments.lock(tmp_path, "receiving") as first:
        with segments.lock(tmp_path, "receiving", wait_s=0.1) as second:
            assert (first, second) == (True, False)
        with segments.lock(tmp_path, "draining") as other:
            assert other
    with segments.lock(tmp_path, "receiving") as again:
        assert again


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_broken_note_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / segments.DRAINED).write_text(content)
    assert segments.drained(tmp_path) == {}


def test_a_note_is_read_back(tmp_path: Path) -> None:
    note = {"after": "00ff", "robots": {"a/1": {"order": None}}}
    segments.note_drained(tmp_path, note)
    assert segments.drained(tmp_path) == note
    assert json.loads((tmp_path / segments.DRAINED).read_text()) == note
