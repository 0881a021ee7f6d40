import msgspec
import pytest
from msgspec.structs import replace
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from calibrant.base.errors import BadAnswer, InvalidRequest, NotImplementedYet
from calibrant.types.answer import Answered, Head
from calibrant.types.content import File, RawText, Template, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, UnknownDelta, Usage, fold
from calibrant.types.request import InferenceRequest, Params
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool
from calibrant.wire import openai_chat

NOW = 1_780_000_000_000
EPISODE = "0196ffff-0000-7000-8000-000000000000"
INFERENCE = "0196ffff-0000-7000-8000-000000000001"
PNG = "iVBORw0KGgoAAAANSUhEUg=="
CALL = {"id": "1", "type": "function", "function": {"name": "n", "arguments": "{}"}}


def ending(events, usage, finish_reason, cost):
    """The last events of a stream whose answer has these."""
    return events.final(Answered(head(), (), None, None, usage, finish_reason, cost))


def decode(**fields):
    body = {"model": "tensorzero::function_name::f", "messages": [{"role": "user", "content": "hello"}], **fields}
    return openai_chat.decode(msgspec.json.encode(body), now_ms=NOW)


def read(*messages):
    return decode(messages=list(messages)).input


def part(content, role="user"):
    return read({"role": role, "content": [content]}).messages[0].content


def test_the_plain_request():
    assert decode() == InferenceRequest(
        input=Input(messages=(Message("user", (Text("hello"),)),)),
        function_name="f",
        dialect="openai_chat",
        include_usage=False,
    )


@pytest.mark.parametrize(
    ("model", "function", "name", "prefix"),
    [
        ("tensorzero::function_name::f::g", "f::g", None, "tensorzero"),
        ("tensorzero::model_name::openai::gpt-4o", None, "openai::gpt-4o", "tensorzero"),
        ("calibrant::model_name::team::model", None, "team::model", "calibrant"),
        ("calibrant::function_name::calibrant::default", "tensorzero::default", None, "calibrant"),
    ],
)
def test_the_model_names_a_function_or_a_model(model, function, name, prefix):
    request = decode(model=model)
    assert (request.function_name, request.model_name, request.prefix) == (function, name, prefix)


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_every_field(prefix):
    schema = {"type": "object", "properties": {}}
    extras = {
        "variant_name": "v",
        "episode_id": EPISODE,
        "namespace": "n",
        "dryrun": True,
        "tags": {"a": "b"},
        "credentials": {"k": "secret"},
        "params": {"chat_completion": {"temperature": 0.5, "thinking_budget_tokens": 9}},
        "cache_options": {"enabled": "off"},
        "extra_body": [],
        "deny_unknown_fields": True,
    }
    request = decode(
        max_tokens=10,
        max_completion_tokens=7,
        temperature=1,
        top_p=0.9,
        seed=-3,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stop=["x", "y"],
        stream=True,
        stream_options={"include_usage": True},
        tools=[
            {"type": "function", "function": {"name": "t", "description": "d", "parameters": schema, "strict": True}},
            {"type": "function", "function": {"name": "u"}},
        ],
        tool_choice={"type": "function", "function": {"name": "t"}},
        parallel_tool_calls=True,
        reasoning_effort="low",
        service_tier="flex",
        verbosity="high",
        n=1,
        response_format={"type": "json_schema", "json_schema": {"name": "r", "schema": schema, "strict": True}},
        **{f"{prefix}::{name}": value for name, value in extras.items()},
    )
    # The name of the schema is the caller's own.
    assert set(request.sent.fields) == {"response_format"} and request.sent.messages == ()
    assert replace(request, sent=None) == InferenceRequest(
        input=Input(messages=(Message("user", (Text("hello"),)),)),
        function_name="f",
        variant_name="v",
        episode_id=EPISODE,
        namespace="n",
        stream=True,
        dryrun=True,
        tags={"a": "b"},
        credentials={"k": "secret"},
        params=Params(
            temperature=0.5,
            max_tokens=7,
            seed=-3,
            top_p=0.9,
            presence_penalty=0.1,
            frequency_penalty=0.2,
            stop_sequences=("x", "y"),
            json_mode="strict",
            reasoning_effort="low",
            service_tier="flex",
            thinking_budget_tokens=9,
            verbosity="high",
        ),
        tools=(Tool("t", "d", schema, True), Tool("u", "", schema)),
        tool_choice=Specific("t"),
        parallel_tool_calls=True,
        output_schema=schema,
        dialect="openai_chat",
        include_usage=True,
    )


