import base64
import json

import msgspec
import pytest
from anthropic.types import Message as TheirMessage
from anthropic.types import ModelInfo

from calibrant.base.errors import BadAnswer, InvalidRequest
from calibrant.types.answer import Answered, Head
from calibrant.types.content import (
    CachePoint,
    File,
    RawText,
    Template,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Unknown,
)
from calibrant.types.message import Input, Message
from calibrant.types.reply import Chunk, Reply, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta, Usage, as_chunk
from calibrant.types.request import InferenceRequest, Params
from calibrant.types.rows import ModelInferenceRow
from calibrant.types.tool import Specific, Tool
from calibrant.wire import anthropic_messages

NOW = 1_780_000_000_000
EPISODE = "0196ffff-0000-7000-8000-000000000000"
PNG = "iVBORw0KGgoAAAANSUhEUg=="
PDF = "JVBERi0xLjQ="
EPHEMERAL = {"type": "ephemeral"}
USED = {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}}


def decode(**fields):
    body = {"model": "claude", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}], **fields}
    return anthropic_messages.decode(msgspec.json.encode(body), now_ms=NOW)


def read(*messages, **fields):
    return decode(messages=list(messages), **fields).input


def part(*content, role="user"):
    return read({"role": role, "content": list(content)}).messages[0].content


def refused(match, **fields):
    with pytest.raises(InvalidRequest, match=match) as caught:
        decode(**fields)
    assert caught.value.status == 400


def head(kind="chat", **fields):
    request = msgspec.structs.replace(decode(), **fields)
    return Head("i", "e", "f", "v", kind, request, 1)


def answered(*content, usage=Usage(), finish="stop", kind="chat", raw=None, cost=None, calls=(), **fields):
    return Answered(head(kind, **fields), content, raw, None, usage, finish, cost, calls)


def encode(*content, **fields):
    return json.loads(anthropic_messages.encode(answered(*content, **fields)))


def events(*chunks, kind="chat", finish="stop", cost=None, calls=(), usage=Usage(), **fields):
    writes = anthropic_messages.events(head(kind, **fields))
    whole = answered(usage=usage, finish=finish, cost=cost, calls=calls)
    data = b"".join([*map(writes.chunk, chunks), writes.final(whole), writes.done()])
    return [json.loads(frame.partition(b"\ndata: ")[2]) for frame in data.split(b"\n\n")[:-1]]


def pieces(*deltas, **fields):
    """What stands between the first event and the last two, shortened."""
    short = []
    for event in events(*(Chunk((delta,)) for delta in deltas), **fields)[1:-2]:
        kind = event["type"].removeprefix("content_block_")
        short.append((kind, event["index"], *(value for key, value in event.items() if key not in ("type", "index"))))
    return short


def test_the_plain_request():
    request = decode()
    assert msgspec.structs.replace(request, sent=None) == InferenceRequest(
        input=Input((Message("user", (Text("hello"),)),)),
        model_name="claude",
        params=Params(max_tokens=10),
        dialect="anthropic_messages",
        prefix="calibrant",
    )
    assert request.sent.model == "claude" and not request.sent.only


@pytest.mark.parametrize(
    ("model", "function", "name", "prefix"),
    [
        ("tensorzero::function_name::f::g", "f::g", None, "tensorzero"),
        ("calibrant::model_name::m", None, "m", "calibrant"),
        ("openai::gpt-4o-mini", None, "openai::gpt-4o-mini", "calibrant"),
        ("claude-sonnet-5-5", None, "claude-sonnet-5-5", "calibrant"),
    ],
)
def test_the_model_names_a_function_or_a_model(model, function, name, prefix):
    request = decode(model=model)
    assert (request.function_name, request.model_name, request.prefix) == (function, name, prefix)
    assert request.sent.model == model


