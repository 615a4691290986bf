"""Frames: what was written is read back, and damage costs what it hits and no more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.meter.receive.frames import HEADER, MARK, REST, Frame, Frames

frames = st.lists(
    st.builds(
        Frame,
        kind=st.integers(0, 4),
        flags=st.integers(0, 3),
        ingest_us=st.integers(0, 2**63),
        body=st.binary(max_size=60) | st.just(MARK) | st.just(MARK * 5),
    ),
    min_size=1,
    max_size=8,
)


def plain(found: Frames) -> list[tuple[int, int, int, bytes]]:
    return [(f.kind, f.flags, f.ingest_us, bytes(f.body)) for f in found]


def said(written: list[Frame]) -> list[tuple[int, int, int, bytes]]:
    return [(f.kind, f.flags, f.ingest_us, bytes(f.body)) for f in written]


@given(frames)
def test_what_is_written_is_read(written: list[Frame]) -> None:
    data = b"".join(frame.encoded() for frame in written)
    found = Frames(data)
    assert plain(found) == said(written)
    assert (found.end, found.damaged) == (len(data), 0)


@given(frames, st.data())
def test_a_torn_tail_costs_the_last_frame_only(written: list[Frame], data: st.DataObject) -> None:
    whole = b"".join(frame.encoded() for frame in written)
    cut = data.draw(st.integers(len(whole) - len(written[-1].encoded()), len(whole) - 1))
    found = Frames(whole[:cut])
    assert plain(found) == said(written[:-1])
    assert found.damaged == 0
    assert found.end == len(whole) - len(written[-1].encoded())


@given(frames, frames, st.data())
def test_a_wrong_byte_costs_the_frame_it_is_in(
    before: list[Frame], after: list[Frame], data: st.DataObject
) -> None:
    hit = Frame(1, 0, 5, b"the frame that is hit").encoded()
    place = data.draw(st.integers(0, len(hit) - 1))
    wrong = data.draw(st.integers(1, 255))
    bad = hit[:place] + bytes([hit[place] ^ wrong]) + hit[place + 1 :]
    found = Frames(b"".join([*(f.encoded() for f in before), bad, *(f.encoded() for f in after)]))
    assert plain(found) == said([*before, *after])
    assert found.damaged == len(hit)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    found = Frames(data)
    read = sum(HEADER.size + REST.size + len(frame.body) for frame in found)
    assert read + found.damaged == found.end <= len(data)


def test_zeros_are_no_frame() -> None:
    """What a power cut can leave where a file had grown and its content not been written."""
    frame = Frame(1, 0, 7, b"x").encoded()
    found = Frames(frame + bytes(4096))
    assert len(plain(found)) == 1
    assert found.end == len(frame)
