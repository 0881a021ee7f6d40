"""An export of inferences out of every home: whole, and with hardly more held than is being written."""

import msgspec
from tests.contract.stores.test_queries import fresh
from tests.support.homes import appended
from tests.support.records import feedback, inference, model_inference

from calibrant.datasets.inference_exporting import ExportRequest, InferenceExporter
from calibrant.types.query import Query
from calibrant.types.rows import Inferred

__all__ = ["fresh"]


class Counted:
    """A home that counts the rows that it gave."""

    def __init__(self, home):
        self.home = home
        self.rows = self.calls = self.feedback = 0

    def get(self, ids):
        rows = self.home.get(ids)
        self.rows += len(rows)
        return rows

    def calls_for(self, ids):
        rows = self.home.calls_for(ids)
        self.calls += len(rows)
        return rows

    def feedback_on(self, ids):
        rows = self.home.feedback_on(ids)
        self.feedback += len(rows)
        return rows

    def __getattr__(self, name):
        return getattr(self.home, name)


def test_an_export_of_many_is_streamed(fresh):
    events, rows = fresh(), [inference(output=b'{"raw":"%d"}' % number) for number in range(700)]
    appended(events, [Inferred(row, (model_inference(row.id, raw_response=b"{}"),)) for row in rows])
    appended(events, [feedback(row.id) for row in rows], segment="w.00000002.seg", first=10_000)
    home = Counted(events)
    exporter = InferenceExporter(home, None, ExportRequest(which=Query(), calls=True))
    found, ahead = [], 0
    for number, line in enumerate(exporter.lines(), 1):
        found.append(msgspec.json.decode(line))
        ahead = max(ahead, home.rows - number, home.calls - number, home.feedback - number)
    assert [each["output"]["raw"] for each in found] == [str(number) for number in range(700)]
    assert all(len(each["feedback"]) == len(each["model_inferences"]) == 1 for each in found)
    # Fewer than a page of rows has been read that is not written yet, out of fourteen.
    assert (home.rows, home.calls, home.feedback) == (700, 700, 700)
    assert 0 < ahead < 50


def test_an_export_ends_with_what_was_there_when_it_began(fresh):
    events, rows = fresh(), [inference() for _ in range(4)]
    appended(events, [Inferred(row, ()) for row in rows[:3]])
    exporter = InferenceExporter(events, None, ExportRequest(which=Query()))
    lines = exporter.lines()
    first = next(lines)
    appended(events, [Inferred(rows[3], ())], segment="w.00000002.seg", first=9)
    ids = [msgspec.json.decode(line)["inference_id"] for line in (first, *lines)]
    assert ids == [row.id for row in rows[:3]]
    again = InferenceExporter(events, None, ExportRequest(which=Query(), after=exporter.following))
    assert rows[3].id in [msgspec.json.decode(line)["inference_id"] for line in again.lines()]


def test_pairs_to_learn_preferences_from(fresh):
    events, rows = fresh(), [inference(input=b'{"messages":[]}', output=b'{"raw":"a"}') for _ in range(3)]
    shown = [
        feedback(rows[1].id, metric_name="demonstration", kind="demonstration", number=None, document=document)
        for document in (b'{"raw":"b"}', b'{"raw":"c"}')
    ]
    appended(events, [*(Inferred(row, ()) for row in rows), *shown])
    exporter = InferenceExporter(events, None, ExportRequest(which=Query(source="demonstration")))
    (line,) = map(msgspec.json.decode, exporter.lines())
    assert (line["inference_id"], line["output"]["raw"]) == (rows[1].id, "c")
    assert [each["raw"] for each in line["dispreferred_outputs"]] == ["a"]
