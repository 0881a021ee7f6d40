"""What every home of the record, and of the catalogue, does about erasure."""

import os

import pytest
from msgspec.structs import replace
from tests.support import records
from tests.support.homes import CATALOGUES, HOMES, appended, stored

from calibrant.base.ids import uuid7
from calibrant.datasets.making import made
from calibrant.store.erasing import Doomed, Removed
from calibrant.types.batch import Batch, BatchElement, Finished
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointQuery, NewDatapoint, Origin
from calibrant.types.erasure import Whose
from calibrant.types.message import Input, Message
from calibrant.types.query import Query, Tagged
from calibrant.types.replay import EPISODE_TAG
from calibrant.types.workflow import WorkflowEpisode, WorkflowRun

X = Whose(tag=("user_id", "x"))
MINE, YOURS = {"user_id": "x"}, {"user_id": "y", "other": "x"}
KEY = "observability/files/" + "ab" * 32


@pytest.fixture(params=sorted(HOMES))
def events(request, tmp_path):
    with HOMES[request.param](tmp_path) as fresh:
        yield fresh()


@pytest.fixture(params=sorted(CATALOGUES))
def tx(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as catalogue, catalogue.transaction() as open_tx:
        yield open_tx


def said(text, **fields):
    return records.inferred(input=b'{"messages":["%b"]}' % text.encode(), **fields)


def found(events, whose, kind="inferences", limit=2):
    """Walk a table in short stretches."""
    rows, after = [], ""
    while after is not None:
        page = events.erasable(whose, kind, after=after, limit=limit)
        rows += page.rows
        after = page.after
    return rows


def searched(events, text):
    return [row.id for row in events.find(Query(text=text))]


def test_what_carries_the_tag_is_found_and_nothing_else(events):
    rows = [said("hello", tags=tags) for tags in (MINE, YOURS, {}, MINE | {"a": "b"}, {"user_id": "X"})]
    stored(events, rows)
    assert [each.id for each in found(events, X)] == [rows[0].inference.id, rows[3].inference.id]
    assert found(events, Whose(tag=("user_id", "' OR 1=1 --"))) == []
    episode = rows[1].inference.episode_id
    assert [each.id for each in found(events, Whose(episode_id=episode))] == [rows[1].inference.id]
    assert found(events, Whose(episode_id=episode), "feedback") == []


def test_a_replay_belongs_to_the_episode_that_it_asked_again(events):
    first, other = said(f"{KEY}.png"), said(f"{KEY}.pdf")
    replays = [
        said(f"{KEY}.{kind}", tags={EPISODE_TAG: each.inference.episode_id})
        for each, kind in ((first, "png"), (other, "gif"))
    ]
    stored(events, [first, other, *replays])
    whose = Whose(episode_id=first.inference.episode_id)
    assert [each.id for each in found(events, whose)] == [first.inference.id, replays[0].inference.id]
    # Neither keeps the files of the other.
    assert events.files_of_others(whose, after="", limit=10).keys == {f"{KEY}.pdf", f"{KEY}.gif"}


def test_what_is_known_of_a_row_says_when_it_was_over(events):
    row, begun = said("hello", tags=MINE, processing_ms=250.0), records.begun(tags=MINE, processing_ms=None)
    stored(events, [row, begun])
    one, two = found(events, X)
    assert one.last_ms == int(one.id.replace("-", "")[:12], 16) + 250.0
    assert (one.status, two.status) == ("ok", "running") and one.episode_id == row.inference.episode_id


def test_erased_rows_are_gone_with_everything_about_them(events):
    mine, yours = said("canary bird", tags=MINE), said("canary fish", tags=YOURS)
    about = [records.feedback(mine.inference.id), records.feedback(yours.inference.id, kind="comment", number=None)]
    whole = records.feedback(mine.inference.episode_id, level="episode")
    stored(events, [mine, yours, *about, whole])
    before = (events.get([yours.inference.id]), events.model_inferences(yours.inference.id))
    assert set(searched(events, "canary")) == {mine.inference.id, yours.inference.id}
    assert events.calls_of([mine.inference.id, yours.inference.id]) == {"m": 2}
    targets = [mine.inference.id, mine.inference.episode_id]
    assert set(events.feedback_of(targets)) == {about[0].feedback.id, whole.feedback.id}
    assert events.erase([mine.inference.id], [mine.inference.episode_id]) == Removed(1, 1, 2)
    assert events.erase([mine.inference.id], [mine.inference.episode_id]) == Removed()
    assert found(events, X) == [] and events.get([mine.inference.id]) == ()
    assert events.model_inferences(mine.inference.id) == () and events.feedback_of(targets) == ()
    assert searched(events, "canary") == [yours.inference.id] and searched(events, "bird") == []
    assert (events.get([yours.inference.id]), events.model_inferences(yours.inference.id)) == before
    assert events.feedback_for(yours.inference.id) == (about[1].feedback,)
    assert events.erase((), ()) == Removed() and events.calls_of(()) == {} and events.feedback_of(()) == ()


def test_feedback_belongs_by_its_own_tags_too(events):
    yours = said("hello", tags=YOURS)
    given = [records.feedback(yours.inference.id, tags=tags) for tags in (MINE, YOURS)]
    stored(events, [yours, *given])
    ids = [each.id for each in found(events, X, "feedback")]
    assert ids == [given[0].feedback.id]
    assert events.erase_feedback(ids) == 1 and events.erase_feedback(ids) == 0
    assert events.feedback_for(yours.inference.id) == (given[1].feedback,)


def test_the_files_of_others_are_told(events):
    def named(text, **fields):
        return said(f"{KEY}{text}", **fields)

    rows = [named(".png", tags=MINE), named("0.png", tags=YOURS), named(".pdf", tags={}), said("x", tags=YOURS)]
    stored(events, rows)
    keys, after = set(), ""
    while after is not None:
        page = events.files_of_others(X, after=after, limit=1)
        keys |= page.keys
        after = page.after
    assert keys == {f"{KEY}.pdf", KEY}


def test_followers_miss_nothing_that_comes_after_an_erasure(events):
    first, last = said("one", tags=YOURS), said("two", tags=MINE)
    stored(events, [first, last, *(demonstration(each) for each in (first, last))])
    seen = events.demonstrations("extract", after=0, limit=9)
    assert [each.inference_id for each in seen] == [first.inference.id, last.inference.id]
    events.erase([last.inference.id], ())
    fresh = said("three fish", tags=YOURS)
    stored(events, [fresh, demonstration(fresh)], segment="w.00000002.seg", first=9)
    later = events.demonstrations("extract", after=seen[-1].seq, limit=9)
    assert [each.inference_id for each in later] == [fresh.inference.id]
    assert searched(events, "three fish") == [fresh.inference.id]
    assert found(events, Whose(tag=("user_id", "y")))[-1].id == fresh.inference.id


def demonstration(record):
    document = b'[{"type":"text","text":"Good."}]'
    target = record.inference.id
    return records.feedback(target, metric_name="demonstration", kind="demonstration", number=None, document=document)


def test_what_is_not_yet_known_to_searches_is_erased_too(events):
    row = said("canary bird", tags=MINE)
    appended(events, [row])
    assert events.erase([row.inference.id], ()).inferences == 1
    while events.index_text(limit=9):
        pass
    assert searched(events, "canary bird") == []


def test_scrubbing_comes_to_an_end(events):
    rows = [said(f"canary {n}" + "x" * 5000, tags=MINE) for n in range(40)]
    stored(events, rows)
    events.erase([each.inference.id for each in rows], ())
    for _ in range(2):
        assert any(events.scrub() == "done" for _ in range(20))


def test_free_pages_go_back_as_many_as_were_asked_for(tmp_path):
    with HOMES["sqlite"](tmp_path) as fresh:
        events = fresh()
        stored(events, [said("x" * 5000, output=os.urandom(60_000), tags=MINE) for _ in range(20)])
        while events.drop_payloads(limit=500):
            pass
        assert events.shrink(max_pages=100) == 100


# The catalogue.


def content(text="one"):
    return Content("chat", "f", Input((Message("user", (Text(text),)),)), (Text("Yes."),))


def add(tx, *wanted, name="d"):
    dataset = tx.change_dataset(name, "add", group_by="episode", actor="k", now_ms=1000)
    fields = {"dataset_name": name, "version": dataset.version, "group_by": "episode", "actor": "k", "now_ms": 1000}
    tx.add_datapoints([made(each, id_, **fields) for id_, each in wanted])


def of(text="one", tags=(), inference=None, parent=None, **fields):
    origin = Origin("inference" if inference else "person", inference, None, parent, parent)
    return NewDatapoint(content(text), tags=dict(tags), origin=origin, **fields)


def listed(tx, **fields):
    return tx.datapoints(DatapointQuery(**{"dataset_name": "d", "descending": False, **fields}))


def doomed(tx, whose=X, inferences=(), feedback=()):
    return {each.id for each in tx.doomed_datapoints(whose, inferences, feedback)}


def test_datapoints_belong_by_their_inference_their_tag_their_episode_or_their_parent(tx):
    add(tx, ("1", of(inference="i")), ("2", of(tags=MINE)), ("3", of(episode_id="e")), ("4", of(tags=YOURS)))
    add(tx, ("5", of("edited", parent="1")), name="other")
    add(tx, ("6", of("edited again", parent="5")), ("7", of("seven", parent="4")))
    assert doomed(tx) == {"2"} and doomed(tx, inferences=["i", "j"]) == {"1", "2", "5", "6"}
    assert doomed(tx, Whose(episode_id="e")) == {"3"}
    assert {each.id for each in tx.datapoints_of(["i"])} == {"1"}
    add(tx, ("8", NewDatapoint(content(), origin=Origin("feedback", "k", "g"))))
    assert doomed(tx, feedback=["g"]) == {"2", "8"}


def test_a_tombstone_stays_in_past_versions_and_none_in_the_present(tx):
    mine = of("canary", MINE, "i", name="n", episode_id="e")
    add(tx, ("1", mine), ("2", of("two", YOURS)))
    before = listed(tx)
    assert tx.erase_datapoints([Doomed("1", "d")], actor="a", now_ms=2000) == 1
    assert [each.id for each in listed(tx)] == ["2"] and tx.dataset("d").datapoints == 1
    past = listed(tx, version=1)
    assert [each.id for each in past] == ["1", "2"] and past[1] == before[1]
    tombstone = past[0]
    assert tombstone.content_hash == before[0].content_hash and tombstone.origin == Origin("erased")
    assert tombstone.content == Content("chat", "f", Input(()))
    assert (tombstone.name, tombstone.episode_id, tombstone.tags, tombstone.group_key) == (None, None, {}, "1")
    assert listed(tx, version=1, text="canary") == () == listed(tx, version=1, filters=Tagged("user_id", "x"))
    newest = tx.dataset_changes("d")[0]
    assert (newest.action, newest.removed, newest.added, newest.actor) == ("erase", 1, 0, "a")
    assert tx.find_datapoints(["1"])[0].origin.source == "erased"
    assert tx._connection.execute("SELECT count(*) FROM datapoint_contents").fetchone()[0] == 1
    # Again, nothing happens, and no version is made of it.
    assert tx.erase_datapoints([Doomed("1", "d")], actor="a", now_ms=3000) == 0 and tx.dataset("d").version == 2
    assert doomed(tx, inferences=["i"]) == set()


def test_a_content_stays_that_another_datapoint_has(tx):
    add(tx, ("1", of("same", MINE)), ("2", of("same", YOURS)))
    tx.erase_datapoints([Doomed("1", "d")], actor="a", now_ms=2000)
    tombstone, kept = listed(tx, version=1)
    assert tombstone.content == Content("chat", "f", Input(())) and kept.content == content("same")
    assert [each.id for each in listed(tx, version=1, text="same")] == ["2"]
    tx.erase_datapoints([Doomed("2", "d")], actor="a", now_ms=3000)
    assert tx._connection.execute("SELECT count(*) FROM datapoint_contents").fetchone()[0] == 0


def test_the_files_of_datapoints_are_told(tx):
    add(tx, ("1", of(f"{KEY}.png")), ("2", of(f"{KEY}.pdf")), ("3", of(f"{KEY}.pdf")), ("4", of("none")))
    assert tx.files_of_datapoints(["1", "4"]) == {f"{KEY}.png"}
    keys, after = set(), ""
    while after is not None:
        page = tx.files_of_other_datapoints({"1", "2"}, after=after, limit=1)
        keys |= page.keys
        after = page.after
    assert keys == {f"{KEY}.pdf"}


def batched(tx, *elements):
    fields = {"key_id": None, "kind": "gateway", "function_name": "f", "variant_name": "v", "model_name": "m"}
    batch = Batch(id="b", status="pending", probability=None, total=len(elements), created_at=1, updated_at=1, **fields)
    tx.add_batch(batch, [replace(each, position=at) for at, each in enumerate(elements)])


def element(inference_id, body=b'{"input":"canary"}', episode="e"):
    return BatchElement(inference_id, "b", 0, episode, body=body)


def belonging(tx, whose, ids=()):
    found, after = [], -1
    while after is not None:
        page, after = tx.batch_elements_of(whose, ids, after=after, limit=1)
        found += page
        ids = ()
    return sorted(set(found))


def test_elements_of_batches_belong_by_their_request_or_their_inference(tx):
    mine, yours = (b'{"tags":{"user_id":"%b"},"input":1}' % value for value in (b"x", b"y"))
    batched(tx, element("1", mine), element("2", yours), element("3", b"no json"), element("4", b'{"tags":null}', "f"))
    assert belonging(tx, X) == ["1"] and belonging(tx, X, ["3", "9"]) == ["1", "3"]
    assert belonging(tx, Whose(episode_id="f")) == ["4"]


def test_erased_elements_have_neither_request_nor_answer_and_are_not_made(tx):
    batched(tx, *(element(each) for each in "1234"))
    tx.finish_element(Finished("1", "completed", b"canary"), 5)
    tx.finish_element(Finished("2", "failed", None, "code", "canary"), 5)
    assert tx.erase_batch_elements(["1", "2", "3", "9"], 6) == 3
    told = {each.inference_id: each for each in tx.batch_elements("b")}
    assert [told[each].status for each in "1234"] == ["completed", "failed", "failed", "pending"]
    assert all(told[each].body is None and told[each].answer is None for each in "123")
    assert "canary" not in f"{told['2']}{told['3']}" and told["3"].error_code == "erased"
    assert [each.inference_id for each in tx.claim_elements("b", 9)] == ["4"]
    batch = tx.batch("b")
    assert (batch.completed, batch.failed, batch.total) == (1, 2, 4)
    assert tx.erase_batch_elements(["1", "2", "3"], 7) == 0
    assert told["4"].body == b'{"input":"canary"}'


def test_episodes_of_workflow_evaluations_belong_by_their_tags_or_are_the_episode(tx):
    run = uuid7()
    tx.add_workflow_run(WorkflowRun(id=run, variants={}, snapshot_hash="h"))
    for id_, tags in (("1", MINE), ("2", YOURS), ("3", {})):
        tx.add_workflow_episode(WorkflowEpisode(id=id_, run_id=run, tags=tags, snapshot_hash="h"))
    assert tx.workflow_episodes_of(X) == ("1",) and tx.workflow_episodes_of(Whose(episode_id="3")) == ("3",)
    assert tx.erase_workflow_episodes(["1", "9"]) == 1 and tx.workflow_episodes_of(X) == ()
