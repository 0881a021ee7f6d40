"""What every home of the record must do, whichever engine it stands on."""

import pytest
from msgspec.structs import replace
from tests.support.homes import HOMES
from tests.support.records import begun, feedback, inferred

from calibrant.store.base import Batch, Cursor, Entry
from calibrant.store.frame import encode_frame, scan
from calibrant.types.query import Query
from calibrant.types.rows import Shed


@pytest.fixture(params=sorted(HOMES), scope="module")
def home(request, tmp_path_factory):
    with HOMES[request.param](tmp_path_factory.mktemp("home")) as fresh:
        yield fresh


@pytest.fixture
def events(home):
    return home()


def batch(*records, start=0, first=1, segment="w.00000001.seg"):
    buffer = b"".join(encode_frame(number, record) for number, record in enumerate(records, first))
    # Frames say where they stand in the segment.
    frames = [replace(frame, start=frame.start + start, end=frame.end + start) for frame in scan(buffer).frames]
    entries = tuple(Entry(record, frame) for record, frame in zip(records, frames, strict=True))
    return Batch("w", segment, start, start + len(buffer), first + len(records) - 1, entries, at_ms=1)


def test_a_batch_is_stored_once_and_the_ledger_says_where_to_go_on(events):
    one = batch(inferred(), inferred())
    assert events.cursor("w", one.segment) == Cursor(0, 0)
    assert events.append(one).stored == 2
    assert events.cursor("w", one.segment) == Cursor(one.end, 2)
    again = events.append(one)
    assert (again.stored, again.cursor) == (0, Cursor(one.end, 2))
    assert len(events.find(Query())) == 2
    assert events.cursor("w", "w.00000002.seg") == Cursor(0, 2)


def test_an_end_replaces_a_beginning_and_never_the_reverse(events):
    start = begun(input=b"early")
    final = inferred(id=start.inference.id, stream=True)
    events.append(batch(start))
    assert events.find(Query(status="running"))[0].input == b"early"
    events.append(batch(final, start, final, segment="w.00000002.seg", first=2))
    events.append(batch(start, segment="w.00000003.seg", first=5))
    (row,) = events.get([start.inference.id])
    assert row.status == "ok"
    assert row.output == final.inference.output
    assert len(events.model_inferences(row.id)) == 1


def test_ids_are_answered_in_the_order_asked(events):
    records = [inferred(status="error"), inferred(), inferred()]
    events.append(batch(*records))
    ids = [record.inference.id for record in reversed(records)]
    assert [row.id for row in events.get([ids[0], "nobody", *ids[1:]])] == ids


def test_pages(events):
    records = [inferred(variant_name="ab"[number % 2]) for number in range(10)]
    events.append(batch(*records))
    ids = [record.inference.id for record in records]
    newest = events.find(Query(limit=4))
    assert [row.id for row in newest] == ids[:-5:-1]
    assert [row.id for row in events.find(Query(limit=3, before=newest[-1].id))] == ids[5:2:-1]
    assert [row.id for row in events.find(Query(limit=3, after=ids[1]))] == ids[2:5]
    assert len(events.find(Query(function_name="extract", variant_name="a", limit=99))) == 5
    assert events.find(Query(function_name="other")) == ()
    assert events.find(Query(episode_id=records[0].inference.episode_id, payloads=False))[0].input is None


def test_targets(events):
    first, failed = inferred(tool_params=b"{}"), inferred(status="error")
    second = inferred(episode_id=first.inference.episode_id, variant_name="large")
    events.append(batch(first, second, failed))
    target = events.target(second.inference.id, "inference")
    assert (target.variant_name, target.function_type, target.output_schema) == ("large", "json", b'{"type":"object"}')
    target = events.target(first.inference.episode_id, "episode")
    assert (target.inference_id, target.tool_params) == (first.inference.id, b"{}")
    assert events.target(failed.inference.id, "inference").status == "error"
    assert events.target(first.inference.id, "episode") is None