def test_every_field():
    request = decode(
        system="s",
        temperature=0.5,
        top_p=0.25,
        stop_sequences=["x"],
        stream=True,
        tools=[{"name": "look", "description": "d", "input_schema": {"type": "object"}, "strict": True}],
        tool_choice={"type": "tool", "name": "look", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 2048},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        service_tier="standard_only",
        **{
            "calibrant::tags": {"a": "b"},
            "calibrant::episode_id": EPISODE,
            "tensorzero::include_raw_usage": True,
            "tensorzero::dryrun": True,
        },
    )
    assert msgspec.structs.replace(request, sent=None) == InferenceRequest(
        input=Input((Message("user", (Text("hello"),)),), "s"),
        model_name="claude",
        episode_id=EPISODE,
        stream=True,
        params=Params(
            temperature=0.5,
            max_tokens=10,
            top_p=0.25,
            stop_sequences=("x",),
            json_mode="strict",
            reasoning_effort="high",
            service_tier="default",
            thinking_budget_tokens=2048,
        ),
        tags={"a": "b"},
        dryrun=True,
        tools=(Tool("look", "d", {"type": "object"}, strict=True),),
        tool_choice=Specific("look"),
        parallel_tool_calls=False,
        output_schema={"type": "object"},
        dialect="anthropic_messages",
        prefix="calibrant",
        include_raw_usage=True,
    )
    assert not any(key.startswith(("calibrant", "tensorzero")) for key in request.sent.fields)


@pytest.mark.parametrize(
    ("choice", "ours", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": False}, "required", True),
        ({"type": "none"}, "none", None),
    ],
)
def test_choices_among_tools(choice, ours, parallel):
    request = decode(tool_choice=choice)
    assert (request.tool_choice, request.parallel_tool_calls) == (ours, parallel)


def test_thinking_turned_off_and_left_to_the_model():
    assert decode(thinking={"type": "disabled"}).params.thinking_budget_tokens == 0
    assert decode(thinking={"type": "adaptive", "display": "omitted"}).params.thinking_budget_tokens is None


def test_system_prompts():
    assert read({"role": "user", "content": "a"}, system=[]).system is None
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    between = {"role": "system", "content": [{"type": "text", "text": "c"}]}
    given = read({"role": "user", "content": "x"}, between, {"role": "user", "content": "y"}, system=texts)
    assert given.system == "a\nb\nc" and [message.content for message in given.messages] == [(Text("x"),), (Text("y"),)]
    arguments = [{"type": "text", "tensorzero::arguments": {"a": 1}}]
    assert read({"role": "user", "content": "x"}, system=arguments).system == {"a": 1}
    refused("merge", system=[*arguments, *texts])
    refused(r"\$.system\[0\].type", system=[{"type": "image"}])


def test_marks_of_the_prompt_cache():
    marked = {"type": "text", "text": "a", "cache_control": {**EPHEMERAL, "ttl": "1h"}}
    assert part(marked, {"type": "text", "text": "b"}) == (Text("a"), CachePoint("1h"), Text("b"))
    hello = {"role": "user", "content": "x"}
    assert read(hello, system=[marked]).messages[0].content == (CachePoint("1h"), Text("x"))
    # A mark inside the system prompt would become another one elsewhere.
    assert read(hello, system=[marked, {"type": "text", "text": "b"}]).messages[0].content == (Text("x"),)
    tool = {"name": "t", "input_schema": {}, "cache_control": EPHEMERAL}
    assert read(hello, tools=[tool]).messages[0].content == (CachePoint(), Text("x"))
    assert read(hello, tools=[tool], system="s").messages[0].content == (Text("x"),)
    assert read(hello, cache_control=EPHEMERAL).messages[0].content == (Text("x"), CachePoint())


def test_files():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    by_url = {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "T"}
    remote = {"type": "document", "source": {"type": "url", "url": "https://a/b"}}
    text = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "wörds"}, "context": "C"}
    inner = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}, by_url]}}
    assert part(image, by_url, pdf, remote, text, inner) == (
        File(data=PNG, mime_type="image/png"),
        File(url="https://a/b.png"),
        File(data=PDF, mime_type="application/pdf", filename="T"),
        File(url="https://a/b", mime_type="application/pdf"),
        Text("C"),
        File(data=base64.b64encode("wörds".encode()).decode(), mime_type="text/plain"),
        Text("x"),
        File(url="https://a/b.png"),
    )
    refused(
        r"messages\[0\].content\[0\].source.data",
        messages=[{"role": "user", "content": [{**image, "source": {"type": "base64", "data": "!"}}]}],
    )
    refused("lacks", messages=[{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}])


def test_a_document_of_blocks_takes_texts_and_images():
    inner = [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "x"}]
    message = {"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": inner}}]}
    request = decode(messages=[message])
    assert request.sent.only == ("`$.messages[0].content[0].source.content[0]` (thinking)",)
    assert request.input.messages[0].content == (Text("x"),)
    assert json.loads(request.sent.messages[0].raw) == message