def test_what_nobody_knows_is_ignored():
    harmless = {"of_the_future": {"a": "b"}, "user": None, "tensorzero::nonsense": 1}
    assert decode(**harmless) == decode()
    with pytest.raises(InvalidRequest, match="unknown field `of_the_future`"):
        decode(of_the_future="u", **{"calibrant::deny_unknown_fields": True})
    known = decode(user="u", **{"calibrant::deny_unknown_fields": True}).sent.fields
    assert {key: bytes(raw) for key, raw in known.items()} == {"user": b'"u"'}


NULLABLE = sorted(
    field for field in openai_chat.shape.ChatBody.__struct_encode_fields__ if field not in ("model", "messages")
)


@pytest.mark.parametrize("field", NULLABLE)
def test_null_is_the_same_as_nothing(field):
    assert decode(**{field: None}) == decode()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_tokens": 1}, 1),
        ({"max_completion_tokens": 2}, 2),
        ({"max_tokens": 3, "max_completion_tokens": 9}, 3),
        ({"max_tokens": 0, "max_completion_tokens": 9}, 0),
        ({}, None),
    ],
)
def test_the_smaller_limit_holds(limits, expected):
    assert decode(**limits).params.max_tokens == expected


@pytest.mark.parametrize(
    ("stop", "expected"),
    [({"stop": "x"}, ("x",)), ({"stop": []}, ()), ({"stop_sequences": ["y"]}, ("y",)), ({"stop": None}, None)],
)
def test_stop(stop, expected):
    assert decode(**stop).params.stop_sequences == expected


@pytest.mark.parametrize(
    ("form", "mode", "schema"),
    [
        ({"type": "text"}, "off", None),
        ({"type": "json_object"}, "on", None),
        ({"type": "json_schema", "json_schema": {"name": "r", "schema": {"a": 1}}}, "strict", {"a": 1}),
        ({"type": "json_schema", "json_schema": {"name": "r"}}, "strict", None),
    ],
)
def test_response_format(form, mode, schema):
    request = decode(response_format=form)
    assert (request.params.json_mode, request.output_schema) == (mode, schema)


def test_own_params_win_over_response_format():
    own = {"tensorzero::params": {"chat_completion": {"json_mode": "off"}}}
    assert decode(response_format={"type": "json_object"}, **own).params.json_mode == "off"


@pytest.mark.parametrize(
    ("choice", "expected", "allowed"),
    [
        ("none", "none", None),
        ("required", "required", None),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "t"}}]},
            },
            "required",
            ("t",),
        ),
    ],
)
def test_tool_choice(choice, expected, allowed):
    request = decode(tool_choice=choice)
    assert (request.tool_choice, request.allowed_tools) == (expected, allowed)


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_own_parts(prefix):
    assert part({"type": "text", f"{prefix}::arguments": {"a": 1}}) == (Template("user", {"a": 1}),)
    assert part({"type": f"{prefix}::raw_text", "value": "x"}) == (RawText("x"),)
    assert part({"type": f"{prefix}::template", "name": "t", "arguments": {}}) == (Template("t", {}),)
    image = {"url": "https://a/b", "detail": "low", f"{prefix}::mime_type": "image/png"}
    assert part({"type": "image_url", "image_url": image}) == (
        File(url="https://a/b", detail="low", mime_type="image/png"),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}, (Text("a"),)),
        ({"type": "refusal", "refusal": "no"}, ()),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
            (File(data=PNG, mime_type="image/png"),),
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            (File(data="aGk=", mime_type="application/pdf", filename="a.pdf"),),
        ),
        ({"type": "file", "file": {"file_data": PNG}}, (File(data=PNG, mime_type="image/png"),)),
        (
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
            (File(data="aGk=", mime_type="audio/mpeg"),),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            (File(data="aGk=", mime_type="audio/wav"),),
        ),
    ],
)
def test_parts(given, expected):
    assert part(given) == expected


def test_system_and_developer_messages_become_one_system_prompt():
    given = read(
        {"role": "system", "content": "a"},
        {"role": "user", "content": "u"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
    )
    assert given == Input(messages=(Message("user", (Text("u"),)),), system="a\nb\nc")


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "tensorzero::arguments": {"a": 1}},
        {"type": "calibrant::template", "name": "system", "arguments": {"a": 1}},
    ],
)
def test_a_system_template(content):
    assert read({"role": "system", "content": [content]}).system == {"a": 1}


