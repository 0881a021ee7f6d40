"""What every home of the record must do with what it does not take, and with the books."""

import pytest
from tests.contract.stores.test_events import batch
from tests.support.homes import HOMES
from tests.support.records import begun, feedback, inferred
from tests.support.stores import drained, spooled

from calibrant.store import recorder
from calibrant.store.base import Batch, Suspect
from calibrant.store.frame import encode_frame
from calibrant.types.query import Query
from calibrant.types.rows import SnapshotRecord


@pytest.fixture(params=sorted(HOMES), scope="module")
def home(request, tmp_path_factory):
    with HOMES[request.param](tmp_path_factory.mktemp("home")) as fresh:
        yield fresh


@pytest.fixture
def events(home):
    return home()


def waiting(record, segment="w.00000001.seg"):
    """A batch with feedback that has no target yet."""
    frame = encode_frame(1, record)
    return Batch("w", segment, 0, len(frame), 1, (), (Suspect(1, 1, "waiting", "no target", frame, 0),), at_ms=7)


def books(events):
    (only,) = events.books()
    return sum(one.stored for one in only.segments), only.quarantined


def test_a_refused_row_keeps_its_frame_and_its_neighbours_are_stored(events):
    good = [inferred() for _ in range(5)]
    done = events.append(batch(*good[:3], inferred(output_tokens=2**63), *good[3:], inferred(input_tokens=2**64 - 1)))
    assert done.stored == 5 and len(done.refused) == 2 and "refuses" in done.refused[0]
    assert {row.id for row in events.find(Query(limit=9))} == {one.inference.id for one in good}
    refused = events.quarantined(state="refused")
    assert sorted(entry.sequence for entry in refused) == [4, 7]
    assert all(entry.frame and entry.frames == 1 and entry.segment == "w.00000001.seg" for entry in refused)
    assert books(events) == (5, 2)


def test_an_entry_is_resolved_once(events):
    target = inferred()
    record = feedback(target.inference.id)
    events.append(waiting(record))
    (entry,) = events.quarantined(state="waiting")
    assert (entry.at_ms, entry.reason, books(events)) == (7, "no target", (0, 1))
    assert events.resolve(entry.id, record) is None
    assert events.quarantined() == () and books(events) == (1, 0)
    assert events.resolve(entry.id, record) is None
    assert not events.mark(entry.id, "dropped")
    assert books(events) == (1, 0)
    assert len(events.feedback_for(target.inference.id)) == 1


def test_an_entry_that_is_refused_stays(events):
    events.append(waiting(feedback("t")))
    (entry,) = events.quarantined()
    why = events.resolve(entry.id, inferred(input_tokens=2**63))
    assert "refuses" in why
    (entry,) = events.quarantined(state="refused")
    assert entry.reason == why and entry.frame and books(events) == (0, 1)


def test_an_entry_is_given_up_but_stays_in_the_books(events):
    events.append(waiting(feedback("t")))
    (entry,) = events.quarantined()
    assert events.mark(entry.id, "refused", "because")
    assert events.quarantined()[0].reason == "because"
    assert events.mark(entry.id, "dropped")
    (dropped,) = events.quarantined(state="dropped")
    assert (dropped.reason, dropped.frame) == ("because", b"")
    assert not events.mark(entry.id, "waiting") and not events.mark(entry.id + 1, "waiting")
    assert books(events) == (0, 1)


def test_pages_of_the_quarantine(events):
    for number in range(5):
        events.append(waiting(feedback("t"), segment=f"w.0000000{number}.seg"))
    every = [entry.id for entry in events.quarantined()]
    assert every == sorted(every) and len(every) == 5
    assert [entry.id for entry in events.quarantined(after=every[1], limit=2)] == every[2:4]


