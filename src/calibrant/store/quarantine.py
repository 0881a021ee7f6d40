"""What the store would not take: how an entry is tried again. Entries are listed by `Reader.quarantined`.

`calibrant spool quarantine` marks entries, the recorder does the trying: `Events.mark(id, "waiting")` asks for another
try, `Events.mark(id, "dropped")` gives an entry up and keeps it in the books.
"""

from __future__ import annotations

from calibrant.store.base import Events, Quarantined
from calibrant.store.frame import Undecodable, decode_record, scan
from calibrant.store.linking import Link, Refusal
from calibrant.types.rows import FeedbackRecord, Record

__all__ = ["record_of", "try_again"]


def record_of(entry: Quarantined) -> Record | Undecodable:
    """Return the record that an entry holds, or why it holds none."""
    found = scan(entry.frame)
    if len(found.frames) != 1 or found.stop != "end":
        return Undecodable("these bytes are no frame; they are kept for a person to look at")
    return decode_record(found.frames[0])


def try_again(events: Events, entry: Quarantined, link: Link, *, final: bool) -> bool:
    """Try to store a waiting entry.

    Args:
        events: Where.
        entry: What.
        link: Judges feedback.
        final: No target that is missing now can still come.

    Returns:
        False when the entry goes on waiting: for a target that may still come.
    """
    record = record_of(entry)
    if isinstance(record, Undecodable):
        events.mark(entry.id, "refused", record.reason)
        return True
    if isinstance(record, FeedbackRecord) and not record.feedback.linked:
        target = events.target(record.feedback.target_id, record.feedback.level)
        if target is None and not final:
            return False
        judged = link(record.feedback, target)
        if isinstance(judged, Refusal):
            events.mark(entry.id, "refused", judged.reason)
            return True
        record = FeedbackRecord(judged)
    events.resolve(entry.id, record)
    return True
