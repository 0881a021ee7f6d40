"""What is split, sealed, revealed and let go, in every catalogue and its vault."""

import random
import shutil
import string
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.homes import CATALOGUES

from calibrant.base.errors import Forbidden, InvalidRequest, NotFound, StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.making import content_hash
from calibrant.datasets.reader import DatasetReader
from calibrant.datasets.splitting import by_hash
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.vault import SealedAnswer
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointEdit, DatapointQuery, NewDatapoint
from calibrant.types.message import Input, Message
from calibrant.types.split import DEFAULT_SHARES, Shares

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = 1_900_000_000_000
ACTOR = Actor("tester", NOW)
ALL_SEALED = Shares(train=0, val=0, sealed=100)
WORDS = ["".join(random.Random(n).choices(string.ascii_lowercase, k=6)) for n in range(400)]


def text(number, words=14):
    """Return a text that has nothing in common with that of another number."""
    return " ".join(random.Random(number).choices(WORDS, k=words))


def new(said, answer="yes", **fields):
    given = Input((Message("user", (Text(said),)),))
    return NewDatapoint(Content("chat", "f", given, (Text(answer),)), **fields)


def many(count, start=0, **fields):
    return [new(text(start + n), **fields) for n in range(count)]


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as opened:
        yield opened


def sealed_dataset(catalogue, points, shares=DEFAULT_SHARES, newest_days=None, group_by="datapoint"):
    editing.create(catalogue, "d", group_by, ACTOR)
    ids = editing.add(catalogue, "d", points, ACTOR)
    holdout.seal(catalogue, "d", shares, newest_days, ACTOR)
    return ids


def rows(catalogue, name="d", **fields):
    return {each.id: each for each in DatasetReader(catalogue).stream(DatapointQuery(dataset_name=name, **fields))}


def acts(catalogue):
    with catalogue.reading() as view:
        return [(each.act, each.detail.get("reason")) for each in holdout.ledger_lines(view)]


def counts(catalogue):
    with catalogue.reading() as view:
        return {each.split: each.datapoints for each in holdout.split_of(view, "d")}


def test_a_dataset_that_nobody_sealed_is_as_it_was(catalogue):
    editing.add(catalogue, "d", many(5), ACTOR)
    assert {each.split for each in rows(catalogue).values()} == {None}
    assert not catalogue.vault.hashes(after="", limit=10)
    with pytest.raises(InvalidRequest, match="is not split"):
        counts(catalogue)


def test_sealing_hides_a_share_and_nothing_else(catalogue):
    ids = sealed_dataset(catalogue, many(120, tags={"label": "spam"}))
    found = rows(catalogue)
    assert list(found) == list(ids)
    sealed = [each for each in found.values() if each.split == "sealed"]
    assert 10 <= len(sealed) <= 45 and sum(counts(catalogue).values()) == 120
    for each in sealed:
        assert each.content.input == Input(()) and each.content.output is None and each.tags == {} and each.name is None
        assert each.content_hash == ""
    for each in found.values():
        if each.split != "sealed":
            assert each.content_hash == content_hash(each.content)
            assert each.content.output == (Text("yes"),) and each.tags == {"label": "spam"}
    assert len(catalogue.vault.hashes(after="", limit=1000)) == len(sealed)


def test_no_list_search_version_or_export_says_what_a_sealed_one_is(catalogue):
    ids = sealed_dataset(catalogue, many(3), ALL_SEALED)
    with catalogue.reading() as view:
        assert not view.datapoints(DatapointQuery(dataset_name="d", text=text(0)[:20]))
        assert view.find_datapoints(ids)[0].content.input == Input(())
    assert {each.content.input for each in rows(catalogue, version=2).values()} == {Input(())}
    training = DatasetReader(catalogue, purpose="training")
    assert list(training.stream(DatapointQuery(dataset_name="d"))) == []
    assert training.get(ids) == ()


def test_the_files_of_the_catalogue_have_no_word_of_it(catalogue, tmp_path):
    sealed_dataset(catalogue, [new(f"the secret word is zanzibar{n} {text(n)}") for n in range(20)], ALL_SEALED)
    held = b"".join(path.read_bytes() for path in tmp_path.glob("catalogue.db*"))
    assert b"zanzibar" not in held
    kept = b"".join(catalogue.vault.get(catalogue.vault.hashes(after="", limit=100)).values())
    assert b"zanzibar7" in kept