def test_tool_messages_in_a_row_become_one_user_message():
    calls = [{**CALL, "id": str(i), "function": {"name": f"n{i}", "arguments": "{}"}} for i in range(3)]
    given = read(
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {
            "role": "tool",
            "tool_call_id": "0",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
        {"role": "user", "content": "u"},
        {"role": "tool", "tool_call_id": "2", "content": ""},
    )
    assert given.messages == (
        Message("assistant", tuple(ToolCall(str(i), f"n{i}", "{}") for i in range(3))),
        Message("user", (ToolResult("1", "n1", "one"), ToolResult("0", "n0", "x\ny"))),
        Message("user", (Text("u"),)),
        Message("user", (ToolResult("2", "n2", ""),)),
    )


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_extra_content_comes_back_to_its_place(prefix):
    extra = [
        {"type": "unknown", "insert_index": 2, "data": 1},
        {"type": "thought", "insert_index": 0, "text": "hm", "id": "ignored"},
        {"type": "thought", "signature": "s"},
    ]
    message = {"role": "assistant", "content": "a", "tool_calls": [CALL], f"{prefix}_extra_content": extra}
    assert read(message).messages[0].content == (
        Thought("hm"),
        Text("a"),
        Unknown(1),
        ToolCall("1", "n", "{}"),
        Thought(None, "s"),
    )


def one(content, role="user"):
    return {"messages": [{"role": role, "content": [content]}]}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "gpt-4o"}, "tensorzero::function_name::<function>"),
        ({"model": "tensorzero::f"}, "unknown model"),
        ({"model": "tensorzero::function_name::"}, "unknown model"),
        ({"model": "other::function_name::f"}, "unknown model"),
        ({"model": 1}, "$.model"),
        ({"model": "tensorzero::model_name::m", "tensorzero::variant_name": "v"}, "tensorzero::variant_name"),
        ({"n": 2}, "$.n"),
        ({"n": 0}, "$.n"),
        ({"max_tokens": 2**32}, "$.max_tokens"),
        ({"seed": 2**63}, "$.seed"),
        ({"temperature": "hot"}, "$.temperature"),
        ({"stop": 1}, "$.stop"),
        ({"tensorzero::episode_id": "x"}, "$.tensorzero::episode_id"),
        ({"tensorzero::namespace": ""}, "$.tensorzero::namespace"),
        ({"tensorzero::tags": {"calibrant::a": "b"}}, "reserved prefix"),
        ({"tensorzero::params": {"chat_completion": {"top_k": 1}}}, "$.tensorzero::params.chat_completion"),
        ({"model": "tensorzero::model_name::a\0"}, "NUL"),
        ({"tools": [{"type": "function"}]}, "$.tools[0]"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "$.tools[0].function.name"),
        ({"tools": [{"type": "nonsense"}]}, "$.tools[0].type"),
        ({"tool_choice": "maybe"}, "$.tool_choice"),
        ({"service_tier": "gold"}, "'gold' - at `$.service_tier`"),
        ({"tool_choice": {"type": "function"}}, "$.tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "$.tool_choice"),
        ({"tools": [{"type": "custom"}]}, "$.tools[0]"),
        ({"tools": [{"type": "custom", "custom": {"name": ""}}]}, "$.tools[0].custom.name"),
        (
            {"tools": [{"type": "custom", "custom": {"name": "t", "format": {"type": "grammar"}}}]},
            "$.tools[0].custom.format",
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]}}},
            "$.tool_choice.allowed_tools.tools[0]",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]}]}, "$.messages[0]"),
        ({"tool_choice": {"type": "allowed_tools"}}, "$.tool_choice"),
        ({"response_format": {"type": "yaml"}}, "$.response_format.type"),
        ({"messages": [{"role": "function", "content": "x"}]}, "$.messages[0].role"),
        ({"messages": [{"role": "user"}]}, "missing required field `content`"),
        ({"messages": [{"role": "user", "content": None}]}, "$.messages[0].content"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "9", "content": "x"}]},
            "tool call id not found: no earlier assistant message calls '9' - at `$.messages[0].tool_call_id`",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "$.messages[0].tool_calls"),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [CALL]},
                    {"role": "tool", "tool_call_id": "1", "content": [{"type": "tensorzero::raw_text", "value": "x"}]},
                ]
            },
            "text only",
        ),
        (one({"type": "nonsense"}), "$.messages[0].content[0].type"),
        (one({"type": "text"}), "$.messages[0].content[0]"),
        (one({"type": "image_url", "image_url": {"url": "ftp://a"}}), "$.messages[0].content[0].image_url.url"),
        (one({"type": "file", "file": {}}), "$.messages[0].content[0].file"),
        (one({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "a/b"}}), "input_audio.format"),
        (one({"type": "input_audio", "input_audio": {"data": "a?=", "format": "wav"}}), "input_audio.data"),
        (one({"type": "image_url", "image_url": {"url": "https://a"}}, "system"), "$.messages[0].content"),
        (one({"type": "tensorzero::template", "name": "t", "arguments": {}}, "system"), "$.messages[0].content"),
        (
            {
                "messages": [
                    {"role": "system", "content": "a"},
                    {"role": "system", "content": [{"type": "text", "tensorzero::arguments": {}}]},
                ]
            },
            "merge them",
        ),
    ],
)
def test_a_bad_request_says_what_and_where(fields, said):
    with pytest.raises(InvalidRequest) as caught:
        decode(**fields)
    assert said in caught.value.message