def test_statistics(events):
    good, bad, open_stream = inferred(), inferred(status="error"), begun()
    other = inferred(function_name="other")
    judged = [
        feedback(good.inference.id, number=0.0),
        feedback(good.inference.id, number=1.0),
        feedback(good.inference.episode_id, metric_name="happy", level="episode", kind="float", number=0.5),
        feedback(good.inference.id, metric_name="demonstration", kind="demonstration", number=None, document=b'"x"'),
        feedback(other.inference.id, number=0.0),
    ]
    events.append(batch(good, bad, open_stream, other, *judged))
    outcomes = list(events.outcomes("extract"))
    assert [(one.inference_id, one.status) for one in outcomes] == [
        (good.inference.id, "ok"),
        (bad.inference.id, "error"),
    ]
    assert (outcomes[0].processing_ms, outcomes[0].input_tokens, outcomes[0].cost) == (12.5, 7, None)
    drawn = outcomes[0]
    assert (drawn.unit, drawn.assigned_variant, drawn.probability) == (good.inference.episode_id, "small", 0.25)
    assert (drawn.snapshot_hash, drawn.namespace) == (good.inference.snapshot_hash, None)
    assert [(seen.metric_name, seen.kind, seen.level, seen.targets) for seen in events.metrics("extract")] == [
        ("correct", "boolean", "inference", 1),
        ("demonstration", "demonstration", "inference", 1),
        ("happy", "float", "episode", 1),
    ]
    scores = list(events.scores("extract", "correct", "inference"))
    assert [(score.target_id, score.number) for score in scores] == [(good.inference.id, 1.0)]
    scores = list(events.scores("extract", "happy", "episode"))
    assert [(score.target_id, score.number) for score in scores] == [(good.inference.episode_id, 0.5)]
    assert [row.document for row in events.feedback_for(good.inference.id)] == [None, None, b'"x"']


def test_statistics_of_many_pages(events):
    records = [inferred() for _ in range(1_100)]
    events.append(batch(*records, *[feedback(record.inference.id) for record in records]))
    assert len({one.inference_id for one in events.outcomes("extract")}) == 1_100
    assert len({score.target_id for score in events.scores("extract", "correct", "inference")}) == 1_100


def test_books(events):
    events.append(batch(inferred(), Shed(1), inferred(input_tokens=2**63)))
    events.retire("w", written=3, pending=0, rejected=4)
    (books,) = events.books()
    assert (books.incarnation, books.quarantined, books.retired, books.rejected) == ("w", 1, True, 4)
    assert [(one.stored, one.shed, one.last_sequence) for one in books.segments] == [(1, 1, 3)]
    assert events.health().ok


def test_demonstrations_come_in_order_of_arrival_with_the_input_they_are_for(events):
    first, second, other = (
        inferred(),
        inferred(input=None, output=None, output_schema=None),
        inferred(function_name="o"),
    )
    fields = {"metric_name": "demonstration", "kind": "demonstration", "number": None}
    records = [
        feedback(first.inference.id, document=b'"one"', **fields),
        feedback(second.inference.id, document=b'"no input"', **fields),
        feedback(other.inference.id, document=b'"other"', **fields),
        feedback(first.inference.id, document=b'"unlinked"', linked=False, **fields),
        feedback(first.inference.id),
        feedback(first.inference.id, document=b'"two"', **fields),
    ]
    events.append(batch(first, second, other, *records))
    found = events.demonstrations("extract", after=0, limit=10)
    assert [(each.output, each.input) for each in found] == [
        (b'"one"', first.inference.input),
        (b'"two"', first.inference.input),
    ]
    assert {each.episode_id for each in found} == {first.inference.episode_id}
    assert [each.tags for each in found] == [first.inference.tags] * 2
    assert [each.id for each in found] == [records[0].feedback.id, records[5].feedback.id]
    assert events.demonstrations("extract", after=found[0].seq, limit=10) == found[1:]
    assert events.demonstrations("extract", after=0, limit=1) == found[:1]
    assert events.demonstrations("nobody", after=0, limit=1) == ()
