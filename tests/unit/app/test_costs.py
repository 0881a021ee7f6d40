"""`cost recompute` on a real database, beside a real recorder."""

import threading
from decimal import Decimal

import msgspec
import pytest
from tests.support.homes import appended
from tests.support.postgres import fresh_database
from tests.support.records import inference, model_inference
from tests.support.stores import drained, opened, spooled

from calibrant.app import costs
from calibrant.app.costs import Span, read_costs, recompute
from calibrant.app.migration import migrate_home
from calibrant.app.options import Options
from calibrant.app.recording import open_events
from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import first_id
from calibrant.config.load import load
from calibrant.providers.price_table import Dated, Match, ModelPrices, Price, PriceTable, ProviderPrices
from calibrant.store.costs import CostReader, CostWriter
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.types.rows import Inferred, SnapshotRecord

USAGE = b'{"prompt_tokens":1000,"completion_tokens":10,"odd":"kept"}'
MODEL = '[models.m]\nrouting = ["p"]\n[models.m.providers.p]\ntype = "openai"\nmodel_name = "gpt"\n'
RULE = 'cost = [{ pointer = "/usage/prompt_tokens", cost_per_million = 7, required = true }]\n'


def table(version, dollars):
    price = Price("input_tokens", 10**6, frozenset({"direction=input"}), dollars)
    models = ProviderPrices((ModelPrices("gpt", Match("equals", "gpt"), (Dated((price,)),)),))
    return PriceTable(PriceTable.encode(version, [], {"openai": models}))


def called(*calls, cost=None, **more):
    """A record of one inference that made these calls."""
    row = inference(cost=cost, **more)
    usual = {"input_tokens": 1000, "output_tokens": 10, "raw_usage": USAGE}
    return Inferred(
        row, tuple(model_inference(row.id, **(usual | {"attempt": i + 1} | call)) for i, call in enumerate(calls))
    )


class Host:
    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self.options = Options(str(folder))
        self.prices = table("prices/2", "2")
        monkeypatch.setattr(costs, "read_prices", lambda _: self.prices)

    def store(self, *records):
        spooled(self.folder / "spool", *records)
        drained(self.folder / "spool", self.folder / "events.db")

    def config(self, toml=MODEL):
        (self.folder / "c.toml").write_text(toml)
        return load(str(self.folder / "c.toml"), environ={})

    def again(self, toml=MODEL, span=Span(), dry_run=False):
        return recompute(self.options, self.config(toml), span, dry_run=dry_run)

    def rows(self, *records):
        reader = SqliteReader(self.folder / "events.db")
        try:
            found = []
            for record in records:
                (row,) = reader.get([record.inference.id])
                found.append((row.cost, [(c.cost, c.price_version) for c in reader.model_inferences(row.id)]))
            return found
        finally:
            reader.close()


@pytest.fixture
def host(tmp_path, monkeypatch):
    return Host(tmp_path, monkeypatch)


def test_old_costs_become_new_ones_and_a_second_time_changes_nothing(host):
    old = called({"cost": "0.001", "price_version": "prices/1"}, cost="0.001")
    new = called({})
    host.store(old, new)
    done = host.again()
    assert (done.calls, done.changed, done.inferences) == (2, 2, 2)
    assert (done.before, done.after) == ("0.001", "0.004")
    assert host.rows(old, new) == [("0.002", [("0.002", "prices/2")])] * 2
    again = host.again()
    assert (again.calls, again.changed, again.unchanged, again.inferences) == (2, 0, 2, 0)
    assert again.before == again.after == "0.004"


def test_a_dry_run_says_the_same_and_changes_nothing(host):
    record = called({}, {})
    host.store(record)
    assert host.again(dry_run=True) == host.again(dry_run=True)
    assert host.again(dry_run=True).changed == 2 and host.again(dry_run=True).inferences == 1
    assert host.rows(record) == [(None, [(None, None)] * 2)]


def test_nothing_but_the_cost_is_touched(host):
    record = called({"finish_detail": b'{"a":1}'}, tags={"a": "b"})
    host.store(record)
    reader = SqliteReader(host.folder / "events.db")
    before = (reader.get([record.inference.id]), reader.model_inferences(record.inference.id))
    host.again()
    after = (reader.get([record.inference.id]), reader.model_inferences(record.inference.id))
    reader.close()
    assert after[1][0].raw_usage == USAGE
    bare = [[msgspec.structs.replace(row, cost=None) for row in rows] for rows in (before[0], after[0])]
    assert bare[0] == bare[1]
    bare = [[msgspec.structs.replace(r, cost=None, price_version=None) for r in rows] for rows in (before[1], after[1])]
    assert bare[0] == bare[1]