def test_what_runs_when_its_worker_dies_is_interrupted(events):
    first, second, done = begun(input=b"early"), begun(), inferred(stream=True)
    events.append(batch(first, second, begun(id=done.inference.id), done))
    assert events.retire("other", written=0, pending=0, rejected=0) == 0
    assert events.retire("w", written=4, pending=0, rejected=0) == 2
    assert events.retire("w", written=9, pending=9, rejected=9) == 0
    found = events.find(Query(status="interrupted"))
    assert {row.id for row in found} == {first.inference.id, second.inference.id}
    assert events.get([first.inference.id])[0].input == b"early"
    assert [one for one in events.books() if one.incarnation == "w"][0].written == 4
    late = inferred(id=first.inference.id, stream=True)
    events.append(batch(late, segment="w.00000002.seg"))
    assert events.get([late.inference.id])[0].status == "ok"


def test_a_stream_that_ends_with_nothing_kept_keeps_nothing(events):
    start = begun(input=b"early")
    events.append(batch(start))
    nothing = {"input": None, "output": None, "output_schema": None}
    events.append(batch(inferred(id=start.inference.id, stream=True, **nothing), segment="w.00000002.seg"))
    (row,) = events.get([start.inference.id])
    assert (row.status, row.input, row.output) == ("ok", None, None)


def test_pages_of_what_has_gone_on_since(events):
    running = [begun() for _ in range(6)]
    ended = [inferred(id=each.inference.id, stream=True) for each in running[2:5]]
    events.append(batch(*running))
    events.append(batch(*ended, segment="w.00000002.seg"))
    ids = [each.inference.id for each in running]
    assert [row.id for row in events.find(Query(status="running", limit=2))] == [ids[5], ids[1]]
    assert [row.id for row in events.find(Query(status="running", limit=2, after=ids[0]))] == [ids[1], ids[5]]
    assert len(events.find(Query(include_failed=True, function_name="extract"))) == 6


def test_snapshots_are_kept_once(events):
    first = SnapshotRecord("ab" * 32, b'{"a":1}', "1.0")
    events.append(batch(first, SnapshotRecord("cd" * 32, b"{}", "1.0")))
    events.append(batch(first, segment="w.00000002.seg"))
    assert events.snapshot(first.hash) == first
    assert events.snapshot("nothing") is None


def test_all_columns_come_back(events):
    whole = inferred(
        error_code="e",
        error_message="m\n'",
        namespace="n",
        fallback_reason="f",
        ttft_ms=0.5,
        cost="0.1",
        trace_id="t",
        span_id="s",
        key_id="k",
        worker="w2",
        inference_params=b"{}",
        tool_params=b"\x28\xb5\x2f\xfd raw",
        strategy=b"[1]",
        input_tokens=2**62,
        dialect="openai",
    )
    events.append(batch(whole))
    assert events.get([whole.inference.id]) == (whole.inference,)
    assert events.model_inferences(whole.inference.id) == whole.model_inferences
    judged = feedback(whole.inference.id, document=b'"\xc3\xbc"', kind="comment", number=None, key_id="k")
    events.append(batch(judged, segment="w.00000002.seg"))
    assert events.feedback_for(whole.inference.id) == (judged.feedback,)


def test_a_spool_is_drained_and_feedback_finds_its_target(events, tmp_path, monkeypatch):
    # Elsewhere an orphan waits for the spools of other hosts.
    monkeypatch.setattr(recorder, "OTHERS_LAG_MS", 0)
    target = inferred()
    late = feedback(target.inference.id, linked=False)
    orphan = feedback("nobody", linked=False)
    spooled(tmp_path / "spool", late, orphan, inferred())
    spooled(tmp_path / "spool", target, worker="v")
    assert drained(tmp_path / "spool", None, events=events).complete
    assert [row.linked for row in events.feedback_for(target.inference.id)] == [True]
    (entry,) = events.quarantined()
    assert entry.state == "refused" and "unknown target" in entry.reason
    found = {one.incarnation[0]: one for one in events.books()}
    assert sum(segment.stored for segment in found["w"].segments) == 2 and found["w"].quarantined == 1
    assert found["v"].retired and found["v"].written == 1
