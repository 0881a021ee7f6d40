"""A dataset against a plain model of it: whatever is done, every version reads back as it was."""

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from calibrant.base.errors import NotFound
from calibrant.datasets import editing
from calibrant.datasets.editing import Actor
from calibrant.datasets.exporting import Exporter
from calibrant.datasets.making import content_hash
from calibrant.datasets.reader import DatasetReader
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, DatapointEdit, DatapointQuery, NewDatapoint
from calibrant.types.message import Input, Message

NAMES = ("a", "b")
texts = st.sampled_from(("", "x", "ü'\""))
names = st.sampled_from(NAMES)
tags = st.dictionaries(st.sampled_from(("t", "u")), texts, max_size=2)
some = st.lists(st.integers(0, 30), max_size=3, unique=True)


def content(text, answer):
    given = Input((Message("user", (Text(text),)),))
    return Content("chat", "f", given, None if answer is None else (Text(answer),))


class Datasets(RuleBasedStateMachine):
    """`past[name][version]` is what the dataset held then: by id its name, tags and content."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.catalogue = SqliteCatalogue(Path(self.folder.name) / "catalogue.db")
        self.past = {name: [{}] for name in NAMES}
        self.written = {name: [b""] for name in NAMES}
        self.everything = {}
        self.now = 0

    def teardown(self):
        with closing(self.catalogue):
            for name in NAMES:
                for version, then in enumerate(self.past[name]):
                    assert self.read(name, version) == then
                    assert self.export(name, version) == self.written[name][version]
        self.folder.cleanup()

    def read(self, name, version=None):
        if version is None:
            which = DatapointQuery(dataset_name=name, limit=1000)
            rows = DatasetReader(self.catalogue).page(which)
        elif len(self.past[name]) == 1:
            return {}
        else:
            rows = DatasetReader(self.catalogue).stream(DatapointQuery(dataset_name=name, version=version))
        return {row.id: (row.name, row.tags, row.content) for row in rows}

    def export(self, name, version):
        if len(self.past[name]) == 1:
            return b""
        which = DatapointQuery(dataset_name=name, version=version)
        return b"".join(Exporter(DatasetReader(self.catalogue), None).lines(which))

    def actor(self):
        self.now += 1
        return Actor("k", self.now)

    def picked(self, name, which):
        present = sorted(self.past[name][-1])
        return [present[n % len(present)] for n in which] if present else []

    def becomes(self, name, held):
        self.past[name].append(held)
        self.written[name].append(self.export(name, len(self.past[name]) - 1))
        self.everything |= held

    @rule(name=names, wanted=st.lists(st.tuples(texts, texts | st.none(), tags), min_size=1, max_size=3))
    def add(self, name, wanted):
        points = [NewDatapoint(content(text, answer), None, None, held) for text, answer, held in wanted]
        ids = editing.add(self.catalogue, name, points, self.actor())
        added = {id_: (None, each.tags, each.content) for id_, each in zip(ids, points, strict=True)}
        self.becomes(name, {**self.past[name][-1], **added})

    @rule(name=names, which=some, answer=texts, held=tags)
    def edit(self, name, which, answer, held):
        ids = list(dict.fromkeys(self.picked(name, which)))
        if not ids:
            return
        edits = [DatapointEdit(id=each, type="chat", output=(Text(answer),), tags=held) for each in ids]
        new = editing.edit(self.catalogue, name, edits, self.actor(), lambda each: each)
        then = self.past[name][-1]
        changed = {
            n: (then[old][0], held, content(then[old][2].input.messages[0].content[0].text, answer))
            for old, n in zip(ids, new, strict=True)
        }
        kept = {id_: each for id_, each in then.items() if id_ not in ids}
        self.becomes(name, {**kept, **changed})
        chain = DatasetReader(self.catalogue).get(new)
        assert [each.origin.parent_id for each in chain] == ids

    @rule(name=names, which=some, called=texts | st.none())
    def rename(self, name, which, called):
        ids = list(dict.fromkeys(self.picked(name, which)))
        assert editing.rename(self.catalogue, name, [(each, called) for each in ids], self.actor()) == tuple(ids)
        then = self.past[name][-1]
        if any(then[each][0] != called for each in ids):
            self.becomes(name, {**then, **{each: (called, *then[each][1:]) for each in ids}})

    @rule(name=names, which=some)
    def delete(self, name, which):
        ids = self.picked(name, which)
        gone = editing.delete(self.catalogue, name, [*ids, "none"], self.actor())
        assert gone == len(set(ids))
        if ids:
            self.becomes(name, {id_: each for id_, each in self.past[name][-1].items() if id_ not in ids})

    @rule(name=names)
    def clear(self, name):
        assert editing.clear(self.catalogue, name, self.actor()) == len(self.past[name][-1])
        if len(self.past[name]) > 1:
            self.becomes(name, {})

    @rule(name=names, which=some)
    def clone_into(self, name, which):
        known = sorted(self.everything)
        ids = [known[n % len(known)] for n in which] if known else []
        copies = editing.clone(self.catalogue, name, ids, self.actor())
        if ids:
            new = {copy: self.everything[id_] for id_, copy in zip(ids, copies, strict=True)}
            self.becomes(name, {**self.past[name][-1], **new})

    @rule(name=names)
    def what_is_gone_cannot_be_edited(self, name):
        gone = [id_ for id_ in self.everything if id_ not in self.past[name][-1]]
        if gone:
            try:
                editing.edit(
                    self.catalogue, name, [DatapointEdit(id=gone[0], type="chat")], self.actor(), lambda each: each
                )
            except NotFound:
                return
            raise AssertionError

    @invariant()
    def the_present_is_the_last_version(self):
        for name in NAMES:
            assert self.read(name) == self.past[name][-1]
            with self.catalogue.reading() as view:
                known = view.dataset(name)
                assert (0 if known is None else known.version) == len(self.past[name]) - 1
                changes = view.dataset_changes(name, limit=1000)
                assert sum(each.added - each.removed for each in changes) == len(self.past[name][-1])
                assert all(
                    row.content_hash == content_hash(row.content) for row in view.find_datapoints(self.everything)
                )


TestDatasets = Datasets.TestCase
TestDatasets.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