def test_calls_and_what_tools_answered():
    image = {"type": "image", "source": {"type": "url", "url": "https://a"}}
    result = {"type": "tool_result", "tool_use_id": "t1"}
    texts = [{"type": "text", "text": "a"}, image, {"type": "text", "text": "b"}]
    given = read(
        {"role": "assistant", "content": [USED, {**USED, "id": "t2", "name": "clock"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "x"},
                {**result, "content": texts, "cache_control": EPHEMERAL},
                {**result, "tool_use_id": "t2", "content": "noon", "is_error": False},
                {**result},
            ],
        },
    )
    assert given.messages == (
        Message("assistant", (ToolCall("t1", "look", '{"a":1}'), ToolCall("t2", "clock", '{"a":1}'))),
        Message(
            "user",
            (
                ToolResult("t1", "look", "a\nb"),
                CachePoint(),
                ToolResult("t2", "clock", "noon"),
                ToolResult("t1", "look", ""),
                File(url="https://a"),
                Text("x"),
            ),
        ),
    )
    refused("no earlier assistant message", messages=[{"role": "user", "content": [{**result, "tool_use_id": "x"}]}])
    refused(r"assistant - at `\$\.messages\[0\]\.content\[0\]`", messages=[{"role": "user", "content": [USED]}])
    refused(r"content\[0\].input", messages=[{"role": "assistant", "content": [{**USED, "input": [1]}]}])


def test_our_own_blocks():
    assert part(
        {"type": "tensorzero::template", "name": "t", "arguments": {"a": 1}},
        {"type": "calibrant::raw_text", "value": "r"},
        {"type": "text", "calibrant::arguments": {"b": 2}},
        {"type": "unknown", "data": {"x": 1}},
    ) == (Template("t", {"a": 1}), RawText("r"), Template("user", {"b": 2}), Unknown({"x": 1}))


def test_what_only_anthropic_can_be_told():
    document = {"type": "document", "source": {"type": "text", "data": "x"}, "citations": {"enabled": True}}
    file = {"type": "image", "source": {"type": "file", "file_id": "f"}}
    found = {"type": "search_result", "source": "s", "title": "t", "content": []}
    reference = {"type": "tool_reference", "tool_name": "n"}
    request = decode(
        messages=[
            {"role": "assistant", "content": [USED]},
            {
                "role": "user",
                "content": [
                    document,
                    file,
                    found,
                    {"type": "tool_result", "tool_use_id": "t1", "content": [reference]},
                ],
            },
        ],
        tools=[{"type": "web_search_20260318", "name": "web_search"}],
        tool_choice={"type": "tool", "name": "web_search"},
        top_k=3,
        mcp_servers=[{"url": "u"}],
        metadata={"user_id": "u"},
        output_config={"format": {"type": "xml"}},
    )
    assert request.sent.only == (
        "`$.top_k`",
        "`$.mcp_servers`",
        "`$.output_config.format.type` (xml)",
        "`$.tools[0]` (web_search_20260318)",
        "`$.messages[1].content[0].citations`",
        "`$.messages[1].content[1].source` (file)",
        "`$.messages[1].content[2]` (search_result)",
        "`$.messages[1].content[3].content[0]` (tool_reference)",
    )
    assert request.tool_choice is None and request.tools == ()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"messages": []}, r"\$.messages"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, r"\$.messages\[0\].content\[0\]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
            r"\$.messages\[0\].content\[0\].text",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "exactly one"),
        ({"messages": [{"role": "user", "content": [1]}]}, r"\$.messages\[0\].content\[0\]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, r"\$.messages\[0\].role"),
        ({"tools": [{"name": "t"}]}, r"\$.tools\[0\]"),
        ({"tools": [{"name": "", "input_schema": {}}]}, r"\$.tools\[0\].name"),
        ({"tool_choice": {"type": "tool"}}, r"\$.tool_choice.name"),
        ({"tool_choice": {"type": "some"}}, r"\$.tool_choice.type"),
        ({"max_tokens": -1}, r"\$.max_tokens"),
        ({"model": ""}, r"\$.model"),
        ({"model": "tensorzero::nothing::x"}, r"\$.model"),
        ({"calibrant::deny_unknown_fields": True, "nonsense": 1}, "nonsense"),
        ({"nonsense": json.loads("[" * 150 + "]" * 150)}, "nested deeper"),
        (
            {"messages": [{"role": "user", "content": [{"type": "x", "y": json.loads("[" * 150 + "]" * 150)}]}]},
            "nested",
        ),
    ],
)
def test_faults_name_their_place(fields, where):
    refused(where, **fields)


