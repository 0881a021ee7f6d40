"""Feedback of all kinds."""

import msgspec
import pytest

from calibrant.imports.blocks import Unmappable
from calibrant.imports.feedback import metric_levels, to_feedback

ID, TARGET = "019f0000-0000-7000-8000-000000000001", "019f0000-0000-7000-8000-000000000002"
ROW = {"id": ID, "target_id": TARGET, "tags": {"tensorzero::human_feedback": "true"}, "snapshot_hash": "ab"}


@pytest.mark.parametrize(("value", "number"), [(True, 1.0), (False, 0.0)])
def test_a_boolean(value, number):
    row = to_feedback("boolean_metric_feedback", {**ROW, "metric_name": "m", "value": value}, "episode")
    assert (row.id, row.metric_name, row.kind, row.level, row.target_id) == (ID, "m", "boolean", "episode", TARGET)
    assert (row.number, row.document, row.snapshot_hash, row.linked) == (number, None, "ab", True)
    assert row.tags == {"tensorzero::human_feedback": "true"}


def test_a_float():
    row = to_feedback("float_metric_feedback", {**ROW, "metric_name": "m", "value": -2.5}, "inference")
    assert (row.kind, row.number) == ("float", -2.5)


def test_a_comment_says_itself_what_it_is_on():
    row = to_feedback("comment_feedback", {**ROW, "target_type": "episode", "value": 'Fine, "quite"'})
    assert (row.metric_name, row.kind, row.level) == ("comment", "comment", "episode")
    assert msgspec.json.decode(row.document) == 'Fine, "quite"'


@pytest.mark.parametrize(
    ("value", "document"),
    [
        ('[{"type": "text", "text": "x"}]', [{"type": "text", "text": "x"}]),
        ('{"raw": "1", "parsed": 1}', {"raw": "1", "parsed": 1}),
    ],
)
def test_a_demonstration_is_an_output(value, document):
    row = to_feedback("demonstration_feedback", {"id": ID, "inference_id": TARGET, "value": value})
    assert (row.metric_name, row.kind, row.level, row.target_id) == (
        "demonstration",
        "demonstration",
        "inference",
        TARGET,
    )
    assert msgspec.json.decode(row.document) == document


@pytest.mark.parametrize(
    ("table", "change", "why"),
    [
        ("boolean_metric_feedback", {"metric_name": "m", "value": True}, "whether the metric is of inferences"),
        ("float_metric_feedback", {"value": 1.0}, "metric_name"),
        ("comment_feedback", {"target_type": "function", "value": "x"}, "function"),
        ("comment_feedback", {"target_type": "episode", "value": None}, "comment"),
        ("demonstration_feedback", {"inference_id": TARGET, "value": None}, "without a value"),
        ("demonstration_feedback", {"inference_id": TARGET, "value": "null"}, "without a value"),
    ],
)
def test_what_cannot_be_feedback_says_why(table, change, why):
    with pytest.raises(Unmappable, match=why):
        to_feedback(table, {**ROW, **change})


@pytest.mark.parametrize("value", ["x", None, float("nan"), float("inf")])
def test_a_number_is_one(value):
    with pytest.raises(Unmappable, match="number"):
        to_feedback("float_metric_feedback", {**ROW, "metric_name": "m", "value": value}, "inference")


def test_levels_by_the_configuration():
    metrics = {"a": {"level": "episode"}, "b": {"level": "inference", "type": "float"}, "c": {}, "d": 1}
    assert metric_levels({"metrics": metrics}) == {"a": "episode", "b": "inference"}
    assert metric_levels({}) == {}