def test_what_comes_later_is_split_by_the_same_hash(catalogue):
    sealed_dataset(catalogue, many(10))
    ids = editing.add(catalogue, "d", many(80, start=100), ACTOR)
    with catalogue.reading() as view:
        splitting = view.dataset("d").splitting
    found = rows(catalogue)
    for each in ids:
        assert found[each].split == by_hash(splitting, each, newest_ms=NOW, now_ms=NOW)
    assert len({found[each].split for each in ids}) == 3
    for each in ids:
        if found[each].split != "sealed":
            assert found[each].content.output == (Text("yes"),)


def test_a_split_never_changes_as_the_dataset_grows(catalogue):
    ids = sealed_dataset(catalogue, many(60))
    before = {each: row.split for each, row in rows(catalogue).items()}
    editing.add(catalogue, "d", many(60, start=1000), ACTOR)
    after = rows(catalogue)
    assert {each: after[each].split for each in ids} == before


def test_an_episode_is_never_torn_apart(catalogue):
    episodes = [uuid7() for _ in range(30)]
    points = [new(text(n), episode_id=episodes[n % 30]) for n in range(90)]
    sealed_dataset(catalogue, points[:60], group_by="episode")
    editing.add(catalogue, "d", points[60:], ACTOR)
    by_episode = {}
    for each in rows(catalogue).values():
        by_episode.setdefault(each.episode_id, set()).add(each.split)
    assert all(len(splits) == 1 for splits in by_episode.values())
    assert len({each for splits in by_episode.values() for each in splits}) > 1


def test_near_duplicates_are_in_one_split_when_a_dataset_is_sealed(catalogue):
    points = [new(text(n, 40)) for n in range(40)] + [new(text(n, 40) + " or") for n in range(40)]
    ids = sealed_dataset(catalogue, points)
    found = rows(catalogue)
    assert all(found[ids[n]].split == found[ids[n + 40]].split for n in range(40))
    assert any(each.split == "sealed" for each in found.values())


def test_the_near_twin_of_a_sealed_one_that_comes_into_another_split_unseals_it(catalogue):
    ids = sealed_dataset(catalogue, [new(text(n, 40)) for n in range(30)], Shares(train=50, val=0, sealed=50))
    before = rows(catalogue)
    sealed = [n for n, each in enumerate(ids) if before[each].split == "sealed"]
    open_ = [n for n, each in enumerate(ids) if before[each].split == "train"]
    twins = editing.add(catalogue, "d", [new(text(n, 40) + " or") for n in range(30)], ACTOR)
    holdout.swept(catalogue)
    after = rows(catalogue)
    for n in range(30):
        assert after[ids[n]].split == after[twins[n]].split
    # What was open never comes under the seal.
    assert {after[ids[n]].split for n in open_} == {"train"}
    left = [n for n in sealed if after[ids[n]].split == "train"]
    stayed = [n for n in sealed if after[ids[n]].split == "sealed"]
    assert left and stayed
    assert all(after[ids[n]].content.output == (Text("yes"),) for n in left)
    assert ("taint", "near_duplicate") in acts(catalogue)
    assert len(catalogue.vault.hashes(after="", limit=100)) == len(stayed) * 2


def test_a_chain_of_near_duplicates_is_one_component(catalogue):
    chain = ["".join(random.Random(1).choices(string.ascii_lowercase + " ", k=400))]
    for step in range(6):
        chain.append(chain[-1][15:] + "".join(random.Random(step + 50).choices(string.ascii_lowercase, k=15)))
    editing.create(catalogue, "d", "datapoint", ACTOR)
    holdout.seal(catalogue, "d", DEFAULT_SHARES, None, ACTOR)
    ids = [editing.add(catalogue, "d", [new(each)], ACTOR)[0] for each in chain]
    with catalogue.reading() as view:
        groups = view.group_splits("d", ids)
    assert len({each.component for each in groups.values()}) == 1
    assert len({each.split for each in groups.values()}) == 1


def test_a_copy_that_stands_in_the_open_is_not_sealed(catalogue):
    editing.add(catalogue, "elsewhere", [new(text(1))], ACTOR)
    ids = sealed_dataset(catalogue, [new(text(1)), new(text(2))], ALL_SEALED)
    found = rows(catalogue)
    assert [found[each].split for each in ids] == ["train", "sealed"]
    late = editing.add(catalogue, "d", [new(text(3))], ACTOR)
    editing.add(catalogue, "elsewhere", [new(text(4))], ACTOR)
    seen = editing.add(catalogue, "d", [new(text(4))], ACTOR)
    found = rows(catalogue)
    assert (found[late[0]].split, found[seen[0]].split) == ("sealed", "train")