def test_known_fields_are_none_that_is_unknown():
    assert decode(**{"calibrant::deny_unknown_fields": True, "metadata": {"user_id": "u"}, "top_k": 1}).sent.only


def test_text_that_is_no_text_is_refused_wherever_it_stands():
    body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "x"}], "metadata": {"a": "@"}})
    with pytest.raises(InvalidRequest, match="UTF-8"):
        anthropic_messages.decode(body.replace(b"@", b"\xff"), now_ms=NOW)


def test_features_that_are_not_there_are_refused_by_name():
    assert decode(**{"tensorzero::cache_options": {"enabled": "on"}}).cache.mode == "on"


def test_headers_that_say_how_to_read_the_body():
    found = anthropic_messages.with_headers(decode(), {"anthropic-beta": "a", "x-api-key": "k", "authorization": "b"})
    assert found.sent.headers == (("anthropic-beta", "a"),)
    assert anthropic_messages.with_headers(found, {"host": "h"}) is found
    assert not anthropic_messages.with_headers(decode(), {"anthropic-beta": "a\rb"}).sent.headers


def test_a_whole_answer():
    usage = Usage(100, 20, 30, 10, 5)
    body = encode(
        Thought("Hm.", "c2ln+/==", provider_type="anthropic"),
        Text("Look."),
        ToolCall("t1", "look", '{"n": 1.0, "big": 12345678901234567890}'),
        Text(""),
        usage=usage,
        finish="tool_call",
        cost="0.00001",
    )
    assert body == {
        "id": "msg_i",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "inference_id": "i",
        "episode_id": "e",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln+/=="},
            {"type": "text", "text": "Look."},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"n": 1.0, "big": 12345678901234567890}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 60,
            "output_tokens": 20,
            "cache_creation_input_tokens": 10,
            "cache_read_input_tokens": 30,
            "output_tokens_details": {"thinking_tokens": 5},
            "calibrant_cost": 0.00001,
        },
    }
    TheirMessage.model_validate(body)


@pytest.mark.parametrize(
    ("finish", "kind", "word"),
    [
        ("stop", "chat", "end_turn"),
        ("stop_sequence", "chat", "stop_sequence"),
        ("length", "chat", "max_tokens"),
        ("tool_call", "chat", "tool_use"),
        ("tool_call", "json", "end_turn"),
        ("content_filter", "chat", "refusal"),
        ("unknown", "chat", "end_turn"),
        (None, "json", "end_turn"),
    ],
)
def test_stop_reasons(finish, kind, word):
    assert encode(Text("x"), raw="x", finish=finish, kind=kind)["stop_reason"] == word
    assert events(Chunk((TextDelta("0", "x"),)), finish=finish, kind=kind)[-2]["delta"]["stop_reason"] == word


def test_calls_without_a_reason():
    assert encode(ToolCall("t", "n", "{}"), finish=None)["stop_reason"] == "tool_use"
    assert events(Chunk((ToolCallDelta("t", "{}", "n"),)), finish=None)[-2]["delta"]["stop_reason"] == "tool_use"
    assert encode(Text("x"), finish=None)["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("", {}),
        (" ", {}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ('{"a":', {"INVALID_JSON": '{"a":'}),
        ('{"a":1}', {"a": 1}),
    ],
)
def test_arguments_are_never_lost(arguments, value):
    (block,) = encode(ToolCall("t", "n", arguments))["content"]
    assert block["input"] == value


def test_a_json_function():
    body = encode(Text("thoughts"), Text('{"a":1}'), raw='{"a":1}', kind="json")
    assert body["content"] == [{"type": "text", "text": '{"a":1}'}]
    assert encode(raw=None, kind="json")["content"] == []
    stream = pieces(TextDelta("0", '{"a"'), ThoughtDelta("t", "Hm."), ToolCallDelta("c", ":1}", "respond"), kind="json")
    assert stream == [
        ("start", 0, {"type": "text", "text": ""}),
        ("delta", 0, {"type": "text_delta", "text": '{"a"'}),
        ("delta", 0, {"type": "text_delta", "text": ":1}"}),
        ("stop", 0),
    ]