def test_an_inference_is_the_sum_of_its_calls(host):
    failed = {"status": "error", "usage_source": "none", "input_tokens": None, "output_tokens": None, "raw_usage": None}
    both, one, unknown = called({}, {}), called(failed, {}), called({}, {"model_name": "x", "provider_type": "vllm"})
    host.store(both, one, unknown)
    done = host.again()
    assert (done.calls, done.changed, done.unknown, done.inferences) == (5, 4, 1, 2)
    assert [row[0] for row in host.rows(both, one, unknown)] == ["0.004", "0.002", None]


def test_rules_read_the_answer_and_a_cost_stays_where_it_is_gone(host):
    kept = called({"raw_response": b'{"usage":{"prompt_tokens":100}}'})
    streamed = called({"raw_response": b'{"a":1}\n{"usage":{"prompt_tokens":200}}\n', "ttft_ms": 1.0})
    gone = called({"raw_response": None, "raw_request": None, "cost": "9", "price_version": "config"}, cost="9")
    never = called({"raw_response": None, "raw_request": None})
    host.store(kept, streamed, gone, never)
    done = host.again(MODEL + RULE)
    assert (done.changed, done.kept, done.unknown) == (2, 1, 1)
    costs_ = [row[0] for row in host.rows(kept, streamed, gone, never)]
    assert costs_ == ["0.0007", "0.0014", "9", None]


def test_a_known_cost_never_becomes_unknown(host):
    record = called({"cost": "0.001", "price_version": "prices/1"}, cost="0.001")
    host.store(record)
    host.prices = None
    assert host.again().kept == 1
    assert host.rows(record) == [("0.001", [("0.001", "prices/1")])]


def test_models_that_are_gone_are_priced_as_they_were_configured(host):
    old = host.config(MODEL.replace("models.m", "models.old") + RULE.replace("prompt_tokens", "n"))
    snapshot = SnapshotRecord(old.hash, old.canonical, "0.1")
    record = called({"model_name": "old", "raw_response": b'{"usage":{"n":1000}}'}, snapshot_hash=old.hash)
    shorthand = called({"model_name": "openai::gpt", "provider_name": "openai"}, snapshot_hash=old.hash)
    served = called({"model_name": "lost", "provider_model": "gpt"})
    broken = called({"model_name": "lost"}, snapshot_hash="b" * 64)
    host.store(snapshot, SnapshotRecord("b" * 64, b"nonsense", "0.1"), record, shorthand, served, broken)
    assert (host.again("").changed, host.again("").unknown) == (3, 1)
    found = [row[1][0] for row in host.rows(record, shorthand, served, broken)]
    assert found == [("0.007", "config"), ("0.002", "prices/2"), ("0.002", "prices/2"), (None, None)]


def test_a_provider_of_another_type_under_the_same_name_is_another(host):
    record = called({"provider_type": "groq"})
    host.store(record)
    assert host.again().unknown == 1


def test_a_span_is_by_the_time_of_the_call(host):
    ids = [f"{first_id(ms)[:13]}-7000-8000-000000000001" for ms in (1000, 2000, 3000)]
    records = [called({"id": id_}) for id_ in ids]
    host.store(*records)
    done = host.again(span=Span(since_ms=2000, until_ms=3000))
    assert done.calls == 1
    assert [row[0] for row in host.rows(*records)] == [None, "0.002", None]
    assert host.again(span=Span(until_ms=2000)).calls == 1
    assert host.again(span=Span(since_ms=2001)).calls == 1


def test_many_pages(host, monkeypatch):
    monkeypatch.setattr(costs, "_PAGE", 3)
    records = [called({}) for _ in range(10)]
    host.store(*records)
    assert host.again().changed == 10
    assert {row[0] for row in host.rows(*records)} == {"0.002"}