@pytest.mark.parametrize("prefix", ["tensorzero", "calibrant"])
def test_the_cache_is_used_as_asked(prefix):
    asked = decode(**{f"{prefix}::cache_options": {"enabled": "read_only", "max_age_s": 5}})
    assert (asked.cache.mode, asked.cache.max_age_s) == ("read_only", 5)
    assert decode().cache.mode == "off"


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}]},
    ],
)
def test_other_things_that_are_not_built(fields):
    with pytest.raises(NotImplementedYet):
        decode(**fields)


def test_ignored_fields_may_not_exhaust_the_stack_either():
    body = b'{"model":"tensorzero::function_name::f","messages":[],"metadata":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with pytest.raises(InvalidRequest, match="nested"):
        openai_chat.decode(body, now_ms=NOW)


def head(kind="chat", **fields):
    return Head(INFERENCE, EPISODE, "f", "v", kind, decode(**fields), 1_700_000_000)


START = f'"id":"{INFERENCE}","episode_id":"{EPISODE}","object":"chat.completion'
FUNCTION = '"created":1700000000,"model":"tensorzero::function_name::f::variant_name::v","choices":'


def completion(body):
    """The official SDK's own model must take what we write."""
    return ChatCompletion.model_validate_json(body, strict=True)


def test_a_text_answer():
    body = openai_chat.encode(Answered(head(), (Text("a"), Text("b")), None, None, Usage(1, 2), "stop"))
    assert body.decode() == (
        f'{{{START}",{FUNCTION}[{{"message":{{"role":"assistant","content":"ab"}},'
        '"finish_reason":"stop","index":0,"logprobs":null}],'
        '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"tensorzero_cost":null}}'
    )
    completion(body)


def test_an_answer_with_everything():
    content = (Thought("hm", "s"), ToolCall("1", "n", "{}", "n", {}), Unknown({"a": 1}))
    asked = head(model="calibrant::model_name::openai::gpt-4o")
    body = openai_chat.encode(Answered(asked, content, None, None, Usage(1, 2, 3, 4, 5), "tool_call", "0.5"))
    assert body.decode() == (
        f'{{{START}","created":1700000000,"model":"calibrant::model_name::openai::gpt-4o","choices":[{{"message":'
        '{"role":"assistant","content":null,'
        '"tool_calls":[{"id":"1","type":"function","function":{"arguments":"{}","name":"n"}}],'
        '"calibrant_extra_content":[{"type":"thought","insert_index":0,"text":"hm","signature":"s"},'
        '{"type":"unknown","insert_index":2,"data":{"a":1}}]},'
        '"finish_reason":"tool_calls","index":0,"logprobs":null}],'
        '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,'
        '"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":4},'
        '"completion_tokens_details":{"reasoning_tokens":5},'
        '"calibrant_provider_cache_write_input_tokens":4,"calibrant_cost":0.5}}'
    )
    parsed = completion(body)
    assert parsed.choices[0].message.tool_calls[0].function.name == "n"


def test_a_json_answer():
    body = openai_chat.encode(Answered(head("json"), (), '{"a":1}', {"a": 1}, Usage(), "tool_call"))
    parsed = completion(body)
    assert parsed.choices[0].message.content == '{"a":1}'
    assert parsed.choices[0].finish_reason == "stop"
    assert parsed.usage is None


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("stop_sequence", "stop"),
        ("length", "length"),
        ("tool_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("unknown", "stop"),
        (None, "tool_calls"),
    ],
)
def test_finish_reasons(reason, expected):
    answered = Answered(head(), (ToolCall("1", "n", "{}"),), None, None, Usage(1, 1), reason)
    assert completion(openai_chat.encode(answered)).choices[0].finish_reason == expected
    events = openai_chat.Events(head())
    events.chunk(Chunk((ToolCallDelta("1", "{}", "n"),)))
    assert f'"finish_reason":"{expected}"'.encode() in ending(events, Usage(), reason, None)