def test_a_sealed_content_that_turns_up_elsewhere_leaves_the_seal(catalogue):
    ids = sealed_dataset(catalogue, many(3), ALL_SEALED)
    editing.add(catalogue, "elsewhere", [new(text(1))], ACTOR)
    found = rows(catalogue)
    assert [found[each].split for each in ids] == ["sealed", "train", "sealed"]
    assert found[ids[1]].content.output == (Text("yes"),)
    assert acts(catalogue)[-1] == ("taint", "seen_before")


def test_what_is_sealed_is_not_edited_renamed_or_cloned_but_may_be_deleted(catalogue):
    ids = sealed_dataset(catalogue, many(3), ALL_SEALED)
    with pytest.raises(Forbidden, match="reveal"):
        editing.edit(catalogue, "d", [DatapointEdit(id=ids[0], type="chat")], ACTOR, lambda content: content)
    with pytest.raises(Forbidden, match="sealed"):
        editing.rename(catalogue, "d", [(ids[0], "x")], ACTOR)
    with pytest.raises(Forbidden, match="sealed"):
        editing.clone(catalogue, "other", [ids[0]], ACTOR)
    assert editing.delete(catalogue, "d", [ids[0]], ACTOR) == 1
    assert len(rows(catalogue)) == 2


def test_revealing_shows_it_and_taints_its_whole_group(catalogue):
    episode = uuid7()
    points = [new(text(1), episode_id=episode), new(text(2), episode_id=episode), new(text(3))]
    ids = sealed_dataset(catalogue, points, ALL_SEALED, group_by="episode")
    shown = holdout.reveal(catalogue, [ids[0]], ACTOR)
    assert shown[0].content == points[0].content and shown[0].split == "train"
    found = rows(catalogue)
    assert [found[each].split for each in ids] == ["train", "train", "sealed"]
    assert found[ids[1]].content == points[1].content
    assert acts(catalogue)[-1] == ("reveal", "revealed")
    assert len(catalogue.vault.hashes(after="", limit=10)) == 1
    with pytest.raises(NotFound):
        holdout.reveal(catalogue, [uuid7()], ACTOR)


def test_moving_is_audited_and_never_goes_under_the_seal(catalogue):
    ids = sealed_dataset(catalogue, many(2), ALL_SEALED)
    with pytest.raises(InvalidRequest, match="nothing is moved under the seal"):
        holdout.move(catalogue, "d", ids, "sealed", ACTOR)
    assert holdout.move(catalogue, "d", [ids[0]], "canary", ACTOR) == 1
    assert holdout.move(catalogue, "d", [ids[0]], "canary", ACTOR) == 0
    found = rows(catalogue)
    assert [found[each].split for each in ids] == ["canary", "sealed"]
    with catalogue.reading() as view:
        last = view.ledger("d")[-1]
    assert (last.act, last.actor, last.detail["from"], last.detail["to"]) == ("move", "tester", ["sealed"], "canary")


def test_only_new_cases_are_sealed_where_a_dataset_says_so(catalogue):
    day = 86_400_000
    editing.create(catalogue, "d", "datapoint", ACTOR)
    now = Actor("tester", _made_at(editing.add(catalogue, "d", many(6), ACTOR)[0]))
    holdout.seal(catalogue, "d", ALL_SEALED, 14, now)
    assert {each.split for each in rows(catalogue).values()} == {"sealed"}
    later = Actor("tester", now.now_ms + 15 * day)
    with catalogue.transaction() as tx:
        old = holdout.too_old(tx, "d", tx.dataset("d").splitting, later.now_ms)
        holdout.graduate(catalogue, tx, "d", [each.group_key for each in old], "train", "too_old", later)
    assert {each.split for each in rows(catalogue).values()} == {"train"}
    # An inference of today that comes in a month is too old by then.
    editing.add(catalogue, "d", many(3, start=50), later)
    assert counts(catalogue)["train"] == 9


def _made_at(datapoint_id):
    return int(datapoint_id.replace("-", "")[:12], 16)


