"""ClickHouse has no transactions. A batch that is cut off anywhere and comes again is stored once, for each place."""

import pytest
from tests.contract.stores.test_events import batch
from tests.support.clickhouse import new_database
from tests.support.records import begun, feedback, inferred

from calibrant.base.errors import StoreUnavailable
from calibrant.store.base import Suspect
from calibrant.store.clickhouse import ClickHouseEvents
from calibrant.store.clickhouse_link import Link
from calibrant.store.frame import encode_frame
from calibrant.types.query import Query
from calibrant.types.rows import SnapshotRecord


class CutLink(Link):
    """A link that breaks behind the n-th insert: the server has it, and nothing after it."""

    cut_at = 0
    inserts = 0

    def cut(self, at):
        self.inserts, self.cut_at = 0, at

    def insert(self, table, types, columns, *, token=""):
        super().insert(table, types, columns, token=token)
        self.inserts += 1
        if self.inserts == self.cut_at:
            raise StoreUnavailable("test: cut")


def story():
    """Batches that have something of everything: one segment, and how the second looks when it comes again."""
    stream = begun(input=b"early")
    target = inferred()
    bad = inferred(input_tokens=2**63)
    late = feedback(target.inference.id, number=0.5)
    first = batch(SnapshotRecord("ab" * 32, b"{}", "1"), inferred(), bad, stream, feedback("t"))
    end = inferred(id=stream.inference.id, stream=True)
    judged_late = batch(end, target, late, start=first.end, first=6)
    frame = judged_late.entries[2].frame
    waits = Suspect(frame.sequence, 1, "waiting", "no target", encode_frame(frame.sequence, late), frame.start)
    waiting = type(judged_late)(
        "w", first.segment, first.end, judged_late.end, 8, judged_late.entries[:2], (waits,), at_ms=1
    )
    return first, waiting, judged_late


def told(events):
    """All that a store says, but for its numbers of arrival."""
    return (
        events.books(),
        events.find(Query(include_failed=True)),
        [events.model_inferences(row.id) for row in events.find(Query(include_failed=True))],
        events.feedback_for("t"),
        events.metrics("extract"),
        events.snapshot("ab" * 32),
        [(entry.id, entry.state, entry.start) for entry in events.quarantined()],
        [one.inference_id for one in events.outcomes("extract")],
    )


@pytest.fixture
def link():
    with new_database() as connects:
        link = CutLink(connects, name="test")
        yield link
        link.close()


def opened(link):
    return ClickHouseEvents(link, writer="test", follow_lag_s=0)


@pytest.mark.parametrize("cut_at", range(1, 8))
def test_what_is_cut_off_comes_again_and_is_stored_once(link, cut_at):
    first, waiting, judged_late = story()
    events = opened(link)
    events.append(first)
    link.cut(cut_at)
    # Two tables of model calls, two of inferences, the quarantine, the ledger.
    if cut_at <= 6:
        with pytest.raises(StoreUnavailable):
            events.append(waiting)
    else:
        events.append(waiting)
    link.cut(0)
    # Another process, that finds the target this time.
    again = opened(link)
    kept = cut_at >= 6
    assert again.cursor("w", first.segment).offset == (waiting.end if kept else first.end)
    done = again.append(judged_late)
    (books,) = again.books()
    stored = sum(segment.stored for segment in books.segments)
    assert (done.stored, stored, books.quarantined) == ((0, 6, 2) if kept else (3, 7, 1))
    assert len(again.feedback_for(judged_late.entries[1].record.inference.id)) == (0 if kept else 1)
    before = told(again)
    again.append(judged_late)
    assert told(again) == before


@pytest.mark.slow
@pytest.mark.parametrize("cut_at", range(1, 9))
def test_a_first_batch_that_is_cut_off_ends_as_if_it_had_not_been(link, cut_at):
    first, _, judged_late = story()
    link.cut(cut_at)
    events = opened(link)
    with pytest.raises(StoreUnavailable):
        events.append(first)
    link.cut(0)
    events.append(first)
    events.append(judged_late)
    (books,) = events.books()
    assert [(one.stored, one.shed, one.last_sequence) for one in books.segments] == [(7, 0, 8)]
    assert books.quarantined == 1
    assert len(events.find(Query(include_failed=True))) == 3
    assert len(events.feedback_for("t")) == 1


def test_more_frames_may_come_with_those_that_come_again(link):
    """The worker wrote on while the recorder was away, so the batch is another one."""
    records = [inferred() for _ in range(3)]
    link.cut(4)
    events = opened(link)
    with pytest.raises(StoreUnavailable):
        events.append(batch(*records[:2]))
    link.cut(0)
    assert events.append(batch(*records)).stored == 3
    assert len(events.find(Query())) == 3
    assert [len(events.model_inferences(one.inference.id)) for one in records] == [1, 1, 1]
