"""Any body of a dataset's routes, any line of a file is understood or refused; what is understood is shown again."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import uuid7
from calibrant.datasets.making import content_hash, made
from calibrant.wire.datapoint_answer import encode_datapoint
from calibrant.wire.datapoints import (
    decode_clone,
    decode_create,
    decode_edit,
    decode_from_inferences,
    decode_ids,
    decode_list,
    decode_rename,
)
from calibrant.wire.dataset_lines import decode_chat_line, decode_line
from calibrant.wire.datasets import decode_new_dataset

NOW = 2**42
READERS = (
    lambda body: decode_create(body, now_ms=NOW),
    lambda body: decode_edit(body, now_ms=NOW),
    decode_rename,
    decode_ids,
    decode_clone,
    decode_new_dataset,
    lambda body: decode_list("d", body),
    lambda body: decode_from_inferences(body, {}),
    lambda body: decode_line(body, now_ms=NOW),
    lambda body: decode_chat_line(body, "f", "chat", (), now_ms=NOW),
    lambda body: decode_chat_line(body, "f", "json", (), now_ms=NOW),
)

texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
json = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
documents = st.dictionaries(texts, json, max_size=3)
words = st.sampled_from(("chat", "json", "f", "", "\0", "and", "not", "tag", "time", "=", "!=", "2026-01-01T00:00:00Z"))
FIELDS = (
    "type datapoints id ids name input output messages role content raw parsed tags episode_id allowed_tools "
    "tool_choice "
    "additional_tools parallel_tool_calls provider_tools output_schema function_name filter children child key value "
    "time "
    "comparison_operator limit offset order_by by version after group_by inference_ids datapoint_ids tools system"
)
shaped = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=5),
    max_leaves=25,
)


@given(shaped)
@example({"datapoints": [{"type": "chat", "function_name": "f", "input": {"messages": []}, "output": {}}]})
@example({"datapoints": [{"type": "json", "function_name": "f", "input": {}, "output": {"parsed": [[]]}}]})
@example({"messages": [{"role": "assistant", "content": "x"}]})
def test_any_body_is_understood_or_refused(document):
    for read in READERS:
        try:
            read(msgspec.json.encode(document))
        except InvalidRequest as error:
            error.message.encode()


@given(st.binary(max_size=50))
@example(b"[" * 10_000)
@example(b'{"datapoints":' + b'[{"a":' * 5_000)
@example(b'{"name":"\\ud800"}')
@example(b"")
def test_any_bytes_are_refused_or_understood(body):
    for read in READERS:
        try:
            read(body)
        except InvalidRequest as error:
            assert error.message


name = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
call = st.fixed_dictionaries({"type": st.just("tool_call"), "id": name, "name": name, "arguments": texts})
said = st.fixed_dictionaries({"type": st.just("text"), "text": texts}) | call
input_blocks = st.one_of(
    said,
    st.fixed_dictionaries({"type": st.just("template"), "name": name, "arguments": documents}),
    st.fixed_dictionaries({"type": st.just("raw_text"), "value": texts}),
    st.fixed_dictionaries({"type": st.just("tool_result"), "id": name, "name": name, "result": texts}),
    st.fixed_dictionaries({"type": st.just("cache_point")}, optional={"ttl": texts}),
    st.fixed_dictionaries({"type": st.just("unknown"), "data": json}, optional={"model_name": name}),
    st.fixed_dictionaries({"type": st.just("thought")}, optional={"text": texts, "extra_data": json}),
    st.fixed_dictionaries({"type": st.just("file"), "url": st.just("https://x/y")}, optional={"filename": texts}),
    st.fixed_dictionaries({"type": st.just("file"), "data": st.just("aGk=")}, optional={"mime_type": st.just("a/b")}),
)
inputs = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.fixed_dictionaries(
                {"role": st.sampled_from(("user", "assistant")), "content": st.lists(input_blocks, max_size=3)}
            ),
            max_size=3,
        )
    },
    optional={"system": texts | documents},
)
chats = st.fixed_dictionaries(
    {"type": st.just("chat"), "function_name": name, "input": inputs},
    optional={
        "output": st.lists(said, max_size=3),
        "name": name,
        "tags": st.dictionaries(name.filter(lambda each: "::" not in each), name, max_size=2),
        "allowed_tools": st.lists(name, max_size=2),
        "additional_tools": st.lists(
            st.fixed_dictionaries({"name": name.filter(bool), "parameters": documents}),
            max_size=2,
        ),
        "tool_choice": st.sampled_from(("auto", "none", "required")),
        "parallel_tool_calls": st.booleans(),
        "provider_tools": st.lists(st.fixed_dictionaries({"tool": documents}), max_size=2),
    },
)
jsons = st.fixed_dictionaries(
    {"type": st.just("json"), "function_name": name, "input": inputs},
    optional={"output": st.fixed_dictionaries({"raw": texts | st.none()}), "output_schema": documents},
)


@given(chats | jsons)
def test_what_is_shown_can_be_sent_back_and_is_the_same(point):
    (wanted,) = decode_create(msgspec.json.encode({"datapoints": [point]}), now_ms=NOW)
    fields = {"dataset_name": "d", "version": 1, "group_by": "episode", "actor": "", "now_ms": NOW}
    row = made(wanted, uuid7(), **fields)
    back = decode_line(encode_datapoint(row), now_ms=NOW)
    assert (back.content, back.name, back.tags) == (wanted.content, wanted.name, wanted.tags)
    assert content_hash(back.content) == row.content_hash
