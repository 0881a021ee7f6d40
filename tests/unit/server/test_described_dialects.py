"""Blocks, items and tools are described as the codecs read them: one of each type goes through both."""

from typing import get_args

import jsonschema_rs
import msgspec
import pytest
from tests.unit.server.test_described import build

from calibrant.apischema import told_blocks, told_items
from calibrant.server.described_dialects import tags_of
from calibrant.wire import anthropic_input, anthropic_messages, openai_responses

SOURCE = {"type": "url", "url": "https://a.example/b"}
CALL = {"type": "tool_use", "id": "t", "name": "look", "input": {}}
ITEM_CALL = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
BLOCKS = [
    {"type": "text", "text": "x"},
    {"type": "text", "tensorzero::arguments": {"n": 1}},
    {"type": "image", "source": SOURCE},
    {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}, "title": "x"},
    {"type": "thinking", "thinking": "x", "signature": "s"},
    {"type": "redacted_thinking", "data": "x"},
    CALL,
    {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}]},
    {"type": "unknown", "data": {"x": 1}},
    *({"type": f"{ours}::template", "name": "t", "arguments": {}} for ours in ("tensorzero", "calibrant")),
    *({"type": f"{ours}::raw_text", "value": "x"} for ours in ("tensorzero", "calibrant")),
]
PARTS = [
    *({"type": kind, "text": "x"} for kind in ("input_text", "output_text", "text")),
    {"type": "input_text", "calibrant::arguments": {"n": 1}},
    {"type": "refusal", "refusal": "x"},
    {"type": "input_image", "image_url": "https://a.example/b", "detail": "low"},
    {"type": "input_file", "file_url": "https://a.example/b"},
    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
    *({"type": f"{ours}::template", "name": "t", "arguments": {}} for ours in ("tensorzero", "calibrant")),
    *({"type": f"{ours}::raw_text", "value": "x"} for ours in ("tensorzero", "calibrant")),
]
ITEMS = [
    ITEM_CALL,
    {"type": "custom_tool_call", "call_id": "c", "name": "look", "input": "x"},
    {"type": "function_call_output", "call_id": "c", "output": "x"},
    {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]},
    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "x"}]},
    {"type": "item_reference", "id": "msg_1"},
]
TOOLS = [
    {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": True},
    {"type": "custom", "name": "say", "format": {"type": "text"}},
    {"type": "custom", "name": "say", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}},
]
ANSWERS = {
    "MessageAnswer": (told_blocks.AnsweredBlock, "content"),
    "ResponseBody": (told_items.AnsweredItem, "output"),
}


@pytest.fixture(scope="module")
def document():
    return build()


def valid(document, component, body):
    schema = {"$ref": f"#/components/schemas/{component}", "components": document["components"]}
    jsonschema_rs.Draft202012Validator(schema).validate({"model": "m", **body})


def named(values):
    return pytest.mark.parametrize("value", values, ids=lambda value: value["type"])


def messages(document, *turns, **fields):
    """What no other dialect can say of these messages, which the document allows."""
    body = {"model": "m", "messages": list(turns), **fields}
    valid(document, "MessagesBody", body)
    return anthropic_messages.decode(msgspec.json.encode(body), now_ms=0).sent.only


def items(document, *given, **fields):
    body = {"model": "m", "input": list(given), **fields}
    valid(document, "ResponsesBody", body)
    return openai_responses.decode(msgspec.json.encode(body), now_ms=0).sent.only


def test_there_is_one_of_each_type():
    for values, kinds in ((BLOCKS, told_blocks.MessageBlock), (PARTS, told_items.InputPart)):
        assert {value["type"] for value in values} == set(tags_of(kinds))
    assert {value["type"] for value in ITEMS} == set(tags_of(told_items.InputItem))
    assert {value["type"] for value in TOOLS} == set(tags_of(told_items.OfferedTool))
    assert set(tags_of(told_blocks.MessageBlock)) == set(anthropic_input._DECODERS)


@named(BLOCKS)
def test_a_block(document, value):
    if value["type"] == "tool_result":
        turns = [{"role": "assistant", "content": [CALL]}, {"role": "user", "content": [value]}]
    else:
        turns = [{"role": "assistant", "content": [value]}]
    assert messages(document, *turns) == ()


@named(PARTS)
def test_a_part(document, value):
    assert items(document, {"role": "user", "content": [value]}) == ()
    assert items(document, {"type": "message", "role": "user", "content": "x"}) == ()


@named(ITEMS)
def test_an_item(document, value):
    # One that is none of our answers' may be kept by the provider.
    assert (items(document, ITEM_CALL, value) == ()) == (value["type"] != "item_reference")


@named(TOOLS)
def test_a_tool(document, value):
    assert items(document, {"role": "user", "content": "x"}, tools=[value]) == ()


@pytest.mark.parametrize("kind", [{}, {"type": "custom"}])
def test_a_tool_of_messages(document, kind):
    tool = {**kind, "name": "look", "input_schema": {"type": "object"}}
    assert messages(document, {"role": "user", "content": "x"}, tools=[tool]) == ()


@pytest.mark.parametrize(
    ("component", "body"),
    [
        ("MessagesBody", {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}),
        ("MessagesBody", {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}),
        ("MessagesBody", {"messages": [{"role": "user", "content": [{"text": "x"}]}]}),
        ("MessagesBody", {"messages": [], "tools": [{"type": "custom"}]}),
        ("MessagesBody", {"messages": [], "system": [{"type": "image", "source": SOURCE}]}),
        ("ResponsesBody", {"input": [{"type": "function_call"}]}),
        ("ResponsesBody", {"input": [{"role": "tool", "content": "x"}]}),
        ("ResponsesBody", {"input": [{"role": "user", "content": [{"type": "refusal"}]}]}),
        ("ResponsesBody", {"tools": [{"type": "function"}]}),
    ],
)
def test_what_is_told_by_its_type_is_held_to_it(document, component, body):
    with pytest.raises(jsonschema_rs.ValidationError):
        valid(document, component, body)


def test_what_only_a_provider_of_the_dialect_knows_is_no_fault(document):
    tools = [{"type": "web_search_20260318", "name": "web_search"}]
    own = {"role": "assistant", "content": [{"type": "server_tool_use", "anything": [1]}]}
    assert len(messages(document, own, tools=tools)) == 2
    assert len(items(document, {"type": "mcp_call", "id": "x"}, tools=tools)) == 2


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_names_each_type_and_lets_a_providers_own_pass(document, answer):
    kinds, field = ANSWERS[answer]
    schema = document["components"]["schemas"][answer]["properties"][field]["items"]
    known, others = schema["anyOf"]
    assert list(known["discriminator"]["mapping"]) == tags_of(kinds) == others["properties"]["type"]["not"]["enum"]
    assert len(known["anyOf"]) == len(get_args(kinds))
