import msgspec
import pytest

from calibrant.base.errors import BadAnswer, InvalidRequest
from calibrant.types.answer import Answered, Head
from calibrant.types.content import File, RawText, Template, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.reply import Chunk, TextDelta, ThoughtDelta, ToolCallDelta, Usage
from calibrant.types.request import InferenceRequest, Params
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool
from calibrant.wire import native

NOW = 1_780_000_000_000
EPISODE = "0196ffff-0000-7000-8000-000000000000"
INFERENCE = "0196ffff-0000-7000-8000-000000000001"
HELLO = {"messages": [{"role": "user", "content": "hello"}]}
PNG = "iVBORw0KGgoAAAANSUhEUg=="


def ending(events, usage, finish_reason, cost):
    """The last events of a stream whose answer has these."""
    return events.final(Answered(head(), (), None, None, usage, finish_reason, cost))


GRAMMAR = {"syntax": "regex", "definition": "a+"}


def custom(**fields):
    return {"type": "openai_custom", "name": "t", "description": "d", **fields}


def decode(**fields):
    body = {"function_name": "f", "input": HELLO, **fields}
    return native.decode(msgspec.json.encode({k: v for k, v in body.items() if v != "absent"}), now_ms=NOW)


def blocks(*content, role="user"):
    return decode(input={"messages": [{"role": role, "content": list(content)}]}).input.messages[0].content


def test_the_plain_request():
    body = b'{"function_name":"f","input":{"messages":[{"role":"user","content":"hello"}]}}'
    expected = InferenceRequest(input=Input(messages=(Message("user", (Text("hello"),)),)), function_name="f")
    assert native.decode(body, now_ms=NOW) == expected


def test_every_field():
    schema = {"type": "object"}
    request = decode(
        episode_id=EPISODE.upper(),
        variant_name="v",
        namespace="n",
        stream=True,
        params={"chat_completion": {"temperature": 1, "max_tokens": 5, "stop_sequences": ["x"], "json_mode": "tool"}},
        tags={"a": "b"},
        dryrun=True,
        internal=True,
        allowed_tools=["t"],
        additional_tools=[{"name": "t", "description": "d", "parameters": schema, "strict": True}],
        tool_choice={"specific": "t"},
        parallel_tool_calls=False,
        output_schema=schema,
        credentials={"k": "secret"},
        input={"system": {"who": "you"}, "messages": []},
    )
    assert request == InferenceRequest(
        input=Input(messages=(), system={"who": "you"}),
        function_name="f",
        episode_id=EPISODE,
        variant_name="v",
        namespace="n",
        stream=True,
        params=Params(temperature=1.0, max_tokens=5, stop_sequences=("x",), json_mode="tool"),
        tags={"a": "b"},
        dryrun=True,
        internal=True,
        allowed_tools=("t",),
        tools=(Tool("t", "d", schema, True),),
        tool_choice=Specific("t"),
        parallel_tool_calls=False,
        output_schema=schema,
        credentials={"k": "secret"},
    )


def test_what_tensorzeros_own_client_sends():
    # Captured from the client of 2026.6.0: every optional field is there, null or empty.
    body = (
        b'{"function_name":"f","model_name":null,"episode_id":null,"namespace":null,"input":{"messages":[{"role":"user",'
        b'"content":[{"type":"file","file_type":"base64","source_url":null,"mime_type":"image/png","data":"aGk="}]}]},'
        b'"stream":null,"params":{"chat_completion":{}},"variant_name":null,"dryrun":null,"internal":false,"tags":{},'
        b'"provider_tools":[],"output_schema":null,"credentials":{},"cache_options":{"max_age_s":null,"enabled":"off"},'
        b'"include_original_response":false,"include_raw_response":false,"include_raw_usage":false,'
        b'"include_aggregated_response":false,"extra_body":[],"extra_headers":[],"internal_dynamic_variant_config":null}'
    )
    file = File(data="aGk=", mime_type="image/png")
    expected = InferenceRequest(input=Input(messages=(Message("user", (file,)),)), function_name="f")
    assert native.decode(body, now_ms=NOW) == expected


NULLABLE = sorted(set(native.shape.InferenceBody.__struct_fields__) - {"input", "function_name"})


