import pathlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.records import inferred

from calibrant.base import errors
from calibrant.store import frame
from calibrant.types.rows import FeedbackRecord, Inferred, Shed, SnapshotRecord

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures" / "frames"


def frames_of(*records):
    return b"".join(frame.encode_frame(number, record) for number, record in enumerate(records, 1))


def test_what_goes_in_comes_out():
    record = inferred()
    buffer = frames_of(record, Shed(3))
    seen = frame.scan(buffer)
    assert seen.stop == "end"
    assert seen.end == len(buffer)
    assert [found.sequence for found in seen.frames] == [1, 2]
    assert frame.decode_record(seen.frames[0]) == record
    assert [frame.shed_count(found) for found in seen.frames] == [0, 3]
    assert b"".join(map(frame.frame_bytes, seen.frames)) == buffer


@given(cut=st.integers(1, 10_000))
def test_a_torn_tail_never_hides_whole_frames(cut):
    first, second = frame.encode_frame(1, Shed(1)), frame.encode_frame(2, inferred())
    buffer = first + second[: cut % len(second) or 1]
    seen = frame.scan(buffer)
    assert (len(seen.frames), seen.stop, seen.end) == (1, "torn", len(first))
    assert seen.needed in (0, len(second))


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unseen(position, bit):
    record = inferred()
    whole = frames_of(record)
    damaged = bytearray(whole)
    damaged[position % len(whole)] ^= 1 << bit
    assert frame.scan(bytes(damaged)).frames == ()


def test_reading_goes_on_behind_damage():
    whole = [frame.encode_frame(number, inferred()) for number in (1, 2, 3)]
    damaged = b"".join(whole)
    start = len(whole[0])
    damaged = damaged[: start + 30] + b"\0\0\0\0" + damaged[start + 34 :]
    seen = frame.scan(damaged)
    assert (len(seen.frames), seen.stop) == (1, "corrupt")
    found = frame.find_frame(damaged, seen.end + 1, after=1)
    assert found is not None
    assert found.sequence == 3
    assert frame.find_frame(damaged, seen.end + 1, after=3) is None


def test_zeros_are_no_frame():
    assert frame.scan(bytes(4096)).stop == "corrupt"


def test_a_whole_frame_that_is_no_record():
    found = frame.Frame(1, 1, 0, 0, msgspec.msgpack.encode(["other", 1]))
    again = frame.scan(frame.frame_bytes(found)).frames[0]
    assert "cannot be read" in frame.decode_record(again).reason
    newer = frame.Frame(1, 99, 0, 0, b"x")
    assert "version 99" in frame.decode_record(newer).reason


def test_a_record_that_is_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(frame, "MAX_FRAME_BYTES", 100)
    with pytest.raises(errors.InternalError, match="too long"):
        frame.encode_frame(1, inferred())


def test_version_1_opens_for_ever():
    seen = frame.scan((FIXTURES / "v1.seg").read_bytes())
    assert seen.stop == "end"
    records = [frame.decode_record(found) for found in seen.frames]
    assert [type(record).__name__ for record in records] == [
        "SnapshotRecord",
        "Begun",
        "Inferred",
        "FeedbackRecord",
        "Shed",
    ]
    snapshot, begun, inferred_, feedback, shed = records
    assert isinstance(snapshot, SnapshotRecord)
    assert snapshot.config == b"{}"
    assert begun.inference.status == "running"
    assert isinstance(inferred_, Inferred)
    assert inferred_.inference.id == begun.inference.id
    assert inferred_.model_inferences[0].raw_response == b"\xff not text" * 50
    assert isinstance(feedback, FeedbackRecord)
    assert feedback.feedback.target_id == begun.inference.id
    assert shed == Shed(2)