THOUGHTS = [
    Thought("Hm.", "sig", provider_type="google_ai_studio_gemini"),
    Thought(None, "sig", provider_type="gcp_vertex_gemini"),
    Thought("Hm.", None, None, "openrouter", {"reasoning_details": [{"a": 1}]}),
    Thought(
        None,
        "enc",
        [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        "openai",
        {"id": "rs_1"},
    ),
    Thought("", "sig", provider_type="anthropic"),
    Thought(None, "b3BhcXVl", provider_type="anthropic"),
]


@pytest.mark.parametrize("thought", THOUGHTS)
def test_thoughts_come_back_from_a_whole_answer_and_from_a_stream(thought):
    content = encode(thought)["content"]
    assert part(*content, role="assistant") == (thought,)
    summary = [
        ThoughtDelta("0", None, None, thought.provider_type, str(place), paragraph["text"])
        for place, paragraph in enumerate(thought.summary or ())
    ]
    deltas = as_chunk(Reply((thought,), Usage(), None)).content
    stream = pieces(*summary, *deltas)
    block = stream[0][2]
    if block["type"] == "thinking":
        block["thinking"] = "".join(each[2].get("thinking", "") for each in stream[1:-1])
        (block["signature"],) = [each[2]["signature"] for each in stream if "signature" in str(each[2:])][1:]
    assert [block] == content


def test_a_signature_that_stands_alone_stays_alone():
    """Gemini signs a part; without the empty text between, it would sign what comes next."""
    signature = Thought(None, "sig", provider_type="gcp_vertex_gemini")
    blocks = (signature, Text(""), Text("x"))
    content = encode(*blocks)["content"]
    assert [block["type"] for block in content] == ["redacted_thinking", "text"]
    assert part(*content, role="assistant") == blocks
    stream = pieces(ThoughtDelta("0", None, "sig", "gcp_vertex_gemini"), TextDelta("1", ""), TextDelta("2", "x"))
    assert stream[0] == ("start", 0, content[0])
    # Without it, the signature belongs to what comes next.
    assert part(*encode(signature, Text("x"))["content"], role="assistant") == (signature, Text("x"))


def test_unsigned_thoughts():
    body = encode(Thought("Hm.", provider_type="deepseek"), Thought(None), Thought(""))
    assert body["content"] == [{"type": "thinking", "thinking": "Hm.", "signature": ""}]
    assert part(*body["content"], role="assistant") == (Thought("Hm."),)


def test_blocks_of_other_providers():
    data = {"type": "web_search_call", "id": "ws_1"}
    (block,) = encode(Unknown(data))["content"]
    assert part(block, role="assistant") == (Unknown(data),)
    assert pieces(UnknownDelta("0", data)) == [("start", 0, block), ("stop", 0)]


def test_pieces_of_parallel_calls_that_come_mixed():
    stream = pieces(
        TextDelta("0", "Let me see."),
        ToolCallDelta("a", '{"x":', "first"),
        ToolCallDelta("b", '{"y"', "second"),
        ToolCallDelta("a", '{"z":1}'),
        ToolCallDelta("b", ":2}"),
        ToolCallDelta("a", "}"),
        ToolCallDelta("c", "", "third"),
        TextDelta("1", "Done."),
    )
    call = {"type": "tool_use", "input": {}}
    assert stream == [
        ("start", 0, {"type": "text", "text": ""}),
        ("delta", 0, {"type": "text_delta", "text": "Let me see."}),
        ("stop", 0),
        ("start", 1, {**call, "id": "a", "name": "first"}),
        ("delta", 1, {"type": "input_json_delta", "partial_json": '{"x":'}),
        ("delta", 1, {"type": "input_json_delta", "partial_json": '{"z":1}'}),
        ("delta", 1, {"type": "input_json_delta", "partial_json": "}"}),
        ("stop", 1),
        ("start", 2, {**call, "id": "b", "name": "second"}),
        ("delta", 2, {"type": "input_json_delta", "partial_json": '{"y"'}),
        ("delta", 2, {"type": "input_json_delta", "partial_json": ":2}"}),
        ("stop", 2),
        ("start", 3, {**call, "id": "c", "name": "third"}),
        ("stop", 3),
        ("start", 4, {"type": "text", "text": ""}),
        ("delta", 4, {"type": "text_delta", "text": "Done."}),
        ("stop", 4),
    ]


def test_what_does_not_wait_comes_at_once():
    """Calls one after the other are streamed piece by piece, not kept until the end."""
    writes = anthropic_messages.events(head())
    first = writes.chunk(Chunk((ToolCallDelta("a", '{"x":1}', "n"),)))
    second = writes.chunk(Chunk((ToolCallDelta("b", '{"y"', "n"),)))
    assert first.count(b"event: ") == 3 and b'{\\"y\\"' in second
    assert writes.chunk(Chunk((TextDelta("0", "x"),))) == b""


def test_a_name_that_comes_late():
    stream = pieces(ToolCallDelta("a", '{"x"'), ToolCallDelta("a", ":1}", "n"))
    assert stream[0] == ("start", 0, {"type": "tool_use", "id": "a", "name": "n", "input": {}})
    assert stream[1] == ("delta", 0, {"type": "input_json_delta", "partial_json": '{"x":1}'})
    assert pieces(ToolCallDelta("a", "{}"))[0][2]["name"] == ""


def test_the_frame_of_a_stream():
    first, *_, delta, stop = events(
        Chunk((), Usage(50, 1, 20)),
        Chunk((TextDelta("0", "x"),)),
        usage=Usage(50, 9, 20),
        cost="0.5",
        prefix="tensorzero",
    )
    assert first["message"]["usage"]["input_tokens"] == 30 and first["message"]["content"] == []
    assert (first["message"]["id"], first["message"]["inference_id"], first["message"]["model"]) == (
        "msg_i",
        "i",
        "claude",
    )
    assert delta["usage"] == {
        "input_tokens": 30,
        "output_tokens": 9,
        "cache_creation_input_tokens": None,
        "cache_read_input_tokens": 20,
        "tensorzero_cost": 0.5,
    }
    assert stop == {"type": "message_stop"}


def test_an_empty_stream_has_its_frame():
    assert [event["type"] for event in events()] == ["message_start", "message_delta", "message_stop"]


def test_a_stream_that_breaks_ends_with_the_error():
    writes = anthropic_messages.events(head())
    writes.chunk(Chunk((TextDelta("0", "x"),)))
    assert writes.error(BadAnswer("it broke")) == (
        b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"it broke"}}\n\n'
    )
    assert writes.done() == b""