def test_the_ledger_is_a_chain_that_shows_what_was_changed(catalogue):
    ids = sealed_dataset(catalogue, many(4), ALL_SEALED)
    for each in ids[:3]:
        holdout.reveal(catalogue, [each], ACTOR)
    with catalogue.reading() as view:
        lines = list(holdout.ledger_lines(view))
    assert [each.number for each in lines] == [1, 2, 3, 4]
    assert holdout.broken_at(lines) is None and holdout.broken_at([]) is None
    changed = [*lines[:1], replace(lines[1], actor="nobody"), *lines[2:]]
    assert holdout.broken_at(changed) == 2
    assert holdout.broken_at([lines[0], *lines[2:]]) == 2
    with catalogue.transaction() as tx:
        tx._connection.execute("DELETE FROM ledger WHERE number = 2")
    with catalogue.reading() as view:
        assert holdout.broken_at(holdout.ledger_lines(view)) == 2


def test_sealing_twice_or_nothing_is_refused(catalogue):
    sealed_dataset(catalogue, many(1))
    with pytest.raises(InvalidRequest, match="split already"):
        holdout.seal(catalogue, "d", DEFAULT_SHARES, None, ACTOR)
    with pytest.raises(NotFound, match="create"):
        holdout.seal(catalogue, "none", DEFAULT_SHARES, None, ACTOR)
    with pytest.raises(InvalidRequest, match="newest_days"):
        holdout.seal(catalogue, "none", DEFAULT_SHARES, 0, ACTOR)
    with pytest.raises(ValueError, match="100 together"):
        Shares(train=50)


def test_a_broken_transaction_leaves_an_orphan_that_is_swept_and_loses_nothing(catalogue):
    sealed_dataset(catalogue, many(2), ALL_SEALED)

    def torn():
        yield from many(3, start=10)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        editing.add(catalogue, "d", torn(), ACTOR)
    catalogue.vault.put([("ab" * 32, b"{}")])
    assert holdout.swept(catalogue) == 1
    assert len(catalogue.vault.hashes(after="", limit=10)) == 2
    assert set(counts(catalogue).values()) == {0, 2}


def test_a_vault_that_lost_a_content_is_said_and_nothing_moves(catalogue):
    ids = sealed_dataset(catalogue, many(2), ALL_SEALED)
    catalogue.vault.remove(catalogue.vault.hashes(after="", limit=1))
    with pytest.raises(StoreUnavailable, match="restore the vault"):
        holdout.move(catalogue, "d", ids, "train", ACTOR)
    assert counts(catalogue)["sealed"] == 2


def test_answers_of_a_confirmation_are_kept_and_forgotten(catalogue):
    vault = catalogue.vault
    given = [
        SealedAnswer("1", "a", 1.0, b"[]"),
        SealedAnswer("1", "b", 0.0, None, "it failed"),
        SealedAnswer("2", "a", 0.5, b"x" * 999),
    ]
    if not vault.exists():
        assert vault.answers("c") == ()
    vault.put_answers("c", given)
    vault.put_answers("c", given)
    assert vault.answers("c") == tuple(given)
    vault.forget(["1"])
    assert [(each.output, each.fault, each.score) for each in vault.answers("c")] == [
        (None, None, 1.0),
        (None, None, 0.0),
        (b"x" * 999, None, 0.5),
    ]
    assert vault.scrub()


def test_the_splits_of_a_past_catalogue_and_its_vault_are_there(tmp_path):
    shutil.copy(FIXTURES / "catalogues" / "schema_0005.db", tmp_path / "catalogue.db")
    shutil.copy(FIXTURES / "vaults" / "sealed_0001.db", tmp_path / "sealed.db")
    mine = SqliteCatalogue(tmp_path / "catalogue.db")
    found = rows(mine, "split")
    assert [each.split for each in found.values()] == ["train", "val", "sealed"]
    with mine.reading() as view:
        assert holdout.broken_at(holdout.ledger_lines(view)) is None
        assert [each.act for each in view.ledger("split")] == ["seal", "move", "move"]
    # Its prints are compared with those that are made today.
    twin = editing.add(mine, "split", [new("what nobody has read.")], ACTOR)[0]
    last = list(found)[2]
    shown = {each.id: each for each in holdout.reveal(mine, [last, twin], ACTOR)}
    assert shown[last].content.input.messages[0].content == (Text("what nobody has read"),)
    with mine.reading() as view:
        groups = view.group_splits("split", [last, twin])
    assert groups[last].component == groups[twin].component
    mine.close()
