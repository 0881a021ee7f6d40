"""What the recorder hands to the store for a piece of a segment: a batch, and what a person should hear about it."""

from __future__ import annotations

from msgspec import Struct

from calibrant.store.base import Batch, Cursor, Entry, EntryState, Reader, Suspect
from calibrant.store.frame import Frame, Undecodable, decode_record, frame_bytes
from calibrant.store.linking import Link, Refusal, target_of
from calibrant.store.reading import Damage, Piece, covers_from
from calibrant.store.segments import Segment
from calibrant.types.rows import Begun, FeedbackRecord, InferenceRow, Inferred, Record

__all__ = ["Batched", "batch_of_damage", "batch_of_frames"]


class Batched(Struct, frozen=True):
    """A batch, and what is wrong in it."""

    batch: Batch
    warnings: tuple[str, ...] = ()


def batch_of_frames(
    segment: Segment, cursor: Cursor, piece: Piece, *, reader: Reader, link: Link, at_ms: int
) -> Batched:
    """Decode the frames of a piece and judge the feedback in it that is not linked yet.

    Raises:
        StoreUnavailable: a target cannot be looked up now.
    """
    entries: list[Entry] = []
    suspects: list[Suspect] = []
    rows: dict[str, InferenceRow] = {}
    for frame in piece.frames:
        record = decode_record(frame)
        if isinstance(record, FeedbackRecord) and not record.feedback.linked:
            found = _judge(record, rows, frame, reader, link)
        elif isinstance(record, Undecodable):
            found = _suspect(frame, "refused", record.reason)
        else:
            found = record
            if isinstance(record, Begun | Inferred):
                rows[record.inference.id] = record.inference
                rows.setdefault(record.inference.episode_id, record.inference)
        if isinstance(found, Suspect):
            suspects.append(found)
        else:
            entries.append(Entry(found, frame))
    batch = Batch(
        incarnation=segment.incarnation,
        segment=segment.name,
        start=cursor.offset,
        end=piece.end,
        last_sequence=piece.frames[-1].sequence,
        entries=tuple(entries),
        suspects=tuple(suspects),
        at_ms=at_ms,
    )
    return Batched(batch, tuple(_told(segment, suspect) for suspect in suspects if suspect.state == "refused"))


def batch_of_damage(
    segment: Segment, cursor: Cursor, end: int, damage: Damage, *, next_sequence: int | None, at_ms: int
) -> Batched:
    """Send damage to quarantine, with the numbers that were lost in it; an unfinished frame is only skipped.

    Args:
        segment: Where.
        cursor: Where the damage begins.
        end: Where it ends.
        damage: The bytes.
        next_sequence: The first number that is known to come after, if the segment itself does not tell.
        at_ms: Wall clock.
    """
    follows = next_sequence if damage.followed_by is None else covers_from(damage.followed_by)
    lost = 0 if follows is None else max(follows - 1 - cursor.last_sequence, 0)
    what = f"{end - cursor.offset} bytes at {cursor.offset} of {segment.name}"
    suspects: tuple[Suspect, ...] = ()
    if lost or damage.followed_by is not None:
        warning = f"{what} are damaged and went to quarantine; {lost} records were in them"
        suspects = (Suspect(cursor.last_sequence + 1, lost, "refused", warning, damage.data, cursor.offset),)
    else:
        warning = f"{what} are an unfinished frame, left by a worker that died or by a full disk; skipped"
    batch = Batch(
        incarnation=segment.incarnation,
        segment=segment.name,
        start=cursor.offset,
        end=end,
        last_sequence=cursor.last_sequence + lost,
        entries=(),
        suspects=suspects,
        at_ms=at_ms,
    )
    return Batched(batch, (warning,))


def _judge(
    record: FeedbackRecord, rows: dict[str, InferenceRow], frame: Frame, reader: Reader, link: Link
) -> Record | Suspect:
    # The target may stand in the same batch. Without one the feedback waits in quarantine.
    feedback = record.feedback
    target = reader.target(feedback.target_id, feedback.level)
    if target is None and feedback.target_id in rows:
        target = target_of(rows[feedback.target_id])
    if target is None:
        return _suspect(frame, "waiting", f"its target, {feedback.level} {feedback.target_id}, is not stored yet")
    judged = link(feedback, target)
    if isinstance(judged, Refusal):
        return _suspect(frame, "refused", judged.reason)
    return FeedbackRecord(judged)


def _suspect(frame: Frame, state: EntryState, reason: str) -> Suspect:
    return Suspect(frame.sequence, 1, state, reason, frame_bytes(frame), frame.start)


def _told(segment: Segment, suspect: Suspect) -> str:
    return f"frame {suspect.sequence} of {segment.name} went to quarantine: {suspect.reason}"