@pytest.mark.parametrize("field", NULLABLE)
def test_null_is_the_same_as_nothing(field):
    assert decode(**{field: None}) == decode()


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "text", "text": None, "arguments": {"a": 1}}, Template("user", {"a": 1})),
        ({"type": "template", "name": "t", "arguments": {}}, Template("t", {})),
        ({"type": "raw_text", "value": "a"}, RawText("a")),
        ({"type": "tool_call", "id": "1", "name": "n", "arguments": "{oops"}, ToolCall("1", "n", "{oops")),
        ({"type": "tool_call", "id": "1", "name": "n", "arguments": {"a": [1]}}, ToolCall("1", "n", '{"a":[1]}')),
        (
            {"type": "tool_call", "id": "1", "name": None, "arguments": None, "raw_name": "x", "raw_arguments": "y"},
            ToolCall("1", "x", "y"),
        ),
        (
            {"type": "tool_call", "id": "1", "name": "n", "arguments": {}, "raw_name": "x", "raw_arguments": "y"},
            ToolCall("1", "x", "y"),
        ),
        ({"type": "tool_result", "id": "1", "name": "n", "result": "r"}, ToolResult("1", "n", "r")),
        (
            {"type": "thought", "text": None, "signature": "s", "summary": [{"text": "a"}], "extra_data": {"b": 1}},
            Thought(None, "s", [{"text": "a"}], None, {"b": 1}),
        ),
        ({"type": "unknown", "data": [1], "model_name": "m"}, Unknown([1], "m")),
        ({"type": "file", "file_type": "url", "url": "https://a/b"}, File(url="https://a/b")),
        (
            {"type": "image", "url": "https://a/b", "mime_type": "image/png"},
            File(url="https://a/b", mime_type="image/png"),
        ),
        ({"type": "file", "url": f"data:image/jpeg;base64,{PNG}"}, File(data=PNG, mime_type="image/jpeg")),
        (
            {"type": "file", "file_type": "base64", "data": PNG, "detail": "low"},
            File(data=PNG, mime_type="image/png", detail="low"),
        ),
        ({"type": "file", "data": "aGk=", "filename": "x"}, File(data="aGk=", filename="x")),
        ({"type": "file", "data": "UklGRgAAAABXRUJQ"}, File(data="UklGRgAAAABXRUJQ", mime_type="image/webp")),
    ],
)
def test_content_blocks(block, expected):
    assert blocks(block) == (expected,)


def test_a_bare_object_is_the_arguments_of_the_roles_template():
    request = decode(input={"messages": [{"role": "assistant", "content": {"type": "text"}}]})
    assert request.input.messages[0].content == (Template("assistant", {"type": "text"}),)


def test_an_empty_list_is_an_empty_message():
    assert blocks() == ()