def test_beside_a_recorder_that_stores(host, monkeypatch):
    """Two writers of one file: nothing is lost, nothing is refused, and what came before is priced."""
    monkeypatch.setattr(costs, "_PAGE", 5)
    first = [called({}) for _ in range(60)]
    host.store(*first)
    recorder = opened(host.folder / "spool", host.folder / "events.db", events=None)
    later = [called({}) for _ in range(60)]
    faults = []

    def record():
        try:
            for i in range(0, 60, 10):
                spooled(host.folder / "spool", *later[i : i + 10])
                recorder.drain()
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=record)
    recorder._events._busy_timeout_s = 5.0
    thread.start()
    while thread.is_alive():
        host.again()
    thread.join()
    recorder.close()
    assert faults == []
    done = host.again()
    assert done.calls == 120 and done.unknown == done.kept == 0
    assert {row[0] for row in host.rows(*first, *later)} == {"0.002"}


def test_a_page_is_written_whole_or_not_at_all(host):
    record = called({})
    host.store(record)
    reader, writer = CostReader(host.folder / "events.db"), CostWriter(host.folder / "events.db")
    (spent,) = reader.spendings(after="", before="g", limit=10)

    def broken(_):
        raise RuntimeError("no sum")

    with pytest.raises(RuntimeError):
        writer.reprice([costs.Repriced(spent.id, spent.inference_id, "1", "x")], broken)
    assert reader.spendings(after="", before="g", limit=10)[0].cost is None
    assert reader.answer(spent) == record.model_inferences[0].raw_response
    assert reader.answer(msgspec.structs.replace(spent, seq=10**9)) is None
    reader.close()
    writer.close()


def test_the_same_in_postgresql(host):
    old = called({"cost": "0.001", "price_version": "prices/1"}, cost="0.001")
    new, other = called({"cost": None}, {"cost": "0.5"}), called({"provider_name": "gone", "usage_source": "none"})
    with fresh_database() as url:
        options = Options(str(host.folder), database=url)
        migrate_home(options, {})
        events = open_events(options, {})
        appended(events, [old, new, other])
        for dry_run in (True, False):
            done = recompute(options, host.config(), Span(), dry_run=dry_run)
            assert (done.calls, done.changed, done.inferences, done.after) == (3, 3, 2, "0.006")
        assert [row.cost for row in events.get([each.inference.id for each in (old, new, other)])] == [
            "0.002",
            "0.004",
            None,
        ]
        calls = events.model_inferences(new.inference.id)
        assert [(call.cost, call.price_version) for call in calls] == [("0.002", "prices/2")] * 2
        again = recompute(options, host.config(), Span(), dry_run=False)
        assert (again.changed, again.unchanged, again.inferences) == (0, 3, 0)
        rule = recompute(options, host.config(MODEL + RULE), Span(), dry_run=False)
        assert (rule.calls, rule.kept) == (3, 3)
        (seen,) = read_costs(options, Span())
        assert (seen.provider_name, seen.calls, seen.cost) == ("p", 3, "0.006")
        events.close()


def test_without_a_database_there_is_nothing_to_work_out(host):
    with pytest.raises(StoreUnavailable):
        host.again()
    assert not (host.folder / "events.db").exists()
    with pytest.raises(StoreUnavailable):
        read_costs(host.options, Span())


def test_sums_by_model(host):
    host.store(
        called({"cost": "0.1"}, {"cost": "0.2", "usage_source": "estimated"}, {"cost": None}),
        called({"provider_name": "q", "cost": "1"}, {"usage_source": "none"}),
    )
    first, second = read_costs(host.options, Span())
    assert (first.provider_name, first.calls, first.estimated, first.unknown, first.cost) == ("p", 3, 1, 1, "0.3")
    assert (second.provider_name, second.calls, Decimal(second.cost)) == ("q", 1, 1)


def test_a_batch_is_priced_as_a_batch_again(host):
    """Whether its price was known or not; the price of single calls is not its price."""
    batch = {
        "cost": None,
        "price_version": "unknown+processing=batch",
        "raw_response": b'{"usage":{"prompt_tokens":9}}',
    }
    record = called({**batch})
    host.store(record)
    host.again()
    assert host.rows(record) == [(None, [(None, "unknown+processing=batch")])]
    host.again(MODEL + RULE.replace("cost", "batch_cost", 1))
    assert host.rows(record) == [("0.000063", [("0.000063", "config+processing=batch")])]
    host.again(MODEL + RULE.replace("7", "8"))
    assert host.rows(record) == [("0.000063", [("0.000063", "config+processing=batch")])]