def chunk_of(data):
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    return ChatCompletionChunk.model_validate_json(data[6:], strict=True)


def test_a_stream():
    events = openai_chat.Events(head(stream_options={"include_usage": True}))
    start = f'data: {{{START}.chunk",{FUNCTION}'

    def delta(text):
        return start + f'[{{"index":0,"delta":{text},"finish_reason":null}}]}}\n\n'

    expected = [
        (Chunk((TextDelta("0", "a"),)), '{"role":"assistant","content":"a"}'),
        (Chunk((TextDelta("0", "b"), TextDelta("0", "c"))), '{"content":"bc"}'),
        (
            Chunk((ToolCallDelta("x", "", "n"), ToolCallDelta("y", "{"))),
            '{"tool_calls":[{"index":0,"id":"x","type":"function","function":{"arguments":"","name":"n"}}]}',
        ),
        (
            Chunk((ToolCallDelta("y", "}", "m"), ToolCallDelta("x", "{}", "n"))),
            (
                '{"tool_calls":[{"index":0,"function":{"arguments":"{}"}},'
                '{"index":1,"id":"y","type":"function","function":{"arguments":"{"}},'
                '{"index":1,"function":{"arguments":"}","name":"m"}}]}'
            ),
        ),
        (
            Chunk((ThoughtDelta("0", "hm"), UnknownDelta("z", 1), ThoughtDelta("0", None, "s"))),
            (
                '{"tensorzero_extra_content":[{"type":"thought","index":0,"insert_index":3,"text":"hm"},'
                '{"type":"unknown","index":1,"insert_index":4,"data":1},{"type":"thought","index":0,"signature":"s"}]}'
            ),
        ),
    ]
    for chunk, text in expected:
        data = events.chunk(chunk)
        assert data.decode() == delta(text)
        chunk_of(data)
    assert events.chunk(Chunk(usage=Usage(1))) == b""
    assert events.chunk(Chunk((TextDelta("0", ""),))) == b""
    last, usage, nothing = ending(events, Usage(1, 2), "stop", None).split(b"\n\n")
    assert last.decode() == start + '[{"index":0,"delta":{},"finish_reason":"stop"}]}'
    assert usage.decode() == (
        start + '[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"tensorzero_cost":null}}'
    )
    assert nothing == b""
    chunk_of(last + b"\n\n")
    chunk_of(usage + b"\n\n")
    assert events.error(BadAnswer("no")) == b'data: {"error":{"message":"no"}}\n\n'
    assert events.done() == b"data: [DONE]\n\n"


def test_the_sdk_adds_a_stream_up_and_its_message_can_be_sent_back():
    asked = head()
    stream = [
        Chunk((ThoughtDelta("0", "h", provider_type="p"),)),
        Chunk((ThoughtDelta("0", "m", "s", "p"), TextDelta("0", "a"))),
        Chunk((ToolCallDelta("1", "{", "n"), UnknownDelta("u", {"a": 1}))),
        Chunk((ToolCallDelta("1", "}"), TextDelta("0", "b"), ThoughtDelta("1", "x"))),
        Chunk((ThoughtDelta("1", summary_id="0", summary_text="Fi"),)),
        Chunk((ThoughtDelta("1", summary_id="0", summary_text="rst."),)),
        Chunk((ThoughtDelta("1", summary_id="1", summary_text="Second."), ThoughtDelta("2", extra_data={"id": "rs"}))),
    ]
    events = openai_chat.Events(asked)
    state = ChatCompletionStreamState()
    for chunk in stream:
        state.handle_chunk(chunk_of(events.chunk(chunk)))
    state.handle_chunk(chunk_of(ending(events, Usage(), "tool_call", None)))
    message = state.get_final_completion().choices[0].message.to_dict()
    [replayed] = read({key: value for key, value in message.items() if key != "parsed"}).messages
    assert replayed.content == fold(stream).content