def message(content):
    return {"input": {"messages": [{"role": "user", "content": [content]}]}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"function_name": None}, "exactly one of `function_name` and `model_name`"),
        ({"model_name": "m"}, "exactly one of `function_name` and `model_name`"),
        ({"function_name": None, "model_name": "m", "variant_name": "v"}, "`variant_name` goes with `function_name`"),
        ({"input": "absent"}, "missing required field `input`"),
        ({"nonsense": 1}, "unknown field `nonsense`"),
        ({"input": {"messages": [], "nonsense": 1}}, "unknown field `nonsense` - at `$.input`"),
        ({"input": {"messages": [{"role": "system", "content": "x"}]}}, "$.input.messages[0].role"),
        ({"params": {"chat_completion": {"top_k": 1}}}, "unknown field `top_k` - at `$.params.chat_completion`"),
        ({"params": {"chat_completion": {"max_tokens": -1}}}, "$.params.chat_completion.max_tokens"),
        ({"params": {"chat_completion": {"max_tokens": 2**32}}}, "$.params.chat_completion.max_tokens"),
        ({"params": {"chat_completion": {"service_tier": "scale"}}}, "$.params.chat_completion.service_tier"),
        ({"params": {"chat_completion": {"temperature": "1"}}}, "$.params.chat_completion.temperature"),
        ({"namespace": ""}, "$.namespace"),
        ({"episode_id": "nonsense"}, "'nonsense' is not a valid UUIDv7"),
        (
            {"episode_id": "8d5ff4d4-b7a6-4b1d-8d0a-4c0f1d1f1a00"},
            "version 4 where version 7 is expected - at `$.episode_id`",
        ),
        ({"episode_id": "01000000-0000-7000-8000-000000000000"}, "before 2020-01-23"),
        ({"episode_id": "0fffffff-0000-7000-8000-000000000000"}, "in the future"),
        ({"tags": {"tensorzero::x": "y"}}, "reserved prefix"),
        ({"tags": {"calibrant::x": "y"}}, "reserved prefix"),
        ({"tags": {"a": 1}}, "$.tags"),
        ({"include_aggregated_response": True}, "needs `stream`"),
        ({"additional_tools": [{"name": "t", "description": "d"}]}, "$.additional_tools[0]"),
        ({"additional_tools": [{"name": "", "parameters": {}}]}, "$.additional_tools[0].name"),
        ({"additional_tools": [{"name": "t", "parameters": {}, "format": {"type": "text"}}]}, "openai_custom"),
        ({"additional_tools": [custom(name="")]}, "$.additional_tools[0].name"),
        ({"additional_tools": [custom(parameters={})]}, "no `parameters` and no `strict` - at `$.additional_tools[0]`"),
        ({"additional_tools": [custom(strict=True)]}, "no `parameters` and no `strict`"),
        ({"additional_tools": [custom(format={"type": "grammar"})]}, "needs `grammar`"),
        ({"additional_tools": [custom(format={"type": "text", "grammar": GRAMMAR})]}, "`grammar` goes with"),
        ({"additional_tools": [custom(format={"type": "grammar", "grammar": {"syntax": "x"}})]}, "grammar"),
        ({"additional_tools": [custom(format={"type": "grammar", **GRAMMAR})]}, "$.additional_tools[0].format"),
        ({"additional_tools": [custom(name="a\0")]}, "NUL"),
        ({"additional_tools": [{"type": "nonsense", "name": "t", "parameters": {}}]}, "$.additional_tools[0].type"),
        ({"tool_choice": "maybe"}, "$.tool_choice"),
        ({"tool_choice": {"specific": "a", "b": 1}}, "$.tool_choice"),
        (message({"type": "text"}), "exactly one of `text` and `arguments` - at `$.input.messages[0].content[0]`"),
        (message({"type": "text", "text": "a", "arguments": {}}), "exactly one of"),
        (message({"type": "text", "text": "a", "b": 1}), "$.input.messages[0].content[0]"),
        (message({"type": "nonsense"}), "$.input.messages[0].content[0].type"),
        (message({"type": "tool_call", "id": "1", "name": "n"}), "$.input.messages[0].content[0]"),
        (message({"type": "file"}), "exactly one of `url`, `data` and `storage_path`"),
        (
            message({"type": "file", "url": "https://a", "data": "aGk="}),
            "exactly one of `url`, `data` and `storage_path`",
        ),
        (message({"type": "file", "file_type": "url", "data": "aGk="}), "needs `url`"),
        (message({"type": "file", "file_type": "base64", "url": "https://a"}), "needs `data`"),
        (message({"type": "file", "data": "a?="}), "not valid base64"),
        (message({"type": "file", "url": "file:///etc/passwd"}), "must start with http"),
        (message({"type": "file", "url": "data:text/plain,hi"}), "base64"),
        ({"function_name": "a\0b"}, "NUL"),
        ({"tags": {"a": "\0"}}, "NUL"),
        ({"cache_options": {"enabled": "sometimes"}}, "$.cache_options.enabled"),
    ],
)
def test_a_bad_request_says_what_and_where(fields, said):
    with pytest.raises(InvalidRequest) as caught:
        decode(**fields)
    assert said in caught.value.message
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{} x",
        b"\xef\xbb\xbf{}",
        b'{"function_name":"\xff"}',
        b'{"function_name":NaN}',
        b'{"function_name":"\\ud800","input":{}}',
        b'{"function_name":"f","input":{"system":"\\udc00"}}',
        b'{"function_name":"f","input":{"system":{"\\ud800":1}}}',
        b'{"function_name":"f","input":{"system":{"a":1e999}}}',
        b"[" * 100_000,
        b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_request_at_all(body):
    with pytest.raises(InvalidRequest):
        native.decode(body, now_ms=NOW)


def test_a_lone_surrogate_is_named():
    with pytest.raises(InvalidRequest, match="lone surrogate"):
        native.decode(b'{"function_name":"\\ud800","input":{}}', now_ms=NOW)


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