def test_what_is_raw():
    row = ModelInferenceRow(
        id="r",
        inference_id="i",
        attempt=1,
        variant_name="v",
        model_name="m",
        provider_name="p",
        provider_type="openai",
        status="ok",
        raw_usage=b'{"a":1}',
        raw_response=b"whole",
    )
    body = encode(Text("x"), calls=(row,), include_raw_usage=True, include_raw_response=True)
    assert body["calibrant_raw_usage"][0]["data"] == {"a": 1} and body["calibrant_raw_response"][0]["data"] == "whole"
    start, ping, delta, _ = events(
        Chunk(raw=b"e1"), Chunk(raw=b"e2"), calls=(row,), include_raw_usage=True, include_raw_response=True
    )
    assert (start["calibrant_raw_chunk"], ping["type"], ping["calibrant_raw_chunk"]) == ("e1", "ping", "e2")
    assert delta["calibrant_raw_usage"][0]["data"] == {"a": 1}


def test_an_answer_that_was_to_pass_but_cannot_be_read_is_written_anew():
    whole = answered(Text("x"))
    whole = msgspec.structs.replace(whole, head=msgspec.structs.replace(whole.head, verbatim=True), body=b"[1]")
    assert json.loads(anthropic_messages.encode(whole))["content"] == [{"type": "text", "text": "x"}]


def test_models_in_anthropics_shape():
    body = json.loads(anthropic_messages.encode_models(["f"], ["m"]))
    assert (body["has_more"], body["first_id"], body["last_id"]) == (False, "m", "tensorzero::function_name::f")
    assert [ModelInfo.model_validate(model).display_name for model in body["data"]] == ["m", "f"]
    assert json.loads(anthropic_messages.encode_models([], []))["first_id"] is None


def test_counts():
    assert anthropic_messages.encode_count(5, estimated=False) == b'{"input_tokens":5}'
    assert anthropic_messages.encode_count(5, estimated=True) == b'{"input_tokens":5,"estimated":true}'