def test_the_role_comes_once_even_without_content():
    events = openai_chat.Events(head())
    assert b'"delta":{"role":"assistant","content":""}' in events.chunk(Chunk((TextDelta("0", ""),)))
    assert b'"delta":{},' in ending(events, Usage(1, 2), "stop", None)
    assert b'"delta":{"role":"assistant"},' in ending(openai_chat.Events(head()), Usage(1, 2), "stop", None)


def test_usage_is_streamed_only_when_asked_for_and_known():
    assert b"usage" not in ending(openai_chat.Events(head()), Usage(1, 2), "stop", None)
    asked = head(stream_options={"include_usage": True})
    assert b"usage" not in ending(openai_chat.Events(asked), Usage(), "stop", None)


def test_a_json_stream():
    events = openai_chat.Events(head("json"))
    assert chunk_of(events.chunk(Chunk((TextDelta("0", "{"),)))).choices[0].delta.content == "{"
    assert chunk_of(events.chunk(Chunk((ToolCallDelta("1", "}", "respond"),)))).choices[0].delta.content == "}"
    assert events.chunk(Chunk((ThoughtDelta("0", "hm"),))) == b""
    assert b'"finish_reason":"stop"' in ending(events, Usage(), "tool_call", None)


def test_the_list_of_models():
    listed = msgspec.json.decode(openai_chat.encode_models(["tensorzero::function_name::f"], 5))
    assert listed["object"] == "list"
    models = [Model.model_validate(model) for model in listed["data"]]
    assert [(m.id, m.created, m.owned_by) for m in models] == [("tensorzero::function_name::f", 5, "calibrant")]


SQL_CALL = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "SELECT {"}}


def test_tools_that_are_called_with_text_and_calls_of_them():
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: a"}}
    request = decode(
        tools=[
            {"type": "custom", "custom": {"name": "sql", "description": "d", "format": grammar}},
            {"type": "function", "function": {"name": "f"}},
            {"type": "custom", "custom": {"name": "note"}},
        ],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [
                    {"type": "custom", "custom": {"name": "sql"}},
                    {"type": "function", "function": {"name": "f"}},
                ],
            },
        },
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [SQL_CALL]},
            {"role": "tool", "tool_call_id": "1", "content": "1"},
        ],
    )
    assert request.custom_tools == (CustomTool("sql", "d", Grammar("lark", "start: a")), CustomTool("note"))
    assert [tool.name for tool in request.tools] == ["f"]
    assert (request.tool_choice, request.allowed_tools) == ("auto", ("sql", "f"))
    _, called, answered = request.input.messages
    assert called.content == (ToolCall("1", "sql", "SELECT {"),)
    assert answered.content == (ToolResult("1", "sql", "1"),)
    assert decode(tool_choice={"type": "custom", "custom": {"name": "sql"}}).tool_choice == Specific("sql")


def custom_head():
    asked = head()
    return replace(asked, request=replace(asked.request, custom_tools=(CustomTool("sql"),)))


def test_a_call_with_text_is_answered_as_one():
    content = (ToolCall("1", "sql", "SELECT {", "sql"), ToolCall("2", "f", "{}", "f"))
    body = openai_chat.encode(Answered(custom_head(), content, None, None, Usage(), "tool_call"))
    parsed = ChatCompletion.model_validate_json(body)
    custom, function = parsed.choices[0].message.tool_calls
    assert (custom.type, custom.custom.name, custom.custom.input) == ("custom", "sql", "SELECT {")
    assert (function.type, function.function.name) == ("function", "f")
    assert msgspec.json.decode(body)["choices"][0]["message"]["tool_calls"][0] == SQL_CALL


def test_a_call_with_text_comes_in_pieces():
    events = openai_chat.Events(custom_head())
    told = b"".join(
        events.chunk(Chunk((delta,)))
        for delta in (
            ToolCallDelta("1", "", "sql"),
            ToolCallDelta("2", "{", "f"),
            ToolCallDelta("1", "SELECT"),
            ToolCallDelta("1", " {"),
            ToolCallDelta("2", "}"),
        )
    )
    pieces = [
        msgspec.json.decode(part.removeprefix(b"data: "))["choices"][0]["delta"]["tool_calls"][0]
        for part in told.split(b"\n\n")
        if part
    ]
    assert pieces == [
        {"index": 0, "id": "1", "type": "custom", "custom": {"input": "", "name": "sql"}},
        {"index": 1, "id": "2", "type": "function", "function": {"arguments": "{", "name": "f"}},
        {"index": 0, "custom": {"input": "SELECT"}},
        {"index": 0, "custom": {"input": " {"}},
        {"index": 1, "function": {"arguments": "}"}},
    ]