PLACES = [
    b'{"function_name":"f","input":{"system":%s}}',
    b'{"function_name":"f","input":{},"output_schema":%s}',
    b'{"function_name":"f","input":{},"additional_tools":[{"name":"t","parameters":%s}]}',
    b'{"function_name":"f","input":{"messages":[{"role":"user","content":%s}]}}',
    b'{"function_name":"f","input":{"messages":[{"role":"user","content":[{"type":"template","name":"t","arguments":%s}]}]}}',
    b'{"function_name":"f","input":{"messages":[{"role":"user","content":[{"type":"thought","extra_data":%s}]}]}}',
    b'{"function_name":"f","input":{"messages":[{"role":"user","content":[{"type":"unknown","data":%s}]}]}}',
    (
        b'{"function_name":"f","input":{"messages":[{"role":"user","content":'
        b'[{"type":"tool_call","id":"1","name":"n","arguments":%s}]}]}}'
    ),
]


@pytest.mark.parametrize("place", PLACES)
def test_documents_may_not_nest_too_deeply(place):
    native.decode(place % nested(90), now_ms=NOW)
    with pytest.raises(InvalidRequest, match="nested deeper than 100 levels"):
        native.decode(place % nested(110), now_ms=NOW)
    with pytest.raises(InvalidRequest, match="nested"):
        native.decode(place % nested(900), now_ms=NOW)


def test_nul_is_kept_in_documents():
    request = native.decode(b'{"function_name":"f","input":{"system":"a\\u0000b"}}', now_ms=NOW)
    assert request.input.system == "a\0b"


def test_reserved_tags_are_for_internal_use_and_stored_under_one_prefix():
    tags = {"calibrant::a": "1", "tensorzero::b": "2", "c": "3"}
    assert decode(tags=tags, internal=True).tags == {"tensorzero::a": "1", "tensorzero::b": "2", "c": "3"}


def test_the_prefix_of_the_function_is_remembered():
    request = decode(function_name="calibrant::default")
    assert (request.function_name, request.prefix) == ("tensorzero::default", "calibrant")
    assert decode(function_name="tensorzero::default").prefix == "tensorzero"


def feedback(**fields):
    body = {"metric_name": "m", "value": 1, "inference_id": INFERENCE, **fields}
    return native.decode_feedback(msgspec.json.encode({k: v for k, v in body.items() if v != "absent"}), now_ms=NOW)


@pytest.mark.parametrize("value", [True, 0, 0.5, "good", None, [{"type": "text", "text": "a"}], {"a": 1}])
def test_feedback_values_pass_as_they_are(value):
    given = feedback(value=value)
    assert given.value == value
    assert type(given.value) is type(value)


def test_feedback():
    given = feedback(inference_id=None, episode_id=EPISODE, tags={"a": "b"}, dryrun=True, internal=None)
    assert (given.episode_id, given.inference_id, given.tags, given.dryrun) == (EPISODE, None, {"a": "b"}, True)
    assert feedback(metric_name="calibrant::x").metric_name == "tensorzero::x"
    assert feedback(tags={"calibrant::human_feedback": "true"}, internal=True).tags == {
        "tensorzero::human_feedback": "true"
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"episode_id": EPISODE}, "exactly one of"),
        ({"inference_id": None}, "exactly one of"),
        ({"value": "absent"}, "missing required field `value`"),
        ({"metric_name": 1}, "$.metric_name"),
        ({"inference_id": "x"}, "$.inference_id"),
        ({"nonsense": 1}, "unknown field `nonsense`"),
        ({"tags": {"tensorzero::a": "b"}}, "reserved prefix"),
        ({"metric_name": "\0"}, "NUL"),
        ({"value": msgspec.Raw(nested(150))}, "nested deeper"),
        ({"value": 10**400}, "out of range - at `$.value`"),
    ],
)
def test_bad_feedback(fields, said):
    with pytest.raises(InvalidRequest) as caught:
        feedback(**fields)
    assert said in caught.value.message


def head(kind="chat"):
    return Head(INFERENCE, EPISODE, "f", "v", kind, decode(), 1_700_000_000)


