"""Datapoints of theirs."""

import pytest

from calibrant.imports.blocks import Unmappable
from calibrant.imports.datapoints import to_datapoint, to_example
from calibrant.types.content import Text
from calibrant.types.datapoint import NO_TOOLS

ID, OTHER = "019f0000-0000-7000-8000-000000000001", "019f0000-0000-7000-8000-000000000002"
ROW = {
    "id": ID,
    "dataset_name": "golden",
    "function_name": "f",
    "input": '{"messages": []}',
    "output": '[{"type": "text", "text": "x"}]',
    "tags": {"a": "b"},
    "updated_at": 7,
}


def test_a_chat_datapoint():
    made = to_datapoint({**ROW, "name": "n", "episode_id": OTHER, "staled_at": 9}, function_type="chat")
    assert (made.id, made.dataset_name, made.updated_at, made.staled_at) == (ID, "golden", 7, 9)
    new = made.new
    assert (new.name, new.episode_id, new.tags) == ("n", OTHER, {"a": "b"})
    assert (new.content.type, new.content.function_name, new.content.output) == ("chat", "f", (Text("x"),))
    assert new.content.tools is NO_TOOLS


def test_a_json_datapoint():
    row = {**ROW, "output": '{"raw": "1", "parsed": 1}', "output_schema": '{"type": "number"}'}
    content = to_datapoint(row, function_type="json").new.content
    assert (content.type, content.output.raw, content.output_schema) == ("json", "1", {"type": "number"})


@pytest.mark.parametrize(
    ("change", "source", "inference_id"),
    [
        ({"source_inference_id": OTHER, "is_custom": False}, "inference", OTHER),
        ({"source_inference_id": OTHER, "is_custom": True}, "import", OTHER),
        ({}, "import", None),
    ],
)
def test_where_it_came_from(change, source, inference_id):
    origin = to_datapoint({**ROW, **change}, function_type="chat").new.origin
    assert (origin.source, origin.inference_id) == (source, inference_id)


@pytest.mark.parametrize(
    "change",
    [{"id": "x"}, {"input": None}, {"dataset_name": "builder"}, {"dataset_name": None}, {"output_schema": "[]"}],
)
def test_what_cannot_be_one_says_why(change):
    with pytest.raises(Unmappable):
        to_datapoint({**ROW, **change, "output": None}, function_type="json")


EXAMPLE = {"id": ID, "function_name": "f", "variant_name": "v", "input": '{"messages": []}', "output": "[]"}


def test_an_example_is_a_datapoint_of_its_function_and_variant():
    made = to_example({**EXAMPLE, "namespace": "n"})
    assert (made.id, made.dataset_name, made.updated_at) == (ID, "dicl-f-v", 0x019F00000000)
    assert (made.new.tags, made.new.origin.source, made.new.content.type) == ({"namespace": "n"}, "import", "chat")
    assert to_example({**EXAMPLE, "output": '"Hi."'}).new.content.output == (Text("Hi."),)
    assert to_example({**EXAMPLE, "output": '{"raw": "1"}'}).new.content.type == "json"


@pytest.mark.parametrize(
    "change",
    [{"id": "x"}, {"input": None}, {"output": None}, {"output": "{"}, {"output": "3"}, {"variant_name": "v" * 600}],
)
def test_what_cannot_be_an_example_says_why(change):
    with pytest.raises(Unmappable):
        to_example({**EXAMPLE, **change})
