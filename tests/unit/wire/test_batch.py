"""Batches in and out."""

import msgspec
import pytest

from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import uuid7
from calibrant.types.batch import Batch, BatchElement
from calibrant.types.rows import InferenceRow
from calibrant.wire import native
from calibrant.wire.batch import MAX_ELEMENTS, decode_batch, encode_batch, encode_recorded

NOW = 2**41
SAID = {"messages": [{"role": "user", "content": "Hello?"}]}
TOOL = {"name": "t", "description": "d", "parameters": {"type": "object"}}


def decoded(**fields):
    body = {"function_name": "f", "inputs": [SAID, SAID], **fields}
    return decode_batch(msgspec.json.encode({k: v for k, v in body.items() if v is not ...}), now_ms=NOW)


def requests(**fields):
    return [native.decode(each, now_ms=NOW) for each in decoded(**fields).bodies]


def test_each_entry_of_a_list_belongs_to_its_element():
    episode = uuid7()
    one, two = requests(
        variant_name="v",
        episode_ids=[None, episode],
        tags=[{"a": "b"}, None],
        params={"chat_completion": {"temperature": [0.5, None], "seed": [None, 7], "top_p": None}},
        allowed_tools=[["x"], None],
        additional_tools=[None, [TOOL]],
        tool_choice=["required", {"specific": "t"}],
        parallel_tool_calls=[None, False],
        output_schemas=[{"type": "object"}, None],
    )
    assert (one.variant_name, one.tags, one.params.temperature, one.params.seed) == ("v", {"a": "b"}, 0.5, None)
    assert (two.tags, two.params.temperature, two.params.seed, two.params.top_p) == ({}, None, 7, None)
    assert (one.allowed_tools, two.allowed_tools) == (("x",), None)
    assert (one.tools, two.tools[0].name) == ((), "t")
    assert (one.tool_choice, two.tool_choice.specific) == ("required", "t")
    assert (one.parallel_tool_calls, two.parallel_tool_calls) == (None, False)
    assert (one.output_schema, two.output_schema) == ({"type": "object"}, None)
    assert two.episode_id == episode and one.episode_id not in (None, episode)


def test_elements_without_anything_are_plain():
    one, two = requests()
    assert one.episode_id != two.episode_id
    assert (
        native.decode(
            msgspec.json.encode({"function_name": "f", "input": SAID, "episode_id": one.episode_id}), now_ms=NOW
        )
        == one
    )


def test_a_name_of_ours_is_stored_as_theirs():
    assert decoded(function_name="calibrant::x").function_name == "tensorzero::x"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"inputs": []}, r"\$\.inputs"),
        ({"inputs": ...}, "inputs"),
        ({"function_name": ...}, "function_name"),
        ({"tags": [{}]}, r"1 entries for 2 inputs.*\$\.tags"),
        ({"episode_ids": [None, None, None]}, r"3 entries for 2 inputs.*\$\.episode_ids"),
        ({"params": {"chat_completion": {"seed": [1]}}}, r"1 entries.*\$\.params\.chat_completion\.seed"),
        ({"params": {"chat_completion": {"seed": 1}}}, "seed|array"),
        ({"params": {"dicl": {}}}, "dicl"),
        ({"output_schemas": [{}]}, r"\$\.output_schemas"),
        ({"episode_ids": ["x", None]}, r"episode_ids\[0\]"),
        ({"model_name": "m"}, "model_name"),
        ({"stream": True}, "stream"),
        ({"dryrun": True}, "dryrun"),
        ({"cache_options": {}}, "cache_options"),
        ({"credentials": {"k": "very-secret"}}, "credentials.*never stored"),
        ({"inputs": [1] * (MAX_ELEMENTS + 1)}, "at most 50000 inputs"),
        ({"function_name": "f\0"}, "NUL"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(fields, where):
    with pytest.raises(InvalidRequest, match=where) as error:
        decoded(**fields)
    assert "very-secret" not in error.value.message


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"function_name":"f","inputs":[{"a":"\xff"}]}', b"null"])
def test_garbage_is_a_400(body):
    with pytest.raises(InvalidRequest):
        decode_batch(body, now_ms=NOW)


def batch(status):
    return Batch(
        id="b", key_id=None, status=status, kind="gateway", function_name="f", variant_name="v", probability=1.0,
        model_name="m", total=2, created_at=0, updated_at=0,
    )  # fmt: skip


ELEMENTS = [
    BatchElement("i1", "b", 0, "e1", "completed", None, b'{"x":1}'),
    BatchElement("i2", "b", 1, "e2", "failed", None, None, "code", "why"),
    BatchElement("i3", "b", 2, "e3", "cancelled"),
]
FAILURES = [{"inference_id": "i2", "code": "code", "error": "why"}]


@pytest.mark.parametrize(
    ("status", "elements", "told"),
    [
        ("pending", [], {"status": "pending"}),
        ("running", [], {"status": "pending"}),
        ("completed", ELEMENTS[:1], {"status": "completed", "batch_id": "b", "inferences": [{"x": 1}]}),
        ("completed", [], {"status": "completed", "batch_id": "b", "inferences": []}),
        (
            "completed",
            ELEMENTS[:2],
            {"status": "completed", "batch_id": "b", "inferences": [{"x": 1}], "failures": FAILURES},
        ),
        (
            "cancelled",
            ELEMENTS,
            {"status": "cancelled", "batch_id": "b", "inferences": [{"x": 1}], "failures": FAILURES},
        ),
        ("failed", ELEMENTS[1:2], {"status": "failed", "failures": FAILURES}),
        ("failed", [], {"status": "failed"}),
    ],
)
def test_what_is_told_of_a_batch(status, elements, told):
    assert msgspec.json.decode(encode_batch(batch(status), elements)) == told


def row(**fields):
    plain = {"id": "i", "episode_id": "e", "function_name": "f", "variant_name": "v", "function_type": "chat"}
    return InferenceRow(**{**plain, "status": "ok", "snapshot_hash": "h", "finish_reason": "stop", **fields})


def test_an_answer_out_of_the_record():
    chat = row(output=b'[{"type":"text","text":"Hi"}]', input_tokens=1, output_tokens=2, cost="0.10")
    told = msgspec.json.decode(encode_recorded(chat))
    assert told["content"] == [{"type": "text", "text": "Hi"}] and told["usage"]["cost"] == 0.1
    json = row(function_type="json", output=b'{"raw":"{}","parsed":{}}')
    assert msgspec.json.decode(encode_recorded(json))["output"] == {"raw": "{}", "parsed": {}}
    assert encode_recorded(row()) is None and encode_recorded(row(output=b"redacted")) is None
    assert encode_recorded(row(status="error", output=b"[]")) is None
