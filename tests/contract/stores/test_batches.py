"""What every catalogue does with batches. Each back end runs the same tests."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.homes import CATALOGUES

from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.batch import Batch, BatchElement, BatchOwner, Finished

FIXTURES = Path(__file__).parents[2] / "fixtures" / "catalogues"
ALL = BatchOwner(None, everyone=True)


def batch(batch_id="b1", **fields):
    plain = {
        "id": batch_id,
        "key_id": None,
        "status": "pending",
        "kind": "gateway",
        "function_name": "f",
        "variant_name": "v",
        "probability": 0.25,
        "model_name": "m",
        "total": 3,
        "created_at": 5,
        "updated_at": 5,
    }
    return Batch(**{**plain, **fields})


def elements(count=3, batch_id="b1"):
    return [BatchElement(f"{batch_id}-{n}", batch_id, n, f"e{n}", body=b'{"n":%d}' % n) for n in range(count)]


@pytest.fixture(params=sorted(CATALOGUES))
def catalogue(request, tmp_path):
    with CATALOGUES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def tx(catalogue):
    with catalogue.transaction() as open_tx:
        yield open_tx


def lease(tx, worker, now, *, until=None, most=9):
    found = tx.lease_batches(worker, "gateway", now_ms=now, until_ms=until or now + 10, most=most)
    return [each.id for each in found]


def done(n, batch_id="b1", status="completed"):
    return Finished(f"{batch_id}-{n}", status, b"{}" if status == "completed" else None, None, None)


def test_what_was_added_is_found_as_it_was(tx):
    full = batch("b2", key_id="k", kind="native", provider_name="p", provider_batch_id="up", probability=None)
    tx.add_batch(batch(), elements())
    tx.add_batch(full, [])
    assert tx.batch("b1") == batch() and tx.batch("b2") == full and tx.batch("b") is None
    assert list(tx.batch_elements("b1")) == elements()
    assert list(tx.batch_elements("b1", after=0, limit=1)) == elements()[1:2]
    assert tx.batch_element("b1", "b1-2") == elements()[2] and tx.batch_element("b2", "b1-2") is None


def test_lists_go_backwards_and_show_what_is_ones_own(tx):
    for n in range(5):
        tx.add_batch(batch(f"b{n}", key_id="k" if n % 2 else None), [])
    assert [each.id for each in tx.list_batches(ALL, limit=2)] == ["b4", "b3"]
    assert [each.id for each in tx.list_batches(ALL, before="b3")] == ["b2", "b1", "b0"]
    assert [each.id for each in tx.list_batches(BatchOwner("k"))] == ["b3", "b1"]
    assert [each.id for each in tx.list_batches(BatchOwner(None))] == ["b4", "b2", "b0"]
    assert tx.list_batches(BatchOwner("other")) == ()


def test_a_batch_has_one_worker_until_it_says_nothing(tx):
    tx.add_batch(batch(), elements())
    tx.add_batch(batch("b2"), elements(3, "b2"))
    tx.add_batch(batch("b3", kind="native"), elements(3, "b3"))
    assert tx.batch_waits("gateway", "one", 0)
    assert lease(tx, "one", 100, most=1) == ["b1"]
    assert lease(tx, "two", 100) == ["b2"]
    assert not tx.batch_waits("gateway", "three", 105) and tx.batch_waits("gateway", "one", 105)
    assert lease(tx, "one", 109) == ["b1"]  # renewed
    assert lease(tx, "two", 115) == ["b2"]  # its own was over, and nobody had come
    assert lease(tx, "two", 119) == ["b2", "b1"]


def test_what_a_worker_ran_that_is_gone_is_orphaned_and_comes_first_to_another(tx):
    tx.add_batch(batch(), elements())
    lease(tx, "one", 100)
    claimed = tx.claim_elements("b1", 2)
    assert [(each.position, each.status) for each in claimed] == [(0, "pending"), (1, "pending")]
    assert tx.batch("b1").status == "running"
    assert [each.position for each in tx.claim_elements("b1", 9)] == [2]
    lease(tx, "one", 105)
    assert tx.claim_elements("b1", 9) == ()
    tx.finish_element(done(1), 106)
    lease(tx, "two", 115)
    taken = tx.claim_elements("b1", 9)
    assert [(each.position, each.status, each.body) for each in taken] == [
        (0, "orphaned", b'{"n":0}'),
        (2, "orphaned", b'{"n":2}'),
    ]


def test_a_worker_that_leaves_says_so(tx):
    tx.add_batch(batch(), elements())
    lease(tx, "one", 100)
    tx.claim_elements("b1", 3)
    tx.put_back("b1-1", orphaned=False)
    tx.release_batches("one")
    assert lease(tx, "two", 100) == ["b1"]
    assert [each.status for each in tx.claim_elements("b1", 9)] == ["orphaned", "pending", "orphaned"]


def test_a_batch_ends_with_its_last_element_and_the_first_to_finish_one_is_believed(tx):
    tx.add_batch(batch(), elements())
    lease(tx, "one", 100)
    tx.claim_elements("b1", 3)
    assert tx.finish_element(done(0), 101).status == "running"
    assert tx.finish_element(done(0, status="failed"), 102) is None
    assert tx.open_elements("b1") == {"b1-1", "b1-2"}
    tx.finish_element(Finished("b1-1", "failed", None, "code", "why"), 103)
    ended = tx.finish_element(done(2), 104)
    assert (ended.status, ended.completed, ended.failed, ended.updated_at) == ("completed", 2, 1, 104)
    found = tx.batch_elements("b1")
    assert [each.body for each in found] == [None] * 3  # what was asked is dropped
    assert [each.answer for each in found] == [b"{}", None, b"{}"]
    assert (found[1].error_code, found[1].error_message) == ("code", "why")
    assert lease(tx, "one", 200) == [] and not tx.batch_waits("gateway", "one", 200)


def test_a_batch_of_failures_has_failed(tx):
    tx.add_batch(batch(), elements())
    tx.finish_element(done(0, status="failed"), 101)
    ended = tx.fail_open_elements("b1", "code", "why", 102)
    assert (ended.status, ended.failed) == ("failed", 3)
    assert {each.error_code for each in tx.batch_elements("b1")[1:]} == {"code"}


def test_what_runs_of_a_cancelled_batch_may_finish_and_nothing_else_begins(tx):
    tx.add_batch(batch(), elements())
    lease(tx, "one", 100)
    tx.claim_elements("b1", 2)
    tx.cancel_batch("b1", 105)
    assert (tx.batch("b1").status, tx.batch("b1").cancelled) == ("cancelled", 1)
    assert tx.claim_elements("b1", 9) == () and tx.batch_element("b1", "b1-2").body is None
    assert tx.finish_element(done(0), 106).status == "cancelled"
    tx.put_back("b1-1", orphaned=True)
    assert tx.batch_element("b1", "b1-1").status == "cancelled"
    assert (tx.batch("b1").completed, tx.batch("b1").cancelled) == (1, 2)


def test_answers_are_forgotten_once_they_are_old_enough(tx):
    tx.add_batch(batch(), elements())
    for n in range(3):
        tx.finish_element(done(n), 100 + n)
    assert tx.forget_answers(102) == 0 and tx.batch_element("b1", "b1-0").answer == b"{}"
    assert tx.forget_answers(103) == 1 and tx.batch_element("b1", "b1-0").answer is None
    assert tx.forget_answers(999) == 0


def test_a_native_batch_is_leased_by_name_and_remembers_its_provider(tx):
    tx.add_batch(batch(kind="native"), elements())
    assert tx.lease_batch("b1", "one", now_ms=100, until_ms=110)
    assert not tx.lease_batch("b1", "two", now_ms=105, until_ms=115)
    assert tx.lease_batch("b1", "two", now_ms=110, until_ms=120) and not tx.lease_batch(
        "no", "two", now_ms=1, until_ms=2
    )
    tx.submitted("b1", "up", 106)
    tx.checked("b1", 107)
    tx.end_batch("b1", "failed", "it would not", 108)
    known = replace(batch(kind="native"), provider_batch_id="up", checked_at=107, status="failed", updated_at=108)
    assert tx.batch("b1") == replace(known, error="it would not")


def test_a_file_exists_once_something_was_written(tmp_path):
    catalogue = SqliteCatalogue(tmp_path / "catalogue.db")
    assert not catalogue.exists()
    with catalogue.transaction() as tx:
        tx.add_batch(batch(), [])
    assert catalogue.exists()


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("schema_000[2-9].db")), ids=lambda path: path.stem)
def test_batches_of_every_past_catalogue_go_on(fixture, tmp_path):
    path = tmp_path / "catalogue.db"
    shutil.copy(fixture, path)
    mine = SqliteCatalogue(path)
    with mine.transaction() as tx:
        assert tx.batch("b1") == batch() and list(tx.batch_elements("b1")) == elements()
        assert lease(tx, "one", 100) == ["b1"] and len(tx.claim_elements("b1", 9)) == 3
    mine.close()