def test_a_chat_answer():
    content = (
        Thought("hm", "sig"),
        Text("hé\u2028\n"),
        ToolCall("1", "n", "{}", "n", {}),
        ToolCall("2", "x", "{oops"),
        Unknown({"a": 1}),
    )
    usage = Usage(1, 2, 3, 4, 5)
    assert native.encode(Answered(head(), content, None, None, usage, "tool_call", "0.000123")).decode() == (
        f'{{"inference_id":"{INFERENCE}","episode_id":"{EPISODE}","variant_name":"v","content":['
        '{"type":"thought","text":"hm","signature":"sig"},'
        '{"type":"text","text":"hé\u2028\\n"},'
        '{"type":"tool_call","id":"1","raw_name":"n","raw_arguments":"{}","name":"n","arguments":{}},'
        '{"type":"tool_call","id":"2","raw_name":"x","raw_arguments":"{oops","name":null,"arguments":null},'
        '{"type":"unknown","data":{"a":1},"model_name":null,"provider_name":null}],'
        '"usage":{"input_tokens":1,"output_tokens":2,"cost":0.000123,'
        '"provider_cache_read_input_tokens":3,"provider_cache_write_input_tokens":4},"finish_reason":"tool_call"}'
    )


def test_a_json_answer():
    answered = Answered(head("json"), (), '{"a":1}', {"a": 1}, Usage(), None)
    assert native.encode(answered).decode() == (
        f'{{"inference_id":"{INFERENCE}","episode_id":"{EPISODE}","variant_name":"v",'
        '"output":{"raw":"{\\"a\\":1}","parsed":{"a":1}},'
        '"usage":{"input_tokens":null,"output_tokens":null,"cost":null,'
        '"provider_cache_read_input_tokens":null,"provider_cache_write_input_tokens":null},"finish_reason":null}'
    )


def test_a_chat_stream():
    events = native.Events(head())
    start = f'data: {{"inference_id":"{INFERENCE}","episode_id":"{EPISODE}","variant_name":"v","content":'
    deltas = (TextDelta("0", "a"), ToolCallDelta("1", "{", "n"), ToolCallDelta("1", "}"), ThoughtDelta("2", "hm"))
    assert events.chunk(Chunk(deltas, usage=Usage(1), finish_reason="stop")).decode() == (
        start + '[{"type":"text","id":"0","text":"a"},'
        '{"type":"tool_call","id":"1","raw_arguments":"{","raw_name":"n"},'
        '{"type":"tool_call","id":"1","raw_arguments":"}","raw_name":null},'
        '{"type":"thought","id":"2","text":"hm"}]}\n\n'
    )
    assert events.chunk(Chunk(usage=Usage(1))) == b""
    assert ending(events, Usage(1, 2), "stop", None).decode() == (
        start + '[],"usage":{"input_tokens":1,"output_tokens":2,"cost":null,"provider_cache_read_input_tokens":null,'
        '"provider_cache_write_input_tokens":null},"finish_reason":"stop"}\n\n'
    )
    assert events.error(BadAnswer("no\n")) == b'data: {"error":"no\\n"}\n\n'
    assert events.done() == b"data: [DONE]\n\n"


def test_a_json_stream():
    events = native.Events(head("json"))
    start = f'data: {{"inference_id":"{INFERENCE}","episode_id":"{EPISODE}","variant_name":"v","raw":'
    assert events.chunk(Chunk((TextDelta("0", '{"a"'),))).decode() == start + '"{\\"a\\""}\n\n'
    assert events.chunk(Chunk((ToolCallDelta("1", ":1}", "respond"),))).decode() == start + '":1}"}\n\n'
    assert events.chunk(Chunk((ThoughtDelta("0", "hm"),))) == b""
    assert ending(events, Usage(), None, "0").decode().startswith(start + '"","usage":{')


@pytest.mark.parametrize(
    ("form", "grammar"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "grammar", "grammar": GRAMMAR}, Grammar("regex", "a+")),
        ({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: a"}}, Grammar("lark", "start: a")),
    ],
)
def test_tools_that_are_called_with_text(form, grammar):
    request = decode(additional_tools=[custom(format=form), {"name": "f", "parameters": {}}, custom(name="u")])
    assert request.custom_tools == (CustomTool("t", "d", grammar), CustomTool("u", "d"))
    assert [tool.name for tool in request.tools] == ["f"]


def test_both_words_for_no_tool():
    assert decode(tool_choice="off").tool_choice == decode(tool_choice="none").tool_choice == "none"
