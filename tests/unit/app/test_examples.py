"""Examples for in-context learning: which demonstrations are found, as they arrive, and which never are."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from calibrant.app.erasure_mark import ErasureMark
from calibrant.app.examples import DemonstrationIndex, _kept
from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import uuid7
from calibrant.config.schema import Dicl, Provider, Timeouts, Variant
from calibrant.datasets import editing, holdout
from calibrant.datasets.editing import Actor
from calibrant.datasets.withheld import Withheld
from calibrant.measure.neighbours import counted
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.vectors import VectorStore
from calibrant.types.call import EmbeddingReply
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint, Origin
from calibrant.types.embedding import Embedded
from calibrant.types.example import Demonstration
from calibrant.types.extra import ExtraBody, ExtraHeader
from calibrant.types.message import Input, Message
from calibrant.types.reply import Usage
from calibrant.types.split import Shares

CALL = Variant("v", "m")
TEXTS = [
    "Where is the nearest train station to the old harbour?",
    "How do I get my money back for a broken kettle?",
    "Which bus goes to the railway station by the harbour?",
    "My new kettle leaks and I would like a refund for it.",
]


def dicl(k=2, **fields):
    return Dicl("v", CALL, k, **fields)


class Record:
    """A reader of demonstrations that the test adds."""

    def __init__(self):
        self.rows = []
        self.away = False

    def add(self, text, *, episode=None, inference=None, output=b'[{"type":"text","text":"ok"}]'):
        row = Demonstration(
            len(self.rows) + 1, uuid7(), inference or uuid7(), episode or uuid7(), text.encode(), output
        )
        self.rows.append(row)
        return row

    def demonstrations(self, function_name, *, after, limit):
        if self.away:
            raise StoreUnavailable("away")
        return tuple(row for row in self.rows if row.seq > after)[:limit]


@pytest.fixture
def record():
    return Record()


@pytest.fixture
def find(tmp_path, record):
    """Search a fresh index over the record."""

    def _find(text, *, variant=None, vector=None, episode="e", engine=None):
        variant = variant or dicl()

        async def work():
            index = DemonstrationIndex(record, VectorStore(tmp_path / "vectors.db"), {"f": [variant]})
            await index.refresh(engine)
            found = await index.nearest("f", variant, text, vector, episode)
            await index.close()
            return found

        return asyncio.run(work())

    return _find


def said(found):
    return [each.demonstration.input.decode() for each in found]


def test_the_nearest_come_first(record, find):
    for text in TEXTS:
        record.add(text)
    found = find("What train leaves from the harbour station?")
    assert set(said(found)) == {TEXTS[0], TEXTS[2]}
    assert found[0].distance <= found[1].distance and 0 < found[0].distance < 1


def test_nothing_near_is_nothing(record, find):
    assert find("anything") == ()
    record.add(TEXTS[0])
    assert find("zzz", variant=dicl(max_distance=0.5)) == ()
    assert len(find(TEXTS[2], variant=dicl(max_distance=0.95))) == 1


def test_the_same_episode_and_the_question_itself_are_no_examples(record, find):
    record.add(TEXTS[0], episode="mine")
    record.add(TEXTS[1])
    record.add(TEXTS[2].upper() + " ")
    assert said(find(TEXTS[2], episode="mine")) == [TEXTS[1]]


def test_examples_differ_from_each_other(record, find):
    for _ in range(30):
        record.add(TEXTS[0])
    record.add(TEXTS[2])
    assert sorted(said(find("the station by the harbour"))) == sorted([TEXTS[0], TEXTS[2]])


def test_who_is_demonstrated_again_has_the_latest_answer(record, find):
    first = record.add(TEXTS[0])
    record.add(TEXTS[0], inference=first.inference_id, output=b'[{"type":"text","text":"better"}]')
    (found,) = find(TEXTS[2])
    assert b"better" in found.demonstration.output


def test_what_arrives_is_found(record, tmp_path):
    async def work():
        variant = dicl()
        index = DemonstrationIndex(record, VectorStore(tmp_path / "vectors.db"), {"f": [variant]})
        index.start(None)
        record.away = True
        await asyncio.sleep(0.05)
        record.away = False
        record.add(TEXTS[0])
        await index.refresh(None)
        assert len(await index.nearest("f", variant, TEXTS[2], None, "e")) == 1
        assert await index.nearest("g", variant, TEXTS[2], None, "e") == ()
        await index.close()

    asyncio.run(work())


def test_a_search_waits_for_no_index_that_is_made_and_old_texts_are_not_counted_again(record, tmp_path, monkeypatch):
    let_go = threading.Event()
    asked = []

    def slow(text):
        asked.append(text)
        assert len(asked) == 1 or let_go.wait(30)
        return counted(text)

    monkeypatch.setattr("calibrant.app.examples.counted", slow)

    async def work():
        index = DemonstrationIndex(record, VectorStore(tmp_path / "vectors.db"), {"f": [dicl()]})
        record.add(TEXTS[0])
        index.start(None)
        # The first asker waits for the first reading.
        assert said(await index.nearest("f", dicl(), TEXTS[2], None, "e")) == [TEXTS[0]]
        record.add(TEXTS[3])
        refreshing = asyncio.ensure_future(index.refresh(None))
        while len(asked) < 2:
            await asyncio.sleep(0.01)
        assert said(await index.nearest("f", dicl(), TEXTS[2], None, "e")) == [TEXTS[0]]
        let_go.set()
        await refreshing
        assert len(await index.nearest("f", dicl(), TEXTS[2], None, "e")) == 2
        await index.close()

    asyncio.run(work())
    assert asked == [TEXTS[0], TEXTS[3]]


class Embedding:
    """An engine that embeds, in the place of the real one."""

    def __init__(self, monkeypatch):
        self.asked = []
        monkeypatch.setattr("calibrant.app.examples.answer_embeddings", self.answer)
        monkeypatch.setattr("calibrant.app.examples._kept", lambda engine, model: "kept")

    class clock:
        @staticmethod
        def monotonic():
            return 0.0

    async def answer(self, engine, request, caller, started):
        texts = request.call.input
        self.asked.append(texts)
        return Embedded(request, EmbeddingReply(tuple(map(vector_of, texts)), Usage()), None)


def vector_of(text):
    return (float("station" in text), float("kettle" in text), 1.0)


def test_vectors_of_a_model_are_made_once_and_kept(record, find, monkeypatch):
    for text in TEXTS * 30:
        record.add(text)
    engine = Embedding(monkeypatch)
    variant = dicl(k=1, embedding_model="e")
    found = find("a kettle?", variant=variant, vector=(0.0, 1.0, 1.0), engine=engine)
    assert "kettle" in said(found)[0] and found[0].distance == pytest.approx(0, abs=1e-6)
    assert engine.asked == [tuple(TEXTS)]
    record.add("Another one about a station far away from here")
    find("a kettle?", variant=variant, vector=(0.0, 1.0, 1.0), engine=engine)
    assert [len(texts) for texts in engine.asked] == [4, 1]


def test_vectors_of_another_length_are_no_neighbours(record, find, monkeypatch, caplog):
    variant = dicl(k=4, embedding_model="e")
    engine = Embedding(monkeypatch)
    record.add(TEXTS[1])
    find("a kettle?", variant=variant, vector=(0.0, 1.0, 1.0), engine=engine)
    # The model behind the name makes shorter ones from now on.
    monkeypatch.setattr("tests.unit.app.test_examples.vector_of", lambda text: (1.0, 0.5))
    record.add(TEXTS[0])
    assert said(find("a kettle?", variant=variant, vector=(0.0, 1.0, 1.0), engine=engine)) == [TEXTS[1]]
    assert said(find("a kettle?", variant=variant, vector=(1.0, 0.5), engine=engine)) == [TEXTS[0]]
    assert caplog.records == []
    assert find("a kettle?", variant=variant, vector=(1.0,), engine=engine) == ()
    assert "a vector of 1 numbers as its requests have, but of 3 or 2" in caplog.text


def test_what_shapes_vectors_tells_models_of_one_name_apart():
    def of(**fields):
        provider = SimpleNamespace(provider=Provider("p", "openai", "m", **fields))
        model = SimpleNamespace(providers=[provider])
        return _kept(SimpleNamespace(compiler=SimpleNamespace(embedding_model=lambda name: model)), "e")

    others = [
        of(),
        of(api_base="http://b.example/v1"),
        of(extra_body=(ExtraBody("/dimensions", 512),)),
        of(extra_headers=(ExtraHeader("x-model", "b"),)),
        of(options={"dimensions": 256}),
    ]
    assert len(set(others)) == len(others)
    assert of() == of(timeouts=Timeouts(total_ms=5))


def test_whatever_breaks_is_logged_and_tried_again(record, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("calibrant.app.examples._REFRESH_S", 0.01)
    broken = [ValueError("odd")]

    def demonstrations(function_name, *, after, limit):
        if broken:
            raise broken.pop()
        return Record.demonstrations(record, function_name, after=after, limit=limit)

    record.demonstrations = demonstrations
    record.add(TEXTS[0])

    async def work():
        index = DemonstrationIndex(record, VectorStore(tmp_path / "vectors.db"), {"f": [dicl()]})
        index.start(None)
        while not await index.nearest("f", dicl(), TEXTS[2], None, "e"):
            await asyncio.sleep(0.01)
        await index.close()

    asyncio.run(work())
    assert [each.levelname for each in caplog.records] == ["WARNING"] and "ValueError('odd')" in caplog.text


def test_the_newest_are_held_as_far_as_they_fit(record, find, monkeypatch):
    rows = [record.add(text) for text in TEXTS]
    monkeypatch.setattr("calibrant.app.examples._MOST_BYTES", sum(len(row.input + row.output) for row in rows[2:]))
    assert set(said(find("station, kettle, harbour", variant=dicl(k=4)))) == set(TEXTS[2:])
    # Demonstrated again, it counts once.
    record.add(TEXTS[3], inference=rows[3].inference_id)
    assert set(said(find("station, kettle, harbour", variant=dicl(k=4)))) == set(TEXTS[2:])
    monkeypatch.setattr("calibrant.app.examples._MOST", 1)
    assert said(find("station, kettle, harbour", variant=dicl(k=4))) == [TEXTS[3]]


def test_what_the_record_has_dropped_goes_when_everything_is_read_again(record, tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("calibrant.app.examples.monotonic", lambda: now[0])
    engine = Embedding(monkeypatch)
    by_vector = dicl(embedding_model="e")
    store = VectorStore(tmp_path / "vectors.db")
    store.put("kept", {"from an earlier life": b"0123"})

    async def work():
        index = DemonstrationIndex(record, store, {"f": [dicl(), by_vector]})

        async def found():
            await index.refresh(engine)
            by_text = await index.nearest("f", dicl(), "a kettle by the harbour", None, "e")
            near = await index.nearest("f", by_vector, "a kettle by the harbour", (1.0, 1.0, 1.0), "e")
            assert set(said(by_text)) == set(said(near))
            return len(by_text)

        record.add(TEXTS[0])
        record.add(TEXTS[1])
        assert await found() == 2
        assert set(store.get("kept", [*TEXTS, "from an earlier life"])) == {TEXTS[0], TEXTS[1]}
        del record.rows[0]
        assert await found() == 2
        now[0] += 3600
        assert await found() == 1
        assert set(store.get("kept", TEXTS)) == {TEXTS[1]}
        record.rows.clear()
        now[0] += 3600
        assert await found() == 0
        assert store.get("kept", TEXTS) == {}
        await index.close()

    asyncio.run(work())
    assert engine.asked == [(TEXTS[0], TEXTS[1])]


@pytest.mark.parametrize(
    "output", [b"[]", b'[{"type":"text","text":" "}]', b'{"raw":null,"parsed":null}', b'{"raw":"","parsed":null}']
)
def test_an_empty_answer_is_no_example(record, find, output):
    record.add(TEXTS[0], output=output)
    again = record.add(TEXTS[1])
    assert said(find("station, kettle")) == [TEXTS[1]]
    record.add(TEXTS[1], inference=again.inference_id, output=output)
    assert find("station, kettle") == ()


@pytest.mark.parametrize("output", [b'[{"type":"tool_call","name":"x"}]', b'{"raw":"{}","parsed":{}}'])
def test_an_answer_without_text_is_an_example(record, find, output):
    record.add(TEXTS[0], output=output)
    assert said(find("station, kettle")) == [TEXTS[0]]


def test_what_was_erased_is_forgotten_at_once(record, tmp_path):
    async def work():
        mark = tmp_path / "erased"
        index = DemonstrationIndex(record, VectorStore(tmp_path / "vectors.db"), {"f": [dicl()]}, ErasureMark(mark))
        for text in TEXTS[:2]:
            record.add(text)
        await index.refresh(None)
        record.rows.pop(0)
        await index.refresh(None)
        assert set(said(await index.nearest("f", dicl(), TEXTS[2], None, "e"))) == set(TEXTS[:2])
        mark.write_text("now")
        await index.refresh(None)
        assert said(await index.nearest("f", dicl(), TEXTS[2], None, "e")) == [TEXTS[1]]
        await index.close()

    asyncio.run(work())


def test_what_a_dataset_holds_back_is_no_example_even_when_it_was_one(record, tmp_path):
    async def work():
        catalogue = SqliteCatalogue(tmp_path / "catalogue.db")
        withheld = Withheld(catalogue)
        index = DemonstrationIndex(record, VectorStore(tmp_path / "vectors.db"), {"f": [dicl()]}, withheld=withheld)
        rows = [record.add(text) for text in TEXTS[:2]]
        await index.refresh(None)
        assert set(said(await index.nearest("f", dicl(), TEXTS[2], None, "e"))) == set(TEXTS[:2])
        actor = Actor("t", 1_900_000_000_000)
        content = Content("chat", "f", Input((Message("user", (Text("Something of its own"),)),)))
        origin = Origin("inference", rows[0].inference_id)
        # By datapoint, so that nothing else of the record is in a group.
        editing.create(catalogue, "d", "datapoint", actor)
        ids = editing.add(catalogue, "d", [NewDatapoint(content, origin=origin)], actor)
        holdout.seal(catalogue, "d", Shares(train=0, val=0, sealed=100), None, actor)
        await index.refresh(None)
        assert said(await index.nearest("f", dicl(), TEXTS[2], None, "e")) == [TEXTS[1]]
        # Demonstrated again, it is still none.
        record.add(TEXTS[0], inference=rows[0].inference_id)
        await index.refresh(None)
        assert said(await index.nearest("f", dicl(), TEXTS[2], None, "e")) == [TEXTS[1]]
        await index.close()
        catalogue.close()
        assert ids

    asyncio.run(work())
